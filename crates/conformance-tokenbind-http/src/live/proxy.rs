//! A reverse proxy that terminates Token Binding and tells its backend, which cannot see it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, body::Body, extract::Request, response::IntoResponse, routing::any};
use conformance::outcome::{Checked, passed, same};
use http::{HeaderMap, StatusCode, Uri};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokenbind_http::{
    TokenBindings, header,
    proxy::{forward, strip},
};
use tokenbind_wire::{P256Key, TokenBindingAlpn};
use tokio::net::TcpListener;

use super::{
    agent::Agent,
    forge::{self, Forge, PROVIDED, REFERRED},
    site::{Adapter, Setup},
};

/// The headers of a request that have to do with Token Binding, in the order of their names.
type Told = Vec<(String, String)>;

/// Starts a plain HTTP server as the proxy's backend. Returns its address, and the headers about Token Binding that it
/// has received.
async fn backend_server() -> Checked<(Uri, Arc<Mutex<Vec<Told>>>)> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let told = log.clone();
    let app = Router::new().fallback(any(move |headers: HeaderMap| async move {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(about_token_binding(&headers));
        // A backend's fields of these names do not reach the client.
        [("sec-provided-token-binding-id", "from the backend")]
    }));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let uri = format!("http://{}", listener.local_addr()?).parse()?;
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok((uri, log))
}

fn about_token_binding(headers: &HeaderMap) -> Told {
    let mut told: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.as_str().replace('_', "-").contains("token-binding"))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        })
        .collect();
    told.sort();
    told
}

/// Passes requests on.
fn reverse_proxy(backend: Uri) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    Router::new().fallback(any(move |mut request: Request| async move {
        let bindings = request.extensions().get::<TokenBindings>().cloned();
        let mut passed_on = http::Request::get(backend);
        if let Some(headers) = passed_on.headers_mut() {
            *headers = std::mem::take(request.headers_mut());
            headers.remove(http::header::HOST);
            forward(headers, bindings.as_ref());
        }
        let passed_on = passed_on.body(request.into_body()).unwrap_or_default();
        match client.request(passed_on).await {
            // The client did not ask for another protocol.
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                StatusCode::BAD_GATEWAY.into_response()
            }
            Ok(mut response) => {
                strip(response.headers_mut());
                response.into_response()
            }
            Err(_) => StatusCode::BAD_GATEWAY.into_response(),
        }
    }))
}

pub(super) async fn backend() -> Checked {
    let spoofed = [
        ("sec-provided-token-binding-id", b"spoofed".as_slice()),
        ("sec-provided-token-binding-id", b"twice"),
        ("sec_provided_token_binding_id", b"spoofed"),
        ("sec-referred-token-binding-id", b"spoofed"),
        ("sec-unsupported-referred-token-binding", b"4.1"),
        ("sec-token-binding-context", b"spoofed"),
    ];
    let (uri, log) = backend_server().await?;
    let told = || std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner));
    for (alpn, adapter) in [
        (TokenBindingAlpn::Http11P256, Adapter::Connection),
        (TokenBindingAlpn::H2P256, Adapter::Server),
    ] {
        let setup = Setup {
            adapter,
            ..Setup::new(alpn)
        };
        let front = setup.start(reverse_proxy(uri.clone())).await?;
        let agent = Agent::new(&[alpn])?;
        let own = agent.key(front.origin(), alpn.key_parameters())?;
        let provided = forge::id(PROVIDED, &*own)?;
        let other = P256Key::generate()?;
        let name = |name: &str, value: String| (name.to_owned(), value);
        let provided = name("sec-provided-token-binding-id", header::encode(&provided));
        let referred = header::encode(&forge::id(REFERRED, &other)?);
        let referred = name("sec-referred-token-binding-id", referred);
        let unsupported = "4.9".to_owned();
        let unsupported = name("sec-unsupported-referred-token-binding", unsupported);
        for (what, expected) in [
            ("provided", vec![provided.clone()]),
            ("referred", vec![provided.clone(), referred]),
            ("unsupported", vec![provided, unsupported]),
        ] {
            let mut raw = agent.connect(&front).await?;
            let forge = Forge::new(raw.binding())?;
            let mut bindings = vec![forge.binding(PROVIDED, &*own)?];
            match what {
                "referred" => bindings.push(forge.binding(REFERRED, &other)?),
                "unsupported" => bindings.push(vec![REFERRED, 4, 9, 0]),
                _ => {}
            }
            let header = forge::header(&forge::message(&bindings));
            let mut fields = vec![("token-binding", header.as_slice())];
            fields.extend(spoofed);
            raw.get("/", &fields).await?;
            same(what, raw.response().await?.status, 200)?;
            same(what, told(), [expected])?;
        }
        let mut raw = Agent::new(&[])?.connect(&front).await?;
        raw.get("/", &spoofed).await?;
        same("not negotiated", raw.response().await?.status, 200)?;
        same("not negotiated", told(), [Vec::new()])?;

        let answer = agent.get(&front.url("/")).await?;
        same("with the client", told().len(), 1)?;
        same("response", about_token_binding(&answer.headers), Vec::new())?;
        same("refusals", front.refusals(), [])?;
    }
    passed(
        "provided, referred and unsupported bindings reach the backend; spoofed headers, also with \
         underscores, and those of a client without Token Binding never reach it; HTTP/1.1, HTTP/2",
    )
}
