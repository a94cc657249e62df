"""Writes mail-implicit-tls/vectors/identity.json: certificates made with Python cryptography, judged by
identity_reference.py, a second implementation. Whether a name matches is stated by hand in each case, and two
independent implementations are asked as well: service-identity, and OpenSSL. Where one of them differs, the case
states it, and OPINIONS below says why.

    python3 crates/conformance-mail-implicit-tls/python/identity_vectors.py [--check]
"""

import datetime
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main  # noqa: E402

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier
from service_identity import cryptography as service_identity
from service_identity.exceptions import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, SRV_ID, verify_service_identity

from identity_reference import RULES, judge

SOURCE = "crates/conformance-mail-implicit-tls/python/identity_vectors.py (Python cryptography, service-identity, OpenSSL)"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SRV_OID = ObjectIdentifier("1.3.6.1.5.5.7.8.7")
CASES = {}
HOST = "imap.example.com"

# Why service-identity 26.1 (S) or OpenSSL 3 (O) decides otherwise.
OPINIONS = {
    "S-idn-label": "service-identity lets no wildcard stand for an A-label; RFC 7817 and 9525 do",
    "S-space": "service-identity removes white space around a name",
    "S-rules": "service-identity has one set of rules, with SRV-IDs",
    "S-cn": "service-identity knows no CN-ID",
    "S-constraints": "service-identity knows no constraints",
    "O-partial": "openssl x509 -checkhost accepts a wildcard within the left-most label",
    "O-cn": "openssl x509 -checkhost reads the common name unless a dNSName is there, whatever the rules",
    "O-cn-any": "openssl reads any common name, not only the most specific",
    "O-unreadable": "openssl reads what it can of such an extension, or falls back to the common name",
}


def tlv(tag, content):
    length = len(content)
    if length < 128:
        head = bytes([tag, length])
    elif length < 256:
        head = bytes([tag, 0x81, length])
    else:
        head = bytes([tag, 0x82]) + length.to_bytes(2, "big")
    return head + content


def dns(name):
    return tlv(0x82, name if isinstance(name, bytes) else name.encode())


def ip(octets):
    return tlv(0x87, bytes(octets))


def uri(text):
    return tlv(0x86, text.encode())


def email(text):
    return tlv(0x81, text.encode())


def srv(name, tag=0x16, oid="06082b06010505070807"):
    name = name if isinstance(name, bytes) else name.encode()
    return tlv(0xA0, bytes.fromhex(oid) + tlv(0xA0, tlv(tag, name)))


def attribute(oid, value, kind=_ASN1Type.UTF8String):
    return x509.NameAttribute(oid, value, kind, _validate=False)


def subject(*rdns):
    """Each RDN is a list of (type, value[, string type])."""
    types = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "E": NameOID.EMAIL_ADDRESS}
    return x509.Name([x509.RelativeDistinguishedName([attribute(types[it[0]], *it[1:]) for it in rdn]) for rdn in rdns])


def certificate(names, subject_name):
    """`names`: encoded GeneralNames, None for no extension, or octets of the whole extension."""
    start = datetime.datetime(2026, 1, 1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(x509.Name([attribute(NameOID.COMMON_NAME, "Issuer")]))
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
    )
    if names is not None:
        value = names if isinstance(names, bytes) else tlv(0x30, b"".join(names))
        builder = builder.add_extension(x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, value), critical=False)
    return builder.sign(KEY, None).public_bytes(serialization.Encoding.DER)


def asked_service_identity(der, reference):
    """True, False, or None where the certificate cannot be read."""
    kind, value = reference
    wanted = {"dns": lambda: DNS_ID(value), "ip": lambda: IPAddress_ID(value), "srv": lambda: SRV_ID(f"_{value[0]}.{value[1]}")}[kind]()
    try:
        patterns = service_identity.extract_patterns(x509.load_der_x509_certificate(der))
    except (ValueError, CertificateError):
        return None
    except IndexError:  # an empty SRV-ID
        return None
    try:
        verify_service_identity(patterns, [wanted], [])
    except (CertificateError, VerificationError):
        return False
    return True


