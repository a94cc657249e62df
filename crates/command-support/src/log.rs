//! The log of a process: structured events, on standard error or in the system log.

use std::io;

use tracing::Level;

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
    /// Text without a time, on standard error, for the journal, which adds its own.
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
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_max_level(level);
    // A second start in one process is a fault of the program, and no reason to end it.
    let _ = match form {
        Form::Text => builder.try_init(),
        Form::Json => builder.json().flatten_event(true).try_init(),
        Form::Journal => builder.without_time().try_init(),
        #[cfg(unix)]
        Form::MailSyslog(program) => builder
            .without_time()
            .with_level(false)
            .with_writer(syslog::Syslog::connect(program)?)
            .try_init(),
    };
    Ok(())
}
