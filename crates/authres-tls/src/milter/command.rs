//! The packets of an MTA: a length, the code of a command, and the data of the command.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::{
    error::{DecodeError, DecodeErrorKind as Kind},
    options::{Actions, Options, Steps},
};

/// The octets of a packet's length.
const LENGTH: usize = 4;

/// The longest packet, unless set: a field of the largest header that MTAs accept, or a piece of a body.
pub const MAX_PACKET: usize = 1 << 20;

/// A buffer that became longer than this is given back once it is empty.
const KEPT_BUFFER: usize = 1 << 12;

/// Divides what an MTA sends into packets. The memory grows with the octets that arrived, not with a length that
/// the MTA announces.
#[derive(Clone, Debug)]
pub struct PacketReader {
    buffer: Vec<u8>,
    /// Octets of the buffer that were read.
    read: usize,
    max_packet: usize,
}

impl Default for PacketReader {
    fn default() -> Self {
        Self::new(MAX_PACKET)
    }
}

impl PacketReader {
    /// Returns a reader that refuses packets whose length is above the limit.
    #[must_use]
    pub const fn new(max_packet: usize) -> Self {
        Self {
            buffer: Vec::new(),
            read: 0,
            max_packet,
        }
    }

    /// Adds octets that arrived.
    pub fn push(&mut self, octets: &[u8]) {
        if self.read > 0 {
            self.buffer.drain(..self.read);
            self.read = 0;
        }
        self.buffer.extend_from_slice(octets);
    }

    /// Returns the next packet without its length, or `None` if it has not arrived as a whole.
    ///
    /// # Errors
    /// Returns [`DecodeErrorKind::Truncated`](Kind::Truncated) for a packet without a command, and
    /// [`Limit`](Kind::Limit) for one that is too long.
    pub fn next_packet(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        let rest = self.buffer.get(self.read..).unwrap_or_default();
        let Some((length, after)) = rest.split_first_chunk::<LENGTH>() else {
            self.give_back();
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > self.max_packet {
            let limit = self.max_packet;
            return Err(DecodeError::new(Kind::Limit { limit }, "length", 0));
        }
        if length == 0 {
            let kind = Kind::Truncated { needed: 1, left: 0 };
            return Err(DecodeError::new(kind, "command", LENGTH));
        }
        if after.len() < length {
            return Ok(None);
        }
        let start = self.read.saturating_add(LENGTH);
        self.read = start.saturating_add(length);
        Ok(self.buffer.get(start..self.read))
    }

    fn give_back(&mut self) {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
            self.buffer.shrink_to(KEPT_BUFFER);
        }
    }
}

/// The client's address, as the MTA sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address of the Internet.
    Inet(IpAddr),
    /// A socket of the MTA's machine.
    Local,
    /// The MTA does not know the address, or it cannot be parsed.
    Unknown,
}

/// The macros of a stage: names without braces, and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macros<'p>(&'p [u8]);

impl<'p> Macros<'p> {
    /// Returns the macros in their order.
    pub fn iter(self) -> impl Iterator<Item = (&'p [u8], &'p [u8])> {
        let mut texts = self.0.split(|octet| *octet == 0);
        core::iter::from_fn(move || {
            let (name, value) = (texts.next()?, texts.next()?);
            let inside = name.strip_prefix(b"{").and_then(|it| it.strip_suffix(b"}"));
            Some((inside.unwrap_or(name), value))
        })
    }
}

