//! The command `authres` as it is built: full outputs and exit codes.

#![allow(clippy::expect_used, reason = "tests")]

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

const A1: &str = include_str!("data/cli/a1.eml");
const TWO: &str = include_str!("data/cli/two.mbox");

/// Exit code, standard output, standard error.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    out: Vec<u8>,
    err: String,
}

fn authres(arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_authres"))
        .args(arguments)
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A command that does not read its input has closed it.
    let _ = stdin.write_all(input.as_ref());
    drop(stdin);
    let ran = child.wait_with_output().expect("the command ends");
    Ran {
        code: ran.status.code(),
        out: ran.stdout,
        err: String::from_utf8(ran.stderr).expect("UTF-8"),
    }
}

/// What is expected of a command that has nothing to say on standard error.
#[track_caller]
fn expect(arguments: &[&str], input: impl AsRef<[u8]>, code: i32, out: &str) {
    let ran = authres(arguments, input);
    assert_eq!(String::from_utf8_lossy(&ran.out), out);
    assert_eq!((ran.code, ran.err.as_str()), (Some(code), ""));
}

const SHORT: &str = "mx.example.net; tls=pass cert.client=\"CN=a\" \
                     key.ciphersuite=AES128-SHA tls.v=TLSv1.3";

#[test]
fn a_value_is_explained_with_its_typed_view() {
    expect(
        &["explain"],
        SHORT,
        0,
        r#"stdin:1: a value
strictly   accepted

authserv-id  mx.example.net
             the server that made these checks; trust it only if the border MTA removes forged fields
version      1, as none is given

tls=pass
  method           the TLS session the message came over (draft-martin-authentication-results-tls-03)
  result           sent encrypted; the client's certificate and host identity were verified
  cert.client      CN=a
                   the subject of the client's certificate
                   = CN  a
  key.ciphersuite  AES128-SHA
                   the cipher suite
                   = TLS_RSA_WITH_AES_128_CBC_SHA (0x002F)
                   = key of 128 bits, no forward secrecy
  tls.v            TLSv1.3
                   the protocol version
                   = TLS1.3

warning[ciphersuite-not-iana-name]: not a description of the IANA registry, e.g. TLS_AES_128_GCM_SHA256
 --> stdin:1:61
  |
1 | mx.example.net; tls=pass cert.client="CN=a" key.ciphersuite=AES128-SHA tls.v=TLSv1.3
  |                                                             ^^^^^^^^^^

warning[tls-v-spelling]: the version in another spelling than the draft's, e.g. TLS1.2
 --> stdin:1:78
  |
1 | mx.example.net; tls=pass cert.client="CN=a" key.ciphersuite=AES128-SHA tls.v=TLSv1.3
  |                                                                              ^^^^^^^
"#,
    );
}

