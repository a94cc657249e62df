//! The grammar of RFC 4514, with what OpenSSL prints besides: spaces around the separators, and the quoted
//! strings of RFC 2253.
//!
//! ```text
//! distinguishedName     = [ relativeDistinguishedName *( COMMA relativeDistinguishedName ) ]
//! relativeDistinguishedName = attributeTypeAndValue *( PLUS attributeTypeAndValue )
//! attributeTypeAndValue = attributeType EQUALS attributeValue
//! attributeType         = descr / numericoid
//! attributeValue        = string / hexstring
//! ```

use nom::{
    Parser,
    branch::alt,
    bytes::complete::{tag, tag_no_case, take_while},
    character::complete::{alpha1, digit1, hex_digit1},
    combinator::{opt, recognize},
    multi::many1_count,
    sequence::preceded,
};

use super::{Attribute, DnForm, TYPE, VALUE};
use crate::{
    slice,
    tls::{
        error::{ReadValue, ValueErrorKind as Kind, ValueFailure},
        escape::{Escapes, hex_pair},
    },
};

/// Reads a whole name. The empty text is a name.
pub(super) fn distinguished_name(input: &[u8]) -> ReadValue<'_, ()> {
    let mut rest = input;
    while !rest.is_empty() || rest.len() != input.len() {
        let (left, _) = attribute(rest)?;
        rest = match left {
            [b',' | b'+', left @ ..] => left,
            _ => return Ok((left, ())),
        };
    }
    Ok((rest, ()))
}

/// Reads an `attributeTypeAndValue`, with spaces around its parts.
pub(super) fn attribute(input: &[u8]) -> ReadValue<'_, Attribute<'_>> {
    let (rest, _) = spaces(input)?;
    let (rest, attribute_type) = attribute_type(rest)?;
    let (rest, _) = spaces(rest)?;
    let (rest, _) = spaces(equals(rest)?)?;
    let (rest, value) = attribute_value(rest)?;
    let (rest, _) = spaces(rest)?;
    let attribute = Attribute {
        attribute_type: slice::text(attribute_type),
        value: slice::text(value),
        form: DnForm::Rfc4514,
    };
    Ok((rest, attribute))
}

/// Reads an `attributeType`: a descriptor, or an OID, with or without `OID.` before it.
pub(super) fn attribute_type(input: &[u8]) -> ReadValue<'_> {
    let is_keychar = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    let dot = || tag(&b"."[..]);
    let numeric = || recognize((digit1, many1_count(preceded(dot(), digit1))));
    let prefixed = recognize(preceded(tag_no_case(&b"OID."[..]), numeric()));
    let descriptor = recognize((alpha1, take_while(is_keychar)));
    alt((prefixed, numeric(), descriptor))
        .parse(input)
        .map_err(|_: nom::Err<ValueFailure>| ValueFailure::new(Kind::Expected, TYPE, input).error())
}

fn spaces(input: &[u8]) -> ReadValue<'_> {
    take_while(|octet| octet == b' ').parse(input)
}

pub(super) fn equals(input: &[u8]) -> Result<&[u8], nom::Err<ValueFailure>> {
    match input {
        [b'=', rest @ ..] => Ok(rest),
        _ => Err(ValueFailure::new(Kind::Expected, "EQUALS", input).error()),
    }
}

/// Reads an `attributeValue`: `#` and hexadecimal, a string, or the quoted string of RFC 2253.
fn attribute_value(input: &[u8]) -> ReadValue<'_> {
    let (rest, value) = match input {
        [b'#', digits @ ..] => {
            let (rest, digits) = opt(hex_digit1::<_, ValueFailure>).parse(digits)?;
            if digits.is_none_or(|digits| !digits.len().is_multiple_of(2)) {
                return Err(ValueFailure::new(Kind::Expected, "hexstring", input).error());
            }
            (rest, slice::before(input, rest))
        }
        [b'"', ..] => quoted(input)?,
        _ => string(input)?,
    };
    checked_utf8(value, input)?;
    Ok((rest, value))
}

pub(super) const fn is_special(octet: u8) -> bool {
    matches!(octet, b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\')
}

/// Skips an escape.
fn pair(input: &[u8]) -> Result<&[u8], nom::Err<ValueFailure>> {
    match input {
        [b'\\', octet, rest @ ..] if is_special(*octet) || matches!(octet, b' ' | b'#' | b'=') => {
            Ok(rest)
        }
        [b'\\', high, low, rest @ ..] if hex_pair(*high, *low).is_some() => Ok(rest),
        _ => Err(ValueFailure::new(Kind::BadEscape, VALUE, input).error()),
    }
}

/// Reads a `string`: the text up to a `,` or `+` that is not escaped, without unescaped spaces before it.
fn string(input: &[u8]) -> ReadValue<'_> {
    let (mut rest, mut end) = (input, input);
    loop {
        match rest {
            [] | [b',' | b'+', ..] => break,
            [b'\\', ..] => {
                rest = pair(rest)?;
                end = rest;
            }
            [octet, ..] if is_special(*octet) => {
                return Err(ValueFailure::new(Kind::Unescaped, VALUE, rest).error());
            }
            [octet, left @ ..] => {
                rest = left;
                if *octet != b' ' {
                    end = rest;
                }
            }
        }
    }
    Ok((end, slice::before(input, end)))
}

/// Reads a quoted string, in which only the quote and the backslash need be escaped.
fn quoted(input: &[u8]) -> ReadValue<'_> {
    let mut rest = input.split_first().map_or(input, |(_, rest)| rest);
    loop {
        match rest {
            [] => return Err(ValueFailure::new(Kind::Unclosed, VALUE, input).error()),
            [b'"', rest @ ..] => return Ok((rest, slice::before(input, rest))),
            [b'\\', ..] => rest = pair(rest)?,
            [_, left @ ..] => rest = left,
        }
    }
}

/// Checks that the decoded value is UTF-8.
fn checked_utf8(value: &[u8], at: &[u8]) -> Result<(), nom::Err<ValueFailure>> {
    let high = |pair: &[u8]| matches!(pair, [b'\\', b'8'..=b'9' | b'A'..=b'F' | b'a'..=b'f']);
    if value.windows(2).any(high)
        && core::str::from_utf8(&Escapes::Backslash.decode(value)).is_err()
    {
        return Err(ValueFailure::new(Kind::NotUtf8, VALUE, at).error());
    }
    Ok(())
}
