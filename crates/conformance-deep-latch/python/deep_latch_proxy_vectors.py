"""Writes the vectors of IMAP commands and of the proxy between an IMAP client and its server. What is expected is
written out by hand, from RFC 3501, RFC 7888, RFC 2971 and section 7.1 of the draft."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main  # noqa: E402

SOURCE = "crates/conformance-deep-latch/python/deep_latch_proxy_vectors.py"
REQUIREMENTS = ["newman-7-1-6"]
SUITES = {"imap-commands": [], "imap-proxy": []}
LIE = 'b ID ("tls" "A_LIE")\r\n'
OURS = "TLS_AES_128_GCM_SHA256"


def add(suite, name, **fields):
    SUITES[suite].append({"name": name, "requirements": REQUIREMENTS, **fields})


# Commands, as a reader finds them.

def command(text):
    return {"command": text + "\r\n"}


def line(text):
    return {"line": text + "\r\n"}


def refused(kind, field, offset, tag="a"):
    return {"refused": [kind, field, offset], "tag": tag}


def reads(name, text, *read, **options):
    add("imap-commands", name, text=text, **options, accept={"read": list(read)})


def one(name, text, **options):
    """A whole command, followed by another."""
    reads(name, f"{text}\r\nz NOOP\r\n", command(text), command("z NOOP"), **options)


def none(name, text, *error, tag="a"):
    """No command; the reader continues after its line."""
    reads(name, f"{text}\r\nz NOOP\r\n", refused(*error, tag=tag), command("z NOOP"))


one("noop", "a NOOP")
one("id-nil", "a ID NIL")
one("id-no-pairs", "a ID ()")
one("id-quoted", 'a id ("name" "{5}" "x" "{5+}")')
one("id-quoted-escapes", 'a ID ("na\\"me" "\\\\{5}")')
one("id-quoted-ends-with-an-announcement", 'a ID ("name" "x {5}")')
one("id-literals", 'a ID ({4}\r\nname {5+}\r\n"(){} "x" NIL)')
one("id-literal-of-a-whole-command", "a ID ({4}\r\nname {22+}\r\n" + LIE + ")")
one("id-empty-literals", "a ID ({0}\r\n {0+}\r\n)")
one("id-literal-with-zeros-before", "a ID ({004}\r\nname {1}\r\nx)")
one("id-literal-with-line-breaks", 'a ID ("x" {4}\r\n\r\n\r\n)')
one("id-literal-with-lf", 'a ID ("x" {2}\r\n\n\r)')
one("login-literals", "a LOGIN {5}\r\nalice {6+}\r\nsecret")
one("login-literal-of-a-whole-command", "a LOGIN x {22+}\r\n" + LIE)
one("append-literal", "a APPEND INBOX (\\Seen \\Flagged) \"16-Aug-2014 00:00:00 +0000\" {22+}\r\n" + LIE)
one("append-literal8", "a APPEND INBOX ~{4+}\r\n\r\n\r\n")
one("append-catenate", 'a APPEND x CATENATE (URL "/x;UID=1" TEXT {2+}\r\n\r\n)')
one("fetch-section", "a FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (DATE FROM)]<0.100> BODY[1.2])")
one("fetch-section-with-a-literal", "a UID FETCH 1 (BODY[HEADER.FIELDS ({4+}\r\nDate)] FLAGS)")
one("search-charset", "a SEARCH CHARSET UTF-8 OR TEXT {2+}\r\né FROM \"é\"")
one("store-flags", "a STORE 1 -FLAGS.SILENT (\\Deleted)")
one("list-wildcards", 'a LIST "" %/*%')
one("list-extended", 'a LIST (SUBSCRIBED) "" ("a*" "b") RETURN (CHILDREN STATUS (UNSEEN))')
one("authenticate-initial", "a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==")
one("authenticate-empty-initial", "a AUTHENTICATE EXTERNAL =")
one("enable", "a ENABLE CONDSTORE UTF8=ACCEPT")
one("idle", "a IDLE")
one("unknown", "a XSOMETHING (x [y] <z>) \"q\"")
one("nearly-id", "a IDX NIL")
one("id-as-an-argument", "a LOGIN ID NIL")
one("tag-of-odd-characters", "]!#$&',-./:;<=>?@^_`|}~9 ID NIL")

for text in ["", "*", "DONE", "done", "AGFsaWNlAHNlY3JldA==", "=", "/+=", "a001"]:
    reads(f"line-{text or 'empty'}".replace("*", "star"), f"{text}\r\nz NOOP\r\n", line(text), command("z NOOP"))

# Another reader finds LIE in these.
none("lf-in-a-command", "a NOOP\nb ID NIL", "character", "command", 6)
none("cr-in-a-command", "a NOOP\rb ID NIL", "character", "command", 6)
none("nul-in-a-command", "a NOOP\0b ID NIL", "character", "command", 6)
none("nul-before-lf", "a NOOP\0\nb ID NIL", "character", "command", 6)
none("lf-before-crlf", "a NOOP\n", "character", "command", 6)
none("cr-before-crlf", "a NOOP\r", "character", "command", 6)
none("lf-in-a-quoted-string", 'a LOGIN "\nb ID NIL\n" x', "character", "command", 9)
none("cr-in-a-quoted-string", 'a LOGIN "\rb" x', "character", "command", 9)
none("nul-in-a-quoted-string", 'a LOGIN "\0" x', "character", "command", 9)
none("nul-in-a-literal", "a LOGIN {1+}\r\n\0 x", "character", "literal", 14)
reads("nul-in-a-literal-with-lines", "a LOGIN {14+}\r\nb NOOP\r\nc X\r\n\0 x\r\nz NOOP\r\n",
      refused("character", "literal", 28), command("z NOOP"))
none("lf-after-a-literal", "a LOGIN {1+}\r\nx\nb ID NIL", "character", "command", 15)
reads("literal-after-an-atom", f"a NOOP x{{22+}}\r\n{LIE}\r\n", refused("trailing", "command", 6),
      command(LIE[:-2]), line(""))
reads("literal-that-waits-after-an-atom", f"a NOOP x{{22}}\r\n{LIE}\r\n", refused("trailing", "command", 6),
      command(LIE[:-2]), line(""))
reads("literal-in-an-open-quoted-string", f'a NOOP "{{22+}}\r\n{LIE}\r\n', refused("trailing", "command", 6),
      command(LIE[:-2]), line(""))
for name, text, *error in [
    ("after-an-atom-of-login", "a LOGIN x{22+}", "character", "command", 9),
    ("in-an-open-quoted-string-of-login", 'a LOGIN "x{22+}', "empty", "string", 15),
    ("after-a-quoted-string", 'a LOGIN "x"{22+}', "character", "command", 11),
    ("after-a-list", "a LIST (){22+}", "character", "command", 9),
    ("after-an-escaped-quote", 'a LOGIN "\\"{22+}', "empty", "string", 16),
    ("of-noop", "a NOOP {22+}", "trailing", "command", 6),
    ("of-capability", "a CAPABILITY {22}", "trailing", "command", 12),
    ("of-idle", "a IDLE {22}", "trailing", "command", 6),
    ("of-logout-in-another-case", "a LogOut {22}", "trailing", "command", 8),
    ("of-an-unknown-command", "a XSOMETHING {22+}", "character", "command", 13),
    ("of-authenticate", "a AUTHENTICATE PLAIN {22+}", "character", "command", 21),
    ("of-enable", "a ENABLE {22+}", "character", "command", 9),
    ("without-a-number", "a LOGIN {}", "expected", "literal", 9),
    ("without-a-number-that-does-not-wait", "a LOGIN {+}", "expected", "literal", 9),
    ("of-a-negative-number", "a LOGIN {-1}", "expected", "literal", 9),
    ("of-a-hexadecimal-number", "a LOGIN {0x16}", "expected", "literal", 10),
    ("with-a-space-before-its-number", "a LOGIN { 22}", "expected", "literal", 9),
    ("with-a-space-after-its-number", "a LOGIN {22 }", "expected", "literal", 11),
    ("with-two-signs", "a LOGIN {22++}", "expected", "literal", 12),
    ("with-a-minus-sign", "a LOGIN {22-}", "expected", "literal", 11),
    ("with-a-space-after-it", "a LOGIN {22+} ", "expected", "literal", 13),
    ("with-text-after-it", "a LOGIN {22+}x", "expected", "literal", 13),
    ("that-does-not-close", "a LOGIN {22+", "empty", "literal", 12),
    ("with-two-tildes", "a LOGIN ~~{22}", "character", "command", 10),
]:
    reads(f"literal-{name}", f"{text}\r\n{LIE}", refused(*error), command(LIE[:-2]))
none("text-after-a-literal", "a LOGIN {1+}\r\nxy", "character", "command", 15)
reads("command-after-a-literal", f"a LOGIN x {{0+}}\r\n\r\n{LIE}", command("a LOGIN x {0+}\r\n"), command(LIE[:-2]))
none("two-spaces-before-id", "a  ID NIL", "expected", "command", 2)
none("space-before-the-tag", " a ID NIL", "expected", "tag", 0, tag=None)
none("tab-before-id", "a\tID NIL", "expected", "tag", 1, tag=None)
none("tab-after-the-space", "a \tID NIL", "expected", "command", 2)
none("no-space-after-id", 'a ID("tls" "A_LIE")', "character", "command", 4)
none("tab-after-id", 'a ID\t("tls" "A_LIE")', "character", "command", 4)
none("two-spaces-after-id", 'a ID  ("tls" "A_LIE")', "extra-space", "command", 5)
none("form-feed-after-id", "a ID\fNIL", "character", "command", 4)
none("nul-after-id", "a ID\0NIL", "character", "command", 4)
none("id-in-quotes", 'a "ID" NIL', "expected", "command", 2)
none("id-in-parentheses", "a (ID) NIL", "expected", "command", 2)
none("id-with-a-wildcard", "a ID* NIL", "character", "command", 4)
reads("id-as-a-literal", "a {2+}\r\nID NIL\r\n", refused("expected", "command", 2), command("ID NIL"))
none("no-break-space-after-id", "a ID\u00a0NIL", "character", "command", 4)
none("id-with-a-zero-width-space", "a ID\u200b NIL", "character", "command", 4)
none("plus-in-the-tag", "a+ ID NIL", "expected", "tag", 1, tag=None)
none("star-as-the-tag", "* ID NIL", "expected", "tag", 0, tag=None)
none("parenthesis-that-stays-open", "a LOGIN (x", "empty", "command", 10)
none("parenthesis-that-was-not-opened", "a LOGIN x)", "character", "command", 9)
none("space-at-the-end", "a LOGIN x ", "empty", "command", 10)
none("other-characters-than-ascii-in-an-atom", "a LOGIN é x", "character", "command", 8)
reads("literal-of-id-that-is-too-long", "a ID ({1025+}\r\n", refused("limit", "literal", 13))
reads("literal-of-a-huge-number", "a ID ({99999999999999999999999}\r\n", refused("limit", "literal", 31))
reads("literal-of-the-largest-32-bit-number", "a ID ({4294967295}\r\n", refused("limit", "literal", 18))
reads("literal-of-64-bits-and-one", "a ID ({18446744073709551617}\r\n", refused("limit", "literal", 28))
reads("literal-within-a-limit-of-its-own", "a APPEND x {4+}\r\nabcd\r\n", command("a APPEND x {4+}\r\nabcd"), max_literal=4)
reads("literal-beyond-a-limit-of-its-own", "a APPEND x {5+}\r\nabcde\r\n", refused("limit", "literal", 15), max_literal=4)
add("imap-commands", "octets-that-are-not-utf-8", hex=b"a LOGIN \"\xe9\" x\r\nz NOOP\r\n".hex(),
    accept={"read": [refused("character", "command", 9), command("z NOOP")]})


# The proxy. A step is who sends what; then what the server and the client are sent.

def dialogue(name, *steps, tls=OURS, error=None, **options):
    said = [[who, text] for who, text, *_ in steps]
    outcome = {"reject": dict(zip(("kind", "field", "offset"), error))} if error else {
        "accept": {"sent": [[server, client] for _, _, server, client in steps]}}
    add("imap-proxy", name, tls=tls, **options, said=said, **outcome)


def C(text, server="", client=""):
    return "client", text, server, client


def S(text, client=None, server=""):
    return "server", text, server, text if client is None else client


GREETING = S("* OK [CAPABILITY IMAP4rev1 ID] hi\r\n")
DONE = S("a OK done\r\n")
WITH = f'b ID ("tls" "{OURS}")\r\n'
dialogue("id", GREETING, C('a ID ("name" "x")\r\n', f'a ID ("name" "x" "tls" "{OURS}")\r\n'), S("* ID NIL\r\na OK done\r\n"))
dialogue("id-in-clear", C('a ID ("tls" "A_LIE")\r\n', "a ID NIL\r\n"), tls=None)
dialogue("id-refused", C('a ID ("tls" "A_LIE")\r\n', "", "a BAD ID: tls: a client must not send this field\r\n"), inbound="refuse")
dialogue("id-trusted", C('a ID ("tls" "0x002F")\r\n', 'a ID ("tls" "0x002F")\r\n'), inbound="trust")
dialogue("id-with-literals-is-asked-for", C("a ID ({3}\r\n", "", "+ ready\r\n"), C("tls {5}\r\n", "", "+ ready\r\n"),
         C("A_LIE)\r\n", f'a ID ("tls" "{OURS}")\r\n'), DONE)
dialogue("id-with-literals-at-once", C("a ID ({4+}\r\nname {2+}\r\nx\" {3+}\r\ntls {5+}\r\nA_LIE)\r\n",
                                       f'a ID ("name" "x\\"" "tls" "{OURS}")\r\n'))
dialogue("id-with-a-literal-that-no-quoted-string-can-be",
         C("a ID ({4+}\r\nname {22+}\r\n" + LIE + ")\r\n", 'a ID ("name" {22}\r\n'),
         S("+ ready\r\n", "", f'{LIE} "tls" "{OURS}")\r\n'), DONE)
dialogue("id-with-a-literal-that-the-server-refuses",
         C("a ID ({4+}\r\nname {22+}\r\n" + LIE + ")\r\nc NOOP\r\n", 'a ID ("name" {22}\r\n'),
         S("a BAD what\r\n", None, "c NOOP\r\n"))
dialogue("id-of-two-parts", C('a ID ("é" {2+}\r\né {1+}\r\n\n {1+}\r\n\r)\r\n', 'a ID ("é" {2}\r\n'),
         S("+\r\n", "", "é {1}\r\n"), S("+ \r\n", "", "\n {1}\r\n"), S("+ \r\n", "", f'\r "tls" "{OURS}")\r\n'), DONE)
dialogue("id-that-cannot-be-read", C('a ID ("name"\r\n', "", "a BAD ID: id_params_list: empty at byte 12\r\n"))
dialogue("id-but-for-a-space", C('a  ID ("tls" "A_LIE")\r\n', "", "a BAD command: unexpected character at byte 2\r\n"))
dialogue("id-but-for-a-tab", C('a ID\t("tls" "A_LIE")\r\n', "", "a BAD command: character that is not allowed at byte 4\r\n"))
dialogue("one-command-at-a-time", C(f"a NOOP\r\n{LIE}c NOOP\r\n", "a NOOP\r\n"),
         S("* 1 EXISTS\r\na OK done\r\n", None, WITH), S("* ID NIL\r\nb OK done\r\n", None, "c NOOP\r\n"))
dialogue("lf-hides-id", C(f"a NOOP\n{LIE}c NOOP\r\n", "c NOOP\r\n", "a BAD command: character that is not allowed at byte 6\r\n"))
dialogue("literal-of-noop-hides-id", C(f"a NOOP x{{22+}}\r\n{LIE}\r\n", WITH, "a BAD command: unexpected text after the end at byte 6\r\n"),
         S("b OK done\r\n", "b OK done\r\n* BAD not a command\r\n"))
dialogue("literal-in-quotes-hides-id", C(f'a NOOP "{{22+}}\r\n{LIE}\r\n', WITH, "a BAD command: unexpected text after the end at byte 6\r\n"))
dialogue("literal-comes-when-the-server-asks", C("a LOGIN {5}\r\n", "a LOGIN {5}\r\n"), C("alice x\r\n"),
         S("+ ready\r\n", None, "alice x\r\n"), DONE)
dialogue("literal-that-does-not-wait-is-made-one-that-does", C("a LOGIN {5+}\r\nalice {003+}\r\nx y\r\n", "a LOGIN {5}\r\n"),
         S("+ ready\r\n", "", "alice {3}\r\n"), S("+ ready\r\n", "", "x y\r\n"), DONE)
dialogue("literal-that-the-server-refuses-hides-no-id", C(f"a LOGIN {{22}}\r\n{LIE}x\r\n", "a LOGIN {22}\r\n"),
         S("a NO privacy\r\n", None, WITH), S("b OK done\r\n", "b OK done\r\n* BAD not a command\r\n"))
dialogue("literal-that-does-not-wait-and-is-refused", C(f"a LOGIN {{22+}}\r\n{LIE} {{3+}}\r\nx y\r\nc NOOP\r\n", "a LOGIN {22}\r\n"),
         S("a NO privacy\r\n", None, "c NOOP\r\n"))
dialogue("literal-that-waits-after-one-that-was-refused", C("a LOGIN {1+}\r\nx {3}\r\n", "a LOGIN {1}\r\n"),
         S("a NO privacy\r\n"), C("c NOOP\r\n", "c NOOP\r\n"))
dialogue("empty-literal", C("a LOGIN {0}\r\n", "a LOGIN {0}\r\n"), S("+ \r\n"), C(" x\r\n", " x\r\n"), DONE)
dialogue("literal8", C("a APPEND x ~{2+}\r\n", "a APPEND x ~{2}\r\n"), S("+ \r\n", ""), C("\0\n\r\n", "\0\n\r\n"), DONE)
dialogue("append-of-a-whole-command", C("a APPEND x {22}\r\n", "a APPEND x {22}\r\n"), S("+ \r\n"), C(LIE, LIE), C("\r\n", "\r\n"), DONE)
dialogue("append-then-id", C(f"a APPEND x {{2+}}\r\n\n\r\r\n{LIE}", "a APPEND x {2}\r\n"), S("+ \r\n", "", "\n\r\r\n"),
         S("a OK done\r\n", None, WITH))
dialogue("authenticate", C("a AUTHENTICATE PLAIN\r\n", "a AUTHENTICATE PLAIN\r\n"), S("+ \r\n"), C("AGEA\r\n", "AGEA\r\n"), DONE)
dialogue("authenticate-twice-asked", C("a AUTHENTICATE LOGIN\r\n", "a AUTHENTICATE LOGIN\r\n"), S("+ VXNlcg==\r\n"),
         C("eA==\r\n", "eA==\r\n"), S("+ UGFzcw==\r\n"), C("*\r\n", "*\r\n"), S("a BAD cancelled\r\n"))
dialogue("authenticate-waits-for-the-request", C("a AUTHENTICATE PLAIN\r\nAGEA\r\n", "a AUTHENTICATE PLAIN\r\n"),
         S("+ \r\n", None, "AGEA\r\n"), DONE)
dialogue("authenticate-refused-hides-no-id", C("a AUTHENTICATE X\r\n" + LIE, "a AUTHENTICATE X\r\n"), S("a NO what\r\n", None, WITH))
dialogue("authenticate-answered-with-a-command", C("a AUTHENTICATE PLAIN\r\n", "a AUTHENTICATE PLAIN\r\n"), S("+ \r\n"), C(LIE),
         error=("expected", "base64", 0))
dialogue("idle", C("a IDLE\r\n", "a IDLE\r\n"), S("+ idling\r\n"), S("* 2 EXISTS\r\n"), C("DONE\r\n", "DONE\r\n"), DONE)
dialogue("idle-ended-at-once", C(f"a IDLE\r\nDONE\r\n{LIE}", "a IDLE\r\n"), S("+ idling\r\n", None, "DONE\r\n"), S("a OK done\r\n", None, WITH))
dialogue("idle-that-the-server-ends", C("a IDLE\r\n", "a IDLE\r\n"), S("+ idling\r\n"), S("a BAD too long\r\n"),
         C("DONE\r\nc NOOP\r\n", "c NOOP\r\n", "* BAD not a command\r\n"))
dialogue("wrong-tag-before-its-line-ends", C("(a NO"), C("OP\r\n", "", "* BAD tag: unexpected character at byte 0\r\n"))
dialogue("idle-hides-no-literal", C("a IDLE\r\nb LOGIN {22}\r\n" + LIE, "a IDLE\r\n"), S("+ idling\r\n"), error=("expected", "base64", 0))
dialogue("idle-refused", C("a IDLE\r\n", "a IDLE\r\n"), S("a BAD what\r\n"), C("b IDLE\r\n", "b IDLE\r\n"))
dialogue("starttls-is-not-forwarded", C("a STARTTLS\r\n" + LIE, WITH, "a NO not available through this proxy\r\n"))
dialogue("compress-is-not-forwarded", C("a compress DEFLATE\r\n", "", "a NO not available through this proxy\r\n"))
dialogue("request-that-nobody-made", C("a NOOP\r\n", "a NOOP\r\n"), S("+ ready\r\n"), error=("expected", "continue-req", 0))
dialogue("answer-before-the-command-ends", C("a LOGIN {5}\r\n", "a LOGIN {5}\r\n"), S("+ \r\n"), S("a NO what\r\n"),
         error=("expected", "response-tagged", 0))
dialogue("lf-in-a-command-of-which-the-server-has-half", C("a LOGIN {1}\r\n", "a LOGIN {1}\r\n"), S("+ \r\n"), C("x\nb ID NIL\r\n"),
         error=("character", "command", 0))
dialogue("nul-in-a-literal-of-which-the-server-has-half", C("a LOGIN {2}\r\n", "a LOGIN {2}\r\n"), S("+ \r\n"), C("\0"),
         error=("character", "literal", 0))
for name, number in (("2-31", 2**31), ("2-32-and-5", 2**32 + 5), ("2-63", 2**63), ("2-64", 2**64), ("40-digits", "9" * 40)):
    dialogue(f"literal-longer-than-a-number-{name}", C(f"a APPEND x {{{number}}}\r\n"), error=("limit", "literal", 0))
    dialogue(f"second-literal-longer-than-a-number-{name}", C("a APPEND {1}\r\n", "a APPEND {1}\r\n"), S("+ \r\n"),
             C(f"x {{{number}+}}\r\n"), error=("limit", "literal", 0))
dialogue("longest-literal", C(f"a APPEND x {{{2**31 - 1}+}}\r\n", f"a APPEND x {{{2**31 - 1}}}\r\n"))
dialogue("response-with-literals", C("a FETCH 1 BODY[]\r\nb NOOP\r\n", "a FETCH 1 BODY[]\r\n"),
         S("* 1 FETCH (BODY[] {13}\r\na OK\r\n+ x\r\n\r\n BODY[1] \"a {3}\")\r\n"), S("a OK done {5}\r\n", None, "b NOOP\r\n"))
dialogue("response-of-another-tag", C("a NOOP\r\nb NOOP\r\n", "a NOOP\r\n"), S("aa OK x\r\nA OK x\r\n* a OK x\r\n"),
         S("a OK x\r\n", None, "b NOOP\r\n"))
dialogue("tag-used-again", C("a NOOP\r\na NOOP\r\n", "a NOOP\r\n"), S("a OK x\r\n", None, "a NOOP\r\n"), DONE)
dialogue("bare-lf-of-the-server", S("* OK a\nb\r\n"), error=("character", "response", 6))


if __name__ == "__main__":
    main(__doc__, *(SuiteFile(f"deep-latch/{suite}", SOURCE, cases, indent="", ensure_ascii=False) for suite, cases in SUITES.items()))
