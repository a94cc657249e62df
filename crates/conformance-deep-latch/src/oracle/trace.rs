//! Invariants of `deep-latch`'s latch machine for any events on a connection: any bytes are a host's record and a
//! sequence of events.

mod bytes;

use conformance::oracle::Broken;
use deep_latch::{
    DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    facility::{Achievement, DaneIdentity, OnTlsaMismatch},
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion,
        SessionFacts,
    },
    failure::{Action, CertificateFault, HandshakeFault},
    latch::{Event, Outcome, Step, Transition},
    status::StatusUrl,
};

use self::bytes::{Bytes, WORDS};

fn check(holds: bool, what: &str) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// `x-bound`: a login with channel binding.
fn bound(facts: &SessionFacts) -> Achievement {
    match facts.login {
        None => Achievement::AfterLogin,
        Some(Login::Done) => Achievement::NotAchieved,
        Some(Login::ScramPlus) => Achievement::Achieved,
    }
}

/// Returns the rule of the draft's section 11.2 for a tag, written here a second time.
fn achieved(tag: &SecurityTag<'_>, facts: &SessionFacts, dane_identity: DaneIdentity) -> bool {
    let Some(tls) = facts.tls.filter(is_tls) else {
        return false;
    };
    let strong = tls.strength_bits.is_some_and(|bits| bits >= 128);
    match tag.as_str().to_ascii_lowercase().as_str() {
        "tls10" => strong,
        "tls12" => strong && tls.version >= ProtocolVersion::TLS1_2,
        "tls-cert" => has_pkix(&tls),
        "tls-dane-tlsa" => has_dane(&tls, dane_identity),
        "x-bound" => facts.login == Some(Login::ScramPlus),
        _ => false,
    }
}

/// Major version 3, and not SSL 3.0.
fn is_tls(tls: &TlsFacts) -> bool {
    let [major, minor] = tls.version.0.to_be_bytes();
    major == 3 && minor >= 1
}

fn has_pkix(tls: &TlsFacts) -> bool {
    (tls.chain, tls.identity) == (ChainVerdict::Trusted, IdentityVerdict::Matches)
}

fn has_dane(tls: &TlsFacts, dane_identity: DaneIdentity) -> bool {
    let named = tls.identity == IdentityVerdict::Matches;
    match tls.dane {
        DaneVerdict::Matches(CertificateUsage::PkixTa | CertificateUsage::PkixEe) => has_pkix(tls),
        DaneVerdict::Matches(CertificateUsage::DaneTa) => named,
        DaneVerdict::Matches(CertificateUsage::DaneEe) => {
            named || dane_identity == DaneIdentity::Rfc7671
        }
        _ => false,
    }
}

/// RFC 6698 section 4.1; usages 0 and 1 match only what PKIX does not refuse.
fn is_contradicted(tls: &TlsFacts) -> bool {
    use CertificateUsage::{PkixEe, PkixTa};
    match tls.dane {
        DaneVerdict::Differs => true,
        DaneVerdict::Matches(PkixTa | PkixEe) => tls.chain == ChainVerdict::Refused,
        _ => false,
    }
}

const FAULTS: [HandshakeFault; 7] = [
    HandshakeFault::Negotiation,
    HandshakeFault::Transport,
    HandshakeFault::Server,
    HandshakeFault::Local,
    HandshakeFault::Certificate(CertificateFault::Chain),
    HandshakeFault::Certificate(CertificateFault::Identity),
    HandshakeFault::Certificate(CertificateFault::Dane),
];

fn authenticated(facts: &SessionFacts, dane_identity: DaneIdentity) -> bool {
    let Some(tls) = facts.tls.filter(is_tls) else {
        return false;
    };
    let scram = facts.login == Some(Login::ScramPlus);
    !is_contradicted(&tls) && (has_pkix(&tls) || has_dane(&tls, dane_identity) || scram)
}

fn negotiated_only(tag: &SecurityTag<'_>) -> bool {
    *tag == SecurityTag::TLS10 || *tag == SecurityTag::TLS12
}

