//! Mail clients that read mailboxes through the gateway: what each one fetches is what was delivered.

use std::{collections::BTreeSet, fs, path::Path, pin::Pin, time::Duration};

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, same},
    process::installed,
};
use tokio::process::Command;

use super::mailboxes::{Mailboxes, Store, USER, messages, with_each};

/// curl.
pub(super) const CURL: Scenario = Scenario::with_peer(
    "curl",
    "mail-implicit-tls/curl-through-the-gateway",
    |root| through(root, "curl", "curl", |world| Box::pin(curl(world))),
);

/// Python's imaplib and poplib.
pub(super) const PYTHON: Scenario = Scenario::with_peer(
    "Python's ssl",
    "mail-implicit-tls/python-through-the-gateway",
    |root| through(root, "python3", "python3", |world| Box::pin(python(world))),
);

/// mbsync.
pub(super) const MBSYNC: Scenario = Scenario::with_peer(
    "mbsync",
    "mail-implicit-tls/mbsync-through-the-gateway",
    |root| through(root, "mbsync", "isync", |world| Box::pin(mbsync(world))),
);

/// fetchmail.
pub(super) const FETCHMAIL: Scenario = Scenario::with_peer(
    "fetchmail",
    "mail-implicit-tls/fetchmail-through-the-gateway",
    |root| {
        let read: Client = |world| Box::pin(fetchmail(world));
        through(root, "fetchmail", "fetchmail", read)
    },
);

/// offlineimap.
pub(super) const OFFLINEIMAP: Scenario = Scenario::with_peer(
    "offlineimap",
    "mail-implicit-tls/offlineimap-through-the-gateway",
    |root| {
        let read: Client = |world| Box::pin(offlineimap(world));
        through(root, "offlineimap", "offlineimap3", read)
    },
);

/// The time of a scenario.
const LIMIT: Duration = Duration::from_secs(60);

/// A run of a client, which returns what it read.
type Client = for<'a> fn(&'a Mailboxes) -> Reading<'a>;
/// The messages that a client read, each time that it read all.
type Reading<'a> = Pin<Box<dyn Future<Output = Checked<Vec<Read>>> + 'a>>;

/// The messages that a client read in one way.
struct Read {
    way: &'static str,
    messages: Vec<Vec<u8>>,
}

/// Runs a client through the gateway, before each server that can run.
fn through(root: &Path, program: &str, package: &str, client: Client) -> Result<Live, String> {
    if installed(program).is_none() {
        return Ok(Live::Skipped(format!(
            "{program} is not installed: apt-get install {package}"
        )));
    }
    with_each(root, LIMIT, |stores| fetched(root, client, stores))
}

async fn fetched(root: &Path, client: Client, stores: Vec<Store>) -> Checked<String> {
    let expected: Vec<_> = messages().iter().map(|it| stored(it)).collect();
    let mut seen = Vec::new();
    for store in stores {
        let world = Mailboxes::start(root, store).await?;
        let reads = client(&world).await?;
        for Read { way, messages } in reads {
            let place = format!("{way} before {store:?}");
            same(&place, messages.len(), expected.len())?;
            let read: BTreeSet<_> = messages.iter().map(|it| stored(it)).collect();
            for (number, message) in expected.iter().enumerate() {
                let is_there = read.contains(message);
                same(&place, is_there, true)
                    .map_err(|error| error.of(&format!("message {number} in {}", shown(&read))))?;
            }
            seen.push(place);
        }
    }
    let count = expected.len();
    Ok(format!("the same {count} messages: {}", seen.join(", ")))
}

/// Returns the beginning of each message.
fn shown(messages: &BTreeSet<Vec<u8>>) -> String {
    let begin = |message: &Vec<u8>| {
        let end = message.len().min(700);
        String::from_utf8_lossy(message.get(..end).unwrap_or_default()).into_owned()
    };
    messages
        .iter()
        .map(begin)
        .collect::<Vec<_>>()
        .join("\n---\n")
}

/// Returns a message as a maildir has it: lines end with LF, and without the header field by which mbsync recognises its
/// own copies.
fn stored(message: &[u8]) -> Vec<u8> {
    let lines = message.split_inclusive(|octet| *octet == b'\n');
    let lines = lines.filter(|line| !line.starts_with(b"X-TUID: "));
    let mut stored = Vec::with_capacity(message.len());
    for line in lines {
        match line.strip_suffix(b"\r\n") {
            Some(line) => {
                stored.extend_from_slice(line);
                stored.push(b'\n');
            }
            None => stored.extend_from_slice(line),
        }
    }
    stored
}

async fn curl(world: &Mailboxes) -> Checked<Vec<Read>> {
    let mut reads = Vec::new();
    for (way, begin) in [
        (
            "curl by IMAP",
            format!("imaps://localhost:{}/INBOX;MAILINDEX=", world.imap.port),
        ),
        (
            "curl by POP",
            format!("pop3s://localhost:{}/", world.pop.port),
        ),
    ] {
        let mut read = Vec::new();
        for number in 1..=messages().len() {
            let mut curl = Command::new("curl");
            curl.args(["-sS", "--cacert", &world.authority(), "-u"]);
            curl.arg(format!("{USER}:secret"));
            curl.arg(format!("{begin}{number}"));
            read.push(world.run(&mut curl).await?);
        }
        reads.push(Read {
            way,
            messages: read,
        });
    }
    Ok(reads)
}

