//! Section 5 of draft-popov-token-binding-00 as one pure function: [`establish`].

use core::fmt;

use crate::{
    alpn::Negotiated,
    error::{DecodeError, ErrorKind},
    id::{ALGORITHM, TokenBindingIdRef},
    key::KeyParameters,
    message::{
        Extensions, MESSAGE, TOKENBINDINGS, TokenBindingMessageRef, TokenBindingRef, UnreadableTail,
    },
    profile::DecodeOptions,
    registry::{SignatureAndHashAlgorithm, TokenBindingType},
    signature::SIGNATURE,
    tls_unique::TlsUnique,
    verify::{Verify, verify_binding},
};

const NAMEDCURVE: &str = "ECDSAParams.namedcurve";

/// The position of an application message on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The first of the client's application messages, which must carry the Token Binding message.
    First,
    /// A later application message, which may carry one.
    Later,
}

/// The Token Binding parameters of a connection on which Token Binding was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The result of the negotiation.
    pub negotiated: Negotiated,
    /// The connection's `tls_unique`.
    pub tls_unique: TlsUnique,
}

/// A binding whose signature was verified on this connection. Only [`establish`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedBinding<'a> {
    id: TokenBindingIdRef<'a>,
    extensions: Extensions<'a>,
}

impl<'a> VerifiedBinding<'a> {
    /// Returns the identifier.
    #[must_use]
    pub const fn id(self) -> TokenBindingIdRef<'a> {
        self.id
    }

    /// Returns the extensions. All are of unknown types, and the signature does not cover them.
    #[must_use]
    pub const fn extensions(self) -> Extensions<'a> {
        self.extensions
    }
}

/// The referred binding of a message: the client's binding with another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Referred<'a> {
    /// The message has no referred binding.
    None,
    /// The referred binding, whose signature was verified.
    Verified(VerifiedBinding<'a>),
    /// A referred binding under an algorithm that the verifier does not support: issue an unbound token
    /// (draft-balfanz-https-token-binding-00 section 3.5).
    Unsupported(SignatureAndHashAlgorithm),
}

/// An established Token Binding (section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established<'a> {
    provided: VerifiedBinding<'a>,
    referred: Referred<'a>,
    message: TokenBindingMessageRef<'a>,
}

impl<'a> Established<'a> {
    /// Returns the client's binding with this server.
    #[must_use]
    pub const fn provided(&self) -> VerifiedBinding<'a> {
        self.provided
    }

    /// Returns the client's binding with another server.
    pub const fn referred(&self) -> Referred<'a> {
        self.referred
    }

    /// Returns the message, which contains the bindings of unknown types as well; these are not verified.
    #[must_use]
    pub const fn message(&self) -> &TokenBindingMessageRef<'a> {
        &self.message
    }

    /// Returns the part of the message that cannot be read, if any.
    #[must_use]
    pub const fn unreadable(&self) -> Option<UnreadableTail<'a>> {
        self.message.unreadable()
    }

    /// Returns `true` if `binding`, which must be of [`message`](Self::message), was verified.
    #[must_use]
    pub fn is_verified(&self, binding: &TokenBindingRef<'a>) -> bool {
        match binding.id().tokenbinding_type() {
            TokenBindingType::PROVIDED => true,
            TokenBindingType::REFERRED => matches!(self.referred, Referred::Verified(_)),
            _ => false,
        }
    }
}

/// The kind of a [`TerminateReason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TerminateKind {
    /// The client sent a message though Token Binding was not negotiated (popov-5-3).
    NotNegotiated,
    /// The first application message has no message though Token Binding was negotiated (popov-5-2).
    MissingMessage,
    /// The message is malformed.
    Malformed(ErrorKind),
    /// The message has no binding of type `provided_token_binding`.
    MissingProvided,
    /// The provided binding has other key parameters than negotiated (popov-5-4).
    KeyParametersMismatch {
        /// The parameters that were negotiated.
        negotiated: KeyParameters,
    },
    /// A signature does not verify (popov-5-6).
    SignatureInvalid,
    /// The server negotiated key parameters that its own verifier does not support.
    VerifierUnsupported {
        /// The parameters that were negotiated.
        negotiated: KeyParameters,
    },
}