def asked_openssl(der, reference):
    kind, value = reference
    if kind == "srv":
        return None
    with tempfile.NamedTemporaryFile(suffix=".der") as file:
        file.write(der)
        file.flush()
        command = ["openssl", "x509", "-inform", "der", "-in", file.name, "-noout", "-checkhost" if kind == "dns" else "-checkip", value]
        run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode or "match certificate" not in run.stdout:
        return None
    return "does match certificate" in run.stdout


def case(name, names, expected, matches, rules="rfc7817", subject_name=subject([("O", "Example")]), S=None, O=None, shows=(), **more):
    """`expected`: references; `matches`: stated by hand; S and O: reasons why an oracle differs."""
    assert name not in CASES, name
    der = certificate(names, subject_name)
    fields = {"certificate": der.hex(), "rules": rules, "expected": [{kind: list(value) if kind == "srv" else value} for kind, value in expected], **more}
    outcome = judge(fields)
    assert ("reference" in outcome) == matches, f"{name}: {outcome}"
    for oracle, asked, reason in (("service-identity", asked_service_identity, S), ("openssl", asked_openssl, O)):
        answers = [asked(der, reference) for reference in expected]
        if None in answers and True not in answers:
            agrees = None
        else:
            agrees = (True in answers) == matches
        if agrees is False:
            assert reason in OPINIONS, f"{name}: {oracle} says {answers}"
        else:
            assert reason is None, f"{name}: {oracle} does not differ, though {reason}"
        ASKED[oracle][agrees] = ASKED[oracle].get(agrees, 0) + 1
    requirements = ["newman-3-1-2", *shows]
    CASES[name] = {"name": name, "requirements": requirements, **fields, "accept": outcome}


ASKED = {"service-identity": {}, "openssl": {}}


def host(name, presented, matches, host=HOST, **more):
    case(name, [dns(it) for it in presented], [("dns", host)], matches, **more)


# --- DNS-ID: exact names -----------------------------------------------------------------------------------------

host("dns-same", ["imap.example.com"], True)
host("dns-second-of-two", ["smtp.example.com", "imap.example.com"], True)
host("dns-last-of-three", ["a.example", "b.example", "imap.example.com"], True)
host("dns-other", ["imap.example.org"], False)
host("dns-parent", ["example.com"], False)
host("dns-child", ["a.imap.example.com"], False)
host("dns-suffix-of-label", ["ap.example.com"], False)
host("dns-prefix", ["imap.example"], False)
host("dns-longer-top-level", ["imap.example.com.evil.example"], False)
host("dns-as-label-of-other", ["xn--imap.example.com"], False)
host("dns-none", [], False)
host("dns-empty-name", [""], False)
host("dns-single-label", ["localhost"], True, host="localhost")
host("dns-single-label-other", ["localhost.example"], False, host="localhost")
host("case-upper-presented", ["IMAP.EXAMPLE.COM"], True)
host("case-mixed-presented", ["Imap.Example.Com"], True)
host("case-upper-a-label", ["XN--BCHER-KVA.EXAMPLE"], True, host="xn--bcher-kva.example")
host("trailing-dot-presented", ["imap.example.com."], False)
host("trailing-dot-wildcard", ["*.example.com."], False)
host("leading-dot", [".example.com"], False)
host("double-dot", ["imap..example.com"], False)
host("only-dot", ["."], False)
host("space-before", [" imap.example.com"], False, S="S-space")
host("space-after", ["imap.example.com "], False, S="S-space")
host("newline-after", ["imap.example.com\n"], False, S="S-space")
host("tab-inside", ["imap\t.example.com"], False)
host("underscore-label", ["_imap.example.com"], False)
host("underscore-beside-right-one", ["a_b.example.com", "imap.example.com"], True)
host("hyphen-first", ["-imap.example.com"], False)
host("hyphen-last", ["imap-.example.com"], False)
host("port-in-name", ["imap.example.com:993"], False)
host("at-sign", ["alice@imap.example.com"], False)
host("scheme", ["imaps://imap.example.com"], False)
host("nul-in-san", [b"imap.example.com\0.evil.example"], False)
host("nul-last", [b"imap.example.com\0"], False)
host("nul-first", [b"\0imap.example.com"], False)
host("nul-beside-right-one", [b"imap.example.com\0.evil.example", "imap.example.com"], True)
host("latin-1-octet", [b"imap.ex\xe4mple.com"], False)
host("utf-8-in-dnsname", ["imap.exämple.com".encode()], False, host="imap.xn--exmple-cua.com")
host("u-label-presented", ["bücher.example".encode()], False, host="xn--bcher-kva.example")
host("a-label-presented", ["xn--bcher-kva.example"], True, host="xn--bcher-kva.example")
host("a-label-for-other", ["xn--bcher-kva.example"], False, host="bucher.example")
host("idna-disguise-presented", ["xn--example-.com"], False, host="example.com")
host("kelvin-sign", ["imap.\u212aexample.com".encode()], False, host="imap.kexample.com")
host("fullwidth-dot", ["imap\uff0eexample.com".encode()], False)
label = "a" * 63
host("label-63", [f"{label}.example.com"], True, host=f"{label}.example.com")
host("label-64-presented", [f"{label}a.example.com"], False, host=f"{label}.example.com")
longest = ".".join([label] * 3 + ["b" * 61])
host("name-253", [longest], True, host=longest)
host("name-254-presented", [longest + "b"], False, host=longest)
host("digits-first", ["1.example.com"], True, host="1.example.com")
host("two-hyphens", ["a--b.example.com"], True, host="a--b.example.com")
host("duplicate-name", ["imap.example.com", "imap.example.com"], True)

