"""A second implementation of how deep-latch finds IMAP commands in a client's octets (RFC 3501 section 9, RFC 7888). What is
expected in the vectors is stated by hand."""

import re

NAME = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
TAG = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]+")
LINE = re.compile(rb"[A-Za-z0-9+/]*={0,2}|\*")
# Commands without arguments, and those of which no argument is a string.
BARE = {"NOOP", "CAPABILITY", "LOGOUT", "STARTTLS", "IDLE", "CHECK", "CLOSE", "EXPUNGE", "NAMESPACE", "UNSELECT", "UNAUTHENTICATE"}
NO_LITERALS = {"AUTHENTICATE", "ENABLE", "COMPRESS", "DONE"}
WITH_LITERALS = {
    "LOGIN", "SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LIST", "LSUB", "STATUS", "APPEND",
    "SEARCH", "FETCH", "STORE", "COPY", "MOVE", "UID", "ID", "SORT", "THREAD", "SETQUOTA", "GETQUOTA", "GETQUOTAROOT", "SETACL",
    "DELETEACL", "GETACL", "LISTRIGHTS", "MYRIGHTS", "GETMETADATA", "SETMETADATA", "NOTIFY", "ESEARCH", "CATENATE", "REPLACE",
    "RESETKEY", "GENURLAUTH", "URLFETCH", "CONVERT",
}


class Refused(Exception):
    def __init__(self, kind, field, offset):
        super().__init__(kind, field, offset)
        self.error = [kind, field, offset]


class Incomplete(Exception):
    """The command goes on after the octets."""


class Command:
    """A command that begins at a place; offsets count from there."""

    def __init__(self, octets, start=0, longest=1024, nul_in_literals=False):
        self.octets, self.start, self.at, self.longest, self.nul_in_literals = octets, start, start, longest, nul_in_literals
        self.tag = self.name = None
        # Of each literal: the place of its announcement, its own place, its length, and whether the client waits.
        self.literals = []

    def refused(self, kind, field="command", at=None):
        return Refused(kind, field, (self.at if at is None else at) - self.start)

    def next(self):
        if self.at >= len(self.octets):
            raise Incomplete
        return self.octets[self.at : self.at + 1]

    def ends(self):
        if self.next() == b"\r" and self.at + 1 == len(self.octets):
            raise Incomplete
        return self.octets[self.at : self.at + 2] == b"\r\n"

    def read(self):
        tag = TAG.match(self.octets, self.at)
        self.at = tag.end() if tag else self.at
        if self.next() != b" " or not tag:
            raise self.refused("expected", "tag")
        self.tag = tag[0].decode()
        self.at += 1
        self.next()
        name = NAME.match(self.octets, self.at)
        if not name:
            raise self.refused("empty" if self.ends() else "expected")
        self.name, self.at = name[0].decode().upper(), name.end()
        if self.name in BARE and self.next() == b" ":
            raise self.refused("trailing")
        self.arguments()
        self.at += 2

    def arguments(self):
        """The arguments, each after a space."""
        while not self.ends():
            if self.next() != b" ":
                raise self.refused("character")
            self.at += 1
            self.value(self.ends)

    def value(self, ended):
        if ended():
            raise self.refused("empty")
        octet = self.next()
        if octet == b" ":
            raise self.refused("extra-space")
        if octet == b'"':
            self.quoted()
        elif octet == b"(":
            self.list(b")")
        elif octet == b"{" or octet == b"~" and self.octets[self.at + 1 : self.at + 2] == b"{":
            self.literal()
        else:
            self.atom()

    def list(self, close):
        self.at += 1
        if self.next() == close:
            self.at += 1
            return
        while True:
            self.value(self.ends)
            if self.next() == close:
                self.at += 1
                return
            if self.ends():
                raise self.refused("empty")
            if self.next() != b" ":
                raise self.refused("character")
            self.at += 1

    def atom(self):
        """An atom in which brackets enclose a section: `BODY[HEADER.FIELDS (DATE)]<0.1>`."""
        start = self.at
        while True:
            octet = self.next()
            # A bracket that no other and no list follows is an octet of the atom.
            if octet == b"[" and re.search(rb"[\](]", self.octets[self.at :].partition(b"\r\n")[0]):
                self.section()
            elif octet and b"\x20" < octet < b"\x7f" and octet not in b'(){"':
                self.at += 1
            elif self.at > start and (self.ends() or octet in (b" ", b")")):
                return
            else:
                raise self.refused("character")

    def section(self):
        self.at += 1
        while self.next() != b"]":
            if self.ends():
                raise self.refused("empty")
            if self.next() == b"(":
                self.list(b")")
            elif b"\x20" <= self.next() < b"\x7f" and self.next() not in b'){"':
                self.at += 1
            else:
                raise self.refused("character")
        self.at += 1

    def quoted(self):
        self.at += 1
        while self.next() != b'"':
            if self.ends():
                raise self.refused("empty", "string")
            if self.next() in (b"\0", b"\r", b"\n"):
                raise self.refused("character")
            if self.next() == b"\\":
                self.at += 1
                if self.next() not in (b"\\", b'"'):
                    raise self.refused("expected", "string")
            self.at += self.character()
        self.at += 1

    def character(self):
        """The length of the character here."""
        for length in range(1, 5):
            try:
                self.octets[self.at : self.at + length].decode()
                return length
            except UnicodeDecodeError:
                pass
        raise self.refused("character")

    def literal(self):
        announced = self.at
        if self.name not in WITH_LITERALS:
            raise self.refused("character")
        is_binary = self.next() == b"~"
        self.at += 2 if is_binary else 1
        number = re.compile(rb"[0-9]*").match(self.octets, self.at)
        self.at = number.end()
        if not number[0]:
            raise self.refused("empty" if self.ends() else "expected", "literal")
        does_wait = self.next() != b"+"
        if not does_wait:
            self.at += 1
        if self.next() != b"}":
            raise self.refused("empty" if self.ends() else "expected", "literal")
        self.at += 1
        if int(number[0]) > self.longest:
            raise self.refused("limit", "literal")
        if not self.ends():
            raise self.refused("expected", "literal")
        self.at += 2
        # The tilde of a literal8 is no part of its announcement.
        self.literals.append((announced + is_binary, self.at, int(number[0]), does_wait))
        octets = self.octets[self.at : self.at + int(number[0])]
        nul = octets.find(b"\0")
        if nul >= 0 and not (is_binary or self.nul_in_literals):
            raise self.refused("character", "literal", self.at + nul)
        self.at += len(octets)
        self.next()


def commands(octets, longest=1024):
    """What a client said, in order: `{command}`, `{line}` and `{refused, tag}`."""
    found, at = [], 0
    while at < len(octets):
        line = octets[at : octets.find(b"\r\n", at)]
        if LINE.fullmatch(line):
            found.append({"line": octets[at : at + len(line) + 2].decode()})
            at += len(line) + 2
            continue
        command = Command(octets, at, longest)
        try:
            command.read()
            found.append({"command": octets[at : command.at].decode()})
            at = command.at
        except Incomplete:
            break
        except Refused as refused:
            found.append({"refused": refused.error, "tag": command.tag})
            if refused.error[0] == "limit":
                break
            end = octets.find(b"\r\n", at + refused.error[2])
            if end < 0:
                break
            at = end + 2
    return found
