//! Resolvers by the crate `domain` (feature `dns`): one that validates DNSSEC itself, one that trusts the AD bit of a
//! validating resolver on the loopback interface.
//!
//! The validator of `domain` is marked unstable by its authors, so none of its types is in this module's interface.

mod counted;
mod denial;
#[cfg(feature = "monitor")]
mod examine;
mod support;
mod validation;

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use domain::{
    base::{
        Message, MessageBuilder, Name, ParsedName, Rtype,
        iana::{Class, OptRcode},
        name::ToName,
        rdata::UnknownRecordData,
        wire::ParseError,
    },
    dnssec::validator::{anchor, context::ValidationState},
    net::client::{
        dgram_stream, multi_stream,
        protocol::{TcpConnect, UdpConnect},
        request::{ComposeRequest, Error, RequestMessage, SendRequest},
    },
    rdata::{A, Aaaa, Cname, Mx as MxData, Srv as SrvData, Txt},
    resolv::stub::conf::ResolvConf,
};
use tokio::time::timeout;

use self::{
    counted::Counted,
    support::Support,
    validation::{Validation, now},
};
use super::{
    ANSWER_TIMEOUT, Answer, AnswerFuture, Denial, DnsName, Dnssec, LookupFailure, MAX_ALIASES,
    MAX_RECORDS, Mx, Question, Record, RecordKind, Records, Resolve, Srv, Tlsa,
    anchors::TrustAnchors, shortages::Shortages,
};

/// The time after which a question without an answer is asked again.
const RETRY: Duration = Duration::from_secs(2);

/// The number of times that a question is asked again over UDP.
const RETRIES: u8 = 2;

/// The size of a UDP answer that is asked for, which passes without fragments (DNS flag day 2020).
const UDP_PAYLOAD_BYTES: u16 = 1232;

/// The length from which on a resolver configuration is refused, in bytes: one has a few lines.
const MAX_CONFIGURATION_BYTES: u64 = 1 << 20;

type Connection = dgram_stream::Connection<Counted<UdpConnect>, RequestMessage<Vec<u8>>>;

/// The server, and the connections to it that lacked something.
#[derive(Clone, Debug)]
struct Upstream {
    connection: Connection,
    shortages: Shortages,
}

/// A cause for which there is no resolver.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResolverError {
    /// The system's configuration cannot be read, or names no server.
    Configuration(io::ErrorKind),
    /// The resolver whose AD bit would be trusted is not on the loopback interface.
    NotLoopback(SocketAddr),
}

impl fmt::Display for ResolverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(kind) => write!(f, "resolver configuration: {kind}"),
            Self::NotLoopback(server) => {
                write!(
                    f,
                    "resolver: loopback address expected for AD but {} found",
                    server.ip()
                )
            }
        }
    }
}

impl std::error::Error for ResolverError {}

/// A resolver that validates every answer from the trust anchors on.
///
/// The server that it asks needs not validate and needs not be trusted. It must support DNSSEC records and recursion.
pub struct ValidatingResolver {
    server: SocketAddr,
    validation: Validation,
    support: Support,
    timeout: Duration,
}

impl fmt::Debug for ValidatingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidatingResolver").finish_non_exhaustive()
    }
}

impl ValidatingResolver {
    /// Returns a resolver that asks this server. It must be called within a tokio runtime.
    #[must_use]
    pub fn new(server: SocketAddr, anchors: &TrustAnchors) -> Self {
        Self {
            server,
            validation: Validation::new(anchors, connect(server)),
            support: Support::new(anchors),
            timeout: ANSWER_TIMEOUT,
        }
    }

    /// Sets the time that one answer may take, with the questions that validate it, in place of 10 seconds.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Returns a resolver that asks the first server of `/etc/resolv.conf`. It must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// Returns [`ResolverError::Configuration`] if the file cannot be read or names no server.
    pub fn system(anchors: &TrustAnchors) -> Result<Self, ResolverError> {
        Ok(Self::new(
            system_server(Path::new("/etc/resolv.conf"))?,
            anchors,
        ))
    }

    /// Returns the server that is asked.
    #[must_use]
    pub const fn server(&self) -> SocketAddr {
        self.server
    }

