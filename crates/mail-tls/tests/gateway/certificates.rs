//! Certificates are served once they are on the disk and valid; until then those before are.

use std::{fs, fs::Permissions, os::unix::fs::PermissionsExt, process::Command};

use test_support::pki::{Authority, Certificate};

use crate::world::{Backend, Client, Files, Gateway, HOST, command, get, soon};

struct Served {
    files: Files,
    gateway: Gateway,
    address: std::net::SocketAddr,
    metrics: std::net::SocketAddr,
    first: Vec<u8>,
    _backend: Backend,
}

impl Served {
    fn start() -> Self {
        let files = Files::new();
        let backend = Backend::start();
        let more = "[metrics]\nlisten = \"127.0.0.1:0\"\n";
        let config = files.configure("127.0.0.1:0", backend.address, more);
        let mut gateway = Gateway::start(&config);
        let address = gateway.listening("imaps");
        let metrics = gateway.listening("metrics");
        let first = Client::connect(&files, address).certificate();
        Self {
            files,
            gateway,
            address,
            metrics,
            first,
            _backend: backend,
        }
    }

    fn shown(&self) -> Vec<u8> {
        Client::connect(&self.files, self.address).certificate()
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let text = get(self.metrics, "/metrics");
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    fn refused(&self) -> f64 {
        let name = "mail_tls_gateway_certificate_loads_total{result=\"refused\"}";
        self.metric(name).unwrap_or_default()
    }
}

#[test]
fn serves_a_new_certificate_and_keeps_connections() {
    let served = Served::start();
    let mut client = Client::connect(&served.files, served.address);
    assert!(client.line().starts_with("* OK"));
    assert!(client.ask("a LOGIN alice right\r\n").starts_with("a OK"));
    let renewed = Certificate::server(&[HOST])
        .valid(2020, 2090)
        .issue(&served.files.authority);
    served.files.install(&renewed);
    let expected = renewed.certificate().to_vec();
    assert_ne!(expected, served.first);
    soon("the new certificate", || {
        (served.shown() == expected).then_some(())
    });
    assert_eq!(client.ask("b NOOP\r\n"), "b OK NOOP\r\n");
    let not_after = served.metric("mail_tls_gateway_certificate_not_after_seconds");
    // 1 January 2090.
    assert_eq!(not_after, Some(3_786_912_000.0));
}

/// Links that are replaced, as certbot does, are followed.
#[test]
fn serves_a_certificate_behind_a_link_that_changed() {
    let served = Served::start();
    let renewed = Certificate::server(&[HOST]).issue(&served.files.authority);
    for (name, pem) in [
        ("chain", renewed.pem().to_owned()),
        ("key", renewed.key_pem()),
    ] {
        let target = served.files.path(&format!("{name}2.pem"));
        fs::write(&target, pem).unwrap();
        let link = served.files.path("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        fs::rename(link, served.files.path(&format!("{name}.pem"))).unwrap();
    }
    let expected = renewed.certificate().to_vec();
    soon("the new certificate", || {
        (served.shown() == expected).then_some(())
    });
}

#[test]
fn keeps_the_certificate_while_the_new_one_is_wrong() {
    let served = Served::start();
    let authority = &served.files.authority;
    let good = Certificate::server(&[HOST]).issue(authority);
    let expired = Certificate::server(&[HOST]).expired().issue(authority);
    let other = Authority::new("Other");
    let half = good.pem().get(..good.pem().len() / 2).unwrap().to_owned();
    // A chain in the wrong order, one of another authority, half a file, no file, an expired one.
    for (name, chain) in [
        ("expired", Some(expired.pem().to_owned())),
        ("half written", Some(half)),
        (
            "reversed",
            Some(format!("{}{}", authority.pem(), good.pem())),
        ),
        (
            "of another issuer",
            Some(format!("{}{}", good.pem(), other.pem())),
        ),
        ("key of another", Some(good.pem().to_owned())),
        ("absent", None),
    ] {
        let before = served.refused();
        let path = served.files.path("chain.pem");
        match chain {
            Some(chain) => fs::write(&path, chain).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        soon(name, || (served.refused() > before).then_some(()));
        assert_eq!(served.shown(), served.first, "{name}");
    }
    served
        .gateway
        .logged("certificates not replaced; the former ones are kept");
    served.files.install(&good);
    let expected = good.certificate().to_vec();
    soon("the new certificate", || {
        (served.shown() == expected).then_some(())
    });
}

/// A key that the gateway may not read is one that it does not have. The superuser reads any file, so that it runs
/// without that capability.
#[test]
fn keeps_the_certificate_while_the_key_may_not_be_read() {
    let files = Files::new();
    let backend = Backend::start();
    let more = "[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let config = files.configure("127.0.0.1:0", backend.address, more);
    let forbid = |mode| fs::set_permissions(files.path("key.pem"), Permissions::from_mode(mode));
    forbid(0o000).unwrap();
    let reads_all = fs::read(files.path("key.pem")).is_ok();
    forbid(0o600).unwrap();
    let mut started = match reads_all {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--bounding-set", "-dac_override,-dac_read_search"]);
            command.arg(env!("CARGO_BIN_EXE_mail-tls"));
            command.args(["gateway", "--config"]).arg(&config);
            command
        }
        false => command(&config),
    };
    let mut gateway = Gateway::run(&mut started);
    let address = gateway.listening("imaps");
    let metrics = gateway.listening("metrics");
    let shown = || Client::connect(&files, address).certificate();
    let first = shown();
    let renewed = Certificate::server(&[HOST]).issue(&files.authority);
    fs::remove_file(files.path("key.pem")).unwrap();
    files.install(&renewed);
    forbid(0o000).unwrap();
    // The watch may have seen the files before the change of the mode.
    fs::write(files.path("chain.pem"), files.authority.pem()).unwrap();
    gateway.logged("certificates not replaced; the former ones are kept");
    fs::write(files.path("chain.pem"), renewed.pem()).unwrap();
    gateway.signal("HUP");
    gateway.logged("configuration and certificates reloaded");
    gateway.logged("ermission denied");
    assert!(!get(metrics, "/health").is_empty());
    assert_eq!(shown(), first);
    forbid(0o600).unwrap();
    let expected = renewed.certificate().to_vec();
    soon("the new certificate", || {
        (shown() == expected).then_some(())
    });
}

#[test]
fn chooses_the_certificate_by_the_name_that_is_asked_for() {
    let files = Files::new();
    let backend = Backend::start();
    let second = Certificate::server(&["*.example.net"]).issue(&files.authority);
    fs::write(files.path("chain2.pem"), second.pem()).unwrap();
    fs::write(files.path("key2.pem"), second.key_pem()).unwrap();
    let config = |unknown: &str| {
        files.write(&format!(
            "name = \"{HOST}\"\n\
             certificate = [{{ chain = \"chain.pem\", key = \"key.pem\" }}, \
             {{ chain = \"chain2.pem\", key = \"key2.pem\" }}]\n\
             tls.unknown-name = \"{unknown}\"\n\
             [[service]]\nkind = \"imaps\"\nlisten = [\"127.0.0.1:0\"]\n\
             backend = [{{ host = \"127.0.0.1\", port = {} }}]\n",
            backend.address.port()
        ))
    };
    let mut gateway = Gateway::start(&config("refuse"));
    let address = gateway.listening("imaps");
    let by = |name| Client::with_name(&files, address, name).map(|it| it.certificate());
    let second = second.certificate().to_vec();
    assert_eq!(by("a.example.net").unwrap(), second);
    assert_eq!(by("A.EXAMPLE.NET").unwrap(), second);
    assert_ne!(by(HOST).unwrap(), second);
    let refused = by("unknown.example").unwrap_err();
    assert!(refused.to_string().contains("alert"), "{refused}");
    drop(gateway);
    let mut gateway = Gateway::start(&config("first-certificate"));
    let address = gateway.listening("imaps");
    // The client sees the first certificate, and refuses its name.
    let refused = Client::with_name(&files, address, "unknown.example")
        .err()
        .unwrap();
    assert!(
        refused.to_string().contains("not valid for name"),
        "{refused}"
    );
}
