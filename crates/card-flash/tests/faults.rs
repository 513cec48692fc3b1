//! Cards that break: each fault is reported as what it is, the card does not look finished,
//! and the other cards are not affected.

mod fake;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use block_io::{Cancel, Extents, Layer, Memory, ReadAt, WriteAt};
use card_flash::{
    CardFault, CardSource, FlashJob, FlashPhase, FlashProgress, FlashResult, Medium, OldContents,
    flash,
};
use fake::{Event, Fake, Flaws};
use rustix::io::Errno;
use test_support::FaultInjector;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 24 * MIB;

/// A base of which no two blocks are the same.
fn base() -> Arc<Memory> {
    let block = |number: u64| {
        let mut block = vec![number as u8 | 1; 4096];
        block[..8].copy_from_slice(&number.to_le_bytes());
        block
    };
    Arc::new(Memory::new((0..10 * MIB / 4096).flat_map(block).collect()))
}

/// A card of `SIZE` whose node differs from the base in a few blocks.
fn card(base: &Arc<Memory>, number: u8) -> CardSource {
    card_using(base, number, [0..5 * MIB + 700, 6 * MIB..9 * MIB, 16 * MIB..16 * MIB + 8192])
}

fn card_using<const N: usize>(
    base: &Arc<Memory>,
    number: u8,
    used: [std::ops::Range<u64>; N],
) -> CardSource {
    let layer = Layer::new(base.clone(), SIZE);
    for (place, offset) in [MIB / 2, 3 * MIB + 5000, 16 * MIB].into_iter().enumerate() {
        layer.write_at(offset, &[number ^ 0x55 ^ place as u8; 6000]).unwrap();
    }
    let mut changed = layer.changed();
    changed.insert(base.size()..SIZE);
    CardSource {
        node: format!("node{number}"),
        layer: Arc::new(layer),
        used: used.into_iter().collect::<Extents>(),
        changed,
    }
}

/// Flashes one node to each medium.
fn run(media: &[Fake]) -> Vec<FlashResult> {
    let base = base();
    let cards = (1..).map(|number| card(&base, number)).zip(media);
    let cards = cards.map(|(card, fake)| (card, fake as &dyn Medium)).collect();
    let job = FlashJob { shared: base, cards, old_contents: OldContents::Compared };
    flash(&job, &(), &Cancel::new())
}

/// Writes a card with one flaw beside a good one, which must come out right. Returns the
/// first card and its fault.
#[track_caller]
fn broken(flaws: Flaws) -> (Fake, CardFault) {
    let media = [Fake::new(SIZE, flaws), Fake::new(SIZE, Flaws::default())];
    let mut outcomes = run(&media);
    outcomes.pop().unwrap().expect("the card beside it is unharmed");
    assert_right(&card(&base(), 2), &media[1]);
    let error = outcomes.pop().unwrap().expect_err("the broken card is noticed");
    assert_eq!(error.to_string(), "cannot write node1's card to /dev/fake");
    assert_eq!(error.fix(), error.fault.fix());
    let [broken, _] = media;
    (broken, error.fault)
}

/// Makes sure that all used bytes are on the card, and nothing of the base elsewhere.
#[track_caller]
fn assert_right(card: &CardSource, fake: &Fake) {
    for range in card.used.iter() {
        let expected = card.layer.read_vec(range.start, (range.end - range.start) as usize);
        assert!(fake.bytes(range.clone()) == expected.unwrap(), "{range:?}");
    }
    let untouched = |byte: &u8| [0xbb, 0].contains(byte);
    for range in card.used.gaps(0..SIZE) {
        assert!(fake.bytes(range.clone()).iter().all(untouched), "{range:?}");
    }
}

