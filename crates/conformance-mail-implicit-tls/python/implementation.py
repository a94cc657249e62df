"""The second implementations of mail-implicit-tls, behind the interface of docs/vectors.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from implementation_interface import Rejected, serve  # noqa: E402

import autoconfig_reference  # noqa: E402
import dialogue_reference  # noqa: E402
import dns_reference  # noqa: E402
import gateway_imap_reference  # noqa: E402
import gateway_pop_reference  # noqa: E402
import identity_reference  # noqa: E402
import privacy_reference  # noqa: E402
import proxy_protocol_reference  # noqa: E402
import received_reference  # noqa: E402
import setup_reference  # noqa: E402
import submission_reference  # noqa: E402
import tlsa_reference  # noqa: E402


def client_dialogue(service, script, upgraded=False, without_authentication=False):
    return dialogue_reference.client(service, script, upgraded, without_authentication)


def server_dialogue(protocol, can_start_tls, client):
    return dialogue_reference.server(protocol, can_start_tls, client)


def srv_order(records, random):
    return dns_reference.order(records, iter(random))


def without_dot(answer):
    """An answer whose owner is a name as the lookup has them."""
    if "records" not in answer:
        return answer
    return {"records": answer["records"] | {"owner": answer["records"]["owner"].rstrip(".")}}


def host_lookup(host, port, dane, answers):
    lookup = dns_reference.Lookup({question: without_dot(answer) for question, answer in answers.items()})
    result = lookup.host(host, port, dane)
    return {"result": result, "asked": lookup.asked}


def identity(**case):
    return identity_reference.judge(case)


def received(body):
    try:
        return received_reference.read(body)
    except received_reference.Refused:
        raise Rejected() from None


def setup(domain, level, seed, answers, confirmed=False, configured=()):
    return setup_reference.Setup(domain, level, seed, answers, confirmed).result(configured)


def privacy(profile, level, ignore_certificate, clear_text_fallback, connection):
    return privacy_reference.judge(profile, level, ignore_certificate, connection)


def tlsa(**case):
    return tlsa_reference.judge(**case)


def autoconfig(user, file):
    try:
        return autoconfig_reference.read(user, file)
    except autoconfig_reference.Refused:
        raise Rejected() from None


def proxy_protocol(octets, listed=True):
    try:
        return proxy_protocol_reference.opening(octets, listed)
    except proxy_protocol_reference.Refused as refused:
        raise Rejected(**refused.reject) from None


def gateway_submission(script, options=None):
    return submission_reference.play(script, **(options or {}))


def gateway_imap(**case):
    return gateway_imap_reference.session(**case)


def gateway_pop(**case):
    return gateway_pop_reference.session(**case)


SUITES = client_dialogue, server_dialogue, srv_order, host_lookup, identity, received, setup, privacy, tlsa, autoconfig, proxy_protocol, gateway_submission, gateway_imap, gateway_pop
serve({f"mail-implicit-tls/{suite.__name__.replace('_', '-')}": suite for suite in SUITES})
