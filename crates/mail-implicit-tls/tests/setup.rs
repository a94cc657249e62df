//! Offers from SRV records, their warnings and reference identities, and later changes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use mail_implicit_tls::{
    account::{AccountId, AccountSetup, Host, Server},
    dns::{
        Answer, Denial, DnsName, Dnssec, Lookup, LookupFailure, Next, Question, Record, Records,
        Srv,
    },
    identity::ReferenceIdentity,
    name::DomainName,
    privacy::PrivacyLevel,
    service::{Protocol, Service},
    setup::{
        Candidate, Offer, Offers, RefusedRecord, SetupLookup, Source, Warning,
        recheck::{Change, MIN_INTERVAL, changes, is_due},
    },
};

const SECURE: Dnssec = Dnssec::Secure;
const INSECURE: Dnssec = Dnssec::Insecure;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn srv(priority: u16, port: u16, target: &str) -> Srv {
    Srv {
        priority,
        weight: 1,
        port,
        target: DnsName::parse(target).unwrap(),
    }
}

fn records(dnssec: Dnssec, records: impl IntoIterator<Item = Srv>) -> Answer {
    Answer::Records(Records {
        records: records.into_iter().map(Record::Srv).collect(),
        owner: DnsName::parse("owner.example").unwrap(),
        dnssec,
        ttl: Duration::from_secs(60),
    })
}

const NONE: Answer = Answer::Denied {
    denial: Denial::NoName,
    dnssec: SECURE,
};

/// Runs a lookup of `example.org` with these answers by SRV label; other labels are denied.
fn offers(level: PrivacyLevel, answers: &[(&str, Answer)]) -> Offers {
    let mut lookup = SetupLookup::new(name("example.org"), level, 7);
    let Next::Ask(questions) = lookup.next() else {
        panic!("questions expected")
    };
    for question in &questions {
        let label = question
            .name
            .as_str()
            .strip_suffix("._tcp.example.org")
            .unwrap();
        let known = answers.iter().find(|(known, _)| *known == label);
        lookup.answer(question, known.map_or(NONE, |(_, answer)| answer.clone()));
    }
    match lookup.next() {
        Next::Done(offers) => offers,
        Next::Ask(more) => panic!("no more questions expected: {more:?}"),
    }
}

fn imap(level: PrivacyLevel, answers: &[(&str, Answer)]) -> Offer {
    offers(level, answers).imap
}

fn candidate(service: Service, host: &str, port: u16, dnssec: Dnssec) -> Candidate {
    Candidate::new(
        service,
        name(host),
        port,
        name("example.org"),
        Source::Srv(dnssec),
    )
}

#[test]
fn asks_for_all_services_at_once() {
    let lookup = SetupLookup::new(name("example.org"), PrivacyLevel::High, 1);
    let Next::Ask(questions) = lookup.next() else {
        panic!("questions expected")
    };
    let asked: Vec<_> = questions.iter().map(Question::to_string).collect();
    assert_eq!(
        asked,
        [
            "_imaps._tcp.example.org. SRV",
            "_imap._tcp.example.org. SRV",
            "_pop3s._tcp.example.org. SRV",
            "_pop3._tcp.example.org. SRV",
            "_submissions._tcp.example.org. SRV",
            "_submission._tcp.example.org. SRV",
        ]
    );
}

#[test]
fn prefers_implicit_tls_whatever_the_priority() {
    let answers = [
        ("_imap", records(SECURE, [srv(0, 143, "a.example.org")])),
        ("_imaps", records(SECURE, [srv(10, 993, "b.example.org")])),
    ];
    let expected = Offer::Candidates {
        candidates: vec![
            candidate(Service::IMAPS, "b.example.org", 993, SECURE),
            candidate(Service::IMAP_STARTTLS, "a.example.org", 143, SECURE),
        ],
        clear: Vec::new(),
        refused: Vec::new(),
    };
    assert_eq!(imap(PrivacyLevel::High, &answers), expected);
}

#[test]
fn offers_clear_text_at_the_low_level_only_and_with_a_warning() {
    let answers = [("_imap", records(SECURE, [srv(0, 143, "a.example.org")]))];
    let Offer::Candidates {
        candidates, clear, ..
    } = imap(PrivacyLevel::Low, &answers)
    else {
        panic!("candidates expected")
    };
    assert_eq!(
        candidates,
        [candidate(
            Service::IMAP_STARTTLS,
            "a.example.org",
            143,
            SECURE
        )]
    );
    assert_eq!(
        clear,
        [candidate(Service::IMAP_CLEAR, "a.example.org", 143, SECURE)]
    );
    assert_eq!(clear[0].warnings(), [Warning::ClearText]);
    let Offer::Candidates { clear, .. } = imap(PrivacyLevel::High, &answers) else {
        panic!("candidates expected")
    };
    assert_eq!(clear, []);
}

