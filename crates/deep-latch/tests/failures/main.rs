//! Every latched tag against every kind of fault: a latch is named only where its meaning in section 11.2 is
//! not met, and a certificate, a transport and a latch that fails are distinguished. Over TLS on loopback, and
//! nothing secret leaves the client.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod faults;
mod visit;

use std::{fmt, sync::Arc, time::Duration};

use deep_latch::{
    Facilities, Host, ImapClient, LatchRecord, LatchSession, PopClient, SecurityTag, SmtpClient,
    client::{Client, ClientOptions, Protocol, TlsStart},
    connection::{LatchConnector, MailStream, Pause, Rewound, RunError},
    facility::OnTlsaMismatch,
    facts::DaneVerdict,
    failure::{Action, CertificateFault, HandshakeFault, Stage},
    store::{Account, LatchStore, MemoryLatchStore},
    verifier::OnCertificateFailure,
};
use faults::*;
use rustls::{crypto::ring, pki_types::CertificateDer};
use test_support::pki::{Authority, Certificate};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use visit::*;

const HOST: &str = "mail.example.com";

/// The command that the application would send next.
const PASSWORD: &str = "correct horse";

const LATCHED: [Option<&str>; 5] = [
    None,
    Some("tls10"),
    Some("tls12"),
    Some("tls-cert"),
    Some("tls-dane-tlsa"),
];

#[tokio::test]
async fn names_a_latch_only_where_its_meaning_is_not_met_for_every_tag_and_fault() {
    let world = World::new();
    let mut pairs = 0;
    for speaks in [Speaks::Imap, Speaks::Pop, Speaks::Smtp] {
        for start in [TlsStart::Implicit, TlsStart::StartTls] {
            for latched in LATCHED {
                for fault in FAULTS {
                    let context = format!("{speaks:?} {start:?} {latched:?} {fault:?}");
                    let facilities = Facilities::new();
                    let visited =
                        visit(&world, speaks, start, latched, fault, facilities, |it| it).await;
                    let (connected, heard) = visited;
                    assert_eq!(
                        said(&connected, &context),
                        expected(latched, fault),
                        "{context}"
                    );
                    if let Ok(Err(RunError::Refused { failure, .. })) = &connected {
                        let tags: Vec<_> = failure.tags().iter().map(SecurityTag::as_str).collect();
                        assert_eq!(tags, Vec::from_iter(latched), "{context}");
                    }
                    // After a latch that failed, its report; else nothing at all.
                    let told = |line: &String| line.contains("latch-fail");
                    let reports = matches!(connected, Ok(Err(RunError::Refused { .. })));
                    assert!(heard.is_empty() || reports, "{context}: {heard:?}");
                    let after_tls = expected(latched, fault) == Said::Latch(Stage::Handshake);
                    let can_report = after_tls && !matches!(speaks, Speaks::Pop);
                    assert_eq!(heard.iter().any(told), can_report, "{context}: {heard:?}");
                    assert!(
                        !heard.iter().any(|line| line.contains(PASSWORD)),
                        "{context}"
                    );
                    pairs += 1;
                }
            }
        }
    }
    assert_eq!(pairs, 6 * LATCHED.len() * FAULTS.len());
}

#[tokio::test]
async fn sends_no_password_against_tlsa_records_unless_the_caller_says_so() {
    let world = World::new();
    let go_on = OnTlsaMismatch::GoOn;
    for speaks in [Speaks::Imap, Speaks::Pop, Speaks::Smtp] {
        for start in [
            TlsStart::Implicit,
            TlsStart::StartTls,
            TlsStart::StartTlsIfOffered,
        ] {
            for latched in LATCHED {
                let context = format!("{speaks:?} {start:?} {latched:?}");
                let fault = Fault::TlsaDiffers;
                // To go on with a certificate that PKIX refuses is another option.
                let careless =
                    |it: LatchConnector| it.on_certificate_failure(OnCertificateFailure::GoOn);
                let facilities = Facilities::new();
                let visited =
                    visit(&world, speaks, start, latched, fault, facilities, careless).await;
                assert_eq!(
                    said(&visited.0, &context),
                    expected(latched, fault),
                    "{context}"
                );
                assert!(
                    !visited.1.iter().any(|line| line.contains(PASSWORD)),
                    "{context}"
                );
                // With the option the password goes out, but where tls-dane-tlsa is latched.
                let facilities = Facilities::new().on_tlsa_mismatch(go_on);
                let visited =
                    visit(&world, speaks, start, latched, fault, facilities, |it| it).await;
                let sent = visited.1.iter().any(|line| line.contains(PASSWORD));
                assert_eq!(sent, latched != Some("tls-dane-tlsa"), "{context}");
                assert_eq!(matches!(visited.0, Ok(Ok(()))), sent, "{context}");
            }
        }
    }
}
