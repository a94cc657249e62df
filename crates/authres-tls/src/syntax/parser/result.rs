//! `resinfo`: the method, the result, the reason and the properties.

use super::{
    super::{
        Element, PropertyNode, ResultNode, TextNode,
        error::{DiagnosticKind, ErrorKind},
        rules::{Failure, Read, is_control, is_wsp, octet, token},
        text::Form,
    },
    Parser, Rest, may_be_cfws,
};
use crate::slice;

impl<'a> Parser<'a, '_> {
    /// Reads the part of `resinfo` after the `;`.
    pub(super) fn resinfo(&mut self, whole: &'a [u8], body: &'a [u8]) -> Rest<'a> {
        let properties = self.tree.properties.len();
        let comments = self.tree.comments.len();
        // methodspec
        let start = self.cfws(body, Element::Semicolon)?;
        let rest = self.method(start)?;
        let method = self.span(start, rest);
        let mut rest = self.cfws(rest, Element::Method)?;
        let mut method_version = None;
        if rest.first() == Some(&b'/') {
            let (after, number) = self.method_version(rest, method)?;
            method_version = Some(number);
            rest = self.cfws(after, Element::MethodVersion)?;
        }
        let (rest, ()) = octet(rest, b'=', "methodspec")?;
        let start = self.cfws(rest, Element::MethodEquals)?;
        let (mut before, result) = self.result(start, method)?;
        // [ CFWS reasonspec ] [ CFWS 1*propspec ]
        let mut reason = None;
        let mut rest = self.cfws(before, Element::Result)?;
        if !self.ends_result(rest) {
            if rest.len() == before.len() {
                let missing = Failure::new(ErrorKind::MissingCfws, "propspec", rest);
                rest = self.junk_after_result(missing, rest, method, result)?;
            }
            if let Some(value) = self.reason_equals(rest)? {
                let (after, node) = self.value(value)?;
                reason = Some(node);
                before = after;
                rest = self.cfws(after, Element::ReasonValue)?;
                let glued = rest.len() == before.len() && !node.span.is_empty();
                if !self.ends_result(rest) && glued {
                    let missing = Failure::new(ErrorKind::MissingCfws, "propspec", rest);
                    self.glued_to_reason(missing, rest)?;
                }
            }
            rest = self.propspecs(rest)?;
        }
        let properties = properties..self.tree.properties.len();
        let comments = comments..self.tree.comments.len();
        self.tree.results.push(ResultNode {
            span: self.span(whole, rest),
            method,
            method_version,
            result,
            reason,
            properties,
            comments,
        });
        Ok(rest)
    }

    /// Reads `1*propspec`. A lenient reading skips words that are not a property.
    pub(super) fn propspecs(&mut self, mut rest: &'a [u8]) -> Rest<'a> {
        let mut in_junk = false;
        while !self.ends_result(rest) {
            rest = match self.lenient {
                true => self.propspec_or_junk(rest, &mut in_junk)?,
                false => self.propspec(rest)?,
            };
        }
        Ok(rest)
    }

    /// Reads a keyword. A lenient reading notes the deviations in it.
    pub(super) fn keyword(&mut self, input: &'a [u8], field: &'static str) -> Rest<'a> {
        let (rest, keyword) = self.rules.keyword(input, field)?;
        if self.lenient {
            if let Some(at) = keyword.iter().position(|octet| *octet == b'_') {
                let offset = self.offset(input).saturating_add(at);
                self.note(DiagnosticKind::UnderscoreInKeyword, field, offset)?;
            }
            if keyword.ends_with(b"-") {
                let offset = self.offset(rest).saturating_sub(1);
                self.note(DiagnosticKind::KeywordEndsWithHyphen, field, offset)?;
            }
        }
        Ok(rest)
    }

    /// Reads `"reason" [CFWS] "="`, if it appears here: `reason` may also be a ptype.
    pub(super) fn reason_equals(
        &mut self,
        input: &'a [u8],
    ) -> Result<Option<&'a [u8]>, nom::Err<Failure>> {
        let Some((word, rest)) = input.split_at_checked(6) else {
            return Ok(None);
        };
        if !word.eq_ignore_ascii_case(b"reason") {
            return Ok(None);
        }
        let mark = self.mark();
        let rest = self.cfws(rest, Element::Reason)?;
        if let Some((b'=', rest)) = rest.split_first() {
            return Ok(Some(rest));
        }
        self.rewind(mark);
        Ok(None)
    }

    /// Reads the `value` of a reason after its `=`, with the deviations that a lenient reading accepts.
    pub(super) fn value(&mut self, equals: &'a [u8]) -> Read<'a, TextNode> {
        const FIELD: &str = "reasonspec";
        let input = self.cfws(equals, Element::ReasonEquals)?;
        if self.lenient && self.is_missing(equals, input) {
            return self.empty_value(equals, input, FIELD);
        }
        if input.first() == Some(&b'"') {
            let (rest, plain) = self.rules.quoted_string(input)?;
            let span = self.span(input, rest);
            let form = Form::QuotedString;
            return Ok((rest, TextNode { span, form, plain }));
        }
        let read = token(input, FIELD).map(|(rest, _)| (rest, Form::Token, true));
        self.or_run(input, read, FIELD)
    }

    /// Reads `propspec`.
    pub(super) fn propspec(&mut self, input: &'a [u8]) -> Rest<'a> {
        let limit = self.options.limits.properties;
        if self.tree.properties.len() >= limit {
            return Err(Failure::new(ErrorKind::Limit { limit }, "propspec", input).fatal());
        }
        let rest = self.keyword(input, "ptype")?;
        let first = self.span(input, rest);
        let mut rest = self.cfws(rest, Element::Ptype)?;
        let (mut ptype, mut property) = (None, first);
        if self.lenient && rest.first() == Some(&b'=') {
            self.note(DiagnosticKind::UndottedPair, "propspec", self.offset(input))?;
        } else {
            (rest, ()) = octet(rest, b'.', "propspec")?;
            let start = self.cfws(rest, Element::Dot)?;
            rest = self.keyword(start, "property")?;
            (ptype, property) = (Some(first), self.span(start, rest));
            rest = self.cfws(rest, Element::Property)?;
        }
        (rest, ()) = octet(rest, b'=', "propspec")?;
        let (rest, value) = self.pvalue(rest)?;
        self.tree.properties.push(PropertyNode {
            ptype,
            property,
            value,
        });
        self.cfws(rest, Element::Pvalue)
    }

    /// Reads `pvalue` after the `=`.
    pub(super) fn pvalue(&mut self, equals: &'a [u8]) -> Read<'a, TextNode> {
        const FIELD: &str = "pvalue";
        let start = self.cfws(equals, Element::Equals)?;
        let read = self.rules.pvalue(start);
        let is_address = matches!(read, Ok((_, (Form::Address, _))));
        if self.lenient && !is_address && self.is_missing(equals, start)
            || is_address && start.len() < equals.len() && self.rules.begins_property(start)
        {
            if !self.lenient {
                return Err(Failure::expected(FIELD, start).error());
            }
            return self.empty_value(equals, start, FIELD);
        }
        let read = read.map(|(rest, (form, plain))| (rest, form, plain));
        let (rest, value) = self.or_run(start, read, FIELD)?;
        if value.form == Form::Address && !value.plain {
            self.comments_inside(start, rest)?;
        }
        Ok((rest, value))
    }

    /// Adds the comments between the words of an obsolete local-part.
    pub(super) fn comments_inside(
        &mut self,
        mut input: &'a [u8],
        end: &'a [u8],
    ) -> Result<(), nom::Err<Failure>> {
        while input.len() > end.len() {
            let rest = self.cfws(input, Element::LocalPart)?;
            input = match rest.first() {
                _ if rest.len() < input.len() => rest,
                Some(b'"') => self.rules.quoted_string(rest)?.0,
                _ => slice::after_first(rest),
            };
        }
        Ok(())
    }

    /// Returns the text that a rule read. In a lenient reading, if the value continues after it, returns the whole
    /// run of characters.
    pub(super) fn or_run(
        &mut self,
        input: &'a [u8],
        read: Result<(&'a [u8], Form, bool), nom::Err<Failure>>,
        field: &'static str,
    ) -> Read<'a, TextNode> {
        let (rest, form, plain) = match read {
            Ok((rest, form, plain))
                if !self.lenient
                    || form == Form::QuotedString
                    || self.ends_result(rest)
                    || may_be_cfws(rest) =>
            {
                (rest, form, plain)
            }
            Err(error @ nom::Err::Failure(_)) => return Err(error),
            Err(error) if !self.lenient => return Err(error),
            read => {
                let rest = self.run(input, field)?;
                if rest.len() == input.len() {
                    read?;
                }
                let offset = self.offset(input);
                self.note(DiagnosticKind::UnquotedTspecials, field, offset)?;
                (rest, Form::Unquoted, true)
            }
        };
        let span = self.span(input, rest);
        Ok((rest, TextNode { span, form, plain }))
    }

    /// Reads the text before the next white space, `;`, comment or quote.
    pub(super) fn run(&self, input: &'a [u8], field: &'static str) -> Rest<'a> {
        let ends = |octet: &u8| {
            matches!(octet, b';' | b'(' | b'"') || is_wsp(*octet) || is_control(*octet)
        };
        let length = input.iter().position(ends).unwrap_or(input.len());
        let rest = slice::from(input, length);
        if length == 0 {
            return Err(Failure::expected(field, input).error());
        }
        Ok(rest)
    }
}
