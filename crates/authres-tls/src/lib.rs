#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod error;
mod message;
mod options;
pub mod registry;
mod scan;
#[cfg(feature = "idna")]
mod strip;
mod syntax;
mod text;
mod write;

#[cfg(feature = "idna")]
pub use strip::{
    AUTHENTICATION_RESULTS, AuthservId, AuthservIdError, Removal, StripPolicy, StripReason,
    StripVerdict,
};
pub use {
    error::{Diagnostic, DiagnosticKind, ErrorKind, ParseError},
    message::{Field, fields},
    options::{Limits, Mode, Options},
    scan::authserv_id,
    syntax::{AuthenticationResults, Body, Comment, Element, Number, Property, ResInfo},
    text::{Form, Span, Text},
    write::{
        AuthenticationResultsBuf, CommentBuf, HARD_LINE_LIMIT, Indent, Instance, Keyword,
        PropertyBuf, ResInfoBuf, SOFT_LINE_LIMIT, Value, WriteError, WriteErrorKind, WriteOptions,
    },
};
