//! Counters and gauges in the format of `OpenMetrics`. Labels are names that the configuration or the program has, and never
//! those that a peer chooses.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mail_implicit_tls::{
    gateway::{Backend, BackendFailure, BackendNotice, Event, Notice},
    service::Service,
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Labels with one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfService {
    service: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithReason {
    service: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithResult {
    service: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handshake {
    service: &'static str,
    version: String,
    resumed: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfBackend {
    service: &'static str,
    backend: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BackendFailed {
    service: &'static str,
    backend: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Octets {
    service: &'static str,
    from: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChain {
    chain: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

/// The metrics of the process.
pub(super) struct Metrics {
    registry: Registry,
    handshakes: Family<Handshake, Counter>,
    refused: Family<WithReason, Counter>,
    sessions: Family<OfService, Gauge>,
    ended: Family<WithReason, Counter>,
    logins: Family<WithResult, Counter>,
    login_delay: Counter<f64, AtomicU64>,
    rejected: Family<WithReason, Counter>,
    octets: Family<Octets, Counter>,
    backend_up: Family<OfBackend, Gauge>,
    backend_failures: Family<BackendFailed, Counter>,
    backend_refused: Family<OfBackend, Counter>,
    backend_open: Family<OfService, Histogram, fn() -> Histogram>,
    backend_not_tried: Family<OfService, Counter>,
    accept_errors: Counter,
    log_lost: Counter,
    not_after: Family<OfChain, Gauge>,
    certificate_loads: Family<Outcome, Counter>,
    reloads: Family<Outcome, Counter>,
    reports: Family<Outcome, Counter>,
    /// The backends of the configuration. Others have no series.
    configured: Mutex<HashSet<OfBackend>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn open_histogram() -> Histogram {
    Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0])
}

impl Metrics {
    /// Registers the metrics.
    pub(super) fn new() -> Arc<Self> {
        let mut metrics = Self {
            registry: Registry::with_prefix("mail_tls_gateway"),
            handshakes: Family::default(),
            refused: Family::default(),
            sessions: Family::default(),
            ended: Family::default(),
            logins: Family::default(),
            login_delay: Counter::default(),
            rejected: Family::default(),
            octets: Family::default(),
            backend_up: Family::default(),
            backend_failures: Family::default(),
            backend_refused: Family::default(),
            backend_open: Family::new_with_constructor(open_histogram),
            backend_not_tried: Family::default(),
            accept_errors: Counter::default(),
            log_lost: Counter::default(),
            not_after: Family::default(),
            certificate_loads: Family::default(),
            reloads: Family::default(),
            reports: Family::default(),
            configured: Mutex::default(),
        };
        metrics.register();
        metrics.begin();
        Arc::new(metrics)
    }

    /// Sets the counters whose increase is a reason for an alert to 0. Prometheus sees no increase in a counter that appears
    /// with its first event.
    fn begin(&self) {
        for (counters, results) in [
            (&self.certificate_loads, ["served", "refused"].as_slice()),
            (&self.reloads, &["done", "refused"]),
            (&self.reports, &["kept", "refused", "failed", "dropped"]),
        ] {
            for result in results {
                drop(counters.get_or_create(&Outcome { result }));
            }
        }
    }

    fn register(&mut self) {
        let Self { registry, .. } = self;
        let mut family = |name: &str, help: &str, metric: &dyn Register| {
            metric.register(registry, name, help);
        };
        family(
            "handshakes",
            "TLS handshakes with clients",
            &self.handshakes,
        );
        family(
            "connections_refused",
            "Connections that did not become a session",
            &self.refused,
        );
        family("sessions", "Sessions at present", &self.sessions);
        family(
            "sessions_ended",
            "Sessions that ended, by the end",
            &self.ended,
        );
        family("logins", "Logins, by the backend's answer", &self.logins);
        family(
            "login_delay_seconds",
            "Time by which answers to failed logins were delayed",
            &self.login_delay,
        );
        family(
            "commands_refused",
            "Commands and fields that did not reach a backend",
            &self.rejected,
        );
        family("octets", "Octets that were carried", &self.octets);
        family(
            "backend_up",
            "1 if the last connection to the backend succeeded",
            &self.backend_up,
        );
        family(
            "backend_failures",
            "Connections to a backend that failed",
            &self.backend_failures,
        );
        family(
            "backend_refused",
            "Clients that a backend refused, whose addresses it knew",
            &self.backend_refused,
        );
        family(
            "backend_open_seconds",
            "Time from the client's handshake to the backend's greeting",
            &self.backend_open,
        );
        family(
            "backend_not_tried",
            "Connections to backends for which the gateway lacked descriptors or memory",
            &self.backend_not_tried,
        );
        family(
            "accept_errors",
            "Errors of the operating system in place of a connection",
            &self.accept_errors,
        );
        family(
            "log_lines_lost",
            "Lines of the log that its destination did not take",
            &self.log_lost,
        );
        family(
            "certificate_not_after_seconds",
            "Time at which the first certificate of a chain that is served expires",
            &self.not_after,
        );
        family(
            "certificate_loads",
            "Certificates that were read from the disk",
            &self.certificate_loads,
        );
        family(
            "reloads",
            "Configurations that were read on request",
            &self.reloads,
        );
        family(
            "reports",
            "Reports of clients about their latches",
            &self.reports,
        );
    }

    /// Returns the metrics as text.
    pub(super) fn text(&self) -> String {
        self.log_lost
            .inner()
            .store(command_support::log::lost(), Ordering::Relaxed);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Notes that certificates were read, and are served or not.
    pub(super) fn certificate_load(&self, is_served: bool) {
        let result = if is_served { "served" } else { "refused" };
        self.certificate_loads
            .get_or_create(&Outcome { result })
            .inc();
    }

    /// Notes the chains that are served, by their files, and the end of their validity.
    pub(super) fn certificates(&self, chains: impl Iterator<Item = (String, i64)>) {
        self.not_after.clear();
        for (chain, not_after) in chains {
            self.not_after
                .get_or_create(&OfChain { chain })
                .set(not_after);
        }
    }

    pub(super) fn reload(&self, is_done: bool) {
        let result = if is_done { "done" } else { "refused" };
        self.reloads.get_or_create(&Outcome { result }).inc();
    }

    pub(super) fn report(&self, result: &'static str) {
        self.reports.get_or_create(&Outcome { result }).inc();
    }

    fn configured(&self) -> MutexGuard<'_, HashSet<OfBackend>> {
        self.configured
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the backends of the configuration, and removes the series of those that it no longer has. Counters of a service
    /// without backends stay: they do not change any more.
    pub(super) fn configure<'a>(&self, backends: impl Iterator<Item = (Service, &'a Backend)>) {
        let wanted = backends.map(|(service, backend)| of_backend(service, backend));
        let wanted: HashSet<_> = wanted.collect();
        let mut configured = self.configured();
        for former in configured.difference(&wanted) {
            self.backend_up.remove(former);
            self.backend_refused.remove(former);
            for reason in BackendFailure::NAMES {
                self.backend_failures.remove(&BackendFailed {
                    service: former.service,
                    backend: former.backend.clone(),
                    reason,
                });
            }
        }
        let former: HashSet<_> = configured.iter().map(|it| it.service).collect();
        *configured = wanted;
        drop(configured);
        for service in former {
            self.forget_sessions(service);
        }
    }

    /// Removes the gauge of the sessions of a service that is no longer configured, once there are none.
    fn forget_sessions(&self, service: &'static str) {
        let labels = OfService { service };
        let is_gone = !self.configured().iter().any(|it| it.service == service);
        if is_gone && self.sessions.get(&labels).is_some_and(|it| it.get() == 0) {
            self.sessions.remove(&labels);
        }
    }

    /// Sets a backend's gauge.
    fn backend(&self, labels: &OfBackend, is_up: bool) {
        self.backend_up.get_or_create(labels).set(i64::from(is_up));
    }

    /// Counts a notice.
    pub(super) fn notice(&self, notice: &Notice<'_>) {
        match notice {
            Notice::Accept(accept_loop::Event::AcceptFailed(_)) => {
                self.accept_errors.inc();
            }
            Notice::Refused {
                service, reason, ..
            } => self.refused(*service, reason.name()),
            Notice::Started(client) => {
                let record = &client.record;
                let version = record.version.map(|version| version.to_string());
                let labels = Handshake {
                    service: record.service.name(),
                    version: version.unwrap_or_default(),
                    resumed: if record.resumed { "yes" } else { "no" },
                };
                self.handshakes.get_or_create(&labels).inc();
                self.sessions.get_or_create(&of(record.service)).inc();
            }
            Notice::Backend {
                service,
                backend,
                notice,
            } => self.backend_notice(*service, backend, notice),
            Notice::Opened { client, time, .. } => {
                let labels = of(client.record.service);
                self.backend_open
                    .get_or_create(&labels)
                    .observe(time.as_secs_f64());
            }
            Notice::Session {
                client,
                event,
                delay,
            } => self.session(client.record.service, event, *delay),
            Notice::Ended {
                client,
                end,
                carried,
                ..
            } => {
                let service = client.record.service;
                self.sessions.get_or_create(&of(service)).dec();
                self.forget_sessions(service.name());
                let reason = end.name();
                self.ended
                    .get_or_create(&with_reason(service, reason))
                    .inc();
                for (from, count) in [
                    ("client", carried.from_client),
                    ("backend", carried.from_backend),
                ] {
                    let labels = Octets {
                        service: service.name(),
                        from,
                    };
                    self.octets.get_or_create(&labels).inc_by(count);
                }
            }
            _ => {}
        }
    }

    fn refused(&self, service: Service, reason: &'static str) {
        self.refused
            .get_or_create(&with_reason(service, reason))
            .inc();
    }

    fn backend_notice(&self, service: Service, backend: &Backend, notice: &BackendNotice<'_>) {
        if let BackendNotice::NotTried(_) = notice {
            self.backend_not_tried.get_or_create(&of(service)).inc();
            return;
        }
        let labels = of_backend(service, backend);
        // A session that began before a reload can try a backend that is no longer configured.
        let configured = self.configured();
        if !configured.contains(&labels) {
            return;
        }
        match notice {
            BackendNotice::Failed(failure) => {
                self.backend(&labels, false);
                let labels = BackendFailed {
                    service: labels.service,
                    backend: labels.backend,
                    reason: failure.reason().name(),
                };
                self.backend_failures.get_or_create(&labels).inc();
            }
            BackendNotice::ClientRefused(_) => {
                self.backend_refused.get_or_create(&labels).inc();
            }
            BackendNotice::Reached | BackendNotice::Recovered => self.backend(&labels, true),
            _ => {}
        }
    }

    fn session(&self, service: Service, event: &Event, delay: Duration) {
        let result = match event {
            Event::LoggedIn { .. } => "accepted",
            Event::LoginFailed { .. } => "refused",
            Event::Refused(refusal) => {
                let labels = with_reason(service, refusal.name());
                self.rejected.get_or_create(&labels).inc();
                return;
            }
            _ => return,
        };
        let service = service.name();
        self.logins
            .get_or_create(&WithResult { service, result })
            .inc();
        self.login_delay.inc_by(delay.as_secs_f64());
    }
}

fn of(service: Service) -> OfService {
    OfService {
        service: service.name(),
    }
}

fn of_backend(service: Service, backend: &Backend) -> OfBackend {
    OfBackend {
        service: service.name(),
        backend: backend.to_string(),
    }
}

fn with_reason(service: Service, reason: &'static str) -> WithReason {
    WithReason {
        service: service.name(),
        reason,
    }
}

/// A metric that is registered with its name and help text.
trait Register {
    fn register(&self, registry: &mut Registry, name: &str, help: &str);
}

impl<M: prometheus_client::registry::Metric + Clone> Register for M {
    fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.clone());
    }
}
