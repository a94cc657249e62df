//! The wire grammars: the draft's examples, and what only this crate's own values show. The rest is in the
//! vectors.

use deep_latch::{
    ClientReport, DeepStatus, EncodeError, EncodeErrorKind, ErrorKind, ParseError, SecurityTag,
    TlsCipher,
    dsn::SecurityLatchField,
    imap::{Capabilities, IdParameters, IdStatus},
    pop::CapaLine,
    report::FieldNames,
    smtp::EhloLine,
    status::StatusOptions,
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
fn parses_and_writes_the_id_command_of_example_3() -> Outcome {
    let list = r#"("name" "Demo Mail" "version" "1.5" "latch" "tls10 tls-cert" "security-tags" "tls12" "tls" "TLS_RSA_WITH_AES_128_CBC_SHA")"#;
    let parameters = IdParameters::parse(list.as_bytes())?;
    let expected = ClientReport {
        tls: Some(TlsCipher::parse("TLS_RSA_WITH_AES_128_CBC_SHA")?),
        ..report()
    };
    assert_eq!(ClientReport::from_id_parameters(&parameters)?, expected);
    assert_eq!(
        expected.to_id_parameters(FieldNames::Text)?.to_string(),
        list
    );
    Ok(())
}

#[test]
fn parses_either_name_of_latch_fail_and_writes_both() -> Outcome {
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
        assert_eq!(
            ClientReport::from_id_parameters(&IdParameters::parse(list.as_bytes())?)?,
            failed
        );
        assert_eq!(failed.to_client_command(names)?, command);
        assert_eq!(ClientReport::parse_client_command(command)?, failed);
    }
    Ok(())
}

#[test]
fn rejects_conflicting_spellings_at_the_second_one() -> Outcome {
    let list = br#"("deep" "tls10" "deep-status" "tls12")"#;
    let parameters = IdParameters::parse(list)?;
    let error = parameters.status(StatusOptions::default());
    let error = error.err().ok_or("accepted")?;
    assert_eq!(
        (error.kind(), error.field(), error.offset()),
        (ErrorKind::Conflict, "deep-status", 16)
    );
    let error = ClientReport::parse_client_command("CLIENT latch-fail=tls10 latch-failure=tls12");
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
fn locates_errors_in_values_with_backslashes() -> Outcome {
    let list = br#"("deep" "<https://a/\"\\")"#;
    let parameters = IdParameters::parse(list)?;
    let error = parameters.status(StatusOptions::default());
    let error = error.err().ok_or("accepted")?;
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Empty, 24));
    Ok(())
}

#[test]
fn writes_the_status_under_the_requested_names() -> Outcome {
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
        let parameters = IdParameters::of_status(&status, names, Some("S"), None)?;
        assert_eq!(parameters.to_string(), list);
        let read = IdParameters::parse(list.as_bytes())?;
        let read = read.status(StatusOptions::default())?;
        assert_eq!(read.map(IdStatus::into_status), Some(status.clone()));
    }
    Ok(())
}

fn capa(line: &str) -> Result<Option<DeepStatus<'_>>, ParseError> {
    let line = CapaLine::parse(line, StatusOptions::default())?;
    Ok(line.map(CapaLine::into_status))
}

fn ehlo(line: &str) -> Result<Option<DeepStatus<'_>>, ParseError> {
    let line = EhloLine::parse(line, StatusOptions::default())?;
    Ok(line.map(EhloLine::into_status))
}

#[test]
fn lines_of_capabilities_are_read_and_written() -> Outcome {
    let text = "tls10 tls12 <https://www.example.com/privacy-support.html>";
    let (line, status) = (format!("DEEP {text}"), DeepStatus::parse(text)?);
    assert_eq!(capa(&line)?, Some(status.clone()));
    assert_eq!(
        CapaLine::try_new(status.clone()).map(|it| it.to_string())?,
        line
    );
    assert_eq!(ehlo(&line)?, Some(status.clone()));
    assert_eq!(
        EhloLine::try_new(status.clone()).map(|it| it.to_string())?,
        line
    );
    assert_eq!(capa("deep")?, Some(DeepStatus::default()));
    assert_eq!(
        EhloLine::try_new(DeepStatus::default()).map(|it| it.to_string())?,
        "DEEP"
    );
    assert_eq!(ehlo("DEEPER tls10")?, None);
    let capabilities = "CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1";
    assert!(Capabilities::parse(capabilities)?.has_deep());
    Ok(())
}

#[test]
fn parses_comments_in_clauses_and_fields_and_writes_none() -> Outcome {
    let clause = "\r\n (a (nested\\)) one) TLS\t0x1301";
    assert_eq!(
        TlsCipher::parse_clause(clause)?,
        TlsCipher::from_number(0x1301)
    );
    let field = "smtp-security-latch:(a)\r\n (b) tls12\r\n tls-cert";
    let tags = [SecurityTag::TLS12, SecurityTag::TLS_CERT];
    assert_eq!(SecurityLatchField::parse(field)?.tags(), tags);
    assert_eq!(
        SecurityLatchField::try_new(tags.clone())?.to_string(),
        "SMTP-Security-Latch: tls12 tls-cert"
    );
    let many = vec![SecurityTag::TLS_DANE_TLSA; 64];
    let folded = SecurityLatchField::try_new(many.clone())?.to_string();
    assert!(folded.split("\r\n").all(|line| line.len() <= 78));
    assert_eq!(SecurityLatchField::parse(&folded)?.tags(), many);
    Ok(())
}

