//! Feature `hyper`: an HTTP client over hyper 1, which keeps connections and carries permissions over
//! redirects.
//!
//! hyper-util's `legacy::Client` chooses a connection after the request was built, so that a header that
//! depends on the connection cannot be added. This client chooses the connection first.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    io,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION,
        PROXY_AUTHORIZATION, TRANSFER_ENCODING,
    },
    uri::Authority,
};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use url::Url;

use crate::{
    client::{
        connection::{Connection, RequestHeader},
        https::HttpsConnector,
        pool::{Kept, Open, Pool},
        request_error::{MAX_REDIRECTS, RequestError},
    },
    federation::{Disclosure, Permission},
    origin::{Origin, OriginError},
};

/// The options of a request. By default no binding is revealed.
#[derive(Debug, Default)]
pub struct RequestOptions {
    /// A permission to reveal the binding with a token consumer, e.g. that of a redirect
    /// ([`Connection::response_permission`]). Takes precedence over `with_referer_token_binding_id`.
    pub permission: Option<Permission>,
    /// The token consumer whose page or script makes the request: the property `withRefererTokenBindingID`
    /// of an `XmlHttpRequest` (section 3.4). The binding with this origin is revealed only if Token Binding
    /// was negotiated both on the client's latest connection with it and on the connection of the request.
    /// [`Disclosed`] contains the decision.
    pub with_referer_token_binding_id: Option<Origin>,
}

/// An extension of the response to a request with [`RequestOptions`]: the decision to disclose a referred
/// binding, or the reason to withhold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed(pub Disclosure);

/// A request without a response.
struct Failed<B> {
    error: RequestError,
    /// The request, if no byte of it was sent.
    unsent: Option<Request<B>>,
}

/// An HTTP client that sends the `Token-Binding` header. Clones share connections and keys.
pub struct HttpClient<B = Full<Bytes>> {
    connector: HttpsConnector,
    pool: Arc<Mutex<Pool<B>>>,
}

impl<B> Clone for HttpClient<B> {
    fn clone(&self) -> Self {
        Self {
            connector: self.connector.clone(),
            pool: self.pool.clone(),
        }
    }
}

