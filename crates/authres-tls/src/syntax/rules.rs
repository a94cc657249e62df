//! The rules of RFC 8601 section 2.2 that have no structure, and the rules of RFC 5322, RFC 2045, RFC 5321 and
//! RFC 6376 that they use. Each rule has one function with its name, over `nom`.

mod class;

use nom::{
    IResult, Parser,
    bytes::complete::{take_while, take_while1},
    character::complete::digit1,
    error::ErrorKind as NomKind,
};

use self::class::{COMMENT_TEXT, DOT_ATOM, LDH, QUOTED_TEXT, TOKEN, UNDERSCORE, is};
pub(crate) use self::class::{is_control, is_wsp};
use super::{
    error::{ErrorKind, ParseError},
    text::Form,
};
use crate::slice;

/// An error that stores its place as the number of octets that were left of the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) field: &'static str,
    left: usize,
}

impl Failure {
    /// `at` begins where the error is to point.
    pub(crate) const fn new(kind: ErrorKind, field: &'static str, at: &[u8]) -> Self {
        let left = at.len();
        Self { kind, field, left }
    }

    pub(crate) const fn expected(field: &'static str, at: &[u8]) -> Self {
        Self::new(ErrorKind::Expected, field, at)
    }

    /// Recoverable: `nom` may try another branch, and a lenient reading may skip the result.
    pub(crate) const fn error(self) -> nom::Err<Self> {
        nom::Err::Error(self)
    }

    /// Unrecoverable: parsing stops.
    pub(crate) const fn fatal(self) -> nom::Err<Self> {
        nom::Err::Failure(self)
    }

    /// Returns the offset in the whole input.
    pub(crate) const fn offset(self, input: &[u8]) -> usize {
        input.len().saturating_sub(self.left)
    }

    pub(crate) const fn locate(self, input: &[u8]) -> ParseError {
        ParseError::new(self.kind, self.field, self.offset(input))
    }
}

impl nom::error::ParseError<&[u8]> for Failure {
    fn from_error_kind(input: &[u8], _: NomKind) -> Self {
        Self::expected("", input)
    }

    fn append(_: &[u8], _: NomKind, other: Self) -> Self {
        other
    }
}

/// The output of a rule: the rest of the input, and the part that was read.
pub(crate) type Read<'a, O = &'a [u8]> = IResult<&'a [u8], O, Failure>;

/// The deviations that the rules accept, by mode and options.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Octets of 0x80 and above in comments, quoted-strings, local-parts and domain-names.
    pub(crate) high: bool,
    /// A bare LF before white space is a fold.
    pub(crate) bare_lf: bool,
    /// `_` in keywords, and a hyphen at their end.
    pub(crate) loose_keywords: bool,
    /// The depth of nested comments.
    pub(crate) comment_depth: usize,
}

/// Splits the input after the leading octets of a class.
#[inline]
fn span<'a>(input: &'a [u8], class: u8) -> Read<'a> {
    take_while(|octet| is(octet, class)).parse(input)
}

/// `token`, RFC 2045 section 5.1.
#[inline]
pub(crate) fn token<'a>(input: &'a [u8], field: &'static str) -> Read<'a> {
    take_while1(|octet| is(octet, TOKEN))
        .parse(input)
        .map_err(|_: nom::Err<Failure>| Failure::expected(field, input).error())
}

/// `1*DIGIT`
pub(crate) fn digits<'a>(input: &'a [u8], field: &'static str) -> Read<'a> {
    digit1(input).map_err(|_: nom::Err<Failure>| Failure::expected(field, input).error())
}

/// Reads one octet, e.g. `;`.
#[inline]
pub(crate) fn octet<'a>(input: &'a [u8], octet: u8, field: &'static str) -> Read<'a, ()> {
    match input.split_first() {
        Some((first, rest)) if *first == octet => Ok((rest, ())),
        _ => Err(Failure::expected(field, input).error()),
    }
}

/// The words of an obsolete local-part: RFC 5321 section 4.5.3.1.1 allows 64 octets, full stops included.
/// A lenient reading tries one at each property, so that without a limit the time would be quadratic.
const MOST_WORDS: usize = 32;

/// `false` for a quoted-string or local-part that must be unescaped or joined to decode it.
pub(crate) type IsPlain = bool;

