//! Latches for a program that sends mail with `lettre`: deep-latch connects up to the login, lettre logs in and sends.
//!
//! ```text
//! cargo run -p deep-latch --features file-store,lettre --example lettre -- \
//!     --server 127.0.0.1:465 --host smtp.example.com --ca ca.pem --latches latches.json \
//!     --user alice --password secret --from alice@example.com --to bob@example.com
//! ```

use std::{error::Error, process::ExitCode};

use clap::Parser;
use deep_latch::{SmtpClient, connection::SmtpConnectionError};
use lettre::{
    Message,
    transport::smtp::authentication::{Credentials, Mechanism},
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

/// The name of the client in EHLO.
const DOMAIN: &str = "localhost";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    setup::exit(send_mail(&arguments).await)
}

async fn send_mail(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let setup = setup::Setup::try_new(&arguments.setup)?;
    let client = SmtpClient::try_new(setup.session().await?, setup.options(), DOMAIN)?;

    // Greeting, EHLO, STARTTLS, the status, its latches and CLIENT precede the commands of lettre.
    let tcp = setup.tcp().await?;
    let (store, account) = (setup.store(), setup.account());
    let connected = setup
        .connector()
        .connect_lettre(client, tcp, store, account);
    let mut connection = connected.await.map_err(ended)?;
    setup.print(connection.take_events());

    let setup::Common { user, password, .. } = &arguments.setup;
    let credentials = Credentials::new(user.clone(), password.clone());
    let logged_in = connection.auth(&[Mechanism::Plain], &credentials).await;
    let (mut smtp, events) = logged_in.map_err(ended)?;
    setup.print(events);

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

fn ended(error: SmtpConnectionError) -> Box<dyn Error> {
    match error {
        SmtpConnectionError::Run(error) => error.into(),
        error => error.into(),
    }
}
