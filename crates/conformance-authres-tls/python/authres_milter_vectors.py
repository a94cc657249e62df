"""Writes crates/conformance-authres-tls/vectors/milter.json: what an MTA sends to a milter, and what the filter replies, by
an implementation that shares nothing with the crate's.

    python3 crates/conformance-authres-tls/python/authres_milter_vectors.py [--check]
"""

import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from authres_write_vectors import written  # noqa: E402
from cases import SuiteFile, main  # noqa: E402

SOURCE = "crates/conformance-authres-tls/python/authres_milter_vectors.py"

ID = "mx.example.org"
# The actions and steps that the filter takes if they are offered (mfdef.h of Sendmail 8.17).
ADDHDRS, CHGHDRS, SETSYMLIST = 0x1, 0x10, 0x100
NORCPT, NOBODY, NOEOH, NR_HDR, NOUNKNOWN, NODATA, SKIP = 0x8, 0x10, 0x40, 0x80, 0x100, 0x200, 0x400
NR_CONN, NR_HELO, NR_MAIL, LEADSPC = 0x1000, 0x2000, 0x4000, 0x100000
TAKEN = NORCPT | NOBODY | NOEOH | NR_HDR | NOUNKNOWN | NODATA | SKIP | NR_CONN | NR_HELO | NR_MAIL | LEADSPC
TLS_MACROS = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} {verify} {cn_subject}"
WANTED = [(0, "v {client_resolve}"), (1, TLS_MACROS), (2, "i {auth_type} {auth_authen} " + TLS_MACROS), (5, "i")]

# requirements/rfc8601.toml
PACKETS, NEGOTIATION, MACROS, CHANGES, FAILURES = (f"milter-6-{n}" for n in range(1, 6))
FORGED = "rfc8601-5-1"
NONE, PASS, INVALIDHOST, PERMERROR, LOCAL = (
    "martin-2-1-1", "martin-2-1-2", "martin-2-1-4", "martin-2-1-7", "martin-2-2-7")


def octets(text):
    return text if isinstance(text, bytes) else text.encode()


def packet(code, data=b""):
    return struct.pack(">I", len(data) + 1) + code.encode() + octets(data)


def texts(*items):
    return b"".join(octets(item) + b"\0" for item in items)


