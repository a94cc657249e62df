"""Writes mail-implicit-tls/vectors/gateway-submission.json: sessions of Submission through a gateway. How each ends, and what
the backend must not receive, is stated here; submission_reference.py, a second implementation, must find the same, and gives
what both sides receive.

    python3 crates/conformance-mail-implicit-tls/python/submission_vectors.py [--check]
"""

import re

import submission_reference as reference
from suite_file import SuiteFile, main

SUITE = SuiteFile("gateway-submission", __file__, [])
EHLO = "250-mx.example.org\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n250-DEEP tls12\r\n250 AUTH PLAIN LOGIN\r\n"
DEEP, TLS, RECEIVED, BEFORE = ["newman-7-3-1", "newman-7-3-4"], ["newman-7-1-6"], ["newman-9-2-4", "newman-6-1"], ["newman-9-1-3"]
FORBIDDEN = re.compile(r"(?:^|[\r\n])[ \t]*(?:xclient|xforward|client|starttls)", re.I)


def case(name, script, end="open", requirements=BEFORE, clean=True, **options):
    """`script`: turns of the client, "S:" before those of the backend. `clean`: the backend receives no line that begins with
    the name of a command of gateways, in whatever way it ends its lines."""
    turns = [["backend", it[2:]] if it.startswith("S:") else ["failed", ""] if it == "failed" else ["client", it] for it in script]
    result = reference.play(turns, **options)
    assert result["end"] == end, f"{name}: {result}"
    received = "".join(backend for _, backend in result["turns"])
    if options.get("address") != "xclient":
        assert not clean or not FORBIDDEN.search(received), f"{name}: {received}"
    fields = {"options": options} if options else {}
    SUITE.case(name, result, requirements, script=turns, **fields)


def greeted(name, script, end="open", ehlo=EHLO, **fields):
    case(name, ["S:220 mx\r\n", "EHLO c\r\n", f"S:{ehlo}", *script], end, **fields)


LOGIN = ["AUTH PLAIN AGEAYg==\r\n", "S:235 ok\r\n"]
TRANSACTION = ["MAIL FROM:<a@example.org>\r\n", "S:250 ok\r\n", "RCPT TO:<b@example.org>\r\n", "S:250 ok\r\n"]
SYNTAX, OCTET, LONG = ["client", "syntax"], ["client", "octet"], ["client", "too-long"]
UNEXPECTED = ["backend", "unexpected"]


def logged_in(name, script, end="open", **fields):
    greeted(name, [*LOGIN, *script], end, **fields)


def in_transaction(name, script, end="open", **fields):
    logged_in(name, [*TRANSACTION, *script], end, **fields)


# --- Commands that only a gateway may send -----------------------------------------------------------------------

NAMES = ["XCLIENT ADDR=192.0.2.9", "xclient addr=192.0.2.9", "XClient", "XFORWARD NAME=x", "xforward addr=192.0.2.9", "STARTTLS", "ATRN x", "XEXCH50 2 2", "XPROXY"]
for number, command in enumerate(NAMES):
    line = f"{command}\r\n"
    case(f"internal-{number}-before-the-greeting", [line, "S:220 mx\r\n", "NOOP\r\n"])
    greeted(f"internal-{number}-before-login", [line, "NOOP\r\n"])
    logged_in(f"internal-{number}-after-login", [line, "NOOP\r\n"])
    greeted(f"internal-{number}-behind-auth", ["AUTH PLAIN AGEAYg==\r\n" + line, "S:235 ok\r\n"])
    greeted(f"internal-{number}-behind-auth-that-asks", ["AUTH PLAIN\r\n" + line + "NOOP\r\n", "S:334 \r\n", "S:501 no\r\n"], clean=command != "STARTTLS")
    greeted(f"internal-{number}-behind-auth-that-fails", ["AUTH PLAIN\r\n" + line, "S:504 no\r\n"])
    logged_in(f"internal-{number}-behind-rset", ["RSET\r\n" + line + "NOOP\r\n", "S:250 ok\r\n"])
    in_transaction(f"internal-{number}-behind-a-message", ["DATA\r\n", "S:354 go\r\n", "x\r\n.\r\n" + line, "S:250 ok\r\n"])
    in_transaction(f"internal-{number}-behind-data-that-fails", ["DATA\r\n" + line, "S:554 no\r\n"])