# --- Wildcards ---------------------------------------------------------------------------------------------------

host("wildcard-whole-label", ["*.example.com"], True)
host("wildcard-case", ["*.EXAMPLE.com"], True)
host("wildcard-two-labels", ["*.example.com"], False, host="a.imap.example.com")
host("wildcard-apex", ["*.example.com"], False, host="example.com")
host("wildcard-other-domain", ["*.example.org"], False)
host("wildcard-suffix-without-dot", ["*example.com"], False)
host("wildcard-partial-prefix", ["i*.example.com"], False, O="O-partial")
host("wildcard-partial-suffix", ["*p.example.com"], False, O="O-partial")
host("wildcard-partial-both", ["i*p.example.com"], False)
host("wildcard-inner", ["imap.*.com"], False)
host("wildcard-last", ["imap.example.*"], False)
host("wildcard-two", ["*.*.com"], False)
host("wildcard-double", ["**.example.com"], False)
host("wildcard-alone", ["*"], False)
host("wildcard-dot", ["*."], False)
host("wildcard-tld", ["*.com"], False, host="example.com")
host("wildcard-single-label-host", ["*"], False, host="localhost")
host("wildcard-local", ["*.localhost"], False, host="imap.localhost")
host("wildcard-public-suffix", ["*.co.uk"], True, host="example.co.uk")
host("wildcard-beside-exact", ["*.example.org", "imap.example.com"], True)
host("wildcard-idn-parent", ["*.xn--bcher-kva.example"], True, host="imap.xn--bcher-kva.example")
host("wildcard-idn-fragment", ["xn--*.example.com"], False, host="xn--bcher-kva.example.com")
host("wildcard-for-a-label", ["*.example.com"], True, host="xn--bcher-kva.example.com", S="S-idn-label")
host("wildcard-underscore-parent", ["*.a_b.example.com"], False, host="imap.a-b.example.com")
host("wildcard-literal-star-in-parent", ["*.ex*mple.com"], False)
host("wildcard-percent", ["%.example.com"], False)
host("wildcard-question-mark", ["?map.example.com"], False)
host("wildcard-deep", ["*.b.c.example.com"], True, host="a.b.c.example.com")
for rules in RULES:
    host(f"wildcard-under-{rules}", ["*.example.com"], True, rules=rules)
    host(f"partial-wildcard-under-{rules}", ["im*.example.com"], False, rules=rules, O="O-partial")
    host(f"dns-under-{rules}", ["imap.example.com"], True, rules=rules)
    host(f"dns-other-under-{rules}", ["smtp.example.com"], False, rules=rules)

# --- SRV-ID ------------------------------------------------------------------------------------------------------

FOUND = [("dns", "imap.example.net"), ("srv", ("imaps", "example.com")), ("dns", "example.com")]
ONLY_SRV = [("srv", ("imaps", "example.com"))]


