#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(feature = "report-sink")]
extern crate std;

mod cipher;
mod error;
mod facility;
mod facts;
mod host;
mod latch;
mod protocol;
mod record;
mod report;
#[cfg(feature = "report-sink")]
mod report_sink;
mod rules;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
mod sqlx_report_sink;
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
    protocol::Protocol,
    record::LatchRecord,
    report::{ClientReport, FieldNames},
    status::{DeepStatus, DeepTag, Diagnostic, MAX_STATUS_BYTES, StatusOptions, StatusUrl},
    tag::{MAX_TAG_BYTES, MAX_TAGS, SecurityTag, Separator, join_tags, parse_tags},
};

#[cfg(feature = "report-sink")]
pub use report_sink::{
    Broken, CLIENTS_PER_BATCH, Clients, MAX_ACCOUNT_BYTES, MAX_CLIENTS_PER_ACCOUNT, MAX_ROWS,
    MAX_SOFTWARE_BYTES, MAX_TAGS_PER_CLIENT, MemoryReportSink, ReceivedReport, ReportRefusal,
    ReportSink, ReportSinkError, ReportSinkErrorKind, SinkFuture, SoftwareCount, SoftwareCounts,
    TagCount, WhatBreaks,
};
#[cfg(feature = "sqlx-postgres")]
pub use sqlx_report_sink::PostgresReportSink;
#[cfg(feature = "sqlx-sqlite")]
pub use sqlx_report_sink::SqliteReportSink;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
pub use sqlx_report_sink::{ReportSinkBackend, ReportSinkOptions, SqlxReportSink};
