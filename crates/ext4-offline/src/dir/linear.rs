//! Directories without an index: blocks of unordered entries.

use super::{
    Block, DirBlocks, Directory, Entry, FileType, Found, ReadBlocks, Reader, entry, hash::Version,
};
use crate::{Result, dir::leaf::Leaf};

impl<B: ReadBlocks + ?Sized> Reader<'_, B> {
    pub(super) fn find_linear(&self, name: &[u8]) -> Result<Option<Found>> {
        for index in 0..self.blocks.count() {
            let leaf = self.format.leaf(self.blocks, index)?;
            let found = leaf.find(self.format, name);
            if let Some((entry, offset)) = found.map(|found| (Entry::of(&found), found.offset)) {
                return Ok(Some(Found { entry, index, block: Block::Leaf(leaf), offset }));
            }
        }
        Ok(None)
    }
}

impl<B: DirBlocks + ?Sized> Directory<'_, B> {
    /// Adds a name to the first block that has room for it, or to a new block. A directory whose
    /// only block is full gets an index.
    pub(super) fn insert_linear(
        &mut self,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> Result<()> {
        let need = entry::size(name.len()) as u32;
        if self.blocks.count() == 0 {
            return self.format.wrong(0, "this block does not exist");
        }
        let room = match self.room.take() {
            Some(room) => room,
            None => self.measure()?,
        };
        let index = room.iter().position(|&room| room >= need);
        self.room = Some(room);
        if let Some(index) = index {
            let index = index as u32;
            let mut leaf = self.format.leaf(self.blocks, index)?;
            if leaf.insert(self.format, name, inode, file_type) {
                return self.write_leaf(index, leaf);
            }
            return self.format.wrong(index, "it has less room than before");
        }
        if self.blocks.count() == 1
            && self.format.may_index
            && let Some(version) = Version::new(self.format.hash_version)
        {
            self.room = None;
            self.make_index(version)?;
            return self.insert_indexed(name, inode, file_type);
        }
        let mut leaf = Leaf::empty(self.format);
        leaf.insert(self.format, name, inode, file_type);
        let left = leaf.room(self.format) as u32;
        self.append(leaf.seal(self.format))?;
        self.room.get_or_insert_default().push(left);
        Ok(())
    }

    /// The free space in each block.
    fn measure(&self) -> Result<Vec<u32>> {
        (0..self.blocks.count())
            .map(|index| Ok(self.format.leaf(self.blocks, index)?.room(self.format) as u32))
            .collect()
    }
}
