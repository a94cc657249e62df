//! The ledgers name tests that exist, with the modules they are in, and cover the key words of their documents. A run of the
//! suite would tell only at its end.

use std::error::Error;

use conformance::{
    DOCUMENT, DocumentCoverage, Evidence, Ledger, TestPlaces, coverage, document, repository,
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
            if places.find(package, path).is_none() {
                missing.push(evidence.to_string());
            }
        }
    }
    assert!(count > 250, "{count} names");
    assert_eq!(missing, Vec::<String>::new());
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
