//! Extensions and replies of the backend, and its failures.

use mail_implicit_tls::{
    gateway::{BackendFailure, ClientAddress, Event, GatewayOptions, GatewaySession},
    service::Protocol,
};

use super::{Session, facts, options, pair};

fn ehlo(reply: &str) -> String {
    let mut session = Session::new(&facts(), &options());
    session.backend("220 mx\r\n").client("EHLO c\r\n").forget();
    session.backend(reply).sent().0
}

#[test]
fn removes_extensions_that_end_at_the_gateway() {
    for (reply, edited) in [
        (
            "250-mx\r\n250-STARTTLS\r\n250 SIZE 1\r\n",
            "250-mx\r\n250 SIZE 1\r\n",
        ),
        (
            "250-mx\r\n250-SIZE 1\r\n250 starttls\r\n",
            "250-mx\r\n250 SIZE 1\r\n",
        ),
        (
            "250-mx\r\n250-XCLIENT ADDR\r\n250 XFORWARD NAME\r\n",
            "250 mx\r\n",
        ),
        (
            "250-mx STARTTLS\r\n250-ATRN\r\n250 XEXCH50\r\n",
            "250 mx STARTTLS\r\n",
        ),
        (
            "250-mx\r\n250-AUTH SCRAM-SHA-1-PLUS\r\n250 HELP\r\n",
            "250-mx\r\n250 HELP\r\n",
        ),
        (
            "250-mx\r\n250 AUTH SCRAM-SHA-1 scram-sha-1-plus PLAIN EXTERNAL\r\n",
            "250-mx\r\n250 AUTH SCRAM-SHA-1 PLAIN\r\n",
        ),
        (
            "250-mx\r\n250 AUTH=LOGIN X-PLUS\r\n",
            "250-mx\r\n250 AUTH=LOGIN\r\n",
        ),
        (
            "250-mx\r\n250 AUTH  PLAIN  LOGIN\r\n",
            "250-mx\r\n250 AUTH  PLAIN  LOGIN\r\n",
        ),
        (
            "250-mx\r\n250 DEEP tls12\r\n",
            "250-mx\r\n250 DEEP tls12\r\n",
        ),
        (
            "250-mx\r\n250-\r\n250 XCLIENTS\r\n",
            "250-mx\r\n250-\r\n250 XCLIENTS\r\n",
        ),
        ("250\r\n", "250\r\n"),
        (
            "502-no STARTTLS\r\n502 STARTTLS\r\n",
            "502-no STARTTLS\r\n502 STARTTLS\r\n",
        ),
    ] {
        assert_eq!(ehlo(reply), edited);
    }
}

#[test]
fn edits_each_reply_to_ehlo() {
    let mut session = Session::logged_in(&options());
    for _ in 0..2 {
        session
            .client("EHLO c\r\n")
            .backend("250-mx\r\n250-STARTTLS\r\n250 HELP\r\n");
        assert_eq!(session.sent(), pair("250-mx\r\n250 HELP\r\n", "EHLO c\r\n"));
    }
    session
        .client("HELO c\r\n")
        .backend("250-mx\r\n250 STARTTLS\r\n");
    // HELO has no extensions.
    assert_eq!(
        session.sent(),
        pair("250-mx\r\n250 STARTTLS\r\n", "HELO c\r\n")
    );
}

#[test]
fn writes_enhanced_codes_where_the_backend_has_them() {
    let mut session = Session::greeted(&options());
    session
        .client("EHLO c\r\n")
        .backend("250-mx\r\n250 ENHANCEDSTATUSCODES\r\n")
        .forget();
    session
        .client("XCLIENT\r\n")
        .client("HELO c\r\n")
        .backend("250 mx\r\n")
        .client("XCLIENT\r\n");
    let client = "502 5.5.1 Command not available\r\n250 mx\r\n502 Command not available\r\n";
    assert_eq!(session.sent(), pair(client, "HELO c\r\n"));
}

fn with_xclient() -> GatewayOptions {
    GatewayOptions::try_new(Protocol::Submission, ClientAddress::Xclient)
        .expect("options")
        .with_name("gw.example.org")
}

#[test]
fn introduces_the_client_by_xclient_before_its_greeting() {
    let mut session = Session::new(&facts(), &with_xclient());
    session.client("EHLO c\r\n").backend("220 first\r\n");
    assert_eq!(session.sent(), pair("", "EHLO gw.example.org\r\n"));
    session.backend("250-mx\r\n250-STARTTLS\r\n250 XCLIENT NAME ADDR PORT\r\n");
    let command = "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=51234\r\n";
    assert_eq!(session.sent(), pair("", command));
    session.backend("220 second\r\n");
    assert_eq!(session.sent(), pair("220 second\r\n", "EHLO c\r\n"));
    session.backend("250-mx\r\n250 XCLIENT NAME ADDR PORT LOGIN\r\n");
    assert_eq!(session.sent(), pair("250 mx\r\n", ""));
}

