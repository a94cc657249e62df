//! The gateway before Dovecot, over which clients read 10,000 messages octet by octet as without it, and before Dovecot and
//! Cyrus with mail clients of others.

pub(super) mod client;
mod front;
mod idle;
mod mail;
mod mailboxes;
mod programs;
mod restart;

use std::path::Path;

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
    process::directory,
    servers::dovecot::{self, Settings},
};
use mail_implicit_tls::{
    gateway::ClientAddress,
    service::{Protocol, Service},
};

use self::{
    client::{CLIENT, Client},
    front::Front,
};
use super::{servers::dovecot::missing, site::Site};

/// The number of messages in the mailbox.
const MESSAGES: usize = 10_000;

/// The scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("mail-implicit-tls/gateway-before-dovecot", |_| {
        Live::unless(missing(), || run(commands()))
    }),
    scenario(
        "mail-implicit-tls/gateway-before-dovecot-by-proxy-protocol",
        |_| Live::unless(missing(), || run(by_proxy_protocol())),
    ),
    scenario(
        "mail-implicit-tls/gateway-before-dovecot-10000-messages",
        |_| Live::unless(missing(), || run(messages())),
    )
    .alone(),
    programs::CURL,
    programs::PYTHON,
    programs::MBSYNC,
    programs::FETCHMAIL,
    programs::OFFLINEIMAP,
    idle::SCENARIO,
    restart::SCENARIO,
];

const fn scenario(name: &'static str, run: fn(&Path) -> Result<Live, String>) -> Scenario {
    Scenario::with_peer("Dovecot", name, run)
}

/// The lines of a Dovecot that reads the client's address in ID and XCLIENT of loopback.
const TRUSTS_LOOPBACK: &str = "disable_plaintext_auth = no
login_trusted_networks = 127.0.0.0/8";

/// The lines of a Dovecot that accepts a password over TLS only, and reads in the header of the PROXY protocol that the client
/// uses it.
const READS_PROXY_HEADERS: &str = "disable_plaintext_auth = yes
haproxy_trusted_networks = 127.0.0.0/8
service imap-login {
  inet_listener imap {
    haproxy = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    haproxy = yes
  }
}";

/// Starts a Dovecot in clear text; `lines` are more of its configuration.
async fn start(lines: &str) -> Checked<dovecot::Dovecot> {
    let lines = format!(
        r#"auth_mechanisms = plain
ssl = no
imap_id_log = *
imap_id_send = name "Demo Server"
login_log_format_elements = user=<%u> rip=%r lip=%l %c
{lines}
passdb {{
  driver = static
  args = password=secret
}}"#
    );
    let settings = Settings {
        instance: "gateway",
        tls: false,
        lines: &lines,
    };
    dovecot::Dovecot::start(directory()?, &settings).await
}

/// Draft 7.1, example 3, and 7.2: capabilities, ID, logins and the client's address, by ID and by XCLIENT.
async fn commands() -> Checked {
    let site = Site::new()?;
    let dovecot = start(TRUSTS_LOOPBACK).await?;
    let imap = Front::start(&site, Service::IMAPS, dovecot.imap, ClientAddress::ImapId).await?;
    let mut client = Client::connect(&site, imap.port).await?;
    let greeting = client.line().await?;
    let list = greeting.split(']').next().unwrap_or_default();
    for word in ["DEEP", "ID", "AUTH=PLAIN"] {
        same(word, list.split(' ').any(|it| it == word), true)?;
    }
    for word in ["STARTTLS", "LOGINDISABLED", "UNAUTHENTICATE"] {
        same(word, list.contains(word), false)?;
    }
    let id = "a ID (\"name\" \"Demo Mail\" \"latch\" \"tls10\" \"tls\" \"A_LIE\" \"x-originating-ip\" \"192.0.2.9\")\r\n";
    let answer = client.ask(id, "a OK").await?;
    same(
        "answer to ID",
        answer.contains("\"name\" \"Demo Server\"") && answer.contains("\"deep\" \"tls10"),
        true,
    )?;
    let fields = dovecot
        .server
        .line_with(&["ID sent: ", "Demo Mail"])
        .await?;
    same("a lie in the log", fields.contains("A_LIE"), false)?;
    same(
        "the cipher suite in the log",
        fields.contains("tls=TLS_"),
        true,
    )?;
    client.ask("b LOGIN alice wrong\r\n", "b NO").await?;
    client
        .ask(
            "c LOGIN {5+}\r\nalice {6+}\r\nsecret\r\nd SELECT INBOX\r\n",
            "d OK",
        )
        .await?;
    let login = dovecot.server.line_with(&["Login: user=<alice>"]).await?;
    same(
        "the client's address in the log",
        login.contains(&format!("rip={CLIENT}")),
        true,
    )?;
    client.ask("e LOGOUT\r\n", "e OK").await?;

    let pop = Front::start(&site, Service::POP3S, dovecot.pop3, ClientAddress::Xclient).await?;
    let mut client = Client::connect(&site, pop.port).await?;
    client.line().await?;
    let capa = client.ask("CAPA\r\n", ".\r\n").await?;
    same("DEEP in CAPA", capa.contains("\r\nDEEP tls10"), true)?;
    same(
        "STLS in CAPA",
        capa.contains("STLS") || capa.contains("XCLIENT"),
        false,
    )?;
    client.ask("USER bob\r\nPASS wrong\r\n", "-ERR").await?;
    client.ask("AUTH PLAIN\r\n", "+ ").await?;
    client.ask("AGJvYgBzZWNyZXQ=\r\nSTAT\r\n", "+OK 0").await?;
    let login = dovecot.server.line_with(&["Login: user=<bob>"]).await?;
    same(
        "the client's address in the log",
        login.contains(&format!("rip={CLIENT}")),
        true,
    )?;
    client.ask("QUIT\r\n", "+OK").await?;
    let events = [imap.events(), pop.events()].concat().join(", ");
    let expected = "forged, report of Demo Mail, failed password, logged in by password, \
                    failed password, logged in by PLAIN";
    same("events", events.as_str(), expected)?;

    drop(dovecot);
    for front in [imap, pop] {
        let mut client = Client::connect(&site, front.port).await?;
        let line = client.line().await?;
        let expected = match front.service.protocol {
            Protocol::Imap => "* BYE [UNAVAILABLE] ",
            _ => "-ERR [SYS/TEMP] ",
        };
        same("a backend that ended", line.starts_with(expected), true)?;
    }
    passed(events)
}

