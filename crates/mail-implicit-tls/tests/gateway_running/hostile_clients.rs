//! Clients that are slow, vanish, or take one octet at a time: each ends in time, and no other client waits for it.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use crate::world::{Client, GREETING, ImapDouble, Setup, World, serve};

/// Logs in and asks as another client, which must not wait.
async fn is_served(world: &World) {
    let served = async {
        let mut other = world.connect().await;
        other.log_in().await;
        other.send("z NOOP\r\n").await;
        assert_eq!(other.line().await, "z OK NOOP");
    };
    timeout(Duration::from_secs(5), served).await.unwrap();
}

/// The limit is for the whole handshake: an octet now and then does not extend it.
#[tokio::test]
async fn ends_a_handshake_that_is_too_slow() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.handshake = Duration::from_millis(600);
    let world = World::start(setup).await;
    let begin = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(world.address)
        .await
        .unwrap()
        .into_split();
    // The header of a record, whose octets come one by one.
    let slow = tokio::spawn(async move {
        for octet in [0x16, 3, 1, 2, 0, 1].into_iter().chain([0; 500]) {
            if writer.write_all(&[octet]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    is_served(&world).await;
    let mut octets = Vec::new();
    let end = timeout(Duration::from_secs(60), reader.read_to_end(&mut octets));
    // Closed or reset.
    let _ = end.await.unwrap();
    let time = begin.elapsed();
    assert!(time >= Duration::from_millis(600), "{time:?}");
    assert!(time < Duration::from_secs(5), "{time:?}");
    assert_eq!(world.told.wait("refused").await, "refused timeout");
    slow.await.unwrap();
}

#[tokio::test]
async fn ends_a_connection_without_a_handshake() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.handshake = Duration::from_millis(300);
    let world = World::start(setup).await;
    let _silent = TcpStream::connect(world.address).await.unwrap();
    assert_eq!(world.told.wait("refused").await, "refused timeout");
    is_served(&world).await;
}

#[tokio::test]
async fn notices_a_client_that_closes_before_the_handshake() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let tcp = TcpStream::connect(world.address).await.unwrap();
    drop(tcp);
    assert_eq!(world.told.wait("refused").await, "refused connection");
}

/// A client whose machine lost its power sends neither data nor an end: only time shows it.
#[tokio::test]
async fn ends_a_half_open_session_when_it_is_idle() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.times.idle = Duration::from_millis(300);
    let world = World::start(setup).await;
    let mut client = world.connect().await;
    client.log_in().await;
    // The connection stays open, and nothing is read from it.
    assert_eq!(world.told.wait("ended").await, "ended idle");
    drop(client);
}

/// A client that took nothing for the whole time is ended, though octets wait for it.
#[tokio::test]
async fn ends_a_session_whose_client_takes_nothing() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.times.idle = Duration::from_millis(500);
    let world = World::start(setup).await;
    let mut lazy = narrow(&world).await;
    lazy.log_in().await;
    let line = format!("b {}\r\n", "x".repeat(8000));
    let flood = async { while lazy.stream.write_all(line.as_bytes()).await.is_ok() {} };
    let told = async {
        let end = world.told.wait("ended").await;
        is_served(&world).await;
        end
    };
    let (end, ()) = tokio::join!(told, flood);
    assert_eq!(end, "ended idle");
}

/// Commands of a client wait in its connection until the backend has answered the login before them.
#[tokio::test]
async fn reads_no_further_while_a_login_is_not_answered() {
    let silent = serve(|mut tcp| async move {
        tcp.write_all(GREETING.as_bytes()).await.unwrap();
        sleep(Duration::from_secs(60)).await;
    })
    .await;
    let world = World::start(Setup::imaps(&[silent])).await;
    let mut client = world.connect().await;
    client.line().await;
    client.send("a LOGIN alice right\r\n").await;
    let line = format!("b {}\r\n", "x".repeat(1000));
    let flood = async {
        for _ in 0..64_000 {
            client.stream.write_all(line.as_bytes()).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_secs(2), flood).await.is_err());
    assert!(!world.told.lines().iter().any(|it| it.starts_with("ended")));
}

/// Connects with the smallest window that the system has.
async fn narrow(world: &World) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    let tcp = socket.connect(world.address).await.unwrap();
    world.handshake(tcp).await
}

/// Answers arrive whole at a client with the smallest window that reads an octet at a time.
#[tokio::test]
async fn serves_a_client_with_the_smallest_window() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let mut client = narrow(&world).await;
    client.log_in().await;
    let text = "x".repeat(20_000);
    client.send(&format!("b {text}\r\n")).await;
    is_served(&world).await;
    let expected = format!("b OK {text}\r\n");
    let mut octets = Vec::new();
    while octets.len() < expected.len() {
        let read = client.stream.read_u8();
        let octet = timeout(Duration::from_secs(60), read).await;
        octets.push(octet.unwrap().unwrap());
    }
    assert!(octets == expected.as_bytes());
}
