"""Writes a file of vectors, or compares it with `--check`."""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import in_file  # noqa: E402

FOLDER = Path(__file__).resolve().parents[1]


class SuiteFile:
    def __init__(self, suite, script, requirements):
        self.suite, self.requirements, self.cases = suite, requirements, {}
        self.source = f"crates/conformance-mail-implicit-tls/python/{Path(script).name}"

    def case(self, name, accept, requirements=None, **fields):
        assert name not in self.cases, name
        requirements = self.requirements if requirements is None else requirements
        self.cases[name] = {"name": name, "requirements": requirements, **fields, "accept": accept}

    def write(self, check):
        cases = list(self.cases.values())
        body = ",\n".join("  " + json.dumps(in_file(it), ensure_ascii=True) for it in cases)
        head = json.dumps({"suite": f"mail-implicit-tls/{self.suite}", "source": self.source, "count": len(cases)})
        text = f'{head[:-1]}, "cases": [\n{body}\n]}}\n'
        print(f"{self.suite}: {len(cases)} cases")
        file = FOLDER / f"vectors/{self.suite}.json"
        if not check:
            file.write_text(text)
        elif file.read_text() != text:
            sys.exit(f"{file} differs")


def main(*files):
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for file in files:
        file.write(check)
