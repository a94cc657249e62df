"""A second implementation of the names of certificates: RFC 7817, 9525, 6125 and 3501, as docs/drafts.md reads them. It
shares no code with the crate, and reads DER by itself."""

import ipaddress
import re

RULES = ["rfc7817", "rfc9525", "rfc6125", "rfc3501"]
SAN, COMMON_NAME, SRV = bytes.fromhex("551d11"), bytes.fromhex("550403"), bytes.fromhex("2b06010505070807")
KINDS = {"dns": "DNS-ID", "srv": "SRV-ID", "srv-utf8": "SRV-ID (UTF8String)", "ip": "IP-ID", "cn": "CN-ID", "uri": "URI-ID"}
LABEL = rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME = re.compile(rb"(?:%s\.)*%s" % (LABEL, LABEL))


class Unreadable(Exception):
    pass


def elements(octets):
    """The elements of DER octets: (tag, content)."""
    at, found = 0, []
    while at < len(octets):
        if at + 2 > len(octets):
            raise Unreadable
        tag, length, at = octets[at], octets[at + 1], at + 2
        if length > 127:
            count = length & 127
            length, at = int.from_bytes(octets[at : at + count], "big"), at + count
        if at + length > len(octets):
            raise Unreadable
        found.append((tag, octets[at : at + length]))
        at += length
    return found


def presented(der):
    [(_, certificate)] = elements(der)
    fields = elements(elements(certificate)[0][1])
    subject, names = elements(fields[5][1]), []
    for tag, content in fields[7:]:
        for _, extension in elements(elements(content)[0][1]):
            parts = elements(extension)
            if parts[0][1] == SAN:
                names += alternative(parts[-1][1])
    return names + common(subject)


def alternative(value):
    whole = elements(value)
    if len(whole) != 1 or whole[0][0] != 0x30:
        raise Unreadable
    found = []
    for tag, content in elements(whole[0][1]):
        if tag & 0xC0 != 0x80 or tag & 31 > 8:
            raise Unreadable
        if tag & 31 in (2, 6, 7):
            found.append(({2: "dns", 6: "uri", 7: "ip"}[tag & 31], content))
        elif tag & 31 == 0:
            parts = content.split(bytes([6, len(SRV)]) + SRV, 1)
            if len(parts) == 2 and parts[0] == b"":
                found.append(service(parts[1]))
    return found


def service(value):
    try:
        [(outer, inside)] = elements(value)
        [(tag, name)] = elements(inside)
    except (Unreadable, ValueError):
        return ("srv", value)
    if outer != 0xA0 or tag not in (0x16, 0x0C):
        return ("srv", value)
    return ("srv" if tag == 0x16 else "srv-utf8", name)


def common(subject):
    for _, rdn in reversed(subject):
        pairs = [elements(pair) for _, pair in elements(rdn)]
        if any(pair[0][1] == COMMON_NAME for pair in pairs):
            if len(pairs) == 1 and pairs[0][1][0] in (0x0C, 0x13, 0x16):
                return [("cn", pairs[0][1][1])]
            return []
    return []


def pattern(octets):
    """(name, wildcard), or the reason why the name does not count."""
    wildcard = octets.startswith(b"*.")
    name = octets[2:] if wildcard else octets
    if b"*" in name:
        return "wildcard"
    if len(octets) > 253 or not NAME.fullmatch(name):
        return "malformed"
    if wildcard and b"." not in name:
        return "wildcard"
    return name.decode().lower(), wildcard


def fits(pattern, host):
    name, wildcard = pattern
    return host.partition(".")[2] == name if wildcard else host == name


def within(name, base, below):
    only_below = base.startswith(".")
    base = base[1:] if only_below else base
    if base == "":
        return True
    if name == base:
        return below or not only_below
    return name.endswith("." + base)


def permitted(pattern, constraints):
    name, wildcard = pattern
    for certificate in constraints:
        bases = [base.lower() for base in certificate.get("permitted", [])]
        if bases and not any(within(name, base, wildcard) for base in bases):
            return False
        for base in certificate.get("excluded", []):
            base = base.lower()
            if within(name, base, wildcard) or wildcard and ("." + base.lstrip(".")).endswith("." + name):
                return False
    return True


def compare(case, kind, octets, has_hosts):
    """The reference that matches, None, or the reason why the name does not count."""
    expected = [next(iter(reference.items())) for reference in case["expected"]]
    hosts = [(it, value) for it, value in expected if it == "dns"]
    rules, constraints = case["rules"], case.get("constraints", [])
    if kind == "dns":
        found = pattern(octets)
        return found if isinstance(found, str) else next((it for it in hosts if fits(found, it[1])), None)
    if kind == "ip":
        if len(octets) not in (4, 16):
            return "malformed"
        address = ipaddress.ip_address(octets)
        return next((it for it in expected if it[0] == "ip" and ipaddress.ip_address(it[1]) == address), None)
    if kind == "uri":
        return "kind"
    if kind == "cn":
        if rules not in ("rfc6125", "rfc3501"):
            return "kind"
        if has_hosts:
            return "has-host-names"
        found = pattern(octets)
        if isinstance(found, str):
            return found
        match = next((it for it in hosts if fits(found, it[1])), None)
        return "name-constraints" if match and not permitted(found, constraints) else match
    if kind == "srv-utf8" and not case.get("srv_id_as_utf8_string"):
        return "malformed"
    if rules == "rfc3501":
        return "kind"
    parts = re.fullmatch(rb"_([A-Za-z0-9-]+)\.(.*)", octets, re.DOTALL)
    if not parts:
        return "malformed"
    found = pattern(parts[2])
    if isinstance(found, str):
        return found
    if found[1]:
        return "wildcard"
    wanted = parts[1].decode().lower()
    match = next((it for it in expected if it[0] == "srv" and it[1][0] == wanted and fits(found, it[1][1])), None)
    return "name-constraints" if match and not permitted(found, constraints) else match


def shown(kind, octets):
    if kind == "ip" and len(octets) in (4, 16):
        return "IP-ID " + address(ipaddress.ip_address(octets))
    plain = {0x22: '\\"', 0x27: "\\'", 0x5C: "\\\\", 9: "\\t", 10: "\\n", 13: "\\r"}
    text = "".join(plain.get(it) or (chr(it) if 32 <= it < 127 else f"\\x{it:02x}") for it in octets[:255])
    return f"{KINDS[kind]} {text}" + ("..." if len(octets) > 255 else "")


def address(value):
    mapped = getattr(value, "ipv4_mapped", None)
    return f"::ffff:{mapped}" if mapped else str(value)


def named(reference):
    kind, value = reference
    if kind == "srv":
        return f"SRV-ID _{value[0]}.{value[1]}"
    return f"{KINDS[kind]} " + (address(ipaddress.ip_address(value)) if kind == "ip" else value)


def judge(case):
    try:
        names = presented(bytes.fromhex(case["certificate"]))
    except Unreadable:
        return {"unreadable": True}
    has_hosts = any(kind != "cn" for kind, _ in names)
    differs, disregarded, omitted = [], [], 0
    for kind, octets in names:
        result = compare(case, kind, octets, has_hosts)
        if isinstance(result, tuple):
            return {"reference": named(result), "presented": shown(kind, octets)}
        if len(differs) + len(disregarded) == 100:
            omitted += 1
        elif result is None:
            differs.append(shown(kind, octets))
        else:
            disregarded.append([shown(kind, octets), result])
    return {"differs": differs, "disregarded": disregarded, "omitted": omitted}
