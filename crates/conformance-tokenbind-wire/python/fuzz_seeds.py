"""Writes the seeds of tokenbind-wire's fuzz targets, fuzz/seeds, from the vectors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from seeds import MOST_BYTES, finish, vectors, write  # noqa: E402

# The orders of TokenBindingAlpn::ALL and EncodingProfile::ALL, which section_5's first byte indexes.
ALPN = ["h2_tb_p256", "h2_tb_rsa2048", "http/1.1_tb_p256", "http/1.1_tb_rsa2048"]
PROFILES = [("x962", "der"), ("x962", "raw64"), ("bare64", "der"), ("bare64", "raw64")]


def cases(suite):
    for case in vectors("tokenbind-wire", suite):
        if case[suite] is not None and not case["name"].startswith("truncated"):
            data = bytes.fromhex(case[suite])
            if len(data) <= MOST_BYTES:
                yield case["name"], data, case


for name, data, case in cases("message"):
    connection = ALPN.index(case["negotiated"]) if case["negotiated"] else 32
    profile = PROFILES.index((case["profile"]["point"], case["profile"]["signature"]))
    position = 0 if case["first"] else 16
    write("section_5", name, bytes([connection | profile << 2 | position]) + data)
    if "accept" in case:
        write("message", name, data)
for name, data, _ in cases("id"):
    write("id", name, data)

finish()
