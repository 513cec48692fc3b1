//! What a file is, told by its first bytes.

use std::fmt;

/// How a base image is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BaseFormat {
    /// As it is on the card.
    Raw,
    /// The .xz container of LZMA2 streams.
    Xz,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
    /// bzip2.
    Bzip2,
    /// A zip archive with the image as its member.
    Zip,
}

impl fmt::Display for BaseFormat {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            BaseFormat::Raw => "raw",
            BaseFormat::Xz => "xz",
            BaseFormat::Gzip => "gzip",
            BaseFormat::Zstd => "zstd",
            BaseFormat::Bzip2 => "bzip2",
            BaseFormat::Zip => "zip",
        })
    }
}

/// How many of the first bytes [`detect`] wants to see: enough for the volume
/// descriptor of an ISO 9660 image, which lies at 32 KiB.
pub(super) const HEAD: usize = 64 << 10;

/// Compression formats by their first bytes. A zstd file may begin with a
/// skippable frame (magics 0x184D2A50 to 0x184D2A5F), as pzstd writes it.
pub(super) fn compression(head: &[u8]) -> Option<BaseFormat> {
    if head.starts_with(b"\xfd7zXZ\0") {
        Some(BaseFormat::Xz)
    } else if head.starts_with(b"\x1f\x8b") {
        Some(BaseFormat::Gzip)
    } else if head.starts_with(b"\x28\xb5\x2f\xfd")
        || (head.get(1..4) == Some(b"\x2a\x4d\x18") && head[0] & 0xf0 == 0x50)
    {
        Some(BaseFormat::Zstd)
    } else if head.starts_with(b"BZh") {
        Some(BaseFormat::Bzip2)
    } else if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        Some(BaseFormat::Zip)
    } else {
        None
    }
}

/// The format of the file that begins with `head`.
///
/// # Errors
/// What it looks like instead, and what that suggests, for the user.
pub(super) fn detect(head: &[u8]) -> Result<BaseFormat, String> {
    match compression(head) {
        Some(format) => Ok(format),
        None => check_raw(head).map(|()| BaseFormat::Raw),
    }
}

/// Checks that decompressed bytes begin as a disk image does.
///
/// # Errors
/// As [`detect`].
pub(super) fn check_image(head: &[u8]) -> Result<(), String> {
    match compression(head) {
        Some(format) => {
            Err(format!("there is {format} data once more: unpack it one time yourself"))
        }
        None => check_raw(head),
    }
}

/// Files that people give by mistake: offset, bytes there, what it is.
const STRANGERS: &[(usize, &[u8], &str)] = &[
    (0, b"7z\xbc\xaf\x27\x1c", "this is a 7-Zip archive: unpack it and give the image inside"),
    (0, b"Rar!\x1a\x07", "this is a RAR archive: unpack it and give the image inside"),
    (257, b"ustar", "this is a tar archive: unpack it and give the image inside"),
    (0, b"LZIP", "this is lzip data: unpack it and give the raw image"),
    (0, b"\x5d\0\0", "this is old .lzma data: unpack it and give the raw image"),
    (0, b"\x04\x22\x4d\x18", "this is lz4 data: unpack it and give the raw image"),
    (0, b"\x1f\x9d", "this is compress (.Z) data: unpack it and give the raw image"),
    (0, b"QFI\xfb", "this is a qcow2 disk: convert it with qemu-img convert -O raw"),
    (0, b"KDMV", "this is a VMware disk: convert it with qemu-img convert -O raw"),
    (0, b"conectix", "this is a Virtual PC disk: convert it with qemu-img convert -O raw"),
    (0, b"vhdxfile", "this is a Hyper-V disk: convert it with qemu-img convert -O raw"),
    (0, b"\x3a\xff\x26\xed", "this is an Android sparse image: convert it with simg2img"),
    (0, b"version https://git-lfs", "this is a git-lfs pointer: run git lfs pull"),
    (0, b"\x7fELF", "this is a program"),
    (0, b"%PDF", "this is a PDF document"),
    (0, b"hsqs", "this is a bare SquashFS filesystem, without a partition table"),
    (0x438, b"\x53\xef", "this is a bare ext filesystem, without a partition table"),
];

