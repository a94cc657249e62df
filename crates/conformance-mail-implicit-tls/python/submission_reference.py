"""A second implementation of the gateway for Submission, from RFC 5321, 3030, 4954 and 2034, and sections 6, 7.3 and 9 of
the draft: the dialogue as one procedure that reads from both sides in turn, where the crate has a table of states."""

import base64
import binascii
import re

MOST_COMMAND, MOST_AUTH, MOST_REPLY, MOST_LINES, MOST_OWN = 2048, 12288, 2048, 128, 20
SUITE, SESSION = "TLS_AES_128_GCM_SHA256", "0" * 30 + "ab"
INTERNAL = {"XCLIENT", "XFORWARD", "ATRN", "TURN", "XEXCH50", "XPROXY", "XPROXYFROM", "XPROXYTO", "XSESSIONPARAMS"}
PLAIN = {"NOOP", "VRFY", "EXPN", "HELP", "ETRN", "MAIL", "RCPT", "DATA", "RSET", "QUIT", "EHLO", "HELO"}
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
TAG = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
CIPHER = r"0x[0-9A-Fa-f]{4}|[A-Za-z][A-Za-z0-9_]*"


class Broken(Exception):
    """The session ends because of one of the sides."""


class Over(Exception):
    """The session ends by the protocol's own means."""


