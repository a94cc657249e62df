"""Python's authres as a peer: reads a JSON list of values of Authentication-Results, prints what it reads
of each, or why it refuses it. authres is independent of the crates."""

import json
import sys

import authres


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


json.dump([read(value) for value in json.load(sys.stdin)], sys.stdout)
