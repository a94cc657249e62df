//! Answers in the handshake: those of an attacker permit no clear text, whatever the account permits (section 3.3).

use std::time::{Duration, Instant};

use mail_implicit_tls::{
    account::{Account, LowPrivacy, Server},
    dialogue::DialogueError,
    failure::{Cause, Stage, TlsFailure},
    service::{Protocol, Service},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    serving::{GREETING, UPGRADED, high, listener, low, server, upgrade},
    site::Site,
};

/// The end that a server makes after its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Close,
    Wait,
}

const DEADLINE: Duration = Duration::from_secs(2);

const INJECTED: Cause = Cause::Dialogue(DialogueError::Injected);

/// An alert `close_notify` of the level warning, which does not end the handshake.
const WARNING: &[u8] = b"\x15\x03\x03\x00\x02\x01\x00";

#[tokio::test]
async fn permits_no_clear_text_after_octets_that_are_not_tls() {
    for service in UPGRADED {
        for answer in [&b"* CAPABILITY AUTH=EVIL\r\n"[..], b"220 hi\r\n"] {
            let expected = (Err(INJECTED), Err(INJECTED));
            assert_eq!(ends(service, answer, Then::Wait).await, expected);
        }
    }
    // One octet is enough, whatever comes after it.
    let service = Service::IMAP_STARTTLS;
    let begin = Instant::now();
    for answer in [&b"*"[..], b"\x13", b"\x19", b"\x16*", b"\x16\x02\x03\x03"] {
        for then in [Then::Wait, Then::Close] {
            let expected = (Err(INJECTED), Err(INJECTED));
            assert_eq!(ends(service, answer, then).await, expected, "{answer:?}");
        }
    }
    assert!(
        begin.elapsed() < DEADLINE,
        "octets that are not TLS were awaited"
    );
}

/// Sends an answer after the reply to `STARTTLS`, once the ClientHello is there, and sends clear text on the next
/// connection. Returns the service of the client's connection, or the cause of its failure.
async fn end(
    service: Service,
    account: impl Fn(&Server) -> Account,
    answer: &'static [u8],
    then: Then,
) -> Result<Service, Cause> {
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        upgrade(&mut first, service, b"").await;
        first.read_exact(&mut [0; 5]).await.unwrap();
        first.write_all(answer).await.unwrap();
        if then == Then::Close {
            first.shutdown().await.unwrap();
        }
        let (mut second, _) = listener.accept().await.unwrap();
        let greeting = match service.protocol {
            Protocol::Imap => GREETING,
            Protocol::Pop => b"+OK hi\r\n",
            Protocol::Submission => b"220 hi\r\n",
        };
        second.write_all(greeting).await.unwrap();
        second.read_exact(&mut [0; 6]).await.unwrap();
        let capabilities: &[u8] = match service.protocol {
            Protocol::Imap | Protocol::Pop => b"+OK\r\nUSER\r\n.\r\n",
            Protocol::Submission => b"250-hi\r\n250 AUTH PLAIN\r\n",
        };
        second.write_all(capabilities).await.unwrap();
        let _ = second.read_to_end(&mut Vec::new()).await;
        drop(first);
    });
    let server = server(service, port);
    let connector = Site::new().connector().with_deadline(DEADLINE);
    let connected = connector.connect(&account(&server), &server).await;
    serving.abort();
    match connected {
        Ok(connection) => Ok(connection.service()),
        Err(failure) => Err(failure.cause().clone()),
    }
}

/// Returns the ends at the low level with each concession beside clear text, which are the same, and at the high level.
async fn ends(
    service: Service,
    answer: &'static [u8],
    then: Then,
) -> (Result<Service, Cause>, Result<Service, Cause>) {
    let permissive = |ignore_certificate| {
        let permitted = LowPrivacy {
            ignore_certificate,
            clear_text_fallback: true,
        };
        end(service, move |server| low(server, permitted), answer, then)
    };
    let at_low = permissive(false).await;
    assert_eq!(permissive(true).await, at_low);
    (at_low, end(service, high, answer, then).await)
}

#[tokio::test]
async fn permits_no_clear_text_after_octets_within_the_handshake() {
    let late = [WARNING, b"* CAPABILITY AUTH=EVIL\r\n"].concat().leak();
    for answer in [
        &*late,
        // A ServerHello without content, a message of an unknown kind, and a record of TLS without encryption.
        b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x03\x00\x04\x7f\x00\x00\x00",
        b"\x17\x03\x03\x00\x04abcd",
    ] {
        let protocol = Cause::Tls(TlsFailure::Protocol);
        let expected = (Err(protocol.clone()), Err(protocol));
        let ends = ends(Service::IMAP_STARTTLS, answer, Then::Wait).await;
        assert_eq!(ends, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn permits_clear_text_after_alerts_of_servers_without_common_tls_only() {
    let clear = Service::IMAP_CLEAR;
    // handshake_failure and internal_error; bad_record_mac, certificate_unknown, illegal_parameter and unknown_ca.
    for (answer, alert, permits) in [
        (b"\x15\x03\x03\x00\x02\x02\x28", 40, true),
        (b"\x15\x03\x03\x00\x02\x02\x50", 80, true),
        (b"\x15\x03\x03\x00\x02\x02\x14", 20, false),
        (b"\x15\x03\x03\x00\x02\x02\x2e", 46, false),
        (b"\x15\x03\x03\x00\x02\x02\x2f", 47, false),
        (b"\x15\x03\x03\x00\x02\x02\x30", 48, false),
    ] {
        let failed = Err(Cause::Tls(TlsFailure::Alert(alert)));
        let at_low = if permits { Ok(clear) } else { failed.clone() };
        let ends = ends(Service::IMAP_STARTTLS, answer, Then::Wait).await;
        assert_eq!(ends, (at_low, failed), "alert {alert}");
    }
}

#[tokio::test]
async fn permits_clear_text_after_a_connection_that_ends() {
    for (service, clear) in [
        (Service::IMAP_STARTTLS, Service::IMAP_CLEAR),
        (Service::POP3_STARTTLS, Service::POP3_CLEAR),
        (Service::SUBMISSION_STARTTLS, Service::SUBMISSION_CLEAR),
    ] {
        for answer in [&b""[..], WARNING] {
            let closed = Err(Cause::Tls(TlsFailure::Closed));
            let ends = ends(service, answer, Then::Close).await;
            assert_eq!(ends, (Ok(clear), closed), "{service} {answer:?}");
        }
    }
    let silent = Err(Cause::Timeout(Stage::Handshake));
    let ends = ends(Service::IMAP_STARTTLS, b"", Then::Wait).await;
    assert_eq!(ends, (Ok(Service::IMAP_CLEAR), silent));
}
