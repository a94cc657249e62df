//! One request: what the backend receives of it, and what the client receives of the response.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{
        CONNECTION, CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
        TRANSFER_ENCODING, UPGRADE, VIA,
    },
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokenbind_http::{
    ProvidedTokenBinding,
    proxy::{forward_request, strip},
    server,
};

use crate::{NAME, config::Config, log};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that is streamed, of a request or a response.
pub(crate) type Streamed = UnsyncBoxBody<Bytes, BoxError>;

/// The proxy of all connections.
#[derive(Clone)]
pub(crate) struct Proxy(Arc<Settings>);

struct Settings {
    backend: Authority,
    require_token_binding: bool,
    response_timeout: Duration,
    client: Client<HttpConnector, Streamed>,
}

impl Proxy {
    pub(crate) fn new(config: &Config) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(config.connect_timeout));
        connector.set_nodelay(true);
        Self(Arc::new(Settings {
            backend: config.backend.clone(),
            require_token_binding: config.require_token_binding,
            response_timeout: config.response_timeout,
            client: Client::builder(TokioExecutor::new())
                .set_host(false)
                .build(connector),
        }))
    }

    /// Forwards a request and returns the response for the client.
    pub(crate) async fn forward(&self, request: server::Request) -> Response<Streamed> {
        let Some(peer) = request.extensions().get::<server::Peer>().cloned() else {
            return answer(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let is_bound = request.extensions().get::<ProvidedTokenBinding>().is_some();
        let method = request.method().clone();
        let response = if self.0.require_token_binding && !is_bound {
            let text = Full::from("Token Binding is required\n").map_err(|never| match never {});
            let mut response = Response::new(UnsyncBoxBody::new(text));
            *response.status_mut() = StatusCode::FORBIDDEN;
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, plain);
            response
        } else {
            self.ask(request, peer.address).await.unwrap_or_else(answer)
        };
        log::answered(&peer, &method, is_bound, response.status());
        response
    }

    /// Sends a request to the backend and returns its response, or the status of the refusal.
    async fn ask(
        &self,
        request: server::Request,
        peer: SocketAddr,
    ) -> Result<Response<Streamed>, StatusCode> {
        let mut request = request.map(streamed);
        for_backend(&mut request, &self.0.backend, peer)?;
        let response = self.0.client.request(request);
        match tokio::time::timeout(self.0.response_timeout, response).await {
            Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                // No request asks for it: `Upgrade` is for the next hop only.
                tracing::error!("the backend switched protocols without a request for it");
                Err(StatusCode::BAD_GATEWAY)
            }
            Ok(Ok(response)) => Ok(for_client(response.map(streamed))),
            Ok(Err(error)) => {
                let causes = causes(&error);
                if error.is_connect() {
                    tracing::error!(causes, "the backend cannot be reached");
                } else {
                    // The client may have ended its request, or the backend its response.
                    tracing::warn!(causes, "a request was not forwarded whole");
                }
                Err(StatusCode::BAD_GATEWAY)
            }
            Err(_elapsed) => {
                tracing::error!("the backend did not respond in time");
                Err(StatusCode::GATEWAY_TIMEOUT)
            }
        }
    }
}

/// Returns an error with the causes that its own text lacks.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Returns a response without a body.
fn answer(status: StatusCode) -> Response<Streamed> {
    let mut response = Response::new(Streamed::default());
    *response.status_mut() = status;
    response
}

