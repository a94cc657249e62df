//! The greeting of a backend.

use std::io;

use tokio::io::AsyncReadExt;

use crate::{client::Stream, service::Protocol};

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
pub(super) async fn read_greeting(stream: &mut Stream) -> Result<Vec<u8>, NoGreeting> {
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
    use super::*;

    #[test]
    fn recognises_greetings_that_refuse() {
        for (protocol, refusal, greeting) in [
            (Protocol::Imap, "* bye full\r\n", "* OK bye\r\n"),
            (Protocol::Pop, "-ERR full\r\n", "+OK\r\n"),
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
            (Protocol::Submission, "220-mx\r\n", "250 mx\r\n"),
        ] {
            assert!(greets(protocol, ready.as_bytes()), "{ready:?}");
            assert!(!greets(protocol, other.as_bytes()), "{other:?}");
        }
    }
}
