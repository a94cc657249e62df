//! The text, colours and JSON for one server.

use crate::world::{World, text};

#[test]
fn shows_a_private_connection() {
    let world = World::new();
    let output = world.run("imap.example.org", &[]);
    let port = world.address.port();
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps imap.example.org:{port}: private\n    TLSv1.3 TLS_AES_256_GCM_SHA384\n    \
             chain: trusted\n    identity: DNS-ID imap.example.org matches DNS-ID imap.example.org\n    \
             DANE: not used, not requested\n    login: PLAIN\n    latches: none; advertised: none\n"
        )
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn shows_the_reason_of_a_failure_and_the_actions_left() {
    let world = World::new();
    let output = world.run("mail.example.org", &[]);
    let port = world.address.port();
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps mail.example.org:{port}: failed: chain: trusted; identity: expected DNS-ID \
             mail.example.org but the certificate has DNS-ID imap.example.org; DANE: not used, not requested\n    \
             a mail program may offer: work offline, try again later\n"
        )
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn shows_an_unverified_server_at_the_low_level_as_such() {
    let world = World::new();
    let output = world.run("mail.example.org", &["--level", "low"]);
    assert!(
        text(&output).contains("encrypted, not verified"),
        "{}",
        text(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn prints_json() {
    let world = World::new();
    let output = world.run("imap.example.org", &["--json"]);
    let value: serde_json::Value = serde_json::from_str(&text(&output)).unwrap();
    let port = world.address.port();
    assert_eq!(
        value,
        serde_json::json!({
            "domain": "example.org",
            "private": true,
            "resolver": null,
            "protocols": [{
                "protocol": "IMAP",
                "none": null,
                "servers": [{
                    "server": format!("imaps imap.example.org:{port}"),
                    "warnings": [],
                    "level": "high",
                    "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
                    "verdict": {
                        "chain": "trusted",
                        "identity": "DNS-ID imap.example.org matches DNS-ID imap.example.org",
                        "dane": "not used, not requested",
                    },
                    "mechanisms": ["PLAIN"],
                    "latches": {
                        "latched": [],
                        "advertised": null,
                        "new": [],
                        "not_latched": [],
                    },
                }],
            }],
        })
    );
}

/// The server's text could change what the terminal shows.
#[test]
fn keeps_the_text_of_a_server_from_the_terminal() {
    let world = World::with("* BYE \x1b]0;evil\x07\x1b[2J go to https://evil.example/\r\n");
    let port = world.address.port();
    let output = world.run("imap.example.org", &[]);
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps imap.example.org:{port}: failed: the server refuses the connection\n    \
             a mail program may offer: work offline, try again later\n"
        )
    );
    assert_eq!(output.status.code(), Some(1));
    let world = World::with("* OK [CAPABILITY IMAP4rev1 AUTH=\x1b[2J AUTH=PLAIN] \x1b[2J\r\n");
    let colours = [("CLICOLOR_FORCE", "1")];
    let output = world.run_with("imap.example.org", &[], &colours);
    let login = text(&output);
    let login = login.lines().find(|line| line.contains("login:"));
    assert_eq!(login, Some("    login: \\u{1b}[2J PLAIN"));
    let output = world.run("imap.example.org", &["--json"]);
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn uses_colours_on_a_terminal_only() {
    let world = World::new();
    let has_colours = |host: &str, more: &[&str], environment: &[(&str, &str)]| {
        world
            .run_with(host, more, environment)
            .stdout
            .contains(&0x1b)
    };
    // The output is a pipe, and no terminal.
    assert!(!has_colours("imap.example.org", &[], &[]));
    assert!(!has_colours("mail.example.org", &[], &[]));
    let force = ("CLICOLOR_FORCE", "1");
    let output = world.run_with("imap.example.org", &[], &[force]);
    assert!(text(&output).contains("\x1b[32mprivate\x1b[0m"));
    let output = world.run_with("mail.example.org", &[], &[force]);
    assert!(text(&output).contains("\x1b[31mfailed\x1b[0m"));
    let output = world.run_with("mail.example.org", &["--level", "low"], &[force]);
    assert!(text(&output).contains("\x1b[33mencrypted, not verified\x1b[0m"));
    assert!(!has_colours("imap.example.org", &["--json"], &[force]));
    assert!(!has_colours("imap.example.org", &[], &[("NO_COLOR", "1")]));
}
