//! `deep-status`, draft-newman-email-deep-02 section 5.3: what a server advertises.

use alloc::{borrow::Cow, string::String};
use core::fmt;

use fluent_uri::Uri;

use crate::{
    error::{EncodeError, ErrorKind, ParseError},
    registry::DEEP,
    rules::{self, Failure, Read},
    tag::SecurityTag,
};

/// The longest `deep-status`, in bytes: that of a value in IMAP ID (RFC 2971 section 3.3). A line of POP
/// and SMTP holds less.
pub const MAX_STATUS_BYTES: usize = 1024;

/// What a reading of `deep-status` lets through beyond the grammar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusOptions {
    /// More than one space between elements, and spaces before the first and after the last.
    pub allow_extra_spaces: bool,
    /// Elements that are no `deep-tag`; they are passed over as `deep-extend` is.
    pub allow_malformed_elements: bool,
}

/// What a lenient reading let through, and where: the [`ErrorKind`] it would have been refused for.
pub type Diagnostic = ParseError;

/// `deep-tag`, draft-newman-email-deep-02 section 5.3: one element of a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeepTag<'a> {
    /// `security-tag`: the server commits to this facility.
    Tag(SecurityTag<'a>),
    /// `deep-https`: where a user reads what is wrong.
    Https(StatusUrl<'a>),
    /// `deep-extend`, which clients ignore; or what a lenient reading passed over.
    Extension(&'a str),
}

/// `deep-https`, draft-newman-email-deep-02 section 5.3: an https URL of RFC 3986 with a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatusUrl<'a>(Cow<'a, str>);

impl<'a> StatusUrl<'a> {
    /// Reads a URL that is the whole of `text`, without angle brackets.
    ///
    /// # Errors
    /// When it is not a URI, its scheme is not https, or it has no host.
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

    /// The URL, without angle brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same URL, independent of the text it was read from.
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
/// and extensions. It may be empty.
///
/// It is the text, checked once, and kept as it is: what is written is what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeepStatus<'a>(Cow<'a, str>);

impl<'a> DeepStatus<'a> {
    /// Reads a status that is the whole of `text`.
    ///
    /// # Errors
    /// When it is not a `deep-status`; the offset is that of the first byte that cannot be.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Self::parse_with(text, StatusOptions::default(), |_| {})
    }

    /// Reads a status with leniency, and tells what it let through.
    ///
    /// # Errors
    /// When it is not a `deep-status` even so. Other characters than the printable ones of ASCII, and more
    /// than [`MAX_STATUS_BYTES`], are refused always.
    pub fn parse_with(
        text: &'a str,
        options: StatusOptions,
        mut diagnostic: impl FnMut(Diagnostic),
    ) -> Result<Self, ParseError> {
        const FIELD: &str = "deep-status";
        if text.len() > MAX_STATUS_BYTES {
            let kind = ErrorKind::Limit {
                limit: MAX_STATUS_BYTES,
            };
            return Err(ParseError::new(kind, FIELD, MAX_STATUS_BYTES));
        }
        if text.is_empty() {
            return Ok(Self::default());
        }
        let printable = |octet: &u8| matches!(octet, b' '..=b'~');
        if let Some(offset) = text.as_bytes().iter().position(|octet| !printable(octet)) {
            return Err(ParseError::new(ErrorKind::Character, FIELD, offset));
        }
        let mut offset = 0_usize;
        for element in text.split(' ') {
            let read = match element {
                "" => Err(ParseError::new(ErrorKind::ExtraSpace, FIELD, 0)),
                element => rules::whole(element, field_of(element), deep_tag).map(drop),
            };
            if let Err(error) = read {
                let error = error.moved(offset);
                match (element, options) {
                    (
                        "",
                        StatusOptions {
                            allow_extra_spaces: true,
                            ..
                        },
                    ) => diagnostic(error),
                    ("", _) => return Err(error),
                    (
                        _,
                        StatusOptions {
                            allow_malformed_elements: true,
                            ..
                        },
                    ) => diagnostic(error),
                    _ => return Err(error),
                }
            }
            offset = offset.saturating_add(element.len()).saturating_add(1);
        }
        Ok(Self(Cow::Borrowed(text)))
    }

    /// A status of tags and perhaps a URL, for a server to advertise: tags first, in their order.
    ///
    /// # Errors
    /// When it would be longer than [`MAX_STATUS_BYTES`].
    pub fn try_new<'t>(
        tags: impl IntoIterator<Item = SecurityTag<'t>>,
        url: Option<&StatusUrl<'_>>,
    ) -> Result<DeepStatus<'static>, ParseError> {
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
        DeepStatus::parse(&text).map(DeepStatus::into_owned)
    }

    /// The status as it is spelt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The elements, in their order.
    pub fn elements(&self) -> impl Iterator<Item = DeepTag<'_>> {
        let elements = self.0.split(' ').filter(|element| !element.is_empty());
        elements.map(|element| match deep_tag(element) {
            Ok(("", deep_tag)) => deep_tag,
            // Let through by `allow_malformed_elements`.
            _ => DeepTag::Extension(element),
        })
    }

    /// The security tags, in their order.
    pub fn tags(&self) -> impl Iterator<Item = SecurityTag<'_>> {
        self.elements().filter_map(|element| match element {
            DeepTag::Tag(tag) => Some(tag),
            _ => None,
        })
    }

    /// The first URL. The text of the draft speaks of one, its ABNF allows more.
    #[must_use]
    pub fn url(&self) -> Option<StatusUrl<'_>> {
        self.elements().find_map(|element| match element {
            DeepTag::Https(url) => Some(url),
            _ => None,
        })
    }

    /// The same status, independent of the text it was read from.
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

