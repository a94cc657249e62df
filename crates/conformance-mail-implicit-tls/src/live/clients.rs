//! Foreign clients on our acceptor: curl, Python's imaplib, poplib and smtplib, OpenSSL's `s_client`, GnuTLS, swaks,
//! mbsync, msmtp, mpop and fetchmail.

use std::{
    fs, net::Ipv4Addr, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio, sync::Arc,
    time::Duration,
};

use accept_loop::AcceptLoop;
use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
    python,
};
use mail_implicit_tls::{
    server::{AcceptError, Acceptor, MapCertificate},
    service::Service,
};
use rustls::{pki_types::CertificateDer, server::WebPkiClientVerifier};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command, time::timeout};

use super::{
    mailbox::{self, Notes},
    site::{Site, write},
};

/// The time that a client may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::with_peer("curl", "mail-implicit-tls/curl-on-our-servers", |_| {
        unless("curl", "curl", || run(curl()))
    }),
    Scenario::with_peer(
        "curl",
        "mail-implicit-tls/curl-logs-in-by-certificate",
        |_| unless("curl", "curl", || run(curl_external())),
    ),
    Scenario::with_peer(
        "Python's ssl",
        "mail-implicit-tls/python-on-our-servers",
        |root| match python(root) {
            Err(error) => Ok(Live::Skipped(error.to_string())),
            Ok(interpreter) => run(python_clients(interpreter)),
        },
    ),
    Scenario::with_peer(
        "OpenSSL",
        "mail-implicit-tls/openssl-on-our-servers",
        |_| unless("openssl", "openssl", || run(openssl())),
    ),
    Scenario::with_peer("GnuTLS", "mail-implicit-tls/gnutls-on-our-servers", |_| {
        unless("gnutls-cli", "gnutls-bin", || run(gnutls()))
    }),
    Scenario::with_peer("swaks", "mail-implicit-tls/swaks-on-our-servers", |_| {
        unless("swaks", "swaks", || run(swaks()))
    }),
    Scenario::with_peer("msmtp", "mail-implicit-tls/msmtp-on-our-servers", |_| {
        unless("msmtp", "msmtp", || run(msmtp()))
    }),
    Scenario::with_peer("mpop", "mail-implicit-tls/mpop-on-our-servers", |_| {
        unless("mpop", "mpop", || run(mpop()))
    }),
    Scenario::with_peer("mbsync", "mail-implicit-tls/mbsync-on-our-servers", |_| {
        unless("mbsync", "isync", || run(mbsync()))
    }),
    Scenario::with_peer(
        "fetchmail",
        "mail-implicit-tls/fetchmail-on-our-servers",
        |_| unless("fetchmail", "fetchmail", || run(fetchmail())),
    ),
];

/// Runs a scenario if a program is installed.
fn unless(
    program: &str,
    package: &str,
    run: impl FnOnce() -> Result<Live, String>,
) -> Result<Live, String> {
    let mut probe = std::process::Command::new(program);
    let probe = probe
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match probe.status() {
        Ok(_) => run(),
        Err(_) => Ok(Live::Skipped(format!(
            "{program} is not installed: apt-get install {package}"
        ))),
    }
}

/// The identity of a certificate is its common name.
struct ByCommonName;

