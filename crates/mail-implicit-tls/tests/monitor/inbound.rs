//! Servers for inbound mail: MX records, and deliveries by other servers.

use mail_implicit_tls::{
    dialogue::DialogueError,
    dns::{
        Answer, Denial, DnsName, Dnssec, LookupFailure, Mx, Record, Records, Tlsa,
        host::{HostFailure, TlsaRecords},
    },
    failure::{Cause, TlsFailure},
    monitor::{
        Check, Observation, PolicyFile, ServerSource, State, TlsaObservation, TransportSecurity,
    },
    privacy::ProtocolVersion,
    service::Service,
    verdict::{
        ChainProblem, ChainVerdict, DaneNotUsed, DaneVerdict, RecordFinding, RecordProblem, Verdict,
    },
};

use crate::facts::{HOUR, at, first, fresh, name, observation, of_check, only, report, verdict};

#[test]
fn judges_mx_records() {
    let host = mx(10, "mx.example.org.");
    let other = mx(20, "mx2.example.org.");
    for (answer, state, expected) in [
        (
            answer(&[host.clone(), other], Dnssec::Secure),
            State::Good,
            "The domain names 2 servers for inbound mail",
        ),
        (
            answer(std::slice::from_ref(&host), Dnssec::Insecure),
            State::Advice,
            "The domain names one server for inbound mail without DNSSEC, so that no TLSA record protects the way to \
             them: sign the zone with DNSSEC",
        ),
        (
            answer(&[mx(0, ".")], Dnssec::Secure),
            State::Good,
            "The domain states that it receives no mail",
        ),
        (
            answer(&[mx(0, "."), host], Dnssec::Secure),
            State::Bad,
            "An MX record states that the domain receives no mail, and others name servers: remove the record with the \
             host \".\", or the others",
        ),
        (
            Answer::Denied {
                denial: Denial::NoData,
                dnssec: Dnssec::Secure,
            },
            State::Advice,
            "The domain has no MX record, so that other servers deliver to its own address: publish an MX record, or MX \
             0 . if the domain receives no mail",
        ),
        (
            Answer::Failed(LookupFailure::Timeout),
            State::NotKnown,
            "The servers for inbound mail are not known, the resolver did not answer in time: check the resolver of this \
             machine, and run the monitor again",
        ),
        (
            Answer::Failed(LookupFailure::Bogus),
            State::Bad,
            "The servers for inbound mail are not known, DNSSEC validation failed: repair the zone, whose records other \
             servers refuse",
        ),
    ] {
        assert_eq!(of_records(answer), (state, expected.to_owned()));
    }
}

#[test]
fn reports_mx_records_that_name_no_host() {
    let mut observation = inbound();
    let records = [mx(10, "imap.example.org."), mx(5, "_smtp.example.org.")];
    observation.mx = Some(answer(&records, Dnssec::Secure));
    let found = of_check(&report(&observation), Check::Mx);
    let states: Vec<_> = found.iter().map(|(state, ..)| *state).collect();
    assert_eq!(states, [State::Bad, State::Good]);
    assert_eq!(
        found.first().unwrap().2,
        "Other servers ignore the MX record 5 _smtp.example.org., which names no host: correct the record, or remove it"
    );
}

#[test]
fn reports_a_domain_without_mx_record_and_address() {
    let mut observation = inbound();
    observation.servers.clear();
    observation.mx = Some(Answer::Denied {
        denial: Denial::NoData,
        dnssec: Dnssec::Secure,
    });
    assert_eq!(
        only(&report(&observation), Check::Mx).2,
        "The domain has neither MX record nor address, so that other servers try in vain for days: publish MX 0 . if \
         the domain receives no mail"
    );
}

#[test]
fn accepts_a_server_to_which_others_deliver() {
    for observation in [inbound(), with_tlsa(&[3])] {
        let expected = "Other servers can deliver over TLSv1.3".to_owned();
        assert_eq!(delivery(observation, Ok(())), (State::Good, expected));
    }
    assert_eq!(ProtocolVersion(0x0304).to_string(), "TLSv1.3");
}

