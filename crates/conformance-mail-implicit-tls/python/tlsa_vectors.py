"""Writes mail-implicit-tls/vectors/tlsa.json: chains made with Python cryptography, and TLSA records for them. Whether the
records match is stated by hand; tlsa_reference.py must find the same and gives the findings. OpenSSL is asked too, as a
client with -dane_tlsa_rrdata of a server on loopback; where it decides otherwise, the case states one of the reasons in
OPINIONS. It follows RFC 7671.

    python3 crates/conformance-mail-implicit-tls/python/tlsa_vectors.py [--check] [--without-openssl]
"""

import datetime
import hashlib
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from suite_file import SuiteFile, main
from tlsa_reference import judge

FILE = SuiteFile("tlsa", __file__, ["newman-3-1-3"])
HOST, BASE = "imap.example.org", "mail.example.net"
NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
OPINIONS = {
    "unusable": "a record that is unusable alone: we use PKIX (RFC 6698 section 4.1), s_client ends the connection",
    "empty": "s_client takes no record without data from its command line, and ends",
    "base": "OpenSSL was told one name, the host; we accept the base domain too (RFC 7671 section 10.2)",
}


class Made:
    def __init__(self, seed, name, issuer=None, ca=False, path_length=None, names=(), days=(-10, 10), key_usage=None):
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        parent = issuer or self
        builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer.made.subject if issuer else subject)
        builder = builder.public_key(self.key.public_key()).serial_number(seed + 1)
        builder = builder.not_valid_before(NOW + days[0] * DAY).not_valid_after(NOW + days[1] * DAY)
        if ca or path_length is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_length), True)
        if key_usage is not None:
            off = dict.fromkeys("content_commitment key_encipherment data_encipherment key_agreement crl_sign encipher_only decipher_only".split(), False)
            builder = builder.add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=key_usage, **off), True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(it) for it in names]), False)
        self.made = builder.sign(parent.key, None)
        self.der = self.made.public_bytes(serialization.Encoding.DER)
        self.spki = self.made.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def pem(self):
        return self.made.public_bytes(serialization.Encoding.PEM)


ROOT = Made(1, "root", ca=True)
ISSUER = Made(2, "issuer", ROOT, ca=True)
LEAF = Made(3, "leaf", ISSUER, names=[HOST])
WRONG_NAME = Made(4, "other", ISSUER, names=["other.example.org"])
OF_BASE = Made(5, "base", ISSUER, names=[BASE])
EXPIRED = Made(6, "expired", ISSUER, names=[HOST], days=(-10, -1))
FUTURE = Made(7, "future", ISSUER, names=[HOST], days=(1, 10))
SELF = Made(8, "self", names=[HOST])
STRANGER = Made(9, "stranger", ca=True)
NO_CA = Made(10, "no-ca", ROOT)
UNDER_NO_CA = Made(11, "under-no-ca", NO_CA, names=[HOST])
OLD_ROOT = Made(12, "old-root", ca=True, days=(-10, -1))
UNDER_OLD = Made(13, "under-old", OLD_ROOT, names=[HOST])
SHORT_ROOT = Made(14, "short-root", ca=True, path_length=0)
SHORT_ISSUER = Made(15, "short-issuer", SHORT_ROOT, ca=True)
UNDER_SHORT = Made(16, "under-short", SHORT_ISSUER, names=[HOST])
DIRECT = Made(17, "direct", SHORT_ROOT, names=[HOST])
NO_SIGN = Made(18, "no-sign", ROOT, ca=True, key_usage=False)
UNDER_NO_SIGN = Made(19, "under-no-sign", NO_SIGN, names=[HOST])


def record(usage, selector, matching, made, change=None):
    data = made.spki if selector == 1 else made.der
    data = {1: lambda it: hashlib.sha256(it).digest(), 2: lambda it: hashlib.sha512(it).digest()}.get(matching, bytes)(data)
    return [usage, selector, matching, (change(data) if change else data).hex()]


ASK = "--without-openssl" not in sys.argv
if not ASK:
    sys.argv.remove("--without-openssl")
ASKED = {}


