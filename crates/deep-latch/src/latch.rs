//! The latch state machine, draft-newman-email-deep-02 sections 5.1 to 5.4: what a client requires of a
//! connection, when it goes on, what it latches, and how it fails.

mod record;

use alloc::{collections::BTreeSet, vec, vec::Vec};
use core::fmt;

pub use record::LatchRecord;

use crate::{
    facility::{Achievement, Authentication, Facilities, Initial},
    facts::{Login, ProtocolVersion, SessionFacts, TlsFacts},
    failure::{CertificateFailure, CertificateFault, HandshakeFault, LatchFailure, Stage},
    status::{DeepStatus, StatusUrl},
    tag::SecurityTag,
};

/// What the latches of a host require of a connection to it, before there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// TLS, from the beginning or by STARTTLS.
    pub tls: bool,
    /// No earlier version: for the TLS engine, so that it does not even offer one.
    pub min_version: Option<ProtocolVersion>,
    /// A certificate that PKIX verifies, of this host.
    pub pkix: bool,
    /// A certificate that DANE verifies, of this host.
    pub dane: bool,
}

/// What happens on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The server does not offer TLS, or refuses STARTTLS.
    NoTls,
    /// The TLS handshake failed, or there was no connection for it. A latched tag is involved only where
    /// this says that its meaning was not met: all of them if TLS could not be negotiated, those of the
    /// certificate if that was refused, and none if the connection broke.
    HandshakeFailed(HandshakeFault),
    /// The TLS handshake is complete.
    Handshake(TlsFacts),
    /// The server advertised its status, in clear or over TLS: as the connection is at this moment.
    Status(&'a DeepStatus<'a>),
    /// The server advertises no status, or one that cannot be read.
    NoStatus,
    /// The client logged in, or was taken for logged in by its certificate (`PREAUTH` in IMAP).
    LoggedIn(Login),
}

/// What the client does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Go on.
    Continue,
    /// Begin TLS before anything else: do not log in, and take what the server said so far for nothing.
    StartTls,
    /// Do not go on: a latched facility is not there. Over TLS the failure may be reported to the server
    /// ([`LatchFailure::may_report`]); then the connection is closed.
    Refuse(LatchFailure),
    /// Do not go on, and send nothing: the server's certificate is not accepted. No latch was involved.
    RefuseCertificate(CertificateFailure),
    /// The connection failed, or is not used for what the server itself advertised in clear; no latch was
    /// involved. [`Transition::HandshakeFailed`] and [`Transition::NotNegotiated`] say which.
    Over,
}

/// Why a tag was latched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The server advertised it after this was negotiated; nothing vouches for the server. Only tls10 and
    /// tls12.
    Negotiated,
    /// The server was authenticated.
    Authenticated(Authentication),
}

/// The reason why an advertised tag was not latched, or a status not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It was advertised in clear.
    InClear,
    /// The server is not authenticated.
    ServerNotAuthenticated,
    /// The connection does not achieve it.
    NotAchieved,
    /// It means nothing to this client.
    Unknown,
    /// The connection is refused already (example 2 of section 7.1).
    Refused,
}

/// What a step changed, or why it did not: for a log, and for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// A tag is latched from now on.
    Latched(SecurityTag<'static>, Basis),
    /// A tag was advertised, and is not latched.
    NotLatched(SecurityTag<'static>, Reason),
    /// The status is recorded with the host.
    Recorded(DeepStatus<'static>),
    /// A status was advertised, and is not recorded.
    NotRecorded(Reason),
    /// The host, authenticated, advertises no status any more. What was latched and recorded stays.
    Withdrawn,
    /// The connection is refused for these latched tags.
    Refused(Stage, Vec<SecurityTag<'static>>),
    /// The connection is refused for the server's certificate, which no latched tag says anything of.
    CertificateRefused(CertificateFault),
    /// The handshake failed for a reason that no latched tag says anything of.
    HandshakeFailed(HandshakeFault),
    /// The server advertised these of tls10 and tls12 in clear, and they were not negotiated: the
    /// connection is not used (section 5.1).
    NotNegotiated(Vec<SecurityTag<'static>>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InClear => "advertised in clear",
            Self::ServerNotAuthenticated => "the server is not authenticated",
            Self::NotAchieved => "not achieved",
            Self::Unknown => "not known to this client",
            Self::Refused => "the connection is refused",
        })
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latched(tag, Basis::Negotiated) => write!(f, "{tag} latched: negotiated"),
            Self::Latched(tag, Basis::Authenticated(by)) => {
                let by = match by {
                    Authentication::Pkix => "PKIX",
                    Authentication::Dane => "DANE",
                    Authentication::ScramPlus => "SCRAM with channel binding",
                };
                write!(f, "{tag} latched: server authenticated by {by}")
            }
            Self::NotLatched(tag, reason) => write!(f, "{tag} not latched: {reason}"),
            Self::Recorded(status) => write!(f, "status recorded: {status}"),
            Self::NotRecorded(reason) => write!(f, "status not recorded: {reason}"),
            Self::Withdrawn => f.write_str("no status advertised any more; latches stay"),
            Self::Refused(stage, tags) => {
                let stage = match stage {
                    Stage::Connecting => "before connecting",
                    Stage::NoTls => "no TLS",
                    Stage::HandshakeFailed => "the handshake failed",
                    Stage::Handshake => "after the handshake",
                    Stage::Login => "after login",
                };
                write!(f, "refused ({stage}):")?;
                tags.iter().try_for_each(|tag| write!(f, " {tag}"))
            }
            Self::CertificateRefused(fault) => write!(f, "refused: {fault}"),
            Self::HandshakeFailed(fault) => write!(f, "the handshake failed: {fault}"),
            Self::NotNegotiated(tags) => {
                f.write_str("advertised in clear, and not negotiated:")?;
                tags.iter().try_for_each(|tag| write!(f, " {tag}"))
            }
        }
    }
}

