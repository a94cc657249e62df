//! The invariants that hold for any octets: values of the field, the method `tls`, removed fields, and written values.

mod header;
pub mod method;
mod strip;
mod write;

pub use self::{
    header::header,
    strip::strip,
    write::{edit, edit_any, write, write_any},
};
