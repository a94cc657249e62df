//! Our client with DANE over the signed tree: a server on loopback with every kind of certificate, the servers that SRV
//! records name, and Dovecot, Postfix and nginx.

use std::{
    collections::BTreeMap, fmt::Write as _, net::Ipv4Addr, path::Path, sync::Arc, time::Duration,
};

use conformance::{
    Live, Scenario,
    outcome::{Checked, Failure, passed, run, same},
};
use mail_implicit_tls::{
    account::{Account, AccountId, AccountSetup, Host, HostSource, Server},
    client::Connector,
    dane::DaneRules,
    dns::{
        self, LookupFailure, Resolve,
        anchors::TrustAnchors,
        hickory::HickoryResolver,
        host::HostFailure,
        resolver::{LoopbackResolver, ValidatingResolver},
    },
    failure::Cause,
    identity::{PresentedIdentity, ReferenceIdentity},
    name::DomainName,
    privacy::PrivacyLevel,
    service::Service,
    setup::{Offer, SetupLookup},
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict,
        Mismatch, PinVerdict, RecordFinding, RecordProblem, Verdict,
    },
    verifier::Trust,
};
use ring::digest::{SHA256, SHA512, digest};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use test_support::pki::rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use webpki::EndEntityCert;

use super::{
    servers::{self, Dovecot, Nginx, Postfix},
    site::{HOST, Shown as OfSite, Site, server},
    tree::{self, Tree},
};

/// The scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("mail-implicit-tls/dane-on-every-certificate", |root| {
        unless_missing(|| run(certificates(root)))
    }),
    scenario("mail-implicit-tls/dane-by-security-of-the-zone", |root| {
        unless_missing(|| run(zones(root)))
    }),
    scenario("mail-implicit-tls/dane-behind-srv", |root| {
        unless_missing(|| run(behind_srv(root)))
    }),
    with(
        "Dovecot, Knot DNS, unbound",
        "mail-implicit-tls/dane-on-dovecot",
        |root| unless(servers::dovecot_missing(), || run(on_dovecot(root))),
    ),
    with(
        "Postfix, Knot DNS, unbound",
        "mail-implicit-tls/dane-on-postfix",
        |root| unless(servers::postfix_missing(), || run(on_postfix(root))),
    ),
    with(
        "nginx, Knot DNS, unbound",
        "mail-implicit-tls/dane-on-nginx",
        |root| unless(servers::nginx_missing(), || run(on_nginx(root))),
    ),
];

const fn scenario(name: &'static str, run: fn(&Path) -> Result<Live, String>) -> Scenario {
    with("Knot DNS, unbound", name, run)
}

const fn with(
    peer: &'static str,
    name: &'static str,
    run: fn(&Path) -> Result<Live, String>,
) -> Scenario {
    Scenario {
        name,
        peer: Some(peer),
        run,
    }
}

/// Runs a scenario unless a server is missing.
fn unless_missing(run: impl FnOnce() -> Result<Live, String>) -> Result<Live, String> {
    tree::missing().map_or_else(run, |missing| Ok(Live::Skipped(missing)))
}

/// Runs a scenario unless its peer or a server of the tree is missing.
fn unless(
    missing: Option<String>,
    run: impl FnOnce() -> Result<Live, String>,
) -> Result<Live, String> {
    match missing {
        Some(missing) => Ok(Live::Skipped(missing)),
        None => unless_missing(run),
    }
}

const BOTH: [DaneRules; 2] = [DaneRules::Rfc6698, DaneRules::Rfc7671];

/// The time when the expired certificates expired: 2020-02-01.
const EXPIRED: Duration = Duration::from_secs(1_580_515_200);

/// A certificate with its key.
struct Made {
    params: CertificateParams,
    key: KeyPair,
    der: CertificateDer<'static>,
}

impl Made {
    /// Makes a certificate, which is its own issuer if none is given.
    fn new(params: CertificateParams, issuer: Option<&Self>) -> Checked<Self> {
        let key = KeyPair::generate()?;
        let certificate = match issuer {
            Some(issuer) => {
                params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key))?
            }
            None => params.self_signed(&key)?,
        };
        let der = certificate.der().clone();
        Ok(Self { params, key, der })
    }

    fn authority(name: &str, issuer: Option<&Self>) -> Checked<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, name);
        Self::new(params, issuer)
    }

    /// Returns the text of a TLSA record of this certificate.
    fn tlsa(&self, usage: u8, selector: u8, matching_type: u8) -> String {
        let selected = match selector {
            0 => self.der.to_vec(),
            _ => self.key.subject_public_key_info(),
        };
        let association = match matching_type {
            0 => selected,
            1 => digest(&SHA256, &selected).as_ref().to_vec(),
            _ => digest(&SHA512, &selected).as_ref().to_vec(),
        };
        format!(
            "{usage} {selector} {matching_type} {}",
            hex::encode(association)
        )
    }
}

/// The parameters of a server's certificate.
fn named(name: &str) -> Checked<CertificateParams> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.distinguished_name = DistinguishedName::new();
    Ok(params)
}

