//! A filter's connection to an MTA: one MTA, one client after another, one message after another.

use alloc::{collections::VecDeque, string::String, sync::Arc, vec::Vec};

use super::{
    command::{Command, PacketReader, Peer},
    error::{DecodeError, DecodeErrorKind as Kind},
    event::{Event, Failure, MessageReport, Outcome},
    message::Header,
    options::{Actions, OLDEST_VERSION, Options, Steps, VERSION},
    reply::Reply,
    settings::{MilterSettings, OnFailure},
    stage::{StageMacros, WANTED},
};
use crate::{
    Session, StripPolicy,
    border::{Client, Task},
    facts::milter::{Mta, xtext},
    strip::AUTHENTICATION_RESULTS,
    tls::TlsResult,
};

/// A connection of an MTA to the filter.
#[derive(Clone, Debug)]
pub struct MilterSession {
    reader: PacketReader,
    state: State,
}

impl MilterSession {
    /// Returns the session of a new connection.
    #[must_use]
    pub fn new(settings: Arc<MilterSettings>) -> Self {
        Self {
            reader: PacketReader::new(settings.max_packet),
            state: State {
                settings,
                negotiated: None,
                pending: (0, StageMacros::default()),
                client: Connection::default(),
                message: None,
                is_over: false,
                events: VecDeque::new(),
            },
        }
    }

    /// Takes octets that arrived, and writes the replies to the end of `replies`.
    ///
    /// # Errors
    /// Returns the error of a packet that cannot be decoded or is not allowed. The connection must then be closed; the
    /// MTA treats the message as configured for filters that fail.
    pub fn receive(&mut self, octets: &[u8], replies: &mut Vec<u8>) -> Result<(), DecodeError> {
        self.reader.push(octets);
        while !self.state.is_over
            && let Some(packet) = self.reader.next_packet()?
        {
            self.state.command(Command::decode(packet)?, replies)?;
        }
        Ok(())
    }

    /// Uses other settings from the next message on.
    pub fn set_settings(&mut self, settings: Arc<MilterSettings>) {
        self.state.settings = settings;
    }

    /// Returns the next event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.state.events.pop_front()
    }

    /// Returns `true` if the MTA ended the connection, which must then be closed.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.state.is_over
    }

    /// Returns `true` while a message is being received.
    #[must_use]
    pub const fn has_message(&self) -> bool {
        self.state.message.is_some()
    }
}

/// The client of the current SMTP connection.
#[derive(Clone, Debug, Default)]
struct Connection {
    peer: Option<Peer>,
    host: Option<String>,
    helo: Option<String>,
    /// The macros of the connection and of the last greeting.
    at_connect: StageMacros,
    at_helo: StageMacros,
}

/// A message, from its sender on. Its settings stay the same, whatever is loaded meanwhile.
#[derive(Clone, Debug)]
struct Message {
    settings: Arc<MilterSettings>,
    at_mail: StageMacros,
    task: Task,
    header: Header,
    failure: Option<Failure>,
}

#[derive(Clone, Debug)]
struct State {
    settings: Arc<MilterSettings>,
    negotiated: Option<Options>,
    /// The macros for the next command with this code.
    pending: (u8, StageMacros),
    client: Connection,
    message: Option<Message>,
    is_over: bool,
    events: VecDeque<Event>,
}

/// The changes that the filter makes.
const ACTIONS: Actions = Actions(Actions::ADD_HEADERS.0 | Actions::CHANGE_HEADERS.0);

/// The steps that the filter does not need, or for which it need not reply.
const STEPS: Steps = Steps(
    Steps::NO_RECIPIENT.0
        | Steps::NO_BODY.0
        | Steps::NO_END_OF_HEADER.0
        | Steps::NO_UNKNOWN.0
        | Steps::NO_DATA.0
        | Steps::NO_REPLY_CONNECT.0
        | Steps::NO_REPLY_HELO.0
        | Steps::NO_REPLY_MAIL.0
        | Steps::NO_REPLY_HEADER.0
        | Steps::LEADING_SPACE.0,
);