    async fn answer(&self, question: &Question) -> Result<Answer, LookupFailure> {
        let mut message = ask(
            self.validation.upstream(),
            question,
            Flags {
                dnssec_ok: true,
                checking_disabled: true,
            },
        )
        .await?;
        // A circle of aliases is one, with signatures or without.
        if let Err(LookupFailure::Aliases) = read(&message, question, Dnssec::Insecure) {
            return Err(LookupFailure::Aliases);
        }
        let dnssec = match self.validation.validate(&mut message, now()).await? {
            ValidationState::Secure => Dnssec::Secure,
            ValidationState::Insecure | ValidationState::Indeterminate => Dnssec::Insecure,
            ValidationState::Bogus
                if denial::is_empty(&message) && self.is_in_unsigned_zone(question).await =>
            {
                Dnssec::Insecure
            }
            ValidationState::Bogus => {
                let upstream = self.validation.upstream();
                return Err(match failure_of(&message) {
                    Some(failure) => failure,
                    None => self.support.cause_of_bogus(upstream, question).await,
                });
            }
        };
        read(&message, question, dnssec)
    }
}

impl Resolve for ValidatingResolver {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        let shortages = &self.validation.upstream().shortages;
        Box::pin(within_time(self.timeout, shortages, self.answer(question)))
    }
}

/// A resolver that trusts the AD bit of a validating resolver on the loopback interface, to which no other host can
/// write (RFC 6698 section 8.3).
#[derive(Debug)]
pub struct LoopbackResolver {
    upstream: Upstream,
    timeout: Duration,
}

impl LoopbackResolver {
    /// Returns a resolver that asks this server. It must be called within a tokio runtime.
    ///
    /// # Errors
    /// Returns [`ResolverError::NotLoopback`] if the address is not a loopback address.
    pub fn new(server: SocketAddr) -> Result<Self, ResolverError> {
        match server.ip().to_canonical().is_loopback() {
            true => Ok(Self {
                upstream: connect(server),
                timeout: ANSWER_TIMEOUT,
            }),
            false => Err(ResolverError::NotLoopback(server)),
        }
    }

    /// Sets the time that one answer may take, in place of 10 seconds.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn answer(&self, question: &Question) -> Result<Answer, LookupFailure> {
        let message = ask(
            &self.upstream,
            question,
            Flags {
                dnssec_ok: true,
                checking_disabled: false,
            },
        )
        .await?;
        let dnssec = match message.header().ad() {
            true => Dnssec::Secure,
            false => Dnssec::Insecure,
        };
        read(&message, question, dnssec)
    }
}

impl Resolve for LoopbackResolver {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        let shortages = &self.upstream.shortages;
        Box::pin(within_time(self.timeout, shortages, self.answer(question)))
    }
}

/// The flags of a question.
struct Flags {
    dnssec_ok: bool,
    checking_disabled: bool,
}

fn trust(anchors: &TrustAnchors) -> anchor::TrustAnchors {
    // The text was parsed before; without anchors nothing is secure.
    anchor::TrustAnchors::from_u8(anchors.zone().as_bytes())
        .unwrap_or_else(|_| anchor::TrustAnchors::empty())
}

fn connect(server: SocketAddr) -> Upstream {
    let mut config = dgram_stream::Config::new();
    config.dgram_mut().set_read_timeout(RETRY);
    config.dgram_mut().set_max_retries(RETRIES);
    config
        .dgram_mut()
        .set_udp_payload_size(Some(UDP_PAYLOAD_BYTES));
    let mut stream = multi_stream::Config::default();
    stream.set_response_timeout(ANSWER_TIMEOUT);
    config.set_stream(stream);
    let shortages = Shortages::default();
    let (connection, transport) = dgram_stream::Connection::with_config(
        Counted::new(UdpConnect::new(server), &shortages),
        Counted::new(TcpConnect::new(server), &shortages),
        config,
    );
    // The task ends when the last connection is dropped.
    tokio::spawn(transport.run());
    Upstream {
        connection,
        shortages,
    }
}

/// Returns the first server of a resolver configuration.
fn system_server(path: &Path) -> Result<SocketAddr, ResolverError> {
    let failed = |error: io::Error| ResolverError::Configuration(error.kind());
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_CONFIGURATION_BYTES).read_to_end(&mut text))
        .map_err(failed)?;
    if u64::try_from(text.len()).is_ok_and(|length| length >= MAX_CONFIGURATION_BYTES) {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    let mut configuration = ResolvConf::new();
    configuration
        .parse(&mut text.as_slice())
        .map_err(|_| ResolverError::Configuration(io::ErrorKind::InvalidData))?;
    let server = configuration.servers.first().map(|server| server.addr);
    server.ok_or(ResolverError::Configuration(io::ErrorKind::NotFound))
}

