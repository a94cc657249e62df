//! SMTP relays that cannot reach the next host, draft-newman-email-deep-02 sections 7.4 and 11.9: the reply to the
//! client that submitted the message, and the status of the notification. A latch that failed,
//! a certificate that was refused and a connection that broke have replies of their own.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use crate::{
    error::{EncodeError, EncodeErrorKind},
    failure::{CertificateFailure, LatchFailure},
    host::Host,
};

/// The longest line of a reply, in bytes, with its code and its CRLF (RFC 5321 section 4.5.3.1.5).
const MAX_REPLY_LINE_BYTES: usize = 512;

/// The sample text of section 11.9.
const TEXT: &str = "Message Transport Failed due to missing required security";

/// The subject "security or policy status" of an enhanced status code (RFC 3463 section 3.8).
const SECURITY: u8 = 7;

/// The subject "network and routing status", and its detail "bad connection" (RFC 3463 section 3.5).
const NETWORK: u8 = 4;
const BAD_CONNECTION: SecurityDetail = SecurityDetail(2);

/// The detail of an enhanced status code X.7.detail (RFC 3463): the draft left it to IANA, which never
/// assigned one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecurityDetail(u16);

impl SecurityDetail {
    /// X.7.0, "other or undefined security status" (RFC 3463 section 3.8): registered, and for what "cannot
    /// be well expressed with any of the other provided detail codes". Similar codes do not apply: X.7.4 and X.7.5
    /// concern features of the message, X.7.10 the client's login, X.7.30 a sender that asked for REQUIRETLS. The number
    /// that would have been next is assigned to another code.
    pub const OTHER: Self = Self(0);

    /// Creates another detail, e.g. one that was assigned later.
    ///
    /// # Errors
    /// Returns [`EncodeErrorKind::Limit`] if the detail has more than three digits (RFC 3463 section 2).
    pub const fn try_new(detail: u16) -> Result<Self, EncodeError> {
        match detail {
            0..=999 => Ok(Self(detail)),
            _ => Err(EncodeError::new(
                EncodeErrorKind::Limit { limit: 999 },
                "detail",
            )),
        }
    }
}

impl Default for SecurityDetail {
    fn default() -> Self {
        Self::OTHER
    }
}

/// The cause of a failure: it decides whether the client tries again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cause {
    /// "A temporary administrative error such as an expired server certificate" (section 11.9), of whichever
    /// side; or an attack, which is not distinguishable and ends too. The temporary form is preferred.
    #[default]
    Administrative,
    /// A lasting failure: it persists for the whole time that the relay retries, or the relay's operator has decided so.
    Lasting,
}

/// The command that is answered: section 11.9 has 450 and 550 as well as 454 and 554.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyTo {
    /// RCPT: 450 or 550, "requested action not taken".
    Recipient,
    /// The message, for all its recipients: 454, which RFC 3207 section 4 has for "TLS not available due to
    /// temporary reason", or 554, "transaction failed".
    Transaction,
}

/// The reply of a relay that could not forward a message to the next host.
///
/// ```
/// use deep_latch::{
///     Facilities, Host, LatchRecord, LatchSession, SecurityTag, latch::{Event, Outcome},
///     relay::{Cause, RelayReply, ReplyTo, SecurityDetail},
/// };
///
/// let record = LatchRecord::preset(Host::try_new("mx.example.com")?, [SecurityTag::TLS12]);
/// let mut session = LatchSession::try_new(record, Facilities::new())?;
/// let Outcome::Refuse(failure) = session.step(Event::NoTls).outcome else {
///     return Err("the next host has no TLS".into());
/// };
/// let reply = RelayReply::new(&failure, Cause::Administrative, ReplyTo::Recipient, SecurityDetail::OTHER);
/// assert_eq!(reply.status(), "4.7.0");
/// assert_eq!(
///     reply.to_string(),
///     "450 4.7.0 Message Transport Failed due to missing required security: mx.example.com tls12\r\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayReply {
    code: u16,
    subject: u8,
    detail: SecurityDetail,
    text: String,
}

