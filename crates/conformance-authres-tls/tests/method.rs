//! Property tests of the `tls` method: the oracles over text that resembles what they read.

use conformance_authres_tls::oracle::method as oracle;
use proptest::{collection::vec, prelude::*, sample::select};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn names_that_are_read_read_back(text in text_of(DN_PIECES)) {
        prop_assert_eq!(oracle::distinguished_name(&text), Ok(()));
    }

    #[test]
    fn reads_any_text_as_a_name_or_an_error_inside_it(text in "\\PC{0,40}") {
        prop_assert_eq!(oracle::distinguished_name(&text), Ok(()));
        prop_assert_eq!(oracle::alt_names(&text), Ok(()));
        prop_assert_eq!(oracle::fingerprint(&text), Ok(()));
    }

    #[test]
    fn reads_back_alternative_names_that_were_read(text in text_of(SAN_PIECES)) {
        prop_assert_eq!(oracle::alt_names(&text), Ok(()));
    }

    #[test]
    fn fingerprints_that_are_read_read_back(text in text_of(FINGERPRINT_PIECES)) {
        prop_assert_eq!(oracle::fingerprint(&text), Ok(()));
    }

    #[test]
    fn accessors_and_diagnostics_agree(text in text_of(FIELD_PIECES)) {
        let value = format!("mx.example.net; {text}");
        prop_assert_eq!(oracle::tls(value.as_bytes()), Ok(()));
    }

    #[test]
    fn reads_back_every_name_that_can_be_made(
        rdns in vec(vec((select(&["CN", "O", "1.2.3"][..]), "\\PC{0,8}|[ ,+\"\\\\#\r\n\0]{0,5}"), 1..3), 0..4),
    ) {
        let name = authres_tls::tls::dn::DistinguishedName::from_rdns(rdns.iter().map(|rdn| {
            rdn.iter().map(|(attribute_type, value)| (*attribute_type, value.as_str().into()))
        }));
        let name = name.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let read: Vec<Vec<_>> = oracle::rdns(&name);
        let given: Vec<Vec<_>> = rdns
            .into_iter()
            .map(|rdn| rdn.into_iter().map(|(it, value)| (it.to_owned(), value.into())).collect())
            .collect();
        prop_assert_eq!(read, given);
        prop_assert_eq!(oracle::distinguished_name(name.as_str()), Ok(()));
    }

    #[test]
    fn reads_back_every_list_of_names_that_can_be_made(
        names in vec("\\PC{0,8}|[ ,:\"\\\\\r\n\0]{1,5}|, DNS:[a-c]", 0..4),
    ) {
        use authres_tls::tls::san::{AltName, AltNames};
        let names: Vec<_> = names
            .into_iter()
            .enumerate()
            .map(|(place, name)| match place {
                0 => AltName::Dns(name.into()),
                1 => AltName::Uri(name.into()),
                2 => AltName::Email(name.into()),
                _ => AltName::Other { kind: "othername".into(), value: name.into() },
            })
            .collect();
        let list = AltNames::from_names(names.iter().cloned());
        let list = list.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(list.iter().collect::<Vec<_>>(), names);
        prop_assert_eq!(oracle::alt_names(list.as_str()), Ok(()));
    }
}

fn text_of(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

const DN_PIECES: &[&str] = &[
    "CN",
    "O",
    "2.5.4.3",
    "OID.",
    "=",
    ",",
    "+",
    "/",
    ";",
    "\"",
    "\\",
    "#",
    " ",
    "  ",
    "a",
    "04",
    "\\2C",
    "\\C3\\BC",
    "\\xC3\\xBC",
    "\\/",
    "\\,",
    "\\\\",
    "ü",
    "<",
    "CN=a",
    "/CN=",
    "+O=",
    "#0401",
    "\u{1}",
];

const SAN_PIECES: &[&str] = &[
    "DNS:",
    "IP Address:",
    "email:",
    "URI:",
    "othername:",
    "DirName:",
    "foo:",
    ":",
    ",",
    ", ",
    " ",
    "\\",
    "\\,",
    "\\00",
    "\\C3\\BC",
    "\"",
    "a.example",
    "192.0.2.1",
    "2001:DB8:0:0:0:0:0:1",
    "ü",
    "*",
    "/C=US",
    "\u{1}",
];

const FINGERPRINT_PIECES: &[&str] = &[
    "SHA256",
    "sha-1",
    "MD5",
    " Fingerprint",
    ":",
    "=",
    " ",
    "  ",
    "0",
    "f",
    "AB",
    "00:",
    "G",
    "é",
    "68B329DA9893E34099C7D8AD5CB9C940",
];

const FIELD_PIECES: &[&str] = &[
    "tls=pass",
    "tls/1=fail",
    "tls/2=pass",
    "tls=permererror",
    "tls=x",
    ";",
    " cert.client=",
    " cert.clientalt=",
    " cert.clientissuer=",
    " cert.verif=",
    " tls.v=",
    " key.ciphersuite=",
    " key.fingerprint=",
    " key.length=",
    " key.strength=",
    "\"CN=a\"",
    "\"CN=a,\"",
    "\"DNS:a, URI:b\"",
    "\"x\"",
    "CA",
    "TLSv1.2",
    "TLS_AES_128_GCM_SHA256",
    "RC4-SHA",
    "68:b3",
    "\"68: b3\"",
    "128",
    "-1",
    "HIGH",
    " (c)",
    "\r\n ",
    " x.y=z",
];