def service(name, presented, matches, expected=ONLY_SRV, **more):
    presented = presented if isinstance(presented, list) else [presented]
    case(name, [it if isinstance(it, bytes) else srv(it) for it in presented], expected, matches, **more)


service("srv-id", "_imaps.example.com", True)
service("srv-id-beside-dns", [dns("imap.example.net"), srv("_imaps.example.com")], True)
service("srv-id-and-other-dns", [dns("www.example.org"), srv("_imaps.example.com")], True)
service("srv-id-second", ["_imap.example.com", "_imaps.example.com"], True)
service("srv-id-found-by-srv", "_imaps.example.com", True, expected=FOUND)
service("srv-id-target-by-dns-id", dns("imap.example.net"), True, expected=FOUND)
service("srv-id-domain-by-dns-id", dns("example.com"), True, expected=FOUND)
service("srv-id-neither", dns("www.example.com"), False, expected=FOUND)
service("srv-id-only-host-typed", "_imaps.example.com", False, expected=[("dns", "imap.example.com")])
service("srv-id-only-domain-typed", "_imaps.example.com", False, expected=[("dns", "example.com")])
service("srv-id-service-imap-for-imaps", "_imap.example.com", False)
service("srv-id-service-imaps-for-imap", "_imaps.example.com", False, expected=[("srv", ("imap", "example.com"))])
service("srv-id-service-submission-for-submissions", "_submission.example.com", False, expected=[("srv", ("submissions", "example.com"))])
service("srv-id-service-submissions", "_submissions.example.com", True, expected=[("srv", ("submissions", "example.com"))])
service("srv-id-service-submission", "_submission.example.com", True, expected=[("srv", ("submission", "example.com"))])
service("srv-id-service-pop3s", "_pop3s.example.com", True, expected=[("srv", ("pop3s", "example.com"))])
service("srv-id-service-pop3", "_pop3.example.com", True, expected=[("srv", ("pop3", "example.com"))])
service("srv-id-service-pop-for-pop3", "_pop.example.com", False, expected=[("srv", ("pop3", "example.com"))])
service("srv-id-service-smtp-for-submission", "_smtp.example.com", False, expected=[("srv", ("submission", "example.com"))])
service("srv-id-service-xmpp", "_xmpp-client.example.com", False)
service("srv-id-service-empty", "_.example.com", False)
service("srv-id-case", "_IMAPS.Example.COM", True)
service("srv-id-trailing-dot", "_imaps.example.com.", False)
service("srv-id-port", "_imaps.example.com:993", False)
service("srv-id-wildcard", "_imaps.*.com", False)
service("srv-id-wildcard-label", "_imaps.*.example.com", False, expected=[("srv", ("imaps", "mail.example.com"))])
service("srv-id-wildcard-service", "_*.example.com", False)
service("srv-id-two-underscores", "_imaps._tcp.example.com", False)
service("srv-id-no-underscore", "imaps.example.com", False)
service("srv-id-no-name", "_imaps", False)
service("srv-id-empty-name", "_imaps.", False)
service("srv-id-empty", "", False)
service("srv-id-parent", "_imaps.com", False)
service("srv-id-child", "_imaps.mail.example.com", False)
service("srv-id-nul", b"" + srv(b"_imaps.example.com\0.evil.example"), False)
service("srv-id-nul-in-service", srv(b"_imaps\0.example.com"), False)
service("srv-id-utf8string", srv("_imaps.example.com", tag=0x0C), False)
service("srv-id-utf8string-option", srv("_imaps.example.com", tag=0x0C), True, srv_id_as_utf8_string=True)
service("srv-id-utf8string-option-other", srv("_imap.example.com", tag=0x0C), False, srv_id_as_utf8_string=True)
service("srv-id-printablestring", srv("_imaps.example.com", tag=0x13), False)
service("srv-id-octet-string", srv("_imaps.example.com", tag=0x04), False)
service("srv-id-without-string", tlv(0xA0, bytes.fromhex("06082b06010505070807")), False)
service("srv-id-without-explicit-tag", tlv(0xA0, bytes.fromhex("06082b06010505070807") + tlv(0x16, b"_imaps.example.com")), False)
service("srv-id-trailing-octets", tlv(0xA0, bytes.fromhex("06082b06010505070807") + tlv(0xA0, tlv(0x16, b"_imaps.example.com") + b"\0")), False)
service("srv-id-long-form", srv("_imaps." + longest[:200] + ".example"), True, expected=[("srv", ("imaps", longest[:200] + ".example"))])
service("srv-id-of-other-type", srv("_imaps.example.com", oid="06082b06010505070805"), False)
service("srv-id-idn", "_imaps.xn--bcher-kva.example", True, expected=[("srv", ("imaps", "xn--bcher-kva.example"))])
service("srv-id-u-label", "_imaps.bücher.example", False, expected=[("srv", ("imaps", "xn--bcher-kva.example"))])
service("srv-id-as-dns-id", dns("_imaps.example.com"), False)
service("dns-id-does-not-serve-srv", dns("example.com"), False)
service("srv-id-does-not-serve-dns", "_imaps.imap.example.com", False, expected=[("dns", "imap.example.com")])
for rules, matches in (("rfc9525", True), ("rfc6125", True), ("rfc3501", False)):
    service(f"srv-id-under-{rules}", "_imaps.example.com", matches, rules=rules, S=None if matches else "S-rules")

