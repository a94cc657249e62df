//! Forged fields in messages: what is removed, and what stays, octet for octet.

#![allow(clippy::expect_used, reason = "tests")]

mod pieces;
mod size;
mod support;

use authres_tls::{
    AuthservId, StripPolicy, Stripper,
    strip::{Disguise, StripReason, StripScope, StripVerdict, Stripped},
};

use support::*;

#[test]
fn removes_a_field_after_each_line_break_that_some_reader_has() {
    for line_break in UNCERTAIN {
        let at = |pieces: &[&[u8]]| pieces.concat();
        let forged = FORGED.as_bytes();
        for end in [&b"\r\n"[..], b"\n"] {
            let rest = at(&[b"B: c", end, end, b"body", line_break, forged, end]);
            let message = at(&[b"X: a", line_break, forged, end, &rest]);
            leaves(message, at(&[b"X: a", end, &rest]));
            // Behind an empty line of the same reader.
            let message = at(&[b"X: a", end, line_break, forged, end, &rest]);
            leaves(message, at(&[b"X: a", end, &rest]));
            // At the start, and after another field of the kind.
            let message = at(&[line_break, forged, line_break, forged, end, &rest]);
            leaves(message, &rest);
        }
        let message = at(&[b"X: a", line_break, forged, line_break, b"Y: b\r\n\r\nbody"]);
        leaves(message, at(&[b"X: a", line_break, b"Y: b\r\n\r\nbody"]));
    }
}

#[test]
fn keeps_fields_of_others_after_any_line_break() {
    for line_break in UNCERTAIN {
        let other = b"Authentication-Results: other.example; dkim=pass".as_slice();
        keeps([b"X: a", line_break, other, b"\r\nB: c\r\n\r\nbody"].concat());
        keeps([other, line_break, b"B: c\r\n\r\nbody"].concat());
    }
}

#[test]
fn removes_foreign_field_whose_id_may_continue_after_line_break() {
    for line_break in UNCERTAIN {
        let field = b"Authentication-Results: other".as_slice();
        leaves(
            [
                b"A: b\r\n",
                field,
                line_break,
                b".own.example; none\r\nB: c\r\n",
            ]
            .concat(),
            b"A: b\r\nB: c\r\n",
        );
    }
    leaves(
        "A: b\r\nAuthentication-Results: own\r\n\x0b.example; none\r\n\r\n",
        "A: b\r\n\x0b.example; none\r\n\r\n",
    );
}

#[test]
fn keeps_white_space_that_begins_no_line() {
    leaves(
        "X: a\r Authentication-Results: own.example; none\r\nB: c\r\n\r\n",
        "X: a\r Authentication-Results: own.example; none\r\nB: c\r\n\r\n",
    );
    keeps("X: a\r\n Authentication-Results: own.example; none\r\n\r\n");
    keeps("X: a Authentication-Results: own.example; none\r\n\r\n");
    keeps("X: a\tAuthentication-Results: own.example; none\r\n\r\n");
    keeps("X: a\x1bAuthentication-Results: own.example; none\r\n\r\n");
}

