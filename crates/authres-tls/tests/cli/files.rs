//! Files, output and the command line.

use super::*;

#[test]
fn accepts_empty_input() {
    let none = "stdin: no Authentication-Results field\n";
    expect(&["explain"], "", 0, none);
    expect(&["lint"], "", 0, none);
    let json = "{\n  \"file\": \"stdin\",\n  \"input\": \"message\",\n  \"fields\": []\n}\n";
    expect(&["json"], "", 0, json);
    let stripped = authres(&["strip", "--all"], "");
    assert_eq!((stripped.code, stripped.out), (Some(0), vec![]));
    assert_eq!(stripped.err, "stdin: 0 fields removed\n");
}

#[test]
fn accepts_message_without_field() {
    let message = "Subject: x\n\nAuthentication-Results: in the body\n";
    let none = "stdin: no Authentication-Results field\n";
    expect(&["explain"], message, 0, none);
    expect(&["lint"], message, 0, none);
    let json = "{\n  \"file\": \"stdin\",\n  \"input\": \"message\",\n  \"fields\": []\n}\n";
    expect(&["json"], message, 0, json);
}

#[test]
fn reads_file_as_kind_of_option_input() {
    expect(
        &["explain", "--strict", "--input", "value"],
        "Authentication-Results: mx.example; none",
        1,
        "stdin:1: a value
strictly   refused: resinfo expected at byte 22

error[expected]: resinfo expected at byte 22
 --> stdin:1:23
  |
1 | Authentication-Results: mx.example; none
  |                       ^
",
    );
    let header = "stdin: no Authentication-Results field\n";
    expect(
        &["explain", "--input", "header"],
        "mx.example; none",
        0,
        header,
    );
}

/// Makes an empty directory for a test.
fn directory(name: &str) -> std::path::PathBuf {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

#[test]
fn reads_several_files_and_maildirs() {
    let root = directory("cli-maildir");
    for name in ["cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"] {
        fs::create_dir_all(root.join(name)).expect("a directory");
    }
    let message = format!("A: b\n{FORGED}\nbody\n");
    let files = [
        ".Sent/cur/3",
        "cur/1:2,S",
        "new/2",
        "tmp/4",
        "dovecot-uidlist",
        ".Sent/maildirfolder",
    ];
    for name in files {
        fs::write(root.join(name), &message).expect("writable");
    }
    let path = root.to_str().expect("UTF-8");
    let lint = authres(&["lint", path, "-", path], "mx.example; none");
    assert_eq!(
        String::from_utf8_lossy(&lint.out)
            .matches("read as CRLF")
            .count(),
        6
    );
    assert!(lint.out.ends_with(b"no problems in 7 fields\n"));
    assert_eq!((lint.code, lint.err.as_str()), (Some(0), ""));
    let check = authres(&["strip", "--all", "--check", path], "");
    let line = |name| {
        format!(
            "{path}/{name}:2: field 1 would be removed: all: all are removed\n{path}/{name}: 1 field to remove\n"
        )
    };
    let report = [".Sent/cur/3", "cur/1:2,S", "new/2"].map(line).concat();
    assert_eq!(String::from_utf8_lossy(&check.out), report);
    assert_eq!((check.code, check.err.as_str()), (Some(1), ""));
    let refused = authres(&["strip", "--all", path], "");
    assert_eq!(refused.code, Some(2));
    let err = "authres: several files are stripped with --check, or with --output DIR\n";
    assert_eq!(refused.err, err);

    let target = directory("cli-maildir-stripped");
    let to = target.to_str().expect("UTF-8");
    let arguments = ["strip", "--all", "--quiet", "--output", to, path];
    let stripped = authres(&arguments, "");
    assert_eq!(
        (stripped.code, stripped.out, stripped.err.as_str()),
        (Some(0), vec![], "")
    );
    for name in [".Sent/cur/3", "cur/1:2,S", "new/2"] {
        let text = fs::read_to_string(target.join(name)).expect("a file");
        assert_eq!(text, "A: b\n\nbody\n");
    }
    assert!(!target.join("tmp/4").exists());
    // Nothing is overwritten, and each file is tried.
    let again = authres(&arguments, "");
    assert_eq!((again.code, again.err.matches(to).count()), (Some(2), 3));
}

#[test]
fn continues_after_unreadable_file() {
    let root = directory("cli-several");
    let path = root.join("value");
    fs::write(&path, "mx.example; none").expect("writable");
    let path = path.to_str().expect("UTF-8");
    let ran = authres(&["lint", "/nowhere", path], "");
    assert_eq!(
        String::from_utf8_lossy(&ran.out),
        "no problems in 1 field\n"
    );
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("authres: /nowhere: "), "{}", ran.err);
    let ran = authres(&["json", path, path], "");
    let documents: Result<Vec<serde_json::Value>, _> =
        serde_json::Deserializer::from_slice(&ran.out)
            .into_iter()
            .collect();
    assert_eq!(documents.expect("JSON").len(), 2);
}

