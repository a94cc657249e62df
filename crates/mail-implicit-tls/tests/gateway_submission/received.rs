//! The Received field that the gateway adds.

use mail_implicit_tls::{
    name::DomainName,
    received::{Group, Received, Transmission, TransmissionProtocol},
};

use super::{Session, facts, pair, with_received};

const FIELD: &str = "Received: from c ([192.0.2.7])\r\n\tby gw.example.org with ESMTPSA id \
    000000000000000000000000000000ab\r\n\ttls TLS_AES_128_GCM_SHA256 group x25519;\r\n\t\
    Tue, 1 Jul 2014 10:00:00 +0000\r\n";

#[test]
fn adds_one_field_above_those_of_the_client() {
    let mut session = Session::in_transaction(&with_received());
    let forged = FIELD.replace("192.0.2.7", "192.0.2.99");
    let message = format!("{forged}\r\nx\r\n.\r\n");
    session
        .client(format!("DATA\r\n{message}"))
        .backend("354 go\r\n");
    let expected = format!("DATA\r\n{FIELD}{message}");
    assert_eq!(session.sent(), pair("354 go\r\n", &expected));
    // The next message has its own.
    session.backend("250 ok\r\n").forget();
    session.client("DATA\r\n").backend("354 go\r\n");
    assert_eq!(
        session.sent(),
        pair("354 go\r\n", &format!("DATA\r\n{FIELD}"))
    );
}

#[test]
fn adds_the_field_to_the_first_chunk_whose_size_it_changes() {
    let mut session = Session::in_transaction(&with_received());
    let (one, more) = (FIELD.len() + 1, FIELD.len() + 3);
    session.client("BDAT 1\r\nxBDAT 2 LAST\r\nyz");
    assert_eq!(session.sent(), pair("", &format!("BDAT {one}\r\n{FIELD}x")));
    session.backend("250 ok\r\n");
    assert_eq!(session.sent(), pair("250 ok\r\n", "BDAT 2 LAST\r\nyz"));
    session.backend("250 ok\r\n").forget();
    // A message of one chunk, and of none.
    for (chunk, passed) in [
        (
            "BDAT 3 LAST\r\nabc",
            format!("BDAT {more} LAST\r\n{FIELD}abc"),
        ),
        (
            "BDAT 0 LAST\r\n",
            format!("BDAT {} LAST\r\n{FIELD}", FIELD.len()),
        ),
    ] {
        let mut session = Session::in_transaction(&with_received());
        assert_eq!(session.client(chunk).sent(), pair("", &passed));
    }
    let mut session = Session::in_transaction(&with_received());
    session.client("BDAT 2147483647\r\n");
    assert_eq!(session.sent(), pair("500 Line too long\r\n", ""));
}

#[test]
fn adds_the_field_again_after_a_chunk_that_was_refused() {
    let mut session = Session::in_transaction(&with_received());
    session.client("BDAT 1\r\nx").backend("451 later\r\n");
    session.client("MAIL FROM:<>\r\n").backend("250 ok\r\n");
    session
        .client("RCPT TO:<x>\r\n")
        .backend("250 ok\r\n")
        .forget();
    let one = FIELD.len() + 1;
    session.client("BDAT 1\r\nx");
    assert_eq!(session.sent(), pair("", &format!("BDAT {one}\r\n{FIELD}x")));
}

#[test]
fn takes_burl_from_the_extensions() {
    let mut session = Session::in_transaction(&with_received());
    session
        .client("EHLO c\r\n")
        .backend("250-mx\r\n250-BURL imap\r\n250 CHUNKING\r\n");
    assert_eq!(
        session.sent(),
        pair("250-mx\r\n250 CHUNKING\r\n", "EHLO c\r\n")
    );
    session.client("BURL imap://x LAST\r\n");
    assert_eq!(session.sent(), pair("500 Command not recognized\r\n", ""));
}

/// Returns the field of a message with these arguments of EHLO and MAIL.
fn field(facts: &mail_implicit_tls::gateway::ClientFacts, ehlo: &str, mail: &str) -> String {
    let mut session = Session::new(facts, &with_received());
    session
        .backend("220 x\r\n")
        .client(format!("EHLO {ehlo}\r\n"));
    session.backend("250-x\r\n250 SMTPUTF8\r\n");
    session
        .client(format!("MAIL FROM:<>{mail}\r\n"))
        .backend("250 ok\r\n");
    session.client("DATA\r\n").forget();
    session.backend("354 go\r\n");
    session.sent().1
}

#[test]
fn writes_fields_that_read_as_the_connection_was() {
    let mut facts = facts();
    facts.record.cipher_suite = Some(0xfefe);
    facts.record.group = Some(4588);
    facts.record.peer = "[2001:db8::7]:1".parse().expect("address");
    let written = field(&facts, "[IPv6:2001:db8::7]", " BODY=8BITMIME SMTPUTF8");
    let body = written.strip_prefix("Received:").expect("a field");
    let body = body.strip_suffix("\r\n").expect("a line");
    let read = Received::parse(body).expect("a field");
    assert_eq!(read.value("from"), Some("[IPv6:2001:db8::7]"));
    assert_eq!(read.value("by"), Some("gw.example.org"));
    let suite = read.tls().expect("a suite").map(|it| it.to_string());
    assert_eq!(suite.as_deref(), Some("0xFEFE"));
    assert_eq!(read.group(), Ok(Group::from_number(4588)));
    let transmission = Transmission {
        protocol: TransmissionProtocol::Utf8Smtp,
        tls: true,
        authenticated: false,
    };
    assert_eq!(read.transmission(), Some(transmission));
    assert!(DomainName::parse("gw.example.org").is_ok());
}

#[test]
fn writes_unknown_in_place_of_a_name_that_is_none() {
    for ehlo in ["a b", "x;y", "(c)", "\"q\"", "[", &"x".repeat(256), ""] {
        let written = field(&facts(), ehlo, "");
        assert!(
            written.starts_with("Received: from unknown ([192.0.2.7])\r\n"),
            "{written}"
        );
    }
}
