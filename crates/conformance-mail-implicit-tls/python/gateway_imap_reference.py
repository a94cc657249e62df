"""A second implementation of the gateway for IMAP, from RFC 3501, 2971, 4959 and 7888, sections 7.1 and 9.2 of the draft, and
docs/vectors.md. Commands and the parameters of ID are read by the second implementations of deep-latch."""

import re
import sys
from pathlib import Path

from gateway_reference import LONGEST_SASL, NOT_UNDERSTOOD, SESSION, STATUS, SUITE, Broken, Gateway, Over, play

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance-deep-latch/python"))
from deep_latch_imap_reference import Command, Incomplete  # noqa: E402
from deep_latch_imap_reference import Refused as CommandRefused  # noqa: E402
from deep_latch_proxy_reference import strings  # noqa: E402
from deep_latch_reference import Refused, id_pairs, imap_id  # noqa: E402

BEFORE_LOGIN = {"CAPABILITY", "ID", "LANGUAGE", "LOGIN", "LOGOUT", "NOOP"}
REFUSED_AFTER = {"STARTTLS", "COMPRESS", "UNAUTHENTICATE"}
REMOVED = {"STARTTLS", "LOGINDISABLED", "UNAUTHENTICATE", "XCLIENT", "XFORWARD", "AUTH=EXTERNAL"}
OF_GATEWAYS = re.compile("tls$|x-(connected|forward|originating|proxy|session)-")
MOST_LITERAL, MOST_LITERAL_AFTER, MOST_REFUSALS = 4096, 2**31 - 1, 20
STREAMED_FROM = 4096
# Responses that the gateway has a part in, or whose text is for people.
ITS_OWN = re.compile(rb"\* [ \t]*(OK|NO|BAD|BYE|PREAUTH|CAPABILITY|ID)?([ \t]|\Z)", re.I)
ADDRESS = {
    "x-originating-ip": "192.0.2.7", "x-originating-port": "51234", "x-connected-ip": "192.0.2.1", "x-connected-port": "993",
    "x-session-ext-id": SESSION,
}
WORDS = {
    "character": "character that is not allowed", "empty": "empty", "expected": "unexpected character",
    "trailing": "unexpected text after the end", "extra-space": "unexpected space", "duplicate": "duplicate",
}


def quoted(pairs):
    return " ".join(f'"{field}" "{value}"' for field, value in pairs.items()).encode()


