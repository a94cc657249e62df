"""Writes crates/conformance-deep-latch/vectors/*.json: texts chosen by hand, where they are refused by hand, and what they mean by
deep_latch_reference.py, which must refuse the same.

    python3 crates/conformance-deep-latch/python/deep_latch_vectors.py [--check]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main  # noqa: E402

from deep_latch_reference import REGISTERED, SUITES, judge

SOURCE = "crates/conformance-deep-latch/python/deep_latch_vectors.py"

# What the cases of a suite show, by the ids of the ledger; `shown` adds what a single case does.
SHOWS = {
    "tag": "5-1-6", "status": "5-3-3", "tls-cipher": "6-1 6-2", "imap-capability": "11-6-1", "imap-id": "7-1-9",
    "pop-capa": "7-2-2", "smtp-ehlo": "7-3-2", "smtp-client": "7-3-3", "security-latch": "7-4-3", "registration": "11-1-1",
}
EXAMPLES = {"example-1": "7-1-10", "example-2": "7-1-11", "example-3": "7-1-12"}
CASES = {suite: {} for suite in SUITES}


def case(suite, name, text=None, reject=None, diagnostics=(), **fields):
    """`reject` is kind, field and offset."""
    if text is not None:
        fields = {"text": text, **fields}
    outcome = judge(suite, fields)
    assert ("reject" in outcome) == (reject is not None), f"{suite}/{name}: {outcome}"
    assert name not in CASES[suite], f"{suite}/{name}: twice"
    if reject:
        outcome["reject"] = dict(zip(("kind", "field", "offset"), reject))
    elif suite in ("status", "pop-capa", "smtp-ehlo") and outcome["accept"] is not None:
        outcome["accept"]["diagnostics"] = [list(diagnostic) for diagnostic in diagnostics]
    CASES[suite][name] = {"name": name, "requirements": shown(suite, name, fields, outcome), **fields, **outcome}


def shown(suite, name, fields, outcome):
    accept = outcome.get("accept") or {}
    found = SHOWS[suite].split()
    if suite == "tls-cipher" and "form" in fields:
        found = ["6-3", "11-10-1"]
    if suite == "imap-id":
        report = accept.get("report", {})
        found += ["7-1-1"] * (fields.get("from") == "server")
        found += [number for field, number in (("latch", "7-1-2"), ("latch-fail", "7-1-4"), ("security-tags", "7-1-5"), ("tls", "7-1-6")) if field in report]
        found += [number for example, number in EXAMPLES.items() if name.startswith(example)]
    if "elements" in accept:
        found += ["5-3-2"] * (not any("tag" in element for element in accept["elements"]))
        found += ["5-3-4"] * any("extension" in element for element in accept["elements"])
    return ["newman-" + number for number in found]


def long(repeat, count, prefix="", suffix=""):
    fields = {"prefix": prefix, "repeat": repeat, "count": count, "suffix": suffix}
    return {name: value for name, value in fields.items() if value != ""}


URL = "https://www.example.com/privacy-support.html"


def tags():
    def tag(name, text, reject=None, **fields):
        case("tag", name, text, reject and (reject[0], reject[1] if len(reject) > 2 else "security-tag", reject[-1]), **fields)

    for text in *REGISTERED, "a", "Z", "a-", "a_", "a--b__c", "x9", "TLS-CERT":
        tag("one-" + text, text)
    tag("of-64-bytes", long("a", 64))
    tag("of-65-bytes", long("a", 65), ("limit", 64))
    tag("of-1000-bytes", long("a", 1000), ("limit", 64))
    tag("of-64-bytes-and-another-octet", long("a", 64, suffix=" "), ("trailing", 64))
    tag("empty", "", ("empty", 0))
    for name, first in (("digit", "1"), ("hyphen", "-"), ("underscore", "_"), ("space", " "), ("non-ascii", "\u00fc"), ("nul", "\0"),
                        ("at-sign", "@"), ("bracket", "["), ("grave", "`"), ("brace", "{")):
        tag("begins-with-" + name, first + "tls10", ("expected", 0))
        if name not in ("digit", "hyphen", "underscore"):
            tag("has-" + name, f"tls{first}10", ("trailing", 3))
    for name, octet in (("full-stop", "."), ("comma", ","), ("slash", "/"), ("colon", ":"), ("crlf", "\r\n"), ("kelvin", "\u212a")):
        tag("has-" + name, f"tls{octet}10", ("trailing", 3))
    for form, separator in (("space", " "), ("comma", ",")):
        other = {"space": ",", "comma": " "}[form]
        tag(f"{form}-list-of-one", "tls10", list=form)
        tag(f"{form}-list-of-two", f"tls10{separator}tls-cert", list=form)
        tag(f"{form}-list-in-its-order-with-repetitions", separator.join(["tls12", "tls10", "TLS12"]), list=form)
        tag(f"{form}-list-of-64", long("a" + separator, 63, suffix="b"), list=form)
        tag(f"{form}-list-of-65", long("a" + separator, 64, suffix="b"), ("limit", "latch", 128), list=form)
        tag(f"{form}-list-empty", "", ("empty", "latch", 0), list=form)
        tag(f"{form}-list-separator-alone", separator, ("empty", 0), list=form)
        tag(f"{form}-list-ends-with-separator", "tls10" + separator, ("empty", 6), list=form)
        tag(f"{form}-list-begins-with-separator", separator + "tls10", ("empty", 0), list=form)
        tag(f"{form}-list-separator-twice", f"tls10{separator * 2}tls12", ("empty", 6), list=form)
        tag(f"{form}-list-of-the-other-kind", f"tls10{other}tls12", ("trailing", 5), list=form)
        tag(f"{form}-list-with-both", f"tls10{separator}{other}tls12", ("expected", 6), list=form)
        tag(f"{form}-list-tag-too-long", long("a", 65, prefix="tls10" + separator), ("limit", 70), list=form)
        tag(f"{form}-list-bad-second", f"tls10{separator}1tls", ("expected", 6), list=form)


def statuses():
    def status(name, text, reject=None, diagnostics=(), **fields):
        case("status", name, text, reject, diagnostics, **fields)

    loose_spaces, loose_elements = {"allow_extra_spaces": True}, {"allow_malformed_elements": True}
    status("empty", "")
    status("example-1", f"<{URL}>")
    status("example-2", f"tls10 <{URL}>")
    status("example-3", "tls10 tls-cert <https://www.example.com/support.html>")
    status("example-pop", f"tls10 tls12 <{URL}>")
    status("example-smtp", "tls10 tls-cert <https://www.example.com/status.html>")
    status("tags-alone", "tls10 tls12 tls-cert tls-dane-tlsa x-later_1")
    status("tags-in-any-case-and-twice", "TLS10 tls10 Tls10")
    status("url-between-tags", "tls10 <https://a/> tls12")
    status("two-urls", "<https://a/> <https://b/>")
    status("begins-with-a-space", " tls10", ("extra-space", "deep-status", 0))
    status("ends-with-a-space", "tls10 ", ("extra-space", "deep-status", 6))
    status("two-spaces", "tls10  tls12", ("extra-space", "deep-status", 6))
    status("a-space-alone", " ", ("extra-space", "deep-status", 0))
    status("spaces-allowed", "  tls10   tls12 ", allow_extra_spaces=True,
           diagnostics=[("extra-space", "deep-status", place) for place in (0, 1, 8, 9, 16)])
    status("a-space-alone-allowed", " ", allow_extra_spaces=True,
           diagnostics=[("extra-space", "deep-status", place) for place in (0, 1)])
    status("spaces-not-allowed-with-malformed-elements", "tls10  tls12", ("extra-space", "deep-status", 6), **loose_elements)
    status("malformed-elements-not-allowed-with-spaces", "tls10 t,x", ("trailing", "security-tag", 7), **loose_spaces)
    status("both-allowed", " t,x <a> tls10", **loose_spaces, **loose_elements,
           diagnostics=[("extra-space", "deep-status", 0), ("trailing", "security-tag", 2), ("not-uri", "deep-https", 7)])
    # Extensions: every octet at the beginning of one, and after one.
    for octet in range(128):
        char, name = chr(octet), f"{octet:02x}"
        if octet < 32 or octet == 127:
            status(f"octet-{name}", "tls10 " + char, ("character", "deep-status", 6))
            status(f"octet-{name}-lenient", "tls10 " + char, ("character", "deep-status", 6), **loose_spaces, **loose_elements)
        elif char == " " or char.isalpha():
            pass
        elif char in '"\\':
            status(f"octet-{name}", char + "x", ("expected", "deep-extend", 0))
            status(f"octet-{name}-within", "=" + char, ("trailing", "deep-extend", 1))
            status(f"octet-{name}-lenient", char + "x", allow_malformed_elements=True, diagnostics=[("expected", "deep-extend", 0)])
        elif char == "<":
            status(f"octet-{name}", "<x", ("empty", "deep-https", 2))
            status(f"octet-{name}-within", "=<")
        else:
            status(f"octet-{name}", f"tls10 {char}aZ<{char} tls12")
    status("extension-with-a-url", "=<https://a/> tls10")
    status("octet-80", "tls10 \u0080", ("character", "deep-status", 6))
    status("non-ascii-in-a-url", "<https://b\u00fccher.example/>", ("character", "deep-status", 10))
    status("line-break", "tls10\r\ntls12", ("character", "deep-status", 5))
    status("tab", "tls10\ttls12", ("character", "deep-status", 5))
    status("tag-of-64-bytes", long("a", 64, "tls10 ", " tls12"))
    status("tag-of-65-bytes", long("a", 65, "tls10 ", " tls12"), ("limit", "security-tag", 70))
    status("tag-of-65-bytes-allowed", long("a", 65, "tls10 ", " tls12"), diagnostics=[("limit", "security-tag", 70)], **loose_elements)
    status("bad-tag-after-many", "tls10 tls12 tls-cert tls-dane-tlsa t,x", ("trailing", "security-tag", 36))
    status("tags-with-commas", "tls10,tls12", ("trailing", "security-tag", 5))
    status("of-1024-bytes", long("t ", 511, suffix="aa"))
    status("of-1025-bytes", long("t ", 511, suffix="aaa"), ("limit", "deep-status", 1024))
    status("of-1025-bytes-lenient", long("t ", 511, suffix="aaa"), ("limit", "deep-status", 1024), **loose_spaces, **loose_elements)
    status("of-1024-bytes-an-extension", long("=", 1024))
    # URLs.
    for name, url in (
        ("host-alone", "https://a"), ("path", "https://a/b/c;d=e"), ("query", "https://a?b=c&d=/?"), ("fragment", "https://a#b/?"),
        ("port", "https://a:8443/"), ("empty-port", "https://a:/"), ("userinfo", "https://u:p@a/"), ("upper-case", "HTTPS://A.EXAMPLE/"),
        ("ipv4", "https://192.0.2.1/"), ("ipv6", "https://[2001:db8::1]/"), ("ipv6-with-ipv4", "https://[::ffff:192.0.2.1]:1/"),
        ("ipvfuture", "https://[v1.a:b]/"), ("escaped", "https://a/%C3%BC"), ("escaped-host", "https://%61/"), ("sub-delims", "https://a!$&'()*+,;=/"),
        ("double-slash-in-path", "https://a//b"), ("tilde", "https://a/~b"),
    ):
        status("url-" + name, f"<{url}>")
    for name, text, kind, offset in (
        ("unclosed", "<https://a/", "empty", 11), ("unclosed-before-a-tag", "<https://a/ tls10", "empty", 11), ("empty", "<>", "not-uri", 1),
        ("glued-after", "<https://a/>tls10", "trailing", 12), ("closed-twice", "<https://a/>>", "trailing", 12),
        ("opened-twice", "<<https://a/>", "not-uri", 1), ("of-http", "<http://a/>", "not-https", 1), ("of-mailto", "<mailto:a@b.example>", "not-https", 1),
        ("relative", "<//a/>", "not-uri", 1), ("without-authority", "<https:a>", "no-host", 7), ("empty-authority", "<https:///a>", "no-host", 7),
        ("port-alone", "<https://:1/>", "no-host", 7), ("userinfo-alone", "<https://u@/>", "no-host", 7), ("bad-escape", "<https://a/%zz>", "not-uri", 11),
        ("short-escape", "<https://a/%4>", "not-uri", 11), ("bad-port", "<https://a:b/>", "not-uri", 11), ("caret", "<https://a/^>", "not-uri", 11),
        ("quote", '<https://a/">', "not-uri", 11), ("backslash", "<https://a\\b/>", "not-uri", 10), ("brackets-in-path", "<https://a/[]>", "not-uri", 11),
        ("bad-ipv6", "<https://[1::2::3]/>", "not-uri", 10), ("two-fragments", "<https://a#b#c>", "not-uri", 12), ("https-later", "<x-https://a/>", "not-https", 1),
    ):
        status("url-" + name, text, (kind, "deep-https", offset))
        element = text.split(" ")[0]
        status(f"url-{name}-allowed", "tls10 " + element, diagnostics=[(kind, "deep-https", offset + 6)], **loose_elements)


def lines():
    for suite, longest in (("pop-capa", 510), ("smtp-ehlo", 506)):
        def line(name, text, reject=None, diagnostics=(), **fields):
            case(suite, name, text, reject, diagnostics, **fields)

        if suite == "pop-capa":
            for text in "TOP", "SASL PLAIN SCRAM-SHA-1", "RESP-CODES", "PIPELINING", "UIDL":
                line("example-" + text.split(" ")[0].lower(), text)
            line("example-deep", f"DEEP tls10 tls12 <{URL}>")
        else:
            for text in "8BITMIME", "PIPELINING", "DSN", "AUTH PLAIN LOGIN", "BURL imap", "SIZE 0":
                line("example-" + text.split(" ")[0].lower(), text)
            line("example-deep", "DEEP tls10 tls-cert <https://www.example.com/status.html>")
        line("keyword-alone", "DEEP")
        line("keyword-in-another-case", "dEEp tls10")
        line("keyword-longer", "DEEPER tls10")
        line("keyword-shorter", "DEE tls10")
        line("keyword-after-a-space", " DEEP tls10")
        line("keyword-and-tab", "DEEP\ttls10")
        line("keyword-and-equals-sign", "DEEP=tls10")
        line("keyword-and-line-break", "DEEP\r\n")
        line("nothing", "")
        line("another-capability-of-600-bytes", long("a", 600))
        line("extension", "DEEP tls10 =later")
        line("space-at-the-end", "DEEP ", ("extra-space", "deep-status", 5))
        line("space-at-the-end-allowed", "DEEP ", diagnostics=[("extra-space", "deep-status", 5)], allow_extra_spaces=True)
        line("space-at-the-end-not-allowed-with-elements", "DEEP ", ("extra-space", "deep-status", 5), allow_malformed_elements=True)
        line("space-after-the-status", "DEEP tls10 ", ("extra-space", "deep-status", 11))
        line("two-spaces", "DEEP  tls10", ("extra-space", "deep-status", 5))
        line("two-spaces-allowed", "DEEP  tls10", diagnostics=[("extra-space", "deep-status", 5)], allow_extra_spaces=True)
        line("bad-tag", "DEEP tls10 t,x", ("trailing", "security-tag", 12))
        line("bad-tag-allowed", "DEEP tls10 t,x", diagnostics=[("trailing", "security-tag", 12)], allow_malformed_elements=True)
        line("line-break-in-it", "DEEP tls10\r\nSTLS", ("character", "deep-status", 10))
        line("bad-url", "DEEP <http://a/>", ("not-https", "deep-https", 6))
        line(f"of-{longest}-bytes", long("=", longest - 5, "DEEP "))
        line(f"of-{longest + 1}-bytes", long("=", longest - 4, "DEEP "), ("limit", "deep-status", longest))
        line(f"of-{longest + 1}-bytes-lenient", long("=", longest - 4, "DEEP "), ("limit", "deep-status", longest),
             allow_extra_spaces=True, allow_malformed_elements=True)


def ciphers():
    def cipher(name, text, reject=None, field="tls-cipher", **fields):
        case("tls-cipher", name, text, reject and (reject[0], field, reject[1]), **fields)

    for name, text in (("example-name", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"), ("example-3", "TLS_RSA_WITH_AES_128_CBC_SHA"), ("tls13", "TLS_AES_128_GCM_SHA256"),
                       ("number", "0x1301"), ("number-upper-case-x", "0X1301"), ("number-in-both-cases", "0xCcaB"), ("number-0", "0x0000"),
                       ("number-ffff", "0xFFFF"), ("one-letter", "a"), ("unknown-name", "not_a_suite_"), ("name-x", "x1301")):
        cipher(name, text)
    for name, text, kind, offset in (
        ("empty", "", "empty", 0), ("digit", "1A", "expected", 0), ("underscore", "_A", "expected", 0), ("space", " A", "expected", 0),
        ("hyphen", "ECDHE-RSA-AES128-SHA", "trailing", 5), ("zero-alone", "0", "expected", 0), ("0x-alone", "0x", "empty", 2),
        ("0y", "0y1301", "expected", 0), ("three-digits", "0x130", "empty", 5), ("five-digits", "0x13012", "trailing", 6),
        ("not-hexadecimal", "0x13g1", "expected", 4), ("sign", "0x+130", "expected", 2), ("trailing-space", "TLS_A ", "trailing", 5),
        ("non-ascii", "TLS_\u00e4", "trailing", 4), ("full-width-digit", "0x130\uff11", "expected", 5),
    ):
        cipher(name, text, (kind, offset))
    for name, text in (
        ("clause", " tls TLS_DHE_RSA_WITH_AES_128_CBC_SHA"), ("clause-number", " tls 0x1301"), ("clause-in-upper-case", " TLS 0x1301"),
        ("clause-tabs", "\ttls\tA"), ("clause-folded", "\r\n tls\r\n\tA"), ("clause-folds-of-spaces", " \r\n \r\n tls \r\n \r\n A"),
        ("clause-comment", "(a)tls A"), ("clause-comments", " (a) (b(c(d)) e)(f)\r\n tls A"), ("clause-escapes-in-comment", "(\\(\\\\\\)) tls A"),
        ("clause-escape-of-spaces", "(\\ \\\t) tls A"), ("clause-fold-in-comment", "(a\r\n b) tls A"), ("clause-comment-with-semicolon", "(; tls B) tls A"),
        ("clause-deep-comment", long("(", 500, suffix="a" + ")" * 500 + "tls A")),
    ):
        cipher(name, text, form="clause")
    for name, text, kind, field, offset in (
        ("clause-without-space", "tls A", "expected", "tls-cipher-clause", 0), ("clause-empty", "", "empty", "tls-cipher-clause", 0),
        ("clause-space-alone", " ", "empty", "tls-cipher-clause", 1), ("clause-other-word", " ssl A", "expected", "tls-cipher-clause", 1),
        ("clause-word-longer", " tlsx A", "expected", "tls-cipher-clause", 4), ("clause-word-alone", " tls", "empty", "tls-cipher-clause", 4),
        ("clause-without-cipher", " tls ", "empty", "tls-cipher", 5), ("clause-comment-after-word", " tls (a) A", "expected", "tls-cipher", 5),
        ("clause-comment-glued-to-word", " tls(a) A", "expected", "tls-cipher-clause", 4), ("clause-space-after", " tls A ", "trailing", "tls-cipher-clause", 6),
        ("clause-open-comment", " (a tls A", "empty", "comment", 9), ("clause-open-comment-nested", " ((a) tls A", "empty", "comment", 11),
        ("clause-closed-twice", " (a)) tls A", "expected", "tls-cipher-clause", 4), ("clause-escape-at-the-end", " (a\\", "empty", "quoted-pair", 4),
        ("clause-escaped-control", " (\\\0) tls A", "expected", "quoted-pair", 3), ("clause-escaped-non-ascii", " (\\\u00fc) tls A", "expected", "quoted-pair", 3),
        ("clause-control-in-comment", " (\x01) tls A", "character", "comment", 2), ("clause-non-ascii-in-comment", " (\u00fc) tls A", "character", "comment", 2),
        ("clause-cr-in-comment", " (a\r b) tls A", "character", "comment", 3), ("clause-lf-in-comment", " (a\n b) tls A", "character", "comment", 3),
        ("clause-line-break-without-space", "\r\ntls A", "expected", "tls-cipher-clause", 0), ("clause-two-line-breaks", " \r\n\r\n tls A", "expected", "tls-cipher-clause", 1),
        ("clause-lf", "\n tls A", "expected", "tls-cipher-clause", 0), ("clause-kelvin", " t\u212as A", "expected", "tls-cipher-clause", 1),
    ):
        cipher(name, text, (kind, offset), field, form="clause")
    cipher("split-before-date", " tls TLS_A; Tue, 1 Jul 2014 10:00:00 +0000", form="split")
    cipher("split-before-comment", "(a) tls 0x1301(b) ; x", form="split")
    cipher("split-number-and-more", " tls 0x13012", form="split")
    cipher("split-at-the-end", " tls TLS_A", form="split")
    cipher("split-two", " tls A tls B", form="split")
    cipher("split-no-clause", " for <a@b.example>", ("expected", 1), "tls-cipher-clause", form="split")


def capabilities():
    def capability(name, text, reject=None):
        case("imap-capability", name, text, reject and (reject[0], "capability-data", reject[1]))

    capability("example-1", "CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1")
    capability("keyword-in-another-case", "capability imap4REV1 deep")
    capability("without-deep", "CAPABILITY IMAP4rev1 ID")
    capability("longer-than-deep", "CAPABILITY IMAP4rev1 DEEPER XDEEP AUTH=DEEP")
    capability("of-rev2-alone", "CAPABILITY IMAP4rev2 DEEP")
    capability("plus-signs", "CAPABILITY IMAP4rev1 LITERAL+ APPENDLIMIT=1")
    for name, text, kind, offset in (
        ("empty", "", "expected", 0), ("other-keyword", "CAPABILITIES DEEP", "expected", 0), ("alone", "CAPABILITY", "empty", 10),
        ("space-at-the-end", "CAPABILITY DEEP ", "extra-space", 16), ("two-spaces", "CAPABILITY  DEEP", "extra-space", 11), ("nothing-after", "CAPABILITY ", "extra-space", 11),
        ("bracket", "CAPABILITY DEEP] hello", "character", 15), ("quote", 'CAPABILITY "DEEP"', "character", 11), ("line-break", "CAPABILITY DEEP\r\n", "character", 15),
        ("non-ascii", "CAPABILITY D\u00e9", "character", 12), ("asterisk", "CAPABILITY *", "character", 11), ("percent", "CAPABILITY a%", "character", 12),
        ("parenthesis", "CAPABILITY a(", "character", 12), ("brace", "CAPABILITY a{", "character", 12), ("backslash", "CAPABILITY a\\", "character", 12),
    ):
        capability(name, text, (kind, offset))


def identifiers():
    def id_(name, text, reject=None, **fields):
        case("imap-id", name, text, reject, **fields)

    client_1 = '("name" "Demo Mail" "version" "1.5" "latch" "tls10 tls-cert" "security-tags" "tls12"'
    server = '("name" "Demo Server" "version" "1.7" "deep-status" "'
    id_("example-1-client", client_1 + ")", **{"from": "client"})
    id_("example-1-server", f'{server}<{URL}>")', **{"from": "server"})
    id_("example-2-client", '("name" "Demo Mail" "version" "1.5" "latch-failure" "tls-cert")', **{"from": "client"})
    id_("example-2-server", f'{server}tls10 <{URL}>")', **{"from": "server"})
    id_("example-3-client", client_1 + ' "tls" "TLS_RSA_WITH_AES_128_CBC_SHA")', **{"from": "client"})
    id_("example-3-server", server + 'tls10 tls-cert <https://www.example.com/support.html>")', **{"from": "server"})
    # The list.
    for name, text in (
        ("nil", "NIL"), ("nil-in-another-case", "nIl"), ("no-pairs", "()"), ("one-pair", '("a" "b")'), ("value-nil", '("a" NIL "b" nil)'),
        ("quoted-nil", '("NIL" "NIL")'), ("empty-strings", '("" "")'), ("escapes", '("a\\"\\\\" "\\\\\\"b")'), ("escape-alone", '("a" "\\"")'),
        ("parentheses-in-strings", '("(a" "b) (")'), ("controls-in-quoted", '("a" "\t\x01\x7f")'), ("utf-8-in-quoted", '("a" "\u00fc\u20ac\U0001f600")'),
        ("literals", '({1}\r\na {2}\r\nbc)'), ("literals-that-do-not-wait", '({1+}\r\na {2+}\r\nbc)'), ("empty-literal", '("a" {0}\r\n)'),
        ("literal-with-zeros", '("a" {0002}\r\nbc "d" NIL)'), ("literal-with-quotes-and-lines", '("a" {7}\r\n"\r\n\\") )'), ("literal-then-pairs", '("a" {1}\r\nb "c" "d")'),
        ("literal-like-a-quoted-brace", '("a" "{1}")'), ("utf-8-in-literal", '("a" {2}\r\n\u00fc)'), ("field-without-ascii", '("\u00fc" "a" "\u00dc" "b")'),
        ("dovecots", '("name" "Dovecot" "deep-status" "tls10")'),
    ):
        id_(name, text)
    for name, text, kind, field, offset in (
        ("empty", "", "empty", "id_params_list", 0), ("space-before", " NIL", "expected", "id_params_list", 0), ("space-after", "NIL ", "trailing", "id_params_list", 3),
        ("line-break-after", '("a" "b")\r\n', "trailing", "id_params_list", 9), ("nil-longer", "NILL", "trailing", "id_params_list", 3), ("atom", "a", "expected", "id_params_list", 0),
        ("unclosed", '("a" "b"', "empty", "id_params_list", 8), ("unclosed-at-once", "(", "empty", "string", 1), ("space-within", '( "a" "b")', "expected", "string", 1),
        ("space-at-the-end", '("a" "b" )', "expected", "string", 9), ("two-spaces", '("a"  "b")', "expected", "string", 5), ("no-space", '("a""b")', "expected", "id_params_list", 4),
        ("odd", '("a")', "expected", "id_params_list", 4), ("odd-at-the-end", '("a" "b" "c")', "expected", "id_params_list", 12), ("field-nil", '(NIL "a")', "expected", "string", 1),
        ("field-atom", '(a "b")', "expected", "string", 1), ("value-atom", '("a" b)', "expected", "string", 5), ("value-nil-longer", '("a" NILL)', "expected", "id_params_list", 8),
        ("commas", '("a" "b","c" "d")', "expected", "id_params_list", 8), ("nested", '(("a" "b"))', "expected", "string", 1),
        ("unclosed-string", '("a" "b', "empty", "string", 7), ("escape-of-another", '("a" "\\b")', "expected", "string", 7), ("escape-at-the-end", '("a" "\\', "empty", "string", 7),
        ("escape-of-cr", '("a" "\\\r")', "expected", "string", 7), ("nul-in-quoted", '("a" "\0")', "character", "string", 6), ("cr-in-quoted", '("a" "b\rc")', "character", "string", 7),
        ("lf-in-quoted", '("a" "b\nc")', "character", "string", 7), ("crlf-in-field", '("a\r\n" "b")', "character", "string", 3),
        ("nul-in-literal", '("a" {3}\r\nb\0c)', "character", "literal", 11), ("literal-without-number", '("a" {}\r\n)', "expected", "literal", 6), ("literal-sign", '("a" {-1}\r\n)', "expected", "literal", 6),
        ("literal-plus-first", '("a" {+1}\r\nb)', "expected", "literal", 6), ("literal-plus-twice", '("a" {1++}\r\nb)', "expected", "literal", 8), ("literal-unclosed", '("a" {1\r\nb)', "expected", "literal", 7),
        ("literal-lf", '("a" {1}\nb)', "expected", "literal", 7), ("literal-same-line", '("a" {1}b)', "expected", "literal", 7), ("literal-too-short", '("a" {3}\r\nb)', "empty", "literal", 12),
        ("literal-eats-the-end", '("a" {2}\r\nb)', "empty", "id_params_list", 12), ("literal-splits-utf-8", '("a" {1}\r\n\u00fc)', "character", "literal", 10),
        ("literal-of-2-to-the-64", '("a" {18446744073709551616}\r\nb)', "limit", "string", 5), ("literal8", '("a" ~{1}\r\nb)', "expected", "string", 5), ("non-sync-minus", '("a" {1-}\r\nb)', "expected", "literal", 7),
        ("twice", '("a" "b" "a" "b")', "duplicate", "id_params_list", 9), ("twice-in-another-case", '("name" "b" "NAME" NIL)', "duplicate", "id_params_list", 12),
        ("twice-once-a-literal", '("a" "b" {1}\r\na "c")', "duplicate", "id_params_list", 9), ("twice-once-escaped", '("\\"" "b" {1}\r\n" "c")', "duplicate", "id_params_list", 10),
        ("of-line-breaks", '("a"\r\n"b")', "expected", "id_params_list", 4),
    ):
        id_(name, text, (kind, field, offset))
    for name, octets, reject in (
        ("octets-not-utf-8-in-quoted", b'("a" "\xfc")', ("character", "id_params_list", 6)), ("octets-not-utf-8-in-literal", b'("a" {1}\r\n\xfc)', ("character", "id_params_list", 10)),
        ("octets-overlong", b'("a" "\xc0\xaf")', ("character", "id_params_list", 6)), ("octets-surrogate", b'("a" "\xed\xa0\x80")', ("character", "id_params_list", 6)),
        ("octets-cut-short", b'("a" "\xc3', ("character", "id_params_list", 6)), ("octets-ascii", b'("a" "b")', None),
    ):
        case("imap-id", name, reject=reject, hex=octets.hex())
    # Limits.
    thirty = " ".join(f'"{number}" NIL' for number in range(30))
    id_("pairs-30", f"({thirty})")
    id_("pairs-31", f'({thirty} "30" NIL)', ("limit", "id_params_list", len(thirty) + 2))
    id_("field-of-30-bytes", f'("{"a" * 30}" NIL)')
    id_("field-of-31-bytes", f'("{"a" * 31}" NIL)', ("limit", "string", 1))
    id_("field-of-30-bytes-escaped", '("' + "\\\\" * 30 + '" NIL)')
    id_("field-of-31-bytes-escaped", '("' + "\\\\" * 31 + '" NIL)', ("limit", "string", 1))
    id_("field-of-30-bytes-literal", "({30}\r\n" + "a" * 30 + " NIL)")
    id_("field-of-31-bytes-literal", "({31}\r\n" + "a" * 31 + " NIL)", ("limit", "string", 1))
    id_("field-of-32-bytes-utf-8", '("' + "\u00fc" * 16 + '" NIL)', ("limit", "string", 1))
    id_("value-of-1024-bytes", long("a", 1024, '("a" "', '")'))
    id_("value-of-1025-bytes", long("a", 1025, '("a" "', '")'), ("limit", "string", 5))
    id_("value-of-1024-bytes-literal", long("a", 1024, '("a" {1024}\r\n', ")"))
    id_("value-of-1025-bytes-literal", long("a", 1025, '("a" {1025}\r\n', ")"), ("limit", "string", 5))
    id_("value-of-1024-bytes-escaped", long("\\\\", 1024, '("a" "', '")'))
    id_("value-of-1025-bytes-escaped", long("\\\\", 1025, '("a" "', '")'), ("limit", "string", 5))
    # Statuses of a server.
    for name, text in (
        ("deep", '("deep" "tls10 tls12")'), ("deep-in-another-case", '("DEEP" "tls10")'), ("deep-empty", '("deep" "")'), ("deep-nil", '("deep" NIL)'),
        ("deep-absent", '("name" "a")'), ("deep-of-nil", "NIL"), ("deep-both-equal", '("deep" "tls10" "deep-status" "tls10")'), ("deep-both-nil", '("deep" NIL "deep-status" NIL)'),
        ("deep-literal", '("deep" {5}\r\ntls10)'), ("deep-other-names", '("deepstatus" "," "deep_status" ",")'), ("deep-escaped-octets", '("x\\"" "y" "deep" "tls10")'),
        ("deep-ignores-the-clients", '("deep" "tls10" "latch" ",")'),
    ):
        id_("server-" + name, text, **{"from": "server"})
    for name, text, kind, field, offset in (
        ("both-differ", '("deep" "tls10" "deep-status" "tls12")', "conflict", "deep-status", 16), ("both-differ-the-other-way", '("deep-status" "tls10" "deep" "tls12")', "conflict", "deep", 23),
        ("both-differ-in-case", '("deep" "tls10" "deep-status" "TLS10")', "conflict", "deep-status", 16), ("both-one-nil", '("deep" "tls10" "deep-status" NIL)', "conflict", "deep-status", 16),
        ("both-the-other-nil", '("deep" NIL "deep-status" "tls10")', "conflict", "deep-status", 12),
        ("bad-tag", '("name" "a" "deep" "tls10 t,x")', "trailing", "security-tag", 27), ("two-spaces", '("deep" "tls10  tls12")', "extra-space", "deep-status", 15),
        ("quote", '("deep" "tls10 \\"")', "expected", "deep-extend", 15), ("backslash", '("deep" "=\\\\")', "trailing", "deep-extend", 10),
        ("unclosed-url-after-escapes", '("deep" "<a\\"\\\\\\"b")', "empty", "deep-https", 18), ("url-after-escapes", '("deep" "=\\" tls10")', "trailing", "deep-extend", 10),
        ("line-break", '("deep" {12}\r\ntls10\r\ntls12)', "character", "deep-status", 19), ("non-ascii", '("deep" "tls10 \u00fc")', "character", "deep-status", 15),
        ("literal", '("deep" {8}\r\n<http:a>)', "not-https", "deep-https", 14), ("bad-examples-name", '("deep-status" "1 t,")', "trailing", "security-tag", 19),
    ):
        id_("server-" + name, text, (kind, field, offset), **{"from": "server"})
    # Reports of a client.
    for name, text in (
        ("nothing", "NIL"), ("nil-everywhere", '("name" NIL "version" NIL "latch" NIL "latch-fail" NIL "security-tags" NIL "tls" NIL)'), ("latch-fail", '("latch-fail" "tls10 tls-cert")'),
        ("latch-fail-both-equal", '("latch-fail" "tls10" "latch-failure" "tls10")'), ("latch-empty", '("latch" "")'), ("security-tags-empty", '("security-tags" "")'),
        ("name-of-utf-8", '("name" "\u00dcbermail")'), ("name-empty", '("name" "")'), ("name-with-quotes", '("name" "\\"a\\" \\\\")'), ("in-another-case", '("Latch" "tls10" "TLS" "0x1301" "NAME" "a")'),
        ("unknown-tags", '("latch" "x-new tls10")'), ("unknown-fields", '("os" "x" "vendor" NIL "latches" ",")'), ("ignores-the-servers", '("deep" "," "name" "a")'),
        ("tags-in-any-order", '("security-tags" "tls12 tls10" "latch" "tls-cert")'),
    ):
        id_("client-" + name, text, **{"from": "client"})
    for name, text, kind, field, offset in (
        ("latch-fail-empty", '("latch-fail" "")', "empty", "latch-fail", 15), ("latch-failure-empty", '("latch-failure" "")', "empty", "latch-fail", 18),
        ("latch-fail-both-differ", '("latch-fail" "tls10" "latch-failure" "tls12")', "conflict", "latch-failure", 22),
        ("latch-fail-both-differ-the-other-way", '("latch-failure" "tls10" "latch-fail" "tls12")', "conflict", "latch-fail", 25),
        ("latch-with-commas", '("latch" "tls10,tls12")', "trailing", "security-tag", 15), ("latch-ends-with-space", '("latch" "tls10 ")', "empty", "security-tag", 16),
        ("latch-space-alone", '("latch" " ")', "empty", "security-tag", 10), ("security-tags-digit", '("security-tags" "tls10 1")', "expected", "security-tag", 24),
        ("latch-escape", '("latch" "a b\\"")', "trailing", "security-tag", 13), ("latch-65-tags", '("latch" "' + "a " * 64 + 'a")', "limit", "latch", 138),
        ("tls-openssl-name", '("tls" "ECDHE-RSA")', "trailing", "tls-cipher", 13), ("tls-empty", '("tls" "")', "empty", "tls-cipher", 8),
        ("name-with-line-break", '("name" {4}\r\na\r\nb)', "character", "name", 14), ("name-with-tab", '("name" "a\tb")', "character", "name", 10),
        ("name-with-c1", '("name" "a\u0085")', "character", "name", 10), ("version-with-escape-and-del", '("version" "\\"\x7f")', "character", "version", 14),
    ):
        id_("client-" + name, text, (kind, field, offset), **{"from": "client"})


def clients():
    def client(name, text, reject=None):
        case("smtp-client", name, text, reject)

    client("example", "CLIENT name=demo_submit version=1.5 latch=tls10,tls-cert security-tags=tls12")
    for name, text in (
        ("verb-in-another-case", "client name=a"), ("names-in-another-case", "CLIENT NAME=a Latch=tls10 TLS=0x1301"), ("latch-fail", "CLIENT latch-fail=tls10,tls12"),
        ("latch-failure", "CLIENT latch-failure=tls-cert"), ("latch-fail-both-equal", "CLIENT latch-fail=tls10 latch-failure=tls10"), ("tls", "CLIENT tls=TLS_RSA_WITH_AES_128_CBC_SHA"),
        ("name-of-any-octet", "CLIENT name=!\"#$%&'()*+,-./:;<>?@[\\]^_`{|}~"), ("unknown", "CLIENT x-later=1"), ("unknown-without-value", "CLIENT x"),
        ("unknown-beside", "CLIENT name=a 8bit name2=b x-=? version=1"), ("unknown-tags", "CLIENT latch=x-new,tls10"), ("repeated-tags", "CLIENT latch=tls10,tls10"),
        ("deep-is-unknown", "CLIENT deep=tls10"),
    ):
        client(name, text)
    for name, text, kind, field, offset in (
        ("empty", "", "expected", "deep-cmd", 0), ("alone", "CLIENT", "empty", "deep-cmd", 6), ("alone-and-space", "CLIENT ", "extra-space", "deep-cmd", 7),
        ("other-verb", "CLIENTS name=a", "expected", "deep-cmd", 0), ("space-before", " CLIENT name=a", "expected", "deep-cmd", 0), ("tab", "CLIENT\tname=a", "expected", "deep-cmd", 0),
        ("two-spaces", "CLIENT  name=a", "extra-space", "deep-cmd", 7), ("two-spaces-later", "CLIENT name=a  version=1", "extra-space", "deep-cmd", 14),
        ("space-at-the-end", "CLIENT name=a ", "extra-space", "deep-cmd", 14), ("line-break", "CLIENT name=a\r\n", "trailing", "esmtp-value", 13), ("tab-within", "CLIENT name=a\tb=c", "trailing", "esmtp-value", 13),
        ("value-empty", "CLIENT name=", "empty", "esmtp-value", 12), ("value-empty-before-another", "CLIENT latch= name=a", "empty", "esmtp-value", 13), ("value-missing", "CLIENT name", "empty", "name", 11),
        ("latch-missing", "CLIENT name=a latch", "empty", "latch", 19), ("tls-missing", "CLIENT tls", "empty", "tls", 10), ("value-with-equals-sign", "CLIENT name=a=b", "trailing", "esmtp-value", 13),
        ("equals-signs", "CLIENT name==b", "expected", "esmtp-value", 12), ("value-non-ascii", "CLIENT name=\u00fc", "expected", "esmtp-value", 12), ("value-del", "CLIENT name=a\x7f", "trailing", "esmtp-value", 13),
        ("keyword-empty", "CLIENT =a", "expected", "esmtp-param", 7), ("keyword-hyphen", "CLIENT -a=b", "expected", "esmtp-param", 7), ("keyword-underscore", "CLIENT a_b=c", "expected", "esmtp-param", 8),
        ("unknown-value-empty", "CLIENT x=", "empty", "esmtp-value", 9), ("unknown-keyword-bad", "CLIENT name=a x/y", "expected", "esmtp-param", 15),
        ("twice", "CLIENT name=a name=a", "duplicate", "esmtp-param", 14), ("twice-in-another-case", "CLIENT name=a NAME=b", "duplicate", "esmtp-param", 14), ("unknown-twice", "CLIENT x=1 y x", "duplicate", "esmtp-param", 13),
        ("latch-space-list", "CLIENT latch=tls10 tls-cert tls10 tls10", "duplicate", "esmtp-param", 34), ("latch-bad-tag", "CLIENT latch=tls10,1", "expected", "security-tag", 19),
        ("latch-comma-at-the-end", "CLIENT latch=tls10,", "empty", "security-tag", 19), ("latch-quoted", 'CLIENT latch="tls10"', "expected", "security-tag", 13),
        ("latch-fail-both-differ", "CLIENT latch-fail=tls10 latch-failure=tls12", "conflict", "latch-failure", 24),
        ("latch-fail-both-differ-the-other-way", "CLIENT latch-failure=tls10 latch-fail=tls12", "conflict", "latch-fail", 27), ("latch-fail-both-differ-in-case", "CLIENT latch-fail=tls10 latch-failure=TLS10", "conflict", "latch-failure", 24),
        ("security-tags-dot", "CLIENT security-tags=tls1.0", "trailing", "security-tag", 25), ("tls-openssl-name", "CLIENT tls=ECDHE-RSA", "trailing", "tls-cipher", 16), ("tls-five-digits", "CLIENT tls=0x13012", "trailing", "tls-cipher", 17),
        ("verb-kelvin", "CL\u0130ENT name=a", "expected", "deep-cmd", 0),
    ):
        client(name, text, (kind, field, offset))
    client("of-510-bytes", long("a", 498, "CLIENT name="))
    client("of-511-bytes", long("a", 499, "CLIENT name="), ("limit", "deep-cmd", 510))
    client("of-511-bytes-that-break-earlier-too", long(" ", 505, "CLIENT"), ("limit", "deep-cmd", 510))
    client("latch-of-64-tags", long("a,", 63, "CLIENT latch=", "b"))
    client("latch-of-65-tags", long("a,", 64, "CLIENT latch=", "b"), ("limit", "latch", 141))


def fields():
    def field(name, text, reject=None, **options):
        case("security-latch", name, text, reject, **options)

    name_ = "SMTP-Security-Latch:"
    for name, text in (
        ("one", " tls10"), ("two", " tls12 tls-cert"), ("tab", "\ttls12\ttls-cert"), ("spaces", " \t tls12  \t tls-cert"), ("folded", " tls12\r\n tls-cert"), ("folded-at-once", "\r\n tls12"),
        ("folds-of-spaces", " \r\n \r\n\ttls12 \r\n \r\n tls-cert"), ("comment", " (mx.example.com) tls12"), ("comment-glued", "(a)tls12"), ("comments", "(a)\r\n (b (c) d)(e) tls12"),
        ("comment-folded", " (a\r\n b\r\n (c)) tls12"), ("comment-escapes", " (\\)\\(\\\\ \\\t) tls12"), ("empty-comment", "()tls12"), ("unknown-tag", " x-new"), ("repeated", " tls12 TLS12"),
        ("escaped-parenthesis-after-a-comment", " ((c) \\(b) tls12"),
    ):
        field(name, name_ + text)
        field(name + "-body", text, body=True)
    field("name-in-another-case", "smtp-SECURITY-latch: tls12")
    for name, text, kind, where, offset in (
        ("nothing", "", "empty", "smtp-security-latch", 0), ("space-alone", " ", "empty", "security-tag", 1), ("no-space", "tls12", "expected", "smtp-security-latch", 0),
        ("comma", " tls12,tls10", "expected", "smtp-security-latch", 6), ("space-at-the-end", " tls12 ", "empty", "security-tag", 7), ("comment-at-the-end", " tls12 (a)", "expected", "security-tag", 7),
        ("comment-between", " tls12 (a) tls10", "expected", "security-tag", 7), ("comment-glued-after", " tls12(a)", "expected", "smtp-security-latch", 6), ("crlf-at-the-end", " tls12\r\n", "expected", "smtp-security-latch", 6),
        ("next-field", " tls12\r\nX: y", "expected", "smtp-security-latch", 6), ("lf-fold", " tls12\n tls10", "expected", "smtp-security-latch", 6), ("cr", " tls12\r tls10", "expected", "smtp-security-latch", 6),
        ("digit", " 1", "expected", "security-tag", 1), ("second-digit", " tls12 1", "expected", "security-tag", 7), ("open-comment", " (a tls12", "empty", "comment", 9),
        ("comment-of-control", " (\0) tls12", "character", "comment", 2), ("comment-of-utf-8", " (\u00fc) tls12", "character", "comment", 2), ("escape-of-control", " (\\\r) tls12", "expected", "quoted-pair", 3),
        ("escape-outside", " \\t", "expected", "security-tag", 1), ("quoted", ' "tls12"', "expected", "security-tag", 1), ("two-line-breaks", " tls12\r\n\r\n tls10", "expected", "smtp-security-latch", 6),
        ("open-comment-after-an-escape", " (a\\) tls12", "empty", "comment", 11), ("closed-twice", " (a)) tls12", "expected", "security-tag", 4),
    ):
        field(name, name_ + text, (kind, where, offset + len(name_)))
        field(name + "-body", text, (kind, where, offset), body=True)
    field("tag-of-64-bytes", long("a", 64, name_ + " "))
    field("tag-of-65-bytes", long("a", 65, name_ + " "), ("limit", "security-tag", 85))
    field("tags-64", long(" a", 64, name_))
    field("tags-65", long(" a", 65, name_), ("limit", "smtp-security-latch", 149))
    field("comments-1000-deep", long("(", 1000, name_, ")" * 1000 + "tls12"))
    field("comments-1000-deep-open", long("(", 1000, name_, ")" * 999 + "tls12"), ("empty", "comment", 2024))
    field("no-name", " tls12", ("expected", "smtp-security-latch", 0))
    field("other-name", "SMTP-Security-Latches: tls12", ("expected", "smtp-security-latch", 0))
    field("space-before-colon", "SMTP-Security-Latch : tls12", ("expected", "smtp-security-latch", 0))
    field("empty", "", ("empty", "smtp-security-latch", 0))


def registrations():
    def entry(label, ietf=None, update_by=None, **changes):
        fields = {"name": "tls13", "description": "TLS 1.3 or later. It is latched when it is seen over TLS 1.3.", "intended_usage": "COMMON",
                  "reference": "RFC 8446", "submitter": "A. Person", "change_controller": "IESG", **changes}
        options = {"ietf": ietf, "update_by": update_by}
        options = {name: value for name, value in options.items() if value is not None}
        case("registration", label, registration={name: value for name, value in fields.items() if value is not None}, **options)

    entry("good")
    entry("good-without-reference", reference=None)
    entry("good-of-the-ietf", ietf=True)
    for usage in "LIMITED USE", "OBSOLETE", "common", "LIMITED", "", "COMMON ":
        entry("usage-" + (usage.lower().replace(" ", "-") or "empty") + ("-lower-case" if usage == "common" else ""), intended_usage=usage)
    for text in "tls12", "TLS12", "tls-CERT":
        entry("registered-" + text, name=text)
    for name, text in (("digit", "1tls"), ("empty", ""), ("space", "tls 13"), ("full-stop", "tls1.3"), ("65-bytes", long("a", 65)), ("64-bytes", long("a", 64)), ("non-ascii", "tls\u00fc")):
        entry("name-" + name, name=text)
    entry("description-empty", description="")
    entry("description-of-spaces", description=" \r\n\t")
    entry("description-without-latching", description="TLS 1.3 or later.")
    entry("description-with-latches", description="TLS 1.3. Clients LATCH it.")
    entry("description-of-another", description=REGISTERED["tls12"])
    entry("description-of-another-wrapped", description=REGISTERED["tls-cert"].replace(". ", ".\n  "))
    entry("description-of-another-limited-use", description=REGISTERED["tls12"], intended_usage="LIMITED USE")
    entry("reference-of-spaces", reference=" ")
    entry("submitter-of-spaces", submitter=" ")
    entry("change-controller-empty", change_controller="")
    entry("change-controller-empty-of-the-ietf", change_controller="", ietf=True)
    entry("change-controller-a-person", change_controller="A. Person")
    entry("change-controller-a-person-of-the-ietf", change_controller="A. Person", ietf=True)
    entry("everything-wrong", name="1", description="", intended_usage="", reference="", submitter="", change_controller="x", ietf=True)
    authors = "Authors of draft-newman-email-deep-02"
    entry("update-by-the-iesg", name="tls10", update_by="IESG", intended_usage="OBSOLETE", description=REGISTERED["tls10"], submitter=authors)
    entry("update-by-the-iesg-in-another-case", name="TLS10", update_by="IESG", submitter="B. Person")
    entry("update-by-another", name="tls10", update_by="A. Person", submitter=authors)
    entry("update-by-another-with-another-submitter", name="tls10", update_by="iesg")
    entry("update-of-nothing", update_by="IESG")


if __name__ == "__main__":
    for part in tags, statuses, lines, ciphers, capabilities, identifiers, clients, fields, registrations:
        part()
    main(__doc__, *(SuiteFile(f"deep-latch/{suite}", SOURCE, list(cases.values()), indent="") for suite, cases in CASES.items()))
