//! The command `mail-tls monitor --mx` over the signed tree and Postfix at port 25: TLSA records that match and differ, of
//! usages that do not count, a server without STARTTLS, and MX records that are null, absent and insecure.

use std::{fmt::Write as _, fs, net::TcpListener, path::Path};

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
    process::{directory, ports},
};
use mail_implicit_tls::service::Service;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use test_support::pki::{Authority, Certificate, Identity};

use super::{
    program::{Servers, WRONG, missing},
    servers::postfix::{self, Postfix},
};

/// The scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::with_peer(
    "Knot DNS, unbound, Postfix",
    "mail-implicit-tls/monitor-of-inbound-mail",
    |root| {
        let missing = missing(root)?.or_else(postfix::missing).or_else(taken);
        Live::unless(missing, || run(observed(root)))
    },
)];

/// The addresses at whose port 25 Postfix listens: with a certificate, without STARTTLS, with the domain's certificate.
const WITH_TLS: &str = "127.0.0.25";
const IN_CLEAR: &str = "127.0.0.27";
const OF_DOMAIN: &str = "127.0.0.28";

/// Returns the reason for which Postfix cannot listen.
fn taken() -> Option<String> {
    let addresses = [WITH_TLS, IN_CLEAR, OF_DOMAIN];
    let taken = addresses
        .into_iter()
        .find(|address| TcpListener::bind((*address, 25)).is_err());
    taken.map(|address| format!("port 25 of {address} cannot be used"))
}

/// The certificates of hosts and of the domain `anchor.good.test`, which an authority issued that is not trusted.
struct Certificates {
    private: Authority,
    hosts: Identity,
    domain: Identity,
}

impl Certificates {
    fn new() -> Self {
        let private = Authority::new("Private");
        let hosts = ["mx", "self", "wrong", "clear", "pkix", "mixed"];
        let hosts = hosts.map(|host| format!("{host}.good.test"));
        let names = hosts.each_ref().map(String::as_str);
        Self {
            hosts: Certificate::server(&names).issue(&private),
            domain: Certificate::server(&["anchor.good.test"]).issue(&private),
            private,
        }
    }

    /// Returns the records of `good.test`.
    fn zone(&self) -> Checked<String> {
        let key = hex::encode(digest(&SHA256, &self.hosts.public_key()));
        let authority = hex::encode(self.private.certificate());
        let mut zone = String::new();
        for (domain, host, address, tlsa) in [
            ("mail", "mx", WITH_TLS, Some(format!("3 1 1 {key}"))),
            ("differs", "wrong", WITH_TLS, Some(format!("3 1 1 {WRONG}"))),
            ("noname", "clear", IN_CLEAR, Some(format!("3 1 1 {key}"))),
            ("open", "opportunistic", IN_CLEAR, None),
            ("usage1", "pkix", WITH_TLS, Some(format!("1 1 1 {key}"))),
            (
                "anchor",
                "ta",
                OF_DOMAIN,
                Some(format!("2 0 0 {authority}")),
            ),
        ] {
            writeln!(zone, "{domain} MX 10 {host}.good.test.")?;
            writeln!(zone, "{host} A {address}")?;
            if let Some(tlsa) = tlsa {
                writeln!(zone, "_25._tcp.{host} TLSA {tlsa}")?;
            }
        }
        writeln!(zone, "null MX 0 .")?;
        writeln!(zone, "self A {WITH_TLS}\n_25._tcp.self TLSA 3 1 1 {key}")?;
        Ok(zone)
    }
}

