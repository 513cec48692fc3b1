//! Hash trees: directories with an index.
//!
//! The first block is the root ([`Node`]), which leads to the leaves directly or through one or two
//! levels of nodes. Each leaf holds the names with hashes in a range, unordered. If one hash has
//! more names than fit into a leaf, the following leaves have the same hash and are marked.

mod insert;
mod node;

use std::collections::HashSet;

pub(super) use self::node::{LAST_BLOCK, Node};
use super::{Block, Entry, Found, ReadBlocks, Reader, Version};
use crate::Result;

/// The path to a leaf.
struct Path {
    /// The nodes from the root on.
    steps: Vec<Step>,
    /// The leaf.
    leaf: u32,
    /// The range of the hashes of the leaf's names.
    low: u32,
    high: u32,
}

/// A block below a node, and the hashes of the names below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub index: u32,
    /// The least hash.
    low: u32,
    /// The first hash of the next block. If its lowest bit is set, this block has names with that
    /// hash too.
    high: u32,
}

impl Bounds {
    /// Returns whether the hash of a name is within the range.
    pub fn hold(&self, hash: u32) -> bool {
        let high = self.high & !1;
        hash >= self.low & !1 && (hash < high || self.high & 1 == 1 && hash == high)
    }
}

/// A node on the path.
struct Step {
    index: u32,
    node: Node,
    /// The entry that the path takes.
    at: usize,
}

impl<B: ReadBlocks + ?Sized> Reader<'_, B> {
    fn root(&self) -> Result<Node> {
        if self.blocks.count() == 0 {
            return self.format.wrong(0, "this block does not exist");
        }
        Node::parse_root(self.format, self.format.block(self.blocks, 0)?)
    }

    /// The block that an entry of the node `index` leads to.
    fn child(&self, index: u32, block: u32) -> Result<u32> {
        if block > 0 && block < self.blocks.count() {
            Ok(block)
        } else {
            self.format.wrong(index, "its index leads to a block that does not exist")
        }
    }

    fn node(&self, index: u32, low: u32, high: u32) -> Result<Node> {
        Node::parse(self.format, index, self.format.block(self.blocks, index)?, low, high)
    }

    pub(super) fn hash(&self, root: &Node, name: &[u8]) -> Result<u32> {
        match root.version(self.format) {
            Some(version) => Ok(version.hash(name, &self.format.hash_seed)),
            None => self.format.wrong(0, "its index (dx_root) uses an unknown hash"),
        }
    }

    pub(super) fn find_indexed(&self, name: &[u8]) -> Result<Option<Found>> {
        let root = self.root()?;
        let dots = root.dots(self.format)?;
        let dot = dots.iter().find(|dot| dot.name == name);
        if let Some((entry, offset)) = dot.map(|dot| (Entry::of(dot), dot.offset)) {
            return Ok(Some(Found { entry, index: 0, block: Block::Root(root), offset }));
        }
        let hash = self.hash(&root, name)?;
        let mut path = self.probe(root, hash)?;
        for _ in 0..self.blocks.count() {
            let index = path.leaf;
            let leaf = self.format.leaf(self.blocks, index)?;
            let found = leaf.find(self.format, name);
            if let Some((entry, offset)) = found.map(|found| (Entry::of(&found), found.offset)) {
                return Ok(Some(Found { entry, index, block: Block::Leaf(leaf), offset }));
            }
            if !self.advance(&mut path, hash)? {
                return Ok(None);
            }
        }
        self.format.wrong(0, "its index leads to more blocks than the directory has")
    }

    /// The path to the first leaf that can have names with a hash.
    fn probe(&self, root: Node, hash: u32) -> Result<Path> {
        let levels = root.levels();
        let mut path = Path { steps: Vec::with_capacity(3), leaf: 0, low: 0, high: u32::MAX };
        let (mut index, mut node) = (0, root);
        loop {
            let at = node.position(hash);
            if at > 0 {
                path.low = node.hash(at);
            }
            if at + 1 < node.count() {
                path.high = node.hash(at + 1);
            }
            let next = self.child(index, node.block(at))?;
            path.steps.push(Step { index, node, at });
            if path.steps.len() > levels {
                path.leaf = next;
                return Ok(path);
            }
            node = self.node(next, path.low, path.high)?;
            index = next;
        }
    }

    /// Moves on to the next leaf, if that can have names with the same hash.
    fn advance(&self, path: &mut Path, hash: u32) -> Result<bool> {
        let levels = path.steps.len();
        let more = |step: &Step| step.at + 1 < step.node.count();
        let Some(last) = path.steps.iter().rposition(more) else { return Ok(false) };
        path.steps.truncate(last + 1);
        let Some(step) = path.steps.last_mut() else { return Ok(false) };
        step.at += 1;
        if step.node.hash(step.at) & !1 != hash {
            return Ok(false);
        }
        let mut next = self.child(step.index, step.node.block(step.at))?;
        while path.steps.len() < levels {
            let node = self.node(next, 0, u32::MAX)?;
            let first = self.child(next, node.block(0))?;
            path.steps.push(Step { index: next, node, at: 0 });
            next = first;
        }
        path.leaf = next;
        Ok(true)
    }

    /// The root, and the leaves in the order of their blocks. Checks that the tree leads to every
    /// block exactly once.
    pub(super) fn tree(&self) -> Result<(Node, Vec<Bounds>)> {
        let root = self.root()?;
        let mut seen = HashSet::from([0]);
        let mut level = Vec::new();
        let all = Bounds { index: 0, low: 0, high: u32::MAX };
        self.children(&root, all, &mut seen, &mut level)?;
        for _ in 0..root.levels() {
            let mut below = Vec::new();
            for bounds in level {
                let node = self.node(bounds.index, bounds.low, bounds.high)?;
                self.children(&node, bounds, &mut seen, &mut below)?;
            }
            level = below;
        }
        // All blocks that were seen exist, so if their number is right, none is missing.
        let all = seen.len() == self.blocks.count() as usize;
        if let Some(index) = (0..self.blocks.count()).find(|index| !all && !seen.contains(index)) {
            return self.format.wrong(index, "the index does not lead to it");
        }
        level.sort_unstable_by_key(|bounds| bounds.index);
        Ok((root, level))
    }

    fn children(
        &self,
        node: &Node,
        bounds: Bounds,
        seen: &mut HashSet<u32>,
        into: &mut Vec<Bounds>,
    ) -> Result<()> {
        for (position, block) in node.blocks().enumerate() {
            let index = self.child(bounds.index, block)?;
            if !seen.insert(index) {
                return self.format.wrong(index, "the index leads to it twice");
            }
            let low = if position > 0 { node.hash(position) } else { bounds.low };
            let more = position + 1 < node.count();
            let high = if more { node.hash(position + 1) } else { bounds.high };
            into.push(Bounds { index, low, high });
        }
        Ok(())
    }
}
