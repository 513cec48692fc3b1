//! The allocation table: which cluster follows which.

use std::collections::BTreeSet;

use block_io::ReadAt;

use crate::{
    FatError,
    geometry::{FatVariant, Geometry},
    staged::{SECTOR, Staged},
};

/// The largest table that is held in memory, in bytes: sixteen million clusters of FAT32.
const MAX_TABLE: u64 = 64 << 20;

/// What the table says of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Another cluster follows.
    Next(u32),
    /// It is the last one of its chain.
    End,
    /// It is free.
    Free,
    /// It is marked as bad.
    Bad,
    /// The entry is not the number of a cluster.
    Invalid,
}

/// Returns what an entry's value means.
pub(crate) fn link(geometry: &Geometry, value: u32) -> Link {
    let (bad, end) = match geometry.variant {
        FatVariant::Fat12 => (0x0ff7, 0x0ff8),
        FatVariant::Fat16 => (0xfff7, 0xfff8),
        FatVariant::Fat32 => (0x0fff_fff7, 0x0fff_fff8),
    };
    match value {
        0 => Link::Free,
        _ if value >= end => Link::End,
        _ if value == bad => Link::Bad,
        _ if geometry.cluster(value).is_some() => Link::Next(value),
        _ => Link::Invalid,
    }
}

/// The entries of a table, in memory or on a storage.
pub(crate) trait Entries {
    /// Returns the value of an entry; FAT32's upper four bits are reserved and left out.
    fn entry(&self, cluster: u32) -> Result<u32, FatError>;
}

/// Entries that are read one by one, for who follows a few chains only.
pub(crate) struct OnStorage<'a> {
    pub storage: &'a dyn ReadAt,
    pub geometry: &'a Geometry,
}

impl Entries for OnStorage<'_> {
    fn entry(&self, cluster: u32) -> Result<u32, FatError> {
        let variant = self.geometry.variant;
        let at = self.geometry.table(self.geometry.active) + offset(variant, cluster) as u64;
        let mut bytes = [0; 4];
        let width = if variant == FatVariant::Fat32 { 4 } else { 2 };
        self.storage.read_at(at, &mut bytes[..width])?;
        Ok(decode(variant, cluster, bytes))
    }
}

impl Entries for Table {
    fn entry(&self, cluster: u32) -> Result<u32, FatError> {
        Ok(self.value(cluster))
    }
}

/// Returns the byte offset of an entry in a table.
fn offset(variant: FatVariant, cluster: u32) -> usize {
    let at = cluster as usize;
    match variant {
        FatVariant::Fat12 => at + at / 2,
        FatVariant::Fat16 => at * 2,
        FatVariant::Fat32 => at * 4,
    }
}

/// Returns the value in the bytes that begin at an entry's offset.
fn decode(variant: FatVariant, cluster: u32, bytes: [u8; 4]) -> u32 {
    let value = u32::from_le_bytes(bytes);
    match variant {
        FatVariant::Fat12 if cluster.is_multiple_of(2) => value & 0x0fff,
        FatVariant::Fat12 => value >> 4 & 0x0fff,
        FatVariant::Fat16 => value & 0xffff,
        FatVariant::Fat32 => value & 0x0fff_ffff,
    }
}

/// Returns the clusters of a chain, at most `limit` of them and never more than there are,
/// so that a chain that bites its own tail ends.
pub(crate) fn chain(
    entries: &dyn Entries,
    geometry: &Geometry,
    first: u32,
    limit: u64,
) -> Result<Vec<u32>, FatError> {
    let damaged = |reason| FatError::Chain { first, reason };
    if geometry.cluster(first).is_none() {
        return Err(damaged("does not exist: no cluster has that number"));
    }
    let mut chain = Vec::new();
    let mut cluster = first;
    while (chain.len() as u64) < limit {
        if chain.len() as u64 == u64::from(geometry.clusters) {
            return Err(damaged("never ends"));
        }
        chain.push(cluster);
        match link(geometry, entries.entry(cluster)?) {
            Link::Next(next) => cluster = next,
            Link::End => break,
            Link::Free => return Err(damaged("leads to a free cluster")),
            Link::Bad => return Err(damaged("leads to a bad cluster")),
            Link::Invalid => return Err(damaged("leads to a cluster that does not exist")),
        }
    }
    Ok(chain)
}

/// The active copy of the table in memory, with what has changed since it was read.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    variant: FatVariant,
    clusters: u32,
    bytes: Vec<u8>,
    /// The entries changed by the running edit.
    changed: BTreeSet<u32>,
    /// Number of free clusters.
    free: u32,
}

