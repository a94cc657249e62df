//! Invariants of any value that is edited.

use authres_tls::{
    AuthenticationResults, AuthenticationResultsBuf, Options, ResInfoBuf, WriteOptions,
    syntax::{Body, Comment, DiagnosticKind, Mode, Number, Text},
};
use conformance::oracle::Broken;

use super::write::{parse, write};

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
