//! Ends of sessions with much still in flight: octets that move are not cut, and those that do not move hold up the end for
//! a limited time only.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

use crate::{
    slow::{IMAP, LINGER, POP, Received, SUBMISSION, message, read_slowly, take_slowly},
    world::{Setup, World, serve},
};

/// A backend closes its connection after a large response.
#[tokio::test]
async fn sends_all_to_a_slow_client_whose_backend_has_closed() {
    for dialogue in [IMAP, POP] {
        let world = dialogue
            .start(|mut tcp| async move {
                let mut command = [0; 12];
                tcp.read_exact(&mut command).await.unwrap();
                assert_eq!(&command, b"NOOP\r\nQUIT\r\n");
                tcp.write_all(message().as_bytes()).await.unwrap();
            })
            .await;
        let mut client = dialogue.log_in(&world).await;
        client.send("NOOP\r\nQUIT\r\n").await;
        let octets = read_slowly(&mut client).await;
        assert!(octets == message().as_bytes(), "{} octets", octets.len());
        assert_eq!(world.told.wait("ended").await, "ended backend");
    }
}

/// A client that sends its message to the end before it reads learns why the message is refused: the connection is not
/// reset under it.
#[tokio::test]
async fn answers_a_client_that_sends_more_after_its_message_was_refused() {
    let world = SUBMISSION
        .start(|mut tcp| async move {
            let mut octets = [0; 6];
            tcp.read_exact(&mut octets).await.unwrap();
            assert_eq!(&octets, b"DATA\r\n");
            tcp.write_all(b"354 go\r\n").await.unwrap();
            sleep(Duration::from_secs(60)).await;
        })
        .await;
    let mut client = SUBMISSION.log_in(&world).await;
    client.send("DATA\r\n").await;
    assert_eq!(client.line().await, "354 go");
    client.send("a bare\nline feed\r\n").await;
    for line in message().as_bytes().chunks(65_536) {
        client.stream.write_all(line).await.unwrap();
    }
    client.send(".\r\n").await;
    assert_eq!(client.rest().await, "550 CR LF expected, without NUL\r\n");
    assert_eq!(world.told.wait("ended").await, "ended violation");
}

/// A client that closed its side is still a client that reads.
#[tokio::test]
async fn sends_all_to_a_slow_client_that_sends_no_more() {
    for dialogue in [IMAP, POP] {
        let world = dialogue
            .start(|mut tcp| async move {
                let mut command = String::new();
                tcp.read_to_string(&mut command).await.unwrap();
                assert_eq!(command, "RETR 1\r\nQUIT\r\n");
                tcp.write_all(message().as_bytes()).await.unwrap();
            })
            .await;
        let mut client = dialogue.log_in(&world).await;
        client.send("RETR 1\r\nQUIT\r\n").await;
        client.stream.shutdown().await.unwrap();
        let octets = read_slowly(&mut client).await;
        assert!(octets == message().as_bytes(), "{} octets", octets.len());
        assert_eq!(world.told.wait("ended").await, "ended client");
    }
}

/// An upload is complete when the client closes its side, by the close alert of TLS or by TCP alone, and the backend has
/// read little of it.
#[tokio::test]
async fn carries_an_upload_to_its_end_after_the_client_has_closed() {
    for has_alert in [true, false] {
        for dialogue in [IMAP, POP] {
            let received = Received::default();
            let kept = received.clone();
            let world = dialogue
                .start(move |tcp| take_slowly(tcp, kept.clone()))
                .await;
            let mut client = dialogue.log_in(&world).await;
            let text = message() + "QUIT\r\n";
            client.stream.write_all(text.as_bytes()).await.unwrap();
            client.stream.flush().await.unwrap();
            match has_alert {
                true => client.stream.shutdown().await.unwrap(),
                false => client.stream.get_mut().0.shutdown().await.unwrap(),
            }
            let ended = world.told.wait("ended").await;
            let expected = if has_alert {
                "ended client"
            } else {
                "ended client-broke"
            };
            assert_eq!(ended, expected);
            let received = received.lock().unwrap();
            assert!(*received == text.as_bytes(), "{} octets", received.len());
        }
    }
}

/// A message whose end was sent is submitted, though the client does not wait for the reply.
#[tokio::test]
async fn submits_a_message_after_the_client_has_closed() {
    for has_alert in [true, false] {
        let received = Received::default();
        let kept = received.clone();
        let world = SUBMISSION
            .start(move |mut tcp| {
                let kept = kept.clone();
                async move {
                    for (command, reply) in [
                        ("MAIL FROM:<a@example.org>\r\n", "250 ok\r\n"),
                        ("RCPT TO:<b@example.org>\r\n", "250 ok\r\n"),
                        ("DATA\r\n", "354 go\r\n"),
                    ] {
                        let mut octets = vec![0; command.len()];
                        tcp.read_exact(&mut octets).await.unwrap();
                        assert_eq!(octets, command.as_bytes());
                        tcp.write_all(reply.as_bytes()).await.unwrap();
                    }
                    take_slowly(tcp, kept).await;
                }
            })
            .await;
        let mut client = SUBMISSION.log_in(&world).await;
        client
            .send("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
            .await;
        for reply in ["250 ok", "250 ok", "354 go"] {
            assert_eq!(client.line().await, reply);
        }
        let text = message() + ".\r\n";
        client.stream.write_all(text.as_bytes()).await.unwrap();
        client.send("QUIT\r\n").await;
        match has_alert {
            true => {
                client.stream.shutdown().await.unwrap();
                assert_eq!(client.rest().await, "250 queued\r\n221 bye\r\n");
            }
            false => client.stream.get_mut().0.shutdown().await.unwrap(),
        }
        world.told.wait("ended").await;
        let received = received.lock().unwrap();
        let text = text + "QUIT\r\n";
        assert!(*received == text.as_bytes(), "{} octets", received.len());
    }
}

/// The end of a session is bounded by the time without progress.
#[tokio::test]
async fn cuts_an_end_without_progress() {
    // A client that takes nothing, and sends no more.
    let world = IMAP
        .start(|mut tcp| async move { tcp.write_all(message().as_bytes()).await.unwrap() })
        .await;
    let mut client = IMAP.log_in(&world).await;
    client.stream.shutdown().await.unwrap();
    ends_after_linger(&world).await;
    drop(client);
    // A backend that does not answer a client that sends no more.
    let world = IMAP
        .start(|tcp| async move {
            sleep(Duration::from_secs(60)).await;
            drop(tcp);
        })
        .await;
    let mut client = IMAP.log_in(&world).await;
    client.stream.shutdown().await.unwrap();
    ends_after_linger(&world).await;
}

/// Waits for the end of a session in which nothing moves any more.
async fn ends_after_linger(world: &World) {
    let begin = Instant::now();
    assert_eq!(world.told.wait("ended").await, "ended client");
    let time = begin.elapsed();
    assert!(LINGER <= time && time < 20 * LINGER, "{time:?}");
}

/// Before login the time for the login is a limit for the end too.
#[tokio::test]
async fn ends_a_session_within_the_time_for_the_login() {
    let silent = serve(|mut tcp| async move {
        tcp.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
            .await
            .unwrap();
        sleep(Duration::from_secs(60)).await;
    })
    .await;
    let mut setup = Setup::imaps(&[silent]);
    setup.times.login = LINGER;
    let world = World::start(setup).await;
    let begin = Instant::now();
    let mut client = world.connect().await;
    client.line().await;
    client.stream.shutdown().await.unwrap();
    world.told.wait("ended").await;
    assert!(begin.elapsed() < 20 * LINGER);
}
