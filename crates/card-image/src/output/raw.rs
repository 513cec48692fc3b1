//! Raw images: sparse files, written side by side from one pass over the base.

use std::{
    os::unix::fs::FileExt as _,
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use block_io::Extents;
use rustix::fs::Advice;

use super::{
    OutputError,
    digest::{SparseDigest, Sum},
    directory::{Directory, Partial},
    emit::{Plan, Written, require_space},
    pieces::{CardBytes, Piece, RangeSum, cut, non_zero},
    reflink,
};
use crate::{
    cancel::{Cancel, Cancelled},
    progress::{Progress, Running, Stage},
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
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Vec<Written>, OutputError> {
    let targets = prepare(plan, directory)?;
    let union = plan.union();
    let running = Running::begin(progress, Stage::WriteImages, union.total());
    // The first failure stops all others, which then end as cancelled.
    let stop = Stop { failed: Cancel::new(), asked: cancel };
    let results = thread::scope(|scope| {
        let mut queues = Vec::new();
        let mut workers = Vec::new();
        for (card, target) in plan.cards.iter().zip(targets) {
            let (queue, pieces) = sync_channel(QUEUE);
            queues.push(queue);
            let stop = &stop;
            let writer =
                scope.spawn(move || stopping(stop, || write_file(card, target, pieces, stop)));
            let (queue, pieces) = sync_channel(QUEUE);
            queues.push(queue);
            let digester =
                scope.spawn(move || stopping(stop, || digest(card, pieces, plan.size(), stop)));
            workers.push((writer, digester));
        }
        let read = stopping(&stop, || read_pieces(plan, &union, queues, &running, &stop));
        let mut results = vec![read.map(|()| None)];
        for (writer, digester) in workers {
            let image = writer.join().unwrap_or_else(|panic| resume_unwind(panic));
            let digests = digester.join().unwrap_or_else(|panic| resume_unwind(panic));
            results.push(image.and_then(|image| {
                digests.map(|(sum, ranges)| Some(Written { image, sum, ranges }))
            }));
        }
        results
    });
    let is_cause = |result: &Result<_, _>| matches!(result, Err(error) if !matches!(error, OutputError::Cancelled(_)));
    let cause = results.iter().position(is_cause);
    let mut results = results;
    if let Some(Err(error)) = cause.map(|place| results.swap_remove(place)) {
        return Err(error);
    }
    results.into_iter().filter_map(Result::transpose).collect()
}

/// Why work may have to stop early.
struct Stop<'a> {
    /// Another part of the work has failed.
    failed: Cancel,
    /// The user has asked for it.
    asked: &'a Cancel,
}

impl Stop<'_> {
    fn check(&self) -> Result<(), Cancelled> {
        self.failed.check()?;
        self.asked.check()
    }
}

/// Does a part of the work; if it fails, the other parts need not go on.
fn stopping<T>(
    stop: &Stop,
    work: impl FnOnce() -> Result<T, OutputError>,
) -> Result<T, OutputError> {
    work().inspect_err(|_| stop.failed.cancel())
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
    require_space(directory, needed)?;
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
        running.advance(length);
    }
    Ok(())
}

fn write_file(
    card: &CardBytes,
    target: Target,
    pieces: Receiver<Arc<Piece>>,
    stop: &Stop,
) -> Result<Partial, OutputError> {
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
    Ok(image)
}

fn digest(
    card: &CardBytes,
    pieces: Receiver<Arc<Piece>>,
    size: u64,
    stop: &Stop,
) -> Result<(Sum, Vec<RangeSum>), OutputError> {
    let mut whole = SparseDigest::default();
    let mut ranges = Vec::new();
    for piece in pieces {
        card.each(&piece, |offset, bytes| {
            whole.update(offset, bytes);
            Ok::<(), block_io::Error>(())
        })?;
        ranges.extend(card.sums(&piece)?);
    }
    // The empty rest of a large card takes seconds: nobody shall wait for it in vain.
    const STEP: u64 = 64 << 20;
    for end in (0..size).step_by(STEP as usize) {
        stop.check()?;
        whole.update(end.max(whole.position()), &[]);
    }
    Ok((whole.finish(size), ranges))
}
