//! One connection's requests, each checked, as a state machine without I/O.

use std::fmt;

use tokenbind_wire::{
    ApplicationProtocol, DecodeOptions, Outcome, Position, Referred, Session, Verify, establish,
};

use crate::{
    bindings::{ProvidedTokenBinding, ReferredTokenBinding, TokenBindings},
    header::{Header, HeaderOptions},
    server::terminate::{TerminateKind, TerminateReason},
};

/// The number of messages of one connection that are remembered as verified. A client needs two: one
/// with and one without a referred binding.
pub const MAX_VERIFIED_MESSAGES: usize = 4;

/// The longest header that is remembered as verified, in bytes. A longer one, which only extensions
/// make, is verified each time: the memory of a connection stays small.
pub const MAX_REMEMBERED_HEADER_BYTES: usize = 8192;

/// Deviations from the drafts that a server accepts. None by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Encodings and limits of messages.
    pub decode: DecodeOptions,
    /// Encodings of the header.
    pub header: HeaderOptions,
    /// Accepts a request after the first without the header: the connection's binding applies to it.
    /// draft-popov section 5 requires the message in the first request only, section 2 of this draft
    /// in all.
    ///
    /// Requests must then be checked in the order of their arrival. `server::Server` and
    /// `server::serve_connection` do so; `server::Layer`, which cannot, serves HTTP/1.1 only.
    pub allow_later_requests_without_header: bool,
}

/// The decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum RequestOutcome {
    /// Token Binding was not negotiated and is not used: process the request without a binding.
    NotInUse,
    /// The request is bound: process it.
    Bound(TokenBindings),
    /// Terminate the connection, and do not answer.
    Terminate(TerminateReason),
}

enum State {
    /// No request was checked.
    First,
    Established(Verified),
    Terminated(TerminateReason),
}

/// The bindings of a connection whose first request was verified.
struct Verified {
    /// The bindings of the latest request.
    latest: TokenBindings,
    messages: Vec<VerifiedMessage>,
    /// The index in `messages` of the one that is replaced next.
    next: usize,
}

struct VerifiedMessage {
    header: Box<[u8]>,
    bindings: TokenBindings,
}

/// The requests of one connection, in their order: the rules of
/// draft-balfanz-https-token-binding-00 section 2.
///
/// A header that was verified on this connection before costs a comparison of its bytes; nothing is
/// shared between connections. After the first termination every request is refused.
pub struct ConnectionState {
    session: Option<Session>,
    options: Options,
    state: State,
}

impl ConnectionState {
    /// Creates the state of a connection before its first request. `session` is `None` if Token Binding
    /// was not negotiated.
    #[must_use]
    pub const fn new(session: Option<Session>, options: Options) -> Self {
        Self {
            session,
            options,
            state: State::First,
        }
    }

    /// Returns the session: what was negotiated, and `tls_unique` of the connection.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Returns the reason to terminate the connection, once there is one.
    #[must_use]
    pub const fn terminate_reason(&self) -> Option<TerminateReason> {
        match self.state {
            State::Terminated(reason) => Some(reason),
            _ => None,
        }
    }

