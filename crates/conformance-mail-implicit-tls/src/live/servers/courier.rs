//! Our client on Courier.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use conformance::{
    Live, Scenario,
    outcome::{Checked, passed, run},
    process::{Server, directory, ports},
};
use mail_implicit_tls::service::Service;

use super::{needs_root, private};
use crate::live::site::{Shown, Site};

/// The scenario.
pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::with_peer(
    "Courier",
    "mail-implicit-tls/our-client-on-courier",
    |_| Live::unless(missing(), || run(accepted())),
)];

/// The place of Debian's Courier.
const COURIER: &str = "/usr/lib/courier/courier";

fn missing() -> Option<String> {
    let needed = [
        Path::new(COURIER).join("imaplogin"),
        "/usr/sbin/couriertcpd".into(),
        "/usr/bin/couriertls".into(),
    ];
    if !needed.iter().all(|program| program.exists()) {
        return Some(
            "Courier is not installed: apt-get install courier-imap courier-pop".to_owned(),
        );
    }
    needs_root("Courier")
}

async fn accepted() -> Checked {
    let site = Site::new()?;
    let directory = directory()?;
    let path = directory.path();
    let identity = site.server(Shown::Good)?;
    fs::write(path.join("both.pem"), identity.key_pem() + identity.pem())?;
    fs::set_permissions(path.join("both.pem"), fs::Permissions::from_mode(0o644))?;
    let [imaps, pop3s] = ports()?;
    let mut all = Vec::new();
    let mut running = Vec::new();
    for (service, port, login) in [
        (Service::IMAPS, imaps, "imaplogin"),
        (Service::POP3S, pop3s, "courierpop3login"),
    ] {
        let program = Path::new(COURIER).join(login);
        if !program.exists() {
            continue;
        }
        let own = self::directory()?;
        let mut command = Command::new("/usr/sbin/couriertcpd");
        command.args(["-address=127.0.0.1", "-nodnslookup", "-noidentlookup"]);
        // With a file of its process id, it would go to the background, and nothing would stop it.
        command.arg(port.to_string());
        command
            .args(["/usr/bin/couriertls", "-server", "-tcpd", "-user=courier"])
            .arg(&program)
            .arg("/bin/false")
            .arg("Maildir");
        command
            .env_clear()
            .env("TLS_CERTFILE", path.join("both.pem"))
            .env("IMAP_CAPABILITY", "IMAP4rev1 UIDPLUS")
            .env("IMAP_TLS", "1")
            .env("POP3_TLS", "1");
        command
            .env("IMAP_CAPABILITY_TLS", "IMAP4rev1 UIDPLUS AUTH=PLAIN")
            .env("TLS_VERIFYPEER", "NONE");
        command
            .env("POP3AUTH", "PLAIN")
            .env("POP3AUTH_TLS", "PLAIN");
        running.push(Server::start(own, "log", &mut command, &[port]).await?);
        all.push(private(&site.connector()?, service, port).await?);
    }
    passed(all.join(", "))
}
