//! The goals of the draft, and the agreement of the machine's accessors with the specification.

use super::*;

impl World {
    /// Checks the goals of the draft for any step, independently of the specification.
    pub(super) fn is_safe(&self, before: &Ghost, happens: Happens, after: &Ghost, answer: &Answer) {
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

    pub(super) fn answer_of(&self, outcome: &Outcome) -> Answer {
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
    pub(super) fn agrees(&self, session: &LatchSession, ghost: &Ghost, answer: &Answer) {
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
pub(super) fn offered(actions: &[Action]) -> Option<StatusUrl<'static>> {
    let (always, rest) = actions.split_at(2);
    assert_eq!(always, [Action::WorkOffline, Action::TryAgainLater]);
    match rest {
        [] => None,
        [Action::OpenStatusPage(url)] => Some(url.clone()),
        other => panic!("{other:?}"),
    }
}
