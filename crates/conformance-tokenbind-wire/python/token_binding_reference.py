"""A second implementation of draft-popov-token-binding-00. It reads messages octet by octet, where the script of the vectors
only writes them, and shares no code with that or with the crate: signatures are verified by Python cryptography, points
and numbers are checked here."""

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

MESSAGE, LIST, ID = "TokenBindingMessage", "TokenBindingMessage.tokenbindings", "TokenBindingID"
TYPE, ALGORITHM, CURVE = "TokenBindingID.tokenbinding_type", "TokenBindingID.algorithm", "ECDSAParams.namedcurve"
SIGNATURE = "TokenBinding.signature"
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
MOST_BINDINGS, LONGEST = 16, 2 + 65535
# The backends of the crate verify public exponents of at most so many bits.
EXPONENT_BITS = 33
VERSIONS = ("TLSv1.0", "TLSv1.1", "TLSv1.2")


class Refused(Exception):
    def __init__(self, kind, field, offset=0):
        super().__init__(kind, field, offset)
        self.reject = {"kind": kind, "field": field, "offset": offset}


class Octets:
    """Octets from a place on, up to an end."""

    def __init__(self, octets, at=0, end=None):
        self.octets, self.at, self.end = octets, at, len(octets) if end is None else end

    def take(self, field, count):
        if self.end - self.at < count:
            raise Refused("truncated", field, self.at)
        self.at += count
        return self.octets[self.at - count : self.at]

    def number(self, field, count):
        return int.from_bytes(self.take(field, count), "big")

    def within(self, field, count):
        """The value after its length: a place and an end of its own."""
        length = self.number(field, count)
        self.take(field, length)
        return Octets(self.octets, self.at - length, self.at)

    def rest(self):
        return self.octets[self.at : self.end]

    def more(self):
        return self.at < self.end


class Binding:
    """A TokenBindingID, and what is around it in a message."""

    def __init__(self, reader, points, before=None):
        """`before`: the types of the bindings before it, of which it must be none; None for an identifier alone."""
        self.start, self.points = reader.at, points
        self.type = reader.number(TYPE, 1)
        self.place = reader.at
        self.algorithm = tuple(reader.take(ALGORITHM, 2))
        strict = before is None or self.type in (0, 1)
        if strict and before is not None:
            if self.type in before:
                raise Refused("duplicate-token-binding-type", TYPE, self.start)
            before.add(self.type)
        self.key = None
        if self.algorithm[1] == 1:
            self.read_rsa(reader, strict)
        elif self.algorithm[1] == 3:
            self.read_ecdsa(reader, strict)
        self.id = reader.octets[self.start : reader.at]

    def read_rsa(self, reader, strict):
        modulus = reader.within("RSAPublicKey.modulus", 2)
        if strict:
            check_number("RSAPublicKey.modulus", modulus)
        exponent = reader.within("RSAPublicKey.publicexponent", 1)
        if strict:
            check_number("RSAPublicKey.publicexponent", exponent)
        self.fields = {"rsa": {"modulus": modulus.rest().hex(), "publicexponent": exponent.rest().hex()}}
        self.parameters = "rsa2048"
        if self.algorithm == (4, 1):
            self.key = int.from_bytes(exponent.rest(), "big"), int.from_bytes(modulus.rest(), "big")

    def read_ecdsa(self, reader, strict):
        self.curve_at = reader.at
        curve = reader.number(CURVE, 2)
        point = reader.within("ECDSAParams.point", 1)
        octets = point.rest()
        if strict:
            if not octets:
                raise Refused("empty", "ECDSAParams.point", point.at)
            if curve == 23:
                self.check_point(point)
        self.fields = {"ecdsa": {"namedcurve": curve, "point": octets.hex()}}
        self.parameters = "p256" if curve == 23 else None
        if self.algorithm == (4, 3) and curve == 23:
            self.key = octets[-64:]

    def check_point(self, point):
        octets = point.rest()
        if len(octets) != (65 if self.points == "x962" else 64):
            raise Refused("point-length", "ECDSAParams.point", point.at)
        if self.points == "x962" and octets[0] != 4:
            raise Refused("point-format", "ECDSAParams.point", point.at)
        x, y = int.from_bytes(octets[-64:-32], "big"), int.from_bytes(octets[-32:], "big")
        if x >= P or y >= P or (y * y - x * x * x + 3 * x - B) % P:
            raise Refused("point-not-on-curve", "ECDSAParams.point", point.at)

    def is_readable(self):
        return self.algorithm[1] in (1, 3)

    def read_rest(self, reader, form):
        self.signature_field = reader.within(SIGNATURE, 2)
        self.signature = self.signature_field.rest()
        self.rs = None
        if self.type in (0, 1) and self.key is not None:
            self.check_signature(form)
        extensions = reader.within("TokenBinding.extensions", 2)
        self.extensions = []
        while extensions.more():
            kind = extensions.number("Extension.extension_type", 1)
            self.extensions.append((kind, extensions.within("Extension.extension_data", 2).rest()))

    def check_signature(self, form):
        at, octets = self.signature_field.at, self.signature
        if self.algorithm == (4, 1):
            if len(octets) != 256:
                raise Refused("signature-length", SIGNATURE, at)
        elif form == "raw64":
            if len(octets) != 64:
                raise Refused("signature-length", SIGNATURE, at)
            self.rs = int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big")
        else:
            self.rs = der_signature(octets)
            if self.rs is None:
                raise Refused("signature-der", SIGNATURE, at)

    def verifies(self, signed):
        try:
            if self.algorithm == (4, 1):
                exponent, modulus = self.key
                if exponent.bit_length() > EXPONENT_BITS:
                    return False
                return rsa_verifies(exponent, modulus, self.signature, signed)
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\4" + self.key)
            public.verify(encode_dss_signature(*self.rs), signed, ec.ECDSA(hashes.SHA256()))
            return True
        except (InvalidSignature, ValueError):
            return False


