//! The command against a TLS server on loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use deep_latch::{
    Host, LatchRecord, SecurityTag,
    store::{Account, FileLatchStore, LatchStore},
};
use domain::{
    base::{Message, MessageBuilder, Name, Rtype, Ttl, iana::Class},
    rdata::{A, Soa, Srv},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, UdpSocket},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

const STATUS: &str = "tls12 tls-cert x-future <https://status.example.org/>";

const DEEP: &str = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN DEEP ID] hello\r\n";

static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);

/// An IMAP server for `imap.example.org`, and a file with the authority that issued its certificate.
struct World {
    runtime: Runtime,
    /// For the hosts that may have a configuration file.
    web: TlsAcceptor,
    directory: TempDir,
    address: SocketAddr,
    /// The number of connections that the IMAP server accepted.
    accepted: Arc<AtomicUsize>,
}

impl World {
    fn new() -> Self {
        Self::with("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n")
    }

    /// A server with this greeting, which advertises a status to a client that asks for it.
    fn with(greeting: &'static str) -> Self {
        Self::with_names(greeting, &["imap.example.org"])
    }

    fn with_names(greeting: &'static str, names: &[&str]) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Each authority has a name of its own.
        let name = format!("Root {}", AUTHORITIES.fetch_add(1, Ordering::Relaxed));
        authority.distinguished_name.push(DnType::CommonName, name);
        let root = authority.self_signed(&authority_key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("roots.pem"), root.pem()).unwrap();
        let issuer = Issuer::from_params(&authority, &authority_key);
        let acceptor_for = |names: &[&str]| {
            let key = KeyPair::generate().unwrap();
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).unwrap();
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
            TlsAcceptor::from(Arc::new(config))
        };
        let web = acceptor_for(&["example.org", "autoconfig.example.org"]);
        let imaps = acceptor_for(names);
        let runtime = Runtime::new().unwrap();
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let acceptor = imaps.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let mut stream = BufReader::new(stream);
                    stream.write_all(greeting.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                    let mut line = String::new();
                    while matches!(stream.read_line(&mut line).await, Ok(1..)) {
                        let tag = line.split(' ').next().unwrap();
                        // Nothing is reported.
                        assert!(!line.contains("tls"), "{line}");
                        let reply = match line.contains(" ID ") {
                            true => format!("* ID (\"deep\" \"{STATUS}\")\r\n{tag} OK\r\n"),
                            false => format!("* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),
                        };
                        stream.write_all(reply.as_bytes()).await.unwrap();
                        stream.flush().await.unwrap();
                        line.clear();
                    }
                });
            }
        });
        Self {
            runtime,
            web,
            directory,
            address,
            accepted,
        }
    }

    /// Writes a file of latches for `imap.example.org` and another host.
    fn latches(&self, tags: &[SecurityTag<'static>]) -> PathBuf {
        let path = self.directory.path().join("latches.json");
        let store = FileLatchStore::open_or_create(&path).unwrap();
        let account = Account::try_new("alice@example.org").unwrap();
        for host in ["imap.example.org", "mail.example.org"] {
            let host = Host::try_new(host).unwrap();
            let record = LatchRecord::preset(host, tags.iter().cloned());
            self.runtime
                .block_on(store.merge(&account, &record))
                .unwrap();
        }
        path
    }

    fn run(&self, host: &str, more: &[&str]) -> Output {
        self.run_with(host, more, &[])
    }

    fn run_with(&self, host: &str, more: &[&str], environment: &[(&str, &str)]) -> Output {
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
            .arg(self.directory.path().join("roots.pem"))
            .envs(environment.iter().copied());
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
             DANE: not used, not requested\n    login: PLAIN\n    latches: none; advertised: none\n"
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
                    "latches": {
                        "latched": [],
                        "advertised": null,
                        "new": [],
                        "not_latched": [],
                    },
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

/// Serves this response to each request for the file of this user, as a host that may have one.
fn serve_web(world: &World, response: &'static str) -> SocketAddr {
    let listener = world
        .runtime
        .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.web.clone();
    world.runtime.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(tcp).await?;
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await?);
                }
                let asks = request
                    .starts_with(b"GET /mail/config-v1.1.xml?emailaddress=alice%40example.org ");
                let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
                let response = if asks { response } else { missing };
                stream.write_all(response.as_bytes()).await?;
                stream.shutdown().await
            });
        }
    });
    address
}

fn run_with_autoconfig(world: &World, web: SocketAddr, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command.args(["connect", "alice@example.org", "--autoconfig"]);
    command.arg("--autoconfig-address").arg(web.to_string());
    command.args(["--resolver", "127.0.0.1:1", "--timeout", "10"]);
    command.args(more).arg("--roots");
    command.arg(world.directory.path().join("roots.pem"));
    command.output().unwrap()
}

