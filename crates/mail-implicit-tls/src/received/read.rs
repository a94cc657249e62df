//! Reading Received fields.

use std::ops::Range;

use nom::{
    Parser,
    branch::alt,
    bytes::complete::{tag, take_while, take_while1},
    combinator::recognize,
    error::{ErrorKind, ParseError},
    multi::many0_count,
};

use super::{CipherSuite, Group, ReceivedError, ReceivedErrorKind, Transmission};

/// The greatest length of a Received field's body, in octets.
pub const MAX_RECEIVED_BYTES: usize = 16_384;

/// The greatest number of clauses of a field.
pub const MAX_CLAUSES: usize = 32;

/// The words that begin a clause: RFC 5321 section 4.4, draft-newman-email-deep-02 section 6, RFC 8314 section 4.3.
const CLAUSES: [&str; 8] = ["from", "by", "via", "with", "id", "for", "tls", "group"];

/// A Received field, RFC 5321 section 4.4: the body after `Received:`.
///
/// Servers write more than the grammar has, such as values of several words (`with Microsoft SMTP Server`). So a clause
/// is one of the known words and what follows it until the next; the first word after it is always part of its value.
/// Comments belong to no clause, so nothing in a comment counts.
///
/// ```
/// use mail_implicit_tls::received::Received;
///
/// let received = Received::parse(
///     " from client.example.org (client.example.org [192.0.2.1])\r\n\tby mx.example.net with ESMTPSA\
///      \r\n\ttls TLS_AES_128_GCM_SHA256 (not tls X) group x25519; Tue, 1 Jul 2014 10:00:00 +0000",
/// )?;
/// assert_eq!(received.tls()?.map(|suite| suite.to_string()).as_deref(), Some("TLS_AES_128_GCM_SHA256"));
/// assert_eq!(received.group()?.map(|group| group.to_string()).as_deref(), Some("x25519"));
/// # Ok::<(), mail_implicit_tls::received::ReceivedError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    body: &'a str,
    clauses: Vec<Clause<'a>>,
    /// The offset of the semicolon before the date.
    semicolon: usize,
}

/// A clause of a Received field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause<'a> {
    /// The word that begins the clause, in lower case.
    pub name: &'static str,
    /// The first word of the value.
    pub value: &'a str,
    /// The octets of the clause in the field, from its name to the last word of its value.
    pub span: Range<usize>,
    /// The offset of the value.
    at: usize,
}

impl<'a> Received<'a> {
    const FIELD: &'static str = "Received";

    /// Parses the body of a field, with or without the line break at its end.
    ///
    /// # Errors
    /// Returns [`ReceivedErrorKind`] for a body that cannot be read.
    pub fn parse(body: &'a str) -> Result<Self, ReceivedError> {
        if body.len() > MAX_RECEIVED_BYTES {
            let kind = ReceivedErrorKind::TooLong;
            return Err(ReceivedError::new(kind, Self::FIELD, MAX_RECEIVED_BYTES));
        }
        let error = |failure: Failure<'_>| {
            let offset = body.len().saturating_sub(failure.at.len());
            ReceivedError::new(failure.kind, failure.field, offset)
        };
        let text = body.strip_suffix("\r\n").unwrap_or(body);
        let (words, rest) = words(text).map_err(error)?;
        let semicolon = text.len().saturating_sub(rest.len());
        let Some(date) = rest.strip_prefix(';') else {
            let field = "Stamp";
            return Err(ReceivedError::new(
                ReceivedErrorKind::NoDate,
                field,
                semicolon,
            ));
        };
        check_date(date).map_err(error)?;
        let clauses = clauses(&words)?;
        Ok(Self {
            body,
            clauses,
            semicolon,
        })
    }

    /// Returns the clauses in order.
    #[must_use]
    pub fn clauses(&self) -> &[Clause<'a>] {
        &self.clauses
    }

    /// Returns the first word of the value of a clause.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.clause(name).map(|clause| clause.value)
    }

    fn clause(&self, name: &str) -> Option<&Clause<'a>> {
        self.clauses.iter().find(|clause| clause.name == name)
    }

    /// Returns the text after the semicolon.
    #[must_use]
    pub fn date(&self) -> &'a str {
        let date = self.body.get(self.semicolon.saturating_add(1)..);
        date.unwrap_or_default().trim()
    }

    /// Returns the transmission type, if it is a registered one.
    #[must_use]
    pub fn transmission(&self) -> Option<Transmission> {
        self.value("with").and_then(Transmission::parse)
    }

    /// Returns the cipher suite of the clause `tls`.
    ///
    /// # Errors
    /// Returns [`ReceivedErrorKind::Expected`] if the clause has another value than a cipher suite, and
    /// [`ReceivedErrorKind::Duplicate`] if it appears twice.
    pub fn tls(&self) -> Result<Option<CipherSuite<'a>>, ReceivedError> {
        self.registered("tls", CipherSuite::parse)
    }

    /// Returns the group of the clause `group`.
    ///
    /// # Errors
    /// Returns [`ReceivedErrorKind::Expected`] if the clause has another value than a group, and
    /// [`ReceivedErrorKind::Duplicate`] if it appears twice.
    pub fn group(&self) -> Result<Option<Group<'a>>, ReceivedError> {
        self.registered("group", Group::parse)
    }

    fn registered<T>(
        &self,
        name: &'static str,
        parse: fn(&'a str) -> Result<T, ReceivedError>,
    ) -> Result<Option<T>, ReceivedError> {
        let mut clauses = self.clauses.iter().filter(|clause| clause.name == name);
        let Some(clause) = clauses.next() else {
            return Ok(None);
        };
        if let Some(second) = clauses.next() {
            let kind = ReceivedErrorKind::Duplicate;
            return Err(ReceivedError::new(kind, name, second.span.start));
        }
        let moved = |error: ReceivedError| {
            let offset = clause.at.saturating_add(error.offset());
            ReceivedError::new(error.kind(), error.field(), offset)
        };
        parse(clause.value).map(Some).map_err(moved)
    }

    /// Returns the field with the clause `tls`, and `group` if it is given, at the end of its clauses, on a line of their
    /// own.
    ///
    /// # Errors
    /// Returns [`ReceivedErrorKind::Duplicate`] if the field has one of the clauses already.
    pub fn with_tls(
        &self,
        suite: &CipherSuite<'_>,
        group: Option<&Group<'_>>,
    ) -> Result<String, ReceivedError> {
        let names = if group.is_some() {
            &["tls", "group"][..]
        } else {
            &["tls"]
        };
        for name in names {
            if let Some(clause) = self.clause(name) {
                let kind = ReceivedErrorKind::Duplicate;
                return Err(ReceivedError::new(kind, clause.name, clause.span.start));
            }
        }
        let (head, date) = self
            .body
            .split_at_checked(self.semicolon)
            .unwrap_or((self.body, ""));
        let head = head.trim_end_matches([' ', '\t', '\r', '\n']);
        let group = group
            .map(|group| format!(" group {group}"))
            .unwrap_or_default();
        Ok(format!("{head}\r\n\ttls {suite}{group}{date}"))
    }
}

