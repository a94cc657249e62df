//! The `tls` clause of Received fields, draft-newman-email-deep-02 section 6, and the `group` clause of RFC 8314
//! section 4.3.
//!
//! [`Received::parse`] reads a field as servers write them, with comments and folding. [`Received::with_tls`] adds the
//! clauses to a field, and [`Stamp`] writes a whole field.

mod date;
mod group;
mod read;
mod suite;
mod write;

use std::fmt;

pub use self::{
    group::Group,
    read::{Clause, MAX_CLAUSES, MAX_RECEIVED_BYTES, Received},
    suite::CipherSuite,
    write::{Client, Stamp},
};

/// A transmission type, RFC 3848 and RFC 6531 section 4.3: the value of `with`.
///
/// ```
/// use mail_implicit_tls::received::Transmission;
///
/// let submission = Transmission { tls: true, authenticated: true, ..Transmission::ESMTP };
/// assert_eq!(submission.to_string(), "ESMTPSA");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transmission {
    /// The protocol.
    pub protocol: TransmissionProtocol,
    /// `true` if the session used TLS: `S`.
    pub tls: bool,
    /// `true` if the client authenticated: `A`.
    pub authenticated: bool,
}

/// The protocol of a transmission type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransmissionProtocol {
    /// SMTP with extensions.
    Esmtp,
    /// Local mail transfer, RFC 2033.
    Lmtp,
    /// SMTP with `SMTPUTF8`, RFC 6531.
    Utf8Smtp,
    /// Local mail transfer with `SMTPUTF8`.
    Utf8Lmtp,
}

impl Transmission {
    /// `ESMTP`
    pub const ESMTP: Self = Self::of(TransmissionProtocol::Esmtp);
    /// `LMTP`
    pub const LMTP: Self = Self::of(TransmissionProtocol::Lmtp);

    const fn of(protocol: TransmissionProtocol) -> Self {
        Self {
            protocol,
            tls: false,
            authenticated: false,
        }
    }

    /// Parses a registered transmission type, in any case. Returns nothing for others, among them `SMTP`, which has no
    /// TLS.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        let (rest, authenticated) = strip(&upper, 'A');
        let (protocol, tls) = strip(rest, 'S');
        let protocol = match protocol {
            "ESMTP" => TransmissionProtocol::Esmtp,
            "LMTP" => TransmissionProtocol::Lmtp,
            "UTF8SMTP" => TransmissionProtocol::Utf8Smtp,
            "UTF8LMTP" => TransmissionProtocol::Utf8Lmtp,
            _ => return None,
        };
        Some(Self {
            protocol,
            tls,
            authenticated,
        })
    }
}

fn strip(text: &str, suffix: char) -> (&str, bool) {
    match text.strip_suffix(suffix) {
        Some(rest) => (rest, true),
        None => (text, false),
    }
}

impl fmt::Display for Transmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.protocol {
            TransmissionProtocol::Esmtp => "ESMTP",
            TransmissionProtocol::Lmtp => "LMTP",
            TransmissionProtocol::Utf8Smtp => "UTF8SMTP",
            TransmissionProtocol::Utf8Lmtp => "UTF8LMTP",
        })?;
        f.write_str(if self.tls { "S" } else { "" })?;
        f.write_str(if self.authenticated { "A" } else { "" })
    }
}

/// The reason why a Received field, or a value for one, is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceivedErrorKind {
    /// The field is longer than [`MAX_RECEIVED_BYTES`].
    TooLong,
    /// The field has more than [`MAX_CLAUSES`] clauses.
    TooManyClauses,
    /// Another character is expected.
    Expected,
    /// A control character, or a line break that is not folding.
    Control,
    /// A comment, quoted string, path or address literal does not end.
    Unterminated,
    /// A clause has no value.
    NoValue,
    /// A clause appears twice.
    Duplicate,
    /// The semicolon before the date is missing.
    NoDate,
}

impl ReceivedErrorKind {
    /// Returns the name of the kind, for vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::TooManyClauses => "too-many-clauses",
            Self::Expected => "expected",
            Self::Control => "control",
            Self::Unterminated => "unterminated",
            Self::NoValue => "no-value",
            Self::Duplicate => "duplicate",
            Self::NoDate => "no-date",
        }
    }
}

/// A Received field, or a value for one, that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceivedError {
    kind: ReceivedErrorKind,
    field: &'static str,
    offset: usize,
}

impl ReceivedError {
    const fn new(kind: ReceivedErrorKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset,
        }
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(&self) -> ReceivedErrorKind {
        self.kind
    }

    /// Returns the rule of the grammar.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Returns the offset in octets from the start of the input.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for ReceivedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.kind {
            ReceivedErrorKind::TooLong => "longer than 16384 octets",
            ReceivedErrorKind::TooManyClauses => "more than 32 clauses",
            ReceivedErrorKind::Expected => "unexpected character",
            ReceivedErrorKind::Control => "control character",
            ReceivedErrorKind::Unterminated => "end missing",
            ReceivedErrorKind::NoValue => "value missing",
            ReceivedErrorKind::Duplicate => "clause appears twice",
            ReceivedErrorKind::NoDate => "semicolon and date missing",
        };
        write!(f, "{}: {problem} at byte {}", self.field, self.offset)
    }
}

impl std::error::Error for ReceivedError {}
