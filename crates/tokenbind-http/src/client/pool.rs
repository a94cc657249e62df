//! Feature `hyper`: the open connections of an HTTP client.

use std::{
    collections::HashMap,
    error::Error,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, Uri, Version, header::HOST};
use http_body::Body;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::TokioExecutor;
use tower_service::Service;

use crate::{
    client::{
        connection::Connection, https::HttpsConnector, request_error::RequestError, state::State,
    },
    header::NAME,
    origin::Origin,
};

/// hyper's handle on one connection.
enum Sender<B> {
    Http1(http1::SendRequest<B>),
    Http2(http2::SendRequest<B>),
}

/// One open connection.
pub(super) struct Open<B> {
    sender: Sender<B>,
    connection: Arc<Connection>,
}

/// A connection of a [`Pool`].
pub(super) enum Kept<B> {
    /// A connection that takes a request now.
    Ready(Open<B>),
    /// A connection whose response is still being read, or was just read to its end.
    Busy(Open<B>),
}

impl<B> Open<B> {
    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    fn is_ready(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_ready(),
            Sender::Http2(sender) => sender.is_ready(),
        }
    }
}

impl<B> Open<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Opens a connection to `uri`.
    pub(super) async fn connect(
        mut connector: HttpsConnector,
        uri: Uri,
    ) -> Result<Self, RequestError> {
        poll_fn(|context| connector.poll_ready(context)).await?;
        let stream = connector.call(uri).await?;
        let connection = stream.connection().clone();
        let sender = if stream.is_http2() {
            let (sender, driver) = http2::handshake(TokioExecutor::new(), stream)
                .await
                .map_err(RequestError::Http)?;
            tokio::spawn(driver);
            Sender::Http2(sender)
        } else {
            let (sender, driver) = http1::handshake(stream).await.map_err(RequestError::Http)?;
            tokio::spawn(driver.with_upgrades());
            Sender::Http1(sender)
        };
        Ok(Self { sender, connection })
    }

    /// Returns the connection's state.
    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Returns ready once a connection of HTTP/1.1 takes a request, with an error if it was closed. A
    /// connection of HTTP/2 is never waited for.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.poll_ready(context),
            Sender::Http2(_) => Poll::Pending,
        }
    }

    /// Sends a request to `uri` with this header. If no byte was sent, the error contains the request so
    /// that it can be sent again.
    pub(super) async fn send(
        &mut self,
        mut request: Request<B>,
        uri: &Uri,
        header: Option<&str>,
    ) -> Result<Response<Incoming>, TrySendError<Request<B>>> {
        let headers = request.headers_mut();
        headers.remove(&NAME);
        headers.remove(HOST);
        if let Some(value) = header.and_then(|value| header_value(&self.connection, value)) {
            headers.insert(&NAME, value);
        }
        request.uri_mut().clone_from(uri);
        match &mut self.sender {
            Sender::Http2(sender) => {
                *request.version_mut() = Version::HTTP_2;
                sender.try_send_request(request).await
            }
            Sender::Http1(sender) => {
                // HTTP/1.1 has the path in the request line, and the authority in Host.
                *request.version_mut() = Version::HTTP_11;
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                if let (Ok(path), Some(authority)) = (path.parse(), uri.authority()) {
                    *request.uri_mut() = path;
                    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
                        request.headers_mut().insert(HOST, host);
                    }
                }
                sender.try_send_request(request).await
            }
        }
    }
}

/// Returns the header as a value of `http`: that of the previous request, if it is the same.
fn header_value(connection: &Connection, value: &str) -> Option<HeaderValue> {
    if let Some(kept) = connection.header_value.get()
        && kept == value
    {
        return Some(kept.clone());
    }
    // base64url is always a header value.
    let made = HeaderValue::from_str(value).ok()?;
    let _ = connection.header_value.set(made.clone());
    Some(made)
}

/// Open connections, by origin. A connection is never shared between origins, also not in HTTP/2: keys are
/// per origin.
pub(super) struct Pool<B> {
    http1: HashMap<Origin, Vec<Open<B>>>,
    http2: HashMap<Origin, Open<B>>,
}

impl<B> Default for Pool<B> {
    fn default() -> Self {
        let (http1, http2) = Default::default();
        Self { http1, http2 }
    }
}

impl<B> Pool<B> {
    /// Takes out a connection that takes a request now or soon, if its keys are those of `state`. A
    /// connection of HTTP/2 stays in the pool as well.
    pub(super) fn take(&mut self, origin: &Origin, state: &State) -> Option<Kept<B>> {
        if let Some(open) = self.http2.get(origin) {
            if let Sender::Http2(sender) = &open.sender
                && open.connection.is_current(state)
                && !sender.is_closed()
            {
                return Some(Kept::Ready(Open {
                    sender: Sender::Http2(sender.clone()),
                    connection: open.connection.clone(),
                }));
            }
            self.http2.remove(origin);
        }
        let kept = self.http1.get_mut(origin)?;
        kept.retain(|open| open.connection.is_current(state) && !open.is_closed());
        match kept.iter().position(Open::is_ready) {
            Some(ready) => Some(Kept::Ready(kept.swap_remove(ready))),
            None => kept.pop().map(Kept::Busy),
        }
    }

    /// Adds a new connection of HTTP/2, which all requests share from now on.
    pub(super) fn share(&mut self, open: &Open<B>) {
        if let Sender::Http2(sender) = &open.sender {
            let shared = Open {
                sender: Sender::Http2(sender.clone()),
                connection: open.connection.clone(),
            };
            let origin = open.connection.origin().clone();
            self.http2.insert(origin, shared);
        }
    }

    /// Puts a connection of HTTP/1.1 back. It takes the next request after its response was read.
    pub(super) fn keep(&mut self, open: Open<B>) {
        if matches!(open.sender, Sender::Http1(_)) {
            let origin = open.connection.origin().clone();
            self.http1.entry(origin).or_default().push(open);
        }
    }

    /// Removes a connection of HTTP/2 that turned out to be closed.
    pub(super) fn forget(&mut self, connection: &Arc<Connection>) {
        let kept = self.http2.get(connection.origin());
        if kept.is_some_and(|open| Arc::ptr_eq(&open.connection, connection)) {
            self.http2.remove(connection.origin());
        }
    }
}
