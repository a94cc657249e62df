//! Clear text, which is offered only where no server of the domain has TLS.

use std::net::Ipv4Addr;

use mail_implicit_tls::{
    account::{AccountSetup, LowPrivacy},
    dialogue::DialogueError,
    dns::{Answer, LookupFailure, host::HostFailure},
    failure::Cause,
    service::{Protocol, Service},
    setup::{
        Candidate,
        check::{CheckedOffers, NotChecked, Outcome, check},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    candidates::{
        Known, TIME, candidate, causes, connector, high, low, offers, serve_clear, serve_starttls,
    },
    site::{HOST, Site},
};

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
