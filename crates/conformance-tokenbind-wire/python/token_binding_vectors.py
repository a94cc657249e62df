"""Generates the conformance vectors of draft-popov-token-binding-00.

The independent source of tokenbind-wire's known answers: signatures come from `cryptography`,
offsets from the order in which this script writes fields. Nothing here decodes a message.

    token_binding_vectors.py            write the vector files
    token_binding_vectors.py --check    compare them with the committed ones
"""

import hashlib
import re
import sys
from math import gcd
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main as write_or_check  # noqa: E402

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCE = "crates/conformance-tokenbind-wire/python/token_binding_vectors.py (Python cryptography)"

MESSAGE = "TokenBindingMessage"
BINDINGS = "TokenBindingMessage.tokenbindings"
ID = "TokenBindingID"
TYPE = "TokenBindingID.tokenbinding_type"
ALGORITHM = "TokenBindingID.algorithm"
MODULUS = "RSAPublicKey.modulus"
EXPONENT = "RSAPublicKey.publicexponent"
CURVE = "ECDSAParams.namedcurve"
POINT = "ECDSAParams.point"
SIGNATURE = "TokenBinding.signature"
EXTENSIONS = "TokenBinding.extensions"
EXTENSION_TYPE = "Extension.extension_type"
EXTENSION_DATA = "Extension.extension_data"

PROVIDED, REFERRED = 0, 1
RSA_SHA256, ECDSA_SHA256 = b"\x04\x01", b"\x04\x03"
X962, BARE64, DER, RAW64 = "x962", "bare64", "der", "raw64"
DEFAULT = {"point": X962, "signature": DER}
PROFILES = [{"point": p, "signature": s} for p in (X962, BARE64) for s in (DER, RAW64)]
H1_P256, H1_RSA = "http/1.1_tb_p256", "http/1.1_tb_rsa2048"
H2_P256, H2_RSA = "h2_tb_p256", "h2_tb_rsa2048"
TLS_UNIQUE = bytes(range(12))
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1

RSA_1_P = int(
    "f31d1aadb0359ad6f8b63d1516f374fb57139f12d386b99d97a704054966b346"
    "53793780ab5fefdb2c6310864ebb126d54b018a6c631eba87e4e3b8afd129e28"
    "8ed740c1f8546521f63cfa4ba4731cab73eb1485e23edf0cb7d5811691029a25"
    "fe74a42242b4f18f0cbccb8d4fb2359e9faacdfac58a09da5ae0f88a8a09b385",
    16,
)
RSA_1_Q = int(
    "e3aa6095f8a51ff7791606dee745f75cb15e49cbcb3fc93a2b84dae824eff494"
    "4e21c767ac086bfe9eb1d0bdd86243600b4335dcdd1cf2b9882ba52217dbd877"
    "0445ecd8f17347fb30188323824d5720378008fd303e32e377212412122f96db"
    "a9505182f19ae0eb44032cd9f661d4c4070bcc7c469d4425f47740e6204d0001",
    16,
)
RSA_2_P = int(
    "fe80674bfc1b71c3ade8cde177e21f547d2e92db114ef96dc9f27a85cfd85567"
    "c5df2ce33c247b26792375191e3fa67d1d7d7a93f7b8d4188f2c3d88f2302d0b"
    "59faf54ccf28885c52aa9a19cdd0d929cb1c08796eecda98a0d6b12986f2801b"
    "8a0aab0b0e3e56dfc53eff33e33013668b8d213a7a48efba2c4ebe9dad557623",
    16,
)
RSA_2_Q = int(
    "e7137831764e5f9f0e90e6e3cc5271b976d7135b50c7ca5aa044a368e18f7192"
    "8b16cf28bafd740bd48c82e7e67837545be35f490a0d2e86cf109d059890e9b0"
    "3a76027c560557ff78e394046d1a1976144bee6b19bcbc2758027eed51f5c2bd"
    "77254b41ac31eb9f7ce35923b2a79618160b5a89e98df63f6dce217181102c6f",
    16,
)


# --- keys and signatures ---------------------------------------------------------------------


def signed_octets(tls_unique=TLS_UNIQUE):
    return b"token binding\0" + tls_unique


