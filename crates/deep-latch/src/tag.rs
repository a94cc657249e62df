//! Security tags, draft-newman-email-deep-02 section 5.1, and lists of them.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

pub use crate::rules::MAX_TAG_BYTES;
use crate::{
    error::{ErrorKind, ParseError},
    rules,
};

/// The most tags in a list. The registry has four; a longer list is an attack on the reader.
pub const MAX_TAGS: usize = 64;

/// `security-tag`, draft-newman-email-deep-02 section 5.1: the name of a security facility.
///
/// ```abnf
/// security-tag = ALPHA *63(ALPHA / DIGIT / "-" / "_")
/// ```
///
/// Names are equal without regard to the case of letters, as all keywords of IMAP, POP and SMTP are;
/// the spelling is kept.
#[derive(Clone, Debug)]
pub struct SecurityTag<'a>(Cow<'a, str>);

impl<'a> SecurityTag<'a> {
    /// TLS 1.0 or later with a key of at least 128 bits.
    pub const TLS10: SecurityTag<'static> = SecurityTag(Cow::Borrowed("tls10"));
    /// TLS 1.2 or later with a key of at least 128 bits.
    pub const TLS12: SecurityTag<'static> = SecurityTag(Cow::Borrowed("tls12"));
    /// The server's certificate and its identity were verified with PKIX.
    pub const TLS_CERT: SecurityTag<'static> = SecurityTag(Cow::Borrowed("tls-cert"));
    /// The server's certificate and its identity were verified with DANE.
    pub const TLS_DANE_TLSA: SecurityTag<'static> = SecurityTag(Cow::Borrowed("tls-dane-tlsa"));

    /// Parses a tag that is the whole of `text`.
    ///
    /// # Errors
    /// Returns an error if `text` is not a `security-tag`. Its offset is that of the first byte that the grammar
    /// does not allow.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        rules::whole(text, "security-tag", rules::security_tag).map(Self::trusted)
    }

    /// Parses a list of one or more tags that is the whole of `text`: the value of `latch`, `latch-fail` or
    /// `security-tags`. The error names `field`. Order and repetitions are kept.
    ///
    /// ```
    /// # use deep_latch::{SecurityTag, tag::Separator};
    /// let tags = SecurityTag::parse_list("tls10,tls-cert", Separator::Comma, "latch")?;
    /// assert_eq!(tags, [SecurityTag::TLS10, SecurityTag::TLS_CERT]);
    /// assert_eq!(SecurityTag::join(&tags, Separator::Space), "tls10 tls-cert");
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ErrorKind::Empty`] for an empty text, [`ErrorKind::Limit`] for more than [`MAX_TAGS`] tags, and
    /// the errors of [`parse`](Self::parse) for an element that is not a tag.
    pub fn parse_list(
        text: &'a str,
        separator: Separator,
        field: &'static str,
    ) -> Result<Vec<Self>, ParseError> {
        let mut tags = Vec::new();
        let mut offset = 0_usize;
        if text.is_empty() {
            return Err(ParseError::new(ErrorKind::Empty, field, 0));
        }
        for part in text.split(char::from(separator.octet())) {
            if tags.len() == MAX_TAGS {
                let kind = ErrorKind::Limit { limit: MAX_TAGS };
                return Err(ParseError::new(kind, field, offset));
            }
            tags.push(SecurityTag::parse(part).map_err(|error| error.moved(offset))?);
            offset = offset.saturating_add(part.len()).saturating_add(1);
        }
        Ok(tags)
    }

    /// Writes a list as [`parse_list`](Self::parse_list) reads it. Without tags the text is empty.
    #[must_use]
    pub fn join<'t>(tags: impl IntoIterator<Item = &'t Self>, separator: Separator) -> String
    where
        'a: 't,
    {
        let mut text = String::new();
        for tag in tags {
            if !text.is_empty() {
                text.push(char::from(separator.octet()));
            }
            text.push_str(tag.as_str());
        }
        text
    }

    /// Wraps a text that the grammar has accepted.
    pub(crate) const fn trusted(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Returns the tag in the spelling that was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the tag with its own copy of the text.
    #[must_use]
    pub fn into_owned(self) -> SecurityTag<'static> {
        SecurityTag(Cow::Owned(self.0.into_owned()))
    }

    /// Returns the tag's text in lower case: the one spelling of equal tags.
    #[must_use]
    pub fn to_lowercase(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Returns the tag without a copy of the text.
    #[must_use]
    pub fn borrowed(&self) -> SecurityTag<'_> {
        SecurityTag(Cow::Borrowed(&self.0))
    }
}

impl PartialEq for SecurityTag<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for SecurityTag<'_> {}

impl PartialOrd for SecurityTag<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SecurityTag<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = |octet: u8| octet.to_ascii_lowercase();
        (self.0.bytes().map(lower)).cmp(other.0.bytes().map(lower))
    }
}

impl Hash for SecurityTag<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.0.bytes() {
            state.write_u8(octet.to_ascii_lowercase());
        }
        // An end mark, as str has: two lists of tags must not give the same sequence of bytes.
        state.write_u8(0xff);
    }
}

impl fmt::Display for SecurityTag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The separator of the tags in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Separator {
    /// A space: IMAP, section 7.1.
    Space,
    /// A comma: SMTP, section 7.3.
    Comma,
}

impl Separator {
    pub(crate) const fn octet(self) -> u8 {
        match self {
            Self::Space => b' ',
            Self::Comma => b',',
        }
    }
}
