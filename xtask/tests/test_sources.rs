//! Crates name the paths outside them that their tests read, so that a recorded outcome does not outlive a change there.

use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{MetadataCommand, Package};
use conformance::{Evidence, Ledger, repository};
use xtask::protocols::PROTOCOLS;

#[test]
fn finds_each_path_outside_a_crate_that_its_code_reads() -> Result<(), Box<dyn Error>> {
    let root = repository();
    let outside = entries(&root)?;
    let (mut found, mut missing) = (0, Vec::new());
    for package in recorded(&root)? {
        let reads = reads(&package)?;
        for path in &reads {
            assert!(root.join(path).exists(), "{}: {path}", package.name);
        }
        for file in sources(folder(&package))? {
            let text = fs::read_to_string(&file)?;
            if !FINDS_THE_ROOT.iter().any(|it| text.contains(it)) {
                continue;
            }
            // Among the texts between quotation marks are all literals that are paths.
            for literal in text.split('"').skip(1) {
                let first = literal.split('/').next().unwrap_or_default();
                if !outside.contains(first) {
                    continue;
                }
                found += 1;
                let is_part = |part: &str, whole: &str| {
                    part == whole || part.starts_with(&format!("{whole}/"))
                };
                if !reads
                    .iter()
                    .any(|path| is_part(path, literal) || is_part(literal, path))
                {
                    missing.push(format!("{}: {literal}", file.display()));
                }
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(found > 4, "{found} paths");
    Ok(())
}

/// The expressions by which a test finds the repository's root.
const FINDS_THE_ROOT: [&str; 3] = ["repository()", "\"/../..\"", "\"../..\""];

/// Returns the names at the repository's root, without the folders that a digest has or that are built.
fn entries(root: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(root)? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| {
        !["crates", "target", ".git", "Cargo.toml", "Cargo.lock"].contains(&&**name)
    });
    Ok(names)
}

/// Returns the packages of the workspace whose tests a ledger names, those of the ledgers, and those that they depend on.
fn recorded(root: &Path) -> Result<Vec<Package>, Box<dyn Error>> {
    let mut packages = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()?
        .packages;
    let mut folders = Vec::new();
    let mut names = BTreeSet::new();
    for folder in PROTOCOLS.iter().map(|it| it.folder(root)) {
        let name = folder.file_name().unwrap_or_default();
        names.insert(name.to_string_lossy().into_owned());
        folders.push(folder.join("requirements"));
    }
    let ledgers = Ledger::load_all(&folders)?;
    let entries = ledgers.iter().flat_map(|it| &it.requirements);
    for evidence in entries.flat_map(|it| &it.evidence) {
        if let Evidence::Test { package, .. } = evidence {
            names.insert(package.clone());
        }
    }
    loop {
        let known = names.len();
        for package in &packages {
            if names.contains(package.name.as_str()) {
                let dependencies = package.dependencies.iter().filter(|it| it.path.is_some());
                names.extend(dependencies.map(|it| it.name.clone()));
            }
        }
        if names.len() == known {
            break;
        }
    }
    packages.retain(|it| names.contains(it.name.as_str()));
    Ok(packages)
}

fn folder(package: &Package) -> &Path {
    let manifest: &Path = package.manifest_path.as_ref();
    manifest.parent().unwrap_or(manifest)
}

fn reads(package: &Package) -> Result<Vec<String>, serde_json::Error> {
    let reads = package.metadata.get("tests").and_then(|it| it.get("reads"));
    reads
        .cloned()
        .map_or(Ok(Vec::new()), serde_json::from_value)
}

/// Returns the Rust files below a folder.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    Ok(files)
}
