#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod account;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod client;
#[cfg(feature = "verifier")]
#[cfg_attr(docsrs, doc(cfg(feature = "verifier")))]
pub mod dane;
#[cfg(feature = "deep")]
#[cfg_attr(docsrs, doc(cfg(feature = "deep")))]
pub mod deep;
pub mod dialogue;
pub mod dns;
pub mod external;
pub mod failure;
pub mod identity;
pub mod name;
pub mod pin;
pub mod privacy;
pub mod received;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub mod server;
pub mod service;
pub mod setup;
pub mod srv;
pub mod verdict;
#[cfg(feature = "verifier")]
#[cfg_attr(docsrs, doc(cfg(feature = "verifier")))]
pub mod verifier;

pub use {
    account::Account, failure::Failure, identity::ReferenceIdentity, name::DomainName,
    privacy::PrivacyLevel, service::Service, verdict::Verdict,
};
