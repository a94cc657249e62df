//! A server's connection as its requests share it: [`ServerBinding`] behind a lock, and a verifier.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
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
            on_terminate,
        }))
    }

    /// What was negotiated, and on which connection.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.0.session.as_ref()
    }

    /// Checks a request, of whose `Token-Binding` headers `values` are all. Call it in the order in
    /// which requests arrive.
    pub fn request<'v>(&self, values: impl IntoIterator<Item = &'v [u8]>) -> RequestOutcome {
        let shared = &*self.0;
        let mut binding = shared
            .binding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let outcome = binding.request(values, &*shared.verifier);
        drop(binding);
        if let RequestOutcome::Terminate(refusal) = outcome {
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
        self.0
            .binding
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .refusal()
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
