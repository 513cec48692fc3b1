//! The tree of files that an operation must give.

use std::{collections::BTreeMap, sync::Arc};

use ext4_offline::inodes::ROOT_INODE;

use crate::{
    op::{Name, New, Op, Outcome, Refusal},
    tree::{Entry, Kind, Tree, Xattrs},
};

#[derive(Debug, Clone)]
pub enum Body {
    File(Arc<Vec<u8>>),
    Directory(BTreeMap<Name, u32>),
    Symlink(Vec<u8>),
    Special,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub body: Body,
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: i64,
    pub links: u32,
    pub xattrs: Xattrs,
}

/// The limits of a filesystem's format for its files.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub block_size: usize,
    /// The largest number of bytes in an inode after its fields.
    pub inode_room: usize,
    /// Whether blocks can hold attributes.
    pub xattr_block: bool,
    /// Times end in 2038.
    pub short_times: bool,
    /// Contents may have to leave their inode (`inline_data`).
    pub inline: bool,
}

#[derive(Debug, Clone)]
pub struct Model {
    pub nodes: BTreeMap<u32, Node>,
    pub limits: Limits,
    pub now: i64,
}

/// The bytes that an attribute takes in an area, and those around all attributes.
const XATTR_ENTRY: usize = 16;
const XATTR_AROUND: usize = 36;

fn xattr_size(name: &str, value: usize) -> usize {
    let short = name.split_once('.').map_or(name, |(_, rest)| rest);
    XATTR_ENTRY + short.len().next_multiple_of(4) + value.next_multiple_of(4)
}

fn xattr_name_is_possible(name: &str) -> bool {
    ["user.", "trusted.", "security."].iter().any(|prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && name.len() <= 255 && !rest.contains('\0'))
    })
}

fn name_is_possible(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && name.len() <= 255
        && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
}

