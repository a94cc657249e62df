//! The `Token-Binding` header (draft-balfanz-https-token-binding-00 section 2).

use std::fmt;

use base64::{
    DecodeError, Engine,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};

/// The header's name, in lower case as HTTP/2 has it.
pub const TOKEN_BINDING: &str = "token-binding";

/// The same as a name that no request parses.
#[cfg(feature = "tower")]
pub(crate) static NAME: http::HeaderName = http::HeaderName::from_static(TOKEN_BINDING);

/// The name of the response header with which a token consumer permits the client to reveal its binding
/// to the token provider it is sent to (section 3.3), in lower case as HTTP/2 has it. Its value is
/// `true`.
pub const INCLUDE_REFERER_TOKEN_BINDING_ID: &str = "include-referer-token-binding-id";

/// The longest value that is read, in bytes: what the longest message of 65,537 bytes takes, with padding. Two
/// bindings of RSA keys take 1416; the rest is room for extensions, which are ignored. The cost of a value grows
/// linearly with its length. An HTTP server may have a lower limit of its own: hyper's for HTTP/2 is 16 kB for all
/// headers of a request.
pub const MAX_HEADER_BYTES: usize = 87_384;

/// What a reader lets through beyond the draft. Nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderOptions {
    /// Correct `=` padding: RFC 4648 section 5 has it, the draft's example of use does not say.
    pub allow_padding: bool,
}

/// Why the headers of a request are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderErrorKind {
    /// More than one `Token-Binding` header.
    Duplicate,
    /// The value is empty.
    Empty,
    /// The value is longer than [`MAX_HEADER_BYTES`].
    TooLong {
        /// The length in bytes.
        actual: usize,
    },
    /// A list: a comma stands in the value.
    List,
    /// A blank or a control character stands in the value.
    Whitespace,
    /// `+` or `/`: the standard alphabet of base64.
    StandardAlphabet,
    /// Another octet that is not of the base64url alphabet.
    Alphabet,
    /// `=`, where it is not allowed or not correct.
    Padding,
    /// The number of characters is one that no number of bytes encodes to.
    Length,
    /// The last character has bits that stand for nothing: the value is not canonical.
    TrailingBits,
}

/// The `Token-Binding` header of a request is refused: kind, and offset in its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderError {
    kind: HeaderErrorKind,
    offset: usize,
}

impl HeaderError {
    const fn new(kind: HeaderErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(self) -> HeaderErrorKind {
        self.kind
    }

    /// The field as the draft spells it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        "Token-Binding"
    }

    /// Where, in bytes from the start of the value.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl HeaderErrorKind {
    /// The kind's name as it stands in conformance vectors and logs.
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
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Token-Binding: {} at byte {}",
            self.kind.name(),
            self.offset
        )
    }
}

impl std::error::Error for HeaderError {}

/// The value of the header for these octets of a `TokenBindingMessage`: base64url, no padding.
#[must_use]
pub fn encode_header(message: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(message)
}

/// The `TokenBindingMessage` in the `Token-Binding` headers of a request, of which `values` are all;
/// `None` if there is no such header.
///
/// # Errors
/// When there is more than one header, or the one is not exactly what [`encode_header`] writes.
pub fn decode_header<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    options: HeaderOptions,
) -> Result<Option<Vec<u8>>, HeaderError> {
    let mut values = values.into_iter();
    // balfanz-2-2: one header, of one canonical value.
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(HeaderError::new(HeaderErrorKind::Duplicate, 0)),
        (Some(value), None) => decode_value(value, options).map(Some),
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
        // The engine looks at the last character first.
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

/// What is wrong with a character that is not of the base64url alphabet.
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
        let error = decode_header([value], HeaderOptions { allow_padding }).expect_err("refused");
        (error.kind(), error.offset())
    }

    #[test]
    fn no_header_is_no_message_and_two_are_refused() {
        let decode = |values: &[&'static [u8]]| {
            decode_header(values.iter().copied(), HeaderOptions::default())
        };
        assert_eq!(decode(&[]), Ok(None));
        assert_eq!(decode(&[b"AAH-"]), Ok(Some(vec![0, 1, 0xfe])));
        let duplicate = HeaderError::new(HeaderErrorKind::Duplicate, 0);
        assert_eq!(decode(&[b"AAH-", b"AAH-"]), Err(duplicate));
    }

    #[test]
    fn what_is_not_canonical_base64url_is_refused_with_its_place() {
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
    fn correct_padding_is_an_option() {
        let options = HeaderOptions {
            allow_padding: true,
        };
        assert_eq!(decode_header([&b"AA=="[..]], options), Ok(Some(vec![0])));
        assert_eq!(decode_header([&b"AA"[..]], options), Ok(Some(vec![0])));
        assert_eq!(refusal(b"AA=", true).0, HeaderErrorKind::Padding);
        assert_eq!(refusal(b"AB==", true), (HeaderErrorKind::TrailingBits, 1));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_what_is_read_is_written_again(
            message in prop::collection::vec(any::<u8>(), 1..600), value in "[A-Za-z0-9_\\-=+/ ,]{0,24}",
        ) {
            let options = HeaderOptions::default();
            let written = encode_header(&message);
            prop_assert_eq!(decode_header([written.as_bytes()], options), Ok(Some(message)));
            if let Ok(Some(read)) = decode_header([value.as_bytes()], options) {
                prop_assert_eq!(encode_header(&read), value);
            }
        }
    }
}
