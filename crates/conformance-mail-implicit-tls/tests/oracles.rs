//! The oracles of `mail-implicit-tls` on vectors with changed octets, and on fields that are put together from pieces.

use conformance::{Origin, VectorFile, repository};
use conformance_mail_implicit_tls::oracle;
use proptest::{collection::vec, prelude::*, sample::select};

proptest! {
    #[test]
    fn keeps_the_oracle_of_the_proxy_protocol_on_changed_headers(octets in mutated(headers())) {
        prop_assert_eq!(oracle::proxy_protocol(&octets), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_of_submission_on_commands(
        parts in vec(select(COMMANDS), 0..14),
        traits in any::<u8>(),
    ) {
        let begin = "EHLO c\r\nAUTH PLAIN AGEAYg==\r\n";
        let client = format!("{begin}{}", parts.concat());
        prop_assert_eq!(oracle::submission(client.as_bytes(), traits & 0x7f, traits & 0x80 != 0), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_of_submission_on_octets_between_commands(
        parts in vec(prop_oneof![3 => select(COMMANDS), 1 => select(OCTETS)], 0..14),
        traits in any::<u8>(),
    ) {
        let client = parts.concat();
        prop_assert_eq!(oracle::submission(client.as_bytes(), traits & 0x7f, traits & 0x80 != 0), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_of_names_on_changed_certificates(der in mutated(certificates())) {
        prop_assert_eq!(oracle::names(&der), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_of_names_on_any_octets(data in vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(oracle::identity(&data), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_of_received_fields_on_changed_fields(
        body in mutated(inputs("received", "body").into_iter().map(String::into_bytes).collect()),
    ) {
        prop_assert_eq!(oracle::received(&body), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_of_received_fields_on_pieces(pieces in vec(select(PIECES), 0..40)) {
        prop_assert_eq!(oracle::received(pieces.concat().as_bytes()), Ok(()));
    }
}

/// The inputs of a suite.
fn inputs(suite: &str, field: &str) -> Vec<String> {
    let path = format!("crates/conformance-mail-implicit-tls/vectors/{suite}.json");
    let file = VectorFile::load(&repository().join(path), Origin::Own).expect("vectors");
    let inputs = file
        .cases
        .iter()
        .filter_map(|case| case.input.get(field)?.as_str());
    inputs
        .filter(|input| input.len() < 3_000)
        .map(str::to_owned)
        .collect()
}

/// Octets of which up to three are changed, added or removed.
fn mutated(inputs: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0_u8..4);
    (select(inputs), vec(change, 0..4)).prop_map(|(mut octets, changes)| {
        for (at, octet, how) in changes {
            let at = at.index(octets.len().max(1));
            match how {
                _ if at >= octets.len() => octets.push(octet),
                0 => octets[at] = octet,
                1 => octets.insert(at, octet),
                2 => drop(octets.remove(at)),
                _ => octets[at] ^= 1 << (octet & 7),
            }
        }
        octets
    })
}

fn headers() -> Vec<Vec<u8>> {
    let headers = inputs("proxy-protocol", "octets");
    headers
        .iter()
        .map(|it| hex::decode(it).expect("hex"))
        .collect()
}

fn certificates() -> Vec<Vec<u8>> {
    let certificates = inputs("identity", "certificate");
    let decoded = certificates.iter().map(|it| hex::decode(it).expect("hex"));
    // The oracle expects names of example.org.
    let ours = decoded.map(|mut der| {
        for at in 0..der.len().saturating_sub(11) {
            if der[at..].starts_with(b"example.com") {
                der[at..at + 11].copy_from_slice(b"example.org");
            }
        }
        der
    });
    ours.collect()
}

/// Parts of Received fields.
const PIECES: &[&str] = &[
    "from",
    "by",
    "via",
    "with",
    "id",
    "for",
    "tls",
    "group",
    "TLS",
    "a",
    "A_1",
    "0x1301",
    "x25519",
    "ESMTPS",
    " ",
    "  ",
    "\t",
    "\r\n ",
    "\r\n\t",
    "\r\n",
    "\r",
    "\n",
    "\0",
    "(",
    ")",
    "(c)",
    "((c) d)",
    "\\",
    "\\)",
    "\"",
    "\"a tls b\"",
    "<",
    "<a;b>",
    ">",
    "[",
    "[::1]",
    "]",
    ";",
    "; date",
    "ü",
    "\u{85}",
    "",
];

/// Parts of what a client of Submission sends.
const COMMANDS: &[&str] = &[
    "EHLO c\r\n",
    "HELO c\r\n",
    "AUTH PLAIN AGEAYg==\r\n",
    "AUTH LOGIN\r\n",
    "YQ==\r\n",
    "MAIL FROM:<a@example.org>\r\n",
    "RCPT TO:<b@example.org>\r\n",
    "RCPT TO:<no@example.org>\r\n",
    "DATA\r\n",
    "BDAT 5\r\n",
    "BDAT 30 LAST\r\n",
    "BDAT 0\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "VRFY x\r\n",
    "STARTTLS\r\n",
    "XCLIENT ADDR=192.0.2.9\r\n",
    "XFORWARD NAME=x\r\n",
    "CLIENT name=x\r\n",
    "Subject: x\r\n",
    "\r\n.\r\n",
    ".\r\n",
    "..\r\n",
    "*\r\n",
    "\r\n",
];

/// Octets that servers read in different ways.
const OCTETS: &[&str] = &[
    "\r", "\n", "\0", ".", " ", "\t", "=", "x", "\u{8d}", "X", "\n.\n", "\r.\r",
];
