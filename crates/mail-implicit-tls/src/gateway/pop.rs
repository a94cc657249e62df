//! Sessions of POP.

mod capabilities;
mod lines;
mod turn;

use std::{collections::VecDeque, mem};

use deep_latch::proxy::{
    MAX_FRONT_COMMANDS, MAX_FRONT_REFUSALS, MapExternal, is_initial_response, is_sasl_response,
};

use self::{
    capabilities::Edits,
    lines::{is_judged, is_status, next_line},
    turn::{List, Reply, Turn},
};
use super::{
    BackendFailure, ClientAddress, ClientFacts, Event, GatewayError, GatewayErrorKind,
    GatewayOptions, GatewaySession, Mechanism, Refusal, Side, imap::Certified,
};
use crate::{
    dialogue::{MAX_LINE_BYTES, MAX_REPLY_LINES, lines::Lines},
    external::MAX_RESPONSE_BYTES,
};

/// The longest command of a client that is not AUTH, in octets with CRLF. RFC 2449 section 4 has 255, which passwords of
/// today can exceed.
pub const MAX_POP_COMMAND_BYTES: usize = 4_096;

/// The number of waiting octets of a client from which [`GatewaySession::may_receive`] returns `false`.
const MAX_WAITING_BYTES: usize = 65_536;

/// The longest line of a client, in octets with CRLF: AUTH with an initial response.
const MAX_CLIENT_LINE_BYTES: usize = MAX_RESPONSE_BYTES.saturating_add(64);

/// A session of POP (RFC 1939, RFC 2449, RFC 5034).
///
/// Before login the backend receives CAPA, USER, PASS, APOP, AUTH, UTF8, LANG and QUIT, one at a time. After login the
/// session is a pipe.
#[derive(Debug)]
pub struct PopGateway {
    client: Lines,
    backend: Lines,
    turn: Turn,
    /// The login that the backend has to answer.
    login: Option<Mechanism>,
    edits: Edits,
    external: Option<Certified>,
    /// The command that passes on the client's address, after the greeting.
    xclient: Option<String>,
    hides_greeting: bool,
    allows_utf8: bool,
    commands: usize,
    refusals: usize,
    for_client: Vec<u8>,
    for_backend: Vec<u8>,
    events: VecDeque<Event>,
    failed: Option<GatewayError>,
}

impl PopGateway {
    /// Creates the session of a client.
    #[must_use]
    pub fn new(facts: &ClientFacts, options: &GatewayOptions) -> Self {
        let external = Certified::new(facts, options);
        let deep = options.advertisement().and_then(|it| it.capa_line());
        Self {
            client: Lines::default(),
            backend: Lines::default(),
            turn: Turn::Greeting,
            login: None,
            edits: Edits::new(deep, external.is_some()),
            external,
            xclient: (options.address() == ClientAddress::Xclient).then(|| xclient(facts)),
            hides_greeting: facts.was_greeted(),
            allows_utf8: options.allows_utf8(),
            commands: 0,
            refusals: 0,
            for_client: Vec::new(),
            for_backend: Vec::new(),
            events: VecDeque::new(),
            failed: None,
        }
    }