class Gateway:
    def __init__(self, address="proxy", received=False, deep=None, identity=None, external="unavailable", upgraded=False):
        self.address, self.received, self.deep, self.upgraded = address, received, deep, upgraded
        self.identity = identity if external != "unavailable" else None
        self.external = external
        self.from_client = self.from_backend = b""
        self.for_client, self.for_backend = b"", b""
        self.lines, self.events, self.end = [], [], "open"
        self.keywords, self.logged_in, self.own, self.name = set(), False, 0, ""
        self.sender = self.recipient = self.begun = self.utf8 = self.in_message = False
        self.running = self.session()
        next(self.running)

    def feed(self, side, octets):
        """Takes octets, and returns those for client and backend."""
        if self.end == "open":
            if side == "client":
                self.from_client += octets
            else:
                self.from_backend += octets
            self.resume(lambda: next(self.running))
        sent = self.for_client, self.for_backend
        self.for_client = self.for_backend = b""
        return sent

    def resume(self, run):
        try:
            run()
        except Over:
            self.close("over")
        except Broken as broken:
            side, kind = broken.args
            if side == "client":
                self.events.append(["refused", "syntax"])
                if self.in_message:
                    self.say(550, "5.5.2", "CR LF expected, without NUL")
                elif kind == "too-long":
                    self.say(500, "5.5.6", "Line too long")
                elif kind == "octet":
                    self.say(500, "5.5.2", "Octet not permitted")
                else:
                    self.say(501, "5.5.4", "Syntax error in parameters")
            elif not self.logged_in:
                self.say(421, "4.3.0", "Service not available")
            self.close([side, kind])

    def close(self, end):
        self.end = end
        self.events.append("closed")

    def failed(self):
        """The backend is not available."""
        if self.end == "open":
            if not self.logged_in:
                self.say(421, "4.3.2", "service is temporarily unavailable, try again later")
            self.close("over")
        sent, self.for_client = self.for_client, b""
        return sent, b""

    def say(self, code, enhanced, text):
        codes = f"{code} {enhanced}" if "ENHANCEDSTATUSCODES" in self.keywords else str(code)
        self.for_client += f"{codes} {text}\r\n".encode()

    def answer(self, code, enhanced, text):
        self.own += 1
        if self.own > MOST_OWN:
            self.say(421, "4.7.0", "Too many errors")
            raise Over
        self.say(code, enhanced, text)

    def refuse(self, refusal, *reply):
        self.events.append(["refused", refusal])
        self.answer(*reply)

    def unavailable(self, refusal="command"):
        self.refuse(refusal, 504, "5.5.4", "Mechanism not available")

    def syntax(self):
        self.refuse("syntax", 501, "5.5.4", "Syntax error in parameters")

    # The backend

    def complete_reply(self):
        """A reply, if it is there: its code, the texts of its lines, and its octets."""
        while True:
            end = self.from_backend.find(b"\n")
            line = self.from_backend if end < 0 else self.from_backend[: end + 1]
            if len(line) > MOST_REPLY:
                raise Broken("backend", "too-long")
            text = line.removesuffix(b"\r\n") if end >= 0 else line.removesuffix(b"\r")
            if re.search(rb"[\0\r\n]", text):
                raise Broken("backend", "octet")
            if end < 0:
                return None
            self.from_backend = self.from_backend[end + 1 :]
            if not re.match(rb"[2-5][0-5][0-9](?:[ -]|$)", text):
                raise Broken("backend", "unexpected")
            if self.lines and self.lines[0][:3] != text[:3]:
                raise Broken("backend", "syntax")
            if len(self.lines) >= MOST_LINES:
                raise Broken("backend", "too-long")
            self.lines.append(text)
            if text[3:4] != b"-":
                lines, self.lines = self.lines, []
                return int(text[:3]), [it[4:] for it in lines], b"".join(it + b"\r\n" for it in lines)

    def reply(self, permitted, of_client=True):
        """Waits for the reply to a command. It is not forwarded; the end of the service is, unless the command is the gateway's own."""
        while (reply := self.complete_reply()) is None:
            yield
        if reply[0] == 421 and of_client:
            self.for_client += reply[2]
            raise Over
        if not permitted(reply[0]):
            raise Broken("backend", "unexpected")
        return reply

    def idle(self):
        """Nothing but the end is expected of the backend."""
        if reply := self.complete_reply():
            if reply[0] != 421:
                raise Broken("backend", "unexpected")
            self.for_client += reply[2]
            raise Over

    def forwarded(self, line, permitted=lambda code: not 300 <= code < 400):
        self.for_backend += line + b"\r\n"
        reply = yield from self.reply(permitted)
        self.for_client += reply[2]
        return reply[0]

    # The client

    def line(self):
        while True:
            self.idle()
            end = self.from_client.find(b"\n")
            if end >= 0:
                break
            if b"\0" in self.from_client or b"\r" in self.from_client[:-1]:
                raise Broken("client", "octet")
            if len(self.from_client) > MOST_AUTH + 1:
                raise Broken("client", "too-long")
            yield
        line, self.from_client = self.from_client[: end + 1], self.from_client[end + 1 :]
        text = line.removesuffix(b"\r\n")
        if re.search(rb"[\0\r\n]", text):
            raise Broken("client", "octet")
        if len(text) > MOST_AUTH:
            raise Broken("client", "too-long")
        return text

    def session(self):
        yield
        while (reply := self.complete_reply()) is None:
            yield
        code, _, octets = reply
        if code >= 400:
            self.for_client += octets
            raise Over
        if code != 220:
            raise Broken("backend", "unexpected")
        if self.address == "xclient":
            octets = yield from self.introduce()
        if not self.upgraded:
            self.for_client += octets
        while True:
            line = yield from self.line()
            yield from self.command(line)

    def introduce(self):
        self.for_backend += b"EHLO gw.example.org\r\n"
        _, texts, _ = yield from self.reply(lambda code: code == 250, of_client=False)
        offered = [it.decode("latin-1").upper().split() for it in texts[1:]]
        offered = next((it[1:] for it in offered if it[:1] == ["XCLIENT"]), [])
        if "ADDR" not in offered:
            raise Broken("backend", "unexpected")
        values = {"NAME": "[UNAVAILABLE]", "ADDR": "192.0.2.7", "PORT": "51234", "PROTO": "ESMTP", "DESTADDR": "192.0.2.1",
                  "DESTPORT": "465", "SESSION": SESSION, "CLIENT-TRANSPORT": "TLS"}  # fmt: skip
        given = "".join(f" {key}={value}" for key, value in values.items() if key in offered)
        self.for_backend += f"XCLIENT{given}\r\n".encode()
        _, _, octets = yield from self.reply(lambda code: code == 220)
        return octets

    def command(self, line):
        verb, _, rest = line.partition(b" ")
        verb = verb.decode("latin-1").upper() if verb.isascii() else ""
        if not line.isascii():
            if not self.logged_in:
                raise Broken("client", "octet")
            if "SMTPUTF8" not in self.keywords or verb not in ("MAIL", "RCPT", "VRFY", "EXPN"):
                return self.syntax()
        if len(line) > MOST_COMMAND - 2 and verb != "AUTH":
            raise Broken("client", "too-long")
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return self.syntax()
        if re.search("[\0-\x1f\x7f-\x9f]", text):
            return self.syntax()
        client = re.match(r"([^A-Za-z0-9]*)client(?![A-Za-z0-9._-])(.?)", text, re.I)
        if client:
            if client[1] or client[2] not in ("", " "):
                return self.syntax()
            return self.report(text.rstrip(" "))
        if verb == "AUTH":
            yield from self.auth(line, rest.decode())
        elif verb == "BDAT":
            yield from self.bdat(rest.decode())
        elif verb == "BURL" and "BURL" in self.keywords:
            code = yield from self.forwarded(line)
            self.after_chunk(code, "LAST" in rest.decode().upper().split(" "))
        elif verb == "STARTTLS":
            self.refuse("command", 503, "5.5.1", "TLS is active")
        elif verb in INTERNAL:
            self.refuse("command", 502, "5.5.1", "Command not available")
        elif verb in PLAIN:
            yield from getattr(self, verb.lower(), self.other)(line, rest.decode())
        else:
            self.refuse("command", 500, "5.5.1", "Command not recognized")

    def other(self, line, rest):
        yield from self.forwarded(line)

    def no_transaction(self):
        self.sender = self.recipient = self.begun = self.utf8 = False

    def ehlo(self, line, rest):
        self.name = rest.rstrip()
        self.for_backend += line + b"\r\n"
        code, texts, octets = yield from self.reply(lambda code: not 300 <= code < 400)
        if code == 250:
            texts = [texts[0], *filter(None.__ne__, map(self.extension, texts[1:]))] + [it.encode() for it in [self.deep] if it]
            self.keywords = {re.split(rb"[ \t]", it)[0].decode("latin-1").upper() for it in texts[1:]}
            is_bare = octets.endswith(b"250\r\n") and not texts[-1]
            *before, last = texts
            octets = b"".join(b"250-" + it + b"\r\n" for it in before) + (b"250" if is_bare else b"250 ") + last + b"\r\n"
        if 200 <= code < 300:
            self.no_transaction()
        self.for_client += octets

    def extension(self, text):
        text = text.lstrip()
        word = re.split(rb"[ \t]", text)[0].decode("latin-1").upper()
        if word == "STARTTLS" or word in INTERNAL or word == "DEEP" and self.deep or word == "BURL" and self.received:
            return None
        old = word.startswith("AUTH=")
        if word != "AUTH" and not old:
            return text
        offered = [it.decode("latin-1") for it in re.split(rb"[ \t]+", text[5:]) if it]
        kept = [it for it in offered if it.upper() != "EXTERNAL" and not it.upper().endswith("-PLUS")]
        needed = {"external": "EXTERNAL", "plain": "PLAIN"}.get(self.external)
        if self.identity is not None and needed in [it.upper() for it in offered]:
            kept.append("EXTERNAL")
        if kept == offered:
            return text
        begin = text[:5] if old else b"AUTH "
        return begin + " ".join(kept).encode("latin-1") if kept else None

    def helo(self, line, rest):
        self.name = rest.rstrip()
        code = yield from self.forwarded(line)
        if 200 <= code < 300:
            self.no_transaction()
            self.keywords = set()

    def mail(self, line, rest):
        code = yield from self.forwarded(line)
        if 200 <= code < 300:
            self.no_transaction()
            self.sender, self.utf8 = True, "SMTPUTF8" in rest.upper().split(" ")

    def rcpt(self, line, rest):
        code = yield from self.forwarded(line)
        if 200 <= code < 300:
            self.recipient = self.sender

    def rset(self, line, rest):
        code = yield from self.forwarded(line)
        if 200 <= code < 300:
            self.no_transaction()

    def quit(self, line, rest):
        yield from self.forwarded(line)
        raise Over

    # Messages

    def field(self):
        if not self.received:
            return b""
        name = self.name if re.fullmatch(r"[A-Za-z0-9._-]{1,255}|\[[A-Za-z0-9:.-]{1,253}\]", self.name) else "unknown"
        protocol = ("UTF8SMTPS" if self.utf8 else "ESMTPS") + "A" * self.logged_in
        field = (
            f"Received: from {name} ([192.0.2.7])\r\n\tby gw.example.org with {protocol} id {SESSION}\r\n"
            f"\ttls {SUITE} group x25519;\r\n\tTue, 1 Jul 2014 10:00:00 +0000\r\n"
        )
        return field.encode()

    def data(self, line, rest):
        code = yield from self.forwarded(line, lambda code: code == 354 or code >= 400)
        if code != 354:
            return
        self.for_backend += self.field()
        self.in_message, begin = True, b""
        while True:
            self.idle()
            # A line, or a part of one that has no line end.
            part = re.match(rb"([^\0\r\n]*)(\r\n)?", self.from_client)
            self.from_client = self.from_client[part.end() :]
            self.for_backend += part[0]
            if part[2]:
                if begin + part[1] == b".":
                    break
                begin = b""
            else:
                begin += part[1]
                if self.from_client not in (b"", b"\r"):
                    raise Broken("client", "octet")
                yield
        self.in_message = False
        reply = yield from self.reply(lambda code: not 300 <= code < 400)
        self.for_client += reply[2]
        self.no_transaction()

    def bdat(self, rest):
        arguments = re.fullmatch("([0-9]+)( LAST)? *", rest, re.I)
        if not arguments or int(arguments[1]) >= 2**31:
            raise Broken("client", "syntax")
        left, last = int(arguments[1]), bool(arguments[2])
        if not ("CHUNKING" in self.keywords and self.sender and self.recipient):
            chunking = "CHUNKING" in self.keywords
            yield from self.octets(left, lambda part: None)
            if chunking:
                self.refuse("command", 503, "5.5.1", "MAIL and RCPT expected first")
            else:
                self.refuse("command", 502, "5.5.1", "Command not available")
            return
        field = b"" if self.begun else self.field()
        if left + len(field) >= 2**31:
            raise Broken("client", "too-long")
        self.for_backend += f"BDAT {left + len(field)}{' LAST' * last}\r\n".encode() + field

        def forward(part):
            self.for_backend += part

        early = yield from self.octets(left, forward, can_reply=True)
        if early is None:
            early, _, octets = yield from self.reply(lambda code: not 300 <= code < 400)
            self.for_client += octets
        self.after_chunk(early, last)

    def octets(self, left, take, can_reply=False):
        """Counts octets. Returns the code of a reply that came before their end."""
        code = None
        while True:
            if code is None and can_reply:
                if reply := self.complete_reply():
                    code = reply[0]
                    if 300 <= code < 400:
                        raise Broken("backend", "unexpected")
                    self.for_client += reply[2]
                    if code == 421:
                        raise Over
            else:
                self.idle()
            part, self.from_client = self.from_client[:left], self.from_client[left:]
            take(part)
            left -= len(part)
            if not left:
                return code
            yield

    def after_chunk(self, code, last):
        if 200 <= code < 300 and not last:
            self.begun = True
        else:
            self.no_transaction()

    # AUTH

    def auth(self, line, rest):
        words = rest.rstrip(" ").split(" ")
        initial = words[1] if len(words) > 1 else None
        fits = initial is None or initial == "=" or initial and BASE64.fullmatch(initial.encode())
        if len(words) > 2 or not fits or not re.fullmatch("[A-Za-z0-9_-]{1,20}", words[0]):
            return self.syntax()
        mechanism = words[0].upper()
        if mechanism.endswith("-PLUS"):
            return self.unavailable()
        if mechanism == "EXTERNAL":
            if self.identity is None:
                return self.unavailable("external")
            if initial is None:
                self.for_client += b"334 \r\n"
                initial = (yield from self.line()).decode("latin-1")
            return (yield from self.certified(initial))
        code = yield from self.forwarded(line, lambda code: code in (235, 334) or code >= 400)
        while code == 334:
            response = yield from self.line()
            if response in (b"*", b"=") or BASE64.fullmatch(response):
                code = yield from self.forwarded(response, lambda code: code in (235, 334) or code >= 400)
            else:
                self.events.append(["refused", "syntax"])
                code = yield from self.forwarded(b"*", lambda code: code >= 400)
        self.outcome(code, mechanism)

    def outcome(self, code, mechanism):
        if code == 235:
            self.logged_in = True
            self.events.append(["logged-in", mechanism])
        elif code not in (500, 502, 503, 504, 530) and code >= 501:
            self.events.append(["login-failed", mechanism])

    def certified(self, response):
        try:
            decoded = b"" if response == "=" else base64.b64decode(response, validate=True)
            permitted = decoded in (b"", self.identity.encode())
            reply = None if permitted else (535, "5.7.8", "Authentication failed")
        except (binascii.Error, ValueError):
            reply = (501, "5.5.2", "Base64 expected")
        if response == "*":
            reply = (501, "5.7.0", "Cancelled")
        if reply:
            self.events.append(["login-failed", "EXTERNAL"])
            return self.refuse("external", *reply)
        message = self.identity if self.external == "external" else f"{self.identity}\0master\0secret"
        name = self.external.upper()
        self.for_backend += f"AUTH {name} {base64.b64encode(message.encode()).decode()}\r\n".encode()
        code, _, octets = yield from self.reply(lambda code: code in (235, 334) or code >= 400)
        if code == 334:
            code = yield from self.forwarded(b"*", lambda code: code >= 400)
        else:
            self.for_client += octets
        self.outcome(code, "EXTERNAL")

    # CLIENT, section 7.3

    def report(self, text):
        if "DEEP" not in self.keywords:
            return self.refuse("command", 500, "5.5.1", "Command not recognized")
        found = {}
        for part in text.split(" ")[1:]:
            match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?", part)
            if not match or match[1].lower() in found:
                return self.syntax()
            found[match[1].lower()] = match[2]
        tags = rf"{TAG}(?:,{TAG})*"
        rules = {"name": ".*", "version": ".*", "latch": tags, "latch-fail": tags, "latch-failure": tags, "security-tags": tags, "tls": CIPHER}
        values = {key: found[key] for key in rules if key in found}
        if not found or any(value is None or not re.fullmatch(rules[key], value) for key, value in values.items()):
            return self.syntax()
        fails = {values[key] for key in ("latch-fail", "latch-failure") if key in values}
        if len(fails) > 1:
            return self.syntax()
        if "tls" in values:
            self.events.append(["refused", "forged"])

        def listed(value):
            return value.split(",") if value else []

        self.events.append(["report", {
            "name": values.get("name"), "version": values.get("version"), "latch": listed(values.get("latch")),
            "latch_fail": listed(fails.pop() if fails else None), "security_tags": listed(values.get("security-tags")), "tls": SUITE,
        }])  # fmt: skip
        self.answer(250, "2.0.0", "OK")


def play(script, **options):
    """`script` has turns of a side and its octets, each as a character of U+0000 to U+00FF."""
    gateway, turns = Gateway(**options), []
    for side, text in script:
        sent = gateway.failed() if side == "failed" else gateway.feed(side, text.encode("latin-1"))
        turns.append([it.decode("latin-1") for it in sent])
    return {"turns": turns, "events": gateway.events, "end": gateway.end}
