//! The wire grammars: the draft's examples, and what only this crate's own values show. The rest is in the
//! vectors.

use deep_latch::{
    Capabilities, ClientReport, DeepStatus, ErrorKind, FieldNames, IdParameters, SecurityTag,
    StatusOptions, TlsCipher, capa_line, ehlo_keyword, parse_capa_line, parse_client,
    parse_ehlo_keyword, parse_security_latch, parse_tls_clause, report_of, security_latch_field,
    status_of, status_parameters,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn report() -> ClientReport {
    ClientReport {
        name: Some("Demo Mail".into()),
        version: Some("1.5".into()),
        latch: vec![SecurityTag::TLS10, SecurityTag::TLS_CERT],
        security_tags: vec![SecurityTag::TLS12],
        ..ClientReport::default()
    }
}

#[test]
fn a_proxys_id_command_is_read_and_written_as_example_3_has_it() -> Outcome {
    let list = r#"("name" "Demo Mail" "version" "1.5" "latch" "tls10 tls-cert" "security-tags" "tls12" "tls" "TLS_RSA_WITH_AES_128_CBC_SHA")"#;
    let parameters = IdParameters::parse(list.as_bytes())?;
    let expected = ClientReport {
        tls: Some(TlsCipher::parse("TLS_RSA_WITH_AES_128_CBC_SHA")?),
        ..report()
    };
    assert_eq!(report_of(&parameters)?, expected);
    assert_eq!(
        expected.to_id_parameters(FieldNames::Text)?.to_string(),
        list
    );
    Ok(())
}

#[test]
fn a_latch_failure_is_read_under_either_name_and_written_under_both() -> Outcome {
    let failed = ClientReport {
        latch_fail: vec![SecurityTag::TLS_CERT],
        ..ClientReport::default()
    };
    for (names, list, command) in [
        (
            FieldNames::Text,
            r#"("latch-fail" "tls-cert")"#,
            "CLIENT latch-fail=tls-cert",
        ),
        (
            FieldNames::Examples,
            r#"("latch-failure" "tls-cert")"#,
            "CLIENT latch-failure=tls-cert",
        ),
        (
            FieldNames::Both,
            r#"("latch-fail" "tls-cert" "latch-failure" "tls-cert")"#,
            "CLIENT latch-fail=tls-cert latch-failure=tls-cert",
        ),
    ] {
        assert_eq!(failed.to_id_parameters(names)?.to_string(), list);
        assert_eq!(report_of(&IdParameters::parse(list.as_bytes())?)?, failed);
        assert_eq!(failed.to_client_command(names)?, command);
        assert_eq!(parse_client(command)?, failed);
    }
    Ok(())
}

#[test]
fn two_spellings_that_differ_are_refused_where_the_second_stands() -> Outcome {
    let list = br#"("deep" "tls10" "deep-status" "tls12")"#;
    let parameters = IdParameters::parse(list)?;
    let error = status_of(&parameters, StatusOptions::default(), |_| {});
    let error = error.err().ok_or("accepted")?;
    assert_eq!(
        (error.kind(), error.field(), error.offset()),
        (ErrorKind::Conflict, "deep-status", 16)
    );
    let error = parse_client("CLIENT latch-fail=tls10 latch-failure=tls12");
    let error = error.err().ok_or("accepted")?;
    assert_eq!(
        (error.kind(), error.field(), error.offset()),
        (ErrorKind::Conflict, "latch-failure", 24)
    );
    Ok(())
}

#[test]
fn literals_nil_and_escapes_are_values_as_quoted_strings_are() -> Outcome {
    let list = b"(\"a\" NIL {1}\r\nb {4+}\r\n\"\r\n) \"c\" \"\\\"\\\\\")";
    let parameters = IdParameters::parse(list)?;
    let pairs = [("a", None), ("b", Some("\"\r\n)")), ("c", Some("\"\\"))];
    assert!(parameters.pairs().eq(pairs));
    let written = parameters.to_string();
    assert_eq!(
        written,
        "(\"a\" NIL \"b\" {4}\r\n\"\r\n) \"c\" \"\\\"\\\\\")"
    );
    assert_eq!(IdParameters::parse(written.as_bytes())?, parameters);
    Ok(())
}

#[test]
fn an_error_in_a_value_with_backslashes_points_into_the_list() -> Outcome {
    let list = br#"("deep" "<https://a/\"\\")"#;
    let parameters = IdParameters::parse(list)?;
    let error = status_of(&parameters, StatusOptions::default(), |_| {});
    let error = error.err().ok_or("accepted")?;
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Empty, 24));
    Ok(())
}

#[test]
fn a_status_is_written_under_the_names_asked_for() -> Outcome {
    let status = DeepStatus::parse("tls10")?;
    for (names, list) in [
        (FieldNames::Text, r#"("name" "S" "deep" "tls10")"#),
        (
            FieldNames::Examples,
            r#"("name" "S" "deep-status" "tls10")"#,
        ),
        (
            FieldNames::Both,
            r#"("name" "S" "deep" "tls10" "deep-status" "tls10")"#,
        ),
    ] {
        let parameters = status_parameters(&status, names, Some("S"), None)?;
        assert_eq!(parameters.to_string(), list);
        let read = IdParameters::parse(list.as_bytes())?;
        let read = status_of(&read, StatusOptions::default(), |_| {})?;
        assert_eq!(read.as_ref(), Some(&status));
    }
    Ok(())
}

#[test]
fn lines_of_capabilities_are_read_and_written() -> Outcome {
    let text = "tls10 tls12 <https://www.example.com/privacy-support.html>";
    let (line, status) = (format!("DEEP {text}"), DeepStatus::parse(text)?);
    assert_eq!(parse_capa_line(&line)?.as_ref(), Some(&status));
    assert_eq!(capa_line(&status)?, line);
    assert_eq!(parse_ehlo_keyword(&line)?.as_ref(), Some(&status));
    assert_eq!(ehlo_keyword(&status)?, line);
    assert_eq!(parse_capa_line("deep")?, Some(DeepStatus::default()));
    assert_eq!(ehlo_keyword(&DeepStatus::default())?, "DEEP");
    assert_eq!(parse_ehlo_keyword("DEEPER tls10")?, None);
    let capabilities = "CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1";
    assert!(Capabilities::parse(capabilities)?.has_deep());
    Ok(())
}

#[test]
fn a_clause_and_a_field_with_comments_are_read_and_written_without() -> Outcome {
    let clause = "\r\n (a (nested\\)) one) TLS\t0x1301";
    assert_eq!(parse_tls_clause(clause)?, TlsCipher::from_number(0x1301));
    let field = "smtp-security-latch:(a)\r\n (b) tls12\r\n tls-cert";
    let tags = [SecurityTag::TLS12, SecurityTag::TLS_CERT];
    assert_eq!(parse_security_latch(field)?, tags);
    assert_eq!(
        security_latch_field(&tags)?,
        "SMTP-Security-Latch: tls12 tls-cert"
    );
    let many = vec![SecurityTag::TLS_DANE_TLSA; 64];
    let folded = security_latch_field(&many)?;
    assert!(folded.split("\r\n").all(|line| line.len() <= 78));
    assert_eq!(parse_security_latch(&folded)?, many);
    Ok(())
}
