//! Files that are refused: of another type, open to other users, with a second name, or too large.

use super::*;

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
