//! The draft's examples of sections 7.1 to 7.3, word for word on the wire; what the client latches then; and
//! forms that the examples do not have.

use std::sync::Arc;

use conformance::outcome::{Checked, Failure, passed, same};
use deep_latch::{
    Advertisement, ClientReport, DeepStatus, Facilities, Host, LatchRecord, LatchSession,
    MailProtocol, PopClient, SecurityTag, TlsFacts,
    connection::{MailStream, Pause, Rewound},
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion, SessionFacts},
    failure::Stage,
    imap::IdParameters,
    latch::{Event, Outcome, Transition},
    pop::CapaLine,
    report::FieldNames,
    server::AdvertisementConfig,
    smtp::EhloLine,
    status::StatusOptions,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    server::{Server, Tls},
    world::{HOST, Machine, World},
};

/// The facts of a connection to the server that is up to date.
pub(super) const PROBE: SessionFacts = SessionFacts {
    tls: Some(TlsFacts {
        version: ProtocolVersion::TLS1_3,
        strength_bits: Some(256),
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: DaneVerdict::NotChecked,
    }),
    login: None,
};

/// That of the demo server, of this status.
pub(super) fn demo(status: &str) -> Checked<Advertisement> {
    demo_of(status, &Facilities::new(), &PROBE)
}

pub(super) fn demo_of(
    status: &str,
    facilities: &Facilities,
    probe: &SessionFacts,
) -> Checked<Advertisement> {
    let config = AdvertisementConfig {
        status: DeepStatus::parse(status)?.into_owned(),
        name: Some("Demo Server".to_owned()),
        version: Some("1.7".to_owned()),
        field_names: FieldNames::Examples,
        protocols: vec![MailProtocol::Imap, MailProtocol::Pop, MailProtocol::Smtp],
    };
    Ok(Advertisement::try_new(&config, facilities, probe)?)
}

/// Returns the report of the demo client of examples 1 and 3.
pub(super) fn demo_report() -> ClientReport {
    ClientReport {
        name: Some("Demo Mail".to_owned()),
        version: Some("1.5".to_owned()),
        latch: vec![SecurityTag::TLS10, SecurityTag::TLS_CERT],
        security_tags: vec![SecurityTag::TLS12],
        ..ClientReport::default()
    }
}

/// A client that says what the examples have it say, one command after another.
pub(super) struct Raw {
    stream: BufReader<TlsStream<TcpStream>>,
}

impl Raw {
    /// Connects. The certificate is not checked: the latch machine receives the verdicts of the example.
    pub(super) async fn connect(world: &World, tcp: TcpStream) -> Checked<Self> {
        let config: ClientConfig = world.trusting()?;
        let name = ServerName::try_from(HOST)?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await?;
        let stream = BufReader::new(stream);
        Ok(Self { stream })
    }

    pub(super) async fn line(&mut self) -> Checked<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(Failure::new("the server went away"));
        }
        Ok(line.trim_end().to_owned())
    }

    pub(super) async fn say(&mut self, text: &str) -> Checked<()> {
        self.stream.write_all(text.as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    /// TLS's version and suite.
    pub(super) fn facts(&self) -> Checked<(ProtocolVersion, u16)> {
        let (_, connection) = self.stream.get_ref().get_ref();
        let version = connection.protocol_version();
        let version = version.ok_or_else(|| Failure::new("no version"))?;
        let suite = connection.negotiated_cipher_suite();
        let suite = suite.ok_or_else(|| Failure::new("no suite"))?.suite();
        Ok((ProtocolVersion(version.into()), suite.into()))
    }

    /// Returns the facts for the latch machine, with these verdicts.
    fn told(&self, chain: ChainVerdict, identity: IdentityVerdict) -> Checked<TlsFacts> {
        let (version, suite) = self.facts()?;
        Ok(TlsFacts {
            version,
            strength_bits: deep_latch::TlsCipher::from_number(suite).strength_bits(),
            chain,
            identity,
            dane: DaneVerdict::NotChecked,
        })
    }

    pub(super) async fn close(mut self) -> Checked<()> {
        Ok(self.stream.shutdown().await?)
    }
}

/// The status in the answer to ID.
fn status_in(line: &str) -> Checked<Option<DeepStatus<'static>>> {
    let list = line.strip_prefix("* ID ");
    let list = list.ok_or_else(|| Failure::new(format!("{line:?} instead of * ID")))?;
    let parameters = IdParameters::parse(list.as_bytes())?;
    let status = parameters.status(StatusOptions::default())?;
    Ok(status.map(|status| status.into_status().into_owned()))
}