async fn start(certificates: &Certificates) -> Checked<Postfix> {
    let directory = directory()?;
    let path = directory.path();
    for (identity, name) in [
        (&certificates.hosts, "hosts"),
        (&certificates.domain, "domain"),
    ] {
        let file = |extension: &str| path.join(format!("{name}.{extension}"));
        identity.write(&file("pem"), &file("key"));
    }
    // To know when Postfix listens.
    let [first, second] = ports()?;
    let shown = path.display();
    let main = format!(
        "smtpd_tls_cert_file = {shown}/hosts.pem\nsmtpd_tls_key_file = {shown}/hosts.key\n\
         smtpd_tls_protocols = >=TLSv1.2\nsmtpd_relay_restrictions = reject\nsmtpd_peername_lookup = no\n"
    );
    let line = |socket: &str, more: &str| {
        format!("{socket} inet n - n - - smtpd\n  -o smtpd_tls_security_level={more}\n")
    };
    let of_domain = format!(
        "may\n  -o smtpd_tls_cert_file={shown}/domain.pem\n  -o smtpd_tls_key_file={shown}/domain.key"
    );
    let master = [
        line(&format!("{WITH_TLS}:25"), "may"),
        line(&format!("{IN_CLEAR}:25"), "none"),
        line(&format!("{OF_DOMAIN}:25"), &of_domain),
        line(&format!("127.0.0.1:{first}"), "may"),
        line(&format!("127.0.0.1:{second}"), "may"),
    ]
    .concat();
    let ports = [first, second].map(|port| (Service::SUBMISSION_STARTTLS, port));
    Postfix::start_with(directory, &main, &master, ports).await
}

/// The findings about inbound mail: each with its check, its state, and its sentence.
fn inbound(domain: &Value) -> Vec<String> {
    let text = |finding: &Value, member: &str| {
        let text = finding.get(member).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let findings = domain.get("findings").and_then(Value::as_array);
    findings
        .into_iter()
        .flatten()
        .filter(|it| {
            let check = text(it, "check");
            let is_of_mx = check == "mx" || text(it, "subject").starts_with("mx ");
            is_of_mx && check != "validity" && check != "versions"
        })
        .map(|it| {
            let action = text(it, "action");
            let end = if action.is_empty() {
                action
            } else {
                format!(": {action}")
            };
            let [check, state, fact] = ["check", "state", "fact"].map(|member| text(it, member));
            format!("{check} {state}: {fact}{end}")
        })
        .collect()
}

const DELIVERED: &str = "connection good: Other servers can deliver over TLSv1.3";
const ONE_SERVER: &str = "mx good: The domain names one server for inbound mail";
const BY_KEY: &str = "tlsa good: A TLSA record of usage DANE-EE matches the certificate";
const NO_AUTHORITY: &str = "chain advice: No authority that is trusted vouches for the server, the certificate was issued \
                            by an unknown authority and the issuer is unknown and the server sends no intermediate \
                            certificate: let the server send the certificate of the issuer after its own";
const NAMED: &str = "names good: The certificate has DNS-ID ";
const UNVERIFIED: &str = "connection advice: Other servers deliver though the certificate is not verified, so that an \
                          attacker can read the mail: publish a TLSA record 3 1 1 with DNSSEC, or a certificate that is \
                          verified and a policy of MTA-STS";

/// The domains with the state of each and the findings about inbound mail.
fn expected() -> Vec<(&'static str, &'static str, Vec<String>)> {
    let named = |host: &str| format!("{NAMED}{host}");
    let own = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| (*line).to_owned())
            .collect::<Vec<_>>()
    };
    let with = |lines: &[&str], more: String| [own(lines), vec![more]].concat();
    vec![
        (
            "mail.good.test",
            "advice",
            [
                own(&[ONE_SERVER, DELIVERED]),
                vec![named("mx.good.test"), BY_KEY.to_owned()],
            ]
            .concat(),
        ),
        (
            "differs.good.test",
            "bad",
            [
                own(&[
                    "connection bad: Other servers with DANE do not deliver, since no TLSA record matches the certificate: \
                     see the finding about the TLSA records",
                    "tlsa bad: Other servers with DANE refuse the server, no record matches: record 3 1 1: no certificate \
                     of the server matches: serve the certificate that the records name, or publish records of the served \
                     one at once",
                    NO_AUTHORITY,
                    ONE_SERVER,
                ]),
                vec![named("wrong.good.test")],
            ]
            .concat(),
        ),
        (
            "noname.good.test",
            "bad",
            own(&[
                "connection bad: Other servers with DANE do not deliver, since the server does not offer STARTTLS: install \
                 a certificate for the service, so that it offers STARTTLS",
                "tlsa not-known: The TLSA records could not be compared, no certificate was received: see the finding \
                 about the connection",
                ONE_SERVER,
            ]),
        ),
        (
            "open.good.test",
            "warning",
            own(&[
                "connection warning: Mail arrives in clear text, since the server does not offer STARTTLS: install a \
                 certificate for the service, so that it offers STARTTLS",
                "tlsa advice: The server has no TLSA record: publish _25._tcp.opportunistic.good.test. IN TLSA 3 1 1 with \
                 the digest of the key",
                ONE_SERVER,
            ]),
        ),
        (
            "usage1.good.test",
            "bad",
            with(
                &[
                    "tlsa bad: No TLSA record protects the server, not used, all TLSA records are unusable: record 1 1 1: certificate \
                     usage that does not count for inbound mail: replace them by a record 3 1 1",
                    UNVERIFIED,
                    NO_AUTHORITY,
                    ONE_SERVER,
                ],
                named("pkix.good.test"),
            ),
        ),
        (
            "anchor.good.test",
            "advice",
            own(&[
                ONE_SERVER,
                DELIVERED,
                "names good: The certificate has DNS-ID anchor.good.test",
                "tlsa good: A TLSA record of usage DANE-TA matches the certificate",
            ]),
        ),
        (
            "null.good.test",
            "advice",
            own(&["mx good: The domain states that it receives no mail"]),
        ),
        (
            "self.good.test",
            "advice",
            [
                own(&[
                    "mx advice: The domain has no MX record, so that other servers deliver to its own address: publish an \
                     MX record, or MX 0 . if the domain receives no mail",
                    DELIVERED,
                ]),
                vec![named("self.good.test"), BY_KEY.to_owned()],
            ]
            .concat(),
        ),
        (
            "inbound.plain.test",
            "advice",
            with(
                &[
                    "mx advice: The domain names one server for inbound mail without DNSSEC, so that no TLSA record \
                     protects the way to them: sign the zone with DNSSEC",
                    UNVERIFIED,
                    NO_AUTHORITY,
                ],
                named("mx.good.test"),
            ),
        ),
    ]
}

