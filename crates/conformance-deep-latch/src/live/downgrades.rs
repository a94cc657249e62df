//! A client that has latched what its provider committed to, and a connection that has it no more: it refuses,
//! says why if it is over TLS, offers the URL that was recorded, and keeps its latches.

use std::sync::Arc;

use conformance::outcome::{Checked, Failure, passed, same};
use deep_latch::{
    Facilities, LatchRecord, MailProtocol, SecurityTag, TlsFacts,
    client::{ClientEvent, TlsStart},
    facility::{Achievement, OnTlsaMismatch},
    facts::{CertificateUsage, DaneVerdict, ProtocolVersion, SessionFacts},
    failure::{Action, CertificateFault, Stage},
    latch::Transition,
    status::StatusUrl,
    store::LatchStore,
};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    examples::{PROBE, demo, demo_of},
    server::{Heard, Server, Tls},
    world::{Certificate, Machine, Versions, World},
};

const ALL: [MailProtocol; 3] = [MailProtocol::Imap, MailProtocol::Pop, MailProtocol::Smtp];

const STATUS: &str = "tls10 tls12 tls-cert <https://www.example.com/status.html>";

const LATCHED: [&str; 3] = ["tls-cert", "tls10", "tls12"];

/// A machine that has latched what the provider committed to on its first connection.
async fn latched(world: &World, protocol: MailProtocol, tls: TlsStart) -> Checked<Machine> {
    let mut machine = Machine::new(world)?;
    machine.tls = tls;
    let acceptor = world.good()?;
    let tls = match tls {
        TlsStart::Implicit => Tls::Implicit(acceptor),
        _ => Tls::OnCommand(acceptor),
    };
    let server = Server::new(protocol, tls, Some(demo(STATUS)?));
    let (tcp, served) = server.listen().await?;
    machine.connect(protocol, tcp).await?.accepted()?;
    served.await??;
    same("latched", machine.latched().await?, LATCHED)?;
    Ok(machine)
}

/// Checks that the failure changes nothing in the record, and that the user is offered its URL and no action that
/// connects.
async fn unharmed(machine: &Machine, failure: &deep_latch::failure::LatchFailure) -> Checked<()> {
    same("latched", machine.latched().await?, LATCHED)?;
    let url = StatusUrl::parse("https://www.example.com/status.html")?;
    let expected = [
        Action::WorkOffline,
        Action::TryAgainLater,
        Action::OpenStatusPage(url),
    ];
    same("actions", failure.actions(), expected)
}

/// Checks that the client sent the report of the failure, and nothing else.
fn told(protocol: MailProtocol, heard: &Heard) -> Checked<()> {
    let expected: &[&str] = match protocol {
        MailProtocol::Imap => &[
            "deep1 ID (\"name\" \"DemoMail\" \"version\" \"1.5\" \"latch-fail\" \"tls-cert\")",
            "deep2 LOGOUT",
        ],
        // POP has no report.
        MailProtocol::Pop => &[],
        MailProtocol::Smtp => &[
            "EHLO client.example.com",
            "CLIENT name=DemoMail version=1.5 latch-fail=tls-cert",
            "QUIT",
        ],
    };
    let said: Vec<_> = heard.client();
    let said = match protocol {
        // Closing the session is no report.
        MailProtocol::Pop => said.into_iter().filter(|line| *line != "QUIT").collect(),
        _ => said,
    };
    same("the client said", said.as_slice(), expected)
}

