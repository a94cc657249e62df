//! The interface for other implementations: our own crates as one of them, the example of `docs/vectors.md`, and commands that
//! break its rules.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use conformance::{
    Comparison, ImplementationOptions, ImplementationReport, Origin, Protocol, files,
    octets::from_hex, repository, run_implementation,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::protocols::PROTOCOLS;

/// The longest time that a process may take to write a line, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

fn run(command: &str, suites: &[&str], comparison: Comparison) -> ImplementationReport {
    let folders = PROTOCOLS
        .iter()
        .map(|it| it.folder(&repository()).join("vectors"));
    let paths = folders.flat_map(|folder| files(&folder).expect("vectors"));
    let options = ImplementationOptions {
        command: command.to_owned(),
        files: paths.collect(),
        origin: Origin::Own,
        suites: suites.iter().map(|name| (*name).to_owned()).collect(),
        comparison,
        // A busy machine is no fault of the command.
        deadline: std::time::Duration::from_secs(120),
    };
    run_implementation(&options, &PROTOCOLS, |_| ()).expect("a report")
}

#[test]
fn passes_every_suite_with_our_own_crates_in_a_strict_run() {
    let names: Vec<_> = PROTOCOLS
        .iter()
        .flat_map(Protocol::suites)
        .map(|it| it.name)
        .collect();
    let report = run(
        &format!("'{XTASK}' conformance --serve"),
        &names,
        Comparison::Strict,
    );
    assert!(report.passed_all(), "{}", report.table(80));
    let mut answered: Vec<_> = report.suites.iter().map(|it| it.suite.as_str()).collect();
    let mut names = names;
    answered.sort_unstable();
    names.sort_unstable();
    assert_eq!(answered, names);
}

#[test]
fn runs_the_example_of_the_document() {
    let text = fs::read_to_string(repository().join("docs/vectors.md")).expect("a document");
    let mut blocks = text.split("```python\n").skip(1);
    let example = blocks
        .next()
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    assert_eq!(blocks.next(), None, "another example");
    assert!(example.lines().count() < 60, "{}", example.lines().count());
    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("mine.py");
    fs::write(&script, example).expect("a script");
    let command = format!("python3 '{}'", script.display());
    let report = run(&command, &["tokenbind-http/header"], Comparison::Strict);
    assert!(report.passed_all(), "{}", report.table(80));
    assert_eq!(report.cases, 89);
}

/// The order of P-256.
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// Returns the difference of two numbers in big-endian octets.
fn difference(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut octets: Vec<_> = left
        .iter()
        .zip(right)
        .rev()
        .map(|(left, right)| {
            let octet = i16::from(*left) - i16::from(*right) - borrow;
            borrow = i16::from(octet < 0);
            u8::try_from(octet.rem_euclid(256)).expect("an octet")
        })
        .collect();
    octets.reverse();
    octets
}

#[test]
fn accepts_another_signature_that_verifies_and_no_other_message() {
    let path = repository().join("crates/conformance-tokenbind-wire/vectors/sign.json");
    let file: Value =
        serde_json::from_str(&fs::read_to_string(path).expect("vectors")).expect("JSON");
    let cases = file["cases"].as_array().expect("cases");
    let raw = cases.iter().find(|case| {
        case["input"]["profile"]["signature"] == "raw64"
            && case["input"]["referred"].is_null()
            && case.get("accept").is_some()
    });
    let case = raw.expect("a case of a raw signature");
    let mut suites = PROTOCOLS.iter().flat_map(Protocol::suites);
    let suite = suites.find(|it| it.name == "tokenbind-wire/sign");
    let is_right = suite.and_then(|it| it.is_right).expect("a check");
    let input = conformance::Input(case["input"].as_object().expect("a case").clone());
    let is_right = |octets: &[u8]| {
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        is_right(&input, &case["accept"], &json!({"message": hex}))
    };
    let message = case["accept"]["message"].as_str().expect("a message");
    let message = from_hex(message).expect("hex");
    assert!(is_right(&message));
    // The signature r, s is followed by two octets of extensions. If it verifies, r, n - s does as well.
    let place = message.len() - 34..message.len() - 2;
    let mut other = message.clone();
    let order = from_hex(ORDER).expect("hex");
    other[place.clone()].copy_from_slice(&difference(&order, &message[place.clone()]));
    assert_ne!(other, message);
    assert!(is_right(&other));
    for changed in [
        place.start,
        place.end - 1,
        place.start - 33,
        5,
        message.len() - 1,
    ] {
        let mut wrong = message.clone();
        wrong[changed] ^= 1;
        assert!(!is_right(&wrong), "octet {changed}");
    }
    assert!(!is_right(&[]));
}

