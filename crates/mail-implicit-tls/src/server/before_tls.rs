//! The dialogue of a server before TLS on a port with `STARTTLS`: capability discovery and the upgrade, nothing else
//! (draft-newman-email-deep-02 section 9.1; RFC 2595, 3207, 3501).
//!
//! [`BeforeTls`] does no I/O. It never keeps what a client sends beside the command word, so that a password that a
//! client sends in clear text is in no log.

use std::fmt;

use crate::{dialogue::lines::Lines, service::Protocol};

/// The greatest length of a command before TLS, in octets. RFC 5321 section 4.5.3.1.4 has 512; IMAP's and POP's
/// commands before TLS are shorter.
pub const MAX_COMMAND_BYTES: usize = 512;

/// The greatest number of commands before TLS.
pub const MAX_COMMANDS: usize = 20;

/// The dialogue with one client.
#[derive(Debug)]
pub struct BeforeTls {
    protocol: Protocol,
    name: String,
    can_start_tls: bool,
    lines: Lines,
    commands: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Commands,
    Upgrading,
    Closed,
}

/// The next action of the server after it received octets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// Send these octets and receive more.
    Send(Vec<u8>),
    /// Send these octets, then make the TLS handshake. No octet of the client's that came before it counts.
    StartTls(Vec<u8>),
    /// Send these octets and close the connection, for this reason.
    Close(Vec<u8>, CloseReason),
}

/// The reason why a connection is closed before TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client ended the session.
    Quit,
    /// Octets followed the command for the upgrade, which an attacker may have put there.
    Injected,
    /// A command is longer than [`MAX_COMMAND_BYTES`], or there are more than [`MAX_COMMANDS`].
    TooLong,
    /// A line has NUL, a bare CR or a bare LF.
    Octet,
    /// The client sent an HTTP request.
    Http,
    /// The client began TLS without `STARTTLS`.
    Tls,
    /// The client sent a header of the PROXY protocol, which only listed proxies may.
    ProxyHeader,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quit => "the client ended the session before TLS",
            Self::Injected => "data followed the client's STARTTLS command",
            Self::TooLong => "the client sent more before TLS than the limits permit",
            Self::Octet => "the client's command has NUL or an incomplete line end",
            Self::Http => "the client sent an HTTP request",
            Self::Tls => "the client began TLS without STARTTLS",
            Self::ProxyHeader => "the client sent a header of the PROXY protocol",
        })
    }
}

/// Returns `true` if a line is one of HTTP: a page of a browser makes requests to mail ports too (ALPACA).
pub(super) fn is_http(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 9] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"OPTIONS ",
        b"DELETE ",
        b"PATCH ",
        b"CONNECT ",
        b"TRACE ",
    ];
    METHODS.iter().any(|method| line.starts_with(method)) || line.starts_with(b"PRI * HTTP/")
}

impl BeforeTls {
    /// Returns the dialogue and the greeting. `name` is the server's host name. `STARTTLS` is advertised only if
    /// `can_start_tls`, which must be `false` where there is no certificate (section 9.2).
    #[must_use]
    pub fn new(protocol: Protocol, name: &str, can_start_tls: bool) -> (Self, Vec<u8>) {
        let name: String = name
            .chars()
            .filter(char::is_ascii_graphic)
            .take(255)
            .collect();
        let this = Self {
            protocol,
            name,
            can_start_tls,
            lines: Lines::default(),
            commands: 0,
            state: State::Commands,
        };
        let greeting = match protocol {
            Protocol::Imap => format!(
                "* OK [CAPABILITY {}] {} ready\r\n",
                this.imap_capabilities(),
                this.name
            ),
            Protocol::Pop => format!("+OK {} ready\r\n", this.name),
            Protocol::Submission => format!("220 {} ESMTP\r\n", this.name),
        };
        (this, greeting.into_bytes())
    }

