//! Several writers at once.

use super::*;

/// Each writes all the while the others do: half of them news of the same client.
async fn write_at_once(sinks: [Arc<dyn ReportSink>; 8]) {
    const REPORTS: u64 = 50;
    let writers = (0..).zip(&sinks).map(|(writer, sink)| {
        let sink = sink.clone();
        tokio::spawn(async move {
            let own = format!("writer {writer}");
            for number in 0..REPORTS {
                record(&*sink, &own, at(number), &example_1()).await;
                // In another order of tags, so that rows are touched in any order.
                let mut shared = example_1();
                if writer % 2 == 0 {
                    shared.latch.reverse();
                }
                shared.latch_fail = tags("tls-cert tls10");
                record(&*sink, "shared", at(number), &shared).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let failing = |tag| TagCount {
        failing: 1,
        failures: 8 * REPORTS,
        last_failure: Some(at(REPORTS - 1)),
        ..count(tag, 9, 0)
    };
    let expected = [failing("tls-cert"), failing("tls10"), count("tls12", 0, 9)];
    for sink in &sinks {
        assert_eq!(
            sink.clients_by_tag(Clients::since(at(0))).await.unwrap(),
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_everything_of_eight_writers_at_once() {
    on_each("writers", async |sink| {
        write_at_once(std::array::from_fn(|_| sink.clone())).await;
    })
    .await;

    println!("eight servers' SQLite");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let mut sinks: Vec<Arc<dyn ReportSink>> = Vec::new();
    for _ in 0..8 {
        sinks.push(Arc::new(open(&path).await));
    }
    write_at_once(sinks.try_into().ok().unwrap()).await;

    println!("a fleet's PostgreSQL");
    let server = PostgresServer::shared();
    let database = server.database("fleet").await;
    let mut sinks: Vec<Arc<dyn ReportSink>> = Vec::new();
    for _ in 0..8 {
        sinks.push(Arc::new(connect(database.clone()).await));
    }
    write_at_once(sinks.try_into().ok().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_can_come_while_old_ones_are_purged_and_forgotten() {
    on_each("purging", async |sink| {
        let writers = (0..4).map(|writer| {
            let sink = sink.clone();
            tokio::spawn(async move {
                for number in 0..100 {
                    let account = format!("account {}", (number + writer * 25) % 40);
                    record(&*sink, &account, at(number), &example_1()).await;
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        for number in 0..50 {
            sink.purge(at(number * 2)).await.unwrap();
            sink.forget(&format!("account {}", number % 40))
                .await
                .unwrap();
        }
        for writer in writers {
            writer.await.unwrap();
        }
        // No tag is left of a client that is gone.
        let counts = sink.clients_by_tag(Clients::since(at(0))).await.unwrap();
        let software = sink
            .clients_by_software(Clients::since(at(0)))
            .await
            .unwrap();
        for count in counts {
            assert_eq!(count.latched + count.not_latched, software.clients);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn servers_that_open_a_new_database_at_once_all_can_use_it() {
    let server = PostgresServer::shared();
    for round in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("reports.db");
        let database = server.database(&format!("new{round}")).await;
        let opened = (0..8).map(|number| {
            let (path, database) = (path.clone(), database.clone());
            tokio::spawn(async move {
                let options = ReportSinkOptions {
                    max_connections: 1,
                    ..Default::default()
                };
                let sqlite = SqliteReportSink::open(path, options).await.unwrap();
                let postgres = PostgresReportSink::connect(database, options)
                    .await
                    .unwrap();
                let account = format!("account {number}");
                record(&sqlite, &account, at(0), &example_1()).await;
                record(&postgres, &account, at(0), &example_1()).await;
                (sqlite, postgres)
            })
        });
        let mut sinks = Vec::new();
        for opened in opened.collect::<Vec<_>>() {
            sinks.push(opened.await.unwrap());
        }
        for (sqlite, postgres) in sinks {
            let of = Clients::since(at(0));
            assert_eq!(sqlite.clients_by_software(of).await.unwrap().clients, 8);
            assert_eq!(postgres.clients_by_software(of).await.unwrap().clients, 8);
            sqlite.close().await;
            postgres.close().await;
        }
    }
}
