//! The Gregorian calendar in UTC, for times of fields and of findings.

/// 9999-12-31 23:59:59: later years have more than four digits.
pub(crate) const LAST_SECOND: u64 = 253_402_300_799;

/// A day of a year.
pub(crate) struct Date {
    pub(crate) year: u64,
    /// From 1.
    pub(crate) month: u64,
    /// The day of the month, from 1.
    pub(crate) day: u64,
}

impl Date {
    /// Returns the day that begins this number of days after 1970-01-01, or the last day of the year 9999.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the number of days is at most that of LAST_SECOND, so no intermediate value overflows"
    )]
    pub(crate) fn of_days(days: u64) -> Self {
        // Years begin with March, and eras of 400 years in the year 0: the leap day is the last of a year.
        let day = days.min(LAST_SECOND / 86_400) + 719_468;
        let (era, of_era) = (day / 146_097, day % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        Self {
            year: era * 400 + year + u64::from(month >= 10),
            month: (month + 2) % 12 + 1,
            day: of_year - (153 * month + 2) / 5 + 1,
        }
    }
}
