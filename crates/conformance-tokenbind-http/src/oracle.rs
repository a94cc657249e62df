//! The invariants that hold for any octets: headers, requests on a connection, redirects, ClientHellos, and sealed tokens. Each
//! oracle states its rule once more, independently, and compares.

mod client_hello;
mod header;
mod redirects;
mod requests;
mod sealed_token;
mod session;

pub use self::{
    client_hello::client_hello,
    header::header,
    redirects::{Hop, redirect, redirects, script},
    requests::{request_sequence, requests},
    sealed_token::{sealed_token, sealed_token_input},
};
