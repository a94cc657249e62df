//! The client's side of IMAP, draft-newman-email-deep-02 section 7.1, over RFC 3501 and RFC 2971.
//!
//! Greeting, CAPABILITY unless the greeting has it, STARTTLS and CAPABILITY again, ID; after login ID again,
//! for a status that counts for more now (section 5.3 names SCRAM with channel binding).

use alloc::{format, string::String, vec::Vec};

use crate::{
    client::{
        Advertised, Client, ClientError, ClientEvent, ClientOptions, Core, Dialogue, LineReader,
        Protocol,
    },
    error::{ErrorKind, ParseError},
    imap::{self, Capabilities, IdParameters},
    imap_proxy::has_literals,
    imap_string::{Announced, announced_at_end},
    latch::LatchSession,
    registry::DEEP,
    rules,
    status::DeepStatus,
};

/// The longest line of a response, in bytes with CR LF. What a server says before login is far shorter,
/// but a list of ID may be 30 pairs of 30 and 1024 (RFC 2971 section 3.3).
pub const MAX_IMAP_LINE_BYTES: usize = 36_000;

/// The longest literal in a response, in bytes: that of a value of ID (RFC 2971 section 3.3).
pub const MAX_IMAP_LITERAL_BYTES: usize = 1024;

/// The longest response, in bytes with literals.
pub const MAX_IMAP_RESPONSE_BYTES: usize = 65_536;

/// How many untagged responses may come before the one that ends a command.
pub const MAX_IMAP_UNTAGGED: usize = 64;

/// The client's side of IMAP.
pub type ImapClient = Client<Imap>;

/// IMAP, as a [`Client`] speaks it.
#[derive(Clone, Debug)]
pub struct Imap {
    reader: ResponseReader,
    awaited: Awaited,
    /// The number of the last command.
    command: u32,
    untagged: usize,
    offered: Option<Offered>,
    /// What the server said of its status in answer to the last ID.
    status: Advertised,
    identified: bool,
    /// What is asked is asked once more, after login.
    after_login: bool,
    /// What the server offers since the login, where the caller knows.
    offered_after_login: Option<Offered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Capability,
    StartTls,
    Id,
}

/// What of the capabilities matters here.
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

    /// With what this capability says.
    fn with(mut self, capability: &str) -> Self {
        let is = |name: &str| capability.eq_ignore_ascii_case(name);
        self.deep |= is(DEEP);
        self.id |= is("ID");
        self.starttls |= is("STARTTLS");
        self.login_disabled |= is("LOGINDISABLED");
        self
    }

    /// Of `CAPABILITY` and the list.
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
    /// A client on a connection that is to be opened.
    ///
    /// ```
    /// use deep_latch::{
    ///     ChainVerdict, ClientOptions, DaneVerdict, Demand, Facilities, Host, IdentityVerdict, ImapClient,
    ///     LatchRecord, LatchSession, ProtocolVersion, SecurityTag, TlsFacts,
    /// };
    ///
    /// let record = LatchRecord::new(Host::try_new("imap.example.com")?);
    /// let (session, _) = LatchSession::begin(record, Facilities::new());
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
    /// let said = b"deep1 ID (\"security-tags\" \"tls10 tls12 tls-cert\")\r\n";
    /// assert_eq!(client.demand()?, Demand::Send(said.to_vec()));
    /// client.receive(b"* ID (\"deep\" \"tls12 tls-cert\")\r\ndeep1 OK done\r\n");
    /// assert_eq!(client.demand()?, Demand::Store);
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

    /// Takes the capabilities that the server listed since the login, e.g. in its answer to LOGIN, so that they
    /// need not be asked for. To be called before [`logged_in`](Self::logged_in).
    pub fn capabilities_after_login<'c>(
        &mut self,
        capabilities: impl IntoIterator<Item = &'c str>,
    ) {
        let offered = capabilities.into_iter().fold(Offered::new(), Offered::with);
        self.protocol_mut().offered_after_login = Some(offered);
    }
}

