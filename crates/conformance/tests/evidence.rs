//! Tests of other crates that fail in each way a test can fail: none reads as passed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use conformance::{Selection, Step, TestOrigin, TestOutcome, TestRun, recorded_tests, run_tests};

fn write_file(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, text).expect("a file");
}

fn named(paths: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    BTreeMap::from([("named".to_owned(), paths)])
}

/// Writes a workspace with two crates, the second without requirements, and runs these tests of the first.
fn run(root: &Path, tests: &[(&str, &str)], paths: &[&str]) -> (TestRun, bool) {
    let write = |path: &str, text: &str| write_file(root, path, text);
    write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"named\", \"other\"]\n",
    );
    let mut lock = "version = 4\n".to_owned();
    for name in ["named", "other"] {
        lock += &format!("\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        write(&format!("{name}/Cargo.toml"), &manifest);
        write(&format!("{name}/src/lib.rs"), "");
    }
    write("Cargo.lock", &lock);
    for (name, text) in tests {
        write(&format!("named/tests/{name}.rs"), text);
    }
    let mut builds = false;
    let run = run_tests(root, &Selection::Named(named(paths)), |step| {
        builds |= step == Step::Building("the tests");
    });
    (run.expect("cargo"), builds)
}

#[test]
fn reports_each_failure_with_its_message_and_the_next_command() {
    let root = tempfile::tempdir().expect("a directory");
    let (run, builds) = run(
        root.path(),
        &[
            (
                "fails",
                "#[test] fn passes() {}\n#[test] #[ignore] fn is_ignored() {}\n\
                 #[test] fn needs() { panic!(\"no server: apt-get install postgresql\") }\n",
            ),
            ("leaves", "#[test] fn leaves() { std::process::exit(0) }\n"),
            ("aborts", "#[test] fn aborts() { std::process::abort() }\n"),
        ],
        &["passes", "is_ignored", "needs", "leaves", "aborts"],
    );
    assert!(builds);
    assert_eq!(run.executables(), 3);
    assert_eq!(run.left_out(), &BTreeSet::from(["other".to_owned()]));
    let outcome = |path| run.outcome("named", path);
    assert_eq!(outcome("passes"), Some(TestOutcome::Passed));
    assert_eq!(outcome("is_ignored"), Some(TestOutcome::Ignored));
    assert_eq!(outcome("needs"), Some(TestOutcome::Failed));
    assert_eq!((outcome("leaves"), outcome("aborts")), (None, None));
    let failures = run.failures();
    let [aborts, needs, leaves] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert_eq!(aborts.subject, "the executable aborts of named");
    assert!(aborts.message.contains("SIGABRT"), "{aborts:?}");
    assert_eq!(aborts.next, "cargo test -p named --all-features");
    assert_eq!(needs.subject, "test:named::needs");
    let last = needs.message.lines().last();
    assert_eq!(last, Some("no server: apt-get install postgresql"));
    assert_eq!(needs.next, "apt-get install postgresql");
    assert_eq!(leaves.subject, "the executable leaves of named");
    let ended = "ended with exit status: 0 before its result";
    assert!(leaves.message.starts_with(ended), "{leaves:?}");
}

#[test]
fn reports_tests_that_do_not_compile_as_a_failure() {
    let root = tempfile::tempdir().expect("a directory");
    let (run, _) = run(
        root.path(),
        &[("broken", "#[test] fn broken() { nosuch() }\n")],
        &["broken"],
    );
    assert!(run.does_not_compile());
    assert_eq!(
        (run.executables(), run.outcome("named", "broken")),
        (0, None)
    );
    let failures = run.failures();
    let [failure] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert_eq!(failure.subject, "the tests do not compile, and none ran");
    assert!(failure.message.contains("cannot find function `nosuch`"));
    let next = "cargo test --no-run --package named --test broken --all-features";
    assert_eq!(failure.next, next);
}

