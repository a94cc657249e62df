//! The configuration: flags over the file over defaults.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use command_support::files::{FileKind, read_text};
use http::uri::Authority;
use tokenbind_http::{
    server::{MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS},
    tls::VersionPreference,
};
use tokenbind_wire::{PointEncoding, SignatureEncoding};

use crate::{
    arguments::{Arguments, Point, Prefer, Settings, Signature},
    log::{Format, Level},
};

/// A complete configuration.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) backend: Authority,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) require_token_binding: bool,
    pub(crate) prefer: VersionPreference,
    pub(crate) point: PointEncoding,
    pub(crate) signature: SignatureEncoding,
    pub(crate) allow_later_requests_without_header: bool,
    pub(crate) allow_padding: bool,
    pub(crate) handshake_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_address: usize,
    pub(crate) log_format: Format,
    pub(crate) log_level: Level,
}

impl Config {
    /// Reads the file that the arguments name, and adds the defaults.
    ///
    /// # Errors
    /// Returns a message with the file, and with line and column where the file has an error, or the setting that is
    /// missing.
    pub(crate) fn read(arguments: Arguments) -> Result<Self, String> {
        let file = match &arguments.config {
            Some(path) => of_file(path)?,
            None => Settings::default(),
        };
        Self::complete(arguments.settings, file)
    }

    fn complete(flags: Settings, file: Settings) -> Result<Self, String> {
        let seconds = |flag: Option<u32>, key: Option<u32>, default| {
            Duration::from_secs(flag.or(key).unwrap_or(default).into())
        };
        let number = |flag: Option<NonZeroUsize>, key: Option<NonZeroUsize>, default| {
            flag.or(key).map_or(default, NonZeroUsize::get)
        };
        let is = |flag: Option<bool>, key: Option<bool>| flag.or(key).unwrap_or(false);
        let missing = |key: &str| {
            format!("{key} is missing: give --{key}, or the key {key} in the file of --config")
        };
        let backend = flags.backend.or(file.backend);
        Ok(Self {
            listen: flags
                .listen
                .or(file.listen)
                .ok_or_else(|| missing("listen"))?,
            backend: backend.ok_or_else(|| missing("backend"))?.0,
            cert: flags.cert.or(file.cert).ok_or_else(|| missing("cert"))?,
            key: flags.key.or(file.key).ok_or_else(|| missing("key"))?,
            require_token_binding: is(flags.require_token_binding, file.require_token_binding),
            prefer: match flags.prefer.or(file.prefer) {
                None | Some(Prefer::TokenBinding) => VersionPreference::TokenBinding,
                Some(Prefer::Tls13) => VersionPreference::Tls13,
            },
            point: match flags.point.or(file.point) {
                None | Some(Point::X962) => PointEncoding::X962,
                Some(Point::Bare64) => PointEncoding::Bare64,
            },
            signature: match flags.signature.or(file.signature) {
                None | Some(Signature::Der) => SignatureEncoding::Der,
                Some(Signature::Raw64) => SignatureEncoding::Raw64,
            },
            allow_later_requests_without_header: is(
                flags.allow_later_requests_without_header,
                file.allow_later_requests_without_header,
            ),
            allow_padding: is(flags.allow_padding, file.allow_padding),
            handshake_timeout: seconds(flags.handshake_timeout, file.handshake_timeout, 10),
            idle_timeout: seconds(flags.idle_timeout, file.idle_timeout, 60),
            connect_timeout: seconds(flags.connect_timeout, file.connect_timeout, 5),
            response_timeout: seconds(flags.response_timeout, file.response_timeout, 300),
            shutdown_timeout: seconds(flags.shutdown_timeout, file.shutdown_timeout, 30),
            max_connections: number(flags.max_connections, file.max_connections, MAX_CONNECTIONS),
            max_connections_per_address: number(
                flags.max_connections_per_address,
                file.max_connections_per_address,
                MAX_CONNECTIONS_PER_ADDRESS,
            ),
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            log_level: flags.log_level.or(file.log_level).unwrap_or_default(),
        })
    }
}

/// Reads a file of settings. Its paths are relative to its directory.
fn of_file(path: &Path) -> Result<Settings, String> {
    let of = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = read_text(path, FileKind::Configuration).map_err(|error| error.to_string())?;
    let mut settings: Settings = toml::from_str(&text).map_err(|error| of(&error))?;
    if let Some(directory) = path.parent() {
        for file in [&mut settings.cert, &mut settings.key]
            .into_iter()
            .flatten()
        {
            *file = directory.join(&file);
        }
    }
    Ok(settings)
}
