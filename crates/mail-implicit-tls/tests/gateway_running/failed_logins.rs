//! Failed logins are answered the later the more there are.

use std::time::{Duration, Instant};

use mail_implicit_tls::gateway::{PenaltyRules, SessionLimits, proxy_protocol::Networks};

use crate::world::{ImapDouble, Setup, World};

fn rules() -> PenaltyRules {
    PenaltyRules {
        free: 1,
        first: Duration::from_millis(200),
        most: Duration::from_millis(400),
        forget: Duration::from_secs(60),
    }
}

#[tokio::test]
async fn slows_failed_logins_of_a_client_in_all_its_sessions() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.penalty = rules();
    let world = World::start(setup).await;
    let mut client = world.connect().await;
    client.line().await;
    let mut times = Vec::new();
    for tag in ["a", "b", "c"] {
        let begin = Instant::now();
        client.send(&format!("{tag} LOGIN alice wrong\r\n")).await;
        let answer = client.line().await;
        assert!(answer.starts_with(&format!("{tag} NO")), "{answer}");
        times.push(begin.elapsed());
    }
    assert!(times[0] < Duration::from_millis(150), "{times:?}");
    assert!(times[1] >= Duration::from_millis(200), "{times:?}");
    assert!(times[2] >= Duration::from_millis(400), "{times:?}");
    // The right password is accepted at once.
    let begin = Instant::now();
    client.send("d LOGIN alice right\r\n").await;
    assert!(client.line().await.starts_with("d OK"));
    assert!(begin.elapsed() < Duration::from_millis(150));
    let failed: Vec<_> = world.told.lines();
    let failed = failed
        .iter()
        .filter(|it| it.starts_with("session LoginFailed"));
    let delays: Vec<_> = failed
        .map(|it| it.rsplit(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(delays, ["0", "200", "400"]);
}

/// Starts a gateway that puts off the answer to the first wrong password.
async fn penal() -> (ImapDouble, World) {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.penalty = rules();
    setup.penalty.free = 0;
    setup.penalty.first = Duration::from_millis(400);
    let world = World::start(setup).await;
    (double, world)
}

/// A client that does not wait for the answer does not save the time by a new connection.
#[tokio::test]
async fn delays_the_next_session_of_a_client_that_does_not_wait() {
    let (_double, world) = penal().await;
    let mut client = world.connect().await;
    client.line().await;
    client.send("a LOGIN alice wrong\r\n").await;
    world.told.wait("session LoginFailed").await;
    drop(client);
    let begin = Instant::now();
    let mut client = world.connect().await;
    client.line().await;
    assert!(begin.elapsed() >= Duration::from_millis(200));
    world.told.wait("delayed").await;
}

/// A webmail has many users at one address: one wrong password more or less is no reason to let all of them wait for long.
#[tokio::test]
async fn lets_other_users_of_an_address_wait_for_the_last_delay_only() {
    let (_double, world) = penal().await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(world.connect().await);
    }
    for client in &mut clients {
        client.line().await;
        client.send("a LOGIN alice wrong\r\n").await;
    }
    let all = async {
        loop {
            let lines = world.told.lines();
            let failed = lines.iter().filter(|it| it.contains("LoginFailed"));
            if failed.count() == 10 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    all.await;
    drop(clients);
    world.connect().await.log_in().await;
    let delayed = world.told.wait("delayed").await;
    let delayed: u64 = delayed.strip_prefix("delayed ").unwrap().parse().unwrap();
    assert!(delayed <= 400, "{delayed}");
    let lines = world.told.lines();
    assert_eq!(
        lines.iter().filter(|it| it.starts_with("delayed")).count(),
        1
    );
}

#[tokio::test]
async fn serves_trusted_networks_without_limits_and_delays() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.penalty = PenaltyRules {
        free: 0,
        first: Duration::from_secs(30),
        most: Duration::from_secs(30),
        ..rules()
    };
    setup.limits = SessionLimits {
        per_client: 1,
        logins_per_client: 1,
        ..SessionLimits::default()
    };
    setup.trusted = Networks::parse(["127.0.0.0/8"]).unwrap();
    let world = World::start(setup).await;
    let mut clients = [world.connect().await, world.connect().await];
    for client in &mut clients {
        client.line().await;
        client.send("a LOGIN alice wrong\r\n").await;
        assert!(client.line().await.starts_with("a NO"));
    }
    let lines = world.told.lines();
    let failed = lines.iter().filter(|it| it.contains("LoginFailed"));
    assert!(failed.clone().all(|it| it.ends_with(" 0")), "{lines:?}");
    assert_eq!(failed.count(), 2);
    assert!(
        !lines.iter().any(|it| it.starts_with("delayed")),
        "{lines:?}"
    );
}
