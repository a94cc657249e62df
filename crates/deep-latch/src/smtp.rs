//! SMTP Submission, draft-newman-email-deep-02 section 7.3: the EHLO keyword, the CLIENT command, and the client's
//! side of a connection.

mod client;
mod reply;

use alloc::{string::String, vec::Vec};
use core::fmt;

pub use client::{DomainError, MAX_SMTP_LINE_BYTES, MAX_SMTP_LINES, Smtp, SmtpClient};
pub use reply::ReplyLine;

use crate::{
    cipher::TlsCipher,
    error::{EncodeError, EncodeErrorKind, ErrorKind, ParseError},
    report::{ClientReport, FieldNames},
    rules,
    status::{DeepStatus, Diagnostic, KeywordLine, StatusOptions},
    tag::{SecurityTag, Separator},
};

/// The longest `ehlo-line`, in bytes: RFC 5321 section 4.5.3.1.5 has 512 for a line of a reply with its code,
/// the hyphen after the code, and CRLF.
pub const MAX_EHLO_LINE_BYTES: usize = 506;

/// The longest CLIENT command without its CRLF, in bytes: RFC 5321 section 4.5.3.1.4 has 512 with it.
pub const MAX_CLIENT_COMMAND_BYTES: usize = 510;

/// The `ehlo-line` of the DEEP extension in the answer to EHLO: a line without its code, the space or hyphen
/// after the code, and CRLF.
///
/// ```abnf
/// ehlo-line = "DEEP" [SP deep-status]   ; ehlo-line of RFC 5321 section 4.1.1.1
/// ```
///
/// ```
/// use deep_latch::{DeepStatus, SecurityTag, smtp::EhloLine, status::StatusOptions};
///
/// let line = "DEEP tls10 tls-cert <https://www.example.com/status.html>";
/// let parsed = EhloLine::parse(line, StatusOptions::default())?.ok_or("not DEEP")?;
/// assert!(parsed.status().tags().eq([SecurityTag::TLS10, SecurityTag::TLS_CERT]));
/// assert_eq!(parsed.to_string(), line);
/// assert_eq!(EhloLine::parse("SIZE 0", StatusOptions::default())?, None);
///
/// let status = DeepStatus::parse("tls12 tls-cert")?;
/// assert_eq!(EhloLine::try_new(status)?.to_string(), "DEEP tls12 tls-cert");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EhloLine<'a>(KeywordLine<'a>);

impl<'a> EhloLine<'a> {
    /// Parses a line of the answer to EHLO. Returns `None` for the line of another extension.
    ///
    /// # Errors
    /// Returns an error if the parameters of DEEP are not a `deep-status`, apart from the deviations that
    /// `options` allow, or if the line is longer than [`MAX_EHLO_LINE_BYTES`].
    pub fn parse(line: &'a str, options: StatusOptions) -> Result<Option<Self>, ParseError> {
        let line = KeywordLine::parse(line, MAX_EHLO_LINE_BYTES, options)?;
        Ok(line.map(Self))
    }

    /// Creates the line that advertises a status.
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Limit`] if the line would be longer than [`MAX_EHLO_LINE_BYTES`].
    pub fn try_new(status: DeepStatus<'a>) -> Result<Self, EncodeError> {
        KeywordLine::try_new(status, MAX_EHLO_LINE_BYTES).map(Self)
    }

    /// Returns the advertised status.
    #[must_use]
    pub const fn status(&self) -> &DeepStatus<'a> {
        self.0.status()
    }

    /// Returns the advertised status, without the line.
    #[must_use]
    pub fn into_status(self) -> DeepStatus<'a> {
        self.0.into_status()
    }

    /// Returns the deviations from the grammar that were accepted, with their places in the line.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.0.diagnostics()
    }
}

impl fmt::Display for EhloLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The line of a CLIENT command, without the white space at its end and without its CRLF. Its parameters are not
/// parsed yet: see [`ClientReport::parse_client_command`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCommand<'a>(&'a str);

impl<'a> ClientCommand<'a> {
    /// Finds a CLIENT command in a line without its CRLF. Returns `None` for the line of another command.
    ///
    /// ```
    /// # use deep_latch::smtp::ClientCommand;
    /// let command = ClientCommand::parse(b"client name=x ")?.ok_or("another command")?;
    /// assert_eq!(command.as_str(), "client name=x");
    /// assert_eq!(ClientCommand::parse(b"MAIL FROM:<a@example.com>")?, None);
    /// assert!(ClientCommand::parse(b"CLIENT\ttls=A_LIE").is_err());
    /// assert!(ClientCommand::parse(b"NOOP\nCLIENT tls=A_LIE").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ErrorKind::Character`] if the line has a CR, LF or NUL, if octets other than letters and digits
    /// precede the verb, if anything but a space follows the verb, or if the command is not UTF-8. A proxy must not
    /// forward such a line: the server may find a CLIENT command in it.
    pub fn parse(line: &'a [u8]) -> Result<Option<Self>, ParseError> {
        const FIELD: &str = "deep-cmd";
        const VERB: &[u8] = b"CLIENT";
        let error = |at| Err(ParseError::new(ErrorKind::Character, FIELD, at));
        let special = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
        if let Some(at) = line.iter().position(special) {
            return error(at);
        }
        let begins = line.iter().position(u8::is_ascii_alphanumeric);
        let (before, text) = line.split_at(begins.unwrap_or(line.len()));
        let word =
            |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
        let ends = text.iter().position(|octet| !word(octet));
        let (verb, after) = text.split_at(ends.unwrap_or(text.len()));
        if !verb.eq_ignore_ascii_case(VERB) {
            return Ok(None);
        }
        if !before.is_empty() {
            return error(0);
        }
        if !matches!(after.first(), None | Some(b' ')) {
            return error(VERB.len());
        }
        match core::str::from_utf8(line) {
            Ok(line) => Ok(Some(Self(line.trim_end_matches([' ', '\t'])))),
            Err(invalid) => error(invalid.valid_up_to()),
        }
    }

