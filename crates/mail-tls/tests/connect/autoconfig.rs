//! Servers of a configuration file.

use crate::{
    web::{run_with_autoconfig, serve_web},
    world::{World, text},
};

#[test]
fn checks_the_servers_of_a_configuration_file() {
    let world = World::new();
    let file = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<clientConfig><emailProvider><incomingServer type=\"imap\">\
                <hostname>imap.example.org</hostname><port>993</port><socketType>SSL</socketType></incomingServer>\
                </emailProvider></clientConfig>";
    let web = serve_web(&world, file);
    let output = run_with_autoconfig(&world, web, &["--tell-address"]);
    // The resolver does not answer, so the server of the file is not reached.
    let shown = text(&output);
    let begin = "example.org\nIMAP\n  imaps imap.example.org:993: failed: ";
    assert!(shown.starts_with(begin), "{shown}");
    assert!(shown.contains("\nPOP: not advertised"), "{shown}");
    assert_eq!(output.status.code(), Some(1));
    // The address is not sent unasked, and this server has no file for others.
    let output = run_with_autoconfig(&world, web, &[]);
    let absent = "IMAP: no configuration file: the host autoconfig of the domain: the host has no configuration file; ";
    assert!(text(&output).contains(absent), "{}", text(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn reports_that_nothing_is_known_when_the_file_cannot_be_fetched() {
    let world = World::new();
    let redirect =
        "HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\nContent-Length: 0\r\n\r\n";
    let web = serve_web(&world, redirect);
    let output = run_with_autoconfig(&world, web, &["--tell-address"]);
    let reason = "a redirect to another scheme than https";
    assert!(text(&output).contains(reason), "{}", text(&output));
    assert_eq!(output.status.code(), Some(3));
}
