//! Foreign mail servers that the live scenarios of several protocols start: their versions, and the part of their
//! configuration that does not depend on the protocol.

pub mod dovecot;
pub mod nginx;
