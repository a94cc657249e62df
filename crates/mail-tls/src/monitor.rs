//! The command `mail-tls monitor`: findings about mail domains, as a table, JSON, metrics, a page, and an exit code.

mod arguments;
mod changes;
mod files;
mod history;
mod json;
mod metrics;
mod page;
mod picture;
mod progress;
mod table;

use std::{
    fs,
    io::Write,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use command_support::{
    output, pem,
    signals::{Signal, Signals},
};
use mail_implicit_tls::monitor::{
    Certificate, Context, KnownCertificate, Observation, Policy, Prober, Report, State, judge,
};

pub(crate) use self::arguments::Monitor;
use self::{changes::Change, history::History, progress::Progress};
use crate::{Failed, NAME, resolver, trust};

/// The exit code of a run that could not be carried out, as programs that Nagios calls have it.
pub(crate) const UNKNOWN: u8 = 3;

/// A domain, as it was observed.
struct Observed {
    observation: Observation,
    report: Report,
    /// The changes since the time that the operator asks for.
    changes: Option<Vec<Change>>,
}

/// The result of a run.
#[derive(Clone, Copy)]
struct Ran {
    state: State,
    /// `false` if the states could not be kept.
    is_kept: bool,
}

impl From<State> for Ran {
    fn from(state: State) -> Self {
        let is_kept = true;
        Self { state, is_kept }
    }
}

/// Runs the command, and returns its exit code.
pub(crate) async fn run(arguments: &Monitor) -> ExitCode {
    match monitor(arguments).await {
        Ok(ran) if arguments.exit_zero && ran.is_kept => ExitCode::SUCCESS,
        Ok(ran) => ExitCode::from(exit_code(ran.state)),
        Err(error) => failed(&error),
    }
}

/// Reports a run that could not be carried out.
pub(crate) fn failed(error: &Failed) -> ExitCode {
    output::complain(NAME, error);
    ExitCode::from(UNKNOWN)
}

/// Returns the exit code of a state, as programs that Nagios calls have it.
const fn exit_code(state: State) -> u8 {
    match state {
        State::Warning => 1,
        State::Bad => 2,
        State::NotKnown => UNKNOWN,
        _ => 0,
    }
}

async fn monitor(arguments: &Monitor) -> Result<Ran, Failed> {
    let trust = trust(arguments.ca.as_deref())?;
    let timeout = Some(arguments.lookup_timeout());
    let resolver = resolver(arguments.anchors.as_deref(), arguments.resolver, timeout)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let prober = Prober::new(provider, Arc::new(trust), resolver);
    let history = match &arguments.state {
        Some(path) => match History::open(path).await {
            Ok(history) => Some(history),
            // The findings do not wait for a disk that is full, or for a backup that holds the file.
            Err(error) if is_passing(&error) && arguments.watch.is_none() => {
                let ran = round(arguments, &prober, None, true).await?;
                return Ok(without_state(&error, ran.state));
            }
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    let ran = match arguments.watch {
        None => round(arguments, &prober, history.as_ref(), true).await?,
        Some(interval) => watch(arguments, &prober, history.as_ref(), interval).await?,
    };
    if let Some(history) = &history {
        history.close().await;
    }
    Ok(ran)
}

/// Returns `true` for an error that may pass, whatever the arguments are.
fn is_passing(error: &durable_store::Error) -> bool {
    use durable_store::ErrorKind;

    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Locked)
}

/// Reports that the states were not kept, and returns the result of the run.
fn without_state(error: &(dyn std::error::Error + 'static), state: State) -> Ran {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    output::complain(NAME, format_args!("the states are not kept: {text}"));
    Ran {
        state: state.max(State::NotKnown),
        is_kept: false,
    }
}

/// Repeats the round until a signal stops it, at once after SIGHUP, and returns the state of the last complete one.
///
/// An error of the first round is one of arguments and files. Later ones end by themselves: a disk that is full, a
/// certificate that is being replaced.
async fn watch(
    arguments: &Monitor,
    prober: &Prober,
    history: Option<&History>,
    interval: Duration,
) -> Result<Ran, Failed> {
    // The signals first: one that arrives from here on is not lost.
    let mut signals = Signals::new()?;
    let mut last = None;
    loop {
        let is_first = last.is_none();
        let mut again = false;
        let round = tokio::select! {
            biased;
            () = stopped(&mut signals, &mut again) => break,
            round = round(arguments, prober, history, is_first) => round,
        };
        last = Some(match round {
            Ok(ran) => ran,
            Err(error) if is_first => return Err(error),
            Err(error) => {
                output::complain(NAME, error);
                State::NotKnown.into()
            }
        });
        if !again {
            tokio::select! {
                signal = signals.next() => if signal == Signal::Stop { break },
                () = tokio::time::sleep(interval) => {}
            }
        }
    }
    Ok(last.unwrap_or(State::NotKnown.into()))
}

/// Waits for a signal that stops the watch, and notes one that asks for another round.
async fn stopped(signals: &mut Signals, again: &mut bool) {
    while signals.next().await != Signal::Stop {
        *again = true;
    }
}

/// Observes the domains once, and prints and writes the findings.
async fn round(
    arguments: &Monitor,
    prober: &Prober,
    history: Option<&History>,
    is_first: bool,
) -> Result<Ran, Failed> {
    let (observed, failed) = observe_all(arguments, prober, history, is_first).await?;
    // A page without the states of now would be out of date from its begin.
    let history = history.filter(|_| failed.is_none());
    write_outputs(arguments, history, &observed, is_first).await?;
    let state = worst(&observed);
    Ok(match failed {
        None => state.into(),
        Some(error) => without_state(&error, state),
    })
}

fn worst(observed: &[Observed]) -> State {
    let states = observed.iter().map(|it| it.report.state());
    states.max().unwrap_or(State::NotKnown)
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The number of domains that are observed at once.
const DOMAINS_AT_ONCE: usize = 4;

/// Observes and judges each domain, and records the states. Returns the error of the states too, which keeps no finding from
/// the operator.
async fn observe_all(
    arguments: &Monitor,
    prober: &Prober,
    history: Option<&History>,
    is_first: bool,
) -> Result<(Vec<Observed>, Option<durable_store::Error>), Failed> {
    let options = arguments.options();
    let progress = Progress::new();
    let mut observed = Vec::new();
    let mut failed = None;
    for domains in arguments.domains().chunks(DOMAINS_AT_ONCE) {
        let observations = domains.iter().map(async |domain| {
            let mut seed = [0; 8];
            getrandom::fill(&mut seed)?;
            let seed = u64::from_ne_bytes(seed);
            let show = |step| progress.show(domain, step);
            Ok::<_, Failed>(prober.observe(domain, &options, now(), seed, &show).await)
        });
        for observation in futures_util::future::join_all(observations).await {
            let observation = observation?;
            // The files may have been written since the last round.
            let mut context = Context {
                policy: arguments.policy(),
                certificates: certificates(arguments)?,
                first_seen: None,
            };
            let history = history.filter(|_| failed.is_none());
            let mut first_seen = Ok(None);
            if let Some(history) = history {
                first_seen = history.first_seen(&observation).await.map(Some);
            }
            let (first_seen, unknown) = match first_seen {
                Ok(first_seen) => (first_seen, None),
                Err(error) => (None, Some(error)),
            };
            context.first_seen = first_seen;
            let report = judge(&observation, &context);
            let (changes, unkept) = match (history, &unknown) {
                (Some(history), None) => {
                    match record(arguments, history, &observation, &report, is_first).await {
                        Ok(changes) => (changes, None),
                        Err(error) => (None, Some(error)),
                    }
                }
                _ => (None, None),
            };
            failed = failed.or(unknown).or(unkept);
            observed.push(Observed {
                observation,
                report,
                changes,
            });
        }
    }
    progress.finish();
    Ok((observed, failed))
}

/// Records the states of a domain, and returns the changes since the time that the operator asks for.
async fn record(
    arguments: &Monitor,
    history: &History,
    observation: &Observation,
    report: &Report,
    is_first: bool,
) -> Result<Option<Vec<Change>>, durable_store::Error> {
    let since = match (&arguments.since, is_first) {
        (Some(since), true) => Some(since.before(report.at)),
        // In later rounds the last one is what changes are counted from.
        (_, false) => Some(report.at),
        (None, true) => None,
    };
    let changes = match since {
        None => None,
        Some(since) => {
            let before = history.states(&report.domain, since).await?;
            Some(changes::between(&before, report))
        }
    };
    history.record(report, observation).await?;
    Ok(changes)
}

/// Reads the certificates on the disk.
fn certificates(arguments: &Monitor) -> Result<Vec<KnownCertificate>, Failed> {
    let served = arguments.cert.iter().map(|file| known(file, false));
    let next = arguments.next_cert.iter().map(|file| known(file, true));
    served.chain(next).collect()
}

fn known(file: &Path, is_next: bool) -> Result<KnownCertificate, Failed> {
    let problem = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let written = fs::metadata(file)
        .and_then(|metadata| metadata.modified())
        .map_err(|error| problem(&error))?;
    let certificate = Certificate::of_chain(pem::certificates(file)?);
    Ok(KnownCertificate {
        file: file.display().to_string(),
        certificate: certificate.ok_or_else(|| problem(&"no certificate found"))?,
        written: written.duration_since(UNIX_EPOCH).unwrap_or_default(),
        is_next,
    })
}

/// Prints the findings, and writes the files that the operator asks for. A file that cannot be written keeps neither the
/// findings nor another file from the operator: the next run may show only what changed since this one.
async fn write_outputs(
    arguments: &Monitor,
    history: Option<&History>,
    observed: &[Observed],
    is_first: bool,
) -> Result<(), Failed> {
    let mut out = anstream::stdout().lock();
    let shown = if arguments.json {
        match arguments.watch {
            None => writeln!(out, "{:#}", json::value(observed)),
            // A line for each round.
            Some(_) => writeln!(out, "{}", json::value(observed)),
        }
    } else {
        table::show(observed, arguments.all, is_first, &mut out)
    };
    let shown = output::printed(shown.and_then(|()| out.flush()));
    drop(out);
    let metrics = match &arguments.metrics {
        Some(path) => files::replace(path, metrics::text(observed).as_bytes()),
        None => Ok(()),
    };
    if let (Some(directory), Some(history)) = (&arguments.html, history) {
        let valid = arguments.html_valid();
        write_page(directory, history, observed, valid).await?;
    }
    metrics?;
    Ok(shown?)
}

/// Writes the page with the states over time.
async fn write_page(
    directory: &Path,
    history: &History,
    observed: &[Observed],
    valid: Duration,
) -> Result<(), Failed> {
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let page = page::text(observed, history, valid).await?;
    files::replace(&directory.join("index.html"), page.as_bytes())?;
    Ok(())
}

impl Monitor {
    fn policy(&self) -> Policy {
        Policy {
            warning_percent: self.warn_left,
            bad_percent: self.bad_left,
            ..Policy::default()
        }
    }
}
