//! Raw images: sparse files, written side by side from one pass over the base.

use std::{
    os::unix::fs::FileExt as _,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, ScopedJoinHandle},
};

use block_io::Extents;
use rustix::fs::Advice;

use super::{
    OutputError,
    digest::{SparseDigests, Sum},
    directory::Directory,
    emit::{Plan, Written, require_space},
    partial::{Partial, Temporary},
    pieces::{CardBytes, Piece, RangeSum, cut, non_zero},
    reflink,
};
use crate::{
    Cancel, Cancelled,
    progress::{BuildProgress, BuildStage, Running},
};

/// How many pieces may wait for one writer. More only costs memory.
const QUEUE: usize = 4;

/// After how many bytes the kernel is asked to begin writing them out, so that
/// the disk works from the start and not only at the final sync.
const WRITE_OUT: u64 = 16 << 20;

/// A file to be written.
struct Target {
    image: Partial,
    /// Where the file differs from the base whose blocks it shares; `None`: it
    /// shares nothing, and begins as one large hole.
    differs: Option<Extents>,
}

pub(super) fn write(
    plan: &Plan,
    directory: &Directory,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<Vec<Written>, OutputError> {
    let targets = prepare(plan, directory)?;
    let union = plan.union();
    // Summing up whole images, holes and all, takes longer than writing them.
    let total = match plan.raw_sums {
        true => plan.size() * plan.cards.len() as u64,
        false => union.total(),
    };
    let running = Running::begin(progress, BuildStage::WriteImages, total);
    let stop = Stop::new(cancel);
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
            writers
                .push(scope.spawn(move || stop.on_failure(write_file(card, target, pieces, stop))));
        }
        let mut digesters = Vec::new();
        for cards in plan.cards.chunks(cards_per_digester(plan.cards.len())) {
            let pieces = queue();
            let size = plan.raw_sums.then_some(plan.size());
            digesters.push(
                scope.spawn(move || stop.on_failure(digest(cards, pieces, size, running, stop))),
            );
        }
        stop.on_failure(read_pieces(plan, &union, queues, running, stop));
        let images: Option<Vec<_>> = writers.into_iter().map(join).collect();
        let digests: Option<Vec<_>> = digesters.into_iter().map(join).collect();
        (images, digests)
    });
    stop.result()?;
    let images = images.into_iter().flatten();
    let digests = digests.into_iter().flatten().flatten();
    Ok(images.zip(digests).map(|(image, (sum, ranges))| Written { image, sum, ranges }).collect())
}

/// How many images one thread sums up: two where there are more images than
/// cores, which is quicker than one after the other.
fn cards_per_digester(cards: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cards > cores { 2 } else { 1 }
}

fn join<T>(thread: ScopedJoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Ends all work at the first failure, or when the user asks for it.
struct Stop<'a> {
    asked: &'a Cancel,
    failed: Cancel,
    /// The first failure; all later ones may only follow from it.
    failure: Mutex<Option<OutputError>>,
}

impl<'a> Stop<'a> {
    fn new(asked: &'a Cancel) -> Self {
        Stop { asked, failed: Cancel::new(), failure: Mutex::default() }
    }

    fn check(&self) -> Result<(), Cancelled> {
        self.failed.check()?;
        self.asked.check()
    }

    /// What a part of the work gave; if it failed, the other parts need not go on.
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

/// Makes the files, sharing the base's blocks where that can be, and makes sure
/// that there is room for the rest.
fn prepare(plan: &Plan, directory: &Directory) -> Result<Vec<Target>, OutputError> {
    let mut targets = Vec::new();
    let mut needed = 0;
    for (card, image) in plan.cards.iter().zip(plan.begin(directory)?) {
        let cloned = reflink::clone_base(&plan.base, &image.file, card.used(), plan.size())
            .map_err(OutputError::io("write", image.path()))?;
        let differs = cloned.then(|| {
            let mut differs = plan.shared.changed();
            differs.extend(card.changed());
            differs
        });
        if differs.is_none() {
            image.file.set_len(plan.size()).map_err(OutputError::io("write", image.path()))?;
        }
        needed += match &differs {
            Some(differs) => differs.total(),
            None => plan.data_bytes()?,
        };
        targets.push(Target { image, differs });
    }
    let each = needed / targets.len().max(1) as u64;
    require_space(directory, needed + each * plan.later as u64)?;
    Ok(targets)
}

/// Reads each piece of the shared storage once and hands it to all workers.
fn read_pieces(
    plan: &Plan,
    union: &Extents,
    queues: Vec<SyncSender<Arc<Piece>>>,
    running: &Running,
    stop: &Stop,
) -> Result<(), OutputError> {
    for range in cut(union) {
        stop.check()?;
        let length = range.end - range.start;
        let piece = Arc::new(Piece::read(&plan.shared, range, &plan.shared_used)?);
        for queue in &queues {
            // A worker that is gone has failed, and says so when it is joined.
            if queue.send(piece.clone()).is_err() {
                return Ok(());
            }
        }
        if !plan.raw_sums {
            running.advance(length);
        }
    }
    Ok(())
}

fn write_file(
    card: &CardBytes,
    target: Target,
    pieces: Receiver<Arc<Piece>>,
    stop: &Stop,
) -> Result<Temporary, OutputError> {
    let Target { image, differs } = target;
    let error = |source| OutputError::io("write", image.path())(source);
    let put = |offset: u64, bytes: &[u8]| image.file.write_all_at(bytes, offset).map_err(error);
    let mut pending = 0;
    for piece in pieces {
        card.each(&piece, |offset, bytes| match &differs {
            // In a fresh file all that is not written reads as zeros.
            None => non_zero(offset, bytes).try_for_each(|part| {
                pending += part.len() as u64;
                put(offset + part.start as u64, &bytes[part])
            }),
            Some(differs) => {
                differs.within(offset..offset + bytes.len() as u64).try_for_each(|part| {
                    let slice = (part.start - offset) as usize..(part.end - offset) as usize;
                    pending += part.end - part.start;
                    put(part.start, &bytes[slice])
                })
            }
        })?;
        if pending >= WRITE_OUT {
            pending = 0;
            // Advice only: what it cannot do is done by the sync below.
            let _ = rustix::fs::fadvise(&image.file, 0, None, Advice::DontNeed);
        }
    }
    stop.check()?;
    image.file.sync_all().map_err(error)?;
    Ok(image.close())
}

/// The sum of an image, if it is wanted, and those of its used ranges.
type Sums = (Option<Sum>, Vec<RangeSum>);

/// The sums of each image; that of the whole image, if its `size` is given.
fn digest(
    cards: &[CardBytes],
    pieces: Receiver<Arc<Piece>>,
    size: Option<u64>,
    running: &Running,
    stop: &Stop,
) -> Result<Vec<Sums>, OutputError> {
    let mut whole = SparseDigests::new(cards.len());
    let mut ranges = vec![Vec::new(); cards.len()];
    let mut told = 0;
    let mut tell = |whole: &SparseDigests| {
        running.advance((whole.position() - told) * cards.len() as u64);
        told = whole.position();
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
        tell(&whole);
    }
    let Some(size) = size else {
        return Ok(ranges.into_iter().map(|ranges| (None, ranges)).collect());
    };
    // The empty rest of a large card takes seconds: nobody shall wait for it in vain.
    const STEP: u64 = 64 << 20;
    for end in (whole.position().next_multiple_of(STEP)..size).step_by(STEP as usize) {
        stop.check()?;
        whole.update_all(end, &[]);
        tell(&whole);
    }
    Ok(whole.finish(size).into_iter().map(Some).zip(ranges).collect())
}
