//! The latch machine, enumerated: every reachable state, every event in each, against a specification that
//! was written from the draft and shares no code with the machine.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests"
)]

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use deep_latch::{
    DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    facility::{Achievement, Authentication, DaneIdentity, OnTlsaMismatch},
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion,
        SessionFacts,
    },
    failure::{Action, CertificateFault, HandshakeFault, LatchFailure, Stage},
    latch::{Basis, Event, Outcome, Reason, Requirements, Transition},
    status::StatusUrl,
};

/// The tags: those of section 11.2, one that is known after login only, and one that means nothing here. In
/// alphabetical order, as the machine reports those that are latched. A set of them is a mask.
const TAGS: [&str; 6] = [
    "tls-cert",
    "tls-dane-tlsa",
    "tls10",
    "tls12",
    "x-login",
    "y-unknown",
];
const CERT: u8 = 1;
const DANE: u8 = 2;
const TLS10: u8 = 4;
const TLS12: u8 = 8;
const CUSTOM: u8 = 16;
const UNKNOWN: u8 = 32;
const ALL: u8 = 63;

fn tags(mask: u8) -> Vec<SecurityTag<'static>> {
    let named = |bit: usize| SecurityTag::parse(TAGS[bit]).unwrap();
    (0..6)
        .filter(|bit| mask >> bit & 1 == 1)
        .map(named)
        .collect()
}

fn mask<'a>(tags: impl IntoIterator<Item = &'a SecurityTag<'static>>) -> u8 {
    let bit = |tag: &SecurityTag<'static>| TAGS.iter().position(|name| *name == tag.as_str());
    tags.into_iter()
        .fold(0, |mask, tag| mask | 1 << bit(tag).unwrap())
}

/// `x-login`: known after login, and achieved by a login with channel binding.
fn by_login(facts: &SessionFacts) -> Achievement {
    match facts.login {
        None => Achievement::AfterLogin,
        Some(Login::Done) => Achievement::NotAchieved,
        Some(Login::ScramPlus) => Achievement::Achieved,
    }
}

fn facilities(on_mismatch: OnTlsaMismatch) -> Facilities {
    let mut facilities = Facilities::new().on_tlsa_mismatch(on_mismatch);
    let custom = tags(CUSTOM).remove(0);
    facilities.add(custom, by_login).unwrap();
    facilities
}

// The specification.

/// The meaning of section 11.2 for a TLS session: the tags that it has, as a mask; and whether the server is
/// authenticated by its certificate (section 5.3: "via tls-cert, tls-dane-tlsa").
fn specified(tls: &TlsFacts, dane_identity: DaneIdentity) -> (u8, Option<Authentication>) {
    // "TLS was successfully negotiated": TLS, and not SSL or what is no TLS of a stream.
    let version = tls.version.0;
    if !(0x0301..=0x03ff).contains(&version) {
        return (0, None);
    }
    // "a symmetric key of at least 128 bits"
    let strong = matches!(tls.strength_bits, Some(128..));
    let mut achieved = 0;
    if strong {
        achieved |= TLS10;
    }
    if strong && version >= 0x0303 {
        achieved |= TLS12;
    }
    // "successfully verified by the client using PKIX and the server certificate identity was verified"
    let named = tls.identity == IdentityVerdict::Matches;
    let pkix = tls.chain == ChainVerdict::Trusted && named;
    if pkix {
        achieved |= CERT;
    }
    // "using the procedures described in RFC 6698": usages 0 and 1 come on top of PKIX.
    let dane = match tls.dane {
        DaneVerdict::Matches(CertificateUsage::PkixTa | CertificateUsage::PkixEe) => pkix,
        DaneVerdict::Matches(CertificateUsage::DaneTa) => named,
        // RFC 7671: the name does not matter.
        DaneVerdict::Matches(CertificateUsage::DaneEe) => {
            named || dane_identity == DaneIdentity::Rfc7671
        }
        _ => false,
    };
    if dane {
        achieved |= DANE;
    }
    let by = match (pkix, dane) {
        // RFC 6698 section 4.1: then it is not this server.
        _ if contradicted(tls) => None,
        (true, _) => Some(Authentication::Pkix),
        (false, true) => Some(Authentication::Dane),
        (false, false) => None,
    };
    (achieved, by)
}

