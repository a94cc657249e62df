//! Feature `tls-unique`: obtains `tls_unique` (RFC 5929 section 3) from unmodified rustls by wrapping
//! the PRF of TLS 1.2.
//!
//! This module can be used without Token Binding, e.g. for the channel binding `tls-unique` of
//! SCRAM-SHA-256-PLUS (RFC 5802 section 6), which rustls does not offer: enable only the feature
//! `tls-unique`. [`TlsUnique::as_bytes`] is the channel binding data.
//!
//! ```
//! use std::{io, net::TcpStream, sync::Arc};
//!
//! use rustls::{ClientConfig, ClientConnection, pki_types::ServerName, version::TLS12};
//! use tokenbind_http::tls_unique::{Capture, capturing};
//!
//! /// Makes a configuration whose connections have tls-unique: TLS 1.2 with Extended Master Secret.
//! fn config(roots: rustls::RootCertStore) -> Result<ClientConfig, rustls::Error> {
//!     let provider = capturing(rustls::crypto::ring::default_provider());
//!     let builder = ClientConfig::builder_with_provider(Arc::new(provider));
//!     let builder = builder.with_protocol_versions(&[&TLS12])?.with_root_certificates(roots);
//!     let mut config = builder.with_no_client_auth();
//!     config.require_ems = true;
//!     Ok(config)
//! }
//!
//! /// Connects, and returns `cbind-data` for `p=tls-unique`.
//! fn connect(
//!     config: &Arc<ClientConfig>,
//!     name: ServerName<'static>,
//!     tcp: &mut TcpStream,
//! ) -> Result<(ClientConnection, Vec<u8>), Box<dyn std::error::Error>> {
//!     let mut capture = Capture::new();
//!     let connection = capture.scope(|| {
//!         let mut connection =
//!             ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
//!         while connection.is_handshaking() {
//!             connection.complete_io(tcp)?;
//!         }
//!         Ok::<_, io::Error>(connection)
//!     })?;
//!     let tls_unique = capture.client(&connection, config)?;
//!     Ok((connection, tls_unique.as_bytes().to_vec()))
//! }
//! ```
//!
//! For tokio-rustls, wrap the handshake: `CaptureFuture::starting(|| connector.connect(name, tcp))`.
//!
//! # Mechanism
//!
//! rustls does not expose the Finished values. Each of them is the output of a PRF call that rustls makes
//! through the provider: [`capturing`] wraps the PRF of each TLS 1.2 suite. The call does not name its
//! connection, but happens inside the call that drives the connection: [`Capture`] sets a slot of the
//! thread during that call, [`CaptureFuture`] during each poll.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
};

use rustls::{
    CipherSuiteCommon, ClientConfig, ClientConnection, CommonState, Error, HandshakeKind,
    ServerConfig, ServerConnection, SupportedCipherSuite, Tls12CipherSuite,
    crypto::{ActiveKeyExchange, CryptoProvider, tls12::Prf},
};
use tokenbind_wire::{Handshake, ProtocolVersion, TlsFacts, TlsUnique, TlsUniqueError};

/// Wraps the PRF of each TLS 1.2 suite of a provider, so that a [`Capture`] sees its calls. Suites of TLS
/// 1.3 are left unchanged, because TLS 1.3 has no tls-unique.
///
/// Wrappers live as long as the process. Each suite is wrapped once, also if this function is called again.
#[must_use]
pub fn capturing(mut provider: CryptoProvider) -> CryptoProvider {
    for suite in &mut provider.cipher_suites {
        if let SupportedCipherSuite::Tls12(original) = *suite {
            *suite = SupportedCipherSuite::Tls12(wrapped(original));
        }
    }
    provider
}

fn wrapped(original: &'static Tls12CipherSuite) -> &'static Tls12CipherSuite {
    /// The wrapped form of each suite, by the address of the suite, original or wrapped.
    type Wrapped = Mutex<BTreeMap<usize, &'static Tls12CipherSuite>>;
    static WRAPPED: OnceLock<Wrapped> = OnceLock::new();

    let address = |suite: &'static Tls12CipherSuite| std::ptr::from_ref(suite).addr();
    let wrapped = WRAPPED.get_or_init(Wrapped::default);
    let mut wrapped = wrapped.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = wrapped.get(&address(original)) {
        return known;
    }
    let suite: &'static Tls12CipherSuite = Box::leak(Box::new(Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: original.common.suite,
            hash_provider: original.common.hash_provider,
            confidentiality_limit: original.common.confidentiality_limit,
        },
        prf_provider: Box::leak(Box::new(CapturingPrf(original.prf_provider))),
        kx: original.kx,
        sign: original.sign,
        aead_alg: original.aead_alg,
    }));
    wrapped.insert(address(original), suite);
    wrapped.insert(address(suite), suite);
    suite
}

