//! The plan of shrinking: everything that it will write.

use std::{collections::BTreeMap, sync::Arc};

use block_io::ReadAt;

use super::{build, layout, places::Places};
use crate::{
    Error, Geometry, Operation, Result, Timestamp, census::Census, check::check,
    error::ShrinkLimit, filesystem::Filesystem,
};

/// Contents of files that move. The old and the new blocks never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Move {
    /// The first block.
    pub from: u64,
    /// The first block of the new place, which is free or no longer needed.
    pub to: u64,
    /// The number of blocks.
    pub length: u64,
}

/// How a filesystem becomes smaller: what moves where, and all metadata that changes.
///
/// Making a plan checks the whole filesystem ([`check`](crate::check)) and writes nothing.
///
/// Blocks after the new end move to free blocks, in as few pieces as possible; blocks that are
/// reserved for a file but were never written move without being copied. The inodes of groups that
/// are removed get the lowest free numbers, and everything that refers to them follows: entries of
/// directories, the journal and the orphan file, attributes whose value has an inode of its own,
/// and all checksums that depend on the number. Files keep their contents, times, owners,
/// attributes, names and holes.
///
/// Features that cannot be shrunk are refused by name: `quota` and `project`, whose accounting
/// would become wrong, `stable_inodes`, `mmp`, `read-only` and `shared_blocks`.
#[derive(Debug)]
pub struct ShrinkPlan {
    pub(super) old: Geometry,
    pub(super) new: Geometry,
    limit: Option<ShrinkLimit>,
    pub(super) moves: Vec<Move>,
    /// Blocks with their new contents. They are written after all moves.
    pub(super) blocks: BTreeMap<u64, Vec<u8>>,
    pub(super) inodes_moved: u32,
}

/// A filesystem that is to be shrunk.
struct Subject<'a> {
    storage: &'a Arc<dyn ReadAt>,
    fs: Filesystem,
    census: Census,
}

impl ShrinkPlan {
    /// Plans to shrink the filesystem that fills `storage`, or its first part, to at most `target`
    /// bytes. `now` becomes its time of the last write. If it is not larger, there is nothing to
    /// do.
    ///
    /// # Errors
    /// [`Error::DoesNotFit`] with the smallest possible size; damage; a feature or a state that is
    /// not supported (a journal that was not replayed, orphans, errors); [`Error::Storage`].
    pub fn to_size(storage: &Arc<dyn ReadAt>, target: u64, now: Timestamp) -> Result<Self> {
        let subject = Subject::open(storage)?;
        let blocks = target / u64::from(subject.fs.geometry.block_size);
        if blocks >= subject.fs.geometry.blocks {
            return Ok(subject.nothing(None));
        }
        match subject.places(blocks) {
            Ok(places) => subject.plan(&places, None, now),
            Err(_) => {
                let (smallest, limit) = subject.smallest();
                let geometry =
                    smallest.as_ref().map_or(&subject.fs.geometry, |places| &places.geometry);
                // The size that was asked for may be one of the few that are worse than a
                // smaller one.
                match smallest {
                    Some(places) if places.geometry.blocks <= blocks => {
                        subject.plan(&places, None, now)
                    }
                    _ => Err(Error::DoesNotFit { target, minimum: geometry.bytes(), limit }),
                }
            }
        }
    }

    /// Plans to shrink the filesystem as far as possible. See [`limit`](Self::limit).
    ///
    /// A filesystem of this size has hardly any free blocks.
    ///
    /// # Errors
    /// As for [`to_size`](Self::to_size), except that it always fits.
    pub fn to_minimum(storage: &Arc<dyn ReadAt>, now: Timestamp) -> Result<Self> {
        let subject = Subject::open(storage)?;
        match subject.smallest() {
            (Some(places), limit) => subject.plan(&places, Some(limit), now),
            (None, limit) => Ok(subject.nothing(Some(limit))),
        }
    }

    /// The size of the filesystem after shrinking, in bytes.
    pub fn size(&self) -> u64 {
        self.new.bytes()
    }

    /// The size of the filesystem before shrinking, in bytes.
    pub fn old_size(&self) -> u64 {
        self.old.bytes()
    }

    /// Why the filesystem cannot be smaller; `None` if the plan is for a given size.
    pub fn limit(&self) -> Option<ShrinkLimit> {
        self.limit
    }

