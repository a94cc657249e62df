//! Feature `hyper`: serves one accepted connection with hyper 1, HTTP/1.1 or HTTP/2 as negotiated.

use std::{
    error::Error,
    fmt,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Response;
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::{TowerToHyperService, TowerToHyperServiceFuture},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep, sleep},
};
use tower_service::Service;

use crate::server::{
    acceptor::Stream,
    connection::Connection,
    first_request::FirstRequestFirst,
    layer::{self, check},
    peer::Place,
    request_body::RequestBody,
    terminate::TerminateReason,
};

/// The time that a connection without a request is kept, unless set.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The time that a connection without a request may take to close. A client of HTTP/2 must answer a ping
/// in this time.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The request that a service is called with.
pub type Request = http::Request<RequestBody<Incoming>>;

/// The settings of a server's connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionSettings {
    /// hyper's settings of HTTP/1.1. The timer is tokio's, so that a request's head must arrive in
    /// 30 seconds unless set otherwise.
    pub http1: http1::Builder,
    /// hyper's settings of HTTP/2.
    pub http2: http2::Builder<TokioExecutor>,
    /// The time that a connection without a request is kept.
    pub idle_timeout: Duration,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new());
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2.timer(TokioTimer::new());
        Self {
            http1,
            http2,
            idle_timeout: IDLE_TIMEOUT,
        }
    }
}

/// The reason why a connection ended early.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The drafts require to terminate it: the refused request was not answered.
    Terminated(TerminateReason),
    /// The connection failed, or the client does not speak the protocol that was negotiated.
    Http(hyper::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminated(reason) => write!(f, "terminated: {reason}"),
            Self::Http(error) => error.fmt(f),
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Terminated(_) => None,
            Self::Http(error) => error.source(),
        }
    }
}

/// Serves a connection: each request is checked as it arrives, before `service` is called. The protocol
/// is the one that was negotiated; a client that uses another protocol is not answered. Returns when the
/// connection is closed.
///
/// # Errors
/// [`ServeError::Terminated`] if a request or trailer breaks the drafts' rules; [`ServeError::Http`] if the
/// connection fails otherwise.
pub async fn serve_connection<IO, S, B>(stream: Stream<IO>, service: S) -> Result<(), ServeError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve_connection_with(stream, service, &ConnectionSettings::default(), pending()).await
}

/// Serves a connection as [`serve_connection`] does, with other settings, until `stop`: the requests
/// that have arrived are then answered, and the connection closes.
///
/// # Errors
/// As [`serve_connection`].
pub async fn serve_connection_with<IO, S, B>(
    stream: Stream<IO>,
    service: S,
    settings: &ConnectionSettings,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve(stream, service, settings, None, stop).await
}

pub(super) async fn serve<IO, S, B>(
    stream: Stream<IO>,
    service: S,
    settings: &ConnectionSettings,
    place: Option<Place>,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = stream.connection().clone();
    let requests = Arc::new(Requests::new());
    let handed_over: Arc<AtomicBool> = Arc::default();
    let service = InOrder {
        connection: connection.clone(),
        handed_over: handed_over.clone(),
        place,
        requests: requests.clone(),
        service: TowerToHyperService::new(service),
    };
    let served = Served {
        connection,
        requests,
        idle_timeout: settings.idle_timeout,
    };
    // popov-3-2: hyper's `auto` would look at what the client says, not at what was negotiated.
    let http2 = stream.is_http2();
    let io = TokioIo::new(FirstRequestFirst::new(stream, handed_over));
    if http2 {
        let http = pin!(settings.http2.serve_connection(io, service));
        served
            .until(stop, http, |http| http.graceful_shutdown())
            .await
    } else {
        let http = settings.http1.serve_connection(io, service);
        let http = pin!(http.with_upgrades());
        served
            .until(stop, http, |http| http.graceful_shutdown())
            .await
    }
}

/// A connection that is served.
struct Served {
    connection: Connection,
    requests: Arc<Requests>,
    idle_timeout: Duration,
}

