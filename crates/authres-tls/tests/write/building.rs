//! Building and writing a value.

use super::*;

#[test]
fn quotes_subject_that_forges_result() {
    let subject = "a@b; dkim=pass header.d=bank.example";
    let header = id().with_result(tls().with_property("cert", "client", subject).unwrap());
    let text = written(&header);
    assert_eq!(
        text,
        "mx.example.org;\r\n\ttls=pass cert.client=\"a@b; dkim=pass header.d=bank.example\""
    );
    let read = strict(text.as_bytes());
    assert_eq!(read.results().len(), 1);
    let property = read.results().next().unwrap().properties().next().unwrap();
    assert_eq!(property.value().unfolded(), subject);
}

/// Such a token and the property after it can be read as an obsolete local-part.
#[test]
fn quotes_token_that_ends_with_full_stop() {
    let spf = ResInfoBuf::try_new("spf", "pass").unwrap();
    let spf = spf.with_property("smtp", "helo", "evil.").unwrap();
    let spf = spf
        .with_property("smtp", "mailfrom", "a@b.example")
        .unwrap();
    let text = written(&id().with_result(spf));
    assert_eq!(
        text,
        "mx.example.org;\r\n\tspf=pass smtp.helo=\"evil.\" smtp.mailfrom=a@b.example"
    );
    assert_eq!(
        strict(text.as_bytes())
            .results()
            .next()
            .unwrap()
            .properties()
            .count(),
        2
    );
}

#[test]
fn writes_each_part_in_its_place() {
    let header = id()
        .with_instance(Instance::try_new(3).unwrap())
        .with_version(true)
        .with_comment("head")
        .unwrap()
        .with_result(
            tls()
                .with_method_version(1)
                .with_reason("self-signed; expired")
                .unwrap()
                .with_comment("a) (b")
                .unwrap()
                .with_property("Tls", "V", "TLS1.3")
                .unwrap()
                .with_property("tls", "v", "")
                .unwrap(),
        )
        .with_result(ResInfoBuf::try_new("spf", "NONE").unwrap());
    assert_eq!(header.field_name(), "ARC-Authentication-Results");
    let text = written(&header);
    assert_eq!(
        text,
        "i=3; mx.example.org 1 (head);\r\n\
         \ttls/1=pass (a\\) \\(b) reason=\"self-signed; expired\" tls.v=TLS1.3 tls.v=\"\";\r\n\
         \tspf=none"
    );
    let read = AuthenticationResults::parse_arc(text.as_bytes(), &Options::strict()).unwrap();
    assert_eq!(AuthenticationResultsBuf::try_from(&read), Ok(header));
}

#[test]
fn writes_none_without_results() {
    assert_eq!(written(&id()), "mx.example.org; none");
    assert_eq!(id().field_name(), "Authentication-Results");
    let comment = id().with_comment("x").unwrap();
    assert_eq!(written(&comment), "mx.example.org (x); none");
}

#[test]
fn reports_kind_field_index_and_offset_of_error() {
    use WriteErrorKind as Kind;
    let errors: Vec<(Option<WriteError>, Refused)> = vec![
        (
            AuthenticationResultsBuf::try_new("").err(),
            (Kind::Empty, "authserv-id", None, None, 0),
        ),
        (
            AuthenticationResultsBuf::try_new("a\r\nb").err(),
            (Kind::Control, "authserv-id", None, None, 1),
        ),
        (
            id().with_comment("a").unwrap().with_comment("é\n").err(),
            (Kind::Control, "comment", None, Some(1), 2),
        ),
        (
            ResInfoBuf::try_new("a b", "pass").err(),
            (Kind::Keyword, "method", None, None, 1),
        ),
        (
            ResInfoBuf::try_new("a", "pass-").err(),
            (Kind::EndsWithHyphen, "result", None, None, 4),
        ),
        (
            tls().with_reason("\0").err(),
            (Kind::Control, "reasonspec", None, None, 0),
        ),
        (
            tls().with_comment("\u{85}").err(),
            (Kind::Control, "comment", None, Some(0), 0),
        ),
        (
            tls().with_property("", "b", "c").err(),
            (Kind::Empty, "ptype", None, Some(0), 0),
        ),
        (
            tls()
                .with_property("a", "b", "c")
                .unwrap()
                .with_property("a", "b_", "c")
                .err(),
            (Kind::Keyword, "property", None, Some(1), 1),
        ),
        (
            tls().with_property("a", "b", "CN=\u{2028}").err(),
            (Kind::Control, "pvalue", None, Some(0), 3),
        ),
        (
            Keyword::try_new("tls=pass").err(),
            (Kind::Keyword, "Keyword", None, None, 3),
        ),
        (
            Value::try_new("\u{7f}").err(),
            (Kind::Control, "value", None, None, 0),
        ),
        (
            Instance::try_new(51).err(),
            (Kind::Instance, "instance", None, None, 0),
        ),
    ];
    for (error, expected) in errors {
        assert_eq!(error.map(parts), Some(expected));
    }
}

