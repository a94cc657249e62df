//! Several certificates: one at fault concerns no other.

use std::fs;

use test_support::pki::{Authority, Certificate, Identity};

use crate::world::{Backend, Client, Files, Gateway, HOST, command, get, soon, text};

const SECOND: &str = "mail.example.net";

#[test]
fn does_not_start_and_says_which_if_no_certificate_can_be_served() {
    let world = World::new();
    let config = world.configure("");
    fs::remove_file(world.files.path("chain.pem")).unwrap();
    fs::write(world.files.path("chain2.pem"), "half").unwrap();
    let output = command(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.contains("error at line 9, column 9") && error.contains("/chain.pem: "),
        "{error}"
    );
}

struct World {
    files: Files,
    backend: Backend,
}

impl World {
    fn new() -> Self {
        let world = Self {
            files: Files::new(),
            backend: Backend::start(),
        };
        world.install_second(&world.second());
        world
    }

    fn second(&self) -> Identity {
        Certificate::server(&[SECOND]).issue(&self.files.authority)
    }

    fn expired(&self) -> Identity {
        let certificate = Certificate::server(&[SECOND]).expired();
        certificate.issue(&self.files.authority)
    }

    fn install_second(&self, identity: &Identity) {
        fs::write(self.files.path("key2.pem"), identity.key_pem()).unwrap();
        fs::write(self.files.path("chain2.pem"), identity.pem()).unwrap();
    }

    /// Writes a configuration with two pairs of files, and more lines at the end.
    fn configure(&self, more: &str) -> std::path::PathBuf {
        self.files.write(&format!(
            "name = \"{HOST}\"\n\
             [metrics]\nlisten = \"127.0.0.1:0\"\n\
             [[service]]\nkind = \"imaps\"\nlisten = [\"127.0.0.1:0\"]\n\
             backend = [{{ host = \"127.0.0.1\", port = {} }}]\n\
             [[certificate]]\nchain = \"chain.pem\"\nkey = \"key.pem\"\n\
             [[certificate]]\nchain = \"chain2.pem\"\nkey = \"key2.pem\"\n{more}",
            self.backend.address.port()
        ))
    }

    fn start(self) -> Running {
        let mut gateway = Gateway::start(&self.configure(""));
        let address = gateway.listening("imaps");
        let metrics = gateway.listening("metrics");
        Running {
            world: self,
            gateway,
            address,
            metrics,
        }
    }
}

struct Running {
    world: World,
    gateway: Gateway,
    address: std::net::SocketAddr,
    metrics: std::net::SocketAddr,
}

impl Running {
    /// Returns the certificate for a name, which may have expired. Until there is one, that of another is shown.
    fn shown(&self, name: &'static str) -> Option<Vec<u8>> {
        let files = &self.world.files;
        let client = Client::with_name(files, self.address, name)
            .or_else(|_| Client::in_2000(files, self.address, name));
        Some(client.ok()?.certificate())
    }

    /// Waits until a certificate is served.
    fn serves(&self, name: &'static str, identity: &Identity) {
        let expected = Some(identity.certificate().to_vec());
        soon("the certificate", || {
            (self.shown(name) == expected).then_some(())
        });
    }

    /// Renews the first certificate, and waits until it is served.
    fn renew_first(&self) {
        let renewed = Certificate::server(&[HOST]).issue(&self.world.files.authority);
        self.world.files.install(&renewed);
        self.serves(HOST, &renewed);
    }

    fn health(&self) -> (bool, String) {
        let answer = get(self.metrics, "/health");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.starts_with("HTTP/1.1 200"), body.to_owned())
    }

    /// Waits until the backend was reached, and returns the health.
    fn ready(&self) -> (bool, String) {
        soon("a backend that was reached", || {
            let health = self.health();
            (!health.1.contains("backend")).then_some(health)
        })
    }

    fn expected_fault(&self, fault: &str) -> String {
        let chain = self.world.files.path("chain2.pem");
        format!("certificate: {}: {fault}\n", chain.display())
    }
}

const EXPIRED: &str = "certificates: a certificate expired or is not valid yet";

