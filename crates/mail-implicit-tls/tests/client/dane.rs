//! The TLSA records of each connection, the questions for them, and the name that is sent.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use mail_implicit_tls::{
    account::{Account, AccountSetup, Host, HostSource, Server},
    dane::DaneRules,
    dns::{Answer, DnsName, Dnssec, LookupFailure, Record, Records, Tlsa, host::HostFailure},
    failure::Cause,
    name::DomainName,
    service::Service,
    verdict::{CertificateUsage, DaneNotUsed, DaneVerdict, RecordFinding, RecordProblem},
};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    site::{self, HOST, Site},
    table::Table,
    zone::{accept, greet, serve},
};

fn account(server: &Server) -> Account {
    let setup = AccountSetup::new(site::id("alice")).server(server.clone());
    let domain = DomainName::parse("example.com").unwrap();
    setup.domain(domain).dane(true).build().unwrap()
}

fn imaps(host: &str, port: u16) -> Server {
    Server::new(Service::IMAPS, Host::parse(host).unwrap()).with_port(port)
}

fn digest(site: &Site) -> [u8; 32] {
    Sha256::digest(site.server().certificate()).into()
}

const MATCHES: DaneVerdict = DaneVerdict::Matches {
    usage: CertificateUsage::DaneEe,
    covers_identity: false,
};

fn differs() -> DaneVerdict {
    DaneVerdict::Differs(vec![RecordFinding {
        usage: 3,
        selector: 0,
        matching_type: 1,
        problem: RecordProblem::NoMatch,
    }])
}

/// Records may change from one connection to the next, whatever their time to live. A session that began under others
/// is not resumed.
#[tokio::test]
async fn asks_for_records_on_each_connection() {
    let site = Site::new();
    let (port, _) = serve(site.server_config()).await;
    let table = Arc::new(Table::default());
    let connector = site.connector().with_resolver(table.clone());
    let server = imaps(HOST, port);
    let account = account(&server);
    table.address(HOST, HOST, Dnssec::Secure);
    let questions = [
        format!("_{port}._tcp.{HOST}. TLSA"),
        format!("{HOST}. A"),
        format!("{HOST}. AAAA"),
    ];
    let mut resumed = Vec::new();
    for _ in 0..2 {
        table.tlsa(port, HOST, digest(&site));
        let connection = connector.connect(&account, &server).await.unwrap();
        assert_eq!(connection.verdict().unwrap().dane, MATCHES);
        assert_eq!(table.asked(), questions);
        resumed.push(connection.is_resumed());
        table.tlsa(port, HOST, [0; 32]);
        let failure = connector.connect(&account, &server).await.unwrap_err();
        let Cause::NotVerified(verdict) = failure.cause() else {
            panic!("{failure}");
        };
        assert_eq!(verdict.dane, differs());
        assert_eq!(table.asked(), questions);
    }
    assert_eq!(resumed, [false, false]);
    let failure = LookupFailure::ServerFailure;
    table.set(
        format!("_{port}._tcp.{HOST}. TLSA"),
        Answer::Failed(failure),
    );
    let ended = connector.connect(&account, &server).await.unwrap_err();
    assert_eq!(*ended.cause(), Cause::Lookup(HostFailure::Tlsa(failure)));
}

/// The records change between two connections that are open at once. Each is judged by its own.
#[tokio::test]
async fn judges_each_connection_by_its_own_records() {
    let site = Site::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(site.server_config());
    let table = Arc::new(Table::default());
    let connector = Arc::new(site.connector().with_resolver(table.clone()));
    let server = imaps(HOST, port);
    let account = account(&server);
    table.address(HOST, HOST, Dnssec::Secure);
    let connect = || {
        let (connector, account, server) = (connector.clone(), account.clone(), server.clone());
        tokio::spawn(async move { connector.connect(&account, &server).await })
    };
    for first_matches in [false, true] {
        let digests = match first_matches {
            true => [digest(&site), [0; 32]],
            false => [[0; 32], digest(&site)],
        };
        table.tlsa(port, HOST, digests[0]);
        let first = connect();
        let first_tcp = accept(&listener).await;
        table.tlsa(port, HOST, digests[1]);
        let second = connect();
        let second_tcp = accept(&listener).await;
        let second_stream = greet(&acceptor, second_tcp).await;
        let second = second.await.unwrap();
        let first_stream = greet(&acceptor, first_tcp).await;
        let first = first.await.unwrap();
        drop((first_stream, second_stream));
        let (accepted, refused) = match first_matches {
            true => (first, second),
            false => (second, first),
        };
        let accepted = accepted.unwrap();
        assert_eq!(accepted.verdict().unwrap().dane, MATCHES);
        let failure = refused.unwrap_err();
        let Cause::NotVerified(verdict) = failure.cause() else {
            panic!("{failure}");
        };
        assert_eq!(verdict.dane, differs());
    }
}

