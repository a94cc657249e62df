//! Lines that wait for the log's destination. One thread writes them, so that a destination that takes no more, such as a
//! pipe whose reader stopped, or one that fails, such as a full disk, holds up none of the threads that log.

use std::{
    io,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{self, SyncSender, TrySendError},
    },
    thread,
    time::{Duration, Instant},
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The number of lines that wait. More are lost.
const WAITING: usize = 8192;

/// The time for which the end of a process waits for lines that are not written.
const LAST: Duration = Duration::from_secs(1);

/// The time between two attempts to note the end in a queue that is full.
const AGAIN: Duration = Duration::from_millis(10);

/// The number of lines that were lost.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Returns the number of lines of the log that were lost: the destination failed, or took lines too slowly.
#[must_use]
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

fn lose() {
    LOST.fetch_add(1, Ordering::Relaxed);
}

enum Entry {
    Line(Level, Vec<u8>),
    /// Answered once the lines before it are written.
    Flush(SyncSender<()>),
}

/// The log of a process. It is kept until the process ends: when it is dropped, lines that wait are written, for a second at
/// most.
#[derive(Debug)]
#[must_use = "lines that wait are written when the log is dropped"]
pub struct Log(SyncSender<Entry>);

impl Drop for Log {
    fn drop(&mut self) {
        let (sender, written) = mpsc::sync_channel(1);
        let begin = Instant::now();
        let mut entry = Entry::Flush(sender);
        while let Err(TrySendError::Full(back)) = self.0.try_send(entry) {
            if begin.elapsed() >= LAST {
                return;
            }
            entry = back;
            thread::sleep(AGAIN);
        }
        // The destination may take no more.
        let _ = written.recv_timeout(LAST);
    }
}

/// The entrance of the queue.
#[derive(Clone)]
pub(super) struct Queue(SyncSender<Entry>);

impl Queue {
    /// Starts the thread that writes lines, each with one call.
    pub(super) fn start(
        write: impl FnMut(Level, &[u8]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        Self::of(WAITING, write)
    }

    fn of(
        waiting: usize,
        mut write: impl FnMut(Level, &[u8]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, entries) = mpsc::sync_channel(waiting);
        let written = move || {
            while let Ok(entry) = entries.recv() {
                match entry {
                    Entry::Line(level, line) => {
                        if write(level, &line).is_err() {
                            lose();
                        }
                    }
                    // A process that waits no more has ended.
                    Entry::Flush(answer) => drop(answer.try_send(())),
                }
            }
        };
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(written)?;
        Ok(Self(sender))
    }

    pub(super) fn log(&self) -> Log {
        Log(self.0.clone())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self, Level::INFO)
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line<'a> {
        Line(self, *of.level())
    }
}

/// A line of the log, which arrives in one piece.
pub(super) struct Line<'a>(&'a Queue, Level);

impl io::Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Self(queue, level) = self;
        match queue.0.try_send(Entry::Line(*level, line.to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => lose(),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;

    fn write(queue: &Queue, line: &str) {
        queue.make_writer().write_all(line.as_bytes()).unwrap();
    }

    /// The number of lost lines is that of the process, so that one test asks for it.
    #[test]
    fn loses_lines_and_never_waits() {
        let (release, released) = mpsc::sync_channel::<()>(0);
        let (takes, taken) = mpsc::sync_channel(9);
        let kept = Arc::<Mutex<Vec<String>>>::default();
        let out = kept.clone();
        let queue = Queue::of(2, move |_, line| {
            takes.send(()).unwrap();
            // Once the other side is dropped, it never waits.
            let _ = released.recv();
            let line = String::from_utf8(line.to_vec()).unwrap();
            if line == "bad" {
                return Err(io::ErrorKind::StorageFull.into());
            }
            out.lock().unwrap().push(line);
            Ok(())
        })
        .unwrap();
        write(&queue, "first");
        taken.recv().unwrap();
        // Two wait.
        for line in ["bad", "third", "fourth", "fifth", "sixth"] {
            write(&queue, line);
        }
        assert_eq!(lost(), 3);
        // A destination that takes no more does not keep the process.
        let begin = Instant::now();
        drop(queue.log());
        assert!(begin.elapsed() < 5 * LAST);
        let log = queue.log();
        drop(release);
        drop(log);
        assert_eq!(*kept.lock().unwrap(), ["first", "third"]);
        assert_eq!(lost(), 4);
    }

    #[test]
    fn writes_lines_that_wait_when_the_log_is_dropped() {
        let kept = Arc::<Mutex<Vec<String>>>::default();
        let out = kept.clone();
        let queue = Queue::start(move |level, line| {
            thread::sleep(Duration::from_millis(10));
            let line = format!("{level} {}", String::from_utf8_lossy(line));
            out.lock().unwrap().push(line);
            Ok(())
        })
        .unwrap();
        let log = queue.log();
        for line in ["a", "b", "c"] {
            write(&queue, line);
        }
        drop(log);
        assert_eq!(*kept.lock().unwrap(), ["INFO a", "INFO b", "INFO c"]);
    }
}
