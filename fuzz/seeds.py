"""Writes the seed corpora of the fuzz targets, fuzz/seeds, from the vectors."""

import base64
import json
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CRATES = REPOSITORY / "crates"
SEEDS = REPOSITORY / "fuzz/seeds"
# The orders of TokenBindingAlpn::ALL and EncodingProfile::ALL, which section_5's first byte indexes.
ALPN = ["h2_tb_p256", "h2_tb_rsa2048", "http/1.1_tb_p256", "http/1.1_tb_rsa2048"]
PROFILES = [("x962", "der"), ("x962", "raw64"), ("bare64", "der"), ("bare64", "raw64")]
MOST_BYTES = 1300


def vectors(crate, suite):
    return json.loads((CRATES / f"conformance-{crate}/vectors/{suite}.json").read_text())["cases"]


def cases(suite):
    for case in vectors("tokenbind-wire", suite):
        if case["input"] is not None and not case["name"].startswith("truncated"):
            data = bytes.fromhex(case["input"])
            if len(data) <= MOST_BYTES:
                yield case["name"], data, case


def write(target, name, data):
    (SEEDS / target).mkdir(parents=True, exist_ok=True)
    (SEEDS / target / name).write_bytes(data)


for name, data, case in cases("message"):
    connection = ALPN.index(case["negotiated"]) if case["negotiated"] else 32
    profile = PROFILES.index((case["profile"]["point"], case["profile"]["signature"]))
    position = 0 if case["first"] else 16
    write("section_5", name, bytes([connection | profile << 2 | position]) + data)
    if "accept" in case:
        write("message", name, data)
for name, data, _ in cases("id"):
    write("id", name, data)


# The forms that conformance_tokenbind_http::oracle reads are described there.


def number(operation, n):
    return bytes([operation]) + n.to_bytes(2, "big")


def octets(values):
    return [value.encode("latin-1") for value in values]


def request(values, earlier):
    if not values:
        return number(0, 0)
    if values in earlier:
        return number(4, earlier.index(values))
    if len(values) == 2 and values[:1] == values[1:] and values[:1] in earlier:
        return number(4, 0x8000 | earlier.index(values[:1]))
    body = values[0].rstrip(b"=")
    if len(values) == 1 and re.fullmatch(rb"[A-Za-z0-9_-]*", body) and len(body) % 4 != 1:
        message = base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
        for operation, encoded in enumerate((base64.urlsafe_b64encode(message).rstrip(b"="), base64.urlsafe_b64encode(message)), 2):
            if encoded == values[0]:
                return number(operation, len(message)) + message
    return number(1, len(values[0])) + values[0]


def connection(fields):
    choice = ALPN.index(fields["negotiated"]) if fields["negotiated"] else 16
    choice |= PROFILES.index((fields["profile"]["point"], fields["profile"]["signature"])) << 2
    return choice | fields["allow_padding"] << 5 | fields["allow_later_requests_without_header"] << 6


PARTIES = {"https://rp.example": 0, "https://idp.example": 1, "https://third.example:8443": 2}


def party(fields):
    return PARTIES.get(fields["origin"], 3) | {None: 0, "rsa2048": 1, "p256": 2}[fields["negotiated"]] << 2


for case in vectors("tokenbind-http", "header"):
    values = octets(case["values"])
    if len(values) == 1 and len(values[0]) <= MOST_BYTES:
        write("token_binding_header", case["name"], values[0])
for case in vectors("tokenbind-http", "request"):
    # A length has two octets; so long a header is no seed.
    if any(len(value) > MOST_BYTES for values in case["requests"] for value in values):
        continue
    data, earlier = bytes([connection(case["connection"])]), []
    for values in map(octets, case["requests"]):
        data += request(values, earlier)
        earlier.append(values)
    if len(data) <= 2 * MOST_BYTES:
        write("requests", case["name"], data)
