//! Shrinking the last partition to fit a smaller card.

use block_io::WriteAt;

use crate::{Error, Partition, PartitionTable, Result, gpt, mbr, table::Scheme};

impl PartitionTable {
    /// Returns where partition `number` ends on a card of `card` bytes, in sectors: where
    /// [`grow_last`](Self::grow_last) would end it, or where it ends now, whichever is first.
    ///
    /// # Errors
    /// [`Error::CardTooSmall`] if the card has no room for the partition, not even for a smaller
    /// one; otherwise as for [`grow_last`](Self::grow_last).
    pub fn end_on_smaller_card(&self, number: u32, card: u64, reserve: u64) -> Result<u64> {
        let (partition, extended) = self.last_partition(number)?;
        match self.new_end(partition, card, reserve) {
            Ok((end, _)) => Ok(end.min(partition.end())),
            Err(Error::CardTooSmall { wanted_end, needed, present_end, .. }) => {
                let end = self.aligned_end(card, reserve);
                // A logical partition needs its record in the extended one as well, which is
                // before it.
                if end > partition.start && extended.is_none_or(|p| end > p.start) {
                    return Ok(end);
                }
                Err(Error::CardTooSmall { number, present_end, wanted_end, card, needed })
            }
            Err(error) => Err(error),
        }
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
    /// Before the first write, as for [`grow_last`](Self::grow_last); later, [`Error::Storage`].
    pub fn shrink_last(
        &self,
        storage: &dyn WriteAt,
        number: u32,
        card: u64,
        reserve: u64,
    ) -> Result<Partition> {
        let end = self.end_on_smaller_card(number, card, reserve)?;
        let (before, extended) = self.last_partition(number)?;
        self.check_unchanged(storage)?;
        match &self.scheme {
            Scheme::Mbr(_) if end == before.end() => {}
            Scheme::Mbr(mbr) => mbr::set_partition_end(mbr, storage, before, extended, end)?,
            Scheme::Gpt(gpt) => gpt::set_partition_end(gpt, storage, before, end, card)?,
        }
        Ok(Partition { sectors: end.saturating_sub(before.start), ..before.clone() })
    }
}
