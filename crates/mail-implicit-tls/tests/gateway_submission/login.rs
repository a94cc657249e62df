//! AUTH, RFC 4954.

use mail_implicit_tls::gateway::{
    Event, ExternalLogin, GatewayOptions, MasterUser, Mechanism, Refusal,
};

use super::{EXTENSIONS, Session, facts, options, pair};

fn mechanism(name: &str) -> Mechanism {
    Mechanism::parse(name).expect("a mechanism")
}

#[test]
fn passes_any_login_on_and_reads_the_outcome() {
    for name in [
        "PLAIN",
        "LOGIN",
        "SCRAM-SHA-256",
        "XOAUTH2",
        "OAUTHBEARER",
        "CRAM-MD5",
    ] {
        let mut session = Session::greeted(&options());
        let auth = format!("AUTH {name}\r\n");
        assert_eq!(session.client(&auth).sent(), pair("", &auth));
        assert_eq!(
            session.backend("334 abcd\r\n").sent(),
            pair("334 abcd\r\n", "")
        );
        assert_eq!(
            session.client("YWxpY2U=\r\n").sent(),
            pair("", "YWxpY2U=\r\n")
        );
        assert_eq!(session.backend("334 \r\n").sent(), pair("334 \r\n", ""));
        assert_eq!(session.client("\r\n").sent(), pair("", "\r\n"));
        session.backend("535-5.7.8 no\r\n535 5.7.8 really\r\n");
        let refused = pair("535-5.7.8 no\r\n535 5.7.8 really\r\n", "");
        assert_eq!(session.sent(), refused);
        session
            .client(format!("auth {name} =\r\n"))
            .backend("235 ok\r\n");
        let mechanism = mechanism(name);
        let events = [
            Event::LoginFailed {
                mechanism: mechanism.clone(),
            },
            Event::LoggedIn { mechanism },
        ];
        assert_eq!(session.events(), events);
    }
}

#[test]
fn counts_no_failure_where_the_password_was_not_judged() {
    for code in ["454", "500", "502", "503", "504", "530"] {
        let mut session = Session::greeted(&options());
        session
            .client("AUTH PLAIN AGEAYg==\r\n")
            .backend(format!("{code} x\r\n"));
        assert_eq!(session.events(), [], "{code}");
    }
    for code in ["501", "534", "535", "538", "550", "554"] {
        let mut session = Session::greeted(&options());
        session
            .client("AUTH PLAIN AGEAYg==\r\n")
            .backend(format!("{code} x\r\n"));
        let mechanism = mechanism("PLAIN");
        assert_eq!(
            session.events(),
            [Event::LoginFailed { mechanism }],
            "{code}"
        );
    }
}

#[test]
fn reads_what_is_pipelined_past_auth_as_the_backend_does() {
    // A command that is base64 is the bad response of the exchange.
    let mut session = Session::greeted(&options());
    session
        .client("AUTH PLAIN\r\nNOOP\r\nRSET\r\n")
        .backend("334 \r\n");
    assert_eq!(session.sent(), pair("334 \r\n", "AUTH PLAIN\r\nNOOP\r\n"));
    session.backend("535 no\r\n");
    assert_eq!(session.sent(), pair("535 no\r\n", "RSET\r\n"));
    // Another one cancels the exchange.
    for line in [
        "XCLIENT ADDR=192.0.2.1",
        "MAIL FROM:<>",
        "AA=",
        "A",
        "AAAA\t",
        "AA AA",
        "\u{fc}",
    ] {
        let mut session = Session::greeted(&options());
        session.client(format!("AUTH PLAIN\r\n{line}\r\nRSET\r\n"));
        session.backend("334 \r\n");
        assert_eq!(
            session.sent(),
            pair("334 \r\n", "AUTH PLAIN\r\n*\r\n"),
            "{line:?}"
        );
        session.backend("501 cancelled\r\n");
        assert_eq!(session.sent(), pair("501 cancelled\r\n", "RSET\r\n"));
        let mechanism = mechanism("PLAIN");
        let events = [
            Event::Refused(Refusal::Syntax),
            Event::LoginFailed { mechanism },
        ];
        assert_eq!(session.events(), events);
    }
    // A backend that asks again, or accepts the login, reads otherwise than the gateway.
    for reply in ["334 \r\n", "354 go\r\n", "235 ok\r\n"] {
        let mut session = Session::greeted(&options());
        session
            .client("AUTH PLAIN\r\nx\r\nRSET\r\n")
            .backend("334 \r\n")
            .forget();
        session.backend(reply);
        assert_eq!(
            session.sent(),
            pair("421 Service not available\r\n", ""),
            "{reply:?}"
        );
    }
    // The backend refuses the mechanism: the line is a command.
    let mut session = Session::greeted(&options());
    session
        .client("AUTH PLAIN\r\nXCLIENT ADDR=192.0.2.1\r\n")
        .backend("504 no\r\n");
    let refused = pair("504 no\r\n502 Command not available\r\n", "AUTH PLAIN\r\n");
    assert_eq!(session.sent(), refused);
}

#[test]
fn cancels_and_limits_exchanges() {
    let begun = || {
        let mut session = Session::greeted(&options());
        session
            .client("AUTH PLAIN\r\n")
            .backend("334 \r\n")
            .forget();
        session
    };
    let mut session = begun();
    assert_eq!(session.client("*\r\n").sent(), pair("", "*\r\n"));
    assert_eq!(session.backend("501 x\r\n").sent(), pair("501 x\r\n", ""));
    let longest = "A".repeat(12_288) + "\r\n";
    assert_eq!(begun().client(&longest).sent(), pair("", &longest));
    for (line, reply) in [
        ("A".repeat(12_289) + "\r\n", "500 Line too long\r\n"),
        ("AA\0A\r\n".to_owned(), "500 Octet not permitted\r\n"),
        ("AA\rAA\r\n".to_owned(), "500 Octet not permitted\r\n"),
        ("AAAA\nAAAA\r\n".to_owned(), "500 Octet not permitted\r\n"),
    ] {
        let mut session = begun();
        assert_eq!(session.client(&line).sent(), pair(reply, ""));
        assert!(session.error.is_some());
    }
}

