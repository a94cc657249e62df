//! The addresses of a host, and the result of the client's connection to each: sections 10.3 and 10.5.

use std::{io, net::IpAddr};

use super::{At, Finding, Observation, ServerObservation, State, Subject, inbound};
use crate::{
    dialogue::DialogueError,
    dns::{LookupFailure, host::HostFailure},
    failure::{Cause, Stage, TlsFailure},
    monitor::{finding::Check, observation::AddressObservation},
};

/// The judgement of lookups that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookups {
    /// `true` if the clock of this machine seems to be wrong, so that signatures that are valid fail.
    pub(super) is_clock_wrong: bool,
}

impl Lookups {
    /// Returns the state of a lookup that failed. A bogus answer is a fault of the domain, unless it may be one of the clock;
    /// any other failure may be one of the resolver or of the network.
    pub(super) const fn state(self, failure: LookupFailure) -> State {
        match failure {
            LookupFailure::Bogus if self.is_clock_wrong => State::NotKnown,
            LookupFailure::Bogus | LookupFailure::Aliases | LookupFailure::TooLarge => State::Bad,
            _ => State::NotKnown,
        }
    }

    /// Returns the action that helps this machine, of a lookup that failed for it.
    pub(super) const fn again(self, failure: LookupFailure) -> &'static str {
        match failure {
            LookupFailure::Bogus if self.is_clock_wrong => {
                "set the clock, and run the monitor again"
            }
            _ => "check the resolver of this machine, and run the monitor again",
        }
    }

    /// Returns the action that helps.
    const fn action(self, failure: LookupFailure) -> &'static str {
        match self.state(failure) {
            State::Bad => "repair the zone",
            _ => self.again(failure),
        }
    }
}

/// Judges the lookup of a host's addresses.
pub(super) fn addresses(server: &ServerObservation, lookups: Lookups) -> Vec<Finding> {
    let subject = || Subject::Server(server.to_string());
    let failed = |state, fact: String, action: &str| {
        vec![Finding::new(Check::Address, subject(), state, fact).with_action(action)]
    };
    match &server.addresses {
        Err(
            HostFailure::Address(LookupFailure::NoDnssec)
            | HostFailure::Tlsa(LookupFailure::NoDnssec),
        ) => Vec::new(),
        Err(HostFailure::NoAddress) => failed(
            State::Bad,
            format!("{} has no address", server.host),
            "publish an A or AAAA record, or remove the record that names the host",
        ),
        Err(HostFailure::Address(failure)) => failed(
            lookups.state(*failure),
            format!("The addresses of {} are not known, {failure}", server.host),
            lookups.action(*failure),
        ),
        Err(HostFailure::Tlsa(failure)) => failed(
            lookups.state(*failure),
            format!(
                "Clients with DANE do not connect to {}, since the lookup of TLSA records fails: {failure}",
                server.host
            ),
            lookups.action(*failure),
        ),
        Ok(_) => match server.failed_family {
            None | Some(LookupFailure::NoDnssec) => Vec::new(),
            Some(failure) => failed(
                lookups.state(failure),
                format!(
                    "One family of the addresses of {} is not known, {failure}",
                    server.host
                ),
                lookups.action(failure),
            ),
        },
    }
}

/// Judges the connection of the client to one address. The finding about the resolver takes the place of one about a lookup
/// without DNSSEC.
pub(super) fn client(at: &At<'_>, observation: &Observation, lookups: Lookups) -> Option<Finding> {
    let cause = match &at.address.client {
        Err(Cause::Lookup(
            HostFailure::Address(LookupFailure::NoDnssec)
            | HostFailure::Tlsa(LookupFailure::NoDnssec),
        )) => return None,
        Err(cause) => cause,
        Ok(()) if at.is_inbound => return Some(inbound::delivery(at, (State::Good, ""))),
        Ok(()) => {
            let version = at.address.tls.as_ref().map(|tls| tls.version);
            let version = crate::privacy::ProtocolVersion(version.unwrap_or_default());
            let fact = format!("A mail client can log in, over {version}");
            return Some(at.finding(Check::Connection, State::Good, fact));
        }
    };
    let judged = match accepts_others(at.address, cause) {
        true => (
            State::Warning,
            "use a certificate with a key of RSA or ECDSA P-256, and cipher suites with forward secrecy and AEAD",
        ),
        false => of_cause(cause, answers(at.address.address, observation), lookups),
    };
    if at.is_inbound {
        return Some(inbound::delivery(at, judged));
    }
    let (state, action) = judged;
    let fact = match (state, cause) {
        (State::NotKnown, cause) => format!("No mail client could be tried, {cause}"),
        (_, Cause::NotVerified(_)) => {
            "Mail clients refuse the server, whose certificate is not verified".to_owned()
        }
        (State::Warning, cause) => format!("Some mail clients fail, as this one: {cause}"),
        (_, cause) => format!("Mail clients fail: {cause}"),
    };
    let finding = at.finding(Check::Connection, state, fact);
    Some(finding.with_action(action))
}

