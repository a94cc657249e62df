//! Standard output that fails, the width of lines, and fields that are too long to be searched.

use super::*;

/// Forged after more than 1 MiB of another field, for readers for whom a bare CR ends a line.
fn long() -> String {
    let long = "x".repeat(2 << 20);
    format!("Subject: {long}\rAuthentication-Results: mx.example; dkim=pass\r\nTo: a\r\n\r\nb")
}

#[test]
fn reports_a_field_that_is_too_long_to_be_searched_as_an_error() {
    let message = format!("From: a\r\n{}", long());
    let error = "error: stdin:2: field 1 is longer than 1 MiB: hidden fields after that were not searched for; \
                 `authres strip --check` does\n";
    expect(&["explain"], &message, 1, error);
    expect(
        &["lint"],
        &message,
        1,
        &format!("{error}1 error in 0 fields\n"),
    );
    let json = "{\n  \"file\": \"stdin\",\n  \"input\": \"message\",\n  \"fields\": [],\n  \
                \"not_searched\": [{\"message\":0,\"field\":1,\"line\":2}]\n}\n";
    expect(&["json"], &message, 1, json);
    for command in ["explain", "lint", "json"] {
        expect(&["--quiet", command], &message, 1, "");
    }
}

/// Runs the command with standard output on a full disk.
#[cfg(target_os = "linux")]
fn on_full_disk(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let mut child = Command::new(env!("CARGO_BIN_EXE_authres"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(full.expect("a device"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("piped");
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let ran = child.wait_with_output().expect("the command ends");
    let error = String::from_utf8(ran.stderr).expect("UTF-8");
    (ran.status.code(), error)
}

#[cfg(target_os = "linux")]
#[test]
fn reports_a_full_disk_once_and_by_name() {
    let expected = "authres: standard output: No space left on device (os error 28)\n";
    let milter = [
        "milter",
        "--check",
        "--authserv-id",
        "a.example",
        "--listen",
        "unix:/x",
    ];
    for (arguments, code) in [
        (&["explain"][..], 2),
        (&["lint"], 2),
        (&["json"], 2),
        (&["strip", "--own", "mx.other", "--report", "none"], 2),
        (&["strip", "--all", "--check"], 2),
        (&["strip", "--all", "--check", "--report", "json"], 2),
        (&["--help"], 2),
        (&["strip", "--help"], 2),
        (&["--version"], 2),
        (&["man"], 2),
        (&["completions", "bash"], 2),
        (
            &[
                "stamp",
                "--authserv-id",
                "mx.example",
                "--on-error",
                "accept",
                "--quiet",
            ],
            75,
        ),
        (&milter, 1),
    ] {
        let ran = on_full_disk(arguments, A1);
        assert_eq!(ran, (Some(code), expected.to_owned()), "{arguments:?}");
    }
    let path = format!("{}/cli-full", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, A1).expect("writable");
    let ran = on_full_disk(&["explain", &path, &path], "");
    assert_eq!(ran, (Some(2), expected.to_owned()));
}

#[cfg(unix)]
#[test]
fn refuses_a_configuration_that_is_not_a_regular_file() {
    for command in ["stamp", "milter"] {
        let ran = authres(&[command, "--config", "/dev/zero"], "");
        let expected = "authres: /dev/zero: a regular file expected but a device found\n";
        assert_eq!((ran.code, ran.err.as_str()), (Some(2), expected));
    }
}

#[test]
fn folds_help_to_the_width_of_the_terminal() {
    for command in ["", "explain", "lint", "json", "strip", "stamp", "milter"] {
        let mut arguments = vec![command, "--help"];
        arguments.retain(|it| !it.is_empty());
        let mut help = Command::new(env!("CARGO_BIN_EXE_authres"));
        help.args(arguments)
            .env("COLUMNS", "80")
            .stdin(Stdio::null());
        let help = help.output().expect("the command runs").stdout;
        let help = String::from_utf8(help).expect("UTF-8");
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
    }
}

#[test]
fn folds_meanings_to_the_width_and_no_values() {
    let value = "m".repeat(70);
    let ran = authres(
        &["explain", "--width", "60"],
        format!("{value}.example; tls=pass tls.v=TLS1.3"),
    );
    let out = String::from_utf8(ran.out).expect("UTF-8");
    let expected = format!(
        "authserv-id  {value}.example
             the server that made these checks; trust it
             only if the border MTA removes forged fields
version      1, as none is given

tls=pass
  method   the TLS session the message came over
           (draft-martin-authentication-results-tls-03)
  result   sent encrypted; the client's certificate and host
           identity were verified
"
    );
    assert!(out.contains(&expected), "{out}");
}