    fn go_on(&mut self) -> Result<(), GatewayError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let done = self.lines();
        if let Err(error) = done {
            self.failed = Some(error);
            match error.side() {
                Side::Client => {
                    self.events.push_back(Event::Refused(Refusal::Syntax));
                    self.say(b"-ERR not a command");
                }
                // The client has the first line of the reply.
                Side::Backend if matches!(self.turn, Turn::Lines(..)) => {}
                Side::Backend => self.say(b"-ERR [SYS/TEMP] the server cannot be understood"),
            }
            self.turn = Turn::Over;
        }
        done
    }

    fn lines(&mut self) -> Result<(), GatewayError> {
        loop {
            if matches!(self.turn, Turn::Pipe) {
                self.for_client.extend(self.backend.take());
                self.for_backend.extend(self.client.take());
                return Ok(());
            }
            if matches!(self.turn, Turn::Over) {
                return Ok(());
            }
            // A command that waits comes first: what the backend says after its reply must mean the same in whatever pieces
            // it arrives.
            if matches!(self.turn, Turn::Command | Turn::Response | Turn::External)
                && let Some(line) =
                    next_line(&mut self.client, Side::Client, MAX_CLIENT_LINE_BYTES)?
            {
                match self.turn {
                    Turn::Command => self.command(&line)?,
                    Turn::Response => self.response(&line),
                    _ => self.external(&line)?,
                }
                continue;
            }
            // The backend may close at any time.
            let Some(line) = next_line(&mut self.backend, Side::Backend, MAX_LINE_BYTES)? else {
                return Ok(());
            };
            self.reply(line)?;
        }
    }

    /// Takes a line of the backend, without its CRLF.
    fn reply(&mut self, line: Vec<u8>) -> Result<(), GatewayError> {
        let unexpected = || {
            let kind = GatewayErrorKind::Unexpected;
            Err(GatewayError::new(Side::Backend, kind, "response", 0))
        };
        if let Turn::Lines(list, lines) = &mut self.turn {
            if line == b"." {
                let (list, lines) = (*list, mem::take(lines));
                self.turn = Turn::Command;
                self.listed(list, lines);
            } else if lines.len() >= MAX_REPLY_LINES {
                let kind = GatewayErrorKind::TooLong;
                return Err(GatewayError::new(Side::Backend, kind, "response", 0));
            } else {
                lines.push(line);
            }
            return Ok(());
        }
        let (is_ok, is_error) = (is_status(&line, b"+OK"), is_status(&line, b"-ERR"));
        if is_status(&line, b"+") {
            return match mem::replace(&mut self.turn, Turn::Response) {
                Turn::Reply(Reply::Sasl) => {
                    self.say(&line);
                    Ok(())
                }
                Turn::Reply(Reply::Message(message)) => {
                    self.for_backend.extend(message);
                    self.turn = Turn::Reply(Reply::Login);
                    Ok(())
                }
                _ => unexpected(),
            };
        }
        if !is_ok && !is_error {
            return unexpected();
        }
        match mem::replace(&mut self.turn, Turn::Command) {
            Turn::Greeting if is_ok => {
                if !self.hides_greeting {
                    self.say(&line);
                }
                if let Some(xclient) = self.xclient.take() {
                    self.forward(xclient.as_bytes(), Reply::Xclient);
                }
            }
            // The backend would take the gateway for the client.
            Turn::Reply(Reply::Xclient) if is_error => return unexpected(),
            Turn::Reply(Reply::Xclient) => {}
            // The backend takes leave.
            Turn::Greeting | Turn::Command | Turn::External if is_error => {
                self.say(&line);
                self.end();
            }
            // A reply without a command: it is not known what the backend would answer next.
            Turn::Greeting | Turn::Command | Turn::External => return unexpected(),
            Turn::Response if is_ok => return unexpected(),
            Turn::Response => {
                self.say(&line);
                self.refused(&line);
            }
            Turn::Reply(Reply::Line) => self.say(&line),
            Turn::Reply(Reply::User) => {
                self.say(&line);
                if is_error {
                    self.login = Some(Mechanism::PASSWORD);
                    self.refused(&line);
                }
            }
            Turn::Reply(Reply::Login | Reply::Sasl | Reply::Message(_)) => {
                self.say(&line);
                match is_ok {
                    true => self.logged_in(true),
                    false => self.refused(&line),
                }
            }
            Turn::Reply(Reply::Quit) => {
                self.say(&line);
                self.end();
            }
            Turn::Reply(Reply::List(list)) if is_ok => {
                self.say(&line);
                self.turn = Turn::Lines(list, Vec::new());
            }
            Turn::Reply(Reply::List(list)) => match self.edits.without_list() {
                Some(lines) if list == List::Capabilities => {
                    self.say(b"+OK capabilities of the gateway");
                    self.say_list(&lines);
                }
                _ => self.say(&line),
            },
            Turn::Lines(..) | Turn::Pipe | Turn::Over => {}
        }
        Ok(())
    }

    fn listed(&mut self, list: List, lines: Vec<Vec<u8>>) {
        let lines = match list {
            List::Capabilities => self.edits.capabilities(lines),
            List::Mechanisms => self.edits.mechanisms(lines),
            List::Languages => lines,
        };
        self.say_list(&lines);
    }

    /// Takes note of a login that the backend refused. One that it did not judge is no failed login.
    fn refused(&mut self, line: &[u8]) {
        match is_judged(line) {
            true => self.logged_in(false),
            false => self.login = None,
        }
    }

    fn logged_in(&mut self, accepted: bool) {
        let Some(mechanism) = self.login.take() else {
            return;
        };
        if accepted {
            self.turn = Turn::Pipe;
        }
        self.events.push_back(match accepted {
            true => Event::LoggedIn { mechanism },
            false => Event::LoginFailed { mechanism },
        });
    }

    /// Takes a command of the client, without its CRLF.
    fn command(&mut self, line: &[u8]) -> Result<(), GatewayError> {
        self.check(line)?;
        self.commands = self.commands.saturating_add(1);
        if self.commands > MAX_FRONT_COMMANDS {
            self.refusals = MAX_FRONT_REFUSALS;
            return self.refuse("-ERR too many commands before login", Refusal::Command);
        }
        // The line is ASCII or, by the option, whatever the backend takes for a name or a password.
        let text = String::from_utf8_lossy(line);
        let (name, arguments) = match text.split_once(' ') {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (&*text, None),
        };
        let name = name.to_ascii_uppercase();
        if name != "AUTH" && line.len().saturating_add(2) > MAX_POP_COMMAND_BYTES {
            return self.refuse("-ERR line too long", Refusal::Syntax);
        }
        let reply = match (name.as_str(), arguments) {
            ("CAPA", None) => Reply::List(List::Capabilities),
            ("LANG", None) => Reply::List(List::Languages),
            ("AUTH", None) => Reply::List(List::Mechanisms),
            ("UTF8", None) | ("LANG", Some(_)) => Reply::Line,
            ("QUIT", None) => Reply::Quit,
            ("USER", Some(_)) => Reply::User,
            ("PASS", Some(_)) => {
                self.login = Some(Mechanism::PASSWORD);
                Reply::Login
            }
            ("APOP", Some(_)) => {
                self.login = Some(Mechanism::APOP);
                Reply::Login
            }
            ("AUTH", Some(arguments)) => return self.auth(line, arguments),
            ("CAPA" | "UTF8" | "QUIT" | "USER" | "PASS" | "APOP", _) => {
                return self.refuse("-ERR wrong arguments", Refusal::Syntax);
            }
            _ => return self.refuse("-ERR not available before login", Refusal::Command),
        };
        self.forward(line, reply);
        Ok(())
    }

    /// Takes AUTH with its arguments: `mechanism [SP initial-response]`, RFC 5034 section 4.
    fn auth(&mut self, line: &[u8], arguments: &str) -> Result<(), GatewayError> {
        let (name, initial) = match arguments.split_once(' ') {
            Some((name, initial)) => (name, Some(initial)),
            None => (arguments, None),
        };
        let mechanism = Mechanism::parse(name);
        let is_initial = initial.is_none_or(|it| is_initial_response(it.as_bytes()));
        let Some(mechanism) = mechanism.filter(|_| is_initial) else {
            return self.refuse("-ERR mechanism and base64 expected", Refusal::Syntax);
        };
        if mechanism.is_plus() {
            let line = "-ERR mechanism is not available through this gateway";
            return self.refuse(line, Refusal::Command);
        }
        let is_external = mechanism == Mechanism::EXTERNAL;
        self.login = Some(mechanism);
        match initial {
            _ if !is_external => self.forward(line, Reply::Sasl),
            None if self.external.is_some() => {
                self.say(b"+ ");
                self.turn = Turn::External;
            }
            initial => return self.external(initial.unwrap_or_default().as_bytes()),
        }
        Ok(())
    }

    /// Takes a line that the backend asked for.
    fn response(&mut self, line: &[u8]) {
        if is_sasl_response(line) {
            self.forward(line, Reply::Sasl);
            return;
        }
        // The line is a bad response, whatever it looks like: the backend answers that the exchange is cancelled.
        self.events.push_back(Event::Refused(Refusal::Syntax));
        self.forward(b"*", Reply::Login);
    }

    /// Takes a response of EXTERNAL.
    fn external(&mut self, line: &[u8]) -> Result<(), GatewayError> {
        self.turn = Turn::Command;
        let response = String::from_utf8_lossy(line);
        let login = self.external.as_ref().and_then(|it| it.login(&response));
        let Some(login) = login else {
            self.logged_in(false);
            let line = match line {
                b"*" => "-ERR cancelled",
                _ => "-ERR [AUTH] not permitted by a certificate",
            };
            return self.refuse(line, Refusal::External);
        };
        let message = format!("{}\r\n", login.message).into_bytes();
        let command = format!("AUTH {}", login.mechanism);
        self.forward(command.as_bytes(), Reply::Message(message));
        Ok(())
    }

    /// Checks the octets of a command.
    fn check(&self, line: &[u8]) -> Result<(), GatewayError> {
        match line.iter().position(|octet| !octet.is_ascii()) {
            Some(at) if !self.allows_utf8 || std::str::from_utf8(line).is_err() => {
                let kind = GatewayErrorKind::Octet;
                Err(GatewayError::new(Side::Client, kind, "command", at))
            }
            _ => Ok(()),
        }
    }

    fn refuse(&mut self, line: &str, refusal: Refusal) -> Result<(), GatewayError> {
        self.say(line.as_bytes());
        self.events.push_back(Event::Refused(refusal));
        self.refusals = self.refusals.saturating_add(1);
        match self.refusals > MAX_FRONT_REFUSALS {
            true => {
                let kind = GatewayErrorKind::TooLong;
                Err(GatewayError::new(Side::Client, kind, "command", 0))
            }
            false => Ok(()),
        }
    }

    fn forward(&mut self, line: &[u8], reply: Reply) {
        self.for_backend.extend_from_slice(line);
        self.for_backend.extend_from_slice(b"\r\n");
        self.turn = Turn::Reply(reply);
    }

    fn say(&mut self, line: &[u8]) {
        self.for_client.extend_from_slice(line);
        self.for_client.extend_from_slice(b"\r\n");
    }

    fn say_list(&mut self, lines: &[Vec<u8>]) {
        lines.iter().for_each(|line| self.say(line));
        self.say(b".");
    }

    fn end(&mut self) {
        self.turn = Turn::Over;
        self.events.push_back(Event::Closed);
    }
}

