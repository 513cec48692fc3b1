//! All inodes in use, and the blocks that they own.
//!
//! For shrinking, and for saying whom a block belongs to.

use block_io::ReadAt;

use crate::{
    Result,
    filesystem::Filesystem,
    inode::{BAD_BLOCKS, EA_INODE, EXTENTS, Inode, RESIZE},
    map::Mapping,
    source::Stored,
};

/// How many bytes of an inode table are read at a time.
const CHUNK: u64 = 1 << 20;

/// An inode in use.
#[derive(Debug)]
pub(crate) struct Owner {
    pub number: u32,
    pub is_dir: bool,
    /// Its mapping is an extent tree.
    pub extents: bool,
    /// It holds the value of an attribute.
    pub holds_value: bool,
    /// Empty if its contents are in the inode.
    pub mapping: Mapping,
    /// The block of its attributes, or 0.
    pub attributes: u64,
}

/// All inodes in use, in the order of their numbers, without the resize inode.
#[derive(Debug)]
pub(crate) struct Census {
    pub owners: Vec<Owner>,
    /// The double-indirect block of the resize inode.
    pub resize_block: Option<u64>,
}

impl Census {
    /// Reads all inodes of a filesystem that passed its check.
    pub fn take(fs: &Filesystem, storage: &dyn ReadAt) -> Result<Self> {
        let mut census = Census { owners: Vec::new(), resize_block: None };
        let geometry = &fs.geometry;
        let size = geometry.inode_size;
        let per_chunk = (CHUNK / u64::from(size)) as u32;
        for group in 0..geometry.groups {
            let descriptor = fs.descriptors.get(group);
            let used = geometry.inodes_per_group - fs.itable_unused(&descriptor);
            let bitmap = fs.inode_bitmap(storage, group)?;
            let table = geometry.offset(descriptor.bg_inode_table());
            for start in (0..used).step_by(per_chunk as usize) {
                let count = per_chunk.min(used - start);
                let offset = table + u64::from(start) * u64::from(size);
                let bytes = storage.read_vec(offset, (count * size) as usize)?;
                for (index, raw) in (start..).zip(bytes.chunks_exact(size as usize)) {
                    if bitmap.get(index) {
                        let number = group * geometry.inodes_per_group + index + 1;
                        census.add(fs, storage, Inode::new(number, raw.to_vec()))?;
                    }
                }
            }
        }
        Ok(census)
    }

    fn add(&mut self, fs: &Filesystem, storage: &dyn ReadAt, inode: Inode) -> Result<()> {
        let number = inode.number();
        if number == RESIZE && fs.superblock.features().resize_inode() {
            self.resize_block = Some(inode.double_indirect().into());
            return Ok(());
        }
        // The list of bad blocks has no mode.
        if inode.i_mode() == 0 && number != BAD_BLOCKS {
            return Ok(());
        }
        let mapping = if number == BAD_BLOCKS || inode.has_blocks() {
            Mapping::load(&Stored { fs, storage }, &inode)?
        } else {
            Mapping::default()
        };
        self.owners.push(Owner {
            number,
            is_dir: inode.is_dir(),
            extents: inode.has_flag(EXTENTS),
            holds_value: inode.has_flag(EA_INODE),
            mapping,
            attributes: inode.i_file_acl(),
        });
        Ok(())
    }
}
