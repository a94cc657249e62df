//! Servers for inbound mail: MX records (RFC 5321 section 5, RFC 7505), and what other servers do with one of these servers
//! (RFC 7672 section 2, RFC 8461 section 5).

use super::{At, Finding, Observation, State, Subject, connection::Lookups, transport};
use crate::{
    dialogue::DialogueError,
    dns::{Answer, Dnssec, LookupFailure, Mx, Record, host::TlsaRecords},
    failure::{Cause, TlsFailure},
    monitor::{finding::Check, observation::ServerObservation},
    verdict::DaneVerdict,
};

/// Judges the MX records.
pub(super) fn records(observation: &Observation, lookups: Lookups) -> Vec<Finding> {
    let subject = Subject::Name(format!("{}. MX", observation.domain));
    let finding = |state, fact: String| vec![Finding::new(Check::Mx, subject.clone(), state, fact)];
    let with_action = |state, fact: String, action: &str| {
        vec![Finding::new(Check::Mx, subject.clone(), state, fact).with_action(action)]
    };
    let records = match &observation.mx {
        None | Some(Answer::Failed(LookupFailure::NoDnssec)) => return Vec::new(),
        Some(Answer::Failed(failure)) => {
            let fact = format!("The servers for inbound mail are not known, {failure}");
            let action = match lookups.state(*failure) {
                State::Bad => "repair the zone, whose records other servers refuse",
                _ => lookups.again(*failure),
            };
            return with_action(lookups.state(*failure), fact, action);
        }
        Some(Answer::Denied { .. }) => {
            let receives = observation
                .servers
                .iter()
                .any(ServerObservation::is_inbound);
            let (fact, action) = match receives {
                true => (
                    "The domain has no MX record, so that other servers deliver to its own address",
                    "publish an MX record, or MX 0 . if the domain receives no mail",
                ),
                false => (
                    "The domain has neither MX record nor address, so that other servers try in vain for days",
                    "publish MX 0 . if the domain receives no mail",
                ),
            };
            return with_action(State::Advice, fact.to_owned(), action);
        }
        Some(Answer::Records(records)) => records,
    };
    let mx: Vec<&Mx> = records
        .records
        .iter()
        .filter_map(|record| match record {
            Record::Mx(mx) => Some(mx),
            _ => None,
        })
        .collect();
    let refuses = |mx: &&&Mx| mx.exchange.is_root();
    match (mx.iter().filter(refuses).count(), mx.len()) {
        (1, 1) => {
            let fact = "The domain states that it receives no mail";
            return finding(State::Good, fact.to_owned());
        }
        (0, _) => {}
        _ => {
            let fact =
                "An MX record states that the domain receives no mail, and others name servers";
            let action = "remove the record with the host \".\", or the others";
            return with_action(State::Bad, fact.to_owned(), action);
        }
    }
    let mut findings: Vec<_> = mx
        .iter()
        .filter(|mx| mx.exchange.to_host().is_none())
        .flat_map(|mx| {
            let fact = format!(
                "Other servers ignore the MX record {} {}, which names no host",
                mx.preference, mx.exchange
            );
            with_action(State::Bad, fact, "correct the record, or remove it")
        })
        .collect();
    let servers = match mx.len() {
        1 => "one server".to_owned(),
        count => format!("{count} servers"),
    };
    findings.extend(match records.dnssec {
        Dnssec::Secure => finding(
            State::Good,
            format!("The domain names {servers} for inbound mail"),
        ),
        Dnssec::Insecure => with_action(
            State::Advice,
            format!(
                "The domain names {servers} for inbound mail without DNSSEC, so that no TLSA record protects the way to \
                 them"
            ),
            "sign the zone with DNSSEC",
        ),
    });
    findings
}

