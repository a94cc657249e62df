//! The session of one client: a backend, the login, and the octets up to the end.

use std::{pin::Pin, time::Duration};

use accept_loop::AcceptedStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::{
    BackendFailure, BackendNotice, ClientAddress, ClientFacts, Event, GatewayOptions,
    GatewaySession, ImapGateway, Notice, OpenFailure, PopGateway, SessionEnd, SessionTimes,
    SubmissionGateway,
    backends::{Opened, Opening},
    inbound::Ahead,
    places::Place,
    proxy_protocol::Header,
    relay::{Relay, Step},
    shared::Served,
    source::Source,
};
use crate::{
    client::{Stream, after},
    server::SessionStream,
    service::Protocol,
};

/// The time in which a client that is not logged in takes the last octets of a session and the close alert of TLS, and in
/// which every client closes its side after that.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The time in which a client closes its side while the gateway stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// The most reports of a client about its latches that a session passes on. A client of the draft sends one, before or after
/// its login; more are answered and not noted.
const MAX_REPORTS: u32 = 3;

/// A client whose handshake is complete.
pub(super) struct Started {
    pub(super) facts: Box<ClientFacts>,
    pub(super) source: Source,
    /// Failed logins of the client are not delayed.
    pub(super) is_trusted: bool,
    pub(super) place: Place,
    pub(super) begin: Instant,
}

pub(super) type ClientStream = SessionStream<Ahead<AcceptedStream>>;
type SessionRelay = Relay<ClientStream, Stream>;

/// A session, with the time limits that apply.
pub(super) struct Running<F> {
    served: Served,
    started: Started,
    stopping: Pin<Box<F>>,
    timer: Pin<Box<Sleep>>,
    is_stopping: bool,
    /// The client sends no more, or the backend takes no more, so the session ends once no octets move.
    is_ending: bool,
    /// The backend refused the client.
    is_refused: bool,
    /// The number of the backend.
    backend: usize,
    /// The number of the client's reports about its latches.
    reports: u32,
    is_logged_in: bool,
}

/// An occurrence in a session.
enum Happened {
    Step(Step),
    Stopping,
    Late,
}

impl<F: Future<Output = ()>> Running<F> {
    /// Returns the session of a client. `stopping` is ready when the gateway stops.
    pub(super) fn new(served: Served, started: Started, stopping: Pin<Box<F>>) -> Self {
        Self {
            served,
            started,
            stopping,
            timer: Box::pin(sleep(Duration::ZERO)),
            is_stopping: false,
            is_ending: false,
            is_refused: false,
            backend: 0,
            reports: 0,
            is_logged_in: false,
        }
    }

    /// Reports an event, unless it is one report of the client too many.
    fn tell_event(&mut self, event: &Event, delay: Duration) {
        if let Event::Report(_) = event {
            self.reports = self.reports.saturating_add(1);
            if self.reports > MAX_REPORTS {
                return;
            }
        }
        self.served.shared.tell(&Notice::Session {
            client: &self.started.facts,
            event,
            delay,
        });
    }

    /// Sets the time at which the session is late. Before login that is the end of the time for it at the latest.
    fn set_timer(&mut self, from: Instant, time: Duration) {
        let login = after(self.started.begin, self.served.times.login);
        let at = after(from, time);
        let at = if self.is_logged_in { at } else { at.min(login) };
        self.timer.as_mut().reset(at);
    }

    /// Opens a connection to a backend. Before that, a client with failed logins waits.
    async fn open(&mut self) -> Result<Opened, BackendFailure> {
        let Started {
            facts,
            source,
            is_trusted,
            begin,
            ..
        } = &self.started;
        let shared = &self.served.shared;
        let wait = match is_trusted {
            true => Duration::ZERO,
            false => shared.penalties.wait(*source, Instant::now()),
        };
        if !wait.is_zero() {
            shared.tell(&Notice::Delayed {
                client: facts,
                time: wait,
            });
        }
        let first = match self.served.options.address() {
            ClientAddress::ProxyV2 => Header::of_client(facts)
                .to_vec()
                .map_err(|_| BackendFailure::Unreachable)?,
            _ => Vec::new(),
        };
        let opening = Opening::new(
            &shared.connector,
            self.served.options.address(),
            self.served.times.connect,
        );
        let open = async {
            if !wait.is_zero() {
                sleep(wait).await;
            }
            self.served
                .backends
                .open(&opening, &first, |backend, notice| {
                    shared.tell(&Notice::Backend {
                        service: facts.record.service,
                        backend,
                        notice,
                    });
                })
                .await
        };
        let opened = tokio::select! {
            biased;
            opened = open => opened?,
            () = &mut self.stopping => return Err(BackendFailure::Stopping),
        };
        if let Some(backend) = self.served.backends.all().get(opened.index)
            && !opened.is_refused
        {
            shared.tell(&Notice::Opened {
                client: facts,
                backend,
                time: begin.elapsed(),
            });
        }
        Ok(opened)
    }

