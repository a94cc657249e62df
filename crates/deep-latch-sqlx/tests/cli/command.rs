//! The command with databases of each state, its output as JSON, its deletions, and the width of its tables.

use super::*;

#[tokio::test]
async fn says_that_a_database_is_missing_or_empty_and_creates_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.db");
    let database = format!("sqlite:{}", path.display());
    for arguments in [
        &["report", "tls-cert"][..],
        &["report"],
        &["purge", "--days", "1"],
        &["forget", "alice"],
    ] {
        let err = format!("deep-latch: the report database does not exist: {path:?}");
        let ran = deep_latch(&database, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ran.err.starts_with(&err), "{}", ran.err);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
    let sink = SqliteReportSink::open(&path, ReportSinkOptions::default()).await;
    sink.unwrap().close().await;
    let err = "deep-latch: the database has no reports\n";
    expect_failure(&database, &["report", "tls-cert"], 1, err);
    expect_failure(&database, &["report", "--json"], 1, err);
    for wrong in ["", "sqlite:", "mysql://x:secret@y", "reports.db"] {
        let err = "deep-latch: --database: sqlite:PATH or postgres://... is expected\n";
        expect_failure(wrong, &["report"], 2, err);
    }
    let err = "deep-latch: --database: not a URL of PostgreSQL\n";
    expect_failure("postgres://user:secret@[/x", &["report"], 2, err);
}

#[test]
fn says_that_a_directory_is_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(directory.path()).unwrap();
    let database = format!("sqlite:{}", path.display());
    let err = format!("deep-latch: the report database is not a regular file: {path:?}\n");
    expect_failure(&database, &["report"], 2, &err);
    expect_failure(&database, &["purge", "--days", "1"], 2, &err);
}

#[test]
fn folds_help_to_the_width_of_the_terminal() {
    for arguments in [
        &["--help"][..],
        &["report", "--help"],
        &["purge", "--help"],
        &["forget", "--help"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deep-latch"));
        let command = command.args(arguments).env("COLUMNS", "80");
        let help = command.stdin(std::process::Stdio::null()).output().unwrap();
        for line in String::from_utf8(help.stdout).unwrap().lines() {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn reports_a_full_disk_once_and_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let database = filled(&directory.path().join("reports.db")).await;
    for arguments in [
        &["report"][..],
        &["--help"],
        &["report", "--help"],
        &["--version"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let ran = Command::new(env!("CARGO_BIN_EXE_deep-latch"))
            .args(arguments)
            .env("DEEP_LATCH_DATABASE", &database)
            .stdout(full.unwrap())
            .output()
            .unwrap();
        let expected = "deep-latch: standard output: No space left on device (os error 28)\n";
        assert_eq!(String::from_utf8(ran.stderr).unwrap(), expected);
        assert_eq!(ran.status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn prints_json() {
    let directory = tempfile::tempdir().unwrap();
    let database = filled(&directory.path().join("reports.db")).await;
    let parsed = |arguments: &[&str]| -> Value {
        let ran = deep_latch(&database, arguments);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        serde_json::from_str(&ran.out).unwrap()
    };
    let mut answer = parsed(&["report", "tls-cert", "--json", "--host", "smtp.example.com"]);
    for path in [
        "/asked/since",
        "/what_breaks/programs/0/last_seen",
        "/what_breaks/programs/0/versions/0/last_seen",
    ] {
        let time = answer.pointer_mut(path).unwrap();
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        *time = Value::Null;
    }
    let expected = json!({
        "asked": {"days": 90, "since": null, "host": "smtp.example.com"},
        "what_breaks": {
            "tag": "tls-cert",
            "clients": 1,
            "of": 1,
            "failing": 0,
            "programs": [{
                "name": "Phone", "clients": 1, "of": 1, "failing": 0, "last_seen": null, "last_failure": null,
                "versions": [{
                    "version": "7", "clients": 1, "of": 1, "failing": 0, "last_seen": null, "last_failure": null,
                }],
                "versions_left_off": 0,
            }],
            "programs_left_off": 0,
        },
    });
    assert_eq!(answer, expected);
    let answer = parsed(&["report", "--json", "--days", "365"]);
    assert_eq!(answer.pointer("/overview/clients"), Some(&json!(6)));
    assert_eq!(
        answer.pointer("/overview/tags/0/tag"),
        Some(&json!("tls-cert"))
    );
    assert_eq!(answer.pointer("/overview/tags/0/latched"), Some(&json!(5)));
    assert_eq!(
        answer.pointer("/overview/programs/1/versions/1/version"),
        Some(&json!("7"))
    );
}

#[tokio::test]
async fn forgets_what_is_old_and_whom_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let database = filled(&path).await;
    expect(
        &database,
        &["purge", "--days", "100"],
        "1 record deleted.\n",
    );
    expect(
        &database,
        &["purge", "--days", "100", "--vacuum"],
        "0 records deleted.\n",
    );
    // Of two versions.
    expect(
        &database,
        &["forget", "alice", "--vacuum"],
        "2 records deleted.\n",
    );
    let err = "deep-latch: there are no clients of the account \"alice\"\n";
    expect_failure(&database, &["forget", "alice"], 1, err);
    assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("alice"));
    let ran = deep_latch(&database, &["report", "tls-cert", "--days", "365"]);
    assert!(
        ran.out.contains("3 of 4 clients have tls-cert latched"),
        "{}",
        ran.out
    );
    let ran = deep_latch(&database, &["purge"]);
    assert_eq!(ran.code, Some(2));
    let err = "deep-latch: --days: before 1970\n";
    expect_failure(&database, &["purge", "--days", "4294967295"], 2, err);
}

#[tokio::test]
async fn fits_its_tables_into_80_columns_whatever_clients_say() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.db");
    let sink = SqliteReportSink::open(&path, ReportSinkOptions::default())
        .await
        .unwrap();
    let long = "Mail\u{1b}[2J ".repeat(20);
    for (account, software) in [
        (
            "mallory",
            (long.trim(), "very.long.version.".repeat(10).as_str()),
        ),
        // As if it were a version of another program.
        ("trudy", ("  1.5", "| 99 of 99 |")),
        ("eve", ("", "")),
    ] {
        let tag = format!("x-{}", "t".repeat(62));
        let latch = format!("tls-cert {tag}");
        record(
            &sink,
            &Report {
                account,
                software,
                latch: &latch,
                latch_fail: "tls-cert",
                ..REPORT
            },
        )
        .await;
    }
    sink.close().await;
    let database = format!("sqlite:{}", path.display());
    for arguments in [&["report"][..], &["report", "tls-cert"]] {
        let ran = deep_latch(&database, arguments);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        for line in ran.out.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        assert!(ran.out.contains("| \\u{20}"), "{}", ran.out);
        assert!(ran.out.contains("(not said)"), "{}", ran.out);
    }
}
