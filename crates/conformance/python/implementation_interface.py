"""The interface of docs/vectors.md for implementations in Python: requests on standard input, answers on standard output."""

import json
import sys


class Rejected(Exception):
    """The input is wrong. `reject` has the kind, the field and the offset, or some of them."""

    def __init__(self, **reject):
        super().__init__(reject)
        self.reject = reject


class Unsupported(Exception):
    """There is no answer, for the reason given."""


def serve(suites):
    """`suites` has a function of the fields of a case for each suite; its result is what is accepted."""
    for line in sys.stdin:
        request = json.loads(line)
        suite = suites.get(request["suite"])
        if suite is None:
            answer = {"unsupported": "no such suite"}
        else:
            try:
                answer = {"accept": suite(**request["input"])}
            except Rejected as rejected:
                answer = {"reject": rejected.reject}
            except Unsupported as unsupported:
                answer = {"unsupported": str(unsupported)}
        print(json.dumps(answer | {"name": request["name"]}), flush=True)