/// RFC 6698 section 4.1: no TLSA record matches the certificate. One of usage 0 or 1 matches none that PKIX
/// refuses (section 2.1.1).
fn contradicted(tls: &TlsFacts) -> bool {
    match tls.dane {
        DaneVerdict::Differs => true,
        DaneVerdict::Matches(CertificateUsage::PkixTa | CertificateUsage::PkixEe) => {
            tls.chain == ChainVerdict::Refused
        }
        _ => false,
    }
}

/// A TLS session and a login, as far as the specification tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Connection {
    achieved: u8,
    by: Option<Authentication>,
    contradicted: bool,
    is_tls: bool,
}

impl Connection {
    fn of(tls: &TlsFacts) -> Self {
        let (achieved, by) = specified(tls, DaneIdentity::AsPkix);
        Self {
            achieved,
            by,
            contradicted: contradicted(tls),
            is_tls: (0x0301..=0x03ff).contains(&tls.version.0),
        }
    }

    /// Which tags it has; of the custom one that is known after login only.
    fn achieves(self, login: Option<Login>) -> u8 {
        match login {
            Some(Login::ScramPlus) if self.is_tls => self.achieved | CUSTOM,
            _ => self.achieved,
        }
    }

    /// Which it may have yet.
    fn may_achieve(self, login: Option<Login>) -> u8 {
        match login {
            None if self.is_tls => self.achieved | CUSTOM,
            _ => self.achieves(login),
        }
    }

    /// Section 5.3.
    fn authentication(self, login: Option<Login>) -> Option<Authentication> {
        match login {
            Some(Login::ScramPlus) if self.is_tls && !self.contradicted => {
                self.by.or(Some(Authentication::ScramPlus))
            }
            _ => self.by,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// In clear.
    Clear,
    /// In clear, and TLS is required.
    Due,
    Tls,
    /// For these tags, at this stage, over TLS or not.
    Refused(u8, Stage, bool),
    /// For the certificate, of which no latched tag says anything.
    RefusedCertificate(CertificateFault),
    Over,
}

impl Phase {
    const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Refused(..) | Self::RefusedCertificate(_) | Self::Over
        )
    }
}

/// The state of a connection in the specification. Statuses are numbers in [`World::statuses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ghost {
    /// The status that was recorded before the connection.
    before: Option<u8>,
    latched: u8,
    recorded: Option<u8>,
    /// The TLS session, as a number in [`World::connections`].
    tls: Option<u8>,
    login: Option<Login>,
    /// The last status of this TLS session.
    advertised: Option<u8>,
    /// The tags among tls10 and tls12 that were advertised in clear.
    demanded: u8,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Happens {
    NoTls,
    HandshakeFailed(HandshakeFault),
    Handshake(u8),
    Status(u8),
    NoStatus,
    LoggedIn(Login),
}

/// The answer of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Continue,
    StartTls,
    Refuse {
        tags: u8,
        stage: Stage,
        may_report: bool,
        url: Option<StatusUrl<'static>>,
    },
    RefuseCertificate {
        fault: CertificateFault,
        url: Option<StatusUrl<'static>>,
    },
    Over,
}

const FAULTS: [HandshakeFault; 7] = [
    HandshakeFault::Transport,
    HandshakeFault::Server,
    HandshakeFault::Negotiation,
    HandshakeFault::Certificate(CertificateFault::Chain),
    HandshakeFault::Certificate(CertificateFault::Identity),
    HandshakeFault::Certificate(CertificateFault::Dane),
    HandshakeFault::Local,
];

/// Which tags a handshake that failed says are not there: what section 11.2 says of each.
fn lost(fault: HandshakeFault) -> u8 {
    match fault {
        // "TLS was negotiated successfully": of each.
        HandshakeFault::Negotiation => ALL,
        // "the server certificate was successfully verified by the client using PKIX"
        HandshakeFault::Certificate(CertificateFault::Chain) => CERT,
        // "and the server certificate identity was verified"
        HandshakeFault::Certificate(CertificateFault::Identity) => CERT | DANE,
        // "verified by the client using the procedures described in RFC 6698"
        HandshakeFault::Certificate(CertificateFault::Dane) => DANE,
        // Nothing is known.
        HandshakeFault::Transport | HandshakeFault::Server | HandshakeFault::Local => 0,
    }
}

struct Status {
    tags: u8,
    url: Option<StatusUrl<'static>>,
    status: DeepStatus<'static>,
}

/// All that can happen.
struct World {
    statuses: Vec<Status>,
    /// A TLS session of each kind that the specification tells apart.
    connections: Vec<(TlsFacts, Connection)>,
    on_mismatch: OnTlsaMismatch,
}

