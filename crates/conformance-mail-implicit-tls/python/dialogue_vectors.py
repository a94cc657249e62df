"""Writes mail-implicit-tls/vectors/client-dialogue.json and server-dialogue.json. How each case ends is stated by hand;
dialogue_reference.py, a second implementation, must find the same, and gives what is said.

    python3 crates/conformance-mail-implicit-tls/python/dialogue_vectors.py [--check]
"""

import dialogue_reference as reference
from suite_file import SuiteFile, main

CLIENT = SuiteFile("client-dialogue", __file__, [])
SERVER = SuiteFile("server-dialogue", __file__, [])
EHLO_TLS, EHLO_AUTH = "250-mail\r\n250 STARTTLS\r\n", "250-mail\r\n250 AUTH PLAIN EXTERNAL\r\n"
CAPA_TLS, CAPA = "+OK\r\nSTLS\r\n.\r\n", "+OK\r\nSASL PLAIN\r\n.\r\n"
IMAP_TLS, IMAP = "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nt OK done\r\n"


def of_client(service, end, options):
    """What a case shows: TLS at the high level and before anything else, or the states of the greeting."""
    if end == "no-authentication":
        return ["newman-4-3-2"]
    if end == "preauth-in-clear":
        return ["newman-4-2-3", "newman-9-1-3"]
    if options.get("upgraded"):
        return ["newman-3-1-1", "newman-9-1-3"] if end in ("ready", "tls", "receive") else ["newman-3-1-1", "newman-3-1-4"]
    return {"imaps": ["newman-4-2-3"], "pop3s": ["newman-4-1-2"], "submissions": ["newman-4-3-2"]}.get(service, ["newman-3-3-3"])


def of_server(result, can_start_tls):
    """What a case shows: STARTTLS where it can work, and nothing but discovery before TLS."""
    if not can_start_tls:
        return ["newman-9-2-3", "newman-9-1-3"]
    return ["newman-9-2-2"] if result["end"] == "tls" else ["newman-9-1-3"]


def client(name, service, end, *script, **options):
    """`end`: "ready", the kind of the failure, or what the client waits for."""
    turns = [turn if turn in ("tls", "closed") else {"server": turn} if isinstance(turn, str) else {"repeat": list(turn)} for turn in script]
    result = reference.client(service, turns, **options)
    outcome = result["result"]
    found = outcome if isinstance(outcome, str) else outcome.get("failed", "ready")
    assert found == end, f"{name}: {result}"
    CLIENT.case(name, result, of_client(service, end, options), service=service, script=turns, **options)


def upgraded(name, service, end, *script):
    client(f"{name}-{service}", service, end, *script, upgraded=True)


def server(name, protocol, end, *turns, can_start_tls=True):
    result = reference.server(protocol, can_start_tls, turns)
    found = result["end"] if isinstance(result["end"], str) else result["end"]["closed"]
    assert found == end, f"{name}: {result}"
    SERVER.case(name, result, of_server(result, can_start_tls), protocol=protocol, can_start_tls=can_start_tls, client=list(turns))


# --- Within TLS --------------------------------------------------------------------------------------------------

