//! Dialogues with `STARTTLS` (draft-newman-email-deep-02 section 4), and attacks on it.

use mail_implicit_tls::{
    dialogue::DialogueError,
    service::{Protocol, Security, Service},
};

use crate::script::{
    CAPABILITY, EHLO, TLS_CAPABILITY,
    Turn::{self, Client, Server, Tls},
    fails, items, play,
};

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
