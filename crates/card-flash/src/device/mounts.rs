//! The devices that are mounted or used as swap space.

use std::path::PathBuf;

use platform::devices;

use super::host::{DeviceNumber, Place};

/// A mounted filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// The major and minor number of the device. Some filesystems (btrfs) have a number of
    /// their own.
    pub number: DeviceNumber,
    /// The device or other source that was mounted.
    pub source: PathBuf,
    /// What the source is, if that was looked up.
    pub place: Option<Place>,
    /// Where it is mounted.
    pub point: PathBuf,
    /// Whether its files are those of other directories: of the layers of an overlay.
    pub is_overlay: bool,
    /// Whether the filesystem itself is read-only, not only this mount of it.
    pub read_only: bool,
}

/// Reads the lines of `/proc/self/mountinfo`; see proc_pid_mountinfo(5).
pub(super) fn mounts(mountinfo: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (front, back) = line.split_once(" - ")?;
        let mut fields = front.split(' ').skip(2);
        let number = number(fields.next()?)?;
        let point = unescape(fields.nth(1)?);
        let (kind, rest) = back.split_once(' ')?;
        let mut rest = rest.split(' ');
        let source = unescape(rest.next()?);
        let read_only = rest.next().is_some_and(|options| options.split(',').any(|o| o == "ro"));
        let is_overlay = kind == "overlay";
        Some(Mount { number, source, place: None, point, is_overlay, read_only })
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// Returns the devices and files in `/proc/swaps`.
pub(super) fn swaps(text: &str) -> Vec<PathBuf> {
    text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(unescape).collect()
}

/// Parses a device number as sysfs and mountinfo write it, such as `8:16`.
pub(super) fn number(text: &str) -> Option<DeviceNumber> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Resolves the kernel's `\040` for a space and similar escapes.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = |digits: &[u8]| {
            digits.iter().try_fold(0u8, |value, digit| match digit {
                b'0'..=b'7' => value.checked_mul(8)?.checked_add(digit - b'0'),
                _ => None,
            })
        };
        match (first, tail.get(..3).and_then(octal)) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    devices::path_of(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn reads_mountinfo() {
        let text = "\
22 27 0:20 / /proc rw,relatime - proc proc rw\n\
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n\
30 27 8:17 / /media/My\\040Card\\134x rw - vfat /dev/sdb1 rw\n\
31 27 0:44 /@ /data ro - btrfs /dev/sdc2 rw\n\
32 27 8:33 / /old ro - ext4 /dev/sdd1 ro,errors=remount-ro\n\
33 27 0:50 / /merged rw - overlay overlay rw,lowerdir=/lower\n\
garbage\n";
        let mounts = mounts(text);
        let brief: Vec<_> = mounts
            .iter()
            .map(|m| (m.number, m.source.to_str().unwrap(), m.point.to_str().unwrap()))
            .collect();
        assert_eq!(
            brief,
            [
                ((0, 20), "proc", "/proc"),
                ((254, 0), "/dev/vda", "/"),
                ((8, 17), "/dev/sdb1", "/media/My Card\\x"),
                ((0, 44), "/dev/sdc2", "/data"),
                ((8, 33), "/dev/sdd1", "/old"),
                ((0, 50), "overlay", "/merged"),
            ]
        );
        // A read-only mount of a filesystem that is written to elsewhere is none.
        let read_only: Vec<bool> = mounts.iter().map(|mount| mount.read_only).collect();
        assert_eq!(read_only, [false, false, false, false, true, false]);
        let overlays: Vec<bool> = mounts.iter().map(|mount| mount.is_overlay).collect();
        assert_eq!(overlays, [false, false, false, false, false, true]);
    }

    #[test]
    fn reads_swaps() {
        let text = "Filename\tType\tSize\tUsed\tPriority\n\
                    /dev/sdb2      partition\t1\t0\t-2\n/swap\\040file file\t1\t0\t-3\n";
        assert_eq!(swaps(text), [Path::new("/dev/sdb2"), Path::new("/swap file")]);
    }
}
