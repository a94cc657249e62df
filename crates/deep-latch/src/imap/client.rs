//! The client's side of IMAP, draft-newman-email-deep-02 section 7.1, over RFC 3501 and RFC 2971.
//!
//! Greeting, CAPABILITY unless the greeting has it, STARTTLS and CAPABILITY again, ID; after login ID again,
//! for a status that counts for more now (section 5.3 names SCRAM with channel binding).

mod response;

use alloc::{format, string::String};

pub(crate) use self::response::has_literals;
pub use self::response::{MAX_IMAP_LINE_BYTES, MAX_IMAP_LITERAL_BYTES, MAX_IMAP_RESPONSE_BYTES};
use self::response::{ResponseReader, alert, code, malformed, word};
use crate::{
    client::{
        Client, ClientError, ClientEvent, ClientOptions, Protocol,
        core::{Advertised, Core, Dialogue, Next, Opening},
    },
    error::{ErrorKind, ParseError},
    imap::{Capabilities, IdParameters},
    latch::LatchSession,
    registry::DEEP,
};

/// The most untagged responses before the response that ends a command.
pub const MAX_IMAP_UNTAGGED: usize = 64;

/// The client's side of IMAP.
pub type ImapClient = Client<Imap>;

/// The protocol IMAP of a [`Client`].
#[derive(Clone, Debug)]
pub struct Imap {
    reader: ResponseReader,
    awaited: Awaited,
    /// The number of the last command.
    command: u32,
    untagged: usize,
    offered: Option<Offered>,
    /// The status in the server's answer to the last ID.
    status: Advertised,
    identified: bool,
    /// The commands are sent a second time, after login.
    after_login: bool,
    /// The capabilities since the login, if the caller knows them.
    offered_after_login: Option<Offered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Capability,
    StartTls,
    Id,
}

/// The capabilities that the client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offered {
    deep: bool,
    id: bool,
    starttls: bool,
    login_disabled: bool,
}

impl Offered {
    const fn new() -> Self {
        Self {
            deep: false,
            id: false,
            starttls: false,
            login_disabled: false,
        }
    }

    /// Adds one capability.
    fn with(mut self, capability: &str) -> Self {
        let is = |name: &str| capability.eq_ignore_ascii_case(name);
        self.deep |= is(DEEP);
        self.id |= is("ID");
        self.starttls |= is("STARTTLS");
        self.login_disabled |= is("LOGINDISABLED");
        self
    }

    /// Parses `CAPABILITY` and the list after it.
    fn parse(core: &mut Core, data: &[u8]) -> Result<Self, ParseError> {
        let text = core::str::from_utf8(data).map_err(|error| {
            ParseError::new(ErrorKind::Character, "capability-data", error.valid_up_to())
        })?;
        let capabilities = Capabilities::parse(text)?;
        core.forget_capabilities();
        Ok(capabilities
            .iter()
            .fold(Self::new(), |offered, capability| {
                core.has_capability(capability.as_bytes());
                offered.with(capability)
            }))
    }
}

impl Protocol for Imap {}

impl Client<Imap> {
    /// Creates a client for a connection that is not opened yet.
    ///
    /// ```
    /// use deep_latch::{
    ///     Facilities, Host, ImapClient, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    ///     client::{ClientOptions, Demand},
    ///     facts::{ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion},
    /// };
    ///
    /// let record = LatchRecord::new(Host::try_new("imap.example.com")?);
    /// let session = LatchSession::try_new(record, Facilities::new())?;
    /// let mut client = ImapClient::new(session, ClientOptions::default());
    /// assert_eq!(client.demand()?, Demand::StartTls);
    /// client.handshake(TlsFacts {
    ///     version: ProtocolVersion::TLS1_3,
    ///     strength_bits: Some(256),
    ///     chain: ChainVerdict::Trusted,
    ///     identity: IdentityVerdict::Matches,
    ///     dane: DaneVerdict::NotChecked,
    /// });
    /// client.receive(b"* OK [CAPABILITY IMAP4rev1 DEEP ID] hello\r\n");
    /// let report = b"deep1 ID (\"security-tags\" \"tls10 tls12 tls-cert\")\r\n";
    /// assert_eq!(client.demand()?, Demand::Send(report.to_vec()));
    /// client.sent();
    /// client.receive(b"* ID (\"deep\" \"tls12 tls-cert\")\r\ndeep1 OK done\r\n");
    /// assert_eq!(client.demand()?, Demand::Store);
    /// client.stored();
    /// assert!(client.session().record().is_latched(&SecurityTag::TLS_CERT));
    /// assert_eq!(client.demand()?, Demand::LogIn);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(session: LatchSession, options: ClientOptions) -> Self {
        let imap = Imap {
            reader: ResponseReader::default(),
            awaited: Awaited::Greeting,
            command: 0,
            untagged: 0,
            offered: None,
            status: Ok(None),
            identified: false,
            after_login: false,
            offered_after_login: None,
        };
        Self::start(session, options, imap)
    }

    /// Takes the capabilities that the server listed since the login, e.g. in its answer to LOGIN, so that the
    /// client does not ask for them. The call precedes [`logged_in`](Self::logged_in).
    pub fn capabilities_after_login<'c>(
        &mut self,
        capabilities: impl IntoIterator<Item = &'c str>,
    ) {
        let offered = capabilities.into_iter().fold(Offered::new(), Offered::with);
        self.protocol_mut().offered_after_login = Some(offered);
    }
}

