//! The commands after a login that a library does: the library, which may have read ahead, sends them, and its answers
//! come back as responses.

use alloc::vec::Vec;

use crate::{
    client::{Client, Demand, Protocol},
    connection::RunError,
    store::{Account, LatchStore},
};

/// A library that owns a connection.
pub(crate) trait Library {
    /// Sends a command, and returns the server's answer as the client would have read it.
    async fn ask(&mut self, command: &[u8]) -> Result<Vec<u8>, RunError>;
}

/// Does what a client demands after the login.
pub(crate) async fn finish<P: Protocol>(
    client: &mut Client<P>,
    library: &mut impl Library,
    store: &dyn LatchStore,
    account: &Account,
) -> Result<(), RunError> {
    loop {
        match client.demand().map_err(RunError::Client)? {
            Demand::Send(command) => {
                let answer = library.ask(&command).await?;
                client.sent();
                client.receive(&answer);
            }
            // Every command was answered before.
            Demand::Receive => client.end_of_input(),
            Demand::Store => {
                let stored = store.merge(account, client.session().record());
                stored.await.map_err(RunError::Store)?;
                client.stored();
            }
            Demand::Refused(failure) => {
                let handshake = None;
                return Err(RunError::Refused { failure, handshake });
            }
            Demand::RefusedCertificate(failure) => {
                let handshake = None;
                return Err(RunError::Certificate { failure, handshake });
            }
            Demand::StartTls | Demand::LogIn | Demand::Ready => return Ok(()),
        }
    }
}
