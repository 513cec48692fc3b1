//! Growing the last partition to fill the card.

use block_io::WriteAt;

use crate::{
    Error, Partition, PartitionRole, PartitionTable, Result, SECTOR_SIZE, gpt, mbr, table::Scheme,
};

/// After growing, partitions end at a multiple of this many bytes: the unit to which
/// partitioning programs align, and not smaller than a card's own.
pub const ALIGNMENT: u64 = 1 << 20;

/// A reason why a grown partition does not fill the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrowthLimit {
    /// An MBR supports at most 2 TiB.
    Mbr,
}

/// The result of growing a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrownPartition {
    /// The table as it is now.
    pub table: PartitionTable,
    /// The partition before.
    pub before: Partition,
    /// The partition as it is now.
    pub after: Partition,
    /// The number of the extended partition, if it grew with a logical one.
    pub extended: Option<u32>,
    /// Why the partition does not fill the card, if it does not.
    pub limit: Option<GrowthLimit>,
}

impl PartitionTable {
    /// Grows partition `number` to end `reserve` bytes before the end of `storage`, rounded
    /// down to a multiple of [`ALIGNMENT`]. A partition that already reaches further, as in
    /// the image of a whole card, stays as it is.
    ///
    /// `storage` is the card, or a layer of its size, and begins with the image that this
    /// table was read from. In an MBR only the length and the last address in the
    /// partition's entry change; the extended partition grows with a logical one. In a GPT
    /// both copies change, the second one moves to the end of the storage, and the
    /// protective MBR spans it. In an MBR the partition ends at 2 TiB at the latest, which
    /// [`GrownPartition::limit`] reports.
    ///
    /// # Errors
    /// These are detected before the first write:
    /// [`Error::NoSuchPartition`], [`Error::IsExtended`], [`Error::NotLast`],
    /// [`Error::CardTooSmall`], [`Error::BeyondMbr`], [`Error::HybridMbr`],
    /// [`Error::Changed`], [`Error::Extended`]. Later, [`Error::Storage`] or
    /// [`Error::NotAsPlanned`] occur if the storage fails.
    pub fn grow_last(
        &self,
        storage: &dyn WriteAt,
        number: u32,
        reserve: u64,
    ) -> Result<GrownPartition> {
        let (before, extended) = self.last_partition(number)?;
        let before = before.clone();
        let (end, limit) = self.new_end(&before, storage.size(), reserve)?;
        self.check_unchanged(storage)?;
        match &self.scheme {
            Scheme::Mbr(_) if end == before.end() => {}
            Scheme::Mbr(mbr) => mbr::set_partition_end(mbr, storage, &before, extended, end)?,
            Scheme::Gpt(gpt) => {
                gpt::set_partition_end(gpt, storage, &before, end, storage.size())?;
            }
        }
        let after = Partition { sectors: end.saturating_sub(before.start), ..before.clone() };
        let not_as_planned = |_| Error::NotAsPlanned { number };
        let table = PartitionTable::read(storage).map_err(not_as_planned)?;
        if table.partition(number) != Some(&after) {
            return Err(Error::NotAsPlanned { number });
        }
        Ok(GrownPartition { table, before, after, extended: extended.map(|p| p.number), limit })
    }

    /// Returns a partition that nothing lies behind, and the extended partition that it is in.
    pub(crate) fn last_partition(&self, number: u32) -> Result<(&Partition, Option<&Partition>)> {
        let partition = self.partition(number).ok_or_else(|| Error::NoSuchPartition {
            number,
            present: self.partitions.iter().map(|p| p.number).collect(),
        })?;
        let extended = match partition.role {
            PartitionRole::Extended => return Err(Error::IsExtended { number }),
            PartitionRole::Logical => {
                self.partitions.iter().find(|p| p.role == PartitionRole::Extended)
            }
            PartitionRole::Primary => None,
        };
        self.check_last(partition, extended)?;
        Ok((partition, extended))
    }

