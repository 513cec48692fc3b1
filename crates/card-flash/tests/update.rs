//! Cards that already hold some of what they are to hold: only what differs is written, all of
//! it is verified, and no flaw of a card goes unnoticed because of that.

mod fake;

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use block_io::{Cancel, Extents, Layer, Memory, ReadAt, WriteAt};
use card_flash::{
    CardFault, CardSource, FlashJob, FlashPhase, FlashProgress, FlashResult, Medium, OldContents,
    Presence, WriteReport, flash,
};
use fake::{Event, Fake, Flaws};
use test_support::{Random, Recorder, StorageEvent, replay_cut};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 48 * MIB;

/// What is written to every card: the first MiB, twice the first four windows, the end.
const ALWAYS: u64 = 6 * MIB + 64 * 1024;

/// A base of which no two blocks are the same, except for some MiB of zeros.
fn base() -> Arc<Memory> {
    static BASE: LazyLock<Arc<Memory>> = LazyLock::new(|| {
        let mut bytes = vec![0; 32 << 20];
        for (number, block) in bytes.chunks_mut(4096).enumerate() {
            if !(2048..3072).contains(&number) {
                block.fill(number as u8 | 1);
                block[..8].copy_from_slice(&number.to_le_bytes());
            }
        }
        Arc::new(Memory::new(bytes))
    });
    BASE.clone()
}

fn card(base: &Arc<Memory>) -> CardSource {
    let layer = Layer::new(base.clone(), SIZE);
    for (place, offset) in [MIB / 2, 13 * MIB + 5000, 40 * MIB].into_iter().enumerate() {
        layer.write_at(offset, &[0x56 ^ place as u8; 6000]).unwrap();
    }
    let mut changed = layer.changed();
    changed.insert(base.size()..SIZE);
    let used = [0..20 * MIB + 700, 24 * MIB..30 * MIB, 40 * MIB..40 * MIB + 8192];
    let used = used.into_iter().collect::<Extents>();
    CardSource { node: "node1".into(), layer: Arc::new(layer), used, changed }
}

/// Returns a card that holds exactly what it should, and zeros elsewhere.
fn right(card: &CardSource) -> Vec<u8> {
    let mut bytes = vec![0; SIZE as usize];
    for range in card.used.iter() {
        let place = range.start as usize..range.end as usize;
        card.layer.read_at(range.start, &mut bytes[place]).unwrap();
    }
    bytes
}

fn run(medium: &dyn Medium, old_contents: OldContents) -> FlashResult {
    let base = base();
    let job = FlashJob { cards: vec![(card(&base), medium)], shared: base, old_contents };
    flash(&job, &(), &Cancel::new()).pop().unwrap()
}

#[track_caller]
fn assert_right(card: &CardSource, found: &[u8]) {
    let right = right(card);
    for range in card.used.iter() {
        let place = range.start as usize..range.end as usize;
        assert!(found[place.clone()] == right[place], "{range:?}");
    }
}

/// Makes sure that the last thing that happened to every block in use was that it was read.
#[track_caller]
fn assert_verified(card: &CardSource, log: &[Event]) {
    let mut verified = Extents::new();
    for event in log {
        match event {
            Event::Read(range) => verified.insert(range.clone()),
            Event::Write(range) => {
                let rest = [0..range.start, range.end..SIZE]
                    .map(|side| verified.within(side).collect::<Vec<_>>());
                verified = rest.into_iter().flatten().collect();
            }
            Event::Flush => {}
        }
    }
    let missing: Vec<_> =
        card.used.iter().flat_map(|range| verified.gaps(range).collect::<Vec<_>>()).collect();
    assert_eq!(missing, [], "never read after it was written");
}

/// Flashes a card that holds `old`, which must come out right.
#[track_caller]
fn updated(old: Vec<u8>) -> WriteReport {
    let fake = Fake::holding(old, Flaws::default());
    let report = run(&fake, OldContents::Compared).unwrap();
    let card = card(&base());
    assert_right(&card, &fake.bytes(0..SIZE));
    assert_verified(&card, &fake.log());
    let log = fake.log();
    let written = log.iter().filter_map(|event| match event {
        Event::Write(range) => Some(range.clone()),
        _ => None,
    });
    assert_eq!(report.written, written.collect::<Extents>().total(), "the report is true");
    report
}

