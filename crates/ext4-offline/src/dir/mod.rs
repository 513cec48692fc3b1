//! Directories: names and the inodes that they refer to.
//!
//! This works on the blocks of one directory, wherever they come from, and does not know inodes
//! and bitmaps. Source: the kernel's
//! `Documentation/filesystems/ext4/directory.rst`.
//!
//! A directory begins as one block of entries ([`leaf`]). When that is full, it becomes the root of
//! a hash tree ([`htree`]) if the filesystem has the feature `dir_index`, otherwise a list of such
//! blocks.
//!
//! The order of changes makes sure that all names can still be found if a block cannot be appended.

mod entry;
mod hash;
mod htree;
mod leaf;
mod linear;
mod renumber;
#[cfg(test)]
mod tests;
mod verify;

use std::ops::ControlFlow;

use self::{
    entry::{Dirent, LONGEST_NAME},
    hash::Version,
    htree::Node,
    leaf::Leaf,
};
use crate::{Error, Result};
pub(crate) use renumber::renumber;
pub(crate) use verify::verify;

/// The blocks of one directory, counted from its beginning.
pub(crate) trait ReadBlocks {
    /// Returns how many there are.
    fn count(&self) -> u32;

    /// Reads a block.
    fn read(&self, index: u32) -> Result<Vec<u8>>;
}

/// The blocks of one directory, for changing.
pub(crate) trait DirBlocks: ReadBlocks {
    /// Replaces a block.
    fn write(&mut self, index: u32, bytes: Vec<u8>) -> Result<()>;

    /// Adds a block at the end, and returns its index.
    fn append(&mut self, bytes: Vec<u8>) -> Result<u32>;
}

/// The properties of the filesystem and of the directory's inode that its blocks depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    pub block_size: u32,
    /// Feature `filetype`: entries have the type of the file.
    pub filetype: bool,
    /// The inode's checksum seed; `None` without `metadata_csum`.
    pub checksum_seed: Option<u32>,
    /// `s_hash_seed`.
    pub hash_seed: [u32; 4],
    /// `s_def_hash_version`, plus 3 if `s_flags` says that bytes are unsigned.
    pub hash_version: u8,
    /// Feature `dir_index`: directories of more than a block get an index.
    pub may_index: bool,
    /// Feature `large_dir`: an index may have another level.
    pub large_dir: bool,
    /// Names that differ only in case are the same, so hashes are not those of their bytes.
    pub casefold: bool,
    /// The directory's inode number, for errors.
    pub inode: u32,
}

impl Format {
    fn wrong<T>(&self, index: u32, reason: &'static str) -> Result<T> {
        Err(Error::Directory { inode: self.inode, index, reason })
    }

    /// Returns where the entries of a block end.
    fn leaf_end(&self) -> usize {
        let tail = if self.checksum_seed.is_some() { leaf::TAIL } else { 0 };
        (self.block_size as usize).saturating_sub(tail)
    }

    fn block<B: ReadBlocks + ?Sized>(&self, blocks: &B, index: u32) -> Result<Vec<u8>> {
        let raw = blocks.read(index)?;
        if raw.len() == self.block_size as usize {
            Ok(raw)
        } else {
            self.wrong(index, "it is too short")
        }
    }

    fn leaf<B: ReadBlocks + ?Sized>(&self, blocks: &B, index: u32) -> Result<Leaf> {
        Leaf::parse(self, index, self.block(blocks, index)?)
    }
}

/// Returns an error if no file can have this name.
pub(crate) fn check_name(name: &[u8]) -> Result<()> {
    let reason = match name {
        b"" => "it is empty",
        b"." | b".." => "every directory has it for itself",
        _ if name.len() > LONGEST_NAME => "it is longer than 255 bytes",
        _ if name.iter().any(|byte| matches!(byte, 0 | b'/')) => "it has a NUL or a slash",
        _ => return Ok(()),
    };
    Err(Error::FileName { name: String::from_utf8_lossy(name).into_owned(), reason })
}

/// The type of a file, as entries have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileType(pub u8);

impl FileType {
    pub const UNKNOWN: FileType = FileType(0);
    pub const REGULAR: FileType = FileType(1);
    pub const DIRECTORY: FileType = FileType(2);
    pub const CHARACTER_DEVICE: FileType = FileType(3);
    pub const BLOCK_DEVICE: FileType = FileType(4);
    pub const FIFO: FileType = FileType(5);
    pub const SOCKET: FileType = FileType(6);
    pub const SYMLINK: FileType = FileType(7);

