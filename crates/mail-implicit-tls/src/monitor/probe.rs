//! The observation of a domain: questions to the DNS, and connections to each server at each address.

mod address;
mod clear_text;
mod hello;
mod plan;
mod transport;

use std::{collections::BTreeSet, fmt, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use rustls::crypto::CryptoProvider;
use tokio::time::{Instant, timeout};

use self::{
    address::Target,
    plan::{Located, Planned, addresses_of},
};
use super::observation::{
    Listening, Observation, ServerObservation, ServerSource, ServiceObservation, TlsaObservation,
    TransportSecurity,
};
use crate::{
    client::{Connector, DEADLINE, after},
    dane::DaneRules,
    dns::{
        self, Answer, DnsName, Lookup, Question, RecordKind, Resolve,
        host::{DaneUse, HostFailure, HostLookup, TlsaRecords},
        signatures::{Examine, SignedAnswer},
    },
    name::DomainName,
    privacy::PrivacyLevel,
    service::{Protocol, Service},
    setup::{Offer, SetupLookup, autoconfig::https::Fetcher},
    verifier::Trust,
};

/// The greatest number of servers that are observed. A mail domain advertises a few.
pub const MAX_SERVERS: usize = 32;

/// The greatest number of addresses of one host that are observed.
pub const MAX_ADDRESSES: usize = 16;

/// The number of questions whose signatures are asked for at once.
const QUESTIONS_AT_ONCE: usize = 8;

/// The number of addresses that are observed at once. Each has one connection at a time.
const ADDRESSES_AT_ONCE: usize = 4;

/// The time for the connection to a port that is not advertised.
const PORT_TIMEOUT: Duration = Duration::from_secs(3);

/// The services that SRV records name.
const SERVICES: [Service; 6] = [
    Service::IMAPS,
    Service::IMAP_STARTTLS,
    Service::POP3S,
    Service::POP3_STARTTLS,
    Service::SUBMISSIONS,
    Service::SUBMISSION_STARTTLS,
];

/// The extent of an observation.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time for each connection.
    pub deadline: Duration,
    /// The servers that the operator names, beside those of SRV records.
    pub servers: Vec<(Service, DomainName, u16)>,
    /// Observes the servers of MX records at port 25.
    pub mx: bool,
    /// Observes the policies of inbound mail, MTA-STS and TLS-RPT.
    pub transport: bool,
    /// The address from which the policy of MTA-STS is fetched, in place of the host's; its name is verified
    /// nevertheless.
    pub policy_address: Option<SocketAddr>,
    /// The reading of TLSA records. Servers at port 25 are judged by RFC 7672.
    pub dane: DaneRules,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: DEADLINE,
            servers: Vec::new(),
            mx: false,
            transport: false,
            policy_address: None,
            dane: DaneRules::default(),
        }
    }
}

/// The progress of an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The servers are looked up.
    LookingUp,
    /// A server is observed at one of its addresses.
    Server {
        /// The number of this one, from 1.
        number: usize,
        /// The number of all.
        of: usize,
        /// The server and the address.
        label: String,
    },
    /// The signatures of the answers are examined.
    Signatures,
}

/// Observes mail domains by questions to the DNS and by connections as a mail client makes them, without logging in.
pub struct Prober {
    provider: Arc<CryptoProvider>,
    trust: Arc<Trust>,
    resolver: Arc<dyn Examine>,
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

impl Prober {
    /// Returns a prober with these trust anchors.
    #[must_use]
    pub fn new(
        provider: Arc<CryptoProvider>,
        trust: Arc<Trust>,
        resolver: Arc<dyn Examine>,
    ) -> Self {
        Self {
            provider,
            trust,
            resolver,
        }
    }

    /// Returns a connector that has no sessions, since a server sends its certificate in a full handshake only.
    fn connector(&self, options: &Options, rules: DaneRules) -> Connector {
        let resolver: Arc<dyn Resolve> = self.resolver.clone();
        Connector::new(self.provider.clone(), self.trust.clone())
            .with_resolver(resolver)
            .with_deadline(options.deadline)
            .with_dane_rules(rules)
    }

