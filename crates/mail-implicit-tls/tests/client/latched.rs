//! Connections to servers that advertise DEEP: latches are enforced, stored and reported.

use std::{net::Ipv4Addr, time::Duration};

use deep_latch::{
    DeepStatus, Host as LatchHost, LatchRecord, SecurityTag,
    client::ClientEvent,
    connection::RunError,
    facility::Authentication,
    latch::{Basis, Transition},
    store::{Account as LatchAccount, LatchStore, MemoryLatchStore},
};
use mail_implicit_tls::{
    account::LowPrivacy,
    deep::{LatchedConnector, LatchedFailure},
    dialogue::DialogueError,
    failure::{Action, Cause, StatusPage},
    privacy::PrivacyLevel,
    service::{Protocol, Service},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    deep_server::{STATUS, account, serve, server},
    site::{HOST, Site},
};

const LOW: LowPrivacy = LowPrivacy {
    ignore_certificate: true,
    clear_text_fallback: true,
};

fn name() -> LatchAccount {
    LatchAccount::try_new("alice").unwrap()
}

async fn latched(store: &dyn LatchStore) -> Vec<SecurityTag<'static>> {
    let host = LatchHost::try_new(HOST).unwrap();
    let record = store.load(&name(), &host).await.unwrap();
    record.latched().cloned().collect()
}

/// A store in which the host has these latches, and a status page from an earlier connection.
async fn store_with(tags: &[SecurityTag<'static>]) -> MemoryLatchStore {
    let store = MemoryLatchStore::default();
    let host = LatchHost::try_new(HOST).unwrap();
    let record = LatchRecord::preset(host, tags.iter().cloned());
    store.merge(&name(), &record).await.unwrap();
    store
}

#[tokio::test]
async fn latches_and_reports_in_all_protocols() {
    let site = Site::new();
    for service in [Service::IMAPS, Service::POP3S, Service::SUBMISSIONS] {
        let serving = serve(service.protocol, site.server_config()).await;
        let server = server(service, serving.port);
        let account = account(&server, None);
        let store = MemoryLatchStore::default();
        let connector = site.connector();
        let connector = LatchedConnector::new(&connector, &store);
        let mut first = connector.connect(&account, &server).await.unwrap();
        assert_eq!(
            latched(&store).await,
            [SecurityTag::TLS_CERT, SecurityTag::TLS12]
        );
        assert_eq!(first.record().status().unwrap().as_str(), STATUS);
        assert_eq!(first.take_events(), first_events(service.protocol));
        assert_eq!(first.take_events(), []);
        assert_eq!(
            first.connection().indication().level(),
            Some(PrivacyLevel::High)
        );
        // The connection is where the client logs in.
        let mut stream = first.into_connection().into_stream();
        stream.write_all(b"PING\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut pong = [0; 6];
        stream.read_exact(&mut pong).await.unwrap();
        assert_eq!(&pong, b"PONG\r\n");
        stream.shutdown().await.unwrap();
        // The next connection meets what is latched.
        let mut second = connector.connect(&account, &server).await.unwrap();
        // Section 7 has no report in POP.
        let reports = match service.protocol {
            Protocol::Pop => vec![],
            Protocol::Imap | Protocol::Submission => vec![REPORTED],
        };
        assert_eq!(second.take_events(), reports);
        second.stream().shutdown().await.unwrap();
        let heard = serving.heard.lock().unwrap().clone();
        let has_report = heard.iter().any(|line| line.contains("tls-cert"));
        assert_eq!(has_report, !reports.is_empty(), "{service}: {heard:?}");
    }
}

const REPORTED: ClientEvent = ClientEvent::Reported { accepted: true };

/// Returns the events of a first connection: what is latched and recorded, and the report in its place.
fn first_events(protocol: Protocol) -> Vec<ClientEvent> {
    let basis = Basis::Authenticated(Authentication::Pkix);
    let mut events: Vec<_> = [
        Transition::Latched(SecurityTag::TLS12, basis),
        Transition::Latched(SecurityTag::TLS_CERT, basis),
        Transition::Recorded(DeepStatus::parse(STATUS).unwrap()),
    ]
    .map(ClientEvent::Transition)
    .into();
    match protocol {
        Protocol::Imap => events.insert(0, REPORTED),
        Protocol::Pop => {}
        Protocol::Submission => events.push(REPORTED),
    }
    events
}

#[tokio::test]
async fn refuses_an_unverified_server_at_the_low_level_once_it_is_latched() {
    let site = Site::new();
    let other = site.config_for(&site.issue(&["other.example"]));
    let serving = serve(Protocol::Imap, other).await;
    let server = server(Service::IMAPS, serving.port);
    let account = account(&server, Some(LOW));
    let connector = site.connector();

    // Without a latch the account ignores the certificate, and only what was negotiated is latched.
    let empty = MemoryLatchStore::default();
    let connection = LatchedConnector::new(&connector, &empty)
        .connect(&account, &server)
        .await
        .unwrap();
    assert_eq!(
        connection.connection().indication().level(),
        Some(PrivacyLevel::Low)
    );
    assert_eq!(latched(&empty).await, [SecurityTag::TLS12]);
    drop(connection);

    let store = store_with(&[SecurityTag::TLS_CERT]).await;
    let refused = LatchedConnector::new(&connector, &store)
        .connect(&account, &server)
        .await
        .unwrap_err();
    let LatchedFailure::Latches(error) = &refused else {
        panic!("{refused}")
    };
    let RunError::Refused { failure, .. } = error.as_ref() else {
        panic!("{error}")
    };
    assert_eq!(failure.tags(), [SecurityTag::TLS_CERT]);
    assert_eq!(
        refused.actions(),
        [Action::WorkOffline, Action::TryAgainLater]
    );
}

#[tokio::test]
async fn names_the_latches_when_the_certificate_is_refused_at_the_high_level() {
    let site = Site::new();
    // The first connection records the status page, the second is another's.
    let serving = serve(Protocol::Imap, site.server_config()).await;
    let good = server(Service::IMAPS, serving.port);
    let store = MemoryLatchStore::default();
    let connector = site.connector();
    let connector = LatchedConnector::new(&connector, &store);
    connector
        .connect(&account(&good, None), &good)
        .await
        .unwrap();

    let other = site.config_for(&site.issue(&["other.example"]));
    let serving = serve(Protocol::Imap, other).await;
    let bad = server(Service::IMAPS, serving.port);
    let refused = connector.connect(&account(&bad, None), &bad).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, LatchedFailure::Latches(_)), "{refused}");
    let page = StatusPage::parse("https://status.example.org/").unwrap();
    assert_eq!(
        refused.actions(),
        [
            Action::WorkOffline,
            Action::TryAgainLater,
            Action::OpenStatusPage(page)
        ]
    );
    assert_eq!(serving.heard.lock().unwrap().len(), 0);

    // Without latches it is a failure of the connection.
    let empty = MemoryLatchStore::default();
    let connector = site.connector();
    let failed = LatchedConnector::new(&connector, &empty)
        .connect(&account(&bad, None), &bad)
        .await
        .unwrap_err();
    let LatchedFailure::Connection(failure) = &failed else {
        panic!("{failed}")
    };
    assert!(matches!(failure.cause(), Cause::NotVerified(_)));
    assert_eq!(failed.actions(), failure.actions());
}

