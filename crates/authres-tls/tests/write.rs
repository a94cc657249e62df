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

mod building {
    use super::*;

    #[test]
    fn a_subject_that_forges_a_result_is_one_quoted_value() {
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

    /// Such a token and the property behind it can be read as an obsolete local-part.
    #[test]
    fn a_token_that_ends_with_a_full_stop_swallows_no_property() {
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
    fn each_part_has_its_place() {
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
    fn without_results_it_says_none() {
        assert_eq!(written(&id()), "mx.example.org; none");
        assert_eq!(id().field_name(), "Authentication-Results");
        let comment = id().with_comment("x").unwrap();
        assert_eq!(written(&comment), "mx.example.org (x); none");
    }

    #[test]
    fn an_error_says_what_where_and_which() {
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
    fn errors_read_well() {
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
    fn an_id_set_empty_later_is_refused_when_written() {
        let mut header = id();
        header.authserv_id = Value::try_new("").unwrap();
        assert_eq!(
            header.write(&WriteOptions::default()).map_err(parts),
            Err((WriteErrorKind::Empty, "authserv-id", None, None, 0))
        );
    }

    #[test]
    fn what_is_written_goes_behind_what_is_there_and_an_error_leaves_that_alone() {
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
    fn more_than_a_reader_takes_is_refused() {
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
        assert!(parsed.is_ok());
        let limit = |limit| WriteErrorKind::Limit { limit };
        for (limits, kind, field) in [
            (
                Limits {
                    bytes: exact.bytes - 1,
                    ..exact
                },
                limit(text.len() - 1),
                "authres-payload",
            ),
            (
                Limits {
                    results: 1,
                    ..exact
                },
                limit(1),
                "resinfo",
            ),
            (
                Limits {
                    properties: 1,
                    ..exact
                },
                limit(1),
                "propspec",
            ),
            (
                Limits {
                    comments: 1,
                    ..exact
                },
                limit(1),
                "comment",
            ),
        ] {
            assert_eq!(write(limits), Err((kind, field, None, None, 0)));
        }
    }

    #[test]
    fn a_fold_behind_the_equals_sign_is_the_last_resort() {
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
    fn keywords_values_and_comments_show_what_they_are() {
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
}

mod reading {
    use super::*;

    fn owned(value: &[u8]) -> Result<AuthenticationResultsBuf, Refused> {
        AuthenticationResultsBuf::try_from(&lenient(value)).map_err(parts)
    }

    #[test]
    fn a_value_that_was_read_is_written_in_one_spelling() {
        let value = b"\"MX.example.org\"(a)01 ;\r\n  TLS (b) / 01=PASS\treason=\"x\r\n y\" \
                      (c) CERT . client=user (d) @b.example (e)";
        let written = written(&owned(value).unwrap());
        assert_eq!(
            written,
            "MX.example.org 1 (a);\r\n\
             \ttls/1=pass (b) (c) (d) (e) reason=\"x y\" cert.client=user@b.example"
        );
    }

    #[test]
    fn what_only_a_lenient_reading_takes_is_refused() {
        use WriteErrorKind as Kind;
        for (value, expected) in [
            (
                &b"x; a=b; a_b=c"[..],
                (Kind::Keyword, "method", Some(1), None, 1),
            ),
            (
                b"x; a=b-",
                (Kind::EndsWithHyphen, "result", Some(0), None, 1),
            ),
            (
                b"x; a=b c.d=e f=g",
                (Kind::MissingPtype, "ptype", Some(0), Some(1), 0),
            ),
            (
                b"x; a=b (\xff)",
                (Kind::NotUtf8, "comment", Some(0), Some(0), 0),
            ),
            (
                b"x; a=b c.d=\"e\xff\"",
                (Kind::NotUtf8, "pvalue", Some(0), Some(0), 1),
            ),
            (
                b"x; a/99999999999=b",
                (Kind::Number, "method-version", Some(0), None, 0),
            ),
            (
                b"x 2; a=b",
                (Kind::UnsupportedVersion, "authres-version", None, None, 0),
            ),
            (b"a=b", (Kind::Empty, "authserv-id", None, None, 0)),
            (b"\"\"; a=b", (Kind::Empty, "authserv-id", None, None, 0)),
            (
                b"x (\xc2\x85); a=b",
                (Kind::Control, "comment", None, Some(0), 0),
            ),
            (
                b"x; a=b reason=\"\xe2\x80\xa8\"",
                (Kind::Control, "reasonspec", Some(0), None, 0),
            ),
        ] {
            assert_eq!(
                owned(value),
                Err(expected),
                "{}",
                String::from_utf8_lossy(value)
            );
        }
    }

    #[test]
    fn an_unquoted_value_that_lenient_reads_is_quoted() {
        let header = owned(b"[::1]; spf=pass smtp.mailfrom=<> a.b=c==;").unwrap();
        assert_eq!(
            written(&header),
            "\"[::1]\";\r\n\tspf=pass smtp.mailfrom=\"<>\" a.b=\"c==\""
        );
    }
}

mod editing {
    use super::*;

    fn retained(header: &AuthenticationResults<'_>, methods: &[&str]) -> String {
        let kept = header.retain_results(|it| {
            methods
                .iter()
                .any(|method| it.method().eq_ignore_case(method))
        });
        String::from_utf8(kept.unwrap().into_owned()).unwrap()
    }

    fn added(header: &AuthenticationResults<'_>, add: &[ResInfoBuf]) -> String {
        let value = header.edit_results(|_| true, add, &WriteOptions::default());
        String::from_utf8(value.unwrap().into_owned()).unwrap()
    }

    #[test]
    fn every_other_byte_stays_as_it_was() {
        let value =
            b"x(c)1 (d)\r\n\t;\r\n A=b  (e) reason = \"q;\\q\"; c=D\t(f);E=f g.h=\"i\r\n j\" \r\n";
        let header = strict(value);
        assert!(
            matches!(header.retain_results(|_| true), Ok(Cow::Borrowed(same)) if same == value)
        );
        assert_eq!(
            retained(&header, &["a", "e"]),
            "x(c)1 (d)\r\n\t;\r\n A=b  (e) reason = \"q;\\q\";E=f g.h=\"i\r\n j\" \r\n"
        );
        assert_eq!(retained(&header, &["c"]), "x(c)1 (d)\r\n\t; c=D\t(f)\r\n");
        assert_eq!(
            retained(&header, &["e"]),
            "x(c)1 (d)\r\n\t;E=f g.h=\"i\r\n j\" \r\n"
        );
        assert_eq!(retained(&header, &[]), "x(c)1 (d)\r\n\t; none\r\n");
        assert_eq!(
            added(&header, &[tls()]),
            "x(c)1 (d)\r\n\t;\r\n A=b  (e) reason = \"q;\\q\"; c=D\t(f);E=f g.h=\"i\r\n j\" ;\r\n\
             \ttls=pass\r\n"
        );
    }

    #[test]
    fn nothing_changes_in_a_value_without_results() {
        let header = strict(b"x; (a) none (b)");
        assert_eq!(retained(&header, &[]), "x; (a) none (b)");
        let header = lenient(b"x;");
        assert_eq!(retained(&header, &[]), "x;");
    }

    #[test]
    fn results_take_the_place_of_none_and_comments_stay() {
        assert_eq!(added(&strict(b"x; none"), &[tls()]), "x;\r\n\ttls=pass");
        assert_eq!(
            added(&strict(b"x ;\r\n none\r\n"), &[tls()]),
            "x;\r\n\ttls=pass\r\n"
        );
        assert_eq!(
            added(&strict(b"x; (a) none(b\r\n c) "), &[tls(), tls()]),
            "x\r\n\t(a)\r\n\t(b\r\n c);\r\n\ttls=pass;\r\n\ttls=pass"
        );
    }

    #[test]
    fn results_taken_out_make_room_for_results_put_in() {
        let header = strict(b"x;\r\n spf=pass;\r\n tls=fail (forged)");
        let spf = ResInfoBuf::try_new("spf", "fail").unwrap();
        let value = header.edit_results(|_| false, &[spf, tls()], &WriteOptions::default());
        assert_eq!(*value.unwrap(), *b"x;\r\n\tspf=fail;\r\n\ttls=pass");
    }

    #[test]
    fn a_result_is_added_on_the_same_line_if_asked_for_and_if_it_fits() {
        let options = WriteOptions {
            result_per_line: false,
            soft_limit: 50,
            ..WriteOptions::default()
        };
        for (id, expected) in [
            ("x".repeat(8), format!("{}; a=b; tls=pass", "x".repeat(8))),
            ("x".repeat(11), format!("{}; a=b; tls=pass", "x".repeat(11))),
            (
                "x".repeat(12),
                format!("{}; a=b;\r\n\ttls=pass", "x".repeat(12)),
            ),
        ] {
            let value = format!("{id}; a=b");
            let value = strict(value.as_bytes()).edit_results(|_| true, &[tls()], &options);
            assert_eq!(value.map(Cow::into_owned), Ok(expected.into_bytes()));
        }
    }

    #[test]
    fn lines_that_become_one_are_folded_if_that_is_too_long() {
        let long = "a".repeat(600);
        let value = format!("x; a=b c.d={long}; gone=1\r\n\t; e=f c.d={long}; gone=2");
        let header = strict(value.as_bytes());
        assert_eq!(
            retained(&header, &["a", "e"]),
            format!("x; a=b c.d={long}\r\n\t; e=f c.d={long}")
        );
        // 24 octets of the field's name, 974 of the value.
        let (most, more) = ("a".repeat(963), "a".repeat(964));
        for (text, fold) in [(most, ""), (more, "\r\n\t")] {
            let value = format!("x; gone=1\r\n\t; a=b c.d={text}; e=f");
            let kept = retained(&strict(value.as_bytes()), &["a"]);
            assert_eq!(kept, format!("x{fold}; a=b c.d={text}"));
        }
    }

    #[test]
    fn a_line_that_is_full_is_broken_before_the_semicolon() {
        let value = format!("x; a=b c.d={}", "a".repeat(974 - 11));
        assert_eq!(
            added(&strict(value.as_bytes()), &[tls()]),
            format!("{value}\r\n\t;\r\n\ttls=pass")
        );
        let value = value.strip_suffix('a').unwrap();
        assert_eq!(
            added(&strict(value.as_bytes()), &[tls()]),
            format!("{value};\r\n\ttls=pass")
        );
    }

    #[test]
    fn the_semicolon_behind_a_result_that_is_added_counts() {
        for (length, break_or_blank) in [(65, " "), (66, "\r\n\t")] {
            let text = "a".repeat(length);
            let long = tls().with_comment(text.clone()).unwrap();
            let value = added(&strict(b"x; none"), &[long.clone(), tls()]);
            assert_eq!(
                value,
                format!("x;\r\n\ttls=pass{break_or_blank}({text});\r\n\ttls=pass")
            );
            // The last has none.
            assert_eq!(
                added(&strict(b"x; none"), &[long]),
                format!("x;\r\n\ttls=pass ({text})")
            );
        }
    }

    #[test]
    fn no_blank_line_is_left_at_the_end() {
        let header = strict(b"x; a=b\r\n ; c=d");
        assert_eq!(retained(&header, &["a"]), "x; a=b");
        assert_eq!(retained(&header, &["c"]), "x; c=d");
        let value = header.edit_results(
            |it| it.method().eq_ignore_case("a"),
            &[tls()],
            &WriteOptions::default(),
        );
        assert_eq!(*value.unwrap(), *b"x; a=b;\r\n\ttls=pass");
    }

    #[test]
    fn what_a_lenient_reading_passed_over_stays() {
        let header = lenient(b"x; a=b; ?; none; c=d;");
        assert_eq!(retained(&header, &["c"]), "x; ?; none; c=d;");
        assert_eq!(retained(&header, &[]), "x; ?; none;");
        let header = lenient(b"x; a=b; ?; c=d;");
        assert_eq!(retained(&header, &[]), "x; none; ?;");
        assert_eq!(added(&header, &[tls()]), "x; a=b; ?; c=d;\r\n\ttls=pass");
    }

    #[test]
    fn a_value_with_bare_lf_keeps_to_it() {
        let header = lenient(b"x;\n a=b");
        assert_eq!(added(&header, &[tls()]), "x;\n a=b;\n\ttls=pass");
        assert_eq!(
            added(&lenient(b"x;\n none (y)"), &[tls()]),
            "x\n\t(y);\n\ttls=pass"
        );
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_edited() {
        fn refused(value: Result<Cow<'_, [u8]>, WriteError>) -> Option<Refused> {
            value.err().map(parts)
        }
        assert_eq!(
            refused(lenient(b"a=b; c=d").retain_results(|_| true)),
            Some((WriteErrorKind::Empty, "authserv-id", None, None, 0))
        );
        assert_eq!(
            refused(strict(b"x 2; a=b").retain_results(|_| true)),
            Some((
                WriteErrorKind::UnsupportedVersion,
                "authres-version",
                None,
                None,
                0
            ))
        );
        let header = strict(b"\"\"; a=b");
        assert!(header.retain_results(|_| false).is_ok());
    }

    #[test]
    fn errors_and_limits_count_what_is_added_to_what_is_left() {
        let header = strict(b"x (1); a=b (2) c.d=e; f=g (3) h.i=j");
        let add = [tls()
            .with_comment("4")
            .unwrap()
            .with_property("k", "l", "m")
            .unwrap()];
        let edit = |limits| {
            let options = WriteOptions {
                limits,
                ..WriteOptions::default()
            };
            let keep = |it: ResInfo<'_, '_>| it.method().eq_ignore_case("a");
            header.edit_results(keep, &add, &options).map_err(parts)
        };
        let expected = b"x (1); a=b (2) c.d=e;\r\n\ttls=pass (4) k.l=m";
        let exact = Limits {
            bytes: u32::try_from(expected.len()).unwrap(),
            results: 2,
            properties: 2,
            comments: 3,
            ..Limits::DEFAULT
        };
        assert_eq!(edit(exact).as_deref(), Ok(&expected[..]));
        let limit = |limit| WriteErrorKind::Limit { limit };
        for (limits, kind, field) in [
            (
                Limits {
                    bytes: exact.bytes - 1,
                    ..exact
                },
                limit(expected.len() - 1),
                "authres-payload",
            ),
            (
                Limits {
                    results: 1,
                    ..exact
                },
                limit(1),
                "resinfo",
            ),
            (
                Limits {
                    properties: 1,
                    ..exact
                },
                limit(1),
                "propspec",
            ),
            (
                Limits {
                    comments: 2,
                    ..exact
                },
                limit(2),
                "comment",
            ),
        ] {
            assert_eq!(edit(limits), Err((kind, field, None, None, 0)));
        }
        let add = [tls(), tls().with_property("a", "b", "é").unwrap()];
        let refused = header.edit_results(|_| true, &add, &WriteOptions::default());
        assert_eq!(
            refused.map_err(parts),
            Err((WriteErrorKind::NonAscii, "pvalue", Some(1), Some(0), 0))
        );
    }

    #[test]
    fn an_arc_value_keeps_its_instance() {
        let value = b"i=1; x; a=b; c=d";
        let header = AuthenticationResults::parse_arc(value, &Options::strict()).unwrap();
        assert_eq!(retained(&header, &["c"]), "i=1; x; c=d");
        // `ARC-Authentication-Results: ` is 28 octets.
        let value = format!("i=1; x; a=b c.d={}", "a".repeat(970 - 16));
        let header = AuthenticationResults::parse_arc(value.as_bytes(), &Options::strict());
        assert_eq!(
            added(&header.unwrap(), &[tls()]),
            format!("{value}\r\n\t;\r\n\ttls=pass")
        );
    }
}
