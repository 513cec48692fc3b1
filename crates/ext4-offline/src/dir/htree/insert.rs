//! Adding names to a hash tree: leaves and nodes are split as they fill up.

use super::{Node, Path, Step, Version, node::max_levels};
use crate::{
    Error, Result,
    dir::{DirBlocks, Directory, FileType, Leaf, entry},
};

/// The largest number of splits that make room for one name: another level, a node in each of two
/// levels, and a leaf.
const MAX_SPLITS: usize = 4;

impl<B: DirBlocks + ?Sized> Directory<'_, B> {
    pub(in crate::dir) fn insert_indexed(
        &mut self,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> Result<()> {
        for _ in 0..=MAX_SPLITS {
            let reader = self.reader();
            let root = reader.root()?;
            let hash = reader.hash(&root, name)?;
            let version = root.version(self.format);
            let path = reader.probe(root, hash)?;
            let mut leaf = self.format.leaf(self.blocks, path.leaf)?;
            if leaf.insert(self.format, name, inode, file_type) {
                return self.write_leaf(path.leaf, leaf);
            }
            match version {
                _ if path.steps.last().is_none_or(|step| step.node.is_full()) => {
                    self.split_node(path)?;
                }
                Some(version) => self.split_leaf(path, leaf, version)?,
                None => break,
            }
        }
        self.format.wrong(0, "its index cannot be made larger")
    }

    /// Turns the only block of a directory into an index, and moves its names to a new block.
    pub(in crate::dir) fn make_index(&mut self, version: Version) -> Result<()> {
        let format = self.format;
        let old = format.leaf(self.blocks, 0)?;
        let mut entries = old.entries(format);
        let (Some(dot), Some(dotdot)) = (entries.next(), entries.next()) else {
            return format.wrong(0, "it does not begin with the entries . and ..");
        };
        if !dot.is_dot() || !dotdot.is_dotdot() {
            return format.wrong(0, "it does not begin with the entries . and ..");
        }
        let mut leaf = Leaf::empty(format);
        leaf.fill(format, entries);
        let block = self.append(leaf.seal(format))?;
        let root = Node::new_root(format, &dot, &dotdot, version, block);
        self.blocks.write(0, root.seal(format))?;
        self.indexed = true;
        Ok(())
    }

    /// Splits a leaf at the hash that divides the bytes of its names in about half. Its node must
    /// have room for another entry.
    fn split_leaf(&mut self, mut path: Path, leaf: Leaf, version: Version) -> Result<()> {
        let format = self.format;
        let index = path.leaf;
        let mut map: Vec<_> = leaf
            .entries(format)
            .map(|dirent| (version.hash(dirent.name, &format.hash_seed), dirent))
            .collect();
        if map.iter().any(|&(hash, _)| hash < path.low & !1 || hash > path.high) {
            return format.wrong(index, "it has a name that the index has elsewhere");
        }
        map.sort_by_key(|&(hash, _)| hash);
        let split = self.split_at(map.iter().map(|(_, dirent)| entry::size(dirent.name.len())));
        let (lower, upper) = map.split_at(split);
        let (Some(&(last, _)), Some(&(first, _))) = (lower.last(), upper.first()) else {
            return format.wrong(index, "it has too few names to be split");
        };
        let [lower, upper] = [lower, upper].map(|part| {
            let mut leaf = Leaf::empty(format);
            leaf.fill(format, part.iter().map(|&(_, dirent)| dirent));
            leaf.seal(format)
        });
        let Some(Step { index: parent, mut node, at }) = path.steps.pop() else { return Ok(()) };
        let block = self.append(upper)?;
        node.insert(at + 1, first | u32::from(first == last), block);
        self.blocks.write(parent, node.seal(format))?;
        self.blocks.write(index, lower)
    }

    /// Returns how many entries of these sizes stay when a leaf is split. Those in the last half
    /// block move; the larger part of the one in the middle decides.
    fn split_at(&self, sizes: impl DoubleEndedIterator<Item = usize> + ExactSizeIterator) -> usize {
        let half = self.format.block_size as usize / 2;
        let count = sizes.len();
        let mut moved = 0;
        for (from_end, size) in sizes.rev().enumerate() {
            if moved + size / 2 > half {
                return count - from_end;
            }
            moved += size;
        }
        count / 2
    }

    /// Splits the topmost of the full nodes at the end of the path. If all nodes are full, the tree
    /// gets another level.
    fn split_node(&mut self, mut path: Path) -> Result<()> {
        let format = self.format;
        let full = path.steps.iter().rev().take_while(|step| step.node.is_full()).count();
        let top = path.steps.len().saturating_sub(full);
        path.steps.truncate(top + 1);
        let Some(Step { index, mut node, .. }) = path.steps.pop() else { return Ok(()) };
        let Some(Step { index: parent, node: mut above, at }) = path.steps.pop() else {
            // This is the root.
            if node.levels() >= max_levels(format) {
                return Err(Error::DirectoryFull { inode: format.inode });
            }
            let block = self.append(node.copy_from(format, 0).seal(format))?;
            node.raise(format, block);
            return self.blocks.write(index, node.seal(format));
        };
        let (upper, hash) = node.split_off(format, node.count() / 2);
        let block = self.append(upper.seal(format))?;
        above.insert(at + 1, hash, block);
        self.blocks.write(parent, above.seal(format))?;
        self.blocks.write(index, node.seal(format))
    }
}
