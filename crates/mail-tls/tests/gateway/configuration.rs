//! The configuration file: each fault has its line, and a caret under the value.

use crate::world::{Backend, Files, check, text};

/// Returns the message about a configuration that is refused.
fn refused(files: &Files, config: &str) -> String {
    let output = check(&files.write(config));
    assert_eq!(output.status.code(), Some(2));
    text(&output.stderr).replace(&files.directory.path().display().to_string(), "DIR")
}

const CERTIFICATE: &str = "certificate = [{ chain = \"chain.pem\", key = \"key.pem\" }]\n";

fn with(service: &str) -> String {
    format!("name = \"mail.example.org\"\n{CERTIFICATE}[[service]]\n{service}")
}

const SERVICE: &str = "kind = \"imaps\"\nlisten = [\"127.0.0.1:0\"]\nbackend = [{ host = \"127.0.0.1\", port = 143 }]\n";

#[test]
fn refuses_an_unknown_key_with_its_line() {
    let files = Files::new();
    let config = with(&format!("{SERVICE}clientaddress = \"proxy-v2\"\n"));
    let message = refused(&files, &config);
    let expected = "mail-tls: DIR/gateway.toml: TOML parse error at line 7, column 1\n  |\n\
                    7 | clientaddress = \"proxy-v2\"\n  | ^^^^^^^^^^^^^\n\
                    unknown field `clientaddress`, expected one of";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn refuses_a_way_to_pass_the_address_that_the_protocol_lacks() {
    let files = Files::new();
    let config = with(&format!("{SERVICE}client-address = \"xclient\"\n"));
    let message = refused(&files, &config);
    let expected = "mail-tls: DIR/gateway.toml: error at line 7, column 18\n  |\n\
                    7 | client-address = \"xclient\"\n  |                  ^^^^^^^^^\n\
                    client address: IMAP cannot pass it on by XCLIENT\n";
    assert_eq!(message, expected);
}

#[test]
fn refuses_values_with_their_place() {
    let files = Files::new();
    for (more, caret, reason) in [
        (
            "proxies = [\"192.0.2.1/24\"]\n",
            "7 | proxies = [\"192.0.2.1/24\"]",
            "network 0",
        ),
        (
            "client-address = \"proxy\"\n",
            "7 | client-address = \"proxy\"",
            "unknown variant",
        ),
        (
            "[limits]\nlogin = 0\n",
            "8 | login = 0",
            "seconds: a number of 1 to 86400 expected",
        ),
        (
            "[limits]\nsessions = 0\n",
            "8 | sessions = 0",
            "a number of at least 1 expected",
        ),
        (
            "[metrics]\nlisten = \"0.0.0.0:9090\"\n",
            "8 | listen = \"0.0.0.0:9090\"",
            "an address of loopback expected, or beyond-loopback = true",
        ),
        ("[deep]\nstatus = \"tls10 <\"\n", "deep", "at byte"),
        (
            "[reports]\nsqlite = \"a\"\npostgres-url-file = \"b\"\n",
            "9 | postgres-url-file = \"b\"",
            "reports are kept in SQLite or in PostgreSQL, not in both",
        ),
    ] {
        let message = refused(&files, &with(&format!("{SERVICE}{more}")));
        assert!(message.contains(caret), "{message}");
        assert!(
            message.contains('^') && message.contains(reason),
            "{message}"
        );
    }
}

#[test]
fn refuses_services_that_cannot_work() {
    let files = Files::new();
    for (service, reason) in [
        (
            SERVICE.replace("[\"127.0.0.1:0\"]", "[]"),
            "at least one address expected",
        ),
        (
            SERVICE.replace("[{ host = \"127.0.0.1\", port = 143 }]", "[]"),
            "at least one backend expected",
        ),
        (SERVICE.replace("port = 143", "port = 0"), "port"),
        (
            SERVICE.replace("port = 143", "port = 143, dane = true"),
            "a backend in clear text has no DANE",
        ),
        (
            SERVICE.replace("port = 143", "port = 993, tls = \"implicit\", dane = true"),
            "DANE needs the key resolver of the table backend-tls",
        ),
        (
            SERVICE.replace(
                "[\"127.0.0.1:0\"]",
                "[\"127.0.0.1:993\", \"127.0.0.1:993\"]",
            ),
            "127.0.0.1:993 is listened on twice",
        ),
    ] {
        let message = refused(&files, &with(&service));
        assert!(
            message.contains('^') && message.contains(reason),
            "{message}"
        );
    }
}

/// The caret is under the later one of two addresses of which the operating system would refuse one.
#[test]
fn refuses_an_address_of_two_listeners() {
    let files = Files::new();
    let first = SERVICE.replace("127.0.0.1:0", "0.0.0.0:993");
    let second = |address: &str| {
        let second = SERVICE.replace("\"127.0.0.1:0\"", &format!("\"[::]:993\", \"{address}\""));
        let message = refused(&files, &with(&format!("{first}[[service]]\n{second}")));
        let (place, reason) = message.trim_end().rsplit_once("\n").unwrap();
        (place.to_owned(), reason.to_owned())
    };
    let expected = "mail-tls: DIR/gateway.toml: error at line 9, column 23\n  |\n\
                    9 | listen = [\"[::]:993\", \"0.0.0.0:993\"]\n  |                       ^^^^^^^^^^^^^";
    let twice = "0.0.0.0:993 is listened on twice";
    assert_eq!(
        second("0.0.0.0:993"),
        (expected.to_owned(), twice.to_owned())
    );
    for (address, other) in [("127.0.0.1:993", "0.0.0.0:993"), ("[::1]:993", "[::]:993")] {
        let overlap = format!("{address} and {other}, which is listened on too, overlap");
        assert_eq!(second(address).1, overlap);
    }
    let metrics = "[metrics]\nlisten = \"127.0.0.1:993\"\n";
    let message = refused(&files, &with(&format!("{first}{metrics}")));
    assert!(
        message.contains("8 | listen = \"127.0.0.1:993\"\n  |          ^^^^^^^^^^^^^^^\n"),
        "{message}"
    );
}

/// An operator would rely on a key without effect.
#[test]
fn refuses_keys_that_have_no_effect() {
    let files = Files::new();
    std::fs::write(files.path("clients.pem"), files.authority.pem()).unwrap();
    let of = |kind: &str| SERVICE.replace("imaps", kind);
    let clients = "[client-certificates]\nauthorities = \"clients.pem\"\nlogin = \"external\"\n";
    for (service, line, reason) in [
        (
            format!("{}parse-after-login = true\n", of("pop3s")),
            "7 | parse-after-login = true",
            "only sessions of IMAP have a choice",
        ),
        (
            format!("{}parse-after-login = true\n", of("submissions")),
            "7 | parse-after-login = true",
            "only sessions of IMAP have a choice",
        ),
        (
            format!("{}utf8-before-login = true\n", of("submissions")),
            "7 | utf8-before-login = true",
            "names and passwords of Submission are base64",
        ),
        (
            format!("{SERVICE}{clients}"),
            "7 | [client-certificates]",
            "users, or common-name = true, expected",
        ),
        (
            format!("{SERVICE}{clients}common-name = true\nmaster-user = \"x\"\n"),
            "11 | master-user = \"x\"",
            "a master user is for login = \"plain\"",
        ),
        (
            format!("{SERVICE}{clients}common-name = true\nmaster-password-file = \"x\"\n"),
            "11 | master-password-file = \"x\"",
            "a master user is for login = \"plain\"",
        ),
    ] {
        let message = refused(&files, &with(&service));
        assert!(
            message.contains(line) && message.contains('^') && message.contains(reason),
            "{message}"
        );
    }
}

#[test]
fn refuses_certificates_with_their_file() {
    let files = Files::new();
    let backend = Backend::start();
    std::fs::write(files.path("chain.pem"), "").unwrap();
    let output = check(&files.configure("127.0.0.1:0", backend.address, ""));
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(
        message.contains(
            "chain.pem: no certificate found; PEM with -----BEGIN CERTIFICATE----- expected"
        ),
        "{message}"
    );
    assert!(message.contains("2 | certificate ="), "{message}");
}

#[test]
fn names_the_cause_for_which_a_database_cannot_be_opened() {
    let files = Files::new();
    let backend = Backend::start();
    let path = files.path("reports.db");
    std::fs::write(&path, "").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&path, mode).unwrap();
    let more = "[reports]\nsqlite = \"reports.db\"\n";
    let config = files.configure("127.0.0.1:0", backend.address, more);
    let output = crate::world::command(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    let cause = "its mode is 0644, at most 0750 is accepted";
    assert!(message.contains(cause), "{message}");
}

/// A password must not appear in a message, even if its file is wrong.
#[test]
fn keeps_the_url_of_a_database_out_of_messages() {
    let files = Files::new();
    let backend = Backend::start();
    std::fs::write(files.path("url"), "postgres://[secret").unwrap();
    let more = "[reports]\npostgres-url-file = \"url\"\n";
    let config = files.configure("127.0.0.1:0", backend.address, more);
    let output = check(&config);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(
        message.contains("url: the URL of a PostgreSQL database expected"),
        "{message}"
    );
    assert!(message.contains("8 | postgres-url-file"), "{message}");
    assert!(!message.contains("secret"), "{message}");
}

/// A device that is named by mistake has no end.
#[test]
fn refuses_each_file_that_is_not_a_regular_one_with_its_place() {
    let files = Files::new();
    let zero = "/dev/zero: a regular file expected but a device found";
    let clients =
        |more: &str| format!("[client-certificates]\nauthorities = {more}\ncommon-name = true\n");
    let plain = "\"chain.pem\"\nlogin = \"plain\"\nmaster-user = \"m\"\nmaster-password-file = \"/dev/zero\"";
    for more in [
        "[backend-tls]\nauthorities = \"/dev/zero\"\n".to_owned(),
        "[backend-tls]\nanchors = \"/dev/zero\"\n".to_owned(),
        "[reports]\npostgres-url-file = \"/dev/zero\"\n".to_owned(),
        clients("\"/dev/zero\"\nlogin = \"external\""),
        clients(plain),
    ] {
        let message = refused(&files, &(with(SERVICE) + &more));
        assert!(message.contains(zero), "{more}: {message}");
    }
    for (chain, key) in [("/dev/zero", "key.pem"), ("chain.pem", "/dev/zero")] {
        let config = format!(
            "name = \"mail.example.org\"\ncertificate = [{{ chain = \"{chain}\", key = \"{key}\" }}]\n\
             [[service]]\n{SERVICE}"
        );
        let message = refused(&files, &config);
        assert!(message.contains(zero), "{message}");
        assert!(message.contains("2 | certificate ="), "{message}");
    }
}
