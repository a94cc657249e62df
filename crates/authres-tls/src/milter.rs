//! Feature `milter`: the filter's side of the milter protocol, versions 2 to 6, as Postfix and Sendmail speak it, and a
//! filter that removes forged fields and inserts the local one. No I/O: octets in, octets out.
//!
//! ```
//! # use std::sync::Arc;
//! use authres_tls::{Border, milter::{MilterSession, MilterSettings}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = MilterSettings::new(Border::try_new("mx.example.org")?);
//! let mut session = MilterSession::new(Arc::new(settings));
//! let mut replies = Vec::new();
//! // The MTA offers version 6, all actions, and all steps.
//! session.receive(b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff", &mut replies)?;
//! assert_eq!(replies[4], b'O');
//! # Ok(())
//! # }
//! ```

mod command;
mod error;
mod event;
mod message;
mod options;
mod reply;
mod session;
mod settings;
mod stage;

pub use self::{
    command::{Command, MAX_PACKET, Macros, PacketReader, Peer},
    error::{DecodeError, DecodeErrorKind},
    event::{Event, Failure, MessageReport, Outcome, Removed},
    message::MAX_HEADER,
    options::{Actions, MacroStage, OLDEST_VERSION, Options, Steps, VERSION},
    reply::Reply,
    session::MilterSession,
    settings::{MilterSettings, OnFailure},
};
