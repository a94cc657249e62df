//! The examples of READMEs compile in empty crates with the `cargo add` lines before each.
//!
//! Each example becomes a crate of its own, in a workspace below `target/readme`, with the versions of the repository's
//! `Cargo.lock`. The crates are checked together, so that the features of crates from elsewhere are those of all examples;
//! the features of our crates are compared with what an example names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use conformance::repository;
use toml::{Table, Value};

/// The crates whose READMEs promise it, and the number of their examples.
const CRATES: &[(&str, usize)] = &[("mail-implicit-tls", 13)];

/// The features that an example needs for what it names.
const NEEDS: &[(&str, &str, &str)] = &[
    ("mail-implicit-tls", "client::", "client"),
    ("mail-implicit-tls", "verifier::", "verifier"),
    ("mail-implicit-tls", "server::", "server"),
    ("mail-implicit-tls", "of_platform(", "platform-roots"),
    ("mail-implicit-tls", "resolver::ValidatingResolver", "dns"),
    ("mail-implicit-tls", "autoconfig::https", "autoconfig-fetch"),
    ("mail-implicit-tls", "into_async_imap", "async-imap"),
    ("mail-implicit-tls", "into_lettre", "lettre"),
    ("mail-implicit-tls", "LatchedConnector", "client"),
    ("mail-implicit-tls", "LatchedConnector", "deep"),
    ("mail-implicit-tls", "tls_clause(", "server"),
];

#[test]
fn compiles_the_examples_with_the_crates_that_they_add() {
    let root = repository();
    for (name, count) in CRATES {
        let folder = root.join("crates").join(name);
        let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
        let examples = examples(&readme);
        assert_eq!(examples.len(), *count, "{name}");
        let directory = root.join("target/readme").join(name);
        // Those of a longer README that was here before.
        for index in examples.len()..examples.len() + 50 {
            let _ = fs::remove_dir_all(directory.join(format!("example-{index}")));
        }
        write(&root, &directory, &examples);
        let check = Command::new(env!("CARGO"))
            .args(["check", "--workspace", "--offline", "--quiet"])
            .current_dir(&directory)
            .env("CARGO_TARGET_DIR", root.join("target/readme/target"))
            .env_remove("RUSTFLAGS")
            .output()
            .expect("cargo");
        let errors = String::from_utf8_lossy(&check.stderr);
        assert!(check.status.success(), "{name}: {errors}");
    }
}

#[test]
fn adds_the_features_that_the_examples_need() {
    let root = repository();
    for (name, _) in CRATES {
        let folder = root.join("crates").join(name);
        let read = |file| fs::read_to_string(folder.join(file)).expect("a file");
        let manifest: Table = read("Cargo.toml").parse().expect("a manifest");
        for Example { code, added } in examples(&read("README.md")) {
            let own = added.iter().find(|it| it.name == *name);
            let own = &own.expect("the crate itself").features;
            let all = enabled(&manifest, own);
            for feature in own {
                assert!(all.contains(feature), "{name} has no feature {feature}");
            }
            for (_, part, feature) in NEEDS.iter().filter(|it| it.0 == *name) {
                let needed = code.contains(part);
                assert!(!needed || all.contains(*feature), "{feature} for\n{code}");
            }
        }
    }
}

/// A dependency that a `cargo add` line adds.
struct Added {
    name: String,
    is_ours: bool,
    default_features: bool,
    features: Vec<String>,
}

struct Example {
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

/// Returns the examples of a README. Each has a block of `cargo add` lines of its own.
fn examples(readme: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut before = None;
    for block in readme.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').expect("a block");
        if language == "sh" {
            let lines = text.lines().filter(|line| line.starts_with("cargo add "));
            before = Some(lines.map(added).collect());
        } else if language.starts_with("rust") {
            // A line that only rustdoc leaves out would be pasted from anywhere else.
            assert!(text.lines().all(|line| !line.starts_with("# ")), "{text}");
            examples.push(Example {
                code: text.to_owned(),
                added: before.take().expect("`cargo add` lines before an example"),
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

/// Returns the features of a manifest that these enable, themselves included.
fn enabled(manifest: &Table, features: &[String]) -> BTreeSet<String> {
    let table = manifest["features"].as_table().expect("features");
    let mut enabled = BTreeSet::new();
    let mut open = features.to_vec();
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

/// Writes the workspace of the examples of a crate.
fn write(root: &Path, directory: &Path, examples: &[Example]) {
    let versions = locked(root);
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"example-*\"]\n";
    let mut files = vec![("Cargo.toml".to_owned(), workspace.to_owned())];
    for (index, example) in examples.iter().enumerate() {
        let mut dependencies = Table::new();
        for it in &example.added {
            let mut dependency = Table::new();
            if it.is_ours {
                let path = root.join("crates").join(&it.name);
                let path = path.to_str().expect("UTF-8").to_owned();
                dependency.insert("path".into(), Value::String(path));
            } else {
                let version = versions.get(&it.name).expect("a locked version");
                dependency.insert("version".into(), Value::String(version.clone()));
            }
            let features = it.features.iter().cloned().map(Value::String).collect();
            dependency.insert("features".into(), Value::Array(features));
            let default_features = Value::Boolean(it.default_features);
            dependency.insert("default-features".into(), default_features);
            dependencies.insert(it.name.clone(), Value::Table(dependency));
        }
        let mut package = Table::new();
        let name = format!("example-{index}");
        package.insert("name".into(), Value::String(name.clone()));
        package.insert("version".into(), Value::String("0.1.0".into()));
        package.insert("edition".into(), Value::String("2024".into()));
        let mut manifest = Table::new();
        manifest.insert("package".into(), Value::Table(package));
        manifest.insert("dependencies".into(), Value::Table(dependencies));
        files.push((format!("{name}/Cargo.toml"), manifest.to_string()));
        files.push((format!("{name}/src/lib.rs"), example.code.clone()));
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
