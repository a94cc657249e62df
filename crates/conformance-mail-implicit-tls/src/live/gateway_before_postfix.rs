//! The gateway before Postfix, to which it reports the client by the PROXY protocol and by XCLIENT: swaks, msmtp, curl and
//! Python's smtplib submit through it, and the log of Postfix has their address.

mod peers;
mod restart;

use std::{fs, net::Ipv4Addr, os::unix::fs::PermissionsExt, path::Path, process::Stdio, sync::Arc};

use accept_loop::AcceptLoop;
use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
    process::{directory, installed, ports},
};
use mail_implicit_tls::{
    account::{Host, Server},
    gateway::{
        Backend, Backends, Balance, ClientAddress, CurrentService, Event, GatewayOptions,
        GatewayService, Notice, PenaltyRules, SessionLimits, Shared,
    },
    name::DomainName,
    server::Acceptor,
    service::{Protocol, Service},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command, time::timeout};

use self::peers::{Logins, Sink};
use super::{
    mailbox::Notes,
    servers::postfix::{self, Postfix},
    site::Site,
};

/// The scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::with_peer(
        "Postfix",
        "mail-implicit-tls/gateway-before-postfix",
        |_| Live::unless(missing(), || run(submitted())),
    ),
    restart::SCENARIO,
];

fn missing() -> Option<String> {
    let clients = ["swaks", "msmtp", "curl", "python3"];
    let absent = clients.iter().find(|name| installed(name).is_none());
    let absent = absent.map(|name| format!("{name} is not installed: apt-get install {name}"));
    postfix::missing().or(absent)
}

/// The address of the clients, which is not the gateway's.
const CLIENT: &str = "127.0.0.7";

/// The snippets of the package.
const BY_PROXY: &str = include_str!("../../../mail-tls/packaging/examples/postfix-master.cf");
const BY_XCLIENT: &str =
    include_str!("../../../mail-tls/packaging/examples/postfix-master-xclient.cf");

/// Returns a snippet for another port, without a chroot, which needs files of the system.
fn at_port(snippet: &str, port: u16) -> Checked<String> {
    const LISTENER: &str = "127.0.0.1:10587 inet n - y ";
    let listeners = snippet.matches(LISTENER).count();
    same("listeners of the snippet", listeners, 1)?;
    Ok(snippet.replace(LISTENER, &format!("127.0.0.1:{port} inet n - n ")))
}

/// Starts a Postfix that asks `logins` about passwords, and hands messages to `sink`.
async fn start(logins: u16, sink: u16) -> Checked<Postfix> {
    let [proxy, xclient] = ports()?;
    let main = format!(
        "smtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:127.0.0.1:{logins}\n\
         smtpd_proxy_filter = 127.0.0.1:{sink}\nsmtpd_peername_lookup = no\nmynetworks = 192.0.2.1/32\n\
         smtpd_reject_unlisted_recipient = no\nsmtpd_reject_unlisted_sender = no\n\
         local_recipient_maps =\nsmtpd_delay_reject = yes\n"
    );
    let master = at_port(BY_PROXY, proxy)? + &at_port(BY_XCLIENT, xclient)?;
    let ports = [
        (Service::SUBMISSION_CLEAR, proxy),
        (Service::SUBMISSION_CLEAR, xclient),
    ];
    Postfix::start_with(directory()?, &main, &master, ports).await
}

/// Starts the gateway before a port of Postfix, and returns its own port.
async fn gateway(site: &Site, backend: u16, address: ClientAddress, notes: Notes) -> Checked<u16> {
    let acceptor = Acceptor::new(Service::SUBMISSIONS, site.certificates()?, site.provider())?;
    let by = DomainName::parse("gw.example.test")?;
    let options = GatewayOptions::try_new(Protocol::Submission, address)?
        .with_name("gw.example.test")
        .with_received(by, || 1_404_208_800);
    let server = Server::new(Service::SUBMISSION_CLEAR, Host::parse("127.0.0.1")?);
    let backend = Backend::try_new(server.with_port(backend), false)?;
    let observer = move |notice: &Notice<'_>| match notice {
        Notice::Session { event, .. } => match event {
            Event::LoggedIn { mechanism } => notes.add(format!("{mechanism} accepted")),
            Event::LoginFailed { mechanism } => notes.add(format!("{mechanism} refused")),
            _ => {}
        },
        Notice::Backend { notice, .. } => notes.add(format!("{notice:?}")),
        _ => {}
    };
    let shared = Shared::new(
        site.connector()?,
        SessionLimits::default(),
        PenaltyRules::default(),
        7,
        Arc::new(observer),
    );
    let backends = Backends::new(vec![backend], Balance::First);
    let service = GatewayService::new(acceptor, backends, options, shared);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let current = CurrentService::new(service);
    tokio::spawn(async move {
        let stop = std::future::pending();
        current.serve_until(listener, AcceptLoop::new(), stop).await
    });
    Ok(port)
}

const MESSAGE: &str =
    "From: a@example.test\r\nTo: b@example.test\r\nSubject: t\r\n\r\n.hello\r\n..\r\n";

/// A program of Python's that submits a message, after a login that fails.
const PYTHON: &str = r#"
import smtplib, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
client = smtplib.SMTP_SSL("localhost", int(sys.argv[2]), context=context, source_address=("127.0.0.7", 0))
try:
    client.login("alice", "wrong")
except smtplib.SMTPAuthenticationError as error:
    print(error.smtp_code)
