//! `authres milter`

mod metrics;
mod serve;
mod socket;

use std::{path::PathBuf, sync::Arc};

use authres_tls::{
    facts::milter::Mta,
    milter::{MAX_HEADER, MAX_PACKET, MilterSettings},
};
use command_support::{
    log::{self, Form, Log},
    output,
    signals::{Signal, Signals},
};
use tokio::sync::watch;
use tracing::Level;

use self::{
    metrics::Metrics,
    serve::{Limits, Server},
    socket::Sockets,
};
use crate::{
    arguments::Milter,
    settings::{self, File, Listen, LogForm, LogLevel, MtaName, Parsed},
};

/// The end of a run that failed.
pub(crate) enum Failed {
    /// The arguments, the file, or what they name cannot be used: exit code 2.
    Configuration(String),
    /// The milter cannot run: exit code 1.
    Run(String),
}

/// A complete configuration.
struct Config {
    settings: settings::MilterSettings,
    listen: Listen,
    filter: MilterSettings,
}

impl Config {
    /// Reads the file that the arguments name.
    fn read(arguments: &Milter) -> Result<Self, String> {
        let file = File::read(arguments.config.as_deref())?;
        let (border, on_failure) = arguments.message.clone().border(&file.message)?;
        let settings = arguments.milter.clone().or(file.milter);
        let missing = "listen: missing; give --listen SOCKET, or listen in the table [milter]";
        let Parsed(listen) = settings.listen.clone().ok_or(missing)?;
        let mut filter = MilterSettings::new(border);
        filter.on_failure = on_failure;
        filter.mta = settings.mta.map(|mta| match mta {
            MtaName::Postfix => Mta::Postfix,
            MtaName::Sendmail => Mta::Sendmail,
        });
        filter.max_header = settings::number(settings.max_header, MAX_HEADER);
        filter.max_packet = settings::number(settings.max_packet, MAX_PACKET);
        Ok(Self {
            settings,
            listen,
            filter,
        })
    }
}

/// Checks the configuration, or serves until a signal ends the milter.
pub(crate) fn run(arguments: &Milter) -> Result<(), Failed> {
    let config = Config::read(arguments).map_err(Failed::Configuration)?;
    let account = socket::Account::of(&config.settings).map_err(Failed::Configuration)?;
    if arguments.check {
        return output::print("the configuration is valid\n")
            .map_err(|error| Failed::Run(error.to_string()));
    }
    let settings = &config.settings;
    // The change of the user is one of the log's thread too: the C library changes all threads.
    let _log = start_log(settings).map_err(|error| Failed::Run(format!("log: {error}")))?;
    let sockets = Sockets::bind(&config.listen, settings, &account).map_err(Failed::Run)?;
    account.become_it().map_err(Failed::Run)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::Run(format!("runtime: {error}")))?;
    let served = runtime.block_on(serve(arguments, config, sockets));
    // A task that waits for nobody would keep the process.
    runtime.shutdown_background();
    served.map_err(Failed::Run)
}

/// Starts the log of the process. It has queue ids, results, numbers and names of reasons, and never octets of clients.
fn start_log(settings: &settings::MilterSettings) -> std::io::Result<Log> {
    let form = match settings.log.unwrap_or_default() {
        LogForm::Text => Form::Text,
        LogForm::Json => Form::Json,
        LogForm::Journal => Form::Journal,
        LogForm::Syslog => Form::MailSyslog("authres"),
    };
    let level = match settings.log_level.unwrap_or_default() {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    };
    log::start(form, level)
}

async fn serve(arguments: &Milter, config: Config, sockets: Sockets) -> Result<(), String> {
    // The signals first: one that arrives from here on is not lost.
    let mut signals = Signals::new().map_err(|error| format!("signals: {error}"))?;
    let metrics = Arc::new(Metrics::default());
    let (reload, current) = watch::channel(Arc::new(config.filter));
    let limits = Limits {
        max_connections: settings::number(config.settings.max_connections, 10_000),
        idle: settings::seconds(config.settings.idle_timeout, 7200),
        write: settings::seconds(config.settings.write_timeout, 30),
        shutdown: settings::seconds(config.settings.shutdown_timeout, 30),
    };
    let (listener, exported, path) = sockets.into_tokio()?;
    let shown = listener.shown();
    if let Some(listener) = exported {
        tokio::spawn(metrics::serve(listener, metrics.clone()));
    }
    let (stop, stopped) = watch::channel(false);
    let server = Server::new(current, metrics.clone(), limits);
    let server = tokio::spawn(server.serve(listener, stopped));
    tracing::info!(listen = %shown, version = env!("CARGO_PKG_VERSION"), "listening");
    // Without a service manager there is nobody to notify.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    while signals.next().await == Signal::Reload {
        match Config::read(arguments) {
            Ok(config) => {
                reload.send_replace(Arc::new(config.filter));
                metrics.reloaded(true);
                tracing::info!("configuration loaded again");
            }
            Err(error) => {
                metrics.reloaded(false);
                tracing::error!(%error, "configuration refused; the one before stays");
            }
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.send_replace(true);
    remove(path);
    tracing::info!("stopping");
    let again = async { while signals.next().await == Signal::Reload {} };
    tokio::select! {
        biased;
        cut = server => match cut {
            Ok(0) => tracing::info!("stopped"),
            Ok(cut) => tracing::warn!(connections = cut, "stopped; connections were cut"),
            Err(error) => return Err(format!("server: {error}")),
        },
        () = again => tracing::warn!("stopped at once"),
    }
    Ok(())
}

/// Removes the socket's file, so that the MTA does not wait for a connection that no process accepts.
fn remove(path: Option<PathBuf>) {
    if let Some(path) = path
        && let Err(error) = std::fs::remove_file(&path)
    {
        tracing::debug!(%error, "the socket's file stays");
    }
}