    /// The type of an inode with this `i_mode`.
    pub fn of_mode(i_mode: u16) -> Self {
        match i_mode & crate::inode::S_IFMT {
            0x1000 => FileType::FIFO,
            0x2000 => FileType::CHARACTER_DEVICE,
            crate::inode::S_IFDIR => FileType::DIRECTORY,
            0x6000 => FileType::BLOCK_DEVICE,
            crate::inode::S_IFREG => FileType::REGULAR,
            crate::inode::S_IFLNK => FileType::SYMLINK,
            0xc000 => FileType::SOCKET,
            _ => FileType::UNKNOWN,
        }
    }
}

/// A name and its inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Never 0, but the filesystem may not have it.
    pub inode: u32,
    /// [`FileType::UNKNOWN`] without the feature `filetype`.
    pub file_type: FileType,
    /// 1 to 255 arbitrary bytes.
    pub name: Vec<u8>,
}

impl Entry {
    fn of(dirent: &Dirent<'_>) -> Self {
        let Dirent { inode, file_type, name, .. } = *dirent;
        Entry { inode, file_type, name: name.to_vec() }
    }

    /// Returns whether it is `.` or `..`.
    pub fn is_dots(&self) -> bool {
        matches!(self.name.as_slice(), b"." | b"..")
    }
}

/// The block of a new directory: `.` and `..`.
pub(crate) fn first_block(format: &Format, own: u32, parent: u32) -> Vec<u8> {
    let mut leaf = Leaf::empty(format);
    leaf.insert(format, b".", own, FileType::DIRECTORY);
    leaf.insert(format, b"..", parent, FileType::DIRECTORY);
    leaf.seal(format)
}

/// The place of an entry that was found.
struct Found {
    entry: Entry,
    index: u32,
    block: Block,
    /// Its offset in the block.
    offset: usize,
}

enum Block {
    Leaf(Leaf),
    /// The root of an index, which holds `.` and `..`.
    Root(Node),
}

/// A directory, for reading.
pub(crate) struct Reader<'a, B: ?Sized> {
    format: &'a Format,
    blocks: &'a B,
    indexed: bool,
}

impl<'a, B: ReadBlocks + ?Sized> Reader<'a, B> {
    /// Opens a directory. `indexed` says whether the inode has the flag for a hash tree.
    pub fn new(format: &'a Format, blocks: &'a B, indexed: bool) -> Self {
        Reader { format, blocks, indexed }
    }

    /// The entry of a name, which may be `.` or `..`.
    ///
    /// With an index, only the blocks on the way to the name are read.
    ///
    /// # Errors
    /// [`Error::Directory`] if a block that is read is damaged, or if the index
    /// is of an unknown kind. Names that the index does not lead to are not searched for
    /// elsewhere.
    pub fn lookup(&self, name: &[u8]) -> Result<Option<Entry>> {
        Ok(self.find(name)?.map(|found| found.entry))
    }

    fn find(&self, name: &[u8]) -> Result<Option<Found>> {
        if self.indexed { self.find_indexed(name) } else { self.find_linear(name) }
    }