fn status(tags_of: u8, url: Option<&str>) -> Status {
    let url = url.map(|url| StatusUrl::parse(url).unwrap().into_owned());
    let status = DeepStatus::try_new(tags(tags_of), url.as_ref()).unwrap();
    Status {
        tags: tags_of,
        url,
        status,
    }
}

/// Every combination of facts that a TLS engine could report.
fn all_facts() -> Vec<TlsFacts> {
    // SSL 3.0, TLS 1.0 to 1.3, one to come, DTLS 1.2.
    let versions = [0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x0305, 0xfefd];
    let strengths = [None, Some(0), Some(112), Some(127), Some(128), Some(256)];
    let chains = [
        ChainVerdict::NotChecked,
        ChainVerdict::Trusted,
        ChainVerdict::Refused,
    ];
    let identities = [
        IdentityVerdict::NotChecked,
        IdentityVerdict::Matches,
        IdentityVerdict::Differs,
    ];
    let danes = [
        DaneVerdict::NotChecked,
        DaneVerdict::NoRecords,
        DaneVerdict::Differs,
        DaneVerdict::Matches(CertificateUsage::PkixTa),
        DaneVerdict::Matches(CertificateUsage::PkixEe),
        DaneVerdict::Matches(CertificateUsage::DaneTa),
        DaneVerdict::Matches(CertificateUsage::DaneEe),
    ];
    let mut all = Vec::new();
    for version in versions {
        for strength_bits in strengths {
            for chain in chains {
                for identity in identities {
                    for dane in danes {
                        let version = ProtocolVersion(version);
                        all.push(TlsFacts {
                            version,
                            strength_bits,
                            chain,
                            identity,
                            dane,
                        });
                    }
                }
            }
        }
    }
    all
}

const LOGINS: [Option<Login>; 3] = [None, Some(Login::Done), Some(Login::ScramPlus)];

/// The recorded statuses of a host: none, one without a URL, one with a URL.
const INITIAL: [Option<u8>; 3] = [None, Some(0), Some(1)];

impl World {
    /// Creates a world with statuses of these tags, after those that can have been recorded earlier.
    fn new(advertised: impl IntoIterator<Item = u8>) -> Self {
        let mut statuses = vec![
            status(TLS10 | CERT, None),
            status(TLS10, Some("https://earlier.example/")),
        ];
        // A URL stands beside every other set of tags.
        let url = |tags: u8| tags.count_ones().is_multiple_of(2);
        let url = |tags| url(tags).then_some("https://now.example/help");
        statuses.extend(
            advertised
                .into_iter()
                .map(|tags_of| status(tags_of, url(tags_of))),
        );
        let mut connections: Vec<(TlsFacts, Connection)> = Vec::new();
        for facts in all_facts() {
            let connection = Connection::of(&facts);
            if connections.iter().all(|(_, known)| *known != connection) {
                connections.push((facts, connection));
            }
        }
        Self {
            statuses,
            connections,
            on_mismatch: OnTlsaMismatch::Refuse,
        }
    }

    fn events(&self) -> Vec<Happens> {
        let connections = (0..self.connections.len()).map(|at| Happens::Handshake(at as u8));
        let statuses = (0..self.statuses.len()).map(|at| Happens::Status(at as u8));
        let others = [
            Happens::NoTls,
            Happens::NoStatus,
            Happens::LoggedIn(Login::Done),
            Happens::LoggedIn(Login::ScramPlus),
        ];
        others
            .into_iter()
            .chain(FAULTS.map(Happens::HandshakeFailed))
            .chain(connections)
            .chain(statuses)
            .collect()
    }