/// Checks a connection: the first bytes are the host's record and the client's facilities, the rest events. At each
/// of them: nothing is un-latched; a tag that is latched is achieved, was advertised over this TLS session, and is
/// other than tls10 and tls12 only if the server was authenticated; nothing is recorded otherwise; a failure is
/// final, and offers what was recorded before; a client that continues has what is latched; a client that has it is
/// not refused; transitions report the changes, and nothing else.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn events(data: &[u8]) -> Result<(), Broken> {
    let mut bytes = Bytes(data);
    let Ok(host) = Host::try_new("imap.example.com") else {
        return Err("no host".into());
    };
    let (latched, options) = (bytes.next(), bytes.next());
    let latched = (0..6).filter(|bit| latched >> bit & 1 == 1);
    let latched = latched.filter_map(|bit| SecurityTag::parse(WORDS[bit]).ok());
    let mut record = LatchRecord::preset(host.clone(), latched);
    if options & 1 != 0
        && let Some(status) = bytes.status()
    {
        // This server achieves no tag, but it is authenticated.
        let session = LatchSession::try_new(LatchRecord::new(host), Facilities::new());
        let mut session = session.map_err(|failure| failure.to_string())?;
        let facts = TlsFacts {
            version: ProtocolVersion::TLS1_0,
            strength_bits: None,
            chain: ChainVerdict::Refused,
            identity: IdentityVerdict::NotChecked,
            dane: DaneVerdict::NotChecked,
        };
        let _ = session.step(Event::Handshake(facts));
        let _ = session.step(Event::LoggedIn(Login::ScramPlus));
        let _ = session.step(Event::Status(&status));
        record.merge(session.record());
    }
    let dane_identity = match options & 2 {
        0 => DaneIdentity::AsPkix,
        _ => DaneIdentity::Rfc7671,
    };
    let on_mismatch = match options & 8 {
        0 => OnTlsaMismatch::Refuse,
        _ => OnTlsaMismatch::GoOn,
    };
    let mut facilities = Facilities::new()
        .with_dane_identity(dane_identity)
        .on_tlsa_mismatch(on_mismatch);
    if options & 4 != 0 {
        let added = SecurityTag::parse("x-bound").map_err(|error| error.to_string())?;
        facilities
            .add(added, bound)
            .map_err(|error| error.to_string())?;
    }
    let knows = |tag: &SecurityTag<'_>| facilities.knows(tag);
    let before_all = record.clone();
    let unknown = before_all.latched().any(|tag| !knows(tag));
    let mut session = match LatchSession::try_new(record, facilities.clone()) {
        Ok(session) => {
            check(!unknown, "not refused, though an unknown tag is latched")?;
            session
        }
        Err(failure) => {
            let not_known = |tag: &SecurityTag<'_>| !knows(tag);
            check(unknown, "refused, though all latched tags are known")?;
            check(
                failure.tags().iter().all(not_known),
                "refused for a tag that is known",
            )?;
            return check(
                offered(failure.actions()) == before_all.url() && !failure.may_report(),
                "a refusal before connecting offers another URL, or a report",
            );
        }
    };
    check(
        *session.record() == before_all,
        "a new session changes the record",
    )?;
    let mut last: Option<DeepStatus<'static>> = None;
    let mut in_clear: Vec<SecurityTag<'static>> = Vec::new();
    while !bytes.0.is_empty() {
        let before = session.clone();
        let what = bytes.next();
        let status;
        let event = match what % 8 {
            0 => Event::NoTls,
            1 => Event::HandshakeFailed(FAULTS[usize::from(what >> 3) % 7]),
            2 | 3 => Event::Handshake(bytes.facts()),
            4 | 5 => match bytes.status() {
                Some(advertised) => {
                    status = advertised;
                    Event::Status(&status)
                }
                None => Event::NoStatus,
            },
            6 => Event::NoStatus,
            _ if what & 8 == 0 => Event::LoggedIn(Login::Done),
            _ => Event::LoggedIn(Login::ScramPlus),
        };
        let step = session.step(event.clone());
        check(
            step.outcome == session.outcome(),
            "the outcome is not that of the step",
        )?;
        if !matches!(before.outcome(), Outcome::Continue | Outcome::StartTls) {
            check(session == before, "something follows a failure")?;
            continue;
        }
        match &event {
            Event::Handshake(_) | Event::HandshakeFailed(_) | Event::NoStatus => last = None,
            Event::Status(status) if before.facts().tls.is_some() => {
                last = Some((*status).clone().into_owned())
            }
            Event::Status(status) => {
                for tag in status.tags().filter(negotiated_only) {
                    if !in_clear.contains(&tag) {
                        in_clear.push(tag.into_owned());
                    }
                }
            }
            Event::NoTls | Event::LoggedIn(_) => {}
        }
        one(
            &before,
            &event,
            &step,
            &session,
            last.as_ref(),
            dane_identity,
        )?;
        goes_on(&before, &step, &session, &in_clear, dane_identity)?;
        by_cause(&event, &step, session.facts(), on_mismatch)?;
        if let Outcome::RefuseCertificate(failure) = &step.outcome {
            check(
                offered(failure.actions()) == before_all.url(),
                "a certificate's failure offers another URL than the recorded one",
            )?;
        }
        if let Outcome::Refuse(failure) = &step.outcome {
            let url = before_all.url();
            check(
                offered(failure.actions()) == url,
                "a failure offers another URL than the recorded one",
            )?;
            check(!failure.tags().is_empty(), "refused for nothing")?;
            let latched = |tag: &SecurityTag<'_>| session.record().is_latched(tag);
            check(
                failure.tags().iter().all(latched),
                "refused for what is not latched",
            )?;
            let missing = |tag: &SecurityTag<'_>| !achieved(tag, session.facts(), dane_identity);
            check(
                failure.tags().iter().all(missing),
                "refused for what is achieved",
            )?;
            let over_tls = session.facts().tls.is_some();
            check(
                failure.may_report() == over_tls,
                "a report without TLS, or none over it",
            )?;
        }
    }
    Ok(())
}

