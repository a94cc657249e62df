"""Writes crates/conformance-authres-tls/vectors/write.json: values of Authentication-Results fields (RFC 8601) and how
they are written, by an implementation that shares nothing with the crate's.

    python3 crates/conformance-authres-tls/python/authres_write_vectors.py [--check]
"""

import re
import sys
import unicodedata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main  # noqa: E402

SOURCE = "crates/conformance-authres-tls/python/authres_write_vectors.py"

KEYWORD = re.compile(r"[A-Za-z0-9-]*[A-Za-z0-9]")
TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+")
ATOM = r"[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~]+"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
# RFC 6531 and RFC 8616 add what is not ASCII to atoms and labels.
ATOM_8 = ATOM.replace("{|}", "{|}\x80-\U0010ffff")
LABEL_8 = r"[A-Za-z0-9\x80-\U0010ffff](?:[A-Za-z0-9\x80-\U0010ffff-]*[A-Za-z0-9\x80-\U0010ffff])?"
DOMAIN = rf"{LABEL_8}(?:\.{LABEL_8})+"
IDENTITY = re.compile(rf"(?:(?:{ATOM_8}(?:\.{ATOM_8})*)?@)?{DOMAIN}")
QUOTED_IDENTITY = re.compile(rf'"(?:[^"\\]|\\.)*"@{DOMAIN}')
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
LIKE_A_PROPERTY = re.compile(r"[A-Za-z0-9-]*[A-Za-z0-9](?:\.[A-Za-z0-9-]*[A-Za-z0-9])=|(?i:action|client-ip|envelope-from|helo|reason)=")
ENDS_A_LINE = re.compile("[\0-\x08\n-\x1f\x7f-\x9f\u2028\u2029]")


class Refused(Exception):
    def __init__(self, kind, field, offset):
        super().__init__(kind)
        self.reject = {"kind": kind, "field": field, "offset": offset}


def octets(text):
    return len(text.encode())


def offset(text, match):
    return octets(text[:match.start()])


def keyword(text, field):
    other = re.search("[^A-Za-z0-9-]", text)
    if other:
        raise Refused("keyword", field, offset(text, other))
    if not text:
        raise Refused("empty", field, 0)
    if not KEYWORD.fullmatch(text):
        raise Refused("ends-with-hyphen", field, len(text) - 1)
    return text.lower()


def printable(text, field):
    ends = ENDS_A_LINE.search(text)
    if ends:
        raise Refused("control", field, offset(text, ends))


class Part:
    """The text between two places to fold: words, each with the white space before it."""

    def __init__(self, field, head, words, may_break_after_head=False):
        self.field, self.head, self.words = field, head, words
        self.may_break_after_head = may_break_after_head

    def flat(self):
        return self.head + "".join(word for _, word in self.words)


def delimited(text, opening, closing, escaped):
    words, at = [], 0
    for match in re.finditer("[ \t]*[^ \t]+|[ \t]+", text):
        words.append([octets(text[:match.start()]), re.sub(escaped, r"\\\g<0>", match.group())])
    if not words or words[0][1].startswith((" ", "\t")):
        words.insert(0, [0, ""])
    words[0][1] = opening + words[0][1]
    words[-1][1] += closing
    return words


def plain(text):
    """Returns True if its text outside ASCII is letters, marks and digits in a domain-name, and before an @ no space,
    control or character that looks like ASCII's punctuation."""
    local_part, _, domain = text.rpartition("@")
    def category(it):
        return "Z" if it in INVISIBLE else unicodedata.category(it)

    letters = all(it.isascii() or category(it)[0] in "LMN" for it in domain)
    atoms = all(it.isascii() or category(it)[0] not in "ZC" and category(it)[0] != "P"
                and unicodedata.normalize("NFKC", it) not in "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~" for it in local_part)
    return letters and atoms


def identity(text):
    """The words of an e-mail identity or domain as it is written, if the text is one."""
    if text.endswith(".") or not plain(text):
        return None
    if IDENTITY.fullmatch(text):
        return [[0, text]]
    if not QUOTED_IDENTITY.fullmatch(text):
        return None
    # A line may not begin at a space that is escaped, nor at one after it.
    words = re.finditer(r"[ \t]*(?:\\[ \t]+|\\.|[^ \t\\])+", text)
    return [[octets(text[:word.start()]), word.group()] for word in words]


