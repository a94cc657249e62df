"""The grammars of draft-newman-email-deep-02, and the grammars that they use (RFC 2971, 3501, 3986, 5321, 5322), as regular
expressions: a second implementation that shares nothing with the crate's. What it reads is a value as it stands in
the vectors' `accept`; what it refuses raises Refused.

    python3 crates/conformance-deep-latch/python/deep_latch_reference.py --judge    reads cases, one in a line, and answers each
"""

import ipaddress
import json
import re
import sys


class Refused(Exception):
    pass


def must(match):
    if not match:
        raise Refused
    return match


TAG = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
MOST_TAGS = 64
EXTCHAR = r"[\x21\x23-\x3b\x3d-\x40\x5b\x5d-\x60\x7b-\x7e]"
EXTEND = rf"{EXTCHAR}(?:{EXTCHAR}|[A-Za-z<])*"
PCHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
HOST = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+"
URL = re.compile(
    rf"https://(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{{2}})*@)?(?:\[(?P<ip>[^\]]*)\]|{HOST})(?::[0-9]*)?"
    rf"(?:/{PCHAR}*)*(?:\?(?:{PCHAR}|[/?])*)?(?:#(?:{PCHAR}|[/?])*)?", re.I | re.A)
CIPHER = r"[A-Za-z][A-Za-z0-9_]*|0[xX][0-9A-Fa-f]{4}"
FWS = r"(?:(?:\r\n)?[ \t])+"
PARAMETER = r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?"


def tags(text, separator):
    found = must(re.fullmatch(rf"{TAG}(?:{separator}{TAG})*", text)).group().split(separator)
    if len(found) > MOST_TAGS:
        raise Refused
    return found


def is_url(text):
    match = URL.fullmatch(text)
    if not match:
        return False
    address = match.group("ip")
    if address is None or re.fullmatch(r"[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+", address):
        return True
    try:
        return "%" not in address and bool(ipaddress.IPv6Address(address))
    except ipaddress.AddressValueError:
        return False


def element(text, lenient=False):
    if re.fullmatch(TAG, text):
        return {"tag": text}
    if re.fullmatch(r"<[^>]*>", text) and is_url(text[1:-1]):
        return {"https": text[1:-1]}
    if lenient or re.fullmatch(EXTEND, text):
        return {"extension": text}
    raise Refused


def elements(text, fields):
    if len(text.encode()) > 1024 or not re.fullmatch("[ -~]*", text):
        raise Refused
    parts = text.split(" ") if text else []
    if "" in parts and not fields.get("allow_extra_spaces"):
        raise Refused
    return [element(part, fields.get("allow_malformed_elements")) for part in parts if part]


def status(fields):
    return {"elements": elements(fields["text"], fields)}


def line_of(longest):
    def read(fields):
        keyword, space, text = fields["text"].partition(" ")
        if keyword.upper() != "DEEP" or not keyword.isascii():
            return None
        if len(fields["text"].encode()) > longest or space and not text and not fields.get("allow_extra_spaces"):
            raise Refused
        return {"elements": elements(text, fields)}
    return read


def tag(fields):
    if "list" in fields:
        return {"tags": tags(fields["text"], {"space": " ", "comma": ","}[fields["list"]])}
    return {"tag": must(re.fullmatch(TAG, fields["text"])).group()}


def cipher_value(text):
    return {"cipher": text, "number": int(text, 16) if text.startswith("0") else None}


def without_comments(text):
    """Each comment becomes a NUL: from the innermost on, with quoted pairs and folds out of the way."""
    if "\0" in text or "\1" in text:
        raise Refused
    text = re.sub(r"\\[ -~\t]", "\1", text)
    before = None
    while text != before:
        before, text = text, re.sub(rf"\((?:[!-'*-\[\]-~\0\1]|{FWS})*\)", "\0", text)
    return text


CFWS = rf"(?:(?:(?:{FWS})?\0)+(?:{FWS})?|{FWS})"


