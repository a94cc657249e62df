//! The errors that end a session.

use std::fmt;

use deep_latch::{ErrorKind, ParseError};

/// A side of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client.
    Client,
    /// The backend.
    Backend,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Backend => "backend",
        })
    }
}

/// The kind of an error that ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GatewayErrorKind {
    /// An octet that the protocol does not permit there: NUL, a bare CR or LF, an octet outside ASCII.
    Octet,
    /// A text that does not follow the grammar.
    Syntax,
    /// A line, a literal or a reply that is longer than its limit.
    TooLong,
    /// A line that the protocol does not permit at this point.
    Unexpected,
}

impl fmt::Display for GatewayErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Octet => "octet that is not permitted",
            Self::Syntax => "not as the grammar has it",
            Self::TooLong => "longer than the limit",
            Self::Unexpected => "not permitted at this point",
        })
    }
}

/// An error that ends a session: the side that caused it, the kind, the field of the grammar, and the offset of the octet
/// in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GatewayError {
    side: Side,
    kind: GatewayErrorKind,
    field: &'static str,
    offset: usize,
}

impl GatewayError {
    pub(super) const fn new(
        side: Side,
        kind: GatewayErrorKind,
        field: &'static str,
        offset: usize,
    ) -> Self {
        Self {
            side,
            kind,
            field,
            offset,
        }
    }

    /// Returns an error of a parser as one of this side.
    pub(super) const fn of_side(side: Side, error: ParseError) -> Self {
        let kind = match error.kind() {
            ErrorKind::Character => GatewayErrorKind::Octet,
            ErrorKind::Limit { .. } => GatewayErrorKind::TooLong,
            ErrorKind::Expected => GatewayErrorKind::Unexpected,
            _ => GatewayErrorKind::Syntax,
        };
        Self::new(side, kind, error.field(), error.offset())
    }

    /// Returns the side that caused the error.
    #[must_use]
    pub const fn side(self) -> Side {
        self.side
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(self) -> GatewayErrorKind {
        self.kind
    }

    /// Returns the field of the grammar.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the offset of the octet in the line.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            side,
            kind,
            field,
            offset,
        } = self;
        write!(f, "{side}: {field}: {kind} at byte {offset}")
    }
}

impl std::error::Error for GatewayError {}
