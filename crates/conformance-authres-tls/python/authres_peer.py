"""Python's authres as a peer: reads a JSON list of values of Authentication-Results, prints what it reads
of each, or why it refuses it. With --serve, it answers over the interface of docs/vectors.md. authres is independent of the
crates."""

import json
import sys
from pathlib import Path

import authres

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from implementation_interface import Rejected, Unsupported, serve  # noqa: E402


def read(value):
    try:
        header = authres.AuthenticationResultsHeader.parse_value(value)
    except Exception as error:  # whatever it raises is a refusal
        return {"error": f"{type(error).__name__}: {error}"}
    return {
        "authserv_id": header.authserv_id,
        "results": [
            {
                "method": result.method,
                "result": result.result,
                "reason": result.reason,
                "properties": [[it.type, it.name, it.value] for it in result.properties],
            }
            for result in header.results
            if not isinstance(result, authres.NoneAuthenticationResult)
        ],
    }


def accepted(value):
    said = read(value)
    if "error" in said:
        raise Rejected()
    return said


def real(value, met, arc=False):
    if arc:
        raise Unsupported("ARC")
    results = []
    for it in accepted(value)["results"]:
        reason = {} if it["reason"] is None else {"reason": it["reason"]}
        properties = [[f"{ptype}.{name}", text] for ptype, name, text in it["properties"]]
        results.append({"method": it["method"], "result": it["result"], **reason, "properties": properties})
    return {"results": results}


def header(value, mode="strict", eai=False, arc=False, bare_lf=False):
    """Only accept or reject: the reader keeps no comments apart."""
    if mode != "strict" or eai or arc or bare_lf:
        raise Unsupported("lenient, EAI, ARC or a bare LF")
    if not isinstance(value, str):
        raise Unsupported("a recipe")
    accepted(value)


if sys.argv[1:] == ["--serve"]:
    serve({"authres-tls/real": real, "authres-tls/header": header})
else:
    json.dump([read(value) for value in json.load(sys.stdin)], sys.stdout)
