"""The files of vectors of this crate, to which cases are added one by one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
import cases  # noqa: E402


class SuiteFile(cases.SuiteFile):
    def __init__(self, suite, script, requirements):
        source = f"crates/conformance-mail-implicit-tls/python/{Path(script).name}"
        super().__init__(f"mail-implicit-tls/{suite}", source, [])
        self.requirements = requirements

    def case(self, name, accept, requirements=None, **fields):
        requirements = self.requirements if requirements is None else requirements
        self.cases.append({"name": name, "requirements": requirements, **fields, "accept": accept})


def main(*files):
    cases.main(None, *files)
