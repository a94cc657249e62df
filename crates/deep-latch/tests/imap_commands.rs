//! Commands of IMAP as a server or a proxy reads them from a connection.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant};

use deep_latch::{
    ParseError,
    imap::{CommandReader, IdParameters, MAX_ID_COMMAND_BYTES, Received},
};
use proptest::prelude::*;

type Error = (&'static str, &'static str, usize);

use Read::{Command, Continue, Line, Refused};

#[test]
fn reads_commands_with_their_literals() {
    for octets in [
        &b""[..],
        b"a001",
        b"a001 ID NIL\r",
        b"a001 ID ({4}\r\nnam",
        b"a001 ID ({4}\r\nname NIL)",
        b"a001 ID ({4+}\r\n",
        b"a001 ID ({4+}\r\nname {3+}\r\n",
        b"a001 ID ({4+}\r\nname {0+}\r\n",
    ] {
        assert_eq!(read(octets), []);
    }
    for octets in [
        &b"a001 ID ({4}\r\n"[..],
        b"a001 ID ({0}\r\n",
        b"a001 ID ({4}\r\nname {1024}\r\n",
        b"a LOGIN ~{0007}\r\n",
    ] {
        assert_eq!(read(octets), [Continue]);
    }
    let mut reader = CommandReader::new();
    reader.receive(b"a001 ID ({4}\r\n");
    assert_eq!(next(&mut reader), Some(Continue));
    // One request for one literal.
    assert_eq!(next(&mut reader), None);
    reader.receive(b"name {000}\r\n");
    assert_eq!(next(&mut reader), Some(Continue));
    reader.receive(b")\r\nb NOOP\r\nDONE\r\n");
    let id = b"a001 ID ({4}\r\nname {000}\r\n)\r\n";
    assert_eq!(next(&mut reader), Some(command(id)));
    assert_eq!(reader.tag(), Some("a001"));
    assert_eq!(next(&mut reader), Some(command(b"b NOOP\r\n")));
    assert_eq!(next(&mut reader), Some(Line(b"DONE\r\n".to_vec())));
    assert_eq!(next(&mut reader), None);
}

#[test]
fn reads_what_follows_a_literal() {
    let octets = b"a ID ({4}\r\nna\r\n {2+}\r\n\r\n)\r\nb NOOP\r\nc LOGIN {3}\r\nb ID {1}\r\nx y\r\nd NOOP\r\n";
    let expected = [
        command(b"a ID ({4}\r\nna\r\n {2+}\r\n\r\n)\r\n"),
        command(b"b NOOP\r\n"),
        Refused(("character", "command", 17), Some("c".to_owned())),
        Refused(("expected", "tag", 1), None),
        command(b"d NOOP\r\n"),
    ];
    // What stands behind the literal of LOGIN is no argument.
    let read_now = read(octets);
    assert_eq!(read_now[..2], expected[..2]);
    assert_eq!(read_now.last(), Some(&command(b"d NOOP\r\n")));
    assert_eq!(read_one_by_one(octets), read_now);
    let append =
        b"a APPEND INBOX (\\Seen) \"1-Jan-2026 00:00:00 +0000\" {6+}\r\nb NOOP\r\nc NOOP\r\n";
    assert_eq!(
        read(append),
        [command(&append[..append.len() - 8]), command(b"c NOOP\r\n")]
    );
}

#[test]
fn reads_lines_that_are_no_commands() {
    for line in [
        &b"\r\n"[..],
        b"*\r\n",
        b"DONE\r\n",
        b"AGFsaWNlAHNlY3JldA==\r\n",
        b"=\r\n",
        b"+/\r\n",
    ] {
        assert_eq!(read(line), [Line(line.to_vec())]);
    }
    for line in [&b"a-b\r\n"[..], b"**\r\n", b"x{3+}\r\n", b"\"\r\n"] {
        let [Refused((_, field, _), _)] = &read(line)[..] else {
            panic!("{:?}", read(line));
        };
        assert_eq!(*field, "tag");
    }
}

