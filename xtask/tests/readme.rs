//! The examples of READMEs and guides compile in empty crates with the `cargo add` lines before each.
//!
//! Each example becomes a crate of its own, in a workspace below `target/readme`, with the versions of the repository's
//! `Cargo.lock`. The crates are checked together, so that dependencies are built once; so the features of an example's
//! dependencies are those of all examples, and the features of our crates are compared with what an example names.
//! The variable `EXAMPLES_ALONE` has each example checked alone, with its own features and no others, which takes
//! several times as long.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use conformance::{cargo, repository};
use toml::{Table, Value};

#[test]
fn compiles_the_examples_with_the_crates_that_they_add() {
    let root = repository();
    let directory = root.join("target/readme/examples");
    let examples = all(&root);
    write(&root, &directory, &examples);
    let check = |packages: &[&str]| {
        let output = cargo(&directory)
            .args(["check", "--quiet"])
            .args(packages)
            .env("CARGO_TARGET_DIR", root.join("target/readme/target"))
            .env_remove("RUSTFLAGS")
            .output()
            .expect("cargo");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{packages:?}: {errors}");
    };
    if std::env::var_os("EXAMPLES_ALONE").is_some() {
        for example in &examples {
            check(&["--package", &example.name]);
        }
    }
    check(&["--workspace"]);
}

#[test]
fn counts_the_examples_of_each_document() {
    let root = repository();
    let mut found = Vec::new();
    for path in documents(&root) {
        let text = fs::read_to_string(root.join(&path)).expect("a document");
        let count = blocks(&text).filter(|it| it.0.starts_with("rust")).count();
        if count > 0 {
            found.push((path, count));
        }
    }
    let expected: Vec<_> = DOCUMENTS.iter().map(|it| (it.0.to_owned(), it.1)).collect();
    assert_eq!(found, expected);
}

#[test]
fn says_of_each_document_which_crates_the_examples_are_pasted_into() {
    let root = repository();
    for (path, _) in DOCUMENTS {
        let text = fs::read_to_string(root.join(path)).expect("a document");
        let codes: Vec<_> = examples(path, &text)
            .into_iter()
            .map(|it| it.code)
            .collect();
        let programs = codes.iter().any(|it| it.contains(MAIN));
        let libraries = codes.iter().any(|it| !it.contains(MAIN));
        let named: BTreeSet<_> = spans(&text).collect();
        assert_eq!(named.contains("cargo new --lib"), libraries, "{path}");
        assert_eq!(named.contains("cargo new"), programs, "{path}");
    }
}

#[test]
fn adds_the_features_that_the_examples_need() {
    let root = repository();
    let mut used = BTreeSet::new();
    for Example { name, code, added } in all(&root) {
        for it in &added {
            let identifier = it.name.replace('-', "_");
            let is_named = code.contains(&format!("{identifier}::"));
            let is_named = is_named || UNNAMED.contains(&it.name.as_str());
            assert!(is_named, "{name} adds {} and does not name it", it.name);
            if !it.is_ours {
                continue;
            }
            let all = enabled(&manifest(&root, &it.name), it);
            for need @ (package, part, feature) in NEEDS {
                if *package == it.name && code.contains(part) {
                    used.insert(need);
                    assert!(all.contains(*feature), "{name} needs {feature}:\n{code}");
                }
            }
        }
    }
    let stale: Vec<_> = NEEDS.iter().filter(|it| !used.contains(it)).collect();
    assert_eq!(stale, Vec::<&(&str, &str, &str)>::new());
}

#[test]
fn lists_each_feature_of_a_crate_in_its_readme() {
    let root = repository();
    for entry in fs::read_dir(root.join("crates")).expect("crates") {
        let path = entry.expect("a crate").path();
        let Ok(readme) = fs::read_to_string(path.join("README.md")) else {
            continue;
        };
        let name = path.file_name().and_then(|it| it.to_str()).expect("a name");
        let manifest = manifest(&root, name);
        let is_published = manifest["package"].get("publish").is_none();
        let features = features(&manifest);
        let rows = readme.lines().skip_while(|it| *it != "| feature | adds |");
        let rows = rows.take_while(|it| it.starts_with('|'));
        let cells = rows.filter_map(|row| row.split('|').nth(1));
        let listed: BTreeSet<_> = cells.flat_map(spans).map(str::to_owned).collect();
        let expected: BTreeSet<_> = features.into_iter().filter(|it| it != "default").collect();
        assert!(
            !is_published || listed == expected,
            "{name}: {listed:?}, {expected:?}"
        );
    }
}

