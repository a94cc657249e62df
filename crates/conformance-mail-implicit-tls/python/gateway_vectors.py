"""Writes mail-implicit-tls/vectors/gateway-imap.json and gateway-pop.json: sessions through a gateway. What each side receives is
stated by hand; the lists of capabilities are edited by rules that are written here once more.

    python3 crates/conformance-mail-implicit-tls/python/gateway_vectors.py [--check]
"""

import base64

from suite_file import SuiteFile, main

IMAP = SuiteFile("gateway-imap", __file__, [])
POP = SuiteFile("gateway-pop", __file__, [])
DEEP = "tls10 tls-cert <https://www.example.com/support.html>"
TLS = '"tls" "TLS_AES_128_GCM_SHA256"'
SESSION = "0" * 30 + "ab"
ADDRESS = (
    '"x-originating-ip" "192.0.2.7" "x-originating-port" "51234" "x-connected-ip" "192.0.2.1" "x-connected-port" "993" '
    f'"x-session-ext-id" "{SESSION}"'
)
UNAVAILABLE = "service is temporarily unavailable, try again later"
RESTART = "service is being restarted, try again"
STATUS = f'"deep" "{DEEP}"'

LOGIN_RULES = ["newman-10-1-1"]
DEEP_RULES = ["newman-9-2-1", "newman-10-1-1"]
EXTERNAL_RULES = ["newman-9-1-1-4"]


def case(suite, name, end, events, turns, requirements, options):
    """`turns`: (side, text, octets for the backend, octets for the client)."""
    said, sent = [], []
    for side, text, backend, client in turns:
        said.append([side, text])
        sent.append([backend, client])
    suite.case(name, {"sent": sent, "events": events, "end": end}, requirements, said=said, **options)


def imap(name, *turns, end="open", events=(), requirements=LOGIN_RULES, **options):
    case(IMAP, name, end, list(events), turns, requirements, options)


def pop(name, *turns, end="open", events=(), requirements=LOGIN_RULES, **options):
    case(POP, name, end, list(events), turns, requirements, options)


def client(text, backend="", answer=""):
    return "client", text, backend, answer


def passed(text):
    """A command that reaches the backend as it is."""
    return "client", text, text, ""


def backend(text, answer=None, more=""):
    return "backend", text, more, text if answer is None else answer


def failed(reason, answer):
    return "failed", reason, "", answer


def error(side, kind, field, offset):
    return {"failed": [side, kind, field, offset]}


def logged_in(mechanism):
    return ["logged-in", mechanism]


def login_failed(mechanism):
    return ["login-failed", mechanism]


def refused(reason):
    return ["refused", reason]


def b64(text):
    return base64.b64encode(text.encode()).decode()