def value(text, field, utf8, address):
    if not text.isascii() and not utf8:
        raise Refused("non-ascii", field, offset(text, re.search("[^\0-\x7f]", text)))
    dotted = text.endswith(".")
    if TOKEN.fullmatch(text) and not dotted:
        return [[0, text]]
    return address and identity(text) or delimited(text, '"', '"', r'["\\]')


def comments(model, prefix, utf8):
    for index, text in enumerate(model.get("comments", [])):
        field = f"{prefix}comment[{index}]"
        if not text.isascii() and not utf8:
            raise Refused("non-ascii", field, offset(text, re.search("[^\0-\x7f]", text)))
        yield Part(field, "", delimited(text, "(", ")", r"[()\\]"))


def checked(model):
    """The refusals before a value is written, in the order in which it is built."""
    printable(model["authserv_id"], "authserv-id")
    if not model["authserv_id"]:
        raise Refused("empty", "authserv-id", 0)
    if "instance" in model and not 1 <= model["instance"] <= 50:
        raise Refused("instance", "instance", 0)
    for index, text in enumerate(model.get("comments", [])):
        printable(text, f"comment[{index}]")
    for number, result in enumerate(model.get("results", [])):
        prefix = f"resinfo[{number}]."
        keyword(result["method"], prefix + "method")
        keyword(result["result"], prefix + "result")
        if result.get("reason") is not None:
            printable(result["reason"], prefix + "reasonspec")
        for index, text in enumerate(result.get("comments", [])):
            printable(text, f"{prefix}comment[{index}]")
        for index, (ptype, name, text) in enumerate(result.get("props", [])):
            keyword(ptype, f"{prefix}ptype[{index}]")
            keyword(name, f"{prefix}property[{index}]")
            printable(text, f"{prefix}pvalue[{index}]")


def groups(model, utf8):
    """The parts of the head, and those of each result."""
    arc = f"i={model['instance']};" if model.get("instance") else None
    head = [Part("instance", arc, [])] if arc else []
    head.append(Part("authserv-id", "", value(model["authserv_id"], "authserv-id", utf8, False)))
    if model.get("version"):
        head.append(Part("authres-version", "1", []))
    head.extend(comments(model, "", utf8))
    yield head
    for number, result in enumerate(model.get("results", [])):
        prefix = f"resinfo[{number}]."
        version = result.get("method_version")
        version = "" if version is None else f"/{version}"
        parts = [Part(prefix + "methodspec", f"{result['method'].lower()}{version}={result['result'].lower()}", [])]
        parts.extend(comments(result, prefix, utf8))
        if result.get("reason") is not None:
            field = prefix + "reasonspec"
            parts.append(Part(field, "reason=", value(result["reason"], field, utf8, False), True))
        for index, (ptype, name, text) in enumerate(result.get("props", [])):
            field = f"{prefix}pvalue[{index}]"
            words = value(text, field, utf8, True)
            behind_a_break = not (words[0][1] == text and LIKE_A_PROPERTY.match(text))
            parts.append(Part(field, f"{ptype.lower()}.{name.lower()}=", words, behind_a_break))
        yield parts
    if not model.get("results"):
        yield [Part("no-result", "none", [])]


def written(model, mode="ascii", soft=78, hard=998, first_line=None, indent="tab", result_per_line=True):
    checked(model)
    name = "ARC-Authentication-Results: " if model.get("instance") else "Authentication-Results: "
    lines = ["#" * (len(name) if first_line is None else first_line)]
    before = len(lines[0])
    new_line = {"tab": "\t", "space": " "}[indent]
    parts = [(group, part) for group in groups(model, mode == "utf8") for part in group]

    def fits(text, limit):
        return octets(lines[-1] + text) <= limit

    for place, (group, part) in enumerate(parts):
        following = parts[place + 1] if place + 1 < len(parts) else None
        end = ";" if following and following[0] is not group else ""
        of_result = bool(model.get("results")) and part is group[0] and group is not parts[0][0]
        if of_result and result_per_line or place > 0 and not fits(" " + part.flat() + end, soft):
            lines.append(new_line)
        elif place > 0:
            lines[-1] += " "
        whole = part.flat() + end
        lines[-1] += part.head
        if not part.words:
            lines[-1] += end
            if not fits("", hard):
                raise Refused("line-too-long", part.field, 0)
            continue
        if not fits("", hard):
            raise Refused("line-too-long", part.field.replace("pvalue", "propspec"), 0)
        words = [word for _, word in part.words]
        words[-1] += end
        if part.may_break_after_head and not fits(words[0], hard):
            lines.append(new_line)
        whole = octets(lines[-1]) + sum(map(octets, words)) <= soft
        for (at, _), word in zip(part.words, words):
            if not whole and word[0] in " \t" and not fits(word, soft):
                lines.append("")
            lines[-1] += word
            if not fits("", hard):
                raise Refused("line-too-long", part.field, at)
    return "\r\n".join(lines)[before:]