#[tokio::test]
async fn never_uses_clear_text_once_tls_is_latched() {
    let site = Site::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] no TLS\r\n";
            let _ = tcp.write_all(greeting).await;
            let mut read = Vec::new();
            let _ = tcp.read_to_end(&mut read).await;
            assert_eq!(read, b"", "nothing is sent in clear text");
        }
    });
    let server = server(Service::IMAP_STARTTLS, port);
    let connector = site.connector().with_deadline(Duration::from_secs(5));
    for low in [None, Some(LOW)] {
        let account = account(&server, low);
        let store = store_with(&[SecurityTag::TLS12]).await;
        let refused = LatchedConnector::new(&connector, &store)
            .connect(&account, &server)
            .await
            .unwrap_err();
        let LatchedFailure::Latches(error) = &refused else {
            panic!("{refused}")
        };
        let RunError::Refused { failure, .. } = error.as_ref() else {
            panic!("{error}")
        };
        assert_eq!(failure.tags(), [SecurityTag::TLS12]);
        assert!(!failure.may_report());

        let empty = MemoryLatchStore::default();
        let result = LatchedConnector::new(&connector, &empty)
            .connect(&account, &server)
            .await;
        match (low, result) {
            (None, Err(LatchedFailure::Connection(failure))) => {
                assert_eq!(failure.cause(), &Cause::Dialogue(DialogueError::NoStartTls));
            }
            (Some(_), Ok(mut connection)) => {
                assert_eq!(connection.connection().indication().level(), None);
                assert_eq!(connection.take_events(), []);
                connection
                    .logged_in(deep_latch::facts::Login::Done, &empty)
                    .await
                    .unwrap();
            }
            (_, result) => panic!("{result:?}"),
        }
        assert_eq!(latched(&empty).await, []);
    }
}

#[tokio::test]
async fn latches_nothing_that_comes_after_a_broken_connection() {
    let site = Site::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            drop(tcp)
        }
    });
    let server = server(Service::IMAPS, port);
    let store = store_with(&[SecurityTag::TLS12]).await;
    let connector = site.connector();
    // A connection that broke says nothing about latches.
    let failed = LatchedConnector::new(&connector, &store)
        .connect(&account(&server, None), &server)
        .await
        .unwrap_err();
    assert!(
        matches!(failed, LatchedFailure::Connection(_)),
        "{failed:?}"
    );
}