#[test]
fn serves_and_renews_beside_a_certificate_that_expired() {
    let world = World::new();
    let expired = world.expired();
    world.install_second(&expired);
    let running = world.start();
    running.serves(SECOND, &expired);
    let line = running
        .gateway
        .logged("certificates that are not valid are served");
    assert!(line.contains("chain2.pem"), "{line}");
    let health = format!("ok\n{}", running.expected_fault(EXPIRED));
    assert_eq!(running.ready(), (true, health));
    running.renew_first();
    running.gateway.signal("HUP");
    running
        .gateway
        .logged("configuration and certificates reloaded");
    running.renew_first();
    // Each chain has its own end of validity.
    let metrics = get(running.metrics, "/metrics");
    let begin = "mail_tls_gateway_certificate_not_after_seconds{chain=\"";
    let chains = metrics.lines().filter_map(|it| it.strip_prefix(begin));
    let mut chains: Vec<_> = chains.map(|it| it.split_once("\"} ").unwrap()).collect();
    chains.sort_unstable();
    let [first, second] = chains[..] else {
        panic!("{metrics}")
    };
    assert!(first.0.ends_with("/chain.pem") && second.0.ends_with("/chain2.pem"));
    assert_ne!(first.1, second.1);
    // It is renewed at last.
    let second = running.world.second();
    running.world.install_second(&second);
    running.serves(SECOND, &second);
    assert_eq!(running.ready(), (true, "ok\n".to_owned()));
}

#[test]
fn starts_without_a_certificate_that_cannot_be_read_and_serves_it_later() {
    let world = World::new();
    let second = world.second();
    world.install_second(&second);
    fs::remove_file(world.files.path("chain2.pem")).unwrap();
    let running = world.start();
    running.gateway.logged("certificates not served");
    let (is_ok, lines) = running.ready();
    assert!(is_ok, "{lines}");
    assert!(
        lines.starts_with("ok\ncertificate: ") && lines.contains("chain2.pem: "),
        "{lines}"
    );
    running.renew_first();
    running.world.install_second(&second);
    running.serves(SECOND, &second);
}

#[test]
fn keeps_a_certificate_whose_files_are_damaged_at_a_reload() {
    let running = World::new().start();
    let before = running.shown(SECOND).unwrap();
    let other = running.world.second();
    fs::write(running.world.files.path("key2.pem"), other.key_pem()).unwrap();
    running.gateway.signal("HUP");
    running
        .gateway
        .logged("configuration and certificates reloaded");
    let line = running.gateway.logged("the former ones are kept");
    assert!(line.contains("chain2.pem"), "{line}");
    assert_eq!(running.shown(SECOND), Some(before));
    let fault = "certificates: the key is not that of the certificate";
    let health = format!("ok\n{}", running.expected_fault(fault));
    assert_eq!(running.ready(), (true, health));
    running.renew_first();
}

/// The operator who adds a certificate is there to see the error.
#[test]
fn refuses_a_reload_with_a_further_certificate_that_cannot_be_read() {
    let running = World::new().start();
    running
        .world
        .configure("[[certificate]]\nchain = \"third.pem\"\nkey = \"key2.pem\"\n");
    running.gateway.signal("HUP");
    let line = running
        .gateway
        .logged("configuration not reloaded; the former one is kept");
    assert!(line.contains("error at line 15, column 9"), "{line}");
    running.renew_first();
}

#[test]
fn fails_the_check_if_a_certificate_is_at_fault() {
    let world = World::new();
    world.install_second(&world.expired());
    let config = world.configure("");
    let chain = world.files.path("chain2.pem");
    let expected = format!("warning: certificate: {}: {EXPIRED}", chain.display());
    // The configuration can be used, so that a reload may be asked for.
    for (arguments, code) in [(&["--check"][..], 1), (&["--check", "--offline"], 0)] {
        let output = command(&config).args(arguments).output().unwrap();
        let shown = text(&output.stdout);
        assert!(shown.lines().any(|line| line == expected), "{shown}");
        assert_eq!(output.status.code(), Some(code));
    }
}

#[test]
fn warns_of_a_renewed_certificate_for_other_names() {
    let running = World::new().start();
    let files = &running.world.files;
    let wrong = Certificate::server(&["wrong.example.org"]).issue(&files.authority);
    running.world.install_second(&wrong);
    let line = running
        .gateway
        .logged("the certificate has none of the names of the former one");
    for part in [SECOND, "wrong.example.org", "chain2.pem"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

/// All certificates expired: the gateway serves them, and is not healthy.
#[test]
fn is_not_healthy_if_no_certificate_is_valid() {
    let world = World::new();
    world.install_second(&world.expired());
    let authority: &Authority = &world.files.authority;
    let first = Certificate::server(&[HOST]).expired().issue(authority);
    world.files.install(&first);
    let running = world.start();
    running.serves(HOST, &first);
    let (is_ok, lines) = running.ready();
    assert!(!is_ok, "{lines}");
    assert!(
        lines.starts_with("certificates: none is valid\ncertificate: "),
        "{lines}"
    );
}
