"""The second implementations of deep-latch, behind the interface of docs/vectors.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from implementation_interface import Rejected, serve  # noqa: E402

import deep_latch_imap_reference as imap  # noqa: E402
import deep_latch_proxy_reference as proxy  # noqa: E402
import deep_latch_reference as reference  # noqa: E402
import deep_latch_session_reference as session  # noqa: E402
import deep_latch_trace_reference as trace  # noqa: E402


def judged(suite):
    def answer(**fields):
        outcome = reference.judge(suite, fields)
        if "reject" in outcome:
            raise Rejected()
        return outcome["accept"]

    return answer


def read(suite):
    def answer(**fields):
        try:
            return suite(**reference.spelt_out(fields))
        except reference.Refused:
            raise Rejected() from None

    return answer


def imap_commands(text=None, hex=None, max_literal=1024):
    return {"read": imap.commands(bytes.fromhex(hex) if text is None else text.encode(), max_literal)}


def latch(host, latched, status, events, dane_identity="as-pkix", on_tlsa_mismatch="refuse", after_login=()):
    return trace.judge(latched, status, events, dane_identity, on_tlsa_mismatch, after_login)


SUITES = {name: judged(name) for name in reference.SUITES} | {
    "proxy": read(proxy.proxy), "relay": read(proxy.relay), "delivery-status": read(proxy.delivery_status),
    "imap-commands": imap_commands, "imap-proxy": read(session.session), "latch": latch,
}
serve({f"deep-latch/{name}": suite for name, suite in SUITES.items()})