class Mta:
    """An MTA with its offers; it keeps what it sent and what the filter should have replied."""

    def __init__(self, version=6, actions=0x1ff, steps=0x1fffff, greeted=True):
        self.sent, self.replies, self.events = b"", b"", []
        self.steps, self.version = steps & TAKEN, min(version, 6)
        self.counts, self.edits, self.removed = {}, [], []
        if greeted:
            self.sent += packet("O", struct.pack(">III", version, actions, steps))
            answer = struct.pack(">III", self.version, (ADDHDRS | CHGHDRS | SETSYMLIST) & actions, self.steps)
            if actions & SETSYMLIST:
                answer += b"".join(struct.pack(">I", stage) + texts(names) for stage, names in WANTED)
            self.replies += packet("O", answer)
            self.events.append({"negotiated": self.version})

    def raw(self, octets_):
        self.sent += octets_
        return self

    def command(self, code, data=b"", silent=0):
        self.sent += packet(code, data)
        if not (silent and self.steps & silent):
            self.replies += packet("c")
        return self

    def macros(self, code, **macros):
        names = {"v": "v", "i": "i", "j": "j"}
        pairs = [item for name, value in macros.items() for item in (names.get(name, "{%s}" % name), value)]
        self.sent += packet("D", octets(code) + texts(*pairs))
        return self

    def connect(self, host="smtp.example.com", address="192.0.2.1", family="4", mta="Postfix 3.7.11", **macros):
        if mta or macros:
            self.macros("C", **({"v": mta} if mta else {}), **macros)
        data = texts(host) + octets(family) + (b"\0\x19" + texts(address) if family != "U" else b"")
        return self.command("C", data, NR_CONN)

    def helo(self, name="smtp.example.com", **macros):
        if macros:
            self.macros("H", **macros)
        return self.command("H", texts(name), NR_HELO)

    def mail(self, **macros):
        self.counts, self.edits, self.removed = {}, [], []
        if macros:
            self.macros("M", **macros)
        return self.command("M", texts("<a@example.com>"), NR_MAIL)

    def abort(self, message=True):
        self.sent += packet("A")
        if message:
            self.events.append({"aborted": True})
        return self

    def header(self, name, value, forged=None, left=b""):
        """A field. `forged` is the reason, or reasons, for which it is removed, all but `left`."""
        has_space = self.steps & LEADSPC
        value, left = octets(value), octets(left)
        self.counts[name.lower()] = self.counts.get(name.lower(), 0) + 1
        if forged:
            self.removed += [forged] if isinstance(forged, str) else forged
            self.edits.append((self.counts[name.lower()], name, left if has_space else left.removeprefix(b" ")))
        return self.command("L", texts(name, value if has_space else value.removeprefix(b" ")), NR_HDR)

    def end(self, outcome, field=None, reply="c", queue_id=None, keep=False, **macros):
        """The end of a message; `field` is the local one, a string or the model of a result."""
        if queue_id:
            self.macros("E", i=queue_id)
        self.sent += packet("E")
        if not keep:
            for index, name, left in reversed(self.edits):
                self.replies += packet("m", struct.pack(">I", index) + texts(name, left))
        if field:
            value = written({"authserv_id": ID, "results": [field]}).replace("\r\n", "\n")
            space = " " if self.steps & LEADSPC else ""
            self.replies += packet("i", struct.pack(">I", 0) + texts("Authentication-Results", space + value))
        self.replies += packet(reply)
        self.events.append({"message": {
            "queue_id": queue_id, "outcome": outcome, "removed": [] if keep else self.removed}})
        self.counts, self.edits, self.removed = {}, [], []
        return self


CASES = []


def case(name, session, requirements, reject=None, **settings):
    fields = {"name": name, "requirements": list(requirements), "authserv_id": ID, **settings, "received": session.sent.hex()}
    if reject:
        kind, field, offset = reject
        fields["reject"] = {"kind": kind, "field": field, "offset": offset}
    else:
        fields["accept"] = {"sent": session.replies.hex(), "events": session.events}
    CASES.append(fields)


def tls(result, comment=None, **properties):
    model = {"method": "tls", "result": result, "props": [[*name.split("_"), value] for name, value in properties.items()]}
    return {**model, **({"comments": [comment]} if comment else {})}


