//! Clusters and directory entries of an edit.

use super::{Editor, in_place::Decision};
use crate::{
    FatError,
    dir::{Directory, MAX_DIRECTORY},
    geometry::DirPlace,
    name::{ENTRY, Encoded, encode},
    time::DosTime,
};

/// The time of an edit, as entries hold it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dates(pub DosTime);

impl Dates {
    /// Sets the times of the last write and the last access.
    pub(super) fn modify(self, entry: &mut [u8; ENTRY]) {
        let DosTime { date, time } = self.0;
        entry[18..20].copy_from_slice(&date.to_le_bytes());
        entry[22..24].copy_from_slice(&time.to_le_bytes());
        entry[24..26].copy_from_slice(&date.to_le_bytes());
    }

    /// Sets all times.
    pub(super) fn create(self, entry: &mut [u8; ENTRY]) {
        let DosTime { date, time } = self.0;
        entry[14..16].copy_from_slice(&time.to_le_bytes());
        entry[16..18].copy_from_slice(&date.to_le_bytes());
        self.modify(entry);
    }
}

/// Sets the first cluster and the size of an entry.
pub(super) fn point(entry: &mut [u8; ENTRY], first: u32, size: u32) {
    let [a, b, c, d] = first.to_le_bytes();
    entry[26..28].copy_from_slice(&[a, b]);
    entry[20..22].copy_from_slice(&[c, d]);
    entry[28..32].copy_from_slice(&size.to_le_bytes());
}

/// A file or directory that is to be entered in a directory.
pub(super) struct NewRecord<'a> {
    pub name: &'a str,
    pub attributes: u8,
    pub first: u32,
    pub size: u32,
}

impl Editor {
    pub(super) fn no_space(&self, path: &str, needed: u64) -> FatError {
        FatError::NoSpace { path: path.to_owned(), needed, free: self.free_bytes() }
    }

    /// Returns a chain with room for `size` bytes, the clusters of `old` first.
    pub(super) fn resize(
        &mut self,
        old: &[u32],
        size: u64,
        path: &str,
    ) -> Result<Vec<u32>, FatError> {
        let cluster_size = self.geometry.cluster_size;
        let length = size.div_ceil(cluster_size);
        let more = length.saturating_sub(old.len() as u64);
        if more > self.table.free().into() {
            return Err(self.no_space(path, more * cluster_size));
        }
        Ok(self.table.resize(old, usize::try_from(length).unwrap_or(usize::MAX)))
    }

    /// Writes contents to a chain, and zeros behind them up to the end of the chain.
    pub(super) fn fill(&mut self, chain: &[u32], contents: &[u8]) -> Result<(), FatError> {
        let length = usize::try_from(self.geometry.cluster_size).unwrap_or(usize::MAX);
        let mut pieces = contents.chunks(length);
        for &cluster in chain {
            let Some(range) = self.geometry.cluster(cluster) else { continue };
            let mut bytes = pieces.next().unwrap_or_default().to_vec();
            bytes.resize(length, 0);
            self.staged.write(range.start, &bytes)?;
        }
        Ok(())
    }

    pub(super) fn put_slot(
        &mut self,
        directory: &Directory,
        slot: usize,
        entry: &[u8; ENTRY],
    ) -> Result<(), FatError> {
        match directory.offset(slot) {
            Some(offset) => self.staged.write(offset, entry),
            None => Ok(()),
        }
    }

    /// Enters a file or directory in the directory at `place`.
    pub(super) fn add(
        &mut self,
        place: &DirPlace,
        new: &NewRecord<'_>,
        path: &str,
    ) -> Result<(), FatError> {
        let mut directory = self.directory(place)?;
        let records = &directory.parsed.records;
        let is_taken = |short: &[u8; 11]| records.iter().any(|record| record.short() == *short);
        let Encoded { pieces, short, case } = encode(new.name, is_taken)?;
        let count = pieces.len() + 1;
        let start = directory.free_slots(count);
        let end = start + count;
        let used = directory.parsed.end;
        // New slots behind the end mark are seen when the mark is overwritten; if there was
        // none, when the directory gets its new cluster.
        let deciding = if end > used { used } else { end - 1 };
        let had_end_mark = deciding < directory.slots.len();
        self.decide(Decision::last(directory.offset(deciding).filter(|_| had_end_mark)));
        if end > directory.slots.len() {
            directory = self.extend(directory, end, path)?;
        }
        let mut entry = [0; ENTRY];
        entry[..11].copy_from_slice(&short);
        entry[11] = new.attributes;
        entry[12] = case;
        self.dates.create(&mut entry);
        point(&mut entry, new.first, new.size);
        for (slot, entry) in (start..).zip(pieces.iter().chain([&entry])) {
            self.put_slot(&directory, slot, entry)?;
        }
        // The end mark moves on: what lies behind it may be anything.
        if end > used && end < directory.slots.len() {
            self.put_slot(&directory, end, &[0; ENTRY])?;
        }
        Ok(())
    }

    /// Makes a directory longer, to at least `slots` slots.
    fn extend(
        &mut self,
        directory: Directory,
        slots: usize,
        path: &str,
    ) -> Result<Directory, FatError> {
        let size = slots as u64 * ENTRY as u64;
        let full = || FatError::DirectoryFull { path: path.to_owned() };
        if matches!(directory.place, DirPlace::Fixed(_)) || size > MAX_DIRECTORY {
            return Err(full());
        }
        let old = directory.chain.len();
        let chain = self.resize(&directory.chain, size, path)?;
        self.fill(chain.get(old..).unwrap_or_default(), &[])?;
        self.directory(&directory.place)
    }
}
