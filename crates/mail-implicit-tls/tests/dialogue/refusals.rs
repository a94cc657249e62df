//! Servers that refuse, end, or send what no server may.

use mail_implicit_tls::{
    dialogue::{
        Demand, Dialogue, DialogueError, MAX_DIALOGUE_BYTES, MAX_LINE_BYTES, MAX_REPLY_LINES,
    },
    service::Service,
};

use crate::script::{
    TLS_CAPABILITY,
    Turn::{Close, Server},
    fails, play_in,
};

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
