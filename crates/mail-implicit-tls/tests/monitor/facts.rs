//! Observations of a domain in which all is well, to be changed by tests.

use std::{net::IpAddr, time::Duration};

use mail_implicit_tls::{
    dns::{
        Answer, Denial, DnsName, Dnssec, Question, Record, RecordKind, Records, Srv, Tlsa,
        host::TlsaRecords,
        signatures::{Signature, SignedAnswer},
    },
    identity::{PresentedIdentity, ReferenceIdentity},
    monitor::{
        AddressObservation, Certificate, Check, Context, DeepStatus, Finding, Observation,
        OldVersions, Report, ServerObservation, ServerSource, ServiceObservation, State,
        TlsObservation, TlsaObservation, judge,
    },
    name::DomainName,
    service::Service,
    setup::{Offer, Offers},
    verdict::{CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, PinVerdict, Verdict},
};
use rustls::pki_types::CertificateDer;
use test_support::pki::{Authority, Certificate as Issued, Identity, rcgen::date_time_ymd};

pub(crate) const HOUR: u64 = 3_600;

pub(crate) const DAY: u64 = 24 * HOUR;

/// 2026-12-01T00:00Z
pub(crate) const NOW: u64 = 1_796_083_200;

pub(crate) const HOST: &str = "imap.example.org";

pub(crate) const OWNER: &str = "_993._tcp.imap.example.org.";

pub(crate) const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// Issues a certificate that is valid between these times.
pub(crate) fn issued(names: &[&str], from: u64, until: u64) -> Identity {
    let certificate = Issued::server(names).change(|params| {
        params.not_before = date_time_ymd(1970, 1, 1) + at(from);
        params.not_after = date_time_ymd(1970, 1, 1) + at(until);
    });
    certificate.issue(&Authority::new("Root"))
}

pub(crate) fn of(identity: &Identity) -> Certificate {
    Certificate::of_chain(identity.chain()).unwrap()
}

/// Returns the certificate of [`HOST`] that is valid between these times.
pub(crate) fn certificate(from: u64, until: u64) -> Certificate {
    of(&issued(&[HOST], from, until))
}

/// Returns the TLSA record 3 1 1 of a certificate.
pub(crate) fn record(certificate: &Certificate) -> Tlsa {
    Tlsa {
        usage: 3,
        selector: 1,
        matching_type: 1,
        association: certificate.key_digest().to_vec(),
    }
}

pub(crate) fn verdict() -> Verdict {
    Verdict {
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches {
            reference: ReferenceIdentity::Dns(name(HOST)),
            presented: PresentedIdentity::Dns(HOST.as_bytes().into()),
        },
        dane: DaneVerdict::Matches {
            usage: CertificateUsage::DaneEe,
            covers_identity: false,
        },
        pin: PinVerdict::NotPinned,
    }
}

pub(crate) fn address(address: &str, certificate: &Certificate) -> AddressObservation {
    AddressObservation {
        address: address.parse().unwrap(),
        client: Ok(()),
        tls: Some(TlsObservation {
            verdict: verdict(),
            version: 0x0304,
            cipher_suite: Some(0x1301),
        }),
        certificate: Some(certificate.clone()),
        old_versions: Ok(OldVersions {
            up_to_1_1: None,
            tls_1_2: Some(true),
        }),
        clear: None,
        deep: Ok(DeepStatus {
            tags: Some(vec!["tls10".to_owned(), "tls-cert".to_owned()]),
            not_achieved: Vec::new(),
            has_url: Some(true),
        }),
    }
}

pub(crate) fn server(certificate: &Certificate) -> ServerObservation {
    ServerObservation {
        service: Service::IMAPS,
        host: name(HOST),
        port: 993,
        source: ServerSource::Srv(Dnssec::Secure),
        addresses: Ok(vec![address("192.0.2.1", certificate)]),
        alias: None,
        failed_family: None,
        tlsa: Some(Ok(TlsaObservation {
            owner: OWNER.to_owned(),
            records: TlsaRecords::Records {
                base: name(HOST),
                records: vec![record(certificate)],
            },
            ttl: at(HOUR),
        })),
    }
}

pub(crate) fn question(name: &str, kind: RecordKind) -> Question {
    let name = DnsName::parse(name).unwrap();
    Question { name, kind }
}

pub(crate) fn srv(service: Service, target: &str, port: u16, dnssec: Dnssec) -> ServiceObservation {
    let record = Record::Srv(Srv {
        priority: 0,
        weight: 1,
        port,
        target: DnsName::parse(target).unwrap(),
    });
    ServiceObservation {
        service,
        answer: Answer::Records(Records {
            records: vec![record],
            owner: DnsName::of_service(service, &name("example.org")),
            dnssec,
            ttl: at(HOUR),
        }),
    }
}

pub(crate) fn signature(covered: &str, inception: u64, expiration: u64) -> Signature {
    Signature {
        owner: "_imaps._tcp.example.org.".to_owned(),
        covered: covered.to_owned(),
        inception: at(inception),
        expiration: at(expiration),
        original_ttl: at(HOUR),
    }
}

pub(crate) fn signed() -> SignedAnswer {
    SignedAnswer {
        question: question("_imaps._tcp.example.org.", RecordKind::Srv),
        state: Ok(Dnssec::Secure),
        has_records: true,
        signatures: vec![signature("SRV", NOW - 5 * DAY, NOW + 9 * DAY)],
        zones: Vec::new(),
    }
}

/// Returns an observation of a domain with one server, in which all is well.
pub(crate) fn observation(certificate: &Certificate) -> Observation {
    let none = || Offer::NotAdvertised(Dnssec::Secure);
    Observation {
        domain: name("example.org"),
        at: at(NOW),
        own: Answer::Denied {
            denial: Denial::NoData,
            dnssec: Dnssec::Secure,
        },
        services: vec![
            srv(Service::IMAPS, HOST, 993, Dnssec::Secure),
            srv(Service::POP3S, ".", 0, Dnssec::Secure),
            srv(Service::SUBMISSIONS, ".", 0, Dnssec::Secure),
        ],
        offers: Offers {
            imap: none(),
            pop: none(),
            submission: none(),
        },
        servers: vec![server(certificate)],
        listening: Vec::new(),
        signed: vec![signed()],
        mx: None,
        transport: None,
        resolver: None,
    }
}

/// Returns a certificate of 90 days, of which 60 are left.
pub(crate) fn fresh() -> Certificate {
    certificate(NOW - 30 * DAY, NOW + 60 * DAY)
}

/// Returns the observation's server at its first address.
pub(crate) fn first(observation: &mut Observation) -> &mut AddressObservation {
    observation
        .servers
        .first_mut()
        .unwrap()
        .addresses
        .as_mut()
        .unwrap()
        .first_mut()
        .unwrap()
}

pub(crate) fn report(observation: &Observation) -> Report {
    judge(observation, &Context::default())
}

/// Returns the findings of a check: state, subject and sentence.
pub(crate) fn of_check(report: &Report, check: Check) -> Vec<(State, String, String)> {
    let findings = report.findings.iter().filter(|it| it.check == check);
    findings
        .map(|it: &Finding| (it.state, it.subject.to_string(), it.sentence()))
        .collect()
}

/// Returns the only finding of a check.
pub(crate) fn only(report: &Report, check: Check) -> (State, String, String) {
    let mut found = of_check(report, check);
    assert_eq!(found.len(), 1, "{check}: {found:?}");
    found.remove(0)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Returns a certificate that cannot be parsed.
pub(crate) fn broken() -> CertificateDer<'static> {
    CertificateDer::from(vec![0x30, 0])
}
