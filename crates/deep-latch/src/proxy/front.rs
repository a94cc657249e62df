//! The rules of a proxy that is the public side of a server, and not only a hop before it: draft-newman-email-deep-02
//! sections 7.1 and 9.2. The proxy advertises DEEP, observes logins, and lets no command pass before login that it does not
//! know.

mod rules;

use alloc::{borrow::Cow, collections::VecDeque, string::String, vec::Vec};
use core::mem;

pub use self::rules::{FrontRules, MapExternal, MappedLogin, ProxyEvent, ProxyRefusal, ProxySide};

use super::sasl::is_initial_response;
use crate::{
    cipher::TlsCipher,
    error::{ErrorKind, ParseError},
    imap::{IdCommand, IdParameters, capability_list, capability_words, command::Head},
    report::ClientReport,
    server::Advertisement,
};

/// The longest literal of a client before login, in bytes: RFC 7888 section 5 has the same for literals that do not wait.
pub const MAX_FRONT_LITERAL_BYTES: usize = 4_096;

/// The number of commands before login that the proxy refuses by itself. The next one ends the connection.
pub const MAX_FRONT_REFUSALS: usize = 20;

/// The number of commands before login that the proxy takes. The next one is refused, and ends the connection.
pub const MAX_FRONT_COMMANDS: usize = 100;

/// Capabilities that are not those of a connection within the proxy's TLS, or that the proxy refuses.
const REMOVED: &[&[u8]] = &[
    b"LOGINDISABLED",
    b"STARTTLS",
    b"UNAUTHENTICATE",
    b"XCLIENT",
    b"XFORWARD",
];

/// Commands before login that reach the server: those of RFC 3501 sections 6.1 and 6.2, of RFC 2971 and RFC 5255.
const BEFORE_LOGIN: &[&str] = &["CAPABILITY", "ID", "LANGUAGE", "LOGIN", "LOGOUT", "NOOP"];

/// Codes of a refusal that says nothing about a name or a password, RFC 5530 section 3.
const NOT_JUDGED: &[&[u8]] = &[
    b"INUSE",
    b"LIMIT",
    b"PRIVACYREQUIRED",
    b"SERVERBUG",
    b"UNAVAILABLE",
];

/// The treatment of a command of the client.
pub(super) enum Order {
    /// The command is forwarded; the server may ask for lines if `asks`.
    Forward { asks: bool },
    /// The command is a login that is forwarded.
    Login { asks: bool },
    /// The command is ID.
    Id,
    /// The command is a login by EXTERNAL, with its initial response.
    External(Option<String>),
    /// The proxy answers the command.
    Answer(&'static str, ProxyRefusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    NotAuthenticated,
    Authenticated,
}

/// The state of such a proxy beside the turns of the two sides.
#[derive(Clone, Debug)]
pub(super) struct Front {
    rules: FrontRules,
    tls: Option<TlsCipher<'static>>,
    phase: Phase,
    /// The login that the server has to answer, and its mechanism.
    login: Option<Option<String>>,
    /// `true` if the client asked to log out.
    logout: bool,
    /// `true` if the server has ID, as far as its capabilities are known.
    has_id: Option<bool>,
    /// `true` if the server received the fields of the proxy in ID.
    reported: bool,
    /// `true` if the server's capabilities after login are known.
    knows_capabilities: bool,
    /// `true` if the server has UNAUTHENTICATE.
    may_leave: bool,
    /// `true` if the server closes the session, so that no line of the proxy may follow.
    bye: bool,
    over: bool,
    commands: usize,
    refusals: usize,
    events: VecDeque<ProxyEvent>,
}

impl Front {
    pub(super) const fn new(rules: FrontRules, tls: Option<TlsCipher<'static>>) -> Self {
        Self {
            rules,
            tls,
            phase: Phase::Greeting,
            login: None,
            logout: false,
            has_id: None,
            reported: false,
            knows_capabilities: false,
            may_leave: false,
            bye: false,
            over: false,
            commands: 0,
            refusals: 0,
            events: VecDeque::new(),
        }
    }

    pub(super) fn next_event(&mut self) -> Option<ProxyEvent> {
        self.events.pop_front()
    }

    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn awaits_greeting(&self) -> bool {
        self.phase == Phase::Greeting
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.phase == Phase::Authenticated
    }