/// A word of the field, and its offset.
type Word<'a> = (usize, &'a str);

/// Groups words into clauses. A known word begins a clause, unless it is the first word of a value.
fn clauses<'a>(words: &[Word<'a>]) -> Result<Vec<Clause<'a>>, ReceivedError> {
    let mut clauses: Vec<Clause<'a>> = Vec::new();
    let mut words = words.iter().copied();
    while let Some((start, word)) = words.next() {
        let end = start.saturating_add(word.len());
        let Some(name) = CLAUSES.iter().find(|name| name.eq_ignore_ascii_case(word)) else {
            // A further word of the value before it, or a word before all clauses, which is of none.
            if let Some(clause) = clauses.last_mut() {
                clause.span.end = end;
            }
            continue;
        };
        let Some((at, value)) = words.next() else {
            return Err(ReceivedError::new(ReceivedErrorKind::NoValue, name, end));
        };
        if clauses.len() == MAX_CLAUSES {
            let kind = ReceivedErrorKind::TooManyClauses;
            return Err(ReceivedError::new(kind, Received::FIELD, start));
        }
        clauses.push(Clause {
            name,
            value,
            span: start..at.saturating_add(value.len()),
            at,
        });
    }
    Ok(clauses)
}

/// A failure at the beginning of `at`.
struct Failure<'a> {
    kind: ReceivedErrorKind,
    field: &'static str,
    at: &'a str,
}

impl<'a> Failure<'a> {
    const fn new(kind: ReceivedErrorKind, field: &'static str, at: &'a str) -> Self {
        Self { kind, field, at }
    }
}