client("imaps-code", "imaps", "ready", "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN auth=external LOGINDISABLED] hello\r\n")
client("imaps-asked", "imaps", "ready", "* OK hello\r\n", IMAP)
client("imaps-preauth", "imaps", "ready", "* PREAUTH [CAPABILITY IMAP4rev1] alice\r\n")
client("imaps-preauth-asked", "imaps", "ready", "* preauth alice\r\n", IMAP)
client("imaps-bye", "imaps", "refused", "* BYE busy\r\n")
client("imaps-bye-later", "imaps", "refused", "* OK hello\r\n", "* BYE busy\r\n")
client("imaps-no-capability", "imaps", "unexpected", "* OK hello\r\n", "t OK done\r\n")
client("imaps-capability-refused", "imaps", "unexpected", "* OK hello\r\n", "t NO what\r\n")
client("imaps-last-capability", "imaps", "ready", "* OK hello\r\n", "* CAPABILITY A\r\n* OK x\r\n* CAPABILITY B\r\nt OK\r\n")
client("imaps-clear-tag", "imaps", "unexpected", "* OK hello\r\n", "* CAPABILITY A\r\nc OK done\r\n")
client("imaps-literal", "imaps", "unexpected", "* OK hello\r\n", "* LIST () {3}\r\nabc\r\n")
client("imaps-preauth-later", "imaps", "unexpected", "* OK hello\r\n", "* PREAUTH x\r\n")
client("imaps-no-word", "imaps", "unexpected", "* OK hello\r\n", "t\r\n")
client("imaps-tagged-greeting", "imaps", "unexpected", "t OK hello\r\n")
client("imaps-other-greeting", "imaps", "unexpected", "* HELLO\r\n")
client("imaps-pop-greeting", "imaps", "unexpected", "+OK hello\r\n")
client("imaps-smtp-greeting", "imaps", "unexpected", "220 mail ESMTP\r\n")
client("imaps-alert", "imaps", "ready", "* OK [ALERT] pay now\r\n", "* OK [ALERT] again\r\n" + IMAP)
client("imaps-referral", "imaps", "unexpected", "* OK hello\r\n", "t NO [REFERRAL imap://evil.example/] go\r\n")
client("imaps-rest", "imaps", "ready", "* OK [CAPABILITY IMAP4rev1] x\r\n* 1 EXISTS\r\n* 2")
client("imaps-untagged-early", "imaps", "ready", "* OK hello\r\n* OK [ALERT] x\r\n", IMAP)
client("imaps-untagged-early-in-part", "imaps", "ready", "* OK hello\r\n*", " OK x\r\n" + IMAP)
client("imaps-tagged-early", "imaps", "unexpected", "* OK hello\r\nt OK done\r\n")
client("imaps-silence", "imaps", "receive", "* O")
client("imaps-closed", "imaps", "closed", "* OK hello\r\n", "closed")
client("pop3s", "pop3s", "ready", "+OK hello <1@x>\r\n", CAPA)
client("pop3s-no-capa", "pop3s", "ready", "+OK\r\n", "-ERR what\r\n")
client("pop3s-dot", "pop3s", "ready", "+OK\r\n", "+OK\r\n..A\r\n.B\r\nsasl  plain x-Other\r\n.\r\n")
client("pop3s-refused", "pop3s", "refused", "-ERR [SYS/TEMP] busy\r\n")
client("pop3s-other", "pop3s", "unexpected", "+OKAY\r\n")
client("pop3s-lower-case", "pop3s", "unexpected", "+ok\r\n")
client("pop3s-capa-other", "pop3s", "unexpected", "+OK\r\n", "* OK\r\n")
client("pop3s-rest", "pop3s", "ready", "+OK\r\n", CAPA + "x")
client("pop3s-reply-early", "pop3s", "unexpected", "+OK\r\n" + CAPA)
client("submissions", "submissions", "ready", "220 mail ESMTP\r\n", EHLO_AUTH)
client("submissions-many-lines", "submissions", "ready", "220-mail\r\n220-\r\n220\r\n", "250-mail\r\n250-SIZE 1\r\n250-auth  plain\r\n250\r\n")
client("submissions-no-auth", "submissions", "no-authentication", "220 mail\r\n", "250 mail\r\n")
client("submissions-auth-empty", "submissions", "no-authentication", "220 mail\r\n", "250-mail\r\n250 AUTH\r\n")
client("submissions-auth-with-equals", "submissions", "ready", "220 mail\r\n", "250-mail\r\n250 AUTH=PLAIN\r\n")
client("submissions-auth-with-and-without-equals", "submissions", "ready", "220 mail\r\n", "250-mail\r\n250-auth=Login plain\r\n250 AUTH PLAIN x\r\n")
client("submissions-auth-with-equals-empty", "submissions", "no-authentication", "220 mail\r\n", "250-mail\r\n250 AUTH=\r\n")
client("submissions-no-auth-accepted", "submissions", "ready", "220 mail\r\n", "250 mail\r\n", without_authentication=True)
for code in ("421", "554", "450"):
    client(f"submissions-{code}", "submissions", "refused", f"{code} no\r\n")
    client(f"submissions-ehlo-{code}", "submissions", "refused", "220 mail\r\n", f"{code} no\r\n")
