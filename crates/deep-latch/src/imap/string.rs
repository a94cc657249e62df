//! The strings of IMAP, RFC 3501 section 9, and the literals that RFC 7888 adds. Commands, responses and the parameters
//! of ID share this reader.

use alloc::borrow::Cow;
use core::fmt;

use nom::{Parser, bytes::complete::take_while};

use crate::{
    error::ErrorKind,
    rules::{Failure, Read},
};

const STRING: &str = "string";
const LITERAL: &str = "literal";

/// `string`, decoded.
#[derive(Clone, Debug)]
pub(crate) struct ImapString<'a> {
    /// The characters of the string.
    pub(crate) text: Cow<'a, str>,
    /// The number of bytes of the input from its first character on.
    pub(crate) left: usize,
    /// `true` if it is written as a literal.
    pub(crate) literal: bool,
}

/// The announcement of a literal: `"{" number ["+"] "}"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// The number of octets that follow; `usize::MAX` if the number does not fit.
    pub(crate) length: usize,
    /// `true` if the sender waits for a command continuation request before it sends them: `+` is absent.
    pub(crate) waits: bool,
    /// `true` if NUL may be among them: the literal is one of RFC 3516, announced by `~`.
    pub(crate) may_have_nul: bool,
}

/// `string = quoted / literal`
pub(crate) fn string(input: &str, limit: usize) -> Read<'_, ImapString<'_>> {
    match input.strip_prefix('{') {
        Some(_) => literal(input, limit),
        None => quoted(input, limit),
    }
}

/// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`, with UTF-8 as RFC 9051 section 9 adds it.
pub(crate) fn quoted(start: &str, limit: usize) -> Read<'_, ImapString<'_>> {
    let Some(inside) = start.strip_prefix('"') else {
        return Err(Failure::expected(STRING, start).error());
    };
    let mut text = Cow::Borrowed("");
    let mut input = inside;
    loop {
        let (at, plain) = take_while(is_quoted).parse(input)?;
        match &mut text {
            Cow::Borrowed("") => text = Cow::Borrowed(plain),
            text => text.to_mut().push_str(plain),
        }
        if text.len() > limit {
            return Err(Failure::new(ErrorKind::Limit { limit }, STRING, start).error());
        }
        let mut next = at.chars();
        match (next.next(), next.clone().next()) {
            (Some('"'), _) => {
                let string = ImapString {
                    text,
                    left: inside.len(),
                    literal: false,
                };
                return Ok((next.as_str(), string));
            }
            (Some('\\'), Some(special @ ('"' | '\\'))) => {
                text.to_mut().push(special);
                next.next();
                input = next.as_str();
            }
            (Some('\\'), _) => return Err(Failure::expected(STRING, next.as_str()).error()),
            (None, _) => return Err(Failure::expected(STRING, at).error()),
            _ => return Err(Failure::new(ErrorKind::Character, STRING, at).error()),
        }
    }
}

/// `"{" number ["+"] "}"`: the announcement of a literal; `close` is the text after the number.
fn announced<'a>(input: &'a str, close: &str) -> Read<'a, Announced> {
    let Some(number) = input.strip_prefix('{') else {
        return Err(Failure::expected(LITERAL, input).error());
    };
    let (rest, digits) = take_while(|next: char| next.is_ascii_digit()).parse(number)?;
    if digits.is_empty() {
        return Err(Failure::expected(LITERAL, number).error());
    }
    let (at, waits) = match rest.strip_prefix('+') {
        Some(at) => (at, false),
        None => (rest, true),
    };
    let Some(rest) = at.strip_prefix(close) else {
        return Err(Failure::expected(LITERAL, at).error());
    };
    // A number that does not fit exceeds every limit.
    let length = digits.parse().unwrap_or(usize::MAX);
    let literal = Announced {
        length,
        waits,
        may_have_nul: false,
    };
    Ok((rest, literal))
}

/// Reads the announcement of a literal at the end of a line.
pub(crate) fn last_of_line(input: &str) -> Read<'_, Announced> {
    match announced(input, "}")? {
        ("", literal) => Ok(("", literal)),
        (rest, _) => Err(Failure::expected(LITERAL, rest).error()),
    }
}

/// `literal = "{" number ["+"] "}" CRLF *CHAR8`
fn literal(start: &str, limit: usize) -> Read<'_, ImapString<'_>> {
    let (octets, Announced { length, .. }) = announced(start, "}\r\n")?;
    if length > limit {
        return Err(Failure::new(ErrorKind::Limit { limit }, STRING, start).error());
    }
    if octets.len() < length {
        return Err(Failure::expected(LITERAL, "").error());
    }
    // The literal ends within a character of UTF-8.
    let Some((text, rest)) = octets.split_at_checked(length) else {
        return Err(Failure::new(ErrorKind::Character, LITERAL, octets).error());
    };
    if let Some((_, at)) = text
        .find('\0')
        .and_then(|place| octets.split_at_checked(place))
    {
        return Err(Failure::new(ErrorKind::Character, LITERAL, at).error());
    }
    let string = ImapString {
        text: Cow::Borrowed(text),
        left: octets.len(),
        literal: true,
    };
    Ok((rest, string))
}

/// The form of a string that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StringForm {
    /// In quotes.
    Quoted,
    /// As a literal that waits. Its octets are the last ones.
    Literal,
}

/// Writes a string: quoted, or as a literal if it has line breaks or `may_quote` refuses one of its characters.
pub(crate) fn write_string(
    f: &mut impl fmt::Write,
    text: &str,
    may_quote: impl Fn(char) -> bool,
) -> Result<StringForm, fmt::Error> {
    let quotable = |next| is_quoted(next) || matches!(next, '"' | '\\');
    if !text.chars().all(|next| quotable(next) && may_quote(next)) {
        write!(f, "{{{}}}\r\n{text}", text.len())?;
        return Ok(StringForm::Literal);
    }
    f.write_str("\"")?;
    for next in text.chars() {
        if matches!(next, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(next)?;
    }
    f.write_str("\"")?;
    Ok(StringForm::Quoted)
}

/// `TEXT-CHAR` but for `quoted-specials`, and UTF-8 as RFC 9051 section 9 adds it.
const fn is_quoted(next: char) -> bool {
    !matches!(next, '\0' | '\r' | '\n' | '"' | '\\')
}

/// Reads a line of a response up to the announcement of a literal at its end. A similar text within the line, or in a
/// quoted string, is not an announcement.
pub(crate) fn announced_at_end(line: &str) -> Read<'_, Option<Announced>> {
    let mut rest = line;
    loop {
        let (at, _) = take_while(|next| !matches!(next, '"' | '{')).parse(rest)?;
        rest = match at.chars().next() {
            None => return Ok((at, None)),
            Some('{') => match last_of_line(at) {
                Ok((_, literal)) => return Ok(("", Some(literal))),
                _ => at.strip_prefix('{').unwrap_or_default(),
            },
            _ => quoted(at, usize::MAX)?.0,
        };
    }
}

/// `ATOM-CHAR`, RFC 3501 section 9.
pub(crate) const fn is_atom(next: char) -> bool {
    next.is_ascii_graphic() && !matches!(next, '(' | ')' | '{' | '%' | '*' | '"' | '\\' | ']')
}
