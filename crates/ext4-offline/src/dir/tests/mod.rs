//! Directories in memory, and an independent reader of their blocks.

mod growth;
mod hash;
mod hostile;
mod image;
mod model;
#[path = "../../../tests/common/tools.rs"]
mod tools;

use std::{cell::Cell, collections::BTreeMap};

use super::*;
use crate::digest::crc32c;

/// The inode number of the directory in these tests.
const OWN: u32 = 12;
const PARENT: u32 = 2;

/// Names, with their inodes.
type Model = BTreeMap<Vec<u8>, (u32, u8)>;

/// Blocks in memory.
#[derive(Debug, Clone, Default)]
struct Blocks {
    blocks: Vec<Vec<u8>>,
    /// The largest number of blocks.
    limit: Option<usize>,
    reads: Cell<usize>,
}

impl Blocks {
    /// A new directory.
    fn new(format: &Format) -> Self {
        Blocks { blocks: vec![first_block(format, OWN, PARENT)], ..Default::default() }
    }
}

impl ReadBlocks for Blocks {
    fn count(&self) -> u32 {
        self.blocks.len() as u32
    }

    fn read(&self, index: u32) -> Result<Vec<u8>> {
        self.reads.set(self.reads.get() + 1);
        Ok(self.blocks[index as usize].clone())
    }
}

impl DirBlocks for Blocks {
    fn write(&mut self, index: u32, bytes: Vec<u8>) -> Result<()> {
        assert_eq!(bytes.len(), self.blocks[0].len());
        self.blocks[index as usize] = bytes;
        Ok(())
    }

    fn append(&mut self, bytes: Vec<u8>) -> Result<u32> {
        if self.limit.is_some_and(|limit| self.blocks.len() >= limit) {
            return Err(Error::NoSpace { target: 0, storage: 0 });
        }
        assert_eq!(bytes.len(), self.blocks[0].len());
        self.blocks.push(bytes);
        Ok(self.count() - 1)
    }
}

fn format(block_size: u32) -> Format {
    Format {
        block_size,
        filetype: true,
        checksum_seed: Some(0x1234_5678),
        hash_seed: [0x0102_0304, 0x5060_7080, 0x90a0_b0c0, 0xd0e0_f001],
        hash_version: 1,
        may_index: true,
        large_dir: false,
        casefold: false,
        inode: OWN,
    }
}

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }

    /// A name that is unique to this number.
    fn name(&mut self, number: usize, longest: usize) -> Vec<u8> {
        let mut name = format!("{number}:").into_bytes();
        let length = 1 + self.below(longest);
        while name.len() < length {
            let byte = self.below(256) as u8;
            name.push(if matches!(byte, 0 | b'/') { b'-' } else { byte });
        }
        name
    }
}

/// A second reader of directory blocks, which shares only the hash with the first. It panics at
/// anything that the kernel would not have written.
struct Verifier<'a> {
    format: &'a Format,
    blocks: &'a [Vec<u8>],
    found: Model,
    visited: Vec<bool>,
    levels: u8,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn half(bytes: &[u8], at: usize) -> usize {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()).into()
}

/// The names in the blocks, and the number of levels of nodes.
fn verify(format: &Format, blocks: &Blocks, indexed: bool) -> (Model, u8) {
    let blocks = &blocks.blocks;
    let visited = vec![false; blocks.len()];
    let mut verifier = Verifier { format, blocks, found: Model::new(), visited, levels: 0 };
    if indexed {
        verifier.root();
    } else {
        for index in 0..blocks.len() {
            verifier.leaf(index, None);
        }
    }
    assert!(verifier.visited.iter().all(|&visited| visited));
    let Verifier { mut found, levels, .. } = verifier;
    assert_eq!(found.remove(&b"."[..]).unwrap().0, OWN);
    assert!(found.remove(&b".."[..]).is_some());
    (found, levels)
}