#[test]
fn writes_the_head_last_and_after_verifying_all_else() {
    let media = [Fake::new(SIZE, Flaws::default())];
    let written = run(&media).pop().unwrap().unwrap();
    assert_right(&card(&base(), 1), &media[0]);
    let log = media[0].log();
    // First two samples, which differ.
    let is_sample = |event: &Event| matches!(event, Event::Read(range) if range.start >= MIB);
    assert!(log[..2].iter().all(is_sample), "{log:?}");
    let log = &log[2..];
    // Then the marker replaces what made the card look finished.
    let first = [Event::Read(0..4096), Event::Write(0..4096), Event::Flush];
    assert_eq!(log[..3], first);
    assert_eq!(log[3..5], [Event::Write(0..MIB), Event::Flush]);
    let is_head = |event: &&Event| matches!(event, Event::Write(range) if range.start < MIB);
    assert_eq!(log.iter().filter(is_head).count(), 4);
    assert_eq!(
        log[log.len() - 5..],
        [
            Event::Write(0..MIB),
            Event::Flush,
            Event::Write(0..4096),
            Event::Flush,
            Event::Read(0..MIB)
        ]
    );
    // In between: all writes, a flush, all reads, of the same ranges; then the same of
    // the probes.
    let middle = &log[5..log.len() - 5];
    let replaced = middle.len() - 1 - middle.iter().rev().take_while(|e| is_probe(e)).count();
    assert_eq!(middle[replaced], Event::Flush);
    let begun = replaced - middle[..replaced].iter().rev().take_while(|e| is_probe(e)).count();
    let (middle, probes) = middle.split_at(begun);
    assert_eq!(probes.len() % 2, 1);
    assert!(probes.contains(&Event::Write(SIZE - 4096..SIZE)), "{probes:?}");
    let flush = middle.iter().position(|event| *event == Event::Flush).unwrap();
    let ranges = |events: &[Event], reads: bool| {
        let mut ranges: Vec<_> = events
            .iter()
            .map(|event| match event {
                Event::Read(range) if reads => range.clone(),
                Event::Write(range) if !reads => range.clone(),
                other => panic!("{other:?} at the wrong time"),
            })
            .map(|range| (range.start, range.end))
            .collect();
        ranges.sort();
        ranges
    };
    let wrote = ranges(&middle[..flush], false);
    let mut read = ranges(&middle[flush + 1..], true);
    assert_eq!(read.remove(0), (0, MIB), "the marker is read back too");
    assert_eq!(wrote, read);
    let bytes: u64 = wrote.iter().map(|(start, end)| end - start).sum();
    assert_eq!((written.bytes, written.written), (bytes + MIB, bytes + MIB));
    assert!(!written.is_compared);
}

/// Returns whether the event is a write or a read of a single block.
fn is_probe(event: &Event) -> bool {
    let (Event::Write(range) | Event::Read(range)) = event else { return false };
    range.end - range.start == 4096
}

#[test]
fn a_write_fails() {
    for number in [0, 1, 5, 9] {
        let (fake, fault) =
            broken(Flaws { write_error: Some((number, Errno::IO)), ..Flaws::default() });
        assert!(matches!(fault, CardFault::Write { .. }), "{fault}");
        assert!(number == 0 || fake.is_marked());
    }
}

#[test]
fn a_read_fails() {
    for number in [0, 1, 6] {
        let (fake, fault) =
            broken(Flaws { read_error: Some((number, Errno::IO)), ..Flaws::default() });
        assert!(matches!(fault, CardFault::ReadBack { .. }), "{fault}");
        assert!(fake.is_marked());
    }
}

#[test]
fn a_card_is_taken_out() {
    let (fake, fault) = broken(Flaws { taken_out: Some(4), ..Flaws::default() });
    assert!(matches!(fault, CardFault::Removed { .. }), "{fault}");
    assert!(fake.is_marked());
    let (fake, fault) = broken(Flaws { write_error: Some((4, Errno::NODEV)), ..Flaws::default() });
    assert!(matches!(fault, CardFault::Removed { .. }), "{fault}");
    assert!(fake.is_marked());
}

#[test]
fn a_card_is_swapped_meanwhile() {
    let (fake, fault) = broken(Flaws { swapped: Some(4), ..Flaws::default() });
    assert!(matches!(fault, CardFault::Swapped), "{fault}");
    assert!(fake.is_marked());
}

