"""Writes mail-implicit-tls/vectors/srv-order.json and host-lookup.json. The order comes from dns_reference.py, a second
implementation. How each lookup ends is stated by hand, and the reference must find the same.

    python3 crates/conformance-mail-implicit-tls/python/dns_vectors.py [--check]
"""

import itertools
import random

import dns_reference as reference
from suite_file import SuiteFile, main

ORDER = SuiteFile("srv-order", __file__, ["newman-8-1"])
LOOKUP = SuiteFile("host-lookup", __file__, ["newman-3-1-3"])
SOURCE = random.Random(2782)
MOST = 2**64 - 1


def order(name, records, numbers):
    used = []

    def take():
        for number in numbers:
            used.append(number)
            yield number

    records = [list(record) for record in records]
    result = reference.order(records, take())
    ORDER.case(name, result, records=records, random=used)


def weights(*given):
    return [(0, weight, 993, f"h{n}.example.org.") for n, weight in enumerate(given)]


def numbers():
    return iter(lambda: SOURCE.getrandbits(64), None)


order("none", [], numbers())
order("one", weights(7), numbers())
order("root", [(0, 0, 0, ".")], numbers())
for name, given in [("equal", (1, 1)), ("zero-and-one", (0, 1)), ("all-zero", (0, 0, 0)), ("rfc-1-3", (1, 3)), ("zeros-beside", (0, 5, 0, 5)), ("greatest", (65535, 65535, 65535)), ("greatest-and-zero", (65535, 0))]:
    for kind, number in [("low", 0), ("high", MOST), ("middle", 2**63), ("one", 1), ("below-middle", 2**63 - 1)]:
        order(f"{name}-{kind}", weights(*given), itertools.repeat(number))
    for n in range(4):
        order(f"{name}-random-{n}", weights(*given), numbers())
