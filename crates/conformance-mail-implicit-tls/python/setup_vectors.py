"""Writes mail-implicit-tls/vectors/setup.json: what the SRV records of a mail domain offer. How each case ends is stated
by hand in a short form; setup_reference.py, a second implementation, must find the same and gives the whole result. The
order among weights comes from the second implementation alone.

    python3 crates/conformance-mail-implicit-tls/python/setup_vectors.py [--check]
"""

import setup_reference as reference
from suite_file import SuiteFile, main

SUITE = SuiteFile("setup", __file__, ["newman-8-1"])
DOMAIN = "example.org"
NONE = {"denied": ["noname", "secure"]}
ALL = [label for pair in reference.LABELS.values() for label in pair]
FAILURES = ["bogus", "server-failure", "refused", "code", "timeout", "unreachable", "malformed", "aliases", "too-large"]


def srv(target, priority=0, weight=0, port=993):
    return [priority, weight, port, target]


def records(*given, dnssec="secure"):
    return {"records": {"owner": "owner.example.org.", "dnssec": dnssec, "data": [{"srv": it} for it in given]}}


def short(offer):
    """The hosts and ports in their order, with `+` for implicit TLS and `-` for clear text, or what the offer is."""
    if "candidates" not in offer:
        return next(iter(offer.items()))
    sign = lambda it: "-" if "clear" in it["service"] else "" if "STARTTLS" in it["service"] else "+"
    return " ".join(f"{sign(it)}{it['host'].removesuffix('.' + DOMAIN)}:{it['port']}" for it in offer["candidates"] + offer["clear"])


def case(name, expected, answers, protocol="imap", level="high", seed=7, warnings=None, refused=(), changes=None, missing=(), requirements=None, **more):
    """`expected`: the short form of the protocol's offer. Labels that `answers` lacks are denied, unless `missing`."""
    answers = {label: answers.get(label, NONE) for label in ALL if label not in missing}
    configured = more.get("configured", [])
    setup = reference.Setup(DOMAIN, level, seed, answers, more.get("confirmed", False))
    result = setup.result(configured)
    offer = result[protocol]
    assert short(offer) == expected, f"{name}: {short(offer)}"
    listed = offer.get("candidates", []) + offer.get("clear", [])
    if warnings is not None:
        found = [[it if isinstance(it, str) else it[0] for it in one["warnings"]] for one in listed]
        assert found == warnings, f"{name}: {found}"
    assert [it[1] for it in offer.get("refused", [])] == list(refused), f"{name}: {offer}"
    if configured:
        assert [it[0] for it in result["changes"]] == changes, f"{name}: {result['changes']}"
    SUITE.case(name, result, requirements, domain=DOMAIN, level=level, seed=seed, answers=answers, **more)


TLS, START = "_imaps", "_imap"
A, B = srv("a.example.org."), srv("b.example.org.", port=143)

# The preference.
case("nothing", ("not_advertised", "secure"), {})
case("implicit-tls", "+a:993", {TLS: records(A)}, warnings=[[]])
case("starttls", "b:143", {START: records(B)}, warnings=[[]])
for level in ("high", "low"):
    case(f"both-{level}", "+a:993 b:143", {TLS: records(A), START: records(B)}, level=level, warnings=[[], []], requirements=["newman-8-1", "newman-8-2", "newman-8-3"])
    case(f"priority-of-starttls-{level}", "+a:993 b:143", {TLS: records(srv("a.example.org.", 10)), START: records(srv("b.example.org.", 0, port=143))}, level=level, requirements=["newman-8-2"])
    case(f"root-beside-others-of-implicit-tls-{level}", "b:143", {TLS: records(A, srv(".", port=0)), START: records(B)}, level=level, refused=["root-beside-others"] * 2, requirements=["newman-8-3"])
    case(f"port-0-of-implicit-tls-{level}", "b:143", {TLS: records(srv("a.example.org.", port=0)), START: records(B)}, level=level, refused=["port"], requirements=["newman-8-3"])
case("starttls-alone-low", "b:143 -b:143", {START: records(B)}, level="low", warnings=[[], ["clear-text"]], requirements=["newman-8-3", "newman-8-4"])
case("starttls-twice-low", "b:143 a:1143 -b:143 -a:1143", {START: records(B, srv("a.example.org.", 1, port=1143))}, level="low", requirements=["newman-8-3"])
case("no-implicit-tls-low", "b:143 -b:143", {TLS: records(srv(".", port=0)), START: records(B)}, level="low", requirements=["newman-8-3"])
case("starttls-insecure-low", "b:143 -b:143", {START: records(B, dnssec="insecure")}, level="low", warnings=[["not-authenticated"], ["not-authenticated", "clear-text"]], requirements=["newman-8-4", "newman-8-6"])
for protocol, (tls, starttls) in reference.LABELS.items():
    case(f"{protocol}-both", "+a:993 b:143", {tls: records(A), starttls: records(B)}, protocol)
    case(f"{protocol}-clear", "b:143 -b:143", {starttls: records(B)}, protocol, "low")
