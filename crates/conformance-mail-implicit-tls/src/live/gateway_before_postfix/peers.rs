//! The servers that Postfix asks: one that judges passwords by Dovecot's protocol, and one that takes messages.

use std::{io, net::Ipv4Addr, time::Duration};

use conformance::outcome::Checked;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::live::mailbox::Notes;

/// The time that a client may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A server of Dovecot's authentication protocol, with the user `alice`, whose password is `secret`.
pub(super) struct Logins {
    pub(super) port: u16,
    /// The requests.
    pub(super) notes: Notes,
}

/// A subject of messages that are accepted, and whose reply is late.
pub(super) const HELD: &str = "Subject: held";

/// A server of SMTP that accepts each message.
pub(super) struct Sink {
    pub(super) port: u16,
    /// The messages, without dots that were added.
    pub(super) notes: Notes,
}

impl Logins {
    pub(super) async fn start() -> Checked<Self> {
        let notes = Notes::default();
        let port = serve(notes.clone(), |stream, notes| async move {
            let _ = judge(stream, notes).await;
        })
        .await?;
        Ok(Self { port, notes })
    }
}

impl Sink {
    pub(super) async fn start() -> Checked<Self> {
        let notes = Notes::default();
        let port = serve(notes.clone(), |stream, notes| async move {
            let _ = take(stream, notes).await;
        })
        .await?;
        Ok(Self { port, notes })
    }
}

async fn serve<F: Future<Output = ()> + Send + 'static>(
    notes: Notes,
    server: impl Fn(TcpStream, Notes) -> F + Send + 'static,
) -> Checked<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(server(stream, notes.clone()));
        }
    });
    Ok(port)
}

async fn judge(mut stream: TcpStream, notes: Notes) -> io::Result<()> {
    const GREETING: &[u8] =
        b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n";
    stream.write_all(GREETING).await?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let words: Vec<_> = line.trim_end().split('\t').collect();
        let (id, response) = match words.as_slice() {
            ["AUTH", id, arguments @ ..] => {
                notes.add(words[..words.len().min(8)].join("\t"));
                let mut arguments = arguments.iter();
                (*id, arguments.find_map(|it| it.strip_prefix("resp=")))
            }
            ["CONT", id, response] => (*id, Some(*response)),
            _ => ("", None),
        };
        let answer = match response {
            _ if id.is_empty() => String::new(),
            None => format!("CONT\t{id}\t\n"),
            // `\0alice\0secret`
            Some("AGFsaWNlAHNlY3JldA==") => format!("OK\t{id}\tuser=alice\n"),
            Some(_) => format!("FAIL\t{id}\tuser=alice\n"),
        };
        stream.get_mut().write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

async fn take(stream: TcpStream, notes: Notes) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"220 sink\r\n").await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "DATA" => b"354 go\r\n",
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        stream.get_mut().write_all(reply).await?;
        line.clear();
        if verb == "DATA" {
            let mut message = String::new();
            while stream.read_line(&mut line).await? > 0 && line != ".\r\n" {
                message += line.strip_prefix('.').unwrap_or(&line);
                line.clear();
            }
            line.clear();
            let is_held = message.contains(HELD);
            notes.add(message);
            if is_held {
                tokio::time::sleep(PATIENCE).await;
            }
            stream.get_mut().write_all(b"250 ok\r\n").await?;
        }
    }
    Ok(())
}
