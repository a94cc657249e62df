//! `deep-status`, draft-newman-email-deep-02 section 5.3: the status that a server advertises.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;

use fluent_uri::Uri;

use crate::{
    error::{EncodeError, EncodeErrorKind, ErrorKind, ParseError},
    registry::DEEP,
    rules::{self, Failure, Read},
    tag::SecurityTag,
};

/// The longest `deep-status`, in bytes: the limit of a value in IMAP ID (RFC 2971 section 3.3). A line of POP
/// or SMTP holds less.
pub const MAX_STATUS_BYTES: usize = 1024;

/// The deviations from the grammar of `deep-status` that a lenient parser accepts. None is accepted by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusOptions {
    /// Accepts more than one space between elements, and spaces before the first and after the last.
    pub allow_extra_spaces: bool,
    /// Accepts elements that are not a `deep-tag`, and ignores them as it does a `deep-extend`.
    pub allow_malformed_elements: bool,
}

/// A deviation from the grammar that a lenient parser accepted: the error that the strict parser returns.
pub type Diagnostic = ParseError;

/// `deep-tag`, draft-newman-email-deep-02 section 5.3: one element of a status.
///
/// ```abnf
/// deep-tag    = deep-https / security-tag / deep-extend
/// deep-extend = EXTCHAR *(EXTCHAR / ALPHA / "<")
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeepTag<'a> {
    /// `security-tag`: the server commits to this facility.
    Tag(SecurityTag<'a>),
    /// `deep-https`: a page that informs users about the service.
    Https(StatusUrl<'a>),
    /// `deep-extend`, which clients ignore; or an element that a lenient parser ignored.
    Extension(&'a str),
}

/// `deep-https`, draft-newman-email-deep-02 section 5.3: an https URL of RFC 3986 with a host.
///
/// ```abnf
/// deep-https = "<" URI ">"
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatusUrl<'a>(Cow<'a, str>);

impl<'a> StatusUrl<'a> {
    /// Parses a URL that is the whole of `text`, without angle brackets.
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotUri`], [`ErrorKind::NotHttps`] for another scheme, or [`ErrorKind::NoHost`].
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        const FIELD: &str = "deep-https";
        let refuse = |kind, offset| Err(ParseError::new(kind, FIELD, offset));
        let uri = match Uri::parse(text) {
            Ok(uri) => uri,
            Err(error) => return refuse(ErrorKind::NotUri, error.index()),
        };
        if !uri.scheme().as_str().eq_ignore_ascii_case("https") {
            return refuse(ErrorKind::NotHttps, 0);
        }
        match uri.authority() {
            Some(authority) if !authority.host().is_empty() => Ok(Self(Cow::Borrowed(text))),
            _ => refuse(ErrorKind::NoHost, "https:".len()),
        }
    }

    /// Returns the URL, without angle brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the URL with its own copy of the text.
    #[must_use]
    pub fn into_owned(self) -> StatusUrl<'static> {
        StatusUrl(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for StatusUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `deep-status`, draft-newman-email-deep-02 section 5.3: security tags that the server commits to, a URL,
/// and extensions. A status may be empty.
///
/// ```abnf
/// deep-status = [deep-tag *(SP deep-tag)]
/// ```
///
/// The type keeps the text that was read and writes the same text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeepStatus<'a>(Cow<'a, str>);

impl<'a> DeepStatus<'a> {
    /// Parses a status that is the whole of `text`.
    ///
    /// # Errors
    /// Returns an error if `text` is not a `deep-status`. Its offset is that of the first byte that the grammar
    /// does not allow.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Self::parse_with(text, StatusOptions::default())
    }

    /// Parses a status and accepts the deviations that `options` allow. [`diagnostics`](Self::diagnostics) lists
    /// them.
    ///
    /// ```
    /// # use deep_latch::{DeepStatus, status::StatusOptions};
    /// let options = StatusOptions {
    ///     allow_malformed_elements: true,
    ///     ..StatusOptions::default()
    /// };
    /// let status = DeepStatus::parse_with("tls10 tls.12", options)?;
    /// assert_eq!(status.tags().count(), 1);
    /// assert_eq!(status.diagnostics()[0].to_string(), "security-tag: unexpected text after the end at byte 9");
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error for any deviation that `options` do not allow. Characters other than the printable ones
    /// of ASCII, and texts longer than [`MAX_STATUS_BYTES`], are never accepted.
    pub fn parse_with(text: &'a str, options: StatusOptions) -> Result<Self, ParseError> {
        const FIELD: &str = "deep-status";
        if text.len() > MAX_STATUS_BYTES {
            let kind = ErrorKind::Limit {
                limit: MAX_STATUS_BYTES,
            };
            return Err(ParseError::new(kind, FIELD, MAX_STATUS_BYTES));
        }
        let printable = |octet: &u8| matches!(octet, b' '..=b'~');
        if let Some(offset) = text.as_bytes().iter().position(|octet| !printable(octet)) {
            return Err(ParseError::new(ErrorKind::Character, FIELD, offset));
        }
        let mut refused = deviations(text).filter(|error| match error.kind() {
            // Only an empty element is such a space.
            ErrorKind::ExtraSpace => !options.allow_extra_spaces,
            _ => !options.allow_malformed_elements,
        });
        match refused.next() {
            Some(error) => Err(error),
            None => Ok(Self(Cow::Borrowed(text))),
        }
    }

    /// Creates a status of tags and, optionally, a URL, for a server to advertise: the tags first, in their order.
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Limit`] if the status would be longer than [`MAX_STATUS_BYTES`].
    pub fn try_new<'t>(
        tags: impl IntoIterator<Item = SecurityTag<'t>>,
        url: Option<&StatusUrl<'_>>,
    ) -> Result<DeepStatus<'static>, EncodeError> {
        let mut text = String::new();
        for tag in tags {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(tag.as_str());
        }
        if let Some(url) = url {
            let space = if text.is_empty() { "" } else { " " };
            text.extend([space, "<", url.as_str(), ">"]);
        }
        if text.len() > MAX_STATUS_BYTES {
            let limit = MAX_STATUS_BYTES;
            let kind = EncodeErrorKind::Limit { limit };
            return Err(EncodeError::new(kind, "deep-status"));
        }
        Ok(DeepStatus(Cow::Owned(text)))
    }

    /// Returns the deviations from the grammar that [`parse_with`](Self::parse_with) accepted, in their order:
    /// the errors that [`parse`](Self::parse) would return.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        deviations(&self.0).collect()
    }

    /// Returns the status in the spelling that was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the elements, in their order.
    pub fn elements(&self) -> impl Iterator<Item = DeepTag<'_>> {
        let elements = self.0.split(' ').filter(|element| !element.is_empty());
        elements.map(|element| match deep_tag(element) {
            Ok(("", deep_tag)) => deep_tag,
            // Accepted by `allow_malformed_elements`.
            _ => DeepTag::Extension(element),
        })
    }

    /// Returns the security tags, in their order.
    pub fn tags(&self) -> impl Iterator<Item = SecurityTag<'_>> {
        self.elements().filter_map(|element| match element {
            DeepTag::Tag(tag) => Some(tag),
            _ => None,
        })
    }

    /// Returns the first URL. The draft's text mentions one, its ABNF allows more.
    #[must_use]
    pub fn url(&self) -> Option<StatusUrl<'_>> {
        self.elements().find_map(|element| match element {
            DeepTag::Https(url) => Some(url),
            _ => None,
        })
    }

    /// Returns the status with its own copy of the text.
    #[must_use]
    pub fn into_owned(self) -> DeepStatus<'static> {
        DeepStatus(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for DeepStatus<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A line of a capability list that has DEEP as its keyword. POP's `capability` (RFC 2449 section 3) and SMTP's
/// `ehlo-line` (RFC 5321 section 4.1.1.1) are the same here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeywordLine<'a> {
    status: DeepStatus<'a>,
    /// A space follows the keyword, and no status follows the space.
    trailing_space: bool,
}

impl<'a> KeywordLine<'a> {
    /// Length of the keyword with the space after it.
    const BEFORE: usize = DEEP.len() + 1;

    /// Parses a line of at most `limit` bytes. Returns `None` for another keyword.
    pub(crate) fn parse(
        line: &'a str,
        limit: usize,
        options: StatusOptions,
    ) -> Result<Option<Self>, ParseError> {
        const FIELD: &str = "deep-status";
        let (keyword, text) = match line.split_once(' ') {
            Some((keyword, text)) => (keyword, Some(text)),
            None => (line, None),
        };
        if !keyword.eq_ignore_ascii_case(DEEP) {
            return Ok(None);
        }
        if line.len() > limit {
            return Err(ParseError::new(ErrorKind::Limit { limit }, FIELD, limit));
        }
        let trailing_space = text == Some("");
        if trailing_space && !options.allow_extra_spaces {
            return Err(ParseError::new(ErrorKind::ExtraSpace, FIELD, Self::BEFORE));
        }
        let status = DeepStatus::parse_with(text.unwrap_or_default(), options)
            .map_err(|error| error.moved(Self::BEFORE))?;
        Ok(Some(Self {
            status,
            trailing_space,
        }))
    }

    /// Creates the line of a status. Fails if it would have more than `limit` bytes.
    pub(crate) fn try_new(status: DeepStatus<'a>, limit: usize) -> Result<Self, EncodeError> {
        let length = match status.as_str() {
            "" => DEEP.len(),
            text => Self::BEFORE.saturating_add(text.len()),
        };
        if length > limit {
            let kind = EncodeErrorKind::Limit { limit };
            return Err(EncodeError::new(kind, "deep-status"));
        }
        Ok(Self {
            status,
            trailing_space: false,
        })
    }

    pub(crate) const fn status(&self) -> &DeepStatus<'a> {
        &self.status
    }

    pub(crate) fn into_status(self) -> DeepStatus<'a> {
        self.status
    }

    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        if self.trailing_space {
            let kind = ErrorKind::ExtraSpace;
            return Vec::from([ParseError::new(kind, "deep-status", Self::BEFORE)]);
        }
        let diagnostics = self.status.diagnostics().into_iter();
        diagnostics.map(|it| it.moved(Self::BEFORE)).collect()
    }
}

impl fmt::Display for KeywordLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status.as_str() {
            "" => f.write_str(DEEP),
            status => write!(f, "{DEEP} {status}"),
        }
    }
}

/// Returns the error of each element that is not a `deep-tag`, with its place in `text`.
fn deviations(text: &str) -> impl Iterator<Item = ParseError> {
    let mut offset = 0_usize;
    // An empty text has no element.
    let elements = text.split(' ').filter(move |_| !text.is_empty());
    elements.filter_map(move |element| {
        let start = offset;
        offset = start.saturating_add(element.len()).saturating_add(1);
        let read = match element {
            "" => Err(ParseError::new(ErrorKind::ExtraSpace, "deep-status", 0)),
            element => rules::whole(element, field_of(element), deep_tag),
        };
        Some(read.err()?.moved(start))
    })
}

/// Returns the name of the rule that an element belongs to, by its first character.
const fn field_of(element: &str) -> &'static str {
    match element.as_bytes() {
        [b'<', ..] => "deep-https",
        [b'a'..=b'z' | b'A'..=b'Z', ..] => "security-tag",
        _ => "deep-extend",
    }
}

/// `deep-tag = deep-https / security-tag / deep-extend`. `input` ends at the next space.
fn deep_tag(input: &str) -> Read<'_, DeepTag<'_>> {
    match input.as_bytes() {
        [b'<', ..] => deep_https(input),
        [b'a'..=b'z' | b'A'..=b'Z', ..] => rules::security_tag(input)
            .map(|(rest, tag)| (rest, DeepTag::Tag(SecurityTag::trusted(tag)))),
        _ => rules::deep_extend(input).map(|(rest, text)| (rest, DeepTag::Extension(text))),
    }
}

/// `deep-https = "<" URI ">"`
fn deep_https(input: &str) -> Read<'_, DeepTag<'_>> {
    const FIELD: &str = "deep-https";
    let Some(inside) = input.strip_prefix('<') else {
        return Err(Failure::expected(FIELD, input).error());
    };
    let Some((url, rest)) = inside.split_once('>') else {
        return Err(Failure::expected(FIELD, "").error());
    };
    match StatusUrl::parse(url) {
        Ok(url) => Ok((rest, DeepTag::Https(url))),
        Err(error) => {
            let at = inside
                .split_at_checked(error.offset())
                .map_or("", |(_, at)| at);
            Err(Failure::new(error.kind(), FIELD, at).error())
        }
    }
}
