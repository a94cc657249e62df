//! Feature `hyper`: serves one accepted connection with hyper 1, HTTP/1.1 or HTTP/2 as negotiated.

use std::error::Error;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::{TowerToHyperService, TowerToHyperServiceFuture},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::{
    acceptor::TokenBindingStream,
    connection::TokenBindingConnection,
    layer::{TokenBindingResponse, check},
};

/// Serves a connection: each request is checked before `service` sees it. Returns when the
/// connection is closed.
///
/// # Errors
/// When the connection fails, as it does when Token Binding says to terminate it.
pub async fn serve_connection<IO, S, B>(
    stream: TokenBindingStream<IO>,
    service: S,
) -> Result<(), hyper::Error>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let service = InOrder {
        connection: stream.connection().clone(),
        service: TowerToHyperService::new(service),
    };
    let http2 = stream.is_http2();
    let io = TokioIo::new(stream);
    if http2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .serve_connection(io, service)
            .await
    } else {
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(io, service)
            .with_upgrades()
            .await
    }
}

/// Checks a request when hyper hands it over, which is in the order of arrival: the tower service is
/// not called before the stream's own task runs.
struct InOrder<S> {
    connection: TokenBindingConnection,
    service: TowerToHyperService<S>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for InOrder<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = TokenBindingResponse<TowerToHyperServiceFuture<S, Request<Incoming>>, B>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        match check(&self.connection, &mut request) {
            Ok(()) => TokenBindingResponse::checked(self.service.call(request)),
            Err(status) => TokenBindingResponse::refused(status),
        }
    }
}
