//! The command `mail-tls connect` over the signed tree: the servers that secure and insecure SRV records name, and the
//! whole JSON that it prints.

use std::{fmt::Write as _, path::Path};

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
    "mail-implicit-tls/command-over-signed-srv",
    |root| Live::unless(missing(root)?, || run(over_srv(root))),
)];

async fn over_srv(root: &Path) -> Checked {
    let servers = Servers::new().await?;
    let (imap_port, submission_port) = (servers.imap.port, servers.submission.port);
    let (trusted, private) = (Authority::new("Root"), Authority::new("Private"));
    // The IMAP server's authority is known to TLSA records only.
    let reading = Certificate::server(&[HOST]).issue(&private);
    let submitting = Certificate::server(&[HOST]).issue(&trusted);
    let of = |identity: &Identity| hex::encode(digest(&SHA256, &identity.public_key()));
    let (mut good, mut plain) = (String::new(), String::new());
    writeln!(good, "server A 127.0.0.1")?;
    writeln!(good, "_{imap_port}._tcp.server TLSA 3 1 1 {}", of(&reading))?;
    writeln!(
        good,
        "_{submission_port}._tcp.server TLSA 3 1 1 {}",
        of(&submitting)
    )?;
    // The same port of another name of the host has a record that does not match.
    writeln!(good, "other A 127.0.0.1")?;
    writeln!(good, "_{submission_port}._tcp.other TLSA 3 1 1 {WRONG}")?;
    for (zone, domain, target) in [(&mut good, "user", HOST), (&mut plain, "user", HOST)] {
        writeln!(zone, "_imaps._tcp.{domain} SRV 0 1 {imap_port} {target}.")?;
        writeln!(
            zone,
            "_submissions._tcp.{domain} SRV 0 1 {submission_port} {target}."
        )?;
    }
    writeln!(good, "_imaps._tcp.wrong SRV 0 1 {imap_port} {HOST}.")?;
    writeln!(good, "_pop3s._tcp.wrong SRV 0 0 0 .")?;
    writeln!(
        good,
        "_submissions._tcp.wrong SRV 0 1 {submission_port} other.good.test."
    )?;
    let zones = [("good.test", &*good), ("plain.test", &*plain)];
    let world = servers
        .start(root, &zones, [&reading, &submitting], &trusted)
        .await?;
    let connect = async |domain: &str| {
        let address = format!("alice@{domain}");
        world.run(&["connect", &address], "--roots").await
    };

    let imap_server = format!("imaps {HOST}:{imap_port}");
    let submission_server = format!("submissions {HOST}:{submission_port}");
    let matches = format!("DNS-ID {HOST} matches DNS-ID {HOST}");
    let unknown = "the certificate was issued by an unknown authority, the issuer is unknown and the server sends no \
                   intermediate certificate";
    let ready = |server: &str, chain: &str| {
        json!({
            "server": server,
            "warnings": [],
            "level": "high",
            "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
            "verdict": {
                "chain": chain,
                "identity": matches,
                "dane": "a DANE-EE record matches",
            },
            "mechanisms": ["PLAIN"],
            "latches": { "latched": [], "advertised": null, "new": [], "not_latched": [] },
        })
    };
    let failed = |server: &str, warnings: &[&str], failure: &str| {
        json!({
            "server": server,
            "warnings": warnings,
            "failure": failure,
            "actions": ["work offline", "try again later"],
        })
    };
    let report = |domain: &str, private: bool, protocols: [(Value, Value); 3]| {
        let names = ["IMAP", "POP", "Submission"].into_iter().zip(protocols);
        let protocols: Vec<_> = names
            .map(|(name, (none, servers))| json!({ "protocol": name, "none": none, "servers": servers }))
            .collect();
        json!({ "domain": domain, "private": private, "protocols": protocols, "resolver": null })
    };
    let servers = |server: Value| (Value::Null, json!([server]));

    // Secure records: the target's name and TLSA records count.
    let expected = report(
        "user.good.test",
        true,
        [
            servers(ready(&imap_server, unknown)),
            (json!("not advertised (secured by DNSSEC)"), json!([])),
            servers(ready(&submission_server, "trusted")),
        ],
    );
    same(
        "user.good.test",
        connect("user.good.test").await?,
        (Some(0), expected),
    )?;
    let wrong = format!(
        "chain: trusted; identity: expected DNS-ID other.good.test, SRV-ID _submissions.wrong.good.test, DNS-ID \
         wrong.good.test but the certificate has DNS-ID {HOST}; DANE: no record matches: record 3 1 1: no certificate \
         of the server matches"
    );
    let other_server = format!("submissions other.good.test:{submission_port}");
    let expected = report(
        "wrong.good.test",
        false,
        [
            servers(ready(&imap_server, unknown)),
            (json!("not available (secured by DNSSEC)"), json!([])),
            servers(failed(&other_server, &[], &wrong)),
        ],
    );
    same(
        "wrong.good.test",
        connect("wrong.good.test").await?,
        (Some(1), expected),
    )?;
    // Insecure records: neither the target's name nor its records count.
    let outside = format!(
        "the server {HOST} is not in the domain user.plain.test; compare it with the provider's documentation"
    );
    let warnings = [
        "the server's name is not authenticated; compare it with the provider's documentation",
        &outside,
    ];
    let insecure = |service: &str, chain: &str| {
        format!(
            "chain: {chain}; identity: expected SRV-ID _{service}.user.plain.test, DNS-ID user.plain.test but the \
             certificate has DNS-ID {HOST}; DANE: not used, the SRV record that names the host is not secured by \
             DNSSEC"
        )
    };
    let expected = report(
        "user.plain.test",
        false,
        [
            servers(failed(&imap_server, &warnings, &insecure("imaps", unknown))),
            (json!("not advertised (not secured by DNSSEC)"), json!([])),
            servers(failed(
                &submission_server,
                &warnings,
                &insecure("submissions", "trusted"),
            )),
        ],
    );
    same(
        "user.plain.test",
        connect("user.plain.test").await?,
        (Some(1), expected),
    )?;
    passed(
        "the JSON of three domains: secure SRV records with TLSA records that match and differ, and insecure ones",
    )
}