#[test]
fn names_features_that_exist_in_the_index_of_the_documents() {
    let root = repository();
    let index = fs::read_to_string(root.join("docs/README.md")).expect("an index");
    let mut missing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let table = index
        .lines()
        .skip_while(|it| *it != "| crate | to have | enable |");
    for row in table.skip(2).take_while(|it| it.starts_with('|')) {
        let cells: Vec<_> = row.split('|').collect();
        let name = cells[1].trim().trim_start_matches('[');
        let name = name.split(']').next().expect("a name");
        let entry = missing.entry(name.to_owned()).or_insert_with(|| {
            let features = features(&manifest(&root, name));
            features.into_iter().filter(|it| it != "default").collect()
        });
        let known = features(&manifest(&root, name));
        for feature in spans(cells[3]).filter(|it| *it != "default-features = false") {
            assert!(known.contains(feature), "{name} has no feature {feature}");
            entry.remove(feature);
        }
    }
    missing.retain(|_, features| !features.is_empty());
    assert_eq!(missing, BTreeMap::new());
}

/// An example with this is a program, which `cargo new` makes; others are libraries.
const MAIN: &str = "fn main()";

/// A dependency that a `cargo add` line adds.
struct Added {
    name: String,
    is_ours: bool,
    default_features: bool,
    features: Vec<String>,
}

struct Example {
    /// The document and the number of the example, as the name of a package.
    name: String,
    code: String,
    added: Vec<Added>,
}

fn added(line: &str) -> Added {
    let mut added = Added {
        name: String::new(),
        is_ours: false,
        default_features: true,
        features: Vec::new(),
    };
    let mut words = line.split_whitespace().skip(2);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word {
            "--path" => {
                let path = value().trim_matches('"');
                let name = path.strip_prefix("$CHECKOUT/crates/").expect("a crate");
                (added.name, added.is_ours) = (name.to_owned(), true);
            }
            "--no-default-features" => added.default_features = false,
            "--features" => added.features = value().split(',').map(str::to_owned).collect(),
            name => added.name = name.to_owned(),
        }
    }
    added
}

/// Returns the fenced blocks of a document: language and text.
fn blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.map(|block| block.split_once('\n').expect("a block"))
}

/// Returns the code spans of a text.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the paths of the documents, in order.
fn documents(root: &Path) -> Vec<String> {
    let mut documents = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(root.join(&directory)).expect("a directory") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("UTF-8");
            let path = directory.join(&name);
            if entry.file_type().expect("a type").is_dir() {
                if name != "target" && !name.starts_with('.') {
                    open.push(path);
                }
            } else if name.ends_with(".md") {
                documents.push(path.to_str().expect("UTF-8").to_owned());
            }
        }
    }
    documents.sort();
    documents
}

/// Returns the examples of all documents.
fn all(root: &Path) -> Vec<Example> {
    let documents = DOCUMENTS.iter().flat_map(|(path, _)| {
        let text = fs::read_to_string(root.join(path)).expect("a document");
        examples(path, &text)
    });
    documents.collect()
}

/// Returns the examples of a document. Each has a block of `cargo add` lines of its own.
fn examples(path: &str, text: &str) -> Vec<Example> {
    let name = path.trim_end_matches(".md").replace('/', "-");
    let mut examples = Vec::new();
    let mut before = None;
    for (language, text) in blocks(text) {
        if language == "sh" {
            let lines = text.lines().filter(|line| line.starts_with("cargo add "));
            before = Some(lines.map(added).collect());
        } else if language.starts_with("rust") {
            // A line that only rustdoc leaves out would be pasted from anywhere else.
            let is_hidden = |line: &str| line == "#" || line.starts_with("# ");
            assert!(!text.lines().any(is_hidden), "{path}: {text}");
            let added: Vec<Added> = before.take().unwrap_or_default();
            assert!(!added.is_empty(), "{path}: no `cargo add` before {text}");
            examples.push(Example {
                name: format!("{}-{}", name.to_lowercase(), examples.len()),
                code: text.to_owned(),
                added,
            });
        }
    }
    examples
}

