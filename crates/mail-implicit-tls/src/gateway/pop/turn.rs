//! The turns of client, gateway and backend.

/// The side that has to send next.
#[derive(Debug)]
pub(super) enum Turn {
    /// The backend: the greeting is expected.
    Greeting,
    /// The client: a command is expected.
    Command,
    /// The backend: the reply to a command is expected.
    Reply(Reply),
    /// The backend: the lines of a reply are expected.
    Lines(List, Vec<Vec<u8>>),
    /// The client: a line that the backend asked for is expected.
    Response,
    /// The client: a response of EXTERNAL is expected, which the gateway asked for.
    External,
    /// Both sides: the session is a pipe.
    Pipe,
    /// The session has ended.
    Over,
}

/// The reply that is expected.
#[derive(Debug)]
pub(super) enum Reply {
    /// One line, for the gateway.
    Xclient,
    /// One line.
    Line,
    /// One line, after which a password may follow.
    User,
    /// One line, after which the client may be logged in.
    Login,
    /// One line, after which the session ends.
    Quit,
    /// A request for a line of the client, or one line after which the client may be logged in.
    Sasl,
    /// A request for this line of the gateway.
    Message(Vec<u8>),
    /// Several lines if it begins with `+OK`.
    List(List),
}

/// The lines of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Capabilities, of CAPA.
    Capabilities,
    /// SASL mechanisms, of AUTH without an argument.
    Mechanisms,
    /// Languages, of LANG without an argument.
    Languages,
}