# The same of IMAP and POP: mechanisms that pass, lines that are no response, and commands that are refused.
MECHANISMS = ("PLAIN", "LOGIN", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER")
NOT_RESPONSES = [
    ("space", " "), ("12289", "A" * 12289), ("length", "AAA"), ("digits-after-the-padding", "AA=A"), ("four-signs-of-padding", "===="),
]
NOT_AUTH = [
    ("base64", "PLAIN A.B"), ("length", "PLAIN AAA"), ("digits-after-the-padding", "PLAIN AA=A"), ("star-initial", "PLAIN *"),
    ("empty-initial", "PLAIN "), ("three-words", "PLAIN AA== BB=="), ("21-signs", "A" * 21), ("12289-initial", "PLAIN " + "A" * 12289),
    ("12292-initial", "PLAIN " + "A" * 12292),
]


def mechanisms(add, verb, hello, in_):
    """Logins by each mechanism, with an exchange and with an initial response."""
    for mechanism in MECHANISMS:
        name, end = mechanism.lower(), {"end": "pipe", "events": [logged_in(mechanism)]}
        exchange = [passed(f"{verb.lower()} {mechanism}\r\n"), backend("+ eA==\r\n"), passed("eQ==\r\n"), backend("+ \r\n"), passed("\r\n")]
        add(f"{verb.split()[-1].lower()}-{name}", hello, *exchange, in_, **end)
        add(f"initial-{name}", hello, passed(f"{verb} {mechanism} eA==\r\n"), in_, **end)
    add("initial-no-octets", hello, passed(f"{verb} XOAUTH2 =\r\n"), in_, end="pipe", events=[logged_in("XOAUTH2")])


# --- Capabilities ------------------------------------------------------------------------------------------------

REMOVED = {"STARTTLS", "LOGINDISABLED", "UNAUTHENTICATE", "XCLIENT", "XFORWARD", "AUTH=EXTERNAL"}


def edited(words, advertises=True, external=False):
    kept = [it for it in words.split() if it.upper() not in REMOVED and not (it.upper().startswith("AUTH=") and it.upper().endswith("-PLUS"))]
    added = ["DEEP", "ID"] * advertises + ["AUTH=EXTERNAL"] * external
    return " ".join([it for it in kept if it.upper() not in added] + added)


HELLO = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n"
IN = "a OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"
LISTS = {
    "starttls": "IMAP4rev1 STARTTLS LOGINDISABLED AUTH=PLAIN",
    "plus": "IMAP4rev1 AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS auth=scram-sha-256-plus",
    "unauthenticate": "IMAP4rev1 UNAUTHENTICATE SASL-IR",
    "xclient": "IMAP4rev1 XCLIENT XFORWARD X-OTHER",
    "external": "IMAP4rev1 AUTH=EXTERNAL AUTH=PLAIN",
    "deep": "IMAP4rev1 DEEP ID",
    "id": "IMAP4rev1 id AUTH=PLAIN",
    "similar": "IMAP4rev1 AUTH=PLUS X-PLUS AUTH=-PLUSX STARTTLSX",
}
PLACES = {
    "untagged": "* CAPABILITY {}\r\n",
    "lower-case": "* capability {}\r\n",
    "ok-code": "* OK [CAPABILITY {}] changed\r\n",
    "no-code": "* NO [CAPABILITY {}] changed\r\n",
    "bad-code": "* BAD [capability {}]\r\n",
    "tagged-ok": "a OK [CAPABILITY {}] done\r\n",
    "tagged-no": "a NO [CAPABILITY {}] done\r\n",
    "bye": "* BYE [CAPABILITY {}] away\r\n",
}
for kind, words in LISTS.items():
    greeting = "* OK [CAPABILITY {}] hello\r\n"
    for status, advertises in (("deep", True), ("own", False)):
        options = {"advertises": True} if advertises else {}
        imap(
            f"greeting-{kind}-{status}",
            backend(greeting.format(words), greeting.format(edited(words, advertises))),
            requirements=DEEP_RULES,
            **options,
        )
    for place, line in PLACES.items():
        imap(
            f"{place}-{kind}",
            backend("* OK hello\r\n"),
            passed("a NOOP\r\n"),
            backend(line.format(words), line.format(edited(words))),
            requirements=DEEP_RULES,
            advertises=True,
        )
    imap(
        f"login-{kind}",
        backend("* OK hello\r\n"),
        passed("a LOGIN alice secret\r\n"),
        backend(f"a OK [CAPABILITY {words}] in\r\n", f"a OK [CAPABILITY {edited(words)}] in\r\n"),
        end="open" if kind == "unauthenticate" else "pipe",
        events=[logged_in("password")],
        requirements=DEEP_RULES,
        advertises=True,
    )
for name, line, answer in [
    ("spaces", "* OK  [CAPABILITY  IMAP4rev1  STARTTLS ] x\r\n", "* OK  [CAPABILITY IMAP4rev1 DEEP ID] x\r\n"),
    ("no-bracket", "* OK [CAPABILITY IMAP4rev1 STARTTLS\r\n", "* OK [CAPABILITY IMAP4rev1 DEEP ID\r\n"),
    ("empty", "* OK [CAPABILITY] x\r\n", "* OK [CAPABILITY DEEP ID] x\r\n"),
    ("text", "* OK STARTTLS [CAPABILITY STARTTLS]\r\n", None),
    ("other-code", "* OK [ALERT] CAPABILITY STARTTLS\r\n", None),
]:
    imap(f"greeting-{name}", backend(line, answer), requirements=DEEP_RULES, advertises=True)
imap(
    "continuation-code",
    backend("* OK hello\r\n"),
    passed("a AUTHENTICATE PLAIN\r\n"),
    backend("+ [CAPABILITY IMAP4rev1 STARTTLS] go\r\n", "+ [CAPABILITY IMAP4rev1] go\r\n"),
)

# --- Logins ------------------------------------------------------------------------------------------------------

imap("login", backend(HELLO), passed("a LOGIN alice secret\r\n"), backend(IN), passed("\0anything\n"), end="pipe", events=[logged_in("password")])
imap(
    "login-and-select",
    backend(HELLO),
    client("a LOGIN alice secret\r\nb SELECT INBOX\r\nc {", "a LOGIN alice secret\r\n"),
    backend(IN + "* 1 EXI", more="b SELECT INBOX\r\nc {"),
    end="pipe",
    events=[logged_in("password")],
)
imap("login-refused", backend(HELLO), passed("a LOGIN x y\r\n"), backend("a NO [AUTHENTICATIONFAILED] no\r\n"), events=[login_failed("password")])
for code in ["INUSE", "LIMIT", "PRIVACYREQUIRED", "SERVERBUG", "UNAVAILABLE", "unavailable"]:
    name = code.lower() + "-lower-case" * code.islower()
    imap(f"login-not-judged-{name}", backend(HELLO), passed("a LOGIN x y\r\n"), backend(f"a NO [{code}] not now\r\n"))
    imap(f"authenticate-not-judged-{name}", backend(HELLO), passed("a AUTHENTICATE PLAIN eA==\r\n"), backend(f"a NO [{code}] not now\r\n"))
imap("login-judged-limited", backend(HELLO), passed("a LOGIN x y\r\n"), backend("a NO [LIMITED] no\r\n"), events=[login_failed("password")])
mechanisms(imap, "a AUTHENTICATE", backend(HELLO), backend(IN))
imap(
    "cancelled",
    backend(HELLO),
    passed("a AUTHENTICATE PLAIN\r\n"),
    backend("+ \r\n"),
    passed("*\r\n"),
    backend("a BAD cancelled\r\n"),
    events=[login_failed("PLAIN")],
)
for name, line in [("command", "b NOOP"), ("literal", "b LOGIN {5}"), *NOT_RESPONSES]:
    imap(
        f"past-authenticate-{name}",
        backend(HELLO),
        client(f"a AUTHENTICATE PLAIN\r\n{line}\r\nc NOOP\r\n", "a AUTHENTICATE PLAIN\r\n"),
        backend("+ \r\n", more="*\r\n"),
        backend("a BAD cancelled\r\n", more="c NOOP\r\n"),
        events=[refused("syntax"), login_failed("PLAIN")],
    )
for name, command, reason, answer in [
    ("plus", "SCRAM-SHA-256-PLUS", "command", "NO mechanism is not available through this proxy"),
    ("plus-lower-case", "scram-sha-1-plus biws", "command", "NO mechanism is not available through this proxy"),
    *((name, line, "syntax", "BAD mechanism and base64 expected") for name, line in NOT_AUTH if not line.endswith(" ")),
    ("empty-initial", "PLAIN ", "syntax", "BAD command: empty at byte 21"),
]:
    imap(f"authenticate-{name}", backend(HELLO), client(f"a AUTHENTICATE {command}\r\n", "", f"a {answer}\r\n"), events=[refused(reason)])
imap(
    "unauthenticate",
    backend(HELLO),
    client("a LOGIN x y\r\nb UNAUTHENTICATE\r\n", "a LOGIN x y\r\n"),
    backend(
        "a OK [CAPABILITY IMAP4rev1 UNAUTHENTICATE COMPRESS=DEFLATE] in\r\n",
        "a OK [CAPABILITY IMAP4rev1] in\r\nb NO not available through this proxy\r\n",
    ),
    client('c ID ("tls" "A_LIE")\r\n', f"c ID ({TLS})\r\n"),
    backend("* ID NIL\r\nc OK\r\n"),
    events=[logged_in("password"), refused("command"), refused("forged")],
)
imap(
    "capabilities-after-login",
    backend(HELLO),
    passed("a LOGIN x y\r\n"),
    backend("a OK in\r\n"),
    client("b COMPRESS DEFLATE\r\n", "", "b NO not available through this proxy\r\n"),
    passed("c CAPABILITY\r\n"),
    backend("* CAPABILITY IMAP4rev1\r\nc OK\r\n"),
    passed("d COMPRESS DEFLATE\r\n"),
    end="pipe",
    events=[logged_in("password"), refused("command")],
)
imap(
    "parsed-to-the-end",
    backend(HELLO),
    passed("a LOGIN x y\r\n"),
    backend(IN),
    passed("b APPEND INBOX {4}\r\n"),
    backend("+ go\r\n"),
    client("a\r\nb\r\nc IDLE\r\n", "a\r\nb\r\n"),
    backend("b OK\r\n", more="c IDLE\r\n"),
    backend("+ idling\r\n* 1 EXISTS\r\n"),
    passed("DONE\r\n"),
    backend("c OK\r\n"),
    passed("d LOGOUT\r\n"),
    backend("* BYE\r\nd OK\r\n"),
    end="over",
    events=[logged_in("password"), ["closed"]],
    after_login="parsed",
)

# --- EXTERNAL ----------------------------------------------------------------------------------------------------

DENIED = "a NO [AUTHORIZATIONFAILED] not permitted by a certificate\r\n"
for name, options in [
    ("no-certificate", {"external": "external"}),
    ("no-mapping", {"certificate": "alice"}),
    ("neither", {}),
]:
    for form, argument in [("", ""), ("-empty", " ="), ("-identity", " " + b64("alice"))]:
        imap(
            f"external-{name}{form}",
            backend(HELLO),
            client(f"a AUTHENTICATE EXTERNAL{argument}\r\n", "", DENIED),
            events=[login_failed("EXTERNAL"), refused("external")],
            requirements=EXTERNAL_RULES,
            **options,
        )
HELLO_EXTERNAL = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=EXTERNAL] hello\r\n"
for name, external, command, message in [
    ("external", "external", "EXTERNAL", b64("alice")),
    ("plain", ["master", "secret"], "PLAIN", b64("alice\0master\0secret")),
]:
    options = {"certificate": "alice", "external": external, "requirements": EXTERNAL_RULES}
    for form, argument in [("empty", "="), ("identity", b64("alice"))]:
        imap(
            f"external-as-{name}-{form}",
            backend(HELLO, HELLO_EXTERNAL),
            client(f"a AUTHENTICATE EXTERNAL {argument}\r\n", f"a AUTHENTICATE {command}\r\n"),
            backend("+ \r\n", "", message + "\r\n"),
            backend(IN),
            end="pipe",
            events=[logged_in("EXTERNAL")],
            **options,
        )
    imap(
        f"external-as-{name}-asked",
        backend(HELLO, HELLO_EXTERNAL),
        client("a AUTHENTICATE EXTERNAL\r\n", "", "+ \r\n"),
        client("\r\n", f"a AUTHENTICATE {command}\r\n"),
        backend("a NO no\r\n"),
        events=[login_failed("EXTERNAL")],
        **options,
    )
    for form, response, answer in [
        ("other", b64("bob"), DENIED),
        ("base64", "A.B", DENIED),
        ("nul", b64("alice\0"), DENIED),
        ("cancelled", "*", "a BAD cancelled\r\n"),
    ]:
        imap(
            f"external-as-{name}-{form}",
            backend(HELLO, HELLO_EXTERNAL),
            client(f"a AUTHENTICATE EXTERNAL\r\n{response}\r\n", "", "+ \r\n" + answer),
            events=[login_failed("EXTERNAL"), refused("external")],
            **options,
        )

