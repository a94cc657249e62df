//! The parser of the ID command.

use super::*;

#[test]
fn distinguishes_id_from_other_commands_and_rejects_near_misses() {
    let parsed = |octets: &'static [u8]| {
        let command = IdCommand::parse(octets);
        command
            .map(|it| it.map(|it| it.tag().to_owned()))
            .map_err(error)
    };
    assert_eq!(
        parsed(b"A1.b-]/ ID NIL\r\n"),
        Ok(Some("A1.b-]/".to_owned()))
    );
    assert_eq!(parsed(b"a id\r\n"), Ok(Some("a".to_owned())));
    for other in [
        &b"a IDLE\r\n"[..],
        b"a I\r\n",
        b"a NOOP\r\n",
        b"a LOGIN {2}\r\nID NIL\r\n",
        b"a XID (\"tls\" \"A_LIE\")\r\n",
    ] {
        assert_eq!(parsed(other), Ok(None));
    }
    assert_eq!(parsed(b"a ID NIL"), Err(("expected", "CRLF", 8)));
    assert_eq!(parsed(b"a ID NIL\n"), Err(("character", "command", 8)));
    for (octets, at) in [
        (&b"\r\n"[..], 0),
        (b" ID NIL\r\n", 0),
        (b"a\r\n", 1),
        (b"a+ ID NIL\r\n", 1),
        (b"* ID NIL\r\n", 0),
        (b"a\r\nb ID NIL\r\n", 1),
        (b"a\tID NIL\r\n", 1),
    ] {
        assert_eq!(parsed(octets), Err(("expected", "tag", at)));
    }
    for (octets, error) in [
        (&b"a \r\n"[..], ("empty", "command", 2)),
        (b"a  ID NIL\r\n", ("expected", "command", 2)),
        (b"a \tID NIL\r\n", ("expected", "command", 2)),
        (b"a ID(\"tls\" \"A_LIE\")\r\n", ("character", "command", 4)),
        (
            b"a ID\t(\"tls\" \"A_LIE\")\r\n",
            ("character", "command", 4),
        ),
        (
            b"a ID\x0b(\"tls\" \"A_LIE\")\r\n",
            ("character", "command", 4),
        ),
        (
            b"a ID\0(\"tls\" \"A_LIE\")\r\n",
            ("character", "command", 4),
        ),
        (
            b"a\0ID (\"tls\" \"A_LIE\")\r\n",
            ("character", "command", 1),
        ),
        (b"a ID\xc2\xa0NIL\r\n", ("character", "command", 4)),
        (
            b"a ID  (\"tls\" \"A_LIE\")\r\n",
            ("extra-space", "command", 5),
        ),
        (
            b"a \"ID\" (\"tls\" \"A_LIE\")\r\n",
            ("expected", "command", 2),
        ),
        (
            b"a {2+}\r\nID (\"tls\" \"A_LIE\")\r\n",
            ("expected", "command", 2),
        ),
        (b"\xff ID NIL\r\n", ("character", "command", 0)),
        (b"a NOOP\nb ID NIL\r\n", ("character", "command", 6)),
        (b"a NOOP\rb ID NIL\r\n", ("character", "command", 6)),
        (b"a NOOP\r\nb ID NIL\r\n", ("trailing", "command", 8)),
        (b"a NOOP x{7+}\r\nb ID NIL\r\n", ("trailing", "command", 6)),
        (
            b"a LOGIN x{7+}\r\nb ID NIL\r\n",
            ("character", "command", 9),
        ),
        (b"a LOGIN \"{7+}\r\nb ID NIL\r\n", ("empty", "string", 13)),
        (b"a LOGIN {11}\r\nb ID NIL\r\n", ("expected", "literal", 24)),
        (b"a LOGIN {1}\r\n\0\r\n", ("character", "literal", 13)),
    ] {
        assert_eq!(parsed(octets), Err(error), "{}", octets.escape_ascii());
    }
    // The list of ID is for its own reader.
    let list = IdCommand::parse(b"a ID (\"a\" \"b\r\n").unwrap_err();
    assert_eq!(error(list), ("empty", "string", 12));
    let list = IdCommand::parse(b"a ID (\"a\" b\r\n").unwrap().unwrap();
    assert_eq!(
        error(list.parameters().unwrap_err()),
        ("expected", "string", 10)
    );
}
