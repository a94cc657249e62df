"""The second implementation of the grammars of deep-latch, behind the interface of docs/vectors.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from implementation_interface import Rejected, serve  # noqa: E402

import deep_latch_reference as reference  # noqa: E402


def judged(suite):
    def answer(**fields):
        outcome = reference.judge(suite, fields)
        if "reject" in outcome:
            raise Rejected()
        return outcome["accept"]

    return answer


serve({f"deep-latch/{suite}": judged(suite) for suite in reference.SUITES})
