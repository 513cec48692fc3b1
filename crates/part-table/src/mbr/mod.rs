//! The MBR: four entries in sector 0, and a chain of logical partitions.

mod entry;
mod extended;
mod grow;

use block_io::ReadAt;

pub(crate) use entry::{LAST_CHS, MbrEntry, SECTORS, chs, offset};
pub(crate) use extended::Ebr;
pub(crate) use grow::set_partition_end;

use crate::{
    Error, Partition, PartitionRole, PartitionType, Result, checks,
    fields::{Sector, u32_at},
};

/// The last two bytes of a sector that holds an MBR or a table of logical partitions.
pub(crate) const SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// The type of the entry that protects a GPT from old programs.
pub(crate) const PROTECTIVE: u8 = 0xee;
/// The sector behind the last one that an MBR, which counts in 32 bits, can express.
pub(crate) const MAX_END: u64 = 1 << 32;

/// The offset of the disk's identifier in sector 0.
const DISK_ID: usize = 440;

/// What growing needs besides the partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mbr {
    pub disk_id: u32,
    /// The chain of tables of logical partitions, in its own order.
    pub chain: Vec<Ebr>,
}

/// Returns whether sector 0 announces a GPT. Linux requires an entry of the protective type
/// that begins at sector 1 (`block/partitions/efi.c`).
pub(crate) fn is_protective(sector: &Sector) -> bool {
    protective_slot(sector).is_some()
}

/// Returns the place of the protective entry, counted from 0.
pub(crate) fn protective_slot(sector: &Sector) -> Option<usize> {
    (0..4).find(|&slot| {
        let entry = MbrEntry::parse(sector, slot);
        entry.kind == PROTECTIVE && entry.start == 1
    })
}

pub(crate) fn read(storage: &dyn ReadAt, sector: &Sector) -> Result<(Mbr, Vec<Partition>)> {
    let entries: Vec<_> = (0..4).map(|slot| MbrEntry::parse(sector, slot)).collect();
    if entries.iter().any(|entry| !matches!(entry.boot, 0 | 0x80)) {
        // The boot sector of a FAT filesystem has the signature too.
        return Err(Error::NoTable { reason: "sector 0 is a boot sector without a table" });
    }
    if entries.iter().all(|entry| entry.sectors == 0) {
        return Err(Error::NoTable { reason: "sector 0 lists no partitions" });
    }
    let mut partitions = Vec::new();
    let mut container: Option<Partition> = None;
    for (number, entry) in (1..).zip(&entries).filter(|(_, entry)| entry.sectors != 0) {
        let role =
            if entry.is_extended() { PartitionRole::Extended } else { PartitionRole::Primary };
        let partition = entry.partition(number, 0, role);
        if role == PartitionRole::Extended {
            if let Some(first) = &container {
                return Err(Error::SecondExtended { first: first.number, second: number });
            }
            container = Some(partition.clone());
        }
        partitions.push(partition);
    }
    if let Some(first) = partitions.iter().find(|p| p.start == 0) {
        return Err(Error::CoversTable { number: first.number, sector: 0 });
    }
    checks::check_end(&partitions, storage.size())?;
    let chain = match &container {
        Some(container) => extended::read(storage, container, &mut partitions)?,
        None => Vec::new(),
    };
    checks::check_overlaps(&partitions)?;
    let tables: Vec<_> = chain.iter().map(|ebr| ebr.sector..ebr.sector + 1).collect();
    checks::check_table(&partitions, &tables)?;
    Ok((Mbr { disk_id: u32_at(sector, DISK_ID), chain }, partitions))
}

impl MbrEntry {
    /// Returns the partition that the entry describes, with its start relative to `base`.
    fn partition(&self, number: u32, base: u64, role: PartitionRole) -> Partition {
        Partition {
            number,
            start: base + u64::from(self.start),
            sectors: self.sectors.into(),
            kind: PartitionType::Mbr(self.kind),
            role,
            name: None,
            guid: None,
            bootable: self.boot == 0x80,
        }
    }
}
