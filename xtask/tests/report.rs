//! The report of a run has the form that its schema describes.

use conformance::{Options, Protocol, Tests, checks::report_schema, repository, run};
use xtask::protocols::PROTOCOLS;

#[test]
fn keeps_the_schema_with_vectors_and_ledgers_of_a_protocol() {
    // Live scenarios take long, and do not change the form.
    let [protocol, ..] = PROTOCOLS;
    let protocol = Protocol {
        scenarios: &[],
        ..protocol
    };
    let options = Options {
        root: repository(),
        vectors: Vec::new(),
        only_vectors: false,
        tests: Tests::Recorded,
    };
    let report = run(&options, &[protocol], |_| ()).expect("a report");
    assert_eq!(report_schema(&report), Ok(()));
    assert_eq!(report.suites.len(), protocol.suites().count());
    assert!(!report.ledgers.is_empty());
    assert!(!report.passed, "no live scenario ran");
}
