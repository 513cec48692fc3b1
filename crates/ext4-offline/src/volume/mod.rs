//! A filesystem that is being edited: its blocks, bitmaps and inodes.

mod blocks;
mod inodes;
mod undo;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use block_io::WriteAt;

use crate::{
    Error, Result, Superblock, Timestamp,
    bitmap::Bitmap,
    filesystem::Filesystem,
    group_desc::GroupDescriptor,
    inode::Inode,
    source::{Files, Source, place_of},
    superblock,
};
use undo::Undo;

/// A filesystem that is being edited.
///
/// An operation stages its changes to metadata, and they reach the storage when the operation is
/// complete ([`Volume::atomically`]). An operation that fails, because there is no room left or
/// because it finds damage, has changed nothing. Bitmaps, descriptors and the superblock are kept
/// in memory until [`Volume::finish`].
#[derive(Debug)]
pub(crate) struct Volume {
    /// The filesystem and its storage, for reading.
    files: Files,
    storage: Arc<dyn WriteAt>,
    /// Blocks that the current operation has changed.
    staged: BTreeMap<u64, Vec<u8>>,
    /// The bitmaps that were read so far, by group.
    pub(crate) block_bitmaps: BTreeMap<u32, Bitmap>,
    pub(crate) inode_bitmaps: BTreeMap<u32, Bitmap>,
    /// The steps to undo if the operation fails.
    pub(crate) undo: Vec<Undo>,
    /// Groups that differ from the storage, in bitmaps or descriptors.
    pub(crate) dirty: BTreeSet<u32>,
    superblock_dirty: bool,
    /// Why a write failed. The contents of the storage are unknown from then on.
    broken: OnceLock<String>,
}

impl Source for Volume {
    fn fs(&self) -> &Filesystem {
        &self.files.fs
    }

    fn block(&self, block: u64) -> Result<Vec<u8>> {
        match self.staged.get(&block) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.files.fs.read_block(&self.storage, block),
        }
    }

    fn data(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        Ok(self.storage.read_at(offset, buf)?)
    }
}

impl Volume {
    pub fn new(storage: Arc<dyn WriteAt>, fs: Filesystem) -> Self {
        Volume {
            files: Files { fs: Arc::new(fs), storage: storage.clone() },
            storage,
            staged: BTreeMap::new(),
            block_bitmaps: BTreeMap::new(),
            inode_bitmaps: BTreeMap::new(),
            undo: Vec::new(),
            dirty: BTreeSet::new(),
            superblock_dirty: false,
            broken: OnceLock::new(),
        }
    }

    /// The filesystem for reading, with all operations that are complete.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The superblock and the descriptors, for changing.
    fn fs_mut(&mut self) -> &mut Filesystem {
        Arc::make_mut(&mut self.files.fs)
    }

