//! Edits in place, cut off at every write and out of order between flushes: the file is the old
//! one or the new one, for this project, for mtools and after `fsck.vfat -a`; another edit puts
//! everything in order.

mod common;

use std::{collections::BTreeMap, sync::Arc};

use block_io::{Layer, ReadAt, WriteAt};
use common::{Draw, SHAPES, complaint, is_thorough, make, memory, on_disk, run};
use fat_offline::{Editor, Reader};
use test_support::{Recorder, StorageEvent, replay_cut};

const NOW: i64 = 1_700_000_000;

type Tree = BTreeMap<String, Vec<u8>>;

/// One edit.
#[derive(Debug, Clone)]
enum Edit {
    Write(String, Vec<u8>),
    Remove(String),
}

impl Edit {
    fn make(&self, editor: &mut Editor) -> bool {
        match self {
            Edit::Write(path, contents) => editor.write(path, contents),
            Edit::Remove(path) => editor.remove(path),
        }
        .unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }
}

fn text(length: usize, salt: usize) -> Vec<u8> {
    (0..length).map(|index| ((index * 7 + salt) % 251) as u8).collect()
}

/// The edits that a card's boot partition gets, and some that need more directory entries or
/// clusters than there are at hand.
fn edits() -> Vec<Edit> {
    let write = |path: &str, length, salt| Edit::Write(path.to_owned(), text(length, salt));
    vec![
        write("cmdline.txt", 150, 1),
        write("config.txt", 9_000, 2),
        write("user-data", 3_000, 3),
        write("a directory/below another/with a long name.conf", 700, 4),
        write("overlays/a rather long name that needs several entries.dtbo", 40_000, 5),
        Edit::Remove("firstrun.sh".to_owned()),
        Edit::Remove("a name that is long and goes.txt".to_owned()),
        Edit::Remove("old".to_owned()),
        write("config.txt", 0, 6),
        write("empty", 10, 7),
    ]
}

/// A filesystem with the files that the edits change, and a root directory with `holes`: names
/// that were removed, so that new ones may take their entries.
fn before(kib: u64, options: &[&str], more: usize, holes: bool) -> Vec<u8> {
    let storage = memory(&make(kib, options));
    let mut editor = Editor::open(storage.clone(), NOW - 1000).unwrap();
    for (path, length) in [
        ("cmdline.txt", 120),
        ("config.txt", 2_000),
        ("firstrun.sh", 500),
        ("a name that is long and goes.txt", 5_000),
        ("old/one", 10),
        ("old/deep/two", 6_000),
        ("overlays/first.dtbo", 100),
        ("empty", 0),
    ] {
        editor.write(path, &text(length, 9)).unwrap();
    }
    for number in 0..more {
        editor.write(&format!("overlays/overlay number {number}.dtbo"), b"x").unwrap();
        if number % 3 == 0 {
            editor.write(&format!("file {number} in the way"), b"x").unwrap();
        }
    }
    for number in (0..more).filter(|number| holes && number % 3 == 0) {
        editor.remove(&format!("file {number} in the way")).unwrap();
        editor.remove(&format!("overlays/overlay number {number}.dtbo")).unwrap();
    }
    storage.read_vec(0, storage.size() as usize).unwrap()
}

/// Returns every file as this project reads it.
fn tree(storage: Arc<dyn ReadAt>, context: &str) -> Tree {
    let reader = Reader::open(storage).unwrap_or_else(|error| panic!("{context}: {error}"));
    let mut tree = Tree::new();
    let mut ahead = vec![String::new()];
    while let Some(directory) = ahead.pop() {
        let entries = reader.list(&directory).unwrap_or_else(|e| panic!("{context}: {e}"));
        for entry in entries.unwrap() {
            let path = format!("{directory}/{}", entry.name);
            if entry.is_directory {
                tree.insert(format!("{path}/"), Vec::new());
                ahead.push(path);
            } else {
                let contents = reader.read(&path, u64::MAX).unwrap().unwrap();
                tree.insert(path, contents);
            }
        }
    }
    tree
}

/// Returns every file as mtools copies it, after `fsck.vfat -a` has repaired what it would at
/// boot.
fn after_fsck(image: &[u8], context: &str) -> Tree {
    let (dir, path) = on_disk(image);
    let name = path.to_str().unwrap();
    run("fsck.vfat", "dosfstools", &["-a", name]);
    assert_eq!(complaint(&path), None, "{context}");
    let target = dir.path().join("tree");
    std::fs::create_dir(&target).unwrap();
    let arguments = ["-s", "-n", "-i", name, "::/", target.to_str().unwrap()];
    let copied = run("mcopy", "mtools", &arguments);
    assert!(copied.status.success(), "{context}: {}", String::from_utf8_lossy(&copied.stderr));
    let mut tree = Tree::new();
    let mut ahead = vec![target.clone()];
    while let Some(directory) = ahead.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&target).unwrap().to_str().unwrap();
            if path.is_dir() {
                tree.insert(format!("/{name}/"), Vec::new());
                ahead.push(path);
            } else {
                tree.insert(format!("/{name}"), std::fs::read(&path).unwrap());
            }
        }
    }
    // Lost clusters may come back as files.
    tree.retain(|name, _| !name.starts_with("/FSCK"));
    tree
}

