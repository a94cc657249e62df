//! The packets of a filter.

use alloc::vec::Vec;

use super::options::{MacroStage, Options};

/// A reply of a filter (`SMFIR_*`), or a change of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'r> {
    /// `SMFIC_OPTNEG`: the options that the filter chooses, and the macros that it needs.
    Negotiate(Options, &'r [(MacroStage, &'r str)]),
    /// `SMFIR_CONTINUE`: the MTA continues.
    Continue,
    /// `SMFIR_ACCEPT`: the filter sees no more of the message.
    Accept,
    /// `SMFIR_TEMPFAIL`: the client shall try later.
    TemporaryFailure,
    /// `SMFIR_SKIP`: the filter needs no more of the body.
    Skip,
    /// `SMFIR_PROGRESS`: the filter needs more time.
    Progress,
    /// `SMFIR_QUARANTINE`: the MTA keeps the message, for this reason.
    Quarantine(&'r str),
    /// `SMFIR_INSHEADER`: a field is inserted.
    InsertHeader {
        /// The number of fields before it. With 0 the field is the first of the message.
        index: u32,
        /// The field's name.
        name: &'r [u8],
        /// The field's value, with line breaks of LF.
        value: &'r [u8],
    },
    /// `SMFIR_CHGHEADER`: a field is changed. With an empty value it is removed.
    ChangeHeader {
        /// The place of the field among those of its name, counted from 1.
        index: u32,
        /// The field's name.
        name: &'r [u8],
        /// The field's new value, with line breaks of LF.
        value: &'r [u8],
    },
}

impl Reply<'_> {
    /// Writes the packet to the end of `out`. A NUL ends a text in this protocol, so a text is written up to its first
    /// NUL, and a packet longer than 4 GiB is not written; the filter of this crate sends neither.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0xff; 4]);
        match *self {
            Self::Negotiate(options, macros) => {
                out.push(b'O');
                for number in [options.version, options.actions.0, options.steps.0] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
                for (stage, names) in macros {
                    out.extend_from_slice(&stage.number().to_be_bytes());
                    text(out, names.as_bytes());
                }
            }
            Self::Continue => out.push(b'c'),
            Self::Accept => out.push(b'a'),
            Self::TemporaryFailure => out.push(b't'),
            Self::Skip => out.push(b's'),
            Self::Progress => out.push(b'p'),
            Self::Quarantine(reason) => {
                out.push(b'q');
                text(out, reason.as_bytes());
            }
            Self::InsertHeader { index, name, value } => header(out, b'i', index, name, value),
            Self::ChangeHeader { index, name, value } => header(out, b'm', index, name, value),
        }
        let length = out.len().saturating_sub(start).saturating_sub(4);
        let length = u32::try_from(length).ok();
        let place = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut::<4>);
        match length.zip(place) {
            Some((length, place)) => *place = length.to_be_bytes(),
            None => out.truncate(start),
        }
    }
}

fn header(out: &mut Vec<u8>, code: u8, index: u32, name: &[u8], value: &[u8]) {
    out.push(code);
    out.extend_from_slice(&index.to_be_bytes());
    text(out, name);
    text(out, value);
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().take_while(|octet| **octet != 0));
    out.push(0);
}
