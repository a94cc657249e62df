//! Sockets that systemd opened, and notifications for it. Without systemd, nothing of this has an effect.

use std::{io, net::SocketAddr, time::Duration};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpListener, task::JoinHandle, time::interval};

/// The sockets that systemd opened, each by its address.
#[derive(Debug, Default)]
pub(super) struct Sockets(Vec<(SocketAddr, std::net::TcpListener)>);

impl Sockets {
    /// Takes the sockets that were passed to the process.
    ///
    /// # Errors
    /// Returns an error for a socket that is not a listener of TCP.
    pub(super) fn passed() -> io::Result<Self> {
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..passed.len() {
            if let Some(socket) = passed.take_tcp_listener(index)? {
                socket.set_nonblocking(true)?;
                sockets.push((socket.local_addr()?, socket));
            }
        }
        Ok(Self(sockets))
    }

    /// Returns the listener for an address: the one that was passed, or a new one.
    ///
    /// # Errors
    /// Returns the error of the operating system.
    pub(super) fn listen(&mut self, address: SocketAddr) -> io::Result<TcpListener> {
        let index = self.0.iter().position(|(passed, _)| *passed == address);
        match index.map(|index| self.0.swap_remove(index)) {
            Some((_, socket)) => TcpListener::from_std(socket),
            None => TcpListener::from_std(bind(address)?),
        }
    }

    /// Returns the addresses of sockets that no service listens on.
    pub(super) fn unused(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|(address, _)| *address)
    }
}

/// The connections that wait until the gateway accepts them.
const BACKLOG: i32 = 1024;

/// Opens a listener. One of IPv6 is for IPv6 alone, so that `0.0.0.0` and `[::]` may have the same port.
fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A gateway that is started again has its ports at once.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Tells systemd a state. A failure has no effect on the gateway, and is logged.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be notified");
    }
}

pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

pub(super) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Answers the watchdog, if the unit has one, twice in each period.
pub(super) fn watchdog() -> Option<JoinHandle<()>> {
    let period = sd_notify::watchdog_enabled()?;
    let half = period.checked_div(2).unwrap_or(Duration::from_secs(1));
    let mut ticks = interval(half.max(Duration::from_millis(1)));
    Some(tokio::spawn(async move {
        loop {
            ticks.tick().await;
            tell(&[NotifyState::Watchdog]);
        }
    }))
}
