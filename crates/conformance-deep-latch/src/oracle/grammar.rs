//! Invariants of any bytes in the grammars of `deep-latch`.

use conformance::oracle::Broken;
use deep_latch::{
    ClientReport, DeepStatus, EncodeError, EncodeErrorKind, ParseError, SecurityTag,
    imap::{IdParameters, IdStatus, MAX_ID_PAIRS},
    pop::{CapaLine, MAX_CAPA_LINE_BYTES},
    report::FieldNames,
    smtp::{EhloLine, MAX_EHLO_LINE_BYTES},
    status::{DeepTag, Diagnostic, StatusOptions},
    tag::Separator,
};

pub use super::field::{capabilities, security_latch};
use super::invariant::{check, decoded, differs, encoded, owned, points_into};

const LENIENT: StatusOptions = StatusOptions {
    allow_extra_spaces: true,
    allow_malformed_elements: true,
};

/// All of the oracles of the grammars.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn any(data: &[u8]) -> Result<(), Broken> {
    status(data)?;
    imap_id(data)?;
    smtp_client(data)?;
    security_latch(data)?;
    let Ok(text) = std::str::from_utf8(data) else {
        return Ok(());
    };
    tag(text)?;
    capabilities(text)
}

/// A tag is the text it was read from, and neither with one byte more nor with one less is it the same; a
/// list of tags is written as it was read.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn tag(text: &str) -> Result<(), Broken> {
    match SecurityTag::parse(text) {
        Err(error) => points_into(error, text.as_bytes())?,
        Ok(tag) => {
            check(tag.as_str() == text && tag.to_string() == text, || {
                format!("{tag} is not {text}")
            })?;
            let shouted = text.to_ascii_uppercase();
            check(decoded(SecurityTag::parse(&shouted))? == tag, || {
                format!("{shouted} is not {tag}")
            })?;
            let read = |near: &str| SecurityTag::parse(near).ok().map(SecurityTag::into_owned);
            differs(text, read, &tag.into_owned())?;
        }
    }
    for separator in [Separator::Space, Separator::Comma] {
        let read = |near: &str| {
            SecurityTag::parse_list(near, separator, "latch")
                .ok()
                .map(owned)
        };
        match SecurityTag::parse_list(text, separator, "latch") {
            Err(error) => points_into(error, text.as_bytes())?,
            Ok(tags) => {
                let written = SecurityTag::join(&tags, separator);
                check(written == text, || format!("{text} became {written}"))?;
                differs(text, read, &owned(tags))?;
            }
        }
    }
    Ok(())
}

/// A status is the text it was read from and the text of its elements; a lenient reading agrees with the
/// strict one on what that accepts, and else tells first what that refuses; lines of POP and SMTP have it as
/// it is, and so has IMAP.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn status(data: &[u8]) -> Result<(), Broken> {
    let Ok(text) = std::str::from_utf8(data) else {
        return Ok(());
    };
    let strict = DeepStatus::parse(text);
    let lenient = DeepStatus::parse_with(text, LENIENT);
    let noted = lenient.as_ref().map(DeepStatus::diagnostics);
    agree(
        strict.clone(),
        lenient.clone(),
        &noted.unwrap_or_default(),
        data,
    )?;
    if let Ok(status) = &lenient {
        check(status.as_str() == text, || "not the text".into())?;
        let tags: Vec<_> = status.tags().collect();
        for tag in &tags {
            decoded(SecurityTag::parse(tag.as_str()))?;
        }
        let url = status.url();
        let rebuilt = encoded(DeepStatus::try_new(tags.iter().cloned(), url.as_ref()))?;
        check(rebuilt.tags().eq(tags) && rebuilt.url() == url, || {
            format!("{status} became {rebuilt}")
        })?;
        in_lines(status, LENIENT)?;
    }
    if let Ok(status) = &strict {
        let elements: Vec<_> = status.elements().map(element).collect();
        check(elements.join(" ") == text, || format!("{elements:?}"))?;
        let read = |near: &str| {
            let status = DeepStatus::parse(near).ok()?;
            Some(status.elements().map(element).collect::<Vec<_>>())
        };
        differs(text, read, &elements)?;
        in_lines(status, StatusOptions::default())?;
    }
    line(text)
}

fn element(element: DeepTag<'_>) -> String {
    match element {
        DeepTag::Tag(tag) => tag.to_string(),
        DeepTag::Https(url) => format!("<{url}>"),
        DeepTag::Extension(text) => text.to_owned(),
    }
}

