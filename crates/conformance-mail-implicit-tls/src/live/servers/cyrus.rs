//! Our client on Cyrus.

use std::{fs, path::Path, process::Command};

use conformance::{
    Live, Scenario,
    outcome::{Checked, passed, run},
    process::{Server, directory, ports},
};
use mail_implicit_tls::service::Service;

use super::{needs_root, private};
use crate::live::site::{Shown, Site, write};

/// The scenario.
pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::with_peer(
    "Cyrus",
    "mail-implicit-tls/our-client-on-cyrus",
    |_| Live::unless(missing(), || run(accepted())),
)];

/// The place of Debian's Cyrus.
const CYRUS: &str = "/usr/lib/cyrus/bin";

fn missing() -> Option<String> {
    if !Path::new(CYRUS).join("master").exists() {
        return Some("Cyrus is not installed: apt-get install cyrus-imapd cyrus-pop3d".to_owned());
    }
    needs_root("Cyrus")
}

async fn accepted() -> Checked {
    let site = Site::new()?;
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
    let [imaps, imap, pop3s] = ports()?;
    let shown = path.display();
    fs::write(
        path.join("imapd.conf"),
        format!(
            "configdirectory: {shown}/config\ndefaultpartition: default\npartition-default: {shown}/spool\n\
             tls_server_cert: {shown}/server.pem\ntls_server_key: {shown}/server.key\ntls_session_timeout: 0\n\
             sasl_pwcheck_method: alwaystrue\nsasl_mech_list: PLAIN\nallowplaintext: no\nsyslog_prefix: cyrus\n\
             servername: mail.example.test\n"
        ),
    )?;
    fs::write(
        path.join("cyrus.conf"),
        format!(
            "START {{\n recover cmd=\"{CYRUS}/ctl_cyrusdb -C {shown}/imapd.conf -r\"\n}}\nSERVICES {{\n\
             imaps cmd=\"{CYRUS}/imapd -C {shown}/imapd.conf -s\" listen=\"127.0.0.1:{imaps}\" prefork=0\n\
             imap cmd=\"{CYRUS}/imapd -C {shown}/imapd.conf\" listen=\"127.0.0.1:{imap}\" prefork=0\n\
             pop3s cmd=\"{CYRUS}/pop3d -C {shown}/imapd.conf -s\" listen=\"127.0.0.1:{pop3s}\" prefork=0\n}}\n\
             EVENTS {{\n}}\n"
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
    let _process = Server::start(directory, "log", &mut command, &[imaps, imap, pop3s]).await?;
    let connector = site.connector()?;
    let mut all = Vec::new();
    for (service, port) in [
        (Service::IMAPS, imaps),
        (Service::IMAP_STARTTLS, imap),
        (Service::POP3S, pop3s),
    ] {
        all.push(private(&connector, service, port).await?);
    }
    passed(all.join(", "))
}
