"""A second implementation of tokenbind-http, written from docs/vectors.md alone; the suite `origin` is in `origin_reference`. It
shares no code with the crate nor with the scripts of the vectors; messages are read by the second implementation
of tokenbind-wire."""

import base64
import hashlib
import hmac
import string
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance-tokenbind-wire/python"))
import token_binding_reference as wire  # noqa: E402

WEB_SAFE = string.ascii_letters + string.digits + "-_"
LONGEST_HEADER, LONGEST_TOKEN, LONGEST_PAYLOAD, LAST_SECOND = 87384, 3840, 2800, 253402300799
HEADER, TOKEN, ID = "Token-Binding", "SealedToken", "TokenBindingID"


class Refused(Exception):
    def __init__(self, kind, field, offset=0):
        super().__init__(kind, field, offset)
        self.reject = {"kind": kind, "field": field, "offset": offset}


# The header (section 2).


def decoded(text, field):
    """Octets of base64url without padding, in which every character is one of the alphabet."""
    if len(text) % 4 == 1:
        raise Refused("length", field, len(text))
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(octets).decode().rstrip("=") != text:
        raise Refused("trailing-bits", field, len(text) - 1)
    return octets


def header_kind(character):
    if character == ",":
        return "list"
    if character <= " " or character in "\x7f\x85\xa0":
        return "whitespace"
    return {"+": "standard-alphabet", "/": "standard-alphabet", "=": "padding"}.get(character, "alphabet")


def read_header(values, allow_padding):
    if not values:
        return None
    if len(values) > 1:
        raise Refused("duplicate", HEADER)
    (value,) = values
    if not value:
        raise Refused("empty", HEADER)
    if len(value) > LONGEST_HEADER:
        raise Refused("too-long", HEADER, LONGEST_HEADER)
    text = value.rstrip("=") if allow_padding else value
    for offset, character in enumerate(text):
        if character not in WEB_SAFE:
            raise Refused(header_kind(character), HEADER, offset)
    padding = len(value) - len(text)
    if padding and (padding > 2 or len(value) % 4):
        raise Refused("padding", HEADER, len(text))
    return decoded(text, HEADER)


def header(values, allow_padding=False):
    message = read_header(values, allow_padding)
    return {"message": message if message is None else message.hex()}


# Requests (section 2) and tokens to issue (section 3.5).


class Connection:
    def __init__(self, negotiated=None, tls_unique=None, profile=None, allow_padding=False,
                 allow_later_requests_without_header=False):
        self.negotiated, self.tls_unique, self.profile = negotiated, tls_unique, profile
        self.allow_padding, self.allow_missing = allow_padding, allow_later_requests_without_header
        self.count, self.latest, self.ended = 0, None, None

    def request(self, values):
        """The bindings of a request, or `not-in-use`; raises what terminates the connection, then and ever after."""
        if self.ended:
            raise self.ended
        self.count += 1
        try:
            return self.decide(values)
        except (Refused, wire.Refused) as refused:
            self.ended = refused
            raise

    def decide(self, values):
        if self.negotiated is None and values:
            raise Refused("not-negotiated", "TokenBindingMessage")
        message = read_header(values, self.allow_padding)
        if message is None and self.negotiated is not None and self.count > 1:
            if not self.allow_missing:
                raise Refused("missing-in-later-request", HEADER)
            return self.latest | {"referred": None}
        hexed = message if message is None else message.hex()
        read = wire.message(hexed, self.profile, self.negotiated, self.tls_unique, self.count == 1)
        if "outcome" in read:
            return read["outcome"]
        provided = next(it for it in read["bindings"] if it["type"] == 0)
        if self.latest and self.latest["provided"]["id"] != provided["id"]:
            raise Refused("provided-key-changed", HEADER)
        referred = next((it for it in read["bindings"] if it["type"] == 1), None)
        left = read["unreadable"]
        if left and left["type"] == 1:
            referred = {"verified": False, "id": left["bytes"]}
        self.latest = {"provided": provided, "referred": referred}
        return self.latest


def algorithm(referred):
    return dict(zip(("hash", "signature"), bytes.fromhex(referred["id"])[1:3]))