impl GatewaySession for PopGateway {
    fn client_sent(&mut self, octets: &[u8]) -> Result<(), GatewayError> {
        match self.turn {
            Turn::Pipe => self.for_backend.extend_from_slice(octets),
            Turn::Over => {}
            _ => self.client.extend(octets),
        }
        self.go_on()
    }

    fn backend_sent(&mut self, octets: &[u8]) -> Result<(), GatewayError> {
        match self.turn {
            Turn::Pipe => self.for_client.extend_from_slice(octets),
            Turn::Over => {}
            _ => self.backend.extend(octets),
        }
        self.go_on()
    }

    fn take_for_client(&mut self) -> Vec<u8> {
        mem::take(&mut self.for_client)
    }

    fn take_for_backend(&mut self) -> Vec<u8> {
        mem::take(&mut self.for_backend)
    }

    fn may_receive(&self) -> bool {
        self.client.unread().len() < MAX_WAITING_BYTES
    }

    fn awaits_client(&self) -> bool {
        matches!(self.turn, Turn::Command | Turn::Response | Turn::External)
    }

    fn is_pipe(&self) -> bool {
        matches!(self.turn, Turn::Pipe)
    }

    fn is_over(&self) -> bool {
        matches!(self.turn, Turn::Over)
    }

    fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn backend_failed(&mut self, failure: BackendFailure) {
        match self.turn {
            Turn::Over => return,
            Turn::Pipe => {}
            // The first line of the reply was sent.
            Turn::Lines(..) => {}
            _ => self.say(format!("-ERR [SYS/TEMP] {}", failure.text()).as_bytes()),
        }
        self.end();
    }
}

/// Returns Dovecot's XCLIENT command for POP, whose addresses of IPv6 have no prefix.
fn xclient(facts: &ClientFacts) -> String {
    let peer = facts.record.peer;
    format!(
        "XCLIENT ADDR={} PORT={} SESSION={}",
        peer.ip().to_canonical(),
        peer.port(),
        facts.session
    )
}