fn kind_and_field<T: std::fmt::Debug>(
    written: Result<T, EncodeError>,
) -> Result<(EncodeErrorKind, &'static str), String> {
    match written {
        Ok(written) => Err(format!("{written:?}")),
        Err(error) => Ok((error.kind(), error.field())),
    }
}

#[test]
fn writes_commands_of_510_bytes_and_refuses_511() -> Outcome {
    let named = |length| ClientReport {
        name: Some("n".repeat(length)),
        ..ClientReport::default()
    };
    let longest = named(498).to_client_command(FieldNames::Text)?;
    assert_eq!(longest.len(), 510);
    assert_eq!(ClientReport::parse_client_command(&longest)?, named(498));
    assert_eq!(
        kind_and_field(named(499).to_client_command(FieldNames::Text))?,
        (EncodeErrorKind::Limit { limit: 510 }, "deep-cmd")
    );
    Ok(())
}

#[test]
fn refuses_to_write_values_that_a_command_cannot_carry() -> Outcome {
    let empty = ClientReport::default();
    assert_eq!(
        kind_and_field(empty.to_client_command(FieldNames::Text))?,
        (EncodeErrorKind::Empty, "deep-cmd")
    );
    assert_eq!(
        kind_and_field(report().to_client_command(FieldNames::Text))?,
        (EncodeErrorKind::Character, "name")
    );
    let nameless = ClientReport {
        version: Some(String::new()),
        ..ClientReport::default()
    };
    assert_eq!(
        kind_and_field(nameless.to_client_command(FieldNames::Text))?,
        (EncodeErrorKind::Empty, "version")
    );
    for text in ["\u{fc}", "a\nb", "a\u{7f}"] {
        let foreign = ClientReport {
            version: Some(text.into()),
            ..ClientReport::default()
        };
        assert_eq!(
            kind_and_field(foreign.to_id_parameters(FieldNames::Text))?,
            (EncodeErrorKind::Character, "version")
        );
    }
    Ok(())
}

#[test]
fn writes_capability_lines_up_to_their_limits() -> Outcome {
    let status = |length: usize| "=".repeat(length.saturating_sub("DEEP ".len()));
    let (longest, longer) = (status(510), status(511));
    let (longest, longer) = (DeepStatus::parse(&longest)?, DeepStatus::parse(&longer)?);
    assert_eq!(
        CapaLine::try_new(longest.clone())
            .map(|it| it.to_string())?
            .len(),
        510
    );
    let limit = |limit| (EncodeErrorKind::Limit { limit }, "deep-status");
    assert_eq!(
        kind_and_field(CapaLine::try_new(longer.clone()).map(|it| it.to_string()))?,
        limit(510)
    );
    let (longest, longer) = (status(506), status(507));
    let (longest, longer) = (DeepStatus::parse(&longest)?, DeepStatus::parse(&longer)?);
    assert_eq!(
        EhloLine::try_new(longest.clone())
            .map(|it| it.to_string())?
            .len(),
        506
    );
    assert_eq!(
        kind_and_field(EhloLine::try_new(longer.clone()).map(|it| it.to_string()))?,
        limit(506)
    );
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
    assert_eq!(add("nAME", "b"), refused(EncodeErrorKind::Duplicate));
    assert_eq!(add(&"f".repeat(30), &"v".repeat(1024)), Err("()".into()));
    assert_eq!(
        add(&"f".repeat(31), ""),
        refused(EncodeErrorKind::Limit { limit: 30 })
    );
    let long = "v".repeat(1025);
    assert_eq!(
        add("long", &long),
        refused(EncodeErrorKind::Limit { limit: 1024 })
    );
    assert_eq!(add("nul", "\0"), refused(EncodeErrorKind::Character));
    assert_eq!(add("\0", "nul"), refused(EncodeErrorKind::Character));
    for number in 2..30 {
        assert_eq!(add(&number.to_string(), ""), Err("()".into()));
    }
    assert_eq!(add("31", ""), refused(EncodeErrorKind::Limit { limit: 30 }));
    assert_eq!(parameters.pairs().count(), 30);
    assert_eq!(
        IdParameters::parse(parameters.to_string().as_bytes())?,
        parameters
    );
    Ok(())
}

#[test]
fn writes_1_to_64_tags_in_lines_of_at_most_78_bytes() -> Outcome {
    let name = "smtp-security-latch";
    assert_eq!(
        kind_and_field(SecurityLatchField::try_new([]))?,
        (EncodeErrorKind::Empty, name)
    );
    let many = vec![SecurityTag::TLS10; 65];
    assert_eq!(
        kind_and_field(SecurityLatchField::try_new(many.clone()))?,
        (EncodeErrorKind::Limit { limit: 64 }, name)
    );
    for (length, folded) in [(51, false), (52, true)] {
        let long = "t".repeat(length);
        let tags = [SecurityTag::TLS10, SecurityTag::parse(&long)?];
        let fold = if folded { "\r\n " } else { " " };
        let field = format!("SMTP-Security-Latch: tls10{fold}{long}");
        assert_eq!(
            SecurityLatchField::try_new(tags.clone())?.to_string(),
            field
        );
        assert_eq!(SecurityLatchField::parse(&field)?.tags(), tags);
    }
    // The first tag is not folded away from the name.
    let longest = "t".repeat(64);
    let field = SecurityLatchField::try_new([SecurityTag::parse(&longest)?])?.to_string();
    assert_eq!(field, format!("SMTP-Security-Latch: {longest}"));
    Ok(())
}
