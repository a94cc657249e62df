//! OpenSSL, through Python's ssl, as client of our servers and as server of our client.

use std::{fmt::Debug, path::Path, time::Duration};

use axum::{Router, routing::get};
use conformance::{
    Live,
    outcome::{Checked, Failure, different, passed, same},
};
use http::Version;
use http_body_util::{BodyExt, Full};
use rustls::HandshakeKind;
use tokenbind_http::{client::RequestError, server};
use tokenbind_wire::{ApplicationProtocol, TerminateKind, TokenBindingAlpn};

use super::{
    agent::{Agent, permitting},
    python_peer::{
        Answer, Binding, ClientSaid, H2, PYOPENSSL, Plan, Request, Server, ServerSaid, client,
        missing, request,
    },
    site::{Adapter, Resumption, Seen, Setup},
};

const BOTH: [(Resumption, &str); 2] = [
    (Resumption::SessionIds, "session-id"),
    (Resumption::Tickets, "ticket"),
];

fn app() -> Router {
    Router::new().fallback(get(|| async { "answered" }))
}

fn answered() -> Option<Answer> {
    let body = "answered".to_owned();
    Some(Answer { status: 200, body })
}

/// Returns the Python packages that scenarios with this identifier need.
fn packages(alpn: TokenBindingAlpn) -> &'static [&'static str] {
    match alpn.application_protocol() {
        ApplicationProtocol::Http2 => &[H2],
        _ => &[],
    }
}

fn one<T: Debug>(said: Vec<T>) -> Checked<T> {
    match <[T; 1]>::try_from(said) {
        Ok([one]) => Ok(one),
        Err(said) => Err(Failure::new(format!("the script said {said:?}"))),
    }
}

/// Returns what our application must see of their requests on one connection.
fn seen(said: &ClientSaid, alpn: TokenBindingAlpn, paths: &[&str]) -> Vec<Seen> {
    let provided = format!("provided {}", alpn.key_parameters().name());
    let of_path = |path: &&str| Seen {
        path: (*path).to_owned(),
        version: match alpn.application_protocol() {
            ApplicationProtocol::Http2 => Version::HTTP_2,
            _ => Version::HTTP_11,
        },
        provided: said.ids.get(&provided).cloned(),
        referred: None,
        tls_unique: said.tls_unique.clone(),
    };
    paths.iter().map(of_path).collect()
}

/// Their client, our servers: full and resumed, one message used again, new ones of the same key.
pub(super) async fn their_client(root: &Path, alpn: TokenBindingAlpn) -> Checked {
    if let Some(missing) = missing(root, packages(alpn)) {
        return Ok(Live::Skipped(missing));
    }
    let requests = vec![
        request("/new", "provided"),
        request("/again", "again"),
        request("/new-again", "provided"),
    ];
    let paths = ["/new", "/again", "/new-again"];
    for adapter in Adapter::BOTH {
        for (resumption, name) in BOTH {
            let setup = Setup {
                adapter,
                resumption,
                ..Setup::default()
            };
            let site = setup.start(app()).await?;
            let plan = Plan::new(alpn.as_str())
                .with("port", site.port())
                .with("resumption", name)
                .with("connections", vec![requests.clone(), requests.clone()]);
            let [full, resumed] = two(client(root, &plan).await?)?;
            let what = format!("{adapter:?}, {name}");
            for (said, reused) in [(&full, false), (&resumed, true)] {
                same(&what, said.alpn.as_deref(), Some(alpn.as_str()))?;
                same(&what, said.reused, reused)?;
                same(&what, &said.responses, &vec![answered(); 3])?;
                same(&what, said.ids.len(), 1)?;
                same(&what, said.tls_unique.is_some(), true)?;
            }
            let expected = [seen(&full, alpn, &paths), seen(&resumed, alpn, &paths)].concat();
            same(&what, site.seen(), expected)?;
            same(&what, &full.ids, &resumed.ids)?;
            different(&what, &full.tls_unique, &resumed.tls_unique)?;
            if adapter == Adapter::Connection {
                let kinds = [HandshakeKind::Full, HandshakeKind::Resumed].map(Some);
                same(&what, site.handshakes(), kinds)?;
            }
            same(&what, site.refusals(), [])?;
        }
    }
    passed(format!(
        "{}: full, resumed by session id and by ticket, serve_connection and Server; one message again, and new ones \
         of the same key; key and tls_unique alike on both sides",
        alpn.as_str()
    ))
}

