//! Feature `hyper`: an HTTP client over hyper 1 and hyper-util: the connector as a service, one
//! connection as a service that writes the header, and a client that keeps connections, carries
//! permissions over redirects and cannot forget a rule.
//!
//! hyper-util's `legacy::Client` chooses a connection after the request was built, so nothing can
//! add a header that depends on the connection: hence a client of our own.

use std::{
    collections::HashMap,
    error::Error,
    fmt,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName,
        LOCATION, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
    },
    uri::Authority,
};
use http_body::Body;
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

use crate::{
    client::{ClientBinding, ClientError, RequestHeader},
    connector::{ConnectedStream, TokenBindingConnector},
    federation::{Disclosure, Permission, WithheldReason},
    header::INCLUDE_REFERER_TOKEN_BINDING_ID,
    header::TOKEN_BINDING,
    origin::{Origin, OriginError},
};

/// The header's name, so that no request parses it.
static NAME: HeaderName = HeaderName::from_static(TOKEN_BINDING);

/// How many redirects are followed.
pub const MAX_REDIRECTS: usize = 10;

/// Why a request has no response.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// The URL is not one Token Binding is defined for.
    Origin(OriginError),
    /// The connection could not be had.
    Connect(io::Error),
    /// There is no header to send.
    Binding(ClientError),
    /// Sending or receiving failed.
    Http(hyper::Error),
    /// More than [`MAX_REDIRECTS`] redirects.
    TooManyRedirects,
    /// The redirect's `Location` cannot be followed.
    Location,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(error) => error.fmt(f),
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Binding(error) => error.fmt(f),
            Self::Http(error) => error.fmt(f),
            Self::TooManyRedirects => write!(f, "more than {MAX_REDIRECTS} redirects"),
            Self::Location => f.write_str("the redirect's location cannot be followed"),
        }
    }
}

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Origin(error) => Some(error),
            Self::Connect(error) => Some(error),
            Self::Binding(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::TooManyRedirects | Self::Location => None,
        }
    }
}

impl From<ClientError> for RequestError {
    fn from(error: ClientError) -> Self {
        Self::Binding(error)
    }
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The connector as hyper-util knows connectors: from a URI to a stream, over TCP. The pools of
/// `hyper_util::client::pool` take it.
#[derive(Clone, Debug)]
pub struct HttpsTokenBindingConnector {
    tcp: HttpConnector,
    tls: TokenBindingConnector,
}

impl HttpsTokenBindingConnector {
    /// Over hyper-util's connector for TCP.
    #[must_use]
    pub fn new(tls: TokenBindingConnector) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self { tcp, tls }
    }

    /// Over this one, e.g. with a timeout or a local address. It must not enforce `http`.
    #[must_use]
    pub const fn with_tcp(tcp: HttpConnector, tls: TokenBindingConnector) -> Self {
        Self { tcp, tls }
    }
}

impl Service<Uri> for HttpsTokenBindingConnector {
    type Response = HttpsStream;
    type Error = RequestError;
    type Future = BoxFuture<Result<HttpsStream, RequestError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        let ready = self.tcp.poll_ready(context);
        ready.map_err(|error| RequestError::Connect(io::Error::other(error)))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.tls.clone();
        let origin = uri.to_string().parse::<Origin>();
        let tcp = self.tcp.call(uri);
        Box::pin(async move {
            let origin = origin.map_err(RequestError::Origin)?;
            let tcp = tcp
                .await
                .map_err(|error| RequestError::Connect(io::Error::other(error)))?;
            let connected = tls.connect(origin, tcp.into_inner()).await;
            let connected = connected.map_err(RequestError::Connect)?;
            let http2 = connected.is_http2();
            let ConnectedStream { stream, binding } = connected;
            let stream = TokioIo::new(stream);
            Ok(HttpsStream {
                stream,
                binding,
                http2,
            })
        })
    }
}

/// A connection of [`HttpsTokenBindingConnector`]. Its [`ClientBinding`] also is an extra of
/// hyper-util's [`Connected`].
#[derive(Debug)]
pub struct HttpsStream {
    stream: TokioIo<tokio_rustls::client::TlsStream<TcpStream>>,
    binding: Arc<ClientBinding>,
    http2: bool,
}

