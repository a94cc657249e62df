//! Invariants of any value that is written.

use authres_tls::{
    AuthenticationResults, AuthenticationResultsBuf, Options, ParseError, ResInfoBuf, WriteError,
    WriteOptions,
    syntax::{Body, Comment, DiagnosticKind},
    write::{CommentBuf, Indent, Instance, Keyword, PropertyBuf, Value, WriteErrorKind},
};
use conformance::oracle::Broken;

/// Checks what the writer makes of a value: in every reading, folded, unfolded and with bare LF, it is exactly that
/// value; its lines are as RFC 5322 requires; and a value that is refused cannot be written.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn write(model: &AuthenticationResultsBuf, options: &WriteOptions) -> Result<(), Broken> {
    let text = match model.write(options) {
        Ok(text) => text,
        Err(error) => return refused(model, options, error),
    };
    lines(&text, first_line(model, options), options)?;
    let crlf = format!("{text}\r\n");
    let unfolded = text.replace("\r\n", "");
    let bare_lf = text.replace("\r\n", "\n");
    for utf8 in [false, true] {
        let strict = Options::strict().with_utf8(utf8);
        let lenient = Options::lenient().with_utf8(utf8);
        if utf8 || text.is_ascii() {
            for value in [&text, &crlf, &unfolded] {
                reads_as(value, &strict, model)?;
            }
        }
        for value in [&text, &crlf, &unfolded, &bare_lf] {
            reads_as(value, &lenient, model)?;
        }
        if utf8 || text.is_ascii() {
            reads_as(&bare_lf, &strict.with_bare_lf(true), model)?;
            reads_as(&bare_lf, &lenient.with_bare_lf(true), model)?;
        }
    }
    Ok(())
}

fn first_line(model: &AuthenticationResultsBuf, options: &WriteOptions) -> usize {
    let name = match model.instance {
        Some(_) => "ARC-Authentication-Results: ",
        None => "Authentication-Results: ",
    };
    options.first_line.unwrap_or(name.len())
}

fn lines(text: &str, first_line: usize, options: &WriteOptions) -> Result<(), Broken> {
    let blank = [' ', '\t'];
    for (number, line) in text.split("\r\n").enumerate() {
        let broken = |what: &str| Err(format!("line {number} {what}: {line:?}"));
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return broken("has a control character");
        }
        if line.trim_matches(blank).is_empty() || line.ends_with(blank) {
            return broken("is empty or ends with a space or tab");
        }
        if number > 0 && !line.starts_with(blank) {
            return broken("is a field of its own");
        }
        let before = if number == 0 { first_line } else { 0 };
        let length = line.len() + before;
        if length > options.hard_limit {
            return broken("is too long");
        }
        if length > options.soft_limit && has_place_to_fold(line.trim_start_matches(blank)) {
            return broken("could have been folded");
        }
    }
    Ok(())
}

/// Returns `true` if there is a space or tab that no backslash escapes and that does not follow another.
fn has_place_to_fold(line: &str) -> bool {
    let (mut escaped, mut behind_blank) = (false, false);
    line.bytes().any(|octet| {
        let blank = matches!(octet, b' ' | b'\t');
        let found = blank && !escaped && !behind_blank;
        behind_blank = blank;
        escaped = octet == b'\\' && !escaped;
        found
    })
}

pub(super) fn parse<'a>(
    value: &'a [u8],
    options: &Options,
    arc: bool,
) -> Result<AuthenticationResults<'a>, ParseError> {
    if arc {
        AuthenticationResults::parse_arc(value, options)
    } else {
        AuthenticationResults::parse(value, options)
    }
}

