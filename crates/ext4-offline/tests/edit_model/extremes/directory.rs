//! Directories with many entries.

use std::{collections::BTreeSet, sync::Arc};

use block_io::FileStorage;
use ext4_offline::inodes::{FilesMut, NewFile, ROOT_INODE};
use ext4_view::Ext4;

use super::Empty;
use crate::{
    common::mount::{is_root, try_mount},
    common::{MIB, NOW},
};
use test_support::FaultInjector;

type Storage = Arc<FaultInjector<FileStorage>>;

/// A storage that counts its calls.
fn requests(storage: &Storage) -> u64 {
    storage.reads() + storage.writes()
}

fn fill_and_thin_out(arguments: &str, size: u64, entries: u32) {
    let image = Empty::make(arguments, size);
    let file = FileStorage::open_writable(&image.path).unwrap();
    let storage: Storage = Arc::new(FaultInjector::new(file, u64::MAX, u64::MAX));
    let mut files = FilesMut::open(storage.clone(), NOW.into()).unwrap();
    let dir = files.create(ROOT_INODE, b"dir", NewFile::Directory, 0o755).unwrap();
    let name = |number: u32| format!("an-entry-with-number-{number}");
    let mut counts = Vec::new();
    for tenth in 0..10 {
        let before = requests(&storage);
        for number in tenth * (entries / 10)..(tenth + 1) * (entries / 10) {
            files.create(dir, name(number).as_bytes(), NewFile::Regular, 0o644).unwrap();
        }
        counts.push(requests(&storage) - before);
    }
    let (early, late) = (counts[1], counts[9]);
    assert!(late < early + early / 4, "not linear: {counts:?}");

    let before = requests(&storage);
    for number in (0..entries).step_by(2) {
        files.unlink(dir, name(number).as_bytes()).unwrap();
    }
    let removed = requests(&storage) - before;
    assert!(removed < late * 10, "{removed} requests to remove half");
    let mut wanted: BTreeSet<String> = (1..entries).step_by(2).map(name).collect();
    for number in (1..entries).step_by(20) {
        let new = format!("renamed-{number}");
        files.rename(dir, name(number).as_bytes(), dir, new.as_bytes()).unwrap();
        wanted.remove(&name(number));
        wanted.insert(new);
    }
    files.finish().unwrap();
    image.assert_clean(arguments);

    let entries = image.read().entries(dir).unwrap();
    let own: BTreeSet<String> =
        entries.into_iter().map(|entry| String::from_utf8(entry.name).unwrap()).collect();
    assert!(own == wanted, "our own reader finds other names");
    let view = Ext4::load_from_path(&image.path).unwrap();
    let viewed: BTreeSet<String> = view
        .read_dir("/dir")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().as_str().unwrap().to_owned())
        .filter(|name| name != "." && name != "..")
        .collect();
    assert!(viewed == wanted, "ext4-view finds other names");
    if is_root() {
        let mounted = try_mount(&image.path, "ro").unwrap();
        let dir = mounted.0.join("dir");
        let names = std::fs::read_dir(&dir).unwrap();
        let listed: BTreeSet<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(listed == wanted, "the kernel finds other names");
        for name in wanted.iter().step_by(97) {
            assert!(dir.join(name).exists(), "the kernel does not find {name}");
        }
    }
}

#[test]
fn a_directory_of_100_000_entries() {
    fill_and_thin_out("-t ext4 -b 4096 -N 110000 -J size=4", 96 * MIB, 100_000);
}

#[test]
fn a_deep_hash_tree() {
    let arguments = "-t ext4 -b 1024 -O ^metadata_csum,^64bit,uninit_bg -N 32000 -J size=1";
    fill_and_thin_out(arguments, 32 * MIB, 30_000);
}
