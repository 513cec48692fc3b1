//! Raw images: sparse files that are written side by side in one pass over the base.

use std::{
    panic::resume_unwind,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, ScopedJoinHandle},
};

use block_io::Extents;
use platform::{
    PositionedFile as _,
    sparse::{Advice, advise},
};

use super::{
    OutputError,
    digest::{Sha256Sum, SparseDigests},
    directory::OutputDirectory,
    earlier::{begin_as_earlier, differing, is_much_alike},
    emit::{EmitPlan, WrittenImage, require_space},
    partial::{PartialFile, TemporaryFile},
    pieces::{CardBytes, RangeSum, SharedPiece, cut, non_zero},
    reflink,
};
use crate::{
    Cancel, Cancelled,
    progress::{BuildProgress, BuildStage, RunningStage},
};

/// The number of pieces that may wait for one writer. More would only cost memory.
const QUEUE: usize = 4;

/// After how many bytes the kernel is asked to write them out, so that the disk works from the
/// start and not only at the final sync.
const WRITE_OUT: u64 = 16 << 20;

/// A file to be written.
struct ImageTarget {
    image: PartialFile,
    begins: Beginning,
}

impl ImageTarget {
    /// Makes the file what it is before it is written.
    fn begin(&mut self, card: &CardBytes, size: u64) -> Result<(), OutputError> {
        let ImageTarget { image, begins } = self;
        if let Beginning::Earlier = begins
            && !begin_as_earlier(image, card).map_err(OutputError::io("update", image.target()))?
        {
            *begins = Beginning::Hole;
        }
        if let Beginning::Hole = begins {
            image.file.set_len(size).map_err(OutputError::io("write", image.path()))?;
        }
        Ok(())
    }
}

/// What a file holds before it is written.
enum Beginning {
    /// Nothing: it is one large hole.
    Hole,
    /// The blocks of the base, which it shares. It differs from the base here.
    Base(Extents),
    /// The image of an earlier run.
    Earlier,
}

pub(super) fn write(
    plan: &EmitPlan,
    directory: &OutputDirectory,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<Vec<WrittenImage>, OutputError> {
    let targets = prepare(plan, directory)?;
    let union = plan.union();
    // Hashing whole images, including their holes, takes longer than writing them.
    let total = if plan.raw_sums {
        plan.size() * plan.cards.len() as u64
    } else {
        plan.cards.iter().map(|card| card.used().total()).sum()
    };
    let running = RunningStage::begin(progress, BuildStage::WriteImages, total);
    let stop = StopSignal::new(cancel);
    let (images, digests) = thread::scope(|scope| {
        let (stop, running) = (&stop, &running);
        let mut queues = Vec::new();
        let mut queue = || {
            let (queue, pieces) = sync_channel(QUEUE);
            queues.push(queue);
            pieces
        };
        let mut writers = Vec::new();
        for (card, target) in plan.cards.iter().zip(targets) {
            let pieces = queue();
            writers.push(scope.spawn(move || {
                let running = (!plan.raw_sums).then_some(running);
                stop.on_failure(write_file(card, target, pieces, running, stop))
            }));
        }
        let mut digesters = Vec::new();
        for cards in plan.cards.chunks(cards_per_digester(plan.cards.len())) {
            let pieces = queue();
            let size = plan.raw_sums.then_some(plan.size());
            digesters.push(
                scope.spawn(move || stop.on_failure(digest(cards, pieces, size, running, stop))),
            );
        }
        stop.on_failure(read_pieces(plan, &union, queues, stop));
        let images: Option<Vec<_>> = writers.into_iter().map(join).collect();
        let digests: Option<Vec<_>> = digesters.into_iter().map(join).collect();
        (images, digests)
    });
    stop.result()?;
    let images = images.into_iter().flatten();
    let digests = digests.into_iter().flatten().flatten();
    Ok(images
        .zip(digests)
        .map(|(image, (sum, ranges))| WrittenImage { image, sum, ranges })
        .collect())
}

/// Returns the number of images that one thread hashes: two if there are more images than
/// cores, which is faster than one after the other.
fn cards_per_digester(cards: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cards > cores { 2 } else { 1 }
}

fn join<T>(thread: ScopedJoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Stops all work at the first failure, or when the user asks for it.
struct StopSignal<'a> {
    asked: &'a Cancel,
    failed: Cancel,
    /// The first failure. Later ones may only be consequences of it.
    failure: Mutex<Option<OutputError>>,
}

impl<'a> StopSignal<'a> {
    fn new(asked: &'a Cancel) -> Self {
        StopSignal { asked, failed: Cancel::new(), failure: Mutex::default() }
    }

    fn check(&self) -> Result<(), Cancelled> {
        self.failed.check()?;
        self.asked.check()
    }

    /// Returns the result of a part of the work. If it failed, the other parts are stopped.
    fn on_failure<T>(&self, result: Result<T, OutputError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                self.failed.cancel();
                None
            }
        }
    }

    fn result(self) -> Result<(), OutputError> {
        let failure = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(()), Err)
    }
}