impl State {
    fn command(&mut self, command: Command<'_>, replies: &mut Vec<u8>) -> Result<(), DecodeError> {
        if let Command::Negotiate(offered) = command {
            return self.negotiate(offered, replies);
        }
        if matches!(command, Command::Quit) {
            self.is_over = true;
            return Ok(());
        }
        let Some(options) = self.negotiated else {
            return Err(DecodeError::new(Kind::NotNegotiated, "command", 4));
        };
        let silent = match command {
            Command::Negotiate(_) | Command::Quit => return Ok(()),
            Command::Macros { command, macros } => {
                if self.pending.0 != command {
                    self.pending = (command, StageMacros::default());
                }
                self.pending.1.add(macros);
                return Ok(());
            }
            Command::Abort => {
                if self.message.take().is_some() {
                    self.events.push_back(Event::Aborted);
                }
                return Ok(());
            }
            Command::QuitNewConnection => {
                self.message = None;
                self.client = Connection::default();
                return Ok(());
            }
            Command::Connect { host, peer } => {
                self.message = None;
                self.client = Connection {
                    peer: Some(peer),
                    host: text(host),
                    at_connect: self.take_macros(b'C'),
                    ..Connection::default()
                };
                Steps::NO_REPLY_CONNECT
            }
            Command::Helo(name) => {
                self.message = None;
                self.client.helo = text(name);
                self.client.at_helo = self.take_macros(b'H');
                Steps::NO_REPLY_HELO
            }
            Command::Mail(_) => {
                let message = self.new_message();
                self.message = Some(message);
                Steps::NO_REPLY_MAIL
            }
            Command::Recipient(_) => Steps::NO_REPLY_RECIPIENT,
            Command::Data => Steps::NO_REPLY_DATA,
            Command::Header { name, value } => {
                let has_leading_space = options.steps.contains(Steps::LEADING_SPACE);
                self.message().header(name, value, has_leading_space);
                Steps::NO_REPLY_HEADER
            }
            Command::EndOfHeader => Steps::NO_REPLY_END_OF_HEADER,
            Command::Body(_) => {
                if options.steps.contains(Steps::SKIP) {
                    Reply::Skip.encode(replies);
                    return Ok(());
                }
                Steps::NO_REPLY_BODY
            }
            Command::Unknown(_) => Steps::NO_REPLY_UNKNOWN,
            Command::EndOfMessage(_) => {
                self.end(options, replies);
                return Ok(());
            }
        };
        if !options.steps.contains(silent) {
            Reply::Continue.encode(replies);
        }
        Ok(())
    }

    /// Chooses the options that both sides have.
    fn negotiate(&mut self, offered: Options, replies: &mut Vec<u8>) -> Result<(), DecodeError> {
        if offered.version < OLDEST_VERSION {
            let version = offered.version;
            return Err(DecodeError::new(Kind::Version { version }, "version", 5));
        }
        let missing = ACTIONS.without(offered.actions).0;
        if missing != 0 {
            return Err(DecodeError::new(Kind::NotOffered { missing }, "actions", 9));
        }
        let wanted = STEPS | Steps::SKIP;
        let macros: &[_] = match offered.actions.contains(Actions::SET_MACROS) {
            true => &WANTED,
            false => &[],
        };
        let options = Options {
            version: offered.version.min(VERSION),
            actions: (ACTIONS | Actions::SET_MACROS) & offered.actions,
            steps: wanted & offered.steps,
        };
        Reply::Negotiate(options, macros).encode(replies);
        self.negotiated = Some(options);
        self.client = Connection::default();
        self.message = None;
        self.events.push_back(Event::Negotiated(options.version));
        Ok(())
    }

    /// Returns the macros that were sent for the command with this code. They are for this command only.
    fn take_macros(&mut self, code: u8) -> StageMacros {
        let (command, macros) = core::mem::take(&mut self.pending);
        if command == code {
            macros
        } else {
            StageMacros::default()
        }
    }

    /// Returns the message that begins now.
    fn new_message(&mut self) -> Message {
        let at_mail = self.take_macros(b'M');
        let settings = self.settings.clone();
        let client = self.client.facts(&at_mail, &settings);
        Message {
            task: settings.border.task_for(&client),
            settings,
            at_mail,
            header: Header::default(),
            failure: None,
        }
    }

    /// Returns the current message. An MTA that sends no sender begins it with the first field.
    fn message(&mut self) -> &mut Message {
        let message = match self.message.take() {
            Some(message) => message,
            None => self.new_message(),
        };
        self.message.insert(message)
    }

    fn end(&mut self, options: Options, replies: &mut Vec<u8>) {
        let macros = self.take_macros(b'E');
        let message = match self.message.take() {
            Some(message) => message,
            None => self.new_message(),
        };
        let queue_id = macros.queue_id().or_else(|| message.at_mail.queue_id());
        let queue_id = queue_id.filter(|id| is_queue_id(id)).map(String::from);
        let has_leading_space = options.steps.contains(Steps::LEADING_SPACE);
        let (outcome, removed) = match self.client.finish(&message, has_leading_space, replies) {
            Ok(outcome) => (outcome, message.header.removed),
            Err(failure) => {
                match message.settings.on_failure {
                    OnFailure::TemporaryFailure => Reply::TemporaryFailure.encode(replies),
                    OnFailure::Accept => Reply::Continue.encode(replies),
                }
                (Outcome::Failed(failure), Vec::new())
            }
        };
        self.events.push_back(Event::Message(MessageReport {
            queue_id,
            outcome,
            removed,
        }));
    }
}