# requirements/rfc8601.toml
WHOLE, CFWS, ID, VERSION, NONE, KEYWORDS, PVALUE, QUOTED, UTF8, IDENTITIES = (f"rfc8601-2-2-{n}" for n in range(1, 11))
FORGED, LINES, ARC = "rfc8601-7-1", "rfc5322-2-1-1", "rfc8617-4-1-1"

CASES = []


def case(name, model, requirements, **options):
    if isinstance(model, list):
        model = {"authserv_id": "mx.example.org", "results": model}
    fields = {"name": name, "requirements": list(requirements), "model": model, **options}
    try:
        fields["accept"] = {"written": written(model, **options)}
    except Refused as refused:
        fields["reject"] = refused.reject
    CASES.append(fields)


def tls(value_, **more):
    return [{"method": "tls", "result": "pass", "props": [["cert", "client", value_]], **more}]


def forms():
    for name, text in {
        "token": "example.com", "token-of-all-characters": "!#$%&'*+-.09AZ^_`az{|}~", "empty": "",
        "address": "user@example.com", "address-without-local-part": "@example.com",
        "address-with-equals-and-slash": "a+b=c/d?e@a.example", "address-of-one-label": "root@localhost",
        "address-with-a-dot-at-the-end": "user@example.com.", "address-with-two-dots": "a..b@a.example",
        "address-with-a-dot-first": ".a@a.example", "address-with-a-dot-before-at": "a.@a.example",
        "address-with-two-at": "a@b@c.example", "address-with-a-hyphen-first": "a@-b.example",
        "address-with-a-hyphen-last": "a@b-.example", "address-with-an-underscore": "a@b_c.example",
        "address-with-a-quoted-local-part": '"a b"@c.example', "address-with-space": "a @b.example",
        "address-with-an-empty-quoted-local-part": '""@c.example',
        "address-with-quotes-escaped": r'"a\"; dkim=pass (b\\"@c.example',
        "address-with-a-quoted-local-part-that-forges": '"x; dkim=pass header.d=bank.example"@c.example',
        "address-with-a-space-escaped": r'"a\ b"@c.example', "address-with-spaces-quoted": '"  a  "@c.example',
        "address-with-quotes-not-closed": '"a@c.example', "address-with-quotes-closed-too-early": '"a"b@c.example',
        "address-with-a-backslash-last": '"a\\"@c.example', "address-quoted-with-two-at": '"a@b"@c.example',
        "address-quoted-of-one-label": '"a b"@localhost', "address-quoted-and-a-dot-at-the-end": '"a b"@c.example.',
        "address-quoted-and-more": '"a b"@c.example; dkim=pass', "address-quoted-without-domain": '"a b"@',
        "address-quoted-before-a-word": '"a".b@c.example', "address-quoted-after-a-word": 'a."b"@c.example',
        "address-like-a-property": "smtp.helo=a@b.example", "address-like-a-pair": "reason=a@b.example",
        "address-with-space-before-at": '"a b" @c.example', "address-of-digits": "1@2.3",
        "token-that-ends-with-a-dot": "a.", "dots": "...", "dot-first": ".a", "none": "none", "space": " ",
        "spaces-around": "  a  ", "tab": "a\tb", "quote": '"', "backslash": "\\", "backslash-last": "a\\",
        "quotes-and-backslashes": 'CN="a"\\b', "escaped-quote": '\\"; dkim=pass (', "semicolon": "a;b",
        "at-and-semicolon": "a@b; dkim=pass header.d=bank.example",
        "subject-that-forges": "CN=x; dkim=pass header.d=bank.example", "comma": "a,b", "slash": "a/b",
        "equals": "a=b", "colon": "2001:db8::1", "brackets": "[192.0.2.1]", "angle-brackets": "<>",
        "parentheses": "a(b)", "open-parenthesis": "(", "question-mark": "a?b", "instance": "i=1",
    }.items():
        case(f"pvalue-{name}", tls(text), (IDENTITIES if name.startswith("address") else PVALUE, FORGED))
        case(f"reason-{name}", [{"method": "dkim", "result": "fail", "reason": text}], (QUOTED, FORGED))
        case(f"authserv-id-{name}", {"authserv_id": text}, (ID, FORGED))
        case(f"comment-{name}", tls("x", comments=[text]), (CFWS, FORGED))
        case(f"header-comment-{name}", {"authserv_id": "x", "comments": [text]}, (CFWS, FORGED))
    case("token-that-ends-with-a-dot-before-an-address", [{"method": "spf", "result": "pass", "props": [
        ["smtp", "helo", "evil."], ["smtp", "mailfrom", "user@bank.example"]]}], (PVALUE, FORGED))
    case("comment-that-closes", tls("x", comments=["a) b.c=d ("]), (CFWS, FORGED))
    case("comment-balanced", tls("x", comments=["a (b (c)) d"]), (CFWS,))
    case("comment-with-quote-and-semicolon", tls("x", comments=['it"s; dkim=pass']), (CFWS, FORGED))


