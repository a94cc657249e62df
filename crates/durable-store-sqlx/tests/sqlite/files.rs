//! The files: lost, cut off, replaced, linked, of another type or of others.

use super::*;

#[tokio::test]
async fn refuses_a_file_that_was_cut_off_and_leaves_it() {
    let (directory, path) = place();
    let store = create(&path).await;
    for number in 0..100 {
        add(&store, &format!("note {number}")).await.unwrap();
    }
    store.close().await;
    let whole = fs::read(&path).unwrap();
    let lengths = (0..whole.len()).step_by(97).chain([1, whole.len() - 1]);
    for length in lengths {
        fs::write(&path, &whole[..length]).unwrap();
        for mode in [OpenMode::Existing, OpenMode::Create, OpenMode::Read] {
            assert_eq!(
                kind(open(&path, mode).await),
                ErrorKind::Damaged,
                "{length}"
            );
        }
        assert_eq!(fs::read(&path).unwrap(), whole[..length]);
    }
    fs::write(&path, &whole).unwrap();
    let store = open(&path, OpenMode::Existing).await.unwrap();
    assert_eq!(count(&store).await.unwrap(), 100);
    store.close().await;
    fs::remove_file(&path).unwrap();
    assert_eq!(
        kind(open(&path, OpenMode::Existing).await),
        ErrorKind::Missing
    );
    assert_eq!(kind(open(&path, OpenMode::Read).await), ErrorKind::Missing);
    let no_directory = directory.path().join("no/notes.db");
    assert_eq!(
        kind(open(&no_directory, OpenMode::Create).await),
        ErrorKind::Missing
    );
    // Tables of others are no store.
    around(&path, "CREATE TABLE other (x)").await;
    set_mode(&path, 0o600);
    assert_eq!(
        kind(open(&path, OpenMode::Existing).await),
        ErrorKind::Damaged
    );
    open(&path, OpenMode::Join).await.unwrap().close().await;
    open(&path, OpenMode::Existing).await.unwrap();
}

#[tokio::test]
async fn does_not_put_a_new_database_beside_the_journal_of_a_lost_one() {
    for suffix in ["-journal", "-wal"] {
        let (directory, path) = place();
        let journal = directory.path().join(format!("notes.db{suffix}"));
        fs::write(&journal, "pages of a database that is not here").unwrap();
        let error = open(&path, OpenMode::Create).await;
        assert_eq!(kind(error), ErrorKind::Damaged);
        assert!(!path.exists());
        fs::write(&journal, "").unwrap();
        set_mode(&journal, 0o600);
        create(&path).await;
    }
}

#[tokio::test]
async fn notices_that_its_file_was_removed_or_replaced() {
    let (directory, path) = place();
    let store = create(&path).await;
    add(&store, "one").await.unwrap();
    let aside = directory.path().join("aside.db");
    fs::rename(&path, &aside).unwrap();
    let missing = ErrorKind::Missing;
    for other in [false, true] {
        if other {
            fs::copy(&aside, &path).unwrap();
        }
        assert_eq!(kind(count(&store).await), missing);
        assert_eq!(kind(add(&store, "two").await), missing);
        assert_eq!(kind(store.vacuum().await), missing);
    }
    fs::rename(&aside, &path).unwrap();
    add(&store, "two").await.unwrap();
    assert_eq!(count(&store).await.unwrap(), 2);
    fs::remove_dir_all(directory.path()).unwrap();
    assert_eq!(kind(count(&store).await), missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn makes_its_files_for_their_owner_from_the_first_moment_on() {
    let directory = tempfile::tempdir().unwrap();
    let (made, seen) = (
        AtomicBool::new(false),
        std::sync::Mutex::new(BTreeSet::new()),
    );
    let watch = || {
        while !made.load(Ordering::Relaxed) {
            for entry in fs::read_dir(directory.path()).unwrap().flatten() {
                // The file may be gone.
                if let Ok(metadata) = fs::symlink_metadata(entry.path()) {
                    let mode = metadata.permissions().mode() & 0o777;
                    seen.lock().unwrap().insert(mode);
                }
            }
        }
    };
    std::thread::scope(|threads| {
        threads.spawn(watch);
        let made = &made;
        let directory = directory.path();
        let runtime = tokio::runtime::Handle::current();
        threads.spawn(move || {
            runtime.block_on(async {
                for number in 0..60 {
                    let store = create(&directory.join(format!("{number}.db"))).await;
                    add(&store, "note").await.unwrap();
                    store.close().await;
                }
            });
            made.store(true, Ordering::Relaxed);
        });
    });
    assert_eq!(seen.into_inner().unwrap(), BTreeSet::from([0o600]));
    // The databases, their locks, their journals, and no file that was made on the way.
    assert_eq!(names(directory.path()).len(), 60 * 3);
}

#[tokio::test]
async fn is_one_database_by_all_of_its_names() {
    let (directory, path) = place();
    let at = |name: &str| directory.path().join(name);
    symlink("notes.db", at("link.db")).unwrap();
    symlink(directory.path(), at("here")).unwrap();
    // The first name leads to nothing yet.
    let linked = create(&at("link.db")).await;
    assert_eq!(
        names(directory.path()),
        set(&["here", "link.db", "notes.db", "notes.db.lock"])
    );
    let store = open(&at("here/notes.db"), OpenMode::Existing)
        .await
        .unwrap();
    add(&linked, "one").await.unwrap();
    add(&store, "two").await.unwrap();
    assert_eq!(count(&linked).await.unwrap(), 2);
    assert_eq!(count(&store).await.unwrap(), 2);
    fs::hard_link(&path, at("second.db")).unwrap();
    for name in ["notes.db", "second.db", "link.db"] {
        assert_eq!(
            kind(open(&at(name), OpenMode::Existing).await),
            ErrorKind::Linked
        );
    }
}

#[tokio::test]
async fn refuses_at_once_files_of_another_type_or_of_others() {
    let (directory, path) = place();
    let at = |name: &str| directory.path().join(name);
    let fifo = |path: &Path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    fifo(&path);
    let begun = Instant::now();
    for mode in [OpenMode::Existing, OpenMode::Create, OpenMode::Read] {
        assert_eq!(kind(open(&path, mode).await), ErrorKind::NotRegular);
    }
    fs::remove_file(&path).unwrap();
    create(&path).await.close().await;
    for suffix in ["-journal", "-wal", "-shm"] {
        let beside = at(&format!("notes.db{suffix}"));
        let _ = fs::remove_file(&beside);
        fifo(&beside);
        for mode in [OpenMode::Existing, OpenMode::Create, OpenMode::Read] {
            assert_eq!(
                kind(open(&path, mode).await),
                ErrorKind::NotRegular,
                "{suffix}"
            );
        }
        fs::remove_file(&beside).unwrap();
        fs::write(&beside, "").unwrap();
        set_mode(&beside, 0o660);
        assert_eq!(
            kind(open(&path, OpenMode::Existing).await),
            ErrorKind::Exposed
        );
        fs::remove_file(&beside).unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    for (mode, accepted) in [
        (0o600, true),
        (0o640, true),
        (0o644, false),
        (0o660, false),
        (0o606, false),
    ] {
        set_mode(&path, mode);
        let opened = open(&path, OpenMode::Existing).await;
        let expected = if accepted {
            None
        } else {
            Some(ErrorKind::Exposed)
        };
        assert_eq!(opened.err().map(|error| error.kind()), expected, "{mode:o}");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            mode
        );
        // Others may be let read it, to read.
        open(&path, OpenMode::Read).await.unwrap().close().await;
    }
}
