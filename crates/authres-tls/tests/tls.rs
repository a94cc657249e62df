//! The typed view of a `tls` result: values, conflicts, lints and their places.

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

use std::borrow::Cow;

use authres_tls::{
    AuthenticationResults, Options, TlsResInfo,
    tls::dn::{AttributeValue, DistinguishedName, DnForm},
    tls::san::{AltName, AltNames},
    tls::{
        Fingerprint, FingerprintAlgorithm, NotTlsError, PropertyError, TlsDiagnosticKind,
        TlsLintKind, TlsProperty, TlsResult, ValueErrorKind, Word,
    },
};
#[cfg(feature = "cipher-names")]
use authres_tls::{AuthenticationResultsBuf, WriteOptions};

fn parse(value: &str) -> AuthenticationResults<'_> {
    AuthenticationResults::parse(value.as_bytes(), &Options::strict()).unwrap()
}

fn only<'h, 'a>(header: &'h AuthenticationResults<'a>) -> TlsResInfo<'h, 'a> {
    let mut all = TlsResInfo::all(header);
    let tls = all.next().unwrap().unwrap();
    assert!(all.next().is_none());
    tls
}

#[test]
fn reports_duplicate_property_as_conflict_and_keeps_both() {
    let value = "mx.example.net; tls=pass cert.client=\"CN=a\" key.length=1 Cert.Client=\"CN=b\"";
    let header = parse(value);
    let tls = only(&header);
    let values = tls.values(TlsProperty::CertClient);
    let values: Vec<_> = values.map(|it| it.unfolded().into_owned()).collect();
    assert_eq!(values, ["CN=a", "CN=b"]);
    let conflict = tls.value(TlsProperty::CertClient).unwrap_err();
    assert_eq!(conflict.property(), TlsProperty::CertClient);
    assert_eq!(&value[conflict.first().range()], "\"CN=a\"");
    assert_eq!(&value[conflict.second().range()], "\"CN=b\"");
    assert_eq!(
        conflict.to_string(),
        "cert.client: duplicate at byte 37 and at byte 69"
    );
    assert_eq!(tls.cert_client(), Err(PropertyError::Conflict(conflict)));
    assert_eq!(tls.key_length(), Ok(Some(1)));
    let diagnostics: Vec<_> = tls.diagnostics().collect();
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].kind(), TlsDiagnosticKind::DuplicateProperty);
    assert_eq!(diagnostics[0].span(), conflict.second());
    assert_eq!(diagnostics[0].to_string(), "duplicate-property at byte 69");
}

#[test]
fn reports_conflict_from_every_accessor() {
    for property in TlsProperty::ALL {
        let value = format!("mx.example.net; tls=fail {property}=\"a\" {property}=\"a\"");
        let header = parse(&value);
        let tls = only(&header);
        let conflict = tls.value(property).unwrap_err();
        let error = PropertyError::Conflict(conflict);
        match property {
            TlsProperty::CertClient => assert_eq!(tls.cert_client(), Err(error)),
            TlsProperty::CertServer => assert_eq!(tls.cert_server(), Err(error)),
            TlsProperty::CertClientAlt => assert_eq!(tls.cert_client_alt(), Err(error)),
            TlsProperty::CertServerAlt => assert_eq!(tls.cert_server_alt(), Err(error)),
            TlsProperty::CertClientIssuer => assert_eq!(tls.cert_client_issuer(), Err(error)),
            TlsProperty::CertServerIssuer => assert_eq!(tls.cert_server_issuer(), Err(error)),
            TlsProperty::CertVerif => assert_eq!(tls.cert_verif(), Err(conflict)),
            TlsProperty::TlsV => assert_eq!(tls.tls_v(), Err(conflict)),
            #[cfg(feature = "cipher-names")]
            TlsProperty::KeyCiphersuite => assert_eq!(tls.key_ciphersuite(), Err(conflict)),
            #[cfg(not(feature = "cipher-names"))]
            TlsProperty::KeyCiphersuite => {}
            TlsProperty::KeyFingerprint => assert_eq!(tls.key_fingerprint(), Err(error)),
            TlsProperty::KeyLength => assert_eq!(tls.key_length(), Err(error)),
            TlsProperty::KeyStrength => assert_eq!(tls.key_strength(), Err(conflict)),
        }
    }
}

