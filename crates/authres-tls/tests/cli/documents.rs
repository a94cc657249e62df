//! The command lines of the READMEs, and the filter of the guide, on the message that is in the repository.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{Command, Ran};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const README: &str = include_str!("../../README.md");
/// The field of the message that a border removes.
const FORGED: &str =
    "Authentication-Results: (trust me) \"mx.example\\.org.\"; dkim=pass header.d=bank.example\n";
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

/// The message that the examples read.
const PATH: &str = "crates/authres-tls/examples/message.eml";

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

    let main = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("a README");
    // The main README is read from the crate of an example.
    let main = main.replace(
        "\"$CHECKOUT/crates/authres-tls/examples/message.eml\"",
        PATH,
    );
    assert_eq!(lines(&main), [explain, strip]);
}

#[test]
fn strips_the_forged_field_of_the_message_alone() {
    let path = Path::new(ROOT).join("crates/authres-tls/examples/message.eml");
    let message = fs::read_to_string(path).expect("a message");
    let ran = run("authres --quiet strip --own mx.example.org --message \
         crates/authres-tls/examples/message.eml");
    assert_eq!(
        String::from_utf8_lossy(&ran.out),
        message.replace(FORGED, "")
    );
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn filters_with_the_script_of_the_guide() {
    let guide =
        fs::read_to_string(Path::new(ROOT).join("docs/guides/mta-filter.md")).expect("a guide");
    let script = guide
        .split("```sh\n")
        .find(|it| it.starts_with("#!/bin/sh\n"));
    let script = script
        .and_then(|it| it.split("```").next())
        .expect("a script");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authres-filter");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(directory.join("spool")).expect("a directory");
    // It writes its arguments and the message.
    let sendmail = "#!/bin/sh\necho \"$@\"\ncat\n";
    let script = script
        .replace(
            "/var/spool/authres",
            directory.join("spool").to_str().expect("UTF-8"),
        )
        .replace("/usr/local/bin/authres", env!("CARGO_BIN_EXE_authres"))
        .replace(
            "/usr/sbin/sendmail",
            directory.join("sendmail").to_str().expect("UTF-8"),
        );
    for (name, text) in [("sendmail", sendmail), ("filter", &script)] {
        let path = directory.join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a mode");
    }
    let example = Path::new(ROOT).join("crates/authres-tls/examples/message.eml");
    let ran = Command::new(directory.join("filter"))
        .args(["-f", "alice@sender.example", "--", "bob@example.org"])
        .stdin(fs::File::open(&example).expect("a message"))
        .output()
        .expect("the script runs");
    let sent = String::from_utf8(ran.stdout).expect("UTF-8");
    let message = fs::read_to_string(example).expect("a message");
    let (arguments, stripped) = sent.split_once('\n').expect("two lines");
    assert_eq!(
        arguments,
        "-G -i -f alice@sender.example -- bob@example.org"
    );
    assert_eq!(stripped, message.replace(FORGED, ""));
    assert_eq!((ran.status.code(), ran.stderr), (Some(0), Vec::new()));
    let left = fs::read_dir(directory.join("spool"))
        .expect("a directory")
        .count();
    assert_eq!(left, 0);
}