impl Message {
    fn header(&mut self, name: &[u8], value: &[u8], has_leading_space: bool) {
        if self.failure.is_some() {
            return;
        }
        let policy: &StripPolicy = &self.settings.border.strip;
        let policy = Some(policy).filter(|_| self.task.strips());
        let limit = self.settings.max_header;
        if !self
            .header
            .add(policy, (name, value), has_leading_space, limit)
        {
            self.header = Header::default();
            self.failure = Some(Failure::HeaderTooLong);
        }
    }
}

impl Connection {
    /// Returns the facts of the client that do not concern its certificate.
    fn facts<'c>(&'c self, at_mail: &StageMacros, settings: &MilterSettings) -> Client<'c> {
        let host = self.host.as_deref();
        // Postfix sends the name only if it is verified. Sendmail tells by a macro.
        let is_verified = match self.mta(settings) {
            Mta::Postfix => host != Some("unknown"),
            Mta::Sendmail => self.at_connect.client_resolve() == Some("OK"),
        };
        Client {
            helo: self.helo.as_deref(),
            verified_name: host.filter(|_| is_verified),
            address: match self.peer {
                Some(Peer::Inet(address)) => Some(address),
                _ => None,
            },
            is_authenticated: at_mail.is_authenticated(),
            common_name: None,
        }
    }

    fn mta(&self, settings: &MilterSettings) -> Mta {
        let version = self.at_connect.mta_version().unwrap_or_default();
        let is_postfix = version.starts_with("Postfix");
        let detected = if is_postfix {
            Mta::Postfix
        } else {
            Mta::Sendmail
        };
        settings.mta.unwrap_or(detected)
    }

    /// Writes the changes of a message, the last field first, and then the reply.
    fn finish(
        &self,
        message: &Message,
        has_leading_space: bool,
        replies: &mut Vec<u8>,
    ) -> Result<Outcome, Failure> {
        if let Some(failure) = message.failure {
            return Err(failure);
        }
        let added = match message.task.adds() {
            true => Some(self.field(message).map_err(|_| Failure::Field)?),
            false => None,
        };
        for edit in message.header.edits.iter().rev() {
            Reply::ChangeHeader {
                index: edit.index,
                name: &edit.name,
                value: &edit.value,
            }
            .encode(replies);
        }
        if let Some((_, value)) = &added {
            // A milter's line breaks are LF.
            let space = if has_leading_space { " " } else { "" };
            let value = [space, &value.replace("\r\n", "\n")].concat();
            Reply::InsertHeader {
                index: 0,
                name: AUTHENTICATION_RESULTS.as_bytes(),
                value: value.as_bytes(),
            }
            .encode(replies);
        }
        Reply::Continue.encode(replies);
        Ok(match (added, message.task) {
            (Some((result, _)), _) => Outcome::Added(result),
            (None, Task::Nothing) => Outcome::Unchanged,
            (None, _) => Outcome::NotAdded,
        })
    }

    /// Returns the result and the value of the local field.
    fn field(&self, message: &Message) -> Result<(TlsResult, String), crate::WriteError> {
        let settings = &*message.settings;
        // The macros with the sender are the latest; an MTA that cannot be asked for them sends none.
        let at_mail = message.at_mail.tls();
        let (stage, tls) = match at_mail.tls_version {
            Some(_) => (&message.at_mail, at_mail),
            None => (&self.at_helo, self.at_helo.tls()),
        };
        let mta = self.mta(settings);
        let mut session = Session::from_milter_macros(&tls, mta);
        let common_name = match mta {
            Mta::Postfix => None,
            Mta::Sendmail => stage.cn_subject().and_then(|name| {
                let name = xtext(name)?;
                String::from_utf8(name).ok()
            }),
        };
        let client = Client {
            common_name: common_name.as_deref(),
            ..self.facts(&message.at_mail, settings)
        };
        settings.border.judge(&mut session, &client);
        settings.border.field(&session)
    }
}

fn text(octets: &[u8]) -> Option<String> {
    core::str::from_utf8(octets).ok().map(String::from)
}

/// Returns `true` if the text can be written to a log as it is.
fn is_queue_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_graphic())
}
