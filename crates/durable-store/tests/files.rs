//! A store's file: one file and one lock by all of its names, nothing of others removed, and private.

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
    collections::BTreeSet,
    error::Error as _,
    fs, io,
    os::unix::{
        fs::{PermissionsExt, chown, symlink},
        net::UnixListener,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use durable_store::{Error, ErrorKind, Seen, StoreFile};
use tempfile::TempDir;

/// The variable with the directory in which this process, as another user, checks its access.
const AS_ANOTHER: &str = "DURABLE_STORE_AS_ANOTHER";

const LIMIT: u64 = 1000;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    (directory, path)
}

fn resolve(path: &Path) -> StoreFile {
    StoreFile::resolve(path).unwrap()
}

fn write(path: &Path, content: &str) {
    let file = resolve(path);
    let lock = file.lock(Duration::ZERO).unwrap();
    file.replace(&lock, content.as_bytes()).unwrap();
}

fn read(path: &Path) -> Result<String, Error> {
    let (_, bytes) = StoreFile::resolve(path)?.read(LIMIT)?;
    Ok(String::from_utf8(bytes).unwrap())
}

/// The kind of an error, which must say which file it is about.
fn kind<T>(answer: Result<T, Error>) -> ErrorKind {
    let error = answer.err().expect("an error");
    let path = error.path().expect("a path");
    let shown = format!("{path:?}");
    assert!(error.to_string().ends_with(&shown), "{error}");
    error.kind()
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn replaces_a_file_as_a_whole_and_for_its_owner_alone() {
    let (directory, path) = place();
    write(&path, "one");
    let first = Seen::at(&resolve(&path)).unwrap();
    set_mode(&path, 0o644);
    write(&path, "two");
    assert_eq!(read(&path).unwrap(), "two");
    assert_ne!(Seen::at(&resolve(&path)).unwrap(), first);
    assert_eq!(names(directory.path()), set(&["store", "store.lock"]));
    assert_eq!(
        (mode(&path), mode(directory.path().join("store.lock"))),
        (0o600, 0o600)
    );
}

#[test]
fn tells_a_file_that_was_replaced_or_changed() {
    let (_directory, path) = place();
    write(&path, "one");
    let file = resolve(&path);
    let (open, _) = file.read(LIMIT).unwrap();
    assert_eq!(Seen::of(&open).unwrap(), Seen::at(&file).unwrap());
    fs::write(&path, "two longer").unwrap();
    assert_eq!(Seen::of(&open).unwrap(), Seen::at(&file).unwrap());
    write(&path, "two longer");
    assert_ne!(Seen::of(&open).unwrap(), Seen::at(&file).unwrap());
}

#[test]
fn resolves_links_once_also_those_that_lead_to_nothing_yet() {
    let (directory, _) = place();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at("real/deep")).unwrap();
    symlink("real", at("linked")).unwrap();
    symlink("../real/deep/store", at("real/relative")).unwrap();
    symlink(at("linked/relative"), at("absolute")).unwrap();
    symlink("deep/../deep/./store", at("real/winding")).unwrap();
    let real = fs::canonicalize(at("real/deep")).unwrap().join("store");
    let by_names = [
        at("real/deep/store"),
        at("linked/deep/store"),
        at("real/relative"),
        at("absolute"),
        at("linked/winding"),
        at("real/deep/../deep/store"),
    ];
    // The file does not exist yet.
    for name in &by_names {
        assert_eq!(resolve(name).path(), real, "{name:?}");
    }
    for name in &by_names {
        write(name, "content");
        assert_eq!(read(&real).unwrap(), "content");
        for other in &by_names {
            assert_eq!(resolve(other).path(), real, "{other:?}");
            let lock = resolve(name).lock(Duration::ZERO).unwrap();
            assert_eq!(kind(resolve(other).lock(Duration::ZERO)), ErrorKind::Locked);
            drop(lock);
        }
        fs::remove_file(&real).unwrap();
    }
    assert!(fs::symlink_metadata(at("absolute")).unwrap().is_symlink());
    assert_eq!(names(&at("real/deep")), set(&["store.lock"]));
    // Once: a link that is changed later does not move the store.
    let file = resolve(&at("absolute"));
    fs::remove_file(at("absolute")).unwrap();
    symlink("elsewhere", at("absolute")).unwrap();
    let lock = file.lock(Duration::ZERO).unwrap();
    file.replace(&lock, b"kept").unwrap();
    assert_eq!(read(&real).unwrap(), "kept");
}

