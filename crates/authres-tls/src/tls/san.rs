//! Subject alternative names as OpenSSL prints them, the values of `cert.clientalt` and `cert.serveralt`:
//! `DNS:smtp.example.com, IP Address:192.0.2.1`.

use alloc::{borrow::Cow, string::String};
use core::{fmt, net::IpAddr};

use nom::{Parser, bytes::complete::take_while};

use super::{
    error::{ReadValue, ValueError, ValueErrorKind as Kind, ValueFailure, read_all},
    escape::{Escapes, hex_pair, push_escaped},
};
use crate::{slice, syntax::Text};

const LIST: &str = "subjectAltName";
const NAME: &str = "GeneralName";
const ESCAPES: Escapes = Escapes::Backslash;

/// Subject alternative names: a list in the order of the text.
///
/// OpenSSL escapes no characters when it prints them: the single name `a, DNS:b` is printed like two names. The
/// text can therefore contain names that are not in the certificate, if its owner chose names to that end. Trust
/// the names only if the certificate was verified. [`from_names`](Self::from_names) escapes.
///
/// ```
/// # use authres_tls::tls::san::{AltName, AltNames};
/// let names = AltNames::parse("DNS:smtp.example.com, IP Address:192.0.2.1")?;
/// let mut names = names.iter();
/// assert_eq!(names.next(), Some(AltName::Dns("smtp.example.com".into())));
/// assert_eq!(names.next(), Some(AltName::Ip([192, 0, 2, 1].into())));
/// # Ok::<(), authres_tls::tls::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AltNames<'a>(Cow<'a, str>);

impl<'a> AltNames<'a> {
    /// Parses a list. A name ends at a comma that a known kind of name follows; a DNS name or an IP address ends at
    /// any comma. A backslash escapes a comma, a quote or a backslash; with two hexadecimal digits it encodes
    /// an octet.
    ///
    /// # Errors
    /// Returns [`ValueErrorKind::Expected`](super::ValueErrorKind::Expected) if a name has no kind,
    /// [`Address`](super::ValueErrorKind::Address) if an IP address is malformed,
    /// [`BadEscape`](super::ValueErrorKind::BadEscape) if an escape is invalid,
    /// [`NotUtf8`](super::ValueErrorKind::NotUtf8) if a decoded name is not UTF-8, and
    /// [`Control`](super::ValueErrorKind::Control) for a control character.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, ValueError> {
        let text = text.into();
        if let Some(at) = text.find(|it: char| it.is_ascii_control()) {
            return Err(ValueError::new(Kind::Control, LIST, at));
        }
        read_all(&text, LIST, list)?;
        Ok(Self(text))
    }

    /// Parses the value of a property, without the white space that folding left in it.
    ///
    /// # Errors
    /// Returns the errors of [`parse`](Self::parse).
    pub fn from_text(text: Text<'a>) -> Result<Self, ValueError> {
        Self::parse(text.collapsed())
    }

    /// Builds a list of these names. A character that could make one name look like two is escaped, and so is every
    /// character outside printable ASCII.
    ///
    /// ```
    /// # use authres_tls::tls::san::{AltName, AltNames};
    /// let names = AltNames::from_names([AltName::Dns("a.example, DNS:bank.example".into())])?;
    /// assert_eq!(names.as_str(), "DNS:a.example\\, DNS:bank.example");
    /// assert_eq!(names.iter().count(), 1);
    /// # Ok::<(), authres_tls::tls::ValueError>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ValueErrorKind::Expected`](super::ValueErrorKind::Expected) if the kind of an [`AltName::Other`] is
    /// not one of OpenSSL's, because the list could not be parsed again.
    pub fn from_names<'t>(
        names: impl IntoIterator<Item = AltName<'t>>,
    ) -> Result<AltNames<'static>, ValueError> {
        let mut text = String::new();
        for name in names {
            if !text.is_empty() {
                text.push_str(", ");
            }
            match &name {
                AltName::Ip(address) => {
                    text.push_str("IP Address:");
                    let _ = fmt::Write::write_fmt(&mut text, format_args!("{address}"));
                }
                AltName::Dns(value) => push_name(&mut text, "DNS", value),
                AltName::Email(value) => push_name(&mut text, "email", value),
                AltName::Uri(value) => push_name(&mut text, "URI", value),
                AltName::Other { kind, value } => {
                    if known(kind) != Some(Known::Other) {
                        return Err(ValueError::new(Kind::Expected, NAME, 0));
                    }
                    push_name(&mut text, kind, value);
                }
            }
        }
        AltNames::parse(text)
    }

    /// Returns the text of the list.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the names in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = AltName<'_>> {
        let mut rest = Some(self.0.as_bytes()).filter(|text| !text.is_empty());
        // `parse` read the whole text, so that the rule does not fail here.
        core::iter::from_fn(move || {
            let (left, name) = general_name(rest?).ok()?;
            rest = left.split_first().map(|(_, left)| left);
            Some(name.value())
        })
    }

    /// Returns the names as ASCII, safe to fold. A list with a kind of name that [`from_names`](Self::from_names)
    /// does not write keeps its text.
    pub(crate) fn to_foldable(&self) -> String {
        let written = AltNames::from_names(self.iter());
        written.map_or_else(
            |_| self.0.clone().into_owned(),
            |names| names.0.into_owned(),
        )
    }

    /// Returns the list with its own text, not a borrowed one.
    #[must_use]
    pub fn into_owned(self) -> AltNames<'static> {
        AltNames(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for AltNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for AltNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AltNames").field(&self.0).finish()
    }
}

