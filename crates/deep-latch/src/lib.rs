#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(feature = "report-sink")]
extern crate std;

mod cipher;
mod dsn;
mod error;
mod facility;
mod facts;
mod host;
mod imap;
mod imap_server;
mod latch;
mod pop;
mod protocol;
mod proxy;
mod recipient_block;
mod record;
mod registry;
mod relay;
mod report;
#[cfg(feature = "report-sink")]
mod report_sink;
mod rules;
mod server;
mod smtp;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
mod sqlx_report_sink;
mod status;
mod tag;

pub use {
    cipher::{TlsCipher, parse_tls_clause, split_tls_clause, tls_clause},
    dsn::{
        SECURITY_LATCH_FIELD, parse_security_latch, parse_security_latch_body, security_latch_field,
    },
    error::{EncodeError, ErrorKind, ParseError},
    facility::{
        Achievement, AlreadyKnown, Authentication, DaneIdentity, Facilities, MIN_STRENGTH_BITS,
        Rule,
    },
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion,
        SessionFacts, TlsFacts,
    },
    host::{Host, MAX_HOST_BYTES, NotAHost},
    imap::{
        Capabilities, IdParameters, MAX_ID_FIELD_BYTES, MAX_ID_PAIRS, MAX_ID_VALUE_BYTES,
        report_of, status_of, status_parameters,
    },
    imap_server::{IdCommand, MAX_ID_COMMAND_BYTES, Received, receive_command},
    latch::{
        Action, Basis, Event, LatchFailure, LatchSession, Outcome, Reason, Requirements, Stage,
        Step, Transition,
    },
    pop::{MAX_CAPA_LINE_BYTES, capa_line, parse_capa_line, parse_capa_line_with},
    protocol::Protocol,
    proxy::{ForwardError, Forwarded, InboundTls, forward_client, forward_id},
    recipient_block::{add_security_latch, delivery_status_blocks, security_latch_of},
    record::LatchRecord,
    registry::{DEEP, Finding, IntendedUsage, Origin, Registration, Registry},
    relay::{Cause, RelayReply, ReplyTo, SecurityDetail},
    report::{ClientReport, FieldNames},
    server::{Advertisement, AdvertisementConfig, Advice, Answer, NotAdvertisable, TlsField},
    smtp::{
        MAX_CLIENT_COMMAND_BYTES, MAX_EHLO_LINE_BYTES, ehlo_keyword, parse_client,
        parse_ehlo_keyword, parse_ehlo_keyword_with,
    },
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
