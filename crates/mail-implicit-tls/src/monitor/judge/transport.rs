//! Policies of inbound mail: MTA-STS, RFC 8461, and TLS-RPT, RFC 8460.

use std::time::Duration;

use super::{Finding, State, Subject, connection::Lookups, list};
use crate::{
    dns::LookupFailure,
    failure::{Cause, TlsFailure},
    monitor::{
        finding::Check,
        observation::{PolicyFile, TransportSecurity},
        time::Span,
    },
};

/// The greatest `max_age`, RFC 8461 section 3.2.
const MAX_AGE: u64 = 31_557_600;

/// A `max_age` below this lets an attacker wait for its end.
const SHORT_AGE: u64 = 86_400;

/// Judges the policies.
pub(super) fn policies(transport: &TransportSecurity, lookups: Lookups) -> Vec<Finding> {
    vec![mta_sts(transport, lookups), tls_rpt(transport, lookups)]
}

fn finding(check: Check, state: State, fact: impl Into<String>) -> Finding {
    Finding::new(check, Subject::Domain, state, fact)
}

/// Returns the one record of a version, or the finding about none or several.
fn one_record<'a>(
    check: Check,
    version: &str,
    name: &str,
    records: &'a Result<Vec<String>, LookupFailure>,
    advice: &str,
    lookups: Lookups,
) -> Result<&'a str, Finding> {
    let records = records.as_ref().map_err(|failure| {
        let fact = format!("The record {name} is not known, {failure}");
        finding(check, lookups.state(*failure), fact).with_action(lookups.again(*failure))
    })?;
    let is_version = |record: &&String| {
        let first = record.split(';').next().unwrap_or_default();
        first.trim() == version
    };
    let mut of_version = records.iter().filter(is_version);
    match (of_version.next(), of_version.next()) {
        (Some(record), None) => Ok(record),
        (None, _) => {
            let fact = format!("The domain has no record {name}");
            Err(finding(check, State::Advice, fact).with_action(advice))
        }
        (Some(_), Some(_)) => {
            let fact = format!("The domain has several records {name}, so that none counts");
            Err(finding(check, State::Warning, fact).with_action("remove all but one"))
        }
    }
}

/// Returns the value of a field of a record `name=value; ...`.
fn field<'a>(record: &'a str, name: &str) -> Option<&'a str> {
    record.split(';').find_map(|field| {
        let (found, value) = field.split_once('=')?;
        (found.trim() == name).then(|| value.trim())
    })
}

fn tls_rpt(transport: &TransportSecurity, lookups: Lookups) -> Finding {
    let check = Check::TlsRpt;
    let advice = "publish v=TLSRPTv1; rua=mailto:ADDRESS, so that senders report failures of TLS";
    let record = match one_record(
        check,
        "v=TLSRPTv1",
        "_smtp._tls",
        &transport.tls_rpt,
        advice,
        lookups,
    ) {
        Ok(record) => record,
        Err(finding) => return finding,
    };
    let is_address = |uri: &str| {
        let uri = uri.trim();
        uri.starts_with("mailto:") && uri.contains('@') || uri.starts_with("https://")
    };
    match field(record, "rua") {
        Some(uris) if uris.split(',').all(is_address) => {
            finding(check, State::Good, "Senders report failures of TLS")
        }
        _ => finding(
            check,
            State::Warning,
            "The record _smtp._tls has no address for reports",
        )
        .with_action("add rua=mailto:ADDRESS or an https URL"),
    }
}

fn mta_sts(transport: &TransportSecurity, lookups: Lookups) -> Finding {
    let check = Check::MtaSts;
    let advice = "publish v=STSv1; id=NUMBER, and the policy on mta-sts.DOMAIN";
    let record = match one_record(
        check,
        "v=STSv1",
        "_mta-sts",
        &transport.mta_sts,
        advice,
        lookups,
    ) {
        Ok(record) => record,
        Err(finding) => return finding,
    };
    let is_id = |id: &str| {
        (1..=32).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric())
    };
    if !field(record, "id").is_some_and(is_id) {
        return finding(
            check,
            State::Warning,
            "The record _mta-sts has no id that counts",
        )
        .with_action("set an id of 1 to 32 letters and digits");
    }
    match &transport.policy {
        None => finding(
            check,
            State::NotKnown,
            "The policy of MTA-STS was not fetched",
        )
        .with_action("run the monitor again"),
        Some(PolicyFile::Failed(cause)) => failed(cause),
        Some(PolicyFile::Refused(reason)) => {
            let fact = format!("Senders refuse the policy of MTA-STS, {reason}");
            finding(check, State::Bad, fact).with_action(
                "serve it at https://mta-sts.DOMAIN/.well-known/mta-sts.txt as text/plain",
            )
        }
        Some(PolicyFile::Text(text)) => of_policy(text, transport, lookups),
    }
}

