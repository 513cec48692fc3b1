//! Images of an earlier run that become the new ones, so that only what differs is written.
//!
//! Reading an image and comparing it takes less time than writing it, and less space, if most of
//! it stays the same. So a sample decides, as it does for cards.

use std::{
    fs::{File, OpenOptions},
    io,
    ops::Range,
};

use block_io::ReadAt as _;
use platform::{
    PositionedFile as _,
    sparse::{next_data, punch_hole},
};

use super::{
    partial::PartialFile,
    pieces::{CardBytes, runs},
};

/// The size of a sample, in bytes: a unit that is read as fast as any larger one.
const SAMPLE: u64 = 64 << 10;

/// The number of samples of an image.
const SAMPLES: u64 = 64;

/// Returns whether an earlier run made an image of the same size in the place of `image`, of which
/// three of four samples are the same as on the card.
pub(super) fn is_much_alike(image: &PartialFile, card: &CardBytes) -> bool {
    sample(image, card).is_some_and(|(same, samples)| 4 * same >= 3 * samples)
}

/// Returns how many samples are the same, and how many there are.
fn sample(image: &PartialFile, card: &CardBytes) -> Option<(u64, u64)> {
    let mut options = OpenOptions::new();
    let earlier = platform::open_regular(image.target(), options.read(true)).ok()?;
    if earlier.metadata().ok()?.len() != card.layer().size() {
        return None;
    }
    let step = (card.used().total() / SAMPLES).max(SAMPLE);
    let (mut same, mut samples) = (0, 0);
    // Both count the bytes of the used ranges only.
    let (mut passed, mut next) = (0, 0);
    for range in card.used().iter() {
        let length = range.end - range.start;
        while next < passed + length {
            let start = range.start + (next - passed);
            let end = (start + SAMPLE).min(range.end);
            let bytes = card.layer().read_vec(start, (end - start) as usize).ok()?;
            samples += 1;
            same += u64::from(differing(&earlier, start, &bytes).ok()?.is_empty());
            next += step;
        }
        passed += length;
    }
    Some((same, samples))
}

/// Lets `image`, which is new and empty, begin as the earlier image in its place, with holes where
/// the card has nothing. Returns whether it does: not if a process uses the earlier image, or it has
/// a second name.
///
/// The earlier image has no final name from then on, so it is lost if the run fails.
pub(super) fn begin_as_earlier(image: &mut PartialFile, card: &CardBytes) -> io::Result<bool> {
    if !image.begin_as_target()? {
        return Ok(false);
    }
    for gap in card.used().gaps(0..card.layer().size()) {
        let mut at = gap.start;
        while let Some(data) = next_data(&image.file, at, gap.end)? {
            at = data.end;
            punch_hole(&image.file, data)?;
        }
    }
    Ok(true)
}

/// Returns the parts of `bytes`, which belong at `offset`, that a file does not hold there yet, in
/// units of 4 KiB.
pub(super) fn differing(file: &File, offset: u64, bytes: &[u8]) -> io::Result<Vec<Range<usize>>> {
    let mut held = vec![0; bytes.len()];
    file.read_exact_at(&mut held, offset)?;
    if held == bytes {
        return Ok(Vec::new());
    }
    Ok(runs(offset, bytes.len(), |unit| held[unit.clone()] != bytes[unit]).collect())
}