/// RFC 7672 section 2.2: with TLSA records no mail is delivered without TLS, and without them it is.
#[test]
fn distinguishes_servers_without_starttls_by_their_tlsa_records() {
    for error in [DialogueError::NoStartTls, DialogueError::StartTlsRefused] {
        let action = "install a certificate for the service, so that it offers STARTTLS";
        let cause = Cause::Dialogue(error);
        assert_eq!(
            delivery(inbound(), Err(cause.clone())),
            (
                State::Warning,
                format!("Mail arrives in clear text, since {error}: {action}")
            )
        );
        assert_eq!(
            delivery(with_tlsa(&[3]), Err(cause)),
            (
                State::Bad,
                format!("Other servers with DANE do not deliver, since {error}: {action}")
            )
        );
    }
    let failed = || Err(Cause::Tls(TlsFailure::Version));
    assert_eq!(delivery(inbound(), failed()).0, State::Warning);
    assert_eq!(delivery(with_tlsa(&[3]), failed()).0, State::Bad);
    let closed = || Err(Cause::Tls(TlsFailure::Closed));
    assert_eq!(delivery(with_tlsa(&[3]), closed()).0, State::NotKnown);
    let refused = || Err(Cause::Dialogue(DialogueError::Refused));
    assert_eq!(
        delivery(with_tlsa(&[3]), refused()),
        (
            State::NotKnown,
            "The delivery of mail could not be tried, the server refuses the connection: run the monitor again, from \
             another network too, and let the server accept this machine"
                .to_owned()
        )
    );
    let bogus = Cause::Lookup(HostFailure::Tlsa(LookupFailure::Bogus));
    assert_eq!(delivery(inbound(), Err(bogus)).0, State::Bad);
}

#[test]
fn reports_a_certificate_that_tlsa_records_contradict() {
    let problem = RecordFinding {
        usage: 3,
        selector: 1,
        matching_type: 1,
        problem: RecordProblem::NoMatch,
    };
    let refused = Verdict {
        dane: DaneVerdict::Differs(vec![problem]),
        ..verdict()
    };
    let mut observation = with_tlsa(&[3]);
    first(&mut observation).client = Err(Cause::NotVerified(Box::new(refused)));
    let report = report(&observation);
    assert_eq!(
        only(&report, Check::Connection),
        (
            State::Bad,
            "mx imap.example.org:25 at 192.0.2.1".to_owned(),
            "Other servers with DANE do not deliver, since no TLSA record matches the certificate: see the finding about \
             the TLSA records"
                .to_owned()
        )
    );
    assert_eq!(
        only(&report, Check::Tlsa).2,
        "Other servers with DANE refuse the server, no record matches: record 3 1 1: no certificate of the server \
         matches: serve the certificate that the records name, or publish records of the served one at once"
    );
}

/// RFC 8461 section 5: a policy that is enforced demands what DANE does not.
#[test]
fn reports_a_certificate_that_a_policy_of_mta_sts_refuses() {
    let chain = ChainVerdict::Refused(vec![ChainProblem::SelfSigned]);
    let refused = Verdict {
        chain,
        dane: DaneVerdict::NotUsed(DaneNotUsed::NoRecords),
        ..verdict()
    };
    let judged = |mode: &str, host: &str| {
        let policy = format!("version: STSv1\nmode: {mode}\nmx: {host}\nmax_age: 604800\n");
        let mut observation = inbound();
        observation.transport = Some(TransportSecurity {
            mx: Ok(Vec::new()),
            mta_sts: Ok(vec!["v=STSv1; id=1".to_owned()]),
            policy: Some(PolicyFile::Text(policy)),
            tls_rpt: Ok(Vec::new()),
        });
        first(&mut observation).client = Err(Cause::NotVerified(Box::new(refused.clone())));
        let report = report(&observation);
        [Check::Connection, Check::Chain].map(|check| only(&report, check).0)
    };
    assert_eq!(judged("enforce", "imap.example.org"), [State::Bad; 2]);
    assert_eq!(judged("enforce", "*.example.org"), [State::Bad; 2]);
    assert_eq!(judged("testing", "imap.example.org"), [State::Advice; 2]);
    assert_eq!(judged("enforce", "mx.example.org"), [State::Advice; 2]);
}

