//! Zip files: finding the image among the members, and decoding it.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use platform::PositionedFile as _;
use zip::{CompressionMethod, ZipArchive, result::ZipError};

use super::codec::{DecodeFault, DecodeStep, Inflate, StreamDecoder};
use crate::{
    Cancel,
    base::{BaseError, BaseFormat, file::SourceFile},
};

/// The endings of disk images' names.
const IMAGE_NAMES: [&str; 6] = [".img", ".raw", ".wic", ".sdimg", ".sdcard", ".bin"];

/// The number of names that a message lists.
const LISTED: usize = 5;

/// The image in a zip file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ZipMember {
    /// Where its compressed data begins in the file, in bytes.
    pub start: u64,
    /// Its compressed size in bytes.
    compressed: u64,
    /// Its size in bytes.
    pub size: u64,
    crc32: u32,
    stored: bool,
}

/// Finds the image: the only file, or else the only one that is named like an image. (Some
/// archives also hold a readme or a checksum.)
pub(super) fn find_image(source: &SourceFile, cancel: &Cancel) -> Result<ZipMember, BaseError> {
    // A directory can have millions of members.
    let file = BufReader::new(Interruptible { file: &source.file, cancel });
    let archive = ZipArchive::new(file);
    cancel.check()?;
    let archive = archive.map_err(|error| zip_error(source, error))?;
    let mut files = Vec::new();
    for index in 0..archive.len() {
        cancel.check()?;
        let file = archive.by_index_data(index).map_err(|error| zip_error(source, error))?;
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        if !file.is_dir() && !name.starts_with("__MACOSX/") {
            files.push((index, name));
        }
    }
    let is_image = |name: &str| {
        let name = name.to_ascii_lowercase();
        IMAGE_NAMES.iter().any(|end| name.ends_with(end))
    };
    let images: Vec<_> = files.iter().filter(|(_, name)| is_image(name)).collect();
    let index = match (&files[..], &images[..]) {
        ([(index, _)], _) | (_, [(index, _)]) => *index,
        (_, []) => return Err(members(source, files.iter())),
        (_, images) => return Err(members(source, images.iter().copied())),
    };
    locate(source, &archive, index)
}

type Archive<'a> = ZipArchive<BufReader<Interruptible<'a>>>;

/// Reads a file until the user asks to stop.
struct Interruptible<'a> {
    file: &'a File,
    cancel: &'a Cancel,
}

impl Read for Interruptible<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        self.file.read(buf)
    }
}

impl Seek for Interruptible<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

fn locate(
    source: &SourceFile,
    archive: &Archive<'_>,
    index: usize,
) -> Result<ZipMember, BaseError> {
    let unsupported = |reason: &str| BaseError::Unsupported {
        path: source.path.clone(),
        format: BaseFormat::Zip,
        reason: reason.to_owned(),
        command: None,
    };
    let file = archive.by_index_data(index).map_err(|error| zip_error(source, error))?;
    if file.encrypted() {
        return Err(unsupported("the image inside is encrypted"));
    }
    let stored = match file.compression() {
        CompressionMethod::Stored => true,
        CompressionMethod::Deflated => false,
        other => return Err(unsupported(&format!("the image inside is compressed as {other}"))),
    };
    // The local header: 30 bytes, then a name and extra fields of these sizes.
    let at = file.header_start();
    let mut header = [0; 30];
    match source.file.read_exact_at(&mut header, at) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            return Err(source.read_error(at, error));
        }
        // Beyond the end there is no header, which is reported below.
        _ => {}
    }
    let [.., name_low, name_high, extra_low, extra_high] = header;
    if !header.starts_with(b"PK\x03\x04") {
        return Err(corrupt(
            source,
            at.min(source.size()),
            "a member's header is not where the directory says",
        ));
    }
    let name = u64::from(u16::from_le_bytes([name_low, name_high]));
    let extra = u64::from(u16::from_le_bytes([extra_low, extra_high]));
    Ok(ZipMember {
        start: at.saturating_add(30 + name + extra),
        compressed: file.compressed_size(),
        size: file.size(),
        crc32: file.crc32(),
        stored,
    })
}