def refusals():
    texts = {"cr": "CN=x\r", "lf": "CN=x\nb", "crlf": "CN=x\r\nX-Inj: 1", "fold": "a\r\n b", "nul": "CN=a\0b",
             "bell": "a\x07", "escape": "\x1b[0m", "del": "\x7f"}
    for name, text in texts.items():
        case(f"pvalue-with-{name}", tls(text), (FORGED,))
        case(f"reason-with-{name}", [{"method": "dkim", "result": "fail", "reason": text}], (FORGED,))
        case(f"authserv-id-with-{name}", {"authserv_id": text}, (FORGED,))
        case(f"comment-with-{name}", tls("x", comments=["a", text]), (FORGED,))
        case(f"header-comment-with-{name}", {"authserv_id": "x", "comments": [text]}, (FORGED,))
    for name, text in {"next-line": "\x85", "c1": "é\x9b", "line-separator": "é\u2028",
                       "paragraph-separator": "\u2029"}.items():
        case(f"pvalue-with-{name}", tls(text), (FORGED,), mode="utf8")
    for name, text in {"empty": "", "hyphen-last": "ab-", "hyphen": "-", "underscore": "a_b", "dot": "a.b",
                       "equals": "a=b", "semicolon": "a;b", "space": "a b", "crlf": "a\r\nb", "nul": "\0",
                       "quote": '"a"', "u-umlaut": "aüb", "comment": "a(b)", "slash": "a/1"}.items():
        case(f"method-{name}", [{"method": text, "result": "pass"}], (KEYWORDS, FORGED))
        case(f"result-{name}", [{"method": "x", "result": "pass"}, {"method": "x", "result": text}], (KEYWORDS, FORGED))
        case(f"ptype-{name}", tls("x", props=[["a", "b", "c"], [text, "b", "c"]]), (KEYWORDS, FORGED))
        case(f"property-{name}", tls("x", props=[["a", text, "c"]]), (KEYWORDS, FORGED))
    for instance in (0, 51, 255):
        case(f"instance-{instance}", {"authserv_id": "x", "instance": instance}, (ARC,))


def keywords():
    case("keywords-in-lower-case", [{"method": "TLS", "result": "Pass", "props": [["CERT", "Client", "CN"]]}], (KEYWORDS,))
    case("keyword-hyphen-first", [{"method": "-a", "result": "-b", "props": [["-c", "-d", "e"]]}], (KEYWORDS,))
    case("keyword-digits", [{"method": "3des", "result": "1", "props": [["1", "2", "3"]]}], (KEYWORDS,))
    case("keyword-none-and-reason", [{"method": "none", "result": "none", "props": [["reason", "reason", "x"]]}], (KEYWORDS,))
    for version in (0, 1, 10, 4294967295):
        case(f"method-version-{version}", [{"method": "dkim", "method_version": version, "result": "pass"}], (WHOLE,))


