//! Samples of a card, which show what parts of it are worth comparing.
//!
//! Reading a window of a card and writing only what differs takes less time than writing and
//! reading back all of it unless most of it differs. Nobody knows that before reading, and
//! cards often have both: an interrupted card is right up to some place. So the pieces are
//! divided into regions, a small part of each region is compared first, and the outcome
//! decides for this region.

use std::ops::Range;

use crate::write_plan::{BLOCK, Piece};

/// The number of pieces in a region. A sample is a sixteenth of a piece, so all samples
/// together are less than 1 % of what the card holds.
const REGION: usize = 8;

/// The size of a sample in bytes.
const SAMPLE: u64 = 64 << 10;

/// The largest number of regions. Each sample costs a card the time of a seek.
const MOST: usize = 256;

/// Samples of one region after another begin this many blocks further into their piece, so
/// that they do not all hit the same structure of a filesystem.
const STRIDE: u64 = 37;

/// Returns the sample of each region, in ascending order.
pub(crate) fn samples(pieces: &[Piece]) -> Vec<Piece> {
    let regions = pieces.chunks(region(pieces.len())).enumerate();
    regions.filter_map(|(number, region)| sample(number as u64, region)).collect()
}

fn sample(number: u64, region: &[Piece]) -> Option<Piece> {
    let piece = region.get(region.len() / 2)?;
    let Range { start, end } = piece.runs.iter().max_by_key(|run| run.end - run.start)?;
    let places = (end - start).saturating_sub(SAMPLE) / BLOCK + 1;
    let start = start + number * STRIDE % places * BLOCK;
    Some(Piece::new(piece.start, start..(*end).min(start + SAMPLE)))
}

/// Returns whether a region whose sample differs in `part` is to be overwritten without being
/// read: if most of it would be written anyway. Changes of single blocks leave most of a
/// sample as it is.
pub(crate) fn differs(sample: &Piece, part: &Piece) -> bool {
    2 * part.length() > sample.length()
}

/// Returns whether each of `pieces` pieces is worth comparing, given which samples differ.
/// A single sample may be an exception, so each region follows the majority of its own
/// sample and the two beside it.
pub(crate) fn worth_comparing(pieces: usize, differs: &[bool]) -> Vec<bool> {
    let is_worth = |number: usize| {
        let near = &differs[number.saturating_sub(1)..differs.len().min(number + 2)];
        2 * near.iter().filter(|&&differs| differs).count() <= near.len()
    };
    let regions: Vec<bool> = (0..differs.len()).map(is_worth).collect();
    let of = |piece: usize| regions.get(piece / region(pieces)).is_some_and(|&it| it);
    (0..pieces).map(of).collect()
}

/// Returns the number of pieces in a region.
fn region(pieces: usize) -> usize {
    REGION.max(pieces.div_ceil(MOST))
}

#[cfg(test)]
mod tests {
    use block_io::Extents;

    use super::*;
    use crate::write_plan::WritePlan;

    const MIB: u64 = 1 << 20;

    #[test]
    fn samples_are_small_and_spread_over_the_card() {
        for mib in [3, 24, 600, 20_000] {
            let plan = WritePlan::new(mib * MIB, &Extents::from(0..mib * MIB));
            let samples = samples(plan.pieces());
            let bytes: u64 = samples.iter().map(Piece::length).sum();
            assert!(bytes <= SAMPLE.max(plan.total() / 100), "{bytes} of {mib} MiB");
            assert!(samples.len() <= MOST);
            let starts: Vec<u64> = samples.iter().map(|sample| sample.start).collect();
            let most = 3 * region(plan.pieces().len()) as u64 * MIB / 2;
            assert!(starts.windows(2).all(|pair| pair[1] - pair[0] <= most), "{starts:?}");
            assert!(starts.first().is_some_and(|&first| first <= most));
            for sample in &samples {
                let piece = plan.pieces().iter().find(|piece| piece.start == sample.start);
                let runs: Extents = piece.unwrap().runs.iter().cloned().collect();
                assert_eq!(
                    runs.within(sample.runs[0].clone()).next(),
                    Some(sample.runs[0].clone())
                );
                assert_eq!(sample.runs[0].start % BLOCK, 0);
            }
        }
    }

    #[test]
    fn a_sample_differs_if_most_of_it_would_be_written() {
        let sample = Piece::new(MIB, MIB..MIB + SAMPLE);
        let mut found = vec![0; MIB as usize];
        let expected = found.clone();
        let mut differs_with = |blocks: &[u64]| {
            found.fill(0);
            blocks.iter().for_each(|block| found[(block * BLOCK) as usize] = 1);
            differs(&sample, &sample.differing(&found, &expected))
        };
        assert!(!differs_with(&[]));
        assert!(!differs_with(&[5]));
        assert!(!differs_with(&[5, 12]));
        // What lies between them is written too.
        assert!(differs_with(&[2, 7, 10, 13]));
        assert!(differs_with(&(0..16).collect::<Vec<_>>()));
    }

    #[test]
    fn a_region_follows_the_majority_around_it() {
        let of = |differs: &[bool]| {
            let pieces = worth_comparing(differs.len() * REGION, differs);
            pieces.chunks(REGION).map(|region| region[0]).collect::<Vec<_>>()
        };
        assert_eq!(of(&[false]), [true]);
        assert_eq!(of(&[true]), [false]);
        // An exception in either direction.
        assert_eq!(of(&[false, false, true, false, false]), [true; 5]);
        assert_eq!(of(&[true, true, false, true, true]), [false; 5]);
        // An interrupted card.
        assert_eq!(of(&[false, false, true, true]), [true, true, false, false]);
        assert_eq!(worth_comparing(0, &[]), []);
    }
}
