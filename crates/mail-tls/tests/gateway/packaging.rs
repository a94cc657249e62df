//! The files of the packages: all are there, the configuration can be read, and the filter of fail2ban matches the log.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::world::{Backend, Client, Files, Gateway, check, text};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join("packaging").join(name)).unwrap()
}

#[test]
fn has_each_asset_of_the_debian_package() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let mut targets = Vec::new();
    for asset in deb["assets"].as_array().unwrap() {
        let asset: Vec<_> = asset
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap())
            .collect();
        let (source, target) = (Path::new(asset[0]), asset[1]);
        targets.push(match target.ends_with('/') {
            true => format!("/{target}{}", source.file_name().unwrap().to_str().unwrap()),
            false => format!("/{target}"),
        });
        let is_built = asset[0].starts_with("target/");
        assert!(is_built || root().join(source).is_file(), "{}", asset[0]);
    }
    for file in deb["conf-files"].as_array().unwrap() {
        let file = file.as_str().unwrap().to_owned();
        assert!(targets.contains(&file), "{file} in {targets:?}");
    }
    assert!(
        root()
            .join(deb["license-file"][0].as_str().unwrap())
            .is_file()
    );
    // The paths of the units are those of the package.
    let unit = read("mail-tls-gateway.service");
    assert!(
        unit.contains("ExecStart=/usr/bin/mail-tls gateway --config /etc/mail-tls/gateway.toml")
    );
    assert!(targets.contains(&"/usr/bin/mail-tls".to_owned()));
}

/// Returns the words of a list of values in units or scripts.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// The version, and the programs and units that the scripts of the package use.
#[test]
fn has_scripts_and_a_changelog_of_this_version() {
    let changelog = read("debian/changelog");
    let entry = format!("mail-tls ({}-1) ", env!("CARGO_PKG_VERSION"));
    assert!(changelog.starts_with(&entry), "{changelog}");
    for name in ["postinst", "postrm"] {
        let script = read(&format!("debian/{name}"));
        // The place of what cargo-deb adds.
        assert!(script.contains("\n#DEBHELPER#\n"), "{script}");
        let mut shell = Command::new("sh");
        shell
            .arg("-n")
            .arg(root().join("packaging/debian").join(name));
        assert!(shell.status().unwrap().success(), "{name}");
    }
    // An upgrade leaves the sockets open, which a restart of their unit would close.
    let restart = "deb-systemd-invoke try-restart mail-tls-gateway.service ";
    assert!(read("debian/postinst").contains(restart));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let units = deb["systemd-units"].as_table().unwrap();
    assert_eq!(
        units
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_bool()))
            .collect::<Vec<_>>(),
        [
            ("enable", Some(false)),
            ("restart-after-upgrade", Some(false)),
            ("start", Some(false)),
            ("stop-on-upgrade", Some(false)),
        ]
    );
    // What a purge removes is the state of the units, also where systemd keeps that of a dynamic user.
    let purge = read("debian/postrm");
    let removed = purge
        .lines()
        .find_map(|it| it.trim().strip_prefix("rm -rf "));
    let mut states = Vec::new();
    for unit in ["mail-tls-monitor.service", "mail-tls-gateway.service"] {
        let unit = read(unit);
        let state = unit
            .lines()
            .find_map(|it| it.strip_prefix("StateDirectory="));
        states.push(format!("/var/lib/{}", state.unwrap()));
        if unit.contains("DynamicUser=yes") {
            states.push(format!("/var/lib/private/{}", state.unwrap()));
        }
    }
    assert_eq!(words(removed.unwrap()), states);
}

/// Sources that are copied into the image exist, and it runs as a user without privileges.
#[test]
fn has_each_file_of_the_container() {
    let file = read("Containerfile");
    let lines: Vec<Vec<&str>> = file
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').collect())
        .collect();
    let stages: Vec<_> = lines.iter().filter(|words| words[0] == "FROM").collect();
    assert_eq!(stages.len(), 2);
    assert_eq!(stages[0][2..], ["AS", "build"]);
    assert!(stages[1][1].ends_with(":nonroot"));
    let copies: Vec<_> = lines.iter().filter(|words| words[0] == "COPY").collect();
    assert_eq!(copies[0][1..], [".", "."]);
    assert_eq!(copies[1][1], "--from=build");
    assert_eq!(copies[1][2], "/source/target/release/mail-tls");
    // The volume of reports is the user's, and nothing runs as root.
    assert_eq!(copies[2][1..3], ["--from=build", "--chown=65532:65532"]);
    assert!(file.contains(&format!("VOLUME {}\nUSER 65532:65532\n", copies[2][4])));
    assert!(read("gateway.toml").contains(&format!("\"{}/reports.db\"", copies[2][4])));
    assert!(file.contains("WORKDIR /source\n"));
    assert!(file.contains("RUN cargo build --release --locked -p mail-tls && mkdir /state\n"));
    // The command runs where the copy is.
    let command = format!(
        "[\"{}\", \"gateway\", \"--config\", \"/etc/mail-tls/gateway.toml\"",
        copies[1][3]
    );
    assert!(
        file.contains(&format!("\nENTRYPOINT {command}]\n")),
        "{command}"
    );
    assert!(
        file.contains(&format!(" CMD {command}, \"--health\"]\n")),
        "{command}"
    );
    // What is built elsewhere does not become a part of the context.
    let ignored = fs::read_to_string(root().join("../../.dockerignore")).unwrap();
    assert!(ignored.lines().any(|it| it == "**/target"), "{ignored}");
}

