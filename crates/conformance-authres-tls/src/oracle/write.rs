//! Invariants of any value that is written, and of any value that is edited.

use authres_tls::{
    AuthenticationResults, AuthenticationResultsBuf, Options, ParseError, ResInfoBuf, WriteError,
    WriteOptions,
    syntax::{Body, Comment, DiagnosticKind, Mode, Number, Text},
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

/// Taking results out of a value and putting others in, as the bits of `choice` say: what is left reads
/// as it did, and its bytes are what they were.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn edit(value: &[u8], choice: u64) -> Result<(), Broken> {
    for arc in [false, true] {
        for utf8 in [false, true] {
            let strict = Options::strict();
            for options in [strict, strict.with_bare_lf(true), Options::lenient()] {
                let options = options.with_utf8(utf8);
                if let Ok(header) = parse(value, &options, arc) {
                    let again = |value: &[u8], clean: bool| -> Result<Vec<String>, Broken> {
                        let read = parse(value, &options, arc);
                        let read = read.map_err(|error| {
                            let value = String::from_utf8_lossy(value);
                            format!("{error} of {value:?} under {options:?}")
                        })?;
                        Ok(signature(&read, clean, |_| true))
                    };
                    edited(&header, choice, again)?;
                    if options.mode == Mode::Strict
                        && let Ok(model) = AuthenticationResultsBuf::try_from(&header)
                    {
                        write(&model, &WriteOptions::default().with_utf8(utf8))?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Checks an edit whose choice is the first eight bytes.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn edit_any(data: &[u8]) -> Result<(), Broken> {
    let Some((choice, value)) = data.split_first_chunk() else {
        return Ok(());
    };
    edit(value, u64::from_le_bytes(*choice))
}

/// All that was read, but for places: first two lines of what is of no result, then one a result.
fn signature(
    header: &AuthenticationResults<'_>,
    with_comments: bool,
    mut keep: impl FnMut(usize) -> bool,
) -> Vec<String> {
    let raw = |text: Text<'_>| String::from_utf8_lossy(text.raw()).into_owned();
    let number = |number: Option<Number>| number.map(|it| it.value());
    let comments = |comments: Vec<Comment<'_>>| -> Vec<_> {
        comments.iter().map(|it| raw(it.text())).collect()
    };
    let head = format!(
        "{:?} {} {:?}",
        number(header.instance()),
        raw(header.authserv_id()),
        number(header.version()),
    );
    let head_comments = match with_comments {
        true => format!("{:?}", comments(header.comments().collect())),
        false => String::new(),
    };
    let results = header.results().enumerate().filter(|(at, _)| keep(*at));
    let results = results.map(|(_, it)| {
        let properties: Vec<_> = it
            .all_properties()
            .map(|it| (it.ptype().map(raw), raw(it.property()), raw(it.value())))
            .collect();
        let places: Vec<_> = it.comments().map(|it| it.after()).collect();
        format!(
            "{} {:?} {} {:?} {properties:?} {:?} {places:?}",
            raw(it.method()),
            number(it.method_version()),
            raw(it.result()),
            it.reason().map(raw),
            comments(it.comments().collect()),
        )
    });
    [head, head_comments].into_iter().chain(results).collect()
}

fn edited(
    header: &AuthenticationResults<'_>,
    choice: u64,
    again: impl Fn(&[u8], bool) -> Result<Vec<String>, Broken>,
) -> Result<(), Broken> {
    let value = header.as_bytes();
    let keep = |index: usize| choice >> (index % 64) & 1 == 0;
    let mut place = 0..;
    let kept = header.retain_results(|_| place.next().is_some_and(keep));
    let unreadable =
        header.body() == Body::UnsupportedVersion || header.authserv_id().raw().is_empty();
    let kept = match kept {
        Ok(kept) if !unreadable => kept,
        Err(_) if unreadable => return Ok(()),
        other => return Err(format!("{other:?} of {header:?}")),
    };
    // Comments that belong to no result, next to text that a lenient reading skipped, are removed with that text.
    let clean = header.diagnostics().is_empty();
    let again = |value: &[u8]| again(value, clean);
    let expected = signature(header, clean, keep);
    if again(&kept)? != expected {
        let kept = String::from_utf8_lossy(&kept);
        return Err(format!("{kept:?} has not just {expected:?}"));
    }
    cut_out(header, keep, &kept)?;
    // And with others added, one of which folds.
    let added: Result<Vec<_>, _> = [("x", "a; b=c"), ("y", &*"long ".repeat(30))]
        .map(|(method, reason)| ResInfoBuf::try_new(method, "pass")?.with_reason(reason.to_owned()))
        .into_iter()
        .collect();
    let added = added.map_err(|error| error.to_string())?;
    for add in [&added[..1], &added[..]] {
        let mut place = 0..;
        let options = WriteOptions::default();
        let more = header.edit_results(|_| place.next().is_some_and(keep), add, &options);
        let more = more.map_err(|error| error.to_string())?;
        let read = again(&more)?;
        let (before, behind) = read.split_at_checked(expected.len()).unwrap_or_default();
        let same = before == expected
            && behind.len() == add.len()
            && behind[0] == r#"x None pass Some("\"a; b=c\"") [] [] []"#
            && behind
                .get(1)
                .is_none_or(|it| it.starts_with("y None pass Some(\"\\\"long "));
        if !same {
            let more = String::from_utf8_lossy(&more);
            return Err(format!(
                "{more:?} of {:?} and {add:?}",
                String::from_utf8_lossy(value)
            ));
        }
    }
    Ok(())
}

/// Checks that the kept text is the value without the bytes of what was removed.
fn cut_out(
    header: &AuthenticationResults<'_>,
    keep: impl Fn(usize) -> bool,
    kept: &[u8],
) -> Result<(), Broken> {
    let value = header.as_bytes();
    let mut left = vec![true; value.len()];
    let mut cut = None;
    for (index, result) in header.results().enumerate() {
        if !keep(index) {
            let range = result.span().range();
            cut.get_or_insert(range.start);
            left[range].fill(false);
        }
    }
    let Some(cut) = cut else {
        return match kept == value {
            true => Ok(()),
            false => Err("the bytes differ, but no part was removed".into()),
        };
    };
    let rest = |range: std::ops::Range<usize>| -> Vec<u8> {
        let octets = range.filter(|at| left[*at]);
        octets.map(|at| value[at]).collect()
    };
    let (before, behind) = (rest(0..cut), rest(cut..value.len()));
    let all = (0..header.results().len()).all(|index| !keep(index));
    let mixed = header.diagnostics().iter();
    let mixed = mixed
        .filter(|it| it.kind() == DiagnosticKind::NoneMixed)
        .count()
        > 0;
    let none: &[u8] = if all && !mixed { b"; none" } else { b"" };
    let expected = [&before, none, &behind].concat();
    // Lines that became too long are folded, and white space before a last result is trimmed.
    let is_fws = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let squeezed = |bytes: &[u8]| -> Vec<u8> {
        bytes
            .iter()
            .copied()
            .filter(|octet| !is_fws(octet))
            .collect()
    };
    let longest = expected
        .split(|octet| *octet == b'\n')
        .map(<[u8]>::len)
        .max();
    let same = match longest {
        Some(970..) => squeezed(kept) == squeezed(&expected),
        _ => kept.trim_ascii_end() == expected.trim_ascii_end(),
    };
    if !same {
        let (kept, expected) = (
            String::from_utf8_lossy(kept),
            String::from_utf8_lossy(&expected),
        );
        return Err(format!("{kept:?} instead of {expected:?}"));
    }
    Ok(())
}
