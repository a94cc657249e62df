//! Writers that are killed.

use test_support::killed_writer::{self, Writer};

use super::*;

#[tokio::test]
async fn prints_each_stored_latch() {
    if let Some(to) = killed_writer::argument() {
        let ended = write(&to).await;
        eprintln!("the writer ended: {:?}", ended.unwrap_err());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    let mut writer = start(&format!("file:{}", path.display()), "a");
    for _ in 0..5 {
        assert!(writer.confirmed());
    }
    let stored = latches(&writer.kill());
    assert!(stored.len() >= 5);
    let store = FileLatchStore::open(&path).unwrap();
    assert_all_there(&store, &stored).await;
}

async fn assert_all_there(store: &dyn LatchStore, stored: &[(String, String)]) {
    for (name, tag) in stored {
        let record = store.load(&account("alice"), &host(name)).await.unwrap();
        assert!(record.is_latched(&self::tag(tag)), "{name} {tag} is lost");
    }
}

/// Returns the number of records of an account.
async fn records(store: &dyn LatchStore) -> usize {
    let (mut all, mut last) = (0, None);
    loop {
        let batch = store.list(&account("alice"), last.as_ref()).await.unwrap();
        all += batch.len();
        if batch.len() < RECORDS_PER_BATCH {
            return all;
        }
        last = batch.last().map(|record| record.host().clone());
    }
}

/// Kills two writers, at moments that depend on the round, and looks whether what they stored is there;
/// `rounds` times, in a new store every twentieth time. Every fourth pair is killed before it has stored
/// anything, often before the store is open.
async fn kill_writers(kind: &str, rounds: u64) {
    let mut all = 0;
    for first in (0..rounds).step_by(20) {
        let directory = tempfile::tempdir().unwrap();
        let path = file_in(&directory);
        let mut stored = Vec::new();
        for round in first..rounds.min(first + 20) {
            let to = format!("{kind}:{}", path.display());
            let writers = ["a", "b"].map(|name| start(&to, &format!("{name}{round}")));
            let printed = Writer::kill_all(writers, round, Duration::from_millis(9));
            stored.extend(latches(&printed.concat()));
            if round % 4 == 3 {
                assert_all_there(&*open(kind, &path).await, &stored).await;
            }
        }
        let store = open(kind, &path).await;
        assert_all_there(&*store, &stored).await;
        // Nothing else is there, but what a writer was killed with before it printed it.
        let hosts: BTreeSet<_> = stored.iter().map(|(host, _)| host).collect();
        let there = records(&*store).await;
        assert!((hosts.len()..=hosts.len() + 40).contains(&there));
        all += stored.len();
    }
    println!(
        "{kind}: {} writers killed, {all} latches stored",
        rounds * 2
    );
    assert!(all >= usize::try_from(rounds).unwrap());
}

async fn open(kind: &str, path: &Path) -> Arc<dyn LatchStore> {
    match kind {
        "file" => Arc::new(FileLatchStore::open(path).unwrap()),
        _ => Arc::new(database::open_sqlite(path).await.unwrap()),
    }
}

#[tokio::test]
async fn keeps_latches_when_a_writer_to_the_file_is_killed() {
    kill_writers("file", 160).await;
}

#[tokio::test]
async fn keeps_latches_when_a_writer_to_sqlite_is_killed() {
    kill_writers("sqlite", 120).await;
}

#[tokio::test]
async fn keeps_latches_of_two_processes_that_write_at_once() {
    for kind in ["file", "sqlite"] {
        let directory = tempfile::tempdir().unwrap();
        let path = file_in(&directory);
        let to = format!("{kind}:{}", path.display());
        let writers = ["a", "b", "c"].map(|name| {
            let mut writer = start(&to, name);
            std::thread::spawn(move || {
                for _ in 0..60 {
                    assert!(writer.confirmed());
                }
                latches(&writer.kill())
            })
        });
        let mut stored = Vec::new();
        for writer in writers {
            stored.extend(writer.join().unwrap());
        }
        let store = open(kind, &path).await;
        assert_all_there(&*store, &stored).await;
        let shared = store.load(&account("alice"), &host("shared.example")).await;
        for name in ["a", "b", "c"] {
            assert!(shared.as_ref().unwrap().is_latched(&tag(name)));
        }
    }
}

/// Starts a writer to a store, `file:PATH` or `sqlite:PATH`. It prints the host and the tag of each stored latch.
fn start(store: &str, name: &str) -> Writer {
    Writer::start(
        "killed::prints_each_stored_latch",
        &format!("{store} {name}"),
    )
}

/// Returns the hosts and tags that a killed writer printed.
fn latches(printed: &[String]) -> Vec<(String, String)> {
    let latches = printed.iter().map(|line| line.split_once(' ').unwrap());
    latches
        .map(|(host, tag)| (host.to_owned(), tag.to_owned()))
        .collect()
}

/// Runs a writer: it latches tags of its own, on one host that all writers share and on hosts of its own.
async fn write(to: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (store, name) = to.split_once(' ').ok_or("no name")?;
    let store: Box<dyn LatchStore> = match store.split_once(':') {
        Some(("sqlite", path)) => {
            let store = SqliteLatchStore::open_or_create(path, SqliteOptions::default());
            Box::new(store.await?)
        }
        Some(("file", path)) => Box::new(FileLatchStore::open_or_create(path)?),
        _ => return Err("no store".into()),
    };
    for number in 0.. {
        let host = match number % 3 {
            0 => "shared.example".to_owned(),
            _ => format!("{name}-{number}.example"),
        };
        // Of the shared host's tags there may be 64.
        let tag = match number {
            0 => name.to_owned(),
            _ => format!("t{}", number % 8),
        };
        let own = SecurityTag::parse(&tag)?.into_owned();
        let record = LatchRecord::preset(Host::try_new(&host)?, [own]);
        store.merge(&account("alice"), &record).await?;
        killed_writer::confirm(&format!("{host} {tag}"));
    }
    Ok(())
}
