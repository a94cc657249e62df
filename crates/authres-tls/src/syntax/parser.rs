//! The rules of RFC 8601 section 2.2 that have structure, and their lenient reading.

mod recover;
mod result;

use alloc::vec::Vec;
use core::ops::Range;

use super::{
    AuthenticationResults, Body, CommentNode, Element, Number, TextNode,
    error::{Diagnostic, DiagnosticKind, ErrorKind, ParseError},
    options::{Mode, Options},
    rules::{Failure, Read, Rules, digits, is_control, octet, token},
    text::{Form, Span},
};
use crate::slice;

/// The version of this specification (RFC 8601 section 2.2).
const VERSION: u32 = 1;

/// The largest initial capacity of a vector, whatever the length of the value is.
const MOST_RESERVED: usize = 32;

type Rest<'a> = Result<&'a [u8], nom::Err<Failure>>;

pub(super) fn parse<'a>(
    value: &'a [u8],
    options: &Options,
    arc: bool,
) -> Result<AuthenticationResults<'a>, ParseError> {
    let limit = options.limits.bytes;
    if u32::try_from(value.len()).map_or(true, |length| length > limit) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        return Err(ParseError::new(
            ErrorKind::Limit { limit },
            "authres-payload",
            limit,
        ));
    }
    let lenient = options.mode == Mode::Lenient;
    if options.utf8
        && !lenient
        && let Err(error) = core::str::from_utf8(value)
    {
        let offset = error.valid_up_to();
        return Err(ParseError::new(
            ErrorKind::NonAscii,
            "authres-payload",
            offset,
        ));
    }
    // An estimate: one part in so many bytes. The vectors grow if there are more.
    let room = |bytes_each: usize| {
        let parts = value.len().checked_div(bytes_each).unwrap_or_default();
        parts.saturating_add(1).min(MOST_RESERVED)
    };
    let mut parser = Parser {
        input: value,
        options,
        lenient,
        rules: Rules {
            high: options.utf8 || lenient,
            bare_lf: lenient || options.bare_lf,
            loose_keywords: lenient,
            comment_depth: options.limits.comment_depth,
        },
        tree: AuthenticationResults {
            input: value,
            instance: None,
            authserv_id: TextNode {
                span: Span::default(),
                form: Form::Unquoted,
                plain: true,
            },
            version: None,
            body: Body::Results,
            none: None,
            results: Vec::with_capacity(room(64)),
            properties: Vec::with_capacity(room(24)),
            comments: Vec::with_capacity(room(96)),
            header_comments: 0,
            diagnostics: Vec::new(),
        },
    };
    match parser.payload(value, arc) {
        Ok(()) => {
            parser.whole_value_diagnostics()?;
            Ok(parser.tree)
        }
        Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) => {
            let error = failure.locate(value);
            Err(match bare_lf_is_to_blame(value, error, options, arc) {
                true => ParseError::new(ErrorKind::BareLf, error.field(), error.offset()),
                false => error,
            })
        }
        // The rules are of `nom`'s complete kind, which never returns `Incomplete`.
        Err(nom::Err::Incomplete(_)) => {
            let (kind, field) = (ErrorKind::Empty, "authres-payload");
            Err(ParseError::new(kind, field, value.len()))
        }
    }
}

/// Returns `true` if the error is at a LF that [`bare_lf`](crate::Options::bare_lf) would accept.
#[cold]
fn bare_lf_is_to_blame(value: &[u8], error: ParseError, options: &Options, arc: bool) -> bool {
    let offset = error.offset();
    if options.bare_lf || value.get(offset) != Some(&b'\n') {
        return false;
    }
    let read = parse(value, &options.with_bare_lf(true), arc);
    read.map_or_else(|again| again.offset() != offset, |_| true)
}