def tls_cipher(fields):
    text, form = fields["text"], fields.get("form", "value")
    if form == "value":
        return cipher_value(must(re.fullmatch(CIPHER, text)).group())
    if form == "clause":
        match = must(re.fullmatch(rf"{CFWS}tls{FWS}({CIPHER})", without_comments(text), re.I | re.A))
        return cipher_value(match.group(1))
    # What follows the clause may hold anything: the shortest beginning of it that is one, made as long as it gets.
    ends = [end for end in range(len(text) + 1) if is_clause(text[:end])]
    if not ends:
        raise Refused
    end = ends[0]
    while end < len(text) and is_clause(text[:end + 1]):
        end += 1
    # The hexadecimal form ends after four digits, whatever follows.
    return {**tls_cipher({"text": text[:end], "form": "clause"}), "rest": text[end:]}


def is_clause(text):
    try:
        return bool(tls_cipher({"text": text, "form": "clause"}))
    except Refused:
        return False


def imap_capability(fields):
    must(re.fullmatch(r"CAPABILITY(?: [^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]+)+", fields["text"], re.I | re.A))
    words = fields["text"].split(" ")[1:]
    return {"capabilities": words, "deep": "DEEP" in map(str.upper, words)}


def id_pairs(octets):
    at, words = 0, []

    def take(pattern):
        nonlocal at
        match = must(re.compile(pattern, re.S | re.I).match(octets, at))
        at = match.end()
        return match

    def nstring(longest, nil):
        nonlocal at
        if nil and octets[at:at + 3].upper() == b"NIL":
            at += 3
            return None
        if octets[at:at + 1] == b"{":
            length = int(take(rb"\{([0-9]+)\+?\}\r\n").group(1))
            text, at = octets[at:at + length], at + length
            if at > len(octets) or b"\0" in text:
                raise Refused
        else:
            text = take(rb'"((?:[^\0\r\n"\\]|\\["\\])*)"').group(1)
            text = re.sub(rb'\\(["\\])', rb"\1", text)
        if len(text) > longest:
            raise Refused
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise Refused from None

    if octets.upper() == b"NIL" or octets == b"()":
        return []
    take(rb"\(")
    while True:
        field = nstring(30, False)
        take(b" ")
        words.append([field, nstring(1024, True)])
        if take(rb"[ )]").group() == b")":
            break
    names = [re.sub("[A-Z]", lambda match: match.group().lower(), field) for field, _ in words]
    if at != len(octets) or len(words) > 30 or len(set(names)) != len(names):
        raise Refused
    return words


def one_of(fields, *names):
    found = [fields[name] for name in names if name in fields]
    if len(found) == 2 and found[0] != found[1]:
        raise Refused
    return found[0] if found else None


def imap_id(fields):
    octets = bytes.fromhex(fields["hex"]) if "hex" in fields else fields["text"].encode()
    pairs = id_pairs(octets)
    if "from" not in fields:
        return {"pairs": pairs}
    values = {field.lower(): value for field, value in pairs if field.isascii()}
    if fields["from"] == "server":
        text = one_of(values, "deep", "deep-status")
        if text is not None:
            elements(text, {})
        return {"status": text}
    report = {}
    for name in "name", "version":
        if values.get(name) is not None:
            if re.search(r"[\x00-\x1f\x7f-\x9f]", values[name]):
                raise Refused
            report[name] = values[name]
    for name, others, empty in (("latch", (), True), ("latch-fail", ("latch-failure",), False), ("security-tags", (), True)):
        text = one_of(values, name, *others)
        if text or text == "" and not empty:
            report[name] = tags(text, " ")
    if values.get("tls") is not None:
        report["tls"] = must(re.fullmatch(CIPHER, values["tls"])).group()
    return {"report": report}


def smtp_client(fields):
    line = fields["text"]
    must(re.fullmatch(rf"(?ai:CLIENT)(?: {PARAMETER})+", line))
    if len(line) > 510:
        raise Refused
    values = {}
    for parameter in line.split(" ")[1:]:
        name, value = must(re.fullmatch(PARAMETER, parameter)).groups()
        if name.lower() in values:
            raise Refused
        values[name.lower()] = value
    report = {}
    for name in "name", "version", "tls":
        if name in values:
            report[name] = must(re.fullmatch(CIPHER if name == "tls" else ".+", values[name] or "")).group()
    for name in "latch", "security-tags":
        if name in values:
            report[name] = tags(values[name] or "", ",")
    failed = one_of({name: value or "" for name, value in values.items()}, "latch-fail", "latch-failure")
    if failed is not None:
        report["latch-fail"] = tags(failed, ",")
    return {"report": report}


