//! The certificates of the gateway. They are watched: once new ones are on the disk and are valid, they are served.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use command_support::pem;
use mail_implicit_tls::server::{CertificateSet, Certificates};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
};
use tokio::time::{MissedTickBehavior, interval};

use super::metrics::Metrics;

/// The time between two reads of the files' state.
const PERIOD: Duration = Duration::from_millis(500);

/// The files of the certificates, in the order of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) pairs: Vec<(PathBuf, PathBuf)>,
    pub(super) provider: Arc<CryptoProvider>,
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

impl Files {
    /// Reads and checks all certificates.
    ///
    /// # Errors
    /// Returns a message with the file. Certificates are used as a whole or not at all.
    pub(super) fn load(&self) -> Result<CertificateSet, String> {
        let chains = self
            .pairs
            .iter()
            .map(|(chain, key)| read(chain, key))
            .collect::<Result<Vec<_>, _>>()?;
        // The whole set has one error, so a faulty pair is looked for first, to name its file.
        for (pair, (chain, _)) in chains.iter().zip(&self.pairs) {
            let one = vec![(pair.0.clone(), pair.1.clone_key())];
            CertificateSet::check(one, &self.provider, UnixTime::now())
                .map_err(|error| format!("{}: {error}", chain.display()))?;
        }
        CertificateSet::check(chains, &self.provider, UnixTime::now())
            .map_err(|error| error.to_string())
    }

    fn stamps(&self) -> Vec<[Stamp; 2]> {
        let stamps = |(chain, key): &(PathBuf, PathBuf)| [Stamp::of(chain), Stamp::of(key)];
        self.pairs.iter().map(stamps).collect()
    }

    /// Watches the files, and replaces the certificates that are served. New ones that are not valid are reported once, and
    /// tried again until they are: a file may be half written.
    pub(super) async fn watch(self, certificates: Arc<Certificates>, metrics: Arc<Metrics>) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = None;
        let mut reported = None;
        loop {
            ticks.tick().await;
            let files = self.clone();
            let last = seen.clone();
            let is_failing = reported.is_some();
            // Files may be on a slow file system.
            let look = move || {
                let stamps = files.stamps();
                let is_changed = last.as_ref() != Some(&stamps);
                let loaded = (is_changed || is_failing).then(|| files.load());
                (stamps, loaded, last.is_none())
            };
            let Ok((stamps, loaded, is_first)) = tokio::task::spawn_blocking(look).await else {
                continue;
            };
            seen = Some(stamps);
            match loaded {
                None => {}
                Some(Ok(set)) => {
                    reported = None;
                    let not_after = set.not_after();
                    certificates.replace(set);
                    metrics.certificate(Ok(not_after));
                    // The first look repeats what the start has done, in case the files changed since.
                    if !is_first {
                        tracing::info!(not_after, "certificates replaced");
                    }
                }
                Some(Err(error)) => {
                    if reported.as_ref() != Some(&error) {
                        metrics.certificate(Err(()));
                        tracing::error!(
                            error,
                            "certificates not replaced; the former ones are kept"
                        );
                    }
                    reported = Some(error);
                }
            }
        }
    }
}

type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(chain: &Path, key: &Path) -> Result<Chain, String> {
    let certificates = pem::certificates(chain).map_err(|error| error.to_string())?;
    let private = pem::private_key(key).map_err(|error| error.to_string())?;
    Ok((certificates, private))
}
