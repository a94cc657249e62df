//! TLSA records against the certificates that are served, and those that will be: section 10.4.3, RFC 7671 section 8.

use std::time::Duration;

use super::{
    Finding, Observation, State, Subject, certificate::verdict, connection::Lookups, disk,
};
use crate::{
    dns::{LookupFailure, Tlsa, host::TlsaRecords},
    failure::Cause,
    monitor::{
        certificate::Certificate,
        finding::Check,
        observation::{AddressObservation, ServerObservation},
        policy::{Context, KnownCertificate},
        time::Timestamp,
    },
    verdict::{DaneNotUsed, DaneVerdict},
};

/// Judges the TLSA records of a server.
pub(super) fn records(server: &ServerObservation, lookups: Lookups) -> Vec<Finding> {
    let finding = |state, fact: String| {
        let subject = Subject::Server(server.to_string());
        Finding::new(Check::Tlsa, subject, state, fact)
    };
    let tlsa = match &server.tlsa {
        // A finding about the resolver.
        None | Some(Err(LookupFailure::NoDnssec)) => return Vec::new(),
        Some(Ok(tlsa)) => tlsa,
        Some(Err(failure)) => {
            let fact = format!("The TLSA records are not known, {failure}");
            let action =
                "repair the zone or its name servers, since clients with DANE do not connect";
            return vec![finding(lookups.state(*failure), fact).with_action(action)];
        }
    };
    let owner = &tlsa.owner;
    match &tlsa.records {
        TlsaRecords::NotRequested => Vec::new(),
        TlsaRecords::AddressInsecure => vec![
            finding(
                State::Advice,
                "No TLSA record can protect the server, whose address is not secured by DNSSEC"
                    .to_owned(),
            )
            .with_action("sign the zone of the host"),
        ],
        TlsaRecords::None => {
            let mut certificates = server.addresses.iter().flatten();
            let certificate = certificates.find_map(|at| at.certificate.as_ref());
            let record = match certificate {
                Some(certificate) => {
                    let digest = certificate.key_digest();
                    format!("{owner} IN TLSA 3 1 1 {}", hexadecimal(&digest))
                }
                None => format!("{owner} IN TLSA 3 1 1 with the digest of the key"),
            };
            vec![
                finding(State::Advice, "The server has no TLSA record".to_owned())
                    .with_action(format!("publish {record}")),
            ]
        }
        TlsaRecords::Insecure => vec![
            finding(
                State::Bad,
                "TLSA records are advertised without DNSSEC, so that no client uses them"
                    .to_owned(),
            )
            .with_action("sign the zone, or remove the records"),
        ],
        TlsaRecords::Records { records, .. } => {
            let mut findings = of_addresses(server);
            findings.extend(stale(server, records));
            findings.extend(excluded(server, records));
            findings
        }
    }
}

/// Judges the records against the certificate at each address.
fn of_addresses(server: &ServerObservation) -> Vec<Finding> {
    let addresses = server.addresses.iter().flatten();
    addresses
        .filter_map(|address| of_address(server, address))
        .collect()
}

fn of_address(server: &ServerObservation, address: &AddressObservation) -> Option<Finding> {
    let subject = Subject::Address(server.to_string(), address.address);
    let finding = |state, fact: String| Finding::new(Check::Tlsa, subject.clone(), state, fact);
    let clients = match server.is_inbound() {
        true => "Other servers",
        false => "Clients",
    };
    let dane = match verdict(address) {
        Some(verdict) => &verdict.dane,
        None => {
            let reason = match &address.client {
                Err(Cause::Lookup(failure)) => failure.to_string(),
                _ => "no certificate was received".to_owned(),
            };
            let fact = format!("The TLSA records could not be compared, {reason}");
            return Some(
                finding(State::NotKnown, fact).with_action("see the finding about the connection"),
            );
        }
    };
    Some(match dane {
        DaneVerdict::Matches { usage, .. } => finding(
            State::Good,
            format!("A TLSA record of usage {usage} matches the certificate"),
        ),
        DaneVerdict::Differs(_) => finding(
            State::Bad,
            format!("{clients} with DANE refuse the server, {dane}"),
        )
        .with_action("serve the certificate that the records name, or publish records of the served one at once"),
        DaneVerdict::NotUsed(DaneNotUsed::Unusable(_)) => finding(
            State::Bad,
            format!("No TLSA record protects the server, {dane}"),
        )
        .with_action("replace them by a record 3 1 1"),
        DaneVerdict::NotUsed(DaneNotUsed::SrvInsecure) => finding(
            State::Advice,
            "No client uses the TLSA records, since the SRV record that names the host is not secured by DNSSEC"
                .to_owned(),
        )
        .with_action("sign the zone of the mail domain"),
        DaneVerdict::NotUsed(_) => return None,
    })
}

