//! What must hold for any bytes as an `Authentication-Results` value.

mod write;

use authres_tls::{AuthenticationResults, Body, Options, Text};

pub use self::write::{edit, write, write_any};

use super::Broken;

/// What strict reads, lenient reads alike and without a word; what lenient refuses, strict refuses.
/// Every part is where it says it is, parts follow each other, and errors point into the value or
/// just behind it.
///
/// # Errors
/// What was broken.
pub fn header(value: &[u8]) -> Result<(), Broken> {
    for utf8 in [false, true] {
        let strict = AuthenticationResults::parse(value, &Options::strict().with_utf8(utf8));
        let lenient = AuthenticationResults::parse(value, &Options::lenient().with_utf8(utf8));
        for error in [&strict, &lenient]
            .into_iter()
            .filter_map(|read| read.as_ref().err())
        {
            if error.offset() > value.len() {
                return Err(format!("{error}: behind {} bytes", value.len()));
            }
        }
        if let Ok(strict) = &strict {
            if lenient.as_ref() != Ok(strict) {
                return Err(format!(
                    "strict and lenient differ: {strict:?} and {lenient:?}"
                ));
            }
            if !strict.diagnostics().is_empty() {
                return Err("strict let something through".into());
            }
        }
        if let Ok(lenient) = &lenient {
            places(value, lenient)?;
        }
    }
    Ok(())
}

fn places(value: &[u8], header: &AuthenticationResults<'_>) -> Result<(), Broken> {
    if header.as_bytes() != value {
        return Err("it is not written back as it was".into());
    }
    let mut last = 0;
    let mut place = |text: Text<'_>| -> Result<(), Broken> {
        let range = text.span().range();
        if value.get(range.clone()) != Some(text.raw()) {
            return Err(format!("{text:?} is not where it says"));
        }
        if range.start < last {
            return Err(format!("{text:?} stands before what it follows"));
        }
        last = range.end;
        let unfolded = text.unfolded_bytes();
        if unfolded
            .iter()
            .any(|octet| matches!(octet, b'\r' | b'\n' | 0))
        {
            return Err(format!("{text:?} has a line break in its value"));
        }
        Ok(())
    };
    place(header.authserv_id())?;
    for result in header.results() {
        place(result.method())?;
        place(result.result())?;
        if let Some(reason) = result.reason() {
            place(reason)?;
        }
        for property in result.all_properties() {
            if let Some(ptype) = property.ptype() {
                place(ptype)?;
            }
            place(property.property())?;
            place(property.value())?;
        }
        let range = result.span().range();
        for text in result.comments().map(|comment| comment.text()) {
            if value.get(text.span().range()) != Some(text.raw()) {
                return Err(format!("{text:?} is not where it says"));
            }
            if !(range.contains(&text.span().start()) && text.span().end() <= range.end) {
                return Err(format!("{text:?} is not of its result"));
            }
        }
    }
    if header.body() != Body::Results && header.results().len() != 0 {
        return Err("results beside none".into());
    }
    let offsets: Vec<_> = header.diagnostics().iter().map(|it| it.offset()).collect();
    if !offsets.is_sorted() || offsets.last().is_some_and(|last| *last > value.len()) {
        return Err("diagnostics out of order".into());
    }
    Ok(())
}
