//! The outcomes of the scenarios with foreign peers, kept between runs: `target/conformance/interop.json`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};

use crate::{
    facts::commit,
    facts::{first_line, now},
    part::replace,
    protocol::Protocol,
    scenario::{LiveReport, LiveState},
};

const PATH: &str = "target/conformance/interop.json";

/// The last outcome of a scenario with a foreign peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerReport {
    /// The scenario.
    pub name: String,
    /// The peer.
    pub peer: String,
    /// The peer's own line about its version, if it printed one.
    pub version: Option<String>,
    /// The state, or `None` if the scenario was never run here.
    pub state: Option<LiveState>,
    /// The observation, the reason for the skip, or the failure.
    pub detail: String,
    /// The date of the run.
    pub date: String,
    /// The commit of the run.
    pub commit: String,
}

impl PeerReport {
    fn not_run(name: &str, peer: &str) -> Self {
        Self {
            name: name.to_owned(),
            peer: peer.to_owned(),
            version: None,
            state: None,
            detail: String::new(),
            date: String::new(),
            commit: String::new(),
        }
    }

    /// Returns the state in words.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.state.map_or("not run", LiveState::label)
    }

    /// Returns `true` if the scenario passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.state == Some(LiveState::Passed)
    }

    /// Returns `true` if the scenario failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.state == Some(LiveState::Failed)
    }
}

/// Keeps the outcomes of these scenarios, with the versions of their peers. Those of other scenarios stay.
///
/// # Errors
/// Returns an error if the file cannot be written.
pub fn keep(root: &Path, protocols: &[Protocol], reports: &[LiveReport]) -> io::Result<()> {
    let mut kept = read(root);
    let (date, commit) = (now(), commit(root));
    let mut versions = BTreeMap::new();
    for report in reports {
        let peer = report.peer.clone().unwrap_or_default();
        let version = match report.state {
            LiveState::Skipped => None,
            LiveState::Passed | LiveState::Failed => versions
                .entry(peer.clone())
                .or_insert_with(|| version(root, protocols, &peer))
                .clone(),
        };
        let report = PeerReport {
            name: report.name.clone(),
            peer,
            version,
            state: Some(report.state),
            detail: report.detail.clone(),
            date: date.clone(),
            commit: commit.clone(),
        };
        kept.insert(report.name.clone(), report);
    }
    let kept: Vec<_> = kept.into_values().collect();
    let text = serde_json::to_string_pretty(&kept)?;
    replace(&root.join(PATH), &text)
}

/// Returns the last outcome of each scenario with a foreign peer, also of those that this build lacks. A peer that no
/// scenario names here is listed as not run.
pub(crate) fn last(root: &Path, protocols: &[Protocol]) -> Vec<PeerReport> {
    let mut kept = read(root);
    let scenarios = protocols.iter().flat_map(Protocol::scenarios);
    let peers = scenarios.filter_map(|scenario| scenario.peer.map(|peer| (scenario.name, peer)));
    let mut last: Vec<_> = peers
        .map(|(name, peer)| {
            let kept = kept.remove(name);
            kept.unwrap_or_else(|| PeerReport::not_run(name, peer))
        })
        .collect();
    last.extend(kept.into_values());
    for protocol in protocols {
        for peer in protocol.peers {
            let named = last.iter().flat_map(|it| it.peer.split(", "));
            if !named.into_iter().any(|name| name == peer.name) {
                last.push(PeerReport::not_run(protocol.name, peer.name));
            }
        }
    }
    last
}

fn read(root: &Path) -> BTreeMap<String, PeerReport> {
    let text = fs::read_to_string(root.join(PATH)).unwrap_or_default();
    let kept: Vec<PeerReport> = serde_json::from_str(&text).unwrap_or_default();
    kept.into_iter().map(|it| (it.name.clone(), it)).collect()
}

/// Returns the versions of the programs that a scenario names as its peer, separated by commas.
fn version(root: &Path, protocols: &[Protocol], peer: &str) -> Option<String> {
    let programs = peer.split(", ");
    let versions: Vec<_> = programs
        .filter_map(|program| version_of(root, protocols, program))
        .collect();
    (!versions.is_empty()).then(|| versions.join("; "))
}

/// Runs the command that prints the version of one program.
fn version_of(root: &Path, protocols: &[Protocol], peer: &str) -> Option<String> {
    let mut peers = protocols.iter().flat_map(|it| it.peers);
    let (program, arguments) = peers.find(|it| it.name == peer)?.version.split_first()?;
    let own = root.join("target/venv/bin/python3");
    let program = match *program {
        "python3" if own.exists() => own,
        program => PathBuf::from(program),
    };
    first_line(Command::new(program).args(arguments).current_dir(root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Live, Peer, Scenario};

    const fn scenario(name: &'static str) -> Scenario {
        Scenario::with_peer("echo", name, |_| Ok(Live::Passed(String::new())))
    }

    const PROTOCOL: Protocol = Protocol {
        name: "p",
        suites: &[],
        scenarios: &[&[scenario("p/a"), scenario("p/b")]],
        annotators: &[],
        peers: &[
            Peer {
                name: "echo",
                version: &["echo", "echo 1.2"],
            },
            Peer {
                name: "other",
                version: &["nosuch"],
            },
        ],
    };

    fn report(name: &str, state: LiveState) -> LiveReport {
        LiveReport {
            name: name.into(),
            peer: Some("echo".into()),
            state,
            detail: "d".into(),
            seconds: 0.0,
        }
    }

    #[test]
    fn keeps_the_last_outcome_of_each_scenario_with_its_peers_version() {
        let root = tempfile::tempdir().expect("a directory");
        let last = || {
            let last = last(root.path(), &[PROTOCOL]);
            last.into_iter()
                .map(|it| (it.label(), it.version))
                .collect::<Vec<_>>()
        };
        let none = ("not run", None);
        assert_eq!(last(), [none.clone(), none.clone(), none.clone()]);
        let ran = report("p/a", LiveState::Passed);
        keep(root.path(), &[PROTOCOL], &[ran]).expect("kept");
        let version = Some("echo 1.2".to_owned());
        let passed = ("passed", version);
        assert_eq!(last(), [passed.clone(), none.clone(), none.clone()]);
        let skipped = report("p/b", LiveState::Skipped);
        keep(root.path(), &[PROTOCOL], &[skipped]).expect("kept");
        let gone = report("p/gone", LiveState::Failed);
        keep(root.path(), &[PROTOCOL], &[gone]).expect("kept");
        let gone = ("FAILED", passed.1.clone());
        assert_eq!(last(), [passed, ("skipped", None), gone, none]);
    }
}
