//! A server at one address: the client's connection, the certificate, the DEEP status, versions and logins.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use deep_latch::{
    Facilities, SecurityTag, TlsFacts,
    client::{ClientEvent, ClientOptions},
    facility::Achievement,
    facts::SessionFacts,
    latch::Transition,
    store::MemoryLatchStore,
};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout},
};

use super::{
    clear_text::{greet, logins},
    hello::{Answer, TLS_1_1, TLS_1_2},
};
use crate::{
    account::{Account, AccountId, AccountSetup, LowPrivacy, Server},
    client::{Connection, Connector, Handshake, after},
    deep::{Latched, LatchedConnector, facts, tls_facts},
    dns::host::HostFailure,
    failure::{Cause, TlsFailure},
    monitor::{
        certificate::Certificate,
        observation::{AddressObservation, DeepStatus, NotKnown, OldVersions, TlsObservation},
    },
    name::DomainName,
    service::Security,
    verdict::Verdict,
};

/// The time for the close alert of TLS.
const CLOSE: Duration = Duration::from_secs(1);

/// A server, and what its connections need.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) connector: &'a Connector,
    pub(super) domain: &'a DomainName,
    pub(super) server: &'a Server,
    pub(super) uses_dane: bool,
    pub(super) is_mx: bool,
    pub(super) deadline: Duration,
}

impl Target<'_> {
    fn account(&self, server: &Server, is_private: bool) -> Option<Account> {
        let setup = AccountSetup::new(AccountId::try_new("monitor").ok()?)
            .domain(self.domain.clone())
            .server(server.clone());
        let setup = match is_private {
            true => setup.dane(self.uses_dane),
            // A server that the client refuses shows its certificate and its status nevertheless.
            false => setup.dane(false).low(LowPrivacy {
                ignore_certificate: true,
                clear_text_fallback: false,
            }),
        };
        setup.build().ok()
    }

    /// Observes the server at one address.
    pub(super) async fn observe(&self, address: IpAddr) -> AddressObservation {
        let server = self.server.clone().with_address(address);
        let mut observed = AddressObservation {
            address,
            client: Err(Cause::ClearText),
            tls: None,
            certificate: None,
            old_versions: Err(NotKnown::NotTried),
            clear: None,
            deep: Err(NotKnown::NotTried),
        };
        let [Some(private), Some(lenient)] = [true, false].map(|it| self.account(&server, it))
        else {
            return observed;
        };
        let (connected, handshake) = self.connector.observe(&private, &server).await;
        observed.note(handshake, None);
        observed.client = match connected {
            Ok(connection) => {
                close(connection).await;
                Ok(())
            }
            Err(failure) => Err(failure.cause().clone()),
        };
        let refused = match &observed.client {
            Err(Cause::NotVerified(verdict)) => Some((**verdict).clone()),
            _ => None,
        };
        if refused.is_some() || is_tlsa_unknown(&observed.client) {
            self.look_closer(&lenient, &server, refused, &mut observed)
                .await;
        } else if observed.client.is_ok() {
            self.read_status(&private, &server, &mut observed).await;
        }
        if observed.tls.is_some() || answers_in_tls(&observed.client) {
            observed.old_versions = self.old_versions(address, &observed).await;
        }
        if server.service.security == Security::StartTls && !self.is_mx {
            let end = after(Instant::now(), self.deadline);
            let socket = SocketAddr::new(address, server.port);
            observed.clear = Some(logins(server.service, socket, end).await);
        }
        observed
    }

    /// Reads the certificate and the status of a server that the client refused, or that it did not connect to for want
    /// of TLSA records.
    async fn look_closer(
        &self,
        lenient: &Account,
        server: &Server,
        refused: Option<Verdict>,
        observed: &mut AddressObservation,
    ) {
        let (connected, handshake) = self.connector.observe(lenient, server).await;
        observed.note(handshake, refused);
        if let Ok(connection) = connected {
            close(connection).await;
            self.read_status(lenient, server, observed).await;
        }
    }

    /// Reads the DEEP status on one more connection.
    async fn read_status(
        &self,
        account: &Account,
        server: &Server,
        observed: &mut AddressObservation,
    ) {
        if self.is_mx {
            return;
        }
        let store = MemoryLatchStore::default();
        let options = ClientOptions {
            report: false,
            ..ClientOptions::default()
        };
        let latched = LatchedConnector::new(self.connector, &store)
            .with_options(options)
            .connect(account, server)
            .await;
        if let Ok(mut latched) = latched {
            let verdict = observed.tls.as_ref().map(|tls| &tls.verdict);
            observed.deep = Ok(status(&mut latched, verdict));
            close(latched.into_connection()).await;
        }
    }

    async fn old_versions(
        &self,
        address: IpAddr,
        observed: &AddressObservation,
    ) -> Result<OldVersions, NotKnown> {
        let socket = SocketAddr::new(address, self.server.port);
        let host = self.server.host.to_string();
        let end = after(Instant::now(), self.deadline);
        let service = self.server.service;
        let up_to_1_1 = match greet(service, socket, TLS_1_1, &host, end).await? {
            Answer::Accepted(version) => Some(version),
            Answer::NoVersion | Answer::Refused => None,
            Answer::NotTls => return Err(NotKnown::Dialogue),
        };
        let negotiated = observed.tls.as_ref().map(|tls| tls.version);
        let tls_1_2 = match negotiated {
            Some(TLS_1_2) => Some(true),
            _ => match greet(service, socket, TLS_1_2, &host, end).await? {
                Answer::Accepted(version) => Some(version == TLS_1_2),
                Answer::NoVersion => Some(false),
                // Another part of the hello is the reason, or none is known.
                Answer::Refused | Answer::NotTls => None,
            },
        };
        Ok(OldVersions { up_to_1_1, tls_1_2 })
    }
}

