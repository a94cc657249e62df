//! The configuration file and `--check`.

use std::{fs, process::Output};

use crate::{
    loopback::Pki,
    setup::{Backend, Frames, H2, Setup, certificate, directory, proxy, send},
};

/// Checks a configuration in a directory with a certificate.
fn check(test: &str, text: &str, flags: &[&str]) -> Output {
    let directory = directory(test);
    certificate(&directory, &Pki::new());
    let path = directory.join("proxy.toml");
    fs::write(&path, text).unwrap();
    let mut command = proxy();
    command.arg("--check").arg("--config").arg(path);
    command.args(flags).output().unwrap()
}

const COMPLETE: &str = "\
listen = \"127.0.0.1:8443\"
backend = \"http://127.0.0.1:8000\"
cert = \"cert.pem\"
key = \"key.pem\"
require-token-binding = true
prefer = \"tls13\"
point = \"bare64\"
signature = \"raw64\"
allow-later-requests-without-header = false
allow-padding = false
handshake-timeout = 10
idle-timeout = 60
connect-timeout = 5
response-timeout = 300
shutdown-timeout = 30
max-connections = 10000
max-connections-per-address = 2000
log-format = \"journal\"
log-level = \"info\"
";

#[test]
fn accepts_a_file_with_every_key() {
    let output = check("complete", COMPLETE, &[]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert_eq!(output.stdout, b"the configuration is valid\n");
}

#[test]
fn names_line_and_column_of_an_error_in_the_file() {
    let directory = directory("wrong").join("proxy.toml");
    let file = directory.display();
    for (line, message) in [
        (
            "lisen = \"127.0.0.1:1\"",
            "TOML parse error at line 20, column 1\n   |\n20 | lisen = \"127.0.0.1:1\"\n   | ^^^^^\n\
             unknown field `lisen`, expected one of `listen`, `backend`, ",
        ),
        (
            "[limits]",
            "TOML parse error at line 20, column 2\n   |\n20 | [limits]\n   |  ^^^^^^\n\
             unknown field `limits`, expected one of ",
        ),
        (
            "key = 1",
            "TOML parse error at line 20, column 1\n   |\n20 | key = 1\n   | ^^^\nduplicate key\n",
        ),
    ] {
        let output = check("wrong", &format!("{COMPLETE}{line}\n"), &[]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        let start = format!("tokenbind-proxy: {file}: {message}");
        assert!(errors.starts_with(&start), "{errors}\n{start}");
    }
}

#[test]
fn names_line_and_column_of_a_value_that_is_wrong() {
    for (right, wrong, message) in [
        (
            "http://127.0.0.1:8000",
            "https://127.0.0.1:8000",
            "2 | backend = \"https://127.0.0.1:8000\"\n  |           ^^^^^^^^^^^^^^^^^^^^^^^^\n\
             expected an http URL of a host and port, without a path\n",
        ),
        (
            "max-connections = 10000",
            "max-connections = 0",
            "16 | max-connections = 0\n   |                   ^\n\
             invalid value: integer `0`, expected a nonzero usize\n",
        ),
        (
            "idle-timeout = 60",
            "idle-timeout = -1",
            "12 | idle-timeout = -1\n   |                ^^\n\
             invalid value: integer `-1`, expected u32\n",
        ),
        (
            "\"journal\"",
            "\"xml\"",
            "18 | log-format = \"xml\"\n   |              ^^^^^\n\
             unknown variant `xml`, expected one of `text`, `json`, `journal`\n",
        ),
    ] {
        let output = check("value", &COMPLETE.replace(right, wrong), &[]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(message), "{errors}\n{message}");
    }
}

#[test]
fn checks_that_the_key_is_that_of_the_certificate() {
    let directory = directory("pair");
    let [_, key] = certificate(&directory, &Pki::new());
    let other = fs::read(&key).unwrap();
    let output = check("pair", COMPLETE, &[]);
    assert_eq!(output.status.code(), Some(0));
    fs::write(&key, other).unwrap();
    let path = directory.join("proxy.toml");
    let output = proxy().arg("--check").arg("--config").arg(path).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    let start = format!("tokenbind-proxy: {}: ", key.display());
    assert!(errors.starts_with(&start), "{errors}");
}

#[test]
fn reports_a_file_without_a_certificate() {
    let output = check(
        "none",
        COMPLETE,
        &[
            "--cert",
            directory("none").join("proxy.toml").to_str().unwrap(),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.ends_with(
            "proxy.toml: no certificate found; PEM with -----BEGIN CERTIFICATE----- expected\n"
        ),
        "{errors}"
    );
}

#[tokio::test]
async fn prefers_flags_to_the_file() {
    let directory = directory("flags");
    let path = directory.join("proxy.toml");
    let text = "listen = \"127.0.0.1:1\"\nbackend = \"http://127.0.0.1:1\"\nrequire-token-binding = true\n";
    fs::write(&path, text).unwrap();
    let flags = ["--require-token-binding=false", "--config"];
    let flags = [flags[0], flags[1], path.to_str().unwrap()];
    let setup = Setup::before("flags", Backend::start().await, &flags).await;
    let (unbound, _) = setup.client(&[]);
    let request = setup.request("/").body(Frames::of([])).unwrap();
    assert_eq!(send(&unbound, request).await.status(), 200);
    let (bound, _) = setup.client(H2);
    let request = setup.request("/").body(Frames::of([])).unwrap();
    assert_eq!(send(&bound, request).await.status(), 200);
}

/// A device that is named by mistake has no end.
#[cfg(unix)]
#[test]
fn refuses_each_file_that_is_not_a_regular_one() {
    let zero = "tokenbind-proxy: /dev/zero: a regular file expected but a device found\n";
    let directory = directory("zero");
    let config = directory.join("proxy.toml");
    certificate(&directory, &Pki::new());
    fs::write(&config, COMPLETE).unwrap();
    for (option, config) in [
        ("--cert", config.to_str().unwrap()),
        ("--key", config.to_str().unwrap()),
        ("--config", "/dev/zero"),
    ] {
        let mut command = proxy();
        command.args(["--check", "--config", config]);
        if option != "--config" {
            command.args([option, "/dev/zero"]);
        }
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), zero, "{option}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn reports_a_full_disk_once_and_by_name() {
    let directory = directory("full");
    let config = directory.join("proxy.toml");
    certificate(&directory, &Pki::new());
    fs::write(&config, COMPLETE).unwrap();
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["man"],
        &["completions", "bash"],
        &["--check", "--config", config.to_str().unwrap()],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let output = proxy()
            .args(arguments)
            .stdout(full.unwrap())
            .output()
            .unwrap();
        let expected = "tokenbind-proxy: standard output: No space left on device (os error 28)\n";
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            expected,
            "{arguments:?}"
        );
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn folds_help_to_the_width_of_the_terminal() {
    let help = proxy()
        .arg("--help")
        .env("COLUMNS", "80")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    for line in String::from_utf8(help.stdout).unwrap().lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