print([client.has_extn(name) for name in ("starttls", "xclient", "xforward")])
print(client.docmd("XCLIENT", "ADDR=192.0.2.9")[0], client.docmd("xforward", "ADDR=192.0.2.9")[0])
client.login("alice", "secret")
print(client.docmd("XCLIENT", "ADDR=192.0.2.9")[0])
print(client.sendmail("a@example.test", ["b@example.test"], "Subject: t\r\n\r\n.hello\r\n..\r\n"), client.quit()[0])
"#;

/// The clients, each of which submits one message.
fn clients(directory: &Path, port: u16) -> Checked<Vec<(&'static str, Command)>> {
    let authority = directory.join("ca.pem").display().to_string();
    let port = port.to_string();
    let mut swaks = Command::new("swaks");
    swaks.args(["--server", "localhost", "--port", &port, "--tls-on-connect"]);
    swaks.args(["--tls-verify", "--tls-ca-path", &authority]);
    swaks.args(["--local-interface", CLIENT, "--auth", "PLAIN"]);
    swaks.args(["--auth-user", "alice", "--auth-password", "secret"]);
    swaks.args(["--from", "a@example.test", "--to", "b@example.test"]);
    swaks.args(["--silent", "2", "--data", "-"]);
    let settings = format!(
        "account t\nhost localhost\nport {port}\nsource_ip {CLIENT}\ntls on\ntls_starttls off\n\
         tls_trust_file {authority}\nauth plain\nuser alice\npassword secret\nfrom a@example.test\n"
    );
    let file = directory.join("msmtprc");
    fs::write(&file, settings)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let mut msmtp = Command::new("msmtp");
    msmtp
        .arg("-C")
        .arg(file)
        .args(["-a", "t", "b@example.test"]);
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--cacert", &authority, "--interface", CLIENT]);
    curl.args(["-u", "alice:secret", "--mail-from", "a@example.test"]);
    curl.args(["--mail-rcpt", "b@example.test", "-T", "-"]);
    curl.arg(format!("smtps://localhost:{port}/"));
    let mut smtplib = Command::new("python3");
    smtplib.args(["-c", PYTHON, &authority, &port]);
    Ok(vec![
        ("swaks", swaks),
        ("msmtp", msmtp),
        ("curl", curl),
        ("smtplib", smtplib),
    ])
}

async fn submitted() -> Checked {
    let site = Site::new()?;
    let (logins, sink) = (Logins::start().await?, Sink::start().await?);
    let postfix = start(logins.port, sink.port).await?;
    let files = tempfile::tempdir()?;
    fs::write(files.path().join("ca.pem"), site.root_pem())?;
    let mut seen = Vec::new();
    for ((_, backend), address, log) in [
        (
            postfix.ports[0],
            ClientAddress::ProxyV2,
            "postfix/gateway/smtpd",
        ),
        (
            postfix.ports[1],
            ClientAddress::Xclient,
            "postfix/gateway-xclient/smtpd",
        ),
    ] {
        let notes = Notes::default();
        let port = gateway(&site, backend, address, notes.clone()).await?;
        for (name, command) in clients(files.path(), port)? {
            let output = client(&files, name, command).await?;
            submitted_by(name, &output, &logins, &sink)?;
            let events = notes.take().join(", ");
            let expected = match name {
                "smtplib" => "PLAIN refused, PLAIN accepted",
                _ => "PLAIN accepted",
            };
            // smtplib tries the other mechanism after a refusal.
            same(name, events.ends_with(expected), true).map_err(|it| it.of(&events))?;
        }
        let peer = format!("unknown[{CLIENT}]");
        let line = postfix
            .line_with(&[log, &peer, "sasl_username=alice"])
            .await?;
        seen.push(line.split(log).nth(1).unwrap_or_default().to_owned());
    }
    passed(seen.join("; "))
}

/// Runs a client to its end, with the message as input.
async fn client(files: &TempDir, name: &str, mut command: Command) -> Checked<String> {
    let input = files.path().join("message");
    fs::write(&input, MESSAGE)?;
    let command = command.current_dir(files.path()).env("HOME", files.path());
    let command = command
        .stdin(Stdio::from(fs::File::open(input)?))
        .kill_on_drop(true);
    let output = timeout(peers::PATIENCE, command.output()).await??;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(text.into_owned()),
        false => Err(Failure::new(format!("{name}: {}: {text}", output.status))),
    }
}

/// Checks what Postfix asked and handed on for one client.
fn submitted_by(name: &str, output: &str, logins: &Logins, sink: &Sink) -> Checked<()> {
    if name == "smtplib" {
        let expected = "535\n[False, False, False]\n502 502\n502\n{} 221\n";
        same(name, output, expected)?;
    }
    let asked = logins.notes.take();
    let asked = asked.last().cloned().unwrap_or_default();
    same(name, asked.contains(&format!("\trip={CLIENT}")), true).map_err(|it| it.of(&asked))?;
    let messages = sink.notes.take();
    let [message] = messages.as_slice() else {
        return Err(Failure::new(format!("{name}: {messages:?}")));
    };
    let field = format!("([{CLIENT}])\r\n\tby gw.example.test with ESMTPSA id ");
    for part in [field.as_str(), "\r\n\ttls TLS_", "\r\n\r\n.hello\r\n..\r\n"] {
        let count = message.matches(part).count();
        same(part, count, 1).map_err(|it| it.of(&format!("{name}: {message:?}")))?;
    }
    Ok(())
}