async fn certificate(of: Certificate) -> Checked {
    let world = World::new()?;
    for protocol in ALL {
        let machine = latched(&world, protocol, TlsStart::Implicit).await?;
        // Whoever it is advertises nothing, or a page of its own.
        let advertisement = demo("<https://attacker.example/>")?;
        let acceptor = world.acceptor(of, Versions::All)?;
        let server = Server::new(protocol, Tls::Implicit(acceptor), Some(advertisement));
        let (tcp, served) = server.listen().await?;
        let connected = machine.connect(protocol, tcp).await?;
        let failure = connected.refused(&[SecurityTag::TLS_CERT])?;
        same("stage", failure.stage(), Stage::Handshake)?;
        told(protocol, &served.await??)?;
        unharmed(&machine, failure).await?;
        // The provider is back.
        let server = Server::new(protocol, Tls::Implicit(world.good()?), Some(demo(STATUS)?));
        let (tcp, served) = server.listen().await?;
        machine.connect(protocol, tcp).await?.accepted()?;
        served.await??;
    }
    passed("IMAP, POP and SMTP: refused for tls-cert, and reported where that can be")
}

pub(super) async fn another_authority() -> Checked {
    certificate(Certificate::AnotherAuthority).await
}

pub(super) async fn another_name() -> Checked {
    certificate(Certificate::AnotherName).await
}

pub(super) async fn expired() -> Checked {
    certificate(Certificate::Expired).await
}

/// An attacker removes STARTTLS from the server's offer.
pub(super) async fn stripped() -> Checked {
    let world = World::new()?;
    for protocol in ALL {
        for tls in [TlsStart::StartTls, TlsStart::StartTlsIfOffered] {
            let mut machine = latched(&world, protocol, TlsStart::StartTls).await?;
            machine.tls = tls;
            for advertisement in [None, Some(demo("<https://attacker.example/>")?)] {
                let server = Server::new(protocol, Tls::None, advertisement);
                let (tcp, served) = server.listen().await?;
                let connected = machine.connect(protocol, tcp).await?;
                let failure = connected.refused(&[
                    SecurityTag::TLS_CERT,
                    SecurityTag::TLS10,
                    SecurityTag::TLS12,
                ])?;
                same("stage", failure.stage(), Stage::NoTls)?;
                same("may report", failure.may_report(), false)?;
                unharmed(&machine, failure).await?;
                // The latches are not reported in clear.
                let heard = served.await??;
                let tells = |line: &&str| line.contains("latch") || line.starts_with("CLIENT");
                same("told", heard.client().iter().any(tells), false)?;
            }
        }
    }
    passed("IMAP, POP and SMTP: refused for all that was latched, and nothing said of it in clear")
}

/// The provider advertises nothing any more: what was latched stays.
pub(super) async fn withdrawn() -> Checked {
    let world = World::new()?;
    for protocol in ALL {
        let machine = latched(&world, protocol, TlsStart::Implicit).await?;
        for advertisement in [None, Some(demo("")?)] {
            let empty = advertisement.is_some();
            let server = Server::new(protocol, Tls::Implicit(world.good()?), advertisement);
            let (tcp, served) = server.listen().await?;
            let connected = machine.connect(protocol, tcp).await?;
            connected.accepted()?;
            served.await??;
            same("latched", machine.latched().await?, LATCHED)?;
            let withdrawn = ClientEvent::Transition(Transition::Withdrawn);
            let seen = connected.events.contains(&withdrawn);
            same("withdrawn", seen, !empty)?;
        }
        let acceptor = world.acceptor(Certificate::AnotherAuthority, Versions::All)?;
        let server = Server::new(protocol, Tls::Implicit(acceptor), None);
        let (tcp, served) = server.listen().await?;
        let connected = machine.connect(protocol, tcp).await?;
        connected.refused(&[SecurityTag::TLS_CERT])?;
        same("latched", machine.latched().await?, LATCHED)?;
        served.await??;
    }
    passed("IMAP, POP and SMTP: the latches stay, and are still required")
}