    /// Observes a mail domain at this time, since the Unix epoch. `seed` chooses the order among SRV records of one
    /// priority; it should be random.
    pub async fn observe(
        &self,
        domain: &DomainName,
        options: &Options,
        at: Duration,
        seed: u64,
        progress: &(dyn Fn(Step) + Sync),
    ) -> Observation {
        progress(Step::LookingUp);
        let mut asked = BTreeSet::new();
        let mut lookup = SetupLookup::new(domain.clone(), PrivacyLevel::High, seed);
        let mut services = Vec::new();
        let questions = SERVICES.map(|service| Question {
            name: DnsName::of_service(service, domain),
            kind: RecordKind::Srv,
        });
        let own = Question {
            name: DnsName::from(domain),
            kind: RecordKind::A,
        };
        let answers = join_all(questions.iter().map(|it| self.ask(it)));
        let (own, answers) = tokio::join!(self.ask(&own), answers);
        for ((service, question), answer) in SERVICES.into_iter().zip(questions).zip(answers) {
            lookup.answer(&question, answer.clone());
            asked.insert(question);
            services.push(ServiceObservation { service, answer });
        }
        let offers = lookup.offers();
        let mut planned: Vec<Planned> = Vec::new();
        let mut plan = |server: Planned| {
            if planned.len() < MAX_SERVERS && !planned.iter().any(|it| it.is_same(&server)) {
                planned.push(server);
            }
        };
        for (service, host, port) in &options.servers {
            plan(Planned::new(*service, host, *port, ServerSource::Named));
        }
        for protocol in [Protocol::Imap, Protocol::Pop, Protocol::Submission] {
            if let Offer::Candidates { candidates, .. } = offers.of(protocol) {
                candidates
                    .iter()
                    .map(Planned::of_candidate)
                    .for_each(&mut plan);
            }
        }
        let mx = match options.mx || options.transport {
            true => Some(self.mx(domain, &mut asked).await),
            false => None,
        };
        if let Some(mx) = mx.as_ref().filter(|_| options.mx) {
            let servers = transport::servers(domain, mx);
            servers.into_iter().for_each(&mut plan);
        }
        let transport = match (&mx, options.transport) {
            (Some(mx), true) => Some(self.inbound(domain, options, mx).await),
            _ => None,
        };
        let mut located = join_all(planned.into_iter().map(|it| self.locate(it))).await;
        if let Some(Answer::Denied { .. }) = mx {
            // A domain without MX records and addresses receives no mail (RFC 5321 section 5.1).
            located.retain(|server| !server.is_absent_mx(domain));
        }
        for server in &located {
            let host = DnsName::from(&server.planned.host);
            for kind in [RecordKind::A, RecordKind::Aaaa] {
                let name = host.clone();
                asked.insert(Question { name, kind });
            }
            if let Some(Ok(tlsa)) = &server.tlsa
                && !matches!(
                    tlsa.records,
                    TlsaRecords::NotRequested | TlsaRecords::AddressInsecure
                )
                && let Some(name) = DnsName::parse(&tlsa.owner)
            {
                let kind = RecordKind::Tlsa;
                asked.insert(Question { name, kind });
            }
        }
        let listening = self.listening(&services, &located).await;
        let mut servers = self.servers(domain, options, located, progress).await;
        progress(Step::Signatures);
        let signed = self.examine(asked).await;
        for tlsa in servers
            .iter_mut()
            .filter_map(|it| it.tlsa.as_mut()?.as_mut().ok())
        {
            let signatures = signed.iter().flat_map(|it| &it.signatures);
            let of = signatures.filter(|it| it.owner == tlsa.owner && it.covered == "TLSA");
            // A resolver counts the time down; the signature has the zone's own.
            tlsa.ttl = of.map(|it| it.original_ttl).fold(tlsa.ttl, Duration::max);
        }
        Observation {
            domain: domain.clone(),
            at,
            own,
            services,
            offers,
            servers,
            listening,
            signed,
            mx: mx.filter(|_| options.mx),
            transport,
            resolver: self.resolver.server(),
        }
    }

