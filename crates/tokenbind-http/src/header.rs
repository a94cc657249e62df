//! The `Token-Binding` header (draft-balfanz-https-token-binding-00 section 2).

use std::fmt;

use base64::{
    DecodeError, Engine,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};

/// The header's name, in lower case as HTTP/2 requires.
pub const TOKEN_BINDING: &str = "token-binding";

/// The header's name, parsed once.
#[cfg(feature = "tower")]
pub(crate) static NAME: http::HeaderName = http::HeaderName::from_static(TOKEN_BINDING);

/// The name, in lower case, of the response header with which a token consumer permits the client to
/// reveal its binding to the token provider (section 3.3). The header's value is `true`.
pub const INCLUDE_REFERER_TOKEN_BINDING_ID: &str = "include-referer-token-binding-id";

/// The longest value that is read, in bytes: the longest message, of 65,537 bytes, with padding. Two
/// bindings of RSA keys take 1416; the rest is room for extensions, which are ignored. The cost of a value grows
/// linearly with its length. An HTTP server may have a lower limit of its own: hyper's for HTTP/2 is 16 kB for all
/// headers of a request.
pub const MAX_HEADER_BYTES: usize = 87_384;

/// Encodings that are accepted beyond the draft's. None by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderOptions {
    /// Accepts correct `=` padding, which RFC 4648 section 5 has and the draft does not mention.
    pub allow_padding: bool,
}

/// The kind of a [`HeaderError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderErrorKind {
    /// The request has more than one `Token-Binding` header.
    Duplicate,
    /// The value is empty.
    Empty,
    /// The value is longer than [`MAX_HEADER_BYTES`].
    TooLong {
        /// The length in bytes.
        actual: usize,
    },
    /// The value contains a comma, as a list does.
    List,
    /// The value contains a space or a control character.
    Whitespace,
    /// The value contains `+` or `/`, of the standard alphabet of base64.
    StandardAlphabet,
    /// The value contains another octet that is not of the base64url alphabet.
    Alphabet,
    /// The value contains `=` where it is not allowed or not correct.
    Padding,
    /// No number of bytes encodes to this number of characters.
    Length,
    /// The last character has unused bits that are not zero: the value is not canonical.
    TrailingBits,
}

/// An error in the `Token-Binding` headers of a request: kind, and offset in the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderError {
    kind: HeaderErrorKind,
    offset: usize,
}

impl HeaderError {
    const fn new(kind: HeaderErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(self) -> HeaderErrorKind {
        self.kind
    }

    /// Returns the field as the draft spells it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        "Token-Binding"
    }

    /// Returns the offset in bytes from the start of the value.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl HeaderErrorKind {
    /// Returns the kind's name as it appears in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Empty => "empty",
            Self::TooLong { .. } => "too-long",
            Self::List => "list",
            Self::Whitespace => "whitespace",
            Self::StandardAlphabet => "standard-alphabet",
            Self::Alphabet => "alphabet",
            Self::Padding => "padding",
            Self::Length => "length",
            Self::TrailingBits => "trailing-bits",
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Duplicate => "more than one header",
            Self::Empty => "the value is empty",
            Self::TooLong { .. } => "the value is too long",
            Self::List => "a comma, though one value is expected",
            Self::Whitespace => "a space or a control character",
            Self::StandardAlphabet => "a character of base64 that base64url lacks",
            Self::Alphabet => "an octet outside of the base64url alphabet",
            Self::Padding => "padding that is not allowed or not correct",
            Self::Length => "a length that base64url cannot have",
            Self::TrailingBits => "unused bits that are not zero",
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Token-Binding: {} at byte {}",
            self.kind.text(),
            self.offset
        )
    }
}

impl std::error::Error for HeaderError {}

/// Encodes a `TokenBindingMessage` as the value of the header: base64url without padding.
#[must_use]
pub fn encode(message: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(message)
}

/// The `Token-Binding` headers of one request (section 2):
///
/// ```text
/// Token-Binding = "Token-Binding" ":" EncodedTokenBindingMessage
/// EncodedTokenBindingMessage = 1*( ALPHA / DIGIT / "-" / "_" )   ; base64url, RFC 4648 section 5
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header<'v> {
    /// The request has no such header.
    None,
    /// The request has one, with this value.
    One(&'v [u8]),
    /// The request has more than one.
    Many,
}

impl<'v> Header<'v> {
    /// Creates the header of a request from the values of all its `Token-Binding` headers.
    pub fn from_values(values: impl IntoIterator<Item = &'v [u8]>) -> Self {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Self::None,
            (Some(value), None) => Self::One(value),
            (Some(_), Some(_)) => Self::Many,
        }
    }

    /// Decodes the `TokenBindingMessage`; `None` if the request has no such header.
    ///
    /// # Errors
    /// [`HeaderErrorKind::Duplicate`] if there is more than one header; the other kinds if the value is
    /// not exactly what [`encode`] returns.
    pub fn decode(self, options: HeaderOptions) -> Result<Option<Vec<u8>>, HeaderError> {
        match self {
            Self::None => Ok(None),
            Self::One(value) => decode_value(value, options).map(Some),
            // balfanz-2-2
            Self::Many => Err(HeaderError::new(HeaderErrorKind::Duplicate, 0)),
        }
    }
}

