//! Our client on nginx as mail proxy.

use std::path::Path;

use conformance::{
    Live, Scenario,
    outcome::{Checked, passed, run, same},
    process::{Server, directory, ports},
    servers::nginx::{self, missing},
};
use mail_implicit_tls::{failure::Cause, service::Service};

use super::{connect, private};
use crate::live::site::{Shown, Site, write};

/// The scenario.
pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::with_peer(
    "nginx",
    "mail-implicit-tls/our-client-on-nginx",
    |_| Live::unless(missing(), || run(accepted())),
)];

/// An nginx as mail proxy.
pub(in crate::live) struct Nginx {
    server: Server,
    pub(in crate::live) ports: [(Service, u16); 6],
}

impl Nginx {
    pub(in crate::live) async fn start(site: &Site, shown: Shown) -> Checked<Self> {
        let directory = directory()?;
        write(&site.server(shown)?, directory.path(), "server");
        let listening = ports()?;
        let [imaps, pop3s, submissions, imap, pop3, submission] = listening;
        let path = directory.path().display();
        let mail = format!(
            "mail {{\n\
             server_name mail.example.test;\nauth_http 127.0.0.1:9/;\nssl_certificate {path}/server.pem;\n\
             ssl_certificate_key {path}/server.key;\nimap_auth plain;\npop3_auth plain;\nsmtp_auth plain;\n\
             imap_capabilities IMAP4rev1 UIDPLUS;\nstarttls on;\n\
             server {{ listen 127.0.0.1:{imaps} ssl; protocol imap; }}\n\
             server {{ listen 127.0.0.1:{pop3s} ssl; protocol pop3; }}\n\
             server {{ listen 127.0.0.1:{submissions} ssl; protocol smtp; }}\n\
             server {{ listen 127.0.0.1:{imap}; protocol imap; }}\n\
             server {{ listen 127.0.0.1:{pop3}; protocol pop3; }}\n\
             server {{ listen 127.0.0.1:{submission}; protocol smtp; }}\n}}\n"
        );
        Ok(Self {
            server: nginx::start(directory, &mail, &listening).await?,
            ports: [
                (Service::IMAPS, imaps),
                (Service::POP3S, pop3s),
                (Service::SUBMISSIONS, submissions),
                (Service::IMAP_STARTTLS, imap),
                (Service::POP3_STARTTLS, pop3),
                (Service::SUBMISSION_STARTTLS, submission),
            ],
        })
    }

    pub(in crate::live) fn path(&self) -> &Path {
        self.server.path()
    }
}

async fn accepted() -> Checked {
    let site = Site::new()?;
    let nginx = Nginx::start(&site, Shown::Good).await?;
    let connector = site.connector()?;
    let mut all = Vec::new();
    for (service, port) in nginx.ports {
        all.push(private(&connector, service, port).await?);
    }
    let [_, _, _, (_, imap), ..] = nginx.ports;
    // A port in clear text and one with TLS, confused with each other.
    let wrong = connect(&connector, Service::IMAPS, imap, |setup| setup).await?;
    let cause = wrong.err().map(|failure| failure.cause().clone());
    same(
        "TLS to a port in clear text",
        cause,
        Some(Cause::SpeaksClearText),
    )?;
    passed(all.join(", "))
}
