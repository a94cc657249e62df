//! Sessions of Submission that try to be a gateway, and messages that try to be commands.

use mail_implicit_tls::{gateway::BareLineFeeds, service::Service};

use crate::{
    script::{SUBMISSION_GREETING, Script, submission},
    world::{Setup, World, clear},
};

const LOGIN: &str = "EHLO c\r\nAUTH PLAIN AGFsaWNlAHJpZ2h0\r\n";
const TRANSACTION: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n";

/// Says octets in two pieces. Returns the replies after the greeting, and the lines that the backend received.
async fn say(
    reply: fn(&str) -> &'static str,
    received: bool,
    pieces: [&[u8]; 2],
) -> (String, Vec<String>) {
    let script = Script::start(SUBMISSION_GREETING, reply).await;
    let backend = clear(Service::SUBMISSION_CLEAR, script.address);
    let mut setup = Setup::new(Service::SUBMISSIONS, vec![backend]);
    setup.received = received;
    let world = World::start(setup).await;
    let mut client = world.connect().await;
    assert_eq!(client.line().await, "220 mx ESMTP");
    for piece in pieces {
        client.send_octets(piece).await;
    }
    (client.rest().await, script.lines())
}

#[tokio::test]
async fn passes_no_command_of_gateways() {
    let evil = [
        "XCLIENT ADDR=192.0.2.9",
        "xclient ADDR=192.0.2.9",
        "XForward ADDR=192.0.2.9",
        "CLIENT tls=TLS_A_LIE",
        "PROXY TCP4 192.0.2.9 192.0.2.1 1 2",
    ];
    for command in evil {
        for before in [
            String::new(),
            "EHLO c\r\n".to_owned(),
            LOGIN.to_owned(),
            format!("{LOGIN}RSET\r\n"),
            format!("{LOGIN}{TRANSACTION}"),
        ] {
            let said = format!("{before}{command}\r\nQUIT\r\n");
            let (replies, lines) = say(submission, false, [said.as_bytes(), b""]).await;
            assert!(
                replies.ends_with("221 2.0.0 bye\r\n"),
                "{said:?}: {replies:?}"
            );
            let verb = command.split(' ').next().unwrap();
            let is_there = |it: &String| it.to_ascii_uppercase().starts_with(&verb.to_uppercase());
            assert!(!lines.iter().any(is_there), "{said:?}: {lines:?}");
            // All other commands are there.
            assert_eq!(
                lines.len(),
                before.lines().count() + 1,
                "{said:?}: {lines:?}"
            );
        }
    }
}

#[tokio::test]
async fn ends_a_message_by_a_line_of_a_dot_only() {
    for smuggled in [
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r",
        "\n.\n",
        "\r\n.\0\r\n",
    ] {
        let said = format!(
            "{LOGIN}{TRANSACTION}DATA\r\nSubject: x\r\n\r\nhello{smuggled}MAIL FROM:<evil@example.org>\r\n.\r\nQUIT\r\n"
        );
        let (replies, lines) = say(submission, false, [said.as_bytes(), b""]).await;
        let end = "354 go\r\n550 CR LF expected, without NUL\r\n";
        assert!(replies.ends_with(end), "{smuggled:?}: {replies:?}");
        let data = lines.iter().position(|it| it == "DATA").unwrap();
        let message = &lines[data + 1..];
        // The backend never saw an end, and the rest of the connection is closed.
        assert!(
            !message.iter().any(|it| it == "." || it.contains("evil")),
            "{message:?}"
        );
    }
}

/// The backend and the field of Received have the address.
#[tokio::test]
async fn serves_clients_whose_names_are_not_ascii() {
    let said = format!(
        "EHLO B\u{dc}RO-PC\r\nAUTH PLAIN AGFsaWNlAHJpZ2h0\r\n{TRANSACTION}DATA\r\n\r\n.\r\nQUIT\r\n"
    );
    let (replies, lines) = say(submission, true, [said.as_bytes(), b""]).await;
    assert!(replies.ends_with("221 2.0.0 bye\r\n"), "{replies:?}");
    assert_eq!(lines.first().unwrap(), "EHLO [127.0.0.1]");
    let field = "Received: from [127.0.0.1] ([127.0.0.1])";
    assert!(lines.iter().any(|it| it == field), "{lines:?}");
    let (replies, lines) = say(submission, false, [b"EHLO B\xdcRO\r\n", b"QUIT\r\n"]).await;
    let expected = "501 Syntax error in parameters\r\n221 2.0.0 bye\r\n";
    assert_eq!(
        (replies.as_str(), lines.as_slice()),
        (expected, &["QUIT".to_owned()][..])
    );
}

