//! Invariants of `mail-implicit-tls` that hold for every input. Vectors, tests and fuzz targets call these.

mod autoconfig_fetch;
mod connection;
mod dane;
mod facts;
mod gateway;
mod proxy_protocol;
mod submission;

pub use self::{
    autoconfig_fetch::autoconfig_fetch,
    connection::{client_dialogue, client_octets, server_dialogue, server_octets, srv_order},
    dane::{tlsa, tlsa_octets},
    facts::client_facts,
    gateway::{gateway_octets, session},
    proxy_protocol::proxy_protocol,
    submission::{submission, submission_octets},
};

use conformance::oracle::Broken;
use mail_implicit_tls::{
    identity::{
        NameConstraints, Options, PresentedIdentity, ReferenceIdentity, Rules, judge,
        judge_certificate, presented,
    },
    name::DomainName,
    privacy::PrivacyLevel,
    received::{CipherSuite, Group, MAX_CLAUSES, MAX_RECEIVED_BYTES, Received},
    service::Service,
    setup::{
        Offer,
        address::MailAddress,
        autoconfig::{ClientConfig, MAX_SERVERS},
    },
    verdict::{IdentityVerdict, MAX_LISTED_NAMES},
};
use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

/// The rules, from the one that accepts most names.
const RULES: [Rules; 4] = [
    Rules::Rfc6125,
    Rules::Rfc7817,
    Rules::Rfc9525,
    Rules::Rfc3501,
];

/// The reference identities of an account of `example.org`, whose servers were found by SRV.
fn references() -> Vec<ReferenceIdentity> {
    let name = |text| DomainName::parse(text).expect("a constant name");
    vec![
        ReferenceIdentity::Dns(name("imap.example.org")),
        ReferenceIdentity::Srv(Service::IMAPS, name("example.org")),
        ReferenceIdentity::Dns(name("example.org")),
        ReferenceIdentity::Ip([192, 0, 2, 1].into()),
    ]
}

/// Checks the names of a certificate of any octets.
///
/// - Each name is in the verdict of a mismatch, or counted.
/// - A name that matches is presented, and would match if it were the only one, unless it is a common name.
/// - The rules of RFC 7817 and 9525 agree; what they accept, those of RFC 6125 accept.
/// - A certificate whose names can be read, and which webpki accepts for a host or address, is accepted.
/// - A path that permits nothing permits no SRV-ID and no CN-ID.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn names(certificate: &[u8]) -> Result<(), Broken> {
    let expected = references();
    let none = NameConstraints::none();
    let names = presented(certificate);
    let judged = RULES.map(|rules| {
        let verdict = judge_certificate(rules.into(), &expected, certificate, &none);
        (rules, verdict)
    });
    for (rules, verdict) in &judged {
        match (verdict, &names) {
            (IdentityVerdict::NotChecked, _) => return Err("the names were not checked".into()),
            (IdentityVerdict::Matches { presented, .. }, Some(names)) => {
                matched(*rules, &expected, presented, names)?;
            }
            (IdentityVerdict::Matches { .. }, None) => {
                return Err("an unreadable name matches".into());
            }
            (IdentityVerdict::Differs(mismatch), None) if mismatch.unreadable => {}
            (IdentityVerdict::Differs(mismatch), None) => {
                return Err(format!("unreadable, but: {mismatch}"));
            }
            (IdentityVerdict::Differs(mismatch), Some(names)) => {
                let listed = mismatch.presented.len() + mismatch.disregarded.len();
                if listed + mismatch.omitted != names.len() || listed > MAX_LISTED_NAMES {
                    return Err(format!("{} names of which {mismatch}", names.len()));
                }
            }
        }
    }
    let [(_, rfc6125), (_, rfc7817), (_, rfc9525), _] = &judged;
    if rfc7817 != rfc9525 {
        return Err(format!("RFC 7817: {rfc7817}; RFC 9525: {rfc9525}"));
    }
    let matches = |verdict: &IdentityVerdict| matches!(verdict, IdentityVerdict::Matches { .. });
    if matches(rfc7817) && !matches(rfc6125) {
        return Err(format!("RFC 7817: {rfc7817}; RFC 6125: {rfc6125}"));
    }
    if names.is_some() {
        against_webpki(certificate, &expected)?;
    }
    constrained(certificate, &expected)
}

