//! The units of systemd, by systemd's own programs. A machine without a program skips its test.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use crate::world::{Backend, Client, Files, Gateway, text};

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

/// Runs a program. Returns `None` if it is not installed.
fn run(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
            println!("skipped: {:?} is not installed", command.get_program());
            None
        }
    }
}

/// Returns the units, with the program of this build in place of the installed one.
fn units(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(packaging()).unwrap();
    let is_unit = |path: &PathBuf| {
        let extension = path.extension().and_then(|it| it.to_str());
        matches!(extension, Some("service" | "socket" | "timer"))
    };
    let paths = entries.map(|entry| entry.unwrap().path()).filter(is_unit);
    let mut units: Vec<_> = paths
        .map(|path| {
            let unit = fs::read_to_string(&path).unwrap();
            let unit = unit.replace("/usr/bin/mail-tls", env!("CARGO_BIN_EXE_mail-tls"));
            let copy = directory.join(path.file_name().unwrap());
            fs::write(&copy, unit).unwrap();
            copy
        })
        .collect();
    units.sort();
    units
}

#[test]
fn satisfies_systemd() {
    let directory = tempfile::tempdir().unwrap();
    let units = units(directory.path());
    assert_eq!(units.len(), 4);
    let mut verify = Command::new("systemd-analyze");
    // The manual pages that units name need not be installed here.
    let Some(output) = run(verify.args(["verify", "--man=no"]).args(&units)) else {
        return;
    };
    // Units of this machine may have faults of their own.
    let shown = text(&output.stderr);
    let ours: Vec<_> = shown.lines().filter(|it| it.contains("mail-tls")).collect();
    assert_eq!(ours, Vec::<&str>::new());
    assert!(output.status.success(), "{shown}");
    let is_service = |unit: &&PathBuf| unit.extension().is_some_and(|it| it == "service");
    let services: Vec<_> = units.iter().filter(is_service).collect();
    assert_eq!(services.len(), 2);
    for service in services {
        let mut security = Command::new("systemd-analyze");
        security.args(["security", "--offline=true", "--threshold=20", "--no-pager"]);
        let output = run(security.arg(service)).unwrap();
        assert!(output.status.success(), "{}", text(&output.stdout));
    }
}

/// Returns the system calls of a set of systemd, with those of the sets within it.
fn calls_of(set: &str) -> Option<BTreeSet<String>> {
    let mut show = Command::new("systemd-analyze");
    let output = run(show.args(["syscall-filter", "--no-pager", set]))?;
    let shown = text(&output.stdout);
    let mut calls = BTreeSet::new();
    for word in shown.lines().skip(1).map(str::trim) {
        match word.starts_with('@') {
            true => calls.append(&mut calls_of(word)?),
            false if word.starts_with('#') => {}
            false => drop(calls.insert(word.to_owned())),
        }
    }
    Some(calls)
}

/// A call that the unit's filter forbids would end the gateway.
#[test]
fn makes_no_system_call_that_its_unit_forbids() {
    let unit = fs::read_to_string(packaging().join("mail-tls-gateway.service")).unwrap();
    assert!(unit.contains(
        "\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n"
    ));
    let Some(mut permitted) = calls_of("@system-service") else {
        return;
    };
    permitted.append(&mut calls_of("@default").unwrap());
    for forbidden in ["@privileged", "@resources"] {
        let forbidden = calls_of(forbidden).unwrap();
        permitted.retain(|call| !forbidden.contains(call));
    }
    if run(Command::new("strace").arg("-V")).is_none() {
        return;
    }
    let files = Files::new();
    let backend = Backend::start();
    let trace = files.path("trace");
    let more = "[reports]\nsqlite = \"reports.db\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n\
                [limits]\ndrain = 1\n";
    let config = files.configure("127.0.0.1:0", backend.address, more);
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-c", "-o"])
        .arg(&trace)
        .args(["--", env!("CARGO_BIN_EXE_mail-tls"), "gateway", "--config"])
        .arg(&config);
    let mut gateway = Gateway::run(&mut strace);
    let mut client = Client::connect(&files, gateway.listening("imaps"));
    client.line();
    client.send("a ID (\"name\" \"Mailer\" \"version\" \"1\" \"latch\" \"tls12\")\r\n");
    while !client.line().starts_with("a OK") {}
    assert_eq!(client.ask("b LOGIN alice right\r\n"), "b OK in\r\n");
    crate::world::get(gateway.listening("metrics"), "/metrics");
    // The signals are those of the gateway, the child of strace.
    let parent = gateway.child.id().to_string();
    for signal in ["HUP", "TERM"] {
        let sent = Command::new("pkill")
            .args(["--signal", signal, "--parent", &parent])
            .status();
        assert!(sent.unwrap().success());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(gateway.ended(), Some(0), "{}", gateway.log());
    let counts = fs::read_to_string(&trace).unwrap();
    let lines = counts.lines().filter(|it| it.starts_with(' '));
    let names = lines.filter_map(|it| it.rsplit(' ').next());
    let made: Vec<_> = names
        .filter(|it| !["syscall", "total"].contains(it))
        .collect();
    assert!(made.contains(&"accept4"), "{counts}");
    let forbidden: Vec<_> = made
        .into_iter()
        // A test that runs as root changes owners of files, as SQLite does for root.
        .filter(|it| !permitted.contains(*it) && *it != "fchown")
        .collect();
    assert_eq!(forbidden, Vec::<&str>::new());
}

/// The program that tries socket activation without a service manager.
#[test]
fn serves_sockets_of_systemd_socket_activate() {
    let files = Files::new();
    let backend = Backend::start();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let config = files.configure(&address.to_string(), backend.address, "");
    let mut activate = Command::new("systemd-socket-activate");
    if run(activate.arg("--version").stdout(Stdio::null())).is_none() {
        return;
    }
    let mut activate = Command::new("systemd-socket-activate");
    activate
        .args(["--listen", &address.to_string()])
        .args([env!("CARGO_BIN_EXE_mail-tls"), "gateway", "--config"])
        .arg(&config);
    let mut gateway = Gateway::run(&mut activate);
    gateway.logged("Listening on");
    // The program starts with the first connection.
    let mut client = Client::connect(&files, address);
    assert!(client.line().starts_with("* OK"));
    assert_eq!(gateway.listening("imaps"), address);
}
