//! Connections for `lettre` to submission servers that satisfy the latches.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;
use std::{error::Error, io, net::SocketAddr};

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, AsyncTokioStream},
    extension::ClientId,
    response::Response,
};
use tokio::net::TcpStream;

use crate::{
    client::{ClientError, ClientEvent},
    connection::connector::{LatchConnector, MailStream, TimedOut, timed_out, within},
    connection::library::{Library, finish},
    connection::{Rewound, RunError, TimeLimited},
    facts::Login,
    smtp::SmtpClient,
    store::{Account, LatchStore},
};

/// A connection that `lettre` logs in over.
pub struct SmtpConnection<'a> {
    connector: LatchConnector,
    client: SmtpClient,
    smtp: AsyncSmtpConnection,
    store: &'a dyn LatchStore,
    account: &'a Account,
}

impl fmt::Debug for SmtpConnection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpConnection").finish_non_exhaustive()
    }
}

/// A connection or login that failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum SmtpConnectionError {
    /// `lettre` failed, or the server refused the login.
    Smtp(lettre::transport::smtp::Error),
    /// The connection failed, or was refused.
    Run(RunError),
}

impl fmt::Display for SmtpConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
        }
    }
}

impl Error for SmtpConnectionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Display writes the error itself.
        match self {
            Self::Smtp(error) => error.source(),
            Self::Run(error) => error.source(),
        }
    }
}

impl From<RunError> for SmtpConnectionError {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl From<lettre::transport::smtp::Error> for SmtpConnectionError {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        Self::Smtp(error)
    }
}

impl LatchConnector {
    /// Connects a client of SMTP Submission for `lettre`, over a TCP connection to its host. The server's
    /// greeting, which `lettre` waits for, is put back into the stream.
    ///
    /// A later read or write of `lettre` fails if it takes longer than [`time_limit`](Self::time_limit).
    ///
    /// # Errors
    /// Returns the errors of [`connect`](Self::connect), and those of `lettre`, which sends EHLO itself.
    pub async fn connect_lettre<'a>(
        &self,
        mut client: SmtpClient,
        tcp: TcpStream,
        store: &'a dyn LatchStore,
        account: &'a Account,
    ) -> Result<SmtpConnection<'a>, SmtpConnectionError> {
        let (_, mut stream) = self.connect(&mut client, tcp, store, account).await?;
        stream.rewind(client.greeting().to_vec());
        let hello = ClientId::Domain(client.domain().into());
        let stream = Box::new(TimeLimited::new(stream, self.limit()));
        let smtp = AsyncSmtpConnection::connect_with_transport(stream, &hello);
        let smtp = within(self.limit(), smtp).await;
        let smtp = smtp.map_err(|TimedOut| timed_out(&client))??;
        Ok(SmtpConnection {
            connector: self.clone(),
            client,
            smtp,
            store,
            account,
        })
    }
}

impl SmtpConnection<'_> {
    /// Returns the client, with the server's greeting and capabilities, and the latches.
    #[must_use]
    pub const fn client(&self) -> &SmtpClient {
        &self.client
    }

    /// Returns the events since the last call.
    #[must_use]
    pub fn take_events(&mut self) -> Vec<ClientEvent> {
        self.client.take_events()
    }

    /// Returns the connection to a server that requires no login.
    #[must_use]
    pub fn into_inner(self) -> AsyncSmtpConnection {
        self.smtp
    }

    /// Logs in. Returns the connection, and its events.
    ///
    /// # Errors
    /// Returns [`SmtpConnectionError::Smtp`] if the login fails, and [`SmtpConnectionError::Run`] if the connection fails or
    /// is refused.
    pub async fn auth(
        self,
        mechanisms: &[Mechanism],
        credentials: &Credentials,
    ) -> Result<(AsyncSmtpConnection, Vec<ClientEvent>), SmtpConnectionError> {
        let Self {
            connector,
            mut client,
            mut smtp,
            store,
            account,
        } = self;
        let limit = connector.limit();
        let auth = within(limit, smtp.auth(mechanisms, credentials)).await;
        auth.map_err(|TimedOut| timed_out(&client))??;
        client.logged_in(Login::Done);
        let done = within(limit, finish(&mut client, &mut smtp, store, account)).await;
        done.unwrap_or_else(|TimedOut| Err(timed_out(&client)))?;
        Ok((smtp, client.take_events()))
    }
}

impl Library for AsyncSmtpConnection {
    async fn ask(&mut self, command: &[u8]) -> Result<Vec<u8>, RunError> {
        let command = str::from_utf8(command)
            .map_err(|_| RunError::Client(ClientError::Misuse))?
            .to_string();
        match self.command(command).await {
            Ok(response) => Ok(reply(&response).into_bytes()),
            Err(error) => match error.status() {
                Some(code) => Ok(format!("{code} \r\n").into_bytes()),
                None => Err(RunError::Io(io::Error::other(error))),
            },
        }
    }
}

/// Returns a reply without its text.
fn reply(response: &Response) -> String {
    format!("{} \r\n", response.code())
}

impl<S: AsyncTokioStream> AsyncTokioStream for Rewound<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }
}

impl<S: AsyncTokioStream> AsyncTokioStream for MailStream<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Clear(stream) => stream.peer_addr(),
            Self::Tls(stream) => stream.get_ref().0.peer_addr(),
        }
    }
}

impl<S: AsyncTokioStream> AsyncTokioStream for TimeLimited<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }
}
