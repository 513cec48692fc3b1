//! Growing filesystems of all important features, block sizes and sizes, judged by e2fsck.
#![allow(missing_docs)]

mod common;

use block_io::FileStorage;
use common::*;
use ext4_offline::{Grown, grow, grow_lazily};

/// Filesystems as Ubuntu 16.04 and today's mke2fs make them, and one without checksums.
const OLD: &str = "-t ext4 -O ^metadata_csum,^64bit,uninit_bg";
const MODERN: &str = "-t ext4 -O metadata_csum,64bit,metadata_csum_seed,orphan_file";
const PLAIN: &str = "-t ext4 -O ^metadata_csum,^64bit,^uninit_bg";

/// Grows a filesystem and compares the result with all references. The new part of the image is a
/// hole, or garbage.
fn check(arguments: &str, from: u64, to: u64, garbage: bool) -> Grown {
    let context = format!("mke2fs {arguments}, {from} to {to} bytes, garbage: {garbage}");
    let image = Image::make(arguments, from);
    let before = image.contents();
    let copy = image.copy("resize2fs");
    if garbage {
        image.extend_with_garbage(to)
    } else {
        image.set_len(to)
    }
    let grown =
        grow(&image.open(), to, NOW.into()).unwrap_or_else(|error| panic!("{context}: {error}"));
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
        assert_eq!(ours, theirs, "{context}");
    }

    let again = grow(&image.open(), to, (NOW + 1).into()).unwrap();
    assert_eq!((again.blocks, again.bytes_written), (grown.blocks, 0), "{context}: once more");
    grown
}

#[test]
fn every_kind_of_checksum_and_block_size_grows() {
    for features in [OLD, MODERN, PLAIN] {
        for block_size in [1024, 2048, 4096] {
            let arguments = format!("{features} -b {block_size}");
            check(&arguments, 24 * MIB, 210 * MIB + 3 * KIB, false);
        }
    }
}

#[test]
fn garbage_in_the_new_area_does_no_harm() {
    for features in [OLD, MODERN, PLAIN] {
        check(&format!("{features} -b 1024"), 24 * MIB, 100 * MIB, true);
    }
    check(&format!("{MODERN} -b 4096"), 150 * MIB, 300 * MIB, true);
}

#[test]
fn filesystems_with_other_features_grow() {
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
        "-t ext4 -O stable_inodes",
        "-t ext4 -E lazy_itable_init=0",
        "-t ext4 -E lazy_itable_init=1",
    ];
    for features in sets {
        check(&format!("{features} -b 1024"), 24 * MIB, 130 * MIB, false);
    }
}

/// The second backup moves to the new last group, as with resize2fs, which leaves its old blocks
/// marked as in use if it finds it elsewhere. Backups for which there was no room are added.
#[test]
fn sparse_super2_moves_its_second_backup_to_the_last_group() {
    for options in ["sparse_super2", "sparse_super2,^metadata_csum,uninit_bg,^64bit"] {
        for from in [7, 15, 24, 40] {
            let arguments = format!("-t ext4 -O {options},^resize_inode -b 1024");
            let image = Image::make(&arguments, from * MIB);
            let before = image.contents();
            let theirs = image.copy("theirs");
            for size in [100, 230] {
                image.set_len(size * MIB);
                grow(&image.open(), size * MIB, NOW.into()).unwrap();
                assert_clean(&image.path, &[], &arguments);
                assert_clean_from_backup(&image.path, &arguments);
                assert_eq!(image.contents(), before);
            }
            output_of("resize2fs", &[theirs.to_str().unwrap(), "230M"]);
            let groups = [&image.path, &theirs].map(|path| geometry(path).backup_groups());
            assert_eq!(groups[0].last(), groups[1].last(), "from {from} MiB");
            assert_eq!(groups[0][0], 1);
            // resize2fs moves the backup once more, and nothing stays marked as in use (`-`). It
            // also frees one block too many behind the backup, which here is a bitmap (`+`).
            output_of("resize2fs", &[image.path(), "250M"]);
            let complaint = e2fsck_complaint(&image.path, &[]).unwrap_or_default();
            let differences = complaint.lines().find(|line| line.contains("Block bitmap diff"));
            let only_its_own = |line: &str| line.matches('+').count() == 1 && !line.contains('-');
            assert!(differences.is_none_or(only_its_own), "{arguments}: {complaint}");
            assert_eq!(image.contents(), before);
        }
    }
}