fn agree<T: PartialEq>(
    strict: Result<T, ParseError>,
    lenient: Result<T, ParseError>,
    noted: &[Diagnostic],
    text: &[u8],
) -> Result<(), Broken> {
    for diagnostic in noted {
        points_into(*diagnostic, text)?;
    }
    match (strict, lenient) {
        (Ok(strict), Ok(lenient)) => check(strict == lenient && noted.is_empty(), || {
            "lenient reads another value than strict, or notes something".into()
        }),
        (Ok(_), Err(error)) => Err(format!("lenient refuses what strict accepts: {error}")),
        (Err(error), Ok(_)) => {
            points_into(error, text)?;
            check(noted.first() == Some(&error), || {
                format!("strict: {error}; lenient: {:?}", noted.first())
            })
        }
        // A strict reading reports the first fault, a lenient reading the first that it never accepts.
        (Err(strict), Err(lenient)) => {
            points_into(strict, text)?;
            points_into(lenient, text)
        }
    }
}

/// The status of a line of POP, if it has one, and the deviations that were accepted.
fn capa(line: &str, options: StatusOptions) -> Read<'_> {
    let line = CapaLine::parse(line, options)?;
    Ok(line.map(|line| {
        let diagnostics = line.diagnostics();
        (line.into_status(), diagnostics)
    }))
}

/// The status of a line of SMTP, if it has one, and the deviations that were accepted.
fn ehlo(line: &str, options: StatusOptions) -> Read<'_> {
    let line = EhloLine::parse(line, options)?;
    Ok(line.map(|line| {
        let diagnostics = line.diagnostics();
        (line.into_status(), diagnostics)
    }))
}

type Read<'t> = Result<Option<(DeepStatus<'t>, Vec<Diagnostic>)>, ParseError>;

fn without_diagnostics(read: Read<'_>) -> Result<Option<DeepStatus<'_>>, ParseError> {
    read.map(|read| read.map(|(status, _)| status))
}

/// A status in a line of POP and of SMTP, and in ID.
fn in_lines(status: &DeepStatus<'_>, options: StatusOptions) -> Result<(), Broken> {
    let written = CapaLine::try_new(status.clone()).map(|line| line.to_string());
    in_line(status, written, MAX_CAPA_LINE_BYTES, |line| {
        without_diagnostics(capa(line, options))
    })?;
    let written = EhloLine::try_new(status.clone()).map(|line| line.to_string());
    in_line(status, written, MAX_EHLO_LINE_BYTES, |line| {
        without_diagnostics(ehlo(line, options))
    })?;
    for names in [FieldNames::Text, FieldNames::Examples, FieldNames::Both] {
        let list = encoded(IdParameters::of_status(status, names, Some("n"), None))?.to_string();
        let parameters = decoded(IdParameters::parse(list.as_bytes()))?;
        let read = decoded(parameters.status(options))?;
        let read = read.map(IdStatus::into_status);
        check(read.as_ref() == Some(status), || {
            format!("{list:?} is {read:?}")
        })?;
    }
    Ok(())
}

fn in_line(
    status: &DeepStatus<'_>,
    written: Result<String, EncodeError>,
    limit: usize,
    read: impl Fn(&str) -> Result<Option<DeepStatus<'_>>, ParseError>,
) -> Result<(), Broken> {
    let length = "DEEP".len() + status.as_str().len() + usize::from(!status.as_str().is_empty());
    match written {
        Ok(line) => {
            let read = decoded(read(&line))?;
            check(read.as_ref() == Some(status) && length <= limit, || {
                format!("{line:?} is {read:?}")
            })
        }
        Err(error) => check(
            length > limit && error.kind() == EncodeErrorKind::Limit { limit },
            || format!("{status}: {error}"),
        ),
    }
}

/// A line that POP and SMTP read alike, and write as it was but for the keyword's case.
fn line(line: &str) -> Result<(), Broken> {
    let mut read = Vec::new();
    for options in [StatusOptions::default(), LENIENT] {
        let (capa, ehlo) = (capa(line, options), ehlo(line, options));
        check(
            capa == ehlo || line.len() > MAX_EHLO_LINE_BYTES && ehlo.is_err(),
            || format!("{capa:?} of CAPA, {ehlo:?} of EHLO"),
        )?;
        let noted = match &capa {
            Ok(Some((_, noted))) => noted.clone(),
            _ => Vec::new(),
        };
        let capa = without_diagnostics(capa);
        if let Ok(Some(status)) = &capa {
            let written = encoded(CapaLine::try_new(status.clone()))?.to_string();
            // The space after the keyword that a lenient reading accepts.
            let blank = status.as_str().is_empty() && line.len() == "DEEP ".len();
            let same = written.eq_ignore_ascii_case(line) && line.ends_with(status.as_str());
            check(same || blank, || format!("{line:?} became {written:?}"))?;
        }
        read.push((capa, noted));
    }
    let [(strict, _), (lenient, noted)] = read.as_slice() else {
        return Err("two readings".into());
    };
    agree(strict.clone(), lenient.clone(), noted, line.as_bytes())
}

/// A list that is read is written so that it reads back the same, and is final; it can be built from its
/// pairs; neither one byte more nor one less is a list. What it says as a server's and as a client's is
/// written and read back too.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn imap_id(list: &[u8]) -> Result<(), Broken> {
    let parameters = match IdParameters::parse(list) {
        Ok(parameters) => parameters,
        Err(error) => return points_into(error, list),
    };
    let written = parameters.to_string();
    let again = decoded(IdParameters::parse(written.as_bytes()))?;
    check(again == parameters && again.to_string() == written, || {
        format!("{written:?} is not final")
    })?;
    let mut built = IdParameters::new();
    for (field, value) in parameters.pairs() {
        encoded(built.try_push(field, value))?;
        let pairs = parameters.pairs();
        let same = pairs.filter(|(name, _)| name.eq_ignore_ascii_case(field));
        check(same.count() == 1, || "a name twice".into())?;
        check(parameters.value(field) == value, || "another value".into())?;
    }
    check(built == parameters, || "built otherwise".into())?;
    check(parameters.pairs().count() <= MAX_ID_PAIRS, || {
        "too many".into()
    })?;
    let less = list.split_last().map(|(_, less)| less).unwrap_or_default();
    for near in [less, &[list, b" "].concat(), &[list, b")"].concat()] {
        check(IdParameters::parse(near).is_err(), || {
            format!("{near:?} is a list too")
        })?;
    }
    let strict = parameters.status(StatusOptions::default());
    let lenient = parameters.status(LENIENT);
    let noted = match &lenient {
        Ok(Some(status)) => status.diagnostics().to_vec(),
        _ => Vec::new(),
    };
    let status = |read: Result<Option<IdStatus<'_>>, ParseError>| {
        read.map(|read| read.map(|status| status.into_status().into_owned()))
    };
    let strict = status(strict);
    agree(strict.clone(), status(lenient), &noted, list)?;
    if let Ok(Some(status)) = strict {
        in_lines(&status, StatusOptions::default())?;
    }
    match ClientReport::from_id_parameters(&parameters) {
        Ok(report) => in_reports(&report),
        Err(error) => points_into(error, list),
    }
}

