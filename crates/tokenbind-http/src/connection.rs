//! A server's connection as its requests share it: [`ServerBinding`] behind a lock, and a verifier.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokenbind_wire::{Session, Verify};

use crate::server::{Refusal, RequestOutcome, ServerBinding, ServerOptions};

/// What is told of a refusal, e.g. to a log.
pub type OnTerminate = Arc<dyn Fn(Refusal) + Send + Sync>;

/// A handle on one connection's state; clones are the same connection.
#[derive(Clone)]
pub struct TokenBindingConnection(Arc<Shared>);

struct Shared {
    session: Option<Session>,
    binding: Mutex<ServerBinding>,
    verifier: Arc<dyn Verify + Send + Sync>,
    terminated: AtomicBool,
    /// Read without waiting for a request that is being checked.
    refusal: OnceLock<Refusal>,
    on_terminate: Option<OnTerminate>,
}

impl TokenBindingConnection {
    /// A connection before its first request; `session` is `None` where Token Binding was not
    /// negotiated.
    #[must_use]
    pub fn new(
        session: Option<Session>,
        verifier: Arc<dyn Verify + Send + Sync>,
        options: ServerOptions,
        on_terminate: Option<OnTerminate>,
    ) -> Self {
        Self(Arc::new(Shared {
            session,
            binding: Mutex::new(ServerBinding::new(session, options)),
            verifier,
            terminated: AtomicBool::new(false),
            refusal: OnceLock::new(),
            on_terminate,
        }))
    }

    /// What was negotiated, and on which connection.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.0.session.as_ref()
    }

    /// Checks one request. `values` must be the values of all its `Token-Binding` headers, in order. Call it in the
    /// order in which requests arrive.
    ///
    /// Requests of one connection are checked one after the other, so the verifier must not call this function of the
    /// same connection; it may call the others.
    pub fn request<'v>(&self, values: impl IntoIterator<Item = &'v [u8]>) -> RequestOutcome {
        let shared = &*self.0;
        // Not under the lock: the iterator is the caller's. More than two say no more than two.
        let values: Vec<_> = values.into_iter().take(2).collect();
        let mut binding = shared
            .binding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let outcome = binding.request(values, &*shared.verifier);
        drop(binding);
        if let RequestOutcome::Terminate(refusal) = outcome {
            let _ = shared.refusal.set(refusal);
            let first = !shared.terminated.swap(true, Ordering::AcqRel);
            if let (true, Some(tell)) = (first, &shared.on_terminate) {
                tell(refusal);
            }
        }
        outcome
    }

    /// Whether a request was refused: nothing more may be read from the connection or written to it.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.0.terminated.load(Ordering::Acquire)
    }

    /// Why it was.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.0.refusal.get().copied()
    }
}

impl fmt::Debug for TokenBindingConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBindingConnection")
            .field(
                "negotiated",
                &self.session().map(|session| session.negotiated),
            )
            .field("terminated", &self.is_terminated())
            .finish_non_exhaustive()
    }
}