/// Without a version in common mail arrives in clear text.
#[test]
fn advises_against_old_versions_of_tls() {
    let mut observation = inbound();
    let old = first(&mut observation).old_versions.as_mut().unwrap();
    old.up_to_1_1 = Some(0x0301);
    assert_eq!(
        only(&report(&observation), Check::Versions).0,
        State::Advice
    );
}

#[test]
fn advises_against_records_of_usages_that_do_not_count_for_inbound_mail() {
    let found = |usages: &[u8]| of_check(&report(&with_tlsa(usages)), Check::Tlsa);
    for usages in [&[3, 1][..], &[0, 3]] {
        assert!(
            found(usages).contains(&(
                State::Advice,
                "mx imap.example.org:25".to_owned(),
                "TLSA records of usage 0 or 1 have no effect for inbound mail: remove them"
                    .to_owned()
            )),
            "{usages:?}"
        );
    }
    assert_eq!(found(&[3, 2]).len(), 1);
}

fn mx(preference: u16, exchange: &str) -> Record {
    let exchange = DnsName::parse(exchange).unwrap();
    Record::Mx(Mx {
        preference,
        exchange,
    })
}

fn answer(records: &[Record], dnssec: Dnssec) -> Answer {
    Answer::Records(Records {
        records: records.to_vec(),
        owner: DnsName::parse("example.org.").unwrap(),
        dnssec,
        ttl: at(HOUR),
    })
}

/// Returns an observation of a domain with one server for inbound mail, without TLSA records.
fn inbound() -> Observation {
    let mut observation = observation(&fresh());
    observation.mx = Some(answer(&[mx(10, "imap.example.org.")], Dnssec::Secure));
    let server = observation.servers.first_mut().unwrap();
    server.service = Service::SUBMISSION_STARTTLS;
    server.port = 25;
    server.source = ServerSource::Mx(Dnssec::Secure);
    server.tlsa.as_mut().unwrap().as_mut().unwrap().records = TlsaRecords::None;
    let tls = first(&mut observation).tls.as_mut().unwrap();
    tls.verdict.dane = DaneVerdict::NotUsed(DaneNotUsed::NoRecords);
    observation
}

fn with_tlsa(usages: &[u8]) -> Observation {
    let mut observation = inbound();
    let record = |usage: &u8| Tlsa {
        usage: *usage,
        selector: 1,
        matching_type: 1,
        association: vec![0; 32],
    };
    observation.servers.first_mut().unwrap().tlsa = Some(Ok(TlsaObservation {
        owner: "_25._tcp.imap.example.org.".to_owned(),
        records: TlsaRecords::Records {
            base: name("imap.example.org"),
            records: usages.iter().map(record).collect(),
        },
        ttl: at(HOUR),
    }));
    first(&mut observation).tls.as_mut().unwrap().verdict = verdict();
    observation
}

fn of_records(answer: Answer) -> (State, String) {
    let mut observation = inbound();
    observation.mx = Some(answer);
    let (state, subject, sentence) = only(&report(&observation), Check::Mx);
    assert_eq!(subject, "example.org. MX");
    (state, sentence)
}

fn delivery(mut observation: Observation, client: Result<(), Cause>) -> (State, String) {
    first(&mut observation).client = client;
    let (state, _, sentence) = only(&report(&observation), Check::Connection);
    (state, sentence)
}
