//! The fields of a crate's manifest that a registry shows or refuses.

use std::{fs, path::Path};

use cargo_metadata::Package;

/// The files with the texts of the licences, in the root and in each crate.
pub const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// The most keywords, and categories, that crates.io takes.
const MOST: usize = 5;

/// The longest keyword that crates.io takes.
const LONGEST_KEYWORD: usize = 20;

/// The longest description: the line that a search shows.
const LONGEST_DESCRIPTION: usize = 200;

/// The end of the hosts of placeholders, a name that is never registered (RFC 2606).
const PLACEHOLDER: &str = ".example";

/// Returns the faults of a crate's manifest, and of the files it needs.
pub fn faults(package: &Package, root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let length = package.description.as_ref().map_or(0, String::len);
    if !(1..=LONGEST_DESCRIPTION).contains(&length) {
        faults.push(format!(
            "description has {length} bytes, not 1 to {LONGEST_DESCRIPTION}"
        ));
    }
    for (field, values) in [
        ("keywords", &package.keywords),
        ("categories", &package.categories),
    ] {
        if !(1..=MOST).contains(&values.len()) {
            let count = values.len();
            faults.push(format!("{count} {field}, not 1 to {MOST}"));
        }
    }
    let keywords = package.keywords.iter().filter(|it| !is_keyword(it));
    faults.extend(keywords.map(|keyword| {
        format!("the keyword {keyword:?} is longer than {LONGEST_KEYWORD} bytes, or has others than letters, digits, _, - and +")
    }));
    let has_library = package.targets.iter().any(cargo_metadata::Target::is_lib);
    for (field, missing) in [
        ("license", package.license.is_none()),
        ("repository", package.repository.is_none()),
        ("homepage", package.homepage.is_none()),
        ("readme", package.readme.is_none()),
        ("rust-version", package.rust_version.is_none()),
        (
            "documentation",
            has_library && package.documentation.is_none(),
        ),
    ] {
        if missing {
            faults.push(format!("{field} is missing"));
        }
    }
    for name in LICENSES {
        let directory = package.manifest_path.parent();
        let own = directory.and_then(|directory| fs::read(directory.join(name)).ok());
        if own.is_none() || own != fs::read(root.join(name)).ok() {
            faults.push(format!("{name} is not a copy of the root's"));
        }
    }
    faults
}

fn is_keyword(keyword: &str) -> bool {
    let begins = keyword.starts_with(|sign: char| sign.is_ascii_alphanumeric());
    let others = |sign: char| sign.is_ascii_alphanumeric() || "_-+".contains(sign);
    begins && keyword.len() <= LONGEST_KEYWORD && keyword.chars().all(others)
}

/// Returns the addresses of a crate that are placeholders.
pub fn placeholders(package: &Package) -> Vec<&str> {
    let addresses = [&package.homepage, &package.repository];
    let addresses = addresses.into_iter().flatten().map(String::as_str);
    let is_placeholder = |address: &&str| {
        let host = address.split('/').nth(2).unwrap_or_default();
        host.ends_with(PLACEHOLDER)
    };
    addresses.filter(is_placeholder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{package::published, shell::root};

    fn find(name: &str) -> Package {
        let packages = published().expect("packages");
        let found = packages.into_iter().find(|package| *package.name == name);
        found.expect("the package")
    }

    #[test]
    fn finds_no_fault_in_the_published_crates() {
        for package in published().expect("packages") {
            assert_eq!(
                faults(&package, &root()),
                Vec::<String>::new(),
                "{}",
                package.name
            );
        }
    }

    #[test]
    fn names_each_missing_or_wrong_field() {
        let elsewhere = tempfile::tempdir().expect("a directory");
        let mut package = find("accept-loop");
        package.description = Some("x".repeat(201));
        package.keywords = vec!["authentication-results".into(), "-x".into(), "c++".into()];
        package.categories = vec!["email".into(); 6];
        package.license = None;
        package.repository = None;
        package.homepage = None;
        package.readme = None;
        package.rust_version = None;
        package.documentation = None;
        let expected = [
            "description has 201 bytes, not 1 to 200",
            "6 categories, not 1 to 5",
            "the keyword \"authentication-results\" is longer than 20 bytes, or has others than letters, digits, _, - and +",
            "the keyword \"-x\" is longer than 20 bytes, or has others than letters, digits, _, - and +",
            "license is missing",
            "repository is missing",
            "homepage is missing",
            "readme is missing",
            "rust-version is missing",
            "documentation is missing",
            "LICENSE-APACHE is not a copy of the root's",
            "LICENSE-MIT is not a copy of the root's",
        ];
        assert_eq!(faults(&package, elsewhere.path()), expected);
        package.description = None;
        package.keywords.clear();
        let found = faults(&package, &root());
        assert_eq!(
            found[..2],
            [
                "description has 0 bytes, not 1 to 200",
                "0 keywords, not 1 to 5"
            ]
        );
        assert_eq!(found.len(), 9);
    }

    #[test]
    fn needs_documentation_of_libraries_only() {
        let package = find("mail-tls");
        assert_eq!(package.documentation, None);
        assert_eq!(faults(&package, &root()), Vec::<String>::new());
    }

    #[test]
    fn finds_placeholders_by_their_host() {
        let mut package = find("accept-loop");
        package.homepage = Some("https://project.example".into());
        package.repository = Some("https://forge.example/project".into());
        assert_eq!(
            placeholders(&package),
            ["https://project.example", "https://forge.example/project"]
        );
        package.homepage = Some("https://a.org/b.example".into());
        package.repository = None;
        assert_eq!(placeholders(&package), Vec::<&str>::new());
    }
}
