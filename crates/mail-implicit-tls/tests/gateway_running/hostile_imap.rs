//! Sessions of IMAP that try to put octets out of step: the backend receives the commands that the gateway understood.

use std::sync::LazyLock;

use deep_latch::{
    Advertisement, Facilities, MailProtocol,
    facts::SessionFacts,
    imap::IdCommand,
    server::{AdvertisementConfig, TlsField},
};
use mail_implicit_tls::service::Service;

use crate::{
    script::{Replies, Script},
    world::{Setup, World, clear},
};

const GREETING: &str =
    "* OK [CAPABILITY IMAP4rev1 LITERAL- STARTTLS LOGINDISABLED AUTH=PLAIN] ready\r\n";
const OFFERED: &str = "* OK [CAPABILITY IMAP4rev1 LITERAL- AUTH=PLAIN] ready\r\n";

/// Answers a line of IMAP. The password is `right`.
fn reply(line: &str) -> &'static str {
    match line {
        line if line.ends_with("{9}") => "a NO no literals\r\n",
        line if line.ends_with('}') => "+ go\r\n",
        "*" => "a BAD cancelled\r\n",
        "a AUTHENTICATE PLAIN" => "+ \r\n",
        "right" | "\"right\"" | "a LOGIN alice right" => {
            "a OK [CAPABILITY IMAP4rev1 STARTTLS] in\r\n"
        }
        "a LOGIN unauthenticate right" => "a OK [CAPABILITY IMAP4rev1 UNAUTHENTICATE] in\r\n",
        line if line.starts_with("a LOGIN") || line.is_empty() => "a NO wrong\r\n",
        "b CAPABILITY" => {
            "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED UNAUTHENTICATE AUTH=SCRAM-SHA-1-PLUS\r\nb OK done\r\n"
        }
        "b SELECT INBOX" => "* 0 EXISTS\r\nb OK done\r\n",
        "b NOOP" => "b OK done\r\n",
        "c NOOP" => "c OK done\r\n",
        "z LOGOUT" => "* BYE closing\r\nz OK done\r\n",
        _ => "* BAD unknown\r\n",
    }
}

/// Says octets in pieces, and then LOGOUT. Returns all replies after the greeting, and the lines that the backend received.
async fn say(pieces: &[&[u8]]) -> (String, Vec<String>) {
    say_to(reply, pieces).await
}

const BYE: &str = "* BYE closing\r\nz OK done\r\n";

/// CVE-2023-51764 to 51766: the backend receives nothing.
#[tokio::test]
async fn closes_at_octets_that_no_command_has_before_login() {
    for (octets, at) in [
        (&b"a LOGIN alice right\nb NOOP\r\n"[..], 19),
        (b"a LOGIN alice right\rb NOOP\r\n", 19),
        (b"a LOGIN alice\0 right\r\n", 13),
        (b"a LOGIN alice \xff\r\n", 14),
    ] {
        let (replies, lines) = say(&[octets]).await;
        let bye = format!("* BYE command: character that is not allowed at byte {at}\r\n");
        assert_eq!((replies, lines), (bye, Vec::new()));
    }
}

async fn say_to(reply: Replies, pieces: &[&[u8]]) -> (String, Vec<String>) {
    let script = Script::start(GREETING, reply).await;
    let backend = clear(Service::IMAP_CLEAR, script.address);
    let world = World::start(Setup::new(Service::IMAPS, vec![backend])).await;
    let mut client = world.connect().await;
    assert_eq!(format!("{}\r\n", client.line().await), OFFERED);
    for piece in pieces {
        client.send_octets(piece).await;
    }
    client.send_octets(b"z LOGOUT\r\n").await;
    (client.rest().await, script.lines())
}

/// A line that is as long as the limit, and has no end yet, is not too long: the octets after it decide, so they are read.
#[tokio::test]
async fn refuses_a_line_that_is_too_long_however_it_is_split() {
    let line = vec![b'x'; deep_latch::proxy::MAX_PROXY_COMMAND_BYTES];
    let bye = format!("* BYE command: more than {0} at byte {0}\r\n", line.len());
    for split in [line.len(), line.len() - 1, 1] {
        let (first, second) = line.split_at(split);
        let said = say(&[first, second]).await;
        assert_eq!(said, (bye.clone(), Vec::new()), "{split}");
    }
}