#[test]
fn takes_for_a_literal_only_what_the_grammar_has_as_one() {
    let behind = b"\r\nb NOOP\r\n";
    for (line, refused) in [
        (&b"a NOOP x{8+}"[..], ("trailing", "command", 6)),
        (b"a NOOP {8+}", ("trailing", "command", 6)),
        (b"a NOOP {8}", ("trailing", "command", 6)),
        (b"a CAPABILITY {8+}", ("trailing", "command", 12)),
        (b"a logout {8+}", ("trailing", "command", 8)),
        (b"a XSOMETHING {8+}", ("character", "command", 13)),
        (b"a AUTHENTICATE PLAIN {8+}", ("character", "command", 21)),
        (b"a LOGIN x{8+}", ("character", "command", 9)),
        (b"a LOGIN \"x\"{8+}", ("character", "command", 11)),
        (b"a LOGIN \"x{8+}", ("empty", "string", 14)),
        (b"a LOGIN {x}", ("expected", "literal", 9)),
        (b"a LOGIN {}", ("expected", "literal", 9)),
        (b"a LOGIN {+}", ("expected", "literal", 9)),
        (b"a LOGIN {8++}", ("expected", "literal", 11)),
        (b"a LOGIN {8-}", ("expected", "literal", 10)),
        (b"a LOGIN {-8}", ("expected", "literal", 9)),
        (b"a LOGIN { 8}", ("expected", "literal", 9)),
        (b"a LOGIN {8} ", ("expected", "literal", 11)),
        (b"a LOGIN {8", ("empty", "literal", 10)),
        (b"a LOGIN ~{8", ("empty", "literal", 11)),
        (b"a LOGIN 8}(", ("character", "command", 10)),
        (b"a LOGIN  {8+}", ("extra-space", "command", 8)),
        (b"a LOGIN\t{8+}", ("character", "command", 7)),
        (b"a LOGIN (x", ("empty", "command", 10)),
        (b"a LOGIN x)", ("character", "command", 9)),
        (b"a LOGIN (x) )", ("character", "command", 12)),
        (b"a LOGIN x ", ("empty", "command", 10)),
        (b"a LOGIN \"\\x\"", ("expected", "string", 10)),
        (b"a LOGIN a\\b", ("character", "command", 9)),
        (b"a \x1b[ID", ("expected", "command", 2)),
    ] {
        let octets = [line, behind].concat();
        let expected = [
            Refused(refused, Some("a".to_owned())),
            command(b"b NOOP\r\n"),
        ];
        assert_eq!(read(&octets), expected, "{}", line.escape_ascii());
        assert_eq!(read_one_by_one(&octets), expected);
    }
    // These have the same octets in a string, where they are text.
    for line in [
        &b"a LOGIN \"x{8+}\" \"{5}\"\r\n"[..],
        b"a LOGIN \"\\\"{8+}\" \"\\\\\"\r\n",
        b"a FETCH 1 BODY[HEADER.FIELDS (DATE \"FROM\")]<0.100>\r\n",
        b"a UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS ({4+}\r\nDate)] UID)\r\n",
        b"a LIST \"\" %/*\r\n",
        b"a LIST () \"\" (\"a*\" b) RETURN (STATUS (MESSAGES))\r\n",
        b"a STORE 1 +FLAGS.SILENT (\\Deleted $x)\r\n",
        b"a SEARCH CHARSET UTF-8 TEXT {3+}\r\n\xc3\xa9x\r\n",
        b"a LOGIN \xc2\xa9 x\r\n",
    ] {
        let seen = read(line);
        if line.contains(&b'\xa9') && line.contains(&0xc2) {
            assert_eq!(
                seen,
                [Refused(("character", "command", 8), Some("a".to_owned()))]
            );
        } else {
            assert_eq!(seen, [command(line)], "{}", line.escape_ascii());
        }
    }
}

