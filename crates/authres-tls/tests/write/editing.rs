//! Editing a value that was parsed.

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
fn keeps_every_other_byte() {
    let value =
        b"x(c)1 (d)\r\n\t;\r\n A=b  (e) reason = \"q;\\q\"; c=D\t(f);E=f g.h=\"i\r\n j\" \r\n";
    let header = strict(value);
    assert!(matches!(header.retain_results(|_| true), Ok(Cow::Borrowed(same)) if same == value));
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
fn changes_no_byte_of_value_without_results() {
    let header = strict(b"x; (a) none (b)");
    assert_eq!(retained(&header, &[]), "x; (a) none (b)");
    let header = lenient(b"x;");
    assert_eq!(retained(&header, &[]), "x;");
}

#[test]
fn replaces_none_by_results_and_keeps_comments() {
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
fn replaces_removed_results_by_added_ones() {
    let header = strict(b"x;\r\n spf=pass;\r\n tls=fail (forged)");
    let spf = ResInfoBuf::try_new("spf", "fail").unwrap();
    let value = header.edit_results(|_| false, &[spf, tls()], &WriteOptions::default());
    assert_eq!(*value.unwrap(), *b"x;\r\n\tspf=fail;\r\n\ttls=pass");
}

#[test]
fn adds_result_on_same_line_on_request() {
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
fn folds_joined_lines_that_are_too_long() {
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
fn breaks_full_line_before_semicolon() {
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
fn counts_semicolon_after_added_result() {
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
fn leaves_no_empty_line_at_end() {
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
fn keeps_text_that_lenient_reading_skipped() {
    let header = lenient(b"x; a=b; ?; none; c=d;");
    assert_eq!(retained(&header, &["c"]), "x; ?; none; c=d;");
    assert_eq!(retained(&header, &[]), "x; ?; none;");
    let header = lenient(b"x; a=b; ?; c=d;");
    assert_eq!(retained(&header, &[]), "x; none; ?;");
    assert_eq!(added(&header, &[tls()]), "x; a=b; ?; c=d;\r\n\ttls=pass");
}

#[test]
fn adds_bare_lf_to_value_with_bare_lf() {
    let header = lenient(b"x;\n a=b");
    assert_eq!(added(&header, &[tls()]), "x;\n a=b;\n\ttls=pass");
    assert_eq!(
        added(&lenient(b"x;\n none (y)"), &[tls()]),
        "x\n\t(y);\n\ttls=pass"
    );
}

#[test]
fn refuses_to_edit_value_without_id_or_of_unknown_version() {
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
    assert_eq!(
        header.retain_results(|_| false).as_deref(),
        Ok(&b"\"\"; none"[..])
    );
}

#[test]
fn counts_added_and_remaining_parts_in_limits() {
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
    for (limits, expected) in lowered(exact) {
        assert_eq!(edit(limits), Err(expected));
    }
    let add = [tls(), tls().with_property("a", "b", "é").unwrap()];
    let refused = header.edit_results(|_| true, &add, &WriteOptions::default());
    assert_eq!(
        refused.map_err(parts),
        Err((WriteErrorKind::NonAscii, "pvalue", Some(1), Some(0), 0))
    );
}

#[test]
fn keeps_instance_of_arc_value() {
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
