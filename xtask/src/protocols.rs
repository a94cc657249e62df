//! The protocols of the workspace. No other file of the harness or of the tasks names them.

use conformance::{Protocol, Scenario};

/// The evidence of each protocol.
pub const PROTOCOLS: [Protocol; 5] = [
    conformance_tokenbind_wire::PROTOCOL,
    conformance_tokenbind_http::PROTOCOL,
    conformance_authres_tls::PROTOCOL,
    conformance_deep_latch::PROTOCOL,
    conformance_mail_implicit_tls::PROTOCOL,
];

/// Returns the live scenarios of all protocols.
pub fn scenarios() -> Vec<Scenario> {
    PROTOCOLS.iter().flat_map(Protocol::scenarios).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, error::Error, fs};

    use super::*;

    #[test]
    fn names_every_folder_of_evidence() -> Result<(), Box<dyn Error>> {
        let mut folders = BTreeSet::new();
        for entry in fs::read_dir(conformance::repository().join("crates"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            folders.extend(name.strip_prefix("conformance-").map(str::to_owned));
        }
        let named: BTreeSet<_> = PROTOCOLS.iter().map(|it| it.name.to_owned()).collect();
        assert_eq!(named, folders);
        Ok(())
    }

    #[test]
    fn annotates_suites_and_asks_versions_of_peers_that_exist() {
        let peers = scenarios().into_iter().filter_map(|it| it.peer);
        let peers: BTreeSet<_> = peers.flat_map(|it| it.split(", ")).collect();
        let asked = PROTOCOLS.iter().flat_map(|it| it.peers);
        let asked: BTreeSet<_> = asked.map(|it| it.name).collect();
        let unknown: Vec<_> = peers.difference(&asked).collect();
        assert_eq!(unknown, Vec::<&&str>::new());
        // Without the feature, the scenarios that have most peers are not built.
        if cfg!(feature = "interop") {
            assert_eq!(asked, peers);
        }
        for protocol in &PROTOCOLS {
            let suites: BTreeSet<_> = protocol.suites().map(|it| it.name).collect();
            for annotator in protocol.annotators {
                assert!(suites.contains(annotator.suite), "{}", annotator.suite);
            }
        }
    }

    #[test]
    fn gives_each_suite_and_scenario_a_name_of_its_own_below_its_protocol() {
        let mut names = BTreeSet::new();
        for protocol in &PROTOCOLS {
            let suites = protocol.suites().map(|suite| suite.name);
            let scenarios = protocol.scenarios().map(|scenario| scenario.name);
            for name in suites.chain(scenarios) {
                let below = name.split_once('/').map(|(protocol, _)| protocol);
                assert_eq!(below, Some(protocol.name), "{name}");
                assert!(names.insert(name), "{name} appears twice");
            }
        }
    }
}
