"""Writes mail-implicit-tls/vectors/proxy-protocol.json: begins of connections. The kind of each refusal is stated by hand;
proxy_protocol_reference.py, a second implementation, must find the same, and gives what is read and written.

    python3 crates/conformance-mail-implicit-tls/python/proxy_protocol_vectors.py [--check]
"""

import struct

from proxy_protocol_reference import SIGNATURE, Refused, crc32c, field, opening
from suite_file import SuiteFile, main

SUITE = SuiteFile("proxy-protocol", __file__, ["newman-9-2-5"])
IPV4 = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 4660, 993)
IPV6 = bytes.fromhex("20010db8000000000000000000000007" "20010db8000000000000000000000001") + struct.pack("!HH", 51234, 465)


def case(name, octets, end="header", listed=True):
    """`end`: "header", "local" (the peer's own address counts), "incomplete", "rest" (no header), or the kind of the error."""
    octets = octets.encode() if isinstance(octets, str) else octets
    fields = {"octets": octets.hex()} | ({} if listed else {"listed": False})
    try:
        accept = opening(**fields)
    except Refused as refused:
        assert refused.reject["kind"] == end, f"{name}: {refused}"
        SUITE.cases.append({"name": name, "requirements": SUITE.requirements, **fields, "reject": refused.reject})
        return
    if "incomplete" in accept:
        found = "incomplete"
    elif accept["header"] is None:
        found = "rest"
    else:
        found = "header" if accept["header"]["addresses"] else "local"
    assert found == end, f"{name}: {accept}"
    SUITE.case(name, accept, **fields)


def v2(block=IPV4, command=0x21, family=0x11, length=None):
    return SIGNATURE + struct.pack("!BBH", command, family, len(block) if length is None else length) + block


def summed(block, family=0x11):
    """A header with its checksum."""
    octets = v2(block + b"\x03\0\x04" + bytes(4), family=family)
    return octets[:-4] + crc32c(octets).to_bytes(4)


def tls(flags=1, verify=1, *parts):
    return field(0x20, struct.pack("!BI", flags, verify) + b"".join(parts))


# --- Version 1 ---------------------------------------------------------------------------------------------------

LINE = "PROXY TCP4 192.0.2.1 192.0.2.2 4660 993\r\n"
case("v1-ipv4", LINE)
case("v1-ipv6", "PROXY TCP6 2001:db8::7 2001:db8::1 51234 465\r\n")
case("v1-and-what-follows", LINE + "\x16\x03\x01")
case("v1-and-another", LINE + LINE)
case("v1-longest", "PROXY TCP6 " + "ffff:" * 7 + "ffff " + "ffff:" * 7 + "ffff 65535 65535\r\n")
case("v1-unknown", "PROXY UNKNOWN\r\n", "local")
case("v1-unknown-with-anything", "PROXY UNKNOWN ffff::1 \t\0x\r\n", "local")
case("v1-unknown-107", "PROXY UNKNOWN " + "x" * 91 + "\r\n", "local")
case("v1-unknown-108", "PROXY UNKNOWN " + "x" * 92 + "\r\n", "too-long")
case("v1-unknown-109", "PROXY UNKNOWN " + "x" * 93 + "\r\n", "too-long")
case("v1-without-end", "PROXY UNKNOWN " + "x" * 93, "too-long")
case("v1-mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n")
case("v1-mapped-in-hex", "PROXY TCP6 ::ffff:c000:201 2001:db8::1 1 2\r\n")
case("v1-port-zero", "PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n")
for number in range(len(LINE)):
    if number % 5 == 0:
        case(f"v1-first-{number}", LINE[:number], "incomplete")
case("v1-first-41", LINE[:-1], "incomplete")
WRONG = [
    "TCP5 192.0.2.1 192.0.2.2 1 2", "tcp4 192.0.2.1 192.0.2.2 1 2", "UDP4 192.0.2.1 192.0.2.2 1 2", "UNKNOWNX", "", " TCP4", "TCP4",
    "TCP4 ::1 192.0.2.2 1 2", "TCP6 192.0.2.1 ::1 1 2", "TCP6 ::1 192.0.2.1 1 2", "TCP4 192.0.2.01 192.0.2.2 1 2", "TCP4 192.0.2 192.0.2.2 1 2",
    "TCP4 192.0.2.256 192.0.2.2 1 2", "TCP4 192.0.2.1  192.0.2.2 1 2", "TCP4 192.0.2.1 x 1 2", "TCP4 192.0.2.1 192.0.2.2 01 2",
    "TCP4 192.0.2.1 192.0.2.2 +1 2", "TCP4 192.0.2.1 192.0.2.2 -1 2", "TCP4 192.0.2.1 192.0.2.2 65536 2", "TCP4 192.0.2.1 192.0.2.2 1",
    "TCP4 192.0.2.1 192.0.2.2 1 ", "TCP4 192.0.2.1 192.0.2.2 1 2 ", "TCP4 192.0.2.1 192.0.2.2 1 2 3", "TCP4 192.0.2.1 192.0.2.2 1 0x2",
    "TCP4 192.0.2.1\t192.0.2.2 1 2", "TCP6 fe80::1%1 ::1 1 2", "TCP6 :::1 ::1 1 2", "TCP6 1::2::3 ::1 1 2", "TCP6 [::1] ::1 1 2", "TCP4 192.0.2.1 192.0.2.2 1 99999999999999999999",
]  # fmt: skip
for number, line in enumerate(WRONG):
    case(f"v1-line-{number}", f"PROXY {line}\r\n", "syntax")
