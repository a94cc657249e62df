//! States over time, and changes.

use crate::world::{World, text};

fn since(world: &World, since: &str) -> (Option<i32>, String) {
    let state = world.path("states.db");
    let output = world.run(&["--state", state.to_str().unwrap(), "--since", since]);
    assert!(output.stderr.is_empty(), "{output:?}");
    (output.status.code(), text(&output))
}

#[test]
fn shows_changes_since_the_last_run_only() {
    let world = World::with_days_left(60);
    let (code, first) = since(&world, "last");
    assert_eq!(code, Some(0));
    // All that is not good is new.
    assert_eq!(first.matches("  new  ").count(), 5, "{first}");
    let (code, second) = since(&world, "last");
    assert_eq!(code, Some(0));
    assert_eq!(second, "OK example.org: 5 advice, 6 good\n  no change\n");
    world.replace(&world.issue(20));
    let (code, third) = since(&world, "last");
    assert_eq!(code, Some(1));
    let lines: Vec<_> = third.lines().collect();
    assert_eq!(lines.len(), 3, "{third}");
    assert_eq!(lines[0], "WARNING example.org: 1 warning, 5 advice, 5 good");
    assert_eq!(
        lines[1],
        format!(
            "  warning    was good  validity  {} at 127.0.0.1",
            world.server()
        )
    );
    assert!(
        lines[2]
            .trim_start()
            .starts_with("The certificate expires in "),
        "{third}"
    );
    // The exit code is that of all findings.
    let (code, fourth) = since(&world, "last");
    assert_eq!(code, Some(1));
    assert!(fourth.ends_with("\n  no change\n"), "{fourth}");
    // A day ago nothing was known.
    let (_, day) = since(&world, "24h");
    assert_eq!(day.matches("  new  ").count(), 6, "{day}");
}

#[test]
fn prints_changes_as_json() {
    let world = World::with_days_left(60);
    let state = world.path("states.db");
    let state = state.to_str().unwrap();
    let _first = world.run(&["--state", state]);
    world.replace(&world.issue(-1));
    let output = world.run(&["--state", state, "--since", "last", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let value: serde_json::Value = serde_json::from_str(&text(&output)).unwrap();
    let changes = value["domains"][0]["changes"].as_array().unwrap();
    let changes: Vec<_> = changes
        .iter()
        .map(|it| {
            (
                it["check"].as_str(),
                it["before"].as_str(),
                it["state"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            (Some("connection"), Some("good"), Some("bad")),
            (Some("deep"), Some("good"), Some("bad")),
            (Some("validity"), Some("good"), Some("bad")),
        ]
    );
    assert_eq!(value["domains"][0].get("findings"), None);
}

#[cfg(unix)]
#[test]
fn keeps_the_states_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::with_days_left(60);
    let state = world.path("states.db");
    let output = world.run(&["--state", state.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let mode = std::fs::metadata(&state).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A file that is no database is not replaced.
    std::fs::write(&state, "precious").unwrap();
    let output = world.run(&["--state", state.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(std::fs::read(&state).unwrap(), b"precious");
}

/// Changes a database by other means.
fn around(world: &World, path: &std::path::Path, sql: &'static str) {
    use sqlx::{Connection as _, Executor as _, SqliteConnection, sqlite::SqliteConnectOptions};

    world.runtime.block_on(async {
        let file = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    });
}

#[cfg(unix)]
#[test]
fn refuses_a_database_of_another_program_and_one_of_a_later_version() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::with_days_left(60);
    let path = world.path("contacts.db");
    around(&world, &path, "CREATE TABLE contacts (name TEXT)");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let refused = |path: &std::path::Path| {
        let output = world.run(&["--state", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(text(&output), "");
        String::from_utf8(output.stderr).unwrap()
    };
    let message = format!("mail-tls: the database is another program's: {path:?}\n");
    assert_eq!(refused(&path), message);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let path = world.path("states.db");
    let state = ["--state", path.to_str().unwrap()];
    assert_eq!(world.run(&state).status.code(), Some(0));
    // A database of a version without the mark.
    around(&world, &path, "PRAGMA application_id = 0");
    assert_eq!(world.run(&state).status.code(), Some(0));
    let later = "INSERT INTO mail_tls_monitor_migrations \
        (version, description, success, checksum, execution_time) VALUES (9, 'later', TRUE, x'00', 0)";
    around(&world, &path, later);
    let message =
        format!("mail-tls: the schema is of an unknown version or was changed: {path:?}\n");
    assert_eq!(refused(&path), message);
}

/// A backup that holds the database, or a full disk.
#[cfg(unix)]
#[test]
fn shows_the_findings_though_the_states_cannot_be_kept() {
    use sqlx::{Connection as _, Executor as _, SqliteConnection, sqlite::SqliteConnectOptions};

    let world = World::with_days_left(20);
    let path = world.path("states.db");
    let metrics = world.path("mail.prom");
    let [state, prom] = [&path, &metrics].map(|path| path.to_str().unwrap());
    assert_eq!(world.run(&["--state", state]).status.code(), Some(1));
    let held = world.runtime.block_on(async {
        let file = SqliteConnectOptions::new().filename(&path);
        let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
        connection.execute("BEGIN EXCLUSIVE").await.unwrap();
        connection
    });
    let output = world.run(&["--state", state, "--since", "last", "--metrics", prom]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let shown = text(&output);
    assert!(
        shown.starts_with("WARNING example.org: 1 warning"),
        "{shown}"
    );
    assert!(shown.contains("The certificate expires in "), "{shown}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("mail-tls: the states are not kept: ") && error.contains("locked"),
        "{error}"
    );
    assert!(metrics.exists());
    // Findings are no failure of the service; this is one.
    let output = world.run(&["--state", state, "--exit-zero"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    drop(held);
}

/// A full disk under the file that takes the findings.
#[cfg(target_os = "linux")]
#[test]
fn reports_findings_that_cannot_be_printed() {
    let world = World::with_days_left(60);
    for more in [&[][..], &["--json"]] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut command = world.command(more);
        let output = command.stdout(full.unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("mail-tls: standard output: "), "{error}");
    }
}

/// The states are kept, so the next run would show none of the changes.
#[test]
fn shows_the_findings_though_a_file_cannot_be_written() {
    let world = World::with_days_left(20);
    std::fs::write(world.path("file"), "").unwrap();
    let path = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let (state, html, metrics) = (path("states.db"), path("file"), path("missing/mail.prom"));
    let output = world.run(&["--state", &state, "--since", "last", "--html", &html]);
    assert_eq!(output.status.code(), Some(3));
    let shown = text(&output);
    assert!(
        shown.starts_with("WARNING example.org: 1 warning"),
        "{shown}"
    );
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with(&format!("mail-tls: {html}: ")), "{error}");
    // Another file is written nevertheless.
    let html = path("html");
    let arguments = ["--state", &state, "--metrics", &metrics, "--html", &html];
    let output = world.run(&arguments);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output).starts_with("WARNING example.org: 1 warning"));
    assert!(world.path("html/index.html").exists());
    std::fs::create_dir(world.path("missing")).unwrap();
    std::fs::remove_dir_all(world.path("html")).unwrap();
    let html = path("file");
    let arguments = ["--state", &state, "--metrics", &metrics, "--html", &html];
    assert_eq!(world.run(&arguments).status.code(), Some(3));
    assert!(world.path("missing/mail.prom").exists());
}
