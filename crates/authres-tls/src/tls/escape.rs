//! Escapes in the texts of names: read in the forms of RFC 4514 and of OpenSSL, and written.

use alloc::{borrow::Cow, string::String, vec::Vec};

/// The escapes of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// A backslash before two hexadecimal digits, or before the character itself (RFC 4514 section 2.4).
    Backslash,
    /// `\x0A`, `\/` and `\+`. OpenSSL does not escape the backslash, so that any other one is text.
    Oneline,
}

impl Escapes {
    const fn before_digits(self) -> &'static [u8] {
        match self {
            Self::Backslash => b"\\",
            Self::Oneline => b"\\x",
        }
    }

    const fn allows(self, octet: u8) -> bool {
        match self {
            Self::Backslash => true,
            Self::Oneline => matches!(octet, b'/' | b'+'),
        }
    }

    /// Returns the octet that an escape at the start of `input` means, and what follows the escape.
    fn read(self, input: &[u8]) -> Option<(u8, &[u8])> {
        if let Some([high, low, rest @ ..]) = input.strip_prefix(self.before_digits())
            && let Some(octet) = hex_pair(*high, *low)
        {
            return Some((octet, rest));
        }
        match input {
            [b'\\', octet, rest @ ..] if self.allows(*octet) => Some((*octet, rest)),
            _ => None,
        }
    }

    /// Decodes the escapes in a value. A backslash that begins no escape is text.
    pub(crate) fn decode(self, value: &[u8]) -> Cow<'_, [u8]> {
        if !value.contains(&b'\\') {
            return Cow::Borrowed(value);
        }
        let mut octets = Vec::with_capacity(value.len());
        let mut rest = value;
        while let Some((first, after)) = rest.split_first() {
            let (octet, after) = self.read(rest).unwrap_or((*first, after));
            octets.push(octet);
            rest = after;
        }
        Cow::Owned(octets)
    }

    /// Decodes the escapes in a value whose escapes were found to make UTF-8 when it was read.
    pub(crate) fn decode_text(self, value: &str) -> Cow<'_, str> {
        match self.decode(value.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(value),
            Cow::Owned(octets) => {
                let text = String::from_utf8(octets);
                debug_assert!(text.is_ok(), "the value was checked");
                Cow::Owned(text.unwrap_or_default())
            }
        }
    }
}

/// Returns the octet that two hexadecimal digits make.
pub(crate) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let octet = digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?;
    u8::try_from(octet).ok()
}

/// Appends an octet as two hexadecimal digits.
pub(crate) fn push_hex(text: &mut String, octet: u8) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for digit in [octet >> 4, octet & 15] {
        text.extend(DIGITS.get(usize::from(digit)));
    }
}

/// Appends a value in printable ASCII. Every other octet becomes a backslash and two digits, and so does a space
/// that folding could add or remove: at an end, or after another space. `is_special` tells, by place and
/// octet, which other octets get a backslash.
pub(crate) fn push_escaped(text: &mut String, value: &str, is_special: impl Fn(usize, u8) -> bool) {
    let last = value.len().saturating_sub(1);
    let mut before = b' ';
    for (place, octet) in value.bytes().enumerate() {
        let may_vanish = octet == b' ' && (before == b' ' || place == last);
        if may_vanish || !matches!(octet, b' '..=b'~') {
            text.push('\\');
            push_hex(text, octet);
        } else {
            if is_special(place, octet) {
                text.push('\\');
            }
            text.push(char::from(octet));
        }
        before = octet;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_escapes_of_each_form() {
        for (escapes, value, decoded) in [
            (Escapes::Backslash, r"a\2Fb\,\\c\#", "a/b,\\c#"),
            (Escapes::Backslash, r"\C3\A9", "é"),
            (Escapes::Backslash, r"\x2F", "x2F"),
            (Escapes::Backslash, r"a\", "a\\"),
            (Escapes::Oneline, r"a\x2Fb\/c\+d", "a/b/c+d"),
            (Escapes::Oneline, r"\2F\\\,", r"\2F\\\,"),
            (Escapes::Oneline, r"\x2", r"\x2"),
        ] {
            assert_eq!(escapes.decode_text(value), decoded, "{escapes:?} {value}");
        }
    }

    #[test]
    fn escapes_special_octets_and_spaces_that_may_vanish() {
        let mut text = String::new();
        push_escaped(&mut text, " #a  b# é\n ", |place, octet| {
            place == 1 && octet == b'#'
        });
        assert_eq!(text, r"\20\#a \20b# \C3\A9\0A\20");
    }
}