impl Dialogue for Imap {
    fn begin(&mut self, core: &mut Core, opening: Opening) -> Result<(), ClientError> {
        // A list from before TLS is not to be used (RFC 3501 section 6.2.1).
        self.offered = None;
        self.reader = ResponseReader::default();
        self.untagged = 0;
        if opening == Opening::Greeting {
            self.awaited = Awaited::Greeting;
            return Ok(());
        }
        self.ask_capability(core);
        Ok(())
    }

    fn receive(&mut self, core: &mut Core, octet: u8) -> Result<(), ClientError> {
        match self.reader.push(octet)? {
            Some(response) => self.respond(core, &response),
            None => Ok(()),
        }
    }

    fn logged_in(&mut self, core: &mut Core) -> Result<(), ClientError> {
        self.reader = ResponseReader::default();
        if !core.over_tls() {
            core.hand_over();
            return Ok(());
        }
        if core.is_refused() {
            // Only the report follows.
            return self.ask_status(core);
        }
        self.after_login = true;
        if core.has_status() {
            core.hand_over();
            return Ok(());
        }
        self.offered = self.offered_after_login.take();
        match self.offered {
            Some(_) => self.ask_status(core),
            // DEEP may be advertised after login alone.
            None => {
                self.ask_capability(core);
                Ok(())
            }
        }
    }
}

impl Imap {
    fn send(&mut self, core: &mut Core, awaited: Awaited, command: &str) {
        self.command = self.command.saturating_add(1);
        self.untagged = 0;
        self.awaited = awaited;
        core.send(format!("{} {command}\r\n", self.tag()));
    }

    fn tag(&self) -> String {
        format!("deep{}", self.command)
    }

    fn ask_capability(&mut self, core: &mut Core) {
        self.send(core, Awaited::Capability, "CAPABILITY");
    }

    fn respond(&mut self, core: &mut Core, response: &[u8]) -> Result<(), ClientError> {
        let (first, rest) = word(response);
        match (first, self.awaited) {
            (b"*", Awaited::Greeting) => self.greeted(core, rest),
            (b"*", _) => self.untagged(core, rest),
            (tag, awaited) if awaited != Awaited::Greeting && tag == self.tag().as_bytes() => {
                let (condition, text) = word(rest);
                if let Some(text) = alert(text) {
                    core.alert(text);
                }
                let ok = match condition {
                    _ if condition.eq_ignore_ascii_case(b"OK") => true,
                    _ if condition.eq_ignore_ascii_case(b"NO") => false,
                    _ if condition.eq_ignore_ascii_case(b"BAD") => false,
                    _ => {
                        let offset = tag.len().saturating_add(1);
                        return Err(malformed(ErrorKind::Expected, "resp-cond-state", offset));
                    }
                };
                self.completed(core, ok)
            }
            _ => Err(ClientError::Unexpected),
        }
    }

    /// Reads the `greeting` of RFC 3501: OK, PREAUTH or BYE.
    fn greeted(&mut self, core: &mut Core, greeting: &[u8]) -> Result<(), ClientError> {
        core.greeted(&[b"* ", greeting].concat());
        let (condition, text) = word(greeting);
        if let Some(text) = alert(text) {
            core.alert(text);
        }
        let preauth = condition.eq_ignore_ascii_case(b"PREAUTH");
        if condition.eq_ignore_ascii_case(b"BYE") {
            return Err(ClientError::Closing);
        }
        if !preauth && !condition.eq_ignore_ascii_case(b"OK") {
            return Err(malformed(ErrorKind::Expected, "greeting", 2));
        }
        if preauth {
            // STARTTLS is not possible any more (RFC 3501 section 6.2.1).
            let next = match core.over_tls() {
                true => Next::Continue,
                false => core.no_tls()?,
            };
            if next != Next::Continue {
                return Ok(());
            }
            match core.logged_in_already()? {
                // The capabilities are needed for the report too.
                Next::Continue | Next::Report => {}
                Next::Close => return Ok(()),
            }
        }
        // A list that is absent or malformed is asked for.
        self.offered = code(text).and_then(|code| Offered::parse(core, code).ok());
        match self.offered {
            Some(_) => self.have_capabilities(core),
            None => {
                self.ask_capability(core);
                Ok(())
            }
        }
    }