fn matched(
    rules: Rules,
    expected: &[ReferenceIdentity],
    presented: &PresentedIdentity<'_>,
    names: &[PresentedIdentity<'_>],
) -> Result<(), Broken> {
    if !names.contains(presented) {
        return Err(format!("{presented} matches but is not in the certificate"));
    }
    if matches!(presented, PresentedIdentity::Cn(_)) && names.len() > 1 {
        return Err(format!("{presented} matches beside other names"));
    }
    let alone = std::slice::from_ref(presented);
    match judge(rules.into(), expected, alone, &NameConstraints::none()) {
        IdentityVerdict::Matches { .. } => Ok(()),
        verdict => Err(format!("alone: {verdict}")),
    }
}

/// Compares DNS-IDs and IP-IDs with webpki, which has no other names.
fn against_webpki(certificate: &[u8], expected: &[ReferenceIdentity]) -> Result<(), Broken> {
    let der = CertificateDer::from(certificate);
    let Ok(theirs) = EndEntityCert::try_from(&der) else {
        return Ok(());
    };
    for reference in expected {
        let name = match reference {
            ReferenceIdentity::Dns(name) => name.to_string(),
            ReferenceIdentity::Ip(address) => address.to_string(),
            ReferenceIdentity::Srv(..) => continue,
        };
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        let theirs = theirs.verify_is_valid_for_subject_name(&name).is_ok();
        let alone = std::slice::from_ref(reference);
        let rules = Options::from(Rules::Rfc9525);
        let ours = judge_certificate(rules, alone, certificate, &NameConstraints::none());
        let matches = matches!(ours, IdentityVerdict::Matches { .. });
        if theirs && !matches {
            return Err(format!("webpki accepts {name:?}, but: {ours}"));
        }
    }
    Ok(())
}

fn constrained(certificate: &[u8], expected: &[ReferenceIdentity]) -> Result<(), Broken> {
    let mut nothing = NameConstraints::none();
    nothing.add([&b"invalid"[..]], []);
    match judge_certificate(Rules::Rfc6125.into(), expected, certificate, &nothing) {
        IdentityVerdict::Matches {
            presented: presented @ (PresentedIdentity::Srv(_) | PresentedIdentity::Cn(_)),
            ..
        } => Err(format!("{presented} escapes the constraints")),
        _ => Ok(()),
    }
}

/// Checks a Received field of any octets.
///
/// - A clause is where its span states, and its value is a part of it. An error points into the field.
/// - A clause that `tls` reads is a `tls-cipher` to `deep-latch` too, which has its own grammar.
/// - A field to which the clauses are added reads as before, with the clauses; they cannot be added twice.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn received(body: &[u8]) -> Result<(), Broken> {
    let Ok(body) = std::str::from_utf8(body) else {
        return Ok(());
    };
    let received = match Received::parse(body) {
        Ok(received) => received,
        Err(error) if error.offset() <= body.len() => return Ok(()),
        Err(error) => return Err(format!("{error}: outside {} octets", body.len())),
    };
    for clause in received.clauses() {
        let text = body.get(clause.span.clone()).unwrap_or_default();
        let name = text.get(..clause.name.len()).unwrap_or_default();
        if !name.eq_ignore_ascii_case(clause.name) || !text.contains(clause.value) {
            return Err(format!("{clause:?} is not in its span"));
        }
    }
    match received.tls() {
        Ok(Some(suite)) => {
            let clause = format!(" tls {suite}");
            match deep_latch::TlsCipher::parse_clause(&clause) {
                Ok(theirs) if theirs.as_str() == suite.as_str() => {}
                other => return Err(format!("deep-latch reads {suite} as {other:?}")),
            }
        }
        Ok(None) => {}
        Err(error) if error.offset() <= body.len() => {}
        Err(error) => return Err(format!("{error}: outside {} octets", body.len())),
    }
    added(body, &received)
}

fn added(body: &str, received: &Received<'_>) -> Result<(), Broken> {
    let (suite, group) = (CipherSuite::from_number(0x1301), Group::from_number(29));
    let has = |name| received.value(name).is_some();
    let field = match received.with_tls(&suite, group.as_ref()) {
        Err(_) if has("tls") || has("group") => return Ok(()),
        Err(error) => return Err(format!("no clause, but: {error}")),
        Ok(_) if has("tls") || has("group") => return Err("a clause was added twice".into()),
        Ok(field) => field,
    };
    let read = match Received::parse(&field) {
        Ok(read) => read,
        // The longest fields, and those of most clauses, have no room.
        Err(_) if field.len() > MAX_RECEIVED_BYTES => return Ok(()),
        Err(_) if received.clauses().len() + 2 > MAX_CLAUSES => return Ok(()),
        Err(error) => return Err(format!("{body:?} with the clauses: {error}")),
    };
    let names = |received: &Received<'_>| -> Vec<_> {
        let clauses = received.clauses().iter();
        clauses.map(|it| (it.name, it.value.to_owned())).collect()
    };
    let mut expected = names(received);
    expected.push(("tls", suite.to_string()));
    expected.extend(group.iter().map(|group| ("group", group.to_string())));
    if names(&read) != expected || read.date() != received.date() {
        return Err(format!(
            "{body:?} with the clauses reads as {:?}",
            names(&read)
        ));
    }
    if read.tls() != Ok(Some(suite)) || read.group() != Ok(group) {
        return Err("the clauses read as others".into());
    }
    Ok(())
}

