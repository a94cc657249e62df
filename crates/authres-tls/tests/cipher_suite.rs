//! Cipher suites, beside the table of `tls-parser`.

#![allow(clippy::arithmetic_side_effects, clippy::expect_used, reason = "tests")]

use authres_tls::tls::CipherSuite;
use tls_parser::{CIPHERS, TlsCipherEnc, TlsCipherKx, TlsCipherMac};

#[test]
fn derives_properties_of_each_description_as_registry_has_them() {
    let mut seen = 0;
    for entry in CIPHERS.values() {
        if entry.name.ends_with("SCSV") {
            let signal = CipherSuite::from_id(entry.id.0).expect("registered");
            assert!(!signal.encrypts(), "{}", entry.name);
            continue;
        }
        let suite = CipherSuite::from_id(entry.id.0).expect("registered");
        let name = entry.name;
        assert_eq!(suite.id(), Some(entry.id.0), "{name}");
        let described = CipherSuite::from_description(name);
        assert_eq!(described.as_ref(), Some(&suite), "{name}");
        assert_eq!(suite.encrypts(), entry.enc != TlsCipherEnc::Null, "{name}");
        let obsolete = matches!(
            entry.enc,
            TlsCipherEnc::Des
                | TlsCipherEnc::TripleDes
                | TlsCipherEnc::Rc2
                | TlsCipherEnc::Rc4
                | TlsCipherEnc::Idea
        );
        assert_eq!(suite.is_obsolete(), obsolete, "{name}");
        let aead = entry.mac == TlsCipherMac::Aead || entry.enc == TlsCipherEnc::Aegis;
        assert_eq!(suite.is_aead(), aead, "{name}");
        assert_eq!(suite.is_tls13(), entry.kx == TlsCipherKx::Tls13, "{name}");
        let ephemeral = matches!(
            entry.kx,
            TlsCipherKx::Dhe | TlsCipherKx::Ecdhe | TlsCipherKx::Tls13 | TlsCipherKx::Eccpwd
        );
        // Anonymous keys are ephemeral, and the table has these two among plain PSK.
        let ephemeral = ephemeral || name.contains("_anon_") || name.contains("_PSK_DHE_");
        assert_eq!(suite.has_forward_secrecy(), ephemeral, "{name}");
        assert!(
            suite
                .key_bits()
                .is_some_and(|bits| (bits == 0) != suite.encrypts()),
            "{name}"
        );
        seen += 1;
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn returns_key_bits_of_cipher() {
    for (name, bits) in [
        ("TLS_CHACHA20_POLY1305_SHA256", 256),
        ("TLS_AES_128_GCM_SHA256", 128),
        ("TLS_RSA_WITH_RC4_128_SHA", 128),
        ("DES-CBC3-SHA", 168),
        ("EXP-RC4-MD5", 40),
        ("AECDH-AES256-SHA", 256),
    ] {
        let suite = CipherSuite::from_name(name);
        assert_eq!(suite.and_then(|it| it.key_bits()), Some(bits), "{name}");
    }
}

#[test]
fn returns_no_number_of_unregistered_suite() {
    for name in [
        "",
        "TLS_",
        "TLS_FOO",
        "RC4",
        "AES256-GCM",
        "ECDHE-RSA-AES256-GCM-SHA384 ",
        "TLS_RSA",
    ] {
        assert_eq!(CipherSuite::from_name(name), None, "{name}");
    }
    let own = CipherSuite::from_description("TLS_FOO_WITH_AES_128_GCM_SHA256").expect("its form");
    assert_eq!((own.id(), own.key_bits()), (None, None));
    assert_eq!(CipherSuite::from_description("ECDHE-RSA-AES256-SHA"), None);
    assert_eq!(CipherSuite::from_description("TLS_A\r\nB"), None);
}
