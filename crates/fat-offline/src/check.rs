//! Is the filesystem whole?

use std::collections::HashSet;

use block_io::ReadAt;

use crate::{
    FatError,
    dir::Directory,
    fsinfo,
    geometry::{DirPlace, FatVariant, Geometry},
    name::Record,
    read::first_cluster,
    table::{Link, Table, chain, link},
};

/// What [`check`] found that neither loses data nor stands in the way of edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckReport {
    /// The filesystem was not unmounted before it was copied.
    pub dirty: bool,
    /// Clusters that are allocated but belong to no file.
    pub lost_clusters: u32,
    /// There are pieces of long names without a file.
    pub orphaned_names: bool,
    /// FAT32's hint about the number of free clusters is wrong.
    pub wrong_free_count: bool,
}

impl CheckReport {
    /// Returns whether nothing was found at all.
    pub fn is_clean(&self) -> bool {
        *self
            == CheckReport {
                dirty: false,
                lost_clusters: 0,
                orphaned_names: false,
                wrong_free_count: false,
            }
    }
}

/// Walks the whole filesystem: every directory, every chain and all copies of the table.
///
/// # Errors
/// [`FatError::NotFat`], [`FatError::TablesDiffer`], [`FatError::Chain`] and
/// [`FatError::Damaged`] name what an edit could make worse; [`FatError::Storage`].
pub fn check(storage: &dyn ReadAt) -> Result<CheckReport, FatError> {
    let geometry = Geometry::read(storage)?;
    let table = Table::read(storage, &geometry)?;
    examine(storage, &geometry, &table)
}

/// As [`check`], with geometry and table at hand.
pub(crate) fn examine(
    storage: &dyn ReadAt,
    geometry: &Geometry,
    table: &Table,
) -> Result<CheckReport, FatError> {
    same_copies(storage, geometry, table)?;
    Ok(examine_active(storage, geometry, table)?.0)
}

/// As [`examine`], but for the active copy of the table only. Returns the lost clusters too.
pub(crate) fn examine_active(
    storage: &dyn ReadAt,
    geometry: &Geometry,
    table: &Table,
) -> Result<(CheckReport, Vec<u32>), FatError> {
    let (claims, orphaned_names) = walk(storage, geometry, table)?;
    let clusters = geometry.clusters;
    let allocated =
        |cluster: u32| !matches!(link(geometry, table.value(cluster)), Link::Free | Link::Bad);
    let lost: Vec<u32> = (2..clusters + 2).filter(|&c| allocated(c) && !claims.has(c)).collect();
    let stated = fsinfo::free(storage, geometry)?;
    let report = CheckReport {
        dirty: is_dirty(storage, geometry, table)?,
        lost_clusters: u32::try_from(lost.len()).unwrap_or(u32::MAX),
        orphaned_names,
        wrong_free_count: stated.is_some_and(|stated| stated != table.free()),
    };
    Ok((report, lost))
}

/// Errors where a copy of the table differs from the active one.
pub(crate) fn same_copies(
    storage: &dyn ReadAt,
    geometry: &Geometry,
    table: &Table,
) -> Result<(), FatError> {
    if !geometry.mirrored {
        return Ok(());
    }
    let bits = match geometry.variant {
        FatVariant::Fat12 => 12,
        FatVariant::Fat16 => 16,
        FatVariant::Fat32 => 32,
    };
    // What lies behind the last entry is not looked at by anybody.
    let length = ((u64::from(geometry.clusters) + 2) * bits).div_ceil(8);
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(table.bytes().len());
    for copy in 0..geometry.tables {
        let other = storage.read_vec(geometry.table(copy), length)?;
        let difference = other.iter().zip(table.bytes()).position(|(a, b)| a != b);
        if let Some(byte) = difference {
            let entry = byte as u64 * 8 / bits;
            return Err(FatError::TablesDiffer {
                copy,
                entry: u32::try_from(entry).unwrap_or(u32::MAX),
            });
        }
    }
    Ok(())
}

/// Returns whether the volume was mounted for writing when it was copied: a bit in the
/// table's second entry that Windows clears, or one in the boot sector that Linux sets.
fn is_dirty(storage: &dyn ReadAt, geometry: &Geometry, table: &Table) -> Result<bool, FatError> {
    let (clean, state) = match geometry.variant {
        FatVariant::Fat12 => (None, 37),
        FatVariant::Fat16 => (Some(0x8000), 37),
        FatVariant::Fat32 => (Some(0x0800_0000), 65),
    };
    let mut byte = [0];
    storage.read_at(state, &mut byte)?;
    Ok(byte[0] & 1 != 0 || clean.is_some_and(|bit| table.value(1) & bit == 0))
}

/// Which clusters belong to files and directories.
#[derive(Debug)]
struct Claims(Vec<u64>);

