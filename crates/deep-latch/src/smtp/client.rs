//! The client's side of SMTP Submission, draft-newman-email-deep-02 section 7.3, over RFC 5321 and RFC 3207.
//!
//! Greeting, EHLO, STARTTLS and EHLO again, CLIENT.

use alloc::{format, string::String};

use crate::{
    client::{
        Client, ClientError, ClientEvent, ClientOptions, Protocol,
        core::{Advertised, Core, Dialogue, Keyword, Next, Opening},
        lines::LineReader,
    },
    error::{ErrorKind, ParseError},
    latch::LatchSession,
    smtp::{EhloLine, ReplyLine},
};

/// The longest line of a reply, in bytes with CR LF. RFC 5321 section 4.5.3.1.5 has 512, but asks clients to
/// tolerate more, and some servers exceed it. A line with DEEP does not.
pub const MAX_SMTP_LINE_BYTES: usize = 2048;

/// The most lines in a reply.
pub const MAX_SMTP_LINES: usize = 128;

/// The client's side of SMTP Submission.
pub type SmtpClient = Client<Smtp>;

/// The protocol SMTP of a [`Client`].
#[derive(Clone, Debug)]
pub struct Smtp {
    reader: LineReader,
    awaited: Awaited,
    /// The client's name, or address literal, in EHLO.
    domain: String,
    /// The code of the reply that is being read, and the number of lines that were read of it.
    reply: Option<(u16, usize)>,
    starttls: bool,
    deep: bool,
    status: Advertised,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Ehlo,
    StartTls,
    Client,
}

/// The client's name for EHLO is neither a domain name nor an address literal of RFC 5321.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainError;

impl core::fmt::Display for DomainError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("domain of EHLO: neither a domain name nor an address literal")
    }
}

impl core::error::Error for DomainError {}

impl Protocol for Smtp {}

impl Client<Smtp> {
    /// Creates a client for a connection that is not opened yet. `domain` is the client's name in EHLO: its domain
    /// name, or its address in square brackets (RFC 5321 section 4.1.1.1).
    ///
    /// ```
    /// # use deep_latch::{
    /// #     Facilities, Host, LatchRecord, LatchSession, SecurityTag, SmtpClient, TlsFacts,
    /// #     client::{ClientOptions, Demand},
    /// #     facts::{ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion},
    /// # };
    /// # let facts = TlsFacts {
    /// #     version: ProtocolVersion::TLS1_3,
    /// #     strength_bits: Some(256),
    /// #     chain: ChainVerdict::Trusted,
    /// #     identity: IdentityVerdict::Matches,
    /// #     dane: DaneVerdict::NotChecked,
    /// # };
    /// let record = LatchRecord::preset(Host::try_new("smtp.example.com")?, [SecurityTag::TLS10]);
    /// let session = LatchSession::try_new(record, Facilities::new())?;
    /// let mut client = SmtpClient::try_new(session, ClientOptions::default(), "client.example.com")?;
    /// client.handshake(facts);
    /// client.receive(b"220 hello\r\n");
    /// assert_eq!(client.demand()?, Demand::Send(b"EHLO client.example.com\r\n".to_vec()));
    /// client.sent();
    /// client.receive(b"250-smtp.example.com\r\n250 DEEP tls10\r\n");
    /// assert_eq!(client.demand()?, Demand::Store);
    /// client.stored();
    /// let report = b"CLIENT latch=tls10 security-tags=tls12,tls-cert\r\n";
    /// assert_eq!(client.demand()?, Demand::Send(report.to_vec()));
    /// client.sent();
    /// client.receive(b"250 OK\r\n");
    /// assert_eq!(client.demand()?, Demand::LogIn);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`DomainError`] if `domain` is neither.
    pub fn try_new(
        session: LatchSession,
        options: ClientOptions,
        domain: &str,
    ) -> Result<Self, DomainError> {
        let allowed = |octet: u8| {
            octet.is_ascii_alphanumeric()
                || matches!(octet, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        };
        if domain.is_empty() || domain.len() > 255 || !domain.bytes().all(allowed) {
            return Err(DomainError);
        }
        let smtp = Smtp {
            reader: LineReader::default(),
            awaited: Awaited::Greeting,
            domain: domain.into(),
            reply: None,
            starttls: false,
            deep: false,
            status: Ok(None),
        };
        Ok(Self::start(session, options, smtp))
    }

    /// Returns the client's name in EHLO.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.protocol().domain
    }
}

impl Dialogue for Smtp {
    fn begin(&mut self, core: &mut Core, opening: Opening) -> Result<(), ClientError> {
        self.reader = LineReader::default();
        self.reply = None;
        if opening == Opening::Greeting {
            self.awaited = Awaited::Greeting;
        } else {
            self.send_ehlo(core);
        }
        Ok(())
    }

    fn receive(&mut self, core: &mut Core, octet: u8) -> Result<(), ClientError> {
        match self.reader.push(octet, "Reply-line", MAX_SMTP_LINE_BYTES)? {
            Some(line) => self.line(core, &line),
            None => Ok(()),
        }
    }

