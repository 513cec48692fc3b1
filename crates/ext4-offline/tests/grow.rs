//! Growing, over the feature sets, block sizes and sizes that matter, with
//! e2fsck as the judge.
#![allow(missing_docs)]

mod common;

use common::*;
use ext4_offline::{Grown, grow, grow_lazily};

/// As Ubuntu 16.04 and today's mke2fs make it, and without any checksum.
const OLD: &str = "-t ext4 -O ^metadata_csum,^64bit,uninit_bg";
const MODERN: &str = "-t ext4 -O metadata_csum,64bit,metadata_csum_seed,orphan_file";
const PLAIN: &str = "-t ext4 -O ^metadata_csum,^64bit,^uninit_bg";

/// Grows a filesystem and has all oracles judge the result. The image's new
/// part is a hole, or garbage.
fn check(arguments: &str, from: u64, to: u64, garbage: bool) -> Grown {
    let context = format!("mke2fs {arguments}, {from} to {to} bytes, garbage: {garbage}");
    let image = Image::make(arguments, from);
    let before = image.contents();
    let copy = image.copy("resize2fs");
    match garbage {
        true => image.extend_with_garbage(to),
        false => image.set_len(to),
    }
    let grown = grow(&image.open(), to, NOW).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(grown.bytes_written > 0, grown.blocks > grown.old_blocks, "{context}");
    assert_clean(&image.path, &[], &context);
    assert_clean_from_backup(&image.path, &context);
    assert_eq!(image.contents(), before, "{context}");

    let ours = counts(&image.path);
    assert_eq!(ours.blocks, grown.blocks, "{context}");
    // Beyond the reserved descriptor blocks, resize2fs moves blocks instead.
    if !grown.meta_bg && !arguments.contains("meta_bg") {
        let target = format!("{}K", to / KIB);
        output_of("resize2fs", &[copy.to_str().unwrap(), &target]);
        let theirs = counts(&copy);
        // It computes the reserve in floating point.
        assert!(ours.reserved.abs_diff(theirs.reserved) <= 1, "{context}: {ours:?} {theirs:?}");
        assert_eq!(Counts { reserved: theirs.reserved, ..ours }, theirs, "{context}");
    }

    let again = grow(&image.open(), to, NOW + 1).unwrap();
    assert_eq!((again.blocks, again.bytes_written), (grown.blocks, 0), "{context}: once more");
    grown
}

#[test]
fn every_kind_of_checksum_and_block_size() {
    for features in [OLD, MODERN, PLAIN] {
        for block_size in [1024, 2048, 4096] {
            let arguments = format!("{features} -b {block_size}");
            check(&arguments, 24 * MIB, 210 * MIB + 3 * KIB, false);
        }
    }
}

#[test]
fn with_garbage_in_the_new_area() {
    for features in [OLD, MODERN, PLAIN] {
        check(&format!("{features} -b 1024"), 24 * MIB, 100 * MIB, true);
    }
    check(&format!("{MODERN} -b 4096"), 150 * MIB, 300 * MIB, true);
}

#[test]
fn other_features() {
    let sets = [
        "-t ext2",
        "-t ext2 -r 0",
        "-t ext3",
        "-t ext4 -O ^has_journal",
        "-t ext4 -O ^flex_bg",
        "-t ext4 -O ^metadata_csum,uninit_bg,^64bit,^flex_bg",
        "-t ext4 -O ^metadata_csum,uninit_bg,^64bit,^flex_bg,^resize_inode",
        "-t ext4 -O metadata_csum,^64bit",
        "-t ext4 -O ^metadata_csum,uninit_bg,64bit",
        "-t ext4 -O inline_data,large_dir,ea_inode",
        "-t ext4 -O encrypt,casefold,verity",
        "-t ext4 -O quota,project",
        "-t ext4 -O ^sparse_super,^resize_inode",
        "-t ext4 -O ^resize_inode",
        "-t ext4 -O meta_bg,^resize_inode",
        "-t ext4 -O meta_bg,^resize_inode,^64bit,^metadata_csum",
        "-t ext4 -I 128",
        "-t ext4 -G 4 -E packed_meta_blocks=1",
        "-t ext4 -m 0",
        "-t ext4 -g 1024",
        "-t ext4 -N 128",
        "-t ext4 -E lazy_itable_init=0",
        "-t ext4 -E lazy_itable_init=1",
    ];
    for features in sets {
        check(&format!("{features} -b 1024"), 24 * MIB, 130 * MIB, false);
    }
}

/// resize2fs moves the second backup to the new last group; the format allows
/// it to stay, which moves nothing.
#[test]
fn sparse_super2_keeps_its_backups_where_they_are() {
    for options in ["sparse_super2", "sparse_super2,^metadata_csum,uninit_bg,^64bit"] {
        let arguments = format!("-t ext4 -O {options},^resize_inode -b 1024");
        let image = Image::make(&arguments, 24 * MIB);
        let (before, groups) = (image.contents(), geometry(&image.path).backup_groups());
        image.set_len(230 * MIB);
        grow(&image.open(), 230 * MIB, NOW).unwrap();
        assert_clean(&image.path, &[], &arguments);
        assert_clean_from_backup(&image.path, &arguments);
        assert_eq!(image.contents(), before);
        assert_eq!(geometry(&image.path).backup_groups(), groups);
    }
}

