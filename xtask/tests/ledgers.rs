//! The ledgers name tests that exist, with the modules they are in. A run of the suite would tell only at its end.

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

#[test]
fn finds_each_test_that_the_ledgers_name() -> Result<(), Box<dyn Error>> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().ok_or("the root is missing")?;
    let mut ledgers = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        files(&entry?.path().join("requirements"), "toml", &mut ledgers)?;
    }
    let (mut crates, mut count, mut missing) = (BTreeMap::new(), 0, Vec::new());
    for ledger in ledgers {
        let text = fs::read_to_string(&ledger)?;
        for named in text.split("\"test:").skip(1) {
            let named = named.split('"').next().unwrap_or_default();
            let (package, path) = named.split_once("::").ok_or("a path is missing")?;
            if !crates.contains_key(package) {
                let sources = sources(&root.join("crates").join(package))?;
                crates.insert(package.to_owned(), sources);
            }
            count += 1;
            if !crates[package].iter().any(|source| source.has(path)) {
                missing.push(format!("{}: {named}", ledger.display()));
            }
        }
    }
    assert!(count > 250, "{count} names");
    assert_eq!(missing, Vec::<String>::new());
    Ok(())
}

#[test]
fn tells_a_test_from_one_in_another_module() {
    let source = Source {
        module: "a::b".to_owned(),
        text: "#[test]\nfn one() {}\nmod tests {\n    async fn two() {}\n}\n".to_owned(),
    };
    for path in ["a::b::one", "a::b::tests::two"] {
        assert!(source.has(path), "{path}");
    }
    for path in ["one", "a::one", "b::one", "a::b::on", "a::b::other::two"] {
        assert!(!source.has(path), "{path}");
    }
}

/// A source file, with the module that it is in a test executable.
struct Source {
    module: String,
    text: String,
}

impl Source {
    /// Returns `true` if the file has a function of this path.
    fn has(&self, path: &str) -> bool {
        let inner = match self.module.as_str() {
            "" => Some(path),
            module => path
                .strip_prefix(module)
                .and_then(|path| path.strip_prefix("::")),
        };
        let Some(inner) = inner else {
            return false;
        };
        let (modules, name) = inner.rsplit_once("::").unwrap_or(("", inner));
        let mut modules = modules.split("::").filter(|module| !module.is_empty());
        let has_modules = modules.all(|module| self.text.contains(&format!("mod {module} {{")));
        has_modules && self.text.contains(&format!("fn {name}("))
    }
}

/// Reads the sources of a crate: `src`, and each executable of `tests`, which is a file or a folder with `main.rs`.
fn sources(package: &Path) -> Result<Vec<Source>, Box<dyn Error>> {
    let mut sources = Vec::new();
    for folder in ["src", "tests"] {
        let folder = package.join(folder);
        let mut found = Vec::new();
        files(&folder, "rs", &mut found)?;
        for file in found {
            let parts = file.strip_prefix(&folder)?.with_extension("");
            let mut parts: Vec<_> = parts
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            if folder.ends_with("tests") {
                parts.remove(0);
            }
            if parts.last().is_some_and(|it| it == "main" || it == "lib") {
                parts.pop();
            }
            let (module, text) = (parts.join("::"), fs::read_to_string(&file)?);
            sources.push(Source { module, text });
        }
    }
    Ok(sources)
}

/// Finds the files with this extension in a folder, if there is one.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, extension, found)?;
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    Ok(())
}
