"""The second implementation of the writer of authres-tls, behind the interface of docs/vectors.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from implementation_interface import Rejected, serve  # noqa: E402

import authres_write_vectors as reference  # noqa: E402


def write(**fields):
    try:
        return {"written": reference.written(**fields)}
    except reference.Refused as refused:
        raise Rejected(**refused.reject) from None


serve({"authres-tls/write": write})
