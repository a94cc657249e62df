// The README's examples need these features, and are compiled if they are on.
#![cfg_attr(
    all(feature = "async-imap", feature = "file-store", feature = "lettre"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "async-imap", feature = "file-store", feature = "lettre")),
    doc = "Security latches for e-mail, for clients and servers of IMAP, POP and SMTP: see the README."
)]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(feature = "latch-store", feature = "reports", feature = "verifier"))]
extern crate std;

pub mod cipher;
pub mod client;
#[cfg(feature = "stream")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub mod connection;
pub mod dsn;
mod error;
pub mod facility;
pub mod facts;
pub mod failure;
pub mod host;
pub mod imap;
pub mod latch;
pub mod pop;
mod protocol;
pub mod proxy;
pub mod registry;
pub mod relay;
pub mod report;
#[cfg(feature = "reports")]
#[cfg_attr(docsrs, doc(cfg(feature = "reports")))]
pub mod reports;
mod rules;
pub mod server;
pub mod smtp;
pub mod status;
#[cfg(feature = "latch-store")]
#[cfg_attr(docsrs, doc(cfg(feature = "latch-store")))]
pub mod store;
pub mod tag;
#[cfg(feature = "verifier")]
#[cfg_attr(docsrs, doc(cfg(feature = "verifier")))]
pub mod verifier;

pub use {
    cipher::TlsCipher,
    error::{EncodeError, EncodeErrorKind, ErrorKind, ParseError},
    facility::Facilities,
    facts::TlsFacts,
    host::Host,
    imap::ImapClient,
    latch::{LatchRecord, LatchSession},
    pop::PopClient,
    protocol::MailProtocol,
    report::ClientReport,
    server::Advertisement,
    smtp::SmtpClient,
    status::DeepStatus,
    tag::SecurityTag,
};
