//! A mail server that serves connections of the acceptor, as small as foreign clients permit: one user, an empty
//! mailbox, and accepted messages.

use std::sync::{Arc, Mutex};

use mail_implicit_tls::{external, server::Session, service::Protocol};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// The notes of what clients did.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(super) fn add(&self, note: impl Into<String>) {
        if let Ok(mut notes) = self.0.lock() {
            notes.push(note.into());
        }
    }

    /// Returns the notes since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        self.0
            .lock()
            .map(|mut notes| std::mem::take(&mut *notes))
            .unwrap_or_default()
    }
}

/// Serves one session.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(session: Session<S>, notes: Notes) {
    notes.add(session.record().to_string());
    let protocol = session.record().service.protocol;
    let greets =
        session.record().service.security == mail_implicit_tls::service::Security::Implicit;
    let client = session.client().map(str::to_owned);
    let mut session = Dialogue {
        stream: BufReader::new(session.into_stream()),
        client,
        notes,
    };
    let served = match protocol {
        Protocol::Imap => session.imap(greets).await,
        Protocol::Pop => session.pop(greets).await,
        Protocol::Submission => session.submission(greets).await,
    };
    if let Err(error) = served {
        session.notes.add(format!("error: {error}"));
    }
    let _ = session.stream.get_mut().shutdown().await;
}

struct Dialogue<S> {
    stream: BufReader<S>,
    client: Option<String>,
    notes: Notes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = String::new();
        let count = (&mut self.stream).take(65_536).read_line(&mut line).await?;
        Ok((count > 0).then(|| line.trim_end().to_owned()))
    }

    async fn send(&mut self, text: &str) -> std::io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(text.as_bytes()).await?;
        stream.flush().await
    }

    /// Returns the mechanisms that the client may use, each after this prefix.
    fn mechanisms(&self, prefix: &str) -> String {
        match self.client {
            Some(_) => format!("{prefix}PLAIN {prefix}EXTERNAL"),
            None => format!("{prefix}PLAIN"),
        }
    }

    /// Judges the response of EXTERNAL or PLAIN, for which it asks with this prompt if the command has none.
    async fn logs_in(&mut self, arguments: &str, prompt: &str) -> std::io::Result<bool> {
        let (mechanism, initial) = arguments.split_once(' ').unwrap_or((arguments, ""));
        let mut response = initial.to_owned();
        if initial.is_empty() {
            self.send(&format!("{prompt}\r\n")).await?;
            response = self.line().await?.unwrap_or_default();
        }
        let mechanism = mechanism.to_ascii_uppercase();
        let user = match mechanism.as_str() {
            "EXTERNAL" => external::authorize(response.as_bytes(), self.client.as_deref())
                .ok()
                .map(str::to_owned),
            // alice, secret
            "PLAIN" => ["AGFsaWNlAHNlY3JldA==", "YWxpY2UAYWxpY2UAc2VjcmV0"]
                .contains(&response.as_str())
                .then(|| "alice".to_owned()),
            _ => None,
        };
        if let Some(user) = &user {
            self.notes.add(format!("login {mechanism} {user}"));
        }
        Ok(user.is_some())
    }

    async fn imap(&mut self, greets: bool) -> std::io::Result<()> {
        let capabilities = format!("IMAP4rev1 SASL-IR {}", self.mechanisms("AUTH="));
        if greets {
            self.send(&format!("* OK [CAPABILITY {capabilities}] ready\r\n"))
                .await?;
        }
        while let Some(line) = self.line().await? {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_default();
            let (tag, command, rest) = (word(), word().to_ascii_uppercase(), word());
            let ok = format!("{tag} OK done\r\n");
            let reply = match command.as_str() {
                "CAPABILITY" => format!("* CAPABILITY {capabilities}\r\n{ok}"),
                "LOGIN" if rest.replace('"', "") == "alice secret" => {
                    self.notes.add("login LOGIN alice");
                    ok
                }
                "AUTHENTICATE" => match self.logs_in(rest, "+ ").await? {
                    true => ok,
                    false => format!("{tag} NO refused\r\n"),
                },
                "LIST" | "LSUB" if rest.ends_with("\"\"") && command == "LIST" => {
                    format!("* LIST (\\Noselect) \"/\" \"\"\r\n{ok}")
                }
                "LIST" | "LSUB" => format!("* {command} () \"/\" INBOX\r\n{ok}"),
                "SELECT" | "EXAMINE" => format!(
                    "* FLAGS (\\Seen \\Deleted)\r\n* 0 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1] x\r\n\
                     * OK [UIDNEXT 1] x\r\n{tag} OK [READ-WRITE] done\r\n"
                ),
                "STATUS" => format!("* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1)\r\n{ok}"),
                "SEARCH" => format!("* SEARCH\r\n{ok}"),
                "UID" | "NOOP" | "CLOSE" | "EXPUNGE" | "CHECK" => ok,
                "LOGOUT" => {
                    self.send(&format!("* BYE closing\r\n{ok}")).await?;
                    return Ok(());
                }
                _ => format!("{tag} BAD unknown\r\n"),
            };
            self.send(&reply).await?;
        }
        Ok(())
    }

    async fn pop(&mut self, greets: bool) -> std::io::Result<()> {
        if greets {
            self.send("+OK ready\r\n").await?;
        }
        while let Some(line) = self.line().await? {
            let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let mechanisms = self.mechanisms("");
            let reply = match command.to_ascii_uppercase().as_str() {
                "CAPA" => format!("+OK\r\nUSER\r\nUIDL\r\nSASL {mechanisms}\r\n.\r\n"),
                "USER" => "+OK\r\n".to_owned(),
                "PASS" if rest == "secret" => {
                    self.notes.add("login PASS alice");
                    "+OK\r\n".to_owned()
                }
                "AUTH" => match self.logs_in(rest, "+ ").await? {
                    true => "+OK\r\n",
                    false => "-ERR refused\r\n",
                }
                .to_owned(),
                "STAT" => "+OK 0 0\r\n".to_owned(),
                "LIST" | "UIDL" => "+OK\r\n.\r\n".to_owned(),
                "NOOP" => "+OK\r\n".to_owned(),
                "QUIT" => {
                    self.send("+OK closing\r\n").await?;
                    return Ok(());
                }
                _ => "-ERR unknown\r\n".to_owned(),
            };
            self.send(&reply).await?;
        }
        Ok(())
    }

    async fn submission(&mut self, greets: bool) -> std::io::Result<()> {
        if greets {
            self.send("220 mail.example.test ESMTP\r\n").await?;
        }
        while let Some(line) = self.line().await? {
            let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let mechanisms = self.mechanisms("");
            let reply = match command.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    format!("250-mail.example.test\r\n250-8BITMIME\r\n250 AUTH {mechanisms}\r\n")
                }
                "HELO" => "250 mail.example.test\r\n".to_owned(),
                "AUTH" => match self.logs_in(rest, "334 ").await? {
                    true => "235 2.7.0 done\r\n",
                    false => "535 5.7.8 refused\r\n",
                }
                .to_owned(),
                "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 2.0.0 OK\r\n".to_owned(),
                "DATA" => {
                    self.send("354 go\r\n").await?;
                    while self.line().await?.is_some_and(|line| line != ".") {}
                    self.notes.add("message");
                    "250 2.0.0 taken\r\n".to_owned()
                }
                "QUIT" => {
                    self.send("221 2.0.0 closing\r\n").await?;
                    return Ok(());
                }
                _ => "502 5.5.1 unknown\r\n".to_owned(),
            };
            self.send(&reply).await?;
        }
        Ok(())
    }
}