#[test]
fn refuses_mechanisms_that_bind_to_the_connection_and_malformed_commands() {
    let mechanism = "504 Mechanism not available\r\n";
    let syntax = "501 Syntax error in parameters\r\n";
    for (line, reply) in [
        ("AUTH SCRAM-SHA-256-PLUS", mechanism),
        ("auth scram-sha-1-plus AAAA", mechanism),
        ("AUTH EXTERNAL =", mechanism),
        ("AUTH", syntax),
        ("AUTH ", syntax),
        ("AUTH PLAIN AAAA AAAA", syntax),
        ("AUTH PLAIN AA", syntax),
        ("AUTH PLAIN *", syntax),
        ("AUTH  PLAIN", syntax),
        ("AUTH PLAIN=", syntax),
        ("AUTH ABCDEFGHIJKLMNOPQRSTU", syntax),
    ] {
        let mut session = Session::greeted(&options());
        assert_eq!(
            session.client(format!("{line}\r\n")).sent(),
            pair(reply, ""),
            "{line:?}"
        );
    }
}

fn certified(options: &GatewayOptions) -> Session {
    let mut facts = facts();
    facts.record.client = Some("alice".to_owned());
    let mut session = Session::new(&facts, options);
    session.backend("220 mx\r\n").client("EHLO c\r\n").forget();
    session
}

#[test]
fn logs_a_client_with_a_certificate_in_as_its_identity() {
    let user = MasterUser::try_new("master", "secret".to_owned()).expect("credentials");
    let plain = options().with_external(ExternalLogin::Plain(user));
    let message = "AUTH PLAIN YWxpY2UAbWFzdGVyAHNlY3JldA==\r\n";
    for (line, response) in [
        ("AUTH EXTERNAL =\r\n", None),
        ("AUTH EXTERNAL YWxpY2U=\r\n", None),
        ("AUTH EXTERNAL\r\n", Some("\r\n")),
        ("auth external\r\n", Some("YWxpY2U=\r\n")),
    ] {
        let mut session = certified(&plain);
        session.backend(EXTENSIONS);
        let edited = EXTENSIONS.replace("PLAIN LOGIN", "PLAIN LOGIN EXTERNAL");
        assert_eq!(session.sent(), pair(&edited, ""));
        session.client(line);
        if let Some(response) = response {
            assert_eq!(session.sent(), pair("334 \r\n", ""));
            session.client(response);
        }
        assert_eq!(session.sent(), pair("", message), "{line:?}");
        session.backend("235 ok\r\n");
        assert_eq!(session.sent(), pair("235 ok\r\n", ""));
        let mechanism = Mechanism::EXTERNAL;
        assert_eq!(session.events(), [Event::LoggedIn { mechanism }]);
    }
    let external = options().with_external(ExternalLogin::External);
    let mut session = certified(&external);
    session
        .backend("250-mx\r\n250 AUTH PLAIN EXTERNAL\r\n")
        .client("AUTH EXTERNAL =\r\n");
    let sent = pair(
        "250-mx\r\n250 AUTH PLAIN EXTERNAL\r\n",
        "AUTH EXTERNAL YWxpY2U=\r\n",
    );
    assert_eq!(session.sent(), sent);
    // A backend that asks for what it has gets no other answer.
    session.backend("334 \r\n");
    assert_eq!(session.sent(), pair("", "*\r\n"));
    session.backend("501 cancelled\r\n");
    assert_eq!(session.sent(), pair("501 cancelled\r\n", ""));
}

#[test]
fn refuses_external_as_another_identity_and_without_a_mapping() {
    let external = options().with_external(ExternalLogin::External);
    for (response, reply) in [
        ("Ym9i", "535 Authentication failed\r\n"),
        ("YWxpY2UA", "535 Authentication failed\r\n"),
        ("*", "501 Cancelled\r\n"),
        ("x", "501 Base64 expected\r\n"),
    ] {
        let mut session = certified(&external);
        session
            .backend(EXTENSIONS)
            .client("AUTH EXTERNAL\r\n")
            .forget();
        session.client(format!("{response}\r\n"));
        assert_eq!(session.sent(), pair(reply, ""), "{response:?}");
        let mechanism = Mechanism::EXTERNAL;
        let events = [
            Event::LoginFailed { mechanism },
            Event::Refused(Refusal::External),
        ];
        assert_eq!(session.events(), events);
    }
    // Without a certificate, or without a login for it, the backend's EXTERNAL would be the gateway's own.
    for (mut session, options) in [
        (Session::new(&facts(), &external), "no certificate"),
        (certified(&options()), "no login"),
    ] {
        if options == "no certificate" {
            session.backend("220 mx\r\n").client("EHLO c\r\n").forget();
        }
        session.backend("250-mx\r\n250-AUTH EXTERNAL\r\n250 AUTH=EXTERNAL PLAIN\r\n");
        assert_eq!(session.sent(), pair("250-mx\r\n250 AUTH=PLAIN\r\n", ""));
        session.client("AUTH EXTERNAL =\r\n");
        assert_eq!(session.sent(), pair("504 Mechanism not available\r\n", ""));
        assert_eq!(session.events(), [Event::Refused(Refusal::External)]);
    }
}
