//! The command against a TLS server on loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Output},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

/// An IMAP server for `imap.example.org`, and a file with the authority that issued its certificate.
struct World {
    _runtime: Runtime,
    directory: TempDir,
    address: SocketAddr,
}

impl World {
    fn new() -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "Test Root");
        let root = authority.self_signed(&authority_key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("roots.pem"), root.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&authority, &authority_key);
        let mut params = CertificateParams::new(vec!["imap.example.org".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().unwrap();
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(tcp).await {
                        let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";
                        stream.write_all(greeting).await.unwrap();
                        let _ = stream.read_to_end(&mut Vec::new()).await;
                    }
                });
            }
        });
        Self {
            _runtime: runtime,
            directory,
            address,
        }
    }

    fn run(&self, host: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
        command.args([
            "connect",
            "alice@example.org",
            "--host",
            host,
            "--service",
            "imaps",
            "--no-dane",
        ]);
        command.args([
            "--connect-to",
            "127.0.0.1",
            "--resolver",
            "127.0.0.1:1",
            "--timeout",
            "10",
            "--port",
        ]);
        command.arg(self.address.port().to_string()).args(more);
        command
            .arg("--roots")
            .arg(self.directory.path().join("roots.pem"));
        command.output().unwrap()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn shows_a_private_connection() {
    let world = World::new();
    let output = world.run("imap.example.org", &[]);
    let port = world.address.port();
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps imap.example.org:{port}: private\n    TLSv1.3 TLS_AES_256_GCM_SHA384\n    \
             chain: trusted\n    identity: DNS-ID imap.example.org matches DNS-ID imap.example.org\n    \
             DANE: not used, not requested\n    login: PLAIN\n"
        )
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn shows_the_reason_of_a_failure_and_the_actions_left() {
    let world = World::new();
    let output = world.run("mail.example.org", &[]);
    let port = world.address.port();
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps mail.example.org:{port}: failed: chain: trusted; identity: expected DNS-ID \
             mail.example.org but the certificate has DNS-ID imap.example.org; DANE: not used, not requested\n    \
             a mail program may offer: work offline, try again later\n"
        )
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn shows_an_unverified_server_at_the_low_level_as_such() {
    let world = World::new();
    let output = world.run("mail.example.org", &["--level", "low"]);
    assert!(
        text(&output).contains("encrypted, not verified"),
        "{}",
        text(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn prints_json() {
    let world = World::new();
    let output = world.run("imap.example.org", &["--json"]);
    let value: serde_json::Value = serde_json::from_str(&text(&output)).unwrap();
    let port = world.address.port();
    assert_eq!(
        value,
        serde_json::json!({
            "domain": "example.org",
            "private": true,
            "protocols": [{
                "protocol": "IMAP",
                "none": null,
                "servers": [{
                    "server": format!("imaps imap.example.org:{port}"),
                    "warnings": [],
                    "level": "high",
                    "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
                    "verdict": {
                        "chain": "trusted",
                        "identity": "DNS-ID imap.example.org matches DNS-ID imap.example.org",
                        "dane": "not used, not requested",
                    },
                    "mechanisms": ["PLAIN"],
                }],
            }],
        })
    );
}

#[test]
fn reports_that_nothing_is_known_when_lookups_fail() {
    let world = World::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command.args([
        "connect",
        "alice@example.org",
        "--resolver",
        "127.0.0.1:1",
        "--timeout",
        "2",
    ]);
    command
        .arg("--roots")
        .arg(world.directory.path().join("roots.pem"));
    let output = command.output().unwrap();
    assert!(
        text(&output).contains("IMAP: lookup of _imaps._tcp failed: "),
        "{}",
        text(&output)
    );
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn refuses_wrong_arguments_and_files() {
    for arguments in [
        &["connect"][..],
        &["connect", "nobody"],
        &["connect", "a@example.org", "--service", "imaps"],
        &["connect", "a@example.org", "--resolver", "resolver.example"],
        &[
            "connect",
            "a@example.org",
            "--roots",
            "/nonexistent",
            "--resolver",
            "127.0.0.1:1",
        ],
        &[
            "connect",
            "a@example.org",
            "--anchors",
            "/nonexistent",
            "--resolver",
            "127.0.0.1:1",
        ],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_mail-tls"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
