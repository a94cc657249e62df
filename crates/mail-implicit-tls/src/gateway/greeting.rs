//! The greeting of a backend.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::service::Protocol;

/// The longest greeting of a backend. RFC 5321 section 4.5.3.1.5 has lines of 512 octets, and greetings of several.
pub(super) const MAX_GREETING_BYTES: usize = 8192;

/// The reason why there is no greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoGreeting {
    /// The backend closed the connection.
    Closed,
    /// The connection broke.
    Broken(io::ErrorKind),
    /// The greeting is longer than [`MAX_GREETING_BYTES`].
    TooLong,
}

/// Reads until the first line is complete.
pub(super) async fn read_greeting(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Vec<u8>, NoGreeting> {
    let mut greeting = Vec::with_capacity(512);
    loop {
        let read = stream.read_buf(&mut greeting).await;
        match read.map_err(|error| error.kind()) {
            Ok(0) => return Err(NoGreeting::Closed),
            // A server that lacks what the connection needs resets it.
            Err(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                return Err(NoGreeting::Closed);
            }
            Err(kind) => return Err(NoGreeting::Broken(kind)),
            Ok(_) if greeting.contains(&b'\n') => return Ok(greeting),
            Ok(_) if greeting.len() >= MAX_GREETING_BYTES => return Err(NoGreeting::TooLong),
            Ok(_) => {}
        }
    }
}

/// Returns `true` if a greeting begins with this text. Case does not count.
fn starts(greeting: &[u8], text: &str) -> bool {
    let start = greeting.get(..text.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
}

/// Returns `true` if a greeting is one of a server of this protocol that is ready for a login. Another server on the port,
/// or one that takes the gateway for a user, is a backend that fails.
pub(super) fn greets(protocol: Protocol, greeting: &[u8]) -> bool {
    let ready = match protocol {
        Protocol::Imap => "* OK",
        Protocol::Pop => "+OK",
        Protocol::Submission => "220",
    };
    starts(greeting, ready)
}

/// Returns `true` if a greeting refuses service.
pub(super) fn refuses(protocol: Protocol, greeting: &[u8]) -> bool {
    let starts = |text: &str| starts(greeting, text);
    match protocol {
        Protocol::Imap => starts("* BYE"),
        Protocol::Pop => starts("-ERR"),
        Protocol::Submission => starts("4") || starts("5"),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::ReadBuf;

    use super::*;

    /// A server that sends these octets, and then breaks its connection.
    struct Broken(&'static [u8], io::ErrorKind);

    impl AsyncRead for Broken {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match std::mem::take(&mut self.0) {
                [] => Poll::Ready(Err(self.1.into())),
                octets => {
                    buffer.put_slice(octets);
                    Poll::Ready(Ok(()))
                }
            }
        }
    }

    #[tokio::test]
    async fn reads_up_to_the_end_of_the_first_line() {
        let mut halves = (&b"+OK\r"[..]).chain(&b"\n* more"[..]);
        let read = read_greeting(&mut halves).await;
        assert_eq!(read, Ok(b"+OK\r\n* more".to_vec()));
        assert_eq!(
            read_greeting(&mut &b"* OK"[..]).await,
            Err(NoGreeting::Closed)
        );
    }

    #[tokio::test]
    async fn reads_no_more_than_the_limit() {
        let limit = u64::try_from(MAX_GREETING_BYTES).unwrap();
        let sent = |count| tokio::io::repeat(b'x').take(count);
        for (count, expected) in [
            (limit - 1, NoGreeting::Closed),
            (limit, NoGreeting::TooLong),
        ] {
            assert_eq!(read_greeting(&mut sent(count)).await, Err(expected));
        }
        assert_eq!(
            read_greeting(&mut sent(u64::MAX)).await,
            Err(NoGreeting::TooLong)
        );
    }

    #[tokio::test]
    async fn tells_a_connection_that_is_closed_from_one_that_breaks() {
        for (kind, expected) in [
            (io::ErrorKind::ConnectionReset, NoGreeting::Closed),
            (io::ErrorKind::UnexpectedEof, NoGreeting::Closed),
            (
                io::ErrorKind::TimedOut,
                NoGreeting::Broken(io::ErrorKind::TimedOut),
            ),
        ] {
            assert_eq!(
                read_greeting(&mut Broken(b"* OK", kind)).await,
                Err(expected)
            );
        }
    }

    #[test]
    fn recognises_greetings_that_refuse() {
        for (protocol, refusal, greeting) in [
            (Protocol::Imap, "* bye full\r\n", "* OK bye\r\n"),
            (Protocol::Imap, "* BYE\r\n", "* BAD\r\n"),
            (Protocol::Pop, "-ERR full\r\n", "+OK\r\n"),
            (Protocol::Pop, "-err\r\n", "-NO\r\n"),
            (Protocol::Submission, "421 full\r\n", "220 421\r\n"),
            (Protocol::Submission, "554-no\r\n", "220-no\r\n"),
        ] {
            assert!(refuses(protocol, refusal.as_bytes()), "{refusal:?}");
            assert!(!refuses(protocol, greeting.as_bytes()), "{greeting:?}");
        }
    }

    #[test]
    fn recognises_greetings_that_are_ready_for_a_login() {
        for (protocol, ready, other) in [
            (Protocol::Imap, "* ok\r\n", "* PREAUTH\r\n"),
            (Protocol::Imap, "* OK [X] hi\r\n", "HTTP/1.1 400\r\n"),
            (Protocol::Pop, "+OK\r\n", "* OK\r\n"),
            (Protocol::Pop, "+ok <1@mx>\r\n", "+ ready\r\n"),
            (Protocol::Submission, "220-mx\r\n", "250 mx\r\n"),
        ] {
            assert!(greets(protocol, ready.as_bytes()), "{ready:?}");
            assert!(!greets(protocol, other.as_bytes()), "{other:?}");
        }
    }
}
