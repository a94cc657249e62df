//! The built command `authres`: full outputs and exit codes.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

mod documents;
mod explain;
mod files;
mod json;
mod lint;
mod milter;
mod package;
mod stamp;
mod strip;
mod terminal;

const A1: &str = include_str!("../data/cli/a1.eml");
const TWO: &str = include_str!("../data/cli/two.mbox");

/// Exit code, standard output, standard error.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    out: Vec<u8>,
    err: String,
}

fn authres(arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_authres"))
        .args(arguments)
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("piped");
    let ran = std::thread::scope(|scope| {
        let input = input.as_ref().to_vec();
        // A command that does not read its input has closed it; one that writes meanwhile waits for its reader.
        scope.spawn(move || stdin.write_all(&input));
        child.wait_with_output().expect("the command ends")
    });
    Ran {
        code: ran.status.code(),
        out: ran.stdout,
        err: String::from_utf8(ran.stderr).expect("UTF-8"),
    }
}

/// Checks the exit code and the standard output of a command whose standard error stays empty.
#[track_caller]
fn expect(arguments: &[&str], input: impl AsRef<[u8]>, code: i32, out: &str) {
    let ran = authres(arguments, input);
    assert_eq!(String::from_utf8_lossy(&ran.out), out);
    assert_eq!((ran.code, ran.err.as_str()), (Some(code), ""));
}

const SHORT: &str = "mx.example.net; tls=pass cert.client=\"CN=a\" \
                     key.ciphersuite=AES128-SHA tls.v=TLSv1.3";

/// A comment with control characters that a terminal would obey.
const CONTROLS: &[u8] = b"Subject: x\r\nAuthentication-Results: mx.example;\r\n \
    dkim=pass (\x1b[31m\0) header.d=a.example\r\n\r\nbody\r\n";

const FORGED: &str = "Authentication-Results: mx.example; none\n";
const DATE: &str = "From a@b Thu Jan  1 00:00:00 2026\n";

/// Folded with a tab, in UTF-8, and wide characters before a fault.
const FOLDED: &str = "Authentication-Results: mx.exämple 1 (漢字);\r\n\
                      \tspf=pass (漢字) smtp.mailfrom=a@@b\r\n";
