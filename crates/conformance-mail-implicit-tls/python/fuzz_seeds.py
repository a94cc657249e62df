"""Writes the seeds of mail-implicit-tls's fuzz targets, fuzz/seeds, from the vectors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from seeds import MOST_BYTES, finish, vectors, write  # noqa: E402

from identity_reference import SAN, Unreadable, elements  # noqa: E402

# The oracles read a whole certificate after 0, GeneralNames after 1, and a Received field as it is.


def general_names(der):
    [(_, certificate)] = elements(der)
    for _, content in elements(elements(certificate)[0][1])[7:]:
        for _, extension in elements(elements(content)[0][1]):
            parts = elements(extension)
            if parts[0][1] == SAN:
                return elements(parts[-1][1])[0][1]


for case in vectors("mail-implicit-tls", "identity"):
    der = bytes.fromhex(case["certificate"])
    if len(der) <= MOST_BYTES:
        # The names that the oracle expects.
        der = der.replace(b"imap.example.com", b"imap.example.org")
        if case["name"].startswith(("cn-", "san-", "ip-")) and "under" not in case["name"]:
            write("mail_identity", case["name"], b"\0" + der)
        elif case["rules"] == "rfc7817":
            try:
                names = general_names(der)
            except Unreadable:
                continue
            write("mail_identity", case["name"], b"\1" + (names or b""))
for case in vectors("mail-implicit-tls", "received"):
    body = case["body"].encode()
    if len(body) <= MOST_BYTES and not case["name"].startswith("type-"):
        write("mail_received", case["name"], body)

# oracle::connection reads an octet for the service, and turns with 0xff between; an octet for the protocol, and octets.
# The order of Service::ALL.
SERVICES = ["pop3s", "imaps", "submissions", "pop3+", "imap+", "submission+", "pop3", "imap", "submission"]
for case in vectors("mail-implicit-tls", "client-dialogue"):
    service = SERVICES.index(case["service"] + "+" * case.get("upgraded", False))
    turns = [turn["server"].encode() for turn in case["script"] if isinstance(turn, dict) and "server" in turn]
    write("mail_client_dialogue", case["name"], bytes([service]) + b"\xff".join(turns))
for case in vectors("mail-implicit-tls", "server-dialogue"):
    data = "".join(case["client"]).encode()
    first = ["imap", "pop", "submission"].index(case["protocol"]) + (0 if case["can_start_tls"] else 0x80)
    if len(data) <= MOST_BYTES and "http" not in case["name"]:
        # 0x80 modulo 3 is 2.
        first = next(it for it in range(first & 0x80, 256) if it % 3 == (first & 0x7F) and it & 0x80 == first & 0x80)
        write("mail_server_dialogue", case["name"], bytes([first]) + data)
# oracle::gateway reads an octet for protocol and status, the backend's choices up to 0xff, and the client's octets.
for protocol, suite in enumerate(("gateway-imap", "gateway-pop")):
    for case in vectors("mail-implicit-tls", suite):
        data = "".join(text for side, text in case["said"] if side == "client").encode()
        if data and len(data) <= MOST_BYTES and "greeting" not in case["name"]:
            first = protocol | (0 if case.get("advertises") else 2)
            write("mail_gateway", case["name"], bytes([first, 5, 2, 5, 0xFF]) + data)
# oracle::dane reads usage, selector, matching type, the form of the data, and a certificate.
for case in vectors("mail-implicit-tls", "tlsa"):
    if case["name"].startswith(("ee-", "ta-")) and case["name"].endswith("rfc7671"):
        usage, selector, matching, _ = case["records"][0]
        roots = 0x20 if case["roots"] else 0
        certificate = bytes.fromhex(case["chain"][0 if usage & 1 else -1])
        write("mail_tlsa", case["name"], bytes([usage, selector, matching, matching | roots | 0x10]) + certificate)
# oracle::autoconfig reads the file as it is.
for case in vectors("mail-implicit-tls", "autoconfig"):
    data = case["file"].encode()
    if len(data) <= MOST_BYTES:
        write("mail_autoconfig", case["name"], data)

# oracle::autoconfig_fetch reads an octet for the place (1), the address that is sent (2) and long bodies (4), and
# responses with 0xff between: a status, fields, an empty line, and the body.
FILE = (
    '<clientConfig version="1.1"><emailProvider id="example.org"><incomingServer type="imap"><hostname>imap.example.org'
    "</hostname><port>993</port><socketType>SSL</socketType></incomingServer></emailProvider></clientConfig>"
)


def redirect(location, status=302):
    return f"{status}\nLocation: {location}\n\n"


FOUND = f"200\nContent-Length: {len(FILE)}\n\n{FILE}"
FETCHES = {
    "file": (0, [FOUND]),
    "file-with-address": (2, [FOUND]),
    "file-of-well-known": (1, [FOUND]),
    "not-found": (0, ["404\n\n"]),
    "gone": (1, ["410\n\n"]),
    "busy": (0, ["503\n\n"]),
    "encoded": (0, [f"200\nContent-Encoding: gzip\n\n{FILE}"]),
    "identity": (0, [f"200\nContent-Encoding: Identity \n\n{FILE}"]),
    "announced-at-the-limit": (0, [f"200\nContent-Length: 65536\n\n{FILE}"]),
    "announced-beyond-the-limit": (0, [f"200\nContent-Length: 65537\n\n{FILE}"]),
    "length-that-is-no-number": (0, [f"200\nContent-Length: many\n\n{FILE}"]),
    "long-body": (4, ["200\n\n" + " " * 70]),
    "body-within-the-limit": (4, ["200\n\n" + " " * 60]),
    "no-file": (0, ["200\n\n<!DOCTYPE html><html/>"]),
    "redirect-to-a-host": (0, [redirect("https://www.example.org/a?b=c#d"), FOUND]),
    "redirect-to-the-port": (0, [redirect("https://example.org:443/", 301), FOUND]),
    "redirect-relative": (0, [redirect("../x y", 307), FOUND]),
    "redirect-with-scheme-only": (0, [redirect("https:other.xml", 308), FOUND]),
    "redirect-with-backslash": (0, [redirect("\\\\www.example.org\\a", 303), FOUND]),
    "redirect-twice": (1, [redirect("/a"), redirect("/b"), FOUND]),
    "redirect-three-times": (1, [redirect("/a"), redirect("/b"), redirect("/c"), FOUND]),
    "redirect-to-http": (0, [redirect("http://www.example.org/")]),
    "redirect-to-another-host": (0, [redirect("https://example.org.evil.example/")]),
    "redirect-to-a-suffix": (0, [redirect("https://notexample.org/")]),
    "redirect-to-an-address": (0, [redirect("https://[2001:db8::1]/")]),
    "redirect-to-another-port": (0, [redirect("https://example.org:8443/")]),
    "redirect-with-credentials": (0, [redirect("https://alice:secret@example.org/")]),
    "redirect-with-u-labels": (0, [redirect("https://b\u00fccher\u3002example.org/\u00fc")]),
    "redirect-without-location": (0, ["302\n\n"]),
    "redirect-with-two-locations": (0, ["302\nLocation: /a\nlocation: /b\n\n"]),
}
for name, (choice, responses) in FETCHES.items():
    data = b"\xff".join(response.encode() for response in responses)
    write("mail_autoconfig_fetch", name, bytes([choice]) + data)

# oracle::proxy_protocol reads the octets as they are.
for case in vectors("mail-implicit-tls", "proxy-protocol"):
    octets = bytes.fromhex(case["octets"])
    if len(octets) <= MOST_BYTES and case.get("listed", True):
        write("mail_proxy_protocol", case["name"], octets)
# oracle::submission reads an octet for the backend, whose bit 0 is CHUNKING and bit 7 the field of Received, and what the
# client sends, to which the backend of the oracle replies.
SESSIONS = ("internal-0", "ehlo-utf-8", "ehlo-two", "line", "bare", "pipelined", "smtputf8", "client-0", "auth-response", "certificate-plain", "data", "bdat", "received-f", "quit")
for case in vectors("mail-implicit-tls", "gateway-submission"):
    data = "".join(text for side, text in case["script"] if side == "client").encode("latin-1")
    traits = 1 | 0x80 * case.get("options", {}).get("received", False)
    if len(data) <= MOST_BYTES and case["name"].startswith(SESSIONS):
        write("mail_gateway_submission", case["name"], bytes([traits]) + data)

finish()
