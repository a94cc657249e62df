//! The tree of one `Authentication-Results` value (RFC 8601 section 2.2): ordered, with duplicates,
//! every part with its place, borrowed from the value.

mod error;
mod options;
mod parser;
mod rules;
pub(crate) mod scan;
mod text;

pub(crate) use rules::Rules;
pub use {
    error::{Diagnostic, DiagnosticKind, ErrorKind, ParseError},
    options::{Limits, Mode, Options},
    scan::authserv_id,
    text::{Form, Span, Text},
};

use alloc::vec::Vec;
use core::{fmt, ops::Range};

use crate::slice;

/// A number in a value, e.g. `authres-version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    span: Span,
    value: Option<u32>,
}

impl Number {
    /// Where it stands.
    #[must_use]
    pub const fn span(self) -> Span {
        self.span
    }

    /// The number; `None` if it is larger than a `u32`, or in a lenient reading of a method-version if it
    /// is no number.
    #[must_use]
    pub const fn value(self) -> Option<u32> {
        self.value
    }
}

/// Whether the digits `input` begins with are the version of RFC 8601.
#[cfg(feature = "strip")]
pub(crate) fn is_supported_version(input: &[u8]) -> bool {
    let digits = input.iter().take_while(|octet| octet.is_ascii_digit());
    let mut digits = digits.skip_while(|octet| **octet == b'0');
    digits.next() == Some(&b'1') && digits.next().is_none()
}

/// Which part of the grammar something stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Element {
    /// Nothing: the start of the value.
    Start,
    /// `i=1` of an `ARC-Authentication-Results` field, or a part of it.
    Instance,
    /// `authserv-id`
    AuthservId,
    /// `authres-version`
    Version,
    /// The `;` before a result or `none`.
    Semicolon,
    /// `none`
    None,
    /// `method`
    Method,
    /// The `/` before `method-version`.
    Slash,
    /// `method-version`
    MethodVersion,
    /// The `=` before `result`.
    MethodEquals,
    /// `result`
    Result,
    /// `reason`
    Reason,
    /// The `=` after it.
    ReasonEquals,
    /// The reason's value.
    ReasonValue,
    /// `ptype`
    Ptype,
    /// The `.` after it.
    Dot,
    /// `property`
    Property,
    /// The `=` after it.
    Equals,
    /// A word of the local-part of an address.
    LocalPart,
    /// `pvalue`
    Pvalue,
}

/// A comment and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment<'a> {
    text: Text<'a>,
    after: Element,
}

impl<'a> Comment<'a> {
    /// The comment.
    #[must_use]
    pub const fn text(self) -> Text<'a> {
        self.text
    }

    /// What it stands behind.
    #[must_use]
    pub const fn after(self) -> Element {
        self.after
    }
}

/// A `propspec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    ptype: Option<Text<'a>>,
    property: Text<'a>,
    value: Text<'a>,
}

impl<'a> Property<'a> {
    /// `ptype`; `None` if there is none, which only a lenient reading lets through.
    #[must_use]
    pub const fn ptype(self) -> Option<Text<'a>> {
        self.ptype
    }

    /// `property`
    #[must_use]
    pub const fn property(self) -> Text<'a> {
        self.property
    }

    /// `pvalue`
    #[must_use]
    pub const fn value(self) -> Text<'a> {
        self.value
    }

    /// From the first byte to the last.
    #[must_use]
    pub fn span(self) -> Span {
        let first = self.ptype.unwrap_or(self.property).span();
        first.to(self.value.span())
    }

    /// Whether it is this `ptype.property`, which compare without regard to case.
    #[must_use]
    pub fn is(self, ptype: &str, property: &str) -> bool {
        self.ptype.is_some_and(|it| it.eq_ignore_case(ptype))
            && self.property.eq_ignore_case(property)
    }
}

/// A `resinfo`: one method's result.
#[derive(Clone, Copy)]
pub struct ResInfo<'h, 'a> {
    header: &'h AuthenticationResults<'a>,
    node: &'h ResultNode,
}

impl<'h, 'a> ResInfo<'h, 'a> {
    fn keyword(self, span: Span) -> Text<'a> {
        Text::new(self.header.input, span, Form::Token, true)
    }

    /// `method`. A lenient reading also accepts `gateway.spf`, a registered method behind names and
    /// full stops.
    #[must_use]
    pub fn method(self) -> Text<'a> {
        self.keyword(self.node.method)
    }

    /// `method-version`, if it is given.
    #[must_use]
    pub const fn method_version(self) -> Option<Number> {
        self.node.method_version
    }

    /// `result`. A lenient reading also accepts keywords with a `:` between them.
    #[must_use]
    pub fn result(self) -> Text<'a> {
        self.header.text(self.node.result)
    }

    /// The value of `reasonspec`, if it is given.
    #[must_use]
    pub fn reason(self) -> Option<Text<'a>> {
        self.node.reason.map(|reason| self.header.text(reason))
    }

    /// The properties in their order, duplicates and all. Those without a `ptype` are of
    /// [`undotted`](Self::undotted).
    pub fn properties(self) -> impl Iterator<Item = Property<'a>> + use<'h, 'a> {
        self.all_properties().filter(|it| it.ptype.is_some())
    }

    /// `key=value` pairs without a `ptype`, which a lenient reading let through.
    pub fn undotted(self) -> impl Iterator<Item = Property<'a>> + use<'h, 'a> {
        self.all_properties().filter(|it| it.ptype.is_none())
    }

    /// Both, in their order.
    pub fn all_properties(self) -> impl Iterator<Item = Property<'a>> + use<'h, 'a> {
        let header = self.header;
        let nodes = slice::range(&header.properties, self.node.properties.clone());
        nodes.iter().map(|node| Property {
            ptype: node
                .ptype
                .map(|span| Text::new(header.input, span, Form::Token, true)),
            property: Text::new(header.input, node.property, Form::Token, true),
            value: header.text(node.value),
        })
    }

    /// The comments in their order.
    pub fn comments(self) -> impl Iterator<Item = Comment<'a>> + use<'h, 'a> {
        self.header.comments_in(self.node.comments.clone())
    }

    /// From the `;` before it to the byte before the next `;` or the end.
    #[must_use]
    pub const fn span(self) -> Span {
        self.node.span
    }
}