fn expired(name: &str) -> Checked<CertificateParams> {
    let mut params = named(name)?;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2020, 2, 1);
    Ok(params)
}

/// Authorities: one that the client trusts, and one that it does not.
struct Authorities {
    root: Made,
    issuer: Made,
    private: Made,
}

impl Authorities {
    fn new() -> Checked<Self> {
        let root = Made::authority("Root", None)?;
        Ok(Self {
            issuer: Made::authority("Issuer", Some(&root))?,
            private: Made::authority("Private", None)?,
            root,
        })
    }

    fn connector(&self, resolver: Arc<dyn Resolve>, rules: DaneRules) -> Checked<Connector> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = Trust::in_certificates([self.root.der.clone()])?;
        Ok(Connector::new(provider, Arc::new(trust))
            .with_resolver(resolver)
            .with_dane_rules(rules))
    }
}

/// Certificates by the name in SNI. A connection for another name fails.
#[derive(Debug, Default)]
struct Chains(BTreeMap<String, Arc<CertifiedKey>>);

impl Chains {
    fn add(&mut self, name: &str, own: &Made, others: &[&Made]) -> Checked<()> {
        let chain = [own].into_iter().chain(others.iter().copied());
        let chain = chain.map(|made| made.der.clone()).collect();
        let key: PrivateKeyDer<'_> = PrivatePkcs8KeyDer::from(own.key.serialize_der()).into();
        let provider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider)?;
        self.0.insert(name.to_owned(), Arc::new(key));
        Ok(())
    }
}

impl ResolvesServerCert for Chains {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.get(hello.server_name()?).cloned()
    }
}

/// A listener of an IMAP server, whose port the TLSA records need before it serves.
struct Imap {
    listener: TcpListener,
    port: u16,
}

impl Imap {
    async fn listen() -> Checked<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Greets on each connection until the client closes it.
    fn serve(self, chains: Chains) -> Checked<JoinHandle<()>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(chains));
        config.send_tls13_tickets = 0;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(tokio::spawn(async move {
            while let Ok((tcp, _)) = self.listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that refuses the certificate ends the handshake.
                    let Ok(mut stream) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n";
                    if stream.write_all(greeting).await.is_ok() && stream.flush().await.is_ok() {
                        let _ = stream.read(&mut [0; 64]).await;
                    }
                });
            }
        }))
    }
}

/// The end of an attempt to connect: the verdict about a server that was accepted, or the cause of the failure.
type End = Result<Verdict, Cause>;

async fn end(connector: &Connector, account: &Account, server: &Server) -> Checked<End> {
    match connector.connect(account, server).await {
        Err(failure) => Ok(Err(sorted(failure.cause().clone()))),
        Ok(connection) => {
            let level = connection.indication().level();
            same("level", level, Some(PrivacyLevel::High))?;
            let verdict = connection.verdict().cloned();
            let verdict = verdict.ok_or_else(|| Failure::new("no verdict"))?;
            connection.into_stream().shutdown().await?;
            Ok(Ok(verdict))
        }
    }
}

/// Sorts the findings about records by their numbers: servers send records in any order.
fn sorted(cause: Cause) -> Cause {
    let Cause::NotVerified(mut verdict) = cause else {
        return cause;
    };
    if let DaneVerdict::Differs(findings) = &mut verdict.dane {
        findings.sort_by_key(|it| (it.usage, it.selector, it.matching_type));
    }
    Cause::NotVerified(verdict)
}

fn account(domain: Option<&str>, server: &Server) -> Checked<Account> {
    let mut setup = AccountSetup::new(AccountId::try_new("alice")?)
        .server(server.clone())
        .dane(true);
    if let Some(domain) = domain {
        setup = setup.domain(DomainName::parse(domain)?);
    }
    Ok(setup.build()?)
}

fn imaps(host: &str, port: u16) -> Checked<Server> {
    Ok(Server::new(Service::IMAPS, Host::parse(host)?).with_port(port))
}

fn dns_id(name: &str) -> Checked<ReferenceIdentity> {
    Ok(ReferenceIdentity::Dns(DomainName::parse(name)?))
}

fn presented(name: &str) -> PresentedIdentity<'static> {
    PresentedIdentity::Dns(name.as_bytes().to_vec().into())
}

fn matching(name: &str) -> Checked<IdentityVerdict> {
    Ok(IdentityVerdict::Matches {
        reference: dns_id(name)?,
        presented: presented(name),
    })
}

fn differing(expected: &[&str], found: &str) -> Checked<IdentityVerdict> {
    let expected: Checked<Vec<_>> = expected.iter().map(|name| dns_id(name)).collect();
    Ok(IdentityVerdict::Differs(Box::new(Mismatch {
        expected: expected?,
        presented: vec![presented(found)],
        ..Mismatch::default()
    })))
}

fn matches(usage: CertificateUsage, rules: DaneRules) -> DaneVerdict {
    DaneVerdict::Matches {
        usage,
        covers_identity: usage == CertificateUsage::DaneEe && rules == DaneRules::Rfc7671,
    }
}

