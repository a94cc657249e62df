//! Invariants of any bytes as an `Authentication-Results` value.

use authres_tls::{
    AuthenticationResults, Options,
    syntax::{Body, DiagnosticKind, Text, authserv_id},
};
use conformance::oracle::Broken;

use super::write::parse;

/// Checks that a lenient reading reads what a strict reading reads, without a diagnostic, and that a strict reading
/// refuses what a lenient reading refuses. If bare LF is allowed, both read what they read of the value with CRLF in
/// its place. Every part is at its reported offset, parts follow each other, and errors point into the value or to
/// its end. The id that is read alone is the id that the whole reading finds.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn header(value: &[u8]) -> Result<(), Broken> {
    read_with(value, false)?;
    read_with(value, true)?;
    for (utf8, bare_lf) in WITH {
        for options in [Options::strict(), Options::lenient()] {
            id_alone(value, &options.with_utf8(utf8).with_bare_lf(bare_lf))?;
        }
    }
    line_ends(value)
}

/// UTF-8 and bare LF allowed or not.
const WITH: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// All that was read but for places.
type Texts = (String, Vec<(String, String, Vec<(String, String)>)>);

fn texts(header: &AuthenticationResults<'_>) -> Texts {
    let text = |text: Text<'_>| text.unfolded().into_owned();
    let results = header.results().map(|it| {
        let properties = it.all_properties();
        let properties = properties.map(|it| (text(it.property()), text(it.value())));
        (text(it.method()), text(it.result()), properties.collect())
    });
    (text(header.authserv_id()), results.collect())
}

/// Checks that a value with bare LF, if that is allowed, reads as the value with CRLF.
fn line_ends(value: &[u8]) -> Result<(), Broken> {
    let mut crlf = Vec::with_capacity(value.len());
    for octet in value {
        if *octet == b'\n' && crlf.last() != Some(&b'\r') {
            crlf.push(b'\r');
        }
        crlf.push(*octet);
    }
    if crlf.len() > value.len() && crlf.len() > 1 << 20 {
        return Ok(());
    }
    for options in [Options::strict(), Options::lenient()] {
        let with_lf = AuthenticationResults::parse(value, &options.with_bare_lf(true));
        let with_crlf = AuthenticationResults::parse(&crlf, &options);
        match (with_lf, with_crlf) {
            (Ok(with_lf), Ok(with_crlf)) if texts(&with_lf) == texts(&with_crlf) => {}
            (Err(with_lf), Err(with_crlf)) if with_lf.kind() == with_crlf.kind() => {}
            other => return Err(format!("LF and CRLF differ: {other:?}")),
        }
    }
    Ok(())
}

fn read_with(value: &[u8], arc: bool) -> Result<(), Broken> {
    for (utf8, bare_lf) in WITH {
        let options = Options::strict().with_utf8(utf8).with_bare_lf(bare_lf);
        let strict = parse(value, &options, arc);
        let options = Options::lenient().with_utf8(utf8).with_bare_lf(bare_lf);
        let lenient = parse(value, &options, arc);
        for error in [&strict, &lenient]
            .into_iter()
            .filter_map(|read| read.as_ref().err())
        {
            if error.offset() > value.len() {
                return Err(format!("{error}: after the end at {} bytes", value.len()));
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

fn id_alone(value: &[u8], options: &Options) -> Result<(), Broken> {
    let Ok(header) = AuthenticationResults::parse(value, options) else {
        return Ok(());
    };
    let noted = |kind| header.diagnostics().iter().any(|it| it.kind() == kind);
    // White space can be followed by a result, which the id alone does not show.
    if noted(DiagnosticKind::MissingAuthservId) {
        return Ok(());
    }
    match authserv_id(value) {
        Ok(id) if id == header.authserv_id() => Ok(()),
        Err(_) if noted(DiagnosticKind::MalformedAuthservId) => Ok(()),
        other => Err(format!(
            "{other:?} alone, {:?} of all",
            header.authserv_id()
        )),
    }
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
            return Err(format!(
                "{text:?} begins before the end of the previous part"
            ));
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
    let of_parts = header
        .comments()
        .chain(header.results().flat_map(|it| it.comments()));
    if !of_parts
        .map(|it| it.text())
        .eq(header.all_comments().map(|it| it.text()))
    {
        return Err("a comment is of nothing, or of two parts".into());
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
