//! Reading block maps, nodecard's own and those of bmap-tools.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use block_io::{Cancel, Extents, ReadAt};
use plain_text::{from_hex, to_hex};
use sha2::{Digest as _, Sha256};

/// The parts of an image that must be on a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockMap {
    /// The size of the image in bytes.
    pub image_size: u64,
    /// The parts in bytes, in ascending order, each with its SHA-256 sum if the map has one.
    ranges: Vec<(Range<u64>, Option<[u8; 32]>)>,
}

/// A block map that cannot be used, or an image that is not the one it describes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockMapError {
    /// It is not a block map.
    #[error("not a block map: {0}")]
    Syntax(String),
    /// It is not what it was when it was made.
    #[error("damaged: its own checksum is wrong")]
    Damaged,
    /// The image has another size.
    #[error("made for an image of {expected} bytes, not of {actual} bytes")]
    OtherSize {
        /// The size in the map.
        expected: u64,
        /// The size of the image.
        actual: u64,
    },
    /// A part of the image has another checksum.
    #[error("made for other contents: the image differs from it from byte {offset} on")]
    OtherContents {
        /// Where the part begins, in bytes.
        offset: u64,
    },
    /// The image cannot be read.
    #[error("the image cannot be read")]
    Read(#[from] block_io::Error),
    /// The user stopped it.
    #[error("interrupted")]
    Cancelled(#[from] block_io::Cancelled),
}

/// How many bytes are read at a time.
const CHUNK: u64 = 1 << 20;

impl BlockMap {
    /// Returns the block map beside an image: for `x.img.xz`, that is `x.img.xz.bmap`,
    /// `x.img.bmap` or `x.bmap`.
    pub fn beside(image: &Path) -> Option<PathBuf> {
        let mut name = image.file_name()?.to_str()?;
        loop {
            let map = image.with_file_name(format!("{name}.bmap"));
            if map.is_file() {
                return Some(map);
            }
            (name, _) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty())?;
        }
    }

    /// Reads a block map of version 1.2 to 2.0.
    ///
    /// # Errors
    /// [`BlockMapError::Syntax`], [`BlockMapError::Damaged`].
    pub fn parse(text: &str) -> Result<Self, BlockMapError> {
        let syntax = |what: &str| BlockMapError::Syntax(what.to_owned());
        let number = |name: &str| {
            let value = element(text, name).and_then(|(_, value)| value.trim().parse::<u64>().ok());
            value.ok_or_else(|| syntax(&format!("it has no {name}")))
        };
        let (image_size, block) = (number("ImageSize")?, number("BlockSize")?);
        if block == 0 || block > 1 << 30 {
            return Err(syntax("its block size is impossible"));
        }
        if let Some((_, own)) = element(text, "BmapFileChecksum") {
            let own = own.trim();
            let blank = text.replacen(own, &"0".repeat(own.len()), 1);
            if own.len() == 64 && to_hex(&Sha256::digest(blank)) != own.to_ascii_lowercase() {
                return Err(BlockMapError::Damaged);
            }
        }
        let (_, mut rest) =
            element(text, "BlockMap").ok_or_else(|| syntax("it has no BlockMap"))?;
        let mut ranges: Vec<(Range<u64>, Option<[u8; 32]>)> = Vec::new();
        while let Some((attributes, blocks)) = element(rest, "Range") {
            let end = rest.find("</Range>").map_or(rest.len(), |at| at + "</Range>".len());
            rest = &rest[end..];
            let blocks = blocks.trim();
            let (first, last) = blocks.split_once('-').unwrap_or((blocks, blocks));
            let parse = |text: &str| text.trim().parse::<u64>().ok();
            let bytes = parse(first).zip(parse(last)).and_then(|(first, last)| {
                let start = first.checked_mul(block)?;
                let end = last.checked_add(1)?.checked_mul(block)?.min(image_size);
                (start < end).then_some(start..end)
            });
            let bytes = bytes.ok_or_else(|| syntax("one of its ranges is impossible"))?;
            if ranges.last().is_some_and(|(before, _)| before.end > bytes.start) {
                return Err(syntax("its ranges are not in order"));
            }
            let sum = attributes.split_once("chksum=\"").and_then(|(_, sum)| sum.split('"').next());
            ranges.push((bytes, sum.and_then(from_hex)));
        }
        if ranges.is_empty() {
            return Err(syntax("it has no ranges"));
        }
        Ok(BlockMap { image_size, ranges })
    }

    /// Returns the parts in bytes.
    pub fn extents(&self) -> Extents {
        self.ranges.iter().map(|(range, _)| range.clone()).collect()
    }

    /// Returns whether every part has a checksum.
    pub fn has_sums(&self) -> bool {
        self.ranges.iter().all(|(_, sum)| sum.is_some())
    }

    /// Compares an image with the sizes and checksums of the map.
    ///
    /// # Errors
    /// [`BlockMapError`].
    pub fn check(&self, image: &dyn ReadAt, cancel: &Cancel) -> Result<(), BlockMapError> {
        let (expected, actual) = (self.image_size, image.size());
        if expected != actual {
            return Err(BlockMapError::OtherSize { expected, actual });
        }
        for (range, sum) in &self.ranges {
            let Some(sum) = sum else { continue };
            let mut hash = Sha256::new();
            for start in range.clone().step_by(CHUNK as usize) {
                cancel.check()?;
                hash.update(image.read_vec(start, CHUNK.min(range.end - start) as usize)?);
            }
            if <[u8; 32]>::from(hash.finalize()) != *sum {
                return Err(BlockMapError::OtherContents { offset: range.start });
            }
        }
        Ok(())
    }
}

