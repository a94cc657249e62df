//! "What breaks if I drop this tag?": asks the database in which the servers keep clients' reports, and prints
//! the answer, before anything is changed.
//!
//! ```text
//! what_breaks (sqlite:PATH | postgres://...) TAG [DAYS [HOST]]
//! ```
//!
//! Without arguments it makes a database of its own, with some reports, and asks that.

use std::{
    env,
    error::Error,
    time::{Duration, SystemTime},
};

use deep_latch::{
    ClientReport, Clients, Host, MailProtocol, PostgresReportSink, ReceivedReport, ReportSink,
    ReportSinkOptions, SecurityTag, SqliteReportSink, TagCount,
};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let options = ReportSinkOptions::default();
    let (database, tag, days, host) = match arguments.as_slice() {
        [] => {
            let directory = tempfile::tempdir()?;
            let path = directory.path().join("reports.db");
            let sink = SqliteReportSink::open(&path, options).await?;
            fill(&sink).await?;
            ask(&sink, "tls-cert", 30, None).await?;
            sink.close().await;
            return Ok(());
        }
        [database, tag] => (database, tag, 90, None),
        [database, tag, days] => (database, tag, days.parse()?, None),
        [database, tag, days, host] => (database, tag, days.parse()?, Some(Host::try_new(host)?)),
        _ => return Err("what_breaks (sqlite:PATH | postgres://...) TAG [DAYS [HOST]]".into()),
    };
    match database.strip_prefix("sqlite:") {
        Some(path) => {
            let sink = SqliteReportSink::open(path, options).await?;
            ask(&sink, tag, days, host.as_ref()).await
        }
        None => {
            let sink = PostgresReportSink::connect(database.parse()?, options).await?;
            ask(&sink, tag, days, host.as_ref()).await
        }
    }
}

/// Asks, and prints the tables.
async fn ask(
    sink: &dyn ReportSink,
    tag: &str,
    days: u32,
    host: Option<&Host>,
) -> Result<(), Box<dyn Error>> {
    let tag = SecurityTag::parse(tag)?;
    let since = SystemTime::now()
        .checked_sub(DAY.saturating_mul(days))
        .ok_or("before time began")?;
    let of = Clients { since, host };
    println!("Of the last {days} days:\n");
    println!(
        "{}",
        sink.what_breaks_if_dropped(&tag, of).await?.to_table()
    );
    println!("{}", TagCount::to_table(&sink.clients_by_tag(of).await?));
    println!("{}", sink.clients_by_software(of).await?.to_table());
    Ok(())
}

/// What the clients of a small provider reported.
async fn fill(sink: &dyn ReportSink) -> Result<(), Box<dyn Error>> {
    let host = Host::try_new("imap.example.com")?;
    let now = SystemTime::now();
    for (account, name, version, days_ago, latch, latch_fail) in [
        (
            "alice",
            "Demo Mail",
            "1.5",
            0,
            &[SecurityTag::TLS10, SecurityTag::TLS_CERT][..],
            false,
        ),
        (
            "bob",
            "Demo Mail",
            "1.5",
            3,
            &[SecurityTag::TLS10, SecurityTag::TLS_CERT],
            true,
        ),
        (
            "carol",
            "Demo Mail",
            "1.4",
            10,
            &[SecurityTag::TLS10],
            false,
        ),
        ("dave", "Phone", "7", 2, &[SecurityTag::TLS_CERT], false),
        // Not seen for long.
        ("erin", "Phone", "6", 60, &[SecurityTag::TLS_CERT], false),
    ] {
        let report = ClientReport {
            name: Some(name.to_owned()),
            version: Some(version.to_owned()),
            latch: latch.to_vec(),
            latch_fail: if latch_fail {
                vec![SecurityTag::TLS_CERT]
            } else {
                Vec::new()
            },
            security_tags: vec![SecurityTag::TLS12],
            ..ClientReport::default()
        };
        let at = now
            .checked_sub(DAY.saturating_mul(days_ago))
            .ok_or("before time began")?;
        let received = ReceivedReport::try_new(account, &host, MailProtocol::Imap, at, &report)?;
        sink.record(&received).await?;
    }
    Ok(())
}