    fn event(&self, happens: Happens) -> Event<'_> {
        match happens {
            Happens::NoTls => Event::NoTls,
            Happens::HandshakeFailed(fault) => Event::HandshakeFailed(fault),
            Happens::Handshake(at) => Event::Handshake(self.connections[usize::from(at)].0),
            Happens::Status(at) => Event::Status(&self.statuses[usize::from(at)].status),
            Happens::NoStatus => Event::NoStatus,
            Happens::LoggedIn(login) => Event::LoggedIn(login),
        }
    }

    fn status(&self, at: u8) -> &Status {
        &self.statuses[usize::from(at)]
    }

    fn connection(&self, at: u8) -> Connection {
        self.connections[usize::from(at)].1
    }

    /// A host with these latches and this status: a session of a server that has all facilities has set
    /// them, but for what no session sets.
    fn record(&self, latched: u8, recorded: Option<u8>) -> LatchRecord {
        let host = Host::try_new("imap.example.com").unwrap();
        let mut record = LatchRecord::preset(host.clone(), tags(latched));
        if let Some(at) = recorded {
            // Nothing of it is achieved but what the server is authenticated by.
            let mut session =
                LatchSession::try_new(LatchRecord::new(host), Facilities::new()).unwrap();
            let facts = TlsFacts {
                version: ProtocolVersion::TLS1_2,
                strength_bits: None,
                chain: ChainVerdict::NotChecked,
                identity: IdentityVerdict::Matches,
                dane: DaneVerdict::Matches(CertificateUsage::DaneTa),
            };
            let _ = session.step(Event::Handshake(facts));
            let _ = session.step(Event::Status(&self.status(at).status));
            assert_eq!(session.record().latched().count(), 0);
            record.merge(session.record());
        }
        record
    }

    /// A connection to that host, and what the specification says of its beginning.
    fn begin(
        &self,
        latched: u8,
        recorded: Option<u8>,
    ) -> (Ghost, Result<LatchSession, LatchFailure>) {
        // A tag that is latched and means nothing here cannot be required: no connection.
        let phase = match latched {
            0 => Phase::Clear,
            _ if latched & UNKNOWN != 0 => Phase::Refused(UNKNOWN, Stage::Connecting, false),
            _ => Phase::Due,
        };
        let ghost = Ghost {
            before: recorded,
            latched,
            recorded,
            tls: None,
            login: None,
            advertised: None,
            demanded: 0,
            phase,
        };
        let record = self.record(latched, recorded);
        (
            ghost,
            LatchSession::try_new(record, facilities(self.on_mismatch)),
        )
    }

    /// The answer that goes with a state.
    fn answer(&self, ghost: &Ghost) -> Answer {
        match ghost.phase {
            Phase::Clear | Phase::Tls => Answer::Continue,
            Phase::Due => Answer::StartTls,
            Phase::Over => Answer::Over,
            Phase::RefusedCertificate(fault) => Answer::RefuseCertificate {
                fault,
                url: ghost.before.and_then(|at| self.status(at).url.clone()),
            },
            Phase::Refused(tags, stage, may_report) => Answer::Refuse {
                tags,
                stage,
                may_report,
                // "a previously-recorded DEEP status https URL", section 5.4
                url: ghost.before.and_then(|at| self.status(at).url.clone()),
            },
        }
    }

    /// Returns the state after an event by the specification, and the transitions.
    fn specify(&self, before: Ghost, happens: Happens) -> (Ghost, Vec<Transition>) {
        let mut after = before;
        let mut told = Vec::new();
        if before.phase.is_final() {
            if let Happens::Status(_) = happens {
                told.push(Transition::NotRecorded(Reason::Refused));
            }
            return (after, told);
        }
        match (before.phase, happens) {
            (_, Happens::Handshake(at)) => {
                after.tls = Some(at);
                after.login = None;
                after.advertised = None;
                after.demanded = 0;
                after.phase = Phase::Tls;
                let connection = self.connection(at);
                let missing = before.latched & !connection.may_achieve(None);
                let too_weak = before.demanded & !connection.achieved;
                if missing != 0 {
                    after.demanded = before.demanded;
                    after.phase = Phase::Refused(missing, Stage::Handshake, true);
                    told.push(Transition::Refused(Stage::Handshake, tags(missing)));
                } else if connection.contradicted && self.on_mismatch == OnTlsaMismatch::Refuse {
                    after.demanded = before.demanded;
                    after.phase = Phase::RefusedCertificate(CertificateFault::Dane);
                    told.push(Transition::CertificateRefused(CertificateFault::Dane));
                } else if too_weak != 0 {
                    after.phase = Phase::Over;
                    told.push(Transition::NotNegotiated(tags(too_weak)));
                }
            }
            (_, Happens::HandshakeFailed(fault)) => {
                after.tls = None;
                after.login = None;
                after.advertised = None;
                let missing = before.latched & lost(fault);
                if missing != 0 {
                    after.phase = Phase::Refused(missing, Stage::HandshakeFailed, false);
                    told.push(Transition::Refused(Stage::HandshakeFailed, tags(missing)));
                } else if let HandshakeFault::Certificate(fault) = fault {
                    after.phase = Phase::RefusedCertificate(fault);
                    told.push(Transition::CertificateRefused(fault));
                } else {
                    after.phase = Phase::Over;
                    told.push(Transition::HandshakeFailed(fault));
                    if fault == HandshakeFault::Negotiation {
                        after.demanded = 0;
                        if before.demanded != 0 {
                            told.push(Transition::NotNegotiated(tags(before.demanded)));
                        }
                    }
                }
            }
            (Phase::Due, Happens::NoTls | Happens::LoggedIn(_)) => {
                self.no_tls(before, &mut after, Stage::NoTls, &mut told);
            }
            (_, Happens::NoTls) => {}
            (Phase::Tls, Happens::NoStatus) => {
                let connection = self.connection(before.tls.unwrap());
                after.advertised = None;
                let known = connection.authentication(before.login).is_some();
                if known && before.recorded.is_some() {
                    told.push(Transition::Withdrawn);
                }
            }
            (_, Happens::NoStatus) => {}
            (Phase::Tls, Happens::LoggedIn(login)) => {
                after.login = Some(login);
                let connection = self.connection(before.tls.unwrap());
                let missing = before.latched & !connection.may_achieve(after.login);
                if missing != 0 {
                    after.phase = Phase::Refused(missing, Stage::Login, true);
                    told.push(Transition::Refused(Stage::Login, tags(missing)));
                } else if let Some(at) = before.advertised {
                    self.advertise(at, &mut after, &mut told);
                }
            }
            (_, Happens::LoggedIn(login)) => after.login = Some(login),
            (Phase::Tls, Happens::Status(at)) => self.advertise(at, &mut after, &mut told),
            (_, Happens::Status(at)) => {
                let advertised = self.status(at).tags;
                after.demanded |= advertised & (TLS10 | TLS12);
                if after.demanded != 0 {
                    after.phase = Phase::Due;
                }
                let not = |tag| Transition::NotLatched(tag, Reason::InClear);
                told.extend(tags(advertised & !before.latched).into_iter().map(not));
                told.push(Transition::NotRecorded(Reason::InClear));
            }
        }
        (after, told)
    }

    /// No TLS where it is required.
    fn no_tls(&self, before: Ghost, after: &mut Ghost, stage: Stage, told: &mut Vec<Transition>) {
        after.tls = None;
        after.login = None;
        after.advertised = None;
        if before.latched != 0 {
            after.phase = Phase::Refused(before.latched, stage, false);
            told.push(Transition::Refused(stage, tags(before.latched)));
        } else {
            after.phase = Phase::Over;
            after.demanded = 0;
            if before.demanded != 0 {
                told.push(Transition::NotNegotiated(tags(before.demanded)));
            }
        }
    }

    /// Sections 5.1 and 5.3, over TLS.
    fn advertise(&self, at: u8, ghost: &mut Ghost, told: &mut Vec<Transition>) {
        let connection = self.connection(ghost.tls.unwrap());
        let by = connection.authentication(ghost.login);
        let achieved = connection.achieves(ghost.login);
        ghost.advertised = Some(at);
        for tag in 0..6 {
            let bit = 1 << tag;
            if self.status(at).tags & bit == 0 || ghost.latched & bit != 0 {
                continue;
            }
            let name = tags(bit).remove(0);
            let not = match by {
                _ if bit == UNKNOWN => Some(Reason::Unknown),
                None if bit & (TLS10 | TLS12) == 0 => Some(Reason::ServerNotAuthenticated),
                _ if achieved & bit == 0 => Some(Reason::NotAchieved),
                _ => None,
            };
            told.push(match (not, by) {
                (Some(reason), _) => Transition::NotLatched(name, reason),
                (None, by) => {
                    ghost.latched |= bit;
                    let basis = by.map_or(Basis::Negotiated, Basis::Authenticated);
                    Transition::Latched(name, basis)
                }
            });
        }
        if by.is_none() {
            told.push(Transition::NotRecorded(Reason::ServerNotAuthenticated));
        } else if ghost.recorded != Some(at) {
            ghost.recorded = Some(at);
            told.push(Transition::Recorded(self.status(at).status.clone()));
        }
    }

    /// Checks the goals of the draft for any step, independently of the specification.
    fn is_safe(&self, before: &Ghost, happens: Happens, after: &Ghost, answer: &Answer) {
        let is_over = |ghost: &Ghost| ghost.phase.is_final();
        // Nothing un-latches.
        assert_eq!(before.latched & !after.latched, 0);
        // A failure never leads to a session.
        if is_over(before) {
            assert_eq!(after, before);
        }
        let connection = after.tls.map(|at| self.connection(at));
        let advertised = after.advertised.map_or(0, |at| self.status(at).tags);
        let by = connection.and_then(|connection| connection.authentication(after.login));
        let achieved = connection.map_or(0, |connection| connection.achieves(after.login));
        let new = after.latched & !before.latched;
        if new != 0 {
            // It is achieved on this connection, and was advertised over its TLS session.
            assert_eq!(new & !achieved, 0);
            assert_eq!(new & !advertised, 0);
            assert_eq!(after.phase, Phase::Tls);
            // Who has no certificate, no TLSA record and no password sets nothing but these.
            if by.is_none() {
                assert_eq!(new & !(TLS10 | TLS12), 0);
            }
        }
        if after.recorded != before.recorded {
            assert!(by.is_some());
            assert_eq!(after.recorded, after.advertised);
        }
        // What a failure offers was recorded before the connection.
        if let Answer::Refuse { url, tags, .. } = answer {
            let earlier = before.before.and_then(|at| self.status(at).url.clone());
            assert_eq!(*url, earlier);
            assert_ne!(*tags, 0);
            assert_eq!(tags & !after.latched, 0);
        }
        if let Answer::RefuseCertificate { url, .. } = answer {
            let earlier = before.before.and_then(|at| self.status(at).url.clone());
            assert_eq!(*url, earlier);
        }
        // A connection that broke is no latch's failure, nor the certificate's.
        if let Happens::HandshakeFailed(fault) = happens
            && lost(fault) == 0
            && !is_over(before)
        {
            assert_eq!(*answer, Answer::Over);
        }
        // Nobody goes on against TLSA records, but who said so.
        if let Happens::Handshake(at) = happens
            && self.connection(at).contradicted
            && self.on_mismatch == OnTlsaMismatch::Refuse
        {
            assert_ne!(*answer, Answer::Continue);
        }
        // Who goes on has all that is latched, or may have it after login.
        if let Answer::Continue = answer {
            let may = connection.map_or(0, |connection| connection.may_achieve(after.login));
            assert_eq!(before.latched & !may, 0);
        }
        // A server that has what is latched is never refused.
        if !is_over(before) && before.latched & !achieved == 0 && connection.is_some() {
            assert!(!matches!(answer, Answer::Refuse { .. }));
        }
        // And goes on, but for what it advertised itself in clear.
        if let Happens::Handshake(at) = happens
            && !is_over(before)
            && (before.latched | before.demanded) & !self.connection(at).achieved == 0
            && (self.on_mismatch == OnTlsaMismatch::GoOn || !self.connection(at).contradicted)
        {
            assert_eq!(*answer, Answer::Continue);
        }
        // What may be latched is, when it is advertised.
        if let (Happens::Status(_) | Happens::LoggedIn(_), Phase::Tls) = (happens, after.phase) {
            let may = match by {
                Some(_) => achieved,
                None => achieved & (TLS10 | TLS12),
            };
            assert_eq!(advertised & may & !UNKNOWN & !after.latched, 0);
        }
    }

    fn answer_of(&self, outcome: &Outcome) -> Answer {
        match outcome {
            Outcome::Continue => Answer::Continue,
            Outcome::StartTls => Answer::StartTls,
            Outcome::Over => Answer::Over,
            Outcome::Refuse(failure) => Answer::Refuse {
                tags: mask(failure.tags()),
                stage: failure.stage(),
                may_report: failure.may_report(),
                url: offered(&failure.actions()),
            },
            Outcome::RefuseCertificate(failure) => Answer::RefuseCertificate {
                fault: failure.fault(),
                url: offered(&failure.actions()),
            },
        }
    }

    /// Checks that the machine's accessors agree with the state of the specification.
    fn agrees(&self, session: &LatchSession, ghost: &Ghost, answer: &Answer) {
        assert_eq!(self.answer_of(&session.outcome()), *answer);
        let record = session.record();
        assert_eq!(mask(record.latched()), ghost.latched);
        let recorded = ghost.recorded.map(|at| &self.status(at).status);
        assert_eq!(record.status(), recorded);
        let facts = SessionFacts {
            tls: ghost.tls.map(|at| self.connections[usize::from(at)].0),
            login: ghost.login,
        };
        assert_eq!(*session.facts(), facts);
        let connection = ghost.tls.map(|at| self.connection(at));
        let by = connection.and_then(|connection| connection.authentication(ghost.login));
        assert_eq!(session.authentication(), by);
    }
}

