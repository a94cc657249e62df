//! The command `deep-latch`: the clients that break if a security tag is dropped, and the deletion of old reports.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use clap::Parser;
use deep_latch::reports::CLIENTS_PER_BATCH;
use deep_latch_sqlx::ReportSinkOptions;
use tokio::runtime;

mod arguments;
mod database;
mod failure;
mod report;

use arguments::{Arguments, Command};
use database::Database;
use failure::Failure;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ended(help(&error)),
    };
    let done = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    ended(done.and_then(|text| {
        let mut out = io::stdout();
        printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }))
}

/// Prints the help or the version, or an error in the arguments.
fn help(error: &clap::Error) -> Result<(), Failure> {
    match (error.use_stderr(), error.print()) {
        (true, _) => Err(Failure::Arguments),
        (false, result) => printed(result),
    }
}

fn ended(run: Result<(), Failure>) -> ExitCode {
    match run {
        Ok(()) => ExitCode::SUCCESS,
        // The error was printed.
        Err(Failure::Arguments) => ExitCode::from(Failure::Arguments.code()),
        Err(failure) => {
            // Nothing can be done where this fails as well.
            let _ = writeln!(io::stderr(), "deep-latch: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

async fn run(arguments: &Arguments) -> Result<String, Failure> {
    let options = ReportSinkOptions {
        max_connections: 1,
        allow_unverified_server: arguments.allow_unverified_server,
        timeout: Duration::from_secs(arguments.timeout.into()),
    };
    let (url, now) = (arguments.database.as_str(), SystemTime::now());
    match &arguments.command {
        Command::Report(it) => {
            let database = Database::open_to_read(url, options).await?;
            let answer = report::run(it, database.sink(), now).await;
            database.close().await;
            answer
        }
        Command::Purge(it) => {
            let before = report::days_before(now, it.days)?;
            let database = Database::open(url, options).await?;
            let batch = u64::try_from(CLIENTS_PER_BATCH).unwrap_or(u64::MAX);
            let mut purged = 0_u64;
            loop {
                let some = database.sink().purge(before).await?;
                purged = purged.saturating_add(some);
                if some < batch {
                    break;
                }
            }
            finish(&database, it.vacuum).await?;
            Ok(format!("{} deleted.\n", records(purged)))
        }
        Command::Forget(it) => {
            let database = Database::open(url, options).await?;
            let forgotten = database.sink().forget(&it.account).await?;
            finish(&database, it.vacuum).await?;
            match forgotten {
                0 => Err(Failure::NoAnswer(format!(
                    "there are no clients of the account {:?}",
                    it.account
                ))),
                some => Ok(format!("{} deleted.\n", records(some))),
            }
        }
    }
}

async fn finish(database: &Database, vacuum: bool) -> Result<(), Failure> {
    if vacuum {
        database.vacuum().await?;
    }
    database.close().await;
    Ok(())
}

/// Returns a number of records: a client has one for each version of its program.
fn records(count: u64) -> String {
    match count {
        1 => "1 record".to_owned(),
        more => format!("{more} records"),
    }
}

/// Returns the result of writing to standard output.
fn printed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        // The reader, such as `head`, has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::error(format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}
