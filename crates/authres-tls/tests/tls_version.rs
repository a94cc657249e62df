//! Versions of TLS: their spellings and numbers.

use authres_tls::tls::ProtocolVersion as V;

#[test]
fn reads_every_known_spelling() {
    for (version, spellings) in [
        (
            V::Ssl2_0,
            &["SSL2.0", "SSLv2", "SSL2", "SSLv2.0", "sslv2"][..],
        ),
        (
            V::Ssl3_0,
            &["SSL3.0", "SSLv3", "SSL3", "SSLv3.0", "SSL 3.0", "SSL_3_0"],
        ),
        (
            V::Tls1_0,
            &["TLS1.0", "TLSv1", "TLS1", "TLSv1.0", "TLS 1.0", "tlsv1"],
        ),
        (
            V::Tls1_1,
            &["TLS1.1", "TLSv1.1", "TLS 1.1", "TLS1_1", "TLSv1_1"],
        ),
        (
            V::Tls1_2,
            &[
                "TLS1.2", "TLSv1.2", "TLS 1.2", "TLS1_2", "TLSv12", "TLS-1.2", "TLS v1.2",
            ],
        ),
        (
            V::Tls1_3,
            &[
                "TLS1.3", "TLSv1.3", "TLS 1.3", "TLS1_3", "TLS13", "TLS_v1_3",
            ],
        ),
    ] {
        assert_eq!(V::from_spelling(version.name()), Some(version));
        for spelling in spellings {
            assert_eq!(V::from_spelling(spelling), Some(version), "{spelling}");
        }
    }
}

#[test]
fn refuses_text_that_names_no_version() {
    for other in [
        "",
        "T",
        "TLS",
        "TLSv",
        "SSL",
        "SSL1.0",
        "SSL3.1",
        "SSL2.1",
        "TLS2.0",
        "TLS3.0",
        "TLS0.1",
        "TLS1.4",
        "TLS9.9",
        "TLS1.2.",
        "TLS1.",
        "TLS1.22",
        "TLS1..2",
        "DTLS1.2",
        "xTLS1.2",
        "TLSvv1.2",
        "TSL1.2",
        "TLS1.2 ",
        " TLS1.2",
        "1.2",
        "0x0303",
        "TLS\u{661}.2",
        "é1.2",
    ] {
        assert_eq!(V::from_spelling(other), None, "{other}");
    }
}

#[test]
fn numbers_are_those_of_the_protocol() {
    let numbers = [0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304];
    for (version, number) in V::ALL.into_iter().zip(numbers) {
        assert_eq!(V::from_wire(number), Some(version));
    }
    let known = (0..=u16::MAX).filter_map(V::from_wire).count();
    assert_eq!(known, V::ALL.len());
}