def request(connection, requests):
    connection, outcomes = Connection(**connection), []
    for values in requests:
        try:
            found = connection.request(values)
        except (Refused, wire.Refused) as refused:
            outcomes.append({"terminate": refused.reject})
            continue
        if found == "not-in-use":
            outcomes.append(found)
            continue
        referred = found["referred"]
        if referred:
            verified = {"verified": referred["id"]}
            referred = verified if referred["verified"] else {"unsupported": algorithm(referred)}
        outcomes.append({"bound": {"provided": found["provided"]["id"], "referred": referred}})
    return {"outcomes": outcomes}


def token_to_issue(connection, headers):
    found = Connection(**connection).request(headers)
    referred = None if found == "not-in-use" else found["referred"]
    if not referred:
        return {"unbound": "not-referred"}
    if not referred["verified"]:
        return {"unbound": "unsupported-algorithm", "algorithm": algorithm(referred)}
    return {"bound_to": referred["id"], "key_id": referred["key_id"]}


# Redirects (section 3.3) and scripts (section 3.4).


def revealed(consumer, provider):
    for reason, holds in (
        ("consumer-not-negotiated", not consumer["negotiated"]), ("provider-not-negotiated", not provider["negotiated"]),
        ("same-origin", origin(consumer) == origin(provider)),
    ):
        if holds:
            return {"withhold": reason}
    return {"reveal": {"consumer": consumer["origin"], "parameters": consumer["negotiated"]}}


def origin(party):
    url = urlsplit(party["origin"])
    return url.scheme, url.hostname, url.port or 443


def redirect(consumer, hops):
    requests = []
    for hop in hops:
        requests.append(hop_of(consumer, hop))
        consumer = hop["to"]
    return {"requests": requests}


def hop_of(consumer, hop):
    headers = hop["headers"]
    for reason, holds in (
        ("not-asked", not headers), ("duplicate-header", len(headers) > 1), ("status", hop["status"] not in (301, 302)),
        ("header-value", headers[:1] != ["true"]),
    ):
        if holds:
            return {"withhold": reason}
    return revealed(consumer, hop["to"])


def xhr(with_referer_token_binding_id, consumer, provider):
    return revealed(consumer, provider) if with_referer_token_binding_id else {"withhold": "not-asked"}


# ClientHello and the server's choice (section 4.3).


class Octets:
    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, count):
        taken = self.octets[self.at : self.at + count]
        if len(taken) != count:
            raise Refused("unreadable", "ClientHello")
        self.at += count
        return taken

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def vector(self, count):
        return Octets(self.take(self.number(count)))

    def more(self):
        return self.at < len(self.octets)

    def all(self, count, size):
        inner = self.vector(count)
        found = []
        while inner.more():
            found.append(inner.number(size))
        return found


def client_hello(records):
    reader, handshake = Octets(bytes.fromhex(records)), b""
    while len(handshake) < 4 or len(handshake) < 4 + int.from_bytes(handshake[1:4], "big"):
        if reader.number(1) != 22:
            raise Refused("unreadable", "ClientHello")
        reader.take(2)
        fragment = reader.vector(2).octets
        if not fragment:
            raise Refused("unreadable", "ClientHello")
        handshake += fragment
    hello = Octets(handshake)
    if hello.number(1) != 1:
        raise Refused("unreadable", "ClientHello")
    hello = hello.vector(3)
    version = hello.number(2)
    hello.take(32)
    if len(hello.vector(1).octets) > 32:
        raise Refused("unreadable", "ClientHello")
    suites = hello.all(2, 2)
    hello.vector(1)
    extensions = {}
    if hello.more():
        block = hello.vector(2)
        while block.more():
            kind = block.number(2)
            if kind in extensions:
                raise Refused("unreadable", "ClientHello")
            extensions[kind] = block.vector(2)
    if hello.more() or 23 in extensions and extensions[23].more():
        raise Refused("unreadable", "ClientHello")
    alpn = []
    if 16 in extensions:
        names = extensions[16].vector(2)
        while names.more():
            alpn.append(names.vector(1).octets.hex())
    versions = extensions[43].all(1, 2) if 43 in extensions else [min(version, 0x303)]
    facts = {"alpn": alpn, "extended_master_secret": 23 in extensions, "tls12": 0x303 in versions, "tls13": 0x304 in versions,
             "cipher_suites": suites}
    if 11 in extensions and 0 not in extensions[11].all(1, 1):
        facts["uncompressed_points"] = False
    return facts


