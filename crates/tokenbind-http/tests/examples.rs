//! The examples run unchanged, and print the results that they claim.

#![cfg(all(feature = "client", feature = "sealed-tokens", feature = "hyper"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "support/programs.rs"]
mod programs;

use std::process::Command;

use programs::{Running, example};

/// Runs an example to its end; what it printed.
fn printed(name: &str) -> String {
    let output = Command::new(example(name)).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{errors}");
    printed
}

/// Returns the text between `before` and `after` in the first line that has both.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.split_once(before)?.1.split_once(after));
    let Some((found, _)) = found else {
        panic!("no {before:?} … {after:?} in {text}");
    };
    found
}

#[test]
fn issues_a_bound_token_in_federation_and_discards_a_stolen_one() {
    let printed = printed("federation");
    let client = between(&printed, "consumer sees key ", ", and no token");
    assert!(client.ends_with(" (p256)"), "{client}");
    let at_provider = between(&printed, "provider sees key ", ", and referred key");
    assert!(at_provider.ends_with(" (rsa2048)"), "{at_provider}");
    for line in [
        "with include-referer-token-binding-id: true".to_owned(),
        format!("provider sees key {at_provider}, and referred key {client}"),
        format!("consumer sees key {client}, and a token that is bound to it"),
        "client reads 200 OK: welcome".to_owned(),
        "thief reads 401 Unauthorized: mismatch".to_owned(),
        "thief reads 401 Unauthorized: no-token-binding-established".to_owned(),
    ] {
        let stands = printed.lines().any(|printed| printed.trim() == line);
        assert!(stands, "{line} in {printed}");
    }
    assert!(printed.ends_with("All as it must be.\n"));
}

#[test]
fn recognizes_the_client_of_a_protected_service_and_discards_a_stolen_cookie() {
    let printed = printed("protected_service");
    let alice = between(&printed, "service: POST /login, key ", ": logged in");
    for line in [
        format!("service: GET /account, key {alice}: the account of alice"),
        "service: GET /account, key none: the cookie is discarded: no-token-binding-established"
            .to_owned(),
        "service ends the connection: TokenBinding.signature: not valid at byte 75".to_owned(),
    ] {
        let stands = printed.lines().any(|printed| printed.trim() == line);
        assert!(stands, "{line} in {printed}");
    }
    let thief = between(
        &printed,
        "GET /account, key ",
        ": the cookie is discarded: mismatch",
    );
    assert_ne!(thief, alice);
    assert!(printed.ends_with("All as it must be.\n"));
}

#[test]
fn distinguishes_clients_in_axum_and_issues_a_token_for_a_script() {
    let printed = printed("axum_service");
    for line in [
        "200 OK: hello whoever you are",
        "403 Forbidden: this needs Token Binding",
        "an unbound token (NotReferred)",
    ] {
        assert!(printed.contains(line), "{line} in {printed}");
    }
    let one = between(&printed, "/key HTTP/2.0 200 OK: ", ")");
    let other = between(&printed, "/key HTTP/1.1 200 OK: ", ")");
    assert_ne!(one, other);
    let token = format!("you are {other}): a token for {one})\n");
    assert!(printed.contains(&token), "{token} in {printed}");
    assert!(printed.ends_with("All as it must be.\n"));
}

#[test]
fn keeps_services_up_on_request() {
    for name in ["protected_service", "axum_service"] {
        let mut command = Command::new(example(name));
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
        let mut command = Command::new(example(name));
        // Nobody's own address.
        let output = command.args(["--serve", "192.0.2.1:1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
}
