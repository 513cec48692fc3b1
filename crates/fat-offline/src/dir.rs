//! The slots of one directory.

use std::ops::Range;

use block_io::ReadAt;

use crate::{
    Entry, FatError,
    geometry::{DirPlace, Geometry},
    name::{ENTRY, Parsed, parse},
    table::{Entries, chain},
};

/// The largest directory in bytes, by the specification: 65,536 entries.
pub(crate) const MAX_DIRECTORY: u64 = 2 << 20;

/// A directory in memory.
#[derive(Debug)]
pub(crate) struct Directory {
    pub place: DirPlace,
    /// Its clusters; none for a root directory at a fixed place.
    pub chain: Vec<u32>,
    /// Where its slots lie, in order.
    ranges: Vec<Range<u64>>,
    pub slots: Vec<[u8; ENTRY]>,
    pub parsed: Parsed,
}

impl Directory {
    pub(crate) fn read(
        storage: &dyn ReadAt,
        geometry: &Geometry,
        table: &dyn Entries,
        place: &DirPlace,
    ) -> Result<Self, FatError> {
        let clusters = match place {
            DirPlace::Fixed(_) => Vec::new(),
            DirPlace::Chain(first) => {
                let limit = MAX_DIRECTORY / geometry.cluster_size;
                let clusters = chain(table, geometry, *first, limit.max(1) + 1)?;
                if clusters.len() as u64 > limit.max(1) {
                    let reason = "makes a directory of more than 65,536 entries";
                    return Err(FatError::Chain { first: *first, reason });
                }
                clusters
            }
        };
        let ranges: Vec<Range<u64>> = match place {
            DirPlace::Fixed(range) => vec![range.clone()],
            DirPlace::Chain(_) => {
                clusters.iter().filter_map(|&cluster| geometry.cluster(cluster)).collect()
            }
        };
        let mut slots = Vec::new();
        for range in &ranges {
            let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
            slots.extend_from_slice(storage.read_vec(range.start, length)?.as_chunks::<ENTRY>().0);
        }
        let parsed = parse(&slots);
        Ok(Directory { place: place.clone(), chain: clusters, ranges, slots, parsed })
    }

    /// Returns the files and directories in it.
    pub(crate) fn entries(self) -> Vec<Entry> {
        let records = self.parsed.records.into_iter();
        records.filter(|record| !record.is_label() && !record.is_dot()).map(Entry::from).collect()
    }

    /// Returns where a slot lies, in bytes from the start of the filesystem.
    pub(crate) fn offset(&self, slot: usize) -> Option<u64> {
        let mut left = slot as u64 * ENTRY as u64;
        for range in &self.ranges {
            let length = range.end - range.start;
            if left < length {
                return Some(range.start + left);
            }
            left -= length;
        }
        None
    }

    /// Returns the first of `count` slots in a row that are free, or would be if the
    /// directory had more slots at its end.
    pub(crate) fn free_slots(&self, count: usize) -> usize {
        let mut run = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            let is_free = index >= self.parsed.end || slot[0] == 0xe5;
            run = if is_free { run + 1 } else { 0 };
            if run == count {
                return index + 1 - count;
            }
        }
        self.slots.len() - run
    }
}
