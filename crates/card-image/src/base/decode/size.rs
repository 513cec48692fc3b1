//! The size of the decoded image, where the compressed file states it.

use std::io;

use platform::PositionedFile as _;

use crate::{
    base::{BaseFormat, file::SourceFile},
    xz_number::read_number,
};

/// An .xz index larger than this, of a million blocks, is not read.
const MAX_INDEX: u64 = 16 << 20;

/// The size of an .xz stream header, and of a stream footer, in bytes.
const XZ_HEADER: u64 = 12;

/// The most bytes that one byte of Deflate data can stand for.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// More than the header and the end of a gzip file take, in bytes, with a name of any length.
const GZIP_FRAME: u64 = 64 << 10;

/// Returns a lower bound of the decoded size in bytes, if the file states its size. Only
/// in a damaged file can it be too high.
pub(super) fn at_least(source: &SourceFile, format: BaseFormat, head: &[u8]) -> Option<u64> {
    match format {
        BaseFormat::Xz => xz(source).ok().flatten(),
        BaseFormat::Gzip => gzip(source).ok().flatten(),
        BaseFormat::Zstd => zstd::zstd_safe::get_frame_content_size(head).ok().flatten(),
        // The zip directory is read anyway; bzip2 does not say.
        BaseFormat::Zip | BaseFormat::Bzip2 | BaseFormat::Raw => None,
    }
}

/// gzip ends with the size of its last member modulo 4 GiB (RFC 1952, ISIZE). In a
/// truncated file these bytes are data, so a size that Deflate cannot reach is ignored. With
/// several members, or more than 4 GiB, it says little; but Deflate hardly makes data longer.
fn gzip(source: &SourceFile) -> io::Result<Option<u64>> {
    let Some(at) = source.size().checked_sub(4) else { return Ok(None) };
    let mut size = [0; 4];
    source.file.read_exact_at(&mut size, at)?;
    let size = u64::from(u32::from_le_bytes(size));
    let incompressible = (source.size() - source.size() / 1000).saturating_sub(GZIP_FRAME);
    let stated = Some(size).filter(|size| size / MAX_DEFLATE_RATIO <= source.size());
    Ok(stated.map(|size| size.max(incompressible)))
}

/// The index at the end of the last stream lists all of its blocks.
fn xz(source: &SourceFile) -> io::Result<Option<u64>> {
    let Some(footer_at) = source.size().checked_sub(XZ_HEADER) else { return Ok(None) };
    let mut footer = [0; XZ_HEADER as usize];
    source.file.read_exact_at(&mut footer, footer_at)?;
    let [_, _, _, _, b0, b1, b2, b3, _, _, b'Y', b'Z'] = footer else { return Ok(None) };
    let index_size = (u64::from(u32::from_le_bytes([b0, b1, b2, b3])) + 1) * 4;
    let Some(index_at) = footer_at.checked_sub(index_size) else { return Ok(None) };
    if index_size > MAX_INDEX {
        return Ok(None);
    }
    let mut index = vec![0; index_size as usize];
    source.file.read_exact_at(&mut index, index_at)?;
    Ok(xz_index(&index))
}

/// Returns the sum of the uncompressed sizes in an index, if its checksum is right.
fn xz_index(index: &[u8]) -> Option<u64> {
    let (body, sum) = index.split_last_chunk::<4>()?;
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let (0, mut fields) = body.split_first().map(|(first, rest)| (*first, rest))? else {
        return None;
    };
    if crc.sum() != u32::from_le_bytes(*sum) {
        return None;
    }
    let mut total: u64 = 0;
    for _ in 0..read_number(&mut fields)? {
        let _unpadded_size = read_number(&mut fields)?;
        total = total.checked_add(read_number(&mut fields)?)?;
    }
    Some(total)
}