impl TerminateKind {
    /// Returns the name of the kind in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotNegotiated => "not-negotiated",
            Self::MissingMessage => "missing-message",
            Self::Malformed(kind) => kind.name(),
            Self::MissingProvided => "missing-provided",
            Self::KeyParametersMismatch { .. } => "key-parameters-mismatch",
            Self::SignatureInvalid => "signature-invalid",
            Self::VerifierUnsupported { .. } => "verifier-unsupported",
        }
    }
}

/// The reason to terminate a connection: kind, field in the draft's spelling, byte offset in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminateReason {
    kind: TerminateKind,
    field: &'static str,
    offset: usize,
}

impl TerminateReason {
    const fn new(kind: TerminateKind, field: &'static str, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset,
        }
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(self) -> TerminateKind {
        self.kind
    }

    /// Returns the field in the draft's spelling.
    #[must_use]
    pub const fn field(self) -> &'static str {
        self.field
    }

    /// Returns the place in bytes from the start of the message.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl From<DecodeError> for TerminateReason {
    fn from(error: DecodeError) -> Self {
        let kind = TerminateKind::Malformed(error.kind());
        Self::new(kind, error.field(), error.offset())
    }
}

impl fmt::Display for TerminateReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.field)?;
        match self.kind {
            TerminateKind::NotNegotiated => {
                f.write_str("sent, but Token Binding was not negotiated")
            }
            TerminateKind::MissingMessage => {
                f.write_str("not sent, but Token Binding was negotiated")
            }
            TerminateKind::Malformed(kind) => kind.fmt(f),
            TerminateKind::MissingProvided => f.write_str("no provided_token_binding"),
            TerminateKind::KeyParametersMismatch { negotiated } => {
                write!(f, "not a {} key, which was negotiated", negotiated.name())
            }
            TerminateKind::SignatureInvalid => f.write_str("not valid"),
            TerminateKind::VerifierUnsupported { negotiated } => {
                write!(f, "the verifier cannot verify {}", negotiated.name())
            }
        }?;
        write!(f, " at byte {}", self.offset)
    }
}

impl core::error::Error for TerminateReason {}

/// The decision of section 5 on an application message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome<'a> {
    /// Token Binding was not negotiated and the client sent no message: serve the connection without it.
    NotInUse,
    /// A later application message has no Token Binding message: the established binding remains.
    Unchanged,
    /// The signatures verify, so the binding is established.
    Established(Established<'a>),
    /// Terminate the connection.
    Terminate(TerminateReason),
}

/// Decides on a client's application message (draft-popov-token-binding-00 section 5).
///
/// - `session` is that of the connection, or `None` if Token Binding was not negotiated.
/// - `position` tells the first application message from later ones.
/// - `message` is the Token Binding message that the application message carries, or `None` if it carries none.
/// - `verifier` verifies signatures: [`RustCrypto`](crate::RustCrypto), or `PkiTypes` with the provider of rustls,
///   which is several times faster.
/// - `options` are an [`EncodingProfile`](crate::EncodingProfile), or [`DecodeOptions`] with lower limits.
///
/// The structure of the whole message is checked before any signature; at most two signatures are verified.
///
/// A message without a provided binding terminates the connection in later application messages as well:
/// draft-balfanz-https-token-binding-00 section 2 requires the binding in each. The caller, who knows the binding of
/// the first message, checks that a later one is of the same key.
pub fn establish<'m, V: Verify + ?Sized>(
    session: Option<&Session>,
    position: Position,
    message: Option<&'m [u8]>,
    verifier: &V,
    options: impl Into<DecodeOptions>,
) -> Outcome<'m> {
    let (session, message) = match (session, message, position) {
        (None, None, _) => return Outcome::NotInUse,
        (None, Some(_), _) => return terminate(TerminateKind::NotNegotiated, MESSAGE, 0),
        (Some(_), None, Position::First) => {
            return terminate(TerminateKind::MissingMessage, MESSAGE, 0);
        }
        (Some(_), None, Position::Later) => return Outcome::Unchanged,
        (Some(session), Some(message), _) => (session, message),
    };
    match try_establish(session, message, verifier, options.into()) {
        Ok(established) => Outcome::Established(established),
        Err(reason) => Outcome::Terminate(reason),
    }
}

