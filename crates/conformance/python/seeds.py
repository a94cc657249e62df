"""The seed corpora of the fuzz targets, fuzz/seeds: read from the vectors by `fuzz_seeds.py` of each protocol."""

import argparse
import json
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SEEDS = REPOSITORY / "fuzz/seeds"
MOST_BYTES = 1300
WRITTEN = {}


def vectors(crate, suite):
    """The cases, with the fields of the suite beside their names."""
    file = json.loads((REPOSITORY / f"crates/conformance-{crate}/vectors/{suite}.json").read_text())
    return [{key: value for key, value in case.items() if key != "input"} | case["input"] for case in file["cases"]]


def write(target, name, data):
    """Keeps a seed for `finish`; a later one of the same name replaces it."""
    WRITTEN[SEEDS / target / name] = data


def finish():
    """Writes the seeds, or with `--check` compares them with the files."""
    parser = argparse.ArgumentParser(description="Writes the seeds of the fuzz targets from the vectors, or compares them.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for path, data in WRITTEN.items():
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        elif not path.is_file() or path.read_bytes() != data:
            sys.exit(f"{path} is not what this script writes")
    print(f"{len(WRITTEN)} seeds")


def given(value):
    """A value, unless it is a recipe for a long one."""
    return value.encode() if isinstance(value, str) and len(value) <= MOST_BYTES else None