    /// The number of bytes of contents of files that move.
    pub fn bytes_to_move(&self) -> u64 {
        let blocks: u64 = self.moves.iter().map(|part| part.length).sum();
        blocks * u64::from(self.new.block_size)
    }

    /// The number of inodes that get another number.
    pub fn inodes_to_move(&self) -> u32 {
        self.inodes_moved
    }

    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.old == self.new
    }
}

impl<'a> Subject<'a> {
    fn open(storage: &'a Arc<dyn ReadAt>) -> Result<Self> {
        let fs = Filesystem::open(storage, Operation::Shrink)?;
        fs.check_state(Operation::Shrink)?;
        check(storage)?;
        let census = Census::take(&fs, storage)?;
        Ok(Subject { storage, fs, census })
    }

    /// A place for everything within this many blocks, or why there is none.
    fn places(&self, blocks: u64) -> std::result::Result<Places, ShrinkLimit> {
        let resize_inode = self.fs.superblock.features().resize_inode();
        let geometry = layout::shrunk(&self.fs.geometry, resize_inode, blocks);
        Places::find(&self.fs, &self.census, geometry.ok_or(ShrinkLimit::Format)?)
    }

    /// The smallest size, unless it is the present one, and why there is no smaller one.
    fn smallest(&self) -> (Option<Places>, ShrinkLimit) {
        let step = u64::from(self.fs.geometry.cluster_blocks);
        let mut best = None;
        // In clusters: the smallest size known to be possible, and the largest one below it that
        // is known not to be.
        let mut high = self.fs.geometry.blocks.div_ceil(step);
        loop {
            let mut low = 0;
            while high - low > 1 {
                let middle = low.midpoint(high);
                match self.places(middle * step) {
                    Ok(places) => {
                        high = places.geometry.blocks / step;
                        best = Some(places);
                        // A group that is not worth having was left out.
                        if high <= low {
                            low = 0;
                        }
                    }
                    Err(_) => low = middle,
                }
            }
            // A size with a group less may be possible even if a larger one is not, since the
            // group takes blocks itself.
            let group = best.as_ref().map_or(self.fs.geometry.groups, |best| best.geometry.groups);
            let start = self.fs.geometry.group_start(group - 1);
            match self.places(start) {
                Ok(places) if places.geometry.blocks / step < high => {
                    high = places.geometry.blocks / step;
                    best = Some(places);
                }
                _ => break,
            }
        }
        let limit = self.places((high - 1) * step).err().unwrap_or(ShrinkLimit::Blocks);
        (best, limit)
    }

    fn nothing(&self, limit: Option<ShrinkLimit>) -> ShrinkPlan {
        ShrinkPlan {
            old: self.fs.geometry.clone(),
            new: self.fs.geometry.clone(),
            limit,
            moves: Vec::new(),
            blocks: BTreeMap::new(),
            inodes_moved: 0,
        }
    }

    fn plan(
        &self,
        places: &Places,
        limit: Option<ShrinkLimit>,
        now: Timestamp,
    ) -> Result<ShrinkPlan> {
        let moves = self.moves(places);
        let blocks = build::blocks(&self.fs, self.storage, &self.census, places, &moves, now)?;
        Ok(ShrinkPlan {
            new: places.geometry.clone(),
            moves,
            blocks,
            inodes_moved: places.inodes.len() as u32,
            ..self.nothing(limit)
        })
    }

    /// The contents to copy: blocks that were never written need not be.
    fn moves(&self, places: &Places) -> Vec<Move> {
        let mut moves = Vec::new();
        for (&index, new) in &places.mappings {
            let Some(owner) = self.census.owners.get(index) else { continue };
            for run in owner.mapping.runs.iter().filter(|run| !run.unwritten) {
                let mut at = run.logical;
                while at < run.end()
                    && let Some(place) = new.find(at)
                {
                    let from = run.physical + (at - run.logical);
                    let length = place.length.min(run.end() - at);
                    if place.physical != from {
                        moves.push(Move { from, to: place.physical, length });
                    }
                    at += length;
                }
            }
        }
        // In this order, cards and files are read forward.
        moves.sort_unstable_by_key(|part| part.from);
        moves
    }
}