fn members<'a>(
    source: &SourceFile,
    files: impl ExactSizeIterator<Item = &'a (usize, String)>,
) -> BaseError {
    let count = files.len();
    let mut found: Vec<String> =
        files.take(LISTED).map(|(_, name)| name.escape_debug().to_string()).collect();
    if count > LISTED {
        found.push(format!("and {} more", count - LISTED));
    }
    let found = if found.is_empty() { "no file".to_owned() } else { found.join(", ") };
    BaseError::ZipMembers { path: source.path.clone(), found }
}

fn zip_error(source: &SourceFile, error: ZipError) -> BaseError {
    let size = source.size();
    match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => source.read_error(0, error),
        ZipError::UnsupportedArchive(reason) => BaseError::Unsupported {
            path: source.path.clone(),
            format: BaseFormat::Zip,
            reason: reason.to_owned(),
            command: None,
        },
        _ if !has_end_record(source).unwrap_or(true) => {
            BaseError::Truncated { path: source.path.clone(), format: BaseFormat::Zip, size }
        }
        error => corrupt(source, size, &error.to_string()),
    }
}

/// Returns whether the record that ends every zip file is there. It can only be followed
/// by a comment of at most 64 KiB.
fn has_end_record(source: &SourceFile) -> io::Result<bool> {
    let start = source.size().saturating_sub(22 + (64 << 10));
    let mut tail = vec![0; (source.size() - start) as usize];
    source.file.read_exact_at(&mut tail, start)?;
    Ok(tail.windows(4).any(|bytes| bytes == b"PK\x05\x06"))
}

fn corrupt(source: &SourceFile, near: u64, reason: &str) -> BaseError {
    BaseError::Corrupt {
        path: source.path.clone(),
        format: BaseFormat::Zip,
        near,
        size: source.size(),
        reason: reason.to_owned(),
    }
}

/// Decodes the member and checks its size and checksum.
pub(super) struct ZipDecoder {
    member: ZipMember,
    inflate: Option<Inflate>,
    consumed: u64,
    produced: u64,
    crc: flate2::Crc,
}

impl ZipDecoder {
    pub(super) fn new(member: ZipMember) -> Self {
        ZipDecoder {
            member,
            inflate: (!member.stored).then(Inflate::bare),
            consumed: 0,
            produced: 0,
            crc: flate2::Crc::new(),
        }
    }
}

impl StreamDecoder for ZipDecoder {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, DecodeFault> {
        let left = self.member.compressed - self.consumed;
        if input.is_empty() && left > 0 {
            return Err(DecodeFault::Truncated);
        }
        let n = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let input = input.get(..n).unwrap_or_default();
        let mut step = match &mut self.inflate {
            Some(inflate) => inflate.step(input, output)?,
            None => {
                let n = input.len().min(output.len());
                if let (Some(to), Some(from)) = (output.get_mut(..n), input.get(..n)) {
                    to.copy_from_slice(from);
                }
                DecodeStep { consumed: n, produced: n, ended: n as u64 == left }
            }
        };
        self.consumed += step.consumed as u64;
        self.produced += step.produced as u64;
        self.crc.update(output.get(..step.produced).unwrap_or_default());
        if !step.ended && step.consumed == 0 && step.produced == 0 {
            return Err(DecodeFault::corrupt("the image is longer than the directory states"));
        }
        let intact = self.consumed == self.member.compressed
            && self.produced == self.member.size
            && self.crc.sum() == self.member.crc32;
        if step.ended && !intact {
            return Err(DecodeFault::corrupt(
                "the image does not have the size and CRC that the directory states",
            ));
        }
        step.ended &= intact;
        Ok(step)
    }
}
