// The README's examples need these features, and are compiled where they are on.
#![cfg_attr(
    all(feature = "async-imap", feature = "autoconfig-fetch", feature = "dns", feature = "lettre", feature = "monitor", feature = "platform-roots", feature = "server"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(
        feature = "async-imap",
        feature = "autoconfig-fetch",
        feature = "dns",
        feature = "lettre",
        feature = "monitor",
        feature = "platform-roots",
        feature = "server"
    )),
    doc = "Implicit TLS for POP, IMAP and Submission, for mail clients and servers: see the README."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod account;
mod calendar;
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
#[cfg(feature = "gateway")]
#[cfg_attr(docsrs, doc(cfg(feature = "gateway")))]
pub mod gateway;
pub mod identity;
#[cfg(feature = "monitor")]
#[cfg_attr(docsrs, doc(cfg(feature = "monitor")))]
pub mod monitor;
pub mod name;
pub mod pin {
    //! Certificate pins, draft-newman-email-deep-02 section 3.2.
    //!
    //! A pin is made while an account is set up ([`AccountSetup::pin`](crate::account::AccountSetup::pin)) and in no
    //! other way: there is no function that makes one of a failed connection. It belongs to one server of one account,
    //! replaces PKIX for that server, and never gives the high privacy level.

    pub use crate::account::pin::{
        Fingerprint, FingerprintError, MAX_CERTIFICATE_BYTES, MAX_PINS, Pin, judge,
    };
}
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
