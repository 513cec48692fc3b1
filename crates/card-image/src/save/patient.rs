//! Reading a worn card: what fails is read again in smaller pieces.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use block_io::{Cancel, Error, Extents, ReadAt, Result};

/// The smallest piece that is read alone, in bytes: a sector of a card.
const SECTOR: usize = 512;
/// How often a sector is read before it counts as unreadable.
const ATTEMPTS: usize = 3;

/// A card that is read with patience. A read that fails is split, down to single sectors, each
/// of which is tried several times.
pub(super) struct PatientReader<S> {
    card: S,
    is_present: Box<dyn Fn() -> bool + Send + Sync>,
    cancel: Cancel,
    /// Whether unreadable sectors read as zeros. Otherwise they are an error.
    keep_going: bool,
    found: Mutex<Found>,
}

/// What was found while reading.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// The bytes that cannot be read.
    pub unreadable: Extents,
    /// The card was taken out.
    pub gone: bool,
}

impl<S: ReadAt> PatientReader<S> {
    pub fn new(
        card: S,
        is_present: Box<dyn Fn() -> bool + Send + Sync>,
        keep_going: bool,
        cancel: Cancel,
    ) -> Self {
        PatientReader { card, is_present, cancel, keep_going, found: Mutex::default() }
    }

    /// Returns whether the card is still there.
    pub fn is_present(&self) -> bool {
        (self.is_present)()
    }

    /// Returns what was found so far.
    pub fn found(&self) -> Found {
        self.lock().clone()
    }

    // A panic while the lock is held cannot leave the set in an invalid state.
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what could not be read at once, in two halves. Returns the first error.
    fn read_halves(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if buf.len() <= SECTOR {
            return self.read_sector(offset, buf);
        }
        // At a sector of the card, wherever the piece begins.
        let middle = (offset + buf.len() as u64 / 2) / SECTOR as u64 * SECTOR as u64;
        let at = usize::try_from(middle.saturating_sub(offset)).unwrap_or(0);
        let at = if at == 0 { SECTOR - (offset % SECTOR as u64) as usize } else { at };
        let (left, right) = buf.split_at_mut(at.min(buf.len()));
        let first = self.read_piece(offset, left);
        if first.is_err() && (self.lock().gone || self.cancel.check().is_err()) {
            return first;
        }
        let second = self.read_piece(offset + at as u64, right);
        first.and(second)
    }

    fn read_piece(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.cancel.check_read(offset)?;
        match self.card.read_at(offset, buf) {
            Err(Error::Io { .. }) => self.read_halves(offset, buf),
            other => other,
        }
    }

    fn read_sector(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let mut last = Ok(());
        for _ in 0..ATTEMPTS {
            last = self.card.read_at(offset, buf);
            if last.is_ok() {
                return last;
            }
        }
        if !(self.is_present)() {
            self.lock().gone = true;
            return last;
        }
        self.lock().unreadable.insert(offset..offset + buf.len() as u64);
        if self.keep_going {
            buf.fill(0);
            return Ok(());
        }
        last
    }

    /// Reads around what is known to be unreadable, which is zero.
    fn read_around(&self, offset: u64, buf: &mut [u8], known: &Extents) -> Result<()> {
        buf.fill(0);
        let slice =
            |range: &Range<u64>| (range.start - offset) as usize..(range.end - offset) as usize;
        for range in known.gaps(offset..offset + buf.len() as u64) {
            self.read_piece(range.start, &mut buf[slice(&range)])?;
        }
        Ok(())
    }
}

impl<S> std::fmt::Debug for PatientReader<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PatientReader").field("found", &self.found).finish_non_exhaustive()
    }
}

impl<S: ReadAt> ReadAt for PatientReader<S> {
    fn size(&self) -> u64 {
        self.card.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if self.keep_going {
            let end = offset.saturating_add(buf.len() as u64);
            let known: Extents = self.lock().unreadable.within(offset..end).collect();
            if !known.is_empty() && end <= self.size() {
                return self.read_around(offset, buf, &known);
            }
        }
        match self.card.read_at(offset, buf) {
            Err(Error::Io { .. }) => self.read_halves(offset, buf),
            other => other,
        }
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        self.card.next_data(from)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };

