//! The vectors pass, are all there, and are what the independent sources generate.

use conformance::{Options, check_schemas, known_answers, repository, run};
use conformance_deep_latch::PROTOCOL;

/// Each file in `vectors`, and the number of its cases: whoever adds or removes cases changes the number here as well.
const FILES: &[(&str, usize)] = &[
    ("delivery-status.json", 19),
    ("imap-capability.json", 21),
    ("imap-commands.json", 108),
    ("imap-id.json", 153),
    ("imap-proxy.json", 45),
    ("latch.json", 295),
    ("pop-capa.json", 30),
    ("proxy.json", 82),
    ("registration.json", 38),
    ("relay.json", 21),
    ("security-latch.json", 89),
    ("smtp-client.json", 58),
    ("smtp-ehlo.json", 31),
    ("status.json", 209),
    ("tag.json", 67),
    ("tls-cipher.json", 69),
];

#[test]
fn runs_every_case_of_every_file_and_all_pass() {
    let root = repository();
    let options = Options::own_vectors(root.clone());
    let report = run(&options, &[PROTOCOL], |_| ()).expect("a report");
    assert!(report.passed, "{}", report.table(80));
    let folder = PROTOCOL.folder(&root);
    let folder = folder.strip_prefix(&root).expect("a folder of the project");
    let ran: Vec<_> = report
        .suites
        .iter()
        .map(|suite| (suite.file.clone(), suite.cases.len()))
        .collect();
    let expected = FILES.iter().map(|(file, cases)| {
        let file = folder.join("vectors").join(file);
        (file.display().to_string(), *cases)
    });
    assert_eq!(ran, expected.collect::<Vec<_>>());
}

#[test]
fn regenerates_the_known_answers_to_the_same_bytes() {
    match known_answers(&repository(), &PROTOCOL) {
        Ok(outputs) => {
            assert!(!outputs.is_empty(), "no generator");
            for output in outputs {
                assert!(output.status.success(), "{output:?}");
            }
        }
        Err(missing) => panic!("{missing}"),
    }
}

#[test]
fn has_a_schema_for_each_file_that_the_file_keeps() {
    assert_eq!(check_schemas(&repository(), &PROTOCOL), Ok(FILES.len()));
}
