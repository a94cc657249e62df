//! `SMTP-Security-Latch` in delivery status notifications (RFC 3464), draft-newman-email-deep-02 section 7.4: the
//! field, and the fields of a recipient that it is added to.

mod block;

use alloc::vec::Vec;
use core::fmt;

use nom::{Parser, bytes::complete::tag_no_case};

pub use block::DeliveryStatusBlock;

use crate::{
    error::{EncodeError, EncodeErrorKind, ErrorKind, ParseError},
    rules::{self, Failure, Read},
    tag::{MAX_TAGS, SecurityTag},
};

/// The length at which a line of a message is folded, in bytes (RFC 5322 section 2.1.1).
const LINE_BYTES: usize = 78;

const FIELD: &str = "smtp-security-latch";

/// `smtp-security-latch`, draft-newman-email-deep-02 section 7.4: the latches that failed.
///
/// ```abnf
/// smtp-security-latch = "SMTP-Security-Latch:" CFWS security-tag *(FWS security-tag)
/// ```
///
/// [`Display`](fmt::Display) writes the field without the CRLF that ends it, and folds it where it is long.
///
/// ```
/// use deep_latch::{SecurityTag, dsn::SecurityLatchField};
///
/// let field = SecurityLatchField::parse("SMTP-Security-Latch: (of mx.example.com) tls12\r\n tls-cert")?;
/// assert_eq!(field.tags(), [SecurityTag::TLS12, SecurityTag::TLS_CERT]);
/// assert_eq!(field.to_string(), "SMTP-Security-Latch: tls12 tls-cert");
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityLatchField<'a> {
    tags: Vec<SecurityTag<'a>>,
}

impl<'a> SecurityLatchField<'a> {
    /// The name of the field.
    pub const NAME: &'static str = "SMTP-Security-Latch";

    /// Parses the field with its name, folded or not, without the CRLF that ends it.
    ///
    /// # Errors
    /// Returns an error if `field` is not such a field, and [`ErrorKind::Limit`] for more than [`MAX_TAGS`] tags.
    /// The ABNF requires white space or a comment after the colon, and allows comments nowhere else.
    pub fn parse(field: &'a str) -> Result<Self, ParseError> {
        rules::whole(field, FIELD, smtp_security_latch)
    }

    /// Parses the body of the field: the text after the colon, as it is in the message, with the white space at its
    /// beginning.
    ///
    /// ```
    /// # use deep_latch::{SecurityTag, dsn::SecurityLatchField};
    /// assert_eq!(SecurityLatchField::parse_body(" tls12")?.tags(), [SecurityTag::TLS12]);
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`parse`](Self::parse).
    pub fn parse_body(body: &'a str) -> Result<Self, ParseError> {
        rules::whole(body, FIELD, security_latch_body)
    }

    /// Creates the field of some tags.
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Empty`] without tags, and [`EncodeErrorKind::Limit`] for more than [`MAX_TAGS`].
    pub fn try_new(tags: impl Into<Vec<SecurityTag<'a>>>) -> Result<Self, EncodeError> {
        let tags = tags.into();
        if tags.is_empty() {
            return Err(EncodeError::new(EncodeErrorKind::Empty, FIELD));
        }
        if tags.len() > MAX_TAGS {
            let limit = MAX_TAGS;
            return Err(EncodeError::new(EncodeErrorKind::Limit { limit }, FIELD));
        }
        Ok(Self { tags })
    }

    /// Returns the tags, in their order.
    #[must_use]
    pub fn tags(&self) -> &[SecurityTag<'a>] {
        &self.tags
    }

    /// Returns the tags, in their order, without the field.
    #[must_use]
    pub fn into_tags(self) -> Vec<SecurityTag<'a>> {
        self.tags
    }
}

impl fmt::Display for SecurityLatchField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", Self::NAME)?;
        let mut line = Self::NAME.len().saturating_add(1);
        for (place, tag) in self.tags.iter().enumerate() {
            let length = tag.as_str().len().saturating_add(1);
            line = line.saturating_add(length);
            // Not before the first tag: some readers take a line of the name alone for an empty field.
            if line > LINE_BYTES && place > 0 {
                f.write_str("\r\n")?;
                line = length;
            }
            write!(f, " {tag}")?;
        }
        Ok(())
    }
}

/// `smtp-security-latch = "SMTP-Security-Latch:" CFWS security-tag *(FWS security-tag)`
fn smtp_security_latch(input: &str) -> Read<'_, SecurityLatchField<'_>> {
    let (rest, _) = (tag_no_case(SecurityLatchField::NAME), tag_no_case(":"))
        .parse(input)
        .map_err(|_: nom::Err<Failure>| Failure::expected(FIELD, input).error())?;
    security_latch_body(rest)
}

fn security_latch_body(input: &str) -> Read<'_, SecurityLatchField<'_>> {
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
            return Ok((rest, SecurityLatchField { tags }));
        }
        (rest, ()) = rules::fws(rest, FIELD)?;
    }
}
