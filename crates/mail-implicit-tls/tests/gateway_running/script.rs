//! Servers of POP and Submission in clear text, which note what they receive.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use crate::world::serve;

/// The answers of a server to lines.
pub(crate) type Replies = fn(&str) -> &'static str;

/// A server that answers each line by a function.
pub(crate) struct Script {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl Script {
    pub(crate) async fn start(greeting: &'static str, reply: Replies) -> Self {
        let received = Arc::<Mutex<Vec<String>>>::default();
        let lines = received.clone();
        let address = serve(move |tcp| answer(tcp, greeting, reply, lines.clone())).await;
        Self { address, received }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

/// Answers the lines of one connection, whose greeting may be empty.
pub(crate) async fn answer<S>(
    stream: S,
    greeting: &str,
    reply: Replies,
    received: Arc<Mutex<Vec<String>>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let _ = stream.write_all(greeting.as_bytes()).await;
    let _ = stream.flush().await;
    let mut line = String::new();
    while let Ok(1..) = stream.read_line(&mut line).await {
        let reply = reply(line.trim_end());
        received.lock().unwrap().push(line.trim_end().to_owned());
        line.clear();
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
        let _ = stream.flush().await;
        if ["221", "+OK bye", "* BYE"]
            .iter()
            .any(|it| reply.starts_with(it))
        {
            return;
        }
    }
}

pub(crate) const POP_GREETING: &str = "+OK ready\r\n";

/// Answers a command of POP.
pub(crate) fn pop(line: &str) -> &'static str {
    match line {
        "CAPA" => "+OK\r\nUSER\r\nSTLS\r\nSASL PLAIN SCRAM-SHA-1-PLUS\r\n.\r\n",
        "USER alice" => "+OK name\r\n",
        "PASS right" => "+OK in\r\n",
        "RETR 1" => "+OK follows\r\nSubject: x\r\n\r\n..dot\r\n.\r\n",
        "QUIT" => "+OK bye\r\n",
        _ => "-ERR [AUTH] no\r\n",
    }
}

pub(crate) const SUBMISSION_GREETING: &str = "220 mx ESMTP\r\n";

/// Answers a line of Submission. A line of a message has no answer.
pub(crate) fn submission(line: &str) -> &'static str {
    let verb = line.split(' ').next().unwrap_or_default();
    match verb {
        "EHLO" => "250-mx\r\n250-STARTTLS\r\n250-XCLIENT ADDR PORT\r\n250 AUTH PLAIN\r\n",
        "XCLIENT" => "220 mx ESMTP\r\n",
        "AUTH" if line == "AUTH PLAIN AGFsaWNlAHJpZ2h0" => "235 2.7.0 in\r\n",
        "AUTH" => "535 5.7.8 no\r\n",
        "MAIL" | "RCPT" | "RSET" => "250 2.0.0 ok\r\n",
        "DATA" => "354 go\r\n",
        "." => "250 2.0.0 queued\r\n",
        "QUIT" => "221 2.0.0 bye\r\n",
        _ => "",
    }
}
