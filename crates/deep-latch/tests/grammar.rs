//! The wire grammars: the draft's examples, and what only this crate's own values show. The rest is in the
//! vectors.

use deep_latch::{
    Capabilities, ClientReport, DeepStatus, EncodeError, ErrorKind, FieldNames, IdParameters,
    SecurityTag, StatusOptions, TlsCipher, capa_line, ehlo_keyword, parse_capa_line, parse_client,
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

fn kind_and_field<T: std::fmt::Debug>(
    written: Result<T, EncodeError>,
) -> Result<(ErrorKind, &'static str), String> {
    match written {
        Ok(written) => Err(format!("{written:?}")),
        Err(error) => Ok((error.kind(), error.field())),
    }
}

#[test]
fn a_command_of_510_bytes_is_written_and_one_of_511_is_not() -> Outcome {
    let named = |length| ClientReport {
        name: Some("n".repeat(length)),
        ..ClientReport::default()
    };
    let longest = named(498).to_client_command(FieldNames::Text)?;
    assert_eq!(longest.len(), 510);
    assert_eq!(parse_client(&longest)?, named(498));
    assert_eq!(
        kind_and_field(named(499).to_client_command(FieldNames::Text))?,
        (ErrorKind::Limit { limit: 510 }, "deep-cmd")
    );
    Ok(())
}

#[test]
fn what_a_command_cannot_say_is_refused_before_it_is_written() -> Outcome {
    let empty = ClientReport::default();
    assert_eq!(
        kind_and_field(empty.to_client_command(FieldNames::Text))?,
        (ErrorKind::Empty, "deep-cmd")
    );
    assert_eq!(
        kind_and_field(report().to_client_command(FieldNames::Text))?,
        (ErrorKind::Character, "name")
    );
    let nameless = ClientReport {
        version: Some(String::new()),
        ..ClientReport::default()
    };
    assert_eq!(
        kind_and_field(nameless.to_client_command(FieldNames::Text))?,
        (ErrorKind::Empty, "version")
    );
    for text in ["\u{fc}", "a\nb", "a\u{7f}"] {
        let foreign = ClientReport {
            version: Some(text.into()),
            ..ClientReport::default()
        };
        assert_eq!(
            kind_and_field(foreign.to_id_parameters(FieldNames::Text))?,
            (ErrorKind::Character, "version")
        );
    }
    Ok(())
}

#[test]
fn a_line_of_a_capability_is_written_up_to_its_limit() -> Outcome {
    let status = |length: usize| "=".repeat(length.saturating_sub("DEEP ".len()));
    let (longest, longer) = (status(510), status(511));
    let (longest, longer) = (DeepStatus::parse(&longest)?, DeepStatus::parse(&longer)?);
    assert_eq!(capa_line(&longest)?.len(), 510);
    let limit = |limit| (ErrorKind::Limit { limit }, "deep-status");
    assert_eq!(kind_and_field(capa_line(&longer))?, limit(510));
    let (longest, longer) = (status(506), status(507));
    let (longest, longer) = (DeepStatus::parse(&longest)?, DeepStatus::parse(&longer)?);
    assert_eq!(ehlo_keyword(&longest)?.len(), 506);
    assert_eq!(kind_and_field(ehlo_keyword(&longer))?, limit(506));
    Ok(())
}

#[test]
fn parameters_are_added_as_rfc_2971_allows_them() -> Outcome {
    let mut parameters = IdParameters::new();
    let mut add = |field: &str, value: &str| {
        kind_and_field(parameters.try_push(field.to_owned(), Some(value.to_owned())))
    };
    let refused = |kind| Ok((kind, "id_params_list"));
    assert_eq!(add("Name", "a"), Err("()".into()));
    assert_eq!(add("nAME", "b"), refused(ErrorKind::Duplicate));
    assert_eq!(add(&"f".repeat(30), &"v".repeat(1024)), Err("()".into()));
    assert_eq!(
        add(&"f".repeat(31), ""),
        refused(ErrorKind::Limit { limit: 30 })
    );
    let long = "v".repeat(1025);
    assert_eq!(
        add("long", &long),
        refused(ErrorKind::Limit { limit: 1024 })
    );
    assert_eq!(add("nul", "\0"), refused(ErrorKind::Character));
    assert_eq!(add("\0", "nul"), refused(ErrorKind::Character));
    for number in 2..30 {
        assert_eq!(add(&number.to_string(), ""), Err("()".into()));
    }
    assert_eq!(add("31", ""), refused(ErrorKind::Limit { limit: 30 }));
    assert_eq!(parameters.pairs().count(), 30);
    assert_eq!(
        IdParameters::parse(parameters.to_string().as_bytes())?,
        parameters
    );
    Ok(())
}

#[test]
fn a_field_has_from_1_to_64_tags_in_lines_of_at_most_78_bytes() -> Outcome {
    let name = "smtp-security-latch";
    assert_eq!(
        kind_and_field(security_latch_field(&[]))?,
        (ErrorKind::Empty, name)
    );
    let many = vec![SecurityTag::TLS10; 65];
    assert_eq!(
        kind_and_field(security_latch_field(&many))?,
        (ErrorKind::Limit { limit: 64 }, name)
    );
    for (length, folded) in [(51, false), (52, true)] {
        let long = "t".repeat(length);
        let tags = [SecurityTag::TLS10, SecurityTag::parse(&long)?];
        let fold = if folded { "\r\n " } else { " " };
        let field = format!("SMTP-Security-Latch: tls10{fold}{long}");
        assert_eq!(security_latch_field(&tags)?, field);
        assert_eq!(parse_security_latch(&field)?, tags);
    }
    // The first tag is not folded away from the name.
    let longest = "t".repeat(64);
    let field = security_latch_field(&[SecurityTag::parse(&longest)?])?;
    assert_eq!(field, format!("SMTP-Security-Latch: {longest}"));
    Ok(())
}