for case in vectors("tokenbind-http", "redirect"):
    data = bytes([party(case["consumer"])])
    for hop in case["hops"]:
        values = octets(hop["headers"])
        data += bytes([party(hop["to"]), hop["status"] - 290 & 255, len(values)])
        data += b"".join(bytes([len(value)]) + value for value in values)
    write("redirect", case["name"], data)
for case in vectors("tokenbind-http", "client-hello"):
    data = bytes.fromhex(case["records"])
    if len(data) <= MOST_BYTES:
        write("client_hello", case["name"], data)
# sealed_token's first byte: see the oracle of that name.
MAC_LAST, TEXT, COOKIES = 0, 64, 128
NAME = "__Host-session"
for case in vectors("tokenbind-http", "sealed-token"):
    token = case["input"]
    if len(token) > MOST_BYTES:
        continue
    options = (case["bearer_policy"] == "honor") | (case["connection"] is None) << 1
    if case["cookie"] == NAME:
        for name, header in (
            ("once", f"{NAME}={token}"), ("between", f"a=b; {NAME}={token}; c=d"),
            ("in-the-second-header", f"a=b; c\n{NAME}={token}"), ("twice", f"{NAME}={token}; {NAME}={token}"),
            ("twice-in-two-headers", f"{NAME}={token}\n{NAME}="), ("quoted", f'{NAME}="{token}"'),
            ("blanks", f" \t{NAME}={token}\t ;"), ("no-break-space", f"\u00a0{NAME}={token}"), ("form-feed", f"\f{NAME}={token}"),
            ("absent", "a=b"),
        ):
            write("sealed_token", "cookie-" + name, bytes([COOKIES | options]) + header.encode("latin-1"))
    bad_text = "reject" in case and case["reject"]["field"] == "SealedToken"
    if bad_text or "accept" in case:
        write("sealed_token", "text-" + case["name"].removeprefix("text-"), bytes([TEXT | options]) + token.encode())
    if not bad_text and not case["name"].startswith("mac-"):
        octets = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        second_key = octets[1:5] == b"\xff" * 4
        write("sealed_token", "octets-" + case["name"], bytes([MAC_LAST | options | second_key << 2]) + octets[:-32])


# The targets of authres-tls; each oracle says what its first bytes choose.
def given(value):
    """A value, unless it is a recipe for a long one."""
    return value.encode() if isinstance(value, str) and len(value) <= MOST_BYTES else None


for suite in "header", "lenient", "real", "tls":
    for case in vectors("authres-tls", suite):
        value = given(case["value"])
        if value is None:
            continue
        if suite == "tls":
            write("authres_tls", case["name"], value)
        elif case.get("mode") != "lenient" or not case["name"].endswith("-lenient"):
            write("authres_header", case["name"], value)
            if "accept" in case:
                write("authres_edit", case["name"], (0x5555).to_bytes(8, "little") + value)
for case in vectors("authres-tls", "strip"):
    value = given(case["value"])
    if value is not None:
        choice = (not case.get("subdomains", True)) | 2 * case.get("all", False) | 6 * case.get("from_trusted", False)
        fields = b"Received: x\r\nAuthentication-Results: " + value + b"\r\nSubject: y\r\n\r\nbody\r\n"
        write("authres_strip", case["name"], bytes([choice]) + fields)
SEEN = set()
for case in vectors("authres-tls", "write"):
    # One of each group of texts; the oracle tells by its length what a text is for.
    texts = [case["model"]["authserv_id"]]
    for result in case["model"].get("results", []):
        texts += ["a", result["method"]]
        texts += [text + " " * (-len(text.encode()) % 5 + 2) for text in result.get("comments", [])]
        for _, name, text in result.get("props", []):
            texts += [text, name]
    data = b"\xff".join(text.encode() for text in ["\x02\x4e\x75\x00", *texts])
    shape = (len(texts), case["name"].split("-")[0], any(text.startswith('"') and "@" in text for text in texts), data.isascii())
    if shape not in SEEN and len(data) <= MOST_BYTES:
        SEEN.add(shape)
        write("authres_write", case["name"], data)