impl Verifier<'_> {
    fn size(&self) -> usize {
        self.format.block_size as usize
    }

    fn visit(&mut self, index: usize) -> Vec<u8> {
        assert!(!self.visited[index], "block {index} is there twice");
        self.visited[index] = true;
        assert_eq!(self.blocks[index].len(), self.size());
        self.blocks[index].clone()
    }

    /// Reads an entry, and returns the offset of the next one.
    fn entry(&mut self, block: &[u8], at: usize, range: Option<(u32, u32)>) -> usize {
        let rec_len = match half(block, at + 4) {
            0xffff if self.size() == 0x1_0000 => 0x1_0000,
            length => length,
        };
        let name_len = usize::from(block[at + 6]);
        assert!(rec_len >= 12 && rec_len % 4 == 0 && rec_len >= 8 + name_len);
        assert!(self.format.filetype || block[at + 7] == 0);
        let inode = word(block, at);
        if inode != 0 {
            let name = &block[at + 8..at + 8 + name_len];
            if let Some((low, high)) = range {
                let version = Version::new(self.format.hash_version).unwrap();
                let hash = version.hash(name, &self.format.hash_seed);
                assert!(hash >= low & !1, "{hash:#x} is before {low:#x}");
                // The next hash may be here only if it continues there.
                assert!(hash < high || high & 1 == 1 && hash == high & !1);
            }
            let old = self.found.insert(name.to_vec(), (inode, block[at + 7]));
            assert_eq!(old, None, "{name:?} is there twice");
        }
        at + rec_len
    }

    fn leaf(&mut self, index: usize, range: Option<(u32, u32)>) {
        let block = self.visit(index);
        let mut end = self.size();
        if let Some(seed) = self.format.checksum_seed {
            end -= 12;
            assert_eq!(block[end..end + 8], [0, 0, 0, 0, 12, 0, 0, 0xde]);
            assert_eq!(word(&block, end + 8), crc32c(seed, &block[..end]));
        }
        let mut at = 0;
        while at < end {
            at = self.entry(&block, at, range);
        }
        assert_eq!(at, end);
    }

    fn root(&mut self) {
        let block = self.visit(0);
        assert_eq!(self.entry(&block, 0, None), 12);
        assert_eq!(self.entry(&block, 12, None), self.size());
        assert_eq!(block[24..28], [0; 4]);
        assert_eq!(block[28..30], [self.format.hash_version % 3, 8]);
        assert_eq!(block[31], 0);
        self.levels = block[30];
        assert!(self.levels <= 1 + u8::from(self.format.large_dir));
        self.list(&block, 32, self.levels, (0, u32::MAX));
    }

    fn node(&mut self, index: usize, levels: u8, range: (u32, u32)) {
        let block = self.visit(index);
        assert_eq!(word(&block, 0), 0);
        assert!(matches!((half(&block, 4), self.size()), (0xffff, 0x1_0000) | (1024..=32768, _)));
        assert_eq!(half(&block, 4) as u16, self.size().min(0xffff) as u16);
        assert_eq!(half(&block, 6), 0);
        self.list(&block, 8, levels, range);
    }

    fn list(&mut self, block: &[u8], start: usize, levels: u8, (low, high): (u32, u32)) {
        let (limit, count) = (half(block, start), half(block, start + 2));
        let tail = if self.format.checksum_seed.is_some() { 8 } else { 0 };
        assert_eq!(limit, (self.size() - start - tail) / 8);
        assert!((1..=limit).contains(&count));
        if let Some(seed) = self.format.checksum_seed {
            let mut covered = block[..start + count * 8].to_vec();
            covered.extend(&block[start + limit * 8..start + limit * 8 + 4]);
            covered.extend([0; 4]);
            assert_eq!(word(block, start + limit * 8 + 4), crc32c(seed, &covered));
        }
        let hash = |entry: usize| match entry {
            0 => low,
            _ if entry == count => high,
            _ => word(block, start + entry * 8),
        };
        for entry in 0..count {
            let range = (hash(entry), hash(entry + 1));
            assert!(range.0 <= range.1);
            let child = word(block, start + entry * 8 + 4) as usize;
            match levels {
                0 => self.leaf(child, Some(range)),
                _ => self.node(child, levels - 1, range),
            }
        }
    }
}
