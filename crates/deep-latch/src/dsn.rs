//! `SMTP-Security-Latch`, draft-newman-email-deep-02 section 7.4: the field of a delivery status notification
//! that names the latches that failed.

use alloc::{string::String, vec::Vec};

use nom::{Parser, bytes::complete::tag_no_case};

use crate::{
    error::{EncodeError, ErrorKind, ParseError},
    rules::{self, Failure, Read},
    tag::{MAX_TAGS, SecurityTag},
};

/// The name of the field.
pub const SECURITY_LATCH_FIELD: &str = "SMTP-Security-Latch";

/// A line of a message is folded before it gets longer than this, in bytes (RFC 5322 section 2.1.1).
const LINE_BYTES: usize = 78;

/// Reads `smtp-security-latch`, draft-newman-email-deep-02 section 7.4: the field with its name, folded or
/// not, without the CRLF that ends it.
///
/// ```
/// # use deep_latch::{SecurityTag, parse_security_latch};
/// let tags = parse_security_latch("SMTP-Security-Latch: (of mx.example.com) tls12\r\n tls-cert")?;
/// assert_eq!(tags, [SecurityTag::TLS12, SecurityTag::TLS_CERT]);
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
///
/// # Errors
/// When it is not such a field, or has more tags than [`MAX_TAGS`]. Its ABNF wants white space or a comment
/// behind the colon, and allows comments nowhere else.
pub fn parse_security_latch(field: &str) -> Result<Vec<SecurityTag<'_>>, ParseError> {
    rules::whole(field, FIELD, smtp_security_latch)
}

/// The same without the name and the colon: what a reader of fields gives as the field's body. It must be the
/// body as it is in the message, with the white space that it begins with.
///
/// ```
/// # use deep_latch::{SecurityTag, parse_security_latch_body};
/// assert_eq!(parse_security_latch_body(" tls12")?, [SecurityTag::TLS12]);
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
///
/// # Errors
/// As [`parse_security_latch`].
pub fn parse_security_latch_body(body: &str) -> Result<Vec<SecurityTag<'_>>, ParseError> {
    rules::whole(body, FIELD, security_latch_body)
}

/// Writes the field, without the CRLF that ends it; it is folded when it is long.
///
/// ```
/// # use deep_latch::{SecurityTag, security_latch_field};
/// let field = security_latch_field(&[SecurityTag::TLS12, SecurityTag::TLS_CERT])?;
/// assert_eq!(field, "SMTP-Security-Latch: tls12 tls-cert");
/// # Ok::<(), deep_latch::EncodeError>(())
/// ```
///
/// # Errors
/// When there is no tag, or are more than [`MAX_TAGS`].
pub fn security_latch_field(tags: &[SecurityTag<'_>]) -> Result<String, EncodeError> {
    let mut field = String::from(SECURITY_LATCH_FIELD);
    field.push(':');
    if tags.is_empty() {
        return Err(EncodeError::new(ErrorKind::Empty, FIELD));
    }
    if tags.len() > MAX_TAGS {
        let limit = MAX_TAGS;
        return Err(EncodeError::new(ErrorKind::Limit { limit }, FIELD));
    }
    let mut line = field.len();
    for (place, tag) in tags.iter().enumerate() {
        let length = tag.as_str().len().saturating_add(1);
        line = line.saturating_add(length);
        // Not before the first: some readers take a line of the name alone for an empty field.
        if line > LINE_BYTES && place > 0 {
            field.push_str("\r\n");
            line = length;
        }
        field.extend([" ", tag.as_str()]);
    }
    Ok(field)
}

const FIELD: &str = "smtp-security-latch";

/// `smtp-security-latch = "SMTP-Security-Latch:" CFWS security-tag *(FWS security-tag)`
fn smtp_security_latch(input: &str) -> Read<'_, Vec<SecurityTag<'_>>> {
    let (rest, _) = (tag_no_case(SECURITY_LATCH_FIELD), tag_no_case(":"))
        .parse(input)
        .map_err(|_: nom::Err<Failure>| Failure::expected(FIELD, input).error())?;
    security_latch_body(rest)
}

fn security_latch_body(input: &str) -> Read<'_, Vec<SecurityTag<'_>>> {
    let (mut rest, ()) = rules::cfws(input, FIELD)?;
    let mut tags = Vec::new();
    loop {
        if tags.len() == MAX_TAGS {
            let limit = MAX_TAGS;
            return Err(Failure::new(ErrorKind::Limit { limit }, FIELD, rest).error());
        }
        let tag;
        (rest, tag) = rules::security_tag(rest)?;
        tags.push(SecurityTag::trusted(tag));
        if rest.is_empty() {
            return Ok((rest, tags));
        }
        (rest, ()) = rules::fws(rest, FIELD)?;
    }
}
