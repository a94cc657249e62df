//! The command lines of the READMEs, on the message that is in the repository.

use std::path::Path;

use crate::{Command, Ran};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const README: &str = include_str!("../../README.md");
const EXPLAINED: &str = include_str!("../data/cli/message.explain");

/// Returns the command lines of `authres` that a README has.
fn lines(readme: &str) -> Vec<&str> {
    let lines = readme.lines();
    lines.filter(|line| line.starts_with("authres ")).collect()
}

fn run(line: &str) -> Ran {
    let ran = Command::new(env!("CARGO_BIN_EXE_authres"))
        .args(line.split(' ').skip(1))
        .env_remove("CLICOLOR_FORCE")
        .current_dir(ROOT)
        .output()
        .expect("the command runs");
    Ran {
        code: ran.status.code(),
        out: ran.stdout,
        err: String::from_utf8(ran.stderr).expect("UTF-8"),
    }
}

#[test]
fn runs_the_command_lines_of_the_readmes() {
    let [explain, strip] = lines(README)[..] else {
        panic!("other command lines");
    };
    let ran = run(explain);
    assert_eq!(String::from_utf8_lossy(&ran.out), EXPLAINED);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));

    let report = README.split("The last command prints\n\n```text\n").nth(1);
    let report = report.and_then(|it| it.split("```").next());
    let ran = run(strip);
    assert_eq!(Some(&*String::from_utf8_lossy(&ran.out)), report);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));

    let main = std::fs::read_to_string(Path::new(ROOT).join("README.md")).expect("a README");
    assert_eq!(lines(&main), [explain, strip]);
}

#[test]
fn strips_the_forged_field_of_the_message_alone() {
    let path = Path::new(ROOT).join("crates/authres-tls/examples/message.eml");
    let message = std::fs::read_to_string(path).expect("a message");
    let ran = run("authres --quiet strip --own mx.example.org --message \
         crates/authres-tls/examples/message.eml");
    let forged = "Authentication-Results: (trust me) \"mx.example\\.org.\"; dkim=pass header.d=bank.example\n";
    assert_eq!(
        String::from_utf8_lossy(&ran.out),
        message.replace(forged, "")
    );
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}