fn reads_as(
    value: &str,
    options: &Options,
    model: &AuthenticationResultsBuf,
) -> Result<(), Broken> {
    let read = parse(value.as_bytes(), options, model.instance.is_some());
    let read = read.map_err(|error| format!("{value:?} under {options:?}: {error}"))?;
    let expected = |kind: DiagnosticKind| match kind {
        DiagnosticKind::BareLfFold => !options.bare_lf && !value.contains("\r\n"),
        DiagnosticKind::NonAscii => !options.utf8,
        _ => false,
    };
    if let Some(unexpected) = read.diagnostics().iter().find(|it| !expected(it.kind())) {
        return Err(format!("{value:?} under {options:?}: {unexpected}"));
    }
    let broken = |what: &str| Err(format!("{value:?} under {options:?}: other {what}"));
    if read.instance().and_then(|it| it.value()) != model.instance.map(|it| it.value().into()) {
        return broken("instance");
    }
    if read.authserv_id().unfolded() != model.authserv_id.as_str() {
        return broken("authserv-id");
    }
    if read.version().and_then(|it| it.value()) != model.version.then_some(1) {
        return broken("version");
    }
    let same_comments = |read: Vec<Comment<'_>>, written: &[CommentBuf]| {
        let read = read.iter().map(|it| it.text().unfolded());
        read.eq(written.iter().map(|it| it.as_str()))
    };
    if !same_comments(read.comments().collect(), &model.comments) {
        return broken("comments");
    }
    if (read.body() == Body::NoResult) != model.results.is_empty() {
        return broken("none");
    }
    if read.results().len() != model.results.len() {
        return broken("number of results");
    }
    for (read, written) in read.results().zip(&model.results) {
        let same = read.method().raw() == written.method.as_str().as_bytes()
            && read.method_version().map(|it| it.value()) == written.method_version.map(Some)
            && read.result().raw() == written.result.as_str().as_bytes();
        if !same {
            return broken("method or result");
        }
        let reason = read.reason().map(|it| it.unfolded());
        if reason.as_deref() != written.reason.as_ref().map(|it| it.as_str()) {
            return broken("reason");
        }
        if !same_comments(read.comments().collect(), &written.comments) {
            return broken("comments of a result");
        }
        let properties: Vec<_> = read.all_properties().collect();
        let same = properties.len() == written.properties.len()
            && properties
                .iter()
                .zip(&written.properties)
                .all(|(it, as_written)| {
                    it.ptype().map(|it| it.raw()) == Some(as_written.ptype.as_str().as_bytes())
                        && it.property().raw() == as_written.property.as_str().as_bytes()
                        && it.value().unfolded() == as_written.value.as_str()
                });
        if !same {
            return broken("properties");
        }
    }
    match AuthenticationResultsBuf::try_from(&read) {
        Ok(again) if again == *model => Ok(()),
        other => Err(format!("{value:?} becomes {other:?}")),
    }
}

/// That the writer had to refuse this.
fn refused(
    model: &AuthenticationResultsBuf,
    options: &WriteOptions,
    error: WriteError,
) -> Result<(), Broken> {
    let results = &model.results;
    let values = results.iter().flat_map(|result| {
        let reason = result.reason.iter();
        let reason = reason.chain(result.properties.iter().map(|it| &it.value));
        let comments = result.comments.iter().map(CommentBuf::as_str);
        reason.map(Value::as_str).chain(comments)
    });
    let comments = model.comments.iter().map(CommentBuf::as_str);
    let mut texts = values.chain(comments).chain([model.authserv_id.as_str()]);
    let had_to = match error.kind() {
        WriteErrorKind::Empty => model.authserv_id.as_str().is_empty(),
        WriteErrorKind::NonAscii => !options.utf8 && texts.any(|text| !text.is_ascii()),
        WriteErrorKind::Limit { limit } => {
            let properties: usize = results.iter().map(|it| it.properties.len()).sum();
            let comments: usize = results.iter().map(|it| it.comments.len()).sum();
            let comments = comments + model.comments.len();
            results.len().max(properties).max(comments) > limit
                || texts.map(str::len).sum::<usize>() > limit / 4
        }
        WriteErrorKind::LineTooLong { limit } => {
            // Folded wherever it can be, but for the places behind a `=`.
            let narrow = WriteOptions {
                utf8: true,
                soft_limit: 1,
                hard_limit: usize::MAX,
                ..*options
            };
            let text = model.write(&narrow).map_err(|error| error.to_string())?;
            let mut before = first_line(model, options);
            limit == options.hard_limit
                && text.split("\r\n").any(|line| {
                    let first = std::mem::take(&mut before);
                    first + line.len() > limit
                })
        }
        _ => false,
    };
    if !had_to {
        return Err(format!("refused without need: {error}: {model:?}"));
    }
    Ok(())
}