def openssl(leaf, sent, roots, records):
    """Whether OpenSSL accepts the server."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "leaf.pem").write_bytes(leaf.pem())
        (folder / "sent.pem").write_bytes(b"".join(it.pem() for it in sent) or leaf.pem())
        (folder / "roots.pem").write_bytes(b"".join(it.pem() for it in roots) or STRANGER.pem())
        key = leaf.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "key.pem").write_bytes(key)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", folder / "leaf.pem", "-key", folder / "key.pem", "-quiet", "-naccept", "1"]
        if sent:
            command += ["-cert_chain", folder / "sent.pem"]
        served = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", folder / "roots.pem", "-no-CApath", "-no-CAstore", "-attime", str(int(NOW.timestamp())), "-dane_tlsa_domain", HOST, "-dane_ee_no_namechecks", "-verify_return_error", "-brief"]
        for it in records:
            command += ["-dane_tlsa_rrdata", "{} {} {} {}".format(*it)]
        try:
            for _ in range(100):
                answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
                if "onnection refused" not in answer.stderr:
                    break
                time.sleep(0.02)
        finally:
            served.kill()
            served.wait()
        return "Verification: OK" in answer.stderr


AGREE = [0, 0]


def case(name, matches, records, leaf=LEAF, sent=(ISSUER, ROOT), roots=(ROOT,), rfc6698=None, opinion=None):
    """`matches`: whether the server is accepted under RFC 7671; `rfc6698`: under RFC 6698, where it differs."""
    sent, roots = list(sent), list(roots)
    stated = {"rfc7671": matches, "rfc6698": matches if rfc6698 is None else rfc6698}
    for rules, expected in stated.items():
        fields = {"rules": rules, "host": HOST, "base": BASE, "roots": [it.der.hex() for it in roots]}
        fields |= {"chain": [it.der.hex() for it in (leaf, *sent)], "records": records, "time": int(NOW.timestamp())}
        accept = judge(**fields)
        assert accept["accepted"] == expected, f"{name} {rules}: {accept}"
        FILE.case(f"{name}-{rules}", accept, **fields)
    if ASK:
        theirs = openssl(leaf, sent, roots, records)
        AGREE[theirs != matches] += 1
        if (theirs != matches) != (opinion in OPINIONS):
            print(f"{name}: OpenSSL {'accepts' if theirs else 'refuses'}, stated {opinion}")
            ASKED[name] = theirs


for selector in (0, 1):
    for matching in (0, 1, 2):
        numbers = f"{selector}{matching}"
        case(f"ee-3{numbers}", True, [record(3, selector, matching, LEAF)])
        case(f"ee-3{numbers}-of-issuer", False, [record(3, selector, matching, ISSUER)])
        case(f"ee-3{numbers}-unknown-issuer", True, [record(3, selector, matching, LEAF)], roots=[STRANGER])
        case(f"ee-1{numbers}", True, [record(1, selector, matching, LEAF)])
        case(f"ee-1{numbers}-of-other", False, [record(1, selector, matching, SELF)])
        case(f"ta-2{numbers}-root-sent", True, [record(2, selector, matching, ROOT)], roots=[STRANGER])
        case(f"ta-2{numbers}-issuer", True, [record(2, selector, matching, ISSUER)], sent=[ISSUER], roots=[STRANGER])
        case(f"ta-2{numbers}-stranger", False, [record(2, selector, matching, STRANGER)])
        case(f"ta-0{numbers}-root", True, [record(0, selector, matching, ROOT)])
        case(f"ta-0{numbers}-issuer", True, [record(0, selector, matching, ISSUER)], sent=[ISSUER])
        case(f"ta-0{numbers}-stranger", False, [record(0, selector, matching, STRANGER)])
case("ee-wrong-name", True, [record(3, 1, 1, WRONG_NAME)], WRONG_NAME, rfc6698=False, opinion="names")
case("ee-expired", True, [record(3, 1, 1, EXPIRED)], EXPIRED)
case("ee-self-signed", True, [record(3, 1, 1, SELF)], SELF, sent=[])
case("ee-no-match-but-ta", True, [record(3, 1, 1, SELF), record(2, 0, 1, ISSUER)])
case("ta-no-match-but-ee", True, [record(2, 0, 1, STRANGER), record(3, 1, 1, LEAF)])
case("none-of-three", False, [record(3, 1, 1, SELF), record(2, 0, 1, STRANGER), record(1, 0, 1, ISSUER)])
case("ta-hash-not-sent", False, [record(2, 0, 1, ROOT)], sent=[ISSUER])
case("ta-full-not-sent", True, [record(2, 0, 0, ROOT)], sent=[ISSUER], roots=[STRANGER])
case("ta-expired-leaf", False, [record(2, 0, 1, ROOT)], EXPIRED)
case("ta-future-leaf", False, [record(2, 0, 1, ROOT)], FUTURE)
case("ta-wrong-name", False, [record(2, 0, 1, ROOT)], WRONG_NAME)
case("ta-name-of-base", True, [record(2, 0, 1, ROOT)], OF_BASE, opinion="base")
case("ee-name-of-base", True, [record(3, 0, 1, OF_BASE)], OF_BASE, opinion="names")
case("ee-1-name-of-base", False, [record(1, 0, 1, OF_BASE)], OF_BASE)
case("ta-path-length", False, [record(2, 0, 1, SHORT_ROOT)], UNDER_SHORT, sent=[SHORT_ISSUER, SHORT_ROOT])
case("ta-path-length-kept", True, [record(2, 0, 1, SHORT_ROOT)], DIRECT, sent=[SHORT_ROOT])
case("ta-not-a-ca", False, [record(2, 0, 1, NO_CA)], UNDER_NO_CA, sent=[NO_CA, ROOT])
case("ta-no-key-cert-sign", False, [record(2, 0, 1, NO_SIGN)], UNDER_NO_SIGN, sent=[NO_SIGN, ROOT])
case("ta-expired", False, [record(2, 0, 1, OLD_ROOT)], UNDER_OLD, sent=[OLD_ROOT])
case("ta-matches-leaf", False, [record(2, 1, 1, LEAF)])
case("ee-1-expired", False, [record(1, 1, 1, EXPIRED)], EXPIRED)
case("ee-1-unknown-issuer", False, [record(1, 1, 1, LEAF)], roots=[STRANGER])
case("ee-1-wrong-name", False, [record(1, 1, 1, WRONG_NAME)], WRONG_NAME)
case("ta-0-unknown-issuer", False, [record(0, 0, 1, ROOT)], roots=[STRANGER])
case("ta-0-wrong-name", False, [record(0, 0, 1, ROOT)], WRONG_NAME)
case("ta-0-of-leaf", False, [record(0, 0, 1, LEAF)])
case("ta-0-not-sent", True, [record(0, 0, 1, ROOT)], sent=[ISSUER])
for name, bad in [("usage-4", [4, 1, 1, "00" * 32]), ("usage-255", [255, 1, 1, "00" * 32]), ("selector-2", [3, 2, 1, "00" * 32]), ("matching-3", [3, 1, 3, "00" * 32]), ("sha256-of-31", [3, 1, 1, "00" * 31]), ("sha256-of-33", [3, 1, 1, "00" * 33]), ("sha512-of-32", [3, 1, 2, "00" * 32]), ("full-garbage", [3, 0, 0, "0102"]), ("full-key-garbage", [3, 1, 0, "30"]), ("full-empty", [2, 0, 0, ""]), ("full-and-more", record(3, 0, 0, LEAF, lambda it: it + b"\0"))]:
    case(f"unusable-{name}", True, [bad], opinion="unusable")
    case(f"unusable-{name}-no-pkix", False, [bad], SELF, sent=[])
    case(f"unusable-{name}-beside-match", True, [bad, record(3, 1, 1, SELF)], SELF, sent=[], opinion="empty" if name == "full-empty" else None)
    case(f"unusable-{name}-beside-other", False, [bad, record(3, 1, 1, STRANGER)])
case("digest-of-nothing", False, [[3, 1, 1, hashlib.sha256(b"").hexdigest()]])
case("digest-of-nothing-sha512", False, [[3, 0, 2, hashlib.sha512(b"").hexdigest()]])
case("agility-sha512-wrong", False, [record(3, 1, 2, SELF), record(3, 1, 1, LEAF)], rfc6698=True)
case("agility-sha256-wrong", True, [record(3, 1, 1, SELF), record(3, 1, 2, LEAF)])
case("agility-other-selector", True, [record(3, 0, 2, SELF), record(3, 1, 1, LEAF)])
case("agility-other-usage", True, [record(2, 1, 2, STRANGER), record(3, 1, 1, LEAF)])
case("agility-full-beside-sha512", True, [record(3, 1, 2, SELF), record(3, 1, 0, LEAF)])
case("agility-unusable-sha512", True, [[3, 1, 2, "00" * 32], record(3, 1, 1, LEAF)])
case("flipped-bit", False, [record(3, 1, 1, LEAF, lambda it: bytes([it[0] ^ 1]) + it[1:])])
case("100-records", True, [record(3, 1, 1, SELF, lambda it, n=n: bytes([n]) + it[1:]) for n in range(99)] + [record(3, 1, 1, LEAF)])

if ASK:
    print(f"OpenSSL agrees in {AGREE[0]} cases and differs in {AGREE[1]}")
    if ASKED:
        sys.exit("an opinion is not as stated")
main(FILE)
