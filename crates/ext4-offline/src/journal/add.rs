//! Adding a journal to a filesystem that has none, as `tune2fs -j` does.
//!
//! Source: e2fsprogs, lib/ext2fs/mkjournal.c (`ext2fs_add_journal_inode3`,
//! `ext2fs_default_journal_size`).

use std::sync::Arc;

use block_io::WriteAt;

use super::superblock::JournalSuperblock;
use crate::{
    Error, Operation, Result, Timestamp,
    filesystem::Filesystem,
    inode::{Inode, S_IFREG, TimeField},
    source::Source as _,
    volume::Volume,
};

/// The reserved inode of the journal (`EXT4_JOURNAL_INO`).
const JOURNAL_INODE: u32 = 8;
/// Zeros are written in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// Adds an internal journal to the filesystem that fills `storage`, of the size that mke2fs
/// chooses. Returns its size in bytes, or `None` if there is a journal already. `now` becomes
/// the time of its inode.
///
/// The filesystem must be one that can be edited. This is for a copy that nobody uses: unlike
/// [`commit`](super::commit), it must not be interrupted.
///
/// # Errors
/// [`Error::Full`], also for a filesystem that is too small for a journal; damage, or a feature
/// or state that is not supported; [`Error::Storage`].
pub fn add_journal(storage: &Arc<dyn WriteAt>, now: Timestamp) -> Result<Option<u64>> {
    let fs = Filesystem::open(storage, Operation::Edit)?;
    fs.check_state(Operation::Edit)?;
    if fs.superblock.features().has_journal() {
        return Ok(None);
    }
    let Some(blocks) = default_blocks(fs.geometry.blocks) else {
        return Err(Error::Full { what: "blocks" });
    };
    let block_size = fs.geometry.block_size;
    let size = u64::from(blocks) * u64::from(block_size);
    let mut volume = Volume::new(storage.clone(), fs);
    volume.atomically(|volume| {
        let inode_size = volume.fs().geometry.inode_size as usize;
        let mut inode = Inode::new(JOURNAL_INODE, vec![0; inode_size]);
        for field in [TimeField::Access, TimeField::Change, TimeField::Modification] {
            inode.set_time(field, now);
        }
        inode.set_i_mode(S_IFREG | 0o600);
        inode.set_i_links_count(1);
        volume.empty_mapping(&mut inode)?;
        let mut at = 0;
        while at < size {
            let mut piece = vec![0; PIECE.min(size - at) as usize];
            if at == 0 {
                let superblock = JournalSuperblock::new(block_size, blocks);
                if let Some(place) = piece.get_mut(..superblock.as_bytes().len()) {
                    place.copy_from_slice(superblock.as_bytes());
                }
            }
            volume.write_contents(&mut inode, at, &piece)?;
            at += piece.len() as u64;
        }
        volume.put_inode(&mut inode)?;
        volume.superblock_mut().set_journal(JOURNAL_INODE, inode.i_block(), inode.i_size());
        Ok(())
    })?;
    volume.finish(now)?;
    Ok(Some(size))
}

/// Returns how many blocks mke2fs gives a journal; `None` for a filesystem that is too small.
fn default_blocks(blocks: u64) -> Option<u32> {
    Some(match blocks {
        0..2048 => return None,
        2048..32_768 => 1024,
        32_768..262_144 => 4096,
        262_144..524_288 => 8192,
        524_288..1_048_576 => 16_384,
        1_048_576..2_097_152 => 32_768,
        _ => 65_536,
    })
}
