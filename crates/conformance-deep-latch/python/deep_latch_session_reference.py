"""A second implementation of the proxy between an IMAP client and its server (section 7.1; RFC 3501, 7888, 2177), octets in and
octets out. What is expected in the vectors is stated by hand."""

import re

from deep_latch_imap_reference import LINE, Command, Incomplete
from deep_latch_imap_reference import Refused as CommandRefused
from deep_latch_proxy_reference import imap
from deep_latch_reference import Refused

LONGEST = 2**31 - 1
WORDS = {
    "character": "character that is not allowed", "empty": "empty", "expected": "unexpected character",
    "trailing": "unexpected text after the end",
}
DIALOGUES = {"AUTHENTICATE", "IDLE"}
ANNOUNCED = re.compile(rb"\{([0-9]+)\}\r\n")


class Session:
    def __init__(self, tls, inbound):
        self.tls, self.inbound = tls, inbound
        self.client, self.server = b"", b""
        self.to_server, self.to_client = b"", b""
        self.asked = 0
        self.end()

    def end(self):
        """The command that the server answers is at its end."""
        self.tag = None
        self.parts = []
        self.is_streamed = self.awaits_literal = self.is_dialogue = self.awaits_line = False
        self.forwarded = self.sent_literals = 0
        self.is_skipped = False

    def said(self, who, octets):
        self.to_server, self.to_client = b"", b""
        if who == "client":
            self.client += octets
        else:
            self.server += octets
            while self.response():
                self.advance()
        self.advance()
        return [self.to_server.decode(), self.to_client.decode()]

    # The client's octets.

    def advance(self):
        while self.progress():
            pass

    def progress(self):
        if self.is_skipped:
            return self.skip()
        if self.is_streamed:
            return self.stream()
        if self.awaits_line:
            return self.line()
        return self.tag is None and self.begin()

    def begin(self):
        """Begins with the next command, if it is there."""
        line, found, _ = self.client.partition(b"\r\n")
        if found and LINE.fullmatch(line):
            self.client = self.client[len(line) + 2 :]
            self.to_client += b"* BAD not a command\r\n"
            return True
        command, error = self.read()
        if error == "incomplete" or isinstance(error, CommandRefused) and command.literals:
            if not command.literals:
                return False
            if command.name != "ID":
                self.tag, self.is_streamed = command.tag, True
                return True
        if error == "incomplete":
            waiting = sum(literal[3] for literal in command.literals)
            self.to_client += b"+ ready\r\n" * (waiting - self.asked)
            self.asked = waiting
            return False
        self.asked = 0
        if error:
            return self.refuse(command, error)
        if command.name == "ID":
            return self.identify(command)
        if command.name in ("STARTTLS", "COMPRESS"):
            self.client = self.client[command.at :]
            self.to_client += f"{command.tag} NO not available through this proxy\r\n".encode()
            return True
        self.tag, self.is_dialogue = command.tag, command.name in DIALOGUES
        self.is_streamed = bool(command.literals)
        if not self.is_streamed:
            self.to_server += self.client[: command.at]
            self.client = self.client[command.at :]
        return True

    def read(self):
        command = Command(self.client, 0, LONGEST)
        try:
            command.read()
        except Incomplete:
            return command, "incomplete"
        except CommandRefused as refused:
            return command, refused
        return command, None

    def refuse(self, command, error):
        """Answers a command with its error, once its line is there."""
        kind, field, offset = error.error
        if kind == "limit":
            raise Refused
        end = self.client.find(b"\r\n", offset)
        if end < 0:
            return False
        self.client = self.client[end + 2 :]
        # What is wrong with the parameters of ID is said of them.
        where = "ID: id_params_list" if command.name == "ID" and kind == "empty" else field
        self.to_client += f"{command.tag or '*'} BAD {where}: {WORDS[kind]} at byte {offset}\r\n".encode()
        return True

    def identify(self, command):
        text = self.client[: command.at - 2].decode()
        self.client = self.client[command.at :]
        answer = imap(text, self.tls, self.inbound)
        if "refused" in answer:
            self.to_client += f"{command.tag} BAD ID: tls: a client must not send this field\r\n".encode()
            return True
        octets, at = answer["text"].encode() + b"\r\n", 0
        while announced := ANNOUNCED.search(octets, at):
            self.parts.append(octets[: announced.end()])
            octets, at = octets[announced.end() :], int(announced[1])
        self.parts.append(octets)
        self.tag = command.tag
        self.to_server += self.parts.pop(0)
        return True

    def stream(self):
        """Sends what there is of a command with literals, each of which waits for the server."""
        if self.awaits_literal:
            return False
        command, error = self.read()
        if self.sent_literals < len(command.literals):
            announced, start, length, _ = command.literals[self.sent_literals]
            self.to_server += self.client[self.forwarded : announced] + b"{%d}\r\n" % length
            self.forwarded, self.awaits_literal = start, True
            self.sent_literals += 1
            return True
        if error and error != "incomplete":
            raise Refused
        if error == "incomplete":
            _, start, length, _ = command.literals[-1]
            end = max(self.forwarded, min(len(self.client), start + length))
        else:
            end = command.at
        self.to_server += self.client[self.forwarded : end]
        self.forwarded = end
        if error == "incomplete":
            return False
        self.client, self.is_streamed = self.client[end:], False
        return True

    def skip(self):
        """Drops the rest of a command that the server refused, up to a literal for which the client waits."""
        command, error = self.read()
        later = [it for it in command.literals[self.sent_literals :] if it[3]]
        if error and error != "incomplete":
            raise Refused
        if not later and error:
            return False
        self.client = self.client[later[0][1] if later else command.at :]
        self.end()
        return True

    def line(self):
        line, found, rest = self.client.partition(b"\r\n")
        if not found:
            return False
        if not LINE.fullmatch(line):
            raise Refused
        self.to_server += line + found
        self.client, self.awaits_line = rest, False
        return True

    # The server's octets.

    def response(self):
        """Takes one response, if it is whole."""
        at = 0
        while True:
            end = self.server.find(b"\r\n", at)
            line = self.server[at : end if end >= 0 else len(self.server)]
            if re.search(rb"\n|\r(?!$)" if end < 0 else rb"[\r\n]", line):
                raise Refused
            if end < 0:
                return False
            # Only data has literals; the text of a status or of a request has none.
            is_data = line.startswith(b"* ") or at > 0
            literal = re.search(rb"\{([0-9]+)\+?\}$", line) if is_data else None
            at = end + 2
            if not literal:
                break
            at += int(literal[1])
        octets, self.server = self.server[:at], self.server[at:]
        if octets.startswith(b"+"):
            self.asks(octets)
        elif self.tag is not None and octets.startswith(self.tag.encode() + b" "):
            self.answers(octets)
        else:
            self.to_client += octets
        return True

    def asks(self, octets):
        if self.parts:
            self.to_server += self.parts.pop(0)
        elif self.awaits_literal:
            command, _ = self.read()
            if command.literals[self.sent_literals - 1][3]:
                self.to_client += octets
            self.awaits_literal = False
        elif self.is_dialogue and not self.awaits_line:
            self.to_client += octets
            self.awaits_line = True
        else:
            raise Refused

    def answers(self, octets):
        if self.is_streamed and not self.awaits_literal:
            raise Refused
        self.to_client += octets
        if self.is_streamed:
            command, _ = self.read()
            _, start, _, does_wait = command.literals[self.sent_literals - 1]
            if not does_wait:
                self.is_streamed, self.is_skipped = False, True
                return
            self.client = self.client[start:]
        self.end()


def session(tls, said, inbound="remove"):
    ours = Session(tls, inbound)
    return {"sent": [ours.said(who, text.encode()) for who, text in said]}
