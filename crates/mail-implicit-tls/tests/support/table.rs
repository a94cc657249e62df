//! Answers of a zone on loopback, for tests that connect.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by tests, each of which uses a part"
)]

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Mutex, time::Duration};

use mail_implicit_tls::dns::{
    Answer, AnswerFuture, Denial, DnsName, Dnssec, Question, Record, Records, Resolve, Tlsa,
};

/// The time to live of each record.
const DAY: Duration = Duration::from_secs(86_400);

/// Answers from a table, and what was asked. What is not in the table does not exist.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) answers: Mutex<BTreeMap<String, Answer>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Resolve for Table {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        let key = question.to_string();
        let answer = self.answers.lock().unwrap().get(&key).cloned();
        self.asked.lock().unwrap().push(key);
        let none = Answer::Denied {
            denial: Denial::NoData,
            dnssec: Dnssec::Secure,
        };
        Box::pin(async move { answer.unwrap_or(none) })
    }
}

impl Table {
    pub(crate) fn set(&self, question: String, answer: Answer) {
        self.answers.lock().unwrap().insert(question, answer);
    }

    pub(crate) fn records(&self, question: String, owner: &str, dnssec: Dnssec, record: Record) {
        let records = Records {
            records: vec![record],
            owner: DnsName::parse(owner).unwrap(),
            dnssec,
            ttl: DAY,
        };
        self.set(question, Answer::Records(records));
    }

    pub(crate) fn address(&self, host: &str, owner: &str, dnssec: Dnssec) {
        let record = Record::Address(Ipv4Addr::LOCALHOST.into());
        self.records(format!("{host}. A"), owner, dnssec, record);
    }

    pub(crate) fn tlsa(&self, port: u16, host: &str, digest: [u8; 32]) {
        let owner = format!("_{port}._tcp.{host}.");
        let record = Record::Tlsa(Tlsa {
            usage: 3,
            selector: 0,
            matching_type: 1,
            association: digest.to_vec(),
        });
        self.records(format!("{owner} TLSA"), &owner, Dnssec::Secure, record);
    }

    /// Returns what was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}
