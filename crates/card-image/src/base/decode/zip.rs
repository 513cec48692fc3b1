//! Zip files: which member is the image, and its decoding.

use std::{
    io::{self, BufReader},
    os::unix::fs::FileExt as _,
};

use zip::{CompressionMethod, ZipArchive, result::ZipError};

use super::codec::{Codec, Fault, Inflate, Step};
use crate::base::{BaseError, BaseFormat, source::Source};

/// How the names of disk images end.
const IMAGE_NAMES: [&str; 6] = [".img", ".raw", ".wic", ".sdimg", ".sdcard", ".bin"];

/// How many names a message lists.
const LISTED: usize = 5;

/// The image in a zip file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    /// Where its compressed data begins in the file, in bytes.
    pub start: u64,
    /// Its compressed size in bytes.
    compressed: u64,
    /// Its size in bytes.
    pub size: u64,
    crc32: u32,
    stored: bool,
}

/// Finds the image: the only file, or else the only one that is named like an
/// image. (Some archives hold a readme or a checksum too.)
pub(super) fn find_image(source: &Source) -> Result<Member, BaseError> {
    let archive =
        ZipArchive::new(BufReader::new(&source.file)).map_err(|error| zip_error(source, error))?;
    let mut files = Vec::new();
    for index in 0..archive.len() {
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

fn locate(
    source: &Source,
    archive: &ZipArchive<BufReader<&std::fs::File>>,
    index: usize,
) -> Result<Member, BaseError> {
    let unsupported = |reason: &str| BaseError::Unsupported {
        path: source.path.clone(),
        format: BaseFormat::Zip,
        reason: format!("{reason}; unpack it and give the raw image"),
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
        // Beyond the end there is no header, which is told below.
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
    Ok(Member {
        start: at.saturating_add(30 + name + extra),
        compressed: file.compressed_size(),
        size: file.size(),
        crc32: file.crc32(),
        stored,
    })
}

fn members<'a>(
    source: &Source,
    files: impl ExactSizeIterator<Item = &'a (usize, String)>,
) -> BaseError {
    let count = files.len();
    let mut found: Vec<String> =
        files.take(LISTED).map(|(_, name)| name.escape_debug().to_string()).collect();
    if count > LISTED {
        found.push(format!("and {} more", count - LISTED));
    }
    let found = if found.is_empty() { "no file at all".to_owned() } else { found.join(", ") };
    BaseError::ZipMembers { path: source.path.clone(), found }
}

fn zip_error(source: &Source, error: ZipError) -> BaseError {
    let size = source.size();
    match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => source.read_error(0, error),
        ZipError::UnsupportedArchive(reason) => BaseError::Unsupported {
            path: source.path.clone(),
            format: BaseFormat::Zip,
            reason: reason.to_owned(),
        },
        _ if !has_end_record(source).unwrap_or(true) => {
            BaseError::Truncated { path: source.path.clone(), format: BaseFormat::Zip, size }
        }
        error => corrupt(source, size, &error.to_string()),
    }
}

/// Whether the record that ends every zip file is there. Only a comment of at
/// most 64 KiB follows it.
fn has_end_record(source: &Source) -> io::Result<bool> {
    let start = source.size().saturating_sub(22 + (64 << 10));
    let mut tail = vec![0; (source.size() - start) as usize];
    source.file.read_exact_at(&mut tail, start)?;
    Ok(tail.windows(4).any(|bytes| bytes == b"PK\x05\x06"))
}

fn corrupt(source: &Source, near: u64, reason: &str) -> BaseError {
    BaseError::Corrupt {
        path: source.path.clone(),
        format: BaseFormat::Zip,
        near,
        size: source.size(),
        reason: reason.to_owned(),
    }
}

/// Decodes the member and checks its size and checksum.
pub(super) struct ZipCodec {
    member: Member,
    inflate: Option<Inflate>,
    consumed: u64,
    produced: u64,
    crc: flate2::Crc,
}

impl ZipCodec {
    pub(super) fn new(member: Member) -> Self {
        ZipCodec {
            member,
            inflate: (!member.stored).then(Inflate::bare),
            consumed: 0,
            produced: 0,
            crc: flate2::Crc::new(),
        }
    }
}

impl Codec for ZipCodec {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        let left = self.member.compressed - self.consumed;
        if input.is_empty() && left > 0 {
            return Err(Fault::Truncated);
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
                Step { consumed: n, produced: n, ended: n as u64 == left }
            }
        };
        self.consumed += step.consumed as u64;
        self.produced += step.produced as u64;
        self.crc.update(output.get(..step.produced).unwrap_or_default());
        if !step.ended && step.consumed == 0 && step.produced == 0 {
            return Err(Fault::corrupt("the image is longer than the directory says"));
        }
        let sound = self.consumed == self.member.compressed
            && self.produced == self.member.size
            && self.crc.sum() == self.member.crc32;
        if step.ended && !sound {
            return Err(Fault::corrupt("the image does not have the size and CRC it should have"));
        }
        step.ended &= sound;
        Ok(step)
    }
}
