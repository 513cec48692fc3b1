//! The superblock and the descriptors of a filesystem that was opened, checked against each
//! other.

use block_io::ReadAt;

use crate::{
    Error, Geometry, Operation, Result, Superblock,
    bitmap::{self, Bitmap},
    checksum::Checksums,
    features::flag,
    group_desc::{BLOCK_UNINIT, DescriptorTable, GroupDescriptor, INODE_UNINIT},
    inode::{HUGE_FILE, Inode},
    superblock::{STATE_ERROR, STATE_VALID},
};

/// The last hash function that can be the default (unsigned TEA).
const LAST_HASH_VERSION: u8 = 5;

/// The superblock and all descriptors of a filesystem, checked.
#[derive(Debug, Clone)]
pub(crate) struct Filesystem {
    pub superblock: Superblock,
    pub geometry: Geometry,
    pub checksums: Checksums,
    pub descriptors: DescriptorTable,
}

impl Filesystem {
    /// Reads and checks what is needed for `operation`.
    pub fn open(storage: &dyn ReadAt, operation: Operation) -> Result<Self> {
        let filesystem = Filesystem::open_unchecked(storage, operation)?;
        if filesystem.superblock.features().needs_recovery() {
            return Err(Error::NeedsRecovery { operation });
        }
        filesystem.check_descriptors()?;
        if operation != Operation::Read {
            filesystem.check_hash_version()?;
        }
        Ok(filesystem)
    }

    /// Returns an error if the kernel does not mount the filesystem because of its hash function.
    fn check_hash_version(&self) -> Result<()> {
        let (field, value) = ("s_def_hash_version", self.superblock.s_def_hash_version());
        if value <= LAST_HASH_VERSION {
            return Ok(());
        }
        let reason = "the kernel knows no such hash function for directories";
        Err(Error::Unsupported { field, value: value.into(), reason })
    }

    /// Returns how many units of an inode's `i_blocks` a block counts. Without the feature
    /// `huge_file`, Linux and e2fsck ignore the flag (`ext4_inode_blocks` in fs/ext4/inode.c).
    pub fn units_per_block(&self, inode: &Inode) -> u64 {
        let counts_blocks =
            inode.has_flag(HUGE_FILE) && self.superblock.features().has(flag::HUGE_FILE);
        if counts_blocks { 1 } else { u64::from(self.geometry.block_size / 512) }
    }

    /// Reads the superblock and all descriptors, but checks only the superblock: replaying the
    /// journal may still change the descriptors.
    pub fn open_unchecked(storage: &dyn ReadAt, operation: Operation) -> Result<Self> {
        let superblock = Superblock::read(storage)?;
        superblock.features().check(operation)?;
        let geometry = Geometry::of(&superblock)?;
        if geometry.bytes() > storage.size() {
            let (filesystem, storage) = (geometry.bytes(), storage.size());
            return Err(Error::CutShort { filesystem, storage });
        }
        let checksums = Checksums::of(&superblock);
        let descriptors = read_descriptors(storage, &geometry)?;
        Ok(Filesystem { superblock, geometry, checksums, descriptors })
    }

    /// Checks the checksum of every descriptor, and that the tables lie within the filesystem,
    /// not on a superblock and not on each other.
    fn check_descriptors(&self) -> Result<()> {
        let geometry = &self.geometry;
        let mut tables = Vec::with_capacity(geometry.groups as usize * 3);
        for group in 0..geometry.groups {
            let descriptor = self.descriptors.get(group);
            self.check_descriptor_checksum(group)?;
            for (field, blocks) in bitmap::own_metadata(geometry, &descriptor) {
                let wrong =
                    |reason| Err(Error::Descriptor { group, field, value: blocks.start, reason });
                if blocks.start <= geometry.superblock_block(0) || blocks.end > geometry.blocks {
                    return wrong("this is not within the filesystem");
                }
                tables.push((blocks, group, field));
            }
            // As it is on disk: e2fsck reads it whether or not the bitmap is initialized.
            let unused = if self.superblock.features().group_checksums() {
                descriptor.bg_itable_unused()
            } else {
                0
            };
            let counts = [
                ("bg_free_inodes_count", descriptor.bg_free_inodes_count()),
                ("bg_itable_unused", unused),
            ];
            for (field, count) in counts {
                if count > geometry.inodes_per_group {
                    let reason = "its group has fewer inodes";
                    return Err(Error::Descriptor { group, field, value: count.into(), reason });
                }
            }
        }
        tables.sort_unstable_by_key(|(blocks, ..)| blocks.start);
        for pair in tables.windows(2) {
            if let [(before, ..), (after, group, field)] = pair
                && before.end > after.start
            {
                let (group, field, value) = (*group, *field, after.start);
                let reason = "another table is in the same place";
                return Err(Error::Descriptor { group, field, value, reason });
            }
        }
        Ok(())
    }

    /// Returns an error if a descriptor has a checksum and it does not match.
    pub fn check_descriptor_checksum(&self, group: u32) -> Result<()> {
        let descriptor = self.descriptors.get(group);
        let stored = descriptor.bg_checksum();
        match self.checksums.descriptor(group, descriptor.as_bytes()) {
            Some(computed) if computed != stored => {
                Err(Error::DescriptorChecksum { group, stored, computed })
            }
            _ => Ok(()),
        }
    }