def rsa_verifies(exponent, modulus, signature, signed):
    """RSASSA-PKCS1-v1_5 of RFC 8017 section 8.2.2, by hand: libraries refuse some exponents."""
    number = int.from_bytes(signature, "big")
    if number >= modulus:
        return False
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(signed).digest()
    return pow(number, exponent, modulus).to_bytes(256, "big") == b"\0\1" + b"\xff" * (253 - len(info)) + b"\0" + info


def check_number(field, value):
    octets = value.rest()
    if not octets:
        raise Refused("empty", field, value.at)
    if octets[0] == 0:
        raise Refused("leading-zero", field, value.at)
    if field.endswith("modulus") and (len(octets) != 256 or octets[0] < 0x80):
        raise Refused("modulus-size", field, value.at)
    if octets[-1] % 2 == 0:
        raise Refused("even", field, value.at)
    if octets == b"\1":
        raise Refused("exponent-too-small", field, value.at)


def der_signature(octets):
    """r and s of an ECDSA-Sig-Value in DER, or nothing."""
    if len(octets) < 2 or octets[0] != 0x30 or octets[1] > 0x7F or len(octets) != 2 + octets[1]:
        return None
    numbers, rest = [], octets[2:]
    for _ in range(2):
        if len(rest) < 3 or rest[0] != 2 or not 0 < rest[1] <= 33 or len(rest) < 2 + rest[1]:
            return None
        value, rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        if value[0] > 0x7F or len(value) > 1 and value[0] == 0 and value[1] < 0x80 or len(value) == 33 and value[0]:
            return None
        numbers.append(int.from_bytes(value, "big"))
    return None if rest or 0 in numbers else tuple(numbers)


