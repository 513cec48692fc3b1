//! The format of a file, detected by its first bytes.

use std::fmt;

use fs_signature::UNFINISHED_CARD;

use super::error::NotAnImage;

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

/// The number of bytes that [`detect`] needs: enough for the volume descriptor of an ISO
/// 9660 image, which lies at 32 KiB.
pub(super) const HEAD: usize = 64 << 10;

/// Returns how the file that begins with `head` is compressed, if it is. A zstd file may
/// begin with a skippable frame (magics 0x184D2A50 to 0x184D2A5F), as pzstd writes it.
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

/// Returns the format of the file that begins with `head`.
///
/// # Errors
/// What it looks like instead.
pub(super) fn detect(head: &[u8]) -> Result<BaseFormat, NotAnImage> {
    match compression(head) {
        Some(format) => Ok(format),
        None => check_raw(head).map(|()| BaseFormat::Raw),
    }
}

/// Checks that decompressed bytes begin as a disk image does.
///
/// # Errors
/// As [`detect`].
pub(super) fn check_image(head: &[u8]) -> Result<(), NotAnImage> {
    match compression(head) {
        Some(format) => Err(NotAnImage {
            what: format!("it contains {format} data in turn"),
            fix: Some("unpack it once and give the result"),
            is_blank: false,
        }),
        None => check_raw(head),
    }
}

impl NotAnImage {
    pub(super) fn new(what: impl Into<String>, fix: impl Into<Option<&'static str>>) -> Self {
        NotAnImage { what: what.into(), fix: fix.into(), is_blank: false }
    }
}

const UNPACK: Option<&str> = Some("unpack it and give the image inside");
const DECOMPRESS: Option<&str> = Some("decompress it and give the raw image");
const CONVERT: Option<&str> = Some("convert it with `qemu-img convert -O raw`");
const WHOLE: Option<&str> = Some("give the image of the whole card");

/// Files that people give by mistake: offset, bytes there, what it is, what to do.
const STRANGERS: &[(usize, &[u8], &str, Option<&str>)] = &[
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"LZIP", "lzip data", DECOMPRESS),
    (0, b"\x5d\0\0", "old .lzma data", DECOMPRESS),
    (0, b"\x04\x22\x4d\x18", "lz4 data", DECOMPRESS),
    (0, b"\x1f\x9d", "compress (.Z) data", DECOMPRESS),
    (0, b"QFI\xfb", "a qcow2 disk", CONVERT),
    (0, b"KDMV", "a VMware disk", CONVERT),
    (0, b"conectix", "a Virtual PC disk", CONVERT),
    (0, b"vhdxfile", "a Hyper-V disk", CONVERT),
    (0, b"\x3a\xff\x26\xed", "an Android sparse image", Some("convert it with `simg2img`")),
    (0, b"version https://git-lfs", "a Git LFS pointer", Some("run `git lfs pull`")),
    (0, b"\x7fELF", "a program", None),
    (0, b"%PDF", "a PDF document", None),
    (0, b"hsqs", "a bare SquashFS filesystem, without a partition table", WHOLE),
    (0x438, b"\x53\xef", "a bare ext filesystem, without a partition table", WHOLE),
];

fn check_raw(head: &[u8]) -> Result<(), NotAnImage> {
    // The table of what was on the card before may still be behind the mark.
    if has(head, 0, UNFINISHED_CARD.as_bytes()) {
        let what = "writing this card was interrupted, so it does not boot";
        return Err(NotAnImage::new(what, "write the card again"));
    }
    // A bootable ISO has a boot signature too, so it is looked for first.
    if has(head, 0x8001, b"CD001") {
        let what = "it is a CD or DVD image (ISO 9660), not the image of an SD card";
        return Err(NotAnImage::new(what, None));
    }
    if has(head, 510, b"\x55\xaa") || has(head, 512, b"EFI PART") {
        return Ok(());
    }
    if let Some((_, _, what, fix)) = STRANGERS.iter().find(|(at, magic, ..)| has(head, *at, magic))
    {
        return Err(NotAnImage::new(format!("this is {what}"), *fix));
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|t| t.eq_ignore_ascii_case(tag));
    if begins(b"<!doctype") || begins(b"<html") || begins(b"<head") || begins(b"<?xml") {
        let fix = "download it again: the server sent a page instead of the image";
        return Err(NotAnImage::new("it looks like a web page", fix));
    }
    if head.iter().all(|byte| *byte == 0) {
        let what = "it is blank: it has no partition table".to_owned();
        return Err(NotAnImage { what, fix: None, is_blank: true });
    }
    let start = head.get(..256).unwrap_or(head);
    if start.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        let line: String = text.iter().take(60).map(|b| char::from(*b)).collect();
        let line = line.lines().next().unwrap_or_default();
        return Err(NotAnImage::new(format!("it is text that begins with \"{line}\""), None));
    }
    let bytes: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let what = format!("it begins with the bytes {} and has no boot signature", bytes.join(" "));
    Err(NotAnImage::new(what, None))
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
    fn detects_formats_by_their_first_bytes() {
        for (bytes, format) in [
            (&b"\xfd7zXZ\0\0\x04"[..], BaseFormat::Xz),
            (b"\x1f\x8b\x08\0", BaseFormat::Gzip),
            (b"\x28\xb5\x2f\xfd\x04", BaseFormat::Zstd),
            (b"\x50\x2a\x4d\x18\x04\0\0\0", BaseFormat::Zstd),
            (b"BZh91AY&SY", BaseFormat::Bzip2),
            (b"PK\x03\x04\x14\0", BaseFormat::Zip),
        ] {
            assert_eq!(detect(bytes), Ok(format));
            assert!(check_image(bytes).is_err_and(|found| found.what.contains("in turn")));
        }
        assert_eq!(detect(&sector_with(510, b"\x55\xaa")), Ok(BaseFormat::Raw));
        assert_eq!(detect(&sector_with(512, b"EFI PART")), Ok(BaseFormat::Raw));
        assert_eq!(check_image(&sector_with(510, b"\x55\xaa")), Ok(()));
    }

    #[test]
    fn names_files_given_by_mistake() {
        let mut iso = sector_with(0x8001, b"CD001");
        iso[510..512].copy_from_slice(b"\x55\xaa");
        let mut unfinished = sector_with(512, b"EFI PART");
        unfinished[..UNFINISHED_CARD.len()].copy_from_slice(UNFINISHED_CARD.as_bytes());
        for (head, word) in [
            (unfinished, "interrupted"),
            (iso, "ISO 9660"),
            (sector_with(0, b"7z\xbc\xaf\x27\x1c"), "7-Zip"),
            (sector_with(0, b"Rar!\x1a\x07\x01"), "RAR"),
            (sector_with(257, b"ustar"), "tar"),
            (sector_with(0x438, b"\x53\xef"), "bare ext"),
            (b"\xef\xbb\xbf\r\n <!DocType html>".to_vec(), "web page"),
            (b"<html><body>404".to_vec(), "web page"),
            (b"File not found\n".to_vec(), "\"File not found\""),
            (vec![0; HEAD], "blank"),
            (b"\x01\x02\xff".to_vec(), "01 02 ff"),
            (b"x".to_vec(), "text"),
        ] {
            let found = detect(&head).unwrap_err();
            assert!(found.what.contains(word), "{word:?} is not in {found:?}");
        }
    }
}
