//! Whom unreadable bytes of a card belong to.

use std::{ops::Range, sync::Arc};

use block_io::{Extents, ReadAt, Window};
use ext4_offline::BlockOwner;
use fat_offline::ClusterOwner;
use plain_text::{escaped, with_causes};

use crate::{find_root::FsKind, layout::Layout};

/// Bytes of a card that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostBytes {
    /// The partition that they are in, if any.
    pub partition: Option<u32>,
    /// Whom they belong to.
    pub owner: LostOwner,
    /// The bytes, counted from the beginning of the card.
    pub ranges: Vec<Range<u64>>,
}

/// The owner of bytes that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostOwner {
    /// A file or directory.
    File {
        /// Its path in its filesystem; bytes that are not UTF-8 are replaced.
        path: String,
    },
    /// The metadata of a filesystem.
    Filesystem,
    /// Nobody: the bytes are free.
    Free,
    /// The area outside of all partitions, such as that of the boot loader.
    OutsidePartitions,
    /// Something in the partition.
    Unknown {
        /// Why it is not known what.
        reason: String,
    },
}

impl std::fmt::Display for LostOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LostOwner::File { path } => f.write_str(&escaped(path)),
            LostOwner::Filesystem => f.write_str("the filesystem's own tables"),
            LostOwner::Free => f.write_str("free space"),
            LostOwner::OutsidePartitions => f.write_str("the area outside all partitions"),
            LostOwner::Unknown { .. } => f.write_str("unknown contents"),
        }
    }
}

impl LostBytes {
    /// Returns the number of bytes.
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }
}

/// Returns bytes of a card whose layout is not known.
pub(super) fn unknown(lost: &Extents) -> Vec<LostBytes> {
    let owner = LostOwner::Unknown { reason: "the partition table was not read".to_owned() };
    vec![LostBytes { partition: None, owner, ranges: lost.iter().collect() }]
}

/// Returns whom these bytes belong to. `card` is the card after a replay of journals.
pub(super) fn owners(card: &Arc<dyn ReadAt>, layout: &Layout, lost: &Extents) -> Vec<LostBytes> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut outside = Extents::new();
    for part in &layout.partitions {
        let range = part.range.clone();
        lost.within(at..range.start.max(at)).for_each(|gap| outside.insert(gap));
        at = at.max(range.end);
        let inside: Extents = lost.within(range.clone()).collect();
        if inside.is_empty() {
            continue;
        }
        let add = |owner: LostOwner, bytes: &Extents| LostBytes {
            partition: Some(part.number),
            owner,
            ranges: bytes.iter().collect(),
        };
        match of_partition(card, &part.kind, &range, &inside) {
            Ok(owners) => {
                found.extend(owners.iter().map(|(owner, bytes)| add(owner.clone(), bytes)))
            }
            Err(reason) => found.push(add(LostOwner::Unknown { reason }, &inside)),
        }
    }
    lost.within(at..card.size().max(at)).for_each(|gap| outside.insert(gap));
    if !outside.is_empty() {
        let ranges = outside.iter().collect();
        let owner = LostOwner::OutsidePartitions;
        found.push(LostBytes { partition: None, owner, ranges });
    }
    found
}

fn of_partition(
    card: &Arc<dyn ReadAt>,
    kind: &FsKind,
    range: &Range<u64>,
    lost: &Extents,
) -> Result<Vec<(LostOwner, Extents)>, String> {
    let text = |error: &dyn std::error::Error| with_causes(error);
    let window = Window::new(card.clone(), range.start, range.end - range.start)
        .map_err(|error| text(&error))?;
    let shift = |bytes: &Extents, by: &dyn Fn(u64) -> u64| -> Extents {
        bytes.iter().map(|part| by(part.start)..by(part.end)).collect()
    };
    let inside = shift(lost, &|at| at - range.start);
    let on_card = |bytes: &Extents| shift(bytes, &|at| at + range.start);
    match kind {
        FsKind::Ext { .. } => {}
        FsKind::Fat { .. } => {
            let owned = fat_offline::owners(&window, &inside).map_err(|error| text(&error))?;
            let owner = |owner: &ClusterOwner| match owner {
                ClusterOwner::Free => LostOwner::Free,
                ClusterOwner::Filesystem => LostOwner::Filesystem,
                ClusterOwner::File { path } => LostOwner::File { path: path.clone() },
                _ => LostOwner::Unknown { reason: "no file has these clusters".to_owned() },
            };
            return Ok(owned.iter().map(|(of, bytes)| (owner(of), on_card(bytes))).collect());
        }
        _ => return Err(format!("files are not looked up in {kind}")),
    }
    let owned = ext4_offline::owners(Arc::new(window), &inside).map_err(|error| text(&error))?;
    let owner = |owner: &BlockOwner| match owner {
        BlockOwner::Free => LostOwner::Free,
        BlockOwner::File { path: Some(path), .. } => {
            LostOwner::File { path: String::from_utf8_lossy(path).into_owned() }
        }
        BlockOwner::File { inode, .. } => {
            LostOwner::File { path: format!("inode {inode}, which has no name") }
        }
        _ => LostOwner::Filesystem,
    };
    let owned = owned.iter();
    Ok(owned.map(|o| (owner(&o.owner), on_card(&o.bytes))).collect())
}