/// A PRF that records its outputs in the thread's slot.
struct CapturingPrf(&'static dyn Prf);

impl Prf for CapturingPrf {
    fn for_key_exchange(
        &self,
        output: &mut [u8; 48],
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
        label: &[u8],
        seed: &[u8],
    ) -> Result<(), Error> {
        self.0
            .for_key_exchange(output, kx, peer_pub_key, label, seed)?;
        record(|seen| match label {
            b"extended master secret" => seen.master_secret = MasterSecret::Extended,
            _ => seen.master_secret = MasterSecret::Other,
        });
        Ok(())
    }

    fn for_secret(&self, output: &mut [u8], secret: &[u8], label: &[u8], seed: &[u8]) {
        self.0.for_secret(output, secret, label, seed);
        match label {
            b"client finished" => record(|seen| seen.finished(Side::Client, output)),
            b"server finished" => record(|seen| seen.finished(Side::Server, output)),
            _ => {}
        }
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum MasterSecret {
    /// No master secret was derived: the session was resumed.
    #[default]
    None,
    Extended,
    Other,
}

/// The length of `verify_data` under every cipher suite of TLS 1.2 that rustls has (RFC 5246
/// section 7.4.9).
const VERIFY_DATA_BYTES: usize = 12;

/// The calls of the PRF of one connection.
#[derive(Default)]
struct Seen {
    master_secret: MasterSecret,
    /// `true` if the client offers to resume a session with Extended Master Secret.
    ems_session: bool,
    /// The Finished values in the order of their computation.
    finished: Vec<(Side, [u8; VERIFY_DATA_BYTES])>,
}

impl Seen {
    /// More than two values come from calls of other connections, another length from a changed rustls:
    /// [`Capture::read`] refuses both.
    fn finished(&mut self, side: Side, verify_data: &[u8]) {
        match verify_data.try_into() {
            Ok(verify_data) if self.finished.len() <= 2 => self.finished.push((side, verify_data)),
            Ok(_) => {}
            Err(_) => self.finished = vec![(side, [0; VERIFY_DATA_BYTES]); 3],
        }
    }
}

thread_local! {
    /// The calls of the connection that this thread drives at the moment, if a capture sees it.
    static SLOT: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

fn record(event: impl FnOnce(&mut Seen)) {
    SLOT.with_borrow_mut(|slot| {
        if let Some(seen) = slot {
            event(seen);
        }
    });
}

/// Notes that the connection which this thread drives offers to resume a session with Extended Master Secret.
/// Returns `false` if no [`Capture`] sees it.
#[cfg(feature = "rustls")]
pub(crate) fn note_ems_session() -> bool {
    record(|seen| seen.ems_session = true);
    SLOT.with_borrow(Option::is_some)
}

/// Returns `true` if a [`Capture`] saw that the connection which this thread drives has Extended Master Secret.
#[cfg(feature = "rustls")]
pub(crate) fn saw_ems() -> bool {
    SLOT.with_borrow(|slot| {
        slot.as_ref().is_some_and(|seen| match seen.master_secret {
            MasterSecret::Extended => true,
            MasterSecret::None => seen.ems_session,
            MasterSecret::Other => false,
        })
    })
}

/// The reason why `tls_unique` could not be obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureError {
    /// The handshake is not complete.
    NotComplete,
    /// A session was resumed that may lack Extended Master Secret: the configuration neither sets `require_ems`,
    /// nor are its sessions those of `tls::client_config`.
    EmsNotRequired,
    /// The expected calls of the PRF were not seen: the provider is not [`capturing`], the handshake was not
    /// driven inside the capture, or rustls changed.
    NotSeen,
    /// The connection has no `tls_unique` that can be trusted, e.g. it lacks Extended Master Secret.
    TlsUnique(TlsUniqueError),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotComplete => f.write_str("the handshake is not complete"),
            Self::EmsNotRequired => f.write_str(
                "the resumed session is not known to have extended master secret: require_ems is not set",
            ),
            Self::NotSeen => f.write_str("the handshake was not seen by the capture"),
            Self::TlsUnique(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::TlsUnique(error) => error.source(),
            Self::NotComplete | Self::EmsNotRequired | Self::NotSeen => None,
        }
    }
}

/// A recorder of one connection's handshake.
///
/// Drive the connection (`complete_io`, `process_new_packets`) inside [`scope`](Self::scope), as often as
/// the handshake needs, on any threads. Then call [`server`](Self::server) or [`client`](Self::client). Use
/// one capture for each connection.
#[derive(Default)]
pub struct Capture {
    seen: Seen,
}

impl Capture {
    /// Creates a capture for one connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `drive`, which must drive the connection and no other connection.
    pub fn scope<R>(&mut self, drive: impl FnOnce() -> R) -> R {
        /// Restores the slot, also if `drive` panics.
        struct Scope<'a> {
            capture: &'a mut Capture,
            outer: Option<Seen>,
        }

        impl Drop for Scope<'_> {
            fn drop(&mut self) {
                let inner = SLOT.replace(self.outer.take());
                self.capture.seen = inner.unwrap_or_default();
            }
        }

        let outer = SLOT.replace(Some(mem::take(&mut self.seen)));
        let _scope = Scope {
            capture: self,
            outer,
        };
        drive()
    }

    /// Returns the `tls_unique` of a server's connection.
    ///
    /// # Errors
    /// [`CaptureError::NotComplete`] during the handshake; the other kinds if the connection has no
    /// `tls_unique` that can be trusted, or its handshake was not seen.
    pub fn server(
        &self,
        connection: &ServerConnection,
        config: &ServerConfig,
    ) -> Result<TlsUnique, CaptureError> {
        self.read(connection, config.require_ems)
    }

    /// Returns the `tls_unique` of a client's connection.
    ///
    /// # Errors
    /// As [`server`](Self::server).
    pub fn client(
        &self,
        connection: &ClientConnection,
        config: &ClientConfig,
    ) -> Result<TlsUnique, CaptureError> {
        self.read(connection, config.require_ems)
    }

    /// Returns `true` if a full handshake was seen that has no Extended Master Secret.
    pub(crate) fn lacks_ems(&self) -> bool {
        self.seen.master_secret == MasterSecret::Other
    }

    fn read(&self, connection: &CommonState, require_ems: bool) -> Result<TlsUnique, CaptureError> {
        let (Some(version), Some(kind)) =
            (connection.protocol_version(), connection.handshake_kind())
        else {
            return Err(CaptureError::NotComplete);
        };
        if connection.is_handshaking() {
            return Err(CaptureError::NotComplete);
        }
        let facts = TlsFacts {
            version: ProtocolVersion(version.into()),
            extended_master_secret: !self.lacks_ems(),
        };
        let unique = |client: &[u8], server: &[u8], handshake| {
            TlsUnique::from_finished(client, server, handshake, facts)
                .map_err(CaptureError::TlsUnique)
        };
        if !facts.version.has_tls_unique() || !facts.extended_master_secret {
            return unique(&[], &[], Handshake::Full);
        }
        match (kind, self.seen.master_secret, self.seen.finished.as_slice()) {
            (
                HandshakeKind::Full,
                MasterSecret::Extended,
                [(Side::Client, client), (Side::Server, server)],
            ) => unique(client, server, Handshake::Full),
            (
                HandshakeKind::Resumed,
                MasterSecret::None,
                [(Side::Server, server), (Side::Client, client)],
            ) => {
                if !require_ems && !self.seen.ems_session {
                    return Err(CaptureError::EmsNotRequired);
                }
                unique(client, server, Handshake::Resumed)
            }
            _ => Err(CaptureError::NotSeen),
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("master_secret", &self.seen.master_secret)
            .field("finished", &self.seen.finished.len())
            .finish()
    }
}

pin_project_lite::pin_project! {
    /// A handshake as a future, e.g. tokio-rustls's `Accept` or `Connect`, that a [`Capture`] records. Its
    /// output is that of the handshake, and the capture.
    pub struct CaptureFuture<F> {
        #[pin]
        handshake: F,
        capture: Capture,
    }
}

impl<F: Future> CaptureFuture<F> {
    /// Creates a future that records while `handshake` is polled, on any threads.
    #[must_use]
    pub fn new(handshake: F) -> Self {
        let capture = Capture::new();
        Self { handshake, capture }
    }

    /// Creates a future that also records the call of `start`, which makes the handshake: a server that has
    /// read the ClientHello already may answer it there.
    #[must_use]
    pub fn starting(start: impl FnOnce() -> F) -> Self {
        let mut capture = Capture::new();
        let handshake = capture.scope(start);
        Self { handshake, capture }
    }
}

impl<F: Future> Future for CaptureFuture<F> {
    type Output = (F::Output, Capture);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let handshake = this.handshake;
        this.capture
            .scope(|| handshake.poll(context))
            .map(|output| (output, mem::take(this.capture)))
    }
}