/// Returns the attributes and the contents of the first element with this name.
fn element<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let open = format!("<{name}");
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(&open)?;
        let rest = &text[at + open.len()..];
        from = at + open.len();
        // `<BlockMap` is also the beginning of `<BlockMapX`.
        if rest.starts_with(['>', ' ', '\t', '\n']) {
            let (attributes, rest) = rest.split_once('>')?;
            let (contents, _) = rest.split_once(&format!("</{name}>"))?;
            return Some((attributes, contents));
        }
    }
}

#[cfg(test)]
mod tests {
    use block_io::Memory;

    use super::*;
    use crate::output::render_block_map;

    #[test]
    fn maps_are_read_as_they_are_written() {
        let bytes: Vec<u8> = (0..20_000u32).map(|i| (i % 251) as u8).collect();
        let sum = |range: Range<usize>| <[u8; 32]>::from(Sha256::digest(&bytes[range]));
        let parts = [0..8192usize, 12_288..20_000];
        let ranges: Vec<_> = parts
            .iter()
            .map(|part| (part.start as u64..part.end as u64, sum(part.clone())))
            .collect();
        let text = render_block_map(20_000, &ranges);
        let map = BlockMap::parse(&text).unwrap();
        assert!(map.has_sums());
        assert_eq!(map.extents().total(), 8192 + 7712);
        let cancel = Cancel::new();
        map.check(&Memory::new(bytes.clone()), &cancel).unwrap();
        let mut other = bytes.clone();
        other[12_300] ^= 1;
        let error = map.check(&Memory::new(other), &cancel).unwrap_err();
        assert!(matches!(error, BlockMapError::OtherContents { offset: 12_288 }), "{error}");
        let error = map.check(&Memory::new(bytes[..19_999].to_vec()), &cancel).unwrap_err();
        assert!(matches!(error, BlockMapError::OtherSize { .. }), "{error}");
        let damaged = text.replacen("> 0-1 <", "> 0-0 <", 1);
        assert_ne!(damaged, text);
        assert!(matches!(BlockMap::parse(&damaged), Err(BlockMapError::Damaged)));
        for text in ["", "<bmap>", "<bmap><ImageSize> 1 </ImageSize></bmap>"] {
            assert!(matches!(BlockMap::parse(text), Err(BlockMapError::Syntax(_))), "{text}");
        }
    }
}
