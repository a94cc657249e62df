//! The client's side of POP, draft-newman-email-deep-02 section 7.2, over RFC 1939, RFC 2449 and RFC 2595.
//!
//! Greeting, CAPA, STLS and CAPA again. POP has no command to report with.

use crate::{
    client::{
        Client, ClientError, ClientOptions, Protocol,
        core::{Advertised, Core, Dialogue, Keyword, Next, Opening},
        lines::LineReader,
    },
    error::{ErrorKind, ParseError},
    latch::LatchSession,
    pop::CapaLine,
};

/// The longest line of a response, in bytes with CR LF (RFC 2449 section 4).
pub const MAX_POP_LINE_BYTES: usize = 512;

/// The most lines in an answer to CAPA.
pub const MAX_CAPA_LINES: usize = 128;

/// The client's side of POP.
pub type PopClient = Client<Pop>;

/// The protocol POP of a [`Client`].
#[derive(Clone, Debug)]
pub struct Pop {
    reader: LineReader,
    awaited: Awaited,
    /// The number of lines of the answer to CAPA that were read.
    lines: usize,
    starttls: bool,
    status: Advertised,
    /// The server answers CAPA.
    listed: bool,
    after_login: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Capa,
    CapaLines,
    Stls,
}

impl Protocol for Pop {}

impl Client<Pop> {
    /// Creates a client for a connection that is not opened yet.
    ///
    /// ```
    /// use deep_latch::{
    ///     Facilities, Host, LatchRecord, LatchSession, PopClient,
    ///     client::{ClientError, ClientOptions, Demand, TlsStart},
    /// };
    ///
    /// let record = LatchRecord::new(Host::try_new("pop.example.com")?);
    /// let session = LatchSession::try_new(record, Facilities::new())?;
    /// let options = ClientOptions {
    ///     tls: TlsStart::StartTls,
    ///     ..ClientOptions::default()
    /// };
    /// let mut client = PopClient::new(session, options);
    /// client.receive(b"+OK hello\r\n");
    /// assert_eq!(client.demand()?, Demand::Send(b"CAPA\r\n".to_vec()));
    /// client.sent();
    /// client.receive(b"+OK\r\nUSER\r\n.\r\n");
    /// // An attacker has removed STLS.
    /// assert_eq!(client.demand(), Err(ClientError::NoTls));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(session: LatchSession, options: ClientOptions) -> Self {
        let pop = Pop {
            reader: LineReader::default(),
            awaited: Awaited::Greeting,
            lines: 0,
            starttls: false,
            status: Ok(None),
            listed: false,
            after_login: false,
        };
        Self::start(session, options, pop)
    }
}

impl Dialogue for Pop {
    fn begin(&mut self, core: &mut Core, opening: Opening) -> Result<(), ClientError> {
        self.reader = LineReader::default();
        if core.is_refused() {
            core.close_unreported();
        } else if opening == Opening::Greeting {
            self.awaited = Awaited::Greeting;
        } else {
            self.ask_capa(core);
        }
        Ok(())
    }

    fn receive(&mut self, core: &mut Core, octet: u8) -> Result<(), ClientError> {
        match self.reader.push(octet, "response", MAX_POP_LINE_BYTES)? {
            Some(line) => self.respond(core, &line),
            None => Ok(()),
        }
    }

    fn logged_in(&mut self, core: &mut Core) -> Result<(), ClientError> {
        self.reader = LineReader::default();
        if core.is_refused() {
            core.close_unreported();
            return Ok(());
        }
        if !core.has_status() && core.over_tls() && self.listed {
            // DEEP may be advertised after login alone (RFC 2449 section 5: "both").
            self.after_login = true;
            self.ask_capa(core);
            return Ok(());
        }
        core.hand_over();
        Ok(())
    }
}

impl Pop {
    fn send(&mut self, core: &mut Core, awaited: Awaited, command: &str) {
        self.awaited = awaited;
        core.send(command);
    }

    fn ask_capa(&mut self, core: &mut Core) {
        // A list from before TLS is not to be used (RFC 2595 section 4).
        self.lines = 0;
        self.status = Ok(None);
        core.forget_capabilities();
        self.send(core, Awaited::Capa, "CAPA\r\n");
    }

    fn respond(&mut self, core: &mut Core, line: &[u8]) -> Result<(), ClientError> {
        if self.awaited == Awaited::CapaLines {
            return self.capa_line(core, line);
        }
        let ok = is_ok(line)?;
        if self.awaited == Awaited::Greeting {
            core.greeted(line);
        }
        match self.awaited {
            Awaited::Greeting if !ok => Err(ClientError::Rejected),
            Awaited::Greeting => {
                self.ask_capa(core);
                Ok(())
            }
            Awaited::Capa if ok => {
                self.listed = true;
                self.awaited = Awaited::CapaLines;
                Ok(())
            }
            // A server without extensions.
            Awaited::Capa => self.have_capabilities(core),
            Awaited::Stls if ok => {
                core.start_tls();
                Ok(())
            }
            Awaited::Stls => core.hand_over_without_tls(),
            Awaited::CapaLines => Err(ClientError::Unexpected),
        }
    }

    fn capa_line(&mut self, core: &mut Core, line: &[u8]) -> Result<(), ClientError> {
        let line = match line.strip_prefix(b".") {
            Some(b"") => return self.have_capabilities(core),
            // RFC 1939 section 3: the octet of termination, doubled.
            Some(line) => line,
            None => line,
        };
        self.lines = self.lines.saturating_add(1);
        if self.lines > MAX_CAPA_LINES {
            let kind = ErrorKind::Limit {
                limit: MAX_CAPA_LINES,
            };
            return Err(ClientError::Malformed(ParseError::new(
                kind,
                "capa-resp",
                0,
            )));
        }
        if line.eq_ignore_ascii_case(b"STLS") {
            self.starttls = true;
        }
        core.has_capability(line);
        let options = core.options().status;
        let read = Keyword::parse(line, |line| {
            let line = CapaLine::parse(line, options)?;
            Ok(line.map(|line| Keyword {
                diagnostics: line.diagnostics(),
                status: line.into_status().into_owned(),
            }))
        });
        core.keyword(&mut self.status, read);
        Ok(())
    }

    fn have_capabilities(&mut self, core: &mut Core) -> Result<(), ClientError> {
        let status = core::mem::replace(&mut self.status, Ok(None));
        if core.over_tls() {
            // The status was known to be absent before login.
            let next = if self.after_login && status == Ok(None) {
                Next::Continue
            } else {
                core.status(status)?
            };
            match next {
                Next::Continue => core.hand_over(),
                // POP has no command to report with.
                Next::Report | Next::Close => {}
            }
            return Ok(());
        }
        core.status_in_clear(status);
        if self.starttls {
            self.send(core, Awaited::Stls, "STLS\r\n");
            return Ok(());
        }
        core.hand_over_without_tls()
    }
}

/// `+OK` or `-ERR`, RFC 1939 section 3, in any case.
fn is_ok(line: &[u8]) -> Result<bool, ClientError> {
    let indicator = line
        .split(|octet| *octet == b' ')
        .next()
        .unwrap_or_default();
    match indicator {
        _ if indicator.eq_ignore_ascii_case(b"+OK") => Ok(true),
        _ if indicator.eq_ignore_ascii_case(b"-ERR") => Ok(false),
        _ => {
            let error = ParseError::new(ErrorKind::Expected, "status indicator", 0);
            Err(ClientError::Malformed(error))
        }
    }
}
