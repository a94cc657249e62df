//! The latch machine beyond the enumeration in `latch_model.rs`: rules that break their contract, names of hosts,
//! and the texts for a log.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use deep_latch::{
    DeepStatus, Facilities, Host, LatchRecord, LatchSession, SecurityTag, TlsFacts,
    facility::{Achievement, Authentication, FacilityError, OnTlsaMismatch},
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion, SessionFacts},
    failure::{CertificateFault, HandshakeFault, Stage},
    host::{HostError, MAX_HOST_BYTES},
    latch::{Basis, Event, Outcome, Reason, Transition},
};

fn host() -> Host {
    Host::try_new("imap.example.com").unwrap()
}

fn tag(name: &'static str) -> SecurityTag<'static> {
    SecurityTag::parse(name).unwrap()
}

fn good() -> TlsFacts {
    TlsFacts {
        version: ProtocolVersion::TLS1_3,
        strength_bits: Some(128),
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: DaneVerdict::NotChecked,
    }
}

fn never_ready(_: &SessionFacts) -> Achievement {
    Achievement::AfterLogin
}

fn always(_: &SessionFacts) -> Achievement {
    Achievement::Achieved
}

#[test]
fn treats_a_rule_that_waits_after_login_as_not_achieved() {
    let mut facilities = Facilities::new();
    facilities.add(tag("x-late"), never_ready).unwrap();
    for login in [Login::Done, Login::ScramPlus] {
        let record = LatchRecord::preset(host(), [tag("x-late")]);
        let mut session = LatchSession::try_new(record, facilities.clone()).unwrap();
        let step = session.step(Event::Handshake(good()));
        assert_eq!(step.outcome, Outcome::Continue);
        let step = session.step(Event::LoggedIn(login));
        let refused = Transition::Refused(Stage::Login, vec![tag("x-late")]);
        assert_eq!(step.transitions, [refused]);
        // Nor is it latched.
        let record = LatchRecord::new(host());
        let mut session = LatchSession::try_new(record, facilities.clone()).unwrap();
        let _ = session.step(Event::Handshake(good()));
        let _ = session.step(Event::LoggedIn(login));
        let status = DeepStatus::parse("x-late").unwrap();
        let step = session.step(Event::Status(&status));
        let not = Transition::NotLatched(tag("x-late"), Reason::NotAchieved);
        assert_eq!(
            step.transitions,
            [not, Transition::Recorded(status.into_owned())]
        );
    }
}

#[test]
fn achieves_no_added_tag_without_tls() {
    let mut facilities = Facilities::new();
    facilities.add(tag("x-any"), always).unwrap();
    let achieves = |tls: Option<TlsFacts>| {
        let login = Some(Login::ScramPlus);
        facilities.achieves(&SessionFacts { tls, login }, &tag("x-any"))
    };
    assert_eq!(achieves(None), Achievement::NotAchieved);
    let ssl = TlsFacts {
        version: ProtocolVersion::SSL3,
        ..good()
    };
    assert_eq!(achieves(Some(ssl)), Achievement::NotAchieved);
    assert_eq!(achieves(Some(good())), Achievement::Achieved);
}

#[test]
fn refuses_contradicting_tlsa_records_unless_told_to_continue() {
    let contradicted = TlsFacts {
        dane: DaneVerdict::Differs,
        ..good()
    };
    let outcome = |facilities| {
        let session = LatchSession::try_new(LatchRecord::new(host()), facilities);
        session
            .unwrap()
            .step(Event::Handshake(contradicted))
            .outcome
    };
    for facilities in [
        Facilities::default(),
        Facilities::new().on_tlsa_mismatch(OnTlsaMismatch::Refuse),
    ] {
        let Outcome::RefuseCertificate(failure) = outcome(facilities) else {
            panic!("not refused");
        };
        assert_eq!(failure.fault(), CertificateFault::Dane);
    }
    let go_on = Facilities::new().on_tlsa_mismatch(OnTlsaMismatch::GoOn);
    assert_eq!(outcome(go_on), Outcome::Continue);
}

#[test]
fn refuses_a_second_meaning_of_a_tag() {
    let mut facilities = Facilities::new();
    let twice = ["tls10", "TLS12", "tls-cert", "Tls-Dane-Tlsa"];
    for name in twice {
        assert_eq!(facilities.add(tag(name), always), Err(FacilityError));
    }
    assert_eq!(facilities.add(tag("x"), never_ready), Ok(()));
    for name in ["x", "X"] {
        assert_eq!(facilities.add(tag(name), always), Err(FacilityError));
    }
    let tags: Vec<_> = facilities.tags().map(|tag| tag.to_string()).collect();
    assert_eq!(tags, ["tls10", "tls12", "tls-cert", "tls-dane-tlsa", "x"]);
}

#[test]
fn hosts_have_one_spelling() {
    let spelling = |name| Host::try_new(name).map(|host| host.as_str().to_owned());
    let good = [
        ("IMAP.Example.COM", "imap.example.com"),
        ("imap.example.com.", "imap.example.com"),
        ("localhost", "localhost"),
        ("a_b.example", "a_b.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("3com.example", "3com.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:0DB8::0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ];
    for (name, expected) in good {
        assert_eq!(spelling(name).as_deref(), Ok(expected));
    }
    let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    assert_eq!(longest.len(), MAX_HOST_BYTES);
    assert_eq!(spelling(&longest), Ok(longest.clone()));
    let label = "a".repeat(64);
    let too_long = format!("{longest}c");
    let bad = [
        "",
        ".",
        "a..b",
        ".a",
        "a..",
        "-a.example",
        "a-.example",
        "a b",
        "a/b",
        "a:1",
        "[::1]",
        "bücher.example",
        "a.example:993",
        "127.1",
        "1.2.3.4.",
        "1.2.3.256",
        "fe80::1%eth0",
        "a\0",
        &label,
        &too_long,
    ];
    for name in bad {
        assert_eq!(spelling(name), Err(HostError), "{name}");
    }
}

#[test]
fn ignores_records_of_other_hosts_in_a_merge() {
    let mut record = LatchRecord::preset(host(), [tag("tls10")]);
    let before = record.clone();
    let other = Host::try_new("smtp.example.com").unwrap();
    record.merge(&LatchRecord::preset(other, [tag("tls12")]));
    assert_eq!(record, before);
    record.merge(&LatchRecord::preset(host(), [tag("tls12"), tag("TLS10")]));
    assert_eq!(
        record,
        LatchRecord::preset(host(), [tag("tls10"), tag("tls12")])
    );
}

#[test]
fn describes_each_transition_for_a_log() {
    let tags = || vec![tag("tls10"), tag("tls-cert")];
    let status = || DeepStatus::parse("tls10 <https://a.example/>").unwrap();
    let by = |by| Transition::Latched(tag("tls12"), Basis::Authenticated(by));
    let told = [
        (
            Transition::Latched(tag("tls12"), Basis::Negotiated),
            "tls12 latched: negotiated",
        ),
        (
            by(Authentication::Pkix),
            "tls12 latched: server authenticated by PKIX",
        ),
        (
            by(Authentication::Dane),
            "tls12 latched: server authenticated by DANE",
        ),
        (
            by(Authentication::ScramPlus),
            "tls12 latched: server authenticated by SCRAM with channel binding",
        ),
        (
            Transition::NotLatched(tag("x"), Reason::Unknown),
            "x not latched: not known to this client",
        ),
        (
            Transition::NotLatched(tag("x"), Reason::NotAchieved),
            "x not latched: not achieved",
        ),
        (
            Transition::Recorded(status()),
            "status recorded: tls10 <https://a.example/>",
        ),
        (
            Transition::NotRecorded(Reason::InClear),
            "status not recorded: advertised in clear",
        ),
        (
            Transition::NotRecorded(Reason::ServerNotAuthenticated),
            "status not recorded: the server is not authenticated",
        ),
        (
            Transition::NotRecorded(Reason::Refused),
            "status not recorded: the connection is refused",
        ),
        (
            Transition::Withdrawn,
            "the server advertises no status any more; latches stay",
        ),
        (
            Transition::CertificateRefused(CertificateFault::Dane),
            "refused: the TLSA records contradict the certificate",
        ),
        (
            Transition::HandshakeFailed(HandshakeFault::Transport),
            "the handshake failed: the connection broke or timed out",
        ),
        (
            Transition::HandshakeFailed(HandshakeFault::Server),
            "the handshake failed: the server ended the handshake",
        ),
        (
            Transition::HandshakeFailed(HandshakeFault::Negotiation),
            "the handshake failed: TLS could not be negotiated",
        ),
        (
            Transition::HandshakeFailed(HandshakeFault::Local),
            "the handshake failed: the client's TLS engine failed",
        ),
        (
            Transition::NotNegotiated(tags()),
            "advertised in clear, and not negotiated: tls10 tls-cert",
        ),
    ];
    for (transition, expected) in told {
        assert_eq!(transition.to_string(), expected);
    }
    for (stage, expected) in [
        (Stage::Connecting, "before connecting"),
        (Stage::NoTls, "no TLS"),
        (Stage::HandshakeFailed, "the handshake failed"),
        (Stage::Handshake, "after the handshake"),
        (Stage::Login, "after login"),
    ] {
        let transition = Transition::Refused(stage, tags());
        let expected = format!("refused ({expected}): tls10 tls-cert");
        assert_eq!(transition.to_string(), expected);
    }
}

#[test]
fn describes_failures_without_text_of_the_server() {
    let record = LatchRecord::preset(host(), [tag("tls10"), tag("tls-cert")]);
    let mut session = LatchSession::try_new(record, Facilities::new()).unwrap();
    let mut other = session.clone();
    let Outcome::Refuse(failure) = session.step(Event::NoTls).outcome else {
        panic!("not refused");
    };
    let fault = HandshakeFault::Certificate(CertificateFault::Dane);
    let step = other.step(Event::HandshakeFailed(fault));
    let Outcome::RefuseCertificate(refused) = step.outcome else {
        panic!("{step:?}");
    };
    assert_eq!(
        (refused.host(), refused.fault()),
        (&host(), CertificateFault::Dane)
    );
    assert_eq!(
        refused.to_string(),
        "imap.example.com: the TLSA records contradict the certificate"
    );
    assert_eq!(*failure.host(), host());
    assert_eq!(
        failure.to_string(),
        "imap.example.com: the connection does not satisfy latched tags: tls-cert tls10"
    );
}
