//! The answers of the three sinks.

use super::*;

#[tokio::test]
async fn counts_the_reports_of_examples_1_and_2() {
    on_each("examples", async |sink| {
        let sink = &*sink;
        record(sink, "alice", at(10), &example_1()).await;
        record(sink, "alice", at(20), &example_2()).await;
        record(sink, "bob", at(15), &example_1()).await;
        let all = Clients::since(at(0));
        let tls_cert = TagCount {
            failing: 1,
            failures: 1,
            last_failure: Some(at(20)),
            ..count("tls-cert", 2, 0)
        };
        let expected = [tls_cert, count("tls10", 2, 0), count("tls12", 0, 2)];
        assert_eq!(sink.clients_by_tag(all).await.unwrap(), expected);
        let software = SoftwareCounts {
            programs: vec![ProgramCount {
                name: Some("Demo Mail".to_owned()),
                clients: 2,
                last_seen: at(20),
                versions: vec![VersionCount {
                    version: Some("1.5".to_owned()),
                    clients: 2,
                    last_seen: at(20),
                }],
                versions_left_off: 0,
            }],
            clients: 2,
            programs_left_off: 0,
        };
        assert_eq!(sink.clients_by_software(all).await.unwrap(), software);
        let breaks = WhatBreaks {
            tag: tag("tls-cert"),
            programs: vec![broken("Demo Mail", "1.5", 2, at(20), 1, Some(at(20)))],
            clients: 2,
            of: 2,
            failing: 1,
            programs_left_off: 0,
        };
        for spelling in ["tls-cert", "TLS-Cert"] {
            let asked = tag(spelling);
            let answer = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
            assert_eq!(answer, breaks);
        }
        // It is supported, and nobody has latched it.
        let nothing = WhatBreaks {
            tag: tag("tls12"),
            programs: vec![],
            clients: 0,
            of: 2,
            failing: 0,
            programs_left_off: 0,
        };
        let asked = SecurityTag::TLS12;
        let answer = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
        assert_eq!(answer, nothing);
    })
    .await;
}

#[tokio::test]
async fn shows_clients_that_break_in_the_table() {
    on_each("tables", async |sink| {
        let sink = &*sink;
        record(sink, "alice", at(1800), &example_1()).await;
        record(sink, "alice", at(3600), &example_2()).await;
        record(sink, "bob", at(0), &example_1()).await;
        let without = software("Demo Mail", "1.4");
        record(sink, "dave", at(86_400), &without).await;
        let unnamed = ClientReport {
            latch: tags("tls-cert"),
            ..ClientReport::default()
        };
        record(sink, "carol", at(7200), &unnamed).await;
        let all = Clients::since(at(0));
        let asked = SecurityTag::TLS_CERT;
        let answer = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
        let expected = "\
3 of 4 clients have tls-cert latched and would refuse to connect.
1 of them could not achieve it by its last report.

| program      | clients | failing | last seen  | last failure |
|--------------|---------|---------|------------|--------------|
| Demo Mail    |  2 of 3 |       1 | 2014-11-24 | 2014-11-24   |
|   1.5        |  2 of 2 |       1 | 2014-11-24 | 2014-11-24   |
| (not said)   |  1 of 1 |       0 | 2014-11-24 |              |
|   (not said) |  1 of 1 |       0 | 2014-11-24 |              |
";
        assert_eq!(answer.to_table(), expected);
        let expected = "\
| program      | clients | last seen  |
|--------------|---------|------------|
| Demo Mail    |       3 | 2014-11-25 |
|   1.5        |       2 | 2014-11-24 |
|   1.4        |       1 | 2014-11-25 |
| (not said)   |       1 | 2014-11-24 |
|   (not said) |       1 | 2014-11-24 |
";
        let answer = sink.clients_by_software(all).await.unwrap();
        assert_eq!(answer.to_table(), expected);
        let expected = "\
| tag      | latched | not latched | failing | failures | last failure |
|----------|---------|-------------|---------|----------|--------------|
| tls-cert |  3 of 4 |           0 |       1 |        1 | 2014-11-24   |
| tls10    |  2 of 4 |           0 |       0 |        0 |              |
| tls12    |  0 of 4 |           2 |       0 |        0 |              |
";
        let answer = sink.clients_by_tag(all).await.unwrap();
        assert_eq!(TagCount::to_table(&answer, 4), expected);
    })
    .await;
}

