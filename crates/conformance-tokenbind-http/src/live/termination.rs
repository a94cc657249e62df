//! Every reason to terminate a connection, each over a connection of its own: the connection ends at
//! once, no request is answered, and the server learns the reason.

mod cases;

use std::{collections::BTreeSet, sync::Arc};

use axum::{Router, routing::get};
use conformance::outcome::{Checked, passed, same};
use test_support::keys::VerifyWith;
use tokenbind_http::server;
use tokenbind_wire::{
    DecodeOptions, EncodingProfile, Limits, P256Key, SignatureInvalid, TerminateKind,
    TokenBindingAlpn,
};

use self::cases::{At, Case, Client, EXTENSION_BYTES, MESSAGE_BYTES, cases};
use super::{
    agent::Agent,
    forge::Forge,
    raw::Raw,
    site::{Adapter, Setup, Site},
};

/// All kinds that a request's head can cause. `malformed/unsupported-algorithm` is for identifiers that
/// stand alone, `trailer` and `application-protocol` have scenarios of their own.
const KINDS: [&str; 36] = [
    "header/alphabet",
    "header/duplicate",
    "header/empty",
    "header/length",
    "header/list",
    "header/padding",
    "header/standard-alphabet",
    "header/too-long",
    "header/trailing-bits",
    "header/whitespace",
    "key-parameters-mismatch",
    "malformed/duplicate-token-binding-type",
    "malformed/empty",
    "malformed/even",
    "malformed/exponent-too-small",
    "malformed/extensions-too-long",
    "malformed/leading-zero",
    "malformed/message-too-long",
    "malformed/modulus-size",
    "malformed/no-token-binding",
    "malformed/point-format",
    "malformed/point-length",
    "malformed/point-not-on-curve",
    "malformed/same-key",
    "malformed/signature-der",
    "malformed/signature-length",
    "malformed/too-many-token-bindings",
    "malformed/trailing-bytes",
    "malformed/truncated",
    "missing-in-later-request",
    "missing-message",
    "missing-provided",
    "not-negotiated",
    "provided-key-changed",
    "signature-invalid",
    "verifier-unsupported",
];

/// Over HTTP/2 hyper's own limit of all headers is lower.
const TOO_LONG: &str = "header/too-long";

fn name(kind: server::TerminateKind) -> String {
    match kind {
        server::TerminateKind::Header(kind) => format!("header/{}", kind.name()),
        server::TerminateKind::Message(TerminateKind::Malformed(kind)) => {
            format!("malformed/{}", kind.name())
        }
        kind => kind.name().to_owned(),
    }
}

/// A site of each sort.
struct Sites {
    site: Site,
    plain: Site,
    blind: Site,
    limited: Site,
}

impl Sites {
    async fn start(alpn: TokenBindingAlpn, adapter: Adapter) -> Checked<Self> {
        let app = || Router::new().fallback(get(|| async { "answered" }));
        let setup = Setup {
            adapter,
            ..Setup::new(alpn)
        };
        let plain = Setup {
            alpn: Vec::new(),
            ..setup.clone()
        };
        let blind = Setup {
            verifier: Some(Arc::new(VerifyWith::new(&[], |_| Err(SignatureInvalid)))),
            ..setup.clone()
        };
        let limits = Limits {
            message_bytes: MESSAGE_BYTES,
            extension_bytes: EXTENSION_BYTES,
            ..Limits::default()
        };
        let decode = DecodeOptions {
            profile: EncodingProfile::default(),
            limits,
        };
        let limited = Setup {
            options: server::Options {
                decode,
                ..server::Options::default()
            },
            ..setup.clone()
        };
        Ok(Self {
            site: setup.start(app()).await?,
            plain: plain.start(app()).await?,
            blind: blind.start(app()).await?,
            limited: limited.start(app()).await?,
        })
    }

    const fn of(&self, at: At) -> &Site {
        match at {
            At::Site => &self.site,
            At::Plain => &self.plain,
            At::Blind => &self.blind,
            At::Limited => &self.limited,
        }
    }
}

