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
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION,
        TRANSFER_ENCODING,
    },
};
use http_body::Body;
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
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
    federation::{Disclosure, INCLUDE_REFERER_TOKEN_BINDING_ID, Permission, WithheldReason},
    header::TOKEN_BINDING,
    origin::{Origin, OriginError},
};

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

    /// Over this one, e.g. with a resolver of one's own. It must not enforce `http`.
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

/// What a client says of a request besides the request.
#[derive(Debug, Default)]
pub struct RequestOptions {
    /// A permission to reveal the binding with a token consumer.
    pub permission: Option<Permission>,
}

/// What became of a permission: an extension of the response, if there was one.
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

    /// Sends one request, `https` with an absolute URI, and follows no redirect.
    ///
    /// Also returned is the connection it went over, which tells what a redirect permits.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn send(
        &self,
        mut request: Request<B>,
        options: RequestOptions,
    ) -> Result<(Response<Incoming>, Arc<ClientBinding>), RequestError> {
        let uri = request.uri().clone();
        let origin: Origin = uri.to_string().parse().map_err(RequestError::Origin)?;
        let mut open = self.open(&origin, &uri).await?;
        let header = self.header(&open.binding, options.permission).await?;
        request.headers_mut().remove(TOKEN_BINDING);
        if let Some(value) = &header.value {
            // base64url is always a header value.
            if let Ok(value) = HeaderValue::from_str(value) {
                request.headers_mut().insert(TOKEN_BINDING, value);
            }
        }
        let binding = open.binding.clone();
        let response = match &mut open.sender {
            Sender::Http2(sender) => {
                let mut sender = sender.clone();
                *request.version_mut() = Version::HTTP_2;
                sender.send_request(request).await
            }
            Sender::Http1(sender) => {
                // HTTP/1.1 wants the path in the request line, and the authority in Host.
                *request.version_mut() = Version::HTTP_11;
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                if let (Ok(path), Some(authority)) = (path.parse(), uri.authority()) {
                    *request.uri_mut() = path;
                    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
                    if let Ok(host) = HeaderValue::from_str(host) {
                        request.headers_mut().insert(HOST, host);
                    }
                }
                sender.send_request(request).await
            }
        };
        let mut response = response.map_err(RequestError::Http)?;
        if let Some(disclosure) = header.disclosure {
            response.extensions_mut().insert(Disclosed(disclosure));
        }
        self.keep(origin, open);
        Ok((response, binding))
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

    async fn open(&self, origin: &Origin, uri: &Uri) -> Result<Open<B>, RequestError> {
        if let Some(open) = self.kept(origin) {
            return Ok(open);
        }
        let mut connector = self.connector.clone();
        std::future::poll_fn(|context| connector.poll_ready(context)).await?;
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

    fn kept(&self, origin: &Origin) -> Option<Open<B>> {
        let state = self.connector.tls.state();
        let mut pool = self.pool();
        if let Some(open) = pool.http2.get(origin) {
            if let Sender::Http2(sender) = &open.sender
                && open.binding.is_current(state)
                && !sender.is_closed()
            {
                return Some(Open {
                    sender: Sender::Http2(sender.clone()),
                    binding: open.binding.clone(),
                });
            }
            pool.http2.remove(origin);
        }
        let idle = pool.http1.get_mut(origin)?;
        let (mut ready, mut busy) = (None, Vec::new());
        for open in idle.drain(..) {
            match &open.sender {
                Sender::Http1(sender) if open.binding.is_current(state) && !sender.is_closed() => {
                    // One whose response is still being read takes a request later.
                    if sender.is_ready() && ready.is_none() {
                        ready = Some(open);
                    } else {
                        busy.push(open);
                    }
                }
                _ => {}
            }
        }
        *idle = busy;
        ready
    }

    /// Puts a connection of HTTP/1.1 back; it takes the next request once its response was read.
    fn keep(&self, origin: Origin, open: Open<B>) {
        if matches!(open.sender, Sender::Http1(_)) {
            self.pool().http1.entry(origin).or_default().push(open);
        }
    }

    /// Closes all kept connections, e.g. after `ClientState::reset`, which makes them useless.
    pub fn close_idle(&self) {
        *self.pool() = Pool::default();
    }
}

impl Client<Full<Bytes>> {
    /// Sends a request and follows redirects, carrying a token consumer's permission over the one
    /// hop it is for (section 3.3).
    ///
    /// Across origins `Authorization` and `Cookie` are dropped. 301, 302 and 303 turn other methods
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
        let mut permission = options.permission;
        for _ in 0..=MAX_REDIRECTS {
            let mut next = Request::new(body.clone());
            next.method_mut().clone_from(&parts.method);
            next.uri_mut().clone_from(&parts.uri);
            next.headers_mut().clone_from(&parts.headers);
            let options = RequestOptions {
                permission: permission.take(),
            };
            let (response, binding) = self.send(next, options).await?;
            let status = response.status();
            let Some(location) = location(&response) else {
                return Ok(response);
            };
            permission = permission_of(&response, &binding).ok();
            let to = resolve(&parts.uri, location)?;
            if to.to_string().parse::<Origin>().ok().as_ref() != Some(binding.origin()) {
                parts.headers.remove(AUTHORIZATION);
                parts.headers.remove(COOKIE);
            }
            parts.headers.remove(HOST);
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