/// The result of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Step {
    /// What to do.
    pub outcome: Outcome,
    /// What changed. When a tag was latched or a status recorded, the record is to be stored before the
    /// connection is used further.
    pub transitions: Vec<Transition>,
}

impl Step {
    const fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            transitions: Vec::new(),
        }
    }

    /// Whether the record changed and is to be stored.
    #[must_use]
    pub fn changes_record(&self) -> bool {
        let changes = |transition: &Transition| {
            matches!(
                transition,
                Transition::Latched(..) | Transition::Recorded(_)
            )
        };
        self.transitions.iter().any(changes)
    }
}

/// Where a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// No TLS, and none is due. The client may go on in clear if its account allows that.
    Clear,
    /// No TLS, and TLS is due.
    TlsDue,
    /// Over TLS.
    Tls,
    /// Refused, for good.
    Refused(LatchFailure),
    /// Refused for the server's certificate, for good.
    RefusedCertificate(CertificateFailure),
    /// It failed before it was one.
    Over,
}

/// One connection to a host, from before it is opened: a pure function of its record and the events, with no
/// clock. What it decides is in its [`Step`]s; what it learnt is in [`record`](Self::record).
///
/// ```
/// use deep_latch::{
///     DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
///     facts::{ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion},
///     latch::{Event, Outcome},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The first connection to a host: nothing is latched.
/// let record = LatchRecord::new(Host::try_new("imap.example.com")?);
/// let mut session = LatchSession::try_new(record, Facilities::new())?;
/// assert_eq!(session.outcome(), Outcome::Continue);
/// let tls = TlsFacts {
///     version: ProtocolVersion::TLS1_3,
///     strength_bits: Some(256),
///     chain: ChainVerdict::Trusted,
///     identity: IdentityVerdict::Matches,
///     dane: DaneVerdict::NotChecked,
/// };
/// assert_eq!(session.step(Event::Handshake(tls)).outcome, Outcome::Continue);
/// let status = DeepStatus::parse("tls12 tls-cert <https://www.example.com/support.html>")?;
/// let step = session.step(Event::Status(&status));
/// for transition in &step.transitions {
///     println!("{transition}"); // tls12 latched: server authenticated by PKIX
/// }
/// assert!(step.changes_record()); // store it now
/// assert_eq!(session.step(Event::LoggedIn(Login::Done)).outcome, Outcome::Continue);
/// let record = session.record().clone();
///
/// // A later connection, with the certificate of an attacker.
/// let mut session = LatchSession::try_new(record, Facilities::new())?;
/// assert_eq!(session.outcome(), Outcome::StartTls);
/// let forged = TlsFacts { chain: ChainVerdict::Refused, ..tls };
/// let Outcome::Refuse(failure) = session.step(Event::Handshake(forged)).outcome else {
///     return Err("a forged certificate was accepted".into());
/// };
/// assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
/// assert!(failure.may_report());
/// assert_eq!(failure.actions().len(), 3); // among them the URL that was recorded
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LatchSession {
    record: LatchRecord,
    /// From before this connection: what this server says now is not to be trusted in a failure.
    url: Option<StatusUrl<'static>>,
    facilities: Facilities,
    facts: SessionFacts,
    /// The last status over TLS: more of it may be latched after login.
    advertised: Option<DeepStatus<'static>>,
    /// Those of tls10 and tls12 that were advertised in clear: TLS is to have them.
    demanded: BTreeSet<SecurityTag<'static>>,
    phase: Phase,
}

