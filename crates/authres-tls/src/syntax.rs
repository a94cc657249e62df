//! Reading: the tree of one `Authentication-Results` value (RFC 8601 section 2.2). The tree keeps the order,
//! duplicates, comments and the place of every part, and borrows from the value.

mod error;
mod options;
mod parser;
mod rules;
pub(crate) mod scan;
mod text;

pub(crate) use rules::{Rules, is_wsp};
pub use {
    error::{Diagnostic, DiagnosticKind, ErrorKind, ParseError},
    options::{Limits, Mode, Options},
    scan::authserv_id,
    text::{Form, Span, Text},
};

use alloc::vec::Vec;
use core::{fmt, ops::Range};

use crate::slice;

/// A number in a value: `authres-version`, `method-version` or `instance`, each `1*DIGIT [CFWS]` (RFC 8601
/// section 2.2, RFC 8617 section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    span: Span,
    value: Option<u32>,
}

impl Number {
    /// Returns the place of the digits.
    #[must_use]
    pub const fn span(self) -> Span {
        self.span
    }

    /// Returns the number. `None` if it is larger than a `u32`, or if a lenient reading accepted a
    /// method-version that is not a number.
    #[must_use]
    pub const fn value(self) -> Option<u32> {
        self.value
    }
}

/// Returns `true` if the digits that `input` begins with are the version of RFC 8601.
#[cfg(feature = "strip")]
pub(crate) fn is_supported_version(input: &[u8]) -> bool {
    let digits = input.iter().take_while(|octet| octet.is_ascii_digit());
    let mut digits = digits.skip_while(|octet| **octet == b'0');
    digits.next() == Some(&b'1') && digits.next().is_none()
}

/// The part of the grammar that a comment follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Element {
    /// The start of the value.
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
    /// The `=` after `reason`.
    ReasonEquals,
    /// The value of the reason.
    ReasonValue,
    /// `ptype`
    Ptype,
    /// The `.` after `ptype`.
    Dot,
    /// `property`
    Property,
    /// The `=` after `property`.
    Equals,
    /// A word of the local-part of an address.
    LocalPart,
    /// `pvalue`
    Pvalue,
}

/// A `comment` (RFC 5322 section 3.2.2) and its place:
///
/// ```text
/// comment  = "(" *([FWS] ccontent) [FWS] ")"
/// ccontent = ctext / quoted-pair / comment
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment<'a> {
    text: Text<'a>,
    after: Element,
}

impl<'a> Comment<'a> {
    /// Returns the text of the comment.
    #[must_use]
    pub const fn text(self) -> Text<'a> {
        self.text
    }

    /// Returns the part of the grammar before the comment.
    #[must_use]
    pub const fn after(self) -> Element {
        self.after
    }
}

/// A `propspec` (RFC 8601 section 2.2):
///
/// ```text
/// propspec = ptype [CFWS] "." [CFWS] property [CFWS] "=" pvalue
/// ptype    = Keyword
/// property = special-smtp-verb / Keyword
/// pvalue   = [CFWS] ( ( value / [ [ local-part ] "@" ] domain-name ) ) [CFWS]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    ptype: Option<Text<'a>>,
    property: Text<'a>,
    value: Text<'a>,
}

impl<'a> Property<'a> {
    /// Returns `ptype`. `None` if a lenient reading accepted a property without it.
    #[must_use]
    pub const fn ptype(self) -> Option<Text<'a>> {
        self.ptype
    }

    /// Returns `property`.
    #[must_use]
    pub const fn property(self) -> Text<'a> {
        self.property
    }

    /// Returns `pvalue`.
    #[must_use]
    pub const fn value(self) -> Text<'a> {
        self.value
    }

    /// Returns the place of the whole property.
    #[must_use]
    pub fn span(self) -> Span {
        let first = self.ptype.unwrap_or(self.property).span();
        first.to(self.value.span())
    }

    /// Returns `true` if the property is this `ptype.property`. Keywords compare without regard to case.
    #[must_use]
    pub fn is(self, ptype: &str, property: &str) -> bool {
        self.ptype.is_some_and(|it| it.eq_ignore_case(ptype))
            && self.property.eq_ignore_case(property)
    }
}

/// A `resinfo` (RFC 8601 section 2.2): the result of one method:
///
/// ```text
/// resinfo        = [CFWS] ";" methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]
/// methodspec     = [CFWS] method [CFWS] "=" [CFWS] result
/// reasonspec     = "reason" [CFWS] "=" [CFWS] value
/// method         = Keyword [ [CFWS] "/" [CFWS] method-version ]
/// method-version = 1*DIGIT [CFWS]
/// result         = Keyword
/// ```
#[derive(Clone, Copy)]
pub struct ResInfo<'h, 'a> {
    header: &'h AuthenticationResults<'a>,
    node: &'h ResultNode,
}

