//! The end of a gateway.

use std::time::{Duration, Instant};

use crate::world::{ImapDouble, Setup, World};

#[tokio::test]
async fn tells_clients_without_login_and_lets_others_go_on() {
    let double = ImapDouble::start().await;
    let world = World::start(Setup::imaps(&[double.address])).await;
    let mut stranger = world.connect().await;
    assert!(stranger.line().await.starts_with("* OK"));
    let mut client = world.connect().await;
    client.log_in().await;
    world.stop.send_replace(true);
    let bye = "* BYE [UNAVAILABLE] service is being restarted, try again\r\n";
    assert_eq!(stranger.rest().await, bye);
    client.send("b NOOP\r\n").await;
    assert_eq!(client.line().await, "b OK NOOP");
    client.send("c LOGOUT\r\n").await;
    assert_eq!(client.rest().await, "* BYE\r\nc OK bye\r\n");
    assert_eq!(world.task.await.unwrap(), 0);
}

#[tokio::test]
async fn ends_sessions_with_a_close_alert_when_the_time_is_over() {
    let double = ImapDouble::start().await;
    let mut setup = Setup::imaps(&[double.address]);
    setup.times.drain = Duration::from_millis(300);
    let world = World::start(setup).await;
    let mut client = world.connect().await;
    client.log_in().await;
    let begin = Instant::now();
    world.stop.send_replace(true);
    assert_eq!(client.rest().await, "");
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(world.task.await.unwrap(), 0);
    assert_eq!(world.told.wait("ended").await, "ended stopped");
}
