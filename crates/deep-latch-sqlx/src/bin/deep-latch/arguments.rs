//! The command line.

use clap::{Args, Parser, Subcommand};

/// What clients report of their security latches, for the operator of a mail service.
#[derive(Debug, Parser)]
#[command(
    name = "deep-latch",
    version,
    after_help = "\
Exit codes: 0 done; 1 the database cannot answer: it holds no reports, or none of the period, the tag,
the host or the account; 2 the arguments are wrong, or the database cannot be used."
)]
pub(crate) struct Arguments {
    #[arg(
        help = "The database: sqlite:PATH or postgres://USER@HOST/DATABASE?sslmode=verify-full",
        long,
        short,
        global = true,
        env = "DEEP_LATCH_DATABASE",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        value_name = "URL"
    )]
    pub(crate) database: String,
    /// Use a PostgreSQL server on another host though its certificate is not verified
    #[arg(long, global = true)]
    pub(crate) allow_unverified_server: bool,
    /// Wait no longer than so many seconds for each answer of the database
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u32,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what breaks if a tag is dropped; without a tag, which tags and programs there are
    ///
    /// Asking creates and changes nothing: it needs read access to the file, or SELECT on the tables
    /// `deep_clients`, `deep_client_tags` and `deep_report_migrations`.
    Report(Report),
    /// Forget clients that reported nothing for long
    Purge(Purge),
    /// Forget all clients of an account
    Forget(Forget),
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The security tag that might be dropped, e.g. tls-cert
    pub(crate) tag: Option<String>,
    /// Only clients of this host
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// Only what was reported in so many days
    #[arg(long, value_name = "N", default_value_t = 90)]
    pub(crate) days: u32,
    /// Show at most so many programs
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) programs: usize,
    /// Show at most so many versions of each program
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) versions: usize,
    /// Print JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Purge {
    /// Clients that reported nothing in so many days are forgotten
    #[arg(long, value_name = "N")]
    pub(crate) days: u32,
    /// Write an SQLite file anew, without the space of what was forgotten
    #[arg(long)]
    pub(crate) vacuum: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Forget {
    /// The account, spelt as the servers recorded it
    pub(crate) account: String,
    /// Write an SQLite file anew, without the space of what was forgotten
    #[arg(long)]
    pub(crate) vacuum: bool,
}
