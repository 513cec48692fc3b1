//! Shrinking a partition to fit a smaller card.

use block_io::WriteAt;

use crate::{
    ALIGNMENT, Error, Partition, PartitionTable, Result, SECTOR_SIZE, gpt, mbr, table::Scheme,
};

impl PartitionTable {
    /// Returns where partition `number` ends on a card of `card` bytes, in sectors: where it ends
    /// now if the card has room for that, otherwise `reserve` bytes before the end of the card,
    /// rounded down to a multiple of [`ALIGNMENT`].
    ///
    /// # Errors
    /// [`Error::NoSuchPartition`], [`Error::IsExtended`]; [`Error::CardTooSmall`] if the card has
    /// no room for the partition, not even for a smaller one, or for another partition;
    /// [`Error::Extended`].
    pub fn end_on_smaller_card(&self, number: u32, card: u64, reserve: u64) -> Result<u64> {
        let partition = self.growing(number)?;
        let container = self.container(partition).map(|p| p.number);
        let usable = self.usable_end(card);
        let too_small = |p: &Partition| {
            let table = (card / SECTOR_SIZE).saturating_sub(usable).saturating_mul(SECTOR_SIZE);
            Err(Error::CardTooSmall {
                number: p.number,
                present_end: p.bytes().end,
                wanted_end: usable.saturating_mul(SECTOR_SIZE),
                card,
                needed: p.bytes().end.saturating_add(table),
            })
        };
        let others = self.partitions.iter().filter(|p| p.number != number);
        let mut others = others.filter(|p| Some(p.number) != container);
        if let Some(other) = others.find(|p| p.end() > usable) {
            return too_small(other);
        }
        if let Scheme::Mbr(mbr) = &self.scheme
            && let Some(ebr) = mbr.chain.iter().find(|ebr| ebr.sector >= usable)
        {
            let reason = "it is empty, but lies after the end of the card";
            return Err(Error::Extended { sector: ebr.sector, reason });
        }
        if partition.end() <= usable {
            return Ok(partition.end());
        }
        let end = usable.min(card.saturating_sub(reserve) / SECTOR_SIZE);
        let sectors = ALIGNMENT / SECTOR_SIZE;
        let end = end / sectors * sectors;
        if end > partition.start { Ok(end) } else { too_small(partition) }
    }

    /// Changes the table for a card of `card` bytes, which is smaller than `storage`: partition
    /// `number` ends where [`end_on_smaller_card`](Self::end_on_smaller_card) says, and the second
    /// copy of a GPT is at the end of the card. Returns the partition as it is then.
    ///
    /// `storage` holds the image that this table was read from. It should be a layer or a copy,
    /// because an interruption can leave a table that contradicts itself. The caller has made the
    /// filesystem of the partition smaller, and takes the first `card` bytes.
    ///
    /// # Errors
    /// Before the first write, as for [`end_on_smaller_card`](Self::end_on_smaller_card), and
    /// [`Error::HybridMbr`], [`Error::Changed`]; later, [`Error::Storage`].
    pub fn shrink(
        &self,
        storage: &dyn WriteAt,
        number: u32,
        card: u64,
        reserve: u64,
    ) -> Result<Partition> {
        let end = self.end_on_smaller_card(number, card, reserve)?;
        let before = self.growing(number)?;
        let usable = self.usable_end(card);
        let container = self.container(before).filter(|p| p.end() > usable);
        self.check_unchanged(storage)?;
        match &self.scheme {
            Scheme::Mbr(_) if end == before.end() && container.is_none() => {}
            Scheme::Mbr(mbr) => mbr::set_partition_end(mbr, storage, before, container, end)?,
            Scheme::Gpt(gpt) => gpt::set_partition_end(gpt, storage, before, end, card)?,
        }
        Ok(Partition { sectors: end.saturating_sub(before.start), ..before.clone() })
    }
}