/// Compares everything but the facilities, which have functions: sessions that are equal behave the same if their
/// facilities do.
impl PartialEq for LatchSession {
    fn eq(&self, other: &Self) -> bool {
        let state = |session: &Self| {
            let Self {
                record,
                url,
                facilities: _,
                facts,
                advertised,
                demanded,
                phase,
            } = session;
            (
                (record.clone(), url.clone(), *facts),
                (advertised.clone(), demanded.clone(), phase.clone()),
            )
        };
        state(self) == state(other)
    }
}

impl Eq for LatchSession {}

impl LatchSession {
    /// Creates the session of a connection that is not opened yet. Its [`outcome`](Self::outcome) is
    /// [`Outcome::StartTls`] if a tag is latched, so that TLS must begin with the connection or by STARTTLS, and
    /// [`Outcome::Continue`] otherwise.
    ///
    /// # Errors
    /// Returns a failure at [`Stage::Connecting`] if a tag is latched that `facilities` do not know: the client must
    /// not connect.
    pub fn try_new(record: LatchRecord, facilities: Facilities) -> Result<Self, LatchFailure> {
        let known = |tag: &&SecurityTag<'static>| !facilities.knows(tag);
        let unknown: Vec<_> = record.latched().filter(known).cloned().collect();
        let url = record.url().map(StatusUrl::into_owned);
        if !unknown.is_empty() {
            let host = record.host().clone();
            return Err(LatchFailure::new(host, unknown, url, Stage::Connecting, false));
        }
        let phase = match record.latched().next() {
            Some(_) => Phase::TlsDue,
            None => Phase::Clear,
        };
        Ok(Self {
            url,
            record,
            facilities,
            facts: SessionFacts::default(),
            advertised: None,
            demanded: BTreeSet::new(),
            phase,
        })
    }

    /// What the latches require, for the TLS engine.
    #[must_use]
    pub fn requirements(&self) -> Requirements {
        let mut requirements = Requirements::default();
        for tag in self.record.latched() {
            requirements.tls = true;
            let least = match Initial::of(tag) {
                Some(Initial::Tls10) => Some(ProtocolVersion::TLS1_0),
                Some(Initial::Tls12) => Some(ProtocolVersion::TLS1_2),
                _ => None,
            };
            requirements.min_version = requirements.min_version.max(least);
            requirements.pkix |= Initial::of(tag) == Some(Initial::TlsCert);
            requirements.dane |= Initial::of(tag) == Some(Initial::TlsDaneTlsa);
        }
        requirements
    }

    /// What is kept of the host, with what this connection has added.
    #[must_use]
    pub const fn record(&self) -> &LatchRecord {
        &self.record
    }

    /// What is known of the connection.
    #[must_use]
    pub const fn facts(&self) -> &SessionFacts {
        &self.facts
    }

    /// What vouches for the server, if anything does.
    #[must_use]
    pub fn authentication(&self) -> Option<Authentication> {
        self.facilities.authentication(&self.facts)
    }