#[test]
fn finds_disguised_names() {
    let names = [
        "Authentication-Results :",
        "authentication-results\t \t:",
        "AUTHENTICATION-RESULTS\r\n :",
        "Authentication-Results\x0b:",
        "Authentication-Results\x0c\x1f:",
        "Authentication-Results\r:",
        "Authentication-Results\0:",
        "Authentication-Results\u{a0}:",
        "Authentication-Results\u{3000}:",
        "\x01Authentication-Results:",
        "\x01 Authentication-Results:",
        "\u{feff}Authentication-Results:",
        "\u{a0}Authentication-Results:",
        "\x0bAuthentication-Results:",
        "Authentication\0-Results:",
        "Authentication\u{ad}-Results:",
        "Authentication\r-Results:",
        "Authentication-Re\u{17f}ults:",
        "Authent\u{131}cation-Results:",
        "AUTHENT\u{130}CATION-RESULTS:",
        "\0\0Au\0thentication-Results\0\0:",
    ];
    for name in names {
        let forged = format!("A: b\r\n{name} own.example; none\r\nB: c\r\n\r\nbody");
        leaves(&forged, "A: b\r\nB: c\r\n\r\nbody");
        let hidden = format!("A: b\r{name} own.example; none\r\nB: c\r\n\r\nbody");
        leaves(&hidden, "A: b\r\nB: c\r\n\r\nbody");
    }
    // The next line continues the name for readers for which other white space folds.
    leaves(
        "A: b\r\nAuthentication-Results\r\n\x0b: own.example; none\r\nB: c\r\n",
        "A: b\r\n\x0b: own.example; none\r\nB: c\r\n",
    );
    leaves(
        "A: b\x0bAuthentication-Results\r\n\x0b: own.example; none\r\nB: c\r\n",
        "A: b\r\n\x0b: own.example; none\r\nB: c\r\n",
    );
    for name in [
        "Authentication-Result:",
        "Authentication-Resultss:",
        "XAuthentication-Results:",
        "X-Authentication-Results:",
        "Authentication -Results:",
        "Authentication-Results x:",
        "Authentication-Results-:",
        "ARC-Authentication-Results:",
    ] {
        keeps(format!("{name} own.example; none\r\n\r\nbody"));
    }
}

#[test]
fn finds_field_that_begins_message_with_white_space() {
    leaves(
        " Authentication-Results: own.example; none\r\nB: c\r\n",
        "B: c\r\n",
    );
    leaves(
        "From a\r\n Authentication-Results: own.example; none\r\nB: c\r\n",
        "From a\r\nB: c\r\n",
    );
    leaves(
        "\u{feff}Authentication-Results: own.example; none\r\nB: c\r\n",
        "B: c\r\n",
    );
}

#[test]
fn ends_the_header_where_every_reader_does() {
    for (empty, end) in [("\n\n", "\n"), ("\r\n\r\n", "\r\n"), ("\r\n\n", "\n")] {
        keeps(format!("A: b{empty}{FORGED}\r\n"));
        let header_too = format!("{FORGED}{empty}B: c\r\n\r\n{FORGED}\r\n");
        leaves(header_too, format!("{end}B: c\r\n\r\n{FORGED}\r\n"));
    }
    // An empty header: `Email::Simple` continues after CRLF, also where only forged fields were before it.
    keeps(format!("\n{FORGED}\r\n"));
    keeps(format!("\r\n\r\n{FORGED}\r\n"));
    let body = format!("\r\nB: c\r\n\r\n{FORGED}\r\n");
    leaves(format!("\r\n{FORGED}{body}"), &body);
    leaves(format!("{FORGED}\r\n\r\n{FORGED}{body}"), &body);
    leaves(format!("{FORGED}\n\r\n{FORGED}{body}"), &body);
    leaves(
        format!("{FORGED}\n\n{FORGED}{body}"),
        format!("\n{FORGED}{body}"),
    );
    // Of two kinds, or no line for all readers.
    for empty in [
        "\n\r\n",
        "\r\n\r",
        "\n\r",
        "\r\r\n",
        "\x0b\x0b",
        "\r\n\x0b",
        "\0\0",
        "\r\n \r\n",
    ] {
        let message = format!("A: b{empty}{FORGED}\r\nB: c\r\n\r\nbody");
        let stripped = strip(&message);
        assert_eq!(stripped.removals.len(), 1, "{empty:?}");
        assert!(
            !text(&stripped.message).contains("own.example"),
            "{empty:?}"
        );
        assert!(stripped.message.ends_with(b"B: c\r\n\r\nbody"), "{empty:?}");
        assert!(stripped.message.starts_with(b"A: b"), "{empty:?}");
    }
}