/// A command of an MTA (`SMFIC_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'p> {
    /// `SMFIC_OPTNEG`: the options that the MTA offers.
    Negotiate(Options),
    /// `SMFIC_MACRO`: macros for the next command with this code.
    Macros {
        /// The code of the command.
        command: u8,
        /// The macros.
        macros: Macros<'p>,
    },
    /// `SMFIC_CONNECT`: a client connected.
    Connect {
        /// The client's host name; text in brackets or `unknown` if it has none.
        host: &'p [u8],
        /// The client's address.
        peer: Peer,
    },
    /// `SMFIC_HELO`: the name that the client greets with.
    Helo(&'p [u8]),
    /// `SMFIC_MAIL`: the sender, and the parameters of the command, each with a NUL at its end.
    Mail(&'p [u8]),
    /// `SMFIC_RCPT`: a recipient, and the parameters of the command, each with a NUL at its end.
    Recipient(&'p [u8]),
    /// `SMFIC_DATA`: the message follows.
    Data,
    /// `SMFIC_HEADER`: a field.
    Header {
        /// The field's name.
        name: &'p [u8],
        /// The field's value. It may contain a NUL, and its line breaks are LF.
        value: &'p [u8],
    },
    /// `SMFIC_EOH`: the header ended.
    EndOfHeader,
    /// `SMFIC_BODY`: a piece of the body.
    Body(&'p [u8]),
    /// `SMFIC_BODYEOB`: the message ended, with the last piece of the body.
    EndOfMessage(&'p [u8]),
    /// `SMFIC_ABORT`: the message is abandoned.
    Abort,
    /// `SMFIC_QUIT`: the connection ends.
    Quit,
    /// `SMFIC_QUIT_NC`: the connection serves another client.
    QuitNewConnection,
    /// `SMFIC_UNKNOWN`: an SMTP command that the MTA does not know.
    Unknown(&'p [u8]),
}

impl<'p> Command<'p> {
    /// Decodes a packet without its length.
    ///
    /// # Errors
    /// Returns [`DecodeErrorKind::UnknownCommand`](Kind::UnknownCommand) for another code,
    /// [`Truncated`](Kind::Truncated) and [`Unterminated`](Kind::Unterminated) if a field is incomplete, and
    /// [`Trailing`](Kind::Trailing) if octets follow the last one.
    pub fn decode(packet: &'p [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader {
            rest: packet,
            length: packet.len(),
        };
        let code = reader.octet("command")?;
        let command = match code {
            b'O' => Self::Negotiate(reader.options()?),
            b'D' => {
                let command = reader.octet("macro.command")?;
                let macros = Macros(reader.rest);
                while !reader.rest.is_empty() {
                    reader.text("macro.name")?;
                    reader.text("macro.value")?;
                }
                return Ok(Self::Macros { command, macros });
            }
            b'C' => reader.connect()?,
            b'H' => Self::Helo(reader.text("helo")?),
            b'M' => return Ok(Self::Mail(reader.texts("sender")?)),
            b'R' => return Ok(Self::Recipient(reader.texts("recipient")?)),
            b'T' => Self::Data,
            b'L' => {
                let name = reader.text("header.name")?;
                return Ok(Self::Header {
                    name,
                    value: reader.texts("header.value")?,
                });
            }
            b'N' => Self::EndOfHeader,
            b'B' => return Ok(Self::Body(reader.rest)),
            b'E' => return Ok(Self::EndOfMessage(reader.rest)),
            b'A' => Self::Abort,
            b'Q' => Self::Quit,
            b'K' => Self::QuitNewConnection,
            b'U' => return Ok(Self::Unknown(reader.texts("unknown")?)),
            code => return Err(reader.error_before(Kind::UnknownCommand { code }, "command", 1)),
        };
        match reader.rest {
            [] => Ok(command),
            _ => Err(reader.error(Kind::Trailing, "command")),
        }
    }
}

/// Reads the fields of a packet.
struct Reader<'p> {
    rest: &'p [u8],
    /// The length of the whole packet.
    length: usize,
}

impl<'p> Reader<'p> {
    fn error(&self, kind: Kind, field: &'static str) -> DecodeError {
        self.error_before(kind, field, 0)
    }

    fn error_before(&self, kind: Kind, field: &'static str, before: usize) -> DecodeError {
        let left = self.rest.len().saturating_add(before);
        let offset = self.length.saturating_sub(left).saturating_add(LENGTH);
        DecodeError::new(kind, field, offset)
    }

    fn octets<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let Some((octets, rest)) = self.rest.split_first_chunk::<N>() else {
            let left = self.rest.len();
            return Err(self.error(Kind::Truncated { needed: N, left }, field));
        };
        self.rest = rest;
        Ok(*octets)
    }

    fn octet(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.octets(field).map(|[octet]| octet)
    }

    /// Reads octets up to the first NUL.
    fn text(&mut self, field: &'static str) -> Result<&'p [u8], DecodeError> {
        let end = self.rest.iter().position(|octet| *octet == 0);
        let parts = end.and_then(|end| self.rest.split_at_checked(end));
        let Some((text, [_, rest @ ..])) = parts else {
            return Err(self.error(Kind::Unterminated, field));
        };
        self.rest = rest;
        Ok(text)
    }

    /// Reads octets up to the NUL at the end of the packet.
    fn texts(&mut self, field: &'static str) -> Result<&'p [u8], DecodeError> {
        let [texts @ .., 0] = self.rest else {
            return Err(self.error(Kind::Unterminated, field));
        };
        Ok(texts)
    }

    fn options(&mut self) -> Result<Options, DecodeError> {
        let mut number = |field| self.octets(field).map(u32::from_be_bytes);
        let options = Options {
            version: number("version")?,
            actions: Actions(number("actions")?),
            steps: Steps(number("steps")?),
        };
        // Later versions may add more.
        self.rest = &[];
        Ok(options)
    }

    fn connect(&mut self) -> Result<Command<'p>, DecodeError> {
        let host = self.text("host")?;
        let family = self.octet("family")?;
        // An MTA that does not know the address may still send an empty one.
        if family == b'U' {
            self.rest = &[];
            let peer = Peer::Unknown;
            return Ok(Command::Connect { host, peer });
        }
        let _port: [u8; 2] = self.octets("port")?;
        let address = self.text("address")?;
        let peer = match family {
            b'4' | b'6' => inet(address).map_or(Peer::Unknown, Peer::Inet),
            b'L' => Peer::Local,
            _ => Peer::Unknown,
        };
        Ok(Command::Connect { host, peer })
    }
}

/// Parses an address. Sendmail writes `IPv6:` before one of version 6.
fn inet(address: &[u8]) -> Option<IpAddr> {
    let address = core::str::from_utf8(address).ok()?;
    let address = match address.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => address,
        _ => address,
    };
    address.parse().ok()
}
