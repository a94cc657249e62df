//! Reports of 100 000 clients: a report more, and the operator's questions. In memory, in
//! SQLite, and in PostgreSQL if `DEEP_BENCH_POSTGRES` is the URL of an empty database.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "benchmark"
)]

use std::{
    env,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use criterion::{Criterion, criterion_group, criterion_main};
use deep_latch::{
    ClientReport, Host, MailProtocol, SecurityTag,
    reports::{Clients, MemoryReportSink, ReceivedReport, ReportSink},
};
use deep_latch_sqlx::{PostgresReportSink, ReportSinkOptions, SqliteReportSink};
use tokio::runtime::Runtime;

const CLIENTS: u64 = 100_000;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_416_787_200 + seconds)
}

/// Returns the report of the client of this number: 20 programs of 10 versions, most with tls-cert latched.
fn report(number: u64) -> ClientReport {
    let latched = match number % 10 {
        0 => vec![SecurityTag::TLS10],
        _ => vec![SecurityTag::TLS10, SecurityTag::TLS_CERT],
    };
    ClientReport {
        name: Some(format!("Mail {}", number % 20)),
        version: Some(format!("{}.0", number / 20 % 10)),
        latch: latched,
        latch_fail: if number.is_multiple_of(97) {
            vec![SecurityTag::TLS_CERT]
        } else {
            Vec::new()
        },
        security_tags: vec![SecurityTag::TLS12],
        ..ClientReport::default()
    }
}

async fn record(sink: &dyn ReportSink, host: &Host, number: u64) {
    let (account, report) = (format!("account {number}"), report(number));
    let received = ReceivedReport::try_new(&account, host, MailProtocol::Imap, at(number), &report);
    sink.record(&received.unwrap()).await.unwrap();
}

fn measure(criterion: &mut Criterion, name: &str, runtime: &Runtime, sink: Arc<dyn ReportSink>) {
    let host = Host::try_new("imap.example.com").unwrap();
    let begun = Instant::now();
    runtime.block_on(async {
        let writers = (0..8).map(|writer| {
            let (sink, host) = (sink.clone(), host.clone());
            tokio::spawn(async move {
                for number in (0..CLIENTS).filter(|number| number % 8 == writer) {
                    record(&*sink, &host, number).await;
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
    println!(
        "{name}: {CLIENTS} clients filled in, in {:.1?}",
        begun.elapsed()
    );
    let mut group = criterion.benchmark_group(format!("report_sink/{name}"));
    group.sample_size(10);
    let mut number = 0;
    group.bench_function("record, a known client", |bencher| {
        bencher.iter(|| {
            number = (number + 7919) % CLIENTS;
            runtime.block_on(record(&*sink, &host, number));
        });
    });
    let of = Clients::since(at(0));
    group.bench_function("what_breaks_if_dropped", |bencher| {
        bencher.iter(|| {
            let asked = sink.what_breaks_if_dropped(&SecurityTag::TLS_CERT, of);
            black_box(runtime.block_on(asked).unwrap());
        });
    });
    group.bench_function("clients_by_tag", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(sink.clients_by_tag(of)).unwrap()));
    });
    group.bench_function("clients_by_software", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(sink.clients_by_software(of)).unwrap()));
    });
    group.finish();
}

fn sinks(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    measure(
        criterion,
        "memory",
        &runtime,
        Arc::new(MemoryReportSink::new()),
    );
    let directory = tempfile::tempdir().unwrap();
    let options = ReportSinkOptions::default();
    let sqlite = SqliteReportSink::open(directory.path().join("reports.db"), options);
    let sqlite = Arc::new(runtime.block_on(sqlite).unwrap());
    measure(criterion, "sqlite", &runtime, sqlite.clone());
    runtime.block_on(sqlite.close());
    if let Ok(url) = env::var("DEEP_BENCH_POSTGRES") {
        let postgres = PostgresReportSink::connect(url.parse().unwrap(), options);
        let postgres = Arc::new(runtime.block_on(postgres).unwrap());
        measure(criterion, "postgres", &runtime, postgres.clone());
        runtime.block_on(postgres.close());
    }
}

criterion_group!(benches, sinks);
criterion_main!(benches);