impl<'a> ParseError<&'a str> for Failure<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Self {
        Self::new(ReceivedErrorKind::Expected, Received::FIELD, at)
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Read<'a, T> = nom::IResult<&'a str, T, Failure<'a>>;

/// Reads words and the CFWS around them until the semicolon, or the end.
fn words(text: &str) -> Result<(Vec<Word<'_>>, &str), Failure<'_>> {
    let mut words = Vec::new();
    let mut rest = cfws(text)?;
    while !rest.is_empty() && !rest.starts_with(';') {
        let start = text.len().saturating_sub(rest.len());
        let (after, word) = word(rest).map_err(|error| match error {
            nom::Err::Error(failure) | nom::Err::Failure(failure) => failure,
            nom::Err::Incomplete(_) => Failure::new(ReceivedErrorKind::NoDate, "Stamp", rest),
        })?;
        words.push((start, word));
        rest = cfws(after)?;
    }
    Ok((words, rest))
}

/// `[CFWS]`, RFC 5322 section 3.2.2; returns what follows it. Comments nest by a counter.
fn cfws(mut input: &str) -> Result<&str, Failure<'_>> {
    loop {
        input = input.trim_start_matches([' ', '\t']);
        if let Some(rest) = input.strip_prefix("\r\n")
            && rest.starts_with([' ', '\t'])
        {
            input = rest;
        } else if input.starts_with('(') {
            input = comment(input)?;
        } else {
            return Ok(input);
        }
    }
}

/// `comment`; returns what follows it.
fn comment(input: &str) -> Result<&str, Failure<'_>> {
    let mut depth = 0_usize;
    let mut rest = input;
    loop {
        rest = rest.trim_start_matches(|it| !matches!(it, '(' | ')' | '\\' | '\r') && is_text(it));
        let Some(next) = rest.chars().next() else {
            return Err(Failure::new(
                ReceivedErrorKind::Unterminated,
                "comment",
                input,
            ));
        };
        rest = match next {
            '(' => {
                depth = depth.saturating_add(1);
                after(rest, 1)
            }
            ')' => {
                depth = depth.saturating_sub(1);
                after(rest, 1)
            }
            '\\' => quoted_pair(rest, "comment")?,
            _ => fold(rest, "comment")?,
        };
        if depth == 0 {
            return Ok(rest);
        }
    }
}

/// A word: atoms, dots and other printable characters, quoted strings, paths and address literals, with nothing between
/// them. 8-bit characters count as printable (RFC 6532).
fn word(input: &str) -> Read<'_, &str> {
    let plain = |it: char| {
        is_text(it) && !matches!(it, ' ' | '\t' | '(' | ')' | ';' | '"' | '<' | '[' | '\\')
    };
    let piece = alt((
        take_while1(plain),
        enclosed("\"", '"', "Quoted-string"),
        enclosed("<", '>', "Path"),
        enclosed("[", ']', "address-literal"),
    ));
    let (rest, word) = recognize(many0_count(piece)).parse(input)?;
    if word.is_empty() {
        let kind = if input.starts_with(|it: char| it.is_ascii_control()) {
            ReceivedErrorKind::Control
        } else {
            ReceivedErrorKind::Expected
        };
        return Err(nom::Err::Failure(Failure::new(kind, "Stamp", input)));
    }
    Ok((rest, word))
}

/// Reads the text that these characters enclose, with quoted pairs. A fold ends it.
fn enclosed<'a>(
    open: &'static str,
    close: char,
    field: &'static str,
) -> impl Parser<&'a str, Output = &'a str, Error = Failure<'a>> {
    move |input: &'a str| {
        let (mut rest, _) = tag(open).parse(input)?;
        loop {
            let plain = |it: char| it != close && it != '\\' && is_text(it);
            let (at, _) = take_while(plain).parse(rest)?;
            if at.starts_with(close) {
                let rest = after(at, 1);
                let length = input.len().saturating_sub(rest.len());
                let (text, rest) = input.split_at_checked(length).unwrap_or((input, ""));
                return Ok((rest, text));
            }
            rest = if at.starts_with('\\') {
                quoted_pair(at, field).map_err(nom::Err::Failure)?
            } else {
                let kind = match at.chars().next() {
                    Some(_) => ReceivedErrorKind::Control,
                    None => ReceivedErrorKind::Unterminated,
                };
                let at = if at.is_empty() { input } else { at };
                return Err(nom::Err::Failure(Failure::new(kind, field, at)));
            };
        }
    }
}

/// `quoted-pair`; returns what follows it.
fn quoted_pair<'a>(input: &'a str, field: &'static str) -> Result<&'a str, Failure<'a>> {
    let rest = after(input, 1);
    match rest.chars().next() {
        Some(next) if is_text(next) => Ok(after(rest, next.len_utf8())),
        Some(_) => Err(Failure::new(ReceivedErrorKind::Control, field, rest)),
        None => Err(Failure::new(ReceivedErrorKind::Unterminated, field, input)),
    }
}

/// Folding within a comment; returns what follows the line break.
fn fold<'a>(input: &'a str, field: &'static str) -> Result<&'a str, Failure<'a>> {
    match input.strip_prefix("\r\n") {
        Some(rest) if rest.starts_with([' ', '\t']) => Ok(rest),
        _ => Err(Failure::new(ReceivedErrorKind::Control, field, input)),
    }
}

/// Checks the text after the semicolon, which is not read further: no control characters but folding.
fn check_date(date: &str) -> Result<(), Failure<'_>> {
    let mut rest = date;
    loop {
        rest = rest.trim_start_matches(is_text);
        if rest.is_empty() {
            return Ok(());
        }
        rest = fold(rest, "date-time")?;
    }
}

fn is_text(character: char) -> bool {
    character == '\t' || !character.is_control()
}

fn after(input: &str, octets: usize) -> &str {
    input.get(octets..).unwrap_or_default()
}