#[test]
fn refuses_cr_lf_and_nul_at_once_and_goes_on_behind_the_next_crlf() {
    for (octets, refused, tag) in [
        (
            &b"a NOOP\nb ID (\"tls\" \"A_LIE\")"[..],
            ("character", "command", 6),
            Some("a"),
        ),
        (
            b"a NOOP\rb ID (\"tls\" \"A_LIE\")",
            ("character", "command", 6),
            Some("a"),
        ),
        (
            b"a NOOP\0\nb ID (\"tls\" \"A_LIE\")",
            ("character", "command", 6),
            Some("a"),
        ),
        (b"a LOGIN \"\r\r", ("character", "command", 9), Some("a")),
        (
            b"a LOGIN {1+}\r\n\0 x\ny",
            ("character", "literal", 14),
            Some("a"),
        ),
        (
            b"a ID ({1+}\r\nx\n",
            ("character", "command", 13),
            Some("a"),
        ),
    ] {
        // Also before the line ends.
        let tag = tag.map(str::to_owned);
        assert_eq!(
            read(octets),
            [Refused(refused, tag.clone())],
            "{}",
            octets.escape_ascii()
        );
        let octets = [octets, b"\r\nc NOOP\r\n"].concat();
        let expected = [Refused(refused, tag), command(b"c NOOP\r\n")];
        assert_eq!(read(&octets), expected);
        assert_eq!(read_one_by_one(&octets), expected);
    }
    // Lines before NUL are of the literal.
    let octets = b"a LOGIN {14+}\r\nb NOOP\r\nc X\r\n\0 x\r\nd NOOP\r\n";
    let refused = ("character", "literal", 28);
    let expected = [
        Refused(refused, Some("a".to_owned())),
        command(b"d NOOP\r\n"),
    ];
    assert_eq!(read(octets), expected);
    assert_eq!(read_one_by_one(octets), expected);
    // RFC 3516: a literal that may have NUL.
    let binary = b"a APPEND x ~{2+}\r\n\0\n\r\n";
    assert_eq!(read(binary), [command(binary)]);
}

#[test]
fn keeps_the_limits() {
    for (octets, at) in [
        (&b"a ID ({1025}\r\n"[..], 12),
        (b"a ID ({1025+}\r\n", 13),
        (b"a ID ({1+}\r\nx {99999999999999999999999}\r\n", 39),
    ] {
        let refused = Refused(("limit", "literal", at), Some("a".to_owned()));
        // And it stays refused.
        assert_eq!(read(octets), vec![refused; 64]);
    }
    let too_long = ("limit", "command", MAX_ID_COMMAND_BYTES);
    let longest = [b"a X ", &vec![b'a'; MAX_ID_COMMAND_BYTES - 6][..], b"\r\n"].concat();
    assert_eq!(read(&longest), [command(&longest)]);
    assert_eq!(read(&longest[..longest.len() - 1]), []);
    let longer = [b"a", &longest[..]].concat();
    assert!(matches!(&read(&longer)[0], Refused(error, _) if *error == too_long));
    assert_eq!(read(&vec![b'a'; MAX_ID_COMMAND_BYTES]), []);
    let endless = vec![b'a'; MAX_ID_COMMAND_BYTES + 1];
    assert_eq!(read_one_by_one(&endless), [Refused(too_long, None)]);
    let many = "a ID (".to_owned() + &format!("{{1000+}}\r\n{} ", "x".repeat(1000)).repeat(45);
    assert_eq!(
        read_one_by_one(many.as_bytes()),
        [Refused(too_long, Some("a".to_owned()))]
    );
    // The largest that RFC 2971 allows fits.
    let mut largest = IdParameters::new();
    for number in 0..30 {
        let value = "\r\n".repeat(512);
        largest
            .try_push(format!("{number:030}"), Some(value))
            .unwrap();
    }
    let largest = format!("a001 ID {largest}\r\n");
    assert_eq!(read(largest.as_bytes()), [command(largest.as_bytes())]);

    let mut reader = CommandReader::with_limits(1_000_000, 900_000);
    let append = [
        b"a APPEND x {900000+}\r\n",
        &vec![b'\n'; 900_000][..],
        b"\r\n",
    ]
    .concat();
    reader.receive(&append);
    assert_eq!(reader.next_command(), Ok(Received::Command(&append)));
}

/// In a build for tests on a busy machine: a second would be 20 times what it takes, and a reader that begins
/// anew with each octet takes minutes.
#[test]
fn takes_time_linear_in_the_octets_however_they_are_cut() {
    let value = format!("\"{}\"", "x".repeat(1000));
    let list: Vec<_> = (0..30)
        .map(|number| format!("\"{number}\" {value}"))
        .collect();
    let id = format!("a ID ({})\r\n", list.join(" "));
    let pipelined = "a NOOP\r\n".repeat(20_000);
    let began = Instant::now();
    let mut reader = CommandReader::new();
    for _ in 0..10 {
        for octet in id.as_bytes() {
            reader.receive(&[*octet]);
            let _ = next(&mut reader);
        }
    }
    reader.receive(pipelined.as_bytes());
    let commands = std::iter::from_fn(|| next(&mut reader)).count();
    assert_eq!(commands, 20_000);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}

