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
    client::{Connection, Connector, after},
    deep::{Latched, LatchedConnector, facts, tls_facts},
    dns::host::HostFailure,
    failure::Cause,
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
            certificate: None,
            old_versions: Err(NotKnown::NotTried),
            clear: None,
            deep: Err(NotKnown::NotTried),
        };
        let [Some(private), Some(lenient)] = [true, false].map(|it| self.account(&server, it))
        else {
            return observed;
        };
        observed.client = match self.connector.connect(&private, &server).await {
            Ok(connection) => {
                observed.certificate = certificate(&connection);
                let facts = tls(&connection);
                close(connection).await;
                facts.ok_or(Cause::ClearText)
            }
            Err(failure) => Err(failure.cause().clone()),
        };
        let is_tls = match &observed.client {
            Ok(_) | Err(Cause::NotVerified(_) | Cause::Lookup(HostFailure::Tlsa(_))) => true,
            Err(_) => false,
        };
        if is_tls {
            let account = if observed.client.is_ok() {
                private
            } else {
                lenient
            };
            self.look_closer(&account, &server, &mut observed).await;
            observed.old_versions = self.old_versions(address, &observed).await;
        }
        if server.service.security == Security::StartTls && !self.is_mx {
            let end = after(Instant::now(), self.deadline);
            let socket = SocketAddr::new(address, server.port);
            observed.clear = Some(logins(server.service, socket, end).await);
        }
        observed
    }

    /// Reads the DEEP status on one more connection, and the certificate if the client refused it.
    async fn look_closer(
        &self,
        account: &Account,
        server: &Server,
        observed: &mut AddressObservation,
    ) {
        let verdict = match &observed.client {
            Ok(tls) => Some(tls.verdict.clone()),
            Err(Cause::NotVerified(verdict)) => Some((**verdict).clone()),
            Err(_) => None,
        };
        let store = MemoryLatchStore::default();
        let options = ClientOptions {
            report: false,
            ..ClientOptions::default()
        };
        let latched = LatchedConnector::new(self.connector, &store)
            .with_options(options)
            .connect(account, server)
            .await;
        match latched {
            Ok(mut latched) => {
                let seen = certificate(latched.connection());
                observed.certificate = observed.certificate.take().or(seen);
                if !self.is_mx {
                    observed.deep = Ok(status(&mut latched, verdict.as_ref()));
                }
                close(latched.into_connection()).await;
            }
            Err(_) if observed.certificate.is_none() => {
                // The dialogue about the status failed, perhaps.
                if let Ok(connection) = self.connector.connect(account, server).await {
                    observed.certificate = certificate(&connection);
                    close(connection).await;
                }
            }
            Err(_) => {}
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
            Answer::Refused => None,
            Answer::NotTls => return Err(NotKnown::Dialogue),
        };
        let negotiated = observed.client.as_ref().ok().map(|tls| tls.version);
        let tls_1_2 = negotiated == Some(TLS_1_2)
            || greet(service, socket, TLS_1_2, &host, end).await? == Answer::Accepted(TLS_1_2);
        Ok(OldVersions { up_to_1_1, tls_1_2 })
    }
}

fn certificate(connection: &Connection) -> Option<Certificate> {
    let chain = connection.peer_certificates()?;
    Certificate::of_chain(chain.iter().cloned())
}

fn tls(connection: &Connection) -> Option<TlsObservation> {
    Some(TlsObservation {
        verdict: connection.verdict()?.clone(),
        version: connection.version()?.0,
        cipher_suite: connection.cipher_suite(),
    })
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
