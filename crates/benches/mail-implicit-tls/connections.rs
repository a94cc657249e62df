//! The handshake of a client beside one of plain rustls, the order of SRV records, TLSA records beside certificates, and
//! the worst that a server and its zone can send.

#![allow(missing_docs, reason = "criterion_group! makes public items")]
#![allow(
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a benchmark that cannot begin stops"
)]

use std::{hint::black_box, sync::Arc, time::Duration};

use benches::{Ratio, compare, ratios, times};
use criterion::{Criterion, criterion_group, criterion_main};
use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, Server},
    dane::{DaneRules, TlsaJudge},
    dns::{DnsName, Srv, Tlsa, host::TlsaRecords},
    name::DomainName,
    service::Service,
    srv,
    verifier::{ServerVerifier, Trust, client_config},
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use test_support::pki::{Authority, Certificate, rcgen::CustomExtension};

const HOST: &str = "imap.example.org";

fn root() -> Authority {
    Authority::new("Root")
}

fn named() -> Certificate {
    Certificate::server(&[HOST])
}

fn account() -> (Account, Server) {
    let id = AccountId::try_new("alice").expect("an id");
    let server = Server::new(Service::IMAPS, Host::parse(HOST).expect("a host"));
    let setup = AccountSetup::new(id).server(server.clone()).dane(true);
    (setup.build().expect("an account"), server)
}

fn verifier(trust: Trust, provider: &CryptoProvider) -> ServerVerifier {
    let (account, server) = account();
    ServerVerifier::new(&account, &server, Arc::new(trust), provider)
}

/// The trust anchors of the platform, as both sides of the comparison have them, and the root.
fn platform(root: &Authority) -> Trust {
    let mut trust = Trust::of_platform().expect("roots of the platform");
    trust.add(root.certificate()).expect("a root");
    trust
}

fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> ClientConnection {
    let name = ServerName::try_from(HOST).expect("a name");
    let mut client = ClientConnection::new(client.clone(), name).expect("a client");
    let mut server = ServerConnection::new(server.clone()).expect("a server");
    let mut octets = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        octets.clear();
        while client.wants_write() {
            client.write_tls(&mut octets).expect("a buffer takes all");
        }
        let mut sent = octets.as_slice();
        while !sent.is_empty() {
            server.read_tls(&mut sent).expect("a buffer");
            server.process_new_packets().expect("what a client sends");
        }
        octets.clear();
        while server.wants_write() {
            server.write_tls(&mut octets).expect("a buffer takes all");
        }
        let mut sent = octets.as_slice();
        while !sent.is_empty() {
            client.read_tls(&mut sent).expect("a buffer");
            client.process_new_packets().expect("what a server sends");
        }
    }
    client
}

/// Client and server together, full handshakes. The client of this crate judges within the handshake and after it, as
/// `Connector` does. Each handshake has a verifier of its own, since one keeps its verdict for a second.
fn handshakes(criterion: &mut Criterion<Ratio>) {
    let root = root();
    let issuer = root.intermediate("Issuer", |_| {});
    let identity = named().issue(&issuer);
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add(root.certificate()).expect("a root");
    let roots = Arc::new(roots);
    for (name, version) in [("tls13", &TLS13), ("tls12", &TLS12)] {
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(
                vec![identity.certificate(), issuer.certificate()],
                identity.private_key(),
            )
            .expect("a key");
        server.send_tls13_tickets = 0;
        let server = Arc::new(server);
        let mut plain = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        plain.resumption = Resumption::disabled();
        let plain = Arc::new(plain);
        let none = Arc::new(TlsaJudge::new(TlsaRecords::None, DaneRules::Rfc6698));
        let verifier = verifier(platform(&root), &provider);
        compare(
            criterion,
            &format!("handshake-{name}/to-rustls"),
            2,
            |turn| {
                for _ in 0..turn {
                    let judge = Arc::new(verifier.with_dane(none.clone()));
                    let mut ours =
                        client_config(provider.clone(), judge.clone()).expect("versions");
                    ours.resumption = Resumption::disabled();
                    let client = handshake(&Arc::new(ours), &server);
                    let chain = client.peer_certificates().expect("certificates");
                    let verdict = judge.judge(&chain[0], &chain[1..], UnixTime::now());
                    assert!(judge.accepts(&verdict), "{verdict}");
                }
            },
            |turn| {
                for _ in 0..turn {
                    black_box(handshake(&plain, &server));
                }
            },
        );
    }
}

