//! Our client on Dovecot: with every service, by EXTERNAL, and with certificates that it must refuse.

use std::path::Path;

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
    process::directory,
    servers::dovecot::{self, Settings},
};
use mail_implicit_tls::{
    account::{HostSource, LowPrivacy},
    external::External,
    failure::Cause,
    identity::Rules,
    privacy::PrivacyLevel,
    service::Service,
    verdict::{ChainVerdict, IdentityVerdict},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{connect, goodbye, needs_root, private};
use crate::live::site::{Shown, Site, account, server, write};

/// The scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("mail-implicit-tls/our-client-on-dovecot", |_| {
        Live::unless(missing(), || run(accepted()))
    }),
    scenario(
        "mail-implicit-tls/our-client-on-dovecot-by-certificate",
        |_| Live::unless(missing(), || run(by_certificate())),
    ),
    scenario("mail-implicit-tls/our-client-judges-dovecot", |_| {
        Live::unless(missing(), || run(judged()))
    }),
];

const fn scenario(name: &'static str, run: fn(&Path) -> Result<Live, String>) -> Scenario {
    Scenario::with_peer("Dovecot", name, run)
}

pub(in crate::live) fn missing() -> Option<String> {
    dovecot::missing().or_else(|| needs_root("Dovecot"))
}

/// A Dovecot that accepts a password or the certificate of a client.
pub(in crate::live) struct Dovecot(dovecot::Dovecot);

impl Dovecot {
    pub(in crate::live) async fn start(site: &Site, shown: Shown) -> Checked<Self> {
        let directory = directory()?;
        let path = directory.path();
        write(&site.server(shown)?, path, "server");
        let authorities = site.root_pem() + &site.revocation_list()?;
        std::fs::write(path.join("ca.pem"), authorities)?;
        let path = path.display();
        let lines = format!(
            r#"auth_mechanisms = plain external
disable_plaintext_auth = yes
ssl = required
ssl_min_protocol = TLSv1.2
ssl_cert = <{path}/server.pem
ssl_key = <{path}/server.key
ssl_ca = <{path}/ca.pem
ssl_verify_client_cert = yes
auth_ssl_username_from_cert = yes
ssl_cert_username_field = commonName
ssl_require_crl = no
passdb {{
  driver = static
  mechanisms = plain
  args = password=secret
}}
passdb {{
  driver = static
  mechanisms = external
  args = nopassword=y
}}"#
        );
        let settings = Settings {
            instance: "mail-implicit-tls",
            tls: true,
            lines: &lines,
        };
        Ok(Self(dovecot::Dovecot::start(directory, &settings).await?))
    }

    pub(in crate::live) fn path(&self) -> &Path {
        self.0.server.path()
    }

    pub(in crate::live) fn port(&self, service: Service) -> u16 {
        match service {
            Service::IMAPS => self.0.imaps,
            Service::POP3S => self.0.pop3s,
            Service::POP3_STARTTLS => self.0.pop3,
            _ => self.0.imap,
        }
    }
}

/// The services of a [`Dovecot`].
pub(in crate::live) const SERVICES: [Service; 4] = [
    Service::IMAPS,
    Service::POP3S,
    Service::IMAP_STARTTLS,
    Service::POP3_STARTTLS,
];

async fn accepted() -> Checked {
    let site = Site::new()?;
    let mut all = Vec::new();
    let dovecot = Dovecot::start(&site, Shown::Good).await?;
    let connector = site.connector()?;
    for service in SERVICES {
        all.push(private(&connector, service, dovecot.port(service)).await?);
    }
    passed(all.join(", "))
}