for number, line in enumerate(["250 mail", "354 go", "22 mail", "2200 mail", "220_mail", "", "+OK", "* OK", "SSH-2.0-x", "HTTP/1.1 400 Bad", "099 x", "\u0662\u0662\u0660 x"]):
    client(f"submissions-greeting-{number}", "submissions", "unexpected", f"{line}\r\n")
client("submissions-two-codes", "submissions", "unexpected", "220-mail\r\n221 mail\r\n")
client("submissions-reply-early", "submissions", "unexpected", "220 mail\r\n" + EHLO_AUTH)

# --- Octets and limits -------------------------------------------------------------------------------------------

for service, greeting in (("imaps", "* OK hello"), ("pop3s", "+OK hello"), ("submissions", "220 hello")):
    client(f"bare-lf-{service}", service, "octet", f"{greeting}\n")
    client(f"bare-cr-{service}", service, "octet", f"{greeting}\rx\r\n")
    client(f"bare-cr-in-part-{service}", service, "octet", f"{greeting}\rx")
    client(f"cr-at-end-{service}", service, "receive", f"{greeting}\r")
    client(f"nul-{service}", service, "octet", f"{greeting}\0\r\n")
    client(f"nul-in-part-{service}", service, "octet", f"{greeting}\0")
    client(f"8193-octets-{service}", service, "too-long", greeting + " ", ("x", 8193 - len(greeting)))
    client(f"8192-octets-{service}", service, "receive", greeting + " ", ("x", 8191 - len(greeting)))
    client(f"8-bit-{service}", service, "receive", f"{greeting} grüße\r\n")
client("greeting-64kB-line", "imaps", "too-long", ("x", 65536))
client("greeting-endless", "submissions", "too-long", ("220-x\r\n", 257))
client("greeting-256-lines", "submissions", "receive", ("220-x\r\n", 255), "220 x\r\n")
client("capa-endless", "pop3s", "too-long", "+OK\r\n", "+OK\r\n", ("x\r\n", 256))
client("capa-254", "pop3s", "ready", "+OK\r\n", "+OK\r\n", ("x\r\n", 254), ".\r\n")
client("capa-255", "pop3s", "too-long", "+OK\r\n", "+OK\r\n", ("x\r\n", 255), ".\r\n")
client("untagged-endless", "imaps", "too-long", "* OK x\r\n", ("* OK x\r\n", 8192))
client("untagged-8190", "imaps", "receive", "* OK x\r\n", ("* OK x\r\n", 8190))

# --- The upgrade -------------------------------------------------------------------------------------------------

BEFORE = {
    "imap": ([IMAP_TLS], "c OK begin\r\n", ["c NO x\r\n", "c BAD x\r\n"], IMAP, "* OK x\r\n"),
    "pop3": (["+OK\r\n", CAPA_TLS], "+OK begin\r\n", ["-ERR x\r\n"], CAPA, "+OK\r\n"),
    "submission": (["220 x\r\n", EHLO_TLS], "220 go\r\n", ["454 4.7.0 x\r\n", "501 x\r\n"], EHLO_AUTH, "250-X"),
}
for service, (before, fine, refused, after, line) in BEFORE.items():
    upgraded("upgrade", service, "ready", *before, fine, "tls", after)
    upgraded("upgrade-waits", service, "tls", *before, fine)
    upgraded("upgrade-silence", service, "receive", *before, fine, "tls")
    upgraded("injected", service, "injected", *before, fine + after)
    upgraded("injected-line", service, "injected", *before, fine + line)
    upgraded("injected-octet", service, "injected", *before, fine + "x")
    upgraded("injected-cr", service, "injected", *before, fine + "\r")
    upgraded("injected-slow", service, "injected", *before, fine, after)
    upgraded("injected-nul", service, "injected", *before, fine + "\0")
    upgraded("closed-before-tls", service, "closed", *before, fine, "closed")
    upgraded("rest", service, "ready", *before, fine, "tls", after + "later")
    for number, reply in enumerate(refused):
        upgraded(f"refused-{number}", service, "starttls-refused", *before, reply)
    upgraded("other-reply", service, "unexpected", *before, {"imap": "c OKAY\r\n", "pop3": "* OK\r\n", "submission": "250 x\r\n"}[service])
    upgraded("reply-early", service, "unexpected", *before[:-1], before[-1] + fine)
    upgraded("clear-tag-or-none", service, "unexpected", *before, fine, "tls", {"imap": "* CAPABILITY X\r\nc OK x\r\n", "pop3": "x\r\n", "submission": "x\r\n"}[service])
