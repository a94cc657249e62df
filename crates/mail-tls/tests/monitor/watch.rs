//! Rounds that are repeated until a signal ends them.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::UdpSocket,
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use crate::world::{World, text};

const SUMMARY: &str = "OK example.org: 5 advice, 6 good\n";

/// The exit code is that of the last round, and SIGTERM is how a service manager ends a program.
#[test]
fn ends_between_rounds_by_each_signal() {
    let world = World::with_days_left(20);
    for signal in ["INT", "TERM"] {
        let state = world.path(signal);
        let arguments = ["--state", state.to_str().unwrap(), "--watch", "10m"];
        let mut watch = Watch::start(&mut world.command(&arguments));
        watch.first_round("WARNING example.org: 1 warning, 5 advice, 5 good\n");
        assert_eq!(watch.end(signal), (Some(1), String::new()));
    }
}

/// A monitor that watches. It is killed when dropped.
struct Watch {
    child: Child,
    out: BufReader<ChildStdout>,
    errors: BufReader<ChildStderr>,
}

impl Watch {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            out: BufReader::new(child.stdout.take().unwrap()),
            errors: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.out.read_line(&mut line).unwrap() > 0);
        line
    }

    /// Reads the first round to its end.
    fn first_round(&mut self, summary: &str) {
        assert_eq!(self.line(), summary);
        while !self.line().contains("sign the zone of the host") {}
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Sends a signal, and returns the exit code and the rest of the output.
    fn end(&mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        let code = self.child.wait().unwrap().code();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (code, rest)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// SIGHUP asks for a round at once.
#[test]
fn shows_what_changed_between_rounds_and_keeps_it() {
    let world = World::with_days_left(60);
    let state = world.path("states.db");
    let state = state.to_str().unwrap();
    let mut watch = Watch::start(&mut world.command(&["--state", state, "--watch", "10m"]));
    watch.first_round(SUMMARY);
    // A round without a change is silent. One in the same second would have nothing to write.
    std::thread::sleep(Duration::from_millis(1_100));
    let written = || fs::metadata(state).unwrap().modified().unwrap();
    let before = written();
    watch.signal("HUP");
    let end = Instant::now() + Duration::from_secs(60);
    while written() == before {
        assert!(Instant::now() < end, "no second round");
        std::thread::sleep(Duration::from_millis(20));
    }
    world.replace(&world.issue(20));
    watch.signal("HUP");
    assert_eq!(
        watch.line(),
        "WARNING example.org: 1 warning, 5 advice, 5 good\n"
    );
    let change = format!(
        "  warning    was good  validity  {} at 127.0.0.1\n",
        world.server()
    );
    assert_eq!(watch.line(), change);
    assert!(watch.line().contains("The certificate expires in "));
    assert_eq!(watch.end("TERM"), (Some(1), String::new()));
    // What the rounds recorded is what the next run begins with.
    let next = world.run(&["--state", state, "--since", "last"]);
    assert_eq!(
        text(&next),
        "WARNING example.org: 1 warning, 5 advice, 5 good\n  no change\n"
    );
}

/// A file that is missing while it is replaced ends no watch.
#[test]
fn continues_after_a_round_that_failed() {
    let world = World::with_days_left(60);
    let state = world.path("states.db");
    let file = world.path("served.pem");
    fs::write(&file, world.issue(60).pem()).unwrap();
    let arguments = [
        "--state",
        state.to_str().unwrap(),
        "--watch",
        "10m",
        "--cert",
        file.to_str().unwrap(),
    ];
    let mut watch = Watch::start(&mut world.command(&arguments));
    while !watch.line().contains("sign the zone of the host") {}
    fs::remove_file(&file).unwrap();
    watch.signal("HUP");
    let mut error = String::new();
    watch.errors.read_line(&mut error).unwrap();
    let expected = format!("mail-tls: {}: No such file or directory", file.display());
    assert!(error.starts_with(&expected), "{error}");
    let renewed = world.issue(20);
    fs::write(&file, renewed.pem()).unwrap();
    world.replace(&renewed);
    watch.signal("HUP");
    while !watch.line().contains("was good  validity") {}
}

/// A signal within a round does not wait for servers that do not answer.
#[test]
fn ends_within_a_round() {
    let world = World::with_days_left(60);
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command
        .args([
            "monitor",
            "example.org",
            "--timeout",
            "60",
            "--watch",
            "10m",
        ])
        .arg("--state")
        .arg(world.path("states.db"))
        .args(["--resolver", &address, "--anchors"])
        .arg(world.path("anchors"));
    let mut watch = Watch::start(&mut command);
    // The first question has arrived.
    silent.recv(&mut [0; 512]).unwrap();
    let begun = Instant::now();
    assert_eq!(watch.end("TERM"), (Some(3), String::new()));
    assert!(begun.elapsed() < Duration::from_secs(10));
}