/// Runs the command with an output pipe that is closed.
fn into_closed_pipe(arguments: &[&str], input: &[u8]) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_authres"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("piped");
    let _ = stdin.write_all(input);
    drop(stdin);
    let ran = child.wait_with_output().expect("the command ends");
    (
        ran.status.code(),
        String::from_utf8(ran.stderr).expect("UTF-8"),
    )
}

#[test]
fn exits_silently_if_output_is_closed() {
    let message = format!("{}\n{}", FORGED.repeat(500), "body\n".repeat(100_000));
    for arguments in [
        &["strip", "--own", "mx.other", "--report", "none"][..],
        &["strip", "--all", "--check"],
        &["strip", "--all", "--check", "--report", "json"],
        &["explain"],
        &["lint"],
        &["json"],
        &["completions", "bash"],
        &["man"],
        &["man", "strip"],
    ] {
        let ran = into_closed_pipe(arguments, message.as_bytes());
        assert_eq!(ran, (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn prints_completions_and_manual_pages() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = authres(&["completions", shell], "");
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        assert!(
            String::from_utf8_lossy(&ran.out).contains("no-subdomains"),
            "{shell}"
        );
    }
    let page = authres(&["man"], "");
    assert!(String::from_utf8_lossy(&page.out).contains(".TH authres 1"));
    let page = authres(&["man", "strip"], "");
    let text = String::from_utf8_lossy(&page.out).into_owned();
    assert!(
        text.contains(".TH authres-strip 1") && text.contains("\\-\\-no\\-subdomains"),
        "{text}"
    );
    let none = authres(&["man", "no\u{1b}ne"], "");
    let expected =
        "authres: no such subcommand: no\\u{1b}ne; there are explain, lint, json, strip, ";
    assert!(none.err.starts_with(expected), "{}", none.err);
    assert_eq!(none.code, Some(2));
}

#[test]
fn reports_missing_file_as_error() {
    let directory = env!("CARGO_TARGET_TMPDIR");
    let missing = format!("{directory}/no\u{1b}where");
    for command in ["explain", "lint", "json", "strip"] {
        let mut arguments = vec![command, &missing];
        if command == "strip" {
            arguments.push("--all");
        }
        let ran = authres(&arguments, "");
        assert_eq!((ran.code, ran.out), (Some(2), vec![]));
        let expected = format!("authres: {directory}/no\\u{{1b}}where: ");
        assert!(ran.err.starts_with(&expected), "{}", ran.err);
        assert!(!ran.err.contains('\u{1b}'));
    }
}

#[test]
fn reads_files_by_name() {
    let path = format!("{}/cli-value", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, "mx.example; none").expect("writable");
    let ran = authres(&["explain", &path], "");
    let out = format!(
        "{path}:1: a value
strictly   accepted

authserv-id  mx.example
             the server that made these checks; trust it only if the border MTA removes forged fields
version      1, as none is given
none         no authentication was done
"
    );
    assert_eq!(String::from_utf8_lossy(&ran.out), out);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn exits_with_2_for_wrong_command_lines() {
    let wrong: [&[&str]; 7] = [
        &[],
        &["frobnicate"],
        &["strip"],
        &["strip", "--own", ""],
        &["strip", "--all", "--from-trusted"],
        &["explain", "--strict", "--lenient"],
        &["lint", "--width", "3"],
    ];
    for arguments in wrong {
        let ran = authres(arguments, "");
        assert_eq!(
            (ran.code, ran.out.as_slice()),
            (Some(2), &b""[..]),
            "{arguments:?}"
        );
        assert!(ran.err.contains("Usage: authres") || ran.err.contains("--help"));
    }
    let help = authres(&["strip", "--help"], "");
    let text = String::from_utf8(help.out).expect("UTF-8");
    assert!(text.contains("Exit codes:\n  0  no problem was found, or"));
    assert_eq!(help.code, Some(0));
}