    /// The tags that this client knows and has not latched: `security-tags` of section 7.1.
    pub fn not_latched(&self) -> impl Iterator<Item = SecurityTag<'_>> {
        let latched = |tag: &SecurityTag<'_>| !self.record.is_latched(tag);
        self.facilities.tags().filter(latched)
    }

    /// What the client does now: the outcome of the last step.
    pub fn outcome(&self) -> Outcome {
        match &self.phase {
            Phase::Clear | Phase::Tls => Outcome::Continue,
            Phase::TlsDue => Outcome::StartTls,
            Phase::Refused(failure) => Outcome::Refuse(failure.clone()),
            Phase::RefusedCertificate(failure) => Outcome::RefuseCertificate(failure.clone()),
            Phase::Over => Outcome::Over,
        }
    }

    /// Takes one event. A connection that is refused or over stays so.
    pub fn step(&mut self, event: Event<'_>) -> Step {
        match (&self.phase, event) {
            (Phase::Refused(_) | Phase::RefusedCertificate(_) | Phase::Over, event) => {
                let mut step = Step::new(self.outcome());
                if let Event::Status(_) = event {
                    step.transitions
                        .push(Transition::NotRecorded(Reason::Refused));
                }
                step
            }
            (_, Event::Handshake(tls)) => self.handshake(tls),
            (_, Event::HandshakeFailed(fault)) => self.handshake_failed(fault),
            (Phase::Clear, Event::NoTls) => Step::new(Outcome::Continue),
            // Of a server that advertised tls10 or tls12 in clear too: there is no TLS to be had.
            (Phase::TlsDue, Event::NoTls) => self.without_tls(Stage::NoTls),
            (Phase::Tls, Event::NoTls) => Step::new(Outcome::Continue),
            (Phase::Clear | Phase::TlsDue, Event::Status(status)) => self.status_in_clear(status),
            (Phase::Tls, Event::Status(status)) => self.status(status),
            (Phase::Clear | Phase::TlsDue, Event::NoStatus) => Step::new(self.outcome()),
            (Phase::Tls, Event::NoStatus) => self.no_status(),
            (Phase::Clear, Event::LoggedIn(login)) => {
                self.facts.login = Some(login);
                Step::new(Outcome::Continue)
            }
            (Phase::TlsDue, Event::LoggedIn(_)) => self.without_tls(Stage::NoTls),
            (Phase::Tls, Event::LoggedIn(login)) => self.logged_in(login),
        }
    }

    /// Section 5.1: all subsequent connections require what is latched; and one with a server that
    /// advertised tls10 or tls12 in clear, that. RFC 6698 section 4.1: none goes on against TLSA records.
    fn handshake(&mut self, tls: TlsFacts) -> Step {
        // What was said before, in clear or in an earlier TLS session, counts for nothing.
        self.facts = SessionFacts {
            tls: Some(tls),
            login: None,
        };
        self.advertised = None;
        self.phase = Phase::Tls;
        let missing = self.missing(self.record.latched());
        if !missing.is_empty() {
            return self.refuse(Stage::Handshake, missing);
        }
        if self.facilities.refuses(&tls) {
            return self.refuse_certificate(CertificateFault::Dane);
        }
        let demanded = core::mem::take(&mut self.demanded);
        match self.missing(demanded.iter()) {
            missing if missing.is_empty() => Step::new(Outcome::Continue),
            missing => self.over(missing),
        }
    }

    /// Those of some tags that this connection has not.
    fn missing<'t>(
        &self,
        tags: impl Iterator<Item = &'t SecurityTag<'static>>,
    ) -> Vec<SecurityTag<'static>> {
        let missing = |tag: &&SecurityTag<'static>| {
            self.facilities.achieves(&self.facts, tag) == Achievement::NotAchieved
        };
        tags.filter(missing).cloned().collect()
    }

    /// There is no TLS session. Which latched tags that concerns depends on the reason.
    fn handshake_failed(&mut self, fault: HandshakeFault) -> Step {
        let mut step = match fault {
            HandshakeFault::Negotiation => self.without_tls(Stage::HandshakeFailed),
            HandshakeFault::Certificate(fault) => return self.certificate_failed(fault),
            HandshakeFault::Transport | HandshakeFault::Server | HandshakeFault::Local => {
                self.forget_session();
                self.over(Vec::new())
            }
        };
        if step.outcome == Outcome::Over {
            step.transitions
                .insert(0, Transition::HandshakeFailed(fault));
        }
        step
    }

    /// The TLS engine refused the certificate itself, where another engine completes the handshake and gives
    /// the facts. Of the latched tags, those are missing whose meaning this contradicts.
    fn certificate_failed(&mut self, fault: CertificateFault) -> Step {
        self.forget_session();
        let missing = |tag: &&SecurityTag<'static>| self.facilities.excludes(fault, tag);
        let missing: Vec<_> = self.record.latched().filter(missing).cloned().collect();
        if missing.is_empty() {
            self.refuse_certificate(fault)
        } else {
            self.refuse(Stage::HandshakeFailed, missing)
        }
    }

    fn forget_session(&mut self) {
        self.facts = SessionFacts::default();
        self.advertised = None;
    }

    /// No TLS where it is due: every latched tag is missing. Where nothing is latched, it is over.
    fn without_tls(&mut self, stage: Stage) -> Step {
        self.forget_session();
        let missing = self.missing(self.record.latched());
        if missing.is_empty() {
            let demanded = core::mem::take(&mut self.demanded);
            return self.over(demanded.into_iter().collect());
        }
        self.refuse(stage, missing)
    }

    fn over(&mut self, demanded: Vec<SecurityTag<'static>>) -> Step {
        self.phase = Phase::Over;
        let mut step = Step::new(Outcome::Over);
        if !demanded.is_empty() {
            step.transitions.push(Transition::NotNegotiated(demanded));
        }
        step
    }

    fn refuse(&mut self, stage: Stage, tags: Vec<SecurityTag<'static>>) -> Step {
        let failure = LatchFailure::new(
            self.record.host().clone(),
            tags.clone(),
            self.url.clone(),
            stage,
            self.facts.tls.is_some(),
        );
        self.phase = Phase::Refused(failure);
        Step {
            outcome: self.outcome(),
            transitions: vec![Transition::Refused(stage, tags)],
        }
    }

    fn refuse_certificate(&mut self, fault: CertificateFault) -> Step {
        let host = self.record.host().clone();
        let failure = CertificateFailure::new(host, fault, self.url.clone());
        self.phase = Phase::RefusedCertificate(failure);
        Step {
            outcome: self.outcome(),
            transitions: vec![Transition::CertificateRefused(fault)],
        }
    }

    /// Section 5.1: a server that advertises tls10 or tls12 in clear is not used without that. Nothing is
    /// latched of what is advertised in clear.
    fn status_in_clear(&mut self, status: &DeepStatus<'_>) -> Step {
        let tls = |tag: &SecurityTag<'_>| {
            Initial::of(tag).is_some_and(|initial| !initial.needs_authentication())
        };
        for tag in status.tags().filter(tls) {
            self.demanded.insert(tag.into_owned());
            self.phase = Phase::TlsDue;
        }
        let mut step = Step::new(self.outcome());
        for tag in each_once(status) {
            if !self.record.is_latched(&tag) {
                step.transitions
                    .push(Transition::NotLatched(tag, Reason::InClear));
            }
        }
        step.transitions
            .push(Transition::NotRecorded(Reason::InClear));
        step
    }

    fn no_status(&mut self) -> Step {
        let mut step = Step::new(Outcome::Continue);
        self.advertised = None;
        if self.authentication().is_some() && self.record.status().is_some() {
            step.transitions.push(Transition::Withdrawn);
        }
        step
    }

    /// Sections 5.1 and 5.3: what is latched and recorded of a status that is advertised over TLS.
    fn status(&mut self, status: &DeepStatus<'_>) -> Step {
        self.advertised = Some(status.clone().into_owned());
        let mut step = Step::new(Outcome::Continue);
        let authentication = self.authentication();
        for tag in each_once(status) {
            if self.record.is_latched(&tag) {
                continue;
            }
            step.transitions
                .push(match self.may_latch(&tag, authentication) {
                    Ok(basis) => {
                        self.record.latch(tag.clone());
                        Transition::Latched(tag, basis)
                    }
                    Err(reason) => Transition::NotLatched(tag, reason),
                });
        }
        if authentication.is_none() {
            step.transitions
                .push(Transition::NotRecorded(Reason::ServerNotAuthenticated));
        } else if self
            .record
            .status()
            .is_none_or(|recorded| recorded.as_str() != status.as_str())
        {
            let status = status.clone().into_owned();
            self.record.record(status.clone());
            step.transitions.push(Transition::Recorded(status));
        }
        step
    }

    fn may_latch(
        &self,
        tag: &SecurityTag<'_>,
        authentication: Option<Authentication>,
    ) -> Result<Basis, Reason> {
        if !self.facilities.knows(tag) {
            return Err(Reason::Unknown);
        }
        let needs = Initial::of(tag).is_none_or(Initial::needs_authentication);
        let basis = match (authentication, needs) {
            (Some(by), _) => Basis::Authenticated(by),
            (None, false) => Basis::Negotiated,
            (None, true) => return Err(Reason::ServerNotAuthenticated),
        };
        match self.facilities.achieves(&self.facts, tag) {
            Achievement::Achieved => Ok(basis),
            Achievement::NotAchieved | Achievement::AfterLogin => Err(Reason::NotAchieved),
        }
    }

    /// What login brought: what is known after it only is judged now, and a status that was advertised
    /// before counts for more if it authenticated the server.
    fn logged_in(&mut self, login: Login) -> Step {
        self.facts.login = Some(login);
        match self.missing(self.record.latched()) {
            missing if missing.is_empty() => match self.advertised.clone() {
                Some(status) => self.status(&status),
                None => Step::new(Outcome::Continue),
            },
            missing => self.refuse(Stage::Login, missing),
        }
    }
}

/// The tags of a status in their order, each where it comes first.
fn each_once(status: &DeepStatus<'_>) -> Vec<SecurityTag<'static>> {
    let mut seen = BTreeSet::new();
    let mut tags = Vec::new();
    for tag in status.tags() {
        let tag = tag.into_owned();
        if seen.insert(tag.clone()) {
            tags.push(tag);
        }
    }
    tags
}
