//! The allocation table: which cluster follows which.

use block_io::ReadAt;

use super::{FatError, Geometry, Variant};

/// What the table says of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another cluster follows.
    Cluster(u32),
    /// It is the last one of its chain.
    End,
    /// It is free, marked as bad, or the number is none of a cluster.
    Invalid,
}

impl Geometry {
    /// Looks up what follows `cluster`, which must be one of the filesystem's.
    pub(super) fn next(&self, storage: &dyn ReadAt, cluster: u32) -> Result<Next, FatError> {
        let table = self.table(self.active);
        let at = u64::from(cluster);
        let (value, end) = match self.variant {
            Variant::Fat12 => {
                let pair = read(storage, table + at * 3 / 2)?;
                let pair = u32::from(u16::from_le_bytes(pair));
                (if cluster.is_multiple_of(2) { pair & 0x0fff } else { pair >> 4 }, 0x0ff8)
            }
            Variant::Fat16 => (u16::from_le_bytes(read(storage, table + at * 2)?).into(), 0xfff8),
            Variant::Fat32 => {
                (u32::from_le_bytes(read(storage, table + at * 4)?) & 0x0fff_ffff, 0x0fff_fff8)
            }
        };
        Ok(if value >= end {
            Next::End
        } else if self.cluster(value).is_some() {
            Next::Cluster(value)
        } else {
            Next::Invalid
        })
    }

    /// The clusters of a chain, at most `limit` of them.
    ///
    /// The limit is what ends a chain that bites its own tail.
    pub(super) fn chain(
        &self,
        storage: &dyn ReadAt,
        first: u32,
        limit: u64,
    ) -> Result<Vec<u32>, FatError> {
        let damaged = |reason| FatError::Chain { first, reason };
        if self.cluster(first).is_none() {
            return Err(damaged("is none: there is no such cluster"));
        }
        let limit = limit.min(self.clusters.into());
        let mut chain = Vec::new();
        let mut cluster = first;
        while (chain.len() as u64) < limit {
            chain.push(cluster);
            match self.next(storage, cluster)? {
                Next::Cluster(next) => cluster = next,
                Next::End => break,
                Next::Invalid => return Err(damaged("leads to a cluster that holds nothing")),
            }
        }
        Ok(chain)
    }
}

fn read<const N: usize>(storage: &dyn ReadAt, offset: u64) -> Result<[u8; N], FatError> {
    let mut bytes = [0; N];
    storage.read_at(offset, &mut bytes)?;
    Ok(bytes)
}
