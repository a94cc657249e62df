//! Commands that a proxy forwards.

use super::*;

fn forwarded(
    command: &str,
    tls: Option<&str>,
    inbound: InboundTls,
) -> Result<(String, bool), ForwardError> {
    let command = IdCommand::parse(command.as_bytes()).unwrap().unwrap();
    let tls = tls.map(|tls| TlsCipher::parse(tls).unwrap());
    let forwarded = Forwarded::of_id(&command, tls.as_ref(), inbound)?;
    let parts = forwarded.parts().collect::<Vec<_>>();
    assert_eq!(parts.concat(), forwarded.command);
    let (last, waiting) = parts.split_last().unwrap();
    assert!(last.ends_with(b"\r\n"));
    assert!(waiting.iter().all(|part| part.ends_with(b"}\r\n")));
    let Forwarded {
        command, removed, ..
    } = forwarded;
    Ok((String::from_utf8(command).unwrap(), removed))
}

#[test]
fn adds_tls_of_example_3_and_changes_nothing_else() {
    let client = "a001 ID (\"name\" \"Demo Mail\" \"version\" \"1.5\" \"latch\" \
        \"tls10 tls-cert\" \"security-tags\" \"tls12\")\r\n";
    let server = "a001 ID (\"name\" \"Demo Mail\" \"version\" \"1.5\" \"latch\" \
        \"tls10 tls-cert\" \"security-tags\" \"tls12\" \
        \"tls\" \"TLS_RSA_WITH_AES_128_CBC_SHA\")\r\n";
    let cipher = Some("TLS_RSA_WITH_AES_128_CBC_SHA");
    for inbound in [InboundTls::Remove, InboundTls::Refuse, InboundTls::Trust] {
        assert_eq!(
            forwarded(client, cipher, inbound),
            Ok((server.to_owned(), false))
        );
        // In clear there is nothing to add.
        assert_eq!(
            forwarded(client, None, inbound),
            Ok((client.to_owned(), false))
        );
    }
    for (list, with) in [
        ("NIL", "(\"tls\" \"0x002F\")"),
        ("()", "(\"tls\" \"0x002F\")"),
        (
            "(\"a)\\\" \\\\\" nil)",
            "(\"a)\\\" \\\\\" nil \"tls\" \"0x002F\")",
        ),
        // Literals are written anew, since the server may not have LITERAL+.
        (
            "({3}\r\n)\r\n {2+}\r\n\") \"stls\" {1}\r\nx {003+}\r\nb\\c {2+}\r\né)",
            "({3}\r\n)\r\n \"\\\")\" \"stls\" \"x\" \"b\\\\c\" {2}\r\né \"tls\" \"0x002F\")",
        ),
    ] {
        let (list, with) = (format!("A iD {list}\r\n"), format!("A iD {with}\r\n"));
        let seen = forwarded(&list, Some("0x002F"), InboundTls::Remove);
        assert_eq!(seen, Ok((with, false)));
    }
}

#[test]
fn prevents_clients_from_spoofing_tls_through_the_proxy() {
    let spoofs = [
        ("(\"tls\" \"A_LIE\")", "NIL", "(\"tls\" \"OURS\")"),
        ("(\"TLS\" NIL)", "NIL", "(\"tls\" \"OURS\")"),
        ("({3}\r\ntLs {5}\r\nA_LIE)", "NIL", "(\"tls\" \"OURS\")"),
        (
            "(\"a\" \"b\" \"tls\" \"A_LIE\")",
            "(\"a\" \"b\")",
            "(\"a\" \"b\" \"tls\" \"OURS\")",
        ),
        (
            "(\"tls\" \"A_LIE\" \"a\" NIL)",
            "(\"a\" NIL)",
            "(\"a\" NIL \"tls\" \"OURS\")",
        ),
        (
            "(\"a\" \"tls\" \"tls\" \"\\\\\\\"\" \"tls2\" \"tls\")",
            "(\"a\" \"tls\" \"tls2\" \"tls\")",
            "(\"a\" \"tls\" \"tls2\" \"tls\" \"tls\" \"OURS\")",
        ),
    ];
    for (list, without, with) in spoofs {
        let [list, without, with] = [list, without, with].map(|list| format!("a ID {list}\r\n"));
        let ours = Some("OURS");
        assert_eq!(forwarded(&list, ours, InboundTls::Remove), Ok((with, true)));
        assert_eq!(
            forwarded(&list, None, InboundTls::Remove),
            Ok((without, true))
        );
        for tls in [ours, None] {
            assert_eq!(
                forwarded(&list, tls, InboundTls::Refuse),
                Err(ForwardError::Inbound)
            );
            let trusted = list.replace("{3}\r\ntLs {5}\r\nA_LIE", "\"tLs\" \"A_LIE\"");
            assert_eq!(
                forwarded(&list, tls, InboundTls::Trust),
                Ok((trusted, false))
            );
        }
    }
    // A proxy of ours has removed what passes for `tls`; it is not `tls` itself.
    let nearly = "a ID (\" tls\" \"A_LIE\")\r\n";
    let refused = Err(ForwardError::Inbound);
    assert_eq!(forwarded(nearly, Some("OURS"), InboundTls::Refuse), refused);
    let both = "a ID (\" tls\" \"A_LIE\" \"tls\" \"OURS\")\r\n".to_owned();
    let trusted = forwarded(nearly, Some("OURS"), InboundTls::Trust);
    assert_eq!(trusted, Ok((both, false)));
    assert_eq!(InboundTls::default(), InboundTls::Remove);
    // What the proxy and the server could read otherwise does not get through at all.
    let twice = forwarded(
        "a ID (\"tls\" \"A\" \"tls\" \"B\")\r\n",
        None,
        InboundTls::Remove,
    );
    let Err(ForwardError::Unreadable(unreadable)) = twice else {
        panic!("{twice:?}");
    };
    assert_eq!(error(unreadable), ("duplicate", "id_params_list", 16));
    assert_eq!(
        ForwardError::Unreadable(unreadable).to_string(),
        "id_params_list: duplicate at byte 16"
    );
}

