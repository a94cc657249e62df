//! `date-time`, RFC 5322 section 3.3, in UTC.

use std::fmt;

/// A time in seconds since the Unix epoch, written as `Tue, 1 Jul 2014 10:00:00 +0000`. Years have at most four digits.
pub(super) struct DateTime(pub(super) u64);

/// 9999-12-31 23:59:59
const LAST: u64 = 253_402_300_799;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl fmt::Display for DateTime {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the number of seconds is at most LAST, so no intermediate value overflows"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.min(LAST);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Years begin with March, and eras of 400 years in the year 0: the leap day is the last of a year.
        let day = days + 719_468;
        let (era, of_era) = (day / 146_097, day % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let of_month = of_year - (153 * month + 2) / 5 + 1;
        let year = era * 400 + year + u64::from(month >= 10);
        let name = |names: &[&'static str], index: u64| {
            let index = usize::try_from(index).unwrap_or_default();
            names.get(index).copied().unwrap_or_default()
        };
        let weekday = name(&DAYS, days % 7);
        let month = name(&MONTHS, (month + 2) % 12);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{weekday}, {of_month} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000"
        )
    }
}
