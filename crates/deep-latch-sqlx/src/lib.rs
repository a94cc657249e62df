// The README's examples need this feature, and are compiled if it is on.
#![cfg_attr(feature = "sqlite", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "sqlite"),
    doc = "SQL stores of `deep-latch`, and the command of a mail service's operator: see the README."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "sqlite")]
mod latches;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod reports;

#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use {
    latches::{SqliteLatchStore, SqliteOptions},
    reports::SqliteReportSink,
};

#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use reports::PostgresReportSink;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "postgres", feature = "sqlite"))))]
pub use reports::{ReportSinkBackend, ReportSinkOptions, SqlxReportSink};