impl AddressObservation {
    /// Notes the facts of a handshake. `refused` is the verdict of a client that refused the server, in place of the one
    /// of this handshake.
    fn note(&mut self, handshake: Option<Handshake>, refused: Option<Verdict>) {
        let Some(handshake) = handshake else {
            return;
        };
        self.certificate = Certificate::of_chain(handshake.chain);
        self.tls = Some(TlsObservation {
            verdict: refused.unwrap_or(handshake.verdict),
            version: handshake.version,
            cipher_suite: handshake.cipher_suite,
        });
    }
}

/// Returns `true` if the server answers a hello, though the client refused it or found no algorithm in common.
const fn answers_in_tls(client: &Result<(), Cause>) -> bool {
    matches!(
        client,
        Err(Cause::NotVerified(_)
            | Cause::Tls(TlsFailure::Version | TlsFailure::Incompatible | TlsFailure::Alert(_)))
    )
}

/// Returns `true` if the client did not connect, since the lookup of TLSA records failed.
const fn is_tlsa_unknown(client: &Result<(), Cause>) -> bool {
    matches!(client, Err(Cause::Lookup(HostFailure::Tlsa(_))))
}

async fn close(connection: Connection) {
    // newman-4-4-1: the close alert.
    let _ = timeout(CLOSE, connection.into_stream().shutdown()).await;
}

/// Returns the status that a server advertises, and the tags that a private connection does not achieve.
fn status(latched: &mut Latched, verdict: Option<&Verdict>) -> DeepStatus {
    let events = latched.take_events();
    let mut tags: Vec<SecurityTag<'static>> = Vec::new();
    let mut is_withdrawn = false;
    for event in events {
        match event {
            ClientEvent::Transition(
                Transition::Latched(tag, _) | Transition::NotLatched(tag, _),
            ) => tags.push(tag),
            ClientEvent::Transition(Transition::Withdrawn) => is_withdrawn = true,
            _ => {}
        }
    }
    // The record has the status of an authenticated server only.
    let recorded = latched.record().status().filter(|_| !is_withdrawn);
    let has_url = recorded.map(|status| status.url().is_some());
    if let Some(status) = recorded {
        tags = status.tags().map(SecurityTag::into_owned).collect();
    }
    let facilities = Facilities::new();
    let facts = SessionFacts {
        tls: session(latched.connection(), verdict),
        login: None,
    };
    let is_missing = |tag: &&SecurityTag<'_>| {
        facilities.knows(tag) && facilities.achieves(&facts, tag) == Achievement::NotAchieved
    };
    let text = |tag: &SecurityTag<'_>| tag.to_lowercase();
    let is_advertised = recorded.is_some() || !tags.is_empty();
    DeepStatus {
        not_achieved: tags.iter().filter(is_missing).map(text).collect(),
        tags: is_advertised.then(|| tags.iter().map(text).collect()),
        has_url,
    }
}

/// Returns the facts of a connection, with the verdict of the private one.
fn session(connection: &Connection, verdict: Option<&Verdict>) -> Option<TlsFacts> {
    let lenient = tls_facts(connection)?;
    Some(match verdict.map(facts) {
        None => lenient,
        Some(private) => TlsFacts {
            chain: private.chain,
            identity: private.identity,
            dane: private.dane,
            ..lenient
        },
    })
}
