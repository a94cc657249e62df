//! The command `lint`.

use super::*;

#[test]
fn lints_contradictions_of_tls_result() {
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
fn lints_nothing_in_correct_value() {
    expect(
        &["lint"],
        "mx.example; dkim=pass header.d=a.example\r\n",
        0,
        "no problems in 1 field\n",
    );
}

#[test]
fn lints_four_faults_in_appendix_a1() {
    expect(&["lint"], A1, 1, include_str!("../data/cli/a1.lint"));
}

#[test]
fn lints_mbox_by_registry() {
    expect(&["lint"], TWO, 1, include_str!("../data/cli/two.lint"));
}

#[test]
fn places_carets_under_tabs_and_wide_characters() {
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
fn cuts_long_lines_around_place() {
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
fn counts_findings_beyond_a_hundred() {
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

#[test]
fn exits_with_0_for_notes() {
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
fn reports_what_lenient_reading_skipped() {
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
