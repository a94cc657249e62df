"""Cases in a file of vectors, and what the script does that writes the file."""

import argparse
import json
import sys
from pathlib import Path

CRATES = Path(__file__).resolve().parents[2]


def in_file(case):
    """A case whose fields of the suite are beside its name, as it is in a file: they are under `input`."""
    ours = ("name", "requirements", "accept", "reject")
    before = {key: case[key] for key in ours[:2]}
    after = {key: case[key] for key in ours[2:] if key in case}
    return {**before, "input": {key: value for key, value in case.items() if key not in ours}, **after}


class SuiteFile:
    """The file of a suite, whose cases have the fields of the suite beside their names."""

    def __init__(self, suite, source, cases, indent="  ", ensure_ascii=True):
        self.suite, self.source, self.cases, self.indent, self.ensure_ascii = suite, source, cases, indent, ensure_ascii

    def text(self):
        names = [it["name"] for it in self.cases]
        assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
        lines = ",\n".join(self.indent + json.dumps(in_file(it), ensure_ascii=self.ensure_ascii) for it in self.cases)
        head = json.dumps({"suite": self.suite, "source": self.source, "count": len(self.cases)})
        return f'{head[:-1]}, "cases": [\n{lines}\n]}}\n'

    def path(self):
        protocol, name = self.suite.split("/")
        return CRATES / f"conformance-{protocol}/vectors/{name}.json"


def main(description, *files):
    """Writes files, or compares them with `--check`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for file in files:
        path, text = file.path(), file.text()
        print(f"{file.suite}: {len(file.cases)} cases")
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"{path} is not what this script generates")
