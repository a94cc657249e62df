//! IMAP, draft-newman-email-deep-02 section 7.1: the capability, the parameters of ID (RFC 2971), the commands of a
//! connection, and the client's side of one.

mod capability;
mod client;
pub(crate) mod command;
mod id;
mod id_command;
pub(crate) mod reader;
pub(crate) mod string;

pub use {
    capability::Capabilities,
    client::{
        Imap, ImapClient, MAX_IMAP_LINE_BYTES, MAX_IMAP_LITERAL_BYTES, MAX_IMAP_RESPONSE_BYTES,
        MAX_IMAP_UNTAGGED,
    },
    id::{IdParameters, IdStatus, MAX_ID_FIELD_BYTES, MAX_ID_PAIRS, MAX_ID_VALUE_BYTES},
    id_command::IdCommand,
    reader::{CommandReader, MAX_ID_COMMAND_BYTES, Received},
};

pub(crate) use {
    capability::{begins_other_data, capability_list, capability_words},
    client::has_literals,
};
