//! Carrying out a plan.

use block_io::WriteAt;

use super::{Grown, plan::Plan};
use crate::{Result, bitmap, superblock};

/// The smallest unit that storages write.
const SECTOR: usize = 512;

/// A storage, and the number of bytes that were written to it.
struct Writer<'a> {
    storage: &'a dyn WriteAt,
    written: u64,
}

impl Writer<'_> {
    /// Writes the sectors that differ from the storage. Most blocks that growing writes change
    /// little: a few pointers in each reserved descriptor block, or a few bits of a bitmap.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let before = self.storage.read_vec(offset, bytes.len())?;
        let differs: Vec<bool> = before
            .chunks(SECTOR)
            .zip(bytes.chunks(SECTOR))
            .map(|(before, after)| before != after)
            .collect();
        let mut at = 0;
        for run in differs.chunk_by(|a, b| a == b) {
            let end = (at + run.len() * SECTOR).min(bytes.len());
            if let ([true, ..], Some(part)) = (run, bytes.get(at..end)) {
                self.storage.write_at(offset + at as u64, part)?;
                self.written += part.len() as u64;
            }
            at = end;
        }
        Ok(())
    }

    /// Zeroes the parts that the storage does not report as zero.
    fn zero(&mut self, start: u64, end: u64) -> Result<()> {
        let mut at = start;
        while at < end
            && let Some(data) = self.storage.next_data(at)?
            && data.start < end
            && data.end > at
        {
            let from = data.start.max(at);
            let to = data.end.min(end);
            self.storage.write_zeros(from, to - from)?;
            self.written += to - from;
            at = to;
        }
        Ok(())
    }
}

impl Plan {
    /// Writes everything: first blocks that the old filesystem does not use, then those that it
    /// uses, and the primary superblock last.
    pub fn apply(&self, storage: &dyn WriteAt) -> Result<Grown> {
        let mut writer = Writer { storage, written: 0 };
        if !self.is_empty() {
            self.write_tables(&mut writer)?;
            let geometry = &self.new.geometry;
            for (&block, bytes) in &self.blocks {
                writer.write(geometry.offset(block), bytes)?;
            }
            self.write_backups(&mut writer)?;
            self.write_primaries(&mut writer)?;
        }
        let (old, new) = (&self.old, &self.new.geometry);
        Ok(Grown {
            block_size: new.block_size,
            old_blocks: old.blocks,
            blocks: new.blocks,
            old_groups: old.groups,
            groups: new.groups,
            meta_bg: old.first_meta_bg != new.first_meta_bg,
            bytes_written: writer.written,
        })
    }

    fn write_tables(&self, writer: &mut Writer<'_>) -> Result<()> {
        let geometry = &self.new.geometry;
        for range in &self.zeroed {
            writer.zero(range.start, range.end)?;
        }
        for &group in &self.block_bitmaps {
            let descriptor = self.new.descriptors.get(group);
            let bitmap = bitmap::metadata_only(geometry, group, &descriptor);
            writer.write(geometry.offset(descriptor.bg_block_bitmap()), bitmap.as_bytes())?;
        }
        let bitmap = bitmap::no_inodes(geometry);
        for &group in &self.inode_bitmaps {
            let descriptor = self.new.descriptors.get(group);
            writer.write(geometry.offset(descriptor.bg_inode_bitmap()), bitmap.as_bytes())?;
        }
        Ok(())
    }

    /// Writes every backup of the superblock with the descriptors after it, and the copies of
    /// descriptors in meta groups.
    fn write_backups(&self, writer: &mut Writer<'_>) -> Result<()> {
        let geometry = &self.new.geometry;
        let leading = self.leading_descriptors();
        for group in geometry.backup_groups() {
            let mut bytes = self.new.superblock.backup(group).as_bytes().to_vec();
            bytes.resize(geometry.block_size as usize, 0);
            if !geometry.in_meta_group(group) {
                bytes.extend(&leading);
            }
            writer.write(geometry.offset(geometry.superblock_block(group)), &bytes)?;
        }
        for index in geometry.leading_descriptor_blocks()..geometry.descriptor_blocks() {
            let bytes = self.new.descriptors.block(index, geometry);
            for block in geometry.descriptor_block_locations(index).into_iter().skip(1) {
                writer.write(geometry.offset(block), &bytes)?;
            }
        }
        Ok(())
    }

    fn write_primaries(&self, writer: &mut Writer<'_>) -> Result<()> {
        let geometry = &self.new.geometry;
        for index in geometry.leading_descriptor_blocks()..geometry.descriptor_blocks() {
            let bytes = self.new.descriptors.block(index, geometry);
            writer.write(geometry.offset(geometry.descriptor_block(index)), &bytes)?;
        }
        let leading = self.leading_descriptors();
        if !leading.is_empty() {
            writer.write(geometry.offset(geometry.superblock_block(0) + 1), &leading)?;
        }
        writer.write(superblock::OFFSET, self.new.superblock.as_bytes())
    }

    /// The descriptor blocks that follow each superblock.
    fn leading_descriptors(&self) -> Vec<u8> {
        let geometry = &self.new.geometry;
        (0..geometry.leading_descriptor_blocks())
            .flat_map(|index| self.new.descriptors.block(index, geometry))
            .collect()
    }
}
