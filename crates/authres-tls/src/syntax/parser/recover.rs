//! The lenient reading of a value that deviates from the grammar. A result that names a method and a result
//! word is never dropped, and no text becomes a result that may be the value of another property.

use alloc::vec::Vec;

use super::{AfterId, Form, Parser, Rest, TextNode, may_be_cfws};
use crate::{
    registry, slice,
    syntax::{
        Body, Number,
        error::{DiagnosticKind, ErrorKind, ParseError},
        rules::{Failure, Read, is_control},
        text::Span,
    },
};

impl<'a> Parser<'a, '_> {
    /// Reads a result. A lenient reading skips a result that cannot be parsed. `whole` begins at the `;`, `body`
    /// after it.
    pub(super) fn result_or_recover(&mut self, whole: &'a [u8], body: &'a [u8]) -> Rest<'a> {
        let limit = self.options.limits.results;
        if self.tree.results.len() >= limit {
            return Err(Failure::new(ErrorKind::Limit { limit }, "resinfo", whole).fatal());
        }
        let mark = self.mark();
        match self.resinfo(whole, body) {
            Err(nom::Err::Error(failure)) if self.lenient => {
                let offset = failure.offset(self.input);
                if self.input.get(offset).copied().is_some_and(is_control) {
                    return Err(failure.fatal());
                }
                self.rewind(mark);
                let Some(result) = self.find_result(body)? else {
                    let kind = DiagnosticKind::BadResinfo(failure.kind);
                    self.note(kind, failure.field, offset)?;
                    return self.skip_to_semicolon(body);
                };
                let kind = DiagnosticKind::JunkInResinfo(failure.kind);
                self.note(kind, failure.field, offset)?;
                self.resinfo(whole, result)
            }
            other => other,
        }
    }

    /// Reads the results of a value that begins with a `;`. There must be one: else there is nothing that
    /// a reader without an id could use.
    pub(super) fn results_after_missing_id(
        &mut self,
        input: &'a [u8],
    ) -> Result<(), nom::Err<Failure>> {
        const FIELD: &str = "authserv-id";
        let at = self.offset(input);
        self.note(DiagnosticKind::MissingAuthservId, FIELD, at)?;
        self.tree.authserv_id.span = self.span(input, input);
        self.tree.header_comments = self.tree.comments.len();
        self.results(input)?;
        if self.tree.results.is_empty() {
            return Err(Failure::expected(FIELD, input).error());
        }
        Ok(())
    }

    /// Returns `true` if `method [CFWS] "="` begins here. A method with a version or with names and full
    /// stops before it must be registered.
    pub(super) fn begins_result(&self, input: &'a [u8]) -> bool {
        let (rest, registered) = match self.registered_method(input) {
            Some(rest) => (rest, true),
            None => match self.rules.keyword(input, "method") {
                Ok((rest, _)) => (rest, false),
                Err(_) => return false,
            },
        };
        let Some(rest) = self.without_cfws(rest) else {
            return false;
        };
        let rest = match rest.first() {
            Some(b'/') if registered => self.after_method_version(rest),
            _ => rest,
        };
        rest.first() == Some(&b'=')
    }

    /// Handles other text than a `;` after authserv-id and version: a result that lacks the `;`, or words before
    /// it.
    pub(super) fn junk_after_id(
        &mut self,
        input: &'a [u8],
    ) -> Result<AfterId<'a>, nom::Err<Failure>> {
        const FIELD: &str = "authserv-id";
        let result = self.find_result(input)?;
        if result.is_none_or(|result| result.len() < input.len()) {
            let at = self.offset(input);
            self.note(DiagnosticKind::JunkAfterAuthservId, FIELD, at)?;
        }
        match result {
            Some(result) => {
                let at = self.offset(result);
                self.note(DiagnosticKind::MissingSemicolon, "resinfo", at)?;
                Ok(AfterId::Result(result))
            }
            None => self.skip_to_semicolon(input).map(AfterId::Semicolon),
        }
    }

    /// Finds a familiar method with a result word before the next `;`. Words before it are skipped, but
    /// none with a `=` that has a value: such a value may be a client's, `smtp.helo=x dkim=pass`.
    pub(super) fn find_result(
        &self,
        input: &'a [u8],
    ) -> Result<Option<&'a [u8]>, nom::Err<Failure>> {
        let (mut rest, ()) = self.rules.cfws(input, |_, _, _| Ok(()))?;
        while !self.ends_result(rest) {
            if self.is_result(rest) {
                return Ok(Some(rest));
            }
            let behind = self.after_word(rest)?;
            let word = slice::before(rest, behind);
            let may_follow = match word.split_last() {
                Some((b'=', key)) => self
                    .rules
                    .keyword(key, "method")
                    .is_ok_and(|(rest, _)| rest.is_empty()),
                _ => !word.contains(&b'='),
            };
            if !may_follow {
                return Ok(None);
            }
            let (after, ()) = self.rules.cfws(behind, |_, _, _| Ok(()))?;
            // No octet was skipped: the next one begins a line break that does not fold.
            if after.len() == rest.len() {
                return Ok(None);
            }
            rest = after;
        }
        Ok(None)
    }

    /// Returns `true` if a familiar method with a result word begins here.
    fn is_result(&self, input: &'a [u8]) -> bool {
        let result = || {
            let method = self.registered_method(input);
            let rest = self.without_cfws(method.or_else(|| self.familiar_method(input))?)?;
            let rest = match rest.first() {
                Some(b'/') => self.after_method_version(rest),
                _ => rest,
            };
            let (b'=', rest) = rest.split_first()? else {
                return None;
            };
            let rest = self.without_cfws(rest)?;
            let (rest, word) = self.rules.keyword(rest, "result").ok()?;
            Some((rest, is_result_word(word)))
        };
        let ends = |rest| self.ends_result(rest) || may_be_cfws(rest);
        result().is_some_and(|(rest, known)| known && ends(rest))
    }

    fn without_cfws(&self, input: &'a [u8]) -> Option<&'a [u8]> {
        let rest = self.rules.cfws(input, |_, _, _| Ok(()));
        rest.ok().map(|(rest, ())| rest)
    }

    /// Returns the text after `*(Keyword ".") method`, if the method is registered.
    fn registered_method(&self, mut input: &'a [u8]) -> Option<&'a [u8]> {
        loop {
            let (rest, label) = self.rules.keyword(input, "method").ok()?;
            match rest.split_first() {
                Some((b'.', after)) => input = after,
                _ => return registered(label).then_some(rest),
            }
        }
    }

    fn familiar_method(&self, input: &'a [u8]) -> Option<&'a [u8]> {
        let (rest, method) = self.rules.keyword(input, "method").ok()?;
        is_familiar(method).then_some(rest)
    }

    /// Reads `method`, also with names and full stops before a registered one.
    pub(super) fn method(&mut self, input: &'a [u8]) -> Rest<'a> {
        if self.lenient
            && let Some(rest) = self.registered_method(input)
            && self.begins_result(input)
        {
            let method = slice::before(input, rest);
            if method.contains(&b'.') {
                self.note(DiagnosticKind::DottedMethod, "method", self.offset(input))?;
                return Ok(rest);
            }
        }
        self.keyword(input, "method")
    }

    /// Reads `method-version` and the `/` before it. A version that is not a number makes the result unusable, but
    /// the result stays in the tree.
    pub(super) fn method_version(&mut self, input: &'a [u8], method: Span) -> Read<'a, Number> {
        const FIELD: &str = "method-version";
        let (after, ()) = super::octet(input, b'/', FIELD)?;
        let start = self.cfws(after, super::Element::Slash)?;
        let read = self.number(start, FIELD);
        let behind = self.after_method_version(input);
        if !self.lenient || behind.first() != Some(&b'=') || !registered(method.of(self.input)) {
            return read;
        }
        match read {
            Ok((rest, number)) if rest.first() == Some(&b'=') || may_be_cfws(rest) => {
                Ok((rest, number))
            }
            Err(error @ nom::Err::Failure(_)) => Err(error),
            _ => {
                let at = self.offset(after);
                self.note(DiagnosticKind::MalformedMethodVersion, FIELD, at)?;
                let span = self.span(after, behind);
                Ok((behind, Number { span, value: None }))
            }
        }
    }

    /// Returns the text from the `=` after a method-version on, whatever its characters are, or from another
    /// character that ends it.
    fn after_method_version(&self, input: &'a [u8]) -> &'a [u8] {
        let mut rest = slice::after_first(input);
        rest = self.without_cfws(rest).unwrap_or(rest);
        let ends = |octet: &u8| {
            matches!(octet, b'=' | b';' | b'(' | b'"' | b' ' | b'\t') || is_control(*octet)
        };
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let rest = slice::from(rest, length);
        self.without_cfws(rest).unwrap_or(rest)
    }

    /// Reads `result`: a keyword, or for a familiar method keywords with a `:` between them.
    pub(super) fn result(&mut self, input: &'a [u8], method: Span) -> Read<'a, TextNode> {
        const FIELD: &str = "result";
        let mut rest = self.keyword(input, FIELD)?;
        let mut form = Form::Token;
        if self.lenient {
            // The result word is missing, and so is the `;` before the next result.
            if self.is_result(input) {
                return Err(Failure::expected(FIELD, input).error());
            }
            if is_familiar(method.of(self.input))
                && let Some(whole) = self.keywords_with_colons(rest)
            {
                self.note(DiagnosticKind::UnquotedTspecials, FIELD, self.offset(input))?;
                (rest, form) = (whole, Form::Unquoted);
            }
        }
        let span = self.span(input, rest);
        let plain = true;
        Ok((rest, TextNode { span, form, plain }))
    }

    /// Returns the text after `1*(":" Keyword)`, if white space, a comment or the end of the result follows.
    fn keywords_with_colons(&self, input: &'a [u8]) -> Option<&'a [u8]> {
        let mut rest = input;
        while let Some((b':', after)) = rest.split_first() {
            rest = self.rules.keyword(after, "result").ok()?.0;
        }
        let ends = self.ends_result(rest) || may_be_cfws(rest);
        (rest.len() < input.len() && ends).then_some(rest)
    }

    /// Handles text that follows the result directly. After a result word of a familiar method it is skipped.
    pub(super) fn junk_after_result(
        &mut self,
        failure: Failure,
        input: &'a [u8],
        method: Span,
        result: TextNode,
    ) -> Rest<'a> {
        let known =
            is_familiar(method.of(self.input)) && is_result_word(result.span.of(self.input));
        let control = input.first().copied().is_some_and(is_control);
        if !self.lenient || !known || control {
            return Err(failure.error());
        }
        let kind = DiagnosticKind::JunkInResinfo(failure.kind);
        self.note(kind, failure.field, self.offset(input))?;
        let behind = self.after_word(input)?;
        self.cfws(behind, super::Element::Result)
    }

    /// Handles a property that follows the reason directly.
    pub(super) fn glued_to_reason(
        &mut self,
        failure: Failure,
        input: &'a [u8],
    ) -> Result<(), nom::Err<Failure>> {
        if !self.lenient || input.first().copied().is_some_and(is_control) {
            return Err(failure.error());
        }
        let at = self.offset(input);
        self.note(DiagnosticKind::MissingCfws, failure.field, at)
    }

    /// Reads a `propspec`, or skips a word that is not a property. Words that follow a skipped word belong to the
    /// same diagnostic.
    pub(super) fn propspec_or_junk(&mut self, input: &'a [u8], in_junk: &mut bool) -> Rest<'a> {
        let mark = self.mark();
        let failure = match self.propspec(input) {
            Err(nom::Err::Error(failure)) => failure,
            other => {
                *in_junk = false;
                return other;
            }
        };
        let offset = failure.offset(self.input);
        if self.input.get(offset).copied().is_some_and(is_control) && !self.ends_value_at(offset) {
            return Err(failure.fatal());
        }
        self.rewind(mark);
        if !core::mem::replace(in_junk, true) {
            let kind = DiagnosticKind::JunkInResinfo(failure.kind);
            self.note(kind, failure.field, self.offset(input))?;
        }
        let behind = self.after_word(input)?;
        self.cfws(behind, super::Element::Pvalue)
    }

    fn ends_value_at(&self, offset: usize) -> bool {
        self.ends_value(slice::from(self.input, offset))
    }

    /// Returns the text after a word, which ends at white space, a comment or the end of the result.
    /// Quoted-strings in it are skipped whole.
    fn after_word(&self, mut input: &'a [u8]) -> Rest<'a> {
        while !self.ends_result(input) && !may_be_cfws(input) {
            input = match input {
                [b'"', ..] => self.rules.quoted_string(input)?.0,
                [octet, ..] if is_control(*octet) => {
                    return Err(Failure::new(ErrorKind::Control, "resinfo", input).fatal());
                }
                rest => slice::after_first(rest),
            };
        }
        Ok(input)
    }

    /// Returns `true` if there is nothing between the `=` and `start`, where the value should begin.
    pub(super) fn is_missing(&self, equals: &'a [u8], start: &'a [u8]) -> bool {
        if self.ends_result(start) {
            return true;
        }
        start.len() < equals.len()
            && (self.rules.begins_loose_property(start, true) || self.begins_undotted_pair(start))
    }

    /// Returns `true` if `key=value` begins here. The key is not an attribute type of a distinguished name,
    /// and what follows the `=` is not the rest of the padding of base64.
    fn begins_undotted_pair(&self, input: &'a [u8]) -> bool {
        const ATTRIBUTE_TYPES: &[&str] = &[
            "c",
            "cn",
            "dc",
            "emailaddress",
            "l",
            "o",
            "ou",
            "serialnumber",
            "st",
            "street",
            "uid",
        ];
        let Ok((rest, key)) = self.rules.keyword(input, "propspec") else {
            return false;
        };
        let (Some((b'=', value)), Ok(key)) = (rest.split_first(), core::str::from_utf8(key)) else {
            return false;
        };
        let is_key = !ATTRIBUTE_TYPES
            .iter()
            .any(|it| it.eq_ignore_ascii_case(key));
        is_key && value.first() != Some(&b'=') && !self.ends_result(value) && !may_be_cfws(value)
    }

    /// Returns the empty value of a property or reason without one.
    pub(super) fn empty_value(
        &mut self,
        equals: &'a [u8],
        start: &'a [u8],
        field: &'static str,
    ) -> Read<'a, TextNode> {
        self.note(DiagnosticKind::EmptyValue, field, self.offset(equals))?;
        let span = self.span(equals, equals);
        let (form, plain) = (Form::Unquoted, true);
        Ok((start, TextNode { span, form, plain }))
    }

    /// Skips the text up to the next `;` that is not in a quoted-string or comment.
    pub(super) fn skip_to_semicolon(&self, mut input: &'a [u8]) -> Rest<'a> {
        const FIELD: &str = "resinfo";
        loop {
            (input, ()) = self.rules.cfws(input, |_, _, _| Ok(()))?;
            input = match input {
                _ if self.ends_result(input) => return Ok(input),
                [b'"', ..] => self.rules.quoted_string(input)?.0,
                [octet, ..] if is_control(*octet) => {
                    return Err(Failure::new(ErrorKind::Control, FIELD, input).fatal());
                }
                rest => slice::after_first(rest),
            };
        }
    }

    /// Notes the deviations of the value as a whole in a lenient reading.
    pub(super) fn whole_value_diagnostics(&mut self) -> Result<(), ParseError> {
        if !self.lenient {
            return Ok(());
        }
        // The text after an unknown version was not parsed.
        let read = match (self.tree.body, self.tree.version) {
            (Body::UnsupportedVersion, Some(version)) => slice::to(self.input, version.span.end()),
            _ => self.input,
        };
        let mut found = Vec::new();
        let mut before = 0;
        for (offset, octet) in read.iter().enumerate() {
            if *octet == b'\n' && before != b'\r' && !self.options.bare_lf {
                found.push((DiagnosticKind::BareLfFold, offset));
            }
            before = *octet;
        }
        let non_ascii = if self.options.utf8 {
            core::str::from_utf8(read)
                .err()
                .map(|error| error.valid_up_to())
        } else {
            read.iter().position(|octet| !octet.is_ascii())
        };
        found.extend(non_ascii.map(|offset| (DiagnosticKind::NonAscii, offset)));
        let input = self.input;
        for (kind, offset) in found {
            let noted = self.note(kind, "authres-payload", offset);
            if let Err(nom::Err::Error(failure) | nom::Err::Failure(failure)) = noted {
                return Err(failure.locate(input));
            }
        }
        self.tree
            .diagnostics
            .sort_by_key(|diagnostic| diagnostic.offset());
        Ok(())
    }
}

fn registered(method: &[u8]) -> bool {
    core::str::from_utf8(method).is_ok_and(|name| registry::Method::find(name).is_some())
}

/// Returns `true` if the method is registered, or is common without being registered.
fn is_familiar(method: &[u8]) -> bool {
    const UNREGISTERED: [&[u8]; 2] = [b"bimi", b"compauth"];
    let last = method.rsplit(|octet| *octet == b'.').next();
    let experimental = matches!(method, [b'x' | b'X', b'-', ..]);
    experimental
        || last.is_some_and(registered)
        || UNREGISTERED
            .iter()
            .any(|it| it.eq_ignore_ascii_case(method))
}

/// Returns `true` if a registered method has this result, or if it is common without being registered.
fn is_result_word(word: &[u8]) -> bool {
    const UNREGISTERED: [&str; 6] = [
        "bestguesspass",
        "error",
        "hardfail",
        "permfail",
        "tempfail",
        "unknown",
    ];
    core::str::from_utf8(word).is_ok_and(|word| {
        UNREGISTERED.iter().any(|it| it.eq_ignore_ascii_case(word))
            || registry::METHODS
                .iter()
                .any(|method| method.result(word).is_some())
    })
}
