//! A server in clear text that answers each line by a function.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// The answers of a server to lines.
pub(crate) type Replies = fn(&str) -> &'static str;

/// A server that answers each line by a function, and notes it. After COMPRESS it returns each octet with its bits inverted.
pub(crate) struct Script {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl Script {
    pub(crate) fn start(greeting: &'static str, reply: Replies) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<String>>>::default();
        let lines = received.clone();
        thread::spawn(move || {
            for tcp in listener.incoming() {
                let lines = lines.clone();
                thread::spawn(move || answer(tcp.unwrap(), greeting, reply, &lines));
            }
        });
        Self { address, received }
    }

    /// Returns the lines that the server received, of all connections.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    /// Forgets the lines so far.
    pub(crate) fn forget(&self) {
        self.received.lock().unwrap().clear();
    }
}

fn answer(tcp: TcpStream, greeting: &str, reply: Replies, lines: &Mutex<Vec<String>>) {
    let mut writer = tcp.try_clone().unwrap();
    let _ = writer.write_all(greeting.as_bytes());
    let mut reader = BufReader::new(tcp);
    let mut line = String::new();
    while let Ok(1..) = reader.read_line(&mut line) {
        let text = line.trim_end_matches(['\r', '\n']).to_owned();
        let reply = reply(&text);
        let is_binary = text.ends_with(" COMPRESS DEFLATE");
        lines.lock().unwrap().push(text);
        line.clear();
        if writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
        let mut octets = [0; 4096];
        while is_binary && let Ok(count @ 1..) = reader.read(&mut octets) {
            let octets: Vec<u8> = octets[..count].iter().map(|it| !it).collect();
            let _ = writer.write_all(&octets);
        }
    }
}