impl RelayReply {
    /// Returns the reply about a latch that failed. The reply names the tags; so does the notification, in the field
    /// `SMTP-Security-Latch` ([`SecurityLatchField`](crate::dsn::SecurityLatchField)).
    #[must_use]
    pub fn new(failure: &LatchFailure, cause: Cause, to: ReplyTo, detail: SecurityDetail) -> Self {
        let mut text = format!("{TEXT}: {}", failure.host());
        for tag in failure.tags() {
            text.extend([" ", tag.as_str()]);
        }
        Self {
            code: security_code(cause, to),
            subject: SECURITY,
            detail,
            text,
        }
    }

    /// Returns the reply about a certificate that was refused though no latched tag concerns it. The notification
    /// then has no field `SMTP-Security-Latch`, which "includes one or more security latch that
    /// failed".
    #[must_use]
    pub fn of_certificate(
        failure: &CertificateFailure,
        cause: Cause,
        to: ReplyTo,
        detail: SecurityDetail,
    ) -> Self {
        Self {
            code: security_code(cause, to),
            subject: SECURITY,
            detail,
            text: format!("{TEXT}: {failure}"),
        }
    }

    /// Returns the reply about a connection that could not be made, broke, or timed out: X.4.2, "bad
    /// connection" (RFC 3463 section 3.5), which is not a security status.
    ///
    /// ```
    /// # use deep_latch::{Host, relay::{Cause, RelayReply, ReplyTo}};
    /// let host = Host::try_new("mx.example.com")?;
    /// let reply = RelayReply::of_transport(&host, Cause::Administrative, ReplyTo::Recipient);
    /// assert_eq!(reply.to_string(), "450 4.4.2 Message Transport Failed: no connection to mx.example.com\r\n");
    /// # Ok::<(), deep_latch::host::HostError>(())
    /// ```
    #[must_use]
    pub fn of_transport(host: &Host, cause: Cause, to: ReplyTo) -> Self {
        let code = match (cause, to) {
            // "requested action aborted: error in processing": 454 is about TLS.
            (Cause::Administrative, ReplyTo::Transaction) => 451,
            (cause, to) => security_code(cause, to),
        };
        Self {
            code,
            subject: NETWORK,
            detail: BAD_CONNECTION,
            text: format!("Message Transport Failed: no connection to {host}"),
        }
    }

    /// Returns the basic code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Returns the enhanced status code, also for the field `Status` of a notification (RFC 3464 section 2.3.4).
    #[must_use]
    pub fn status(&self) -> String {
        let class = if self.code < 500 { 4 } else { 5 };
        format!("{class}.{}.{}", self.subject, self.detail.0)
    }
}

/// Section 11.9: "Associated Basic Status Code: 450, 454, 550, 554".
const fn security_code(cause: Cause, to: ReplyTo) -> u16 {
    match (cause, to) {
        (Cause::Administrative, ReplyTo::Recipient) => 450,
        (Cause::Administrative, ReplyTo::Transaction) => 454,
        (Cause::Lasting, ReplyTo::Recipient) => 550,
        (Cause::Lasting, ReplyTo::Transaction) => 554,
    }
}

/// The reply, each line with its CRLF.
impl fmt::Display for RelayReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, status) = (self.code.to_string(), self.status());
        let overhead = "250- \r\n".len().saturating_add(status.len());
        let room = MAX_REPLY_LINE_BYTES.saturating_sub(overhead);
        let mut rest = &*self.text;
        loop {
            // At a space, of which there is one at least every 253 bytes; the one after a full line counts.
            let too_long = rest.split_at_checked(room.saturating_add(1));
            let Some((line, behind)) = too_long
                .and_then(|(line, _)| line.rfind(' '))
                .and_then(|space| rest.split_at_checked(space))
            else {
                return write!(f, "{code} {status} {rest}\r\n");
            };
            write!(f, "{code}-{status} {line}\r\n")?;
            rest = behind.trim_start();
        }
    }
}