#[test]
fn returns_no_properties_of_bare_result() {
    let header = parse("mx.example.net; tls=none");
    let tls = only(&header);
    assert_eq!(tls.result(), Some(TlsResult::None));
    assert_eq!(tls.cert_client(), Ok(None));
    assert_eq!(tls.cert_client_alt(), Ok(None));
    assert_eq!(tls.cert_verif(), Ok(None));
    assert_eq!(tls.tls_v(), Ok(None));
    assert_eq!(tls.key_fingerprint(), Ok(None));
    assert_eq!(tls.key_length(), Ok(None));
    assert_eq!(tls.key_strength(), Ok(None));
    assert_eq!((tls.diagnostics().count(), tls.lints().count()), (0, 0));
}

#[test]
fn refuses_result_of_unknown_version() {
    let value = "mx.example.net; dkim=pass; tls/2=pass cert.client=\"CN=a\"";
    let header = parse(value);
    let read: Vec<_> = header.results().map(TlsResInfo::try_from).collect();
    assert_eq!(read[0].map(|_| ()), Err(NotTlsError::OtherMethod));
    let Err(error @ NotTlsError::UnsupportedMethodVersion { span }) = read[1] else {
        panic!("{:?}", read[1]);
    };
    assert_eq!(&value[span.range()], "2");
    assert_eq!(error.to_string(), "method-version: not 1 at byte 31");
    assert_eq!(NotTlsError::OtherMethod.to_string(), "method: not tls");
    assert_eq!(TlsResInfo::all(&header).count(), 1);
    assert_eq!(TlsResInfo::lint_all(&header).count(), 0);
}

#[test]
fn marks_contradictions_with_spans() {
    let value = "mx.example.net; tls=pass tls.v=TLS1.2 key.ciphersuite=TLS_AES_128_GCM_SHA256 \
                 x.y=z; tls=none key.length=1";
    let header = parse(value);
    let lints: Vec<_> = TlsResInfo::lint_all(&header)
        .map(|lint| (lint.kind(), &value[lint.span().range()]))
        .collect();
    let expected = [
        (TlsLintKind::PassWithoutClient, "pass"),
        (TlsLintKind::SuiteOfAnotherVersion, "TLS_AES_128_GCM_SHA256"),
        (TlsLintKind::UnknownProperty, "x.y=z"),
        (TlsLintKind::SeveralResults, "tls"),
        (TlsLintKind::NoneWithProperties, "key.length=1"),
    ];
    assert_eq!(lints, expected);
    let lint = TlsResInfo::lint_all(&header).next().unwrap();
    assert_eq!(lint.to_string(), "pass-without-client at byte 20");
}

#[test]
fn keeps_unknown_word_as_written() {
    let header =
        parse("mx.example.net; tls=fail cert.verif=Ct tls.v=\"TLS 9\" key.strength=Strong");
    let tls = only(&header);
    let other = |word: Option<&str>| word.map(str::to_owned);
    let text = |text: authres_tls::syntax::Text<'_>| Some(text.unfolded().into_owned());
    for (word, expected) in [
        (
            tls.cert_verif().unwrap().map(|it| it.known().is_none()),
            "Ct",
        ),
        (tls.tls_v().unwrap().map(|it| it.known().is_none()), "TLS 9"),
        (
            tls.key_strength().unwrap().map(|it| it.known().is_none()),
            "Strong",
        ),
    ] {
        assert_eq!(
            (word, other(Some(expected))),
            (Some(true), other(Some(expected)))
        );
    }
    let Ok(Some(Word::Other(verif))) = tls.cert_verif() else {
        panic!("not another");
    };
    assert_eq!(text(verif), other(Some("Ct")));
}

