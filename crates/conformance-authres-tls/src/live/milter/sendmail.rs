//! `authres milter` on Debian's Sendmail, which need not be installed: its package is unpacked below `target`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use conformance::{
    Live, Scenario, build_command, built,
    outcome::{Checked, Failure, passed, run, same},
    process::{Server, is_root, ports},
};

use super::{
    expected, message, own, read_back,
    site::{CLIENT, Session, arrived, certificates, sent},
};
use crate::live::{certificates::SERVER, read};

pub(super) const SCENARIO: Scenario =
    Scenario::with_peer("Sendmail", "authres-tls/milter-on-sendmail", |root| {
        let Some(sendmail) = installed(root) else {
            let how = "apt-get download sendmail-bin && dpkg -x sendmail-bin_*.deb target/sendmail";
            return Ok(Live::Skipped(format!("Sendmail is not there: {how}")));
        };
        if !is_root().unwrap_or_default() {
            return Ok(Live::Skipped("Sendmail is started by root only".to_owned()));
        }
        // Without its libraries, or a host name of its own, it would not start in time.
        let probe = named(&sendmail, &["-C", "/dev/null", "-d0.1", "-bt"])
            .stdin(Stdio::null())
            .output();
        let version = probe.map(|output| output.stdout).unwrap_or_default();
        if !version.starts_with(b"Version ") {
            let why =
                "Sendmail does not start: a library or the right to set a host name is missing";
            return Ok(Live::Skipped(why.to_owned()));
        }
        build_command(root, "authres")?;
        run(each_kind(root, &sendmail))
    });

fn installed(root: &Path) -> Option<PathBuf> {
    let program = "usr/libexec/sendmail/sendmail";
    let places = [root.join("target/sendmail"), PathBuf::from("/")];
    let mut programs = places.iter().map(|place| place.join(program));
    programs.find(|program| program.is_file())
}

/// Returns the command of Sendmail in a namespace with a qualified host name: for another one, it waits a minute.
fn named(sendmail: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args([
            "--uts",
            "sh",
            "-c",
            "hostname \"$0\" && exec \"$@\"",
            SERVER,
        ])
        .arg(sendmail)
        .args(arguments);
    command
}

/// The parts of a configuration that take every message for one maildir, in the language of `sendmail.cf`.
fn configure(path: &Path, port: u16) -> Checked<()> {
    let shown = path.display();
    let deliver = format!(
        "#!/bin/sh\nfile=$(mktemp {shown}/mail/XXXXXXXX) && cat > \"$file\" && mv \"$file\" {shown}/new\n"
    );
    fs::write(path.join("deliver"), deliver)?;
    fs::set_permissions(path.join("deliver"), fs::Permissions::from_mode(0o755))?;
    // A key that others may read is refused.
    fs::set_permissions(path.join("server.key"), fs::Permissions::from_mode(0o600))?;
    fs::write(path.join("switch"), "hosts\tfiles\naliases\tfiles\n")?;
    let file = format!(
        "V10/Berkeley\nDj{SERVER}\nCw{SERVER} example.net\nO DontProbeInterfaces=true\n\
         O QueueDirectory={shown}/queue\nO PidFile={shown}/pid\n\
         O DaemonPortOptions=Name=MTA, Addr=127.0.0.1, Port={port}, Family=inet\nO DeliveryMode=background\n\
         O DefaultUser=root:root\nO ServiceSwitchFile={shown}/switch\nO Timeout.ident=0\nO LogLevel=9\n\
         O CACertPath={shown}\nO CACertFile={shown}/ca.pem\nO ServerCertFile={shown}/server.pem\n\
         O ServerKeyFile={shown}/server.key\nO InputMailFilters=authres\n\
         Xauthres, S=local:{shown}/sockets/authres, F=T, T=S:30s;R:30s\n\
         HReceived: from $s ($_) by $j id $i; $b\nS0\nR$*\t$#local $: all\n\
         Mlocal, P={shown}/deliver, F=lsDFMSn, S=0, R=0, T=DNS/RFC822/X-Unix, A=deliver $u\n\
         Mprog, P=/bin/sh, F=lsDFMoq, S=0, R=0, T=X-Unix, A=sh -c $u\n"
    );
    Ok(fs::write(path.join("sendmail.cf"), file)?)
}

