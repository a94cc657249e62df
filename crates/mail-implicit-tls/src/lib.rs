#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "dane")]
#[cfg_attr(docsrs, doc(cfg(feature = "dane")))]
pub mod dane;
pub mod dns;
pub mod failure;
pub mod identity;
pub mod name;
pub mod privacy;
pub mod service;
pub mod setup;
pub mod srv;
pub mod verdict;

pub use {
    failure::Failure, identity::ReferenceIdentity, name::DomainName, privacy::PrivacyLevel,
    service::Service, verdict::Verdict,
};
