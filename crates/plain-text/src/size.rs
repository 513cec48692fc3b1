//! Sizes in bytes.

use bytesize::ByteSize;

/// Returns a size in binary units, as file systems and memory are measured: `64.0 MiB`.
pub fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// Returns a size in decimal units, as cards and disks are labelled: `7.9 GB`.
pub fn decimal_size(bytes: u64) -> String {
    ByteSize::b(bytes).display().si().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_the_unit_by_the_size() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(64 << 20), "64.0 MiB");
        assert_eq!(size((7 << 30) + (1 << 29)), "7.5 GiB");
        assert_eq!(decimal_size(7_948_206_080), "7.9 GB");
    }
}