fn check_raw(head: &[u8]) -> Result<(), String> {
    // A bootable ISO has a boot signature too, so it is looked for first.
    if has(head, 0x8001, b"CD001") {
        return Err("this is a CD or DVD image (ISO 9660), not the image of an SD card".into());
    }
    if has(head, 510, b"\x55\xaa") || has(head, 512, b"EFI PART") {
        return Ok(());
    }
    if let Some((_, _, what)) = STRANGERS.iter().find(|(at, magic, _)| has(head, *at, magic)) {
        return Err((*what).into());
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|t| t.eq_ignore_ascii_case(tag));
    if begins(b"<!doctype") || begins(b"<html") || begins(b"<head") || begins(b"<?xml") {
        return Err("this looks like a web page, the download probably failed".into());
    }
    if head.iter().all(|byte| *byte == 0) {
        return Err("its first bytes are all zero, there is no partition table".into());
    }
    let start = head.get(..256).unwrap_or(head);
    if start.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        let line: String = text.iter().take(60).map(|b| char::from(*b)).collect();
        let line = line.lines().next().unwrap_or_default().to_owned();
        return Err(format!("this is text, beginning with \"{line}\""));
    }
    let hex: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
    Err(format!("it begins with the bytes {} and has no boot signature", hex.join(" ")))
}

fn has(head: &[u8], at: usize, magic: &[u8]) -> bool {
    head.get(at..).is_some_and(|rest| rest.starts_with(magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector_with(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        head[at..at + bytes.len()].copy_from_slice(bytes);
        head
    }

    #[test]
    fn tells_formats_by_their_first_bytes() {
        for (bytes, format) in [
            (&b"\xfd7zXZ\0\0\x04"[..], BaseFormat::Xz),
            (b"\x1f\x8b\x08\0", BaseFormat::Gzip),
            (b"\x28\xb5\x2f\xfd\x04", BaseFormat::Zstd),
            (b"\x50\x2a\x4d\x18\x04\0\0\0", BaseFormat::Zstd),
            (b"BZh91AY&SY", BaseFormat::Bzip2),
            (b"PK\x03\x04\x14\0", BaseFormat::Zip),
        ] {
            assert_eq!(detect(bytes), Ok(format));
            assert!(check_image(bytes).is_err_and(|what| what.contains("once more")));
        }
        assert_eq!(detect(&sector_with(510, b"\x55\xaa")), Ok(BaseFormat::Raw));
        assert_eq!(detect(&sector_with(512, b"EFI PART")), Ok(BaseFormat::Raw));
        assert_eq!(check_image(&sector_with(510, b"\x55\xaa")), Ok(()));
    }

    #[test]
    fn names_what_is_given_by_mistake() {
        let mut iso = sector_with(0x8001, b"CD001");
        iso[510..512].copy_from_slice(b"\x55\xaa");
        for (head, word) in [
            (iso, "ISO 9660"),
            (sector_with(0, b"7z\xbc\xaf\x27\x1c"), "7-Zip"),
            (sector_with(0, b"Rar!\x1a\x07\x01"), "RAR"),
            (sector_with(257, b"ustar"), "tar"),
            (sector_with(0x438, b"\x53\xef"), "bare ext"),
            (b"\xef\xbb\xbf\r\n <!DocType html>".to_vec(), "web page"),
            (b"<html><body>404".to_vec(), "web page"),
            (b"File not found\n".to_vec(), "\"File not found\""),
            (vec![0; HEAD], "all zero"),
            (b"\x01\x02\xff".to_vec(), "01 02 ff"),
            (b"x".to_vec(), "text"),
        ] {
            let what = detect(&head).unwrap_err();
            assert!(what.contains(word), "{word:?} is not in {what:?}");
        }
    }
}
