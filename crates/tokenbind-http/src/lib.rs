#![doc = include_str!("../README.md")]

mod header;
#[cfg(feature = "rustls")]
mod tls_unique;

pub use header::{
    HeaderError, HeaderErrorKind, HeaderOptions, MAX_HEADER_BYTES, TOKEN_BINDING, decode_header,
    encode_header,
};
#[cfg(feature = "rustls")]
pub use tls_unique::{Capture, CaptureError, CaptureFuture, capturing};