#[test]
fn refuses_to_add_tls_to_a_full_list() {
    let pairs: Vec<_> = (0..29).map(|number| format!("\"f{number}\" NIL")).collect();
    let pairs = pairs.join(" ");
    let full = format!("a ID ({pairs} \"x\" NIL)\r\n");
    let ours = Some("OURS");
    assert_eq!(
        forwarded(&full, ours, InboundTls::Remove),
        Err(ForwardError::Full)
    );
    assert_eq!(
        forwarded(&full, None, InboundTls::Remove),
        Ok((full.clone(), false))
    );
    let spoofed = format!("a ID ({pairs} \"tls\" \"A_LIE\")\r\n");
    let expected = format!("a ID ({pairs} \"tls\" \"OURS\")\r\n");
    assert_eq!(
        forwarded(&spoofed, ours, InboundTls::Remove),
        Ok((expected, true))
    );
}

#[test]
fn forwards_client_commands_like_id() {
    let forwarded = |line: &str, tls: Option<&str>, inbound| {
        let tls = tls.map(|tls| TlsCipher::parse(tls).unwrap());
        let Forwarded {
            command, removed, ..
        } = Forwarded::of_client(line.as_bytes(), tls.as_ref(), inbound)?;
        Ok::<_, ForwardError>((String::from_utf8(command).unwrap(), removed))
    };
    let ours = Some("OURS");
    let line = "Client NAME=a future latch=tls10";
    let with = "Client NAME=a future latch=tls10 tls=OURS".to_owned();
    assert_eq!(
        forwarded(line, ours, InboundTls::Remove),
        Ok((with.clone(), false))
    );
    assert_eq!(
        forwarded(&format!("{line} \t"), ours, InboundTls::Trust),
        Ok((with.clone(), false))
    );
    assert_eq!(
        forwarded(line, None, InboundTls::Refuse),
        Ok((line.to_owned(), false))
    );
    let spoofed = "Client TLS=A_LIE NAME=a future latch=tls10";
    assert_eq!(
        forwarded(spoofed, ours, InboundTls::Remove),
        Ok((with, true))
    );
    assert_eq!(
        forwarded(spoofed, None, InboundTls::Remove),
        Ok((line.to_owned(), true))
    );
    assert_eq!(
        forwarded(spoofed, ours, InboundTls::Refuse),
        Err(ForwardError::Inbound)
    );
    assert_eq!(
        forwarded(spoofed, ours, InboundTls::Trust),
        Ok((spoofed.to_owned(), false))
    );
    let alone = "CLIENT tls=A_LIE";
    assert_eq!(
        forwarded(alone, None, InboundTls::Remove),
        Err(ForwardError::NothingLeft)
    );
    assert_eq!(
        forwarded(alone, ours, InboundTls::Remove),
        Ok(("CLIENT tls=OURS".to_owned(), true))
    );
    let long = |length: usize| format!("CLIENT name={}", "x".repeat(length - 12));
    assert_eq!(
        forwarded(&long(501), ours, InboundTls::Remove).map(|(line, _)| line.len()),
        Ok(510)
    );
    assert_eq!(
        forwarded(&long(502), ours, InboundTls::Remove),
        Err(ForwardError::Full)
    );
    assert_eq!(
        forwarded(&long(510), None, InboundTls::Remove).map(|(line, _)| line.len()),
        Ok(510)
    );
    for line in [
        "CLIENT",
        "CLIENT tls=",
        "CLIENT tls=A tls=B",
        "CLIENT a\r\nQUIT",
        "NOOP",
    ] {
        let refused = forwarded(line, ours, InboundTls::Remove);
        assert!(
            matches!(refused, Err(ForwardError::Unreadable(_))),
            "{line}"
        );
    }
    let errors = [
        ForwardError::Inbound,
        ForwardError::Full,
        ForwardError::NothingLeft,
    ];
    assert_eq!(
        errors.map(|error| error.to_string()),
        [
            "tls: a client must not send this field",
            "tls: no room for the field",
            "deep-cmd: no parameter but tls"
        ]
    );
}

