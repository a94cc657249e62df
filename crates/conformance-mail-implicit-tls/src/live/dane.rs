//! Our client with DANE over the signed tree: a server on loopback with every kind of certificate, the servers that SRV
//! records name, and Dovecot, Postfix and nginx.

mod certificates;
mod ends;
mod imap;
mod rows;
mod zones;

use std::{fmt::Write as _, path::Path, sync::Arc};

use conformance::{
    Live, Scenario,
    outcome::{Checked, passed, run, same},
    servers::nginx,
};
use mail_implicit_tls::{
    dane::DaneRules,
    dns::{Resolve, resolver::ValidatingResolver},
    service::Service,
    verdict::{CertificateUsage, ChainProblem, DaneNotUsed, DaneVerdict, RecordProblem},
};
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use webpki::EndEntityCert;

use self::{
    certificates::{Authorities, Chains, WRONG, show},
    ends::{
        BOTH, account, differs, end, finding, imaps, matches, matching, not_verified, refused,
        verdict,
    },
    imap::Imap,
    rows::rows,
    zones::{behind_srv, zones},
};
use super::{
    servers::{
        dovecot::{self, Dovecot},
        nginx::Nginx,
        postfix::{self, Postfix},
    },
    site::{HOST, Shown as OfSite, Site, server},
    tree::{self, Tree},
};

/// The scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("mail-implicit-tls/dane-on-every-certificate", |root| {
        Live::unless(tree::missing(), || run(certificates(root)))
    }),
    scenario("mail-implicit-tls/dane-by-security-of-the-zone", |root| {
        Live::unless(tree::missing(), || run(zones(root)))
    }),
    scenario("mail-implicit-tls/dane-behind-srv", |root| {
        Live::unless(tree::missing(), || run(behind_srv(root)))
    }),
    Scenario::with_peer(
        "Dovecot, Knot DNS, unbound",
        "mail-implicit-tls/dane-on-dovecot",
        |root| unless(dovecot::missing(), || run(on_dovecot(root))),
    ),
    Scenario::with_peer(
        "Postfix, Knot DNS, unbound",
        "mail-implicit-tls/dane-on-postfix",
        |root| unless(postfix::missing(), || run(on_postfix(root))),
    ),
    Scenario::with_peer(
        "nginx, Knot DNS, unbound",
        "mail-implicit-tls/dane-on-nginx",
        |root| unless(nginx::missing(), || run(on_nginx(root))),
    ),
];

const fn scenario(name: &'static str, run: fn(&Path) -> Result<Live, String>) -> Scenario {
    Scenario::with_peer("Knot DNS, unbound", name, run)
}

/// Runs a scenario unless its peer or a server of the tree is missing.
fn unless(
    missing: Option<String>,
    run: impl FnOnce() -> Result<Live, String>,
) -> Result<Live, String> {
    Live::unless(missing.or_else(tree::missing), run)
}

async fn certificates(root: &Path) -> Checked {
    let imap = Imap::listen().await?;
    let port = imap.port;
    let rows = rows();
    let authorities = Authorities::new();
    let mut chains = Chains::default();
    let mut records = String::new();
    for row in &rows {
        let label = row.label;
        let host = format!("{label}.good.test");
        let shown = show(&authorities, &mut chains, &host, row.shows)?;
        writeln!(records, "{label} A 127.0.0.1")?;
        for record in &row.records {
            writeln!(records, "_{port}._tcp.{label} TLSA {}", record(&shown))?;
        }
    }
    let tree = Tree::start(root, &records).await?;
    let _serving = imap.serve(chains)?;
    let resolver: Arc<dyn Resolve> =
        Arc::new(ValidatingResolver::new(tree.plain, &tree.anchors()?));
    for rules in BOTH {
        let connector = authorities.connector(resolver.clone(), rules)?;
        for row in &rows {
            let host = format!("{}.good.test", row.label);
            let server = imaps(&host, port)?;
            let end = end(&connector, &account(None, &server)?, &server).await?;
            let right = (row.right)(&host, rules)?;
            same(&format!("{host} {rules:?}"), end, right)?;
        }
    }
    passed(format!(
        "{} sets of records and certificates, each under RFC 6698 and RFC 7671",
        rows.len()
    ))
}

async fn on_dovecot(root: &Path) -> Checked {
    let site = Site::new()?;
    let dovecot = Dovecot::start(&site, OfSite::OtherAuthority).await?;
    let ports = dovecot::SERVICES.map(|service| (service, dovecot.port(service)));
    on_server(root, &site, dovecot.path(), &ports).await
}

async fn on_postfix(root: &Path) -> Checked {
    let site = Site::new()?;
    let postfix = Postfix::start(&site, OfSite::OtherAuthority, ">=TLSv1.2").await?;
    on_server(root, &site, postfix.path(), &postfix.ports).await
}

async fn on_nginx(root: &Path) -> Checked {
    let site = Site::new()?;
    let nginx = Nginx::start(&site, OfSite::OtherAuthority).await?;
    on_server(root, &site, nginx.path(), &nginx.ports).await
}

/// Connects to each port of a server whose certificate PKIX does not trust: with records that match, differ and are
/// unusable.
async fn on_server(root: &Path, site: &Site, of: &Path, ports: &[(Service, u16)]) -> Checked {
    let certificate = CertificateDer::from_pem_file(of.join("server.pem"))?;
    let key = EndEntityCert::try_from(&certificate)?.subject_public_key_info();
    let key = hex::encode(digest(&SHA256, &key));
    let chain = || {
        let problems = [
            ChainProblem::UnknownIssuer,
            ChainProblem::IntermediateMissing,
        ];
        refused(&problems)
    };
    let unusable = vec![finding([3, 1, 9], RecordProblem::MatchingType)];
    let matches = matches(CertificateUsage::DaneEe, DaneRules::Rfc6698);
    let wrong = differs([3, 1, 1], RecordProblem::NoMatch);
    for (record, right) in [
        (
            format!("3 1 1 {key}"),
            Ok(verdict(chain(), matching(HOST)?, matches)),
        ),
        (
            format!("3 1 1 {WRONG}"),
            not_verified(verdict(chain(), matching(HOST)?, wrong)),
        ),
        (format!("3 1 9 {key}"), {
            let dane = DaneVerdict::NotUsed(DaneNotUsed::Unusable(unusable));
            not_verified(verdict(chain(), matching(HOST)?, dane))
        }),
    ] {
        let label = HOST.trim_end_matches(".test");
        let mut records = format!("{label} A 127.0.0.1\n");
        for (_, port) in ports {
            writeln!(records, "_{port}._tcp.{label} TLSA {record}")?;
        }
        let tree = Tree::start_with(root, &[("test", &records)]).await?;
        let resolver = ValidatingResolver::new(tree.plain, &tree.anchors()?);
        let connector = site
            .connector()?
            .accept_submission_without_authentication()
            .with_resolver(Arc::new(resolver));
        for (service, port) in ports {
            let mut server = server(*service, *port)?;
            server.address = None;
            let end = end(&connector, &account(None, &server)?, &server).await?;
            same(&format!("{service}: {record}"), end, right.clone())?;
        }
    }
    passed(format!(
        "{} ports with records that match, differ and are unusable",
        ports.len()
    ))
}
