//! The entries of a GPT.

use super::GptCopy;
use crate::{
    Error, Guid, Partition, PartitionRole, PartitionType, Result,
    fields::{array, put, u64_at},
};

// The offsets of an entry's fields.
const TYPE: usize = 0;
const UNIQUE: usize = 16;
const FIRST: usize = 32;
const LAST: usize = 40;
const ATTRIBUTES: usize = 48;
const NAME: usize = 56;
/// The name's length in UTF-16 units.
const NAME_UNITS: usize = 36;
/// The attribute "legacy BIOS bootable".
const BOOTABLE: u64 = 1 << 2;

impl GptCopy {
    fn entry_step(&self) -> usize {
        // The check of the header made sure that it is between 128 and 4096.
        usize::try_from(self.entry_size()).unwrap_or(128).max(128)
    }

    /// Returns the entries in use.
    pub(crate) fn partitions(&self) -> Result<Vec<Partition>> {
        let (first_usable, last_usable) = self.usable();
        let mut partitions = Vec::new();
        for (number, entry) in (1..).zip(self.entries.chunks_exact(self.entry_step())) {
            let kind = Guid(array(entry, TYPE));
            if kind.is_nil() {
                continue;
            }
            let (start, last) = (u64_at(entry, FIRST), u64_at(entry, LAST));
            let sectors = last.checked_sub(start).and_then(|n| n.checked_add(1));
            let Some(sectors) = sectors.filter(|_| last <= last_usable) else {
                return Err(Error::OutsideUsable {
                    number,
                    start,
                    last,
                    first_usable,
                    last_usable,
                });
            };
            let units = (0..NAME_UNITS)
                .map(|unit| u16::from_le_bytes(array(entry, NAME + 2 * unit)))
                .take_while(|&unit| unit != 0);
            let name: String = char::decode_utf16(units)
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect();
            partitions.push(Partition {
                number,
                start,
                sectors,
                kind: PartitionType::Gpt(kind),
                role: PartitionRole::Primary,
                name: (!name.is_empty()).then_some(name),
                guid: Some(Guid(array(entry, UNIQUE))),
                bootable: u64_at(entry, ATTRIBUTES) & BOOTABLE != 0,
            });
        }
        Ok(partitions)
    }

    /// Makes the partition's entry end before sector `end`.
    pub(super) fn set_end(&mut self, number: u32, end: u64) {
        let step = self.entry_step();
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        if let Some(entry) = self.entries.chunks_exact_mut(step).nth(index) {
            put(entry, LAST, &end.saturating_sub(1).to_le_bytes());
        }
    }
}