#[test]
fn a_card_is_write_protected() {
    for errno in [Errno::PERM, Errno::ACCESS, Errno::ROFS] {
        let (_, fault) = broken(Flaws { write_error: Some((0, errno)), ..Flaws::default() });
        assert!(matches!(fault, CardFault::WriteProtected), "{fault}");
    }
}

#[test]
fn a_card_ends_early() {
    let (fake, fault) = broken(Flaws { ends: Some(8 * MIB), ..Flaws::default() });
    assert!(
        matches!(fault, CardFault::EndsEarly { offset, size: SIZE } if offset >= 7 * MIB),
        "{fault}"
    );
    assert!(fake.is_marked());
}

#[test]
fn a_card_wraps() {
    // 16 MiB and 4 MiB are the same place. Which was written last is random, because several
    // writes are in flight.
    let (fake, fault) = broken(Flaws { wraps: Some(12 * MIB), ..Flaws::default() });
    let CardFault::Wraps { offset, holds, real } = fault else { panic!("{fault}") };
    assert_eq!((offset.min(holds), offset.max(holds)), (4 * MIB, 16 * MIB));
    assert_eq!(real, 12 * MIB);
    assert!(fault.fix().unwrap().contains("counterfeit"), "{fault:?}");
    assert!(fake.is_marked());
}

/// Only zeros are lost, and what is lost reads as zeros.
#[test]
fn a_card_drops_what_lies_near_its_end() {
    for end in [17 * MIB, 22 * MIB, SIZE - 4096] {
        let (fake, fault) = broken(Flaws { drops: Some(end), ..Flaws::default() });
        let CardFault::Differs { offset, reads: "all zeros" } = fault else { panic!("{fault}") };
        assert_eq!(offset, SIZE - 4096);
        assert!(fault.fix().unwrap().contains("smaller than it claims"), "{fault:?}");
        assert!(fake.is_marked());
    }
}

/// Neither the place that the end wraps to nor what lies behind the real end is used.
#[test]
fn a_card_wraps_into_free_space() {
    for real in [4 * MIB, 8 * MIB, 16 * MIB] {
        let base = base();
        let fake = Fake::new(SIZE, Flaws { wraps: Some(real), ..Flaws::default() });
        let cards = vec![(card_using(&base, 1, [0..MIB, 2 * MIB..3 * MIB]), &fake as &dyn Medium)];
        let job = FlashJob { shared: base, cards, old_contents: OldContents::Compared };
        let error = flash(&job, &(), &Cancel::new()).pop().unwrap().unwrap_err();
        let CardFault::Wraps { offset, holds, .. } = error.fault else { panic!("{error}") };
        assert!([offset, holds].contains(&(SIZE - 4096)), "{error}");
        assert_eq!(offset.abs_diff(holds) % real, 0, "{error}");
        assert!(fake.is_marked());
    }
}

/// The patterns of the probes are replaced by the real contents.
#[test]
fn no_probe_stays() {
    let media = [Fake::new(SIZE, Flaws::default())];
    run(&media).pop().unwrap().unwrap();
    let bytes = media[0].bytes(0..SIZE);
    assert!(!bytes.windows(19).any(|window| window == b"nodecard: is this c"));
    assert!(bytes[(SIZE - MIB) as usize..].iter().all(|&byte| byte == 0));
    let probes: Vec<_> = media[0]
        .log()
        .into_iter()
        .filter(|event| matches!(event, Event::Write(range) if range.end - range.start == 4096))
        .collect();
    assert!(probes.contains(&Event::Write(SIZE - 4096..SIZE)), "{probes:?}");
}

/// The end wraps only into the head, which is written last and would be right again.
#[test]
fn a_card_wraps_into_the_head() {
    let base = base();
    let fake = Fake::new(SIZE, Flaws { wraps: Some(16 * MIB), ..Flaws::default() });
    let card = card_using(&base, 1, [0..MIB, 16 * MIB..16 * MIB + 8192]);
    let cards = vec![(card, &fake as &dyn Medium)];
    let job = FlashJob { shared: base, cards, old_contents: OldContents::Compared };
    let error = flash(&job, &(), &Cancel::new()).pop().unwrap().unwrap_err();
    assert!(
        matches!(error.fault, CardFault::Wraps { offset: 0..=4096, real, .. } if real == 16 * MIB),
        "{error}"
    );
}