#[test]
fn displays_errors_with_field_and_offset() {
    let ends = tls().with_property("a", "b", "x\r").unwrap_err();
    assert_eq!(
        ends.to_string(),
        "pvalue[0]: control character or line separator at byte 1"
    );
    let long = tls().with_property("a", "b", "x".repeat(998)).unwrap();
    let long = id().with_result(tls()).with_result(long);
    let long = long.write(&WriteOptions::default()).unwrap_err();
    assert_eq!(
        long.to_string(),
        "resinfo[1].pvalue[0]: no space to fold at within a line of 998 octets at byte 0"
    );
}

#[test]
fn refuses_to_write_id_that_became_empty() {
    let mut header = id();
    header.authserv_id = Value::try_new("").unwrap();
    assert_eq!(
        header.write(&WriteOptions::default()).map_err(parts),
        Err((WriteErrorKind::Empty, "authserv-id", None, None, 0))
    );
}

#[test]
fn appends_to_output_and_leaves_it_unchanged_on_error() {
    let mut out = String::from("Authentication-Results: ");
    id().write_to(&WriteOptions::default(), &mut out).unwrap();
    assert_eq!(out, "Authentication-Results: mx.example.org; none");
    let fails = id().with_result(tls().with_comment("é").unwrap());
    let error = fails.write_to(&WriteOptions::default(), &mut out);
    assert_eq!(
        error.map_err(parts),
        Err((WriteErrorKind::NonAscii, "comment", Some(0), Some(0), 0))
    );
    assert_eq!(out, "Authentication-Results: mx.example.org; none");
}

#[test]
fn refuses_to_exceed_limits_of_reader() {
    let header = id()
        .with_comment("a")
        .unwrap()
        .with_result(
            tls()
                .with_comment("b")
                .unwrap()
                .with_property("c", "d", "e")
                .unwrap(),
        )
        .with_result(tls().with_property("c", "d", "e").unwrap());
    let text = written(&header);
    let exact = Limits {
        bytes: u32::try_from(text.len()).unwrap(),
        results: 2,
        properties: 2,
        comments: 2,
        ..Limits::DEFAULT
    };
    let write = |limits| {
        let options = WriteOptions {
            limits,
            ..WriteOptions::default()
        };
        header.write(&options).map_err(parts)
    };
    assert_eq!(write(exact), Ok(text.clone()));
    let parsed =
        AuthenticationResults::parse(text.as_bytes(), &Options::strict().with_limits(exact));
    assert_eq!(parsed.map(|it| it.results().len()), Ok(2));
    for (limits, expected) in lowered(exact) {
        assert_eq!(write(limits), Err(expected));
    }
}

#[test]
fn folds_after_equals_sign_as_last_resort() {
    let options = WriteOptions {
        soft_limit: 30,
        hard_limit: 60,
        ..WriteOptions::default()
    };
    let write = |value: String| {
        let result = tls().with_property("cert", "client", value).unwrap();
        id().with_result(result).write(&options).map_err(parts)
    };
    let head = "mx.example.org;\r\n\ttls=pass\r\n\tcert.client=";
    let word = |length| "x".repeat(length);
    assert_eq!(write(word(47)), Ok(format!("{head}{}", word(47))));
    assert_eq!(write(word(48)), Ok(format!("{head}\r\n\t{}", word(48))));
    assert_eq!(write(word(59)), Ok(format!("{head}\r\n\t{}", word(59))));
    let kind = WriteErrorKind::LineTooLong { limit: 60 };
    assert_eq!(write(word(60)), Err((kind, "pvalue", Some(0), Some(0), 0)));
    let quoted = word(47) + " a";
    assert_eq!(
        write(quoted),
        Ok(format!("{head}\r\n\t\"{}\r\n a\"", word(47)))
    );
    let quoted = word(46) + " a";
    assert_eq!(write(quoted), Ok(format!("{head}\"{}\r\n a\"", word(46))));
}

#[test]
fn displays_keywords_values_and_comments() {
    assert_eq!(Keyword::try_new("Tls").unwrap().to_string(), "tls");
    assert_eq!(Value::try_new("a \"b").unwrap().to_string(), "a \"b");
    let comment = CommentBuf::try_new("(a").unwrap();
    assert_eq!((comment.as_str(), comment.to_string()), ("(a", "(a".into()));
    assert_eq!(
        format!("{:?}", Value::try_new("a").unwrap()),
        r#"Value("a")"#
    );
    assert_eq!(format!("{comment:?}"), r#"CommentBuf("(a")"#);
    assert_eq!(Instance::MAX.value(), 50);
}
