//! The settings of `authres milter` and `authres stamp`: flags over the file over defaults. Each flag is also a key of
//! the file.

use std::{
    fmt::{self, Display},
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use authres_tls::{
    Border,
    border::{HostName, HostSource, Network, Task},
    milter::OnFailure,
    policy::Disclosure,
};
use clap::{Args, ValueEnum};
use command_support::files::{FileKind, read_text};
use serde::{Deserialize, Deserializer};

use crate::local_id::{self, LocalId};

/// The file: a table for each group of settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct File {
    #[serde(default)]
    pub(crate) message: MessageSettings,
    #[serde(default)]
    pub(crate) milter: MilterSettings,
    #[serde(default)]
    pub(crate) stamp: StampSettings,
}

impl File {
    /// Reads the file, if one is named.
    ///
    /// # Errors
    /// Returns the message of the parser, with the line and a caret.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let shown = crate::source::shown(path);
        let text = read_text(path, FileKind::Configuration).map_err(|error| error.to_string())?;
        toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))
    }
}

/// A setting of another type, parsed from text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed<T>(pub(crate) T);

impl<T: FromStr> FromStr for Parsed<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.parse().map(Self)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An authserv-id as it is written, which [`Border`] accepts.
#[derive(Clone, Debug)]
pub(crate) struct Id(String);

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        local_id::check(text)?;
        match Border::try_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => {
                Err("authserv-id: expected a host or domain name, or another ASCII text".to_owned())
            }
        }
    }
}

/// The settings of the work on a message.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MessageSettings {
    /// The authserv-id of the field that is added. Fields with this id, or one below it, are removed
    #[arg(long, value_name = "ID")]
    authserv_id: Option<Parsed<Id>>,
    /// The authserv-id of another local server, whose fields are removed as well; may be given again
    #[arg(long, value_name = "ID")]
    #[serde(default)]
    own: Vec<Parsed<LocalId>>,
    /// Treat names below a local authserv-id as local [default: true]
    #[arg(long, value_name = "BOOL")]
    subdomains: Option<bool>,
    /// The work on each message [default: strip-and-add]
    #[arg(long, value_enum, value_name = "TASK")]
    task: Option<TaskName>,
    /// The work on a message of a client that authenticated itself [default: as --task]
    #[arg(long, value_enum, value_name = "TASK")]
    authenticated: Option<TaskName>,
    /// A network of trusted servers, whose messages are not changed; may be given again
    #[arg(long, value_name = "NETWORK")]
    #[serde(default)]
    trusted_network: Vec<Parsed<Network>>,
    /// The name with which the name in a client's certificate is compared [default: unchecked]
    #[arg(long, value_enum, value_name = "SOURCE")]
    host_identity: Option<HostIdentity>,
    /// A name that is accepted in a verified certificate, whatever name the client has; may be given again
    #[arg(long, value_name = "HOST")]
    #[serde(default)]
    local_name: Vec<Parsed<HostName>>,
    /// The properties that name the client's certificate [default: all]
    #[arg(long, value_enum, value_name = "PROPERTIES")]
    disclose: Option<Disclose>,
    /// The outcome of a message for which the command itself fails [default: tempfail]
    #[arg(long, value_enum, value_name = "ACTION")]
    on_error: Option<OnError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TaskName {
    /// Remove forged fields and add the local one
    StripAndAdd,
    /// Remove forged fields
    Strip,
    /// Add the local field. Another filter must have removed forged ones
    Add,
    /// Change nothing
    Nothing,
}

