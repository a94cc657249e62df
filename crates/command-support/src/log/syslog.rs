//! The system log, by the protocol of RFC 3164 over its local socket.

use std::{
    io,
    os::unix::net::UnixDatagram,
    sync::{Mutex, PoisonError},
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::severity;

/// The socket of the system log.
const DEVICE: &str = "/dev/log";

/// The facility mail of RFC 5424 section 6.2.1.
const FACILITY: u8 = 2;

/// The system log. Messages have no time: the daemons add the time at which one arrives.
pub(super) struct Syslog {
    program: &'static str,
    socket: Mutex<UnixDatagram>,
}

impl Syslog {
    pub(super) fn connect(program: &'static str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(DEVICE)?;
        Ok(Self {
            program,
            socket: Mutex::new(socket),
        })
    }

    /// Sends a line, and connects again if the daemon was started again meanwhile.
    fn send(&self, severity: u8, line: &[u8]) -> io::Result<()> {
        let priority = FACILITY.saturating_mul(8).saturating_add(severity);
        let mut packet =
            format!("<{priority}>{}[{}]: ", self.program, std::process::id()).into_bytes();
        packet.extend_from_slice(line.trim_ascii_end());
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if socket.send(&packet).is_ok() {
            return Ok(());
        }
        let again = UnixDatagram::unbound()?;
        again.connect(DEVICE)?;
        *socket = again;
        socket.send(&packet).map(|_| ())
    }
}

impl<'a> MakeWriter<'a> for Syslog {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self, severity(Level::INFO))
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line<'a> {
        Line(self, severity(*of.level()))
    }
}

/// A line of the log, which is written at once.
pub(super) struct Line<'a>(&'a Syslog, u8);

impl io::Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Self(syslog, severity) = self;
        syslog.send(*severity, line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
