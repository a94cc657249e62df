//! The endpoint of an operator's programs: `/metrics` in the format of `OpenMetrics`, and `/health`.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::metrics::Metrics;

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The number of connections of an operator's programs at a time.
const MAX_CONNECTIONS: usize = 64;

/// The state of the gateway, with one line for each fault: `Ok` if it can serve.
pub(super) type Health = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// Answers requests until it is dropped.
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>, health: Health) {
    let accept_loop = accept_loop::AcceptLoop::new().max_connections(MAX_CONNECTIONS);
    let serve = |connection: accept_loop::Connection| {
        let (metrics, health) = (metrics.clone(), health.clone());
        async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                let answer = answer(&request, &metrics, &health);
                async move { Ok::<_, Infallible>(answer) }
            });
            connection.is_served();
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(std::time::Duration::from_secs(10))
                .serve_connection(TokioIo::new(connection.into_stream()), answer);
            // A client of the endpoint that breaks its connection concerns nobody.
            let _ = served.await;
        }
    };
    accept_loop.serve(listener, serve).await;
}

fn answer(
    request: &Request<Incoming>,
    metrics: &Metrics,
    health: &Health,
) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET expected\n".to_owned());
    }
    match request.uri().path() {
        "/metrics" => {
            let mut response = text(StatusCode::OK, metrics.text());
            response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
            response
        }
        "/health" => match health() {
            Ok(lines) => text(StatusCode::OK, lines),
            Err(faults) => text(StatusCode::SERVICE_UNAVAILABLE, faults),
        },
        _ => text(
            StatusCode::NOT_FOUND,
            "/metrics or /health expected\n".to_owned(),
        ),
    }
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
