//! Questions to the DNS and their answers, with the DNSSEC state of each.
//!
//! This module does no I/O. A resolver is whatever implements [`Resolve`]; lookups that need several questions, such
//! as [`host::HostLookup`], are state machines that [`run`] drives.

use std::{fmt, future::Future, net::IpAddr, pin::Pin, time::Duration};

use futures_util::future::join_all;

use crate::{
    name::{DomainName, MAX_LABEL_BYTES, MAX_NAME_BYTES},
    service::Service,
};

#[cfg(any(feature = "dns", feature = "hickory"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "dns", feature = "hickory"))))]
pub mod anchors;
#[cfg(feature = "hickory")]
#[cfg_attr(docsrs, doc(cfg(feature = "hickory")))]
pub mod hickory;
pub mod host;
#[cfg(feature = "dns")]
#[cfg_attr(docsrs, doc(cfg(feature = "dns")))]
pub mod resolver;
#[cfg(any(feature = "client", feature = "dns"))]
pub(crate) mod shortages;
#[cfg(feature = "monitor")]
#[cfg_attr(docsrs, doc(cfg(feature = "monitor")))]
pub mod signatures;

/// The greatest number of records that an answer may have. RFC 6698 and 2782 set no limit; no mail host needs more.
pub const MAX_RECORDS: usize = 128;

/// The greatest number of octets of a TLSA record's certificate association data. It is the limit of a DNS record.
pub const MAX_ASSOCIATION_BYTES: usize = 65_532;

/// The greatest number of aliases that are followed from one name.
pub const MAX_ALIASES: usize = 8;

/// The time that one answer may take by default, with the questions that validate it and the aliases before it.
#[cfg(any(feature = "dns", feature = "hickory"))]
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A name in the DNS, in lower case and without the final dot. Unlike a host's name it may have underscores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(String);

impl DnsName {
    /// The root.
    pub const ROOT: Self = Self(String::new());

    /// Parses a name of printable ASCII, with or without the final dot.
    ///
    /// Returns `None` if a label is empty or longer than 63 octets, the name is longer than 253, or a character is
    /// not a letter, a digit, `-` or `_`, or `*` as a whole label.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return (text == ".").then_some(Self::ROOT);
        }
        let valid = |label: &str| {
            let signs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            label == "*" || !label.is_empty() && label.bytes().all(signs)
        };
        let fits = |label: &str| label.len() <= MAX_LABEL_BYTES;
        let accepted = name.len() <= MAX_NAME_BYTES
            && name.split('.').all(|label| fits(label) && valid(label));
        accepted.then(|| Self(name.to_ascii_lowercase()))
    }

    /// Returns the owner of the SRV records of a service of a mail domain: `_imaps._tcp.example.org`.
    #[must_use]
    pub fn of_service(service: Service, domain: &DomainName) -> Self {
        Self(format!("{}.{domain}", service.srv_label()))
    }

    /// Returns the owner of the TLSA records of a port of a host: `_993._tcp.imap.example.org`.
    #[must_use]
    pub fn of_port(port: u16, host: &DomainName) -> Self {
        Self(format!("_{port}._tcp.{host}"))
    }

    /// Returns the name of a host, or `None` if the name is not valid as one.
    #[must_use]
    pub fn to_host(&self) -> Option<DomainName> {
        DomainName::parse(&self.0).ok()
    }

    /// Returns the name that a record gives to a host, whatever its octets: text with escapes, as in a zone file. One that
    /// no host or service has is equal to no name that [`parse`](Self::parse) returns, and [`to_host`](Self::to_host) is `None`.
    #[cfg(any(feature = "dns", feature = "hickory"))]
    pub(crate) fn of_any(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|| {
            let name = text.strip_suffix('.').unwrap_or(text);
            // A zone file's escapes are printable, and no other octet reaches a terminal.
            let shown = |it: char| if it.is_ascii_graphic() { it } else { '?' };
            Self(name.to_ascii_lowercase().chars().map(shown).collect())
        })
    }

    /// Returns the name without its first label, or `None` for the root.
    #[cfg(feature = "dns")]
    pub(crate) fn parent(&self) -> Option<Self> {
        let parent = self.0.split_once('.').map_or("", |(_, parent)| parent);
        (!self.is_root()).then(|| Self(parent.to_owned()))
    }

    /// Returns `true` for a name in a zone: the zone's own, or one below it.
    #[cfg(feature = "dns")]
    pub(crate) fn is_below(&self, zone: &Self) -> bool {
        let rest = self.0.strip_suffix(&zone.0);
        zone.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Returns `true` for the root, which an SRV record has as target for a service that does not exist.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the name without the final dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&DomainName> for DnsName {
    fn from(host: &DomainName) -> Self {
        Self(host.as_str().to_owned())
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.0)
    }
}