/// Builds a value of any bytes, and writes it: 0xff, which UTF-8 does not have, separates texts, the
/// first of which says how to write. Texts are refused only for what they have.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn write_any(data: &[u8]) -> Result<(), Broken> {
    let mut texts = data.split(|octet| *octet == 0xff);
    let choice = texts.next().unwrap_or_default();
    let choice = |place: usize| choice.get(place).copied().unwrap_or_default();
    let mut texts = texts.map(|text| String::from_utf8_lossy(text).into_owned());
    let id = texts.next().unwrap_or_default();
    let mut model = match AuthenticationResultsBuf::try_new(id.clone()) {
        Ok(model) if !id.is_empty() && breaks(&id).is_none() => model,
        Err(_) if id.is_empty() || breaks(&id).is_some() => {
            AuthenticationResultsBuf::try_new("x").map_err(|error| error.to_string())?
        }
        other => return Err(format!("{other:?} of {id:?}")),
    };
    model.version = choice(0) & 1 != 0;
    model.instance = Instance::try_new(choice(0) >> 2).ok();
    let mut result = None;
    while let Some(text) = texts.next() {
        match text.len() % 5 {
            _ if result.is_none() => result = Some(ResInfoBuf::try_new("m", "r")),
            0 => model.results.extend(result.take().and_then(Result::ok)),
            1 => {
                let word = any_keyword(texts.next().unwrap_or_default())?;
                model.results.extend(result.take().and_then(Result::ok));
                result = Some(ResInfoBuf::try_new(word, "r"));
            }
            2 => model.comments.extend(any_comment(&text)?),
            kind => {
                let Some(Ok(building)) = &mut result else {
                    return Err(format!("{result:?} of keywords"));
                };
                let value = match Value::try_new(text.clone()) {
                    Ok(value) if breaks(&text).is_none() => value,
                    Err(error) if breaks(&text) == Some(error.offset()) => continue,
                    other => return Err(format!("{other:?} of {text:?}")),
                };
                if kind == 3 && building.reason.is_none() {
                    building.reason = Some(value);
                } else {
                    let word = any_keyword(texts.next().unwrap_or_default())?;
                    let property = PropertyBuf::try_new(word.clone(), word, text);
                    let property = property.map_err(|error| error.to_string())?;
                    building.properties.push(property);
                    building.comments.extend(any_comment(value.as_str())?);
                }
            }
        }
    }
    model.results.extend(result.and_then(Result::ok));
    let soft_limit = usize::from(choice(1));
    let options = WriteOptions {
        utf8: choice(0) & 2 != 0,
        soft_limit: soft_limit.max(1),
        hard_limit: usize::from(choice(2)) * 8 + 60,
        indent: if choice(3) & 1 == 0 {
            Indent::Tab
        } else {
            Indent::Space
        },
        result_per_line: choice(3) & 2 == 0,
        ..WriteOptions::default()
    };
    write(&model, &options)
}

/// Returns the offset of the first octet in a text that ends a line for some reader.
fn breaks(text: &str) -> Option<usize> {
    let found = text.char_indices().find(|(_, c)| {
        matches!(c, '\0'..='\u{8}' | '\n'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}')
    });
    found.map(|(at, _)| at)
}

fn any_comment(text: &str) -> Result<Option<CommentBuf>, Broken> {
    match CommentBuf::try_new(text.to_owned()) {
        Ok(comment) if breaks(text).is_none() => Ok(Some(comment)),
        Err(error) if breaks(text) == Some(error.offset()) => Ok(None),
        other => Err(format!("{other:?} of {text:?}")),
    }
}

/// The text if it is a keyword, else another.
fn any_keyword(text: String) -> Result<String, Broken> {
    let is_keyword = !text.is_empty()
        && !text.ends_with('-')
        && text
            .chars()
            .all(|c| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-'));
    match Keyword::try_new(text.clone()) {
        Ok(keyword) if is_keyword && keyword.as_str() == text.to_lowercase() => Ok(text),
        Err(_) if !is_keyword => Ok("k".into()),
        other => Err(format!("{other:?} of {text:?}")),
    }
}
