//! The command line, and the keys of the configuration file: each flag but `--config` and `--check` is also a key.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand, ValueEnum};
use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use serde::Deserialize;

use crate::log::{Format, Level};

const AFTER_HELP: &str = "\
Signals:
  SIGTERM, SIGINT  stop accepting, answer the requests that have arrived, exit; at
                   once if sent twice
  SIGHUP           read the certificate and its key again

Exit codes:
  0  stopped by a signal, or the configuration is valid
  1  the proxy cannot run, e.g. the address is in use
  2  the arguments, the configuration or a file that it names cannot be used";

/// Terminates TLS and Token Binding, and reports the verified identifiers to a backend in headers
///
/// Clients use HTTP/1.1 or HTTP/2, the backend uses HTTP/1.1. The backend finds the identifiers in
/// Sec-Provided-Token-Binding-ID and Sec-Referred-Token-Binding-ID, which clients cannot set.
#[derive(Parser)]
#[command(name = "tokenbind-proxy", version, after_help = AFTER_HELP, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// Read settings from this TOML file; flags take precedence
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Check the configuration, the certificate and its key, and exit
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print the manual page
    Man,
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The settings, from flags or a file. A setting that is absent has its default.
#[derive(Args, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// The address and port to listen on; with port 0 a free port is taken, and printed
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// The backend, an http URL of a host and port
    #[arg(long, value_name = "URL")]
    pub(crate) backend: Option<Backend>,
    /// The certificate chain, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Answer requests without Token Binding with 403
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) require_token_binding: Option<bool>,
    /// The protocol for clients that support both [default: token-binding]
    #[arg(long, value_enum)]
    pub(crate) prefer: Option<Prefer>,
    /// The encoding of P-256 points that clients use [default: x962]
    #[arg(long, value_enum)]
    pub(crate) point: Option<Point>,
    /// The encoding of P-256 signatures that clients use [default: der]
    #[arg(long, value_enum)]
    pub(crate) signature: Option<Signature>,
    /// Accept requests without a Token-Binding header after the first of a connection
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) allow_later_requests_without_header: Option<bool>,
    /// Accept padding at the end of the Token-Binding header's value
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) allow_padding: Option<bool>,
    /// The time limit of a TLS handshake [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) handshake_timeout: Option<u32>,
    /// The time after which a connection without a request is closed [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) idle_timeout: Option<u32>,
    /// The time limit of a connection to the backend [default: 5]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) connect_timeout: Option<u32>,
    /// The time limit of the backend's response up to its headers, the request's body included [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) response_timeout: Option<u32>,
    /// The number of connections at a time [default: 10000]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_connections: Option<NonZeroUsize>,
    /// The number of connections of one address at a time [default: 2000]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_connections_per_address: Option<NonZeroUsize>,
    /// The time limit of requests that are not answered when the proxy stops [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) shutdown_timeout: Option<u32>,
    /// The form of the log on standard error [default: text]
    #[arg(long, value_enum)]
    pub(crate) log_format: Option<Format>,
    /// The least severe events that are logged [default: info]
    #[arg(long, value_enum)]
    pub(crate) log_level: Option<Level>,
}

#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Prefer {
    /// Token Binding, under TLS 1.2
    TokenBinding,
    /// TLS 1.3, without Token Binding
    Tls13,
}

#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Point {
    /// 65 bytes: 0x04, X, Y
    X962,
    /// 64 bytes: X, Y
    Bare64,
}

#[derive(Clone, Copy, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Signature {
    /// DER, as TLS 1.2 signs
    Der,
    /// 64 bytes: r, s
    Raw64,
}

/// The host and port of the backend.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Backend(pub(crate) Authority);

impl FromStr for Backend {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let parts = url
            .parse::<Uri>()
            .map_err(|error| error.to_string())?
            .into_parts();
        let path = parts
            .path_and_query
            .as_ref()
            .map_or("/", PathAndQuery::as_str);
        match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority))
                if scheme == Scheme::HTTP && path == "/" && !authority.as_str().contains('@') =>
            {
                Ok(Self(authority))
            }
            _ => Err("expected an http URL of a host and port, without a path".to_owned()),
        }
    }
}

impl TryFrom<String> for Backend {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        url.parse()
    }
}