/// Checks the names of a certificate that the fuzzer gives: the first octet decides if the rest is a whole certificate,
/// the GeneralNames of a certificate, or the RDNs of its subject.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn identity(data: &[u8]) -> Result<(), Broken> {
    let Some((form, rest)) = data.split_first() else {
        return Ok(());
    };
    match form & 3 {
        0 => names(rest),
        1 => names(&certificate(&[], Some(rest))),
        2 => names(&certificate(rest, None)),
        _ => names(&certificate(COMMON_NAME, Some(rest))),
    }
}

/// `CN=imap.example.org`, an RDN in DER.
const COMMON_NAME: &[u8] = b"\x31\x19\x30\x17\x06\x03\x55\x04\x03\x0c\x10imap.example.org";

/// Returns a certificate of version 3 with this subject and these GeneralNames. Its signature is invalid.
fn certificate(rdns: &[u8], names: Option<&[u8]>) -> Vec<u8> {
    const ALGORITHM: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
    let validity = b"\x30\x1e\x17\x0d260101000000Z\x17\x0d360101000000Z";
    let key = [ALGORITHM, &tlv(0x03, &[0; 33])].concat();
    let extensions = names.map(|names| {
        let value = tlv(0x04, &tlv(0x30, names));
        let extension = [&[0x06, 0x03, 0x55, 0x1d, 0x11], value.as_slice()].concat();
        tlv(0xa3, &tlv(0x30, &tlv(0x30, &extension)))
    });
    let fields = [
        &[0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x01, 0x01],
        ALGORITHM,
        &[0x30, 0x00],
        validity,
        &tlv(0x30, rdns),
        &tlv(0x30, &key),
        extensions.as_deref().unwrap_or_default(),
    ];
    let signature = tlv(0x03, &[0; 65]);
    tlv(
        0x30,
        &[
            &tlv(0x30, &fields.concat()),
            ALGORITHM,
            signature.as_slice(),
        ]
        .concat(),
    )
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let [.., high, low] = length;
    let head = match content.len() {
        0..128 => vec![tag, low],
        128..256 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head.as_slice(), content].concat()
}

/// Checks octets as each format of this crate.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn any(data: &[u8]) -> Result<(), Broken> {
    identity(data)?;
    received(data)?;
    proxy_protocol(data)?;
    submission_octets(data)
}

/// Checks a configuration file of any octets.
///
/// - An error points into the file, and a file with a document type definition is an error.
/// - Each server is usable: it has a port and belongs to the user's domain.
/// - Each server with TLS is in the offers of both levels once, and one in clear text in those of the low level if the file
///   has none with TLS for its protocol.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn autoconfig(file: &[u8]) -> Result<(), Broken> {
    let user = MailAddress::parse("alice@example.org").map_err(|error| error.to_string())?;
    let config = match ClientConfig::parse(file, &user) {
        Ok(config) => config,
        Err(error) if error.offset() <= file.len() => return Ok(()),
        Err(error) => return Err(format!("{error}: outside {} octets", file.len())),
    };
    if config.servers.len() + config.refused.len() > MAX_SERVERS {
        return Err("more servers than the limit".into());
    }
    let has_tls = |protocol| {
        let services = config.servers.iter().map(|it| it.candidate.service());
        let mut services = services.filter(|it| it.protocol == protocol);
        services.any(|it| it.uses_tls())
    };
    for level in [PrivacyLevel::High, PrivacyLevel::Low] {
        let offers = config.offers(level);
        let mut offered = Vec::new();
        for offer in [offers.imap, offers.pop, offers.submission] {
            if let Offer::Candidates {
                candidates, clear, ..
            } = offer
            {
                offered.extend(candidates);
                offered.extend(clear);
            }
        }
        let expected = config.servers.iter().map(|it| &it.candidate).filter(|it| {
            let service = it.service();
            service.uses_tls() || level == PrivacyLevel::Low && !has_tls(service.protocol)
        });
        let expected: Vec<_> = expected.collect();
        if offered.len() != expected.len() || !expected.iter().all(|it| offered.contains(it)) {
            return Err(format!("{offered:?} in place of {expected:?}"));
        }
    }
    for server in &config.servers {
        let candidate = &server.candidate;
        if candidate.port() == 0 || candidate.domain() != user.domain() {
            return Err(format!("{candidate:?} is not usable"));
        }
    }
    Ok(())
}
