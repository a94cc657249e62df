//! Writers that are killed.

use super::*;

/// The variable that makes this process a writer, with its store and name: `file:PATH` or `sqlite:PATH`, a space, and its
/// name.
const WRITE_TO: &str = "DEEP_LATCH_WRITE_TO";

// Killed with -9.

/// A process that latches tags until it is killed, and prints each when it has been stored.
struct Writer {
    process: Child,
    output: BufReader<ChildStdout>,
    stored: Vec<(String, String)>,
}

impl Writer {
    /// This test binary, which runs the test [`prints_each_stored_latch`].
    fn start(store: &str, name: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "killed::prints_each_stored_latch", "--nocapture"])
            .env(WRITE_TO, format!("{store} {name}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let stored = Vec::new();
        Self {
            process,
            output,
            stored,
        }
    }

    /// Waits for a latch more. False: the writer has ended.
    fn stored(&mut self) -> bool {
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            // The last line may be cut off.
            let Some(whole) = line.strip_suffix('\n') else {
                return false;
            };
            if let Some(latch) = whole.strip_prefix("stored ") {
                let (host, tag) = latch.split_once(' ').unwrap();
                self.stored.push((host.to_owned(), tag.to_owned()));
                return true;
            }
        }
    }

    /// `kill -9`. All latches it has printed until then.
    fn kill(mut self) -> Vec<(String, String)> {
        self.process.kill().unwrap();
        while self.stored() {}
        self.process.wait().unwrap();
        self.stored
    }
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
        let line = format!("\nstored {host} {tag}\n");
        std::io::stdout().lock().write_all(line.as_bytes())?;
    }
    Ok(())
}

#[tokio::test]
async fn prints_each_stored_latch() {
    if let Ok(to) = env::var(WRITE_TO) {
        let ended = write(&to).await;
        eprintln!("the writer ended: {:?}", ended.unwrap_err());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    let mut writer = Writer::start(&format!("file:{}", path.display()), "a");
    for _ in 0..5 {
        assert!(writer.stored());
    }
    let stored = writer.kill();
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
    for start in (0..rounds).step_by(20) {
        let directory = tempfile::tempdir().unwrap();
        let path = file_in(&directory);
        let mut stored = Vec::new();
        for round in start..rounds.min(start + 20) {
            let to = format!("{kind}:{}", path.display());
            let mut writers = [
                Writer::start(&to, &format!("a{round}")),
                Writer::start(&to, &format!("b{round}")),
            ];
            if !round.is_multiple_of(4) {
                for writer in &mut writers {
                    assert!(writer.stored());
                }
            }
            for writer in writers {
                std::thread::sleep(Duration::from_micros(round * 7919 % 9000));
                stored.extend(writer.kill());
            }
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
            let mut writer = Writer::start(&to, name);
            std::thread::spawn(move || {
                for _ in 0..60 {
                    assert!(writer.stored());
                }
                writer.kill()
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
