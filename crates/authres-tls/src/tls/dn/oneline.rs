//! OpenSSL's one-line form, `/O=b/CN=a`, which no standard defines: an attribute begins at a `/` or `+` that an
//! attribute type and a `=` follow.

use super::{
    Attribute, DnForm, NAME, VALUE,
    rfc4514::{attribute_type, equals},
};
use crate::{
    slice,
    tls::{
        error::{ReadValue, ValueErrorKind as Kind, ValueFailure},
        escape::Escapes,
    },
};

/// Reads all attributes of a name.
pub(super) fn oneline(input: &[u8]) -> ReadValue<'_, ()> {
    let mut rest = input;
    while !rest.is_empty() {
        (rest, _) = attribute(rest)?;
    }
    Ok((rest, ()))
}

/// Reads an attribute with the `/` or `+` before it.
pub(super) fn attribute(input: &[u8]) -> ReadValue<'_, Attribute<'_>> {
    let [b'/' | b'+', rest @ ..] = input else {
        return Err(ValueFailure::new(Kind::Expected, NAME, input).error());
    };
    let (rest, attribute_type) = attribute_type(rest)?;
    let (rest, value) = oneline_value(equals(rest)?)?;
    let attribute = Attribute {
        attribute_type: slice::text(attribute_type),
        value: slice::text(value),
        form: DnForm::Oneline,
    };
    Ok((rest, attribute))
}

/// Reads a value: the text up to the next `/` or `+` that an attribute follows.
fn oneline_value(input: &[u8]) -> ReadValue<'_> {
    let mut rest = input;
    loop {
        rest = match rest {
            [] => break,
            [b'/' | b'+', left @ ..] => match attribute_type(left) {
                Ok(([b'=', ..], _)) => break,
                _ => left,
            },
            [b'\\', b'/' | b'+', left @ ..] => left,
            [_, left @ ..] => left,
        };
    }
    let value = slice::before(input, rest);
    if core::str::from_utf8(&Escapes::Oneline.decode(value)).is_err() {
        return Err(ValueFailure::new(Kind::NotUtf8, VALUE, input).error());
    }
    Ok((rest, value))
}
