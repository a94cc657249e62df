//! Backends and clients that send much, and take it slowly.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use mail_implicit_tls::service::Service;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

use crate::world::{Client, Setup, World, clear, serve};

/// The time without progress after which an end is cut. Each test takes longer.
pub(crate) const LINGER: Duration = Duration::from_millis(1_500);

/// More than the relay and the system keep.
const MANY: usize = 24 * 1_048_576;

/// The octets that the backend received after login, of all connections.
pub(crate) type Received = Arc<Mutex<Vec<u8>>>;

/// A protocol, and a login that its backend accepts.
#[derive(Clone, Copy)]
pub(crate) struct Dialogue {
    own: Service,
    backend: Service,
    greeting: &'static str,
    /// The commands up to the login, and the reply to each.
    login: &'static [(&'static str, &'static str)],
}

pub(crate) const IMAP: Dialogue = Dialogue {
    own: Service::IMAPS,
    backend: Service::IMAP_CLEAR,
    greeting: "* OK [CAPABILITY IMAP4rev1] ready\r\n",
    login: &[(
        "a LOGIN alice right\r\n",
        "a OK [CAPABILITY IMAP4rev1] in\r\n",
    )],
};

pub(crate) const POP: Dialogue = Dialogue {
    own: Service::POP3S,
    backend: Service::POP3_CLEAR,
    greeting: "+OK ready\r\n",
    login: &[
        ("USER alice\r\n", "+OK\r\n"),
        ("PASS right\r\n", "+OK in\r\n"),
    ],
};

pub(crate) const SUBMISSION: Dialogue = Dialogue {
    own: Service::SUBMISSIONS,
    backend: Service::SUBMISSION_CLEAR,
    greeting: "220 mx ESMTP\r\n",
    login: &[
        ("EHLO c\r\n", "250 AUTH PLAIN\r\n"),
        ("AUTH PLAIN AGFsaWNlAHJpZ2h0\r\n", "235 in\r\n"),
    ],
};

impl Dialogue {
    /// Starts a gateway before a backend that a function continues after login.
    pub(crate) async fn start<F, T>(self, rest: F) -> World
    where
        F: Fn(TcpStream) -> T + Clone + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let address = serve(move |mut tcp| {
            let rest = rest.clone();
            async move {
                tcp.write_all(self.greeting.as_bytes()).await.unwrap();
                for (command, reply) in self.login {
                    let mut octets = vec![0; command.len()];
                    tcp.read_exact(&mut octets).await.unwrap();
                    assert_eq!(octets, command.as_bytes());
                    tcp.write_all(reply.as_bytes()).await.unwrap();
                }
                rest(tcp).await;
            }
        })
        .await;
        let mut setup = Setup::new(self.own, vec![clear(self.backend, address)]);
        setup.times.linger = LINGER;
        World::start(setup).await
    }

    /// Logs in as a client with a small window.
    pub(crate) async fn log_in(self, world: &World) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(65_536).unwrap();
        let tcp = socket.connect(world.address).await.unwrap();
        let mut client = world.handshake(tcp).await;
        assert_eq!(client.line().await + "\r\n", self.greeting);
        for (command, reply) in self.login {
            client.send(command).await;
            assert_eq!(client.line().await + "\r\n", *reply);
        }
        client
    }
}

/// A message of many octets.
pub(crate) fn message() -> String {
    "0123456789abcdef\r\n".repeat(MANY / 18)
}

/// Reads to the close alert of TLS, so slowly that it takes longer than [`LINGER`], with two pauses.
pub(crate) async fn read_slowly(client: &mut Client) -> Vec<u8> {
    let begin = Instant::now();
    let mut octets = Vec::new();
    let mut part = vec![0; 65_536];
    loop {
        if octets.len() < MANY / 4 {
            sleep(Duration::from_millis(20)).await;
        }
        let read = timeout(Duration::from_secs(10), client.stream.read(&mut part));
        match read.await.unwrap().unwrap() {
            0 => break,
            count => octets.extend_from_slice(&part[..count]),
        }
    }
    assert!(begin.elapsed() > LINGER);
    octets
}

/// Takes the octets of a connection so slowly that it takes longer than [`LINGER`], and answers at their end.
pub(crate) async fn take_slowly(mut tcp: TcpStream, received: Received) {
    let mut part = vec![0; 262_144];
    while let Ok(count @ 1..) = tcp.read(&mut part).await {
        let reply: &[u8] = {
            let mut received = received.lock().unwrap();
            received.extend_from_slice(&part[..count]);
            match received.as_slice() {
                octets if octets.ends_with(b"\r\n.\r\n") => b"250 queued\r\n",
                octets if octets.ends_with(b"\r\nQUIT\r\n") => b"221 bye\r\n",
                _ => b"",
            }
        };
        let _ = tcp.write_all(reply).await;
        sleep(Duration::from_millis(30)).await;
    }
}