/// The text after authserv-id and version.
enum AfterId<'a> {
    /// The `;` before the first result, or the end of the value.
    Semicolon(&'a [u8]),
    /// A result without a `;` before it, in a lenient reading.
    Result(&'a [u8]),
    /// No text that must be parsed.
    Nothing,
}

/// The parts of the tree that were read before a rule that may fail.
#[derive(Clone, Copy, Debug)]
struct Mark {
    results: usize,
    properties: usize,
    comments: usize,
    diagnostics: usize,
}

struct Parser<'a, 'o> {
    input: &'a [u8],
    options: &'o Options,
    lenient: bool,
    rules: Rules,
    tree: AuthenticationResults<'a>,
}

/// Returns `true` if CFWS may begin here.
#[inline]
fn may_be_cfws(input: &[u8]) -> bool {
    matches!(input.first(), Some(b' ' | b'\t' | b'\r' | b'\n' | b'('))
}

impl<'a> Parser<'a, '_> {
    fn offset(&self, at: &[u8]) -> usize {
        self.input.len().saturating_sub(at.len())
    }

    /// Returns a mark for [`rewind`](Self::rewind).
    const fn mark(&self) -> Mark {
        Mark {
            results: self.tree.results.len(),
            properties: self.tree.properties.len(),
            comments: self.tree.comments.len(),
            diagnostics: self.tree.diagnostics.len(),
        }
    }

    /// Removes all parts from the tree that were read after the mark.
    fn rewind(&mut self, mark: Mark) {
        self.tree.results.truncate(mark.results);
        self.tree.properties.truncate(mark.properties);
        self.tree.comments.truncate(mark.comments);
        self.tree.diagnostics.truncate(mark.diagnostics);
    }

    /// Returns `true` at the end of the value, with or without a line break.
    const fn ends_value(&self, input: &[u8]) -> bool {
        match input {
            [] | b"\r\n" => true,
            b"\n" => self.options.bare_lf,
            _ => false,
        }
    }

    /// Returns `true` at the end of the value, or at the `;` before the next result.
    const fn ends_result(&self, input: &[u8]) -> bool {
        matches!(input, [b';', ..]) || self.ends_value(input)
    }

    /// Returns the range between two places.
    fn span(&self, from: &[u8], to: &[u8]) -> Span {
        // The length of the whole value fits into a `u32`.
        let place = |at: &[u8]| u32::try_from(self.offset(at)).unwrap_or(u32::MAX);
        Span::new(place(from), place(to))
    }

    fn note(
        &mut self,
        kind: DiagnosticKind,
        field: &'static str,
        offset: usize,
    ) -> Result<(), nom::Err<Failure>> {
        let limit = self.options.limits.diagnostics;
        if self.tree.diagnostics.len() >= limit {
            let at = slice::from(self.input, offset);
            return Err(Failure::new(ErrorKind::Limit { limit }, "authres-payload", at).fatal());
        }
        self.tree
            .diagnostics
            .push(Diagnostic::new(kind, field, offset));
        Ok(())
    }

    /// Skips `[CFWS]` after the part `after`. Comments are kept in the tree.
    #[inline]
    fn cfws(&mut self, input: &'a [u8], after: Element) -> Rest<'a> {
        if !may_be_cfws(input) {
            return Ok(input);
        }
        match input {
            [b' ', rest @ ..] if !may_be_cfws(rest) => Ok(rest),
            _ => self.long_cfws(input, after),
        }
    }

    fn long_cfws(&mut self, input: &'a [u8], after: Element) -> Rest<'a> {
        let length = self.input.len();
        let place = |at: &[u8]| u32::try_from(length.saturating_sub(at.len())).unwrap_or(u32::MAX);
        let limit = self.options.limits.comments;
        let comments = &mut self.tree.comments;
        let (rest, ()) = self.rules.cfws(input, |start, rest, plain| {
            if comments.len() >= limit {
                return Err(Failure::new(ErrorKind::Limit { limit }, "comment", start).fatal());
            }
            comments.push(CommentNode {
                span: Span::new(place(start), place(rest)),
                plain,
                after,
            });
            Ok(())
        })?;
        Ok(rest)
    }

    /// Reads `authres-payload`, after the instance of ARC if `arc` is set.
    fn payload(&mut self, input: &'a [u8], arc: bool) -> Result<(), nom::Err<Failure>> {
        let mut rest = self.cfws(input, Element::Start)?;
        if self.ends_value(rest) {
            return Err(Failure::new(ErrorKind::Empty, "authres-payload", input).error());
        }
        if arc {
            rest = self.arc_info(rest)?;
        }
        if self.lenient && rest.first() == Some(&b';') {
            return self.results_after_missing_id(rest);
        }
        let rest = self.authserv_id(rest)?;
        let after = match rest {
            Some(rest) => self.version(rest)?,
            // The first result appears in the place of the id.
            None => return self.results_without_id(input, arc),
        };
        self.tree.header_comments = self.tree.comments.len();
        match after {
            AfterId::Semicolon(rest) => self.results(rest),
            AfterId::Result(at) => {
                let rest = self.result_or_recover(at, at)?;
                self.results(rest)
            }
            AfterId::Nothing => Ok(()),
        }
    }

    /// Reads `instance [CFWS] ";"` (RFC 8617 section 4.1.1).
    fn arc_info(&mut self, input: &'a [u8]) -> Rest<'a> {
        const FIELD: &str = "instance";
        let (rest, ()) = octet(input, b'i', FIELD)?;
        let rest = self.cfws(rest, Element::Instance)?;
        let (rest, ()) = octet(rest, b'=', FIELD)?;
        let start = self.cfws(rest, Element::Instance)?;
        let (rest, number) = self.number(start, FIELD)?;
        if !number.value.is_some_and(|value| (1..=50).contains(&value))
            || number.span.range().len() > 2
        {
            return Err(Failure::expected(FIELD, start).error());
        }
        self.tree.instance = Some(number);
        let rest = self.cfws(rest, Element::Instance)?;
        let (rest, ()) = octet(rest, b';', FIELD)?;
        self.cfws(rest, Element::Instance)
    }

    fn number(&self, input: &'a [u8], field: &'static str) -> Read<'a, Number> {
        let (rest, digits) = digits(input, field)?;
        let value = digits.iter().try_fold(0_u32, |sum, digit| {
            sum.checked_mul(10)?
                .checked_add(u32::from(digit.checked_sub(b'0')?))
        });
        let span = self.span(input, rest);
        Ok((rest, Number { span, value }))
    }

    /// Reads `authserv-id`. Returns `None` if a result appears in its place.
    fn authserv_id(&mut self, input: &'a [u8]) -> Result<Option<&'a [u8]>, nom::Err<Failure>> {
        const FIELD: &str = "authserv-id";
        if input.first() == Some(&b'"') {
            let (rest, plain) = self.rules.quoted_string(input)?;
            self.tree.authserv_id = TextNode {
                span: self.span(input, rest),
                form: Form::QuotedString,
                plain,
            };
            return Ok(Some(rest));
        }
        let (mut rest, mut form) = match token(input, FIELD) {
            Ok((rest, _)) => (rest, Form::Token),
            Err(error) if !self.lenient => return Err(error),
            Err(_) => (input, Form::Unquoted),
        };
        if self.lenient && !self.ends_result(rest) && !may_be_cfws(rest)
            || rest.len() == input.len()
        {
            if self.begins_result(input) {
                self.note(DiagnosticKind::MissingAuthservId, FIELD, self.offset(input))?;
                return Ok(None);
            }
            rest = self.run(input, FIELD)?;
            form = Form::Unquoted;
            self.note(
                DiagnosticKind::MalformedAuthservId,
                FIELD,
                self.offset(input),
            )?;
        } else if self.lenient && self.begins_result(input) {
            self.note(DiagnosticKind::MissingAuthservId, FIELD, self.offset(input))?;
            return Ok(None);
        }
        self.tree.authserv_id = TextNode {
            span: self.span(input, rest),
            form,
            plain: true,
        };
        Ok(Some(rest))
    }

    fn results_without_id(&mut self, input: &'a [u8], arc: bool) -> Result<(), nom::Err<Failure>> {
        let at = u32::try_from(self.offset(input)).unwrap_or(u32::MAX);
        self.tree.authserv_id.span = Span::new(at, at);
        self.tree.comments.clear();
        let mut rest = self.cfws(input, Element::Start)?;
        if arc {
            rest = self.arc_info(rest)?;
        }
        self.tree.header_comments = self.tree.comments.len();
        let rest = self.result_or_recover(input, rest)?;
        self.results(rest)
    }

    /// Reads `[ CFWS authres-version ]`, and other text before the first `;`.
    fn version(&mut self, input: &'a [u8]) -> Result<AfterId<'a>, nom::Err<Failure>> {
        const FIELD: &str = "authres-version";
        let mut rest = self.cfws(input, Element::AuthservId)?;
        if rest.first().is_some_and(u8::is_ascii_digit) {
            if rest.len() == input.len() {
                return Err(Failure::new(ErrorKind::MissingCfws, FIELD, rest).fatal());
            }
            let (after, number) = self.number(rest, FIELD)?;
            self.tree.version = Some(number);
            if number.value != Some(VERSION) {
                self.tree.body = Body::UnsupportedVersion;
                return Ok(AfterId::Nothing);
            }
            rest = self.cfws(after, Element::Version)?;
        }
        if rest.first() == Some(&b';') {
            return Ok(AfterId::Semicolon(rest));
        }
        if !self.lenient || rest.first().copied().is_some_and(is_control) && !self.ends_value(rest)
        {
            return Err(Failure::expected("resinfo", rest).error());
        }
        if self.ends_value(rest) {
            self.note(DiagnosticKind::EmptyResinfo, "resinfo", self.offset(rest))?;
            return Ok(AfterId::Semicolon(rest));
        }
        if rest.len() == input.len() {
            let at = self.tree.authserv_id.span.start();
            self.note(DiagnosticKind::MalformedAuthservId, "authserv-id", at)?;
        }
        self.junk_after_id(rest)
    }

    /// Reads `no-result / 1*resinfo`, from the first `;` on.
    fn results(&mut self, mut input: &'a [u8]) -> Result<(), nom::Err<Failure>> {
        const FIELD: &str = "resinfo";
        let mut none = None;
        let mut comments_of_none = Vec::new();
        loop {
            let Some((b';', body)) = input.split_first() else {
                if self.ends_value(input) {
                    break;
                }
                return Err(Failure::expected(FIELD, input).error());
            };
            let mark = self.mark();
            let start = self.cfws(body, Element::Semicolon)?;
            if self.ends_result(start) {
                if !self.lenient {
                    return Err(Failure::new(ErrorKind::EmptyResinfo, FIELD, start).error());
                }
                let kind = match start {
                    [b';', ..] => DiagnosticKind::EmptyResinfo,
                    _ => DiagnosticKind::TrailingSemicolon,
                };
                self.rewind(mark);
                self.note(kind, FIELD, self.offset(input))?;
                input = start;
                continue;
            }
            if let Some(rest) = self.no_result(start)? {
                if !self.lenient && (none.is_some() || !self.tree.results.is_empty()) {
                    return Err(Failure::new(ErrorKind::NoneMixed, FIELD, start).error());
                }
                if !self.lenient && !self.ends_value(rest) {
                    return Err(Failure::new(ErrorKind::NoneMixed, FIELD, rest).error());
                }
                if none.is_some() {
                    self.note(DiagnosticKind::NoneMixed, FIELD, self.offset(start))?;
                }
                none = none.or(Some(self.offset(start)));
                comments_of_none.push(mark.comments..self.tree.comments.len());
                self.tree.none = Some(self.span(input, rest));
                input = rest;
                continue;
            }
            // The comments read so far belong to the result, and are read again with it.
            self.rewind(mark);
            input = self.result_or_recover(input, body)?;
        }
        if let Some(offset) = none {
            if self.tree.results.is_empty() {
                self.tree.body = Body::NoResult;
                self.tree.header_comments = self.tree.comments.len();
            } else {
                self.note(DiagnosticKind::NoneMixed, FIELD, offset)?;
                for comments in comments_of_none.into_iter().rev() {
                    self.forget_comments(comments);
                }
            }
        }
        Ok(())
    }

    /// Removes the comments around a `none` that has no effect.
    fn forget_comments(&mut self, range: Range<usize>) {
        let count = range.len();
        let (start, end) = (range.start, range.end);
        if start > end || end > self.tree.comments.len() {
            return;
        }
        self.tree.comments.drain(range);
        for result in &mut self.tree.results {
            if result.comments.start >= end {
                result.comments.start = result.comments.start.saturating_sub(count);
                result.comments.end = result.comments.end.saturating_sub(count);
            }
        }
    }

    /// Reads `"none" [CFWS]` up to the end or the next `;`.
    fn no_result(&mut self, input: &'a [u8]) -> Result<Option<&'a [u8]>, nom::Err<Failure>> {
        let Some((word, rest)) = input.split_at_checked(4) else {
            return Ok(None);
        };
        if !word.eq_ignore_ascii_case(b"none") {
            return Ok(None);
        }
        let rest = self.cfws(rest, Element::None)?;
        Ok(self.ends_result(rest).then_some(rest))
    }
}
