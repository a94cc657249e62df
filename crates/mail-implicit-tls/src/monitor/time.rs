//! Times and spans of time, as findings show them.

use std::{fmt, time::Duration};

use crate::calendar::{Date, LAST_SECOND};

/// A time since the Unix epoch, shown as `2026-12-01T10:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(pub Duration);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs().min(LAST_SECOND);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let Date { year, month, day } = Date::of_days(days);
        let (hour, minute) = (second / 3_600, second / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}Z")
    }
}

/// A span of time, shown in the largest unit of which it has at least two: `40 h`, `12 days`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..120 => write!(f, "{seconds} s"),
            120..7_200 => write!(f, "{} min", seconds.div_euclid(60)),
            7_200..172_800 => write!(f, "{} h", seconds.div_euclid(3_600)),
            _ => write!(f, "{} days", seconds.div_euclid(86_400)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_times_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00Z"),
            (951_782_399, "2000-02-28T23:59Z"),
            (951_782_400, "2000-02-29T00:00Z"),
            (951_868_800, "2000-03-01T00:00Z"),
            (1_796_083_199, "2026-11-30T23:59Z"),
            (1_798_761_600, "2027-01-01T00:00Z"),
            (LAST_SECOND, "9999-12-31T23:59Z"),
            (u64::MAX, "9999-12-31T23:59Z"),
        ] {
            let shown = Timestamp(Duration::from_secs(seconds)).to_string();
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn shows_spans_in_one_unit() {
        for (seconds, expected) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (144_000, "40 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), expected);
        }
    }
}
