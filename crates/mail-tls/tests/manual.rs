//! The manual pages of the package are those that the command prints.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging/man")
}

/// Runs `mail-tls` and returns its exit code and standard output.
fn mail_tls(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mail-tls"))
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

/// After a change of the command line: `mail-tls man gateway > crates/mail-tls/packaging/man/mail-tls-gateway.1`, and so on.
#[test]
fn prints_the_pages_of_the_package() {
    let help = mail_tls(&["--help"]).1;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let mut expected = BTreeSet::new();
    // A line that is indented further continues the one before.
    for line in commands.lines().filter(|it| !it.starts_with("   ")) {
        let name = line.split_whitespace().next().unwrap();
        if name != "help" {
            expected.insert((format!("mail-tls-{name}.1"), vec!["man", name]));
        }
    }
    assert_eq!(expected.len(), 4, "{help}");
    expected.insert(("mail-tls.1".to_owned(), vec!["man"]));
    for (file, arguments) in &expected {
        let page = fs::read_to_string(directory().join(file)).unwrap();
        assert_eq!(mail_tls(arguments), (Some(0), page), "{file}");
    }
    let files = fs::read_dir(directory()).unwrap();
    let files: BTreeSet<_> = files
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected: BTreeSet<_> = expected.into_iter().map(|(file, _)| file).collect();
    assert_eq!(files, expected);
}

#[test]
fn has_the_exit_codes_and_signals_of_each_command() {
    for (command, sections, codes) in [
        ("connect", "EXIT STATUS", 4),
        ("monitor", "EXIT STATUS, SIGNALS, FILES", 4),
        ("gateway", "EXIT STATUS, SIGNALS, FILES", 3),
    ] {
        let page = mail_tls(&["man", command]).1;
        let headings = page.lines().filter_map(|line| line.strip_prefix(".SH "));
        let headings: Vec<_> = headings
            .map(|it| it.trim_matches('"'))
            .skip_while(|it| *it != "EXIT STATUS")
            .collect();
        assert_eq!(headings.join(", "), sections, "{command}");
        let is_code = |line: &&str| {
            let code = line
                .strip_prefix("\\fB")
                .and_then(|it| it.split('\\').next());
            code.is_some_and(|it| it.parse::<u8>().is_ok())
        };
        assert_eq!(page.lines().filter(is_code).count(), codes, "{command}");
    }
}

#[test]
fn refuses_a_page_of_an_unknown_command() {
    assert_eq!(mail_tls(&["man", "help"]), (Some(2), String::new()));
}