    async fn ask(&self, question: &Question) -> Answer {
        self.resolver.lookup(question).await.checked(question)
    }

    /// Looks up the MX records.
    async fn mx(&self, domain: &DomainName, asked: &mut BTreeSet<Question>) -> Answer {
        let name = DnsName::from(domain);
        let kind = RecordKind::Mx;
        let question = Question { name, kind };
        let answer = self.ask(&question).await;
        asked.insert(question);
        answer
    }

    /// Observes the policies of inbound mail.
    async fn inbound(
        &self,
        domain: &DomainName,
        options: &Options,
        mx: &Answer,
    ) -> TransportSecurity {
        let mx = transport::mx_records(mx);
        let texts = |label| transport::texts(&*self.resolver, label, domain);
        let (mta_sts, tls_rpt) = tokio::join!(texts("_mta-sts"), texts("_smtp._tls"));
        let policy = match mta_sts.as_ref().is_ok_and(|texts| !texts.is_empty()) {
            false => None,
            true => {
                let connector = self.connector(options, options.dane);
                let fetcher = Fetcher::new(&connector).with_deadline(options.deadline);
                let fetcher = match options.policy_address {
                    Some(address) => fetcher.with_address(address),
                    None => fetcher,
                };
                let end = after(Instant::now(), options.deadline);
                Some(transport::policy(&fetcher, domain, end).await)
            }
        };
        TransportSecurity {
            mx,
            mta_sts,
            policy,
            tls_rpt,
        }
    }

    /// Looks up the addresses and the TLSA records of a server.
    async fn locate(&self, planned: Planned) -> Located {
        let look_up = |usage| {
            let lookup = HostLookup::new(planned.host.clone(), planned.port, usage);
            dns::run(&*self.resolver, lookup)
        };
        let usage = match planned.uses_dane() {
            true => DaneUse::Lookup,
            false => DaneUse::Never,
        };
        let (host, tlsa) = match look_up(usage).await {
            // The addresses and the certificates there are known without the TLSA records.
            Err(HostFailure::Tlsa(failure)) => {
                let host = look_up(DaneUse::Never).await;
                let tlsa = host.is_ok().then_some(Err(failure));
                (host, tlsa)
            }
            Err(failure) => (Err(failure), None),
            Ok(host) => {
                let tlsa = self.tlsa(&planned, &host.tlsa).await;
                (Ok(host), Some(Ok(tlsa)))
            }
        };
        let alias = match host.is_ok() {
            true => self.alias(&planned.host).await,
            false => None,
        };
        Located {
            planned,
            host,
            alias,
            tlsa,
        }
    }

    /// Returns the end of a host's aliases, if the host is an alias.
    async fn alias(&self, host: &DomainName) -> Option<DnsName> {
        let name = DnsName::from(host);
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            let name = name.clone();
            if let Answer::Records(records) = self.ask(&Question { name, kind }).await {
                return Some(records.owner).filter(|owner| *owner != DnsName::from(host));
            }
        }
        None
    }

    /// Returns the TLSA records with their owner and time to live.
    async fn tlsa(&self, planned: &Planned, records: &TlsaRecords) -> TlsaObservation {
        let base = match records {
            TlsaRecords::Records { base, .. } => base,
            _ => &planned.host,
        };
        let name = DnsName::of_port(planned.port, base);
        let owner = name.to_string();
        let kind = RecordKind::Tlsa;
        let ttl = match records {
            TlsaRecords::Records { .. } => match self.ask(&Question { name, kind }).await {
                Answer::Records(found) => found.ttl,
                Answer::Denied { .. } | Answer::Failed(_) => Duration::ZERO,
            },
            _ => Duration::ZERO,
        };
        TlsaObservation {
            owner,
            records: records.clone(),
            ttl,
        }
    }