/// A string of IMAP, as a client may write it.
fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z \\\\\"()\\r\\n]{0,8}".prop_map(|text| format!("{{{}+}}\r\n{text}", text.len())),
        "[a-z \\\\\"(){}+0-9]{0,8}".prop_map(|text| {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }),
        Just("{3}\r\ntls".to_owned()),
    ]
}

proptest! {
    /// A command is found once it is complete, and the octets after it make no difference.
    #[test]
    fn finds_a_command_when_it_is_whole(
        pairs in prop::collection::vec((string(), string()), 1..4),
        behind in "[a-z\\r\\n{}]{0,4}",
    ) {
        let pairs: Vec<_> = pairs.into_iter().map(|(field, value)| format!("{field} {value}")).collect();
        let id = format!("a ID ({})\r\n", pairs.join(" "));
        let all = format!("{id}{behind}");
        for length in 0..=all.len() {
            let octets = &all.as_bytes()[..length];
            let mut reader = CommandReader::new();
            reader.receive(octets);
            let first = next(&mut reader);
            if length >= id.len() {
                prop_assert_eq!(first, Some(command(id.as_bytes())));
            } else if octets.ends_with(b"{3}\r\n") {
                prop_assert_eq!(first, Some(Continue));
            } else {
                prop_assert_eq!(first, None);
            }
        }
    }

    /// Any octets are read alike however they are cut, and what is read is in the octets.
    #[test]
    fn reads_any_octets_alike_however_they_are_cut(
        octets in prop::collection::vec(
            prop_oneof![Just(b"a ".to_vec()), Just(b"ID ".to_vec()), Just(b"LOGIN ".to_vec()),
                Just(b"\r\n".to_vec()), Just(b"{1}\r\n".to_vec()), Just(b"{3+}\r\n".to_vec()),
                Just(b"\"".to_vec()), Just(b"(".to_vec()), Just(b")".to_vec()),
                prop::collection::vec(any::<u8>(), 1..3)], 0..20),
    ) {
        let octets = octets.concat();
        let whole = read(&octets);
        let without: Vec<_> = whole.iter().filter(|it| **it != Continue).cloned().collect();
        prop_assert_eq!(read_one_by_one(&octets), without);
        for read in &whole {
            if let Command(found) | Line(found) = read {
                prop_assert!(octets.windows(found.len()).any(|part| part == found));
            }
        }
    }
}

fn error(error: ParseError) -> Error {
    (error.kind().name(), error.field(), error.offset())
}

/// The result of a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Read {
    Continue,
    Command(Vec<u8>),
    Line(Vec<u8>),
    Refused(Error, Option<String>),
}

fn next(reader: &mut CommandReader) -> Option<Read> {
    Some(match reader.next_command() {
        Ok(Received::Incomplete) => return None,
        Ok(Received::Continue) => Continue,
        Ok(Received::Command(command)) => Command(command.to_vec()),
        Ok(Received::Line(line)) => Line(line.to_vec()),
        Err(refused) => Refused(error(refused), reader.tag().map(str::to_owned)),
    })
}

/// Reads octets that arrive at once.
fn read(octets: &[u8]) -> Vec<Read> {
    let mut reader = CommandReader::new();
    reader.receive(octets);
    std::iter::from_fn(|| next(&mut reader)).take(64).collect()
}

/// Reads octets that arrive one by one, without the continuation requests.
fn read_one_by_one(octets: &[u8]) -> Vec<Read> {
    let mut reader = CommandReader::new();
    let mut read = Vec::new();
    for octet in octets {
        reader.receive(&[*octet]);
        while let Some(next) = next(&mut reader) {
            let last = matches!(next, Refused((kind, ..), _) if kind == "limit");
            if next != Continue {
                read.push(next);
            }
            if last {
                return read;
            }
        }
    }
    read
}

fn command(octets: &[u8]) -> Read {
    Command(octets.to_vec())
}
