//! The digest of what a package's tests are built from and of what they read.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use cargo_metadata::{Metadata, Package};
use sha2::{Digest, Sha256};

use crate::{cargo::cargo, facts::commit};

/// The state of the sources: the commit, and a digest for each package of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) commit: String,
    digests: BTreeMap<String, String>,
}

impl Sources {
    /// Reads the files of all crates of the workspace, and the files outside them that tests read.
    pub(crate) fn read(root: &Path, workspace: &Metadata) -> io::Result<Self> {
        let toolchain = cargo(root).arg("--version").output()?.stdout;
        let mut common = Sha256::new();
        common.update(toolchain);
        for file in ["Cargo.toml", "Cargo.lock"] {
            common.update(fs::read(root.join(file)).unwrap_or_default());
        }
        let mut packages = BTreeMap::new();
        for package in &workspace.packages {
            packages.insert(folder(package), (package, own(root, package)?));
        }
        let digests = workspace.packages.iter().map(|package| {
            let mut all = common.clone();
            let mut needed = BTreeMap::new();
            add(&folder(package), &packages, &mut needed);
            for digest in needed.values() {
                all.update(digest);
            }
            (package.name.to_string(), hex::encode(all.finalize()))
        });
        Ok(Self {
            digests: digests.collect(),
            commit: commit(root),
        })
    }

    /// Returns the digest of what a package's tests are built from and of what they read.
    pub(crate) fn of(&self, package: &str) -> &str {
        self.digests.get(package).map_or("", String::as_str)
    }
}

fn folder(package: &Package) -> PathBuf {
    let manifest: &Path = package.manifest_path.as_ref();
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Returns the digest of a package's folder and of the paths outside it that its tests read.
fn own(root: &Path, package: &Package) -> io::Result<Vec<u8>> {
    let mut all = Sha256::new();
    all.update(digest(&folder(package))?);
    for path in reads(package)? {
        all.update(digest(&root.join(path))?);
    }
    Ok(all.finalize().to_vec())
}

/// Returns the paths below the repository's root that a package's tests read outside the package: `reads` of
/// `[package.metadata.tests]`.
fn reads(package: &Package) -> io::Result<Vec<PathBuf>> {
    let reads = package.metadata.get("tests").and_then(|it| it.get("reads"));
    let paths = reads.cloned().map(serde_json::from_value).transpose();
    paths.map(Option::unwrap_or_default).map_err(|error| {
        let package = &package.name;
        io::Error::other(format!("{package}: package.metadata.tests.reads: {error}"))
    })
}

/// A package, and the digest of what is its own.
type Own<'p> = (&'p Package, Vec<u8>);

/// Adds a package, and those of the workspace that it or its tests depend on.
fn add<'p>(
    folder: &Path,
    packages: &'p BTreeMap<PathBuf, Own<'_>>,
    needed: &mut BTreeMap<&'p Path, &'p [u8]>,
) {
    let Some((known, (package, own))) = packages.get_key_value(folder) else {
        return;
    };
    if needed.insert(known, own).is_some() {
        return;
    }
    let paths = package
        .dependencies
        .iter()
        .filter_map(|it| it.path.as_ref());
    for path in paths {
        add(path.as_std_path(), packages, needed);
    }
}

/// Returns the digest of a file, or of the names and texts of all files in a folder without those that are built.
fn digest(folder: &Path) -> io::Result<Vec<u8>> {
    let mut files = Vec::new();
    match folder.is_dir() {
        true => list(folder, &mut files)?,
        false => files.push(folder.to_path_buf()),
    }
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(&file);
        digest.update(name.to_string_lossy().as_bytes());
        digest.update([0]);
        let text = fs::read(&file);
        let text =
            text.map_err(|error| io::Error::other(format!("{}: {error}", file.display())))?;
        digest.update(Sha256::digest(text));
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
