"""Writes the seeds of authres-tls's fuzz targets, fuzz/seeds, from the vectors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from seeds import MOST_BYTES, finish, given, vectors, write  # noqa: E402

# Each oracle says what its first octets choose.
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
for case in vectors("authres-tls", "milter"):
    # From the first octet, and after the oracle's own negotiation.
    received = bytes.fromhex(case["received"])
    if len(received) <= MOST_BYTES and ("reject" in case or case["name"].startswith(("hidden", "several", "sendmail-o"))):
        write("authres_milter", case["name"], bytes([(case.get("host") == "helo") | 2, 1]) + received)
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

finish()
