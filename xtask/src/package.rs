//! `cargo xtask package`

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use cargo_metadata::{MetadataCommand, Package};

use crate::{
    archive::{self, Files},
    shell::{self, Outcome, exit, root, step, table},
    toolchain,
};

mod metadata;

use metadata::{LICENSES, faults, placeholders};

/// The largest archive of a crate. A package holds what a user builds, and neither tests nor vectors.
const MOST_KIB: usize = 512;

#[derive(clap::Args)]
pub struct Arguments {
    /// Make and look at the packages, and do not compile them
    #[arg(long, conflicts_with = "build")]
    no_verify: bool,
    /// Let cargo build each crate alone from its package too, as it does before it publishes: minutes
    #[arg(long)]
    build: bool,
}

/// Returns the published crates in the order of their names.
pub fn published() -> Result<Vec<Package>, Box<dyn Error>> {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()?;
    let mut packages = metadata.packages;
    packages.retain(|package| package.publish != Some(Vec::new()));
    packages.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(packages)
}

pub fn run(arguments: &Arguments) -> Outcome {
    let packages = published()?;
    let mut faulty = false;
    for package in &packages {
        for fault in faults(package, &root()) {
            eprintln!("{}: {fault}", package.manifest_path);
            faulty = true;
        }
    }
    if faulty || !pack(&packages, arguments.build)? {
        return Ok(exit(false));
    }

    let mut table = table(&["crate", "Rust", "files", "KiB"]);
    let mut contents = BTreeMap::new();
    for package in &packages {
        let path = root().join(format!("target/package/{}.crate", file_name(package)));
        let size = usize::try_from(fs::metadata(&path)?.len())?.div_ceil(1024);
        let files = unprefixed(archive::read(&path)?, &file_name(package))?;
        for fault in wrong_contents(&files, size, &root()) {
            eprintln!("{}: {fault}", path.display());
            faulty = true;
        }
        let row = [size, files.len()].map(|number| number.to_string());
        let [size, count] = row;
        table.add_row([package.name.to_string(), rust(package), count, size]);
        contents.insert(package.name.to_string(), files);
    }
    shell::print(&format!("{table}\n"))?;
    if faulty {
        return Ok(exit(false));
    }

    let mut passed = true;
    if !arguments.no_verify {
        let versions: BTreeSet<_> = packages.iter().map(rust).collect();
        for version in versions {
            passed &= check(&version, &packages, &contents)?;
        }
    }
    let addresses: BTreeSet<_> = packages.iter().flat_map(placeholders).collect();
    if !addresses.is_empty() {
        let addresses = Vec::from_iter(addresses).join(", ");
        eprintln!(
            "placeholders: {addresses}. Before publishing, set homepage and repository in Cargo.toml."
        );
    }
    Ok(exit(passed))
}

fn file_name(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}

/// Returns the Rust version that a crate states, as rustup names it.
fn rust(package: &Package) -> String {
    let version = package.rust_version.as_ref();
    version.map_or_else(String::new, |it| format!("{}.{}", it.major, it.minor))
}

/// Lets cargo make the packages. Unpublished crates have dependencies without a version, which cargo refuses to pack.
fn pack(packages: &[Package], build: bool) -> Result<bool, Box<dyn Error>> {
    // Uncommitted changes are packed: the packages are looked at, not sent.
    let mut command = shell::cargo(&["package", "--allow-dirty"]);
    // Cargo keeps what it unpacked for a build by folder and version: in the same folder, sources of an earlier run are built.
    let target = root().join("target");
    let fresh = target.join(format!("package-{}", std::process::id()));
    command
        .arg("--target-dir")
        .arg(if build { &fresh } else { &target });
    command.args(if build {
        &["--all-features"][..]
    } else {
        &["--no-verify"]
    });
    for package in packages {
        command.args(["-p", &package.name]);
    }
    let count = packages.len();
    eprintln!("» cargo package, {count} crates");
    let start = Instant::now();
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let lines = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
    for line in lines {
        let line = line?;
        if !is_expected(&line) {
            eprintln!("{line}");
        }
    }
    let succeeded = child.wait()?.success();
    if build && succeeded {
        fs::create_dir_all(target.join("package"))?;
        for package in packages {
            let archive = format!("package/{}.crate", file_name(package));
            fs::copy(fresh.join(&archive), target.join(&archive))?;
        }
    }
    if build && fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    let verdict = if succeeded { "ok" } else { "FAILED" };
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("» cargo package, {count} crates: {verdict} in {seconds:.1} s");
    Ok(succeeded)
}

/// Returns `true` if a line of cargo says that a test is left out of a package, which is intended.
fn is_expected(line: &str) -> bool {
    let kinds = ["test", "example", "benchmark"];
    let is_ignored = |kind| line.starts_with(&format!("warning: ignoring {kind} `"));
    kinds.into_iter().any(is_ignored) && line.ends_with(" is not included in the published package")
}