/// Boxes a body, and removes the names that only a proxy may set from its trailers, since many backends treat
/// trailers as headers.
fn streamed<B>(body: B) -> Streamed
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let body = body.map_frame(|frame| match frame.into_trailers() {
        Ok(mut trailers) => {
            strip(&mut trailers);
            strip_forwarded(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    });
    UnsyncBoxBody::new(body.map_err(Into::into))
}

/// Changes a request into the one that the backend receives.
///
/// # Errors
/// Returns the status of the refusal: 400 for a host that is missing, malformed or ambiguous, 405 for a tunnel.
fn for_backend(
    request: &mut Request<Streamed>,
    backend: &Authority,
    peer: SocketAddr,
) -> Result<(), StatusCode> {
    if request.method() == Method::CONNECT {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let host = host(request)?;
    let via = via(request.headers(), request.version())?;
    let path = request.uri().path_and_query().cloned();
    let uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(backend.clone());
    let uri = uri.path_and_query(path.unwrap_or(PathAndQuery::from_static("/")));
    *request.uri_mut() = uri.build().map_err(|_| StatusCode::BAD_REQUEST)?;
    *request.version_mut() = Version::HTTP_11;

    let headers = request.headers_mut();
    let wants_trailers = wants_trailers(headers);
    // First the fields that the client's `Connection` names, which may be those that are added below.
    strip_hop_by_hop(headers);
    strip_forwarded(headers);
    join_cookies(headers)?;
    let address = peer.ip().to_canonical().to_string();
    let address = HeaderValue::from_str(&address).map_err(|_| StatusCode::BAD_REQUEST)?;
    headers.insert("x-forwarded-for", address);
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    headers.insert("x-forwarded-host", host.clone());
    headers.insert(HOST, host);
    headers.insert(VIA, via);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    forward_request(request);
    Ok(())
}

/// Changes the backend's response into the one that the client receives.
fn for_client(mut response: Response<Streamed>) -> Response<Streamed> {
    strip_hop_by_hop(response.headers_mut());
    strip(response.headers_mut());
    response
}

/// Returns the host and port that the request is for.
///
/// # Errors
/// Returns 400 if there are no or two hosts, if `Host` contradicts `:authority`, or if a name and password precede the
/// host (RFC 9113 section 8.3.1).
fn host(request: &Request<Streamed>) -> Result<HeaderValue, StatusCode> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (header, more) = (hosts.next(), hosts.next());
    let target = request.uri().authority().map(Authority::as_str);
    if more.is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let host = match (target, header) {
        (Some(target), Some(header))
            if request.version() == Version::HTTP_2
                && !header.as_bytes().eq_ignore_ascii_case(target.as_bytes()) =>
        {
            return Err(StatusCode::BAD_REQUEST);
        }
        (Some(target), _) => target.as_bytes(),
        (None, Some(header)) => header.as_bytes(),
        (None, None) => return Err(StatusCode::BAD_REQUEST),
    };
    let authority = Authority::try_from(host).map_err(|_| StatusCode::BAD_REQUEST)?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(StatusCode::BAD_REQUEST);
    }
    HeaderValue::from_str(authority.as_str()).map_err(|_| StatusCode::BAD_REQUEST)
}

/// Returns `Via` with the proxy at its end (RFC 9110 section 7.6.3).
fn via(headers: &HeaderMap, version: Version) -> Result<HeaderValue, StatusCode> {
    let protocol = match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    let before = headers.get_all(VIA).iter();
    let mut all = before
        .map(|via| [via.as_bytes(), b", "].concat())
        .collect::<Vec<_>>()
        .concat();
    all.extend_from_slice(format!("{protocol} {NAME}").as_bytes());
    HeaderValue::from_bytes(&all).map_err(|_| StatusCode::BAD_REQUEST)
}

/// Returns `true` if the client accepts trailers; then the proxy does.
fn wants_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).iter();
    let mut codings = values.flat_map(|value| value.as_bytes().split(|octet| *octet == b','));
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Removes the fields that are meant for the next hop only (RFC 9110 section 7.6.1).
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|octet| *octet == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
}

/// Removes the fields by which only a proxy may describe the client, in each spelling that a backend may accept.
fn strip_forwarded(headers: &mut HeaderMap) {
    let is_of_proxies = |name: &HeaderName| {
        let name = name
            .as_str()
            .replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
        name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
    };
    let names: Vec<_> = headers
        .keys()
        .filter(|name| is_of_proxies(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// Joins the cookies that HTTP/2 may split: HTTP/1.1 has one header (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) -> Result<(), StatusCode> {
    let cookies: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if cookies.len() > 1 {
        let joined = HeaderValue::from_bytes(&cookies.join(&b"; "[..]));
        headers.insert(COOKIE, joined.map_err(|_| StatusCode::BAD_REQUEST)?);
    }
    Ok(())
}