/// A `GeneralName` (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AltName<'n> {
    /// `DNS:`
    Dns(Cow<'n, str>),
    /// `IP Address:`
    Ip(IpAddr),
    /// `email:`
    Email(Cow<'n, str>),
    /// `URI:`
    Uri(Cow<'n, str>),
    /// Another kind: `othername`, `DirName`, `Registered ID`, or the label of another writer.
    Other {
        /// The kind as written.
        kind: Cow<'n, str>,
        /// The value.
        value: Cow<'n, str>,
    },
}

impl fmt::Display for AltName<'_> {
    /// Writes the name as it appears in a list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let (kind, value) = match self {
            Self::Ip(address) => return write!(f, "IP Address:{address}"),
            Self::Dns(value) => ("DNS", value),
            Self::Email(value) => ("email", value),
            Self::Uri(value) => ("URI", value),
            Self::Other { kind, value } => (&**kind, value),
        };
        push_name(&mut text, kind, value);
        f.pad(&text)
    }
}

/// A kind of name, by the label that OpenSSL or another writer prints before the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Dns,
    Ip,
    Email,
    Uri,
    Other,
}

const KINDS: &[(&str, Known)] = &[
    ("DNS", Known::Dns),
    ("IP Address", Known::Ip),
    ("IP", Known::Ip),
    ("email", Known::Email),
    ("RFC822", Known::Email),
    ("URI", Known::Uri),
    ("othername", Known::Other),
    ("DirName", Known::Other),
    ("Registered ID", Known::Other),
    ("RID", Known::Other),
    ("X400Name", Known::Other),
    ("EdiPartyName", Known::Other),
];

fn known(kind: &str) -> Option<Known> {
    let mut kinds = KINDS.iter();
    kinds
        .find(|(it, _)| it.eq_ignore_ascii_case(kind))
        .map(|(_, known)| *known)
}

const fn is_kind_character(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b' ' | b'-' | b'_' | b'.')
}

/// A name as written.
struct Written<'n> {
    kind: &'n str,
    known: Known,
    value: &'n str,
}

impl<'n> Written<'n> {
    fn value(self) -> AltName<'n> {
        let value = ESCAPES.decode_text(self.value);
        match self.known {
            Known::Dns => AltName::Dns(value),
            Known::Email => AltName::Email(value),
            Known::Uri => AltName::Uri(value),
            Known::Ip => match value.parse() {
                Ok(address) => AltName::Ip(address),
                // `parse` checked the address.
                Err(_) => AltName::Other {
                    kind: self.kind.into(),
                    value,
                },
            },
            Known::Other => AltName::Other {
                kind: self.kind.into(),
                value,
            },
        }
    }
}

/// Reads `name *( "," name )`. The empty text is a list.
fn list(input: &[u8]) -> ReadValue<'_, ()> {
    let mut rest = input;
    while !rest.is_empty() || rest.len() != input.len() {
        let (left, _) = general_name(rest)?;
        rest = match left {
            [b',', left @ ..] => left,
            _ => return Ok((left, ())),
        };
    }
    Ok((rest, ()))
}

fn blanks(input: &[u8]) -> ReadValue<'_> {
    take_while(|octet| octet == b' ').parse(input)
}

/// Reads the kind of a name, with the colon after it.
fn kind(input: &[u8]) -> ReadValue<'_, &str> {
    let (rest, _) = blanks(input)?;
    let (left, kind) = take_while(is_kind_character).parse(rest)?;
    let kind = slice::text(kind).trim_end();
    match left {
        [b':', left @ ..] if !kind.is_empty() => Ok((left, kind)),
        _ => Err(ValueFailure::new(Kind::Expected, NAME, rest).error()),
    }
}

/// Returns `true` if a name of a known kind begins here.
fn begins_name(input: &[u8]) -> bool {
    kind(input).is_ok_and(|(_, kind)| known(kind).is_some())
}

fn general_name(input: &[u8]) -> ReadValue<'_, Written<'_>> {
    let (value_start, kind) = kind(input)?;
    let known = known(kind).unwrap_or(Known::Other);
    let mut rest = value_start;
    loop {
        rest = match rest {
            [] => break,
            [b',', left @ ..] if matches!(known, Known::Dns | Known::Ip) || begins_name(left) => {
                break;
            }
            [b'\\', b',' | b'"' | b'\\', left @ ..] => left,
            [b'\\', high, low, left @ ..] if hex_pair(*high, *low).is_some() => left,
            [b'\\', ..] => return Err(ValueFailure::new(Kind::BadEscape, NAME, rest).error()),
            [_, left @ ..] => left,
        };
    }
    let value = slice::before(value_start, rest);
    let error = |kind| Err(ValueFailure::new(kind, NAME, value_start).error());
    let Ok(value) = core::str::from_utf8(value).map(|value| value.trim_matches(' ')) else {
        return error(Kind::NotUtf8);
    };
    if core::str::from_utf8(&ESCAPES.decode(value.as_bytes())).is_err() {
        return error(Kind::NotUtf8);
    }
    if known == Known::Ip && ESCAPES.decode_text(value).parse::<IpAddr>().is_err() {
        return error(Kind::Address);
    }
    Ok((rest, Written { kind, known, value }))
}

fn push_name(text: &mut String, kind: &str, value: &str) {
    text.push_str(kind);
    text.push(':');
    push_escaped(text, value, |_, octet| matches!(octet, b',' | b'"' | b'\\'));
}