# --- ID ----------------------------------------------------------------------------------------------------------

HELLO_ID = "* OK [CAPABILITY IMAP4rev1 DEEP ID] hello\r\n"
EXAMPLE = '"name" "Demo Mail" "version" "1.5" "latch" "tls10 tls-cert" "security-tags" "tls12"'
REPORT = ["report", {"name": "Demo Mail", "version": "1.5", "latch": ["tls10", "tls-cert"], "security-tags": ["tls12"]}]
imap(
    "id-example-3",
    backend(HELLO_ID),
    client(f"a001 ID ({EXAMPLE})\r\n", f"a001 ID ({EXAMPLE} {TLS})\r\n"),
    backend(
        '* ID ("name" "Demo Server" "version" "1.7" "deep-status" "<https://x.example/>")\r\na001 OK done\r\n',
        f'* ID ("name" "Demo Server" "version" "1.7" {STATUS})\r\na001 OK done\r\n',
    ),
    events=[REPORT],
    requirements=DEEP_RULES,
    advertises=True,
)
for name, answer, given in [
    ("nil", "* ID NIL\r\na OK x\r\n", f"* ID ({STATUS})\r\na OK x\r\n"),
    ("none", "a OK x\r\n", f"* ID ({STATUS})\r\na OK x\r\n"),
    ("bad", "a BAD x\r\n", f"* ID ({STATUS})\r\na OK ID completed\r\n"),
    ("no", "* ID NIL\r\na NO x\r\n", f"* ID ({STATUS})\r\na OK ID completed\r\n"),
    ("broken", "* ID (broken\r\na OK x\r\n", f"* ID ({STATUS})\r\na OK x\r\n"),
    ("split", '* ID ("name" {3}\r\na\r\n)\r\na OK x\r\n', f'* ID ("name" {{3}}\r\na\r\n {STATUS})\r\na OK x\r\n'),
]:
    imap(
        f"id-answer-{name}",
        backend(HELLO_ID),
        client("a ID NIL\r\n", f"a ID ({TLS})\r\n"),
        backend(answer, given),
        requirements=DEEP_RULES,
        advertises=True,
    )