#[cold]
fn hyphen(input: &[u8], keyword: &[u8], field: &'static str) -> nom::Err<Failure> {
    let at = slice::from(input, keyword.len().saturating_sub(1));
    Failure::new(ErrorKind::EndsWithHyphen, field, at).error()
}

impl Rules {
    /// Returns the rules that accept every deviation, to parse a part of a value.
    pub(crate) const fn lenient() -> Self {
        Self {
            high: true,
            bare_lf: true,
            loose_keywords: true,
            comment_depth: usize::MAX,
        }
    }

    /// Skips the line break of a fold (RFC 5322 section 3.2.2) that `input` begins with, if white space follows.
    #[inline]
    pub(crate) fn fold<'a>(&self, input: &'a [u8]) -> Option<&'a [u8]> {
        let rest = match input {
            [b'\r', b'\n', rest @ ..] => rest,
            [b'\n', rest @ ..] if self.bare_lf => rest,
            _ => return None,
        };
        rest.first()
            .is_some_and(|next| is_wsp(*next))
            .then_some(rest)
    }

    /// Skips `[CFWS]`, RFC 5322 section 3.2.2, with obsolete folds. Calls `comment` for each
    /// comment, with the input from its start on and the rest after it.
    #[inline]
    pub(crate) fn cfws<'a>(
        &self,
        mut input: &'a [u8],
        mut comment: impl FnMut(&'a [u8], &'a [u8], IsPlain) -> Result<(), nom::Err<Failure>>,
    ) -> Read<'a, ()> {
        loop {
            match input.first() {
                Some(b' ' | b'\t') => (input, _) = take_while(is_wsp).parse(input)?,
                Some(b'\r' | b'\n') => match self.fold(input) {
                    Some(rest) => input = rest,
                    None => return Ok((input, ())),
                },
                Some(b'(') => {
                    let (rest, plain) = self.comment(input)?;
                    comment(input, rest, plain)?;
                    input = rest;
                }
                _ => return Ok((input, ())),
            }
        }
    }

    /// `comment`, RFC 5322 section 3.2.2; nesting is counted.
    fn comment<'a>(&self, start: &'a [u8]) -> Read<'a, IsPlain> {
        const FIELD: &str = "comment";
        let mut depth = 0_usize;
        let mut plain = true;
        let mut input = start;
        loop {
            let (at, _) = span(input, COMMENT_TEXT)?;
            let Some((first, rest)) = at.split_first() else {
                return Err(Failure::new(ErrorKind::UnclosedComment, FIELD, start).fatal());
            };
            input = match first {
                b'(' => {
                    depth = depth.saturating_add(1);
                    if depth > self.comment_depth {
                        let limit = self.comment_depth;
                        return Err(Failure::new(ErrorKind::Limit { limit }, FIELD, at).fatal());
                    }
                    rest
                }
                b')' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Ok((rest, plain));
                    }
                    rest
                }
                _ => {
                    plain = false;
                    self.escape_or_fold(at, FIELD, start, ErrorKind::UnclosedComment)?
                        .0
                }
            };
        }
    }

    /// `quoted-string` without the CFWS around it, RFC 5322 section 3.2.4.
    pub(crate) fn quoted_string<'a>(&self, start: &'a [u8]) -> Read<'a, IsPlain> {
        const FIELD: &str = "quoted-string";
        let (mut input, ()) = octet(start, b'"', FIELD)?;
        let mut plain = true;
        loop {
            let (at, _) = span(input, QUOTED_TEXT)?;
            match at.split_first() {
                Some((b'"', rest)) => return Ok((rest, plain)),
                None => {
                    let kind = ErrorKind::UnclosedQuotedString;
                    return Err(Failure::new(kind, FIELD, start).fatal());
                }
                Some(_) => {
                    let kind = ErrorKind::UnclosedQuotedString;
                    let (rest, still_plain) = self.escape_or_fold(at, FIELD, start, kind)?;
                    (input, plain) = (rest, plain && still_plain);
                }
            }
        }
    }

    /// Reads the other parts of a comment or quoted-string: a quoted-pair, a fold, and, if allowed, octets above
    /// ASCII. Only the last ones keep the text plain.
    fn escape_or_fold<'a>(
        &self,
        at: &'a [u8],
        field: &'static str,
        start: &[u8],
        unclosed: ErrorKind,
    ) -> Read<'a, IsPlain> {
        if let Some(rest) = self.fold(at) {
            return Ok((rest, false));
        }
        match at {
            [b'\\'] => Err(Failure::new(unclosed, field, start).fatal()),
            [b'\\', octet, rest @ ..] if !is_control(*octet) && (self.high || octet.is_ascii()) => {
                Ok((rest, false))
            }
            [octet, ..] if self.high && !octet.is_ascii() => {
                let (rest, _) = take_while(|octet: u8| !octet.is_ascii()).parse(at)?;
                Ok((rest, true))
            }
            [b'\\', rest @ ..] | rest => {
                let kind = match rest.first() {
                    Some(0x80..) => ErrorKind::NonAscii,
                    _ => ErrorKind::Control,
                };
                Err(Failure::new(kind, field, rest).fatal())
            }
        }
    }

    /// `Keyword`, RFC 5321 section 4.1.2.
    #[inline]
    pub(crate) fn keyword<'a>(&self, input: &'a [u8], field: &'static str) -> Read<'a> {
        self.keyword_if(self.loose_keywords, input, field)
    }

    #[inline]
    fn keyword_if<'a>(&self, loose: bool, input: &'a [u8], field: &'static str) -> Read<'a> {
        let underscore = if loose { UNDERSCORE } else { 0 };
        let (rest, keyword) = span(input, LDH | underscore)?;
        match keyword {
            [] => Err(Failure::expected(field, input).error()),
            [.., b'-'] if !loose => Err(hyphen(input, keyword, field)),
            _ => Ok((rest, keyword)),
        }
    }

    /// Returns `true` if a property begins here: `ptype "." property "="` with CFWS between the parts, or
    /// `=` after a key that is common without a ptype. Such a text is not the value of the property before
    /// it: `smtp.helo= smtp.mailfrom=a@b.example` would be one address, and a client that makes its HELO
    /// name vanish would make the next property vanish, too.
    ///
    /// Keywords are those of the grammar, also in a lenient reading: an address is read alike in both.
    pub(crate) fn begins_property(&self, input: &[u8]) -> bool {
        self.begins_loose_property(input, false)
    }

    /// Like [`begins_property`](Self::begins_property). `loose` also accepts the keywords of a lenient reading.
    pub(crate) fn begins_loose_property(&self, input: &[u8], loose: bool) -> bool {
        const UNDOTTED: [&[u8]; 5] = [
            b"action",
            b"client-ip",
            b"envelope-from",
            b"helo",
            b"reason",
        ];
        let cfws = |input| {
            self.cfws(input, |_, _, _| Ok(()))
                .ok()
                .map(|(rest, ())| rest)
        };
        let property = || {
            let (rest, key) = self.keyword_if(loose, input, "ptype").ok()?;
            let (first, rest) = cfws(rest)?.split_first()?;
            if *first == b'=' {
                return Some(UNDOTTED.iter().any(|it| it.eq_ignore_ascii_case(key)));
            }
            let rest = (*first == b'.').then_some(rest)?;
            let rest = cfws(rest)?;
            let (rest, _) = self.keyword_if(loose, rest, "property").ok()?;
            Some(cfws(rest)?.first() == Some(&b'='))
        };
        property().unwrap_or(false)
    }

    /// `domain-name`, RFC 6376 section 3.5: at least two sub-domains of RFC 5321; with octets above
    /// ASCII for the U-labels of RFC 8616. The rest is not checked.
    pub(crate) fn domain_name<'a>(&self, start: &'a [u8]) -> Option<&'a [u8]> {
        let high = self.high;
        let is_label = |octet: &u8| is(*octet, LDH) || high && !octet.is_ascii();
        let mut input = start;
        let mut end = None;
        for label in 1_usize.. {
            let length = input.iter().position(|octet| !is_label(octet));
            let length = length.unwrap_or(input.len());
            let (text, rest) = input.split_at_checked(length)?;
            if text.is_empty() || text.starts_with(b"-") || text.ends_with(b"-") {
                break;
            }
            if label > 1 {
                end = Some(rest);
            }
            match rest.split_first() {
                Some((b'.', after)) => input = after,
                _ => break,
            }
        }
        end
    }

    /// `pvalue` that is a `value` or `[ [ local-part ] "@" ] domain-name`, without the CFWS around
    /// it. Returns its form as well.
    #[inline]
    pub(crate) fn pvalue<'a>(&self, input: &'a [u8]) -> Read<'a, (Form, IsPlain)> {
        const FIELD: &str = "pvalue";
        match input.first() {
            Some(b'@') => {
                let after = slice::after_first(input);
                match self.domain_name(after) {
                    Some(rest) => Ok((rest, (Form::Address, true))),
                    None => Err(Failure::new(ErrorKind::DomainName, FIELD, input).error()),
                }
            }
            Some(b'"') => {
                let (rest, plain) = self.quoted_string(input)?;
                Ok(self
                    .address(input, rest, plain)
                    .unwrap_or((rest, (Form::QuotedString, plain))))
            }
            _ => {
                let (rest, token) = span(input, TOKEN)?;
                let word = match rest.first() {
                    Some(b'/' | b'=' | b'?' | 0x80..) => {
                        take_while(|octet| self.is_word(octet)).parse(rest)?.0
                    }
                    _ => rest,
                };
                if let Some(address) = self.address(input, word, true) {
                    return Ok(address);
                }
                if self.high
                    && let Some(domain) = self.domain_name(input)
                    && domain.len() < rest.len()
                {
                    return Ok((domain, (Form::Address, true)));
                }
                if token.is_empty() {
                    return Err(Failure::expected(FIELD, input).error());
                }
                Ok((rest, (Form::Token, true)))
            }
        }
    }

    #[inline]
    fn is_word(&self, octet: u8) -> bool {
        is(octet, DOT_ATOM) || self.high && !octet.is_ascii()
    }

    /// `local-part "@" domain-name`, if `start` begins so; `rest` is what is left after its first word.
    ///
    /// The local-part may have the obsolete form of RFC 5322 section 4.4, words with CFWS and full
    /// stops between, but not with a full stop glued to the word before: `smtp.helo=evil.
    /// smtp.mailfrom=a@b.example` would be one address, and the client that chose its HELO name would
    /// make the next property vanish.
    #[inline]
    fn address<'a>(
        &self,
        start: &'a [u8],
        rest: &'a [u8],
        plain: IsPlain,
    ) -> Option<(&'a [u8], (Form, IsPlain))> {
        match rest {
            // The most common rests: the end, or a space or a fold and the next keyword.
            [] | [b';', ..] => None,
            [b' ', next, ..] | [b'\r', b'\n', b' ' | b'\t', next, ..] if is(*next, LDH) => None,
            _ => self.address_after_word(start, rest, plain),
        }
    }

    fn address_after_word<'a>(
        &self,
        mut start: &'a [u8],
        mut rest: &'a [u8],
        mut plain: IsPlain,
    ) -> Option<(&'a [u8], (Form, IsPlain))> {
        for _ in 0..MOST_WORDS {
            let word = start.get(..start.len().saturating_sub(rest.len()))?;
            let (after, ()) = self.cfws(rest, |_, _, _| Ok(())).ok()?;
            plain &= after.len() == rest.len();
            let next = after.first();
            let at_sign = next == Some(&b'@');
            if !at_sign && next != Some(&b'.') {
                return None;
            }
            if !word.starts_with(b"\"")
                && (word.is_empty()
                    || word.starts_with(b".")
                    || word.windows(2).any(|pair| pair == b"..")
                    || word.ends_with(b"."))
            {
                return None;
            }
            let after = match after.split_first() {
                Some((b'@', domain)) => {
                    let rest = self.domain_name(domain)?;
                    return Some((rest, (Form::Address, plain)));
                }
                _ => {
                    let next = slice::after_first(after);
                    self.cfws(next, |_, _, _| Ok(())).ok()?.0
                }
            };
            plain = false;
            (start, rest) = match after.first() {
                Some(b'"') => (after, self.quoted_string(after).ok()?.0),
                _ => {
                    let word = after.iter().position(|octet| !self.is_word(*octet));
                    (
                        after,
                        after.split_at_checked(word.unwrap_or(after.len()))?.1,
                    )
                }
            };
        }
        None
    }
}