/// tls12 is latched, and the server answers with TLS 1.1: rustls has no such version, and neither is it
/// offered; the handshake fails.
pub(super) async fn tls11() -> Checked {
    // ServerHello of TLS 1.1 with TLS_RSA_WITH_AES_128_CBC_SHA.
    let mut hello = vec![
        0x16, 0x03, 0x02, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26, 0x03, 0x02,
    ];
    hello.extend([0x0b; 32]);
    hello.extend([0x00, 0x00, 0x2f, 0x00]);
    // Or an alert: protocol_version.
    let alert = vec![0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46];
    let world = World::new()?;
    for answer in [hello, alert] {
        let machine = latched(&world, MailProtocol::Imap, TlsStart::Implicit).await?;
        let requirements = machine.session().await?.requirements();
        same(
            "least",
            requirements.min_version,
            Some(ProtocolVersion::TLS1_2),
        )?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let tcp = TcpStream::connect(listener.local_addr()?).await?;
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut offered = vec![0; 4096];
            let length = stream.read(&mut offered).await?;
            offered.truncate(length);
            stream.write_all(&answer).await?;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            Ok::<_, std::io::Error>(offered)
        });
        let connected = machine.connect(MailProtocol::Imap, tcp).await?;
        let failure = connected.refused(&[
            SecurityTag::TLS_CERT,
            SecurityTag::TLS10,
            SecurityTag::TLS12,
        ])?;
        same("stage", failure.stage(), Stage::HandshakeFailed)?;
        unharmed(&machine, failure).await?;
        // supported_versions: 1.3 and 1.2 are what the client offers.
        let offered = served.await??;
        let versions = [0x00, 0x2b, 0x00, 0x05, 0x04, 0x03, 0x04, 0x03, 0x03];
        let offers = offered.windows(versions.len()).any(|it| it == versions);
        same("offers TLS 1.3 and 1.2 alone", offers, true)?;
    }
    passed("TLS 1.1 is not offered, and refused when the server answers with it")
}

/// A provider's own tag for TLS 1.3: a server that supports only 1.2 is refused after the handshake, and receives the
/// report.
pub(super) async fn lower_version() -> Checked {
    fn rule(facts: &SessionFacts) -> Achievement {
        match facts.tls {
            Some(TlsFacts { version, .. }) if version >= ProtocolVersion::TLS1_3 => {
                Achievement::Achieved
            }
            _ => Achievement::NotAchieved,
        }
    }
    let world = World::new()?;
    let tag = SecurityTag::parse("x-tls13")?.into_owned();
    let mut facilities = Facilities::new();
    facilities.add(tag.clone(), rule)?;
    let advertisement = demo_of("tls12 x-tls13", &facilities, &PROBE)?;
    let mut machine = Machine::new(&world)?;
    machine.facilities = facilities;
    let server = |versions| -> Checked<Server> {
        let acceptor = world.acceptor(Certificate::Good, versions)?;
        let tls = Tls::Implicit(acceptor);
        Ok(Server::new(
            MailProtocol::Imap,
            tls,
            Some(advertisement.clone()),
        ))
    };
    let (tcp, served) = server(Versions::All)?.listen().await?;
    machine.connect(MailProtocol::Imap, tcp).await?.accepted()?;
    served.await??;
    same("latched", machine.latched().await?, ["tls12", "x-tls13"])?;
    let (tcp, served) = server(Versions::Tls12)?.listen().await?;
    let connected = machine.connect(MailProtocol::Imap, tcp).await?;
    connected.refused(&[tag])?;
    let heard = served.await??;
    let said = "deep1 ID (\"name\" \"DemoMail\" \"version\" \"1.5\" \"latch\" \"tls12\" \
        \"latch-fail\" \"x-tls13\")";
    let told = heard
        .client()
        .first()
        .map(|line| line.contains("\"latch-fail\" \"x-tls13\""));
    same(said, told, Some(true))?;
    passed("TLS 1.3 is latched, 1.2 is refused, and reported")
}

