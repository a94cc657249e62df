//! A `ClientHello` of old versions of TLS, and the first record of the answer: RFC 5246 section 7.4.1, RFC 6066 section 3.
//!
//! rustls has no version before TLS 1.2, so that it cannot ask for one.

use sha2::{Digest, Sha256};

/// The version that TLS 1.2 has in a hello.
pub(super) const TLS_1_2: u16 = 0x0303;

/// The version that TLS 1.1 has in a hello.
pub(super) const TLS_1_1: u16 = 0x0302;

/// The number of octets that tell the answer to a hello: a record's header, a message's, and a version.
pub(super) const ANSWER_BYTES: usize = 11;

/// The cipher suites of TLS 1.2 with AEAD, and of earlier versions: forward secrecy with ECDSA, RSA, then RSA alone.
const SUITES: [u16; 20] = [
    0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9, 0x009e, 0x009f, 0x009c, 0x009d, 0xc009, 0xc00a,
    0xc013, 0xc014, 0x0033, 0x0039, 0x002f, 0x0035, 0x000a, 0x0005,
];

/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV`, RFC 5746 section 3.3.
const RENEGOTIATION: u16 = 0x00ff;

/// The extensions `supported_groups`, `ec_point_formats` and `signature_algorithms`: x25519, x448 and the NIST curves, points
/// without compression, and all algorithms of RFC 8446 and of RFC 5246 with SHA-1 for the old versions. A server's key must
/// not be a reason to refuse the hello.
const EXTENSIONS: &[u8] = &[
    0, 10, 0, 12, 0, 10, 0, 29, 0, 23, 0, 24, 0, 25, 0, 30, // supported_groups
    0, 11, 0, 2, 1, 0, // ec_point_formats
    0, 13, 0, 36, 0, 34, 4, 3, 5, 3, 6, 3, 8, 7, 8, 8, 8, 9, 8, 10, 8, 11, 8, 4, 8, 5, 8, 6, 4, 1,
    5, 1, 6, 1, 2, 3, 2, 1, 3, 1,
];

/// Returns a record with the `ClientHello` of a client whose highest version is this one.
pub(super) fn client_hello(version: u16, host: &str, seed: u64) -> Vec<u8> {
    // The random value must differ from hello to hello, and need not be secret.
    let random = Sha256::digest([&seed.to_be_bytes()[..], host.as_bytes()].concat());
    let mut hello = version.to_be_bytes().to_vec();
    hello.extend(random);
    hello.push(0); // session_id
    let suites: Vec<u8> = SUITES
        .iter()
        .chain([&RENEGOTIATION])
        .flat_map(|suite| suite.to_be_bytes())
        .collect();
    hello.extend(with_length(&suites));
    hello.extend([1, 0]); // compression_methods
    let name = [&[0][..], &with_length(host.as_bytes())].concat();
    let names = with_length(&with_length(&name));
    let extensions = [&[0, 0][..], &names, EXTENSIONS].concat();
    hello.extend(with_length(&extensions));
    // A handshake message has a length of three octets.
    let message = [&[1, 0][..], &with_length(&hello)].concat();
    [&[22, 3, 1][..], &with_length(&message)].concat()
}

/// Returns octets after their length in two octets. Those of a hello are far fewer than the limit.
fn with_length(octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], octets].concat()
}

/// The answer to a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The server accepts this version.
    Accepted(u16),
    /// The server ends the handshake, since it lacks the version.
    NoVersion,
    /// The server ends the handshake for another reason, or for one that it does not tell.
    Refused,
    /// The answer is not TLS.
    NotTls,
}

/// Reads the answer to a hello from its first octets. A connection that ended after fewer refuses the hello.
pub(super) fn answer(octets: &[u8]) -> Answer {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    const SERVER_HELLO: u8 = 2;
    const PROTOCOL_VERSION: u8 = 70;

    match octets {
        [
            HANDSHAKE,
            3,
            _,
            _,
            _,
            SERVER_HELLO,
            _,
            _,
            _,
            major,
            minor,
            ..,
        ] => Answer::Accepted(u16::from_be_bytes([*major, *minor])),
        [ALERT, 3, _, _, _, _, PROTOCOL_VERSION, ..] => Answer::NoVersion,
        [] | [ALERT, 3, ..] => Answer::Refused,
        _ => Answer::NotTls,
    }
}

#[cfg(test)]
mod tests {
    use tls_parser::{
        TlsExtension, TlsMessage, TlsMessageHandshake, parse_tls_client_hello_extensions,
        parse_tls_plaintext,
    };

    use super::*;

    #[test]
    fn writes_a_hello_that_a_parser_reads() {
        for version in [TLS_1_1, TLS_1_2] {
            let octets = client_hello(version, "imap.example.org", 7);
            let (rest, record) = parse_tls_plaintext(&octets).unwrap();
            assert!(rest.is_empty());
            let [TlsMessage::Handshake(TlsMessageHandshake::ClientHello(hello))] =
                record.msg.as_slice()
            else {
                panic!("{record:?}");
            };
            assert_eq!(hello.version.0, version);
            let suites: Vec<_> = hello.ciphers.iter().map(|suite| suite.0).collect();
            assert_eq!(suites, [&SUITES[..], &[RENEGOTIATION]].concat());
            let (rest, extensions) = parse_tls_client_hello_extensions(hello.ext.unwrap()).unwrap();
            assert!(rest.is_empty());
            assert_eq!(extensions.len(), 4);
            let TlsExtension::SNI(names) = &extensions[0] else {
                panic!("{extensions:?}");
            };
            assert_eq!(names.len(), 1);
            assert_eq!(names[0].1, b"imap.example.org");
            let TlsExtension::SignatureAlgorithms(schemes) = &extensions[3] else {
                panic!("{extensions:?}");
            };
            // A key of Ed25519, and one of P-521.
            assert!(schemes.contains(&0x0807) && schemes.contains(&0x0603));
            assert_eq!(schemes.len(), 17);
        }
    }

    #[test]
    fn reads_answers() {
        let hello = [22, 3, 1, 0, 80, 2, 0, 0, 76, 3, 2];
        for (octets, expected) in [
            (&hello[..], Answer::Accepted(TLS_1_1)),
            (&hello[..10], Answer::NotTls),
            (&[21, 3, 1, 0, 2, 2, 70], Answer::NoVersion),
            (&[21, 3, 1, 0, 2, 2, 40], Answer::Refused),
            (&[21, 3, 1, 0, 2, 2], Answer::Refused),
            (&[], Answer::Refused),
            (b"* OK hello\r\n", Answer::NotTls),
            (&[22, 3, 3, 0, 80, 11, 0, 0, 76, 3, 3], Answer::NotTls),
        ] {
            assert_eq!(answer(octets), expected, "{octets:?}");
        }
    }
}
