//! Sizes in bytes.

use bytesize::ByteSize;

/// Returns a size in binary units, as file systems and memory are measured: `64.0 MiB`.
pub fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// Returns a size in binary units in as few columns as possible: `64M`, `1.2G`.
pub fn short_size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec_short().to_string().replace(".0", "")
}

/// Returns a size in decimal units, as cards and disks are labelled: `7.9 GB`.
pub fn decimal_size(bytes: u64) -> String {
    ByteSize::b(bytes).display().si().to_string()
}

/// Returns two sizes in decimal units that a reader compares. Where rounding makes them look
/// the same, both have their bytes too: `7.9 GB (7948206080 bytes)`.
pub fn two_sizes(one: u64, other: u64) -> [String; 2] {
    let sizes = [one, other].map(decimal_size);
    if one == other || sizes[0] != sizes[1] {
        return sizes;
    }
    [one, other].map(|bytes| format!("{} ({bytes} bytes)", decimal_size(bytes)))
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

    #[test]
    fn short_sizes_have_no_zero_after_the_point() {
        let sizes = [512, 720 << 10, 3 << 19, 64 << 20, 7065 << 20, 10 << 30];
        assert_eq!(sizes.map(short_size), ["512B", "720K", "1.5M", "64M", "6.9G", "10G"]);
    }

    #[test]
    fn two_sizes_that_differ_look_different() {
        assert_eq!(two_sizes(20 << 20, 44 << 20), ["21.0 MB", "46.1 MB"]);
        let alike = two_sizes(7_948_206_080, 7_948_206_592);
        assert_eq!(alike, ["7.9 GB (7948206080 bytes)", "7.9 GB (7948206592 bytes)"]);
        assert_eq!(two_sizes(512, 512), ["512 B", "512 B"]);
    }
}
