//! `cargo xtask dist`

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use conformance::{Origin, Protocol, VectorFile, files, own_vectors};
use xtask::protocols::PROTOCOLS;

use crate::{
    archive::{self, Files},
    shell::{Outcome, exit, print, root},
};

/// The archive's own directory, and with `.tar.gz` its name.
const NAME: &str = concat!("vectors-", env!("CARGO_PKG_VERSION"));

/// The line of the README about schemas.
const SCHEMAS: &str = "- `schemas/PROTOCOL/*.json`: a JSON Schema of the files of each suite.\n";

#[derive(clap::Args)]
pub struct Arguments {
    /// The directory of the archive
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    to: PathBuf,
}

/// The files of an archive, and the numbers of their vector files and cases.
struct Distribution {
    files: Files,
    suites: usize,
    cases: usize,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let distribution = distribution(&root(), &PROTOCOLS)?;
    let directory = root().join(&arguments.to);
    fs::create_dir_all(&directory)?;
    let path = directory.join(format!("{NAME}.tar.gz"));
    // A disk that is full leaves no archive in part.
    let new = path.with_extension("new");
    let written = fs::File::create(&new)
        .and_then(|file| archive::write(&distribution.files, file))
        .and_then(|()| fs::rename(&new, &path));
    if let Err(error) = written {
        let _ = fs::remove_file(&new);
        return Err(format!("{}: {error}", path.display()).into());
    }
    let kib = fs::metadata(&path)?.len().div_ceil(1024);
    print(&format!(
        "{}: {} cases in {} files, {kib} KiB\n",
        path.display(),
        distribution.cases,
        distribution.suites
    ))?;
    Ok(exit(true))
}

/// Collects the vectors of the protocols, with what is needed to read them.
fn distribution(root: &Path, protocols: &[Protocol]) -> Result<Distribution, Box<dyn Error>> {
    let mut collected = Files::new();
    let directory = Path::new(NAME);
    let (mut table, mut suites, mut cases) = (Vec::new(), 0, 0);
    let mut has_schemas = false;
    for protocol in protocols {
        let folder = protocol.folder(root);
        for path in own_vectors(root, &[*protocol])? {
            let vectors = VectorFile::load(&path, Origin::Own)?;
            let name = below(&folder, &path, protocol)?;
            let (suite, count) = (&vectors.suite, vectors.cases.len());
            table.push(format!("| `{}` | `{suite}` | {count} |", name.display()));
            (suites, cases) = (suites + 1, cases + count);
            collected.insert(directory.join(name), fs::read(path)?);
        }
        let schemas = folder.join("schemas");
        if schemas.is_dir() {
            for path in files(&schemas)? {
                has_schemas = true;
                let name = below(&folder, &path, protocol)?;
                collected.insert(directory.join(name), fs::read(path)?);
            }
        }
        for entry in fs::read_dir(folder.join("requirements"))? {
            let path = entry?.path();
            let name = below(&folder, &path, protocol)?;
            collected.insert(directory.join(name), fs::read(path)?);
        }
    }
    for name in ["vectors.md", "drafts.md"] {
        let text = fs::read_to_string(root.join("docs").join(name))?;
        let text = with_links(&text, protocols);
        collected.insert(directory.join(name), text.into_bytes());
    }
    for (from, name) in [
        ("LICENSE-MIT", "LICENSE-MIT"),
        ("LICENSE-APACHE", "LICENSE-APACHE"),
    ] {
        collected.insert(directory.join(name), fs::read(root.join(from))?);
    }
    let readme = include_str!("dist/readme.md")
        .replace("{schemas}", if has_schemas { SCHEMAS } else { "" })
        .replace("{count}", &cases.to_string())
        .replace("{files}", &suites.to_string())
        .replace("{table}\n", &format!("{}\n", table.join("\n")));
    collected.insert(directory.join("README.md"), readme.into_bytes());
    Ok(Distribution {
        files: collected,
        suites,
        cases,
    })
}

/// Returns a document with links to what the archive has: to the schemas of a protocol, and to places in the documents. The
/// words of other links stay, without the link.
fn with_links(document: &str, protocols: &[Protocol]) -> String {
    let mut text = String::with_capacity(document.len());
    let mut parts = document.split("](");
    text += parts.next().unwrap_or_default();
    for part in parts {
        let (target, after) = part.split_once(')').unwrap_or((part, ""));
        let of_schemas = protocols.iter().find(|protocol| {
            let folder = format!("../crates/conformance-{}/schemas", protocol.name);
            target == folder
        });
        let is_here = ["#", "https://", "vectors.md", "drafts.md"];
        let target = match of_schemas {
            Some(protocol) => format!("schemas/{}", protocol.name),
            None if is_here.iter().any(|here| target.starts_with(here)) => target.to_owned(),
            None => {
                // The words, which the last bracket opens.
                if let Some(open) = text.rfind('[') {
                    text.remove(open);
                }
                text += after;
                continue;
            }
        };
        text += &format!("]({target}){after}");
    }
    text
}

