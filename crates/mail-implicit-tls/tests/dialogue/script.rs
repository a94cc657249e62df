//! Scripts of dialogues, played octet by octet and at once.

use mail_implicit_tls::{
    dialogue::{Demand, Dialogue, DialogueError, Ready},
    service::Service,
};

/// The turns of a connection: the server sends, or the client must have sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn<'a> {
    Server(&'a str),
    Client(&'a str),
    /// The TLS handshake is made.
    Tls,
    /// The server closes the connection.
    Close,
}

use Turn::{Client, Close, Server, Tls};

/// Plays a script, with the server's octets in pieces of this size.
pub(crate) fn play_in(
    pieces: usize,
    service: Service,
    script: &[Turn<'_>],
) -> Result<Ready, DialogueError> {
    let mut dialogue = Dialogue::new(service);
    for turn in script {
        match turn {
            Server(text) => {
                for piece in text.as_bytes().chunks(pieces) {
                    dialogue.receive(piece);
                }
            }
            Client(text) => {
                let expected = Demand::Send(text.as_bytes().to_vec());
                assert_eq!(dialogue.demand()?, expected);
                assert_eq!(
                    dialogue.demand()?,
                    expected,
                    "a demand is repeated until it is done"
                );
                dialogue.sent();
            }
            Tls => {
                assert_eq!(dialogue.demand()?, Demand::StartTls);
                dialogue.encrypted();
            }
            Close => dialogue.closed(),
        }
    }
    match dialogue.demand()? {
        Demand::Done(ready) => Ok(*ready),
        other => panic!("the dialogue is not complete: {other:?}"),
    }
}

/// Plays a script with octets one by one and all at once; the results must be the same.
#[track_caller]
pub(crate) fn play(service: Service, script: &[Turn<'_>]) -> Result<Ready, DialogueError> {
    let at_once = play_in(usize::MAX, service, script);
    assert_eq!(play_in(1, service, script), at_once);
    at_once
}

#[track_caller]
pub(crate) fn fails(service: Service, script: &[Turn<'_>], error: DialogueError) {
    assert_eq!(play(service, script), Err(error));
}

pub(crate) fn items(ready: &Ready) -> Vec<&str> {
    ready
        .capabilities
        .items()
        .iter()
        .map(String::as_str)
        .collect()
}

pub(crate) const EHLO: Turn<'static> = Client("EHLO [127.0.0.1]\r\n");
pub(crate) const CAPABILITY: Turn<'static> = Client("c CAPABILITY\r\n");
pub(crate) const TLS_CAPABILITY: Turn<'static> = Client("t CAPABILITY\r\n");
