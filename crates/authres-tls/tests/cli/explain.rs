//! The command `explain`.

use super::*;

#[test]
fn explains_value_with_decoded_properties() {
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
fn shows_result_forged_in_certificate_as_part_of_name() {
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
fn explains_appendix_a1() {
    expect(&["explain"], A1, 0, include_str!("../data/cli/a1.explain"));
}

#[test]
fn refuses_appendix_a1_strictly() {
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
fn explains_mbox_message_by_message() {
    expect(
        &["explain"],
        TWO,
        0,
        include_str!("../data/cli/two.explain"),
    );
}

#[test]
fn refuses_escape_and_nul_and_shows_them_as_pictures() {
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
fn escapes_hidden_characters_in_utf8() {
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
fn prints_no_octet_as_control_character() {
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
fn marks_unknown_versions() {
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
fn accepts_utf8_on_request() {
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
fn colours_output_on_terminals_and_on_request() {
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
fn prints_no_invisible_character() {
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