    /// Checks one request. `values` must be the values of all its `Token-Binding` headers, in order.
    ///
    /// Signatures are verified with `verifier`, at most two, and none if a header with the same bytes
    /// was verified on this connection before.
    pub fn request<'v, V: Verify + ?Sized>(
        &mut self,
        values: impl IntoIterator<Item = &'v [u8]>,
        verifier: &V,
    ) -> RequestOutcome {
        match self.check(Header::from_values(values), verifier) {
            Ok(None) => RequestOutcome::NotInUse,
            Ok(Some(bindings)) => RequestOutcome::Bound(bindings),
            Err(reason) => {
                self.state = State::Terminated(reason);
                RequestOutcome::Terminate(reason)
            }
        }
    }

    /// Checks that the requests are of the protocol whose Token Binding identifier was negotiated.
    /// Without Token Binding every protocol is accepted.
    ///
    /// # Errors
    /// [`TerminateKind::ApplicationProtocol`], or the earlier reason: terminate the connection.
    pub fn protocol(&mut self, spoken: ApplicationProtocol) -> Result<(), TerminateReason> {
        let negotiated = self.session.map(|session| session.negotiated.alpn());
        match negotiated {
            Some(alpn) if alpn.application_protocol() != spoken => {
                let kind = TerminateKind::ApplicationProtocol;
                Err(self.terminate(TerminateReason::new(kind, "ALPN")))
            }
            _ => self.not_terminated(),
        }
    }

    /// Checks the trailer of a request; `found` is `true` if it has a `Token-Binding` field.
    ///
    /// # Errors
    /// [`TerminateKind::Trailer`], or the earlier reason: terminate the connection.
    pub fn trailer(&mut self, found: bool) -> Result<(), TerminateReason> {
        if found {
            let reason = TerminateReason::header(TerminateKind::Trailer);
            return Err(self.terminate(reason));
        }
        self.not_terminated()
    }

    /// Terminates a connection whose first request cannot be checked. Returns the reason that counts.
    #[cfg(feature = "hyper")]
    pub(crate) fn unreadable(&mut self) -> TerminateReason {
        let kind = TerminateKind::UnreadableFirstRequest;
        self.terminate(TerminateReason::header(kind))
    }

    const fn not_terminated(&self) -> Result<(), TerminateReason> {
        match self.terminate_reason() {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    /// Terminates the connection, unless it is terminated. Returns the reason that counts: the first.
    fn terminate(&mut self, reason: TerminateReason) -> TerminateReason {
        let reason = self.terminate_reason().unwrap_or(reason);
        self.state = State::Terminated(reason);
        reason
    }

    fn check<V: Verify + ?Sized>(
        &mut self,
        header: Header<'_>,
        verifier: &V,
    ) -> Result<Option<TokenBindings>, TerminateReason> {
        self.not_terminated()?;
        let Some(session) = self.session else {
            // popov-5-3: the value does not matter.
            return match header {
                Header::None => Ok(None),
                Header::One(_) | Header::Many => Err(TerminateReason::NOT_NEGOTIATED),
            };
        };
        match self.known(header)? {
            Some(known) => Ok(Some(known)),
            None => self.establish_new(&session, header, verifier).map(Some),
        }
    }

    /// Returns the bindings of a later request if they are known without a signature: the header was
    /// verified on this connection before, or may be absent.
    fn known(&self, header: Header<'_>) -> Result<Option<TokenBindings>, TerminateReason> {
        let State::Established(verified) = &self.state else {
            return Ok(None);
        };
        match header {
            Header::One(value) => Ok(verified.bindings_of(value).cloned()),
            Header::None if self.options.allow_later_requests_without_header => {
                let provided = verified.latest.provided().clone();
                Ok(Some(TokenBindings::new(provided, None)))
            }
            // balfanz-2-1
            Header::None => {
                let kind = TerminateKind::MissingInLaterRequest;
                Err(TerminateReason::header(kind))
            }
            Header::Many => Ok(None),
        }
    }

    /// Decodes and verifies a header, and remembers it.
    fn establish_new<V: Verify + ?Sized>(
        &mut self,
        session: &Session,
        header: Header<'_>,
        verifier: &V,
    ) -> Result<TokenBindings, TerminateReason> {
        let position = match self.state {
            State::First => Position::First,
            _ => Position::Later,
        };
        let message = header.decode(self.options.header)?;
        let outcome = establish(
            Some(session),
            position,
            message.as_deref(),
            verifier,
            self.options.decode,
        );
        let established = match outcome {
            Outcome::Established(established) => established,
            Outcome::Terminate(reason) => return Err(reason.into()),
            // `NotInUse` needs a connection without a session, `Unchanged` a later request without the
            // header: neither gets here.
            Outcome::NotInUse | Outcome::Unchanged => {
                let kind = TerminateKind::MissingInLaterRequest;
                return Err(TerminateReason::header(kind));
            }
        };
        let provided = established.provided().id().into_owned();
        let referred = match established.referred() {
            Referred::None => None,
            Referred::Verified(binding) => Some(ReferredTokenBinding::Verified(
                binding.id().into_owned().into(),
            )),
            Referred::Unsupported(algorithm) => Some(ReferredTokenBinding::Unsupported(algorithm)),
        };
        let provided = ProvidedTokenBinding::new(provided.into());
        let bindings = TokenBindings::new(provided, referred);
        self.remember(header, &bindings)?;
        Ok(bindings)
    }

    /// Remembers a verified header, if it is of the connection's key.
    fn remember(
        &mut self,
        header: Header<'_>,
        bindings: &TokenBindings,
    ) -> Result<(), TerminateReason> {
        let message = match header {
            Header::One(value) if value.len() <= MAX_REMEMBERED_HEADER_BYTES => {
                Some(VerifiedMessage {
                    header: value.into(),
                    bindings: bindings.clone(),
                })
            }
            _ => None,
        };
        let State::Established(verified) = &mut self.state else {
            self.state = State::Established(Verified {
                latest: bindings.clone(),
                messages: message.into_iter().collect(),
                next: 0,
            });
            return Ok(());
        };
        let old_id = verified.latest.provided().id().view();
        if !old_id.same_key(bindings.provided().id().view()) {
            // balfanz-2-4
            let kind = TerminateKind::ProvidedKeyChanged;
            return Err(TerminateReason::header(kind));
        }
        verified.latest = bindings.clone();
        if let Some(message) = message {
            verified.remember(message);
        }
        Ok(())
    }
}

impl Verified {
    /// Returns the bindings of this header, if it was verified before.
    fn bindings_of(&self, header: &[u8]) -> Option<&TokenBindings> {
        let mut messages = self.messages.iter();
        let known = messages.find(|message| *message.header == *header);
        known.map(|message| &message.bindings)
    }

    fn remember(&mut self, message: VerifiedMessage) {
        if self.messages.len() < MAX_VERIFIED_MESSAGES {
            self.messages.push(message);
        } else if let Some(oldest) = self.messages.get_mut(self.next) {
            *oldest = message;
            let next = self.next.wrapping_add(1);
            self.next = next.checked_rem(MAX_VERIFIED_MESSAGES).unwrap_or(0);
        }
    }
}

impl fmt::Debug for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionState")
            .field(
                "negotiated",
                &self.session.map(|session| session.negotiated),
            )
            .field("terminate_reason", &self.terminate_reason())
            .finish_non_exhaustive()
    }
}