case("v1-bare-lf", LINE.replace("\r\n", "\n"), "syntax")
case("v1-bare-cr", LINE.replace("\r\n", "\rx"), "syntax")
case("v1-two-cr", LINE.replace("\r\n", "\r\r\n"), "syntax")

# --- Version 2 ---------------------------------------------------------------------------------------------------

case("v2-ipv4", v2())
case("v2-ipv6", v2(IPV6, family=0x21))
case("v2-and-what-follows", v2() + b"\x16\x03\x01")
case("v2-and-version-1", v2() + LINE.encode())
MAPPED = b"".join(bytes(10) + b"\xff\xff" + IPV4[at : at + 4] for at in (0, 4)) + IPV4[8:]
case("v2-mapped", v2(MAPPED, family=0x21))
case("v2-mapped-source", v2(MAPPED[:16] + IPV6[16:], family=0x21))
case("v2-local", v2(b"", 0x20, 0), "local")
case("v2-local-with-addresses", v2(IPV4, 0x20), "local")
case("v2-local-with-anything", v2(b"\x03\0\x04x", 0x20, 0xFF), "local")
case("v2-unspec", v2(b"", family=0), "local")
case("v2-unspec-with-anything", v2(b"\x20\0", family=0), "local")
case("v2-unix", v2(bytes(216), family=0x31), "local")
case("v2-unix-with-fields", v2(bytes(216) + field(0x05, b"id"), family=0x31), "local")
case("v2-unix-truncated", v2(bytes(215), family=0x31), "truncated")
for command in (0x00, 0x10, 0x11, 0x22, 0x2F, 0x30, 0x31, 0xFF):
    case(f"v2-command-{command:02x}", v2(command=command), "not-supported")
for family in (0x01, 0x02, 0x10, 0x12, 0x13, 0x20, 0x22, 0x30, 0x32, 0x33, 0x41, 0xFF):
    case(f"v2-family-{family:02x}", v2(family=family), "not-supported")
for number in range(0, 28, 3):
    case(f"v2-first-{number}", v2()[:number], "incomplete")
case("v2-command-is-judged-first", v2(command=0x30)[:13], "not-supported")
case("v2-length-65535", v2(b"", length=65535), "too-long")
case("v2-length-4081", v2(b"", length=4081), "too-long")
case("v2-length-4080", v2(IPV4 + field(0x04, bytes(4065))))
case("v2-addresses-truncated", v2(IPV4[:11]), "truncated")
case("v2-addresses-of-the-other-family", v2(IPV4, family=0x21), "truncated")
case("v2-field-truncated", v2(IPV4 + b"\x04\0\x02x"), "truncated")
case("v2-field-of-two-octets", v2(IPV4 + b"\x04\0"), "truncated")
case("v2-unknown-fields", v2(IPV4 + field(0x01, b"h2") + field(0xEA, b"x") + field(0x30, b"ns") + field(0x04, b"")))
case("v2-authority", v2(IPV4 + field(0x02, b"imap.example.org")))
case("v2-authority-in-upper-case-with-dot", v2(IPV4 + field(0x02, b"IMAP.Example.ORG.")))
for number, wrong in enumerate([b"", b"a b", b"-a", b"a..b", b"192.0.2.1", b"x\n", b"\xff", b"a" * 64]):
    case(f"v2-authority-wrong-{number}", v2(IPV4 + field(0x02, wrong)), "value")