fn finding(numbers: [u8; 3], problem: RecordProblem) -> RecordFinding {
    let [usage, selector, matching_type] = numbers;
    RecordFinding {
        usage,
        selector,
        matching_type,
        problem,
    }
}

fn differs(numbers: [u8; 3], problem: RecordProblem) -> DaneVerdict {
    DaneVerdict::Differs(vec![finding(numbers, problem)])
}

fn verdict(chain: ChainVerdict, identity: IdentityVerdict, dane: DaneVerdict) -> Verdict {
    Verdict {
        chain,
        identity,
        dane,
        pin: PinVerdict::NotPinned,
    }
}

const TRUSTED: ChainVerdict = ChainVerdict::Trusted;

fn refused(problems: &[ChainProblem]) -> ChainVerdict {
    ChainVerdict::Refused(problems.to_vec())
}

/// The end of an attempt to connect to a server that is not accepted.
fn not_verified(verdict: Verdict) -> End {
    Err(Cause::NotVerified(Box::new(verdict)))
}

/// Returns the end of a connection to a host whose name matches, and whose verdict is accepted.
fn accepted(chain: ChainVerdict, host: &str, dane: DaneVerdict) -> Checked<End> {
    Ok(Ok(verdict(chain, matching(host)?, dane)))
}

/// Returns the end of a connection to a host whose name matches, and whose verdict is not accepted.
fn rejected(chain: ChainVerdict, host: &str, dane: DaneVerdict) -> Checked<End> {
    Ok(not_verified(verdict(chain, matching(host)?, dane)))
}

/// The kinds of certificates that a server shows.
#[derive(Clone, Copy)]
enum Shows {
    /// The host's name, from the issuer under the trusted root.
    Good,
    /// The host's name, from the private authority, which is sent.
    Private,
    /// The host's name, its own issuer and an authority: `CA:TRUE`.
    OwnAuthority,
    /// Another name, from the private authority.
    OtherName,
    /// The host's name, from the private authority, expired.
    Expired,
}

/// A server's certificate, and the authority that its TLSA records may name.
struct Shown<'a> {
    own: Made,
    authority: &'a Made,
}

/// The right end of an attempt to connect to a host.
type Right<'r> = &'r dyn Fn(&str, DaneRules) -> Checked<End>;

type Record<'r> = &'r dyn Fn(&Shown<'_>) -> String;

/// The certificate and the records of a host of the tree, and the outcome of the client's attempt under each reading of DANE.
struct Row<'r> {
    label: &'static str,
    shows: Shows,
    records: Vec<Record<'r>>,
    right: Right<'r>,
}

const WRONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn show<'a>(
    authorities: &'a Authorities,
    chains: &mut Chains,
    host: &str,
    shows: Shows,
) -> Checked<Shown<'a>> {
    let Authorities {
        root,
        issuer,
        private,
    } = authorities;
    let own = match shows {
        Shows::Good => Made::new(named(host)?, Some(issuer))?,
        Shows::Private => Made::new(named(host)?, Some(private))?,
        Shows::OtherName => Made::new(named("other.example")?, Some(private))?,
        Shows::Expired => Made::new(expired(host)?, Some(private))?,
        Shows::OwnAuthority => {
            let mut params = named(host)?;
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Made::new(params, None)?
        }
    };
    match shows {
        Shows::Good => chains.add(host, &own, &[issuer])?,
        Shows::OwnAuthority => chains.add(host, &own, &[])?,
        _ => chains.add(host, &own, &[private])?,
    }
    let authority = match shows {
        Shows::Good => root,
        _ => private,
    };
    Ok(Shown { own, authority })
}

