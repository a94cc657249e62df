//! Recovery of a lenient reading: the result and the diagnostics for one damaged value each.

#![allow(clippy::unwrap_used, reason = "tests")]

use authres_tls::{
    AuthenticationResults, Options,
    syntax::{DiagnosticKind, ErrorKind},
};

/// The authserv-id, the results as `method=result`, and the diagnostics with their offsets.
fn read(value: &str) -> (String, Vec<String>, Vec<(DiagnosticKind, usize)>) {
    let header = AuthenticationResults::parse(value.as_bytes(), &Options::lenient()).unwrap();
    let results = header
        .results()
        .map(|it| format!("{}={}", it.method(), it.result()));
    let diagnostics = header.diagnostics().iter();
    (
        header.authserv_id().to_string(),
        results.collect(),
        diagnostics.map(|it| (it.kind(), it.offset())).collect(),
    )
}

#[test]
fn skips_result_word_that_continues_after_junk() {
    for glued in ["pass@x.example", "pass/1", "pass\"x\""] {
        assert_eq!(
            read(&format!("mx.example; junk spf={glued}; dkim=pass")),
            (
                "mx.example".to_owned(),
                vec!["dkim=pass".to_owned()],
                vec![(DiagnosticKind::BadResinfo(ErrorKind::Expected), 17)],
            ),
            "{glued}"
        );
    }
}

#[test]
fn reads_unregistered_method_with_version_as_malformed_id() {
    assert_eq!(
        read("foo/1=pass; spf=pass"),
        (
            "foo/1=pass".to_owned(),
            vec!["spf=pass".to_owned()],
            vec![(DiagnosticKind::MalformedAuthservId, 0)],
        )
    );
    assert_eq!(
        read("spf/1=pass; dkim=pass"),
        (
            String::new(),
            vec!["spf=pass".to_owned(), "dkim=pass".to_owned()],
            vec![(DiagnosticKind::MissingAuthservId, 0)],
        )
    );
}

#[test]
fn keeps_result_word_before_colon_that_no_keyword_ends() {
    assert_eq!(
        read("mx.example; spf=fail:a@b.example smtp.helo=x"),
        (
            "mx.example".to_owned(),
            vec!["spf=fail".to_owned()],
            vec![(DiagnosticKind::JunkInResinfo(ErrorKind::MissingCfws), 20)],
        )
    );
    assert_eq!(
        read("mx.example; spf=fail:a smtp.helo=x").1,
        ["spf=fail:a".to_owned()]
    );
}
