//! Changes that are committed in place and interrupted at every point: after a replay by this
//! crate, by e2fsck or by the kernel, the filesystem is completely the old one or the new one.
#![allow(missing_docs)]

mod common;

use std::{fs, path::Path, sync::Arc};

use block_io::{Extents, Layer, Memory, ReadAt, WriteAt};
use common::{journal::e2fsck_replays, mount::*, *};
use ext4_offline::{
    Committed, Error, commit, grow,
    inodes::{FilesMut, NewFile, ROOT_INODE},
    replay_journal, used_extents,
};
use test_support::{Recorder, StorageEvent};

const SIZE: u64 = 12 * MIB;

/// A committed change: the filesystem before and after, and the writes in between.
struct Case {
    context: String,
    old: Arc<Memory>,
    new: Arc<Layer>,
    events: Vec<StorageEvent>,
    committed: Committed,
    /// The bytes to compare with the new and the old filesystem: those in use that were ever
    /// written, without the journal and the superblock.
    compared: [Extents; 2],
}

/// Edits of all kinds, of existing and new files.
fn edit(storage: Arc<dyn WriteAt>) {
    let mut files = FilesMut::open(storage, NOW.into()).unwrap();
    let dir = files.look_up(ROOT_INODE, b"directory-3").unwrap().unwrap();
    let file = files.look_up(dir, b"file-3").unwrap().unwrap();
    files.replace(file, &[b'n'; 900]).unwrap();
    let large = files.look_up(dir, b"file-5").unwrap().unwrap();
    files.write(large, 30_000, &[b'm'; 60_000]).unwrap();
    files.unlink(dir, b"file-4").unwrap();
    let new = files.create(ROOT_INODE, b"new", NewFile::Directory, 0o755).unwrap();
    for number in 0..40 {
        let name = format!("file-{number}");
        let inode = files.create(new, name.as_bytes(), NewFile::Regular, 0o600).unwrap();
        // Blocks that begin like those of the journal must be escaped.
        files.write(inode, 0, &[0xc0, 0x3b, 0x39, 0x98, number]).unwrap();
    }
    files.finish().unwrap();
}

fn case(arguments: &str, grown: Option<u64>) -> Case {
    let image = Image::make(arguments, SIZE);
    let mut old = fs::read(&image.path).unwrap();
    // A card has its own size, and its free blocks hold no zeros.
    old.resize(grown.unwrap_or(SIZE) as usize, 0xa5);
    let base = Arc::new(Memory::new(old.clone()));
    let layer = Arc::new(Layer::new(base.clone(), base.size()));
    if let Some(size) = grown {
        grow(&layer, size, NOW.into()).unwrap();
    }
    edit(layer.clone());
    let after = Arc::new(Memory::new(old.clone()));
    let recorder = Recorder::new(after.clone());
    let committed = commit(&recorder, &layer, &layer.changed(), NOW.into()).unwrap();
    let context = format!("{arguments}, grown: {grown:?}, {committed:?}");
    let events = recorder.events();
    let journal = journal_bytes(&image.path);
    let in_use = |image: &dyn ReadAt| -> Extents {
        let used = used_extents(image).unwrap();
        let behind = used.within(2048..u64::MAX);
        behind.flat_map(|range| journal.gaps(range).collect::<Vec<_>>()).collect()
    };
    let old = Arc::new(Memory::new(old));
    let compared = [in_use(&layer), in_use(&old)];
    let mut case = Case { context, old, new: layer, events, committed, compared };
    assert_eq!(case.which(&after), Some("new"), "{}", case.context);
    let touched: Extents = case
        .events
        .iter()
        .filter_map(|event| match event {
            StorageEvent::Write(offset, bytes) => Some(*offset..*offset + bytes.len() as u64),
            StorageEvent::Flush => None,
        })
        .collect();
    for compared in &mut case.compared {
        *compared =
            compared.iter().flat_map(|range| touched.within(range).collect::<Vec<_>>()).collect();
    }
    case
}

/// The bytes of an image's journal, of 1024 blocks.
fn journal_bytes(image: &Path) -> Extents {
    let size = u64::from(geometry(image).block_size);
    let blocks = journal::journal_blocks_of(image, 1024);
    blocks.iter().map(|block| block * size..(block + 1) * size).collect()
}

impl Case {
    /// Returns whether an image is the old or the new filesystem.
    fn which(&self, image: &dyn ReadAt) -> Option<&'static str> {
        let candidates: [(_, &dyn ReadAt); 2] = [("new", &self.new), ("old", &self.old)];
        candidates.into_iter().zip(&self.compared).find_map(|((name, wanted), compared)| {
            let read = |from: &dyn ReadAt, range: &std::ops::Range<u64>| {
                from.read_vec(range.start, (range.end - range.start) as usize).unwrap()
            };
            compared.iter().all(|range| read(image, &range) == read(wanted, &range)).then_some(name)
        })
    }

    /// Applies the events up to an interruption: all before the last flush, and of those after it
    /// the sectors that `kept` selects.
    fn cut(&self, at: usize, mut kept: impl FnMut() -> bool) -> Layer {
        let events = &self.events[..at];
        let flushed =
            events.iter().rposition(|event| matches!(event, StorageEvent::Flush)).unwrap_or(0);
        let image = Layer::new(self.old.clone(), self.old.size());
        for (index, event) in events.iter().enumerate() {
            let StorageEvent::Write(offset, bytes) = event else { continue };
            // A superblock is not written half, see `commit`.
            let unit = if *offset == 1024 && bytes.len() == 1024 { 1024 } else { 512 };
            for (part, sector) in bytes.chunks(unit).enumerate() {
                if index < flushed || kept() {
                    image.write_at(offset + (part * unit) as u64, sector).unwrap();
                }
            }
        }
        image
    }
}