/// Python's clients: a login that fails, one that succeeds, and all messages into a directory.
const CLIENTS: &str = r#"
import imaplib, poplib, os, ssl, sys
authority, imap, pop, user = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
os.mkdir("imap"), os.mkdir("pop")
client = imaplib.IMAP4_SSL("localhost", int(imap), ssl_context=context)
assert "DEEP" in client.capabilities, client.capabilities
assert "STARTTLS" not in client.capabilities, client.capabilities
assert client.xatom("ID", '("name" "Python")')[0] == "OK"
assert b'"deep"' in client.response("ID")[1][0]
client.login(user, "secret")
assert client.select("INBOX", readonly=True)[0] == "OK"
for number in client.search(None, "ALL")[1][0].split():
    parts = client.fetch(number, "(UID BODY.PEEK[])")[1]
    open("imap/" + number.decode(), "wb").write(parts[0][1])
client.logout()
client = poplib.POP3_SSL("localhost", int(pop), context=context)
assert "DEEP" in client.capa(), client.capa()
assert "STLS" not in client.capa(), client.capa()
client.user(user)
client.pass_("secret")
for number in range(1, client.stat()[0] + 1):
    open("pop/%d" % number, "wb").write(b"\r\n".join(client.retr(number)[1]) + b"\r\n")
client.quit()
"#;

async fn python(world: &Mailboxes) -> Checked<Vec<Read>> {
    let mut python = Command::new("python3");
    python.args(["-c", CLIENTS, &world.authority()]);
    python.arg(world.imap.port.to_string());
    python.arg(world.pop.port.to_string()).arg(USER);
    world.run(&mut python).await?;
    Ok(vec![
        Read {
            way: "imaplib",
            messages: world.files("imap")?,
        },
        Read {
            way: "poplib",
            messages: world.files("pop")?,
        },
    ])
}

/// Returns the messages of a maildir.
fn maildir(world: &Mailboxes, path: &str) -> Checked<Vec<Vec<u8>>> {
    let new = world.files(&format!("{path}/new"))?;
    Ok([new, world.files(&format!("{path}/cur"))?].concat())
}

async fn mbsync(world: &Mailboxes) -> Checked<Vec<Read>> {
    fs::create_dir(world.path("maildir"))?;
    let settings = format!(
        "IMAPAccount t\nHost localhost\nPort {}\nUser {USER}\nPass secret\nSSLType IMAPS\nCertificateFile {}\n\
         SystemCertificates no\n\nIMAPStore r\nAccount t\n\nMaildirStore l\nPath maildir/\n\
         Inbox maildir/INBOX\n\nChannel c\nFar :r:\nNear :l:\nPatterns INBOX\nCreate Near\nSyncState *\n",
        world.imap.port,
        world.authority()
    );
    let file = world.write("mbsyncrc", &settings)?;
    // The second run finds that nothing is left to do.
    for _ in 0..2 {
        let mut mbsync = Command::new("mbsync");
        mbsync.arg("-c").arg(&file).arg("c");
        world.run(&mut mbsync).await?;
    }
    let messages = maildir(world, "maildir/INBOX")?;
    Ok(vec![Read {
        way: "mbsync",
        messages,
    }])
}

async fn fetchmail(world: &Mailboxes) -> Checked<Vec<Read>> {
    let mut reads = Vec::new();
    for (way, protocol, port) in [
        ("fetchmail by IMAP", "IMAP", world.imap.port),
        ("fetchmail by POP", "POP3", world.pop.port),
    ] {
        fs::create_dir(world.path(protocol))?;
        let settings = format!(
            "set invisible\npoll localhost protocol {protocol} port {port} user {USER} password secret ssl \
             sslcertck sslcertfile {} fetchall keep no rewrite mda \"cat > {protocol}/$$\"\n",
            world.authority()
        );
        let file = world.write("fetchmailrc", &settings)?;
        let mut fetchmail = Command::new("fetchmail");
        fetchmail
            .arg("-f")
            .arg(file)
            .args(["--nodetach", "--pidfile"]);
        fetchmail.arg(world.path("pid"));
        world.run(&mut fetchmail).await?;
        let messages = world.files(protocol)?;
        reads.push(Read { way, messages });
    }
    Ok(reads)
}

async fn offlineimap(world: &Mailboxes) -> Checked<Vec<Read>> {
    let settings = format!(
        "[general]\naccounts = t\nmetadata = {}\nui = quiet\n\n[Account t]\nlocalrepository = l\n\
         remoterepository = r\n\n[Repository l]\ntype = Maildir\nlocalfolders = {}\n\n[Repository r]\ntype = IMAP\n\
         remotehost = localhost\nremoteport = {}\nremoteuser = {USER}\nremotepass = secret\nssl = yes\n\
         sslcacertfile = {}\nstarttls = no\nfolderfilter = lambda name: name == 'INBOX'\n",
        world.path("metadata").display(),
        world.path("offline").display(),
        world.imap.port,
        world.authority()
    );
    let file = world.write("offlineimaprc", &settings)?;
    let mut offlineimap = Command::new("offlineimap");
    offlineimap.args(["-o", "-c"]).arg(file);
    let output = world.run(&mut offlineimap).await?;
    let messages = maildir(world, "offline/INBOX").map_err(|error| {
        Failure::new(format!("{error:?}: {}", String::from_utf8_lossy(&output)))
    })?;
    Ok(vec![Read {
        way: "offlineimap",
        messages,
    }])
}