fn continues(step: &deep_latch::latch::Step) -> Checked<()> {
    same("the outcome", &step.outcome, &Outcome::Continue)
}

/// Example 1: the client has latched tls10 and tls-cert, and supports tls12; the server commits to nothing. It
/// latches the URL, and not tls12.
pub(super) async fn imap_1() -> Checked {
    const EXAMPLE: &[&str] = &[
        "S: * OK [CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1] hello",
        "C: a001 ID (\"name\" \"Demo Mail\" \"version\" \"1.5\" \"latch\" \
         \"tls10 tls-cert\" \"security-tags\" \"tls12\")",
        "S: * ID (\"name\" \"Demo Server\" \"version\" \"1.7\" \"deep-status\" \
         \"<https://www.example.com/privacy-support.html>\")",
        "S: a001 OK ID completed",
    ];
    let world = World::new()?;
    let advertisement = demo("<https://www.example.com/privacy-support.html>")?;
    let server = Server::new(
        MailProtocol::Imap,
        Tls::Implicit(world.good()?),
        Some(advertisement),
    );
    let (tcp, served) = server.listen().await?;
    let record = LatchRecord::preset(
        Host::try_new(HOST)?,
        [SecurityTag::TLS10, SecurityTag::TLS_CERT],
    );
    let mut session = LatchSession::try_new(record, Facilities::new())?;
    same("before", &session.outcome(), &Outcome::StartTls)?;
    let mut client = Raw::connect(&world, tcp).await?;
    let facts = client.told(ChainVerdict::Trusted, IdentityVerdict::Matches)?;
    continues(&session.step(Event::Handshake(facts)))?;
    client.line().await?;
    let parameters = demo_report()
        .to_id_parameters(FieldNames::Examples)?
        .to_string();
    client.say(&format!("a001 ID {parameters}\r\n")).await?;
    let status = status_in(&client.line().await?)?;
    let status = status.ok_or_else(|| Failure::new("no status"))?;
    same("tagged", client.line().await?, "a001 OK ID completed")?;
    let step = session.step(Event::Status(&status));
    continues(&step)?;
    same(
        "transitions",
        step.transitions,
        [Transition::Recorded(status)],
    )?;
    let record = session.record();
    same("tls12", record.is_latched(&SecurityTag::TLS12), false)?;
    let url = record.url().map(|url| url.as_str().to_owned());
    let expected = "https://www.example.com/privacy-support.html";
    same("URL", url.as_deref(), Some(expected))?;
    client.close().await?;
    let heard = served.await??;
    same("the wire", heard.lines.as_slice(), EXAMPLE)?;
    same("the report", heard.reports.as_slice(), &[Ok(demo_report())])?;
    passed("word for word; the URL is recorded, tls12 is not latched")
}

/// Example 2: the client could not verify the certificate, says so, ignores the status, and goes.
pub(super) async fn imap_2() -> Checked {
    const EXAMPLE: &[&str] = &[
        "S: * OK [CAPABILITY IMAP4rev1 DEEP ID AUTH=PLAIN AUTH=SCRAM-SHA-1] hello",
        "C: a001 ID (\"name\" \"Demo Mail\" \"version\" \"1.5\" \"latch-failure\" \"tls-cert\")",
        "S: * ID (\"name\" \"Demo Server\" \"version\" \"1.7\" \"deep-status\" \
         \"tls10 <https://www.example.com/privacy-support.html>\")",
        "S: a001 OK ID completed",
        "C: a002 LOGOUT",
        "S: * BYE bye",
        "S: a002 OK LOGOUT completed",
    ];
    let world = World::new()?;
    let server = Server::new(
        MailProtocol::Imap,
        Tls::Implicit(world.good()?),
        Some(demo(
            "tls10 <https://www.example.com/privacy-support.html>",
        )?),
    );
    let (tcp, served) = server.listen().await?;
    let record = LatchRecord::preset(Host::try_new(HOST)?, [SecurityTag::TLS_CERT]);
    let mut session = LatchSession::try_new(record.clone(), Facilities::new())?;
    let mut client = Raw::connect(&world, tcp).await?;
    let facts = client.told(ChainVerdict::Refused, IdentityVerdict::Matches)?;
    let Outcome::Refuse(failure) = session.step(Event::Handshake(facts)).outcome else {
        return Err(Failure::new("not refused"));
    };
    same("may report", failure.may_report(), true)?;
    same("stage", failure.stage(), Stage::Handshake)?;
    let report = ClientReport {
        latch: vec![],
        latch_fail: failure.tags().to_vec(),
        security_tags: vec![],
        ..demo_report()
    };
    client.line().await?;
    let parameters = report.to_id_parameters(FieldNames::Examples)?.to_string();
    client.say(&format!("a001 ID {parameters}\r\n")).await?;
    let status = status_in(&client.line().await?)?;
    let status = status.ok_or_else(|| Failure::new("no status"))?;
    client.line().await?;
    let step = session.step(Event::Status(&status));
    same("outcome", &step.outcome, &Outcome::Refuse(failure))?;
    same("the record", session.record(), &record)?;
    client.say("a002 LOGOUT\r\n").await?;
    client.line().await?;
    client.line().await?;
    client.close().await?;
    let heard = served.await??;
    same("the wire", heard.lines.as_slice(), EXAMPLE)?;
    same("the report", heard.reports.as_slice(), &[Ok(report)])?;
    passed("word for word; the failure is reported, the status ignored")
}

