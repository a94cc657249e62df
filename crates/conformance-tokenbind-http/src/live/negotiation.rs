//! Clients and servers that do not negotiate Token Binding, the reasons, and the treatment of a header that is sent
//! nevertheless.

use std::sync::Arc;

use axum::{Router, routing::get};
use conformance::outcome::{Checked, Failure, passed, same};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore,
    crypto::ring,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use tokenbind_http::{server, tls::VersionPreference, tls_unique::capturing};
use tokenbind_wire::{KeyParameters, P256Key, TerminateKind, TokenBindingAlpn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    agent::{Agent, config},
    forge::{self, PROVIDED},
    site::{Adapter, IDENTITY, Setup, Site},
};

fn app() -> Router {
    Router::new().fallback(get(|| async { "answered" }))
}

/// A client's view of its connection: ALPN identifier, TLS version.
type Negotiated<'a> = (Option<&'a str>, Option<ProtocolVersion>);

const PLAIN_HTTP2_TLS13: Negotiated<'_> = (Some("h2"), Some(ProtocolVersion::TLSv1_3));
const PLAIN_HTTP2_TLS12: Negotiated<'_> = (Some("h2"), Some(ProtocolVersion::TLSv1_2));

/// A request without a header is answered without a binding; then one with a header ends the
/// connection.
async fn served_without(agent: &Agent, site: &Site, expected: Negotiated<'_>) -> Checked<()> {
    let mut raw = agent.connect(site).await?;
    let negotiated = (raw.alpn(), raw.version());
    same(
        "negotiated",
        (negotiated.0.as_deref(), negotiated.1),
        expected,
    )?;
    same("session", raw.binding().session(), None)?;
    raw.get("/", &[]).await?;
    same("status", raw.response().await?.status, 200)?;
    let seen: Vec<_> = site
        .seen()
        .into_iter()
        .map(|seen| (seen.provided, seen.tls_unique))
        .collect();
    same("seen", seen, [(None, None)])?;

    let key = forge::key_id(&P256Key::generate()?)?;
    let binding = forge::binding(PROVIDED, &key, &[0x30, 6, 2, 1, 1, 2, 1, 1], &[]);
    let header = forge::header(&forge::message(&[binding]));
    raw.get("/", &[("token-binding", &header)]).await?;
    raw.terminated().await?;
    let refusals: Vec<_> = site
        .refusals()
        .iter()
        .map(|refusal| refusal.kind())
        .collect();
    let kind = server::TerminateKind::Message(TerminateKind::NotNegotiated);
    same("refusals", refusals, [kind])?;
    same("requests seen", site.seen(), [])
}

/// A client of the same offer is bound.
async fn served_with(agent: &Agent, site: &Site) -> Checked<()> {
    let answer = agent.get(&site.url("/bound")).await?;
    same("status", answer.status.as_u16(), 200)?;
    let parameters = KeyParameters::P256;
    same(
        "negotiated",
        answer.binding.party().negotiated,
        Some(parameters),
    )?;
    let bound = (
        Some(agent.provided(site.origin(), parameters)?),
        Some(answer.tls_unique()?),
    );
    let seen: Vec<_> = site
        .seen()
        .into_iter()
        .map(|seen| (seen.provided, seen.tls_unique))
        .collect();
    same("seen", seen, [bound])
}

/// A configuration with one version of TLS only.
fn only(version: &'static rustls::SupportedProtocolVersion) -> Checked<ClientConfig> {
    let both = config(&TokenBindingAlpn::ALL)?;
    let provider = capturing(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(IDENTITY.certificate())?;
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = both.alpn_protocols;
    config.require_ems = both.require_ems;
    Ok(config)
}

pub(super) async fn not_negotiated() -> Checked {
    for adapter in Adapter::BOTH {
        let setup = Setup {
            adapter,
            ..Setup::default()
        };
        let prefers_tls13 = Setup {
            preference: VersionPreference::Tls13,
            ..setup.clone()
        };
        let offers_none = Setup {
            alpn: Vec::new(),
            ..setup.clone()
        };
        let rsa_only = Setup {
            alpn: vec![TokenBindingAlpn::H2Rsa2048],
            ..setup.clone()
        };
        let site = setup.start(app()).await?;
        let prefers_tls13 = prefers_tls13.start(app()).await?;
        let offers_none = offers_none.start(app()).await?;
        let rsa_only = rsa_only.start(app()).await?;
        let both = Agent::new(&TokenBindingAlpn::ALL)?;
        let tls12 = Agent::with(only(&TLS12)?, Arc::default());
        let tls13 = Agent::with(only(&TLS13)?, Arc::default());
        let plain = Agent::new(&[])?;
        let p256 = Agent::new(&[TokenBindingAlpn::H2P256])?;

        let of = |what: &'static str| {
            move |failure: Failure| failure.of(&format!("{adapter:?}, {what}"))
        };
        // A client that can do TLS 1.2 and 1.3: the operator decides.
        served_with(&both, &site)
            .await
            .map_err(of("policy: Token Binding"))?;
        served_without(&both, &prefers_tls13, PLAIN_HTTP2_TLS13)
            .await
            .map_err(of("policy: TLS 1.3"))?;
        // One that can do one of them only: there is nothing to decide.
        served_with(&tls12, &site)
            .await
            .map_err(of("TLS 1.2 only"))?;
        served_with(&tls12, &prefers_tls13)
            .await
            .map_err(of("TLS 1.2 only, policy: TLS 1.3"))?;
        served_without(&tls13, &site, PLAIN_HTTP2_TLS13)
            .await
            .map_err(of("TLS 1.3 only"))?;
        served_without(&plain, &site, PLAIN_HTTP2_TLS13)
            .await
            .map_err(of("a client that offers none"))?;
        served_without(&both, &offers_none, PLAIN_HTTP2_TLS13)
            .await
            .map_err(of("a server that has none"))?;
        served_without(&tls12, &offers_none, PLAIN_HTTP2_TLS12)
            .await
            .map_err(of("a server that has none, TLS 1.2"))?;
        served_without(&p256, &rsa_only, PLAIN_HTTP2_TLS13)
            .await
            .map_err(of("no identifier in common"))?;
        without_ems(&site)
            .await
            .map_err(of("no Extended Master Secret"))?;
    }
    passed(
        "TLS 1.3 only, policy for TLS 1.3, no identifier in common, client or server without any, \
         ClientHello without Extended Master Secret: served without; a header all the same: \
         terminated; the policies decide only for clients that can do both; serve_connection, Server",
    )
}

