//! The log of a process: structured events, on standard error or in the system log.

use std::io::{self, Write};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::fmt::{
    SubscriberBuilder,
    format::{DefaultFields, Format, Full},
};

use self::queue::Queue;
pub use self::queue::{Log, lost};

mod journal;
mod queue;
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
/// A thread of its own writes the lines. A destination that fails, or takes lines too slowly, loses lines, which [`lost`]
/// counts, and holds up no other thread.
///
/// # Errors
/// Returns the error of the system log's socket, or of the thread.
pub fn start(form: Form, level: Level) -> io::Result<Log> {
    let queue = match form {
        Form::Text | Form::Json => Queue::start(|_, line| io::stderr().write_all(line)),
        Form::Journal => Queue::start(|level, line| {
            let line = journal::line(severity(level), line);
            io::stderr().write_all(&line)
        }),
        #[cfg(unix)]
        Form::MailSyslog(program) => {
            let mut syslog = syslog::Syslog::connect(program)?;
            Queue::start(move |level, line| syslog.send(severity(level), line))
        }
    }?;
    let log = queue.log();
    let builder = format(level).with_writer(queue);
    // A second start in one process is a fault of the program, and no reason to end it.
    let _ = match form {
        Form::Text => builder.try_init(),
        Form::Json => builder.json().flatten_event(true).try_init(),
        Form::Journal => builder.without_time().try_init(),
        #[cfg(unix)]
        Form::MailSyslog(_) => builder.without_time().with_level(false).try_init(),
    };
    Ok(log)
}

/// The events of a level and the more severe ones, without colours and names of modules.
fn format(level: Level) -> SubscriberBuilder<DefaultFields, Format<Full>, LevelFilter> {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_target(false)
        .with_max_level(level)
        // It would write to standard error, and panic if that fails.
        .log_internal_errors(false)
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
