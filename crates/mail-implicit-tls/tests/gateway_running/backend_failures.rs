//! Trouble of backends in the words of the protocol, and other backends in their place.

use std::time::{Duration, Instant};

use mail_implicit_tls::{gateway::Balance, service::Service};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    time::sleep,
};

use crate::{
    script::{POP_GREETING, SUBMISSION_GREETING, pop, submission},
    world::{ImapDouble, Setup, World, clear, nowhere, serve},
};

const UNAVAILABLE: &str =
    "* BYE [UNAVAILABLE] service is temporarily unavailable, try again later\r\n";

#[tokio::test]
async fn reports_a_backend_that_is_down() {
    let world = World::start(Setup::imaps(&[nowhere().await])).await;
    assert_eq!(world.connect().await.rest().await, UNAVAILABLE);
    assert_eq!(world.told.wait("ended").await, "ended no-backend");
}

#[tokio::test]
async fn reports_a_backend_that_is_silent() {
    let silent = serve(|tcp| async move {
        sleep(Duration::from_secs(60)).await;
        drop(tcp);
    })
    .await;
    let mut setup = Setup::imaps(&[silent]);
    setup.times.connect = Duration::from_millis(200);
    let world = World::start(setup).await;
    let begin = Instant::now();
    assert_eq!(world.connect().await.rest().await, UNAVAILABLE);
    assert!(begin.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn reports_a_backend_that_closes_in_place_of_a_greeting() {
    let closing = serve(|tcp| async move { drop(tcp) }).await;
    let world = World::start(Setup::imaps(&[closing])).await;
    assert_eq!(world.connect().await.rest().await, UNAVAILABLE);
    let told = world.told.wait("backend").await;
    assert!(told.ends_with("Failed(Closed)"), "{told}");
}

/// The text of a backend that refuses is for the operator of the gateway.
#[tokio::test]
async fn reports_a_backend_that_greets_with_a_refusal() {
    let refusing = serve(|mut tcp| async move {
        let _ = tcp.write_all(b"* BYE internal-host is full\r\n").await;
    })
    .await;
    let world = World::start(Setup::imaps(&[refusing])).await;
    assert_eq!(world.connect().await.rest().await, UNAVAILABLE);
}

/// Another server listens on the port, or one that takes the gateway for a user: the next backend has the session.
#[tokio::test]
async fn tries_the_next_backend_after_one_that_does_not_greet_as_a_mail_server() {
    for greeting in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "* PREAUTH you are root\r\n",
    ] {
        let other = serve(move |mut tcp| async move {
            let _ = tcp.write_all(greeting.as_bytes()).await;
            sleep(Duration::from_secs(60)).await;
        })
        .await;
        let double = ImapDouble::start().await;
        let world = World::start(Setup::imaps(&[other, double.address])).await;
        world.connect().await.log_in().await;
        let told = world.told.wait("backend").await;
        assert!(told.contains("greeting"), "{told}");
    }
}

#[tokio::test]
async fn reports_a_backend_that_dies_before_login() {
    let dying = serve(|mut tcp| async move {
        let _ = tcp
            .write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
            .await;
        sleep(Duration::from_millis(50)).await;
    })
    .await;
    let world = World::start(Setup::imaps(&[dying])).await;
    let mut client = world.connect().await;
    assert!(client.line().await.starts_with("* OK"));
    assert_eq!(client.rest().await, UNAVAILABLE);
    world.told.wait("ended backend").await;
}

/// A line of the gateway could appear within the literal: the client receives the close alert of TLS, and nothing else.
#[tokio::test]
async fn adds_nothing_when_a_backend_dies_after_login() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let mut client = world.connect().await;
    client.log_in().await;
    client.send("b DIE\r\n").await;
    assert_eq!(client.rest().await, "* 1 FETCH (BODY[] {100}\r\nabc");
    world.told.wait("ended backend").await;
}