    /// Carries a session up to the login, and a session of Submission to its end. Returns the relay of a session that
    /// became a pipe.
    pub(super) async fn log_in(&mut self, client: ClientStream) -> Option<SessionRelay> {
        let mut session = session(&self.started.facts, &self.served.options);
        let opened = match self.open().await {
            Ok(opened) => opened,
            Err(failure) => {
                session.backend_failed(failure);
                let mut relay = Relay::new(client, tokio::io::empty());
                let end = match failure {
                    BackendFailure::Stopping => SessionEnd::Stopped,
                    BackendFailure::Refused => SessionEnd::Refused,
                    failure => SessionEnd::NoBackend(failure),
                };
                while let Some(event) = session.next_event() {
                    self.tell_event(&event, Duration::ZERO);
                }
                self.end(&mut relay, &session.take_for_client(), end).await;
                return None;
            }
        };
        self.is_refused = opened.is_refused;
        self.backend = opened.index;
        let mut relay = Relay::new(client, opened.stream);
        let greeted = session.backend_sent(&opened.greeting);
        drop(opened.greeting);
        let end = match greeted {
            Ok(()) => match self.session(&mut *session, &mut relay).await {
                None => return Some(relay),
                Some(end) => end,
            },
            Err(error) => SessionEnd::Violation(error),
        };
        while let Some(event) = session.next_event() {
            self.tell_event(&event, Duration::ZERO);
        }
        let rest = session.take_for_client();
        self.end(&mut relay, &rest, end).await;
        None
    }

    /// Runs a session. Returns its end, or `None` if it became a pipe.
    async fn session(
        &mut self,
        session: &mut dyn GatewaySession,
        relay: &mut SessionRelay,
    ) -> Option<SessionEnd> {
        self.set_timer(self.started.begin, self.served.times.login);
        loop {
            match self.happened(relay.next(session)).await {
                Happened::Step(Step::Pipe) => return None,
                Happened::Step(Step::Event(event)) => {
                    let delay = self.event(&event);
                    if let Event::ClientRefused = event {
                        self.refused();
                    }
                    if let Event::LoggedIn { .. } = event {
                        self.logged_in();
                    }
                    if let Some(end) = self.delay(delay).await {
                        session.backend_failed(BackendFailure::Timeout);
                        return Some(end);
                    }
                }
                Happened::Step(Step::Over) if self.is_refused => return Some(SessionEnd::Refused),
                Happened::Step(Step::Over) => return Some(SessionEnd::Client),
                Happened::Step(Step::Violation(error)) => {
                    return Some(SessionEnd::Violation(error));
                }
                Happened::Step(Step::Ending) => self.ending(),
                Happened::Step(Step::BackendEnded) => {
                    session.backend_failed(BackendFailure::Closed);
                    return Some(self.backend_ended(relay));
                }
                Happened::Step(Step::ClientFailed(kind)) => {
                    return Some(SessionEnd::ClientBroke(kind));
                }
                Happened::Step(Step::BackendFailed(kind)) => {
                    session.backend_failed(BackendFailure::Closed);
                    return Some(SessionEnd::BackendBroke(kind));
                }
                Happened::Stopping if self.is_logged_in => {
                    self.set_timer(Instant::now(), self.served.times.drain);
                }
                Happened::Stopping => {
                    session.backend_failed(BackendFailure::Stopping);
                    return Some(SessionEnd::Stopped);
                }
                Happened::Late => {
                    if let Some(end) = self.late(relay) {
                        session.backend_failed(match end {
                            SessionEnd::Stopped => BackendFailure::Stopping,
                            _ => BackendFailure::Timeout,
                        });
                        return Some(end);
                    }
                }
            }
        }
    }

    /// Carries the octets of a session that is logged in.
    pub(super) async fn pipe(&mut self, relay: &mut SessionRelay) -> SessionEnd {
        self.logged_in();
        loop {
            match self.happened(relay.pipe()).await {
                Happened::Step(Step::Ending) => self.ending(),
                Happened::Step(Step::ClientFailed(kind)) => return SessionEnd::ClientBroke(kind),
                Happened::Step(Step::BackendFailed(kind)) => return SessionEnd::BackendBroke(kind),
                Happened::Step(_) => return self.backend_ended(relay),
                Happened::Stopping => self.set_timer(Instant::now(), self.served.times.drain),
                Happened::Late => {
                    if let Some(end) = self.late(relay) {
                        return end;
                    }
                }
            }
        }
    }

    fn logged_in(&mut self) {
        self.is_logged_in = true;
        self.started.place.logged_in();
        if !self.is_stopping && !self.is_ending {
            self.set_timer(Instant::now(), self.served.times.idle);
        }
    }

