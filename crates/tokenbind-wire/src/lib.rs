// The README's examples need these features, and are compiled if they are on.
#![cfg_attr(all(feature = "pki-types", feature = "rustcrypto"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "pki-types", feature = "rustcrypto")),
    doc = "The Token Binding Protocol: messages, identifiers, keys, signing and verifying: see the README."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

extern crate alloc;

mod alpn;
mod codec;
mod curve;
mod error;
mod establish;
mod id;
mod key;
mod message;
#[cfg(feature = "pki-types")]
mod pki_types;
mod profile;
pub mod registry;
#[cfg(feature = "rustcrypto")]
mod rustcrypto;
mod sign;
mod signature;
mod tls_unique;
pub mod token;
mod verify;

#[cfg(feature = "pki-types")]
#[cfg_attr(docsrs, doc(cfg(feature = "pki-types")))]
pub use pki_types::PkiTypes;
#[cfg(feature = "rustcrypto")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustcrypto")))]
pub use rustcrypto::{P256Key, Rsa2048Key, RustCrypto};
pub use {
    alpn::{
        ApplicationProtocol, Negotiated, NegotiationError, ProtocolVersion, Selection, TlsFacts,
        TokenBindingAlpn,
    },
    error::{DecodeError, EncodeError, EncodeErrorKind, ErrorKind},
    establish::{
        Established, Outcome, Position, Referred, Session, TerminateKind, TerminateReason,
        VerifiedBinding, establish,
    },
    id::{ProvidedIdRef, TokenBindingId, TokenBindingIdRef},
    key::{EcdsaParamsRef, KeyParameters, PublicKey, PublicKeyRef, RsaPublicKeyRef},
    message::{
        ExtensionRef, Extensions, TokenBindingMessageRef, TokenBindingRef, UnreadableTail,
        owned::{Extension, TokenBinding, TokenBindingMessage},
    },
    profile::{DecodeOptions, EncodingProfile, Limits, PointEncoding, SignatureEncoding},
    registry::{SignatureAndHashAlgorithm, TokenBindingType},
    sign::{MessageError, Sign, SignError, sign_message},
    signature::Signature,
    tls_unique::{Handshake, SignedOctets, TlsUnique, TlsUniqueError},
    verify::{SignatureInvalid, Verify},
};
