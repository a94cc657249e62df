//! The command line, and what `--help` says.

use std::path::PathBuf;

use authres_tls::{AuthservId, Options};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well
  1  something was found: a value refused (explain, json), anything to report (lint), a field to
     remove (strip --check)
  2  the command line is wrong, or a file cannot be read or written";

/// Explain, check and strip Authentication-Results fields (RFC 8601), the tls method of
/// draft-martin-authentication-results-tls-03 included
///
/// Nothing that a message says reaches the terminal as a control character: those are escaped.
#[derive(Debug, Parser)]
#[command(name = "authres", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// When to use colours; `auto` is on a terminal, and heeds `NO_COLOR`
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
    /// Say what each part of a field means, and point at what is wrong
    ///
    /// Reads leniently, and says what a strict reading makes of the same value. What was let through is
    /// pointed at. Messages of an mbox are counted from 0. Exits with 1 if a value cannot be read at
    /// all.
    #[command(after_help = EXIT_CODES)]
    Explain(Shown),
    /// List errors, lenient readings, unknown names and contradictions
    ///
    /// Reads leniently, and says what a strict reading makes of the same value. Errors are values that
    /// cannot be read, warnings what only a lenient reading lets through and what cannot be so, notes
    /// names that the registries do not have. Exits with 1 if there is any.
    #[command(after_help = EXIT_CODES)]
    Lint(Shown),
    /// Print the fields as trees in JSON
    ///
    /// Reads leniently, and says what a strict reading makes of the same value. Spans are bytes from the
    /// start of `value`; U+FFFD stands for what is not UTF-8.
    #[command(after_help = EXIT_CODES)]
    Json(Read),
    /// Remove forged fields: those that claim to be from a server of one's own
    ///
    /// Reads a message or an mbox and writes it to standard output, byte for byte but for the fields
    /// that are removed. Which those were is reported on standard error, with --check on standard
    /// output. Messages, and fields among all of a message, are
    /// counted from 0.
    #[command(after_help = EXIT_CODES)]
    Strip(Strip),
}

/// Where a value comes from, and how it is read.
#[derive(Debug, Args)]
pub(crate) struct Read {
    /// A value, field lines, a message or an mbox; `-` is standard input
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    /// What FILE is; found out from its first line if not given
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) input: Option<Kind>,
    /// Read by RFC 8601 exactly, and only so
    #[arg(long, conflicts_with = "lenient")]
    pub(crate) strict: bool,
    /// Read leniently, and only so: no strict verdict
    #[arg(long)]
    pub(crate) lenient: bool,
    /// Let UTF-8 stand where RFC 6532 and RFC 8616 have it
    #[arg(long)]
    pub utf8: bool,
    /// Accept line breaks that are LF alone, also beside CRLF and in a value
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
    /// How wide the lines pointed at may be; longer ones are cut around the place
    #[arg(long, value_name = "COLUMNS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(40..))]
    pub(crate) width: u16,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// What stands behind the colon of a field
    Value,
    /// Field lines
    Header,
    /// Header and body
    Message,
    /// Messages, each behind a line that begins with `From `
    Mbox,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Header => "header",
            Self::Message => "message",
            Self::Mbox => "mbox",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Strip {
    /// A message or an mbox; `-` is standard input
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    /// The authserv-id of a server of one's own; may be given again
    #[arg(
        long,
        value_name = "ID",
        value_parser = AuthservId::try_new,
        required_unless_present_any = ["all", "from_trusted"]
    )]
    pub(crate) own: Vec<AuthservId>,
    /// Names below an ID are somebody else's
    #[arg(long)]
    pub(crate) no_subdomains: bool,
    /// The message comes directly from a server of one's own: keep all
    #[arg(long, conflicts_with = "all")]
    pub(crate) from_trusted: bool,
    /// Remove all, whoever they claim to be from
    #[arg(long)]
    pub(crate) all: bool,
    /// Only report, on standard output; exit with 1 if there is something to remove
    #[arg(long)]
    pub(crate) check: bool,
    /// What FILE is; an mbox if it begins with `From `, if not given
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) input: Option<MessageKind>,
    /// How to report
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Report::Text)]
    pub(crate) report: Report,
}

/// What a file to strip is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageKind {
    /// A message, or its header
    Message,
    /// Messages, each behind a line that begins with `From `
    Mbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// A line for each field removed
    Text,
    /// A JSON object
    Json,
    /// Not at all
    None,
}
