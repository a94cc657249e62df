//! The command `mail-tls gateway`: ends TLS before mail servers of any make (draft-newman-email-deep-02 section 9).

mod addresses;
mod certificates;
mod check;
mod clients;
mod config;
mod endpoint;
mod health;
mod listen;
mod log;
mod metrics;
mod plan;
mod reports;
mod run;
mod source;
mod systemd;

use std::{io::Write, process::ExitCode, sync::Arc};

use command_support::output;
use rustls::crypto::ring::{Ticketer, default_provider};

use self::{
    plan::{Plan, Process},
    source::Source,
};
use crate::{NAME, arguments::Gateway};

/// The end of a run that failed.
#[derive(Debug)]
enum Failure {
    /// The configuration, or a file that it names, cannot be used: exit code 2.
    Configuration(String),
    /// The gateway cannot run: exit code 1.
    Run(String),
}

/// Checks the configuration, or runs the gateway until a signal stops it.
pub(crate) fn run(arguments: &Gateway) -> ExitCode {
    let (text, code) = match start(arguments) {
        Ok(code) => return code,
        Err(Failure::Run(text)) => (text, 1),
        Err(Failure::Configuration(text)) => (text, 2),
    };
    output::complain(NAME, text.trim_end());
    ExitCode::from(code)
}

fn start(arguments: &Gateway) -> Result<ExitCode, Failure> {
    if arguments.health {
        return health(arguments);
    }
    let tickets = Ticketer::new()
        .map_err(|error| Failure::Run(format!("keys of session tickets: {error}")))?;
    let process = Process {
        provider: Arc::new(default_provider()),
        tickets,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Run(format!("runtime: {error}")))?;
    // The resolver of a configuration has a task.
    let entered = runtime.enter();
    let source = Source::read(&arguments.config);
    let plan = source.and_then(|source| Plan::read(source, &process, None));
    drop(entered);
    let plan = plan.map_err(|error| Failure::Configuration(error.to_string()))?;
    if arguments.check {
        let failed = |error: std::io::Error| Failure::Configuration(error.to_string());
        check::configuration(&plan).map_err(failed)?;
        let is_good = arguments.offline
            || runtime
                .block_on(check::backends(&plan, &process))
                .map_err(failed)?;
        return Ok(ExitCode::from(if is_good { 0 } else { 1 }));
    }
    let _log = log::start(plan.config.log.format, plan.config.log.level)
        .map_err(|error| Failure::Run(format!("log: {error}")))?;
    runtime
        .block_on(run::run(plan, process))
        .map(|()| ExitCode::SUCCESS)
}

/// Prints the health of the gateway that runs with this configuration.
fn health(arguments: &Gateway) -> Result<ExitCode, Failure> {
    let configuration = |error: source::ConfigError| Failure::Configuration(error.to_string());
    let source = Source::read(&arguments.config).map_err(configuration)?;
    let metrics = source.parse().map_err(configuration)?.metrics;
    let no_endpoint = || configuration(source.message("metrics.listen is needed for the health"));
    let endpoint = *metrics.ok_or_else(no_endpoint)?.listen.get_ref();
    let (is_healthy, text) = health::ask(endpoint)
        .map_err(|error| Failure::Run(format!("the gateway at {endpoint}: {error}")))?;
    // The exit code says it all to a reader that has gone.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::from(if is_healthy { 0 } else { 1 }))
}