fn cases() -> Vec<Case> {
    [
        ("-t ext4 -O ^metadata_csum,^64bit,uninit_bg -b 1024", None),
        ("-t ext4 -O metadata_csum,64bit,metadata_csum_seed,orphan_file -b 1024", None),
        ("-t ext4 -O metadata_csum,64bit,metadata_csum_seed,orphan_file -b 4096", Some(40 * MIB)),
        ("-t ext4 -O ^metadata_csum,^64bit,uninit_bg -b 1024", Some(40 * MIB)),
        ("-t ext3 -b 1024", None),
    ]
    .into_iter()
    .map(|(arguments, grown)| case(arguments, grown))
    .collect()
}

#[test]
fn every_interruption_leaves_the_old_or_the_new_filesystem() {
    let mut random = Random(3);
    let (mut old, mut new) = (0, 0);
    for case in cases() {
        let mut by_e2fsck = 0;
        assert!(case.committed.logged > 20 && case.committed.direct > 10, "{}", case.context);
        for at in 0..=case.events.len() {
            for style in 0..4 {
                // All, none and some of the writes that were not flushed yet.
                let mut left = at;
                let image = case.cut(at, || match style {
                    0 => true,
                    1 => false,
                    2 => {
                        left = left.saturating_sub(1);
                        left > 0
                    }
                    _ => random.below(2) == 0,
                });
                let context = || format!("{}: event {at}, style {style}", case.context);
                let sampled = thorough() || random.below(60) == 0;
                let dirty = sampled.then(|| bytes_of(&image));
                replay_journal(&image).unwrap_or_else(|error| panic!("{}: {error}", context()));
                let ours = case.which(&image);
                match ours {
                    Some("old") => old += 1,
                    Some(_) => new += 1,
                    None => panic!("{}: neither old nor new", context()),
                }
                if let Some(dirty) = dirty {
                    by_e2fsck += 1;
                    let (content, text, theirs) = e2fsck_replays(&dirty);
                    assert!(content, "{}: {text}", context());
                    let dir = scratch();
                    let path = dir.path().join("image");
                    fs::write(&path, &theirs).unwrap();
                    assert_eq!(case.which(&Memory::new(theirs)), ours, "{}", context());
                    assert_clean(&path, &[], &context());
                }
            }
        }
        assert!(by_e2fsck > 2, "{}: {by_e2fsck}", case.context);
    }
    assert!(old > 100 && new > 100, "{old} old, {new} new");
}

fn bytes_of(image: &dyn ReadAt) -> Vec<u8> {
    image.read_vec(0, image.size() as usize).unwrap()
}

fn kernel_replays(image: &[u8], dir: &Path) -> Option<Vec<u8>> {
    let path = dir.join("kernel");
    write_synced(&path, image);
    drop(mount(&path, "rw")?);
    fs::read(&path).ok()
}

#[test]
fn the_kernel_replays_what_was_committed() {
    if !is_root() {
        return;
    }
    let mut random = Random(4);
    for case in cases() {
        let dir = scratch();
        let mut seen = [0, 0];
        for _ in 0..if thorough() { 60 } else { 8 } {
            let at = random.below(case.events.len() as u64 + 1) as usize;
            let image = case.cut(at, || random.below(2) == 0);
            let Some(kernels) = kernel_replays(&bytes_of(&image), dir.path()) else { return };
            replay_journal(&image).unwrap();
            let ours = case.which(&image).unwrap();
            let path = dir.path().join("judged");
            fs::write(&path, &kernels).unwrap();
            assert_clean(&path, &[], &case.context);
            // A mount changes the superblock in its own way, so the files are compared.
            let wanted = dir.path().join("wanted");
            let bytes = if ours == "new" { bytes_of(&case.new) } else { bytes_of(&case.old) };
            fs::write(&wanted, bytes).unwrap();
            assert_eq!(contents(&path), contents(&wanted), "{}: event {at}", case.context);
            seen[usize::from(ours == "new")] += 1;
        }
        assert!(seen[0] + seen[1] > 0);
    }
}

#[test]
fn impossible_commits_are_refused_before_the_first_write() {
    let refuse = |arguments: &str, edit: fn(&Arc<Layer>), damage: fn(&Path)| {
        let image = Image::make(arguments, SIZE);
        damage(&image.path);
        let old = fs::read(&image.path).unwrap();
        let base = Arc::new(Memory::new(old.clone()));
        let layer = Arc::new(Layer::new(base.clone(), base.size()));
        edit(&layer);
        let target = Memory::new(old.clone());
        let error = commit(&target, &layer, &layer.changed(), NOW.into()).unwrap_err();
        assert!(target.into_bytes() == old, "{arguments}: {error}");
        error
    };
    let small = |layer: &Arc<Layer>| edit(layer.clone());
    let error = refuse("-t ext2 -b 1024", small, |_| {});
    assert!(matches!(error, Error::NoJournal), "{error}");
    let rewritten = |layer: &Arc<Layer>| {
        let mut files = FilesMut::open(layer.clone(), NOW.into()).unwrap();
        let dir = files.look_up(ROOT_INODE, b"directory-3").unwrap().unwrap();
        let file = files.look_up(dir, b"large").unwrap().unwrap();
        files.replace(file, &vec![1; 5 << 20]).unwrap();
        files.finish().unwrap();
    };
    let error = refuse("-t ext4 -b 1024", rewritten, |path| {
        let large = path.with_extension("large");
        fs::write(&large, vec![9; 5 << 20]).unwrap();
        let request = format!("write {} directory-3/large", large.display());
        output_of("debugfs", &["-w", "-R", &request, path.to_str().unwrap()]);
    });
    assert!(matches!(error, Error::JournalTooSmall { .. }), "{error}");
}