#[test]
fn refuses_links_in_a_circle_and_names_that_are_none() {
    let (directory, path) = place();
    symlink("circle", directory.path().join("circle")).unwrap();
    let circle = StoreFile::resolve(directory.path().join("circle"));
    assert_eq!(kind(circle), ErrorKind::Unavailable);
    for name in ["/", "..", ""] {
        assert!(StoreFile::resolve(name).is_err(), "{name:?}");
    }
    let nul = StoreFile::resolve(path.join("a\0b"));
    assert!(nul.is_err());
}

#[test]
fn gives_a_lost_directory_the_error_of_a_lost_file() {
    let (directory, path) = place();
    assert_eq!(kind(read(&path)), ErrorKind::Missing);
    assert_eq!(
        kind(read(&directory.path().join("no/store"))),
        ErrorKind::Missing
    );
    symlink("nowhere/store", directory.path().join("dangling")).unwrap();
    assert_eq!(
        kind(read(&directory.path().join("dangling"))),
        ErrorKind::Missing
    );
    fs::write(directory.path().join("file"), "").unwrap();
    assert_eq!(
        kind(read(&directory.path().join("file/store"))),
        ErrorKind::Missing
    );
    // A link whose target existed before gives the same.
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let file = resolve(&inner.join("store"));
    let lock = file.lock(Duration::ZERO).unwrap();
    file.replace(&lock, b"content").unwrap();
    fs::remove_dir_all(&inner).unwrap();
    assert_eq!(kind(file.read(LIMIT)), ErrorKind::Missing);
    assert_eq!(kind(file.exists()), ErrorKind::Missing);
    assert_eq!(kind(file.replace(&lock, b"more")), ErrorKind::Missing);
    assert_eq!(kind(file.lock(Duration::ZERO)), ErrorKind::Missing);
    assert_eq!(kind(file.lock_to_read(Duration::ZERO)), ErrorKind::Missing);
    assert_eq!(kind(Seen::at(&file)), ErrorKind::Missing);
}

#[test]
fn removes_its_own_leftovers_and_nothing_else() {
    let (directory, path) = place();
    let at = |name: &str| directory.path().join(name);
    write(&path, "content");
    let own = [
        ".store.durable-store-0123456789abcdef",
        ".store.durable-store-ffffffffffffffff",
    ];
    let others = [
        ".store.backup",
        ".store.241130",
        ".store.a1B2c3",
        ".store.durable-store-0123456789abcde",
        ".store.durable-store-0123456789abcdef0",
        ".store.durable-store-0123456789ABCDEF",
        ".store.durable-store-0123456789abcdeg",
        ".store.durable-store-0123456789abcdef.x",
        ".store2.durable-store-0123456789abcdef",
        "store.durable-store-0123456789abcdef",
        "x.store.durable-store-0123456789abcdef",
        ".tore.durable-store-0123456789abcdef",
    ];
    for name in own.iter().chain(&others) {
        fs::write(at(name), "content").unwrap();
    }
    // Such a name, but not a file of this user.
    let same_name = [
        ".store.durable-store-aaaaaaaaaaaaaaaa",
        ".store.durable-store-bbbbbbbbbbbbbbbb",
        ".store.durable-store-cccccccccccccccc",
        ".store.durable-store-dddddddddddddddd",
    ];
    fs::create_dir(at(same_name[0])).unwrap();
    symlink(&path, at(same_name[1])).unwrap();
    make_fifo(&at(same_name[2]));
    fs::write(at(same_name[3]), "").unwrap();
    let is_root = rustix_user() == 0;
    if is_root {
        chown(at(same_name[3]), Some(12345), None).unwrap();
    }
    let file = resolve(&path);
    file.remove_leftovers(&file.lock(Duration::ZERO).unwrap());
    let mut expected = set(&others);
    expected.extend(set(&same_name[..3]));
    expected.extend(set(&["store", "store.lock"]));
    if is_root {
        expected.extend(set(&same_name[3..]));
    }
    assert_eq!(names(directory.path()), expected);
    assert_eq!(read(&path).unwrap(), "content");
}