/// A report in ID and in CLIENT.
fn in_reports(report: &ClientReport) -> Result<(), Broken> {
    let texts = || [&report.name, &report.version].into_iter().flatten();
    for names in [FieldNames::Text, FieldNames::Examples, FieldNames::Both] {
        match report.to_id_parameters(names) {
            Ok(parameters) => {
                let list = parameters.to_string();
                check(!list.contains(['\r', '\n']), || format!("{list:?}: lines"))?;
                let parameters = decoded(IdParameters::parse(list.as_bytes()))?;
                let read = decoded(ClientReport::from_id_parameters(&parameters))?;
                check(read == *report, || format!("{list:?} is {read:?}"))?;
            }
            Err(error) => {
                let printable = |text: &String| text.bytes().all(|it| matches!(it, 0x20..=0x7e));
                check(!texts().all(printable), || error.to_string())?;
            }
        }
        match report.to_client_command(names) {
            Ok(command) => {
                let read = decoded(ClientReport::parse_client_command(&command))?;
                check(read == *report, || format!("{command:?} is {read:?}"))?;
                differs(
                    &command,
                    |near| ClientReport::parse_client_command(near).ok(),
                    report,
                )?;
            }
            Err(error) => check(
                match error.kind() {
                    EncodeErrorKind::Character => {
                        texts().any(|text| !text.bytes().all(is_esmtp_value))
                    }
                    EncodeErrorKind::Empty => {
                        *report == ClientReport::default() || texts().any(String::is_empty)
                    }
                    EncodeErrorKind::Limit { .. } => true,
                    _ => false,
                },
                || error.to_string(),
            )?,
        }
    }
    Ok(())
}

fn is_esmtp_value(octet: u8) -> bool {
    matches!(octet, 33..=60 | 62..=126)
}

/// Checks that a command that is read is written, without unknown parameters, so that it reads back the same; so is
/// the ID command with the same content.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn smtp_client(data: &[u8]) -> Result<(), Broken> {
    let Ok(line) = std::str::from_utf8(data) else {
        return Ok(());
    };
    let report = match ClientReport::parse_client_command(line) {
        Ok(report) => report,
        Err(error) => return points_into(error, data),
    };
    if report != ClientReport::default() {
        let written = encoded(report.to_client_command(FieldNames::Text))?;
        check(written.len() <= line.len(), || {
            format!("{written} is longer")
        })?;
    }
    for near in [[line, " "], [line, "\r\n"], [line, " ="]] {
        let near = near.concat();
        check(ClientReport::parse_client_command(&near).is_err(), || {
            format!("{near:?} is a command too")
        })?;
    }
    in_reports(&report)
}