    /// Returns an error if a write failed before.
    fn require_whole(&self) -> Result<()> {
        match self.broken.get() {
            Some(reason) => Err(Error::HalfWritten { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Records the error of a write that failed.
    fn written(&self, result: block_io::Result<()>) -> Result<()> {
        Ok(result.inspect_err(|error| drop(self.broken.set(error.to_string())))?)
    }

    /// Runs an operation so that it is complete or has no effect.
    ///
    /// Only a failed write can leave it incomplete; then all later operations fail too.
    pub fn atomically<T>(&mut self, operation: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.require_whole()?;
        let superblock = self.files.fs.superblock.clone();
        let result = operation(self).and_then(|value| self.write_staged().map(|()| value));
        match &result {
            Ok(_) => self.superblock_dirty |= superblock != self.files.fs.superblock,
            Err(_) => {
                self.staged.clear();
                self.roll_back();
                self.fs_mut().superblock = superblock;
            }
        }
        self.undo.clear();
        result
    }

    fn write_staged(&mut self) -> Result<()> {
        let geometry = &self.files.fs.geometry;
        for (&block, bytes) in &self.staged {
            self.written(self.storage.write_at(geometry.offset(block), bytes))?;
        }
        self.staged.clear();
        Ok(())
    }

    /// Replaces a block of metadata when the operation is complete.
    pub fn stage(&mut self, block: u64, bytes: Vec<u8>) {
        self.staged.insert(block, bytes);
    }

    /// Discards what was staged for blocks that are free again.
    pub(crate) fn unstage(&mut self, blocks: std::ops::Range<u64>) {
        let gone: Vec<u64> = self.staged.range(blocks).map(|(&block, _)| block).collect();
        for block in gone {
            self.staged.remove(&block);
        }
    }

    /// Writes contents of a file immediately, at a byte of the filesystem: only to blocks that
    /// were free or whose contents the operation replaces.
    pub fn write_data(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.written(self.storage.write_at(offset, bytes))
    }

    /// As [`write_data`](Self::write_data), with zeros.
    pub fn zero_data(&self, offset: u64, length: u64) -> Result<()> {
        self.written(self.storage.write_zeros(offset, length))
    }

    /// Writes an inode into its table, with its checksum.
    pub fn put_inode(&mut self, inode: &mut Inode) -> Result<()> {
        let place = place_of(&self.files.fs, inode.number())?;
        inode.update_checksum(self.files.fs.checksums.seed());
        let mut block = self.block(place.block)?;
        let raw = inode.as_bytes();
        if let Some(old) = block.get_mut(place.offset..place.offset + raw.len()) {
            old.copy_from_slice(raw);
        }
        self.stage(place.block, block);
        Ok(())
    }

    /// The superblock, for changing.
    pub fn superblock_mut(&mut self) -> &mut Superblock {
        &mut self.fs_mut().superblock
    }

    /// Replaces a group's descriptor and records how to undo that.
    pub(crate) fn set_descriptor(&mut self, group: u32, descriptor: &GroupDescriptor) {
        let before = self.files.fs.descriptors.get(group);
        if before != *descriptor {
            self.undo.push(Undo::Descriptor(group, before));
            self.fs_mut().descriptors.set(group, descriptor);
            self.mark_dirty(group);
        }
    }

    /// Records that a group differs from the storage.
    pub(crate) fn mark_dirty(&mut self, group: u32) {
        if self.dirty.insert(group) {
            self.undo.push(Undo::Clean(group));
        }
    }

    /// Writes what was kept in memory: bitmaps, descriptors, and last the superblock, whose time
    /// of the last write becomes `now`. Writes nothing if nothing has changed.
    ///
    /// Backups of the superblock and the descriptors stay as they are, as with the kernel.
    ///
    /// # Errors
    /// [`Error::HalfWritten`] if a write failed before, [`Error::Storage`].
    pub fn finish(&mut self, now: Timestamp) -> Result<()> {
        self.require_whole()?;
        if self.dirty.is_empty() && !self.superblock_dirty {
            return Ok(());
        }
        let geometry = self.files.fs.geometry.clone();
        let mut descriptor_blocks = BTreeSet::new();
        for &group in &self.dirty {
            let mut descriptor = self.files.fs.descriptors.get(group);
            if let Some(bitmap) = self.block_bitmaps.get(&group)
                && !self.files.fs.block_uninit(&descriptor)
            {
                if let Some(checksum) = self.files.fs.block_bitmap_checksum(bitmap) {
                    descriptor.set_bg_block_bitmap_csum(checksum);
                }
                let offset = geometry.offset(descriptor.bg_block_bitmap());
                self.storage.write_at(offset, bitmap.as_bytes())?;
            }
            if let Some(bitmap) = self.inode_bitmaps.get(&group)
                && !self.files.fs.inode_uninit(&descriptor)
            {
                if let Some(checksum) = self.files.fs.inode_bitmap_checksum(bitmap) {
                    descriptor.set_bg_inode_bitmap_csum(checksum);
                }
                let offset = geometry.offset(descriptor.bg_inode_bitmap());
                self.storage.write_at(offset, bitmap.as_bytes())?;
            }
            descriptor.update_checksum(group, &self.files.fs.checksums);
            Arc::make_mut(&mut self.files.fs).descriptors.set(group, &descriptor);
            descriptor_blocks.insert(group / geometry.descriptors_per_block());
        }
        for index in descriptor_blocks {
            let offset = geometry.offset(geometry.descriptor_block(index));
            self.storage.write_at(offset, &self.files.fs.descriptors.block(index, &geometry))?;
        }
        self.fs_mut().count_free();
        let superblock = &mut Arc::make_mut(&mut self.files.fs).superblock;
        superblock.set_write_time(now);
        superblock.update_checksum();
        self.storage.write_at(superblock::OFFSET, superblock.as_bytes())?;
        self.dirty.clear();
        self.superblock_dirty = false;
        Ok(())
    }
}
