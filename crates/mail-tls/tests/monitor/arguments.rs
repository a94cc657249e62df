//! Arguments and files.

use std::process::Command;

use crate::world::{World, text};

/// Wrong arguments are no fault of the servers, so that Nagios must not show one.
#[test]
fn exits_with_3_for_wrong_arguments_and_files() {
    let world = World::with_days_left(60);
    let directory = world.directory.path().to_str().unwrap();
    for arguments in [
        &[][..],
        &["not a domain"],
        &["example.org", "--server", "http:a.example"],
        &["example.org", "--since", "last"],
        &["example.org", "--html", directory],
        &["example.org", "--watch", "1s", "--state", "x"],
        &["example.org", "--warn-left", "101"],
        &["example.org", "--json", "--all"],
        &["example.org", "--ca", "/nonexistent"],
        &["example.org", "--anchors", "/nonexistent"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
        let output = command.arg("monitor").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let output = world.run(&["--cert", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("mail-tls: /nonexistent: "), "{error}");
}

#[test]
fn shows_its_help() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    let output = command.args(["monitor", "--help"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).contains("--metrics <FILE>"));
}
