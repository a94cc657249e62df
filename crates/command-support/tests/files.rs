//! Files that commands read: limits, kinds of files, messages.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use command_support::files::{FileKind, read, read_text};

const KINDS: [FileKind; 5] = [
    FileKind::Configuration,
    FileKind::Certificates,
    FileKind::PrivateKey,
    FileKind::TrustAnchors,
    FileKind::Secret,
];

fn message(path: &Path, kind: FileKind) -> String {
    read(path, kind).unwrap_err().to_string()
}

#[test]
fn reads_up_to_the_limit_of_each_kind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    for (kind, limit, text) in [
        (
            FileKind::Configuration,
            1 << 20,
            "1 MiB, the limit of a configuration",
        ),
        (
            FileKind::Certificates,
            4 << 20,
            "4 MiB, the limit of a file of certificates",
        ),
        (
            FileKind::PrivateKey,
            1 << 20,
            "1 MiB, the limit of a file of a private key",
        ),
        (
            FileKind::TrustAnchors,
            64 << 10,
            "64 KiB, the limit of a file of trust anchors",
        ),
        (
            FileKind::Secret,
            4 << 10,
            "4 KiB, the limit of a file of a password or URL",
        ),
    ] {
        let mut content = vec![b'a'; limit];
        fs::write(&path, &content).unwrap();
        assert_eq!(read(&path, kind).unwrap(), content);
        content.push(b'a');
        fs::write(&path, &content).unwrap();
        let expected = format!("{}: larger than {text}", path.display());
        assert_eq!(message(&path, kind), expected);
    }
}

#[cfg(unix)]
#[test]
fn refuses_what_is_not_a_regular_file_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let fifo = path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let socket = path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let link = path("link");
    std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
    for (path, found) in [
        (PathBuf::from("/dev/zero"), "a device"),
        (link, "a device"),
        (fifo, "a FIFO"),
        (socket, "a socket"),
        (directory.path().to_owned(), "a directory"),
    ] {
        for kind in KINDS {
            let expected = format!(
                "{}: a regular file expected but {found} found",
                path.display()
            );
            assert_eq!(message(&path, kind), expected);
        }
    }
}

/// Files of /proc have no length, and some have no end.
#[cfg(target_os = "linux")]
#[test]
fn does_not_trust_the_length_that_the_system_reports() {
    let text = read_text(Path::new("/proc/self/cmdline"), FileKind::Secret).unwrap();
    assert!(text.contains("files"), "{text:?}");
}

#[test]
fn follows_links_to_regular_files() {
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("file"), directory.path().join("link"));
    fs::write(&path, "text").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&path, &link).unwrap();
    #[cfg(not(unix))]
    fs::copy(&path, &link).unwrap();
    assert_eq!(read_text(&link, FileKind::Secret).unwrap(), "text");
}

#[test]
fn names_the_file_and_the_cause() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing\u{1b}[31m");
    let text = message(&missing, FileKind::Secret);
    let expected = format!(
        "{}/missing\\u{{1b}}[31m: No such file or directory (os error 2)",
        directory.path().display()
    );
    #[cfg(target_os = "linux")]
    assert_eq!(text, expected);
    #[cfg(not(target_os = "linux"))]
    let _ = (text, expected);
    let path = directory.path().join("latin1");
    fs::write(&path, b"caf\xe9").unwrap();
    let error = read_text(&path, FileKind::Configuration).unwrap_err();
    assert_eq!(error.path(), path);
    let expected = format!("{}: UTF-8 expected at byte 3", path.display());
    assert_eq!(error.to_string(), expected);
}
