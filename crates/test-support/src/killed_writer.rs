//! A process that writes to a store and prints each write that the store confirmed, until it is
//! killed. Every write that it printed must be in the store afterwards.
//!
//! The process is the test binary itself, which runs one test. That test asks [`argument`] first:
//!
//! ```no_run
//! use test_support::killed_writer::{self, Writer};
//!
//! // #[test]
//! fn prints_each_note_that_was_stored() {
//!     if let Some(path) = killed_writer::argument() {
//!         for number in 0.. {
//!             // store(&path, number);
//!             killed_writer::confirm(&number.to_string());
//!         }
//!     }
//!     let mut writer = Writer::start("prints_each_note_that_was_stored", "notes.db");
//!     assert!(writer.confirmed());
//!     let written = writer.kill();
//!     // assert that all of `written` is in notes.db
//! }
//! ```

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// The environment variable with the argument of the process.
const ARGUMENT: &str = "TEST_SUPPORT_WRITER";

/// The prefix of a confirmed write in the output, which also contains lines of the test harness.
const CONFIRMED: &str = "confirmed ";

/// A running writer. It is killed when dropped.
#[derive(Debug)]
pub struct Writer {
    process: Child,
    output: BufReader<ChildStdout>,
    confirmed: Vec<String>,
}

/// Returns the argument of [`Writer::start`] in the writer's process; `None` in the test's own.
#[must_use]
pub fn argument() -> Option<String> {
    env::var(ARGUMENT).ok()
}

/// Prints that a write was confirmed. `write` identifies it and contains no line break.
pub fn confirm(write: &str) {
    // Begins a line of its own, since the test harness prints without a line break.
    let line = format!("\n{CONFIRMED}{write}\n");
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes()).unwrap();
    output.flush().unwrap();
}

impl Writer {
    /// Starts a process that runs one test of this test binary, with an argument.
    #[must_use]
    pub fn start(test: &str, argument: &str) -> Self {
        Self::start_in(Path::new("."), test, argument)
    }

    /// Like [`start`](Self::start), in a working directory.
    #[must_use]
    pub fn start_in(directory: &Path, test: &str, argument: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(ARGUMENT, argument)
            .current_dir(directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            output,
            confirmed: Vec::new(),
        }
    }

    /// Waits for the next confirmed write. Returns `false` if the process has ended.
    pub fn confirmed(&mut self) -> bool {
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            // The process may have been killed in the middle of its last line.
            let Some(line) = line.strip_suffix('\n') else {
                return false;
            };
            if let Some(write) = line.strip_prefix(CONFIRMED) {
                self.confirmed.push(write.to_owned());
                return true;
            }
        }
    }

    /// Kills the process with SIGKILL, and returns all writes that it printed before.
    #[must_use]
    pub fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        while self.confirmed() {}
        self.process.wait().unwrap();
        std::mem::take(&mut self.confirmed)
    }

    /// Kills writers one after the other, at moments that depend on `round`.
    ///
    /// Each has confirmed a write before, except in every fourth round: there they are killed
    /// early, often before they have opened the store. `longest` limits the time between two.
    #[must_use]
    pub fn kill_all<const N: usize>(
        mut writers: [Self; N],
        round: u64,
        longest: Duration,
    ) -> [Vec<String>; N] {
        if !round.is_multiple_of(4) {
            for writer in &mut writers {
                assert!(writer.confirmed(), "a writer ended");
            }
        }
        let longest = u64::try_from(longest.as_micros()).unwrap().max(1);
        writers.map(|writer| {
            sleep(Duration::from_micros(round.wrapping_mul(7919) % longest));
            writer.kill()
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Fails if the process was killed and waited for already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
