//! The content: replaced as a whole, found by all names, and nothing of others removed.

use super::*;

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