CLEAR = tls("none")
SUITE = {"tls_version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "cipher_bits": "256"}
USED = {"tls_v": "TLS1.3", "key_ciphersuite": "TLS_AES_256_GCM_SHA384", "key_length": "256", "key_strength": "high"}
NAMES = {"cert_subject": "smtp.example.com", "cert_issuer": "Example CA"}
SHOWN = {"cert_client": "CN=smtp.example.com", "cert_clientissuer": "CN=Example CA"}
ANONYMOUS = tls("permerror", "client certificate not known", **USED)
UNCHECKED = tls("permerror", "host identity not checked", **SHOWN, cert_verif="CA", **USED)
PASSED = tls("pass", **SHOWN, cert_verif="CA", **USED)
OTHER_HOST = tls("invalidhost", "certificate of another host", **SHOWN, cert_verif="CA", **USED)


def mta(**offers):
    return Mta(**offers).connect().helo()


def negotiation():
    for name, offers in {
        "version-6": {}, "version-7": {"version": 7}, "version-2": {"version": 2, "actions": 0x3f, "steps": 0x7f},
        "version-4": {"version": 4, "actions": 0x3f, "steps": 0x3ff}, "without-lists-of-macros": {"actions": 0xff},
        "only-the-actions-needed": {"actions": 0x11}, "without-steps": {"steps": 0}, "steps-not-known": {"steps": 0xffffffff},
        "actions-not-known": {"actions": 0xffffffff}, "without-leading-space": {"steps": 0xfffff},
        "without-replies-to-fields": {"steps": NR_HDR}, "without-body": {"steps": NOBODY},
    }.items():
        it = mta(**offers).mail().command("R", texts("<b@example.org>"), 0x8000).command("T", b"", 0x10000)
        it.header("Subject", " s").command("N", b"", 0x40000)
        case(f"negotiate-{name}", it.end("none", CLEAR), (NEGOTIATION, NONE))
    it = mta(steps=SKIP).mail().command("R", texts("<b@example.org>"))
    it.sent, it.replies = it.sent + packet("B", "body"), it.replies + packet("s")
    case("negotiate-body-is-skipped", it.end("none", CLEAR), (NEGOTIATION,))
    case("negotiate-body-is-taken", mta(steps=0).mail().command("B", "body").end("none", CLEAR), (NEGOTIATION,))
    case("negotiate-unknown-command", mta(steps=0).command("U", texts("XFOO")), (NEGOTIATION,))
    again = mta(steps=0)
    other = Mta().connect().helo().mail().end("none", CLEAR)
    again.sent, again.replies, again.events = again.sent + other.sent, again.replies + other.replies, again.events + other.events
    case("negotiate-again", again, (NEGOTIATION,))
    before, fresh = mta().helo(**SUITE), Mta().mail().end("none", CLEAR)
    before.sent, before.replies = before.sent + fresh.sent, before.replies + fresh.replies
    before.events += fresh.events
    case("negotiate-again-forgets-the-client", before, (NEGOTIATION, MACROS))
    more = Mta()
    more.sent = packet("O", struct.pack(">III", 6, 0x1ff, 0x1fffff) + b"later")
    case("negotiate-octets-of-later-versions", more, (NEGOTIATION,))
    offer = lambda *numbers: Mta(greeted=False).raw(packet("O", struct.pack(">" + "I" * len(numbers), *numbers)))
    case("negotiate-version-1", offer(1, 0x1f, 0x7f), (NEGOTIATION,), ("version", "version", 5))
    case("negotiate-no-insertion", offer(6, 0x10, 0), (NEGOTIATION,), ("not-offered", "actions", 9))
    case("negotiate-no-change", offer(6, 0x1ef, 0), (NEGOTIATION,), ("not-offered", "actions", 9))
    case("negotiate-too-short", offer(6, 0x1ff), (PACKETS,), ("truncated", "steps", 13))
    case("negotiate-nothing", offer(), (PACKETS,), ("truncated", "version", 5))
    for name, code, data in (("connect", "C", texts("h") + b"U"), ("sender", "M", texts("a")), ("end", "E", b""),
                             ("field", "L", texts("a", "b")), ("macros", "D", b"C"), ("abort", "A", b"")):
        case(f"{name}-before-negotiation", Mta(greeted=False).raw(packet(code, data)), (NEGOTIATION,),
             ("not-negotiated", "command", 4))
    case("quit-before-negotiation", Mta(greeted=False).raw(packet("Q")), (NEGOTIATION,))


def packets():
    def broken(name, octets_, *reject):
        case(name, Mta().raw(octets_), (PACKETS,), reject)

    broken("packet-without-command", struct.pack(">I", 0), "truncated", "command", 4)
    broken("packet-with-unknown-command", packet("Z"), "unknown-command", "command", 4)
    broken("packet-with-reply-code", packet("c"), "unknown-command", "command", 4)
    broken("packet-too-long", struct.pack(">I", (1 << 20) + 1) + b"B", "limit", "length", 0)
    broken("packet-of-4-gigabytes", b"\xff\xff\xff\xffB", "limit", "length", 0)
    broken("macros-without-command", packet("D"), "truncated", "macro.command", 5)
    broken("macros-without-nul-after-name", packet("D", b"Ci"), "unterminated", "macro.name", 6)
    broken("macros-without-value", packet("D", b"Ci\0"), "unterminated", "macro.value", 8)
    broken("macros-without-nul-after-value", packet("D", b"Ci\0x"), "unterminated", "macro.value", 8)
    broken("connect-without-nul", packet("C", b"host"), "unterminated", "host", 5)
    broken("connect-without-family", packet("C", b"host\0"), "truncated", "family", 10)
    broken("connect-without-port", packet("C", b"host\x004\0"), "truncated", "port", 11)
    broken("connect-without-address", packet("C", b"host\x004\0\x19"), "unterminated", "address", 13)
    broken("connect-with-octets-after", packet("C", b"host\x004\0\x19" + texts("192.0.2.1", "")), "trailing", "command", 23)
    broken("helo-without-nul", packet("H", b"a"), "unterminated", "helo", 5)
    broken("helo-with-octets-after", packet("H", b"a\0b"), "trailing", "command", 7)
    broken("sender-without-nul", packet("M", b"<>"), "unterminated", "sender", 5)
    broken("recipient-without-nul", packet("R", b"<>"), "unterminated", "recipient", 5)
    broken("field-without-value", packet("L", texts("Subject")), "unterminated", "header.value", 13)
    broken("field-without-nul", packet("L", b"Subject\0a"), "unterminated", "header.value", 13)
    broken("field-without-name", packet("L", b"Subject"), "unterminated", "header.name", 5)
    broken("data-with-octets-after", packet("T", b"a"), "trailing", "command", 5)
    broken("end-of-header-with-octets-after", packet("N", b"a"), "trailing", "command", 5)
    broken("abort-with-octets-after", packet("A", b"a"), "trailing", "command", 5)
    broken("quit-with-octets-after", packet("Q", b"a"), "trailing", "command", 5)
    broken("unknown-without-nul", packet("U", b"XFOO"), "unterminated", "unknown", 5)
    case("packet-not-yet-whole", Mta().raw(packet("H", texts("a"))[:-1]), (PACKETS,))
    case("length-not-yet-whole", Mta().raw(b"\0\0\0"), (PACKETS,))
    case("packet-above-a-limit", mta().mail().raw(packet("B", b"x" * 128)), (PACKETS,), ("limit", "length", 0), max_packet=128)
    at_limit = mta().mail()
    at_limit.sent, at_limit.replies = at_limit.sent + packet("B", b"x" * 127), at_limit.replies + packet("s")
    case("packet-within-a-limit", at_limit.end("none", CLEAR), (PACKETS,), max_packet=128)
    case("quit", mta().raw(packet("Q")), (PACKETS,))
    case("nothing-after-quit", mta().raw(packet("Q") + packet("Z")), (PACKETS,))
    last = mta().mail().header("Subject", " s")
    last.sent = last.sent + packet("E", "rest of the body")
    ended = mta().mail().header("Subject", " s").end("none", CLEAR)
    ended.sent = last.sent
    case("end-with-body", ended, (PACKETS,))


def sessions():
    case("clear", mta().mail().end("none", CLEAR, queue_id="4XyZ"), (MACROS, NONE))
    case("queue-id-with-sender", mta().mail(i="4XyZ").end("none", CLEAR), (MACROS,))
    CASES[-1]["accept"]["events"][-1]["message"]["queue_id"] = "4XyZ"
    odd = mta().mail()
    odd.macros("E", i="a b")
    case("queue-id-with-space-is-not-reported", odd.end("none", CLEAR), (MACROS,))
    case("tls-at-helo", mta().helo(**SUITE).mail().end("permerror", ANONYMOUS), (MACROS, PERMERROR))
    case("tls-at-sender", mta().mail(**SUITE).end("permerror", ANONYMOUS), (MACROS, PERMERROR))
    case("tls-at-both", mta().helo(**SUITE).mail(**SUITE).end("permerror", ANONYMOUS), (MACROS, PERMERROR))
    older = {"tls_version": "TLSv1.2", "cipher": "ECDHE-RSA-AES128-GCM-SHA256", "cipher_bits": "128"}
    case("tls-at-sender-is-later", mta().helo(**older).mail(**SUITE).end("permerror", ANONYMOUS), (MACROS,))
    case("certificate-at-helo-only", mta().helo(**SUITE, **NAMES).mail(**SUITE).end("permerror", ANONYMOUS), (MACROS,))
    case("second-helo-after-starttls", Mta().connect().helo().helo(**SUITE).mail().end("permerror", ANONYMOUS), (MACROS,))
    case("second-helo-without-macros", Mta().connect().helo(**SUITE).helo().mail().end("none", CLEAR), (MACROS, NONE))
    case("macros-for-another-command", mta().macros("R", **SUITE).mail().end("none", CLEAR), (MACROS,))
    case("macros-in-two-packets",
         mta().macros("M", tls_version="TLSv1.3").macros("M", cipher="TLS_AES_256_GCM_SHA384", cipher_bits="256").mail()
         .end("permerror", ANONYMOUS), (MACROS,))
    case("macros-before-macros-of-another-command",
         mta().macros("M", **SUITE).macros("R", j="mx").mail().end("none", CLEAR), (MACROS,))
    short = mta()
    short.macros("M")
    case("macros-empty", short.mail(tls_version="").end("none", CLEAR), (MACROS,))
    case("macro-not-utf8", mta().mail(tls_version=b"\xff").end("none", CLEAR), (MACROS,))
    case("macro-not-known", mta().mail(nosuch="1", **SUITE).end("permerror", ANONYMOUS), (MACROS,))
    case("trusted-certificate", mta().mail(**SUITE, **NAMES).end("permerror", UNCHECKED), (MACROS, PERMERROR))
    case("several-messages", mta().mail(**SUITE, **NAMES).end("permerror", UNCHECKED).mail(**SUITE).header("Subject", " s")
         .end("permerror", ANONYMOUS).mail().header("Authentication-Results", f" {ID}; tls=pass", "own-id")
         .end("none", CLEAR), (MACROS, CHANGES))
    case("abandoned-message", mta().mail().header("Authentication-Results", f" {ID}; a=b", "own-id").abort().mail()
         .header("Authentication-Results", " other.example; a=b").end("none", CLEAR), (CHANGES,))
    case("abandoned-nothing", mta().abort(False).mail().end("none", CLEAR), (CHANGES,))
    case("sender-again", mta().mail().header("Authentication-Results", f" {ID}; a=b", "own-id").mail().end("none", CLEAR),
         (CHANGES,))
    again = mta().mail(**SUITE).end("permerror", ANONYMOUS).raw(packet("K"))
    case("another-client-on-the-connection", again.connect().helo().mail().end("none", CLEAR), (MACROS,))
    stale = mta().helo(**SUITE).raw(packet("K"))
    case("another-client-without-connect", stale.mail().end("none", CLEAR), (MACROS,))
    case("connect-again", mta().helo(**SUITE).connect().mail().end("none", CLEAR), (MACROS,))
    case("message-without-sender", mta().header("Authentication-Results", f" {ID}; a=b", "own-id").end("none", CLEAR),
         (CHANGES,))
    case("end-without-message", mta().end("none", CLEAR), (CHANGES,))


def changes():
    own, both = f" {ID}; dkim=pass", [ID, "relay.example.org"]
    field = "Authentication-Results"
    case("forged-last-to-first",
         mta().mail().header(field, own, "own-id").header("Subject", " s").header(field, " other.example; spf=pass")
         .header(field.upper(), f' "{ID}"; spf=pass', "own-id").header(field, f" relay.{ID}; spf=pass", "below-own-id")
         .end("none", CLEAR), (CHANGES, FORGED))
    for name, text, reason in (
        ("quoted", f' "{ID}"; dkim=pass', "own-id"), ("escaped", ' "mx.ex\\ample.org"; dkim=pass', "own-id"),
        ("after-a-comment", f" (a){ID}; dkim=pass", "own-id"), ("with-a-dot-at-its-end", f" {ID}.; dkim=pass", "own-id"),
        ("in-upper-case", f" {ID.upper()}; dkim=pass", "own-id"), ("folded", f"\n\t{ID}; dkim=pass", "own-id"),
        ("without-space", f"{ID}; dkim=pass", "own-id"), ("missing", " dkim=pass header.d=a", "missing-id"),
        ("empty", "", "unreadable-id"), ("unreadable", " a/b; dkim=pass", "unreadable-id"),
        ("with-a-version", " other.example 2; dkim=pass", "unsupported-version"),
        ("with-octets-not-utf8", b' "\xff"; dkim=pass', "unreadable-id"),
    ):
        case(f"forged-id-{name}", mta().mail().header(field, text, reason).end("none", CLEAR), (CHANGES, FORGED))
    for name, text in (("of-another", " other.example; dkim=pass"), ("like-ours", f" not{ID}; dkim=pass"),
                       ("above-ours", " example.org; dkim=pass")):
        case(f"kept-id-{name}", mta().mail().header(field, text).end("none", CLEAR), (CHANGES, FORGED))
    case("kept-arc", mta().mail().header(f"ARC-{field}", f" i=1;{own}").end("none", CLEAR), (CHANGES,))
    for name, char in (("cr", "\r"), ("vt", "\x0b"), ("ff", "\x0c"), ("fs", "\x1c"), ("nel", "\x85"), ("ls", "\u2028"),
                       ("nul", "\0"), ("lf", "\n")):
        text = f" a{char}{field}:{own}"
        case(f"hidden-after-{name}", mta().mail().header("Subject", " first").header("Subject", text, "own-id", " a")
             .header("Subject", " last").end("none", CLEAR), (CHANGES, FORGED))
    case("hidden-twice", mta().mail().header("X-A", f" a\r{field}:{own}\r{field}: {ID}; spf=pass", ["own-id", "own-id"], " a")
         .end("none", CLEAR), (CHANGES, FORGED))
    case("hidden-between", mta().mail().header("X-A", f" a\r{field}:{own}\rX-B: b", "own-id", " a\rX-B: b").end("none", CLEAR),
         (CHANGES, FORGED))
    case("hidden-alone", mta().mail().header("X-A", f"\r{field}:{own}", "own-id").end("none", CLEAR), (CHANGES, FORGED))
    case("hidden-in-clear-protocol-without-leading-space",
         mta(steps=0).mail().header("X-A", f" a\r{field}:{own}", "own-id", " a").end("none", CLEAR), (CHANGES, FORGED))
    case("forged-without-leading-space", mta(steps=0).mail().header(field, own, "own-id").end("none", CLEAR), (CHANGES, FORGED))
    case("name-with-a-space", mta().mail().header(field + " ", own, "own-id").end("none", CLEAR), (CHANGES, FORGED))
    case("own-ids-of-others", mta().mail().header(field, " relay.example.org; a=b", "own-id").header(field, own, "own-id")
         .end("none", CLEAR), (FORGED,), own=both[1:])
    case("subdomains-are-foreign", mta().mail().header(field, f" a.{ID}; a=b").end("none", CLEAR), (FORGED,), subdomains=False)
    case("task-strip", mta().mail().header(field, own, "own-id").end("not-added"), (CHANGES,), task="strip")
    case("task-add", mta().mail().header(field, own).end("none", CLEAR), (CHANGES,), task="add")
    case("task-nothing", mta().mail().header(field, own).end("unchanged"), (CHANGES,), task="nothing")
    trusted = {"trusted_networks": ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]}
    for name, family, address, is_trusted in (
        ("ipv4", "4", "192.0.2.1", True), ("ipv4-of-another", "4", "192.0.3.1", False), ("host", "4", "198.51.100.7", True),
        ("ipv6", "6", "2001:db8::1", True), ("ipv6-of-sendmail", "6", "IPv6:2001:db8::1", True),
        ("ipv4-mapped", "6", "::ffff:192.0.2.1", True), ("ipv6-of-another", "6", "2001:db9::1", False),
        ("not-an-address", "4", "192.0.2", False), ("unix", "L", "192.0.2.1", False), ("unknown", "U", "", False),
    ):
        it = Mta().connect(address=address, family=family).helo().mail()
        it.header(field, own, None if is_trusted else "own-id")
        case(f"trusted-network-{name}", it.end(*(("unchanged",) if is_trusted else ("none", CLEAR))), (CHANGES,), **trusted)
    for name, macros in (("type", {"auth_type": "PLAIN"}), ("name", {"auth_authen": "user"})):
        case(f"authenticated-{name}-is-stripped", mta().mail(**macros).header(field, own, "own-id").end("not-added"),
             (CHANGES,), authenticated="strip")
    case("authenticated-as-any", mta().mail(auth_authen="user").header(field, own, "own-id").end("none", CLEAR), (CHANGES,))
    case("not-authenticated", mta().mail(auth_type="").header(field, own, "own-id").end("none", CLEAR), (CHANGES,),
         authenticated="strip")
    for action, reply in (("tempfail", "t"), ("accept", "c")):
        it = mta().mail().header(field, own, "own-id").header("Subject", "x" * 200)
        case(f"header-too-long-{action}", it.end("failed:header-too-long", None, reply, keep=True), (FAILURES,),
             max_header=200, on_failure=action)
    case("header-as-long-as-the-limit", mta().mail().header("A", "x" * 199).end("none", CLEAR), (FAILURES,), max_header=200)
    case("message-after-one-that-failed", mta().mail().header("A", "x" * 200).end("failed:header-too-long", None, "t", keep=True)
         .mail().header("A", "x").end("none", CLEAR), (FAILURES,), max_header=200)


