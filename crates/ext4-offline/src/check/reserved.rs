//! The reserved inodes, which belong to the filesystem itself.

use std::ops::Range;

use super::{Found, Inodes, fields::wrong};
use crate::{
    Error, Result,
    features::flag,
    inode::{BAD_BLOCKS, Inode, RESIZE, ROOT},
    map::Mapping,
    source::{Source, group_and_bit},
};

/// A boot loader.
const BOOT_LOADER: u32 = 5;
/// For features that no kernel ever had.
const UNDELETE: u32 = 6;
const EXCLUDE: u32 = 9;
const REPLICA: u32 = 10;
/// The journal.
const JOURNAL: u32 = 8;

/// Returns whether a reserved inode that nothing needs is in use, as far as e2fsck looks.
pub(super) fn is_taken(inode: &Inode) -> bool {
    match inode.number() {
        // It may be a file.
        BOOT_LOADER => false,
        UNDELETE | EXCLUDE | REPLICA => inode.i_mode() != 0,
        _ => {
            let [a, b, c, d, ..] = inode.i_block();
            inode.i_links_count() != 0 || inode.i_blocks() != 0 || [a, b, c, d] != [0; 4]
        }
    }
}

impl Inodes<'_> {
    /// Checks a reserved inode. All of them are marked as used.
    pub(super) fn check_reserved(&mut self, inode: &Inode) -> Result<()> {
        let superblock = &self.source.fs.superblock;
        let features = superblock.features();
        match inode.number() {
            ROOT => {
                if !inode.is_dir() || inode.i_links_count() == 0 {
                    let reason = "the root must be a directory";
                    return wrong(inode, "i_mode", inode.i_mode(), reason);
                }
                self.check_fields(inode)?;
                self.check_contents(inode)?;
                self.check_attributes(inode)?;
                self.census.push(Found::new(inode, false));
                Ok(())
            }
            BAD_BLOCKS => self.check_bad_blocks(inode),
            RESIZE if features.resize_inode() => self.check_resize(inode),
            number => {
                let journal = number == JOURNAL
                    && features.has_journal()
                    && superblock.s_journal_inum() == JOURNAL;
                let quota =
                    features.has(flag::QUOTA) && superblock.quota_inodes().contains(&number);
                let needed = journal || quota;
                if !needed && is_taken(inode) {
                    let reason = "no feature of the filesystem needs it";
                    return wrong(inode, "i_mode", inode.i_mode(), reason);
                }
                match inode.i_mode() {
                    0 => Ok(()),
                    _ if inode.is_regular() => self.check_own(inode),
                    mode if needed || number == BOOT_LOADER => {
                        let reason = "a reserved inode must be a regular file or not in use";
                        wrong(inode, "i_mode", mode, reason)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Checks a regular file without a name.
    fn check_own(&mut self, inode: &Inode) -> Result<()> {
        self.check_fields(inode)?;
        self.check_contents(inode)?;
        self.check_attributes(inode)
    }

    /// Checks the list of bad blocks, a file without a mode.
    fn check_bad_blocks(&mut self, inode: &Inode) -> Result<()> {
        if inode.i_mode() != 0 || inode.i_links_count() != 0 || inode.i_file_acl() != 0 {
            let reason = "the list of bad blocks must have no mode";
            return wrong(inode, "i_mode", inode.i_mode(), reason);
        }
        let mapping = Mapping::load(self.source, inode)?;
        for &node in &mapping.nodes {
            self.claims.claim_listed(BAD_BLOCKS, node)?;
        }
        for run in &mapping.runs {
            self.claim_bad_blocks(run.blocks())?;
        }
        Ok(())
    }

    /// Claims bad blocks, except those in backups of the superblock and the descriptors: mke2fs
    /// leaves backups where they have to be.
    fn claim_bad_blocks(&mut self, mut blocks: Range<u64>) -> Result<()> {
        let geometry = &self.source.fs.geometry;
        while blocks.start < blocks.end {
            let (group, _) = group_and_bit(geometry, blocks.start);
            let end = match geometry.group_range(group).end {
                // The rest is outside of the filesystem.
                end if end <= blocks.start => blocks.end,
                end => end.min(blocks.end),
            };
            let backup = if group == 0 { 0..0 } else { geometry.base_range(group) };
            let before = blocks.start..end.min(backup.start.max(blocks.start));
            let after = blocks.start.max(backup.end).min(end)..end;
            for part in [before, after].into_iter().filter(|part| !part.is_empty()) {
                self.claims.claim_blocks(BAD_BLOCKS, part)?;
            }
            blocks.start = end;
        }
        Ok(())
    }

    /// Checks the inode that holds the reserved descriptor blocks: its double-indirect block lists
    /// the primary ones, and they list their copies in all backups.
    fn check_resize(&mut self, inode: &Inode) -> Result<()> {
        let fs = self.source.fs;
        let geometry = &fs.geometry;
        let block = u64::from(inode.double_indirect());
        let wrong_block = |block, reason| Err(Error::ResizeInode { block, reason });
        if !inode.is_regular() || inode.i_links_count() == 0 || inode.i_dtime() != 0 {
            return wrong(inode, "i_mode", inode.i_mode(), "it must be a regular file");
        }
        let pointers = inode.i_block();
        let others = pointers.chunks_exact(4).enumerate().filter(|(slot, _)| *slot != 13);
        if others.into_iter().any(|(_, pointer)| pointer != [0; 4]) {
            return wrong_block(block, "it lists more than its double-indirect block");
        }
        if block <= geometry.superblock_block(0) || block >= geometry.blocks {
            return wrong_block(block, "its double-indirect block is not within the filesystem");
        }
        self.claims.claim_listed(RESIZE, block)?;
        let backups = geometry.backup_groups();
        let slots = geometry.block_size / 4;
        let listed = self.source.block(block)?;
        let word = |bytes: &[u8], slot: u32| {
            let at = slot as usize * 4;
            bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        };
        let mut expected = vec![0u32; slots as usize];
        for reserved in 0..geometry.reserved_gdt_blocks {
            let index = geometry.descriptor_blocks() + reserved;
            let primary = geometry.descriptor_block(index);
            if let Some(place) = expected.get_mut((index % slots) as usize) {
                *place = primary as u32;
            }
            let copies = self.source.block(primary)?;
            for slot in 0..slots {
                let copy = backups.get(slot as usize).map_or(0, |&group| {
                    primary + u64::from(group) * u64::from(geometry.blocks_per_group)
                });
                if u64::from(word(&copies, slot)) != copy {
                    return wrong_block(
                        primary,
                        "it does not list the backups of a descriptor block",
                    );
                }
            }
        }
        let same = (0..slots).zip(&expected).all(|(slot, &block)| word(&listed, slot) == block);
        if !same {
            return wrong_block(block, "it does not list the reserved descriptor blocks");
        }
        // Each counts as a whole cluster, even if it shares it.
        let count = 1 + u64::from(geometry.reserved_gdt_blocks) * (1 + backups.len() as u64);
        let sectors = u64::from(geometry.block_size / 512) * u64::from(geometry.cluster_blocks);
        if inode.i_blocks() != count * sectors {
            let reason = "the inode has another number of blocks";
            return wrong(inode, "i_blocks", inode.i_blocks(), reason);
        }
        Ok(())
    }
}