#[test]
fn finds_each_property_of_draft_under_its_ptype() {
    let names = TlsProperty::ALL.map(|it| (it.ptype(), it.property()));
    let expected = [
        ("cert", "client"),
        ("cert", "server"),
        ("cert", "clientalt"),
        ("cert", "serveralt"),
        ("cert", "clientissuer"),
        ("cert", "serverissuer"),
        ("cert", "verif"),
        ("tls", "v"),
        ("key", "ciphersuite"),
        ("key", "fingerprint"),
        ("key", "length"),
        ("key", "strength"),
    ];
    assert_eq!(names, expected);
    let method = authres_tls::registry::Method::find("tls").unwrap();
    let registered = method.properties.iter().map(|it| (it.ptype, it.property));
    assert!(registered.eq(expected), "the registry has others");
    let results = method.results.iter().map(|it| it.name);
    assert!(
        results.eq(TlsResult::ALL.map(TlsResult::name)),
        "the registry has others"
    );
}

#[test]
fn escapes_number_sign_only_at_start_of_value() {
    let name = DistinguishedName::from_rdns([[("CN", AttributeValue::from("#a#b"))]]).unwrap();
    assert_eq!(name.as_str(), "CN=\\#a#b");
    assert_eq!(name.values("CN").collect::<Vec<_>>(), ["#a#b"]);
}

#[test]
fn refuses_name_with_invalid_part() {
    let refused = |rdns: &[&[(&str, &str)]]| {
        let rdns = rdns.iter().map(|rdn| {
            let attributes = rdn.iter();
            attributes
                .map(|(attribute_type, value)| (*attribute_type, AttributeValue::from(*value)))
        });
        let error = DistinguishedName::from_rdns(rdns).unwrap_err();
        (error.kind(), error.field(), error.offset())
    };
    let expected = (ValueErrorKind::Expected, "attributeType", 0);
    assert_eq!(refused(&[&[("", "a")]]), expected);
    assert_eq!(
        refused(&[&[("CN=x,O", "a")]]),
        (ValueErrorKind::Expected, "attributeType", 2)
    );
    assert_eq!(refused(&[&[]]), expected);
    assert_eq!(
        refused(&[&[("CN", "a")], &[]]),
        (ValueErrorKind::Expected, "attributeType", 4)
    );
}

#[test]
fn finds_types_by_descriptor_and_by_oid() {
    let name = DistinguishedName::parse("cn=a,2.5.4.3=b,OID.2.5.4.3=c,commonName=d,O=e").unwrap();
    for attribute_type in ["CN", "commonname", "2.5.4.3", "oid.2.5.4.3"] {
        assert_eq!(
            name.values(attribute_type).collect::<Vec<_>>(),
            ["a", "b", "c", "d"]
        );
    }
    assert_eq!(name.values("O").collect::<Vec<_>>(), ["e"]);
    assert_eq!(name.values("OU").count(), 0);
    assert_eq!(name.form(), DnForm::Rfc4514);
    assert_eq!(
        format!("{name:?}"),
        r#"DistinguishedName("cn=a,2.5.4.3=b,OID.2.5.4.3=c,commonName=d,O=e")"#
    );
}

#[test]
fn borrows_unchanged_text() {
    let text = String::from("CN=a b,O=c\\,d");
    let name = DistinguishedName::parse(&*text).unwrap();
    let mut values = name.attributes().map(|it| it.value());
    assert!(matches!(
        values.next(),
        Some(AttributeValue::Text(Cow::Borrowed("a b")))
    ));
    assert!(matches!(
        values.next(),
        Some(AttributeValue::Text(Cow::Owned(_)))
    ));
    let names = AltNames::parse("DNS:a, URI:b\\,c").unwrap();
    let mut names = names.iter();
    assert!(matches!(
        names.next(),
        Some(AltName::Dns(Cow::Borrowed("a")))
    ));
    assert!(matches!(names.next(), Some(AltName::Uri(Cow::Owned(_)))));
}

#[test]
fn refuses_control_characters_in_names() {
    let error = DistinguishedName::parse("CN=a\nb").unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ValueErrorKind::Control, 4));
    assert_eq!(
        error.to_string(),
        "distinguishedName: control character at byte 4"
    );
    let error = AltNames::parse("DNS:a\0").unwrap_err();
    assert_eq!(
        (error.kind(), error.field(), error.offset()),
        (ValueErrorKind::Control, "subjectAltName", 5)
    );
}

