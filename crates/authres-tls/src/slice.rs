//! Parts of a slice that exist by construction. The parsers find each place in the slice itself, so that no
//! place lies outside; a debug build, and with it every test and every fuzz run, checks this.

use core::ops::Range;

/// Returns the octets from `start` on.
#[inline]
pub(crate) fn from(input: &[u8], start: usize) -> &[u8] {
    debug_assert!(start <= input.len(), "a part begins inside");
    input.get(start..).unwrap_or_default()
}

/// Returns the octets before `end`.
#[inline]
pub(crate) fn to(input: &[u8], end: usize) -> &[u8] {
    debug_assert!(end <= input.len(), "a part ends inside");
    input.get(..end).unwrap_or_default()
}

/// Returns the elements in a range.
#[inline]
pub(crate) fn range<T>(input: &[T], range: Range<usize>) -> &[T] {
    debug_assert!(
        range.start <= range.end && range.end <= input.len(),
        "a part lies inside"
    );
    input.get(range).unwrap_or_default()
}

/// Returns the octets before `rest`, which `input` ends with.
#[inline]
pub(crate) fn before<'a>(input: &'a [u8], rest: &[u8]) -> &'a [u8] {
    debug_assert!(rest.len() <= input.len(), "the rest is an end of the input");
    to(input, input.len().saturating_sub(rest.len()))
}

/// Returns the octets after the first one, of which there is at least one.
#[inline]
pub(crate) fn after_first(input: &[u8]) -> &[u8] {
    from(input, 1)
}

/// Returns the octets without the delimiter at each end: a quote, or a parenthesis.
#[inline]
pub(crate) fn inside(input: &[u8]) -> &[u8] {
    range(input, 1..input.len().saturating_sub(1))
}

/// Returns octets as text that were cut from a text beside ASCII characters.
#[inline]
pub(crate) fn text(octets: &[u8]) -> &str {
    let text = core::str::from_utf8(octets);
    debug_assert!(text.is_ok(), "a part of a text is a text");
    text.unwrap_or_default()
}
