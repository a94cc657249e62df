//! The classes of octets that the rules are made of.

pub(crate) const fn is_wsp(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

pub(crate) const fn is_control(octet: u8) -> bool {
    matches!(octet, 0..=8 | 10..=31 | 127)
}

/// RFC 2045 section 5.1: any character but space, controls and tspecials.
pub(super) const TOKEN: u8 = 1;
/// RFC 5322 section 3.2.3, and the full stop of a dot-atom.
pub(super) const DOT_ATOM: u8 = 2;
/// The octets of a keyword (RFC 5321 section 4.1.2).
pub(super) const LDH: u8 = 4;
/// `_`, which a lenient reading accepts in a keyword.
pub(super) const UNDERSCORE: u8 = 32;
/// The octets of a quoted-string except quoted-pairs, folds and octets above ASCII.
pub(super) const QUOTED_TEXT: u8 = 8;
/// The octets of a comment, with the same exceptions.
pub(super) const COMMENT_TEXT: u8 = 16;
const CLASSES: [u8; 256] = classes();

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated when this is compiled"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut place = 0;
    while place < 256 {
        let octet = place as u8;
        if matches!(octet, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'~')
        {
            classes[place] |= TOKEN | DOT_ATOM;
        }
        if matches!(octet, b'/' | b'=' | b'?') {
            classes[place] |= DOT_ATOM;
        }
        if octet == b'_' {
            classes[place] |= UNDERSCORE;
        }
        if matches!(octet, b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z') {
            classes[place] |= LDH;
        }
        if matches!(octet, b'\t' | b' ' | b'!' | b'#'..=b'[' | b']'..=b'~') {
            classes[place] |= QUOTED_TEXT;
        }
        if matches!(octet, b'\t' | b' '..=b'\'' | b'*'..=b'[' | b']'..=b'~') {
            classes[place] |= COMMENT_TEXT;
        }
        place += 1;
    }
    classes
}

#[inline]
pub(super) fn is(octet: u8, class: u8) -> bool {
    CLASSES
        .get(usize::from(octet))
        .is_some_and(|classes| classes & class != 0)
}
