//! Growing or shrinking a partition of an MBR.

use block_io::WriteAt;

use super::{
    Mbr,
    entry::{LAST_CHS, SECTORS, chs, offset},
};
use crate::{Error, Partition, PartitionRole, Result, SECTOR_SIZE, fields::put};

/// Makes `partition` end before sector `end`. The extended partition grows or shrinks with a
/// logical one if it is given as `container`.
pub(crate) fn set_partition_end(
    mbr: &Mbr,
    storage: &dyn WriteAt,
    partition: &Partition,
    container: Option<&Partition>,
    end: u64,
) -> Result<()> {
    let primary = |p: &Partition| {
        let slot = usize::try_from(p.number.saturating_sub(1)).unwrap_or(usize::MAX);
        set_end(storage, 0, slot, p, end)
    };
    if partition.role != PartitionRole::Logical {
        return primary(partition);
    }
    // Outermost first: whenever this is interrupted, each partition still lies within its
    // container.
    let is_own = |ebr: &super::Ebr| ebr.logical.is_some_and(|(n, _)| n == partition.number);
    let place = mbr.chain.iter().position(is_own);
    let Some(place) = place else {
        return Err(Error::Changed);
    };
    if let Some(container) = container {
        primary(container)?;
        storage.flush()?;
    }
    let Some(ebr) = mbr.chain.get(place) else {
        return Err(Error::Changed);
    };
    let before = place.checked_sub(1).and_then(|before| mbr.chain.get(before));
    if let Some((before, slot)) = before.and_then(|before| Some((before, before.link?))) {
        // The link spans the record it leads to and that record's partition.
        let span = Partition { start: ebr.sector, ..partition.clone() };
        set_end(storage, before.sector, slot, &span, end)?;
        storage.flush()?;
    }
    if let Some((_, slot)) = ebr.logical {
        set_end(storage, ebr.sector, slot, partition, end)?;
    }
    Ok(())
}

/// Sets the length and the last address in one entry of one table sector.
fn set_end(
    storage: &dyn WriteAt,
    table: u64,
    slot: usize,
    partition: &Partition,
    end: u64,
) -> Result<()> {
    let beyond = Error::BeyondMbr { number: partition.number };
    let Some(sectors) = end.checked_sub(partition.start).and_then(|n| u32::try_from(n).ok()) else {
        return Err(beyond);
    };
    // A sector is written as a whole or not at all.
    let (place, at) = (table * SECTOR_SIZE, offset(slot));
    let mut sector = [0; SECTOR_SIZE as usize];
    storage.read_at(place, &mut sector)?;
    put(&mut sector, at + SECTORS, &sectors.to_le_bytes());
    put(&mut sector, at + LAST_CHS, &chs(end.saturating_sub(1)));
    Ok(storage.write_at(place, &sector)?)
}
