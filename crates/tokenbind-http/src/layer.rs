//! Feature `tower`: a layer that checks each request of a connection and hands the application the
//! bindings as extensions, [`ProvidedTokenBinding`] and [`ReferredTokenBinding`].

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONNECTION, HeaderName},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    connection::TokenBindingConnection,
    header::TOKEN_BINDING,
    server::{ProvidedTokenBinding, ReferredTokenBinding, RequestOutcome},
};

/// The header's name, so that no request parses it.
static NAME: HeaderName = HeaderName::from_static(TOKEN_BINDING);

/// Makes a service token-binding aware.
///
/// The connection is that of [`for_connection`](Self::for_connection), else the request's extension
/// [`TokenBindingConnection`]. A request without is refused with 500: without knowing the connection
/// nothing can be said of it.
///
/// A refused request never reaches the service. Its answer is 400 with `Connection: close`, which a
/// `TokenBindingStream` does not let out: the connection just ends. On other streams, close
/// the connection once [`TokenBindingConnection::is_terminated`].
#[derive(Clone, Debug, Default)]
pub struct TokenBindingLayer {
    connection: Option<TokenBindingConnection>,
}

impl TokenBindingLayer {
    /// A layer for services that are shared by connections.
    #[must_use]
    pub const fn new() -> Self {
        Self { connection: None }
    }

    /// A layer for the service of one connection.
    #[must_use]
    pub const fn for_connection(connection: TokenBindingConnection) -> Self {
        Self {
            connection: Some(connection),
        }
    }
}

impl<S> Layer<S> for TokenBindingLayer {
    type Service = TokenBindingService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TokenBindingService {
            inner,
            connection: self.connection.clone(),
        }
    }
}

/// A service below a [`TokenBindingLayer`].
#[derive(Clone, Debug)]
pub struct TokenBindingService<S> {
    inner: S,
    connection: Option<TokenBindingConnection>,
}

impl<S> TokenBindingService<S> {
    /// Checks the request; the status to refuse it with, if it is.
    fn check<B>(&self, request: &mut Request<B>) -> Result<(), StatusCode> {
        let connection = self.connection.as_ref();
        let Some(connection) = connection.or_else(|| connection_of(request.extensions())) else {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let values = request.headers().get_all(&NAME);
        match connection.request(values.iter().map(HeaderValue::as_bytes)) {
            RequestOutcome::NotInUse => {
                let extensions = request.extensions_mut();
                extensions.remove::<ProvidedTokenBinding>();
                extensions.remove::<ReferredTokenBinding>();
                Ok(())
            }
            RequestOutcome::Bound(bindings) => {
                let extensions = request.extensions_mut();
                extensions.insert(bindings.provided().clone());
                match bindings.referred() {
                    Some(referred) => extensions.insert(referred.clone()),
                    None => extensions.remove::<ReferredTokenBinding>(),
                };
                Ok(())
            }
            RequestOutcome::Terminate(_) => Err(StatusCode::BAD_REQUEST),
        }
    }
}

fn connection_of(extensions: &http::Extensions) -> Option<&TokenBindingConnection> {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(connection)) = extensions.get() {
        return Some(connection);
    }
    extensions.get()
}

impl<S, B, R> Service<Request<B>> for TokenBindingService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TokenBindingResponse<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.check(&mut request) {
            Ok(()) => TokenBindingResponse {
                checked: Some(self.inner.call(request)),
                refused: None,
            },
            Err(status) => {
                let mut response = Response::new(R::default());
                *response.status_mut() = status;
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
                TokenBindingResponse {
                    checked: None,
                    refused: Some(response),
                }
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// The response of a [`TokenBindingService`]: the service's, or the refusal.
    pub struct TokenBindingResponse<F, R> {
        #[pin]
        checked: Option<F>,
        refused: Option<Response<R>>,
    }
}

impl<F, R, E> Future for TokenBindingResponse<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(refused) = this.refused.take() {
            return Poll::Ready(Ok(refused));
        }
        match this.checked.as_pin_mut() {
            Some(response) => response.poll(context),
            // Polled again after the refusal.
            None => Poll::Pending,
        }
    }
}