async fn certificates(root: &Path) -> Checked {
    use CertificateUsage::{DaneEe, DaneTa, PkixEe, PkixTa};

    let unknown = || refused(&[ChainProblem::UnknownIssuer]);
    let date = ChainProblem::Expired { not_after: EXPIRED };
    let rows = [
        Row {
            label: "ee",
            shows: Shows::Good,
            records: vec![&|it| it.own.tlsa(3, 1, 1)],
            right: &|host, rules| accepted(TRUSTED, host, matches(DaneEe, rules)),
        },
        Row {
            label: "ee-private",
            shows: Shows::Private,
            records: vec![&|it| it.own.tlsa(3, 0, 2)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneEe, rules)),
        },
        Row {
            label: "ee-full-key",
            shows: Shows::Private,
            records: vec![&|it| it.own.tlsa(3, 1, 0)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneEe, rules)),
        },
        Row {
            label: "ee-wrong",
            shows: Shows::Good,
            records: vec![&|_| format!("3 1 1 {WRONG}")],
            right: &|host, _| {
                let dane = differs([3, 1, 1], RecordProblem::NoMatch);
                rejected(TRUSTED, host, dane)
            },
        },
        Row {
            label: "ee-one-of-two",
            shows: Shows::Private,
            records: vec![&|_| format!("3 1 1 {WRONG}"), &|it| it.own.tlsa(3, 1, 1)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneEe, rules)),
        },
        Row {
            label: "ee-authority",
            shows: Shows::OwnAuthority,
            records: vec![&|it| it.own.tlsa(3, 1, 1)],
            right: &|host, rules| {
                let chain = refused(&[ChainProblem::IsAuthority, ChainProblem::SelfSigned]);
                accepted(chain, host, matches(DaneEe, rules))
            },
        },
        Row {
            label: "ee-expired",
            shows: Shows::Expired,
            records: vec![&|it| it.own.tlsa(3, 1, 1)],
            right: &|host, rules| {
                let chain = refused(&[date]);
                accepted(chain, host, matches(DaneEe, rules))
            },
        },
        Row {
            label: "ee-other-name",
            shows: Shows::OtherName,
            records: vec![&|it| it.own.tlsa(3, 1, 1)],
            right: &|host, rules| {
                let of = |expected| differing(expected, "other.example");
                Ok(match rules {
                    DaneRules::Rfc7671 => Ok(verdict(
                        unknown(),
                        of(&[host, host])?,
                        matches(DaneEe, rules),
                    )),
                    _ => {
                        let dane = differs([3, 1, 1], RecordProblem::Identity);
                        not_verified(verdict(unknown(), of(&[host])?, dane))
                    }
                })
            },
        },
        Row {
            label: "ee-agility",
            shows: Shows::Private,
            records: vec![&|it| it.own.tlsa(3, 1, 1), &|_| {
                format!("3 1 2 {WRONG}{WRONG}")
            }],
            right: &|host, rules| {
                Ok(match rules {
                    DaneRules::Rfc7671 => {
                        let findings = vec![
                            finding([3, 1, 1], RecordProblem::WeakerDigest),
                            finding([3, 1, 2], RecordProblem::NoMatch),
                        ];
                        not_verified(verdict(
                            unknown(),
                            matching(host)?,
                            DaneVerdict::Differs(findings),
                        ))
                    }
                    _ => Ok(verdict(unknown(), matching(host)?, matches(DaneEe, rules))),
                })
            },
        },
        Row {
            label: "ta",
            shows: Shows::Private,
            records: vec![&|it| it.authority.tlsa(2, 0, 1)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneTa, rules)),
        },
        Row {
            label: "ta-key",
            shows: Shows::Private,
            records: vec![&|it| it.authority.tlsa(2, 1, 2)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneTa, rules)),
        },
        Row {
            label: "ta-not-sent",
            shows: Shows::Good,
            records: vec![&|it| it.authority.tlsa(2, 0, 1)],
            right: &|host, _| {
                let dane = differs([2, 0, 1], RecordProblem::NoMatch);
                rejected(TRUSTED, host, dane)
            },
        },
        Row {
            label: "ta-in-the-record",
            shows: Shows::Good,
            records: vec![&|it| it.authority.tlsa(2, 0, 0)],
            right: &|host, rules| accepted(TRUSTED, host, matches(DaneTa, rules)),
        },
        Row {
            label: "ta-of-the-server",
            shows: Shows::Private,
            records: vec![&|it| it.own.tlsa(2, 1, 1)],
            right: &|host, _| {
                let dane = differs([2, 1, 1], RecordProblem::NoMatch);
                rejected(unknown(), host, dane)
            },
        },
        Row {
            label: "ta-other-name",
            shows: Shows::OtherName,
            records: vec![&|it| it.authority.tlsa(2, 0, 1)],
            right: &|host, _| {
                let identity = differing(&[host], "other.example")?;
                let dane = differs([2, 0, 1], RecordProblem::Identity);
                Ok(not_verified(verdict(unknown(), identity, dane)))
            },
        },
        Row {
            label: "ta-expired",
            shows: Shows::Expired,
            records: vec![&|it| it.authority.tlsa(2, 0, 1)],
            right: &|host, _| {
                let chain = refused(&[date]);
                let dane = differs([2, 0, 1], RecordProblem::Path(date));
                rejected(chain, host, dane)
            },
        },
        Row {
            label: "pkix-ta",
            shows: Shows::Good,
            records: vec![&|it| it.authority.tlsa(0, 0, 1)],
            right: &|host, rules| accepted(TRUSTED, host, matches(PkixTa, rules)),
        },
        Row {
            label: "pkix-ee",
            shows: Shows::Good,
            records: vec![&|it| it.own.tlsa(1, 1, 1)],
            right: &|host, rules| accepted(TRUSTED, host, matches(PkixEe, rules)),
        },
        Row {
            label: "pkix-ee-private",
            shows: Shows::Private,
            records: vec![&|it| it.own.tlsa(1, 1, 1)],
            right: &|host, _| {
                let path = RecordProblem::Path(ChainProblem::UnknownIssuer);
                let dane = differs([1, 1, 1], path);
                rejected(unknown(), host, dane)
            },
        },
        Row {
            label: "unusable",
            shows: Shows::Good,
            records: vec![&|_| format!("255 1 1 {WRONG}")],
            right: &|host, _| {
                let findings = vec![finding([255, 1, 1], RecordProblem::Usage)];
                let dane = DaneVerdict::NotUsed(DaneNotUsed::Unusable(findings));
                accepted(TRUSTED, host, dane)
            },
        },
        Row {
            label: "unusable-private",
            shows: Shows::Private,
            records: vec![&|_| "3 1 3 00".to_owned()],
            right: &|host, _| {
                let findings = vec![finding([3, 1, 3], RecordProblem::MatchingType)];
                let dane = DaneVerdict::NotUsed(DaneNotUsed::Unusable(findings));
                rejected(unknown(), host, dane)
            },
        },
        Row {
            label: "unusable-beside-a-match",
            shows: Shows::Private,
            records: vec![&|_| format!("3 9 1 {WRONG}"), &|it| it.own.tlsa(3, 1, 1)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneEe, rules)),
        },
        Row {
            label: "no-records",
            shows: Shows::Good,
            records: Vec::new(),
            right: &|host, _| {
                let dane = DaneVerdict::NotUsed(DaneNotUsed::NoRecords);
                accepted(TRUSTED, host, dane)
            },
        },
    ];
    let imap = Imap::listen().await?;
    let port = imap.port;
    let authorities = Authorities::new()?;
    let mut chains = Chains::default();
    let mut records = String::new();
    for row in &rows {
        let label = row.label;
        let host = format!("{label}.good.test");
        let shown = show(&authorities, &mut chains, &host, row.shows)?;
        writeln!(records, "{label} A 127.0.0.1")?;
        for record in &row.records {
            writeln!(records, "_{port}._tcp.{label} TLSA {}", record(&shown))?;
        }
    }
    let tree = Tree::start(root, &records).await?;
    let _serving = imap.serve(chains)?;
    let resolver: Arc<dyn Resolve> =
        Arc::new(ValidatingResolver::new(tree.plain, &tree.anchors()?));
    for rules in BOTH {
        let connector = authorities.connector(resolver.clone(), rules)?;
        for row in &rows {
            let host = format!("{}.good.test", row.label);
            let server = imaps(&host, port)?;
            let end = end(&connector, &account(None, &server)?, &server).await?;
            let right = (row.right)(&host, rules)?;
            same(&format!("{host} {rules:?}"), end, right)?;
        }
    }
    passed(format!(
        "{} sets of records and certificates, each under RFC 6698 and RFC 7671",
        rows.len()
    ))
}