/// Sends a case's requests, and checks how the connection ends.
async fn check(site: &Site, mut raw: Raw, case: &Case) -> Checked<()> {
    let requests = case.requests.len();
    for (index, values) in case.requests.iter().enumerate() {
        let fields: Vec<_> = values
            .iter()
            .map(|value| ("token-binding", value.as_slice()))
            .collect();
        raw.get("/", &fields).await?;
        if index + 1 < requests {
            let response = raw.response().await?;
            same(
                "good request",
                (response.status, response.body.as_str()),
                (200, "answered"),
            )?;
        }
    }
    raw.terminated().await?;
    let refusals = site.refusals();
    let refusals: Vec<_> = refusals
        .iter()
        .map(|refusal| (refusal.kind(), refusal.field(), refusal.offset()))
        .collect();
    same("refusals", refusals, [(case.kind, case.field, case.offset)])?;
    same("requests seen", site.seen().len(), requests - 1)
}

/// Sends a good request and three bad ones in one write: the server learns one reason, the first.
async fn several_at_once(site: &Site, agent: &Agent) -> Checked<()> {
    let mut raw = agent.connect(site).await?;
    let header = raw.header(&agent.state)?;
    let mut octets = raw.request("/", &[("token-binding", &header)]);
    for _ in 0..3 {
        octets.extend(raw.request("/", &[]));
    }
    raw.write(&octets).await?;
    raw.ended().await?;
    let refusals: Vec<_> = site
        .refusals()
        .iter()
        .map(|refusal| refusal.kind())
        .collect();
    let seen = site.seen_once(1).await.len();
    same(
        "refusals",
        refusals,
        [server::TerminateKind::MissingInLaterRequest],
    )?;
    same("requests seen", seen, 1)
}

/// All cases, over both protocols and both adapters.
pub(super) async fn reasons() -> Checked {
    let mut count = 0;
    for (alpn, adapter) in [
        (TokenBindingAlpn::Http11P256, Adapter::Connection),
        (TokenBindingAlpn::H2P256, Adapter::Connection),
        (TokenBindingAlpn::Http11P256, Adapter::Server),
        (TokenBindingAlpn::H2P256, Adapter::Server),
    ] {
        let is_http2 = alpn == TokenBindingAlpn::H2P256;
        let sites = Sites::start(alpn, adapter).await?;
        let agent = Agent::new(&[alpn])?;
        let mut kinds = BTreeSet::new();
        let mut client = Client {
            key: P256Key::generate()?,
            other: P256Key::generate()?,
            forge: None,
        };
        let places: Vec<_> = cases(&client)?.iter().map(|case| case.at).collect();
        count = places.len();
        for (index, at) in places.into_iter().enumerate() {
            let site = sites.of(at);
            let raw = agent.connect(site).await?;
            client.forge = match at {
                At::Plain => None,
                _ => Some(Forge::new(raw.binding())?),
            };
            let case = cases(&client)?.swap_remove(index);
            if is_http2 && name(case.kind) == TOO_LONG {
                continue;
            }
            let what = format!("{alpn:?}, {adapter:?}, {}", name(case.kind));
            kinds.insert(name(case.kind));
            check(site, raw, &case)
                .await
                .map_err(|failure| failure.of(&what))?;
        }
        several_at_once(&sites.site, &agent)
            .await
            .map_err(|failure| failure.of(&format!("{alpn:?}, {adapter:?}, several at once")))?;
        let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
        let expected = KINDS.iter().copied();
        let expected: Vec<_> = expected
            .filter(|kind| !is_http2 || *kind != TOO_LONG)
            .collect();
        same("kinds", kinds, expected)?;
    }
    passed(format!(
        "{count} cases of all {} kinds over HTTP/1.1 and HTTP/2, serve_connection and Server: each connection ends \
         without an answer, kind, field and offset reported once",
        KINDS.len()
    ))
}
