//! Correcting a card in place, cut off at every write, by sectors and out of order
//! between flushes: the partition table can be read, and the filesystem is the old one
//! or the new one, whole, after a replay by this project, by e2fsck or by the kernel.

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use block_io::{Layer, ReadAt, Window, WriteAt};
use card_audit::{BaseReference, apply, rehearse};
use common::{bench, cards::*};
use test_support::{Recorder, StorageEvent, replay_cut};

type Tree = BTreeMap<String, String>;

/// A card that was corrected, and what happened to it meanwhile.
struct Case {
    name: &'static str,
    before: Arc<dyn ReadAt>,
    events: Vec<StorageEvent>,
    grow: bool,
    old: Tree,
    new: Tree,
}

impl Case {
    fn new(name: &'static str, before: Arc<dyn ReadAt>, grow: bool) -> Self {
        let bench = bench();
        let options = options(bench, BaseReference::Absent("for a test"), grow);
        let plan = rehearse(&options, name, before.clone()).unwrap().plan;
        let layer = Arc::new(Layer::new(before.clone(), before.size()));
        let recorder = Arc::new(Recorder::new(layer.clone()));
        let card: Arc<dyn WriteAt> = recorder.clone();
        let applied = apply(&options, name, &card, &plan).unwrap();
        assert_eq!(applied.left, [], "{name}");
        assert!(applied.committed.is_some() && applied.table == grow, "{name}: {applied:?}");
        let old = Arc::new(Layer::new(before.clone(), before.size()));
        let (old, new) = (replayed(&old, name), tree(&layer));
        assert_ne!(old, new);
        Case { name, before, events: recorder.events(), grow, old, new }
    }

    /// The card after a cut, and how that came.
    fn cut(&self, at: usize, mut kept: impl FnMut() -> bool) -> Arc<Layer> {
        let card = Arc::new(Layer::new(self.before.clone(), self.before.size()));
        let root = root_of(&self.before).start;
        // Nobody survives half a superblock, which has two sectors: see `commit`.
        let mut superblock = None;
        replay_cut(&self.events[..at], &card, |offset, length| match (offset, length) {
            (offset, 1024) if offset == root + 1024 => match superblock.take() {
                None => *superblock.insert(kept()),
                Some(first) => first,
            },
            _ => kept(),
        })
        .unwrap();
        card
    }

    fn which(&self, tree: &Tree, context: &str) -> &'static str {
        match tree {
            tree if *tree == self.old => "old",
            tree if *tree == self.new => "new",
            tree => {
                let differs = |from: &Tree| -> Vec<String> {
                    let keys = from.keys().chain(tree.keys());
                    keys.filter(|key| from.get(*key) != tree.get(*key)).cloned().collect()
                };
                panic!(
                    "{context}: neither; from the old differ {:?}, from the new {:?}",
                    differs(&self.old),
                    differs(&self.new)
                );
            }
        }
    }
}

/// Replays the journal on the card, and answers all its files.
fn replayed(card: &Arc<Layer>, context: &str) -> Tree {
    let root = root_of(card);
    let window = Window::new(card.clone(), root.start, root.end - root.start).unwrap();
    ext4_offline::replay_journal(&window).unwrap_or_else(|error| panic!("{context}: {error}"));
    // The orphans of the old one are the next mount's to remove.
    let window: Arc<dyn WriteAt> = Arc::new(window);
    let scratch: Arc<dyn WriteAt> = Arc::new(Layer::new(Arc::new(window.clone()), window.size()));
    ext4_offline::recover(&scratch, ext4_offline::Timestamp::saturating(NOW)).unwrap();
    ext4_offline::check(&scratch).unwrap_or_else(|error| panic!("{context}: {error}"));
    tree(card)
}

fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(make_cases)
}

fn make_cases() -> Vec<Case> {
    let card = broken().layer;
    let gpt = with_gpt(&card, "gpt.img");
    let size = gpt.size();
    vec![
        Case::new("as-it-is", card.clone(), false),
        Case::new("grown", enlarged(&card, 100 * MIB), true),
        Case::new("dirty", dirty(&card, "dirty.img"), false),
        Case::new("dirty-grown", enlarged(&dirty(&card, "dirty-2.img"), 100 * MIB), true),
        Case::new("gpt", gpt.clone(), false),
        Case::new("gpt-grown", enlarged(&gpt, size + 40 * MIB), true),
    ]
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }
}

