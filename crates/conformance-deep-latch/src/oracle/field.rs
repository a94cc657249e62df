//! Invariants of any bytes in fields of messages, and in lists of capabilities.

use conformance::oracle::Broken;
use deep_latch::{ErrorKind, TlsCipher, dsn::SecurityLatchField, imap::Capabilities};

use super::invariant::{check, decoded, differs, encoded, owned, points_into};

/// A field that is read is written so that it reads back the same, in lines that a message may have, and is
/// what its body is; with a byte less or more it is another or none. So is a clause of a Received field.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn security_latch(data: &[u8]) -> Result<(), Broken> {
    let Ok(text) = std::str::from_utf8(data) else {
        return Ok(());
    };
    cipher(text)?;
    clause(text)?;
    let field = ["SMTP-Security-Latch:", text].concat();
    for field in [text, &field] {
        let parsed = match SecurityLatchField::parse(field) {
            Ok(parsed) => parsed,
            Err(error) => {
                points_into(error, field.as_bytes())?;
                continue;
            }
        };
        let body = field.split_once(':').map(|(_, body)| body);
        let of_body = decoded(SecurityLatchField::parse_body(body.unwrap_or_default()))?;
        check(of_body == parsed, || {
            format!("{of_body:?} is not {parsed:?}")
        })?;
        let built = encoded(SecurityLatchField::try_new(parsed.tags().to_vec()))?;
        let written = built.to_string();
        let again = decoded(SecurityLatchField::parse(&written))?;
        check(again == parsed, || format!("{written:?} is {again:?}"))?;
        // The first tag is on the line of the name, however long it is.
        let mut lines = written.split("\r\n");
        check(lines.all(|line| line.len() <= 85), || written.clone())?;
        let tags = |field: SecurityLatchField<'_>| owned(field.into_tags());
        let read = |near: &str| SecurityLatchField::parse(near).ok().map(tags);
        differs(field, read, &tags(parsed.clone()))?;
    }
    Ok(())
}

/// A cipher suite is the text it was read from, and is found by its number.
fn cipher(text: &str) -> Result<(), Broken> {
    let cipher = match TlsCipher::parse(text) {
        Ok(cipher) => cipher,
        Err(error) => return points_into(error, text.as_bytes()),
    };
    check(cipher.as_str() == text, || {
        format!("{cipher} is not {text}")
    })?;
    if let Some(number) = cipher.number() {
        let written = TlsCipher::from_number(number).to_string();
        check(written.eq_ignore_ascii_case(text), || {
            format!("{text} became {written}")
        })?;
    }
    let read = |near: &str| TlsCipher::parse(near).ok().map(TlsCipher::into_owned);
    differs(text, read, &cipher.into_owned())
}

fn clause(text: &str) -> Result<(), Broken> {
    let (cipher, rest) = match (TlsCipher::split_clause(text), TlsCipher::parse_clause(text)) {
        (Err(error), Err(other)) if error == other => return points_into(error, text.as_bytes()),
        (Ok((cipher, "")), Ok(whole)) if cipher == whole => (cipher, ""),
        (Ok((cipher, rest)), Err(error))
            if error.kind() == ErrorKind::Trailing
                && !rest.is_empty()
                && error.offset() == text.len() - rest.len() =>
        {
            (cipher, rest)
        }
        (split, whole) => return Err(format!("{split:?} and {whole:?}")),
    };
    let clause = text.strip_suffix(rest).unwrap_or_default();
    check(decoded(TlsCipher::parse_clause(clause))? == cipher, || {
        format!("{clause:?} is not {cipher}")
    })?;
    let written = cipher.to_clause();
    check(
        decoded(TlsCipher::parse_clause(&written))? == cipher,
        || format!("{written:?} is not {cipher}"),
    )?;
    let read = |near: &str| {
        TlsCipher::parse_clause(near)
            .ok()
            .map(TlsCipher::into_owned)
    };
    differs(clause, read, &cipher.clone().into_owned())
}

/// The capabilities are the words of the text.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn capabilities(text: &str) -> Result<(), Broken> {
    let capabilities = match Capabilities::parse(text) {
        Ok(capabilities) => capabilities,
        Err(error) => return points_into(error, text.as_bytes()),
    };
    let words: Vec<_> = capabilities.iter().collect();
    let written = format!("CAPABILITY {}", words.join(" "));
    check(written.eq_ignore_ascii_case(text), || {
        format!("{text:?} became {written:?}")
    })?;
    check(words.iter().all(|word| capabilities.contains(word)), || {
        "a capability is not found".into()
    })?;
    let deep = words.iter().any(|word| word.eq_ignore_ascii_case("DEEP"));
    check(capabilities.has_deep() == deep, || {
        "DEEP is not found".into()
    })?;
    for near in [[text, " "], [text, "\""]] {
        let near = near.concat();
        check(Capabilities::parse(&near).is_err(), || {
            format!("{near:?} is a list too")
        })?;
    }
    Ok(())
}