imap(
    "id-of-a-backend-without",
    backend("* OK [CAPABILITY IMAP4rev1] x\r\n", "* OK [CAPABILITY IMAP4rev1 DEEP ID] x\r\n"),
    client('a ID ("latch-fail" "tls-cert")\r\n', "", f"* ID ({STATUS})\r\na OK ID completed\r\n"),
    events=[["report", {"latch-fail": ["tls-cert"]}]],
    requirements=DEEP_RULES,
    advertises=True,
)
for field in ["tls", "TLS", " tls", "x-originating-ip", "X-Originating-IP", "x-connected-name", "x-proxy-ttl", "x-forward-user", "x-session-id", "a, x-proxy-ttl"]:
    name = field.strip().replace(", ", "-and-")
    spelling = "-upper" if field != field.lower() else "-space" if field != field.strip() else ""
    for form, written in [("quoted", f'"{field}"'), ("literal", f"{{{len(field)}+}}\r\n{field}")]:
        imap(
            f"id-forged-{name.lower()}{spelling}-{form}",
            backend(HELLO_ID),
            client(f'a ID ({written} "192.0.2.9" "name" "x")\r\n', f'a ID ("name" "x" {TLS})\r\n'),
            events=[refused("forged"), ["report", {"name": "x"}]],
            requirements=DEEP_RULES,
        )
imap(
    "id-twice",
    backend(HELLO_ID),
    client('a ID ("tls" "A" "TLS" "B")\r\n', "", "a BAD ID: id_params_list: duplicate at byte 16\r\n"),
    events=[refused("syntax")],
)
imap(
    "id-of-the-gateway",
    backend(HELLO_ID),
    client("a LOGIN {1+}\r\nx y\r\nb NOOP\r\n", f"proxy ID ({TLS})\r\n"),
    backend('* ID ("name" "x")\r\n* OK [ALERT] hi\r\nproxy OK\r\n', "* OK [ALERT] hi\r\n", "a LOGIN {1}\r\n"),
    backend("+ go\r\n", "", "x y\r\n"),
    backend("a NO wrong\r\n", more="b NOOP\r\n"),
    events=[login_failed("password")],
    requirements=DEEP_RULES,
)
imap(
    "id-of-the-gateway-refused",
    backend(HELLO_ID),
    client("a AUTHENTICATE PLAIN\r\n", f"proxy ID ({TLS})\r\n"),
    backend("proxy BAD what\r\n", "", "a AUTHENTICATE PLAIN\r\n"),
)
imap(
    "address-by-id",
    backend("* OK x\r\n"),
    client("a LOGIN x y\r\n", f"proxy ID ({ADDRESS} {TLS})\r\n"),
    backend("* ID NIL\r\nproxy OK\r\n", "", "a LOGIN x y\r\n"),
    address="imap-id",
)
imap(
    "address-by-the-clients-id",
    backend("* OK x\r\n"),
    client('a ID ("name" "x")\r\n', f'a ID ("name" "x" {ADDRESS} {TLS})\r\n'),
    backend("* ID NIL\r\na OK\r\n"),
    passed("b LOGIN x y\r\n"),
    events=[["report", {"name": "x"}]],
    address="imap-id",
)

imap(
    "address-refused",
    backend("* OK [CAPABILITY IMAP4rev1] x\r\n"),
    client("a ID NIL\r\n", f"a ID ({ADDRESS} {TLS})\r\n"),
    backend("a BAD what\r\n"),
    client("b LOGIN x y\r\n", f"proxy ID ({ADDRESS} {TLS})\r\n"),
    backend("proxy BAD what\r\n", "* BYE [UNAVAILABLE] the server cannot be understood\r\n"),
    end=error("backend", "unexpected", "response-tagged", 0),
    address="imap-id",
)

# --- Literals ----------------------------------------------------------------------------------------------------

