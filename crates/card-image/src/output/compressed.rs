//! Compressed images, assembled from blocks that are compressed once for all images that share
//! them.
//!
//! In all three formats a file can be a sequence of parts that were compressed separately:
//! blocks (xz), frames (Zstandard), members (gzip).

use std::{
    io::Write as _,
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use block_io::{Extents, Layer, ReadAt};
use sha2::{Digest as _, Sha256};

use super::{
    ImageFormat, OutputError,
    digest::sum,
    directory::OutputDirectory,
    emit::{EmitPlan, WrittenImage, require_space},
    partial::PartialFile,
    pieces::RangeSum,
    xz,
};
use crate::{
    Cancel,
    progress::{BuildProgress, BuildStage, RunningStage},
};

/// The number of bytes of an image that are compressed at once. It is what a reader needs in
/// memory, and the unit that images share.
const BLOCK: u64 = 4 << 20;

const ZSTD_LEVEL: i32 = 9;

/// A compressed part of one or more images.
#[derive(Debug)]
struct PackedPart {
    packed: PackedBytes,
    /// The checksums of the used parts in it.
    ranges: Vec<RangeSum>,
}

#[derive(Debug)]
enum PackedBytes {
    Xz(xz::XzBlock),
    /// Bytes that only need to be concatenated.
    Plain(Vec<u8>),
}

/// A block to be compressed, of the shared storage or of one card.
struct BlockSource<'a> {
    layer: &'a Layer,
    used: &'a Extents,
    range: Range<u64>,
}

impl BlockSource<'_> {
    fn pack(&self, format: ImageFormat) -> Result<PackedPart, OutputError> {
        let mut bytes = vec![0; (self.range.end - self.range.start) as usize];
        let mut ranges = Vec::new();
        for range in self.used.within(self.range.clone()) {
            let start = (range.start - self.range.start) as usize;
            let slice = &mut bytes[start..start + (range.end - range.start) as usize];
            self.layer.read_at(range.start, slice)?;
            ranges.push((range, sum(slice)));
        }
        Ok(PackedPart { packed: pack(&bytes, format)?, ranges })
    }

    fn is_empty(&self) -> bool {
        self.used.within(self.range.clone()).next().is_none()
    }
}

fn pack(bytes: &[u8], format: ImageFormat) -> Result<PackedBytes, OutputError> {
    let failed = |error: std::io::Error| OutputError::Compress { reason: error.to_string() };
    Ok(match format {
        ImageFormat::Xz => PackedBytes::Xz(xz::compress(bytes)?),
        ImageFormat::Zst => {
            let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(failed)?;
            encoder.include_checksum(true).map_err(failed)?;
            encoder.set_pledged_src_size(Some(bytes.len() as u64)).map_err(failed)?;
            encoder.write_all(bytes).map_err(failed)?;
            PackedBytes::Plain(encoder.finish().map_err(failed)?)
        }
        ImageFormat::Gz => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).map_err(failed)?;
            PackedBytes::Plain(encoder.finish().map_err(failed)?)
        }
        ImageFormat::Raw => PackedBytes::Plain(bytes.to_vec()),
    })
}

/// An image file that is being written.
struct CompressedImage {
    partial: PartialFile,
    hasher: Sha256,
    index: xz::XzIndex,
    ranges: Vec<RangeSum>,
}

impl CompressedImage {
    fn put(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.hasher.update(bytes);
        let path = self.partial.path().to_owned();
        self.partial.file.write_all(bytes).map_err(OutputError::io("write", path))
    }

    fn add(&mut self, part: &PackedPart) -> Result<(), OutputError> {
        self.ranges.extend(part.ranges.iter().cloned());
        match &part.packed {
            PackedBytes::Xz(block) => {
                self.index.add(block);
                self.put(&block.bytes)
            }
            PackedBytes::Plain(bytes) => self.put(bytes),
        }
    }

    fn finish(mut self, format: ImageFormat) -> Result<WrittenImage, OutputError> {
        if format == ImageFormat::Xz {
            self.put(&self.index.render())?;
        }
        self.partial.file.sync_all().map_err(OutputError::io("write", self.partial.path()))?;
        Ok(WrittenImage {
            image: self.partial.close(),
            sum: Some(self.hasher.finalize().into()),
            ranges: self.ranges,
        })
    }
}

