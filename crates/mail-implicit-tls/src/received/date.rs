//! `date-time`, RFC 5322 section 3.3, in UTC.

use std::fmt;

use crate::calendar::{Date, LAST_SECOND};

/// A time in seconds since the Unix epoch, written as `Tue, 1 Jul 2014 10:00:00 +0000`. Years have at most four digits.
pub(super) struct DateTime(pub(super) u64);

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.min(LAST_SECOND);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let Date { year, month, day } = Date::of_days(days);
        let name = |names: &[&'static str], index: u64| {
            let index = usize::try_from(index).unwrap_or_default();
            names.get(index).copied().unwrap_or_default()
        };
        let weekday = name(&DAYS, days % 7);
        let month = name(&MONTHS, month.saturating_sub(1));
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{weekday}, {day} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000"
        )
    }
}