impl MapCertificate for ByCommonName {
    fn identity(&self, chain: &[CertificateDer<'_>]) -> Option<String> {
        let octets = chain.first()?;
        let has = |name: &[u8]| octets.windows(name.len()).any(|window| window == name);
        has(b"alice").then(|| "alice".to_owned())
    }
}

/// Servers of all services on loopback, and a directory for a client.
struct World {
    site: Site,
    notes: Notes,
    directory: TempDir,
    ports: Vec<(Service, u16)>,
}

impl World {
    async fn new() -> Checked<Self> {
        let site = Site::new()?;
        let notes = Notes::default();
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("ca.pem"), site.root_pem())?;
        let roots = Arc::new(site.roots()?);
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots, site.provider()).build()?;
        let mut ports = Vec::new();
        for service in Service::ALL
            .into_iter()
            .filter(|service| service.uses_tls())
        {
            let acceptor = Acceptor::new(service, site.certificates()?, site.provider())?
                .with_name("mail.example.test")
                .with_client_certificates(clients.clone(), Arc::new(ByCommonName))?;
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            ports.push((service, listener.local_addr()?.port()));
            let (sessions, refusals) = (notes.clone(), notes.clone());
            tokio::spawn(async move {
                let handler = move |session| mailbox::serve(session, sessions.clone());
                let refused =
                    move |_, error: &AcceptError| refusals.add(format!("refused: {error}"));
                let accept_loop = AcceptLoop::new();
                acceptor
                    .serve_until(
                        listener,
                        &accept_loop,
                        handler,
                        refused,
                        std::future::pending(),
                    )
                    .await
            });
        }
        Ok(Self {
            site,
            notes,
            directory,
            ports,
        })
    }

    fn port(&self, service: Service) -> u16 {
        let known = self.ports.iter().find(|(known, _)| *known == service);
        known.map_or(0, |(_, port)| *port)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn authority(&self) -> String {
        self.path("ca.pem").display().to_string()
    }

    /// Writes a file that only its owner can read.
    fn write(&self, name: &str, text: &str) -> Checked<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Runs a client to its end, with these octets as input, and returns its output.
    async fn client(&self, command: &mut Command, input: &str) -> Checked<String> {
        let file = self.write("input", input)?;
        let command = command
            .current_dir(self.directory.path())
            .env("HOME", self.directory.path());
        let command = command.stdin(fs::File::open(file)?).kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await??;
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => Ok(text.into_owned()),
            false => Err(Failure::new(format!(
                "{}: {text}; {:?}",
                output.status,
                self.notes.take()
            ))),
        }
    }

    /// Checks that a client was served on a service, logged in this way, and was not refused.
    fn served(&self, service: Service, login: &str) -> Checked<String> {
        let notes = self.notes.take();
        let record = notes
            .iter()
            .find(|note| note.starts_with(&format!("service={service} ")));
        let record =
            record.ok_or_else(|| Failure::new(format!("no session of {service}: {notes:?}")))?;
        if !record.contains(" tls=TLSv1.") || !record.contains(" cipher=TLS_") {
            return Err(Failure::new(format!("no cipher in {record}")));
        }
        if !login.is_empty() && !notes.iter().any(|note| note == login) {
            return Err(Failure::new(format!("no {login:?} in {notes:?}")));
        }
        let cipher = record.split(" cipher=").nth(1).unwrap_or_default();
        Ok(format!(
            "{service} {}",
            cipher.split(' ').next().unwrap_or_default()
        ))
    }
}

const MESSAGE: &str = "From: a@example.test\r\nTo: b@example.test\r\nSubject: t\r\n\r\nhello\r\n";

async fn curl() -> Checked {
    let world = World::new().await?;
    let mut seen = Vec::new();
    for (service, scheme) in [
        (Service::IMAPS, "imaps"),
        (Service::POP3S, "pop3s"),
        (Service::SUBMISSIONS, "smtps"),
        (Service::IMAP_STARTTLS, "imap"),
        (Service::POP3_STARTTLS, "pop3"),
        (Service::SUBMISSION_STARTTLS, "smtp"),
    ] {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "--ssl-reqd",
            "--cacert",
            &world.authority(),
            "-u",
            "alice:secret",
        ]);
        curl.arg(format!("{scheme}://localhost:{}/", world.port(service)));
        if service.protocol == mail_implicit_tls::service::Protocol::Submission {
            curl.args([
                "--mail-from",
                "a@example.test",
                "--mail-rcpt",
                "b@example.test",
                "-T",
                "-",
            ]);
        }
        world.client(&mut curl, MESSAGE).await?;
        seen.push(world.served(service, "")?);
    }
    // A client that trusts other authorities is refused by itself.
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-u", "alice:secret"])
        .arg(format!("imaps://localhost:{}/", world.port(Service::IMAPS)));
    same(
        "curl with other authorities",
        world.client(&mut curl, "").await.is_err(),
        true,
    )?;
    passed(seen.join(", "))
}

async fn curl_external() -> Checked {
    let world = World::new().await?;
    write(
        &world.site.client("alice")?,
        world.directory.path(),
        "alice",
    );
    let mut seen = Vec::new();
    for (service, scheme) in [
        (Service::IMAPS, "imaps"),
        (Service::POP3S, "pop3s"),
        (Service::SUBMISSIONS, "smtps"),
    ] {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "--cacert",
            &world.authority(),
            "--cert",
            "alice.pem",
            "--key",
            "alice.key",
        ]);
        curl.args(["--login-options", "AUTH=EXTERNAL", "-u", "alice:"]);
        curl.arg(format!("{scheme}://localhost:{}/", world.port(service)));
        if service == Service::SUBMISSIONS {
            curl.args([
                "--mail-from",
                "a@example.test",
                "--mail-rcpt",
                "b@example.test",
                "-T",
                "-",
            ]);
        }
        world.client(&mut curl, MESSAGE).await?;
        seen.push(world.served(service, "login EXTERNAL alice")?);
    }
    passed(seen.join(", "))
}

/// Python's clients: what each prints is compared.
const PYTHON: &str = r#"
import imaplib, poplib, smtplib, ssl, sys
ca, imaps, pop3s, submissions, imap, pop3, submission = sys.argv[1], *map(int, sys.argv[2:])
context = ssl.create_default_context(cafile=ca)
def imap4(client):
    print(client.login("alice", "secret")[0], client.select()[1], client.logout()[0])
