//! Messages with forged fields, and checks of what is left of them.

use super::*;

pub(crate) const FORGED: &str = "Authentication-Results: own.example; dkim=pass";

pub(crate) fn policy() -> StripPolicy {
    StripPolicy::new([AuthservId::try_new("own.example").expect("a name")])
}

/// The message that is left, by the whole message and octet by octet.
#[track_caller]
pub(crate) fn strip(message: impl AsRef<[u8]>) -> Stripped {
    let policy = policy();
    let stripped = policy.strip(message.as_ref());
    let mut stripper = Stripper::new(&policy);
    let mut out = Vec::new();
    let mut removals = Vec::new();
    for octet in message.as_ref() {
        stripper.push(&[*octet], &mut out);
        removals.extend(stripper.take_removals());
    }
    stripper.finish(&mut out);
    removals.extend(stripper.take_removals());
    let piecemeal = Stripped {
        message: out,
        removals,
    };
    assert_eq!(piecemeal, stripped);
    let mut rest = message.as_ref().to_vec();
    for removal in stripped.removals.iter().rev() {
        rest.drain(removal.span.clone());
    }
    assert_eq!(text(&rest), text(&stripped.message), "the spans");
    let again = policy.strip(&stripped.message);
    assert_eq!(text(&again.message), text(&stripped.message), "once more");
    stripped
}

pub(crate) fn text(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}

#[track_caller]
pub(crate) fn leaves(message: impl AsRef<[u8]>, left: impl AsRef<[u8]>) {
    assert_eq!(text(&strip(message).message), text(left.as_ref()));
}

#[track_caller]
pub(crate) fn keeps(message: impl AsRef<[u8]>) {
    leaves(&message, &message);
}

/// Octets that some reader treats as a line break.
pub(crate) const UNCERTAIN: [&[u8]; 11] = [
    b"\r",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\x1d",
    b"\x1e",
    b"\0",
    b"\x85",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
];