def security_latch(fields):
    name = "" if fields.get("body") else "(?ai:SMTP-Security-Latch:)"
    match = must(re.fullmatch(rf"{name}{CFWS}({TAG}(?:{FWS}{TAG})*)", without_comments(fields["text"])))
    found = re.split(FWS, match.group(1))
    if len(found) > MOST_TAGS:
        raise Refused
    return {"tags": found}


VERSION = ("This indicates TLS version {0} [{1}] or later was negotiated successfully including negotiation of a strong "
           "encryption layer with a symmetric key of at least 128 bits. This tag does not indicate the server certificate "
           "was valid. This tag is latched if the client sees this tag in the advertised server DEEP status provided after "
           "successfully negotiating TLS version {0} or later.")
VERIFIED = ("This tag indicates that TLS was successfully negotiated and the server certificate was successfully verified by "
            "the client using {0} and the server certificate identity was verified using the algorithm appropriate for the "
            "protocol (see Section 4). This tag is latched if the client sees this tag in the advertised server DEEP status "
            "after successfully negotiating TLS and verifying the certificate and server identity.")
REGISTERED = {
    "tls10": VERSION.format("1.0", "RFC2246"), "tls12": VERSION.format("1.2", "RFC5246"),
    "tls-cert": VERIFIED.format("PKIX [RFC5280]"),
    "tls-dane-tlsa": VERIFIED.format("the procedures described in [RFC6698]"),
}


def registration(fields):
    entry, ietf, by = fields["registration"], fields.get("ietf", False), fields.get("update_by")
    usage = entry["intended_usage"]
    known = entry["name"].lower() in REGISTERED
    found = []
    if by is None:
        found += ["already-registered"] * known
    elif not known:
        return {"findings": ["not-registered"], "refused": True}
    elif by != "IESG":
        found.append("not-its-change-controller")
        found += ["submitter-changed"] * (entry["submitter"] != "Authors of draft-newman-email-deep-02")
    found += ["name"] * (not re.fullmatch(TAG, entry["name"]))
    described = entry["description"].strip()
    if not described:
        found.append("no-description")
    else:
        found += ["no-latch-condition"] * (not re.search("latch", described, re.I))
        found += ["same-description"] * (usage != "LIMITED USE" and any(
            other != entry["name"].lower() and text.split() == described.split() for other, text in REGISTERED.items()))
    found += ["unknown-usage"] * (usage not in ("COMMON", "LIMITED USE", "OBSOLETE"))
    found += ["blank-reference"] * (entry.get("reference") is not None and not entry["reference"].strip())
    found += ["no-submitter"] * (not entry["submitter"].strip())
    if not entry["change_controller"].strip():
        found.append("no-change-controller")
    elif ietf and entry["change_controller"] != "IESG":
        found.append("change-controller-not-iesg")
    hints = {"no-latch-condition", "same-description"}
    return {"findings": found, "refused": not set(found) <= hints}


SUITES = {
    "tag": tag, "status": status, "tls-cipher": tls_cipher, "imap-capability": imap_capability, "imap-id": imap_id,
    "pop-capa": line_of(510), "smtp-ehlo": line_of(506), "smtp-client": smtp_client, "security-latch": security_latch,
    "registration": registration,
}


def spelt_out(fields):
    """A case with its long texts, which the vectors abbreviate, written out."""
    def text(value):
        if not isinstance(value, dict) or "repeat" not in value:
            return value
        return (value.get("prefix", "") + value["repeat"] * value["count"]
                + value.get("suffix_repeat", "") * value.get("suffix_count", 0) + value.get("suffix", ""))
    fields = {name: text(value) for name, value in fields.items()}
    if "registration" in fields:
        fields["registration"] = {name: text(value) for name, value in fields["registration"].items()}
    return fields


def judge(suite, fields):
    """`{"accept": value}` or `{"reject": {}}`."""
    try:
        return {"accept": SUITES[suite](spelt_out(fields))}
    except Refused:
        return {"reject": {}}


if __name__ == "__main__":
    if sys.argv[1:] != ["--judge"]:
        sys.exit(__doc__)
    for case in map(json.loads, sys.stdin):
        print(json.dumps(judge(case.pop("suite"), case)), flush=False)
