//! Directories: their inodes together with their blocks.

use super::inline_dir;
use crate::{
    Error, Operation, Result,
    dir::{self, Directory, Entry, FileType, Format, Reader},
    features::flag,
    inode::{CASEFOLD, ENCRYPT, INDEX, INLINE_DATA, Inode},
    map::{self, Mapping, Run},
    source::Source,
    volume::Volume,
};

/// `s_flags`: directory hashes treat bytes as unsigned.
const UNSIGNED_HASH: u32 = 0x2;

/// The properties of the filesystem and of a directory's inode that its blocks depend on.
pub(crate) fn format(source: &dyn Source, inode: &Inode) -> Format {
    let fs = source.fs();
    let (superblock, features) = (&fs.superblock, fs.superblock.features());
    let unsigned = superblock.s_flags() & UNSIGNED_HASH != 0;
    Format {
        block_size: fs.geometry.block_size,
        filetype: features.has(flag::FILETYPE),
        checksum_seed: inode.checksum_seed(fs.checksums.seed()),
        hash_seed: superblock.s_hash_seed(),
        hash_version: match superblock.s_def_hash_version() {
            version @ 0..3 if unsigned => version + 3,
            version => version,
        },
        may_index: features.has(flag::DIR_INDEX),
        large_dir: features.has(flag::LARGE_DIR),
        casefold: inode.has_flag(CASEFOLD),
        inode: inode.number(),
    }
}

/// Returns an error unless this is a directory whose names can be read.
fn check(source: &dyn Source, inode: &Inode) -> Result<()> {
    super::require_kind(inode, super::FileKind::Directory)?;
    let (size, geometry) = (inode.i_size(), &source.fs().geometry);
    let whole = size.is_multiple_of(geometry.block_size.into()) && size > 0;
    if !inode.has_flag(INLINE_DATA) && (!whole || size > geometry.bytes()) {
        let reason = "a directory cannot have its size";
        return Err(Error::Directory { inode: inode.number(), index: 0, reason });
    }
    for (bit, flag) in [(ENCRYPT, "encrypt"), (CASEFOLD, "casefold")] {
        if inode.has_flag(bit) {
            return Err(Error::Flag { operation: Operation::Read, inode: inode.number(), flag });
        }
    }
    Ok(())
}

/// The blocks of a directory, for reading.
struct Blocks<'a> {
    source: &'a dyn Source,
    inode: &'a Inode,
}

fn count(source: &dyn Source, inode: &Inode) -> u32 {
    let blocks = inode.i_size() / u64::from(source.fs().geometry.block_size);
    blocks.min(u32::MAX.into()) as u32
}

/// Returns where a block of a directory is.
fn locate(source: &dyn Source, inode: &Inode, index: u32) -> Result<u64> {
    let found = map::find(source, inode, index.into())?.filter(|run| !run.unwritten);
    let reason = "it has no block there";
    let hole = Error::Directory { inode: inode.number(), index, reason };
    found.map(|run| run.physical).ok_or(hole)
}

impl dir::ReadBlocks for Blocks<'_> {
    fn count(&self) -> u32 {
        count(self.source, self.inode)
    }

    fn read(&self, index: u32) -> Result<Vec<u8>> {
        self.source.block(locate(self.source, self.inode, index)?)
    }
}

/// The blocks of a directory, for changing.
struct BlocksMut<'a> {
    volume: &'a mut Volume,
    inode: &'a mut Inode,
}

impl dir::ReadBlocks for BlocksMut<'_> {
    fn count(&self) -> u32 {
        count(self.volume, self.inode)
    }

    fn read(&self, index: u32) -> Result<Vec<u8>> {
        self.volume.block(locate(self.volume, self.inode, index)?)
    }
}

