//! Checks for both kinds of table.

use std::ops::Range;

use crate::{Error, Partition, PartitionRole, Result, SECTOR_SIZE};

/// Makes sure that no partitions overlap. The extended partition may contain logical ones.
pub(crate) fn check_overlaps(partitions: &[Partition]) -> Result<()> {
    for logical in [false, true] {
        let mut sorted: Vec<_> =
            partitions.iter().filter(|p| (p.role == PartitionRole::Logical) == logical).collect();
        sorted.sort_by_key(|p| (p.start, p.number));
        for pair in sorted.windows(2) {
            if let [first, second] = pair
                && second.start < first.end()
            {
                return Err(Error::Overlap {
                    first: first.number,
                    second: second.number,
                    sector: second.start,
                });
            }
        }
    }
    Ok(())
}

/// Makes sure that no partition covers one of the table's own sectors.
pub(crate) fn check_table(partitions: &[Partition], table: &[Range<u64>]) -> Result<()> {
    for partition in partitions.iter().filter(|p| p.role != PartitionRole::Extended) {
        for range in table {
            let shared = partition.start.max(range.start);
            if shared < partition.end().min(range.end) {
                return Err(Error::CoversTable { number: partition.number, sector: shared });
            }
        }
    }
    Ok(())
}

/// Makes sure that no partition reaches beyond `size` bytes.
pub(crate) fn check_end(partitions: &[Partition], size: u64) -> Result<()> {
    match partitions.iter().find(|p| p.end() > size / SECTOR_SIZE) {
        Some(p) => Err(Error::BeyondEnd { number: p.number, end: p.bytes().end, size }),
        None => Ok(()),
    }
}
