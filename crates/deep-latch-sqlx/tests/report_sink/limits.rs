//! The limits of the three sinks, and texts of clients.

use super::*;

#[tokio::test]
async fn rejects_values_over_a_limit_without_truncation() {
    let here = host("imap.example.com");
    let refused = |account: &str, at, report: &ClientReport| {
        ReceivedReport::try_new(account, &here, MailProtocol::Smtp, at, report).map(drop)
    };
    let long = |length: usize| "é".repeat(length / 2) + &"x".repeat(length % 2);
    let plain = software("Mail", "1");
    assert_eq!(
        refused(&long(MAX_REPORT_ACCOUNT_BYTES), at(0), &plain),
        Ok(())
    );
    assert_eq!(
        refused(&long(MAX_REPORT_ACCOUNT_BYTES + 1), at(0), &plain),
        Err(ReportError::AccountLength)
    );
    assert_eq!(refused("", at(0), &plain), Err(ReportError::AccountLength));
    let name = software(&long(MAX_SOFTWARE_BYTES + 1), "1");
    assert_eq!(refused("a", at(0), &name), Err(ReportError::NameTooLong));
    let version = software("Mail", &long(MAX_SOFTWARE_BYTES + 1));
    assert_eq!(
        refused("a", at(0), &version),
        Err(ReportError::VersionTooLong)
    );
    assert_eq!(refused("a\0", at(0), &plain), Err(ReportError::Nul));
    assert_eq!(
        refused("a", at(0), &software("\0", "1")),
        Err(ReportError::Nul)
    );
    assert_eq!(
        refused("a", at(0), &software("Mail", "1\0")),
        Err(ReportError::Nul)
    );
    let before = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
    assert_eq!(refused("a", before, &plain), Err(ReportError::Time));
    let many = |from: usize, count: usize| {
        let names: Vec<_> = (from..from + count)
            .map(|number| format!("t{number}"))
            .collect();
        tags(&names.join(" "))
    };
    let too_many = ClientReport {
        latch: many(0, 40),
        latch_fail: many(30, 20),
        security_tags: many(45, 20),
        ..plain.clone()
    };
    assert_eq!(
        refused("a", at(0), &too_many),
        Err(ReportError::TooManyTags)
    );
    let most = ClientReport {
        security_tags: many(45, MAX_TAGS_PER_CLIENT - 45),
        ..too_many
    };
    assert_eq!(refused("a", at(0), &most), Ok(()));

    on_each("limits", async |sink| {
        let sink = &*sink;
        let account = long(MAX_REPORT_ACCOUNT_BYTES);
        let longest = ClientReport {
            name: Some(long(MAX_SOFTWARE_BYTES)),
            version: Some("z".repeat(MAX_SOFTWARE_BYTES)),
            ..most.clone()
        };
        record(sink, &account, at(0), &longest).await;
        record(sink, &account, at(0), &longest).await;
        let counts = sink
            .clients_by_software(Clients::since(at(0)))
            .await
            .unwrap();
        assert_eq!(counts.programs[0].name, longest.name);
        assert_eq!(counts.programs[0].versions[0].version, longest.version);
        let tags_before = sink.clients_by_tag(Clients::since(at(0))).await.unwrap();
        assert_eq!(tags_before.len(), MAX_TAGS_PER_CLIENT);
        // One tag more, of many that would be news: none of it is kept.
        let more = ClientReport {
            latch: many(0, 3),
            security_tags: many(500, 1),
            ..longest.clone()
        };
        let report =
            ReceivedReport::try_new(&account, &here, MailProtocol::Imap, at(9), &more).unwrap();
        let error = sink.record(&report).await.unwrap_err();
        assert_eq!(error.kind(), ReportSinkErrorKind::TooManyTags);
        let tags_after = sink.clients_by_tag(Clients::since(at(0))).await.unwrap();
        assert_eq!(tags_after, tags_before);
        let counts = sink
            .clients_by_software(Clients::since(at(1)))
            .await
            .unwrap();
        assert_eq!(counts, SoftwareCounts::default());

        let before = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
        let asked = SecurityTag::TLS10;
        let errors = [
            sink.purge(before).await.unwrap_err(),
            sink.clients_by_tag(Clients::since(before))
                .await
                .unwrap_err(),
            sink.clients_by_software(Clients::since(before))
                .await
                .unwrap_err(),
            sink.what_breaks_if_dropped(&asked, Clients::since(before))
                .await
                .unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ReportSinkErrorKind::Time);
        }
    })
    .await;
}

