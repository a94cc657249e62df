#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod dn;
mod error;
mod evaluate;
mod facts;
mod message;
#[cfg(feature = "milter")]
mod milter;
mod options;
#[cfg(feature = "postfix")]
mod postfix;
pub mod registry;
#[cfg(feature = "rustls")]
mod rustls_session;
mod san;
mod scan;
#[cfg(feature = "idna")]
mod strip;
mod syntax;
mod text;
mod tls;
mod write;
#[cfg(feature = "x509-parser")]
mod x509;

#[cfg(feature = "milter")]
pub use milter::{MilterMacros, Mta};
#[cfg(feature = "rustls")]
pub use rustls_session::{DeferredClientVerifier, StillHandshaking};
#[cfg(feature = "idna")]
pub use strip::{
    AUTHENTICATION_RESULTS, AuthservId, AuthservIdError, Disguise, Removal, StripPolicy,
    StripReason, StripScope, StripVerdict, Stripped, Stripper,
};
pub use {
    dn::{Attribute, AttributeValue, DistinguishedName, DnForm, Rdn, Rdns},
    error::{Diagnostic, DiagnosticKind, ErrorKind, ParseError},
    evaluate::{
        Disclosure, FingerprintOf, Outweigh, Policy, RateStrength, TlsReport, evaluate,
        rate_strength,
    },
    facts::{
        CertificateFields, ChainVerdict, ClientCertificate, DaneVerdict, HostVerdict, LocalVerdict,
        PresentedCertificate, Session, TlsSession,
    },
    message::{Field, fields},
    options::{Limits, Mode, Options},
    san::{AltName, AltNames},
    scan::authserv_id,
    syntax::{AuthenticationResults, Body, Comment, Element, Number, Property, ResInfo},
    text::{Form, Span, Text},
    tls::{
        NotTls, TlsDiagnostic, TlsDiagnosticKind, TlsResInfo,
        cipher_suite::CipherSuite,
        error::{Conflict, PropertyError, ValueError, ValueErrorKind},
        fingerprint::{Fingerprint, FingerprintAlgorithm},
        keyword::{Strength, TlsProperty, TlsResult, Verification, Word},
        lint::{TlsLint, TlsLintKind},
        version::ProtocolVersion,
    },
    write::{
        AuthenticationResultsBuf, CommentBuf, HARD_LINE_LIMIT, Indent, Instance, Keyword,
        PropertyBuf, ResInfoBuf, SOFT_LINE_LIMIT, Value, WriteError, WriteErrorKind, WriteOptions,
    },
};
