//! A server's connection as its requests share it: [`ServerBinding`] behind a lock, and a verifier.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokenbind_wire::{ApplicationProtocol, Session, Verify};

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
    /// The task that closes the connection.
    closer: Mutex<Option<Waker>>,
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
            closer: Mutex::new(None),
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
    /// Requests of one connection are checked one after the other, so the verifier must not call this function,
    /// [`protocol`](Self::protocol) or [`trailer`](Self::trailer) of the same connection; it may call the others.
    pub fn request<'v>(&self, values: impl IntoIterator<Item = &'v [u8]>) -> RequestOutcome {
        // Not under the lock: the iterator is the caller's. More than two say no more than two.
        let values: Vec<_> = values.into_iter().take(2).collect();
        let outcome = locked(&self.0.binding).request(values, &*self.0.verifier);
        if let RequestOutcome::Terminate(refusal) = outcome {
            self.terminated(refusal);
        }
        outcome
    }

    /// Checks that the requests are of the protocol whose Token Binding identifier was negotiated.
    ///
    /// # Errors
    /// Why the connection must be terminated.
    pub fn protocol(&self, spoken: ApplicationProtocol) -> Result<(), Refusal> {
        let checked = locked(&self.0.binding).protocol(spoken);
        checked.inspect_err(|refusal| self.terminated(*refusal))
    }

    /// Checks the trailer of a request: `found` says that it has a `Token-Binding` field.
    ///
    /// # Errors
    /// Why the connection must be terminated.
    pub fn trailer(&self, found: bool) -> Result<(), Refusal> {
        let checked = locked(&self.0.binding).trailer(found);
        checked.inspect_err(|refusal| self.terminated(*refusal))
    }

    /// Terminates the connection, since its first request cannot be checked.
    #[cfg(feature = "hyper")]
    pub(crate) fn not_handed_over(&self) -> Refusal {
        let refusal = locked(&self.0.binding).unreadable();
        self.terminated(refusal);
        refusal
    }

    fn terminated(&self, refusal: Refusal) {
        // All refusals of a connection are the first.
        let _ = self.0.refusal.set(refusal);
        if self.0.terminated.swap(true, Ordering::AcqRel) {
            return;
        }
        let closer = locked(&self.0.closer).take();
        if let Some(closer) = closer {
            closer.wake();
        }
        if let Some(tell) = &self.0.on_terminate {
            tell(refusal);
        }
    }

    /// Returns ready once the connection is terminated; one task can wait for it.
    pub fn poll_terminated(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_terminated() {
            return Poll::Ready(());
        }
        let mut closer = locked(&self.0.closer);
        match &mut *closer {
            Some(waker) => waker.clone_from(context.waker()),
            None => *closer = Some(context.waker().clone()),
        }
        drop(closer);
        // It may have been since.
        if self.is_terminated() {
            return Poll::Ready(());
        }
        Poll::Pending
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
