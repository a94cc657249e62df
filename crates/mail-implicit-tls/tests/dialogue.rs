//! Dialogues before login, octet by octet and at once, with what servers and attackers send.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::format_push_string,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use mail_implicit_tls::{
    dialogue::{
        Capabilities, Demand, Dialogue, DialogueError, MAX_DIALOGUE_BYTES, MAX_LINE_BYTES,
        MAX_REPLY_LINES, Ready,
    },
    service::{Protocol, Security, Service},
};

/// The turns of a connection: the server sends, or the client must have sent.
#[derive(Clone, Copy, Debug)]
enum Turn<'a> {
    Server(&'a str),
    Client(&'a str),
    /// The TLS handshake is made.
    Tls,
    /// The server closes the connection.
    Close,
}

use Turn::{Client, Close, Server, Tls};

/// Plays a script, with the server's octets in pieces of this size.
fn play_in(pieces: usize, service: Service, script: &[Turn<'_>]) -> Result<Ready, DialogueError> {
    let mut dialogue = Dialogue::new(service);
    for turn in script {
        match turn {
            Server(text) => {
                for piece in text.as_bytes().chunks(pieces) {
                    dialogue.receive(piece);
                }
            }
            Client(text) => {
                let expected = Demand::Send(text.as_bytes().to_vec());
                assert_eq!(dialogue.demand()?, expected);
                assert_eq!(
                    dialogue.demand()?,
                    expected,
                    "a demand is repeated until it is done"
                );
                dialogue.sent();
            }
            Tls => {
                assert_eq!(dialogue.demand()?, Demand::StartTls);
                dialogue.encrypted();
            }
            Close => dialogue.closed(),
        }
    }
    match dialogue.demand()? {
        Demand::Done(ready) => Ok(*ready),
        other => panic!("the dialogue is not complete: {other:?}"),
    }
}

/// Plays a script with octets one by one and all at once; the results must be the same.
#[track_caller]
fn play(service: Service, script: &[Turn<'_>]) -> Result<Ready, DialogueError> {
    let at_once = play_in(usize::MAX, service, script);
    assert_eq!(play_in(1, service, script), at_once);
    at_once
}

#[track_caller]
fn fails(service: Service, script: &[Turn<'_>], error: DialogueError) {
    assert_eq!(play(service, script), Err(error));
}

fn items(ready: &Ready) -> Vec<&str> {
    ready
        .capabilities
        .items()
        .iter()
        .map(String::as_str)
        .collect()
}

const EHLO: Turn<'static> = Client("EHLO [127.0.0.1]\r\n");
const CAPABILITY: Turn<'static> = Client("c CAPABILITY\r\n");
const TLS_CAPABILITY: Turn<'static> = Client("t CAPABILITY\r\n");

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
        "250-mail.example\r\n250 AUTH=PLAIN\r\n",
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
fn upgrades_and_forgets_what_came_in_clear_text() {
    let imap = [
        Server("* OK [CAPABILITY IMAP4rev1 STARTTLS X-CLEAR] hello\r\n"),
        Client("c STARTTLS\r\n"),
        Server("c OK begin\r\n"),
        Tls,
        TLS_CAPABILITY,
        Server("* CAPABILITY IMAP4rev1 X-TLS\r\nt OK done\r\n"),
    ];
    let ready = play(Service::IMAP_STARTTLS, &imap).unwrap();
    assert_eq!(items(&ready), ["IMAP4rev1", "X-TLS"]);
    assert!(!ready.greeting.encrypted);
    let pop = [
        Server("+OK\r\n"),
        Client("CAPA\r\n"),
        Server("+OK\r\nSTLS\r\nX-CLEAR\r\n.\r\n"),
        Client("STLS\r\n"),
        Server("+OK\r\n"),
        Tls,
        Client("CAPA\r\n"),
        Server("+OK\r\nX-TLS\r\n.\r\n"),
    ];
    assert_eq!(
        items(&play(Service::POP3_STARTTLS, &pop).unwrap()),
        ["X-TLS"]
    );
    let smtp = [
        Server("220 ready\r\n"),
        EHLO,
        Server("250-mail\r\n250-STARTTLS\r\n250 AUTH CLEAR\r\n"),
        Client("STARTTLS\r\n"),
        Server("220 go\r\n"),
        Tls,
        EHLO,
        Server("250-mail\r\n250 AUTH PLAIN\r\n"),
    ];
    let ready = play(Service::SUBMISSION_STARTTLS, &smtp).unwrap();
    assert_eq!(ready.capabilities.mechanisms(), ["PLAIN"]);
}

#[test]
fn discards_untagged_responses_before_the_reply_to_starttls() {
    let script = [
        Server("* OK hello\r\n"),
        CAPABILITY,
        Server("* CAPABILITY IMAP4rev1 STARTTLS\r\nc OK done\r\n"),
        Client("c STARTTLS\r\n"),
        Server("* CAPABILITY IMAP4rev1 AUTH=EVIL\r\n* OK [ALERT] evil\r\nc OK begin\r\n"),
        Tls,
        TLS_CAPABILITY,
        Server("* CAPABILITY IMAP4rev1\r\nt OK done\r\n"),
    ];
    assert_eq!(
        items(&play(Service::IMAP_STARTTLS, &script).unwrap()),
        ["IMAP4rev1"]
    );
}

/// Scripts up to the point where the server replies to `STARTTLS`, and the reply that permits it.
fn before_upgrade(protocol: Protocol) -> (Vec<Turn<'static>>, &'static str) {
    match protocol {
        Protocol::Imap => (
            vec![
                Server("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n"),
                Client("c STARTTLS\r\n"),
            ],
            "c OK begin\r\n",
        ),
        Protocol::Pop => (
            vec![
                Server("+OK\r\n"),
                Client("CAPA\r\n"),
                Server("+OK\r\nSTLS\r\n.\r\n"),
                Client("STLS\r\n"),
            ],
            "+OK begin\r\n",
        ),
        Protocol::Submission => (
            vec![
                Server("220 ready\r\n"),
                EHLO,
                Server("250-mail\r\n250 STARTTLS\r\n"),
                Client("STARTTLS\r\n"),
            ],
            "220 go\r\n",
        ),
    }
}

#[test]
fn refuses_octets_after_the_reply_to_starttls() {
    for (protocol, injected) in [
        (Protocol::Imap, "t OK CAPABILITY done\r\n"),
        (
            Protocol::Imap,
            "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nt OK\r\n",
        ),
        (Protocol::Imap, "* "),
        (Protocol::Pop, "+OK\r\n.\r\n"),
        (Protocol::Pop, "+"),
        (Protocol::Submission, "250 AUTH LOGIN\r\n"),
        (Protocol::Submission, "250-X"),
        (Protocol::Submission, "\r\n"),
        (Protocol::Submission, "\0"),
    ] {
        let (mut script, reply) = before_upgrade(protocol);
        let both = format!("{reply}{injected}");
        script.push(Server(&both));
        let service = Service::new(protocol, Security::StartTls);
        fails(service, &script, DialogueError::Injected);
        script.pop();
        script.extend([Server(reply), Server(injected)]);
        fails(service, &script, DialogueError::Injected);
    }
}

#[test]
fn refuses_replies_ahead_of_their_command() {
    let ahead = [
        (
            Service::IMAP_STARTTLS,
            vec![Server(
                "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\nc OK begin\r\n",
            )],
        ),
        (
            Service::IMAP_STARTTLS,
            vec![Server("* OK hello\r\nc OK done\r\n")],
        ),
        (
            Service::POP3_STARTTLS,
            vec![Server("+OK\r\n+OK\r\nSTLS\r\n.\r\n")],
        ),
        (
            Service::SUBMISSION_STARTTLS,
            vec![Server("220 ready\r\n250 STARTTLS\r\n")],
        ),
        (
            Service::SUBMISSION_STARTTLS,
            vec![
                Server("220 ready\r\n"),
                EHLO,
                Server("250-mail\r\n250 STARTTLS\r\n220 go\r\n"),
            ],
        ),
    ];
    for (service, script) in ahead {
        // In whatever pieces they come, as long as the command is not sent.
        fails(service, &script, DialogueError::Unexpected);
    }
}

#[test]
fn refuses_a_server_without_starttls() {
    let clear = [
        (
            Service::IMAP_STARTTLS,
            vec![Server("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n")],
        ),
        (
            Service::POP3_STARTTLS,
            vec![
                Server("+OK\r\n"),
                Client("CAPA\r\n"),
                Server("+OK\r\nUSER\r\n.\r\n"),
            ],
        ),
        (
            Service::POP3_STARTTLS,
            vec![Server("+OK\r\n"), Client("CAPA\r\n"), Server("-ERR\r\n")],
        ),
        (
            Service::SUBMISSION_STARTTLS,
            vec![
                Server("220 ready\r\n"),
                EHLO,
                Server("250-mail\r\n250 AUTH PLAIN\r\n"),
            ],
        ),
        (
            Service::SUBMISSION_STARTTLS,
            vec![
                Server("220 ready\r\n"),
                EHLO,
                Server("250-mail\r\n250 XSTARTTLS\r\n"),
            ],
        ),
    ];
    for (service, script) in clear {
        fails(service, &script, DialogueError::NoStartTls);
    }
}

#[test]
fn reports_a_refusal_of_starttls() {
    for (protocol, refusals) in [
        (
            Protocol::Imap,
            [
                "c NO [REFERRAL imap://evil.example/] go\r\n",
                "c BAD no\r\n",
            ],
        ),
        (Protocol::Pop, ["-ERR no\r\n", "-ERR\r\n"]),
        (Protocol::Submission, ["454 not now\r\n", "502 no\r\n"]),
    ] {
        for refusal in refusals {
            let (mut script, _) = before_upgrade(protocol);
            script.push(Server(refusal));
            fails(
                Service::new(protocol, Security::StartTls),
                &script,
                DialogueError::StartTlsRefused,
            );
        }
    }
}

#[test]
fn refuses_preauth_in_clear_text() {
    let greeting = "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] you\r\n";
    for service in [Service::IMAP_STARTTLS, Service::IMAP_CLEAR] {
        fails(service, &[Server(greeting)], DialogueError::PreauthInClear);
    }
}

#[test]
fn reports_a_server_that_refuses_the_connection() {
    for (service, greeting) in [
        (Service::IMAPS, "* BYE busy\r\n"),
        (Service::POP3S, "-ERR busy\r\n"),
        (Service::SUBMISSIONS, "554 no\r\n"),
        (Service::SUBMISSIONS, "421-busy\r\n421 later\r\n"),
    ] {
        fails(service, &[Server(greeting)], DialogueError::Refused);
    }
    fails(
        Service::IMAPS,
        &[
            Server("* OK hello\r\n"),
            TLS_CAPABILITY,
            Server("* BYE idle\r\n"),
        ],
        DialogueError::Refused,
    );
}

#[test]
fn refuses_what_is_no_greeting() {
    for (service, greeting) in [
        (Service::IMAPS, "+OK\r\n"),
        (Service::IMAPS, "a OK\r\n"),
        (Service::IMAPS, "* CAPABILITY IMAP4rev1\r\n"),
        (Service::IMAPS, "*\r\n"),
        (Service::POP3S, "* OK\r\n"),
        (Service::POP3S, "+OKAY\r\n"),
        (Service::POP3S, "\r\n"),
        (Service::SUBMISSIONS, "+OK\r\n"),
        (Service::SUBMISSIONS, "220_x\r\n"),
        (Service::SUBMISSIONS, "220-a\r\n221 b\r\n"),
        (Service::SUBMISSIONS, "22\r\n"),
        (Service::SUBMISSIONS, "250 x\r\n"),
        (Service::SUBMISSIONS, "HTTP/1.1 400 Bad Request\r\n"),
    ] {
        fails(service, &[Server(greeting)], DialogueError::Unexpected);
    }
}

#[test]
fn refuses_octets_that_no_line_has() {
    for greeting in [
        "* OK a\0b\r\n",
        "* OK a\rb\r\n",
        "* OK a\n",
        "* OK a\n* OK b\r\n",
        "* OK a\r\r\n",
    ] {
        fails(Service::IMAPS, &[Server(greeting)], DialogueError::Octet);
    }
}

#[test]
fn refuses_what_is_too_long() {
    let long = format!("* OK {}", "a".repeat(MAX_LINE_BYTES));
    fails(Service::IMAPS, &[Server(&long)], DialogueError::TooLong);
    fails(
        Service::IMAPS,
        &[Server(&format!("{long}\r\n"))],
        DialogueError::TooLong,
    );
    let endless = format!("220-{}\r\n", "a".repeat(200)).repeat(MAX_REPLY_LINES);
    fails(
        Service::SUBMISSIONS,
        &[Server(&endless), Server("220 end\r\n")],
        DialogueError::TooLong,
    );
    let untagged = "* OK still\r\n".repeat(MAX_DIALOGUE_BYTES / 12);
    let script = [
        Server("* OK hello\r\n"),
        TLS_CAPABILITY,
        Server(&untagged),
        Server("t OK done\r\n"),
    ];
    fails(Service::IMAPS, &script, DialogueError::TooLong);
}

#[test]
fn accepts_lines_and_dialogues_of_the_greatest_length() {
    // The line feed does not count.
    let greeting = |length: usize| {
        let text = "* OK [CAPABILITY IMAP4rev1] ";
        format!("{text}{}\r\n", "a".repeat(length - text.len() - 1))
    };
    let play = |text: &str| play_in(4096, Service::IMAPS, &[Server(text)]).map(|_| ());
    assert_eq!(play(&greeting(MAX_LINE_BYTES)), Ok(()));
    let long = greeting(MAX_LINE_BYTES + 1);
    assert_eq!(play(&long), Err(DialogueError::TooLong));
    // Without an end the length is known at the same octet.
    let mut dialogue = Dialogue::new(Service::IMAPS);
    dialogue.receive(&long.as_bytes()[..MAX_LINE_BYTES]);
    assert_eq!(dialogue.demand(), Ok(Demand::Receive));
    dialogue.receive(b"a");
    assert_eq!(dialogue.demand(), Err(DialogueError::TooLong));

    for (more, expected) in [(0, Ok(())), (1, Err(DialogueError::TooLong))] {
        let (begin, end) = ("* OK hello\r\n", "* CAPABILITY IMAP4rev1\r\nt OK done\r\n");
        let mut left = MAX_DIALOGUE_BYTES + more - begin.len() - end.len();
        let mut untagged = String::new();
        while left > 0 {
            let length = left.min(1000);
            let length = if left - length < 10 { left } else { length };
            untagged.push_str(&format!("* OK {}\r\n", "a".repeat(length - 7)));
            left -= length;
        }
        let reply = format!("{untagged}{end}");
        let script = [Server(begin), TLS_CAPABILITY, Server(&reply)];
        let result = play_in(usize::MAX, Service::IMAPS, &script);
        assert_eq!(result.map(|_| ()), expected);
    }
}

#[test]
fn refuses_a_literal_before_login() {
    let script = [
        Server("* OK hello\r\n"),
        TLS_CAPABILITY,
        Server("* X {5}\r\nt OK \r\n"),
    ];
    fails(Service::IMAPS, &script, DialogueError::Unexpected);
}

#[test]
fn refuses_a_tag_that_was_not_sent() {
    let script = [
        Server("* OK hello\r\n"),
        TLS_CAPABILITY,
        Server("* CAPABILITY IMAP4rev1\r\nc OK done\r\n"),
    ];
    fails(Service::IMAPS, &script, DialogueError::Unexpected);
    let script = [
        Server("* OK hello\r\n"),
        TLS_CAPABILITY,
        Server("t OK done\r\n"),
    ];
    fails(Service::IMAPS, &script, DialogueError::Unexpected);
}

#[test]
fn reports_a_connection_that_is_closed() {
    fails(Service::IMAPS, &[Close], DialogueError::Closed);
    fails(
        Service::IMAPS,
        &[Server("* OK hello\r\n"), TLS_CAPABILITY, Close],
        DialogueError::Closed,
    );
    // The first reason stays.
    fails(
        Service::IMAPS,
        &[Server("* BYE\r\n"), Close],
        DialogueError::Refused,
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
