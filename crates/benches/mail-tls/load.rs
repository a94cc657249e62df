//! The clients and the backend beside which `gateway.py` measures servers: `mail-load backend` and `mail-load handshakes`.
#![allow(clippy::print_stdout, reason = "the output is the result")]

use std::{
    env,
    error::Error,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    thread,
    time::Instant,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, SignatureScheme, Stream,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Takes any certificate: servers are measured, not judged, and a client's own cost should be small.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn config(is_resumed: bool) -> Outcome<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Any(provider.clone()));
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = builder.with_no_client_auth();
    if !is_resumed {
        config.resumption = Resumption::disabled();
    }
    Ok(config)
}

/// Makes a handshake and reads the greeting, with which the tickets arrive.
fn handshake(address: &str, config: &Arc<ClientConfig>, kind: HandshakeKind) -> Outcome<()> {
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_nodelay(true)?;
    let mut client = ClientConnection::new(config.clone(), ServerName::try_from("localhost")?)?;
    let mut stream = Stream::new(&mut client, &mut tcp);
    let mut greeting = [0; 512];
    let mut last = 0;
    while last != b'\n' {
        let count = stream.read(&mut greeting)?;
        last = *greeting
            .get(..count)
            .and_then(<[u8]>::last)
            .ok_or("no greeting")?;
    }
    let made = client.handshake_kind();
    if made != Some(kind) {
        return Err(format!("{kind:?} handshake expected but {made:?} found").into());
    }
    Ok(())
}

/// Makes handshakes with so many clients at once, and prints the number of them in a second.
fn handshakes(address: &str, clients: usize, count: usize, is_resumed: bool) -> Outcome<()> {
    let next = AtomicUsize::new(0);
    let run = || -> Outcome<()> {
        let config = Arc::new(config(is_resumed)?);
        let mut kind = HandshakeKind::Full;
        if is_resumed {
            handshake(address, &config, kind)?;
            kind = HandshakeKind::Resumed;
        }
        while next.fetch_add(1, Ordering::Relaxed) < count {
            handshake(address, &config, kind)?;
        }
        Ok(())
    };
    let begin = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Outcome::Ok(())
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("{}", f64::from(u32::try_from(count)?) / seconds);
    Ok(())
}

/// Serves IMAP: `FETCH n` is answered with n MiB and a line.
fn serve(mut tcp: TcpStream) -> io::Result<()> {
    const CAPABILITIES: &str = "IMAP4rev1 AUTH=PLAIN IDLE";
    let chunk = vec![b'x'; 1 << 20];
    tcp.set_nodelay(true)?;
    write!(tcp, "* OK [CAPABILITY {CAPABILITIES}] ready\r\n")?;
    let mut lines = BufReader::new(tcp.try_clone()?);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        // nginx logs in with literals.
        let mut literal = line.clone();
        while literal.trim_end().ends_with('}') {
            tcp.write_all(b"+ go on\r\n")?;
            literal.clear();
            lines.read_line(&mut literal)?;
        }
        let mut words = line.split_ascii_whitespace();
        let tag = words.next().unwrap_or("*");
        let reply = match words
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase()
            .as_str()
        {
            "LOGIN" => format!("{tag} OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"),
            "CAPABILITY" => format!("* CAPABILITY {CAPABILITIES}\r\n{tag} OK done\r\n"),
            "FETCH" => {
                let count = words.next().and_then(|it| it.parse().ok()).unwrap_or(0);
                for _ in 0..count {
                    tcp.write_all(&chunk)?;
                }
                format!("\r\n{tag} OK done\r\n")
            }
            "IDLE" => "+ idling\r\n".to_owned(),
            _ => format!("{tag} OK done\r\n"),
        };
        tcp.write_all(reply.as_bytes())?;
        line.clear();
    }
    Ok(())
}

/// Prints the port, and serves until it is ended.
fn backend() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (tcp, _) = listener.accept()?;
        // A client that is gone is no error.
        thread::Builder::new()
            .stack_size(1 << 17)
            .spawn(|| serve(tcp))?;
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["backend"] => backend(),
        [
            "handshakes",
            address,
            clients,
            count,
            kind @ ("full" | "resumed"),
        ] => handshakes(
            address,
            clients.parse()?,
            count.parse()?,
            *kind == "resumed",
        ),
        _ => {
            Err("usage: mail-load backend | handshakes HOST:PORT CLIENTS COUNT full|resumed".into())
        }
    }
}