/// The URL that a failure offers.
fn offered(actions: Vec<Action>) -> Option<StatusUrl<'static>> {
    actions.into_iter().find_map(|action| match action {
        Action::OpenStatusPage(url) => Some(url),
        Action::WorkOffline | Action::TryAgainLater => None,
    })
}

/// Checks that a handshake that fails names its reason and nothing else: no latch and no certificate if the
/// connection broke, no latch but those of the certificate if that was refused; and that no connection continues
/// against TLSA records unless the caller asked for it.
fn by_cause(
    event: &Event<'_>,
    step: &Step,
    facts: &SessionFacts,
    on_mismatch: OnTlsaMismatch,
) -> Result<(), Broken> {
    match event {
        Event::HandshakeFailed(HandshakeFault::Negotiation) => check(
            matches!(step.outcome, Outcome::Refuse(_) | Outcome::Over),
            "a certificate is blamed for a negotiation that failed",
        ),
        Event::HandshakeFailed(HandshakeFault::Certificate(_)) => match &step.outcome {
            Outcome::RefuseCertificate(_) => Ok(()),
            Outcome::Refuse(failure) => check(
                !failure.tags().iter().any(negotiated_only),
                "tls10 or tls12 is blamed for a certificate",
            ),
            _ => Err("a certificate that is refused is not said".into()),
        },
        Event::HandshakeFailed(_) => check(
            step.outcome == Outcome::Over,
            "a latch or a certificate is blamed for a connection that broke",
        ),
        _ => {
            let contradicted = facts.tls.is_some_and(|tls| is_contradicted(&tls));
            check(
                !contradicted
                    || on_mismatch == OnTlsaMismatch::GoOn
                    || step.outcome != Outcome::Continue,
                "continues although TLSA records contradict the certificate",
            )
        }
    }
}