#[tokio::test]
async fn carries_literals_as_the_grammar_has_them() {
    let in_ = "a OK [CAPABILITY IMAP4rev1] in\r\n";
    let login = ["a LOGIN {5}", "alice {5}", "right", "z LOGOUT"];
    for (said, replies, lines) in [
        // One that waits, and ones that do not.
        (
            "a LOGIN {5}\r\nalice {5}\r\nright\r\n",
            format!("+ go\r\n+ go\r\n{in_}"),
            &login[..],
        ),
        (
            "a LOGIN {5+}\r\nalice {5+}\r\nright\r\n",
            in_.to_owned(),
            &login,
        ),
        (
            "a LOGIN {005+}\r\nalice {5+}\r\nright\r\n",
            in_.to_owned(),
            &login,
        ),
        (
            "a LOGIN {0+}\r\n {0+}\r\n\r\n",
            "a NO wrong\r\n".to_owned(),
            &["a LOGIN {0}", " {0}", "", "z LOGOUT"],
        ),
        // No literals, but words with braces.
        (
            "a LOGIN alice \"{5}\"\r\n",
            "a NO wrong\r\n".to_owned(),
            &["a LOGIN alice \"{5}\"", "z LOGOUT"],
        ),
        // The gateway answers, and the octets after the line are commands.
        (
            "a LOGIN {4097}\r\nb NOOP\r\n",
            "a BAD literal: more than 4096 at byte 0\r\nb OK done\r\n".to_owned(),
            &["b NOOP", "z LOGOUT"],
        ),
        (
            "a LOGIN {9223372036854775808}\r\nb NOOP\r\n",
            "a BAD literal: more than 4096 at byte 0\r\nb OK done\r\n".to_owned(),
            &["b NOOP", "z LOGOUT"],
        ),
        // The backend refuses: the client did not send it, or sent it in vain.
        (
            "a LOGIN {9}\r\nb NOOP\r\n",
            "a NO no literals\r\nb OK done\r\n".to_owned(),
            &["a LOGIN {9}", "b NOOP", "z LOGOUT"],
        ),
        (
            "a LOGIN {9+}\r\nd NOOP\r\n! x\r\nb NOOP\r\n",
            "a NO no literals\r\nb OK done\r\n".to_owned(),
            &["a LOGIN {9}", "b NOOP", "z LOGOUT"],
        ),
    ] {
        let said_and_got = say(&[said.as_bytes()]).await;
        let lines: Vec<_> = lines.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(said_and_got, (replies + BYE, lines), "{said:?}");
    }
}

/// RFC 3501 section 6.2.2.
#[tokio::test]
async fn takes_a_command_after_authenticate_for_the_response_that_it_is() {
    let (replies, lines) = say(&[b"a AUTHENTICATE PLAIN\r\nb NOOP\r\nc NOOP\r\n"]).await;
    assert_eq!(
        replies,
        format!("+ \r\na BAD cancelled\r\nc OK done\r\n{BYE}")
    );
    assert_eq!(lines, ["a AUTHENTICATE PLAIN", "*", "c NOOP", "z LOGOUT"]);
}

#[tokio::test]
async fn carries_a_login_and_commands_after_it_however_they_are_split() {
    let said = b"a LOGIN alice {5+}\r\nright\r\nb SELECT INBOX\r\n";
    for split in 0..said.len() {
        let (first, second) = said.split_at(split);
        let (replies, lines) = say(&[first, second]).await;
        let expected = "a OK [CAPABILITY IMAP4rev1] in\r\n* 0 EXISTS\r\nb OK done\r\n";
        assert_eq!(replies, format!("{expected}{BYE}"), "{split}");
        let expected = ["a LOGIN alice {5}", "right", "b SELECT INBOX", "z LOGOUT"];
        assert_eq!(lines, expected, "{split}");
    }
}

/// RFC 8437: a client must not begin again within the session of another user.
#[tokio::test]
async fn passes_no_unauthenticate() {
    let (replies, lines) =
        say(&[b"a LOGIN unauthenticate right\r\nb UNAUTHENTICATE\r\nc NOOP\r\n"]).await;
    let refused = "a OK [CAPABILITY IMAP4rev1] in\r\nb NO not available through this proxy\r\n";
    assert_eq!(replies, format!("{refused}c OK done\r\n{BYE}"));
    assert_eq!(
        lines,
        ["a LOGIN unauthenticate right", "c NOOP", "z LOGOUT"]
    );
}

/// A session that stays parsed has no other mail than a pipe: messages with NUL, and mailboxes of 300,000 messages.
#[tokio::test]
async fn carries_what_a_pipe_carries_after_login() {
    static FOUND: LazyLock<String> = LazyLock::new(|| {
        let numbers = " 123456".repeat(300_000);
        format!("* SEARCH{numbers}\r\nc OK done\r\n")
    });
    fn large(line: &str) -> &'static str {
        match line {
            "b APPEND INBOX {3}" => "+ go\r\n",
            "\0b\0" => "b OK done\r\n",
            "c UID SEARCH ALL" => &FOUND,
            line => reply(line),
        }
    }
    let said =
        "a LOGIN unauthenticate right\r\nb APPEND INBOX {3+}\r\n\0b\0\r\nc UID SEARCH ALL\r\n";
    let (replies, lines) = say_to(large, &[said.as_bytes()]).await;
    let in_ = "a OK [CAPABILITY IMAP4rev1] in\r\n";
    let expected = format!("{in_}b OK done\r\n{}{BYE}", FOUND.as_str());
    assert!(replies == expected, "{} octets", replies.len());
    assert_eq!(lines.len(), 5, "{lines:?}");
    // What is limited ends with a word.
    let said = format!("a LOGIN unauthenticate right\r\nb X {}", "x".repeat(65_536));
    let (replies, _) = say(&[said.as_bytes()]).await;
    let bye = "* BYE command: more than 65536 at byte 65536\r\n";
    assert_eq!(replies, format!("{in_}{bye}"));
}

