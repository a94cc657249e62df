//! The latch stores, in memory, in a file and in SQLite, answer alike and lose nothing.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use deep_latch::{
    DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion}, latch::Event,
    status::StatusOptions,
    store::{Account, AccountError, FileLatchStore, LatchStore, LatchStoreError, LatchStoreErrorKind, MAX_ACCOUNT_BYTES, MemoryLatchStore, RECORDS_PER_BATCH},
    tag::MAX_TAGS,
};
use deep_latch_sqlx::{SqliteLatchStore, SqliteOptions};
use proptest::{prelude::*, test_runner::TestRunner};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

/// Where a writer writes, and that this process is one: `file:PATH` or `sqlite:PATH`, a space, and its
/// name.
const WRITE_TO: &str = "DEEP_LATCH_WRITE_TO";

fn account(name: &str) -> Account {
    Account::try_new(name).unwrap()
}

fn host(name: &str) -> Host {
    Host::try_new(name).unwrap()
}

fn tag(name: &str) -> SecurityTag<'static> {
    SecurityTag::parse(name).unwrap().into_owned()
}

fn preset(of: &str, tags: &[&str]) -> LatchRecord {
    LatchRecord::preset(host(of), tags.iter().map(|name| tag(name)))
}

/// What a session learns that begins with this record, of a server that is authenticated and has TLS 1.3.
fn learnt_from(record: LatchRecord, status: &DeepStatus<'_>) -> LatchRecord {
    let mut session = LatchSession::try_new(record, Facilities::new()).unwrap();
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_3,
        strength_bits: Some(128),
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: DaneVerdict::NotChecked,
    };
    let _ = session.step(Event::Handshake(facts));
    let _ = session.step(Event::Status(status));
    session.record().clone()
}

fn learnt(record: LatchRecord, status: &str) -> LatchRecord {
    learnt_from(record, &DeepStatus::parse(status).unwrap())
}

fn latched(record: &LatchRecord) -> Vec<&str> {
    record.latched().map(SecurityTag::as_str).collect()
}

fn status(record: &LatchRecord) -> Option<&str> {
    record.status().map(DeepStatus::as_str)
}

async fn sqlite(path: &Path) -> SqliteLatchStore {
    SqliteLatchStore::open_or_create(path, SqliteOptions::default())
        .await
        .unwrap()
}

fn kind<T>(answer: Result<T, LatchStoreError>) -> LatchStoreErrorKind {
    answer.err().expect("an error").kind()
}

/// An empty store of each kind, one after another; and how it is opened again.
async fn on_each(scenario: impl AsyncFn(Arc<dyn LatchStore>)) {
    println!("in memory");
    scenario(Arc::new(MemoryLatchStore::new())).await;

    println!("in a file");
    let directory = tempfile::tempdir().unwrap();
    let file = FileLatchStore::open_or_create(directory.path().join("latches")).unwrap();
    scenario(Arc::new(file)).await;

    println!("in SQLite");
    let store = Arc::new(sqlite(&directory.path().join("latches.db")).await);
    scenario(store.clone()).await;
    store.close().await;
}

