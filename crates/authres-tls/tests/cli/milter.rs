//! `authres milter`: the built command, with a socket of either kind.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::authres;

#[test]
fn serves_messages_on_a_unix_socket_and_stops_gracefully() {
    let mut milter = Milter::start("unix", FILE);
    let socket = milter.directory.join("s");
    let mode = fs::metadata(&socket)
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
    let mut stream = milter.connect();
    for negotiate in [true, false, false] {
        assert_eq!(message(&mut stream, negotiate), expected("mx.example.org"));
    }
    let line = milter.logs("message");
    assert!(line.contains("result=\"none\" removed=1"), "{line}");
    milter.signal("TERM");
    milter.logs("stopping");
    // What is open is served to its end.
    assert_eq!(message(&mut stream, false), expected("mx.example.org"));
    assert!(!socket.exists());
    stream.write_all(&packet('Q', b"")).expect("sent");
    assert_eq!(milter.code(), Some(0));
}

#[test]
fn ends_at_once_after_a_second_signal() {
    let mut milter = Milter::start("twice", FILE);
    let mut stream = milter.connect();
    message(&mut stream, true);
    milter.signal("TERM");
    milter.logs("stopping");
    milter.signal("INT");
    assert_eq!(milter.code(), Some(0));
}

#[test]
fn cuts_connections_that_stay_open_after_the_time_limit() {
    let mut milter = Milter::start("cut", &format!("{FILE}shutdown-timeout = 1\n"));
    let mut stream = milter.connect();
    message(&mut stream, true);
    milter.signal("TERM");
    milter.logs("connections=1");
    assert_eq!(milter.code(), Some(0));
}

#[test]
fn loads_the_file_again_for_later_messages() {
    let mut milter = Milter::start("reload", FILE);
    let mut stream = milter.connect();
    assert_eq!(message(&mut stream, true), expected("mx.example.org"));
    let at = milter.directory.display().to_string();
    let file = FILE
        .replace('@', &at)
        .replace("mx.example.org", "mx2.example.org");
    let config = milter.directory.join("authres.toml");
    // A message that began before keeps its settings.
    let mut begun = packet('M', b"<>\0");
    begun.extend(packet('A', b""));
    stream.write_all(&begun).expect("sent");
    fs::write(&config, &file).expect("a file");
    milter.signal("HUP");
    milter.logs("loaded again");
    let replies = message(&mut stream, false);
    // The field of the id before is now one of another server.
    let expected: Vec<_> = expected("mx2.example.org").split_off(1);
    assert_eq!(replies, expected);
    fs::write(&config, "[message]\nauthserv-id = 1\n").expect("a file");
    milter.signal("HUP");
    milter.logs("refused");
    assert_eq!(message(&mut stream, false), expected);
}

#[test]
fn closes_connections_that_break_the_protocol_or_stay_silent() {
    let mut milter = Milter::start("broken", &format!("{FILE}idle-timeout = 1\n"));
    let mut stream = milter.connect();
    stream.write_all(&packet('Z', b"")).expect("sent");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest, b"");
    let line = milter.logs("protocol");
    assert!(
        line.contains("command: unknown command 0x5a at byte 4"),
        "{line}"
    );
    let mut silent = milter.connect();
    silent.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest, b"");
}

#[test]
fn serves_counters_in_the_openmetrics_format() {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let metrics = probe.local_addr().expect("an address");
    drop(probe);
    let file = FILE.replace("unix:@/s", "inet:127.0.0.1:0");
    let mut milter = Milter::start("metrics", &format!("{file}metrics = \"{metrics}\"\n"));
    // The port is in the log, which was read up to that line.
    milter.signal("HUP");
    milter.logs("loaded again");
    let ask = |line: &str| {
        let mut stream = TcpStream::connect(metrics).expect("a connection");
        write!(stream, "{line}\r\nHost: x\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let answer = ask("GET /metrics HTTP/1.1");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let content_type = "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(content_type), "{head}");
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{head}"
    );
    assert!(
        body.contains("authres_messages_total{result=\"pass\"} 0\n"),
        "{body}"
    );
    assert!(
        body.contains("authres_reloads_total{outcome=\"loaded\"} 1\n"),
        "{body}"
    );
    assert!(body.ends_with("# EOF\n"), "{body}");
    assert!(ask("GET / HTTP/1.1").starts_with("HTTP/1.1 404 "));
    assert!(ask("POST /metrics HTTP/1.1").starts_with("HTTP/1.1 405 "));
}