/// Checks the tags that an event may latch and record.
fn one(
    before: &LatchSession,
    event: &Event<'_>,
    step: &Step,
    after: &LatchSession,
    last: Option<&DeepStatus<'_>>,
    dane_identity: DaneIdentity,
) -> Result<(), Broken> {
    let (was, is) = (before.record(), after.record());
    check(
        was.latched().all(|tag| is.is_latched(tag)),
        "a latch is gone",
    )?;
    let vouched = authenticated(after.facts(), dane_identity);
    check(
        after.authentication().is_some() == vouched,
        "the server is authenticated by something else",
    )?;
    let new: Vec<_> = is.latched().filter(|tag| !was.is_latched(tag)).collect();
    let advertised =
        |tag: &SecurityTag<'_>| last.is_some_and(|last| last.tags().any(|it| it == *tag));
    for tag in &new {
        check(
            achieved(tag, after.facts(), dane_identity),
            "latched and not achieved",
        )?;
        check(advertised(tag), "latched and not advertised over TLS")?;
        check(
            vouched || negotiated_only(tag),
            "latched by a server nothing vouches for",
        )?;
    }
    let told: Vec<_> = step
        .transitions
        .iter()
        .filter_map(|transition| match transition {
            Transition::Latched(tag, _) => Some(tag),
            _ => None,
        })
        .collect();
    check(
        told.len() == new.len() && new.iter().all(|tag| told.contains(tag)),
        "the reported latches are not those of the record",
    )?;
    let recorded = step
        .transitions
        .iter()
        .any(|transition| matches!(transition, Transition::Recorded(_)));
    let changed = was.status().map(DeepStatus::as_str) != is.status().map(DeepStatus::as_str);
    check(
        recorded == changed,
        "the reported status is not that of the record",
    )?;
    check(
        step.changes_record() == (was != is),
        "changes_record is wrong",
    )?;
    if changed {
        check(vouched, "recorded of a server nothing vouches for")?;
        check(
            is.status() == last,
            "recorded what was not advertised over TLS",
        )?;
    }
    // Each tag that may be latched is latched, and a status that may be recorded is recorded.
    if let (Event::Status(_) | Event::LoggedIn(_), Some(last), Outcome::Continue) =
        (event, last, &step.outcome)
    {
        for tag in last.tags() {
            let may = achieved(&tag, after.facts(), dane_identity)
                && after.not_latched().any(|known| known == tag)
                && (vouched || negotiated_only(&tag));
            check(!may, "not latched, though it could be")?;
        }
        check(
            !vouched || is.status() == Some(last),
            "not recorded, though it could be",
        )?;
    }
    Ok(())
}

/// Checks which sessions continue, and which must not.
fn goes_on(
    before: &LatchSession,
    step: &Step,
    after: &LatchSession,
    in_clear: &[SecurityTag<'static>],
    dane_identity: DaneIdentity,
) -> Result<(), Broken> {
    let facts = after.facts();
    let has = |tag: &SecurityTag<'_>| achieved(tag, facts, dane_identity);
    let waits = |tag: &SecurityTag<'_>| {
        tag.as_str().eq_ignore_ascii_case("x-bound")
            && facts.login.is_none()
            && facts.tls.is_some_and(|tls| is_tls(&tls))
    };
    match &step.outcome {
        Outcome::Continue => {
            let kept = |tag: &SecurityTag<'_>| has(tag) || waits(tag);
            check(
                before.record().latched().all(kept),
                "continues without a latched tag",
            )?;
            check(
                in_clear.is_empty() || facts.tls.is_some(),
                "continues in clear with a server that advertised TLS",
            )
        }
        Outcome::StartTls => check(facts.tls.is_none(), "STARTTLS is expected over TLS"),
        Outcome::Refuse(_) => check(
            !before.record().latched().all(has) || facts.tls.is_none(),
            "refused, though all that is latched is there",
        ),
        Outcome::Over => {
            let weak = in_clear.iter().any(|tag| !has(tag));
            check(facts.tls.is_none() || weak, "over, though nothing failed")
        }
        // `by_cause` has checked it.
        Outcome::RefuseCertificate(_) => Ok(()),
    }
}