/// Returns the greatest version of each package in the lock file.
fn locked(root: &Path) -> BTreeMap<String, String> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).expect("Cargo.lock");
    let lock: Table = lock.parse().expect("a lock file");
    let mut versions = BTreeMap::<String, Vec<u64>>::new();
    for package in lock["package"].as_array().expect("packages") {
        let text = |field| package[field].as_str().expect("text");
        let version = text("version").split(['.', '-', '+']).take(3);
        let version: Vec<_> = version.map(|it| it.parse().expect("a number")).collect();
        let known = versions.entry(text("name").to_owned()).or_default();
        *known = version.max(known.clone());
    }
    let join = |version: Vec<u64>| {
        let numbers: Vec<_> = version.iter().map(ToString::to_string).collect();
        numbers.join(".")
    };
    versions
        .into_iter()
        .map(|(name, version)| (name, join(version)))
        .collect()
}

/// Returns the manifest of a crate.
fn manifest(root: &Path, name: &str) -> Table {
    let path = root.join("crates").join(name).join("Cargo.toml");
    let text = fs::read_to_string(path).expect("a manifest");
    text.parse().expect("a manifest")
}

/// Returns the features of a manifest.
fn features(manifest: &Table) -> BTreeSet<String> {
    let features = manifest.get("features").and_then(Value::as_table);
    features
        .into_iter()
        .flat_map(Table::keys)
        .cloned()
        .collect()
}

/// Returns the features that a dependency enables, those that its features imply included.
fn enabled(manifest: &Table, added: &Added) -> BTreeSet<String> {
    let empty = Table::new();
    let table = manifest.get("features").and_then(Value::as_table);
    let table = table.unwrap_or(&empty);
    let mut enabled = BTreeSet::new();
    let mut open = added.features.clone();
    for feature in &open {
        assert!(
            table.contains_key(feature),
            "{} has no {feature}",
            added.name
        );
    }
    if added.default_features {
        open.push("default".to_owned());
    }
    while let Some(feature) = open.pop() {
        let Some(implied) = table.get(&feature) else {
            continue;
        };
        if enabled.insert(feature) {
            let implied = implied.as_array().expect("a list").iter();
            open.extend(implied.filter_map(|it| it.as_str().map(str::to_owned)));
        }
    }
    enabled
}

/// Writes the workspace of the examples.
fn write(root: &Path, directory: &Path, examples: &[Example]) {
    let versions = locked(root);
    let members: Vec<_> = examples
        .iter()
        .map(|it| Value::String(it.name.clone()))
        .collect();
    // As the examples are checked only, what they are built with matters for build scripts alone.
    let workspace = format!(
        "[workspace]\nresolver = \"3\"\nmembers = {}\n\n[profile.dev]\ndebug = false\nincremental = false\n",
        Value::Array(members)
    );
    let mut files = vec![("Cargo.toml".to_owned(), workspace)];
    for example in examples {
        let mut dependencies = Table::new();
        for it in &example.added {
            let mut dependency = Table::new();
            if it.is_ours {
                let path = root.join("crates").join(&it.name);
                let path = path.to_str().expect("UTF-8").to_owned();
                dependency.insert("path".into(), Value::String(path));
            } else {
                let version = versions.get(&it.name);
                let version = version.unwrap_or_else(|| panic!("{} is not locked", it.name));
                dependency.insert("version".into(), Value::String(version.clone()));
            }
            let features = it.features.iter().cloned().map(Value::String).collect();
            dependency.insert("features".into(), Value::Array(features));
            let default_features = Value::Boolean(it.default_features);
            dependency.insert("default-features".into(), default_features);
            dependencies.insert(it.name.clone(), Value::Table(dependency));
        }
        let mut package = Table::new();
        package.insert("name".into(), Value::String(example.name.clone()));
        package.insert("version".into(), Value::String("0.1.0".into()));
        package.insert("edition".into(), Value::String("2024".into()));
        let mut manifest = Table::new();
        manifest.insert("package".into(), Value::Table(package));
        manifest.insert("dependencies".into(), Value::Table(dependencies));
        let (name, code) = (&example.name, &example.code);
        files.push((format!("{name}/Cargo.toml"), manifest.to_string()));
        let is_program = code.contains(MAIN);
        let (file, other) = match is_program {
            true => ("main", "lib"),
            false => ("lib", "main"),
        };
        // That of a document that was changed since.
        let _ = fs::remove_file(directory.join(format!("{name}/src/{other}.rs")));
        files.push((format!("{name}/src/{file}.rs"), code.clone()));
    }
    // What has not changed keeps its time, and is not compiled again.
    for (name, text) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
            fs::write(&path, text).expect("a file");
        }
    }
    fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock")).expect("a copy");
}