    fn untagged(&mut self, core: &mut Core, response: &[u8]) -> Result<(), ClientError> {
        self.untagged = self.untagged.saturating_add(1);
        if self.untagged > MAX_IMAP_UNTAGGED {
            let limit = MAX_IMAP_UNTAGGED;
            return Err(malformed(ErrorKind::Limit { limit }, "response-data", 0));
        }
        let (name, rest) = word(response);
        if name.eq_ignore_ascii_case(b"BYE") {
            if let Some(text) = alert(rest) {
                core.alert(text);
            }
            return Err(ClientError::Closing);
        }
        if self.awaited == Awaited::Capability && name.eq_ignore_ascii_case(b"CAPABILITY") {
            const BEFORE: usize = "* ".len();
            let offered = Offered::parse(core, response).map_err(|error| error.moved(BEFORE));
            self.offered = Some(offered.map_err(ClientError::Malformed)?);
        } else if self.awaited == Awaited::Id && name.eq_ignore_ascii_case(b"ID") {
            const BEFORE: usize = "* ID ".len();
            self.status = if self.identified {
                Err(ParseError::new(ErrorKind::Duplicate, "id_response", 0))
            } else {
                let options = core.options().status;
                let read = IdParameters::parse(rest).and_then(|parameters| {
                    let status = parameters.status(options)?;
                    Ok(status.map(|status| {
                        for what in status.diagnostics() {
                            core.note(ClientEvent::Leniency(what.moved(BEFORE)));
                        }
                        status.into_status().into_owned()
                    }))
                });
                read.map_err(|error| error.moved(BEFORE))
            };
            self.identified = true;
        } else {
            core.give_back(&[b"* ", response, b"\r\n"]);
        }
        Ok(())
    }

    /// Continues after the answer to the last command.
    fn completed(&mut self, core: &mut Core, ok: bool) -> Result<(), ClientError> {
        match self.awaited {
            Awaited::Capability if !ok && !self.after_login => Err(ClientError::Rejected),
            Awaited::Capability => self.have_capabilities(core),
            Awaited::StartTls if ok => {
                core.start_tls();
                Ok(())
            }
            Awaited::StartTls => self.without_tls(core),
            Awaited::Id => {
                let reports = core.over_tls() && core.options().report;
                // A refused ID has no status.
                let status = core::mem::replace(&mut self.status, Ok(None));
                let status = if ok { status } else { Ok(None) };
                if reports {
                    core.note(ClientEvent::Reported { accepted: ok });
                }
                let next = core.status(status)?;
                self.after_status(core, next);
                Ok(())
            }
            Awaited::Greeting => Err(ClientError::Unexpected),
        }
    }

    fn have_capabilities(&mut self, core: &mut Core) -> Result<(), ClientError> {
        let offered = match self.offered {
            Some(offered) => offered,
            None if self.after_login => Offered::new(),
            // OK without a list.
            None => return Err(malformed(ErrorKind::Empty, "capability-data", 0)),
        };
        if core.over_tls() || core.is_logged_in() {
            return self.ask_status(core);
        }
        if offered.starttls {
            self.send(core, Awaited::StartTls, "STARTTLS");
            return Ok(());
        }
        self.without_tls(core)
    }

    fn without_tls(&mut self, core: &mut Core) -> Result<(), ClientError> {
        match core.no_tls()? {
            Next::Continue => {}
            Next::Report | Next::Close => return Ok(()),
        }
        // Such a server refuses the login, but the password would have been sent in clear.
        if self.offered.is_some_and(|offered| offered.login_disabled) && !core.is_logged_in() {
            return Err(ClientError::LoginDisabled);
        }
        self.ask_status(core)
    }

    /// Sends ID if the server supports DEEP; after a refusal, if it supports ID.
    fn ask_status(&mut self, core: &mut Core) -> Result<(), ClientError> {
        let has = |of: fn(Offered) -> bool| self.offered.is_some_and(of);
        let asks = has(|it| it.deep) || core.is_refused() && has(|it| it.id);
        if !asks {
            if core.is_refused() {
                core.note(ClientEvent::NotReported);
            } else if self.after_login {
                // The status was known to be absent before login.
                self.after_status(core, Next::Continue);
                return Ok(());
            }
            let next = core.status(Ok(None))?;
            self.after_status(core, next);
            return Ok(());
        }
        let command = match core.over_tls() {
            true => match core.report().to_id_parameters(core.options().field_names) {
                Ok(parameters) => format!("ID {parameters}"),
                // ID cannot carry the caller's name or version.
                Err(_) => {
                    core.note(ClientEvent::NotReported);
                    String::from("ID NIL")
                }
            },
            // Nothing is reported in clear.
            false => String::from("ID NIL"),
        };
        self.status = Ok(None);
        self.identified = false;
        self.send(core, Awaited::Id, &command);
        Ok(())
    }

    fn after_status(&mut self, core: &mut Core, next: Next) {
        match next {
            Next::Continue => core.hand_over(),
            // ID was the report.
            Next::Report => {
                self.command = self.command.saturating_add(1);
                core.send_last(format!("{} LOGOUT\r\n", self.tag()).as_bytes());
            }
            Next::Close => {}
        }
    }
}
