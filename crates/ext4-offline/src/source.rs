//! Reading blocks and inodes.

use std::sync::Arc;

use block_io::ReadAt;

use crate::{Error, Geometry, Result, filesystem::Filesystem, inode::Inode};

/// Something to read blocks from: a storage, with or without the changes of an edit that is
/// not complete.
pub(crate) trait Source {
    /// The filesystem that the blocks belong to.
    fn fs(&self) -> &Filesystem;

    /// Reads a block. The caller has checked that it is within the filesystem, since only the
    /// caller can name the inode that it belongs to.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn block(&self, block: u64) -> Result<Vec<u8>>;

    /// Reads contents of a file, from a byte of the filesystem on.
    ///
    /// # Errors
    /// [`Error::Storage`].
    fn data(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// Reads an inode and verifies its checksum.
    ///
    /// # Errors
    /// [`Error::InodeNumber`], [`Error::InodeChecksum`].
    fn inode(&self, number: u32) -> Result<Inode> {
        let place = place_of(self.fs(), number)?;
        let size = self.fs().geometry.inode_size as usize;
        let block = self.block(place.block)?;
        let raw = block.get(place.offset..place.offset + size).unwrap_or_default();
        let inode = Inode::new(number, raw.to_vec());
        inode.verify_checksum(self.fs().checksums.seed())?;
        Ok(inode)
    }
}

/// The place of an inode in the inode tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub group: u32,
    /// Its position in the group's table.
    pub index: u32,
    pub block: u64,
    /// In the block, in bytes.
    pub offset: usize,
}

/// Finds an inode's place in the inode tables.
pub(crate) fn place_of(fs: &Filesystem, number: u32) -> Result<Place> {
    let geometry = &fs.geometry;
    let inodes = fs.superblock.s_inodes_count();
    let Some(from_zero) = number.checked_sub(1).filter(|_| number <= inodes) else {
        return Err(Error::InodeNumber { inode: number, inodes });
    };
    let (group, index) =
        (from_zero / geometry.inodes_per_group, from_zero % geometry.inodes_per_group);
    let byte = u64::from(index) * u64::from(geometry.inode_size);
    let table = fs.descriptors.get(group).bg_inode_table();
    Ok(Place {
        group,
        index,
        block: table + byte / u64::from(geometry.block_size),
        offset: (byte % u64::from(geometry.block_size)) as usize,
    })
}

/// The group of a block, and the block's bit in that group's bitmap; those of the first block
/// if the block is outside of the filesystem.
pub(crate) fn group_and_bit(geometry: &Geometry, block: u64) -> (u32, u32) {
    let from_first = block.saturating_sub(geometry.first_data_block.into());
    let per_group = u64::from(geometry.blocks_per_group);
    match u32::try_from(from_first / per_group) {
        Ok(group) if group < geometry.groups => {
            (group, (from_first % per_group) as u32 / geometry.cluster_blocks)
        }
        _ => (0, 0),
    }
}

/// The files of a filesystem by inode, for reading.
///
/// A clone is cheap and reads the same storage.
#[derive(Debug, Clone)]
pub struct Files {
    pub(crate) fs: Arc<Filesystem>,
    pub(crate) storage: Arc<dyn ReadAt>,
}

impl Source for Files {
    fn fs(&self) -> &Filesystem {
        &self.fs
    }

    fn block(&self, block: u64) -> Result<Vec<u8>> {
        self.fs.read_block(&self.storage, block)
    }

    fn data(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        Ok(self.storage.read_at(offset, buf)?)
    }
}

/// A filesystem on a storage, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub fs: &'a Filesystem,
    pub storage: &'a dyn ReadAt,
}

impl Source for Stored<'_> {
    fn fs(&self) -> &Filesystem {
        self.fs
    }

    fn block(&self, block: u64) -> Result<Vec<u8>> {
        self.fs.read_block(self.storage, block)
    }

    fn data(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        Ok(self.storage.read_at(offset, buf)?)
    }
}
