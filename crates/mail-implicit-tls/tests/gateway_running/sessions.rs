//! Sessions from the handshake to the end.

use mail_implicit_tls::service::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    script::{POP_GREETING, Replies, SUBMISSION_GREETING, Script, pop, submission},
    world::{GREETING, ImapDouble, Setup, World, clear},
};

#[tokio::test]
async fn carries_a_session_to_its_end() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let mut client = world.connect().await;
    client.log_in().await;
    client.send("b NOOP\r\n").await;
    assert_eq!(client.line().await, "b OK NOOP");
    client.send("c LOGOUT\r\n").await;
    assert_eq!(client.rest().await, "* BYE\r\nc OK bye\r\n");
    world.told.wait("ended").await;
    let told = world.told.lines();
    assert_eq!(told[0], "started 127.0.0.1");
    let port = double.address.port();
    assert_eq!(told[1], format!("backend {port} Reached"));
    assert_eq!(told[2], format!("opened {port}"));
    assert!(told[3].starts_with("session LoggedIn"), "{told:?}");
    assert_eq!(told[4], "ended backend");
    assert_eq!(told.len(), 5);
}

/// A message larger than all buffers arrives as it was sent, in both directions at once.
#[tokio::test]
async fn carries_large_data_in_both_directions() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let mut client = world.connect().await;
    client.log_in().await;
    let text: String = (0..60_000)
        .map(|number| format!("t{number} {}\r\n", "x".repeat(64)))
        .collect();
    let expected: String = (0..60_000)
        .map(|number| format!("t{number} OK {}\r\n", "x".repeat(64)))
        .collect();
    let (mut reader, mut writer) = tokio::io::split(client.stream);
    let write = async {
        writer.write_all(text.as_bytes()).await.unwrap();
        writer.flush().await.unwrap();
    };
    let read = async {
        let mut octets = vec![0; expected.len()];
        reader.read_exact(&mut octets).await.unwrap();
        octets
    };
    let ((), octets) = tokio::join!(write, read);
    assert!(octets == expected.as_bytes());
}

/// A client that closes its side first receives the answers to what it sent.
#[tokio::test]
async fn answers_a_client_that_closed_its_side() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let mut client = world.connect().await;
    client.log_in().await;
    client.send("b NOOP\r\n").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "b OK NOOP\r\n");
    assert_eq!(world.told.wait("ended").await, "ended client");
}

/// Commands of a client that closed its side wait for the replies to those before: the backend learns of the end after them.
#[tokio::test]
async fn answers_all_commands_of_a_client_that_closed_its_side() {
    let sessions: [(_, _, _, Replies, _, _); 3] = [
        (
            Service::POP3S,
            Service::POP3_CLEAR,
            POP_GREETING,
            pop,
            "USER alice\r\nPASS right\r\nQUIT\r\n",
            "+OK name\r\n+OK in\r\n+OK bye\r\n",
        ),
        (
            Service::SUBMISSIONS,
            Service::SUBMISSION_CLEAR,
            SUBMISSION_GREETING,
            submission,
            "AUTH PLAIN AGFsaWNlAHJpZ2h0\r\nRSET\r\nQUIT\r\n",
            "235 2.7.0 in\r\n250 2.0.0 ok\r\n221 2.0.0 bye\r\n",
        ),
        (
            Service::IMAPS,
            Service::IMAP_CLEAR,
            GREETING,
            |line| match line {
                "a LOGIN alice right" => "a OK [CAPABILITY IMAP4rev1] in\r\n",
                "b NOOP" => "b OK done\r\n",
                _ => "* BYE\r\nc OK bye\r\n",
            },
            "a LOGIN alice right\r\nb NOOP\r\nc LOGOUT\r\n",
            "a OK [CAPABILITY IMAP4rev1] in\r\nb OK done\r\n* BYE\r\nc OK bye\r\n",
        ),
    ];
    for (own, backend, greeting, reply, said, expected) in sessions {
        let script = Script::start(greeting, reply).await;
        let world = World::start(Setup::new(own, vec![clear(backend, script.address)])).await;
        let mut client = world.connect().await;
        client.line().await;
        client.send(said).await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.rest().await, expected, "{own}");
        assert_eq!(script.lines(), said.lines().collect::<Vec<_>>(), "{own}");
    }
}

#[tokio::test]
async fn ends_the_backend_session_of_a_client_that_vanishes() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let client = world.connect().await;
    world.told.wait("opened").await;
    drop(client);
    world.told.wait("ended").await;
}

#[tokio::test]
async fn gives_each_session_a_name_of_its_own() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    for _ in 0..2 {
        world.connect().await.log_in().await;
    }
    let told = world.told.lines();
    let started = told.iter().filter(|it| it.starts_with("started"));
    assert_eq!(started.count(), 2);
}
