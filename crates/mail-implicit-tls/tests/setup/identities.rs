//! Names that are expected of a candidate, and the warnings about it.

use mail_implicit_tls::{
    account::{AccountId, AccountSetup},
    identity::ReferenceIdentity,
    service::Service,
    setup::{Candidate, Source, Warning},
};

use crate::domain::{INSECURE, SECURE, candidate, name};

fn identities(candidate: &Candidate) -> Vec<String> {
    let server = candidate.to_server();
    let id = AccountId::try_new("someone").unwrap();
    let setup = AccountSetup::new(id)
        .domain(name("example.org"))
        .server(server.clone());
    let account = setup.build().unwrap();
    account
        .references(&server)
        .iter()
        .map(ReferenceIdentity::to_string)
        .collect()
}

#[test]
fn expects_the_target_of_a_secure_record_only() {
    let secure = candidate(Service::IMAPS, "mail.hoster.example", 993, SECURE);
    assert_eq!(
        identities(&secure),
        [
            "DNS-ID mail.hoster.example",
            "SRV-ID _imaps.example.org",
            "DNS-ID example.org"
        ]
    );
    assert_eq!(secure.warnings(), []);
    let insecure = candidate(Service::IMAPS, "mail.hoster.example", 993, INSECURE);
    assert_eq!(
        identities(&insecure),
        ["SRV-ID _imaps.example.org", "DNS-ID example.org"]
    );
}

#[test]
fn warns_of_an_insecure_record_until_the_user_confirms() {
    let foreign = candidate(Service::IMAPS, "mail.evil.example", 993, INSECURE);
    assert_eq!(
        foreign.warnings(),
        [
            Warning::NotAuthenticated,
            Warning::ForeignHost {
                domain: name("example.org"),
                host: name("mail.evil.example")
            },
        ]
    );
    let own = candidate(Service::IMAPS, "imap.example.org", 993, INSECURE);
    assert_eq!(own.warnings(), [Warning::NotAuthenticated]);
    let similar = candidate(Service::IMAPS, "imap.notexample.org", 993, INSECURE);
    assert_eq!(similar.warnings().len(), 2);
    let confirmed = foreign.confirmed_by_user();
    assert_eq!(confirmed.warnings(), []);
    assert_eq!(
        identities(&confirmed),
        [
            "DNS-ID mail.evil.example",
            "SRV-ID _imaps.example.org",
            "DNS-ID example.org"
        ]
    );
}

#[test]
fn expects_no_srv_id_without_srv_record() {
    let file = Candidate::new(
        Service::IMAPS,
        name("imap.example.org"),
        993,
        name("example.org"),
        Source::Autoconfig,
    );
    assert_eq!(identities(&file), ["DNS-ID imap.example.org"]);
    assert_eq!(file.warnings(), []);
}
