//! Writing all images of one run.

use std::sync::Arc;

use block_io::{Extents, Layer, ReadAt};

use super::{
    ImageFormat, OutputError, bmap, compressed,
    digest::Sha256Sum,
    directory::OutputDirectory,
    partial::{PartialFile, Privacy, TemporaryFile},
    pieces::{CardBytes, RangeSum},
    raw,
};
use crate::{BaseStorage, Cancel, prepare::PreparedCard, progress::BuildProgress};

/// Everything that images are made from.
#[derive(Debug)]
pub(crate) struct EmitJob {
    /// The decoded base, whose blocks some filesystems can share, if there is one.
    pub base: Option<Arc<BaseStorage>>,
    /// What all cards share, grown to the size of the card.
    pub shared: Arc<Layer>,
    /// The bytes of that which must be on a card.
    pub shared_used: Extents,
    /// The cards.
    pub cards: Vec<PreparedCard>,
    /// The images of an earlier run that may be changed instead of being replaced.
    pub earlier: Vec<String>,
    /// What is added to the name of a card for that of its block map.
    pub map_ending: String,
    /// Whether checksums of whole raw images are computed, including their holes.
    pub raw_sums: bool,
}

/// One complete image, which still has its temporary name.
#[derive(Debug)]
pub(crate) struct EmittedImage {
    /// The image file.
    pub image: TemporaryFile,
    /// Its checksum, if it was computed.
    pub sum: Option<Sha256Sum>,
    /// Its block map.
    pub bmap: TemporaryFile,
    /// The checksum of the block map.
    pub bmap_sum: Sha256Sum,
    /// The number of bytes of the card that must be written.
    pub used_bytes: u64,
}

/// The most images that are written side by side. Each takes two threads and an open file, and
/// a system has limits for both.
const BATCH: usize = 64;

/// What the writer of a format returns: a file, its checksum, and the checksums of the used
/// ranges of the card.
pub(super) struct WrittenImage {
    pub image: TemporaryFile,
    pub sum: Option<Sha256Sum>,
    pub ranges: Vec<RangeSum>,
}

/// What the writer of a format needs.
pub(super) struct EmitPlan {
    pub base: Option<Arc<BaseStorage>>,
    pub shared: Arc<Layer>,
    pub shared_used: Extents,
    pub cards: Vec<CardBytes>,
    /// The names of the image files, in the order of the cards.
    pub names: Vec<String>,
    /// The images of an earlier run that may be changed.
    earlier: Vec<String>,
    /// Whether checksums of whole raw images are computed.
    pub raw_sums: bool,
    /// The number of cards that will be written after these.
    pub later: usize,
}

impl EmitPlan {
    fn new(job: &EmitJob, cards: &[PreparedCard], later: usize, format: ImageFormat) -> Self {
        let size = job.shared.size();
        EmitPlan {
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
            earlier: job.earlier.clone(),
            raw_sums: job.raw_sums,
            later,
        }
    }

    /// Returns the size of every image, in bytes.
    pub fn size(&self) -> u64 {
        self.shared.size()
    }

    /// Returns what any of the cards uses.
    pub fn union(&self) -> Extents {
        let mut union = self.shared_used.clone();
        for card in &self.cards {
            union.extend(card.used());
        }
        union
    }

    /// Begins the image file of each card, which only its owner can read: it holds private
    /// keys.
    pub fn begin(&self, directory: &OutputDirectory) -> Result<Vec<PartialFile>, OutputError> {
        self.names.iter().map(|name| directory.begin(name, Privacy::Private)).collect()
    }

    /// Returns whether the image of an earlier run with the name of this one may be changed.
    pub fn may_update(&self, image: &PartialFile) -> bool {
        self.earlier.iter().any(|name| name == image.name())
    }

    /// Returns the number of used bytes of the shared storage that may not be zeros.
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
/// [`OutputError`]; the directory is unchanged then.
pub(crate) fn emit(
    job: &EmitJob,
    directory: &OutputDirectory,
    format: ImageFormat,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<Vec<EmittedImage>, OutputError> {
    let mut emitted = Vec::new();
    let mut later = job.cards.len();
    for cards in job.cards.chunks(BATCH) {
        later -= cards.len();
        let plan = EmitPlan::new(job, cards, later, format);
        let written = write_batch(&plan, directory, format, progress, cancel)?;
        let finish = |(card, written)| finish(&plan, card, &job.map_ending, written, directory);
        let finished: Result<Vec<_>, OutputError> = cards.iter().zip(written).map(finish).collect();
        emitted.extend(finished?);
    }
    Ok(emitted)
}

fn write_batch(
    plan: &EmitPlan,
    directory: &OutputDirectory,
    format: ImageFormat,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<Vec<WrittenImage>, OutputError> {
    match format {
        ImageFormat::Raw => raw::write(plan, directory, progress, cancel),
        packed => compressed::write(plan, packed, directory, progress, cancel),
    }
}

/// Makes the block map of an image.
fn finish(
    plan: &EmitPlan,
    card: &PreparedCard,
    map_ending: &str,
    written: WrittenImage,
    directory: &OutputDirectory,
) -> Result<EmittedImage, OutputError> {
    let map = bmap::render(plan.size(), &written.ranges);
    let bmap = directory.begin_with(&format!("{}{map_ending}", card.name), map.as_bytes())?;
    Ok(EmittedImage {
        image: written.image,
        sum: written.sum,
        bmap_sum: super::digest::sum(map.as_bytes()),
        bmap,
        used_bytes: written.ranges.iter().map(|(range, _)| range.end - range.start).sum(),
    })
}

/// Makes sure that the directory's filesystem has room for `needed` more bytes.
pub(super) fn require_space(directory: &OutputDirectory, needed: u64) -> Result<(), OutputError> {
    let path = directory.path();
    let available =
        platform::free_space(path).map_err(OutputError::io("get the free space of", path))?;
    if available < needed {
        return Err(OutputError::NoSpace { path: path.to_owned(), needed, available });
    }
    Ok(())
}