/// Runs the task with a small file of vectors.
fn task(command: &str, more: &[&str]) -> (Output, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let case = |name: &str, own: &str, accept: Value| json!({"name": name, "input": {"value": "a.example; spf=pass", "own": [own]}, "accept": accept});
    let cases = [
        case(
            "own",
            "a.example",
            json!({"remove": true, "reason": "own-id"}),
        ),
        case("other", "b.example", json!({"remove": false})),
    ];
    let file = json!({"suite": "authres-tls/strip", "source": "t", "count": 2, "cases": cases});
    fs::write(directory.path().join("strip.json"), file.to_string()).expect("a file");
    let output = Command::new(XTASK)
        .args(["conformance", "--implementation", command, "--vectors"])
        .arg(directory.path())
        .args(more)
        .output()
        .expect("the task");
    (output, directory)
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn shows_what_is_expected_beside_the_answer_and_counts_unsupported_as_not_passed() {
    let answers =
        r#"read a; echo '{"accept": {"remove": false}}'; read b; echo '{"unsupported": "later"}'"#;
    let (output, directory) = task(answers, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        printed(&output),
        format!(
            "FAILED authres-tls/strip own ({})\n\
             \x20 input    {{\"own\":[\"a.example\"],\"value\":\"a.example; spf=pass\"}}\n\
             \x20 expected {{\"accept\":{{\"remove\":true}}}}\n\
             \x20 actual   {{\"accept\":{{\"remove\":false}}}}\n\
             \x20suite              passed  failed  unsupported \n\
             \x20authres-tls/strip  0       1       1           \n\
             0 of 2 cases passed, 1 failed, 1 unsupported; accept or reject, and the accepted\n\
             fields that were given compared\n",
            directory.path().join("strip.json").display()
        )
    );
    let only_unsupported = "while read a; do echo '{\"unsupported\": \"later\"}'; done";
    assert_eq!(task(only_unsupported, &[]).0.status.code(), Some(1));
}

#[test]
fn ends_with_0_if_every_case_passed() {
    let answers = "while read a; do echo '{\"accept\": null}'; done";
    let (output, _directory) = task(answers, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    // Nothing was compared that a strict run compares.
    assert_eq!(task(answers, &["--strict"]).0.status.code(), Some(1));
    let (output, _directory) = task(answers, &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&report["passed"], &report["cases"]),
        (&json!(2), &json!(2))
    );
}

#[test]
fn says_what_the_trouble_with_a_command_is() {
    let first = r#"read a; echo '{"accept": null}'; "#;
    for (command, more, trouble) in [
        (
            "echo last words >&2; exit 3",
            &[][..],
            "authres-tls/strip own: the command ended without an answer (exit status: 3)\n\
             standard error of the command:\n  last words\n",
        ),
        (
            "exec sleep 60",
            &["--deadline", "1"],
            "authres-tls/strip own: no answer within 1 s\n",
        ),
        (
            "read a; echo ready; read b",
            &[],
            "authres-tls/strip own: the line is not JSON: expected value at line 1 column 1; the line is \"ready\"\n",
        ),
        (
            "read a; echo debug >&2; printf '{\"accept\":\\n null}\\n'; read b",
            &[],
            "authres-tls/strip own: the line ends within the answer, which is one line; the line is \"{\\\"accept\\\":\"\n\
             standard error of the command:\n  debug\n",
        ),
        (
            r#"read a; echo '{"name": "other", "accept": null}'; read b"#,
            &[],
            "authres-tls/strip own: the answer is for another case: its name is \"other\"; the line is \
             \"{\\\"name\\\": \\\"other\\\", \\\"accept\\\": null}\"\n",
        ),
        (
            &format!("{first} {first} echo more"),
            &[],
            "a line after the last answer: \"more\"\n",
        ),
        (
            &format!("{first} {first} exec sleep 60"),
            &["--deadline", "1"],
            "the command did not end within 1 s after the end of its input\n",
        ),
        (
            &format!("{first} {first} exec sleep 60 >&-"),
            &["--deadline", "1"],
            "the command did not end within 1 s after the end of its input\n",
        ),
        (
            &format!("{first} {first} echo leaks >&2; exit 3"),
            &[],
            "the command failed after the last answer (exit status: 3)\n\
             standard error of the command:\n  leaks\n",
        ),
        (
            "head -c 20000000 /dev/zero; sleep 60",
            &[],
            "authres-tls/strip own: the answer cannot be read: longer than 16777216 octets\n",
        ),
    ] {
        let (output, _directory) = task(command, more);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let printed = printed(&output);
        let expected = format!("\ntrouble with the command: {trouble}");
        assert!(printed.contains(&expected), "{command}: {printed}");
    }
}

#[test]
fn takes_no_line_for_an_answer_that_comes_before_the_request() {
    // The second line is seen before the next request, or taken for its answer: then another is left over.
    let twice = r#"while read a; do echo '{"accept": null}'; echo '{"accept": null}'; done"#;
    for command in [twice, "yes '{\"accept\": null}'"] {
        let (output, _directory) = task(command, &[]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let printed = printed(&output);
        let says =
            |what: &str| printed.contains(&format!("{what}: \"{{\\\"accept\\\": null}}\"\n"));
        assert!(
            says("a line before the request") || says("a line after the last answer"),
            "{printed}"
        );
    }
}

/// Returns the number that a command wrote to a file, once it is there.
fn number(path: &Path) -> u32 {
    let start = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.ends_with('\n') {
            return text.trim().parse().expect("a number");
        }
        assert!(start.elapsed() < PATIENCE, "nothing is written");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for the end of a process that is no child of this one.
fn ends(process: u32) {
    let start = Instant::now();
    while fs::exists(format!("/proc/{process}")).expect("a system with processes") {
        assert!(start.elapsed() < PATIENCE, "{process} runs");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn leaves_no_process_of_a_command_with_trouble() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("process");
    let command = format!("sleep 600 & echo $! > '{}'; wait", file.display());
    let (output, _directory) = task(&command, &["--deadline", "1"]);
    assert_eq!(output.status.code(), Some(2));
    ends(number(&file));
}

#[test]
fn ends_what_it_started_when_it_is_asked_to_end() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("process");
        let command = format!("sleep 600 & echo $! > '{}'; wait", file.display());
        let mut task = Command::new(XTASK)
            .args(["conformance", "--deadline", "600", "--implementation"])
            .arg(command)
            .stderr(Stdio::null())
            .spawn()
            .expect("the task");
        let process = number(&file);
        let mut kill = Command::new("kill");
        kill.args([signal, &task.id().to_string()]);
        assert!(kill.status().expect("kill").success());
        let status = task.wait().expect("an end");
        assert_eq!(status.code(), Some(code), "{signal}");
        ends(process);
    }
}

#[test]
fn fails_if_its_report_cannot_be_printed_and_not_if_nobody_reads_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let input = json!({"value": "a.example; spf=pass", "own": ["b.example"]});
    let case = json!({"name": "c", "input": input, "accept": {"remove": false}});
    let file = json!({"suite": "authres-tls/strip", "source": "t", "count": 1, "cases": [case]});
    fs::write(directory.path().join("strip.json"), file.to_string()).expect("a file");
    for (to, code, end) in [
        (
            ">/dev/full",
            2,
            "error: standard output: No space left on device (os error 28)\n",
        ),
        ("| sleep 0", 0, ".html\n"),
    ] {
        let line = format!(
            "set -o pipefail; '{XTASK}' conformance --vectors '{}' {to}",
            directory.path().display()
        );
        let mut shell = Command::new("bash");
        let output = shell.args(["-c", &line]).output().expect("a shell");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{to}: {error}");
        assert!(error.ends_with(end), "{to}: {error}");
    }
}

#[test]
fn says_that_no_suite_has_the_name() {
    let (output, _directory) = task("true", &["--suite", "authres-tls/stripp"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let begin = "error: no suite is called \"authres-tls/stripp\" or has it in its name, and nothing \
        ran; similar: authres-tls/strip\n";
    assert!(error.starts_with(begin), "{error}");
}
