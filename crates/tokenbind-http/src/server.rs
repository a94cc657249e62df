//! The server's side of draft-balfanz-https-token-binding-00 section 2: one connection's requests,
//! each checked, as a state machine without I/O.

use std::{fmt, sync::Arc};

use tokenbind_wire::{
    ApplicationProtocol, DecodeOptions, Outcome, Position, Referred, Session,
    SignatureAndHashAlgorithm, TerminateKind, TerminateReason, TokenBindingId, Verify, establish,
};

use crate::header::{HeaderErrorKind, HeaderOptions, decode_header};

/// How many messages of one connection are remembered as verified. A client needs two: with and
/// without a referred binding.
pub const MAX_VERIFIED_MESSAGES: usize = 4;

/// The longest header that is remembered as verified, in bytes. Longer ones, which only extensions make, are verified
/// each time: the memory of a connection stays small.
pub const MAX_REMEMBERED_HEADER_BYTES: usize = 8192;

/// The binding of the client with this server, its signature verified on the request's connection.
/// A server hands it to the application as a request extension.
#[derive(Clone, PartialEq, Eq)]
pub struct ProvidedTokenBinding(Arc<TokenBindingId>);

impl ProvidedTokenBinding {
    /// The identifier.
    #[must_use]
    pub fn id(&self) -> &TokenBindingId {
        &self.0
    }
}

impl fmt::Debug for ProvidedTokenBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProvidedTokenBinding")
            .field(&self.0)
            .finish()
    }
}

/// What the request says of the client's binding with another server, the token consumer
/// (section 3). A server hands it to the application as a request extension.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum ReferredTokenBinding {
    /// This binding, its signature verified on the request's connection.
    Verified(Arc<TokenBindingId>),
    /// One of an algorithm this server does not support (section 3.5).
    Unsupported(SignatureAndHashAlgorithm),
}

/// The bindings of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBindings {
    provided: ProvidedTokenBinding,
    referred: Option<ReferredTokenBinding>,
}

impl TokenBindings {
    /// The Provided Token Binding ID.
    #[must_use]
    pub const fn provided(&self) -> &ProvidedTokenBinding {
        &self.provided
    }

    /// The Referred Token Binding ID, if the client sent one.
    #[must_use]
    pub const fn referred(&self) -> Option<&ReferredTokenBinding> {
        self.referred.as_ref()
    }
}

/// The token that a token provider issues in answer to a request (section 3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum TokenToIssue {
    /// A token bound to the client's key with the token consumer. Compare by
    /// [`TokenBindingId::key_id`]: the consumer sees the same key under another type.
    BoundTo(Arc<TokenBindingId>),
    /// An unbound token, and why: balfanz-3-5-3 forbids both an error and a bound token.
    Unbound(UnboundReason),
}

/// Why a token is issued unbound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnboundReason {
    /// The request reveals no binding with a token consumer.
    NotReferred,
    /// It reveals one whose algorithm is not supported here.
    UnsupportedAlgorithm(SignatureAndHashAlgorithm),
}

/// What a token provider issues, from the request's extension.
pub fn token_to_issue(referred: Option<&ReferredTokenBinding>) -> TokenToIssue {
    match referred {
        // balfanz-3-2-2
        Some(ReferredTokenBinding::Verified(id)) => TokenToIssue::BoundTo(id.clone()),
        // balfanz-3-5-3
        Some(ReferredTokenBinding::Unsupported(algorithm)) => {
            TokenToIssue::Unbound(UnboundReason::UnsupportedAlgorithm(*algorithm))
        }
        None => TokenToIssue::Unbound(UnboundReason::NotReferred),
    }
}

/// Why the connection must be terminated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The header is not exactly one canonical base64url value.
    Header(HeaderErrorKind),
    /// The message in it, or its absence, breaks the protocol.
    Message(TerminateKind),
    /// balfanz-2-1: a later request without the header.
    MissingInLaterRequest,
    /// balfanz-2-4: a later request provides another key than the first.
    ProvidedKeyChanged,
    /// popov-3-2: the requests are of another application protocol than the one negotiated.
    ApplicationProtocol,
    /// The field is in a trailer, where no message of Token Binding is defined.
    Trailer,
    /// popov-5-2: HTTP/2 refused the first request before it could be checked: it is malformed, or its
    /// fields are too long.
    UnreadableFirstRequest,
}

impl RefusalKind {
    /// The kind's name as it stands in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header(kind) => kind.name(),
            Self::Message(kind) => kind.name(),
            Self::MissingInLaterRequest => "missing-in-later-request",
            Self::ProvidedKeyChanged => "provided-key-changed",
            Self::ApplicationProtocol => "application-protocol",
            Self::Trailer => "trailer",
            Self::UnreadableFirstRequest => "unreadable-first-request",
        }
    }
}

