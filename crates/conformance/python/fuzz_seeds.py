"""Writes the seed corpora of the fuzz targets, fuzz/seeds, from the vectors."""

import base64
import json
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
VECTORS = REPOSITORY / "crates/tokenbind-wire/vectors"
SEALED = REPOSITORY / "crates/tokenbind-http/vectors/sealed-token.json"
SEEDS = REPOSITORY / "fuzz/seeds"
# The orders of TokenBindingAlpn::ALL and EncodingProfile::ALL, which section_5's first byte indexes.
ALPN = ["h2_tb_p256", "h2_tb_rsa2048", "http/1.1_tb_p256", "http/1.1_tb_rsa2048"]
PROFILES = [("x962", "der"), ("x962", "raw64"), ("bare64", "der"), ("bare64", "raw64")]
MOST_BYTES = 1300


def cases(suite):
    for case in json.loads((VECTORS / f"{suite}.json").read_text())["cases"]:
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


# sealed_token's first byte: see the oracle of that name.
MAC_LAST, TEXT, COOKIES = 0, 64, 128
NAME = "__Host-session"
for case in json.loads(SEALED.read_text())["cases"]:
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
