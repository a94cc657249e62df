"""The second implementation of tokenbind-http, behind the interface of docs/vectors.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from implementation_interface import Rejected, serve  # noqa: E402

import origin_reference  # noqa: E402
import tokenbind_http_reference as reference  # noqa: E402


def judged(suite):
    def answer(**fields):
        try:
            return suite(**fields)
        except (reference.Refused, reference.wire.Refused, origin_reference.Refused) as refused:
            raise Rejected(**refused.reject) from None

    return answer


SUITES = reference.SUITES | {"origin": origin_reference.origin}
serve({f"tokenbind-http/{name}": judged(suite) for name, suite in SUITES.items()})
