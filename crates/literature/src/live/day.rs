//! A day of the calendar, in UTC.
//!
//! In: the time since the beginning of 1970. Out: a day, as `2026-11-27` for people and as a number to count with. It reads
//! no clock and knows no hours.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Seconds of a day.
const SECONDS: u64 = 86_400;

/// A day, counted from the first of January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u32);

impl Day {
    /// The day at that time since the beginning of 1970.
    #[must_use]
    pub fn at(since_1970: Duration) -> Self {
        Self(u32::try_from(since_1970.as_secs() / SECONDS).unwrap_or(u32::MAX / 2))
    }

    /// How many days it is after `other`; 0 where it is not after it.
    #[must_use]
    pub fn after(self, other: Self) -> u32 {
        self.0.saturating_sub(other.0)
    }

    /// Year, month and day of the month. Years begin in March here, so that the day of a leap year is the last of one, and
    /// the months before one, from March on, have `(153 m + 2) / 5` days.
    fn parts(self) -> (u32, u32, u32) {
        let days = u64::from(self.0) + 719_468; // since 0000-03-01
        let (era, in_era) = (days / 146_097, days % 146_097);
        let year_of_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
        let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * in_year + 2) / 153;
        let day = in_year - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        ((era * 400 + year_of_era + later) as u32, month as u32, day as u32)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("expected a day such as 2026-11-27, found `{text}`");
        let mut parts = text.splitn(3, '-').map(str::parse::<u32>);
        let (Some(Ok(year)), Some(Ok(month)), Some(Ok(_))) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse());
        };
        if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) {
            return Err(refuse());
        }
        // Days are at most 366 for each year before, and one of them has this text.
        let from = (year - 1970) * 365 + (month - 1) * 28;
        let to = (year - 1970 + 1) * 366 + 31;
        (from..to).map(Self).find(|day| day.to_string() == text).ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (days, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (10_957, "2000-01-01"),
            (11_016, "2000-02-29"),
            (20_784, "2026-11-27"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(Day(days).to_string(), date);
            assert_eq!(date.parse(), Ok(Day(days)));
        }
        assert_eq!(Day::at(Duration::from_secs(20_784 * SECONDS + 3)), Day(20_784));
        assert_eq!((Day(5).after(Day(3)), Day(3).after(Day(5))), (2, 0));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in ["", "2026", "2026-13-01", "2026-02-30", "x-y-z", "1969-12-31", "2026-1-1"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }
}