impl dir::DirBlocks for BlocksMut<'_> {
    fn write(&mut self, index: u32, bytes: Vec<u8>) -> Result<()> {
        let block = locate(self.volume, self.inode, index)?;
        self.volume.stage(block, bytes);
        Ok(())
    }

    fn append(&mut self, bytes: Vec<u8>) -> Result<u32> {
        let index = dir::ReadBlocks::count(self);
        let size = u64::from(self.volume.fs().geometry.block_size);
        let run = self.volume.next_block(self.inode, index.into())?;
        map::append(self.volume, self.inode, &[run])?;
        self.inode.set_i_size((u64::from(index) + 1) * size);
        self.volume.stage(run.physical, bytes);
        Ok(index)
    }
}

/// Returns whether a directory has a hash tree. Without the feature it has
/// none, whatever its flag says.
fn is_indexed(format: &Format, inode: &Inode) -> bool {
    format.may_index && inode.has_flag(INDEX)
}

/// The entry of a name in a directory.
pub(super) fn look_up(source: &dyn Source, inode: &Inode, name: &[u8]) -> Result<Option<Entry>> {
    check(source, inode)?;
    if inode.has_flag(INLINE_DATA) {
        let entries = inline_dir::entries(source, inode)?;
        return Ok(entries.into_iter().find(|entry| entry.name == name));
    }
    let format = format(source, inode);
    Reader::new(&format, &Blocks { source, inode }, is_indexed(&format, inode)).lookup(name)
}

/// All entries of a directory, with `.` and `..`.
pub(super) fn entries(source: &dyn Source, inode: &Inode) -> Result<Vec<Entry>> {
    check(source, inode)?;
    if inode.has_flag(INLINE_DATA) {
        return inline_dir::entries(source, inode);
    }
    let format = format(source, inode);
    Reader::new(&format, &Blocks { source, inode }, is_indexed(&format, inode)).entries()
}

/// The blocks of a directory whose mapping is known.
struct Mapped<'a> {
    source: &'a dyn Source,
    mapping: &'a Mapping,
    inode: u32,
}

impl dir::ReadBlocks for Mapped<'_> {
    fn count(&self) -> u32 {
        self.mapping.runs.last().map_or(0, Run::end).min(u32::MAX.into()) as u32
    }

    fn read(&self, index: u32) -> Result<Vec<u8>> {
        match self.mapping.find(index.into()) {
            Some(run) => self.source.block(run.physical),
            None => {
                let reason = "it has no block there";
                Err(Error::Directory { inode: self.inode, index, reason })
            }
        }
    }
}

/// Checks a directory and calls `visitor` with each entry and its block. Names may be encrypted or
/// ignore case.
pub(crate) fn verify(
    source: &dyn Source,
    inode: &Inode,
    mut visitor: impl FnMut(u32, &Entry) -> Result<()>,
) -> Result<()> {
    if inode.has_flag(INLINE_DATA) {
        let entries = inline_dir::entries(source, inode)?;
        return entries.iter().try_for_each(|entry| visitor(0, entry));
    }
    let mapping = Mapping::load(source, inode)?;
    let format = format(source, inode);
    let blocks = Mapped { source, mapping: &mapping, inode: inode.number() };
    dir::verify(&format, &blocks, is_indexed(&format, inode), visitor)
}

/// Gives every inode that a directory refers to the number that `number` returns for it. `before`
/// is the directory, and `after` is the same one with its new number; entries that are in the inode
/// change there. Returns the blocks that change, counted from the beginning of the directory.
///
/// # Errors
/// Damage to the directory.
pub(crate) fn renumber(
    source: &dyn Source,
    before: &Inode,
    after: &mut Inode,
    number: impl Fn(u32) -> u32,
) -> Result<Vec<(u32, Vec<u8>)>> {
    if before.has_flag(INLINE_DATA) {
        inline_dir::renumber(after, number)?;
        return Ok(Vec::new());
    }
    let mapping = Mapping::load(source, before)?;
    let old = format(source, before);
    let seed = after.checksum_seed(source.fs().checksums.seed());
    let new = Format { checksum_seed: seed, inode: after.number(), ..old.clone() };
    let blocks = Mapped { source, mapping: &mapping, inode: before.number() };
    dir::renumber(&old, &new, &blocks, is_indexed(&old, before), number)
}

