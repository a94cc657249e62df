//! Messages in a maildir, and their octets in the replies of a server.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use conformance::outcome::Checked;

/// Writes messages into a maildir: lines with dots, of 8-bit octets, long ones, empty ones, and such that look like commands
/// and replies.
pub(super) fn deliver(maildir: &Path, messages: usize) -> Checked<()> {
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777));
    for part in ["", "cur", "new", "tmp"] {
        let part = maildir.join(part);
        fs::create_dir_all(&part)?;
        open(&part)?;
    }
    for number in 0..messages {
        let mut message =
            format!("From: a@example.test\nSubject: message {number}\n\n").into_bytes();
        for line in 0..number % 7 {
            message.extend_from_slice(match (number + line) % 6 {
                0 => &b".\n..\n. \n"[..],
                1 => b"c OK FETCH done {5}\n* BYE\n)\n",
                2 => b"\xc3\xa9\xff\x80\x01\t\x7f\n",
                3 => b"\n\n",
                4 => b"+OK\n-ERR\nQUIT\n",
                _ => b"UNAUTHENTICATE\nSTARTTLS\n",
            });
        }
        message.extend(std::iter::repeat_n(b'x', number % 1_500));
        message.push(b'\n');
        let path = maildir.join(format!("new/{}.M{number}P1.test", 1_700_000_000 + number));
        fs::write(&path, message)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    }
    Ok(())
}

/// Returns `true` if the last line begins with this text.
pub(super) fn ends_with_line(octets: &[u8], beginning: &[u8]) -> bool {
    let Some(text) = octets.strip_suffix(b"\r\n") else {
        return false;
    };
    let last = text.rsplit(|octet| *octet == b'\n').next();
    last.is_some_and(|line| line.starts_with(beginning))
}

/// Returns the lines before the last one.
pub(super) fn without_last_line(octets: &[u8]) -> &[u8] {
    let text = octets.strip_suffix(b"\r\n").unwrap_or(octets);
    let end = text.iter().rposition(|octet| *octet == b'\n');
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// Counts the places of a text.
pub(super) fn count(octets: &[u8], text: &[u8]) -> usize {
    let first = text.first().copied().unwrap_or_default();
    let places = octets
        .iter()
        .enumerate()
        .filter(|(_, octet)| **octet == first);
    places
        .filter(|(at, _)| octets.get(*at..).is_some_and(|rest| rest.starts_with(text)))
        .count()
}
