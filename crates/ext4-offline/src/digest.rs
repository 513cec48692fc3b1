//! The CRC-32C that ext4 and its journal use.

/// CRC-32C without the inversions at both ends, which ext4 leaves out.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_crc32c_is_the_standard_one_without_inversions() {
        // The check value of CRC-32C is e3069283.
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(crc32c(!0, b"1234"), b"56789"), crc32c(!0, b"123456789"));
    }
}
