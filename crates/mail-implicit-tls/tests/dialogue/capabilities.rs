//! Capabilities, and what a dialogue hands over.

use mail_implicit_tls::{
    dialogue::{Capabilities, Demand, Dialogue, DialogueError},
    service::Service,
};

use crate::script::{
    EHLO, TLS_CAPABILITY,
    Turn::{Client, Server},
    fails, items, play, play_in,
};

#[test]
fn takes_capabilities_of_the_greeting_within_tls() {
    let greeting = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN auth=scram-sha-1] hello\r\n";
    let ready = play(Service::IMAPS, &[Server(greeting)]).unwrap();
    assert_eq!(
        items(&ready),
        ["IMAP4rev1", "AUTH=PLAIN", "auth=scram-sha-1"]
    );
    assert_eq!(ready.capabilities.mechanisms(), ["PLAIN", "SCRAM-SHA-1"]);
    assert!(ready.greeting.encrypted && !ready.greeting.authenticated);
    assert_eq!(ready.greeting.lines, [greeting.trim_end()]);
    assert_eq!(ready.rest, b"");
}

#[test]
fn asks_for_capabilities_that_the_greeting_lacks() {
    let script = [
        Server("* OK [ALERT] hello\r\n"),
        TLS_CAPABILITY,
        Server("* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nt OK done\r\n"),
    ];
    let ready = play(Service::IMAPS, &script).unwrap();
    assert_eq!(items(&ready), ["IMAP4rev1", "LOGINDISABLED"]);
    assert!(ready.capabilities.is_login_disabled());
    assert_eq!(ready.greeting.lines, ["* OK [ALERT] hello"]);
}

#[test]
fn reports_preauth_within_tls() {
    let ready = play(
        Service::IMAPS,
        &[Server("* PREAUTH [CAPABILITY IMAP4rev1] you\r\n")],
    )
    .unwrap();
    assert!(ready.greeting.authenticated);
}

#[test]
fn stays_in_authorization_state_after_the_greeting_of_pop() {
    let script = [
        Server("+OK <1.2@example>\r\n"),
        Client("CAPA\r\n"),
        Server("+OK list\r\nTOP\r\nSASL PLAIN external\r\n..DOT\r\n.\r\n"),
    ];
    let ready = play(Service::POP3S, &script).unwrap();
    assert!(!ready.greeting.authenticated);
    assert_eq!(ready.greeting.lines, ["+OK <1.2@example>"]);
    assert_eq!(items(&ready), ["TOP", "SASL PLAIN external", ".DOT"]);
    assert_eq!(ready.capabilities.mechanisms(), ["PLAIN", "EXTERNAL"]);
}

#[test]
fn accepts_a_pop_server_without_capa() {
    let script = [
        Server("+OK\r\n"),
        Client("CAPA\r\n"),
        Server("-ERR unknown\r\n"),
    ];
    assert_eq!(items(&play(Service::POP3S, &script).unwrap()), [""; 0]);
}

#[test]
fn reads_replies_of_many_lines() {
    let script = [
        Server("220-mail.example\r\n220 ready\r\n"),
        EHLO,
        Server("250-mail.example\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 100\r\n"),
    ];
    let ready = play(Service::SUBMISSIONS, &script).unwrap();
    assert_eq!(ready.greeting.lines, ["220-mail.example", "220 ready"]);
    assert_eq!(
        items(&ready),
        ["PIPELINING", "AUTH PLAIN LOGIN", "SIZE 100"]
    );
    assert_eq!(ready.capabilities.arguments("size"), Some("100"));
    assert_eq!(ready.capabilities.arguments("SIZ"), None);
}

#[test]
fn refuses_a_submission_server_without_authentication() {
    for reply in [
        "250 mail.example\r\n",
        "250-mail.example\r\n250 AUTH\r\n",
        "250-mail.example\r\n250 AUTH=\r\n",
    ] {
        let script = [Server("220 ready\r\n"), EHLO, Server(reply)];
        fails(
            Service::SUBMISSIONS,
            &script,
            DialogueError::NoAuthentication,
        );
    }
    let mut dialogue = Dialogue::new(Service::SUBMISSIONS)
        .accept_without_authentication()
        .with_ehlo("client.example");
    dialogue.receive(b"220 ready\r\n");
    assert_eq!(
        dialogue.demand(),
        Ok(Demand::Send(b"EHLO client.example\r\n".to_vec()))
    );
    dialogue.sent();
    dialogue.receive(b"250 mail.example\r\n");
    assert!(matches!(dialogue.demand(), Ok(Demand::Done(_))));
}

#[test]
fn sends_no_name_that_has_a_line_end() {
    let mut dialogue = Dialogue::new(Service::SUBMISSIONS).with_ehlo("a\r\nMAIL FROM:<b>");
    dialogue.receive(b"220 ready\r\n");
    assert_eq!(
        dialogue.demand(),
        Ok(Demand::Send(b"EHLO [127.0.0.1]\r\n".to_vec()))
    );
}

#[test]
fn hands_over_what_follows() {
    let ready = play_in(
        usize::MAX,
        Service::IMAPS,
        &[Server(
            "* OK [CAPABILITY IMAP4rev1] hello\r\n* OK [ALERT] more\r\n* 1",
        )],
    );
    assert_eq!(ready.unwrap().rest, b"* OK [ALERT] more\r\n* 1");
}

#[test]
fn accepts_untagged_responses_ahead_of_a_command() {
    for ahead in ["*", "* ", "* OK", "* OK [ALERT] x\r\n", "* OK x\r\n*"] {
        let greeting = format!("* OK hello\r\n{ahead}");
        let rest = "* OK [ALERT] x\r\n".strip_prefix(ahead);
        let rest = rest
            .or("* OK x\r\n* OK [ALERT] x\r\n".strip_prefix(ahead))
            .unwrap();
        let reply = format!("{rest}* CAPABILITY IMAP4rev1\r\nt OK done\r\n");
        let script = [Server(&greeting), TLS_CAPABILITY, Server(&reply)];
        assert_eq!(
            items(&play(Service::IMAPS, &script).unwrap()),
            ["IMAP4rev1"]
        );
    }
}

#[test]
fn speaks_in_clear_text_where_the_service_is_so() {
    let script = [
        Server("220 ready\r\n"),
        EHLO,
        Server("250-mail\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"),
    ];
    let ready = play(Service::SUBMISSION_CLEAR, &script).unwrap();
    assert!(!ready.greeting.encrypted);
    assert_eq!(Capabilities::default().mechanisms(), [""; 0]);
}
