"""Generates the conformance vectors of tokenbind-http's sealed tokens.

The independent source of their known answers: MACs come from the standard library's `hmac`,
offsets from the lengths of what this script writes. Nothing here opens a token.

    sealed_token_vectors.py            write the vector file
    sealed_token_vectors.py --check    compare it with the committed one
"""

import base64
import hashlib
import hmac
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main  # noqa: E402

SOURCE = "crates/conformance-tokenbind-http/python/sealed_token_vectors.py (Python hmac, hashlib)"
SUITE = "tokenbind-http/sealed-token"

TEXT, VERSION, KEY, BINDING, KEY_ID, EXPIRES, PAYLOAD, MAC = (
    "SealedToken", "SealedToken.version", "SealedToken.key", "SealedToken.binding",
    "SealedToken.key_id_sha256", "SealedToken.expires", "SealedToken.payload", "SealedToken.mac",
)
MOST_PAYLOAD, MOST_TEXT, LAST_SECOND = 2800, 3840, 253402300799
NOW = 1_700_000_000
LATER = NOW + 3600
BEARER, BOUND = b"\0", b"\1"

# Keys of clients: the generator of P-256 and its negative, and a number of 2048 bits.
P256_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_X = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
P256_Y = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5


def p256(y):
    return b"\4\3\0\x17\x41\4" + P256_X.to_bytes(32, "big") + y.to_bytes(32, "big")


CLIENT, THIEF = p256(P256_Y), p256(P256_P - P256_Y)
RSA = b"\4\1\1\0" + (2**2047 + 12345).to_bytes(256, "big") + b"\3\1\0\1"
PROVIDED, REFERRED = b"\0", b"\1"


def secret(number, size=32):
    return bytes((number * 31 + 7 * i) % 256 for i in range(size))


# The ring of most cases; the first key seals.
RING = [(1, secret(1)), (2, secret(2, 64)), (0xFFFFFFFF, secret(3))]
SESSION = ("session", None)


def framed(*parts):
    return b"".join(bytes([len(part)]) + part for part in parts)


def context(purpose, cookie):
    return framed(b"tokenbind-http sealed token", purpose.encode(), (cookie or "").encode())


def uint(number, size):
    return number.to_bytes(size, "big")


