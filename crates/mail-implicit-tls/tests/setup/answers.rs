//! Answers of the DNS: the root as target, aliases, failures, and DNSSEC.

use mail_implicit_tls::{
    dns::{Answer, Denial, DnsName, Lookup, LookupFailure, Next},
    privacy::PrivacyLevel,
    service::Service,
    setup::{Offer, RefusedRecord, SetupLookup},
};

use crate::domain::{INSECURE, NONE, SECURE, candidate, imap, name, offers, records, srv};

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
