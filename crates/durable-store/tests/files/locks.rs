//! The lock: its time limit, its one holder, and reading without it.

use super::*;

#[test]
fn waits_for_a_lock_no_longer_than_told() {
    let (directory, path) = place();
    let file = resolve(&path);
    let held = file.lock(Duration::ZERO).unwrap();
    let wait = Duration::from_millis(300);
    for lock in [StoreFile::lock, |file: &StoreFile, wait| {
        file.lock_to_read(wait).map(Option::unwrap)
    }] {
        let begun = Instant::now();
        assert_eq!(kind(lock(&file, wait)), ErrorKind::Locked);
        let waited = begun.elapsed();
        assert!(waited >= wait && waited < wait * 10, "{waited:?}");
    }
    assert!(file.try_lock().unwrap().is_none());
    // The lock passes to the waiting thread.
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| file.lock(Duration::from_secs(60)).map(drop));
        std::thread::sleep(Duration::from_millis(50));
        drop(held);
        waiting.join().unwrap().unwrap();
    });
    // A lock on a file that was removed is none.
    let held = file.lock(Duration::ZERO).unwrap();
    fs::remove_file(directory.path().join("store.lock")).unwrap();
    let other = file.lock(Duration::ZERO).unwrap();
    assert!(file.try_lock().unwrap().is_none());
    drop(held);
    assert!(file.try_lock().unwrap().is_none());
    drop(other);
    assert!(file.try_lock().unwrap().is_some());
}

#[test]
fn has_one_holder_of_a_lock_at_a_time() {
    let (_directory, path) = place();
    let file = resolve(&path);
    write(&path, "0");
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for _ in 0..20 {
                    let lock = file.lock(Duration::from_secs(60)).unwrap();
                    let number: u32 = read(&path).unwrap().parse().unwrap();
                    let next = (number + 1).to_string();
                    file.replace(&lock, next.as_bytes()).unwrap();
                }
            });
        }
    });
    assert_eq!(read(&path).unwrap(), "160");
}

/// Runs a test again as a user who may not do all, in a directory that this test has filled.
fn as_another(test: &str, directory: &Path) {
    assert_eq!(rustix_user(), 0);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(AS_ANOTHER, directory)
        .current_dir("/")
        .uid(12345)
        .gid(12345)
        .output()
        .unwrap();
    assert_passed(&output);
}

/// Checks that the one test of another process ran and passed.
fn assert_passed(output: &Output) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && stdout.contains(" 1 passed; 0 failed;");
    assert!(
        passed,
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Checks a process's view of a directory that it cannot write, or of a file system that is read-only.
fn assert_reads_only(directory: &Path) {
    for name in ["alone", "locked"] {
        let path = directory.join(name);
        let file = resolve(&path);
        assert_eq!(read(&path).unwrap(), "content");
        let lock = file.lock_to_read(Duration::ZERO).unwrap();
        assert_eq!(lock.is_some(), name == "locked", "{name}");
        if let Some(lock) = lock {
            assert_eq!(kind(file.replace(&lock, b"new")), ErrorKind::Unavailable);
            file.remove_leftovers(&lock);
            let second = file.lock_to_read(Duration::ZERO);
            assert_eq!(kind(second), ErrorKind::Locked);
        } else {
            assert_eq!(kind(file.lock(Duration::ZERO)), ErrorKind::Unavailable);
        }
        assert_eq!(read(&path).unwrap(), "content");
    }
    let leftover = directory.join(".locked.durable-store-0123456789abcdef");
    assert!(leftover.exists());
}

fn fill(directory: &Path) {
    write(&directory.join("alone"), "content");
    fs::remove_file(directory.join("alone.lock")).unwrap();
    write(&directory.join("locked"), "content");
    fs::write(directory.join(".locked.durable-store-0123456789abcdef"), "").unwrap();
}

#[test]
fn reads_in_a_directory_that_it_cannot_write() {
    if let Some(directory) = std::env::var_os(AS_ANOTHER) {
        assert_reads_only(Path::new(&directory));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fill(&inner);
    if rustix_user() == 0 {
        set_mode(directory.path(), 0o755);
        for entry in fs::read_dir(&inner).unwrap() {
            chown(entry.unwrap().path(), Some(12345), Some(12345)).unwrap();
        }
        chown(&inner, Some(12345), Some(12345)).unwrap();
        set_mode(&inner, 0o555);
        as_another("locks::reads_in_a_directory_that_it_cannot_write", &inner);
    } else {
        set_mode(&inner, 0o555);
        assert_reads_only(&inner);
        set_mode(&inner, 0o755);
    }
}

#[test]
fn reads_on_a_read_only_file_system() {
    const TEST: &str = "locks::reads_on_a_read_only_file_system";
    if let Some(directory) = std::env::var_os(AS_ANOTHER) {
        assert_reads_only(Path::new(&directory));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    // In a mount namespace of its own, which root may make, and others where the system lets them.
    let script =
        "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && shift && exec \"$@\"";
    let inside = |command: &[&std::ffi::OsStr]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
        unshare.arg(directory.path()).args(command);
        unshare.env(AS_ANOTHER, directory.path()).output()
    };
    let can_mount = inside(&["true".as_ref()]).is_ok_and(|output| output.status.success());
    if can_mount {
        let this = std::env::current_exe().unwrap();
        let arguments = ["--exact", TEST, "--nocapture"].map(AsRef::as_ref);
        let output = inside(&[&[this.as_os_str()][..], &arguments[..]].concat()).unwrap();
        assert_passed(&output);
    }
}

#[test]
fn refuses_a_lock_of_another_user_instead_of_going_on_without() {
    const TEST: &str = "locks::refuses_a_lock_of_another_user_instead_of_going_on_without";
    if let Some(directory) = std::env::var_os(AS_ANOTHER) {
        let file = resolve(&Path::new(&directory).join("locked"));
        assert_eq!(
            kind(file.lock_to_read(Duration::ZERO)),
            ErrorKind::Unavailable
        );
        let error = file.lock(Duration::ZERO).unwrap_err();
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
        return;
    }
    // Only root can make files of another.
    if rustix_user() == 0 {
        let directory = tempfile::tempdir().unwrap();
        set_mode(directory.path(), 0o755);
        fill(directory.path());
        as_another(TEST, directory.path());
    }
}