/// rustls always offers Extended Master Secret, so the extension is cut out of its ClientHello. The
/// handshake cannot be completed then, but the ServerHello says what is negotiated.
async fn without_ems(site: &Site) -> Checked<()> {
    let mut config = only(&TLS12)?;
    config.alpn_protocols = vec![b"http/1.1_tb_p256".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost")?;
    let mut connection = ClientConnection::new(config.into(), name)?;
    let mut hello = Vec::new();
    connection.write_tls(&mut hello)?;
    let chosen = chosen_alpn(site, &hello).await?;
    same("as it is", chosen.as_str(), "http/1.1_tb_p256")?;
    let chosen = chosen_alpn(site, &without_extended_master_secret(&hello)?).await?;
    same("cut", chosen.as_str(), "http/1.1")
}

/// The extensions' types (RFC 7301 section 3.1, RFC 7627 section 5.1).
const ALPN: usize = 16;
const EXTENDED_MASTER_SECRET: usize = 23;

/// A hello message in the one record that it begins with: where its list of extensions, each extension
/// and its data begin.
struct Hello<'a> {
    record: &'a [u8],
    list: usize,
    extensions: Vec<(usize, usize, &'a [u8])>,
}

impl<'a> Hello<'a> {
    fn read(record: &'a [u8], is_client: bool) -> Option<Self> {
        let number = |at: usize, bytes: usize| {
            let octets = record.get(at..at + bytes)?;
            Some(
                octets
                    .iter()
                    .fold(0, |sum, octet| sum * 256 + usize::from(*octet)),
            )
        };
        // Record header, message header, version, random.
        let mut at = 5 + 4 + 2 + 32;
        at += 1 + number(at, 1)?;
        if is_client {
            at += 2 + number(at, 2)?;
            at += 1 + number(at, 1)?;
        } else {
            at += 2 + 1;
        }
        let list = at;
        let end = at + 2 + number(at, 2)?;
        at += 2;
        let mut extensions = Vec::new();
        while at < end {
            let (kind, length) = (number(at, 2)?, number(at + 2, 2)?);
            extensions.push((kind, at, record.get(at + 4..at + 4 + length)?));
            at += 4 + length;
        }
        Some(Self {
            record,
            list,
            extensions,
        })
    }
}

fn without_extended_master_secret(record: &[u8]) -> Checked<Vec<u8>> {
    let unreadable = || Failure::new("the ClientHello cannot be read");
    let hello = Hello::read(record, true).ok_or_else(unreadable)?;
    let of_type = |(kind, ..): &&(usize, usize, &[u8])| *kind == EXTENDED_MASTER_SECRET;
    let extension = hello.extensions.iter().find(of_type);
    let (_, at, data) = extension.ok_or_else(unreadable)?;
    let length = 4 + data.len();
    let mut cut = hello.record.to_vec();
    // The lengths of the record, of the message, of the list.
    for prefix in [3, 5 + 2, hello.list] {
        let octets = [cut[prefix], cut[prefix + 1]];
        let less = usize::from(u16::from_be_bytes(octets)) - length;
        cut[prefix..prefix + 2].copy_from_slice(&u16::try_from(less)?.to_be_bytes());
    }
    cut.drain(*at..*at + length);
    Ok(cut)
}

/// The identifier that the server chooses for this ClientHello.
async fn chosen_alpn(site: &Site, hello: &[u8]) -> Checked<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", site.port())).await?;
    stream.write_all(hello).await?;
    let mut record = vec![0; 5];
    stream.read_exact(&mut record).await?;
    same("a handshake record", record[0], 22)?;
    let length = u16::from_be_bytes([record[3], record[4]]);
    record.resize(5 + usize::from(length), 0);
    stream.read_exact(&mut record[5..]).await?;
    let hello = Hello::read(&record, false);
    let alpn = hello
        .iter()
        .flat_map(|hello| &hello.extensions)
        .find(|(kind, ..)| *kind == ALPN);
    // The list's length, the name's length, the name.
    let name = alpn.and_then(|(.., data)| data.get(3..));
    let name = name.ok_or_else(|| Failure::new("the ServerHello has no ALPN extension"))?;
    Ok(String::from_utf8_lossy(name).into_owned())
}
