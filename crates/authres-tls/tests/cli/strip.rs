//! The command `strip`.

use super::*;

#[test]
fn strips_forged_fields_and_keeps_other_octets() {
    let ran = authres(&["strip", "--own", "example.net"], TWO);
    let expected = Ran {
        code: Some(0),
        out: include_bytes!("../data/cli/two.stripped").to_vec(),
        err: "stdin:2: field 0 of message 0 removed: below-own-id: it claims a name below a local authserv-id
stdin:3: field 1 of message 0 removed: below-own-id: it claims a name below a local authserv-id
stdin:12: field 1 of message 1 removed: missing-id: it has no authserv-id, and readers may treat it as a local field
stdin: 3 fields removed from 2 messages
"
        .to_owned(),
    };
    assert_eq!(ran, expected);
}

#[test]
fn reports_with_check_and_writes_no_message() {
    expect(
        &[
            "strip",
            "--own",
            "MX.example.net.",
            "--check",
            "--report",
            "json",
        ],
        TWO,
        1,
        "{\"file\":\"stdin\",\"to_remove\":[\
         {\"message\":0,\"field\":0,\"line\":2,\"reason\":\"own-id\"},\
         {\"message\":0,\"field\":1,\"line\":3,\"reason\":\"own-id\"},\
         {\"message\":1,\"field\":1,\"line\":12,\"reason\":\"missing-id\"}],\"messages\":2}\n",
    );
    let text = "stdin:2: field 0 of message 0 would be removed: below-own-id: it claims a name below a local authserv-id
stdin:3: field 1 of message 0 would be removed: below-own-id: it claims a name below a local authserv-id
stdin:12: field 1 of message 1 would be removed: missing-id: it has no authserv-id, and readers may treat it as a local field
stdin: 3 fields to remove from 2 messages
";
    expect(&["strip", "--own", "example.net", "--check"], TWO, 1, text);
    let none = "stdin: 0 fields to remove\n";
    expect(&["strip", "--own", "mx.example", "--check"], A1, 0, none);
}

#[test]
fn keeps_octets_of_message() {
    let message = b"A: b\r\nauthentication-RESULTS : \"mx.example\" ;\r\n none\r\nB: c\n\
        Authentication-Results: mx.example.evil; none\r\n\r\n\0\xff\r\r\nFrom x\n\
        Authentication-Results: mx.example; none";
    let expected = b"A: b\r\nB: c\n\
        Authentication-Results: mx.example.evil; none\r\n\r\n\0\xff\r\r\nFrom x\n\
        Authentication-Results: mx.example; none";
    let ran = authres(&["strip", "--own", "mx.example"], message);
    let err =
        "stdin:2: field 1 removed: own-id: it claims a local authserv-id\nstdin: 1 field removed\n";
    let expected = Ran {
        code: Some(0),
        out: expected.to_vec(),
        err: err.to_owned(),
    };
    assert_eq!(ran, expected);
}

#[test]
fn applies_policies_of_strip_from_options() {
    let message = "Authentication-Results: a.mx.example; none\n\
                   Authentication-Results: b.example; none\n\nbody\n";
    let quiet = |arguments: &[&str]| {
        let arguments = [&["strip", "--report", "none"], arguments].concat();
        let ran = authres(&arguments, message);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        String::from_utf8(ran.out).expect("UTF-8")
    };
    let second = "Authentication-Results: b.example; none\n\nbody\n";
    assert_eq!(quiet(&["--own", "mx.example"]), second);
    assert_eq!(quiet(&["--own", "mx.example", "--no-subdomains"]), message);
    assert_eq!(quiet(&["--own", "mx.example", "--from-trusted"]), message);
    assert_eq!(
        quiet(&["--own", "a.mx.example", "--own", "b.example"]),
        "\nbody\n"
    );
    assert_eq!(quiet(&["--all"]), "\nbody\n");
}

#[track_caller]
fn strips(options: &[&str], file: &str, left: &str, err: &str) {
    let arguments = [&["strip", "--own", "mx.example"], options].concat();
    let ran = authres(&arguments, file);
    assert_eq!(String::from_utf8_lossy(&ran.out), left);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), err));
}

#[test]
fn strips_an_mbox_by_its_separators_and_no_body() {
    let quoted = format!("\nFrom here on\n\n{FORGED}\nx\n{DATE}{FORGED}\n");
    let mbox = format!("{DATE}{FORGED}A: b\n{quoted}{DATE}{FORGED}\n");
    let left = format!("{DATE}A: b\n{quoted}{DATE}\n");
    let report = "stdin:2: field 0 of message 0 removed: own-id: it claims a local authserv-id
stdin:14: field 0 of message 1 removed: own-id: it claims a local authserv-id
stdin: 2 fields removed from 2 messages
authres: stdin: 2 lines, the first of them line 5, begin with \"From \" but are no separators of an mbox \
(RFC 4155), which have an empty line before them and a date: read as text
";
    strips(&[], &mbox, &left, report);
    strips(&["--mbox", "--quiet"], &mbox, &left, "");
    let as_message = format!("{DATE}A: b\n{quoted}{DATE}{FORGED}\n");
    strips(&["--message", "--report", "none"], &mbox, &as_message, "");
    let report = "stdin:3: field 0 of message 0 removed: own-id: it claims a local authserv-id
stdin: 1 field removed from 1 message
";
    for empty in ["\n", "\r\n"] {
        strips(
            &[],
            &format!("{empty}{DATE}{FORGED}\nbody\n"),
            &format!("{empty}{DATE}\nbody\n"),
            report,
        );
    }
}

