//! The operator's side: what the server may advertise is found out by a probe, and what clients report comes
//! back as a table before anything is changed.

use std::sync::Arc;

use conformance::outcome::{Checked, Failure, passed, same};
use deep_latch::{
    Advertisement, DeepStatus, Facilities, Host, ImapClient, MailProtocol, SecurityTag,
    client::ClientOptions,
    reports::{Clients, MemoryReportSink, ReportSink, TagCount},
    server::{AdvertiseError, AdvertisementConfig},
};

use super::{
    examples::demo,
    server::{Server, Tls, at},
    world::{Certificate, HOST, Machine, Versions, World},
};

/// A probe of the very server says what it keeps.
pub(super) async fn not_kept() -> Checked {
    let world = World::new()?;
    let config = AdvertisementConfig {
        status: DeepStatus::parse("tls10 tls12 tls-cert <https://www.example.com/status.html>")?,
        protocols: vec![MailProtocol::Imap],
        ..AdvertisementConfig::default()
    };
    for (certificate, kept) in [
        (Certificate::Good, true),
        (Certificate::Expired, false),
        (Certificate::AnotherName, false),
        (Certificate::AnotherAuthority, false),
    ] {
        let machine = Machine::careless(&world)?;
        let acceptor = world.acceptor(certificate, Versions::All)?;
        let server = Server::new(MailProtocol::Imap, Tls::Implicit(acceptor), None);
        let (tcp, served) = server.listen().await?;
        let mut probe = ImapClient::new(machine.session().await?, ClientOptions::default());
        let (store, account) = (&machine.store, &machine.account);
        let (_, stream) = machine
            .connector
            .connect(&mut probe, tcp, store, account)
            .await?;
        let facts = probe.session().facts();
        let advertised = Advertisement::try_new(&config, &Facilities::new(), facts).map(drop);
        let expected = match kept {
            true => Ok(()),
            false => Err(AdvertiseError::NotKept(vec![SecurityTag::TLS_CERT])),
        };
        same("advertised", advertised, expected)?;
        drop(stream);
        served.await??;
    }
    passed("tls-cert is advertised with a good certificate, and with no other")
}

/// Two users latch; the certificate expires; one of them fails, and says so. The operator asks what breaks.
pub(super) async fn what_breaks() -> Checked {
    let world = World::new()?;
    let sink: Arc<dyn ReportSink> = Arc::new(MemoryReportSink::new());
    let advertisement = demo("tls10 tls12 tls-cert <https://www.example.com/status.html>")?;
    let host = Host::try_new(HOST)?;
    let machines = [
        ("alice", Machine::new(&world)?),
        ("bob", Machine::new(&world)?),
    ];
    // Each connects twice: the second time it has latched.
    for (number, protocol, certificate) in [
        (0, MailProtocol::Imap, Certificate::Good),
        (0, MailProtocol::Smtp, Certificate::Good),
        (1, MailProtocol::Imap, Certificate::Good),
        (1, MailProtocol::Imap, Certificate::Good),
        (0, MailProtocol::Imap, Certificate::Expired),
        (0, MailProtocol::Smtp, Certificate::Expired),
    ] {
        let Some((account, machine)) = machines.get(number) else {
            return Err(Failure::new("no such machine"));
        };
        let acceptor = world.acceptor(certificate, Versions::All)?;
        let mut server = Server::new(
            protocol,
            Tls::Implicit(acceptor),
            Some(advertisement.clone()),
        );
        let seconds = match certificate {
            Certificate::Good => 0,
            _ => 3600,
        };
        server.sink = Some((sink.clone(), account, at(seconds)));
        let (tcp, served) = server.listen().await?;
        let connected = machine.connect(protocol, tcp).await?;
        match certificate {
            Certificate::Good => connected.accepted()?,
            _ => drop(connected.refused(&[SecurityTag::TLS_CERT])?),
        }
        served.await??;
    }
    let of = Clients {
        host: Some(&host),
        ..Clients::since(at(0))
    };
    let breaks = sink
        .what_breaks_if_dropped(&SecurityTag::TLS_CERT, of)
        .await?;
    let expected = "\
2 of 2 clients have tls-cert latched and would refuse to connect.
1 of them could not achieve it by its last report.

| program  | clients | failing | last seen  | last failure |
|----------|---------|---------|------------|--------------|
| DemoMail |  2 of 2 |       1 | 2014-11-24 | 2014-11-24   |
|   1.5    |  2 of 2 |       1 | 2014-11-24 | 2014-11-24   |
";
    same("the table", breaks.to_table(), expected)?;
    let tags = TagCount::to_table(&sink.clients_by_tag(of).await?, breaks.of);
    let expected = "\
| tag      | latched | not latched | failing | failures | last failure |
|----------|---------|-------------|---------|----------|--------------|
| tls-cert |  2 of 2 |           0 |       1 |        2 | 2014-11-24   |
| tls10    |  2 of 2 |           0 |       0 |        0 |              |
| tls12    |  2 of 2 |           0 |       0 |        0 |              |
";
    same("the tags", tags, expected)?;
    let dropped = sink
        .what_breaks_if_dropped(&SecurityTag::TLS_DANE_TLSA, of)
        .await?;
    same("tls-dane-tlsa", (dropped.clients, dropped.of), (0, 2))?;
    passed("2 clients have latched tls-cert, 1 of them failed twice")
}
