//! Growing a partition of a GPT, and moving the second copy to the new end.

use block_io::WriteAt;

use super::{Copy, Gpt, PRIMARY};
use crate::{
    Partition, Result, SECTOR_SIZE,
    fields::u32_at,
    mbr::{Entry, LAST_CHS, SECTORS, chs, offset},
};

/// The last sector that partitions may use on a disk of `total` sectors: the
/// second copy of the table fills the rest.
pub(crate) fn last_usable(gpt: &Gpt, total: u64) -> u64 {
    let entries = gpt.primary.entries_sectors();
    total.saturating_sub(entries.end.saturating_sub(entries.start)).saturating_sub(2)
}

/// Lets `partition` end before sector `end`, and the table span the storage.
///
/// In this order, so that one whole copy exists at any moment: the new second
/// copy, the primary one, the protective MBR, and last the old second copy is
/// cleared, for it now lies inside the partition or is of no use.
pub(crate) fn grow(
    gpt: &Gpt,
    storage: &dyn WriteAt,
    partition: &Partition,
    end: u64,
) -> Result<()> {
    let total = storage.size() / SECTOR_SIZE;
    let last_usable = last_usable(gpt, total);
    let backup = total.saturating_sub(1);
    let mut primary = gpt.primary.clone();
    primary.set_end(partition.number, end);
    primary.relocate(last_usable, backup);
    let twin = primary.twin(backup, last_usable + 1);
    write(storage, &twin, backup)?;
    storage.flush()?;
    write(storage, &primary, PRIMARY)?;
    protect(gpt, storage, total)?;
    let new = last_usable + 1;
    for old in &gpt.backup_sectors {
        let old_end = old.end.min(new);
        if old.start < old_end {
            storage.write_zeros(old.start * SECTOR_SIZE, (old_end - old.start) * SECTOR_SIZE)?;
        }
    }
    Ok(())
}

fn write(storage: &dyn WriteAt, copy: &Copy, sector: u64) -> Result<()> {
    storage.write_at(copy.entries_sectors().start * SECTOR_SIZE, &copy.entries)?;
    storage.write_at(sector * SECTOR_SIZE, &copy.header)?;
    Ok(())
}

/// Lets the protective entry span the whole disk, as far as it can say so.
fn protect(gpt: &Gpt, storage: &dyn WriteAt, total: u64) -> Result<()> {
    let mut sector = [0; SECTOR_SIZE as usize];
    storage.read_at(0, &mut sector)?;
    let at = offset(gpt.protective);
    let sectors = u32::try_from(total.saturating_sub(1)).unwrap_or(u32::MAX);
    if Entry::parse(&sector, gpt.protective).sectors == sectors {
        return Ok(());
    }
    storage.write_at((at + SECTORS) as u64, &sectors.to_le_bytes())?;
    // "Too far for this" is written as FE FF FF or FF FF FF: both stay.
    if u32_at(&sector, at + LAST_CHS) & 0x00ff_fffe != 0x00ff_fffe {
        let mut last = chs(total.saturating_sub(1));
        if last == [0xfe, 0xff, 0xff] {
            last = [0xff; 3];
        }
        storage.write_at((at + LAST_CHS) as u64, &last)?;
    }
    Ok(())
}