#[test]
fn reads_messages_whose_lines_end_in_cr() {
    let message = format!("A: b\r{FORGED}\rB: c\r\rbody\r{FORGED}\rmore\r");
    leaves(&message, format!("A: b\rB: c\r\rbody\r{FORGED}\rmore\r"));
    let first = format!("{FORGED}\r x\rB: c\r\rbody\r{FORGED}\r");
    leaves(first, format!("B: c\r\rbody\r{FORGED}\r"));
    // At the start of what is left, one CR ends no header for `Email::Simple`.
    let only = format!("{FORGED}\r\rB: c\r{FORGED}\r\rbody\r{FORGED}\r");
    leaves(only, format!("\rB: c\r\rbody\r{FORGED}\r"));
    let empty = format!("\rB: c\r{FORGED}\r\rbody\r{FORGED}\r");
    leaves(empty, format!("\rB: c\r\rbody\r{FORGED}\r"));
    // An empty line that is removed with a field ends nothing.
    let joined = format!("\r\r{FORGED}\r\nX: a\r{FORGED}\r\nB: c\r\n\r\n");
    leaves(joined, "X: a\r\nB: c\r\n\r\n");
    // A line feed continues the header for readers that have no other line break.
    let mixed = format!("A: b\r\r{FORGED}\r\n{FORGED}\r\nB: c\r\n\r\n");
    leaves(mixed, format!("A: b\r\r{FORGED}\r\nB: c\r\n\r\n"));
}

#[test]
fn leaves_no_line_break_too_many_or_too_few() {
    leaves(
        format!("A: b\r\n{FORGED}\r\r\nB: c\r\n\r\n"),
        "A: b\r\nB: c\r\n\r\n",
    );
    leaves(
        format!("A: b\r\n{FORGED}\x0b\r\nB: c\r\n\r\n"),
        "A: b\r\nB: c\r\n\r\n",
    );
    leaves(
        format!("A: b\r\n{FORGED}\x0b\r\n d\r\nB: c\r\n\r\n"),
        "A: b\r\nB: c\r\n\r\n",
    );
    leaves(
        format!("A: b\r\n\r{FORGED}\r\nB: c\r\n\r\n"),
        "A: b\r\nB: c\r\n\r\n",
    );
    leaves(
        format!("A: b\n{FORGED}\r\nB: c\n\nbody"),
        "A: b\nB: c\n\nbody",
    );
    // A line without a colon belongs to the field, one with a name and a colon does not.
    leaves(
        format!("A: b\r\n{FORGED}\x0bmore of it\r\nB: c\r\n"),
        "A: b\r\nB: c\r\n",
    );
    leaves(
        format!("A: b\r\n{FORGED}\x0bmore\x0bof it: x\r\nB: c\r\n"),
        "A: b\r\nB: c\r\n",
    );
    leaves(
        format!("A: b\r\n{FORGED}\x0b: x\r\nB: c\r\n"),
        "A: b\r\nB: c\r\n",
    );
    leaves(
        format!("A: b\r\n{FORGED}\rC : d\r\nB: c\r\n"),
        "A: b\r\nC : d\r\nB: c\r\n",
    );
    leaves(
        format!("A: b\r{FORGED}\rC: d\r\nB: c\r\n"),
        "A: b\rC: d\r\nB: c\r\n",
    );
    let long = "x".repeat(300);
    leaves(
        format!("A: b\r\n{FORGED}\r{long}: d\r\nB: c\r\n"),
        "A: b\r\nB: c\r\n",
    );
    // At the end of the message.
    for end in ["", "\r", "\r\n", "\x0b", "\rmore", "\rmore\r"] {
        leaves(format!("A: b\r\n{FORGED}{end}"), "A: b\r\n");
    }
    leaves(format!("A: b\r{FORGED}"), "A: b");
    leaves(format!("A: b\r{FORGED}\r"), "A: b\r");
    keeps("A: b\r\nAuthentication-Results");
}

#[test]
fn joins_no_remaining_text_to_name() {
    let halves =
        "Authentication-Re\rAuthentication-Results: own.example; x\rsults: own.example; y\r\n";
    leaves(
        format!("{halves}B: c\r\n"),
        "sults: own.example; y\r\nB: c\r\n",
    );
    leaves(
        format!("A: b\r{halves}B: c\r\n"),
        "A: b\rsults: own.example; y\r\nB: c\r\n",
    );
    leaves(format!("\0\0{FORGED}\r\n{FORGED}\r\n"), "");
}

