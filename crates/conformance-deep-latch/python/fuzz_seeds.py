"""Writes the seeds of deep-latch's fuzz targets, fuzz/seeds, from the vectors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from seeds import finish, given, vectors, write  # noqa: E402

# Texts as they are.
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

finish()