imap(
    "literal-waits",
    backend(HELLO),
    passed("a LOGIN {5}\r\n"),
    backend("+ go\r\n"),
    passed("alice {0}\r\n"),
    backend("+ go\r\n"),
    passed("\r\n"),
)
imap(
    "literal-plus",
    backend(HELLO),
    client("a LOGIN {006+}\r\nb\nNOOP {2+}\r\n\r\n\r\nc NOOP\r\n", "a LOGIN {6}\r\n"),
    backend("+ go\r\n", "", "b\nNOOP {2}\r\n"),
    backend("+ go\r\n", "", "\r\n\r\n"),
    backend("a NO wrong\r\n", more="c NOOP\r\n"),
    events=[login_failed("password")],
)
imap(
    "literal-refused",
    backend(HELLO),
    passed("a LOGIN {5}\r\n"),
    backend("a NO too bad\r\n"),
    passed("b NOOP\r\n"),
    events=[login_failed("password")],
)
imap(
    "literal-plus-refused",
    backend(HELLO),
    client("a LOGIN {9+}\r\nb NOOP\r\n! x\r\nc NOOP\r\n", "a LOGIN {9}\r\n"),
    backend("a BAD no\r\n", more="c NOOP\r\n"),
    events=[login_failed("password")],
)
for number in ["4097", "9223372036854775808", "18446744073709551616", "9" * 40]:
    imap(
        f"literal-{number}",
        backend(HELLO),
        client(f"a LOGIN {{{number}}}\r\nb NOOP\r\n", "b NOOP\r\n", "a BAD literal: more than 4096 at byte 0\r\n"),
        events=[refused("syntax")],
    )
    imap(
        f"literal-plus-{number}",
        backend(HELLO),
        client(f"a LOGIN {{{number}+}}\r\n", "", "* BYE literal: more than 4096 at byte 0\r\n"),
        end=error("client", "too-long", "literal", 0),
        events=[refused("syntax")],
    )
PARSED = {"after_login": "parsed"}
for name, number, options in [("2-31", 2**31, PARSED), ("2-32-and-5", 2**32 + 5, PARSED), ("2-63", 2**63, PARSED), ("2-64", 2**64, PARSED)]:
    imap(
        f"literal-after-login-{name}",
        backend(HELLO),
        passed("a LOGIN x y\r\n"),
        backend(IN),
        client(f"b APPEND x {{{number}}}\r\n", "", "* BYE literal: more than 2147483647 at byte 0\r\n"),
        end=error("client", "too-long", "literal", 0),
        events=[logged_in("password"), refused("syntax")],
        **options,
    )
imap(
    "literal-after-login-2-31-less-1",
    backend(HELLO),
    passed("a LOGIN x y\r\n"),
    backend(IN),
    passed(f"b APPEND x {{{2**31 - 1}}}\r\n"),
    events=[logged_in("password")],
    **PARSED,
)

# --- Parsed after login ------------------------------------------------------------------------------------------

NUMBERS = " 123456" * 700
LONG = "* SEARCH" + NUMBERS


def parsed(name, *turns, events=(), **options):
    begin = [backend(HELLO), passed("a LOGIN x y\r\n"), backend(IN)]
    imap(f"parsed-{name}", *begin, *turns, events=[logged_in("password"), *events], **options, **PARSED)


parsed(
    "nul-in-a-literal",
    client("b APPEND x {5+}\r\na\0\n\0\0\r\n", "b APPEND x {5}\r\n"),
    backend("+ go\r\n", "", "a\0\n\0\0\r\n"),
    backend("b OK done\r\n"),
    passed("c NOOP\r\n"),
)
parsed(
    "nul-in-a-line",
    client('b SELECT "\0"\r\n', "", "b BAD command: character that is not allowed at byte 10\r\n"),
    passed("c NOOP\r\n"),
    events=[refused("syntax")],
)
parsed("long-search", passed("b SEARCH ALL\r\n"), backend(LONG), backend(NUMBERS), backend("\r\nb OK\r\n"), passed("c NOOP\r\n"))
parsed(
    "long-lines-and-literals",
    passed("b FETCH 1 (X Y)\r\n"),
    backend('* 1 FETCH (X "{9}\\"' + NUMBERS),
    backend('" Y {4}'),
    backend("\r\na OK" + NUMBERS),
    backend("{3}\r\nb O)\r\nb OK\r\n"),
    passed("c NOOP\r\n"),
)
for name, begin, end in [("capability", "* CAPABILITY", ""), ("two-spaces", "*  CAPABILITY", ""), ("untagged", "* OK [CAPABILITY", "] x"), ("tagged", "b OK [CAPABILITY", "] x")]:
    words = " X=1234" * 700
    parsed(
        f"long-capabilities-{name}",
        passed("b CAPABILITY\r\n"),
        backend(f"{begin} STARTTLS{words}", ""),
        backend(f"{end}\r\n", f"{begin}{words}{end}\r\n"),
    )
imap("long-line-before-login", backend(HELLO), backend(LONG, ""), backend("\r\n", LONG + "\r\n"))
for name, octet, kind, field in [("nul", "\0", "octet", "response"), ("bare-cr", "\rx", "octet", "response"), ("bare-lf", "\n", "octet", "response")]:
    parsed(f"long-search-{name}", backend(LONG + octet, LONG), end=error("backend", kind, field, len(LONG)))
parsed(
    "bye-for-an-octet",
    client("b APPEND {1+}\r\n", "b APPEND {1}\r\n"),
    backend("+ go\r\n", ""),
    client("x \0\r\n", "x", "* BYE command: character that is not allowed at byte 1\r\n"),
    end=error("client", "octet", "command", 1),
    events=[refused("syntax")],
)
parsed(
    "no-bye-within-a-response",
    client("b APPEND {1+}\r\n", "b APPEND {1}\r\n"),
    backend("+ go\r\n", ""),
    backend("* X {3}\r\nab"),
    client("x \0\r\n", "x"),
    end=error("client", "octet", "command", 1),
    events=[refused("syntax")],
)
parsed("bye-for-the-backend", backend("z OK\r\n", "* BYE [UNAVAILABLE] the server cannot be understood\r\n"), end=error("backend", "unexpected", "response", 0))
for name, half, rest in [("literal", "* X {3}\r\nab", "c\r\n"), ("long-line", LONG, "\r\n")]:
    parsed(
        f"refused-after-the-{name}",
        backend(half),
        client("b COMPRESS DEFLATE\r\n"),
        backend(rest, f"{rest}b NO not available through this proxy\r\n"),
        passed("c NOOP\r\n"),
        events=[refused("command")],
    )
