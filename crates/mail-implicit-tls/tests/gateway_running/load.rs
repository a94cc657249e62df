//! Many sessions at a time, and backends that end under them.

use std::{sync::Arc, time::Duration};

use mail_implicit_tls::gateway::SessionLimits;
use tokio::{
    net::TcpListener,
    sync::{Barrier, Semaphore},
    task::JoinSet,
    time::timeout,
};

use crate::world::{ImapDouble, Setup, World};

/// The number of sessions.
const SESSIONS: usize = 1_000;

/// The number of sessions that arrive at a time. The system loses a connection to a server that sends first if it comes while
/// the queue of the server is full (with SYN cookies): the gateway then waits for a greeting.
const ARRIVING: usize = 64;

/// The time for all of them, on a machine that is busy.
const TIME: Duration = Duration::from_secs(120);

fn unlimited(double: &ImapDouble) -> Setup {
    let mut setup = Setup::imaps(&[double.address]);
    setup.limits = SessionLimits {
        total: SESSIONS,
        per_client: SESSIONS,
        logins_per_client: SESSIONS,
    };
    setup.times.connect = Duration::from_secs(60);
    setup.handshake = Duration::from_secs(60);
    setup
}

/// All sessions are open at once; each has answers to its own commands only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carries_a_thousand_sessions_at_a_time() {
    let double = ImapDouble::start().await;
    let world = Arc::new(World::start(unlimited(&double)).await);
    let all = Arc::new(Barrier::new(SESSIONS));
    let arriving = Arc::new(Semaphore::new(ARRIVING));
    let mut sessions = JoinSet::new();
    for number in 0..SESSIONS {
        let (world, all, arriving) = (world.clone(), all.clone(), arriving.clone());
        sessions.spawn(async move {
            let arrives = arriving.acquire().await;
            let mut client = world.connect().await;
            client.log_in().await;
            drop(arrives);
            all.wait().await;
            for command in 0..5 {
                let text = format!("t{command} X-{number}-{command}");
                client.send(&format!("{text}\r\n")).await;
                let expected = format!("t{command} OK X-{number}-{command}");
                assert_eq!(client.line().await, expected);
            }
            all.wait().await;
            client.send("u LOGOUT\r\n").await;
            assert_eq!(client.rest().await, "* BYE\r\nu OK bye\r\n");
        });
    }
    timeout(TIME, sessions.join_all()).await.unwrap();
    // A client sees the end of its session a moment before the gateway notes it.
    let all_ended = async {
        let ended = || {
            world
                .told
                .lines()
                .iter()
                .filter(|it| it.starts_with("ended"))
                .count()
        };
        while ended() < SESSIONS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIME, all_ended).await.unwrap();
    let told = world.told.lines();
    let ended = told.iter().filter(|it| **it == "ended backend").count();
    let started = told.iter().filter(|it| it.starts_with("started")).count();
    assert_eq!((started, ended), (SESSIONS, SESSIONS));
    assert!(!told.iter().any(|it| it.starts_with("refused")));
}

/// A backend that ends takes its sessions with it; each client receives the close alert and nothing else, and its next
/// session is one of the backend that came back.
#[tokio::test]
async fn ends_sessions_with_their_backend_and_uses_it_again() {
    let double = ImapDouble::start().await;
    let address = double.address;
    let world = World::start(Setup::imaps(&[address])).await;
    let mut clients = Vec::new();
    for _ in 0..15 {
        let mut client = world.connect().await;
        client.log_in().await;
        clients.push(client);
    }
    drop(double);
    for client in &mut clients {
        assert_eq!(client.rest().await, "");
    }
    let rest = world.connect().await.rest().await;
    assert!(rest.starts_with("* BYE [UNAVAILABLE]"), "{rest}");
    let _double = ImapDouble::at(TcpListener::bind(address).await.unwrap());
    world.connect().await.log_in().await;
    let recovered = format!("backend {} Recovered", address.port());
    world.told.wait(&recovered).await;
}
