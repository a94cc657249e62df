//! The system log, by the protocol of RFC 3164 over its local socket.

use std::{io, os::unix::net::UnixDatagram};

/// The socket of the system log.
const DEVICE: &str = "/dev/log";

/// The facility mail of RFC 5424 section 6.2.1.
const FACILITY: u8 = 2;

/// The system log. Messages have no time: the daemons add the time at which one arrives.
pub(super) struct Syslog {
    program: &'static str,
    socket: UnixDatagram,
}

impl Syslog {
    pub(super) fn connect(program: &'static str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(DEVICE)?;
        Ok(Self { program, socket })
    }

    /// Sends a line, and connects again if the daemon was started again meanwhile.
    pub(super) fn send(&mut self, severity: u8, line: &[u8]) -> io::Result<()> {
        let priority = FACILITY.saturating_mul(8).saturating_add(severity);
        let mut packet =
            format!("<{priority}>{}[{}]: ", self.program, std::process::id()).into_bytes();
        packet.extend_from_slice(line.trim_ascii_end());
        if self.socket.send(&packet).is_ok() {
            return Ok(());
        }
        let again = UnixDatagram::unbound()?;
        again.connect(DEVICE)?;
        self.socket = again;
        self.socket.send(&packet).map(|_| ())
    }
}
