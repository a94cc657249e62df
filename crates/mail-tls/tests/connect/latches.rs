//! Latches that are kept, advertised and lacking.

use std::{fs, process::Output};

use deep_latch::SecurityTag;

use crate::world::{DEEP, STATUS, World, text};

#[test]
fn shows_what_is_latched_advertised_and_new() {
    let world = World::with(DEEP);
    let latches = |output: &Output| {
        let text = text(output);
        let (_, latches) = text.split_once("login: PLAIN\n").unwrap();
        latches.to_owned()
    };
    let output = world.run("imap.example.org", &[]);
    let advertised = format!("advertised: {STATUS}\n");
    assert_eq!(
        latches(&output),
        format!(
            "    latches: none; {advertised}    a mail program would latch: tls12 tls-cert\n    \
             not latched: x-future: not known to this client\n"
        )
    );
    assert_eq!(output.status.code(), Some(0));

    let file = world.latches(&[SecurityTag::TLS12]);
    let before = fs::read(&file).unwrap();
    let file = file.to_str().unwrap();
    let output = world.run("imap.example.org", &["--latches", file]);
    assert_eq!(
        latches(&output),
        format!(
            "    latches: tls12; {advertised}    a mail program would latch: tls-cert\n    \
             not latched: x-future: not known to this client\n"
        )
    );
    let output = world.run("imap.example.org", &["--latches", file, "--json"]);
    let value: serde_json::Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(
        value["protocols"][0]["servers"][0]["latches"],
        serde_json::json!({
            "latched": ["tls12"],
            "advertised": STATUS,
            "new": ["tls-cert"],
            "not_latched": [{ "tag": "x-future", "reason": "not known to this client" }],
        })
    );
    assert_eq!(fs::read(file).unwrap(), before);
}

#[test]
fn shows_the_latches_that_a_server_lacks() {
    let world = World::with(DEEP);
    let port = world.address.port();
    let file = world.latches(&[SecurityTag::TLS_CERT]);
    let file = file.to_str().unwrap();
    // The low level ignores the certificate, the latch does not.
    for level in ["low", "high"] {
        let output = world.run("mail.example.org", &["--latches", file, "--level", level]);
        assert_eq!(
            text(&output),
            format!(
                "example.org\nIMAP\n  imaps mail.example.org:{port}: failed: latches: mail.example.org: the \
                 connection does not satisfy latched tags: tls-cert\n    \
                 a mail program may offer: work offline, try again later\n"
            )
        );
        assert_eq!(output.status.code(), Some(1));
    }
    let output = world.run("imap.example.org", &["--latches", "/nonexistent/latches"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output), "");
}
