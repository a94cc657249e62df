#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(any(feature = "latch-store", feature = "report-sink", feature = "rustls"))]
extern crate std;

#[cfg(feature = "async-imap")]
mod async_imap_connection;
mod cipher;
mod client;
mod dsn;
mod error;
mod facility;
mod facts;
mod failure;
#[cfg(feature = "serde")]
mod file_latch_store;
mod host;
mod imap;
mod imap_client;
mod imap_command;
mod imap_proxy;
mod imap_server;
mod imap_string;
mod latch;
#[cfg(feature = "latch-store")]
mod latch_store;
#[cfg(feature = "lettre")]
mod lettre_connection;
#[cfg(any(feature = "async-imap", feature = "lettre"))]
mod library;
mod pop;
mod pop_client;
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
#[cfg(feature = "rustls")]
mod rustls_facts;
mod server;
mod smtp;
mod smtp_client;
#[cfg(feature = "sqlx-sqlite")]
mod sqlx_latch_store;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
mod sqlx_report_sink;
mod status;
#[cfg(feature = "tls-parser")]
mod strength;
mod tag;
#[cfg(feature = "tokio")]
mod tokio_client;
#[cfg(feature = "tokio-rustls")]
mod tokio_rustls_client;

pub use {
    cipher::{TlsCipher, parse_tls_clause, split_tls_clause, tls_clause},
    client::{Client, ClientError, ClientEvent, ClientOptions, Demand, Protocol, TlsStart},
    dsn::{
        SECURITY_LATCH_FIELD, parse_security_latch, parse_security_latch_body, security_latch_field,
    },
    error::{EncodeError, ErrorKind, ParseError},
    facility::{
        Achievement, AlreadyKnown, Authentication, DaneIdentity, Facilities, MIN_STRENGTH_BITS,
        OnTlsaMismatch, Rule,
    },
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion,
        SessionFacts, TlsFacts,
    },
    failure::{Action, CertificateFailure, CertificateFault, HandshakeFault, LatchFailure, Stage},
    host::{Host, MAX_HOST_BYTES, NotAHost},
    imap::{
        Capabilities, IdParameters, MAX_ID_FIELD_BYTES, MAX_ID_PAIRS, MAX_ID_VALUE_BYTES,
        report_of, status_of, status_parameters,
    },
    imap_client::{
        Imap, ImapClient, MAX_IMAP_LINE_BYTES, MAX_IMAP_LITERAL_BYTES, MAX_IMAP_RESPONSE_BYTES,
        MAX_IMAP_UNTAGGED,
    },
    imap_proxy::{ImapProxy, MAX_PROXY_COMMAND_BYTES, MAX_PROXY_RESPONSE_BYTES},
    imap_server::{CommandReader, IdCommand, MAX_ID_COMMAND_BYTES, Received},
    latch::{Basis, Event, LatchSession, Outcome, Reason, Requirements, Step, Transition},
    pop::{MAX_CAPA_LINE_BYTES, capa_line, parse_capa_line, parse_capa_line_with},
    pop_client::{MAX_CAPA_LINES, MAX_POP_LINE_BYTES, Pop, PopClient},
    protocol::MailProtocol,
    proxy::{ForwardError, Forwarded, InboundTls, client_line, forward_client, forward_id},
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
    smtp_client::{MAX_SMTP_LINE_BYTES, MAX_SMTP_LINES, NotADomain, Smtp, SmtpClient},
    status::{DeepStatus, DeepTag, Diagnostic, MAX_STATUS_BYTES, StatusOptions, StatusUrl},
    tag::{MAX_TAG_BYTES, MAX_TAGS, SecurityTag, Separator, join_tags, parse_tags},
};

#[cfg(feature = "async-imap")]
pub use async_imap_connection::{ImapConnection, ImapLoginError, ImapStream};
#[cfg(feature = "serde")]
pub use file_latch_store::{FileLatchStore, FileLatchStoreOptions, MAX_FILE_BYTES};
#[cfg(feature = "latch-store")]
pub use latch_store::{
    Account, LatchStore, LatchStoreError, LatchStoreErrorKind, MAX_ACCOUNT_BYTES, MemoryLatchStore,
    NotAnAccount, RECORDS_PER_BATCH, StoreFuture,
};
#[cfg(feature = "lettre")]
pub use lettre_connection::{SmtpConnection, SmtpConnectionError};
#[cfg(feature = "report-sink")]
pub use report_sink::{
    BrokenProgram, BrokenVersion, CLIENTS_PER_BATCH, Clients, MAX_CLIENTS_PER_ACCOUNT,
    MAX_PROGRAMS, MAX_REPORT_ACCOUNT_BYTES, MAX_ROWS, MAX_SOFTWARE_BYTES, MAX_TAGS_PER_CLIENT,
    MAX_VERSIONS, MemoryReportSink, ProgramCount, ReceivedReport, ReportRefusal, ReportSink,
    ReportSinkError, ReportSinkErrorKind, SinkFuture, SinkNames, SoftwareCounts, TagCount,
    VersionCount, WhatBreaks,
};
#[cfg(feature = "rustls")]
pub use rustls_facts::{
    DeferredServerVerifier, OnCertificateFailure, ServerJudge, ServerVerdicts, StillHandshaking,
    client_config, protocol_versions,
};
#[cfg(feature = "sqlx-sqlite")]
pub use sqlx_latch_store::{SqliteLatchStore, SqliteOptions};
#[cfg(feature = "sqlx-postgres")]
pub use sqlx_report_sink::PostgresReportSink;
#[cfg(feature = "sqlx-sqlite")]
pub use sqlx_report_sink::SqliteReportSink;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
pub use sqlx_report_sink::{ReportSinkBackend, ReportSinkOptions, SqlxReportSink};
#[cfg(feature = "tls-parser")]
pub use strength::strength_bits;
#[cfg(feature = "tokio")]
pub use tokio_client::{Pause, Rewound, RunError, run};
#[cfg(feature = "tokio-rustls")]
pub use tokio_rustls_client::{Dane, LatchConnector, MailStream};
