//! `docs/conformance.md`: what is claimed, with its evidence. The page follows from the ledgers, the vectors and the
//! scenarios alone, so that it changes only if one of them does; no verdict of a run is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use super::html::link;
use crate::{
    ledger::{Evidence, Ledger, Level, Requirement, Status, coverage},
    locate::TestPlaces,
    protocol::Protocol,
    run::{RunError, own_vectors, read_ledgers},
    text::counted,
    vector::{Origin, VectorFile},
};

/// The path of the page below the repository's root.
pub const DOCUMENT: &str = "docs/conformance.md";

/// Returns the text of the page.
///
/// # Errors
/// Returns an error if a ledger or a vector file cannot be read.
pub fn document(root: &Path, protocols: &[Protocol]) -> Result<String, RunError> {
    let ledgers = read_ledgers(root, protocols)?;
    let mut files = BTreeMap::new();
    for path in own_vectors(root, protocols)? {
        let file = VectorFile::load(&path, Origin::Own).map_err(RunError::Vectors)?;
        let place = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .display()
            .to_string();
        files.insert(file.suite, (place, file.cases.len()));
    }
    let scenarios = protocols.iter().flat_map(Protocol::scenarios);
    let ours = scenarios.filter(|it| it.peer.is_none()).count();
    // Not every build has the scenarios with foreign peers.
    let foreign = protocols.iter().flat_map(|it| it.peers);
    let foreign = foreign.map(|it| it.name).collect::<BTreeSet<_>>().len();
    let cases: usize = files.values().map(|(_, cases)| cases).sum();
    let entries: usize = ledgers.iter().map(|it| it.requirements.len()).sum();
    let mut text = format!(
        "<!-- Written by `cargo xtask conformance --write-docs`: do not edit. -->\n\
         # Conformance\n\n\
         This page lists {entries} requirements of {}, in our own words, with the section of each and the evidence that it is \
         met: {cases} cases in {}, {ours} live scenarios, and tests. `cargo xtask interop` runs further scenarios with {foreign} foreign peers.\n\n\
         The page is the claim: `cargo xtask conformance` runs the vectors and the live scenarios, takes the tests' outcomes as \
         they were last recorded (`--full` runs the tests), and writes the verdict to `target/conformance/index.html`, with each \
         case octet by octet, `report.json` and `junit.xml`. An entry without a passing run of all its evidence fails. \
         `cargo test -p CRATE --all-features NAME` runs one test, `cargo xtask conformance --only-vectors` all cases. An \
         implementation in another language can [use the vectors as well](guides/other-language.md); [vectors.md](vectors.md) has \
         their form, [drafts.md](drafts.md) the decisions where a draft is ambiguous, and \
         [CONTRIBUTING.md](../CONTRIBUTING.md#adding-a-requirement) the fields of an entry.\n\n",
        counted(ledgers.len(), "ledger"),
        counted(files.len(), "suite"),
    );
    summary(&mut text, &ledgers);
    partial(&mut text, &ledgers);
    key_words(&mut text, &ledgers);
    text += "## Suites of vectors\n\n| suite | cases |\n|---|---:|\n";
    for (suite, (place, cases)) in &files {
        let _ = writeln!(text, "| [{suite}](../{place}) | {cases} |");
    }
    let mut tests = TestPlaces::new(root);
    for ledger in &ledgers {
        let _ = write!(text, "\n## {}\n\n", ledger.draft);
        for entry in &ledger.requirements {
            requirement(&mut text, ledger, entry, &files, &mut tests);
        }
    }
    Ok(text)
}

fn summary(text: &mut String, ledgers: &[Ledger]) {
    *text += "## Summary\n\n| ledger | MUST | SHOULD | MAY | statement | done | partial | deviating | open | not applicable |\n\
        |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    for ledger in ledgers {
        let of = |is: &dyn Fn(&Requirement) -> bool| {
            ledger.requirements.iter().filter(|it| is(it)).count()
        };
        let levels = |levels: [Level; 2]| of(&|it| levels.contains(&it.level));
        let status = |status| of(&|it| it.status == status);
        let anchor = ledger.draft.to_lowercase();
        let _ = writeln!(
            text,
            "| [{}](#{anchor}) | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            ledger.draft,
            levels([Level::Must, Level::MustNot]),
            levels([Level::Should, Level::ShouldNot]),
            levels([Level::May, Level::May]),
            levels([Level::Statement, Level::Statement]),
            status(Status::Done),
            status(Status::Partial),
            status(Status::Deviates),
            status(Status::Open),
            status(Status::NotApplicable),
        );
    }
}