def bindings_of(octets, profile):
    """The bindings of a message, and the place of what cannot be read."""
    if len(octets) > LONGEST:
        raise Refused("message-too-long", MESSAGE, LONGEST)
    whole = Octets(octets)
    inner = whole.within(LIST, 2)
    if not inner.more():
        raise Refused("no-token-binding", LIST, inner.at)
    bindings, unreadable, seen = [], None, set()
    while inner.more():
        if len(bindings) == MOST_BINDINGS:
            raise Refused("too-many-token-bindings", LIST, inner.at)
        binding = Binding(inner, profile["point"], seen)
        if not binding.is_readable():
            unreadable = binding
            break
        binding.read_rest(inner, profile["signature"])
        bindings.append(binding)
    if whole.more():
        raise Refused("trailing-bytes", MESSAGE, whole.at)
    named = [it for it in bindings if it.type in (0, 1)]
    if len(named) == 2 and named[0].id[1:] == named[1].id[1:]:
        raise Refused("same-key", ID, named[1].start)
    return bindings, unreadable


def message(message, profile=None, negotiated=None, tls_unique=None, first=True):
    profile = profile or {"point": "x962", "signature": "der"}
    if negotiated is None:
        if message is not None:
            raise Refused("not-negotiated", MESSAGE)
        return {"outcome": "not-in-use"}
    if message is None:
        if first:
            raise Refused("missing-message", MESSAGE)
        return {"outcome": "unchanged"}
    octets = bytes.fromhex(message)
    bindings, unreadable = bindings_of(octets, profile)
    provided = next((it for it in bindings if it.type == 0), None)
    if provided is None:
        if unreadable and unreadable.type == 0:
            raise Refused("key-parameters-mismatch", ALGORITHM, unreadable.place)
        raise Refused("missing-provided", LIST, 2)
    wanted = negotiated.partition("_tb_")[2]
    right = {"p256": (4, 3), "rsa2048": (4, 1)}[wanted]
    if provided.algorithm != right:
        raise Refused("key-parameters-mismatch", ALGORITHM, provided.place)
    if provided.parameters != wanted:
        raise Refused("key-parameters-mismatch", CURVE, provided.curve_at)
    signed = b"token binding\0" + bytes.fromhex(tls_unique)
    verified = {}
    for it in [provided, *(it for it in bindings if it.type == 1 and it.key is not None)]:
        if not it.verifies(signed):
            raise Refused("signature-invalid", SIGNATURE, it.signature_field.at)
        verified[it.start] = True
    read = [
        {"type": it.type, "id": it.id.hex(), "key_id": it.id[1:].hex(), "signature": it.signature.hex(),
         "extensions": [{"type": kind, "data": data.hex()} for kind, data in it.extensions],
         "verified": verified.get(it.start, False)}
        for it in bindings
    ]
    left = unreadable and {"offset": unreadable.start, "type": unreadable.type, "bytes": octets[unreadable.start :].hex()}
    return {"bindings": read, "unreadable": left}


def identifier(id, profile=None):
    octets = bytes.fromhex(id)
    reader = Octets(octets)
    binding = Binding(reader, (profile or {"point": "x962"})["point"])
    if not binding.is_readable():
        raise Refused("unsupported-algorithm", ALGORITHM, binding.place)
    if reader.more():
        raise Refused("trailing-bytes", ID, reader.at)
    return {
        "type": binding.type, "algorithm": dict(zip(("hash", "signature"), binding.algorithm)), "key": binding.fields,
        "key_id": octets[1:].hex(), "sha256": hashlib.sha256(octets).hexdigest(),
        "key_id_sha256": hashlib.sha256(octets[1:]).hexdigest(),
    }


def private_key(field, key):
    try:
        found = serialization.load_der_private_key(bytes.fromhex(key["pkcs8"]), None)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("key", field) from None
    is_p256 = isinstance(found, ec.EllipticCurvePrivateKey) and isinstance(found.curve, ec.SECP256R1)
    is_rsa = isinstance(found, rsa.RSAPrivateKey) and found.key_size == 2048
    written = found.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).hex()
    if not (is_p256 or is_rsa) or written != key["pkcs8"]:
        raise Refused("key", field)
    return found, "p256" if is_p256 else "rsa2048"