/// The type of the records that a question asks for. A resolver that has no records of a type fails.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
    /// The alias itself, which is not followed.
    Cname,
    /// Locations of services, RFC 2782.
    Srv,
    /// Associations of certificates, RFC 6698.
    Tlsa,
    /// Servers for inbound mail, RFC 5321.
    Mx,
    /// Texts.
    Txt,
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Srv => "SRV",
            Self::Tlsa => "TLSA",
            Self::Mx => "MX",
            Self::Txt => "TXT",
        })
    }
}

/// A question to the DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The name.
    pub name: DnsName,
    /// The type of the records.
    pub kind: RecordKind,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind)
    }
}

/// The data of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// CNAME.
    Alias(DnsName),
    /// SRV.
    Srv(Srv),
    /// TLSA.
    Tlsa(Tlsa),
    /// MX.
    Mx(Mx),
    /// TXT: its strings, joined.
    Txt(Vec<u8>),
}

/// An MX record, RFC 5321 section 5.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mx {
    /// The preference; the lowest is tried first.
    pub preference: u16,
    /// The host, or the root of a domain that receives no mail (RFC 7505).
    pub exchange: DnsName,
}

/// An SRV record, RFC 2782.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Srv {
    /// The priority; the lowest is tried first.
    pub priority: u16,
    /// The weight among records of one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host, or the root where the service does not exist.
    pub target: DnsName,
}

/// A TLSA record, RFC 6698 section 2.1. The numbers stay as they were received, since unknown ones make a record
/// unusable and not the answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tlsa {
    /// The certificate usage.
    pub usage: u8,
    /// The selector.
    pub selector: u8,
    /// The matching type.
    pub matching_type: u8,
    /// The certificate association data.
    pub association: Vec<u8>,
}

/// The DNSSEC state of an answer (RFC 4033 section 5).
///
/// A bogus answer is not an answer: it is [`LookupFailure::Bogus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Dnssec {
    /// Every part of the answer is signed from the trust anchor on, also each alias on the way.
    Secure,
    /// A part of the answer is not signed, and DNSSEC proves that it needs not be.
    Insecure,
}

impl fmt::Display for Dnssec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secure => "secured by DNSSEC",
            Self::Insecure => "not secured by DNSSEC",
        })
    }
}

/// The kind of a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Denial {
    /// The name exists and has no records of this type.
    NoData,
    /// The name does not exist.
    NoName,
}

/// The records of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// The records, at least one.
    pub records: Vec<Record>,
    /// The name that has the records: the question's name, or the end of its aliases.
    pub owner: DnsName,
    /// The state of the whole answer, with its aliases.
    pub dnssec: Dnssec,
    /// The least time that a record of the answer may be kept.
    pub ttl: Duration,
}

/// An answer of the DNS. A failure can never be read as a denial.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// There are records.
    Records(Records),
    /// There are none.
    Denied {
        /// The kind of the denial.
        denial: Denial,
        /// The state of the denial.
        dnssec: Dnssec,
    },
    /// The lookup failed: there may be records.
    Failed(LookupFailure),
}

/// The cause of a lookup without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LookupFailure {
    /// DNSSEC proves that the answer is not authentic, or the proof is incomplete.
    Bogus,
    /// The resolver leaves the records of DNSSEC out of its answers, so that no answer can be validated. It says nothing
    /// about the name.
    NoDnssec,
    /// The resolver answered SERVFAIL, as a validating resolver does for a bogus answer.
    ServerFailure,
    /// The resolver answered REFUSED.
    Refused,
    /// The resolver answered FORMERR, NOTIMP or with a code without a meaning here.
    Code,
    /// No answer came in time.
    Timeout,
    /// The resolver cannot be reached.
    Unreachable,
    /// This machine had no free descriptor or no memory for a question, which says nothing about the name.
    NoResources,
    /// The answer cannot be parsed, or does not answer the question.
    Malformed,
    /// The aliases form a circle, or are more than [`MAX_ALIASES`].
    Aliases,
    /// The answer has more than [`MAX_RECORDS`] records, or one that is too long.
    TooLarge,
}

