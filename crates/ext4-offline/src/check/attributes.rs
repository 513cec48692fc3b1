//! Extended attributes: the blocks that inodes share, and values in inodes of
//! their own.

use std::collections::BTreeMap;

use super::{Inodes, census::Census, fields::wrong};
use crate::{
    Error, Result,
    attributes::verify_large,
    features::flag,
    inode::{ENCRYPT, Inode},
    source::{Source, Stored},
    xattr::{self, Attributes, LargeValue},
};

/// A block of attributes.
#[derive(Debug)]
struct SharedBlock {
    /// The number of inodes that use it according to itself.
    references: u32,
    /// The number of inodes that use it.
    users: u32,
    /// One of them.
    inode: u32,
}

/// Blocks and values that several inodes may use.
#[derive(Debug, Default)]
pub(super) struct Shared {
    blocks: BTreeMap<u64, SharedBlock>,
    /// By inode number: how many attributes have their value in the inode, and one of them.
    values: BTreeMap<u32, (u64, LargeValue)>,
}

impl Shared {
    fn add_values(&mut self, values: Vec<LargeValue>) {
        for value in values {
            self.values.entry(value.number).or_insert((0, value)).0 += 1;
        }
    }

    /// Checks the numbers of users.
    pub fn finish(self, source: &Stored<'_>, census: &Census) -> Result<()> {
        if let Some(block) = self.blocks.values().find(|block| block.users != block.references) {
            let reason = "their block records another number of users";
            return Err(Error::Attributes { inode: block.inode, reason });
        }
        for (users, value) in self.values.values() {
            verify_large(source, value, *users)?;
        }
        let unused = census.iter().find(|found| {
            // Inodes of the filesystem itself do not have this flag.
            found.holds_value && !self.values.contains_key(&found.number)
        });
        match unused {
            Some(found) => Err(Error::Attributes {
                inode: found.number,
                reason: "it holds the value of an attribute, but no attribute refers to it",
            }),
            None => Ok(()),
        }
    }
}

impl Inodes<'_> {
    pub(super) fn check_attributes(&mut self, inode: &Inode) -> Result<()> {
        let values = xattr::verify_inside(inode)?;
        self.shared.add_values(values);
        if inode.has_flag(ENCRYPT) && !Attributes::load(self.source, inode)?.has_encryption_policy()
        {
            let reason = "no attribute says how it is encrypted";
            return wrong(inode, "i_flags", inode.i_flags(), reason);
        }
        let (number, block) = (inode.number(), inode.i_file_acl());
        if block == 0 {
            return Ok(());
        }
        if !self.source.fs().superblock.features().has(flag::EXT_ATTR) {
            let reason = "only filesystems with ext_attr have such blocks";
            return wrong(inode, "i_file_acl", block, reason);
        }
        if let Some(known) = self.shared.blocks.get_mut(&block) {
            known.users += 1;
            return Ok(());
        }
        let (references, values) = xattr::verify_block(self.source, number, block)?;
        self.claims.claim_listed(number, block)?;
        self.shared.blocks.insert(block, SharedBlock { references, users: 1, inode: number });
        self.shared.add_values(values);
        Ok(())
    }
}