# Two records of two tickets each, one of which wins, and RFC 2782's number 0: each side of the border of each ticket.
for ticket in range(1, 5):
    border = -(-ticket * 2**64 // 5)
    for side, number in [("below", border - 1), ("from", border)]:
        order(f"{side}-ticket-{ticket}", weights(1, 1), itertools.chain([number], numbers()))
order("priorities", [(10, 0, 143, "c.example.org."), (0, 0, 993, "a.example.org."), (5, 9, 993, "b.example.org.")], numbers())
order("priority-before-weight", [(1, 65535, 993, "b.example.org."), (0, 0, 993, "a.example.org.")], numbers())
order("rfc-2782-example", [(0, 1, 9, "old-slow-box.example.com."), (0, 3, 9, "new-fast-box.example.com."), (1, 0, 9, "sysadmins-box.example.com."), (1, 0, 9, "server.example.com.")], numbers())
order("same-record-twice", weights(3)[:1] * 2 + weights(0)[:1], numbers())
order("same-host-two-ports", [(0, 1, 993, "a.example.org."), (0, 1, 1993, "a.example.org.")], numbers())
order("greatest-priority", [(65535, 1, 1, "b.example.org."), (65534, 1, 1, "a.example.org.")], numbers())
for count in (10, 64, 128):
    for n in range(3):
        records = [(SOURCE.randrange(3), SOURCE.choice([0, 1, 10, SOURCE.randrange(65536)]), 993, f"h{n}.example.org.") for n in range(count)]
        order(f"{count}-records-{n}", records, numbers())
for name, given in [("powers-of-two", (1, 2, 4, 8)), ("of-three-bits", (4, 5, 6, 7)), ("zeros-beside-two", (0, 2, 0, 1, 0))]:
    for kind, number in [("low", 0), ("high", MOST), ("middle", 2**63)]:
        order(f"{name}-{kind}", weights(*given), itertools.repeat(number))
    for n in range(4):
        order(f"{name}-random-{n}", weights(*given), numbers())
for name, priorities in [("octets-of-priority", (256, 1, 257, 255, 0, 65280)), ("same-priority-apart", (2, 1, 2, 1))]:
    order(name, [(priority, 0, 993, f"h{n}.example.org.") for n, priority in enumerate(priorities)], itertools.repeat(0))

# --- Lookups -----------------------------------------------------------------------------------------------------

HOST, TARGET = "imap.example.org", "mail.example.net"
EE = [3, 1, 1, "ab" * 32]
NO = {"denied": ["nodata", "secure"]}
FAILURES = ["bogus", "server-failure", "refused", "code", "timeout", "unreachable", "malformed", "aliases", "too-large"]


def records(*data, owner=HOST, dnssec="secure"):
    return {"records": {"owner": f"{owner}.", "dnssec": dnssec, "data": [*data]}}


def v4(dnssec="secure", owner=HOST):
    return records({"address": "192.0.2.1"}, owner=owner, dnssec=dnssec)


def v6(dnssec="secure", owner=HOST):
    return records({"address": "2001:db8::1"}, owner=owner, dnssec=dnssec)


def tlsa(*given, base=HOST, port=993, dnssec="secure"):
    return records(*[{"tlsa": it} for it in given or [EE]], owner=f"_{port}._tcp.{base}", dnssec=dnssec)


def failed(failure):
    return {"failed": failure}


def lookup(name, end, a=NO, aaaa=NO, cname=None, at_host=None, at_target=None, port=993, dane="lookup"):
    """`end`: the state of the TLSA records, the base domain if there are some, or the failure."""
    answers = {f"{HOST}. A": a, f"{HOST}. AAAA": aaaa}
    for key, value in ((f"{HOST}. CNAME", cname), (f"_{port}._tcp.{HOST}. TLSA", at_host), (f"_{port}._tcp.{TARGET}. TLSA", at_target)):
        if value:
            answers[key] = value
    asking = reference.Lookup({key: strip(value) for key, value in answers.items()})
    result = asking.host(HOST, port, dane)
    found = result["failed"] if "failed" in result else result["tlsa"] if isinstance(result["tlsa"], str) else result["tlsa"]["base"]
    assert found == end, f"{name}: {result}"
    LOOKUP.case(name, {"result": result, "asked": asking.asked}, host=HOST, port=port, dane=dane, answers=answers)


def strip(answer):
    if "records" not in answer:
        return answer
    return {"records": answer["records"] | {"owner": answer["records"]["owner"].rstrip(".")}}


lookup("secure", HOST, v4(), v6(), at_host=tlsa())
lookup("ipv4-alone", HOST, v4(), at_host=tlsa())
lookup("ipv6-alone", HOST, aaaa=v6(), at_host=tlsa())
lookup("port-in-owner", HOST, v4(), port=1993, at_host=tlsa(port=1993))
lookup("several-records", HOST, v4(), at_host=tlsa(EE, [2, 0, 1, "cd" * 32], [255, 9, 9, ""]))
lookup("not-requested", "not-requested", v4(), v6(), dane="never")
lookup("not-requested-after-alias", "not-requested", v4(owner=TARGET), dane="never")
lookup("rrset-insecure", "insecure", v4(), at_host=tlsa(dnssec="insecure"))
for kind in ("nodata", "noname"):
    for dnssec in ("secure", "insecure"):
        lookup(f"tlsa-{kind}-{dnssec}", "none", v4(), at_host={"denied": [kind, dnssec]})
        lookup(f"address-{kind}-{dnssec}", "no-address", {"denied": [kind, dnssec]}, {"denied": [kind, dnssec]})
for failure in FAILURES:
    lookup(f"tlsa-{failure}", ["tlsa", failure], v4(), at_host=failed(failure))
    lookup(f"both-families-{failure}", ["address", failure], failed(failure), failed(failure))
    lookup(f"a-{failure}-no-aaaa", ["address", failure], failed(failure))
    lookup(f"a-{failure}", HOST, failed(failure), v6(), at_host=tlsa())
    lookup(f"aaaa-{failure}", HOST, v4(), failed(failure), at_host=tlsa())
    lookup(f"aaaa-{failure}-insecure-a", "address-insecure", v4("insecure"), failed(failure))
    lookup(f"alias-{failure}", ["tlsa", failure], v4("insecure", TARGET), cname=failed(failure))
    lookup(f"tlsa-of-target-{failure}", ["tlsa", failure], v4(owner=TARGET), at_target=failed(failure))
    lookup(f"tlsa-of-alias-{failure}", ["tlsa", failure], v4(owner=TARGET), at_target=NO, at_host=failed(failure))
lookup("two-failures", ["address", "timeout"], failed("bogus"), failed("timeout"))
lookup("host-insecure", "address-insecure", v4("insecure"), v6("insecure"))
lookup("a-insecure-aaaa-secure", "address-insecure", v4("insecure"), v6())
lookup("a-secure-aaaa-insecure", "address-insecure", v4(), v6("insecure"))
lookup("alias-secure-secure", TARGET, v4(owner=TARGET), at_target=tlsa(base=TARGET))
lookup("alias-first-of-two", TARGET, v4(owner=TARGET), at_target=tlsa(base=TARGET), at_host=tlsa([3, 0, 1, "00" * 32]))
lookup("alias-without-records-at-target", HOST, v4(owner=TARGET), at_target=NO, at_host=tlsa())
lookup("alias-insecure-records-at-target", HOST, v4(owner=TARGET), at_target=tlsa(base=TARGET, dnssec="insecure"), at_host=tlsa())
lookup("alias-insecure-records-at-target-alone", "insecure", v4(owner=TARGET), at_target=tlsa(base=TARGET, dnssec="insecure"), at_host=NO)
lookup("alias-no-records", "none", v4(owner=TARGET), at_target=NO, at_host=NO)
lookup("alias-secure-insecure", HOST, v4("insecure", TARGET), cname=records({"alias": TARGET + "."}), at_host=tlsa())
lookup("alias-secure-insecure-no-records", "none", v4("insecure", TARGET), cname=records({"alias": TARGET + "."}), at_host=NO)
lookup("alias-insecure-secure", "address-insecure", v4("insecure", TARGET), cname=records({"alias": TARGET + "."}, dnssec="insecure"))
lookup("alias-that-went-away", "address-insecure", v4("insecure", TARGET), cname=NO)
lookup("families-end-elsewhere", HOST, v4(owner=TARGET), v6(), at_host=tlsa())
lookup("families-end-elsewhere-other", TARGET, v4(), v6(owner=TARGET), at_target=tlsa(base=TARGET))
lookup("owner-with-underscore", HOST, v4(owner="_x.example.net"), at_host=tlsa())
lookup("wrong-family", ["address", "malformed"], v6(), v4())
lookup("no-data-in-answer", ["address", "malformed"], records(), records())
lookup("address-in-tlsa", ["tlsa", "malformed"], v4(), at_host=v4())
lookup("tlsa-without-data", ["tlsa", "malformed"], v4(), at_host=records())
lookup("128-records", HOST, v4(), at_host=tlsa(*[EE] * 128))
lookup("129-records", ["tlsa", "too-large"], v4(), at_host=tlsa(*[EE] * 129))
lookup("129-addresses", ["address", "too-large"], records(*[{"address": "192.0.2.1"}] * 129))
lookup("long-record", ["tlsa", "too-large"], v4(), at_host=records({"long": 65533}))

main(ORDER, LOOKUP)