    use block_io::Memory;
    use test_support::injected_fault;

    use super::*;

    /// A card with bad sectors, and with weak ones that can be read at the tenth attempt.
    #[derive(Debug)]
    struct Worn {
        card: Memory,
        bad: Vec<u64>,
        weak: Vec<(u64, AtomicUsize)>,
    }

    impl ReadAt for Worn {
        fn size(&self) -> u64 {
            self.card.size()
        }

        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
            let range = offset / 512..(offset + buf.len() as u64).div_ceil(512);
            let fault = || Err(injected_fault("read", offset));
            if self.bad.iter().any(|sector| range.contains(sector)) {
                return fault();
            }
            for (sector, attempts) in &self.weak {
                if range.contains(sector) && attempts.fetch_add(1, Ordering::Relaxed) < 9 {
                    return fault();
                }
            }
            self.card.read_at(offset, buf)
        }
    }

    fn worn(bad: &[u64], weak: &[u64]) -> (Vec<u8>, Worn) {
        let bytes: Vec<u8> = (0..64 << 10).map(|i: u32| (i / 7 % 251) as u8 + 1).collect();
        let weak = weak.iter().map(|&sector| (sector, AtomicUsize::new(0))).collect();
        (bytes.clone(), Worn { card: Memory::new(bytes), bad: bad.to_vec(), weak })
    }

    fn patient(worn: Worn, keep_going: bool) -> PatientReader<Worn> {
        PatientReader::new(worn, Box::new(|| true), keep_going, Cancel::new())
    }

    #[test]
    fn a_weak_sector_is_read_in_the_end() {
        let (bytes, worn) = worn(&[], &[9]);
        let reader = patient(worn, false);
        assert_eq!(reader.read_vec(100, 60_000).unwrap(), bytes[100..60_100]);
        assert!(reader.found().unreadable.is_empty());
    }

    #[test]
    fn only_unreadable_sectors_are_zero_and_are_listed() {
        let (mut bytes, worn) = worn(&[3, 4, 77], &[]);
        let reader = patient(worn, true);
        for sector in [3, 4, 77] {
            bytes[sector * 512..(sector + 1) * 512].fill(0);
        }
        for (offset, length) in [(0, 64 << 10), (1500, 700), (39_424, 512), (39_500, 10), (0, 1)] {
            let read = reader.read_vec(offset as u64, length).unwrap();
            assert_eq!(read, bytes[offset..offset + length], "{offset}");
        }
        let expected: Extents = [1536..2560, 39_424..39_936].into_iter().collect();
        assert_eq!(reader.found().unreadable, expected);
        assert!(reader.read_vec(65_000, 1000).is_err());
    }

    #[test]
    fn without_keep_going_all_bad_sectors_of_a_read_are_found() {
        let (_, worn) = worn(&[3, 77], &[]);
        let reader = patient(worn, false);
        assert!(reader.read_vec(0, 64 << 10).is_err());
        assert_eq!(reader.found().unreadable.count(), 2);
    }

    #[test]
    fn a_card_that_is_gone_is_not_tried_again_and_again() {
        #[derive(Debug)]
        struct Pulled(AtomicUsize);
        impl ReadAt for Pulled {
            fn size(&self) -> u64 {
                1 << 30
            }
            fn read_at(&self, offset: u64, _: &mut [u8]) -> Result<()> {
                self.0.fetch_add(1, Ordering::Relaxed);
                Err(injected_fault("read", offset))
            }
        }
        let present = Arc::new(AtomicBool::new(false));
        let asked = present.clone();
        let is_present = Box::new(move || asked.load(Ordering::Relaxed));
        let reader =
            PatientReader::new(Pulled(AtomicUsize::new(0)), is_present, true, Cancel::new());
        assert!(reader.read_vec(0, 512 << 10).is_err());
        assert!(reader.found().gone && reader.found().unreadable.is_empty());
        assert!(reader.card.0.load(Ordering::Relaxed) < 20);
    }
}