upgraded("not-offered", "imap", "no-starttls", "* OK [CAPABILITY IMAP4rev1] x\r\n")
upgraded("not-offered-asked", "imap", "no-starttls", "* OK x\r\n", "* CAPABILITY IMAP4rev1 XSTARTTLS\r\nc OK\r\n")
upgraded("offered-in-lower-case", "imap", "receive", "* OK [CAPABILITY starttls] x\r\n")
upgraded("not-offered", "pop3", "no-starttls", "+OK\r\n", "+OK\r\nUSER\r\n.\r\n")
upgraded("no-capa", "pop3", "no-starttls", "+OK\r\n", "-ERR\r\n")
upgraded("starttls-of-others", "pop3", "no-starttls", "+OK\r\n", "+OK\r\nSTARTTLS\r\n.\r\n")
upgraded("not-offered", "submission", "no-starttls", "220 x\r\n", EHLO_AUTH)
upgraded("offered-as-name", "submission", "no-starttls", "220 x\r\n", "250 STARTTLS\r\n")
upgraded("preauth", "imap", "preauth-in-clear", "* PREAUTH [CAPABILITY STARTTLS] x\r\n")
upgraded("preauth-lower-case", "imap", "preauth-in-clear", "* preauth x\r\n")
upgraded("untagged-before-ok", "imap", "ready", IMAP_TLS, "* CAPABILITY EVIL AUTH=LOGIN\r\nc OK x\r\n", "tls", IMAP)
upgraded("alert-before-tls", "imap", "ready", "* OK [ALERT] call 0900\r\n", "* CAPABILITY STARTTLS\r\nc OK\r\n", "c OK\r\n", "tls", IMAP)
upgraded("referral", "imap", "starttls-refused", IMAP_TLS, "c NO [REFERRAL imap://evil.example/] x\r\n")
upgraded("next-command", "imap", "injected", IMAP_TLS, "c OK x\r\nt OK x\r\n")
upgraded("other-capabilities", "submission", "ready", "220 x\r\n", "250-m\r\n250-AUTH LOGIN\r\n250 STARTTLS\r\n", "220 x\r\n", "tls", "250-m\r\n250 AUTH EXTERNAL\r\n")
upgraded("auth-in-clear-only", "submission", "no-authentication", "220 x\r\n", "250-m\r\n250-AUTH LOGIN\r\n250 STARTTLS\r\n", "220 x\r\n", "tls", "250 m\r\n")
client("clear-imap", "imap", "ready", "* OK x\r\n", "* CAPABILITY IMAP4rev1 STARTTLS\r\nc OK\r\n")
client("clear-preauth", "imap", "preauth-in-clear", "* PREAUTH x\r\n")

# --- Servers before TLS ------------------------------------------------------------------------------------------