#[test]
fn checks_the_servers_of_a_configuration_file() {
    let world = World::new();
    let file = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<clientConfig><emailProvider><incomingServer type=\"imap\">\
                <hostname>imap.example.org</hostname><port>993</port><socketType>SSL</socketType></incomingServer>\
                </emailProvider></clientConfig>";
    let web = serve_web(&world, file);
    let output = run_with_autoconfig(&world, web, &["--tell-address"]);
    // The resolver does not answer, so the server of the file is not reached.
    let shown = text(&output);
    let begin = "example.org\nIMAP\n  imaps imap.example.org:993: failed: ";
    assert!(shown.starts_with(begin), "{shown}");
    assert!(shown.contains("\nPOP: not advertised"), "{shown}");
    assert_eq!(output.status.code(), Some(1));
    // The address is not sent unasked, and this server has no file for others.
    let output = run_with_autoconfig(&world, web, &[]);
    let absent = "IMAP: no configuration file: the host autoconfig of the domain: the host has no configuration file; ";
    assert!(text(&output).contains(absent), "{}", text(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn reports_that_nothing_is_known_when_the_file_cannot_be_fetched() {
    let world = World::new();
    let redirect =
        "HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\nContent-Length: 0\r\n\r\n";
    let web = serve_web(&world, redirect);
    let output = run_with_autoconfig(&world, web, &["--tell-address"]);
    let reason = "a redirect to another scheme than https";
    assert!(text(&output).contains(reason), "{}", text(&output));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn refuses_wrong_arguments_and_files() {
    for arguments in [
        &["connect"][..],
        &["connect", "nobody"],
        &["connect", "a@example.org", "--service", "imaps"],
        &["connect", "a@example.org", "--tell-address"],
        &[
            "connect",
            "a@example.org",
            "--autoconfig",
            "--host",
            "a.example",
        ],
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

#[test]
fn shows_what_is_latched_advertised_and_new() {
    let world = World::with(DEEP);
    let latches = |output: &Output| {
        let text = text(output);
        let (_, latches) = text.split_once("login: PLAIN\n").unwrap();
        latches.to_owned()
    };
    let output = world.run("imap.example.org", &[]);
    let advertised = format!("advertised: {STATUS}\n");
    assert_eq!(
        latches(&output),
        format!(
            "    latches: none; {advertised}    a mail program would latch: tls12 tls-cert\n    \
             not latched: x-future: not known to this client\n"
        )
    );
    assert_eq!(output.status.code(), Some(0));

    let file = world.latches(&[SecurityTag::TLS12]);
    let before = fs::read(&file).unwrap();
    let file = file.to_str().unwrap();
    let output = world.run("imap.example.org", &["--latches", file]);
    assert_eq!(
        latches(&output),
        format!(
            "    latches: tls12; {advertised}    a mail program would latch: tls-cert\n    \
             not latched: x-future: not known to this client\n"
        )
    );
    let output = world.run("imap.example.org", &["--latches", file, "--json"]);
    let value: serde_json::Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(
        value["protocols"][0]["servers"][0]["latches"],
        serde_json::json!({
            "latched": ["tls12"],
            "advertised": STATUS,
            "new": ["tls-cert"],
            "not_latched": [{ "tag": "x-future", "reason": "not known to this client" }],
        })
    );
    assert_eq!(fs::read(file).unwrap(), before);
}

#[test]
fn shows_the_latches_that_a_server_lacks() {
    let world = World::with(DEEP);
    let port = world.address.port();
    let file = world.latches(&[SecurityTag::TLS_CERT]);
    let file = file.to_str().unwrap();
    // The low level ignores the certificate, the latch does not.
    for level in ["low", "high"] {
        let output = world.run("mail.example.org", &["--latches", file, "--level", level]);
        assert_eq!(
            text(&output),
            format!(
                "example.org\nIMAP\n  imaps mail.example.org:{port}: failed: latches: mail.example.org: the \
                 connection does not satisfy latched tags: tls-cert\n    \
                 a mail program may offer: work offline, try again later\n"
            )
        );
        assert_eq!(output.status.code(), Some(1));
    }
    let output = world.run("imap.example.org", &["--latches", "/nonexistent/latches"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output), "");
}

/// The server's text could change what the terminal shows.
#[test]
fn keeps_the_text_of_a_server_from_the_terminal() {
    let world = World::with("* BYE \x1b]0;evil\x07\x1b[2J go to https://evil.example/\r\n");
    let port = world.address.port();
    let output = world.run("imap.example.org", &[]);
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps imap.example.org:{port}: failed: the server refuses the connection\n    \
             a mail program may offer: work offline, try again later\n"
        )
    );
    assert_eq!(output.status.code(), Some(1));
    let world = World::with("* OK [CAPABILITY IMAP4rev1 AUTH=\x1b[2J AUTH=PLAIN] \x1b[2J\r\n");
    let colours = [("CLICOLOR_FORCE", "1")];
    let output = world.run_with("imap.example.org", &[], &colours);
    let login = text(&output);
    let login = login.lines().find(|line| line.contains("login:"));
    assert_eq!(login, Some("    login: \\u{1b}[2J PLAIN"));
    let output = world.run("imap.example.org", &["--json"]);
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn uses_colours_on_a_terminal_only() {
    let world = World::new();
    let has_colours = |host: &str, more: &[&str], environment: &[(&str, &str)]| {
        world
            .run_with(host, more, environment)
            .stdout
            .contains(&0x1b)
    };
    // The output is a pipe, and no terminal.
    assert!(!has_colours("imap.example.org", &[], &[]));
    assert!(!has_colours("mail.example.org", &[], &[]));
    let force = ("CLICOLOR_FORCE", "1");
    let output = world.run_with("imap.example.org", &[], &[force]);
    assert!(text(&output).contains("\x1b[32mprivate\x1b[0m"));
    let output = world.run_with("mail.example.org", &[], &[force]);
    assert!(text(&output).contains("\x1b[31mfailed\x1b[0m"));
    let output = world.run_with("mail.example.org", &["--level", "low"], &[force]);
    assert!(text(&output).contains("\x1b[33mencrypted, not verified\x1b[0m"));
    assert!(!has_colours("imap.example.org", &["--json"], &[force]));
    assert!(!has_colours("imap.example.org", &[], &[("NO_COLOR", "1")]));
}

#[test]
fn trusts_the_authorities_of_the_system_unless_told_otherwise() {
    let world = World::new();
    let other = World::new();
    let roots = |world: &World| {
        let path = world.directory.path().join("roots.pem");
        path.to_str().unwrap().to_owned()
    };
    let empty = world.directory.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let run = |roots: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
        let port = world.address.port().to_string();
        command.args(["connect", "alice@example.org", "--host", "imap.example.org"]);
        command.args([
            "--service",
            "imaps",
            "--no-dane",
            "--connect-to",
            "127.0.0.1",
        ]);
        command.args([
            "--resolver",
            "127.0.0.1:1",
            "--timeout",
            "10",
            "--port",
            &port,
        ]);
        let command = command.env("SSL_CERT_FILE", roots);
        command.env_remove("SSL_CERT_DIR").output().unwrap()
    };
    let trusted = run(&roots(&world));
    assert!(text(&trusted).contains("chain: trusted\n"));
    assert_eq!(trusted.status.code(), Some(0));
    let unknown = run(&roots(&other));
    assert!(
        text(&unknown).contains("chain: the certificate was issued by an unknown authority"),
        "{}",
        text(&unknown)
    );
    assert_eq!(unknown.status.code(), Some(1));
    let none = run(empty.to_str().unwrap());
    assert_eq!(
        String::from_utf8(none.stderr).unwrap(),
        "error: trust: no trust anchors found on this system\n"
    );
    assert_eq!(none.status.code(), Some(2));
}

/// Answers as the name server of `example.org`, which advertises these servers for IMAP, in this order, and no other.
fn serve_dns(world: &World, servers: &'static [(&'static str, Option<u16>)]) -> SocketAddr {
    let socket = world
        .runtime
        .block_on(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
        .unwrap();
    let address = socket.local_addr().unwrap();
    let own_port = world.address.port();
    let name = |text: &str| text.parse::<Name<Vec<u8>>>().unwrap();
    world.runtime.spawn(async move {
        let mut octets = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut octets).await {
            let asked = Message::from_octets(octets.get(..length).unwrap()).unwrap();
            let question = asked.sole_question().unwrap();
            let owner = question.qname().to_string();
            let mut answer = MessageBuilder::new_vec();
            let header = answer.header_mut();
            header.set_id(asked.header().id());
            header.set_qr(true);
            header.set_ra(true);
            let mut answer = answer.question();
            answer.push(question).unwrap();
            let mut answer = answer.answer();
            let is_host = servers.iter().any(|(host, _)| *host == owner);
            if question.qtype() == Rtype::SRV && owner == "_imaps._tcp.example.org" {
                for (priority, (host, port)) in (0..).zip(servers) {
                    let data = Srv::new(priority, 0, port.unwrap_or(own_port), name(host));
                    let record = (name(&owner), Class::IN, 300, data);
                    answer.push(record).unwrap();
                }
            } else if question.qtype() == Rtype::A && is_host {
                let data = A::new(Ipv4Addr::LOCALHOST);
                answer.push((name(&owner), Class::IN, 300, data)).unwrap();
            }
            // A validator takes a denial without it for a wrong answer.
            let mut answer = answer.authority();
            let zone = || name("example.org");
            let second = Ttl::from_secs(1);
            let data = Soa::new(zone(), zone(), 1.into(), second, second, second, second);
            answer.push((zone(), Class::IN, 300, data)).unwrap();
            let _ = socket.send_to(&answer.finish(), from).await;
        }
    });
    address
}

/// Runs the command for the servers that this name server advertises. The trust anchor is of another domain, so that
/// the answers are insecure.
fn run_with_dns(world: &World, dns: SocketAddr, more: &[&str]) -> Output {
    let anchors = world.directory.path().join("anchors");
    fs::write(&anchors, "test. 300 IN DNSKEY 257 3 8 AwEAAa8=\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command.args(["connect", "alice@example.org", "--timeout", "10"]);
    command.arg("--resolver").arg(dns.to_string());
    command.arg("--anchors").arg(anchors);
    command
        .arg("--roots")
        .arg(world.directory.path().join("roots.pem"))
        .args(more);
    command.output().unwrap()
}

/// Port 1 of loopback refuses connections.
const ADVERTISED: &[(&str, Option<u16>)] =
    &[("imap.example.org", None), ("mail.example.org", Some(1))];

const WARNING: &str = "    warning: the server's name is not authenticated; compare it with the provider's \
                       documentation\n";

#[test]
fn connects_again_for_the_latches_of_a_server_found_by_srv() {
    let world = World::with_names(DEEP, &["example.org"]);
    let dns = serve_dns(&world, ADVERTISED);
    let port = world.address.port();
    let latches = world.latches(&[SecurityTag::TLS12]);
    let latches = latches.to_str().unwrap();
    let before = fs::read(latches).unwrap();
    let output = run_with_dns(&world, dns, &["--latches", latches]);
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps imap.example.org:{port}: private\n    TLSv1.3 TLS_AES_256_GCM_SHA384\n    \
             chain: trusted\n    identity: DNS-ID example.org matches DNS-ID example.org\n    \
             DANE: not used, the SRV record that names the host is not secured by DNSSEC\n    login: PLAIN\n    \
             latches: tls12; advertised: {STATUS}\n    \
             a mail program would latch: tls-cert\n    not latched: x-future: not known to this client\n{WARNING}  \
             imaps mail.example.org:1: failed: connection failed: connection refused\n    \
             a mail program may offer: work offline, try again later\n{WARNING}\
             POP: not advertised (not secured by DNSSEC)\nSubmission: not advertised (not secured by DNSSEC)\n"
        )
    );
    // A domain without submission servers gives no usable account.
    assert_eq!(output.status.code(), Some(1));
    // One connection for the check, one for the latches.
    assert_eq!(world.accepted.load(Ordering::Relaxed), 2);
    assert_eq!(fs::read(latches).unwrap(), before);
}

#[test]
fn shows_the_latches_that_a_server_found_by_srv_lacks() {
    let world = World::with_names(DEEP, &["example.org"]);
    let dns = serve_dns(&world, &[("imap.example.org", None)]);
    let port = world.address.port();
    let latches = world.latches(&[SecurityTag::TLS_DANE_TLSA]);
    let latches = latches.to_str().unwrap();
    let output = run_with_dns(&world, dns, &["--latches", latches]);
    assert_eq!(
        text(&output),
        format!(
            "example.org\nIMAP\n  imaps imap.example.org:{port}: failed: latches: imap.example.org: the connection \
             does not satisfy latched tags: tls-dane-tlsa\n    \
             a mail program may offer: work offline, try again later\n{WARNING}\
             POP: not advertised (not secured by DNSSEC)\nSubmission: not advertised (not secured by DNSSEC)\n"
        )
    );
    assert_eq!(output.status.code(), Some(1));
    // Without the file the same server is shown as private.
    let output = run_with_dns(&world, dns, &[]);
    let begin = format!("example.org\nIMAP\n  imaps imap.example.org:{port}: private\n");
    assert!(text(&output).starts_with(&begin), "{}", text(&output));
}

/// A server that is not verified is not connected to again.
#[test]
fn connects_once_to_a_server_found_by_srv_that_is_not_verified() {
    let world = World::new();
    let dns = serve_dns(&world, &[("imap.example.org", None)]);
    let output = run_with_dns(&world, dns, &[]);
    let port = world.address.port();
    let begin = format!(
        "example.org\nIMAP\n  imaps imap.example.org:{port}: failed: chain: trusted; identity: expected "
    );
    assert!(text(&output).starts_with(&begin), "{}", text(&output));
    assert_eq!(world.accepted.load(Ordering::Relaxed), 1);
    assert_eq!(output.status.code(), Some(1));
}
