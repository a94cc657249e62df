//! The parts of a configuration that last until the gateway ends: a reload does not change them.

use std::{net::SocketAddr, path::PathBuf};

use super::config::{Config, Log, Positive};

/// The values of these parts.
#[derive(Debug)]
pub(super) struct Fixed {
    log: Log,
    metrics: Option<SocketAddr>,
    reports: [Option<PathBuf>; 2],
    sessions: Positive,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        let metrics = config.metrics.as_ref();
        let reports = &config.reports;
        Self {
            log: config.log,
            metrics: metrics.map(|metrics| *metrics.listen.get_ref()),
            reports: [&reports.sqlite, &reports.postgres_url_file]
                .map(|path| path.as_ref().map(|path| path.get_ref().clone())),
            sessions: config.limits.sessions,
        }
    }

    /// Returns the parts in which the other configuration differs.
    pub(super) fn changed(&self, other: &Self) -> Vec<&'static str> {
        let parts = [
            ("log", self.log == other.log),
            ("metrics", self.metrics == other.metrics),
            ("reports", self.reports == other.reports),
            ("limits.sessions", self.sessions == other.sessions),
        ];
        let changed = parts.into_iter().filter(|(_, is_same)| !is_same);
        changed.map(|(part, _)| part).collect()
    }
}