/// Numbers of records: up to the limit of an answer, and beyond.
const COUNTS: [u16; 4] = [10, 128, 1_280, 12_800];

/// The priority and the weight of the record with this number.
type Shape = fn(u16) -> (u16, u16);

const MIXED: Shape = |n| (n % 3, n.wrapping_mul(7_919));

/// The worst records for the order that a zone can send.
const WORST: [(&str, Shape); 5] = [
    ("zeros", |_| (0, 0)),
    // Half of a weight's tickets lose.
    ("equal", |_| (0, 32_768)),
    ("one-great", |n| (0, if n == 0 { 65_535 } else { 1 })),
    ("all-lengths", |n| (0, 32_768 >> (n % 16))),
    ("priorities", |n| (n.wrapping_mul(7_919), n)),
];

fn srv_records(shape: Shape, count: u16) -> Vec<Srv> {
    let record = |n: u16| {
        let (priority, weight) = shape(n);
        Srv {
            priority,
            weight,
            port: 993,
            target: DnsName::parse(&format!("h{n}.example.org")).expect("a name"),
        }
    };
    (0..count).map(record).collect()
}

fn order(records: &[Srv]) -> usize {
    let mut state = 1_u64;
    let ordered = srv::order(black_box(records), &mut || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state
    });
    ordered.len()
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_780_272_000))
}

fn tlsa(usage: u8, selector: u8, matching_type: u8, n: u8) -> Tlsa {
    let length = if matching_type == 2 { 64 } else { 32 };
    Tlsa {
        usage,
        selector,
        matching_type,
        association: vec![n; length],
    }
}

/// A server's certificates, and records about them.
struct Judged {
    verifier: ServerVerifier,
    chain: Vec<CertificateDer<'static>>,
}

impl Judged {
    fn with(mut self, records: Vec<Tlsa>) -> Self {
        let base = DomainName::parse(HOST).expect("a name");
        let records = TlsaRecords::Records { base, records };
        let judge = TlsaJudge::new(records, DaneRules::Rfc7671);
        self.verifier = self.verifier.with_dane(Arc::new(judge));
        self
    }

    fn judge(&self) -> bool {
        let chain = black_box(&self.chain);
        let verdict = self.verifier.judge(&chain[0], &chain[1..], now());
        self.verifier.accepts(&verdict)
    }
}

/// A chain of a leaf and an intermediate under a root that the client has.
fn ordinary() -> Judged {
    let root = root();
    let issuer = root.intermediate("Issuer", |_| {});
    let certificate = named().issue(&issuer).certificate();
    let trust = Trust::in_certificates([root.certificate()]).expect("a root");
    Judged {
        verifier: verifier(trust, &ring::default_provider()),
        chain: vec![certificate, issuer.certificate()],
    }
}

/// A certificate of 60,000 octets and as many as fit beside it.
fn large() -> Judged {
    let root = root();
    let padding = || CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0; 60_000]);
    let certificate = named().change(|params| params.custom_extensions = vec![padding()]);
    let certificate = certificate.issue(&root).certificate();
    let other = || root.intermediate("Large", |params| params.custom_extensions = vec![padding()]);
    let others = (0..3).map(|_| other().certificate());
    let trust = Trust::in_certificates([root.certificate()]).expect("a root");
    Judged {
        verifier: verifier(trust, &ring::default_provider()),
        chain: [certificate].into_iter().chain(others).collect(),
    }
}

/// 100 authorities of one name, each of which could have issued each: webpki's limits end the search.
fn forged() -> Judged {
    let root = root();
    let mut last = root.intermediate("Same", |_| {});
    let certificate = named().issue(&Authority::new("Same")).certificate();
    let mut chain = vec![certificate];
    for _ in 0..100 {
        last = last.intermediate("Same", |_| {});
        chain.push(last.certificate());
    }
    let trust = Trust::in_certificates([root.certificate()]).expect("a root");
    Judged {
        verifier: verifier(trust, &ring::default_provider()),
        chain,
    }
}

/// Records that match no certificate, of one usage and all selectors and digests.
fn wrong(usage: u8, count: usize) -> Vec<Tlsa> {
    let of_each = |n: u8| tlsa(usage, n % 2, 1 + n / 2 % 2, n);
    (0..=u8::MAX).map(of_each).cycle().take(count).collect()
}

