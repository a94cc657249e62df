//! Exit codes as programs that Nagios calls have them.

use std::net::{Ipv4Addr, TcpListener};

use crate::{
    name_server,
    world::{HOST, World, text},
};

fn first_line(output: &std::process::Output) -> String {
    text(output).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn exits_with_0_while_all_is_well() {
    let world = World::with_days_left(60);
    let output = world.run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(first_line(&output), "OK example.org: 5 advice, 6 good");
}

#[test]
fn exits_with_1_for_warnings() {
    let world = World::with_days_left(20);
    let output = world.run(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!(
        first_line(&output),
        "WARNING example.org: 1 warning, 5 advice, 5 good"
    );
    // By the thresholds of the operator.
    let output = world.run(&["--warn-left", "5", "--bad-left", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn exits_with_2_for_faults() {
    let world = World::with_days_left(-1);
    let output = world.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert_eq!(
        first_line(&output),
        "CRITICAL example.org: 3 bad, 5 advice, 2 good"
    );
    // A service manager sees no failure in findings, but in arguments.
    let same = world.run(&["--exit-zero"]);
    assert_eq!((same.status.code(), text(&same)), (Some(0), text(&output)));
    let wrong = world.run(&["--exit-zero", "--ca", "missing.pem"]);
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong));
}

#[test]
fn exits_with_3_if_the_server_refuses_the_monitor() {
    let world = World::with_days_left(60);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // Each connection is closed at once.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let dns = name_server::serve(&world.runtime, vec![(HOST, port)]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command.args(["monitor", "example.org", "--timeout", "10"]);
    command.arg("--resolver").arg(dns.to_string());
    command.arg("--anchors").arg(world.path("anchors"));
    let output = command
        .arg("--ca")
        .arg(world.path("roots.pem"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(
        first_line(&output).starts_with("UNKNOWN example.org: "),
        "{}",
        text(&output)
    );
    assert!(!text(&output).contains("  bad  "), "{}", text(&output));
}

#[test]
fn exits_with_3_if_the_resolver_does_not_answer() {
    let world = World::with_days_left(60);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mail-tls"));
    command.args(["monitor", "example.org", "--resolver", "127.0.0.1:1"]);
    let output = command
        .arg("--ca")
        .arg(world.path("roots.pem"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(
        first_line(&output).starts_with("UNKNOWN example.org: "),
        "{}",
        text(&output)
    );
}

#[test]
fn reports_a_renewed_certificate_that_is_not_served() {
    let world = World::with_days_left(30);
    let renewed = world.issue(90);
    let (file, key) = (world.path("imap.pem"), world.path("imap.key"));
    renewed.write(&file, &key);
    let written = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 3_600 + 5);
    let open = std::fs::File::options().write(true).open(&file).unwrap();
    open.set_modified(written).unwrap();
    let path = file.to_str().unwrap();
    let output = world.run(&["--cert", path]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let expected = format!(
        "The certificate in {path} was renewed 3 h ago and is not served: reload the server\n"
    );
    assert!(text(&output).contains(&expected), "{}", text(&output));
    world.replace(&renewed);
    let output = world.run(&["--cert", path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}
