// The README's examples need these features, and are compiled if they are on.
#![cfg_attr(
    all(
        feature = "client",
        feature = "consumer",
        feature = "hyper",
        feature = "key-file",
        feature = "sealed-tokens",
        feature = "token-store"
    ),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(
        feature = "client",
        feature = "consumer",
        feature = "hyper",
        feature = "key-file",
        feature = "sealed-tokens",
        feature = "token-store"
    )),
    doc = "Token Binding over HTTP for servers, clients and reverse proxies: see the README."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bindings;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod client;
pub mod federation;
pub mod header;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod keys;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod origin;
#[cfg(feature = "proxy")]
#[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
pub mod proxy;
#[cfg(feature = "sealed-tokens")]
#[cfg_attr(docsrs, doc(cfg(feature = "sealed-tokens")))]
pub mod sealed_tokens;
pub mod server;
#[cfg(feature = "rustls")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustls")))]
pub mod tls;
#[cfg(feature = "tls-unique")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls-unique")))]
pub mod tls_unique;
#[cfg(feature = "token-store")]
#[cfg_attr(docsrs, doc(cfg(feature = "token-store")))]
pub mod token_store;

pub use bindings::{ProvidedTokenBinding, ReferredTokenBinding, TokenBindings};