#[tokio::test]
async fn normalizes_the_messages_of_copiers_by_option() {
    let script = Script::start(SUBMISSION_GREETING, submission).await;
    let backend = clear(Service::SUBMISSION_CLEAR, script.address);
    let mut setup = Setup::new(Service::SUBMISSIONS, vec![backend]);
    setup.bare_line_feeds = BareLineFeeds::Normalize;
    let world = World::start(setup).await;
    let mut client = world.connect().await;
    assert_eq!(client.line().await, "220 mx ESMTP");
    let message = "Subject: scan\n\nfrom a copier\n\r\n.\r\n";
    client
        .send(&format!("{LOGIN}{TRANSACTION}DATA\r\n{message}QUIT\r\n"))
        .await;
    let replies = client.rest().await;
    let end = "354 go\r\n250 2.0.0 queued\r\n221 2.0.0 bye\r\n";
    assert!(replies.ends_with(end), "{replies:?}");
    let lines = script.lines();
    let data = lines.iter().position(|it| it == "DATA").unwrap();
    let expected = ["Subject: scan", "", "from a copier", "", ".", "QUIT"];
    assert_eq!(&lines[data + 1..], expected);
    world.told.wait("session Normalized").await;
}

/// The octets of a chunk are counted, whatever they look like.
#[tokio::test]
async fn counts_the_octets_of_a_chunk_however_they_are_split() {
    fn chunking(line: &str) -> &'static str {
        match line {
            "EHLO c" => "250-mx\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n",
            "AUTH PLAIN AGFsaWNlAHJpZ2h0" => "235 2.7.0 in\r\n",
            "MAIL FROM:<a@example.org>" | "RCPT TO:<b@example.org>" => "250 2.0.0 ok\r\n",
            "END" => "250 2.0.0 chunk\r\n",
            "BDAT 0 LAST" => "250 2.0.0 queued\r\n",
            "QUIT" => "221 2.0.0 bye\r\n",
            _ => "",
        }
    }
    let chunk =
        "x\r\n.\r\nMAIL FROM:<evil@example.org>\r\nXCLIENT ADDR=192.0.2.9\r\nBDAT 9\r\nEND\r\n";
    let bdat = format!("BDAT {}\r\n", chunk.len());
    let begin = format!("{LOGIN}{TRANSACTION}");
    let said = format!("{begin}{bdat}{chunk}BDAT 0 LAST\r\nQUIT\r\n");
    let expected: Vec<_> = said.lines().collect();
    for split in begin.len()..said.len() {
        let (first, second) = said.as_bytes().split_at(split);
        let (replies, lines) = say(chunking, false, [first, second]).await;
        let end = "250 2.0.0 chunk\r\n250 2.0.0 queued\r\n221 2.0.0 bye\r\n";
        assert!(replies.ends_with(end), "{split}: {replies:?}");
        assert_eq!(lines, expected, "{split}");
    }
    let said = format!("{begin}BDAT 18446744073709551616 LAST\r\n{chunk}");
    let (replies, lines) = say(chunking, false, [said.as_bytes(), b""]).await;
    assert!(replies.contains("\r\n501 "), "{replies:?}");
    assert_eq!(lines, begin.lines().collect::<Vec<_>>());
}

/// The field of the gateway is above one that the client wrote, once.
#[tokio::test]
async fn adds_its_field_above_a_forged_one() {
    let forged = "Received: from evil.example ([192.0.2.9])\r\n\tby gw.example.org with ESMTPSA id 1\r\n\ttls A_LIE;\r\n\
                  \tTue, 1 Jul 2014 10:00:00 +0000";
    let said =
        format!("{LOGIN}{TRANSACTION}DATA\r\n{forged}\r\nSubject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n");
    let (replies, lines) = say(submission, true, [said.as_bytes(), b""]).await;
    assert!(
        replies.ends_with("250 2.0.0 queued\r\n221 2.0.0 bye\r\n"),
        "{replies:?}"
    );
    let data = lines.iter().position(|it| it == "DATA").unwrap();
    let message = lines[data + 1..].join("\r\n");
    assert_eq!(message.matches("Received:").count(), 2, "{message}");
    let (ours, rest) = message.split_once(forged).unwrap();
    assert!(ours.starts_with("Received: from c ([127.0.0.1])"), "{ours}");
    assert!(ours.contains("tls TLS_"), "{ours}");
    assert_eq!(rest, "\r\nSubject: x\r\n\r\nhello\r\n.\r\nQUIT");
}
