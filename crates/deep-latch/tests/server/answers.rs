//! Answers to ID and CLIENT.

use super::*;

const ID: &str = "* ID (\"name\" \"Demo Server\" \"version\" \"1.7\" \"deep-status\" \
    \"tls10 tls-cert <https://www.example.com/support.html>\")\r\n";

#[test]
fn answers_id_with_the_status_and_reads_the_report() {
    let demo = ClientReport {
        name: Some("Demo Mail".to_owned()),
        version: Some("1.5".to_owned()),
        latch: tags("tls10 tls-cert"),
        security_tags: tags("tls12"),
        ..ClientReport::default()
    };
    let ok = format!("{ID}a001 OK ID completed\r\n");
    for list in [
        r#"("name" "Demo Mail" "version" "1.5" "latch" "tls10 tls-cert" "security-tags" "tls12")"#,
        "({4}\r\nname {9+}\r\nDemo Mail \"version\" \"1.5\" \"latch\" {14}\r\ntls10 tls-cert \
         \"x\" NIL {13+}\r\nsecurity-tags \"tls12\")",
    ] {
        let command = format!("a001 ID {list}\r\n");
        assert_eq!(
            answered(command.as_bytes(), TlsField::Ignore),
            (ok.clone(), Ok(demo.clone()))
        );
    }
    for list in ["NIL", "()", "(\"x\" \"y\")"] {
        let command = format!("a001 iD {list}\r\n");
        assert_eq!(
            answered(command.as_bytes(), TlsField::Ignore),
            (ok.clone(), Ok(ClientReport::default()))
        );
    }
}

#[test]
fn answers_bad_to_a_malformed_id_only() {
    let (response, report) = answered(b"a001 ID (\"name\")\r\n", TlsField::Ignore);
    assert_eq!(
        report.map_err(error),
        Err(("expected", "id_params_list", 15))
    );
    let bad = "a001 BAD ID: id_params_list: unexpected character at byte 15\r\n";
    assert_eq!(response, bad);
    for (command, expected) in [
        (&b"a ID\r\n"[..], ("empty", "id_params_list", 4)),
        (b"a ID \r\n", ("empty", "id_params_list", 5)),
        (
            b"a ID (\"a\" \"b\" \"A\" \"c\")\r\n",
            ("duplicate", "id_params_list", 14),
        ),
        (
            b"a ID ({3}\r\n\xff\xff\xff \"b\")\r\n",
            ("character", "id_params_list", 11),
        ),
        (b"a ID NIL x\r\n", ("trailing", "id_params_list", 8)),
    ] {
        let (response, report) = answered(command, TlsField::Ignore);
        assert_eq!(report.map_err(error), Err(expected));
        assert!(response.starts_with("a BAD "), "{response}");
        assert_eq!(response.lines().count(), 1);
    }
    let ok = format!("{ID}a OK ID completed\r\n");
    for (command, expected) in [
        (
            &b"a ID (\"latch\" \"tls10,tls12\")\r\n"[..],
            ("trailing", "security-tag", 20),
        ),
        (b"a ID (\"tls\" \"\")\r\n", ("empty", "tls-cipher", 13)),
        (
            b"a ID (\"latch-fail\" \"tls10\" \"latch-failure\" \"tls12\")\r\n",
            ("conflict", "latch-failure", 27),
        ),
        (
            b"a ID (\"name\" {3}\r\na\x1bb)\r\n",
            ("character", "name", 19),
        ),
    ] {
        let (response, report) = answered(command, TlsField::Ignore);
        assert_eq!(
            (report.map_err(error), response),
            (Err(expected), ok.clone())
        );
    }
}

#[test]
fn trusts_tls_of_a_report_from_a_proxy_only() {
    let cipher = TlsCipher::parse("TLS_RSA_WITH_AES_128_CBC_SHA").unwrap();
    let advertisement = advertised(STATUS).unwrap();
    for (field, expected) in [(TlsField::Ignore, None), (TlsField::Trust, Some(cipher))] {
        let command = b"a ID (\"tls\" \"TLS_RSA_WITH_AES_128_CBC_SHA\")\r\n";
        assert_eq!(answered(command, field).1.unwrap().tls, expected);
        let line = b"CLIENT tls=TLS_RSA_WITH_AES_128_CBC_SHA";
        let answer = advertisement
            .answer_client(line, field, ReplyCodes::Basic)
            .unwrap();
        assert_eq!(answer.report.unwrap().tls, expected);
    }
    assert_eq!(TlsField::default(), TlsField::Ignore);
}

#[test]
fn answers_client_with_250_and_501() {
    let advertisement = advertised(STATUS).unwrap();
    let answer = |line: &[u8], codes| {
        let answer = advertisement
            .answer_client(line, TlsField::Ignore, codes)
            .unwrap();
        (answer.response, answer.report.map_err(error))
    };
    let report = ClientReport {
        name: Some("demo_submit".to_owned()),
        version: Some("1.5".to_owned()),
        latch: tags("tls10 tls-cert"),
        security_tags: tags("tls12"),
        ..ClientReport::default()
    };
    let line = b"CLIENT name=demo_submit version=1.5 latch=tls10,tls-cert security-tags=tls12";
    let ok = |text: &str| (text.to_owned(), Ok(report.clone()));
    assert_eq!(answer(line, ReplyCodes::Basic), ok("250 OK\r\n"));
    assert_eq!(answer(line, ReplyCodes::Enhanced), ok("250 2.0.0 OK\r\n"));
    assert_eq!(
        answer(&[line, &b" \t "[..]].concat(), ReplyCodes::Basic),
        ok("250 OK\r\n")
    );
    for (line, expected) in [
        (&b"CLIENT"[..], ("empty", "deep-cmd", 6)),
        (b"CLIENT ", ("empty", "deep-cmd", 6)),
        (b"", ("expected", "deep-cmd", 0)),
        (b"CLIENT latch=tls10,", ("empty", "security-tag", 19)),
        (b"CLIENT name=\xff", ("character", "deep-cmd", 12)),
        (b"CLIENT name=a\r\nQUIT", ("trailing", "esmtp-value", 13)),
    ] {
        let refused = |text: &str| (text.to_owned(), Err(expected));
        assert_eq!(
            answer(line, ReplyCodes::Basic),
            refused("501 Syntax error in parameters\r\n")
        );
        assert_eq!(
            answer(line, ReplyCodes::Enhanced),
            refused("501 5.5.4 Syntax error in parameters\r\n")
        );
    }
}