case("label-and-not-port", "+a:587 b:465", {"_submissions": records(srv("a.example.org.", port=587)), "_submission": records(srv("b.example.org.", port=465))}, "submission")
case("label-and-not-port-imap", "+a:143 b:993", {TLS: records(srv("a.example.org.", port=143)), START: records(srv("b.example.org."))})

# The target ".".
for dnssec in ("secure", "insecure"):
    case(f"root-implicit-{dnssec}", ("unavailable", dnssec), {TLS: records(srv(".", port=0), dnssec=dnssec)}, level="low")
    case(f"root-starttls-{dnssec}", ("unavailable", dnssec), {START: records(srv(".", port=0), dnssec=dnssec)}, level="low")
    case(f"root-both-{dnssec}", ("unavailable", "insecure"), {TLS: records(srv(".", port=0), dnssec=dnssec), START: records(srv(".", port=0), dnssec="insecure")})
    case(f"root-implicit-{dnssec}-starttls", "b:143", {TLS: records(srv(".", port=0), dnssec=dnssec), START: records(B)})
    case(f"implicit-tls-root-starttls-{dnssec}", "+a:993", {TLS: records(A), START: records(srv(".", port=0), dnssec=dnssec)})
case("root-twice", ("unavailable", "secure"), {TLS: records(srv(".", port=0), srv(".", 1, port=0))})
case("root-with-port", ("unavailable", "secure"), {TLS: records(srv("."))})
case("root-secure-denial-insecure", ("unavailable", "secure"), {TLS: records(srv(".", port=0)), START: {"denied": ["nodata", "insecure"]}})
case("root-beside-others-alone", "", {TLS: records(srv(".", 0, port=0), A)}, refused=["root-beside-others"] * 2)
case("root-beside-others-in-any-order", "", {TLS: records(A, B, srv(".", 9, 9))}, refused=["root-beside-others"] * 3)
case("root-beside-others-starttls", "+a:993", {TLS: records(A), START: records(srv("."), B)}, refused=["root-beside-others"] * 2)

# Targets and ports.
for kind, target in [("address", "192.0.2.1."), ("number", "mail.1."), ("underscore", "_x.example.org."), ("wildcard", "*.example.org."), ("hyphen-first", "-a.example.org."), ("hyphen-last", "a-.example.org.")]:
    case(f"target-{kind}", "+b:993", {TLS: records(srv(target), srv("b.example.org.", 1))}, refused=["target"])
    case(f"target-{kind}-alone", "", {TLS: records(srv(target))}, level="low", refused=["target"])
case("target-and-port", "", {TLS: records(srv("_x.example.org.", port=0))}, refused=["target"])
case("port-0-beside", "+b:993", {TLS: records(srv("a.example.org.", port=0), srv("b.example.org.", 1))}, refused=["port"])
case("port-1", "+a:1", {TLS: records(srv("a.example.org.", port=1))})
case("port-65535", "+a:65535", {TLS: records(srv("a.example.org.", port=65535))})
case("target-upper-case", "+a:993", {TLS: records(srv("A.Example.ORG."))})
case("target-one-label", "+localhost:993", {TLS: records(srv("localhost."))})
case("target-a-label", "+xn--bcher-kva.example:993", {TLS: records(srv("xn--bcher-kva.example."))})
case("target-63-octets", "+" + "a" * 63 + ":993", {TLS: records(srv("a" * 63 + ".example.org."))})
case("same-record-twice", "+a:993 +a:993", {TLS: records(A, A)})
case("same-host-both-labels", "+a:993 a:993", {TLS: records(A), START: records(A)})

# DNSSEC and the warnings.
for name, target, foreign in [("within", "imap.example.org.", False), ("domain-itself", "example.org.", False), ("deep", "a.b.c.example.org.", False), ("other", "mail.hoster.example.", True), ("suffix-without-dot", "notexample.org.", True), ("parent", "org.", True), ("domain-in-front", "example.org.evil.example.", True)]:
    host = target.rstrip(".").removesuffix("." + DOMAIN)
    why = ["not-authenticated"] + ["foreign-host"] * foreign
    case(f"secure-{name}", f"+{host}:993", {TLS: records(srv(target))}, warnings=[[]], requirements=["newman-8-5"])
    case(f"insecure-{name}", f"+{host}:993", {TLS: records(srv(target), dnssec="insecure")}, warnings=[why], requirements=["newman-8-5", "newman-8-6"])
    case(f"insecure-{name}-confirmed", f"+{host}:993", {TLS: records(srv(target), dnssec="insecure")}, warnings=[[]], confirmed=True, requirements=["newman-8-6"])
case("confirmed-clear-text", "b:143 -b:143", {START: records(B, dnssec="insecure")}, level="low", warnings=[[], ["clear-text"]], confirmed=True, requirements=["newman-8-4"])
case("secure-and-insecure", "+a:993 b:143", {TLS: records(A, dnssec="insecure"), START: records(B)}, warnings=[["not-authenticated"], []], requirements=["newman-8-6"])
for first in ("secure", "insecure"):
    for second in ("secure", "insecure"):
        worse = "insecure" if "insecure" in (first, second) else "secure"
        case(f"denied-{first}-{second}", ("not_advertised", worse), {TLS: {"denied": ["nodata", first]}, START: {"denied": ["noname", second]}})

