//! The command `mail-tls monitor` over the signed tree: a domain in which all is well, one whose TLSA record does not match,
//! one whose signatures expired and one whose parent names another key, a resolver that gives no DNSSEC, and the whole JSON
//! that it prints.

use std::{
    fmt::Write as _,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use conformance::{
    Live, Scenario,
    outcome::{Checked, passed, run, same},
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use test_support::pki::{Authority, Certificate, Identity};

use super::program::{HOST, Servers, WRONG, missing};

/// The scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[Scenario::with_peer(
    "Knot DNS, unbound",
    "mail-implicit-tls/monitor-over-signed-srv",
    |root| Live::unless(missing(root)?, || run(observed(root))),
)];

/// 2020-02-01, the expiration of the signatures of `expired.test`.
const EXPIRED: u64 = 1_580_515_200;

/// 4096-01-01, the end of the certificates.
const CERTIFICATES_END: u64 = 67_090_118_400;

fn finding(check: &str, subject: &str, state: &str, fact: &str, action: Option<&str>) -> Value {
    json!({ "check": check, "subject": subject, "state": state, "fact": fact, "action": action })
}

fn good(check: &str, subject: &str, fact: &str) -> Value {
    finding(check, subject, "good", fact, None)
}

/// A server and its certificate.
struct Site<'a> {
    server: &'a str,
    identity: &'a Identity,
    verified: bool,
}

impl Site<'_> {
    fn json(&self) -> Value {
        let sha256 = |octets: &[u8]| hex::encode(digest(&SHA256, octets));
        let certificate = self.identity.chain();
        json!({
            "server": self.server,
            "addresses": [{
                "address": "127.0.0.1",
                "verified": self.verified,
                "tls": { "version": "TLSv1.3", "cipher_suite": "TLS_AES_256_GCM_SHA384" },
                "certificate": {
                    "not_before": "1975-01-01T00:00Z",
                    "not_after": "4096-01-01T00:00Z",
                    "names": [format!("DNS-ID {HOST}")],
                    "sha256": certificate.first().map(|it| sha256(it)),
                    "key_sha256": sha256(&self.identity.public_key()),
                },
            }],
        })
    }

    fn at(&self) -> String {
        format!("{} at 127.0.0.1", self.server)
    }
}

/// Removes the time of the run, and replaces times and key tags that differ from run to run.
fn stable(mut value: Value) -> Value {
    let replaced = |text: &str, before: &str, after: &str, by: &str| {
        let (begin, rest) = text.split_once(before)?;
        let end = rest.find(after)?;
        Some(format!("{begin}{before}{by}{}", rest.get(end..)?))
    };
    let domains = value.get_mut("domains").and_then(Value::as_array_mut);
    for domain in domains.into_iter().flatten() {
        if let Some(domain) = domain.as_object_mut() {
            domain.remove("at");
        }
        let findings = domain.get_mut("findings").and_then(Value::as_array_mut);
        for finding in findings.into_iter().flatten() {
            let fact = finding
                .get("fact")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let dated = replaced(fact, "The signatures are valid until ", "Z", "TIME");
            let tagged = replaced(&format!("{fact}\n"), "and the zone has ", "\n", "KEYS");
            let tagged = tagged.map(|text| text.trim_end().to_owned());
            if let (Some(fact), Some(finding)) = (dated.or(tagged), finding.as_object_mut()) {
                finding.insert("fact".to_owned(), fact.into());
            }
        }
    }
    value
}

