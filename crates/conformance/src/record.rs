//! The outcomes of tests, kept between runs: `target/conformance/tests.json`.
//!
//! Each crate's tests are kept with the commit and with a digest of what they were built from. Outcomes count only
//! while that is the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::{Metadata, Package};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    cargo::cargo,
    evidence::{TestFailure, TestOutcome},
    part::replace,
};

/// The record's path below the repository's root.
const PATH: &str = "target/conformance/tests.json";

/// The record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) packages: BTreeMap<String, PackageRecord>,
}

/// The outcomes of one package's tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackageRecord {
    /// The commit, as a person reads it.
    pub(crate) commit: String,
    /// The digest of what the tests were built from.
    pub(crate) sources: String,
    /// The number of executables.
    pub(crate) executables: usize,
    /// The outcome of each test.
    pub(crate) tests: BTreeMap<String, TestOutcome>,
    /// The failures, of tests and of executables.
    pub(crate) failures: Vec<TestFailure>,
}

impl Record {
    /// Reads the record. One that does not exist, or that another version wrote, is empty.
    pub(crate) fn load(root: &Path) -> Self {
        let text = fs::read_to_string(root.join(PATH)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Adds the outcomes of these packages to the record, in the place of earlier ones.
    pub(crate) fn update(root: &Path, packages: BTreeMap<String, PackageRecord>) -> io::Result<()> {
        let mut record = Self::load(root);
        record.packages.extend(packages);
        replace(&root.join(PATH), &serde_json::to_string_pretty(&record)?)
    }
}

/// The state of the sources: the commit, and a digest for each package of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) commit: String,
    digests: BTreeMap<String, String>,
}

impl Sources {
    /// Reads the files of all crates of the workspace.
    pub(crate) fn read(root: &Path, workspace: &Metadata) -> io::Result<Self> {
        let toolchain = cargo(root).arg("--version").output()?.stdout;
        let mut common = Sha256::new();
        common.update(toolchain);
        for file in ["Cargo.toml", "Cargo.lock"] {
            common.update(fs::read(root.join(file)).unwrap_or_default());
        }
        let mut folders = BTreeMap::new();
        for package in &workspace.packages {
            folders.insert(folder(package), digest(&folder(package))?);
        }
        let packages: BTreeMap<_, _> = workspace
            .packages
            .iter()
            .map(|package| (folder(package), package))
            .collect();
        let digests = workspace.packages.iter().map(|package| {
            let mut all = common.clone();
            let mut needed = BTreeSet::new();
            add(package, &packages, &mut needed);
            for folder in needed {
                all.update(folders.get(&folder).map_or(&[][..], Vec::as_slice));
            }
            (package.name.to_string(), hex::encode(all.finalize()))
        });
        Ok(Self {
            digests: digests.collect(),
            commit: commit(root),
        })
    }

    /// Returns the digest of what a package's tests are built from.
    pub(crate) fn of(&self, package: &str) -> &str {
        self.digests.get(package).map_or("", String::as_str)
    }
}

fn folder(package: &Package) -> PathBuf {
    let manifest: &Path = package.manifest_path.as_ref();
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Adds the folder of a package, and of those of the workspace that it or its tests depend on.
fn add(package: &Package, packages: &BTreeMap<PathBuf, &Package>, needed: &mut BTreeSet<PathBuf>) {
    if !needed.insert(folder(package)) {
        return;
    }
    let paths = package
        .dependencies
        .iter()
        .filter_map(|it| it.path.as_ref());
    for dependency in paths.filter_map(|path| packages.get(path.as_std_path())) {
        add(dependency, packages, needed);
    }
}

/// Returns the digest of the names and texts of all files in a folder, without those that are built.
fn digest(folder: &Path) -> io::Result<Vec<u8>> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(&file);
        digest.update(name.to_string_lossy().as_bytes());
        digest.update([0]);
        digest.update(Sha256::digest(fs::read(&file)?));
    }
    Ok(digest.finalize().to_vec())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_built = ["target", "__pycache__"].iter().any(|built| name == *built);
        if is_built || name.to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Returns the commit, and says if there are changes that no commit has.
pub(crate) fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(root)
            .output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match git(&["rev-parse", "--short=12", "HEAD"]) {
        None => "an unknown commit".to_owned(),
        Some(commit) => match git(&["status", "--porcelain"]).as_deref() {
            Some("") => commit,
            _ => format!("{commit} with changes"),
        },
    }
}
