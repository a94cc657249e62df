//! The command line, and the text of `--help`.

use std::{io, path::PathBuf, str::FromStr};

use authres_tls::{AuthservId, Options};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};

#[cfg(unix)]
use crate::settings::MilterSettings;
use crate::{
    finding::Severity,
    input::Kind,
    local_id::LocalId,
    mbox::Format,
    settings::{MessageSettings, StampSettings},
};

const EXIT_CODES: &str = "\
Exit codes:
  0  no problem was found, or the reader of the output closed it
  1  a problem was found: a value refused, or a field longer than 1 MiB (explain,
     json), an error or a warning (lint), a field to remove (strip --check)
  2  the command line is wrong, or a file cannot be read or written";

#[cfg(unix)]
const MILTER_HELP: &str = "\
Signals:
  SIGTERM, SIGINT  accept no more connections, serve those that are open, exit;
                   at once if sent twice
  SIGHUP           read the file again; messages that begin later are treated by
                   it. Sockets, user, limits on connections and time, metrics
                   and log stay

Exit codes:
  0  stopped by a signal, or the configuration is valid
  1  the milter cannot run, e.g. the socket is in use
  2  the arguments or the configuration cannot be used";

const STAMP_HELP: &str = "\
Exit codes:
  0   the message was written
  2   the arguments or the configuration cannot be used
  75  the message cannot be read, stamped or written, or no Received field is of a
      local host: an MTA tries again";

/// Explain, check, strip and stamp Authentication-Results fields (RFC 8601), the tls method of
/// draft-martin-authentication-results-tls-03 included
///
/// Files are read piece by piece, with memory that does not depend on their length. Control characters and
/// invisible characters of a message are printed only escaped, except in the messages that `strip` and `stamp` write.
#[derive(Debug, Parser)]
#[command(name = "authres", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print no report and no warnings: only the exit code is set
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Use colours: `auto` uses them on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    pub(crate) const fn color(&self) -> anstream::ColorChoice {
        match self.color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Explain each part of a field, and mark what is wrong
    ///
    /// Reads leniently, and reports the strict verdict on the same value. Deviations that are accepted with a
    /// warning are marked. Messages of an mbox are counted from 0. Exits with 1 if a value cannot be read at
    /// all.
    #[command(after_help = EXIT_CODES)]
    Explain(Shown),
    /// List errors, lenient readings, unknown names and contradictions
    ///
    /// Reads leniently, and reports the strict verdict on the same value. Errors are values that cannot be
    /// parsed; warnings are deviations that only a lenient reading accepts, contradictions, and fields that
    /// only some readers see; notes are names that no registry has. Exits with 1 if an
    /// error or a warning is reported.
    #[command(after_help = EXIT_CODES)]
    Lint(Lint),
    /// Print the fields as trees in JSON
    ///
    /// Reads leniently, and reports the strict verdict on the same value. Spans are bytes from the
    /// start of `value`; U+FFFD replaces octets that are not UTF-8. Each file gives one JSON document.
    #[command(after_help = EXIT_CODES)]
    Json(Read),
    /// Remove forged fields: those that claim to be from a local server
    ///
    /// Reads a message or an mbox and writes it to standard output, byte for byte except for the fields
    /// that are removed. The removed fields are reported on standard error, with --check on standard
    /// output. Messages, and the fields of a message, are counted from 0. Several files, and
    /// directories, need --check or --output.
    #[command(after_help = EXIT_CODES)]
    Strip(Strip),
    /// Serve an MTA as a milter: remove forged fields, and add one about the TLS session
    ///
    /// Connects to Postfix or Sendmail by the milter protocol, versions 2 to 6. Settings come from flags, or
    /// from a TOML file with the tables `message` and `milter`, in which each flag but --config and --check is a key;
    /// flags take precedence.
    #[cfg(unix)]
    #[command(after_help = MILTER_HELP)]
    Milter(Box<Milter>),
    /// Remove forged fields of one message, and add one about the TLS session
    ///
    /// Reads a message on standard input and writes it to standard output, for pipes and content filters. The facts
    /// of the session are in the topmost Received field that the local Postfix added
    /// (`smtpd_tls_received_header = yes`). Settings come from flags, or from the tables `message` and `stamp` of a
    /// file that `authres milter` can read as well.
    #[command(after_help = STAMP_HELP)]
    Stamp(Box<Stamp>),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of this command, or of a subcommand
    Man {
        /// The subcommand
        subcommand: Option<String>,
    },
}