def vector(count, octets):
    return len(octets).to_bytes(count, "big") + octets


def signed_binding(kind, key, profile, signed):
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
        identifier = b"\4\1" + vector(2, numbers.n.to_bytes(256, "big")) + vector(1, exponent)
        signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        numbers = key.public_key().public_numbers()
        point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        identifier = b"\4\3\0\x17" + vector(1, (b"\4" if profile["point"] == "x962" else b"") + point)
        signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
        if profile["signature"] == "raw64":
            signature = b"".join(it.to_bytes(32, "big") for it in der_signature(signature))
    return bytes([kind]) + identifier + vector(2, signature) + vector(2, b"")


def sign(negotiated, tls_unique, provided, referred, profile=None):
    profile = profile or {"point": "x962", "signature": "der"}
    keys = [private_key("provided", provided)]
    if referred is not None:
        keys.append(private_key("referred", referred))
    if keys[0][1] != negotiated.partition("_tb_")[2]:
        raise Refused("key-parameters-mismatch", "provided")
    if len(keys) == 2 and keys[0][0].public_key() == keys[1][0].public_key():
        raise Refused("same-key", ID)
    signed = b"token binding\0" + bytes.fromhex(tls_unique)
    bindings = (signed_binding(kind, key, profile, signed) for kind, (key, _) in enumerate(keys))
    return {"message": vector(2, b"".join(bindings)).hex()}


def parameters_of(alpn):
    protocol, found, key = (alpn or "").partition("_tb_")
    is_ours = found and protocol in ("h2", "http/1.1") and key in ("p256", "rsa2048")
    return {"application_protocol": protocol, "key_parameters": key} if is_ours else None


def negotiation(client, server, version, extended_master_secret):
    allowed = version in VERSIONS and extended_master_secret
    for alpn in server:
        if alpn in client and (allowed or not parameters_of(alpn)):
            return {"selected": alpn, "token_binding": parameters_of(alpn)}
    raise Refused("no-application-protocol", "ALPN")


def server_choice(offered, chosen, version, extended_master_secret):
    if chosen is not None and chosen not in offered:
        raise Refused("not-offered", "ALPN")
    if parameters_of(chosen) and version not in VERSIONS:
        raise Refused("protocol-version", "ALPN")
    if parameters_of(chosen) and not extended_master_secret:
        raise Refused("extended-master-secret", "ALPN")
    return {"token_binding": parameters_of(chosen)}


def token_check(token, connection, bearer_policy):
    if token["kind"] == "unreadable":
        raise Refused("unreadable", ID)
    if token["kind"] == "bearer":
        if bearer_policy == "discard":
            raise Refused("bearer-not-honored", ID)
        return {"verdict": "honor-bearer"}
    established = bytes.fromhex(connection or "ff")
    if established[0] != 0:
        raise Refused("no-token-binding-established", ID)
    own = {"id": established, "key-id": established[1:], "key-id-sha256": hashlib.sha256(established[1:]).digest()}
    if own[token["kind"]].hex() != token["value"]:
        raise Refused("mismatch", ID)
    return {"verdict": "honor-bound"}


def tls_unique(client_finished, server_finished, handshake, version, extended_master_secret):
    if version not in VERSIONS:
        raise Refused("protocol-version", "TLS.version")
    if not extended_master_secret:
        raise Refused("extended-master-secret", "TLS.extended_master_secret")
    unique = bytes.fromhex(client_finished if handshake == "full" else server_finished)
    if not 12 <= len(unique) <= 32:
        raise Refused("tls-unique-length", "tls_unique")
    signed = b"token binding\0" + unique
    return {"tls_unique": unique.hex(), "signed_octets": signed.hex(), "sha256": hashlib.sha256(signed).hexdigest()}


SUITES = {
    "message": message, "id": identifier, "sign": sign, "negotiation": negotiation, "server-choice": server_choice,
    "token-check": token_check, "tls-unique": tls_unique,
}