def structure():
    case("no-results", {"authserv_id": "mx.example.org"}, (NONE,))
    case("version", {"authserv_id": "mx.example.org", "version": 1}, (VERSION,))
    case("version-and-comments", {"authserv_id": "mx.example.org", "version": 1, "comments": ["a", "", "b c"]}, (VERSION, CFWS))
    for instance in (1, 9, 50):
        model = {"authserv_id": "mx.example.org", "instance": instance, "results": tls("x")}
        case(f"arc-instance-{instance}", model, (ARC,))
    case("arc-no-results", {"authserv_id": "mx.example.org", "instance": 2, "version": 1}, (ARC,))
    case("everything", {"authserv_id": "my server", "version": 1, "comments": ["head"], "instance": 3, "results": [
        {"method": "dkim", "method_version": 1, "result": "fail", "reason": "bad; signature",
         "comments": ["a", "b"], "props": [["header", "d", "a.example"], ["header", "d", "a.example"]]},
        {"method": "spf", "result": "none"}]}, (ARC,))
    draft = [{"method": "dkim", "result": "pass", "comments": ["good signature"],
              "props": [["header", "d", "newyork.example.com"], ["header", "b", "oINEO8hg"]]},
             {"method": "tls", "result": "pass", "comments": ["verified, expires 20140505"], "props": [
                 ["cert", "client", "CN=smtp.example.com,O=ACME,L=ToonTown, ST=CA,C=US"],
                 ["cert", "clientalt", "DNS:smtp.example.com, DNS:newyork.example.com"],
                 ["cert", "clientissuer", "C=US, O=AcmeCert Inc, CN=AcmeCert CA"],
                 ["cert", "verif", "CA"], ["tls", "v", "TLS1.3"], ["key", "ciphersuite", "TLS_AES_128_GCM_SHA256"],
                 ["key", "fingerprint", "68:B3:29:DA:98:93:E3:40:99:C7:D8:AD:5C:B9:C9:40"],
                 ["key", "length", "128"], ["key", "strength", "medium"]]}]
    model = {"authserv_id": "mail-router.example.net", "results": draft}
    requirements = (WHOLE,)
    case("draft-example", model, requirements)
    case("draft-example-with-spaces", model, requirements, indent="space")
    case("draft-example-in-as-few-lines", model, requirements, result_per_line=False)
    case("draft-example-in-one-line", model, requirements, soft=100000, hard=100000, result_per_line=False)
    case("draft-example-in-narrow-lines", model, requirements, soft=20)
    case("draft-example-arc", {**model, "instance": 1}, (ARC,))
    case("two-results-in-one-line", [{"method": "spf", "result": "pass"}, {"method": "dkim", "result": "none"}],
         (WHOLE,), result_per_line=False)


def utf8():
    for name, text in {"word": "花木蘭", "domain": "é.example", "address": "用户@例子.example",
                       "after-ascii": "CN=é", "spaces": "é  é é", "local-part": "Pelé@a.example",
                       "u-label": "a@bücher.example", "u-label-without-local-part": "@bücher.example",
                       "capital-u-label": "a@BÜCHER.example", "devanagari": "अ@हिन्दी.भारत", "thai": "ก@น้ำ.ไทย",
                       "combining": "e\u0301@e\u0301.example", "quoted-local-part": '"Pelé é"@bücher.example',
                       "quoted-local-part-that-forges": '"é; dkim=pass"@bücher.example',
                       "local-part-with-an-emoji": "\U0001f600@a.example", "label-that-is-an-emoji": "a@\U0001f600.example",
                       "address-of-one-label": "é@bücher", "address-with-two-dots": "é..é@a.example",
                       "address-with-a-hyphen-last": "é@bü-.example", "no-break-space": "a\xa0b@c.example",
                       "ideographic-space": "a@b\u3000c.example", "line-space": "é\u2003dkim=pass@c.example",
                       "ideographic-full-stop": "a@b\u3002example", "full-width-semicolon": "é\uff1bx=y@a.example",
                       "full-width-at": "é\uff20a.example", "right-to-left-override": "a\u202eb@c.example",
                       "zero-width-space": "a\u200bb@c.example", "hangul-filler": "a\u3164b@c.example",
                       "tag": "a\U000e0041b@c.example", "full-stop-last": "é@a.example.",
                       "token-that-ends-with-a-dot": "é.", "atoms-and-u-label": "a+b=c/d@é.example"}.items():
        for mode in ("ascii", "utf8"):
            case(f"pvalue-{name}-in-{mode}", tls(text), (UTF8, IDENTITIES), mode=mode)
            case(f"reason-{name}-in-{mode}", [{"method": "a", "result": "b", "reason": text}], (UTF8,), mode=mode)
            case(f"authserv-id-{name}-in-{mode}", {"authserv_id": text}, (UTF8,), mode=mode)
            case(f"comment-{name}-in-{mode}", tls("x", comments=["a", text]), (UTF8,), mode=mode)
            case(f"header-comment-{name}-in-{mode}", {"authserv_id": "x", "comments": [text]}, (UTF8,), mode=mode)
    case("octets-are-counted", tls("é" * 20 + " " + "é" * 20 + " x"), (UTF8, LINES), mode="utf8")


