#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(any(feature = "latch-store", feature = "rustls"))]
extern crate std;

mod cipher;
mod error;
mod facility;
mod facts;
#[cfg(feature = "serde")]
mod file_latch_store;
mod host;
mod latch;
#[cfg(feature = "latch-store")]
mod latch_store;
mod record;
mod report;
mod rules;
#[cfg(feature = "rustls")]
mod rustls_facts;
#[cfg(feature = "sqlx-sqlite")]
mod sqlx_latch_store;
mod status;
#[cfg(feature = "tls-parser")]
mod strength;
mod tag;

pub use {
    cipher::TlsCipher,
    error::{ErrorKind, ParseError},
    facility::{
        Achievement, AlreadyKnown, Authentication, DaneIdentity, Facilities, MIN_STRENGTH_BITS,
        Rule,
    },
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion,
        SessionFacts, TlsFacts,
    },
    host::{Host, MAX_HOST_BYTES, NotAHost},
    latch::{
        Action, Basis, Event, LatchFailure, LatchSession, Outcome, Reason, Requirements, Stage,
        Step, Transition,
    },
    record::LatchRecord,
    report::{ClientReport, FieldNames},
    status::{DeepStatus, DeepTag, Diagnostic, MAX_STATUS_BYTES, StatusOptions, StatusUrl},
    tag::{MAX_TAG_BYTES, MAX_TAGS, SecurityTag, Separator, join_tags, parse_tags},
};

#[cfg(feature = "serde")]
pub use file_latch_store::{FileLatchStore, MAX_FILE_BYTES};
#[cfg(feature = "latch-store")]
pub use latch_store::{
    Account, LatchStore, LatchStoreError, LatchStoreErrorKind, MAX_ACCOUNT_BYTES, MemoryLatchStore,
    NotAnAccount, RECORDS_PER_BATCH, StoreFuture,
};
#[cfg(feature = "rustls")]
pub use rustls_facts::{
    DeferredServerVerifier, OnCertificateFailure, StillHandshaking, client_config,
    protocol_versions,
};
#[cfg(feature = "sqlx-sqlite")]
pub use sqlx_latch_store::{SqliteLatchStore, SqliteOptions};
#[cfg(feature = "tls-parser")]
pub use strength::strength_bits;