#[test]
fn a_bit_rots() {
    for place in [MIB + 5, 7 * MIB + 4097, 16 * MIB + 8191] {
        let (fake, fault) = broken(Flaws { rotten: Some(place), ..Flaws::default() });
        let block = place / 4096 * 4096;
        assert!(matches!(fault, CardFault::Differs { offset, .. } if offset == block), "{fault}");
        assert!(fake.is_marked());
    }
}

/// The head is read back too; if it is wrong, the marker is written again.
#[test]
fn the_head_rots() {
    let media = [Fake::new(SIZE, Flaws { deaf: Some((4096, 8192)), ..Flaws::default() })];
    let error = run(&media).pop().unwrap().unwrap_err();
    assert!(matches!(error.fault, CardFault::Differs { offset: 4096, .. }), "{error}");
    assert!(media[0].is_marked());
}

#[test]
fn writes_are_lost() {
    let (_, fault) = broken(Flaws { deaf: Some((7 * MIB, 8 * MIB)), ..Flaws::default() });
    assert!(matches!(fault, CardFault::Differs { offset, .. } if offset == 7 * MIB), "{fault}");
}

/// When each card ended.
#[derive(Default)]
struct Ends(Mutex<Vec<(usize, Instant)>>);

impl FlashProgress for Ends {
    fn begin(&self, _: usize, _: FlashPhase, _: u64) {}
    fn advance(&self, _: usize, _: u64) {}
    fn end(&self, card: usize, _: &FlashResult) {
        self.0.lock().unwrap().push((card, Instant::now()));
    }
}

#[test]
fn a_slow_card_delays_no_other_and_four_take_the_time_of_one() {
    let base = base();
    let slow = Flaws { delay: Duration::from_millis(150), ..Flaws::default() };
    let timed = |media: &[Fake]| {
        let cards = (1..).map(|number| card(&base, number)).zip(media);
        let cards = cards.map(|(card, fake)| (card, fake as &dyn Medium)).collect();
        let job = FlashJob { shared: base.clone(), cards, old_contents: OldContents::Compared };
        let (ends, start) = (Ends::default(), Instant::now());
        for outcome in flash(&job, &ends, &Cancel::new()) {
            outcome.unwrap();
        }
        let ends = ends.0.into_inner().unwrap();
        ends.iter().map(|(card, end)| (*card, *end - start)).collect::<Vec<_>>()
    };
    let fast = || Fake::new(SIZE, Flaws::default());
    let one = timed(&[Fake::new(SIZE, slow)])[0].1;
    let four = timed(&[(); 4].map(|()| Fake::new(SIZE, slow)));
    let last = four.iter().map(|(_, end)| *end).max().unwrap();
    assert!(last < one * 2, "four slow cards took {last:?}, one {one:?}");
    let mixed = timed(&[Fake::new(SIZE, slow), fast(), fast()]);
    assert_eq!(mixed[2].0, 0, "the slow card ends last");
    assert!(mixed[1].1 < one / 2, "{:?} of the fast cards, {one:?} of the slow one", mixed[1].1);
}

/// Cancels while the first card is being written.
struct Interrupt(Cancel);

impl FlashProgress for Interrupt {
    fn begin(&self, _: usize, _: FlashPhase, _: u64) {}
    fn advance(&self, _: usize, _: u64) {
        self.0.cancel();
    }
    fn end(&self, _: usize, _: &FlashResult) {}
}

