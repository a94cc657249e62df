//! A protocol: its name, its suites and its scenarios. Everything else of its evidence is found by its folder.

use std::path::{Path, PathBuf};

use crate::{
    picture::Annotator,
    scenario::{Peer, Scenario},
    suite::Suite,
};

/// The evidence of one protocol. It is a crate of its own, `crates/conformance-<name>`, whose folder also has the
/// directories `requirements`, `vectors`, `schemas` and `python`.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// The name of the crate that implements the protocol.
    pub name: &'static str,
    /// The suites, in groups.
    pub suites: &'static [&'static [Suite]],
    /// The live scenarios, in groups: those with our own code on both sides, and those with foreign peers.
    pub scenarios: &'static [&'static [Scenario]],
    /// The annotators of suites whose cases have messages.
    pub annotators: &'static [Annotator],
    /// The commands that print the versions of foreign peers.
    pub peers: &'static [Peer],
}

impl Protocol {
    /// Returns the folder that holds the evidence.
    #[must_use]
    pub fn folder(&self, root: &Path) -> PathBuf {
        root.join("crates")
            .join(format!("conformance-{}", self.name))
    }

    /// Returns the suites.
    pub fn suites(&self) -> impl Iterator<Item = &'static Suite> + use<> {
        self.suites.iter().copied().flatten()
    }

    /// Returns the live scenarios.
    pub fn scenarios(&self) -> impl Iterator<Item = Scenario> + use<> {
        self.scenarios.iter().copied().flatten().copied()
    }
}
