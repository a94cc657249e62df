//! The negotiation of options: protocol version, actions of the filter, steps of the protocol, lists of macros.

use core::ops::{BitAnd, BitOr};

/// The highest protocol version that the crate supports: that of Sendmail 8.14 and Postfix 2.6 and later.
pub const VERSION: u32 = 6;

/// The oldest protocol version: that of Sendmail 8.12.
pub const OLDEST_VERSION: u32 = 2;

/// Defines a set of bits with its operations.
macro_rules! bits {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $bit:ident = $value:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name(pub u32);

        impl $name {
            $($(#[$item])* pub const $bit: Self = Self($value);)*

            /// Returns `true` if all bits of `other` are set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Returns the bits that `other` lacks.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }

        impl BitAnd for $name {
            type Output = Self;

            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }
    };
}

bits! {
    /// The changes that a filter may make to a message (`SMFIF_*`).
    Actions {
        /// `SMFIF_ADDHDRS`: fields are added and inserted.
        ADD_HEADERS = 0x1;
        /// `SMFIF_CHGHDRS`: fields are changed and removed.
        CHANGE_HEADERS = 0x10;
        /// `SMFIF_QUARANTINE`: the message is kept by the MTA.
        QUARANTINE = 0x20;
        /// `SMFIF_SETSYMLIST`: the filter names the macros that it needs.
        SET_MACROS = 0x100;
    }
}

bits! {
    /// The steps of the protocol that the MTA omits or carries out in another way (`SMFIP_*`).
    Steps {
        /// `SMFIP_NORCPT`: recipients are not sent.
        NO_RECIPIENT = 0x8;
        /// `SMFIP_NOBODY`: the body is not sent.
        NO_BODY = 0x10;
        /// `SMFIP_NOEOH`: the end of the header is not sent.
        NO_END_OF_HEADER = 0x40;
        /// `SMFIP_NR_HDR`: a field has no reply.
        NO_REPLY_HEADER = 0x80;
        /// `SMFIP_NOUNKNOWN`: unknown SMTP commands are not sent.
        NO_UNKNOWN = 0x100;
        /// `SMFIP_NODATA`: `DATA` is not sent.
        NO_DATA = 0x200;
        /// `SMFIP_SKIP`: the filter may skip the rest of a body.
        SKIP = 0x400;
        /// `SMFIP_NR_CONN`: a connection has no reply.
        NO_REPLY_CONNECT = 0x1000;
        /// `SMFIP_NR_HELO`: a greeting has no reply.
        NO_REPLY_HELO = 0x2000;
        /// `SMFIP_NR_MAIL`: a sender has no reply.
        NO_REPLY_MAIL = 0x4000;
        /// `SMFIP_NR_RCPT`: a recipient has no reply.
        NO_REPLY_RECIPIENT = 0x8000;
        /// `SMFIP_NR_DATA`: `DATA` has no reply.
        NO_REPLY_DATA = 0x1_0000;
        /// `SMFIP_NR_UNKN`: an unknown command has no reply.
        NO_REPLY_UNKNOWN = 0x2_0000;
        /// `SMFIP_NR_EOH`: the end of the header has no reply.
        NO_REPLY_END_OF_HEADER = 0x4_0000;
        /// `SMFIP_NR_BODY`: a piece of the body has no reply.
        NO_REPLY_BODY = 0x8_0000;
        /// `SMFIP_HDR_LEADSPC`: values begin after the colon, white space included, in both directions.
        LEADING_SPACE = 0x10_0000;
    }
}

/// The version, actions and steps that an MTA offers, or that a filter answers (`SMFIC_OPTNEG`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The protocol version.
    pub version: u32,
    /// The actions.
    pub actions: Actions,
    /// The steps.
    pub steps: Steps,
}

/// The stage of a session for which a filter names macros (`SMFIM_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacroStage {
    /// The connection.
    Connect,
    /// The greeting.
    Helo,
    /// The sender.
    Mail,
    /// A recipient.
    Recipient,
    /// The command `DATA`.
    Data,
    /// The end of the message.
    EndOfMessage,
    /// The end of the header.
    EndOfHeader,
}

impl MacroStage {
    /// Returns the number of the stage in the protocol.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Connect => 0,
            Self::Helo => 1,
            Self::Mail => 2,
            Self::Recipient => 3,
            Self::Data => 4,
            Self::EndOfMessage => 5,
            Self::EndOfHeader => 6,
        }
    }
}
