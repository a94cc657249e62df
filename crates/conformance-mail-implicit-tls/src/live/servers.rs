//! Our client on foreign servers: Dovecot, Postfix, nginx, Cyrus and Courier.

pub(crate) mod courier;
pub(crate) mod cyrus;
pub(crate) mod dovecot;
pub(crate) mod nginx;
pub(crate) mod postfix;

use conformance::{
    outcome::{Checked, Failure, same},
    process::is_root,
};
use mail_implicit_tls::{
    account::AccountSetup,
    client::{Closed, Connection, Connector},
    failure::Failure as ConnectFailure,
    privacy::{PrivacyLevel, ProtocolVersion},
    service::{Protocol, Service},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::site::{account, server};

/// Returns the reason for which a server that only root can start cannot run, if there is one.
fn needs_root(what: &str) -> Option<String> {
    (!is_root().unwrap_or_default()).then(|| format!("{what} is started by root only"))
}

/// Connects to a service at a port, by an account that `setup` changes.
async fn connect(
    connector: &Connector,
    service: Service,
    port: u16,
    setup: impl FnOnce(AccountSetup) -> AccountSetup,
) -> Checked<Result<Connection, ConnectFailure>> {
    let server = server(service, port)?;
    let account = account(setup, &server)?;
    Ok(connector.connect(&account, &server).await)
}

/// Connects, checks that the connection is private, and ends the session.
async fn private(connector: &Connector, service: Service, port: u16) -> Checked<String> {
    let connection = connect(connector, service, port, |setup| setup).await?;
    let connection = connection.map_err(|failure| Failure::new(failure.to_string()))?;
    let seen = seen(&connection)?;
    goodbye(connection).await?;
    Ok(seen)
}

fn seen(connection: &Connection) -> Checked<String> {
    same(
        "level",
        connection.indication().level(),
        Some(PrivacyLevel::High),
    )?;
    let suite = connection.cipher_suite().unwrap_or_default();
    let version = connection.version().unwrap_or(ProtocolVersion(0));
    let mechanisms = connection.capabilities().mechanisms().join(" ");
    Ok(format!(
        "{} {version} 0x{suite:04x} [{mechanisms}]",
        connection.service()
    ))
}

/// Ends a session, and checks that the server's last reply came.
async fn goodbye(connection: Connection) -> Checked<Option<Closed>> {
    let protocol = connection.service().protocol;
    let (command, reply): (&[u8], &str) = match protocol {
        Protocol::Imap => (b"x LOGOUT\r\n", "* BYE"),
        Protocol::Pop => (b"QUIT\r\n", "+OK"),
        Protocol::Submission => (b"QUIT\r\n", "221"),
    };
    let mut stream = connection.into_stream();
    stream.write_all(command).await?;
    stream.flush().await?;
    let mut all = Vec::new();
    // The end without a close alert is an error that `closed` reports.
    let _ = stream.read_to_end(&mut all).await;
    let all = String::from_utf8_lossy(&all);
    if !all.contains(reply) {
        return Err(Failure::new(format!("no {reply:?} in {all:?}")));
    }
    Ok(stream.closed())
}
