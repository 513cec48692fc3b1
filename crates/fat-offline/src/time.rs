//! Times as directory entries hold them.

/// A date and a time of day in two 16-bit fields, in steps of two seconds from 1980 to
/// 2107. FAT has no time zones; this is UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DosTime {
    pub date: u16,
    pub time: u16,
}

/// 1980-01-01 and 2107-12-31 in days since 1970-01-01.
const FIRST_DAY: i64 = 3652;
const LAST_DAY: i64 = 50_402;

impl DosTime {
    /// Returns the time for seconds since 1970, moved into FAT's range.
    pub(crate) fn from_unix(seconds: i64) -> Self {
        let first = FIRST_DAY * 86_400;
        let last = LAST_DAY * 86_400 + 86_399;
        let seconds = seconds.clamp(first, last);
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let date = ((year - 1980) << 9) | (month << 5) | day;
        let time = ((of_day / 3600) << 11) | ((of_day / 60 % 60) << 5) | (of_day % 60 / 2);
        // Both are below 2^16 by the clamp above.
        DosTime {
            date: u16::try_from(date).unwrap_or(u16::MAX),
            time: u16::try_from(time).unwrap_or(u16::MAX),
        }
    }
}

/// Returns year, month and day of the Gregorian calendar. The era of 400 years begins on
/// 1 March of year 0, so that leap days come last in their year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(seconds: i64) -> (u16, u16, u16, u16, u16, u16) {
        let DosTime { date, time } = DosTime::from_unix(seconds);
        let (y, m, d) = (1980 + (date >> 9), date >> 5 & 15, date & 31);
        (y, m, d, time >> 11, time >> 5 & 63, (time & 31) * 2)
    }

    #[test]
    fn converts_dates_around_leap_days() {
        assert_eq!(parts(1_709_251_199), (2024, 2, 29, 23, 59, 58));
        assert_eq!(parts(1_709_251_200), (2024, 3, 1, 0, 0, 0));
        assert_eq!(parts(951_782_400), (2000, 2, 29, 0, 0, 0));
    }

    #[test]
    fn clamps_to_what_the_fields_hold() {
        assert_eq!(parts(0), (1980, 1, 1, 0, 0, 0));
        assert_eq!(parts(i64::MAX), (2107, 12, 31, 23, 59, 58));
    }
}
