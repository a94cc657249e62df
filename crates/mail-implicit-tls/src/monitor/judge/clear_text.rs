//! Logins that a server offers before TLS: section 10.7.

use super::{At, Finding, State, list};
use crate::monitor::finding::Check;

/// Judges the logins.
pub(super) fn logins(at: &At<'_>) -> Option<Finding> {
    let clear = match at.address.clear.as_ref()? {
        Err(reason) => {
            let fact = format!("The logins that are offered before TLS are not known, {reason}");
            let action = "run the monitor again, from another network too";
            return Some(
                at.finding(Check::ClearText, State::NotKnown, fact)
                    .with_action(action),
            );
        }
        Ok(clear) => clear,
    };
    if clear.logins.is_empty() {
        let fact = "No login is offered before TLS";
        return Some(at.finding(Check::ClearText, State::Good, fact));
    }
    let fact = format!(
        "Passwords may be sent in clear text, since the server offers {} before TLS",
        list(&clear.logins)
    );
    let action = match clear.starttls {
        true => "let the server require TLS before authentication",
        false => "enable STARTTLS, and let the server require it before authentication",
    };
    Some(
        at.finding(Check::ClearText, State::Bad, fact)
            .with_action(action),
    )
}