impl fmt::Display for LookupFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bogus => "DNSSEC validation failed",
            Self::NoDnssec => "the resolver gives no DNSSEC",
            Self::ServerFailure => "the resolver reports a server failure",
            Self::Refused => "the resolver refuses the question",
            Self::Code => "the resolver reports an error",
            Self::Timeout => "the resolver did not answer in time",
            Self::Unreachable => "the resolver cannot be reached",
            Self::NoResources => "this machine has no free descriptor or no memory for a question",
            Self::Malformed => "the resolver's answer is malformed",
            Self::Aliases => "too many aliases or a circle of aliases",
            Self::TooLarge => "the answer is larger than the limits",
        })
    }
}

impl std::error::Error for LookupFailure {}

/// A future of an answer.
pub type AnswerFuture<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A source of answers of the DNS.
pub trait Resolve: Send + Sync {
    /// Answers a question.
    ///
    /// `question.name` is absolute. Aliases are followed, except for [`RecordKind::Cname`], and each alias counts for
    /// [`Records::dnssec`]. An implementation must return
    ///
    /// - [`Dnssec::Secure`] only if it validated the answer itself or has it from a validator over a channel that
    ///   no other party can write to, such as the loopback interface;
    /// - [`Answer::Denied`] only for NODATA and NXDOMAIN. Whatever else is without records, such as a timeout,
    ///   SERVFAIL or a bogus answer, is [`Answer::Failed`]: callers use DANE or not by this difference (RFC 7672
    ///   section 2.1.1).
    ///
    /// Implementations should answer within seconds. Callers set a deadline of their own.
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a>;
}

impl<R: Resolve + ?Sized> Resolve for std::sync::Arc<R> {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        R::lookup(self, question)
    }
}

/// A lookup of several questions, without I/O.
pub trait Lookup {
    /// The result.
    type Output;

    /// Returns the questions to ask now, which may be asked in parallel, or the result. The same questions are
    /// returned until [`answer`](Self::answer) has taken the answer of each.
    fn next(&self) -> Next<Self::Output>;

    /// Takes the answer of a question that [`next`](Self::next) returned. Other answers are ignored.
    fn answer(&mut self, question: &Question, answer: Answer);
}

/// The next step of a [`Lookup`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next<T> {
    /// Ask these questions.
    Ask(Vec<Question>),
    /// The lookup is complete.
    Done(T),
}

/// Runs a lookup with a resolver: asks the questions of each step in parallel.
pub async fn run<L: Lookup>(resolver: &dyn Resolve, mut lookup: L) -> L::Output {
    loop {
        let questions = match lookup.next() {
            Next::Done(output) => return output,
            Next::Ask(questions) => questions,
        };
        let answers = join_all(questions.iter().map(|question| resolver.lookup(question))).await;
        for (question, answer) in questions.iter().zip(answers) {
            lookup.answer(question, answer.checked(question));
        }
    }
}

impl Answer {
    /// Returns the answer, or a failure if it has records of another type than asked for, none, or more than the
    /// limits: a resolver may come from elsewhere.
    pub(crate) fn checked(self, question: &Question) -> Self {
        let Self::Records(records) = &self else {
            return self;
        };
        let fits = |record: &Record| {
            matches!(
                (record, question.kind),
                (Record::Address(IpAddr::V4(_)), RecordKind::A)
                    | (Record::Address(IpAddr::V6(_)), RecordKind::Aaaa)
                    | (Record::Alias(_), RecordKind::Cname)
                    | (Record::Srv(_), RecordKind::Srv)
                    | (Record::Tlsa(_), RecordKind::Tlsa)
                    | (Record::Mx(_), RecordKind::Mx)
                    | (Record::Txt(_), RecordKind::Txt)
            )
        };
        let short = |record: &Record| match record {
            Record::Tlsa(tlsa) => tlsa.association.len() <= MAX_ASSOCIATION_BYTES,
            _ => true,
        };
        if records.records.len() > MAX_RECORDS || !records.records.iter().all(short) {
            Self::Failed(LookupFailure::TooLarge)
        } else if records.records.is_empty() || !records.records.iter().all(fits) {
            Self::Failed(LookupFailure::Malformed)
        } else {
            self
        }
    }
}
