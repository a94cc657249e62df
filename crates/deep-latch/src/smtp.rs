//! The DEEP extension of SMTP, draft-newman-email-deep-02 section 7.3: the EHLO keyword and the CLIENT command.

use alloc::{string::String, vec::Vec};

use crate::{
    cipher::TlsCipher,
    error::{EncodeError, ErrorKind, ParseError},
    report::{ClientReport, FieldNames},
    rules,
    status::{DeepStatus, Diagnostic, StatusOptions, keyword_line, parse_keyword_line},
    tag::{Separator, parse_tags},
};

/// The longest `ehlo-line`, in bytes: RFC 5321 section 4.5.3.1.5 has 512 for a line of a reply with its code,
/// the hyphen behind that, and CRLF.
pub const MAX_EHLO_LINE_BYTES: usize = 506;

/// The longest CLIENT command without its CRLF, in bytes: RFC 5321 section 4.5.3.1.4 has 512 with it.
pub const MAX_CLIENT_COMMAND_BYTES: usize = 510;

/// Reads an `ehlo-line` of the answer to EHLO: a line without its code, the space or hyphen behind that, and
/// CRLF. Nothing when it is of another extension.
///
/// ```
/// # use deep_latch::{SecurityTag, parse_ehlo_keyword};
/// let line = "DEEP tls10 tls-cert <https://www.example.com/status.html>";
/// let status = parse_ehlo_keyword(line)?.ok_or("not DEEP")?;
/// assert!(status.tags().eq([SecurityTag::TLS10, SecurityTag::TLS_CERT]));
/// assert_eq!(parse_ehlo_keyword("SIZE 0")?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it is that of DEEP and its parameters are no `deep-status`, or it is longer than
/// [`MAX_EHLO_LINE_BYTES`].
pub fn parse_ehlo_keyword(line: &str) -> Result<Option<DeepStatus<'_>>, ParseError> {
    parse_ehlo_keyword_with(line, StatusOptions::default(), |_| {})
}

/// The same with leniency; tells what it let through.
///
/// # Errors
/// As [`parse_ehlo_keyword`], for what is not let through.
pub fn parse_ehlo_keyword_with(
    line: &str,
    options: StatusOptions,
    diagnostic: impl FnMut(Diagnostic),
) -> Result<Option<DeepStatus<'_>>, ParseError> {
    parse_keyword_line(line, MAX_EHLO_LINE_BYTES, options, diagnostic)
}

/// Writes the `ehlo-line`.
///
/// ```
/// # use deep_latch::{DeepStatus, ehlo_keyword};
/// assert_eq!(ehlo_keyword(&DeepStatus::parse("tls12 tls-cert")?)?, "DEEP tls12 tls-cert");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it would be longer than [`MAX_EHLO_LINE_BYTES`].
pub fn ehlo_keyword(status: &DeepStatus<'_>) -> Result<String, EncodeError> {
    keyword_line(status, MAX_EHLO_LINE_BYTES)
}

/// Reads `deep-cmd`, draft-newman-email-deep-02 section 7.3, without its CRLF. `latch-failure` is read as
/// `latch-fail` is; parameters of another name are of the form that RFC 5321 has for them, and passed over.
///
/// White space at the end is refused here: RFC 5321 section 4.1.1 wants it tolerated behind any command, so
/// it is the reader of lines that takes it off.
///
/// ```
/// # use deep_latch::{SecurityTag, parse_client};
/// let line = "CLIENT name=demo_submit version=1.5 latch=tls10,tls-cert security-tags=tls12";
/// let report = parse_client(line)?;
/// assert_eq!(report.name.as_deref(), Some("demo_submit"));
/// assert_eq!(report.latch, [SecurityTag::TLS10, SecurityTag::TLS_CERT]);
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
///
/// # Errors
/// When it is not such a command, which SMTP answers with 501; a parameter is given twice; both names of
/// `latch-fail` are given and differ; or it is longer than [`MAX_CLIENT_COMMAND_BYTES`].
pub fn parse_client(line: &str) -> Result<ClientReport, ParseError> {
    const FIELD: &str = "deep-cmd";
    if line.len() > MAX_CLIENT_COMMAND_BYTES {
        let limit = MAX_CLIENT_COMMAND_BYTES;
        return Err(ParseError::new(ErrorKind::Limit { limit }, FIELD, limit));
    }
    let (verb, mut rest) = match line.split_once(' ') {
        Some((verb, rest)) => (verb, Some(rest)),
        None => (line, None),
    };
    if !verb.eq_ignore_ascii_case("CLIENT") {
        return Err(ParseError::new(ErrorKind::Expected, FIELD, 0));
    }
    if rest.is_none() {
        return Err(ParseError::new(ErrorKind::Empty, FIELD, line.len()));
    }
    let mut report = ClientReport::default();
    let mut latch_fail = None;
    let mut keywords = Vec::new();
    while let Some(text) = rest {
        let offset = line.len().saturating_sub(text.len());
        let (parameter, behind) = match text.split_once(' ') {
            Some((parameter, behind)) => (parameter, Some(behind)),
            None => (text, None),
        };
        rest = behind;
        if parameter.is_empty() {
            return Err(ParseError::new(ErrorKind::ExtraSpace, FIELD, offset));
        }
        let (keyword, value) =
            esmtp_param(parameter).map_err(|error: ParseError| error.moved(offset))?;
        let repeated = |other: &&str| keyword.eq_ignore_ascii_case(other);
        if keywords.iter().any(repeated) {
            return Err(ParseError::new(ErrorKind::Duplicate, "esmtp-param", offset));
        }
        keywords.push(keyword);
        let Some(field) = Parameter::of(keyword) else {
            continue;
        };
        let before = offset.saturating_add(keyword.len()).saturating_add(1);
        let Some(value) = value else {
            let end = before.saturating_sub(1);
            return Err(ParseError::new(ErrorKind::Empty, field.name(), end));
        };
        let tags = || {
            let tags = parse_tags(value, Separator::Comma, field.name());
            let tags = tags.map_err(|error| error.moved(before))?;
            Ok(tags.into_iter().map(|tag| tag.into_owned()).collect())
        };
        match field {
            Parameter::Name => report.name = Some(value.into()),
            Parameter::Version => report.version = Some(value.into()),
            Parameter::Latch => report.latch = tags()?,
            Parameter::LatchFail | Parameter::LatchFailure => {
                report.latch_fail = tags()?;
                if latch_fail
                    .replace(value)
                    .is_some_and(|other| other != value)
                {
                    return Err(ParseError::new(ErrorKind::Conflict, field.name(), offset));
                }
            }
            Parameter::SecurityTags => report.security_tags = tags()?,
            Parameter::Tls => {
                let cipher = TlsCipher::parse(value).map_err(|error| error.moved(before))?;
                report.tls = Some(cipher.into_owned());
            }
        }
    }
    Ok(report)
}

