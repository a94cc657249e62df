//! The documents' links lead to files and headings that exist, their tables have the same cells in each row, and the
//! paths and commands that they name exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use conformance::repository;

#[test]
fn leads_each_link_to_a_file_and_a_heading() {
    let documents = Documents::read(&repository());
    let mut broken = Vec::new();
    for (path, text) in &documents.texts {
        for target in links(text) {
            if let Err(reason) = documents.resolve(path, &target) {
                broken.push(format!("{path}: {target}: {reason}"));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn has_no_link_that_only_rustdoc_resolves() {
    let documents = Documents::read(&repository());
    let mut bare = Vec::new();
    for (path, text) in &documents.texts {
        let prose = without_blocks(text);
        for (at, _) in prose.match_indices("[`") {
            let rest = prose.get(at..).unwrap_or_default();
            let Some((label, after)) = rest.split_once("`]") else {
                continue;
            };
            let is_link = after.starts_with(['(', '[', ':']);
            if !is_link && !prose.contains(&format!("{label}`]:")) {
                bare.push(format!("{path}: {label}`]"));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

#[test]
fn has_the_same_number_of_cells_in_each_row() {
    let documents = Documents::read(&repository());
    let mut uneven = Vec::new();
    for (path, text) in &documents.texts {
        let mut header = None;
        for (line, number) in without_blocks(text).lines().zip(1..) {
            if !line.starts_with('|') {
                header = None;
                continue;
            }
            let count = cells(line);
            if *header.get_or_insert(count) != count {
                uneven.push(format!("{path}:{number}: {count} cells"));
            }
        }
    }
    assert_eq!(uneven, Vec::<String>::new());
}

#[test]
fn names_paths_and_tasks_that_exist() {
    let root = repository();
    let documents = Documents::read(&root);
    let tasks = fs::read_to_string(root.join("xtask/src/main.rs")).expect("xtask");
    let mut missing = Vec::new();
    for (path, text) in &documents.texts {
        for span in spans(&without_blocks(text)) {
            if is_path(&span) && !exists(&root, &span) {
                missing.push(format!("{path}: {span}"));
            }
        }
        for (at, _) in text.match_indices("cargo xtask ") {
            let rest = text.get(at..).unwrap_or_default();
            let word = rest.split_whitespace().nth(2).unwrap_or_default();
            let word: String = word.chars().take_while(char::is_ascii_lowercase).collect();
            let variant = word.get(..1).map(str::to_uppercase);
            let variant = format!(
                "{}{}",
                variant.unwrap_or_default(),
                word.get(1..).unwrap_or_default()
            );
            if !word.is_empty() && !tasks.contains(&format!("Task::{variant}")) {
                missing.push(format!("{path}: cargo xtask {word}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn describes_each_suite() {
    let root = repository();
    let text = fs::read_to_string(root.join("docs/vectors.md")).expect("a document");
    let headings = text.lines().filter(|line| line.starts_with("## "));
    let words = headings.flat_map(|line| line.split([' ', ',']));
    let described: BTreeSet<_> = words.filter(|word| word.contains('/')).collect();
    let mut suites = BTreeSet::new();
    for entry in fs::read_dir(root.join("crates")).expect("crates") {
        let vectors = entry.expect("a crate").path().join("vectors");
        for file in fs::read_dir(vectors).into_iter().flatten() {
            let text = fs::read_to_string(file.expect("a file").path()).expect("a file");
            let suite = text.split("\"suite\": \"").nth(1).expect("a suite");
            suites.insert(suite.split('"').next().expect("a name").to_owned());
        }
    }
    let suites: BTreeSet<_> = suites.iter().map(String::as_str).collect();
    assert_eq!(described, suites);
}

#[test]
fn draws_the_dependencies_between_the_crates() {
    let root = repository();
    let text = fs::read_to_string(root.join("docs/architecture.md")).expect("a document");
    let mut drawn = BTreeMap::new();
    for line in text.lines() {
        let Some((name, arrow)) = line.split_once(" → ") else {
            continue;
        };
        let (always, optional) = arrow.split_once("optional: ").unwrap_or((arrow, ""));
        let names = |list: &str| -> BTreeSet<String> {
            let names = list.split([',', ';']).map(|it| it.trim().to_owned());
            names.filter(|it| !it.is_empty()).collect()
        };
        drawn.insert(name.trim().to_owned(), (names(always), names(optional)));
    }
    let mut expected = BTreeMap::new();
    let entries = fs::read_dir(root.join("crates")).expect("crates");
    let paths: Vec<_> = entries.map(|it| it.expect("a crate").path()).collect();
    let known: BTreeSet<_> = paths.iter().map(|it| name(it)).collect();
    for path in paths {
        let manifest = fs::read_to_string(path.join("Cargo.toml")).expect("a manifest");
        let manifest: toml::Table = manifest.parse().expect("a manifest");
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        let ours = dependencies.into_iter().flatten();
        let ours = ours.filter(|(name, _)| known.contains(*name));
        let (optional, always): (Vec<_>, Vec<_>) =
            ours.partition(|(_, it)| it.get("optional").is_some());
        let names = |list: Vec<(&String, _)>| list.into_iter().map(|it| it.0.clone()).collect();
        let (always, optional): (BTreeSet<_>, BTreeSet<_>) = (names(always), names(optional));
        // Of those that are never published, the map has the groups only.
        let is_of_evidence = name(&path).starts_with("conformance");
        if (!always.is_empty() || !optional.is_empty()) && !is_of_evidence {
            expected.insert(name(&path), (always, optional));
        }
    }
    drawn.retain(|name, _| !name.starts_with("conformance") && name != "xtask");
    assert_eq!(drawn, expected);
}

/// Returns the last part of a path.
fn name(path: &Path) -> String {
    let name = path.file_name().and_then(|it| it.to_str());
    name.expect("UTF-8").to_owned()
}

#[test]
fn gives_a_reason_for_each_dependency_of_each_crate() {
    let root = repository();
    let text = fs::read_to_string(root.join("docs/dependencies.md")).expect("a document");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|row| row.split('|').skip(1).collect())
        .collect();
    let crates = fs::read_dir(root.join("crates")).expect("crates");
    let crates: BTreeSet<_> = crates.map(|it| it.expect("a crate").file_name()).collect();
    let mut missing = Vec::new();
    for name in &crates {
        let path = root.join("crates").join(name).join("Cargo.toml");
        let manifest = fs::read_to_string(path).expect("a manifest");
        let manifest: toml::Table = manifest.parse().expect("a manifest");
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        let name = name.to_str().expect("UTF-8");
        for dependency in dependencies.into_iter().flat_map(toml::Table::keys) {
            // One of ours has its reason in the map.
            let is_ours = crates.iter().any(|it| it.to_str() == Some(dependency));
            let span = format!("`{dependency}`");
            // The names of some crates begin with that of another.
            let is_user = |users: &str| {
                let mut words = users.split(|it: char| !it.is_alphanumeric() && it != '-');
                // `conformance-*` are all crates of evidence.
                words.any(|word| word == name || word == "conformance-" && name.starts_with(word))
            };
            let has_reason = rows
                .iter()
                .any(|row| row.len() > 2 && row[0].contains(&span) && is_user(row[1]));
            if !is_ours && !has_reason {
                missing.push(format!("{dependency} of {name}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn makes_anchors_as_forges_do() {
    assert_eq!(anchor("TLS 1.3"), "tls-13");
    assert_eq!(
        anchor("Latches: see them, back them up"),
        "latches-see-them-back-them-up"
    );
    assert_eq!(
        anchor("Soundness of `tls_unique` from rustls"),
        "soundness-of-tls_unique-from-rustls"
    );
    assert_eq!(anchor("[a](b) & c"), "a--c");
    assert_eq!(
        anchors("# a\n```\n# no\n```\n## a\n"),
        ["a", "a-1"].map(str::to_owned).into()
    );
    assert_eq!(links("[a](b#c) `[d](e)` [f]\n\n[f]: g\n"), ["b#c", "g"]);
    assert_eq!(cells("| a | `b` \\| c |"), 3);
}

/// The documents of the repository by their paths.
struct Documents {
    root: PathBuf,
    texts: BTreeMap<String, String>,
}

impl Documents {
    fn read(root: &Path) -> Self {
        let mut texts = BTreeMap::new();
        let mut open = vec![PathBuf::new()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(root.join(&directory)).expect("a directory") {
                let entry = entry.expect("an entry");
                let name = entry.file_name().into_string().expect("UTF-8");
                let path = directory.join(&name);
                if entry.file_type().expect("a type").is_dir() {
                    if !["target", ".git"].contains(&name.as_str()) {
                        open.push(path);
                    }
                } else if name.ends_with(".md") {
                    let text = fs::read_to_string(root.join(&path)).expect("a document");
                    texts.insert(path.to_str().expect("UTF-8").to_owned(), text);
                }
            }
        }
        assert!(texts.len() > 20, "{} documents", texts.len());
        let root = root.to_owned();
        Self { root, texts }
    }

    /// Checks the target of a link in the document at `from`.
    fn resolve(&self, from: &str, target: &str) -> Result<(), &'static str> {
        if target.starts_with("https://") {
            return Ok(());
        }
        if target.contains("::") || target.contains(' ') {
            return Err("no path");
        }
        let (path, fragment) = match target.split_once('#') {
            Some((path, fragment)) => (path, Some(fragment)),
            None => (target, None),
        };
        let path = match path {
            "" => PathBuf::from(from),
            path => Path::new(from).parent().unwrap_or(Path::new("")).join(path),
        };
        let path = normal(&path).ok_or("outside of the repository")?;
        if !self.root.join(&path).exists() {
            return Err("no such file");
        }
        let Some(fragment) = fragment else {
            return Ok(());
        };
        let text = path.to_str().and_then(|path| self.texts.get(path));
        let anchors = anchors(text.ok_or("no document")?);
        anchors
            .contains(fragment)
            .then_some(())
            .ok_or("no such heading")
    }
}

/// Resolves `..` without the file system. Returns `None` outside of the root.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    Some(normal)
}

/// Replaces the lines of fenced blocks by empty ones.
fn without_blocks(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        if !is_fence && !is_code {
            prose.push_str(line);
        }
        is_code ^= is_fence;
        prose.push('\n');
    }
    prose
}

fn spans(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.map(|span| span.replace('\n', " ")).collect()
}

/// Returns the targets of the links outside of code.
fn links(text: &str) -> Vec<String> {
    let text = without_blocks(text);
    // Labels may have code, targets not.
    let outside: String = text.split('`').step_by(2).collect();
    let mut links: Vec<_> = outside
        .match_indices("](")
        .filter_map(|(at, _)| outside.get(at + 2..)?.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect();
    for line in outside.lines().filter(|line| line.starts_with('[')) {
        if let Some((_, target)) = line.split_once("]: ") {
            links.push(target.to_owned());
        }
    }
    links
}

/// Returns the anchors of the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in without_blocks(text).lines() {
        let heading = line.trim_start_matches('#');
        if let (true, Some(heading)) = (heading.len() < line.len(), heading.strip_prefix(' ')) {
            let first = anchor(heading);
            let mut name = first.clone();
            let mut count = 0;
            while !anchors.insert(name) {
                count += 1;
                name = format!("{first}-{count}");
            }
        }
    }
    anchors
}

/// Returns the anchor of a heading: in lower case, without punctuation, with hyphens for spaces.
fn anchor(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading;
    while let Some((before, link)) = rest.split_once("](") {
        text.push_str(before);
        rest = link.split_once(')').map_or("", |it| it.1);
    }
    text.push_str(rest);
    let kept = text.chars().filter_map(|it| match it {
        ' ' => Some('-'),
        '-' | '_' => Some(it),
        it if it.is_alphanumeric() => Some(it),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// Counts the separators of a row: those in code count, those after a backslash do not.
fn cells(row: &str) -> usize {
    let row = row.trim_end();
    row.matches('|').count() - row.matches("\\|").count()
}

/// Returns `true` for a path from the repository's root, without words to replace.
fn is_path(span: &str) -> bool {
    let roots = [
        "crates/", "docs/", "fuzz/", "xtask/", ".ci/", ".github/", ".cargo/",
    ];
    // What the fuzzer writes is in no checkout.
    let written = ["fuzz/artifacts", "fuzz/corpus", "fuzz/coverage"];
    roots.iter().any(|root| span.starts_with(root))
        && !written.iter().any(|it| span.starts_with(it))
        && !span.contains([' ', '<', '$', '{'])
        && !span.split(['/', '.', '-']).any(|part| {
            !part.is_empty()
                && part.chars().all(|it| it.is_ascii_uppercase() || it == '_')
                && part != "README"
        })
}

/// Returns `true` if the path exists; `*` matches any part of a name.
fn exists(root: &Path, span: &str) -> bool {
    let mut found = vec![root.to_owned()];
    for part in span.split('/').filter(|part| !part.is_empty()) {
        found = match part.split_once('*') {
            None => found.iter().map(|it| it.join(part)).collect(),
            Some((begin, end)) => {
                let entries = found.iter().filter_map(|it| fs::read_dir(it).ok());
                let names = entries.flatten().filter_map(Result::ok);
                let fits = names.filter(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    name.starts_with(begin) && name.ends_with(end)
                });
                fits.map(|entry| entry.path()).collect()
            }
        };
        found.retain(|path| path.exists());
    }
    !found.is_empty()
}