async fn by_certificate() -> Checked {
    let site = Site::new()?;
    let dovecot = Dovecot::start(&site, Shown::Good).await?;
    let mut all = Vec::new();
    for service in [Service::IMAPS, Service::POP3S] {
        let server = server(service, dovecot.port(service))?;
        let account = account(|setup| setup, &server)?;
        let key = site.client_key("alice")?;
        let connector = site.connector()?.with_client_certificate(
            account.id().clone(),
            server.host.clone(),
            key,
        );
        let connection = connector.connect(&account, &server).await;
        let connection = connection.map_err(|failure| Failure::new(failure.to_string()))?;
        let external = External::new(service.protocol, "a", "", connection.capabilities())?;
        let mut stream = connection.into_stream();
        stream.write_all(external.command().as_bytes()).await?;
        if let Some(response) = external.response() {
            stream.write_all(response.as_bytes()).await?;
        }
        stream.flush().await?;
        let mut reply = vec![0; 512];
        let count = stream.read(&mut reply).await?;
        let reply = String::from_utf8_lossy(reply.get(..count).unwrap_or_default()).into_owned();
        if !reply.contains("Logged in") {
            return Err(Failure::new(format!("{service}: {reply:?}")));
        }
        stream.shutdown().await?;
        all.push(format!("{service} logged in"));
    }
    passed(all.join(", "))
}

async fn judged() -> Checked {
    let site = Site::new()?;
    for (shown, chain, named) in [
        (Shown::OtherName, true, false),
        (Shown::Expired, false, true),
        (Shown::OtherAuthority, false, true),
        (Shown::CnOnly, true, false),
        (Shown::SrvOnly, true, false),
    ] {
        let dovecot = Dovecot::start(&site, shown).await?;
        let connector = site.connector()?;
        for service in SERVICES {
            let failure =
                connect(&connector, service, dovecot.port(service), |setup| setup).await?;
            let Err(failure) = failure else {
                return Err(Failure::new(format!("{shown:?} accepted on {service}")));
            };
            let Cause::NotVerified(verdict) = failure.cause() else {
                return Err(Failure::new(format!("{shown:?} on {service}: {failure}")));
            };
            same("chain", verdict.chain == ChainVerdict::Trusted, chain)?;
            same(
                "name",
                matches!(verdict.identity, IdentityVerdict::Matches { .. }),
                named,
            )?;
        }
        // The low level may ignore it, and shows no high level.
        let low = LowPrivacy {
            ignore_certificate: true,
            clear_text_fallback: false,
        };
        let connection = connect(&connector, Service::IMAPS, dovecot.0.imaps, |setup| {
            setup.low(low)
        })
        .await?;
        let connection = connection.map_err(|failure| Failure::new(failure.to_string()))?;
        same(
            "level",
            connection.indication().level(),
            Some(PrivacyLevel::Low),
        )?;
        let closed = goodbye(connection).await?;
        same("closed", closed.is_some(), true)?;
    }
    // A common name counts under rules that say so, a wildcard always.
    let dovecot = Dovecot::start(&site, Shown::CnOnly).await?;
    let connector = site.connector()?;
    let connection = connect(&connector, Service::IMAPS, dovecot.0.imaps, |setup| {
        setup.rules(Rules::Rfc6125)
    })
    .await?;
    same(
        "common name",
        connection
            .map_err(|failure| Failure::new(failure.to_string()))
            .is_ok(),
        true,
    )?;
    let dovecot = Dovecot::start(&site, Shown::Wildcard).await?;
    private(&site.connector()?, Service::IMAPS, dovecot.0.imaps).await?;
    // An SRV-ID counts where the host was found by SRV.
    let dovecot = Dovecot::start(&site, Shown::SrvOnly).await?;
    for service in [Service::IMAPS, Service::POP3S] {
        let server = server(service, dovecot.port(service))?.with_source(HostSource::InsecureSrv);
        let account = account(|setup| setup, &server)?;
        let connection = site.connector()?.connect(&account, &server).await;
        let connection = connection.map_err(|failure| Failure::new(failure.to_string()))?;
        same(
            "level",
            connection.indication().level(),
            Some(PrivacyLevel::High),
        )?;
    }
    passed("name, date, authority, common name, wildcard and SRV-ID judged on four services")
}
