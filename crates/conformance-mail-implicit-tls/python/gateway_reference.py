"""What the second implementations of the gateway for IMAP and POP share: the session as one procedure that reads from both sides in
turn, where the crate has a table of states; SASL; EXTERNAL for a mapped certificate."""

import base64
import binascii
import re

from implementation_interface import Unsupported

SUITE, SESSION = "TLS_AES_128_GCM_SHA256", "0" * 30 + "ab"
STATUS = "tls10 tls-cert <https://www.example.com/support.html>"
LONGEST_SASL = 12288
UNAVAILABLE = "service is temporarily unavailable, try again later"
RESTART = "service is being restarted, try again"
NOT_UNDERSTOOD = "the server cannot be understood"
RESPONSE = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?|=|\*")
MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}")


class Broken(Exception):
    """The session ends because of one of the sides: side, kind, field, offset."""


class Over(Exception):
    """The session ends by the protocol's own means."""


class Gateway:
    def __init__(self, upgraded, advertises=False, address="none", certificate=None, external=None, allow_utf8=False):
        self.upgraded, self.advertises, self.address, self.allow_utf8 = upgraded, advertises, address, allow_utf8
        self.identity = certificate if external is not None else None
        self.external = external
        self.client = self.backend = b""
        self.for_client = self.for_backend = b""
        self.events, self.end, self.greeted = [], "open", False
        self.running = self.session()
        self.resume()

    def feed(self, side, octets):
        """Takes octets, and returns those for the backend and for the client."""
        if side == "client":
            self.client += octets
        else:
            self.backend += octets
        self.resume()
        return self.sent()

    def failed(self, reason):
        """The backend is not available."""
        if self.end in ("open", "pipe") and "closed" not in [it[0] for it in self.events]:
            if self.end == "open":
                self.say_unavailable(RESTART if reason == "stopping" else UNAVAILABLE)
            self.events.append(["closed"])
            self.end = "over"
        return self.sent()

    def say_not_understood(self):
        self.say_unavailable(NOT_UNDERSTOOD)

    def sent(self):
        sent, self.for_backend, self.for_client = (self.for_backend, self.for_client), b"", b""
        return sent

    def resume(self):
        if self.end == "open":
            try:
                next(self.running)
            except StopIteration:
                self.end = "pipe"
            except Over:
                self.events.append(["closed"])
                self.end = "over"
            except Broken as broken:
                side, kind, field, offset = broken.args
                if side == "client":
                    self.events.append(["refused", "syntax"])
                    self.say_broken(*broken.args)
                else:
                    self.say_not_understood()
                self.end = {"failed": [side, kind, field, offset]}
        if self.end == "pipe":
            self.for_backend += self.client
            self.for_client += self.backend
            self.client = self.backend = b""

    def refused(self, reason):
        self.events.append(["refused", reason])

    # Lines

    def line(self, side, field, most):
        """The next line of a side, of at most so many octets with its end; `None` while it is not there."""
        octets = getattr(self, side)
        text = re.match(rb"[^\0\r\n]*", octets)[0]
        rest = octets[len(text) : len(text) + 2]
        if rest not in (b"", b"\r", b"\r\n") and len(text) < most:
            raise Broken(side, "octet", field, len(text))
        if len(text + rest) > most:
            raise Broken(side, "too-long", field, most)
        if rest != b"\r\n":
            return None
        setattr(self, side, octets[len(text) + 2 :])
        return text

    def check(self, line):
        """Other octets than those of ASCII are in commands by an option."""
        other = re.search(rb"[\x80-\xff]", line)
        if other and not self.allow_utf8:
            raise Broken("client", "octet", "command", other.start())

    # SASL

    def mechanism(self, words):
        """The mechanism and the initial response; `None` where the grammar does not permit them."""
        name, *initial = words
        fits = len(initial) < 2 and all(it not in (b"", b"*") and self.is_response(it) for it in initial)
        return (name.decode(), initial[0] if initial else None) if fits and MECHANISM.fullmatch(name) else None

    def is_response(self, line):
        return len(line) <= LONGEST_SASL and RESPONSE.fullmatch(line) is not None

    def response_line(self, line):
        """The line that the backend receives for a client's response."""
        if not self.is_response(line):
            self.refused("syntax")
            return b"*\r\n"
        return line + b"\r\n"

    def is_permitted(self, response):
        """Whether a response of EXTERNAL asks for the identity of the certificate."""
        try:
            decoded = b"" if response == b"=" else base64.b64decode(response, validate=True)
        except (binascii.Error, ValueError):
            return False
        return self.identity is not None and decoded in (b"", self.identity.encode())

    def certified(self):
        """The mechanism and the message of the login for a certificate."""
        if self.external == "external":
            return b"EXTERNAL", base64.b64encode(self.identity.encode())
        user, password = self.external
        return b"PLAIN", base64.b64encode(f"{self.identity}\0{user}\0{password}".encode())


def play(gateway, said):
    """The session, which must be the same in whatever pieces the octets come."""
    results = []
    for is_divided in (False, True):
        ours, sent = gateway(), []
        for side, text in said:
            octets = text.encode()
            size = (1 if len(octets) < 4096 else 101) if is_divided else len(octets) + 1
            parts = [octets[at : at + size] for at in range(0, len(octets), size)]
            for_backend = for_client = b""
            if side == "failed":
                for_backend, for_client = ours.failed(text)
            else:
                for part in parts:
                    more = ours.feed(side, part)
                    for_backend, for_client = for_backend + more[0], for_client + more[1]
            sent.append([for_backend.decode(), for_client.decode()])
        results.append({"sent": sent, "events": ours.events, "end": ours.end})
    whole, divided = results
    if whole != divided:
        raise Unsupported(f"octet by octet: {divided}")
    return whole
