//! Latches for a program that sends mail with `lettre`: deep-latch brings the connection to the login, lettre
//! logs in and sends.
//!
//! ```text
//! cargo run -p deep-latch --features serde,tokio-rustls --example lettre -- \
//!     --server 127.0.0.1:465 --host smtp.example.com --ca ca.pem --latches latches.json \
//!     --user alice --password secret --from alice@example.com --to bob@example.com
//! ```

use std::{
    error::Error,
    io,
    net::SocketAddr,
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll},
};

use clap::Parser;
use deep_latch::{Login, MailStream, Rewound, SmtpClient, run};
use lettre::{
    Message,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, AsyncTokioStream},
        extension::ClientId,
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

mod setup;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    setup: setup::Common,
    /// The sender
    #[arg(long)]
    from: String,
    /// The recipient
    #[arg(long)]
    to: String,
}

/// What the client calls itself in EHLO.
const DOMAIN: &str = "localhost";

/// What lettre waits for first. The greeting was read already.
const GREETING: &[u8] = b"220 read already\r\n";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    setup::exit(send_mail(&arguments).await)
}

async fn send_mail(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let setup = setup::Setup::try_new(&arguments.setup)?;
    let mut client = SmtpClient::try_new(setup.session().await?, setup.options(), DOMAIN)?;

    // Greeting, EHLO, STARTTLS, the status, what is latched of it, CLIENT: before anything of lettre's.
    let connected = setup.connect(&mut client).await;
    setup::print(&mut client);
    let (_, stream) = connected?;

    let stream = Rewound::new(GREETING.to_vec(), stream);
    let stream = Box::new(Stream(stream, arguments.setup.server));
    let hello = ClientId::Domain(DOMAIN.to_owned());
    let mut smtp = AsyncSmtpConnection::connect_with_transport(stream, &hello).await?;
    let setup::Common { user, password, .. } = &arguments.setup;
    let credentials = Credentials::new(user.clone(), password.clone());
    smtp.auth(&[Mechanism::Plain], &credentials).await?;

    // lettre keeps the stream. That is enough here: over SMTP nothing more is asked after login.
    client.logged_in(Login::Done);
    let mut nothing = tokio::io::empty();
    let resumed = run(&mut client, &mut nothing, setup.store(), setup.account()).await;
    setup::print(&mut client);
    let _ = resumed?;

    let message = Message::builder()
        .from(arguments.from.parse()?)
        .to(arguments.to.parse()?)
        .subject("latched")
        .body("This went over a latched connection.\r\n".to_owned())?;
    let sent = smtp.send(message.envelope(), &message.formatted()).await?;
    println!("sent: {}", sent.code());
    smtp.quit().await?;
    Ok(())
}

/// The stream as lettre takes it.
#[derive(Debug)]
struct Stream(Rewound<Rewound<MailStream<TcpStream>>>, SocketAddr);

impl AsyncTokioStream for Stream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.1)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
