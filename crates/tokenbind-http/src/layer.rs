//! Feature `tower`: a layer that checks each request of a connection and hands the application the
//! bindings as extensions, [`ProvidedTokenBinding`] and [`ReferredTokenBinding`], and both as
//! [`TokenBindings`], which a proxy forwards.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, StatusCode, Version, header::CONNECTION};
use tokenbind_wire::ApplicationProtocol;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    connection::TokenBindingConnection,
    header::NAME,
    request_body::RequestBody,
    server::{ProvidedTokenBinding, ReferredTokenBinding, RequestOutcome, TokenBindings},
};

/// Makes a service of HTTP/1.1 token-binding aware, below a server of your own.
///
/// `TokenBindingServer` and `serve_connection` need no layer: they check each request as it arrives,
/// over HTTP/2, too. A layer is called in an order that the server below it chooses, and servers of
/// HTTP/2 call it in the order in which their tasks run. Requests of another version than HTTP/1.0 and
/// HTTP/1.1 are therefore answered with 500, and never reach the service.
///
/// The connection is that of [`for_connection`](Self::for_connection), else the request's extension
/// [`TokenBindingConnection`]. A request without one is answered with 500, too.
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
    /// Checks the request; the connection, or the status to refuse it with.
    fn check<B>(&self, request: &mut Request<B>) -> Result<TokenBindingConnection, StatusCode> {
        let own = self.connection.as_ref();
        let connection = own.or_else(|| request.extensions().get());
        let connection = connection.ok_or(StatusCode::INTERNAL_SERVER_ERROR)?.clone();
        let spoken = match request.version() {
            Version::HTTP_09 | Version::HTTP_10 | Version::HTTP_11 => ApplicationProtocol::Http11,
            _ => ApplicationProtocol::Http2,
        };
        // popov-3-2
        let negotiated = connection.protocol(spoken);
        negotiated.map_err(|_terminated| StatusCode::BAD_REQUEST)?;
        if spoken != ApplicationProtocol::Http11 {
            // popov-5-2: which request is the first is not known here.
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        check(&connection, request)?;
        Ok(connection)
    }
}

/// Checks a request of this connection, and hands it the bindings; the status to refuse it with, if it
/// is refused.
pub(crate) fn check<B>(
    connection: &TokenBindingConnection,
    request: &mut Request<B>,
) -> Result<(), StatusCode> {
    let values = request.headers().get_all(&NAME);
    match connection.request(values.iter().map(HeaderValue::as_bytes)) {
        RequestOutcome::NotInUse => {
            let extensions = request.extensions_mut();
            extensions.remove::<ProvidedTokenBinding>();
            extensions.remove::<ReferredTokenBinding>();
            extensions.remove::<TokenBindings>();
            Ok(())
        }
        RequestOutcome::Bound(bindings) => {
            let extensions = request.extensions_mut();
            extensions.insert(bindings.provided().clone());
            match bindings.referred() {
                Some(referred) => extensions.insert(referred.clone()),
                None => extensions.remove::<ReferredTokenBinding>(),
            };
            extensions.insert(bindings);
            Ok(())
        }
        RequestOutcome::Terminate(_) => Err(StatusCode::BAD_REQUEST),
    }
}

impl<S, B, R> Service<Request<B>> for TokenBindingService<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
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
            Ok(connection) => {
                let request = request.map(|body| RequestBody::new(body, connection));
                TokenBindingResponse::checked(self.inner.call(request))
            }
            Err(status) => TokenBindingResponse::refused(status),
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

impl<F, R> TokenBindingResponse<F, R> {
    pub(crate) const fn checked(response: F) -> Self {
        Self {
            checked: Some(response),
            refused: None,
        }
    }

    pub(crate) fn refused(status: StatusCode) -> Self
    where
        R: Default,
    {
        let mut response = Response::new(R::default());
        *response.status_mut() = status;
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        Self {
            checked: None,
            refused: Some(response),
        }
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