    /// Calls `visitor` with all entries, block by block, until it breaks. Unless the directory is
    /// damaged, `.` and `..` come first.
    ///
    /// # Errors
    /// As for [`Reader::lookup`], and if a block is not part of the index.
    pub fn visit(&self, mut visitor: impl FnMut(&Entry) -> ControlFlow<()>) -> Result<()> {
        let leaves: Box<dyn Iterator<Item = u32>> = if self.indexed {
            let (root, leaves) = self.tree()?;
            for dirent in root.dots(self.format)? {
                if visitor(&Entry::of(&dirent)).is_break() {
                    return Ok(());
                }
            }
            Box::new(leaves.into_iter().map(|leaf| leaf.index))
        } else {
            Box::new(0..self.blocks.count())
        };
        for index in leaves {
            let leaf = self.format.leaf(self.blocks, index)?;
            for dirent in leaf.entries(self.format) {
                if visitor(&Entry::of(&dirent)).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// All entries, in the order of [`Reader::visit`].
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.visit(|entry| {
            entries.push(entry.clone());
            ControlFlow::Continue(())
        })?;
        Ok(entries)
    }

    /// Returns whether there is nothing but `.` and `..`.
    pub fn is_empty(&self) -> Result<bool> {
        let mut empty = true;
        self.visit(|entry| {
            if entry.is_dots() {
                return ControlFlow::Continue(());
            }
            empty = false;
            ControlFlow::Break(())
        })?;
        Ok(empty)
    }
}

/// A directory, for changing.
///
/// If an operation fails, all names can still be found, but blocks may have been added that nothing
/// leads to. The caller must then discard all changes to the filesystem.
pub(crate) struct Directory<'a, B: ?Sized> {
    format: &'a Format,
    blocks: &'a mut B,
    indexed: bool,
    /// The free space in each block, once that was needed; not for directories with an index.
    room: Option<Vec<u32>>,
}

impl<'a, B: DirBlocks + ?Sized> Directory<'a, B> {
    /// Opens a directory. `indexed` says whether the inode has the flag for a hash tree.
    pub fn new(format: &'a Format, blocks: &'a mut B, indexed: bool) -> Self {
        Directory { format, blocks, indexed, room: None }
    }

    /// Returns whether the directory has a hash tree now. Only [`Directory::insert`] creates
    /// one, and then the inode needs the flag.
    pub fn indexed(&self) -> bool {
        self.indexed
    }

    /// The directory, for reading.
    pub fn reader(&self) -> Reader<'_, B> {
        Reader { format: self.format, blocks: self.blocks, indexed: self.indexed }
    }

    /// Adds a name, which must not exist yet.
    ///
    /// # Errors
    /// [`Error::FileName`], [`Error::DirectoryFull`], errors of appending a
    /// block, and as for [`Reader::lookup`].
    pub fn insert(&mut self, name: &[u8], inode: u32, file_type: FileType) -> Result<()> {
        check_name(name)?;
        if self.indexed {
            self.insert_indexed(name, inode, file_type)
        } else {
            self.insert_linear(name, inode, file_type)
        }
    }

    /// Removes a name and returns its entry; `None` if it does not exist.
    ///
    /// # Errors
    /// [`Error::FileName`] for `.` and `..`, and as for [`Reader::lookup`].
    pub fn remove(&mut self, name: &[u8]) -> Result<Option<Entry>> {
        check_name(name)?;
        let Some(found) = self.reader().find(name)? else { return Ok(None) };
        if let Block::Leaf(mut leaf) = found.block {
            leaf.remove(self.format, found.offset);
            self.write_leaf(found.index, leaf)?;
        }
        Ok(Some(found.entry))
    }

    /// Makes a name, which may be `..`, refer to another inode. Returns the old entry; `None` if
    /// the name does not exist.
    ///
    /// # Errors
    /// As for [`Reader::lookup`].
    pub fn replace(
        &mut self,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> Result<Option<Entry>> {
        let Some(found) = self.reader().find(name)? else { return Ok(None) };
        match found.block {
            Block::Leaf(mut leaf) => {
                leaf.replace(self.format, found.offset, inode, file_type);
                self.write_leaf(found.index, leaf)?;
            }
            Block::Root(mut root) => {
                root.replace_dot(self.format, found.offset, inode, file_type);
                self.blocks.write(found.index, root.seal(self.format))?;
            }
        }
        Ok(Some(found.entry))
    }

    fn write_leaf(&mut self, index: u32, leaf: Leaf) -> Result<()> {
        if let Some(place) = self.room.as_mut().and_then(|room| room.get_mut(index as usize)) {
            *place = leaf.room(self.format) as u32;
        }
        self.blocks.write(index, leaf.seal(self.format))
    }

    /// Adds a block at the end.
    fn append(&mut self, bytes: Vec<u8>) -> Result<u32> {
        // Hash trees have 28 bits for the number of a block. Without large_dir, the inode has 32
        // bits for the size.
        let format = self.format;
        let size = (u64::from(self.blocks.count()) + 1) * u64::from(format.block_size);
        if self.blocks.count() > htree::LAST_BLOCK || !format.large_dir && size >= 1 << 32 {
            return Err(Error::DirectoryFull { inode: format.inode });
        }
        self.blocks.append(bytes)
    }
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}
