//! Feature `tower`: a layer that checks each request of a connection and hands the application the
//! bindings as extensions: [`ProvidedTokenBinding`] and [`ReferredTokenBinding`], and both as
//! [`TokenBindings`], which a proxy forwards.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, StatusCode, Version, header::CONNECTION};
use tokenbind_wire::ApplicationProtocol;

use crate::{
    bindings::{ProvidedTokenBinding, ReferredTokenBinding, TokenBindings},
    header::NAME,
    server::{connection::Connection, request_body::RequestBody, state::RequestOutcome},
};

/// A layer that checks the requests of HTTP/1.1, for a server that is not this crate's.
///
/// `server::Server` and `server::serve_connection` need no layer: they check each request as it
/// arrives, over HTTP/2, too. A layer is called in an order that the server chooses, and servers of
/// HTTP/2 call it in the order in which their tasks run. Requests of another version than HTTP/1.0 and
/// HTTP/1.1 are therefore answered with 500, and never reach the service.
///
/// The connection is that of [`for_connection`](Self::for_connection), else the request's extension
/// [`Connection`]. Without a connection the request is answered with 500, because it cannot be checked.
///
/// A refused request never reaches the service. Its answer is 400 with `Connection: close`. On a
/// `server::Stream` the answer is not sent; the connection is closed. On other streams, close the
/// connection once [`Connection::is_terminated`].
#[derive(Clone, Debug, Default)]
pub struct Layer {
    connection: Option<Connection>,
}

impl Layer {
    /// Creates a layer for a service that is shared by connections.
    #[must_use]
    pub const fn new() -> Self {
        Self { connection: None }
    }

    /// Creates a layer for the service of one connection.
    #[must_use]
    pub const fn for_connection(connection: Connection) -> Self {
        Self {
            connection: Some(connection),
        }
    }
}

impl<S> tower_layer::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Service {
            inner,
            connection: self.connection.clone(),
        }
    }
}

/// A service that a [`Layer`] protects.
#[derive(Clone, Debug)]
pub struct Service<S> {
    inner: S,
    connection: Option<Connection>,
}

impl<S> Service<S> {
    /// Checks the request. Returns its connection, or the status to refuse it with.
    fn check<B>(&self, request: &mut Request<B>) -> Result<Connection, StatusCode> {
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
            // popov-5-2: the order of arrival is not known here.
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        check(&connection, request)?;
        Ok(connection)
    }
}

/// Checks a request of this connection, and adds its bindings as extensions. Returns the status to refuse
/// it with, if it is refused.
pub(crate) fn check<B>(
    connection: &Connection,
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

impl<S, B, R> tower_service::Service<Request<B>> for Service<S>
where
    S: tower_service::Service<Request<RequestBody<B>>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.check(&mut request) {
            Ok(connection) => {
                let request = request.map(|body| RequestBody::new(body, connection));
                ResponseFuture::checked(self.inner.call(request))
            }
            Err(status) => ResponseFuture::refused(status),
        }
    }
}

pin_project_lite::pin_project! {
    /// The response of a [`Service`]: the inner service's, or the refusal.
    pub struct ResponseFuture<F, R> {
        #[pin]
        checked: Option<F>,
        refused: Option<Response<R>>,
    }
}

impl<F, R> ResponseFuture<F, R> {
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

impl<F, R, E> Future for ResponseFuture<F, R>
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
