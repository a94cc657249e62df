//! Selects the tests of a run, and finds the targets that hold them before anything is built.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::{Path, PathBuf},
};

use cargo_metadata::{Metadata, Package, Target, TargetKind};

/// The tests of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All tests of the workspace but documentation tests.
    All,
    /// Tests by the package and their path in it. The targets that hold them are built, with the other tests in these.
    Named(BTreeMap<String, BTreeSet<String>>),
}

/// A target with tests: the package, and the name that cargo gives the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TestTarget {
    pub(crate) package: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

impl fmt::Display for TestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Binary => "binary",
            Kind::Library => "library",
            Kind::Test => "test",
        };
        write!(f, "{} {kind} {}", self.package, self.name)
    }
}

/// The kind of a target, as the options of cargo tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Binary,
    Library,
    Test,
}

impl Kind {
    pub(crate) fn of(kinds: &[TargetKind]) -> Option<Self> {
        kinds.iter().find_map(|kind| match kind {
            TargetKind::Bin => Some(Self::Binary),
            TargetKind::Lib => Some(Self::Library),
            TargetKind::Test => Some(Self::Test),
            _ => None,
        })
    }
}

/// Returns the targets that hold these tests.
///
/// A test is found by its function's name in the source files of each target. The targets of a package are all
/// taken if a name is in none of them, as that of a function which a macro writes.
pub(crate) fn targets(
    workspace: &Metadata,
    named: &BTreeMap<String, BTreeSet<String>>,
) -> io::Result<BTreeSet<TestTarget>> {
    let mut chosen = BTreeSet::new();
    let packages = workspace.packages.iter();
    for (package, paths) in packages.filter_map(|it| Some((it, named.get(it.name.as_str())?))) {
        let mut sources = Vec::new();
        for target in &package.targets {
            if let Some(kind) = Kind::of(&target.kind).filter(|_| target.test) {
                sources.push((test_target(package, target, kind), text(target, kind)?));
            }
        }
        let names: Vec<_> = paths
            .iter()
            .map(|path| path.rsplit("::").next().unwrap_or(path))
            .collect();
        let everywhere = names
            .iter()
            .any(|name| !sources.iter().any(|(_, text)| has_function(text, name)));
        chosen.extend(
            sources
                .into_iter()
                .filter(|(_, text)| everywhere || names.iter().any(|it| has_function(text, it)))
                .map(|(target, _)| target),
        );
    }
    Ok(chosen)
}

fn test_target(package: &Package, target: &Target, kind: Kind) -> TestTarget {
    TestTarget {
        package: package.name.to_string(),
        name: target.name.clone(),
        kind,
    }
}

/// Returns the source text of a target: its file, and the directory that is the target's alone.
fn text(target: &Target, kind: Kind) -> io::Result<String> {
    let file: &Path = target.src_path.as_ref();
    let is_root = file
        .file_name()
        .is_some_and(|name| name == "main.rs" || name == "lib.rs");
    let mut files = BTreeSet::from([file.to_path_buf()]);
    if is_root && let Some(directory) = file.parent() {
        // Binaries of a library have directories of their own.
        let without = (kind == Kind::Library).then(|| directory.join("bin"));
        rust_files(directory, without.as_deref(), &mut files)?;
    }
    files.into_iter().map(fs::read_to_string).collect()
}

fn rust_files(
    directory: &Path,
    without: Option<&Path>,
    files: &mut BTreeSet<PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            if without != Some(path.as_path()) {
                rust_files(&path, without, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(path);
        }
    }
    Ok(())
}

/// Returns `true` if the text declares a function of this name.
fn has_function(text: &str, name: &str) -> bool {
    text.match_indices(&format!("fn {name}"))
        .any(|(at, found)| {
            let rest = text.get(at.saturating_add(found.len())..);
            rest.is_some_and(|rest| rest.starts_with(['(', '<']))
        })
}

/// The test target that runs the examples of its package. Cargo builds no examples for a test target that is named.
const EXAMPLES: &str = "examples";

/// Returns the arguments with which cargo builds the examples that these targets run, with the features of the tests.
pub(crate) fn examples(workspace: &Metadata, targets: &BTreeSet<TestTarget>) -> Vec<String> {
    let runs = |package: &&Package| {
        let mut targets = targets.iter();
        targets.any(|it| it.name == EXAMPLES && it.package == package.name.as_str())
    };
    let packages = workspace.packages.iter().filter(runs);
    let names = packages.flat_map(|package| package.targets.iter().filter(|it| it.is_example()));
    let names = words("--example", names.map(|it| it.name.as_str()).collect());
    if names.is_empty() {
        return names;
    }
    let first = ["build".to_owned(), "--all-features".to_owned()];
    first
        .into_iter()
        .chain(packages_of(targets))
        .chain(names)
        .collect()
}

/// Returns the arguments with which cargo builds the tests of these targets.
pub(crate) fn arguments(targets: &BTreeSet<TestTarget>) -> Vec<String> {
    let names = |kind| {
        let of_kind = targets.iter().filter(move |target| target.kind == kind);
        of_kind
            .map(|target| target.name.as_str())
            .collect::<BTreeSet<_>>()
    };
    let mut arguments = packages_of(targets);
    if !names(Kind::Library).is_empty() {
        arguments.push("--lib".to_owned());
    }
    arguments.extend(words("--bin", names(Kind::Binary)));
    arguments.extend(words("--test", names(Kind::Test)));
    arguments
}

/// Returns the arguments that name the packages of these targets.
fn packages_of(targets: &BTreeSet<TestTarget>) -> Vec<String> {
    words(
        "--package",
        targets.iter().map(|it| it.package.as_str()).collect(),
    )
}

/// Returns each name after a flag.
fn words(flag: &str, names: BTreeSet<&str>) -> Vec<String> {
    let pairs = names
        .into_iter()
        .map(|name| [flag.to_owned(), name.to_owned()]);
    pairs.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_functions_by_their_whole_name() {
        let text = "fn reads_all() {}\n    fn reads(bytes in any()) {}\nasync fn writes<T>() {}";
        for (name, found) in [
            ("reads_all", true),
            ("reads", true),
            ("read", false),
            ("writes", true),
            ("all", false),
        ] {
            assert_eq!(has_function(text, name), found, "{name}");
        }
    }

    #[test]
    fn names_each_package_and_target_once() {
        let target = |package: &str, name: &str, kind| TestTarget {
            package: package.to_owned(),
            name: name.to_owned(),
            kind,
        };
        let targets = BTreeSet::from([
            target("a", "a", Kind::Library),
            target("a", "same", Kind::Test),
            target("b", "b", Kind::Library),
            target("b", "same", Kind::Test),
            target("c", "tool", Kind::Binary),
        ]);
        let expected = "--package a --package b --package c --lib --bin tool --test same";
        assert_eq!(arguments(&targets).join(" "), expected);
        let tests = BTreeSet::from([target("a", "same", Kind::Test)]);
        assert_eq!(arguments(&tests).join(" "), "--package a --test same");
    }
}