def identities():
    """The identities that servers report, by the properties that readers know."""
    for name, text in {"quoted": '"a b"@a.example', "quoted-that-forges": '"x; dkim=pass"@a.example', "local-part": "Pelé@a.example",
                       "u-label": "a@bücher.example", "both": '"Pelé b"@bücher.example', "dot-atom": "a.b+c=d@a.example",
                       "domain": "bücher.example", "at-domain": "@bücher.example"}.items():
        results = [{"method": "spf", "result": "pass", "props": [["smtp", "mailfrom", text], ["smtp", "helo", "h.example"]]},
                   {"method": "dkim", "result": "fail", "props": [["header", "i", text]]}]
        case(f"identity-{name}", results, (IDENTITIES, FORGED), mode="utf8")


def folding():
    # Around the soft limit: value, and value with `;` after it.
    for length in range(60, 66):
        text = "x" * length
        case(f"soft-limit-token-{length}", tls(text), (LINES,))
        case(f"soft-limit-token-{length}-before-a-result", tls(text) + [{"method": "a", "result": "b"}], (LINES,))
        case(f"soft-limit-quoted-{length}", tls(text[:-4] + ", =y"), (LINES,))
        case(f"soft-limit-quoted-{length}-before-a-result", tls(text[:-4] + ", =y") + tls("a"), (LINES,))
        case(f"soft-limit-comment-{length}", [{"method": "tls", "result": "pass", "comments": [text]}], (LINES,))
        case(f"soft-limit-second-{length}", tls("a", props=[["a", "b", "c"], ["d", "e", "y" * (length - 2)]]), (LINES,))
    for length in range(50, 56):
        case(f"soft-limit-authserv-id-{length}", {"authserv_id": "x" * length}, (LINES,))
        case(f"soft-limit-authserv-id-{length}-version", {"authserv_id": "x" * (length - 2), "version": 1}, (LINES,))
        arc = {"authserv_id": "x" * (length - 9), "instance": 1}
        case(f"soft-limit-arc-authserv-id-{length - 9}", arc, (LINES,))
    words = "word " * 40
    for name, text in {
        "words": words.strip(), "space-first": " " + words.strip(), "space-last": words, "two-spaces":
        "L=A,  ST=B,  C=D,  O=" + "  ".join(["E"] * 60), "tabs": words.strip().replace(" ", "\t"),
        "space-and-tab": words.replace(" ", " \t"), "escapes": 'a "b" \\c ' * 20, "parentheses": "a (b) c" * 20,
        "long-word": "a " + "b" * 100 + " c", "long-word-first": "b" * 100 + " c d", "spaces": " " * 100,
        "long-run-of-spaces": "a" + " " * 100 + "b c d",
        "quoted-local-part": '"' + words + '"@b.example', "quoted-local-part-escapes": '"' + r'a \\ b\" c' * 20 + '"@b.example',
        "quoted-local-part-space-escaped": '"' + "ab" * 30 + r"\ " + "c" * 10 + r" \  d \ " + '"@b.example',
        "quoted-local-part-space-after-an-escaped-one": '"' + "a" * 70 + r"\  b c" + '"@d.example',
        "quoted-local-part-long": '"' + "b" * 100 + '"@c.example',
        "quoted-local-part-spaces": '"' + " " * 100 + '"@c.example',
    }.items():
        case(f"fold-pvalue-{name}", tls(text), (LINES,))
        case(f"fold-pvalue-{name}-before-a-result", tls(text) + tls(text), (LINES,))
        case(f"fold-reason-{name}", [{"method": "a", "result": "b", "reason": text}], (LINES,))
        case(f"fold-comment-{name}", tls("x", comments=[text, text]), (LINES,))
        case(f"fold-authserv-id-{name}", {"authserv_id": text, "version": 1}, (LINES,))
        case(f"fold-header-comment-{name}", {"authserv_id": "x", "comments": [text]}, (LINES,))
        case(f"fold-as-few-lines-{name}", tls(text, comments=[text]) + tls(text), (LINES,), result_per_line=False)
    for length in range(34, 41):
        two = [{"method": "a", "result": "x" * length}, {"method": "b", "result": "y" * length}]
        case(f"as-few-lines-{length}", two, (LINES,), result_per_line=False)
    case("first-line-is-the-callers", {"authserv_id": "x", "comments": ["a b c"]}, (LINES,), first_line=70)
    case("first-line-is-nothing", {"authserv_id": "x" * 70, "version": 1}, (LINES,), first_line=0)