/// Returns the files of a package by their paths in the crate.
fn unprefixed(files: Files, name: &str) -> Result<Files, Box<dyn Error>> {
    let files = files.into_iter().map(|(path, content)| {
        let path = path.strip_prefix(name)?.to_owned();
        Ok((path, content))
    });
    files.collect()
}

/// Returns what is wrong about the files of a package.
fn wrong_contents(files: &Files, kib: usize, root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    if kib > MOST_KIB {
        faults.push(format!("{kib} KiB, more than {MOST_KIB}"));
    }
    for name in LICENSES {
        if files.get(Path::new(name)) != fs::read(root.join(name)).ok().as_ref() {
            faults.push(format!("{name} is not a copy of the root's"));
        }
    }
    if !files.contains_key(Path::new("README.md")) {
        faults.push("README.md is missing".to_owned());
    }
    let test = files.keys().find(|path| {
        let directories = ["benches", "examples", "tests", "vectors"];
        directories
            .iter()
            .any(|directory| path.starts_with(directory))
    });
    faults
        .extend(test.map(|path| format!("{} is of no use without the workspace", path.display())));
    faults
}

/// Checks the crates that state this Rust version, with all features, from their packages, on that version. Without its
/// toolchain, the one in use takes its place, which is said.
fn check(
    version: &str,
    packages: &[Package],
    contents: &BTreeMap<String, Files>,
) -> Result<bool, Box<dyn Error>> {
    let members: Vec<_> = packages.iter().filter(|it| rust(it) == version).collect();
    let needed = needed(&members, packages);
    let workspace = root().join("target/package/check").join(version);
    fs::create_dir_all(&workspace)?;
    for name in &needed {
        replace(&workspace.join(name), &contents[*name])?;
    }
    let path = workspace.join("Cargo.toml");
    fs::write(&path, manifest(&needed, &BTreeSet::new())?)?;
    fs::copy(root().join("Cargo.lock"), workspace.join("Cargo.lock"))?;
    let all = MetadataCommand::new().manifest_path(&path).exec()?;
    let all = all.packages.iter().map(|it| it.name.as_str()).collect();
    fs::write(&path, manifest(&needed, &all)?)?;

    let install = format!("rustup toolchain install {version} --profile minimal");
    let name = format!("Rust {version}");
    let mut command = match toolchain::needs(version, &["--version"], &name, &install) {
        Ok(()) => {
            let mut command = toolchain::cargo(version);
            command.arg("check").arg("--target-dir");
            command.arg(root().join("target").join(format!("rust-{version}")));
            command
        }
        Err(missing) => {
            let tests = "xtask/tests/msrv.rs compares the versions that dependencies state";
            eprintln!(
                "{missing}\nWithout it the packages are checked on the Rust in use; {tests}."
            );
            let mut command = shell::cargo(&["check"]);
            command.arg("--target-dir").arg(root().join("target"));
            command
        }
    };
    for package in members {
        command.args(["-p", &package.name]);
    }
    command.args(["--all-features", "--manifest-path"]);
    step(command.arg(path))
}

/// Returns the names of these packages, and of the published ones that they depend on.
fn needed<'p>(members: &[&'p Package], packages: &'p [Package]) -> BTreeSet<&'p str> {
    let mut needed = BTreeSet::new();
    let mut open = members.to_vec();
    while let Some(package) = open.pop() {
        if needed.insert(package.name.as_str()) {
            let is_dependency = |it: &&Package| {
                let mut dependencies = package.dependencies.iter();
                dependencies.any(|dependency| dependency.name == *it.name)
            };
            open.extend(packages.iter().filter(is_dependency));
        }
    }
    needed
}

/// Returns the manifest of a workspace of unpacked crates, which depend on each other and not on the registry's. `all` are
/// the names of all packages that it is built from.
fn manifest(needed: &BTreeSet<&str>, all: &BTreeSet<&str>) -> Result<String, Box<dyn Error>> {
    let own: toml::Table = fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let names: Vec<toml::Value> = needed.iter().map(|name| (*name).into()).collect();
    let mut workspace = toml::Table::new();
    workspace.insert("resolver".into(), "3".into());
    workspace.insert("members".into(), names.into());
    let patches = needed.iter().map(|name| {
        let path = toml::Table::from_iter([("path".to_owned(), (*name).into())]);
        ((*name).to_owned(), path.into())
    });
    let patches: toml::Table = patches.collect();
    let mut manifest = toml::Table::new();
    manifest.insert("workspace".into(), workspace.into());
    manifest.insert(
        "patch".into(),
        toml::Table::from_iter([("crates-io".to_owned(), patches.into())]).into(),
    );
    // With the same profiles, what is compiled already can be used.
    if let Some(profiles) = own.get("profile") {
        let mut profiles = profiles.clone();
        // Some of the packages with settings of their own are not in every workspace, which cargo warns of.
        let dev = profiles.get_mut("dev").and_then(|it| it.get_mut("package"));
        if let Some(packages) = dev.and_then(toml::Value::as_table_mut) {
            packages.retain(|name, _| name == "*" || all.contains(name));
        }
        manifest.insert("profile".into(), profiles);
    }
    Ok(manifest.to_string())
}