impl<B> fmt::Debug for HttpClient<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl<B> HttpClient<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Creates a client over this connector.
    #[must_use]
    pub fn new(connector: HttpsConnector) -> Self {
        Self {
            connector,
            pool: Arc::default(),
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool<B>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one request, `https` with an absolute URI, and follows no redirect. `Host` is that of
    /// the URI, without user and password.
    ///
    /// Returns the response and its connection; the permission of a redirect is that of
    /// [`Connection::response_permission`]. If an open connection turns out to be closed before any byte was
    /// sent, the request is sent over a new connection.
    ///
    /// # Errors
    /// A [`RequestError`] if there is no response.
    pub async fn send(
        &self,
        request: Request<B>,
        options: RequestOptions,
    ) -> Result<(Response<Incoming>, Arc<Connection>), RequestError> {
        self.send_or_again(request, None, options).await
    }

    /// Sends a request as [`send`](Self::send) does. If an open connection fails after the request may have
    /// been processed, `again` is sent, if there is one.
    async fn send_or_again(
        &self,
        request: Request<B>,
        again: Option<Request<B>>,
        options: RequestOptions,
    ) -> Result<(Response<Incoming>, Arc<Connection>), RequestError> {
        let uri = without_userinfo(request.uri().clone())?;
        let origin: Origin = uri.to_string().parse().map_err(RequestError::Origin)?;
        let (permission, withheld) = self.permission(options);
        let (open, kept) = self.open(&origin, &uri).await?;
        let connection = open.connection().clone();
        let first = self.send_over(open, request, &uri, permission.as_ref());
        let sent = match first.await {
            Err(failed) if kept => {
                self.pool().forget(&connection);
                let Some(request) = failed.unsent.or(again) else {
                    return Err(failed.error);
                };
                let open = self.connect(&uri).await?;
                self.send_over(open, request, &uri, permission.as_ref())
                    .await
            }
            sent => sent,
        };
        let (mut response, connection, disclosure) = sent.map_err(|failed| failed.error)?;
        if let Some(disclosure) = disclosure.or(withheld) {
            response.extensions_mut().insert(Disclosed(disclosure));
        }
        Ok((response, connection))
    }

    async fn send_over(
        &self,
        mut open: Open<B>,
        request: Request<B>,
        uri: &Uri,
        permission: Option<&Permission>,
    ) -> Result<(Response<Incoming>, Arc<Connection>, Option<Disclosure>), Failed<B>> {
        let permission = permission.map(Permission::for_another_attempt);
        let header = self.header(open.connection(), permission).await;
        let header = header.map_err(|error| Failed {
            error,
            unsent: None,
        })?;
        match open.send(request, uri, header.value.as_deref()).await {
            Ok(response) => {
                let connection = open.connection().clone();
                self.pool().keep(open);
                Ok((response, connection, header.disclosure))
            }
            Err(mut error) => Err(Failed {
                unsent: error.take_message(),
                error: RequestError::Http(error.into_error()),
            }),
        }
    }

    /// Returns the permission of a request's options, or the decision to withhold the binding.
    fn permission(&self, options: RequestOptions) -> (Option<Permission>, Option<Disclosure>) {
        let RequestOptions {
            permission: None,
            with_referer_token_binding_id: Some(consumer),
        } = options
        else {
            return (options.permission, None);
        };
        match self.connector.state().script_permission(true, &consumer) {
            Ok(permission) => (Some(permission), None),
            Err(reason) => (None, Some(Disclosure::Withhold(reason))),
        }
    }

    /// Returns the header of a request. Keys are made and messages signed on a thread for blocking work.
    async fn header(
        &self,
        connection: &Arc<Connection>,
        permission: Option<Permission>,
    ) -> Result<RequestHeader, RequestError> {
        let state = self.connector.state().clone();
        if permission.is_none()
            && connection.is_current(&state)
            && let value @ Some(_) = connection.written_header()
        {
            let disclosure = None;
            return Ok(RequestHeader { value, disclosure });
        }
        if connection.session().is_none() {
            return Ok(connection.header(&state, permission)?);
        }
        let connection = connection.clone();
        let written = tokio::task::spawn_blocking(move || connection.header(&state, permission));
        match written.await {
            Ok(header) => Ok(header?),
            Err(error) => Err(RequestError::Connect(io::Error::other(error))),
        }
    }

    /// Returns a connection, and `true` if it was open before.
    async fn open(&self, origin: &Origin, uri: &Uri) -> Result<(Open<B>, bool), RequestError> {
        let mut busy = match self.pool().take(origin, self.connector.state()) {
            Some(Kept::Ready(open)) => return Ok((open, true)),
            Some(Kept::Busy(open)) => Some(open),
            None => None,
        };
        // A response that was just read to its end may keep its connection busy for a moment. Use that
        // connection or a new one, whichever is ready first.
        let mut connect = pin!(self.connect(uri));
        let new = poll_fn(|context| {
            if let Some(open) = &mut busy
                && let Poll::Ready(ready) = open.poll_ready(context)
            {
                match ready {
                    Ok(()) => return Poll::Ready(None),
                    Err(_) => busy = None,
                }
            }
            connect.as_mut().poll(context).map(Some)
        })
        .await;
        match (new, busy) {
            (None, Some(open)) => Ok((open, true)),
            (None, None) => Ok((self.connect(uri).await?, false)),
            (Some(new), busy) => {
                if let Some(open) = busy {
                    self.pool().keep(open);
                }
                Ok((new?, false))
            }
        }
    }

    async fn connect(&self, uri: &Uri) -> Result<Open<B>, RequestError> {
        let open = Open::connect(self.connector.clone(), uri.clone()).await?;
        self.pool().share(&open);
        Ok(open)
    }

    /// Closes all open connections, e.g. after `State::reset`, after which they cannot be used.
    pub fn close_idle(&self) {
        let closed = std::mem::take(&mut *self.pool());
        // Dropped without the lock, because a body of a connection may run the application's code.
        drop(closed);
    }
}

impl HttpClient<Full<Bytes>> {
    /// Sends a request and follows redirects, carrying a token consumer's permission over the one
    /// hop it is for (section 3.3). If an open connection fails, which the server may have closed
    /// meanwhile, a request of an idempotent method is sent over a new connection.
    ///
    /// Across origins `Authorization`, `Proxy-Authorization` and `Cookie` are dropped. 301, 302 and 303 turn other methods
    /// than GET and HEAD into GET; 307 and 308 keep method and body.
    ///
    /// # Errors
    /// A [`RequestError`] if there is no response, or a redirect cannot be followed.
    pub async fn request(
        &self,
        request: Request<Full<Bytes>>,
        options: RequestOptions,
    ) -> Result<Response<Incoming>, RequestError> {
        let (mut parts, mut body) = request.into_parts();
        let mut options = Some(options);
        for _ in 0..=MAX_REDIRECTS {
            let mut next = Request::new(body.clone());
            next.method_mut().clone_from(&parts.method);
            next.uri_mut().clone_from(&parts.uri);
            next.headers_mut().clone_from(&parts.headers);
            let again = next.method().is_idempotent().then(|| next.clone());
            let options_of_next = options.take().unwrap_or_default();
            let sent = self.send_or_again(next, again, options_of_next);
            let (response, connection) = sent.await?;
            let status = response.status();
            let Some(location) = location(&response) else {
                return Ok(response);
            };
            options = connection
                .response_permission(&response)
                .ok()
                .map(|permission| RequestOptions {
                    permission: Some(permission),
                    ..RequestOptions::default()
                });
            let to = resolve(&parts.uri, location)?;
            if to.to_string().parse::<Origin>().ok().as_ref() != Some(connection.origin()) {
                for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                    parts.headers.remove(name);
                }
            }
            parts.uri = to;
            let keeps = matches!(
                status,
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
            );
            if !keeps && parts.method != Method::GET && parts.method != Method::HEAD {
                parts.method = Method::GET;
                body = Full::default();
                drop_content(&mut parts.headers);
            }
        }
        Err(RequestError::TooManyRedirects)
    }
}