fn two<T: Debug>(said: Vec<T>) -> Checked<[T; 2]> {
    said.try_into()
        .map_err(|said: Vec<T>| Failure::new(format!("the script said {said:?}")))
}

/// Their client's referred bindings of either algorithm.
pub(super) async fn their_client_refers(root: &Path) -> Checked {
    if let Some(missing) = missing(root, &[H2]) {
        return Ok(Live::Skipped(missing));
    }
    for alpn in TokenBindingAlpn::ALL {
        let site = Setup::new(alpn).start(app()).await?;
        let plan = Plan::new(alpn.as_str()).with("port", site.port()).with(
            "connections",
            vec![vec![
                request("/p256", "p256"),
                request("/rsa2048", "rsa2048"),
                request("/none", "provided"),
            ]],
        );
        let said = one(client(root, &plan).await?)?;
        same(alpn.as_str(), &said.responses, &vec![answered(); 3])?;
        let mut expected = seen(&said, alpn, &["/p256", "/rsa2048", "/none"]);
        for (seen, parameters) in expected.iter_mut().zip(["p256", "rsa2048"]) {
            let referred = said.ids.get(&format!("referred {parameters}"));
            same(alpn.as_str(), referred.is_some(), true)?;
            seen.referred = referred.cloned();
        }
        same(alpn.as_str(), site.seen(), expected)?;
        same(alpn.as_str(), site.refusals(), [])?;
    }
    passed("P-256 and RSA, to a server that negotiated either, HTTP/1.1 and HTTP/2")
}

/// Their client breaks the rules: the connection ends without an answer.
pub(super) async fn their_client_is_terminated(root: &Path) -> Checked {
    if let Some(missing) = missing(root, &[H2]) {
        return Ok(Live::Skipped(missing));
    }
    let missing_first = server::TerminateKind::Message(TerminateKind::MissingMessage);
    let foreign = server::TerminateKind::Message(TerminateKind::SignatureInvalid);
    let missing_later = server::TerminateKind::MissingInLaterRequest;
    let cases = [
        (vec!["none"], missing_first),
        (vec!["foreign"], foreign),
        (vec!["provided", "none"], missing_later),
        (vec!["provided", "foreign"], foreign),
    ];
    for alpn in TokenBindingAlpn::ALL {
        let site = Setup::new(alpn).start(app()).await?;
        let requests = |headers: &[&str]| -> Vec<_> {
            headers.iter().map(|header| request("/", header)).collect()
        };
        let connections: Vec<_> = cases.iter().map(|(headers, _)| requests(headers)).collect();
        let plan = Plan::new(alpn.as_str())
            .with("port", site.port())
            .with("connections", connections);
        let said = client(root, &plan).await?;
        let responses: Vec<_> = said.into_iter().map(|said| said.responses).collect();
        let good = |headers: &[&str]| vec![answered(); headers.len() - 1];
        let expected = cases
            .iter()
            .map(|(headers, _)| [good(headers), vec![None]].concat());
        same(alpn.as_str(), responses, expected.collect::<Vec<_>>())?;
        let refusals: Vec<_> = site
            .refusals()
            .iter()
            .map(|refusal| refusal.kind())
            .collect();
        same(
            alpn.as_str(),
            refusals,
            cases.each_ref().map(|(_, kind)| *kind),
        )?;
    }
    passed(
        "no header, in the first request and in a later one; a signature for another connection: each \
         ends without an answer, HTTP/1.1 and HTTP/2",
    )
}