#[tokio::test]
async fn uses_the_next_backend_while_one_is_down() {
    let (down, double) = (nowhere().await, ImapDouble::start().await);
    let world = World::start(Setup::imaps(&[down, double.address])).await;
    for _ in 0..3 {
        world.connect().await.log_in().await;
    }
    let told = world.told.lines();
    let failed = format!("backend {} Failed", down.port());
    // The second and third client do not wait for the backend that is down.
    let failures = told.iter().filter(|it| it.starts_with(&failed));
    assert_eq!(failures.count(), 1, "{told:?}");
    let opened = format!("opened {}", double.address.port());
    assert_eq!(told.iter().filter(|it| **it == opened).count(), 3);
}

#[tokio::test]
async fn uses_a_backend_that_came_back() {
    let down = nowhere().await;
    let world = World::start(Setup::imaps(&[down])).await;
    assert_eq!(world.connect().await.rest().await, UNAVAILABLE);
    let listener = tokio::net::TcpListener::bind(down).await.unwrap();
    let _double = ImapDouble::at(listener);
    // The only backend is tried without a pause.
    world.connect().await.log_in().await;
    let recovered = format!("backend {} Recovered", down.port());
    world.told.wait(&recovered).await;
}

#[tokio::test]
async fn divides_connections_among_backends() {
    let doubles = [ImapDouble::start().await, ImapDouble::start().await];
    let mut setup = Setup::imaps(&doubles.each_ref().map(|it| it.address));
    setup.balance = Balance::Even;
    let world = World::start(setup).await;
    for _ in 0..4 {
        world.connect().await.log_in().await;
    }
    for double in &doubles {
        let logins = double.lines();
        let logins = logins.iter().filter(|it| it.contains("LOGIN"));
        assert_eq!(logins.count(), 2);
    }
}

/// A server of POP or Submission that ends without a word at this line.
async fn dying(service: Service, greeting: &'static str, last: &'static str) -> World {
    let address = serve(move |tcp| async move {
        let mut stream = BufReader::new(tcp);
        let _ = stream.write_all(greeting.as_bytes()).await;
        let mut line = String::new();
        while let Ok(1..) = stream.read_line(&mut line).await {
            if line.trim_end() == last {
                return;
            }
            let reply = match service {
                Service::POP3_CLEAR => pop(line.trim_end()),
                _ => submission(line.trim_end()),
            };
            line.clear();
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    })
    .await;
    let own = match service {
        Service::POP3_CLEAR => Service::POP3S,
        _ => Service::SUBMISSIONS,
    };
    World::start(Setup::new(own, vec![clear(service, address)])).await
}

/// Before login the client receives the words of its protocol, after login the close alert of TLS and nothing else.
#[tokio::test]
async fn uses_the_words_of_the_protocol_before_login_only() {
    let login = "AUTH PLAIN AGFsaWNlAHJpZ2h0";
    for (service, greeting, said, last, expected) in [
        (
            Service::POP3_CLEAR,
            POP_GREETING,
            vec!["USER alice"],
            "PASS right",
            "-ERR [SYS/TEMP] service is temporarily unavailable, try again later\r\n",
        ),
        (
            Service::POP3_CLEAR,
            POP_GREETING,
            vec!["USER alice", "PASS right"],
            "RETR 1",
            "",
        ),
        (
            Service::SUBMISSION_CLEAR,
            SUBMISSION_GREETING,
            vec!["EHLO c"],
            login,
            "421 service is temporarily unavailable, try again later\r\n",
        ),
        (
            Service::SUBMISSION_CLEAR,
            SUBMISSION_GREETING,
            vec!["EHLO c", login],
            "MAIL FROM:<a@example.org>",
            "",
        ),
    ] {
        let world = dying(service, greeting, last).await;
        let mut client = world.connect().await;
        client.line().await;
        for line in said {
            client.send(&format!("{line}\r\n")).await;
            while client.line().await.get(3..4) == Some("-") {}
        }
        client.send(&format!("{last}\r\n")).await;
        assert_eq!(client.rest().await, expected, "{service} {last}");
    }
}