/// Returns the answer or its failure. Where this machine lacked what a question needs meanwhile, that is the cause.
async fn within_time(
    time: Duration,
    shortages: &Shortages,
    answer: impl Future<Output = Result<Answer, LookupFailure>>,
) -> Answer {
    let before = shortages.count();
    let failure = match timeout(time, answer).await {
        Ok(Ok(answer)) => return answer,
        Ok(Err(failure)) => failure,
        Err(_) => LookupFailure::Timeout,
    };
    Answer::Failed(shortages.cause(before, failure))
}

/// Asks a question and checks that the answer is one to it, with a code that means an answer.
async fn ask(
    upstream: &Upstream,
    question: &Question,
    flags: Flags,
) -> Result<Message<bytes::Bytes>, LookupFailure> {
    ask_type(upstream, &question.name, record_type(question.kind), flags).await
}

/// Asks for records of a type, and checks that the code of the answer means an answer.
async fn ask_type(
    upstream: &Upstream,
    name: &DnsName,
    record_type: Rtype,
    flags: Flags,
) -> Result<Message<bytes::Bytes>, LookupFailure> {
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_rd(true);
    message.header_mut().set_ad(true);
    message.header_mut().set_cd(flags.checking_disabled);
    let mut message = message.question();
    let name = Name::vec_from_str(&name.to_string()).map_err(|_| LookupFailure::Malformed)?;
    message
        .push((name, record_type))
        .map_err(|_| LookupFailure::Malformed)?;
    let mut request = RequestMessage::new(message).map_err(|_| LookupFailure::Malformed)?;
    request.set_dnssec_ok(flags.dnssec_ok);
    let message = upstream
        .connection
        .send_request(request)
        .get_response()
        .await
        .map_err(|error| transport_failure(&error))?;
    match failure_of(&message) {
        // A validating server says SERVFAIL for a bogus answer, even to CD=1 now and then: it stays a failure.
        Some(failure) => Err(failure),
        None => Ok(message),
    }
}

fn transport_failure(error: &Error) -> LookupFailure {
    match error {
        Error::StreamReadTimeout | Error::StreamIdleTimeout => LookupFailure::Timeout,
        Error::MessageParseError
        | Error::FormError
        | Error::ShortMessage
        | Error::WrongReplyForQuery => LookupFailure::Malformed,
        Error::Dgram(error) => match error.kind() {
            domain::net::client::dgram::QueryErrorKind::Timeout => LookupFailure::Timeout,
            _ => LookupFailure::Unreachable,
        },
        _ => LookupFailure::Unreachable,
    }
}

/// Returns the failure that a response code stands for.
fn failure_of(message: &Message<bytes::Bytes>) -> Option<LookupFailure> {
    match message.opt_rcode() {
        OptRcode::NOERROR | OptRcode::NXDOMAIN => None,
        OptRcode::SERVFAIL => Some(LookupFailure::ServerFailure),
        OptRcode::REFUSED => Some(LookupFailure::Refused),
        _ => Some(LookupFailure::Code),
    }
}

const fn record_type(kind: RecordKind) -> Rtype {
    match kind {
        RecordKind::A => Rtype::A,
        RecordKind::Aaaa => Rtype::AAAA,
        RecordKind::Cname => Rtype::CNAME,
        RecordKind::Srv => Rtype::SRV,
        RecordKind::Tlsa => Rtype::TLSA,
        RecordKind::Mx => Rtype::MX,
        RecordKind::Txt => Rtype::TXT,
    }
}

/// Reads the records at the end of the question's aliases.
fn read(
    message: &Message<bytes::Bytes>,
    question: &Question,
    dnssec: Dnssec,
) -> Result<Answer, LookupFailure> {
    let malformed = |_: ParseError| LookupFailure::Malformed;
    let asked = message.first_question().ok_or(LookupFailure::Malformed)?;
    let name = dns_name(asked.qname());
    if name.as_ref() != Some(&question.name) || asked.qtype() != record_type(question.kind) {
        return Err(LookupFailure::Malformed);
    }
    let (owner, mut ttl) = end_of_aliases(message, question)?;
    let mut records = Vec::new();
    for record in message.answer().map_err(malformed)? {
        let record = record.map_err(malformed)?;
        let here =
            record.class() == Class::IN && dns_name(&record.owner()).as_ref() == Some(&owner);
        if !here || record.rtype() != record_type(question.kind) {
            continue;
        }
        if records.len() >= MAX_RECORDS {
            return Err(LookupFailure::TooLarge);
        }
        ttl = ttl.min(record.ttl().into_duration());
        records.push(parse(&record, question.kind)?);
    }
    let no_name = message.opt_rcode() == OptRcode::NXDOMAIN;
    Ok(match records.is_empty() {
        false if no_name => return Err(LookupFailure::Malformed),
        false => Answer::Records(Records {
            records,
            owner,
            dnssec,
            ttl,
        }),
        true if no_name => Answer::Denied {
            denial: Denial::NoName,
            dnssec,
        },
        true => Answer::Denied {
            denial: Denial::NoData,
            dnssec,
        },
    })
}