fn change(bytes: &mut [u8], offset: u64) {
    bytes[offset as usize] ^= 0x10;
}

#[test]
fn the_same_card_again() {
    let old = right(&card(&base()));
    let report = updated(old);
    assert!(report.is_compared && report.kept_contents);
    assert!(report.written < ALWAYS, "{report:?}");
    assert!(report.bytes > 27 * MIB, "{report:?}");
}

#[test]
fn only_blocks_that_differ_are_written() {
    for offset in [6 * MIB + 5, 13 * MIB + 5000, 18 * MIB - 1, 29 * MIB + 70_000, 40 * MIB + 8000] {
        let mut old = right(&card(&base()));
        change(&mut old, offset);
        assert!(updated(old).written < ALWAYS + 4096, "{offset}");
    }
    // All over the card, far enough from each other.
    let mut old = right(&card(&base()));
    for offset in (6 * MIB..20 * MIB).step_by(100 * 4096) {
        change(&mut old, offset + 9);
    }
    let report = updated(old);
    assert!(report.written < ALWAYS + 64 * 4096, "{report:?}");
}

#[test]
fn only_the_partition_table_differs() {
    let mut old = right(&card(&base()));
    change(&mut old, 446);
    assert!(updated(old).written < ALWAYS);
}

/// As a writing that was interrupted leaves it.
#[test]
fn half_of_the_card_is_right() {
    for right_side in [0..15 * MIB, 15 * MIB..SIZE] {
        let mut old = vec![0xbb; SIZE as usize];
        let place = right_side.start as usize..right_side.end as usize;
        old[place.clone()].copy_from_slice(&right(&card(&base()))[place]);
        let report = updated(old);
        assert!(report.is_compared);
        assert!(report.written < 25 * MIB, "{right_side:?}: {report:?}");
    }
}

#[test]
fn nothing_of_the_card_is_right() {
    let report = updated(vec![0xbb; SIZE as usize]);
    assert_eq!(report.written, report.bytes);
    assert!(!report.is_compared);
}

/// Nothing but zeros was there already.
#[test]
fn a_blank_card() {
    let report = updated(vec![0; SIZE as usize]);
    assert!(!report.kept_contents, "{report:?}");
}

/// What is not in use is not looked at.
#[test]
fn a_card_with_a_larger_filesystem() {
    let card = card(&base());
    let mut old = vec![0xbb; SIZE as usize];
    let right = right(&card);
    for range in card.used.iter() {
        let place = range.start as usize..range.end as usize;
        old[place.clone()].copy_from_slice(&right[place]);
    }
    change(&mut old, 1024);
    change(&mut old, 17 * MIB);
    assert!(updated(old).written < ALWAYS + MIB);
}

#[test]
fn everything_is_written_if_asked_for() {
    let fake = Fake::holding(right(&card(&base())), Flaws::default());
    let report = run(&fake, OldContents::Overwritten).unwrap();
    assert_eq!(report.written, report.bytes);
    let is_read = |event: &Event| matches!(event, Event::Read(range) if range.start >= MIB);
    let log = fake.log();
    let first_read = log.iter().position(is_read).unwrap();
    let is_write = |event: &&Event| matches!(event, Event::Write(range) if range.start >= MIB);
    assert!(log[..first_read].iter().filter(is_write).count() > 25, "nothing is read before");
}

/// A sector that cannot be read is written, which often fixes it.
#[test]
fn what_cannot_be_read_is_written() {
    for at in [6 * MIB, 9 * MIB + 4096, 29 * MIB] {
        let flaws = Flaws { unreadable: Some((at, at + 4096)), ..Flaws::default() };
        let fake = Fake::holding(right(&card(&base())), flaws);
        let report = run(&fake, OldContents::Compared).unwrap();
        assert!(report.written < ALWAYS + 2 * MIB, "{report:?}");
        assert_verified(&card(&base()), &fake.log());
    }
}

/// Flashes a card with a flaw that holds `old`. Returns its fault.
#[track_caller]
fn broken(old: Vec<u8>, flaws: Flaws) -> CardFault {
    let fake = Fake::holding(old, flaws);
    let error = run(&fake, OldContents::Compared).expect_err("the broken card is noticed");
    assert!(fake.is_marked());
    error.fault
}