fn rustix_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn refuses_at_once_what_is_no_regular_file() {
    let (directory, path) = place();
    let at = |name: &str| directory.path().join(name);
    make_fifo(&at("fifo"));
    fs::create_dir(at("directory")).unwrap();
    let _listener = UnixListener::bind(at("socket")).unwrap();
    symlink("/dev/zero", at("device")).unwrap();
    for name in ["fifo", "directory", "socket", "device"] {
        let begun = Instant::now();
        assert_eq!(kind(read(&at(name))), ErrorKind::NotRegular, "{name}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{name}");
    }
    for name in ["fifo", "directory", "socket"] {
        let file = resolve(&at(name));
        let lock = file.lock(Duration::ZERO).unwrap();
        assert_eq!(
            kind(file.replace(&lock, b"x")),
            ErrorKind::NotRegular,
            "{name}"
        );
    }
    // Its lock file gives the same.
    write(&path, "content");
    fs::remove_file(at("store.lock")).unwrap();
    make_fifo(&at("store.lock"));
    assert_eq!(
        kind(resolve(&path).lock(Duration::ZERO)),
        ErrorKind::NotRegular
    );
    fs::remove_file(at("store.lock")).unwrap();
    symlink("store", at("store.lock")).unwrap();
    assert_eq!(
        kind(resolve(&path).lock(Duration::ZERO)),
        ErrorKind::NotRegular
    );
    assert_eq!(read(&path).unwrap(), "content");
}

#[test]
fn refuses_files_that_let_other_users_in_and_does_not_change_them() {
    let (directory, path) = place();
    let lock = directory.path().join("store.lock");
    write(&path, "content");
    for (of_file, accepted) in [
        (0o600, true),
        (0o400, true),
        (0o640, true),
        (0o644, true),
        (0o620, false),
        (0o602, false),
        (0o666, false),
    ] {
        set_mode(&path, of_file);
        let expected = if accepted {
            None
        } else {
            Some(ErrorKind::Exposed)
        };
        let error = read(&path).err();
        assert_eq!(error.as_ref().map(Error::kind), expected, "{of_file:o}");
        let why = error.and_then(|error| Some(error.source()?.to_string()));
        let shown =
            (!accepted).then(|| format!("its mode is {of_file:04o}, at most 0755 is accepted"));
        assert_eq!(why, shown);
        assert_eq!(mode(&path), of_file);
    }
    set_mode(&path, 0o600);
    // A user who can open a lock file can hold its lock.
    for of_lock in [0o640, 0o604, 0o644, 0o620, 0o666] {
        set_mode(&lock, of_lock);
        let file = resolve(&path);
        assert_eq!(
            kind(file.lock(Duration::ZERO)),
            ErrorKind::Exposed,
            "{of_lock:o}"
        );
        assert_eq!(kind(file.try_lock()), ErrorKind::Exposed);
        assert_eq!(kind(file.lock_to_read(Duration::ZERO)), ErrorKind::Exposed);
        assert_eq!(mode(&lock), of_lock);
    }
    set_mode(&lock, 0o600);
    resolve(&path).lock(Duration::ZERO).map(drop).unwrap();
    if rustix_user() == 0 {
        for exposed in [&path, &lock] {
            chown(exposed, Some(12345), None).unwrap();
        }
        assert_eq!(kind(read(&path)), ErrorKind::Exposed);
        assert_eq!(
            kind(resolve(&path).lock(Duration::ZERO)),
            ErrorKind::Exposed
        );
    }
}

#[test]
fn refuses_a_second_name_and_a_large_file() {
    let (directory, path) = place();
    write(&path, "content");
    let file = resolve(&path);
    file.check_single_name().unwrap();
    fs::hard_link(&path, directory.path().join("second")).unwrap();
    for name in ["store", "second"] {
        let file = resolve(&directory.path().join(name));
        assert_eq!(kind(file.check_single_name()), ErrorKind::Linked);
    }
    // A replaced file is a new one, with one name.
    write(&path, "content");
    file.check_single_name().unwrap();
    assert_eq!(file.read(7).unwrap().1, b"content");
    assert_eq!(kind(file.read(6)), ErrorKind::TooLarge);
    assert_eq!(kind(file.read(0)), ErrorKind::TooLarge);
}

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
    assert!(
        output.status.success(),
        "{}",
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
        as_another("reads_in_a_directory_that_it_cannot_write", &inner);
    } else {
        set_mode(&inner, 0o555);
        assert_reads_only(&inner);
        set_mode(&inner, 0o755);
    }
}

#[test]
fn reads_on_a_read_only_file_system() {
    const TEST: &str = "reads_on_a_read_only_file_system";
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
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn refuses_a_lock_of_another_user_instead_of_going_on_without() {
    const TEST: &str = "refuses_a_lock_of_another_user_instead_of_going_on_without";
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