case("v2-unique-id", v2(IPV4 + field(0x05, bytes(range(128)))))
case("v2-unique-id-empty", v2(IPV4 + field(0x05, b"")))
case("v2-unique-id-129", v2(IPV4 + field(0x05, bytes(129))), "value")
for kind, value in ((0x02, b"a"), (0x05, b"a"), (0x20, bytes(5)), (0x03, bytes(4))):
    case(f"v2-field-{kind:02x}-twice", v2(IPV4 + field(kind, value) * 2), "duplicate")
case("v2-checksum", summed(IPV4))
case("v2-checksum-with-fields", summed(IPV6 + field(0x02, b"a.example") + field(0xEE, b"x"), 0x21))
case("v2-checksum-first", (lambda octets: octets[:31] + crc32c(octets).to_bytes(4) + octets[35:])(v2(IPV4 + field(0x03, bytes(4)) + field(0x05, b"x"))))
for at in (12 + 4, 27, 31, 34):
    wrong = bytearray(summed(IPV4))
    wrong[at] ^= 0x40
    case(f"v2-checksum-wrong-{at}", bytes(wrong), "checksum")
case("v2-checksum-of-three-octets", v2(IPV4 + field(0x03, bytes(3))), "value")
case("v2-checksum-covers-no-octet-after", summed(IPV4) + b"x")
VERSION, CIPHER, CN = field(0x21, b"TLSv1.3"), field(0x23, b"TLS_AES_128_GCM_SHA256"), field(0x22, b"alice@example.org")
case("v2-ssl", v2(IPV4 + tls(1, 1, VERSION, CIPHER)))
case("v2-ssl-with-certificate", v2(IPV4 + tls(7, 0, VERSION, CN, CIPHER)))
case("v2-ssl-with-certificate-of-the-session", v2(IPV4 + tls(5, 0, VERSION, CN, CIPHER)))
case("v2-ssl-with-certificate-not-verified", v2(IPV4 + tls(7, 18, VERSION, CN)))
case("v2-ssl-with-certificate-without-name", v2(IPV4 + tls(3, 0, VERSION)))
case("v2-ssl-name-without-certificate", v2(IPV4 + tls(1, 0, VERSION, CN)))
case("v2-ssl-in-utf8", v2(IPV4 + tls(7, 0, VERSION, field(0x22, "Grüße".encode()))))
case("v2-ssl-not-used", v2(IPV4 + tls(0, 0, VERSION, CIPHER)))
case("v2-ssl-without-version", v2(IPV4 + tls(1, 1)))
case("v2-ssl-unknown-part", v2(IPV4 + tls(1, 1, VERSION, field(0x24, b"SHA256"), field(0x99, b"\0\n"))))
case("v2-ssl-name-of-321-octets", v2(IPV4 + tls(7, 0, VERSION, field(0x22, b"x" * 321))))
case("v2-ssl-name-of-320-octets", v2(IPV4 + tls(7, 0, VERSION, field(0x22, b"x" * 320))))
case("v2-ssl-empty", v2(IPV4 + field(0x20, b"")), "truncated")
case("v2-ssl-of-four-octets", v2(IPV4 + field(0x20, bytes(4))), "truncated")
case("v2-ssl-part-truncated", v2(IPV4 + tls(1, 1, b"\x21\0\x08TLSv1.3")), "truncated")
case("v2-ssl-part-twice", v2(IPV4 + tls(1, 1, VERSION, VERSION)), "duplicate")
for number, wrong in enumerate([b"\n", b"\0", b"\x7f", "\u0085".encode(), b"\xff"]):
    case(f"v2-ssl-text-wrong-{number}", v2(IPV4 + tls(1, 1, field(0x21, wrong))), "value")

# --- Listed peers and others -------------------------------------------------------------------------------------

for name, octets in {"tls": b"\x16\x03\x01", "ehlo": b"EHLO x\r\n", "lower-case": b"proxy TCP4 ", "prefix": b"PROXX", "quit": b"\r\n\r\nQUIT\r\n", "lf": b"\n"}.items():
    case(f"listed-without-header-{name}", octets, "missing")
    case(f"stranger-{name}", octets, "rest", listed=False)
case("stranger-v1", LINE, "not-listed", listed=False)
case("stranger-v1-begin", "PROXY ", "not-listed", listed=False)
case("stranger-v2", v2(), "not-listed", listed=False)
case("stranger-v2-local", v2(b"", 0x20, 0), "not-listed", listed=False)
case("stranger-v2-begin", SIGNATURE, "not-listed", listed=False)
case("stranger-first-octets-v1", "PROXY", "incomplete", listed=False)
case("stranger-first-octets-v2", SIGNATURE[:11], "incomplete", listed=False)
case("stranger-nothing", b"", "incomplete", listed=False)
case("listed-nothing", b"", "incomplete")

main(SUITE)
