//! The parameters of ID (RFC 2971), and the fields of draft-newman-email-deep-02 section 7.1 among them.

mod report;

use alloc::{borrow::Cow, vec::Vec};
use core::{fmt, ops::Range};

use crate::{
    error::{EncodeError, EncodeErrorKind, ErrorKind, ParseError},
    imap::string::{ImapString, string, write_string},
    report::FieldNames,
    rules::{self, Failure, Read},
    status::{DeepStatus, Diagnostic, StatusOptions},
};

/// The most field-value pairs of ID, RFC 2971 section 3.3.
pub const MAX_ID_PAIRS: usize = 30;

/// The longest name of a field of ID, in bytes, RFC 2971 section 3.3.
pub const MAX_ID_FIELD_BYTES: usize = 30;

/// The longest value of a field of ID, in bytes, RFC 2971 section 3.3.
pub const MAX_ID_VALUE_BYTES: usize = 1024;

const LIST: &str = "id_params_list";

/// `id_params_list`, RFC 2971 section 4: the argument of the ID command, and of the response to it. Names of fields are
/// equal without regard to the case of letters.
///
/// ```abnf
/// id_params_list = "(" #(string SP nstring) ")" / nil
/// ```
///
/// `NIL` and `()` are the same, and so are a quoted string and a literal. [`Display`](fmt::Display) writes
/// quoted strings, and a literal for a value with line breaks.
///
/// ```
/// # use deep_latch::{imap::IdParameters, status::StatusOptions};
/// let list = br#"("name" "Demo Server" "deep-status" "tls10 <https://www.example.com/>")"#;
/// let parameters = IdParameters::parse(list)?;
/// assert_eq!(parameters.value("NAME"), Some("Demo Server"));
/// let status = parameters.status(StatusOptions::default())?;
/// assert_eq!(status.map(|it| it.status().tags().count()), Some(1));
/// # Ok::<(), deep_latch::ParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct IdParameters<'a> {
    /// The text that the list was read from, for the places in it.
    source: &'a str,
    pairs: Vec<Pair<'a>>,
}

#[derive(Clone, Debug)]
struct Pair<'a> {
    field: Cow<'a, str>,
    value: Option<Cow<'a, str>>,
    /// The places of field and value in the source; `None` for a literal.
    written: [Option<Range<usize>>; 2],
    /// The beginning of the field in the source, and of the characters of the value.
    field_at: usize,
    value_at: usize,
}