imap("literal-in-quotes", backend(HELLO), passed('a LOGIN x "{5}"\r\n'), backend("a NO x {3}\r\n"), passed("b NOOP\r\n"), events=[login_failed("password")])
imap(
    "literal-of-an-unknown-command",
    backend(HELLO),
    client("a SELECT {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", "c NOOP\r\n", "a BAD not available before login\r\n"),
    events=[refused("command")],
)
imap(
    "literal-answered-within",
    backend(HELLO),
    passed("a LOGIN {5}\r\n"),
    backend("+ go\r\n"),
    passed("ab"),
    backend("a NO early\r\n", "* BYE [UNAVAILABLE] the server cannot be understood\r\n"),
    end=error("backend", "unexpected", "response-tagged", 0),
)

# --- Octets, commands, ends --------------------------------------------------------------------------------------

for name, line, at in [
    ("bare-lf", "a LOGIN x y\nb NOOP\r\n", 11),
    ("bare-cr", "a LOGIN x y\rb NOOP\r\n", 11),
    ("nul", "a LOGIN x\0 y\r\n", 9),
    ("8-bit", "a LOGIN é y\r\n", 8),
    ("8-bit-quoted", 'a LOGIN "Í" y\r\n', 9),
]:
    imap(
        f"octet-{name}",
        backend(HELLO),
        client(line, "", f"* BYE command: character that is not allowed at byte {at}\r\n"),
        end=error("client", "octet", "command", at),
        events=[refused("syntax")],
    )
imap(
    "octet-nul-in-a-literal",
    backend(HELLO),
    passed("a LOGIN {5}\r\n"),
    backend("+ go\r\n"),
    client("ab\0cd", "ab", "* BYE literal: character that is not allowed at byte 2\r\n"),
    end=error("client", "octet", "literal", 2),
    events=[refused("syntax")],
)
imap("octet-8-bit-allowed", backend(HELLO), passed('a LOGIN x "é"\r\n'), allow_utf8=True)
for command in ["SELECT INBOX", "ENABLE X", "UNAUTHENTICATE", "STARTTLS", "XCLIENT ADDR=192.0.2.9", "COMPRESS DEFLATE"]:
    imap(
        f"before-login-{command.split()[0].lower()}",
        backend(HELLO),
        client(f"a {command}\r\nb NOOP\r\n", "b NOOP\r\n", "a BAD not available before login\r\n"),
        events=[refused("command")],
    )
imap(
    "one-at-a-time",
    client("a NOOP\r\nb CAPABILITY\r\n"),
    backend(HELLO, more="a NOOP\r\n"),
    backend("a OK\r\n", more="b CAPABILITY\r\n"),
    backend("b OK\r\n"),
)
imap("logout", backend(HELLO), passed("a LOGOUT\r\n"), backend("* BYE\r\na OK\r\n"), failed("closed", ""), end="over", events=[["closed"]])
imap("bye-greeting", backend("* BYE busy\r\n"), failed("closed", ""), end="over", events=[["closed"]])
BYE = f"* BYE [UNAVAILABLE] {UNAVAILABLE}\r\n"
for reason in ["unreachable", "tls", "timeout", "busy"]:
    imap(f"failed-{reason}", failed(reason, BYE), end="over", events=[["closed"]])
imap("failed-stopping", backend(HELLO), failed("stopping", f"* BYE [UNAVAILABLE] {RESTART}\r\n"), end="over", events=[["closed"]])
imap("failed-in-login", backend(HELLO), passed("a LOGIN x y\r\n"), failed("closed", BYE), end="over", events=[["closed"]])
imap("failed-after-login", backend(HELLO), passed("a LOGIN x y\r\n"), backend(IN), failed("closed", ""), end="over", events=[logged_in("password"), ["closed"]])
imap(
    "failed-twice",
    failed("closed", BYE),
    backend(HELLO, ""),
    failed("closed", ""),
    end="over",
    events=[["closed"]],
)
imap(
    "failed-after-an-error",
    backend("second line\r\n", "* BYE [UNAVAILABLE] the server cannot be understood\r\n"),
    failed("closed", ""),
    end=error("backend", "unexpected", "greeting", 0),
)
imap("failed-within-a-literal", backend(HELLO), backend("* X {9}\r\nab"), failed("closed", ""), end="over", events=[["closed"]])
NOT_UNDERSTOOD = "* BYE [UNAVAILABLE] the server cannot be understood\r\n"
imap(
    "preauth",
    backend("* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n", NOT_UNDERSTOOD),
    end=error("backend", "unexpected", "greeting", 0),
    events=[refused("preauth")],
    requirements=["newman-9-1-1-5"],
)
for name, line, field in [
    ("tagged-early", "a OK early\r\n", "response"),
    ("banner-split", "second line\r\n", "response"),
    ("request", "+ go\r\n", "continue-req"),
]:
    imap(f"backend-{name}", backend(HELLO), backend(line, NOT_UNDERSTOOD), end=error("backend", "unexpected", field, 0))
for name, line, at in [("nul", "* OK x\0\r\n", 6), ("bare-lf", "* OK x\ny\r\n", 6), ("bare-cr", "* OK x\ry\r\n", 6)]:
    imap(f"backend-{name}", backend(HELLO), backend(line, NOT_UNDERSTOOD), end=error("backend", "octet", "response", at))
imap(
    "after-starttls",
    client("a CAPABILITY\r\n"),
    backend("* OK [CAPABILITY IMAP4rev1] hello\r\n", "", "a CAPABILITY\r\n"),
    backend("* CAPABILITY IMAP4rev1\r\na OK\r\n", "* CAPABILITY IMAP4rev1 DEEP ID\r\na OK\r\n"),
    service="imap",
    advertises=True,
    requirements=["newman-9-2-2", *DEEP_RULES],
)

