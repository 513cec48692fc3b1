//! Finding and reading the journal.

use block_io::ReadAt;

use super::{blocks::Format, superblock::JournalSuperblock};
use crate::{
    Error, Operation, Result,
    filesystem::Filesystem,
    map::{Mapping, Run},
    source::{Source, Stored, place_of},
};

/// The journal of a filesystem.
#[derive(Debug)]
pub(super) struct Journal<'a> {
    storage: &'a dyn ReadAt,
    pub fs: Filesystem,
    pub superblock: JournalSuperblock,
    pub format: Format,
    /// Its blocks, in its own order.
    runs: Vec<Run>,
    /// The same blocks, in the order of the filesystem.
    sorted: Vec<Run>,
}

impl<'a> Journal<'a> {
    /// Finds the journal. Returns `None` if there is none, or if it is on another device and has
    /// nothing to replay.
    pub fn open(storage: &'a dyn ReadAt) -> Result<Option<Self>> {
        let fs = Filesystem::open_unchecked(storage, Operation::Recover)?;
        let (superblock, features) = (&fs.superblock, fs.superblock.features());
        let inode = superblock.s_journal_inum();
        if !features.has_journal() {
            if !features.needs_recovery() {
                return Ok(None);
            }
            return Err(Error::Superblock {
                field: "s_feature_incompat",
                value: features.incompat.into(),
                reason: "needs_recovery needs has_journal",
            });
        }
        let elsewhere = superblock.s_journal_uuid() != [0; 16];
        if elsewhere || inode == 0 && superblock.s_journal_dev() != 0 {
            return if features.needs_recovery() { Err(Error::ExternalJournal) } else { Ok(None) };
        }
        let runs = find_blocks(&fs, storage, inode)?;
        // The first run begins with the first block, or there is none.
        let blocks = runs.last().map_or(0, Run::end);
        let first = match runs.first() {
            Some(run) => fs.read_block(storage, run.physical)?,
            None => Vec::new(),
        };
        let superblock = JournalSuperblock::parse(first, fs.geometry.block_size, blocks)?;
        let format = Format::of(&superblock);
        let mut sorted = runs.clone();
        sorted.sort_unstable_by_key(|run| run.physical);
        Ok(Some(Journal { storage, fs, superblock, format, runs, sorted }))
    }

    /// The block of the filesystem that holds a block of the journal.
    pub fn physical(&self, block: u32) -> Result<u64> {
        let logical = u64::from(block);
        let index = self.runs.partition_point(|run| run.end() <= logical);
        match self.runs.get(index).and_then(|run| run.after(logical)) {
            Some(run) => Ok(run.physical),
            None => Err(Error::Journal { block, reason: "it is not within the journal" }),
        }
    }

    /// Reads a block of the journal.
    pub fn read(&self, block: u32) -> Result<Vec<u8>> {
        self.fs.read_block(self.storage, self.physical(block)?)
    }

    /// Its blocks after its superblock, in the order of the filesystem.
    pub fn after_superblock(&self) -> Vec<Run> {
        let first = u64::from(self.superblock.first().max(1));
        self.runs.iter().filter_map(|run| run.after(first)).collect()
    }

    /// Returns whether a block of the filesystem belongs to the journal.
    pub fn contains(&self, physical: u64) -> bool {
        let index = self.sorted.partition_point(|run| run.blocks().end <= physical);
        self.sorted.get(index).is_some_and(|run| run.blocks().contains(&physical))
    }

    /// Returns how many blocks the log has.
    pub fn log_blocks(&self) -> u32 {
        self.superblock.last().saturating_sub(self.superblock.first())
    }

    /// The block of the log that is this many blocks after another one. The first block follows the
    /// last one.
    pub fn advance(&self, block: u32, by: u32) -> u32 {
        let first = self.superblock.first();
        let from_first = u64::from(block.saturating_sub(first)) + u64::from(by);
        first + (from_first % u64::from(self.log_blocks().max(1))) as u32
    }
}

/// The runs of the journal's inode, which must not have holes.
fn find_blocks(fs: &Filesystem, storage: &dyn ReadAt, number: u32) -> Result<Vec<Run>> {
    let group = place_of_table(fs, number)?;
    fs.check_descriptor_checksum(group)?;
    let source = Stored { fs, storage };
    let inode = source.inode(number)?;
    let wrong = |reason| Err(Error::Journal { block: 0, reason });
    if !inode.is_regular() || !inode.is_linked() || !inode.has_blocks() {
        return wrong("the journal's inode is not a regular file");
    }
    let mapping = Mapping::load(&source, &inode)?;
    let blocks = inode.i_size() / u64::from(fs.geometry.block_size);
    let mut end = 0;
    for run in &mapping.runs {
        if run.logical != end || run.unwritten {
            break;
        }
        end = run.end();
    }
    if end >= inode.i_size().div_ceil(u64::from(fs.geometry.block_size)) {
        Ok(mapping.runs.iter().filter_map(|run| run.before(blocks)).collect())
    } else {
        wrong("the journal's inode has holes")
    }
}

/// The group of an inode, whose table must lie within the filesystem.
fn place_of_table(fs: &Filesystem, number: u32) -> Result<u32> {
    let geometry = &fs.geometry;
    let inodes = fs.superblock.s_inodes_count();
    if number == 0 || number > inodes {
        return Err(Error::InodeNumber { inode: number, inodes });
    }
    let group = (number - 1) / geometry.inodes_per_group;
    let table = fs.descriptors.get(group).bg_inode_table();
    match table.checked_add(geometry.inode_table_blocks().into()) {
        Some(end) if end <= geometry.blocks => Ok(place_of(fs, number)?.group),
        _ => Err(Error::Descriptor {
            group,
            field: "bg_inode_table",
            value: table,
            reason: "this is not within the filesystem",
        }),
    }
}
