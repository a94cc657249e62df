//! Latches that an attacker between client and server, or in the server's place, can cause.

use conformance::outcome::{Checked, Failure, passed, same};
use deep_latch::{
    Facilities, ImapClient, MailProtocol, TlsFacts,
    client::{ClientError, TlsStart},
    connection::{Pause, RunError},
    facts::{CertificateUsage, DaneVerdict, Login, SessionFacts},
};

use super::{
    examples::{PROBE, demo, demo_of},
    server::{Server, Tls},
    world::{Certificate, Machine, Versions, World},
};

const ALL: [MailProtocol; 3] = [MailProtocol::Imap, MailProtocol::Pop, MailProtocol::Smtp];

/// A server without a certificate of the host advertises everything. A client that continues, as section 3.3 allows,
/// latches tls10 and tls12, and no URL; a client that does not continue latches nothing. So the real server can still
/// be used.
pub(super) async fn without_certificate() -> Checked {
    let world = World::new()?;
    // The facts that the attacker claims.
    let lie = SessionFacts {
        tls: PROBE.tls.map(|tls| TlsFacts {
            dane: DaneVerdict::Matches(CertificateUsage::DaneEe),
            ..tls
        }),
        ..PROBE
    };
    let everything = "tls10 tls12 tls-cert tls-dane-tlsa <https://attacker.example/>";
    let advertisement = demo_of(everything, &Facilities::new(), &lie)?;
    for protocol in ALL {
        for certificate in [
            Certificate::AnotherAuthority,
            Certificate::AnotherName,
            Certificate::Expired,
        ] {
            let attacker = || -> Checked<Server> {
                let acceptor = world.acceptor(certificate, Versions::All)?;
                let tls = Tls::Implicit(acceptor);
                Ok(Server::new(protocol, tls, Some(advertisement.clone())))
            };
            let machine = Machine::careless(&world)?;
            let (tcp, served) = attacker()?.listen().await?;
            machine.connect(protocol, tcp).await?.accepted()?;
            served.await??;
            same("latched", machine.latched().await?, ["tls10", "tls12"])?;
            same("status", machine.record().await?.status(), None)?;

            let server = Server::new(
                protocol,
                Tls::Implicit(world.good()?),
                Some(demo("tls-cert")?),
            );
            let (tcp, served) = server.listen().await?;
            machine.connect(protocol, tcp).await?.accepted()?;
            served.await??;
            same(
                "latched",
                machine.latched().await?,
                ["tls-cert", "tls10", "tls12"],
            )?;

            let machine = Machine::new(&world)?;
            let (tcp, served) = attacker()?.listen().await?;
            match machine.connect(protocol, tcp).await?.outcome {
                Err(RunError::Certificate { failure, .. }) => {
                    same("fault", failure.fault(), certificate.fault())?;
                }
                other => return Err(Failure::new(format!("{other:?} instead of no handshake"))),
            }
            served.await??;
            same("latched", machine.latched().await?, [""; 0])?;
        }
    }
    passed("no certificate, no latch but tls10 and tls12, no URL")
}

/// A status that is received before TLS latches nothing; tls10 or tls12 in clear cannot be ignored.
pub(super) async fn in_clear() -> Checked {
    let world = World::new()?;
    for protocol in ALL {
        for (status, accepted) in [
            ("tls-cert tls-dane-tlsa <https://attacker.example/>", true),
            ("tls10", false),
            ("tls12 tls-cert", false),
        ] {
            let mut machine = Machine::new(&world)?;
            machine.tls = TlsStart::StartTlsIfOffered;
            let lie = SessionFacts {
                tls: PROBE.tls.map(|tls| TlsFacts {
                    dane: DaneVerdict::Matches(CertificateUsage::DaneEe),
                    ..tls
                }),
                ..PROBE
            };
            let advertisement = demo_of(status, &Facilities::new(), &lie)?;
            let server = Server::new(protocol, Tls::None, Some(advertisement));
            let (tcp, served) = server.listen().await?;
            match (machine.connect(protocol, tcp).await?.outcome, accepted) {
                (Ok(()), true) | (Err(RunError::Client(ClientError::NoTls)), false) => {}
                (other, _) => return Err(Failure::new(format!("{status}: {other:?}"))),
            }
            served.await??;
            same("latched", machine.latched().await?, [""; 0])?;
            same("status", machine.record().await?.status(), None)?;
        }
    }
    passed("a status in clear latches no tag; if it contains tls10 or tls12, TLS is required")
}

/// SCRAM with channel binding authenticates a server whose certificate is not trusted: its status is recorded after
/// login, but tls-cert is not latched, as it is not achieved.
pub(super) async fn scram_plus() -> Checked {
    let world = World::new()?;
    let status = "tls10 tls-cert <https://www.example.com/status.html>";
    for (login, recorded) in [(Login::Done, None), (Login::ScramPlus, Some(status))] {
        let machine = Machine::careless(&world)?;
        let acceptor = world.acceptor(Certificate::AnotherAuthority, Versions::All)?;
        let server = Server::new(
            MailProtocol::Imap,
            Tls::Implicit(acceptor),
            Some(demo(status)?),
        );
        let (tcp, served) = server.listen().await?;
        let mut client = ImapClient::new(
            machine.session().await?,
            deep_latch::client::ClientOptions::default(),
        );
        let (store, account) = (&machine.store, &machine.account);
        let (pause, mut stream) = machine
            .connector
            .connect(&mut client, tcp, store, account)
            .await?;
        same("pause", pause, Pause::LogIn)?;
        same("before login", machine.record().await?.status(), None)?;
        // The exchange itself is the caller's.
        client.logged_in(login);
        same(
            "pause",
            client.run(&mut stream, store, account).await?,
            Pause::Ready,
        )?;
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await?;
        served.await??;
        let record = machine.record().await?;
        let status = record.status().map(|status| status.as_str());
        same("status", status, recorded)?;
        same("latched", machine.latched().await?, ["tls10"])?;
    }
    passed("the status is recorded after SCRAM-PLUS, and not after another login")
}