# --- POP ---------------------------------------------------------------------------------------------------------

OK = "+OK hello <1.2@mail.example.org>\r\n"
CAPA = f"DEEP {DEEP}\r\n"
pop(
    "user-pass",
    backend(OK),
    client("USER alice\r\npass se cret \r\nSTAT\r\nX\n", "USER alice\r\n"),
    backend("+OK\r\n", more="pass se cret \r\n"),
    backend("+OK in\r\n+OK 1", more="STAT\r\nX\n"),
    passed("\0\r"),
    end="pipe",
    events=[logged_in("password")],
    requirements=["newman-4-1-2"],
)
pop("apop", backend(OK), passed("APOP alice c4c9334bac560ecc979e58001b3e22fb\r\n"), backend("+OK\r\n"), end="pipe", events=[logged_in("apop")])
pop("user-refused", backend(OK), passed("USER x\r\n"), backend("-ERR who\r\n"), events=[login_failed("password")])
pop("pass-refused", backend(OK), passed("PASS x\r\n"), backend("-ERR [AUTH] no\r\n"), events=[login_failed("password")])
for code in ["SYS/TEMP", "SYS/PERM", "SYS", "IN-USE", "LOGIN-DELAY", "in-use"]:
    name = code.lower().replace("/", "-") + "-lower-case" * code.islower()
    for command in ("USER x", "PASS x", "APOP x y", "AUTH PLAIN eA=="):
        verb = command.split()[0].lower()
        pop(f"{verb}-not-judged-{name}", backend(OK), passed(f"{command}\r\n"), backend(f"-ERR [{code}] not now\r\n"))
pop("pass-judged-in-used", backend(OK), passed("PASS x\r\n"), backend("-ERR [IN-USED] no\r\n"), events=[login_failed("password")])
mechanisms(pop, "AUTH", backend(OK), backend("+OK\r\n"))
pop("cancelled", backend(OK), passed("AUTH PLAIN\r\n"), backend("+ \r\n"), passed("*\r\n"), backend("-ERR no\r\n"), events=[login_failed("PLAIN")])
for name, line in [("command", "CAPA x"), *NOT_RESPONSES]:
    pop(
        f"past-auth-{name}",
        backend(OK),
        client(f"AUTH PLAIN\r\n{line}\r\nUTF8\r\n", "AUTH PLAIN\r\n"),
        backend("+ \r\n", more="*\r\n"),
        backend("-ERR no\r\n", more="UTF8\r\n"),
        events=[refused("syntax"), login_failed("PLAIN")],
    )
for name, command, reason, answer in [
    ("plus", "SCRAM-SHA-256-PLUS", "command", "-ERR mechanism is not available through this gateway"),
    *((name, line, "syntax", "-ERR mechanism and base64 expected") for name, line in NOT_AUTH),
]:
    pop(f"auth-{name}", backend(OK), client(f"AUTH {command}\r\n", "", f"{answer}\r\n"), events=[refused(reason)])
POP_DENIED = "-ERR [AUTH] not permitted by a certificate\r\n"
for name, options in [("no-certificate", {"external": "external"}), ("no-mapping", {"certificate": "alice"})]:
    pop(
        f"external-{name}",
        backend(OK),
        client("AUTH EXTERNAL =\r\n", "", POP_DENIED),
        events=[login_failed("EXTERNAL"), refused("external")],
        requirements=EXTERNAL_RULES,
        **options,
    )
for name, external, command, message in [
    ("external", "external", "EXTERNAL", b64("alice")),
    ("plain", ["master", "secret"], "PLAIN", b64("alice\0master\0secret")),
]:
    pop(
        f"external-as-{name}",
        backend(OK),
        client("AUTH EXTERNAL\r\n", "", "+ \r\n"),
        client(b64("bob") + "\r\n", "", POP_DENIED),
        client("AUTH EXTERNAL =\r\n", f"AUTH {command}\r\n"),
        backend("+ \r\n", "", message + "\r\n"),
        backend("+OK\r\n"),
        end="pipe",
        events=[login_failed("EXTERNAL"), refused("external"), logged_in("EXTERNAL")],
        requirements=EXTERNAL_RULES,
        certificate="alice",
        external=external,
    )
for name, lines, given, options in [
    ("all", "TOP\r\nsasl PLAIN SCRAM-SHA-1-PLUS EXTERNAL\r\nSTLS\r\nxclient ADDR\r\nDEEP tls12\r\n..X\r\n", f"TOP\r\nSASL PLAIN\r\n..X\r\n{CAPA}", {"advertises": True}),
    ("own", "DEEP tls12\r\nSASL EXTERNAL\r\nSTLS\r\n", "DEEP tls12\r\n", {}),
    ("external", "SASL PLAIN\r\nUIDL\r\n", "SASL PLAIN EXTERNAL\r\nUIDL\r\n", {"certificate": "alice", "external": "external"}),
    ("external-only", "UIDL\r\n", "UIDL\r\nSASL EXTERNAL\r\n", {"certificate": "alice", "external": "external"}),
]:
    pop(
        f"capa-{name}",
        backend(OK),
        passed("CAPA\r\n"),
        backend(f"+OK\r\n{lines}.\r\n", f"+OK\r\n{given}.\r\n"),
        requirements=DEEP_RULES,
        **options,
    )