/// Their client offers Token Binding where it must not be negotiated.
pub(super) async fn their_client_without(root: &Path, tls: &str, ems: bool) -> Checked {
    if let Some(missing) = missing(root, &[]) {
        return Ok(Live::Skipped(missing));
    }
    for adapter in Adapter::BOTH {
        let setup = Setup {
            adapter,
            ..Setup::default()
        };
        let site = setup.start(app()).await?;
        let requests = vec![
            vec![request("/", "none"), request("/", "none")],
            vec![request("/", "none"), request("/", "unsigned")],
        ];
        let plan = Plan::new("http/1.1_tb_p256")
            .with("alpn", vec!["http/1.1_tb_p256", "http/1.1"])
            .with("tls", tls)
            .with("extended_master_secret", ems)
            .with("port", site.port())
            .with("connections", requests);
        let [served, terminated] = two(client(root, &plan).await?)?;
        for said in [&served, &terminated] {
            same("identifier", said.alpn.as_deref(), Some("http/1.1"))?;
            same("version", &said.version, &format!("TLSv{tls}"))?;
        }
        same("responses", served.responses, [answered(), answered()])?;
        same("with a header", terminated.responses, [answered(), None])?;
        let bound = |seen: &Seen| seen.provided.is_some() || seen.tls_unique.is_some();
        let seen: Vec<_> = site.seen().iter().map(bound).collect();
        same("bound", seen, [false; 3])?;
        let refusals: Vec<_> = site
            .refusals()
            .iter()
            .map(|refusal| refusal.kind())
            .collect();
        let kind = server::TerminateKind::Message(TerminateKind::NotNegotiated);
        same("refusals", refusals, [kind])?;
    }
    passed(
        "offers http/1.1_tb_p256 and gets http/1.1: served without; a header all the same: terminated; \
         serve_connection and Server",
    )
}

