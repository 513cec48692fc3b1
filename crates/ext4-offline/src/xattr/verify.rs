//! Checking attributes completely.

use super::{Attribute, INSIDE_HEADER, MAGIC, Value, block, damaged, entries};
use crate::{Result, inode::Inode, source::Source};

/// A value in an inode of its own, to which an attribute refers.
#[derive(Debug, Clone)]
pub(crate) struct LargeValue {
    /// The inode with the value.
    pub number: u32,
    pub size: u32,
    /// The inode with the attribute.
    pub owner: u32,
    pub attribute: Attribute,
}

/// Checks the attributes in an inode, and returns the values that are in other inodes.
pub(crate) fn verify_inside(inode: &Inode) -> Result<Vec<LargeValue>> {
    match inode.extra().split_first_chunk::<INSIDE_HEADER>() {
        Some((magic, area)) if u32::from_le_bytes(*magic) == MAGIC => {
            let found = entries::parse(inode.number(), area, 0)?;
            entries::check_room(inode.number(), area, 0)?;
            // A hash of 0 means that there is none.
            verify(inode.number(), &found, &entries::hashes(area), |stored| stored == 0)
        }
        _ => Ok(Vec::new()),
    }
}

/// Checks a block of attributes. Returns the number of its users according to itself, and the
/// values that are in other inodes.
pub(crate) fn verify_block(
    source: &dyn Source,
    inode: u32,
    block: u64,
) -> Result<(u32, Vec<LargeValue>)> {
    let loaded = block::AttributeBlock::load(source, inode, block)?;
    let bytes = source.block(block)?;
    let area = bytes.get(block::HEADER..).unwrap_or_default();
    entries::check_room(inode, area, block::HEADER)?;
    if loaded.attributes.iter().any(|attribute| attribute.index == 0) {
        return damaged(inode, "a name has no prefix");
    }
    let values = verify(inode, &loaded.attributes, &entries::hashes(area), |_| false)?;
    Ok((loaded.references, values))
}

fn verify(
    inode: u32,
    attributes: &[Attribute],
    hashes: &[u32],
    is_void: impl Fn(u32) -> bool,
) -> Result<Vec<LargeValue>> {
    let mut values = Vec::new();
    for (attribute, &stored) in attributes.iter().zip(hashes) {
        match attribute.value {
            Value::Inode { number, size, .. } => {
                let attribute = attribute.clone();
                values.push(LargeValue { number, size, owner: inode, attribute });
            }
            Value::Bytes(_) if is_void(stored) || attribute.has_hash(stored) => {}
            Value::Bytes(_) => return damaged(inode, "the hash of an attribute does not match"),
        }
    }
    Ok(values)
}
