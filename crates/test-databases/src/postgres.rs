//! A PostgreSQL server for tests: Debian's package, on loopback, over TLS, in a temporary directory
//! that is removed with it.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, Weak},
    thread::sleep,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tempfile::TempDir;
use test_support::pki::Certificate;

const USER: &str = "tests";
const START: Duration = Duration::from_secs(60);

/// A running server. It is stopped when dropped, also if a test panics.
pub struct PostgresServer {
    programs: Programs,
    directory: TempDir,
    port: u16,
    process: Child,
}

impl PostgresServer {
    /// Returns the server that the tests of a binary share, starting it if none runs. Each test makes
    /// a [`database`](Self::database) of its own.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SERVER: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
        let mut server = SERVER
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        server.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Self::start());
            *server = Arc::downgrade(&new);
            new
        })
    }

    /// Starts a server that no other test uses, and waits until it answers.
    #[must_use]
    pub fn start() -> Self {
        let programs = Programs::find();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let identity = Certificate::server(&["127.0.0.1"]).self_signed();
        identity.write(&path("server.crt"), &path("server.key"));
        fs::set_permissions(path("server.key"), PermissionsExt::from_mode(0o600)).unwrap();
        for owned in [directory.path().to_owned(), path("server.key")] {
            programs.give(&owned);
        }
        let made = programs
            .command("initdb")
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .args(["--username", USER, "--pgdata"])
            .arg(path("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let port = free_port();
        let process = launch(&programs, directory.path(), port);
        let mut server = Self {
            programs,
            directory,
            port,
            process,
        };
        // Another process may have taken the port meanwhile.
        for _ in 0..5 {
            if server.answers() {
                return server;
            }
            server.port = free_port();
            server.process = launch(&server.programs, server.directory.path(), server.port);
        }
        panic!("{}", server.log());
    }

    /// Returns the URL of a database, without TLS: reading the trust anchors takes a fifth of a second
    /// in a debug build.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{USER}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Returns options that connect over TLS and verify this server's certificate.
    #[must_use]
    pub fn verified(&self, database: &str) -> PgConnectOptions {
        let options: PgConnectOptions = self.url(database).parse().unwrap();
        options
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert(self.directory.path().join("server.crt"))
    }

    /// Creates a database, and returns options that connect to it.
    pub async fn database(&self, name: &str) -> PgConnectOptions {
        let mut connection = PgConnection::connect_with(&self.url("postgres").parse().unwrap())
            .await
            .unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{name}\""));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        self.url(name).parse().unwrap()
    }

    /// Kills the server's main process with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts the server again after [`kill`](Self::kill), on the same port.
    pub fn restart(&mut self) {
        let begun = Instant::now();
        loop {
            // The killed server's other processes end by themselves; until then a new server
            // refuses to start.
            self.process = launch(&self.programs, self.directory.path(), self.port);
            if self.answers() {
                return;
            }
            assert!(begun.elapsed() < START, "{}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the server answers. Returns `false` if it ended instead.
    fn answers(&mut self) -> bool {
        let begun = Instant::now();
        loop {
            let asked = self
                .programs
                .command("pg_isready")
                .args(["--quiet", "--host=127.0.0.1", "--port"])
                .arg(self.port.to_string())
                .status()
                .unwrap();
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if asked.success() {
                return true;
            }
            assert!(begun.elapsed() < START, "{}", self.log());
            sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // Finds the process by the pid file in its directory. No data is kept, so it stops immediately.
        let stopped = self
            .programs
            .command("pg_ctl")
            .args(["stop", "--silent", "--mode=immediate", "--pgdata"])
            .arg(self.directory.path().join("data"))
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// The directory of PostgreSQL's programs, and the user that runs them: PostgreSQL refuses root.
struct Programs {
    directory: PathBuf,
    run_as: Option<(u32, u32)>,
}

impl Programs {
    fn find() -> Self {
        let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let mut packaged: Vec<PathBuf> = installed
            .map(|version| version.unwrap().path().join("bin"))
            .collect();
        packaged.sort();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let needed = ["initdb", "pg_ctl", "pg_isready", "postgres"];
        let directory = packaged
            .into_iter()
            .rev()
            .chain(std::env::split_paths(&path))
            .find(|bin| needed.iter().all(|name| bin.join(name).is_file()))
            .expect("PostgreSQL is needed for this test: apt-get install postgresql");
        let root = id(&["-u"]) == Some(0);
        let account = |name| Some((id(&["-u", name])?, id(&["-g", name])?));
        let run_as = root.then(|| {
            account("postgres")
                .or_else(|| account("nobody"))
                .expect("a user to run PostgreSQL, which refuses root")
        });
        Self { directory, run_as }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.directory.join(program));
        command.current_dir("/").stdin(Stdio::null());
        if let Some((uid, gid)) = self.run_as {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn give(&self, path: &Path) {
        if let Some((uid, gid)) = self.run_as {
            chown(path, Some(uid), Some(gid)).unwrap();
        }
    }
}

fn launch(programs: &Programs, directory: &Path, port: u16) -> Child {
    let log = fs::File::create(directory.join("log")).unwrap();
    let file = |name: &str| directory.join(name).display().to_string();
    programs
        .command("postgres")
        .args([
            "-D",
            &file("data"),
            "-k",
            &file("."),
            "-p",
            &port.to_string(),
        ])
        .args(["-c", "listen_addresses=127.0.0.1"])
        .args(["-c", "max_connections=100", "-c", "shared_buffers=64MB"])
        .args(["-c", "ssl=on"])
        .args(["-c", &format!("ssl_cert_file={}", file("server.crt"))])
        .args(["-c", &format!("ssl_key_file={}", file("server.key"))])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