    /// Returns the line.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

/// A parameter of section 7.3. `LatchFailure` is the second name of `LatchFail`.
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
    /// Parses `deep-cmd`, draft-newman-email-deep-02 section 7.3, without its CRLF.
    ///
    /// ```abnf
    /// deep-cmd         = "CLIENT" 1*(SP deep-parameter)
    /// deep-parameter   = name / version / latch / latch-fail / security-tags / tls / future-extension
    /// name             = "name=" esmtp-value
    /// version          = "version=" esmtp-value
    /// latch            = "latch=" security-tag *("," security-tag)
    /// latch-fail       = "latch-fail=" security-tag *("," security-tag)
    /// security-tags    = "security-tags=" security-tag *("," security-tag)
    /// tls              = "tls=" tls-cipher
    /// future-extension = esmtp-param
    /// ```
    ///
    /// `latch-failure` is a second name of `latch-fail`. Parameters of other names are ignored, but must have the
    /// form of RFC 5321.
    ///
    /// White space at the end is refused here: RFC 5321 section 4.1.1 tolerates it after any command, so the reader
    /// of lines removes it ([`ClientCommand`]).
    ///
    /// ```
    /// # use deep_latch::{ClientReport, SecurityTag};
    /// let line = "CLIENT name=demo_submit version=1.5 latch=tls10,tls-cert security-tags=tls12";
    /// let report = ClientReport::parse_client_command(line)?;
    /// assert_eq!(report.name.as_deref(), Some("demo_submit"));
    /// assert_eq!(report.latch, [SecurityTag::TLS10, SecurityTag::TLS_CERT]);
    /// # Ok::<(), deep_latch::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the line is not such a command, which SMTP answers with 501;
    /// [`ErrorKind::Duplicate`] for a parameter that is given twice; [`ErrorKind::Conflict`] if both names of
    /// `latch-fail` are given with different values; [`ErrorKind::Limit`] for more than
    /// [`MAX_CLIENT_COMMAND_BYTES`].
    pub fn parse_client_command(line: &str) -> Result<Self, ParseError> {
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
        let mut report = Self::default();
        let mut latch_fail = None;
        let mut keywords = Vec::new();
        while let Some(text) = rest {
            let offset = line.len().saturating_sub(text.len());
            let (parameter, after) = match text.split_once(' ') {
                Some((parameter, after)) => (parameter, Some(after)),
                None => (text, None),
            };
            rest = after;
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
                let tags = SecurityTag::parse_list(value, Separator::Comma, field.name());
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

    /// Writes `deep-cmd`, draft-newman-email-deep-02 section 7.3, without its CRLF.
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Empty`] if there is nothing to report or a value is empty;
    /// [`EncodeErrorKind::Character`] if the name or version is not an `esmtp-value` of RFC 5321, which has
    /// no spaces, no `=` and no characters outside ASCII; [`EncodeErrorKind::Limit`] if the command would be longer
    /// than [`MAX_CLIENT_COMMAND_BYTES`].
    ///
    /// ```
    /// # use deep_latch::{ClientReport, SecurityTag, report::FieldNames};
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
                return Err(EncodeError::new(EncodeErrorKind::Empty, field));
            }
            if !value.chars().all(rules::is_esmtp_value) {
                return Err(EncodeError::new(EncodeErrorKind::Character, field));
            }
            command.extend([" ", field, "=", &value]);
        }
        if command.len() == VERB.len() {
            return Err(EncodeError::new(EncodeErrorKind::Empty, "deep-cmd"));
        }
        if command.len() > MAX_CLIENT_COMMAND_BYTES {
            let limit = MAX_CLIENT_COMMAND_BYTES;
            return Err(EncodeError::new(
                EncodeErrorKind::Limit { limit },
                "deep-cmd",
            ));
        }
        Ok(command)
    }
}
