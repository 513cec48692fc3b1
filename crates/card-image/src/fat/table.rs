//! The allocation table, which links clusters to chains.

use block_io::ReadAt;

use fs_signature::{FatGeometry, FatVariant};

use super::FatError;

/// What the table records for a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextCluster {
    /// Another cluster follows.
    Cluster(u32),
    /// It is the last one of its chain.
    End,
    /// The cluster is free or marked as bad, or the number is not that of a cluster.
    Invalid,
}

/// Looks up the successor of `cluster`, which must be one of the filesystem's clusters.
fn next(
    geometry: &FatGeometry,
    storage: &dyn ReadAt,
    cluster: u32,
) -> Result<NextCluster, FatError> {
    let table = geometry.table(geometry.active);
    let at = u64::from(cluster);
    let (value, end) = match geometry.variant {
        FatVariant::Fat12 => {
            let pair = read(storage, table + at * 3 / 2)?;
            let pair = u32::from(u16::from_le_bytes(pair));
            (if cluster.is_multiple_of(2) { pair & 0x0fff } else { pair >> 4 }, 0x0ff8)
        }
        FatVariant::Fat16 => (u16::from_le_bytes(read(storage, table + at * 2)?).into(), 0xfff8),
        FatVariant::Fat32 => {
            (u32::from_le_bytes(read(storage, table + at * 4)?) & 0x0fff_ffff, 0x0fff_fff8)
        }
    };
    Ok(if value >= end {
        NextCluster::End
    } else if geometry.cluster(value).is_some() {
        NextCluster::Cluster(value)
    } else {
        NextCluster::Invalid
    })
}

/// Returns the clusters of a chain, at most `limit` of them, which also ends a chain that
/// leads back into itself.
pub(super) fn chain(
    geometry: &FatGeometry,
    storage: &dyn ReadAt,
    first: u32,
    limit: u64,
) -> Result<Vec<u32>, FatError> {
    let damaged = |reason| FatError::Chain { first, reason };
    if geometry.cluster(first).is_none() {
        return Err(damaged("does not exist"));
    }
    let limit = limit.min(geometry.clusters.into());
    let mut chain = Vec::new();
    let mut cluster = first;
    while (chain.len() as u64) < limit {
        chain.push(cluster);
        match next(geometry, storage, cluster)? {
            NextCluster::Cluster(next) => cluster = next,
            NextCluster::End => break,
            NextCluster::Invalid => return Err(damaged("leads to an unused cluster")),
        }
    }
    Ok(chain)
}

fn read<const N: usize>(storage: &dyn ReadAt, offset: u64) -> Result<[u8; N], FatError> {
    let mut bytes = [0; N];
    storage.read_at(offset, &mut bytes)?;
    Ok(bytes)
}
