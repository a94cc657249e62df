//! Candidates of a mail domain, checked by connections to servers on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/site.rs"]
mod site;

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use mail_implicit_tls::{
    account::{AccountSetup, LowPrivacy},
    client::Connector,
    dialogue::DialogueError,
    dns::{
        Answer, AnswerFuture, Denial, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind,
        Records, Resolve, Srv, host::HostFailure,
    },
    failure::{Cause, Stage},
    name::DomainName,
    privacy::PrivacyLevel,
    service::{Protocol, Service},
    setup::{
        Candidate, Offer, Offers, SetupLookup, Source,
        check::{CheckedOffers, MAX_CHECKED, NotChecked, Outcome, check, look_up},
    },
    verdict::IdentityVerdict,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use self::site::{HOST, Site};

const GREETING: &[u8] = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";
const TIME: Duration = Duration::from_secs(10);

/// A resolver that knows the answers to some questions; a name without one does not exist.
#[derive(Default)]
struct Known {
    answers: BTreeMap<String, Answer>,
    /// Questions that are never answered.
    silent: Vec<String>,
}

impl Known {
    /// All of these hosts are on loopback.
    fn hosts(hosts: &[&str]) -> Self {
        let mut known = Self::default();
        for host in hosts {
            let address = Record::Address(Ipv4Addr::LOCALHOST.into());
            known.add(host, RecordKind::A, vec![address]);
        }
        known
    }

    fn add(&mut self, name: &str, kind: RecordKind, records: Vec<Record>) {
        let owner = DnsName::parse(name).unwrap();
        let question = Question {
            name: owner.clone(),
            kind,
        };
        let records = Records {
            records,
            owner,
            dnssec: Dnssec::Secure,
            ttl: Duration::from_secs(60),
        };
        self.answers
            .insert(question.to_string(), Answer::Records(records));
    }
}

impl Resolve for Known {
    fn lookup<'a>(&'a self, question: &'a Question) -> AnswerFuture<'a> {
        Box::pin(async {
            let question = question.to_string();
            if self.silent.contains(&question) {
                std::future::pending::<()>().await;
            }
            let none = Answer::Denied {
                denial: Denial::NoName,
                dnssec: Dnssec::Secure,
            };
            self.answers.get(&question).cloned().unwrap_or(none)
        })
    }
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn candidate(service: Service, host: &str, port: u16) -> Candidate {
    let source = Source::Srv(Dnssec::Secure);
    Candidate::new(service, name(host), port, name("example.org"), source)
}

fn offers(imap: Vec<Candidate>, clear: Vec<Candidate>) -> Offers {
    let none = Offer::NotAdvertised(Dnssec::Secure);
    Offers {
        imap: Offer::Candidates {
            candidates: imap,
            clear,
            refused: Vec::new(),
        },
        pop: none.clone(),
        submission: none,
    }
}

fn high() -> AccountSetup {
    AccountSetup::new(site::id("alice@example.org"))
}

fn low() -> AccountSetup {
    high().low(LowPrivacy {
        ignore_certificate: true,
        clear_text_fallback: true,
    })
}

fn connector(site: &Site, known: Known) -> Connector {
    site.connector().with_resolver(Arc::new(known))
}

/// Accepts connections, greets on each within TLS, and returns the port.
async fn serve(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = TlsAcceptor::from(config.clone());
            tokio::spawn(async move {
                let mut stream = acceptor.accept(tcp).await?;
                stream.write_all(GREETING).await?;
                stream.flush().await?;
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await
            });
        }
    });
    port
}

/// Accepts connections and says this in clear text on each.
async fn serve_clear(octets: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                tcp.write_all(octets).await?;
                tcp.read_to_end(&mut Vec::new()).await
            });
        }
    });
    port
}

/// Returns the causes of failure of the IMAP candidates; nothing for one that is ready.
fn causes(checked: &CheckedOffers) -> Vec<Option<Cause>> {
    let cause = |outcome: &Outcome| match outcome {
        Outcome::Ready(_) => None,
        Outcome::Failed(failure) => Some(failure.cause().clone()),
        other => panic!("{other:?}"),
    };
    checked.imap.iter().map(|it| cause(&it.outcome)).collect()
}

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
    assert_eq!(facts.version.unwrap().to_string(), "TLSv1.3");
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

const NO_STARTTLS: &[u8] = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";

/// Checks a STARTTLS candidate, with what is before it, and its clear-text sibling; returns both outcomes' states.
async fn in_clear(
    site: &Site,
    account: &AccountSetup,
    before: Vec<Candidate>,
    port: u16,
) -> CheckedOffers {
    let mut private = before;
    private.push(candidate(Service::IMAP_STARTTLS, HOST, port));
    let clear = vec![candidate(Service::IMAP_CLEAR, HOST, port)];
    let connector = connector(site, Known::hosts(&[HOST]));
    check(&connector, account, &offers(private, clear), TIME).await
}

fn not_checked(checked: &CheckedOffers) -> Option<&NotChecked> {
    match &checked.imap.last().unwrap().outcome {
        Outcome::NotChecked(reason) => Some(reason),
        _ => None,
    }
}

#[tokio::test]
async fn offers_clear_text_only_at_the_low_level_after_starttls_is_missing() {
    let site = Site::new();
    let port = serve_clear(NO_STARTTLS).await;
    let checked = in_clear(&site, &low(), Vec::new(), port).await;
    let no_tls = Some(Cause::Dialogue(DialogueError::NoStartTls));
    assert_eq!(causes(&checked), [no_tls, None]);
    let best = checked.best(Protocol::Imap).unwrap();
    assert_eq!(best.service(), Service::IMAP_CLEAR);
    let Outcome::Ready(facts) = &checked.imap[1].outcome else {
        panic!("ready expected")
    };
    assert_eq!((facts.indication.level(), &facts.verdict), (None, &None));
    for account in [high(), high().low(LowPrivacy::default())] {
        let checked = in_clear(&site, &account, Vec::new(), port).await;
        assert_eq!(not_checked(&checked), Some(&NotChecked::NotPermitted));
        assert_eq!(checked.best(Protocol::Imap), None);
    }
}

