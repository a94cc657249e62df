//! The session of a connection, for the oracles of requests and redirects.

use conformance::oracle::{Broken, broken};
use conformance_tokenbind_wire::case::FACTS;
use tokenbind_wire::{Negotiated, Session, TlsUnique, TokenBindingAlpn};

pub(super) fn session(alpn: TokenBindingAlpn, connection: u8) -> Result<Session, Broken> {
    Ok(Session {
        negotiated: Negotiated::try_new(alpn, FACTS).map_err(broken)?,
        tls_unique: TlsUnique::from_engine(&[connection; 12], FACTS).map_err(broken)?,
    })
}
