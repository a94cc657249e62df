//! The forms that invariants of a grammar have.

use conformance::oracle::Broken;
use deep_latch::{EncodeError, ParseError, SecurityTag};

pub(super) fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(what()) }
}

pub(super) fn points_into(error: ParseError, text: &[u8]) -> Result<(), Broken> {
    check(error.offset() <= text.len(), || {
        format!("{error}: after the end at {} bytes", text.len())
    })
}

pub(super) fn encoded<T>(written: Result<T, EncodeError>) -> Result<T, Broken> {
    written.map_err(|error| format!("cannot write the value that was read: {error}"))
}

pub(super) fn decoded<T>(read: Result<T, ParseError>) -> Result<T, Broken> {
    read.map_err(|error| format!("cannot read the value that was written: {error}"))
}

/// Checks that a text with one byte less, or one more, at the end is refused or is another value.
pub(super) fn differs<T: PartialEq>(
    text: &str,
    read: impl Fn(&str) -> Option<T>,
    value: &T,
) -> Result<(), Broken> {
    let less = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    let more = ["0", "a", "-", "=", " ", ")", "\"", ",", ".", "\r\n", "\0"];
    let more = more.map(|more| [text, more].concat());
    let near = more.iter().map(String::as_str).chain([less]);
    for near in near.filter(|near| *near != text) {
        check(read(near).as_ref() != Some(value), || {
            format!("{near:?} is {text:?}")
        })?;
    }
    Ok(())
}

pub(super) fn owned(tags: Vec<SecurityTag<'_>>) -> Vec<SecurityTag<'static>> {
    tags.into_iter().map(SecurityTag::into_owned).collect()
}
