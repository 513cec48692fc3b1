//! Which bytes of a FAT filesystem are in use.

use block_io::{Extents, ReadAt};

use crate::{
    FatError,
    geometry::{FatVariant, Geometry},
};

/// A piece of the table in bytes: whole entries of all three widths.
const PIECE: u64 = 192 << 10;
/// With more ranges than this, the list takes more memory than it may.
const MAX_RANGES: usize = 1 << 20;

/// Returns the byte ranges that are in use: everything but free clusters. So the boot and
/// reserved sectors, the tables, the root directory, every cluster that any copy of the
/// table allocates or marks as bad, and what lies behind the last cluster.
///
/// # Errors
/// [`FatError::NotFat`], [`FatError::TooFragmented`] or [`FatError::Storage`]; treat the
/// whole partition as used then.
pub fn used_extents(storage: &dyn ReadAt) -> Result<Extents, FatError> {
    let geometry = Geometry::read(storage)?;
    let variant = geometry.variant;
    let mut used = Extents::new();
    // A run of used bytes is held back until the first free cluster behind it.
    let mut run = 0..geometry.data;
    let mut buffers = vec![Vec::new(); geometry.tables.into()];
    let (numerator, denominator) = match variant {
        FatVariant::Fat12 => (3, 2),
        FatVariant::Fat16 => (2, 1),
        FatVariant::Fat32 => (4, 1),
    };
    let entries = u64::from(geometry.clusters) + 2;
    let per_piece = PIECE / numerator * denominator;
    let mut first = 0;
    while first < entries {
        let count = per_piece.min(entries - first);
        let length = usize::try_from((count * numerator).div_ceil(denominator)).unwrap_or(0);
        for (copy, buffer) in (0..).zip(&mut buffers) {
            let offset = geometry.table(copy) + first * numerator / denominator;
            *buffer = storage.read_vec(offset, length)?;
        }
        for index in 0..count {
            // The first two entries belong to no cluster.
            let number = u32::try_from(first + index).unwrap_or(u32::MAX);
            let Some(cluster) = geometry.cluster(number) else { continue };
            if buffers.iter().all(|buffer| is_free(buffer, variant, index)) {
                continue;
            }
            if cluster.start == run.end {
                run.end = cluster.end;
            } else {
                used.insert(run);
                run = cluster;
            }
            if used.count() >= MAX_RANGES {
                return Err(FatError::TooFragmented);
            }
        }
        first += count;
    }
    used.insert(run);
    let end = geometry.data + u64::from(geometry.clusters) * geometry.cluster_size;
    used.insert(end..storage.size());
    Ok(used)
}

/// Returns the number of bytes in free clusters, or `None` if the filesystem cannot be read.
pub fn free_bytes(storage: &dyn ReadAt) -> Option<u64> {
    let used = used_extents(storage).ok()?;
    Some(storage.size().saturating_sub(used.total()))
}

/// Returns whether the entry at `index` of a piece marks its cluster as free. An entry that
/// does not lie within the piece does not.
fn is_free(piece: &[u8], variant: FatVariant, index: u64) -> bool {
    let index = usize::try_from(index).unwrap_or(usize::MAX / 8);
    let entry = match variant {
        // Two entries share three bytes. The last one may lack a neighbour.
        FatVariant::Fat12 => {
            let at = index + index / 2;
            return match (piece.get(at), piece.get(at + 1)) {
                (Some(&low), Some(&high)) if index % 2 == 0 => low == 0 && high & 0x0f == 0,
                (Some(&low), Some(&high)) => low & 0xf0 == 0 && high == 0,
                _ => false,
            };
        }
        FatVariant::Fat16 => piece.get(index * 2..index * 2 + 2).map(|b| [b[0], b[1], 0, 0]),
        FatVariant::Fat32 => {
            piece.get(index * 4..index * 4 + 4).map(|b| [b[0], b[1], b[2], b[3] & 0x0f])
        }
    };
    entry == Some([0; 4])
}