#[tokio::test]
async fn a_host_that_was_never_stored_has_an_empty_record() {
    on_each(async |store| {
        let (alice, imap) = (account("alice"), host("imap.example.com"));
        let record = store.load(&alice, &imap).await.unwrap();
        assert_eq!(record, LatchRecord::new(imap));
        assert_eq!(store.list(&alice, None).await.unwrap(), []);
        assert_eq!(store.delete_account(&alice).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn latches_are_added_and_never_taken_away() {
    on_each(async |store| {
        let (alice, imap) = (account("alice"), host("imap.example.com"));
        let first = preset("imap.example.com", &["tls10"]);
        assert_eq!(store.merge(&alice, &first).await.unwrap(), first);
        let second = preset("imap.example.com", &["TLS10", "tls-cert"]);
        let both = store.merge(&alice, &second).await.unwrap();
        assert_eq!(latched(&both), ["tls-cert", "tls10"]);
        // Nothing learnt takes nothing away.
        for record in [LatchRecord::new(imap.clone()), first, second] {
            assert_eq!(store.merge(&alice, &record).await.unwrap(), both);
            assert_eq!(store.load(&alice, &imap).await.unwrap(), both);
        }
    })
    .await;
}

#[tokio::test]
async fn accounts_and_hosts_are_apart() {
    on_each(async |store| {
        let records = [
            ("alice", preset("imap.example.com", &["tls10"])),
            ("alice", preset("smtp.example.com", &["tls12"])),
            ("bob", preset("imap.example.com", &["tls-cert"])),
            ("Alice", preset("imap.example.com", &["tls-dane-tlsa"])),
            ("\"al\\ice\" é %_'", preset("192.0.2.1", &["x"])),
        ];
        for (name, record) in &records {
            store.merge(&account(name), record).await.unwrap();
        }
        for (name, record) in &records {
            let kept = store.load(&account(name), record.host()).await.unwrap();
            assert_eq!(&kept, record);
        }
        let alice = account("alice");
        let listed = store.list(&alice, None).await.unwrap();
        assert_eq!(listed, [records[0].1.clone(), records[1].1.clone()]);
        // Deleting one account leaves the others.
        assert_eq!(store.delete_account(&alice).await.unwrap(), 2);
        assert_eq!(store.list(&alice, None).await.unwrap(), []);
        assert_eq!(
            store.load(&alice, &host("imap.example.com")).await.unwrap(),
            LatchRecord::new(host("imap.example.com"))
        );
        for (name, record) in &records[2..] {
            let kept = store.load(&account(name), record.host()).await.unwrap();
            assert_eq!(&kept, record);
        }
    })
    .await;
}

#[tokio::test]
async fn the_status_that_was_recorded_last_is_kept_and_an_older_one_does_not_come_back() {
    on_each(async |store| {
        let (alice, imap) = (account("alice"), host("imap.example.com"));
        let load = || async { store.load(&alice, &imap).await.unwrap() };
        let first = learnt(load().await, "tls10 <https://a.example/>");
        let kept = store.merge(&alice, &first).await.unwrap();
        assert_eq!(status(&kept), Some("tls10 <https://a.example/>"));
        // Two sessions begin with that. One records another status, and stores it.
        let (one, other) = (load().await, load().await);
        let newer = learnt(one, "tls12 <https://b.example/>");
        store.merge(&alice, &newer).await.unwrap();
        // The other has recorded none: the status it began with is older.
        let kept = store.merge(&alice, &other).await.unwrap();
        assert_eq!(status(&kept), Some("tls12 <https://b.example/>"));
        assert_eq!(latched(&kept), ["tls10", "tls12"]);
        // It records one, and latches more: it is the last to know.
        let last = learnt(other, "tls-cert");
        let kept = store.merge(&alice, &last).await.unwrap();
        assert_eq!(status(&kept), Some("tls-cert"));
        assert_eq!(latched(&kept), ["tls-cert", "tls10", "tls12"]);
        assert_eq!(load().await, kept);
        // A status without anything is one.
        let kept = store
            .merge(&alice, &learnt(load().await, ""))
            .await
            .unwrap();
        assert_eq!(status(&kept), Some(""));
        assert_eq!(status(&load().await), Some(""));
        assert_eq!(latched(&load().await), ["tls-cert", "tls10", "tls12"]);
    })
    .await;
}

#[tokio::test]
async fn a_status_that_a_lenient_reading_let_through_comes_back_as_it_was() {
    on_each(async |store| {
        let (alice, imap) = (account("alice"), host("imap.example.com"));
        let text = " tls10  \"a\\b\" <http://not.https/> -x ";
        let lenient = StatusOptions {
            allow_extra_spaces: true,
            allow_malformed_elements: true,
        };
        let read = DeepStatus::parse_with(text, lenient).unwrap();
        let record = learnt_from(LatchRecord::new(imap.clone()), &read);
        store.merge(&alice, &record).await.unwrap();
        let kept = store.load(&alice, &imap).await.unwrap();
        assert_eq!(kept, record);
        assert_eq!(status(&kept), Some(text));
    })
    .await;
}

#[tokio::test]
async fn records_are_listed_by_host_in_batches() {
    on_each(async |store| {
        let alice = account("alice");
        let more = 3;
        let all: BTreeSet<_> = (0..RECORDS_PER_BATCH + more)
            .map(|number| host(&format!("h{number}.example")))
            .collect();
        // As files are written as a whole, not one by one.
        let few = RECORDS_PER_BATCH + more > 100;
        assert!(few);
        for host in all.iter().rev() {
            let record = LatchRecord::preset(host.clone(), [SecurityTag::TLS10]);
            store.merge(&alice, &record).await.unwrap();
        }
        let mut listed = Vec::new();
        let mut batches = Vec::new();
        loop {
            let batch = store.list(&alice, listed.last()).await.unwrap();
            batches.push(batch.len());
            let last = batch.len() < RECORDS_PER_BATCH;
            for record in batch {
                assert_eq!(latched(&record), ["tls10"]);
                listed.push(record.host().clone());
            }
            if last {
                break;
            }
        }
        assert_eq!(batches, [RECORDS_PER_BATCH, more]);
        assert_eq!(listed, all.into_iter().collect::<Vec<_>>());
        assert_eq!(store.list(&account("bob"), None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn what_is_at_a_limit_comes_back_whole_and_what_is_over_it_is_refused() {
    on_each(async |store| {
        let long = account(&"é".repeat(MAX_ACCOUNT_BYTES / 2));
        let name = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        let tags: Vec<_> = (10..10 + MAX_TAGS)
            .map(|number| format!("{}{number}", "t".repeat(62)))
            .collect();
        let tags: Vec<_> = tags.iter().map(String::as_str).collect();
        let text = format!("tls10 <https://{}/>", "h".repeat(1024 - 17));
        let record = learnt(preset(&name, &tags[1..]), "tls10");
        // The tags of the machine are refused at once: these are unknown to it.
        assert_eq!(record, preset(&name, &tags[1..]));
        let kept = store
            .merge(&long, &preset(&name, &tags[1..]))
            .await
            .unwrap();
        assert_eq!(kept, preset(&name, &tags[1..]));
        let kept = store
            .merge(&long, &learnt(LatchRecord::new(host(&name)), &text))
            .await
            .unwrap();
        assert_eq!((status(&kept), kept.latched().count()), (Some(&*text), 64));
        assert_eq!(store.load(&long, &host(&name)).await.unwrap(), kept);
        // One more is refused, and changes nothing.
        let more = preset(&name, &tags[..1]);
        assert_eq!(
            kind(store.merge(&long, &more).await),
            LatchStoreErrorKind::Limit
        );
        assert_eq!(store.load(&long, &host(&name)).await.unwrap(), kept);
    })
    .await;
    for name in ["", &"a".repeat(MAX_ACCOUNT_BYTES + 1), "a\nb", "a\0"] {
        assert_eq!(Account::try_new(name), Err(AccountError));
    }
}

#[tokio::test]
async fn of_eight_writers_at_once_nothing_is_lost() {
    on_each(async |store| {
        let imap = host("imap.example.com");
        let writers = (0..8_u32).map(|writer| {
            let (store, imap) = (store.clone(), imap.clone());
            tokio::spawn(async move {
                for number in 0..8 {
                    let own = SecurityTag::parse(&format!("t{writer}-{number}"))
                        .unwrap()
                        .into_owned();
                    let record = LatchRecord::preset(imap.clone(), [own.clone()]);
                    let kept = store.merge(&account("alice"), &record).await.unwrap();
                    assert!(kept.is_latched(&own));
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let kept = store.load(&account("alice"), &imap).await.unwrap();
        assert_eq!(kept.latched().count(), 64);
    })
    .await;
}

/// A question to a store.
#[derive(Clone, Debug)]
enum Question {
    Merge { account: u8, host: u8, tags: u8 },
    Learn { account: u8, host: u8, status: u8 },
    Load { account: u8, host: u8 },
    List { account: u8, after: Option<u8> },
    Delete { account: u8 },
}

fn question() -> impl Strategy<Value = Question> {
    let (account, host) = (0..3_u8, 0..4_u8);
    prop_oneof![
        3 => (account.clone(), host.clone(), 0..16_u8)
            .prop_map(|(account, host, tags)| Question::Merge { account, host, tags }),
        3 => (account.clone(), host.clone(), 0..16_u8)
            .prop_map(|(account, host, status)| Question::Learn { account, host, status }),
        2 => (account.clone(), host.clone())
            .prop_map(|(account, host)| Question::Load { account, host }),
        1 => (account.clone(), prop::option::of(host))
            .prop_map(|(account, after)| Question::List { account, after }),
        1 => account.prop_map(|account| Question::Delete { account }),
    ]
}

const TAGS: [&str; 4] = ["tls-cert", "tls-dane-tlsa", "tls10", "tls12"];

fn chosen(mask: u8) -> Vec<&'static str> {
    (0..4)
        .filter(|bit| mask >> bit & 1 == 1)
        .map(|bit| TAGS[bit])
        .collect()
}

/// What is kept of a host: tags and a status.
type Kept = (BTreeSet<&'static str>, Option<String>);

fn seen(record: &LatchRecord) -> (String, Kept) {
    let tags = record.latched().map(|tag| {
        let known = TAGS.into_iter().find(|known| *known == tag.as_str());
        known.unwrap()
    });
    let kept = (tags.collect(), status(record).map(str::to_owned));
    (record.host().as_str().to_owned(), kept)
}

fn name(host: u8) -> String {
    format!("host{host}.example")
}

/// What comes of a question, as text that can be compared.
async fn ask(store: &dyn LatchStore, question: &Question) -> String {
    let of = |number: &u8| account(&number.to_string());
    match question {
        Question::Merge {
            account,
            host,
            tags,
        } => {
            let record = preset(&name(*host), &chosen(*tags));
            format!(
                "{:?}",
                seen(&store.merge(&of(account), &record).await.unwrap())
            )
        }
        Question::Learn {
            account,
            host: number,
            status,
        } => {
            // A session without latches: it learns what is achieved, and the status.
            let record = LatchRecord::new(host(&name(*number)));
            let record = learnt(record, &chosen(*status).join(" "));
            format!(
                "{:?}",
                seen(&store.merge(&of(account), &record).await.unwrap())
            )
        }
        Question::Load {
            account,
            host: number,
        } => {
            let host = host(&name(*number));
            format!(
                "{:?}",
                seen(&store.load(&of(account), &host).await.unwrap())
            )
        }
        Question::List { account, after } => {
            let after = after.map(|number| host(&name(number)));
            let listed = store.list(&of(account), after.as_ref()).await.unwrap();
            format!("{:?}", listed.iter().map(seen).collect::<Vec<_>>())
        }
        Question::Delete { account } => {
            format!("{}", store.delete_account(&of(account)).await.unwrap())
        }
    }
}

/// What a store should answer.
fn model(all: &mut BTreeMap<(u8, u8), Kept>, question: &Question) -> String {
    match question {
        Question::Merge {
            account,
            host,
            tags,
        } => {
            let kept = all.entry((*account, *host)).or_default();
            kept.0.extend(chosen(*tags));
            format!("{:?}", (name(*host), kept))
        }
        Question::Learn {
            account,
            host,
            status,
        } => {
            let kept = all.entry((*account, *host)).or_default();
            // The server has no DANE.
            let achieved = chosen(*status)
                .into_iter()
                .filter(|tag| *tag != "tls-dane-tlsa");
            kept.0.extend(achieved);
            kept.1 = Some(chosen(*status).join(" "));
            format!("{:?}", (name(*host), kept))
        }
        Question::Load { account, host } => {
            let kept = all.get(&(*account, *host)).cloned().unwrap_or_default();
            format!("{:?}", (name(*host), kept))
        }
        Question::List { account, after } => {
            let listed = all
                .iter()
                .filter(|((of, host), _)| of == account && after.is_none_or(|after| *host > after));
            let listed: Vec<_> = listed
                .map(|((_, host), kept)| (name(*host), kept.clone()))
                .collect();
            format!("{listed:?}")
        }
        Question::Delete { account } => {
            let before = all.len();
            all.retain(|(of, _), _| of != account);
            format!("{}", before - all.len())
        }
    }
}

#[test]
fn all_stores_answer_as_the_model_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let questions = prop::collection::vec(question(), 1..60);
    let database = runtime.block_on(sqlite(&directory.path().join("latches.db")));
    let result = TestRunner::new(config).run(&questions, |questions| {
        let directory = tempfile::tempdir_in(&directory).unwrap();
        let path = directory.path().join("latches");
        let mut file = FileLatchStore::open_or_create(&path).unwrap();
        let memory = MemoryLatchStore::new();
        runtime.block_on(async {
            for number in 0..3_u8 {
                let account = account(&number.to_string());
                database.delete_account(&account).await.unwrap();
            }
            let mut all = BTreeMap::new();
            for (number, question) in questions.iter().enumerate() {
                let expected = model(&mut all, question);
                let stores: [(&str, &dyn LatchStore); 3] =
                    [("memory", &memory), ("file", &file), ("SQLite", &database)];
                for (name, store) in stores {
                    let answer = ask(store, question).await;
                    prop_assert_eq!(&answer, &expected, "{} {:?}", name, question);
                }
                // Now and then the file is read back.
                if number % 8 == 7 {
                    file = FileLatchStore::open(&path).unwrap();
                }
            }
            Ok(())
        })
    });
    result.unwrap();
}

// The file.

fn file_in(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("latches")
}

/// A file with two accounts, of three hosts.
async fn small_file(path: &Path) -> FileLatchStore {
    let store = FileLatchStore::open_or_create(path).unwrap();
    let (alice, bob) = (account("alice@example.com"), account("bob"));
    let imap = learnt(
        LatchRecord::new(host("imap.example.com")),
        "tls10 tls-cert <https://www.example.com/help>",
    );
    store.merge(&alice, &imap).await.unwrap();
    let smtp = preset("smtp.example.com", &["tls12"]);
    store.merge(&alice, &smtp).await.unwrap();
    store.merge(&bob, &preset("192.0.2.1", &[])).await.unwrap();
    store
}

#[tokio::test]
async fn the_file_is_as_it_is_documented() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    small_file(&path).await;
    let body = concat!(
        r#"{"alice@example.com":{"imap.example.com":{"latched":"tls-cert tls10","#,
        r#""status":"tls10 tls-cert <https://www.example.com/help>"},"#,
        r#""smtp.example.com":{"latched":"tls12","status":null}},"#,
        r#""bob":{"192.0.2.1":{"latched":"","status":null}}}"#,
    );
    // The digest is that of sha256sum.
    let header = concat!(
        r#"{"format":"deep-latch latches","version":1,"bytes":230,"#,
        r#""sha256":"DIGEST"}"#
    );
    let digest = sha256sum(body.as_bytes());
    let expected = format!("{}\n{body}\n", header.replace("DIGEST", &digest));
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    // It is its owner's alone.
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// By the program of that name, independent of ours.
fn sha256sum(bytes: &[u8]) -> String {
    let mut process = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}

/// A file with this body, and the header that belongs to it.
fn write_file(path: &Path, body: &str) {
    let header = format!(
        r#"{{"format":"deep-latch latches","version":1,"bytes":{},"sha256":"{}"}}"#,
        body.len(),
        sha256sum(body.as_bytes())
    );
    fs::write(path, format!("{header}\n{body}\n")).unwrap();
}

#[tokio::test]
async fn a_file_that_is_cut_off_anywhere_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    small_file(&path).await;
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let expected = LatchStoreErrorKind::Unreadable;
        assert_eq!(kind(FileLatchStore::open(&path)), expected, "{length}");
        let error = kind(FileLatchStore::open_or_create(&path));
        assert_eq!(error, expected, "{length}");
        assert_eq!(fs::read(&path).unwrap(), whole[..length]);
    }
    // Nor is one longer.
    for more in [&b"\n"[..], b" ", b"\0", &whole] {
        fs::write(&path, [&whole, more].concat()).unwrap();
        let error = kind(FileLatchStore::open(&path));
        assert_eq!(error, LatchStoreErrorKind::Unreadable);
    }
    fs::write(&path, &whole).unwrap();
    FileLatchStore::open(&path).unwrap();
}

#[tokio::test]
async fn a_file_with_any_byte_changed_is_an_error_or_has_the_same_content() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    let store = small_file(&path).await;
    let whole = fs::read(&path).unwrap();
    let (alice, bob) = (account("alice@example.com"), account("bob"));
    let content = |store: FileLatchStore| async move {
        let alice = store
            .list(&account("alice@example.com"), None)
            .await
            .unwrap();
        let bob = store.list(&account("bob"), None).await.unwrap();
        (alice, bob)
    };
    let expected = (
        store.list(&alice, None).await.unwrap(),
        store.list(&bob, None).await.unwrap(),
    );
    assert_eq!((expected.0.len(), expected.1.len()), (2, 1));
    let mut errors = BTreeMap::<_, u32>::new();
    for at in 0..whole.len() {
        for flip in (0..8).map(|bit| 1 << bit).chain([0xff]) {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            fs::write(&path, &damaged).unwrap();
            match FileLatchStore::open(&path) {
                Ok(store) => assert_eq!(content(store).await, expected, "byte {at} ^ {flip}"),
                Err(error) => *errors.entry(error.kind().name()).or_default() += 1,
            }
        }
    }
    // A version of one digit that is another digit is told from damage; nothing comes through.
    assert_eq!(
        errors.keys().copied().collect::<Vec<_>>(),
        ["unreadable", "version"]
    );
    assert_eq!(
        errors.values().sum::<u32>(),
        u32::try_from(whole.len() * 9).unwrap()
    );
}

#[tokio::test]
async fn a_file_of_another_version_or_form_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    let open = || kind(FileLatchStore::open(&path));
    // A later version may have more in its first line.
    for header in [
        r#"{"format":"deep-latch latches","version":2,"bytes":2,"sha256":"","more":[]}"#,
        r#"{"version":0,"format":"deep-latch latches"}"#,
    ] {
        fs::write(&path, format!("{header}\n{{}}\n")).unwrap();
        assert_eq!(open(), LatchStoreErrorKind::Version);
    }
    let others = [
        "{}\n{}\n",
        "null\nnull\n",
        "\n\n",
        r#"{"format":"other","version":2}"#,
        r#"{"format":"deep-latch latches","version":1,"bytes":2,"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","more":1}
{}
"#,
    ];
    for other in others {
        fs::write(&path, other).unwrap();
        assert_eq!(open(), LatchStoreErrorKind::Unreadable, "{other}");
    }
    let bodies = [
        // Nothing but objects.
        "[]",
        r#"{"alice":[]}"#,
        r#"{"alice":{"a.example":{}}}"#,
        // A member too few, or too many, or twice.
        r#"{"alice":{"a.example":{"latched":""}}}"#,
        r#"{"alice":{"a.example":{"status":null}}}"#,
        r#"{"alice":{"a.example":{"latched":"","status":null,"more":1}}}"#,
        r#"{"alice":{"a.example":{"latched":"","latched":"","status":null}}}"#,
        r#"{"alice":{},"alice":{}}"#,
        r#"{"alice":{"a.example":{"latched":"","status":null},"a.example":{"latched":"","status":null}}}"#,
        // Names that are none, or are spelt in another way.
        r#"{"":{}}"#,
        r#"{"a\u0000":{}}"#,
        r#"{"alice":{"A.example":{"latched":"","status":null}}}"#,
        r#"{"alice":{"a.example.":{"latched":"","status":null}}}"#,
        r#"{"alice":{"a b":{"latched":"","status":null}}}"#,
        // Tags that are none, in disorder, or twice.
        r#"{"alice":{"a.example":{"latched":"1","status":null}}}"#,
        r#"{"alice":{"a.example":{"latched":" tls10","status":null}}}"#,
        r#"{"alice":{"a.example":{"latched":"tls12 tls10","status":null}}}"#,
        r#"{"alice":{"a.example":{"latched":"tls10 TLS10","status":null}}}"#,
        // A status that is none.
        r#"{"alice":{"a.example":{"latched":"","status":"é"}}}"#,
        r#"{"alice":{"a.example":{"latched":"","status":1}}}"#,
    ];
    for body in bodies {
        write_file(&path, body);
        assert_eq!(open(), LatchStoreErrorKind::Unreadable, "{body}");
    }
    // A length that is not the body's, though the digest is.
    let digest = sha256sum(b"{}");
    for (length, expected) in [(1, false), (2, true), (3, false)] {
        let header = format!(
            r#"{{"format":"deep-latch latches","version":1,"bytes":{length},"sha256":"{digest}"}}"#
        );
        fs::write(&path, format!("{header}\n{{}}\n")).unwrap();
        assert_eq!(FileLatchStore::open(&path).is_ok(), expected, "{length}");
    }
    // What differs from the last of them in that only is read.
    write_file(
        &path,
        r#"{"alice":{"a.example":{"latched":"","status":"x"}}}"#,
    );
    let store = FileLatchStore::open(&path).unwrap();
    let record = store.load(&account("alice"), &host("a.example")).await;
    assert_eq!(status(&record.unwrap()), Some("x"));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_no_store_without_latches() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    assert_eq!(
        kind(FileLatchStore::open(&path)),
        LatchStoreErrorKind::Missing
    );
    assert!(!path.exists());
    let store = small_file(&path).await;
    let alice = account("alice@example.com");
    let imap = host("imap.example.com");
    // It is lost while the store is open.
    fs::remove_file(&path).unwrap();
    let missing = LatchStoreErrorKind::Missing;
    assert_eq!(kind(store.load(&alice, &imap).await), missing);
    assert_eq!(kind(store.list(&alice, None).await), missing);
    let record = preset("imap.example.com", &["tls10"]);
    assert_eq!(kind(store.merge(&alice, &record).await), missing);
    assert_eq!(kind(store.delete_account(&alice).await), missing);
    assert!(!path.exists());
    // Where it cannot be read, nothing is known.
    fs::create_dir(&path).unwrap();
    let unavailable = LatchStoreErrorKind::Unavailable;
    assert_eq!(kind(store.load(&alice, &imap).await), unavailable);
    assert_eq!(kind(FileLatchStore::open_or_create(&path)), unavailable);
    // A lost directory is a lost file.
    let no_directory = directory.path().join("no/latches");
    assert_eq!(kind(FileLatchStore::open(&no_directory)), missing);
    assert_eq!(kind(FileLatchStore::open_or_create(&no_directory)), missing);
    let below_a_file = directory.path().join("file/latches");
    fs::write(directory.path().join("file"), "").unwrap();
    assert_eq!(kind(FileLatchStore::open(&below_a_file)), missing);
}

#[tokio::test]
async fn a_file_that_another_process_has_replaced_or_damaged_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    let store = small_file(&path).await;
    let other = FileLatchStore::open(&path).unwrap();
    let alice = account("alice@example.com");
    let imap = host("imap.example.com");
    let record = preset("imap.example.com", &["x1"]);
    let kept = other.merge(&alice, &record).await.unwrap();
    assert_eq!(store.load(&alice, &imap).await.unwrap(), kept);
    let record = preset("imap.example.com", &["x2"]);
    let kept = store.merge(&alice, &record).await.unwrap();
    assert_eq!(latched(&kept), ["tls-cert", "tls10", "x1", "x2"]);
    assert_eq!(other.load(&alice, &imap).await.unwrap(), kept);
    // Damage in place.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[1..]).unwrap();
    let unreadable = LatchStoreErrorKind::Unreadable;
    for store in [&store, &other] {
        assert_eq!(kind(store.load(&alice, &imap).await), unreadable);
        assert_eq!(kind(store.merge(&alice, &record).await), unreadable);
    }
    assert_eq!(fs::read(&path).unwrap(), whole[1..]);
    fs::write(&path, &whole).unwrap();
    for store in [&store, &other] {
        assert_eq!(store.load(&alice, &imap).await.unwrap(), kept);
    }
}

#[tokio::test]
async fn what_changes_nothing_does_not_write_the_file() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    let store = small_file(&path).await;
    let number = || fs::metadata(&path).unwrap().ino();
    let before = (number(), fs::read(&path).unwrap());
    let alice = account("alice@example.com");
    let kept = store.load(&alice, &host("imap.example.com")).await.unwrap();
    assert_eq!(store.merge(&alice, &kept).await.unwrap(), kept);
    assert_eq!(store.delete_account(&account("carol")).await.unwrap(), 0);
    assert_eq!((number(), fs::read(&path).unwrap()), before);
}

// SQLite.

async fn execute(path: &Path, statement: &'static str) {
    let file = SqliteConnectOptions::new().filename(path);
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

async fn open_sqlite(path: &Path) -> Result<SqliteLatchStore, LatchStoreError> {
    SqliteLatchStore::open(path, SqliteOptions::default()).await
}

#[tokio::test]
async fn an_sqlite_database_that_is_lost_or_damaged_is_no_store_without_latches() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches.db");
    let missing = LatchStoreErrorKind::Missing;
    assert_eq!(kind(open_sqlite(&path).await), missing);
    assert!(!path.exists());
    let store = sqlite(&path).await;
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let alice = account("alice");
    let record = preset("imap.example.com", &["tls10"]);
    store.merge(&alice, &record).await.unwrap();
    store.close().await;
    let unavailable = LatchStoreErrorKind::Unavailable;
    assert_eq!(kind(store.load(&alice, record.host()).await), unavailable);
    let whole = fs::read(&path).unwrap();
    let cut_off = (0..whole.len())
        .step_by(50)
        .map(|length| whole[..length].to_vec());
    for damaged in cut_off.chain([b"no database".repeat(100)]) {
        fs::write(&path, &damaged).unwrap();
        let unreadable = LatchStoreErrorKind::Unreadable;
        let (length, options) = (damaged.len(), SqliteOptions::default());
        assert_eq!(kind(open_sqlite(&path).await), unreadable, "{length}");
        let created = SqliteLatchStore::open_or_create(&path, options).await;
        assert_eq!(kind(created), unreadable, "{length}");
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
    fs::write(&path, &whole).unwrap();
    let store = open_sqlite(&path).await.unwrap();
    assert_eq!(store.load(&alice, record.host()).await.unwrap(), record);
    store.close().await;
}

#[tokio::test]
async fn a_schema_that_is_newer_or_was_changed_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches.db");
    for statement in [
        "INSERT INTO deep_latches_migrations (version, description, success, checksum, \
         execution_time) VALUES (2, 'later', 1, x'00', 0)",
        "UPDATE deep_latches_migrations SET checksum = x'00' WHERE version = 1",
    ] {
        sqlite(&path).await.close().await;
        execute(&path, statement).await;
        assert_eq!(kind(open_sqlite(&path).await), LatchStoreErrorKind::Version);
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn the_applications_own_tables_are_not_disturbed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches.db");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    execute(&path, "CREATE TABLE own (x); INSERT INTO own VALUES (1)").await;
    // It has no latches, and no place for them.
    assert_eq!(
        kind(open_sqlite(&path).await),
        LatchStoreErrorKind::Unreadable
    );
    sqlite(&path).await.close().await;
    execute(&path, "UPDATE own SET x = 2").await;
    open_sqlite(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn a_row_that_is_no_record_is_unreadable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latches.db");
    let store = sqlite(&path).await;
    let alice = account("alice");
    let record = preset("imap.example.com", &["tls10"]);
    for statement in [
        "UPDATE deep_latches SET latched = '-'",
        "UPDATE deep_latches SET latched = 'tls12 tls10'",
        "UPDATE deep_latches SET latched = 'tls10 '",
        "UPDATE deep_latches SET status = 'é'",
    ] {
        store.merge(&alice, &record).await.unwrap();
        execute(&path, statement).await;
        let unreadable = LatchStoreErrorKind::Unreadable;
        assert_eq!(kind(store.load(&alice, record.host()).await), unreadable);
        assert_eq!(kind(store.list(&alice, None).await), unreadable);
        assert_eq!(kind(store.merge(&alice, &record).await), unreadable);
        store.delete_account(&alice).await.unwrap();
    }
    execute(
        &path,
        "INSERT INTO deep_latches VALUES ('alice', 'IMAP.example.com', 'tls10', NULL)",
    )
    .await;
    assert_eq!(
        kind(store.list(&alice, None).await),
        LatchStoreErrorKind::Unreadable
    );
    store.close().await;
}

#[tokio::test]
async fn an_error_says_nothing_of_what_a_server_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = file_in(&directory);
    write_file(
        &path,
        r#"{"alice":{"a.example":{"latched":"SECRET SECRET","status":null}}}"#,
    );
    let error = FileLatchStore::open(&path).unwrap_err();
    let database = directory.path().join("latches.db");
    let store = sqlite(&database).await;
    let alice = account("alice");
    let record = preset("imap.example.com", &["tls10"]);
    store.merge(&alice, &record).await.unwrap();
    execute(
        &database,
        "UPDATE deep_latches SET latched = 'SECRET SECRET'",
    )
    .await;
    let other = store.load(&alice, record.host()).await.unwrap_err();
    for error in [error, other] {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("SECRET"), "{text}");
    }
    store.close().await;
}

// Killed with -9.

/// A process that latches tags until it is killed, and prints each when it has been stored.
struct Writer {
    process: Child,
    output: BufReader<ChildStdout>,
    stored: Vec<(String, String)>,
}

impl Writer {
    /// This test binary, told to run the test [`a_writer_prints_each_latch_it_has_stored`].
    fn start(store: &str, name: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "a_writer_prints_each_latch_it_has_stored",
                "--nocapture",
            ])
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

/// What the process does: tags of its own, on one host that all share and on hosts of its own.
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
async fn a_writer_prints_each_latch_it_has_stored() {
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

/// How many records an account has.
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
        _ => Arc::new(open_sqlite(path).await.unwrap()),
    }
}

#[tokio::test]
async fn nothing_is_lost_when_a_writer_to_the_file_is_killed() {
    kill_writers("file", 160).await;
}

#[tokio::test]
async fn nothing_is_lost_when_a_writer_to_sqlite_is_killed() {
    kill_writers("sqlite", 120).await;
}

#[tokio::test]
async fn of_two_processes_that_write_at_once_nothing_is_lost() {
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