type AnswerRecord<'a> = domain::base::record::ParsedRecord<'a, bytes::Bytes>;

fn parse(record: &AnswerRecord<'_>, kind: RecordKind) -> Result<Record, LookupFailure> {
    let parsed = match kind {
        RecordKind::A => data::<A>(record).map(|it| Record::Address(IpAddr::V4(it.addr()))),
        RecordKind::Aaaa => data::<Aaaa>(record).map(|it| Record::Address(IpAddr::V6(it.addr()))),
        RecordKind::Cname => data::<Cname<ParsedName<_>>>(record)
            .and_then(|it| dns_name(it.cname()).map(Record::Alias)),
        RecordKind::Srv => data::<SrvData<ParsedName<_>>>(record).map(|it| {
            Record::Srv(Srv {
                priority: it.priority(),
                weight: it.weight(),
                port: it.port(),
                target: host_name(it.target()),
            })
        }),
        RecordKind::Tlsa => data::<UnknownRecordData<bytes::Bytes>>(record).and_then(|it| {
            let [usage, selector, matching_type, association @ ..] = it.data().as_ref() else {
                return None;
            };
            Some(Record::Tlsa(Tlsa {
                usage: *usage,
                selector: *selector,
                matching_type: *matching_type,
                association: association.to_vec(),
            }))
        }),
        RecordKind::Mx => data::<MxData<ParsedName<_>>>(record).map(|it| {
            Record::Mx(Mx {
                preference: it.preference(),
                exchange: host_name(it.exchange()),
            })
        }),
        RecordKind::Txt => data::<Txt<bytes::Bytes>>(record)
            .map(|it| Record::Txt(it.iter().flatten().copied().collect())),
    };
    parsed.ok_or(LookupFailure::Malformed)
}

fn data<'a, D>(record: &AnswerRecord<'a>) -> Option<D>
where
    D: domain::base::rdata::ParseRecordData<'a, bytes::Bytes>,
{
    record
        .clone()
        .into_record::<D>()
        .ok()
        .flatten()
        .map(|record| record.into_data())
}

/// Follows the aliases of the answer, which are at most [`MAX_ALIASES`].
fn end_of_aliases(
    message: &Message<bytes::Bytes>,
    question: &Question,
) -> Result<(DnsName, Duration), LookupFailure> {
    let mut name = question.name.clone();
    let mut ttl = Duration::from_secs(u64::from(u32::MAX));
    if question.kind == RecordKind::Cname {
        return Ok((name, ttl));
    }
    let mut aliases = Vec::new();
    for record in message.answer().map_err(|_| LookupFailure::Malformed)? {
        let record = record.map_err(|_| LookupFailure::Malformed)?;
        if record.class() == Class::IN && record.rtype() == Rtype::CNAME {
            let target = data::<Cname<ParsedName<_>>>(&record).and_then(|it| dns_name(it.cname()));
            let owner = dns_name(&record.owner());
            let ttl = record.ttl().into_duration();
            // A resolver that follows a circle gives its records again.
            let is_known = |(of, to, _): &(Option<DnsName>, Option<DnsName>, Duration)| {
                *of == owner && *to == target && target.is_some()
            };
            if !aliases.iter().any(is_known) {
                aliases.push((owner, target, ttl));
            }
        }
    }
    for _ in 0..=MAX_ALIASES {
        let mut here = aliases
            .iter()
            .filter(|(owner, ..)| owner.as_ref() == Some(&name));
        let Some((_, target, alias_ttl)) = here.next() else {
            return Ok((name, ttl));
        };
        // An alias of a name that no host or service has is a failure: without it the answer would be a denial.
        let (Some(target), None) = (target, here.next()) else {
            return Err(LookupFailure::Malformed);
        };
        ttl = ttl.min(*alias_ttl);
        name = target.clone();
    }
    Err(LookupFailure::Aliases)
}

/// Converts the name that a record gives to a host. One that no host has stays, so that the other records count.
fn host_name(name: &impl ToName) -> DnsName {
    DnsName::of_any(&name.to_name::<Vec<u8>>().fmt_with_dot().to_string())
}

/// Converts a name; names with labels that no host or service has are `None`.
fn dns_name(name: &impl ToName) -> Option<DnsName> {
    DnsName::parse(&name.to_name::<Vec<u8>>().fmt_with_dot().to_string())
}
