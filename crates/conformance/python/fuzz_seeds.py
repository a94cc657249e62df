"""Writes the seed corpora of the fuzz targets, fuzz/seeds, from the vectors of tokenbind-wire."""

import json
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
VECTORS = REPOSITORY / "crates/tokenbind-wire/vectors"
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