/// Section 7.2: the client can latch what CAPA has.
pub(super) async fn pop() -> Checked {
    const EXAMPLE: &[&str] = &[
        "S: +OK POP server ready",
        "C: CAPA",
        "S: +OK Capability list follows",
        "S: TOP",
        "S: SASL PLAIN SCRAM-SHA-1",
        "S: RESP-CODES",
        "S: PIPELINING",
        "S: UIDL",
        "S: DEEP tls10 tls12 <https://www.example.com/privacy-support.html>",
        "S: .",
    ];
    let world = World::new()?;
    let machine = Machine::new(&world)?;
    let server = Server::new(
        MailProtocol::Pop,
        Tls::Implicit(world.good()?),
        Some(demo(
            "tls10 tls12 <https://www.example.com/privacy-support.html>",
        )?),
    );
    let (tcp, served) = server.listen().await?;
    // Our own client says what the example's does.
    let mut client = PopClient::new(
        machine.session().await?,
        deep_latch::client::ClientOptions::default(),
    );
    let connected = machine
        .connector
        .connect(&mut client, tcp, &machine.store, &machine.account);
    let (pause, stream): (Pause, Rewound<MailStream<TcpStream>>) = connected.await?;
    same("pause", pause, Pause::LogIn)?;
    drop(stream);
    let heard = served.await??;
    same("the wire", heard.lines.as_slice(), EXAMPLE)?;
    same("latched", machine.latched().await?, ["tls10", "tls12"])?;
    let line = EXAMPLE.iter().find_map(|line| line.strip_prefix("S: DEEP"));
    let line = format!("DEEP{}", line.unwrap_or_default());
    let record = machine.record().await?;
    let status = CapaLine::parse(&line, StatusOptions::default())?;
    let status = status.map(|line| line.status().as_str().to_owned());
    let recorded = record.status().map(|status| status.as_str().to_owned());
    same("recorded", recorded, status)?;
    passed("word for word; tls10 and tls12 are latched, the URL is recorded")
}

/// Section 7.3.
pub(super) async fn smtp() -> Checked {
    const EXAMPLE: &[&str] = &[
        "S: 220 example.com Demo SMTP Submission Server",
        "C: EHLO client.example.com",
        "S: 250-example.com",
        "S: 250-8BITMIME",
        "S: 250-PIPELINING",
        "S: 250-DSN",
        "S: 250-AUTH PLAIN LOGIN",
        "S: 250-DEEP tls10 tls-cert <https://www.example.com/status.html>",
        "S: 250-BURL imap",
        "S: 250 SIZE 0",
        "C: CLIENT name=demo_submit version=1.5 latch=tls10,tls-cert security-tags=tls12",
        "S: 250 OK",
    ];
    let world = World::new()?;
    let server = Server::new(
        MailProtocol::Smtp,
        Tls::Implicit(world.good()?),
        Some(demo(
            "tls10 tls-cert <https://www.example.com/status.html>",
        )?),
    );
    let (tcp, served) = server.listen().await?;
    let mut session = Machine::new(&world)?.session().await?;
    let mut client = Raw::connect(&world, tcp).await?;
    let facts = client.told(ChainVerdict::Trusted, IdentityVerdict::Matches)?;
    continues(&session.step(Event::Handshake(facts)))?;
    client.line().await?;
    client.say("EHLO client.example.com\r\n").await?;
    loop {
        let line = client.line().await?;
        let (code, keyword) = line.split_at_checked(4).unwrap_or((&line, ""));
        if let Some(line) = EhloLine::parse(keyword, StatusOptions::default())? {
            continues(&session.step(Event::Status(line.status())))?;
        }
        if code == "250 " {
            break;
        }
    }
    let report = ClientReport {
        name: Some("demo_submit".to_owned()),
        ..demo_report()
    };
    let latched: Vec<_> = session.record().latched().cloned().collect();
    same(
        "latched",
        &latched,
        &[SecurityTag::TLS_CERT, SecurityTag::TLS10],
    )?;
    client
        .say(&format!(
            "{}\r\n",
            report.to_client_command(FieldNames::Examples)?
        ))
        .await?;
    same("reply", client.line().await?, "250 OK")?;
    client.close().await?;
    let heard = served.await??;
    same("the wire", heard.lines.as_slice(), EXAMPLE)?;
    same("the report", heard.reports.as_slice(), &[Ok(report)])?;
    passed("word for word; tls10 and tls-cert are latched")
}

