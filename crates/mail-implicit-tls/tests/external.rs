//! SASL EXTERNAL: each protocol's form, and what a server refuses.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use mail_implicit_tls::{
    dialogue::{Capabilities, Demand, Dialogue},
    external::{External, ExternalError, MAX_IDENTITY_BYTES, ResponseError, authorize},
    service::{Protocol, Service},
};

/// Reads capabilities as a server sends them.
fn capabilities(service: Service, sent: &[&str]) -> Capabilities {
    let mut dialogue = Dialogue::new(service).accept_without_authentication();
    for text in sent {
        dialogue.receive(text.as_bytes());
        if matches!(dialogue.demand(), Ok(Demand::Send(_))) {
            dialogue.sent();
        }
    }
    match dialogue.demand() {
        Ok(Demand::Done(ready)) => ready.capabilities,
        other => panic!("{other:?}"),
    }
}

fn imap(words: &str) -> Capabilities {
    capabilities(
        Service::IMAPS,
        &[&format!("* OK [CAPABILITY {words}] hello\r\n")],
    )
}

fn forms(
    protocol: Protocol,
    identity: &str,
    capabilities: &Capabilities,
) -> (String, Option<String>) {
    let external = External::new(protocol, "a1", identity, capabilities).unwrap();
    (
        external.command().to_owned(),
        external.response().map(str::to_owned),
    )
}

#[test]
fn gives_each_protocol_its_form() {
    let with_ir = imap("IMAP4rev1 SASL-IR AUTH=EXTERNAL");
    let without_ir = imap("IMAP4rev1 AUTH=PLAIN AUTH=external");
    let pop = capabilities(
        Service::POP3S,
        &["+OK\r\n", "+OK\r\nSASL EXTERNAL\r\n.\r\n"],
    );
    let smtp = capabilities(
        Service::SUBMISSIONS,
        &["220 hi\r\n", "250-hi\r\n250 AUTH PLAIN EXTERNAL\r\n"],
    );
    for (protocol, capabilities, empty, named) in [
        (
            Protocol::Imap,
            &with_ir,
            "a1 AUTHENTICATE EXTERNAL =\r\n",
            "a1 AUTHENTICATE EXTERNAL Ym9i\r\n",
        ),
        (
            Protocol::Pop,
            &pop,
            "AUTH EXTERNAL =\r\n",
            "AUTH EXTERNAL Ym9i\r\n",
        ),
        (
            Protocol::Submission,
            &smtp,
            "AUTH EXTERNAL =\r\n",
            "AUTH EXTERNAL Ym9i\r\n",
        ),
    ] {
        assert_eq!(forms(protocol, "", capabilities), (empty.to_owned(), None));
        assert_eq!(
            forms(protocol, "bob", capabilities),
            (named.to_owned(), None)
        );
    }
    let command = "a1 AUTHENTICATE EXTERNAL\r\n".to_owned();
    assert_eq!(
        forms(Protocol::Imap, "", &without_ir),
        (command.clone(), Some("\r\n".to_owned()))
    );
    assert_eq!(
        forms(Protocol::Imap, "bob", &without_ir),
        (command, Some("Ym9i\r\n".to_owned()))
    );
}

#[test]
fn refuses_a_server_that_does_not_advertise_it() {
    for capabilities in [
        imap("IMAP4rev1 AUTH=PLAIN"),
        imap("IMAP4rev1 EXTERNAL"),
        Capabilities::default(),
    ] {
        let refused = External::new(Protocol::Imap, "a1", "", &capabilities);
        assert_eq!(refused, Err(ExternalError::NotAdvertised));
    }
}

#[test]
fn refuses_an_identity_that_cannot_be_sent() {
    let capabilities = imap("IMAP4rev1 AUTH=EXTERNAL");
    for identity in ["a\0b", &"a".repeat(MAX_IDENTITY_BYTES + 1)] {
        let refused = External::new(Protocol::Imap, "a1", identity, &capabilities);
        assert_eq!(refused, Err(ExternalError::Identity));
    }
}

#[test]
fn authorizes_the_identity_of_the_certificate_only() {
    let bob = Some("bob");
    for response in ["=", "", "Ym9i"] {
        assert_eq!(authorize(response.as_bytes(), bob), Ok("bob"));
    }
    for (response, certified, error) in [
        ("=", None, ResponseError::NotPermitted),
        ("Ym9i", None, ResponseError::NotPermitted),
        ("YWxpY2U=", bob, ResponseError::NotPermitted),
        ("*", bob, ResponseError::Cancelled),
        ("Ym9i\r\n", bob, ResponseError::Base64),
        ("Ym9", bob, ResponseError::Base64),
        ("Ym\r\n9i", bob, ResponseError::Base64),
        ("Ym9i Ym9i", bob, ResponseError::Base64),
        ("==", bob, ResponseError::Base64),
        ("Ym8AaQ==", bob, ResponseError::Identity),
        ("/w==", bob, ResponseError::Identity),
    ] {
        assert_eq!(
            authorize(response.as_bytes(), certified),
            Err(error),
            "{response:?}"
        );
    }
    assert_eq!(authorize(&[b'A'; 12_289], bob), Err(ResponseError::TooLong));
    assert_eq!(authorize(&[b'A'; 12_288], bob), Err(ResponseError::TooLong));
    assert_eq!(authorize(b"Y\0m9", bob), Err(ResponseError::Base64));
}
