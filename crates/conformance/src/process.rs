//! A foreign server as a child process: in a directory that goes with it, on free ports of loopback, stopped
//! by its own process id.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep},
};

use crate::{
    descendants,
    outcome::{Checked, Failure},
};

/// The longest time that a server may take until it listens, or ends, or writes its log.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    directory: TempDir,
    log: PathBuf,
    process: Child,
}

/// Makes a directory that a server which gives up its rights can enter.
///
/// # Errors
/// Returns an error if the directory cannot be made.
pub fn directory() -> Checked<TempDir> {
    let directory = tempfile::tempdir()?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    Ok(directory)
}

/// The ports that foreign servers listen on: none that the system gives to a connection or a listener without a port
/// of its own, which could take it before the server does.
const PORTS: Range<u16> = 10_000..32_768;

/// The number of ports that were tried so far.
static TRIED: AtomicU32 = AtomicU32::new(0);

/// Finds ports that are free now, and that no other call in this process finds.
///
/// # Errors
/// Returns an error if there are too few.
pub fn ports<const N: usize>() -> Checked<[u16; N]> {
    let mut ports = [0; N];
    for port in &mut ports {
        let mut tried = PORTS.map(|_| port_to_try(TRIED.fetch_add(1, Ordering::Relaxed)));
        let found = tried.find(|port| is_free(*port));
        *port = found.ok_or_else(|| Failure::new("no port is free"))?;
    }
    Ok(ports)
}

/// Returns `true` if a server can listen on a port, also one that does not ask for a port whose last connections are not
/// quite over.
fn is_free(port: u16) -> bool {
    let socket = TcpSocket::new_v4();
    socket.is_ok_and(|socket| socket.bind(at(port)).is_ok())
}

/// Returns a port, another one for each number. Other processes begin elsewhere.
fn port_to_try(number: u32) -> u16 {
    let count = u32::from(PORTS.end - PORTS.start);
    let first = std::process::id() % 97 * 211;
    let port = (first + number % count) % count;
    PORTS.start + u16::try_from(port).unwrap_or_default()
}

/// Finds a program that is installed, in the path or where Debian keeps programs for administrators.
#[must_use]
pub fn installed(program: &str) -> Option<PathBuf> {
    let runs = |program: &Path| {
        let mut command = Command::new(program);
        let command = command.arg("--version").stdin(Stdio::null());
        command.output().is_ok()
    };
    let places = [PathBuf::from(program), Path::new("/usr/sbin").join(program)];
    places.into_iter().find(|place| runs(place))
}

/// Returns `true` if the tests run as root.
///
/// # Errors
/// Returns an error if the system does not tell.
pub fn is_root() -> Checked<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

impl Server {
    /// Starts a server that stays in the foreground, and waits until it listens.
    ///
    /// # Errors
    /// Returns an error if the server does not start or does not listen in time.
    pub async fn start(
        directory: TempDir,
        log: &str,
        command: &mut Command,
        ports: &[u16],
    ) -> Checked<Self> {
        let process = spawn(directory.path(), command)?;
        let mut server = Self {
            log: directory.path().join(log),
            directory,
            process,
        };
        server.listens(ports).await?;
        Ok(server)
    }

    /// Kills the server with the processes that it started, at once: none of them can say a last word.
    ///
    /// # Errors
    /// Returns an error if the system does not tell the processes, or kills none of them.
    pub fn kill(&mut self) -> Checked<()> {
        descendants::kill(self.process.id())?;
        self.process.wait()?;
        Ok(())
    }

    /// Starts a server that was killed, in the same directory, and waits until it listens.
    ///
    /// # Errors
    /// Returns an error if the server does not start or does not listen in time.
    pub async fn start_again(&mut self, command: &mut Command, ports: &[u16]) -> Checked<()> {
        self.process = spawn(self.directory.path(), command)?;
        self.listens(ports).await
    }

    /// Waits until the server listens.
    async fn listens(&mut self, ports: &[u16]) -> Checked<()> {
        let deadline = Instant::now() + PATIENCE;
        for port in ports {
            while TcpStream::connect(at(*port)).await.is_err() {
                let ended = self.process.try_wait()?.is_some();
                if ended || Instant::now() > deadline {
                    return Err(Failure::new(format!("does not listen: {}", self.said())));
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Returns the server's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the log of the process and its error output.
    #[must_use]
    pub fn said(&self) -> String {
        let read = |path: &Path| {
            let bytes = fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        read(&self.log) + &read(&self.path().join("stderr"))
    }

    /// Returns the first line of the log with all of these parts, once it is there.
    ///
    /// # Errors
    /// Returns an error if no such line appears in time.
    pub async fn line_with(&self, parts: &[&str]) -> Checked<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.said();
            let mut lines = said.lines();
            if let Some(line) = lines.find(|line| parts.iter().all(|part| line.contains(part))) {
                return Ok(line.to_owned());
            }
            if Instant::now() > deadline {
                return Err(Failure::new(format!("no {parts:?} in {said}")));
            }
            sleep(PAUSE).await;
        }
    }

    /// Stops it, and leaves its directory.
    fn stop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let id = self.process.id().to_string();
            let stop = Command::new("sh").args(["-c", "kill \"$0\"", &id]).status();
            if stop.is_err() {
                let _ = self.process.kill();
            }
            let _ = self.process.wait();
        }
    }
}

/// Starts a process with its error output in a directory.
fn spawn(directory: &Path, command: &mut Command) -> Checked<Child> {
    let errors = fs::File::create(directory.join("stderr"))?;
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command.stderr(errors).spawn()?)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until a server that is no child of this process listens on a port.
///
/// # Errors
/// Returns an error if nothing listens in time.
pub async fn listening(port: u16) -> Checked<()> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(at(port)).await.is_err() {
        if Instant::now() > deadline {
            return Err(Failure::new(format!("port {port} does not listen")));
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Returns the address of a port of loopback.
#[must_use]
pub fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::TcpListener};

    use super::*;

    #[test]
    fn finds_ports_that_differ_and_that_no_connection_is_given() {
        let mut found = BTreeSet::new();
        for _ in 0..20 {
            found.extend(ports::<3>().expect("ports"));
        }
        assert_eq!(found.len(), 60);
        assert!(found.iter().all(|port| PORTS.contains(port)));
        assert_ne!(port_to_try(0), port_to_try(1));
        let count = u32::from(PORTS.end - PORTS.start);
        assert_eq!(port_to_try(0), port_to_try(count));
        let listener = TcpListener::bind(at(0)).expect("a listener");
        let given = listener.local_addr().expect("an address").port();
        assert!(!PORTS.contains(&given), "{given}");
    }

    #[test]
    fn finds_no_port_that_is_taken_or_was_a_moment_ago() {
        let next = TRIED.load(Ordering::Relaxed);
        let listeners = (next..next + 200).filter_map(|number| {
            let listener = TcpListener::bind(at(port_to_try(number))).ok()?;
            let address = listener.local_addr().ok()?;
            Some((address, Some(listener).filter(|_| number % 2 == 0)))
        });
        let taken: Vec<_> = listeners.collect();
        for (address, listener) in &taken {
            if listener.is_none()
                && let Ok(listener) = TcpListener::bind(address)
            {
                let client = std::net::TcpStream::connect(address).expect("a connection");
                // The side that ends first keeps the connection for a while.
                drop(listener.accept().expect("a connection"));
                drop(client);
            }
        }
        let found = ports::<3>().expect("ports");
        let is_found = |address: &SocketAddr| found.contains(&address.port());
        assert!(taken.len() > 100 && !taken.iter().any(|(address, _)| is_found(address)));
    }
}