impl From<TaskName> for Task {
    fn from(name: TaskName) -> Self {
        match name {
            TaskName::StripAndAdd => Self::StripAndAdd,
            TaskName::Strip => Self::Strip,
            TaskName::Add => Self::Add,
            TaskName::Nothing => Self::Nothing,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum HostIdentity {
    /// No name: no message results in `pass` or `invalidhost`
    Unchecked,
    /// The name in HELO or EHLO, which the client chooses
    Helo,
    /// The name of the client's address in the DNS, if that name has the address
    ReverseDns,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Disclose {
    /// Subject, alternative names and issuer, as far as the MTA reports them
    All,
    /// The subject
    Subject,
    /// No such property
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OnError {
    /// The client shall send the message again later
    Tempfail,
    /// The message continues without the local field; a milter leaves its other fields as they are
    Accept,
}

impl MessageSettings {
    /// Adds the settings of the file to those of the flags.
    fn or(self, file: &Self) -> Self {
        let file = file.clone();
        Self {
            authserv_id: self.authserv_id.or(file.authserv_id),
            own: list(self.own, file.own),
            subdomains: self.subdomains.or(file.subdomains),
            task: self.task.or(file.task),
            authenticated: self.authenticated.or(file.authenticated),
            trusted_network: list(self.trusted_network, file.trusted_network),
            host_identity: self.host_identity.or(file.host_identity),
            local_name: list(self.local_name, file.local_name),
            disclose: self.disclose.or(file.disclose),
            on_error: self.on_error.or(file.on_error),
        }
    }

    /// Returns the complete configuration.
    ///
    /// # Errors
    /// Returns a message if the authserv-id is missing.
    pub(crate) fn border(self, file: &Self) -> Result<(Border, OnFailure), String> {
        let all = self.or(file);
        let missing =
            "authserv-id: missing; give --authserv-id ID, or authserv-id in the table [message]";
        let Parsed(Id(id)) = all.authserv_id.ok_or(missing)?;
        let mut border = Border::try_new(&id).map_err(|error| error.to_string())?;
        for Parsed(LocalId(own)) in all.own {
            border = border.with_own_id(own);
        }
        border.strip.subdomains = all.subdomains.unwrap_or(true);
        border.task = all.task.map_or(Task::StripAndAdd, Task::from);
        border.authenticated = all.authenticated.map_or(border.task, Task::from);
        border.trusted_networks = all.trusted_network.into_iter().map(|it| it.0).collect();
        border.local_names = all.local_name.into_iter().map(|it| it.0).collect();
        border.host = match all.host_identity {
            None | Some(HostIdentity::Unchecked) => HostSource::Unchecked,
            Some(HostIdentity::Helo) => HostSource::Helo,
            Some(HostIdentity::ReverseDns) => HostSource::ReverseDns,
        };
        border.policy.disclosure = match all.disclose {
            None | Some(Disclose::All) => Disclosure::CLIENT,
            Some(Disclose::Subject) => Disclosure::SUBJECT,
            Some(Disclose::Nothing) => Disclosure::NOTHING,
        };
        let on_failure = match all.on_error {
            None | Some(OnError::Tempfail) => OnFailure::TemporaryFailure,
            Some(OnError::Accept) => OnFailure::Accept,
        };
        Ok((border, on_failure))
    }

    /// Returns the authserv-id of the flags or of the file.
    pub(crate) fn authserv_id<'s>(&'s self, file: &'s Self) -> Option<&'s str> {
        let id = self.authserv_id.as_ref().or(file.authserv_id.as_ref());
        id.map(|Parsed(Id(id))| id.as_str())
    }
}

/// Returns the list of the flags, or that of the file if there are no such flags.
fn list<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags }
}

/// The settings of the server.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MilterSettings {
    /// The socket on which the MTA connects: unix:PATH, or inet:ADDRESS:PORT
    #[arg(long, value_name = "SOCKET")]
    pub(crate) listen: Option<Parsed<Listen>>,
    /// The permissions of the socket's file, in octal [default: 0660]
    #[arg(long, value_name = "MODE")]
    pub(crate) socket_mode: Option<Parsed<Mode>>,
    /// The group of the socket's file, e.g. that of the MTA
    #[arg(long, value_name = "GROUP")]
    pub(crate) socket_group: Option<String>,
    /// The user that the process becomes once it has its sockets
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// The MTA, whose macros have another meaning in the other [default: by the macro `v`]
    #[arg(long, value_enum, value_name = "MTA")]
    pub(crate) mta: Option<MtaName>,
    /// The number of connections at a time [default: 10000]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_connections: Option<u32>,
    /// The longest header of a message in octets [default: 4194304]
    #[arg(long, value_name = "OCTETS")]
    pub(crate) max_header: Option<u32>,
    /// The longest packet in octets [default: 1048576]
    #[arg(long, value_name = "OCTETS")]
    pub(crate) max_packet: Option<u32>,
    /// The time after which a silent connection is closed [default: 7200]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) idle_timeout: Option<u32>,
    /// The time limit for the MTA to take a reply [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) write_timeout: Option<u32>,
    /// The time limit of connections that are open when the milter stops [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) shutdown_timeout: Option<u32>,
    /// The address and port at which counters are served in the `OpenMetrics` format, under /metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// The destination and form of the log [default: text]
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) log: Option<LogForm>,
    /// The least severe events that are logged [default: info]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
}

impl MilterSettings {
    /// Adds the settings of the file to those of the flags.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            listen: self.listen.or(file.listen),
            socket_mode: self.socket_mode.or(file.socket_mode),
            socket_group: self.socket_group.or(file.socket_group),
            user: self.user.or(file.user),
            mta: self.mta.or(file.mta),
            max_connections: self.max_connections.or(file.max_connections),
            max_header: self.max_header.or(file.max_header),
            max_packet: self.max_packet.or(file.max_packet),
            idle_timeout: self.idle_timeout.or(file.idle_timeout),
            write_timeout: self.write_timeout.or(file.write_timeout),
            shutdown_timeout: self.shutdown_timeout.or(file.shutdown_timeout),
            metrics: self.metrics.or(file.metrics),
            log: self.log.or(file.log),
            log_level: self.log_level.or(file.log_level),
        }
    }
}