/// A line of a capability list: a keyword that is or is not `DEEP`, and what follows the space behind it.
/// POP's `capability` (RFC 2449 section 3) and SMTP's `ehlo-line` (RFC 5321 section 4.1.1.1) are the same
/// here. The line may have as many bytes as `limit` says.
pub(crate) fn parse_keyword_line<'a>(
    line: &'a str,
    limit: usize,
    options: StatusOptions,
    mut diagnostic: impl FnMut(Diagnostic),
) -> Result<Option<DeepStatus<'a>>, ParseError> {
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
    let before = keyword.len().saturating_add(1);
    match text {
        None => Ok(Some(DeepStatus::default())),
        Some("") if !options.allow_extra_spaces => {
            Err(ParseError::new(ErrorKind::ExtraSpace, FIELD, before))
        }
        Some("") => {
            diagnostic(ParseError::new(ErrorKind::ExtraSpace, FIELD, before));
            Ok(Some(DeepStatus::default()))
        }
        Some(text) => {
            DeepStatus::parse_with(text, options, |error| diagnostic(error.moved(before)))
                .map(Some)
                .map_err(|error| error.moved(before))
        }
    }
}

/// Writes such a line.
pub(crate) fn keyword_line(status: &DeepStatus<'_>, limit: usize) -> Result<String, EncodeError> {
    let space = if status.as_str().is_empty() { "" } else { " " };
    let line = alloc::format!("{DEEP}{space}{status}");
    match line.len() > limit {
        true => Err(EncodeError::new(ErrorKind::Limit { limit }, "deep-status")),
        false => Ok(line),
    }
}

/// Which rule an element is of, by its first character.
const fn field_of(element: &str) -> &'static str {
    match element.as_bytes() {
        [b'<', ..] => "deep-https",
        [b'a'..=b'z' | b'A'..=b'Z', ..] => "security-tag",
        _ => "deep-extend",
    }
}

/// `deep-tag = deep-https / security-tag / deep-extend`. `input` ends where the next space is.
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
    let Some(behind) = input.strip_prefix('<') else {
        return Err(Failure::expected(FIELD, input).error());
    };
    let Some((url, rest)) = behind.split_once('>') else {
        return Err(Failure::expected(FIELD, "").error());
    };
    match StatusUrl::parse(url) {
        Ok(url) => Ok((rest, DeepTag::Https(url))),
        Err(error) => {
            let at = behind
                .split_at_checked(error.offset())
                .map_or("", |(_, at)| at);
            Err(Failure::new(error.kind(), FIELD, at).error())
        }
    }
}