async fn observed(root: &Path) -> Checked {
    let servers = Servers::new().await?;
    let (imap_port, submission_port) = (servers.imap.port, servers.submission.port);
    let authority = Authority::new("Root");
    let reading = Certificate::server(&[HOST]).issue(&authority);
    let submitting = Certificate::server(&[HOST]).issue(&authority);
    let key = hex::encode(digest(&SHA256, &reading.public_key()));
    let mut good_zone = String::new();
    writeln!(good_zone, "server A 127.0.0.1")?;
    writeln!(good_zone, "_{imap_port}._tcp.server TLSA 3 1 1 {key}")?;
    writeln!(
        good_zone,
        "_{submission_port}._tcp.server TLSA 3 1 1 {WRONG}"
    )?;
    for domain in ["well", "broken"] {
        writeln!(
            good_zone,
            "_imaps._tcp.{domain} SRV 0 1 {imap_port} {HOST}."
        )?;
        writeln!(good_zone, "_pop3s._tcp.{domain} SRV 0 0 0 .")?;
    }
    writeln!(good_zone, "_submissions._tcp.well SRV 0 0 0 .")?;
    writeln!(
        good_zone,
        "_submissions._tcp.broken SRV 0 1 {submission_port} {HOST}."
    )?;
    let world = servers
        .start(
            root,
            &[("good.test", &good_zone)],
            [&reading, &submitting],
            &authority,
        )
        .await?;
    let monitor = async |domains: &[&str]| -> Checked<(Option<i32>, Value)> {
        let arguments = [&["monitor"], domains].concat();
        let (code, value) = world.run(&arguments, "--ca").await?;
        Ok((code, stable(value)))
    };

    let (imaps, submissions) = (
        format!("imaps {HOST}:{imap_port}"),
        format!("submissions {HOST}:{submission_port}"),
    );
    let reading = Site {
        server: &imaps,
        identity: &reading,
        verified: true,
    };
    let submitting = Site {
        server: &submissions,
        identity: &submitting,
        verified: false,
    };
    let well = vec![
        no_status(&reading),
        good("srv", "_imaps._tcp SRV", "The domain advertises one server"),
        good(
            "srv",
            "_pop3s._tcp SRV",
            "The domain states that it has no pop3s",
        ),
        good(
            "srv",
            "_submissions._tcp SRV",
            "The domain states that it has no submissions",
        ),
    ];
    let well = [well, signed("well", &[imap_port]), works(&reading)?].concat();
    let expected = json!({ "version": 1, "domains": [{
        "domain": "well.good.test",
        "state": "advice",
        "servers": [reading.json()],
        "findings": well,
    }] });
    same(
        "well.good.test",
        monitor(&["well.good.test"]).await?,
        (Some(0), expected),
    )?;

    let broken = [
        finding(
            "connection",
            &submitting.at(),
            "bad",
            "Mail clients refuse the server, whose certificate is not verified",
            Some("see the findings about its certificate, names and TLSA records"),
        ),
        finding(
            "tlsa",
            &submitting.at(),
            "bad",
            "Clients with DANE refuse the server, no record matches: record 3 1 1: no certificate of the server matches",
            Some(
                "serve the certificate that the records name, or publish records of the served one at once",
            ),
        ),
        no_status(&reading),
        no_status(&submitting),
        good("srv", "_imaps._tcp SRV", "The domain advertises one server"),
        good(
            "srv",
            "_pop3s._tcp SRV",
            "The domain states that it has no pop3s",
        ),
        good(
            "srv",
            "_submissions._tcp SRV",
            "The domain advertises one server",
        ),
    ];
    let certificate = works(&submitting)?;
    // Dates, path, names and versions: all is right but the TLSA record.
    let certificate = certificate.get(1..5).unwrap_or_default();
    let broken = [
        &broken[..],
        &signed("broken", &[imap_port, submission_port]),
        &works(&reading)?,
        certificate,
    ]
    .concat();
    let domains = ["broken.good.test", "expired.test", "bad.test"];
    let expected = json!({ "version": 1, "domains": [
        {
            "domain": "broken.good.test",
            "state": "bad",
            "servers": [reading.json(), submitting.json()],
            "findings": broken,
        },
        { "domain": "expired.test", "state": "bad", "servers": [], "findings": expired()? },
        { "domain": "bad.test", "state": "bad", "servers": [], "findings": without_key() },
    ] });
    same("faults", monitor(&domains).await?, (Some(2), expected))?;
    // Of the broken zones too nothing is known through a resolver that gives no DNSSEC.
    let forwarder = world.without_dnssec().await?;
    let domains = ["well.good.test", "expired.test"];
    let arguments = [&["monitor"], &domains[..]].concat();
    let (code, value) = world.run_by(forwarder, &arguments, "--ca").await?;
    let fact = format!("The domain is not known, since the resolver {forwarder} gives no DNSSEC");
    let action = "let it pass the records of DNSSEC on, or name another resolver";
    let missing = finding("resolver", "domain", "not-known", &fact, Some(action));
    let expected = domains.map(|domain| {
        json!({ "domain": domain, "state": "not-known", "servers": [], "findings": [missing] })
    });
    same(
        "a resolver without DNSSEC",
        (code, stable(value)),
        (Some(3), json!({ "version": 1, "domains": expected })),
    )?;
    passed(
        "the JSON of four domains, and of two by a resolver without DNSSEC: all well, a TLSA record that does not match, signatures that expired, a DS record \
         without its key",
    )
}

