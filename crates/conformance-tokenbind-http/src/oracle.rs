//! The invariants that hold for any octets: headers, requests on a connection, redirects, ClientHellos, and sealed tokens.

mod requests;
mod sealed_token;

pub use self::{
    requests::*,
    sealed_token::{sealed_token, sealed_token_input},
};