/// Our client, their server: full and resumed; the message is verified by `cryptography`.
pub(super) async fn their_server(root: &Path, alpn: TokenBindingAlpn) -> Checked {
    if let Some(missing) = missing(root, packages(alpn)) {
        return Ok(Live::Skipped(missing));
    }
    for (_, name) in BOTH {
        let plan = Plan::new(alpn.as_str())
            .with("resumption", name)
            .with("connections", 2);
        let server = Server::start(root, &plan).await?;
        let agent = Agent::new(&TokenBindingAlpn::ALL)?;
        let origin = server.url("/").parse()?;
        let mut expected = Vec::new();
        for (connection, reused) in [(0, false), (1, true)] {
            let mut uniques = Vec::new();
            for path in ["/first", "/second"] {
                let answer = agent.get(&server.url(path)).await?;
                same(name, answer.status.as_u16(), 200)?;
                let unique = answer.tls_unique()?;
                expected.push(ServerSaid::Request(Request {
                    connection,
                    path: path.to_owned(),
                    alpn: Some(alpn.as_str().to_owned()),
                    version: "TLSv1.2".to_owned(),
                    reused,
                    tls_unique: Some(unique.clone()),
                    headers: 1,
                    bindings: vec![Binding {
                        kind: 0,
                        id: agent.provided(&origin, alpn.key_parameters())?,
                        verified: true,
                    }],
                }));
                uniques.push(unique);
                // Until the connection takes the next request: their server knows one at a time.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            same("one connection", &uniques[0], &uniques[1])?;
            let ended = true;
            expected.push(ServerSaid::Ended { connection, ended });
            agent.client.close_idle();
        }
        same(name, server.said().await?, expected)?;
    }
    passed(format!(
        "{}: full, resumed by session id and by ticket; their cryptography verifies our header, \
         tls_unique alike on both sides",
        alpn.as_str()
    ))
}

/// Their token consumer redirects our client to their token provider.
pub(super) async fn their_federation(root: &Path) -> Checked {
    if let Some(missing) = missing(root, &[H2]) {
        return Ok(Live::Skipped(missing));
    }
    for (of_consumer, of_provider) in [
        (TokenBindingAlpn::Http11Rsa2048, TokenBindingAlpn::H2P256),
        (TokenBindingAlpn::H2P256, TokenBindingAlpn::Http11Rsa2048),
    ] {
        let plan = Plan::new(of_provider.as_str()).with("connections", 1);
        let provider = Server::start(root, &plan).await?;
        let plan = Plan::new(of_consumer.as_str())
            .with("redirect", provider.url("/issue"))
            .with("connections", 1);
        let consumer = Server::start(root, &plan).await?;
        let agent = Agent::new(&TokenBindingAlpn::ALL)?;
        let login = http::Request::get(consumer.url("/login")).body(Full::default())?;
        let response = agent.client.request(login, permitting(None)).await?;
        same("status", response.status().as_u16(), 200)?;
        response.into_body().collect().await?;
        let at_consumer = consumer.url("/").parse()?;
        let at_provider = provider.url("/").parse()?;
        agent.client.close_idle();

        let binding = |kind, id| Binding {
            kind,
            id,
            verified: true,
        };
        let parameters = of_consumer.key_parameters();
        let own = agent.provided(&at_provider, of_provider.key_parameters())?;
        let referred = agent.referred(&at_consumer, parameters)?;
        let bindings = bindings_of(provider.said().await?)?;
        let expected = vec![binding(0, own), binding(1, referred)];
        same("the provider", bindings, [("/issue".to_owned(), expected)])?;
        let own = agent.provided(&at_consumer, parameters)?;
        let bindings = bindings_of(consumer.said().await?)?;
        same(
            "the consumer",
            bindings,
            [("/login".to_owned(), vec![binding(0, own)])],
        )?;
    }
    passed(
        "RSA over HTTP/1.1 to P-256 over HTTP/2 and back, 302: their cryptography verifies the provided \
         and the referred binding on the provider's tls_unique",
    )
}

fn bindings_of(said: Vec<ServerSaid>) -> Checked<Vec<(String, Vec<Binding>)>> {
    let mut requests = Vec::new();
    for said in said {
        match said {
            ServerSaid::Request(request) => requests.push((request.path, request.bindings)),
            ServerSaid::Ended { .. } => {}
            other => return Err(Failure::new(format!("the script said {other:?}"))),
        }
    }
    Ok(requests)
}

/// A server that chooses what it must not: our client closes.
pub(super) async fn their_server_breaks_the_rules(root: &Path) -> Checked {
    if let Some(missing) = missing(root, &[PYOPENSSL]) {
        return Ok(Live::Skipped(missing));
    }
    let without_ems = Plan::new("http/1.1_tb_p256").with("extended_master_secret", false);
    let under_tls13 = Plan::new("http/1.1_tb_p256").with("tls", "1.3");
    let not_offered = Plan::new("").with("forced", "h2_tb_rsa2048");
    for (what, plan, why) in [
        (
            "without Extended Master Secret",
            without_ems,
            "token binding needs extended master secret, which the connection lacks",
        ),
        (
            "under TLS 1.3",
            under_tls13,
            "token binding needs TLS 1.0 to 1.2 but TLSv1.3 is in use",
        ),
        (
            "not offered",
            not_offered,
            "peer misbehaved: SelectedUnofferedApplicationProtocol",
        ),
    ] {
        let server = Server::start(root, &plan.with("connections", 1)).await?;
        let agent = Agent::new(&[TokenBindingAlpn::Http11P256])?;
        let request = http::Request::get(server.url("/")).body(Full::default())?;
        match agent.client.send(request, permitting(None)).await {
            Err(RequestError::Connect(error)) => same(what, error.to_string().as_str(), why)?,
            Err(error) => return Err(Failure::from(error).of(what)),
            Ok(_) => return Err(Failure::new(format!("{what}: the request was sent"))),
        }
        match one(server.said().await?)? {
            ServerSaid::Failed { connection: 0, .. } => {}
            // Under TLS 1.3 their side of the handshake may be complete before ours closes.
            ServerSaid::Ended { connection: 0, .. } if what == "under TLS 1.3" => {}
            said => return Err(Failure::new(format!("{what}: the script said {said:?}"))),
        }
    }
    passed(
        "an identifier without Extended Master Secret, under TLS 1.3, and one that was not offered: no \
         request is sent",
    )
}

/// A server without Token Binding.
pub(super) async fn their_plain_server(root: &Path) -> Checked {
    if let Some(missing) = missing(root, &[H2]) {
        return Ok(Live::Skipped(missing));
    }
    for (alpn, tls) in [
        ("http/1.1", "1.2"),
        ("http/1.1", "1.3"),
        ("h2", "1.2"),
        ("h2", "1.3"),
    ] {
        let plan = Plan::new(alpn).with("tls", tls).with("connections", 1);
        let server = Server::start(root, &plan).await?;
        let agent = Agent::new(&TokenBindingAlpn::ALL)?;
        let answer = agent.get(&server.url("/")).await?;
        same("status", answer.status.as_u16(), 200)?;
        same("session", answer.binding.session(), None)?;
        agent.client.close_idle();
        let mut said = server.said().await?;
        let Some(ServerSaid::Request(request)) = said.drain(..).next() else {
            return Err(Failure::new("no request"));
        };
        same("headers", request.headers, 0)?;
        let negotiated = (request.alpn.as_deref(), request.version.as_str());
        same(
            "negotiated",
            negotiated,
            (Some(alpn), format!("TLSv{tls}").as_str()),
        )?;
    }
    passed("http/1.1 and h2, TLS 1.2 and 1.3: no header is sent")
}
