//! Servers that SRV records name.

use std::{fs, sync::atomic::Ordering};

use deep_latch::SecurityTag;

use crate::{
    name_server::{run_with_dns, serve_dns},
    world::{DEEP, STATUS, World, text},
};

/// Port 1 of loopback refuses connections.
const ADVERTISED: &[(&str, Option<u16>)] =
    &[("imap.example.org", None), ("mail.example.org", Some(1))];

const WARNING: &str = "    warning: the server's name is not authenticated; compare it with the provider's \
                       documentation\n";

#[test]
fn connects_again_for_the_latches_of_a_server_found_by_srv() {
    let world = World::with_names(DEEP, &["example.org"]);
    let dns = serve_dns(&world, ADVERTISED);
    let port = world.address.port();
    let latches = world.latches(&[SecurityTag::TLS12]);
    let latches = latches.to_str().unwrap();
    let before = fs::read(latches).unwrap();
    let output = run_with_dns(&world, dns, &["--latches", latches]);
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps imap.example.org:{port}: private\n    TLSv1.3 TLS_AES_256_GCM_SHA384\n    \
             chain: trusted\n    identity: DNS-ID example.org matches DNS-ID example.org\n    \
             DANE: not used, the SRV record that names the host is not secured by DNSSEC\n    login: PLAIN\n    \
             latches: tls12; advertised: {STATUS}\n    \
             a mail program would latch: tls-cert\n    not latched: x-future: not known to this client\n{WARNING}  \
             imaps mail.example.org:1: failed: connection failed: connection refused\n    \
             a mail program may offer: work offline, try again later\n{WARNING}\
             POP: not advertised (not secured by DNSSEC)\nSubmission: not advertised (not secured by DNSSEC)\n"
        )
    );
    // A domain without submission servers gives no usable account.
    assert_eq!(output.status.code(), Some(1));
    // One connection for the check, one for the latches.
    assert_eq!(world.accepted.load(Ordering::Relaxed), 2);
    assert_eq!(fs::read(latches).unwrap(), before);
}

#[test]
fn shows_the_latches_that_a_server_found_by_srv_lacks() {
    let world = World::with_names(DEEP, &["example.org"]);
    let dns = serve_dns(&world, &[("imap.example.org", None)]);
    let port = world.address.port();
    let latches = world.latches(&[SecurityTag::TLS_DANE_TLSA]);
    let latches = latches.to_str().unwrap();
    let output = run_with_dns(&world, dns, &["--latches", latches]);
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps imap.example.org:{port}: failed: latches: imap.example.org: the connection \
             does not satisfy latched tags: tls-dane-tlsa\n    \
             a mail program may offer: work offline, try again later\n{WARNING}\
             POP: not advertised (not secured by DNSSEC)\nSubmission: not advertised (not secured by DNSSEC)\n"
        )
    );
    assert_eq!(output.status.code(), Some(1));
    // Without the file the same server is shown as private.
    let output = run_with_dns(&world, dns, &[]);
    let begin = format!("example.org\nIMAP\n  imaps imap.example.org:{port}: private\n");
    assert!(text(&output).starts_with(&begin), "{}", text(&output));
}

/// A server that is not verified is not connected to again.
#[test]
fn connects_once_to_a_server_found_by_srv_that_is_not_verified() {
    let world = World::new();
    let dns = serve_dns(&world, &[("imap.example.org", None)]);
    let output = run_with_dns(&world, dns, &[]);
    let port = world.address.port();
    let begin = format!(
        "example.org\nIMAP\n  imaps imap.example.org:{port}: failed: chain: trusted; identity: expected "
    );
    assert!(text(&output).starts_with(&begin), "{}", text(&output));
    assert_eq!(world.accepted.load(Ordering::Relaxed), 1);
    assert_eq!(output.status.code(), Some(1));
}
