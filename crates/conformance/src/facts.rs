//! The facts of a run: commit, toolchain, date and duration.

use std::{
    path::Path,
    process::Command,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// The facts of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The commit, and that there were changes to it.
    pub commit: String,
    /// The compiler's own line about itself.
    pub toolchain: String,
    /// The date and time at the end of the run, in UTC.
    pub date: String,
    /// The duration in seconds.
    pub seconds: f64,
}

impl Facts {
    /// Returns the facts of a run that began at `start` and ends now.
    #[must_use]
    pub fn of(root: &Path, start: Instant) -> Self {
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(compiler);
        Self {
            commit: commit(root),
            toolchain: first_line(command.arg("--version").current_dir(root))
                .unwrap_or_else(|| "an unknown toolchain".to_owned()),
            date: now(),
            seconds: start.elapsed().as_secs_f64(),
        }
    }

    /// Returns the duration in words.
    #[must_use]
    pub fn duration(&self) -> String {
        if self.seconds < 60.0 {
            format!("{:.1} s", self.seconds)
        } else {
            let minutes = (self.seconds / 60.0).floor();
            format!("{minutes:.0} min {:.0} s", self.seconds - minutes * 60.0)
        }
    }
}

/// Runs a command and returns the first line that it prints, on either output.
pub(crate) fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let texts = [output.stdout, output.stderr];
    let mut lines = texts.iter().flat_map(|text| {
        let text = String::from_utf8_lossy(text);
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.find(|line| !line.trim().is_empty())
}

/// Returns the date and time now, in UTC.
#[must_use]
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    date(since.map_or(0, |it| it.as_secs()))
}

/// Returns a date and time in UTC from the seconds since 1970.
fn date(seconds: u64) -> String {
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let length = |year: u64| {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        (if leap { 366 } else { 365 }, if leap { 29 } else { 28 })
    };
    while days >= length(year).0 {
        days -= length(year).0;
        year += 1;
    }
    let months = [31, length(year).1, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for of_month in months {
        if days < of_month {
            break;
        }
        days -= of_month;
        month += 1;
    }
    let (hour, minute) = (of_day / 3_600, of_day % 3_600 / 60);
    format!(
        "{year}-{month:02}-{:02} {hour:02}:{minute:02} UTC",
        days + 1
    )
}

/// Returns the commit, and says if there are changes that no commit has.
pub(crate) fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(root)
            .output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match git(&["rev-parse", "--short=12", "HEAD"]) {
        None => "an unknown commit".to_owned(),
        Some(commit) => match git(&["status", "--porcelain"]).as_deref() {
            Some("") => commit,
            _ => format!("{commit} with changes"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_days_of_leap_years() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn shows_minutes_of_long_runs() {
        for (seconds, expected) in [(7.25, "7.2 s"), (59.9, "59.9 s"), (125.0, "2 min 5 s")] {
            let facts = Facts {
                seconds,
                ..Facts::default()
            };
            assert_eq!(facts.duration(), expected);
        }
    }
}
