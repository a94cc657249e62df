//! Limits of sessions, and time limits.

use std::time::Duration;

use mail_implicit_tls::gateway::SessionLimits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::world::{ImapDouble, Setup, World};

/// Waits for the end of a connection that is not accepted.
async fn ends(tcp: &mut TcpStream) {
    let mut octets = Vec::new();
    let read = timeout(Duration::from_secs(60), tcp.read_to_end(&mut octets));
    // Closed or reset.
    let _ = read.await.unwrap();
}

#[tokio::test]
async fn refuses_more_sessions_without_login_than_permitted() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.limits = SessionLimits {
        logins_per_client: 1,
        ..SessionLimits::default()
    };
    let world = World::start(setup).await;
    let mut first = world.connect().await;
    let mut second = TcpStream::connect(world.address).await.unwrap();
    second.write_all(b"\x16").await.unwrap();
    ends(&mut second).await;
    assert_eq!(world.told.wait("refused").await, "refused limit");
    first.log_in().await;
    // The first session is logged in, so another one may begin.
    world.connect().await.log_in().await;
}

#[tokio::test]
async fn ends_a_session_without_login_in_time() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.times.login = Duration::from_millis(300);
    let world = World::start(setup).await;
    let mut client = world.connect().await;
    let rest = client.rest().await;
    assert!(
        rest.starts_with("* OK") && rest.contains("* BYE [UNAVAILABLE]"),
        "{rest}"
    );
    assert_eq!(world.told.wait("ended").await, "ended login-timeout");
}

#[tokio::test]
async fn ends_a_session_that_is_idle_without_a_line() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.times.idle = Duration::from_millis(400);
    let world = World::start(setup).await;
    let mut client = world.connect().await;
    client.log_in().await;
    for tag in ["b", "c", "d"] {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.send(&format!("{tag} NOOP\r\n")).await;
        assert_eq!(client.line().await, format!("{tag} OK NOOP"));
    }
    assert_eq!(client.rest().await, "");
    assert_eq!(world.told.wait("ended").await, "ended idle");
}

/// A client that does not read stops its own backend only.
#[tokio::test]
async fn keeps_no_more_than_a_buffer_for_a_client_that_does_not_read() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let mut lazy = world.connect().await;
    lazy.log_in().await;
    let line = format!("b {}\r\n", "x".repeat(8000));
    let flood = async {
        loop {
            lazy.stream.write_all(line.as_bytes()).await.unwrap();
        }
    };
    // The client cannot write on once all buffers are full.
    let flooded = timeout(Duration::from_secs(3), flood).await;
    assert!(flooded.is_err());
    let mut other = world.connect().await;
    other.log_in().await;
    other.send("b NOOP\r\n").await;
    assert_eq!(other.line().await, "b OK NOOP");
}
