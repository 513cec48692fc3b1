//! Undoing what a failed operation has done to bitmaps and descriptors.

use std::ops::Range;

use super::Volume;
use crate::group_desc::GroupDescriptor;

/// One step to undo.
#[derive(Debug)]
pub(crate) enum Undo {
    /// The group's descriptor as it was.
    Descriptor(u32, GroupDescriptor),
    /// Bits of the group's block bitmap, and their former value.
    Blocks(u32, Range<u32>, bool),
    /// The group did not differ from the storage.
    Clean(u32),
    /// A bit of the group's inode bitmap, and its former value.
    Inode(u32, u32, bool),
}

impl Volume {
    /// Undoes all steps, the last one first.
    pub(crate) fn roll_back(&mut self) {
        while let Some(step) = self.undo.pop() {
            match step {
                Undo::Descriptor(group, before) => self.fs_mut().descriptors.set(group, &before),
                Undo::Blocks(group, bits, value) => {
                    if let Some(bitmap) = self.block_bitmaps.get_mut(&group) {
                        bitmap.fill(bits, value);
                    }
                }
                Undo::Clean(group) => {
                    self.dirty.remove(&group);
                }
                Undo::Inode(group, bit, value) => {
                    if let Some(bitmap) = self.inode_bitmaps.get_mut(&group) {
                        bitmap.fill(bit..bit + 1, value);
                    }
                }
            }
        }
    }
}