imap4(imaplib.IMAP4_SSL("localhost", imaps, ssl_context=context))
client = imaplib.IMAP4("localhost", imap)
client.starttls(ssl_context=context)
imap4(client)
def pop(client):
    client.user("alice")
    client.pass_("secret")
    print(client.stat(), client.quit())
pop(poplib.POP3_SSL("localhost", pop3s, context=context))
client = poplib.POP3("localhost", pop3)
client.stls(context=context)
pop(client)
def smtp(client):
    client.login("alice", "secret")
    print(client.sendmail("a@example.test", ["b@example.test"], "Subject: t\r\n\r\nhello\r\n"), client.quit()[0])
smtp(smtplib.SMTP_SSL("localhost", submissions, context=context))
client = smtplib.SMTP("localhost", submission)
client.starttls(context=context)
smtp(client)
try:
    imaplib.IMAP4("localhost", imap).login("alice", "secret")
except imaplib.IMAP4.error as error:
    print(error)
"#;

async fn python_clients(interpreter: PathBuf) -> Checked {
    let world = World::new().await?;
    let mut command = Command::new(interpreter);
    command.args(["-c", PYTHON, &world.authority()]);
    for service in [
        Service::IMAPS,
        Service::POP3S,
        Service::SUBMISSIONS,
        Service::IMAP_STARTTLS,
        Service::POP3_STARTTLS,
        Service::SUBMISSION_STARTTLS,
    ] {
        command.arg(world.port(service).to_string());
    }
    let output = world.client(&mut command, "").await?;
    let imap = "OK [b'0'] BYE\n";
    let pop = "(0, 0) b'+OK closing'\n";
    let smtp = "{} 221\n";
    let refused = "b'[PRIVACYREQUIRED] TLS is required'\n";
    let twice = |text: &str| text.repeat(2);
    same(
        "Python",
        output,
        format!("{}{}{}{refused}", twice(imap), twice(pop), twice(smtp)),
    )?;
    passed(
        "imaplib, poplib and smtplib log in at once and after STARTTLS; LOGIN before TLS is refused",
    )
}

async fn openssl() -> Checked {
    let world = World::new().await?;
    let mut seen = Vec::new();
    for (service, starttls) in [
        (Service::IMAPS, None),
        (Service::POP3S, None),
        (Service::SUBMISSIONS, None),
        (Service::IMAP_STARTTLS, Some("imap")),
        (Service::POP3_STARTTLS, Some("pop3")),
        (Service::SUBMISSION_STARTTLS, Some("smtp")),
    ] {
        for version in ["-tls1_2", "-tls1_3"] {
            let mut openssl = Command::new("openssl");
            openssl.args([
                "s_client",
                "-quiet",
                "-verify_return_error",
                "-verify_hostname",
                "localhost",
                version,
            ]);
            openssl.args(["-CAfile", &world.authority(), "-crlf", "-connect"]);
            openssl.arg(format!("127.0.0.1:{}", world.port(service)));
            if let Some(protocol) = starttls {
                openssl.args(["-starttls", protocol]);
            }
            let input = match service.protocol {
                mail_implicit_tls::service::Protocol::Imap => "a LOGOUT\n",
                _ => "QUIT\n",
            };
            world.client(&mut openssl, input).await?;
            seen.push(world.served(service, "")?);
        }
    }
    for (alpn, accepted) in [("imap", true), ("h2,http/1.1", false)] {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "s_client",
            "-quiet",
            "-alpn",
            alpn,
            "-CAfile",
            &world.authority(),
            "-crlf",
            "-connect",
        ]);
        openssl.arg(format!("127.0.0.1:{}", world.port(Service::IMAPS)));
        let result = world.client(&mut openssl, "a LOGOUT\n").await;
        same(alpn, result.is_ok(), accepted)?;
    }
    let mut openssl = Command::new("openssl");
    openssl.args([
        "s_client",
        "-quiet",
        "-tls1_1",
        "-cipher",
        "ALL:@SECLEVEL=0",
        "-connect",
    ]);
    openssl.arg(format!("127.0.0.1:{}", world.port(Service::IMAPS)));
    same(
        "TLS 1.1",
        world.client(&mut openssl, "").await.is_err(),
        true,
    )?;
    seen.dedup();
    passed(format!(
        "{}; ALPN of HTTP and TLS 1.1 refused",
        seen.join(", ")
    ))
}

