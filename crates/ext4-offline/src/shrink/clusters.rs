//! Sets of clusters, and the free runs among them.

use std::{collections::BTreeSet, ops::Range};

/// A set of clusters (blocks without `bigalloc`), counted from the first one of the filesystem.
#[derive(Debug, Clone)]
pub(super) struct Clusters {
    words: Vec<u64>,
    count: u64,
}

impl Clusters {
    /// An empty set of some of the clusters before `count`.
    pub fn new(count: u64) -> Self {
        Clusters { words: vec![0; count.div_ceil(64) as usize], count }
    }

    /// Returns how many clusters there are, in the set or not.
    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn contains(&self, cluster: u64) -> bool {
        let word = self.words.get((cluster / 64) as usize);
        word.is_some_and(|word| word & 1 << (cluster % 64) != 0)
    }

    /// Adds clusters; those from the end on are ignored.
    pub fn insert(&mut self, clusters: Range<u64>) {
        self.change(clusters, true);
    }

    pub fn remove(&mut self, clusters: Range<u64>) {
        self.change(clusters, false);
    }

    fn change(&mut self, clusters: Range<u64>, value: bool) {
        let mut at = clusters.start;
        let end = clusters.end.min(self.count);
        while at < end {
            let Some(word) = self.words.get_mut((at / 64) as usize) else { return };
            let (first, last) = (at % 64, (end - at + at % 64).min(64));
            let mask = (u64::MAX >> (64 - (last - first))) << first;
            if value {
                *word |= mask
            } else {
                *word &= !mask
            }
            at += last - first;
        }
    }

    /// Returns how many clusters are in the set.
    pub fn len(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The runs of clusters within `bounds` that are in the set, or that are not, in ascending
    /// order.
    pub fn runs(&self, bounds: Range<u64>, value: bool) -> impl Iterator<Item = Range<u64>> + '_ {
        let end = bounds.end.min(self.count);
        let mut at = bounds.start;
        std::iter::from_fn(move || {
            let start = self.find(at..end, value)?;
            at = self.find(start..end, !value).unwrap_or(end);
            Some(start..at)
        })
    }

    fn find(&self, bounds: Range<u64>, value: bool) -> Option<u64> {
        let mut at = bounds.start;
        while at < bounds.end {
            let word = *self.words.get((at / 64) as usize)?;
            let word = if value { word } else { !word } >> (at % 64);
            if word != 0 {
                let found = at + u64::from(word.trailing_zeros());
                return (found < bounds.end).then_some(found);
            }
            at = (at / 64 + 1) * 64;
        }
        None
    }
}

/// The free runs of a filesystem, for allocating.
#[derive(Debug)]
pub(super) struct Room {
    /// Lengths and starts.
    runs: BTreeSet<(u64, u64)>,
}

impl Room {
    /// Everything that is not in use.
    pub fn of(used: &Clusters) -> Self {
        let free = used.runs(0..used.count(), false);
        Room { runs: free.map(|run| (run.end - run.start, run.start)).collect() }
    }

    /// Takes up to `want` clusters: from the shortest run that has them all, otherwise the longest
    /// run, so that contents stay in as few pieces as possible. `None` if no cluster is left.
    pub fn take(&mut self, want: u64) -> Option<Range<u64>> {
        let best = self.runs.range((want, 0)..).next().or_else(|| self.runs.last());
        let (length, start) = *best?;
        self.runs.remove(&(length, start));
        let taken = want.min(length);
        if taken < length {
            self.runs.insert((length - taken, start + taken));
        }
        Some(start..start + taken)
    }

    /// Makes clusters available that are free again.
    pub fn give(&mut self, clusters: Range<u64>) {
        if !clusters.is_empty() {
            self.runs.insert((clusters.end - clusters.start, clusters.start));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_list_of_flags() {
        let mut state = 5u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for _ in 0..300 {
            let count = random(400) + 1;
            let mut clusters = Clusters::new(count);
            let mut model = vec![false; count as usize];
            for _ in 0..random(12) {
                let start = random(count);
                let end = start + random(count - start + 1);
                let value = random(3) > 0;
                if value {
                    clusters.insert(start..end)
                } else {
                    clusters.remove(start..end)
                }
                model[start as usize..end as usize].fill(value);
            }
            assert!((0..count).all(|at| clusters.contains(at) == model[at as usize]));
            assert_eq!(clusters.len() as usize, model.iter().filter(|&&set| set).count());
            for value in [true, false] {
                let start = random(count);
                let mut seen = vec![!value; count as usize];
                for run in clusters.runs(start..count, value) {
                    assert!(run.start < run.end);
                    seen[run.start as usize..run.end as usize].fill(value);
                }
                assert_eq!(seen[start as usize..], model[start as usize..]);
            }
        }
    }

    #[test]
    fn takes_the_run_that_fits_best() {
        let mut used = Clusters::new(100);
        for run in [0..10, 13..20, 28..50, 90..100] {
            used.insert(run);
        }
        let mut room = Room::of(&used);
        assert_eq!(room.take(3), Some(10..13));
        assert_eq!(room.take(5), Some(20..25));
        assert_eq!(room.take(50), Some(50..90));
        assert_eq!(room.take(2), Some(25..27));
        room.give(60..62);
        assert_eq!(room.take(9), Some(60..62));
        assert_eq!(room.take(9), Some(27..28));
        assert_eq!(room.take(9), None);
    }
}