#[test]
fn replaces_a_socket_that_no_process_has_and_no_other_file() {
    let mut milter = Milter::start("stale", FILE);
    let at = milter.directory.display().to_string();
    let listen = format!("unix:{at}/s");
    let arguments = ["milter", "--authserv-id", "a.example", "--listen", &listen];
    let ran = authres(&arguments, "");
    let error = format!("authres: listen: {listen}: in use by another process\n");
    assert_eq!(
        (ran.code, ran.err.contains(&error)),
        (Some(1), true),
        "{}",
        ran.err
    );
    milter.child.kill().expect("killed");
    milter.child.wait().expect("ended");
    assert!(milter.directory.join("s").exists());
    let file = milter.directory.join("file");
    fs::write(&file, "x").expect("a file");
    let listen = format!("unix:{at}/file");
    let ran = authres(
        &["milter", "--authserv-id", "a.example", "--listen", &listen],
        "",
    );
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_eq!(fs::read(&file).expect("the file"), b"x");
    drop(milter);
}

#[test]
fn starts_with_a_right_configuration_only() {
    let path = directory("check").join("authres.toml");
    let path = path.to_str().expect("UTF-8");
    let file = FILE.replace('@', "/run");
    for (file, code, error) in [
        (file.clone(), 0, String::new()),
        (
            file.replace("unix:/run/s", "unix:run/s"),
            2,
            format!(
                "authres: {path}: TOML parse error at line 4, column 10\n  |\n4 | listen = \"unix:run/s\"\n  |          ^^^^^^^^^^^^\nexpected unix:/PATH, or inet:ADDRESS:PORT with a numeric address\n\n"
            ),
        ),
        (
            format!("{file}user = \"no-such-user\"\n"),
            2,
            "authres: user: no-such-user does not exist\n".to_owned(),
        ),
        (
            file.replace("listen = \"unix:/run/s\"", ""),
            2,
            "authres: listen: missing; give --listen SOCKET, or listen in the table [milter]\n"
                .to_owned(),
        ),
    ] {
        fs::write(path, &file).expect("a file");
        let ran = authres(&["milter", "--check", "--config", path], "");
        assert_eq!((ran.code, ran.err), (Some(code), error), "{file}");
    }
}

/// A directory of a test, and the milter that runs with it.
struct Milter {
    child: Child,
    directory: PathBuf,
    log: BufReader<std::process::ChildStderr>,
}

const TIME: Duration = Duration::from_secs(60);

impl Milter {
    /// Starts the milter with a file, and waits until it listens. `@` in the file is the directory.
    fn start(name: &str, file: &str) -> Self {
        let directory = directory(name);
        let config = directory.join("authres.toml");
        let at = directory.display().to_string();
        fs::write(&config, file.replace('@', &at)).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_authres"))
            .args(["milter", "--config"])
            .arg(&config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let mut milter = Self {
            child,
            directory,
            log,
        };
        milter.logs("listening");
        milter
    }

    /// Reads the log up to a line with this text, which it returns.
    fn logs(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("a log");
            assert!(read > 0, "the log ended before {text:?}");
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(sent.expect("kill").success());
    }

    fn code(&mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < TIME {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the milter did not end");
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.directory.join("s")).expect("a connection");
        stream.set_read_timeout(Some(TIME)).expect("a time limit");
        stream
    }
}

impl Drop for Milter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("milter-{name}"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

const FILE: &str = "[message]\nauthserv-id = \"mx.example.org\"\n[milter]\nlisten = \"unix:@/s\"\n";

fn packet(code: char, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len().saturating_add(1)).expect("short");
    [&length.to_be_bytes()[..], code.to_string().as_bytes(), data].concat()
}

fn negotiation() -> Vec<u8> {
    packet('O', b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff")
}

fn next(stream: &mut impl Read) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("a length");
    let mut packet = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("short")];
    stream.read_exact(&mut packet).expect("a packet");
    packet
}

/// Sends a message with a forged field; the replies after the negotiation.
fn message(stream: &mut (impl Read + Write), negotiate: bool) -> Vec<Vec<u8>> {
    let mut sent = if negotiate { negotiation() } else { Vec::new() };
    sent.extend(packet('M', b"<>\0"));
    sent.extend(packet(
        'L',
        b"Authentication-Results\0 mx.example.org; a=b\0",
    ));
    sent.extend(packet('E', b""));
    stream.write_all(&sent).expect("sent");
    if negotiate {
        assert_eq!(next(stream).first(), Some(&b'O'));
    }
    let mut replies = Vec::new();
    loop {
        let reply = next(stream);
        let is_last = reply.len() == 1;
        replies.push(reply);
        if is_last {
            return replies;
        }
    }
}

fn expected(id: &str) -> Vec<Vec<u8>> {
    let field = format!("i\0\0\0\0Authentication-Results\0 {id};\n\ttls=none\0");
    vec![
        b"m\0\0\0\x01Authentication-Results\0\0".to_vec(),
        field.into_bytes(),
        b"c".to_vec(),
    ]
}