    /// Returns an error unless the state of the filesystem allows changes.
    pub fn check_state(&self, operation: Operation) -> Result<()> {
        let (state, first) = (self.superblock.s_state(), self.superblock.s_last_orphan());
        let orphans = first != 0 || self.superblock.features().orphan_present();
        if orphans && state & STATE_ERROR == 0 {
            return Err(Error::Orphans { operation, first });
        }
        self.check_marks(operation)
    }

    /// As [`check_state`](Self::check_state), but allows orphans.
    pub fn check_marks(&self, operation: Operation) -> Result<()> {
        let (state, operation) = (self.superblock.s_state(), operation);
        if state & STATE_ERROR != 0 {
            Err(Error::MarkedErroneous { operation })
        } else if state & STATE_VALID == 0 {
            Err(Error::NotClean { operation })
        } else {
            Ok(())
        }
    }

    fn flag(&self, descriptor: &GroupDescriptor, flag: u16) -> bool {
        self.superblock.features().group_checksums() && descriptor.bg_flags() & flag != 0
    }

    /// Returns whether the group's block bitmap must be computed instead of read.
    pub fn block_uninit(&self, descriptor: &GroupDescriptor) -> bool {
        self.flag(descriptor, BLOCK_UNINIT)
    }

    /// Returns whether the group's inode bitmap must be computed instead of read.
    pub fn inode_uninit(&self, descriptor: &GroupDescriptor) -> bool {
        self.flag(descriptor, INODE_UNINIT)
    }

    /// Returns how many inodes at the end of the group's table were never used.
    pub fn itable_unused(&self, descriptor: &GroupDescriptor) -> u32 {
        if !self.superblock.features().group_checksums() {
            0
        } else if self.inode_uninit(descriptor) {
            self.geometry.inodes_per_group
        } else {
            descriptor.bg_itable_unused()
        }
    }

    /// A group's block bitmap, read and checked, or computed.
    pub fn block_bitmap(&self, storage: &dyn ReadAt, group: u32) -> Result<Bitmap> {
        let descriptor = self.descriptors.get(group);
        if self.block_uninit(&descriptor) {
            return Ok(bitmap::metadata_only(&self.geometry, group, &descriptor));
        }
        let block = descriptor.bg_block_bitmap();
        let bitmap = Bitmap::new(self.read_block(storage, block)?);
        let checksum = self.block_bitmap_checksum(&bitmap);
        if checksum.is_some_and(|computed| {
            descriptor.fit_checksum(computed) != descriptor.bg_block_bitmap_csum()
        }) {
            return Err(Error::BitmapChecksum { kind: "block", group, block });
        }
        Ok(bitmap)
    }

    /// A group's inode bitmap, read and checked, or computed.
    pub fn inode_bitmap(&self, storage: &dyn ReadAt, group: u32) -> Result<Bitmap> {
        let descriptor = self.descriptors.get(group);
        if self.inode_uninit(&descriptor) {
            return Ok(bitmap::no_inodes(&self.geometry));
        }
        let block = descriptor.bg_inode_bitmap();
        let bitmap = Bitmap::new(self.read_block(storage, block)?);
        let checksum = self.inode_bitmap_checksum(&bitmap);
        if checksum.is_some_and(|computed| {
            descriptor.fit_checksum(computed) != descriptor.bg_inode_bitmap_csum()
        }) {
            return Err(Error::BitmapChecksum { kind: "inode", group, block });
        }
        Ok(bitmap)
    }

    pub fn block_bitmap_checksum(&self, bitmap: &Bitmap) -> Option<u32> {
        self.checksums.bitmap(bitmap.covered(self.geometry.clusters_per_group()))
    }

    pub fn inode_bitmap_checksum(&self, bitmap: &Bitmap) -> Option<u32> {
        self.checksums.bitmap(bitmap.covered(self.geometry.inodes_per_group))
    }

    /// Sets the superblock's counts of free blocks and inodes to the sums of the descriptors'.
    pub fn count_free(&mut self) {
        let (blocks, inodes) = self.free_counts();
        self.superblock.set_s_free_blocks_count(blocks);
        self.superblock.set_s_free_inodes_count(inodes);
    }

    /// Returns how many blocks and inodes are free according to the descriptors.
    pub fn free_counts(&self) -> (u64, u32) {
        let (mut blocks, mut inodes) = (0u64, 0u32);
        for group in 0..self.geometry.groups {
            let descriptor = self.descriptors.get(group);
            blocks += u64::from(descriptor.bg_free_blocks_count());
            inodes = inodes.saturating_add(descriptor.bg_free_inodes_count());
        }
        (blocks * u64::from(self.geometry.cluster_blocks), inodes)
    }

    /// Reads a block.
    pub fn read_block(&self, storage: &dyn ReadAt, block: u64) -> Result<Vec<u8>> {
        let geometry = &self.geometry;
        Ok(storage.read_vec(geometry.offset(block), geometry.block_size as usize)?)
    }
}

fn read_descriptors(storage: &dyn ReadAt, geometry: &Geometry) -> Result<DescriptorTable> {
    let leading = geometry.leading_descriptor_blocks().min(geometry.descriptor_blocks());
    let size = geometry.block_size as usize;
    let mut bytes =
        storage.read_vec(geometry.offset(geometry.descriptor_block(0)), leading as usize * size)?;
    for index in leading..geometry.descriptor_blocks() {
        bytes.extend(storage.read_vec(geometry.offset(geometry.descriptor_block(index)), size)?);
    }
    bytes.truncate(geometry.groups as usize * geometry.descriptor_size as usize);
    Ok(DescriptorTable::new(geometry.descriptor_size, bytes))
}
