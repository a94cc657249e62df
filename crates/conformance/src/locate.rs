//! The places of tests in the sources: the page links to them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Finds tests in the sources of packages, each of which is read once.
#[derive(Debug)]
pub struct TestPlaces<'a> {
    root: &'a Path,
    packages: BTreeMap<String, Vec<Source>>,
}

/// A source file, with the module that it is in a test executable.
#[derive(Debug)]
struct Source {
    path: String,
    module: String,
    lines: Vec<String>,
}

impl<'a> TestPlaces<'a> {
    /// Returns an index of the sources below the repository's root.
    #[must_use]
    pub const fn new(root: &'a Path) -> Self {
        let packages = BTreeMap::new();
        Self { root, packages }
    }

    /// Returns the file, below the repository's root, and the line of a test.
    pub fn find(&mut self, package: &str, path: &str) -> Option<(String, usize)> {
        let root = self.root;
        let sources = self
            .packages
            .entry(package.to_owned())
            .or_insert_with(|| read(root, package));
        sources.iter().find_map(|source| {
            let line = source.line(path)?;
            Some((source.path.clone(), line))
        })
    }
}

impl Source {
    /// Returns the line of the function of this path, if the file has it.
    fn line(&self, path: &str) -> Option<usize> {
        let inner = match self.module.as_str() {
            "" => path,
            module => path.strip_prefix(module)?.strip_prefix("::")?,
        };
        let (modules, name) = inner.rsplit_once("::").unwrap_or(("", inner));
        let mut from = 0;
        for module in modules.split("::").filter(|module| !module.is_empty()) {
            let opens = format!("mod {module} {{");
            let lines = self.lines.iter().enumerate().skip(from);
            from = lines
                .map(|(at, line)| (at, line.contains(&opens)))
                .find(|it| it.1)?
                .0;
        }
        let begins = format!("fn {name}(");
        let mut lines = self.lines.iter().enumerate().skip(from);
        lines
            .find(|(_, line)| line.contains(&begins))
            .map(|(at, _)| at + 1)
    }
}

/// Reads the sources of a crate: `src`, and each executable of `tests`, which is a file or a folder with `main.rs`.
fn read(root: &Path, package: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["src", "tests"] {
        let below = Path::new("crates").join(package).join(folder);
        let mut found = Vec::new();
        files(&root.join(&below), &mut found);
        found.sort();
        for file in found {
            let Ok(inner) = file.strip_prefix(root.join(&below)) else {
                continue;
            };
            let parts = inner.with_extension("");
            let parts = parts.iter().map(|it| it.to_string_lossy().into_owned());
            let mut parts: Vec<_> = parts.skip(usize::from(folder == "tests")).collect();
            if parts.last().is_some_and(|it| it == "main" || it == "lib") {
                parts.pop();
            }
            let text = fs::read_to_string(&file).unwrap_or_default();
            sources.push(Source {
                path: below.join(inner).display().to_string(),
                module: parts.join("::"),
                lines: text.lines().map(str::to_owned).collect(),
            });
        }
    }
    sources
}

/// Finds the Rust files in a folder, if there is one.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_of_a_test_by_its_modules() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = root.path().join("crates/p").join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("written");
        };
        write("src/lib.rs", "fn one() {}\n");
        write(
            "src/a/b.rs",
            "fn two() {}\nmod tests {\n    fn two() {}\n}\n",
        );
        write("tests/all/main.rs", "mod c;\nasync fn three() {}\n");
        write("tests/all/c.rs", "\n\nfn four() {}\n");
        write("tests/alone.rs", "fn five() {}\n");
        let mut tests = TestPlaces::new(root.path());
        for (path, file, line) in [
            ("one", "src/lib.rs", 1),
            ("a::b::two", "src/a/b.rs", 1),
            ("a::b::tests::two", "src/a/b.rs", 3),
            ("three", "tests/all/main.rs", 2),
            ("c::four", "tests/all/c.rs", 3),
            ("five", "tests/alone.rs", 1),
        ] {
            let expected = Some((format!("crates/p/{file}"), line));
            assert_eq!(tests.find("p", path), expected, "{path}");
        }
        for path in ["two", "a::two", "b::two", "a::b::c::two", "fiv"] {
            assert_eq!(tests.find("p", path), None, "{path}");
        }
        assert_eq!(tests.find("nosuch", "one"), None);
    }
}
