//! Sessions from the handshake to the end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{ImapDouble, Setup, World};

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
