//! The errors of a client.

use core::fmt;

use crate::{error::ParseError, failure::HandshakeFault};

/// The reason why a connection cannot be used. The caller closes it. The event that caused the error has latched
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// The server closed the connection.
    EndOfInput,
    /// The server's bytes do not follow the protocol, or exceed a limit. The offset is from the start of the
    /// response.
    Malformed(ParseError),
    /// The server sent a response that the protocol does not allow at this point, e.g. an answer to no command.
    Unexpected,
    /// The server ended the session, by BYE or 421.
    Closing,
    /// The server treats the connection as logged in (`PREAUTH`), and the caller cannot use such a connection.
    LoggedIn,
    /// The server refused a command that the client needs.
    Rejected,
    /// Text in clear followed the answer to STARTTLS or STLS: an attacker added it so that the client takes it for
    /// text that came over TLS.
    Injected,
    /// The session would be in clear, and the server accepts no login in clear (`LOGINDISABLED`).
    LoginDisabled,
    /// TLS is not available, or lacks a facility that the server itself advertised in clear; and no tag was latched
    /// yet.
    NoTls,
    /// The TLS handshake failed for a reason that concerns no latched tag.
    HandshakeFailed(HandshakeFault),
    /// The caller called a method that was not demanded.
    Misuse,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndOfInput => "the server closed the connection",
            Self::Malformed(error) => return write!(f, "malformed response: {error}"),
            Self::Unexpected => "unexpected response",
            Self::Closing => "the server ended the session",
            Self::LoggedIn => "the server requires no login (PREAUTH)",
            Self::Rejected => "the server refused a required command",
            Self::Injected => "text in clear after the answer to STARTTLS",
            Self::LoginDisabled => {
                "the server offers no TLS and accepts no login in clear (LOGINDISABLED)"
            }
            Self::NoTls => "TLS is not available",
            Self::HandshakeFailed(fault) => return write!(f, "the TLS handshake failed: {fault}"),
            Self::Misuse => "a method of the client was called that was not demanded",
        })
    }
}

impl core::error::Error for ClientError {}