/// The parameters of section 7.3, and the other name of one.
#[derive(Clone, Copy)]
enum Parameter {
    Name,
    Version,
    Latch,
    LatchFail,
    LatchFailure,
    SecurityTags,
    Tls,
}

impl Parameter {
    const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Version => "version",
            Self::Latch => "latch",
            Self::LatchFail => "latch-fail",
            Self::LatchFailure => "latch-failure",
            Self::SecurityTags => "security-tags",
            Self::Tls => "tls",
        }
    }

    fn of(keyword: &str) -> Option<Self> {
        let mut all = [
            Self::Name,
            Self::Version,
            Self::Latch,
            Self::LatchFail,
            Self::LatchFailure,
            Self::SecurityTags,
            Self::Tls,
        ]
        .into_iter();
        all.find(|parameter| parameter.name().eq_ignore_ascii_case(keyword))
    }
}

/// `esmtp-param = esmtp-keyword ["=" esmtp-value]`, RFC 5321 section 4.1.2, that is the whole of `text`.
fn esmtp_param(text: &str) -> Result<(&str, Option<&str>), ParseError> {
    let (keyword, rest) = rules::prefix(text, "esmtp-param", rules::esmtp_keyword)?;
    let before = keyword.len();
    if rest.is_empty() {
        return Ok((keyword, None));
    }
    let Some(value) = rest.strip_prefix('=') else {
        let kind = ErrorKind::Expected;
        return Err(ParseError::new(kind, "esmtp-param", before));
    };
    rules::whole(value, "esmtp-value", rules::esmtp_value)
        .map(|value| (keyword, Some(value)))
        .map_err(|error| error.moved(before.saturating_add(1)))
}

impl ClientReport {
    /// Writes `deep-cmd`, draft-newman-email-deep-02 section 7.3, without its CRLF.
    ///
    /// # Errors
    /// When there is nothing to report; the name or version is no `esmtp-value` of RFC 5321, which has
    /// neither spaces nor `=` nor other characters than ASCII's; or it would be longer than
    /// [`MAX_CLIENT_COMMAND_BYTES`].
    ///
    /// ```
    /// # use deep_latch::{ClientReport, FieldNames, SecurityTag};
    /// let report = ClientReport {
    ///     name: Some("demo_submit".into()),
    ///     latch: vec![SecurityTag::TLS10, SecurityTag::TLS_CERT],
    ///     ..ClientReport::default()
    /// };
    /// let command = report.to_client_command(FieldNames::Text)?;
    /// assert_eq!(command, "CLIENT name=demo_submit latch=tls10,tls-cert");
    /// # Ok::<(), deep_latch::EncodeError>(())
    /// ```
    pub fn to_client_command(&self, names: FieldNames) -> Result<String, EncodeError> {
        const VERB: &str = "CLIENT";
        let mut command = String::from(VERB);
        for (field, value) in self.fields(names, Separator::Comma) {
            if value.is_empty() {
                return Err(EncodeError::new(ErrorKind::Empty, field));
            }
            if !value.chars().all(rules::is_esmtp_value) {
                return Err(EncodeError::new(ErrorKind::Character, field));
            }
            command.extend([" ", field, "=", &value]);
        }
        if command.len() == VERB.len() {
            return Err(EncodeError::new(ErrorKind::Empty, "deep-cmd"));
        }
        if command.len() > MAX_CLIENT_COMMAND_BYTES {
            let limit = MAX_CLIENT_COMMAND_BYTES;
            return Err(EncodeError::new(ErrorKind::Limit { limit }, "deep-cmd"));
        }
        Ok(command)
    }
}