/// Judges records of usages that do not count for inbound mail, beside others.
fn excluded(server: &ServerObservation, records: &[Tlsa]) -> Option<Finding> {
    let is_excluded = |record: &&Tlsa| matches!(record.usage, 0 | 1);
    let count = records.iter().filter(is_excluded).count();
    (server.is_inbound() && count > 0 && count < records.len()).then(|| {
        let subject = Subject::Server(server.to_string());
        let fact = "TLSA records of usage 0 or 1 have no effect for inbound mail";
        Finding::new(Check::Tlsa, subject, State::Advice, fact).with_action("remove them")
    })
}

/// Judges records that a renewal breaks.
fn stale(server: &ServerObservation, records: &[Tlsa]) -> Option<Finding> {
    let is_whole = |record: &Tlsa| matches!(record.usage, 1 | 3) && record.selector == 0;
    let is_key = |record: &Tlsa| matches!(record.usage, 1 | 3) && record.selector == 1;
    let breaks = records.iter().any(is_whole) && !records.iter().any(is_key);
    let has_authority = records.iter().any(|record| matches!(record.usage, 0 | 2));
    (breaks && !has_authority).then(|| {
        let subject = Subject::Server(server.to_string());
        let fact = "The TLSA records name the certificate and not its key, so that each renewal breaks them";
        Finding::new(Check::Rollover, subject, State::Warning, fact)
            .with_action("publish a record 3 1 1, and keep the key when the certificate is renewed")
    })
}

/// Judges the records against the certificates that will be served next.
pub(super) fn rollover(
    server: &ServerObservation,
    observation: &Observation,
    context: &Context,
) -> Vec<Finding> {
    let Some(Ok(tlsa)) = &server.tlsa else {
        return Vec::new();
    };
    let TlsaRecords::Records { records, .. } = &tlsa.records else {
        return Vec::new();
    };
    let served: Vec<_> = server
        .addresses
        .iter()
        .flatten()
        .filter_map(|address| address.certificate.as_ref())
        .collect();
    let is_new = |known: &&KnownCertificate| {
        !served
            .iter()
            .any(|served| served.has_key_of(&known.certificate))
    };
    let next = disk::of_server(server, &observation.domain, context).filter(is_new);
    next.map(|known| {
        let first_seen = |record: &Tlsa| {
            let seen = context.first_seen.as_ref()?;
            // A record that was never seen before is as old as this observation.
            let key = (tlsa.owner.clone(), record.clone());
            Some(seen.get(&key).copied().unwrap_or(observation.at))
        };
        let (state, fact, action) = of_next(
            records,
            tlsa.ttl,
            &first_seen,
            &known.certificate,
            observation.at,
        );
        let subject = Subject::Server(server.to_string());
        let fact = format!("{fact} ({})", known.file);
        let finding = Finding::new(Check::Rollover, subject, state, fact);
        match action {
            Some(action) => finding.with_action(action),
            None => finding,
        }
    })
    .collect()
}

/// Judges the records against one certificate that will be served.
///
/// Resolvers keep the records without the new one for a time to live; "two TTLs" is the time that RFC 7671 section 8.1
/// recommends.
fn of_next(
    records: &[Tlsa],
    ttl: Duration,
    first_seen: &dyn Fn(&Tlsa) -> Option<Duration>,
    next: &Certificate,
    now: Duration,
) -> (State, String, Option<String>) {
    let named: Vec<_> = records.iter().filter(|it| next.is_named_by(it)).collect();
    if named.is_empty() {
        let action = format!(
            "publish a TLSA record 3 1 1 {} beside the present ones, and wait two TTLs before it is served",
            hexadecimal(&next.key_digest())
        );
        let fact = "No TLSA record names the next key".to_owned();
        return (State::Warning, fact, Some(action));
    }
    let mut seen = Vec::new();
    for record in named {
        match first_seen(record) {
            Some(time) => seen.push(time),
            None => {
                let fact = "A TLSA record names the next key, and its age is not known".to_owned();
                let action = "serve the key two TTLs after the record was published; with a file of states the \
                              monitor knows the time";
                return (State::Advice, fact, Some(action.to_owned()));
            }
        }
    }
    let wait = ttl.saturating_mul(2);
    let ready = seen.into_iter().min().unwrap_or(now).saturating_add(wait);
    if now < ready {
        let fact = "The TLSA record of the next key is younger than two TTLs".to_owned();
        let action = format!(
            "wait until {} before the next key is served",
            Timestamp(ready)
        );
        return (State::Warning, fact, Some(action));
    }
    let fact = "The TLSA records name the next key, and resolvers know it".to_owned();
    (State::Good, fact, None)
}

fn hexadecimal(octets: &[u8]) -> String {
    use std::fmt::Write as _;

    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
