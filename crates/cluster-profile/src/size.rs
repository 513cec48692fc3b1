//! The size of a card.

use std::{fmt, str::FromStr};

/// The size of a card in bytes: a multiple of 512.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardSize(u64);

/// Nominal sizes are rounded down to a multiple of this, the erase block of SD cards.
const ROUNDING: u64 = 4 << 20;
/// No Linux system fits on a smaller card.
const SMALLEST: u64 = 16 << 20;
/// No card is larger.
const LARGEST: u64 = 16 << 40;

impl CardSize {
    /// Returns the size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// In decimal units, as on cards.
impl fmt::Display for CardSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain_text::decimal_size(self.0))
    }
}

/// An error that keeps a text from being the size of a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SizeError {
    /// The text is not a number with a unit that is known.
    #[error("{0:?} is not a size")]
    Syntax(String),
    /// The unit lacks its second letter.
    #[error("{0} can mean two sizes")]
    Ambiguous(String),
    /// The size is larger than 16 TiB.
    #[error("{0} is larger than any card")]
    TooLarge(String),
    /// The size is smaller than 16 MiB.
    #[error("{0} is too small: a card has at least 16 MiB")]
    TooSmall(String),
    /// The size in bytes is not a multiple of 512.
    #[error("{0} bytes is not a whole number of sectors")]
    PartialSector(u64),
}

impl SizeError {
    /// Returns what to write instead.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            SizeError::PartialSector(_) => "use a multiple of 512 bytes",
            SizeError::Ambiguous(text) => {
                return Some(format!(
                    "write {text}B for the size printed on a card, or {text}iB for exactly that \
                     size"
                ));
            }
            _ => {
                "write the size printed on the card, such as 8GB, or an exact size, such as \
                 7400MiB, 7GiB or a number of bytes"
            }
        };
        Some(fix.into())
    }
}

impl FromStr for CardSize {
    type Err = SizeError;

    /// Reads a size. `8GB` is what is printed on a card, and no such card is more than 5 %
    /// smaller, so 5 % are subtracted and the rest is rounded down to a multiple of 4 MiB.
    /// `7400MiB`, `7GiB` and plain bytes are exact. Units may be written in any case.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(split);
        let unit = unit.trim();
        let (factor, nominal) = match unit.to_ascii_uppercase().as_str() {
            "" | "B" => (1, false),
            "MB" => (1_000_000, true),
            "GB" => (1_000_000_000, true),
            "TB" => (1_000_000_000_000, true),
            "KIB" => (1 << 10, false),
            "MIB" => (1 << 20, false),
            "GIB" => (1 << 30, false),
            "TIB" => (1u64 << 40, false),
            letter @ ("K" | "M" | "G" | "T") if !digits.is_empty() => {
                return Err(SizeError::Ambiguous(format!("{digits}{letter}")));
            }
            _ => return Err(SizeError::Syntax(text.to_owned())),
        };
        let number: u64 = digits.parse().map_err(|_| SizeError::Syntax(text.to_owned()))?;
        let bytes = number
            .checked_mul(factor)
            .filter(|bytes| *bytes <= LARGEST)
            .ok_or_else(|| SizeError::TooLarge(text.to_owned()))?;
        let bytes = if nominal {
            let with_margin = bytes / 100 * 95;
            with_margin - with_margin % ROUNDING
        } else {
            bytes
        };
        if bytes < SMALLEST {
            return Err(SizeError::TooSmall(text.to_owned()));
        }
        if !bytes.is_multiple_of(512) {
            return Err(SizeError::PartialSector(bytes));
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
        // 5 % less than 8 GB is 7.6e9, or 1811.98 times 4 MiB.
        assert_eq!(bytes("8GB"), Some(1811 * (4 << 20)));
        assert_eq!(bytes("8 GB"), bytes("8GB"));
        assert_eq!(bytes("8gb"), bytes("8GB"));
        assert_eq!(bytes("7gib"), bytes("7GiB"));
        assert_eq!(bytes("64MiB"), Some(64 << 20));
        assert_eq!(bytes("7400MiB"), Some(7400 << 20));
        assert_eq!(bytes("7GiB"), Some(7 << 30));
        assert_eq!(bytes("67108864"), Some(64 << 20));
        assert_eq!(bytes("67109376"), Some((64 << 20) + 512));
    }

    #[test]
    fn a_unit_of_one_letter_is_answered_with_both_spellings() {
        let error = "8g".parse::<CardSize>().unwrap_err();
        assert_eq!(error.to_string(), "8G can mean two sizes");
        let fix = error.fix().unwrap_or_default();
        assert!(fix.contains("8GB") && fix.contains("8GiB"), "{fix}");
    }

    #[test]
    fn absurd_sizes_are_rejected() {
        for text in
            ["", "GB", "8", "8G", "8g", "G", "-8GB", "8.5GB", "67108865", "99999999999999999999GB"]
        {
            assert_eq!(bytes(text), None, "{text}");
        }
        for text in ["18446744073709551615", "20TiB", "1MiB", "0"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
