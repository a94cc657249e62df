//! The command `mail-tls gateway` before a Dovecot that is killed and comes back: what its clients see, the health endpoint
//! and the metric.

use std::{fs, path::Path, process::Command, time::Duration};

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
    process::{Server, at, directory, ports},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{TRUSTS_LOOPBACK, client::Client, start};
use crate::live::{
    program::{built, program},
    servers::dovecot::missing,
    site::{HOST, Shown, Site, write},
};

/// The scenario.
pub(super) const SCENARIO: Scenario = Scenario::with_peer(
    "Dovecot",
    "mail-implicit-tls/gateway-before-dovecot-that-is-killed",
    |root| {
        let missing = match missing() {
            None => built(root)?,
            missing => missing,
        };
        Live::unless(missing, || run(killed(root)))
    },
);

/// The time in which the gateway notices a backend that failed or came back.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway as a process.
struct Gateway {
    _server: Server,
    imaps: u16,
    pop3s: u16,
    metrics: u16,
}

impl Gateway {
    async fn start(root: &Path, site: &Site, imap: u16, pop3: u16) -> Checked<Self> {
        let directory = directory()?;
        write(&site.server(Shown::Good)?, directory.path(), "server");
        let [imaps, pop3s, metrics] = ports()?;
        let mut text = format!(
            "name = \"{HOST}\"\ncertificate = [{{ chain = \"server.pem\", key = \"server.key\" }}]\n\
             [metrics]\nlisten = \"127.0.0.1:{metrics}\"\n"
        );
        for (kind, port, backend) in [("imaps", imaps, imap), ("pop3s", pop3s, pop3)] {
            text += &format!(
                "[[service]]\nkind = \"{kind}\"\nlisten = [\"127.0.0.1:{port}\"]\n\
                 backend = [{{ host = \"127.0.0.1\", port = {backend} }}]\n"
            );
        }
        let config = directory.path().join("gateway.toml");
        fs::write(&config, text)?;
        let mut command = Command::new(program(root));
        command.args(["gateway", "--config"]).arg(&config);
        let listening = [imaps, pop3s, metrics];
        Ok(Self {
            _server: Server::start(directory, "log", &mut command, &listening).await?,
            imaps,
            pop3s,
            metrics,
        })
    }

    /// Returns the response of the endpoint.
    async fn get(&self, path: &str) -> Checked<String> {
        let mut tcp = TcpStream::connect(at(self.metrics)).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        tcp.read_to_string(&mut response).await?;
        Ok(response)
    }

    /// Waits until the endpoint says of each backend that it is available, or that it is not.
    async fn says(&self, is_up: bool, backends: [u16; 2]) -> Checked<()> {
        let code = if is_up {
            "HTTP/1.1 200 "
        } else {
            "HTTP/1.1 503 "
        };
        let lines = ["imaps", "pop3s"].into_iter().zip(backends);
        let lines: Vec<_> = lines
            .map(|(service, port)| {
                let labels = format!("service=\"{service}\",backend=\"127.0.0.1:{port}\"");
                let is_up = u8::from(is_up);
                format!("mail_tls_gateway_backend_up{{{labels}}} {is_up}\n")
            })
            .collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (health, metrics) = (self.get("/health").await?, self.get("/metrics").await?);
            if health.starts_with(code) && lines.iter().all(|line| metrics.contains(line)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let said = format!("{code:?} and {lines:?} expected: {health} {metrics}");
                return Err(Failure::new(said));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Connects and reads the greeting.
async fn greeted(site: &Site, port: u16) -> Checked<Client> {
    let mut client = Client::connect(site, port).await?;
    client.line().await?;
    Ok(client)
}

const IMAP_LOGIN: &str = "a LOGIN frank secret\r\nb SELECT INBOX\r\n";
const POP_LOGIN: &str = "USER frank\r\nPASS secret\r\nSTAT\r\n";
const UNAVAILABLE: &str =
    "* BYE [UNAVAILABLE] service is temporarily unavailable, try again later\r\n";
const SYS_TEMP: &str = "-ERR [SYS/TEMP] service is temporarily unavailable, try again later\r\n";

async fn killed(root: &Path) -> Checked {
    let site = Site::new()?;
    let mut dovecot = start(TRUSTS_LOOPBACK).await?;
    let backends = [dovecot.imap, dovecot.pop3];
    let gateway = Gateway::start(root, &site, dovecot.imap, dovecot.pop3).await?;
    let mut idle = greeted(&site, gateway.imaps).await?;
    idle.ask(IMAP_LOGIN, "b OK").await?;
    idle.ask("c IDLE\r\n", "+").await?;
    let mut pop = greeted(&site, gateway.pop3s).await?;
    pop.ask(POP_LOGIN, "+OK 0").await?;
    // Not logged in yet, one of them in the middle of it.
    let mut imap_stranger = greeted(&site, gateway.imaps).await?;
    imap_stranger.ask("a AUTHENTICATE PLAIN\r\n", "+").await?;
    let mut pop_stranger = greeted(&site, gateway.pop3s).await?;
    pop_stranger.ask("USER frank\r\n", "+OK").await?;
    gateway.says(true, backends).await?;

    dovecot.server.kill()?;
    same("IMAP after login", idle.rest().await?.as_str(), "")?;
    same("POP after login", pop.rest().await?.as_str(), "")?;
    same(
        "IMAP before login",
        imap_stranger.rest().await?.as_str(),
        UNAVAILABLE,
    )?;
    same(
        "POP before login",
        pop_stranger.rest().await?.as_str(),
        SYS_TEMP,
    )?;
    for (port, words) in [(gateway.imaps, UNAVAILABLE), (gateway.pop3s, SYS_TEMP)] {
        let mut client = Client::connect(&site, port).await?;
        same("without a backend", client.rest().await?.as_str(), words)?;
    }
    gateway.says(false, backends).await?;

    let begin = Instant::now();
    dovecot.start_again().await?;
    // Noticed without a client.
    gateway.says(true, backends).await?;
    let time = begin.elapsed();
    let mut imap = greeted(&site, gateway.imaps).await?;
    imap.ask(IMAP_LOGIN, "b OK").await?;
    imap.ask("c LOGOUT\r\n", "c OK").await?;
    let mut pop = greeted(&site, gateway.pop3s).await?;
    pop.ask(POP_LOGIN, "+OK 0").await?;
    passed(format!(
        "clients that are logged in: the close alert and nothing else; others: {:?} and {:?}; logins work again \
         {:.1} s after the restart",
        UNAVAILABLE.trim_end(),
        SYS_TEMP.trim_end(),
        time.as_secs_f64()
    ))
}