    fn logged_in(&mut self, core: &mut Core) -> Result<(), ClientError> {
        if core.is_refused() {
            self.report(core);
            return Ok(());
        }
        // EHLO is not repeated after AUTH, so no new status is advertised (RFC 4954 section 4).
        core.hand_over();
        Ok(())
    }
}

impl Smtp {
    fn send(&mut self, core: &mut Core, awaited: Awaited, command: &str) {
        self.awaited = awaited;
        core.send(format!("{command}\r\n"));
    }

    fn send_ehlo(&mut self, core: &mut Core) {
        // A list from before TLS is not to be used (RFC 3207 section 4.2).
        self.deep = false;
        self.status = Ok(None);
        core.forget_capabilities();
        let command = format!("EHLO {}", self.domain);
        self.send(core, Awaited::Ehlo, &command);
    }

    /// Reads a line of a reply.
    fn line(&mut self, core: &mut Core, line: &[u8]) -> Result<(), ClientError> {
        let malformed = |kind, offset| {
            Err(ClientError::Malformed(ParseError::new(
                kind,
                "Reply-line",
                offset,
            )))
        };
        let read = ReplyLine::parse(line).map_err(ClientError::Malformed)?;
        let (code, text) = (read.code(), read.text());
        let lines = match self.reply {
            Some((first, _)) if first != code => return malformed(ErrorKind::Conflict, 0),
            Some((_, lines)) => lines,
            None => 0,
        };
        if lines >= MAX_SMTP_LINES {
            let kind = ErrorKind::Limit {
                limit: MAX_SMTP_LINES,
            };
            return malformed(kind, 0);
        }
        if self.awaited == Awaited::Greeting {
            core.greeted(line);
        }
        // The first line of an answer to EHLO is the server's name.
        if self.awaited == Awaited::Ehlo && code == 250 && lines > 0 {
            self.extension(core, text);
        }
        if read.has_more() {
            self.reply = Some((code, lines.saturating_add(1)));
            return Ok(());
        }
        self.reply = None;
        self.replied(core, code)
    }

    fn extension(&mut self, core: &mut Core, line: &[u8]) {
        if line.eq_ignore_ascii_case(b"STARTTLS") {
            self.starttls = true;
        }
        core.has_capability(line);
        let keyword = line.split(|octet| *octet == b' ').next();
        self.deep |= keyword.is_some_and(|it| it.eq_ignore_ascii_case(b"DEEP"));
        let options = core.options().status;
        let read = Keyword::parse(line, |line| {
            let line = EhloLine::parse(line, options)?;
            Ok(line.map(|line| Keyword {
                diagnostics: line.diagnostics(),
                status: line.into_status().into_owned(),
            }))
        });
        core.keyword(&mut self.status, read);
    }

    fn replied(&mut self, core: &mut Core, code: u16) -> Result<(), ClientError> {
        if code == 421 {
            return Err(ClientError::Closing);
        }
        match (self.awaited, code) {
            (_, 300..=399) => Err(ClientError::Unexpected),
            (Awaited::Greeting, 220) => {
                self.send_ehlo(core);
                Ok(())
            }
            (Awaited::Greeting, _) => Err(ClientError::Rejected),
            (Awaited::Ehlo, 250) => self.have_extensions(core),
            // A server without extensions.
            (Awaited::Ehlo, 400..) => self.have_extensions(core),
            (Awaited::StartTls, 220) => {
                core.start_tls();
                Ok(())
            }
            (Awaited::StartTls, 400..) => core.hand_over_without_tls(),
            (Awaited::Client, _) => {
                let accepted = (200..300).contains(&code);
                core.note(ClientEvent::Reported { accepted });
                self.reported(core);
                Ok(())
            }
            (Awaited::Ehlo | Awaited::StartTls, _) => Err(ClientError::Unexpected),
        }
    }

    fn have_extensions(&mut self, core: &mut Core) -> Result<(), ClientError> {
        let status = core::mem::replace(&mut self.status, Ok(None));
        if core.over_tls() {
            match core.status(status)? {
                Next::Continue | Next::Report => self.report(core),
                Next::Close => {}
            }
            return Ok(());
        }
        core.status_in_clear(status);
        if self.starttls {
            self.send(core, Awaited::StartTls, "STARTTLS");
            return Ok(());
        }
        core.hand_over_without_tls()
    }

    /// Sends CLIENT, if the server supports it.
    fn report(&mut self, core: &mut Core) {
        let report = core.options().report.then(|| core.report());
        let command = report.map(|report| report.to_client_command(core.options().field_names));
        match command {
            Some(Ok(command)) if self.deep => self.send(core, Awaited::Client, &command),
            // CLIENT cannot carry the report; or the server lacks DEEP, which is an event only if a latch failed.
            Some(_) if self.deep || core.is_refused() => {
                core.note(ClientEvent::NotReported);
                self.reported(core);
            }
            _ => self.reported(core),
        }
    }

    fn reported(&mut self, core: &mut Core) {
        if core.is_refused() {
            core.send_last(b"QUIT\r\n");
        } else {
            core.hand_over();
        }
    }
}
