"""Writes crates/conformance-deep-latch/vectors/latch.json: traces of connections, and what a client with security latches
(draft-newman-email-deep-02 sections 5.1 to 5.4) does at each step, by deep_latch_trace_reference.py.

    python3 crates/conformance-deep-latch/python/deep_latch_trace_vectors.py [--check]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main  # noqa: E402

from deep_latch_trace_reference import judge

SOURCE = "crates/conformance-deep-latch/python/deep_latch_trace_vectors.py"

HOST = "imap.example.com"

CASES = []

# What the cases show, by the ids of the ledger: the first beginning that fits.
SHOWN = (
    ("section-7-1-example-1", "7-1-10"), ("section-7-1-example-2", "7-1-11"), ("section-7-1-example-3", "7-1-12"),
    ("section-7-2", "7-2-3"), ("section-7-3", "7-3-2"), ("in-clear-a-status", "5-1-2"), ("in-clear", "5-1-1"),
    ("starttls-stripped", "5-1-1"), ("a-status-withdrawn", "5-1-4"), ("attacker", "5-3-6"), ("scram-plus", "5-3-5"),
    ("nothing-follows", "5-1-5"), ("extensions", "5-3-4"), ("an-empty-status", "5-3-2"), ("the-url", "5-3-7"),
    ("latched-of-chain", "5-1-3"), ("latched-of", "5-1-2"), ("handshake-fails", "5-4-5"), ("tlsa-differs", "11-2-5"), ("dane", "11-2-4"), ("tls-dane-tlsa", "11-2-4"), ("tls-cert", "11-2-3"),
    ("tls12", "11-2-2"), ("tls10", "11-2-1"), ("a-custom-tag", "5-1-3"),
)


def shown(name):
    return [f"newman-{number}" for beginning, number in SHOWN if name.startswith(beginning)][:1]


def case(name, events, latched=(), status=None, dane_identity="as-pkix", after_login=(), on_tlsa_mismatch="refuse"):
    given = {"host": HOST, "latched": list(latched), "status": status, "events": events}
    options = {"dane_identity": dane_identity, "on_tlsa_mismatch": on_tlsa_mismatch, "after_login": list(after_login)}
    accept = judge(latched, status, events, dane_identity, on_tlsa_mismatch, after_login)
    CASES.append(
        {"name": name, "requirements": shown(name), **given, **options, "accept": accept}
    )


def tls(version="TLSv1.3", strength_bits=128, chain="trusted", identity="matches", dane="not-checked"):
    facts = {"version": version, "strength_bits": strength_bits, "chain": chain, "identity": identity}
    return {"handshake": {**facts, "dane": dane}}


def status(text):
    return {"status": text}


def login(how="done"):
    return {"logged-in": how}


def fails(why):
    return {"handshake-failed": why}


FAULTS = ("transport", "server", "negotiation", "chain", "identity", "dane", "local")
EVERY_LATCH = ("tls10", "tls12", "tls-cert", "tls-dane-tlsa")

SUPPORT = "<https://www.example.com/privacy-support.html>"
PINNED = tls(chain="refused")


def examples():
    case("section-7-1-example-1", [tls(), status(SUPPORT)], latched=("tls10", "tls-cert"))
    case("section-7-1-example-1-first-connection", [tls(), status(SUPPORT), login()])
    case(
        "section-7-1-example-2",
        [PINNED, status(f"tls10 {SUPPORT}")],
        latched=("tls-cert",),
    )
    case(
        "section-7-1-example-2-with-a-url-from-before",
        [PINNED, status(f"tls10 {SUPPORT}")],
        latched=("tls-cert",),
        status="tls-cert <https://earlier.example/>",
    )
    case("section-7-1-example-3", [tls(), status("tls10 tls-cert <https://www.example.com/support.html>")])
    case("section-7-2-example", [tls(), status(f"tls10 tls12 {SUPPORT}")])
    case(
        "section-7-3-example",
        [tls("TLSv1.0"), status("tls10 tls-cert <https://www.example.com/status.html>")],
        latched=("tls10", "tls-cert"),
    )


def clear():
    case("in-clear-without-latches", ["no-tls", "no-status", login()])
    case("in-clear-a-status-latches-nothing", [status(f"tls-cert x {SUPPORT}"), "no-tls", login()])
    case("in-clear-tls10-demands-tls", [status("tls10"), "no-tls", login()])
    case("in-clear-tls12-demands-tls", [status("tls12"), login("scram-plus")])
    case("in-clear-tls12-and-then-tls10-only", [status("tls10 tls12"), tls("TLSv1.1"), status("tls10")])
    case("in-clear-tls10-and-then-a-weak-cipher", [status("TLS10"), tls(strength_bits=112)])
    case("in-clear-tls12-and-then-ssl", [status("tls12"), tls("SSLv3")])
    case("in-clear-tls12-is-latched-if-advertised-again", [status("tls12"), tls(), status("tls12")])
    case("in-clear-tls12-is-not-latched-if-not-advertised-again", [status("tls12"), tls(), status("tls10")])
    case("in-clear-a-later-status-takes-no-demand-back", [status("tls10"), status(""), "no-status", "no-tls"])
    case("in-clear-tags-are-told-once-each", [status("a b A tls10 TLS10 b"), tls(), status("A a tls10 Tls10")])
    case("in-clear-a-handshake-that-fails", [fails("negotiation"), tls()])
    case("in-clear-a-login-is-forgotten-by-a-handshake", [login("scram-plus"), PINNED, status("tls-cert x")])


def stripping():
    for latched in ("tls10", "tls12", "tls-cert", "tls-dane-tlsa"):
        case(f"starttls-stripped-{latched}", ["no-tls", login(), tls()], latched=(latched,), status=f"tls10 {SUPPORT}")
    case("login-before-tls-that-is-due", [login(), tls()], latched=("tls10",))
    case("a-status-in-clear-does-not-stand-in-for-tls", [status("tls10"), "no-tls"], latched=("tls10",))
    case("a-handshake-that-fails-where-tls-is-due", [fails("negotiation")], latched=("tls12", "tls-cert"))
    case("a-handshake-that-fails-after-tls", [tls(), fails("negotiation")], latched=("tls10",))
    case("no-starttls-over-tls", [tls(), "no-tls", login()], latched=("tls10",))
    case("in-clear-both-a-latch-and-a-demand", [status("tls12"), tls("TLSv1.0")], latched=("tls10",))
    case("in-clear-a-latch-fails-before-a-demand", [status("tls12"), tls(strength_bits=56)], latched=("tls10",))


def facilities():
    every = "tls10 tls12 tls-cert tls-dane-tlsa"
    for version in ("SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3", "DTLSv1.2"):
        for bits in (None, 112, 127, 128, 256):
            name = f"latched-of-{version}-with-{bits}-bits"
            case(name, [tls(version, bits), status(every)])
    verdicts = [(chain, identity) for chain in ("not-checked", "trusted", "refused")
                for identity in ("not-checked", "matches", "differs")]
    for chain, identity in verdicts:
        for dane in ("not-checked", "no-records", "differs", 0, 1, 2, 3):
            name = f"latched-of-chain-{chain}-identity-{identity}-dane-{dane}"
            events = [tls(chain=chain, identity=identity, dane=dane), status(every + " " + SUPPORT)]
            case(name, events, on_tlsa_mismatch="go-on")
    for dane in (2, 3):
        case(
            f"dane-{dane}-by-rfc7671",
            [tls(chain="refused", identity="differs", dane=dane), status(every)],
            dane_identity="rfc7671",
        )


def required():
    case("tls12-latched-and-tls11", [tls("TLSv1.1")], latched=("tls12",))
    case("tls10-latched-and-ssl", [tls("SSLv3")], latched=("tls10",))
    case("tls10-latched-and-a-strength-that-is-not-known", [tls(strength_bits=None)], latched=("tls10",))
    case("tls-cert-latched-and-a-pinned-certificate", [PINNED], latched=("tls-cert",))
    case("tls-cert-latched-and-a-certificate-of-another", [tls(identity="differs")], latched=("tls-cert",))
    case("tls-cert-latched-and-ssl", [tls("SSLv3")], latched=("tls-cert",))
    case("tls-cert-latched-and-dane-only", [tls(chain="refused", dane=3)], latched=("tls-cert",))
    case("tls-dane-tlsa-latched-and-pkix-only", [tls(dane="no-records")], latched=("tls-dane-tlsa",))
    case("tls-dane-tlsa-latched-and-dane-only", [tls(chain="refused", dane=3), login()], latched=("tls-dane-tlsa",))
    case("all-that-lacks-is-named", [tls("TLSv1.0", chain="refused")],
         latched=("tls12", "tls10", "tls-cert", "TLS-DANE-TLSA"), status=f"tls12 {SUPPORT}")
    case("a-tag-of-newer-software", [tls(), login()], latched=("tls10", "tls14"), status=f"tls14 {SUPPORT}")
    case("latched-in-other-spelling", [tls(), status("tls10")], latched=("TLS10",))
    case("a-latch-holds-for-a-second-handshake", [tls(), status("tls-cert"), PINNED])


def authentication():
    case("scram-plus-without-a-valid-certificate",
         [PINNED, status(f"tls10 tls-cert {SUPPORT}"), login("scram-plus")])
    case("scram-plus-before-the-status", [PINNED, login("scram-plus"), status("tls12 x <https://x.example/>")])
    case("scram-plus-and-tlsa-that-differs", [tls(chain="refused", dane="differs"), login("scram-plus"), status("tls12")],
         on_tlsa_mismatch="go-on")
    case("a-login-that-says-nothing-of-the-server", [PINNED, status(f"tls12 tls-cert {SUPPORT}"), login()])
    case("scram-plus-over-ssl", [tls("SSLv3", chain="refused"), status("tls10"), login("scram-plus")])
    case("scram-plus-is-forgotten-by-a-second-handshake", [PINNED, login("scram-plus"), PINNED, status("tls10 x")])
    case("a-second-login-counts-for-the-status-before-the-first",
         [PINNED, status(SUPPORT), login(), login("scram-plus")])
    custom = ("x-bound",)
    case("a-custom-tag-is-latched-after-login", [tls(), status("x-bound"), login("scram-plus")], after_login=custom)
    case("a-custom-tag-is-not-achieved-by-login", [tls(), status("x-bound"), login()], after_login=custom)
    case("a-custom-tag-that-is-latched-is-judged-after-login", [tls(), login()], ("x-bound",), after_login=custom)
    case("a-custom-tag-that-is-latched-and-achieved", [tls(), login("scram-plus"), status("")], ("x-bound",), after_login=custom)
    case("a-custom-tag-needs-an-authenticated-server",
         [tls(chain="refused", dane="differs"), login("scram-plus"), status("x-bound")], after_login=custom,
         on_tlsa_mismatch="go-on")
    case("a-custom-tag-needs-tls", ["no-tls"], ("x-bound",), after_login=custom)
    case("a-custom-tag-is-lost-with-another-login",
         [tls(), login("scram-plus"), status("x-bound"), login()], after_login=custom)


def statuses():
    case("a-status-repeated-after-login", [tls(), status("tls10"), login(), status("tls10")])
    case("a-status-that-changes-after-login", [tls(), status("tls10"), login(), status(f"tls12 {SUPPORT}")])
    case("a-status-withdrawn", [tls(), "no-status", login()], ("tls10", "tls-cert"), f"tls10 tls-cert {SUPPORT}")
    case("a-status-withdrawn-by-a-server-that-is-not-authenticated", [PINNED, "no-status"], ("tls10",), "tls10")
    case("no-status-where-there-was-none", [tls(), "no-status"])
    case("a-status-withdrawn-before-login-is-not-latched-after-it",
         [PINNED, status("tls-cert x"), "no-status", login("scram-plus")])
    case("a-shorter-status-takes-no-latch-back", [tls(), status("")], ("tls10", "tls12"), "tls10 tls12")
    case("an-empty-status-is-recorded", [tls(), status("")])
    case("the-same-status-is-not-recorded-again", [tls(), status("tls10")], ("tls10",), "tls10")
    case("a-status-with-another-spelling-is-another", [tls(), status("TLS10")], ("tls10",), "tls10")
    case("the-url-of-a-failure-is-not-that-of-this-connection",
         [tls(), status("tls-cert <https://now.example/>"), PINNED], (), "<https://earlier.example/>")
    case("extensions-are-ignored", [tls(), status(f"1-ext tls10 =x {SUPPORT} !tls12")])
    case("the-first-url-counts", [PINNED], ("tls-cert",), "<https://a.example/> <https://b.example/>")
    case("an-unknown-tag-is-told-and-not-latched", [tls(), status("tls14 tls10"), login("scram-plus")])


def attacker():
    """An attacker without certificate, TLSA record and password."""
    every = f"tls10 tls12 tls-cert tls-dane-tlsa x-bound y {SUPPORT}"
    for name, facts in [
        ("pinned", PINNED), ("unchecked", tls(chain="not-checked", identity="not-checked")),
        ("other-name", tls(identity="differs")), ("weak", tls("TLSv1.0", 40, chain="refused")),
        ("tlsa", tls(dane="differs")),
    ]:
        events = [status(every), facts, status(every), login(), status(every), "no-status", facts, status(every)]
        case(f"attacker-{name}", events[1:], after_login=("x-bound",))
        case(f"attacker-{name}-from-clear", events, after_login=("x-bound",))
        case(f"attacker-{name}-goes-on", events[1:], after_login=("x-bound",), on_tlsa_mismatch="go-on")
        case(f"attacker-{name}-of-a-known-host", events[1:], ("tls10",), f"tls10 {SUPPORT}")


def absorbing():
    tail = [tls(), status(f"tls10 {SUPPORT}"), login("scram-plus"), "no-tls", "no-status", fails("negotiation"), tls()]
    case("nothing-follows-a-refusal", ["no-tls", *tail], ("tls10",), SUPPORT)
    case("nothing-follows-a-refusal-over-tls", [PINNED, *tail], ("tls-cert",), SUPPORT)
    case("nothing-follows-a-refusal-before-connecting", tail, ("y",), SUPPORT)
    case("nothing-follows-a-refusal-after-login", [tls(), login(), *tail], ("x-bound",), after_login=("x-bound",))
    case("nothing-follows-a-failure", [fails("negotiation"), *tail])
    case("nothing-follows-a-connection-that-broke", [fails("transport"), *tail], ("tls10",), SUPPORT)
    case("nothing-follows-a-certificate-that-is-refused", [fails("identity"), *tail], ("tls10",), SUPPORT)
    case("nothing-follows-tlsa-that-differs", [tls(dane="differs"), *tail], ("tls10",), SUPPORT)


def failures():
    """Every kind of fault, with every latch and with none."""
    for why in FAULTS:
        case(f"handshake-fails-{why}-nothing-latched", [fails(why)], (), f"tls10 {SUPPORT}")
        case(f"handshake-fails-{why}-after-tls12-in-clear", [status("tls12"), fails(why)])
        for latched in EVERY_LATCH:
            case(f"handshake-fails-{why}-{latched}-latched", [fails(why)], (latched,), f"tls10 {SUPPORT}")
        case(f"handshake-fails-{why}-all-latched", [fails(why)], EVERY_LATCH)
        case(f"handshake-fails-{why}-a-custom-tag-latched", [fails(why)], ("x-bound",), after_login=("x-bound",))
    case("handshake-fails-identity-by-rfc7671", [fails("identity")], ("tls-dane-tlsa",), dane_identity="rfc7671")
    # A certificate that is refused after the handshake: tls10 and tls12 do not say that it was valid.
    for latched in EVERY_LATCH:
        for name, facts in [
            ("expired", tls(chain="refused")), ("another-name", tls(identity="differs")),
            ("weak", tls(strength_bits=112)), ("tls11", tls("TLSv1.1")), ("tlsa", tls(dane="differs")),
            ("tlsa-of-usage-1-and-expired", tls(chain="refused", dane=1)),
        ]:
            case(f"handshake-fails-after-it-{name}-{latched}-latched", [facts, login()], (latched,), f"tls10 {SUPPORT}")


def tlsa():
    every = f"tls10 tls12 tls-cert tls-dane-tlsa {SUPPORT}"
    for name, facts in [
        ("trusted", tls(dane="differs")), ("pinned", tls(chain="refused", dane="differs")),
        ("usage-0-refused", tls(chain="refused", dane=0)), ("usage-1-refused", tls(chain="refused", dane=1)),
        ("usage-1-unchecked", tls(chain="not-checked", dane=1)), ("ssl", tls("SSLv3", dane="differs")),
    ]:
        events = [facts, status(every), login("scram-plus")]
        case(f"tlsa-differs-{name}", events, status="<https://earlier.example/>")
        case(f"tlsa-differs-{name}-goes-on", events, on_tlsa_mismatch="go-on")
        case(f"tlsa-differs-{name}-goes-on-with-all-latched", events, EVERY_LATCH, on_tlsa_mismatch="go-on")
    case("tlsa-differs-after-tls12-in-clear", [status("tls12"), tls("TLSv1.1", dane="differs")])


if __name__ == "__main__":
    for part in (examples, clear, stripping, facilities, required, authentication, statuses, attacker, absorbing, failures, tlsa):
        part()
    main(__doc__, SuiteFile("deep-latch/latch", SOURCE, CASES))
