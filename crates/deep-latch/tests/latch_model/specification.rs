//! The specification: the states of a connection, and the step that each event leads to, as the draft has them.

use super::*;

/// The tags: those of section 11.2, one that is known after login only, and one that means nothing here. In
/// alphabetical order, as the machine reports those that are latched. A set of them is a mask.
pub(super) const TAGS: [&str; 6] = [
    "tls-cert",
    "tls-dane-tlsa",
    "tls10",
    "tls12",
    "x-login",
    "y-unknown",
];
pub(super) const CERT: u8 = 1;
pub(super) const DANE: u8 = 2;
pub(super) const TLS10: u8 = 4;
pub(super) const TLS12: u8 = 8;
pub(super) const CUSTOM: u8 = 16;
pub(super) const UNKNOWN: u8 = 32;
pub(super) const ALL: u8 = 63;

pub(super) fn tags(mask: u8) -> Vec<SecurityTag<'static>> {
    let named = |bit: usize| SecurityTag::parse(TAGS[bit]).unwrap();
    (0..6)
        .filter(|bit| mask >> bit & 1 == 1)
        .map(named)
        .collect()
}

pub(super) fn mask<'a>(tags: impl IntoIterator<Item = &'a SecurityTag<'static>>) -> u8 {
    let bit = |tag: &SecurityTag<'static>| TAGS.iter().position(|name| *name == tag.as_str());
    tags.into_iter()
        .fold(0, |mask, tag| mask | 1 << bit(tag).unwrap())
}

/// `x-login`: known after login, and achieved by a login with channel binding.
pub(super) fn by_login(facts: &SessionFacts) -> Achievement {
    match facts.login {
        None => Achievement::AfterLogin,
        Some(Login::Done) => Achievement::NotAchieved,
        Some(Login::ScramPlus) => Achievement::Achieved,
    }
}

pub(super) fn facilities(on_mismatch: OnTlsaMismatch) -> Facilities {
    let mut facilities = Facilities::new().on_tlsa_mismatch(on_mismatch);
    let custom = tags(CUSTOM).remove(0);
    facilities.add(custom, by_login).unwrap();
    facilities
}

/// The meaning of section 11.2 for a TLS session: the tags that it has, as a mask; and whether the server is
/// authenticated by its certificate (section 5.3: "via tls-cert, tls-dane-tlsa").
pub(super) fn specified(
    tls: &TlsFacts,
    dane_identity: DaneIdentity,
) -> (u8, Option<Authentication>) {
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
pub(super) fn contradicted(tls: &TlsFacts) -> bool {
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
pub(super) struct Connection {
    pub(super) achieved: u8,
    pub(super) by: Option<Authentication>,
    pub(super) contradicted: bool,
    pub(super) is_tls: bool,
}

impl Connection {
    pub(super) fn of(tls: &TlsFacts) -> Self {
        let (achieved, by) = specified(tls, DaneIdentity::AsPkix);
        Self {
            achieved,
            by,
            contradicted: contradicted(tls),
            is_tls: (0x0301..=0x03ff).contains(&tls.version.0),
        }
    }

    /// Which tags it has; of the custom one that is known after login only.
    pub(super) fn achieves(self, login: Option<Login>) -> u8 {
        match login {
            Some(Login::ScramPlus) if self.is_tls => self.achieved | CUSTOM,
            _ => self.achieved,
        }
    }

    /// Which it may have yet.
    pub(super) fn may_achieve(self, login: Option<Login>) -> u8 {
        match login {
            None if self.is_tls => self.achieved | CUSTOM,
            _ => self.achieves(login),
        }
    }

    /// Section 5.3.
    pub(super) fn authentication(self, login: Option<Login>) -> Option<Authentication> {
        match login {
            Some(Login::ScramPlus) if self.is_tls && !self.contradicted => {
                self.by.or(Some(Authentication::ScramPlus))
            }
            _ => self.by,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
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
    pub(super) const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Refused(..) | Self::RefusedCertificate(_) | Self::Over
        )
    }
}

/// The state of a connection in the specification. Statuses are numbers in [`World::statuses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ghost {
    /// The status that was recorded before the connection.
    pub(super) before: Option<u8>,
    pub(super) latched: u8,
    pub(super) recorded: Option<u8>,
    /// The TLS session, as a number in [`World::connections`].
    pub(super) tls: Option<u8>,
    pub(super) login: Option<Login>,
    /// The last status of this TLS session.
    pub(super) advertised: Option<u8>,
    /// The tags among tls10 and tls12 that were advertised in clear.
    pub(super) demanded: u8,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Happens {
    NoTls,
    HandshakeFailed(HandshakeFault),
    Handshake(u8),
    Status(u8),
    NoStatus,
    LoggedIn(Login),
}

/// The answer of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
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

pub(super) const FAULTS: [HandshakeFault; 7] = [
    HandshakeFault::Transport,
    HandshakeFault::Server,
    HandshakeFault::Negotiation,
    HandshakeFault::Certificate(CertificateFault::Chain),
    HandshakeFault::Certificate(CertificateFault::Identity),
    HandshakeFault::Certificate(CertificateFault::Dane),
    HandshakeFault::Local,
];

/// Which tags a handshake that failed says are not there: what section 11.2 says of each.
pub(super) fn lost(fault: HandshakeFault) -> u8 {
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

impl World {
    /// A connection to that host, and what the specification says of its beginning.
    pub(super) fn begin(
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
    pub(super) fn answer(&self, ghost: &Ghost) -> Answer {
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
    pub(super) fn specify(&self, before: Ghost, happens: Happens) -> (Ghost, Vec<Transition>) {
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
    pub(super) fn no_tls(
        &self,
        before: Ghost,
        after: &mut Ghost,
        stage: Stage,
        told: &mut Vec<Transition>,
    ) {
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
    pub(super) fn advertise(&self, at: u8, ghost: &mut Ghost, told: &mut Vec<Transition>) {
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
}