def server_policy(offer, server):
    ours = [it for it in server["alpn"] if it in offer["alpn"]]
    suites = [it for it in server["tls12_cipher_suites"] if it in offer["cipher_suites"]]
    for reason, holds in (
        ("not-offered", not ours), ("extended-master-secret", not offer["extended_master_secret"]),
        ("protocol-version", not offer["tls12"]), ("cipher-suites", not suites),
        ("point-formats", offer.get("uncompressed_points") is False),
        ("tls13-preferred", offer["tls13"] and server["prefer"] == "tls13"),
    ):
        if holds:
            return {"choice": "plain", "reason": reason}
    return {"choice": "token-binding"}


# Sealed tokens (draft-popov section 7).


def sealed_token(token, keys, purpose, cookie, connection, bearer_policy, now):
    octets = token_octets(token)
    if octets[0] != 1:
        raise Refused("version", f"{TOKEN}.version")
    if len(octets) < 5:
        raise Refused("truncated", f"{TOKEN}.key", 1)
    if len(octets) < 37:
        raise Refused("truncated", f"{TOKEN}.mac", 5)
    key = int.from_bytes(octets[1:5], "big")
    secret = next((bytes.fromhex(it["secret"]) for it in keys if it["id"] == key), None)
    if secret is None:
        raise Refused("unknown-key", f"{TOKEN}.key", 1)
    body, mac = octets[:-32], octets[-32:]
    names = "tokenbind-http sealed token", purpose, cookie or ""
    labels = b"".join(bytes([len(it.encode())]) + it.encode() for it in names)
    if not hmac.compare_digest(hmac.new(secret, labels + body, hashlib.sha256).digest(), mac):
        raise Refused("mac-mismatch", f"{TOKEN}.mac", len(body))
    at = 5

    def take(name, count):
        nonlocal at
        if len(body) - at < count:
            raise Refused("truncated", f"{TOKEN}.{name}", at)
        at += count
        return body[at - count : at]

    binding = take("binding", 1)[0]
    if binding > 1:
        raise Refused("unknown-binding", f"{TOKEN}.binding", 5)
    bound_to = take("key_id_sha256", 32) if binding else None
    expires_at, expires = at, int.from_bytes(take("expires", 8), "big")
    if expires > LAST_SECOND:
        raise Refused("expiry-range", f"{TOKEN}.expires", expires_at)
    length = int.from_bytes(take("payload", 2), "big")
    if length > LONGEST_PAYLOAD:
        raise Refused("too-long", f"{TOKEN}.payload", at)
    payload = take("payload", length)
    if at < len(body):
        raise Refused("trailing-bytes", f"{TOKEN}.payload", at)
    if now > LAST_SECOND:
        raise Refused("clock", f"{TOKEN}.expires", expires_at)
    if now >= expires:
        raise Refused("expired", f"{TOKEN}.expires", expires_at)
    claim = {"kind": "bearer"} if bound_to is None else {"kind": "key-id-sha256", "value": bound_to.hex()}
    try:
        verdict = wire.token_check(claim, connection, bearer_policy)["verdict"]
    except wire.Refused as refused:
        raise Refused(refused.reject["kind"], f"{TOKEN}.binding", 5) from None
    return {"verdict": verdict, "payload": payload.hex(), "expires": expires, "key": key}


def token_octets(token):
    if not token:
        raise Refused("empty", TOKEN)
    if len(token) > LONGEST_TOKEN:
        raise Refused("too-long", TOKEN, LONGEST_TOKEN)
    for offset, character in enumerate(token):
        if character not in WEB_SAFE:
            raise Refused("alphabet", TOKEN, offset)
    return decoded(token, TOKEN)


SUITES = {
    "header": header, "request": request, "token-to-issue": token_to_issue, "redirect": redirect, "xhr": xhr,
    "client-hello": client_hello, "server-policy": server_policy, "sealed-token": sealed_token,
}
