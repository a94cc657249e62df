//! A zone in memory, and observations of its domain.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mail_implicit_tls::{
    dns::{
        Answer, AnswerFuture, Denial, DnsName, Dnssec, Question, Record, Records, Resolve, Srv,
        signatures::{Examine, SignedAnswer, SignedFuture},
    },
    monitor::{Observation, Options, Prober, Step},
    name::DomainName,
    service::Service,
};
use tokio::net::TcpListener;

use crate::{
    facts::{at, name},
    site::{HOST, Site},
};

/// A zone whose answers are secure, or fail.
#[derive(Default)]
pub(crate) struct Zone(pub(crate) BTreeMap<String, Answer>);

impl Zone {
    pub(crate) fn with(mut self, owner: &str, kind: &str, record: Record) -> Self {
        let answer = Answer::Records(Records {
            records: vec![record],
            owner: DnsName::parse(owner).unwrap(),
            dnssec: Dnssec::Secure,
            ttl: at(60),
        });
        self.0.insert(format!("{owner}. {kind}"), answer);
        self
    }

    pub(crate) fn with_server(self, service: Service, port: u16) -> Self {
        let owner = DnsName::of_service(service, &name("example.org"));
        let record = Record::Srv(Srv {
            priority: 0,
            weight: 1,
            port,
            target: DnsName::parse(HOST).unwrap(),
        });
        self.with(owner.as_str(), "SRV", record).with(
            HOST,
            "A",
            Record::Address(Ipv4Addr::LOCALHOST.into()),
        )
    }

    fn answer(&self, question: &Question) -> Answer {
        let denied = Answer::Denied {
            denial: Denial::NoData,
            dnssec: Dnssec::Secure,
        };
        let found = self.0.get(&question.to_string()).cloned();
        found.unwrap_or(denied)
    }
}

impl Resolve for Zone {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        let answer = self.answer(question);
        Box::pin(async move { answer })
    }
}

impl Examine for Zone {
    fn examine<'a>(&'a self, question: &'a Question) -> SignedFuture<'a> {
        let answer = self.answer(question);
        let has_records = matches!(answer, Answer::Records(_));
        let state = match answer {
            Answer::Failed(failure) => Err(failure),
            _ => Ok(Dnssec::Secure),
        };
        let signed = SignedAnswer {
            question: question.clone(),
            state,
            has_records,
            signatures: Vec::new(),
            zones: Vec::new(),
        };
        Box::pin(async move { signed })
    }
}

pub(crate) async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

pub(crate) async fn observe(
    site: &Site,
    zone: Zone,
    options: &Options,
) -> (Observation, Vec<Step>) {
    let steps = Mutex::new(Vec::new());
    let prober = Prober::new(site.provider(), site.trust(), Arc::new(zone));
    let domain = DomainName::parse("example.org").unwrap();
    let observed = prober
        .observe(&domain, options, now(), 1, &|step| {
            steps.lock().unwrap().push(step);
        })
        .await;
    (observed, steps.into_inner().unwrap())
}

pub(crate) fn options() -> Options {
    Options {
        deadline: Duration::from_secs(10),
        ..Options::default()
    }
}
