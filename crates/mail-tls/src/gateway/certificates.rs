//! The certificates of the gateway. They are watched: once new ones are on the disk and are valid, they are served.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use command_support::pem;
use mail_implicit_tls::server::{
    CertificateChain, CertificateError, CertificateSet, Certificates, UnknownName,
};
use rustls::{crypto::CryptoProvider, pki_types::UnixTime};
use tokio::time::{MissedTickBehavior, interval};

use super::metrics::Metrics;

/// The time between two reads of the files' state.
const PERIOD: Duration = Duration::from_millis(500);

/// The files of a certificate chain and of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) chain: PathBuf,
    pub(super) key: PathBuf,
}

/// A pair of files, and what is served of it.
#[derive(Debug)]
struct Entry {
    pair: Pair,
    served: Option<CertificateChain>,
    fault: Option<String>,
    /// The chain that was served when the log was last written.
    logged: Option<CertificateChain>,
    is_fault_logged: bool,
}

/// The certificates that are served, in the order of the configuration.
///
/// Each pair of files is on its own: one at fault keeps what is served of it, and the others are replaced.
#[derive(Debug)]
pub(super) struct Served {
    certificates: Arc<Certificates>,
    provider: Arc<CryptoProvider>,
    entries: Mutex<Vec<Entry>>,
}

/// A pair of which nothing can be served.
#[derive(Debug)]
pub(super) struct LoadError {
    /// The place of the pair in the configuration, from 0 on.
    pub(super) place: usize,
    pub(super) message: String,
}

/// The state of a file that a change of it changes. A link is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stamp {
    Known {
        modified: Option<SystemTime>,
        length: u64,
        #[cfg(unix)]
        file: (u64, u64),
    },
    Unknown(io::ErrorKind),
}

impl Stamp {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(metadata) => Self::Known {
                modified: metadata.modified().ok(),
                length: metadata.len(),
                #[cfg(unix)]
                file: {
                    use std::os::unix::fs::MetadataExt;
                    (metadata.dev(), metadata.ino())
                },
            },
            Err(error) => Self::Unknown(error.kind()),
        }
    }
}

impl Entry {
    /// Returns the state after the files were read. `former` is what was served of them.
    fn new(
        pair: Pair,
        found: Result<CertificateChain, String>,
        former: Option<CertificateChain>,
    ) -> Self {
        let mut entry = Self {
            pair,
            served: former.clone(),
            fault: None,
            logged: former,
            is_fault_logged: true,
        };
        entry.take(found, UnixTime::now());
        if entry.logged.is_none() {
            entry.logged.clone_from(&entry.served);
        }
        entry
    }

    /// Takes what was found in the files. A valid certificate stays if the one that was found is not valid.
    fn take(&mut self, found: Result<CertificateChain, String>, now: UnixTime) {
        let fault = match found {
            Ok(chain) if chain.is_valid_at(now) => {
                self.served = Some(chain);
                None
            }
            Ok(chain) => {
                if !self.serves_valid(now) {
                    self.served = Some(chain);
                }
                Some(of(&self.pair.chain, &CertificateError::Dates))
            }
            Err(fault) => Some(fault),
        };
        if self.fault != fault {
            self.is_fault_logged = false;
        }
        self.fault = fault;
    }

    fn serves_valid(&self, now: UnixTime) -> bool {
        let is_valid = |chain: &CertificateChain| chain.is_valid_at(now);
        self.served.as_ref().is_some_and(is_valid)
    }

    /// Logs and counts what changed since the last time.
    fn log(&mut self, metrics: &Metrics) {
        let chain = self.pair.chain.display();
        let names = |chain: &CertificateChain| chain.names().join(" ");
        let certificates = CertificateChain::certificates;
        if let Some(served) = &self.served
            && self.logged.as_ref().map(certificates) != Some(certificates(served))
        {
            metrics.certificate_load(true);
            let not_after = served.not_after();
            tracing::info!(%chain, names = names(served), not_after, "certificates replaced");
            let is_kept = |name| served.names().contains(name);
            if let Some(former) = &self.logged
                && !former.names().iter().any(is_kept)
            {
                tracing::warn!(
                    %chain,
                    names = names(served),
                    former = names(former),
                    "the certificate has none of the names of the former one"
                );
            }
        }
        self.logged.clone_from(&self.served);
        if self.is_fault_logged {
            return;
        }
        self.is_fault_logged = true;
        let Some(error) = &self.fault else {
            tracing::info!(%chain, "certificates are without fault again");
            return;
        };
        metrics.certificate_load(false);
        match &self.served {
            Some(_) if self.serves_valid(UnixTime::now()) => {
                tracing::error!(error, "certificates not replaced; the former ones are kept");
            }
            Some(_) => tracing::error!(error, "certificates that are not valid are served"),
            None => tracing::error!(error, "certificates not served"),
        }
    }
}

