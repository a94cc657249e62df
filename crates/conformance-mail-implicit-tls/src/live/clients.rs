//! Foreign clients on our acceptor: curl, Python's imaplib, poplib and smtplib, OpenSSL's `s_client`, GnuTLS, swaks,
//! mbsync, msmtp, mpop and fetchmail.

mod world;

use std::{fs, path::PathBuf, process::Stdio};

use conformance::{
    Live, Scenario,
    outcome::{Checked, passed, run, same},
    python,
};
use mail_implicit_tls::service::{Protocol, Service};
use tokio::process::Command;

use self::world::World;
use super::site::write;

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

const MESSAGE: &str = "From: a@example.test\r\nTo: b@example.test\r\nSubject: t\r\n\r\nhello\r\n";

/// Runs curl with these arguments to its end, on a service: with a message for submission.
async fn curl_to(
    world: &World,
    service: Service,
    scheme: &str,
    arguments: &[&str],
) -> Checked<String> {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--cacert", &world.authority()]);
    curl.args(arguments);
    curl.arg(format!("{scheme}://localhost:{}/", world.port(service)));
    if service.protocol == Protocol::Submission {
        curl.args(["--mail-from", "a@example.test"]);
        curl.args(["--mail-rcpt", "b@example.test", "-T", "-"]);
    }
    world.client(&mut curl, MESSAGE).await
}

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
        let arguments = ["--ssl-reqd", "-u", "alice:secret"];
        curl_to(&world, service, scheme, &arguments).await?;
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
        let certificate = ["--cert", "alice.pem", "--key", "alice.key"];
        let login = ["--login-options", "AUTH=EXTERNAL", "-u", "alice:"];
        let arguments = [certificate, login].concat();
        curl_to(&world, service, scheme, &arguments).await?;
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
