//! `SMTP-Security-Latch` in a delivery status notification (RFC 3464), draft-newman-email-deep-02 section 7.4:
//! written into the fields of a recipient, and read from them.

use alloc::vec::Vec;

use crate::{
    dsn::{SECURITY_LATCH_FIELD, parse_security_latch, security_latch_field},
    error::{ErrorKind, ParseError},
    tag::SecurityTag,
};

/// The field that a block of a recipient has, and that of the message has not (RFC 3464 section 2.3.2).
const FINAL_RECIPIENT: &str = "Final-Recipient";

const BLOCK: &str = "per-recipient-fields";

/// The blocks of a `message/delivery-status` (RFC 3464 section 2.1), without the empty lines between them:
/// first that of the message, then one for each recipient.
///
/// ```
/// # use deep_latch::delivery_status_blocks;
/// let body = b"Reporting-MTA: dns; a.example\r\n\r\nFinal-Recipient: rfc822; b@c.example\r\n";
/// let blocks: Vec<_> = delivery_status_blocks(body).collect();
/// assert_eq!(blocks.len(), 2);
/// assert_eq!(blocks[1], b"Final-Recipient: rfc822; b@c.example\r\n");
/// ```
pub fn delivery_status_blocks(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    core::iter::from_fn(move || {
        while let Some(behind) = rest.strip_prefix(b"\r\n") {
            rest = behind;
        }
        if rest.is_empty() {
            return None;
        }
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.map_or(rest.len(), |end| end.saturating_add(2));
        let (block, behind) = rest.split_at_checked(end).unwrap_or((rest, b""));
        rest = behind;
        Some(block)
    })
}

/// Writes the field behind the others of a recipient's block, which stay byte for byte as they are. It is
/// folded at 78.
///
/// ```
/// # use deep_latch::{SecurityTag, add_security_latch};
/// let block = b"Final-Recipient: rfc822; b@c.example\r\nAction: failed\r\nStatus: 5.7.0\r\n";
/// let block = add_security_latch(block, &[SecurityTag::TLS12, SecurityTag::TLS_CERT])?;
/// assert!(block.ends_with(b"Status: 5.7.0\r\nSMTP-Security-Latch: tls12 tls-cert\r\n"));
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
///
/// # Errors
/// When the block is not of a recipient, since it has no `Final-Recipient`; it has the field already; it is
/// not of lines that end with CRLF and none of which is empty; or there is no tag, or are too many.
pub fn add_security_latch(block: &[u8], tags: &[SecurityTag<'_>]) -> Result<Vec<u8>, ParseError> {
    let mut of_recipient = false;
    for (offset, field) in fields(block)? {
        of_recipient |= is_named(field, FINAL_RECIPIENT);
        if is_named(field, SECURITY_LATCH_FIELD) {
            return Err(ParseError::new(
                ErrorKind::Duplicate,
                SECURITY_LATCH_FIELD,
                offset,
            ));
        }
    }
    if !of_recipient {
        return Err(ParseError::new(
            ErrorKind::Expected,
            FINAL_RECIPIENT,
            block.len(),
        ));
    }
    let field = security_latch_field(tags)
        .map_err(|error| ParseError::new(error.kind(), error.field(), block.len()))?;
    Ok([block, field.as_bytes(), b"\r\n"].concat())
}

/// The tags that the field of a recipient's block names; nothing when it is not there.
///
/// # Errors
/// When the field is not of its form or stands twice; or the block is not of lines that end with CRLF and none
/// of which is empty.
pub fn security_latch_of(block: &[u8]) -> Result<Option<Vec<SecurityTag<'_>>>, ParseError> {
    let mut found = None;
    for (offset, field) in fields(block)? {
        if !is_named(field, SECURITY_LATCH_FIELD) {
            continue;
        }
        if found.is_some() {
            return Err(ParseError::new(
                ErrorKind::Duplicate,
                SECURITY_LATCH_FIELD,
                offset,
            ));
        }
        let text = core::str::from_utf8(field).map_err(|error| {
            let offset = offset.saturating_add(error.valid_up_to());
            ParseError::new(ErrorKind::Character, SECURITY_LATCH_FIELD, offset)
        })?;
        found = Some(parse_security_latch(text).map_err(|error| error.moved(offset))?);
    }
    Ok(found)
}

/// The fields, each from its name to before its last CRLF, and where it begins.
fn fields(block: &[u8]) -> Result<Vec<(usize, &[u8])>, ParseError> {
    let mut fields = Vec::new();
    let mut begin = 0_usize;
    let mut at = 0_usize;
    while let Some(rest) = block.get(at..).filter(|rest| !rest.is_empty()) {
        let end = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
        let end = end.unwrap_or(rest.len());
        let after = at.saturating_add(end);
        let behind = block.get(after..).unwrap_or_default();
        if end == 0 || !behind.starts_with(b"\r\n") {
            // An empty line, a bare CR or LF, or no end.
            return Err(ParseError::new(ErrorKind::Expected, BLOCK, after));
        }
        at = after.saturating_add(2);
        let next = block.get(at);
        if !matches!(next, Some(b' ' | b'\t')) {
            fields.push((begin, block.get(begin..after).unwrap_or_default()));
            begin = at;
        }
    }
    Ok(fields)
}

/// Whether a field has this name. White space before the colon was allowed once (RFC 5322 section 4.5.8).
fn is_named(field: &[u8], name: &str) -> bool {
    let colon = field.iter().position(|octet| *octet == b':');
    let of_field = colon
        .and_then(|colon| field.get(..colon))
        .unwrap_or_default();
    of_field
        .trim_ascii_end()
        .eq_ignore_ascii_case(name.as_bytes())
}
