//! The inodes in use, and what the check knows about them.

use crate::{dir::FileType, inode::Inode};

/// An inode in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub number: u32,
    pub file_type: FileType,
    /// `i_links_count`.
    pub links: u16,
    /// The number of directory entries that refer to it.
    pub counted: u32,
    /// It holds the value of an attribute.
    pub holds_value: bool,
    /// No entry may refer to it: it belongs to the filesystem itself, or holds the value of an
    /// attribute.
    pub hidden: bool,
}

impl Found {
    pub fn new(inode: &Inode, hidden: bool) -> Self {
        Found {
            number: inode.number(),
            file_type: FileType::of_mode(inode.i_mode()),
            links: inode.i_links_count(),
            counted: 0,
            holds_value: inode.has_flag(crate::inode::EA_INODE),
            hidden,
        }
    }

    pub fn is_dir(&self) -> bool {
        self.file_type == FileType::DIRECTORY
    }
}

/// All inodes in use, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Census {
    all: Vec<Found>,
}

impl Census {
    /// Adds an inode. Its number must be greater than all numbers before.
    pub fn push(&mut self, found: Found) {
        self.all.push(found);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Found> {
        self.all.iter()
    }

    pub fn get_mut(&mut self, number: u32) -> Option<&mut Found> {
        let index = self.all.binary_search_by_key(&number, |found| found.number).ok()?;
        self.all.get_mut(index)
    }
}
