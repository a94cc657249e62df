//! Fields of certificates: one that OpenSSL printed, and names built to look like other names.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

use authres_tls::{
    facts::CertificateFields, tls::ValueErrorKind, tls::dn::AttributeValue, tls::san::AltName,
};
use test_support::pki::{
    Certificate,
    rcgen::{
        CertificateParams, DnType, DnValue, SanType,
        string::{BmpString, TeletexString, UniversalString},
    },
};

/// By OpenSSL 3.0: subject `emailAddress=x@y.example,CN=a/b=c\\d,O=A\, \"B\" Inc\; x+OU=two,C=US`.
const ODD_NAMES: &[u8] = include_bytes!("data/odd-names.der");

fn octets(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn reads_names_and_digests_that_openssl_prints() {
    let fields = CertificateFields::from_der(ODD_NAMES).unwrap();
    let subject = fields.subject.unwrap();
    // The RDN of two attributes has the order of its DER, which OpenSSL turns round.
    let expected = r#"emailAddress=x@y.example,CN=a/b=c\\d,OU=two+O=A\, \"B\" Inc\; x,C=US"#;
    assert_eq!(subject.as_str(), expected);
    assert_eq!(fields.issuer, Some(subject));
    let sha256 = octets("d814a3ec95e0aee626c2daa6807a2b7a59951f89c164c1348c8de58f95cb2282");
    assert_eq!(fields.sha256.map(Vec::from), Some(sha256));
    let key = octets("f16199af1a783df723b11ba56dac0c14ae1495e1edbadee60b1efc7e34d3af19");
    assert_eq!(fields.public_key_sha256.map(Vec::from), Some(key));
    assert_eq!(fields.public_key_bits, Some(384));
}

#[test]
fn keeps_one_name_as_one_name() {
    let names = CertificateFields::from_der(ODD_NAMES)
        .unwrap()
        .alt_names
        .unwrap();
    let other = |kind: &'static str, value: &'static str| AltName::Other {
        kind: kind.into(),
        value: value.into(),
    };
    let expected = [
        AltName::Dns("a.example".into()),
        AltName::Ip([192, 0, 2, 1].into()),
        AltName::Ip([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()),
        AltName::Email("x@y.example".into()),
        AltName::Uri("http://a/?x,y".into()),
        other("othername", "<unsupported>"),
        other("DirName", r"O=Dir\, DNS:evil.example,C=US"),
        other("Registered ID", "1.2.3"),
        // What OpenSSL prints as two.
        AltName::Dns("evil.example, DNS:bank.example".into()),
    ];
    assert_eq!(names.iter().collect::<Vec<_>>(), expected);
    assert!(
        names
            .as_str()
            .ends_with(r", DNS:evil.example\, DNS:bank.example")
    );
}

fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateFields {
    let identity = Certificate::server(&[]).change(change).self_signed();
    CertificateFields::from_der(&identity.certificate()).unwrap()
}

#[test]
fn writes_names_without_line_breaks_and_vanishing_spaces() {
    let fields = made(|params| {
        let name = "x\r\nX-Inj: 1\0  ü ";
        params.distinguished_name.push(DnType::CommonName, name);
        let name = SanType::DnsName("a\r\nX-Inj: 1\0  b ".try_into().unwrap());
        params.subject_alt_names = vec![name];
    });
    let subject = fields.subject.unwrap();
    assert_eq!(subject.as_str(), r"CN=x\0D\0AX-Inj: 1\00 \20\C3\BC\20");
    let common_names: Vec<_> = subject.values("CN").collect();
    assert_eq!(common_names, ["x\r\nX-Inj: 1\0  ü "]);
    let names = fields.alt_names.unwrap();
    assert_eq!(names.as_str(), r"DNS:a\0D\0AX-Inj: 1\00 \20b\20");
    let expected = AltName::Dns("a\r\nX-Inj: 1\0  b ".into());
    assert_eq!(names.iter().collect::<Vec<_>>(), [expected]);
}

#[test]
fn reads_every_string_type_or_keeps_der() {
    let of = |value: DnValue| {
        let fields = made(|params| params.distinguished_name.push(DnType::CommonName, value));
        fields.subject.unwrap().to_string()
    };
    let bmp = BmpString::try_from("Zürich").unwrap();
    assert_eq!(of(DnValue::BmpString(bmp)), r"CN=Z\C3\BCrich");
    let universal = UniversalString::try_from("Zürich").unwrap();
    assert_eq!(of(DnValue::UniversalString(universal)), r"CN=Z\C3\BCrich");
    assert_eq!(of(DnValue::from("Zürich")), r"CN=Z\C3\BCrich");
    // What T.61 means is not certain.
    let teletex = TeletexString::try_from("Zurich").unwrap();
    assert_eq!(of(DnValue::TeletexString(teletex)), "CN=#14065A7572696368");
}

#[test]
fn writes_type_without_descriptor_in_hexadecimal() {
    let fields = made(|params| {
        let other = DnType::from_oid(&[1, 3, 6, 1, 4, 1, 1466, 0]);
        params.distinguished_name.push(other, "Hi, O=x");
    });
    let subject = fields.subject.unwrap();
    assert_eq!(subject.as_str(), "1.3.6.1.4.1.1466.0=#0C0748692C204F3D78");
    let values: Vec<_> = subject.attributes().map(|it| it.value()).collect();
    let der = [&[0x0c, 7], &b"Hi, O=x"[..]].concat();
    assert_eq!(values, [AttributeValue::Der(der)]);
}

#[test]
fn returns_length_of_public_key_by_its_numbers() {
    for (certificate, bits) in [
        (&include_bytes!("data/rsa-2047.der")[..], Some(2047)),
        (include_bytes!("data/p521-no-subject.der"), Some(521)),
        (include_bytes!("data/ed25519.der"), None),
    ] {
        let fields = CertificateFields::from_der(certificate).unwrap();
        assert_eq!(fields.public_key_bits, bits);
        assert_eq!(fields.alt_names, None);
    }
}

#[test]
fn returns_empty_subject_of_certificate_without_subject() {
    let fields = CertificateFields::from_der(include_bytes!("data/p521-no-subject.der")).unwrap();
    let subject = fields.subject.unwrap();
    assert_eq!((subject.as_str(), subject.rdns().count()), ("", 0));
}

#[test]
fn refuses_octets_that_are_not_one_certificate() {
    let malformed = |bytes: &[u8], offset| {
        let error = CertificateFields::from_der(bytes).unwrap_err();
        assert_eq!(error.kind(), ValueErrorKind::Malformed);
        assert_eq!((error.field(), error.offset()), ("Certificate", offset));
        assert_eq!(
            error.to_string(),
            format!("Certificate: malformed at byte {offset}")
        );
    };
    malformed(b"", 0);
    malformed(b"\x30\x00", 0);
    let more = [ODD_NAMES, &[0]].concat();
    malformed(&more, ODD_NAMES.len());
    for length in 0..ODD_NAMES.len() {
        malformed(&ODD_NAMES[..length], 0);
    }
}