#[test]
fn growing_beyond_the_reserved_descriptor_blocks() {
    // A block of 1 KiB has 32 or 16 descriptors, and no or few blocks are reserved.
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
fn growing_in_steps_gives_the_same_result() {
    for features in [OLD, MODERN, PLAIN] {
        let arguments = format!("{features} -b 1024 -E resize=300000");
        let image = Image::make(&arguments, 24 * MIB);
        let before = image.contents();
        for mib in [25, 33, 40, 41, 129, 300, 310, 700] {
            image.set_len(mib * MIB);
            grow(&image.open(), mib * MIB, NOW.into()).unwrap();
            let context = format!("{arguments}: {mib} MiB");
            assert_clean(&image.path, &[], &context);
            assert_clean_from_backup(&image.path, &context);
        }
        assert_eq!(image.contents(), before);
        let steps = counts(&image.path);
        let whole = Image::make(&arguments, 24 * MIB);
        whole.set_len(700 * MIB);
        grow(&whole.open(), 700 * MIB, NOW.into()).unwrap();
        let once = counts(&whole.path);
        // Each step rounds the reserve down, and later steps multiply the difference.
        assert!(once.reserved - steps.reserved <= 700 / 25 + 8, "{steps:?} {once:?}");
        assert_eq!(Counts { reserved: once.reserved, ..steps }, once);
    }
}

#[test]
fn growing_lazily_leaves_new_tables_to_the_kernel() {
    for features in [OLD, MODERN] {
        let arguments = format!("{features} -b 1024");
        let image = Image::make(&arguments, 24 * MIB);
        let before = image.contents();
        image.extend_with_garbage(200 * MIB);
        let grown = grow_lazily(&image.open(), 200 * MIB, NOW.into()).unwrap();
        assert_clean(&image.path, &[], &arguments);
        assert_eq!(image.contents(), before);
        let tables = 22 * u64::from(geometry(&image.path).inode_table_blocks()) * KIB;
        assert!(grown.bytes_written < tables / 4, "{grown:?}, tables of {tables} bytes");
    }
}

#[test]
fn resize2fs_can_grow_the_result_further() {
    for features in [OLD, MODERN, PLAIN] {
        let arguments = format!("{features} -b 1024");
        let image = Image::make(&arguments, 24 * MIB);
        let before = image.contents();
        image.set_len(100 * MIB);
        grow(&image.open(), 100 * MIB, NOW.into()).unwrap();
        for size in ["300M", "60M", "900M"] {
            output_of("resize2fs", &[image.path(), size]);
            assert_clean(&image.path, &[], &format!("{arguments}, resize2fs {size}"));
        }
        assert_eq!(image.contents(), before);
    }
}

/// The card of the reference cluster: only metadata is written, and less than by resize2fs, which
/// does not even complete the backups.
#[test]
fn growing_to_32_gib_writes_less_than_resize2fs() {
    for features in [OLD, MODERN] {
        let image = Image::make(&format!("{features} -b 4096"), 4 * GIB);
        let (copy, before) = (image.copy("resize2fs"), image.contents());
        image.set_len(32 * GIB);
        let storage = Counting::new(image.open(), false);
        let grown = grow(&storage, 32 * GIB, NOW.into()).unwrap();
        assert_clean(&image.path, &[], features);
        assert_clean_from_backup(&image.path, features);
        assert_eq!(image.contents(), before);
        let (ours, theirs) = (storage.written(), resize2fs_writes(&copy, 32 * GIB / 4096));
        println!("4 to 32 GiB, {features}: {ours} bytes written, by resize2fs {theirs}");
        assert_eq!(grown.bytes_written, ours);
        assert!(ours <= theirs, "{features}: {ours} bytes, resize2fs {theirs}");

        // A sector of each block bitmap and 3 KiB of each inode bitmap; a sector of
        // each block in reserve, for the new backups; superblock and descriptors
        // with their backups; nothing for the 512 blocks of a group's inode table.
        let geometry = geometry(&image.path);
        let descriptors = u64::from(geometry.descriptor_blocks());
        let copies = 1 + geometry.backup_groups().len() as u64;
        let metadata = u64::from(geometry.groups) * (512 + 3072)
            + u64::from(geometry.reserved_gdt_blocks + 1) * 512
            + copies * (1024 + descriptors * 4096)
            + 3 * 4096;
        assert!(ours <= metadata, "{features}: {ours} bytes, metadata has {metadata}");
    }
}

/// A card cannot report which parts are zero, so `grow` writes all inode tables; `grow_lazily`
/// leaves them to the kernel.
#[test]
fn growing_lazily_writes_little_to_a_card() {
    let image = Image::make(&format!("{MODERN} -b 4096"), GIB);
    image.set_len(4 * GIB);
    let copy = image.copy("complete");
    let card = Counting::new(image.open(), true);
    grow_lazily(&card, 4 * GIB, NOW.into()).unwrap();
    let lazily = card.written();
    assert_clean(&image.path, &[], "lazily");
    let card = Counting::new(FileStorage::open_writable(&copy).unwrap(), true);
    grow(&card, 4 * GIB, NOW.into()).unwrap();
    let completely = card.written();
    assert_clean_from_backup(&copy, "completely");
    println!("1 to 4 GiB on a card: {lazily} bytes lazily, {completely} completely");
    let table = u64::from(geometry(&copy).inode_table_blocks()) * 4096;
    assert!(completely > 24 * table && lazily < table, "{lazily}, {completely}, table {table}");
}
