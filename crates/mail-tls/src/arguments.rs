//! The command line.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use crate::{monitor::Monitor, service::ServiceName};
use clap::{Args, Parser, Subcommand, ValueEnum};
use mail_implicit_tls::{
    account::{Host, LowPrivacy},
    dane::DaneRules,
    privacy::PrivacyLevel,
    service::Service,
    setup::address::MailAddress,
};

/// Shows what TLS a mail account would get, and what will break
#[derive(Parser)]
#[command(
    name = "mail-tls",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Connect to the servers of an account, up to the point where a client may log in
    Connect(Box<Connect>),
    /// Observe mail domains, and report what will break: certificates, TLSA and SRV records, DNSSEC, clear text, DEEP
    Monitor(Box<Monitor>),
    /// Run a gateway that ends TLS before mail servers, or check its configuration
    Gateway(Gateway),
    /// Print the manual page of this command, or of one of its commands
    Man(Man),
}

#[derive(Args)]
pub(crate) struct Man {
    /// The command
    #[arg(value_parser = ["connect", "monitor", "gateway", "man"])]
    pub(crate) command: Option<String>,
}

#[derive(Args)]
pub(crate) struct Gateway {
    /// The configuration, TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Check the configuration and the files that it names, connect to the backends, print what clients would be offered,
    /// and exit
    #[arg(long)]
    pub(crate) check: bool,
    /// Connect neither to the backends nor to the database of reports, for a check of the files alone
    #[arg(long, requires = "check")]
    pub(crate) offline: bool,
    /// Ask the gateway that runs with this configuration for its health at metrics.listen, print its answer, and exit
    #[arg(long, conflicts_with = "check")]
    pub(crate) health: bool,
}

#[derive(Args)]
pub(crate) struct Connect {
    /// The mail address, such as alice@example.org
    pub(crate) address: Address,
    /// Check this host in place of the servers that the mail domain advertises
    #[arg(long, value_name = "HOST", value_parser = Host::parse)]
    pub(crate) host: Option<Host>,
    /// The service of the host; may be given several times [default: the three with implicit TLS]
    #[arg(long, requires = "host", value_name = "SERVICE")]
    service: Vec<ServiceName>,
    /// The port of the host
    #[arg(long, requires = "host")]
    pub(crate) port: Option<u16>,
    /// Connect to this address in place of the host's; the host's name is verified nevertheless
    #[arg(long, requires = "host", value_name = "IP")]
    pub(crate) connect_to: Option<IpAddr>,
    /// Use the servers of the mail domain's configuration file, fetched over https from autoconfig.DOMAIN or
    /// DOMAIN/.well-known/autoconfig, in place of SRV records
    #[arg(long, conflicts_with = "host")]
    pub(crate) autoconfig: bool,
    /// Send the mail address with the request for the file; some providers need it
    #[arg(long, requires = "autoconfig")]
    pub(crate) tell_address: bool,
    /// Fetch the file from this address in place of the hosts' addresses; their names are verified nevertheless
    #[arg(long, requires = "autoconfig", value_name = "IP:PORT")]
    pub(crate) autoconfig_address: Option<SocketAddr>,
    /// The privacy level of the account
    #[arg(long, default_value = "high")]
    level: Level,
    /// The resolver to ask, IP or IP:PORT [default: the first of /etc/resolv.conf]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) resolver: Option<ResolverAddress>,
    /// A file of DNSKEY records in zone file format [default: the keys of the root zone]
    #[arg(long, value_name = "FILE")]
    pub(crate) anchors: Option<PathBuf>,
    /// A file of trusted certificates in PEM [default: those of the operating system]
    #[arg(long, value_name = "FILE")]
    pub(crate) roots: Option<PathBuf>,
    /// A file of latches, as the account's mail program keeps them with deep-latch; it is read and not changed
    #[arg(long, value_name = "FILE")]
    pub(crate) latches: Option<PathBuf>,
    /// Do not look up TLSA records
    #[arg(long)]
    pub(crate) no_dane: bool,
    /// The reading of TLSA records
    #[arg(long, default_value = "rfc6698")]
    pub(crate) dane: DaneReading,
    /// The time for the lookup or the file, and for the connections, each, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    /// Servers must be verified
    High,
    /// Unverified servers and clear text are accepted, and shown as such
    Low,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum DaneReading {
    Rfc6698,
    Rfc7671,
}

impl From<DaneReading> for DaneRules {
    fn from(reading: DaneReading) -> Self {
        match reading {
            DaneReading::Rfc6698 => Self::Rfc6698,
            DaneReading::Rfc7671 => Self::Rfc7671,
        }
    }
}

/// A mail address, and the name of its account, which is the address as it was typed.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) account: String,
    pub(crate) user: MailAddress,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match MailAddress::parse(text) {
            Ok(user) => Ok(Self {
                account: text.to_owned(),
                user,
            }),
            Err(error) => Err(format!("{error}; an address is alice@example.org")),
        }
    }
}

/// The address of a resolver, at port 53 unless it has one.
#[derive(Clone, Copy)]
pub(crate) struct ResolverAddress(pub(crate) SocketAddr);

impl FromStr for ResolverAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let with_port = text.parse().ok();
        let without = || {
            text.parse::<IpAddr>()
                .ok()
                .map(|ip| SocketAddr::new(ip, 53))
        };
        with_port
            .or_else(without)
            .map(Self)
            .ok_or("IP address or IP:PORT expected")
    }
}

impl Connect {
    pub(crate) fn services(&self) -> Vec<Service> {
        match self.service.is_empty() {
            true => vec![Service::IMAPS, Service::POP3S, Service::SUBMISSIONS],
            false => self.service.iter().copied().map(Service::from).collect(),
        }
    }

    pub(crate) const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    pub(crate) const fn level(&self) -> PrivacyLevel {
        match self.level {
            Level::High => PrivacyLevel::High,
            Level::Low => PrivacyLevel::Low,
        }
    }

    /// Returns the concessions of the low level.
    pub(crate) const fn low(&self) -> Option<LowPrivacy> {
        match self.level {
            Level::High => None,
            Level::Low => Some(LowPrivacy {
                ignore_certificate: true,
                clear_text_fallback: true,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn has_consistent_arguments() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn reads_addresses_of_resolvers() {
        for (text, expected) in [
            ("192.0.2.53", Some("192.0.2.53:53")),
            ("127.0.0.1:5353", Some("127.0.0.1:5353")),
            ("2001:db8::53", Some("[2001:db8::53]:53")),
            ("[2001:db8::53]:5353", Some("[2001:db8::53]:5353")),
            ("resolver.example", None),
            ("", None),
        ] {
            let read = ResolverAddress::from_str(text)
                .ok()
                .map(|it| it.0.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }
}
