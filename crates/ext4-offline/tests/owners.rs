//! Whom blocks belong to, beside debugfs, and what scrubbing zeroes.
#![allow(missing_docs)]

mod common;

use std::sync::Arc;

use block_io::{Extents, FileStorage, Layer, ReadAt, WriteAt as _};
use common::*;
use ext4_offline::{BlockOwner, Reader, check, owners, scrub, used_extents};

fn open(image: &Image) -> Arc<dyn ReadAt> {
    Arc::new(FileStorage::open(&image.path).unwrap())
}

#[test]
fn every_block_has_the_owner_that_debugfs_names() {
    for options in ["-t ext4 -b 1024", "-t ext3 -b 1024", "-t ext4 -b 4096 -O bigalloc"] {
        let image = Image::make(options, 24 * MIB);
        let storage = open(&image);
        let size: u64 = if options.contains("1024") { 1024 } else { 4096 };
        let blocks: Vec<u64> = (1..storage.size() / size).step_by(29).collect();
        let wanted: Extents = blocks.iter().map(|block| block * size..(block + 1) * size).collect();
        let found = owners(storage.clone(), &wanted).unwrap();
        let total: u64 = found.iter().map(|owned| owned.bytes.total()).sum();
        assert_eq!(total, wanted.total(), "{options}: each byte has one owner");
        let list: Vec<String> = blocks.iter().map(u64::to_string).collect();
        let said =
            output_of("debugfs", &["-R", &format!("icheck {}", list.join(" ")), image.path()]);
        let used = used_extents(&storage).unwrap();
        let mut files = 0;
        for line in said.lines() {
            let mut words = line.split_whitespace();
            let Some(Ok(block)) = words.next().map(str::parse::<u64>) else { continue };
            let inode: Option<u32> = words.next().unwrap().parse().ok();
            let at = block * size..block * size + 1;
            let owner = found.iter().find(|owned| owned.bytes.within(at.clone()).next().is_some());
            match &owner.unwrap().owner {
                BlockOwner::File { inode: found, path } => {
                    files += 1;
                    assert_eq!(Some(*found), inode, "{options}: block {block}");
                    let path = path.as_ref().expect("every file has a name");
                    let metadata = Reader::open(storage.clone()).unwrap().symlink_metadata(path);
                    assert_eq!(metadata.unwrap().inode, *found);
                }
                BlockOwner::Filesystem => {
                    assert!(inode.is_none_or(|inode| inode < 11), "{options}: block {block}");
                    assert!(used.within(at).next().is_some());
                }
                _ => {
                    assert_eq!(inode, None, "{options}: block {block}");
                    assert!(used.within(at).next().is_none());
                }
            }
        }
        assert!(files > 10, "{options}: {files}");
    }
}

#[test]
fn scrubbing_leaves_files_as_they_are_and_nothing_in_the_log() {
    let image = Image::make("-t ext4 -b 1024", 24 * MIB);
    let storage = open(&image);
    let layer = Arc::new(Layer::new(storage.clone(), storage.size()));
    // What was logged once, and what is below blocks that were never written.
    let log = output_of("debugfs", &["-R", "blocks <8>", image.path()]);
    let log: Vec<u64> = log.split_whitespace().filter_map(|block| block.parse().ok()).collect();
    layer.write_at(log[7] * 1024, &[0xa5; 1024]).unwrap();
    let bytes = scrub(&*layer).unwrap();
    assert!(bytes >= (log.len() as u64 - 10) * 1024, "{bytes}");
    assert!(layer.read_vec(log[7] * 1024, 1024).unwrap().iter().all(|&byte| byte == 0));
    check(&layer).unwrap();
    for path in ["directory-3/file-5", "directory-1"] {
        let before = Reader::open(storage.clone()).unwrap();
        let after = Reader::open(layer.clone()).unwrap();
        assert_eq!(before.read(path).ok(), after.read(path).ok());
        assert_eq!(before.metadata(path).unwrap(), after.metadata(path).unwrap());
    }
    let copy = image.path.with_extension("scrubbed");
    std::fs::write(&copy, layer.read_vec(0, layer.size() as usize).unwrap()).unwrap();
    test_support::assert_e2fsck_clean(&copy, "after scrubbing");
}
