//! Dovecot or Cyrus with messages, a gateway before it, and the files of a client.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use conformance::{
    Live,
    outcome::{Checked, Failure, passed, run_within},
};
use mail_implicit_tls::{gateway::ClientAddress, service::Service};
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use super::{TRUSTS_LOOPBACK, client::Client, front::Front, start};
use crate::live::{
    servers::{cyrus, cyrus::Cyrus, dovecot},
    site::Site,
};

/// The time that a client may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The line of a Dovecot that says nothing to a client in IDLE without need.
const SILENT_IDLE: &str = "imap_idle_notify_interval = 1 hour";

/// The user of the mailbox, whose password is `secret`.
pub(super) const USER: &str = "alice";

/// A server with mailboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Dovecot,
    Cyrus,
}

/// Runs a scenario with each server that can run. Those that cannot are named with the reason.
pub(super) fn with_each<F>(
    root: &Path,
    limit: Duration,
    scenario: impl FnOnce(Vec<Store>) -> F,
) -> Result<Live, String>
where
    F: Future<Output = Checked<String>>,
{
    let servers = [
        (Store::Dovecot, dovecot::missing()),
        (Store::Cyrus, cyrus::missing(root)),
    ];
    let (mut stores, mut missing) = (Vec::new(), String::new());
    for (store, reason) in servers {
        match reason {
            None => stores.push(store),
            Some(reason) => missing += &format!("; {reason}"),
        }
    }
    match stores.is_empty() {
        true => Ok(Live::Skipped(missing.split_off(2))),
        false => run_within(limit, async { passed(scenario(stores).await? + &missing) }),
    }
}

/// A server with messages, the gateways before it, and the directory of a client.
pub(super) struct Mailboxes {
    pub(super) site: Site,
    pub(super) imap: Front,
    pub(super) pop: Front,
    /// The port of the server's IMAP.
    pub(super) backend: u16,
    directory: TempDir,
    /// The server, which is stopped when dropped.
    _server: Box<dyn Send>,
}

impl Mailboxes {
    /// Starts the servers, and delivers the messages through the gateway by APPEND.
    pub(super) async fn start(root: &Path, store: Store) -> Checked<Self> {
        let site = Site::new()?;
        let (server, imap, pop): (Box<dyn Send>, _, _) = match store {
            Store::Dovecot => {
                let dovecot = start(&format!("{TRUSTS_LOOPBACK}\n{SILENT_IDLE}")).await?;
                let (imap, pop) = (dovecot.imap, dovecot.pop3);
                (Box::new(dovecot), imap, pop)
            }
            Store::Cyrus => {
                let cyrus = Cyrus::start(root, &site, true).await?;
                let (imap, pop) = (cyrus.imap, cyrus.pop3);
                (Box::new(cyrus), imap, pop)
            }
        };
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("ca.pem"), site.root_pem())?;
        let world = Self {
            imap: Front::start(&site, Service::IMAPS, imap, ClientAddress::ImapId).await?,
            pop: Front::start(&site, Service::POP3S, pop, ClientAddress::None).await?,
            site,
            backend: imap,
            directory,
            _server: server,
        };
        world.deliver().await?;
        Ok(world)
    }

    async fn deliver(&self) -> Checked<()> {
        let mut client = Client::connect(&self.site, self.imap.port).await?;
        client.line().await?;
        client
            .ask(&format!("a LOGIN {USER} secret\r\n"), "a OK")
            .await?;
        for message in messages() {
            let append = format!("b APPEND INBOX {{{}}}\r\n", message.len());
            client.ask(&append, "+").await?;
            client.ask([&message[..], b"\r\n"].concat(), "b OK").await?;
        }
        client.ask("c LOGOUT\r\n", "c OK").await?;
        Ok(())
    }

    /// Returns the path of a file of the client.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the path of the authority's certificate.
    pub(super) fn authority(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// Writes a file that only its owner can read.
    pub(super) fn write(&self, name: &str, text: &str) -> Checked<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Runs a client to its end, and returns its output.
    pub(super) async fn run(&self, command: &mut Command) -> Checked<Vec<u8>> {
        let command = command
            .current_dir(self.directory.path())
            .env("HOME", self.directory.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await??;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(Failure::new(format!(
                "{}: {}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ))),
        }
    }

    /// Returns the files of a directory.
    pub(super) fn files(&self, name: &str) -> Checked<Vec<Vec<u8>>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.path(name))? {
            files.push(fs::read(entry?.path())?);
        }
        Ok(files)
    }
}

/// Returns the messages: with long lines, lines of dots, lines that look like commands and replies, octets beyond ASCII, and
/// a large one.
pub(super) fn messages() -> Vec<Vec<u8>> {
    let long = "x".repeat(990);
    let lines: [&[u8]; 4] = [
        b".\r\n..\r\n. \r\n.dot\r\n",
        b"a OK FETCH done {5}\r\n* BYE\r\n)\r\n+OK\r\n-ERR\r\nSTARTTLS\r\nUNAUTHENTICATE\r\n",
        "Grüße 日本\r\n".as_bytes(),
        long.as_bytes(),
    ];
    let mut messages: Vec<_> = (1..=6_usize)
        .map(|number| {
            let mut message = head(number);
            for line in lines.iter().cycle().skip(number % 4).take(number) {
                message.extend_from_slice(line);
                message.extend_from_slice(b"\r\n");
            }
            message
        })
        .collect();
    let mut large = head(7);
    for number in 0..20_000 {
        large.extend_from_slice(format!(".{number} {}\r\n", "y".repeat(number % 70)).as_bytes());
    }
    messages.push(large);
    messages
}

fn head(number: usize) -> Vec<u8> {
    format!(
        "Date: Tue, 1 Jul 2014 10:00:0{number} +0000\r\nFrom: a@example.test\r\nTo: b@example.test\r\n\
         Message-ID: <{number}@example.test>\r\nSubject: message {number}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    .into_bytes()
}