/// A host of one of the zones, and how the client's attempt ends there.
struct Attempt {
    host: String,
    right: End,
}

async fn zones(root: &Path) -> Checked {
    let imap = Imap::listen().await?;
    let port = imap.port;
    let authorities = Authorities::new()?;
    let mut chains = Chains::default();
    let (mut good, mut plain) = (String::new(), String::new());
    let unknown = || refused(&[ChainProblem::UnknownIssuer]);
    let ee = |host: &str| -> Checked<End> {
        let dane = matches(CertificateUsage::DaneEe, DaneRules::Rfc6698);
        accepted(unknown(), host, dane)
    };
    let pkix = |host: &str, reason| -> Checked<End> {
        let dane = DaneVerdict::NotUsed(reason);
        accepted(TRUSTED, host, dane)
    };
    let failed = |failure| Err(Cause::Lookup(failure));
    let mut attempts = Vec::new();
    let mut attempt = |host: &str, right| {
        let host = host.to_owned();
        attempts.push(Attempt { host, right });
    };

    // A chain of aliases, all secure: the last name is the base, the name in SNI and the name of the certificate.
    let shown = show(&authorities, &mut chains, "three.good.test", Shows::Private)?;
    writeln!(good, "one CNAME two\ntwo CNAME three\nthree A 127.0.0.1")?;
    writeln!(good, "_{port}._tcp.three TLSA {}", shown.own.tlsa(3, 1, 1))?;
    writeln!(good, "_{port}._tcp.one TLSA 3 1 1 {WRONG}")?;
    attempt("one.good.test", {
        let dane = matches(CertificateUsage::DaneEe, DaneRules::Rfc6698);
        Ok(verdict(unknown(), matching("three.good.test")?, dane))
    });
    // Records at the alias alone.
    let shown = show(&authorities, &mut chains, "late.good.test", Shows::Private)?;
    writeln!(good, "late CNAME bare\nbare A 127.0.0.1")?;
    writeln!(good, "_{port}._tcp.late TLSA {}", shown.own.tlsa(3, 1, 1))?;
    attempt("late.good.test", ee("late.good.test")?);
    // A secure alias of a host that is not signed: the records at the alias count.
    let shown = show(
        &authorities,
        &mut chains,
        "out-with.good.test",
        Shows::Private,
    )?;
    writeln!(good, "out-with CNAME dane.plain.test.")?;
    writeln!(
        good,
        "_{port}._tcp.out-with TLSA {}",
        shown.own.tlsa(3, 1, 1)
    )?;
    attempt("out-with.good.test", ee("out-with.good.test")?);
    show(
        &authorities,
        &mut chains,
        "out-without.good.test",
        Shows::Good,
    )?;
    writeln!(good, "out-without CNAME dane.plain.test.")?;
    let right = pkix("out-without.good.test", DaneNotUsed::NoRecords)?;
    attempt("out-without.good.test", right);
    // Hosts that are not signed: records that contradict the certificate are not asked for.
    show(&authorities, &mut chains, "dane.plain.test", Shows::Good)?;
    writeln!(
        plain,
        "dane A 127.0.0.1\n_{port}._tcp.dane TLSA 3 1 1 {WRONG}"
    )?;
    attempt(
        "dane.plain.test",
        pkix("dane.plain.test", DaneNotUsed::AddressInsecure)?,
    );
    show(&authorities, &mut chains, "in.plain.test", Shows::Good)?;
    writeln!(plain, "in CNAME three.good.test.")?;
    attempt(
        "in.plain.test",
        pkix("in.plain.test", DaneNotUsed::AddressInsecure)?,
    );
    // Records reached through an alias: secure, not signed, bogus, too many.
    let shown = show(
        &authorities,
        &mut chains,
        "shared.good.test",
        Shows::Private,
    )?;
    writeln!(
        good,
        "shared A 127.0.0.1\n_{port}._tcp.shared CNAME _shared"
    )?;
    writeln!(good, "_shared TLSA {}", shown.own.tlsa(3, 0, 1))?;
    attempt("shared.good.test", ee("shared.good.test")?);
    show(&authorities, &mut chains, "unsigned.good.test", Shows::Good)?;
    writeln!(
        good,
        "unsigned A 127.0.0.1\n_{port}._tcp.unsigned CNAME _{port}._tcp.dane.plain.test."
    )?;
    let right = pkix("unsigned.good.test", DaneNotUsed::RecordsInsecure)?;
    attempt("unsigned.good.test", right);
    let bogus = "_993._tcp.mail.bad.test.";
    writeln!(good, "bogus A 127.0.0.1\n_{port}._tcp.bogus CNAME {bogus}")?;
    attempt(
        "bogus.good.test",
        failed(HostFailure::Tlsa(LookupFailure::Bogus)),
    );
    let old = "_993._tcp.mail.expired.test.";
    writeln!(good, "old A 127.0.0.1\n_{port}._tcp.old CNAME {old}")?;
    attempt(
        "old.good.test",
        failed(HostFailure::Tlsa(LookupFailure::Bogus)),
    );
    let many = "_993._tcp.toomany";
    writeln!(
        good,
        "many-more A 127.0.0.1\n_{port}._tcp.many-more CNAME {many}"
    )?;
    attempt(
        "many-more.good.test",
        failed(HostFailure::Tlsa(LookupFailure::TooLarge)),
    );
    // Hosts that are bogus, without an address, or reached through too many aliases.
    attempt(
        "mail.bad.test",
        failed(HostFailure::Address(LookupFailure::Bogus)),
    );
    attempt(
        "mail.expired.test",
        failed(HostFailure::Address(LookupFailure::Bogus)),
    );
    attempt("nothing.good.test", failed(HostFailure::NoAddress));
    attempt(
        "nine.good.test",
        failed(HostFailure::Address(LookupFailure::Aliases)),
    );

    let tree = Tree::start_with(root, &[("good.test", &good), ("plain.test", &plain)]).await?;
    let _serving = imap.serve(chains)?;
    let anchors = tree.anchors()?;
    let hickory = HickoryResolver::new(tree.plain, &anchors)
        .ok_or_else(|| Failure::new("hickory refuses the trust anchor"))?;
    let resolvers: [(&str, Arc<dyn Resolve>); 4] = [
        (
            "domain",
            Arc::new(ValidatingResolver::new(tree.plain, &anchors)),
        ),
        (
            "domain with a validator",
            Arc::new(ValidatingResolver::new(tree.validating, &anchors)),
        ),
        ("AD", Arc::new(LoopbackResolver::new(tree.validating)?)),
        ("hickory", Arc::new(hickory)),
    ];
    for (what, resolver) in resolvers {
        let connector = authorities.connector(resolver, DaneRules::Rfc6698)?;
        for Attempt { host, right } in &attempts {
            let server = imaps(host, port)?;
            let end = end(&connector, &account(None, &server)?, &server).await?;
            // A validator's refusal reaches its clients as a server failure.
            let end = end.map_err(|cause| match cause {
                Cause::Lookup(HostFailure::Address(LookupFailure::ServerFailure)) => {
                    Cause::Lookup(HostFailure::Address(LookupFailure::Bogus))
                }
                Cause::Lookup(HostFailure::Tlsa(LookupFailure::ServerFailure)) => {
                    Cause::Lookup(HostFailure::Tlsa(LookupFailure::Bogus))
                }
                cause => cause,
            });
            same(&format!("{host} by {what}"), end, right.clone())?;
        }
    }
    // Without a validator no address is secure, so that PKIX decides alone; under another root nothing is found.
    let unsigned: Arc<dyn Resolve> = Arc::new(LoopbackResolver::new(tree.plain)?);
    let connector = authorities.connector(unsigned, DaneRules::Rfc6698)?;
    let server = imaps("unsigned.good.test", port)?;
    let right = pkix("unsigned.good.test", DaneNotUsed::AddressInsecure)?;
    let found = end(&connector, &account(None, &server)?, &server).await?;
    same("without a validator", found, right)?;
    let other = ValidatingResolver::new(tree.plain, &TrustAnchors::iana());
    let connector = authorities.connector(Arc::new(other), DaneRules::Rfc6698)?;
    let found = end(&connector, &account(None, &server)?, &server).await?;
    let right: End = failed(HostFailure::Address(LookupFailure::Bogus));
    same("under another root", found, right)?;
    passed(format!(
        "{} hosts, by four resolvers: secure, insecure and bogus addresses, aliases and records",
        attempts.len()
    ))
}

