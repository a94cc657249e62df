//! The targets of `fuzz/Cargo.toml`.

use std::{error::Error, fs, path::Path};

use serde::Deserialize;

#[derive(Deserialize)]
struct Manifest {
    bin: Vec<Bin>,
}

#[derive(Deserialize)]
struct Bin {
    name: String,
    path: String,
}

/// A target.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// The first line of its documentation: the octets that it reads.
    pub about: String,
}

/// Returns the targets in the order of the manifest in `fuzz`.
///
/// # Errors
/// If a file cannot be read, or a target has no documentation.
pub fn targets(fuzz: &Path) -> Result<Vec<Target>, Box<dyn Error>> {
    let manifest: Manifest = toml::from_str(&fs::read_to_string(fuzz.join("Cargo.toml"))?)?;
    let targets = manifest.bin.into_iter().map(|bin| {
        let source = fs::read_to_string(fuzz.join(&bin.path))?;
        let first = source.lines().next().unwrap_or_default();
        let about = first
            .strip_prefix("//! ")
            .ok_or_else(|| format!("fuzz/{} does not begin with //! and a sentence", bin.path))?;
        Ok(Target {
            name: bin.name,
            about: about.trim_end_matches('.').to_owned(),
        })
    });
    targets.collect()
}

/// Returns one line for each target.
pub fn list(targets: &[&Target]) -> String {
    let width = targets.iter().map(|target| target.name.len()).max();
    let width = width.unwrap_or_default();
    let lines = targets
        .iter()
        .map(|target| format!("{:width$}  {}\n", target.name, target.about));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::root;

    #[test]
    fn lists_each_target_in_one_line_and_has_its_seeds_and_dictionary() -> Result<(), Box<dyn Error>>
    {
        let fuzz = root().join("fuzz");
        let targets = targets(&fuzz)?;
        let list = list(&targets.iter().collect::<Vec<_>>());
        assert_eq!(list.lines().count(), targets.len());
        let line = list.lines().find(|line| line.starts_with("id "));
        let (name, about) = line.and_then(|line| line.split_once("  ")).ok_or("no id")?;
        assert_eq!(
            (name, about.trim_start()),
            ("id", "`TokenBindingID` under both point encodings")
        );
        let mut sources = fs::read_dir(fuzz.join("fuzz_targets"))?.count();
        for Target { name, .. } in &targets {
            sources -= 1;
            let seeds = fuzz.join("seeds").join(name);
            assert!(fs::read_dir(&seeds)?.count() > 0, "{}", seeds.display());
        }
        assert_eq!(sources, 0, "files that the manifest does not name");
        Ok(())
    }

    #[test]
    fn refuses_a_target_without_documentation() -> Result<(), Box<dyn Error>> {
        let fuzz = tempfile::tempdir()?;
        let manifest = "[[bin]]\nname = \"a\"\npath = \"a.rs\"\n";
        fs::write(fuzz.path().join("Cargo.toml"), manifest)?;
        fs::write(fuzz.path().join("a.rs"), "//! Octets.\n#![no_main]\n")?;
        let target = Target {
            name: "a".to_owned(),
            about: "Octets".to_owned(),
        };
        assert_eq!(targets(fuzz.path())?, [target]);
        fs::write(fuzz.path().join("a.rs"), "#![no_main]\n")?;
        let error = targets(fuzz.path()).expect_err("an error").to_string();
        assert_eq!(error, "fuzz/a.rs does not begin with //! and a sentence");
        Ok(())
    }
}
