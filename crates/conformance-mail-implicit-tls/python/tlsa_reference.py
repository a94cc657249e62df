"""A second implementation of TLSA records (RFC 6698, 7671): Python cryptography reads the certificates and verifies their
signatures, paths are built here. In the vectors that tlsa_vectors.py writes, whether a server is accepted is stated by
hand and asked of OpenSSL; the findings on single records are those of this file."""

import datetime
import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_der_public_key


class Certificate:
    def __init__(self, der):
        self.der, self.x509 = der, x509.load_der_x509_certificate(der)
        form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        self.spki = self.x509.public_key().public_bytes(*form)

    def __eq__(self, other):
        return self.der == other.der

    def extension(self, kind):
        try:
            return self.x509.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    def is_valid(self, now):
        return self.x509.not_valid_before_utc <= now <= self.x509.not_valid_after_utc

    def is_ca(self):
        constraints = self.extension(x509.BasicConstraints)
        return bool(constraints and constraints.ca)

    def may_issue(self, intermediates):
        """`intermediates`: the number of authorities between this one and the server's certificate."""
        usage = self.extension(x509.KeyUsage)
        limit = self.is_ca() and self.extension(x509.BasicConstraints).path_length
        return self.is_ca() and (usage is None or usage.key_cert_sign) and (limit is None or intermediates <= limit)

    def is_issued_by(self, other):
        try:
            self.x509.verify_directly_issued_by(other.x509)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True

    def names(self):
        names = self.extension(x509.SubjectAlternativeName)
        return names.get_values_for_type(x509.DNSName) if names else []

    def matches(self, record):
        selected = self.spki if record[1] == 1 else self.der
        return DIGESTS[record[2]](selected).hex() == record[3]


DIGESTS = {0: bytes, 1: lambda it: hashlib.sha256(it).digest(), 2: lambda it: hashlib.sha512(it).digest()}


def path(leaf, sent, anchors, now, checked):
    """The certificates from the issuer of `leaf` to one of the anchors. `checked`: an anchor must itself be one that may
    issue now; a trust anchor of PKIX is a name and a key, with its limits."""
    if not leaf.is_valid(now) or leaf.is_ca():
        return None

    def extended(below, found):
        for anchor in anchors:
            if below.is_issued_by(anchor) and (not checked or anchor.may_issue(len(found)) and anchor.is_valid(now)):
                return [*found, anchor]
        for issuer in sent:
            if issuer in found or not below.is_issued_by(issuer):
                continue
            if issuer.may_issue(len(found)) and issuer.is_valid(now):
                whole = extended(issuer, [*found, issuer])
                if whole:
                    return whole
        return None

    return extended(leaf, [])


def problem_of(record):
    """The reason for which a record is unusable."""
    usage, selector, matching, data = record
    octets = bytes.fromhex(data)
    if usage > 3:
        return "usage"
    if selector > 1:
        return "selector"
    if matching > 2:
        return "matching-type"
    if matching:
        return None if len(octets) == 32 * matching else "digest-length"
    try:
        (load_der_public_key if selector else x509.load_der_x509_certificate)(octets)
    except ValueError:
        return "malformed"
    return None


class Server:
    def __init__(self, rules, host, base, roots, chain, time):
        leaf, *self.sent = [Certificate(bytes.fromhex(it)) for it in chain]
        self.rules, self.host, self.base, self.leaf = rules, host, base, leaf
        self.now = datetime.datetime.fromtimestamp(time, datetime.timezone.utc)
        roots = [Certificate(bytes.fromhex(it)) for it in roots]
        self.pkix = path(leaf, self.sent, roots, self.now, False)

    def finding(self, record):
        """The reason for which a usable record does not match."""
        usage = record[0]
        if usage in (1, 3):
            if not self.leaf.matches(record):
                return "no-match"
            if usage == 1 and not self.pkix:
                return "path"
        elif usage == 0:
            if not any(it.matches(record) for it in self.pkix or self.sent):
                return "no-match"
            if not self.pkix:
                return "path"
        else:
            anchors = [it for it in self.sent if it.matches(record)]
            if not anchors and record[1:3] == [0, 0]:
                anchors = [Certificate(bytes.fromhex(record[3]))]
            if not anchors:
                return "no-match"
            if not path(self.leaf, self.sent, anchors, self.now, True):
                return "path"
        allowed = [self.host, self.base] if usage in (2, 3) else [self.host]
        if not self.covers(usage) and not set(allowed) & set(self.leaf.names()):
            return "identity"
        return None

    def covers(self, usage):
        return usage == 3 and self.rules == "rfc7671"

    def dane(self, records):
        findings = [[*it[:3], problem_of(it)] for it in records if problem_of(it)]
        usable = [it for it in records if not problem_of(it)]
        if not usable:
            return {"unusable": findings}
        for it in usable:
            is_weaker = self.rules == "rfc7671" and it[2] == 1 and any(other[:3] == [*it[:2], 2] for other in usable)
            problem = "weaker-digest" if is_weaker else self.finding(it)
            if not problem:
                return {"usage": it[0], "covers_identity": self.covers(it[0])}
            findings.append([*it[:3], problem])
        return {"differs": findings}

    def accepted(self, dane):
        return "usage" in dane or "unusable" in dane and bool(self.pkix) and self.host in self.leaf.names()


def judge(rules, host, base, roots, chain, records, time):
    server = Server(rules, host, base, roots, chain, time)
    dane = server.dane(records)
    return {"dane": dane, "accepted": server.accepted(dane)}
