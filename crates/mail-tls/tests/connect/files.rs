//! Files that the arguments name, standard output, and the messages about both.

use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
};

const ZERO: &str = "/dev/zero: a regular file expected but a device found";

/// Runs the command with little memory and time, which a file without an end would use up.
fn run(arguments: &[&str]) -> Output {
    let limited = "ulimit -v 4000000; exec timeout 20 \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_mail-tls")]);
    command.args(arguments).output().unwrap()
}

fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(arguments);
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

const CONNECT: [&str; 4] = ["connect", "alice@example.org", "--resolver", "127.0.0.1:1"];
const MONITOR: [&str; 4] = ["monitor", "example.org", "--resolver", "127.0.0.1:1"];

#[test]
fn refuses_each_file_that_is_not_a_regular_one_at_once() {
    for option in ["--anchors", "--roots"] {
        let refused = refusal(&[&CONNECT[..], &[option, "/dev/zero"]].concat());
        assert_eq!(
            refused,
            (Some(2), format!("mail-tls: {ZERO}\n")),
            "{option}"
        );
    }
    for option in ["--anchors", "--ca", "--cert", "--next-cert"] {
        let refused = refusal(&[&MONITOR[..], &[option, "/dev/zero"]].concat());
        assert_eq!(
            refused,
            (Some(3), format!("mail-tls: {ZERO}\n")),
            "{option}"
        );
    }
    let refused = refusal(&["gateway", "--config", "/dev/zero"]);
    assert_eq!(refused, (Some(2), format!("mail-tls: {ZERO}\n")));
}

#[test]
fn refuses_files_that_are_longer_than_their_kind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mailbox");
    fs::write(&path, vec![b'a'; (4 << 20) + 1]).unwrap();
    let path = path.to_str().unwrap();
    for (option, limit) in [
        ("--anchors", "64 KiB, the limit of a file of trust anchors"),
        ("--roots", "4 MiB, the limit of a file of certificates"),
    ] {
        let refused = refusal(&[&CONNECT[..], &[option, path]].concat());
        let expected = format!("mail-tls: {path}: larger than {limit}\n");
        assert_eq!(refused, (Some(2), expected));
    }
}

#[test]
fn describes_the_trust_anchors_that_are_expected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anchors");
    let record =
        "a DNSKEY record in zone file format, `. 172800 IN DNSKEY 257 3 8 AwEAAa...`, expected";
    for (content, problem) in [
        ("; none\n", format!("no record found; {record}")),
        (
            "\nexample.org. IN A 192.0.2.1\n",
            format!("{record} at line 2"),
        ),
    ] {
        fs::write(&path, content).unwrap();
        let refused = refusal(&[&CONNECT[..], &["--anchors", path.to_str().unwrap()]].concat());
        let expected = format!("mail-tls: {}: trust anchors: {problem}\n", path.display());
        assert_eq!(refused, (Some(2), expected));
    }
}

#[test]
fn names_the_file_of_latches_once_and_the_cause() {
    let directory = tempfile::tempdir().unwrap();
    let directory = fs::canonicalize(directory.path()).unwrap();
    let (missing, damaged) = (directory.join("missing"), directory.join("damaged"));
    fs::write(&damaged, "Subject: x\n").unwrap();
    for (path, problem) in [
        (&directory, "the latch store is not a regular file"),
        (&missing, "the latch store does not exist"),
        (
            &damaged,
            "the latch store is damaged or contains foreign data",
        ),
    ] {
        let (code, message) =
            refusal(&[&CONNECT[..], &["--latches", path.to_str().unwrap()]].concat());
        assert_eq!(code, Some(2));
        let expected = format!("mail-tls: {problem}: {path:?}");
        assert!(message.starts_with(&expected), "{message}");
        let name = path.to_str().unwrap();
        assert_eq!(message.matches(name).count(), 1, "{message}");
    }
}

#[test]
fn says_which_part_of_an_address_is_wrong_and_where_help_is() {
    for (address, problem) in [
        (
            "alice",
            "mail-address: @ and a domain name expected at byte 5",
        ),
        (
            "alice@exa_mple..org",
            "mail-address.domain: a domain name expected at byte 6",
        ),
        (
            "a b@example.org",
            "mail-address.local-part: 1 to 64 bytes without spaces and control characters expected at byte 1",
        ),
        (
            "@example.org",
            "mail-address.local-part: 1 to 64 bytes without spaces and control characters expected at byte 0",
        ),
    ] {
        let expected = format!(
            "error: invalid value '{address}' for '<ADDRESS>': {problem}; an address is alice@example.org\n\n\
             For more information, try '--help'.\n"
        );
        assert_eq!(refusal(&["connect", address]), (Some(2), expected));
    }
}

/// Runs the command with this standard output.
fn run_into(out: impl Into<Stdio>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    let child = command.args(arguments).stdout(out).stderr(Stdio::piped());
    child.spawn().unwrap().wait_with_output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn reports_a_full_disk_once_and_by_name() {
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let expected = "mail-tls: standard output: No space left on device (os error 28)\n";
    let short = ["--timeout", "1"];
    for (arguments, code) in [
        (vec!["--help"], 2),
        (vec!["connect", "--help"], 2),
        (vec!["--version"], 2),
        (vec!["monitor", "--help"], 3),
        (vec!["man"], 2),
        ([&CONNECT[..], &short].concat(), 2),
        ([&CONNECT[..], &short, &["--json"]].concat(), 2),
        ([&MONITOR[..], &short].concat(), 3),
    ] {
        let output = run_into(full(), &arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), &*message),
            (Some(code), expected),
            "{arguments:?}"
        );
    }
}

#[cfg(unix)]
#[test]
fn does_not_fail_for_a_reader_that_has_closed_the_pipe() {
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&[&CONNECT[..], &["--timeout", "1"]].concat(), 3),
    ] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.flush().unwrap();
        drop(reader);
        let output = run_into(writer, arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), &*message),
            (Some(code), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn folds_help_to_the_width_of_the_terminal() {
    for arguments in [
        &["--help"][..],
        &["connect", "--help"],
        &["monitor", "--help"],
        &["gateway", "--help"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
        let command = command
            .args(arguments)
            .env("COLUMNS", "80")
            .stdin(Stdio::null());
        let help = String::from_utf8(command.output().unwrap().stdout).unwrap();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
    }
}