impl fmt::Debug for ResInfo<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResInfo")
            .field("method", &self.method())
            .field("result", &self.result())
            .finish_non_exhaustive()
    }
}

/// What a value says besides its authserv-id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// Results; in a lenient reading all may have been passed over.
    Results,
    /// `none`: no authentication was done.
    NoResult,
    /// A version this crate does not know: nothing after it was looked at. RFC 8601 section 5:
    /// such a field is not to be used, and to be removed where one's own would be.
    UnsupportedVersion,
}

/// The value of an `Authentication-Results` field as a tree.
///
/// It keeps the bytes it was read from: what is not changed is written back as it was.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthenticationResults<'a> {
    input: &'a [u8],
    instance: Option<Number>,
    authserv_id: TextNode,
    version: Option<Number>,
    body: Body,
    none: Option<Span>,
    results: Vec<ResultNode>,
    properties: Vec<PropertyNode>,
    comments: Vec<CommentNode>,
    /// The comments up to here, and those after `none`, are of no result.
    header_comments: usize,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TextNode {
    span: Span,
    form: Form,
    plain: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ResultNode {
    span: Span,
    method: Span,
    method_version: Option<Number>,
    result: TextNode,
    reason: Option<TextNode>,
    properties: Range<usize>,
    comments: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PropertyNode {
    ptype: Option<Span>,
    property: Span,
    value: TextNode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CommentNode {
    span: Span,
    plain: bool,
    after: Element,
}

impl<'a> AuthenticationResults<'a> {
    /// Reads the value of an `Authentication-Results` field, what stands behind the colon, folded or
    /// not, with or without the CRLF at its end.
    ///
    /// # Errors
    /// When the value is not of the grammar; a lenient reading fails only where it could be fooled.
    pub fn parse(value: &'a [u8], options: &Options) -> Result<Self, ParseError> {
        parser::parse(value, options, false)
    }

    /// Reads the value of an `ARC-Authentication-Results` field (RFC 8617 section 4.1.1), which
    /// begins with an instance, `i=1;`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_arc(value: &'a [u8], options: &Options) -> Result<Self, ParseError> {
        parser::parse(value, options, true)
    }

    fn text(&self, node: TextNode) -> Text<'a> {
        Text::new(self.input, node.span, node.form, node.plain)
    }

    fn comments_in(&self, range: Range<usize>) -> impl Iterator<Item = Comment<'a>> + use<'_, 'a> {
        let nodes = slice::range(&self.comments, range);
        nodes.iter().map(|node| Comment {
            text: Text::new(self.input, node.span, Form::Comment, node.plain),
            after: node.after,
        })
    }

    /// The bytes this was read from.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.input
    }

    /// The ARC instance.
    #[must_use]
    pub const fn instance(&self) -> Option<Number> {
        self.instance
    }

    /// `authserv-id`. Compare it with [`AuthservId`](crate::AuthservId), not as text.
    #[must_use]
    pub fn authserv_id(&self) -> Text<'a> {
        self.text(self.authserv_id)
    }

    /// `authres-version`, if it is given.
    #[must_use]
    pub const fn version(&self) -> Option<Number> {
        self.version
    }

    /// What the value says.
    #[must_use]
    pub const fn body(&self) -> Body {
        self.body
    }

    /// The last `none`, from the `;` before it to the byte before the next `;` or the end.
    pub(crate) const fn none(&self) -> Option<Span> {
        self.none
    }

    /// The results in their order, duplicates and all.
    #[must_use]
    pub fn results(&self) -> impl ExactSizeIterator<Item = ResInfo<'_, 'a>> + DoubleEndedIterator {
        self.results
            .iter()
            .map(move |node| ResInfo { header: self, node })
    }

    /// The comments that are of no result, in their order.
    pub fn comments(&self) -> impl Iterator<Item = Comment<'a>> + use<'_, 'a> {
        self.comments_in(0..self.header_comments)
    }

    /// All comments, in their order.
    pub fn all_comments(&self) -> impl Iterator<Item = Comment<'a>> + use<'_, 'a> {
        self.comments_in(0..self.comments.len())
    }

    /// What a lenient reading let through, in the order of the bytes.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

impl fmt::Debug for AuthenticationResults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticationResults")
            .field("authserv_id", &self.authserv_id())
            .field("version", &self.version)
            .field("body", &self.body)
            .field("results", &self.results().len())
            .field("diagnostics", &self.diagnostics)
            .finish_non_exhaustive()
    }
}