    fn imap_capabilities(&self) -> &'static str {
        match self.can_start_tls {
            true => "IMAP4rev1 LOGINDISABLED STARTTLS",
            false => "IMAP4rev1 LOGINDISABLED",
        }
    }

    /// Takes octets of the client.
    pub fn receive(&mut self, octets: &[u8]) -> Answer {
        match self.state {
            State::Commands => {}
            State::Upgrading => return self.close(Vec::new(), CloseReason::Injected),
            State::Closed => return Answer::Close(Vec::new(), CloseReason::Quit),
        }
        self.lines.extend(octets);
        // A ClientHello: record type 22, version 3.x.
        if self.commands == 0 && self.lines.unread().starts_with(&[22, 3]) {
            return self.close(Vec::new(), CloseReason::Tls);
        }
        let mut replies = Vec::new();
        while let Some(line) = self.lines.next_line() {
            if line.len() > MAX_COMMAND_BYTES {
                return self.close(replies, CloseReason::TooLong);
            }
            if is_http(line) {
                return self.close(replies, CloseReason::Http);
            }
            if self.commands == 0 && line.starts_with(b"PROXY ") {
                return self.close(replies, CloseReason::ProxyHeader);
            }
            let command = line.strip_suffix(b"\r\n").filter(|line| is_line(line));
            let Some(command) = command.map(<[u8]>::to_vec) else {
                return self.close(replies, CloseReason::Octet);
            };
            self.commands = self.commands.saturating_add(1);
            if self.commands > MAX_COMMANDS {
                return self.close(replies, CloseReason::TooLong);
            }
            let (mut reply, then) = self.command(&command);
            replies.append(&mut reply);
            match then {
                Then::Continue => {}
                Then::Close => return self.close(replies, CloseReason::Quit),
                // newman-9-1, CVE-2011-0411: what came with the command is not read within TLS.
                Then::StartTls if !self.lines.unread().is_empty() => {
                    return self.close(Vec::new(), CloseReason::Injected);
                }
                Then::StartTls => {
                    self.state = State::Upgrading;
                    return Answer::StartTls(replies);
                }
            }
        }
        if self.lines.has_bad_octet() {
            return self.close(replies, CloseReason::Octet);
        }
        if self.lines.unread().len() > MAX_COMMAND_BYTES {
            return self.close(replies, CloseReason::TooLong);
        }
        Answer::Send(replies)
    }

    fn close(&mut self, octets: Vec<u8>, reason: CloseReason) -> Answer {
        self.state = State::Closed;
        self.lines = Lines::default();
        Answer::Close(octets, reason)
    }

    /// Answers a command.
    fn command(&self, line: &[u8]) -> (Vec<u8>, Then) {
        let mut words = line.split(|octet| *octet == b' ');
        let mut word = || words.next().unwrap_or_default();
        match self.protocol {
            Protocol::Imap => {
                let tag = word();
                let command = word();
                match is_tag(tag) {
                    true => self.imap(&String::from_utf8_lossy(tag), command),
                    false => (b"* BAD tag expected\r\n".to_vec(), Then::Continue),
                }
            }
            Protocol::Pop => self.pop(word()),
            Protocol::Submission => self.smtp(word()),
        }
    }

    fn imap(&self, tag: &str, command: &[u8]) -> (Vec<u8>, Then) {
        let is = |name: &str| command.eq_ignore_ascii_case(name.as_bytes());
        let (reply, then) = if is("CAPABILITY") {
            let capabilities = self.imap_capabilities();
            (
                format!("* CAPABILITY {capabilities}\r\n{tag} OK done\r\n"),
                Then::Continue,
            )
        } else if is("NOOP") {
            (format!("{tag} OK done\r\n"), Then::Continue)
        } else if is("LOGOUT") {
            (format!("* BYE closing\r\n{tag} OK done\r\n"), Then::Close)
        } else if is("STARTTLS") && self.can_start_tls {
            (format!("{tag} OK begin TLS\r\n"), Then::StartTls)
        } else if is("STARTTLS") {
            (
                format!("{tag} BAD TLS is not available\r\n"),
                Then::Continue,
            )
        } else {
            // RFC 5530
            (
                format!("{tag} NO [PRIVACYREQUIRED] TLS is required\r\n"),
                Then::Continue,
            )
        };
        (reply.into_bytes(), then)
    }

    fn pop(&self, command: &[u8]) -> (Vec<u8>, Then) {
        let is = |name: &str| command.eq_ignore_ascii_case(name.as_bytes());
        let (reply, then) = if is("CAPA") && self.can_start_tls {
            ("+OK\r\nSTLS\r\nRESP-CODES\r\n.\r\n", Then::Continue)
        } else if is("CAPA") {
            ("+OK\r\nRESP-CODES\r\n.\r\n", Then::Continue)
        } else if is("QUIT") {
            ("+OK closing\r\n", Then::Close)
        } else if is("STLS") && self.can_start_tls {
            ("+OK begin TLS\r\n", Then::StartTls)
        } else if is("STLS") {
            ("-ERR TLS is not available\r\n", Then::Continue)
        } else {
            ("-ERR [SYS/PERM] TLS is required\r\n", Then::Continue)
        };
        (reply.into(), then)
    }

    fn smtp(&self, command: &[u8]) -> (Vec<u8>, Then) {
        let is = |name: &str| command.eq_ignore_ascii_case(name.as_bytes());
        let name = &self.name;
        let (reply, then) = if is("EHLO") && self.can_start_tls {
            (
                format!("250-{name}\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n"),
                Then::Continue,
            )
        } else if is("EHLO") {
            (
                format!("250-{name}\r\n250 ENHANCEDSTATUSCODES\r\n"),
                Then::Continue,
            )
        } else if is("HELO") {
            (format!("250 {name}\r\n"), Then::Continue)
        } else if is("NOOP") || is("RSET") {
            ("250 2.0.0 OK\r\n".to_owned(), Then::Continue)
        } else if is("QUIT") {
            ("221 2.0.0 closing\r\n".to_owned(), Then::Close)
        } else if is("STARTTLS") && self.can_start_tls {
            ("220 2.0.0 begin TLS\r\n".to_owned(), Then::StartTls)
        } else if is("STARTTLS") {
            (
                "454 4.7.0 TLS is not available\r\n".to_owned(),
                Then::Continue,
            )
        } else {
            // RFC 3207 section 4
            ("530 5.7.0 TLS is required\r\n".to_owned(), Then::Continue)
        };
        (reply.into_bytes(), then)
    }
}

enum Then {
    Continue,
    StartTls,
    Close,
}

fn is_line(line: &[u8]) -> bool {
    !line.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n'))
}

/// Returns `true` for a tag of RFC 3501: printable ASCII without the characters that have a meaning elsewhere.
fn is_tag(tag: &[u8]) -> bool {
    let sign = |octet: &u8| octet.is_ascii_graphic() && !b"(){%*\"\\]+".contains(octet);
    !tag.is_empty() && tag.len() <= 64 && tag.iter().all(sign)
}
