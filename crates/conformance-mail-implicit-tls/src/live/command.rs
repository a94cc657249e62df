//! The command `mail-tls connect` over the signed tree: the servers that secure and insecure SRV records name, and the
//! whole JSON that it prints.

use std::{
    fmt::Write as _,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use conformance::{
    Live, Scenario, cargo,
    outcome::{Checked, Failure, passed, run, same},
    process::directory,
};
use ring::digest::{SHA256, digest};
use rustls::{DEFAULT_VERSIONS, ServerConfig};
use serde_json::{Value, json};
use test_support::pki::{Authority, Certificate, Identity};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::{JoinHandle, spawn_blocking},
};
use tokio_rustls::TlsAcceptor;

use super::tree::{self, Tree};

/// The scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[Scenario {
    name: "mail-implicit-tls/command-over-signed-srv",
    peer: Some("Knot DNS, unbound"),
    run: |root| match tree::missing() {
        Some(missing) => Ok(Live::Skipped(missing)),
        None => match built(root)? {
            Some(missing) => Ok(Live::Skipped(missing)),
            None => run(over_srv(root)),
        },
    },
}];

/// Builds the command, which may take longer than a scenario. Returns the reason why this Rust cannot build it.
pub(super) fn built(root: &Path) -> Result<Option<String>, String> {
    let output = cargo(root)
        .args(["build", "--quiet", "-p", "mail-tls"])
        .output()
        .map_err(|error| error.to_string())?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(None),
        false if errors.contains("is not supported by the following package") => {
            Ok(Some("mail-tls needs Rust 1.94".to_owned()))
        }
        false => Err(errors),
    }
}

/// Returns the command.
pub(super) fn program(root: &Path) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    target.join("debug/mail-tls")
}

/// The target of the SRV records, in the signed zone.
pub(super) const HOST: &str = "server.good.test";

/// A digest of no key.
pub(super) const WRONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A listener, whose port the records need before it serves.
pub(super) struct Listening {
    listener: TcpListener,
    pub(super) port: u16,
}

impl Listening {
    pub(super) async fn new() -> Checked<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Greets on each connection, and answers each command with the same lines.
    pub(super) fn serve(
        self,
        identity: &Identity,
        greeting: &'static str,
        reply: &'static str,
    ) -> JoinHandle<()> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config: ServerConfig = identity.server_config(provider, DEFAULT_VERSIONS);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = self.listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that refuses the certificate ends the handshake.
                    let Ok(stream) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    let mut answer = greeting;
                    loop {
                        let sent = stream.write_all(answer.as_bytes()).await;
                        if sent.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                        line.clear();
                        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
                            return;
                        }
                        answer = reply;
                    }
                });
            }
        })
    }
}

/// The servers and files of the command's runs.
struct World {
    program: std::path::PathBuf,
    files: tempfile::TempDir,
    resolver: String,
}

impl World {
    /// Runs the command for a mail domain, and returns its exit code and the JSON that it prints.
    async fn run(&self, domain: &str) -> Checked<(Option<i32>, Value)> {
        let file = |name: &str| self.files.path().join(name);
        let mut command = Command::new(&self.program);
        command.args(["connect", "--json", "--timeout", "20"]);
        command.arg(format!("alice@{domain}"));
        command.arg("--resolver").arg(&self.resolver);
        command.arg("--anchors").arg(file("anchors"));
        command.arg("--roots").arg(file("roots.pem"));
        let output = spawn_blocking(move || command.output()).await??;
        let errors = String::from_utf8_lossy(&output.stderr);
        let value = serde_json::from_slice(&output.stdout)
            .map_err(|error| Failure::new(format!("{domain}: {error}: {errors}")))?;
        Ok((output.status.code(), value))
    }
}

async fn over_srv(root: &Path) -> Checked {
    let (imap, submission) = (Listening::new().await?, Listening::new().await?);
    let (imap_port, submission_port) = (imap.port, submission.port);
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
    let tree = Tree::start_with(root, &[("good.test", &good), ("plain.test", &plain)]).await?;
    let _serving = [
        imap.serve(
            &reading,
            "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n",
            "* BAD\r\n",
        ),
        submission.serve(&submitting, "220 ready\r\n", "250-hi\r\n250 AUTH PLAIN\r\n"),
    ];
    let files = directory()?;
    fs::write(files.path().join("anchors"), &tree.root_key)?;
    fs::write(files.path().join("roots.pem"), trusted.pem())?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let world = World {
        program: target.join("debug/mail-tls"),
        files,
        resolver: tree.plain.to_string(),
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
        json!({ "domain": domain, "private": private, "protocols": protocols })
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
        world.run("user.good.test").await?,
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
        world.run("wrong.good.test").await?,
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
        world.run("user.plain.test").await?,
        (Some(1), expected),
    )?;
    passed(
        "the JSON of three domains: secure SRV records with TLSA records that match and differ, and insecure ones",
    )
}
