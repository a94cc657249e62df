// The README's examples need this feature, and are compiled if it is on.
#![cfg_attr(feature = "strip", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "strip"),
    doc = "`Authentication-Results` (RFC 8601), read and written, and its method `tls`: see the README."
)]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

#[cfg(feature = "strip")]
#[cfg_attr(docsrs, doc(cfg(feature = "strip")))]
pub mod border;
pub mod facts;
pub mod message;
#[cfg(feature = "milter")]
#[cfg_attr(docsrs, doc(cfg(feature = "milter")))]
pub mod milter;
pub mod policy;
pub mod registry;
mod slice;
#[cfg(feature = "strip")]
#[cfg_attr(docsrs, doc(cfg(feature = "strip")))]
pub mod strip;
pub mod syntax;
pub mod tls;
pub mod write;

#[cfg(feature = "strip")]
#[cfg_attr(docsrs, doc(cfg(feature = "strip")))]
pub use border::Border;
#[cfg(feature = "strip")]
#[cfg_attr(docsrs, doc(cfg(feature = "strip")))]
pub use strip::{AuthservId, StripPolicy, Stripper};
pub use {
    facts::Session,
    policy::Policy,
    syntax::{AuthenticationResults, Options, ParseError, ResInfo},
    tls::TlsResInfo,
    write::{AuthenticationResultsBuf, ResInfoBuf, WriteError, WriteOptions},
};