pop(
    "capa-refused",
    backend(OK),
    passed("CAPA\r\n"),
    backend("-ERR what\r\n", f"+OK capabilities of the gateway\r\nUSER\r\n{CAPA}.\r\n"),
    requirements=DEEP_RULES,
    advertises=True,
)
pop("auth-list", backend(OK), passed("AUTH\r\n"), backend("+OK\r\nPLAIN\r\nEXTERNAL\r\nX-PLUS\r\n.\r\n", "+OK\r\nPLAIN\r\n.\r\n"))
pop("lang-list", backend(OK), passed("LANG\r\n"), backend("+OK\r\nen English\r\n.\r\n"), passed("LANG en\r\n"), backend("-ERR\r\n"))
for command in ["STLS", "XCLIENT ADDR=192.0.2.9", "STAT", "NOOP", "", " USER x", "USER\tx"]:
    pop(
        f"before-login-{command.strip().split(maxsplit=1)[0].lower() if command.strip() else 'empty'}{'-space' if command.startswith(' ') else ''}",
        backend(OK),
        client(f"{command}\r\nUTF8\r\n", "UTF8\r\n", "-ERR not available before login\r\n"),
        events=[refused("command")],
    )
for command in ["CAPA x", "QUIT x", "USER", "PASS", "APOP"]:
    pop(f"arguments-{command.split()[0].lower()}", backend(OK), client(f"{command}\r\n", "", "-ERR wrong arguments\r\n"), events=[refused("syntax")])
for name, line, at in [("bare-lf", "USER x\nSTAT\r\n", 6), ("bare-cr", "USER x\rSTAT\r\n", 6), ("nul", "USER x\0y\r\n", 6), ("8-bit", "USER é\r\n", 5)]:
    pop(f"octet-{name}", backend(OK), client(line, "", "-ERR not a command\r\n"), end=error("client", "octet", "command", at), events=[refused("syntax")])
pop("octet-8-bit-allowed", backend(OK), passed("PASS é\r\n"), allow_utf8=True)
XCLIENT = f"XCLIENT ADDR=192.0.2.7 PORT=51234 SESSION={SESSION}\r\n"
pop("address-by-xclient", backend(OK, more=XCLIENT), client("USER x\r\n"), backend("+OK\r\n", "", "USER x\r\n"), backend("+OK\r\n"), address="xclient")
POP_NOT_UNDERSTOOD = "-ERR [SYS/TEMP] the server cannot be understood\r\n"
pop(
    "address-refused",
    backend(OK, more=XCLIENT),
    backend("-ERR no\r\n", POP_NOT_UNDERSTOOD),
    end=error("backend", "unexpected", "response", 0),
    address="xclient",
)
ERR = f"-ERR [SYS/TEMP] {UNAVAILABLE}\r\n"
for reason in ["unreachable", "tls", "timeout", "busy"]:
    pop(f"failed-{reason}", failed(reason, ERR), end="over", events=[["closed"]])
pop("failed-in-login", backend(OK), passed("PASS x\r\n"), failed("closed", ERR), end="over", events=[["closed"]])
pop("failed-after-login", backend(OK), passed("PASS x\r\n"), backend("+OK\r\n"), failed("closed", ""), end="over", events=[logged_in("password"), ["closed"]])
pop("failed-twice", failed("closed", ERR), backend(OK, ""), failed("closed", ""), end="over", events=[["closed"]])
pop(
    "failed-after-an-error",
    backend("second line\r\n", POP_NOT_UNDERSTOOD),
    failed("closed", ""),
    end=error("backend", "unexpected", "response", 0),
)
pop("failed-within-a-list", backend(OK), passed("CAPA\r\n"), backend("+OK\r\nX\r\n", "+OK\r\n"), failed("closed", ""), end="over", events=[["closed"]])
pop("leaves", backend(OK), backend("-ERR idle\r\n"), failed("closed", ""), end="over", events=[["closed"]])
pop("quit", backend(OK), passed("QUIT\r\n"), backend("+OK bye\r\n"), end="over", events=[["closed"]])
pop("refused-greeting", backend("-ERR busy\r\n"), end="over", events=[["closed"]])
for name, line in [("early", "+OK early\r\n"), ("banner-split", "second line\r\n"), ("request", "+ go\r\n")]:
    pop(f"backend-{name}", backend(OK), backend(line, POP_NOT_UNDERSTOOD), end=error("backend", "unexpected", "response", 0))
pop(
    "backend-says-more-than-the-reply",
    backend(OK),
    client("USER x\r\nCAPA\r\n", "USER x\r\n"),
    backend("+OK\r\nsecond line\r\n", "+OK\r\n" + POP_NOT_UNDERSTOOD, more="CAPA\r\n"),
    end=error("backend", "unexpected", "response", 0),
)
pop(
    "backend-says-more-than-the-challenge",
    backend(OK),
    client("AUTH PLAIN\r\nAA==\r\n", "AUTH PLAIN\r\n"),
    backend("+ \r\n+ \r\n", more="AA==\r\n"),
    passed("eQ==\r\n"),
    backend("+OK\r\n"),
    end="pipe",
    events=[logged_in("PLAIN")],
)
pop(
    "backend-closes-after-the-challenge",
    backend(OK),
    passed("AUTH PLAIN\r\n"),
    backend("+ \r\n-ERR idle\r\n"),
    passed("UTF8\r\n"),
    events=[login_failed("PLAIN")],
)
for name, line in [("nul", "-ERR x\0\r\n"), ("bare-lf", "-ERR x\ny\r\n"), ("bare-cr", "-ERR x\ry\r\n")]:
    pop(f"backend-{name}", backend(OK), backend(line, POP_NOT_UNDERSTOOD), end=error("backend", "octet", "response", 6))
pop(
    "after-stls",
    client("CAPA\r\n"),
    backend("+OK hello\r\n", "", "CAPA\r\n"),
    backend("+OK\r\nUSER\r\n.\r\n", f"+OK\r\nUSER\r\n{CAPA}.\r\n"),
    service="pop3",
    advertises=True,
    requirements=DEEP_RULES,
)

if __name__ == "__main__":
    main(IMAP, POP)