/// Returns `true` if the server refuses the algorithms of this client, and accepts the longer list of the hello that asks for
/// TLS 1.2: other clients have more.
fn accepts_others(address: &AddressObservation, cause: &Cause) -> bool {
    /// `handshake_failure`
    const HANDSHAKE_FAILURE: u8 = 40;

    let is_algorithm = matches!(
        cause,
        Cause::Tls(TlsFailure::Incompatible | TlsFailure::Alert(HANDSHAKE_FAILURE))
    );
    let old = address.old_versions.as_ref();
    is_algorithm && old.is_ok_and(|old| old.tls_1_2 == Some(true))
}

/// Returns `true` if a client reached the address at any port, so that the address does not block this machine.
fn answers(address: IpAddr, observation: &Observation) -> bool {
    let reached = |cause: &Cause| {
        !matches!(
            cause,
            Cause::Connect(_) | Cause::NoResources | Cause::Timeout(_) | Cause::Lookup(_)
        )
    };
    let servers = observation.servers.iter();
    let mut all = servers.flat_map(|server| server.addresses.iter().flatten());
    all.any(|other| other.address == address && other.client.as_ref().err().is_none_or(reached))
        || observation.listening.iter().any(|it| it.address == address)
}

/// Returns the state that a failure reports, and the action that helps.
fn of_cause(cause: &Cause, address_answers: bool, lookups: Lookups) -> (State, &'static str) {
    const OTHER_NETWORK: &str =
        "run the monitor again, from another network too, and let the server accept this machine";

    match cause {
        Cause::Lookup(HostFailure::NoAddress) => (State::Bad, "publish an A or AAAA record"),
        Cause::Lookup(HostFailure::Address(failure) | HostFailure::Tlsa(failure)) => {
            (lookups.state(*failure), lookups.action(*failure))
        }
        // A machine that is blocked is refused at every port.
        Cause::Connect(io::ErrorKind::ConnectionRefused) if address_answers => (
            State::Bad,
            "start the service, or remove the record that names this port",
        ),
        // A machine that is blocked makes no handshake.
        Cause::Timeout(Stage::Encrypted) => (
            State::Bad,
            "check that the mail service itself runs and has processes left",
        ),
        Cause::NoResources => (
            State::NotKnown,
            "give this machine more descriptors or memory, and run the monitor again",
        ),
        Cause::Connect(_)
        | Cause::Timeout(_)
        | Cause::Tls(TlsFailure::Closed | TlsFailure::Configuration)
        | Cause::Dialogue(DialogueError::Refused | DialogueError::Closed)
        | Cause::ClearText => (State::NotKnown, OTHER_NETWORK),
        Cause::SpeaksClearText => (
            State::Bad,
            "let the service begin TLS at once on this port, or advertise it for STARTTLS",
        ),
        Cause::Tls(TlsFailure::Version) => (State::Bad, "enable TLS 1.2 and TLS 1.3"),
        Cause::Tls(_) => (
            State::Bad,
            "check the certificate and the TLS settings of the server",
        ),
        Cause::NotVerified(_) => (
            State::Bad,
            "see the findings about its certificate, names and TLSA records",
        ),
        Cause::Dialogue(DialogueError::NoStartTls | DialogueError::StartTlsRefused) => (
            State::Bad,
            "install a certificate for the service, so that it offers STARTTLS",
        ),
        Cause::Dialogue(DialogueError::NoAuthentication) => {
            (State::Bad, "enable authentication within TLS")
        }
        Cause::Dialogue(_) => (
            State::Bad,
            "repair the server, whose replies clients refuse",
        ),
    }
}
