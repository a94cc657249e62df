//! The grammars of `deep-latch` on generated texts: the oracles, and a second implementation in Python that must
//! say the same.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    thread,
};

use conformance::{Input, Origin, Outcome, VectorFile, python, repository};
use conformance_deep_latch::{PROTOCOL, oracle::grammar as oracle};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Map, Value, json};

#[test]
fn agrees_with_a_second_implementation_on_every_mutation() {
    let mut runner = TestRunner::deterministic();
    let mut questions = Vec::new();
    for suite in SUITES {
        let strategy = mutated(suite);
        for _ in 0..2500 {
            let fields = strategy.new_tree(&mut runner).expect("a value").current();
            questions.push((suite, fields));
        }
    }
    let script = "crates/conformance-deep-latch/python/deep_latch_reference.py";
    let mut child = Command::new(python(&repository()).expect("Python"))
        .args([script, "--judge"])
        .current_dir(repository())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python");
    let mut input = child.stdin.take().expect("a pipe");
    let lines: Vec<_> = questions
        .iter()
        .map(|(suite, fields)| {
            let mut question = fields.clone();
            question.insert("suite".into(), (*suite).into());
            format!("{}\n", json!(question))
        })
        .collect();
    let writer = thread::spawn(move || input.write_all(lines.concat().as_bytes()));
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut accepted = 0;
    let mut answers = output.lines();
    for (suite, fields) in questions {
        let answer = answers.next().expect("an answer").expect("a line");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        accepted += usize::from(answer.get("accept").is_some());
        let shown = json!(fields);
        assert_eq!(judged(suite, fields), answer, "{suite}: {shown}");
    }
    writer.join().expect("a thread").expect("a pipe");
    assert!(child.wait().expect("a process").success());
    // Both kinds are common, so neither side says the same of everything.
    assert!((3000..19500).contains(&accepted), "{accepted} accepted");
}

proptest! {
    #[test]
    fn keeps_the_oracles_for_any_text(text in "\\PC{0,80}") {
        prop_assert_eq!(oracle::any(text.as_bytes()), Ok(()));
    }

    #[test]
    fn keeps_the_oracles_for_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(oracle::any(&bytes), Ok(()));
    }

    #[test]
    fn pieces_of_the_grammars_keep_the_oracles(pieces in vec(select(PIECES), 0..40)) {
        prop_assert_eq!(oracle::any(pieces.concat().as_bytes()), Ok(()));
    }

    #[test]
    fn keeps_every_oracle_for_mutated_vectors(fields in any_suite()) {
        let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
        prop_assert_eq!(oracle::any(text.as_bytes()), Ok(()));
    }
}

/// The suites that have a text, and the fields of a case beside it.
const SUITES: [&str; 9] = [
    "tag",
    "status",
    "tls-cipher",
    "imap-capability",
    "imap-id",
    "pop-capa",
    "smtp-ehlo",
    "smtp-client",
    "security-latch",
];

type Fields = Map<String, Value>;

/// The cases of a suite whose text is short.
fn cases(suite: &str) -> Vec<Fields> {
    let path = repository().join(format!(
        "crates/conformance-deep-latch/vectors/{suite}.json"
    ));
    let file = VectorFile::load(&path, Origin::Own).expect("vectors");
    let inputs = file.cases.into_iter().map(|case| case.input);
    let short = |input: &Fields| {
        let text = input.get("text").and_then(Value::as_str);
        text.is_some_and(|text| text.len() < 300)
    };
    inputs.filter(short).collect()
}

/// Parts of the grammars.
const PIECES: &[&str] = &[
    "",
    " ",
    "  ",
    "\t",
    "\r\n ",
    "\r\n",
    "\r",
    "\n",
    "\0",
    "\u{7f}",
    "\u{fc}",
    "\u{212a}",
    "\"",
    "\\",
    "\\\"",
    "(",
    ")",
    "()",
    "(a (b))",
    "\\(",
    "{",
    "{1}\r\n",
    "{2+}\r\n",
    "}",
    "<",
    ">",
    "=",
    ",",
    ".",
    "-",
    "_",
    ":",
    "%",
    "%41",
    "/",
    "?",
    "#",
    "@",
    "[",
    "]",
    "[::1]",
    "0",
    "0x1301",
    "1",
    "a",
    "Z",
    "NIL",
    "nil",
    "DEEP",
    "CLIENT",
    "tls",
    " tls ",
    "tls10",
    "TLS12",
    "tls-cert",
    "<https://a/>",
    "<http://a>",
    "https:",
    "name=a",
    "latch=tls10",
    "latch-fail=tls10",
    "latch-failure=tls10",
    " \"deep\" \"tls10\"",
    "\"deep-status\" \"tls10\"",
    " \"latch-fail\" \"tls10\"",
    "\"latch\"",
];

fn changed(text: &str, changes: &[(Index, usize, &str)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, taken, piece) in changes {
        let at = at.index(chars.len() + 1);
        let end = chars.len().min(at + taken);
        chars.splice(at..end, piece.chars());
    }
    chars.into_iter().collect()
}

/// A case of the vectors with something put in, or taken out.
fn mutated(suite: &'static str) -> impl Strategy<Value = Fields> {
    let taken = prop_oneof![3 => Just(0_usize), 2 => Just(1), 1 => 2_usize..9];
    let changes = vec((any::<Index>(), taken, select(PIECES)), 1..4);
    (select(cases(suite)), changes).prop_map(|(mut fields, changes)| {
        let text = fields.get("text").and_then(Value::as_str);
        let text = changed(text.unwrap_or_default(), &changes);
        fields.insert("text".into(), text.into());
        fields
    })
}

fn any_suite() -> impl Strategy<Value = Fields> {
    select(&SUITES[..]).prop_flat_map(mutated)
}

fn judged(suite_name: &str, fields: Fields) -> Value {
    let name = format!("deep-latch/{suite_name}");
    let mut suites = PROTOCOL.suites();
    let suite = suites.find(|suite| suite.name == name).expect("a suite");
    match (suite.run)(Input(fields)).expect("the oracle holds") {
        Outcome::Reject { .. } => json!({"reject": {}}),
        Outcome::Accept(mut value) => {
            if let Some(fields) = value.as_object_mut() {
                fields.remove("diagnostics");
            }
            json!({"accept": value})
        }
    }
}
