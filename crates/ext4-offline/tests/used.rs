//! The used bytes: a card that gets only these, with garbage elsewhere, must be as good as the
//! image.
#![allow(missing_docs)]

mod common;

use block_io::ReadAt;
use common::*;
use ext4_offline::{grow, used_extents};

fn check(arguments: &str, from: u64, to: u64) {
    let context = format!("mke2fs {arguments}, {from} to {to} bytes");
    let image = Image::make(arguments, from);
    let before = image.contents();
    if to > from {
        image.set_len(to);
        grow(&image.open(), to, NOW.into()).unwrap();
    }
    let used = used_extents(&image.open()).unwrap();
    assert!(used.total() < from, "{context}: {} bytes used", used.total());
    let card = image.dir.path().join("card");
    card_with_garbage(&image.path, &used, &card);
    assert_clean(&card, &[], &context);
    if to > from {
        // mke2fs does not write some bitmaps that e2fsck -b needs; growing does.
        assert_clean_from_backup(&card, &context);
    }
    assert_eq!(contents(&card), before, "{context}");

    // It contains no free block.
    let text = output_of("dumpe2fs", &[image.path()]);
    let free: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix("Free blocks:"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let geometry = geometry(&image.path);
    let expected = (geometry.blocks - free) * u64::from(geometry.block_size);
    assert!(
        used.total().abs_diff(expected) <= u64::from(geometry.block_size),
        "{context}: {} bytes, but {expected} are not free",
        used.total()
    );
    assert!(used.iter().all(|range| range.end <= image.open().size()));
}

#[test]
fn a_card_needs_only_the_used_bytes() {
    for features in [
        "-t ext4 -O ^metadata_csum,^64bit,uninit_bg",
        "-t ext4 -O metadata_csum,64bit,orphan_file",
        "-t ext4 -O ^metadata_csum,^64bit,^uninit_bg",
        "-t ext4 -O meta_bg,^resize_inode",
        "-t ext2",
    ] {
        for block_size in [1024, 4096] {
            check(&format!("{features} -b {block_size}"), 40 * MIB, 40 * MIB);
            check(&format!("{features} -b {block_size}"), 40 * MIB, 300 * MIB);
        }
    }
}

#[test]
fn whole_clusters_of_bigalloc_are_used() {
    check("-t ext4 -O bigalloc -C 16384 -b 1024", 64 * MIB, 64 * MIB);
    check("-t ext4 -O bigalloc -C 65536 -b 4096", 64 * MIB, 64 * MIB);
}