#[test]
fn offers_no_clear_text_where_implicit_tls_is_advertised() {
    let starttls = records(SECURE, [srv(0, 143, "a.example.org")]);
    // Also where no record for implicit TLS can be used.
    for implicit in [srv(0, 993, "b.example.org"), srv(0, 0, "b.example.org")] {
        let implicit = records(SECURE, [implicit]);
        let answers = [("_imap", starttls.clone()), ("_imaps", implicit)];
        let Offer::Candidates { clear, .. } = imap(PrivacyLevel::Low, &answers) else {
            panic!("candidates expected")
        };
        assert_eq!(clear, []);
    }
    let not_there = records(SECURE, [srv(0, 0, ".")]);
    let answers = [("_imap", starttls), ("_imaps", not_there)];
    let Offer::Candidates { clear, .. } = imap(PrivacyLevel::Low, &answers) else {
        panic!("candidates expected")
    };
    let expected = candidate(Service::IMAP_CLEAR, "a.example.org", 143, SECURE);
    assert_eq!(clear, [expected]);
}

#[test]
fn takes_the_label_for_the_kind_and_not_the_port() {
    let answers = [
        (
            "_submissions",
            records(SECURE, [srv(0, 587, "a.example.org")]),
        ),
        (
            "_submission",
            records(SECURE, [srv(0, 465, "b.example.org")]),
        ),
    ];
    let Offer::Candidates { candidates, .. } = offers(PrivacyLevel::High, &answers).submission
    else {
        panic!("candidates expected")
    };
    assert_eq!(
        candidates,
        [
            candidate(Service::SUBMISSIONS, "a.example.org", 587, SECURE),
            candidate(Service::SUBMISSION_STARTTLS, "b.example.org", 465, SECURE),
        ]
    );
}

#[test]
fn takes_the_root_as_target_for_not_available() {
    for dnssec in [SECURE, INSECURE] {
        let answers = [("_pop3s", records(dnssec, [srv(0, 0, ".")]))];
        let offers = offers(PrivacyLevel::Low, &answers);
        assert_eq!(offers.pop, Offer::Unavailable(dnssec));
        assert_eq!(offers.imap, Offer::NotAdvertised(SECURE));
    }
}

/// The state of such an answer is that of the whole chain of aliases, which the resolver gives.
#[test]
fn takes_records_behind_an_alias() {
    let Answer::Records(mut behind) = records(INSECURE, [srv(0, 993, "mail.hoster.example")])
    else {
        panic!("records expected")
    };
    behind.owner = DnsName::parse("_imaps._tcp.hoster.example").unwrap();
    let expected = Offer::Candidates {
        candidates: vec![candidate(
            Service::IMAPS,
            "mail.hoster.example",
            993,
            INSECURE,
        )],
        clear: Vec::new(),
        refused: Vec::new(),
    };
    let answers = [("_imaps", Answer::Records(behind))];
    assert_eq!(imap(PrivacyLevel::High, &answers), expected);
}

#[test]
fn counts_the_less_secure_of_two_records_with_the_root() {
    let root = |dnssec| records(dnssec, [srv(0, 0, ".")]);
    for (implicit, starttls) in [(SECURE, INSECURE), (INSECURE, SECURE)] {
        let answers = [("_imaps", root(implicit)), ("_imap", root(starttls))];
        let offer = imap(PrivacyLevel::High, &answers);
        assert_eq!(offer, Offer::Unavailable(INSECURE));
    }
}

#[test]
fn offers_starttls_where_only_implicit_tls_is_not_available() {
    let answers = [
        ("_imaps", records(SECURE, [srv(0, 0, ".")])),
        ("_imap", records(SECURE, [srv(0, 143, "a.example.org")])),
    ];
    let expected = Offer::Candidates {
        candidates: vec![candidate(
            Service::IMAP_STARTTLS,
            "a.example.org",
            143,
            SECURE,
        )],
        clear: Vec::new(),
        refused: Vec::new(),
    };
    assert_eq!(imap(PrivacyLevel::High, &answers), expected);
}

#[test]
fn refuses_the_root_beside_other_targets() {
    let [root, other] = [srv(0, 0, "."), srv(0, 993, "a.example.org")];
    let answers = [("_imaps", records(SECURE, [root.clone(), other.clone()]))];
    let expected = Offer::Candidates {
        candidates: Vec::new(),
        clear: Vec::new(),
        refused: vec![
            (root, RefusedRecord::RootBesideOthers),
            (other, RefusedRecord::RootBesideOthers),
        ],
    };
    assert_eq!(imap(PrivacyLevel::High, &answers), expected);
}