QUIT = {"imap": "a LOGOUT\r\n", "pop": "QUIT\r\n", "submission": "QUIT\r\n"}
START = {"imap": "a STARTTLS\r\n", "pop": "STLS\r\n", "submission": "STARTTLS\r\n"}
for protocol, start in START.items():
    quit = QUIT[protocol]
    server(f"{protocol}-greeting", protocol, "receive")
    server(f"{protocol}-greeting-without-tls", protocol, "receive", can_start_tls=False)
    server(f"{protocol}-upgrade", protocol, "tls", start)
    server(f"{protocol}-upgrade-lower-case", protocol, "tls", start.lower())
    server(f"{protocol}-upgrade-in-parts", protocol, "tls", start[:4], start[4:-1], "\n")
    server(f"{protocol}-upgrade-without-tls", protocol, "receive", start, can_start_tls=False)
    server(f"{protocol}-quit", protocol, "quit", quit)
    server(f"{protocol}-quit-and-more", protocol, "quit", quit + start)
    server(f"{protocol}-injected", protocol, "injected", start + quit)
    server(f"{protocol}-injected-octet", protocol, "injected", start + "\x16")
    server(f"{protocol}-injected-late", protocol, "injected", start, quit)
    server(f"{protocol}-injected-after-others", protocol, "injected", "a NOOP\r\n" + start + "x")
    server(f"{protocol}-bare-lf", protocol, "octet", "a NOOP\n")
    server(f"{protocol}-bare-cr", protocol, "octet", "a NO\rOP\r\n")
    server(f"{protocol}-bare-cr-in-part", protocol, "octet", "a\rb")
    server(f"{protocol}-nul", protocol, "octet", "a NOOP\0\r\n")
    server(f"{protocol}-nul-in-part", protocol, "octet", "\0")
    server(f"{protocol}-line-of-512", protocol, "receive", "a " + "x" * 508 + "\r\n")
    server(f"{protocol}-line-of-513", protocol, "too-long", "a " + "x" * 509 + "\r\n")
    server(f"{protocol}-part-of-512", protocol, "receive", "x" * 512)
    server(f"{protocol}-part-of-513", protocol, "too-long", "x" * 513)
    server(f"{protocol}-20-commands", protocol, "receive", "a NOOP\r\n" * 20)
    server(f"{protocol}-21-commands", protocol, "too-long", "a NOOP\r\n" * 21)
    server(f"{protocol}-21st-is-upgrade", protocol, "too-long", "a NOOP\r\n" * 20 + start)
    server(f"{protocol}-20th-is-upgrade", protocol, "tls", "a NOOP\r\n" * 19 + start)
    server(f"{protocol}-client-hello", protocol, "tls", "\x16\x03\x01")
    server(f"{protocol}-record-after-command", protocol, "receive", "a NOOP\r\n", "\x16\x03\x01")
    for number, line in enumerate(["GET / HTTP/1.1", "POST /x HTTP/1.0", "PRI * HTTP/2.0", "OPTIONS * x", "CONNECT a:1 x", "PUT x", "HEAD x", "DELETE x", "PATCH x", "TRACE x"]):
        server(f"{protocol}-http-{number}", protocol, "http", line + "\r\n")
    for number, line in enumerate(["TCP4 192.0.2.1 192.0.2.2 1 2", "UNKNOWN", "x"]):
        server(f"{protocol}-proxy-header-{number}", protocol, "proxy", f"PROXY {line}\r\n{start}")
    server(f"{protocol}-proxy-header-of-version-2", protocol, "octet", "\r\n\r\n\0\r\nQUIT\n")
    server(f"{protocol}-proxy-header-second", protocol, "receive", "a NOOP\r\nPROXY UNKNOWN\r\n")
    server(f"{protocol}-proxy-header-lower-case", protocol, "receive", "proxy UNKNOWN\r\n")
    server(f"{protocol}-http-lower-case", protocol, "receive", "get / http/1.1\r\n")
    server(f"{protocol}-http-second", protocol, "http", "a NOOP\r\nGET / HTTP/1.1\r\n")
for number, line in enumerate(["a CAPABILITY", "a NOOP", "a LOGIN alice secret", "a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==", "a ID NIL", "a", "", "a ", " NOOP", "* NOOP", "+ NOOP", "a(b NOOP", "a\\b NOOP", "é NOOP", "x" * 64 + " NOOP", "x" * 65 + " NOOP", "a+b NOOP", "} NOOP", "a STARTTLSX", "a STARTTLS x"]):
    server(f"imap-line-{number}", "imap", "tls" if line == "a STARTTLS x" else "receive", line + "\r\n")
for number, line in enumerate(["CAPA", "capa", "USER alice", "PASS secret", "APOP alice 0", "AUTH PLAIN", "NOOP", "", " CAPA"]):
    server(f"pop-line-{number}", "pop", "receive", line + "\r\n")
    server(f"pop-line-{number}-without-tls", "pop", "receive", line + "\r\n", can_start_tls=False)
for number, line in enumerate(["EHLO client", "ehlo client", "HELO client", "NOOP", "RSET", "MAIL FROM:<a@b>", "AUTH PLAIN AGFsaWNlAHNlY3JldA==", "DATA", "VRFY x", "", "EHLO"]):
    server(f"submission-line-{number}", "submission", "receive", line + "\r\n")
    server(f"submission-line-{number}-without-tls", "submission", "receive", line + "\r\n", can_start_tls=False)

main(CLIENT, SERVER)
