"""Python's authres as a peer: reads `NAME COUNT` lines, answers with nanoseconds for that many rounds
of the ten values of that name."""

import json
import sys
import time
from pathlib import Path

import authres

VALUES = json.loads((Path(__file__).parent / "values.json").read_text())


def parse(values):
    for value in values:
        authres.AuthenticationResultsHeader.parse_value(value)


def write(headers):
    for header in headers:
        str(header)


WORK = {}
for name, values in VALUES.items():
    read = []
    for value in values:
        read.append(authres.AuthenticationResultsHeader.parse_value(value))
    WORK["parse-" + name] = (parse, values)
    WORK["write-" + name] = (write, read)

for line in sys.stdin:
    name, count = line.split()
    work, values = WORK[name]
    start = time.perf_counter_ns()
    for _ in range(int(count)):
        work(values)
    print(time.perf_counter_ns() - start, flush=True)
