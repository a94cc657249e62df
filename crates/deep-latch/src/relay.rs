//! An SMTP relay whose security latch failed, draft-newman-email-deep-02 sections 7.4 and 11.9: the reply to
//! the client that handed the message over, and the status of the notification.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use crate::{error::EncodeError, error::ErrorKind, latch::LatchFailure};

/// The longest line of a reply, in bytes, with its code and its CRLF (RFC 5321 section 4.5.3.1.5).
const MAX_REPLY_LINE_BYTES: usize = 512;

/// The sample text of section 11.9.
const TEXT: &str = "Message Transport Failed due to missing required security";

/// The detail of an enhanced status code X.7.detail (RFC 3463): the draft left it to IANA, which never
/// assigned one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecurityDetail(u16);

impl SecurityDetail {
    /// X.7.0, "other or undefined security status" (RFC 3463 section 3.8): registered, and for what "cannot
    /// be well expressed with any of the other provided detail codes". Those near claim what need not be
    /// so: X.7.4 and X.7.5 speak of features of the message, X.7.10 of how the client logged in, X.7.30 of a
    /// sender that asked for REQUIRETLS. The number that would have been next is taken.
    pub const OTHER: Self = Self(0);

    /// Another detail, e.g. one that was assigned since.
    ///
    /// # Errors
    /// When it has more than three digits (RFC 3463 section 2).
    pub const fn try_new(detail: u16) -> Result<Self, EncodeError> {
        match detail {
            0..=999 => Ok(Self(detail)),
            _ => Err(EncodeError::new(ErrorKind::Limit { limit: 999 }, "detail")),
        }
    }
}

impl Default for SecurityDetail {
    fn default() -> Self {
        Self::OTHER
    }
}

/// Whether it makes sense to try again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cause {
    /// "A temporary administrative error such as an expired server certificate" (section 11.9), of whichever
    /// side; or an attack, which looks the same and ends too. The temporary form is preferred.
    #[default]
    Administrative,
    /// The failure lasts: it has been the same for as long as the relay keeps trying, or the relay's operator
    /// says so.
    Lasting,
}

/// What is answered: section 11.9 has 450 and 550 as well as 454 and 554.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyTo {
    /// RCPT: 450 or 550, "requested action not taken".
    Recipient,
    /// The message, for all its recipients: 454, which RFC 3207 section 4 has for "TLS not available due to
    /// temporary reason", or 554, "transaction failed".
    Transaction,
}

/// The reply of a relay that could not forward a message because of a security latch.
///
/// ```
/// use deep_latch::{
///     Cause, Event, Facilities, Host, LatchRecord, LatchSession, Outcome, RelayReply, ReplyTo,
///     SecurityDetail, SecurityTag,
/// };
///
/// let record = LatchRecord::preset(Host::try_new("mx.example.com")?, [SecurityTag::TLS12]);
/// let (mut session, _) = LatchSession::begin(record, Facilities::new());
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
    class: u8,
    detail: SecurityDetail,
    text: String,
}

impl RelayReply {
    /// The reply to a client, about the connection to the next host.
    #[must_use]
    pub fn new(failure: &LatchFailure, cause: Cause, to: ReplyTo, detail: SecurityDetail) -> Self {
        let (code, class) = match (cause, to) {
            (Cause::Administrative, ReplyTo::Recipient) => (450, 4),
            (Cause::Administrative, ReplyTo::Transaction) => (454, 4),
            (Cause::Lasting, ReplyTo::Recipient) => (550, 5),
            (Cause::Lasting, ReplyTo::Transaction) => (554, 5),
        };
        let mut text = format!("{TEXT}: {}", failure.host());
        for tag in failure.tags() {
            text.extend([" ", tag.as_str()]);
        }
        Self {
            code,
            class,
            detail,
            text,
        }
    }

    /// The basic code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code, also for the field `Status` of a notification (RFC 3464 section 2.3.4).
    #[must_use]
    pub fn status(&self) -> String {
        format!("{}.7.{}", self.class, self.detail.0)
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
            // At a space, of which there is one at least every 253 bytes.
            let fits = rest
                .split_at_checked(room)
                .filter(|(_, rest)| !rest.is_empty());
            let Some((line, behind)) = fits
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
