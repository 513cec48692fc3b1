//! .xz files assembled from blocks that were compressed separately.
//!
//! Blocks are compressed once for all images that share them, and by several threads. xz, and
//! every other decoder with threads, also decodes the result by several threads. The layout is
//! that of "The .xz File Format", version 1.2.1: stream header, blocks, index, stream footer.

use std::io::Write as _;

use liblzma::{
    stream::{Check, Filters, LzmaOptions, MtStreamBuilder},
    write::XzEncoder,
};

use super::OutputError;
use crate::xz_number::{push_number, read_number};

/// The default of xz(1).
const PRESET: u32 = 6;

/// The preset's own dictionary, in bytes.
const MAX_DICTIONARY: u32 = 8 << 20;

/// The size of the stream header and of the stream footer, in bytes.
const HEADER_SIZE: usize = 12;

/// Stream flags: the check of every block is a CRC64 (section 2.1.1.2).
const FLAGS: [u8; 2] = [0x00, 0x04];

/// One compressed block.
#[derive(Debug)]
pub(super) struct XzBlock {
    /// The block header, the compressed data, the padding and the check.
    pub bytes: Vec<u8>,
    record: IndexRecord,
}

/// The index's record of one block. Both sizes are in bytes.
#[derive(Debug, Clone, Copy)]
struct IndexRecord {
    /// The size of the block without its padding.
    unpadded: u64,
    uncompressed: u64,
}

/// Compresses one block.
///
/// liblzma's encoder makes a whole file, of which only the block is kept. Only its encoder for
/// several threads stores the block's sizes in the block header, and without these a decoder
/// cannot use several threads.
pub(super) fn compress(data: &[u8]) -> Result<XzBlock, OutputError> {
    let failed = |reason: String| OutputError::Compress { reason };
    let mut options = LzmaOptions::new_preset(PRESET).map_err(|error| failed(error.to_string()))?;
    // No match reaches back further than the beginning of the block, and a large dictionary
    // costs memory.
    options.dict_size((data.len() as u32).clamp(4096, MAX_DICTIONARY));
    let mut filters = Filters::new();
    filters.lzma2(&options);
    let stream = MtStreamBuilder::new()
        .threads(1)
        .filters(filters)
        .block_size(data.len() as u64)
        .check(Check::Crc64)
        .encoder()
        .map_err(|error| failed(error.to_string()))?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    let file = encoder
        .write_all(data)
        .and_then(|()| encoder.finish())
        .map_err(|error| failed(error.to_string()))?;
    single_block(&file).ok_or_else(|| failed("liblzma made an unexpected file".to_owned()))
}

/// Returns the only block of a file.
fn single_block(file: &[u8]) -> Option<XzBlock> {
    let footer = file.len().checked_sub(HEADER_SIZE)?;
    let backward = file.get(footer + 4..footer + 8)?.try_into().ok()?;
    let index = footer.checked_sub((u32::from_le_bytes(backward) as usize + 1) * 4)?;
    let mut fields = file.get(index..footer)?.get(1..)?;
    if read_number(&mut fields)? != 1 {
        return None;
    }
    let record = IndexRecord {
        unpadded: read_number(&mut fields)?,
        uncompressed: read_number(&mut fields)?,
    };
    let bytes = file.get(HEADER_SIZE..index)?.to_vec();
    (record.unpadded.next_multiple_of(4) == bytes.len() as u64).then_some(XzBlock { bytes, record })
}

/// Returns what comes before the first block.
pub(super) fn header() -> Vec<u8> {
    let mut header = b"\xfd7zXZ\0".to_vec();
    header.extend(FLAGS);
    header.extend(crc32(&FLAGS));
    header
}

/// The index of a file, collected block by block.
#[derive(Debug, Default)]
pub(super) struct XzIndex {
    records: Vec<IndexRecord>,
}

impl XzIndex {
    pub fn add(&mut self, block: &XzBlock) {
        self.records.push(block.record);
    }

    /// Returns what comes after the last block: the index and the stream footer.
    pub fn render(&self) -> Vec<u8> {
        let mut index = vec![0];
        push_number(&mut index, self.records.len() as u64);
        for record in &self.records {
            push_number(&mut index, record.unpadded);
            push_number(&mut index, record.uncompressed);
        }
        index.resize(index.len().next_multiple_of(4), 0);
        let sum = crc32(&index);
        index.extend(sum);

        let backward = (index.len() / 4 - 1) as u32;
        let mut covered = backward.to_le_bytes().to_vec();
        covered.extend(FLAGS);
        index.extend(crc32(&covered));
        index.extend(covered);
        index.extend(b"YZ");
        index
    }
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn liblzma_reads_an_assembled_file() {
        let blocks: Vec<Vec<u8>> = vec![
            vec![0; 1 << 20],
            (0..100_000u32).flat_map(|i| i.wrapping_mul(2654435761).to_le_bytes()).collect(),
            b"short".to_vec(),
        ];
        let mut file = header();
        let mut index = XzIndex::default();
        for block in &blocks {
            let block = compress(block).unwrap();
            index.add(&block);
            file.extend(&block.bytes);
        }
        file.extend(index.render());
        let mut back = Vec::new();
        liblzma::read::XzDecoder::new(&file[..]).read_to_end(&mut back).unwrap();
        assert!(back == blocks.concat());
    }
}
