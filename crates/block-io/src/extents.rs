//! Sets of byte ranges.

use std::ops::Range;

/// A set of bytes, kept as sorted ranges that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extents {
    ranges: Vec<Range<u64>>,
}

impl Extents {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a range. Adding in ascending order takes constant time.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // The ranges that overlap or touch the new one are replaced by their hull.
        let first = self.ranges.partition_point(|r| r.end < range.start);
        let last = first + self.ranges[first..].partition_point(|r| r.start <= range.end);
        let mut hull = range;
        if first < last {
            hull.start = hull.start.min(self.ranges[first].start);
            hull.end = hull.end.max(self.ranges[last - 1].end);
        }
        self.ranges.splice(first..last, [hull]);
    }

    /// Adds all ranges of another set.
    pub fn extend(&mut self, other: &Extents) {
        let mut all = std::mem::take(&mut self.ranges);
        all.extend(other.ranges.iter().cloned());
        all.sort_by_key(|range| range.start);
        for range in all {
            self.insert(range);
        }
    }

    /// Returns the ranges in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + '_ {
        self.ranges.iter().cloned()
    }

    /// Returns the parts of the set that lie within `window`, in ascending order.
    pub fn within(&self, window: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let first = self.ranges.partition_point(|r| r.end <= window.start);
        self.ranges[first..]
            .iter()
            .take_while(move |r| r.start < window.end)
            .map(move |r| r.start.max(window.start)..r.end.min(window.end))
    }

    /// Returns the parts of `window` that are not in the set, in ascending order.
    pub fn gaps(&self, window: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let end = window.end;
        let mut from = window.start;
        self.within(window)
            .map(Some)
            .chain([None])
            .map(move |range| {
                let gap = from..range.as_ref().map_or(end, |r| r.start);
                if let Some(range) = range {
                    from = range.end;
                }
                gap
            })
            .filter(|gap| gap.start < gap.end)
    }

    /// Returns the number of bytes in the set.
    pub fn total(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    /// Returns the number of separate ranges in the set.
    pub fn count(&self) -> usize {
        self.ranges.len()
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl From<Range<u64>> for Extents {
    fn from(range: Range<u64>) -> Self {
        [range].into_iter().collect()
    }
}

impl FromIterator<Range<u64>> for Extents {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut extents = Extents::new();
        for range in ranges {
            extents.insert(range);
        }
        extents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with a bitmap, which is the obvious implementation.
    #[test]
    fn agrees_with_a_bitmap() {
        let mut state = 1u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for _ in 0..200 {
            let mut extents = Extents::new();
            let mut bitmap = [false; 64];
            for _ in 0..random(12) {
                let start = random(64);
                let end = start + random(64 - start + 1);
                extents.insert(start..end);
                bitmap[start as usize..end as usize].fill(true);
            }
            let window = {
                let start = random(64);
                start..start + random(64 - start + 1)
            };
            let mut seen = [false; 64];
            for range in extents.within(window.clone()) {
                assert!(range.start < range.end || window.is_empty());
                seen[range.start as usize..range.end as usize].fill(true);
            }
            let mut gaps = [false; 64];
            for range in extents.gaps(window.clone()) {
                assert!(range.start < range.end);
                gaps[range.start as usize..range.end as usize].fill(true);
            }
            for byte in 0..64 {
                let inside = window.contains(&(byte as u64));
                assert_eq!(seen[byte], inside && bitmap[byte]);
                assert_eq!(gaps[byte], inside && !bitmap[byte]);
            }
            assert_eq!(extents.total(), bitmap.iter().filter(|&&b| b).count() as u64);
            assert!(extents.ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }

    #[test]
    fn merges_two_sets() {
        let mut a: Extents = [0..4, 8..12].into_iter().collect();
        a.extend(&[4..6, 20..21].into_iter().collect());
        assert_eq!(a.iter().collect::<Vec<_>>(), [0..6, 8..12, 20..21]);
    }
}
