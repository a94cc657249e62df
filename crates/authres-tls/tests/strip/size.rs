//! Long names and values, whose octets the stripper does not keep.

use super::*;

#[test]
fn decides_by_first_megabyte() {
    let open = format!("Authentication-Results: ({}", "a".repeat(2 << 20));
    leaves(format!("{open}) own.example; none\r\nB: c\r\n"), "B: c\r\n");
    leaves(
        format!("{open}) other.example; none\r\nB: c\r\n"),
        "B: c\r\n",
    );
    let long = format!(
        "Authentication-Results: other.example; none ({})\r\nB: c\r\n",
        "a".repeat(2 << 20)
    );
    assert_eq!(policy().strip(long.as_bytes()).message, long.as_bytes());
    let no_end = format!(
        "Authentication-Results: other.example {}",
        " ".repeat(2 << 20)
    );
    assert_eq!(policy().strip(no_end.as_bytes()).message, b"");
}

#[test]
fn reports_disguise_of_field_after_too_many_ignored_octets() {
    for octet in ["\0", "\x01"] {
        let message = format!("A: b\r\n{}{FORGED}\r\nB: c\r\n", octet.repeat(100_000));
        let removals = policy().removals(message.as_bytes());
        let found: Vec<_> = removals.iter().map(|it| (it.reason, it.disguise)).collect();
        assert_eq!(
            found,
            [(StripReason::OwnId, Some(Disguise::LineBreak))],
            "{octet:?}"
        );
    }
}

#[test]
fn removes_names_with_too_many_ignored_octets() {
    let junk = "\0".repeat(100_000);
    let message = format!("Authen{junk}tication-Results: own.example; none\r\nB: c\r\n");
    let stripped = policy().strip(message.as_bytes());
    assert!(!text(&stripped.message).contains("Authen"));
    assert!(stripped.message.ends_with(b"\r\nB: c\r\n"));
    assert!(policy().removals(&stripped.message).is_empty());
    let breaks = format!("A: b{}{FORGED}\r\nB: c\r\n", "\x0b".repeat(100_000));
    let left = format!("A: b{}\r\nB: c\r\n", "\x0b".repeat(65_536));
    assert!(policy().strip(breaks.as_bytes()).message.len() >= left.len());
    let message = format!("A: b\r\n{junk}{FORGED}\r\nB: c\r\n");
    let stripped = policy().strip(message.as_bytes());
    assert!(!text(&stripped.message).contains("own.example"));
    assert!(stripped.message.ends_with(b"\r\nB: c\r\n"));
}
