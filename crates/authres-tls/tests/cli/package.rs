//! The files of the Debian package: its assets, its version, the manual pages, the configuration, and the unit by systemd's
//! own program.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{Command, authres};

fn packaging() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging"))
}

fn read(name: &str) -> String {
    fs::read_to_string(packaging().join(name)).expect("a file")
}

/// Returns each asset of the manifest: its source and its target.
fn assets() -> Vec<(String, String)> {
    let manifest = include_str!("../../Cargo.toml");
    let list = manifest.split("\nassets = [\n").nth(1);
    let list = list
        .and_then(|it| it.split("\n]\n").next())
        .expect("a list");
    let assets = list.lines().map(|line| {
        let mut texts = line.split('"').skip(1).step_by(2).map(str::to_owned);
        let mut next = || texts.next().expect("a text");
        (next(), next())
    });
    assets.collect()
}

#[test]
fn has_each_asset_and_the_version_of_the_crate() {
    let assets = assets();
    assert_eq!(assets.len(), 17);
    for (source, _) in assets.iter().filter(|(it, _)| !it.starts_with("target/")) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        assert!(path.is_file(), "{source}");
    }
    let entry = format!("authres ({}-1) ", env!("CARGO_PKG_VERSION"));
    assert!(read("debian/changelog").starts_with(&entry));
    for script in ["postinst", "postrm"] {
        // The place of what cargo-deb adds.
        assert!(read(&format!("debian/{script}")).contains("\n#DEBHELPER#\n"));
    }
}

/// After a change of the command line: `authres man strip > crates/authres-tls/packaging/man/authres-strip.1`, and so on.
#[test]
fn prints_the_manual_pages_of_the_package() {
    let help = authres(&["-h"], "");
    let help = String::from_utf8(help.out).expect("UTF-8");
    let commands = help.split("Commands:\n").nth(1).expect("commands");
    let commands = commands.split("\n\n").next().expect("commands");
    let mut expected = BTreeSet::from([("authres.1".to_owned(), vec!["man"])]);
    // A line that is indented further continues the one before.
    for line in commands.lines().filter(|it| !it.starts_with("   ")) {
        let name = line.split_whitespace().next().expect("a name");
        if name != "help" {
            expected.insert((format!("authres-{name}.1"), vec!["man", name]));
        }
    }
    assert_eq!(expected.len(), 9, "{help}");
    let assets = assets();
    for (file, arguments) in &expected {
        let printed = authres(arguments, "");
        assert_eq!(
            String::from_utf8(printed.out),
            Ok(read(&format!("man/{file}")))
        );
        assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""));
        let source = format!("packaging/man/{file}");
        assert!(assets.iter().any(|(it, _)| *it == source), "{source}");
    }
    let files = fs::read_dir(packaging().join("man")).expect("a directory");
    assert_eq!(files.count(), expected.len());
}

#[test]
fn accepts_the_configuration_of_the_package() {
    let path = packaging().join("authres.toml");
    let path = path.to_str().expect("UTF-8");
    let checked = authres(&["milter", "--check", "--config", path], "");
    let shown = String::from_utf8(checked.out).expect("UTF-8");
    assert_eq!(
        (checked.code, shown.as_str(), checked.err.as_str()),
        (Some(0), "the configuration is valid\n", "")
    );
}

/// The program is systemd's. A machine without it skips the test.
#[test]
fn has_a_unit_that_satisfies_systemd() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authres-unit");
    fs::create_dir_all(&directory).expect("a directory");
    let unit = read("authres-milter.service");
    let unit = unit.replace("/usr/bin/authres", env!("CARGO_BIN_EXE_authres"));
    let copy = directory.join("authres-milter.service");
    fs::write(&copy, unit).expect("a file");
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).arg(&copy).output()
    };
    // The manual page that the unit names need not be installed here.
    let verified = match analyze(&["verify", "--man=no"]) {
        Ok(output) => output,
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
            println!("skipped: systemd-analyze is not installed");
            return;
        }
    };
    let shown = String::from_utf8(verified.stderr).expect("UTF-8");
    assert!(verified.status.success(), "{shown}");
    assert!(!shown.contains("authres"), "{shown}");
    let rated = analyze(&["security", "--offline=true", "--threshold=25", "--no-pager"]);
    let rated = rated.expect("the program runs");
    assert!(rated.status.success(), "{rated:?}");
    // The user and the directory of the unit are made by the files beside it.
    assert!(read("authres-milter.sysusers").contains("\nu authres - "));
    let line = "\nd /var/spool/postfix/authres 2750 authres postfix\n";
    assert!(read("authres-milter.tmpfiles").contains(line));
    assert!(read("authres.toml").contains("\"unix:/var/spool/postfix/authres/milter.sock\""));
}