/// Returns `true` if a policy of MTA-STS lets other servers deliver to a server with a verified certificate only.
pub(super) fn has_policy(observation: &Observation, server: &ServerObservation) -> bool {
    let transport = observation.transport.as_ref();
    server.is_inbound()
        && transport.is_some_and(|it| transport::is_enforced(it, server.host.as_str()))
}

/// Returns `true` if other servers with DANE deliver over TLS only: there are TLSA records, and DNSSEC secures them.
fn has_tlsa(server: &ServerObservation) -> bool {
    let tlsa = server.tlsa.as_ref().and_then(|it| it.as_ref().ok());
    tlsa.is_some_and(|it| matches!(it.records, TlsaRecords::Records { .. }))
}

/// Judges the delivery to a server at one address. `judged` is the judgement of a mail client's connection.
pub(super) fn delivery(at: &At<'_>, judged: (State, &'static str)) -> Finding {
    let finding = |state, fact: String, action: &str| {
        at.finding(Check::Connection, state, fact)
            .with_action(action)
    };
    let cause = match &at.address.client {
        Ok(()) => {
            let version = at.address.tls.as_ref().map(|tls| tls.version);
            let version = crate::privacy::ProtocolVersion(version.unwrap_or_default());
            let fact = format!("Other servers can deliver over {version}");
            return at.finding(Check::Connection, State::Good, fact);
        }
        Err(cause) => cause,
    };
    let refusing = match (has_tlsa(at.server), at.has_policy) {
        (true, _) => Some("Other servers with DANE"),
        (false, true) => Some("Other servers with MTA-STS"),
        (false, false) => None,
    };
    match (cause, refusing) {
        (Cause::NotVerified(verdict), _) if matches!(verdict.dane, DaneVerdict::Differs(_)) => {
            finding(
                State::Bad,
                "Other servers with DANE do not deliver, since no TLSA record matches the certificate"
                    .to_owned(),
                "see the finding about the TLSA records",
            )
        }
        (Cause::NotVerified(_), _) if at.has_policy => finding(
            State::Bad,
            "Other servers with MTA-STS do not deliver, since the certificate is not verified"
                .to_owned(),
            "see the findings about the certificate and its names",
        ),
        // Without DANE and MTA-STS, other servers deliver to any certificate.
        (Cause::NotVerified(_), _) => finding(
            State::Advice,
            "Other servers deliver though the certificate is not verified, so that an attacker can read the mail"
                .to_owned(),
            "publish a TLSA record 3 1 1 with DNSSEC, or a certificate that is verified and a policy of MTA-STS",
        ),
        (
            Cause::Dialogue(DialogueError::NoStartTls | DialogueError::StartTlsRefused),
            Some(servers),
        ) => finding(
            State::Bad,
            format!("{servers} do not deliver, since {cause}"),
            "install a certificate for the service, so that it offers STARTTLS",
        ),
        (Cause::Dialogue(DialogueError::NoStartTls | DialogueError::StartTlsRefused), None) => {
            finding(
                State::Warning,
                format!("Mail arrives in clear text, since {cause}"),
                "install a certificate for the service, so that it offers STARTTLS",
            )
        }
        (Cause::Tls(TlsFailure::Closed | TlsFailure::Configuration), _) => undetermined(at, cause, judged),
        (Cause::Tls(_), Some(servers)) => finding(
            State::Bad,
            format!("{servers} do not deliver, since TLS fails: {cause}"),
            judged.1,
        ),
        (Cause::Tls(_), None) => finding(
            State::Warning,
            format!("Mail arrives in clear text or not at all, since TLS fails: {cause}"),
            judged.1,
        ),
        (cause, _) => undetermined(at, cause, judged),
    }
}

fn undetermined(at: &At<'_>, cause: &Cause, (state, action): (State, &'static str)) -> Finding {
    let fact = match state {
        State::NotKnown => format!("The delivery of mail could not be tried, {cause}"),
        _ => format!("Other servers do not deliver: {cause}"),
    };
    at.finding(Check::Connection, state, fact)
        .with_action(action)
}
