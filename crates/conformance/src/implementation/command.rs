//! The command of an implementation: a process with a line for each request and each answer.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    answer::{Answer, AnswerError, request},
    descendants,
    text::cut,
    vector::Case,
};

/// The longest answer, in octets: an answer is not longer than the vectors that it is compared with.
const LONGEST_ANSWER: u64 = 1 << 24;

/// The number of lines of the command's standard error that are kept, the last ones.
const KEPT_LINES: usize = 20;

/// The longest line of the command's standard error that is kept whole, in octets.
const LONGEST_LINE: u64 = 1 << 12;

/// The number of lines that are read before they are taken as answers.
const LINES_BEFORE: usize = 1;

/// The time between two checks of a process that ends.
const ENDING: Duration = Duration::from_millis(10);

/// Trouble with the command, which ends the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The suite and the case that were asked about, if any.
    pub case: Option<(String, String)>,
    /// The fault.
    pub fault: Fault,
    /// The last lines that the command wrote to its standard error.
    pub stderr: Vec<String>,
}

/// A fault of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The command cannot be started.
    Start(String),
    /// The command ended, with this status, before its answer.
    Ended(String),
    /// The command gave no answer within this time.
    Silent(Duration),
    /// The line is no answer to the case.
    Answer {
        /// The reason.
        error: Box<AnswerError>,
        /// The line, or its beginning.
        line: String,
    },
    /// An answer is too long, or is not UTF-8.
    Line(String),
    /// The command wrote a line that no request had asked for.
    Unasked(String),
    /// The command wrote a line after the last answer.
    Surplus(String),
    /// The command did not end when there were no more requests.
    Endless(Duration),
    /// The command ended after the last answer with this status, which is no success.
    Status(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the command cannot be started: {error}"),
            Self::Ended(status) => write!(f, "the command ended without an answer ({status})"),
            Self::Silent(limit) => write!(f, "no answer within {} s", limit.as_secs_f64()),
            Self::Answer { error, line } => write!(f, "{error}; the line is {line:?}"),
            Self::Line(error) => write!(f, "the answer cannot be read: {error}"),
            Self::Unasked(line) => write!(f, "a line before the request: {line:?}"),
            Self::Surplus(line) => write!(f, "a line after the last answer: {line:?}"),
            Self::Endless(limit) => write!(
                f,
                "the command did not end within {} s after the end of its input",
                limit.as_secs_f64()
            ),
            Self::Status(status) => {
                write!(f, "the command failed after the last answer ({status})")
            }
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.case {
            Some((suite, case)) => write!(f, "{suite} {case}: {}", self.fault)?,
            None => self.fault.fmt(f)?,
        }
        if !self.stderr.is_empty() {
            write!(f, "\nstandard error of the command:")?;
        }
        for line in &self.stderr {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Trouble {}

/// A command that runs.
pub(super) struct Running {
    child: Child,
    requests: Option<Sender<String>>,
    answers: Receiver<Result<String, String>>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    stderr_ended: Receiver<()>,
}

impl Running {
    pub(super) fn start(command: &str) -> Result<Self, Trouble> {
        let trouble = |error: &dyn fmt::Display| Trouble {
            case: None,
            fault: Fault::Start(error.to_string()),
            stderr: Vec::new(),
        };
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| trouble(&error))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(errors)) = pipes else {
            return Err(trouble(&"it has no pipes"));
        };
        // A thread writes, since a command that does not read would stop this one.
        let (requests, to_write) = channel::<String>();
        thread::spawn(move || {
            for line in to_write {
                // A command that ended is seen by its answers.
                if writeln!(stdin, "{line}")
                    .and_then(|()| stdin.flush())
                    .is_err()
                {
                    break;
                }
            }
        });
        // One that writes without being asked does not fill the memory.
        let (read, answers) = sync_channel(LINES_BEFORE);
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            while let Some(line) = line(&mut stdout) {
                if read.send(line).is_err() {
                    break;
                }
            }
        });
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        let (ended, stderr_ended) = channel();
        let kept = Arc::clone(&stderr);
        thread::spawn(move || {
            keep(BufReader::new(errors), &kept);
            drop(ended);
        });
        Ok(Self {
            child,
            requests: Some(requests),
            answers,
            stderr,
            stderr_ended,
        })
    }

    /// Asks about a case.
    pub(super) fn ask(
        &mut self,
        suite: &str,
        case: &Case,
        deadline: Duration,
    ) -> Result<Answer, Trouble> {
        let place = (suite.to_owned(), case.name.clone());
        let unasked = match self.answers.try_recv() {
            Ok(Ok(line)) => Some(Fault::Unasked(cut(&line))),
            Ok(Err(error)) => Some(Fault::Line(error)),
            // An end is seen by the missing answer.
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        };
        if let Some(fault) = unasked {
            return Err(self.trouble(Some(place), fault));
        }
        let line = request(suite, &case.name, &case.input);
        if let Some(requests) = &self.requests {
            // A writer that ended is seen by the missing answer.
            let _ = requests.send(line);
        }
        let answer = match self.answers.recv_timeout(deadline) {
            Ok(Ok(line)) => Answer::parse(&line, suite, &case.name).map_err(|error| {
                let (error, line) = (Box::new(error), cut(&line));
                Fault::Answer { error, line }
            }),
            Ok(Err(error)) => Err(Fault::Line(error)),
            Err(RecvTimeoutError::Timeout) => Err(Fault::Silent(deadline)),
            Err(RecvTimeoutError::Disconnected) => Err(Fault::Ended(match self.status(deadline) {
                Ok(status) => status.to_string(),
                Err(Some(error)) => error.to_string(),
                Err(None) => "its standard output is closed".to_owned(),
            })),
        };
        answer.map_err(|fault| self.trouble(Some(place), fault))
    }

    /// Ends the input, and waits for the end of the output.
    pub(super) fn finish(mut self, deadline: Duration) -> Result<(), Trouble> {
        self.requests = None;
        let fault = match self.answers.recv_timeout(deadline) {
            Ok(Ok(line)) => Fault::Surplus(cut(&line)),
            Ok(Err(error)) => Fault::Line(error),
            Err(RecvTimeoutError::Timeout) => Fault::Endless(deadline),
            Err(RecvTimeoutError::Disconnected) => {
                // It is not killed while it ends.
                match self.status(deadline) {
                    Ok(status) if status.success() => return Ok(()),
                    Ok(status) => Fault::Status(status.to_string()),
                    Err(None) => Fault::Endless(deadline),
                    Err(Some(error)) => Fault::Status(error.to_string()),
                }
            }
        };
        Err(self.trouble(None, fault))
    }

    fn trouble(&mut self, case: Option<(String, String)>, fault: Fault) -> Trouble {
        // Its last words are read to their end.
        self.kill();
        let _ = self.stderr_ended.recv_timeout(Duration::from_secs(1));
        let kept = self
            .stderr
            .lock()
            .map(|lines| lines.iter().cloned().collect());
        Trouble {
            case,
            fault,
            stderr: kept.unwrap_or_default(),
        }
    }

    /// Kills the command with what it started, unless it has ended.
    fn kill(&mut self) {
        let runs = matches!(self.child.try_wait(), Ok(None));
        if runs && descendants::kill(self.child.id()).is_err() {
            let _ = self.child.kill();
        }
    }

    /// Returns the status with which the process ended, or no error if it has not ended in this time.
    fn status(&mut self, deadline: Duration) -> Result<ExitStatus, Option<io::Error>> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Err(error) => return Err(Some(error)),
                Ok(None) if start.elapsed() < deadline => thread::sleep(ENDING),
                Ok(None) => return Err(None),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.requests = None;
        self.kill();
        let _ = self.child.wait();
    }
}

