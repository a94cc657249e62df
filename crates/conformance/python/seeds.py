"""The seed corpora of the fuzz targets, fuzz/seeds: read from the vectors by `fuzz_seeds.py` of each protocol."""

import json
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SEEDS = REPOSITORY / "fuzz/seeds"
MOST_BYTES = 1300


def vectors(crate, suite):
    """The cases, with the fields of the suite beside their names."""
    file = json.loads((REPOSITORY / f"crates/conformance-{crate}/vectors/{suite}.json").read_text())
    return [{key: value for key, value in case.items() if key != "input"} | case["input"] for case in file["cases"]]


def write(target, name, data):
    (SEEDS / target).mkdir(parents=True, exist_ok=True)
    (SEEDS / target / name).write_bytes(data)


def given(value):
    """A value, unless it is a recipe for a long one."""
    return value.encode() if isinstance(value, str) and len(value) <= MOST_BYTES else None