#[test]
fn an_interrupted_card_does_not_look_finished() {
    let base = base();
    let fakes = [Fake::new(SIZE, Flaws::default()), Fake::new(SIZE, Flaws::default())];
    let cards = (1..).map(|number| card(&base, number)).zip(&fakes);
    let cards = cards.map(|(card, fake)| (card, fake as &dyn Medium)).collect();
    let job = FlashJob { shared: base, cards, old_contents: OldContents::Compared };
    let cancel = Cancel::new();
    for outcome in flash(&job, &Interrupt(cancel.clone()), &cancel) {
        assert!(outcome.unwrap_err().fault.is_cancelled());
    }
    // A card of which only samples were read by then is as it was.
    let is_untouched = |fake: &Fake| fake.bytes(0..SIZE).iter().all(|&byte| byte == 0xbb);
    assert!(fakes.iter().all(|fake| fake.is_marked() || is_untouched(fake)));
    assert!(fakes.iter().any(Fake::is_marked));
}

#[test]
fn a_base_that_cannot_be_read() {
    let base = base();
    let failing = Arc::new(FaultInjector::new(base.clone(), 3, u64::MAX));
    let mut card = card(&base, 1);
    card.layer = Arc::new(Layer::new(failing.clone(), SIZE));
    let fake = Fake::new(SIZE, Flaws::default());
    let job = FlashJob {
        shared: failing,
        cards: vec![(card, &fake as &dyn Medium)],
        old_contents: OldContents::Discarded,
    };
    let error = flash(&job, &(), &Cancel::new()).pop().unwrap().unwrap_err();
    assert!(matches!(error.fault, CardFault::Source(_)), "{error}");
    assert!(fake.is_marked());
}

/// A panic while a card is written fails that card, wherever it happens, and asks for a report.
#[test]
fn a_panic_fails_its_card_only() {
    let writes = [0, 1, 3].map(|number| Flaws { write_panic: Some(number), ..Flaws::default() });
    let reads = [0, 4].map(|number| Flaws { read_panic: Some(number), ..Flaws::default() });
    for flaws in writes.into_iter().chain(reads) {
        let (fake, fault) = broken(flaws);
        assert!(matches!(&fault, CardFault::Panicked { message } if message.contains("a defect")));
        assert!(fault.fix().unwrap().contains("please report this"), "{fault}");
        let is_untouched = fake.bytes(0..SIZE).iter().all(|&byte| byte == 0xbb);
        let is_early = flaws.write_panic == Some(0) || flaws.read_panic == Some(0);
        assert!(if is_early { is_untouched } else { fake.is_marked() }, "{flaws:?}");
    }
}

/// A storage that panics.
#[derive(Debug)]
struct Defective(u64);

impl ReadAt for Defective {
    fn size(&self) -> u64 {
        self.0
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> block_io::Result<()> {
        panic!("a defect in a storage")
    }
}

/// The one reading that all cards share must not leave them waiting.
#[test]
fn a_panic_in_the_shared_reading_leaves_nobody_waiting() {
    let base = base();
    let fakes = [Fake::new(SIZE, Flaws::default()), Fake::new(SIZE, Flaws::default())];
    let cards = (1..).map(|number| card(&base, number)).zip(&fakes);
    let cards = cards.map(|(card, fake)| (card, fake as &dyn Medium)).collect();
    let job = FlashJob {
        shared: Arc::new(Defective(base.size())),
        cards,
        old_contents: OldContents::Compared,
    };
    for (number, outcome) in (1..).zip(flash(&job, &(), &Cancel::new())) {
        outcome.unwrap();
        assert_right(&card(&base, number), &fakes[usize::from(number) - 1]);
    }
}

/// Panics when a card ends.
struct BrokenDisplay;

impl FlashProgress for BrokenDisplay {
    fn begin(&self, _: usize, _: FlashPhase, _: u64) {}
    fn advance(&self, _: usize, _: u64) {}
    fn end(&self, _: usize, _: &FlashResult) {
        panic!("a defect in a display")
    }
}

#[test]
fn a_panic_in_the_display_of_the_end_changes_no_outcome() {
    let base = base();
    let fake = Fake::new(SIZE, Flaws::default());
    let cards = vec![(card(&base, 1), &fake as &dyn Medium)];
    let job = FlashJob { shared: base.clone(), cards, old_contents: OldContents::Compared };
    flash(&job, &BrokenDisplay, &Cancel::new()).pop().unwrap().unwrap();
    assert_right(&card(&base, 1), &fake);
}