#[test]
fn a_result_forged_in_a_certificate_is_shown_as_part_of_its_name() {
    expect(
        &["explain"],
        "mx.example; tls=selfsigned cert.client=\"CN=x; dkim=pass header.d=bank.example\"",
        0,
        r#"stdin:1: a value
strictly   accepted

authserv-id  mx.example
             the server that made these checks; trust it only if the border MTA removes forged fields
version      1, as none is given

tls=selfsigned
  method       the TLS session the message came over (draft-martin-authentication-results-tls-03)
  result       sent encrypted; the client's certificate is self-signed
  cert.client  CN=x; dkim=pass header.d=bank.example
               the subject of the client's certificate
               = cannot be parsed: attributeValue: character not escaped at byte 4

warning[bad-dn]: not a distinguished name (unescaped)
 --> stdin:1:40
  |
1 | mx.example; tls=selfsigned cert.client="CN=x; dkim=pass header.d=bank.example"
  |                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn contradictions_of_a_tls_result_are_linted() {
    expect(
        &["lint", "--strict"],
        "mx.example.net; tls=pass key.ciphersuite=TLS_AES_128_GCM_SHA256 tls.v=TLS1.2 x.y=z; tls=none",
        1,
        r#"stdin:1: a value
strictly   accepted

warning[pass-without-client]: passed, but without cert.client, which is not optional
 --> stdin:1:21
  |
1 | mx.example.net; tls=pass key.ciphersuite=TLS_AES_128_GCM_SHA256 tls.v=TLS1.2 x.y=z; tls=none
  |                     ^^^^

warning[suite-of-another-version]: the protocol version does not have this cipher suite
 --> stdin:1:42
  |
1 | mx.example.net; tls=pass key.ciphersuite=TLS_AES_128_GCM_SHA256 tls.v=TLS1.2 x.y=z; tls=none
  |                                          ^^^^^^^^^^^^^^^^^^^^^^

note[unknown-property]: the draft has no such property
 --> stdin:1:78
  |
1 | mx.example.net; tls=pass key.ciphersuite=TLS_AES_128_GCM_SHA256 tls.v=TLS1.2 x.y=z; tls=none
  |                                                                              ^^^^^

warning[several-results]: more than one tls result: it is unclear which one is valid
 --> stdin:1:85
  |
1 | mx.example.net; tls=pass key.ciphersuite=TLS_AES_128_GCM_SHA256 tls.v=TLS1.2 x.y=z; tls=none
  |                                                                                     ^^^

3 warnings, 1 note in 1 field
"#,
    );
}

#[test]
fn a_value_without_fault_is_passed_by_lint() {
    expect(
        &["lint"],
        "mx.example; dkim=pass header.d=a.example\r\n",
        0,
        "no problems in 1 field\n",
    );
}

#[test]
fn appendix_a1_is_explained() {
    expect(&["explain"], A1, 0, include_str!("data/cli/a1.explain"));
}

#[test]
fn appendix_a1_has_four_faults() {
    expect(&["lint"], A1, 1, include_str!("data/cli/a1.lint"));
}

#[test]
fn appendix_a1_is_a_tree_with_a_typed_view() {
    expect(&["json"], A1, 0, include_str!("data/cli/a1.json"));
}

#[test]
fn appendix_a1_is_refused_strictly() {
    expect(
        &["explain", "--strict"],
        A1,
        1,
        r#"stdin: lines end in LF, read as CRLF

stdin:1: Authentication-Results
strictly   refused: resinfo: no result after the semicolon at byte 535

error[empty-resinfo]: resinfo: no result after the semicolon at byte 535
  --> stdin:15:23
   |
15 |   key.strength=MEDIUM;
   |                       ^
"#,
    );
}

#[test]
fn an_mbox_is_explained_message_by_message() {
    expect(&["explain"], TWO, 0, include_str!("data/cli/two.explain"));
}

#[test]
fn an_mbox_is_linted_by_the_registry_too() {
    expect(&["lint"], TWO, 1, include_str!("data/cli/two.lint"));
}

#[test]
fn an_mbox_is_a_list_of_trees() {
    expect(&["json"], TWO, 0, include_str!("data/cli/two.json"));
}

/// Folded with a tab, in UTF-8, and wide characters before a fault.
const FOLDED: &str = "Authentication-Results: mx.exämple 1 (漢字);\r\n\
                      \tspf=pass (漢字) smtp.mailfrom=a@@b\r\n";

#[test]
fn carets_stand_right_under_tabs_and_wide_characters() {
    expect(
        &["lint", "--lenient"],
        FOLDED,
        1,
        r#"stdin:1: Authentication-Results
leniently  accepted with 3 warnings

warning[malformed-authserv-id]: the authserv-id is neither a token nor a quoted-string
 --> stdin:1:25
  |
1 | Authentication-Results: mx.exämple 1 (漢字);
  |                         ^

warning[non-ascii]: characters outside ASCII (authres-payload)
 --> stdin:1:30
  |
1 | Authentication-Results: mx.exämple 1 (漢字);
  |                              ^

warning[unquoted-tspecials]: special characters in a value without quotes; its end is assumed at the next space, ";", comment or quote
 --> stdin:2:30
  |
2 |     spf=pass (漢字) smtp.mailfrom=a@@b
  |                                   ^

3 warnings in 1 field
"#,
    );
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let results = "; spf=pass smtp.mailfrom=a.example".repeat(20);
    let more = "; auth=pass".repeat(20);
    expect(
        &["lint", "--strict", "--width", "60"],
        format!("mx.example{results}; dkim=pa@ss{more}"),
        1,
        r#"stdin:1: a value
strictly   refused: propspec: white space missing before it at byte 699

error[missing-cfws]: propspec: white space missing before it at byte 699
 --> stdin:1:700
  |
1 | ...lfrom=a.example; dkim=pa@ss; auth=pass; auth=pass;...
  |                            ^

1 error in 1 field
"#,
    );
}

#[test]
fn findings_beyond_a_hundred_are_counted() {
    let ran = authres(
        &["lint", "--lenient"],
        format!("mx.example{}", "; q=p x=y".repeat(150)),
    );
    let out = String::from_utf8(ran.out).expect("UTF-8");
    assert_eq!(out.matches("[undotted-pair]").count(), 50);
    assert!(
        out.ends_with("\n... and 200 more in this field\n\n150 warnings, 150 notes in 1 field\n")
    );
    assert_eq!(ran.code, Some(1));
}

/// What a terminal would obey, in a comment.
const CONTROLS: &[u8] = b"Subject: x\r\nAuthentication-Results: mx.example;\r\n \
    dkim=pass (\x1b[31m\0) header.d=a.example\r\n\r\nbody\r\n";

#[test]
fn escape_and_nul_are_refused_and_shown_as_pictures() {
    let refused = r#"stdin:2: Authentication-Results
strictly   refused: comment: control character at byte 26
leniently  refused: comment: control character at byte 26

error[control]: comment: control character at byte 26
 --> stdin:3:13
  |
3 |  dkim=pass (␛[31m␀) header.d=a.example
  |             ^
"#;
    expect(&["explain"], CONTROLS, 1, refused);
    let linted = format!("{refused}\n1 error in 1 field\n");
    expect(&["lint"], CONTROLS, 1, &linted);
    let json = r#"{
  "file": "stdin",
  "input": "message",
  "fields": [
    {
      "message": 0,
      "field": 1,
      "line": 2,
      "name": "Authentication-Results",
      "line_ends": "crlf",
      "value": " mx.example;\r\n dkim=pass (\u001b[31m\u0000) header.d=a.example",
      "strict": {
        "accepted": false,
        "error": {
          "kind": "control",
          "field": "comment",
          "offset": 26
        }
      },
      "lenient": {
        "accepted": false,
        "error": {
          "kind": "control",
          "field": "comment",
          "offset": 26
        }
      },
      "tree": null
    }
  ]
}
"#;
    expect(&["json"], CONTROLS, 1, json);
}

#[test]
fn what_hides_in_utf8_is_escaped() {
    let value = b"mx.example; x=y reason=\"\xe2\x80\xae\xc2\x9b\xff\tb\"";
    expect(
        &["explain", "--lenient"],
        value,
        0,
        "stdin:1: a value
leniently  accepted with 1 warning

authserv-id  mx.example
             the server that made these checks; trust it only if the border MTA removes forged fields
version      1, as none is given

x=y
  method   not registered
  reason   \\u{202e}\\u{9b}\u{fffd}\\tb

warning[non-ascii]: characters outside ASCII (authres-payload)
 --> stdin:1:25
  |
1 | mx.example; x=y reason=\"\u{fffd}\u{fffd}\u{fffd}    b\"
  |                         ^
",
    );
    let json = String::from_utf8(authres(&["json"], value).out).expect("UTF-8");
    assert!(json.contains("\"value\": \"\\u202e\\u009b\u{fffd}\\tb\""));
    assert!(!json.contains(['\u{202e}', '\u{9b}']));
}

#[test]
fn no_octet_of_a_message_reaches_the_terminal_as_a_control_character() {
    let octets: Vec<u8> = (0..=255).collect();
    let texts: [&[u8]; 3] = [
        &octets,
        &[b"mx.example; x=y (".as_slice(), &octets, b")"].concat(),
        &[b"A: b\r\nAuthentication-Results: ".as_slice(), &octets].concat(),
    ];
    for text in texts {
        for command in ["explain", "lint", "json"] {
            let ran = authres(&[command, "--color", "never"], text);
            let out = String::from_utf8(ran.out).expect("UTF-8");
            let controls: String = out
                .chars()
                .filter(|c| c.is_control() && *c != '\n')
                .collect();
            assert_eq!((controls.as_str(), ran.err.as_str()), ("", ""), "{command}");
        }
    }
}

#[test]
fn accepts_empty_input() {
    let none = "stdin: no Authentication-Results field\n";
    expect(&["explain"], "", 0, none);
    expect(&["lint"], "", 0, none);
    let json = "{\n  \"file\": \"stdin\",\n  \"input\": \"message\",\n  \"fields\": []\n}\n";
    expect(&["json"], "", 0, json);
    let stripped = authres(&["strip", "--all"], "");
    assert_eq!((stripped.code, stripped.out), (Some(0), vec![]));
    assert_eq!(stripped.err, "stdin: 0 fields removed\n");
}

#[test]
fn refuses_an_empty_value() {
    let refused = "stdin:1: a value
strictly   refused: authres-payload: empty at byte 0
leniently  refused: authres-payload: empty at byte 0

error[empty]: authres-payload: empty at byte 0
 --> stdin:1:1
  |
1 |
  | ^
";
    expect(&["explain", "--input", "value"], "", 1, refused);
    expect(
        &["lint", "--input", "value"],
        "",
        1,
        &format!("{refused}\n1 error in 1 field\n"),
    );
}

#[test]
fn a_message_without_the_field_is_fine() {
    let message = "Subject: x\n\nAuthentication-Results: in the body\n";
    let none = "stdin: no Authentication-Results field\n";
    expect(&["explain"], message, 0, none);
    expect(&["lint"], message, 0, none);
    let json = "{\n  \"file\": \"stdin\",\n  \"input\": \"message\",\n  \"fields\": []\n}\n";
    expect(&["json"], message, 0, json);
}

#[test]
fn input_says_what_a_file_is_whatever_it_looks_like() {
    expect(
        &["explain", "--strict", "--input", "value"],
        "Authentication-Results: mx.example; none",
        1,
        "stdin:1: a value
strictly   refused: resinfo expected at byte 22

error[expected]: resinfo expected at byte 22
 --> stdin:1:23
  |
1 | Authentication-Results: mx.example; none
  |                       ^
",
    );
    let header = "stdin: no Authentication-Results field\n";
    expect(
        &["explain", "--input", "header"],
        "mx.example; none",
        0,
        header,
    );
}

#[test]
fn versions_that_are_not_known_are_pointed_at() {
    expect(
        &["lint"],
        "mx.example 2; dkim=pass",
        1,
        "stdin:1: a value
strictly   accepted

warning[unsupported-version]: a version that is unknown version: the field must not be used
 --> stdin:1:12
  |
1 | mx.example 2; dkim=pass
  |            ^

1 warning in 1 field
",
    );
}

#[test]
fn utf8_is_let_through_where_it_is_asked_for() {
    let value = "mx.example; x=y reason=\"ü\"";
    let read = "stdin:1: a value
strictly   accepted

authserv-id  mx.example
             the server that made these checks; trust it only if the border MTA removes forged fields
version      1, as none is given

x=y
  method   not registered
  reason   ü
";
    expect(&["explain", "--utf8"], value, 0, read);
    let ran = authres(&["explain", "--strict"], value);
    assert_eq!(ran.code, Some(1));
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let value = "mx.example; dkim=pass";
    let plain = authres(&["explain"], value);
    let coloured = authres(&["explain", "--color", "always"], value);
    assert!(!plain.out.contains(&0x1b));
    assert!(
        coloured
            .out
            .starts_with(b"\x1b[1mstdin:1: a value\x1b[0m\n")
    );
}

#[test]
fn forged_fields_are_stripped_and_all_else_stays() {
    let ran = authres(&["strip", "--own", "example.net"], TWO);
    let expected = Ran {
        code: Some(0),
        out: include_bytes!("data/cli/two.stripped").to_vec(),
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
fn check_reports_and_writes_no_message() {
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
        "{\"file\":\"stdin\",\"removed\":[\
         {\"message\":0,\"field\":0,\"line\":2,\"reason\":\"own-id\"},\
         {\"message\":0,\"field\":1,\"line\":3,\"reason\":\"own-id\"},\
         {\"message\":1,\"field\":1,\"line\":12,\"reason\":\"missing-id\"}],\"messages\":2}\n",
    );
    let none = "stdin: 0 fields removed\n";
    expect(&["strip", "--own", "mx.example", "--check"], A1, 0, none);
}

#[test]
fn octets_of_a_message_are_kept_as_they_are() {
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
fn policies_of_strip_are_options() {
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

const FORGED: &str = "Authentication-Results: mx.example; none\n";
const DATE: &str = "From a@b Thu Jan  1 00:00:00 2026\n";

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
    let json = "{\"file\":\"stdin\",\"removed\":[{\"message\":0,\"field\":0,\"line\":1,\"reason\":\"own-id\",\
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
fn reads_on_after_crlf_at_the_start_as_some_readers_do() {
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

#[test]
fn notes_are_no_fault() {
    let value = "mx.example; x=y";
    let note = "stdin:1: a value
strictly   accepted

note[unknown-method]: the method x is not registered
 --> stdin:1:13
  |
1 | mx.example; x=y
  |             ^

1 note in 1 field
";
    expect(&["lint"], value, 0, note);
    let nothing = "no problems in 1 field\n";
    expect(&["lint", "--level", "warning"], value, 0, nothing);
    expect(
        &["lint", "--level", "error"],
        "mx.example; tls=pass;",
        0,
        nothing,
    );
    expect(
        &["lint", "--level", "error", "--quiet"],
        "mx.example; tls=pa@ss (",
        1,
        "",
    );
    expect(&["lint", "-q"], "mx.example; tls=pass;", 1, "");
}

/// A directory of one's own for a test.
fn directory(name: &str) -> std::path::PathBuf {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

#[test]
fn reads_several_files_and_maildirs() {
    let root = directory("cli-maildir");
    for name in ["cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"] {
        fs::create_dir_all(root.join(name)).expect("a directory");
    }
    let message = format!("A: b\n{FORGED}\nbody\n");
    let files = [
        ".Sent/cur/3",
        "cur/1:2,S",
        "new/2",
        "tmp/4",
        "dovecot-uidlist",
        ".Sent/maildirfolder",
    ];
    for name in files {
        fs::write(root.join(name), &message).expect("writable");
    }
    let path = root.to_str().expect("UTF-8");
    let lint = authres(&["lint", path, "-", path], "mx.example; none");
    assert_eq!(
        String::from_utf8_lossy(&lint.out)
            .matches("read as CRLF")
            .count(),
        6
    );
    assert!(lint.out.ends_with(b"no problems in 7 fields\n"));
    assert_eq!((lint.code, lint.err.as_str()), (Some(0), ""));
    let check = authres(&["strip", "--all", "--check", path], "");
    let line = |name| {
        format!(
            "{path}/{name}:2: field 1 removed: all: all are removed\n{path}/{name}: 1 field removed\n"
        )
    };
    let report = [".Sent/cur/3", "cur/1:2,S", "new/2"].map(line).concat();
    assert_eq!(String::from_utf8_lossy(&check.out), report);
    assert_eq!((check.code, check.err.as_str()), (Some(1), ""));
    let refused = authres(&["strip", "--all", path], "");
    assert_eq!(refused.code, Some(2));
    let err = "authres: several files are stripped with --check, or with --output DIR\n";
    assert_eq!(refused.err, err);

    let target = directory("cli-maildir-stripped");
    let to = target.to_str().expect("UTF-8");
    let arguments = ["strip", "--all", "--quiet", "--output", to, path];
    let stripped = authres(&arguments, "");
    assert_eq!(
        (stripped.code, stripped.out, stripped.err.as_str()),
        (Some(0), vec![], "")
    );
    for name in [".Sent/cur/3", "cur/1:2,S", "new/2"] {
        let text = fs::read_to_string(target.join(name)).expect("a file");
        assert_eq!(text, "A: b\n\nbody\n");
    }
    assert!(!target.join("tmp/4").exists());
    // Nothing is overwritten, and each file is tried.
    let again = authres(&arguments, "");
    assert_eq!((again.code, again.err.matches(to).count()), (Some(2), 3));
}

#[test]
fn goes_on_after_a_file_that_cannot_be_read() {
    let root = directory("cli-several");
    let path = root.join("value");
    fs::write(&path, "mx.example; none").expect("writable");
    let path = path.to_str().expect("UTF-8");
    let ran = authres(&["lint", "/nowhere", path], "");
    assert_eq!(
        String::from_utf8_lossy(&ran.out),
        "no problems in 1 field\n"
    );
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("authres: /nowhere: "), "{}", ran.err);
    let ran = authres(&["json", path, path], "");
    let documents: Result<Vec<serde_json::Value>, _> =
        serde_json::Deserializer::from_slice(&ran.out)
            .into_iter()
            .collect();
    assert_eq!(documents.expect("JSON").len(), 2);
}

/// Runs the command with an output that nobody reads.
fn into_closed_pipe(arguments: &[&str], input: &[u8]) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_authres"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("piped");
    let _ = stdin.write_all(input);
    drop(stdin);
    let ran = child.wait_with_output().expect("the command ends");
    (
        ran.status.code(),
        String::from_utf8(ran.stderr).expect("UTF-8"),
    )
}

#[test]
fn is_silent_if_nobody_reads_what_it_writes() {
    let message = format!("{}\n{}", FORGED.repeat(500), "body\n".repeat(100_000));
    for arguments in [
        &["strip", "--own", "mx.other", "--report", "none"][..],
        &["strip", "--all", "--check"],
        &["strip", "--all", "--check", "--report", "json"],
        &["explain"],
        &["lint"],
        &["json"],
        &["completions", "bash"],
        &["man"],
        &["man", "strip"],
    ] {
        let ran = into_closed_pipe(arguments, message.as_bytes());
        assert_eq!(ran, (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn prints_completions_and_manual_pages() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = authres(&["completions", shell], "");
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        assert!(
            String::from_utf8_lossy(&ran.out).contains("no-subdomains"),
            "{shell}"
        );
    }
    let page = authres(&["man"], "");
    assert!(String::from_utf8_lossy(&page.out).contains(".TH authres 1"));
    let page = authres(&["man", "strip"], "");
    let text = String::from_utf8_lossy(&page.out).into_owned();
    assert!(
        text.contains(".TH authres-strip 1") && text.contains("\\-\\-no\\-subdomains"),
        "{text}"
    );
    let none = authres(&["man", "no\u{1b}ne"], "");
    assert_eq!(none.err, "authres: no such subcommand: no\\u{1b}ne\n");
    assert_eq!(none.code, Some(2));
}

#[test]
fn no_invisible_character_of_a_message_reaches_the_terminal() {
    let invisible = "\u{3164}\u{fff9}\u{fffa}\u{fffb}\u{e0000}\u{e0041}\u{e007f}\u{e0100}\u{fe0f}\u{fe00}\
        \u{202a}\u{202e}\u{2066}\u{2069}\u{200b}\u{200e}\u{200f}\u{61c}\u{34f}\u{115f}\u{ffa0}\u{180b}\u{2060}\
        \u{feff}\u{ad}\u{a0}\u{2028}\u{2029}\u{85}\u{9b}\u{2800}\u{1d173}\u{e000}\u{10fffd}";
    let texts = [
        format!("mx.example; x=y reason=\"{invisible}\" ({invisible}) p.q=\"{invisible}\""),
        format!(
            "\"{invisible}\"; tls=pass cert.client=\"CN={invisible}\" cert.clientalt=\"DNS:{invisible}\""
        ),
        format!("A: b\r\nAuthentication-Results: mx.example; {invisible}=@{invisible}\r\n\r\n"),
        format!("A: b\r\nAuthentication-Results{invisible}: mx.example; x=y\r\n\r\n"),
    ];
    for text in texts {
        for arguments in [
            &["explain"][..],
            &["explain", "--utf8", "--color", "always"],
            &["lint"],
            &["lint", "--utf8", "--lenient"],
            &["json"],
            &["json", "--utf8"],
            &["strip", "--all", "--check"],
            &["strip", "--all", "--check", "--report", "json"],
        ] {
            let ran = authres(arguments, &text);
            let out = String::from_utf8(ran.out).expect("UTF-8");
            let seen: String = out.chars().filter(|c| invisible.contains(*c)).collect();
            assert_eq!((seen.as_str(), ran.err.as_str()), ("", ""), "{arguments:?}");
        }
    }
}

#[test]
fn a_file_that_is_missing_is_an_error_of_its_own() {
    let directory = env!("CARGO_TARGET_TMPDIR");
    let missing = format!("{directory}/no\u{1b}where");
    for command in ["explain", "lint", "json", "strip"] {
        let mut arguments = vec![command, &missing];
        if command == "strip" {
            arguments.push("--all");
        }
        let ran = authres(&arguments, "");
        assert_eq!((ran.code, ran.out), (Some(2), vec![]));
        let expected = format!("authres: {directory}/no\\u{{1b}}where: ");
        assert!(ran.err.starts_with(&expected), "{}", ran.err);
        assert!(!ran.err.contains('\u{1b}'));
    }
}

#[test]
fn files_are_read_by_name() {
    let path = format!("{}/cli-value", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, "mx.example; none").expect("writable");
    let ran = authres(&["explain", &path], "");
    let out = format!(
        "{path}:1: a value
strictly   accepted

authserv-id  mx.example
             the server that made these checks; trust it only if the border MTA removes forged fields
version      1, as none is given
none         no authentication was done
"
    );
    assert_eq!(String::from_utf8_lossy(&ran.out), out);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn wrong_command_lines_exit_with_2() {
    let wrong: [&[&str]; 7] = [
        &[],
        &["frobnicate"],
        &["strip"],
        &["strip", "--own", ""],
        &["strip", "--all", "--from-trusted"],
        &["explain", "--strict", "--lenient"],
        &["lint", "--width", "3"],
    ];
    for arguments in wrong {
        let ran = authres(arguments, "");
        assert_eq!(
            (ran.code, ran.out.as_slice()),
            (Some(2), &b""[..]),
            "{arguments:?}"
        );
        assert!(ran.err.contains("Usage: authres") || ran.err.contains("--help"));
    }
    let help = authres(&["strip", "--help"], "");
    let text = String::from_utf8(help.out).expect("UTF-8");
    assert!(text.contains("Exit codes:\n  0  no problem was found, or"));
    assert_eq!(help.code, Some(0));
}

#[test]
fn spans_in_json_are_of_the_value_beside_them() {
    fn check(node: &serde_json::Value, value: &str, checked: &mut usize) {
        if let (Some(raw), Some(span)) = (node["raw"].as_str(), node["span"].as_array()) {
            let place = |index: usize| {
                let place = span[index].as_u64().expect("a number");
                usize::try_from(place).expect("small")
            };
            assert_eq!(value.get(place(0)..place(1)), Some(raw));
            *checked += 1;
        }
        match node {
            serde_json::Value::Array(nodes) => {
                nodes.iter().for_each(|node| check(node, value, checked));
            }
            serde_json::Value::Object(nodes) => {
                nodes.values().for_each(|node| check(node, value, checked));
            }
            _ => {}
        }
    }
    let mut checked = 0;
    for input in [A1, TWO, FOLDED] {
        let ran = authres(&["json"], input);
        let document: serde_json::Value = serde_json::from_slice(&ran.out).expect("JSON");
        for field in document["fields"].as_array().expect("a list") {
            let value = field["value"].as_str().expect("text");
            check(field, value, &mut checked);
        }
    }
    assert_eq!(checked, 92);
}

#[test]
fn accepts_bare_lf_on_request() {
    // Lines that all end in LF are read as CRLF anyway.
    let value = "mx.example.net;\r\n\tdkim=none\n\theader.d=a.example";
    let read = |more: &[&str]| {
        let arguments = [&["lint", "--strict", "--input", "value"], more].concat();
        authres(&arguments, value)
    };
    let refused = read(&[]);
    let out = String::from_utf8_lossy(&refused.out);
    assert!(out.contains("bare-lf"), "{out}");
    assert_eq!(refused.code, Some(1));
    let accepted = read(&["--bare-lf"]);
    let out = String::from_utf8_lossy(&accepted.out);
    assert_eq!(out, "no problems in 1 field\n");
    assert_eq!(accepted.code, Some(0));
}

#[test]
fn says_what_a_lenient_reading_skipped() {
    let value = "mx.example.net spf=pass smtp.mailfrom= smtp.helo=h.example for a@b.example";
    let ran = authres(&["lint"], value);
    let out = String::from_utf8_lossy(&ran.out);
    for text in [
        "no \";\" before the first result",
        "no value after the \"=\"; it is read as empty (pvalue)",
        "skipped: words in a result that are not a property (propspec: expected)",
    ] {
        assert!(out.contains(text), "{text} in {out}");
    }
    assert_eq!(ran.code, Some(1));
}