async fn behind_srv(root: &Path) -> Checked {
    let imap = Imap::listen().await?;
    let port = imap.port;
    let authorities = Authorities::new()?;
    let mut chains = Chains::default();
    let (mut good, mut plain) = (String::new(), String::new());
    let shown = show(
        &authorities,
        &mut chains,
        "target.good.test",
        Shows::Private,
    )?;
    writeln!(
        good,
        "target A 127.0.0.1\n_{port}._tcp.target TLSA {}",
        shown.own.tlsa(3, 1, 1)
    )?;
    show(&authorities, &mut chains, "other.good.test", Shows::Good)?;
    writeln!(
        good,
        "other A 127.0.0.1\n_{port}._tcp.other TLSA 3 1 1 {WRONG}"
    )?;
    show(
        &authorities,
        &mut chains,
        "host-of-corp.plain.test",
        Shows::Good,
    )?;
    writeln!(plain, "host-of-corp A 127.0.0.1")?;
    // A host that has a certificate of the mail domain, not of its own.
    let own = Made::new(named("own.plain.test")?, Some(&authorities.issuer))?;
    chains.add("shop.good.test", &own, &[&authorities.issuer])?;
    writeln!(
        good,
        "shop A 127.0.0.1\n_{port}._tcp.shop TLSA 3 1 1 {WRONG}"
    )?;
    let srv = |zone: &mut String, domain: &str, target: &str| {
        writeln!(zone, "_imaps._tcp.{domain} SRV 0 1 {port} {target}.")
    };
    srv(&mut good, "corp", "target.good.test")?;
    // Records at the source domain do not count (RFC 7673 section 3.3).
    writeln!(good, "_{port}._tcp.corp TLSA 3 1 1 {WRONG}")?;
    srv(&mut good, "wrong", "other.good.test")?;
    srv(&mut good, "unsigned", "host-of-corp.plain.test")?;
    srv(&mut plain, "corp", "target.good.test")?;
    srv(&mut plain, "own", "shop.good.test")?;
    let tree = Tree::start_with(root, &[("good.test", &good), ("plain.test", &plain)]).await?;
    let _serving = imap.serve(chains)?;
    let resolver: Arc<dyn Resolve> =
        Arc::new(ValidatingResolver::new(tree.plain, &tree.anchors()?));

    let unknown = || refused(&[ChainProblem::UnknownIssuer]);
    let expected = |target: Option<&str>, domain: &str| -> Checked<Vec<ReferenceIdentity>> {
        let mut expected = Vec::new();
        if let Some(target) = target {
            expected.push(dns_id(target)?);
        }
        let domain_name = DomainName::parse(domain)?;
        expected.push(ReferenceIdentity::Srv(Service::IMAPS, domain_name));
        expected.push(dns_id(domain)?);
        Ok(expected)
    };
    for rules in BOTH {
        let dane_ee = || matches(CertificateUsage::DaneEe, rules);
        let foreign = IdentityVerdict::Differs(Box::new(Mismatch {
            expected: expected(None, "corp.plain.test")?,
            presented: vec![presented("target.good.test")],
            ..Mismatch::default()
        }));
        let insecure = || DaneVerdict::NotUsed(DaneNotUsed::SrvInsecure);
        let wrong = differs([3, 1, 1], RecordProblem::NoMatch);
        let unused = DaneVerdict::NotUsed(DaneNotUsed::AddressInsecure);
        let rows = [
            // Secure: the target is the base domain and an expected name.
            (
                "corp.good.test",
                HostSource::SecureSrv,
                Ok(verdict(unknown(), matching("target.good.test")?, dane_ee())),
            ),
            (
                "wrong.good.test",
                HostSource::SecureSrv,
                not_verified(verdict(TRUSTED, matching("other.good.test")?, wrong)),
            ),
            (
                "unsigned.good.test",
                HostSource::SecureSrv,
                Ok(verdict(
                    TRUSTED,
                    matching("host-of-corp.plain.test")?,
                    unused,
                )),
            ),
            // Insecure: the target's records match and do not count, whatever they are.
            (
                "corp.plain.test",
                HostSource::InsecureSrv,
                not_verified(verdict(unknown(), foreign, insecure())),
            ),
            (
                "own.plain.test",
                HostSource::InsecureSrv,
                Ok(verdict(TRUSTED, matching("own.plain.test")?, insecure())),
            ),
            // The user confirmed the host, which counts as one that the user typed.
            (
                "corp.plain.test",
                HostSource::ConfirmedSrv,
                Ok(verdict(unknown(), matching("target.good.test")?, dane_ee())),
            ),
        ];
        for (domain, source, right) in rows {
            let lookup = SetupLookup::new(DomainName::parse(domain)?, PrivacyLevel::High, 1);
            let offer = dns::run(&*resolver, lookup).await.imap;
            let Offer::Candidates { candidates, .. } = &offer else {
                return Err(Failure::new(format!("{domain}: {offer:?}")));
            };
            let [candidate] = candidates.as_slice() else {
                return Err(Failure::new(format!("{domain}: {offer:?}")));
            };
            let candidate = match source {
                HostSource::ConfirmedSrv => candidate.clone().confirmed_by_user(),
                _ => candidate.clone(),
            };
            let server = candidate.to_server();
            same(domain, (server.source, server.port), (source, port))?;
            let connector = authorities.connector(resolver.clone(), rules)?;
            let account = account(Some(domain), &server)?;
            let end = end(&connector, &account, &server).await?;
            same(&format!("{domain} {source:?} {rules:?}"), end, right)?;
        }
    }
    // No host is guessed where the SRV records are bogus.
    let lookup = SetupLookup::new(DomainName::parse("bad.test")?, PrivacyLevel::High, 1);
    let offer = dns::run(&*resolver, lookup).await.imap;
    let (service, failure) = (Service::IMAPS, LookupFailure::Bogus);
    same("bad.test", offer, Offer::Failed { service, failure })?;
    passed(
        "targets of secure SRV records with DANE; those of insecure ones without it until the user confirms; bogus ones not",
    )
}