/// The URL that a failure offers. To connect all the same is never among what it offers.
fn offered(actions: &[Action]) -> Option<StatusUrl<'static>> {
    let (always, rest) = actions.split_at(2);
    assert_eq!(always, [Action::WorkOffline, Action::TryAgainLater]);
    match rest {
        [] => None,
        [Action::OpenStatusPage(url)] => Some(url.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn achieves_facilities_as_section_11_2_requires_for_all_facts() {
    let names = tags(ALL);
    let mut seen = HashMap::<_, usize>::new();
    for dane_identity in [DaneIdentity::AsPkix, DaneIdentity::Rfc7671] {
        let facilities = facilities(OnTlsaMismatch::Refuse).with_dane_identity(dane_identity);
        for tls in all_facts() {
            let (achieved, by) = specified(&tls, dane_identity);
            let connection = Connection {
                achieved,
                by,
                ..Connection::of(&tls)
            };
            for login in LOGINS {
                let facts = SessionFacts {
                    tls: Some(tls),
                    login,
                };
                for (bit, tag) in names.iter().enumerate() {
                    let bit = 1 << bit;
                    let expected = if connection.achieves(login) & bit != 0 {
                        Achievement::Achieved
                    } else if connection.may_achieve(login) & bit != 0 {
                        Achievement::AfterLogin
                    } else {
                        Achievement::NotAchieved
                    };
                    assert_eq!(
                        facilities.achieves(&facts, tag),
                        expected,
                        "{tag} {facts:?}"
                    );
                    // Names are equal without regard to case.
                    let upper = tag.as_str().to_ascii_uppercase();
                    let upper = SecurityTag::parse(&upper).unwrap();
                    assert_eq!(facilities.achieves(&facts, &upper), expected);
                }
                let expected = connection.authentication(login);
                assert_eq!(facilities.authentication(&facts), expected, "{facts:?}");
                *seen
                    .entry((connection.achieves(login), expected))
                    .or_default() += 1;
            }
        }
        // In clear nothing is achieved, and nobody authenticated.
        for login in LOGINS {
            let facts = SessionFacts { tls: None, login };
            for tag in &names {
                let achievement = facilities.achieves(&facts, tag);
                assert_eq!(achievement, Achievement::NotAchieved);
            }
            assert_eq!(facilities.authentication(&facts), None);
        }
    }
    println!(
        "{} kinds of connection, {} facts",
        seen.len(),
        seen.values().sum::<usize>()
    );
    assert!(seen.len() > 30);
}

#[test]
fn requires_the_latched_tags_before_connecting() {
    let world = World::new([]);
    for latched in 0..=ALL {
        for recorded in INITIAL {
            let (ghost, session) = world.begin(latched, recorded);
            let answer = world.answer(&ghost);
            let session = match session {
                Ok(session) => session,
                Err(failure) => {
                    assert_eq!(world.answer_of(&Outcome::Refuse(failure)), answer);
                    continue;
                }
            };
            world.agrees(&session, &ghost, &answer);
            let has = |tag: u8| latched & tag != 0;
            let min_version = match (has(TLS10), has(TLS12)) {
                (_, true) => Some(ProtocolVersion::TLS1_2),
                (true, false) => Some(ProtocolVersion::TLS1_0),
                (false, false) => None,
            };
            let expected = Requirements {
                tls: latched != 0,
                min_version,
                pkix: has(CERT),
                dane: has(DANE),
            };
            assert_eq!(session.requirements(), expected);
            let not_latched: Vec<_> = session.not_latched().map(SecurityTag::into_owned).collect();
            assert_eq!(mask(&not_latched), ALL & !UNKNOWN & !latched);
        }
    }
}

#[test]
fn judges_handshakes_as_specified_for_all_latches_and_facts() {
    let mut world = World::new([]);
    let mut judged = 0;
    for (facts, on_mismatch) in all_facts().into_iter().flat_map(|facts| {
        [OnTlsaMismatch::Refuse, OnTlsaMismatch::GoOn].map(|on_mismatch| (facts, on_mismatch))
    }) {
        world.connections = vec![(facts, Connection::of(&facts))];
        world.on_mismatch = on_mismatch;
        for latched in 0..=ALL {
            for recorded in INITIAL {
                let (before, Ok(mut session)) = world.begin(latched, recorded) else {
                    assert_ne!(latched & UNKNOWN, 0);
                    continue;
                };
                let happens = Happens::Handshake(0);
                let (after, told) = world.specify(before, happens);
                let step = session.step(world.event(happens));
                let answer = world.answer(&after);
                assert_eq!(world.answer_of(&step.outcome), answer);
                assert_eq!(step.transitions, told);
                world.is_safe(&before, happens, &after, &answer);
                judged += 1;
            }
        }
    }
    println!("{judged} handshakes");
}

#[test]
fn judges_statuses_as_specified_for_all_tags_and_facts() {
    let mut world = World::new(0..=ALL);
    // The status is judged on all connections that go on.
    world.on_mismatch = OnTlsaMismatch::GoOn;
    let mut judged = 0;
    for facts in all_facts() {
        world.connections = vec![(facts, Connection::of(&facts))];
        for at in 0..world.statuses.len() as u8 {
            let (begun, first) = world.begin(0, None);
            let mut first = first.unwrap();
            let (shaken, _) = world.specify(begun, Happens::Handshake(0));
            let _ = first.step(world.event(Happens::Handshake(0)));
            for login in LOGINS {
                let (mut before, mut session) = (shaken, first.clone());
                let logged_in = login.map(Happens::LoggedIn);
                for happens in [Happens::Status(at)].into_iter().chain(logged_in) {
                    let (after, told) = world.specify(before, happens);
                    let step = session.step(world.event(happens));
                    assert_eq!(step.transitions, told);
                    let answer = world.answer(&after);
                    assert_eq!(world.answer_of(&step.outcome), answer);
                    world.is_safe(&before, happens, &after, &answer);
                    judged += 1;
                    before = after;
                }
                world.agrees(&session, &before, &world.answer(&before));
            }
        }
    }
    println!("{judged} events");
}

/// Breadth first from every set of latches and every recorded status, every event in every state, until no
/// state is new. The states are the machine's: where the specification has been before, the machine must be
/// as it was then, to the last field.
///
/// Every set of the tags that mean something is advertised: of four of them in an unoptimized build, where
/// tls-dane-tlsa accompanies every other set, and the unknown one every set.
#[test]
fn handles_every_event_in_every_reachable_state_as_specified() {
    for on_mismatch in [OnTlsaMismatch::Refuse, OnTlsaMismatch::GoOn] {
        reach_every_state(on_mismatch);
    }
}

fn reach_every_state(on_mismatch: OnTlsaMismatch) {
    let begun = Instant::now();
    let beside = match cfg!(debug_assertions) {
        true => DANE | UNKNOWN,
        false => UNKNOWN,
    };
    let advertised = (0..UNKNOWN).filter(|tags_of| tags_of & beside == 0);
    let advertised = advertised.map(|tags_of| match tags_of.count_ones() % 2 {
        0 => tags_of,
        _ => tags_of | beside,
    });
    let mut world = World::new(advertised);
    world.on_mismatch = on_mismatch;
    let events = world.events();
    let mut known = HashMap::<Ghost, LatchSession>::new();
    let mut queue = VecDeque::new();
    for latched in 0..=ALL {
        for recorded in INITIAL {
            let (ghost, session) = world.begin(latched, recorded);
            let answer = world.answer(&ghost);
            let session = match session {
                Ok(session) => session,
                // There is no connection, and so no event.
                Err(failure) => {
                    assert_eq!(world.answer_of(&Outcome::Refuse(failure)), answer);
                    continue;
                }
            };
            world.agrees(&session, &ghost, &answer);
            known.insert(ghost, session);
            queue.push_back(ghost);
        }
    }
    let (mut transitions, mut terminal) = (0_u64, 0_u64);
    while let Some(before) = queue.pop_front() {
        let session = known[&before].clone();
        if before.phase.is_final() {
            terminal += 1;
        }
        for happens in &events {
            let mut session = session.clone();
            let step = session.step(world.event(*happens));
            let (after, told) = world.specify(before, *happens);
            let answer = world.answer(&after);
            let context = || format!("{before:?}, {happens:?}");
            assert_eq!(world.answer_of(&step.outcome), answer, "{}", context());
            assert_eq!(step.transitions, told, "{}", context());
            world.is_safe(&before, *happens, &after, &answer);
            transitions += 1;
            match known.get(&after) {
                Some(same) => assert!(session == *same, "{}", context()),
                None => {
                    world.agrees(&session, &after, &answer);
                    known.insert(after, session);
                    queue.push_back(after);
                }
            }
        }
    }
    println!(
        "{} states ({terminal} of them final), {transitions} transitions, {} kinds of TLS session, {:?}",
        known.len(),
        world.connections.len(),
        begun.elapsed()
    );
}