/// Creates the files, which share the base's blocks where possible, and makes sure that there
/// is room for the rest.
fn prepare(plan: &EmitPlan, directory: &OutputDirectory) -> Result<Vec<ImageTarget>, OutputError> {
    let mut targets = Vec::new();
    let mut needed = 0;
    for (card, mut image) in plan.cards.iter().zip(plan.begin(directory)?) {
        let cloned = match &plan.base {
            Some(base) => reflink::clone_base(base, &mut image, card.used(), plan.size())
                .map_err(OutputError::io("write", image.path()))?,
            None => false,
        };
        let begins = if cloned {
            let mut differs = plan.shared.changed();
            differs.extend(card.changed());
            Beginning::Base(differs)
        } else if plan.may_update(&image) && is_much_alike(&image, card) {
            Beginning::Earlier
        } else {
            Beginning::Hole
        };
        needed += match &begins {
            Beginning::Base(differs) => differs.total(),
            // It has what it needs, but for what differs, which is little.
            Beginning::Earlier => 0,
            Beginning::Hole => plan.data_bytes()?,
        };
        targets.push(ImageTarget { image, begins });
    }
    let each = needed / targets.len().max(1) as u64;
    require_space(directory, needed + each * plan.later as u64)?;
    for (card, target) in plan.cards.iter().zip(&mut targets) {
        target.begin(card, plan.size())?;
    }
    Ok(targets)
}

/// Reads each piece of the shared storage once and hands it to all workers.
fn read_pieces(
    plan: &EmitPlan,
    union: &Extents,
    queues: Vec<SyncSender<Arc<SharedPiece>>>,
    stop: &StopSignal,
) -> Result<(), OutputError> {
    for range in cut(union) {
        stop.check()?;
        let piece = Arc::new(SharedPiece::read(&plan.shared, range, &plan.shared_used)?);
        for queue in &queues {
            // A worker that is gone has failed, and reports that when it is joined.
            if queue.send(piece.clone()).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn write_file(
    card: &CardBytes,
    target: ImageTarget,
    pieces: Receiver<Arc<SharedPiece>>,
    running: Option<&RunningStage>,
    stop: &StopSignal,
) -> Result<TemporaryFile, OutputError> {
    let ImageTarget { image, begins } = target;
    let error = |source| OutputError::io("write", image.path())(source);
    let put = |offset: u64, bytes: &[u8]| image.file.write_all_at(bytes, offset).map_err(error);
    let mut pending = 0;
    for piece in pieces {
        card.each(&piece, |offset, bytes| match &begins {
            // In a new file, everything that is not written reads as zeros.
            Beginning::Hole => non_zero(offset, bytes).try_for_each(|part| {
                pending += part.len() as u64;
                put(offset + part.start as u64, &bytes[part])
            }),
            Beginning::Earlier => differing(&image.file, offset, bytes)
                .map_err(error)?
                .into_iter()
                .try_for_each(|part| {
                    pending += part.len() as u64;
                    put(offset + part.start as u64, &bytes[part])
                }),
            Beginning::Base(differs) => {
                differs.within(offset..offset + bytes.len() as u64).try_for_each(|part| {
                    let slice = (part.start - offset) as usize..(part.end - offset) as usize;
                    pending += part.end - part.start;
                    put(part.start, &bytes[slice])
                })
            }
        })?;
        if let Some(running) = running {
            running
                .advance(card.used().within(piece.range()).map(|part| part.end - part.start).sum());
        }
        if pending >= WRITE_OUT {
            pending = 0;
            // Only advice: the sync below does the rest.
            advise(&image.file, Advice::DontNeed);
        }
    }
    stop.check()?;
    image.file.sync_all().map_err(error)?;
    Ok(image.close())
}

/// The checksum of an image, if it is wanted, and those of its used ranges.
type ImageSums = (Option<Sha256Sum>, Vec<RangeSum>);

/// Returns the checksums of each image. That of the whole image is computed if its `size` is
/// given.
fn digest(
    cards: &[CardBytes],
    pieces: Receiver<Arc<SharedPiece>>,
    size: Option<u64>,
    running: &RunningStage,
    stop: &StopSignal,
) -> Result<Vec<ImageSums>, OutputError> {
    let mut whole = SparseDigests::new(cards.len());
    let mut ranges = vec![Vec::new(); cards.len()];
    let mut reported = 0;
    let mut report = |whole: &SparseDigests| {
        running.advance((whole.position() - reported) * cards.len() as u64);
        reported = whole.position();
    };
    for piece in pieces {
        match cards {
            _ if size.is_none() => {}
            [first, others @ ..] if others.iter().all(|other| first.agrees(other, &piece)) => {
                first.each(&piece, |offset, bytes| {
                    whole.update_all(offset, bytes);
                    Ok::<(), block_io::Error>(())
                })?;
            }
            _ => {
                for (number, card) in cards.iter().enumerate() {
                    card.each(&piece, |offset, bytes| {
                        whole.update(number, offset, bytes);
                        Ok::<(), block_io::Error>(())
                    })?;
                }
            }
        }
        for (card, ranges) in cards.iter().zip(&mut ranges) {
            ranges.extend(card.sums(&piece)?);
        }
        report(&whole);
    }
    let Some(size) = size else {
        return Ok(ranges.into_iter().map(|ranges| (None, ranges)).collect());
    };
    // Hashing the empty rest of a large card takes seconds, so it can be interrupted.
    const STEP: u64 = 64 << 20;
    for end in (whole.position().next_multiple_of(STEP)..size).step_by(STEP as usize) {
        stop.check()?;
        whole.update_all(end, &[]);
        report(&whole);
    }
    Ok(whole.finish(size).into_iter().map(Some).zip(ranges).collect())
}