impl Table {
    /// Reads the active copy.
    pub(crate) fn read(storage: &dyn ReadAt, geometry: &Geometry) -> Result<Self, FatError> {
        let clusters = geometry.clusters;
        if geometry.table_size > MAX_TABLE {
            return Err(FatError::TooManyClusters { clusters });
        }
        let length = usize::try_from(geometry.table_size).unwrap_or(usize::MAX);
        let bytes = storage.read_vec(geometry.table(geometry.active), length)?;
        let variant = geometry.variant;
        let mut table = Table { variant, clusters, bytes, changed: BTreeSet::new(), free: 0 };
        let free = (2..clusters + 2).filter(|&cluster| table.value(cluster) == 0).count();
        table.free = u32::try_from(free).unwrap_or(u32::MAX);
        Ok(table)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of free clusters.
    pub(crate) fn free(&self) -> u32 {
        self.free
    }

    /// Returns the value of an entry; FAT32's upper four bits are reserved and left out.
    pub(crate) fn value(&self, cluster: u32) -> u32 {
        let at = offset(self.variant, cluster);
        let byte = |index: usize| self.bytes.get(at + index).copied().unwrap_or(0);
        decode(self.variant, cluster, [byte(0), byte(1), byte(2), byte(3)])
    }

    /// Sets the value of an entry. FAT32's reserved bits and FAT12's neighbour stay.
    fn set(&mut self, cluster: u32, value: u32) {
        let before = self.value(cluster);
        let at = offset(self.variant, cluster);
        let (mask, bits, width): (u32, u32, usize) = match self.variant {
            FatVariant::Fat12 if cluster.is_multiple_of(2) => (0x0fff, value, 2),
            FatVariant::Fat12 => (0xfff0, value << 4, 2),
            FatVariant::Fat16 => (0xffff, value, 2),
            FatVariant::Fat32 => (0x0fff_ffff, value, 4),
        };
        for (index, byte) in self.bytes.iter_mut().skip(at).take(width).enumerate() {
            let shift = 8 * index;
            let (mask, bits) = ((mask >> shift) as u8, (bits >> shift) as u8);
            *byte = (*byte & !mask) | (bits & mask);
        }
        match (before == 0, value == 0) {
            (true, false) => self.free -= 1,
            (false, true) => self.free += 1,
            _ => {}
        }
        self.changed.insert(cluster);
    }

    fn end_mark(&self) -> u32 {
        match self.variant {
            FatVariant::Fat12 => 0x0fff,
            FatVariant::Fat16 => 0xffff,
            FatVariant::Fat32 => 0x0fff_ffff,
        }
    }

    /// Makes a chain of `length` clusters that begins with those of `old` and goes on with
    /// the first free ones; what is left of `old` becomes free. The caller has checked
    /// that enough are free.
    pub(crate) fn resize(&mut self, old: &[u32], length: usize) -> Vec<u32> {
        let mut chain: Vec<u32> = old.iter().copied().take(length).collect();
        for &cluster in old.iter().skip(length) {
            self.set(cluster, 0);
        }
        let mut candidate = 2;
        while chain.len() < length && candidate < self.clusters + 2 {
            if self.value(candidate) == 0 {
                // Marked at once, so that it is not found again.
                self.set(candidate, self.end_mark());
                chain.push(candidate);
            }
            candidate += 1;
        }
        for pair in chain.windows(2) {
            if let [from, to] = *pair
                && self.value(from) != to
            {
                self.set(from, to);
            }
        }
        if let Some(&last) = chain.last()
            && self.value(last) < self.end_mark() & !7
        {
            self.set(last, self.end_mark());
        }
        chain
    }

    /// Writes the entries changed since the last call to every copy that counts.
    pub(crate) fn store(
        &mut self,
        staged: &mut Staged,
        geometry: &Geometry,
    ) -> Result<(), FatError> {
        let changed = std::mem::take(&mut self.changed);
        self.store_entries(staged, geometry, changed)
    }

    /// Returns the entries changed since the last call, to be stored one kind after the other.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.changed)
    }

    /// Frees a cluster.
    pub(crate) fn free_cluster(&mut self, cluster: u32) {
        self.set(cluster, 0);
    }

    /// Returns whether an entry lies in two sectors, which only FAT12's do.
    pub(crate) fn is_split(&self, geometry: &Geometry, cluster: u32) -> bool {
        let at = geometry.table(geometry.active) + offset(self.variant, cluster) as u64;
        self.variant == FatVariant::Fat12 && at % SECTOR == SECTOR - 1
    }

    /// Writes these entries to every copy that counts. Only their own bits change.
    pub(crate) fn store_entries(
        &self,
        staged: &mut Staged,
        geometry: &Geometry,
        entries: impl IntoIterator<Item = u32>,
    ) -> Result<(), FatError> {
        let width = if self.variant == FatVariant::Fat32 { 4 } else { 2 };
        for cluster in entries {
            let at = offset(self.variant, cluster);
            let Some(entry) = self.bytes.get(at..at + width) else { continue };
            for copy in 0..geometry.tables {
                if geometry.mirrored || copy == geometry.active {
                    let place = geometry.table(copy) + at as u64;
                    // Two entries of FAT12 share a byte.
                    let mut own = entry.to_vec();
                    if self.variant == FatVariant::Fat12
                        && let [low, high] = staged.read_vec(place, width)?[..]
                        && let [own_low, own_high] = &mut own[..]
                    {
                        if cluster.is_multiple_of(2) {
                            *own_high = (*own_high & 0x0f) | (high & 0xf0);
                        } else {
                            *own_low = (*own_low & 0xf0) | (low & 0x0f);
                        }
                    }
                    staged.write(place, &own)?;
                }
            }
        }
        Ok(())
    }

    /// As [`store_entries`](Self::store_entries), but on the storage at once, with nothing else
    /// of what is staged.
    pub(crate) fn store_entries_alone(
        &self,
        staged: &mut Staged,
        geometry: &Geometry,
        entries: &[u32],
    ) -> Result<(), FatError> {
        let others = staged.take();
        self.store_entries(staged, geometry, entries.iter().copied())?;
        staged.commit()?;
        staged.flush()?;
        staged.put_back(others);
        Ok(())
    }
}
