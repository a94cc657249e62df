//! Connections for `async-imap` to servers that satisfy the latches.

use alloc::{format, string::String, vec::Vec};
use core::fmt;
use std::{error::Error, io};

use async_imap::{Authenticator, Session, types::Capability};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    client::{ClientError, ClientEvent},
    connection::connector::{LatchConnector, MailStream, TimedOut, timed_out, within},
    connection::library::{Library, finish},
    connection::{Pause, Rewound, RunError, WholeLines},
    facts::Login,
    imap::IdParameters,
    imap::ImapClient,
    store::{Account, LatchStore},
};

/// The stream of an `async-imap` session.
pub type ImapStream<S> = WholeLines<Rewound<MailStream<S>>>;

/// A connection that `async-imap` logs in over.
///
/// The methods here log in, so that a status that the server advertises after login only is latched too. The client asks
/// for it by `async-imap`'s own commands, so that octets that the library has read ahead are not lost.
pub struct ImapConnection<'a, S: AsyncRead + AsyncWrite + Unpin + fmt::Debug> {
    connector: LatchConnector,
    client: ImapClient,
    imap: async_imap::Client<ImapStream<S>>,
    store: &'a dyn LatchStore,
    account: &'a Account,
}

impl<S: AsyncRead + AsyncWrite + Unpin + fmt::Debug> fmt::Debug for ImapConnection<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapConnection").finish_non_exhaustive()
    }
}

/// A login that failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImapLoginError {
    /// `async-imap` failed, or the server refused the login.
    Imap(async_imap::error::Error),
    /// The connection failed, or was refused.
    Run(RunError),
}

impl fmt::Display for ImapLoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Imap(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
        }
    }
}

impl Error for ImapLoginError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Display writes the error itself.
        match self {
            Self::Imap(error) => error.source(),
            Self::Run(error) => error.source(),
        }
    }
}

