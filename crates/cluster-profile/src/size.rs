//! The size of a card.

use std::{fmt, str::FromStr};

/// The size of a card in bytes: a multiple of 512.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardSize(u64);

/// Nominal sizes are rounded down to this: the erase blocks of SD cards.
const ROUNDING: u64 = 4 << 20;
/// Less than any Linux system; more than any card.
const SMALLEST: u64 = 16 << 20;
const LARGEST: u64 = 16 << 40;

impl CardSize {
    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CardSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % (1 << 20) {
            0 => write!(f, "{} MiB", self.0 >> 20),
            _ => write!(f, "{} bytes", self.0),
        }
    }
}

/// A card's size is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SizeError {
    message: String,
    /// What to write instead.
    pub help: &'static str,
}

impl FromStr for CardSize {
    type Err = SizeError;

    /// `8GB` is what is printed on a card: no card sold as it is smaller than
    /// 5 % below that, so that much is taken off and the rest rounded down to
    /// 4 MiB. `7400MiB`, `7GiB` and plain bytes are exact.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let error = |message: String| SizeError {
            message,
            help: "write what is printed on the card, such as 8GB, or an exact size, such as \
                   7400MiB or 7GiB, or bytes",
        };
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(split);
        let unit = unit.trim();
        let (factor, nominal) = match unit {
            "" | "B" => (1, false),
            "MB" => (1_000_000, true),
            "GB" => (1_000_000_000, true),
            "TB" => (1_000_000_000_000, true),
            "KiB" => (1 << 10, false),
            "MiB" => (1 << 20, false),
            "GiB" => (1 << 30, false),
            "TiB" => (1u64 << 40, false),
            _ => return Err(error(format!("{text:?} is no size of a card"))),
        };
        let number: u64 =
            digits.parse().map_err(|_| error(format!("{text:?} is no size of a card")))?;
        let bytes = number
            .checked_mul(factor)
            .filter(|bytes| *bytes <= LARGEST)
            .ok_or_else(|| error(format!("{text} is larger than any card")))?;
        let bytes = if nominal {
            let with_margin = bytes / 100 * 95;
            with_margin - with_margin % ROUNDING
        } else {
            bytes
        };
        if bytes < SMALLEST {
            return Err(error(format!("{text} is smaller than any card (16 MiB)")));
        }
        if bytes % 512 != 0 {
            return Err(SizeError {
                message: format!("{bytes} bytes are no whole number of sectors"),
                help: "a card's size is a multiple of 512 bytes",
            });
        }
        Ok(CardSize(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Option<u64> {
        text.parse::<CardSize>().ok().map(CardSize::bytes)
    }

    #[test]
    fn nominal_sizes_leave_a_margin_and_exact_ones_do_not() {
        // 8 GB less 5 % is 7.6e9, 1811.98 times 4 MiB.
        assert_eq!(bytes("8GB"), Some(1811 * (4 << 20)));
        assert_eq!(bytes("8 GB"), bytes("8GB"));
        assert_eq!(bytes("64MiB"), Some(64 << 20));
        assert_eq!(bytes("7400MiB"), Some(7400 << 20));
        assert_eq!(bytes("7GiB"), Some(7 << 30));
        assert_eq!(bytes("67108864"), Some(64 << 20));
        assert_eq!(bytes("67109376"), Some((64 << 20) + 512));
    }

    #[test]
    fn absurd_sizes_are_refused() {
        for text in ["", "GB", "8", "8gb", "-8GB", "8.5GB", "67108865", "99999999999999999999GB"] {
            assert_eq!(bytes(text), None, "{text}");
        }
        for text in ["18446744073709551615", "20TiB", "1MiB", "0"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
