//! A running gateway: listeners, certificates that are watched, reload, and the end.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use accept_loop::AcceptLoop;
use command_support::{
    output,
    signals::{Signal, Signals},
};
use deep_latch::Host;
use mail_implicit_tls::{
    gateway::{
        BackendHealth, Backends, CurrentService, Event, GatewayService, Notice, Observer, Shared,
    },
    service::Service,
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Failure,
    addresses::Place,
    certificates::Served,
    config::Config,
    endpoint::{self, Health},
    log,
    metrics::Metrics,
    plan::{Plan, PlannedService, Process},
    reports::{self, Recorder},
    source::Source,
    systemd::{self, Sockets},
};

/// The time between two connections to a backend that failed.
const RECHECK: Duration = Duration::from_secs(5);

/// The time in which reports that wait are kept when the gateway stops.
const REPORTING: Duration = Duration::from_secs(10);

/// The parts of a configuration that the health endpoint asks.
#[derive(Default)]
struct Current {
    backends: Vec<(Service, Arc<Backends>)>,
    certificates: Option<Arc<Served>>,
}

/// A listener that runs.
struct Listening {
    service: Arc<CurrentService>,
    stop: watch::Sender<bool>,
}

/// The gateway while it runs.
struct Running {
    process: Process,
    path: PathBuf,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    sockets: Sockets,
    listeners: HashMap<Place, Listening>,
    tasks: JoinSet<usize>,
    watch: JoinHandle<()>,
    recheck: JoinSet<()>,
    current: Arc<Mutex<Current>>,
    fixed: Fixed,
}

/// The keys that a reload does not apply, each with its value in the configuration of the start.
type Fixed = [(&'static str, String); 5];

/// Returns the keys that a reload does not apply.
fn fixed(config: &Config) -> Fixed {
    let metrics = config.metrics.as_ref().map(|it| it.listen.get_ref());
    let sqlite = config.reports.sqlite.as_ref().map(|it| it.get_ref());
    let postgres = config.reports.postgres_url_file.as_ref();
    let reports = (sqlite, postgres.map(|it| it.get_ref()));
    [
        ("limits.sessions", format!("{:?}", config.limits.sessions)),
        ("limits.drain", format!("{:?}", config.limits.drain)),
        ("log", format!("{:?}", config.log)),
        ("metrics", format!("{metrics:?}")),
        ("reports", format!("{reports:?}")),
    ]
}

/// Runs the gateway until SIGTERM or SIGINT; a second one ends it at once.
pub(super) async fn run(plan: Plan, process: Process) -> Result<(), Failure> {
    // The signals first: one that arrives from here on is not lost.
    let mut signals = Signals::new().map_err(|error| Failure::Run(format!("signals: {error}")))?;
    let sockets = Sockets::passed()
        .map_err(|error| Failure::Run(format!("sockets of the service manager: {error}")))?;
    let metrics = Metrics::new();
    let (recorder, reporting) = match &plan.reports {
        None => (None, None),
        Some(database) => {
            let host = Host::try_new(plan.config.name.0.as_str())
                .map_err(|error| Failure::Configuration(error.to_string()))?;
            let started = reports::start(database, host, metrics.clone()).await;
            let (recorder, task) = started.map_err(Failure::Configuration)?;
            (Some(recorder), Some(task))
        }
    };
    let shared = Shared::new(
        plan.connector(&process),
        plan.limits,
        plan.penalty,
        instance(),
        observer(metrics.clone(), recorder),
    );
    let mut running = Running {
        path: plan.source.path.clone(),
        process,
        metrics,
        shared,
        sockets,
        listeners: HashMap::new(),
        tasks: JoinSet::new(),
        watch: tokio::spawn(async {}),
        recheck: JoinSet::new(),
        current: Arc::default(),
        fixed: fixed(&plan.config),
    };
    running.start(&plan).await?;
    let endpoint = running.endpoint(&plan).await?;
    for unused in running.sockets.unused() {
        tracing::warn!(address = %unused, "no service listens on a socket of the service manager");
    }
    let watchdog = systemd::watchdog();
    systemd::ready();
    while signals.next().await == Signal::Reload {
        running.reload().await;
    }
    systemd::stopping();
    tracing::info!("stopping; sessions that are logged in have time to end");
    let cut = tokio::select! {
        cut = running.stop() => cut,
        () = stop_again(&mut signals) => {
            tracing::warn!("stopped by a second signal");
            return Ok(());
        }
    };
    if cut > 0 {
        tracing::warn!(sessions = cut, "sessions were cut");
    }
    for task in [endpoint, watchdog].into_iter().flatten() {
        task.abort();
    }
    drop(running);
    // What was noted is kept once the last recorder is gone.
    if let Some(reporting) = reporting
        && timeout(REPORTING, reporting).await.is_err()
    {
        tracing::error!("reports were lost: the database did not answer in time");
    }
    tracing::info!("stopped");
    Ok(())
}

async fn stop_again(signals: &mut Signals) {
    while signals.next().await != Signal::Stop {}
}

/// Returns a number that differs from that of other runs.
fn instance() -> u64 {
    let mut octets = [0; 8];
    match getrandom::fill(&mut octets) {
        Ok(()) => u64::from_ne_bytes(octets),
        // The names of sessions need not be secret.
        Err(_) => SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
            }),
    }
}