fn partial(text: &mut String, ledgers: &[Ledger]) {
    *text += "\n## Partial and deviating\n\n";
    let entries = ledgers.iter().flat_map(|it| &it.requirements);
    let gathered =
        entries.filter(|it| matches!(it.status, Status::Partial | Status::Deviates | Status::Open));
    for entry in gathered {
        let reason = entry.reason.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "- [{id}](#{id}), {}, {}: {} *{}*",
            entry.level.label(),
            entry.status.label(),
            plain(&entry.text),
            plain(reason),
            id = entry.id,
        );
    }
}

fn key_words(text: &mut String, ledgers: &[Ledger]) {
    *text += "\n## Key words\n\nThe number of MUST, SHOULD and MAY in each section is kept in the ledger. A run fails unless the \
        entries of each section cover as many, level by level.\n\n| document | key words | sections |\n|---|---|---:|\n";
    for document in coverage(ledgers) {
        let words = match &document.not_counted {
            Some(why) => format!("not counted: {why}"),
            None => document.counted().to_string(),
        };
        let (name, sections) = (&document.document, document.sections.len());
        let _ = writeln!(text, "| {name} | {words} | {sections} |");
    }
    *text += "\n";
}

fn requirement(
    text: &mut String,
    ledger: &Ledger,
    entry: &Requirement,
    files: &BTreeMap<String, (String, usize)>,
    tests: &mut TestPlaces<'_>,
) {
    let (id, section) = (&entry.id, &entry.section);
    let place = match link(&ledger.document, section) {
        Some(link) => format!("[section {section}]({link})"),
        None => format!("section {section}"),
    };
    let state = match entry.status {
        Status::Done => String::new(),
        other => format!(", **{}**", other.label()),
    };
    let _ = write!(
        text,
        "### {id}\n\n{}, {}, {place}{state}. {}",
        entry.level.label(),
        entry.role.label(),
        plain(&entry.text),
    );
    if let Some(reason) = &entry.reason {
        let _ = write!(text, " *{}*", plain(reason));
    }
    if !entry.evidence.is_empty() {
        let shown = |evidence: &Evidence| {
            let file = match evidence {
                Evidence::Vector { suite, .. } => files.get(suite).map(|it| it.0.clone()),
                Evidence::Test { package, path } => tests.find(package, path).map(|it| it.0),
                Evidence::Live { .. } => None,
            };
            let name = evidence.to_string();
            match file {
                Some(file) => format!("[`{name}`](../{file})"),
                None => format!("`{name}`"),
            }
        };
        let shown: Vec<_> = entry.evidence.iter().map(shown).collect();
        let count = counted(shown.len(), "piece");
        let _ = write!(
            text,
            "\n\n<details><summary>{count} of evidence</summary>\n\n- {}\n\n</details>",
            shown.join("\n- ")
        );
    }
    *text += "\n\n";
}

/// Returns text in which no character has a meaning in Markdown.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\`*_[]<>|#".contains(character) {
            plain.push('\\');
        }
        plain.push(character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_words_of_an_entry_as_they_are() {
        assert_eq!(plain("a_b <c> *d*"), "a\\_b \\<c\\> \\*d\\*");
    }

    #[test]
    fn names_section_state_and_evidence_of_an_entry() {
        let ledger = "[[requirement]]\nid='x-1'\nsection='2.1'\nlevel='MUST NOT'\nrole='client'\ntext='t'\n\
            status='partial'\nreason='r'\nevidence=['vector:p/s/c', 'live:p/l']";
        let ledger = Ledger::parse("draft-d-00", ledger).expect("valid");
        let files = BTreeMap::from([("p/s".to_owned(), ("v.json".to_owned(), 1))]);
        let mut text = String::new();
        let mut tests = TestPlaces::new(Path::new("."));
        requirement(
            &mut text,
            &ledger,
            &ledger.requirements[0],
            &files,
            &mut tests,
        );
        assert_eq!(
            text,
            "### x-1\n\nMUST NOT, client, [section \
             2.1](https://datatracker.ietf.org/doc/html/draft-d-00#section-2.1), **partial**. t *r*\n\n\
             <details><summary>2 pieces of evidence</summary>\n\n- [`vector:p/s/c`](../v.json)\n- `live:p/l`\n\n\
             </details>\n\n"
        );
    }
}
