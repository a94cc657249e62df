//! POP, draft-newman-email-deep-02 section 7.2: the DEEP capability, one line of the answer to CAPA, and the
//! client's side of a connection.

mod client;

use alloc::vec::Vec;
use core::fmt;

pub use client::{MAX_CAPA_LINES, MAX_POP_LINE_BYTES, Pop, PopClient};

use crate::{
    error::{EncodeError, ParseError},
    status::{DeepStatus, Diagnostic, KeywordLine, StatusOptions},
};

/// The longest line of a capability list without its CRLF, in bytes: RFC 2449 section 3 has 512 with it.
pub const MAX_CAPA_LINE_BYTES: usize = 510;

/// The line of the DEEP capability in the answer to CAPA, without its CRLF.
///
/// ```abnf
/// capa-line = "DEEP" [SP deep-status]   ; capability of RFC 2449 section 3
/// ```
///
/// ```
/// use deep_latch::{DeepStatus, SecurityTag, pop::CapaLine, status::StatusOptions};
///
/// let line = "DEEP tls10 tls12 <https://www.example.com/privacy-support.html>";
/// let parsed = CapaLine::parse(line, StatusOptions::default())?.ok_or("not DEEP")?;
/// assert!(parsed.status().tags().eq([SecurityTag::TLS10, SecurityTag::TLS12]));
/// assert_eq!(parsed.to_string(), line);
///
/// let status = DeepStatus::parse("tls12 tls-cert")?;
/// assert_eq!(CapaLine::try_new(status)?.to_string(), "DEEP tls12 tls-cert");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapaLine<'a>(KeywordLine<'a>);

impl<'a> CapaLine<'a> {
    /// Parses a line of the answer to CAPA. Returns `None` for the line of another capability.
    ///
    /// ```
    /// # use deep_latch::{pop::CapaLine, status::StatusOptions};
    /// assert_eq!(CapaLine::parse("SASL PLAIN", StatusOptions::default())?, None);
    /// let options = StatusOptions {
    ///     allow_extra_spaces: true,
    ///     ..StatusOptions::default()
    /// };
    /// let line = CapaLine::parse("DEEP  tls10", options)?.ok_or("not DEEP")?;
    /// assert_eq!(line.diagnostics()[0].offset(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the argument of DEEP is not a `deep-status`, apart from the deviations that `options`
    /// allow, or if the line is longer than [`MAX_CAPA_LINE_BYTES`].
    pub fn parse(line: &'a str, options: StatusOptions) -> Result<Option<Self>, ParseError> {
        let line = KeywordLine::parse(line, MAX_CAPA_LINE_BYTES, options)?;
        Ok(line.map(Self))
    }

    /// Creates the line that advertises a status.
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Limit`](crate::EncodeErrorKind::Limit) if the line would be longer than
    /// [`MAX_CAPA_LINE_BYTES`].
    pub fn try_new(status: DeepStatus<'a>) -> Result<Self, EncodeError> {
        KeywordLine::try_new(status, MAX_CAPA_LINE_BYTES).map(Self)
    }

    /// Returns the advertised status.
    #[must_use]
    pub const fn status(&self) -> &DeepStatus<'a> {
        self.0.status()
    }

    /// Returns the advertised status, without the line.
    #[must_use]
    pub fn into_status(self) -> DeepStatus<'a> {
        self.0.into_status()
    }

    /// Returns the deviations from the grammar that were accepted, with their places in the line.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.0.diagnostics()
    }
}

impl fmt::Display for CapaLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