def names():
    session = {**SUITE, **NAMES}
    for host, reverse, helo, expected in (
        ("helo", "other.example", "smtp.example.com", PASSED), ("helo", "smtp.example.com", "other.example", OTHER_HOST),
        ("helo", "smtp.example.com", "SMTP.Example.COM.", PASSED), ("helo", "smtp.example.com", "[192.0.2.1]", UNCHECKED),
        ("helo", "smtp.example.com", "smtp", UNCHECKED), ("helo", "smtp.example.com", "192.0.2.1", UNCHECKED),
        ("reverse-dns", "smtp.example.com", "other.example", PASSED), ("reverse-dns", "other.example", "smtp.example.com", OTHER_HOST),
        ("reverse-dns", "unknown", "smtp.example.com", UNCHECKED), ("reverse-dns", "[192.0.2.1]", "smtp.example.com", UNCHECKED),
        ("unchecked", "smtp.example.com", "smtp.example.com", UNCHECKED),
    ):
        it = Mta().connect(host=reverse).helo(helo).mail(**session)
        requirement = {"pass": PASS, "invalidhost": INVALIDHOST}.get(expected["result"], PERMERROR)
        case(f"host-{host}-{reverse}-{helo}", it.end(expected["result"], expected), (requirement,), host=host)
    def named(name, subject, helo, result, comment, requirement, **settings):
        shown = {"cert_client": "CN=" + subject, "cert_clientissuer": "CN=Example CA"}
        model = tls(result, comment, **shown, cert_verif="CA", **USED)
        it = Mta().connect().helo(helo).mail(**{**session, "cert_subject": subject})
        case(name, it.end(result, model), (requirement,), host="helo", **settings)
    unchecked, another = "host identity not checked", "certificate of another host"
    named("name-is-no-host", "Example Client", "smtp.example.com", "permerror", unchecked, PERMERROR)
    named("name-is-one-label", "smtp", "smtp", "permerror", unchecked, PERMERROR)
    named("name-with-wildcard", "*.example.com", "smtp.example.com", "pass", None, PASS)
    named("name-with-wildcard-two-labels-below", "*.example.com", "a.smtp.example.com", "invalidhost", another, INVALIDHOST)
    named("name-with-wildcard-itself", "*.example.com", "example.com", "invalidhost", another, INVALIDHOST)
    named("name-with-wildcard-of-one-label", "*.com", "example.com", "permerror", unchecked, PERMERROR)
    named("name-with-wildcard-inside", "smtp*.example.com", "smtp1.example.com", "permerror", unchecked, PERMERROR)
    anyone = Mta().connect().helo("smtp.example.com").mail(**SUITE)
    case("host-without-certificate", anyone.end("permerror", ANONYMOUS), (PERMERROR,), host="helo")
    local = tls("pass", **SHOWN, cert_verif="LOCAL", **USED)
    it = Mta().connect(host="unknown").helo("other.example").mail(**session)
    case("local-name", it.end("pass", local), (LOCAL,), local_names=["smtp.example.com"])
    it = Mta().connect(host="unknown").helo("other.example").mail(**session)
    case("local-name-of-another", it.end("permerror", UNCHECKED), (LOCAL,), local_names=["a.example.com"])
    # Sendmail: the outcome is in {verify}, names are in one line, and {cn_subject} is the common name.
    def sendmail(name, verify, expected, requirements, client_resolve="OK", mta="8.17.1", helo="smtp.example.com", **settings):
        line = {"cert_subject": "/O=ACME/CN=smtp.example.com", "cert_issuer": "/CN=Example+20CA"}
        extra = {"client_resolve": client_resolve}
        it = Mta().connect(mta=mta, **extra).helo(helo)
        macros = {**SUITE, **line, "verify": verify, "cn_subject": "smtp.example.com", **settings.pop("macros", {})}
        case(f"sendmail-{name}", it.mail(**macros).end(expected["result"], expected), requirements, **settings)
    shown = {"cert_client": "/O=ACME/CN=smtp.example.com", "cert_clientissuer": "/CN=Example CA"}
    trusted = tls("permerror", unchecked, **shown, cert_verif="CA", **USED)
    failed = tls("fail", "certificate not accepted", **shown, **USED)
    sendmail("ok", "OK", trusted, (MACROS, PERMERROR))
    sendmail("fail", "FAIL", failed, (MACROS, "martin-2-1-5"))
    sendmail("fail-local", "FAIL", failed, (MACROS, LOCAL), local_names=["smtp.example.com"])
    sendmail("temp", "TEMP", tls("temperror", "verification not possible now", **shown, **USED), (MACROS, "martin-2-1-6"))
    sendmail("no", "NO", tls("permerror", "no client certificate presented", **USED), (MACROS, PERMERROR))
    sendmail("not", "NOT", tls("permerror", "client certificate not requested", **USED), (MACROS, PERMERROR))
    sendmail("mta-not-known", "FAIL", failed, (MACROS,), mta=None)
    passed = tls("pass", **shown, cert_verif="CA", **USED)
    sendmail("host-helo", "OK", passed, (PASS,), host="helo")
    sendmail("host-reverse-dns", "OK", passed, (PASS,), host="reverse-dns")
    sendmail("host-reverse-dns-forged", "OK", trusted, (PERMERROR,), client_resolve="FORGED", host="reverse-dns")
    sendmail("host-name-in-the-line-does-not-count", "OK", trusted, (PERMERROR,), host="helo", macros={"cn_subject": ""})
    sendmail("host-name-encoded", "OK", passed, (PASS,), host="helo", macros={"cn_subject": "smtp+2Eexample.com"})
    sendmail("host-name-badly-encoded", "OK", trusted, (PERMERROR,), host="helo", macros={"cn_subject": "smtp+2.example.com"})
    it = Mta().connect(mta="Sendmail 8").helo().mail(**SUITE, **NAMES)
    case("postfix-by-setting", it.end("permerror", UNCHECKED), (MACROS,), mta="postfix")
    it = Mta().connect().helo().mail(**SUITE, **NAMES)
    case("sendmail-by-setting", it.end("permerror", ANONYMOUS), (MACROS,), mta="sendmail")


if __name__ == "__main__":
    for part in (negotiation, packets, sessions, changes, names):
        part()
    main(__doc__, SuiteFile("authres-tls/milter", SOURCE, CASES, ensure_ascii=False))
