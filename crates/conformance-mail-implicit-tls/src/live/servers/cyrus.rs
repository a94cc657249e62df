//! Our client on Cyrus, and Cyrus for other scenarios.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run},
    process::{Server, directory, ports},
};
use mail_implicit_tls::service::Service;

use super::{needs_root, private};
use crate::live::site::{Shown, Site, write};

/// The scenario.
pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::with_peer(
    "Cyrus",
    "mail-implicit-tls/our-client-on-cyrus",
    |root| Live::unless(missing(root), || run(accepted(root))),
)];

/// The place of Debian's Cyrus.
const CYRUS: &str = "/usr/lib/cyrus/bin";

/// The servers, which conflict with those of Dovecot as packages: they are installed, or unpacked.
const SERVERS: [&str; 2] = ["imapd", "pop3d"];

/// Returns the file of a server.
fn program(root: &Path, server: &str) -> Option<PathBuf> {
    let unpacked = root.join("target/cyrus/usr/lib/cyrus/bin");
    let places = [unpacked, PathBuf::from(CYRUS)];
    let mut files = places.iter().map(|place| place.join(server));
    files.find(|file| file.exists())
}

pub(in crate::live) fn missing(root: &Path) -> Option<String> {
    if !Path::new(CYRUS).join("master").exists() {
        return Some("Cyrus is not installed: apt-get install cyrus-common".to_owned());
    }
    let absent = SERVERS.iter().any(|it| program(root, it).is_none());
    if absent {
        let how = "apt-get download cyrus-imapd cyrus-pop3d, and dpkg -x FILE target/cyrus of each";
        return Some(format!("Cyrus has no servers: {how}"));
    }
    needs_root("Cyrus")
}

/// A Cyrus in which every user has a mailbox and every password is right.
pub(in crate::live) struct Cyrus {
    _server: Server,
    pub(in crate::live) imap: u16,
    pub(in crate::live) pop3: u16,
    pub(in crate::live) imaps: u16,
    pub(in crate::live) pop3s: u16,
}

impl Cyrus {
    /// Starts Cyrus. `plaintext` permits passwords in clear text.
    pub(in crate::live) async fn start(root: &Path, site: &Site, plaintext: bool) -> Checked<Self> {
        let directory = directory()?;
        let path = directory.path();
        for name in [
            "config",
            "config/socket",
            "config/proc",
            "config/db",
            "spool",
            "run",
        ] {
            fs::create_dir(path.join(name))?;
        }
        write(&site.server(Shown::Good)?, path, "server");
        // Cyrus' user may not enter the place of files that were unpacked.
        for server in SERVERS {
            let file = program(root, server).ok_or_else(|| Failure::new("no Cyrus"))?;
            fs::copy(file, path.join(server))?;
        }
        let shown = path.display();
        let plaintext = if plaintext { "yes" } else { "no" };
        fs::write(
            path.join("imapd.conf"),
            format!(
                "configdirectory: {shown}/config\ndefaultpartition: default\npartition-default: {shown}/spool\n\
                 tls_server_cert: {shown}/server.pem\ntls_server_key: {shown}/server.key\ntls_session_timeout: 0\n\
                 sasl_pwcheck_method: alwaystrue\nsasl_mech_list: PLAIN\nallowplaintext: {plaintext}\n\
                 syslog_prefix: cyrus\nservername: mail.example.test\nautocreate_quota: 0\nautocreate_post: yes\n\
                 autocreate_users: anyone\nimapidlepoll: 1\nduplicatesuppression: no\npopminpoll: 0\n"
            ),
        )?;
        let [imap, pop3, imaps, pop3s] = ports()?;
        let mut services = String::new();
        for (name, server, options, port) in [
            ("imap", "imapd", "", imap),
            ("pop3", "pop3d", "", pop3),
            ("imaps", "imapd", " -s", imaps),
            ("pop3s", "pop3d", " -s", pop3s),
        ] {
            services += &format!(
                "{name} cmd=\"{shown}/{server} -C {shown}/imapd.conf{options}\" listen=\"127.0.0.1:{port}\" prefork=0\n"
            );
        }
        fs::write(
            path.join("cyrus.conf"),
            format!(
                "START {{\n recover cmd=\"{CYRUS}/ctl_cyrusdb -C {shown}/imapd.conf -r\"\n}}\n\
                 SERVICES {{\n{services}}}\nEVENTS {{\n}}\n"
            ),
        )?;
        Command::new("chown")
            .args(["-R", "cyrus:mail"])
            .arg(path)
            .status()?;
        let mut command = Command::new(Path::new(CYRUS).join("master"));
        command
            .arg("-C")
            .arg(path.join("imapd.conf"))
            .arg("-M")
            .arg(path.join("cyrus.conf"));
        command.arg("-p").arg(path.join("run/master.pid")).arg("-D");
        let listening = [imap, pop3, imaps, pop3s];
        Ok(Self {
            _server: Server::start(directory, "log", &mut command, &listening).await?,
            imap,
            pop3,
            imaps,
            pop3s,
        })
    }
}

async fn accepted(root: &Path) -> Checked {
    let site = Site::new()?;
    let cyrus = Cyrus::start(root, &site, false).await?;
    let connector = site.connector()?;
    let mut all = Vec::new();
    for (service, port) in [
        (Service::IMAPS, cyrus.imaps),
        (Service::IMAP_STARTTLS, cyrus.imap),
        (Service::POP3S, cyrus.pop3s),
    ] {
        all.push(private(&connector, service, port).await?);
    }
    passed(all.join(", "))
}
