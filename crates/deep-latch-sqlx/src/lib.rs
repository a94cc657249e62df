#![doc = include_str!("../README.md")]
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
