//! Growing a partition to fill the card, or as far as the next partition.

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
    /// Another partition lies behind it.
    NextPartition {
        /// The number of the next partition; the extended one if a primary partition grows.
        number: u32,
    },
    /// An empty table of a logical partition lies behind it.
    EmptyTable {
        /// The sector that holds it.
        sector: u64,
    },
}

/// How far a partition can grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Growth {
    /// The sector before which the grown partition ends.
    pub end: u64,
    /// Why the partition does not fill the card, if it does not.
    pub limit: Option<GrowthLimit>,
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
    /// Grows partition `number` as far as [`growth`](Self::growth) says.
    ///
    /// `storage` is the card, or a layer of its size, and begins with the image that this
    /// table was read from. In an MBR only the length and the last address in the
    /// partition's entry change; the extended partition grows with a logical one. In a GPT
    /// both copies change, the second one moves to the end of the storage, and the
    /// protective MBR spans it, even if the partition stays as it is.
    ///
    /// # Errors
    /// These are detected before the first write: those of [`growth`](Self::growth),
    /// [`Error::HybridMbr`], [`Error::Changed`], [`Error::Extended`]. Later,
    /// [`Error::Storage`] or [`Error::NotAsPlanned`] occur if the storage fails.
    pub fn grow(&self, storage: &dyn WriteAt, number: u32, reserve: u64) -> Result<GrownPartition> {
        let before = self.growing(number)?.clone();
        let Growth { end, limit } = self.growth(number, storage.size(), reserve)?;
        let extended = self.container(&before).filter(|extended| extended.end() < end);
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

    /// Returns how far partition `number` can grow on a card of `card` bytes: to `reserve`
    /// bytes before its end, or as far as the next partition, rounded down to a multiple of
    /// [`ALIGNMENT`]. A partition that already reaches further, as in the image of a whole
    /// card, stays as it is. In an MBR the partition ends at 2 TiB at the latest.
    ///
    /// # Errors
    /// [`Error::NoSuchPartition`], [`Error::IsExtended`], [`Error::CardTooSmall`],
    /// [`Error::BeyondMbr`].
    pub fn growth(&self, number: u32, card: u64, reserve: u64) -> Result<Growth> {
        let partition = self.growing(number)?;
        self.check_room(card)?;
        let mut end = card.saturating_sub(reserve) / SECTOR_SIZE;
        let mut limit = None;
        match &self.scheme {
            Scheme::Gpt(_) => end = end.min(self.usable_end(card)),
            Scheme::Mbr(_) if end > mbr::MAX_END => {
                if partition.end() > mbr::MAX_END {
                    return Err(Error::BeyondMbr { number });
                }
                end = mbr::MAX_END;
                limit = Some(GrowthLimit::Mbr);
            }
            Scheme::Mbr(_) => {}
        }
        if let Some((start, obstacle)) = self.next_behind(partition)
            && start < end
        {
            (end, limit) = (start, Some(obstacle));
        }
        let sectors = ALIGNMENT / SECTOR_SIZE;
        Ok(Growth { end: (end / sectors * sectors).max(partition.end()), limit })
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

    /// Returns the partition of that number, if it is one that can grow or shrink.
    pub(crate) fn growing(&self, number: u32) -> Result<&Partition> {
        let partition = self.partition(number).ok_or_else(|| Error::NoSuchPartition {
            number,
            present: self.partitions.iter().map(|p| p.number).collect(),
        })?;
        match partition.role {
            PartitionRole::Extended => Err(Error::IsExtended { number }),
            PartitionRole::Primary | PartitionRole::Logical => Ok(partition),
        }
    }

    /// Returns the extended partition that contains a logical one.
    pub(crate) fn container(&self, partition: &Partition) -> Option<&Partition> {
        let is_logical = partition.role == PartitionRole::Logical;
        let mut partitions = self.partitions.iter().filter(|_| is_logical);
        partitions.find(|p| p.role == PartitionRole::Extended)
    }

    /// Returns the sector behind the last one that partitions may use on a card.
    pub(crate) fn usable_end(&self, card: u64) -> u64 {
        let sectors = card / SECTOR_SIZE;
        match &self.scheme {
            Scheme::Gpt(gpt) => gpt::last_usable(gpt, sectors).saturating_add(1),
            Scheme::Mbr(_) => sectors,
        }
    }

    /// Makes sure that a card has room for all partitions as they are.
    fn check_room(&self, card: u64) -> Result<()> {
        let most = self.usable_end(card);
        // Of an extended partition and one in it, the inner one is named.
        let beyond = self.partitions.iter().filter(|p| p.end() > most);
        let last = beyond.max_by_key(|p| (p.role != PartitionRole::Extended, p.end()));
        let Some(last) = last else { return Ok(()) };
        let present_end = last.bytes().end;
        let all_end = self.partitions.iter().map(|p| p.bytes().end).max().unwrap_or(present_end);
        let table = (card / SECTOR_SIZE).saturating_sub(most).saturating_mul(SECTOR_SIZE);
        Err(Error::CardTooSmall {
            number: last.number,
            present_end,
            wanted_end: most.saturating_mul(SECTOR_SIZE),
            card,
            needed: all_end.saturating_add(table),
        })
    }

    /// Returns where the next thing begins into which a partition must not grow, and what it
    /// is.
    fn next_behind(&self, partition: &Partition) -> Option<(u64, GrowthLimit)> {
        let container = self.container(partition).map(|p| p.number);
        let others = self.partitions.iter().filter(|p| Some(p.number) != container);
        let partitions = others.map(|p| (p.start, GrowthLimit::NextPartition { number: p.number }));
        let chain = match &self.scheme {
            Scheme::Mbr(mbr) => mbr.chain.as_slice(),
            Scheme::Gpt(_) => &[],
        };
        // A logical partition begins with its table.
        let tables = chain.iter().map(|ebr| {
            let limit = match ebr.logical {
                Some((number, _)) => GrowthLimit::NextPartition { number },
                None => GrowthLimit::EmptyTable { sector: ebr.sector },
            };
            (ebr.sector, limit)
        });
        // The extended partition and the first table in it begin at the same sector.
        let behind = partitions.chain(tables).filter(|(start, _)| *start >= partition.end());
        behind.min_by_key(|(start, _)| *start)
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
}