# Lookups that fail.
for failure in FAILURES:
    case(f"{failure}-of-implicit-tls", ("failed", ["imaps", failure]), {TLS: {"failed": failure}, START: records(B)}, level="low")
    case(f"{failure}-of-starttls", ("failed", ["imap with STARTTLS", failure]), {TLS: records(A), START: {"failed": failure}}, level="low")
    case(f"{failure}-of-another-protocol", "+a:993", {TLS: records(A), "_pop3s": {"failed": failure}})
    case(f"{failure}-beside-root", ("failed", ["imap with STARTTLS", failure]), {TLS: records(srv(".")), START: {"failed": failure}})
case("both-fail", ("failed", ["imaps", "bogus"]), {TLS: {"failed": "bogus"}, START: {"failed": "timeout"}})
case("no-answer-before-the-deadline", ("failed", ["imaps", "timeout"]), {START: records(B)}, missing=[TLS])
case("one-answer-before-the-deadline", ("failed", ["imap with STARTTLS", "timeout"]), {TLS: records(A)}, missing=[START])
case("no-answers-before-the-deadline", ("failed", ["imaps", "timeout"]), {}, missing=ALL)
case("other-protocols-before-the-deadline", "+a:993", {TLS: records(A)}, missing=ALL[2:])

# Priority and weight.
case("priorities", "+a:993 +b:993 +c:993", {TLS: records(srv("c.example.org.", 20), srv("a.example.org.", 0), srv("b.example.org.", 10))})
case("priority-before-weight", "+a:993 +b:993", {TLS: records(srv("b.example.org.", 1, 65535), srv("a.example.org."))})
for seed in (0, 1, 2, 2**63, 2**64 - 1):
    given = records(*[srv(f"{host}.example.org.", 0, weight) for host, weight in zip("abcde", (0, 10, 0, 60, 30))])
    setup = reference.Setup(DOMAIN, "high", seed, {label: NONE for label in ALL} | {TLS: given}, False)
    case(f"weights-seed-{seed}", short(setup.offer("imap")), {TLS: given}, seed=seed)
    case(f"weights-seed-{seed}-refused", short(setup.offer("imap")), {TLS: records(*[it["srv"] for it in given["records"]["data"]], srv("_x.example.org.", 9))}, seed=seed, refused=["target"])

# Later changes.
def changed(name, kinds, configured, answers, **more):
    case(f"change-{name}", more.pop("expected"), answers, configured=configured, changes=kinds, requirements=["newman-8-8"], **more)


NOW = ["imaps", "a.example.org", 993]
changed("none", [], [NOW], {TLS: records(A)}, expected="+a:993")
changed("none-of-two", [], [NOW], {TLS: records(srv("z.example.org.", 0), srv("a.example.org.", 1))}, expected="+z:993 +a:993")
changed("other-host", ["not-advertised"], [NOW], {TLS: records(srv("z.example.org."))}, expected="+z:993")
changed("other-port", ["not-advertised"], [NOW], {TLS: records(srv("a.example.org.", port=1993))}, expected="+a:1993")
changed("other-host-insecure", ["not-advertised"], [NOW], {TLS: records(srv("evil.example."), dnssec="insecure")}, expected="+evil.example:993")
changed("address-configured", ["not-advertised"], [["imaps", "192.0.2.1", 993]], {TLS: records(A)}, expected="+a:993")
changed("starttls-to-implicit-tls", ["more-private"], [["imap with STARTTLS", "a.example.org", 143]], {TLS: records(A)}, expected="+a:993")
changed("starttls-to-both", ["more-private"], [["imap with STARTTLS", "b.example.org", 143]], {TLS: records(A), START: records(B)}, expected="+a:993 b:143")
changed("clear-to-implicit-tls", ["more-private"], [["imap in clear text", "a.example.org", 143]], {TLS: records(A)}, expected="+a:993")
changed("starttls-stays", [], [["imap with STARTTLS", "b.example.org", 143]], {START: records(B)}, expected="b:143")
changed("clear-stays", [], [["imap in clear text", "b.example.org", 143]], {START: records(B)}, expected="b:143")
changed("implicit-tls-to-starttls", ["not-advertised"], [["imaps", "b.example.org", 143]], {START: records(B)}, expected="b:143")
changed("unavailable", ["unavailable"], [NOW], {TLS: records(srv("."))}, expected=("unavailable", "secure"))
changed("nothing-advertised", [], [NOW], {}, expected=("not_advertised", "secure"))
changed("failed", [], [NOW], {TLS: {"failed": "timeout"}}, expected=("failed", ["imaps", "timeout"]))
changed("nothing-usable", [], [NOW], {TLS: records(srv("z.example.org.", port=0))}, expected="", refused=["port"])
changed("of-each", ["not-advertised", "unavailable"], [NOW, ["pop3s", "a.example.org", 995], ["submissions", "a.example.org", 465]], {TLS: records(srv("z.example.org.")), "_pop3s": records(srv("."))}, expected="+z:993")

main(SUITE)
