//! The command `tokenbind-proxy`: terminates TLS and Token Binding, and reports the verified identifiers to a backend
//! in headers that clients cannot set: `Sec-Provided-Token-Binding-ID`, `Sec-Referred-Token-Binding-ID`.

mod arguments;
mod certificate;
mod config;
mod forward;
mod log;

use std::{convert::Infallible, fmt, process::ExitCode, sync::Arc};

use clap::{CommandFactory, Parser};
use command_support::{
    output,
    signals::{Signal, Signals},
};
use rustls::crypto::ring::default_provider;
use tokenbind_http::{header::HeaderOptions, server, tls::ServerConfigs};
use tokenbind_wire::{DecodeOptions, EncodingProfile, TokenBindingAlpn};
use tokio::net::TcpListener;

use self::{
    arguments::{Arguments, Command},
    certificate::Certificate,
    config::Config,
    forward::Proxy,
};

/// The name of the program in messages, and of the proxy in `Via`.
const NAME: &str = "tokenbind-proxy";

/// The end of a run that failed.
enum Failure {
    /// The arguments, the configuration, or a file that it names cannot be used: exit code 2.
    Configuration(String),
    /// The proxy cannot run: exit code 1.
    Run(String),
}

impl Failure {
    fn run(what: &str, error: impl fmt::Display) -> Self {
        Self::Run(format!("{what}: {error}"))
    }
}

fn main() -> ExitCode {
    let run = match Arguments::try_parse() {
        Err(error) => match (error.use_stderr(), error.print()) {
            (true, _) => return ExitCode::from(2),
            (false, printed) => output::printed(printed).map_err(not_printed),
        },
        Ok(arguments) => match arguments.command {
            Some(command) => print(command),
            None => run(arguments),
        },
    };
    let (text, code) = match run {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Run(text)) => (text, 1),
        Err(Failure::Configuration(text)) => (text, 2),
    };
    output::complain(NAME, text.trim_end());
    ExitCode::from(code)
}

/// Prints the manual page or the completions of a shell.
fn print(command: Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    match command {
        Command::Man => clap_mangen::Man::new(Arguments::command())
            .render(&mut text)
            .map_err(|error| Failure::run("manual page", error))?,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut text);
        }
    }
    output::print(text).map_err(not_printed)
}

fn not_printed(error: std::io::Error) -> Failure {
    Failure::Run(error.to_string())
}

/// Reads the configuration; checks it or serves until a signal ends the proxy.
fn run(arguments: Arguments) -> Result<(), Failure> {
    let check = arguments.check;
    let config = Config::read(arguments).map_err(Failure::Configuration)?;
    let certificate = Certificate::read(&config.cert, &config.key, &default_provider())
        .map_err(Failure::Configuration)?;
    let certificate = Arc::new(certificate);
    let acceptor = acceptor(&config, &certificate)
        .map_err(|error| Failure::Configuration(error.to_string()))?;
    if check {
        return output::print("the configuration is valid\n").map_err(not_printed);
    }
    let _log = log::start(config.log_format, config.log_level)
        .map_err(|error| Failure::run("log", error))?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::run("runtime", error))?
        .block_on(serve(&config, acceptor, &certificate))
}

fn acceptor(
    config: &Config,
    certificate: &Arc<Certificate>,
) -> Result<server::Acceptor, rustls::Error> {
    let configs = ServerConfigs::build(
        default_provider(),
        &TokenBindingAlpn::ALL,
        config.prefer,
        |builder| {
            let builder = builder.with_no_client_auth();
            Ok(builder.with_cert_resolver(certificate.clone()))
        },
    )?;
    let options = server::Options {
        decode: DecodeOptions {
            profile: EncodingProfile::new(config.point, config.signature),
            ..DecodeOptions::default()
        },
        header: HeaderOptions {
            allow_padding: config.allow_padding,
        },
        allow_later_requests_without_header: config.allow_later_requests_without_header,
    };
    let acceptor = server::Acceptor::new(configs).with_options(options);
    Ok(acceptor.on_terminate(log::terminated))
}

/// Serves until SIGTERM or SIGINT; a second one ends the proxy at once.
async fn serve(
    config: &Config,
    acceptor: server::Acceptor,
    certificate: &Arc<Certificate>,
) -> Result<(), Failure> {
    // The signals first: one that arrives from here on is not lost.
    let mut signals = Signals::new().map_err(|error| Failure::run("signals", error))?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| Failure::run(&config.listen.to_string(), error))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::run(&config.listen.to_string(), error))?;
    // The proxy serves even if nobody reads this.
    let _ = output::print(format!("listening on https://{address}\n"));
    tracing::info!(%address, backend = %config.backend, "listening");

    let server = server::Server::new(acceptor)
        .max_connections(config.max_connections)
        .max_connections_per_address(config.max_connections_per_address)
        .handshake_timeout(config.handshake_timeout)
        .idle_timeout(config.idle_timeout)
        .shutdown_timeout(config.shutdown_timeout)
        .on_event(log::event);
    let proxy = Proxy::new(config);
    let service = tower::service_fn(move |request: server::Request| {
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(proxy.forward(request).await) }
    });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async {
        // The sender is dropped only when this future is.
        let _ = stopped.await;
    };
    let served = server.serve_until(listener, service, stopped);
    let mut served = std::pin::pin!(served);
    let mut stop = Some(stop);
    loop {
        tokio::select! {
            cut = &mut served => {
                if cut > 0 {
                    tracing::warn!(connections = cut, "closed with requests that were not answered in time");
                }
                tracing::info!("stopped");
                return Ok(());
            }
            signal = signals.next() => match signal {
                Signal::Reload => match certificate.reload() {
                    Ok(()) => tracing::info!("certificate reloaded"),
                    Err(error) => tracing::error!(error, "certificate not reloaded; the former one is kept"),
                },
                Signal::Stop => match stop.take() {
                    Some(stop) => {
                        tracing::info!("stopping; requests that have arrived are answered");
                        // If the server has ended, nothing is left to stop.
                        let _ = stop.send(());
                    }
                    None => {
                        tracing::warn!("stopped by a second signal");
                        return Ok(());
                    }
                },
            },
        }
    }
}
