"""A second implementation of what mail-implicit-tls reads in Received fields. It shares no code with the crate: one
regular expression splits the field, where the crate has a grammar."""

import re

WORDS = ["from", "by", "via", "with", "id", "for", "tls", "group"]
PAIR = r"\\[^\x00-\x08\x0a-\x1f\x7f-\x9f]"
PLAIN = r"[^\x00-\x20\x7f-\x9f()\";<\[\\]"
ENCLOSED = "|".join(rf"{open}(?:[^\x00-\x08\x0a-\x1f\x7f-\x9f\\{close}]|{PAIR})*{close}" for open, close in (('"', '"'), ("<", ">"), (r"\[", r"\]")))
TOKEN = re.compile(rf"(?P<fold>(?:\r\n(?=[ \t])|[ \t])+)|(?P<word>(?:{PLAIN}|{ENCLOSED})+)|(?P<open>\()|(?P<end>;)")
INSIDE = re.compile(rf"(?:[^\x00-\x08\x0a-\x1f\x7f-\x9f\\()]|{PAIR}|\r\n(?=[ \t]))+")
DATE = re.compile(r"(?:[^\x00-\x08\x0a-\x1f\x7f-\x9f]|\r\n(?=[ \t]))*")
SUITE = re.compile(r"[A-Za-z][A-Za-z0-9_]*|0[xX][0-9A-Fa-f]{4}")
GROUP = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
TYPE = re.compile(r"(ESMTP|LMTP|UTF8SMTP|UTF8LMTP)(S?)(A?)", re.IGNORECASE)


class Refused(Exception):
    pass


def words(body):
    at, found = 0, []
    while True:
        token = TOKEN.match(body, at)
        if not token:
            raise Refused
        at = token.end()
        if token["end"]:
            if not DATE.fullmatch(body, at):
                raise Refused
            return found, body[at:].strip()
        if token["word"]:
            found.append(token["word"])
        if token["open"]:
            at = comment(body, at)


def comment(body, at):
    depth = 1
    while depth:
        inside = INSIDE.match(body, at)
        at = inside.end() if inside else at
        if body[at : at + 1] not in ("(", ")"):
            raise Refused
        depth += 1 if body[at] == "(" else -1
        at += 1
    return at


def read(body):
    """{clauses, date, tls, group, transmission}; raises Refused."""
    if len(body.encode()) > 16384:
        raise Refused
    found, date = words(body.removesuffix("\r\n"))
    clauses, waiting = [], None
    for word in found:
        if waiting is not None:
            clauses.append([waiting, word])
            waiting = None
        elif word.lower() in WORDS:
            waiting = word.lower()
    if waiting is not None or len(clauses) > 32:
        raise Refused
    result = {"clauses": clauses, "date": date}
    for name, form in (("tls", SUITE), ("group", GROUP)):
        values = [value for it, value in clauses if it == name]
        if len(values) > 1:
            result[name] = "duplicate"
        elif values:
            result[name] = {"value": values[0]} if form.fullmatch(values[0]) else "expected"
        else:
            result[name] = None
    kind = TYPE.fullmatch(next((value for it, value in clauses if it == "with"), ""))
    result["transmission"] = {"protocol": kind[1].upper(), "tls": bool(kind[2]), "authenticated": bool(kind[3])} if kind else None
    return result