/// Whole certificates of authorities that the server does not send, each of which would have to be tried.
fn whole(count: usize) -> Vec<Tlsa> {
    let other = Authority::new("Issuer");
    let record = Tlsa {
        association: other.certificate().to_vec(),
        ..tlsa(2, 0, 0, 0)
    };
    vec![record; count]
}

fn figures(criterion: &mut Criterion) {
    let mut srv = |name: &str, records: Vec<Srv>| {
        criterion.bench_function(name, |bencher| bencher.iter(|| order(&records)));
    };
    for count in COUNTS {
        srv(&format!("srv/{count}"), srv_records(MIXED, count));
    }
    for (name, shape) in WORST {
        for count in [128, 12_800] {
            srv(&format!("srv/{name}/{count}"), srv_records(shape, count));
        }
    }
    let mut judge = |name: &str, judged: Judged| {
        criterion.bench_function(name, |bencher| bencher.iter(|| judged.judge()));
    };
    judge("judge/no-records", ordinary().with(Vec::new()));
    for usage in 0..4 {
        for count in [1, 128, 1_280, 12_800] {
            let judged = ordinary().with(wrong(usage, count));
            judge(&format!("judge/usage-{usage}/{count}-records"), judged);
        }
    }
    judge("judge/large-certificates", large().with(Vec::new()));
    for usage in 0..4 {
        let judged = large().with(wrong(usage, 128));
        judge(&format!("judge/large-certificates/usage-{usage}"), judged);
    }
    judge("judge/forged-chain-of-100", forged().with(Vec::new()));
    for usage in 0..4 {
        let judged = forged().with(wrong(usage, 128));
        judge(&format!("judge/forged-chain-of-100/usage-{usage}"), judged);
    }
    // Each record names an authority that has to be tried as an anchor.
    let chain = forged();
    let records = chain.chain[1..].iter().map(|certificate| Tlsa {
        usage: 2,
        selector: 0,
        matching_type: 0,
        association: certificate.to_vec(),
    });
    let records = records.collect();
    judge("judge/forged-chain-of-100/anchors", chain.with(records));
}

/// Beyond the limit of 128 records, too, so that the growth shows.
fn growth(criterion: &mut Criterion<Ratio>) {
    let mut srv = |name: &str, shape, [many, few]: [u16; 2]| {
        let turns = u32::from(8_000 / many).max(1);
        let (of, to) = (srv_records(shape, many), srv_records(shape, few));
        compare(
            criterion,
            &format!("{name}-{many}/to-{few}"),
            turns,
            |turn| (0..turn).for_each(|_| assert_eq!(order(&of), of.len())),
            |turn| {
                let turn = turn * u32::from(many / few);
                (0..turn).for_each(|_| assert_eq!(order(&to), to.len()));
            },
        );
    };
    // The memory of more records is returned to the system after each order, and page faults would be measured.
    for counts in [[128, 16], [1_280, 128]] {
        srv("srv", MIXED, counts);
    }
    for (name, shape) in WORST {
        srv(&format!("srv-{name}"), shape, [1_280, 128]);
    }
    let mut tlsa = |name: &str, [many, few]: [Judged; 2], times: u32| {
        compare(
            criterion,
            name,
            2,
            |turn| (0..turn).for_each(|_| assert!(!many.judge())),
            |turn| (0..turn * times).for_each(|_| assert!(!few.judge())),
        );
    };
    for usage in 0..4 {
        // Without the path, which is verified once whatever the records are.
        let both = [128, 16].map(|count| large().with(wrong(usage, count)));
        tlsa(&format!("tlsa-usage-{usage}-128/to-16"), both, 8);
        let both = [12_800, 1_280].map(|count| ordinary().with(wrong(usage, count)));
        tlsa(&format!("tlsa-usage-{usage}-12800/to-1280"), both, 10);
    }
    let both = [1_280, 128].map(|count| ordinary().with(whole(count)));
    tlsa("tlsa-whole-1280/to-128", both, 10);
}

criterion_group! {
    name = of_times;
    config = times();
    targets = figures
}
criterion_group! {
    name = of_ratios;
    config = ratios();
    targets = handshakes, growth
}
criterion_main!(of_times, of_ratios);
