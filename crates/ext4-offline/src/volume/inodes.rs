//! Allocating and freeing inodes.

use super::{Volume, undo::Undo};
use crate::{
    Error, Result, bitmap::Bitmap, group_desc::INODE_UNINIT, inode::Inode, source::place_of,
};

impl Volume {
    /// Allocates an inode, in the group of the inode `near` or the next group that has a free
    /// one. It holds zeros.
    ///
    /// # Errors
    /// [`Error::Full`]; damage to a bitmap.
    pub fn allocate_inode(&mut self, near: u32, is_dir: bool) -> Result<Inode> {
        let groups = self.files.fs.geometry.groups;
        let first = place_of(&self.files.fs, near)?.group;
        for group in (first..groups).chain(0..first) {
            if self.files.fs.descriptors.get(group).bg_free_inodes_count() == 0 {
                continue;
            }
            let reserved = if group == 0 { self.first_inode() - 1 } else { 0 };
            let per_group = self.files.fs.geometry.inodes_per_group;
            let bitmap = self.inode_bitmap(group)?;
            let Some(bits) = bitmap.find_clear(reserved..per_group, 1, 1) else { continue };
            self.mark_inode(group, bits.start, true, is_dir)?;
            let number = group * per_group + bits.start + 1;
            return Ok(Inode::new(number, vec![0; self.files.fs.geometry.inode_size as usize]));
        }
        Err(Error::Full { what: "inodes" })
    }

    /// Frees an inode and zeroes it.
    ///
    /// # Errors
    /// [`Error::InodeNumber`], also for a reserved inode; damage to a bitmap.
    pub fn free_inode(&mut self, mut inode: Inode) -> Result<()> {
        let place = place_of(&self.files.fs, inode.number())?;
        let is_dir = inode.is_dir();
        if inode.number() < self.first_inode() || !self.inode_in_use(inode.number())? {
            let inodes = self.files.fs.superblock.s_inodes_count();
            return Err(Error::InodeNumber { inode: inode.number(), inodes });
        }
        self.mark_inode(place.group, place.index, false, is_dir)?;
        inode.clear();
        self.put_inode(&mut inode)
    }

    /// Returns whether an inode is marked as used in the bitmap.
    pub fn inode_in_use(&mut self, number: u32) -> Result<bool> {
        let place = place_of(&self.files.fs, number)?;
        Ok(self.inode_bitmap(place.group)?.get(place.index))
    }

    /// The first inode that is not reserved.
    pub fn first_inode(&self) -> u32 {
        self.files.fs.superblock.first_inode()
    }

    fn inode_bitmap(&mut self, group: u32) -> Result<&Bitmap> {
        use std::collections::btree_map::Entry;
        Ok(match self.inode_bitmaps.entry(group) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.files.fs.inode_bitmap(&self.storage, group)?),
        })
    }

    fn mark_inode(&mut self, group: u32, index: u32, used: bool, is_dir: bool) -> Result<()> {
        // The kernel expects both bitmaps of a group with inodes to be stored.
        self.initialize_blocks(group)?;
        self.inode_bitmap(group)?;
        let mut descriptor = self.files.fs.descriptors.get(group);
        let unused = self.files.fs.itable_unused(&descriptor);
        if self.files.fs.superblock.features().group_checksums() {
            descriptor.set_bg_flags(descriptor.bg_flags() & !INODE_UNINIT);
            let behind = self.files.fs.geometry.inodes_per_group - (index + 1);
            descriptor.set_bg_itable_unused(if used { unused.min(behind) } else { unused });
        }
        let (free, dirs) = (descriptor.bg_free_inodes_count(), descriptor.bg_used_dirs_count());
        let dir = u32::from(is_dir);
        if used {
            descriptor.set_bg_free_inodes_count(free.saturating_sub(1));
            descriptor.set_bg_used_dirs_count(dirs.saturating_add(dir));
        } else {
            descriptor.set_bg_free_inodes_count(free.saturating_add(1));
            descriptor.set_bg_used_dirs_count(dirs.saturating_sub(dir));
        }
        self.set_descriptor(group, &descriptor);
        self.mark_dirty(group);
        if let Some(bitmap) = self.inode_bitmaps.get_mut(&group) {
            bitmap.fill(index..index + 1, used);
            self.undo.push(Undo::Inode(group, index, !used));
        }
        Ok(())
    }
}
