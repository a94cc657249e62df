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

mod access;
mod locks;
mod replacing;

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
    process::{Command, Output},
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

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn rustix_user() -> u32 {
    rustix::process::geteuid().as_raw()
}
