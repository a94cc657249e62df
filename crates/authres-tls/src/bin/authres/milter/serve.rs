//! Connections of MTAs: accepted within limits, served, and waited for at the end.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use authres_tls::milter::{Event, MilterSession, MilterSettings, Outcome};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::metrics::Metrics;

/// The pause after an error of the operating system, e.g. since the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The octets that are read at once.
const PIECE: usize = 1 << 14;

/// Limits on number and time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_connections: usize,
    pub(super) idle: Duration,
    pub(super) write: Duration,
    pub(super) shutdown: Duration,
}

/// A socket of one of the two kinds.
pub(super) enum Listener {
    Unix(UnixListener, PathBuf),
    Inet(TcpListener),
}

impl Listener {
    /// Returns the socket as a setting names it, with the port that was taken.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Unix(_, path) => format!("unix:{}", crate::source::shown(path)),
            Self::Inet(listener) => match listener.local_addr() {
                Ok(address) => format!("inet:{address}"),
                Err(_) => "inet".to_owned(),
            },
        }
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok(Stream::Unix(stream))
            }
            Self::Inet(listener) => {
                let (stream, _) = listener.accept().await?;
                // Replies are short. A connection that is broken already is noticed when it is read.
                let _set = stream.set_nodelay(true);
                Ok(Stream::Inet(stream))
            }
        }
    }
}

/// A connection of one of the two kinds.
enum Stream {
    Unix(UnixStream),
    Inet(TcpStream),
}

impl Stream {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.readable().await,
            Self::Inet(stream) => stream.readable().await,
        }
    }

    async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.writable().await,
            Self::Inet(stream) => stream.writable().await,
        }
    }

    fn try_read(&self, piece: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.try_read(piece),
            Self::Inet(stream) => stream.try_read(piece),
        }
    }

    fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.try_write(octets),
            Self::Inet(stream) => stream.try_write(octets),
        }
    }

    async fn write_all(&self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            self.writable().await?;
            match self.try_write(octets) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => octets = octets.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The server.
pub(super) struct Server {
    current: watch::Receiver<Arc<MilterSettings>>,
    metrics: Arc<Metrics>,
    limits: Limits,
}

impl Server {
    pub(super) const fn new(
        current: watch::Receiver<Arc<MilterSettings>>,
        metrics: Arc<Metrics>,
        limits: Limits,
    ) -> Self {
        Self {
            current,
            metrics,
            limits,
        }
    }

    /// Serves until `stopped`; then accepts no more connections, and waits for those that are open. Returns the number
    /// of those that were cut.
    pub(super) async fn serve(
        self,
        listener: Listener,
        mut stopped: watch::Receiver<bool>,
    ) -> usize {
        let limits = self.limits;
        let room = Arc::new(Semaphore::new(
            limits.max_connections.clamp(1, Semaphore::MAX_PERMITS),
        ));
        let mut tasks = JoinSet::new();
        let accept = async {
            loop {
                // The semaphore is never closed.
                let Ok(permit) = room.clone().acquire_owned().await else {
                    return;
                };
                while tasks.try_join_next().is_some() {}
                match listener.accept().await {
                    Ok(stream) => {
                        let connection = Connection {
                            session: MilterSession::new(self.current.borrow().clone()),
                            current: self.current.clone(),
                            metrics: self.metrics.clone(),
                            limits,
                        };
                        tasks.spawn(async move {
                            connection.serve(stream).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::error!(%error, "no connection can be accepted");
                        self.metrics.accept_failed();
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {}
            () = accept => {}
        }
        drop(listener);
        let finished = async { while tasks.join_next().await.is_some() {} };
        let in_time = timeout(limits.shutdown, finished).await.is_ok();
        if in_time { 0 } else { tasks.len() }
    }
}

/// The reason for which a connection ended early.
enum Ended {
    Protocol(authres_tls::milter::DecodeError),
    Io(io::Error),
    Idle,
    WriteTime,
}

struct Connection {
    session: MilterSession,
    current: watch::Receiver<Arc<MilterSettings>>,
    metrics: Arc<Metrics>,
    limits: Limits,
}

impl Connection {
    async fn serve(mut self, stream: Stream) {
        let metrics = self.metrics.clone();
        let _open = metrics.connected();
        match self.until_end(&stream).await {
            Ok(()) => tracing::debug!("connection ended"),
            Err(Ended::Protocol(error)) => {
                self.metrics.ended_early("protocol");
                tracing::warn!(%error, "connection closed: the MTA broke the protocol");
            }
            Err(Ended::Idle) => {
                self.metrics.ended_early("idle");
                tracing::debug!("connection closed: silent for too long");
            }
            Err(Ended::WriteTime) => {
                self.metrics.ended_early("write-time");
                tracing::warn!("connection closed: the MTA took no reply");
            }
            Err(Ended::Io(error)) => {
                self.metrics.ended_early("io");
                tracing::debug!(%error, "connection failed");
            }
        }
    }

    async fn until_end(&mut self, stream: &Stream) -> Result<(), Ended> {
        let mut replies = Vec::new();
        while !self.session.is_over() {
            let readable = timeout(self.limits.idle, stream.readable()).await;
            readable.map_err(|_| Ended::Idle)?.map_err(Ended::Io)?;
            match self.read(stream, &mut replies) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(Ended::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(ended) => return Err(ended),
            }
            if !replies.is_empty() {
                let written = timeout(self.limits.write, stream.write_all(&replies)).await;
                written.map_err(|_| Ended::WriteTime)?.map_err(Ended::Io)?;
                // An idle connection keeps no memory for replies.
                replies = Vec::new();
            }
        }
        Ok(())
    }

    /// Reads what has arrived. The piece is on the stack, so that an idle connection has no buffer.
    fn read(&mut self, stream: &Stream, replies: &mut Vec<u8>) -> Result<usize, Ended> {
        let mut piece = [0; PIECE];
        let length = stream.try_read(&mut piece).map_err(Ended::Io)?;
        if self.current.has_changed().unwrap_or(false) {
            let settings = self.current.borrow_and_update().clone();
            self.session.set_settings(settings);
        }
        let octets = piece.get(..length).unwrap_or_default();
        let received = self.session.receive(octets, replies);
        while let Some(event) = self.session.next_event() {
            self.report(&event);
        }
        received.map_err(Ended::Protocol)?;
        Ok(length)
    }

    fn report(&self, event: &Event) {
        match event {
            Event::Negotiated(version) => tracing::debug!(version, "connection negotiated"),
            Event::Aborted => self.metrics.aborted(),
            Event::Message(message) => {
                self.metrics.message(message);
                let queue_id = message.queue_id.as_deref().unwrap_or("-");
                let removed = message.removed.len();
                match message.outcome {
                    Outcome::Added(result) => {
                        tracing::info!(queue_id, result = result.name(), removed, "message");
                    }
                    Outcome::NotAdded => {
                        tracing::info!(queue_id, result = "not-added", removed, "message");
                    }
                    Outcome::Unchanged => {
                        tracing::info!(queue_id, result = "unchanged", removed, "message");
                    }
                    Outcome::Failed(failure) => {
                        tracing::error!(queue_id, failure = failure.name(), "message failed");
                    }
                }
            }
            _ => {}
        }
    }
}