/// Makes a directory hold these files and no others. A file that is right already keeps its time, so that cargo does not
/// compile it again.
fn replace(directory: &Path, files: &Files) -> io::Result<()> {
    let mut present = Vec::new();
    if directory.is_dir() {
        collect(directory, &mut present)?;
    }
    for path in present {
        let name = path.strip_prefix(directory).map_err(io::Error::other)?;
        if !files.contains_key(name) {
            fs::remove_file(&path)?;
        }
    }
    for (name, content) in files {
        let path = directory.join(name);
        if fs::read(&path).ok().as_ref() != Some(content) {
            fs::create_dir_all(path.parent().unwrap_or(directory))?;
            fs::write(path, content)?;
        }
    }
    Ok(())
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_only_the_lines_about_tests_that_are_left_out() {
        for kind in ["test", "example", "benchmark"] {
            assert!(is_expected(&format!(
                "warning: ignoring {kind} `a` as `tests/a.rs` is not included in the published package"
            )));
        }
        assert!(!is_expected(
            "warning: ignoring binary `a` as `src/a.rs` is not included in the published package"
        ));
        assert!(!is_expected(
            "warning: manifest has no documentation, homepage or repository"
        ));
    }

    #[test]
    fn finds_what_is_wrong_in_a_package() -> Result<(), Box<dyn Error>> {
        let mut files = Files::new();
        for name in LICENSES {
            files.insert(name.into(), fs::read(root().join(name))?);
        }
        files.insert("README.md".into(), b"# A".to_vec());
        assert_eq!(
            wrong_contents(&files, MOST_KIB, &root()),
            Vec::<String>::new()
        );
        files.insert("tests/a.rs".into(), Vec::new());
        files.insert("LICENSE-MIT".into(), b"MIT".to_vec());
        files.remove(Path::new("README.md"));
        let expected = [
            "513 KiB, more than 512",
            "LICENSE-MIT is not a copy of the root's",
            "README.md is missing",
            "tests/a.rs is of no use without the workspace",
        ];
        assert_eq!(wrong_contents(&files, MOST_KIB + 1, &root()), expected);
        Ok(())
    }

    #[test]
    fn takes_what_a_crate_needs_from_its_siblings_packages() -> Result<(), Box<dyn Error>> {
        let packages = published()?;
        let member = packages.iter().find(|it| *it.name == "tokenbind-http-sqlx");
        let members = [member.ok_or("no such package")?];
        let needed = needed(&members, &packages);
        let expected = [
            "accept-loop",
            "durable-store",
            "durable-store-sqlx",
            "tokenbind-http",
            "tokenbind-http-sqlx",
            "tokenbind-wire",
        ];
        assert_eq!(Vec::from_iter(needed.clone()), expected);
        let all = BTreeSet::from(["sha2", "tokenbind-wire"]);
        let manifest: toml::Table = manifest(&needed, &all)?.parse()?;
        let dev = manifest["profile"]["dev"]["package"].as_table();
        let own: Vec<_> = dev.ok_or("no table")?.keys().collect();
        assert_eq!(own, ["*", "sha2"]);
        let names = |value: &toml::Value| value.as_array().map(Vec::len);
        assert_eq!(names(&manifest["workspace"]["members"]), Some(6));
        let patches = manifest["patch"]["crates-io"]
            .as_table()
            .ok_or("no table")?;
        assert!(patches.keys().eq(expected));
        assert_eq!(
            patches["durable-store"]["path"].as_str(),
            Some("durable-store")
        );
        Ok(())
    }

    #[test]
    fn replaces_files_that_differ_and_keeps_the_time_of_others() -> Result<(), Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let of = |names: &[(&str, &str)]| -> Files {
            let files = names.iter();
            files
                .map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec()))
                .collect()
        };
        replace(
            directory.path(),
            &of(&[("a", "1"), ("b/c", "2"), ("b/d", "3")]),
        )?;
        let time = |name: &str| fs::metadata(directory.path().join(name))?.modified();
        let before = time("a")?;
        replace(
            directory.path(),
            &of(&[("a", "1"), ("b/c", "4"), ("e", "5")]),
        )?;
        assert_eq!(time("a")?, before);
        assert_eq!(fs::read(directory.path().join("b/c"))?, b"4");
        assert_eq!(fs::read(directory.path().join("e"))?, b"5");
        assert!(!directory.path().join("b/d").exists());
        Ok(())
    }
}