impl From<RunError> for ImapLoginError {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl LatchConnector {
    /// Connects a client of IMAP for `async-imap`, over a TCP connection to its host.
    ///
    /// # Errors
    /// Returns the errors of [`connect`](Self::connect), and [`ClientError::LoggedIn`] if the server requires no login
    /// (`PREAUTH`), for which `async-imap` has no session.
    pub async fn connect_async_imap<'a, S>(
        &self,
        mut client: ImapClient,
        tcp: S,
        store: &'a dyn LatchStore,
        account: &'a Account,
    ) -> Result<ImapConnection<'a, S>, RunError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug,
    {
        let (pause, stream) = self.connect(&mut client, tcp, store, account).await?;
        if pause != Pause::LogIn {
            return Err(RunError::Client(ClientError::LoggedIn));
        }
        Ok(ImapConnection {
            connector: self.clone(),
            client,
            imap: async_imap::Client::new(WholeLines::new(stream)),
            store,
            account,
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> ImapConnection<'_, S> {
    /// Returns the client, with the server's greeting and capabilities, and the latches.
    #[must_use]
    pub const fn client(&self) -> &ImapClient {
        &self.client
    }

    /// Returns the events since the last call.
    #[must_use]
    pub fn take_events(&mut self) -> Vec<ClientEvent> {
        self.client.take_events()
    }

    /// Logs in with LOGIN. Returns the session, and the events of the connection.
    ///
    /// # Errors
    /// Returns [`ImapLoginError::Imap`] if the login fails, and [`ImapLoginError::Run`] if the connection fails or is
    /// refused.
    pub async fn login(
        self,
        user: &str,
        password: &str,
    ) -> Result<(Session<ImapStream<S>>, Vec<ClientEvent>), ImapLoginError> {
        let Self {
            connector,
            mut client,
            imap,
            store,
            account,
        } = self;
        let limit = connector.limit();
        let login = within(limit, imap.login_with_capabilities(user, password)).await;
        let login = login.map_err(|TimedOut| timed_out(&client))?;
        let (session, capabilities) = login.map_err(|(error, _)| ImapLoginError::Imap(error))?;
        if let Some(capabilities) = capabilities {
            let names: Vec<_> = capabilities.iter().map(name).collect();
            client.capabilities_after_login(names.iter().map(String::as_str));
        }
        client.logged_in(Login::Done);
        let finished = finished(&connector, &mut client, session, store, account).await;
        Ok((finished?, client.take_events()))
    }

    /// Logs in with AUTHENTICATE. `login` is [`Login::ScramPlus`] if the mechanism authenticates the server by channel
    /// binding.
    ///
    /// # Errors
    /// Returns [`ImapLoginError::Imap`] if the login fails, and [`ImapLoginError::Run`] if the connection fails or is
    /// refused.
    pub async fn authenticate(
        self,
        mechanism: &str,
        authenticator: impl Authenticator,
        login: Login,
    ) -> Result<(Session<ImapStream<S>>, Vec<ClientEvent>), ImapLoginError> {
        let Self {
            connector,
            mut client,
            imap,
            store,
            account,
        } = self;
        let done = imap.authenticate(mechanism, authenticator);
        let done = within(connector.limit(), done).await;
        let done = done.map_err(|TimedOut| timed_out(&client))?;
        let session = done.map_err(|(error, _)| ImapLoginError::Imap(error))?;
        client.logged_in(login);
        let finished = finished(&connector, &mut client, session, store, account).await;
        Ok((finished?, client.take_events()))
    }
}

async fn finished<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug>(
    connector: &LatchConnector,
    client: &mut ImapClient,
    mut session: Session<ImapStream<S>>,
    store: &dyn LatchStore,
    account: &Account,
) -> Result<Session<ImapStream<S>>, RunError> {
    let done = within(
        connector.limit(),
        finish(client, &mut session, store, account),
    );
    let done = done.await;
    done.unwrap_or_else(|TimedOut| Err(timed_out(client)))?;
    Ok(session)
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Library for Session<ImapStream<S>> {
    async fn ask(&mut self, command: &[u8]) -> Result<Vec<u8>, RunError> {
        let misuse = || RunError::Client(ClientError::Misuse);
        let line = str::from_utf8(command).map_err(|_| misuse())?;
        let (tag, command) = line.trim_end().split_once(' ').ok_or_else(misuse)?;
        let answer = match command.split_once(' ') {
            Some(("ID", list)) => self.identify(list).await,
            None if command == "CAPABILITY" => self.capabilities().await.map(|capabilities| {
                let names: Vec<_> = capabilities.iter().map(name).collect();
                format!("* CAPABILITY {}\r\n", names.join(" "))
            }),
            // The server's answer to LOGOUT makes no difference.
            _ => {
                let _ = self.logout().await;
                Ok(String::new())
            }
        };
        Ok(match answer {
            Ok(untagged) => format!("{untagged}{tag} OK\r\n"),
            Err(async_imap::error::Error::No(_) | async_imap::error::Error::Bad(_)) => {
                format!("{tag} NO\r\n")
            }
            Err(async_imap::error::Error::Io(error)) => return Err(RunError::Io(error)),
            Err(async_imap::error::Error::ConnectionLost) => {
                return Err(RunError::Client(ClientError::EndOfInput));
            }
            Err(error) => return Err(RunError::Io(io::Error::other(error))),
        }
        .into_bytes())
    }
}

/// ID through `async-imap`.
trait Identify {
    async fn identify(&mut self, list: &str) -> Result<String, async_imap::error::Error>;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Identify for Session<ImapStream<S>> {
    async fn identify(&mut self, list: &str) -> Result<String, async_imap::error::Error> {
        // The client wrote the list.
        let list = IdParameters::parse(list.as_bytes()).unwrap_or_default();
        let answer = match list.pairs().next() {
            Some(_) => self.id(list.pairs()).await?,
            None => self.id_nil().await?,
        };
        let mut parameters = IdParameters::new();
        for (field, value) in answer.unwrap_or_default() {
            // A field that RFC 2971 does not allow has no status.
            let _ = parameters.try_push(field, Some(value));
        }
        Ok(format!("* ID {parameters}\r\n"))
    }
}

/// A capability as the server wrote it.
fn name(capability: &Capability) -> String {
    match capability {
        Capability::Imap4rev1 => String::from("IMAP4rev1"),
        Capability::Auth(mechanism) => format!("AUTH={mechanism}"),
        Capability::Atom(atom) => atom.clone(),
    }
}