    /// Returns `true` if the proxy may send a line of its own to the client.
    pub(super) fn may_speak(&self) -> bool {
        !self.bye && !self.over && !self.is_authenticated()
    }

    /// Returns `true` if the connection can become a pipe between two commands: the server is known to have no way back
    /// before login.
    pub(super) fn becomes_pipe(&self) -> bool {
        self.is_authenticated()
            && self.knows_capabilities
            && !self.may_leave
            && !self.rules.parse_to_end
    }

    pub(super) fn refuse(&mut self, refusal: ProxyRefusal) {
        self.events.push_back(ProxyEvent::Refused(refusal));
    }

    /// Counts a command that was refused before login.
    pub(super) fn count_refusal(&mut self) -> Result<(), ParseError> {
        self.refusals = self.refusals.saturating_add(1);
        let limit = MAX_FRONT_REFUSALS;
        match self.has_refused_all() {
            false => Ok(()),
            true => Err(ParseError::new(ErrorKind::Limit { limit }, "command", 0)),
        }
    }

    /// Returns `true` if more commands before login were refused than are permitted.
    pub(super) fn has_refused_all(&self) -> bool {
        !self.is_authenticated() && self.refusals > MAX_FRONT_REFUSALS
    }

    pub(super) fn end(&mut self) {
        if !mem::replace(&mut self.over, true) {
            self.events.push_back(ProxyEvent::Closed);
        }
    }

    /// Returns `true` if lines of the client have ASCII only.
    pub(super) fn is_ascii_only(&self) -> bool {
        !self.is_authenticated() && !self.rules.allow_utf8
    }

    /// Decides about a command by its first line.
    pub(super) fn order(&mut self, head: &Head<'_>) -> Order {
        let refused = |text| Order::Answer(text, ProxyRefusal::Command);
        self.logout = head.is("LOGOUT");
        if !self.is_authenticated() {
            self.commands = self.commands.saturating_add(1);
            if self.commands > MAX_FRONT_COMMANDS {
                self.refusals = MAX_FRONT_REFUSALS;
                return refused("BAD too many commands before login");
            }
        }
        if head.is("ID") {
            return Order::Id;
        }
        if self.is_authenticated() {
            return match ["COMPRESS", "STARTTLS", "UNAUTHENTICATE"]
                .iter()
                .any(|name| head.is(name))
            {
                true => refused("NO not available through this proxy"),
                false => Order::Forward {
                    asks: ["AUTHENTICATE", "IDLE"].iter().any(|name| head.is(name)),
                },
            };
        }
        if head.is("AUTHENTICATE") {
            return self.authenticate(head.rest);
        }
        if !BEFORE_LOGIN.iter().any(|name| head.is(name)) {
            return refused("BAD not available before login");
        }
        match head.is("LOGIN") {
            true => {
                self.login = Some(None);
                Order::Login { asks: false }
            }
            false => Order::Forward { asks: false },
        }
    }

    /// Reads the arguments of AUTHENTICATE: `SP auth-type [SP initial-resp]`, RFC 4959 section 4.
    fn authenticate(&mut self, rest: &str) -> Order {
        let syntax = Order::Answer("BAD mechanism and base64 expected", ProxyRefusal::Syntax);
        let mut words = rest.split(' ').skip(1);
        let (name, initial) = (words.next().unwrap_or_default(), words.next());
        let is_name = (1..=20).contains(&name.len())
            && name
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
        if !is_name
            || words.next().is_some()
            || !initial.is_none_or(|it| is_initial_response(it.as_bytes()))
        {
            return syntax;
        }
        let name = name.to_ascii_uppercase();
        if name.ends_with("-PLUS") {
            let text = "NO mechanism is not available through this proxy";
            return Order::Answer(text, ProxyRefusal::Command);
        }
        let external = name == "EXTERNAL";
        self.login = Some(Some(name));
        match external {
            true => Order::External(initial.map(Into::into)),
            false => Order::Login { asks: true },
        }
    }

    /// Maps a response of EXTERNAL.
    pub(super) fn external(&mut self, response: &str) -> Option<MappedLogin> {
        let external = self.rules.external.as_ref();
        let login = external
            .filter(|_| response != "*")
            .and_then(|map| map.login(response));
        if login.is_none() {
            self.login_answered(false);
            self.refuse(ProxyRefusal::External);
        }
        login
    }

