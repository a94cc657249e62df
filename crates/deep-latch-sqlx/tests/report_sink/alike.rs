//! The three sinks answer alike.

use super::*;

const TAGS: [&str; 4] = ["tls10", "tls12", "tls-cert", "X-own"];

#[test]
fn answers_alike_in_all_sinks() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let around = runtime.block_on(Around::new("model"));
    let [sqlite, postgres] = runtime.block_on(around.open_both()).unwrap();
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let steps = prop::collection::vec(step(), 1..40);
    let result = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            around.both("DELETE FROM deep_clients").await;
            let memory = MemoryReportSink::new();
            for step in &steps {
                let expected = answer(&memory, step).await;
                prop_assert!(!expected.contains("Err"), "{}", expected);
                for (name, sink) in [("SQLite", &sqlite), ("PostgreSQL", &postgres)] {
                    prop_assert_eq!(
                        &answer(&**sink, step).await,
                        &expected,
                        "{} {:?}",
                        name,
                        step
                    );
                }
            }
            Ok(())
        })
    });
    result.unwrap();
}

/// A report, or a question, in small numbers.
#[derive(Clone, Debug)]
enum Step {
    Record {
        account: u8,
        host: u8,
        version: u8,
        at: u64,
        latch: u8,
        latch_fail: u8,
        security_tags: u8,
    },
    Purge(u64),
    Forget(u8),
    Ask {
        since: u64,
        host: Option<u8>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let set = || 0..16_u8;
    prop_oneof![
        8 => (0..3_u8, 0..2_u8, 0..3_u8, 0..12_u64, set(), set(), set()).prop_map(
            |(account, host, version, at, latch, latch_fail, security_tags)| Step::Record {
                account, host, version, at, latch, latch_fail, security_tags,
            }
        ),
        1 => (0..12_u64).prop_map(Step::Purge),
        1 => (0..3_u8).prop_map(Step::Forget),
        3 => (0..12_u64, prop::option::of(0..2_u8)).prop_map(|(since, host)| Step::Ask { since, host }),
    ]
}

async fn answer(sink: &dyn ReportSink, step: &Step) -> String {
    let hosts = [host("imap.example.com"), host("smtp.example.com")];
    let set = |bits: u8| {
        let chosen = (0..).zip(TAGS).filter(|(bit, _)| bits & (1 << bit) != 0);
        chosen.map(|(_, name)| tag(name)).collect::<Vec<_>>()
    };
    match *step {
        Step::Record {
            account,
            host,
            version,
            at: seconds,
            latch,
            latch_fail,
            security_tags,
        } => {
            let report = ClientReport {
                name: (version > 0).then(|| "Mail".to_owned()),
                version: (version > 1).then(|| version.to_string()),
                latch: set(latch),
                latch_fail: set(latch_fail),
                security_tags: set(security_tags),
                tls: None,
            };
            let account = account.to_string();
            let host = &hosts[usize::from(host)];
            let received =
                ReceivedReport::try_new(&account, host, MailProtocol::Smtp, at(seconds), &report);
            format!("{:?}", sink.record(&received.unwrap()).await)
        }
        Step::Purge(before) => format!("{:?}", sink.purge(at(before)).await),
        Step::Forget(account) => format!("{:?}", sink.forget(&account.to_string()).await),
        Step::Ask { since, host } => {
            let host = host.map(|host| &hosts[usize::from(host)]);
            let of = Clients {
                since: at(since),
                host,
            };
            let mut text = format!(
                "{:?} {:?} {:?}",
                sink.clients_by_tag(of).await,
                sink.clients_by_software(of).await,
                sink.names().await
            );
            for asked in TAGS {
                let asked = tag(asked);
                text += &format!("{:?}", sink.what_breaks_if_dropped(&asked, of).await);
            }
            text
        }
    }
}
