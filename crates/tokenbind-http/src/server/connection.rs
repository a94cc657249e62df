//! A server's connection as its requests share it: [`ConnectionState`] under a lock, and a verifier.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokenbind_wire::{ApplicationProtocol, Session, Verify};

use crate::server::{
    state::{ConnectionState, Options, RequestOutcome},
    terminate::TerminateReason,
};

type OnTerminate = Box<dyn Fn(TerminateReason) + Send + Sync>;

/// A handle on one connection's [`ConnectionState`]. Clones are handles on the same connection.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    session: Option<Session>,
    state: Mutex<ConnectionState>,
    verifier: Arc<dyn Verify + Send + Sync>,
    terminated: AtomicBool,
    /// Read without waiting for a request that is being checked.
    reason: OnceLock<TerminateReason>,
    /// The task that closes the connection.
    closer: Mutex<Option<Waker>>,
    on_terminate: OnceLock<OnTerminate>,
}

impl Connection {
    /// Creates a connection before its first request. `session` is `None` if Token Binding was not
    /// negotiated; `verifier` verifies the signatures of its messages.
    #[must_use]
    pub fn new(
        session: Option<Session>,
        verifier: Arc<dyn Verify + Send + Sync>,
        options: Options,
    ) -> Self {
        Self(Arc::new(Shared {
            session,
            state: Mutex::new(ConnectionState::new(session, options)),
            verifier,
            terminated: AtomicBool::new(false),
            reason: OnceLock::new(),
            closer: Mutex::new(None),
            on_terminate: OnceLock::new(),
        }))
    }

    /// Sets a function that is called once if the connection is terminated, with the reason, e.g. to log
    /// it. A second call of this method has no effect.
    #[must_use]
    pub fn on_terminate(self, report: impl Fn(TerminateReason) + Send + Sync + 'static) -> Self {
        let _ = self.0.on_terminate.set(Box::new(report));
        self
    }

    /// Returns the session: what was negotiated, and `tls_unique` of the connection.
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
        let outcome = locked(&self.0.state).request(values, &*self.0.verifier);
        if let RequestOutcome::Terminate(reason) = outcome {
            self.terminated(reason);
        }
        outcome
    }

    /// Checks that the requests are of the protocol whose Token Binding identifier was negotiated.
    ///
    /// # Errors
    /// The reason to terminate the connection: [`TerminateKind::ApplicationProtocol`](super::TerminateKind::ApplicationProtocol) or an earlier one.
    pub fn protocol(&self, spoken: ApplicationProtocol) -> Result<(), TerminateReason> {
        let checked = locked(&self.0.state).protocol(spoken);
        checked.inspect_err(|reason| self.terminated(*reason))
    }

    /// Checks the trailer of a request; `found` is `true` if it has a `Token-Binding` field.
    ///
    /// # Errors
    /// The reason to terminate the connection: [`TerminateKind::Trailer`](super::TerminateKind::Trailer) or an earlier one.
    pub fn trailer(&self, found: bool) -> Result<(), TerminateReason> {
        let checked = locked(&self.0.state).trailer(found);
        checked.inspect_err(|reason| self.terminated(*reason))
    }

    /// Terminates a connection whose first request cannot be checked.
    #[cfg(feature = "hyper")]
    pub(crate) fn not_handed_over(&self) -> TerminateReason {
        let reason = locked(&self.0.state).unreadable();
        self.terminated(reason);
        reason
    }

    fn terminated(&self, reason: TerminateReason) {
        // A connection has one reason: the first.
        let _ = self.0.reason.set(reason);
        if self.0.terminated.swap(true, Ordering::AcqRel) {
            return;
        }
        let closer = locked(&self.0.closer).take();
        if let Some(closer) = closer {
            closer.wake();
        }
        if let Some(report) = self.0.on_terminate.get() {
            report(reason);
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
        // It may have been terminated since.
        if self.is_terminated() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Returns `true` if the connection is terminated: nothing more may be read from it or written to it.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.0.terminated.load(Ordering::Acquire)
    }

    /// Returns the reason why the connection is terminated, if it is.
    #[must_use]
    pub fn terminate_reason(&self) -> Option<TerminateReason> {
        self.0.reason.get().copied()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field(
                "negotiated",
                &self.session().map(|session| session.negotiated),
            )
            .field("terminated", &self.is_terminated())
            .finish_non_exhaustive()
    }
}