/// Returns the path in the archive of a file in a protocol's folder: `KIND/PROTOCOL/NAME`.
fn below(folder: &Path, path: &Path, protocol: &Protocol) -> Result<PathBuf, Box<dyn Error>> {
    let mut parts = path.strip_prefix(folder)?.components();
    let kind = parts.next().ok_or("a file has a name")?;
    Ok(Path::new(kind.as_os_str()).join(protocol.name).join(parts))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Returns the cases of each suite in these files.
    fn cases(paths: Vec<PathBuf>) -> Result<BTreeMap<String, usize>, Box<dyn Error>> {
        let mut cases = BTreeMap::new();
        for path in paths {
            let file = VectorFile::load(&path, Origin::Own)?;
            *cases.entry(file.suite).or_default() += file.cases.len();
        }
        Ok(cases)
    }

    #[test]
    fn packs_every_case_with_its_requirements_and_licence_twice_into_the_same_octets()
    -> Result<(), Box<dyn Error>> {
        let target = tempfile::tempdir()?;
        let path = target.path().join("x.tar.gz");
        let mut octets = Vec::new();
        for _ in 0..2 {
            let distribution = distribution(&root(), &PROTOCOLS)?;
            archive::write(&distribution.files, fs::File::create(&path)?)?;
            octets.push(fs::read(&path)?);
        }
        assert_eq!(octets[0], octets[1]);

        // Other programs unpack it too.
        let status = std::process::Command::new("tar")
            .arg("-xzf")
            .arg(&path)
            .arg("-C")
            .arg(target.path())
            .status()?;
        assert!(status.success());
        let unpacked = target.path().join(NAME);
        let own = cases(own_vectors(&root(), &PROTOCOLS)?)?;
        assert_eq!(cases(files(&unpacked.join("vectors"))?)?, own);
        let readme = fs::read_to_string(unpacked.join("README.md"))?;
        let count: usize = own.values().sum();
        assert!(
            readme.contains(&format!("There are {count} cases in ")),
            "{readme}"
        );
        assert!(!readme.contains('{'), "{readme}");
        for suite in own.keys() {
            assert!(readme.contains(&format!(" | `{suite}` | ")), "{suite}");
        }

        let mut requirements = String::new();
        for protocol in &PROTOCOLS {
            let directory = unpacked.join("requirements").join(protocol.name);
            for entry in fs::read_dir(directory)? {
                requirements.push_str(&fs::read_to_string(entry?.path())?);
            }
        }
        for path in files(&unpacked.join("vectors"))? {
            let file = VectorFile::load(&path, Origin::Own)?;
            for id in file.cases.iter().flat_map(|case| &case.requirements) {
                assert!(requirements.contains(&format!("id = \"{id}\"")), "{id}");
            }
        }
        for name in ["vectors.md", "drafts.md"] {
            let text = fs::read_to_string(unpacked.join(name))?;
            for part in text.split("](").skip(1) {
                let target = part.split(')').next().unwrap_or_default();
                let path = target.split('#').next().unwrap_or_default();
                let is_here = target.starts_with("https://") || unpacked.join(path).exists();
                assert!(is_here, "{name}: {target}");
            }
        }
        for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert_eq!(fs::read(unpacked.join(name))?, fs::read(root().join(name))?);
        }
        Ok(())
    }

    #[test]
    fn links_to_what_the_archive_has_and_keeps_the_words_of_other_links() {
        let document = "[schemas](../crates/conformance-tokenbind-wire/schemas), [`a` b](vectors.md#c), [d](#e),\n\
            [f](https://f.example/), [`g`](../README.md) [0] (h).";
        let expected = "[schemas](schemas/tokenbind-wire), [`a` b](vectors.md#c), [d](#e),\n\
            [f](https://f.example/), `g` [0] (h).";
        assert_eq!(with_links(document, &PROTOCOLS), expected);
    }

    #[test]
    fn takes_schemas_where_there_are_any() -> Result<(), Box<dyn Error>> {
        let root = tempfile::tempdir()?;
        let protocol = PROTOCOLS[0];
        let folder = protocol.folder(root.path());
        for directory in ["requirements", "vectors", "schemas"] {
            fs::create_dir_all(folder.join(directory))?;
        }
        fs::create_dir_all(root.path().join("docs"))?;
        for name in [
            "docs/vectors.md",
            "docs/drafts.md",
            "LICENSE-MIT",
            "LICENSE-APACHE",
        ] {
            fs::write(root.path().join(name), name)?;
        }
        let readme = Path::new(NAME).join("README.md");
        let text = |distribution: &Distribution| {
            String::from_utf8_lossy(&distribution.files[&readme]).into_owned()
        };
        let without = distribution(root.path(), &[protocol])?;
        assert!(!text(&without).contains("schemas"));
        fs::write(folder.join("schemas/a.json"), "{}")?;
        let with = distribution(root.path(), &[protocol])?;
        assert!(text(&with).contains("\n- `schemas/PROTOCOL/*.json`: "));
        let schema = Path::new(NAME)
            .join("schemas")
            .join(protocol.name)
            .join("a.json");
        assert_eq!(with.files[&schema], b"{}");
        Ok(())
    }
}
