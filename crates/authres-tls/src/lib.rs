#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod error;
mod options;
mod syntax;
mod text;

pub use {
    error::{Diagnostic, DiagnosticKind, ErrorKind, ParseError},
    options::{Limits, Mode, Options},
    syntax::{AuthenticationResults, Body, Comment, Element, Number, Property, ResInfo},
    text::{Form, Span, Text},
};