/// ID with literals that wait, and such that do not.
pub(super) async fn literals() -> Checked {
    let world = World::new()?;
    let server = Server::new(
        MailProtocol::Imap,
        Tls::Implicit(world.good()?),
        Some(demo("tls10")?),
    );
    let (tcp, served) = server.listen().await?;
    let mut client = Raw::connect(&world, tcp).await?;
    client.line().await?;
    for (said, expected) in [
        ("a001 ID ({4}\r\n", "+ ready"),
        ("name {9}\r\n", "+ ready"),
        (
            "Demo Mail \"version\" {3+}\r\n1.5 \"latch\" \"tls10 tls-cert\" {13}\r\n",
            "+ ready",
        ),
        (
            "security-tags \"tls12\")\r\n",
            "* ID (\"name\" \"Demo Server\" \"version\" \"1.7\" \"deep-status\" \"tls10\")",
        ),
    ] {
        client.say(said).await?;
        same("the answer", client.line().await?, expected)?;
    }
    same("tagged", client.line().await?, "a001 OK ID completed")?;
    client.close().await?;
    let heard = served.await??;
    same("the report", heard.reports.as_slice(), &[Ok(demo_report())])?;
    passed("three literals that wait, and one that does not")
}

/// 501 and BAD, and a value of ID that is not of its form.
pub(super) async fn malformed() -> Checked {
    let world = World::new()?;
    let advertisement = demo("tls10")?;
    let server = |protocol| -> Checked<Server> {
        let tls = Tls::Implicit(world.good()?);
        Ok(Server::new(protocol, tls, Some(advertisement.clone())))
    };
    let (tcp, served) = server(MailProtocol::Smtp)?.listen().await?;
    let mut client = Raw::connect(&world, tcp).await?;
    client.line().await?;
    for (said, expected) in [
        ("CLIENT\r\n", "501 Syntax error in parameters"),
        (
            "CLIENT latch=tls10,,tls12\r\n",
            "501 Syntax error in parameters",
        ),
        ("CLIENT name=a name=b\r\n", "501 Syntax error in parameters"),
        ("CLIENT latch=tls10 future=thing\r\n", "250 OK"),
    ] {
        client.say(said).await?;
        same(said, client.line().await?, expected)?;
    }
    client.close().await?;
    let reports = served.await??.reports;
    let read: Vec<_> = reports.iter().map(Result::is_ok).collect();
    same("reports", read, [false, false, false, true])?;

    let (tcp, served) = server(MailProtocol::Imap)?.listen().await?;
    let mut client = Raw::connect(&world, tcp).await?;
    client.line().await?;
    client
        .say("a001 ID (\"name\" \"Demo Mail\" \"NAME\" \"other\")\r\n")
        .await?;
    let expected = "a001 BAD ID: id_params_list: duplicate at byte 28";
    same("twice", client.line().await?, expected)?;
    client.say("a002 ID (\"latch\" \"tls10 1\")\r\n").await?;
    status_in(&client.line().await?)?.ok_or_else(|| Failure::new("no status"))?;
    same("a value", client.line().await?, "a002 OK ID completed")?;
    client.close().await?;
    let reports = served.await??.reports;
    let read: Vec<_> = reports.iter().map(Result::is_ok).collect();
    same("reports", read, [false, false])?;
    passed("501 and BAD; a malformed value of ID still gets the status")
}