# The targets of deep-latch: texts as they are.
for suite, target in (("status", "deep_status"), ("pop-capa", "deep_status"), ("imap-id", "deep_imap_id"),
                      ("smtp-client", "deep_smtp_client"), ("security-latch", "deep_security_latch"), ("tls-cipher", "deep_security_latch")):
    for case in vectors("deep-latch", suite):
        value = given(case.get("text"))
        # One of each of the octets that an extension may begin with is enough.
        if value is not None and (not case["name"].startswith("octet-") or case["name"] in ("octet-3d", "octet-3c-within")):
            write(target, f"{suite}-{case['name']}", value)

# conformance_deep_latch::oracle::trace reads a host's record, options, and events.
WORDS = ["tls10", "tls12", "tls-cert", "tls-dane-tlsa", "x-bound", "y-unknown", "<https://now.example/>"]
VERSIONS = ["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3", None, "DTLSv1.2"]
STRENGTHS = [None, 0, 112, 127, 128, 256]
CHAINS = ["not-checked", "trusted", "refused"]
IDENTITIES = ["not-checked", "matches", "differs"]
DANES = ["not-checked", "no-records", "differs", 0, 1, 2, 3]


def status_octets(text):
    words = text.split(" ") if text else []
    if all(word in WORDS for word in words):
        return bytes([sum({1 << WORDS.index(word) for word in words})])
    return bytes([0x80, len(text)]) + text.encode()


FAULTS = ["negotiation", "transport", "server", "local", "chain", "identity", "dane"]


def event_octets(event):
    if isinstance(event, str):
        return bytes([{"no-tls": 0, "no-status": 6}[event]])
    (what, value), = event.items()
    if what == "handshake-failed":
        return bytes([1 | FAULTS.index(value) << 3])
    if what == "status":
        return b"\4" + status_octets(value)
    if what == "logged-in":
        return b"\7" if value == "done" else b"\x0f"
    strength = STRENGTHS.index(value["strength_bits"]) if value["strength_bits"] in STRENGTHS else 2
    verdicts = CHAINS.index(value["chain"]), IDENTITIES.index(value["identity"]), DANES.index(value["dane"])
    first = VERSIONS.index(value["version"]) | strength << 3
    return bytes([2, first, verdicts[0] + 3 * verdicts[1] + 9 * verdicts[2]])


for case in vectors("deep-latch", "latch"):
    latched = [tag.lower() for tag in case["latched"]]
    if case["name"].startswith(("latched-of-chain-", "handshake-fails-after-it-")) or not all(tag in WORDS for tag in latched):
        continue
    options = (case["status"] is not None) | 2 * (case["dane_identity"] == "rfc7671") | 4 * bool(case["after_login"])
    options |= 8 * (case["on_tlsa_mismatch"] == "go-on")
    begin = bytes([sum({1 << WORDS.index(tag) for tag in latched}), options])
    if case["status"] is not None:
        begin += status_octets(case["status"])
    write("deep_latch_events", case["name"], begin + b"".join(map(event_octets, case["events"])))

# conformance_deep_latch::oracle::proxy reads a byte for the cipher suite, what the server does, and the client's octets.
for case in vectors("deep-latch", "imap-proxy"):
    said = "".join(text for who, text in case["said"] if who == "client")
    write("deep_imap_proxy", case["name"], bytes([case["tls"] is None, 0, 0, 0, 0xff]) + said.encode())

# The oracles of mail-implicit-tls read a whole certificate after 0, GeneralNames after 1, and a Received field as it is.
sys.path.insert(0, str(CRATES / "conformance-mail-implicit-tls/python"))
from identity_reference import SAN, Unreadable, elements  # noqa: E402


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