async fn observed(root: &Path) -> Checked {
    let certificates = Certificates::new();
    let zone = certificates.zone()?;
    let plain = "inbound MX 10 mx.good.test.\n";
    let postfix = start(&certificates).await?;
    let servers = Servers::new().await?;
    // The command trusts an authority that issued none of the certificates.
    let trusted = Authority::new("Root");
    let unused = Certificate::server(&["unused.good.test"]).issue(&trusted);
    let zones = [("good.test", &*zone), ("plain.test", plain)];
    let world = servers
        .start(root, &zones, [&unused, &unused], &trusted)
        .await?;
    let expected = expected();
    let mut arguments = vec!["monitor", "--mx"];
    arguments.extend(expected.iter().map(|(domain, ..)| *domain));
    let (code, value) = world.run(&arguments, "--ca").await?;
    let domains = value.get("domains").and_then(Value::as_array);
    let domains = domains.ok_or_else(|| Failure::new("no domains"))?;
    same("domains", domains.len(), expected.len())?;
    for (given, (domain, state, findings)) in domains.iter().zip(expected) {
        same(domain, inbound(given), findings)?;
        same(
            domain,
            given.get("state").and_then(Value::as_str),
            Some(state),
        )?;
        let of_mx = given.pointer("/servers/0/addresses/0/certificate");
        let has_certificate = of_mx.is_some_and(|it| !it.is_null());
        let is_clear = ["noname.good.test", "open.good.test", "null.good.test"].contains(&domain);
        same(domain, has_certificate, !is_clear)?;
    }
    same("exit code", code, Some(2))?;
    // Postfix has seen a client that began TLS and sent no mail.
    let log = fs::read_to_string(postfix.path().join("data/maillog"))?;
    same("deliveries", log.contains("rcpt="), false)?;
    passed("the findings about nine domains, by Postfix at port 25")
}