fn terminate(kind: TerminateKind, field: &'static str, offset: usize) -> Outcome<'static> {
    Outcome::Terminate(TerminateReason::new(kind, field, offset))
}

fn try_establish<'m, V: Verify + ?Sized>(
    session: &Session,
    bytes: &'m [u8],
    verifier: &V,
    options: DecodeOptions,
) -> Result<Established<'m>, TerminateReason> {
    let message = TokenBindingMessageRef::from_bytes(bytes, options)?;
    let provided = provided_as_negotiated(session.negotiated.key_parameters(), &message)?;
    let octets = session.tls_unique.signed_octets();
    let verified = |binding: TokenBindingRef<'m>| {
        verify_binding(verifier, binding, &octets)
            .map(|()| VerifiedBinding {
                id: binding.id(),
                extensions: binding.extensions(),
            })
            .map_err(|_| {
                let offset = message.offset_of(binding.signature());
                TerminateReason::new(TerminateKind::SignatureInvalid, SIGNATURE, offset)
            })
    };

    let negotiated = session.negotiated.key_parameters();
    if !verifier.supports(negotiated) {
        let kind = TerminateKind::VerifierUnsupported { negotiated };
        let offset = algorithm_offset(&message, provided.id().as_bytes());
        return Err(TerminateReason::new(kind, ALGORITHM, offset));
    }
    let provided = verified(provided)?;
    let referred = match (message.referred(), message.unreadable()) {
        (Some(binding), _) => match binding.id().key_parameters() {
            Some(parameters) if verifier.supports(parameters) => {
                Referred::Verified(verified(binding)?)
            }
            _ => Referred::Unsupported(binding.id().algorithm()),
        },
        (None, Some(tail)) if tail.tokenbinding_type() == TokenBindingType::REFERRED => {
            Referred::Unsupported(tail.algorithm())
        }
        (None, _) => Referred::None,
    };
    Ok(Established {
        provided,
        referred,
        message,
    })
}

/// Returns the provided binding if it has the negotiated key parameters (popov-5-4).
fn provided_as_negotiated<'m>(
    negotiated: KeyParameters,
    message: &TokenBindingMessageRef<'m>,
) -> Result<TokenBindingRef<'m>, TerminateReason> {
    let mismatch = |field, offset| {
        let kind = TerminateKind::KeyParametersMismatch { negotiated };
        TerminateReason::new(kind, field, offset)
    };
    let Some(provided) = message.provided() else {
        return Err(match message.unreadable() {
            Some(tail) if tail.tokenbinding_type() == TokenBindingType::PROVIDED => {
                mismatch(ALGORITHM, algorithm_offset(message, tail.as_bytes()))
            }
            _ => TerminateReason::new(TerminateKind::MissingProvided, TOKENBINDINGS, 2),
        });
    };
    let id = provided.id();
    let at = algorithm_offset(message, id.as_bytes());
    if id.algorithm() != negotiated.algorithm() {
        Err(mismatch(ALGORITHM, at))
    } else if id.key_parameters() != Some(negotiated) {
        // The algorithm is the negotiated one, so only the curve, two bytes on, can differ.
        Err(mismatch(NAMEDCURVE, at.saturating_add(2)))
    } else {
        Ok(provided)
    }
}

/// Returns the offset of the algorithm of the binding that begins with `id`.
fn algorithm_offset<'m>(message: &TokenBindingMessageRef<'m>, id: &'m [u8]) -> usize {
    message.offset_of(id).saturating_add(1)
}