impl<'a> IdParameters<'a> {
    /// Creates a list without parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            source: "",
            pairs: Vec::new(),
        }
    }

    /// Parses a list that is the whole of `list`: quoted strings, literals (also those of RFC 7888 section 3, which do not
    /// wait) and NIL. The octets of a literal follow its line.
    ///
    /// # Errors
    /// Returns an error if `list` is not such a list; [`ErrorKind::Duplicate`] for a name that is given twice, which RFC
    /// 2971 section 3.3 forbids; [`ErrorKind::Limit`] for more than [`MAX_ID_PAIRS`], [`MAX_ID_FIELD_BYTES`] or
    /// [`MAX_ID_VALUE_BYTES`]; [`ErrorKind::Character`] for octets that are not UTF-8 (RFC 9051 section 4.3; in RFC 3501
    /// octets outside ASCII have no meaning without a charset).
    pub fn parse(list: &'a [u8]) -> Result<Self, ParseError> {
        let source = core::str::from_utf8(list)
            .map_err(|error| ParseError::new(ErrorKind::Character, LIST, error.valid_up_to()))?;
        let pairs = rules::whole(source, LIST, |input| id_params_list(source, input))?;
        Ok(Self { source, pairs })
    }

    /// Adds a pair.
    ///
    /// ```
    /// # use deep_latch::imap::IdParameters;
    /// let mut parameters = IdParameters::new();
    /// parameters.try_push("name", Some("Demo \"Mail\""))?;
    /// parameters.try_push("vendor", None::<&str>)?;
    /// assert_eq!(parameters.to_string(), r#"("name" "Demo \"Mail\"" "vendor" NIL)"#);
    /// # Ok::<(), deep_latch::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Duplicate`] if the list has the name already, [`EncodeErrorKind::Character`] for a NUL,
    /// and [`EncodeErrorKind::Limit`] for a name or value that is longer than RFC 2971 allows, or for more than
    /// [`MAX_ID_PAIRS`] pairs.
    pub fn try_push(
        &mut self,
        field: impl Into<Cow<'a, str>>,
        value: Option<impl Into<Cow<'a, str>>>,
    ) -> Result<(), EncodeError> {
        let refuse = |kind| Err(EncodeError::new(kind, LIST));
        let (field, value) = (field.into(), value.map(Into::into));
        let text = value.as_deref().unwrap_or_default();
        let limits = [
            (self.pairs.len().saturating_add(1), MAX_ID_PAIRS),
            (field.len(), MAX_ID_FIELD_BYTES),
            (text.len(), MAX_ID_VALUE_BYTES),
        ];
        if let Some((_, limit)) = limits.into_iter().find(|(length, limit)| length > limit) {
            return refuse(EncodeErrorKind::Limit { limit });
        }
        if self.position(&field).is_some() {
            return refuse(EncodeErrorKind::Duplicate);
        }
        if field.contains('\0') || text.contains('\0') {
            return refuse(EncodeErrorKind::Character);
        }
        self.pairs.push(Pair {
            field,
            value,
            written: [None, None],
            field_at: 0,
            value_at: 0,
        });
        Ok(())
    }

    /// Returns the text of fields and values in the source, in the order of [`pairs`](Self::pairs); `None` for literals.
    pub(crate) fn written(&self) -> impl Iterator<Item = [Option<&'a str>; 2]> {
        let written = self.pairs.iter().map(|pair| pair.written.clone());
        written.map(|spans| spans.map(|span| self.source.get(span?)))
    }

    /// Returns the pairs in their order. The value `None` is NIL.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let pairs = self.pairs.iter();
        pairs.map(|pair| (&*pair.field, pair.value.as_deref()))
    }

    /// Returns the value of a field, or `None` if the field is absent or NIL.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<&str> {
        self.pair(field)?.value.as_deref()
    }

    /// Returns the status that a server's ID response advertises, draft-newman-email-deep-02 section 7.1: the value of
    /// `deep`, the name in the draft's text, or of `deep-status`, the name in its examples. Returns `None` if
    /// both are absent or NIL.
    ///
    /// ```
    /// # use deep_latch::{SecurityTag, imap::IdParameters, status::StatusOptions};
    /// let parameters = IdParameters::parse(br#"("deep" "tls10 tls-cert")"#)?;
    /// let status = parameters.status(StatusOptions::default())?.ok_or("no status")?;
    /// assert!(status.status().tags().eq([SecurityTag::TLS10, SecurityTag::TLS_CERT]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the value is not a `deep-status`, apart from the deviations that `options` allow, and
    /// [`ErrorKind::Conflict`] if both fields are given with different values. Offsets are those in the list that
    /// the parameters were read from.
    pub fn status(&self, options: StatusOptions) -> Result<Option<IdStatus<'_>>, ParseError> {
        let Some(pair) = self.either("deep", "deep-status")? else {
            return Ok(None);
        };
        let Some(value) = pair.value.as_deref() else {
            return Ok(None);
        };
        let status = DeepStatus::parse_with(value, options);
        let status = status.map_err(|error| self.moved(pair, error))?;
        let diagnostics = status.diagnostics().into_iter();
        let diagnostics = diagnostics.map(|it| self.moved(pair, it)).collect();
        Ok(Some(IdStatus {
            status,
            diagnostics,
        }))
    }

    /// Creates the parameters of a server's ID response, draft-newman-email-deep-02 section 7.1.
    ///
    /// ```
    /// # use deep_latch::{DeepStatus, imap::IdParameters, report::FieldNames};
    /// let status = DeepStatus::parse("tls10 <https://www.example.com/>")?;
    /// let parameters = IdParameters::of_status(&status, FieldNames::Text, Some("Demo Server"), None)?;
    /// assert_eq!(
    ///     parameters.to_string(),
    ///     r#"("name" "Demo Server" "deep" "tls10 <https://www.example.com/>")"#
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Character`] if name or version has a NUL, and [`EncodeErrorKind::Limit`] if one of
    /// them is longer than [`MAX_ID_VALUE_BYTES`].
    pub fn of_status(
        status: &'a DeepStatus<'_>,
        names: FieldNames,
        name: Option<&'a str>,
        version: Option<&'a str>,
    ) -> Result<Self, EncodeError> {
        let mut parameters = Self::new();
        let status = status.as_str();
        let fields = [
            ("name", name),
            ("version", version),
            ("deep", names.text().then_some(status)),
            ("deep-status", names.examples().then_some(status)),
        ];
        for (field, value) in fields {
            if let Some(value) = value {
                parameters.try_push(field, Some(value))?;
            }
        }
        Ok(parameters)
    }

    /// Returns the list without a field.
    pub(crate) fn without_field(&self, field: &str) -> Self {
        let others = self.pairs.iter();
        let others = others.filter(|pair| !pair.field.eq_ignore_ascii_case(field));
        Self {
            source: self.source,
            pairs: others.cloned().collect(),
        }
    }

    fn position(&self, field: &str) -> Option<usize> {
        let mut pairs = self.pairs.iter();
        pairs.position(|pair| pair.field.eq_ignore_ascii_case(field))
    }

    fn pair(&self, field: &str) -> Option<&Pair<'a>> {
        self.pairs.get(self.position(field)?)
    }

    /// Returns the pair of one of two names. If both names have a pair, the values must be equal.
    fn either(
        &self,
        text: &'static str,
        example: &'static str,
    ) -> Result<Option<&Pair<'a>>, ParseError> {
        match (self.pair(text), self.pair(example)) {
            (Some(pair), Some(other)) if pair.value != other.value => {
                let second = (pair.field_at, text).max((other.field_at, example));
                Err(ParseError::new(ErrorKind::Conflict, second.1, second.0))
            }
            (pair, other) => Ok(pair.or(other)),
        }
    }

    /// Returns an error in a value as one in the source.
    fn moved(&self, pair: &Pair<'_>, error: ParseError) -> ParseError {
        match &pair.value {
            // A quoted string with backslashes.
            Some(Cow::Owned(_)) => {
                let quoted = self.source.get(pair.value_at..).unwrap_or_default();
                let mut place = 0_usize;
                let mut octets = quoted.bytes();
                for _ in 0..error.offset() {
                    place = match octets.next() {
                        Some(b'\\') => {
                            octets.next();
                            place.saturating_add(2)
                        }
                        _ => place.saturating_add(1),
                    };
                }
                let at = pair.value_at.saturating_add(place);
                ParseError::new(error.kind(), error.field(), at)
            }
            _ => error.moved(pair.value_at),
        }
    }
}

impl PartialEq for IdParameters<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.pairs().eq(other.pairs())
    }
}

impl Eq for IdParameters<'_> {}

impl fmt::Display for IdParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pairs.is_empty() {
            return f.write_str("NIL");
        }
        let mut before = "(";
        for (field, value) in self.pairs() {
            f.write_str(before)?;
            write_string(f, field, |_| true)?;
            f.write_str(" ")?;
            match value {
                Some(value) => write_string(f, value, |_| true).map(drop)?,
                None => f.write_str("NIL")?,
            }
            before = " ";
        }
        f.write_str(")")
    }
}

/// The status in the parameters of ID, with the deviations that were accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdStatus<'p> {
    status: DeepStatus<'p>,
    diagnostics: Vec<Diagnostic>,
}

impl<'p> IdStatus<'p> {
    /// Returns the advertised status.
    #[must_use]
    pub const fn status(&self) -> &DeepStatus<'p> {
        &self.status
    }

    /// Returns the advertised status, without the places.
    #[must_use]
    pub fn into_status(self) -> DeepStatus<'p> {
        self.status
    }

    /// Returns the deviations from the grammar that were accepted, with their places in the list that the
    /// parameters were read from.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

/// `id_params_list = "(" #(string SPACE nstring) ")" / nil`, RFC 2971 section 4
fn id_params_list<'a>(source: &'a str, input: &'a str) -> Read<'a, Vec<Pair<'a>>> {
    let mut pairs: Vec<Pair<'a>> = Vec::new();
    if let Some(rest) = nil(input) {
        return Ok((rest, pairs));
    }
    let mut rest = octet(input, '(', LIST)?;
    if let Some(rest) = rest.strip_prefix(')') {
        return Ok((rest, pairs));
    }
    loop {
        let at = rest;
        if pairs.len() == MAX_ID_PAIRS {
            let limit = MAX_ID_PAIRS;
            return Err(Failure::new(ErrorKind::Limit { limit }, LIST, at).error());
        }
        let (field, value);
        (rest, field) = string(rest, MAX_ID_FIELD_BYTES)?;
        let repeated = |pair: &Pair<'_>| pair.field.eq_ignore_ascii_case(&field.text);
        if pairs.iter().any(repeated) {
            return Err(Failure::new(ErrorKind::Duplicate, LIST, at).error());
        }
        let field_end = rest;
        rest = octet(rest, ' ', LIST)?;
        let value_at = rest;
        (rest, value) = match nil(rest) {
            Some(rest) => (rest, None),
            None => string(rest, MAX_ID_VALUE_BYTES).map(|(rest, value)| (rest, Some(value)))?,
        };
        let place = |left: usize| source.len().saturating_sub(left);
        let span = |start: &str, end: &str| place(start.len())..place(end.len());
        let quoted = |string: &ImapString<'_>| !string.literal;
        pairs.push(Pair {
            written: [
                quoted(&field).then(|| span(at, field_end)),
                (value.as_ref().is_none_or(quoted)).then(|| span(value_at, rest)),
            ],
            field: field.text,
            field_at: place(at.len()),
            value_at: place(value.as_ref().map_or(rest.len(), |value| value.left)),
            value: value.map(|value| value.text),
        });
        if let Some(rest) = rest.strip_prefix(')') {
            return Ok((rest, pairs));
        }
        rest = octet(rest, ' ', LIST)?;
    }
}

fn octet<'a>(
    input: &'a str,
    octet: char,
    field: &'static str,
) -> Result<&'a str, nom::Err<Failure>> {
    let rest = input.strip_prefix(octet);
    rest.ok_or_else(|| Failure::expected(field, input).error())
}

/// Returns the text after NIL.
fn nil(input: &str) -> Option<&str> {
    let (nil, rest) = input.split_at_checked(3)?;
    nil.eq_ignore_ascii_case("NIL").then_some(rest)
}
