//! The invariants that hold for any octets: values of the field, the method `tls`, removed fields, written
//! and edited values, and sessions of the milter.

mod edit;
mod header;
pub mod method;
mod milter;
mod strip;
mod write;

pub use self::{
    edit::{edit, edit_any},
    header::header,
    milter::{milter, milter_session},
    strip::strip,
    write::{write, write_any},
};