/// Returns whether a directory has nothing but `.` and `..`.
pub(super) fn is_empty(source: &dyn Source, inode: &Inode) -> Result<bool> {
    check(source, inode)?;
    if inode.has_flag(INLINE_DATA) {
        return Ok(inline_dir::entries(source, inode)?.iter().all(Entry::is_dots));
    }
    let format = format(source, inode);
    Reader::new(&format, &Blocks { source, inode }, is_indexed(&format, inode)).is_empty()
}

impl Volume {
    /// Gives a new directory its first block.
    pub(super) fn start_directory(&mut self, inode: &mut Inode, parent: u32) -> Result<()> {
        let first = dir::first_block(&format(self, inode), inode.number(), parent);
        inode.set_i_size(0);
        dir::DirBlocks::append(&mut BlocksMut { volume: self, inode }, first)?;
        Ok(())
    }

    /// Changes a directory. The caller still has to write its inode into its table.
    fn edit_directory<T>(
        &mut self,
        inode: &mut Inode,
        edit: impl FnOnce(&mut Directory<'_, BlocksMut<'_>>) -> Result<T>,
    ) -> Result<T> {
        check(self, inode)?;
        if inode.has_flag(INLINE_DATA) {
            self.directory_out_of_line(inode)?;
        }
        let format = format(self, inode);
        let indexed = is_indexed(&format, inode);
        let mut blocks = BlocksMut { volume: self, inode };
        let mut directory = Directory::new(&format, &mut blocks, indexed);
        let result = edit(&mut directory)?;
        let indexed = directory.indexed();
        inode.set_flag(INDEX, indexed);
        Ok(result)
    }

    /// Adds a name, which must not exist yet.
    pub(super) fn insert(
        &mut self,
        dir: &mut Inode,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> Result<()> {
        self.edit_directory(dir, |directory| directory.insert(name, inode, file_type))
    }

    /// Removes a name.
    pub(super) fn remove(&mut self, dir: &mut Inode, name: &[u8]) -> Result<Option<Entry>> {
        self.edit_directory(dir, |directory| directory.remove(name))
    }

    /// Makes a name refer to another inode.
    pub(super) fn replace(
        &mut self,
        dir: &mut Inode,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> Result<Option<Entry>> {
        self.edit_directory(dir, |directory| directory.replace(name, inode, file_type))
    }

    /// Moves the entries of a directory from the inode to a block.
    fn directory_out_of_line(&mut self, inode: &mut Inode) -> Result<()> {
        let entries = inline_dir::entries(self, inode)?;
        let parent =
            entries.iter().find(|entry| entry.name == b"..").map_or(0, |entry| entry.inode);
        self.empty_inline(inode)?;
        self.start_directory(inode, parent)?;
        for entry in entries.iter().filter(|entry| !entry.is_dots()) {
            self.insert(inode, &entry.name, entry.inode, entry.file_type)?;
        }
        Ok(())
    }

    /// A free block after the last one of a file.
    fn next_block(&mut self, inode: &Inode, logical: u64) -> Result<Run> {
        let last = map::last(self, inode)?;
        // With bigalloc, the rest of the last cluster belongs to the file.
        let cluster = u64::from(self.fs().geometry.cluster_blocks);
        let physical = match last {
            Some(last) if last.end() == logical && !logical.is_multiple_of(cluster) => {
                last.blocks().end
            }
            Some(last) => self.allocate(last.blocks().end, 1)?.start,
            None => self.allocate_near(inode.number(), 1)?.start,
        };
        Ok(Run { logical, physical, length: 1, unwritten: false })
    }
}
