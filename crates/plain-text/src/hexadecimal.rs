//! Hexadecimal, as checksums and ids are written.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Returns bytes as lowercase hexadecimal digits, two per byte.
pub fn to_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Returns the `N` bytes that `2 * N` hexadecimal digits of either case stand for, or
/// `None` if `text` is anything else.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_survive_a_round_trip() {
        assert_eq!(to_hex(&[0x00, 0xab, 0xff]), "00abff");
        assert_eq!(from_hex("00ABff"), Some([0x00, 0xab, 0xff]));
    }

    #[test]
    fn other_lengths_and_characters_are_rejected() {
        assert_eq!(from_hex::<2>("00abff"), None);
        assert_eq!(from_hex::<2>("00a"), None);
        assert_eq!(from_hex::<1>("0g"), None);
        assert_eq!(from_hex::<1>("é"), None);
    }
}