#[tokio::test]
async fn offers_no_clear_text_where_tls_is_advertised_or_a_certificate_was_refused() {
    let site = Site::new();
    let port = serve_clear(NO_STARTTLS).await;
    // A server with implicit TLS is advertised, and is not there.
    let before = vec![candidate(Service::IMAPS, "gone.example.org", 993)];
    let checked = in_clear(&site, &low(), before, port).await;
    assert_eq!(not_checked(&checked), Some(&NotChecked::TlsIsAdvertised));
    // The connection fails, which does not state that the server lacks TLS.
    let bye = serve_clear(b"* BYE busy\r\n").await;
    let checked = in_clear(&site, &low(), Vec::new(), bye).await;
    assert_eq!(not_checked(&checked), Some(&NotChecked::TlsNotRefused));
    // Another server with STARTTLS has the certificate of another host.
    let config = site.config_for(&site.issue(&["other.example"]));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let other = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n";
        tcp.write_all(greeting).await.unwrap();
        tcp.read_exact(&mut [0; 12]).await.unwrap();
        tcp.write_all(b"c OK go\r\n").await.unwrap();
        let _ = TlsAcceptor::from(config).accept(tcp).await;
    });
    let before = vec![candidate(Service::IMAP_STARTTLS, HOST, other)];
    let checked = in_clear(&site, &low(), before, port).await;
    assert_eq!(not_checked(&checked), Some(&NotChecked::NotVerified));
    assert_eq!(checked.best(Protocol::Imap), None);
}

/// Accepts one connection, upgrades it by STARTTLS, and answers one command after it.
async fn serve_starttls(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n";
        tcp.write_all(greeting).await.unwrap();
        tcp.read_exact(&mut [0; 12]).await.unwrap();
        tcp.write_all(b"c OK go\r\n").await.unwrap();
        let mut stream = TlsAcceptor::from(config).accept(tcp).await.unwrap();
        let mut command = Vec::new();
        while !command.ends_with(b"\r\n") {
            command.push(stream.read_u8().await.unwrap());
        }
        let tag = String::from_utf8(command).unwrap();
        let tag = tag.split(' ').next().unwrap();
        let reply = format!("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK done\r\n");
        stream.write_all(reply.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream.read_to_end(&mut Vec::new()).await
    });
    port
}

#[tokio::test]
async fn offers_no_clear_text_where_another_server_has_starttls() {
    let site = Site::new();
    let port = serve_clear(NO_STARTTLS).await;
    let other = serve_starttls(site.server_config()).await;
    let before = vec![candidate(Service::IMAP_STARTTLS, HOST, other)];
    let checked = in_clear(&site, &low(), before.clone(), port).await;
    assert_eq!(checked.best(Protocol::Imap), before.first());
    assert_eq!(not_checked(&checked), Some(&NotChecked::TlsIsAdvertised));
    // A server in clear text that is not the one whose STARTTLS is missing.
    let connector = connector(&site, Known::hosts(&[HOST]));
    let private = vec![candidate(Service::IMAP_STARTTLS, HOST, port)];
    let elsewhere = vec![candidate(Service::IMAP_CLEAR, HOST, other)];
    let checked = check(&connector, &low(), &offers(private, elsewhere), TIME).await;
    assert_eq!(not_checked(&checked), Some(&NotChecked::TlsIsAdvertised));
}

#[tokio::test]
async fn offers_no_clear_text_where_the_records_of_a_server_cannot_be_looked_up() {
    let site = Site::new();
    let port = serve_clear(NO_STARTTLS).await;
    let mut known = Known::hosts(&[HOST, "other.example.org"]);
    known.answers.insert(
        "_143._tcp.other.example.org. TLSA".to_owned(),
        Answer::Failed(LookupFailure::Timeout),
    );
    let connector = connector(&site, known);
    let private = vec![
        candidate(Service::IMAP_STARTTLS, "other.example.org", 143),
        candidate(Service::IMAP_STARTTLS, HOST, port),
    ];
    let clear = vec![candidate(Service::IMAP_CLEAR, HOST, port)];
    let checked = check(&connector, &low().dane(true), &offers(private, clear), TIME).await;
    let Outcome::Failed(failure) = &checked.imap[0].outcome else {
        panic!("{checked:?}")
    };
    let failed = Cause::Lookup(HostFailure::Tlsa(LookupFailure::Timeout));
    assert_eq!(failure.cause(), &failed);
    assert_eq!(not_checked(&checked), Some(&NotChecked::NotVerified));
}

#[tokio::test]
async fn offers_clear_text_by_the_starttls_of_the_same_port() {
    let site = Site::new();
    let port = serve_clear(NO_STARTTLS).await;
    let bye = serve_clear(b"* BYE busy\r\n").await;
    let before = vec![candidate(Service::IMAP_STARTTLS, HOST, bye)];
    let checked = in_clear(&site, &low(), before, port).await;
    let clear = candidate(Service::IMAP_CLEAR, HOST, port);
    assert_eq!(checked.best(Protocol::Imap), Some(&clear));
    // Nothing else is advertised, as in a configuration file.
    let connector = connector(&site, Known::hosts(&[HOST]));
    let alone = offers(Vec::new(), vec![clear.clone()]);
    let checked = check(&connector, &low(), &alone, TIME).await;
    assert_eq!(checked.best(Protocol::Imap), Some(&clear));
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