    /// Returns `true` if the client logs in by SASL.
    pub(super) const fn logs_in(&self) -> bool {
        matches!(self.login, Some(Some(_)))
    }

    /// Returns `true` if a login by EXTERNAL is possible.
    pub(super) const fn has_external(&self) -> bool {
        self.rules.external.is_some()
    }

    /// Returns the fields of ID that report the client to the server.
    pub(super) fn fields(&self) -> Vec<(&'static str, &str)> {
        let tls = self.tls.as_ref().map(|cipher| ("tls", cipher.as_str()));
        let fields = self.rules.fields.iter();
        fields
            .map(|(field, value)| (*field, value.as_str()))
            .chain(tls)
            .collect()
    }

    /// Returns `true` if an ID of the proxy precedes the login, since the client sent none.
    pub(super) fn reports_before_login(&self) -> bool {
        let is_known = self.has_id == Some(true) || self.must_report();
        !self.reported && is_known && !self.fields().is_empty()
    }

    /// Notes that the server received the fields of the proxy.
    pub(super) const fn set_reported(&mut self) {
        self.reported = true;
    }

    /// Returns `true` if the proxy answers ID itself: the server has no ID.
    pub(super) fn answers_id(&self) -> bool {
        self.has_id == Some(false) && !self.must_report() && self.own_id().is_some()
    }

    /// Returns `true` if no login may be forwarded before the server has accepted the fields of the proxy: the server would
    /// take the proxy for the client.
    pub(super) const fn must_report(&self) -> bool {
        !self.rules.fields.is_empty()
    }

    /// Notes that the server refused ID.
    pub(super) const fn set_not_reported(&mut self) {
        self.reported = false;
    }

    /// Notes the report in a client's ID.
    pub(super) fn report(&mut self, command: &IdCommand<'_>, removed: bool) {
        if removed {
            self.refuse(ProxyRefusal::Forged);
        }
        let Ok(parameters) = command.parameters() else {
            return;
        };
        let report = ClientReport::from_id_parameters(&parameters.without_field("tls"));
        let Ok(mut report) = report else {
            return;
        };
        if report != ClientReport::default() {
            report.tls.clone_from(&self.tls);
            self.events.push_back(ProxyEvent::Report(report));
        }
    }

    /// Returns the proxy's own response to ID.
    pub(super) fn own_id(&self) -> Option<String> {
        self.rules.advertisement.as_ref()?.merged_id(None)
    }