/// The verdict on TLSA records is the caller's: tls-dane-tlsa is latched by it, and refused by it.
pub(super) async fn dane() -> Checked {
    let world = World::new()?;
    let probe = SessionFacts {
        tls: PROBE.tls.map(|tls| TlsFacts {
            dane: DaneVerdict::Matches(CertificateUsage::DaneTa),
            ..tls
        }),
        ..PROBE
    };
    let advertisement = demo_of("tls-dane-tlsa", &Facilities::new(), &probe)?;
    let mut machine = Machine::careless(&world)?;
    // PKIX does not trust it; DNSSEC does.
    for (verdict, accepted) in [
        (DaneVerdict::NoRecords, true),
        (DaneVerdict::Matches(CertificateUsage::DaneTa), true),
        (DaneVerdict::Differs, false),
        (DaneVerdict::NoRecords, false),
        (DaneVerdict::Matches(CertificateUsage::DaneEe), true),
    ] {
        machine.connector = machine
            .connector
            .dane(Arc::new(move |_: &[CertificateDer<'_>]| verdict));
        let acceptor = world.acceptor(Certificate::AnotherAuthority, Versions::All)?;
        let server = Server::new(
            MailProtocol::Pop,
            Tls::Implicit(acceptor),
            Some(advertisement.clone()),
        );
        let (tcp, served) = server.listen().await?;
        let connected = machine.connect(MailProtocol::Pop, tcp).await?;
        if accepted {
            connected.accepted()?;
        } else {
            connected.refused(&[SecurityTag::TLS_DANE_TLSA])?;
        }
        served.await??;
    }
    same("latched", machine.latched().await?, ["tls-dane-tlsa"])?;
    let url = machine.record().await?;
    let recorded = url
        .status()
        .map(|status| status.as_str() == "tls-dane-tlsa");
    same("recorded", recorded, Some(true)).map_err(|error: Failure| error.of("status"))?;
    passed("latched when a record matched, refused when none did")
}

/// TLSA records that contradict a certificate which PKIX trusts end the connection whatever is latched, and
/// the server hears nothing; unless the caller says so. Only tls-dane-tlsa is a latch of them.
pub(super) async fn contradicted() -> Checked {
    let world = World::new()?;
    for protocol in ALL {
        for start in [TlsStart::Implicit, TlsStart::StartTls] {
            for latched in [None, Some(SecurityTag::TLS12), Some(SecurityTag::TLS_CERT)] {
                for on_mismatch in [OnTlsaMismatch::Refuse, OnTlsaMismatch::GoOn] {
                    let mut machine = Machine::new(&world)?;
                    machine.tls = start;
                    machine.facilities = Facilities::new().on_tlsa_mismatch(on_mismatch);
                    machine.connector = machine
                        .connector
                        .dane(Arc::new(|_: &[CertificateDer<'_>]| DaneVerdict::Differs));
                    let record = LatchRecord::preset(machine.host.clone(), latched.clone());
                    machine.store.merge(&machine.account, &record).await?;
                    let acceptor = world.good()?;
                    let tls = match start {
                        TlsStart::Implicit => Tls::Implicit(acceptor),
                        _ => Tls::OnCommand(acceptor),
                    };
                    let server = Server::new(protocol, tls, Some(demo("tls10 tls-cert")?));
                    let (tcp, served) = server.listen().await?;
                    let connected = machine.connect(protocol, tcp).await?;
                    let heard = served.await??;
                    if on_mismatch == OnTlsaMismatch::GoOn {
                        connected.accepted()?;
                        continue;
                    }
                    let failure = connected.refused_certificate()?;
                    same("fault", failure.fault(), CertificateFault::Dane)?;
                    let starttls =
                        |line: &&str| ["STLS", "STARTTLS"].iter().any(|it| line.ends_with(it));
                    let said = heard.client();
                    let after = match start {
                        TlsStart::Implicit => 0,
                        _ => said
                            .iter()
                            .position(starttls)
                            .map_or(usize::MAX, |at| at + 1),
                    };
                    same("said over TLS", said.get(after..), Some(&[][..]))?;
                    let expected: Vec<_> = latched.iter().map(SecurityTag::to_string).collect();
                    same("latched", machine.latched().await?, expected)?;
                }
            }
        }
    }
    passed("IMAP, POP and SMTP, at once and by STARTTLS: refused without a word, named by no latch")
}
