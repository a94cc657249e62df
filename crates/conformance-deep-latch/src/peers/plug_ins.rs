//! The examples of deep-latch, which put it below async-imap and lettre, run against real servers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use conformance::{
    build,
    outcome::{Checked, Failure, passed, same},
    process::{Server, directory, ports},
    python,
};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;

use super::{
    GOOD, ID, PAGE,
    certificates::{Authorities, HOST, SWAPPED, Shown},
    dovecot::{self, Dovecot},
};

/// Returns the reason for which aiosmtpd is not available, if there is one.
pub(super) fn no_aiosmtpd(root: &Path) -> Option<String> {
    let interpreter = match python(root) {
        Ok(interpreter) => interpreter,
        Err(error) => return Some(error.to_string()),
    };
    let mut probe = std::process::Command::new(interpreter);
    let probe = probe.args(["-c", "import aiosmtpd"]).output();
    let how = "pip install -r crates/conformance-deep-latch/python/requirements.txt";
    (!probe.is_ok_and(|probe| probe.status.success()))
        .then(|| format!("aiosmtpd is not installed: {how}"))
}

/// Builds the examples, which may take longer than a scenario.
pub(super) fn built(root: &Path) -> Result<(), String> {
    let output = build(root, &["--quiet"]).output();
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Returns cargo's path of an example.
fn example(root: &Path, name: &str) -> PathBuf {
    conformance::built(root).join("examples").join(name)
}

/// A user's program, with its file of latches.
struct Program {
    path: PathBuf,
    kept: TempDir,
    more: Vec<&'static str>,
}

/// The end of a program: its exit code, and its output.
struct Ended {
    code: Option<i32>,
    printed: String,
    errors: String,
}

impl Program {
    fn new(
        root: &Path,
        name: &str,
        authorities: &Authorities,
        more: &[&'static str],
    ) -> Checked<Self> {
        let kept = tempfile::tempdir()?;
        fs::write(kept.path().join("ca.pem"), authorities.pem())?;
        Ok(Self {
            path: example(root, name),
            kept,
            more: more.to_vec(),
        })
    }

    async fn run(&self, port: u16, more: &[&str]) -> Checked<Ended> {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(&self.path)
            .arg("--server")
            .arg(conformance::process::at(port).to_string())
            .args(["--host", HOST, "--user", "alice", "--password", "secret"])
            .arg("--ca")
            .arg(self.kept.path().join("ca.pem"))
            .arg("--latches")
            .arg(self.kept.path().join("latches.json"))
            .args(&self.more)
            .args(more)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        Ok(Ended {
            code: status.code(),
            printed: String::from_utf8(stdout)?,
            errors: String::from_utf8(stderr)?,
        })
    }
}

impl Ended {
    /// Checks that the program succeeded: `last` is its last line of output.
    fn good(&self, last: &str) -> Checked<()> {
        let said = format!("{}{}", self.printed, self.errors);
        same(&said, self.code, Some(0))?;
        same("printed", self.printed.lines().last(), Some(last))
    }

    /// Checks that the connection was refused, and that the page that was recorded is shown.
    fn refused(&self) -> Checked<()> {
        same(&self.errors, self.code, Some(1))?;
        let last = format!("- read {PAGE}");
        same("offered", self.errors.lines().last(), Some(last.as_str()))
    }
}

/// Latches that an example prints when it sees the status the first time.
fn latches(ended: &Ended) -> bool {
    ["tls12 latched", "tls-cert latched"]
        .iter()
        .all(|part| ended.printed.contains(part))
}

pub(super) async fn async_imap(root: &Path) -> Checked {
    let authorities = Authorities::new()?;
    let program = Program::new(root, "async_imap", &authorities, &[])?;
    let dovecot = Dovecot::start(&authorities, &GOOD).await?;
    let none = program.run(dovecot.imaps, &[]).await?;
    same("without a file of latches", none.code, Some(2))?;
    let first = program.run(dovecot.imaps, &["--create"]).await?;
    first.good("INBOX: 0 messages")?;
    same("latches", latches(&first), true)?;
    let second = program.run(dovecot.imap, &["--starttls"]).await?;
    second.good("INBOX: 0 messages")?;
    same("latches", latches(&second), false)?;
    let told = "name=async_imap, version=0.1.0, latch=tls-cert tls12, security-tags=tls10";
    same("told", dovecot.was_told("latch=").await?, told)?;
    drop(dovecot);
    for shown in SWAPPED {
        let setup = dovecot::Setup {
            shown,
            id: Some(ID),
            ..GOOD
        };
        let dovecot = Dovecot::start(&authorities, &setup).await?;
        program.run(dovecot.imaps, &[]).await?.refused()?;
        let told = "name=async_imap, version=0.1.0, latch-fail=tls-cert";
        same("told", dovecot.was_told("latch-fail").await?, told)?;
    }
    passed(
        "LOGIN and SELECT by async-imap, twice; with another certificate it does not get that far",
    )
}

/// The output of `deep_latch_msa.py`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "said", rename_all = "lowercase", deny_unknown_fields)]
enum Said {
    Listening,
    Client {
        parameters: String,
        accepted: bool,
    },
    Login {
        user: String,
    },
    Message {
        from: String,
        to: Vec<String>,
        subject: String,
    },
}

struct Msa {
    server: Server,
    submission: u16,
    submissions: u16,
}

impl Msa {
    async fn start(root: &Path, authorities: &Authorities, shown: Shown) -> Checked<Self> {
        let directory = directory()?;
        authorities.write(directory.path(), shown)?;
        let [submission, submissions] = ports()?;
        let python = python(root).map_err(|error| Failure::new(error.to_string()))?;
        let mut command = std::process::Command::new(python);
        command
            .arg(root.join("crates/conformance-deep-latch/python/deep_latch_msa.py"))
            .args([submission.to_string(), submissions.to_string()])
            .arg(directory.path().join("cert.pem"))
            .arg(directory.path().join("key.pem"))
            .arg(directory.path().join("log"));
        let ports = [submission, submissions];
        let server = Server::start(directory, "log", &mut command, &ports).await?;
        Ok(Self {
            server,
            submission,
            submissions,
        })
    }

    /// Returns the commands and messages that it received.
    fn said(&self) -> Checked<Vec<Said>> {
        let text = fs::read_to_string(self.server.path().join("log"))?;
        let mut said = Vec::new();
        for line in text.lines() {
            match serde_json::from_str(line)? {
                Said::Listening => {}
                other => said.push(other),
            }
        }
        Ok(said)
    }
}

pub(super) async fn lettre(root: &Path) -> Checked {
    let authorities = Authorities::new()?;
    let addresses = ["--from", "alice@example.com", "--to", "bob@example.net"];
    let program = Program::new(root, "lettre", &authorities, &addresses)?;
    let msa = Msa::start(root, &authorities, Shown::Good).await?;
    let first = program.run(msa.submissions, &["--create"]).await?;
    first.good("sent: 250")?;
    same("latches", latches(&first), true)?;
    let second = program.run(msa.submission, &["--starttls"]).await?;
    second.good("sent: 250")?;
    let client = |parameters: &str| Said::Client {
        parameters: format!("name=lettre version=0.1.0 {parameters}"),
        accepted: true,
    };
    let login = || Said::Login {
        user: "alice".to_owned(),
    };
    let message = || Said::Message {
        from: "alice@example.com".to_owned(),
        to: vec!["bob@example.net".to_owned()],
        subject: "latched".to_owned(),
    };
    let latch = "latch=tls-cert,tls12 security-tags=tls10";
    let expected = [
        client(latch),
        login(),
        message(),
        client(latch),
        login(),
        message(),
    ];
    same("commands and messages of the server", msa.said()?, expected)?;
    drop(msa);
    for shown in SWAPPED {
        let msa = Msa::start(root, &authorities, shown).await?;
        program.run(msa.submissions, &[]).await?.refused()?;
        let expected = [client("latch-fail=tls-cert")];
        same("commands and messages of the server", msa.said()?, expected)?;
    }
    passed(
        "AUTH and a message by lettre, at once and by STARTTLS; CLIENT answered with 250; with another \
         certificate latch-fail and no login",
    )
}