#[test]
fn strips_a_message_that_begins_with_from_as_one_and_warns() {
    let file = format!("From a\n{FORGED}\n{DATE}{FORGED}\nFrom b\n{FORGED}");
    let left = format!("From a\n\n{DATE}{FORGED}\nFrom b\n{FORGED}");
    let report = "stdin:2: field 0 removed: own-id: it claims a local authserv-id
stdin: 1 field removed
authres: stdin: line 1 begins with \"From \" but is no separator of an mbox (RFC 4155): read as one message; \
--mbox if it is an mbox
";
    strips(&[], &file, &left, report);
    strips(&["--message", "--report", "none"], &file, &left, "");
    let as_mbox = format!("From a\n\n{DATE}\nFrom b\n{FORGED}");
    strips(&["--mbox", "--quiet"], &file, &as_mbox, "");
    strips(&["--input", "mbox", "--quiet"], &file, &as_mbox, "");
}

#[test]
fn strips_and_lints_a_field_that_only_some_readers_see() {
    let message = "X: a\rAuthentication-Results: mx.example; dkim=pass\r\n\r\nbody\r\n";
    let report =
        "stdin:1: field 0 removed: own-id: it claims a local authserv-id (only some readers see it)
stdin: 1 field removed
";
    strips(&[], message, "X: a\r\n\r\nbody\r\n", report);
    let json = "{\"file\":\"stdin\",\"to_remove\":[{\"message\":0,\"field\":0,\"line\":1,\"reason\":\"own-id\",\
                \"hidden_by\":\"line-break\"}],\"messages\":1}\n";
    expect(
        &[
            "strip",
            "--own",
            "mx.example",
            "--check",
            "--report",
            "json",
        ],
        message,
        1,
        json,
    );
    expect(
        &["lint"],
        message,
        1,
        "stdin:1: Authentication-Results
strictly   accepted

warning[hidden-field]: only some readers see this field: it begins after a character that they read as a line \
break
 --> stdin:1:25
  |
1 | \u{fffd}Authentication-Results: mx.example; dkim=pass
  |                         ^

1 warning in 1 field
",
    );
    let json = authres(&["json"], message);
    assert!(String::from_utf8_lossy(&json.out).contains("\"hidden_by\": \"line-break\""));
    let named = "Authentication-Results\u{a0}: mx.example; none\r\n\r\n";
    let lint = String::from_utf8(authres(&["lint"], named).out).expect("UTF-8");
    assert!(
        lint.contains("its name has characters that they ignore"),
        "{lint}"
    );
}

#[test]
fn continues_after_crlf_at_start_as_some_readers_do() {
    let forged = "Authentication-Results: mx.example\r\n";
    let fields = |message: &str| {
        let ran = authres(&["json", "--input", "message"], message);
        let text = String::from_utf8(ran.out).expect("UTF-8");
        text.matches("\"line_ends\"").count()
    };
    assert_eq!(fields(&format!("\r\n{forged}\r\n{forged}")), 1);
    assert_eq!(fields(&format!("\r\n\r\n{forged}")), 0);
    assert_eq!(fields(&format!("\n{forged}\r\n{forged}")), 0);
    assert_eq!(fields(&format!("A: b\n\r\n{forged}\r\n{forged}")), 1);
}

/// A list, a pattern or a URL would protect nothing.
#[test]
fn refuses_ids_that_no_field_would_have() {
    let one = "authserv-id: one id expected; each is given by an option of its own";
    let name =
        |what: &str| format!("authserv-id: a name such as mx.example.org expected, without {what}");
    for (id, problem) in [
        ("mx.example.org,mx2.example.org", one.to_owned()),
        ("mx.example.org mx2.example.org", one.to_owned()),
        ("mx.example.org;", one.to_owned()),
        ("*.example.org", name("'*'")),
        ("@example.org", name("'@'")),
        ("mx.example.org:25", name("':'")),
        ("\"mx.example.org\"", name("'\"'")),
        ("https://mx.example.org", name("':'")),
        ("$(hostname)", name("'$'")),
        ("a\tb", name("'\\t'")),
        (".example.org", name("empty labels")),
        ("mx..example.org", name("empty labels")),
    ] {
        for arguments in [
            &["strip", "--own", id][..],
            &["stamp", "--authserv-id", id],
            &["stamp", "--authserv-id", "mx.example.org", "--own", id],
            &["stamp", "--authserv-id", "mx.example.org", "--host", id],
            #[cfg(unix)]
            &[
                "milter",
                "--check",
                "--listen",
                "unix:/x",
                "--authserv-id",
                id,
            ],
        ] {
            let ran = authres(arguments, FORGED);
            assert_eq!(
                (ran.code, ran.out.as_slice()),
                (Some(2), &b""[..]),
                "{arguments:?}"
            );
            assert!(ran.err.contains(&problem), "{arguments:?}: {}", ran.err);
        }
    }
    for id in [
        "mx.example",
        "MX.example.",
        " mx.example ",
        "mx_1.example",
        "localhost",
        "bücher.example",
    ] {
        let ran = authres(&["strip", "--own", id, "--report", "none"], "A: b\n\n");
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{id}");
    }
}

#[test]
fn names_the_output_that_is_no_directory() {
    let path = format!("{}/cli-no-directory", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, "").expect("writable");
    let ran = authres(&["strip", "--all", "--output", &path], A1);
    assert_eq!(
        ran.err,
        format!("authres: --output: {path}: not a directory\n")
    );
    assert_eq!(ran.code, Some(2));
}
