//! The rules of the draft's ABNF that have no structure, and the rules of RFC 5321 and RFC 5322 that the draft refers
//! to: one function for each rule, named after it, over `nom`.

use nom::{
    IResult, Parser,
    bytes::complete::{take_while, take_while_m_n},
    error::ErrorKind as NomKind,
};

use crate::error::{ErrorKind, ParseError};

/// The longest `security-tag`, in bytes: `ALPHA *63(...)`.
pub const MAX_TAG_BYTES: usize = 64;

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

/// The result of a rule: the rest of the input, and the value.
pub(crate) type Read<'a, O = &'a str> = IResult<&'a str, O, Failure>;

/// Reads `input`, all of it, with a rule.
pub(crate) fn whole<'a, O>(
    input: &'a str,
    field: &'static str,
    rule: impl FnOnce(&'a str) -> Read<'a, O>,
) -> Result<O, ParseError> {
    match prefix(input, field, rule)? {
        (value, "") => Ok(value),
        (_, rest) => Err(Failure::new(ErrorKind::Trailing, field, rest).locate(input)),
    }
}

/// Reads what `input` begins with, with a rule; with it comes what is left.
pub(crate) fn prefix<'a, O>(
    input: &'a str,
    field: &'static str,
    rule: impl FnOnce(&'a str) -> Read<'a, O>,
) -> Result<(O, &'a str), ParseError> {
    match rule(input) {
        Ok((rest, value)) => Ok((value, rest)),
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

/// `FWS`, RFC 5322 section 3.2.2 with `obs-FWS` as erratum 1908 has it: `1*([CRLF] WSP)`.
pub(crate) fn fws<'a>(input: &'a str, field: &'static str) -> Read<'a, ()> {
    match folds(input) {
        rest if rest.len() < input.len() => Ok((rest, ())),
        _ => Err(Failure::expected(field, input).error()),
    }
}

/// `CFWS`, RFC 5322 section 3.2.2: at least one fold or comment.
pub(crate) fn cfws<'a>(input: &'a str, field: &'static str) -> Read<'a, ()> {
    let mut rest = folds(input);
    while rest.starts_with('(') {
        rest = folds(comment(rest)?.0);
    }
    match rest.len() < input.len() {
        true => Ok((rest, ())),
        false => Err(Failure::expected(field, input).error()),
    }
}

/// `[FWS]`: what is left after it.
fn folds(mut input: &str) -> &str {
    loop {
        input = input.trim_start_matches([' ', '\t']);
        match input.strip_prefix("\r\n") {
            Some(rest) if rest.starts_with([' ', '\t']) => input = rest,
            _ => return input,
        }
    }
}

/// `comment`, RFC 5322 section 3.2.2, without the obsolete control characters. Nesting is counted.
fn comment(start: &str) -> Read<'_, ()> {
    const FIELD: &str = "comment";
    let text = |next: char| next.is_ascii_graphic() && !matches!(next, '(' | ')' | '\\');
    let mut depth = 0_usize;
    let mut input = start;
    loop {
        let at = folds(take_while(text).parse(input)?.0);
        let mut next = at.chars();
        match next.next() {
            Some('(') => depth = depth.saturating_add(1),
            Some(')') if depth <= 1 => return Ok((next.as_str(), ())),
            Some(')') => depth = depth.saturating_sub(1),
            // quoted-pair = "\\" (VCHAR / WSP)
            Some('\\') => {
                let pair = next.as_str();
                if !matches!(next.next(), Some(' '..='~' | '\t')) {
                    return Err(Failure::expected("quoted-pair", pair).error());
                }
            }
            None => return Err(Failure::expected(FIELD, at).error()),
            // More text after a fold.
            Some(_) if at.len() < input.len() => next = at.chars(),
            Some(_) => return Err(Failure::new(ErrorKind::Character, FIELD, at).error()),
        }
        input = next.as_str();
    }
}

/// `esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`, RFC 5321 section 4.1.2
pub(crate) fn esmtp_keyword(input: &str) -> Read<'_> {
    let more = |next: char| next.is_ascii_alphanumeric() || next == '-';
    let first = |first: char| first.is_ascii_alphanumeric();
    word(input, "esmtp-param", first, more)
}

/// `esmtp-value = 1*(%d33-60 / %d62-126)`, RFC 5321 section 4.1.2
pub(crate) fn esmtp_value(input: &str) -> Read<'_> {
    word(input, "esmtp-value", is_esmtp_value, is_esmtp_value)
}

pub(crate) const fn is_esmtp_value(next: char) -> bool {
    next.is_ascii_graphic() && next != '='
}