fn decode_value(value: &[u8], options: HeaderOptions) -> Result<Vec<u8>, HeaderError> {
    if value.is_empty() {
        return Err(HeaderError::new(HeaderErrorKind::Empty, 0));
    }
    let actual = value.len();
    if actual > MAX_HEADER_BYTES {
        return Err(HeaderError::new(
            HeaderErrorKind::TooLong { actual },
            MAX_HEADER_BYTES,
        ));
    }
    let padding = value.iter().rev().take_while(|octet| **octet == b'=');
    let padding = if options.allow_padding {
        padding.count()
    } else {
        0
    };
    let characters = actual.saturating_sub(padding);
    let decoded = if padding > 0 {
        URL_SAFE.decode(value)
    } else {
        URL_SAFE_NO_PAD.decode(value)
    };
    decoded.map_err(|error| {
        // The engine checks the last character first.
        let offender = value
            .iter()
            .take(characters)
            .enumerate()
            .find_map(|(offset, octet)| Some((offset, octet_kind(*octet)?)));
        match (offender, error) {
            (Some((offset, kind)), _) => HeaderError::new(kind, offset),
            (None, DecodeError::InvalidLastSymbol { .. }) => {
                HeaderError::new(HeaderErrorKind::TrailingBits, characters.saturating_sub(1))
            }
            (None, _) if padding > 0 => HeaderError::new(HeaderErrorKind::Padding, characters),
            (None, _) => HeaderError::new(HeaderErrorKind::Length, actual),
        }
    })
}

/// Returns the kind of error for an octet that is not of the base64url alphabet.
const fn octet_kind(octet: u8) -> Option<HeaderErrorKind> {
    Some(match octet {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => return None,
        b',' => HeaderErrorKind::List,
        b'=' => HeaderErrorKind::Padding,
        b'+' | b'/' => HeaderErrorKind::StandardAlphabet,
        0..=b' ' | 0x7f => HeaderErrorKind::Whitespace,
        _ => HeaderErrorKind::Alphabet,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(value: &[u8], allow_padding: bool) -> (HeaderErrorKind, usize) {
        let error = Header::One(value)
            .decode(HeaderOptions { allow_padding })
            .expect_err("refused");
        (error.kind(), error.offset())
    }

    #[test]
    fn refuses_a_second_header() {
        let decode = |values: &[&'static [u8]]| {
            Header::from_values(values.iter().copied()).decode(HeaderOptions::default())
        };
        assert_eq!(decode(&[]), Ok(None));
        assert_eq!(decode(&[b"AAH-"]), Ok(Some(vec![0, 1, 0xfe])));
        let duplicate = HeaderError::new(HeaderErrorKind::Duplicate, 0);
        assert_eq!(decode(&[b"AAH-", b"AAH-"]), Err(duplicate));
    }

    #[test]
    fn refuses_other_than_canonical_base64url_with_its_offset() {
        use HeaderErrorKind::*;
        for (value, kind, offset) in [
            (&b""[..], Empty, 0),
            (b"AAH-,AAH-", List, 4),
            (b" AAH-", Whitespace, 0),
            (b"AAH-\t", Whitespace, 4),
            (b"AA\r\nH-", Whitespace, 2),
            (b"AA\0-", Whitespace, 2),
            (b"AAH+", StandardAlphabet, 3),
            (b"AA/-", StandardAlphabet, 2),
            (b"AA.-", Alphabet, 2),
            (b"AA\xff-", Alphabet, 2),
            (b"AA==", Padding, 2),
            (b"AB", TrailingBits, 1),
            (b"AAF", TrailingBits, 2),
        ] {
            assert_eq!(
                refusal(value, false),
                (kind, offset),
                "{:?}",
                value.escape_ascii().to_string()
            );
        }
        assert_eq!(
            refusal(&[b'A'; 87_385], false),
            (TooLong { actual: 87_385 }, 87_384)
        );
        assert_eq!(refusal(b"AAAAA", false).0, Length);
    }

    #[test]
    fn accepts_correct_padding_as_an_option() {
        let options = HeaderOptions {
            allow_padding: true,
        };
        assert_eq!(Header::One(b"AA==").decode(options), Ok(Some(vec![0])));
        assert_eq!(Header::One(b"AA").decode(options), Ok(Some(vec![0])));
        assert_eq!(refusal(b"AA=", true).0, HeaderErrorKind::Padding);
        assert_eq!(refusal(b"AB==", true), (HeaderErrorKind::TrailingBits, 1));
    }

    proptest! {
        #[test]
        fn decodes_what_it_encodes_and_nothing_else(
            message in prop::collection::vec(any::<u8>(), 1..600), value in "[A-Za-z0-9_\\-=+/ ,]{0,24}",
        ) {
            let options = HeaderOptions::default();
            let written = encode(&message);
            prop_assert_eq!(Header::One(written.as_bytes()).decode(options), Ok(Some(message)));
            if let Ok(Some(read)) = Header::One(value.as_bytes()).decode(options) {
                prop_assert_eq!(encode(&read), value);
            }
        }
    }
}