/// The settings of `authres stamp`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct StampSettings {
    /// The host name that the local MTA writes after `by` in its Received field; may be given again
    /// [default: the authserv-id]
    #[arg(long, value_name = "HOST")]
    #[serde(default)]
    pub(crate) host: Vec<Parsed<LocalId>>,
}

/// A time limit in seconds, or its default.
pub(crate) fn seconds(set: Option<u32>, default: u32) -> Duration {
    Duration::from_secs(set.unwrap_or(default).into())
}

/// A size or number, or its default.
pub(crate) fn number(set: Option<u32>, default: usize) -> usize {
    set.map_or(default, |it| usize::try_from(it).unwrap_or(usize::MAX))
}

/// The socket on which an MTA connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Unix(PathBuf),
    Inet(SocketAddr),
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected unix:/PATH, or inet:ADDRESS:PORT with a numeric address";
        match text.split_once(':') {
            Some(("unix" | "local", path)) if path.starts_with('/') => {
                Ok(Self::Unix(PathBuf::from(path)))
            }
            Some(("inet" | "inet6", address)) => {
                // The form of libmilter is PORT@ADDRESS.
                let address = match address.split_once('@') {
                    Some((port, host)) if host.contains(':') => format!("[{host}]:{port}"),
                    Some((port, host)) => format!("{host}:{port}"),
                    None => address.to_owned(),
                };
                address.parse().map(Self::Inet).map_err(|_| expected)
            }
            _ => Err(expected),
        }
    }
}

impl Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", crate::source::shown(path)),
            Self::Inet(address) => write!(f, "inet:{address}"),
        }
    }
}

/// The permissions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode(pub(crate) u32);

impl FromStr for Mode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mode = u32::from_str_radix(text, 8);
        let mode = mode.ok().filter(|mode| *mode <= 0o777);
        mode.map(Self)
            .ok_or("expected permissions in octal, e.g. 0660")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MtaName {
    Postfix,
    Sendmail,
}

/// The destination and form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogForm {
    /// Text with a time, on standard error
    #[default]
    Text,
    /// Text without a time, on standard error, for the journal, which adds its own
    Journal,
    /// A JSON object on each line, on standard error
    Json,
    /// The system log, facility mail
    Syslog,
}

/// The least severe events that are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogLevel {
    /// Failures of the filter
    Error,
    /// Limits that are reached, and connections that break the protocol
    Warn,
    /// Start, stop, reload, and each message
    #[default]
    Info,
    /// Each connection
    Debug,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_sockets_of_both_forms() {
        let inet = |text: &str| text.parse().map(Listen::Inet).expect("an address");
        let unix = Listen::Unix(PathBuf::from("/run/authres.sock"));
        let expected = "expected unix:/PATH, or inet:ADDRESS:PORT with a numeric address";
        for (text, listen) in [
            ("unix:/run/authres.sock", Ok(unix.clone())),
            ("local:/run/authres.sock", Ok(unix)),
            ("inet:127.0.0.1:8895", Ok(inet("127.0.0.1:8895"))),
            ("inet:8895@127.0.0.1", Ok(inet("127.0.0.1:8895"))),
            ("inet6:8895@::1", Ok(inet("[::1]:8895"))),
            ("inet:[::1]:8895", Ok(inet("[::1]:8895"))),
            ("unix:run/authres.sock", Err(expected)),
            ("inet:localhost:8895", Err(expected)),
            ("127.0.0.1:8895", Err(expected)),
            ("", Err(expected)),
        ] {
            assert_eq!(text.parse(), listen, "{text}");
        }
    }

    #[test]
    fn parses_permissions_in_octal() {
        let expected = "expected permissions in octal, e.g. 0660";
        assert_eq!("0660".parse(), Ok(Mode(0o660)));
        assert_eq!("666".parse(), Ok(Mode(0o666)));
        assert_eq!("1777".parse::<Mode>(), Err(expected));
        assert_eq!("rw".parse::<Mode>(), Err(expected));
    }
}
