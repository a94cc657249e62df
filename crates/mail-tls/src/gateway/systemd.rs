//! Sockets that systemd opened, and notifications for it. Without systemd, nothing of this has an effect.

use std::{io, net::SocketAddr, time::Duration};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::{net::TcpListener, task::JoinHandle, time::interval};

use super::listen;

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
            None => listen::bind(address),
        }
    }

    /// Returns the addresses of sockets that no service listens on.
    pub(super) fn unused(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|(address, _)| *address)
    }
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