async fn gnutls() -> Checked {
    let world = World::new().await?;
    let mut client = Command::new("gnutls-cli");
    client.args(["--x509cafile", &world.authority(), "--crlf", "-p"]);
    client
        .arg(world.port(Service::IMAPS).to_string())
        .arg("localhost");
    let output = world.client(&mut client, "a LOGOUT\n").await?;
    same("closing", output.contains("* BYE closing"), true)?;
    passed(world.served(Service::IMAPS, "")?)
}

async fn swaks() -> Checked {
    let world = World::new().await?;
    let mut seen = Vec::new();
    for (service, tls) in [
        (Service::SUBMISSIONS, "--tls-on-connect"),
        (Service::SUBMISSION_STARTTLS, "--tls"),
    ] {
        let mut swaks = Command::new("swaks");
        swaks.args([
            "--server",
            "localhost",
            "--port",
            &world.port(service).to_string(),
            tls,
        ]);
        swaks.args(["--tls-verify", "--tls-ca-path", &world.authority()]);
        swaks.args([
            "--auth",
            "PLAIN",
            "--auth-user",
            "alice",
            "--auth-password",
            "secret",
        ]);
        swaks.args([
            "--from",
            "a@example.test",
            "--to",
            "b@example.test",
            "--silent",
            "2",
        ]);
        world.client(&mut swaks, "").await?;
        seen.push(world.served(service, "login PLAIN alice")?);
    }
    passed(seen.join(", "))
}

async fn msmtp() -> Checked {
    let world = World::new().await?;
    let mut seen = Vec::new();
    for (service, starttls) in [
        (Service::SUBMISSIONS, "off"),
        (Service::SUBMISSION_STARTTLS, "on"),
    ] {
        let settings = format!(
            "account t\nhost localhost\nport {}\ntls on\ntls_starttls {starttls}\ntls_trust_file {}\nauth plain\n\
             user alice\npassword secret\nfrom a@example.test\n",
            world.port(service),
            world.authority()
        );
        let file = world.write("msmtprc", &settings)?;
        let mut msmtp = Command::new("msmtp");
        msmtp
            .arg("-C")
            .arg(file)
            .args(["-a", "t", "b@example.test"]);
        world.client(&mut msmtp, MESSAGE).await?;
        seen.push(world.served(service, "message")?);
    }
    passed(seen.join(", "))
}

async fn mpop() -> Checked {
    let world = World::new().await?;
    let mut seen = Vec::new();
    for (service, starttls) in [(Service::POP3S, "off"), (Service::POP3_STARTTLS, "on")] {
        let settings = format!(
            "account t\nhost localhost\nport {}\ntls on\ntls_starttls {starttls}\ntls_trust_file {}\nauth user\n\
             user alice\npassword secret\ndelivery mbox mpop.mbox\nuidls_file mpop.uidls\n",
            world.port(service),
            world.authority()
        );
        let file = world.write("mpoprc", &settings)?;
        let mut mpop = Command::new("mpop");
        mpop.arg("-C").arg(file).arg("t");
        world.client(&mut mpop, "").await?;
        seen.push(world.served(service, "login PASS alice")?);
    }
    passed(seen.join(", "))
}

async fn mbsync() -> Checked {
    let world = World::new().await?;
    fs::create_dir(world.path("maildir"))?;
    let settings = format!(
        "IMAPAccount t\nHost localhost\nPort {}\nUser alice\nPass secret\nSSLType IMAPS\nCertificateFile {}\n\
         SystemCertificates no\n\nIMAPStore r\nAccount t\n\nMaildirStore l\nPath maildir/\n\
         Inbox maildir/INBOX\n\nChannel c\nFar :r:\nNear :l:\nPatterns INBOX\nCreate Near\nSyncState *\n",
        world.port(Service::IMAPS),
        world.authority()
    );
    let file = world.write("mbsyncrc", &settings)?;
    let mut mbsync = Command::new("mbsync");
    mbsync.arg("-c").arg(file).arg("c");
    world.client(&mut mbsync, "").await?;
    passed(world.served(Service::IMAPS, "")?)
}

async fn fetchmail() -> Checked {
    let world = World::new().await?;
    let settings = format!(
        "poll localhost protocol IMAP port {} user alice password secret ssl sslcertck sslcertfile {} keep \
         mda \"cat\"\n",
        world.port(Service::IMAPS),
        world.authority()
    );
    let file = world.write("fetchmailrc", &settings)?;
    let mut fetchmail = Command::new("fetchmail");
    fetchmail
        .arg("-f")
        .arg(file)
        .args(["--nodetach", "--pidfile"])
        .arg(world.path("pid"));
    // 1: no mail.
    match world.client(&mut fetchmail, "").await {
        Ok(_) => {}
        Err(failure) => same("fetchmail", failure.is_about("exit status: 1"), true)?,
    }
    passed("no mail, which exit status 1 means")
}
