//! Arguments, files and trust anchors.

use std::{fs, process::Command};

use crate::world::{World, text};

#[test]
fn refuses_wrong_arguments_and_files() {
    for arguments in [
        &["connect"][..],
        &["connect", "nobody"],
        &["connect", "a@example.org", "--service", "imaps"],
        &["connect", "a@example.org", "--tell-address"],
        &[
            "connect",
            "a@example.org",
            "--autoconfig",
            "--host",
            "a.example",
        ],
        &["connect", "a@example.org", "--resolver", "resolver.example"],
        &[
            "connect",
            "a@example.org",
            "--roots",
            "/nonexistent",
            "--resolver",
            "127.0.0.1:1",
        ],
        &[
            "connect",
            "a@example.org",
            "--anchors",
            "/nonexistent",
            "--resolver",
            "127.0.0.1:1",
        ],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_mail-tls"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn trusts_the_authorities_of_the_system_unless_told_otherwise() {
    let world = World::new();
    let other = World::new();
    let roots = |world: &World| {
        let path = world.directory.path().join("roots.pem");
        path.to_str().unwrap().to_owned()
    };
    let empty = world.directory.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let run = |roots: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
        let port = world.address.port().to_string();
        command.args(["connect", "alice@example.org", "--host", "imap.example.org"]);
        command.args([
            "--service",
            "imaps",
            "--no-dane",
            "--connect-to",
            "127.0.0.1",
        ]);
        command.args([
            "--resolver",
            "127.0.0.1:1",
            "--timeout",
            "10",
            "--port",
            &port,
        ]);
        let command = command.env("SSL_CERT_FILE", roots);
        command.env_remove("SSL_CERT_DIR").output().unwrap()
    };
    let trusted = run(&roots(&world));
    assert!(text(&trusted).contains("chain: trusted\n"));
    assert_eq!(trusted.status.code(), Some(0));
    let unknown = run(&roots(&other));
    assert!(
        text(&unknown).contains("chain: the certificate was issued by an unknown authority"),
        "{}",
        text(&unknown)
    );
    assert_eq!(unknown.status.code(), Some(1));
    let none = run(empty.to_str().unwrap());
    assert_eq!(
        String::from_utf8(none.stderr).unwrap(),
        "mail-tls: trust: no trust anchors found on this system\n"
    );
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn reports_that_nothing_is_known_when_lookups_fail() {
    let world = World::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command.args([
        "connect",
        "alice@example.org",
        "--resolver",
        "127.0.0.1:1",
        "--timeout",
        "2",
    ]);
    command
        .arg("--roots")
        .arg(world.directory.path().join("roots.pem"));
    let output = command.output().unwrap();
    assert!(
        text(&output).contains("IMAP: lookup of _imaps._tcp failed: "),
        "{}",
        text(&output)
    );
    // Who has a resolver that strips DNSSEC learns which one, and the way out.
    let hint = "\nasked 127.0.0.1:1; if it does not pass DNSSEC records on, name another with --resolver ADDRESS\n";
    assert!(text(&output).ends_with(hint), "{}", text(&output));
    assert_eq!(output.status.code(), Some(3));
}