/// Returns the function that logs and counts what happens, and keeps reports.
fn observer(metrics: Arc<Metrics>, recorder: Option<Recorder>) -> Observer {
    Arc::new(move |notice: &Notice<'_>| {
        metrics.notice(notice);
        log::notice(notice);
        if let Notice::Session {
            client,
            event: Event::Report(report),
            ..
        } = notice
            && let Some(recorder) = &recorder
        {
            recorder.note(client, report);
        }
    })
}

impl Running {
    /// Starts the services of a plan, in place of those that run.
    async fn start(&mut self, plan: &Plan) -> Result<(), Failure> {
        let mut wanted = HashMap::new();
        for planned in &plan.services {
            for place in &planned.listen {
                wanted.insert(*place, planned);
            }
        }
        // New listeners first: if an address is not available, all remains as it was.
        let mut opened = Vec::new();
        for (place, planned) in &wanted {
            if !self.listeners.contains_key(place) {
                let address = place.address;
                let listener = self.sockets.listen(address);
                let listener =
                    listener.map_err(|error| Failure::Run(format!("{address}: {error}")))?;
                opened.push((*place, listener, *planned));
            }
        }
        self.take_over_backends(plan);
        self.shared =
            self.shared
                .replaced(plan.connector(&self.process), plan.limits, plan.penalty);
        self.shared.trust(plan.config.limits.trusted.0.clone());
        self.listeners.retain(|place, listening| {
            let planned = wanted.get(place);
            match planned {
                Some(planned) => {
                    let service = plan.service(planned, &self.shared);
                    listening.service.replace(service);
                }
                None => {
                    tracing::info!(address = %place.address, "no longer listening");
                    listening.stop.send_replace(true);
                }
            }
            planned.is_some()
        });
        for (place, listener, planned) in opened {
            self.listen(place, listener, planned, plan);
        }
        self.watch.abort();
        let certificates = plan.certificates.clone();
        self.watch = tokio::spawn(certificates.watch(self.metrics.clone()));
        self.recheck = JoinSet::new();
        for planned in &plan.services {
            let service = plan.service(planned, &self.shared);
            self.recheck.spawn(recheck(service));
        }
        self.current().certificates = Some(plan.certificates.clone());
        Ok(())
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the health of the backends that stay, before clients are served by it, and forgets the others.
    fn take_over_backends(&self, plan: &Plan) {
        let services = plan.services.iter();
        let backends: Vec<_> = services
            .map(|planned| (planned.acceptor.service(), planned.backends.clone()))
            .collect();
        let mut current = self.current();
        for (service, backends) in &backends {
            let former = current.backends.iter().filter(|(it, _)| it == service);
            former.for_each(|(_, former)| backends.take_over(former));
        }
        self.metrics.configure(
            backends
                .iter()
                .flat_map(|(service, backends)| backends.all().iter().map(|it| (*service, it))),
        );
        current.backends = backends;
    }

    /// Serves the connections of a listener.
    fn listen(
        &mut self,
        place: Place,
        listener: tokio::net::TcpListener,
        planned: &PlannedService,
        plan: &Plan,
    ) {
        let address = listener.local_addr().unwrap_or(place.address);
        let service = planned.acceptor.service().name();
        let current = Arc::new(CurrentService::new(plan.service(planned, &self.shared)));
        let (stop, mut stopped) = watch::channel(false);
        // Limits of clients are those of sessions. A proxy has many clients at one address.
        let accept_loop = AcceptLoop::new()
            .max_connections(plan.limits.total)
            .max_connections_per_address(plan.limits.total);
        let serving = current.clone();
        self.tasks.spawn(async move {
            let stop = async {
                // An error means that the gateway is gone.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            serving.serve_until(listener, accept_loop, stop).await
        });
        // A gateway serves even if nobody reads this.
        let _ = output::print(format!("listening: {service} {address}\n"));
        tracing::info!(service, %address, "listening");
        let listening = Listening {
            service: current,
            stop,
        };
        self.listeners.insert(place, listening);
    }

    /// Starts the endpoint of metrics and health.
    async fn endpoint(&mut self, plan: &Plan) -> Result<Option<JoinHandle<()>>, Failure> {
        let Some(config) = &plan.config.metrics else {
            return Ok(None);
        };
        let address = *config.listen.get_ref();
        let listener = self
            .sockets
            .listen(address)
            .map_err(|error| Failure::Run(format!("{address}: {error}")))?;
        let address = listener.local_addr().unwrap_or(address);
        let _ = output::print(format!("listening: metrics {address}\n"));
        let current = self.current.clone();
        let health: Health =
            Arc::new(move || health(&current.lock().unwrap_or_else(PoisonError::into_inner)));
        let serve = endpoint::serve(listener, self.metrics.clone(), health);
        Ok(Some(tokio::spawn(serve)))
    }

    /// Reads the configuration again. If it cannot be used, the former one stays.
    async fn reload(&mut self) {
        systemd::reloading();
        let (path, process) = (self.path.clone(), self.process.clone());
        let former = self.current().certificates.clone();
        let read = move || {
            let source = Source::read(&path)?;
            Plan::read(source, &process, former.as_deref())
        };
        let reloaded = match tokio::task::spawn_blocking(read).await {
            Ok(Ok(plan)) => match self.start(&plan).await {
                Ok(()) => {
                    self.warn_of_fixed(&plan.config);
                    Ok(())
                }
                Err(Failure::Run(error) | Failure::Configuration(error)) => Err(error),
            },
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.metrics.reload(reloaded.is_ok());
        match reloaded {
            Ok(()) => tracing::info!("configuration and certificates reloaded"),
            Err(error) => {
                tracing::error!(error, "configuration not reloaded; the former one is kept");
            }
        }
        systemd::ready();
    }

    /// Warns of keys that changed, and that a reload does not apply.
    fn warn_of_fixed(&self, config: &Config) {
        let changed: Vec<_> = self
            .fixed
            .iter()
            .zip(fixed(config))
            .filter(|(before, now)| *before != now)
            .map(|((key, _), _)| *key)
            .collect();
        if !changed.is_empty() {
            let keys = changed.join(" ");
            tracing::warn!(%keys, "keys changed that need a restart; their former values are kept");
        }
    }

    /// Stops all listeners, and waits for their sessions. Returns the number of those that were cut.
    async fn stop(&mut self) -> usize {
        self.watch.abort();
        self.recheck.abort_all();
        for listening in self.listeners.values() {
            listening.stop.send_replace(true);
        }
        let mut cut = 0_usize;
        while let Some(ended) = self.tasks.join_next().await {
            cut = cut.saturating_add(ended.unwrap_or_default());
        }
        cut
    }
}

/// Connects to the backends of a service at once, and then now and then to those that failed and those that had no
/// connection for a time, so that their health is known without a client.
async fn recheck(service: GatewayService) {
    service.check_backends().await;
    let mut ticks = interval(RECHECK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is ready at once.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        service.recheck_backends().await;
    }
}

/// Returns one line for each fault. A service without a backend is one with which the gateway cannot serve, and so is a lack
/// of valid certificates; a certificate at fault beside others that are valid is not.
fn health(current: &Current) -> Result<String, String> {
    let mut faults = String::new();
    let certificates = current.certificates.as_ref();
    let (at_fault, is_any_valid) = certificates.map(|it| it.health()).unwrap_or_default();
    let mut lines = String::new();
    for fault in at_fault {
        lines.push_str(&format!("certificate: {fault}\n"));
    }
    if !is_any_valid {
        faults.push_str("certificates: none is valid\n");
    }
    for (service, backends) in &current.backends {
        let health = backends.health();
        if health.contains(&BackendHealth::Up) {
            continue;
        }
        let fault = match health.contains(&BackendHealth::NotKnown) {
            true => "no backend was reached yet",
            false => "no backend is available",
        };
        faults.push_str(&format!("{}: {fault}\n", service.name()));
    }
    match faults.is_empty() {
        true => Ok(format!("ok\n{lines}")),
        false => Err(faults + &lines),
    }
}
