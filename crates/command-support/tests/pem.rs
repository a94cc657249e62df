//! Certificates and keys in PEM files.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use command_support::pem::{certificates, private_key};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nBAUG\n-----END PRIVATE KEY-----\n";
const ENCRYPTED: &str =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nBAUG\n-----END ENCRYPTED PRIVATE KEY-----\n";

#[test]
fn reads_the_certificates_of_a_file_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.pem");
    let second = CERTIFICATE.replace("AQID", "Bwg=");
    fs::write(&path, format!("{CERTIFICATE}{KEY}{second}")).unwrap();
    let found = certificates(&path).unwrap();
    let found: Vec<_> = found.iter().map(|it| it.as_ref().to_vec()).collect();
    assert_eq!(found, [vec![1, 2, 3], vec![7, 8]]);
    assert_eq!(private_key(&path).unwrap().secret_der(), [4, 5, 6]);
}

#[test]
fn reports_the_content_that_is_expected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.pem");
    let no_certificate = "no certificate found; PEM with -----BEGIN CERTIFICATE----- expected";
    let no_key = "no private key found; PEM with -----BEGIN PRIVATE KEY----- expected";
    let base64 = "PEM: a section is not Base64";
    let cut = "PEM: a section has no -----END line";
    let encrypted = "the private key is encrypted; `openssl pkey -in FILE -out NEW` decrypts it";
    for (text, of_certificates, of_key) in [
        ("", no_certificate, no_key),
        (ENCRYPTED, no_certificate, encrypted),
        (
            "-----BEGIN CERTIFICATE-----\nAQ*D\n-----END CERTIFICATE-----\n",
            base64,
            base64,
        ),
        ("-----BEGIN CERTIFICATE-----\nAQID\n", cut, cut),
        (
            "-----BEGIN CERTIFICATE\nAQID\n",
            "PEM: a -----BEGIN line is not complete",
            "PEM: a -----BEGIN line is not complete",
        ),
        ("\u{30}\u{82}\u{1}", no_certificate, no_key),
    ] {
        fs::write(&path, text).unwrap();
        let file = path.display();
        let error = certificates(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{file}: {of_certificates}"), "{text:?}");
        let error = private_key(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{file}: {of_key}"), "{text:?}");
    }
}

#[cfg(unix)]
#[test]
fn refuses_files_without_end() {
    let zero = std::path::Path::new("/dev/zero");
    let expected = "/dev/zero: a regular file expected but a device found";
    assert_eq!(certificates(zero).unwrap_err().to_string(), expected);
    assert_eq!(private_key(zero).unwrap_err().to_string(), expected);
}
