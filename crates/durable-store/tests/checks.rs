//! Checks of a file that is not opened: its users, its type, and the files that stores keep beside it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use durable_store::{Access, Error, ErrorKind, Seen, StoreFile};
use tempfile::TempDir;

/// A directory, and the file `store` in it, which is made with this mode.
fn store(mode: u32) -> (TempDir, StoreFile) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store");
    fs::write(&path, "content").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    let file = StoreFile::resolve(path).unwrap();
    (directory, file)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn accepts_the_modes_of_each_access_and_no_more() {
    const ALL: [Access; 4] = [
        Access::Owner,
        Access::GroupReads,
        Access::OthersRead,
        Access::Any,
    ];
    for (mode, accepted) in [
        (0o600, [true, true, true, true]),
        (0o640, [false, true, true, true]),
        (0o610, [false, true, true, true]),
        (0o644, [false, false, true, true]),
        (0o620, [false, false, false, true]),
        (0o602, [false, false, false, true]),
    ] {
        let (_directory, file) = store(mode);
        let checked = ALL.map(|access| file.check(access).map_err(|error| error.kind()));
        let lengths = checked.map(|checked| checked.map(|metadata| metadata.len()));
        let expected = accepted.map(|is_accepted| match is_accepted {
            true => Ok(7),
            false => Err(ErrorKind::Exposed),
        });
        assert_eq!(lengths, expected, "{mode:o}");
    }
}

#[test]
fn refuses_links_and_directories_beside_a_file_and_names_them() {
    let (directory, file) = store(0o600);
    symlink(file.path(), directory.path().join("store-link")).unwrap();
    fs::create_dir(directory.path().join("store-directory")).unwrap();
    for (suffix, kind) in [
        ("-link", ErrorKind::NotRegular),
        ("-directory", ErrorKind::NotRegular),
        ("-journal", ErrorKind::Missing),
    ] {
        let beside = file.beside(suffix);
        let mut name = file.path().as_os_str().to_owned();
        name.push(suffix);
        assert_eq!(beside.path(), name);
        let error = beside.check(Access::Any).unwrap_err();
        assert_eq!((error.kind(), error.path()), (kind, Some(beside.path())));
    }
}

#[test]
fn creates_files_that_are_the_owners_alone_and_replaces_none() {
    let (_directory, file) = store(0o644);
    let error = file.create_new().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(fs::read(file.path()).unwrap(), b"content");
    let new = file.beside("-copy");
    drop(new.create_new().unwrap());
    assert_eq!(mode(new.path()), 0o600);
    let lock = file.try_lock().unwrap().unwrap();
    let (temporary, _made) = file.temporary().unwrap();
    assert_eq!(mode(&temporary), 0o600);
    assert_eq!(temporary.parent(), file.path().parent());
    file.remove_leftovers(&lock);
    assert!(!temporary.exists());
    assert!(new.path().exists());
}

#[test]
fn tells_a_changed_file_from_another() {
    let (_directory, file) = store(0o600);
    let seen = Seen::at(&file).unwrap();
    fs::write(file.path(), "more content").unwrap();
    let changed = Seen::at(&file).unwrap();
    assert_ne!(changed, seen);
    assert!(changed.is_same_file(&seen));
    // Both exist at once, so that they cannot have the same number.
    let other = file.beside("-other");
    fs::write(other.path(), "content").unwrap();
    fs::rename(other.path(), file.path()).unwrap();
    assert!(!Seen::at(&file).unwrap().is_same_file(&seen));
}

#[test]
fn names_the_server_of_an_error_with_control_characters_escaped() {
    let error = Error::new(ErrorKind::NotDurable).at_server("db:5432/a\nb");
    assert_eq!(error.server(), Some("db:5432/a\nb"));
    assert_eq!(
        error.to_string(),
        "the database can lose what it confirmed: db:5432/a\\nb"
    );
}
