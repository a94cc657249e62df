"""The second implementation of tokenbind-wire, behind the interface of docs/vectors.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from implementation_interface import Rejected, serve  # noqa: E402

import token_binding_reference as reference  # noqa: E402


def judged(suite):
    def answer(**fields):
        try:
            return suite(**fields)
        except reference.Refused as refused:
            raise Rejected(**refused.reject) from None

    return answer


serve({f"tokenbind-wire/{name}": judged(suite) for name, suite in reference.SUITES.items()})
