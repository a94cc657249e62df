//! The latches of the hosts: those that a mail program has, those that servers advertise, and those that would be new.

use std::path::Path;

use deep_latch::{
    Host as LatchHost, LatchRecord,
    client::{ClientEvent, ClientOptions},
    latch::Transition,
    store::{Account as LatchAccount, FileLatchStore, LatchStore, MemoryLatchStore},
};
use mail_implicit_tls::{
    account::{Account, Server},
    client::{Connection, Connector},
    deep::{LatchedConnector, LatchedFailure},
    privacy::PrivacyLevel,
};
use serde_json::{Value, json};

use crate::Failed;

/// The latches of an account, before the connections of this run.
pub(crate) struct Latches(Option<FileLatchStore>);

/// Returns an error's text with those of its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

/// The latches of one host.
pub(crate) struct HostLatches {
    /// The tags that were latched before the connection.
    pub(crate) latched: Vec<String>,
    /// The status that the server advertises, or `None` if it advertises none.
    pub(crate) advertised: Option<String>,
    /// The tags that a mail program would latch.
    pub(crate) new: Vec<String>,
    /// The tags that are advertised and would not be latched, each with the reason.
    pub(crate) not_latched: Vec<(String, String)>,
}

impl Latches {
    /// Reads a file of latches. Without a file nothing is latched.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failed> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        // The error has the path.
        let store = FileLatchStore::open(path).map_err(|error| with_causes(&error))?;
        Ok(Self(Some(store)))
    }

    /// Connects with what is latched. Nothing is reported to the server, and nothing is stored.
    pub(crate) async fn connect(
        &self,
        connector: &Connector,
        account: &Account,
        server: &Server,
    ) -> Result<(Connection, HostLatches), LatchedFailure> {
        let host = LatchHost::try_new(&server.host.to_string());
        let name = LatchAccount::try_new(account.id().as_str());
        let (Ok(host), Ok(name)) = (host, name) else {
            return Err(LatchedFailure::Name);
        };
        let store = |error| {
            LatchedFailure::Latches(Box::new(deep_latch::connection::RunError::Store(error)))
        };
        let record = match &self.0 {
            Some(file) => file.load(&name, &host).await.map_err(store)?,
            None => LatchRecord::new(host),
        };
        let memory = MemoryLatchStore::default();
        memory.merge(&name, &record).await.map_err(store)?;
        let options = ClientOptions {
            report: false,
            ..ClientOptions::default()
        };
        let mut connected = LatchedConnector::new(connector, &memory)
            .with_options(options)
            .connect(account, server)
            .await?;
        let events = connected.take_events();
        let is_verified = connected.connection().indication().level() == Some(PrivacyLevel::High);
        let latches = HostLatches::of(&record, connected.record(), &events, is_verified);
        Ok((connected.into_connection(), latches))
    }
}

impl HostLatches {
    fn of(
        before: &LatchRecord,
        after: &LatchRecord,
        events: &[ClientEvent],
        is_verified: bool,
    ) -> Self {
        let mut latches = Self {
            latched: before.latched().map(ToString::to_string).collect(),
            advertised: None,
            new: Vec::new(),
            not_latched: Vec::new(),
        };
        let mut is_withdrawn = false;
        for event in events {
            match event {
                ClientEvent::Transition(Transition::Latched(tag, _)) => {
                    latches.new.push(tag.to_string());
                }
                ClientEvent::Transition(Transition::NotLatched(tag, reason)) => {
                    let pair = (tag.to_string(), reason.to_string());
                    latches.not_latched.push(pair);
                }
                ClientEvent::Transition(Transition::Withdrawn) => is_withdrawn = true,
                _ => {}
            }
        }
        // The record has the status of an authenticated server only.
        latches.advertised = if is_verified && !is_withdrawn {
            after.status().map(|status| status.as_str().to_owned())
        } else {
            let refused = latches.not_latched.iter().map(|(tag, _)| tag);
            let tags: Vec<_> = latches.new.iter().chain(refused).cloned().collect();
            (!tags.is_empty()).then(|| tags.join(" "))
        };
        latches
    }

    pub(crate) fn to_json(&self) -> Value {
        let refused = self.not_latched.iter();
        let refused: Vec<_> = refused
            .map(|(tag, reason)| json!({ "tag": tag, "reason": reason }))
            .collect();
        json!({
            "latched": self.latched,
            "advertised": self.advertised,
            "new": self.new,
            "not_latched": refused,
        })
    }
}