LINES = [" XCLIENT x", "\tXCLIENT x", "XCLIENT\tx", "XCLIENTS", "NOOP\x0bXCLIENT", "NOOP\x7f", "\x08XCLIENT", "X", "", " ", " CLIENT tls=A", "CLIENT\ttls=A", ".CLIENT x=y", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2", "GET / HTTP/1.1", "LHLO x", "MAILFROM:<>", "BURL x LAST"]
for number, line in enumerate(LINES):
    logged_in(f"line-{number}", [f"{line}\r\nNOOP\r\n"])
for name, text in {"lf": "NOOP\nXCLIENT x\r\n", "cr": "NOOP\rXCLIENT x\r\n", "nul": "NOOP\0\r\n", "lf-alone": "\n", "cr-cr": "NOOP\r\r\n", "lf-cr": "NOOP\n\r\n"}.items():
    greeted(f"bare-{name}-before-login", [text], OCTET)
    logged_in(f"bare-{name}-after-login", [text], OCTET)
    logged_in(f"bare-{name}-behind-a-command", ["RSET\r\n" + text, "S:250 ok\r\n"], OCTET)
greeted("eight-bit-cr-and-lf-before-login", ["NOOP \x8d\x8aXCLIENT x\r\n"], OCTET)
greeted("eight-bit-in-ehlo", ["EHLO \xc3\xbc\r\n"], OCTET)
logged_in("eight-bit-after-login", ["NOOP \xc3\xbc\r\nEHLO \xc3\xbc\r\nRCPT TO:<\xfc@x>\r\nNOOP\r\n"])
logged_in("smtputf8", ["MAIL FROM:<\xc3\xbc@example.org> SMTPUTF8\r\n", "S:250 ok\r\n", "RCPT TO:<\xc3\xbc@example.org>\r\n", "S:250 ok\r\n"])
logged_in("smtputf8-that-is-not-offered", ["EHLO c\r\n", "S:250 mx\r\n", "MAIL FROM:<\xc3\xbc@example.org> SMTPUTF8\r\n"])
logged_in("control-of-eight-bit", ["VRFY \xc2\x85\r\n"])
greeted("too-many-refusals", ["XCLIENT\r\n" * 20 + "NOOP\r\n", "S:250 ok\r\n", "XCLIENT\r\nNOOP\r\n"], "over")
logged_in("command-of-2048", ["NOOP " + "x" * 2041 + "\r\n"])
logged_in("command-of-2049", ["NOOP " + "x" * 2042 + "\r\n"], LONG)
greeted("pipelined", ["MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n", "S:250 a\r\n", "S:250 b\r\n", "S:550 c\r\n", "S:354 go\r\n", "S:250 ok\r\n", "S:221 bye\r\n"], "over")
greeted("helo", ["HELO c\r\n", "S:250-mx\r\n250 STARTTLS\r\n", "BDAT 1\r\nx", "CLIENT name=x\r\n"])
greeted("commands-that-are-passed-on", ["vrfy x\r\n", "S:252 x\r\n", "EXPN x\r\n", "S:502 no\r\n", "HELP\r\n", "S:214-a\r\n214 b\r\n", "etrn x\r\n", "S:250 ok\r\n", "NOOP  \r\n", "S:250 ok\r\n"])

# --- CLIENT and EHLO ---------------------------------------------------------------------------------------------

REPORTS = ["CLIENT name=demo_submit version=1.5 latch=tls10,tls-cert security-tags=tls12", "client LATCH-FAIL=tls-cert", "CLIENT latch-failure=tls-cert,tls10 x=y z ", "CLIENT name=x tls=TLS_A_LIE", "CLIENT tls=0x1301",
    "CLIENT", "CLIENT ", "CLIENT  name=x", "CLIENT name=", "CLIENT name", "CLIENT latch=", "CLIENT latch=tls10,", "CLIENT latch=1", "CLIENT name=x name=y", "CLIENT NAME=x name=x", "CLIENT latch-fail=a latch-failure=b", "CLIENT latch-fail=a latch-failure=a", "CLIENT tls=\xfc", "CLIENT tls=a-b", "CLIENT name=a=b", "CLIENT -x=y", "CLIENT x=" + "y" * 400]  # fmt: skip
for number, line in enumerate(REPORTS):
    end = OCTET if "\xfc" in line else "open"
    greeted(f"client-{number}-before-login", [f"{line}\r\nNOOP\r\n"], end, requirements=DEEP + TLS)
    if end == "open":
        logged_in(f"client-{number}-after-login", [f"{line}\r\nNOOP\r\n"], requirements=DEEP + TLS)
greeted("client-without-deep", ["CLIENT name=x\r\n"], ehlo="250 mx\r\n", requirements=DEEP)
greeted("client-with-the-gateways-deep", ["CLIENT name=x\r\n"], ehlo="250 mx\r\n", requirements=DEEP, deep="DEEP tls12 tls-cert")
greeted("client-behind-rset", ["RSET\r\nCLIENT name=x\r\n", "S:250 ok\r\n"], requirements=DEEP)
REPLIES = {"starttls": "250-mx\r\n250-STARTTLS\r\n250 SIZE 1\r\n", "starttls-last": "250-mx\r\n250-SIZE 1\r\n250 starttls\r\n", "starttls-alone": "250-mx\r\n250 STARTTLS\r\n", "internal": "250-mx\r\n250-XCLIENT NAME ADDR\r\n250-XFORWARD NAME\r\n250-ATRN\r\n250 XEXCH50\r\n",
    "name-of-an-extension": "250-STARTTLS XCLIENT\r\n250 HELP\r\n", "plus": "250-mx\r\n250 AUTH SCRAM-SHA-256 SCRAM-SHA-256-PLUS scram-sha-1-plus PLAIN\r\n", "plus-alone": "250-mx\r\n250-AUTH SCRAM-SHA-1-PLUS\r\n250 HELP\r\n", "old-auth": "250-mx\r\n250-AUTH=LOGIN X-PLUS PLAIN\r\n250 AUTH=\r\n",
    "external": "250-mx\r\n250 AUTH EXTERNAL PLAIN\r\n", "external-alone": "250-mx\r\n250 AUTH EXTERNAL\r\n", "spaces": "250-mx\r\n250 AUTH  PLAIN  LOGIN \r\n", "deep": "250-mx\r\n250-DEEP tls10 <https://www.example.com/>\r\n250 deep\r\n", "bare": "250\r\n", "empty-lines": "250-\r\n250-\r\n250\r\n",
    "refused": "502-STARTTLS\r\n502 no\r\n", "like-others": "250-mx\r\n250-STARTTLSX\r\n250-XCLIENTS\r\n250-AUTHX EXTERNAL\r\n250 AUTH\r\n", "leading-spaces": "250-mx\r\n250- STARTTLS\r\n250-\tXCLIENT ADDR\r\n250-  AUTH PLAIN X-PLUS\r\n250  CHUNKING\r\n", "tab": "250-mx\r\n250-STARTTLS\t\r\n250 AUTH\tPLAIN\tX-PLUS\r\n", "burl": "250-mx\r\n250-BURL imap\r\n250 CHUNKING\r\n"}  # fmt: skip
for name, reply in REPLIES.items():
    greeted(f"ehlo-{name}", [], ehlo=reply, requirements=DEEP)
    greeted(f"ehlo-{name}-with-the-gateways-deep", [], ehlo=reply, requirements=DEEP, deep="DEEP tls12")
    greeted(f"ehlo-{name}-with-a-certificate", [], ehlo=reply, identity="alice", external="plain")
    greeted(f"ehlo-{name}-with-external", [], ehlo=reply, identity="alice", external="external")
    logged_in(f"ehlo-{name}-once-more", ["EHLO c\r\n", f"S:{reply}"])
greeted("ehlo-burl-with-received", ["BURL x LAST\r\n"], ehlo=REPLIES["burl"], received=True)
greeted("enhanced-codes", ["XCLIENT\r\nCLIENT\r\nSTARTTLS\r\nAUTH X-PLUS\r\n", "HELO c\r\n", "S:250 mx\r\n", "XCLIENT\r\n"], ehlo="250-mx\r\n250-DEEP\r\n250 ENHANCEDSTATUSCODES\r\n")

# --- AUTH --------------------------------------------------------------------------------------------------------

for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER", "CRAM-MD5", "x_1-a"]:
    greeted(f"auth-{mechanism}", [f"AUTH {mechanism}\r\n", "S:334 YQ==\r\n", "YWxpY2U=\r\n", "S:334 \r\n", "\r\n", "S:235 ok\r\n"])
    greeted(f"auth-{mechanism}-fails", [f"auth {mechanism} =\r\n", "S:535-no\r\n535 no\r\n"])
for code in [421, 432, 454, 500, 501, 502, 503, 504, 530, 534, 535, 538, 550, 554]:
    greeted(f"auth-{code}", [*LOGIN[:1], f"S:{code} x\r\n"], "over" if code == 421 else "open")
for number, line in enumerate(["NOOP", "*", "=", "==", "A", "AA", "AA=", "AA==", "A===", "AAAA AAAA", "AAAA ", "AA-_", "QUIT", "RSET", "MAIL FROM:<>", "XCLIENT=", "\xfc", "AAAA\t", "CLIENT x", "A" * 12288]):
    greeted(f"auth-response-{number}", [f"AUTH PLAIN\r\n{line}\r\nNOOP\r\n", "S:334 \r\n", "S:501 x\r\n"], clean="XCLIENT" not in line)
for name, line, end in [("lf", "AA\nAA\r\n", OCTET), ("cr", "AA\rAA\r\n", OCTET), ("nul", "AA\0A\r\n", OCTET), ("long", "A" * 12289 + "\r\n", LONG), ("long-without-end", "A" * 12290, LONG)]:
    greeted(f"auth-response-{name}", ["AUTH PLAIN\r\n", "S:334 \r\n", line], end)
for number, line in enumerate(["AUTH", "AUTH ", "AUTH  PLAIN", "AUTH PLAIN ", "AUTH PLAIN A", "AUTH PLAIN *", "AUTH PLAIN  ", "AUTH PLAIN AAAA AAAA", "AUTH PLAIN=", "AUTH SCRAM-SHA-1-PLUS", "auth scram-sha-1-plus AAAA", "AUTH EXTERNAL", "AUTH EXTERNAL =", "AUTH ABCDEFGHIJKLMNOPQRST", "AUTH ABCDEFGHIJKLMNOPQRSTU", "AUTH PLAIN " + "A" * 12276]):
    greeted(f"auth-line-{number}", [f"{line}\r\nNOOP\r\n"])
greeted("auth-line-of-12289", ["AUTH PLAIN " + "A" * 12280 + "\r\n"], LONG)
for reply in ["250 ok", "354 go", "220 x", "334 a"]:
    greeted(f"auth-cancelled-and-{reply[:3]}", ["AUTH PLAIN\r\n", "S:334 \r\n", "x\r\n", f"S:{reply}\r\n"], UNEXPECTED)
    if reply[:3] != "334":
        greeted(f"auth-and-{reply[:3]}", [*LOGIN[:1], f"S:{reply}\r\n"], UNEXPECTED)
logged_in("auth-once-more", ["AUTH LOGIN\r\n", "S:503 no\r\n"])
BOTH = "250-mx\r\n250 AUTH PLAIN EXTERNAL\r\n"
for kind in ["plain", "external"]:
    for number, (line, response) in enumerate([("AUTH EXTERNAL =", None), ("AUTH EXTERNAL YWxpY2U=", None), ("auth external", ""), ("AUTH EXTERNAL", "YWxpY2U="), ("AUTH EXTERNAL", "="), ("AUTH EXTERNAL", "Ym9i"), ("AUTH EXTERNAL", "*"), ("AUTH EXTERNAL", "x"), ("AUTH EXTERNAL", "XCLIENT x"), ("AUTH EXTERNAL YWxpY2UA", None)]):
        turns = [f"{line}\r\n"] + ([] if response is None else [f"{response}\r\n"])
        works = response in (None, "", "YWxpY2U=", "=") and "UA" not in line
        greeted(f"certificate-{kind}-{number}", turns + ["S:235 ok\r\n"] * works, ehlo=BOTH, identity="alice", external=kind)
    greeted(f"certificate-{kind}-fails", ["AUTH EXTERNAL =\r\n", "S:535 no\r\n"], ehlo=BOTH, identity="alice", external=kind)
    greeted(f"certificate-{kind}-and-a-question", ["AUTH EXTERNAL =\r\n", "S:334 \r\n", "S:501 no\r\n"], ehlo=BOTH, identity="alice", external=kind)
greeted("certificate-without-login", ["AUTH EXTERNAL =\r\n"], ehlo=BOTH, identity="alice")
greeted("login-without-certificate", ["AUTH EXTERNAL =\r\n"], ehlo=BOTH, external="external")

# --- Messages ----------------------------------------------------------------------------------------------------

DATA = ["DATA\r\n", "S:354 go\r\n"]
ENDS = {"dot": "x\r\n.\r\n", "dot-alone": ".\r\n", "empty-line": "\r\n.\r\n", "stuffed": "..\r\n.x\r\n...\r\n.\r\n", "dot-in-parts": "x\r\n.\r\n"}
for name, text in ENDS.items():
    parts = list(text) if name == "dot-in-parts" else [text]
    in_transaction(f"data-{name}", [*DATA, *parts, "S:250 ok\r\n", "NOOP\r\n"])
    in_transaction(f"data-{name}-with-received", [*DATA, *parts, "S:250 ok\r\n", "NOOP\r\n"], requirements=RECEIVED, received=True)
for name, text in {"dot-space": ". \r\n", "dot-text": ".x\r\n", "two-dots": "..\r\n", "space-dot": " .\r\n", "dot": ".", "dot-cr": ".\r", "cr": "\r", "text": "XCLIENT x\r\nMAIL FROM:<>\r\n"}.items():
    in_transaction(f"data-goes-on-{name}", [*DATA, "x\r\n" + text], clean=name != "text")
SMUGGLED = {"lf-dot-crlf": "\n.\r\n", "crlf-dot-lf": "\r\n.\n", "cr-dot-cr": "\r.\r", "crlf-dot-cr": "\r\n.\r", "lf-dot-lf": "\n.\n", "lf-dot-cr": "\n.\r", "cr-dot-crlf": "\r.\r\n", "cr-dot-lf": "\r.\n", "crlf-dot-cr-crlf": "\r\n.\r\r\n", "cr-crlf-dot-crlf": "\r\r\n.\r\n", "crlf-nul-dot-crlf": "\r\n\0.\r\n", "crlf-dot-nul-crlf": "\r\n.\0\r\n", "nul": "\0", "lf": "\n", "lf-cr": "\n\r", "lf-lf-dot-crlf": "\n\n.\r\n", "crlf-dot-lf-lf": "\r\n.\n\n"}
for name, text in SMUGGLED.items():
    in_transaction(f"data-smuggled-{name}", [*DATA, f"x{text}MAIL FROM:<y@example.org>\r\nXCLIENT x\r\n"], OCTET)
    in_transaction(f"data-smuggled-{name}-in-parts", [*DATA, "x", *text, "MAIL FROM:<y@example.org>\r\n"], OCTET)
in_transaction("data-eight-bit", [*DATA, "\xfc\x8d\x8a\xff\r\n.\r\n", "S:250 ok\r\n"])
for number, code in enumerate([250, 220, 334, 235]):
    in_transaction(f"data-and-{code}", ["DATA\r\n", f"S:{code} x\r\n"], UNEXPECTED)
in_transaction("data-early-reply", [*DATA, "x\r\n", "S:552 no\r\n", "XCLIENT x\r\n.\r\n"], UNEXPECTED)
in_transaction("data-early-421", [*DATA, "x\r\n", "S:421 no\r\n", "XCLIENT x\r\n"], "over")
in_transaction("data-refused", ["DATA\r\nSubject: x\r\n\r\n.\r\nNOOP\r\n", "S:503 no\r\n"])
in_transaction("data-failed", [*DATA, "x\r\n.\r\nNOOP\r\n", "S:554 no\r\n"])
in_transaction("data-twice", [*DATA, "x\r\n.\r\n", "S:250 ok\r\n", *TRANSACTION, *DATA, "y\r\n.\r\n", "S:250 ok\r\n"], requirements=RECEIVED, received=True)
in_transaction("received-forged", [*DATA, "Received: from c ([192.0.2.99]) by gw.example.org tls TLS_A_LIE; x\r\n\r\n.\r\n"], requirements=RECEIVED, received=True)
greeted("received-without-login", [*TRANSACTION, *DATA], requirements=RECEIVED, received=True)
greeted("received-of-smtputf8", [*LOGIN, "MAIL FROM:<> smtputf8\r\n", "S:250 ok\r\n", *DATA], requirements=RECEIVED, received=True)
for number, name in enumerate(["[192.0.2.7]", "[IPv6:2001:db8::7]", "a_b", "a b", "x;y", "(c)", "\"q\"", "[", "", "x" * 255, "x" * 256]):
    case(f"received-from-{number}", ["S:220 mx\r\n", f"EHLO {name}\r\n", "S:250 mx\r\n", *DATA], requirements=RECEIVED, received=True)

CHUNK = "\r\n.\r\nMAIL FROM:<x@example.org>\r\nXCLIENT ADDR=192.0.2.9\r\n\0\n\r"
in_transaction("bdat", [f"BDAT {len(CHUNK)} LAST\r\n{CHUNK}NOOP\r\n", "S:250 ok\r\n"], clean=False)
for at in range(0, len(CHUNK), 7):
    in_transaction(f"bdat-split-{at}", [f"BDAT {at}\r\n{CHUNK[:at]}BDAT {len(CHUNK) - at} LAST\r\n{CHUNK[at:]}NOOP\r\n", "S:250 ok\r\n", "S:250 ok\r\n"], clean=False)
    in_transaction(f"bdat-split-{at}-with-received", [f"BDAT {at}\r\n{CHUNK[:at]}BDAT {len(CHUNK) - at} LAST\r\n{CHUNK[at:]}NOOP\r\n", "S:250 ok\r\n", "S:250 ok\r\n"], clean=False, requirements=RECEIVED, received=True)
for number, arguments in enumerate(["", " ", " x", " -1", " +1", " 1x", " 0x1", " 1 2", " 1 LAST x", "  1", " LAST", " 18446744073709551616", " 99999999999999999999999999", "\t1"]):
    control = "\t" in arguments
    in_transaction(f"bdat-malformed-{number}", [f"BDAT{arguments}\r\nXCLIENT x\r\nNOOP\r\n"], "open" if control else SYNTAX)
in_transaction("bdat-of-31-bits", ["BDAT 2147483647\r\nXCLIENT x\r\n"], clean=False)
in_transaction("bdat-of-31-bits-with-received", ["BDAT 2147483647\r\n"], LONG, received=True)
for size in (2**31, 2**32, 2**32 + 5, 2**64 - 1):
    in_transaction(f"bdat-of-{size}", [f"BDAT {size}\r\n12345XCLIENT x\r\nNOOP\r\n"], SYNTAX)
in_transaction("bdat-0", ["BDAT 0\r\nBDAT 0 LAST\r\nNOOP\r\n", "S:250 ok\r\n", "S:250 ok\r\n"])
in_transaction("bdat-0-with-received", ["BDAT 0 LAST\r\nNOOP\r\n", "S:250 ok\r\n"], requirements=RECEIVED, received=True)
in_transaction("bdat-lower-case-with-zeros", ["bdat 0003 last \r\nabcNOOP\r\n", "S:250 ok\r\n"])
SKIPPED = "BDAT 25\r\nXCLIENT ADDR=192.0.2.9\r\n\nBDAT 0 LAST\r\nNOOP\r\n"
greeted("bdat-without-login", [SKIPPED])
logged_in("bdat-without-transaction", [SKIPPED])
logged_in("bdat-without-recipient", ["MAIL FROM:<>\r\n", "S:250 ok\r\n", "RCPT TO:<x>\r\n", "S:550 no\r\n", SKIPPED])
logged_in("bdat-without-sender", ["RCPT TO:<x>\r\n", "S:250 ok\r\n", SKIPPED])
greeted("bdat-that-is-not-offered", [*TRANSACTION, SKIPPED], ehlo="250 mx\r\n")
in_transaction("bdat-skipped-in-parts", ["RSET\r\n", "S:250 ok\r\n", *(SKIPPED[at : at + 5] for at in range(0, len(SKIPPED), 5))])
for name, turns in {"a-failed-chunk": ["BDAT 1\r\nx", "S:451 no\r\n"], "the-last-chunk": ["BDAT 1 LAST\r\nx", "S:250 ok\r\n"], "a-failed-last-chunk": ["BDAT 1 LAST\r\nx", "S:552 no\r\n"], "rset": ["RSET\r\n", "S:250 ok\r\n"], "ehlo": ["EHLO x\r\n", "S:250-mx\r\n250 CHUNKING\r\n"], "data": [*DATA, ".\r\n", "S:250 ok\r\n"], "mail": ["MAIL FROM:<>\r\n", "S:250 ok\r\n"]}.items():
    in_transaction(f"bdat-after-{name}", [*turns, SKIPPED])
in_transaction("bdat-after-mail-that-fails", ["MAIL FROM:<>\r\n", "S:503 no\r\n", "BDAT 1\r\nx"])
in_transaction("bdat-after-rset-that-fails", ["RSET\r\n", "S:500 no\r\n", "BDAT 1\r\nx"])
in_transaction("bdat-early-reply", ["BDAT 4\r\nab", "S:552 no\r\n", "cdNOOP\r\nBDAT 1\r\nx", "S:250 ok\r\n"])
in_transaction("bdat-early-250", ["BDAT 4\r\nab", "S:250 ok\r\n", "cdBDAT 1 LAST\r\nx"])
in_transaction("bdat-two-early-replies", ["BDAT 4\r\nab", "S:250 ok\r\n", "S:250 ok\r\n"], UNEXPECTED)
in_transaction("bdat-early-421", ["BDAT 4\r\nab", "S:421 no\r\n", "cd"], "over")
in_transaction("bdat-and-354", ["BDAT 1\r\na", "S:354 go\r\n"], UNEXPECTED)
in_transaction("bdat-early-354", ["BDAT 2\r\na", "S:354 go\r\n"], UNEXPECTED)
in_transaction("burl", ["EHLO c\r\n", f"S:{REPLIES['burl']}", *TRANSACTION, "BURL imap://x LAST\r\n", "S:250 ok\r\n", "BDAT 1\r\nx"])

# --- The backend -------------------------------------------------------------------------------------------------

for number, reply in enumerate(["250 x\r\n250 y\r\n", "334 x\r\n", "354 x\r\n", "hello\r\n", "199 x\r\n", "600 x\r\n", "2500\r\n", "260 x\r\n", "25\r\n", "\r\n", "250_x\r\n"]):
    greeted(f"reply-{number}-before-login", ["NOOP\r\n", f"S:{reply}", "RSET\r\n"], UNEXPECTED)
    logged_in(f"reply-{number}-after-login", ["NOOP\r\n", f"S:{reply}", "RSET\r\n"], UNEXPECTED)
for number, reply in enumerate(["250 a\nb\r\n", "250 a\rb\r\n", "250 a\0\r\n", "250 a\n", "250\0", "250 a\r\r\n"]):
    greeted(f"reply-octet-{number}", ["NOOP\r\n", f"S:{reply}"], ["backend", "octet"])
greeted("reply-with-two-codes", ["NOOP\r\n", "S:250-a\r\n550 b\r\n"], ["backend", "syntax"])
greeted("reply-in-parts", ["NOOP\r\nRSET\r\n", *(f"S:{it}" for it in "250-a\r\n250 b\r\n"), "S:250 c\r\n"])
greeted("reply-line-of-2048", ["NOOP\r\n", "S:250 " + "x" * 2042 + "\r\n"])
greeted("reply-line-of-2049", ["NOOP\r\n", "S:250 " + "x" * 2043 + "\r\n"], ["backend", "too-long"])
greeted("reply-line-without-end", ["NOOP\r\n", "S:250 " + "x" * 2045], ["backend", "too-long"])
greeted("reply-of-128-lines", ["NOOP\r\n", "S:" + "250-x\r\n" * 127 + "250 x\r\n"])
greeted("reply-of-129-lines", ["NOOP\r\n", "S:" + "250-x\r\n" * 128 + "250 x\r\n"], ["backend", "too-long"])
greeted("reply-that-nobody-asked-for", ["S:250 x\r\n"], UNEXPECTED)
greeted("421-that-nobody-asked-for", ["S:421-x\r\n421 y\r\n", "NOOP\r\n"], "over")
greeted("421-to-a-command", ["NOOP\r\nRSET\r\n", "S:421 x\r\n"], "over")
greeted("quit", ["QUIT\r\nNOOP\r\n", "S:221 bye\r\n", "NOOP\r\n", "S:250 x\r\n"], "over")
for code, end in [(220, "open"), (554, "over"), (421, "over"), (450, "over"), (250, UNEXPECTED), (354, UNEXPECTED)]:
    case(f"greeting-{code}", [f"S:{code} mx\r\n"], end)
    case(f"greeting-{code}-after-starttls", [f"S:{code} mx\r\n", "EHLO c\r\n"], end, upgraded=True)
case("greeting-of-lines", ["S:220-mx\r\n220 y\r\n", "EHLO c\r\n"])
case("greeting-with-another-line", ["S:220 mx\r\n250 STARTTLS\r\n"], UNEXPECTED)
case("greeting-after-starttls-and-ehlo", ["EHLO c\r\n", "S:220 mx\r\n", f"S:{EHLO}"], upgraded=True)
for name, turns in {"before-the-greeting": ["failed", "S:220 mx\r\n"], "within-a-reply": ["S:220-mx\r\n", "failed"]}.items():
    case(f"failed-{name}", turns, "over")
greeted("failed-before-login", ["failed", "NOOP\r\n"], "over")
logged_in("failed-after-login", ["failed", "NOOP\r\n"], "over")
in_transaction("failed-in-a-message", [*DATA, "x\r\n", "failed", ".\r\n"], "over")
greeted("failed-in-a-message-without-login", [*TRANSACTION, *DATA, "x\r\n", "failed"], "over")

# --- XCLIENT to the backend --------------------------------------------------------------------------------------

POSTFIX = "250-mx\r\n250-STARTTLS\r\n250 XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT\r\n"
for name, reply in {"postfix": POSTFIX, "dovecot": "250-mx\r\n250 XCLIENT ADDR PORT TTL TIMEOUT SESSION CLIENT-TRANSPORT\r\n", "address-alone": "250-mx\r\n250 xclient addr\r\n"}.items():
    case(f"xclient-{name}", ["EHLO c\r\nXCLIENT x\r\n", "S:220 a\r\n", f"S:{reply}", "S:220 b\r\n", f"S:{reply}"], address="xclient", requirements=TLS)
    case(f"xclient-{name}-after-starttls", ["EHLO c\r\n", "S:220 a\r\n", f"S:{reply}", "S:220 b\r\n", f"S:{reply}"], address="xclient", requirements=TLS, upgraded=True)
for name, turns in {"not-offered": ["S:250 mx\r\n"], "without-address": ["S:250-mx\r\n250 XCLIENT NAME PORT\r\n"], "in-the-name": ["S:250 XCLIENT ADDR\r\n"], "no-ehlo": ["S:502 no\r\n"], "refused": [f"S:{POSTFIX}", "S:550 no\r\n"], "without-greeting": [f"S:{POSTFIX}", "S:250 ok\r\n"], "two-replies": [f"S:{POSTFIX}250 ok\r\n"]}.items():
    case(f"xclient-{name}", ["S:220 a\r\n", *turns, "EHLO c\r\n"], UNEXPECTED, address="xclient", requirements=TLS)
case("xclient-and-421", ["S:220 a\r\n", "S:421 no\r\n"], UNEXPECTED, address="xclient", requirements=TLS)

main(SUITE)