#[test]
fn refuses_list_of_names_with_unknown_kind() {
    for kind in ["foo", "DNS", "", "IP Address", "a:b", "URI "] {
        let name = AltName::Other {
            kind: kind.into(),
            value: "x".into(),
        };
        let error = AltNames::from_names([name]).unwrap_err();
        assert_eq!(
            (error.kind(), error.offset()),
            (ValueErrorKind::Expected, 0),
            "{kind}"
        );
    }
}

#[test]
fn reads_key_length_that_fits_into_u32() {
    let read = |length: &str| {
        let value = format!("mx.example.net; tls=fail key.length=\"{length}\"");
        only(&parse(&value)).key_length()
    };
    assert_eq!(read("4294967295"), Ok(Some(u32::MAX)));
    assert_eq!(read("0"), Ok(Some(0)));
    let limit = usize::try_from(u32::MAX).unwrap();
    for (length, kind, offset) in [
        ("", ValueErrorKind::Expected, 0),
        ("-1", ValueErrorKind::Expected, 0),
        ("12 bits", ValueErrorKind::Expected, 2),
        ("4294967296", ValueErrorKind::Limit { limit }, 0),
    ] {
        let Err(PropertyError::Value(error)) = read(length) else {
            panic!("{length} was read");
        };
        let expected = (kind, "key.length", offset);
        assert_eq!((error.kind(), error.field(), error.offset()), expected);
    }
}

#[test]
fn writes_fingerprint_as_in_draft() {
    let fingerprint = Fingerprint::sha256([0xa0; 32]);
    assert_eq!(fingerprint.to_string(), ["A0"; 32].join(":"));
    assert_eq!(fingerprint.algorithm(), Some(FingerprintAlgorithm::Sha256));
    let read = Fingerprint::parse(&fingerprint.to_string()).unwrap();
    assert_eq!(read.as_bytes(), [0xa0; 32]);
    assert_eq!(read.algorithm(), None);
    assert_eq!(
        format!("{:?}", Fingerprint::parse("00ff").unwrap()),
        "Fingerprint(00:FF)"
    );
    for (octets, algorithm) in [
        (16, "md5"),
        (20, "sha1"),
        (28, "sha224"),
        (32, "sha256"),
        (48, "sha384"),
        (64, "sha512"),
    ] {
        let fingerprint = Fingerprint::parse(&"00".repeat(octets)).unwrap();
        let guess = fingerprint.guessed_algorithm();
        assert_eq!(guess.map(FingerprintAlgorithm::name), Some(algorithm));
        let named = format!("{}:{}", algorithm.to_uppercase(), "00".repeat(octets));
        assert_eq!(Fingerprint::parse(&named).unwrap().algorithm(), guess);
    }
}

/// Folded as in the draft, with its semicolon at the end.
#[cfg(feature = "cipher-names")]
const APPENDIX_A1: &str = "mail-router.example.net;\r\n  \
    dkim=pass (good signature) header.d=newyork.example.com\r\n  \
    header.b=oINEO8hg;\r\n  \
    tls=pass (verified, expires 20140505)\r\n  \
    cert.verif=CA\r\n  \
    cert.client=\"CN=smtp.example.com,O=ACME,L=ToonTown,\r\n  \
    ST=CA,C=US\"\r\n  \
    cert.clientalt=\"DNS:smtp.example.com, DNS:newyork.example.com\"\r\n  \
    cert.clientissuer=\"C=US, O=AcmeCert Inc, CN=AcmeCert CA\"\r\n  \
    key.ciphersuite=TLS_RSA_WITH_RC4_128_SHA\r\n  \
    tls.v=TLS1.0\r\n  \
    key.fingerprint=\"68:B3:29:DA:98:93:E3:40:99:C7:D8:\r\n  \
    AD:5C:B9:C9:40\"\r\n  \
    key.length=128\r\n  \
    key.strength=MEDIUM;";