impl<'h, 'a> ResInfo<'h, 'a> {
    fn keyword(self, span: Span) -> Text<'a> {
        Text::new(self.header.input, span, Form::Token, true)
    }

    /// Returns `method`. A lenient reading also accepts `gateway.spf`: a registered method after names and
    /// full stops.
    #[must_use]
    pub fn method(self) -> Text<'a> {
        self.keyword(self.node.method)
    }

    /// Returns `method-version`, if present.
    #[must_use]
    pub const fn method_version(self) -> Option<Number> {
        self.node.method_version
    }

    /// Returns `result`. A lenient reading also accepts keywords with a `:` between them.
    #[must_use]
    pub fn result(self) -> Text<'a> {
        self.header.text(self.node.result)
    }

    /// Returns the value of `reasonspec`, if present.
    #[must_use]
    pub fn reason(self) -> Option<Text<'a>> {
        self.node.reason.map(|reason| self.header.text(reason))
    }

    /// Returns the properties that have a `ptype`, in their order, with duplicates.
    /// [`undotted`](Self::undotted) returns the others.
    pub fn properties(self) -> impl Iterator<Item = Property<'a>> + use<'h, 'a> {
        self.all_properties().filter(|it| it.ptype.is_some())
    }

    /// Returns the `key=value` pairs without a `ptype`, which only a lenient reading accepts.
    pub fn undotted(self) -> impl Iterator<Item = Property<'a>> + use<'h, 'a> {
        self.all_properties().filter(|it| it.ptype.is_none())
    }

    /// Returns the properties with and without a `ptype`, in their order.
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

    /// Returns the comments of this result, in their order.
    pub fn comments(self) -> impl Iterator<Item = Comment<'a>> + use<'h, 'a> {
        self.header.comments_in(self.node.comments.clone())
    }

    /// Returns the place of the result: from the `;` before it to the byte before the next `;` or the end.
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

/// The content of a value after its authserv-id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Results. A lenient reading may have skipped all of them.
    Results,
    /// `none`: no authentication was done.
    NoResult,
    /// A version that this crate does not know. The text after it was not parsed. By RFC 8601 section 5 such a
    /// field must not be used, and a border MTA removes it where it would remove a local one.
    UnsupportedVersion,
}

/// The value of an `Authentication-Results` field as a tree (RFC 8601 section 2.2):
///
/// ```text
/// authres-payload = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS] [CRLF]
/// authserv-id     = value
/// authres-version = 1*DIGIT [CFWS]
/// no-result       = [CFWS] ";" [CFWS] "none"
/// value           = token / quoted-string
/// ```
///
/// The tree borrows the bytes it was parsed from, so that editing copies unchanged parts byte for byte.
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
    /// The comments before this index belong to no result; those around a `none` are among them.
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
    /// Parses the value of an `Authentication-Results` field: the field body after the colon, folded or not,
    /// with or without the CRLF at its end. `options` select the strict or the lenient reading, UTF-8, line
    /// breaks and limits.
    ///
    /// # Errors
    /// Returns an error with the [`ErrorKind`], the field of the grammar and the byte offset. The strict reading
    /// fails on every deviation from the grammar. The lenient reading fails only on deviations that could forge
    /// or hide a result: [`ErrorKind::Control`], [`ErrorKind::UnclosedComment`],
    /// [`ErrorKind::UnclosedQuotedString`] and [`ErrorKind::Limit`], and if there is no value at all or no
    /// authserv-id can be found.
    pub fn parse(value: &'a [u8], options: &Options) -> Result<Self, ParseError> {
        parser::parse(value, options, false)
    }

    /// Parses the value of an `ARC-Authentication-Results` field (RFC 8617 section 4.1.1), which begins with an
    /// instance, `i=1;`.
    ///
    /// # Errors
    /// Returns the errors of [`parse`](Self::parse), and [`ErrorKind::Expected`] if the instance is missing or
    /// not in the range 1 to 50.
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

    /// Returns the bytes that the tree was parsed from.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.input
    }

    /// Returns the ARC instance, if the value was parsed with [`parse_arc`](Self::parse_arc).
    #[must_use]
    pub const fn instance(&self) -> Option<Number> {
        self.instance
    }

    /// Returns `authserv-id`. Compare it with [`AuthservId`](crate::AuthservId), not as text.
    #[must_use]
    pub fn authserv_id(&self) -> Text<'a> {
        self.text(self.authserv_id)
    }

    /// Returns `authres-version`, if present.
    #[must_use]
    pub const fn version(&self) -> Option<Number> {
        self.version
    }

    /// Returns the kind of content after the authserv-id.
    #[must_use]
    pub const fn body(&self) -> Body {
        self.body
    }

    /// Returns the place of the last `none`: from the `;` before it to the byte before the next `;` or the end.
    pub(crate) const fn none(&self) -> Option<Span> {
        self.none
    }

    /// Returns the results in their order, with duplicates.
    #[must_use]
    pub fn results(&self) -> impl ExactSizeIterator<Item = ResInfo<'_, 'a>> + DoubleEndedIterator {
        self.results
            .iter()
            .map(move |node| ResInfo { header: self, node })
    }

    /// Returns the comments that belong to no result, in their order.
    pub fn comments(&self) -> impl Iterator<Item = Comment<'a>> + use<'_, 'a> {
        self.comments_in(0..self.header_comments)
    }

    /// Returns all comments, in their order.
    pub fn all_comments(&self) -> impl Iterator<Item = Comment<'a>> + use<'_, 'a> {
        self.comments_in(0..self.comments.len())
    }

    /// Returns the deviations that a lenient reading accepted, in the order of the bytes.
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
