"""Writes mail-implicit-tls/vectors/received.json: Received fields as servers write them, and fields that are wrong.
The suite, the group and every refusal are stated by hand; received_reference.py, a second implementation, must read the
same, and gives the clauses.

    python3 crates/conformance-mail-implicit-tls/python/received_vectors.py [--check]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main  # noqa: E402

from received_reference import Refused, read

SOURCE = "crates/conformance-mail-implicit-tls/python/received_vectors.py"
DATE = "; Tue, 1 Jul 2014 10:00:00 +0000"
CASES = {}


def case(name, body, tls=None, group=None, reject=None):
    """`tls` and `group`: the value, or the kind of the error; `reject`: kind, field and offset."""
    assert name not in CASES, name
    try:
        result = read(body)
    except Refused:
        result = None
    assert (result is None) == (reject is not None), f"{name}: {result}"
    fields = {"name": name, "requirements": ["newman-9-2-4"], "body": body}
    if reject:
        fields["reject"] = dict(zip(("kind", "field", "offset"), reject))
    else:
        for key, stated in (("tls", tls), ("group", group)):
            value = result[key]
            assert (value["value"] if isinstance(value, dict) else value) == stated, f"{name}: {key}: {value}"
        fields["accept"] = result
    CASES[name] = fields


# --- As servers write them ---------------------------------------------------------------------------------------

case("draft-clause", f"from a.example by b.example with ESMTPS tls TLS_DHE_RSA_WITH_AES_128_CBC_SHA{DATE}", tls="TLS_DHE_RSA_WITH_AES_128_CBC_SHA")
case("rfc8314-clauses", f"from a.example by b.example with ESMTPSA id 1 tls TLS_AES_128_GCM_SHA256 group x25519{DATE}", tls="TLS_AES_128_GCM_SHA256", group="x25519")
case(
    "postfix",
    " from client.example.org (client.example.org [192.0.2.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n\t"
    " key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r\n\t(No client certificate requested)\r\n\t"
    "by mx.example.net (Postfix) with ESMTPSA id 4hXk2y3Zz1z9\r\n\tfor <bob@example.net>; Tue,  1 Jul 2014 10:00:00 +0000 (UTC)\r\n",
)
case(
    "exim",
    " from client.example.org ([192.0.2.1])\r\n\tby mx.example.net with esmtpsa  (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n\t(Exim 4.96)\r\n\t"
    "(envelope-from <alice@example.org>)\r\n\tid 1qKpVw-0003Zz-2x\r\n\tfor bob@example.net;\r\n\tTue, 01 Jul 2014 10:00:00 +0000\r\n",
    tls="TLS_AES_256_GCM_SHA384",
)
case("sendmail", " from client (client.example.org [192.0.2.1])\r\n\tby mx.example.net (8.17.1/8.17.1) with ESMTPS id 361A0\r\n\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NO)\r\n\tfor <bob@example.net>; Tue, 1 Jul 2014 10:00:00 GMT")
case("gmail-submission", " from [192.168.1.2] (host.example.org. [192.0.2.1])\r\n        by smtp.example.com with ESMTPSA id d9443c01a7336\r\n        for <bob@example.net>\r\n        (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128);\r\n        Tue, 01 Jul 2014 10:00:00 -0700 (PDT)")
case("gmail-internal", " by 2002:a05:6512:3d1f:b0:4f8 with SMTP id d31csp12345;\r\n        Tue, 1 Jul 2014 10:00:00 -0700 (PDT)")
case("exchange", " from A.EURPRD.example (2603:10a6:800::1) by B.EURPRD.example\r\n (2603:10a6:10::2) with Microsoft SMTP Server (version=TLS1_2,\r\n cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.8655.33; Tue, 1 Jul\r\n 2014 10:00:00 +0000")
case("exchange-frontend", " from A (192.0.2.1) by B (192.0.2.2) with Microsoft SMTP Server id 15.2.1 via Frontend Transport; Tue, 1 Jul 2014 10:00:00 +0000")
case("qmail", " (qmail 12345 invoked by uid 500); 1 Jul 2014 10:00:00 -0000")
case("qmail-smtp", " from unknown (HELO mail.example.org) (192.0.2.1)\r\n  by 0 with (TLS_AES_256_GCM_SHA384 encrypted) ESMTPS; 1 Jul 2014 10:00:00 -0000")
case("opensmtpd", " from client.example.org (client.example.org [192.0.2.1])\r\n\tby mx.example.net (OpenSMTPD) with ESMTPS id 4a5b6c (TLSv1.3:TLS_CHACHA20_POLY1305_SHA256:256:NO)\r\n\tfor <bob@example.net>;\r\n\tTue, 1 Jul 2014 10:00:00 +0000 (UTC)")
case("courier", " from client.example.org ([::ffff:192.0.2.1])\r\n  (AUTH: PLAIN alice, TLS: TLSv1.3,256bits,TLS_AES_256_GCM_SHA384)\r\n  by mx.example.net with ESMTPSA; Tue, 01 Jul 2014 10:00:00 +0000\r\n  id 0000000000A1B2C3.0000000053B28860")
case("dovecot-lmtp", " from mx.example.net\r\n\tby imap.example.net with LMTP\r\n\tid qJ0BA2CIsmMeBgAA\r\n\t(envelope-from <alice@example.org>)\r\n\tfor <bob@example.net>; Tue, 01 Jul 2014 10:00:00 +0000")
case("fetchmail", " from pop.example.org [192.0.2.1]\r\n\tby localhost with POP3 (fetchmail-6.4.37)\r\n\tfor <bob@localhost> (single-drop); Tue, 01 Jul 2014 10:00:00 +0000")
case("local-user", " (from alice@localhost)\r\n\tby client.example.org (8.17.1/8.17.1/Submit) id 361A0;\r\n\tTue, 1 Jul 2014 10:00:00 GMT")
case("utf8", f"from bücher.example (grüße) by mx.example.net with UTF8SMTPSA tls TLS_AES_128_GCM_SHA256{DATE}", tls="TLS_AES_128_GCM_SHA256")
for number, kind in enumerate(["SMTP", "ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA", "LMTP", "LMTPA", "LMTPS", "LMTPSA", "UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA", "UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA", "esmtps", "ESMTPAS", "ESMTPSS", "HTTP", "ESMTPSX"]):
    case(f"type-{number}-{kind}", f"from a by b with {kind}{DATE}")

# --- Suites and groups -------------------------------------------------------------------------------------------

for name, value, tls in [
    ("number", "0x1301", "0x1301"),
    ("number-upper", "0X00FF", "0X00FF"),
    ("number-three-digits", "0x130", "expected"),
    ("number-five-digits", "0x13011", "expected"),
    ("number-not-hexadecimal", "0x13G1", "expected"),
    ("letter", "A", "A"),
    ("lower-case", "tls_aes_128_gcm_sha256", "tls_aes_128_gcm_sha256"),
    ("digit-first", "3DES", "expected"),
    ("underscore-first", "_A", "expected"),
    ("hyphen", "ECDHE-RSA-AES128-SHA", "expected"),
    ("quoted", '"TLS_AES_128_GCM_SHA256"', "expected"),
    ("path", "<TLS_AES_128_GCM_SHA256>", "expected"),
    ("with-comma", "TLS_AES_128_GCM_SHA256,", "expected"),
    ("is-a-word", "by", "by"),
    ("8-bit", "TLS_ÄES", "expected"),
]:
    case(f"suite-{name}", f"from a by b tls {value}{DATE}", tls=tls)
for name, value, group in [("hyphen", "a-b", "a-b"), ("hybrid", "X25519MLKEM768", "X25519MLKEM768"), ("digit-first", "25519", "expected"), ("dot", "a.b", "expected")]:
    case(f"group-{name}", f"from a by b group {value}{DATE}", group=group)
case("twice", f"from a by b tls A tls B{DATE}", tls="duplicate")
case("group-twice", f"from a by b group A tls X GROUP B{DATE}", tls="X", group="duplicate")
case("upper-case-word", f"FROM a BY b TLS TLS_AES_128_GCM_SHA256{DATE}", tls="TLS_AES_128_GCM_SHA256")
case("before-others", f"tls A from a by b{DATE}", tls="A")

# --- What does not count -----------------------------------------------------------------------------------------

case("in-comment", f"from a (tls A) by b{DATE}")
case("in-nested-comment", f"from a (x (tls A) \\) tls B) by b tls C{DATE}", tls="C")
case("in-quoted-string", f'from a by b id "x tls A" {DATE}')
case("in-path", f"from a by b for <\"x tls A\"@example.net>{DATE}")
case("in-date", f"from a by b{DATE} tls A")
case("as-greeting", f"from tls by b with ESMTP{DATE}")
case("as-greeting-and-host", f"from tls by tls tls A{DATE}", tls="A")
case("in-other-word", f"from a by b id xtls A{DATE}")
case("glued-to-comment", f"from a by b tls(comment)A{DATE}", tls="A")
case("comment-before-value", f"from a by b tls (c) (d)\r\n\tA{DATE}", tls="A")
case("folded-everywhere", "\r\n from\r\n a\r\n by\r\n b\r\n\ttls\r\n \r\n A\r\n ;\r\n Tue, 1 Jul 2014 10:00:00 +0000", tls="A")
case("no-space-before-semicolon", "from a by b tls A;x", tls="A")
case("only-semicolon", ";")
case("no-clauses", "(nothing); x")
case("greeting-in-brackets", f"from [192.0.2.1] by b tls A{DATE}", tls="A")
case("semicolon-in-comment", f"from a (b; c) by b tls A{DATE}", tls="A")
case("semicolon-in-path", f"from a by b for <a;b@example.net> tls A{DATE}", tls="A")
case("escaped-in-quoted-string", f'from a by b id "x\\"; tls B" tls A{DATE}', tls="A")
case("32-clauses", " ".join(["via x"] * 32) + DATE)

# --- What is refused ---------------------------------------------------------------------------------------------

case("empty", "", reject=("no-date", "Stamp", 0))
case("no-semicolon", "from a by b", reject=("no-date", "Stamp", 11))
case("value-missing", f"from a by b tls{DATE}", reject=("no-value", "tls", 15))
case("value-missing-from", f"from{DATE}", reject=("no-value", "from", 4))
case("comment-unterminated", f"from a (b (c) by d{DATE}", reject=("unterminated", "comment", 7))
case("comment-ends-in-backslash", "from a (b\\", reject=("unterminated", "comment", 9))
case("comment-not-begun", f"from a) by b{DATE}", reject=("expected", "Stamp", 6))
case("quoted-string-unterminated", f'from a by b id "x{DATE}', reject=("unterminated", "Quoted-string", 15))
case("path-unterminated", f"from a by b for <x{DATE}", reject=("unterminated", "Path", 16))
case("literal-unterminated", f"from [192.0.2.1 by b{DATE}", reject=("unterminated", "address-literal", 5))
case("bare-lf", f"from a\n by b{DATE}", reject=("control", "Stamp", 6))
case("bare-cr", f"from a\r by b{DATE}", reject=("control", "Stamp", 6))
case("crlf-without-space", f"from a\r\nby b{DATE}", reject=("control", "Stamp", 6))
case("crlf-in-comment", f"from a (b\r\nc) by b{DATE}", reject=("control", "comment", 9))
case("crlf-in-path", f"from a by b for <a\r\n b>{DATE}", reject=("control", "Path", 18))
case("crlf-in-date", "from a by b; x\r\ny", reject=("control", "date-time", 14))
case("nul", f"from a\0 by b{DATE}", reject=("control", "Stamp", 6))
case("nul-in-comment", f"from a (\0) by b{DATE}", reject=("control", "comment", 8))
case("nul-in-date", "from a by b;\0", reject=("control", "date-time", 12))
case("escape-in-quoted-string", f'from a by b id "\x1b[0m"{DATE}', reject=("control", "Quoted-string", 16))
case("quoted-control", f"from a (\\\x07) by b{DATE}", reject=("control", "comment", 9))
case("backslash", f"from a\\b by c{DATE}", reject=("expected", "Stamp", 6))
case("33-clauses", " ".join(["via x"] * 33) + DATE, reject=("too-many-clauses", "Received", 192))
case("16385-octets", "from a by b;" + "x" * 16373, reject=("too-long", "Received", 16384))
case("16384-octets", "from a by b;" + "x" * 16372)
case("10000-comments", "(" * 8000 + ")" * 8000 + ";")
case("10000-open", "(" * 10000, reject=("unterminated", "comment", 0))

main(None, SuiteFile("mail-implicit-tls/received", SOURCE, list(CASES.values())))
