//! Writers to a file, killed.

use std::{fs, io::Write as _, path::Path, time::Duration};

use test_support::killed_writer::{self, Writer};

const TEST: &str = "returns_the_writes_that_were_confirmed_before_the_kill";

fn start(path: &Path) -> Writer {
    Writer::start(TEST, path.to_str().unwrap())
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn returns_the_writes_that_were_confirmed_before_the_kill() {
    if let Some(path) = killed_writer::argument() {
        let mut file = fs::File::create(path).unwrap();
        for number in 0.. {
            writeln!(file, "{number}").unwrap();
            killed_writer::confirm(&number.to_string());
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let mut writer = start(&path);
    for _ in 0..5 {
        assert!(writer.confirmed());
    }
    let confirmed = writer.kill();
    assert!(confirmed.len() >= 5);
    assert!(lines(&path).starts_with(&confirmed));
}

#[test]
fn kills_all_at_moments_that_depend_on_the_round() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let paths = [directory.path().join("a"), directory.path().join("b")];
        let writers = [start(&paths[0]), start(&paths[1])];
        let confirmed = Writer::kill_all(writers, round, Duration::from_millis(5));
        for (path, confirmed) in paths.iter().zip(confirmed) {
            assert!(round % 4 == 0 || !confirmed.is_empty());
            assert!(lines(path).starts_with(&confirmed));
            let _ = fs::remove_file(path);
        }
    }
}

#[test]
fn reports_the_end_of_a_writer() {
    // No test has this name, so the process ends without a write.
    let mut writer = Writer::start("no_such_test", "");
    assert!(!writer.confirmed());
    assert_eq!(writer.kill(), Vec::<String>::new());
}
