//! Whom bytes of a filesystem belong to, to name what is lost with an unreadable sector.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use block_io::{Extents, ReadAt};

use crate::{
    Result, bitmap,
    census::Census,
    inode::{BAD_BLOCKS, ROOT},
    source::{Files, Source as _},
    used::used_extents,
};

/// The owner of blocks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BlockOwner {
    /// Nobody: the blocks are free.
    Free,
    /// The filesystem itself: superblocks, descriptors, bitmaps, inode tables or the journal.
    Filesystem,
    /// A file or directory: its contents, its mapping or its attributes.
    File {
        /// Its inode number.
        inode: u32,
        /// Its path, or one of them; `None` if no directory has it.
        path: Option<Vec<u8>>,
    },
}

/// Bytes of a filesystem with their owner.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnedBytes {
    /// The owner.
    pub owner: BlockOwner,
    /// The bytes, counted from the beginning of the filesystem.
    pub bytes: Extents,
}

/// Returns whom these bytes of a filesystem belong to, each owner once. Bytes beyond the end of
/// the filesystem have no owner.
///
/// All inodes are read, and as many directories as it takes to find the names.
///
/// # Errors
/// Damage; a journal that was not replayed; [`Error::Storage`](crate::Error::Storage).
pub fn owners(storage: Arc<dyn ReadAt>, wanted: &Extents) -> Result<Vec<OwnedBytes>> {
    let files = Files::open(storage.clone())?;
    let (fs, geometry) = (files.fs(), &files.fs().geometry);
    let bytes = |blocks: Range<u64>| geometry.offset(blocks.start)..geometry.offset(blocks.end);
    let whole = 0..geometry.bytes();
    let mut known = Extents::new();

    let mut own = Extents::new();
    for group in 0..geometry.groups {
        let tables = bitmap::own_metadata(geometry, &fs.descriptors.get(group));
        let tables = tables.into_iter().map(|(_, blocks)| blocks);
        for blocks in tables.chain([geometry.base_range(group)]) {
            wanted.within(bytes(blocks)).for_each(|part| own.insert(part));
        }
    }

    let journal = fs.superblock.s_journal_inum();
    let first = fs.superblock.first_inode();
    let mut by_inode: BTreeMap<u32, Extents> = BTreeMap::new();
    for owner in Census::take(fs, &storage)?.owners {
        let contents = owner.mapping.runs.iter().map(|run| run.blocks());
        let nodes = owner.mapping.nodes.iter().map(|&block| block..block + 1);
        let attributes = Some(owner.attributes).filter(|&block| block != 0);
        let attributes = attributes.map(|block| block..block + 1);
        for blocks in contents.chain(nodes).chain(attributes) {
            for part in wanted.within(bytes(blocks)) {
                let is_own = owner.number == journal
                    || owner.number == BAD_BLOCKS
                    || (owner.number < first && owner.number != ROOT);
                if is_own {
                    own.insert(part);
                } else {
                    by_inode.entry(owner.number).or_default().insert(part);
                }
            }
        }
    }
    known.extend(&own);
    by_inode.values().for_each(|parts| known.extend(parts));

    // What is in use and belongs to no inode is reserved for descriptors.
    let used = used_extents(&storage)?;
    let mut free = Extents::new();
    for range in wanted.within(whole) {
        for unknown in known.gaps(range) {
            used.within(unknown.clone()).for_each(|part| own.insert(part));
            used.gaps(unknown).for_each(|part| free.insert(part));
        }
    }

    let mut paths = paths(&files, by_inode.keys().copied().collect());
    let file = |(inode, bytes): (u32, Extents)| OwnedBytes {
        owner: BlockOwner::File { inode, path: paths.remove(&inode) },
        bytes,
    };
    let mut found: Vec<OwnedBytes> = by_inode.into_iter().map(file).collect();
    found.push(OwnedBytes { owner: BlockOwner::Filesystem, bytes: own });
    found.push(OwnedBytes { owner: BlockOwner::Free, bytes: free });
    found.retain(|owned| !owned.bytes.is_empty());
    Ok(found)
}

/// Finds paths of inodes. Directories that cannot be read are left out.
fn paths(files: &Files, mut wanted: BTreeSet<u32>) -> BTreeMap<u32, Vec<u8>> {
    let mut found = BTreeMap::new();
    if wanted.remove(&ROOT) {
        found.insert(ROOT, b"/".to_vec());
    }
    let mut seen = BTreeSet::from([ROOT]);
    let mut ahead = vec![(ROOT, Vec::new())];
    while let Some((directory, path)) = ahead.pop() {
        if wanted.is_empty() {
            break;
        }
        for entry in files.entries(directory).unwrap_or_default() {
            let path = [path.as_slice(), b"/", &entry.name].concat();
            if wanted.remove(&entry.inode) {
                found.insert(entry.inode, path.clone());
            }
            let is_dir = files.stat(entry.inode).is_ok_and(|metadata| metadata.is_dir());
            if is_dir && seen.insert(entry.inode) {
                ahead.push((entry.inode, path));
            }
        }
    }
    found
}
