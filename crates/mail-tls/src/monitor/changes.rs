//! The changes between the states of two times.

use std::collections::BTreeMap;

use mail_implicit_tls::monitor::{Report, State};

/// The states of a time, each by the subject and the check: the state and its sentence.
pub(super) type States = BTreeMap<(String, String), (State, String)>;

/// A change of the state of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The check.
    pub(super) check: String,
    /// The subject.
    pub(super) subject: String,
    /// The state now, or `None` if the check is made no more.
    pub(super) now: Option<State>,
    /// The sentence now, or the last one.
    pub(super) sentence: String,
    /// The kind of the change.
    pub(super) kind: ChangeKind,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeKind {
    /// The check was not made before.
    New,
    /// The state was another.
    Changed(State),
    /// The check is made no more.
    Gone(State),
}

/// Returns the states of a report: of each subject and check the most urgent one.
pub(super) fn states(report: &Report) -> States {
    let mut states = States::new();
    // The most urgent findings are the first.
    for finding in &report.findings {
        let key = (finding.subject.to_string(), finding.check.name().to_owned());
        let value = (finding.state, finding.sentence());
        states.entry(key).or_insert(value);
    }
    states
}

/// Returns the changes from these states to those of a report, the most urgent first. A check that is new and passes is
/// no change.
pub(super) fn between(before: &States, report: &Report) -> Vec<Change> {
    let now = states(report);
    let mut changes = Vec::new();
    for ((subject, check), (state, sentence)) in &now {
        let kind = match before.get(&(subject.clone(), check.clone())) {
            Some((earlier, _)) if earlier == state => continue,
            Some((earlier, _)) => ChangeKind::Changed(*earlier),
            None if *state == State::Good => continue,
            None => ChangeKind::New,
        };
        changes.push(Change {
            check: check.clone(),
            subject: subject.clone(),
            now: Some(*state),
            sentence: sentence.clone(),
            kind,
        });
    }
    for (key, (state, sentence)) in before {
        if !now.contains_key(key) && *state != State::Good {
            changes.push(Change {
                check: key.1.clone(),
                subject: key.0.clone(),
                now: None,
                sentence: sentence.clone(),
                kind: ChangeKind::Gone(*state),
            });
        }
    }
    changes.sort_by_key(|change| std::cmp::Reverse(change.now));
    changes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mail_implicit_tls::{
        monitor::{Check, Finding, Subject},
        name::DomainName,
    };

    use super::*;

    fn report(findings: &[(Check, State)]) -> Report {
        let finding =
            |(check, state): &(Check, State)| Finding::new(*check, Subject::Domain, *state, "fact");
        Report {
            domain: DomainName::parse("example.org").unwrap(),
            at: Duration::ZERO,
            findings: findings.iter().map(finding).collect(),
        }
    }

    fn found(before: &[(Check, State)], now: &[(Check, State)]) -> Vec<(String, ChangeKind)> {
        let changes = between(&states(&report(before)), &report(now));
        changes.into_iter().map(|it| (it.check, it.kind)).collect()
    }

    #[test]
    fn finds_states_that_changed_and_no_others() {
        let before = [
            (Check::Validity, State::Good),
            (Check::Chain, State::Bad),
            (Check::Names, State::Good),
            (Check::Deep, State::Advice),
        ];
        let now = [
            (Check::Validity, State::Warning),
            (Check::Chain, State::Good),
            (Check::Names, State::Good),
            (Check::Tlsa, State::Bad),
            (Check::Versions, State::Good),
        ];
        let expected = [
            ("tlsa", ChangeKind::New),
            ("validity", ChangeKind::Changed(State::Good)),
            ("chain", ChangeKind::Changed(State::Bad)),
            ("deep", ChangeKind::Gone(State::Advice)),
        ];
        assert_eq!(
            found(&before, &now),
            expected.map(|(check, kind)| (check.to_owned(), kind))
        );
        assert_eq!(found(&now, &now), []);
        // Checks that passed and are not made any more are no change.
        assert_eq!(found(&[(Check::Names, State::Good)], &[]), []);
    }

    #[test]
    fn counts_the_most_urgent_finding_of_a_check() {
        let twice = [(Check::Srv, State::Bad), (Check::Srv, State::Good)];
        let once = [(Check::Srv, State::Bad)];
        assert_eq!(found(&twice, &once), []);
    }
}