fn no_status(site: &Site<'_>) -> Value {
    finding(
        "deep",
        &site.at(),
        "advice",
        "The server advertises no DEEP status",
        Some(
            "advertise tls10, tls-cert and an https URL once certificates are renewed by themselves",
        ),
    )
}

/// Returns the findings about the signatures of a domain with servers at these ports.
fn signed(domain: &str, ports: &[u16]) -> Vec<Value> {
    let mut names: Vec<_> = SERVICES
        .iter()
        .map(|label| format!("{label}.{domain}.good.test. SRV"))
        .collect();
    names.extend(
        ports
            .iter()
            .map(|port| format!("_{port}._tcp.{HOST}. TLSA")),
    );
    names.extend(["A", "AAAA"].map(|kind| format!("{HOST}. {kind}")));
    names.sort();
    let names = names.iter();
    names
        .map(|name| good("dnssec", name, "The signatures are valid until TIMEZ"))
        .collect()
}

/// The labels of SRV records.
const SERVICES: [&str; 6] = [
    "_imap._tcp",
    "_imaps._tcp",
    "_pop3._tcp",
    "_pop3s._tcp",
    "_submission._tcp",
    "_submissions._tcp",
];

/// Returns the findings about a server that works.
fn works(site: &Site<'_>) -> Checked<Vec<Value>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let days = CERTIFICATES_END.saturating_sub(now) / 86_400;
    let at = site.at();
    let valid = format!(
        "The certificate is valid for {days} days, until 4096-01-01T00:00Z, 97 % of its lifetime"
    );
    Ok(vec![
        good("connection", &at, "A mail client can log in, over TLSv1.3"),
        good("validity", &at, &valid),
        good(
            "chain",
            &at,
            "The certificate leads to an authority that is trusted",
        ),
        good("names", &at, &format!("The certificate has DNS-ID {HOST}")),
        good(
            "versions",
            &at,
            "The server accepts TLS 1.2 and TLS 1.3, and no earlier version",
        ),
        good(
            "tlsa",
            &at,
            "A TLSA record of usage DANE-EE matches the certificate",
        ),
    ])
}

/// Returns the findings about the SRV records of a domain whose answers are bogus.
fn bogus_records() -> Vec<Value> {
    let services = [
        "imaps",
        "imap",
        "pop3s",
        "pop3",
        "submissions",
        "submission",
    ];
    services
        .map(|name| {
            finding(
                "srv",
                &format!("_{name}._tcp SRV"),
                "bad",
                &format!(
                    "The servers that clients find by {name} are not known, DNSSEC validation failed"
                ),
                Some("repair the zone, whose records clients refuse"),
            )
        })
        .into()
}

fn expired() -> Checked<Vec<Value>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let days = now.saturating_sub(EXPIRED) / 86_400;
    let mut findings = bogus_records();
    for label in SERVICES {
        let subject = format!("{label}.expired.test. SRV");
        let signed = match label {
            "_imaps._tcp" => "_imaps._tcp.expired.test. SRV",
            // The denial's record begins with the name before.
            "_imap._tcp" => "expired.test. DNSKEY",
            _ => "_imaps._tcp.expired.test. NSEC",
        };
        let fact = format!(
            "Clients that validate get no answer, since the signature over {signed} expired {days} days ago, at \
             2020-02-01T00:00Z"
        );
        let action = "sign the zone again, and check that its signer runs";
        findings.push(finding("dnssec", &subject, "bad", &fact, Some(action)));
    }
    Ok(findings)
}

fn without_key() -> Vec<Value> {
    let mut findings = bogus_records();
    for label in SERVICES {
        let subject = format!("{label}.bad.test. SRV");
        let fact = "Clients that validate get no answer, since the DS records of bad.test. name the keys 12345 and the \
                    zone has KEYS";
        let action =
            "publish the DS record of a key of the zone at its parent, or remove the wrong one";
        findings.push(finding("dnssec", &subject, "bad", fact, Some(action)));
    }
    findings
}