    /// Makes sure that the table can be changed, and that `storage` still holds it.
    pub(crate) fn check_unchanged(&self, storage: &dyn WriteAt) -> Result<()> {
        if let Scheme::Gpt(gpt) = &self.scheme
            && !gpt.hybrid.is_empty()
        {
            return Err(Error::HybridMbr { entries: gpt.hybrid.clone() });
        }
        if !self.same_as(&PartitionTable::read(storage)?) {
            return Err(Error::Changed);
        }
        Ok(())
    }

    /// Returns whether growing depends on nothing that differs in `other`. The second copy of
    /// a GPT does not matter, because it is replaced.
    fn same_as(&self, other: &PartitionTable) -> bool {
        let same_scheme = match (&self.scheme, &other.scheme) {
            (Scheme::Mbr(mine), Scheme::Mbr(theirs)) => mine == theirs,
            (Scheme::Gpt(mine), Scheme::Gpt(theirs)) => mine.primary == theirs.primary,
            _ => false,
        };
        same_scheme && self.partitions == other.partitions
    }

    /// Makes sure that nothing lies behind the partition.
    fn check_last(&self, partition: &Partition, extended: Option<&Partition>) -> Result<()> {
        let container = extended.map(|p| p.number);
        let behind: Vec<_> = self
            .partitions
            .iter()
            .filter(|p| p.start > partition.start && Some(p.number) != container)
            .map(|p| p.number)
            .collect();
        if !behind.is_empty() {
            return Err(Error::NotLast { number: partition.number, behind });
        }
        if let Scheme::Mbr(mbr) = &self.scheme
            && let Some(ebr) = mbr.chain.iter().find(|ebr| ebr.sector >= partition.end())
        {
            let reason = "it is empty, but lies where the partition would grow";
            return Err(Error::Extended { sector: ebr.sector, reason });
        }
        Ok(())
    }

    /// Returns the sector before which a partition that fills the card ends.
    pub(crate) fn aligned_end(&self, card: u64, reserve: u64) -> u64 {
        let end = card.saturating_sub(reserve) / SECTOR_SIZE;
        let most = match &self.scheme {
            Scheme::Gpt(gpt) => gpt::last_usable(gpt, card / SECTOR_SIZE).saturating_add(1),
            Scheme::Mbr(_) => mbr::MAX_END,
        };
        let sectors = ALIGNMENT / SECTOR_SIZE;
        end.min(most) / sectors * sectors
    }

    /// Returns the sector before which the grown partition ends.
    pub(crate) fn new_end(
        &self,
        partition: &Partition,
        card: u64,
        reserve: u64,
    ) -> Result<(u64, Option<GrowthLimit>)> {
        let number = partition.number;
        let mut limit = None;
        if matches!(self.scheme, Scheme::Mbr(_))
            && card.saturating_sub(reserve) / SECTOR_SIZE > mbr::MAX_END
        {
            if partition.end() > mbr::MAX_END {
                return Err(Error::BeyondMbr { number });
            }
            limit = Some(GrowthLimit::Mbr);
        }
        let end = self.aligned_end(card, reserve);
        let most = match &self.scheme {
            Scheme::Gpt(gpt) => gpt::last_usable(gpt, card / SECTOR_SIZE).saturating_add(1),
            Scheme::Mbr(_) => card / SECTOR_SIZE,
        };
        if (end..=most).contains(&partition.end()) {
            return Ok((partition.end(), limit));
        }
        if end < partition.end() {
            let table = match &self.scheme {
                Scheme::Gpt(gpt) => {
                    let total = card / SECTOR_SIZE;
                    let usable = gpt::last_usable(gpt, total).saturating_add(1);
                    total.saturating_sub(usable).saturating_mul(SECTOR_SIZE)
                }
                Scheme::Mbr(_) => 0,
            };
            let present_end = partition.bytes().end;
            return Err(Error::CardTooSmall {
                number,
                present_end,
                wanted_end: most.saturating_mul(SECTOR_SIZE),
                card,
                needed: present_end.saturating_add(table),
            });
        }
        Ok((end, limit))
    }
}
