//! Live scenarios of mail-implicit-tls with foreign peers: clients on our acceptor, our client on servers.

mod clients;
mod mailbox;
mod servers;
mod site;

use crate::live::Scenario;

/// The scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [clients::SCENARIOS, servers::SCENARIOS].concat()
}