impl HttpsStream {
    /// The connection's state.
    #[must_use]
    pub const fn binding(&self) -> &Arc<ClientBinding> {
        &self.binding
    }
}

impl Connection for HttpsStream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.binding.clone());
        if self.http2 {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl Read for HttpsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for HttpsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What a client says of a request besides the request. Nothing reveals a binding by default.
#[derive(Debug, Default)]
pub struct RequestOptions {
    /// A permission to reveal the binding with a token consumer, e.g. that of a redirect
    /// ([`permission_of`]). If it is given, the next field does not count.
    pub permission: Option<Permission>,
    /// Section 3.4: what the property `withRefererTokenBindingID` is to an `XmlHttpRequest`, set by a
    /// page or script of this origin. The binding with this origin is revealed only if Token Binding
    /// was negotiated both on the client's latest connection with it and on the request's own;
    /// [`Disclosed`] tells.
    pub with_referer_token_binding_id: Option<Origin>,
}

/// What became of a permission, or why there was none: an extension of the response to a request
/// with [`RequestOptions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed(pub Disclosure);

/// One open connection as a client uses it.
enum Sender<B> {
    Http1(http1::SendRequest<B>),
    Http2(http2::SendRequest<B>),
}

struct Open<B> {
    sender: Sender<B>,
    binding: Arc<ClientBinding>,
}

/// A request without a response.
struct Failed<B> {
    error: RequestError,
    /// The request, if nothing of it was sent.
    unsent: Option<Request<B>>,
}

/// A connection that was kept.
enum Kept<B> {
    Ready(Open<B>),
    /// Its response is still being read, or was just read to its end.
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

impl<B: Body + Send + Unpin + 'static> Open<B> {
    /// Sends a request to `uri` with this header. One of which nothing was sent comes back with the
    /// error.
    async fn send(
        &mut self,
        mut request: Request<B>,
        uri: &Uri,
        header: Option<&str>,
    ) -> Result<Response<Incoming>, TrySendError<Request<B>>> {
        let headers = request.headers_mut();
        headers.remove(&NAME);
        headers.remove(HOST);
        if let Some(value) = header.and_then(|value| header_value(&self.binding, value)) {
            headers.insert(&NAME, value);
        }
        request.uri_mut().clone_from(uri);
        match &mut self.sender {
            Sender::Http2(sender) => {
                *request.version_mut() = Version::HTTP_2;
                sender.try_send_request(request).await
            }
            Sender::Http1(sender) => {
                // HTTP/1.1 wants the path in the request line, and the authority in Host.
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

/// The header as `http` has it, taken from the request before where it is the same.
fn header_value(binding: &ClientBinding, value: &str) -> Option<HeaderValue> {
    if let Some(kept) = binding.header_value.get()
        && kept == value
    {
        return Some(kept.clone());
    }
    // base64url is always a header value.
    let made = HeaderValue::from_str(value).ok()?;
    let _ = binding.header_value.set(made.clone());
    Some(made)
}

/// Kept connections, by origin. Never shared between origins, also not in HTTP/2: keys are per
/// origin.
struct Pool<B> {
    http1: HashMap<Origin, Vec<Open<B>>>,
    http2: HashMap<Origin, Open<B>>,
}

impl<B> Default for Pool<B> {
    fn default() -> Self {
        let (http1, http2) = Default::default();
        Self { http1, http2 }
    }
}

/// An HTTP client that binds. Clones share connections and keys.
pub struct Client<B = Full<Bytes>> {
    connector: HttpsTokenBindingConnector,
    pool: Arc<Mutex<Pool<B>>>,
}

impl<B> Clone for Client<B> {
    fn clone(&self) -> Self {
        Self {
            connector: self.connector.clone(),
            pool: self.pool.clone(),
        }
    }
}

impl<B> fmt::Debug for Client<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<B> Client<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// A client over this connector.
    #[must_use]
    pub fn new(connector: HttpsTokenBindingConnector) -> Self {
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
    /// Also returned is the connection it went over, which tells what a redirect permits. If a kept
    /// connection turns out to be closed before anything was sent, the request goes over a new one.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn send(
        &self,
        request: Request<B>,
        options: RequestOptions,
    ) -> Result<(Response<Incoming>, Arc<ClientBinding>), RequestError> {
        self.send_or_again(request, None, options).await
    }

    /// As [`send`](Self::send). If a kept connection fails and it is not known whether the request was
    /// processed, `again` is sent, if there is one.
    async fn send_or_again(
        &self,
        request: Request<B>,
        again: Option<Request<B>>,
        options: RequestOptions,
    ) -> Result<(Response<Incoming>, Arc<ClientBinding>), RequestError> {
        let uri = without_userinfo(request.uri().clone())?;
        let origin: Origin = uri.to_string().parse().map_err(RequestError::Origin)?;
        let (permission, withheld) = self.permission(options);
        let (open, kept) = self.open(&origin, &uri).await?;
        let binding = open.binding.clone();
        let first = self.send_over(open, request, &uri, permission.as_ref());
        let sent = match first.await {
            Err(failed) if kept => {
                self.forget(&binding);
                let Some(request) = failed.unsent.or(again) else {
                    return Err(failed.error);
                };
                let open = self.connect(&origin, &uri).await?;
                self.send_over(open, request, &uri, permission.as_ref())
                    .await
            }
            sent => sent,
        };
        let (mut response, binding, disclosure) = sent.map_err(|failed| failed.error)?;
        if let Some(disclosure) = disclosure.or(withheld) {
            response.extensions_mut().insert(Disclosed(disclosure));
        }
        Ok((response, binding))
    }

    async fn send_over(
        &self,
        mut open: Open<B>,
        request: Request<B>,
        uri: &Uri,
        permission: Option<&Permission>,
    ) -> Result<(Response<Incoming>, Arc<ClientBinding>, Option<Disclosure>), Failed<B>> {
        let permission = permission.map(Permission::for_another_attempt);
        let header = self.header(&open.binding, permission).await;
        let header = header.map_err(|error| Failed {
            error,
            unsent: None,
        })?;
        match open.send(request, uri, header.value.as_deref()).await {
            Ok(response) => {
                let binding = open.binding.clone();
                self.keep(open);
                Ok((response, binding, header.disclosure))
            }
            Err(mut error) => Err(Failed {
                unsent: error.take_message(),
                error: RequestError::Http(error.into_error()),
            }),
        }
    }

    /// What a request's options permit, or why they permit nothing.
    fn permission(&self, options: RequestOptions) -> (Option<Permission>, Option<Disclosure>) {
        let RequestOptions {
            permission: None,
            with_referer_token_binding_id: Some(consumer),
        } = options
        else {
            return (options.permission, None);
        };
        match self
            .connector
            .tls
            .state()
            .script_permission(true, &consumer)
        {
            Ok(permission) => (Some(permission), None),
            Err(reason) => (None, Some(Disclosure::Withhold(reason))),
        }
    }

    /// The header of a request. Anything that may take long is done on a thread for that.
    async fn header(
        &self,
        binding: &Arc<ClientBinding>,
        permission: Option<Permission>,
    ) -> Result<RequestHeader, RequestError> {
        let state = self.connector.tls.state().clone();
        if permission.is_none()
            && binding.is_current(&state)
            && let value @ Some(_) = binding.written_header()
        {
            let disclosure = None;
            return Ok(RequestHeader { value, disclosure });
        }
        if binding.session().is_none() {
            return Ok(binding.header(&state, permission)?);
        }
        let binding = binding.clone();
        let written = tokio::task::spawn_blocking(move || binding.header(&state, permission));
        match written.await {
            Ok(header) => Ok(header?),
            Err(error) => Err(RequestError::Connect(io::Error::other(error))),
        }
    }

    /// A connection, and whether it is one that was kept.
    async fn open(&self, origin: &Origin, uri: &Uri) -> Result<(Open<B>, bool), RequestError> {
        let mut busy = match self.kept(origin) {
            Some(Kept::Ready(open)) => return Ok((open, true)),
            Some(Kept::Busy(open)) => Some(open),
            None => None,
        };
        // A response that was just read to its end may keep its connection busy a moment longer:
        // whichever is first, that or a new connection.
        let mut connect = pin!(self.connect(origin, uri));
        let new = poll_fn(|context| {
            if let Some(Open { sender, .. }) = &mut busy
                && let Sender::Http1(sender) = sender
                && let Poll::Ready(ready) = sender.poll_ready(context)
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
            (None, None) => Ok((self.connect(origin, uri).await?, false)),
            (Some(new), busy) => {
                if let Some(open) = busy {
                    self.keep(open);
                }
                Ok((new?, false))
            }
        }
    }

    async fn connect(&self, origin: &Origin, uri: &Uri) -> Result<Open<B>, RequestError> {
        let mut connector = self.connector.clone();
        poll_fn(|context| connector.poll_ready(context)).await?;
        let stream = connector.call(uri.clone()).await?;
        let binding = stream.binding.clone();
        let sender = if stream.http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
                .await
                .map_err(RequestError::Http)?;
            tokio::spawn(connection);
            let kept = Open {
                sender: Sender::Http2(sender.clone()),
                binding: binding.clone(),
            };
            self.pool().http2.insert(origin.clone(), kept);
            Sender::Http2(sender)
        } else {
            let (sender, connection) =
                http1::handshake(stream).await.map_err(RequestError::Http)?;
            tokio::spawn(connection.with_upgrades());
            Sender::Http1(sender)
        };
        Ok(Open { sender, binding })
    }

    /// A connection that was kept, and takes a request now or in a while.
    fn kept(&self, origin: &Origin) -> Option<Kept<B>> {
        let state = self.connector.tls.state();
        let mut pool = self.pool();
        if let Some(open) = pool.http2.get(origin) {
            if let Sender::Http2(sender) = &open.sender
                && open.binding.is_current(state)
                && !sender.is_closed()
            {
                return Some(Kept::Ready(Open {
                    sender: Sender::Http2(sender.clone()),
                    binding: open.binding.clone(),
                }));
            }
            pool.http2.remove(origin);
        }
        let kept = pool.http1.get_mut(origin)?;
        kept.retain(|open| open.binding.is_current(state) && !open.is_closed());
        match kept.iter().position(Open::is_ready) {
            Some(ready) => Some(Kept::Ready(kept.swap_remove(ready))),
            None => kept.pop().map(Kept::Busy),
        }
    }

    /// Puts a connection of HTTP/1.1 back; it takes the next request once its response was read.
    fn keep(&self, open: Open<B>) {
        if matches!(open.sender, Sender::Http1(_)) {
            let origin = open.binding.origin().clone();
            self.pool().http1.entry(origin).or_default().push(open);
        }
    }

    /// Takes out a connection of HTTP/2 that turned out to be closed.
    fn forget(&self, binding: &Arc<ClientBinding>) {
        let mut pool = self.pool();
        let kept = pool.http2.get(binding.origin());
        if kept.is_some_and(|open| Arc::ptr_eq(&open.binding, binding)) {
            pool.http2.remove(binding.origin());
        }
    }

    /// Closes all kept connections, e.g. after `ClientState::reset`, which makes them useless.
    pub fn close_idle(&self) {
        let closed = std::mem::take(&mut *self.pool());
        // Not under the lock: a body that a connection still has is the application's.
        drop(closed);
    }
}

impl Client<Full<Bytes>> {
    /// Sends a request and follows redirects, carrying a token consumer's permission over the one
    /// hop it is for (section 3.3). If a kept connection fails, which the server may have closed
    /// meanwhile, a request of an idempotent method goes over a new one.
    ///
    /// Across origins `Authorization`, `Proxy-Authorization` and `Cookie` are dropped. 301, 302 and 303 turn other methods
    /// than GET and HEAD into GET; 307 and 308 keep method and body.
    ///
    /// # Errors
    /// When there is no response.
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
            let (response, binding) = sent.await?;
            let status = response.status();
            let Some(location) = location(&response) else {
                return Ok(response);
            };
            options = permission_of(&response, &binding)
                .ok()
                .map(|permission| RequestOptions {
                    permission: Some(permission),
                    ..RequestOptions::default()
                });
            let to = resolve(&parts.uri, location)?;
            if to.to_string().parse::<Origin>().ok().as_ref() != Some(binding.origin()) {
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

/// What a redirect permits: section 3.3.
///
/// # Errors
/// Why it permits nothing.
pub fn permission_of<B>(
    response: &Response<B>,
    binding: &ClientBinding,
) -> Result<Permission, WithheldReason> {
    let values = response.headers().get_all(INCLUDE_REFERER_TOKEN_BINDING_ID);
    let values = values.iter().map(HeaderValue::as_bytes);
    binding.redirect_permission(response.status().as_u16(), values)
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
