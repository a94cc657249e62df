//! A mail client with one account on one host.

use std::{net::SocketAddr, sync::Arc};

use conformance::outcome::{Checked, Failure, same};
use deep_latch::{
    Facilities, Host, ImapClient, LatchSession, PopClient, SmtpClient,
    client::{Client, ClientEvent, ClientOptions, Protocol, TlsStart},
    connection::{LatchConnector, MailStream, Pause, Rewound, RunError},
    facts::Login,
    failure::{Action, LatchFailure},
    store::{Account, LatchStore, MemoryLatchStore},
};
use rustls::{client::WebPkiServerVerifier, crypto::ring};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::certificates::{Authorities, HOST};

pub(super) struct Agent {
    connector: LatchConnector,
    store: MemoryLatchStore,
    account: Account,
}

/// The outcome of a connection: its events, and its end.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) events: Vec<String>,
    pub(super) outcome: Result<(), RunError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Imap,
    /// And logs in.
    ImapLogin,
    Pop,
    Smtp,
}

type Stream = Rewound<MailStream<TcpStream>>;

impl Agent {
    pub(super) fn new(authorities: &Authorities) -> Checked<Self> {
        let provider = Arc::new(ring::default_provider());
        let roots = authorities.roots()?;
        let pkix = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?;
        Ok(Self {
            connector: LatchConnector::new(provider, pkix),
            store: MemoryLatchStore::default(),
            account: Account::try_new("alice")?,
        })
    }

    /// Returns the stored latches and status of the host.
    pub(super) async fn kept(&self) -> Checked<(Vec<String>, Option<String>)> {
        let record = self
            .store
            .load(&self.account, &Host::try_new(HOST)?)
            .await?;
        let latched = record.latched().map(|tag| tag.as_str().to_owned());
        let status = record.status().map(|status| status.as_str().to_owned());
        Ok((latched.collect(), status))
    }

    /// One connection, from what was kept before.
    pub(super) async fn visit(
        &self,
        speaks: Speaks,
        address: SocketAddr,
        tls: TlsStart,
    ) -> Checked<Visit> {
        let record = self
            .store
            .load(&self.account, &Host::try_new(HOST)?)
            .await?;
        let session = LatchSession::try_new(record, Facilities::new())?;
        let options = ClientOptions {
            tls,
            name: Some("demo_mail".to_owned()),
            version: Some("1.5".to_owned()),
            ..ClientOptions::default()
        };
        match speaks {
            Speaks::Imap => {
                self.go(ImapClient::new(session, options), address, None)
                    .await
            }
            Speaks::ImapLogin => {
                let login = Some(b"a LOGIN alice secret\r\n".as_slice());
                self.go(ImapClient::new(session, options), address, login)
                    .await
            }
            Speaks::Pop => {
                self.go(PopClient::new(session, options), address, None)
                    .await
            }
            Speaks::Smtp => {
                let client = SmtpClient::try_new(session, options, "client.example.com")?;
                self.go(client, address, None).await
            }
        }
    }

    async fn go<P: Protocol>(
        &self,
        mut client: Client<P>,
        address: SocketAddr,
        login: Option<&[u8]>,
    ) -> Checked<Visit> {
        let tcp = TcpStream::connect(address).await?;
        let (store, account) = (&self.store, &self.account);
        let connected = self.connector.connect(&mut client, tcp, store, account);
        let outcome = match (connected.await, login) {
            (Ok((Pause::LogIn, mut stream)), Some(login)) => {
                log_in(&mut stream, login).await?;
                client.logged_in(Login::Done);
                let pause = client.run(&mut stream, store, account).await?;
                same("after login", pause, Pause::Ready)?;
                Ok(())
            }
            (Ok((pause, _)), _) => {
                same("before login", pause, Pause::LogIn)?;
                Ok(())
            }
            (Err(error), _) => Err(error),
        };
        let events = client.take_events();
        Ok(Visit {
            events: events.iter().map(ClientEvent::to_string).collect(),
            outcome,
        })
    }
}

/// Logs in by IMAP, as the caller's own library would.
async fn log_in(stream: &mut Stream, command: &[u8]) -> Checked<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(command).await?;
    stream.flush().await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(Failure::new("the server went away"));
        }
        if line.starts_with("a OK") {
            return Ok(());
        }
        if line.starts_with("a ") {
            return Err(Failure::new(line));
        }
    }
}

impl Visit {
    /// Returns the events of a visit that succeeded.
    pub(super) fn good(self) -> Checked<Vec<String>> {
        self.outcome?;
        Ok(self.events)
    }

    /// The latch machine refused it.
    pub(super) fn refused(self) -> Checked<(LatchFailure, Vec<String>)> {
        match self.outcome {
            Err(RunError::Refused { failure, .. }) => Ok((failure, self.events)),
            other => Err(Failure::new(format!("not refused: {other:?}"))),
        }
    }
}

/// Checks that a failure offers to wait and the page that was recorded, and no action that connects.
pub(super) fn offers_the_page(failure: &LatchFailure, page: &str) -> Checked<()> {
    let offered = failure.actions().into_iter().map(|action| match action {
        Action::WorkOffline => "work offline".to_owned(),
        Action::TryAgainLater => "try again later".to_owned(),
        Action::OpenStatusPage(url) => url.to_string(),
    });
    let offered: Vec<_> = offered.collect();
    same(
        "offered",
        offered,
        ["work offline", "try again later", page],
    )
}
