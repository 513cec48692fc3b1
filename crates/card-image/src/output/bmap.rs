//! Block maps for bmaptool: the blocks of an image that must be copied to a card, with their
//! checksums.
//!
//! The format is version 2.0 of bmap-tools' XML (its `BmapCreate.py`). The file's own checksum
//! is computed with its digits set to `0`.

use std::fmt::Write as _;

use plain_text::to_hex;

use super::{digest::sum, pieces::RangeSum};

/// The block size of the map, in bytes. Used extents are rounded outwards to multiples of it.
pub(super) const BLOCK_SIZE: u64 = 4096;

/// Returns the block map of an image of `size` bytes. `ranges` are the parts that must be
/// copied, in bytes, with their checksums. They begin and end at block boundaries, except at
/// the end of the image.
pub(crate) fn render(size: u64, ranges: &[RangeSum]) -> String {
    let mapped: u64 =
        ranges.iter().map(|(range, _)| (range.end - range.start).div_ceil(BLOCK_SIZE)).sum();
    let placeholder = "0".repeat(64);
    let mut map = format!(
        "<?xml version=\"1.0\" ?>\n\
         <!-- Which blocks of the image must be copied to a card. bmaptool reads this. -->\n\
         <bmap version=\"2.0\">\n\
         \x20   <ImageSize> {size} </ImageSize>\n\
         \x20   <BlockSize> {BLOCK_SIZE} </BlockSize>\n\
         \x20   <BlocksCount> {} </BlocksCount>\n\
         \x20   <MappedBlocksCount> {mapped} </MappedBlocksCount>\n\
         \x20   <ChecksumType> sha256 </ChecksumType>\n\
         \x20   <BmapFileChecksum> {placeholder} </BmapFileChecksum>\n\
         \x20   <BlockMap>\n",
        size.div_ceil(BLOCK_SIZE)
    );
    for (range, checksum) in ranges {
        let first = range.start / BLOCK_SIZE;
        let last = (range.end - 1) / BLOCK_SIZE;
        let blocks = if first == last { format!("{first}") } else { format!("{first}-{last}") };
        let checksum = to_hex(checksum);
        // Writing to a string does not fail.
        let _ = writeln!(map, "        <Range chksum=\"{checksum}\"> {blocks} </Range>");
    }
    map.push_str("    </BlockMap>\n</bmap>\n");
    let own = to_hex(&sum(map.as_bytes()));
    map.replacen(&placeholder, &own, 1)
}