def hard_limit():
    # The limits of RFC 5322, then all around narrower ones.
    for length in (988, 989, 990, 996, 997, 998):
        text = "x" * length
        case(f"hard-limit-token-{length}", tls(text), (LINES,))
    for length in (973, 974, 975):
        case(f"hard-limit-authserv-id-{length}", {"authserv_id": "x" * length}, (LINES,))
    case("hard-limit-run-of-spaces", tls("a" + " " * 1000 + "b"), (LINES,))
    narrow = {"soft": 58, "hard": 98}
    for length in (*range(81, 90), *range(93, 100)):
        text = "x" * length
        for name, pvalue in {"token": text, "quoted": text[:-1] + ",", "first-word": text[:-1] + ", b",
                             "second-word": "a " + text[:-1] + ",", "escaped": text[:-2] + '"',
                             "address": text[:-10] + "@b.example",
                             "address-like-a-property": "a.b=" + text[:-14] + "@b.example",
                             "address-like-a-pair": "helo=" + text[:-15] + "@b.example",
                             "address-unlike-a-property": "a_b=" + text[:-14] + "@b.example",
                             "quoted-local-part": '"' + text[:-12] + '"@b.example',
                             "quoted-local-part-of-two": '"a ' + text[:-14] + '"@b.example',
                             }.items():
            case(f"narrow-{name}-{length}", tls(pvalue), (LINES,), **narrow)
            case(f"narrow-{name}-{length}-before-a-result", tls(pvalue) + tls("a"), (LINES,), **narrow)
        case(f"narrow-comment-{length}", tls("x", comments=["a", text]), (LINES,), **narrow)
        case(f"narrow-reason-{length}", [{"method": "a", "result": "b", "reason": text}], (LINES,), **narrow)
        case(f"narrow-method-{length}", [{"method": text, "result": "r"}], (LINES,), **narrow)
        case(f"narrow-property-{length}", tls("a", props=[["a", text, "c"]]), (LINES,), **narrow)
    for length in range(72, 76):
        case(f"narrow-authserv-id-{length}", {"authserv_id": "x" * length}, (LINES,), **narrow)
    for length in (69, 70, 96, 97):
        case(f"narrow-arc-authserv-id-{length}", {"authserv_id": "x" * length, "instance": 1}, (LINES,), **narrow)
    case("hard-limit-in-the-second-comment", tls("a", comments=["b", "c " + "d" * 1000]), (LINES,))
    case("hard-limit-narrow", tls("CN=x, O=y", comments=["a b"]), (LINES,), soft=10, hard=39)
    case("hard-limit-too-narrow", tls("CN=x, O=y", comments=["a b"]), (LINES,), soft=10, hard=16)
    case("hard-limit-below-soft-limit", tls("CN=x, O=y", comments=["a b"]), (LINES,), soft=100, hard=41)


if __name__ == "__main__":
    for part in (forms, refusals, keywords, structure, utf8, identities, folding, hard_limit):
        part()
    main(__doc__, SuiteFile("authres-tls/write", SOURCE, CASES))
