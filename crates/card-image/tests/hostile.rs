//! Filesystems made to do harm: everything about them ends, soon, in an answer
//! or an error.

mod common;

use std::{
    fs,
    os::unix::fs::FileExt,
    sync::{Arc, mpsc},
    time::Duration,
};

use block_io::{FileStorage, Layer, ReadAt};
use card_image::{FsError, RootFsEditor};
use common::*;

/// Does to a filesystem all that nodecard does to one, on a layer. Panics if
/// that takes a minute: it is a matter of milliseconds.
fn survives(sample: &Sample) -> Vec<Result<(), FsError>> {
    let base: Arc<dyn ReadAt> = Arc::new(FileStorage::open(&sample.image).unwrap());
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let layer = Arc::new(Layer::new(base.clone(), base.size()));
        let results = match RootFsEditor::open(layer.clone(), NOW) {
            Err(error) => vec![Err(error)],
            Ok(mut files) => vec![
                files.read("/etc/hostname", 1 << 20).map(drop),
                files.read("/etc/large", 1 << 20).map(drop),
                files.read("/absolute", 1 << 20).map(drop),
                files.list("/etc/many").map(drop),
                files.reader().xattrs("/etc/hostname").map(drop).map_err(FsError::from),
                files.editor().write("/etc/hostname", b"new-name\n").map_err(FsError::from),
                files.editor().write("/etc/large", [7; 50_000]).map_err(FsError::from),
                files.create("/etc/many/new", 0o644).map(drop),
                files.remove("/etc/many").map(drop),
                files.clear("/etc"),
                files.close(),
            ],
        };
        let window: &dyn ReadAt = &layer;
        let _ = ext4_offline::used_extents(&window);
        done.send(results).unwrap();
    });
    match finished.recv_timeout(Duration::from_secs(60)) {
        Ok(results) => results,
        Err(error) => panic!("after a minute: {error}"),
    }
}

fn errors(results: &[Result<(), FsError>]) -> usize {
    results.iter().filter(|result| result.is_err()).count()
}

/// Makes /etc/large an extent tree of `depth` whose first node is `block`, and
/// that block a node of `inner_depth` that names itself.
fn extent_cycle(sample: &Sample, depth: u32, inner_depth: u16, block: u32) {
    let words = [0x0001_f30a, depth << 16 | 4, 0, 0, block, 0];
    for (index, word) in words.iter().enumerate() {
        sample.debugfs(&format!("set_inode_field /etc/large block[{index}] {word}"));
    }
    let mut node = vec![0u8; 1024];
    node[0..2].copy_from_slice(&0xf30au16.to_le_bytes());
    node[2..4].copy_from_slice(&1u16.to_le_bytes());
    node[4..6].copy_from_slice(&84u16.to_le_bytes());
    node[6..8].copy_from_slice(&inner_depth.to_le_bytes());
    node[16..20].copy_from_slice(&block.to_le_bytes());
    let file = fs::OpenOptions::new().write(true).open(&sample.image).unwrap();
    file.write_all_at(&node, u64::from(block) * 1024).unwrap();
}

#[test]
fn extents_that_name_themselves() {
    for (depth, inner_depth) in [(1, 1), (2, 1), (5, 5), (5, 4), (1, 0xffff), (0xffff, 0xfffe)] {
        let sample = Sample::new(LEGACY, "1024");
        extent_cycle(&sample, depth, inner_depth, 20_000);
        let results = survives(&sample);
        assert!(results[1].is_err(), "{depth} {inner_depth}: {results:?}");
    }
}

#[test]
fn directories_that_contain_themselves() {
    for features in [LEGACY, MODERN] {
        let sample = Sample::new(features, "1024");
        sample.debugfs("link /etc /etc/many/up");
        assert!(sample.debugfs("ls /etc/many/up").contains("hostname"));
        let base = Arc::new(FileStorage::open(&sample.image).unwrap());
        let files =
            RootFsEditor::open(Arc::new(Layer::new(base.clone(), base.size())), NOW).unwrap();
        let deep = format!("/etc{}/hostname", "/many/up".repeat(200));
        assert_eq!(files.read(&deep, 100).unwrap().unwrap(), b"old-name\n");
        survives(&sample);
    }
}

#[test]
fn files_that_claim_to_be_larger_than_the_device() {
    for (path, size) in [
        ("/etc/hostname", "0x7fffffffffff"),
        ("/etc/large", "0x7fffffffffff"),
        ("/etc/large", "0x1000000000"),
        ("/etc/many", "0x10000000000"),
        ("/etc", "0x10000000000"),
        ("/", "0x10000000000"),
        ("/absolute", "0x10000000000"),
        ("<8>", "0x10000000000"),
    ] {
        for features in [LEGACY, MODERN] {
            let sample = Sample::new(features, "1024");
            sample.debugfs(&format!("set_inode_field {path} size {size}"));
            let results = survives(&sample);
            assert!(path == "<8>" || errors(&results) > 0, "{path} {size}: {results:?}");
            // Once more with a journal that wants to be replayed.
            sample.debugfs("feature needs_recovery");
            survives(&sample);
        }
    }
}

#[test]
fn extents_beyond_the_device() {
    for block in [50_000u32, 0x7fff_ffff, 0xffff_fff0] {
        let sample = Sample::new(LEGACY, "1024");
        let words = [0x0001_f30a, 4, 0, 0, 300, block];
        for (index, word) in words.iter().enumerate() {
            sample.debugfs(&format!("set_inode_field /etc/large block[{index}] {word}"));
        }
        let results = survives(&sample);
        assert!(results[1].is_err(), "{block}: {results:?}");
    }
}

#[test]
fn a_superblock_that_lies() {
    for field in [
        "blocks_count 0xffffffff",
        "inodes_count 0xffffffff",
        "inodes_per_group 0xffffffff",
        "blocks_per_group 1",
        "first_ino 0xffffffff",
        "first_data_block 0x7fffffff",
        "log_block_size 30",
        "inode_size 0",
        "inode_size 65535",
        "journal_inum 2",
        "reserved_gdt_blocks 65535",
        "log_groups_per_flex 63",
        "desc_size 1",
        "first_meta_bg 0xffffffff",
    ] {
        for features in [LEGACY, MODERN] {
            let sample = Sample::new(features, "1024");
            sample.debugfs(&format!("set_super_value {field}"));
            survives(&sample);
        }
    }
}
