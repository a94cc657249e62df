//! Tests of other crates that fail in each way a test can fail: none reads as passed.

use std::{collections::BTreeSet, fs, path::Path};

use conformance::{TestOutcome, TestRun, run_tests};

/// Writes a workspace with two crates, the second without requirements, and runs the tests of the first.
fn run(root: &Path, tests: &[(&str, &str)]) -> (TestRun, bool) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    };
    write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"named\", \"other\"]\n",
    );
    for name in ["named", "other"] {
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        write(&format!("{name}/Cargo.toml"), &manifest);
        write(&format!("{name}/src/lib.rs"), "");
    }
    for (name, text) in tests {
        write(&format!("named/tests/{name}.rs"), text);
    }
    let packages = BTreeSet::from(["named".to_owned()]);
    let mut builds = false;
    let run = run_tests(root, &packages, |step| {
        builds |= step == conformance::Step::Building("the tests");
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
    );
    assert!(builds);
    assert_eq!(run.executables(), 4);
    assert_eq!(run.left_out(), &BTreeSet::from(["other".to_owned()]));
    let outcome = |path| run.outcome("named", path);
    assert_eq!(outcome("passes"), Some(TestOutcome::Passed));
    assert_eq!(outcome("is_ignored"), Some(TestOutcome::Ignored));
    assert_eq!(outcome("needs"), Some(TestOutcome::Failed));
    assert_eq!((outcome("leaves"), outcome("aborts")), (None, None));
    let [aborts, needs, leaves] = run.failures() else {
        panic!("{:?}", run.failures());
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
    );
    assert!(run.does_not_compile());
    assert_eq!(
        (run.executables(), run.outcome("named", "broken")),
        (0, None)
    );
    let [failure] = run.failures() else {
        panic!("{:?}", run.failures());
    };
    assert_eq!(failure.subject, "the tests do not compile, and none ran");
    assert!(failure.message.contains("cannot find function `nosuch`"));
    let next = "cargo test --no-run --workspace --all-features";
    assert_eq!(failure.next, next);
}