/// The documents with examples in Rust, and the number of examples in each.
const DOCUMENTS: &[(&str, usize)] = &[
    ("README.md", 4),
    ("crates/accept-loop/README.md", 1),
    ("crates/authres-tls/README.md", 4),
    ("crates/command-support/README.md", 1),
    ("crates/deep-latch-sqlx/README.md", 2),
    ("crates/deep-latch/README.md", 4),
    ("crates/durable-store-sqlx/README.md", 1),
    ("crates/durable-store/README.md", 1),
    ("crates/mail-implicit-tls/README.md", 14),
    ("crates/tokenbind-http-sqlx/README.md", 1),
    ("crates/tokenbind-http/README.md", 8),
    ("crates/tokenbind-wire/README.md", 2),
    ("docs/guides/http-client.md", 1),
    ("docs/guides/http-service.md", 2),
    ("docs/guides/mail-client.md", 1),
    ("docs/guides/mta-filter.md", 2),
    ("docs/guides/tls-terminator.md", 3),
];

/// The features that an example needs for what it names.
const NEEDS: &[(&str, &str, &str)] = &[
    ("authres-tls", "StripPolicy", "strip"),
    ("authres-tls", "Stripper", "strip"),
    ("authres-tls", "from_postfix_received", "postfix"),
    ("authres-tls", "milter::", "milter"),
    ("deep-latch", "connection::", "connector"),
    ("deep-latch", "connect_async_imap", "async-imap"),
    ("deep-latch", "connect_lettre", "lettre"),
    ("deep-latch", "FileLatchStore", "file-store"),
    ("deep-latch", "reports::", "reports"),
    ("deep-latch", "store::", "latch-store"),
    ("deep-latch-sqlx", "Sqlite", "sqlite"),
    ("durable-store-sqlx", "Sqlite", "sqlite"),
    ("mail-implicit-tls", "client::", "client"),
    ("mail-implicit-tls", "verifier::", "verifier"),
    ("mail-implicit-tls", "server::", "server"),
    ("mail-implicit-tls", "of_platform(", "platform-roots"),
    ("mail-implicit-tls", "resolver::", "dns"),
    ("mail-implicit-tls", "autoconfig::https", "autoconfig-fetch"),
    ("mail-implicit-tls", "monitor::", "monitor"),
    ("mail-implicit-tls", "into_async_imap", "async-imap"),
    ("mail-implicit-tls", "into_lettre", "lettre"),
    ("mail-implicit-tls", "LatchedConnector", "client"),
    ("mail-implicit-tls", "LatchedConnector", "deep"),
    ("mail-implicit-tls", "tls_clause(", "server"),
    ("tokenbind-http", "client::", "client"),
    ("tokenbind-http", "HttpClient", "hyper"),
    ("tokenbind-http", "keys::", "client"),
    ("tokenbind-http", "FileKeyStore", "key-file"),
    ("tokenbind-http", "origin::", "client"),
    ("tokenbind-http", "redirect_to_provider", "consumer"),
    ("tokenbind-http", "sealed_tokens::", "sealed-tokens"),
    ("tokenbind-http", "server::Acceptor", "tokio"),
    ("tokenbind-http", "server::{Acceptor", "tokio"),
    ("tokenbind-http", "Server::new", "hyper"),
    ("tokenbind-http", "serve_connection", "hyper"),
    ("tokenbind-http", " tls::", "rustls"),
    ("tokenbind-http", "tls_unique::", "tls-unique"),
    ("tokenbind-http", "token_store::", "token-store"),
    ("tokenbind-http-sqlx", "Postgres", "postgres"),
    ("tokenbind-http-sqlx", "Sqlite", "sqlite"),
    ("tokenbind-wire", "P256Key", "rustcrypto"),
    ("tokenbind-wire", "RustCrypto", "rustcrypto"),
    ("tokenbind-wire", "PkiTypes", "pki-types"),
];

/// Crates that an example adds for a feature, or for a type that it does not name.
const UNNAMED: &[&str] = &["async-imap", "lettre", "sqlx", "tokio"];
