//! Errors of packets that an MTA sent.

use core::fmt;

/// The fault of a packet. Payloads are numbers; an error never contains the MTA's octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The packet ends before the field does.
    Truncated {
        /// The number of octets that the field needs.
        needed: usize,
        /// The number of octets that are left.
        left: usize,
    },
    /// A text has no NUL at its end.
    Unterminated,
    /// Octets follow the last field.
    Trailing,
    /// The command's code is not one of milter protocol version 6.
    UnknownCommand {
        /// The code.
        code: u8,
    },
    /// The packet, or a message's header, is longer than the limit.
    Limit {
        /// The limit in octets.
        limit: usize,
    },
    /// The protocol version is older than 2.
    Version {
        /// The version.
        version: u32,
    },
    /// The MTA does not offer actions or steps that the filter needs.
    NotOffered {
        /// The bits that are missing.
        missing: u32,
    },
    /// The command came before the options were negotiated.
    NotNegotiated,
}

impl DecodeErrorKind {
    /// Returns the kind's name in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Unterminated => "unterminated",
            Self::Trailing => "trailing",
            Self::UnknownCommand { .. } => "unknown-command",
            Self::Limit { .. } => "limit",
            Self::Version { .. } => "version",
            Self::NotOffered { .. } => "not-offered",
            Self::NotNegotiated => "not-negotiated",
        }
    }
}

/// The error of a packet that cannot be decoded or is not allowed: kind, field, and byte offset in the packet. The
/// packet begins with its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    field: &'static str,
    offset: usize,
}

impl DecodeError {
    pub(super) const fn new(kind: DecodeErrorKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset,
        }
    }

    /// Returns the kind of the fault.
    #[must_use]
    pub const fn kind(self) -> DecodeErrorKind {
        self.kind
    }

    /// Returns the field that has the fault.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the byte offset in the packet.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            field,
            offset,
        } = self;
        match kind {
            DecodeErrorKind::Truncated { needed, left } => {
                write!(f, "{field}: {needed} bytes needed but {left} left")?;
            }
            DecodeErrorKind::Unterminated => write!(f, "{field}: no NUL at its end")?,
            DecodeErrorKind::Trailing => write!(f, "{field}: bytes follow the last field")?,
            DecodeErrorKind::UnknownCommand { code } => {
                write!(f, "{field}: unknown command {code:#04x}")?;
            }
            DecodeErrorKind::Limit { limit } => {
                write!(f, "{field}: longer than the limit of {limit} bytes")?;
            }
            DecodeErrorKind::Version { version } => {
                write!(f, "{field}: version {version} is older than 2")?;
            }
            DecodeErrorKind::NotOffered { missing } => {
                write!(f, "{field}: the MTA does not offer {missing:#x}")?;
            }
            DecodeErrorKind::NotNegotiated => {
                write!(f, "{field}: sent before the options were negotiated")?;
            }
        }
        write!(f, " at byte {offset}")
    }
}

impl core::error::Error for DecodeError {}
