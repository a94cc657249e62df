//! Connections in clear text: the logins that a server offers before TLS, and the way to its handshake.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::hello::{self, ANSWER_BYTES, Answer};
use crate::{
    dialogue::{Capabilities, Demand, Dialogue, DialogueError},
    failure::Stage,
    monitor::observation::{ClearText, NotKnown},
    service::{Protocol, Security, Service},
};

async fn within<T>(
    end: Instant,
    stage: Stage,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, NotKnown> {
    match timeout_at(end, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(NotKnown::Connect(error.kind())),
        Err(_) => Err(NotKnown::Timeout(stage)),
    }
}

/// Opens a TCP connection.
pub(super) async fn connect(address: SocketAddr, end: Instant) -> Result<TcpStream, NotKnown> {
    within(end, Stage::Connect, TcpStream::connect(address)).await
}

/// Runs a dialogue up to its end, or to the handshake. Returns the capabilities at the end.
async fn run(
    dialogue: &mut Dialogue,
    tcp: &mut TcpStream,
    end: Instant,
) -> Result<Option<Capabilities>, NotKnown> {
    loop {
        match dialogue.demand().map_err(not_known)? {
            Demand::StartTls => return Ok(None),
            Demand::Done(ready) => return Ok(Some(ready.capabilities)),
            Demand::Send(octets) => {
                within(end, Stage::Greeting, tcp.write_all(&octets)).await?;
                dialogue.sent();
            }
            Demand::Receive => {
                let mut octets = [0; 4096];
                match within(end, Stage::Greeting, tcp.read(&mut octets)).await? {
                    0 => dialogue.closed(),
                    count => dialogue.receive(octets.get(..count).unwrap_or_default()),
                }
            }
        }
    }
}

const fn not_known(error: DialogueError) -> NotKnown {
    match error {
        DialogueError::Refused | DialogueError::Closed => NotKnown::Refuses,
        _ => NotKnown::Dialogue,
    }
}

/// Returns the logins that a server offers before TLS.
pub(super) async fn logins(
    service: Service,
    address: SocketAddr,
    end: Instant,
) -> Result<ClearText, NotKnown> {
    let mut tcp = connect(address, end).await?;
    let clear = Service::new(service.protocol, Security::Clear);
    let mut dialogue = Dialogue::new(clear).accept_without_authentication();
    let capabilities = run(&mut dialogue, &mut tcp, end).await?;
    let capabilities = capabilities.ok_or(NotKnown::Dialogue)?;
    Ok(offered(service.protocol, &capabilities))
}

/// Returns the logins among capabilities that came in clear text.
fn offered(protocol: Protocol, capabilities: &Capabilities) -> ClearText {
    let command = match protocol {
        Protocol::Imap if !capabilities.is_login_disabled() => Some("LOGIN"),
        Protocol::Pop if capabilities.arguments("USER").is_some() => Some("USER"),
        _ => None,
    };
    let mut logins: Vec<_> = command.into_iter().map(str::to_owned).collect();
    for mechanism in capabilities.mechanisms() {
        // The name is the peer's text.
        let mechanism = mechanism.escape_default().to_string();
        if !logins.contains(&mechanism) {
            logins.push(mechanism);
        }
    }
    ClearText {
        logins,
        starttls: capabilities.has_starttls(),
    }
}

/// Returns the answer of a server to a hello with this highest version.
pub(super) async fn greet(
    service: Service,
    address: SocketAddr,
    version: u16,
    host: &str,
    end: Instant,
) -> Result<Answer, NotKnown> {
    let mut tcp = connect(address, end).await?;
    if service.security == Security::StartTls {
        let mut dialogue = Dialogue::new(service).accept_without_authentication();
        if run(&mut dialogue, &mut tcp, end).await?.is_some() {
            return Err(NotKnown::Dialogue);
        }
    }
    let seed = u64::from(tcp.local_addr().map_or(0, |address| address.port()));
    let hello = hello::client_hello(version, host, seed);
    within(end, Stage::Handshake, tcp.write_all(&hello)).await?;
    let mut octets = Vec::new();
    while octets.len() < ANSWER_BYTES {
        let mut more = [0; 64];
        match within(end, Stage::Handshake, tcp.read(&mut more)).await {
            // A server that ends the connection refuses the hello.
            Ok(0) | Err(NotKnown::Connect(_)) => break,
            Ok(count) => octets.extend_from_slice(more.get(..count).unwrap_or_default()),
            Err(reason) => return Err(reason),
        }
    }
    Ok(hello::answer(&octets))
}
