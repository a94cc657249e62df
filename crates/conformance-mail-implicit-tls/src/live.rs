//! Live scenarios of mail-implicit-tls with foreign peers: clients on our acceptor, our client on servers, our
//! resolvers on a signed DNS tree.

mod answers;
mod clients;
mod dane;
mod mailbox;
mod resolvers;
mod servers;
mod site;
mod tree;

use crate::live::Scenario;

/// The scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        clients::SCENARIOS,
        servers::SCENARIOS,
        resolvers::SCENARIOS,
        dane::SCENARIOS,
    ]
    .concat()
}
