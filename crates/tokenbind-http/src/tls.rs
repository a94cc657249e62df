//! Feature `rustls`: the negotiation of Token Binding with rustls (draft-popov-token-binding-00
//! section 3, draft-balfanz-https-token-binding-00 section 4.3).
//!
//! A server has two configurations, [`ServerConfigs`], and chooses one for each client from its
//! ClientHello. A client has one, that of [`client_config`]. [`ServerNegotiation`] and
//! [`ClientNegotiation`] lead through one handshake in order; they do no I/O. With feature `tokio`,
//! `server::Acceptor` and `client::Connector` do the handshake as well.

mod client_hello;
mod configs;
mod negotiation;
pub(crate) mod sessions;
mod tls12_handshake;

#[cfg(feature = "tokio")]
use rustls::CommonState;
#[cfg(feature = "tokio")]
use tokenbind_wire::{ApplicationProtocol, TokenBindingAlpn};

pub use client_hello::{
    Choice, ClientOffer, ClientOfferError, MAX_CLIENT_HELLO_BYTES, PlainReason, VersionPreference,
};
pub use configs::{ServerConfigs, SessionError, client_config, client_session};
pub use negotiation::{ClientNegotiation, ServerNegotiation};

/// Returns `true` if HTTP/2 was negotiated, with or without Token Binding.
#[cfg(feature = "tokio")]
pub(crate) fn is_http2(connection: &CommonState) -> bool {
    let http2 = ApplicationProtocol::Http2;
    connection.alpn_protocol().is_some_and(|chosen| {
        let token_binding = TokenBindingAlpn::parse(chosen);
        chosen == http2.alpn().as_bytes()
            || token_binding.is_some_and(|alpn| alpn.application_protocol() == http2)
    })
}