impl Dialogue for Imap {
    fn begin(&mut self, core: &mut Core, greeting: bool) -> Result<(), ClientError> {
        // A list from before TLS is not to be used (RFC 3501 section 6.2.1).
        self.offered = None;
        self.reader = ResponseReader::default();
        self.untagged = 0;
        if greeting {
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
            // The rest is the report.
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

    /// `greeting` of RFC 3501: OK, PREAUTH or BYE.
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
            if !core.over_tls() && !core.no_tls()? {
                return Ok(());
            }
            // When that refuses the connection, the rest is the report.
            let _ = core.logged_in_already()?;
        }
        // What cannot be read of it is asked for.
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
                let mut let_through = Vec::new();
                let read = IdParameters::parse(rest).and_then(|parameters| {
                    let options = core.options().status;
                    imap::status_of(&parameters, options, |it| let_through.push(it))
                        .map(|status| status.map(DeepStatus::into_owned))
                });
                for what in let_through {
                    core.note(ClientEvent::Leniency(what.moved(BEFORE)));
                }
                read.map_err(|error| error.moved(BEFORE))
            };
            self.identified = true;
        } else {
            core.give_back(&[b"* ", response, b"\r\n"]);
        }
        Ok(())
    }

    /// The command that was sent last has its answer.
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
                let told = core.over_tls();
                // Without DEEP, or without ID at all.
                let status = core::mem::replace(&mut self.status, Ok(None));
                let status = if ok { status } else { Ok(None) };
                if told && core.options().report {
                    core.note(ClientEvent::Reported { accepted: ok });
                }
                let goes_on = core.status(status)?;
                self.after_status(core, goes_on)
            }
            Awaited::Greeting => Err(ClientError::Unexpected),
        }
    }

    fn have_capabilities(&mut self, core: &mut Core) -> Result<(), ClientError> {
        let offered = match self.offered {
            Some(offered) => offered,
            None if self.after_login => Offered::new(),
            // OK, and no list.
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
        if !core.no_tls()? {
            return Ok(());
        }
        // A password sent to a server that says so would be given away for nothing.
        if self.offered.is_some_and(|offered| offered.login_disabled) && !core.is_logged_in() {
            return Err(ClientError::LoginDisabled);
        }
        self.ask_status(core)
    }

    /// ID, if the server has DEEP; of a refusal, if it has ID at all.
    fn ask_status(&mut self, core: &mut Core) -> Result<(), ClientError> {
        let has = |of: fn(Offered) -> bool| self.offered.is_some_and(of);
        let asks = has(|it| it.deep) || core.is_refused() && has(|it| it.id);
        if !asks {
            if core.is_refused() {
                core.note(ClientEvent::NotReported);
            } else if self.after_login {
                // That it has no status was said before login.
                return self.after_status(core, true);
            }
            let goes_on = core.status(Ok(None))?;
            return self.after_status(core, goes_on);
        }
        let command = match core.over_tls() {
            true => match core.report().to_id_parameters(core.options().field_names) {
                Ok(parameters) => format!("ID {parameters}"),
                // The caller's own name or version cannot be said in ID.
                Err(_) => {
                    core.note(ClientEvent::NotReported);
                    String::from("ID NIL")
                }
            },
            // Nobody is told in clear.
            false => String::from("ID NIL"),
        };
        self.status = Ok(None);
        self.identified = false;
        self.send(core, Awaited::Id, &command);
        Ok(())
    }

    fn after_status(&mut self, core: &mut Core, goes_on: bool) -> Result<(), ClientError> {
        if goes_on {
            core.hand_over();
        } else if core.over_tls() {
            self.command = self.command.saturating_add(1);
            core.take_leave(format!("{} LOGOUT\r\n", self.tag()).as_bytes());
        }
        Ok(())
    }
}

const fn malformed(kind: ErrorKind, field: &'static str, offset: usize) -> ClientError {
    ClientError::Malformed(ParseError::new(kind, field, offset))
}

/// Up to the first space, and what is behind it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |octet| *octet == b' ');
    let first = parts.next().unwrap_or_default();
    (first, parts.next().unwrap_or_default())
}

/// The text behind `[ALERT]`, which the user must see.
fn alert(text: &[u8]) -> Option<&[u8]> {
    let code = code(text).filter(|code| code.eq_ignore_ascii_case(b"ALERT"))?;
    let behind = text.get(code.len().saturating_add(2)..)?;
    Some(behind.strip_prefix(b" ").unwrap_or(behind))
}

/// The response code that `text` begins with, without its brackets.
fn code(text: &[u8]) -> Option<&[u8]> {
    let inside = text.strip_prefix(b"[")?;
    let end = inside.iter().position(|octet| *octet == b']')?;
    inside.get(..end)
}

/// Reads responses: lines, and the literals that stand in them.
#[derive(Clone, Debug, Default)]
struct ResponseReader {
    /// What is complete of the response.
    response: Vec<u8>,
    /// How much of a literal is to come.
    literal: usize,
    line: LineReader,
}

impl ResponseReader {
    fn push(&mut self, octet: u8) -> Result<Option<Vec<u8>>, ClientError> {
        if self.literal > 0 {
            self.literal = self.literal.saturating_sub(1);
            self.response.push(octet);
            return Ok(None);
        }
        let line = self.line.push(octet, "response", MAX_IMAP_LINE_BYTES);
        let Some(line) = line? else {
            return Ok(None);
        };
        let begins = self.response.is_empty();
        let before = self.response.len();
        self.response.extend_from_slice(&line);
        let literal = match !begins || has_literals(&line) {
            true => literal_of(&line).map_err(|error| error.moved(before)),
            false => Ok(None),
        };
        if let Some(Announced { length, .. }) = literal.map_err(ClientError::Malformed)? {
            let limit = MAX_IMAP_LITERAL_BYTES;
            if length > limit {
                let kind = ErrorKind::Limit { limit };
                return Err(malformed(kind, "literal", self.response.len()));
            }
            self.response.extend_from_slice(b"\r\n");
            self.literal = length;
            let limit = MAX_IMAP_RESPONSE_BYTES;
            if self.response.len().saturating_add(length) > limit {
                let kind = ErrorKind::Limit { limit };
                return Err(malformed(kind, "response", self.response.len()));
            }
            return Ok(None);
        }
        Ok(Some(core::mem::take(&mut self.response)))
    }
}

/// The literal that a line of a response ends with.
fn literal_of(line: &[u8]) -> Result<Option<Announced>, ParseError> {
    // Octets that are no UTF-8 are part of no literal's announcement.
    let line = String::from_utf8_lossy(line);
    let (literal, _) = rules::prefix(&line, "response", announced_at_end)?;
    Ok(literal)
}
