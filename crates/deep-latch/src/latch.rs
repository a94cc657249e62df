//! The latch state machine, draft-newman-email-deep-02 sections 5.1 to 5.4: the requirements of a client for a
//! connection, the latches that it sets, and the failures. The machine does no I/O and has no clock.

mod record;
mod step;

use alloc::{collections::BTreeSet, vec, vec::Vec};

pub use self::{
    record::LatchRecord,
    step::{Basis, Event, Outcome, Reason, Requirements, Step, Transition},
};

use crate::{
    facility::{Achievement, Authentication, Facilities, Initial},
    facts::{Login, ProtocolVersion, SessionFacts, TlsFacts},
    failure::{CertificateFailure, CertificateFault, HandshakeFault, LatchFailure, Stage},
    status::{DeepStatus, StatusUrl},
    tag::SecurityTag,
};

/// The phase of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// No TLS, and none is required. The client may continue in clear if its account allows that.
    Clear,
    /// No TLS, and TLS is required.
    TlsDue,
    /// Over TLS.
    Tls,
    /// Refused, for good.
    Refused(LatchFailure),
    /// Refused for the server's certificate, for good.
    RefusedCertificate(CertificateFailure),
    /// The connection failed before it was established.
    Over,
}

/// A connection to a host, from before it is opened: a pure function of the host's record and the events. The decisions
/// are in its [`Step`]s, the latches that it sets in its [`record`](Self::record).
///
/// A host whose latches are unknown to the client is refused by [`try_new`](Self::try_new), before there is a session
/// to connect with.
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
    /// The URL from before this connection: in a failure, the present server is not trusted.
    url: Option<StatusUrl<'static>>,
    facilities: Facilities,
    facts: SessionFacts,
    /// The last status over TLS: more of its tags may be latched after login.
    advertised: Option<DeepStatus<'static>>,
    /// The tags among tls10 and tls12 that were advertised in clear: the TLS session must have them.
    demanded: BTreeSet<SecurityTag<'static>>,
    phase: Phase,
}

/// Compares everything but the facilities, which have functions: sessions that are equal behave the same if their
/// facilities do.
impl PartialEq for LatchSession {
    fn eq(&self, other: &Self) -> bool {
        // All fields are named, so that none is forgotten.
        let Self {
            record,
            url,
            facilities: _,
            facts,
            advertised,
            demanded,
            phase,
        } = self;
        *record == other.record
            && *url == other.url
            && *facts == other.facts
            && *advertised == other.advertised
            && *demanded == other.demanded
            && *phase == other.phase
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
            return Err(LatchFailure::new(
                host,
                unknown,
                url,
                Stage::Connecting,
                false,
            ));
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

    /// Returns the requirements of the latches, for the TLS engine.
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

    /// Returns the record of the host, with the changes of this connection.
    #[must_use]
    pub const fn record(&self) -> &LatchRecord {
        &self.record
    }

    /// Returns the facts of the connection.
    #[must_use]
    pub const fn facts(&self) -> &SessionFacts {
        &self.facts
    }

    /// Returns the mechanism that authenticated the server, if the server is authenticated.
    #[must_use]
    pub fn authentication(&self) -> Option<Authentication> {
        self.facilities.authentication(&self.facts)
    }

    /// Returns the tags that this client knows and has not latched: `security-tags` of section 7.1.
    pub fn not_latched(&self) -> impl Iterator<Item = SecurityTag<'_>> {
        let latched = |tag: &SecurityTag<'_>| !self.record.is_latched(tag);
        self.facilities.tags().filter(latched)
    }

    /// Returns the present decision: the outcome of the last step.
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
            // Also for a server that advertised tls10 or tls12 in clear: TLS is not available.
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

    /// Judges a handshake. All later connections require the latched tags, and a server that advertised tls10 or tls12
    /// in clear must have them (section 5.1). No connection continues against TLSA records (RFC 6698 section 4.1).
    fn handshake(&mut self, tls: TlsFacts) -> Step {
        // Everything that was sent before, in clear or in an earlier TLS session, is dropped.
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

    /// Returns the tags that this connection does not satisfy.
    fn missing<'t>(
        &self,
        tags: impl Iterator<Item = &'t SecurityTag<'static>>,
    ) -> Vec<SecurityTag<'static>> {
        let missing = |tag: &&SecurityTag<'static>| {
            self.facilities.achieves(&self.facts, tag) == Achievement::NotAchieved
        };
        tags.filter(missing).cloned().collect()
    }

    /// Judges a failed handshake. The reason decides which latched tags it concerns.
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

    /// Judges a certificate that the TLS engine refused. (Other engines complete the handshake and give the facts.) The
    /// refusal concerns the latched tags whose meaning it contradicts.
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

    /// Judges a connection without the required TLS: no latched tag is satisfied. Without latches the connection is over.
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

    /// Judges a status in clear. A server that advertises tls10 or tls12 in clear is not used without them (section 5.1).
    /// No tag that is advertised in clear is latched.
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

    /// Latches and records a status that is advertised over TLS (sections 5.1 and 5.3).
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

    /// Judges a login: the tags that are known after login only, and the status that was advertised before, which can
    /// be latched now if the login authenticated the server.
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

/// Returns the tags of a status in their order, each at its first place.
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