impl Served {
    /// Drives a connection of hyper until it ends, is terminated, or was idle too long.
    async fn until<C>(
        self,
        stop: impl Future<Output = ()>,
        mut http: Pin<&mut C>,
        close: impl Fn(Pin<&mut C>),
    ) -> Result<(), ServeError>
    where
        C: Future<Output = Result<(), hyper::Error>>,
    {
        let mut stop = pin!(stop);
        let mut timer = pin!(sleep(self.idle_timeout));
        let mut closing = false;
        poll_fn(|context| {
            loop {
                if let Poll::Ready(ended) = http.as_mut().poll(context) {
                    return Poll::Ready(match self.connection.terminate_reason() {
                        Some(reason) => Err(ServeError::Terminated(reason)),
                        None => ended.map_err(ServeError::Http),
                    });
                }
                // A request's task may have terminated the connection, which hyper does not learn.
                if self.connection.poll_terminated(context).is_ready()
                    && let Some(reason) = self.connection.terminate_reason()
                {
                    return Poll::Ready(Err(ServeError::Terminated(reason)));
                }
                if !closing && stop.as_mut().poll(context).is_ready() {
                    closing = true;
                    close(http.as_mut());
                    reset(timer.as_mut(), Instant::now(), CLOSE_TIMEOUT);
                    continue;
                }
                ready!(timer.as_mut().poll(context));
                let patience = if closing {
                    CLOSE_TIMEOUT
                } else {
                    self.idle_timeout
                };
                match self.requests.latest() {
                    Some(latest) if latest.elapsed() < patience => {
                        reset(timer.as_mut(), latest, patience);
                    }
                    // The client has neither closed the connection nor sent a request.
                    Some(_) if closing => return Poll::Ready(Ok(())),
                    Some(_) => {
                        closing = true;
                        close(http.as_mut());
                        reset(timer.as_mut(), Instant::now(), CLOSE_TIMEOUT);
                    }
                    None => reset(timer.as_mut(), Instant::now(), patience),
                }
            }
        })
        .await
    }
}

fn reset(timer: Pin<&mut Sleep>, from: Instant, patience: Duration) {
    // At most a year, so that the addition does not overflow.
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let deadline = from.checked_add(patience.min(year));
    timer.reset(deadline.unwrap_or(from));
}

/// The requests of a connection that are not answered.
struct Requests {
    count: AtomicUsize,
    /// The time when the latest was answered, or when the connection began.
    latest: Mutex<Instant>,
}

impl Requests {
    fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            latest: Mutex::new(Instant::now()),
        }
    }

    /// Returns the time since which there is no request, if there is none.
    fn latest(&self) -> Option<Instant> {
        let idle = self.count.load(Ordering::Acquire) == 0;
        idle.then(|| *self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A request that is not answered.
struct UnderWay(Arc<Requests>);

impl UnderWay {
    fn new(requests: &Arc<Requests>) -> Self {
        requests.count.fetch_add(1, Ordering::AcqRel);
        Self(requests.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut latest = self.0.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = Instant::now();
        drop(latest);
        self.0.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Checks a request when hyper hands it over, which is in the order of arrival: the tower service is
/// not called before the stream's own task runs.
struct InOrder<S> {
    connection: Connection,
    /// `true` once a request was handed over.
    handed_over: Arc<AtomicBool>,
    place: Option<Place>,
    requests: Arc<Requests>,
    service: TowerToHyperService<S>,
}

impl<S, B> hyper::service::Service<http::Request<Incoming>> for InOrder<S>
where
    S: Service<Request, Response = Response<B>> + Clone,
    B: Body + Default,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<TowerToHyperServiceFuture<S, Request>, B>;

    fn call(&self, mut request: http::Request<Incoming>) -> Self::Future {
        self.handed_over.store(true, Ordering::Release);
        let response = match check(&self.connection, &mut request) {
            Ok(()) => {
                if let Some(place) = &self.place {
                    request.extensions_mut().insert(place.asks().clone());
                }
                let request = request.map(|body| RequestBody::new(body, self.connection.clone()));
                layer::ResponseFuture::checked(self.service.call(request))
            }
            Err(status) => layer::ResponseFuture::refused(status),
        };
        ResponseFuture {
            response,
            under_way: Some(UnderWay::new(&self.requests)),
        }
    }
}

pin_project_lite::pin_project! {
    struct ResponseFuture<F, B> {
        #[pin]
        response: layer::ResponseFuture<F, B>,
        under_way: Option<UnderWay>,
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(context));
        let under_way = this.under_way.take();
        Poll::Ready(response.map(|response| {
            response.map(|body| ResponseBody {
                body,
                _under_way: under_way,
            })
        }))
    }
}

pin_project_lite::pin_project! {
    /// A response's body: the request is under way until it was sent.
    struct ResponseBody<B> {
        #[pin]
        body: B,
        _under_way: Option<UnderWay>,
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
