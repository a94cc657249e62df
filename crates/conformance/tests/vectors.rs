//! The project's own vectors pass, and are what the independent source generates.

use conformance::{Options, known_answers, repository, run};

#[test]
fn every_vector_passes() {
    let options = Options {
        root: repository(),
        vectors: Vec::new(),
        only_vectors: true,
    };
    let report = run(&options, |_| ()).expect("a report");
    let (_, total) = report.cases();
    assert!(report.passed && total > 400, "{}", report.table());
}

#[test]
fn the_known_answers_regenerate_to_the_same_bytes() {
    match known_answers(&repository()) {
        Ok(outputs) => {
            for output in outputs {
                assert!(output.status.success(), "{output:?}");
            }
        }
        Err(missing) => panic!("{missing}"),
    }
}
