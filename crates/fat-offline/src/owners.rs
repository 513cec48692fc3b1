//! Whom bytes of a FAT filesystem belong to.

use std::collections::{BTreeMap, HashSet};

use block_io::{Extents, ReadAt};

use crate::{
    FatError,
    dir::Directory,
    geometry::{DirPlace, Geometry},
    read::first_cluster,
    table::{Link, OnStorage, Table, chain, link},
};

/// The owner of bytes of a FAT filesystem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ClusterOwner {
    /// Boot and reserved sectors, the tables, and FAT12's and FAT16's root directory.
    Filesystem,
    /// A file or directory.
    File {
        /// Its path, which begins with a slash.
        path: String,
    },
    /// Allocated clusters that no file was found for, and what lies behind the last cluster.
    Unknown,
    /// Free clusters.
    Free,
}

/// Returns whom these bytes belong to, in the order of [`ClusterOwner`]. A directory or chain that
/// cannot be followed is left out, so that its clusters have the owner
/// [`Unknown`](ClusterOwner::Unknown).
///
/// # Errors
/// [`FatError::NotFat`] or [`FatError::TooManyClusters`]; [`FatError::Storage`] if the boot sector
/// or the table cannot be read.
pub fn owners(
    storage: &dyn ReadAt,
    wanted: &Extents,
) -> Result<Vec<(ClusterOwner, Extents)>, FatError> {
    let geometry = Geometry::read(storage)?;
    let table = Table::read(storage, &geometry)?;
    let mut found: BTreeMap<ClusterOwner, Extents> = BTreeMap::new();
    let data_end = geometry.data + u64::from(geometry.clusters) * geometry.cluster_size;
    let mut add = |owner: ClusterOwner, bytes: Extents| {
        if !bytes.is_empty() {
            found.entry(owner).or_default().extend(&bytes);
        }
    };
    add(ClusterOwner::Filesystem, wanted.within(0..geometry.data).collect());
    add(ClusterOwner::Unknown, wanted.within(data_end..u64::MAX).collect());
    let mut claimed = Extents::new();
    if wanted.within(geometry.data..data_end).next().is_some() {
        claim(storage, &geometry, &table, &mut |cluster, path| {
            let Some(range) = geometry.cluster(cluster) else { return };
            let bytes: Extents = wanted.within(range.clone()).collect();
            if !bytes.is_empty() && claimed.within(range).next().is_none() {
                claimed.extend(&bytes);
                add(ClusterOwner::File { path: path.to_owned() }, bytes);
            }
        });
    }
    let (mut free, mut unknown) = (Extents::new(), Extents::new());
    for rest in wanted.within(geometry.data..data_end).flat_map(|part| claimed.gaps(part)) {
        let mut at = rest.start;
        while at < rest.end {
            let cluster = geometry.cluster_at(at);
            let range = cluster.and_then(|cluster| geometry.cluster(cluster));
            let end = range.map_or(rest.end, |range| range.end.min(rest.end));
            let value = cluster.map(|cluster| link(&geometry, table.value(cluster)));
            let owner = if value == Some(Link::Free) { &mut free } else { &mut unknown };
            owner.insert(at..end);
            at = end;
        }
    }
    add(ClusterOwner::Free, free);
    add(ClusterOwner::Unknown, unknown);
    Ok(found.into_iter().collect())
}

/// Calls `take` with every cluster of every file and directory that can be followed.
fn claim(
    storage: &dyn ReadAt,
    geometry: &Geometry,
    table: &Table,
    take: &mut dyn FnMut(u32, &str),
) {
    // Files of a damaged filesystem can share chains; an undamaged one has each cluster once.
    let mut left = u64::from(geometry.clusters);
    let mut follow = |first: u32, path: &str, take: &mut dyn FnMut(u32, &str)| {
        let Ok(chain) = chain(table, geometry, first, left) else { return };
        left = left.saturating_sub(chain.len() as u64);
        chain.iter().for_each(|&cluster| take(cluster, path));
    };
    if let DirPlace::Chain(root) = geometry.root {
        follow(root, "/", take);
    }
    let mut seen = HashSet::new();
    let mut ahead = vec![(geometry.root.clone(), String::new())];
    while let Some((place, path)) = ahead.pop() {
        let on_storage = OnStorage { storage, geometry };
        let Ok(directory) = Directory::read(storage, geometry, &on_storage, &place) else {
            continue;
        };
        for record in &directory.parsed.records {
            if record.is_label() || record.is_dot() {
                continue;
            }
            let path = format!("{path}/{}", record.name);
            let first = first_cluster(geometry, record);
            follow(first, &path, take);
            if record.is_directory() && seen.insert(first) {
                ahead.push((DirPlace::Chain(first), path));
            }
        }
    }
}
