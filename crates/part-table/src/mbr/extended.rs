//! The chain of logical partitions inside an extended one.
//!
//! Each link is a sector like sector 0, an *extended boot record*. One of its first two
//! entries describes a logical partition, relative to that sector; the other one leads to the
//! next record, relative to the extended partition.

use std::collections::HashSet;

use block_io::ReadAt;

use super::{MbrEntry, SIGNATURE};
use crate::{Error, Partition, PartitionRole, Result, SECTOR_SIZE, fields::Sector};

/// The longest chain that is read: Linux stops at 256 partitions.
const MAX_RECORDS: usize = 256;

/// An extended boot record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ebr {
    /// The sector that holds it.
    pub sector: u64,
    /// The number of its logical partition, and the entry that describes it.
    pub logical: Option<(u32, usize)>,
    /// The entry that leads to the next record.
    pub link: Option<usize>,
}

/// Follows the chain, and adds the logical partitions to `partitions`.
pub(crate) fn read(
    storage: &dyn ReadAt,
    container: &Partition,
    partitions: &mut Vec<Partition>,
) -> Result<Vec<Ebr>> {
    let mut chain = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some(container.start);
    let mut number = 5;
    while let Some(sector) = next.take() {
        let damaged = |reason| Error::Extended { sector, reason };
        if !seen.insert(sector) {
            return Err(damaged("the chain leads back to it"));
        }
        if chain.len() >= MAX_RECORDS {
            return Err(damaged("the chain is longer than 256 tables"));
        }
        if !(container.start..container.end()).contains(&sector) {
            return Err(damaged("it lies outside the extended partition"));
        }
        let mut bytes: Sector = [0; SECTOR_SIZE as usize];
        storage.read_at(sector.saturating_mul(SECTOR_SIZE), &mut bytes)?;
        if chain.is_empty() && bytes == [0; SECTOR_SIZE as usize] {
            // An extended partition that never held a logical one needs no record.
            break;
        }
        if !bytes.ends_with(&SIGNATURE) {
            return Err(damaged("it has no boot signature (55 AA)"));
        }
        let mut ebr = Ebr { sector, logical: None, link: None };
        for slot in 0..4 {
            let entry = MbrEntry::parse(&bytes, slot);
            if entry.sectors == 0 {
                continue;
            }
            if slot >= 2 {
                return Err(damaged("it uses its third or fourth entry"));
            }
            if entry.is_extended() {
                if ebr.link.replace(slot).is_some() {
                    return Err(damaged("it leads to two other tables"));
                }
                next = Some(container.start + u64::from(entry.start));
                continue;
            }
            if ebr.logical.replace((number, slot)).is_some() {
                return Err(damaged("it lists two partitions"));
            }
            let logical = entry.partition(number, sector, PartitionRole::Logical);
            if logical.end() > container.end() {
                return Err(damaged("its partition reaches beyond the extended partition"));
            }
            partitions.push(logical);
        }
        if ebr.logical.is_some() {
            number += 1;
        }
        chain.push(ebr);
    }
    Ok(chain)
}