#[test]
fn removes_field_whose_id_continues_after_white_space_of_some_readers() {
    for octet in [
        b"\x0b".as_slice(),
        b"\x0c",
        b"\x1c",
        b"\x1f",
        b"\x7f",
        b"\x85",
        b"\xa0",
        b"\xc2\xa0",
        b"\xe1\x9a\x80",
        b"\xe2\x80\x80",
        b"\xe3\x80\x80",
        b"\xef\xbb\xbf",
    ] {
        let field = [
            b"Authentication-Results: other.example\r\n".as_slice(),
            octet,
            b".own.example; none\r\n",
        ];
        let value = [
            b" other.example; none (a)\r\n".as_slice(),
            octet,
            b".own.example\r\n",
        ];
        let removed = policy().removals(&field.concat());
        let kept =
            policy().removals(&[b"Authentication-Results:".as_slice(), &value.concat()].concat());
        assert_eq!((removed.len(), kept.len()), (1, 0), "{octet:?}");
    }
    let other = b"Authentication-Results: other.example\r\nX: .own.example; none\r\n";
    assert_eq!(policy().removals(other), []);
}

#[test]
fn reports_each_removal_with_its_place() {
    let message = format!("A: b\r\nX: y\r{FORGED}\r\n c\r\n{FORGED}\r\n\x01{FORGED}\r\nB: c\r\n");
    let stripped = strip(&message);
    let said: Vec<_> = stripped
        .removals
        .iter()
        .map(|it| (it.index, it.line, it.span.clone(), it.reason, it.disguise))
        .collect();
    let hidden = 10..61;
    assert_eq!(
        message.get(hidden.clone()),
        Some(&*format!("\r{FORGED}\r\n c"))
    );
    assert_eq!(
        said,
        [
            (1, 1, hidden, StripReason::OwnId, Some(Disguise::LineBreak)),
            (2, 3, 63..111, StripReason::OwnId, None),
            (3, 4, 111..160, StripReason::OwnId, Some(Disguise::Name)),
        ]
    );
    let values: Vec<_> = stripped
        .removals
        .iter()
        .filter_map(|it| message.get(it.value.clone()))
        .collect();
    let value = " own.example; dkim=pass";
    assert_eq!(values, [&format!("{value}\r\n c"), value, value]);
}

#[test]
fn decides_on_fields_of_milter() {
    let policy = policy();
    let own = StripVerdict::Remove(StripReason::OwnId);
    let value = b" own.example; none".as_slice();
    assert_eq!(policy.field_verdict(b"authentication-RESULTS", value), own);
    assert_eq!(policy.field_verdict(b"X", value), StripVerdict::Keep);
    assert_eq!(
        policy.field_verdict(b"Authentication-Results\x0b", value),
        own
    );
    let hidden = [b"a\x0b\r", FORGED.as_bytes()].concat();
    assert_eq!(policy.field_verdict(b"Subject", &hidden), own);
    let folded = b"a\n Authentication-Results: own.example; none";
    assert_eq!(policy.field_verdict(b"Subject", folded), StripVerdict::Keep);
    let unreadable = StripVerdict::Remove(StripReason::UnreadableId);
    assert_eq!(policy.verdict(b"other\x0b.own.example; none"), unreadable);
    assert_eq!(
        policy.verdict(b"other.example (a) 1 (b);\x0b none"),
        StripVerdict::Keep
    );
}

#[test]
fn removes_all_or_no_field_by_scope() {
    let other = "Authentication-Results: other.example; none\r\n";
    let message = format!("A: b\r{FORGED}\r\n{other}\r\n");
    let all = StripPolicy::of(StripScope::All).strip(message.as_bytes());
    assert_eq!(text(&all.message), "A: b\\r\\n\\r\\n");
    assert!(all.removals.iter().all(|it| it.reason == StripReason::All));
    let none = StripPolicy::of(StripScope::None).strip(message.as_bytes());
    assert_eq!(none.message, message.as_bytes());
}
