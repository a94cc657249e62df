//! Runs a command and passes its lines on as they are printed.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

/// The time after which a silent command is reported as running.
const SILENCE: Duration = Duration::from_secs(1);

/// A line that a command printed, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// On standard output.
    Out(String),
    /// On standard error.
    Err(String),
}

/// Runs a command. `seen` is called with each line, and with `None` after each second of silence.
///
/// The outputs are read to their end. A process that the command started and left may hold them open: after a second of
/// silence since the end of the command, nothing more is read.
pub(crate) fn stream(
    command: &mut Command,
    mut seen: impl FnMut(Option<Line>) -> io::Result<()>,
) -> io::Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (sender, lines) = channel();
    if let Some(out) = child.stdout.take() {
        let sender = sender.clone();
        thread::spawn(move || read(out, &sender, Line::Out));
    }
    if let Some(err) = child.stderr.take() {
        thread::spawn(move || read(err, &sender, Line::Err));
    }
    loop {
        let outcome = match lines.recv_timeout(SILENCE) {
            Ok(line) => seen(Some(line)),
            Err(RecvTimeoutError::Timeout) => match child.try_wait()? {
                Some(status) => return Ok(status),
                None => seen(None),
            },
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if let Err(error) = outcome {
            // The command is not left behind: nobody reads what it prints.
            child.kill()?;
            child.wait()?;
            return Err(error);
        }
    }
    child.wait()
}

fn read(from: impl Read, sender: &Sender<Line>, line: fn(String) -> Line) {
    let mut from = BufReader::new(from);
    let mut octets = Vec::new();
    while let Ok(1..) = from.read_until(b'\n', &mut octets) {
        let text = String::from_utf8_lossy(&octets);
        if sender
            .send(line(text.trim_end_matches(['\r', '\n']).to_owned()))
            .is_err()
        {
            return;
        }
        octets.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn passes_lines_of_both_outputs_on_and_reports_silence() {
        let (mut out, mut err, mut silent) = (Vec::new(), Vec::new(), 0);
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo a; echo b >&2; sleep 1.5; printf c; exit 3"]);
        let status = stream(&mut shell, |line| {
            match line {
                Some(Line::Out(line)) => out.push(line),
                Some(Line::Err(line)) => err.push(line),
                None => silent += 1,
            }
            Ok(())
        })
        .expect("a shell");
        assert_eq!(
            (out, err),
            (vec!["a".into(), "c".into()], vec!["b".to_owned()])
        );
        assert!(silent >= 1);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn ends_with_the_command_whose_outputs_another_process_holds_open() {
        let start = Instant::now();
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo a; sleep 20 & exit 3"]);
        let mut lines = Vec::new();
        let status = stream(&mut shell, |line| {
            lines.extend(line);
            Ok(())
        });
        assert_eq!(status.expect("a shell").code(), Some(3));
        assert_eq!(lines, [Line::Out("a".to_owned())]);
        assert!(start.elapsed() < Duration::from_secs(15));
    }
}