impl Served {
    /// Reads and checks all certificates. `former` is what a configuration before this one serves.
    ///
    /// A pair that was served before keeps its certificate if its files are at fault, and one that expired is served: the
    /// others are not concerned. At a start it is enough that one pair can be served.
    ///
    /// # Errors
    /// Returns the first pair of which nothing can be served.
    pub(super) fn load(
        pairs: Vec<Pair>,
        unknown: UnknownName,
        provider: Arc<CryptoProvider>,
        former: Option<&Self>,
    ) -> Result<Self, LoadError> {
        let entries: Vec<_> = pairs
            .into_iter()
            .map(|pair| {
                let found = read(&pair, &provider);
                let former = former.and_then(|former| former.chain(&pair));
                Entry::new(pair, found, former)
            })
            .collect();
        let lacking = entries.iter().position(|entry| entry.served.is_none());
        let is_any_served = entries.iter().any(|entry| entry.served.is_some());
        if let Some(place) = lacking
            && (former.is_some() || !is_any_served)
        {
            let fault = entries.into_iter().nth(place).and_then(|entry| entry.fault);
            let message = fault.unwrap_or_default();
            return Err(LoadError { place, message });
        }
        let served = Self {
            certificates: Arc::new(Certificates::new(unknown)),
            provider,
            entries: Mutex::new(entries),
        };
        served.publish().map_err(|error| LoadError {
            place: 0,
            message: error.to_string(),
        })?;
        Ok(served)
    }

    /// Returns the certificates, which follow the files while they are watched.
    pub(super) fn certificates(&self) -> Arc<Certificates> {
        self.certificates.clone()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is served of a pair of files.
    fn chain(&self, pair: &Pair) -> Option<CertificateChain> {
        let entries = self.entries();
        let mut of_pair = entries.iter().filter(|entry| entry.pair == *pair);
        of_pair.find_map(|entry| entry.served.clone())
    }

    /// Returns one line for each pair that is at fault, and `true` if a certificate is valid.
    pub(super) fn health(&self) -> (Vec<String>, bool) {
        let now = UnixTime::now();
        let entries = self.entries();
        let is_any_valid = entries.iter().any(|entry| entry.serves_valid(now));
        let fault = |entry: &Entry| match &entry.fault {
            Some(fault) => Some(fault.clone()),
            None if entry.serves_valid(now) => None,
            None => Some(of(&entry.pair.chain, &CertificateError::Dates)),
        };
        (entries.iter().filter_map(fault).collect(), is_any_valid)
    }

    /// Makes handshakes use what is served of each pair.
    fn publish(&self) -> Result<(), CertificateError> {
        let chains = |entry: &Entry| entry.served.clone();
        let chains: Vec<_> = self.entries().iter().filter_map(chains).collect();
        self.certificates.replace(CertificateSet::new(&chains)?);
        Ok(())
    }

    /// Watches the files, and replaces the certificates that are served. New ones that are not valid are reported once, and
    /// tried again until they are: a file may be half written.
    pub(super) async fn watch(self: Arc<Self>, metrics: Arc<Metrics>) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = Vec::new();
        loop {
            ticks.tick().await;
            let (served, metrics) = (self.clone(), metrics.clone());
            // Files may be on a slow file system.
            let look = move || served.look(&seen, &metrics);
            seen = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        }
    }

    /// Reads the files that changed since they were seen, those at fault, and those whose certificate expired. Returns the
    /// state of all.
    fn look(&self, seen: &[[Stamp; 2]], metrics: &Metrics) -> Vec<[Stamp; 2]> {
        let pairs: Vec<_> = self.entries().iter().map(|it| it.pair.clone()).collect();
        let stamps: Vec<_> = pairs
            .iter()
            .map(|pair| [Stamp::of(&pair.chain), Stamp::of(&pair.key)])
            .collect();
        let mut is_changed = false;
        for (place, (pair, stamp)) in pairs.iter().zip(&stamps).enumerate() {
            let now = UnixTime::now();
            let is_good = |entry: &Entry| entry.fault.is_none() && entry.serves_valid(now);
            if seen.get(place) == Some(stamp) && self.entries().get(place).is_some_and(is_good) {
                continue;
            }
            let found = read(pair, &self.provider);
            if let Some(entry) = self.entries().get_mut(place) {
                entry.take(found, now);
                entry.log(metrics);
                is_changed = true;
            }
        }
        if is_changed {
            // What was served once is served: the set is not empty.
            let _ = self.publish();
            let not_after = |entry: &Entry| {
                let served = entry.served.as_ref()?;
                Some((entry.pair.chain.display().to_string(), served.not_after()))
            };
            metrics.certificates(self.entries().iter().filter_map(not_after));
        }
        stamps
    }
}

fn of(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

/// Reads and checks a pair of files, but for the dates of the certificates.
fn read(pair: &Pair, provider: &CryptoProvider) -> Result<CertificateChain, String> {
    let certificates = pem::certificates(&pair.chain).map_err(|error| error.to_string())?;
    let key = pem::private_key(&pair.key).map_err(|error| error.to_string())?;
    CertificateChain::check_except_dates(certificates, key, provider)
        .map_err(|error| of(&pair.chain, &error))
}