fn which(found: &Tree, old: &Tree, new: &Tree, context: &str) -> bool {
    if found == new {
        return true;
    }
    let changed = |a: &Tree, b: &Tree| -> Vec<String> {
        a.keys().chain(b.keys()).filter(|key| a.get(*key) != b.get(*key)).cloned().collect()
    };
    assert!(
        found == old,
        "{context}: neither; from the old differ {:?}, from the new {:?}",
        changed(found, old),
        changed(found, new)
    );
    false
}

fn cut_everywhere(image: &[u8], case: &str) {
    let mut draw = Draw(77);
    let mut state: Arc<dyn ReadAt> = memory(image);
    let (mut cuts, mut judged) = (0, 0);
    for edit in edits() {
        let size = state.size();
        let recorder = Arc::new(Recorder::new(Layer::new(state.clone(), size)));
        let card: Arc<dyn WriteAt> = recorder.clone();
        let mut editor = Editor::open_in_place(card, NOW).unwrap();
        assert!(edit.make(&mut editor), "{case}: {edit:?} changes nothing");
        let events: Vec<StorageEvent> = recorder.events();
        let after = Arc::new(Layer::new(state.clone(), size));
        replay_cut(&events, &after, |_, _| true).unwrap();
        let (old, new) = (tree(state.clone(), case), tree(after.clone(), case));
        assert_ne!(old, new);
        assert!(fat_offline::check(&after).unwrap().is_clean(), "{case}: {edit:?}");
        let label = format!("{edit:?}");
        let label = &label[..label.len().min(60)];
        // Reading all of a large filesystem again and again takes the time.
        let step = if size > 8 << 20 && !is_thorough() { 7 } else { 1 };
        for at in (0..=events.len()).step_by(step) {
            for style in 0..if is_thorough() { 12 } else { 3 } {
                let context = format!("{case}: {label}, event {at}, style {style}");
                let cut = Arc::new(Layer::new(state.clone(), size));
                let kept = |_, _| match style {
                    0 => true,
                    1 => false,
                    _ => draw.below(2) == 0,
                };
                replay_cut(&events[..at], &cut, kept).unwrap();
                let is_new = which(&tree(cut.clone(), &context), &old, &new, &context);
                cuts += 1;
                if draw.below(if is_thorough() { 10 } else { 60 }) == 0 {
                    let bytes = cut.read_vec(0, size as usize).unwrap();
                    let theirs = after_fsck(&bytes, &context);
                    assert_eq!(which(&theirs, &old, &new, &context), is_new, "{context}");
                    judged += 1;
                }
                // The same edit once more makes everything right.
                let card: Arc<dyn WriteAt> = cut.clone();
                let mut editor = Editor::open_in_place(card, NOW)
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(edit.make(&mut editor), !is_new, "{context}");
                assert_eq!(tree(cut.clone(), &context), new, "{context}");
                let report = fat_offline::check(&cut).unwrap();
                assert!(report.lost_clusters == 0 && !report.wrong_free_count, "{context}");
            }
        }
        state = after;
    }
    println!("{case}: {cuts} cuts, {judged} judged");
}

#[test]
fn every_cut_leaves_the_old_or_the_new_file() {
    for (kib, options) in SHAPES {
        // Large tables only take time.
        if kib > 100 << 10 && !is_thorough() {
            continue;
        }
        for (more, holes) in [(0, false), (9, false), (21, true)] {
            if more > 0 && kib > 8 << 10 && !options.contains(&"32") {
                continue;
            }
            let image = before(kib, options, more, holes);
            cut_everywhere(&image, &format!("{kib} KiB {options:?} {more} {holes}"));
        }
    }
}

/// The copies of the table differ, as between two writes of an edit: the first one counts.
#[test]
fn a_copy_of_the_table_that_is_behind_catches_up() {
    let image = before(20 * 1024, &["-F", "16", "-s", "2"], 0, false);
    let storage = memory(&image);
    // Entry 2 of the second copy.
    let geometry = fs_signature::FatGeometry::read(&storage).unwrap();
    storage.write_at(geometry.table(1) + 4, &[0, 0]).unwrap();
    assert!(fat_offline::check(&storage).is_err());
    assert!(Editor::open(storage.clone(), NOW).is_err());
    let mut editor = Editor::open_in_place(storage.clone(), NOW).unwrap();
    editor.write("config.txt", b"arm_64bit=1\n").unwrap();
    assert!(fat_offline::check(&storage).unwrap().is_clean());
    let (_dir, path) = on_disk(&storage.read_vec(0, storage.size() as usize).unwrap());
    assert_eq!(complaint(&path), None);
}