fn without_userinfo(uri: Uri) -> Result<Uri, RequestError> {
    let mut parts = uri.into_parts();
    let host = |authority: &Authority| {
        let (_, host) = authority.as_str().rsplit_once('@')?;
        Some(host.parse())
    };
    let malformed = RequestError::Origin(OriginError::Url);
    match parts.authority.as_ref().and_then(host) {
        Some(Ok(host)) => parts.authority = Some(host),
        Some(Err(_)) => return Err(malformed),
        None => {}
    }
    Uri::from_parts(parts).map_err(|_| malformed)
}

fn location<B>(response: &Response<B>) -> Option<&HeaderValue> {
    let redirects = [301, 302, 303, 307, 308].contains(&response.status().as_u16());
    response.headers().get(LOCATION).filter(|_| redirects)
}

fn resolve(base: &Uri, location: &HeaderValue) -> Result<Uri, RequestError> {
    let failed = |_| RequestError::Location;
    let location = location.to_str().map_err(|_| RequestError::Location)?;
    let base = Url::parse(&base.to_string()).map_err(failed)?;
    let mut to = base.join(location).map_err(failed)?;
    to.set_fragment(None);
    to.as_str().parse().map_err(|_| RequestError::Location)
}

fn drop_content(headers: &mut HeaderMap) {
    for name in [
        CONTENT_LENGTH,
        CONTENT_TYPE,
        CONTENT_ENCODING,
        TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
}
