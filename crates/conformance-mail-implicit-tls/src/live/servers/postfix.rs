//! Our client on Postfix.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
    process::{directory, installed, listening, ports},
};
use mail_implicit_tls::service::Service;
use tempfile::TempDir;

use super::{connect, needs_root, private};
use crate::live::site::{Shown, Site, write};

/// The scenario.
pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::with_peer(
    "Postfix",
    "mail-implicit-tls/our-client-on-postfix",
    |_| Live::unless(missing(), || run(accepted())),
)];

pub(in crate::live) fn missing() -> Option<String> {
    match installed("postfix") {
        None => Some("Postfix is not installed: apt-get install postfix".to_owned()),
        Some(_) => needs_root("Postfix"),
    }
}

/// A Postfix, stopped by its own command.
pub(in crate::live) struct Postfix {
    directory: TempDir,
    pub(in crate::live) ports: [(Service, u16); 2],
}

impl Postfix {
    pub(in crate::live) async fn start(
        site: &Site,
        shown: Shown,
        protocols: &str,
    ) -> Checked<Self> {
        let directory = directory()?;
        let path = directory.path();
        write(&site.server(shown)?, path, "server");
        let [submissions, submission] = ports()?;
        let shown = path.display();
        let main = format!(
            "smtpd_tls_cert_file = {shown}/server.pem\nsmtpd_tls_key_file = {shown}/server.key\n\
             smtpd_tls_mandatory_protocols = {protocols}\nsmtpd_tls_loglevel = 1\n\
             smtpd_relay_restrictions = reject\n"
        );
        let master = format!(
            "127.0.0.1:{submissions} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n  \
             -o smtpd_tls_security_level=encrypt\n127.0.0.1:{submission} inet n - n - - smtpd\n  \
             -o smtpd_tls_security_level=encrypt\n"
        );
        let ports = [
            (Service::SUBMISSIONS, submissions),
            (Service::SUBMISSION_STARTTLS, submission),
        ];
        Self::start_with(directory, &main, &master, ports).await
    }

    /// Starts a Postfix with these lines of `main.cf` and `master.cf`.
    pub(in crate::live) async fn start_with(
        directory: TempDir,
        main: &str,
        master: &str,
        ports: [(Service, u16); 2],
    ) -> Checked<Self> {
        let path = directory.path();
        for name in ["etc", "spool", "data"] {
            fs::create_dir(path.join(name))?;
            fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755))?;
        }
        Command::new("chown")
            .arg("postfix")
            .arg(path.join("data"))
            .status()?;
        let shown = path.display();
        let common = format!(
            "compatibility_level = 3.6\nqueue_directory = {shown}/spool\ndata_directory = {shown}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
             setgid_group = postdrop\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             myhostname = mail.example.test\nmydestination =\nalias_maps =\nmaillog_file = {shown}/data/maillog\n\
             maillog_file_prefixes = {shown}\n"
        );
        fs::write(path.join("etc/main.cf"), common + main)?;
        const COMMON: &str = "proxymap unix - - n - - proxymap\npostlog unix-dgram n - n - 1 postlogd\n\
             anvil unix - - n - 1 anvil\ntlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\n";
        fs::write(path.join("etc/master.cf"), format!("{master}{COMMON}"))?;
        let postfix = Self { directory, ports };
        postfix.start_again().await?;
        Ok(postfix)
    }

    /// Starts the processes, also after [`kill`](Self::kill).
    pub(in crate::live) async fn start_again(&self) -> Checked<()> {
        let started = self.command("start")?;
        if !started.status.success() {
            return Err(Failure::new(
                String::from_utf8_lossy(&started.stderr).into_owned(),
            ));
        }
        for (_, port) in self.ports {
            listening(port).await?;
        }
        Ok(())
    }

    /// Kills all processes at once, those that serve sessions included: they are the group of the master.
    pub(in crate::live) fn kill(&self) -> Checked<()> {
        let pid = fs::read_to_string(self.path().join("spool/pid/master.pid"))?;
        let group = format!("-{}", pid.trim());
        let killed = Command::new("kill")
            .args(["-s", "KILL", "--", &group])
            .status()?;
        same("kill of Postfix", killed.success(), true)
    }

    pub(in crate::live) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the first line of the log with all of these parts, once it is there.
    pub(in crate::live) async fn line_with(&self, parts: &[&str]) -> Checked<String> {
        let mut log = String::new();
        for _ in 0..500 {
            log = fs::read_to_string(self.path().join("data/maillog")).unwrap_or_default();
            let mut lines = log.lines();
            if let Some(line) = lines.find(|line| parts.iter().all(|part| line.contains(part))) {
                return Ok(line.to_owned());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Err(Failure::new(format!("no {parts:?} in {log}")))
    }

    fn command(&self, word: &str) -> Checked<std::process::Output> {
        let mut command = Command::new("postfix");
        Ok(command
            .arg("-c")
            .arg(self.directory.path().join("etc"))
            .arg(word)
            .output()?)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.command("stop");
    }
}

async fn accepted() -> Checked {
    let site = Site::new()?;
    let mut all = Vec::new();
    for protocols in [">=TLSv1.2", "TLSv1.2"] {
        let postfix = Postfix::start(&site, Shown::Good, protocols).await?;
        for (service, port) in postfix.ports {
            let failure = connect(&site.connector()?, service, port, |setup| setup).await?;
            // This Postfix has no authentication server, which a submission server must have.
            let Err(failure) = failure else {
                return Err(Failure::new(
                    "a submission server without authentication was accepted",
                ));
            };
            same(
                "no authentication",
                failure.to_string().contains("offers no authentication"),
                true,
            )?;
            let connector = site.connector()?.accept_submission_without_authentication();
            all.push(private(&connector, service, port).await?);
        }
    }
    passed(all.join(", "))
}
