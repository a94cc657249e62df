"""A second implementation of the gateway for POP, from RFC 1939, 2449, 5034 and 6856, sections 7.2 and 9.2 of the draft, and
docs/vectors.md."""

import re

from gateway_reference import SESSION, STATUS, Broken, Gateway, Over, play

# Whether the commands before login have arguments.
COMMANDS = {"CAPA": False, "QUIT": False, "UTF8": False, "LANG": None, "USER": True, "PASS": True, "APOP": True, "AUTH": None}
MOST_LINE, MOST_COMMAND, MOST_REPLY, MOST_LISTED, MOST_REFUSALS = 12352, 4096, 8192, 256, 20
REMOVED = {"STLS", "XCLIENT"}


class Pop(Gateway):
    def say(self, text):
        self.for_client += text.encode() + b"\r\n"

    def say_unavailable(self, text):
        if not self.is_listing:
            self.say(f"-ERR [SYS/TEMP] {text}")

    def refuse(self, refusal, text):
        self.say(text)
        self.refused(refusal)
        self.refusals += 1
        if self.refusals > MOST_REFUSALS:
            raise Broken("client", "too-long", "command", 0)

    def say_broken(self, side, kind, field, offset):
        self.say("-ERR not a command")

    def session(self):
        self.is_listing, self.refusals = False, 0
        reply = yield from self.reply()
        if not self.upgraded or not reply.startswith(b"+"):
            self.for_client += reply + b"\r\n"
        if reply.startswith(b"-"):
            raise Over
        if self.address == "xclient":
            self.for_backend += f"XCLIENT ADDR=192.0.2.7 PORT=51234 SESSION={SESSION}\r\n".encode()
            if not (yield from self.reply()).startswith(b"+"):
                raise Broken("backend", "unexpected", "response", 0)
        while not (yield from self.command((yield from self.asked()))):
            pass

    # The backend

    def reply_line(self):
        return self.line("backend", "response", MOST_REPLY)

    def reply(self, continues=False):
        while (line := self.reply_line()) is None:
            yield
        if not re.match(rb"(\+OK|-ERR)( |$)" + rb"|\+( |$)" * continues, line):
            raise Broken("backend", "unexpected", "response", 0)
        return line

    def forwarded(self, line):
        self.for_backend += line + b"\r\n"
        reply = yield from self.reply()
        self.for_client += reply + b"\r\n"
        return reply.startswith(b"+OK")

    def listed(self):
        self.is_listing, found = True, []
        while True:
            while (line := self.reply_line()) is None:
                yield
            if line == b".":
                self.is_listing = False
                return found
            if len(found) == MOST_LISTED:
                raise Broken("backend", "too-long", "response", 0)
            found.append(line)

    # The client

    def asked(self, is_response=False):
        """The client's next line. The backend may leave meanwhile, or end the exchange of which this is a response: `None`."""
        while (line := self.line("client", "command", MOST_LINE)) is None:
            if (line := self.reply_line()) is not None:
                if not re.match(rb"-ERR( |$)", line):
                    raise Broken("backend", "unexpected", "response", 0)
                if is_response:
                    self.ended_by = line
                    return None
                self.for_client += line + b"\r\n"
                raise Over
            yield
        return line

    def command(self, line):
        """Returns whether the session becomes a pipe."""
        self.check(line)
        verb, space, rest = line.partition(b" ")
        verb = verb.decode("latin-1").upper()
        if verb != "AUTH" and len(line) + 2 > MOST_COMMAND:
            self.refuse("syntax", "-ERR line too long")
            return False
        if verb not in COMMANDS:
            self.refuse("command", "-ERR not available before login")
            return False
        if verb == "AUTH" and space:
            return (yield from self.auth(line, rest))
        if COMMANDS[verb] not in (None, bool(space)):
            self.refuse("syntax", "-ERR wrong arguments")
            return False
        return (yield from getattr(self, verb.lower(), self.other)(line))

    def other(self, line):
        yield from self.forwarded(line)

    def quit(self, line):
        yield from self.forwarded(line)
        raise Over

    def user(self, line):
        self.for_backend += line + b"\r\n"
        reply = yield from self.reply()
        if reply.startswith(b"-"):
            return self.outcome(reply, "password")
        self.for_client += reply + b"\r\n"

    def pass_(self, line, name="password"):
        self.for_backend += line + b"\r\n"
        return self.outcome((yield from self.reply()), name)

    def apop(self, line):
        return (yield from self.pass_(line, "apop"))

    def lang(self, line):
        if (yield from self.forwarded(line)) and line[4:].strip() == b"":
            self.list_ends((yield from self.listed()))

    def list_ends(self, lines):
        self.for_client += b"".join(it + b"\r\n" for it in [*lines, b"."])

    def capa(self, line):
        self.for_backend += line + b"\r\n"
        reply = yield from self.reply()
        own = [f"DEEP {STATUS}".encode()] if self.advertises else []
        offers = [b"EXTERNAL"] if self.identity is not None else []
        if reply.startswith(b"-"):
            if not own:
                self.for_client += reply + b"\r\n"
                return
            self.say("+OK capabilities of the gateway")
            return self.list_ends([b"USER", *[b"SASL EXTERNAL" for _ in offers], *own])
        self.for_client += reply + b"\r\n"
        lines, has_sasl = [], False
        for text in (yield from self.listed()):
            name, *words = text.split()
            name = name.decode("latin-1").upper()
            if name in REMOVED or name == "DEEP" and self.advertises:
                continue
            if name == "SASL":
                kept = self.mechanisms(words) + offers
                has_sasl = True
                if kept:
                    lines.append(b" ".join([b"SASL", *kept]))
            else:
                lines.append(text)
        if offers and not has_sasl:
            lines.append(b"SASL EXTERNAL")
        self.list_ends([*lines, *own])

    def mechanisms(self, words):
        return [it for it in words if it.upper() != b"EXTERNAL" and not it.upper().endswith(b"-PLUS")]

    # AUTH

    def auth(self, line, rest=None):
        if rest is None:
            if (yield from self.forwarded(line)):
                kept = self.mechanisms((yield from self.listed()))
                self.list_ends(kept + [b"EXTERNAL"] * (self.identity is not None))
            return False
        found = self.mechanism(rest.split(b" "))
        if found is None:
            self.refuse("syntax", "-ERR mechanism and base64 expected")
            return False
        name, initial = found[0].upper(), found[1]
        if name.endswith("-PLUS"):
            self.refuse("command", "-ERR mechanism is not available through this gateway")
            return False
        if name == "EXTERNAL":
            return (yield from self.with_certificate(initial))
        self.for_backend += line + b"\r\n"
        is_cancelled = False
        while (reply := (yield from self.reply(continues=not is_cancelled)))[:3] not in (b"+OK", b"-ER"):
            self.for_client += reply + b"\r\n"
            line = yield from self.asked(is_response=True)
            if line is None:
                return self.outcome(self.ended_by, name)
            response = self.response_line(line)
            is_cancelled = line != b"*" and response == b"*\r\n"
            self.for_backend += response
        return self.outcome(reply, name)

    def outcome(self, reply, name):
        self.for_client += reply + b"\r\n"
        is_in = reply.startswith(b"+OK")
        # Trouble of the backend says nothing about a password.
        if is_in or not re.match(rb"-ERR \[(?:SYS|IN-USE|LOGIN-DELAY)(?:\]|/[^\]]*\])", reply, re.I):
            self.events.append(["logged-in" if is_in else "login-failed", name])
        return is_in

    def with_certificate(self, initial):
        if self.identity is not None and initial is None:
            self.for_client += b"+ \r\n"
            initial = yield from self.asked()
        if initial is None or not self.is_permitted(initial):
            self.events.append(["login-failed", "EXTERNAL"])
            self.refuse("external", "-ERR cancelled" if initial == b"*" else "-ERR [AUTH] not permitted by a certificate")
            return False
        mechanism, message = self.certified()
        self.for_backend += b"AUTH " + mechanism + b"\r\n"
        reply = yield from self.reply(continues=True)
        if reply[:3] not in (b"+OK", b"-ER"):
            self.for_backend += message + b"\r\n"
            reply = yield from self.reply(continues=True)
        if reply[:3] not in (b"+OK", b"-ER"):
            self.for_backend += b"*\r\n"
            reply = yield from self.reply()
        return self.outcome(reply, "EXTERNAL")


setattr(Pop, "pass", Pop.pass_)


def session(said, service="pop3s", **options):
    return play(lambda: Pop(service == "pop3", **options), said)