#[tokio::test]
async fn limits_the_records_of_one_account() {
    on_each("flood", async |sink| {
        let here = host("imap.example.com");
        let received = async |account, report: &ClientReport| {
            let report = ReceivedReport::try_new(account, &here, MailProtocol::Imap, at(0), report);
            sink.record(&report.unwrap()).await
        };
        for number in 0..MAX_CLIENTS_PER_ACCOUNT {
            let report = software(&format!("Flood {number}"), "1");
            received("mallory", &report).await.unwrap();
        }
        let report = software("Flood one more", "1");
        let error = received("mallory", &report).await.unwrap_err();
        assert_eq!(error.kind(), ReportSinkErrorKind::TooManyClients);
        // Its known clients, other accounts and other hosts go on.
        let known = software("Flood 0", "1");
        received("mallory", &known).await.unwrap();
        received("alice", &report).await.unwrap();
        record_at(&*sink, "mallory", "smtp.example.com", at(0), &report).await;
        let counts = sink
            .clients_by_software(Clients::since(at(0)))
            .await
            .unwrap();
        assert_eq!(
            counts.clients,
            u64::try_from(MAX_CLIENTS_PER_ACCOUNT).unwrap() + 2
        );
    })
    .await;
}

/// Reports of as many programs as there are connections, again and again, all at once; returns how
/// many were kept.
async fn fill_at_once(sinks: &[Arc<dyn ReportSink>]) -> usize {
    let begin = Arc::new(tokio::sync::Barrier::new(sinks.len()));
    let tasks = (0..).zip(sinks).map(|(number, sink)| {
        let (begin, sink) = (begin.clone(), sink.clone());
        tokio::spawn(async move {
            let here = host("imap.example.com");
            let mut kept = 0;
            for round in 0..5 {
                let report = ClientReport {
                    latch: tags("tls10"),
                    ..software(&format!("Mail {round}.{number}"), "1")
                };
                let protocol = MailProtocol::Imap;
                let report =
                    ReceivedReport::try_new("mallory", &here, protocol, at(0), &report).unwrap();
                begin.wait().await;
                match sink.record(&report).await {
                    Ok(()) => kept += 1,
                    Err(error) => assert_eq!(error.kind(), ReportSinkErrorKind::TooManyClients),
                }
            }
            kept
        })
    });
    let mut kept = 0;
    for task in tasks.collect::<Vec<_>>() {
        kept += task.await.unwrap();
    }
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_limit_of_clients_of_an_account_under_64_connections_at_once() {
    const CONNECTIONS: usize = 64;
    let options = ReportSinkOptions {
        max_connections: 64,
        timeout: Duration::from_secs(60),
        ..ReportSinkOptions::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let server = PostgresServer::shared();
    let database = server.database("at_once").await;
    let memory: Arc<dyn ReportSink> = Arc::new(MemoryReportSink::new());
    let postgres = PostgresReportSink::connect(database, options).await;
    let postgres: Arc<dyn ReportSink> = Arc::new(postgres.unwrap());
    // Each opens the file by itself, as processes do.
    let mut sqlite: Vec<Arc<dyn ReportSink>> = Vec::new();
    for _ in 0..CONNECTIONS {
        let options = ReportSinkOptions {
            max_connections: 1,
            ..options
        };
        let sink = SqliteReportSink::open(&path, options).await;
        sqlite.push(Arc::new(sink.unwrap()));
    }
    let sinks = [
        ("memory", vec![memory; CONNECTIONS]),
        ("SQLite", sqlite),
        ("PostgreSQL", vec![postgres; CONNECTIONS]),
    ];
    for (name, sinks) in sinks {
        assert_eq!(
            fill_at_once(&sinks).await,
            MAX_CLIENTS_PER_ACCOUNT,
            "{name}"
        );
        let counts = sinks[0].clients_by_software(Clients::since(at(0))).await;
        let clients = u64::try_from(MAX_CLIENTS_PER_ACCOUNT).unwrap();
        assert_eq!(counts.unwrap().clients, clients, "{name}");
        // Those that are known still report.
        let known = ClientReport {
            latch: tags("tls12"),
            ..software("Mail 0.0", "1")
        };
        record(&*sinks[0], "mallory", at(1), &known).await;
        record(&*sinks[0], "bob", at(1), &known).await;
    }
}

#[tokio::test]
async fn shows_programs_of_most_clients_and_counts_all() {
    on_each("rows", async |sink| {
        let sink = &*sink;
        let latched = |name: &str, version: usize| ClientReport {
            latch: tags("tls12"),
            ..software(name, &format!("{version:04}"))
        };
        for version in 0..MAX_VERSIONS + 3 {
            let account = format!("account {version}");
            record(sink, &account, at(0), &latched("Mail", version)).await;
        }
        record(sink, "alice", at(0), &latched("Mail", MAX_VERSIONS + 2)).await;
        for program in 0..MAX_PROGRAMS + 1 {
            let account = format!("account {}", program / 100);
            record(
                sink,
                &account,
                at(0),
                &latched(&format!("P{program:04}"), 0),
            )
            .await;
        }
        let all = Clients::since(at(0));
        let mail = u64::try_from(MAX_VERSIONS).unwrap() + 4;
        let total = u64::try_from(MAX_PROGRAMS).unwrap() + 1 + mail;
        let mut counts = sink.clients_by_software(all).await.unwrap();
        assert_eq!((counts.clients, counts.programs_left_off), (total, 2));
        assert_eq!(counts.programs.len(), MAX_PROGRAMS);
        assert_eq!(counts.programs[0].clients, mail);
        assert_eq!(counts.programs[0].versions_left_off, 3);
        let expected = |index: usize| match index {
            0 => format!("{:04}", MAX_VERSIONS + 2),
            index => format!("{:04}", index - 1),
        };
        let versions: Vec<_> = rows(&counts)
            .into_iter()
            .filter(|(name, ..)| name == "Mail")
            .map(|(_, version, _)| version)
            .collect();
        assert_eq!(
            versions,
            (0..MAX_VERSIONS).map(expected).collect::<Vec<_>>()
        );
        assert_eq!(
            counts.programs[MAX_PROGRAMS - 1].name.as_deref(),
            Some("P0198")
        );
        let asked = SecurityTag::TLS12;
        let mut breaks = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
        assert_eq!(
            (breaks.clients, breaks.of, breaks.failing),
            (total, total, 0)
        );
        assert_eq!(breaks.programs_left_off, 2);
        assert_eq!(breaks.programs.len(), MAX_PROGRAMS);
        assert_eq!(
            (
                breaks.programs[0].clients,
                breaks.programs[0].versions_left_off
            ),
            (mail, 3)
        );
        let of_breaks = breaks.programs.iter().map(|program| program.name.clone());
        let of_counts = counts.programs.iter().map(|program| program.name.clone());
        assert!(of_breaks.eq(of_counts));
        breaks.truncate(2, 1);
        counts.truncate(2, 1);
        let left_off = u64::try_from(MAX_PROGRAMS).unwrap();
        let end = format!("\n{left_off} programs of fewer clients are not shown.\n");
        let versions = u64::try_from(MAX_VERSIONS).unwrap() + 2;
        for table in [breaks.to_table(), counts.to_table()] {
            assert!(table.ends_with(&end), "{table}");
            assert!(
                table.contains(&format!("|   ({versions} more) ")),
                "{table}"
            );
        }
        assert_eq!((breaks.clients, counts.clients), (total, total));
    })
    .await;
}

#[tokio::test]
async fn clients_that_reported_nothing_lately_are_purged_in_batches() {
    on_each("purge", async |sink| {
        let sink = &*sink;
        let more = 3;
        for number in 0..CLIENTS_PER_BATCH + more {
            record(sink, &format!("account {number}"), at(100), &example_1()).await;
        }
        record(sink, "alice", at(99), &example_1()).await;
        record(sink, "bob", at(101), &example_1()).await;
        let batch = u64::try_from(CLIENTS_PER_BATCH).unwrap();
        assert_eq!(sink.purge(at(99)).await.unwrap(), 0);
        assert_eq!(sink.purge(at(100)).await.unwrap(), 1);
        assert_eq!(sink.purge(at(101)).await.unwrap(), batch);
        assert_eq!(sink.purge(at(101)).await.unwrap(), 3);
        assert_eq!(sink.purge(at(101)).await.unwrap(), 0);
        let expected = [
            count("tls-cert", 1, 0),
            count("tls10", 1, 0),
            count("tls12", 0, 1),
        ];
        assert_eq!(
            sink.clients_by_tag(Clients::since(at(0))).await.unwrap(),
            expected
        );
        record_at(sink, "bob", "smtp.example.com", at(101), &example_1()).await;
        record(sink, "bo", at(101), &example_1()).await;
        assert_eq!(sink.forget("b%").await.unwrap(), 0);
        assert_eq!(sink.forget("bob").await.unwrap(), 2);
        assert_eq!(sink.forget("bob").await.unwrap(), 0);
        assert_eq!(
            sink.clients_by_tag(Clients::since(at(0))).await.unwrap(),
            expected
        );
    })
    .await;
}

#[tokio::test]
async fn treats_texts_of_clients_as_values_of_sql() {
    let words = [
        "'; DROP TABLE deep_clients; --",
        "' OR '1'='1",
        "\"; DELETE FROM deep_client_tags; --",
        "$1",
        "$8",
        "?1",
        ":name",
        "%",
        "_",
        "\\",
        "\\'",
        "'||(SELECT account FROM deep_clients LIMIT 1)||'",
        "x') ON CONFLICT DO NOTHING; UPDATE deep_clients SET account = ('y",
        "$$; DROP TABLE deep_clients; $$",
        "E'\\x27'",
        "/*",
        "\r\n\u{1b}\u{7f}",
        "😀\u{fffd}\u{10ffff}",
    ];
    on_each("injection", async |sink| {
        let sink = &*sink;
        for (number, word) in (0..).zip(words) {
            for _ in 0..2 {
                let report = ClientReport {
                    latch: tags("tls10"),
                    ..software(word, word)
                };
                record(sink, word, at(number), &report).await;
            }
        }
        let counts = sink
            .clients_by_software(Clients::since(at(0)))
            .await
            .unwrap();
        let rows = rows(&counts);
        let mut seen: Vec<_> = rows
            .iter()
            .map(|(name, version, clients)| {
                assert_eq!((*clients, name), (1, version));
                name.as_str()
            })
            .collect();
        seen.sort_unstable();
        let mut expected = words;
        expected.sort_unstable();
        assert_eq!(seen, expected);
        for word in words {
            assert_eq!(sink.forget(word).await.unwrap(), 1, "{word}");
        }
        assert_eq!(
            sink.clients_by_tag(Clients::since(at(0))).await.unwrap(),
            []
        );
    })
    .await;
}