/// Resolvers give the records of a set in any order: the session is resumed nevertheless.
#[tokio::test]
async fn resumes_the_session_whatever_the_order_of_the_records() {
    let site = Site::new();
    let (port, _) = serve(site.server_config()).await;
    let table = Arc::new(Table::default());
    let connector = site.connector().with_resolver(table.clone());
    let server = imaps(HOST, port);
    let account = account(&server);
    table.address(HOST, HOST, Dnssec::Secure);
    let record = |digest: [u8; 32]| {
        Record::Tlsa(Tlsa {
            usage: 3,
            selector: 0,
            matching_type: 1,
            association: digest.to_vec(),
        })
    };
    let [own, other, third] = [digest(&site), [0; 32], [255; 32]].map(record);
    let owner = format!("_{port}._tcp.{HOST}.");
    let mut resumed = Vec::new();
    for records in [
        vec![own.clone(), other.clone()],
        vec![other.clone(), own.clone()],
        vec![other, own.clone(), third],
        vec![own],
    ] {
        let records = Records {
            records,
            owner: DnsName::parse(&owner).unwrap(),
            dnssec: Dnssec::Secure,
            ttl: Duration::ZERO,
        };
        table.set(format!("{owner} TLSA"), Answer::Records(records));
        let connection = connector.connect(&account, &server).await.unwrap();
        assert_eq!(connection.verdict().unwrap().dane, MATCHES);
        resumed.push(connection.is_resumed());
    }
    assert_eq!(resumed, [false, true, false, false]);
}

/// RFC 7671 section 7: with records SNI is the base domain, without them the host.
#[tokio::test]
async fn sends_the_base_domain_as_name() {
    let site = Site::new();
    let identity = site.issue(&["alias.example.org", HOST]);
    let (port, names) = serve(site.config_for(&identity)).await;
    let table = Arc::new(Table::default());
    let connector = site.connector().with_resolver(table.clone());
    let server = imaps("alias.example.org", port);
    let account = account(&server);
    for (dnssec, name, used) in [
        (Dnssec::Secure, HOST, true),
        (Dnssec::Insecure, "alias.example.org", false),
    ] {
        table.address("alias.example.org", HOST, dnssec);
        table.tlsa(port, HOST, Sha256::digest(identity.certificate()).into());
        let connection = connector.connect(&account, &server).await.unwrap();
        let dane = match used {
            true => MATCHES,
            false => DaneVerdict::NotUsed(DaneNotUsed::AddressInsecure),
        };
        assert_eq!(connection.verdict().unwrap().dane, dane);
        let seen = names.lock().unwrap().last().cloned();
        assert_eq!(seen, Some(Some(name.to_owned())));
    }
}

/// RFC 7673 section 3.1: who forges the SRV record names a host whose records match.
#[tokio::test]
async fn asks_for_no_records_behind_an_insecure_srv_record() {
    let site = Site::new();
    let (port, _) = serve(site.server_config()).await;
    let table = Arc::new(Table::default());
    table.address(HOST, HOST, Dnssec::Secure);
    table.tlsa(port, HOST, digest(&site));
    let without = [format!("{HOST}. A"), format!("{HOST}. AAAA")];
    for rules in [DaneRules::Rfc6698, DaneRules::Rfc7671] {
        let connector = site.connector().with_resolver(table.clone());
        let connector = connector.with_dane_rules(rules);
        let server = imaps(HOST, port).with_source(HostSource::InsecureSrv);
        let failure = connector
            .connect(&account(&server), &server)
            .await
            .unwrap_err();
        let Cause::NotVerified(verdict) = failure.cause() else {
            panic!("{failure}");
        };
        let reason = DaneNotUsed::SrvInsecure;
        assert_eq!(verdict.dane, DaneVerdict::NotUsed(reason));
        assert_eq!(table.asked(), without);
        for source in [HostSource::SecureSrv, HostSource::ConfirmedSrv] {
            let server = imaps(HOST, port).with_source(source);
            let connection = connector.connect(&account(&server), &server).await;
            let dane = connection.unwrap().verdict().unwrap().dane.clone();
            assert!(matches!(dane, DaneVerdict::Matches { .. }), "{dane}");
            assert_eq!(table.asked().len(), 3);
        }
    }
}
