#![doc = include_str!("../README.md")]
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
mod token;
mod verify;

#[cfg(feature = "pki-types")]
pub use pki_types::PkiTypes;
#[cfg(feature = "rustcrypto")]
pub use rustcrypto::{P256Key, Rsa2048Key, RustCrypto};
pub use {
    alpn::{
        ApplicationProtocol, Negotiated, NegotiationError, ProtocolVersion, Selection, TlsFacts,
        TokenBindingAlpn, check_server_choice, select,
    },
    error::{DecodeError, EncodeError, EncodeErrorKind, ErrorKind},
    establish::{
        Established, Outcome, Position, Referred, Session, TerminateKind, TerminateReason,
        VerifiedBinding, establish,
    },
    id::{ProvidedIdRef, TokenBindingId, TokenBindingIdRef},
    key::{EcdsaParamsRef, KeyParameters, PublicKey, PublicKeyRef, RsaPublicKeyRef},
    message::{
        Extension, ExtensionRef, Extensions, TokenBinding, TokenBindingMessage,
        TokenBindingMessageRef, TokenBindingRef, UnreadableTail,
    },
    profile::{DecodeOptions, EncodingProfile, Limits, PointEncoding, SignatureEncoding},
    registry::{
        ExtensionType, HashAlgorithm, NamedCurve, SignatureAlgorithm, SignatureAndHashAlgorithm,
        TokenBindingType,
    },
    sign::{MessageError, Sign, SignError, message},
    signature::Signature,
    tls_unique::{Handshake, SignedOctets, TlsUnique, TlsUniqueError},
    token::{BearerPolicy, DiscardReason, TokenClaim, TokenVerdict, check_token},
    verify::{SignatureInvalid, Verify},
};
