//! Later changes of what a domain advertises.

use std::time::Duration;

use mail_implicit_tls::{
    account::{Host, Server},
    dns::{Answer, LookupFailure},
    privacy::PrivacyLevel,
    service::{Protocol, Service},
    setup::recheck::{Change, MIN_INTERVAL, changes, is_due},
};

use crate::domain::{INSECURE, SECURE, candidate, name, offers, records, srv};

fn configured(service: Service, host: &str, port: u16) -> Server {
    Server::new(service, Host::Name(name(host))).with_port(port)
}

#[test]
fn looks_again_once_a_day_at_most() {
    let now = Duration::from_secs(1_700_000_000);
    assert!(is_due(None, now));
    assert!(!is_due(Some(now), now));
    assert!(!is_due(
        Some(now - MIN_INTERVAL + Duration::from_secs(1)),
        now
    ));
    assert!(is_due(Some(now - MIN_INTERVAL), now));
    assert!(is_due(Some(now + Duration::from_secs(1)), now));
}

#[test]
fn reports_other_ports_and_nothing_about_servers_that_are_advertised() {
    let targets = [
        srv(0, 993, "first.example.org"),
        srv(1, 993, "second.example.org"),
    ];
    let offers = offers(
        PrivacyLevel::High,
        &[
            ("_imaps", records(SECURE, targets)),
            ("_pop3", records(SECURE, [srv(0, 110, "pop.example.org")])),
        ],
    );
    let second = configured(Service::IMAPS, "second.example.org", 993);
    let starttls = configured(Service::POP3_STARTTLS, "pop.example.org", 110);
    let clear = configured(Service::POP3_CLEAR, "pop.example.org", 110);
    assert_eq!(changes(&[second, starttls, clear], &offers), []);
    let moved = configured(Service::IMAPS, "second.example.org", 1993);
    let first = candidate(Service::IMAPS, "first.example.org", 993, SECURE);
    let expected = Change::NotAdvertised {
        configured: moved.clone(),
        advertised: Box::new(first),
    };
    assert_eq!(changes(&[moved], &offers), [expected]);
}

#[test]
fn reports_changes_and_never_from_a_failure() {
    let offers = offers(
        PrivacyLevel::High,
        &[
            (
                "_imaps",
                records(INSECURE, [srv(0, 993, "new.example.org")]),
            ),
            ("_pop3s", records(SECURE, [srv(0, 0, ".")])),
            ("_submissions", Answer::Failed(LookupFailure::Timeout)),
        ],
    );
    let new = Box::new(candidate(Service::IMAPS, "new.example.org", 993, INSECURE));
    let same = configured(Service::IMAPS, "new.example.org", 993);
    let old = configured(Service::IMAPS, "old.example.org", 993);
    let starttls = configured(Service::IMAP_STARTTLS, "new.example.org", 143);
    let pop = configured(Service::POP3S, "pop.example.org", 995);
    let submission = configured(Service::SUBMISSIONS, "smtp.example.org", 465);
    let servers = [same, old.clone(), starttls.clone(), pop.clone(), submission];
    assert_eq!(
        changes(&servers, &offers),
        [
            Change::NotAdvertised {
                configured: old,
                advertised: new.clone()
            },
            Change::MorePrivate {
                configured: starttls,
                advertised: new
            },
            Change::Unavailable(pop),
        ]
    );
    assert_eq!(offers.of(Protocol::Imap), &offers.imap);
}