impl Model {
    /// A model of the tree that a reader found.
    pub fn of(tree: &Tree, limits: Limits) -> Self {
        let mut nodes = BTreeMap::new();
        for entry in tree.values() {
            let body = match &entry.kind {
                Kind::File(bytes) => Body::File(bytes.clone()),
                Kind::Directory => Body::Directory(BTreeMap::new()),
                Kind::Symlink(target) => Body::Symlink(target.clone()),
                Kind::Special => Body::Special,
            };
            let node = Node {
                body,
                mode: entry.mode,
                uid: entry.uid,
                gid: entry.gid,
                mtime: entry.mtime,
                links: entry.links.unwrap(),
                xattrs: entry.xattrs.clone().unwrap(),
            };
            nodes.insert(entry.inode.unwrap(), node);
        }
        for (path, entry) in tree {
            let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else { continue };
            let parent = tree[&path[..slash]].inode.unwrap();
            if let Some(Node { body: Body::Directory(names), .. }) = nodes.get_mut(&parent) {
                names.insert(path[slash + 1..].to_vec(), entry.inode.unwrap());
            }
        }
        Model { nodes, limits, now: 0 }
    }

    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        let mut left = vec![(Vec::new(), ROOT_INODE)];
        while let Some((path, inode)) = left.pop() {
            let node = &self.nodes[&inode];
            let kind = match &node.body {
                Body::File(bytes) => Kind::File(bytes.clone()),
                Body::Directory(names) => {
                    for (name, inode) in names {
                        left.push(([&path, b"/".as_slice(), name].concat(), *inode));
                    }
                    Kind::Directory
                }
                Body::Symlink(target) => Kind::Symlink(target.clone()),
                Body::Special => Kind::Special,
            };
            let entry = Entry {
                kind,
                mode: node.mode,
                uid: node.uid,
                gid: node.gid,
                mtime: node.mtime,
                links: Some(node.links),
                inode: Some(inode),
                xattrs: Some(node.xattrs.clone()),
            };
            tree.insert(path, entry);
        }
        tree
    }

    pub fn names(&self, dir: u32) -> Option<&BTreeMap<Name, u32>> {
        match &self.nodes.get(&dir)?.body {
            Body::Directory(names) => Some(names),
            _ => None,
        }
    }

    fn child(&self, dir: u32, name: &[u8]) -> Option<u32> {
        self.names(dir)?.get(name).copied()
    }

    fn is_below(&self, inode: u32, above: u32) -> bool {
        inode == above
            || self.names(above).is_some_and(|names| {
                names
                    .values()
                    .any(|child| self.names(*child).is_some() && self.is_below(inode, *child))
            })
    }

    /// The reasons for which an operation must fail: one of these, unless the list is empty.
    pub fn refusals(&self, op: &Op) -> Vec<Refusal> {
        let mut all = Vec::new();
        let mut when = |refusal, condition| {
            if condition {
                all.push(refusal);
            }
        };
        let is_dir = |inode: &u32| self.names(*inode).is_some();
        let is_empty = |inode: &u32| self.names(*inode).is_some_and(|names| names.is_empty());
        match op {
            Op::Create { dir, name, new, .. } => {
                when(Refusal::Kind, !is_dir(dir));
                when(Refusal::Name, !name_is_possible(name));
                when(Refusal::Exists, self.child(*dir, name).is_some());
                if let New::Symlink(target) = new {
                    let length = target.len();
                    let possible = (1..self.limits.block_size).contains(&length);
                    when(Refusal::Limit, !possible || target.contains(&0));
                }
            }
            Op::Write { inode, .. } | Op::Replace { inode, .. } | Op::Resize { inode, .. } => {
                let body = self.nodes.get(inode).map(|node| &node.body);
                when(Refusal::Kind, !matches!(body, Some(Body::File(_))));
            }
            Op::Link { inode, dir, name } => {
                when(Refusal::Kind, !is_dir(dir) || is_dir(inode));
                when(Refusal::Kind, !self.nodes.contains_key(inode));
                when(Refusal::Name, !name_is_possible(name));
                when(Refusal::Exists, self.child(*dir, name).is_some());
            }
            Op::Rename { from, name, to, new_name } => {
                when(Refusal::Kind, !is_dir(from) || !is_dir(to));
                when(Refusal::Name, !name_is_possible(new_name));
                let Some(moved) = self.child(*from, name) else {
                    when(Refusal::NoEntry, true);
                    return all;
                };
                when(Refusal::Loop, is_dir(&moved) && self.is_below(*to, moved));
                if let Some(target) = self.child(*to, new_name)
                    && target != moved
                {
                    when(Refusal::Kind, is_dir(&target) != is_dir(&moved));
                    when(Refusal::NotEmpty, is_dir(&target) && !is_empty(&target));
                }
            }
            Op::Unlink { dir, name } | Op::Rmdir { dir, name } => {
                when(Refusal::Kind, !is_dir(dir));
                let Some(target) = self.child(*dir, name) else {
                    when(Refusal::NoEntry, true);
                    return all;
                };
                let rmdir = matches!(op, Op::Rmdir { .. });
                when(Refusal::Kind, is_dir(&target) != rmdir);
                when(Refusal::NotEmpty, rmdir && is_dir(&target) && !is_empty(&target));
            }
            Op::SetXattr { inode, name, data } => {
                when(Refusal::Kind, !self.nodes.contains_key(inode));
                let alone = xattr_size(name, data.length);
                let room = if self.limits.xattr_block {
                    self.limits.inode_room.max(self.limits.block_size)
                } else {
                    self.limits.inode_room
                };
                when(Refusal::Limit, !xattr_name_is_possible(name) || alone > room);
            }
            Op::SetMode { inode, .. }
            | Op::SetOwner { inode, .. }
            | Op::SetMtime { inode, .. }
            | Op::RemoveXattr { inode, .. } => {
                when(Refusal::Kind, !self.nodes.contains_key(inode));
            }
        }
        all
    }

    /// Returns whether an operation without a reason to fail may still fail like this.
    pub fn may_fail(&self, op: &Op, refusal: Refusal) -> bool {
        match (op, refusal) {
            (Op::SetXattr { inode, name, data }, Refusal::Limit) => {
                let others = self.nodes[inode].xattrs.iter().filter(|(other, _)| *other != name);
                let others: usize = others.map(|(name, value)| xattr_size(name, value.len())).sum();
                let all = others + xattr_size(name, data.length) + XATTR_AROUND;
                let in_inode =
                    self.limits.inline && matches!(self.nodes[inode].body, Body::Symlink(_));
                !self.limits.xattr_block || in_inode || all > self.limits.block_size
            }
            (Op::SetMode { .. } | Op::SetOwner { .. } | Op::SetMtime { .. }, _) => false,
            (Op::Unlink { .. } | Op::Rmdir { .. }, Refusal::Full) => self.limits.inline,
            (Op::Resize { inode, size }, Refusal::Full) => match &self.nodes[inode].body {
                Body::File(bytes) => *size > bytes.len() as u64 || self.limits.inline,
                _ => false,
            },
            (_, Refusal::Full) => true,
            _ => false,
        }
    }

    fn touch(&mut self, inode: u32) {
        let now = self.now;
        self.nodes.get_mut(&inode).unwrap().mtime = now;
    }

    fn names_mut(&mut self, dir: u32) -> &mut BTreeMap<Name, u32> {
        match &mut self.nodes.get_mut(&dir).unwrap().body {
            Body::Directory(names) => names,
            _ => panic!("inode {dir} is no directory"),
        }
    }

    fn edit(&mut self, inode: u32, edit: impl FnOnce(&mut Vec<u8>)) {
        self.touch(inode);
        if let Body::File(bytes) = &mut self.nodes.get_mut(&inode).unwrap().body {
            edit(Arc::make_mut(bytes));
        }
    }

    /// Removes a name of an inode.
    fn drop_link(&mut self, inode: u32) {
        let node = self.nodes.get_mut(&inode).unwrap();
        node.links -= 1;
        if node.links == 0 || matches!(node.body, Body::Directory(_)) {
            self.nodes.remove(&inode);
        }
    }

    /// Applies an operation that succeeded.
    ///
    /// # Panics
    /// If the result is not the expected one.
    pub fn apply(&mut self, op: &Op, answer: Outcome) {
        match op {
            Op::Create { dir, name, new, mode } => {
                let Outcome::Inode(inode) = answer else { panic!("{answer:?}") };
                let (body, mode, links) = match new {
                    New::Regular => (Body::File(Arc::default()), *mode, 1),
                    New::Directory => (Body::Directory(BTreeMap::new()), *mode, 2),
                    New::Symlink(target) => (Body::Symlink(target.clone()), 0o777, 1),
                };
                let (mode, mtime) = (mode & 0o7777, self.now);
                let xattrs = Xattrs::new();
                let node = Node { body, mode, uid: 0, gid: 0, mtime, links, xattrs };
                assert!(self.nodes.insert(inode, node).is_none(), "inode {inode} was in use");
                self.names_mut(*dir).insert(name.clone(), inode);
                self.touch(*dir);
                if *new == New::Directory {
                    self.nodes.get_mut(dir).unwrap().links += 1;
                }
            }
            Op::Write { inode, offset, data } => self.edit(*inode, |bytes| {
                let (offset, data) = (*offset as usize, data.bytes());
                if !data.is_empty() {
                    bytes.resize(bytes.len().max(offset + data.len()), 0);
                    bytes[offset..offset + data.len()].copy_from_slice(&data);
                }
            }),
            Op::Replace { inode, data } => self.edit(*inode, |bytes| *bytes = data.bytes()),
            Op::Resize { inode, size } => {
                self.edit(*inode, |bytes| bytes.resize(*size as usize, 0));
            }
            Op::Link { inode, dir, name } => {
                self.names_mut(*dir).insert(name.clone(), *inode);
                self.touch(*dir);
                self.nodes.get_mut(inode).unwrap().links += 1;
            }
            Op::Rename { from, name, to, new_name } => self.rename(*from, name, *to, new_name),
            Op::Unlink { dir, name } | Op::Rmdir { dir, name } => {
                let inode = self.names_mut(*dir).remove(name).unwrap();
                self.touch(*dir);
                if matches!(op, Op::Rmdir { .. }) {
                    self.nodes.get_mut(dir).unwrap().links -= 1;
                }
                self.drop_link(inode);
            }
            Op::SetMode { inode, mode } => {
                self.nodes.get_mut(inode).unwrap().mode = mode & 0o7777;
            }
            Op::SetOwner { inode, uid, gid } => {
                let node = self.nodes.get_mut(inode).unwrap();
                (node.uid, node.gid) = (*uid, *gid);
            }
            Op::SetMtime { inode, seconds } => {
                let last = if self.limits.short_times {
                    i32::MAX.into()
                } else {
                    (1 << 34) + i64::from(i32::MIN) - 1
                };
                let node = self.nodes.get_mut(inode).unwrap();
                node.mtime = (*seconds).clamp(i32::MIN.into(), last);
            }
            Op::SetXattr { inode, name, data } => {
                let xattrs = &mut self.nodes.get_mut(inode).unwrap().xattrs;
                xattrs.insert(name.clone(), data.bytes());
            }
            Op::RemoveXattr { inode, name } => {
                let was = self.nodes.get_mut(inode).unwrap().xattrs.remove(name).is_some();
                assert_eq!(answer, Outcome::Was(was));
            }
        }
    }

    fn rename(&mut self, from: u32, name: &[u8], to: u32, new_name: &[u8]) {
        let moved = self.child(from, name).unwrap();
        let target = self.child(to, new_name);
        if target == Some(moved) {
            return;
        }
        if let Some(target) = target {
            if self.names(target).is_some() {
                self.nodes.get_mut(&to).unwrap().links -= 1;
            }
            self.drop_link(target);
        }
        self.names_mut(from).remove(name);
        self.names_mut(to).insert(new_name.to_vec(), moved);
        if self.names(moved).is_some() {
            self.nodes.get_mut(&from).unwrap().links -= 1;
            self.nodes.get_mut(&to).unwrap().links += 1;
        }
        self.touch(from);
        self.touch(to);
    }
}
