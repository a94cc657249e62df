//! The command `mail-tls`: shows what TLS a mail account would get (draft-newman-email-deep-02 sections 3, 4 and 8), and
//! runs a gateway that ends TLS before mail servers (section 9).

mod arguments;
mod gateway;
mod latches;
mod manual;
mod monitor;
mod report;
mod service;
mod show;

use std::{io::Write, path::Path, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use command_support::{
    files::{FileKind, read_text},
    output, pem,
};
use mail_implicit_tls::{
    account::{AccountId, AccountSetup, Server},
    client::Connector,
    dns::{anchors::TrustAnchors, resolver::ValidatingResolver},
    setup::{
        SetupLookup,
        autoconfig::https::Fetcher,
        check::{check, look_up},
    },
    verifier::Trust,
};
use tokio::runtime::Runtime;

use self::{
    arguments::{Arguments, Command, Connect, ResolverAddress},
    latches::Latches,
    report::{Asked, Attempt, Report},
};

/// The name of the program in messages.
const NAME: &str = "mail-tls";

/// A run that could not be carried out: exit code 2.
type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let command = match Arguments::try_parse() {
        Ok(arguments) => arguments.command,
        Err(error) => return refused(&error),
    };
    match command {
        Command::Connect(arguments) => connected(runtime(), &arguments),
        Command::Monitor(arguments) => match runtime() {
            Ok(runtime) => runtime.block_on(monitor::run(&arguments)),
            Err(error) => monitor::failed(&error),
        },
        Command::Gateway(arguments) => gateway::run(&arguments),
        Command::Man(arguments) => manual::run(&arguments),
    }
}

fn runtime() -> Result<Runtime, Failed> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(Failed::from)
}

/// Prints the error or the help of the command line. Wrong arguments of the monitor are not a fault of the servers.
fn refused(error: &clap::Error) -> ExitCode {
    let is_monitor = std::env::args_os().nth(1).is_some_and(|it| it == "monitor");
    let failed = if is_monitor { monitor::UNKNOWN } else { 2 };
    let printed = error.print();
    if error.use_stderr() {
        // If standard error is closed, the exit code remains.
        return ExitCode::from(failed);
    }
    match output::printed(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(NAME, error);
            ExitCode::from(failed)
        }
    }
}

/// Runs `connect`.
fn connected(runtime: Result<Runtime, Failed>, arguments: &Connect) -> ExitCode {
    let shown = runtime.and_then(|runtime| {
        let report = runtime.block_on(connect(arguments))?;
        let mut out = anstream::stdout().lock();
        let shown = if arguments.json {
            writeln!(out, "{:#}", report.to_json())
        } else {
            show::show(&report, &mut out)
        };
        output::printed(shown.and_then(|()| out.flush()))?;
        Ok(report.exit_code())
    });
    match shown {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::complain(NAME, error);
            ExitCode::from(2)
        }
    }
}

/// Does what the command was asked for.
async fn connect(arguments: &Connect) -> Result<Report, Failed> {
    let user = &arguments.address.user;
    let latches = Latches::open(arguments.latches.as_deref())?;
    let resolver = resolver(arguments.anchors.as_deref(), arguments.resolver, None)?;
    let asked = Asked {
        server: resolver.server(),
        is_of_system: arguments.resolver.is_none(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let connector = Connector::new(provider, Arc::new(trust(arguments.roots.as_deref())?))
        .with_resolver(resolver.clone())
        .with_deadline(arguments.timeout())
        .with_dane_rules(arguments.dane.into());
    let mut setup = AccountSetup::new(AccountId::try_new(arguments.address.account.as_str())?)
        .domain(user.domain().clone())
        .dane(!arguments.no_dane);
    if let Some(low) = arguments.low() {
        setup = setup.low(low);
    }
    let Some(host) = &arguments.host else {
        let offers = if arguments.autoconfig {
            match fetcher(&connector, arguments).fetch(user).await {
                Ok(fetched) => fetched.config.offers(arguments.level()),
                Err(error) => return Ok(Report::without_file(user.domain(), &error, asked)),
            }
        } else {
            let mut seed = [0; 8];
            getrandom::fill(&mut seed)?;
            let lookup = SetupLookup::new(
                user.domain().clone(),
                arguments.level(),
                u64::from_ne_bytes(seed),
            );
            look_up(&*resolver, lookup, arguments.timeout()).await
        };
        let checked = check(&connector, &setup, &offers, arguments.timeout()).await;
        let mut report = Report::of_offers(user.domain(), &offers, &checked, asked);
        for attempt in report.attempts_mut() {
            attempt.add_latches(&connector, &setup, &latches).await;
        }
        return Ok(report);
    };
    let mut attempts = Vec::new();
    for service in arguments.services() {
        let mut server = Server::new(service, host.clone());
        if let Some(port) = arguments.port {
            server = server.with_port(port);
        }
        if let Some(address) = arguments.connect_to {
            server = server.with_address(address);
        }
        let account = setup.clone().server(server.clone()).build()?;
        let connected = latches.connect(&connector, &account, &server).await;
        attempts.push(Attempt::of_server(&server, connected).await);
    }
    Ok(Report::of_servers(user.domain(), attempts, asked))
}

/// Returns the fetcher of the configuration file.
fn fetcher(connector: &Connector, arguments: &Connect) -> Fetcher {
    let mut fetcher = Fetcher::new(connector).with_deadline(arguments.timeout());
    if let Some(address) = arguments.autoconfig_address {
        fetcher = fetcher.with_address(address);
    }
    match arguments.tell_address {
        true => fetcher.tell_address(),
        false => fetcher,
    }
}

/// Returns the resolver: the named one, or the system's first.
fn resolver(
    anchors: Option<&Path>,
    server: Option<ResolverAddress>,
    timeout: Option<Duration>,
) -> Result<Arc<ValidatingResolver>, Failed> {
    let anchors = match anchors {
        Some(path) => {
            let text = read_text(path, FileKind::TrustAnchors)?;
            TrustAnchors::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => TrustAnchors::iana(),
    };
    let resolver = match server {
        Some(server) => ValidatingResolver::new(server.0, &anchors),
        None => ValidatingResolver::system(&anchors)?,
    };
    Ok(Arc::new(match timeout {
        Some(timeout) => resolver.with_timeout(timeout),
        None => resolver,
    }))
}

/// Returns the trust anchors: those of a file, or the system's.
fn trust(roots: Option<&Path>) -> Result<Trust, Failed> {
    let Some(path) = roots else {
        return Ok(Trust::of_platform()?);
    };
    Ok(Trust::in_certificates(pem::certificates(path)?)?)
}
