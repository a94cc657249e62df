//! The command line of the monitor.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::Args;
use mail_implicit_tls::{monitor::Options, name::DomainName, service::Service};

use crate::arguments::{DaneReading, ResolverAddress};

#[derive(Args)]
pub(crate) struct Monitor {
    /// The mail domains
    #[arg(required = true, value_name = "DOMAIN", value_parser = DomainName::parse)]
    domains: Vec<DomainName>,
    /// A server beside those that the domain advertises, such as imaps:imap.example.org; may be given several times
    #[arg(long, value_name = "SERVICE:HOST[:PORT]")]
    server: Vec<NamedServer>,
    /// A certificate on the disk in PEM, with those after it; it is compared with what the servers of its names send.
    /// May be given several times
    #[arg(long, value_name = "FILE")]
    pub(super) cert: Vec<PathBuf>,
    /// A certificate in PEM that will be served later; TLSA records must name its key before. May be given several times
    #[arg(long, value_name = "FILE")]
    pub(super) next_cert: Vec<PathBuf>,
    /// Check the servers for inbound mail too, at port 25
    #[arg(long)]
    mx: bool,
    /// Check the policies of inbound mail, MTA-STS and TLS-RPT
    #[arg(long)]
    mta_sts: bool,
    /// Fetch the policy of MTA-STS from this address in place of the host's; its name is verified nevertheless
    #[arg(long, requires = "mta_sts", value_name = "IP:PORT")]
    mta_sts_address: Option<SocketAddr>,
    /// The resolver to ask, IP or IP:PORT [default: the first of /etc/resolv.conf]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) resolver: Option<ResolverAddress>,
    /// A file of DNSKEY records in zone file format [default: the keys of the root zone]
    #[arg(long, value_name = "FILE")]
    pub(super) anchors: Option<PathBuf>,
    /// A file of trusted certificates in PEM [default: those of the operating system]
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// The reading of TLSA records; servers for inbound mail are judged by RFC 7671
    #[arg(long, default_value = "rfc6698")]
    dane: DaneReading,
    /// Warn if less than this part of a certificate's lifetime is left, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 25, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) warn_left: u8,
    /// Report a certificate as bad if less than this part of its lifetime is left, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) bad_left: u8,
    /// The time for each connection, and for each question to the resolver, which has 10 seconds at most
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Show the checks that passed too
    #[arg(long, conflicts_with = "json")]
    pub(super) all: bool,
    /// Write metrics to this file for Prometheus's node exporter, which reads names that end in .prom
    #[arg(long, value_name = "FILE", value_parser = metrics_file)]
    pub(super) metrics: Option<PathBuf>,
    /// Keep states over time in this SQLite database, which is made if there is none
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// Show changes only: since the last run, or since a time ago such as 24h; the exit code is that of all findings
    #[arg(long, value_name = "last|TIME", requires = "state")]
    pub(super) since: Option<Since>,
    /// Write a page with the states over time to this directory
    #[arg(long, value_name = "DIR", requires = "state")]
    pub(super) html: Option<PathBuf>,
    /// Let the page say that it is out of date so long after it was made, such as 1h [default: 26h, or with --watch the time
    /// of three rounds]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, requires = "html")]
    html_valid: Option<Duration>,
    /// Run again after each such time, such as 15m, and at once after SIGHUP, until interrupted; from the second round on
    /// show changes only
    #[arg(long, value_name = "TIME", value_parser = interval, requires = "state")]
    pub(super) watch: Option<Duration>,
    /// Exit with 0 whatever the findings are, so that a service manager sees the runs alone that could not be carried out
    #[arg(long)]
    pub(super) exit_zero: bool,
}