#[cfg(feature = "cipher-names")]
#[test]
fn writes_appendix_a1_in_form_of_draft() {
    let header = AuthenticationResults::parse(APPENDIX_A1.as_bytes(), &Options::lenient()).unwrap();
    let mut again = AuthenticationResultsBuf::try_from(&header).unwrap();
    for (place, read) in again.results.iter_mut().zip(header.results()) {
        if let Ok(tls) = TlsResInfo::try_from(read) {
            *place = tls.to_canonical().unwrap();
        }
    }
    let written = again.write(&WriteOptions::default()).unwrap();
    assert_eq!(
        written,
        "mail-router.example.net;\r\n\
         \tdkim=pass (good signature) header.d=newyork.example.com header.b=oINEO8hg;\r\n\
         \ttls=pass (verified, expires 20140505)\r\n\
         \tcert.client=\"CN=smtp.example.com,O=ACME,L=ToonTown,ST=CA,C=US\"\r\n\
         \tcert.clientalt=\"DNS:smtp.example.com, DNS:newyork.example.com\"\r\n\
         \tcert.clientissuer=\"C=US,O=AcmeCert Inc,CN=AcmeCert CA\" cert.verif=CA\r\n\
         \ttls.v=TLS1.0 key.ciphersuite=TLS_RSA_WITH_RC4_128_SHA\r\n\
         \tkey.fingerprint=\"68:B3:29:DA:98:93:E3:40:99:C7:D8:AD:5C:B9:C9:40\"\r\n\
         \tkey.length=128 key.strength=medium"
    );
    let read = parse(&written);
    let tls = only(&read);
    assert_eq!(tls.diagnostics().next(), None);
    assert_eq!(TlsResInfo::lint_all(&read).next(), None);
}

#[cfg(feature = "cipher-names")]
#[test]
fn writes_each_accepted_spelling_in_form_of_draft() {
    let value = "mx.example.net; TLS=PermErerror Key.Length=0128 key.strength=HIGH \
        key.ciphersuite=AES128-SHA cert.serveralt=\"dns:a.example,IP:192.0.2.1\" tls.v=TLSv1.2 \
        cert.server=\"C=b,  CN=a\" cert.verif=dane key.fingerprint=sha1:\
        000102030405060708090a0b0c0d0e0f10111213";
    // A value with a colon is not strictly one.
    let header = AuthenticationResults::parse(value.as_bytes(), &Options::lenient()).unwrap();
    let again = AuthenticationResultsBuf::try_new("mx.example.net")
        .unwrap()
        .with_result(only(&header).to_canonical().unwrap());
    assert_eq!(
        again.write(&WriteOptions::unfolded()).unwrap(),
        "mx.example.net; tls=permerror cert.server=\"C=b,CN=a\" \
         cert.serveralt=\"DNS:a.example, IP Address:192.0.2.1\" cert.verif=DANE tls.v=TLS1.2 \
         key.ciphersuite=TLS_RSA_WITH_AES_128_CBC_SHA \
         key.fingerprint=\"00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13\" \
         key.length=128 key.strength=high"
    );
}

#[cfg(feature = "cipher-names")]
#[test]
fn writes_unreadable_value_unchanged() {
    let value = "mx.example.net; tls/1=strange (c) reason=r x.y=z key.length=many \
        cert.client=\"no name\" Key.Strength=utmost tls.v=TLS9.9 key.ciphersuite=x \
        key.fingerprint=xx cert.verif=other key.length=1 tls.v=tls1_2";
    let header = parse(value);
    let again = only(&header).to_canonical().unwrap();
    let again = AuthenticationResultsBuf::try_new("mx.example.net")
        .unwrap()
        .with_result(again);
    assert_eq!(
        again.write(&WriteOptions::unfolded()).unwrap(),
        "mx.example.net; tls/1=strange (c) reason=r cert.client=\"no name\" cert.verif=other \
         tls.v=TLS9.9 tls.v=TLS1.2 key.ciphersuite=x key.fingerprint=xx key.length=many \
         key.length=1 key.strength=utmost x.y=z"
    );
}