class Imap(Gateway):
    def __init__(self, *arguments, after_login="pipe", **options):
        self.parses, self.fields = after_login == "parsed", {}
        self.may_leave = self.reported = self.logged_in = False
        self.has_id, self.is_held, self.is_within, self.streamed = None, False, False, 0
        self.refusals, self.tag, self.has_said_bye = 0, None, False
        super().__init__(*arguments, **options)

    def say(self, text):
        self.for_client += text.encode() + b"\r\n"

    def say_unavailable(self, text):
        if not (self.logged_in or self.is_within or self.has_said_bye):
            self.say(f"* BYE [UNAVAILABLE] {text}")

    def say_broken(self, side, kind, field, offset):
        most = MOST_LITERAL_AFTER if self.logged_in else MOST_LITERAL
        words = f"more than {most}" if kind == "too-long" else WORDS["character"]
        if not (self.is_within or self.has_said_bye):
            self.say(f"* BYE {field}: {words} at byte {offset}")

    def say_not_understood(self):
        if not (self.is_within or self.has_said_bye):
            self.say(f"* BYE [UNAVAILABLE] {NOT_UNDERSTOOD}")

    def refuse(self, refusal, tag, text):
        self.refused(refusal)
        self.say(f"{tag} {text}")
        self.refusals += 1
        if self.refusals > MOST_REFUSALS:
            raise Broken("client", "too-long", "command", 0)

    # The backend

    def response(self):
        """Takes a whole response; the octets of one with literals are forwarded as they come, and it is empty."""
        at = 0
        while True:
            text = re.compile(rb"[^\0\r\n]*").match(self.backend, at)[0]
            rest = self.backend[at + len(text) :][:2]
            first = self.backend[: min(STREAMED_FROM, self.backend.find(b"\r\n") % (1 << 62))]
            is_streamed = self.logged_in and len(text) >= STREAMED_FROM and first.startswith(b"* ") and not ITS_OWN.match(first)
            if is_streamed:
                self.for_client += self.backend[self.streamed : at + len(text)]
                self.streamed, self.is_within = max(self.streamed, at + len(text)), True
            if rest not in (b"", b"\r", b"\r\n"):
                raise Broken("backend", "octet", "response", len(text))
            if rest != b"\r\n":
                return None
            is_data = at > 0 or text.startswith(b"* ") and not re.match(rb"\* (OK|NO|BAD|BYE|PREAUTH)\b", text, re.I)
            without_strings = re.sub(rb'"(?:[^"\\]|\\.)*"', lambda it: b"x" * len(it[0]), text)
            if is_data and b'"' in without_strings:
                raise Broken("backend", "syntax", "string", len(text))
            literal = re.search(rb"\{([0-9]+)\+?\}$", without_strings) if is_data else None
            at += len(text) + 2
            if not literal:
                response, self.backend = self.backend[:at], self.backend[at:]
                self.for_client += response[self.streamed :] if self.streamed else b""
                is_streamed, self.streamed, self.is_within = self.streamed > 0, 0, False
                return b"" if is_streamed else response
            at += int(literal[1])
            self.is_within = True
            if not self.is_held:
                self.for_client += self.backend[self.streamed : at]
                self.streamed = max(self.streamed, min(at, len(self.backend)))
            if len(self.backend) < at:
                return None

    def edited(self, response):
        """A response with the capabilities of the gateway, of which note is taken."""
        match = re.match(rb"(?P<before>\S+ +(?:OK|NO|BAD|BYE|PREAUTH)[ \t]+\[ *|\+ +\[ *)CAPABILITY(?=[ \]\r])(?P<words>[^\]\r]*)", response, re.I)
        match = match or re.match(rb"(?P<before>\* +)CAPABILITY(?=[ \r])(?P<words>[^\r]*)", response, re.I)
        if not match:
            return response
        words = match["words"].decode("latin-1").split()
        names = [it.upper() for it in words]
        self.may_leave |= "UNAUTHENTICATE" in names
        self.has_id, self.known = "ID" in names, True
        added = ["DEEP", "ID"] * self.advertises + ["AUTH=EXTERNAL"] * (self.identity is not None and not self.logged_in)
        kept = [word for word, name in zip(words, names) if not self.is_removed(name) and name not in added]
        name = response[len(match["before"]) :][:10]
        return match["before"] + name + b"".join(b" " + it.encode("latin-1") for it in kept + added) + response[match.end() :]

    def is_removed(self, name):
        of_auth = name.startswith("AUTH=") and name.endswith("-PLUS")
        return name in REMOVED or of_auth or name.startswith("COMPRESS=") and (self.may_leave or self.parses)

    def untagged(self, response, tag=None):
        """Forwards what is neither a tagged response nor a request; returns whether it was that."""
        if not response:
            return True
        if response.startswith(b"* "):
            self.has_said_bye |= re.match(rb"\* BYE[ \r]", response, re.I) is not None
            self.for_client += self.edited(response)
            return True
        if tag is None:
            is_tagged = self.tag and response.startswith(self.tag.encode() + b" ")
            field = "continue-req" if response.startswith(b"+") else "response-tagged" if is_tagged else "response"
            raise Broken("backend", "unexpected", field, 0)
        return False

    def answer(self, tag, keep=None):
        """Waits for a request or for the response to the command; others are forwarded, or given to `keep`."""
        while True:
            if (response := self.response()) is None:
                yield
            elif response.startswith(b"* ") and keep and keep(response):
                pass
            elif not self.untagged(response, tag):
                if response.startswith(b"+"):
                    return response
                if response.startswith(tag.encode() + b" "):
                    if re.match(rb"\S+ (OK|NO|BAD)[ \r]", response, re.I):
                        return response
                    raise Broken("backend", "unexpected", "response-tagged", 0)
                raise Broken("backend", "unexpected", "response", 0)

    def session(self):
        self.known = False
        while (response := self.response()) is None:
            yield
        status = re.match(rb"\* (OK|BYE|PREAUTH)(?=[ \r])", response, re.I)
        if not status:
            raise Broken("backend", "unexpected", "greeting", 0)
        if status[1].upper() == b"PREAUTH":
            self.refused("preauth")
            raise Broken("backend", "unexpected", "greeting", 0)
        response = self.edited(response)
        if status[1].upper() == b"BYE":
            self.for_client += response
            raise Over
        if not self.upgraded:
            self.for_client += response
        while not self.is_pipe():
            yield from self.command()

    def is_pipe(self):
        return self.logged_in and self.known and not self.may_leave and not self.parses

    # The client

    def command(self):
        """Takes one command. After login one with a wrong octet is refused, if the backend has no part of it."""
        self.has_part = False
        try:
            yield from self.whole_command()
        except Broken as broken:
            if not self.logged_in or self.has_part or broken.args[:3] != ("client", "octet", "command"):
                raise
            tag = re.match(rb"([^\0- (){%*\"\\+\x7f-\xff]+) ", self.client)
            self.refuse("syntax", tag[1].decode() if tag else "*", f"BAD command: {WORDS['character']} at byte {broken.args[3]}")
            while b"\r\n" not in self.client:
                if (response := self.response()) is not None:
                    self.untagged(response)
                else:
                    yield
            self.drop(self.client.find(b"\r\n") + 2)

    def whole_command(self):
        while b"\r\n" not in self.client or self.is_within:
            if not self.is_within:
                self.check_octets(self.client)
            if (response := self.response()) is not None:
                self.untagged(response)
            else:
                yield
        line = self.client[: self.client.find(b"\r\n")]
        command, error = self.read()
        name, tag = command.name, command.tag
        if re.fullmatch(rb"[A-Za-z0-9+/=]*|\*", line):
            self.drop(len(line) + 2)
            return self.refuse("syntax", "*", "BAD not a command")
        if isinstance(error, CommandRefused) and not command.literals:
            return self.wrong(command, error)
        self.tag = tag
        if name == "AUTHENTICATE" and not self.logged_in:
            return (yield from self.authenticate(tag, line))
        if name in REFUSED_AFTER if self.logged_in else name not in BEFORE_LOGIN:
            self.refuse("command", tag, "NO not available through this proxy" if self.logged_in else "BAD not available before login")
            return (yield from self.dropped())
        if name == "ID":
            return (yield from self.id())
        is_login = name == "LOGIN" and not self.logged_in
        if is_login:
            yield from self.introduce()
        response = yield from self.forwarded(tag, dialogue=name == "IDLE")
        if is_login:
            return self.outcome(response, "password")
        self.for_client += self.edited(response)
        if name == "LOGOUT" and is_ok(response):
            raise Over

    def drop(self, count):
        taken, self.client = self.client[:count], self.client[count:]
        return taken

    def read(self, raises=True):
        """The command as far as it is there, and its error or `incomplete`. Offsets count from the end of the literal before."""
        most = MOST_LITERAL_AFTER if self.logged_in else MOST_LITERAL
        command, error = Command(self.client, 0, most, nul_in_literals=self.logged_in), None
        try:
            command.read()
        except Incomplete:
            error = "incomplete"
        except CommandRefused as refused:
            error = refused
        _, start, length, _ = command.literals[-1] if command.literals else (0, 0, 0, False)
        command.base = min(start + length, len(self.client))
        if isinstance(error, CommandRefused) and error.error[1] == "literal" and error.error[2] < command.base:
            error.error[2] -= start
            return command, error
        try:
            self.check_octets(self.client[command.base :])
            if b"\r\n" in self.client[command.base :] and not self.logged_in:
                self.check(self.client[command.base :].partition(b"\r\n")[0])
        except Broken as broken:
            if raises:
                raise
            return command, broken
        if isinstance(error, CommandRefused):
            if b"\r\n" not in self.client[command.base :] and error.error[0] != "limit":
                return command, "incomplete"
            error.error[2] -= command.base
        return command, error

    def check_octets(self, octets):
        """Refuses octets of a line, up to its CRLF if that is there."""
        line, end, _ = octets.partition(b"\r\n")
        bad = re.search(rb"[\0\r\n]", line if end else line.removesuffix(b"\r"))
        if bad:
            raise Broken("client", "octet", "command", bad.start())

    def wrong(self, command, error):
        kind, field, offset = error.error
        if kind == "limit":
            announced = re.compile(rb"\{[0-9]+(\+?)\}(\r\n)?").search(self.client, command.base)
            if announced[1] or self.logged_in:
                raise Broken("client", "too-long", "literal", 0)
            self.drop(announced.end())
            return self.refuse("syntax", command.tag, f"BAD literal: more than {MOST_LITERAL} at byte 0")
        self.drop(self.client.find(b"\r\n", command.base) + 2)
        where = "ID: id_params_list" if command.name == "ID" and [kind, field] == ["empty", "command"] else field
        self.refuse("syntax", command.tag or "*", f"BAD {where}: {WORDS[kind]} at byte {offset}")

    def dropped(self):
        """Takes a command that does not reach the backend, up to a literal for which the client waits."""
        while True:
            command, error = self.read()
            waiting = [it for it in command.literals if it[3]]
            if waiting:
                return self.drop(waiting[0][1])
            if error != "incomplete":
                return self.drop(command.at if error is None else self.client.find(b"\r\n", command.base) + 2)
            if (response := self.response()) is not None:
                self.untagged(response)
            else:
                yield

    def forwarded(self, tag, dialogue=False):
        """Sends a command, whose literals wait for the backend, and returns the response to it."""
        at = count = 0
        while True:
            command, error = self.read(raises=False)
            if count < len(command.literals):
                announced, start, length, waits = command.literals[count]
                self.for_backend += self.client[at:announced] + b"{%d}\r\n" % length
                at, count, self.has_part = start, count + 1, True
                response = yield from self.answer(tag)
                if not response.startswith(b"+"):
                    if waits:
                        self.drop(start)
                    else:
                        yield from self.rest_dropped(count)
                    return response
                if waits:
                    self.for_client += self.edited(response)
                continue
            if isinstance(error, Broken):
                self.for_backend += self.client[at : command.base]
                raise error
            if isinstance(error, CommandRefused):
                kind, field, offset = error.error
                if field == "literal" and kind == "character":
                    self.for_backend += self.client[at : command.literals[-1][1] + offset]
                else:
                    self.for_backend += self.client[at : command.base]
                raise Broken("client", "too-long" if kind == "limit" else "octet", field, 0 if kind == "limit" else offset)
            end = command.at
            if error:
                _, start, length, _ = command.literals[-1]
                end = max(at, min(len(self.client), start + length))
            self.for_backend += self.client[at:end]
            at = end
            if not error:
                break
            if (response := self.response()) is None:
                yield
            elif not self.untagged(response, tag):
                self.untagged(response)
        self.drop(at)
        while True:
            response = yield from self.answer(tag)
            if not response.startswith(b"+"):
                return response
            if not dialogue:
                raise Broken("backend", "unexpected", "continue-req", 0)
            self.for_client += self.edited(response)
            line = yield from self.asked(tag)
            if isinstance(line, tuple):
                return line[0]
            self.for_backend += line + b"\r\n"

    def rest_dropped(self, count):
        while True:
            command, error = self.read()
            waiting = [it for it in command.literals[count:] if it[3]]
            if waiting or error != "incomplete":
                return self.drop(waiting[0][1] if waiting else self.client.find(b"\r\n", command.base) + 2)
            yield

    def asked(self, tag):
        """The line that the backend asked for; or, in a tuple, the response that came instead."""
        while b"\r\n" not in self.client:
            self.check_octets(self.client)
            if (response := self.response()) is None:
                yield
            elif not self.untagged(response, tag):
                if not response.startswith(tag.encode() + b" "):
                    raise Broken("backend", "unexpected", "continue-req" if response.startswith(b"+") else "response", 0)
                return (response,)
        line = self.client[: self.client.find(b"\r\n")]
        self.check_octets(line)
        self.drop(len(line) + 2)
        return line

    # Logins

    def authenticate(self, tag, line):
        words = line.split(b" ")[2:]
        found = self.mechanism(words) if words else None
        self.drop(len(line) + 2)
        if found is None:
            return self.refuse("syntax", tag, "BAD mechanism and base64 expected")
        name, initial = found[0].upper(), found[1]
        if name.endswith("-PLUS"):
            return self.refuse("command", tag, "NO mechanism is not available through this proxy")
        if name == "EXTERNAL":
            return (yield from self.with_certificate(tag, initial))
        yield from self.introduce()
        self.for_backend += line + b"\r\n"
        is_cancelled = False
        while True:
            response = yield from self.answer(tag)
            if not response.startswith(b"+"):
                return self.outcome(response, name)
            if is_cancelled:
                raise Broken("backend", "unexpected", "continue-req", 0)
            self.for_client += self.edited(response)
            line = yield from self.asked(tag)
            if isinstance(line, tuple):
                return self.outcome(line[0], name)
            given = self.response_line(line)
            is_cancelled = given != line + b"\r\n"
            self.for_backend += given

    def with_certificate(self, tag, initial):
        if self.identity is not None and initial is None:
            self.for_client += b"+ \r\n"
            while (initial := self.client_line()) is None:
                if (response := self.response()) is not None:
                    self.untagged(response)
                else:
                    yield
        if initial is None or not self.is_permitted(initial):
            self.events.append(["login-failed", "EXTERNAL"])
            text = "BAD cancelled" if initial == b"*" else "NO [AUTHORIZATIONFAILED] not permitted by a certificate"
            return self.refuse("external", tag, text)
        yield from self.introduce()
        mechanism, message = self.certified()
        self.for_backend += tag.encode() + b" AUTHENTICATE " + mechanism + b"\r\n"
        response = yield from self.answer(tag)
        if response.startswith(b"+"):
            self.for_backend += message + b"\r\n"
            response = yield from self.answer(tag)
            if response.startswith(b"+"):
                raise Broken("backend", "unexpected", "continue-req", 0)
        self.outcome(response, "EXTERNAL")

    def client_line(self):
        self.check_octets(self.client)
        line, found, _ = self.client.partition(b"\r\n")
        if not found:
            return None
        self.drop(len(line) + 2)
        return line

    def outcome(self, response, mechanism):
        if is_ok(response):
            self.logged_in, self.known = True, False
        self.for_client += self.edited(response)
        # Trouble of the backend says nothing about a password.
        if not re.match(rb"\S+ NO \[(INUSE|LIMIT|PRIVACYREQUIRED|SERVERBUG|UNAVAILABLE)[\] ]", response, re.I):
            self.events.append(["logged-in" if is_ok(response) else "login-failed", mechanism])

    # ID

    def own_fields(self):
        return (ADDRESS if self.address == "imap-id" else {}) | {"tls": SUITE}

    def introduce(self):
        """Sends an ID of the gateway before the login of a client that sent none."""
        must = self.address == "imap-id"
        if self.reported or not must and not self.has_id:
            return
        self.reported = True
        self.for_backend += b"proxy ID (" + quoted(self.own_fields()) + b")\r\n"
        self.is_held = True
        response = yield from self.answer("proxy", keep=lambda it: re.match(rb"\* ID ", it, re.I))
        self.is_held = False
        if response.startswith(b"+"):
            raise Broken("backend", "unexpected", "continue-req", 0)
        if must and not is_ok(response):
            raise Broken("backend", "unexpected", "response-tagged", 0)

    def id(self):
        ready = 0
        while True:
            command, error = self.read()
            if error != "incomplete":
                break
            waiting = sum(it[3] for it in command.literals)
            self.for_client += b"+ ready\r\n" * (waiting - ready)
            ready = waiting
            if (response := self.response()) is not None:
                self.untagged(response)
            else:
                yield
        if error:
            return self.wrong(command, error)
        octets = self.drop(command.at)[:-2]
        head, parameters = re.match(rb"([^ ]+ [^ ]+) ?(.*)", octets, re.S).groups()
        try:
            names = [name for name, _ in id_pairs(parameters)]
        except Refused:
            return self.refuse("syntax", command.tag, self.id_fault(parameters, len(octets) - len(parameters)))
        written, _ = strings(parameters)
        pairs = list(zip(names, written[::2], written[1::2]))
        kept = [it for it in pairs if not is_of_gateways(it[0])]
        if len(kept) < len(pairs):
            self.refused("forged")
        self.report(b" ".join(word for it in kept for word in it[1:]))
        if self.advertises and self.has_id is False and self.address != "imap-id":
            self.say(f'* ID ("deep" "{STATUS}")')
            return self.say(f"{command.tag} OK ID completed")
        words = [word for _, field, value in kept for word in (field, value)] + [quoted(self.own_fields())]
        text = head + b" (" + b" ".join(words) + b")\r\n"
        yield from self.id_sent(command.tag, text)

    def id_fault(self, parameters, start):
        at, seen = 0, set()
        for match in re.finditer(rb'"((?:[^"\\]|\\.)*)" (?:"(?:[^"\\]|\\.)*"|NIL)', parameters, re.I):
            if match[1].lower() in seen:
                return f"BAD ID: id_params_list: duplicate at byte {start + match.start()}"
            seen.add(match[1].lower())
        return "BAD ID"

    def report(self, parameters):
        try:
            report = imap_id({"hex": (b"(%s)" % parameters).hex(), "from": "client"})["report"]
        except Refused:
            return
        if report:
            self.events.append(["report", report])

    def id_sent(self, tag, text):
        self.reported, answered = True, []
        parts = re.split(rb"(?<=\}\r\n)", text)
        for part in parts[:-1]:
            self.for_backend += part
            response = yield from self.answer(tag)
            if not response.startswith(b"+"):
                raise Broken("backend", "unexpected", "response-tagged", 0)
        self.for_backend += parts[-1]

        def keep(response):
            if self.advertises and re.match(rb"\* ID ", response, re.I):
                answered.append(True)
                self.for_client += self.merged(response[5:-2])
                return True

        self.is_held = self.advertises
        response = yield from self.answer(tag, keep=keep)
        self.is_held = False
        if response.startswith(b"+"):
            raise Broken("backend", "unexpected", "continue-req", 0)
        if not is_ok(response):
            self.reported = False
        if self.advertises:
            self.for_client += b"" if answered else self.merged(b"NIL")
            if not is_ok(response):
                return self.say(f"{tag} OK ID completed")
        self.for_client += self.edited(response)

    def merged(self, parameters):
        """The untagged response to ID: that of the backend, with the status of the gateway."""
        pairs = []
        try:
            names = [name.lower() for name, _ in id_pairs(parameters)]
            written, _ = strings(parameters)
            pairs = [b"%s %s" % it[1:] for it in zip(names, written[::2], written[1::2]) if it[0] not in ("deep", "deep-status")]
        except Refused:
            pass
        return b"* ID (" + b" ".join([*pairs, b'"deep" "%s"' % STATUS.encode()]) + b")\r\n"


def is_ok(response):
    return re.match(rb"\S+ +OK(?=[ \r])", response, re.I) is not None


def is_of_gateways(field):
    return any(OF_GATEWAYS.match(it) for it in re.split("[^a-z0-9._-]+", field.lower()))


def session(said, service="imaps", **options):
    return play(lambda: Imap(service == "imap", **options), said)
