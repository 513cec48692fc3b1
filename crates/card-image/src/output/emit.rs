//! All images of one run.

use std::sync::Arc;

use block_io::{Extents, FileStorage, Layer, ReadAt};

use super::{
    ImageFormat, OutputError, bmap, compressed,
    digest::Sum,
    directory::Directory,
    partial::{Partial, Privacy, Temporary},
    pieces::{CardBytes, RangeSum},
    raw,
};
use crate::{Cancel, prepare::PreparedCard, progress::BuildProgress};

/// Everything that images are made from.
#[derive(Debug)]
pub(crate) struct Job {
    /// The decoded base, for filesystems that can share its blocks.
    pub base: Arc<FileStorage>,
    /// What all cards share, grown to the size of the card.
    pub shared: Arc<Layer>,
    /// What of that must be on a card, in bytes.
    pub shared_used: Extents,
    /// The cards.
    pub cards: Vec<PreparedCard>,
    /// Whether raw images are to be summed up, holes and all.
    pub raw_sums: bool,
}

/// One finished image, still under its temporary name.
#[derive(Debug)]
pub(crate) struct Emitted {
    /// The image file.
    pub image: Temporary,
    /// Its sum, if it was asked for.
    pub sum: Option<Sum>,
    /// Its block map.
    pub bmap: Temporary,
    /// The sum of the block map.
    pub bmap_sum: Sum,
    /// How many bytes of the card must be written.
    pub used_bytes: u64,
}

/// How many images are written side by side at most. Each takes two threads and
/// an open file, and a system has limits for both.
const BATCH: usize = 64;

/// What a writer of one format hands back: a file, its sum, and the sums of the
/// used ranges of the card.
pub(super) struct Written {
    pub image: Temporary,
    pub sum: Option<Sum>,
    pub ranges: Vec<RangeSum>,
}

/// What the writers of all formats work from.
pub(super) struct Plan {
    pub base: Arc<FileStorage>,
    pub shared: Arc<Layer>,
    pub shared_used: Extents,
    pub cards: Vec<CardBytes>,
    /// The names of the image files, in the order of the cards.
    pub names: Vec<String>,
    /// Whether raw images are to be summed up.
    pub raw_sums: bool,
    /// How many more cards are to be written after these.
    pub later: usize,
}

impl Plan {
    fn new(job: &Job, cards: &[PreparedCard], later: usize, format: ImageFormat) -> Self {
        let size = job.shared.size();
        Plan {
            base: job.base.clone(),
            shared: job.shared.clone(),
            shared_used: whole_blocks(&job.shared_used, size),
            cards: cards
                .iter()
                .map(|card| CardBytes::new(card.layer.clone(), whole_blocks(&card.used, size)))
                .collect(),
            names: cards
                .iter()
                .map(|card| format!("{}.{}", card.name, format.extension()))
                .collect(),
            raw_sums: job.raw_sums,
            later,
        }
    }

    /// The size of every image, in bytes.
    pub fn size(&self) -> u64 {
        self.shared.size()
    }

    /// What any of the cards uses.
    pub fn union(&self) -> Extents {
        let mut union = self.shared_used.clone();
        for card in &self.cards {
            union.extend(card.used());
        }
        union
    }

    /// Begins the image file of each card, readable by its owner alone: it
    /// holds private keys.
    pub fn begin(&self, directory: &Directory) -> Result<Vec<Partial>, OutputError> {
        self.names.iter().map(|name| directory.begin(name, Privacy::Private)).collect()
    }

    /// How many of the used bytes of the shared storage may not be zeros.
    pub fn data_bytes(&self) -> Result<u64, OutputError> {
        let mut data = 0;
        let mut at = 0;
        while let Some(range) = self.shared.next_data(at)? {
            at = range.end;
            data += self.shared_used.within(range).map(|part| part.end - part.start).sum::<u64>();
        }
        Ok(data)
    }
}

/// Rounds ranges outwards to whole blocks of the block map.
fn whole_blocks(used: &Extents, size: u64) -> Extents {
    let unit = bmap::BLOCK_SIZE;
    used.iter()
        .map(|range| range.start / unit * unit..range.end.next_multiple_of(unit).min(size))
        .collect()
}

/// Writes the image of every card, side by side, into `directory`.
///
/// # Errors
/// [`OutputError`]; the directory is as it was then.
pub(crate) fn emit(
    job: &Job,
    directory: &Directory,
    format: ImageFormat,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<Vec<Emitted>, OutputError> {
    let mut emitted = Vec::new();
    let mut later = job.cards.len();
    for cards in job.cards.chunks(BATCH) {
        later -= cards.len();
        let plan = Plan::new(job, cards, later, format);
        emitted.extend(emit_batch(&plan, cards, directory, format, progress, cancel)?);
    }
    Ok(emitted)
}

fn emit_batch(
    plan: &Plan,
    cards: &[PreparedCard],
    directory: &Directory,
    format: ImageFormat,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<Vec<Emitted>, OutputError> {
    let written = match format {
        ImageFormat::Raw => raw::write(plan, directory, progress, cancel)?,
        packed => compressed::write(plan, packed, directory, progress, cancel)?,
    };
    let finish = |(card, written): (&PreparedCard, Written)| {
        let map = bmap::render(plan.size(), &written.ranges);
        let bmap = directory.begin_with(&format!("{}.img.bmap", card.name), map.as_bytes())?;
        Ok(Emitted {
            image: written.image,
            sum: written.sum,
            bmap_sum: super::digest::sum(map.as_bytes()),
            bmap,
            used_bytes: written.ranges.iter().map(|(range, _)| range.end - range.start).sum(),
        })
    };
    cards.iter().zip(written).map(finish).collect()
}

/// Errors unless the directory's filesystem has room for `needed` bytes more.
pub(super) fn require_space(directory: &Directory, needed: u64) -> Result<(), OutputError> {
    let path = directory.path();
    let space = rustix::fs::statvfs(path)
        .map_err(|errno| OutputError::io("look at the free space of", path)(errno.into()))?;
    let available = space.f_bavail.saturating_mul(space.f_frsize);
    if available < needed {
        return Err(OutputError::NoSpace { path: path.to_owned(), needed, available });
    }
    Ok(())
}
