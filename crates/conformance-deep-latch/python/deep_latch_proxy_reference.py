"""Second implementations of what stands between a client and a server of DEEP: the proxy that adds `tls` (section 7.1), the
relay's replies and its notifications (section 7.4). What is expected in the vectors is stated by hand."""

import ipaddress
import re

from deep_latch_imap_reference import Command, Incomplete
from deep_latch_imap_reference import Refused as CommandRefused
from deep_latch_reference import PARAMETER, REGISTERED, Refused, id_pairs, security_latch

MOST_PAIRS, LONGEST_CLIENT, LONGEST_REPLY, LONGEST_LINE = 30, 510, 512, 78
CERTIFICATE = {
    "chain": ("the certificate is not trusted, or not valid now", {"tls-cert"}),
    "identity": ("the certificate has another name", {"tls-cert", "tls-dane-tlsa"}),
    "dane": ("the TLSA records contradict the certificate", {"tls-dane-tlsa"}),
}


def proxy(protocol, text, tls, inbound="remove"):
    return (imap if protocol == "imap" else smtp)(text, tls, inbound)


def imap(text, tls, inbound):
    octets = text.encode()
    command = Command(octets + b"\r\n")
    try:
        command.read()
    except (CommandRefused, Incomplete):
        raise Refused from None
    if command.at != len(octets) + 2:
        raise Refused
    if command.name != "ID":
        return {"another": "command"}
    head, parameters = re.match(rb"([^ ]+ [^ ]+) (.*)", octets, re.S).groups()
    names = [name for name, _ in id_pairs(parameters)]
    written, has_literal = strings(parameters)
    pairs = list(zip(names, written[::2], written[1::2]))
    claims = [is_claim(name) for name in names]
    if any(claims) and inbound == "refuse":
        return {"refused": "inbound"}
    if any(claims) and inbound == "trust":
        return {"text": text, "removed": False}
    kept = [(field, value) for claim, (_, field, value) in zip(claims, pairs) if not claim]
    if tls is not None:
        if len(kept) == MOST_PAIRS:
            return {"refused": "full"}
        kept.append((b'"tls"', b'"%s"' % tls.encode()))
    elif not any(claims) and not has_literal:
        return {"text": text, "removed": False}
    list_ = b"(%s)" % b" ".join(word for pair in kept for word in pair) if kept else b"NIL"
    return {"text": (head + b" " + list_).decode(), "removed": any(claims)}


def is_claim(name):
    """`tls` as a word of its own, whatever is around it."""
    return "tls" in re.split("[^a-z0-9._-]+", name.lower())


def strings(octets):
    """The strings as they are sent on, and whether one of them was a literal."""
    found, at, has_literal = [], 0, False
    if octets[:1] != b"(":
        return found, has_literal
    token = re.compile(rb'[( )]*(?:(NIL)|("(?:[^"\\]|\\.)*")|\{([0-9]+)\+?\}\r\n)', re.S | re.I)
    while word := token.match(octets, at):
        at = word.end()
        if word[3] is None:
            found.append(word[1] or word[2])
            continue
        has_literal = True
        value, at = octets[at : at + int(word[3])], at + int(word[3])
        if re.search(rb"[\r\n\x80-\xff]", value):
            found.append(b"{%d}\r\n%s" % (len(value), value))
        else:
            found.append(b'"%s"' % re.sub(rb'(["\\])', rb"\\\1", value))
    return found, has_literal


def smtp(text, tls, inbound):
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise Refused
    verb = re.search("[A-Za-z0-9]+", text)
    if not verb or verb[0].upper() != "CLIENT":
        return {"another": "command"}
    parameters = text.rstrip(" ").split(" ")[1:]
    is_command = re.match("CLIENT ", text, re.I) and all(re.fullmatch(PARAMETER, it) for it in parameters)
    names = [it.partition("=")[0].lower() for it in parameters]
    if not is_command or not parameters or len(set(names)) != len(names) or len(text) > LONGEST_CLIENT:
        raise Refused
    is_claimed = "tls" in names
    if is_claimed and inbound == "refuse":
        return {"refused": "inbound"}
    if is_claimed and inbound == "trust":
        return {"text": text, "removed": False}
    kept = [it for name, it in zip(names, parameters) if name != "tls"] + ([f"tls={tls}"] if tls else [])
    if not kept:
        return {"refused": "nothing-left"}
    line = " ".join([text[:6], *kept])
    return {"refused": "full"} if len(line) > LONGEST_CLIENT else {"text": line, "removed": is_claimed}


def relay(host, tags, lasting=False, transaction=False, detail=0, fault=None):
    if detail > 999:
        raise Refused
    host = spelt(host)
    first = 5 if lasting else 4
    code, status = f"{first}5{4 if transaction else 0}", f"{first}.7.{detail}"
    missing = f"Message Transport Failed due to missing required security: {host}"
    named = sorted(tag.lower() for tag in tags)
    unknown = [tag for tag in named if tag not in REGISTERED]
    if fault == "transport":
        code, status = "451" if transaction and not lasting else code, f"{first}.4.2"
        words = [f"Message Transport Failed: no connection to {host}"]
    elif fault in CERTIFICATE:
        why, concerned = CERTIFICATE[fault]
        failed = [tag for tag in named if tag in concerned]
        words = [missing, *failed] if failed else [f"{missing}: {why}"]
    else:
        words = [missing, *(unknown or named)]
    return {"reply": "".join(reply(code, status, words)), "status": status}


def reply(code, status, words):
    lines, line = [], words[0]
    for word in words[1:]:
        if len(f"{code} {status} {line} {word}\r\n") > LONGEST_REPLY:
            lines.append(line)
            line = word
        else:
            line += " " + word
    return [f"{code}-{status} {it}\r\n" for it in lines] + [f"{code} {status} {line}\r\n"]


def spelt(host):
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower().removesuffix(".")


FIELD = re.compile(r"(?P<name>[!-9;-~]+)(?P<space>[ \t]*):(?P<body>(?:[^\r\n]|\r\n[ \t])*)\r\n")


def delivery_status(text, add=None):
    fields, at = [], 0
    while at < len(text):
        field = FIELD.match(text, at)
        if not field:
            raise Refused
        fields.append(field)
        at = field.end()
    names = [it["name"].lower() for it in fields]
    ours = [it for it, name in zip(fields, names) if name == "smtp-security-latch"]
    if add is None:
        if len(ours) > 1 or ours and ours[0]["space"]:
            raise Refused
        return {"tags": security_latch({"text": ours[0]["body"], "body": True})["tags"] if ours else None}
    if not add or ours or "final-recipient" not in names:
        raise Refused
    return {"text": text + "\r\n ".join(latch_lines(add)) + "\r\n"}


def latch_lines(tags):
    lines = ["SMTP-Security-Latch: " + tags[0]]
    for tag in tags[1:]:
        if len(lines[-1]) + (len(lines) > 1) + 1 + len(tag) > LONGEST_LINE:
            lines.append(tag)
        else:
            lines[-1] += " " + tag
    return lines
