//! Federation (draft-balfanz-https-token-binding-00 section 3): a token provider issues a token that is
//! bound to the client's key with a token consumer.
//!
//! A consumer permits the client to reveal its binding with `redirect_to_provider` (feature `consumer`).
//! The client decides with `Permission` (feature `client`). The provider issues what [`TokenToIssue`]
//! decides.

#[cfg(feature = "consumer")]
mod consumer;
#[cfg(feature = "client")]
mod permission;
mod provider;

#[cfg(feature = "consumer")]
#[cfg_attr(docsrs, doc(cfg(feature = "consumer")))]
pub use consumer::{
    PermissionError, permit_referral, redirect_to_provider, redirect_to_provider_with,
};
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use permission::{Disclosure, Party, Permission, Referral, WithheldReason};
pub use provider::{TokenToIssue, UnboundReason};
