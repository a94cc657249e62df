//! A Postfix with the milter on loopback, certificates of each kind, and the maildir of the only mailbox.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use conformance::{
    built,
    outcome::{Checked, Failure},
    process::{Server, directory, installed, is_root, listening, ports},
    python,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use test_support::pki::{
    Authority, Certificate,
    rcgen::{
        CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams,
        SerialNumber, date_time_ymd,
    },
};
use tokio::time::{Instant, sleep};

use crate::live::{certificates::SERVER, script::answer};

/// The name in the clients' certificates.
pub(super) const CLIENT: &str = "smtp.example.com";

/// The time for all messages of a scenario to be delivered.
const PATIENCE: Duration = Duration::from_secs(120);

/// Returns the reason why the scenarios cannot run.
pub(super) fn missing() -> Option<String> {
    if installed("postfix").is_none() {
        return Some("Postfix is not installed: apt-get install postfix".to_owned());
    }
    (!is_root().unwrap_or_default()).then(|| "Postfix is started by root only".to_owned())
}

/// An SMTP session of the client.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Session {
    pub(super) port: u16,
    pub(super) tls: Option<&'static str>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) helo: &'static str,
    pub(super) anonymous: bool,
    pub(super) resumed: bool,
    pub(super) greets_again: bool,
    pub(super) utf8: bool,
    pub(super) messages: Vec<String>,
}

impl Session {
    /// Returns a session without TLS.
    pub(super) fn in_clear(port: u16, messages: Vec<String>) -> Self {
        Self {
            port,
            tls: None,
            certificate: None,
            helo: CLIENT,
            anonymous: false,
            resumed: false,
            greets_again: true,
            utf8: false,
            messages,
        }
    }
}

/// The client's view of a session.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Said {
    Failed {
        error: String,
    },
    Sent {
        cipher: Option<(String, String, u16)>,
        resumed: bool,
    },
}

/// The servers.
pub(super) struct Site {
    milter: Server,
    postfix: TempDir,
    /// The port that requests certificates, and the one that does not.
    pub(super) ports: [u16; 2],
}

impl Site {
    /// Starts the milter with these arguments, and Postfix with it and further milters, `%s` for ours.
    pub(super) async fn start(root: &Path, arguments: &[&str], milters: &str) -> Checked<Self> {
        let postfix = directory()?;
        let path = postfix.path();
        for name in ["etc", "spool", "data", "mail", "sockets"] {
            fs::create_dir(path.join(name))?;
            fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755))?;
        }
        for name in ["data", "mail"] {
            Command::new("chown")
                .arg("postfix")
                .arg(path.join(name))
                .status()?;
        }
        certificates(path)?;
        let socket = format!("unix:{}/sockets/authres", path.display());
        let milter = Server::start(
            directory()?,
            "log",
            Command::new(built(root).join("authres"))
                .args([
                    "milter",
                    "--authserv-id",
                    SERVER,
                    "--socket-group",
                    "postfix",
                ])
                .args(["--listen", &socket])
                .args(arguments),
            &[],
        )
        .await?;
        milter.line_with(&["listening"]).await?;
        let ports = ports()?;
        configure(path, ports, &milters.replace("%s", &socket))?;
        let site = Self {
            milter,
            postfix,
            ports,
        };
        let started = site.command("start")?;
        if !started.status.success() {
            let text = String::from_utf8_lossy(&started.stderr).into_owned();
            return Err(Failure::new(text));
        }
        for port in ports {
            listening(port).await?;
        }
        Ok(site)
    }

    fn command(&self, word: &str) -> Checked<std::process::Output> {
        let etc = self.postfix.path().join("etc");
        Ok(Command::new("postfix")
            .arg("-c")
            .arg(etc)
            .arg(word)
            .output()?)
    }

    /// Returns a session without TLS.
    pub(super) fn session(&self, messages: Vec<String>) -> Session {
        Session::in_clear(self.ports[0], messages)
    }

    /// Returns the path of a certificate, without its extension.
    pub(super) fn certificate(&self, name: &str) -> PathBuf {
        self.postfix.path().join(name)
    }

    /// Sends the messages of all sessions.
    pub(super) async fn send(
        &self,
        root: &Path,
        sessions: &[Session],
        parallel: usize,
    ) -> Checked<Vec<Said>> {
        sent(root, sessions, parallel, || self.said()).await
    }

    /// Returns the messages that were delivered, by their subject, once there are as many.
    pub(super) async fn delivered(&self, count: usize) -> Checked<BTreeMap<String, String>> {
        arrived(&self.postfix.path().join("mail/all/new"), count, || {
            self.said()
        })
        .await
    }

    /// Returns the logs of both servers.
    pub(super) fn said(&self) -> String {
        let log = fs::read_to_string(self.postfix.path().join("data/maillog"));
        self.milter.said() + &log.unwrap_or_default()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.command("stop");
    }
}

/// Sends the messages of all sessions; `logs` are added to a failure.
pub(super) async fn sent(
    root: &Path,
    sessions: &[Session],
    parallel: usize,
    logs: impl Fn() -> String,
) -> Checked<Vec<Said>> {
    let script = root.join("crates/conformance-authres-tls/python/milter_client.py");
    let given = serde_json::json!({"sessions": sessions, "parallel": parallel});
    let said: Vec<Said> = answer(&python(root)?, &script, &given).await?;
    for said in &said {
        if let Said::Failed { error } = said {
            return Err(Failure::new(format!("{error}\n{}", logs())));
        }
    }
    Ok(said)
}