#[tokio::test]
async fn edits_the_capabilities_that_the_client_asks_for() {
    let (replies, _) = say(&[b"b CAPABILITY\r\n"]).await;
    let list = "* CAPABILITY IMAP4rev1\r\nb OK done\r\n";
    assert_eq!(replies, format!("{list}{BYE}"));
}

/// The gateway's own fields cannot be forged, and a value with CR and LF stays the literal that it was.
#[tokio::test]
async fn removes_the_fields_of_gateways_and_splits_no_value() {
    fn reply(line: &str) -> &'static str {
        match line {
            line if line.ends_with('}') => "+ go\r\n",
            line if line.contains(" ID ") => {
                "* ID (\"name\" {10}\r\nx\r\n* BYE\r\n)\r\na OK done\r\n"
            }
            "z LOGOUT" => "* BYE closing\r\nz OK done\r\n",
            _ => "* BAD unknown\r\n",
        }
    }
    let greeting = "* OK [CAPABILITY IMAP4rev1 LITERAL- ID AUTH=PLAIN] ready\r\n";
    let script = Script::start(greeting, reply).await;
    let backend = clear(Service::IMAP_CLEAR, script.address);
    let world = World::start(Setup::new(Service::IMAPS, vec![backend])).await;
    let mut client = world.connect().await;
    client.line().await;
    let said = "a ID (\"X-Originating-IP\" \"192.0.2.9\" \"x-proxy-ttl\" {1+}\r\n9 \"x-forward-tls\" \"y\" \
                {3+}\r\nTLS \"A_LIE\" \"name\" \"m\")\r\nz LOGOUT\r\n";
    client.send_octets(said.as_bytes()).await;
    let replies = client.rest().await;
    assert!(replies.contains("{10}\r\nx\r\n* BYE\r\n"), "{replies:?}");
    assert!(replies.ends_with(BYE), "{replies:?}");
    let lines = script.lines();
    let [id, logout] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    assert!(
        id.starts_with("a ID (\"name\" \"m\" \"tls\" \"TLS_"),
        "{id}"
    );
    assert_eq!(id.matches('"').count(), 8, "{id}");
    assert_eq!(logout, "z LOGOUT");
}

/// After login the octets of a client pass unchanged: a backend uses `tls` before login only.
#[tokio::test]
async fn leaves_the_trust_in_tls_to_the_time_before_login() {
    fn reply(line: &str) -> &'static str {
        match line {
            "b LOGIN alice right" => "b OK [CAPABILITY IMAP4rev1 ID] in\r\n",
            line if line.starts_with("a ID ") => "* ID NIL\r\na OK done\r\n",
            line if line.starts_with("c ID ") => "* ID NIL\r\nc OK done\r\n",
            "z LOGOUT" => "* BYE closing\r\nz OK done\r\n",
            _ => "* BAD unknown\r\n",
        }
    }
    let greeting = "* OK [CAPABILITY IMAP4rev1 ID] ready\r\n";
    let script = Script::start(greeting, reply).await;
    let backend = clear(Service::IMAP_CLEAR, script.address);
    let world = World::start(Setup::new(Service::IMAPS, vec![backend])).await;
    let mut client = world.connect().await;
    client.line().await;
    let said = "a ID (\"tls\" \"A_LIE\")\r\nb LOGIN alice right\r\nc ID (\"tls\" \"A_LIE\")\r\nz LOGOUT\r\n";
    client.send(said).await;
    client.rest().await;
    let lines = script.lines();
    let [before, _, after, _] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    let config = AdvertisementConfig {
        protocols: vec![MailProtocol::Imap],
        ..AdvertisementConfig::default()
    };
    let probe = SessionFacts {
        tls: None,
        login: None,
    };
    let backend = Advertisement::try_new(&config, &Facilities::new(), &probe).unwrap();
    let heard = |line: &str, trust| {
        let line = format!("{line}\r\n");
        let command = IdCommand::parse(line.as_bytes()).unwrap().unwrap();
        let report = backend.answer_id(&command, trust).unwrap().report;
        report.unwrap().tls.map(|it| it.to_string())
    };
    let suite = heard(before, TlsField::Trust).unwrap();
    assert!(suite.starts_with("TLS_"), "{suite}");
    assert_eq!(heard(after, TlsField::Trust).as_deref(), Some("A_LIE"));
    assert_eq!(heard(after, TlsField::Ignore), None);
}
