//! Standard output and standard error. A full disk is an error that names the stream, a pipe that its reader has closed is
//! not, and neither makes the command panic.

use std::{
    fmt,
    io::{self, Write},
};

/// Writes text to standard output at once. A reader that has seen enough closes the pipe, which is no error.
///
/// # Errors
/// Returns the error of the system, with the name of the stream before it.
pub fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_ref()).and_then(|()| out.flush());
    printed(written)
}

/// Returns the result of writing to standard output as [`print()`] does.
///
/// # Errors
/// Returns the error, with the name of the stream before it, unless the reader has closed the pipe.
pub fn printed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("standard output: {error}"),
        )),
        Ok(()) => Ok(()),
    }
}

/// Writes a line to standard error, after the name of the program. Where this fails, the exit code remains.
pub fn complain(program: &str, text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{program}: {text}");
}
