//! Domain names of hosts and mail domains, as A-labels (RFC 5890).

use std::{borrow::Cow, fmt, net::IpAddr, str::FromStr};

use idna::{
    AsciiDenyList,
    uts46::{DnsLength, Hyphens, Uts46},
};

/// The greatest length of a domain name without its final dot, in octets (RFC 1035 section 2.3.4).
pub const MAX_NAME_BYTES: usize = 253;

/// The greatest length of a label, in octets (RFC 1035 section 2.3.4).
pub const MAX_LABEL_BYTES: usize = 63;

/// The greatest length of the text that [`DomainName::parse`] reads, in octets. A name of U-labels can be
/// longer than its A-labels, but not by more than this.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The domain name of a host or of a mail domain: lower-case A-labels of letters, digits and hyphens, without a
/// final dot.
///
/// ```
/// use mail_implicit_tls::name::DomainName;
///
/// assert_eq!(DomainName::parse("IMAP.Bücher.example.")?.as_str(), "imap.xn--bcher-kva.example");
/// # Ok::<(), mail_implicit_tls::name::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct DomainName(String);

/// The reason why a text is not a [`DomainName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameErrorKind {
    /// The text is empty.
    Empty,
    /// A label is empty.
    EmptyLabel,
    /// A label has more than [`MAX_LABEL_BYTES`] octets.
    LabelTooLong,
    /// The name has more than [`MAX_NAME_BYTES`] octets.
    TooLong,
    /// The name is an IP address, or its last label is a number and the name could be read as one.
    IpAddress,
    /// A label has a character that host names exclude, begins or ends with a hyphen, or is not valid under
    /// IDNA (UTS #46 without deviations).
    Label,
}

/// A text that is not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameError {
    kind: NameErrorKind,
    offset: usize,
}

impl NameError {
    const FIELD: &str = "domain-name";

    const fn new(kind: NameErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(&self) -> NameErrorKind {
        self.kind
    }

    /// Returns the field of the error, which is always `domain-name`.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        Self::FIELD
    }

    /// Returns the offset in octets of the label that the error concerns, or of the whole name: 0.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.kind {
            NameErrorKind::Empty => "name is empty",
            NameErrorKind::EmptyLabel => "label is empty",
            NameErrorKind::LabelTooLong => "label has more than 63 octets",
            NameErrorKind::TooLong => "name has more than 253 octets",
            NameErrorKind::IpAddress => "host name expected but an IP address found",
            NameErrorKind::Label => "label is not valid in a host name",
        };
        write!(f, "{}: {problem} at byte {}", Self::FIELD, self.offset)
    }
}

impl std::error::Error for NameError {}

impl DomainName {
    /// Parses a domain name of A-labels or U-labels, with or without a final dot. Converts U-labels to A-labels
    /// and letters to lower case.
    ///
    /// # Errors
    /// Returns [`NameErrorKind::Empty`], [`EmptyLabel`](NameErrorKind::EmptyLabel),
    /// [`LabelTooLong`](NameErrorKind::LabelTooLong) or [`TooLong`](NameErrorKind::TooLong) for a name of wrong
    /// length, [`IpAddress`](NameErrorKind::IpAddress) for an IP address, and
    /// [`Label`](NameErrorKind::Label) for a label that is not valid in a host name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(NameError::new(NameErrorKind::Empty, 0));
        }
        if name.len() > MAX_TEXT_BYTES {
            return Err(NameError::new(NameErrorKind::TooLong, 0));
        }
        if name.parse::<IpAddr>().is_ok() {
            return Err(NameError::new(NameErrorKind::IpAddress, 0));
        }
        let ascii = to_ascii(name)?;
        let mut offset = 0_usize;
        for label in ascii.split('.') {
            let kind = match label {
                "" => Some(NameErrorKind::EmptyLabel),
                _ if label.len() > MAX_LABEL_BYTES => Some(NameErrorKind::LabelTooLong),
                _ => None,
            };
            if let Some(kind) = kind {
                return Err(NameError::new(kind, offset));
            }
            offset = offset.saturating_add(label.len()).saturating_add(1);
        }
        if ascii.len() > MAX_NAME_BYTES {
            return Err(NameError::new(NameErrorKind::TooLong, 0));
        }
        if ends_in_number(&ascii) {
            return Err(NameError::new(NameErrorKind::IpAddress, 0));
        }
        Ok(Self(ascii.into_owned()))
    }

    /// Returns the name as lower-case A-labels without a final dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the labels from left to right.
    #[must_use]
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// Returns `true` if the name is `ancestor` or a subdomain of it.
    #[must_use]
    pub fn is_within(&self, ancestor: &Self) -> bool {
        match self.0.strip_suffix(ancestor.as_str()) {
            Some(rest) => rest.is_empty() || rest.ends_with('.'),
            None => false,
        }
    }
}

/// Converts to A-labels. IDNA gives no position, so on failure each label is tried alone to find the first that
/// fails.
fn to_ascii(name: &str) -> Result<Cow<'_, str>, NameError> {
    let convert = |text| convert(text);
    if let Ok(ascii) = convert(name) {
        return Ok(ascii);
    }
    let mut offset = 0_usize;
    for label in name.split('.') {
        if label.is_empty() {
            return Err(NameError::new(NameErrorKind::EmptyLabel, offset));
        }
        if convert(label).is_err() {
            return Err(NameError::new(NameErrorKind::Label, offset));
        }
        offset = offset.saturating_add(label.len()).saturating_add(1);
    }
    Err(NameError::new(NameErrorKind::Label, 0))
}

/// Lengths are checked by the caller, which can say what is too long. Two hyphens in the third and fourth place
/// are accepted: such names exist, and `xn--` is checked by IDNA itself.
fn convert(text: &str) -> Result<Cow<'_, str>, idna::Errors> {
    Uts46::new().to_ascii(
        text.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Ignore,
    )
}

/// Returns `true` if the last label is a number, so that resolvers could read the name as an IPv4 address.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hexadecimal = last.strip_prefix("0x");
    !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for DomainName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for DomainName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for DomainName {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for DomainName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> Self {
        name.0
    }
}