fn failed(cause: &Cause) -> Finding {
    let fact = format!("The policy of MTA-STS could not be fetched, {cause}");
    let state = match cause {
        Cause::NotVerified(_) => State::Bad,
        Cause::Tls(TlsFailure::Closed | TlsFailure::Configuration) => State::NotKnown,
        Cause::Tls(_) => State::Bad,
        Cause::Lookup(crate::dns::host::HostFailure::NoAddress) => State::Bad,
        _ => State::NotKnown,
    };
    let action = match state {
        State::Bad => "repair the web server of mta-sts.DOMAIN and its certificate",
        _ => "run the monitor again, from another network too",
    };
    finding(Check::MtaSts, state, fact).with_action(action)
}

/// Returns `true` if a policy is enforced for a host: other servers deliver to it over TLS with a verified certificate
/// only.
pub(super) fn is_enforced(transport: &TransportSecurity, host: &str) -> bool {
    let Some(PolicyFile::Text(text)) = &transport.policy else {
        return false;
    };
    parse(text).is_ok_and(|policy| {
        policy.mode == "enforce" && policy.mx.iter().any(|pattern| covers(pattern, host))
    })
}

/// The fields of a policy, RFC 8461 section 3.2.
struct StsPolicy<'a> {
    mode: &'a str,
    max_age: u64,
    mx: Vec<&'a str>,
}

fn parse(text: &str) -> Result<StsPolicy<'_>, &'static str> {
    let mut fields = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':').ok_or("a line is not a field")?;
        fields.push((name.trim(), value.trim()));
    }
    let first = |name: &str| fields.iter().find(|(it, _)| *it == name).map(|(_, it)| *it);
    if fields.first() != Some(&("version", "STSv1")) {
        return Err("its first field is not version: STSv1");
    }
    let mode = first("mode").filter(|mode| ["enforce", "testing", "none"].contains(mode));
    let max_age = first("max_age").and_then(|age| age.parse().ok());
    let mx: Vec<_> = fields
        .iter()
        .filter(|(name, _)| *name == "mx")
        .map(|(_, value)| *value)
        .collect();
    let mode = mode.ok_or("its mode is unknown")?;
    if mode != "none" && mx.is_empty() {
        return Err("it names no mx");
    }
    Ok(StsPolicy {
        mode,
        max_age: max_age
            .filter(|age| *age <= MAX_AGE)
            .ok_or("its max_age is missing or too large")?,
        mx,
    })
}

/// Returns `true` if a pattern of a policy covers a host: RFC 8461 section 4.1.
fn covers(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.trim_end_matches('.'), host.trim_end_matches('.'));
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

fn of_policy(text: &str, transport: &TransportSecurity, lookups: Lookups) -> Finding {
    let check = Check::MtaSts;
    let policy = match parse(text) {
        Ok(policy) => policy,
        Err(reason) => {
            let fact = format!("Senders refuse the policy of MTA-STS, since {reason}");
            return finding(check, State::Bad, fact).with_action("correct the policy");
        }
    };
    let hosts = match &transport.mx {
        Ok(hosts) => hosts,
        Err(failure) => {
            let fact = format!("The MX records could not be compared with the policy, {failure}");
            return finding(check, lookups.state(*failure), fact)
                .with_action(lookups.again(*failure));
        }
    };
    let is_covered = |host: &str| policy.mx.iter().any(|pattern| covers(pattern, host));
    let foreign: Vec<_> = hosts
        .iter()
        .map(|mx| mx.exchange.as_str().to_owned())
        .filter(|host| !host.is_empty() && !is_covered(host))
        .collect();
    if !foreign.is_empty() && policy.mode != "none" {
        let fact = format!(
            "The policy of MTA-STS lacks the MX hosts {}",
            list(&foreign)
        );
        let state = match policy.mode {
            "enforce" => State::Bad,
            _ => State::Warning,
        };
        return finding(check, state, fact)
            .with_action("add them to the policy, and change the id of the record _mta-sts");
    }
    if policy.mode != "enforce" {
        let fact = format!("The policy of MTA-STS has the mode {}", policy.mode);
        return finding(check, State::Advice, fact)
            .with_action("set enforce once the reports show no failures");
    }
    let age = Span(Duration::from_secs(policy.max_age));
    if policy.max_age < SHORT_AGE {
        let fact = format!("Senders keep the policy of MTA-STS for {age} only");
        return finding(check, State::Advice, fact).with_action("set a max_age of weeks");
    }
    let fact = format!("The policy of MTA-STS is enforced, and kept for {age}");
    finding(check, State::Good, fact)
}
