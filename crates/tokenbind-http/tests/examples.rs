//! The examples run unchanged, and print the results that they claim.

#![cfg(all(
    feature = "client",
    feature = "consumer",
    feature = "sealed-tokens",
    feature = "hyper"
))]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::process::Command;

use test_support::programs::{Running, example};

/// Runs an example to its end, and returns the output.
fn printed(name: &str) -> String {
    let output = Command::new(example("tokenbind-http", name))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{errors}");
    printed
}

#[test]
fn issues_a_bound_token_in_federation_and_discards_a_stolen_one() {
    let expected = [
        "alice: 200 OK: welcome",
        "thief: 401 Unauthorized: mismatch",
        "unbound: 401 Unauthorized: no-token-binding-established",
    ];
    let printed = printed("federation");
    let lines: Vec<&str> = printed.lines().collect();
    let (first, rest) = lines.split_first().unwrap();
    let token = first.strip_prefix("alice: 200 OK: ").unwrap();
    assert!(token.len() > 100, "{token}");
    assert_eq!(rest, expected);
}

#[test]
fn recognizes_the_client_of_a_protected_service_and_discards_a_stolen_cookie() {
    let expected = [
        "alice: 200 OK: logged in",
        "alice: 200 OK: alice",
        "thief: 401 Unauthorized: mismatch",
        "unbound: 401 Unauthorized: no-token-binding-established",
    ];
    let printed = printed("protected_service");
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn distinguishes_clients_in_axum_and_issues_a_token_for_a_script() {
    let printed = printed("axum_service");
    let lines: Vec<&str> = printed.lines().collect();
    let key = |beginning: &str| {
        let mut keys = lines.iter().filter_map(|line| line.strip_prefix(beginning));
        keys.next().unwrap().to_owned()
    };
    let (one, other) = (key("to one: 200 OK: "), key("to the other: 200 OK: "));
    assert_eq!((one.len(), other.len()), (64, 64));
    assert_ne!(one, other);
    let expected = [
        "without Token Binding: 200 OK: hello whoever you are".to_owned(),
        "without Token Binding: 403 Forbidden: this needs Token Binding".to_owned(),
        format!("to one: 200 OK: {one}"),
        format!("to the other: 200 OK: {other}"),
        "to the other: 200 OK: an unbound token (NotReferred)".to_owned(),
        format!("a script of one: 200 OK: a token for {one}"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn keeps_services_up_on_request() {
    for name in ["protected_service", "axum_service"] {
        let mut command = Command::new(example("tokenbind-http", name));
        let mut running = Running::start(command.args(["--serve", "127.0.0.1:0"]));
        running.line_after("Stays up");
        let url = running.line_after("  curl -k ");
        let port = url.rsplit(':').next().unwrap();
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        let port = port.parse().unwrap();
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    }
}

#[test]
fn refuses_an_address_that_cannot_be_served() {
    for name in ["protected_service", "axum_service"] {
        let mut command = Command::new(example("tokenbind-http", name));
        // An address of no machine (RFC 5737).
        let output = command.args(["--serve", "192.0.2.1:1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
}