    /// Observes each server at each address.
    async fn servers(
        &self,
        domain: &DomainName,
        options: &Options,
        located: Vec<Located>,
        progress: &(dyn Fn(Step) + Sync),
    ) -> Vec<ServerObservation> {
        let client = self.connector(options, options.dane);
        let inbound = self
            .connector(options, DaneRules::Rfc7672)
            .with_next_hop(Some(domain.clone()))
            .accept_submission_without_authentication();
        let mut jobs = Vec::new();
        for (index, server) in located.iter().enumerate() {
            let is_mx = matches!(server.planned.source, ServerSource::Mx(_));
            let target = Target {
                connector: if is_mx { &inbound } else { &client },
                domain,
                server: &server.planned.server,
                uses_dane: server.planned.uses_dane(),
                is_mx,
                deadline: options.deadline,
            };
            jobs.extend(addresses_of(&server.host).map(|address| (index, target, address)));
        }
        let of = jobs.len();
        let mut observed: Vec<Vec<_>> = located.iter().map(|_| Vec::new()).collect();
        let numbered: Vec<_> = (1_usize..).zip(jobs).collect();
        for part in numbered.chunks(ADDRESSES_AT_ONCE) {
            let part = part.iter().map(async |(number, (index, target, address))| {
                let label = format!("{} at {address}", target.server);
                let number = *number;
                progress(Step::Server { number, of, label });
                (*index, target.observe(*address).await)
            });
            for (index, address) in join_all(part).await {
                if let Some(addresses) = observed.get_mut(index) {
                    addresses.push(address);
                }
            }
        }
        let servers = located.into_iter().zip(observed);
        servers
            .map(|(server, addresses)| server.observed(addresses))
            .collect()
    }

    /// Returns the services on well-known ports of the hosts that no SRV record advertises.
    async fn listening(
        &self,
        services: &[ServiceObservation],
        located: &[Located],
    ) -> Vec<Listening> {
        let is_unadvertised = |answer: &Answer| match answer {
            Answer::Failed(_) => false,
            Answer::Denied { .. } => true,
            Answer::Records(records) => records
                .records
                .iter()
                .all(|it| matches!(it, dns::Record::Srv(srv) if srv.target.is_root())),
        };
        let mut wanted = BTreeSet::new();
        for service in services.iter().filter(|it| is_unadvertised(&it.answer)) {
            let service = service.service;
            let is_mx = |server: &&Located| matches!(server.planned.source, ServerSource::Mx(_));
            for server in located.iter().filter(|server| !is_mx(server)) {
                for address in addresses_of(&server.host) {
                    let host = server.planned.host.clone();
                    wanted.insert(Listening {
                        service,
                        host,
                        address,
                    });
                }
            }
        }
        let named = |it: &Listening| {
            let mut servers = located.iter().map(|server| &server.planned);
            servers.any(|server| server.host == it.host && server.port == it.service.default_port())
        };
        let open = wanted.into_iter().filter(|it| !named(it)).map(async |it| {
            let socket = SocketAddr::new(it.address, it.service.default_port());
            let connected = timeout(PORT_TIMEOUT, tokio::net::TcpStream::connect(socket)).await;
            matches!(connected, Ok(Ok(_))).then_some(it)
        });
        join_all(open).await.into_iter().flatten().collect()
    }

    /// Examines the signatures of the answers.
    async fn examine(&self, questions: BTreeSet<Question>) -> Vec<SignedAnswer> {
        let questions: Vec<_> = questions.into_iter().collect();
        let mut signed = Vec::new();
        for part in questions.chunks(QUESTIONS_AT_ONCE) {
            signed.extend(join_all(part.iter().map(|it| self.resolver.examine(it))).await);
        }
        signed
    }
}
