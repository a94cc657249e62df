//! Live scenarios of mail-implicit-tls with foreign peers: clients on our acceptor, our client on servers, our
//! resolvers on a signed DNS tree.

mod answers;
pub(crate) mod clients;
pub(crate) mod command;
pub(crate) mod dane;
mod mailbox;
pub(crate) mod resolvers;
pub(crate) mod servers;
mod site;
mod tree;
