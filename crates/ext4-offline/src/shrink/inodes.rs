//! Inodes that move or whose blocks move, and everything that refers to them.

use super::places::Places;
use crate::{
    Result,
    census::{Census, Owner},
    features::flag,
    files::renumber_directory,
    inode::Inode,
    map::Mapping,
    orphans,
    source::{Source, Stored},
    volume::Volume,
    xattr,
};

/// Stages all inodes that change, with the blocks of their mappings, names and attributes.
pub(super) fn rewrite(
    volume: &mut Volume,
    old: &Stored<'_>,
    census: &Census,
    places: &Places,
) -> Result<()> {
    let values_move = census
        .owners
        .iter()
        .any(|owner| owner.holds_value && places.inodes.contains_key(&owner.number));
    let rewriter = Rewriter { old, census, places, values_move };
    rewriter.attribute_blocks(volume)?;
    for (index, owner) in census.owners.iter().enumerate() {
        if rewriter.changes(index, owner) {
            rewriter.rewrite(volume, index, owner)?;
        }
    }
    Ok(())
}

struct Rewriter<'a> {
    old: &'a Stored<'a>,
    census: &'a Census,
    places: &'a Places,
    /// Inodes that hold values of attributes get other numbers.
    values_move: bool,
}

impl Rewriter<'_> {
    /// The new number of an inode.
    fn number(&self, before: u32) -> u32 {
        self.places.inodes.get(&before).copied().unwrap_or(before)
    }

    fn changes(&self, index: usize, owner: &Owner) -> bool {
        let names = owner.is_dir && !self.places.inodes.is_empty();
        self.places.inodes.contains_key(&owner.number)
            || self.places.mappings.contains_key(&index)
            || self.places.attributes.contains_key(&owner.attributes)
            || names
            || self.values_move
    }

    /// Stages blocks of attributes at their places. Several inodes may share one.
    fn attribute_blocks(&self, volume: &mut Volume) -> Result<()> {
        let seed = self.old.fs.checksums.seed();
        let blocks = self.census.owners.iter().map(|owner| owner.attributes);
        let mut blocks: Vec<u64> = blocks
            .filter(|block| *block != 0)
            .filter(|block| self.values_move || self.places.attributes.contains_key(block))
            .collect();
        blocks.sort_unstable();
        blocks.dedup();
        for before in blocks {
            let place = self.places.attributes.get(&before).copied().unwrap_or(before);
            let bytes = self.old.block(before)?;
            let bytes = xattr::moved_block(bytes, place, seed, |number| self.number(number));
            volume.stage(place, bytes);
        }
        Ok(())
    }

    fn rewrite(&self, volume: &mut Volume, index: usize, owner: &Owner) -> Result<()> {
        let before = self.old.inode(owner.number)?;
        let mut inode = Inode::new(self.number(owner.number), before.as_bytes().to_vec());
        if let Some(&place) = self.places.attributes.get(&owner.attributes) {
            inode.set_i_file_acl(place);
        }
        if self.values_move {
            xattr::renumber_inside(&mut inode, |number| self.number(number));
        }
        let moved = self.places.mappings.get(&index);
        let renumbered = inode.number() != owner.number;
        let mut mapping = moved.unwrap_or(&owner.mapping).clone();
        // The checksums of nodes depend on the inode's number.
        if moved.is_some() || renumbered && !mapping.nodes.is_empty() {
            mapping.store(volume, &mut inode)?;
        }
        if owner.is_dir && !self.places.inodes.is_empty() {
            let number = |number| self.number(number);
            for (at, bytes) in renumber_directory(self.old, &before, &mut inode, number)? {
                if let Some(run) = mapping.find(at.into()) {
                    volume.stage(run.physical, bytes);
                }
            }
        }
        let superblock = &self.old.fs.superblock;
        if superblock.features().has(flag::ORPHAN_FILE)
            && superblock.s_orphan_file_inum() == owner.number
        {
            self.orphan_file(volume, &inode, &owner.mapping, &mapping)?;
        }
        // Inode 0 stands for a journal elsewhere.
        let is_journal =
            superblock.features().has_journal() && superblock.s_journal_inum() == owner.number;
        if is_journal && superblock.s_jnl_backup_type() == 1 {
            volume.superblock_mut().set_s_jnl_blocks(inode.i_block(), inode.i_size());
        }
        volume.put_inode(&mut inode)
    }

    /// The checksums of its blocks depend on their places.
    fn orphan_file(
        &self,
        volume: &mut Volume,
        inode: &Inode,
        before: &Mapping,
        after: &Mapping,
    ) -> Result<()> {
        let seed = inode.checksum_seed(self.old.fs.checksums.seed());
        for run in &before.runs {
            for (logical, block) in (run.logical..).zip(run.blocks()) {
                let Some(place) = after.find(logical) else { continue };
                let mut bytes = self.old.block(block)?;
                orphans::reseal(&mut bytes, place.physical, seed);
                volume.stage(place.physical, bytes);
            }
        }
        Ok(())
    }
}
