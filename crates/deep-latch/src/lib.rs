#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod cipher;
mod error;
mod facility;
mod facts;
mod host;
mod latch;
mod record;
mod report;
mod rules;
mod status;
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