/// Returns the messages of a maildir by their subject, once there are as many; `logs` are added to a failure.
pub(super) async fn arrived(
    new: &Path,
    count: usize,
    logs: impl Fn() -> String,
) -> Checked<BTreeMap<String, String>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let there = fs::read_dir(new).map_or(0, Iterator::count);
        if there >= count {
            break;
        }
        if Instant::now() > deadline {
            let text = format!("{there} of {count} messages came\n{}", logs());
            return Err(Failure::new(text));
        }
        sleep(Duration::from_millis(50)).await;
    }
    let mut messages = BTreeMap::new();
    for entry in fs::read_dir(new)? {
        let message = String::from_utf8_lossy(&fs::read(entry?.path())?).into_owned();
        let subject = message
            .lines()
            .find_map(|line| line.strip_prefix("Subject: "));
        let subject = subject
            .ok_or_else(|| Failure::new(message.clone()))?
            .to_owned();
        if messages.insert(subject.clone(), message).is_some() {
            return Err(Failure::new(format!("{subject} came twice")));
        }
    }
    Ok(messages)
}

/// Writes the certificates of the server and of each kind of client, and the authority with a list of revoked ones, which
/// the MTAs do not ask.
pub(super) fn certificates(path: &Path) -> Checked<()> {
    let (trusted, other) = (Authority::new("Trusted CA"), Authority::new("Other CA"));
    let client = Certificate::client(CLIENT).organization("ACME");
    let server = Certificate::server(&[SERVER])
        .common_name(SERVER)
        .issue(&trusted);
    for (name, identity) in [
        ("server", server),
        ("trusted", client.issue(&trusted)),
        ("self-signed", client.self_signed()),
        ("expired", client.clone().expired().issue(&trusted)),
        ("wrong-authority", client.issue(&other)),
        ("revoked", client.clone().serial(4711).issue(&trusted)),
        ("forging", Certificate::client(FORGING).issue(&trusted)),
    ] {
        identity.write(
            &path.join(format!("{name}.pem")),
            &path.join(format!("{name}.key")),
        );
    }
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(4711_u64),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2036, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&trusted)?.pem()?;
    fs::write(path.join("ca.pem"), trusted.pem() + &list)?;
    Ok(())
}

/// A common name that would be a result of its own if it were not quoted.
pub(super) const FORGING: &str = "x\"; dkim=pass (\\) header.d=bank.example; y=";

fn configure(path: &Path, [asks, asks_not]: [u16; 2], milters: &str) -> Checked<()> {
    let id = |flag| -> Checked<String> {
        let output = Command::new("id").args([flag, "postfix"]).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let (user, group) = (id("-u")?, id("-g")?);
    let shown = path.display();
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {shown}/spool\ndata_directory = {shown}/data\n\
         command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
         setgid_group = postdrop\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = {SERVER}\n\
         mydestination = example.net\nmynetworks =\nalias_maps =\nalias_database =\nlocal_recipient_maps =\n\
         local_transport = virtual\nvirtual_mailbox_base = {shown}/mail\nvirtual_mailbox_maps = static:all/\n\
         virtual_uid_maps = static:{user}\nvirtual_gid_maps = static:{group}\nvirtual_minimum_uid = 1\n\
         maillog_file = {shown}/data/maillog\nmaillog_file_prefixes = {shown}\n\
         smtpd_tls_cert_file = {shown}/server.pem\nsmtpd_tls_key_file = {shown}/server.key\n\
         smtpd_tls_CAfile = {shown}/ca.pem\nsmtpd_tls_security_level = may\nsmtpd_tls_received_header = yes\n\
         smtpd_tls_session_cache_database = btree:{shown}/data/sessions\nsmtpd_relay_restrictions = reject_unauth_destination\n\
         smtpd_client_connection_count_limit = 0\nsmtputf8_enable = yes\nsmtpd_milters = {milters}\n"
    );
    fs::write(path.join("etc/main.cf"), main)?;
    let services = [
        "pickup unix n - n 60 1 pickup",
        "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 300 1 qmgr",
    ];
    let others = [
        "bounce", "defer", "error", "proxymap", "retry", "rewrite", "smtp", "trace", "verify",
        "virtual",
    ];
    let mut master = format!(
        "127.0.0.1:{asks} inet n - n - - smtpd\n  -o smtpd_tls_ask_ccert=yes\n127.0.0.1:{asks_not} inet n - n - - smtpd\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\nanvil unix - - n - 1 anvil\npostlog unix-dgram n - n - 1 postlogd\n{}\n",
        services.join("\n")
    );
    for name in others {
        let program = match name {
            "defer" | "trace" => "bounce",
            "retry" => "error",
            "rewrite" => "trivial-rewrite",
            name => name,
        };
        let privileged = if name == "virtual" { "n" } else { "-" };
        master.push_str(&format!("{name} unix - {privileged} n - - {program}\n"));
    }
    fs::write(path.join("etc/master.cf"), master)?;
    Ok(())
}
