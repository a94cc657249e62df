//! The shape of the workspace's test files: short ones, each of which begins with a test.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

/// The most lines of a file.
const MAX_LINES: usize = 500;

/// The last line on which the first test of a file begins.
const FIRST_TEST: usize = 60;

#[test]
fn keeps_test_files_short_and_begins_each_with_a_test() -> Result<(), Box<dyn Error>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    find(&crates, false, &mut files)?;
    assert!(files.len() > 200, "{} files", files.len());
    let mut faults = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path)?;
        let lines = text.lines().count();
        if lines > MAX_LINES {
            faults.push(format!("{}: {lines} lines", path.display()));
        }
        // A file without tests helps others.
        if let Some(first) = text.lines().position(begins_a_test)
            && first >= FIRST_TEST
        {
            let line = first.saturating_add(1);
            faults.push(format!(
                "{}: the first test is on line {line}",
                path.display()
            ));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    Ok(())
}

fn begins_a_test(line: &str) -> bool {
    ["#[test]", "#[tokio::test"]
        .iter()
        .any(|attribute| line.trim_start().starts_with(attribute))
}

/// Adds the Rust files below the folders named `tests`.
fn find(folder: &Path, is_tests: bool, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "target" {
                find(&path, is_tests || name == "tests", files)?;
            }
        } else if is_tests && path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
