//! Changing attributes.

use super::large;
use crate::{
    Error, Result,
    features::flag,
    inode::{INLINE_DATA, Inode},
    map,
    source::Source,
    volume::Volume,
    xattr::{self, Attribute, AttributeBlock, Attributes, BLOCK_HEADER, INSIDE_HEADER, Value},
};

impl Attributes {
    /// Gives an attribute a value, creating it if it does not exist.
    ///
    /// # Errors
    /// [`Error::Limit`] if there is no room for it, or no attribute can have this name.
    pub fn set(
        &mut self,
        volume: &mut Volume,
        inode: &mut Inode,
        name: &str,
        value: &[u8],
    ) -> Result<()> {
        let impossible = Error::Limit { inode: inode.number(), what: "an attribute of this name" };
        let attribute = Attribute::new(name, value).ok_or(impossible)?;
        self.take(volume, name)?;
        inode.add_extra_fields();
        let mut inside = self.inside.clone();
        inside.push(attribute.clone());
        let room = inode.extra().len().saturating_sub(INSIDE_HEADER);
        if xattr::entries_size(&inside) <= room {
            self.inside = inside;
            return self.store(volume, inode);
        }
        let mut outside =
            self.block.as_ref().map(|block| block.attributes.clone()).unwrap_or_default();
        outside.push(attribute);
        let fs = volume.fs();
        let room = fs.geometry.block_size as usize - BLOCK_HEADER;
        // e2fsck ignores the attribute block of a symlink whose target is in the inode, and would
        // report the block as free.
        let unseen = inode.is_symlink() && inode.has_flag(INLINE_DATA);
        let allowed = fs.superblock.features().has(flag::EXT_ATTR) && !unseen;
        if !allowed || xattr::entries_size(&outside) > room {
            let what = "this much in extended attributes";
            return Err(Error::Limit { inode: inode.number(), what });
        }
        match &mut self.block {
            Some(block) => block.attributes = outside,
            // Block 0: not allocated yet.
            none => *none = Some(AttributeBlock { block: 0, references: 1, attributes: outside }),
        }
        self.store(volume, inode)
    }

    /// Removes an attribute. Returns whether there was one.
    ///
    /// # Errors
    /// Damage that is found on the way.
    pub fn remove(&mut self, volume: &mut Volume, inode: &mut Inode, name: &str) -> Result<bool> {
        let found = self.take(volume, name)?;
        if found {
            self.store(volume, inode)?;
        }
        Ok(found)
    }

    /// Removes an attribute from the lists.
    fn take(&mut self, volume: &mut Volume, name: &str) -> Result<bool> {
        let Some(key) = xattr::split(name) else { return Ok(false) };
        if let Some(at) = self.inside.iter().position(|attribute| attribute.is(key)) {
            release_value(volume, &self.inside.remove(at))?;
            return Ok(true);
        }
        if let Some(block) = &mut self.block
            && let Some(at) = block.attributes.iter().position(|attribute| attribute.is(key))
        {
            let attribute = block.attributes.remove(at);
            // Other inodes that share the block still use the value.
            if block.references == 1 {
                release_value(volume, &attribute)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Writes the attributes into the inode and into the block, which is no longer shared then. The
    /// caller still has to write the inode into its table.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn store(&mut self, volume: &mut Volume, inode: &mut Inode) -> Result<()> {
        let before = inode.i_file_acl();
        let clusters = clusters_without(volume, inode)?;
        self.store_inside(inode);
        match &mut self.block {
            Some(block) if block.attributes.is_empty() => {
                drop_reference(volume, inode.number(), before)?;
                self.block = None;
                inode.set_i_file_acl(0);
            }
            Some(block) => {
                let was = AttributeBlock::load_if(volume, inode.number(), before)?;
                let unchanged = was.as_ref().is_some_and(|was| was.attributes == block.attributes);
                if !unchanged {
                    if block.references > 1 || block.block == 0 {
                        if before != 0 {
                            // The other inodes' block still refers to inodes that hold
                            // values, and now this inode's block does too.
                            for attribute in &block.attributes {
                                if let Value::Inode { number, .. } = attribute.value {
                                    large::change_users(volume, number, 1)?;
                                }
                            }
                            drop_reference(volume, inode.number(), before)?;
                        }
                        block.block = volume.allocate_near(inode.number(), 1)?.start;
                        block.references = 1;
                    }
                    let fs = volume.fs();
                    let bytes = block.build(fs.geometry.block_size, fs.checksums.seed());
                    volume.stage(block.block, bytes);
                    inode.set_i_file_acl(block.block);
                }
            }
            None => {}
        }
        map::set_i_blocks(volume, inode, clusters)
    }

    /// Frees everything that the attributes use, before their inode is freed.
    ///
    /// # Errors
    /// Damage that is found on the way.
    pub fn release(self, volume: &mut Volume, inode: &mut Inode) -> Result<()> {
        for attribute in &self.inside {
            release_value(volume, attribute)?;
        }
        if let Some(block) = &self.block {
            if block.references == 1 {
                for attribute in &block.attributes {
                    release_value(volume, attribute)?;
                }
            }
            drop_reference(volume, inode.number(), block.block)?;
            inode.set_i_file_acl(0);
        }
        Ok(())
    }
}

fn release_value(volume: &mut Volume, attribute: &Attribute) -> Result<()> {
    match attribute.value {
        Value::Inode { number, .. } => large::change_users(volume, number, -1),
        Value::Bytes(_) => Ok(()),
    }
}

/// The clusters that `i_blocks` counts, without those of the attributes.
fn clusters_without(volume: &Volume, inode: &Inode) -> Result<u64> {
    let geometry = &volume.fs().geometry;
    let unit = u64::from(geometry.cluster_blocks) * volume.fs().units_per_block(inode);
    Ok((inode.i_blocks() / unit).saturating_sub(xattr::clusters(volume, inode)?))
}

/// Drops one reference to the block, and frees it with the last one.
fn drop_reference(volume: &mut Volume, inode: u32, block: u64) -> Result<()> {
    let Some(mut shared) = AttributeBlock::load_if(volume, inode, block)? else { return Ok(()) };
    if shared.references == 1 {
        return volume.free(inode, block..block + 1);
    }
    shared.references -= 1;
    let fs = volume.fs();
    let bytes = shared.build(fs.geometry.block_size, fs.checksums.seed());
    volume.stage(block, bytes);
    Ok(())
}

/// Frees an inode with its attributes and blocks.
///
/// # Errors
/// Damage that is found on the way.
pub(crate) fn release_inode(volume: &mut Volume, mut inode: Inode) -> Result<()> {
    Attributes::load(volume, &inode)?.release(volume, &mut inode)?;
    if inode.has_blocks() {
        map::cut(volume, &mut inode, 0)?;
    }
    volume.free_inode(inode)
}
