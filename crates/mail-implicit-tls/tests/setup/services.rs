//! Services that are offered (draft-newman-email-deep-02 section 8).

use mail_implicit_tls::{
    dns::{Lookup, Next, Question},
    privacy::PrivacyLevel,
    service::Service,
    setup::{Offer, SetupLookup, Warning},
};

use crate::domain::{NONE, SECURE, candidate, imap, name, offers, records, srv};

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
