//! Which inodes are in use, and what is known of them.

use crate::{dir::FileType, inode::Inode};

/// An inode in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub number: u32,
    pub file_type: FileType,
    /// `i_links_count`.
    pub links: u16,
    /// How many entries lead to it.
    pub counted: u32,
    /// It holds the value of an attribute.
    pub holds_value: bool,
    /// No entry may lead to it: it is a part of the filesystem itself, or holds
    /// an attribute's value.
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
    /// Adds an inode whose number is greater than all before.
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
