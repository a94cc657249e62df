//! Latches for a program that uses `async-imap`: deep-latch connects up to the login, async-imap logs in and reads
//! mail.
//!
//! ```text
//! cargo run -p deep-latch --features async-imap,file-store --example async_imap -- \
//!     --server 127.0.0.1:993 --host imap.example.com --ca ca.pem --latches latches.json \
//!     --user alice --password secret
//! ```

use std::{error::Error, process::ExitCode};

use clap::Parser;
use deep_latch::{ImapClient, connection::ImapLoginError};

mod setup;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    setup: setup::Common,
    /// Mailbox to open
    #[arg(long, default_value = "INBOX")]
    mailbox: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    setup::exit(read_mail(&arguments).await)
}

async fn read_mail(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let setup = setup::Setup::try_new(&arguments.setup)?;
    let client = ImapClient::new(setup.session().await?, setup.options());

    // Greeting, STARTTLS, the status and its latches precede the commands of async-imap.
    let tcp = setup.tcp().await?;
    let (store, account) = (setup.store(), setup.account());
    let connected = setup
        .connector()
        .connect_async_imap(client, tcp, store, account);
    let mut connection = connected.await?;
    setup.print(connection.take_events());

    let (user, password) = (&arguments.setup.user, &arguments.setup.password);
    let logged_in = connection.login(user, password).await;
    let (mut session, events) = logged_in.map_err(|error| -> Box<dyn Error> {
        match error {
            ImapLoginError::Run(error) => error.into(),
            error => error.into(),
        }
    })?;
    setup.print(events);

    let mailbox = session.select(&arguments.mailbox).await?;
    println!("{}: {} messages", arguments.mailbox, mailbox.exists);
    session.logout().await?;
    Ok(())
}
