//! The authserv-id alone; the rest of the value is not parsed.

use super::{
    error::ParseError,
    rules::{Failure, Read, Rules, token},
    text::{Form, Span, Text},
};

/// Parses the authserv-id of a value and no text after it, e.g. to find the local server's field among many.
///
/// Comments and folds before the id are skipped, also folds with a bare LF. UTF-8 is accepted. No memory is
/// allocated.
///
/// # Errors
/// Returns [`ErrorKind::Expected`](crate::syntax::ErrorKind::Expected) if the value does not begin with a token
/// or a quoted-string, or if other text than white space, a comment or `;` follows it; and
/// [`ErrorKind::UnclosedComment`](crate::syntax::ErrorKind::UnclosedComment),
/// [`ErrorKind::UnclosedQuotedString`](crate::syntax::ErrorKind::UnclosedQuotedString) or
/// [`ErrorKind::Control`](crate::syntax::ErrorKind::Control) for a fault in the comments or the id.
pub fn authserv_id(value: &[u8]) -> Result<Text<'_>, ParseError> {
    let (rest, id) = scan(value).map_err(|error| match error {
        nom::Err::Error(failure) | nom::Err::Failure(failure) => failure.locate(value),
        // The rules are of `nom`'s complete kind, which never returns `Incomplete`.
        nom::Err::Incomplete(_) => Failure::expected(FIELD, value).locate(value),
    })?;
    match rest.first() {
        Some(b'=') => Err(Failure::expected(FIELD, rest).locate(value)),
        _ => Ok(id),
    }
}

/// Parses like [`authserv_id`], but accepts a `=` after the id. Then the text is the method of a result.
#[cfg(feature = "strip")]
pub(crate) fn id_or_method(value: &[u8]) -> Result<Text<'_>, ()> {
    scan(value).map(|(_, id)| id).map_err(|_| ())
}

const FIELD: &str = "authserv-id";

fn scan(value: &[u8]) -> Read<'_, Text<'_>> {
    let rules = Rules::lenient();
    let (start, ()) = rules.cfws(value, |_, _, _| Ok(()))?;
    let (rest, form, plain) = if start.first() == Some(&b'"') {
        let (rest, plain) = rules.quoted_string(start)?;
        (rest, Form::QuotedString, plain)
    } else {
        (token(start, FIELD)?.0, Form::Token, true)
    };
    if !matches!(
        rest.first(),
        None | Some(b';' | b' ' | b'\t' | b'\r' | b'\n' | b'(' | b'=')
    ) {
        return Err(Failure::expected(FIELD, rest).error());
    }
    let place = |at: &[u8]| {
        let offset = value.len().saturating_sub(at.len());
        u32::try_from(offset).map_err(|_| Failure::expected(FIELD, at).error())
    };
    let span = Span::new(place(start)?, place(rest)?);
    Ok((rest, Text::new(value, span, form, plain)))
}

/// Returns the text after the id, and after the white space and comments that follow the id.
#[cfg(feature = "strip")]
pub(crate) fn rest_after<'a>(value: &'a [u8], id: Text<'_>) -> Result<&'a [u8], ()> {
    skip_cfws(value.get(id.span().end()..).ok_or(())?)
}

/// Skips white space and comments.
#[cfg(feature = "strip")]
pub(crate) fn skip_cfws(input: &[u8]) -> Result<&[u8], ()> {
    let (rest, ()) = Rules::lenient()
        .cfws(input, |_, _, _| Ok(()))
        .map_err(|_| ())?;
    Ok(rest)
}
