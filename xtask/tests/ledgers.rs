//! The ledgers name tests that exist, with the modules they are in, and cover the key words of their documents. A run of the
//! suite would tell only at its end.

use std::{collections::BTreeSet, error::Error};

use conformance::{
    DOCUMENT, DocumentCoverage, Evidence, Ledger, Origin, Protocol, TestPlaces, VectorFile,
    coverage, document, own_vectors, repository,
};
use xtask::protocols::PROTOCOLS;

fn ledgers() -> Result<Vec<Ledger>, Box<dyn Error>> {
    let root = repository();
    let folders = PROTOCOLS.iter().map(|it| it.folder(&root));
    let folders: Vec<_> = folders.map(|it| it.join("requirements")).collect();
    Ok(Ledger::load_all(&folders)?)
}

#[test]
fn finds_each_test_that_the_ledgers_name() -> Result<(), Box<dyn Error>> {
    let root = repository();
    let (mut places, mut count, mut missing) = (TestPlaces::new(&root), 0, Vec::new());
    let ledgers = ledgers()?;
    let entries = ledgers.iter().flat_map(|it| &it.requirements);
    for evidence in entries.flat_map(|it| &it.evidence) {
        if let Evidence::Test { package, path } = evidence {
            count += 1;
            match places.find(package, path) {
                None => missing.push(evidence.to_string()),
                // For one unit test a run of the suite would build those of all crates.
                Some((file, _)) if !file.contains("/tests/") => {
                    missing.push(format!("{evidence}, outside tests: {file}"));
                }
                Some(_) => {}
            }
        }
    }
    assert!(count > 250, "{count} names");
    assert_eq!(missing, Vec::<String>::new());
    Ok(())
}

#[test]
fn finds_each_scenario_that_the_ledgers_name_among_those_without_a_peer()
-> Result<(), Box<dyn Error>> {
    let scenarios = PROTOCOLS.iter().flat_map(Protocol::scenarios);
    let ours: BTreeSet<_> = scenarios
        .filter(|it| it.peer.is_none())
        .map(|it| it.name.to_owned())
        .collect();
    let ledgers = ledgers()?;
    let entries = ledgers.iter().flat_map(|it| &it.requirements);
    let named: BTreeSet<_> = entries
        .flat_map(|it| &it.evidence)
        .filter_map(|it| match it {
            Evidence::Live { name } => Some(name.clone()),
            _ => None,
        })
        .collect();
    assert!(named.len() > 30, "{} names", named.len());
    let missing: Vec<_> = named.difference(&ours).collect();
    assert_eq!(missing, Vec::<&String>::new());
    Ok(())
}

#[test]
fn covers_each_key_word_of_each_section_once() -> Result<(), Box<dyn Error>> {
    let coverage = coverage(&ledgers()?);
    let problems: Vec<_> = coverage
        .iter()
        .flat_map(DocumentCoverage::problems)
        .collect();
    assert_eq!(problems, Vec::<String>::new());
    let counted: usize = coverage.iter().map(|it| it.counted().total()).sum();
    assert!(counted > 130, "{counted} key words");
    Ok(())
}

#[test]
fn draws_messages_of_each_suite_that_has_an_annotator() -> Result<(), Box<dyn Error>> {
    let mut annotators = 0;
    let mut without = Vec::new();
    let mut drawn = std::collections::BTreeMap::<String, usize>::new();
    for path in own_vectors(&repository(), &PROTOCOLS)? {
        let file = VectorFile::load(&path, Origin::Own)?;
        let all = PROTOCOLS.iter().flat_map(|it| it.annotators);
        for annotator in all.filter(|it| it.suite == file.suite) {
            let pictures = file
                .cases
                .iter()
                .flat_map(|case| (annotator.draw)(&case.input));
            *drawn.entry(file.suite.clone()).or_default() +=
                pictures.filter(|it| !it.spans.is_empty()).count();
        }
    }
    for annotator in PROTOCOLS.iter().flat_map(|it| it.annotators) {
        annotators += 1;
        if drawn.get(annotator.suite).is_none_or(|it| *it == 0) {
            without.push(annotator.suite);
        }
    }
    assert!(annotators > 15, "{annotators} annotators");
    assert_eq!(without, Vec::<&str>::new());
    Ok(())
}

#[test]
fn finds_the_list_of_requirements_in_the_documents_as_the_ledgers_have_it()
-> Result<(), Box<dyn Error>> {
    let root = repository();
    let (written, expected) = (
        std::fs::read_to_string(root.join(DOCUMENT))?,
        document(&root, &PROTOCOLS)?,
    );
    let differs = written
        .lines()
        .zip(expected.lines())
        .find(|(one, other)| one != other);
    assert!(
        written == expected,
        "{DOCUMENT} is stale: cargo xtask conformance --write-docs; the first difference: {differs:?}"
    );
    Ok(())
}
