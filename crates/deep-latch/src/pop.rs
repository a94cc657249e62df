//! The DEEP capability of POP, draft-newman-email-deep-02 section 7.2: one line of the answer to CAPA.

use alloc::string::String;

use crate::{
    error::{EncodeError, ParseError},
    status::{DeepStatus, Diagnostic, StatusOptions, keyword_line, parse_keyword_line},
};

/// The longest line of a capability list without its CRLF, in bytes: RFC 2449 section 3 has 512 with it.
pub const MAX_CAPA_LINE_BYTES: usize = 510;

/// Reads a line of the answer to CAPA, without its CRLF. Nothing when it is another capability's.
///
/// ```
/// # use deep_latch::{SecurityTag, parse_capa_line};
/// let line = "DEEP tls10 tls12 <https://www.example.com/privacy-support.html>";
/// let status = parse_capa_line(line)?.ok_or("not DEEP")?;
/// assert!(status.tags().eq([SecurityTag::TLS10, SecurityTag::TLS12]));
/// assert_eq!(parse_capa_line("SASL PLAIN SCRAM-SHA-1")?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it is that of DEEP and its argument is no `deep-status`, or it is longer than
/// [`MAX_CAPA_LINE_BYTES`].
pub fn parse_capa_line(line: &str) -> Result<Option<DeepStatus<'_>>, ParseError> {
    parse_capa_line_with(line, StatusOptions::default(), |_| {})
}

/// The same with leniency; tells what it let through.
///
/// ```
/// # use deep_latch::{StatusOptions, parse_capa_line_with};
/// let options = StatusOptions {
///     allow_extra_spaces: true,
///     ..StatusOptions::default()
/// };
/// let mut offsets = Vec::new();
/// let status = parse_capa_line_with("DEEP  tls10", options, |it| offsets.push(it.offset()))?;
/// assert_eq!(status.map(|status| status.tags().count()), Some(1));
/// assert_eq!(offsets, [5]);
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
///
/// # Errors
/// As [`parse_capa_line`], for what is not let through.
pub fn parse_capa_line_with(
    line: &str,
    options: StatusOptions,
    diagnostic: impl FnMut(Diagnostic),
) -> Result<Option<DeepStatus<'_>>, ParseError> {
    parse_keyword_line(line, MAX_CAPA_LINE_BYTES, options, diagnostic)
}

/// Writes the line, without its CRLF.
///
/// ```
/// # use deep_latch::{DeepStatus, capa_line};
/// assert_eq!(capa_line(&DeepStatus::parse("tls12 tls-cert")?)?, "DEEP tls12 tls-cert");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it would be longer than [`MAX_CAPA_LINE_BYTES`].
pub fn capa_line(status: &DeepStatus<'_>) -> Result<String, EncodeError> {
    keyword_line(status, MAX_CAPA_LINE_BYTES)
}