#[test]
fn serves_no_client_whose_address_the_backend_does_not_learn() {
    for replies in [
        &["220 x\r\n", "250 mx\r\n"][..],
        &["220 x\r\n", "250-mx\r\n250 XCLIENT PORT\r\n"],
        &["220 x\r\n", "502 no\r\n"],
        &["220 x\r\n", "250-mx\r\n250 XCLIENT ADDR\r\n", "501 no\r\n"],
        &["220 x\r\n", "250-mx\r\n250 XCLIENT ADDR\r\n", "250 ok\r\n"],
    ] {
        let mut session = Session::new(&facts(), &with_xclient());
        for reply in replies {
            session.backend(reply);
        }
        assert_eq!(
            session.sent().0,
            "421 Service not available\r\n",
            "{replies:?}"
        );
        assert!(session.error.is_some());
        assert_eq!(session.events(), [Event::Closed]);
    }
}

#[test]
fn ends_the_session_at_replies_that_are_not_of_the_protocol() {
    for reply in [
        &b"250 x\r\n250 y\r\n"[..],
        b"250 a\nb\r\n",
        b"250 a\rb\r\n",
        b"250 a\0\r\n",
        b"250-a\r\n550 b\r\n",
        b"hello\r\n",
        b"199 x\r\n",
        b"2500\r\n",
        b"334 x\r\n",
        b"354 x\r\n",
    ] {
        let mut session = Session::greeted(&options());
        session.client("NOOP\r\n").forget();
        session.backend(reply);
        let (client, _) = session.sent();
        assert!(
            client.ends_with("421 Service not available\r\n"),
            "{client:?}"
        );
        let mut session = Session::logged_in(&options());
        session.client("NOOP\r\n").forget();
        session.backend(reply);
        let (client, _) = session.sent();
        assert!(!client.contains("421"), "{client:?}");
        assert!(session.error.is_some());
    }
    let line = format!("250 {}\r\n", "x".repeat(2042));
    assert_eq!(ehlo(&line), line);
    assert_eq!(
        ehlo(&format!("250 {}\r\n", "x".repeat(2043))),
        "421 Service not available\r\n"
    );
    let lines = "250-x\r\n".repeat(127) + "250 x\r\n";
    assert_eq!(ehlo(&lines), lines);
    let lines = "250-x\r\n".repeat(128) + "250 x\r\n";
    assert_eq!(ehlo(&lines), "421 Service not available\r\n");
}

#[test]
fn tells_the_client_of_a_failed_backend_before_login_only() {
    let failures = [
        BackendFailure::Unreachable,
        BackendFailure::Tls,
        BackendFailure::Timeout,
        BackendFailure::Closed,
        BackendFailure::Busy,
        BackendFailure::Stopping,
    ];
    for failure in failures {
        let mut session = Session::new(&facts(), &options());
        session.gateway.backend_failed(failure);
        let text = format!("421 {}\r\n", failure.text());
        assert_eq!(session.gateway.take_for_client(), text.as_bytes());
        assert!(session.gateway.is_over() && !session.gateway.may_receive());
        assert_eq!(session.events(), [Event::Closed]);
        session.gateway.backend_failed(failure);
        assert_eq!(session.gateway.take_for_client(), b"");
        let mut session = Session::logged_in(&options());
        session.gateway.backend_failed(failure);
        assert_eq!(session.gateway.take_for_client(), b"");
        assert_eq!(session.events(), [Event::Closed]);
    }
}

#[test]
fn forwards_the_end_that_the_backend_announces() {
    let mut session = Session::greeted(&options());
    session.backend("421 bye\r\n").client("NOOP\r\n");
    assert_eq!(session.sent(), pair("421 bye\r\n", ""));
    let mut session = Session::greeted(&options());
    session.client("QUIT\r\nNOOP\r\n").backend("221 bye\r\n");
    assert_eq!(session.sent(), pair("221 bye\r\n", "QUIT\r\n"));
    assert_eq!(session.events(), [Event::Closed]);
    assert_eq!(session.error, None);
    let mut session = Session::new(&facts(), &options());
    session.backend("554 no\r\n");
    assert_eq!(session.sent(), pair("554 no\r\n", ""));
    assert!(session.gateway.is_over());
}
