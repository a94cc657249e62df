//! The writer as its users meet it: building, errors, editing what was read.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::borrow::Cow;

use authres_tls::{
    AuthenticationResults, AuthenticationResultsBuf, Options, ResInfo, ResInfoBuf, WriteError,
    WriteOptions,
    syntax::Limits,
    write::{CommentBuf, Instance, Keyword, Value, WriteErrorKind},
};

mod building;
mod editing;
mod reading;

type Refused = (
    WriteErrorKind,
    &'static str,
    Option<usize>,
    Option<usize>,
    usize,
);

fn parts(error: WriteError) -> Refused {
    (
        error.kind(),
        error.field(),
        error.result(),
        error.index(),
        error.offset(),
    )
}

fn tls() -> ResInfoBuf {
    ResInfoBuf::try_new("tls", "pass").unwrap()
}

fn id() -> AuthenticationResultsBuf {
    AuthenticationResultsBuf::try_new("mx.example.org").unwrap()
}

fn strict(value: &[u8]) -> AuthenticationResults<'_> {
    AuthenticationResults::parse(value, &Options::strict()).unwrap()
}

fn lenient(value: &[u8]) -> AuthenticationResults<'_> {
    AuthenticationResults::parse(value, &Options::lenient()).unwrap()
}

fn written(header: &AuthenticationResultsBuf) -> String {
    header.write(&WriteOptions::default()).unwrap()
}

/// Returns the limits lowered by one, each in turn, with the error of a value that needs all of `exact`.
fn lowered(exact: Limits) -> [(Limits, Refused); 4] {
    let refused = |limit, field| (WriteErrorKind::Limit { limit }, field, None, None, 0);
    let bytes = exact.bytes - 1;
    let (results, properties, comments) =
        (exact.results - 1, exact.properties - 1, exact.comments - 1);
    [
        (
            Limits { bytes, ..exact },
            refused(usize::try_from(bytes).unwrap(), "authres-payload"),
        ),
        (Limits { results, ..exact }, refused(results, "resinfo")),
        (
            Limits {
                properties,
                ..exact
            },
            refused(properties, "propspec"),
        ),
        (Limits { comments, ..exact }, refused(comments, "comment")),
    ]
}