impl Monitor {
    /// Returns the domains, each once: a domain that is given twice would have each metric twice, which Prometheus refuses.
    pub(super) fn domains(&self) -> Vec<&DomainName> {
        let mut domains = Vec::new();
        for domain in &self.domains {
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        domains
    }

    /// Returns the time for which the page is up to date. A run each morning may be late.
    pub(super) fn html_valid(&self) -> Duration {
        const DAY_AND_DELAY: Duration = Duration::from_secs(26 * 3_600);

        let rounds = self.watch.map(|interval| interval.saturating_mul(3));
        self.html_valid.or(rounds).unwrap_or(DAY_AND_DELAY)
    }

    /// Returns the time for one answer of the resolver.
    pub(super) fn lookup_timeout(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(10);

        Duration::from_secs(self.timeout).min(LONGEST)
    }

    pub(super) fn options(&self) -> Options {
        let server = |it: &NamedServer| (it.service, it.host.clone(), it.port);
        Options {
            deadline: Duration::from_secs(self.timeout),
            servers: self.server.iter().map(server).collect(),
            mx: self.mx,
            transport: self.mta_sts,
            policy_address: self.mta_sts_address,
            dane: self.dane.into(),
        }
    }
}

/// The least time between two rounds, in which a server must not see an attack.
const LEAST_INTERVAL: Duration = Duration::from_secs(60);

fn interval(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match time >= LEAST_INTERVAL {
        true => Ok(time),
        false => Err("at least 1m expected".to_owned()),
    }
}

/// Reads the name of a file that the node exporter reads.
fn metrics_file(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    match path.extension().is_some_and(|it| it == "prom") {
        true => Ok(path),
        false => Err("a name that ends in .prom expected"),
    }
}

/// The time from which changes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// The last run.
    Last,
    /// So long ago.
    Ago(Duration),
}

impl Since {
    /// Returns the time from which changes are counted: those since the last run up to it.
    pub(super) fn before(self, now: Duration) -> Duration {
        match self {
            Self::Last => now,
            Self::Ago(time) => now.saturating_sub(time),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "last" {
            return Ok(Self::Last);
        }
        humantime::parse_duration(text)
            .map(Self::Ago)
            .map_err(|error| error.to_string())
    }
}

/// A server that the operator names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedServer {
    service: Service,
    host: DomainName,
    port: u16,
}

impl FromStr for NamedServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        let services = Service::ALL
            .into_iter()
            .filter(|service| service.uses_tls());
        let service = services.clone().find(|service| service.name() == name);
        let Some(service) = service else {
            let names: Vec<_> = services.map(Service::name).collect();
            return Err(format!(
                "one of {} expected before the host",
                names.join(", ")
            ));
        };
        let host = parts.next().ok_or("SERVICE:HOST[:PORT] expected")?;
        let host = DomainName::parse(host).map_err(|error| error.to_string())?;
        let port = match parts.next() {
            None => service.default_port(),
            Some(port) => {
                let port = port.parse().ok().filter(|port| *port != 0);
                port.ok_or("port expected after the host")?
            }
        };
        Ok(Self {
            service,
            host,
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_servers() {
        let read = |text: &str| {
            let server: Result<NamedServer, _> = text.parse();
            server.map(|it| (it.service, it.host.to_string(), it.port))
        };
        let host = || "imap.example.org".to_owned();
        assert_eq!(
            read("imaps:imap.example.org"),
            Ok((Service::IMAPS, host(), 993))
        );
        assert_eq!(
            read("submission:imap.example.org:2525"),
            Ok((Service::SUBMISSION_STARTTLS, host(), 2525))
        );
        for (text, error) in [
            ("imaps", "SERVICE:HOST[:PORT] expected"),
            ("imaps:", "domain-name: name is empty at byte 0"),
            ("imaps:a.example:x", "port expected after the host"),
            ("imaps:a.example:0", "port expected after the host"),
            (
                "http:a.example",
                "one of pop3s, imaps, submissions, pop3, imap, submission expected before the host",
            ),
        ] {
            assert_eq!(read(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn reads_names_of_files_that_the_node_exporter_reads() {
        assert_eq!(metrics_file("a/b.prom"), Ok(PathBuf::from("a/b.prom")));
        for text in ["", "prom", ".prom", "a.prom/b", "a.prom.txt", "a.PROM"] {
            assert!(metrics_file(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_times() {
        let now = Duration::from_secs(100_000);
        let since = |text: &str| text.parse().map(|since: Since| since.before(now));
        assert_eq!(since("last"), Ok(now));
        assert_eq!(since("24h"), Ok(Duration::from_secs(13_600)));
        assert_eq!(since("1000d"), Ok(Duration::ZERO));
        assert!(since("yesterday").is_err());
        assert_eq!(interval("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(interval("59s"), Err("at least 1m expected".to_owned()));
    }
}