/// A string of IMAP, as a client may write it.
fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z \\\\\"()\\r\\n]{0,8}".prop_map(|text| format!("{{{}+}}\r\n{text}", text.len())),
        "[a-z \\\\\"()]{0,8}".prop_map(|text| {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }),
        Just("\"TLS\"".to_owned()),
        Just("{3}\r\ntls".to_owned()),
        Just("\" tls\"".to_owned()),
        Just("{5+}\r\ntls\r\n".to_owned()),
        Just("\"x, Tls=y\"".to_owned()),
    ]
}

proptest! {
    /// A forwarded command has the same meaning apart from `tls`, and a refused one is malformed.
    #[test]
    fn changes_only_tls_in_forwarded_commands(
        pairs in prop::collection::vec((string(), prop::option::of(string())), 0..6),
        has_tls: bool,
        trusted: bool,
    ) {
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(field, value)| format!("{field} {}", value.unwrap_or_else(|| "NIL".to_owned())))
            .collect();
        let command = format!("a ID ({})\r\n", pairs.join(" "));
        let command = IdCommand::parse(command.as_bytes()).unwrap().unwrap();
        let cipher = has_tls.then(|| TlsCipher::parse("OURS").unwrap());
        let inbound = if trusted { InboundTls::Trust } else { InboundTls::Remove };
        let before = command.parameters();
        match Forwarded::of_id(&command, cipher.as_ref(), inbound) {
            Ok(forwarded) => {
                let after = IdCommand::parse(&forwarded.command).unwrap().unwrap();
                let (before, after) = (before.unwrap(), after.parameters().unwrap());
                let passes = |field: &str| {
                    let mut words = field.split([' ', '\\', '"', '(', ')', '\r', '\n', ',', '=']);
                    words.any(|word| word.eq_ignore_ascii_case("tls"))
                };
                let others = |parameters: &IdParameters<'_>| {
                    let others = parameters.pairs().filter(|(field, _)| !passes(field));
                    let owned = others.map(|(field, value)| (field.to_owned(), value.map(str::to_owned)));
                    owned.collect::<Vec<_>>()
                };
                prop_assert_eq!(others(&before), others(&after));
                let tls = |parameters: &IdParameters<'_>| {
                    let mut pairs = parameters.pairs();
                    let tls = pairs.find(|(field, _)| field.eq_ignore_ascii_case("tls"));
                    tls.map(|(_, value)| value.map(str::to_owned))
                };
                let came = tls(&before);
                let ours = has_tls.then(|| Some("OURS".to_owned()));
                let passed = before.pairs().any(|(field, _)| passes(field));
                prop_assert_eq!(forwarded.removed, passed && !trusted);
                let expected = if trusted { came.or(ours) } else { ours };
                prop_assert_eq!(tls(&after), expected);
                let left = after.pairs().filter(|(field, _)| passes(field)).count();
                prop_assert!(trusted || left == usize::from(has_tls));
                if !forwarded.removed && cipher.is_none() {
                    prop_assert_eq!(after.to_string(), before.to_string());
                }
            }
            Err(error) => {
                prop_assert_eq!(before.map(drop).map_err(ForwardError::Unreadable), Err(error));
            }
        }
    }

    /// A report that a client's own side writes is read the same, whatever is in it.
    #[test]
    fn reads_reports_as_clients_write_them(
        name in prop::option::of("[!-<>-~]{1,20}"),
        version in prop::option::of("[!-<>-~]{1,20}"),
        latch in prop::collection::vec("[a-z][a-z0-9_-]{0,10}", 0..4),
        latch_fail in prop::collection::vec("[a-z][a-z0-9_-]{0,10}", 0..4),
        names in prop_oneof![
            Just(FieldNames::Text), Just(FieldNames::Examples), Just(FieldNames::Both)
        ],
    ) {
        let report = ClientReport {
            name,
            version,
            latch: tags(&latch.join(" ")),
            latch_fail: tags(&latch_fail.join(" ")),
            ..ClientReport::default()
        };
        let command = format!("a ID {}\r\n", report.to_id_parameters(names).unwrap());
        prop_assert_eq!(answered(command.as_bytes(), TlsField::Ignore).1, Ok(report.clone()));
        let parameters = IdCommand::parse(command.as_bytes()).unwrap().unwrap();
        prop_assert_eq!(ClientReport::from_id_parameters(&parameters.parameters().unwrap()), Ok(report.clone()));
        if let Ok(line) = report.to_client_command(names) {
            let answer = advertised(STATUS).unwrap();
            let answer = answer.answer_client(line.as_bytes(), TlsField::Ignore, ReplyCodes::Basic).unwrap();
            prop_assert_eq!(answer.report, Ok(report.clone()));
            prop_assert_eq!(ClientReport::parse_client_command(&line), Ok(report));
        } else {
            prop_assert_eq!(report, ClientReport::default());
        }
    }
}