    /// Returns the response to ID for the client: the server's, with the status of the proxy.
    pub(super) fn merged_id<'a>(&self, response: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(advertisement) = &self.rules.advertisement else {
            return Cow::Borrowed(response);
        };
        let list = response.get("* ID ".len()..).unwrap_or_default();
        let list = list.strip_suffix(b"\r\n").unwrap_or(list);
        let server = IdParameters::parse(list).ok();
        match advertisement.merged_id(server.as_ref()) {
            Some(merged) => Cow::Owned(merged.into_bytes()),
            None => Cow::Borrowed(response),
        }
    }

    /// Takes the greeting. Returns `true` if it is forwarded.
    pub(super) fn greeting(&mut self, line: &[u8]) -> Result<bool, ParseError> {
        if is_untagged(line, b"BYE") {
            self.bye = true;
            self.end();
            return Ok(true);
        }
        if is_untagged(line, b"PREAUTH") {
            // newman-9-1-1-4: only a certificate of the client would permit it, and the server did not see one.
            self.refuse(ProxyRefusal::Preauth);
            return Err(unexpected("greeting"));
        }
        if !is_untagged(line, b"OK") {
            return Err(unexpected("greeting"));
        }
        self.phase = Phase::NotAuthenticated;
        Ok(!self.rules.hide_greeting)
    }

    /// Notes an untagged response.
    pub(super) fn untagged(&mut self, line: &[u8]) -> Result<(), ParseError> {
        if !line.starts_with(b"* ") {
            return Err(unexpected("response"));
        }
        self.bye |= is_untagged(line, b"BYE");
        Ok(())
    }

    /// Takes the response that completes the command with `tag`. Returns `true` if the server accepted it.
    pub(super) fn completion(&mut self, line: &[u8], tag: &[u8]) -> Result<bool, ParseError> {
        let state = line.get(tag.len()..).unwrap_or_default();
        let is = |name: &str| is_word(state, name.as_bytes());
        let accepted = is("OK");
        if !accepted && !is("NO") && !is("BAD") {
            return Err(unexpected("response-tagged"));
        }
        Ok(accepted)
    }

    /// Notes the completion of a command of the client: `line` is the response with `tag`.
    pub(super) fn completed(&mut self, accepted: bool, line: &[u8], tag: &[u8]) {
        match accepted || is_judged(line.get(tag.len()..).unwrap_or_default()) {
            true => self.login_answered(accepted),
            false => self.login = None,
        }
        if mem::take(&mut self.logout) && accepted {
            self.bye = true;
            self.end();
        }
    }

    fn login_answered(&mut self, accepted: bool) {
        let Some(mechanism) = self.login.take() else {
            return;
        };
        if accepted {
            self.phase = Phase::Authenticated;
        }
        self.events.push_back(ProxyEvent::Login {
            mechanism,
            accepted,
        });
    }

    /// Returns a line of the server for the client, with the capabilities of the proxy in place of the server's.
    pub(super) fn edited<'a>(&mut self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        let Some(place) = capability_list(text) else {
            return Cow::Borrowed(line);
        };
        let list = text.get(place.clone()).unwrap_or_default();
        let has = |name: &[u8]| capability_words(list).any(|word| word.eq_ignore_ascii_case(name));
        self.has_id = Some(has(b"ID"));
        self.may_leave |= has(b"UNAUTHENTICATE");
        self.knows_capabilities |= self.is_authenticated();
        let advertised = self
            .rules
            .advertisement
            .as_ref()
            .and_then(Advertisement::imap_capabilities);
        let mut added: Vec<&[u8]> = advertised
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(str::as_bytes)
            .collect();
        if self.rules.external.is_some() && !self.is_authenticated() {
            added.push(b"AUTH=EXTERNAL");
        }
        let mut edited = text.get(..place.start).unwrap_or_default().to_vec();
        let kept = capability_words(list).filter(|word| {
            !self.is_removed(word) && !added.iter().any(|it| it.eq_ignore_ascii_case(word))
        });
        for word in kept.chain(added.iter().copied()) {
            edited.push(b' ');
            edited.extend_from_slice(word);
        }
        edited.extend_from_slice(line.get(place.end..).unwrap_or_default());
        Cow::Owned(edited)
    }

    fn is_removed(&self, capability: &[u8]) -> bool {
        let starts = |prefix: &[u8]| {
            let start = capability.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let plus = capability
            .len()
            .checked_sub(b"-PLUS".len())
            .and_then(|at| capability.get(at..));
        let is_plus = plus.is_some_and(|end| end.eq_ignore_ascii_case(b"-PLUS"));
        REMOVED
            .iter()
            .any(|name| capability.eq_ignore_ascii_case(name))
            || starts(b"AUTH=") && is_plus
            || capability.eq_ignore_ascii_case(b"AUTH=EXTERNAL")
            || starts(b"COMPRESS=") && (self.may_leave || self.rules.parse_to_end)
    }
}

fn is_untagged(line: &[u8], name: &[u8]) -> bool {
    line.strip_prefix(b"*")
        .is_some_and(|rest| is_word(rest, name))
}

/// Returns `true` if a text begins with a space and this word.
fn is_word(text: &[u8], name: &[u8]) -> bool {
    let word = text.strip_prefix(b" ").unwrap_or_default();
    let end = word.iter().position(|octet| matches!(octet, b' ' | b'\r'));
    let word = word.get(..end.unwrap_or(word.len()));
    word.is_some_and(|word| word.eq_ignore_ascii_case(name))
}

/// Returns `false` if a state with its text, after the tag, says nothing about a name or a password: by the codes of RFC 5530
/// section 3 for trouble of the server and for a login that is not possible now, or here.
fn is_judged(state: &[u8]) -> bool {
    let code = state.strip_prefix(b" ").unwrap_or_default();
    let code = code.get("NO".len()..).and_then(|it| it.strip_prefix(b" ["));
    let code = code.unwrap_or_default();
    let end = code.iter().position(|octet| matches!(octet, b']' | b' '));
    let code = end.and_then(|end| code.get(..end)).unwrap_or_default();
    !NOT_JUDGED.iter().any(|it| it.eq_ignore_ascii_case(code))
}

const fn unexpected(field: &'static str) -> ParseError {
    ParseError::new(ErrorKind::Expected, field, 0)
}