#[test]
fn a_card_fails_while_it_is_updated() {
    use rustix::io::Errno;
    let old = || {
        let mut old = right(&card(&base()));
        (6..20).for_each(|mib| change(&mut old, mib * MIB));
        old
    };
    for number in [4, 9, 20] {
        let flaws = Flaws { write_error: Some((number, Errno::IO)), ..Flaws::default() };
        assert!(matches!(broken(old(), flaws), CardFault::Write { .. }));
        let flaws = Flaws { taken_out: Some(number), ..Flaws::default() };
        assert!(matches!(broken(old(), flaws), CardFault::Removed { .. }));
        let flaws = Flaws { swapped: Some(number), ..Flaws::default() };
        assert!(matches!(broken(old(), flaws), CardFault::Swapped));
    }
    for place in [6 * MIB, 13 * MIB] {
        let flaws = Flaws { deaf: Some((place, place + 4096)), ..Flaws::default() };
        let fault = broken(old(), flaws);
        assert!(matches!(fault, CardFault::Differs { offset, .. } if offset == place), "{fault}");
        let flaws = Flaws { rotten: Some(place + 5), ..Flaws::default() };
        let fault = broken(old(), flaws);
        assert!(matches!(fault, CardFault::Differs { offset, .. } if offset == place), "{fault}");
    }
}

/// A card that wraps holds the right bytes of the lower or of the upper one of two places.
/// Whichever it is, writing the other one must not go unnoticed.
#[test]
fn a_card_that_wraps_is_noticed_whatever_it_holds() {
    let right = right(&card(&base()));
    // The last block wraps into free space, into data, and into the head; the size is a power
    // of two, and none.
    for real in [23 * MIB, 33 * MIB, 32 * MIB, 16 * MIB, 47 * MIB + 4096, 37 * MIB] {
        let wraps = Flaws { wraps: Some(real), ..Flaws::default() };
        // All lower places are right, and then as many upper ones as there are.
        let lower = right.clone();
        let mut upper = right.clone();
        for place in (real..SIZE).step_by(4096) {
            let block = right[place as usize..][..4096].to_vec();
            let is_used = card(&base()).used.within(place..place + 4096).next().is_some();
            if is_used {
                upper[(place % real) as usize..][..4096].copy_from_slice(&block);
            }
        }
        for old in [lower, upper] {
            let fault = broken(old, wraps);
            let is_known = matches!(
                fault,
                CardFault::Wraps { .. } | CardFault::Differs { reads: "other data", .. }
            );
            assert!(is_known, "{real}: {fault}");
        }
    }
}

/// Both places that are one were found equal or written, and nothing but data shows it: the
/// last block wraps into free space, and no probe is where it would be.
#[test]
fn a_place_that_was_equal_is_replaced_later() {
    let real = 33 * MIB;
    // 40 MiB is 7 MiB.
    let old = right(&card(&base()));
    let fault = broken(old, Flaws { wraps: Some(real), ..Flaws::default() });
    let CardFault::Wraps { offset, holds, real: most } = fault else { panic!("{fault}") };
    assert_eq!((offset % real, holds % real, most), (7 * MIB, 7 * MIB, real));
}

/// What lies behind the real end is lost, but what was written last comes from a buffer.
#[test]
fn a_card_that_drops_its_end_is_noticed_whatever_it_holds() {
    let old = right(&card(&base()));
    for end in [25 * MIB, 40 * MIB, SIZE - 4096] {
        for buffer in [0, 16, 700] {
            let fault = broken(old.clone(), Flaws { drops: Some(end), buffer, ..Flaws::default() });
            assert!(matches!(fault, CardFault::Differs { offset, .. } if offset >= end), "{fault}");
        }
    }
}

/// A card that records its writes.
#[derive(Debug)]
struct Recorded(Recorder<Memory>);

impl Medium for Recorded {
    fn name(&self) -> String {
        "/dev/fake".into()
    }
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data).map_err(io::Error::other)
    }
    fn read_back(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buf).map_err(io::Error::other)
    }
    fn flush(&self) -> io::Result<()> {
        self.0.flush().map_err(io::Error::other)
    }
    fn discard(&self) -> io::Result<()> {
        Ok(())
    }
    fn reread_table(&self) -> io::Result<()> {
        Ok(())
    }
    fn presence(&self) -> Presence {
        Presence::Same
    }
}

