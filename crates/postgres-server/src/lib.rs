//! A PostgreSQL server of the tests' own: Debian's package, on loopback, over TLS, in a directory
//! that goes with it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "used by tests only"
)]

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

use rcgen::generate_simple_self_signed;
use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tempfile::TempDir;

const USER: &str = "tests";
const START: Duration = Duration::from_secs(60);

/// The server, stopped when the last test lets go of it, also if that test panics.
pub struct PostgresServer {
    programs: Programs,
    directory: TempDir,
    port: u16,
    process: Child,
}

impl PostgresServer {
    /// The server that tests share, each with a database of its own.
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

    /// A new one.
    pub fn start() -> Self {
        let programs = Programs::find();
        let directory = tempfile::tempdir().unwrap();
        let certificate = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("server.crt"), certificate.cert.pem()).unwrap();
        fs::write(path("server.key"), certificate.signing_key.serialize_pem()).unwrap();
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

    /// Where one of its databases is. Not over TLS, whose roots take a fifth of a second to read
    /// when they are not optimised.
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{USER}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// How to connect to it over TLS, and verify that it is this one.
    pub fn verified(&self, database: &str) -> PgConnectOptions {
        let options: PgConnectOptions = self.url(database).parse().unwrap();
        options
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert(self.directory.path().join("server.crt"))
    }

    /// Makes a database.
    pub async fn database(&self, name: &str) -> PgConnectOptions {
        let mut connection = PgConnection::connect_with(&self.url("postgres").parse().unwrap())
            .await
            .unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{name}\""));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        self.url(name).parse().unwrap()
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again after [`kill`](Self::kill), on the same port.
    pub fn restart(&mut self) {
        let begun = Instant::now();
        loop {
            // What the killed server has started ends by itself; until then a new one refuses.
            self.process = launch(&self.programs, self.directory.path(), self.port);
            if self.answers() {
                return;
            }
            assert!(begun.elapsed() < START, "{}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the server answers; false if it ended instead.
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
        // By the pid in its own directory; at once, since nothing of it is kept.
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

/// Where PostgreSQL is, and as whom it can run: not as root.
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
                .expect("a user to run PostgreSQL as")
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