#[test]
fn beyond_the_reserved_descriptor_blocks() {
    // 32 or 16 descriptors to a block of 1 KiB, and none in reserve, or few.
    let sets = [
        format!("{OLD},^resize_inode -b 1024"),
        format!("{MODERN},^resize_inode -b 1024"),
        format!("{PLAIN},^resize_inode -b 1024"),
        format!("{OLD} -b 1024 -E resize=300000"),
        format!("{MODERN} -b 1024 -E resize=300000"),
        format!("{MODERN},^flex_bg -b 1024 -E resize=300000"),
    ];
    for arguments in sets {
        let grown = check(&arguments, 24 * MIB, 700 * MIB, false);
        assert!(grown.meta_bg, "{arguments}: {grown:?}");
    }
}

#[test]
fn in_steps_as_in_one_go() {
    for features in [OLD, MODERN, PLAIN] {
        let arguments = format!("{features} -b 1024 -E resize=300000");
        let image = Image::make(&arguments, 24 * MIB);
        let before = image.contents();
        for mib in [25, 33, 40, 41, 129, 300, 310, 700] {
            image.set_len(mib * MIB);
            grow(&image.open(), mib * MIB, NOW).unwrap();
            let context = format!("{arguments}: {mib} MiB");
            assert_clean(&image.path, &[], &context);
            assert_clean_from_backup(&image.path, &context);
        }
        assert_eq!(image.contents(), before);
        let steps = counts(&image.path);
        let whole = Image::make(&arguments, 24 * MIB);
        whole.set_len(700 * MIB);
        grow(&whole.open(), 700 * MIB, NOW).unwrap();
        let once = counts(&whole.path);
        // Each step rounds the reserve down, and later ones multiply what is lost.
        assert!(once.reserved - steps.reserved <= 700 / 25 + 8, "{steps:?} {once:?}");
        assert_eq!(Counts { reserved: once.reserved, ..steps }, once);
    }
}

/// Where the last group begins to be worth having, and a group or a descriptor
/// block is added.
#[test]
fn at_the_edges() {
    let mut random = Random(7);
    let cases = if thorough() { 400 } else { 24 };
    for case in 0..cases {
        let features = random.pick(&[OLD, MODERN, PLAIN]);
        let block_size = *random.pick(&[1024, 2048, 4096]);
        let blocks_per_group = *random.pick(&[512, 1024, 2048]);
        let arguments = format!("{features} -b {block_size} -g {blocks_per_group}");
        let group = block_size * blocks_per_group;
        let from = 20 * MIB / group * group + (random.below(4) + 4) * group / 8;
        let groups = random.below(130);
        let step = match random.below(3) {
            0 => random.below(6),
            1 => blocks_per_group - random.below(6),
            _ => random.below(200),
        };
        let to = (from + groups * group) / group * group + step * block_size;
        if to >= from {
            eprintln!("case {case}");
            check(&arguments, from, to, false);
        }
    }
}

#[test]
fn lazily_leaves_new_tables_to_the_kernel() {
    for features in [OLD, MODERN] {
        let arguments = format!("{features} -b 1024");
        let image = Image::make(&arguments, 24 * MIB);
        let before = image.contents();
        image.extend_with_garbage(200 * MIB);
        let grown = grow_lazily(&image.open(), 200 * MIB, NOW).unwrap();
        assert_clean(&image.path, &[], &arguments);
        assert_eq!(image.contents(), before);
        let tables = 22 * u64::from(geometry(&image.path).inode_table_blocks()) * KIB;
        assert!(grown.bytes_written < tables / 4, "{grown:?}, tables of {tables} bytes");
    }
}

#[test]
fn resize2fs_can_go_on_from_there() {
    for features in [OLD, MODERN, PLAIN] {
        let arguments = format!("{features} -b 1024");
        let image = Image::make(&arguments, 24 * MIB);
        let before = image.contents();
        image.set_len(100 * MIB);
        grow(&image.open(), 100 * MIB, NOW).unwrap();
        for size in ["300M", "60M", "900M"] {
            output_of("resize2fs", &[image.path(), size]);
            assert_clean(&image.path, &[], &format!("{arguments}, resize2fs {size}"));
        }
        assert_eq!(image.contents(), before);
    }
}

/// The card of the reference cluster: less than a second, and metadata only.
#[test]
fn to_32_gib_it_writes_metadata_only() {
    for features in [OLD, MODERN] {
        let image = Image::make(&format!("{features} -b 4096"), GIB);
        image.set_len(32 * GIB);
        let grown = grow(&image.open(), 32 * GIB, NOW).unwrap();
        assert_clean(&image.path, &[], features);
        assert!(grown.bytes_written < 6 * MIB, "{grown:?}");
    }
}
