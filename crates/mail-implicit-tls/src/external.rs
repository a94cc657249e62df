//! SASL EXTERNAL (RFC 4422 appendix A) in the three protocols, for clients with certificates and their servers:
//! draft-newman-email-deep-02 section 9.1.1.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{dialogue::Capabilities, service::Protocol};

/// The greatest length of a line with a response, in octets without the line end (RFC 4954 section 4).
pub const MAX_RESPONSE_BYTES: usize = 12_288;

/// The greatest length of an authorization identity, in octets.
pub const MAX_IDENTITY_BYTES: usize = 1_024;

/// The exchange of a client that logs in by its certificate.
///
/// The certificate must have been requested by the server and sent; a server that did not request one does not offer
/// EXTERNAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    command: String,
    response: String,
    needs_response: bool,
}

/// The reason why a client cannot log in by its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExternalError {
    /// The server does not advertise EXTERNAL.
    NotAdvertised,
    /// The authorization identity has NUL or is longer than [`MAX_IDENTITY_BYTES`].
    Identity,
}

impl fmt::Display for ExternalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAdvertised => "the server does not offer the SASL mechanism EXTERNAL",
            Self::Identity => "authorization identity: NUL or too many octets",
        })
    }
}

impl std::error::Error for ExternalError {}

impl External {
    /// Returns the exchange. An empty identity asks the server for the one that it derives from the certificate.
    /// `tag` is the tag of the command in IMAP.
    ///
    /// # Errors
    /// Returns [`ExternalError::NotAdvertised`] or [`ExternalError::Identity`].
    pub fn new(
        protocol: Protocol,
        tag: &str,
        identity: &str,
        capabilities: &Capabilities,
    ) -> Result<Self, ExternalError> {
        if !capabilities
            .mechanisms()
            .iter()
            .any(|mechanism| mechanism == "EXTERNAL")
        {
            return Err(ExternalError::NotAdvertised);
        }
        if identity.len() > MAX_IDENTITY_BYTES || identity.contains('\0') {
            return Err(ExternalError::Identity);
        }
        let response = STANDARD.encode(identity);
        // "=" is the initial response of no octets: RFC 4954 section 4, 4959 section 3, 5034 section 4.
        let initial = if response.is_empty() { "=" } else { &response };
        let (command, needs_response) = match protocol {
            Protocol::Imap if capabilities.arguments("SASL-IR").is_some() => {
                (format!("{tag} AUTHENTICATE EXTERNAL {initial}\r\n"), false)
            }
            Protocol::Imap => (format!("{tag} AUTHENTICATE EXTERNAL\r\n"), true),
            Protocol::Pop | Protocol::Submission => (format!("AUTH EXTERNAL {initial}\r\n"), false),
        };
        Ok(Self {
            command,
            response: format!("{response}\r\n"),
            needs_response,
        })
    }

    /// Returns the command.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Returns the line to send after the server's continuation, or `None` if the command has the response already:
    /// a server that asks for one then must be answered by `*`.
    #[must_use]
    pub fn response(&self) -> Option<&str> {
        self.needs_response.then_some(self.response.as_str())
    }
}

/// The reason why a client's response is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseError {
    /// The client cancelled the exchange by `*`.
    Cancelled,
    /// The response is longer than [`MAX_RESPONSE_BYTES`], or the identity than [`MAX_IDENTITY_BYTES`].
    TooLong,
    /// The response is not base64.
    Base64,
    /// The identity is not UTF-8 or has NUL.
    Identity,
    /// The client's certificate does not permit this identity.
    NotPermitted,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "EXTERNAL: cancelled by the client",
            Self::TooLong => "EXTERNAL: response longer than the limits",
            Self::Base64 => "EXTERNAL: base64 expected",
            Self::Identity => "EXTERNAL: UTF-8 without NUL expected",
            Self::NotPermitted => "EXTERNAL: the certificate does not permit this identity",
        })
    }
}

impl std::error::Error for ResponseError {}

/// Returns the identity that a client logs in as.
///
/// `response` is the initial response or the line after the continuation, without the line end; `certified` is the
/// identity of the client's certificate (`server::Session::client`). An empty response, or
/// `=`, asks for that one. Another identity is not permitted.
///
/// # Errors
/// Returns the [`ResponseError`]; the server answers `NO`, `-ERR` or 535, and 501 for what is not base64.
pub fn authorize<'a>(
    response: &[u8],
    certified: Option<&'a str>,
) -> Result<&'a str, ResponseError> {
    if response == b"*" {
        return Err(ResponseError::Cancelled);
    }
    if response.len() > MAX_RESPONSE_BYTES {
        return Err(ResponseError::TooLong);
    }
    let octets = match response {
        b"=" => Vec::new(),
        response => STANDARD
            .decode(response)
            .map_err(|_| ResponseError::Base64)?,
    };
    if octets.len() > MAX_IDENTITY_BYTES {
        return Err(ResponseError::TooLong);
    }
    let identity = std::str::from_utf8(&octets).map_err(|_| ResponseError::Identity)?;
    if identity.contains('\0') {
        return Err(ResponseError::Identity);
    }
    match certified {
        Some(certified) if identity.is_empty() || identity == certified => Ok(certified),
        _ => Err(ResponseError::NotPermitted),
    }
}
