//! Latches for a program that uses `async-imap`: deep-latch brings the connection to the login, async-imap
//! logs in and reads mail, and in between deep-latch looks once more at what the server advertises.
//!
//! ```text
//! cargo run -p deep-latch --features serde,tokio-rustls --example async_imap -- \
//!     --server 127.0.0.1:993 --host imap.example.com --ca ca.pem --latches latches.json \
//!     --user alice --password secret
//! ```

use std::{error::Error, process::ExitCode};

use clap::Parser;
use deep_latch::{ImapClient, Login, Pause, run};

mod setup;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    setup: setup::Common,
    /// The mailbox to look into
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
    let mut client = ImapClient::new(setup.session().await?, setup.options());

    // Greeting, STARTTLS, the status, and what is latched of it: before anything of async-imap's.
    let connected = setup.connect(&mut client).await;
    setup::print(&mut client);
    let (pause, stream) = connected?;
    if pause != Pause::LogIn {
        return Err("the server needs no login".into());
    }

    // The greeting is read already, so that async-imap can log in at once.
    let imap = async_imap::Client::new(stream);
    let (user, password) = (&arguments.setup.user, &arguments.setup.password);
    let mut session = (imap.login(user, password).await).map_err(|(error, _)| error)?;

    // By SCRAM with channel binding it would be `Login::ScramPlus`, which vouches for the server.
    client.logged_in(Login::Done);
    let resumed = run(
        &mut client,
        session.as_mut(),
        setup.store(),
        setup.account(),
    )
    .await;
    setup::print(&mut client);
    let _ = resumed?;

    let mailbox = session.select(&arguments.mailbox).await?;
    println!("{}: {} messages", arguments.mailbox, mailbox.exists);
    session.logout().await?;
    Ok(())
}