/// Wherever the power is cut, and whatever sectors of the writes since the last flush are on
/// the card, it is the old card, the new one, or marked as unfinished. Writing it again
/// finishes it.
#[test]
fn a_cut_leaves_the_old_card_the_new_one_or_an_unfinished_one() {
    let card = card(&base());
    let new = right(&card);
    let mut old = new.clone();
    for offset in [10, 3000, 5000, 900_000, 2 * MIB, 11 * MIB, 19 * MIB, 40 * MIB] {
        change(&mut old, offset);
    }
    let recorded = Recorded(Recorder::new(Memory::new(old.clone())));
    run(&recorded, OldContents::Compared).unwrap();
    let events = recorded.0.events();
    assert!(events.len() > 12, "{}", events.len());
    let random = Mutex::new(Random::new(7));
    let kinds: [&dyn Fn() -> bool; 4] =
        [&|| false, &|| true, &|| random.lock().unwrap().below(2) == 0, &|| {
            random.lock().unwrap().below(8) != 0
        }];
    let (mut unfinished, mut olds, mut news) = (0, 0, 0);
    for cut in 0..=events.len() {
        for (number, kept) in kinds.iter().enumerate() {
            let memory = Memory::new(old.clone());
            replay_cut(&events[..cut], &memory, |_, _| kept()).unwrap();
            let bytes = memory.into_bytes();
            if bytes.starts_with(b"nodecard: this card is not finished") {
                unfinished += 1;
            } else if bytes == old {
                olds += 1;
            } else {
                assert_right(&card, &bytes);
                news += 1;
            }
            if number == 2 && cut % 5 == 0 {
                let again = Fake::holding(bytes, Flaws::default());
                let report = run(&again, OldContents::Compared).unwrap();
                assert!(report.is_compared);
                assert_right(&card, &again.bytes(0..SIZE));
            }
        }
    }
    assert!(unfinished > 20 && olds > 2 && news > 2, "{unfinished} {olds} {news}");
    let is_first = |event: &&StorageEvent| matches!(event, StorageEvent::Write(0, _));
    assert_eq!(events.iter().filter(is_first).count(), 4);
}

#[derive(Default)]
struct Watch {
    phases: Mutex<Vec<(usize, FlashPhase, u64, u64)>>,
    ends: Mutex<Vec<(usize, Instant)>>,
}

impl FlashProgress for Watch {
    fn begin(&self, card: usize, phase: FlashPhase, total: u64) {
        self.phases.lock().unwrap().push((card, phase, total, 0));
    }
    fn advance(&self, card: usize, bytes: u64) {
        let mut phases = self.phases.lock().unwrap();
        phases.iter_mut().rev().find(|phase| phase.0 == card).unwrap().3 += bytes;
    }
    fn end(&self, card: usize, _: &FlashResult) {
        self.ends.lock().unwrap().push((card, Instant::now()));
    }
}

/// A new card that is slow, an old one, and one that was interrupted, at the same time.
#[test]
fn each_card_decides_for_itself_and_waits_for_no_other() {
    let base = base();
    let card = card(&base);
    let right = right(&card);
    let mut half = vec![0xbb; SIZE as usize];
    half[..15 << 20].copy_from_slice(&right[..15 << 20]);
    let slow = Flaws { delay: Duration::from_millis(60), ..Flaws::default() };
    let media = [
        Fake::new(SIZE, slow),
        Fake::holding(right, Flaws::default()),
        Fake::holding(half, Flaws::default()),
    ];
    let cards = media.iter().map(|medium| (card.clone(), medium as &dyn Medium)).collect();
    let job = FlashJob { shared: base, cards, old_contents: OldContents::Compared };
    let (watch, start) = (Watch::default(), Instant::now());
    let reports = flash(&job, &watch, &Cancel::new());
    let reports: Vec<_> = reports.into_iter().map(Result::unwrap).collect();
    assert_eq!(reports.iter().map(|it| it.is_compared).collect::<Vec<_>>(), [false, true, true]);
    for medium in &media {
        assert_right(&card, &medium.bytes(0..SIZE));
        assert_verified(&card, &medium.log());
    }
    let ends = watch.ends.into_inner().unwrap();
    assert_eq!(ends[2].0, 0, "the slow card ends last");
    assert!((ends[1].1 - start) * 2 < ends[2].1 - start, "{ends:?}");
    for (card, phase, total, done) in watch.phases.into_inner().unwrap() {
        assert_eq!(done, total, "{card}, {phase}");
    }
}
