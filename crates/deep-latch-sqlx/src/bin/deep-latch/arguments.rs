//! The command line.

use clap::{Args, Parser, Subcommand};

/// Report the security latches of a mail service's clients
#[derive(Debug, Parser)]
#[command(
    name = "deep-latch",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes:
  0  success
  1  the database has no answer: no reports at all, or no reports in the period,
     for the tag, for the host or for the account
  2  the arguments are wrong, or the database cannot be used"
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
    /// Allow a PostgreSQL server on another host whose certificate is not verified
    #[arg(long, global = true)]
    pub(crate) allow_unverified_server: bool,
    /// Time limit for each answer of the database, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u32,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the clients that break if a tag is dropped; without a tag, list tags and programs
    ///
    /// The command changes no data. It needs read access to the file, or SELECT on the tables
    /// `deep_clients`, `deep_client_tags` and `deep_report_migrations`.
    Report(Report),
    /// Delete clients without a recent report
    Purge(Purge),
    /// Delete all clients of an account
    Forget(Forget),
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The security tag that might be dropped, e.g. tls-cert
    pub(crate) tag: Option<String>,
    /// Count clients of this host only
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// Count reports of the last N days only
    #[arg(long, value_name = "N", default_value_t = 90)]
    pub(crate) days: u32,
    /// Show at most N programs
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) programs: usize,
    /// Show at most N versions of each program
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) versions: usize,
    /// Print JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Purge {
    /// Delete clients without a report in the last N days
    #[arg(long, value_name = "N")]
    pub(crate) days: u32,
    /// Rewrite an SQLite file without the space of deleted reports
    #[arg(long)]
    pub(crate) vacuum: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Forget {
    /// The account, spelt as the servers recorded it
    pub(crate) account: String,
    /// Rewrite an SQLite file without the space of deleted reports
    #[arg(long)]
    pub(crate) vacuum: bool,
}
