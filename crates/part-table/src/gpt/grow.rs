//! Growing or shrinking a partition of a GPT, and moving the second copy to the end of the card.

use block_io::WriteAt;

use super::{Gpt, GptCopy, PRIMARY};
use crate::{
    Partition, Result, SECTOR_SIZE,
    fields::{put, u32_at},
    mbr::{LAST_CHS, MbrEntry, SECTORS, chs, offset},
};

/// Returns the last sector that partitions may use on a disk of `total` sectors. The second
/// copy of the table fills the rest.
pub(crate) fn last_usable(gpt: &Gpt, total: u64) -> u64 {
    let entries = gpt.primary.entries_sectors();
    total.saturating_sub(entries.end.saturating_sub(entries.start)).saturating_sub(2)
}

/// Makes `partition` end before sector `end`, and the table span a card of `card` bytes.
///
/// Linux reads the second copy only if the first one is intact, so the first one has to be
/// intact at any moment, although a header and its entries lie in several sectors. So the
/// header alone decides, which is a single sector: first the new second copy is written, then
/// the primary header points to that copy's entries until its own are written. At last the
/// old second copy is cleared, because it lies inside the partition now or is of no use.
pub(crate) fn set_partition_end(
    gpt: &Gpt,
    storage: &dyn WriteAt,
    partition: &Partition,
    end: u64,
    card: u64,
) -> Result<()> {
    let total = card / SECTOR_SIZE;
    let last_usable = last_usable(gpt, total);
    let backup = total.saturating_sub(1);
    let mut old = gpt.primary.clone();
    let home = old.home();
    if home != old.entries_sectors().start {
        // An earlier growth was cut off while the header pointed to the second copy's
        // entries, which will change.
        old.point_to(home);
        write(storage, &old, PRIMARY)?;
    }
    let mut primary = old.clone();
    primary.set_end(partition.number, end);
    primary.relocate(last_usable, backup);
    write(storage, &primary.twin(backup, last_usable + 1), backup)?;
    if primary.entries != old.entries {
        let mut elsewhere = primary.clone();
        elsewhere.point_to(last_usable + 1);
        storage.write_at(PRIMARY * SECTOR_SIZE, &elsewhere.header)?;
        storage.flush()?;
    }
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

/// Writes a copy whose header lies at `sector`: the entries before the header that points to
/// them.
fn write(storage: &dyn WriteAt, copy: &GptCopy, sector: u64) -> Result<()> {
    storage.write_at(copy.entries_sectors().start * SECTOR_SIZE, &copy.entries)?;
    storage.flush()?;
    storage.write_at(sector * SECTOR_SIZE, &copy.header)?;
    storage.flush()?;
    Ok(())
}

/// Makes the protective entry span the whole disk, as far as it can express that.
fn protect(gpt: &Gpt, storage: &dyn WriteAt, total: u64) -> Result<()> {
    let mut sector = [0; SECTOR_SIZE as usize];
    storage.read_at(0, &mut sector)?;
    let at = offset(gpt.protective);
    let sectors = u32::try_from(total.saturating_sub(1)).unwrap_or(u32::MAX);
    if MbrEntry::parse(&sector, gpt.protective).sectors == sectors {
        return Ok(());
    }
    put(&mut sector, at + SECTORS, &sectors.to_le_bytes());
    // Addresses beyond the range are written as FE FF FF or FF FF FF; both stay.
    if u32_at(&sector, at + LAST_CHS) & 0x00ff_fffe != 0x00ff_fffe {
        let mut last = chs(total.saturating_sub(1));
        if last == [0xfe, 0xff, 0xff] {
            last = [0xff; 3];
        }
        put(&mut sector, at + LAST_CHS, &last);
    }
    Ok(storage.write_at(0, &sector)?)
}
