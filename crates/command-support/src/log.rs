//! The log of a process: structured events, on standard error or in the system log.

use std::io;

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::fmt::{
    SubscriberBuilder,
    format::{DefaultFields, Format, Full},
};

mod journal;
#[cfg(unix)]
mod syslog;

/// The destination and the form of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// Text for people, with a time, on standard error.
    #[default]
    Text,
    /// A JSON object on each line, on standard error.
    Json,
    /// Text after a priority and without a time, on standard error, for the journal, which takes the priority off and adds
    /// its own time.
    Journal,
    /// The system log, facility mail, under the name of this program.
    #[cfg(unix)]
    MailSyslog(&'static str),
}

/// Starts the log of the process, with the events of this level and the more severe ones. If the process has one already,
/// that one continues.
///
/// # Errors
/// Returns the error of the system log's socket.
pub fn start(form: Form, level: Level) -> io::Result<()> {
    let builder = format(level).with_writer(io::stderr);
    // A second start in one process is a fault of the program, and no reason to end it.
    let _ = match form {
        Form::Text => builder.try_init(),
        Form::Json => builder.json().flatten_event(true).try_init(),
        Form::Journal => builder
            .without_time()
            .with_writer(journal::Journal(io::stderr))
            .try_init(),
        #[cfg(unix)]
        Form::MailSyslog(program) => builder
            .without_time()
            .with_level(false)
            .with_writer(syslog::Syslog::connect(program)?)
            .try_init(),
    };
    Ok(())
}

/// The events of a level and the more severe ones, without colours and names of modules.
fn format(level: Level) -> SubscriberBuilder<DefaultFields, Format<Full>, LevelFilter> {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_target(false)
        .with_max_level(level)
}

/// Returns the severity of RFC 5424 section 6.2.1, which is the journal's priority too.
const fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