#[tokio::test]
async fn escapes_texts_of_clients_in_tables() {
    let sink = MemoryReportSink::new();
    let report = ClientReport {
        latch: tags("tls-cert"),
        ..software(
            "a\r\n| none | 1 |\u{1b}[2J\u{202e}\u{9b}",
            "\t\"1\"\\x\u{200b}é",
        )
    };
    record(&sink, "mallory", SystemTime::UNIX_EPOCH, &report).await;
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    record(&sink, "eve", far, &software("b", "2")).await;
    let all = Clients::since(SystemTime::UNIX_EPOCH);
    let asked = SecurityTag::TLS_CERT;
    let answer = sink.what_breaks_if_dropped(&asked, all).await.unwrap();
    let table = answer.to_table();
    let expected = "\
1 of 2 clients has tls-cert latched and would refuse to connect.

| program                   | clients | failing | last seen  | last failure |
|---------------------------|---------|---------|------------|--------------|
| a\\r\\n\\| none \\| 1         |  1 of 1 |       0 | 1970-01-01 |              |
| \\|\\u{1b}[2J\\u{202e}\\u{9b} |         |         |            |              |
|   \\t\"1\"\\\\x\\u{200b}é       |  1 of 1 |       0 | 1970-01-01 |              |
";
    assert_eq!(table, expected);
    let table = sink.clients_by_software(all).await.unwrap().to_table();
    assert!(table.contains("| after 9999 "), "{table}");
}

#[tokio::test]
async fn counts_a_client_by_account_host_and_program() {
    on_each("clients", async |sink| {
        let sink = &*sink;
        let latch = |name: &str, version: &str| ClientReport {
            latch: tags("tls10"),
            ..software(name, version)
        };
        for (account, on, name, version) in [
            ("alice", "imap.example.com", "Mail", "1"),
            ("alice", "imap.example.com", "Mail", "1"),
            ("alice", "imap.example.com", "Mail", "2"),
            ("alice", "imap.example.com", "mail", "1"),
            ("alice", "IMAP.example.com.", "Mail", "1"),
            ("alice", "smtp.example.com", "Mail", "1"),
            ("Alice", "imap.example.com", "Mail", "1"),
            ("alice", "imap.example.com", "", ""),
        ] {
            record_at(sink, account, on, at(5), &latch(name, version)).await;
        }
        // A name that is empty is none.
        let unnamed = ClientReport {
            latch: tags("tls10"),
            ..ClientReport::default()
        };
        record(sink, "alice", at(5), &unnamed).await;
        let imap = host("imap.example.com");
        let of_imap = Clients {
            host: Some(&imap),
            ..Clients::since(at(0))
        };
        let row =
            |name: &str, version: &str, clients| (name.to_owned(), version.to_owned(), clients);
        for (of, total, expected) in [
            (
                Clients::since(at(0)),
                5,
                vec![
                    row("Mail", "1", 2),
                    row("Mail", "2", 1),
                    row("", "", 1),
                    row("mail", "1", 1),
                ],
            ),
            (
                of_imap,
                4,
                vec![
                    row("Mail", "1", 1),
                    row("Mail", "2", 1),
                    row("", "", 1),
                    row("mail", "1", 1),
                ],
            ),
        ] {
            let counts = sink.clients_by_software(of).await.unwrap();
            assert_eq!(rows(&counts), expected);
            assert_eq!(counts.clients, total);
            let asked = SecurityTag::TLS10;
            let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
            assert_eq!(breaks.clients, total);
            assert_eq!(
                sink.clients_by_tag(of).await.unwrap(),
                [count("tls10", total, 0)]
            );
        }
        let other = host("pop.example.com");
        let of_other = Clients {
            host: Some(&other),
            ..Clients::since(at(0))
        };
        assert_eq!(sink.clients_by_tag(of_other).await.unwrap(), []);
        let none = sink.clients_by_software(of_other).await.unwrap();
        assert_eq!(none, SoftwareCounts::default());
    })
    .await;
}

#[tokio::test]
async fn counts_latches_that_were_confirmed_in_the_period() {
    on_each("since", async |sink| {
        let sink = &*sink;
        let latched = ClientReport {
            latch: tags("tls-cert"),
            ..software("Mail", "1")
        };
        let unlatched = ClientReport {
            security_tags: tags("tls-cert"),
            ..software("Mail", "1")
        };
        record(sink, "alice", at(100), &latched).await;
        // Another device of the same account, or the account was made anew.
        record(sink, "alice", at(200), &unlatched).await;
        // Old news that come late.
        record(sink, "alice", at(50), &example_2()).await;
        record(sink, "alice", at(50), &latched).await;
        let asked = SecurityTag::TLS_CERT;
        for (since, clients) in [(0, 1), (100, 1), (101, 0), (200, 0), (201, 0)] {
            let of = Clients::since(at(since));
            let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
            let mail = breaks
                .programs
                .iter()
                .find(|row| row.name.as_deref() == Some("Mail"));
            assert_eq!(mail.map_or(0, |row| row.clients), clients, "since {since}");
            if let Some(mail) = mail {
                // Seen last, not latched last.
                assert_eq!(mail.last_seen, at(200));
            }
        }
        let by_tag = async |since| {
            sink.clients_by_tag(Clients::since(at(since)))
                .await
                .unwrap()
        };
        assert_eq!(by_tag(100).await, [count("tls-cert", 1, 0)]);
        assert_eq!(by_tag(101).await, [count("tls-cert", 0, 1)]);
        assert_eq!(by_tag(200).await, [count("tls-cert", 0, 1)]);
        assert_eq!(by_tag(201).await, []);
        let by_software = async |since| {
            sink.clients_by_software(Clients::since(at(since)))
                .await
                .unwrap()
                .clients
        };
        assert_eq!((by_software(50).await, by_software(51).await), (2, 1));
        assert_eq!((by_software(200).await, by_software(201).await), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn failures_are_counted_and_the_last_one_is_dated() {
    on_each("failures", async |sink| {
        let sink = &*sink;
        for seconds in [30, 10, 20] {
            record(sink, "alice", at(seconds), &example_2()).await;
        }
        record(sink, "alice", at(40), &example_1()).await;
        let counts = sink.clients_by_tag(Clients::since(at(0))).await.unwrap();
        let failed = TagCount {
            failures: 3,
            last_failure: Some(at(30)),
            ..count("tls-cert", 1, 0)
        };
        assert_eq!(counts[0], failed);
        let asked = SecurityTag::TLS_CERT;
        for (since, last_failure) in [(30, Some(at(30))), (31, None)] {
            let of = Clients::since(at(since));
            let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
            let expected = broken("Demo Mail", "1.5", 1, at(40), 0, last_failure);
            assert_eq!((breaks.failing, breaks.programs), (0, vec![expected]));
        }
    })
    .await;
}

#[tokio::test]
async fn says_by_the_last_report_of_a_client_that_it_fails() {
    on_each("last_report", async |sink| {
        let sink = &*sink;
        let asked = SecurityTag::TLS_CERT;
        let of = Clients::since(at(0));
        let failing = async || {
            let breaks = sink.what_breaks_if_dropped(&asked, of).await.unwrap();
            let counts = sink.clients_by_tag(of).await.unwrap();
            let tag = counts.iter().find(|count| count.tag == asked).unwrap();
            assert_eq!(breaks.failing, tag.failing);
            assert_eq!(breaks.clients, 1);
            breaks.failing
        };
        let of_another = ClientReport {
            latch_fail: tags("tls10"),
            ..example_2()
        };
        let updated = |report: ClientReport, version: &str| ClientReport {
            version: Some(version.to_owned()),
            ..report
        };
        for (step, seconds, report, expected) in [
            ("fails", 100, example_2(), 1),
            // Not the last one, though it comes last.
            ("an earlier success comes late", 50, example_1(), 1),
            ("succeeds in the same second", 100, example_1(), 0),
            ("fails in the same second again", 100, example_2(), 1),
            ("fails again", 110, example_2(), 1),
            ("succeeds", 120, example_1(), 0),
            ("an earlier failure comes late", 115, example_2(), 0),
            ("fails", 130, example_2(), 1),
            ("fails for another tag", 140, of_another, 0),
            ("fails", 150, example_2(), 1),
            // The update is the same client, and its report the last one.
            ("succeeds, updated", 160, updated(example_1(), "1.6"), 0),
            ("a late failure of the old version", 155, example_2(), 0),
            ("fails, updated", 170, updated(example_2(), "1.6"), 1),
            ("succeeds, as it was before", 180, example_1(), 0),
        ] {
            record(sink, "alice", at(seconds), &report).await;
            assert_eq!(failing().await, expected, "{step} at {seconds}");
        }
    })
    .await;
}

#[tokio::test]
async fn takes_an_update_for_the_same_client() {
    on_each("updates", async |sink| {
        let sink = &*sink;
        let latched = |version: &str| ClientReport {
            latch: tags("tls-cert"),
            ..software("Mail", version)
        };
        for account in ["alice", "bob"] {
            record(sink, account, at(10), &latched("1")).await;
            record(sink, account, at(20), &latched("2")).await;
        }
        // Bob's goes back.
        record(sink, "bob", at(30), &latched("1")).await;
        // Carol's latched before the update, and reports nothing of latches any more.
        record(sink, "carol", at(10), &latched("1")).await;
        record(sink, "carol", at(40), &software("Mail", "3")).await;
        record(sink, "dave", at(40), &software("Mail", "3")).await;
        let asked = SecurityTag::TLS_CERT;
        let version = |version: &str, clients, of, last_seen| BrokenVersion {
            version: Some(version.to_owned()),
            clients,
            of,
            last_seen: at(last_seen),
            failing: 0,
            last_failure: None,
        };
        let program = |clients, last_seen, versions| BrokenProgram {
            name: Some("Mail".to_owned()),
            clients,
            of: 4,
            last_seen: at(last_seen),
            failing: 0,
            last_failure: None,
            versions,
            versions_left_off: 0,
        };
        let both = vec![version("1", 1, 1, 30), version("2", 1, 1, 20)];
        let all = [both.clone(), vec![version("3", 1, 2, 40)]].concat();
        for (since, of, expected) in [
            (0, 4, vec![program(3, 40, all)]),
            // Carol's latch is older; she is a client all the same.
            (11, 4, vec![program(2, 30, both)]),
            (31, 2, vec![]),
        ] {
            let period = Clients::since(at(since));
            let breaks = sink.what_breaks_if_dropped(&asked, period).await.unwrap();
            assert_eq!(
                (breaks.of, &breaks.programs),
                (of, &expected),
                "since {since}"
            );
            let clients = expected.first().map_or(0, |program| program.clients);
            assert_eq!(breaks.clients, clients);
            let counts = sink.clients_by_software(period).await.unwrap();
            assert_eq!(counts.clients, of);
            let tags = sink.clients_by_tag(period).await.unwrap();
            let latched = tags.first().map_or(0, |count| count.latched);
            assert_eq!(latched, clients, "since {since}");
        }
    })
    .await;
}

#[tokio::test]
async fn names_the_tags_and_hosts_that_were_reported() {
    on_each("names", async |sink| {
        let sink = &*sink;
        assert_eq!(sink.names().await.unwrap(), SinkNames::default());
        record(sink, "alice", at(50), &example_1()).await;
        record(
            sink,
            "alice",
            at(20),
            &ClientReport {
                latch: tags("X-Own tls10"),
                ..software("Demo Mail", "1.6")
            },
        )
        .await;
        record_at(sink, "alice", "smtp.example.com", at(30), &example_2()).await;
        record(sink, "bob", at(40), &software("Demo Mail", "1.5")).await;
        let expected = SinkNames {
            clients: 3,
            last_report: Some(at(50)),
            tags: tags("tls-cert tls10 tls12 x-own"),
            hosts: vec![host("imap.example.com"), host("smtp.example.com")],
        };
        assert_eq!(sink.names().await.unwrap(), expected);
    })
    .await;
}