/// Reads a line, or returns `None` at the end.
fn line(stdout: &mut impl BufRead) -> Option<Result<String, String>> {
    let mut octets = Vec::new();
    let mut limited = stdout.take(LONGEST_ANSWER);
    match limited.read_until(b'\n', &mut octets) {
        Ok(0) => None,
        Err(error) => Some(Err(error.to_string())),
        Ok(_) if limited.limit() == 0 && octets.last() != Some(&b'\n') => {
            Some(Err(format!("longer than {LONGEST_ANSWER} octets")))
        }
        Ok(_) => {
            let line = octets.strip_suffix(b"\n").unwrap_or(&octets).to_vec();
            Some(String::from_utf8(line).map_err(|error| error.utf8_error().to_string()))
        }
    }
}

/// Keeps the last lines.
fn keep(mut errors: impl BufRead, kept: &Mutex<VecDeque<String>>) {
    loop {
        let mut octets = Vec::new();
        let read = (&mut errors)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut octets);
        if !matches!(read, Ok(1..)) {
            break;
        }
        let line = String::from_utf8_lossy(&octets).trim_end().to_owned();
        if let Ok(mut lines) = kept.lock() {
            if lines.len() == KEPT_LINES {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_up_to_the_end_and_names_the_fault_of_others() {
        let mut text = &b"a\n\nb\xff\nlast"[..];
        assert_eq!(line(&mut text), Some(Ok("a".to_owned())));
        assert_eq!(line(&mut text), Some(Ok(String::new())));
        let fault = "invalid utf-8 sequence of 1 bytes from index 1";
        assert_eq!(line(&mut text), Some(Err(fault.to_owned())));
        assert_eq!(line(&mut text), Some(Ok("last".to_owned())));
        assert_eq!(line(&mut text), None);
    }

    #[test]
    fn reads_an_answer_of_the_longest_length_and_no_longer_one() {
        let longest = usize::try_from(LONGEST_ANSWER).expect("a length");
        let mut text = vec![b'x'; longest];
        let fault = Some(Err("longer than 16777216 octets".to_owned()));
        assert_eq!(line(&mut text.as_slice()), fault);
        text[longest - 1] = b'\n';
        let read = line(&mut text.as_slice()).expect("a line");
        assert_eq!(read.map(|line| line.len()), Ok(longest - 1));
    }

    #[test]
    fn keeps_the_last_lines_and_breaks_a_long_one() {
        let kept = |text: &str| {
            let lines = Mutex::new(VecDeque::new());
            keep(text.as_bytes(), &lines);
            Vec::from(lines.into_inner().expect("lines"))
        };
        let text: String = (0..25).map(|number| format!("{number} \r\n")).collect();
        let last: Vec<_> = (5..25).map(|number| number.to_string()).collect();
        assert_eq!(kept(&text), last);
        let lengths = kept(&"x".repeat(5000)).into_iter().map(|line| line.len());
        assert_eq!(lengths.collect::<Vec<_>>(), [4096, 904]);
    }
}
