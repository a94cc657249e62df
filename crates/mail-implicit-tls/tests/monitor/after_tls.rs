//! Servers at which a client fails after TLS: what the handshake showed is known nevertheless.

use std::{sync::Arc, time::Duration};

use mail_implicit_tls::{
    dialogue::DialogueError,
    failure::{Cause, Stage},
    monitor::{AddressObservation, Check, Context, OldVersions, Options, State, judge},
    service::Service,
};
use rustls::ServerConfig;
use test_support::pki::Identity;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    site::Site,
    zone::{Zone, listener, observe, options},
};

#[tokio::test]
async fn shows_the_certificate_and_tls_of_a_server_at_which_the_client_fails_later() {
    let site = Site::new();
    let submission = Service::SUBMISSIONS;
    let cases = [
        (
            (submission, "220 hi\r\n", "250 hi\r\n"),
            Cause::Dialogue(DialogueError::NoAuthentication),
            State::Bad,
        ),
        (
            (submission, "421 later\r\n", ""),
            Cause::Dialogue(DialogueError::Refused),
            State::NotKnown,
        ),
        (
            (Service::IMAPS, "* BYE busy\r\n", ""),
            Cause::Dialogue(DialogueError::Refused),
            State::NotKnown,
        ),
        (
            (Service::IMAPS, "HTTP/1.1 400 no\r\n", ""),
            Cause::Dialogue(DialogueError::Unexpected),
            State::Bad,
        ),
        (
            (Service::POP3S, "", ""),
            Cause::Timeout(Stage::Encrypted),
            State::Bad,
        ),
    ];
    for (script, cause, state) in cases {
        let (address, found) = observed(&site, site.server(), script).await;
        assert_eq!(address.client, Err(cause.clone()));
        let tls = address.tls.as_ref().unwrap();
        assert!(tls.verdict.is_verified(), "{cause:?}");
        assert_eq!((tls.version, tls.cipher_suite), (0x0304, Some(0x1302)));
        let certificate = address.certificate.as_ref().unwrap();
        assert_eq!(certificate.der(), &*site.server().chain()[0]);
        let versions = OldVersions {
            up_to_1_1: None,
            tls_1_2: Some(true),
        };
        assert_eq!(address.old_versions, Ok(versions), "{cause:?}");
        let good = |check| (check, State::Good);
        let mut expected = vec![(Check::Connection, state)];
        expected.extend([Check::Validity, Check::Chain, Check::Names, Check::Versions].map(good));
        assert_eq!(found, expected, "{cause:?}");
    }
}

/// The client refuses the certificate, and a client that would accept it fails later.
#[tokio::test]
async fn shows_an_expired_certificate_of_a_server_at_which_the_client_fails_later() {
    let site = Site::new();
    let expired = site.expired();
    let script = (Service::SUBMISSIONS, "220 hi\r\n", "250 hi\r\n");
    let (address, found) = observed(&site, &expired, script).await;
    let tls = address.tls.as_ref().unwrap();
    assert_eq!(
        address.client,
        Err(Cause::NotVerified(Box::new(tls.verdict.clone())))
    );
    assert!(!tls.verdict.is_verified());
    let certificate = address.certificate.as_ref().unwrap();
    assert_eq!(certificate.der(), &*expired.chain()[0]);
    assert_eq!(
        found,
        [
            (Check::Connection, State::Bad),
            (Check::Validity, State::Bad),
            (Check::Names, State::Good),
            (Check::Versions, State::Good),
        ]
    );
}

/// Answers within TLS with a greeting, and each line with the same reply.
fn serve(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    greeting: &'static str,
    reply: &'static str,
) {
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(config.clone());
            tokio::spawn(async move {
                let mut stream = BufReader::new(acceptor.accept(tcp).await.ok()?);
                let mut answer = greeting;
                loop {
                    stream.write_all(answer.as_bytes()).await.ok()?;
                    stream.flush().await.ok()?;
                    let mut line = String::new();
                    if stream.read_line(&mut line).await.ok()? == 0 {
                        return Some(());
                    }
                    answer = reply;
                }
            });
        }
    });
}

/// Observes a server at one address, and returns the checks that have a finding about the address, with their states.
async fn observed(
    site: &Site,
    identity: &Identity,
    (service, greeting, reply): (Service, &'static str, &'static str),
) -> (AddressObservation, Vec<(Check, State)>) {
    let (listener, port) = listener().await;
    serve(listener, site.config_for(identity), greeting, reply);
    let zone = Zone::default().with_server(service, port);
    let options = Options {
        deadline: Duration::from_secs(3),
        ..options()
    };
    let (observed, _) = observe(site, zone, &options).await;
    let report = judge(&observed, &Context::default());
    let of_address = report
        .findings
        .iter()
        .filter(|it| it.subject.address().is_some())
        .map(|it| (it.check, it.state))
        .collect();
    let mut addresses = observed.servers.iter().flat_map(|it| &it.addresses);
    let address = addresses.next().and_then(|it| it.first()).unwrap();
    (address.clone(), of_address)
}
