//! The invariants that hold for any octets: values of the field, the method `tls`, removed fields, written
//! values, and sessions of the milter.

mod header;
pub mod method;
mod milter;
mod strip;
mod write;

pub use self::{
    header::header,
    milter::{milter, milter_session},
    strip::strip,
    write::{edit, edit_any, write, write_any},
};
