//! The documents cite tests, vectors and scenarios that exist.

use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use conformance::repository;
use serde_json::Value;

#[test]
fn finds_each_test_vector_and_scenario_that_the_documents_cite() -> Result<(), Box<dyn Error>> {
    let root = repository();
    let names = Names::read(&root)?;
    let mut missing = Vec::new();
    for document in ["architecture.md", "drafts.md", "security.md"] {
        let text = fs::read_to_string(root.join("docs").join(document))?;
        let cited = cited(&text);
        assert!(cited.len() > 20, "{document}: {} names", cited.len());
        let not_found = cited.into_iter().filter(|name| !names.contain(name));
        missing.extend(not_found.map(|name| format!("{document}: {name}")));
    }
    assert_eq!(missing, Vec::<String>::new());
    Ok(())
}

#[test]
fn finds_names_in_paragraphs_and_tables() {
    let text = "**`a-b`.** `option_of_three` counts. Tests: `refuses_a_bad_thing`, live\n`suite/case`. \
        Vectors: `suite/other-*`, `x`.\n\n| what-is | where |\n|---|---|\n| `not-this` | `but-this`, `src/a.rs` |\n";
    assert_eq!(
        cited(text),
        [
            "suite/case",
            "suite/other-*",
            "refuses_a_bad_thing",
            "but-this"
        ]
    );
    assert!(matches("a-*-c*", "a-b-c-d") && matches("*", "") && !matches("a", "ab"));
    assert!(!matches("a*b", "ab-") && matches("a*b", "a-b"));
}

/// The names that a document can cite.
#[derive(Default)]
struct Names {
    /// Identifiers of the sources, without comments.
    identifiers: BTreeSet<String>,
    /// Crates, suites, cases as `suite/case`, and the string literals of the suite, with scenarios among them.
    cases: BTreeSet<String>,
}

fn files(
    directory: &Path,
    extension: &str,
    found: &mut Vec<PathBuf>,
) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                files(&path, extension, found)?;
            }
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    Ok(())
}

impl Names {
    fn read(root: &Path) -> Result<Self, Box<dyn Error>> {
        let mut names = Self::default();
        let (mut sources, mut vectors) = (Vec::new(), Vec::new());
        for directory in ["crates", "fuzz/fuzz_targets", "xtask"] {
            files(&root.join(directory), "rs", &mut sources)?;
        }
        files(&root.join("crates"), "json", &mut vectors)?;
        for entry in fs::read_dir(root.join("crates"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.cases.insert(name);
        }
        for path in sources {
            // This file's examples are no evidence.
            if path.ends_with("tests/documents.rs") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            for line in text.lines() {
                let code = line.split("//").next().unwrap_or_default();
                let words = code.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
                names.identifiers.extend(words.map(str::to_owned));
            }
            if path.to_string_lossy().contains("/crates/conformance") {
                let literals = text.split('"').skip(1).step_by(2);
                names.cases.extend(literals.map(str::to_owned));
            }
        }
        for path in vectors {
            let file: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
            let (Some(suite), Some(cases)) = (file["suite"].as_str(), file["cases"].as_array())
            else {
                continue;
            };
            names.cases.insert(suite.to_owned());
            for name in cases.iter().filter_map(|case| case["name"].as_str()) {
                names.cases.insert(format!("{suite}/{name}"));
            }
        }
        Ok(names)
    }

    /// Returns `true` if a name is cited correctly. A case may be cited without the first parts of
    /// its suite, and `*` matches any text.
    fn contain(&self, cited: &str) -> bool {
        if cited.contains('_') {
            return self.identifiers.contains(cited)
                || cited.contains('*') && self.identifiers.iter().any(|name| matches(cited, name));
        }
        self.cases.iter().any(|name| {
            let parts = name.match_indices('/').map(|(at, _)| at + 1);
            std::iter::once(0)
                .chain(parts)
                .filter_map(|at| name.get(at..))
                .any(|name| matches(cited, name))
        })
    }
}

/// Matches a text with a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            match rest.split_once(part) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
    }
    match last {
        Some(last) => rest.ends_with(last),
        None => rest.is_empty(),
    }
}

/// Returns the code spans that name tests, vectors or scenarios: identifiers of four words or more
/// anywhere, and lower-case names with hyphens or slashes in `evidence`, the part of a paragraph after
/// `Vectors:`, or the last column of a table.
fn cited(text: &str) -> Vec<String> {
    let mut cited = Vec::new();
    for paragraph in text.split("\n\n") {
        let rows = paragraph.lines().filter(|line| line.starts_with('|'));
        let columns = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit('|').next());
        let vectors = ["Vectors:", "Vector:", "vectors:", "live"]
            .iter()
            .filter_map(|mark| paragraph.find(mark))
            .min();
        let vectors = vectors.and_then(|at| paragraph.get(at..));
        for evidence in columns.chain(vectors) {
            // A feature in parentheses is no evidence.
            for (index, part) in evidence.split("(feature").enumerate() {
                let part = match part.split_once(')') {
                    Some((_, after)) if index > 0 => after,
                    _ => part,
                };
                cited.extend(spans(part).filter(|span| is_case(span)));
            }
        }
        cited.extend(spans(paragraph).filter(|span| is_test(span)));
    }
    cited
}

fn spans(text: &str) -> impl Iterator<Item = String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(|span| span.replace('\n', " "))
}

fn is_test(span: &str) -> bool {
    let of_names = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "_*".contains(it);
    span.chars().all(of_names) && span.matches('_').count() >= 3
}

fn is_case(span: &str) -> bool {
    let of_names = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "-/*.".contains(it);
    let is_file = [".rs", ".json", ".md", ".py"]
        .iter()
        .any(|end| span.ends_with(end));
    span.chars().all(of_names)
        && span.contains(['-', '/'])
        && span.contains(|it: char| it.is_ascii_lowercase())
        && !is_file
        && !span.ends_with('/')
}