def minimal(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


class P256:
    algorithm = ECDSA_SHA256

    def __init__(self, scalar):
        self.key = ec.derive_private_key(scalar, ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        self.x, self.y = numbers.x, numbers.y

    def xy(self):
        return self.x.to_bytes(32, "big") + self.y.to_bytes(32, "big")

    def point(self, profile):
        return (b"\x04" if profile["point"] == X962 else b"") + self.xy()

    def key_items(self, profile=DEFAULT):
        return [(CURVE, None, b"\x00\x17"), (POINT, 1, self.point(profile))]

    def sign_rs(self, octets, algorithm=None):
        algorithm = algorithm or ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        der = self.key.sign(octets, algorithm)
        self.key.public_key().verify(der, octets, ec.ECDSA(hashes.SHA256()))
        return decode_dss_signature(der)

    def sign(self, octets=None, profile=DEFAULT):
        return wire_signature(*self.sign_rs(octets or signed_octets()), profile)


def wire_signature(r, s, profile=DEFAULT):
    if profile["signature"] == RAW64:
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return encode_dss_signature(r, s)


class Rsa:
    algorithm = RSA_SHA256

    def __init__(self, p, q, e):
        d = pow(e, -1, (p - 1) * (q - 1))
        numbers = rsa.RSAPrivateNumbers(
            p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q)
        )
        self.key = numbers.private_key()
        self.n, self.e = p * q, e

    def key_items(self, profile=DEFAULT):
        return [(MODULUS, 2, minimal(self.n)), (EXPONENT, 1, minimal(self.e))]

    def sign(self, octets=None, profile=DEFAULT, scheme=None, digest=None):
        octets, digest = octets or signed_octets(), digest or hashes.SHA256()
        return self.key.sign(octets, scheme or padding.PKCS1v15(), digest)


class RawRsa(Rsa):
    """One of a public exponent that no library takes: signs by hand (RFC 8017 section 8.2.1)."""

    DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")

    def __init__(self, p, q, e):
        self.n, self.e, self.d = p * q, e, pow(e, -1, (p - 1) * (q - 1))

    def sign(self, octets=None, profile=DEFAULT, scheme=None, digest=None):
        encoded = self.DIGEST_INFO + hashlib.sha256(octets or signed_octets()).digest()
        encoded = b"\0\1" + b"\xff" * (253 - len(encoded)) + b"\0" + encoded
        signature = pow(int.from_bytes(encoded, "big"), self.d, self.n)
        assert pow(signature, self.e, self.n) == int.from_bytes(encoded, "big")
        return signature.to_bytes(256, "big")


P1, P2, P3 = (P256(0x1111 * n + (7 << (40 * n))) for n in (1, 2, 3))
R1, R2 = Rsa(RSA_1_P, RSA_1_Q, 3), Rsa(RSA_2_P, RSA_2_Q, 65537)


# --- building bytes, and knowing where everything stands ---------------------------------------


class Bytes:
    """Bytes with the place of every item: (field, first byte, length), in order of reading."""

    def __init__(self):
        self.data, self.items = bytearray(), []

    def put(self, field, data):
        self.items.append((field, len(self.data), len(data)))
        self.data += data

    def vector(self, field, size, body, length=None):
        self.put(field, (len(body) if length is None else length).to_bytes(size, "big"))
        self.put(field, body)

    def at(self, field, nth=0, prefix=False):
        """The first byte of the nth value of a field (of its length prefix if asked)."""
        places = [start for name, start, _ in self.items if name == field]
        if field in (MODULUS, EXPONENT, POINT, SIGNATURE, EXTENSIONS):
            places = places[0 if prefix else 1 :: 2]
        return places[nth]


def put_items(out, items):
    for field, size, body in items:
        if size is None:
            out.put(field, body)
        else:
            out.vector(field, size, body)


class Binding:
    def __init__(self, type_, key, signature=None, *, profile=DEFAULT, algorithm=None,
                 items=None, extensions=(), extension_bytes=None, octets=None):
        self.type = type_
        self.algorithm = algorithm or key.algorithm
        self.items = key.key_items(profile) if items is None else items
        self.signature = key.sign(octets, profile) if signature is None else signature
        self.extensions = list(extensions)
        self.extension_bytes = extension_bytes

    def put_id(self, out):
        out.put(TYPE, bytes([self.type]))
        out.put(ALGORITHM, self.algorithm)
        put_items(out, self.items)

    def id(self):
        out = Bytes()
        self.put_id(out)
        return bytes(out.data)

    def put(self, out):
        self.put_id(out)
        out.vector(SIGNATURE, 2, self.signature)
        body = self.extension_bytes
        if body is None:
            body = b"".join(
                bytes([kind]) + len(data).to_bytes(2, "big") + data for kind, data in self.extensions
            )
        out.vector(EXTENSIONS, 2, body)

    def accepted(self, verified):
        id_ = self.id()
        return {
            "type": self.type,
            "id": id_.hex(),
            "key_id": id_[1:].hex(),
            "signature": self.signature.hex(),
            "extensions": [{"type": kind, "data": data.hex()} for kind, data in self.extensions],
            "verified": verified,
        }


class Raw:
    """Bytes that stand where a binding would: one under an unknown signature algorithm."""

    def __init__(self, type_, algorithm, rest=b""):
        self.type, self.algorithm, self.rest = type_, algorithm, rest

    def put(self, out):
        out.put(TYPE, bytes([self.type]))
        out.put(ALGORITHM, self.algorithm)
        out.put("rest", self.rest)


def build(*bindings, length=None, after=b""):
    """A whole message; places count from its first byte."""
    body = Bytes()
    body.data += b"\0\0"
    for binding in bindings:
        binding.put(body)
    size = len(body.data) - 2 if length is None else length
    body.data[:2] = size.to_bytes(2, "big")
    body.data += after
    return body


# --- suites --------------------------------------------------------------------------------------


class Suite(SuiteFile):
    source = SOURCE

    def __init__(self, name):
        super().__init__(name, self.source, [], indent="")
        self.names = set()

    def add(self, name, requirements, fields, **outcome):
        name = name.replace("/", "-")
        assert name not in self.names, name
        assert len(outcome) == 1 and requirements, name
        self.names.add(name)
        self.cases.append(
            {"name": name, "requirements": list(dict.fromkeys(requirements.split())), **fields, **outcome}
        )


def reject(kind, field, offset):
    return {"kind": kind, "field": field, "offset": offset}


class MessageSuite(Suite):
    def __init__(self):
        super().__init__("tokenbind-wire/message")

    def fields(self, data, profile=DEFAULT, negotiated=H1_P256, tls_unique=TLS_UNIQUE, first=True):
        return {
            "message": None if data is None else bytes(data).hex(),
            "profile": profile,
            "negotiated": negotiated,
            "tls_unique": tls_unique.hex(),
            "first": first,
        }

    def accept(self, name, requirements, bindings, verified, *, raw=None, **options):
        parts = list(bindings) + ([raw] if raw else [])
        message = build(*parts)
        unreadable = None
        if raw:
            start = message.items[-3][1]
            unreadable = {
                "offset": start,
                "type": raw.type,
                "bytes": bytes(message.data[start:]).hex(),
            }
        accepted = {
            "bindings": [b.accepted(v) for b, v in zip(bindings, verified, strict=True)],
            "unreadable": unreadable,
        }
        self.add(name, requirements, self.fields(message.data, **options), accept=accepted)

    def refuse(self, name, requirements, data, kind, field, offset, **options):
        fields = self.fields(getattr(data, "data", data), **options)
        self.add(name, requirements, fields, reject=reject(kind, field, offset))


G_TLS_UNIQUE = bytes.fromhex("000102030405060708090a0b")
G_POINT = "040df985c0a32391841cb2c06748b697666f41ef9b48f00fee3a2f91924ce3060782699735dd5a4699d09972bd821526addb52ea9fdedae4a531721528e230832b"
G_DER = "304402207574bf806205d5f19f6ce9591f655fe01541e6d2dae28dbb07ab327b586cd3cd02206d3651bf93748aaa80ad5cd5b79ddbb4b5d3945af4251d646909b9ff58ebff49"
G_RAW = "7574bf806205d5f19f6ce9591f655fe01541e6d2dae28dbb07ab327b586cd3cd6d3651bf93748aaa80ad5cd5b79ddbb4b5d3945af4251d646909b9ff58ebff49"
G_MODULUS = "806d98f880c484aaf137f9198e9d9eacb21b49ef8581810b5bb8fcb85696c6ffa254394fbe089206f7bee86cce39ce37f0987fd7fede2289b463757de322043db095565c89ff10d52fb0429406db5a5df73b56c1598a3b5be3d71b4ba4f04b5aa0bf7b8fde6e07263fdb3274a2fce9d2931b04620dde884997930f0bf9487cade1a87c2eab0ec3b0fc450a37e1806e0a2046d5612249e2b0702bd400d67d737b416531621e5e83c8613a1b4c9e77ace217d6378ef95418352670e8dcff84eeeab9128039e21625d3c7195b8fea14bb65e4f26c1889db0e5b62ba45218071fee87468b0aedf7085d8932b6c7c1d3736e79e830a9a59f4edae670c11790332881f"
G_RSA = "30504a05b0ed64b7d4bc28f725546fc4000c4a92e84630a1ec11f9895cd8db81b57c160bc7b91bfa9a8f2c728244d885100b917d753f00d75c7c30f3a0a16e8f3c5fbaa9efebbd9c47ba16beaf1ed91eed08ad4d52bdb05b94fe22bfb76b6f3197fae8665d9e439d82c10a6213566ea89ae76274eecd8614d83836164fb3a99496fff827aab04d2a30566467cd03ab998252fe7675e0d46c623dc00439a4e283f15d97daa5665c2b0777bfe883f9a7f49300b5295f4fa795d1dd7bae0f9d6af1197a137bfbce1490c993a904224ebd57eb97629db5d674693463f04f143ae4f10682bf15fc5d799952e6e1f41c0ba101aeac0d9ef4aa60f08aa6a58ebfa66cab"
G_POINT_2 = "0447af066dd210cab1ea928ac9174b1e91826f7fc895d37a1b1b16da59ba801097adb18c69ac1e9cdccc792831c11998ec15b7855b95de73f11ac57d07c3746627"
G_DER_2 = "3045022100c37bffba4d42f7b7745a77cd8a545c147cefcee55ffd1e94909187fc18a5a5e002201273244c68a7ad4744c58d1c2ac927722a2189092cd10ab3063aad0402398a2b"


def literal_p256(type_, point, signature):
    items = [(CURVE, None, b"\x00\x17"), (POINT, 1, bytes.fromhex(point))]
    signature = bytes.fromhex(signature)
    return Binding(type_, None, signature, algorithm=ECDSA_SHA256, items=items)


def literal_rsa(type_, modulus, exponent, signature):
    items = [(MODULUS, 2, bytes.fromhex(modulus)), (EXPONENT, 1, bytes.fromhex(exponent))]
    signature = bytes.fromhex(signature)
    return Binding(type_, None, signature, algorithm=RSA_SHA256, items=items)


def known_answers(suite):
    g1 = literal_p256(PROVIDED, G_POINT, G_DER)
    g2 = literal_p256(PROVIDED, G_POINT, G_RAW)
    g5 = literal_rsa(PROVIDED, G_MODULUS, "010001", G_RSA)
    g6 = literal_p256(REFERRED, G_POINT_2, G_DER_2)
    both = "popov-4-3 popov-5-6"
    suite.accept("known-answer-g1-provided-p256-x962-der", both, [g1], [True])
    suite.accept("known-answer-g2-provided-p256-x962-raw64", both, [g2], [True],
                 profile={"point": X962, "signature": RAW64})
    suite.accept("known-answer-g5-provided-rsa2048", both, [g5], [True], negotiated=H1_RSA)
    suite.accept("known-answer-g6-provided-and-referred-p256", both, [g1, g6], [True, True])


def established(suite):
    ok = "popov-4-3 popov-5-4 popov-5-6"
    for profile in PROFILES:
        name = f"{profile['point']}-{profile['signature']}"
        provided = Binding(PROVIDED, P1, profile=profile)
        referred = Binding(REFERRED, P2, profile=profile)
        rsa_referred = Binding(REFERRED, R2, profile=profile)
        suite.accept(f"provided-p256-{name}", ok, [provided], [True], profile=profile)
        suite.accept(f"provided-and-referred-p256-{name}", ok, [provided, referred],
                     [True, True], profile=profile)
        suite.accept(f"referred-before-provided-p256-{name}", ok, [referred, provided],
                     [True, True], profile=profile)
        suite.accept(f"provided-p256-referred-rsa-{name}", ok + " popov-5-5",
                     [provided, rsa_referred], [True, True], profile=profile)
        suite.accept(f"provided-rsa-referred-p256-{name}", ok + " popov-5-5",
                     [Binding(PROVIDED, R1, profile=profile), referred], [True, True],
                     profile=profile, negotiated=H2_RSA)
    for alpn, key in ((H1_P256, P3), (H2_P256, P3), (H1_RSA, R2), (H2_RSA, R2)):
        for first in (True, False):
            suite.accept(f"{alpn}-{'first' if first else 'later'}-message", ok + " popov-4-4",
                         [Binding(PROVIDED, key)], [True], negotiated=alpn, first=first)
    suite.accept("provided-rsa-exponent-3", ok, [Binding(PROVIDED, R1)], [True], negotiated=H1_RSA)
    suite.accept("provided-and-referred-rsa", ok, [Binding(PROVIDED, R1), Binding(REFERRED, R2)],
                 [True, True], negotiated=H1_RSA)
    for length in (12, 13, 32):
        unique = bytes(range(100, 100 + length))
        suite.accept(f"tls-unique-of-{length}-bytes", ok + " popov-4-3",
                     [Binding(PROVIDED, P1, octets=signed_octets(unique))], [True],
                     tls_unique=unique)
    r, s = P1.sign_rs(signed_octets())
    suite.accept("the-other-s-of-a-signature-is-valid-too", ok,
                 [Binding(PROVIDED, P1, wire_signature(r, ORDER - s))], [True])


def extensions_and_types(suite):
    ignored = "popov-4-2"
    for name, extensions in {
        "one": [(0, b"data")], "empty-data": [(255, b"")], "type-twice": [(7, b"a"), (7, b"b")],
        "many": [(n, bytes([n]) * n) for n in range(40)], "of-65300-bytes": [(9, bytes(65300))],
    }.items():
        suite.accept(f"unknown-extensions-{name}", ignored,
                     [Binding(PROVIDED, P1, extensions=extensions)], [True])
    id_length = len(Binding(PROVIDED, P1).id())
    room = 65535 - id_length - 2 - len(P1.sign()) - 2 - 3
    suite.accept("largest-message", ignored,
                 [Binding(PROVIDED, P1, extensions=[(1, b"\xa5" * room)])], [True])
    suite.accept("unknown-extensions-on-both-bindings", ignored,
                 [Binding(PROVIDED, P1, extensions=[(1, b"x")]),
                  Binding(REFERRED, P2, extensions=[(2, b"")])], [True, True])
    unknown = "popov-4-1 popov-8-1"
    for type_ in (2, 127, 255):
        suite.accept(f"unknown-type-{type_}-is-kept-unverified", unknown,
                     [Binding(PROVIDED, P1), Binding(type_, P2)], [True, False])
    suite.accept("unknown-type-first", unknown, [Binding(2, P2), Binding(PROVIDED, P1)],
                 [False, True])
    suite.accept("unknown-type-whose-signature-does-not-verify", unknown,
                 [Binding(PROVIDED, P1), Binding(9, P2, P3.sign())], [True, False])
    suite.accept("unknown-type-with-the-provided-key", unknown,
                 [Binding(PROVIDED, P1), Binding(9, P1)], [True, False])
    suite.accept("one-unknown-type-several-times", unknown,
                 [Binding(PROVIDED, P1), Binding(9, P2), Binding(9, P3)], [True, False, False])
    # Only the lengths of an unknown type are read: neither its signature nor its key is checked.
    skipped = "popov-4-1 popov-8-1"
    provided = Binding(PROVIDED, P1)
    for type_ in (2, 255):
        for label, key, octets in (
            ("of-one-byte", P2, b"\x30"), ("empty", P2, b""), ("der-with-a-byte-after", P2, P2.sign() + b"\0"),
            ("of-an-rsa-key", P2, R2.sign()), ("raw64", P2, P2.sign(profile={"point": X962, "signature": RAW64})),
            ("of-5000-bytes", P2, bytes(5000)), ("rsa-of-255-bytes", R2, R2.sign()[1:]), ("rsa-empty", R2, b""),
        ):
            odd = Binding(type_, key, octets)
            suite.accept(f"unknown-type-{type_}-signature-{label}", skipped, [provided, odd], [True, False])
            suite.accept(f"unknown-type-{type_}-first-signature-{label}", skipped, [odd, provided], [False, True])
        for name, (modulus, _) in MODULI.items():
            odd = Binding(type_, None, b"?", algorithm=RSA_SHA256, items=rsa_items(n=modulus))
            suite.accept(f"unknown-type-{type_}-modulus-{name}", skipped, [provided, odd], [True, False])
        for name, (exponent, _) in EXPONENTS.items():
            odd = Binding(type_, None, b"?", algorithm=RSA_SHA256, items=rsa_items(e=exponent))
            suite.accept(f"unknown-type-{type_}-publicexponent-{name}", skipped, [provided, odd], [True, False])
        for name, (encoding, point, _) in POINTS.items():
            profile = {"point": encoding, "signature": DER}
            odd = Binding(type_, None, b"?", algorithm=ECDSA_SHA256, items=[(CURVE, None, b"\0\x17"), (POINT, 1, point)])
            suite.accept(f"unknown-type-{type_}-point-{name}", skipped, [Binding(PROVIDED, P1, profile=profile), odd],
                         [True, False], profile=profile)
    # Its lengths are read, since they decide where the rest begins.
    odd = build(provided, Binding(2, P2, b"?", extension_bytes=b"\1\0\5abcd"))
    suite.refuse("unknown-type-extension-longer-than-the-list", "popov-4-3", odd, "truncated", EXTENSION_DATA,
                 odd.at(EXTENSIONS, 1) + 3)
    for field, items in (
        (MODULUS, [(MODULUS, 2, bytes(4))]), (EXPONENT, [(MODULUS, 2, bytes(4)), (EXPONENT, 1, bytes(4))]),
        (CURVE, [(CURVE, None, b"\0\x17")]), (POINT, [(CURVE, None, b"\0\x17"), (POINT, 1, bytes(4))]),
    ):
        algorithm = RSA_SHA256 if field in (MODULUS, EXPONENT) else ECDSA_SHA256
        body = Bytes()
        body.data += build(provided).data
        body.put(TYPE, b"\2")
        body.put(ALGORITHM, algorithm)
        put_items(body, items)
        cut = body.data[:-1]
        cut[:2] = (len(cut) - 2).to_bytes(2, "big")
        suite.refuse(f"unknown-type-truncated-{field.split('.')[1]}", "popov-4-3", cut, "truncated", field,
                     len(cut) - (1 if field == CURVE else 3))
    many = [Binding(PROVIDED, P1)] + [Binding(2 + n, P2) for n in range(15)]
    suite.accept("sixteen-bindings", unknown, many, [True] + [False] * 15)
    more = build(*many, Binding(99, P2))
    suite.refuse("seventeen-bindings", "popov-4-1", more, "too-many-token-bindings", BINDINGS,
                 more.at(TYPE, 16))


def unsupported(suite):
    unsupported_ = "popov-5-5 popov-4-6"
    provided = Binding(PROVIDED, P1)
    cases = {
        "hash-sha1": dict(algorithm=b"\x02\x03", items=P2.key_items()),
        "hash-unknown-rsa": dict(algorithm=b"\x05\x01", items=R2.key_items()),
        "curve-secp384r1": dict(algorithm=ECDSA_SHA256,
                                items=[(CURVE, None, b"\x00\x18"), (POINT, 1, b"\x04" + bytes(96))]),
    }
    for name, parts in cases.items():
        for signature, label in ((b"anything", "opaque"), (b"", "empty")):
            odd = Binding(REFERRED, None, signature, **parts)
            suite.accept(f"referred-{name}-{label}-signature", unsupported_, [provided, odd],
                         [True, False])
        odd = Binding(PROVIDED, None, b"anything", **parts)
        message = build(odd)
        curve = "curve" in name
        field = CURVE if curve else ALGORITHM
        suite.refuse(f"provided-{name}", "popov-5-4", message, "key-parameters-mismatch", field,
                     message.at(field), negotiated=H1_RSA if "rsa" in name else H1_P256)
        suite.accept(f"unknown-type-{name}", unsupported_, [provided, Binding(77, None, b"", **parts)],
                     [True, False])
    for rest, label in ((bytes(90), "with-a-key"), (b"", "of-three-bytes")):
        for type_, name in ((REFERRED, "referred"), (42, "unknown-type")):
            for algorithm in (b"\x04\x02", b"\x04\x00", b"\x00\xff"):
                suite.accept(f"unreadable-{name}-{algorithm.hex()}-{label}", unsupported_, [provided],
                             [True], raw=Raw(type_, algorithm, rest))
    suite.accept("unreadable-after-provided-and-referred", unsupported_,
                 [provided, Binding(REFERRED, P2)], [True, True], raw=Raw(3, b"\x04\x07", b"?"))
    first = build(Raw(PROVIDED, b"\x04\x02", bytes(80)))
    suite.refuse("unreadable-provided", "popov-5-4", first, "key-parameters-mismatch", ALGORITHM, 3)
    hidden = build(Raw(REFERRED, b"\x04\x02", bytes(80)), provided)
    suite.refuse("unreadable-referred-hides-the-provided", "popov-5-4", hidden, "missing-provided",
                 BINDINGS, 2)
    after = build(Binding(REFERRED, P2), Raw(PROVIDED, b"\x04\x02", bytes(80)))
    suite.refuse("unreadable-provided-after-a-referred", "popov-5-4", after,
                 "key-parameters-mismatch", ALGORITHM, after.at(ALGORITHM, 1))
    for type_, name in ((PROVIDED, "provided"), (REFERRED, "referred")):
        bindings = [provided] if type_ == PROVIDED else [provided, Binding(REFERRED, P2)]
        again = build(*bindings, Raw(type_, b"\x04\x02", bytes(9)))
        suite.refuse(f"unreadable-second-{name}", "popov-4-3", again,
                     "duplicate-token-binding-type", TYPE, again.at(TYPE, len(bindings)))
    short = build(provided, Raw(REFERRED, b"\x04", b""))
    suite.refuse("unreadable-without-its-algorithm", "popov-4-3", short, "truncated", ALGORITHM,
                 short.at(ALGORITHM, 1))


def truncated(suite):
    shapes = {
        "p256": (H1_P256, [Binding(PROVIDED, P1, extensions=[(1, b"ab")])]),
        "rsa": (H1_RSA, [Binding(PROVIDED, R2, extensions=[(1, b"ab")])]),
        "second": (H1_P256, [Binding(PROVIDED, P1), Binding(REFERRED, P2)]),
    }
    for shape, (alpn, bindings) in shapes.items():
        whole = build(*bindings)
        items = [item for item in whole.items if item[1] > 2]
        if shape == "second":
            items = items[len(items) // 2 :]
        seen = set()
        for number, (field, start, size) in enumerate(items):
            for cut in (start, start + size - 1):
                if size == 0 or cut in seen or (shape == "second" and number == 0):
                    continue
                seen.add(cut)
                data = (cut - 2).to_bytes(2, "big") + whole.data[2:cut]
                label = field.split(".")[1]
                suite.refuse(f"truncated-{shape}-{number}-{label}-at-{cut}", "popov-4-3", data,
                             "truncated", field, start, negotiated=alpn)
    whole = build(Binding(PROVIDED, P1)).data
    suite.refuse("empty-input", "popov-4-3", b"", "truncated", BINDINGS, 0)
    suite.refuse("one-byte", "popov-4-3", b"\0", "truncated", BINDINGS, 0)
    suite.refuse("one-byte-less", "popov-4-3", whole[:-1], "truncated", BINDINGS, 2)
    suite.refuse("one-byte-more", "popov-4-3", whole + b"\0", "trailing-bytes", MESSAGE, len(whole))
    suite.refuse("length-one-less", "popov-4-3", build(Binding(PROVIDED, P1), length=len(whole) - 3),
                 "truncated", EXTENSIONS, len(whole) - 2)
    suite.refuse("length-one-more", "popov-4-3", build(Binding(PROVIDED, P1), length=len(whole) - 1),
                 "truncated", BINDINGS, 2)
    more = build(Binding(PROVIDED, P1), after=b"")
    more.data += b"\0"
    more.data[:2] = (len(more.data) - 2).to_bytes(2, "big")
    suite.refuse("a-zero-byte-after-the-last-binding", "popov-4-3", more.data, "truncated",
                 ALGORITHM, len(more.data))
    for body, kind_field, shift in (
        (b"\x01\x00\x05abcd", EXTENSION_DATA, 3), (b"\x01\x00", EXTENSION_DATA, 1),
        (b"\x01", EXTENSION_DATA, 1), (b"\x01\x00\x00\x02", EXTENSION_DATA, 4),
    ):
        message = build(Binding(PROVIDED, P1, extension_bytes=body))
        suite.refuse(f"extensions-{body.hex()}", "popov-4-2", message, "truncated", kind_field,
                     message.at(EXTENSIONS) + shift)
    suite.refuse("longer-than-the-wire-allows", "popov-4-3", bytes(65538), "message-too-long",
                 MESSAGE, 65537)


def rsa_items(n=None, e=None):
    return [(MODULUS, 2, minimal(R2.n) if n is None else n), (EXPONENT, 1, b"\1\0\1" if e is None else e)]


MODULI = {
    "leading-zero": (b"\0" + minimal(R2.n), "leading-zero"),
    "leading-zero-in-256-bytes": (b"\0" + minimal(R2.n)[1:], "leading-zero"),
    "only-zero": (b"\0", "leading-zero"),
    "2047-bits": ((R2.n >> 1 | 1).to_bytes(256, "big"), "modulus-size"),
    "2040-bits": (minimal(R2.n >> 8 | 1), "modulus-size"),
    "2049-bits": (minimal(1 << 2048 | 1), "modulus-size"),
    "1024-bits": (minimal(RSA_2_P), "modulus-size"),
    "4096-bits": (minimal(R2.n * R1.n | 1), "modulus-size"),
    "even": (minimal(R2.n - 1), "even"),
    "empty": (b"", "empty"),
}
EXPONENTS = {
    "0": (b"\0", "leading-zero"), "1": (b"\1", "exponent-too-small"), "2": (b"\2", "even"),
    "65536": (b"\1\0\0", "even"), "leading-zero": (b"\0\1\0\1", "leading-zero"), "empty": (b"", "empty"),
}
OFF_CURVE = P1.xy()[:-1] + bytes([P1.xy()[-1] ^ 1])
SQRT_B = 0x66485C780E2F83D72433BD5D84A06BB6541C2AF31DAE871728BF856A174F93F4
POINTS = {  # name: (point encoding, octets, kind)
    "compressed": (X962, bytes([2 + P1.y % 2]) + P1.xy()[:32], "point-length"),
    "infinity": (X962, b"\0", "point-length"),
    "bare-under-x962": (X962, P1.xy(), "point-length"),
    "x962-under-bare": (BARE64, b"\x04" + P1.xy(), "point-length"),
    "66-bytes": (X962, b"\x04" + P1.xy() + b"\0", "point-length"),
    "64-bytes": (X962, (b"\x04" + P1.xy())[:-1], "point-length"),
    "63-bytes-bare": (BARE64, P1.xy()[:-1], "point-length"),
    "hybrid-6": (X962, b"\x06" + P1.xy(), "point-format"),
    "hybrid-7": (X962, b"\x07" + P1.xy(), "point-format"),
    "format-0": (X962, b"\0" + P1.xy(), "point-format"),
    "format-2-of-65-bytes": (X962, b"\2" + P1.xy(), "point-format"),
    "off-curve": (X962, b"\x04" + OFF_CURVE, "point-not-on-curve"),
    "off-curve-bare": (BARE64, OFF_CURVE, "point-not-on-curve"),
    "zero": (X962, b"\x04" + bytes(64), "point-not-on-curve"),
    "x-is-p": (X962, b"\x04" + PRIME.to_bytes(32, "big") + SQRT_B.to_bytes(32, "big"), "point-not-on-curve"),
    "all-ones": (X962, b"\x04" + b"\xff" * 64, "point-not-on-curve"),
    "x-and-y-swapped": (X962, b"\x04" + P1.xy()[32:] + P1.xy()[:32], "point-not-on-curve"),
    "empty": (X962, b"", "empty"),
}


def bad_keys(suite):
    for name, (modulus, kind) in MODULI.items():
        message = build(Binding(PROVIDED, None, bytes(256), algorithm=RSA_SHA256, items=rsa_items(n=modulus)))
        suite.refuse(f"modulus-{name}", "popov-4-6 popov-5-4", message, kind, MODULUS,
                     message.at(MODULUS), negotiated=H1_RSA)
    for name, (exponent, kind) in EXPONENTS.items():
        message = build(Binding(PROVIDED, None, bytes(256), algorithm=RSA_SHA256, items=rsa_items(e=exponent)))
        suite.refuse(f"publicexponent-{name}", "popov-4-6", message, kind, EXPONENT,
                     message.at(EXPONENT), negotiated=H1_RSA)
    # Up to 33 bits every backend verifies, from 34 none: popov-5-8.
    largest = 2**33 - 1
    for name, exponent in (("257", 257), ("33-bits", largest)):
        key = RawRsa(RSA_2_P, RSA_2_Q, exponent)
        suite.accept(f"publicexponent-{name}-verifies", "popov-5-6 popov-5-8", [Binding(PROVIDED, key)], [True],
                     negotiated=H1_RSA)
    for name, exponent in (("34-bits", largest + 2), ("64-bits", 2**63 + 13), ("2040-bits", 2**2039 + 1)):
        while gcd(exponent, (RSA_2_P - 1) * (RSA_2_Q - 1)) != 1:
            exponent += 2
        key = RawRsa(RSA_2_P, RSA_2_Q, exponent)
        message = build(Binding(PROVIDED, key))
        suite.refuse(f"publicexponent-{name}-is-not-verified", "popov-5-8", message, "signature-invalid", SIGNATURE,
                     message.at(SIGNATURE), negotiated=H1_RSA)
        message = build(Binding(PROVIDED, P1), Binding(REFERRED, key))
        suite.refuse(f"publicexponent-{name}-of-the-referred-is-not-verified", "popov-5-8", message,
                     "signature-invalid", SIGNATURE, message.at(SIGNATURE, 1))
    message = build(Binding(PROVIDED, P1), Binding(REFERRED, None, bytes(256), algorithm=RSA_SHA256,
                                                  items=rsa_items(n=MODULI["4096-bits"][0])))
    suite.refuse("referred-modulus-4096-bits", "popov-4-6", message, "modulus-size", MODULUS,
                 message.at(MODULUS))
    for name, (encoding, point, kind) in POINTS.items():
        items = [(CURVE, None, b"\x00\x17"), (POINT, 1, point)]
        profile = {"point": encoding, "signature": DER}
        message = build(Binding(PROVIDED, None, P1.sign(), algorithm=ECDSA_SHA256, items=items))
        suite.refuse(f"point-{name}", "popov-4-3 popov-5-4", message, kind, POINT, message.at(POINT),
                     profile=profile)
    items = [(CURVE, None, b"\x00\x19"), (POINT, 1, b"")]
    message = build(Binding(PROVIDED, P1), Binding(REFERRED, None, b"", algorithm=ECDSA_SHA256, items=items))
    suite.refuse("empty-point-on-an-unknown-curve", "popov-4-3", message, "empty", POINT,
                 message.at(POINT, 1))


def integer(octets, tag=2):
    return bytes([tag, len(octets)]) + octets


def sequence(body, tag=0x30, length=None):
    return bytes([tag]) + (bytes([len(body)]) if length is None else length) + body


def bad_signatures(suite):
    r, s = P1.sign_rs(signed_octets())
    rb, sb = minimal(r), minimal(s)
    ri, si = (integer((b"\0" if v[0] > 127 else b"") + v) for v in (rb, sb))
    der = sequence(ri + si)
    assert der == wire_signature(r, s)
    high = b"\xff" * 32
    malformed = {
        "empty": b"", "tag-only": b"\x30", "empty-sequence": sequence(b""), "byte-after": der + b"\0",
        "one-byte-short": der[:-1], "byte-inside": sequence(ri + si + b"\0"),
        "third-integer": sequence(ri + si + integer(b"\1")), "no-s": sequence(ri),
        "long-form-length": sequence(ri + si, length=b"\x81" + bytes([len(ri + si)])),
        "indefinite-length": sequence(ri + si + b"\0\0", length=b"\x80"),
        "set-instead": sequence(ri + si, tag=0x31), "bit-string-instead": sequence(integer(rb, 3) + si),
        "not-minimal": sequence(integer(b"\0\x11") + si), "negative": sequence(integer(high) + si),
        "r-zero": sequence(integer(b"\0") + si), "s-zero": sequence(ri + integer(b"\0")),
        "r-empty": sequence(integer(b"") + si), "r-of-33-bytes": sequence(integer(b"\1" + bytes(32)) + si),
        "raw64": wire_signature(r, s, {"signature": RAW64}), "of-an-rsa-key": R2.sign(),
    }
    for name, octets in malformed.items():
        message = build(Binding(PROVIDED, P1, octets))
        suite.refuse(f"signature-der-{name}", "popov-4-3 popov-5-6", message, "signature-der", SIGNATURE,
                     message.at(SIGNATURE))
    raw = {"point": X962, "signature": RAW64}
    good = wire_signature(r, s, raw)
    for name, octets in {"63": good[1:], "65": b"\0" + good, "0": b"", "72": der}.items():
        message = build(Binding(PROVIDED, P1, octets))
        suite.refuse(f"signature-raw64-of-{name}-bytes", "popov-4-3 popov-5-6", message,
                     "signature-length", SIGNATURE, message.at(SIGNATURE), profile=raw)
    good = R2.sign()
    for name, octets in {"255": good[1:], "257": b"\0" + good, "0": b"", "der": der}.items():
        message = build(Binding(PROVIDED, R2, octets))
        suite.refuse(f"signature-rsa-of-{name}-bytes", "popov-4-3 popov-5-6", message,
                     "signature-length", SIGNATURE, message.at(SIGNATURE), negotiated=H1_RSA)
    message = build(Binding(PROVIDED, P1), Binding(REFERRED, R2, b""))
    suite.refuse("signature-of-the-referred-is-empty", "popov-4-3", message, "signature-length",
                 SIGNATURE, message.at(SIGNATURE, 1))

    digest = hashlib.sha256(signed_octets()).digest()
    wrong_octets = {
        "other-tls-unique": signed_octets(bytes(12)), "without-the-nul": b"token binding" + TLS_UNIQUE,
        "only-tls-unique": TLS_UNIQUE, "hashed-twice": digest, "label-in-capitals": b"Token Binding\0" + TLS_UNIQUE,
        "tls-unique-first": TLS_UNIQUE + b"token binding\0", "with-the-type": b"\0" + signed_octets(),
    }
    invalid = {f"over-{name}": (P1.sign(octets), R2.sign(octets)) for name, octets in wrong_octets.items()}
    invalid["by-another-key"] = (P2.sign(), R1.sign())
    for name, signatures in invalid.items():
        for key, alpn, label, octets in ((P1, H1_P256, "p256", signatures[0]), (R2, H2_RSA, "rsa", signatures[1])):
            message = build(Binding(PROVIDED, key, octets))
            suite.refuse(f"signature-{label}-{name}", "popov-4-3 popov-5-6", message, "signature-invalid",
                         SIGNATURE, message.at(SIGNATURE), negotiated=alpn)
    others = {
        "r-and-s-swapped": wire_signature(s, r), "one-bit-off": wire_signature(r ^ 1, s),
        "r-is-the-order": wire_signature(ORDER, s), "s-is-the-order": wire_signature(r, ORDER),
        "s-above-the-order": wire_signature(r, s + ORDER) if s + ORDER < 2**256 else wire_signature(r, 2**256 - 1),
        "sha384": wire_signature(*decode_dss_signature(P1.key.sign(
            signed_octets(), ec.ECDSA(hashes.SHA384(), deterministic_signing=True)))),
    }
    for name, octets in others.items():
        message = build(Binding(PROVIDED, P1, octets))
        suite.refuse(f"signature-p256-{name}", "popov-5-6", message, "signature-invalid", SIGNATURE,
                     message.at(SIGNATURE))
    em = pow(int.from_bytes(good, "big"), 3, R1.n)
    for name, key, octets in (
        ("sha1", R2, R2.sign(digest=hashes.SHA1())), ("sha512", R2, R2.sign(digest=hashes.SHA512())),
        ("zero", R2, bytes(256)), ("one", R2, bytes(255) + b"\1"), ("all-ones", R2, b"\xff" * 256),
        ("not-padded", R1, em.to_bytes(256, "big")),
    ):
        message = build(Binding(PROVIDED, key, octets))
        suite.refuse(f"signature-rsa-{name}", "popov-5-6", message, "signature-invalid", SIGNATURE,
                     message.at(SIGNATURE), negotiated=H1_RSA)
    raw_zero = build(Binding(PROVIDED, P1, bytes(64)))
    suite.refuse("signature-raw64-zero", "popov-5-6", raw_zero, "signature-invalid", SIGNATURE,
                 raw_zero.at(SIGNATURE), profile=raw)
    for key, label in ((P2, "p256"), (R2, "rsa")):
        other = (P1 if key is P2 else R1).sign()
        message = build(Binding(PROVIDED, P1), Binding(REFERRED, key, other))
        suite.refuse(f"signature-of-the-referred-{label}-by-the-provided-key", "popov-5-6", message,
                     "signature-invalid", SIGNATURE, message.at(SIGNATURE, 1))
    message = build(Binding(REFERRED, P2), Binding(PROVIDED, P1, P2.sign()))
    suite.refuse("signature-of-the-provided-after-a-good-referred", "popov-5-6", message,
                 "signature-invalid", SIGNATURE, message.at(SIGNATURE, 1))
    message = build(Binding(REFERRED, P2, P3.sign()), Binding(PROVIDED, P1, P3.sign()))
    suite.refuse("signature-of-the-provided-is-verified-first", "popov-5-6", message,
                 "signature-invalid", SIGNATURE, message.at(SIGNATURE, 1))


def decisions(suite):
    message = build(Binding(PROVIDED, P1))
    suite.refuse("sent-but-not-negotiated", "popov-4-4 popov-5-3", message, "not-negotiated", MESSAGE, 0,
                 negotiated=None)
    suite.refuse("garbage-sent-but-not-negotiated", "popov-5-3", b"\xff", "not-negotiated", MESSAGE, 0,
                 negotiated=None)
    suite.refuse("sent-later-but-not-negotiated", "popov-5-3", message, "not-negotiated", MESSAGE, 0,
                 negotiated=None, first=False)
    for first in (True, False):
        suite.add(f"not-negotiated-and-not-sent-{'first' if first else 'later'}", "popov-4-4",
                  suite.fields(None, negotiated=None, first=first), accept={"outcome": "not-in-use"})
    for alpn in (H1_P256, H1_RSA, H2_P256, H2_RSA):
        suite.refuse(f"{alpn}-negotiated-but-not-sent", "popov-4-4 popov-5-2", None, "missing-message",
                     MESSAGE, 0, negotiated=alpn)
    suite.add("later-message-without", "popov-4-5", suite.fields(None, first=False),
              accept={"outcome": "unchanged"})
    suite.refuse("no-binding", "popov-4-1 popov-5-6", b"\0\0", "no-token-binding", BINDINGS, 2)
    for first in (True, False):
        referred = build(Binding(REFERRED, P1))
        suite.refuse(f"referred-only-{'first' if first else 'later'}", "popov-5-6", referred,
                     "missing-provided", BINDINGS, 2, first=first)
    suite.refuse("unknown-type-only", "popov-5-6", build(Binding(2, P1)), "missing-provided", BINDINGS, 2)
    for alpn, key in ((H1_P256, R2), (H2_P256, R2), (H1_RSA, P1), (H2_RSA, P1)):
        other = build(Binding(PROVIDED, key))
        suite.refuse(f"{alpn}-with-the-other-key", "popov-4-6 popov-5-4 popov-9-2-1", other,
                     "key-parameters-mismatch", ALGORITHM, 3, negotiated=alpn)
    late = build(Binding(REFERRED, P2), Binding(PROVIDED, R2))
    suite.refuse("mismatch-of-the-second-binding", "popov-5-4", late, "key-parameters-mismatch", ALGORITHM,
                 late.at(ALGORITHM, 1))
    mismatch_and_bad = build(Binding(PROVIDED, R2, bytes(256)))
    suite.refuse("mismatch-comes-before-the-signature", "popov-5-4", mismatch_and_bad,
                 "key-parameters-mismatch", ALGORITHM, 3)
    for type_, name in ((PROVIDED, "provided"), (REFERRED, "referred")):
        bindings = [Binding(PROVIDED, P1)] + ([Binding(REFERRED, P2)] if type_ else [])
        twice = build(*bindings, Binding(type_, P3))
        suite.refuse(f"{name}-twice", "popov-4-3", twice, "duplicate-token-binding-type", TYPE,
                     twice.at(TYPE, len(bindings)))
    for order in ((PROVIDED, REFERRED), (REFERRED, PROVIDED)):
        same = build(*(Binding(type_, P1) for type_ in order))
        name = "provided-first" if order[0] == PROVIDED else "referred-first"
        suite.refuse(f"one-key-for-both-{name}", "popov-4-8", same, "same-key", ID, same.at(TYPE, 1))
    structure = build(Binding(PROVIDED, P1, P2.sign()), Binding(REFERRED, P2, b""))
    suite.refuse("structure-is-checked-before-any-signature", "popov-5-6", structure, "signature-der",
                 SIGNATURE, structure.at(SIGNATURE, 1))


def ids():
    suite = Suite("tokenbind-wire/id")

    def add(name, data, items, profile=DEFAULT, outcome=None):
        fields = {"id": bytes(data).hex(), "profile": profile}
        if outcome:
            suite.add(name, "popov-6-1 popov-4-6", fields, reject=reject(*outcome))
            return
        key = {"rsa": dict(modulus=items[0][2].hex(), publicexponent=items[1][2].hex())}
        if items[0][0] == CURVE:
            key = {"ecdsa": dict(namedcurve=int.from_bytes(items[0][2], "big"), point=items[1][2].hex())}
        accepted = {
            "type": data[0], "algorithm": {"hash": data[1], "signature": data[2]}, "key": key,
            "key_id": bytes(data[1:]).hex(), "sha256": hashlib.sha256(data).hexdigest(),
            "key_id_sha256": hashlib.sha256(data[1:]).hexdigest(),
        }
        suite.add(name, "popov-6-1", fields, accept=accepted)

    def bytes_of(type_, algorithm, items):
        out = Bytes()
        out.put(TYPE, bytes([type_]))
        out.put(ALGORITHM, algorithm)
        put_items(out, items)
        return out

    for type_ in (PROVIDED, REFERRED, 2, 255):
        for profile in PROFILES[::2]:
            items = P1.key_items(profile)
            add(f"p256-type-{type_}-{profile['point']}", bytes_of(type_, ECDSA_SHA256, items).data, items, profile)
        items = R2.key_items()
        add(f"rsa-type-{type_}", bytes_of(type_, RSA_SHA256, items).data, items)
    for name, exponent in (("3", b"\3"), ("of-255-bytes", b"\xff" * 255), ("257", b"\1\1")):
        items = rsa_items(e=exponent)
        add(f"rsa-exponent-{name}", bytes_of(PROVIDED, RSA_SHA256, items).data, items)
    items = P1.key_items()
    add("unknown-hash-p256", bytes_of(PROVIDED, b"\x06\x03", items).data, items)
    items = R1.key_items()
    add("unknown-hash-rsa", bytes_of(REFERRED, b"\x00\x01", items).data, items)
    for curve, size in ((24, 97), (25, 133), (29, 32), (65535, 1), (22, 255)):
        items = [(CURVE, None, curve.to_bytes(2, "big")), (POINT, 1, b"\x5a" * size)]
        add(f"unknown-curve-{curve}", bytes_of(PROVIDED, ECDSA_SHA256, items).data, items)
    for signature in (0, 2, 4, 255):
        add(f"unknown-signature-{signature}", bytes([0, 4, signature]) + bytes(70), None,
            outcome=("unsupported-algorithm", ALGORITHM, 1))
    for name, (modulus, kind) in MODULI.items():
        out = bytes_of(PROVIDED, RSA_SHA256, rsa_items(n=modulus))
        add(f"modulus-{name}", out.data, None, outcome=(kind, MODULUS, out.at(MODULUS)))
    for name, (exponent, kind) in EXPONENTS.items():
        out = bytes_of(PROVIDED, RSA_SHA256, rsa_items(e=exponent))
        add(f"publicexponent-{name}", out.data, None, outcome=(kind, EXPONENT, out.at(EXPONENT)))
    for name, (encoding, point, kind) in POINTS.items():
        out = bytes_of(PROVIDED, ECDSA_SHA256, [(CURVE, None, b"\x00\x17"), (POINT, 1, point)])
        add(f"point-{name}", out.data, None, {"point": encoding, "signature": DER},
            outcome=(kind, POINT, out.at(POINT)))
    for label, algorithm, key in (("p256", ECDSA_SHA256, P1), ("rsa", RSA_SHA256, R2)):
        out = bytes_of(PROVIDED, algorithm, key.key_items())
        for number, (field, start, size) in enumerate(out.items):
            for cut in {start, start + size - 1}:
                add(f"truncated-{label}-{number}-at-{cut}", out.data[:cut], None, outcome=("truncated", field, start))
        add(f"trailing-{label}", out.data + b"\0", None, outcome=("trailing-bytes", ID, len(out.data)))
    return suite


def negotiations():
    suite = Suite("tokenbind-wire/negotiation")
    tb = [H2_P256, H2_RSA, H1_P256, H1_RSA]

    def binding(alpn):
        if alpn not in tb:
            return None
        protocol, parameters = alpn.split("_tb_")
        return {"application_protocol": protocol, "key_parameters": parameters}

    def add(name, client, server, selected, version="TLSv1.2", ems=True):
        fields = {"client": client, "server": server, "version": version, "extended_master_secret": ems}
        if selected is None:
            suite.add(name, "popov-3-3 popov-5-1", fields, reject=reject("no-application-protocol", "ALPN", 0))
        else:
            suite.add(name, "popov-3-1 popov-3-3 popov-5-1 popov-9-4-1", fields,
                      accept={"selected": selected, "token_binding": binding(selected)})

    everything = tb + ["h2", "http/1.1"]
    for alpn in tb:
        add(f"{alpn}-alone", [alpn], [alpn], alpn)
        add(f"{alpn}-without-ems", [alpn, "http/1.1"], [alpn, "http/1.1"], "http/1.1", ems=False)
        add(f"{alpn}-under-tls-1.3", [alpn, "h2"], [alpn, "h2"], "h2", version="TLSv1.3")
        add(f"{alpn}-without-ems-alone", [alpn], [alpn], None, ems=False)
        add(f"{alpn}-under-tls-1.3-alone", [alpn], [alpn], None, version="TLSv1.3")
    for version in ("TLSv1.0", "TLSv1.1", "TLSv1.2"):
        add(f"under-{version}", tb, tb, H2_P256, version=version)
    add("the-servers-order-decides", everything, ["http/1.1", *tb], "http/1.1")
    add("the-servers-order-decides-between-keys", tb, [H1_RSA, H2_P256], H1_RSA)
    add("client-without-token-binding", ["h2", "http/1.1"], everything, "h2")
    add("server-without-token-binding", everything, ["http/1.1"], "http/1.1")
    add("unknown-protocols", ["h3", "spdy/3"], ["spdy/3"], "spdy/3")
    add("nothing-in-common", ["h3"], everything, None)
    add("client-offers-nothing", [], everything, None)
    add("server-supports-nothing", everything, [], None)
    add("identifiers-are-case-sensitive", ["H2_TB_P256"], tb, None)
    add("a-prefix-is-another-protocol", ["h2_tb_p25"], tb, None)
    add("an-unknown-key-is-an-ordinary-protocol", ["h2_tb_p384"], ["h2_tb_p384"], "h2_tb_p384", ems=False)
    add("under-ssl-3", everything, everything, "h2", version="SSLv3")
    add("ems-and-tls-1.3", everything, everything, "h2", version="TLSv1.3")
    add("neither", everything, everything, "h2", version="TLSv1.3", ems=False)

    choice = Suite("tokenbind-wire/server-choice")

    def check(name, offered, chosen, kind=None, version="TLSv1.2", ems=True):
        fields = {"offered": offered, "chosen": chosen, "version": version, "extended_master_secret": ems}
        if kind:
            choice.add(name, "popov-3-2 popov-9-4-1", fields, reject=reject(kind, "ALPN", 0))
        else:
            choice.add(name, "popov-3-2", fields, accept={"token_binding": binding(chosen)})

    for alpn in tb:
        check(f"{alpn}-chosen", everything, alpn)
        check(f"{alpn}-not-offered", ["h2", "http/1.1"], alpn, "not-offered")
        check(f"{alpn}-without-ems", everything, alpn, "extended-master-secret", ems=False)
        check(f"{alpn}-under-ssl-3", everything, alpn, "protocol-version", version="SSLv3")
        check(f"{alpn}-under-tls-1.3", everything, alpn, "protocol-version", version="TLSv1.3")
    check("nothing-chosen", everything, None)
    check("plain-chosen", everything, "h2")
    check("plain-chosen-under-tls-1.3-without-ems", everything, "h2", version="TLSv1.3", ems=False)
    check("plain-not-offered", tb, "h2", "not-offered")
    check("both-rules-broken", everything, H2_P256, "protocol-version", version="TLSv1.3", ems=False)
    for version in ("TLSv1.0", "TLSv1.1"):
        check(f"chosen-under-{version}", everything, H1_P256, version=version)
    return [suite, choice]


def token_checks():
    suite = Suite("tokenbind-wire/token-check")
    own, other, own_rsa = (Binding(PROVIDED, key, b"").id() for key in (P1, P2, R2))
    referred = Binding(REFERRED, P1, b"").id()

    def add(name, token, connection, policy, verdict=None, kind=None):
        fields = {"token": token, "connection": connection and connection.hex(), "bearer_policy": policy}
        if kind:
            suite.add(name, "popov-7-1 popov-7-2 popov-7-3", fields, reject=reject(kind, ID, 0))
        else:
            suite.add(name, "popov-7-1", fields, accept={"verdict": verdict})

    def claim(kind, value):
        return {"kind": kind, "value": value.hex()}

    def sha256(value):
        return hashlib.sha256(value).digest()

    for policy in ("honor", "discard"):
        for connection, where in ((own, "bound"), (None, "unbound")):
            bearer = ("honor-bearer", None) if policy == "honor" else (None, "bearer-not-honored")
            add(f"bearer-{policy}-on-{where}", {"kind": "bearer"}, connection, policy, *bearer)
            add(f"unreadable-{policy}-on-{where}", {"kind": "unreadable"}, connection, policy, None, "unreadable")
        add(f"bound-id-{policy}", claim("id", own), own, policy, "honor-bound")
        add(f"bound-rsa-id-{policy}", claim("id", own_rsa), own_rsa, policy, "honor-bound")
        add(f"bound-key-id-{policy}", claim("key-id", own[1:]), own, policy, "honor-bound")
        for name, id_ in (("", own), ("rsa-", own_rsa)):
            hashed = claim("key-id-sha256", sha256(id_[1:]))
            add(f"bound-{name}key-id-sha256-{policy}", hashed, id_, policy, "honor-bound")
            add(f"no-binding-{name}key-id-sha256-{policy}", hashed, None, policy, None, "no-token-binding-established")
        for kind, value in (("id", own), ("key-id", own[1:]), ("id", b"")):
            label = f"{kind}-of-{len(value)}-bytes-{policy}"
            add(f"no-binding-{label}", claim(kind, value), None, policy, None, "no-token-binding-established")
        # A connection is checked by its provided binding: an identifier of another type is none.
        for name, type_ in (("referred", REFERRED), ("unknown-type", 2), ("last-type", 255)):
            connection = Binding(type_, P1, b"").id()
            for kind, value in (("id", connection), ("id", own), ("key-id", own[1:]),
                                ("key-id-sha256", sha256(own[1:]))):
                label = "its-own-id" if value == connection else kind
                add(f"{name}-connection-{label}-{policy}", claim(kind, value), connection, policy, None,
                    "no-token-binding-established")
            bearer = ("honor-bearer", None) if policy == "honor" else (None, "bearer-not-honored")
            add(f"{name}-connection-bearer-{policy}", {"kind": "bearer"}, connection, policy, *bearer)
        for name, kind, value in (
            ("other-key", "id", other), ("other-key-id", "key-id", other[1:]), ("rsa", "id", own_rsa),
            ("referred-id", "id", referred), ("id-as-key-id", "key-id", own), ("key-id-as-id", "id", own[1:]),
            ("other-key-id-sha256", "key-id-sha256", sha256(other[1:])),
            ("id-sha256-as-key-id-sha256", "key-id-sha256", sha256(own)),
            ("key-id-as-its-sha256", "key-id-sha256", own[1:]),
            ("key-id-sha256-as-key-id", "key-id", sha256(own[1:])),
            ("key-id-sha256-prefix", "key-id-sha256", sha256(own[1:])[:-1]),
            ("empty-id", "id", b""), ("prefix", "id", own[:-1]), ("suffix", "id", own + b"\0"),
        ):
            add(f"mismatch-{name}-{policy}", claim(kind, value), own, policy, None, "mismatch")
    return suite


def tls_uniques():
    suite = Suite("tokenbind-wire/tls-unique")
    client, server = bytes(range(12)), bytes(range(20, 32))

    def add(name, handshake="full", version="TLSv1.2", ems=True, c=client, s=server, outcome=None):
        fields = {"client_finished": c.hex(), "server_finished": s.hex(), "handshake": handshake,
                  "version": version, "extended_master_secret": ems}
        if outcome:
            suite.add(name, "popov-5-1 popov-9-4-1", fields, reject=reject(*outcome))
            return
        unique = c if handshake == "full" else s
        octets = signed_octets(unique)
        accepted = {"tls_unique": unique.hex(), "signed_octets": octets.hex(),
                    "sha256": hashlib.sha256(octets).hexdigest()}
        suite.add(name, "popov-4-3 popov-9-4-1", fields, accept=accepted)

    version, ems, length = (
        ("protocol-version", "TLS.version", 0),
        ("extended-master-secret", "TLS.extended_master_secret", 0),
        ("tls-unique-length", "tls_unique", 0),
    )
    for handshake in ("full", "resumed"):
        for name in ("TLSv1.0", "TLSv1.1", "TLSv1.2"):
            add(f"{handshake}-{name}", handshake, name)
        add(f"{handshake}-ssl-3", handshake, "SSLv3", outcome=version)
        add(f"{handshake}-tls-1.3", handshake, "TLSv1.3", outcome=version)
        add(f"{handshake}-tls-1.3-without-ems", handshake, "TLSv1.3", False, outcome=version)
        add(f"{handshake}-without-ems", handshake, ems=False, outcome=ems)
        for size in (12, 13, 31, 32):
            add(f"{handshake}-{size}-bytes", handshake, c=bytes(size), s=b"\1" * size)
        for size in (0, 11, 33, 36, 64):
            add(f"{handshake}-{size}-bytes", handshake, c=bytes(size), s=bytes(size), outcome=length)
        add(f"{handshake}-the-other-may-be-unknown", handshake,
            c=client if handshake == "full" else b"", s=b"" if handshake == "full" else server)
    return suite


def pkcs8(key):
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def signings():
    """What a client with these private keys sends. ECDSA signatures are deterministic (RFC 6979 with SHA-256)."""
    suite = Suite("tokenbind-wire/sign")
    needs = "popov-4-3 popov-4-6"

    def private(key):
        if key is None:
            return None
        if isinstance(key, bytes):
            return {"pkcs8": key.hex()}
        numbers = key.key.private_numbers()
        if isinstance(key, P256):
            parts = {"p256": numbers.private_value.to_bytes(32, "big").hex()}
        else:
            parts = {"rsa2048": {name: minimal(value).hex() for name, value in (
                ("p", numbers.p), ("q", numbers.q), ("d", numbers.d), ("publicexponent", key.e))}}
        return {**parts, "pkcs8": pkcs8(key.key).hex()}

    def fields(provided, referred, negotiated, unique, profile):
        return {"negotiated": negotiated, "tls_unique": unique.hex(), "profile": profile,
                "provided": private(provided), "referred": private(referred)}

    def add(name, provided, referred=None, negotiated=H1_P256, unique=TLS_UNIQUE, profile=DEFAULT):
        octets = signed_octets(unique)
        bindings = [Binding(PROVIDED, provided, profile=profile, octets=octets)]
        if referred:
            bindings.append(Binding(REFERRED, referred, profile=profile, octets=octets))
        suite.add(name, needs, fields(provided, referred, negotiated, unique, profile),
                  accept={"message": bytes(build(*bindings).data).hex()})

    def refuse(name, kind, field, provided, referred=None, negotiated=H1_P256):
        suite.add(name, needs, fields(provided, referred, negotiated, TLS_UNIQUE, DEFAULT),
                  reject=reject(kind, field, 0))

    def unique_with(wanted):
        """A tls-unique of which `wanted` holds."""
        uniques = (n.to_bytes(12, "big") for n in range(1 << 20))
        return next(unique for unique in uniques if wanted(signed_octets(unique)))

    for profile in PROFILES:
        label = f"{profile['point']}-{profile['signature']}"
        add(f"p256-{label}", P1, profile=profile)
        add(f"p256-and-p256-{label}", P1, P2, profile=profile)
        add(f"p256-and-rsa-{label}", P1, R2, profile=profile, negotiated=H2_P256)
        add(f"rsa-and-p256-{label}", R2, P3, profile=profile, negotiated=H2_RSA)
    for name, key, other in (("3", R1, R2), ("65537", R2, R1)):
        add(f"rsa-of-exponent-{name}", key, negotiated=H1_RSA)
        add(f"rsa-of-exponent-{name}-and-rsa", key, other, negotiated=H2_RSA)
    for name, unique in (("zeros", bytes(12)), ("ones", b"\xff" * 12), ("of-32-bytes", bytes(range(32)))):
        add(f"p256-tls-unique-{name}", P2, unique=unique)
        add(f"rsa-tls-unique-{name}", R2, unique=unique, negotiated=H1_RSA)
    for name, scalar in (("1", 1), ("2", 2), ("2-to-128", 1 << 128), ("order-less-1", ORDER - 1)):
        add(f"p256-of-scalar-{name}", P256(scalar))
    # Numbers that are shorter than their field, and such whose high bit takes an octet more in DER.
    for name, wanted in (
        ("r-short", lambda r, s: r >> 248 == 0), ("s-short", lambda r, s: s >> 248 == 0),
        ("r-high", lambda r, s: r >> 255 and not s >> 255), ("s-high", lambda r, s: s >> 255 and not r >> 255),
        ("both-high", lambda r, s: r >> 255 and s >> 255), ("neither-high", lambda r, s: not (r >> 255 or s >> 255)),
    ):
        unique = unique_with(lambda octets: wanted(*P1.sign_rs(octets)))
        for profile in (PROFILES[0], PROFILES[1]):
            add(f"p256-{name}-{profile['signature']}", P1, unique=unique, profile=profile)
    add("rsa-short", R2, unique=unique_with(lambda octets: R2.sign(octets)[0] == 0), negotiated=H1_RSA)

    mersenne = Rsa(2**521 - 1, 2**607 - 1, 65537)
    for role in ("provided", "referred"):
        def with_bad(name, key, kind="key", role=role):
            refuse(f"{role}-{name}", kind, role, *((key,) if role == "provided" else (P1, key)))

        with_bad("of-p384", pkcs8(ec.derive_private_key(5, ec.SECP384R1())))
        with_bad("of-secp256k1", pkcs8(ec.derive_private_key(5, ec.SECP256K1())))
        with_bad("of-ed25519", pkcs8(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))))
        with_bad("of-rsa-1128", pkcs8(mersenne.key))
        with_bad("empty", b"")
        with_bad("cut", pkcs8(P2.key)[:-1])
        with_bad("with-an-octet-after", pkcs8(P2.key) + b"\0")
        with_bad("not-in-pkcs8", P2.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))
    for negotiated, key in ((H1_P256, R2), (H2_P256, R2), (H1_RSA, P1), (H2_RSA, P1)):
        refuse(f"{negotiated}-with-the-other-key", "key-parameters-mismatch", "provided", key, negotiated=negotiated)
    for name, key, negotiated in (("p256", P1, H1_P256), ("rsa", R2, H1_RSA)):
        refuse(f"one-{name}-key-for-both", "same-key", "TokenBindingID", key, key, negotiated=negotiated)
    return suite


def suites():
    message = MessageSuite()
    for part in (known_answers, established, extensions_and_types, unsupported, truncated, bad_keys,
                 bad_signatures, decisions):
        part(message)
    return [message, ids(), signings(), *negotiations(), token_checks(), tls_uniques()]


def check_requirements(suites_):
    """Every requirement that a case names is in a ledger."""
    ledgers = (REPOSITORY / "crates").glob("conformance-*/requirements/*.toml")
    known = {id_ for ledger in ledgers for id_ in re.findall(r'^id = "(.*)"$', ledger.read_text(), re.MULTILINE)}
    named = {id_ for suite in suites_ for case in suite.cases for id_ in case["requirements"]}
    assert named <= known, named - known


def main(description, generated):
    """What the script of a crate does with the suites it generated."""
    check_requirements(generated)
    write_or_check(description, *generated)


if __name__ == "__main__":
    main(__doc__, suites())
