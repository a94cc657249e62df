#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod check;
mod error;
mod file;
mod lock;

pub use check::Access;
pub use error::{Error, ErrorKind};
pub use file::{Seen, StoreFile};
pub use lock::Lock;
