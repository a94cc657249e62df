//! The fields of a delivery status notification (RFC 3464), draft-newman-email-deep-02 section 7.4.

use alloc::{format, vec::Vec};

use super::SecurityLatchField;
use crate::error::{ErrorKind, ParseError};

/// The field that the block of a recipient has and the block of the message lacks (RFC 3464 section 2.3.2).
const FINAL_RECIPIENT: &str = "Final-Recipient";

const BLOCK: &str = "per-recipient-fields";

const NAME: &str = SecurityLatchField::NAME;

/// A block of fields of a `message/delivery-status` (RFC 3464 section 2.1): that of the message, or that of a
/// recipient. Its fields are read when they are asked for.
///
/// ```
/// use deep_latch::{SecurityTag, dsn::{DeliveryStatusBlock, SecurityLatchField}};
///
/// let body = b"Reporting-MTA: dns; a.example\r\n\r\nFinal-Recipient: rfc822; b@c.example\r\n";
/// let blocks: Vec<_> = DeliveryStatusBlock::of_body(body).collect();
/// assert_eq!(blocks[1].as_bytes(), b"Final-Recipient: rfc822; b@c.example\r\n");
///
/// let field = SecurityLatchField::try_new([SecurityTag::TLS12, SecurityTag::TLS_CERT])?;
/// let added = blocks[1].with_security_latch(&field)?;
/// assert!(added.ends_with(b"c.example\r\nSMTP-Security-Latch: tls12 tls-cert\r\n"));
/// assert_eq!(DeliveryStatusBlock::new(&added).security_latch()?, Some(field));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryStatusBlock<'a>(&'a [u8]);

impl<'a> DeliveryStatusBlock<'a> {
    /// Creates a block from its lines, each with its CRLF.
    #[must_use]
    pub const fn new(lines: &'a [u8]) -> Self {
        Self(lines)
    }

    /// Returns the blocks of a `message/delivery-status`, without the empty lines between them: first the block of
    /// the message, then one block for each recipient.
    pub fn of_body(body: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut rest = body;
        core::iter::from_fn(move || {
            while let Some(after) = rest.strip_prefix(b"\r\n") {
                rest = after;
            }
            if rest.is_empty() {
                return None;
            }
            let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
            let end = end.map_or(rest.len(), |end| end.saturating_add(2));
            let (block, after) = rest.split_at_checked(end).unwrap_or((rest, b""));
            rest = after;
            Some(Self(block))
        })
    }

    /// Returns the lines.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Writes a recipient's block with the field after its other fields, which stay byte for byte the same.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Expected`] if the block has no `Final-Recipient`, or is not a sequence of lines that
    /// end with CRLF and are not empty; and [`ErrorKind::Duplicate`] if it has the field already.
    pub fn with_security_latch(
        &self,
        field: &SecurityLatchField<'_>,
    ) -> Result<Vec<u8>, ParseError> {
        let mut of_recipient = false;
        for (offset, field) in fields(self.0)? {
            of_recipient |= is_named(field, FINAL_RECIPIENT);
            if is_named(field, NAME) {
                return Err(ParseError::new(ErrorKind::Duplicate, NAME, offset));
            }
        }
        if !of_recipient {
            let (kind, at) = (ErrorKind::Expected, self.0.len());
            return Err(ParseError::new(kind, FINAL_RECIPIENT, at));
        }
        Ok([self.0, format!("{field}\r\n").as_bytes()].concat())
    }

    /// Parses the field `SMTP-Security-Latch` of a recipient's block, if the block has one.
    ///
    /// # Errors
    /// Returns an error if the field does not have the form of section 7.4; [`ErrorKind::Duplicate`] if the block has it
    /// twice; [`ErrorKind::Expected`] if the block is not a sequence of lines that end with CRLF and are not empty.
    pub fn security_latch(&self) -> Result<Option<SecurityLatchField<'a>>, ParseError> {
        let mut found = None;
        for (offset, field) in fields(self.0)? {
            if !is_named(field, NAME) {
                continue;
            }
            if found.is_some() {
                return Err(ParseError::new(ErrorKind::Duplicate, NAME, offset));
            }
            let text = core::str::from_utf8(field).map_err(|error| {
                let offset = offset.saturating_add(error.valid_up_to());
                ParseError::new(ErrorKind::Character, NAME, offset)
            })?;
            let parsed = SecurityLatchField::parse(text);
            found = Some(parsed.map_err(|error| error.moved(offset))?);
        }
        Ok(found)
    }
}

/// Returns the fields, each from its name to before its last CRLF, with the place where it begins.
fn fields(block: &[u8]) -> Result<Vec<(usize, &[u8])>, ParseError> {
    let mut fields = Vec::new();
    let mut begin = 0_usize;
    let mut at = 0_usize;
    while let Some(rest) = block.get(at..).filter(|rest| !rest.is_empty()) {
        let end = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
        let end = end.unwrap_or(rest.len());
        let line_end = at.saturating_add(end);
        let after = block.get(line_end..).unwrap_or_default();
        if end == 0 || !after.starts_with(b"\r\n") {
            // An empty line, a bare CR or LF, or no end.
            return Err(ParseError::new(ErrorKind::Expected, BLOCK, line_end));
        }
        at = line_end.saturating_add(2);
        let next = block.get(at);
        if !matches!(next, Some(b' ' | b'\t')) {
            fields.push((begin, block.get(begin..line_end).unwrap_or_default()));
            begin = at;
        }
    }
    Ok(fields)
}

/// Returns `true` if a field has this name. White space before the colon was allowed once (RFC 5322 section 4.5.8).
fn is_named(field: &[u8], name: &str) -> bool {
    let colon = field.iter().position(|octet| *octet == b':');
    let of_field = colon
        .and_then(|colon| field.get(..colon))
        .unwrap_or_default();
    of_field
        .trim_ascii_end()
        .eq_ignore_ascii_case(name.as_bytes())
}