pub(super) fn write(
    plan: &EmitPlan,
    format: ImageFormat,
    directory: &OutputDirectory,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<Vec<WrittenImage>, OutputError> {
    // The compressed size is known only afterwards. Systems shrink to a half or a third: what
    // would not fit even then is refused at once, everything else is tried.
    let cards = (plan.cards.len() + plan.later) as u64;
    require_space(directory, plan.data_bytes()? / 3 * cards)?;
    let mut images = Vec::new();
    for partial in plan.begin(directory)? {
        let (hasher, index) = (Sha256::new(), xz::XzIndex::default());
        let mut image = CompressedImage { partial, hasher, index, ranges: Vec::new() };
        if format == ImageFormat::Xz {
            image.put(&xz::header())?;
        }
        images.push(image);
    }

    let running = RunningStage::begin(progress, BuildStage::WriteImages, plan.size());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut empty = None;
    let mut at = 0;
    while at < plan.size() {
        cancel.check()?;
        // A batch of blocks: all of their sources are compressed by all threads, then every
        // image takes its own in order.
        let mut sources = Vec::new();
        let mut blocks = Vec::new();
        let start = at;
        while at < plan.size() && sources.len() < 2 * threads && blocks.len() < 1024 {
            let range = at..(at + BLOCK).min(plan.size());
            at = range.end;
            blocks.push(sources_of(plan, range, &mut sources));
        }
        let parts = pack_all(&sources, format, threads)?;
        for users in blocks {
            for (image, user) in images.iter_mut().zip(users) {
                match user {
                    BlockUse::BlockSource(number) => image.add(&parts[number])?,
                    BlockUse::Empty(length) => {
                        image.add(&*empty_part(&mut empty, length, format)?)?;
                    }
                }
            }
        }
        running.advance(at - start);
    }
    images.into_iter().map(|image| image.finish(format)).collect()
}

/// The source of one block of a card.
enum BlockUse {
    /// The source with this number.
    BlockSource(usize),
    /// Nothing in it is used. It has so many bytes.
    Empty(u64),
}

/// Adds what must be compressed for one block of all cards. Returns the source of each card.
fn sources_of<'a>(
    plan: &'a EmitPlan,
    range: Range<u64>,
    sources: &mut Vec<BlockSource<'a>>,
) -> Vec<BlockUse> {
    let mut shared = None;
    let users = plan.cards.iter().map(|card| {
        let same_use = card.used().within(range.clone()).eq(plan.shared_used.within(range.clone()));
        let is_shared = same_use && card.is_shared(range.clone());
        let source = if is_shared {
            BlockSource { layer: &plan.shared, used: &plan.shared_used, range: range.clone() }
        } else {
            BlockSource { layer: card.layer(), used: card.used(), range: range.clone() }
        };
        if source.is_empty() {
            return BlockUse::Empty(range.end - range.start);
        }
        if let (true, Some(number)) = (is_shared, shared) {
            return BlockUse::BlockSource(number);
        }
        sources.push(source);
        let number = sources.len() - 1;
        if is_shared {
            shared = Some(number);
        }
        BlockUse::BlockSource(number)
    });
    users.collect()
}

fn pack_all(
    sources: &[BlockSource],
    format: ImageFormat,
    threads: usize,
) -> Result<Vec<PackedPart>, OutputError> {
    let next = AtomicUsize::new(0);
    let results: Vec<OnceLock<_>> = sources.iter().map(|_| OnceLock::new()).collect();
    thread::scope(|scope| {
        for _ in 0..threads.min(sources.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(source), Some(result)) = (sources.get(number), results.get(number))
                    else {
                        return;
                    };
                    // Each number is taken once.
                    let _ = result.set(source.pack(format));
                }
            });
        }
    });
    let lost = || OutputError::Compress { reason: "a thread panicked".to_owned() };
    results.into_iter().map(|result| result.into_inner().ok_or_else(lost)?).collect()
}

/// Returns a compressed block of zeros. The last one is kept, because a card that is mostly
/// empty needs thousands.
fn empty_part(
    kept: &mut Option<(u64, Arc<PackedPart>)>,
    length: u64,
    format: ImageFormat,
) -> Result<Arc<PackedPart>, OutputError> {
    if let Some((kept_length, part)) = kept
        && *kept_length == length
    {
        return Ok(part.clone());
    }
    let packed = pack(&vec![0; length as usize], format)?;
    let part = Arc::new(PackedPart { packed, ranges: Vec::new() });
    *kept = Some((length, part.clone()));
    Ok(part)
}
