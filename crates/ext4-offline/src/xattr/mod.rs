//! The format of extended attributes.
//!
//! They are after the fields of an inode, and in one block that several inodes may share. Source:
//! the kernel's `Documentation/filesystems/ext4/attributes.rst`.

mod block;
mod entries;
mod renumber;
mod verify;

use crate::{Error, Result, features::flag, inode::Inode, source::Source};
pub(crate) use block::{AttributeBlock, HEADER as BLOCK_HEADER};
pub(crate) use entries::size as entries_size;
pub(crate) use renumber::{edit_inline_value, moved_block, renumber_inside};
pub(crate) use verify::{LargeValue, verify_block, verify_inside};

/// The size of the header of the attributes in an inode, in bytes.
pub(crate) const INSIDE_HEADER: usize = 4;
const MAGIC: u32 = 0xea02_0000;

/// The prefixes of names that are stored as numbers.
const PREFIXES: [(u8, &str); 7] = [
    (1, "user."),
    (2, "system.posix_acl_access"),
    (3, "system.posix_acl_default"),
    (4, "trusted."),
    (6, "security."),
    (8, "system.richacl"),
    (7, "system."),
];
/// The attribute that holds the part of inline contents that is not in `i_block`.
pub(crate) const INLINE: (u8, &[u8]) = (7, b"data");

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// The number of its name's prefix.
    index: u8,
    /// The rest of its name.
    name: Vec<u8>,
    pub value: Value,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Bytes(Vec<u8>),
    /// In an inode of its own (`ea_inode`).
    Inode {
        number: u32,
        size: u32,
        /// The hash of the entry, which depends on the value.
        hash: u32,
    },
}

impl Attribute {
    pub fn new(name: &str, value: &[u8]) -> Option<Self> {
        let (index, name) = split(name)?;
        Some(Attribute { index, name: name.to_vec(), value: Value::Bytes(value.to_vec()) })
    }

    pub fn is(&self, (index, name): (u8, &[u8])) -> bool {
        self.index == index && self.name == name
    }

    /// Its name as users see it.
    pub fn full_name(&self) -> String {
        let prefix = PREFIXES.iter().find(|(index, _)| *index == self.index);
        let name = String::from_utf8_lossy(&self.name);
        match prefix {
            Some((_, prefix)) => format!("{prefix}{name}"),
            None => format!("{}.{name}", self.index),
        }
    }
}

/// The number of a name's prefix, and the rest of the name.
pub(crate) fn split(name: &str) -> Option<(u8, &[u8])> {
    let (index, rest) =
        PREFIXES.iter().find_map(|(index, prefix)| Some((*index, name.strip_prefix(prefix)?)))?;
    let (whole, key) = (matches!(index, 2 | 3 | 8), (index, rest.as_bytes()));
    // Linux does not use longer names, prefix included.
    let possible = whole == rest.is_empty() && name.len() <= 255 && !rest.contains('\0');
    // Users cannot change the attribute that holds contents.
    (possible && key != INLINE).then_some(key)
}

/// All attributes of an inode.
#[derive(Debug, Clone)]
pub(crate) struct Attributes {
    /// Those after the fields of the inode.
    pub inside: Vec<Attribute>,
    /// Those in a block, if there is one.
    pub block: Option<AttributeBlock>,
}

impl Attributes {
    /// Reads an inode's attributes.
    ///
    /// # Errors
    /// [`Error::Attributes`] if they are damaged.
    pub fn load(source: &dyn Source, inode: &Inode) -> Result<Self> {
        let inside = match inode.extra().split_first_chunk::<INSIDE_HEADER>() {
            Some((magic, area)) if u32::from_le_bytes(*magic) == MAGIC => {
                entries::parse(inode.number(), area, 0)?
            }
            _ => Vec::new(),
        };
        let block = match inode.i_file_acl() {
            0 => None,
            block => Some(AttributeBlock::load(source, inode.number(), block)?),
        };
        Ok(Attributes { inside, block })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.inside.iter().chain(self.block.iter().flat_map(|block| &block.attributes))
    }

    /// The part of inline contents that is not in `i_block`; it may be empty.
    pub fn inline_data(&self) -> &[u8] {
        self.inline_value().unwrap_or_default()
    }

    /// The value of the attribute for inline contents.
    pub fn inline_value(&self) -> Option<&[u8]> {
        match self.inside.iter().find(|attribute| attribute.is(INLINE)) {
            Some(Attribute { value: Value::Bytes(bytes), .. }) => Some(bytes),
            _ => None,
        }
    }

    /// Returns whether there is an encryption policy. Those of the two known versions have a fixed
    /// length.
    pub fn has_encryption_policy(&self) -> bool {
        const POLICY: (u8, &[u8]) = (9, b"c");
        self.iter().filter(|attribute| attribute.is(POLICY)).any(|policy| match &policy.value {
            Value::Bytes(bytes) => {
                matches!(
                    (bytes.first(), bytes.len()),
                    (Some(1), 28) | (Some(2), 40) | (Some(3..), _)
                )
            }
            Value::Inode { .. } => false,
        })
    }

    /// Writes the attributes that are in the inode after its fields.
    pub fn store_inside(&self, inode: &mut Inode) {
        let room = inode.extra().len();
        if room <= INSIDE_HEADER {
            return;
        }
        let mut bytes = vec![0; room];
        // Without attributes, the area holds zeros only.
        if !self.inside.is_empty() {
            bytes = MAGIC.to_le_bytes().to_vec();
            bytes.extend(entries::build(&self.inside, room - INSIDE_HEADER, 0));
        }
        inode.set_extra(&bytes);
    }

    /// Removes the part of inline contents that is not in `i_block`.
    pub fn remove_inline_data(&mut self) {
        self.inside.retain(|attribute| !attribute.is(INLINE));
    }
}

/// Returns how many clusters an inode's attributes count in its `i_blocks`: their block,
/// and those of values in other inodes.
///
/// # Errors
/// [`Error::Attributes`] if they are damaged.
pub(crate) fn clusters(source: &dyn Source, inode: &Inode) -> Result<u64> {
    let (geometry, features) = (&source.fs().geometry, source.fs().superblock.features());
    let block = u64::from(inode.i_file_acl() != 0);
    if !features.has(flag::EA_INODE) {
        return Ok(block);
    }
    let cluster = u64::from(geometry.block_size) * u64::from(geometry.cluster_blocks);
    let attributes = Attributes::load(source, inode)?;
    let large = attributes.iter().map(|attribute| match attribute.value {
        Value::Bytes(_) => 0,
        Value::Inode { size, .. } => u64::from(size).div_ceil(cluster),
    });
    Ok(block + large.sum::<u64>())
}

pub(crate) fn damaged<T>(inode: u32, reason: &'static str) -> Result<T> {
    Err(Error::Attributes { inode, reason })
}
