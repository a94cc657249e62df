//! A process without a free file descriptor.

use std::{fs, net::TcpStream, path::Path, process::Command, thread, time::Duration};

use tokio::runtime::Runtime;

use crate::{
    name_server,
    world::{Backend, Client, Files, Gateway, get, soon},
};

#[test]
fn survives_a_lack_of_descriptors_without_using_the_processor() {
    let files = Files::new();
    let backend = Backend::start();
    let more = "[metrics]\nlisten = \"127.0.0.1:0\"\n[limits]\nhandshake = 5\n";
    let config = files.configure("127.0.0.1:0", backend.address, more);
    let mut gateway = limited(&config);
    let address = gateway.listening("imaps");
    let metrics = gateway.listening("metrics");
    let silent: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    gateway.logged("no connection can be accepted");
    let before = processor_time(gateway.child.id());
    thread::sleep(Duration::from_secs(1));
    let used = processor_time(gateway.child.id()) - before;
    assert!(used < 50, "{used} hundredths of a second");
    drop(silent);
    let client = soon("a session", || {
        Client::with_name(&files, address, crate::world::HOST).ok()
    });
    drop(client);
    let text = soon("the counter", || Some(get(metrics, "/metrics")));
    let line = text
        .lines()
        .find(|it| it.starts_with("mail_tls_gateway_accept_errors_total"));
    let count: f64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((1.0..2000.0).contains(&count), "{count}");
}

/// Starts a gateway that may have 64 descriptors.
fn limited(config: &Path) -> Gateway {
    let mut shell = Command::new("sh");
    let run = "ulimit -n 64 && exec \"$0\" gateway --config \"$1\"";
    shell
        .args(["-c", run, env!("CARGO_BIN_EXE_mail-tls")])
        .arg(config);
    Gateway::run(&mut shell)
}

/// A backend for which the gateway had no descriptor is not one that failed: it stays available, and no alarm is raised.
#[test]
fn blames_no_backend_for_a_lack_of_descriptors() {
    blames_no_backend("127.0.0.1", "");
}

/// The lookup of the backend's host needs descriptors too, and the system does not tell the cause of a failure.
#[test]
fn blames_no_backend_for_a_lack_of_descriptors_in_the_lookup_of_the_system() {
    blames_no_backend("localhost", "");
}

#[test]
fn blames_no_backend_for_a_lack_of_descriptors_in_the_lookup_of_a_resolver() {
    let runtime = Runtime::new().unwrap();
    let resolver = name_server::serve(&runtime, vec![("imap.example.org", 0)]);
    let more = format!("[backend-tls]\nresolver = \"{resolver}\"\nanchors = \"anchors\"\n");
    blames_no_backend("imap.example.org", &more);
}

/// Starts a gateway with few descriptors before a backend of this name, and more sessions that need one than it has.
fn blames_no_backend(host: &str, more: &str) {
    let files = Files::new();
    let backend = Backend::start();
    let more = format!(
        "{more}[metrics]\nlisten = \"127.0.0.1:0\"\n[limits]\nhandshake = 10\nlogins-per-client = 200\n\
         [failed-logins]\nfree = 0\nfirst-delay = 5\n"
    );
    fs::write(files.path("anchors"), name_server::ANCHORS).unwrap();
    let config = files.configure("127.0.0.1:0", backend.address, &more);
    let text = fs::read_to_string(&config).unwrap();
    let config = files.write(&text.replace("host = \"127.0.0.1\"", &format!("host = \"{host}\"")));
    let mut gateway = limited(&config);
    let address = gateway.listening("imaps");
    let metrics = gateway.listening("metrics");
    // After a failed login the next sessions of the client wait before they have a backend, and then all need one.
    let mut first = Client::connect(&files, address);
    first.line();
    first.send("a LOGIN alice wrong\r\n");
    gateway.logged("login failed");
    let mut waiting: Vec<_> = (0..45).map(|_| Client::connect(&files, address)).collect();
    let greetings: Vec<_> = waiting.iter_mut().map(Client::line).collect();
    let refused = greetings
        .iter()
        .filter(|it| it.starts_with("* BYE [UNAVAILABLE]"));
    let refused = refused.count();
    // Each one that ends has a descriptor for another.
    assert!(refused >= 10, "{greetings:?}");
    let line = gateway.logged("backend not tried");
    assert!(line.contains("no free descriptor"), "{line}");
    drop((first, waiting));
    let name = format!("mail_tls_gateway_backend_not_tried_total{{service=\"imaps\"}} {refused}\n");
    let text = soon("the counter", || {
        let text = get(metrics, "/metrics");
        text.contains(&name).then_some(text)
    });
    assert!(
        !text.contains("mail_tls_gateway_backend_failures_total{"),
        "{text}"
    );
    let up = text
        .lines()
        .find(|it| it.starts_with("mail_tls_gateway_backend_up{"));
    assert!(up.unwrap().ends_with(" 1"), "{text}");
    assert!(!gateway.log().contains("backend failed"));
}

/// Returns the processor time of a process, in hundredths of a second.
fn processor_time(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<_> = fields.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