    /// Takes note that one side sends or takes no more.
    fn ending(&mut self) {
        self.is_ending = true;
        if !self.is_stopping {
            self.set_timer(Instant::now(), self.served.times.linger);
        }
    }

    /// Returns the end of a session whose backend closed its connection.
    fn backend_ended(&self, relay: &SessionRelay) -> SessionEnd {
        match relay.client_broke() {
            Some(kind) => SessionEnd::ClientBroke(kind),
            None if self.is_ending => SessionEnd::Client,
            None => SessionEnd::Backend,
        }
    }

    /// Waits for the next step, for the stop of the gateway, or for the end of the time.
    async fn happened(&mut self, step: impl Future<Output = Step>) -> Happened {
        tokio::select! {
            biased;
            step = step => Happened::Step(step),
            () = &mut self.stopping, if !self.is_stopping => {
                self.is_stopping = true;
                Happened::Stopping
            }
            () = &mut self.timer => Happened::Late,
        }
    }

    /// Returns the end of a session whose time is over, or sets the timer if octets were carried in the meantime.
    fn late(&mut self, relay: &SessionRelay) -> Option<SessionEnd> {
        if self.is_stopping {
            return Some(SessionEnd::Stopped);
        }
        let times = self.served.times;
        let last = relay.last();
        let (limit, end) = match (self.is_ending, self.is_logged_in) {
            (true, _) => (times.linger, self.backend_ended(relay)),
            (false, true) => (times.idle, SessionEnd::Idle),
            (false, false) => return Some(SessionEnd::LoginTimeout),
        };
        let has_login_time = self.is_logged_in || self.started.begin.elapsed() < times.login;
        if last.elapsed() >= limit || !has_login_time {
            return Some(end);
        }
        self.set_timer(last, limit);
        None
    }

    /// Reports that the backend refused the client after the greeting.
    fn refused(&mut self) {
        self.is_refused = true;
        if let Some(backend) = self.served.backends.all().get(self.backend) {
            self.served.shared.tell(&Notice::Backend {
                service: self.started.facts.record.service,
                backend,
                notice: BackendNotice::ClientRefused(&OpenFailure::Refuses),
            });
        }
    }

    /// Reports an event. Returns the time for which the session waits.
    fn event(&mut self, event: &Event) -> Duration {
        let delay = match event {
            Event::LoginFailed { .. } if !self.started.is_trusted => {
                let penalties = &self.served.shared.penalties;
                penalties.failed(self.started.source, Instant::now())
            }
            _ => Duration::ZERO,
        };
        self.tell_event(event, delay);
        delay
    }

    /// Waits before a failed login is answered. Returns the end of a session whose time is over first.
    async fn delay(&mut self, delay: Duration) -> Option<SessionEnd> {
        if delay.is_zero() {
            return None;
        }
        let until = after(Instant::now(), delay);
        tokio::select! {
            biased;
            () = sleep_until(until) => None,
            () = &mut self.stopping, if !self.is_stopping => {
                self.is_stopping = true;
                Some(SessionEnd::Stopped)
            }
            () = &mut self.timer => Some(SessionEnd::LoginTimeout),
        }
    }

    /// Sends the last octets and the close alert of TLS, reports the end, and waits for the client's.
    pub(super) async fn end<B>(
        &self,
        relay: &mut Relay<ClientStream, B>,
        rest: &[u8],
        end: SessionEnd,
    ) where
        B: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let SessionTimes { linger, idle, .. } = self.served.times;
        // A client that took nothing before takes nothing now.
        let is_late = matches!(end, SessionEnd::Idle) || relay.last().elapsed() >= linger;
        let is_bounded = is_late || self.is_stopping || !self.is_logged_in;
        let until = |most| {
            after(
                Instant::now(),
                if is_bounded { CLOSE_TIMEOUT } else { most },
            )
        };
        let has_waited = relay.end(rest, linger, until(idle.max(linger))).await;
        self.served.shared.tell(&Notice::Ended {
            client: &self.started.facts,
            end: &end,
            carried: relay.carried(),
            time: self.started.begin.elapsed(),
        });
        let patience = match (self.is_stopping, has_waited) {
            (true, _) => STOP_TIMEOUT,
            // The system may have as much for a slow client as the relay had.
            (false, true) => linger,
            (false, false) => CLOSE_TIMEOUT,
        };
        relay.close(patience, until(linger)).await;
    }
}

/// Returns the session of a client.
pub(super) fn session(facts: &ClientFacts, options: &GatewayOptions) -> Box<dyn GatewaySession> {
    match options.protocol() {
        Protocol::Imap => Box::new(ImapGateway::new(facts, options)),
        Protocol::Pop => Box::new(PopGateway::new(facts, options)),
        Protocol::Submission => Box::new(SubmissionGateway::new(facts, options)),
    }
}
