//! Large values are read whole or refused, never cut short.

#![allow(clippy::unwrap_used, reason = "tests")]

use authres_tls::{
    AuthenticationResults, Options,
    syntax::{ErrorKind, Limits},
};

fn repeated(prefix: &str, repeat: &str, count: usize, suffix: &str) -> String {
    [prefix, &repeat.repeat(count), suffix].concat()
}

#[test]
fn reads_two_thousand_results() {
    let value = repeated("example.com", "; dkim=pass header.d=d.example", 2000, "");
    let header = AuthenticationResults::parse(value.as_bytes(), &Options::strict()).unwrap();
    assert_eq!(header.results().len(), 2000);
    let last = header.results().next_back().unwrap();
    assert_eq!(
        last.properties().next().unwrap().value().unfolded(),
        "d.example"
    );
}

#[test]
fn reads_ten_thousand_comments() {
    let value = repeated(
        "example.com; spf=pass ",
        "(a) ",
        10_000,
        "smtp.mailfrom=a.example",
    );
    let header = AuthenticationResults::parse(value.as_bytes(), &Options::strict()).unwrap();
    assert_eq!(header.results().next().unwrap().comments().count(), 10_000);
}

#[test]
fn accepts_each_limit_and_refuses_one_more() {
    let value = b"a.example ((x)) ; x=y a.b=c d.e=f; z=w";
    let exact = Limits {
        bytes: 38,
        results: 2,
        properties: 2,
        comments: 1,
        comment_depth: 2,
        diagnostics: 0,
    };
    let parse = |limits| {
        let options = Options::strict().with_limits(limits);
        AuthenticationResults::parse(value, &options)
            .map(|header| header.results().len())
            .map_err(|error| (error.kind(), error.field(), error.offset()))
    };
    assert_eq!(parse(exact), Ok(2));
    let refused = |limit, field, offset| Err((ErrorKind::Limit { limit }, field, offset));
    let bytes = Limits { bytes: 37, ..exact };
    assert_eq!(parse(bytes), refused(37, "authres-payload", 37));
    let results = Limits {
        results: 1,
        ..exact
    };
    assert_eq!(parse(results), refused(1, "resinfo", 33));
    let properties = Limits {
        properties: 1,
        ..exact
    };
    assert_eq!(parse(properties), refused(1, "propspec", 28));
    let comments = Limits {
        comments: 0,
        ..exact
    };
    assert_eq!(parse(comments), refused(0, "comment", 10));
    let comment_depth = Limits {
        comment_depth: 1,
        ..exact
    };
    assert_eq!(parse(comment_depth), refused(1, "comment", 11));
}

#[test]
fn limits_diagnostics_of_lenient_reading() {
    let value = b"a.example; x_y=z; spf=pass;";
    let limits = Limits {
        diagnostics: 1,
        ..Limits::DEFAULT
    };
    let options = Options::lenient().with_limits(limits);
    let error = AuthenticationResults::parse(value, &options).unwrap_err();
    assert_eq!(
        (error.kind(), error.offset()),
        (ErrorKind::Limit { limit: 1 }, 26)
    );
}
