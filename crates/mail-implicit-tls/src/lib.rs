#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod account;
pub mod failure;
pub mod identity;
pub mod name;
pub mod pin;
pub mod privacy;
pub mod service;
pub mod verdict;
#[cfg(feature = "verifier")]
#[cfg_attr(docsrs, doc(cfg(feature = "verifier")))]
pub mod verifier;

pub use {
    account::Account, failure::Failure, identity::ReferenceIdentity, name::DomainName,
    privacy::PrivacyLevel, service::Service, verdict::Verdict,
};