#[test]
fn builds_only_the_targets_that_hold_the_tests() {
    let root = tempfile::tempdir().expect("a directory");
    let tests = [
        ("held", "#[test] fn passes() {}\n#[test] fn another() {}\n"),
        ("other", "#[test] fn unnamed() { does_not_compile() }\n"),
    ];
    let (run, _) = run(root.path(), &tests, &["passes"]);
    let outcomes = ["passes", "another", "unnamed"].map(|path| run.outcome("named", path));
    let passed = Some(TestOutcome::Passed);
    assert_eq!(outcomes, [passed, passed, None]);
    assert_eq!((run.executables(), run.failures()), (1, Vec::new()));
}

#[test]
fn builds_all_targets_for_a_test_that_no_file_declares() {
    let root = tempfile::tempdir().expect("a directory");
    let text = "macro_rules! test { ($a:ident) => { #[test] fn $a() {} } }\ntest!(written);\n";
    let tests = [("held", text), ("other", "#[test] fn other() {}\n")];
    let (run, _) = run(root.path(), &tests, &["written"]);
    assert_eq!(run.outcome("named", "written"), Some(TestOutcome::Passed));
    // The library, and the two files.
    assert_eq!(run.executables(), 3);
}

#[test]
fn counts_recorded_outcomes_while_the_sources_are_the_same() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    let text = "#[test] fn passes() {}\n#[test] fn fails() { panic!(\"no\") }\n";
    let (ran, _) = run(root, &[("held", text)], &["passes", "fails"]);
    assert_eq!(ran.origin("named"), Some(&TestOrigin::Ran));
    let names = named(&["passes", "fails"]);
    let recorded = || recorded_tests(root, &names).expect("a run");
    let again = recorded();
    let at = "an unknown commit".to_owned();
    assert_eq!(
        again.origin("named"),
        Some(&TestOrigin::Recorded(at.clone()))
    );
    assert!(again.is_recorded() && !ran.is_recorded());
    assert_eq!(again.failures(), ran.failures());
    for (path, outcome) in [
        ("passes", TestOutcome::Passed),
        ("fails", TestOutcome::Failed),
    ] {
        assert_eq!(again.outcome("named", path), Some(outcome));
    }
    // Another crate of the workspace, which this one does not depend on.
    write_file(root, "other/src/lib.rs", "// Changed.\n");
    assert_eq!(recorded(), again);
    write_file(root, "named/src/lib.rs", "// Changed.\n");
    let changed = recorded();
    assert_eq!(changed.origin("named"), Some(&TestOrigin::Changed(at)));
    assert_eq!(
        (changed.outcome("named", "passes"), changed.failures()),
        (None, Vec::new())
    );
    write_file(root, "named/src/lib.rs", "");
    assert_eq!(recorded(), again);
    fs::remove_file(root.join("target/conformance/tests.json")).expect("removed");
    assert_eq!(recorded().origin("named"), Some(&TestOrigin::NotRecorded));
}

#[test]
fn counts_no_recorded_outcome_after_a_change_of_a_crate_that_is_built_on() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    let tests = [("held", "#[test] fn passes() {}\n")];
    run(root, &tests, &["passes"]);
    let manifest = "[package]\nname = \"named\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
        [dev-dependencies]\nother = { path = \"../other\" }\n";
    write_file(root, "named/Cargo.toml", manifest);
    let named = named(&["passes"]);
    // The first run writes the lock file, which is a source.
    for _ in 0..2 {
        run_tests(root, &Selection::Named(named.clone()), |_| ()).expect("a run");
    }
    let outcome = || {
        let recorded = recorded_tests(root, &named).expect("a run");
        recorded.outcome("named", "passes")
    };
    assert_eq!(outcome(), Some(TestOutcome::Passed));
    write_file(root, "other/src/lib.rs", "// Changed.\n");
    assert_eq!(outcome(), None);
}
