//! Servers of an account, and the names that are expected of them.

use mail_implicit_tls::{
    account::{AccountErrorKind, AccountId, AccountSetup, Host, HostSource, Server},
    identity::Rules,
    service::Service,
};

use crate::accounts::{error, imaps, name, setup};

#[test]
fn rejects_incomplete_accounts() {
    assert_eq!(error(setup()), (AccountErrorKind::NoServer, None));
    assert_eq!(
        error(setup().pin(b"certificate")),
        (AccountErrorKind::NoServer, None)
    );
    let twice = setup().server(imaps()).server(imaps());
    assert_eq!(error(twice), (AccountErrorKind::DuplicateServer, Some(1)));
    let port = setup().server(imaps().with_port(0));
    assert_eq!(error(port), (AccountErrorKind::Port, Some(0)));
    let found = setup().server(imaps().with_source(HostSource::SecureSrv));
    assert_eq!(error(found), (AccountErrorKind::SrvWithoutDomain, Some(0)));
    let ports = (1..=65).map(|port| imaps().with_port(port));
    let many = ports.fold(setup(), AccountSetup::server);
    assert_eq!(error(many), (AccountErrorKind::TooManyServers, None));
    for text in ["", "a\nb", &"a".repeat(257)] {
        assert_eq!(
            AccountId::try_new(text).unwrap_err().kind(),
            AccountErrorKind::Id
        );
    }
}

fn references(rules: Rules, source: HostSource, host: &str) -> Vec<String> {
    let server = Server::new(Service::IMAPS, Host::parse(host).unwrap()).with_source(source);
    let setup = setup()
        .domain(name("example.org"))
        .rules(rules)
        .server(server);
    let account = setup.build().unwrap();
    let references = account.references(&account.servers()[0]);
    references.iter().map(ToString::to_string).collect()
}

/// The names that count: the user's, the mail domain's if it was looked up by SRV, and the target's if DNSSEC secures
/// it or the user confirmed it.
#[test]
fn expects_names_of_trusted_sources_only() {
    let host = "DNS-ID imap.example.net";
    let domain = ["SRV-ID _imaps.example.org", "DNS-ID example.org"];
    let all = [host, domain[0], domain[1]];
    for rules in [Rules::Rfc7817, Rules::Rfc9525, Rules::Rfc6125] {
        let expected = |source| references(rules, source, "imap.example.net");
        assert_eq!(expected(HostSource::User), [host]);
        assert_eq!(expected(HostSource::SecureSrv), all);
        assert_eq!(expected(HostSource::ConfirmedSrv), all);
        assert_eq!(expected(HostSource::InsecureSrv), domain);
        assert_eq!(
            references(rules, HostSource::User, "192.0.2.1"),
            ["IP-ID 192.0.2.1"]
        );
        assert_eq!(
            references(rules, HostSource::User, "[2001:DB8::1]"),
            ["IP-ID 2001:db8::1"]
        );
        let same = references(rules, HostSource::SecureSrv, "example.org");
        assert_eq!(same, ["DNS-ID example.org", "SRV-ID _imaps.example.org"]);
    }
    let rfc3501 = |source| references(Rules::Rfc3501, source, "imap.example.net");
    assert_eq!(rfc3501(HostSource::SecureSrv), [host]);
    assert_eq!(rfc3501(HostSource::InsecureSrv), [""; 0]);
}

#[test]
fn rejects_hosts_that_are_neither_name_nor_address() {
    for text in [
        "[192.0.2.1",
        "fe80::1%eth0",
        "[imap.example.org]",
        "imap.example.org:993",
        "192.0.2.256",
    ] {
        assert!(Host::parse(text).is_err(), "{text}");
    }
    let address = Host::parse("[2001:db8::1]").unwrap();
    assert_eq!(address.to_string(), "2001:db8::1");
    let server = Server::new(Service::SUBMISSION_STARTTLS, address);
    assert_eq!(
        server.to_string(),
        "submission with STARTTLS at [2001:db8::1]:587"
    );
    assert_eq!(imaps().to_string(), "imaps at imap.example.org:993");
}
