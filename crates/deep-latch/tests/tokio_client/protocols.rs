//! The three protocols over TLS.

use std::{future::poll_fn, pin::Pin};

use super::*;

#[tokio::test]
async fn latches_over_imap_before_and_after_login() {
    const AFTER: Dialogue = &[
        ("", "* OK [CAPABILITY IMAP4rev1 ID] hi\r\n* 3 EXISTS\r\n"),
        ("a LOGIN alice", "a OK\r\n"),
        (
            "deep1 CAPABILITY",
            "* 4 EXISTS\r\n* CAPABILITY IMAP4rev1 DEEP ID\r\ndeep1 OK\r\n",
        ),
        (
            "deep2 ID (",
            "* ID (\"deep\" \"tls10\")\r\n* 5 EXISTS\r\ndeep2 OK\r\n* OK [ALERT] hi ",
        ),
        ("b NOOP", "there\r\n"),
    ];
    for (dialogue, before, after) in [
        (IMAP, &["tls-cert", "tls12"][..], &["tls-cert", "tls12"][..]),
        (AFTER, &[], &["tls10"]),
    ] {
        let world = World::good();
        let store = MemoryLatchStore::default();
        let mut client = ImapClient::new(session(&store).await, options(TlsStart::Implicit));
        let (tcp, served) = serve(Some(world.acceptor.clone()), &[], dialogue).await;
        let connector = world.connector();
        let account = account();
        let connected = connector.connect(&mut client, tcp, &store, &account);
        let (pause, mut stream) = connected.await.unwrap();
        assert_eq!(pause, Pause::LogIn);
        assert_eq!(kept(&store).await.0, before);
        stream.write_all(b"a LOGIN alice x\r\n").await.unwrap();
        stream.flush().await.unwrap();
        // What the server said too early is not lost.
        for expected in ["* 3 EXISTS\r\n", "a OK\r\n"] {
            let mut line = vec![0; expected.len()];
            stream.read_exact(&mut line).await.unwrap();
            assert_eq!(str::from_utf8(&line), Ok(expected));
        }
        let logged_in =
            connector.logged_in(&mut client, Login::Done, &mut stream, &store, &account);
        logged_in.await.unwrap();
        assert_eq!(kept(&store).await.0, after);
        if dialogue.len() > 3 {
            // Nor is what it says in between, and a line that is cut.
            stream.write_all(b"b NOOP\r\n").await.unwrap();
            stream.flush().await.unwrap();
            let expected = "* 4 EXISTS\r\n* 5 EXISTS\r\n* OK [ALERT] hi there\r\n";
            let mut lines = vec![0; expected.len()];
            stream.read_exact(&mut lines).await.unwrap();
            assert_eq!(str::from_utf8(&lines), Ok(expected));
        }
        stream.shutdown().await.unwrap();
        let heard = served.await.unwrap().unwrap();
        assert_eq!(heard.end, Ok(()));
        assert_eq!(heard.lines.len(), dialogue.len() - 1);
    }
}

#[tokio::test]
async fn rewinds_a_stream_before_its_unread_bytes() {
    let mut stream = Rewound::new(b"cd".to_vec(), &b"ef"[..]);
    let mut octets = [0; 1];
    stream.read_exact(&mut octets).await.unwrap();
    stream.rewind(b"ab".to_vec());
    stream.rewind(Vec::new());
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!((octets, &*text), (*b"c", "abdef"));
}

/// A caller may read into a buffer that has octets already: they do not count as octets that were read.
#[tokio::test]
async fn reads_a_rewound_stream_behind_the_octets_of_a_buffer() {
    let mut stream = Rewound::new(b"cd".to_vec(), &b"ef"[..]);
    let mut space = [0; 8];
    let mut buffer = tokio::io::ReadBuf::new(&mut space);
    buffer.put_slice(b"ab");
    for expected in ["abcd", "abcdef", "abcdef"] {
        let read = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer));
        read.await.unwrap();
        assert_eq!(str::from_utf8(buffer.filled()), Ok(expected));
    }
}

#[tokio::test]
async fn latches_over_pop_and_stls() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let mut client = PopClient::new(session(&store).await, options(TlsStart::StartTls));
    let tls = &[("CAPA", "+OK\r\nDEEP tls12\r\n.\r\n")];
    let (tcp, _) = serve(Some(world.acceptor.clone()), POP_CLEAR, tls).await;
    let (pause, _) = connect(&world, &mut client, tcp, &store).await.unwrap();
    assert_eq!(pause, Pause::LogIn);
    assert_eq!(kept(&store).await.0, ["tls12"]);
}

#[tokio::test]
async fn latches_over_smtp_and_starttls_and_reports() {
    let world = World::good();
    let store = MemoryLatchStore::default();
    let session = session(&store).await;
    let mut client =
        SmtpClient::try_new(session, options(TlsStart::StartTls), "[127.0.0.1]").unwrap();
    let clear = &[
        ("", "220 hi\r\n"),
        (
            "EHLO [127.0.0.1]",
            "250-a\r\n250-DEEP tls12\r\n250 STARTTLS\r\n",
        ),
        ("STARTTLS", "220 go\r\n"),
    ];
    let tls = &[
        ("EHLO", "250-a\r\n250 DEEP tls12\r\n"),
        (
            "CLIENT latch=tls12 security-tags=tls10,tls-cert",
            "250 OK\r\n",
        ),
    ];
    let (tcp, _) = serve(Some(world.acceptor.clone()), clear, tls).await;
    let (pause, _) = connect(&world, &mut client, tcp, &store).await.unwrap();
    assert_eq!(pause, Pause::LogIn);
    assert_eq!(kept(&store).await.0, ["tls12"]);
}
