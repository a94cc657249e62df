//! IDLE, silent for longer than the gateway's limits before login, and the notification after it.

use std::{path::Path, time::Duration};

use conformance::{
    Scenario,
    outcome::{Checked, same},
};
use mail_implicit_tls::{
    gateway::{ClientAddress, SessionTimes},
    service::Service,
};
use tokio::time::sleep;

use super::{
    client::Client,
    front::Front,
    mailboxes::{Mailboxes, Store, USER, with_each},
};

/// The scenario.
pub(super) const SCENARIO: Scenario = Scenario::with_peer(
    "Dovecot",
    "mail-implicit-tls/idle-through-the-gateway",
    |root| {
        let silence = silence()?;
        // Both servers, one after the other, and their start.
        let limit = silence * 2 + Duration::from_secs(60);
        with_each(root, limit, |stores| notified(root, stores, silence))
    },
);

/// The variable with the minutes of silence.
const MINUTES: &str = "MAIL_TLS_IDLE_MINUTES";

/// The time of a silence without the variable.
const SILENCE: Duration = Duration::from_secs(5);

/// The limit of the gateway before login, which is shorter.
const LOGIN: Duration = Duration::from_secs(2);

fn silence() -> Result<Duration, String> {
    match std::env::var(MINUTES) {
        Err(_) => Ok(SILENCE),
        Ok(minutes) => minutes
            .parse()
            .map(|minutes: u64| Duration::from_secs(minutes.saturating_mul(60)))
            .map_err(|error| format!("{MINUTES}: {error}")),
    }
}

async fn notified(root: &Path, stores: Vec<Store>, silence: Duration) -> Checked<String> {
    let times = SessionTimes {
        connect: LOGIN,
        login: LOGIN,
        ..SessionTimes::default()
    };
    let mut seen = Vec::new();
    for store in stores {
        let world = Mailboxes::start(root, store).await?;
        let (service, address) = (Service::IMAPS, ClientAddress::None);
        let front = Front::start_with(&world.site, service, world.backend, address, times).await?;
        let mut idle = Client::connect(&world.site, front.port).await?;
        idle.line().await?;
        let login = format!("a LOGIN {USER} secret\r\n");
        idle.ask(&login, "a OK").await?;
        let selected = idle.ask("b SELECT INBOX\r\n", "b OK").await?;
        let exist = selected
            .lines()
            .find_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS"));
        let exist: u32 = exist.unwrap_or_default().parse()?;
        idle.ask("c IDLE\r\n", "+").await?;
        same("silence", idle.is_silent(silence).await?, true)?;
        // Another client, without the gateway.
        let mut other = Client::clear(world.backend).await?;
        other.line().await?;
        other.ask(&login, "a OK").await?;
        let message = "Subject: news\r\n\r\nnews\r\n";
        other
            .ask(format!("b APPEND INBOX {{{}}}\r\n", message.len()), "+")
            .await?;
        other.ask(format!("{message}\r\n"), "b OK").await?;
        let news = format!("* {} EXISTS", exist + 1);
        idle.ask("", &news).await?;
        // The server may report more flags and counts meanwhile.
        sleep(Duration::from_millis(100)).await;
        idle.ask("DONE\r\n", "c OK").await?;
        idle.ask("d LOGOUT\r\n", "d OK").await?;
        seen.push(format!("{store:?}: {news:?}"));
    }
    Ok(format!(
        "after {} s of silence, with {} s for the login: {}",
        silence.as_secs(),
        LOGIN.as_secs(),
        seen.join(", ")
    ))
}