# --- IP-ID -------------------------------------------------------------------------------------------------------

V4, V6 = "192.0.2.1", "2001:db8::1"
V4_OCTETS, V6_OCTETS = bytes([192, 0, 2, 1]), bytes.fromhex("20010db8000000000000000000000001")
MAPPED = bytes(10) + b"\xff\xff" + V4_OCTETS
case("ip-v4", [ip(V4_OCTETS)], [("ip", V4)], True)
case("ip-v6", [ip(V6_OCTETS)], [("ip", V6)], True)
case("ip-v6-long-form", [ip(V6_OCTETS)], [("ip", "2001:0db8:0:0:0:0:0:1")], True)
case("ip-second", [ip([192, 0, 2, 2]), ip(V4_OCTETS)], [("ip", V4)], True)
case("ip-other", [ip([192, 0, 2, 2])], [("ip", V4)], False)
case("ip-v4-mapped-presented", [ip(MAPPED)], [("ip", V4)], False)
case("ip-v4-mapped-reference", [ip(V4_OCTETS)], [("ip", "::ffff:192.0.2.1")], False)
case("ip-v4-mapped-both", [ip(MAPPED)], [("ip", "::ffff:192.0.2.1")], True)
case("ip-in-dnsname", [dns("192.0.2.1")], [("ip", V4)], False)
case("ip-v6-in-dnsname", [dns("2001:db8::1")], [("ip", V6)], False)
case("ip-in-cn", None, [("ip", V4)], False, rules="rfc6125", subject_name=subject([("CN", V4)]))
case("ip-in-uri", [uri("imap://192.0.2.1/")], [("ip", V4)], False)
case("ip-in-wildcard", [dns("*.0.2.1")], [("ip", V4)], False)
case("ip-mask", [ip([192, 0, 2, 0, 255, 255, 255, 0])], [("ip", V4)], False)
case("ip-three-octets", [ip([192, 0, 2])], [("ip", V4)], False)
case("ip-empty", [ip([])], [("ip", V4)], False)
case("ip-does-not-serve-name", [ip(V4_OCTETS)], [("dns", HOST)], False)
case("name-does-not-serve-ip", [dns(HOST)], [("ip", V4)], False)
for rules in RULES[1:]:
    case(f"ip-under-{rules}", [ip(V4_OCTETS)], [("ip", V4)], True, rules=rules)

# --- CN-ID -------------------------------------------------------------------------------------------------------

MAIL = [("CN", HOST)]


def common(name, matches, rdns, names=None, rules="rfc6125", **more):
    case(name, names, more.pop("expected", [("dns", HOST)]), matches, rules=rules, subject_name=subject(*rdns), **more)


for rules, matches in (("rfc7817", False), ("rfc9525", False), ("rfc6125", True), ("rfc3501", True)):
    common(f"cn-only-under-{rules}", matches, [MAIL], rules=rules, S="S-cn" if matches else None, O=None if matches else "O-cn")
