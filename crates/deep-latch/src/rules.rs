//! The rules of the draft's ABNF that have no structure: one function a rule, named after it, over `nom`.

use nom::{
    IResult, Parser,
    bytes::complete::{take_while, take_while_m_n},
    error::ErrorKind as NomKind,
};

use crate::{
    error::{ErrorKind, ParseError},
    tag::MAX_TAG_BYTES,
};

/// An error that remembers its place as what was left of the input there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    kind: ErrorKind,
    field: &'static str,
    left: usize,
}

impl Failure {
    /// `at` begins where the error is to point.
    pub(crate) const fn new(kind: ErrorKind, field: &'static str, at: &str) -> Self {
        let left = at.len();
        Self { kind, field, left }
    }

    pub(crate) const fn expected(field: &'static str, at: &str) -> Self {
        let kind = if at.is_empty() {
            ErrorKind::Empty
        } else {
            ErrorKind::Expected
        };
        Self::new(kind, field, at)
    }

    pub(crate) const fn error(self) -> nom::Err<Self> {
        nom::Err::Error(self)
    }

    const fn locate(self, input: &str) -> ParseError {
        ParseError::new(self.kind, self.field, input.len().saturating_sub(self.left))
    }
}

impl nom::error::ParseError<&str> for Failure {
    fn from_error_kind(input: &str, _: NomKind) -> Self {
        Self::expected("", input)
    }

    fn append(_: &str, _: NomKind, other: Self) -> Self {
        other
    }
}

/// What a rule returns: what is left, and what it read.
pub(crate) type Read<'a, O = &'a str> = IResult<&'a str, O, Failure>;

/// Reads `input`, all of it, with a rule.
pub(crate) fn whole<'a, O>(
    input: &'a str,
    field: &'static str,
    rule: impl FnOnce(&'a str) -> Read<'a, O>,
) -> Result<O, ParseError> {
    match rule(input) {
        Ok(("", value)) => Ok(value),
        Ok((rest, _)) => Err(Failure::new(ErrorKind::Trailing, field, rest).locate(input)),
        Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) => Err(failure.locate(input)),
        // The rules are of nom's `complete` kind.
        Err(nom::Err::Incomplete(_)) => Err(Failure::expected(field, "").locate(input)),
    }
}

/// The first character of a class, then as many of another as there are.
fn word<'a>(
    input: &'a str,
    field: &'static str,
    first: impl Fn(char) -> bool,
    more: impl Fn(char) -> bool,
) -> Read<'a> {
    let (rest, _) = take_while_m_n(1, 1, first)
        .parse(input)
        .map_err(|_: nom::Err<Failure>| Failure::expected(field, input).error())?;
    let (rest, _) = take_while(more).parse(rest)?;
    Ok(split(input, rest))
}

/// `input` up to `rest`, which it ends with.
fn split<'a>(input: &'a str, rest: &'a str) -> (&'a str, &'a str) {
    let read = input.len().saturating_sub(rest.len());
    let (read, rest) = input.split_at_checked(read).unwrap_or((input, ""));
    (rest, read)
}

/// `security-tag = ALPHA *63(ALPHA / DIGIT / "-" / "_")`
pub(crate) fn security_tag(input: &str) -> Read<'_> {
    const FIELD: &str = "security-tag";
    let more = |next: char| next.is_ascii_alphanumeric() || matches!(next, '-' | '_');
    let (rest, tag) = word(input, FIELD, |first| first.is_ascii_alphabetic(), more)?;
    match tag.split_at_checked(MAX_TAG_BYTES) {
        None | Some((_, "")) => Ok((rest, tag)),
        Some(_) => {
            let limit = MAX_TAG_BYTES;
            let at = input.split_at_checked(limit).map_or("", |(_, at)| at);
            Err(Failure::new(ErrorKind::Limit { limit }, FIELD, at).error())
        }
    }
}

/// `EXTCHAR`: printable, but not `"`, `\`, `<`, a letter, or the space that separates `deep-tag`s.
pub(crate) const fn is_extchar(octet: char) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, '"' | '\\' | '<') && !octet.is_ascii_alphabetic()
}

/// `deep-extend = EXTCHAR *(EXTCHAR / ALPHA / "<")`
pub(crate) fn deep_extend(input: &str) -> Read<'_> {
    let more = |next: char| is_extchar(next) || next.is_ascii_alphabetic() || next == '<';
    word(input, "deep-extend", is_extchar, more)
}

/// `tls-cipher-name = ALPHA *(ALPHA / DIGIT / "_")`
pub(crate) fn tls_cipher_name(input: &str) -> Read<'_> {
    let more = |next: char| next.is_ascii_alphanumeric() || next == '_';
    word(
        input,
        "tls-cipher",
        |first| first.is_ascii_alphabetic(),
        more,
    )
}

/// `tls-cipher-hex = "0x" 4HEXDIG`
pub(crate) fn tls_cipher_hex(input: &str) -> Read<'_> {
    const FIELD: &str = "tls-cipher";
    let (digits, prefix) = take_while_m_n(1, 1, |first| first == '0')
        .and(take_while_m_n(1, 1, |second| matches!(second, 'x' | 'X')))
        .parse(input)
        .map_err(|_: nom::Err<Failure>| Failure::expected(FIELD, input).error())?;
    let _: (&str, &str) = prefix;
    let (rest, _) = take_while_m_n(4, 4, |digit: char| digit.is_ascii_hexdigit())
        .parse(digits)
        .map_err(|_: nom::Err<Failure>| {
            let read = digits.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
            Failure::expected(FIELD, read).error()
        })?;
    Ok(split(input, rest))
}
