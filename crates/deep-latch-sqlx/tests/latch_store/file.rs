//! The store in a file.

use super::*;

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
async fn writes_the_file_as_documented() {
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
pub(crate) fn write_file(path: &Path, body: &str) {
    let header = format!(
        r#"{{"format":"deep-latch latches","version":1,"bytes":{},"sha256":"{}"}}"#,
        body.len(),
        sha256sum(body.as_bytes())
    );
    fs::write(path, format!("{header}\n{body}\n")).unwrap();
}

#[tokio::test]
async fn rejects_a_file_that_is_truncated_anywhere() {
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
async fn detects_any_changed_byte_of_the_file() {
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
async fn rejects_files_of_another_version_or_form() {
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
async fn rejects_a_missing_file_instead_of_creating_a_store() {
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
    let not_regular = LatchStoreErrorKind::NotRegular;
    assert_eq!(kind(store.load(&alice, &imap).await), not_regular);
    assert_eq!(kind(FileLatchStore::open_or_create(&path)), not_regular);
    // A lost directory is a lost file.
    let no_directory = directory.path().join("no/latches");
    assert_eq!(kind(FileLatchStore::open(&no_directory)), missing);
    assert_eq!(kind(FileLatchStore::open_or_create(&no_directory)), missing);
    let below_a_file = directory.path().join("file/latches");
    fs::write(directory.path().join("file"), "").unwrap();
    assert_eq!(kind(FileLatchStore::open(&below_a_file)), missing);
}

#[tokio::test]
async fn rereads_a_file_that_another_process_replaced_or_damaged() {
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
async fn skips_writing_an_unchanged_file() {
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