common("cn-after-organisation", True, [[("O", "Example")], MAIL], S="S-cn")
common("cn-before-unit", True, [MAIL, [("OU", "Mail")]], S="S-cn")
common("cn-before-email", True, [MAIL, [("E", "postmaster@example.com")]], S="S-cn")
common("cn-other", False, [[("CN", "smtp.example.com")]])
common("cn-case", True, [[("CN", "IMAP.example.COM")]], S="S-cn")
common("cn-wildcard", True, [[("CN", "*.example.com")]], S="S-cn")
common("cn-wildcard-partial", False, [[("CN", "i*.example.com")]], O="O-partial")
common("cn-trailing-dot", False, [[("CN", "imap.example.com.")]])
common("cn-prose", False, [[("CN", "Mail server imap.example.com")]])
common("cn-none", False, [[("O", HOST)]])
common("cn-two-last-right", True, [[("CN", "smtp.example.com")], MAIL], S="S-cn")
common("cn-two-first-right", False, [MAIL, [("CN", "smtp.example.com")]], O="O-cn-any")
common("cn-multivalued", False, [[("CN", HOST), ("OU", "Mail")]], O="O-cn-any")
common("cn-multivalued-last", False, [MAIL, [("CN", "smtp.example.com"), ("OU", "Mail")]], O="O-cn-any")
common("cn-printablestring", True, [[("CN", HOST, _ASN1Type.PrintableString)]], S="S-cn")
common("cn-ia5string", True, [[("CN", HOST, _ASN1Type.IA5String)]], S="S-cn")
common("cn-bmpstring", False, [[("CN", HOST, _ASN1Type.BMPString)]], O="O-cn-any")
common("cn-t61string", False, [[("CN", HOST, _ASN1Type.T61String)]], O="O-cn-any")
common("cn-universalstring", False, [[("CN", HOST, _ASN1Type.UniversalString)]], O="O-cn-any")
common("nul-in-cn", False, [[("CN", HOST + "\0.evil.example")]])
common("cn-u-label", False, [[("CN", "bücher.example")]], expected=[("dns", "xn--bcher-kva.example")])
common("cn-with-dns-of-other", False, [MAIL], names=[dns("smtp.example.com")])
common("cn-with-malformed-dns", False, [MAIL], names=[dns("smtp..example.com")])
common("cn-with-srv", False, [MAIL], names=[srv("_imaps.example.org")], O="O-cn")
common("cn-with-ip", False, [MAIL], names=[ip(V4_OCTETS)], O="O-cn")
common("cn-with-uri", False, [MAIL], names=[uri("imap://imap.example.com/")], O="O-cn")
common("cn-with-email-only", True, [MAIL], names=[email("postmaster@example.com")], S="S-cn")
common("cn-with-empty-san", True, [MAIL], names=[], S="S-cn")
common("cn-with-dns-of-other-under-rfc3501", False, [MAIL], names=[dns("smtp.example.com")], rules="rfc3501")
common("cn-with-ip-under-rfc3501", False, [MAIL], names=[ip(V4_OCTETS)], rules="rfc3501", O="O-cn")
common("cn-for-srv", False, [[("CN", "example.com")]], expected=ONLY_SRV)
common("cn-as-srv-name", False, [[("CN", "_imaps.example.com")]], expected=ONLY_SRV)

# --- Other names -------------------------------------------------------------------------------------------------