/// The properties of a certificate as Sendmail tells its names.
const VERIFIED: [(&str, &str); 3] = [
    ("cert.client", "/CN=smtp.example.com/O=ACME"),
    ("cert.clientissuer", "/CN=Trusted CA"),
    ("cert.verif", "CA"),
];

/// Each kind of certificate, to a milter that compares names with HELO.
async fn each_kind(root: &Path, sendmail: &Path) -> Checked {
    // Sendmail refuses files in directories that others can write, and what is below them, such as /tmp.
    let directory = tempfile::Builder::new().tempdir_in("/run")?;
    let path = directory.path().to_owned();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    for name in ["queue", "mail", "new", "sockets"] {
        fs::create_dir(path.join(name))?;
    }
    certificates(&path)?;
    let milter = Server::start(
        conformance::process::directory()?,
        "log",
        Command::new(built(root).join("authres"))
            .args(["milter", "--authserv-id", SERVER, "--host-identity", "helo"])
            .arg("--listen")
            .arg(format!("unix:{}/sockets/authres", path.display())),
        &[],
    )
    .await?;
    milter.line_with(&["listening"]).await?;
    let [port] = ports()?;
    configure(&path, port)?;
    let file = path.join("sendmail.cf");
    let mut command = named(sendmail, &["-C", &file.to_string_lossy(), "-bD"]);
    let mta = Server::start(directory, "log", &mut command, &[port]).await?;
    let logs = || milter.said() + &mta.said();

    let of_other = |issuer| vec![VERIFIED[0], ("cert.clientissuer", issuer)];
    let refused = ("fail", "certificate not accepted");
    let kinds = [
        (
            "none",
            CLIENT,
            ("permerror", "no client certificate presented"),
            vec![],
        ),
        ("trusted", CLIENT, ("pass", ""), VERIFIED.to_vec()),
        (
            "trusted",
            "other.example",
            ("invalidhost", "certificate of another host"),
            VERIFIED.to_vec(),
        ),
        (
            "self-signed",
            CLIENT,
            refused,
            of_other("/CN=smtp.example.com/O=ACME"),
        ),
        ("expired", CLIENT, refused, of_other("/CN=Trusted CA")),
        ("wrong-authority", CLIENT, refused, of_other("/CN=Other CA")),
    ];
    let forged = format!("Authentication-Results: {SERVER}; dkim=pass\r\n");
    let of = |subject: &str| {
        let again = format!("{subject}, again");
        vec![message(subject, &forged), message(&again, &forged)]
    };
    let clear = Session::in_clear(port, of("clear"));
    let (mut sessions, mut checks) = (vec![clear.clone()], Vec::new());
    for version in ["1.2", "1.3"] {
        for (kind, helo, result, properties) in &kinds {
            let subject = format!("{kind} {helo} {version}");
            sessions.push(Session {
                tls: Some(version),
                certificate: Some(path.join(kind)).filter(|_| *kind != "none"),
                helo,
                messages: of(&subject),
                ..clear.clone()
            });
            checks.push((subject, *result, properties));
        }
    }
    let said = sent(root, &sessions, 1, logs).await?;
    let count = 2 * sessions.len();
    let delivered = arrived(&path.join("new"), count, logs).await?;
    let mut values = Vec::new();
    for (subject, message) in &delivered {
        let of = |failure: Failure| failure.of(subject);
        // Sendmail's own field is above.
        let below = message.split_once('\n');
        let below = below.filter(|(own, _)| own.starts_with("Received: "));
        let (_, below) = below.ok_or_else(|| Failure::new(message.clone()))?;
        let (value, others) = own(below).map_err(of)?;
        same("other fields", others, Vec::<String>::new()).map_err(of)?;
        let first = subject.trim_end_matches(", again");
        let mut found = checks.iter().zip(said.iter().skip(1));
        let expected = match found.find(|((subject, ..), _)| subject == first) {
            Some(((_, (result, comment), certificate), said)) => {
                expected(result, comment, certificate, said).map_err(of)?
            }
            None => ("none".to_owned(), Vec::new(), Vec::new()),
        };
        same("content read", read(&value).map_err(of)?, expected).map_err(of)?;
        values.push((subject.clone(), value));
    }
    let read_back = read_back(root, &values).await?;
    passed(format!("{count} messages; read back: {read_back}"))
}
