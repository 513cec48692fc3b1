//! Growing cut off at every write: the table is the old one or the new one, and partitions
//! differ only in the end of those that grow.

mod common;

use std::{collections::HashSet, sync::Arc};

use block_io::{FileStorage, Layer, Memory, ReadAt};
use common::{Image, MIB};
use part_table::{PartitionRole, PartitionTable};
use test_support::{Random, Recorder, StorageEvent, replay_cut};

/// Makes a card of `card` bytes to which an image was written, with old bytes behind it.
fn card(image: &Image, card: u64) -> Arc<dyn ReadAt> {
    let mut bytes = image.read(0, image.size());
    bytes.resize(card as usize, 0xa5);
    Arc::new(Memory::new(bytes))
}

/// Returns what happens to a card whose partition `number` grows.
fn events(card: &Arc<dyn ReadAt>, number: u32) -> Vec<StorageEvent> {
    let recorder = Recorder::new(Layer::new(card.clone(), card.size()));
    let table = PartitionTable::read(&recorder).unwrap();
    table.grow(&recorder, number, MIB).unwrap();
    recorder.events()
}

/// Returns the ends that the partition has after every cut. Each cut is then grown again.
fn ends_of_cuts(context: &str, before: &Arc<dyn ReadAt>, number: u32, again: bool) -> HashSet<u64> {
    let old = PartitionTable::read(before).unwrap();
    let events = events(before, number);
    let mut random = Random::new(7);
    let mut ends = HashSet::new();
    for at in 0..=events.len() {
        for style in 0..if again { 20 } else { 6 } {
            let cut = Arc::new(Layer::new(before.clone(), before.size()));
            let kept = |_, _| match style {
                0 => true,
                1 => false,
                _ => random.below(2) == 0,
            };
            replay_cut(&events[..at], &cut, kept).unwrap();
            let context = format!("{context}: event {at}, style {style}");
            let table =
                PartitionTable::read(&cut).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(table.disk_id(), old.disk_id(), "{context}");
            for (now, old) in table.partitions().iter().zip(old.partitions()) {
                assert_eq!((now.number, now.start), (old.number, old.start), "{context}");
                let grows = now.number == number || now.role == PartitionRole::Extended;
                assert!(grows || now == old, "{context}: {now:?}");
            }
            assert_eq!(table.partitions().len(), old.partitions().len(), "{context}");
            ends.insert(table.partition(number).unwrap().end());
            if again && style % 4 < 2 {
                let cut: Arc<dyn ReadAt> = cut;
                let more = ends_of_cuts(&context, &cut, number, false);
                assert!(more.len() <= 2, "{context}: {more:?}");
                // Grown again without a cut, it is as if there had been no cut.
                let grown = Layer::new(cut.clone(), cut.size());
                table.grow(&grown, number, MIB).unwrap();
                let whole = Layer::new(before.clone(), before.size());
                old.grow(&whole, number, MIB).unwrap();
                let head = MIB as usize;
                assert!(
                    grown.read_vec(0, head).unwrap() == whole.read_vec(0, head).unwrap(),
                    "{context}"
                );
            }
        }
    }
    ends
}

#[test]
fn an_mbr() {
    let image = Image::with_sfdisk(8 * MIB, "label: dos\nstart=2048,size=4096\nstart=8192\n");
    let ends = ends_of_cuts("primary", &card(&image, 16 * MIB), 2, true);
    assert_eq!(ends, HashSet::from([8 * 2048, 15 * 2048]));

    let script = "label: dos\nstart=2048,size=4096\nstart=8192,type=5\nstart=9000,size=1000\n\
                  start=11000\n";
    let image = Image::with_sfdisk(8 * MIB, script);
    let number = PartitionTable::read(&FileStorage::open(image.path()).unwrap())
        .unwrap()
        .partitions()
        .last()
        .unwrap()
        .number;
    let ends = ends_of_cuts("logical", &card(&image, 16 * MIB), number, true);
    assert_eq!(ends, HashSet::from([8 * 2048, 15 * 2048]));

    let script = "label: dos\nstart=2048,size=2048\nstart=8192\n";
    let image = Image::with_sfdisk(8 * MIB, script);
    let ends = ends_of_cuts("in front", &card(&image, 16 * MIB), 1, true);
    assert_eq!(ends, HashSet::from([4096, 8192]));
}

#[test]
fn a_gpt() {
    let script = "label: gpt\nstart=2048,size=4096\nstart=8192,size=4096\n";
    let image = Image::with_sfdisk(8 * MIB, script);
    let ends = ends_of_cuts("moved", &card(&image, 16 * MIB), 2, true);
    assert_eq!(ends, HashSet::from([12288, 15 * 2048]));
    let script = "label: gpt\nstart=2048,size=4096\nstart=8192,size=4096\n";
    let front = Image::with_sfdisk(8 * MIB, script);
    let ends = ends_of_cuts("in front", &card(&front, 16 * MIB), 1, true);
    assert_eq!(ends, HashSet::from([6144, 8192]));
    // The second copy is at the end of the card already, or nearly.
    for size in [8 * MIB, 8 * MIB + 5120] {
        let ends = ends_of_cuts("in place", &card(&image, size), 2, true);
        assert_eq!(ends, HashSet::from([12288, 7 * 2048]), "{size}");
    }
}

/// A card that was cut off while it grew, and then copied to a larger one: the entries that its
/// header points to are not where the new ones go.
#[test]
fn a_gpt_that_was_cut_off_on_a_larger_card() {
    // The area for partitions begins right behind the entries.
    let script = "label: gpt\nfirst-lba: 34\nstart=2048,size=4096\nstart=8192,size=4096\n";
    let image = Image::with_sfdisk(8 * MIB, script);
    let before = card(&image, 12 * MIB);
    let events = events(&before, 2);
    for at in 0..=events.len() {
        let cut = Layer::new(before.clone(), before.size());
        replay_cut(&events[..at], &cut, |_, _| true).unwrap();
        let mut bytes = cut.read_vec(0, cut.size() as usize).unwrap();
        bytes.resize(16 << 20, 0xa5);
        let larger: Arc<dyn ReadAt> = Arc::new(Memory::new(bytes));
        let ends = ends_of_cuts(&format!("cut at {at}"), &larger, 2, false);
        assert!(ends.contains(&(15 * 2048)) && ends.len() == 2, "{at}: {ends:?}");
    }
}