case("uri-id", [uri("imap://imap.example.com/")], [("dns", HOST)], False)
case("uri-id-imaps", [uri("imaps://imap.example.com:993/")], [("dns", HOST)], False, rules="rfc6125")
case("uri-id-beside-dns", [uri("imap://imap.example.com/"), dns(HOST)], [("dns", HOST)], True)
case("email-only", [email("alice@imap.example.com")], [("dns", HOST)], False)
case("no-san-no-cn", None, [("dns", HOST)], False)
case("nothing-expected", [dns(HOST)], [], False)
case("unknown-tag", [tlv(0x89, b"x"), dns(HOST)], [("dns", HOST)], False)
case("registered-id-beside", [tlv(0x88, b"\x2a\x03"), dns(HOST)], [("dns", HOST)], True)
case("directory-name-beside", [tlv(0xA4, subject([("CN", HOST)]).public_bytes()), dns("a.example")], [("dns", HOST)], False)
case("san-truncated", tlv(0x30, dns(HOST))[:-1], [("dns", HOST)], False)
case("san-trailing-octets", tlv(0x30, dns(HOST)) + b"\0", [("dns", HOST)], False, O="O-unreadable")
case("san-not-a-sequence", tlv(0x31, dns(HOST)), [("dns", HOST)], False)
case("san-name-overruns", tlv(0x30, b"\x82\x20imap.example.com"), [("dns", HOST)], False)
case("san-universal-class", tlv(0x30, tlv(0x16, b"imap.example.com")), [("dns", HOST)], False)
case("san-unreadable-cn", tlv(0x31, dns(HOST)), [("dns", HOST)], False, rules="rfc6125", subject_name=subject(MAIL), O="O-unreadable")
host("san-100-names-last", [f"h{n}.example.com" for n in range(99)] + [HOST], True)
host("san-150-names-none", [f"h{n}.example.com" for n in range(150)], False)

# --- Name constraints of the path --------------------------------------------------------------------------------


def path(*certificates):
    return {"constraints": [{key: value for key, value in zip(("permitted", "excluded"), it) if value} for it in certificates]}


OUTSIDE, INSIDE, EXCLUDED = path((["example.org"], [])), path((["example.com"], [])), path(([], ["example.com"]))
common("cn-under-dns-constraints", False, [MAIL], O="O-cn", **OUTSIDE)
common("cn-within-dns-constraints", True, [MAIL], S="S-cn", **INSIDE)
common("cn-excluded", False, [MAIL], O="O-cn", **EXCLUDED)
common("cn-excluded-host", False, [MAIL], O="O-cn", **path(([], [HOST])))
common("cn-excluded-other", True, [MAIL], S="S-cn", **path(([], ["example.org"])))
common("cn-permitted-host", True, [MAIL], S="S-cn", **path(([HOST], [])))
common("cn-permitted-below-dot", True, [MAIL], S="S-cn", **path(([".example.com"], [])))
common("cn-permitted-case", True, [MAIL], S="S-cn", **path((["EXAMPLE.Com"], [])))
common("cn-permitted-label-suffix", False, [MAIL], O="O-cn", **path((["ample.com"], [])))
common("cn-permitted-child", False, [MAIL], O="O-cn", **path((["a.imap.example.com"], [])))
common("cn-permitted-all", True, [MAIL], S="S-cn", **path(([""], [])))
common("cn-excluded-all", False, [MAIL], O="O-cn", **path(([], [""])))
common("cn-permitted-one-of-two", True, [MAIL], S="S-cn", **path((["example.org", "example.com"], [])))
common("cn-permitted-by-one-of-two-authorities", False, [MAIL], O="O-cn", **path((["example.com"], []), (["example.org"], [])))
common("cn-wildcard-with-exclusion-below", False, [[("CN", "*.example.com")]], O="O-cn", **path(([], ["evil.example.com"])))
common("cn-wildcard-permitted-host", False, [[("CN", "*.example.com")]], O="O-cn", **path(([HOST], [])))
common("cn-wildcard-permitted-below-dot", True, [[("CN", "*.example.com")]], S="S-cn", **path(([".example.com"], [])))
service("srv-under-dns-constraints", "_imaps.example.com", False, S="S-constraints", **OUTSIDE)
service("srv-within-dns-constraints", "_imaps.example.com", True, **INSIDE)
service("srv-excluded", "_imaps.example.com", False, S="S-constraints", **EXCLUDED)
service("srv-permitted-below-dot-only", "_imaps.example.com", False, S="S-constraints", **path(([".example.com"], [])))
service("srv-constrained-but-dns-matches", [srv("_imaps.example.com"), dns("example.com")], True, expected=FOUND, **OUTSIDE)
host("dns-is-left-to-webpki", [HOST], True, **OUTSIDE)

for oracle, answers in ASKED.items():
    print(f"{oracle}: agrees {answers.get(True, 0)}, differs {answers.get(False, 0)} (each with its reason), not asked {answers.get(None, 0)}")
main(None, SuiteFile("mail-implicit-tls/identity", SOURCE, list(CASES.values())))
