#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod check;
mod error;
mod file;
mod lock;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "postgres", feature = "sqlite"))))]
pub mod sql;

pub use error::{Error, ErrorKind};
pub use file::{Seen, StoreFile};
pub use lock::Lock;