#[test]
fn skips_targets_that_are_no_hosts_and_goes_on() {
    let [address, label, port] = [
        srv(0, 993, "192.0.2.1"),
        srv(1, 993, "a_b.example.org"),
        srv(2, 0, "c.example.org"),
    ];
    let good = srv(3, 993, "d.example.org");
    let answers = [(
        "_imaps",
        records(SECURE, [address.clone(), label.clone(), port.clone(), good]),
    )];
    let expected = Offer::Candidates {
        candidates: vec![candidate(Service::IMAPS, "d.example.org", 993, SECURE)],
        clear: Vec::new(),
        refused: vec![
            (address, RefusedRecord::Target),
            (label, RefusedRecord::Target),
            (port, RefusedRecord::Port),
        ],
    };
    assert_eq!(imap(PrivacyLevel::High, &answers), expected);
}

#[test]
fn offers_nothing_when_a_lookup_fails() {
    for failure in [
        LookupFailure::Bogus,
        LookupFailure::ServerFailure,
        LookupFailure::Timeout,
    ] {
        let answers = [
            ("_imaps", Answer::Failed(failure)),
            ("_imap", records(SECURE, [srv(0, 143, "a.example.org")])),
        ];
        let expected = Offer::Failed {
            service: Service::IMAPS,
            failure,
        };
        assert_eq!(imap(PrivacyLevel::Low, &answers), expected);
        let answers = [
            ("_imaps", records(SECURE, [srv(0, 993, "a.example.org")])),
            ("_imap", Answer::Failed(failure)),
        ];
        let expected = Offer::Failed {
            service: Service::IMAP_STARTTLS,
            failure,
        };
        assert_eq!(imap(PrivacyLevel::Low, &answers), expected);
    }
}

#[test]
fn gives_what_is_known_after_the_deadline() {
    let mut lookup = SetupLookup::new(name("example.org"), PrivacyLevel::High, 1);
    let Next::Ask(questions) = lookup.next() else {
        panic!("questions expected")
    };
    for question in questions
        .iter()
        .filter(|question| question.name.as_str().contains("submission"))
    {
        lookup.answer(question, NONE);
    }
    let late = Offer::Failed {
        service: Service::IMAPS,
        failure: LookupFailure::Timeout,
    };
    assert_eq!(lookup.offers().imap, late);
    assert_eq!(lookup.offers().submission, Offer::NotAdvertised(SECURE));
    assert!(matches!(lookup.next(), Next::Ask(missing) if missing.len() == 4));
}

#[test]
fn keeps_the_first_answer_to_a_question() {
    let mut lookup = SetupLookup::new(name("example.org"), PrivacyLevel::High, 1);
    let Next::Ask(questions) = lookup.next() else {
        panic!("questions expected")
    };
    for question in &questions {
        lookup.answer(question, NONE);
    }
    let late = records(SECURE, [srv(0, 993, "late.example.org")]);
    lookup.answer(&questions[0], late);
    assert_eq!(lookup.offers().imap, Offer::NotAdvertised(SECURE));
}

#[test]
fn counts_the_less_secure_denial() {
    let insecure = Answer::Denied {
        denial: Denial::NoData,
        dnssec: INSECURE,
    };
    assert_eq!(
        imap(PrivacyLevel::High, &[("_imap", insecure)]),
        Offer::NotAdvertised(INSECURE)
    );
}

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

#[test]
fn orders_by_the_seed() {
    let targets =
        ["a", "b", "c", "d", "e", "f"].map(|host| srv(0, 993, &format!("{host}.example.org")));
    let hosts = |seed| {
        let mut lookup = SetupLookup::new(name("example.org"), PrivacyLevel::High, seed);
        let Next::Ask(questions) = lookup.next() else {
            panic!("questions expected")
        };
        for question in &questions {
            let imaps = question.name.as_str().starts_with("_imaps.");
            lookup.answer(
                question,
                if imaps {
                    records(SECURE, targets.clone())
                } else {
                    NONE
                },
            );
        }
        match lookup.offers().imap {
            Offer::Candidates { candidates, .. } => candidates
                .iter()
                .map(|candidate| candidate.host().to_string())
                .collect::<Vec<_>>(),
            other => panic!("candidates expected: {other:?}"),
        }
    };
    assert_eq!(hosts(1), hosts(1));
    assert!((2..10).any(|seed| hosts(seed) != hosts(1)));
}

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
