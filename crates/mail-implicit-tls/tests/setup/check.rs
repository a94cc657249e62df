//! Candidates that are checked by connections.

use std::{
    io,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use mail_implicit_tls::{
    dns::{DnsName, Dnssec, LookupFailure, Record, RecordKind, Srv, host::HostFailure},
    failure::{Cause, Stage},
    privacy::{PrivacyLevel, ProtocolVersion},
    service::{Protocol, Service},
    setup::{
        Offer, SetupLookup,
        check::{MAX_CHECKED, NotChecked, Outcome, check, look_up},
    },
    verdict::IdentityVerdict,
};
use tokio::net::TcpListener;

use crate::{
    candidates::{
        Known, TIME, candidate, causes, connector, high, low, name, offers, serve, serve_clear,
    },
    site::{HOST, Site},
};

#[tokio::test]
async fn offers_the_first_candidate_that_is_verified() {
    let site = Site::new();
    let good = serve(site.server_config()).await;
    let closed = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let connector = connector(&site, Known::hosts(&[HOST]));
    let candidates = vec![
        candidate(Service::IMAPS, "gone.example.org", 993),
        candidate(Service::IMAPS, HOST, closed),
        candidate(Service::IMAPS, HOST, good),
    ];
    let offers = offers(candidates.clone(), Vec::new());
    let checked = check(&connector, &high(), &offers, TIME).await;
    assert_eq!(
        causes(&checked),
        [
            Some(Cause::Lookup(HostFailure::NoAddress)),
            Some(Cause::Connect(io::ErrorKind::ConnectionRefused)),
            None,
        ]
    );
    assert_eq!(checked.best(Protocol::Imap), Some(&candidates[2]));
    assert_eq!(checked.best(Protocol::Pop), None);
    let Outcome::Ready(facts) = &checked.imap[2].outcome else {
        panic!("ready expected")
    };
    assert_eq!(facts.indication.level(), Some(PrivacyLevel::High));
    assert_eq!(facts.capabilities.mechanisms(), ["PLAIN"]);
    assert!(facts.verdict.as_ref().unwrap().is_verified());
    assert_eq!(facts.version, Some(ProtocolVersion::TLS1_3));
    assert!(facts.cipher_suite.is_some() && facts.group.is_some());
}

/// RFC 2782 excludes an alias as target, and clients meet them.
#[tokio::test]
async fn connects_to_a_target_that_is_an_alias() {
    let site = Site::new();
    let port = serve(site.server_config()).await;
    let mut known = Known::hosts(&["mail.hoster.example"]);
    let at_the_end = known.answers.remove("mail.hoster.example. A").unwrap();
    known.answers.insert(format!("{HOST}. A"), at_the_end);
    let connector = connector(&site, known);
    let candidates = vec![candidate(Service::IMAPS, HOST, port)];
    let offers = offers(candidates.clone(), Vec::new());
    let checked = check(&connector, &high(), &offers, TIME).await;
    assert_eq!(causes(&checked), [None]);
    assert_eq!(checked.best(Protocol::Imap), candidates.first());
}

/// A name server that answers for every name leads to a host with the certificate of another.
#[tokio::test]
async fn rejects_the_host_of_a_wildcard_in_the_dns() {
    let site = Site::new();
    let config = site.config_for(&site.issue(&["www.hoster.example"]));
    let port = serve(config).await;
    let connector = connector(&site, Known::hosts(&["imap.example.org"]));
    let offers = offers(
        vec![candidate(Service::IMAPS, "imap.example.org", port)],
        Vec::new(),
    );
    // Not even where the account ignores certificates.
    for account in [high(), low()] {
        let checked = check(&connector, &account, &offers, TIME).await;
        let [Some(Cause::NotVerified(verdict))] = &causes(&checked)[..] else {
            panic!("{checked:?}")
        };
        assert!(matches!(verdict.identity, IdentityVerdict::Differs(_)));
        assert_eq!(checked.best(Protocol::Imap), None);
    }
}

#[tokio::test]
async fn keeps_one_deadline_over_servers_that_are_silent() {
    let site = Site::new();
    let silent = serve_clear(b"").await;
    let good = serve(site.server_config()).await;
    let connector = connector(&site, Known::hosts(&[HOST]));
    let mut candidates = vec![candidate(Service::IMAPS, HOST, silent); 3];
    candidates.push(candidate(Service::IMAPS, HOST, good));
    let offers = offers(candidates, Vec::new());
    let begin = Instant::now();
    let checked = check(&connector, &high(), &offers, Duration::from_secs(2)).await;
    assert!(begin.elapsed() < Duration::from_secs(4));
    let late = Some(Cause::Timeout(Stage::Handshake));
    assert_eq!(causes(&checked), [late.clone(), late.clone(), late, None]);
}

#[tokio::test]
async fn gives_the_offers_that_are_known_at_the_deadline() {
    let mut known = Known::default();
    let record = Record::Srv(Srv {
        priority: 0,
        weight: 0,
        port: 993,
        target: DnsName::parse(HOST).unwrap(),
    });
    known.add("_imaps._tcp.example.org", RecordKind::Srv, vec![record]);
    known.silent = vec!["_submission._tcp.example.org. SRV".to_owned()];
    let lookup = SetupLookup::new(name("example.org"), PrivacyLevel::High, 1);
    let begin = Instant::now();
    let found = look_up(&known, lookup, Duration::from_millis(200)).await;
    assert!(begin.elapsed() < Duration::from_secs(2));
    let imap = vec![candidate(Service::IMAPS, HOST, 993)];
    assert_eq!(found.imap, offers(imap, Vec::new()).imap);
    assert_eq!(found.pop, Offer::NotAdvertised(Dnssec::Secure));
    let late = Offer::Failed {
        service: Service::SUBMISSION_STARTTLS,
        failure: LookupFailure::Timeout,
    };
    assert_eq!(found.submission, late);
}

#[tokio::test]
async fn takes_records_of_another_type_for_a_failure() {
    let mut known = Known::default();
    let address = Record::Address(Ipv4Addr::LOCALHOST.into());
    known.add("_imaps._tcp.example.org", RecordKind::Srv, vec![address]);
    let lookup = SetupLookup::new(name("example.org"), PrivacyLevel::High, 1);
    let found = look_up(&known, lookup, TIME).await;
    let malformed = Offer::Failed {
        service: Service::IMAPS,
        failure: LookupFailure::Malformed,
    };
    assert_eq!(found.imap, malformed);
}

#[tokio::test]
async fn checks_a_bounded_number_of_candidates() {
    let site = Site::new();
    let connector = connector(&site, Known::default());
    let clear = vec![candidate(Service::IMAP_CLEAR, "gone.example.org", 143); MAX_CHECKED + 2];
    let checked = check(&connector, &low(), &offers(Vec::new(), clear), TIME).await;
    let is_limited = |outcome: &Outcome| matches!(outcome, Outcome::NotChecked(NotChecked::Limit));
    let outcomes = checked.imap.iter().map(|it| is_limited(&it.outcome));
    let expected = [[false; MAX_CHECKED].as_slice(), &[true; 2]].concat();
    assert_eq!(outcomes.collect::<Vec<_>>(), expected);
    let many = vec![candidate(Service::IMAPS, "gone.example.org", 993); MAX_CHECKED + 2];
    let checked = check(&connector, &high(), &offers(many, Vec::new()), TIME).await;
    let limited = |outcome: &Outcome| matches!(outcome, Outcome::NotChecked(reason) if *reason == NotChecked::Limit);
    let limited: Vec<_> = checked.imap.iter().map(|it| limited(&it.outcome)).collect();
    assert_eq!(
        limited,
        [[false; MAX_CHECKED].as_slice(), &[true; 2]].concat()
    );
}