/// The source of the values, and the way they are read.
#[derive(Debug, Args)]
pub(crate) struct Read {
    /// Values, field lines, messages or mboxes. `-`, or no file, is standard input; a directory means the
    /// files below it, a maildir its messages
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The kind of each FILE; detected by its first lines if not given
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) input: Option<Kind>,
    /// Read only strictly: RFC 8601 exactly
    #[arg(long, conflicts_with = "lenient")]
    pub(crate) strict: bool,
    /// Read only leniently: no strict verdict
    #[arg(long)]
    pub(crate) lenient: bool,
    /// Accept UTF-8 where RFC 6532 and RFC 8616 allow it
    #[arg(long)]
    pub utf8: bool,
    /// Accept line breaks that are a bare LF, also mixed with CRLF and in a value
    #[arg(long)]
    pub bare_lf: bool,
}

impl Read {
    pub(crate) const fn strict_options(&self) -> Options {
        Options::strict()
            .with_utf8(self.utf8)
            .with_bare_lf(self.bare_lf)
    }

    pub(crate) const fn lenient_options(&self) -> Options {
        Options::lenient()
            .with_utf8(self.utf8)
            .with_bare_lf(self.bare_lf)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Shown {
    #[command(flatten)]
    pub(crate) read: Read,
    /// The width of the lines shown; longer ones are cut around the marked place [default: that of the terminal, or 100]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..))]
    width: Option<u16>,
}

impl Shown {
    /// Returns the width of the lines shown.
    pub(crate) fn width(&self) -> u16 {
        self.given_width().unwrap_or(100)
    }

    /// Returns the width in which sentences are folded: in a pipe they are not, so that lines are found by their text.
    pub(crate) fn columns(&self) -> u16 {
        self.given_width().unwrap_or(u16::MAX)
    }

    fn given_width(&self) -> Option<u16> {
        let of_terminal = || {
            let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
            Some(width.0.max(40))
        };
        self.width.or_else(of_terminal)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// The least severity to report
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Level::Note)]
    pub(crate) level: Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Errors, warnings and notes
    Note,
    /// Errors and warnings
    Warning,
    /// Errors only
    Error,
}

impl Level {
    pub(crate) const fn severity(self) -> Severity {
        match self {
            Self::Note => Severity::Note,
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
        }
    }
}

#[cfg(unix)]
#[derive(Debug, Args)]
pub(crate) struct Milter {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Check the configuration and exit
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) message: MessageSettings,
    #[command(flatten)]
    pub(crate) milter: MilterSettings,
}

#[derive(Debug, Args)]
pub(crate) struct Stamp {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) message: MessageSettings,
    #[command(flatten)]
    pub(crate) stamp: StampSettings,
}

#[derive(Debug, Args)]
pub(crate) struct Strip {
    /// Messages or mboxes. `-`, or no file, is standard input; a directory means the files below it, a
    /// maildir its messages
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The authserv-id of a local server; may be given again
    #[arg(
        long,
        value_name = "ID",
        value_parser = |text: &str| LocalId::from_str(text).map(|it| it.0),
        required_unless_present_any = ["all", "from_trusted"]
    )]
    pub(crate) own: Vec<AuthservId>,
    /// Treat names below an ID as foreign
    #[arg(long)]
    pub(crate) no_subdomains: bool,
    /// The message comes directly from a trusted server: keep all
    #[arg(long, conflicts_with = "all")]
    pub(crate) from_trusted: bool,
    /// Remove all fields, whichever server they name
    #[arg(long)]
    pub(crate) all: bool,
    /// Only report, on standard output; exit with 1 if there is something to remove
    #[arg(long)]
    pub(crate) check: bool,
    /// Write each file to DIR, under its name; nothing is overwritten
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    pub(crate) output: Option<PathBuf>,
    /// The kind of each FILE; if not given, it is an mbox if its first line is a separator (RFC 4155)
    #[arg(long, value_enum, value_name = "KIND", conflicts_with_all = ["mbox", "message"])]
    pub(crate) input: Option<MessageKind>,
    /// Each FILE is an mbox
    #[arg(long, conflicts_with = "message")]
    pub(crate) mbox: bool,
    /// Each FILE is one message, whatever lines it has
    #[arg(long)]
    pub(crate) message: bool,
    /// The form of the report
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Report::Text)]
    report: Report,
}

impl Strip {
    pub(crate) const fn format(&self) -> Format {
        match self.input {
            _ if self.mbox => Format::Mbox,
            _ if self.message => Format::Message,
            Some(MessageKind::Mbox) => Format::Mbox,
            Some(MessageKind::Message) => Format::Message,
            None => Format::Auto,
        }
    }

    pub(crate) const fn report(&self, quiet: bool) -> Report {
        if quiet { Report::None } else { self.report }
    }
}

/// The kind of a file to strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageKind {
    /// A message, or its header
    Message,
    /// Messages, each after a separator: an empty line, and a line with `From `, a sender and a date
    Mbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// A line for each field removed
    Text,
    /// A JSON object for each file
    Json,
    /// No report
    None,
}