def text(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def bound_to(key_id):
    return BOUND + hashlib.sha256(key_id).digest()


def body(binding=None, expires=LATER, payload=b"user 17", length=None):
    binding = bound_to(CLIENT) if binding is None else binding
    length = len(payload) if length is None else length
    return binding + uint(expires, 8) + uint(length, 2) + payload


def mac(key, octets, where=SESSION):
    return hmac.new(key, context(*where) + octets, hashlib.sha256).digest()


def sealed(octets=None, key=RING[0], where=SESSION, version=1):
    """The octets of a token over this body."""
    signed = bytes([version]) + uint(key[0], 4) + (body() if octets is None else octets)
    return signed + mac(key[1], signed, where)


class Cases(SuiteFile):
    def __init__(self):
        super().__init__(SUITE, SOURCE, [], indent="")
        self.names = set()

    def add(self, name, octets, requirements="", *, where=SESSION, ring=None, connection=PROVIDED + CLIENT,
            policy="discard", now=NOW, accept=None, reject=None):
        assert name not in self.names, name
        assert (accept is None) != (reject is None), name
        self.names.add(name)
        outcome = {"accept": accept} if accept else {"reject": dict(zip(("kind", "field", "offset"), reject))}
        self.cases.append({
            "name": name,
            "requirements": requirements.split(),
            "token": octets if isinstance(octets, str) else text(octets),
            "keys": [{"id": id_, "secret": key.hex()} for id_, key in ring or RING],
            "purpose": where[0],
            "cookie": where[1],
            "connection": connection and connection.hex(),
            "bearer_policy": policy,
            "now": now,
            **outcome,
        })


def honored(verdict="honor-bound", payload=b"user 17", expires=LATER, key=RING[0][0]):
    return {"verdict": verdict, "payload": payload.hex(), "expires": expires, "key": key}


def accepted(cases):
    add = cases.add
    for name, key_id in (("p256", CLIENT), ("rsa2048", RSA)):
        add(f"bound-{name}", sealed(body(bound_to(key_id))), "popov-7-1",
            connection=PROVIDED + key_id, accept=honored())
    add("bound-under-a-policy-that-honors-bearers", sealed(), "popov-7-1", policy="honor", accept=honored())
    for where, connection in (("bound", PROVIDED + CLIENT), ("unbound", None)):
        add(f"bearer-on-{where}", sealed(body(BEARER)), "popov-7-1", connection=connection, policy="honor",
            accept=honored("honor-bearer"))
    for name, key in zip(("current", "older-of-64-bytes", "greatest-id"), RING):
        add(f"key-{name}", sealed(key=key), accept=honored(key=key[0]))
    payloads = (("empty", b""), ("of-one-byte", b"\0"), ("of-all-octets", bytes(range(256))),
                ("longest", bytes(i % 251 for i in range(MOST_PAYLOAD))))
    for name, payload in payloads:
        add(f"payload-{name}", sealed(body(payload=payload)), accept=honored(payload=payload))
    longest = text(sealed(body(payload=payloads[-1][1])))
    assert len(longest) == MOST_TEXT
    for name, where in (("long", ("p" * 255, None)), ("not-ascii", ("Sitzung \u00fc", None)),
                        ("of-a-cookie", ("session", "__Host-session"))):
        add(f"purpose-{name}", sealed(where=where), where=where, accept=honored())
    add("last-second", sealed(), now=LATER - 1, accept=honored())
    add("last-expiry", sealed(body(expires=LAST_SECOND)), now=LAST_SECOND - 1,
        accept=honored(expires=LAST_SECOND))
    add("first-second", sealed(body(expires=1)), now=0, accept=honored(expires=1))


def bad_text(cases):
    good = text(sealed())
    add = cases.add
    add("empty", "", reject=("empty", TEXT, 0))
    for size in (MOST_TEXT + 1, 8000):
        add(f"text-of-{size}-characters", "A" * size, reject=("too-long", TEXT, MOST_TEXT))
    for name, other, at in (
        ("space-before", " " + good, 0), ("line-end-after", good + "\r\n", len(good)),
        ("padding", good + "=", len(good)), ("padding-alone", "=", 0),
        ("standard-alphabet-plus", good[:9] + "+" + good[10:], 9),
        ("standard-alphabet-slash", good[:9] + "/" + good[10:], 9),
        ("full-stop", good[:9] + "." + good[10:], 9), ("quoted", f'"{good}"', 0),
        ("percent", good[:-1] + "%41", len(good) - 1), ("not-ascii", good[:5] + "\u00e9" + good[6:], 5),
        ("nul", good + "\0", len(good)),
    ):
        add(f"text-{name}", other, reject=("alphabet", TEXT, at))
    add("text-of-one-character", "A", reject=("length", TEXT, 1))
    add("text-of-a-length-of-no-octets", good + "A" * (-(len(good) - 1) % 4), reject=(
        "length", TEXT, len(good) + -(len(good) - 1) % 4))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for size in (1, 2):
        payload = b"x" * next(n for n in range(3) if len(sealed(body(payload=b"x" * n))) % 3 == size)
        canonical = text(sealed(body(payload=payload)))
        other = canonical[:-1] + alphabet[alphabet.index(canonical[-1]) + 1]
        add(f"text-trailing-bits-{size}", other, reject=("trailing-bits", TEXT, len(other) - 1))


def bad_envelope(cases):
    add = cases.add
    for version in (0, 2, 0x31, 255):
        add(f"version-{version}", sealed(version=version), reject=("version", VERSION, 0))
    whole = sealed()
    for size in range(1, 5):
        add(f"truncated-to-{size}", whole[:size], reject=("truncated", KEY, 1))
    for size in (5, 6, 36):
        add(f"truncated-to-{size}", whole[:size], reject=("truncated", MAC, 5))
    for name, id_ in (("0", 0), ("3", 3), ("bytes-reversed", 0x01000000)):
        add(f"key-unknown-{name}", sealed(key=(id_, RING[0][1])), reject=("unknown-key", KEY, 1))
    add("key-retired", sealed(key=RING[1]), ring=RING[:1], reject=("unknown-key", KEY, 1))


def bad_mac(cases):
    add = cases.add
    whole = sealed()
    end = len(whole) - 32

    def refused(name, octets, at=end, **options):
        add(f"mac-{name}", octets, reject=("mac-mismatch", MAC, at), **options)

    places = (("key_id_sha256-first", 6), ("key_id_sha256-last", 37), ("expires-first", 38), ("expires-last", 45),
              ("length", 47), ("payload-first", 48), ("payload-last", end - 1), ("mac-first", end),
              ("mac-last", len(whole) - 1))
    for name, at in places:
        refused(f"{name}-bit-flipped", whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
    refused("binding-dropped", whole[:5] + BEARER + whole[38:], end - 32, policy="honor")
    refused("binding-replaced", whole[:5] + bound_to(THIEF) + whole[38:], connection=PROVIDED + THIEF)
    refused("key-replaced-by-a-known-one", whole[:1] + uint(2, 4) + whole[5:])
    refused("of-another-secret", sealed(key=(1, secret(9))))
    refused("of-another-keys-secret", sealed(key=(1, RING[1][1])))
    refused("zero", whole[:end] + bytes(32))
    refused("byte-dropped", whole[:-1], end - 1)
    refused("byte-added", whole + b"\0", end + 1)
    refused("of-sha-512", whole[:end] + hmac.new(RING[0][1], context(*SESSION) + whole[:end], hashlib.sha512).digest()[:32])
    refused("of-no-key", whole[:end] + hashlib.sha256(context(*SESSION) + whole[:end]).digest())
    refused("of-key-before-message", whole[:end] + hashlib.sha256(RING[0][1] + context(*SESSION) + whole[:end]).digest())
    refused("without-label", whole[:end] + hmac.new(RING[0][1], framed(b"session", b"") + whole[:end], hashlib.sha256).digest())
    refused("without-context", whole[:end] + hmac.new(RING[0][1], whole[:end], hashlib.sha256).digest())
    unframed = b"tokenbind-http sealed token" + b"session" + whole[:end]
    refused("without-lengths", whole[:end] + hmac.new(RING[0][1], unframed, hashlib.sha256).digest())
    refused("compared-after-expiry", whole[:end] + bytes(32), now=LATER)
    refused("compared-before-binding", whole[:end] + bytes(32), connection=None)
    refused("compared-before-the-body-is-read", sealed(body(b"\2"))[:-1] + b"\0", len(sealed(body(b"\2"))) - 32)
    for name, issued, here in (
        ("other", SESSION, ("login", None)), ("longer", SESSION, ("session2", None)),
        ("prefix", SESSION, ("sessio", None)), ("other-case", SESSION, ("Session", None)),
        ("cookie-outside", ("session", "sid"), SESSION), ("cookie-inside", SESSION, ("session", "sid")),
        ("cookie-other", ("session", "sid"), ("session", "tid")),
        ("cookie-and-purpose-swapped", ("sid", "session"), ("session", "sid")),
        ("cookie-shifted-right", ("session", "sid"), ("sessions", "id")),
        ("cookie-shifted-left", ("session", "sid"), ("sessio", "nsid")),
        ("cookie-appended", ("session", "sid"), ("sessionsid", None)),
    ):
        refused(f"purpose-{name}", sealed(where=issued), where=here)
    # Octets move from one field to another; the MAC is that of the original.
    head, own, expires = whole[:5], hashlib.sha256(CLIENT).digest(), uint(LATER, 8)
    read_as_payload = head + BEARER + expires + uint(39, 2) + own + b"user 17" + whole[end:]
    refused("key_id_sha256-moved-to-payload", read_as_payload, policy="honor")
    thief = hashlib.sha256(THIEF).digest()
    bearer = sealed(body(BEARER, payload=thief + b"user 17"))
    read_as_binding = head + BOUND + thief + expires + uint(7, 2) + b"user 17" + bearer[-32:]
    refused("payload-moved-to-key_id_sha256", read_as_binding, connection=PROVIDED + THIEF)
    refused("payload-moved-to-mac", head + body(payload=b"user 1") + b"7" + whole[end:-1], end - 1)
    refused("mac-moved-to-payload", head + body(payload=b"user 17" + whole[end:end + 1]) + whole[end + 1:] + b"\0", end + 1)


def bad_body(cases):
    """Under a MAC that is right: what another implementation with the same keys may get wrong."""
    def refused(name, octets, kind, field, offset, **options):
        cases.add(f"body-{name}", sealed(octets), reject=(kind, field, offset), **options)

    whole = body()
    refused("empty", b"", "truncated", BINDING, 5)
    for size in (1, 32):
        refused(f"truncated-to-{size}", whole[:size], "truncated", KEY_ID, 6)
    for size in (33, 40):
        refused(f"truncated-to-{size}", whole[:size], "truncated", EXPIRES, 38)
    for size in (41, 42):
        refused(f"truncated-to-{size}", whole[:size], "truncated", PAYLOAD, 46)
    for size in (43, len(whole) - 1):
        refused(f"truncated-to-{size}", whole[:size], "truncated", PAYLOAD, 48)
    refused("bearer-truncated", BEARER, "truncated", EXPIRES, 6)
    for number in (2, 0x20, 255):
        refused(f"binding-{number}", bytes([number]) + whole[1:], "unknown-binding", BINDING, 5, policy="honor")
    refused("byte-after", whole + b"\0", "trailing-bytes", PAYLOAD, 5 + len(whole))
    refused("length-one-less", body(length=6), "trailing-bytes", PAYLOAD, 4 + len(whole))
    refused("length-one-more", body(length=8), "truncated", PAYLOAD, 48)
    refused("length-little-endian", body(length=7 << 8), "truncated", PAYLOAD, 48)
    for name, expires in (("after-9999", LAST_SECOND + 1), ("greatest", 2**64 - 1), ("milliseconds", NOW * 1000)):
        refused(f"expires-{name}", body(expires=expires), "expiry-range", EXPIRES, 38)
    too_long = body(BEARER, payload=bytes(MOST_PAYLOAD + 1))
    refused("payload-longer-than-the-limit", too_long, "too-long", PAYLOAD, 16, policy="honor")
    refused("length-greatest", body(length=65535), "too-long", PAYLOAD, 48)


def expired(cases):
    for name, now in (("at-its-expiry", LATER), ("a-second-after", LATER + 1), ("in-9999", LAST_SECOND)):
        cases.add(f"expired-{name}", sealed(), now=now, reject=("expired", EXPIRES, 38))
    cases.add("expired-bearer", sealed(body(BEARER)), now=LATER, policy="honor", reject=("expired", EXPIRES, 6))
    cases.add("expired-before-binding", sealed(), now=LATER, connection=None, reject=("expired", EXPIRES, 38))
    cases.add("expired-in-1970", sealed(body(expires=0)), now=0, reject=("expired", EXPIRES, 38))
    cases.add("expired-last-expiry", sealed(body(expires=LAST_SECOND)), now=LAST_SECOND,
              reject=("expired", EXPIRES, 38))
    cases.add("clock-after-9999", sealed(), now=LAST_SECOND + 1, reject=("clock", EXPIRES, 38))


def not_bound_here(cases):
    add = cases.add
    for policy in ("discard", "honor"):
        def refused(name, kind, requirement, octets=sealed(), **options):
            add(f"{name}-{policy}", octets, f"popov-7-1 {requirement}", policy=policy,
                reject=(kind, BINDING, 5), **options)

        for name, key_id in (("p256", CLIENT), ("rsa2048", RSA)):
            refused(f"no-binding-{name}", "no-token-binding-established", "popov-7-2",
                    sealed(body(bound_to(key_id))), connection=None)
        refused("binding-referred-only", "no-token-binding-established", "popov-7-2", connection=REFERRED + CLIENT)
        refused("binding-of-unknown-type-only", "no-token-binding-established", "popov-7-2", connection=b"\2" + CLIENT)
        for name, key_id in (("p256", THIEF), ("rsa2048", RSA)):
            refused(f"stolen-by-{name}", "mismatch", "popov-7-3", connection=PROVIDED + key_id)
        refused("bound-to-sha256-of-the-literal-id", "mismatch", "popov-7-3",
                sealed(body(BOUND + hashlib.sha256(PROVIDED + CLIENT).digest())))
        refused("bound-to-zeros", "mismatch", "popov-7-3", sealed(body(BOUND + bytes(32))))
    for where, connection in (("bound", PROVIDED + CLIENT), ("unbound", None)):
        add(f"bearer-discard-on-{where}", sealed(body(BEARER)), "popov-7-1", connection=connection,
            reject=("bearer-not-honored", BINDING, 5))


if __name__ == "__main__":
    sealed_tokens = Cases()
    for part in (accepted, bad_text, bad_envelope, bad_mac, bad_body, expired, not_bound_here):
        part(sealed_tokens)
    main(__doc__, sealed_tokens)