impl Claims {
    fn new(clusters: u32) -> Self {
        Claims(vec![0; (clusters as usize + 2).div_ceil(64)])
    }

    fn has(&self, cluster: u32) -> bool {
        let word = self.0.get(cluster as usize / 64).copied().unwrap_or(u64::MAX);
        word >> (cluster % 64) & 1 == 1
    }

    /// Claims a cluster, and returns whether it was free to claim.
    fn take(&mut self, cluster: u32) -> bool {
        let was_free = !self.has(cluster);
        if let Some(word) = self.0.get_mut(cluster as usize / 64) {
            *word |= 1 << (cluster % 64);
        }
        was_free
    }
}

/// Walks the tree. Returns the clusters in use, and whether there are orphaned names.
fn walk(
    storage: &dyn ReadAt,
    geometry: &Geometry,
    table: &Table,
) -> Result<(Claims, bool), FatError> {
    let mut claims = Claims::new(geometry.clusters);
    let mut orphaned = false;
    if let DirPlace::Chain(root) = geometry.root {
        claim(&mut claims, &chain(table, geometry, root, u64::MAX)?, "/")?;
    }
    // A directory, its path, and the first cluster of the one above it (0 for the root).
    let mut ahead = vec![(geometry.root.clone(), String::new(), 0)];
    while let Some((place, path, above)) = ahead.pop() {
        let directory = Directory::read(storage, geometry, table, &place)?;
        orphaned |= directory.parsed.orphaned_pieces;
        let records = &directory.parsed.records;
        let mut here = 0;
        if let DirPlace::Chain(first) = place
            && !path.is_empty()
        {
            here = first;
            dots(geometry, records, &path, here, above)?;
        }
        let mut names = HashSet::new();
        let skip = if path.is_empty() { 0 } else { 2 };
        for record in records.iter().skip(skip) {
            let path = format!("{path}/{}", record.name);
            let damaged = |reason| Err(FatError::Damaged { path: path.clone(), reason });
            if record.is_label() {
                continue;
            }
            if record.is_dot() {
                return damaged("is where only a file or directory may be");
            }
            if !names.insert(record.short()) {
                return damaged("has the name of another file in its directory");
            }
            let first = first_cluster(geometry, record);
            if record.is_directory() {
                if record.size() != 0 {
                    return damaged("is a directory with a file size");
                }
                claim(&mut claims, &chain(table, geometry, first, u64::MAX)?, &path)?;
                ahead.push((DirPlace::Chain(first), path, here));
            } else {
                file(geometry, table, &mut claims, record, &path)?;
            }
        }
    }
    Ok((claims, orphaned))
}

fn claim(claims: &mut Claims, chain: &[u32], path: &str) -> Result<(), FatError> {
    if chain.iter().all(|&cluster| claims.take(cluster)) {
        return Ok(());
    }
    let path = path.to_owned();
    Err(FatError::Damaged { path, reason: "shares clusters with another file or directory" })
}

/// Checks that a file has the clusters that its size asks for.
fn file(
    geometry: &Geometry,
    table: &Table,
    claims: &mut Claims,
    record: &Record,
    path: &str,
) -> Result<(), FatError> {
    let damaged = |reason| Err(FatError::Damaged { path: path.to_owned(), reason });
    let first = first_cluster(geometry, record);
    let size = u64::from(record.size());
    if size == 0 {
        return if first == 0 { Ok(()) } else { damaged("is empty but has clusters") };
    }
    let chain = chain(table, geometry, first, u64::MAX)?;
    let room = chain.len() as u64 * geometry.cluster_size;
    if room < size {
        return damaged("is longer than its clusters");
    }
    if room - size >= geometry.cluster_size {
        return damaged("has more clusters than its size needs");
    }
    claim(claims, &chain, path)
}

/// Checks the `.` and `..` that a directory begins with.
fn dots(
    geometry: &Geometry,
    records: &[Record],
    path: &str,
    here: u32,
    above: u32,
) -> Result<(), FatError> {
    let damaged = |reason| Err(FatError::Damaged { path: path.to_owned(), reason });
    let [dot, dots, ..] = records else { return damaged("is a directory without . and ..") };
    if !(dot.is_dot() && dot.is_directory() && dot.short()[1] == b' ') {
        return damaged("is a directory without . at its beginning");
    }
    if !(dots.is_dot() && dots.is_directory() && dots.short()[1] == b'.') {
        return damaged("is a directory without .. behind its .");
    }
    if first_cluster(geometry, dot) != here {
        return damaged("is a directory whose . leads elsewhere");
    }
    if first_cluster(geometry, dots) != above {
        return damaged("is a directory whose .. leads elsewhere");
    }
    Ok(())
}