async fn on_dovecot(root: &Path) -> Checked {
    let site = Site::new()?;
    let dovecot = Dovecot::start(&site, OfSite::OtherAuthority).await?;
    let ports = servers::DOVECOTS.map(|service| (service, dovecot.port(service)));
    on_server(root, &site, dovecot.path(), &ports).await
}

async fn on_postfix(root: &Path) -> Checked {
    let site = Site::new()?;
    let postfix = Postfix::start(&site, OfSite::OtherAuthority, ">=TLSv1.2").await?;
    on_server(root, &site, postfix.path(), &postfix.ports).await
}

async fn on_nginx(root: &Path) -> Checked {
    let site = Site::new()?;
    let nginx = Nginx::start(&site, OfSite::OtherAuthority).await?;
    on_server(root, &site, nginx.path(), &nginx.ports).await
}

/// Connects to each port of a server whose certificate PKIX does not trust: with records that match, differ and are
/// unusable.
async fn on_server(root: &Path, site: &Site, of: &Path, ports: &[(Service, u16)]) -> Checked {
    let certificate = CertificateDer::from_pem_file(of.join("server.pem"))?;
    let key = EndEntityCert::try_from(&certificate)?.subject_public_key_info();
    let key = hex::encode(digest(&SHA256, &key));
    let chain = || {
        let problems = [
            ChainProblem::UnknownIssuer,
            ChainProblem::IntermediateMissing,
        ];
        refused(&problems)
    };
    let unusable = vec![finding([3, 1, 9], RecordProblem::MatchingType)];
    let matches = matches(CertificateUsage::DaneEe, DaneRules::Rfc6698);
    let wrong = differs([3, 1, 1], RecordProblem::NoMatch);
    for (record, right) in [
        (
            format!("3 1 1 {key}"),
            Ok(verdict(chain(), matching(HOST)?, matches)),
        ),
        (
            format!("3 1 1 {WRONG}"),
            not_verified(verdict(chain(), matching(HOST)?, wrong)),
        ),
        (format!("3 1 9 {key}"), {
            let dane = DaneVerdict::NotUsed(DaneNotUsed::Unusable(unusable));
            not_verified(verdict(chain(), matching(HOST)?, dane))
        }),
    ] {
        let label = HOST.trim_end_matches(".test");
        let mut records = format!("{label} A 127.0.0.1\n");
        for (_, port) in ports {
            writeln!(records, "_{port}._tcp.{label} TLSA {record}")?;
        }
        let tree = Tree::start_with(root, &[("test", &records)]).await?;
        let resolver = ValidatingResolver::new(tree.plain, &tree.anchors()?);
        let connector = site
            .connector()?
            .accept_submission_without_authentication()
            .with_resolver(Arc::new(resolver));
        for (service, port) in ports {
            let mut server = server(*service, *port)?;
            server.address = None;
            let end = end(&connector, &account(None, &server)?, &server).await?;
            same(&format!("{service}: {record}"), end, right.clone())?;
        }
    }
    passed(format!(
        "{} ports with records that match, differ and are unusable",
        ports.len()
    ))
}