/// The PROXY protocol with its TLV of TLS: Dovecot accepts a password, which it does over TLS only, and its log has the
/// client's address.
async fn by_proxy_protocol() -> Checked {
    let site = Site::new()?;
    let dovecot = start(READS_PROXY_HEADERS).await?;
    let mut all = Vec::new();
    for (service, port, login, done) in [
        (
            Service::IMAPS,
            dovecot.imap,
            "a LOGIN carol secret\r\n",
            "a OK",
        ),
        (
            Service::POP3S,
            dovecot.pop3,
            "USER dave\r\nPASS secret\r\n",
            "+OK Logged in",
        ),
    ] {
        let front = Front::start(&site, service, port, ClientAddress::ProxyV2).await?;
        let mut client = Client::connect(&site, front.port).await?;
        client.line().await?;
        client.ask(login, done).await?;
        let user = login
            .split(' ')
            .find(|word| ["carol", "dave\r\nPASS"].contains(word));
        let user = user
            .unwrap_or_default()
            .split('\r')
            .next()
            .unwrap_or_default();
        let line = dovecot
            .server
            .line_with(&["Login: ", &format!("user=<{user}>")])
            .await?;
        let expected = format!("rip={CLIENT}");
        same(
            "the client's address in the log",
            line.contains(&expected),
            true,
        )?;
        let (_, facts) = line
            .split_once("user=")
            .ok_or_else(|| Failure::new("no user"))?;
        all.push(facts.trim_end().to_owned());
    }
    passed(all.join("; "))
}

/// All messages, fetched by IMAP and POP through the gateway and without it, are the same octets.
async fn messages() -> Checked {
    let site = Site::new()?;
    let dovecot = start(TRUSTS_LOOPBACK).await?;
    mail::deliver(&dovecot.server.path().join("mail/erin"), MESSAGES)?;
    let imap = Front::start(&site, Service::IMAPS, dovecot.imap, ClientAddress::None).await?;
    let log_in = "a LOGIN erin secret\r\nb EXAMINE INBOX\r\n";
    let fetch = "c FETCH 1:* (UID BODY.PEEK[])\r\n";
    let mut fetched = Vec::new();
    for mut client in [
        Client::clear(dovecot.imap).await?,
        Client::connect(&site, imap.port).await?,
    ] {
        client.line().await?;
        client.ask(log_in, "b OK").await?;
        fetched.push(
            client
                .octets(fetch, |octets| mail::ends_with_line(octets, b"c OK"))
                .await?,
        );
    }
    let [direct, through] = fetched.as_slice() else {
        return Err(Failure::new("two sessions expected"));
    };
    same(
        "messages of IMAP",
        mail::count(direct, b" BODY[] {"),
        MESSAGES,
    )?;
    // Dovecot's last line has the time that the command took.
    let same_octets = mail::without_last_line(direct) == mail::without_last_line(through);
    same("the same octets by IMAP", same_octets, true)?;

    let pop = Front::start(&site, Service::POP3S, dovecot.pop3, ClientAddress::None).await?;
    let retrieve: String = (1..=MESSAGES)
        .map(|number| format!("RETR {number}\r\n"))
        .collect();
    let mut retrieved = Vec::new();
    for mut client in [
        Client::clear(dovecot.pop3).await?,
        Client::connect(&site, pop.port).await?,
    ] {
        client.line().await?;
        client
            .ask("USER erin\r\nPASS secret\r\n", "+OK Logged in")
            .await?;
        let is_all = |octets: &[u8]| mail::count(octets, b"\r\n.\r\n") == MESSAGES;
        retrieved.push(client.octets(&retrieve, is_all).await?);
    }
    let [direct_pop, through_pop] = retrieved.as_slice() else {
        return Err(Failure::new("two sessions expected"));
    };
    same("the same octets by POP", direct_pop == through_pop, true)?;
    passed(format!(
        "{MESSAGES} messages: {} octets by IMAP, {} by POP",
        through.len(),
        through_pop.len()
    ))
}
