//! The progress of a run: a bar on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use conformance::Step;
use indicatif::{ProgressBar, ProgressStyle};

use crate::shell::escaped;

/// The least time between two plain lines of one phase.
const INTERVAL: Duration = Duration::from_secs(2);

/// The longest time without a plain line.
const SILENCE: Duration = Duration::from_secs(10);

/// Shows the progress on standard error.
pub struct Progress {
    bar: ProgressBar,
    lines: Lines,
}

impl Progress {
    pub fn new() -> Result<Self, indicatif::style::TemplateError> {
        // indicatif draws on standard error, and only if that is a terminal.
        let style = ProgressStyle::with_template("{elapsed} {bar:30} {pos}/{len} {wide_msg}")?;
        let bar = ProgressBar::new(0).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Ok(Self {
            bar,
            lines: Lines::new(Instant::now()),
        })
    }

    pub fn step(&mut self, step: Step<'_>) {
        let line = self.lines.step(Instant::now(), step);
        if self.bar.is_hidden() {
            if let Some(line) = line {
                eprintln!("» {}", escaped(&line));
            }
        } else {
            self.bar.set_length(self.lines.count);
            self.bar.set_position(self.lines.done);
            self.bar
                .set_message(escaped(&self.lines.message).into_owned());
        }
    }

    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// The plain lines of a run.
struct Lines {
    start: Instant,
    last: Instant,
    /// The phase, e.g. `vectors`.
    phase: &'static str,
    message: String,
    done: u64,
    count: u64,
}

impl Lines {
    fn new(start: Instant) -> Self {
        Self {
            start,
            last: start,
            phase: "",
            message: String::new(),
            done: 0,
            count: 0,
        }
    }

    /// Returns the line to show now, if any: at once for a new phase or executable, else after [`INTERVAL`].
    fn step(&mut self, now: Instant, step: Step<'_>) -> Option<String> {
        let mut is_new = false;
        let mut begin = |lines: &mut Self, phase, count: usize| {
            (lines.phase, lines.done) = (phase, 0);
            lines.count = count.try_into().unwrap_or(u64::MAX);
            lines.message.clear();
            is_new = true;
        };
        match step {
            Step::Cases(count) => begin(self, "vectors", count),
            Step::Executables(count) => begin(self, "tests", count),
            Step::Scenarios(count) => begin(self, "live scenarios", count),
            Step::Building(line) => {
                if self.phase != "building" {
                    begin(self, "building", 0);
                } else {
                    self.done = self.done.saturating_add(1);
                }
                line.clone_into(&mut self.message);
            }
            Step::Case(name) => {
                self.done = self.done.saturating_add(1);
                name.clone_into(&mut self.message);
            }
            Step::Live(name) => {
                self.done = self.done.saturating_add(1);
                name.clone_into(&mut self.message);
                is_new = true;
            }
            Step::Tests {
                package,
                executable,
            } => {
                self.done = self.done.saturating_add(1);
                self.message = format!("{package} {executable}");
                is_new = true;
            }
            Step::Test(name) => name.clone_into(&mut self.message),
            Step::Waiting => {}
        }
        let since = now.saturating_duration_since(self.last);
        let limit = if step == Step::Waiting {
            SILENCE
        } else {
            INTERVAL
        };
        if !is_new && since < limit {
            return None;
        }
        self.last = now;
        let seconds = now.saturating_duration_since(self.start).as_secs();
        let count = match (self.done, self.count) {
            (0, 0) => String::new(),
            (0, count) => format!(" {count}"),
            (done, 0) => format!(" {done}"),
            (done, count) => format!(" {done}/{count}"),
        };
        let (phase, message) = (self.phase, &self.message);
        let separator = if message.is_empty() { "" } else { ": " };
        Some(format!("{seconds} s: {phase}{count}{separator}{message}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_phases_at_once_and_steps_every_two_seconds() {
        let start = Instant::now();
        let mut lines = Lines::new(start);
        let mut at = |millis, step| lines.step(start + Duration::from_millis(millis), step);
        let some = |line: &str| Some(line.to_owned());
        assert_eq!(at(0, Step::Cases(9)), some("0 s: vectors 9"));
        assert_eq!(at(1_900, Step::Case("a")), None);
        assert_eq!(at(2_000, Step::Case("b")), some("2 s: vectors 2/9: b"));
        let building = Step::Building("the tests");
        assert_eq!(at(2_100, building), some("2 s: building: the tests"));
        assert_eq!(at(4_000, Step::Building("Compiling a")), None);
        assert_eq!(
            at(4_100, Step::Building("Compiling b")),
            some("4 s: building 2: Compiling b")
        );
        assert_eq!(at(14_000, Step::Waiting), None);
        assert_eq!(
            at(14_100, Step::Waiting),
            some("14 s: building 2: Compiling b")
        );
        assert_eq!(at(14_200, Step::Executables(2)), some("14 s: tests 2"));
        let tests = Step::Tests {
            package: "p",
            executable: "e",
        };
        assert_eq!(at(14_300, tests), some("14 s: tests 1/2: p e"));
        assert_eq!(at(14_400, Step::Test("t")), None);
        assert_eq!(
            at(15_000, Step::Scenarios(1)),
            some("15 s: live scenarios 1")
        );
        assert_eq!(
            at(15_000, Step::Live("p/l")),
            some("15 s: live scenarios 1/1: p/l")
        );
    }
}