/// The image of a cut in a file, which is thrown away.
fn file(card: &dyn ReadAt, name: &str) -> PathBuf {
    let path = bench().path(name);
    fs::write(&path, bytes_of(card)).unwrap();
    path
}

fn thorough() -> bool {
    std::env::var_os("NODECARD_THOROUGH").is_some()
}

#[test]
fn every_cut_leaves_the_old_or_the_new_card() {
    let mut random = Random(5);
    for case in cases() {
        let mut seen = BTreeMap::<_, usize>::new();
        for at in 0..=case.events.len() {
            for style in 0..if thorough() { 12 } else { 3 } {
                let context = format!("{}: event {at}, style {style}", case.name);
                let card = case.cut(at, || match style {
                    0 => true,
                    1 => false,
                    _ => random.below(2) == 0,
                });
                let root = root_of(&card);
                let sampled = random.below(if thorough() { 10 } else { 150 }) == 0;
                let image = sampled.then(|| file(&card, "cut.img"));
                let tree = replayed(&card, &context);
                let which = case.which(&tree, &context);
                *seen.entry(which).or_default() += 1;
                if let Some(image) = image {
                    e2fsck_replays(&image, &root);
                    assert_clean(&image, root.start, &context);
                    let theirs = Arc::new(block_io::Memory::new(fs::read(&image).unwrap()));
                    let theirs = Arc::new(Layer::new(theirs.clone(), theirs.size()));
                    assert_eq!(case.which(&self::tree(&theirs), &context), which, "{context}");
                }
            }
        }
        assert!(seen["old"] > 25 && seen["new"] > 25, "{}: {seen:?}", case.name);
        println!("{}: {} events, {seen:?}", case.name, case.events.len());
    }
}

/// Whatever a cut left, applying once more makes it right.
#[test]
fn every_cut_can_be_carried_on() {
    let bench = bench();
    let mut random = Random(6);
    for case in cases() {
        let options = options(bench, BaseReference::Absent("for a test"), case.grow);
        let step = if thorough() { 1 } else { 7 };
        for at in (0..=case.events.len()).step_by(step) {
            let context = format!("{}: event {at}", case.name);
            let cut = case.cut(at, || random.below(2) == 0);
            let plan = rehearse(&options, case.name, cut.clone()).unwrap().plan;
            let card: Arc<dyn WriteAt> = cut.clone();
            let applied = apply(&options, case.name, &card, &plan)
                .unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(applied.left, [], "{context}");
            assert_eq!(replayed(&cut, &context), case.new, "{context}");
            assert!(rehearse(&options, case.name, cut.clone()).unwrap().is_nothing(), "{context}");
            if random.below(20) == 0 {
                assert_clean(&file(&cut, "again.img"), root_of(&cut).start, &context);
            }
        }
    }
}

#[test]
fn the_kernel_finds_the_old_or_the_new_card() {
    if !kernel() {
        return;
    }
    let mut random = Random(7);
    for case in cases() {
        let mut seen = BTreeMap::<_, usize>::new();
        for round in 0..if thorough() { 40 } else { 6 } {
            let at = random.below(case.events.len() as u64 + 1) as usize;
            let context = format!("{}: round {round}, event {at}", case.name);
            let card = case.cut(at, || random.below(2) == 0);
            let root = root_of(&card);
            let image = file(&card, "kernel.img");
            let which = case.which(&replayed(&card, &context), &context);
            drop(Mounted::new(&image, &root));
            assert_clean(&image, root.start, &context);
            let theirs = Arc::new(block_io::Memory::new(fs::read(&image).unwrap()));
            let theirs = Arc::new(Layer::new(theirs.clone(), theirs.size()));
            assert_eq!(case.which(&tree(&theirs), &context), which, "{context}");
            *seen.entry(which).or_default() += 1;
        }
        println!("{}: by the kernel {seen:?}", case.name);
    }
}
