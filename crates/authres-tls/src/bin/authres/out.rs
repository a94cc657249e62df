//! The streams that the command writes to: each error names its stream, and ends the run.

use std::{
    error::Error,
    fmt,
    io::{self, Write},
};

/// A stream whose errors name it.
pub(crate) struct Out<W> {
    name: &'static str,
    inner: W,
}

impl<W> Out<W> {
    pub(crate) const fn new(name: &'static str, inner: W) -> Self {
        Self { name, inner }
    }
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.inner.write(octets).map_err(|it| named(self.name, it))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush().map_err(|it| named(self.name, it))
    }
}

/// The error of a stream, which ends the run: no other file can be reported either.
#[derive(Debug)]
struct NotWritten(String);

impl fmt::Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NotWritten {}

fn named(name: &str, error: io::Error) -> io::Error {
    match error.kind() {
        // The reader has seen enough; a call is repeated.
        io::ErrorKind::BrokenPipe | io::ErrorKind::Interrupted => error,
        kind => io::Error::new(kind, NotWritten(format!("{name}: {error}"))),
    }
}

/// Returns `true` if the error is one of a stream that the command writes to, and not of one file.
pub(crate) fn ends_run(error: &io::Error) -> bool {
    let is_of_stream = error.get_ref().is_some_and(|it| it.is::<NotWritten>());
    is_of_stream || error.kind() == io::ErrorKind::BrokenPipe
}