/// The reason to terminate: kind, field as the drafts spell it, and offset in the header's value or
/// in the message it encodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    kind: RefusalKind,
    field: &'static str,
    offset: usize,
    message: Option<TerminateReason>,
}

impl Refusal {
    const fn header(kind: RefusalKind, offset: usize) -> Self {
        Self {
            kind,
            field: "Token-Binding",
            offset,
            message: None,
        }
    }

    const fn of(kind: RefusalKind, field: &'static str) -> Self {
        Self {
            kind,
            field,
            offset: 0,
            message: None,
        }
    }

    /// What happened.
    #[must_use]
    pub const fn kind(self) -> RefusalKind {
        self.kind
    }

    /// In which field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Where, in bytes: from the start of the header's value if [`kind`](Self::kind) is about the
    /// header, else of the message.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl From<TerminateReason> for Refusal {
    fn from(reason: TerminateReason) -> Self {
        Self {
            kind: RefusalKind::Message(reason.kind()),
            field: reason.field(),
            offset: reason.offset(),
            message: Some(reason),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message {
            Some(reason) => reason.fmt(f),
            None => write!(
                f,
                "{}: {} at byte {}",
                self.field,
                self.kind.name(),
                self.offset
            ),
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({self})")
    }
}

impl std::error::Error for Refusal {}

/// What a server lets through. Nothing beyond the drafts by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// Encodings and limits of messages.
    pub decode: DecodeOptions,
    /// How the header is read.
    pub header: HeaderOptions,
    /// A request after the first may come without the header; the connection's binding stands.
    /// draft-popov section 5 asks for the message in the first only, section 2 of this draft in all.
    ///
    /// Requests are checked in the order of their arrival then: `serve_connection` and
    /// `TokenBindingServer` do so, and `TokenBindingLayer`, which cannot, serves HTTP/1.1 only.
    pub allow_later_requests_without_header: bool,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum RequestOutcome {
    /// Token Binding was not negotiated and is not used: go on, without a binding.
    NotInUse,
    /// Go on: the request is bound.
    Bound(TokenBindings),
    /// Terminate the connection, answer nothing.
    Terminate(Refusal),
}

enum State {
    /// No request yet.
    First,
    /// The bindings of the latest request, and the messages verified on this connection.
    Established {
        latest: TokenBindings,
        verified: Vec<Verified>,
        /// Which of `verified` gives way next.
        next: usize,
    },
    Terminated(Refusal),
}

struct Verified {
    header: Box<[u8]>,
    bindings: TokenBindings,
}

/// The requests of one connection, in their order.
///
/// A header that was verified on this connection before costs a comparison of its bytes; nothing is
/// shared between connections. After the first refusal everything is refused.
pub struct ServerBinding {
    session: Option<Session>,
    options: ServerOptions,
    state: State,
}

impl ServerBinding {
    /// A connection before its first request. `session` is `None` where Token Binding was not
    /// negotiated.
    #[must_use]
    pub const fn new(session: Option<Session>, options: ServerOptions) -> Self {
        Self {
            session,
            options,
            state: State::First,
        }
    }

    /// What was negotiated, and on which connection.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Why the connection is to be terminated, once it is.
    #[must_use]
    pub const fn refusal(&self) -> Option<Refusal> {
        match self.state {
            State::Terminated(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Checks a request, of whose `Token-Binding` headers `values` are all.
    pub fn request<'v, V: Verify + ?Sized>(
        &mut self,
        values: impl IntoIterator<Item = &'v [u8]>,
        verifier: &V,
    ) -> RequestOutcome {
        let mut values = values.into_iter();
        let value = values.next();
        let duplicate = values.next().is_some();
        match self.check(value, duplicate, verifier) {
            Ok(None) => RequestOutcome::NotInUse,
            Ok(Some(bindings)) => RequestOutcome::Bound(bindings),
            Err(refusal) => {
                self.state = State::Terminated(refusal);
                RequestOutcome::Terminate(refusal)
            }
        }
    }

    /// Checks that the requests are of the protocol whose Token Binding identifier was negotiated.
    /// Without Token Binding there is nothing to compare.
    ///
    /// # Errors
    /// [`RefusalKind::ApplicationProtocol`], or the earlier refusal: terminate the connection.
    pub fn protocol(&mut self, spoken: ApplicationProtocol) -> Result<(), Refusal> {
        let negotiated = self.session.map(|session| session.negotiated.alpn());
        match negotiated {
            Some(alpn) if alpn.application_protocol() != spoken => {
                Err(self.terminate(RefusalKind::ApplicationProtocol, "ALPN"))
            }
            _ => self.not_terminated(),
        }
    }

    /// Checks the trailer of a request: `found` says that it has a `Token-Binding` field.
    ///
    /// # Errors
    /// [`RefusalKind::Trailer`], or the earlier refusal: terminate the connection.
    pub fn trailer(&mut self, found: bool) -> Result<(), Refusal> {
        if found {
            return Err(self.terminate(RefusalKind::Trailer, "Token-Binding"));
        }
        self.not_terminated()
    }

    /// Terminates, since the first request cannot be checked; the reason that counts.
    #[cfg(feature = "hyper")]
    pub(crate) fn unreadable(&mut self) -> Refusal {
        self.terminate(RefusalKind::UnreadableFirstRequest, "Token-Binding")
    }

    const fn not_terminated(&self) -> Result<(), Refusal> {
        match self.refusal() {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Terminates, unless it was before; the reason that counts.
    fn terminate(&mut self, kind: RefusalKind, field: &'static str) -> Refusal {
        let refusal = match self.refusal() {
            Some(earlier) => earlier,
            None => Refusal::of(kind, field),
        };
        self.state = State::Terminated(refusal);
        refusal
    }

    fn check<V: Verify + ?Sized>(
        &mut self,
        value: Option<&[u8]>,
        duplicate: bool,
        verifier: &V,
    ) -> Result<Option<TokenBindings>, Refusal> {
        if let State::Terminated(refusal) = self.state {
            return Err(refusal);
        }
        if duplicate && self.session.is_some() {
            // balfanz-2-2
            let kind = RefusalKind::Header(HeaderErrorKind::Duplicate);
            return Err(Refusal::header(kind, 0));
        }
        let mut position = Position::First;
        if let State::Established {
            latest, verified, ..
        } = &self.state
        {
            position = Position::Later;
            match value {
                None if self.options.allow_later_requests_without_header => {
                    let (provided, referred) = (latest.provided.clone(), None);
                    return Ok(Some(TokenBindings { provided, referred }));
                }
                // balfanz-2-1
                None => return Err(Refusal::header(RefusalKind::MissingInLaterRequest, 0)),
                Some(value) => {
                    if let Some(known) = verified.iter().find(|known| *known.header == *value) {
                        return Ok(Some(known.bindings.clone()));
                    }
                }
            }
        }
        let message = match value {
            // What is in the header does not matter where there must be none.
            Some(_) if self.session.is_none() => Some(Vec::new()),
            Some(value) => decode_header([value], self.options.header).map_err(|error| {
                Refusal::header(RefusalKind::Header(error.kind()), error.offset())
            })?,
            None => None,
        };
        let outcome = establish(
            self.session.as_ref(),
            position,
            message.as_deref(),
            verifier,
            self.options.decode,
        );
        match outcome {
            // `Unchanged` needs a later request without the header, which was dealt with.
            Outcome::NotInUse | Outcome::Unchanged => Ok(None),
            Outcome::Terminate(reason) => Err(reason.into()),
            Outcome::Established(established) => {
                let bindings = TokenBindings {
                    provided: ProvidedTokenBinding(established.provided().id().into_owned().into()),
                    referred: match established.referred() {
                        Referred::None => None,
                        Referred::Verified(binding) => Some(ReferredTokenBinding::Verified(
                            binding.id().into_owned().into(),
                        )),
                        Referred::Unsupported(algorithm) => {
                            Some(ReferredTokenBinding::Unsupported(algorithm))
                        }
                    },
                };
                self.remember(value.unwrap_or_default(), &bindings)?;
                Ok(Some(bindings))
            }
        }
    }

    /// Takes in what was verified, if it is of the connection's key.
    fn remember(&mut self, header: &[u8], bindings: &TokenBindings) -> Result<(), Refusal> {
        let new = (header.len() <= MAX_REMEMBERED_HEADER_BYTES).then(|| Verified {
            header: header.into(),
            bindings: bindings.clone(),
        });
        match &mut self.state {
            State::Established {
                latest,
                verified,
                next,
            } => {
                let (old_id, new_id) = (latest.provided.id().view(), bindings.provided.id().view());
                if !old_id.same_key(new_id) {
                    // balfanz-2-4
                    return Err(Refusal::header(RefusalKind::ProvidedKeyChanged, 0));
                }
                *latest = bindings.clone();
                let Some(new) = new else { return Ok(()) };
                if verified.len() < MAX_VERIFIED_MESSAGES {
                    verified.push(new);
                } else if let Some(oldest) = verified.get_mut(*next) {
                    *oldest = new;
                    *next = next
                        .wrapping_add(1)
                        .checked_rem(MAX_VERIFIED_MESSAGES)
                        .unwrap_or(0);
                }
            }
            _ => {
                self.state = State::Established {
                    latest: bindings.clone(),
                    verified: new.into_iter().collect(),
                    next: 0,
                };
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ServerBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBinding")
            .field(
                "negotiated",
                &self.session.map(|session| session.negotiated),
            )
            .field("refusal", &self.refusal())
            .finish_non_exhaustive()
    }
}