#[test]
fn checks_the_configuration_of_the_package() {
    let files = Files::new();
    let backend = Backend::start();
    let port = backend.address.port().to_string();
    let config = read("gateway.toml")
        .replace(
            "/etc/letsencrypt/live/mail.example.org/fullchain.pem",
            "chain.pem",
        )
        .replace(
            "/etc/letsencrypt/live/mail.example.org/privkey.pem",
            "key.pem",
        )
        .replace("proxy-v2", "none")
        .replace("10143", &port)
        .replace("/var/lib/mail-tls/reports.db", "reports.db");
    let output = check(&files.write(&config));
    let shown = text(&output.stdout);
    assert!(
        shown.starts_with("the configuration is valid\n"),
        "{shown}{}",
        text(&output.stderr)
    );
    assert!(
        shown.contains(&format!(
            "imaps: 127.0.0.1:{port}: clients would be offered"
        )),
        "{shown}"
    );
    // Nothing listens on the port of submission.
    assert!(
        shown.contains("submissions: 127.0.0.1:10587: failed"),
        "{shown}"
    );
    // The unit of sockets has the addresses of the configuration.
    for address in ["0.0.0.0:993", "0.0.0.0:465"] {
        assert!(config.contains(&format!("listen = [\"{address}\"]")));
        assert!(read("mail-tls-gateway.socket").contains(&format!("ListenStream={address}\n")));
    }
}

/// The example of the manual has all keys but those of client certificates.
#[test]
fn accepts_the_configuration_of_the_manual() {
    let manual = fs::read_to_string(root().join("../../docs/operating.md")).unwrap();
    let (_, manual) = manual.split_once("\n## The gateway\n").unwrap();
    let (_, config) = manual.split_once("```toml\n").unwrap();
    let (config, _) = config.split_once("```\n").unwrap();
    let files = Files::new();
    let backend = Backend::start();
    let config = config
        .replace(
            "/etc/letsencrypt/live/mail.example.org/fullchain.pem",
            "chain.pem",
        )
        .replace(
            "/etc/letsencrypt/live/mail.example.org/privkey.pem",
            "key.pem",
        )
        .replace("imap2.example.org", "127.0.0.1")
        .replace("port = 993", &format!("port = {}", backend.address.port()));
    let output = check(&files.write(&config));
    let shown = text(&output.stdout);
    assert!(
        shown.starts_with("the configuration is valid\n"),
        "{shown}{}",
        text(&output.stderr)
    );
}

/// Returns the log of failed logins, one by a user with a name that imitates a line.
fn log(format: &str) -> String {
    let files = Files::new();
    let backend = Backend::start();
    let more = format!("[failed-logins]\nfree = 20\n[log]\nformat = \"{format}\"\n");
    let mut gateway = Gateway::start(&files.configure("127.0.0.1:0", backend.address, &more));
    let address = gateway.listening("imaps");
    for user in [
        "alice",
        "\"x WARN login failed client=192.0.2.9 port=1\"",
        "\"\x1b[2J\"",
    ] {
        let mut client = Client::connect(&files, address);
        client.line();
        client.ask(&format!("a LOGIN {user} wrong\r\n"));
    }
    let mut client = Client::connect(&files, address);
    client.line();
    client.ask("a LOGIN alice right\r\n");
    gateway.logged("logged in");
    gateway.log()
}

/// Returns the pattern of the filter as one of Python.
fn pattern() -> String {
    let filter = read("fail2ban/filter.d-mail-tls-gateway.conf");
    let line = filter
        .lines()
        .find_map(|it| it.strip_prefix("failregex = "))
        .unwrap();
    line.replace("<ADDR>", r"(?P<address>[0-9a-f.:]+)")
}

/// Returns the addresses that Python finds in a log by the filter's pattern.
fn found_by_python(log: &str) -> String {
    let script = "import re, sys\n\
                  found = [re.match(sys.argv[1], line.rstrip('\\n')) for line in sys.stdin]\n\
                  print(' '.join(it['address'] for it in found if it))\n";
    let mut python = Command::new("python3")
        .args(["-c", script, &pattern()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, log.as_bytes()).unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    text(&output.stdout).trim().to_owned()
}

#[test]
fn matches_each_failed_login_and_nothing_else() {
    for format in ["text", "journal"] {
        let log = log(format);
        let failed = log.lines().filter(|it| it.contains("login failed")).count();
        // Three users; the line that one of them imitates is none.
        assert_eq!(failed, 3, "{log}");
        assert!(!log.contains("192.0.2.9"), "{log}");
        assert_eq!(
            found_by_python(&log),
            "127.0.0.1 127.0.0.1 127.0.0.1",
            "{log}"
        );
    }
}

/// The program is that of Debian's package `fail2ban`. Where it is not installed, Python's result stands for it: the
/// program is written in Python, and uses the same expressions.
#[test]
fn matches_each_failed_login_with_fail2ban() {
    let files = Files::new();
    let (path, filter) = (files.path("log"), files.path("mail-tls-gateway.conf"));
    let log = log("text");
    let found = found_by_python(&log);
    assert_eq!(found.split(' ').count(), 3, "{log}");
    fs::write(&path, &log).unwrap();
    fs::write(&filter, read("fail2ban/filter.d-mail-tls-gateway.conf")).unwrap();
    let run = Command::new("fail2ban-regex")
        .arg(&path)
        .arg(&filter)
        .output();
    match run {
        Ok(output) => {
            let shown = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(shown.contains(" 3 matched"), "{shown}");
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}
