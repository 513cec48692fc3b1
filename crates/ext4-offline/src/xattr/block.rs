//! The block of attributes, which several inodes may share.

use super::{Attribute, MAGIC, damaged, entries};
use crate::{Result, digest::crc32c, source::Source};

/// The size of the block's header in bytes.
pub(crate) const HEADER: usize = 32;
/// The largest number of inodes that share a block (`EXT4_XATTR_REFCOUNT_MAX`).
const MAX_REFERENCES: u32 = 1024;

/// A block of attributes.
#[derive(Debug, Clone)]
pub(crate) struct AttributeBlock {
    pub block: u64,
    /// The number of inodes that use it.
    pub references: u32,
    pub attributes: Vec<Attribute>,
}

fn word(bytes: &[u8], index: usize) -> u32 {
    bytes.get(index * 4..).and_then(|rest| rest.first_chunk()).map_or(0, |w| u32::from_le_bytes(*w))
}

/// The checksum of the block, with zeros in its own field.
fn checksum(seed: u32, block: u64, bytes: &[u8]) -> u32 {
    let crc = crc32c(seed, &block.to_le_bytes());
    let (before, after) = bytes.split_at(16.min(bytes.len()));
    let crc = crc32c(crc, before);
    let crc = crc32c(crc, &[0; 4]);
    crc32c(crc, after.get(4..).unwrap_or_default())
}

/// Updates the checksum of the bytes of the block, if it has one.
pub(super) fn seal(bytes: &mut [u8], block: u64, seed: Option<u32>) {
    if let Some(seed) = seed
        && let crc = checksum(seed, block, bytes)
        && let Some(place) = bytes.get_mut(16..20)
    {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

impl AttributeBlock {
    /// Reads the block that inode `inode` refers to.
    pub fn load(source: &dyn Source, inode: u32, block: u64) -> Result<Self> {
        let fs = source.fs();
        if block <= fs.geometry.superblock_block(0) || block >= fs.geometry.blocks {
            return damaged(inode, "their block is not within the filesystem");
        }
        let bytes = source.block(block)?;
        let references = word(&bytes, 1);
        if word(&bytes, 0) != MAGIC || word(&bytes, 2) != 1 {
            return damaged(inode, "their block does not hold attributes");
        }
        if !(1..=MAX_REFERENCES).contains(&references) {
            return damaged(inode, "their block has an impossible number of users");
        }
        if let Some(seed) = fs.checksums.seed()
            && checksum(seed, block, &bytes) != word(&bytes, 4)
        {
            return damaged(inode, "the checksum of their block does not match");
        }
        let attributes = entries::parse(inode, bytes.get(HEADER..).unwrap_or_default(), HEADER)?;
        Ok(AttributeBlock { block, references, attributes })
    }

    /// As [`load`](Self::load), but block 0 stands for no block.
    pub fn load_if(source: &dyn Source, inode: u32, block: u64) -> Result<Option<Self>> {
        match block {
            0 => Ok(None),
            block => Self::load(source, inode, block).map(Some),
        }
    }

    /// The block's bytes.
    pub fn build(&self, block_size: u32, seed: Option<u32>) -> Vec<u8> {
        let mut attributes = self.attributes.clone();
        // The kernel searches them in this order.
        attributes.sort_by(|a, b| {
            let key = |a: &Attribute| (a.index, a.name.len());
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        let hash = attributes.iter().fold(0u32, |hash, attribute| match attribute.hash() {
            0 => hash,
            entry => hash.rotate_left(16) ^ entry,
        });
        let mut bytes = Vec::with_capacity(block_size as usize);
        for word in [MAGIC, self.references, 1, hash, 0, 0, 0, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(entries::build(&attributes, block_size as usize - HEADER, HEADER));
        seal(&mut bytes, self.block, seed);
        bytes
    }
}
