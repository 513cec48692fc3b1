//! Points in time, as ext4 stores them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first second that ext4 can hold: 1901-12-13 20:45:52 UTC.
const FIRST_SECOND: i64 = i32::MIN as i64;
/// The last one: 34 bits, counted from [`FIRST_SECOND`]. It is in 2446.
const LAST_SECOND: i64 = FIRST_SECOND + (1 << 34) - 1;
const NANOSECONDS: u32 = 1_000_000_000;

/// A point in time: seconds since 1970-01-01 UTC, and nanoseconds after that second.
///
/// It is always one that ext4 can hold, from the end of 1901 to 2446. Inodes of 128 bytes,
/// as of old ext2 and ext3 filesystems, have no nanoseconds and end in 2038; there a later time
/// becomes the last one that fits.
///
/// ```
/// use ext4_offline::Timestamp;
///
/// let time = Timestamp::new(1_767_225_600, 500_000_000).expect("2026-01-01 is in range");
/// assert_eq!(time.seconds(), 1_767_225_600);
/// assert!(Timestamp::new(1 << 40, 0).is_none());
/// assert_eq!(Timestamp::from(1_767_225_600u32).nanoseconds(), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

impl Timestamp {
    /// The earliest time that ext4 can hold.
    pub const MIN: Timestamp = Timestamp { seconds: FIRST_SECOND, nanoseconds: 0 };
    /// The latest time that ext4 can hold.
    pub const MAX: Timestamp = Timestamp { seconds: LAST_SECOND, nanoseconds: NANOSECONDS - 1 };

    /// A time in seconds since 1970 and nanoseconds (below 1,000,000,000) after that; `None`
    /// if ext4 cannot hold it.
    pub const fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        if seconds < FIRST_SECOND || seconds > LAST_SECOND || nanoseconds >= NANOSECONDS {
            return None;
        }
        Some(Timestamp { seconds, nanoseconds })
    }

    /// The time in seconds since 1970, or the nearest one that ext4 can hold.
    pub fn saturating(seconds: impl Into<i128>) -> Self {
        let seconds = seconds.into().clamp(FIRST_SECOND.into(), LAST_SECOND.into());
        Timestamp { seconds: i64::try_from(seconds).unwrap_or_default(), nanoseconds: 0 }
    }

    /// Seconds since 1970; negative before that.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Seconds since 1970; 0 for times before that.
    pub fn unsigned_seconds(self) -> u64 {
        u64::try_from(self.seconds).unwrap_or_default()
    }

    /// Nanoseconds after [`seconds`](Self::seconds).
    ///
    /// Read from a damaged inode, these can be a second or more: 30 bits hold up to
    /// 1,073,741,823.
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// What the fields of an inode hold: any 30 bits of nanoseconds.
    pub(crate) fn stored(seconds: i64, nanoseconds: u32) -> Self {
        Timestamp { nanoseconds, ..Timestamp::saturating(seconds) }
    }

    /// The low 32 bits of the seconds, as the inode field that holds them.
    pub(crate) fn low_seconds(self) -> u32 {
        let [a, b, c, d, ..] = self.seconds.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// The 40 bits that a superblock has for a time, in a low and a high part. It has
    /// no times before 1970.
    pub(crate) fn superblock_fields(self) -> (u32, u8) {
        let [a, b, c, d, high, ..] = self.seconds.max(0).to_le_bytes();
        (u32::from_le_bytes([a, b, c, d]), high)
    }

    /// The time that a superblock's two fields hold.
    pub(crate) fn from_superblock(low: u32, high: u8) -> Self {
        Timestamp::saturating(i64::from(high) << 32 | i64::from(low))
    }
}

impl From<u32> for Timestamp {
    /// The time in seconds since 1970, which ext4 can always hold.
    fn from(seconds: u32) -> Self {
        Timestamp { seconds: seconds.into(), nanoseconds: 0 }
    }
}

/// A time is outside of what ext4 can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ext4 cannot hold the time: it is not between 1901 and 2446")]
#[non_exhaustive]
pub struct TimestampOutOfRange;

impl TryFrom<SystemTime> for Timestamp {
    type Error = TimestampOutOfRange;

    fn try_from(time: SystemTime) -> Result<Self, TimestampOutOfRange> {
        let (seconds, nanoseconds) = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => (i64::try_from(after.as_secs()), after.subsec_nanos()),
            Err(error) => {
                let before = error.duration();
                // Nanoseconds count forwards from the second before.
                let nanoseconds = (NANOSECONDS - before.subsec_nanos()) % NANOSECONDS;
                let whole = before.as_secs().saturating_add(u64::from(nanoseconds > 0));
                (i64::try_from(whole).map(|seconds| -seconds), nanoseconds)
            }
        };
        let seconds = seconds.map_err(|_| TimestampOutOfRange)?;
        Timestamp::new(seconds, nanoseconds).ok_or(TimestampOutOfRange)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let seconds = Duration::from_secs(time.seconds.unsigned_abs());
        let nanoseconds = Duration::from_nanos(time.nanoseconds.into());
        if time.seconds < 0 {
            UNIX_EPOCH - seconds + nanoseconds
        } else {
            UNIX_EPOCH + seconds + nanoseconds
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_outside_of_34_bits_are_refused_or_saturated() {
        assert!(Timestamp::new(FIRST_SECOND - 1, 0).is_none());
        assert!(Timestamp::new(LAST_SECOND + 1, 0).is_none());
        assert!(Timestamp::new(0, NANOSECONDS).is_none());
        assert_eq!(Timestamp::saturating(u64::MAX).seconds(), LAST_SECOND);
        assert_eq!(Timestamp::saturating(i64::MIN), Timestamp::MIN);
    }

    #[test]
    fn system_times_before_1970_convert_both_ways() {
        for (seconds, nanoseconds) in [(-1, 0), (-2, 750_000_000), (0, 1), (1 << 32, 7)] {
            let time = Timestamp::new(seconds, nanoseconds).unwrap();
            assert_eq!(Timestamp::try_from(SystemTime::from(time)), Ok(time));
        }
    }

    #[test]
    fn superblock_fields_hold_times_after_2106() {
        let time = Timestamp::saturating(1i64 << 32);
        assert_eq!(time.superblock_fields(), (0, 1));
        assert_eq!(Timestamp::from_superblock(0, 1), time);
        assert_eq!(Timestamp::from_superblock(0, u8::MAX).seconds(), LAST_SECOND);
        assert_eq!(Timestamp::MIN.superblock_fields(), (0, 0));
    }
}
